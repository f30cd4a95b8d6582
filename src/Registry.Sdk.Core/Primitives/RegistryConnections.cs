using System.Collections.Concurrent;
using System.Net.Http.Headers;

namespace Registry.Sdk.Core.Primitives;

/// <summary>The connections of one publish: one client per repository, one authenticator per registry, one handler for all.</summary>
public sealed class RegistryConnections : IDisposable
{
    private readonly EndpointMap _endpoints;
    private readonly ICredentialSource _credentials;
    private readonly Action<string> _trace;
    private readonly HttpMessageInvoker _http;

    // Loopback means this machine: a proxy from the environment would carry the request, and its secrets, elsewhere.
    private readonly HttpMessageInvoker _loopback;
    private readonly Dictionary<string, RegistryAuthenticator> _authenticators = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    // What the services' APIs said that does not change during a run.
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<string, Lazy<Task<ApiReading<GitHubOwner>>>>> _gitHubOwners = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, ConcurrentDictionary<string, AuthenticationHeaderValue>> _dockerHubLogins = new(StringComparer.Ordinal);

    /// <summary>Opens nothing yet.</summary>
    /// <param name="endpoints">Where registries answer.</param>
    /// <param name="credentials">What they may be shown.</param>
    /// <param name="trace">Receives one redacted line per request (method, address without query, status).</param>
    /// <param name="redactor">Keeps secrets out of what is said; shared by the connections of one publish. Null: one of its own.</param>
    /// <param name="patience">Waits for limits (429) before anybody hears of them; null: they are handed on.</param>
    public RegistryConnections(EndpointMap endpoints, ICredentialSource credentials, Action<string>? trace = null, Redactor? redactor = null, ThrottlePatience? patience = null)
    {
        _http = new(patience?.Before(Handler(useProxy: true)) ?? Handler(useProxy: true));
        _loopback = new(patience?.Before(Handler(useProxy: false)) ?? Handler(useProxy: false));
        _endpoints = endpoints;
        _credentials = credentials;
        Redactor = redactor ?? new();
        _trace = line => trace?.Invoke(PlainText.Of(Redactor.Finish(line)));
    }

    /// <summary>How long a registry may be silent.</summary>
    internal TimeSpan AnswerTimeout { get; init; } = TimeSpan.FromSeconds(100);

