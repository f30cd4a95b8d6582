namespace Registry.Sdk.Emulator;

/// <summary>A Docker Hub repository as it is now.</summary>
internal sealed class HubRepositoryState : INamedState
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

/// <summary>The repositories at Docker Hub, and who may do what with them. Content that a seeder stored makes a public one.</summary>
internal sealed class DockerHubRepositories : NamedStates<HubRepositoryState>
{
    private readonly DockerHubWorld _world;

    public DockerHubRepositories(RegistryStore store, DockerHubWorld world, string stateDirectory)
        : base(store, Path.Combine(stateDirectory, "docker-hub-repositories.json"), "repository")
    {
        _world = world;
        foreach (var (name, declared) in world.Repositories)
        {
            if (!States.ContainsKey(name))
            {
                Add(name, declared.IsPrivate).ImmutableTags = [.. declared.ImmutableTags];
            }
        }
    }

    public IReadOnlyList<HubRepositoryState> OfNamespace(string name)
    {
        lock (Gate)
        {
            return [.. States.Values.Where(repository => repository.Namespace == name).Select(Copy)];
        }
    }

    /// <summary>Makes a repository.</summary>
    public void Create(string name, bool isPrivate, string description = "", string fullDescription = "")
    {
        lock (Gate)
        {
            var repository = Add(name, isPrivate);
            repository.Description = description;
            repository.FullDescription = fullDescription;
            Save();
        }
    }

    /// <summary>Notes a stored manifest; the first one makes the repository, with the account's default visibility.</summary>
    public void Stored(string name)
    {
        lock (Gate)
        {
            var repository = States.TryGetValue(name, out var found) ? found : Add(name, FindNamespace(name.Split('/')[0])?.PrivateByDefault ?? false);
            repository.LastUpdated = DateTimeOffset.UtcNow;
            Save();
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

    protected override HubRepositoryState? Current(string name) =>
        States.TryGetValue(name, out var repository) ? repository
        : name.Contains('/', StringComparison.Ordinal) && Store.HasManifests(name) ? Add(name, isPrivate: false)
        : null;

    private HubRepositoryState Add(string name, bool isPrivate)
    {
        var now = DateTimeOffset.UtcNow;
        return States[name] = new HubRepositoryState { Name = name, IsPrivate = isPrivate, Registered = now, LastUpdated = now };
    }
}
