using Microsoft.Build.Framework;
using Registry.Sdk.Core.Editions;

namespace Registry.Sdk.Tasks;

/// <summary>What one publish, for one platform, says that it is made of; in one item that goes from build to build.</summary>
/// <remarks>
/// The .NET SDK marks what it copies (packages, references), but not what it makes for the project itself. That is recognised by its place in the
/// publish folder together with where it comes from: the file that the .NET SDK's properties name, or, after ReadyToRun, trimming and native AOT, one from <c>obj</c>.
/// </remarks>
public sealed class DescribePublish : RegistrySdkTask
{
    /// <summary>Absolute folder of the project; relative paths are below it.</summary>
    [Required]
    public string ProjectDirectory { get; set; } = string.Empty;

    /// <summary><c>PublishDir</c>.</summary>
    [Required]
    public string PublishDirectory { get; set; } = string.Empty;

    /// <summary><c>ResolvedFileToPublish</c>, after <c>Publish</c>.</summary>
    public ITaskItem[] Files { get; set; } = [];

    /// <summary><c>FilesToBundle</c> of a single file; else none.</summary>
    public ITaskItem[] BundledFiles { get; set; } = [];

    /// <summary>What the .NET SDK may have made: the file, with metadata <c>Kind</c> (a name of <see cref="OwnFileKind"/>) and <c>RelativePath</c>.</summary>
    public ITaskItem[] OwnFiles { get; set; } = [];

    /// <summary><c>Compile</c>, after the compilation.</summary>
    public ITaskItem[] Compile { get; set; } = [];

    /// <summary><c>EmbeddedResource</c>, after the compilation.</summary>
    public ITaskItem[] EmbeddedResource { get; set; } = [];

    /// <summary><c>AdditionalFiles</c>, after the compilation.</summary>
    public ITaskItem[] AdditionalFiles { get; set; } = [];

    /// <summary>Where the .NET SDK is: files below it are its settings for analyzers, and no sources.</summary>
    public string SdkDirectory { get; set; } = string.Empty;

    /// <summary><c>ProjectAssetsFile</c>.</summary>
    public string AssetsFile { get; set; } = string.Empty;

    /// <summary><c>TargetFramework</c>.</summary>
    public string TargetFramework { get; set; } = string.Empty;

    /// <summary><c>StaticWebAssetPublishManifestPath</c>, or empty.</summary>
    public string StaticWebAssetsManifest { get; set; } = string.Empty;

    /// <summary><c>IntermediateOutputPath</c>.</summary>
    public string IntermediateDirectory { get; set; } = string.Empty;

    /// <summary><c>SourceRoot</c> items with <c>MappedPath</c>.</summary>
    public ITaskItem[] SourceRoots { get; set; } = [];

    /// <summary>One item with <c>Part</c> <c>Evidence</c>: a <see cref="PlatformEvidence"/>.</summary>
    [Output]
    public ITaskItem[] Evidence { get; set; } = [];

    /// <inheritdoc/>
    protected override System.Threading.Tasks.Task RunAsync(CancellationToken cancellationToken)
    {
        var items = Files.Select(f => Item(f, isBundled: false)).Concat(BundledFiles.Select(f => Item(f, isBundled: true))).ToList();
        var sdk = SdkDirectory.Length > 0 ? Path.TrimEndingDirectorySeparator(Full(SdkDirectory)) + Path.DirectorySeparatorChar : null;
        var evidence = new PlatformEvidence
        {
            PublishDirectory = Full(PublishDirectory),
            Items = items,
            OwnFiles = [.. OwnFiles.Select(f => Own(f, items)).OfType<OwnFile>().DistinctBy(f => f.RelativePath, StringComparer.Ordinal)],
            Compiled =
            [
                .. ItemFiles.Of("Compile", Compile),
                .. ItemFiles.Of("AdditionalFiles", AdditionalFiles).Where(f => sdk is null || !f.Path.StartsWith(sdk, StringComparison.Ordinal)),
                .. ItemFiles.Of("EmbeddedResource", EmbeddedResource),
            ],
            AssetsFile = Full(AssetsFile),
            TargetFramework = TargetFramework,
            // A service without static files has the property too.
            StaticWebAssetsManifest = StaticWebAssetsManifest.Length > 0 && File.Exists(Full(StaticWebAssetsManifest)) ? Full(StaticWebAssetsManifest) : string.Empty,
            IntermediateDirectory = Full(IntermediateDirectory),
            SourceRoots = [.. SourceRoots.Select(r => KeyValuePair.Create(ItemFiles.FullPath(r), r.GetMetadata("MappedPath")))],
        };
        var item = ProjectDescription.ToItem("Evidence", evidence);
        item.SetMetadata("Part", "Evidence");
        Evidence = [item];
        return System.Threading.Tasks.Task.CompletedTask;
    }

    private static PublishItem Item(ITaskItem file, bool isBundled) => new()
    {
        SourcePath = ItemFiles.FullPath(file),
        RelativePath = RelativePath(file),
        PackageId = file.GetMetadata("NuGetPackageId"),
        PackageVersion = file.GetMetadata("NuGetPackageVersion"),
        PathInPackage = file.GetMetadata("PathInPackage"),
        ReferenceSourceTarget = file.GetMetadata("ReferenceSourceTarget"),
        SourceProject = file.GetMetadata("MSBuildSourceProjectFile"),
        ResolvedFrom = file.GetMetadata("ResolvedFrom"),
        License = file.GetMetadata("License"),
        DefinedIn = file.GetMetadata("DefiningProjectFullPath"),
        IsBundled = isBundled,
    };

    private static string RelativePath(ITaskItem file) => file.GetMetadata("RelativePath").Replace('\\', '/').TrimStart('/');

    /// <summary>The file of this kind, if it was published.</summary>
    private OwnFile? Own(ITaskItem file, IReadOnlyList<PublishItem> items)
    {
        var relativePath = RelativePath(file);
        if (relativePath.Length == 0 || file.ItemSpec.Length == 0)
        {
            return null;
        }

        var kind = Enum.Parse<OwnFileKind>(file.GetMetadata("Kind"));
        var expected = ItemFiles.FullPath(file);
        var obj = Path.TrimEndingDirectorySeparator(Full(IntermediateDirectory)) + Path.DirectorySeparatorChar;
        var published = Path.Combine(Full(PublishDirectory), relativePath);
        var listed = items.Where(i => i.RelativePath == relativePath).ToList();
        // The host inside a single file has the single file's name, and is not what lies there: that is made in the publish folder.
        if (listed.Count > 0 && !(expected == published && listed.TrueForAll(i => i.IsBundled)))
        {
            // Whoever put something else in its place has to explain it himself.
            return listed.Find(i => i.SourcePath == expected || i.SourcePath.StartsWith(obj, StringComparison.Ordinal)) is { } item ? new(kind, item.SourcePath, relativePath) : null;
        }

        // Written into the publish folder, or copied there, by a target that the list does not know.
        return !File.Exists(published) ? null : new(kind, File.Exists(expected) ? expected : published, relativePath);
    }

    private string Full(string path) => Path.GetFullPath(path.Replace('\\', Path.DirectorySeparatorChar), ProjectDirectory);
}
