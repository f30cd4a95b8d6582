using Registry.Sdk.Core.Editions;

namespace Registry.Sdk.Core.Imaging;

/// <summary>Our layers, bottom first: what changes least often lies lowest, and a file in a layer changes no layer but its own.</summary>
internal enum LayerKind
{
    /// <summary>The .NET runtime of a self-contained application: changes with the SDK.</summary>
    Runtime,

    /// <summary>NuGet packages: change with an update.</summary>
    Packages,

    /// <summary>Project references, and assemblies referenced by path.</summary>
    References,

    /// <summary>The application, and whatever nobody else owns: changes with every commit.</summary>
    Application,
}

/// <summary>One layer's files.</summary>
/// <param name="Kind">Which it is; smaller ones below it may have been merged into it.</param>
/// <param name="Files">Ordinal order of path.</param>
internal sealed record LayerFiles(LayerKind Kind, IReadOnlyList<BillFile> Files);

/// <summary>How the files of a publish folder are laid into layers.</summary>
/// <param name="Layers">Bottom first; the application's is always there, and the last.</param>
/// <param name="LeftOut">Files for runtimes that the image can't have. Ordinal order of path.</param>
internal sealed record LayerSplitResult(IReadOnlyList<LayerFiles> Layers, IReadOnlyList<BillFile> LeftOut);

/// <summary>Decides which file goes into which layer.</summary>
internal static class LayerSplit
{
    /// <summary>Below this a layer costs more (a request, a HEAD, an entry) than the bytes it saves.</summary>
    public const long MinimumSize = 64 * 1024;

    private const string WebAssets = "wwwroot/_content/";

    /// <summary>Splits the files. The result depends on nothing but them; their order does not matter.</summary>
    /// <param name="files">The bill's.</param>
    /// <param name="dependencies">The application's dependency file; null: everything is application.</param>
    /// <param name="reachable">What the image's runtime can use; null: everything.</param>
    public static LayerSplitResult Split(IReadOnlyList<BillFile> files, DependencyFile? dependencies, ReachableRids? reachable)
    {
        var layers = Enum.GetValues<LayerKind>().ToDictionary(k => k, _ => new List<BillFile>());
        if (dependencies is null)
        {
            return new([Layer(LayerKind.Application, files)], []);
        }

        var leftOut = new List<BillFile>();
        BillFile? dependencyFile = null;
        foreach (var file in files)
        {
            if (file.Path == dependencies.Path)
            {
                dependencyFile = file;
                continue;
            }

            var asset = Owner(file.Path, dependencies);
            (asset?.Rid is { } rid && file.Path.StartsWith("runtimes/", StringComparison.Ordinal) && reachable?.Keeps(rid) == false ? leftOut : layers[Kind(asset?.Type ?? WebAssetOwner(file.Path, dependencies))]).Add(file);
        }

        // Upwards, never downwards: what is small must not make a layer below it change.
        for (var kind = LayerKind.Runtime; kind < LayerKind.Application; kind++)
        {
            if (layers[kind].Sum(f => f.Size) < MinimumSize)
            {
                layers[kind + 1].AddRange(layers[kind]);
                layers[kind].Clear();
            }
        }

        if (dependencyFile is not null)
        {
            // It names every package, and so changes with them; and the version of every project.
            layers[dependencies.HasOnlyDefaultVersions && layers[LayerKind.Packages].Count > 0 ? LayerKind.Packages : LayerKind.Application].Add(dependencyFile);
        }

        return new(
            [.. layers.Where(l => l.Value.Count > 0 || l.Key == LayerKind.Application).OrderBy(l => l.Key).Select(l => Layer(l.Key, l.Value))],
            Sorted(leftOut));
    }

    /// <summary>What the dependency file says of a file; symbols and documentation beside an assembly are not listed and go with it.</summary>
    private static PublishedAsset? Owner(string path, DependencyFile dependencies)
    {
        if (dependencies.Assets.TryGetValue(path, out var asset))
        {
            return asset;
        }

        return Path.GetExtension(path) is ".pdb" or ".xml" ? dependencies.Assets.GetValueOrDefault(path[..^4] + ".dll") : null;
    }

    /// <summary>Static web assets of a library are at <c>wwwroot/_content/LIBRARY/</c>.</summary>
    private static LibraryType WebAssetOwner(string path, DependencyFile dependencies)
        => path.StartsWith(WebAssets, StringComparison.Ordinal) && path.IndexOf('/', WebAssets.Length) is > 0 and var end
            && dependencies.Libraries.TryGetValue(path[WebAssets.Length..end], out var type) ? type : LibraryType.Application;

    // A DLL referenced by its path has no version that a restore would fix: it may be a vendor's of last year or another build's of this morning. So
    // it does not go with the packages.
    private static LayerKind Kind(LibraryType type) => type switch
    {
        LibraryType.RuntimePack => LayerKind.Runtime,
        LibraryType.Package => LayerKind.Packages,
        LibraryType.Reference or LibraryType.Project => LayerKind.References,
        _ => LayerKind.Application,
    };

    private static LayerFiles Layer(LayerKind kind, IReadOnlyList<BillFile> files) => new(kind, Sorted(files));

    private static IReadOnlyList<BillFile> Sorted(IReadOnlyList<BillFile> files) => [.. files.OrderBy(f => f.Path, StringComparer.Ordinal)];
}
