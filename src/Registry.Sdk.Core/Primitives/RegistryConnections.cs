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
            var http = endpoint.IsLoopback ? _loopback : _http;
            if (!_authenticators.TryGetValue(repository.Host.Name, out var authenticator))
            {
                _authenticators.Add(repository.Host.Name, authenticator = new(endpoint, _credentials, http, _trace, Redactor) { TokenTimeout = TokenTimeout });
            }

            return new(endpoint, repository, authenticator, http, _trace) { AnswerTimeout = AnswerTimeout };
        }
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
        MaxConnectionsPerServer = 8,
        SslOptions = { RemoteCertificateValidationCallback = CertificateProblem.Validate },
    };
}
