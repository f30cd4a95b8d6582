using System.Text.Json;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>What kind of library a published file comes from: <c>type</c> in the dependency file. Ordered by rate of change.</summary>
internal enum LibraryType
{
    /// <summary><c>runtimepack</c>: the .NET runtime of a self-contained application.</summary>
    RuntimePack,

    /// <summary><c>package</c>.</summary>
    Package,

    /// <summary><c>reference</c>: an assembly referenced by its path.</summary>
    Reference,

    /// <summary><c>project</c>, but not the application's own.</summary>
    Project,

    /// <summary>The application's own project, or a type not known here.</summary>
    Application,
}

/// <summary>Where a published file comes from.</summary>
/// <param name="Library">The library's name.</param>
/// <param name="Type">Its type.</param>
/// <param name="Rid">For which RID it is, where a portable publish holds files for several (<c>runtimeTargets</c>); else null.</param>
internal sealed record PublishedAsset(string Library, LibraryType Type, string? Rid);

/// <summary>
/// What an application's <c>*.deps.json</c> says about the files of its publish folder. Source: dotnet/sdk,
/// documentation/specs/runtime-configuration-file.md; how the .NET SDK writes it, its DependencyContextBuilder.cs.
/// </summary>
internal sealed class DependencyFile
{
    /// <summary>Six thousand packages would have about this.</summary>
    private const int MaxBytes = 32 * 1024 * 1024;

    /// <summary>What MSBuild gives to who does not version.</summary>
    private const string DefaultVersion = "1.0.0";

    private DependencyFile(string path, Dictionary<string, PublishedAsset> assets, Dictionary<string, LibraryType> libraries, bool hasOnlyDefaultVersions)
        => (Path, Assets, Libraries, HasOnlyDefaultVersions) = (path, assets, libraries, hasOnlyDefaultVersions);

    /// <summary>Its own path in the publish folder.</summary>
    public string Path { get; }

    /// <summary>The files it lists, by path in the publish folder. They need not be there (trimmed, or bundled into one file).</summary>
    public IReadOnlyDictionary<string, PublishedAsset> Assets { get; }

    /// <summary>All libraries, by name, which is compared as NuGet does.</summary>
    public IReadOnlyDictionary<string, LibraryType> Libraries { get; }

    /// <summary>
    /// Whether no project in it has a version of its own. If one has, the next commit may give it another (MinVer, Nerdbank.GitVersioning), and the
    /// file changes with it.
    /// </summary>
    public bool HasOnlyDefaultVersions { get; }

    /// <summary>Reads the file of that name (<c>$(ProjectDepsFileName)</c>) from the bill; null if there is none the .NET SDK wrote.</summary>
    public static DependencyFile? Read(IReadOnlyList<BillFile> files, string path)
        => files.FirstOrDefault(f => f.Path == path) is { } file && BoundedFile.Read(file, MaxBytes) is { } json ? Parse(path, json) : null;

    /// <summary>Reads the file's content; null if it is not what the .NET SDK writes.</summary>
    public static DependencyFile? Parse(string path, byte[] json)
    {
        if (json.Length > MaxBytes)
        {
            return null;
        }

        try
        {
            using var document = StrictJson.Document(json);
            return Parse(path, document.RootElement);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }

    private static DependencyFile Parse(string path, JsonElement root)
    {
        var runtimeTarget = root.GetProperty("runtimeTarget");
        var name = (runtimeTarget.ValueKind == JsonValueKind.String ? runtimeTarget : runtimeTarget.GetProperty("name")).GetString() ?? throw new JsonException("no target");
        var described = root.GetProperty("libraries");
        const string Extension = ".deps.json";
        var applicationAssembly = (path.EndsWith(Extension, StringComparison.Ordinal) ? path[..^Extension.Length] : path) + ".dll";

        var assets = new Dictionary<string, PublishedAsset>(StringComparer.Ordinal);
        var libraries = new Dictionary<string, LibraryType>(StringComparer.OrdinalIgnoreCase);
        var hasOnlyDefaultVersions = true;
        foreach (var library in root.GetProperty("targets").GetProperty(name).EnumerateObject())
        {
            var (id, version) = library.Name.IndexOf('/', StringComparison.Ordinal) is >= 0 and var slash ? (library.Name[..slash], library.Name[(slash + 1)..]) : (library.Name, string.Empty);
            var files = Files(library.Value).ToList();
            var type = Type(described.TryGetProperty(library.Name, out var description) ? description.GetProperty("type").GetString() : null);
            if (type == LibraryType.Project)
            {
                hasOnlyDefaultVersions &= version == DefaultVersion && files.TrueForAll(f => HasDefaultVersions(f.Value));
                type = files.Exists(f => f.Path == applicationAssembly) ? LibraryType.Application : type;
            }

            libraries[id] = libraries.TryGetValue(id, out var other) && other > type ? other : type;
            foreach (var (published, rid, _) in files)
            {
                // Two that claim one path do not happen: the SDK settles conflicts. If they did, who changes more often would decide.
                if (!assets.TryGetValue(published, out var claimed) || claimed.Type < type)
                {
                    assets[published] = new(id, type, rid);
                }
            }
        }

        return new(path, assets, libraries, hasOnlyDefaultVersions);
    }

    private static LibraryType Type(string? type) => type switch
    {
        "runtimepack" => LibraryType.RuntimePack,
        "package" => LibraryType.Package,
        "reference" => LibraryType.Reference,
        "project" => LibraryType.Project,
        _ => LibraryType.Application,
    };

    /// <summary>The files of a library by their path in the publish folder.</summary>
    private static IEnumerable<(string Path, string? Rid, JsonElement Value)> Files(JsonElement library)
    {
        foreach (var group in (string[])["runtime", "native", "resources", "runtimeTargets"])
        {
            if (!library.TryGetProperty(group, out var files))
            {
                continue;
            }

            foreach (var file in files.EnumerateObject())
            {
                // localPath is what the host of .NET 10 reads first; SDK 10.0.401 does not write it.
                var path = Text(file.Value, "localPath") is { Length: > 0 } local ? local : group switch
                {
                    "runtimeTargets" => file.Name,
                    "resources" => $"{file.Value.GetProperty("locale").GetString()}/{FileName(file.Name)}",
                    _ => FileName(file.Name),
                };
                yield return (path.Replace('\\', '/'), group == "runtimeTargets" ? Text(file.Value, "rid") ?? string.Empty : null, file.Value);
            }
        }
    }

    private static bool HasDefaultVersions(JsonElement file)
        => (Text(file, "assemblyVersion") ?? DefaultVersion + ".0") == DefaultVersion + ".0" && (Text(file, "fileVersion") ?? DefaultVersion + ".0") == DefaultVersion + ".0";

    private static string FileName(string path) => path[(path.LastIndexOf('/') + 1)..];

    private static string? Text(JsonElement element, string name) => element.TryGetProperty(name, out var value) ? value.GetString() : null;
}
