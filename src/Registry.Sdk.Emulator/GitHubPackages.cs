namespace Registry.Sdk.Emulator;

/// <summary>A package as it is now.</summary>
internal sealed class PackageState : INamedState
{
    public int Id { get; set; }

    /// <summary><c>owner/name</c>, lower case.</summary>
    public string Name { get; set; } = "";

    public GitHubVisibility Visibility { get; set; }

    public string? Repository { get; set; }

    /// <summary>Whether the linked repository's workflows have its rights.</summary>
    public bool InheritsAccess { get; set; } = true;

    public Dictionary<string, GitHubPackageRight> RepositoryRights { get; set; } = [];

    public Dictionary<string, GitHubPackageRight> UserRights { get; set; } = [];

    public DateTimeOffset CreatedAt { get; set; }

    public DateTimeOffset UpdatedAt { get; set; }

    /// <summary>In order of creation.</summary>
    public List<string> Tags { get; set; } = [];

    /// <summary>In order of creation.</summary>
    public List<PackageVersion> Versions { get; set; } = [];

    public string Owner => Name[..Name.IndexOf('/', StringComparison.Ordinal)];

    public string ShortName => Name[(Name.IndexOf('/', StringComparison.Ordinal) + 1)..];
}

/// <summary>One manifest of a package.</summary>
internal sealed class PackageVersion
{
    public int Id { get; set; }

    public string Digest { get; set; } = "";

    public DateTimeOffset CreatedAt { get; set; }

    public DateTimeOffset UpdatedAt { get; set; }
}

/// <summary>The packages at GitHub: what was declared, pushed and clicked. Content that a seeder stored makes a private package.</summary>
internal sealed class GitHubPackages : NamedStates<PackageState>
{
    private readonly GitHubWorld _world;

    public GitHubPackages(RegistryStore store, GitHubWorld world, string stateDirectory)
        : base(store, Path.Combine(stateDirectory, "github-packages.json"), "package")
    {
        _world = world;
        foreach (var (name, declared) in world.Packages)
        {
            if (!States.ContainsKey(name.ToLowerInvariant()))
            {
                var package = Add(name.ToLowerInvariant());
                package.Visibility = declared.Visibility;
                package.Repository = declared.Repository;
                package.RepositoryRights = new Dictionary<string, GitHubPackageRight>(declared.RepositoryRights, StringComparer.Ordinal);
                package.UserRights = new Dictionary<string, GitHubPackageRight>(declared.UserRights, StringComparer.Ordinal);
            }
        }
    }

    public IReadOnlyList<PackageState> OfOwner(string owner)
    {
        lock (Gate)
        {
            return [.. States.Values.Where(package => Same(package.Owner, owner)).OrderBy(package => package.Id).Select(Copy)];
        }
    }

    /// <summary>Notes a stored manifest, and lets <paramref name="create"/> fill in the package if this makes it.</summary>
    public void Stored(string name, string digest, string? tag, Action<PackageState> create)
    {
        lock (Gate)
        {
            var now = DateTimeOffset.UtcNow;
            if (!States.TryGetValue(name, out var package))
            {
                package = Add(name);
                create(package);
            }

            Synchronize(package);
            package.UpdatedAt = now;
            foreach (var version in package.Versions.Where(version => version.Digest == digest))
            {
                version.UpdatedAt = now;
            }

            Save();
        }
    }

    /// <summary>The tags that name a manifest now, in order of creation.</summary>
    public IReadOnlyList<string> TagsOf(PackageState package, string digest) => [.. package.Tags.Where(tag => Store.ResolveTag(package.Name, tag) == digest)];

    public GitHubOwner? FindOwner(string login) =>
        _world.Owners.TryGetValue(login, out var owner) ? owner : _world.Secrets.Values.Any(secret => Same(secret.User, login)) ? GitHubOwner.User() : null;

    public static bool Same(string? one, string? other) => one is not null && string.Equals(one, other, StringComparison.OrdinalIgnoreCase);

    protected override PackageState? Current(string name)
    {
        if (!States.TryGetValue(name, out var package))
        {
            if (!name.Contains('/', StringComparison.Ordinal) || !Store.HasManifests(name))
            {
                return null;
            }

            package = Add(name);
        }

        Synchronize(package);
        return package;
    }

    private PackageState Add(string name)
    {
        var now = DateTimeOffset.UtcNow;
        return States[name] = new PackageState { Id = 1 + States.Values.Select(package => package.Id).DefaultIfEmpty().Max(), Name = name, CreatedAt = now, UpdatedAt = now };
    }

    // The store is the truth, and a seeder may have written to it; only the order of things is ours.
    private void Synchronize(PackageState package)
    {
        var tags = Store.ListTags(package.Name);
        package.Tags.RemoveAll(tag => !tags.Contains(tag, StringComparer.Ordinal));
        package.Tags.AddRange(tags.Except(package.Tags, StringComparer.Ordinal));
        var digests = Store.ListManifests(package.Name);
        package.Versions.RemoveAll(version => !digests.Contains(version.Digest, StringComparer.Ordinal));
        var now = DateTimeOffset.UtcNow;
        foreach (var digest in digests.Except(package.Versions.Select(version => version.Digest), StringComparer.Ordinal))
        {
            var last = States.Values.SelectMany(other => other.Versions).Select(version => version.Id).DefaultIfEmpty().Max();
            package.Versions.Add(new PackageVersion { Id = last + 1, Digest = digest, CreatedAt = now, UpdatedAt = now });
        }
    }
}
