namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// The credential sources in the design's order: RegistrySdkCredential items, the host's usual variables, the .NET SDK's DOTNET_CONTAINER_* pair,
/// docker and podman configuration with helpers (<see cref="CredentialFiles"/>), the ambient tokens of a GitHub or GitLab job.
/// </summary>
/// <remarks>
/// Every secret is read here, in C#, at the moment of use: it is never an MSBuild property. One store serves one publish: files are read and helpers
/// run once for it. A helper goes on, within its own time limit, when all who asked for it have given up, so that a short check and the patient request
/// after it share one run; <see cref="Dispose"/> ends it. Azure, Bitbucket, CircleCI and Jenkins give their jobs no registry credential; what their login steps write are docker's files.
/// </remarks>
public sealed class CredentialStore : ICredentialSource, IDisposable
{
    // Which pair was meant for what: pushing first, then both, then the legacy name. PULL_* names the base image's registry, which is not ours to guess.
    private static readonly (string User, string Password)[] SharedPairs =
    [
        ("DOTNET_CONTAINER_PUSH_REGISTRY_UNAME", "DOTNET_CONTAINER_PUSH_REGISTRY_PWORD"),
        ("DOTNET_CONTAINER_REGISTRY_UNAME", "DOTNET_CONTAINER_REGISTRY_PWORD"),
        ("SDK_CONTAINER_REGISTRY_UNAME", "SDK_CONTAINER_REGISTRY_PWORD"),
    ];

    private readonly Dictionary<string, CredentialItem> _items = new(StringComparer.Ordinal);
    private readonly IReadOnlyDictionary<string, string> _environment;
    private readonly string? _onlyDestinationHost;
    private readonly CredentialFiles _files;
    private readonly CancellationTokenSource _end = new();

    private CredentialStore(IReadOnlyDictionary<string, string> environment, string? onlyDestinationHost, TimeSpan helperTimeout)
    {
        // Windows has Path; what asks for PATH means it.
        _environment = OperatingSystem.IsWindows() ? new Dictionary<string, string>(environment, StringComparer.OrdinalIgnoreCase) : environment;
        _onlyDestinationHost = onlyDestinationHost;
        _files = new(_environment, new(_environment, helperTimeout, _end.Token), _end.Token);
    }

