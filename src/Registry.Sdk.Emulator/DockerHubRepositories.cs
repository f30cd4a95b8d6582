using System.Text.Json;

namespace Registry.Sdk.Emulator;

/// <summary>A Docker Hub repository as it is now.</summary>
internal sealed class HubRepositoryState
{
    /// <summary><c>namespace/name</c>.</summary>
    public string Name { get; set; } = "";

    public bool IsPrivate { get; set; }

    public string Description { get; set; } = "";

    public string FullDescription { get; set; } = "";

    public List<string> ImmutableTags { get; set; } = [];

    public long PullCount { get; set; }

    public DateTimeOffset Registered { get; set; }

    public DateTimeOffset LastUpdated { get; set; }

    public string Namespace => Name[..Name.IndexOf('/', StringComparison.Ordinal)];

    public string ShortName => Name[(Name.IndexOf('/', StringComparison.Ordinal) + 1)..];
}

/// <summary>The repositories at Docker Hub, and who may do what with them. Thread-safe; what it gives out are copies.</summary>
internal sealed class DockerHubRepositories
{
    private readonly Lock _gate = new();
    private readonly RegistryStore _store;
    private readonly DockerHubWorld _world;
    private readonly StateFile _file;
    private readonly Dictionary<string, HubRepositoryState> _repositories;

    public DockerHubRepositories(RegistryStore store, DockerHubWorld world, string stateDirectory)
    {
        _store = store;
        _world = world;
        _file = new StateFile(Path.Combine(stateDirectory, "docker-hub-repositories.json"));
        _repositories = _file.Load<List<HubRepositoryState>>().ToDictionary(repository => repository.Name, StringComparer.Ordinal);
        foreach (var (name, declared) in world.Repositories)
        {
            if (!_repositories.ContainsKey(name))
            {
                Add(name, declared.IsPrivate).ImmutableTags = [.. declared.ImmutableTags];
            }
        }
    }

    /// <summary>The repository, or <see langword="null"/> if there is none. Content that a seeder stored makes a public one.</summary>
    public HubRepositoryState? Find(string name)
    {
        lock (_gate)
        {
            return Current(name) is { } repository ? Copy(repository) : null;
        }
    }

    public IReadOnlyList<HubRepositoryState> OfNamespace(string name)
    {
        lock (_gate)
        {
            return [.. _repositories.Values.Where(repository => repository.Namespace == name).Select(Copy)];
        }
    }

    /// <summary>Makes a repository.</summary>
    public void Create(string name, bool isPrivate, string description = "", string fullDescription = "")
    {
        lock (_gate)
        {
            var repository = Add(name, isPrivate);
            repository.Description = description;
            repository.FullDescription = fullDescription;
            _file.Save(_repositories.Values);
        }
    }

    /// <summary>Notes a stored manifest; the first one makes the repository, with the account's default visibility.</summary>
    public void Stored(string name)
    {
        lock (_gate)
        {
            var repository = _repositories.TryGetValue(name, out var found) ? found : Add(name, FindNamespace(name.Split('/')[0])?.PrivateByDefault ?? false);
            repository.LastUpdated = DateTimeOffset.UtcNow;
            _file.Save(_repositories.Values);
        }
    }

    /// <summary>Changes a repository.</summary>
    /// <exception cref="InvalidOperationException">There is none of this name.</exception>
    public void Change(string name, Action<HubRepositoryState> change)
    {
        lock (_gate)
        {
            change(Current(name) ?? throw new InvalidOperationException($"there is no repository '{name}'"));
            _file.Save(_repositories.Values);
        }
    }

    /// <summary>Deletes a repository and all it holds.</summary>
    /// <exception cref="InvalidOperationException">There is none of this name.</exception>
    public void Delete(string name)
    {
        lock (_gate)
        {
            _ = Current(name) ?? throw new InvalidOperationException($"there is no repository '{name}'");
            _store.RemoveRepository(name);
            _repositories.Remove(name);
            _file.Save(_repositories.Values);
        }
    }

    public DockerHubNamespace? FindNamespace(string name) =>
        _world.Namespaces.TryGetValue(name, out var found) ? found : _world.Secrets.Values.FirstOrDefault(secret => secret.User == name) is { } secret
            ? new DockerHubNamespace { IsOrganization = secret.Kind == DockerHubSecretKind.OrganizationToken }
            : null;

    /// <summary>The secret of this value that this user may log in with, under its name.</summary>
    public (string Name, DockerHubSecret Secret)? LogIn(string user, string value)
    {
        foreach (var (name, secret) in _world.Secrets)
        {
            if (secret.Value == value && secret.User == user && secret.Kind != DockerHubSecretKind.IdentityToken && IsGood(secret))
            {
                return (name, secret);
            }
        }

        return null;
    }

    public bool IsGood(DockerHubSecret secret) =>
        !secret.Expired && !(secret.Kind == DockerHubSecretKind.Password && FindNamespace(secret.User) is { TwoFactor: true });

    /// <summary>Whether the repository exists and the caller may pull from it.</summary>
    public bool CanRead(DockerHubSecret? secret, string name) => Find(name) is { } repository
        && (!repository.IsPrivate || (secret?.Permission >= DockerHubRight.Read && RoleOf(secret, repository.Namespace) is not null));

    /// <summary>Whether the caller may push, which may make the repository.</summary>
    public bool CanPush(DockerHubSecret? secret, string name)
    {
        var parts = name.Split('/');
        if (secret is null || secret.Permission < DockerHubRight.ReadWrite || parts.Length != 2 || RoleOf(secret, parts[0]) is not { } role)
        {
            return false;
        }

        return Find(name) is not null ? role >= DockerHubRole.Write : role == DockerHubRole.Create && !(FindNamespace(parts[0])!.PrivateByDefault && IsPrivateQuotaUsed(parts[0]));
    }

    public DockerHubRole? RoleOf(DockerHubSecret secret, string name) =>
        secret.User == name ? DockerHubRole.Create
        : FindNamespace(name)?.Members.TryGetValue(secret.User, out var role) == true ? role
        : null;

    public bool IsPrivateQuotaUsed(string name) =>
        FindNamespace(name)?.PrivateRepositoryLimit is { } limit && OfNamespace(name).Count(repository => repository.IsPrivate) >= limit;

    private static HubRepositoryState Copy(HubRepositoryState repository) => JsonSerializer.Deserialize<HubRepositoryState>(JsonSerializer.SerializeToUtf8Bytes(repository))!;

    private HubRepositoryState Add(string name, bool isPrivate)
    {
        var now = DateTimeOffset.UtcNow;
        return _repositories[name] = new HubRepositoryState { Name = name, IsPrivate = isPrivate, Registered = now, LastUpdated = now };
    }

    private HubRepositoryState? Current(string name) =>
        _repositories.TryGetValue(name, out var repository) ? repository
        : name.Contains('/', StringComparison.Ordinal) && _store.HasManifests(name) ? Add(name, isPrivate: false)
        : null;
}