    /// <summary>How long a token server may be silent.</summary>
    internal TimeSpan TokenTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>How long a service's own API may be silent: what it says is asked for along the way, and mostly not needed.</summary>
    internal TimeSpan ApiTimeout { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>The process's environment: it names the API of a GitHub server that a job runs on.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The clock of evidence and of waiting.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>How failing registries are met: shared by the connections of one publish. Null: each failure is handed on at once.</summary>
    public RegistryResilience? Resilience { get; init; }

    /// <summary>Keeps the secrets that were used over these connections out of what is said.</summary>
    public Redactor Redactor { get; }

    /// <summary>Where a host answers.</summary>
    public RegistryEndpoint Endpoint(RegistryHost host) => _endpoints.Resolve(host);

    /// <inheritdoc cref="EndpointMap.Identity"/>
    public string Identity(ImagePlace place) => _endpoints.Identity(place);

    /// <summary>Whether what is sent there stays on this machine.</summary>
    public bool IsLocal(ImagePlace place) => place is not RepositoryReference repository || _endpoints.Resolve(repository.Host).IsLoopback;

    /// <summary>A client for one repository, wherever it is.</summary>
    public IImageRepository Open(ImagePlace place) => place switch
    {
        RepositoryReference repository => Open(repository),
        LayoutDirectory layout => new LayoutRepository(layout),
        _ => throw new ArgumentOutOfRangeException(nameof(place)),
    };

    /// <summary>A client for one repository of a registry.</summary>
    public RegistryClient Open(RepositoryReference repository)
    {
        ArgumentNullException.ThrowIfNull(repository);
        var endpoint = _endpoints.Resolve(repository.Host);
        lock (_lock)
        {
            var http = Http(endpoint.IsLoopback);
            if (!_authenticators.TryGetValue(repository.Host.Name, out var authenticator))
            {
                _authenticators.Add(repository.Host.Name, authenticator = new(endpoint, _credentials, http, _trace, Redactor) { TokenTimeout = TokenTimeout });
            }

            return new(endpoint, repository, authenticator, http, _trace) { AnswerTimeout = AnswerTimeout, Resilience = Resilience?.Of(endpoint) };
        }
    }

    /// <summary>What a repository's registry is shown, or null. Its secret is then known to <see cref="Redactor"/>.</summary>
    /// <exception cref="CredentialException">A source exists but can't be read.</exception>
    public async Task<Credential?> CredentialAsync(RepositoryReference repository, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(repository);
        return await CredentialAsync(_endpoints.Resolve(repository.Host), repository, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>GitHub's API for the owner of a package; null where the registry is none of GitHub's, or has no API to ask.</summary>
    /// <param name="repository">The package.</param>
    /// <param name="isTriedOnce">Failures are handed on, whatever <see cref="Resilience"/> says: who asks looks again anyway.</param>
    public IGitHubApi? GitHub(RepositoryReference repository, bool isTriedOnce = false)
    {
        ArgumentNullException.ThrowIfNull(repository);
        var endpoint = _endpoints.Resolve(repository.Host);
        return PackageServices.Of(endpoint) == PackageService.GitHub && PackageServices.Api(endpoint, Environment) is { } address
            ? new GitHubApi(Service(address, repository.Host, isTriedOnce), c => ApiCredentialAsync(endpoint, address, repository, c), _gitHubOwners.GetOrAdd(repository.Host.Name, static _ => new(StringComparer.OrdinalIgnoreCase)))
            : null;
    }

    /// <summary>Docker Hub's API; null where the registry is not Docker Hub, or has no API to ask.</summary>
    /// <param name="repository">The repository whose credential is shown.</param>
    /// <param name="isTriedOnce">Failures are handed on, whatever <see cref="Resilience"/> says: who asks looks again anyway.</param>
    public IDockerHubApi? DockerHub(RepositoryReference repository, bool isTriedOnce = false)
    {
        ArgumentNullException.ThrowIfNull(repository);
        var endpoint = _endpoints.Resolve(repository.Host);
        return PackageServices.Of(endpoint) == PackageService.DockerHub && PackageServices.Api(endpoint, Environment) is { } address
            ? new DockerHubApi(Service(address, repository.Host, isTriedOnce), c => ApiCredentialAsync(endpoint, address, repository, c), _dockerHubLogins.GetOrAdd(repository.Host.Name, static _ => new(StringComparer.Ordinal)))
            : null;
    }

    /// <summary>
    /// Does something with a client of its own, which knows no token of earlier requests: it goes the whole way that a newcomer goes.
    /// </summary>
    /// <param name="repository">The repository.</param>
    /// <param name="heard">Hears every request and its answer.</param>
    /// <param name="action">What is done.</param>
    /// <param name="isTriedOnce">Failures are handed on, whatever <see cref="Resilience"/> says.</param>
    internal async Task<T> AloneAsync<T>(RepositoryReference repository, Action<string, string> heard, Func<RegistryClient, Task<T>> action, bool isTriedOnce = false)
    {
        var endpoint = _endpoints.Resolve(repository.Host);
        var http = Http(endpoint.IsLoopback);
        void Told(string request, string answer) => heard(request, PlainText.Of(Redactor.Finish(answer)));
        using var authenticator = new RegistryAuthenticator(endpoint, _credentials, http, _trace, Redactor) { TokenTimeout = TokenTimeout, Heard = Told };
        return await action(new(endpoint, repository, authenticator, http, _trace) { AnswerTimeout = AnswerTimeout, Heard = Told, Resilience = isTriedOnce ? null : Resilience?.Of(endpoint) }).ConfigureAwait(false);
    }

    private ServiceApi Service(Uri address, RegistryHost host, bool isTriedOnce)
        => new(address, host, Http(RegistryHost.IsLoopbackName(address.Host)), Redactor, _trace, Time, ApiTimeout) { Resilience = isTriedOnce ? null : Resilience?.OfService(address) };

    private HttpMessageInvoker Http(bool isLoopback) => isLoopback ? _loopback : _http;

    /// <summary>
    /// The registry's secret, where it may be shown to the API. An item can put the API to another party than the registry: then that party gets what it
    /// would get if it were the registry, and no more.
    /// </summary>
    /// <exception cref="CredentialException">There is one, and it may not be shown; or a source can't be read.</exception>
    private async Task<Credential?> ApiCredentialAsync(RegistryEndpoint endpoint, Uri api, RepositoryReference repository, CancellationToken cancellationToken)
    {
        var original = endpoint with { IsMapped = false, Api = null, BaseAddress = EndpointMap.Empty.Resolve(endpoint.Host).BaseAddress };
        var isOriginal = !endpoint.IsMapped || (PackageServices.Api(original, Environment) is { } own && own.Scheme == api.Scheme && own.Authority == api.Authority);
        var shown = isOriginal ? original : endpoint with { BaseAddress = new(api.GetLeftPart(UriPartial.Authority)) };
        return await CredentialAsync(shown, repository, cancellationToken).ConfigureAwait(false) is not { } credential ? null
            : PackageServices.IsOwnApi(endpoint, Environment, credential) ? credential
            : throw new CredentialException($"that {api.GetLeftPart(UriPartial.Path)} is the API of {endpoint.Host} is not certain, and what {credential.Source} holds is not shown to it; if it is, add <RegistrySdkEndpoint Include=\"{endpoint.Host}\" Registry=\"{endpoint.BaseAddress.GetLeftPart(UriPartial.Authority)}\" Api=\"{api.GetLeftPart(UriPartial.Path)}\" />");
    }

    private async Task<Credential?> CredentialAsync(RegistryEndpoint endpoint, RepositoryReference repository, CancellationToken cancellationToken)
    {
        var credential = await _credentials.FindAsync(endpoint, repository, cancellationToken).ConfigureAwait(false);
        if (credential is not null)
        {
            Redactor.Learn(credential, repository);
        }

        return credential;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var authenticator in _authenticators.Values)
        {
            authenticator.Dispose();
        }

        _http.Dispose();
        _loopback.Dispose();
    }

    // Redirects are followed by hand: the automatic ones drop Authorization even on the same host and turn POST into GET (wire-facts 1.3).
    private static SocketsHttpHandler Handler(bool useProxy) => new()
    {
        AllowAutoRedirect = false,
        UseCookies = false,
        UseProxy = useProxy,
        ConnectTimeout = TimeSpan.FromSeconds(15),
        PooledConnectionLifetime = TimeSpan.FromMinutes(5),
        MaxConnectionsPerServer = HostResilience.MaxRequests,
        SslOptions = { RemoteCertificateValidationCallback = CertificateProblem.Validate },
    };
}
