namespace Registry.Sdk.Core.Editions;

/// <summary>What only other editions have, as far as they were evaluated and built: to be recognised in an assembly whose sources nobody can tell.</summary>
internal sealed class ForeignFacts
{
    /// <summary>Of resources that are shorter than this several are alike by chance.</summary>
    private const int MinResource = SourceText.MinCompared;

    /// <summary>Compares an edition with all others.</summary>
    public ForeignFacts(EditionsWorld world, EditionInput edition, LicensePolicy policy, RestrictedContent restricted)
    {
        var own = edition.Projects.Select(p => world.Files.Real(p.File)).ToHashSet(StringComparer.OrdinalIgnoreCase);
        var ownNames = Names(world, edition).ToHashSet(StringComparer.OrdinalIgnoreCase);
        foreach (var other in world.Input.Editions.Where(e => !ReferenceEquals(e, edition)))
        {
            foreach (var name in Names(world, other).Concat(other.Projects.SelectMany(p => p.Packages)).Where(n => !ownNames.Contains(n)))
            {
                ProjectsAndPackages.TryAdd(name, other.Name);
            }

            foreach (var project in other.Projects.Where(p => !own.Contains(world.Files.Real(p.File)) && IsRefused(p.File, other)))
            {
                Assemblies.TryAdd(project.AssemblyName.Length > 0 ? project.AssemblyName : Path.GetFileNameWithoutExtension(project.File), other.Name);
            }

            if (other.Platforms.Count == 0)
            {
                NotBuilt.Add(other.Name);
            }

            foreach (var assembly in world.Assemblies(other))
            {
                Take(assembly, other);
            }
        }

        // A name that only a removed item of this very edition has is of another one, too.
        foreach (var removed in edition.Projects.SelectMany(p => p.Removed).Where(r => r.Type is "PackageReference" or "ProjectReference"))
        {
            var name = removed.Type == "ProjectReference" ? Path.GetFileNameWithoutExtension(removed.Name) : removed.Name;
            if (!ownNames.Contains(name))
            {
                ProjectsAndPackages.TryAdd(name, string.Empty);
            }
        }

        foreach (var file in restricted.All.Where(f => f.Path.EndsWith(".cs", StringComparison.OrdinalIgnoreCase)))
        {
            foreach (var type in DeclaredTypes.In(world.Files.Bytes(file.Path)))
            {
                WrittenTypes.TryAdd(type, file);
            }
        }

        return;

        bool IsRefused(string project, EditionInput other) => world.Licenses.OfProject(project, other) is { Count: > 0 } licenses && licenses.Any(l => policy.Judge(l.License) == LicenseVerdict.Refused);

        void Take(BuiltAssembly assembly, EditionInput other)
        {
            var facts = assembly.Facts;
            var project = other.Projects.FirstOrDefault(p => assembly.Project.Length > 0 && string.Equals(world.Files.Real(p.File), world.Files.Real(assembly.Project), StringComparison.OrdinalIgnoreCase));
            if (project is not null && !own.Contains(world.Files.Real(project.File)))
            {
                if (IsRefused(project.File, other))
                {
                    Mvids.TryAdd(facts.Mvid, (facts.Name, other.Name));
                    TakeResources(facts, other, _ => true);
                    TakeTypes(facts, other, _ => true);
                }

                return;
            }

            // A project that this edition has too, or an assembly of nobody's: of another edition only as far as restricted sources are in it.
            var documents = facts.Pdb?.Documents.Select(d => restricted.WithHash(d.Algorithm, d.Hash) is not null || (Path.IsPathRooted(d.Name) && restricted.AtPath(d.Name) is not null)).ToList() ?? [];
            var inputs = project is null ? [] : project.Items.Concat(ReferenceEquals(project, other.Projects[0]) ? other.Platforms.SelectMany(p => p.Compiled) : [])
                .Where(i => i.Type is "Compile" or "EmbeddedResource" && restricted.AtPath(i.Path) is not null).ToList();
            if (!documents.Contains(item: true) && inputs.Count == 0)
            {
                return;
            }

            Mvids.TryAdd(facts.Mvid, (facts.Name, other.Name));
            var embedded = inputs.Where(i => i.Type == "EmbeddedResource").SelectMany(i => new[] { i.LogicalName, Path.GetFileNameWithoutExtension(i.Path) + ".resources", Path.GetFileName(i.Path) }).Where(n => n.Length > 0).ToList();
            TakeResources(facts, other, r => embedded.Exists(n => r == n || r.EndsWith("." + n, StringComparison.Ordinal)));
            if (facts.Pdb is { } pdb)
            {
                TakeTypes(facts, other, row => pdb.TypeDocuments.TryGetValue(row, out var of) && of.All(d => d >= 1 && d <= documents.Count && documents[d - 1]));
                return;
            }

            // DebugType none: then the restricted sources themselves say which types are theirs.
            var written = inputs.Where(i => i.Type == "Compile").SelectMany(i => DeclaredTypes.In(world.Files.Bytes(i.Path))).ToHashSet(StringComparer.Ordinal);
            TakeTypes(facts, other, row => written.Contains(facts.Types[row]));
        }

        void TakeResources(AssemblyFacts facts, EditionInput other, Func<string, bool> isForeign)
        {
            foreach (var resource in facts.Resources.Where(r => r.Size >= MinResource && isForeign(r.Name)))
            {
                Resources.TryAdd(resource.Digest.Hex, ($"{facts.Name}: {resource.Name}", other.Name));
            }
        }

        void TakeTypes(AssemblyFacts facts, EditionInput other, Func<int, bool> isForeign)
        {
            foreach (var (_, type) in facts.Types.Where(t => AssemblyFacts.IsWritten(t.Value) && isForeign(t.Key)))
            {
                Types.TryAdd(type, (facts.Name, other.Name));
            }
        }
    }

    /// <summary>Names of projects and packages that this edition does not have, with the edition that has them.</summary>
    public Dictionary<string, string> ProjectsAndPackages { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Simple names of assemblies of projects that this edition does not have and whose licence it refuses.</summary>
    public Dictionary<string, string> Assemblies { get; } = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Module version ids of what other editions compiled from restricted sources.</summary>
    public Dictionary<Guid, (string Assembly, string Edition)> Mvids { get; } = [];

    /// <summary>Types that other editions compiled from restricted sources.</summary>
    public Dictionary<string, (string Assembly, string Edition)> Types { get; } = new(StringComparer.Ordinal);

    /// <summary>Types by their source text; less exact, but there without a build too.</summary>
    public Dictionary<string, RestrictedFile> WrittenTypes { get; } = new(StringComparer.Ordinal);

    /// <summary>Embedded resources of theirs, by SHA-256.</summary>
    public Dictionary<string, (string Resource, string Edition)> Resources { get; } = new(StringComparer.Ordinal);

    /// <summary>Editions whose output could not be compared, because this publish does not build them.</summary>
    public List<string> NotBuilt { get; } = [];

    private static IEnumerable<string> Names(EditionsWorld world, EditionInput edition)
        => edition.Projects.SelectMany(p => new[] { p.AssemblyName, Path.GetFileNameWithoutExtension(p.File) })
            .Concat(edition.Platforms.Select(world.Graph).OfType<PackageGraph>().SelectMany(g => g.Projects.Concat(g.Packages.Select(p => p.Id))))
            .Where(n => n.Length > 0);
}