    /// <summary>Reads the items and looks at which shared variables apply.</summary>
    /// <param name="items">The <c>RegistrySdkCredential</c> items.</param>
    /// <param name="environment">The process's environment.</param>
    /// <param name="destinationHosts">The hosts of all destinations of this publish: the shared pair is used only if there is one.</param>
    /// <param name="diagnostics">Receives errors of items, and what is ignored.</param>
    /// <param name="helperTimeout">How long a helper may take; null: 15 seconds.</param>
    public static CredentialStore Create(
        IEnumerable<CredentialItem> items,
        IReadOnlyDictionary<string, string> environment,
        IReadOnlyCollection<RegistryHost> destinationHosts,
        ICollection<Diagnostic> diagnostics,
        TimeSpan? helperTimeout = null)
    {
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(environment);
        ArgumentNullException.ThrowIfNull(diagnostics);
        var hosts = destinationHosts.Select(h => h.Name).Distinct(StringComparer.Ordinal).ToList();
        var store = new CredentialStore(environment, hosts.Count == 1 ? hosts[0] : null, helperTimeout ?? CredentialHelper.DefaultTimeout);
        foreach (var item in items)
        {
            if (!RegistryHost.TryParse(item.Include, out var host))
            {
                diagnostics.Add(DiagnosticCodes.BadCredentialItem.Report($"RegistrySdkCredential '{item.Include}' is no registry host. Write Include=\"host[:port]\"."));
            }
            else if (item.PasswordVariable.Length == 0 && item.RealmHost.Length == 0)
            {
                diagnostics.Add(DiagnosticCodes.BadCredentialItem.Report(
                    $"RegistrySdkCredential '{item.Include}' has no PasswordVariable. Set it to the name of the environment variable that holds the secret."));
            }
            else if (store.Misused(item) is { } metadata)
            {
                diagnostics.Add(DiagnosticCodes.BadCredentialItem.Report(
                    $"RegistrySdkCredential '{item.Include}' has a {metadata} that is no name of an environment variable. Write the name alone: {metadata}=\"CR_PAT\", not \"$(CR_PAT)\". If it was the secret itself, it is now in the project file or the build log: revoke it."));
            }
            else if (!store._items.TryAdd(host.Name, item))
            {
                diagnostics.Add(DiagnosticCodes.BadCredentialItem.Report($"RegistrySdkCredential '{item.Include}' is there twice. Remove one."));
            }
        }

        if (hosts.Count > 1 && SharedPairs.Any(p => store.Variable(p.Password) is not null))
        {
            diagnostics.Add(DiagnosticCodes.SharedPairIgnored.Report(
                $"The variables DOTNET_CONTAINER_*REGISTRY_UNAME/_PWORD name no host and are ignored, because the destinations have {hosts.Count} ({string.Join(", ", hosts)}). Name them per host: <RegistrySdkCredential Include=\"{hosts[0]}\" UsernameVariable=\"…\" PasswordVariable=\"…\" />."));
        }

        if (store.Variable("DOTNET_CONTAINER_INSECURE_REGISTRIES") is not null)
        {
            diagnostics.Add(DiagnosticCodes.InsecureRegistriesIgnored.Report(
                "DOTNET_CONTAINER_INSECURE_REGISTRIES is set but not honoured: it would send credentials over plain http. Add <RegistrySdkEndpoint Include=\"host\" Registry=\"http://host\" Insecure=\"true\" /> to speak http anonymously."));
        }

        return store;
    }

    /// <summary>The end of the publish: the helpers that still run are killed before this returns, and nobody is answered any more.</summary>
    public void Dispose()
    {
        _end.Cancel();
        _end.Dispose();
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> TrustedRealmHosts(RegistryEndpoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);

        // The party that answers says whom it works with; the original host's item speaks for another party only where its credential goes there.
        var items = new List<CredentialItem>();
        if (_items.TryGetValue(endpoint.CredentialHost, out var own))
        {
            items.Add(own);
        }

        if (endpoint.CredentialHost != endpoint.Host.Name && _items.TryGetValue(endpoint.Host.Name, out var original) && original.PasswordVariable.Length > 0)
        {
            items.Add(original);
        }

        var hosts = items.SelectMany(i => i.RealmHost.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries));

