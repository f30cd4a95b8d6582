using System.Text.Json;

namespace Registry.Sdk.Emulator;

/// <summary>A package as it is now.</summary>
internal sealed class PackageState
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

/// <summary>The packages at GitHub: what was declared, pushed and clicked. Thread-safe; what it gives out are copies.</summary>
internal sealed class GitHubPackages
{
    private readonly Lock _gate = new();
    private readonly RegistryStore _store;
    private readonly GitHubWorld _world;
    private readonly StateFile _file;
    private readonly Dictionary<string, PackageState> _packages;

    public GitHubPackages(RegistryStore store, GitHubWorld world, string stateDirectory)
    {
        _store = store;
        _world = world;
        _file = new StateFile(Path.Combine(stateDirectory, "github-packages.json"));
        _packages = _file.Load<List<PackageState>>().ToDictionary(package => package.Name, StringComparer.Ordinal);
        foreach (var (name, declared) in world.Packages)
        {
            if (!_packages.ContainsKey(name.ToLowerInvariant()))
            {
                var package = Add(name.ToLowerInvariant());
                package.Visibility = declared.Visibility;
                package.Repository = declared.Repository;
                package.RepositoryRights = new Dictionary<string, GitHubPackageRight>(declared.RepositoryRights, StringComparer.Ordinal);
                package.UserRights = new Dictionary<string, GitHubPackageRight>(declared.UserRights, StringComparer.Ordinal);
            }
        }
    }

    /// <summary>The package, or <see langword="null"/> if there is none. Content that a seeder stored makes a private package.</summary>
    public PackageState? Find(string name)
    {
        lock (_gate)
        {
            return Current(name) is { } package ? Copy(package) : null;
        }
    }

    public IReadOnlyList<PackageState> OfOwner(string owner)
    {
        lock (_gate)
        {
            return [.. _packages.Values.Where(package => Same(package.Owner, owner)).OrderBy(package => package.Id).Select(Copy)];
        }
    }

    /// <summary>Notes a stored manifest, and lets <paramref name="create"/> fill in the package if this makes it.</summary>
    public void Stored(string name, string digest, string? tag, Action<PackageState> create)
    {
        lock (_gate)
        {
            var now = DateTimeOffset.UtcNow;
            if (!_packages.TryGetValue(name, out var package))
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

            _file.Save(_packages.Values);
        }
    }

    /// <summary>Changes a package.</summary>
    /// <exception cref="InvalidOperationException">There is none of this name, or <paramref name="change"/> refuses.</exception>
    public void Change(string name, Action<PackageState> change)
    {
        lock (_gate)
        {
            change(Current(name) ?? throw new InvalidOperationException($"there is no package '{name}'"));
            _file.Save(_packages.Values);
        }
    }

    /// <summary>Deletes a package and all it holds; pushing again makes a new one.</summary>
    /// <exception cref="InvalidOperationException">There is none of this name.</exception>
    public void Delete(string name)
    {
        lock (_gate)
        {
            _ = Current(name) ?? throw new InvalidOperationException($"there is no package '{name}'");
            _store.RemoveRepository(name);
            _packages.Remove(name);
            _file.Save(_packages.Values);
        }
    }

    /// <summary>The tags that name a manifest now, in order of creation.</summary>
    public IReadOnlyList<string> TagsOf(PackageState package, string digest) => [.. package.Tags.Where(tag => _store.ResolveTag(package.Name, tag) == digest)];

    public GitHubOwner? FindOwner(string login) =>
        _world.Owners.TryGetValue(login, out var owner) ? owner : _world.Secrets.Values.Any(secret => Same(secret.User, login)) ? GitHubOwner.User() : null;

    public static bool Same(string? one, string? other) => one is not null && string.Equals(one, other, StringComparison.OrdinalIgnoreCase);

    private static PackageState Copy(PackageState package) => JsonSerializer.Deserialize<PackageState>(JsonSerializer.SerializeToUtf8Bytes(package))!;

    private PackageState Add(string name)
    {
        var now = DateTimeOffset.UtcNow;
        return _packages[name] = new PackageState { Id = 1 + _packages.Values.Select(package => package.Id).DefaultIfEmpty().Max(), Name = name, CreatedAt = now, UpdatedAt = now };
    }

    private PackageState? Current(string name)
    {
        if (!_packages.TryGetValue(name, out var package))
        {
            if (!name.Contains('/', StringComparison.Ordinal) || !_store.HasManifests(name))
            {
                return null;
            }

            package = Add(name);
        }

        Synchronize(package);
        return package;
    }

    // The store is the truth, and a seeder may have written to it; only the order of things is ours.
    private void Synchronize(PackageState package)
    {
        var tags = _store.ListTags(package.Name);
        package.Tags.RemoveAll(tag => !tags.Contains(tag, StringComparer.Ordinal));
        package.Tags.AddRange(tags.Except(package.Tags, StringComparer.Ordinal));
        var digests = _store.ListManifests(package.Name);
        package.Versions.RemoveAll(version => !digests.Contains(version.Digest, StringComparer.Ordinal));
        var now = DateTimeOffset.UtcNow;
        foreach (var digest in digests.Except(package.Versions.Select(version => version.Digest), StringComparer.Ordinal))
        {
            var last = _packages.Values.SelectMany(other => other.Versions).Select(version => version.Id).DefaultIfEmpty().Max();
            package.Versions.Add(new PackageVersion { Id = last + 1, Digest = digest, CreatedAt = now, UpdatedAt = now });
        }
    }
}
