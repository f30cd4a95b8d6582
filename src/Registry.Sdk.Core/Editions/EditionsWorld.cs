using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Editions;

/// <summary>An assembly that first-party sources were compiled to.</summary>
/// <param name="Path">Absolute path.</param>
/// <param name="Project">The project file it is of, as far as that is known; else empty.</param>
/// <param name="Facts">What it says about itself.</param>
internal sealed record BuiltAssembly(string Path, string Project, AssemblyFacts Facts);

/// <summary>What all editions together are made of, looked at once.</summary>
internal sealed class EditionsWorld
{
    private readonly Dictionary<PlatformEvidence, PackageGraph?> _graphs = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<EditionInput, IReadOnlyList<BuiltAssembly>> _assemblies = new(ReferenceEqualityComparer.Instance);
    private readonly Dictionary<string, AssemblyFacts?> _facts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, StatedLicense> _licenses = new(StringComparer.Ordinal);

    /// <summary>Looks.</summary>
    public EditionsWorld(EditionsInput input, IReadOnlyDictionary<PlatformEvidence, Bill> bills, SourceFiles files, List<Diagnostic> diagnostics)
    {
        (Input, Bills, Files) = (input, bills, files);
        foreach (var platform in input.Editions.SelectMany(e => e.Platforms))
        {
            _graphs[platform] = PackageGraph.Read(platform.AssetsFile, platform.TargetFramework, platform.RuntimeIdentifier);
        }

        Licenses = new(input, _graphs.Values.OfType<PackageGraph>().SelectMany(g => g.Folders), files, diagnostics);
        Root = FindRoot();
    }

    /// <summary>The stage's input.</summary>
    public EditionsInput Input { get; }

    /// <summary>What the publish folders hold.</summary>
    public IReadOnlyDictionary<PlatformEvidence, Bill> Bills { get; }

    /// <summary>Files on disk.</summary>
    public SourceFiles Files { get; }

    /// <summary>First-party files and their licences.</summary>
    public LicenseMap Licenses { get; }

    /// <summary>The folder that all projects lie in: paths in what is written are below it.</summary>
    public string Root { get; }

    /// <summary>The packages of a platform; null if its assets file can't be read.</summary>
    public PackageGraph? Graph(PlatformEvidence platform) => _graphs[platform];

    /// <summary>The licence that a package's folder states.</summary>
    public StatedLicense PackageLicense(string folder)
    {
        if (!_licenses.TryGetValue(folder, out var stated))
        {
            _licenses[folder] = stated = PackageLicenses.Read(folder);
        }

        return stated;
    }

    /// <summary>What an assembly says about itself; null if it is none, or can't be read.</summary>
    public AssemblyFacts? Assembly(string path, IEnumerable<string> pdbFolders)
    {
        if (_facts.TryGetValue(path, out var known))
        {
            return known;
        }

        try
        {
            return _facts[path] = new FileInfo(path) is { Exists: true, Length: > 0 } ? AssemblyFacts.Read(path, pdbFolders) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return _facts[path] = null;
        }
    }

    /// <summary>The first-party assemblies of an edition, as its own build says; none if it was not built.</summary>
    public IReadOnlyList<BuiltAssembly> Assemblies(EditionInput edition)
    {
        if (_assemblies.TryGetValue(edition, out var known))
        {
            return known;
        }

        var found = new List<BuiltAssembly>();
        foreach (var platform in edition.Platforms)
        {
            var own = platform.OwnFiles.Where(f => f.Kind is OwnFileKind.Assembly or OwnFileKind.Satellite).Select(f => (f.SourcePath, Project: edition.Projects.Count > 0 ? edition.Projects[0].File : string.Empty));
            var referenced = platform.Items.Where(i => i.PackageId.Length == 0 && (i.SourceProject.Length > 0 || i.ReferenceSourceTarget.Length > 0)).Select(i => (i.SourcePath, Project: i.SourceProject));
            foreach (var (path, project) in own.Concat(referenced).Distinct())
            {
                if (Assembly(path, [platform.IntermediateDirectory, platform.PublishDirectory]) is { } facts)
                {
                    found.Add(new(path, project, facts));
                }
            }
        }

        return _assemblies[edition] = found;
    }

    /// <summary>A path below <see cref="Root"/>, with <c>/</c>; of a file elsewhere its name alone: a machine's folders are nobody's business.</summary>
    public string Relative(string path)
    {
        var real = Files.Real(path);
        return (RealPath.IsInside(real, Root) ? Path.GetRelativePath(Root, real) : Path.GetFileName(real)).Replace('\\', '/');
    }

    private string FindRoot()
    {
        var folders = Input.Editions.SelectMany(e => e.Projects).Select(p => Path.GetDirectoryName(Files.Real(p.File))!).Distinct(StringComparer.Ordinal).ToList();
        if (folders.Count == 0)
        {
            return Path.GetPathRoot(Environment.CurrentDirectory)!; // nobody said what anything is made of
        }

        var root = folders[0];
        foreach (var folder in folders)
        {
            while (!RealPath.IsInside(folder, root) && Path.GetDirectoryName(root) is { } parent)
            {
                root = parent;
            }
        }

        // The repository, if it is known and holds them all.
        return Input.Editions.SelectMany(e => e.Platforms).SelectMany(p => p.SourceRoots)
            .Select(r => Path.TrimEndingDirectorySeparator(Files.Real(Path.TrimEndingDirectorySeparator(r.Key)))).FirstOrDefault(r => RealPath.IsInside(root, r)) ?? root;
    }
}
