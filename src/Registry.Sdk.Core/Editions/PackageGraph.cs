using System.Text.Json;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Editions;

/// <summary>One package of the graph that NuGet resolved.</summary>
/// <param name="Id">Its id.</param>
/// <param name="Version">Its version.</param>
/// <param name="Folder">Absolute path of its extracted files; empty if no package folder holds it.</param>
/// <param name="Ships">Whether it has files that go to the publish folder: code, native libraries, satellites, content.</param>
internal sealed record GraphPackage(string Id, string Version, string Folder, bool Ships);

/// <summary>What restore decided for one edition and platform. Source: <c>project.assets.json</c>, version 3, as NuGet 7 writes it.</summary>
internal sealed record PackageGraph
{
    private const int MaxSize = 256 * 1024 * 1024;
    private static readonly string[] Shipped = ["runtime", "native", "resource", "runtimeTargets", "contentFiles"];

    /// <summary>Its packages.</summary>
    public required IReadOnlyList<GraphPackage> Packages { get; init; }

    /// <summary>Names of the projects in it.</summary>
    public required IReadOnlySet<string> Projects { get; init; }

    /// <summary>Absolute paths of the folders packages are extracted to, without a separator at the end.</summary>
    public required IReadOnlyList<string> Folders { get; init; }

    /// <summary>The packs that are no dependencies (runtime, app host and AOT compiler packs), by id with their versions.</summary>
    public required IReadOnlyDictionary<string, string> Packs { get; init; }

    /// <summary>Reads it; null if it can't be read.</summary>
    public static PackageGraph? Read(string path, string framework, string rid)
    {
        try
        {
            if (path.Length == 0 || new FileInfo(path) is not { Exists: true, Length: < MaxSize })
            {
                return null;
            }

            using var document = StrictJson.Document(File.ReadAllBytes(path));
            var root = document.RootElement;
            List<string> folders = [.. root.GetProperty("packageFolders").EnumerateObject().Select(f => Path.TrimEndingDirectorySeparator(Path.GetFullPath(f.Name)))];
            var libraries = root.GetProperty("libraries");
            var packages = new List<GraphPackage>();
            var projects = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
            foreach (var library in Target(root.GetProperty("targets"), framework, rid).EnumerateObject())
            {
                var slash = library.Name.IndexOf('/', StringComparison.Ordinal);
                var (id, version) = slash < 0 ? (library.Name, string.Empty) : (library.Name[..slash], library.Name[(slash + 1)..]);
                if (StrictJson.Text(library.Value, "type") == "project")
                {
                    projects.Add(id);
                    continue;
                }

                var relative = libraries.TryGetProperty(library.Name, out var described) ? StrictJson.Text(described, "path") ?? string.Empty : string.Empty;
                packages.Add(new(
                    id, version,
                    relative.Length == 0 ? string.Empty : folders.Select(f => Path.GetFullPath(Path.Combine(f, relative))).FirstOrDefault(Directory.Exists) ?? string.Empty,
                    Shipped.Any(group => library.Value.TryGetProperty(group, out var files) && files.EnumerateObject().Any(f => !f.Name.EndsWith("/_._", StringComparison.Ordinal)))));
            }

            return new()
            {
                Packages = packages,
                Projects = projects,
                Folders = folders,
                Packs = root.GetProperty("project").GetProperty("frameworks").EnumerateObject()
                    .Where(f => f.Value.TryGetProperty("downloadDependencies", out _))
                    .SelectMany(f => f.Value.GetProperty("downloadDependencies").EnumerateArray())
                    .Select(d => (Name: StrictJson.Text(d, "name") ?? string.Empty, Version: (StrictJson.Text(d, "version") ?? string.Empty).Trim('[', ']').Split(',')[0]))
                    .DistinctBy(d => d.Name, StringComparer.OrdinalIgnoreCase).ToDictionary(d => d.Name, d => d.Version, StringComparer.OrdinalIgnoreCase),
            };
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or IOException or UnauthorizedAccessException or ArgumentException)
        {
            return null;
        }
    }

    /// <summary>The package of that id; null if the graph has none.</summary>
    public GraphPackage? Find(string id) => Packages.FirstOrDefault(p => string.Equals(p.Id, id, StringComparison.OrdinalIgnoreCase));

    /// <summary>Where the pack of that id is extracted to; empty if it is none of <see cref="Packs"/>, or no package folder holds it.</summary>
    public string PackFolder(string id) => Packs.TryGetValue(id, out var version)
        ? Folders.Select(f => Path.Combine(f, id.ToLowerInvariant(), version)).FirstOrDefault(Directory.Exists) ?? string.Empty
        : string.Empty;

    /// <summary>Id, version and path of a file that lies in a package folder, whether or not the graph has the package.</summary>
    public (string Id, string Version, string Root)? Locate(string path)
    {
        foreach (var folder in Folders.Where(f => path.StartsWith(f + Path.DirectorySeparatorChar, StringComparison.Ordinal)))
        {
            var parts = path[(folder.Length + 1)..].Split(Path.DirectorySeparatorChar);
            if (parts.Length > 2)
            {
                return (parts[0], parts[1], Path.Combine(folder, parts[0], parts[1]));
            }
        }

        return null;
    }

    private static JsonElement Target(JsonElement targets, string framework, string rid)
    {
        const string Core = ".NETCoreApp,Version=v";
        var alias = framework.StartsWith(Core, StringComparison.OrdinalIgnoreCase) ? "net" + framework[Core.Length..] : framework;
        return targets.EnumerateObject()
            .OrderByDescending(t => Names(t.Name.Split('/')[0], framework) || Names(t.Name.Split('/')[0], alias))
            .ThenByDescending(t => rid.Length > 0 && t.Name.EndsWith("/" + rid, StringComparison.Ordinal))
            .ThenBy(t => t.Name.Length).First().Value;

        static bool Names(string a, string b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);
    }
}