        // A GitLab server issues the tokens of its own registry, which has a host of its own; in a job the server's is known.
        return GitLabRegistry() is { } registry && registry.Name == endpoint.CredentialHost && Variable("CI_SERVER_HOST") is { } server ? [.. hosts, server] : [.. hosts];
    }

    /// <inheritdoc/>
    public async Task<Credential?> FindAsync(RegistryEndpoint endpoint, RepositoryReference repository, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        ArgumentNullException.ThrowIfNull(repository);
        if (endpoint.IsInsecure)
        {
            return null;
        }

        var host = endpoint.Host.Name;
        if (FromItem(host, repository) is { } fromItem)
        {
            return fromItem;
        }

        // A re-mapped host that is not loopback is another party: it gets what is configured for itself, never the original host's secrets.
        // (An item that maps a host to itself only names its package API.)
        if (endpoint.IsMapped && !endpoint.IsLoopback && !(RegistryHost.TryParse(endpoint.BaseAddress.Authority, out var own) && own.Name == host))
        {
            return own is null ? null : FromItem(own.Name, repository) ?? await _files.FindAsync(own.Name, repository, cancellationToken).ConfigureAwait(false);
        }

        return FromUsualVariables(host, repository)
            ?? FromSharedPair(host)
            ?? await _files.FindAsync(host, repository, cancellationToken).ConfigureAwait(false)
            ?? FromGitHubJob(host, repository)
            ?? FromGitLabJob(host);
    }

    /// <summary>The metadata that holds something else than a variable's name, or null. Its value is never said: it may be the secret.</summary>
    private string? Misused(CredentialItem item)
    {
        return IsMisused(item.PasswordVariable) ? "PasswordVariable" : IsMisused(item.UsernameVariable) ? "UsernameVariable" : null;

        // A variable that is set is a name, whatever it looks like.
        bool IsMisused(string name) => name.Length > 0 && !_environment.ContainsKey(name) && SecretShapes.IsNoName(name);
    }

    /// <inheritdoc/>
    public string WhyNone(RegistryEndpoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        var host = endpoint.Host.Name;
        if (endpoint.IsInsecure)
        {
            return " It speaks plain http, to which no credential is sent.";
        }

        if (endpoint.IsMapped && !endpoint.IsLoopback && endpoint.CredentialHost != host)
        {
            return $" A RegistrySdkEndpoint item re-maps it: credentials are looked for under {endpoint.CredentialHost}.";
        }

        if (host == "docker.io" && (Variable("DOCKERHUB_USERNAME") is null) != (Variable("DOCKERHUB_TOKEN") is null))
        {
            return Variable("DOCKERHUB_TOKEN") is null ? " DOCKERHUB_USERNAME is set, and DOCKERHUB_TOKEN is empty or not set." : " DOCKERHUB_TOKEN is set, and DOCKERHUB_USERNAME is empty or not set.";
        }

        return host switch
        {
            "ghcr.io" when string.Equals(Variable("GITHUB_ACTIONS"), "true", StringComparison.OrdinalIgnoreCase) && Variable("GITHUB_TOKEN") is null
                => " In GitHub Actions give the step env: GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}, and the job permissions: packages: write.",
            "ghcr.io" => " Set CR_PAT to a classic personal access token with write:packages (https://github.com/settings/tokens/new?scopes=write:packages).",
            "docker.io" => " Set DOCKERHUB_USERNAME and DOCKERHUB_TOKEN.",
            _ => string.Empty,
        };
    }

    private Credential? FromItem(string host, RepositoryReference repository)
    {
        if (!_items.TryGetValue(host, out var item) || item.PasswordVariable.Length == 0)
        {
            return null;
        }

        var password = Required(item, item.PasswordVariable);
        var user = item.UsernameVariable.Length > 0 ? Required(item, item.UsernameVariable) : GitHubUser(repository);
        return new(user, new(password), $"RegistrySdkCredential '{item.Include}' (environment variable {item.PasswordVariable})");
    }

    // What is not written as variables are may be the secret itself, pasted or expanded by MSBuild, and is not repeated.
    private string Required(CredentialItem item, string name)
        => Variable(name) ?? throw new CredentialException(
            $"RegistrySdkCredential '{item.Include}' names {(name.All(c => char.IsAsciiLetterUpper(c) || char.IsAsciiDigit(c) || c == '_') ? $"the environment variable {name}" : $"in {(name == item.PasswordVariable ? "PasswordVariable" : "UsernameVariable")} an environment variable")}, which is {(_environment.ContainsKey(name) ? "empty (CI services leave a secret empty where a run may not have it)" : "not set")}. Set it, or name another.");

    private Credential? FromUsualVariables(string host, RepositoryReference repository) => host switch
    {
        "ghcr.io" when Variable("CR_PAT") is { } pat => new(GitHubUser(repository), new(pat), "environment variable CR_PAT"),
        "docker.io" when Variable("DOCKERHUB_USERNAME") is { } user && Variable("DOCKERHUB_TOKEN") is { } token
            => new(user, new(token), "environment variables DOCKERHUB_USERNAME and DOCKERHUB_TOKEN"),
        _ => null,
    };

    private Credential? FromSharedPair(string host)
    {
        if (host != _onlyDestinationHost)
        {
            return null;
        }

        foreach (var (userVariable, passwordVariable) in SharedPairs)
        {
            if (Variable(userVariable) is { } user && Variable(passwordVariable) is { } password)
            {
                return new(user, new(password), $"environment variables {userVariable} and {passwordVariable}");
            }
        }

        return null;
    }

    /// <summary>
    /// A token belongs to the server that issued it: github.com's to ghcr.io, in a job on another server (GITHUB_SERVER_URL) to that server's
    /// <c>containers.</c> host, and never one's to the other. A laptop has no GITHUB_SERVER_URL; its tokens are github.com's, as the gh command line reads them.
    /// </summary>
    private Credential? FromGitHubJob(string host, RepositoryReference repository)
    {
        if (host != GitHubRegistry())
        {
            return null;
        }

        foreach (var name in new[] { "GITHUB_TOKEN", "GH_TOKEN" })
        {
            if (Variable(name) is { } token)
            {
                return new(GitHubUser(repository), new(token), $"environment variable {name}");
            }
        }

        return null;
    }

    private string? GitHubRegistry()
    {
        if (Variable("GITHUB_SERVER_URL") is not { } address)
        {
            return "ghcr.io";
        }

        if (!Uri.TryCreate(address, UriKind.Absolute, out var server) || server.Host.Length == 0)
        {
            return null;
        }

        return server.Host == "github.com" ? "ghcr.io"
            : string.Equals(Variable("GITHUB_ACTIONS"), "true", StringComparison.OrdinalIgnoreCase) && RegistryHost.TryParse($"containers.{server.Authority}", out var containers) ? containers.Name
            : null;
    }

    /// <summary>
    /// What a GitLab job has for its own registry. First what GitLab (or the project's settings in its place) gives every job to push with; a deploy token
    /// that happens to be called gitlab-deploy-token, often only for pulling, does not push it aside. The deploy token and the bare job token are the
    /// server's own and go to nobody else's registry, whatever CI_REGISTRY was set to.
    /// </summary>
    private Credential? FromGitLabJob(string host)
    {
        if (GitLabRegistry() is not { } registry || registry.Name != host)
        {
            return null;
        }

        return Pair("CI_REGISTRY_USER", "CI_REGISTRY_PASSWORD")
            ?? (IsOfGitLabServer(registry) ? Pair("CI_DEPLOY_USER", "CI_DEPLOY_PASSWORD") ?? JobToken() : null);

        Credential? Pair(string userVariable, string passwordVariable)
            => Variable(userVariable) is { } user && Variable(passwordVariable) is { } password
                ? new(user, new(password), $"environment variables {userVariable} and {passwordVariable} (GitLab job)")
                : null;

        Credential? JobToken() => Variable("CI_JOB_TOKEN") is { } token ? new("gitlab-ci-token", new(token), "environment variable CI_JOB_TOKEN (GitLab job)") : null;
    }

    /// <summary>The registry of the GitLab server whose job this is; null elsewhere.</summary>
    private RegistryHost? GitLabRegistry()
        => string.Equals(Variable("GITLAB_CI"), "true", StringComparison.OrdinalIgnoreCase) && RegistryHost.TryParse(Variable("CI_REGISTRY")?.Trim() ?? string.Empty, out var registry) ? registry : null;

    private bool IsOfGitLabServer(RegistryHost registry)
        => Variable("CI_SERVER_HOST") is { } server
            && (string.Equals(registry.HostOnly, server, StringComparison.OrdinalIgnoreCase) || registry.HostOnly.EndsWith("." + server, StringComparison.OrdinalIgnoreCase));

    private string GitHubUser(RepositoryReference repository) => Variable("GITHUB_ACTOR") ?? repository.Owner;

    /// <summary>A variable's value without line breaks at its end, which CI systems and files add and no name or secret ends in; null where nothing is left.</summary>
    private string? Variable(string name)
        => _environment.TryGetValue(name, out var value) && !string.IsNullOrWhiteSpace(value) ? SecretShapes.WithoutLineEnd(value) : null;
}
