using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;
using System.Text;
using System.Text.Json;

namespace Registry.Sdk.Core.Primitives;

/// <summary>A manifest as a registry serves it.</summary>
/// <param name="Descriptor">Media type, digest of the exact bytes, size.</param>
/// <param name="Content">The exact bytes; never re-serialised.</param>
public sealed record ManifestContent(Descriptor Descriptor, byte[] Content);

/// <summary>The connections of one publish: one client per repository, one authenticator per registry, one handler for all.</summary>
public sealed class RegistryConnections : IDisposable
{
    private readonly EndpointMap _endpoints;
    private readonly ICredentialSource _credentials;
    private readonly Action<string> _trace;
    private readonly HttpMessageInvoker _http = new(Handler(useProxy: true));

    // Loopback means this machine: a proxy from the environment would carry the request, and its secrets, elsewhere.
    private readonly HttpMessageInvoker _loopback = new(Handler(useProxy: false));
    private readonly Dictionary<string, RegistryAuthenticator> _authenticators = new(StringComparer.Ordinal);
    private readonly Lock _lock = new();

    /// <summary>Opens nothing yet.</summary>
    /// <param name="endpoints">Where registries answer.</param>
    /// <param name="credentials">What they may be shown.</param>
    /// <param name="trace">Receives one redacted line per request (method, address without query, status).</param>
    public RegistryConnections(EndpointMap endpoints, ICredentialSource credentials, Action<string>? trace = null)
    {
        _endpoints = endpoints;
        _credentials = credentials;
        _trace = trace ?? (static _ => { });
    }

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
                _authenticators.Add(repository.Host.Name, authenticator = new(endpoint, _credentials, http));
            }

            return new(endpoint, repository, authenticator, http, _trace);
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
    };
}

/// <summary>One repository over the OCI distribution protocol 1.1. Source: distribution spec; wire-facts 1.</summary>
/// <remarks>No retries here: they are a policy of Transfer. Everything read is bounded and checked against its digest.</remarks>
public sealed class RegistryClient : IImageRepository
{
    /// <summary>Registries should take manifests up to 4 MB (distribution spec, «Pushing manifests»); a larger one is refused, configs too.</summary>
    public const int MaxManifestBytes = 8 << 20;

    private const int MaxRedirects = 5;
    private static readonly TimeSpan AnswerTimeout = TimeSpan.FromSeconds(100);

    private readonly RegistryEndpoint _endpoint;
    private readonly RegistryAuthenticator _authenticator;
    private readonly HttpMessageInvoker _http;
    private readonly Action<string> _trace;

    internal RegistryClient(RegistryEndpoint endpoint, RepositoryReference repository, RegistryAuthenticator authenticator, HttpMessageInvoker http, Action<string> trace)
    {
        _endpoint = endpoint;
        Repository = repository;
        _authenticator = authenticator;
        _http = http;
        _trace = trace;
    }

    /// <summary>The repository.</summary>
    public RepositoryReference Repository { get; }

    /// <inheritdoc/>
    ImagePlace IImageRepository.Place => Repository;

    /// <summary>Where the credential in use came from; null while anonymous.</summary>
    public string? CredentialSource => _authenticator.CredentialSource;

    /// <summary>
    /// Asks <c>GET /v2/</c> and finishes authentication. The scope it ends with is push and pull for this repository.
    /// </summary>
    /// <exception cref="RegistryException">Unreachable, no registry, or credentials missing or refused.</exception>
    public async Task PingAsync(CancellationToken cancellationToken)
    {
        using var response = await SendAsync(HttpMethod.Get, Address("/v2/"), new(Repository.Name, Push: true), null, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw await UnexpectedAsync(response, "GET /v2/", cancellationToken).ConfigureAwait(false);
        }

        if (IsHtml(response))
        {
            throw NotARegistry("GET /v2/", "a web page (HTML)");
        }
    }

    /// <summary>The manifest under a tag or digest; null if there is none.</summary>
    /// <exception cref="RegistryException">WrongContent if the bytes do not have the digest asked for or announced.</exception>
    public async Task<ManifestContent?> GetManifestAsync(string reference, CancellationToken cancellationToken)
    {
        var what = $"GET manifest {reference}";
        using var response = await SendAsync(HttpMethod.Get, ManifestAddress(reference), new(Repository.Name, Push: false), null, cancellationToken, acceptManifests: true).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            EnsureRegistryNotFound(response, what);
            return null;
        }

        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw await UnexpectedAsync(response, what, cancellationToken).ConfigureAwait(false);
        }

        if (IsHtml(response))
        {
            throw NotARegistry(what, "a web page (HTML)");
        }

        var content = await ReadBoundedAsync(response, MaxManifestBytes, _endpoint.Host, cancellationToken).ConfigureAwait(false);
        if (content.Length == 0)
        {
            throw NotARegistry(what, "an empty body");
        }

        var digest = Digest.Of(content);
        var announced = response.Headers.TryGetValues("Docker-Content-Digest", out var values) ? values.FirstOrDefault() : null;
        var expected = Digest.TryParse(reference, out var byDigest) ? byDigest : Digest.TryParse(announced, out var byHeader) ? byHeader : null;
        if (expected is not null && expected != digest)
        {
            throw new RegistryException(RegistryFailure.WrongContent, _endpoint.Host, $"{what} at {Repository} should have been {expected} but is {digest}.");
        }

        var mediaType = response.Content.Headers.ContentType?.MediaType ?? string.Empty;
        if (!MediaTypes.IsIndex(mediaType) && !MediaTypes.IsManifest(mediaType))
        {
            // Some servers say application/json; the manifest itself knows better. Anything else is not an image.
            mediaType = MediaTypes.OfManifest(content) ?? throw NotARegistry(what, $"content of type '{Clean(mediaType)}', which is no image manifest");
        }

        return new(new(mediaType, digest, content.Length), content);
    }

    /// <summary>The digest under a tag or digest; null if there is none. HEAD where the registry names the digest, else GET.</summary>
    public async Task<Digest?> FindManifestAsync(string reference, CancellationToken cancellationToken)
    {
        var what = $"HEAD manifest {reference}";
        using var response = await SendAsync(HttpMethod.Head, ManifestAddress(reference), new(Repository.Name, Push: false), null, cancellationToken, acceptManifests: true).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            EnsureRegistryNotFound(response, what);
            return null;
        }

        if (response.StatusCode == HttpStatusCode.OK && !IsHtml(response)
            && response.Headers.TryGetValues("Docker-Content-Digest", out var values) && Digest.TryParse(values.FirstOrDefault(), out var digest))
        {
            if (Digest.TryParse(reference, out var asked) && asked != digest)
            {
                throw new RegistryException(RegistryFailure.WrongContent, _endpoint.Host, $"{what} at {Repository} is answered with {digest}.");
            }

            return digest;
        }

        // No digest, or an error without a body to explain it: GET tells.
        return (await GetManifestAsync(reference, cancellationToken).ConfigureAwait(false))?.Descriptor.Digest;
    }

    /// <summary>Whether the repository holds a blob. A blob of another size is not the one that was meant.</summary>
    public async Task<bool> HasBlobAsync(Descriptor blob, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(blob);
        var what = $"HEAD blob {blob.Digest}";
        using var response = await SendAsync(HttpMethod.Head, BlobAddress(blob.Digest), new(Repository.Name, Push: false), null, cancellationToken).ConfigureAwait(false);
        // Blob reads may be answered by a redirect to a CDN, for HEAD too; SendAsync has followed it.
        return response.StatusCode switch
        {
            HttpStatusCode.NotFound => false,
            HttpStatusCode.OK when IsHtml(response) => throw NotARegistry(what, "a web page (HTML)"),
            HttpStatusCode.OK => response.Content.Headers.ContentLength is not { } length || length == blob.Size
                ? true
                : throw new RegistryException(RegistryFailure.WrongContent, _endpoint.Host, $"{what} at {Repository} has {length} bytes instead of {blob.Size}."),
            _ => throw await UnexpectedAsync(response, what, cancellationToken).ConfigureAwait(false),
        };
    }

    /// <summary>Reads a small blob (an image config) into memory, checked against its digest; null if there is none.</summary>
    public async Task<byte[]?> GetSmallBlobAsync(Descriptor blob, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(blob);
        var what = $"GET blob {blob.Digest}";
        if (blob.Size > MaxManifestBytes)
        {
            throw new RegistryException(RegistryFailure.WrongContent, _endpoint.Host, $"{what} at {Repository} claims {blob.Size} bytes; an image config has at most {MaxManifestBytes}.");
        }

        using var response = await SendAsync(HttpMethod.Get, BlobAddress(blob.Digest), new(Repository.Name, Push: false), null, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }

        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw await UnexpectedAsync(response, what, cancellationToken).ConfigureAwait(false);
        }

        var content = await ReadBoundedAsync(response, (int)blob.Size, _endpoint.Host, cancellationToken).ConfigureAwait(false);
        var digest = Digest.Of(content);
        return digest == blob.Digest ? content : throw new RegistryException(RegistryFailure.WrongContent, _endpoint.Host, $"{what} at {Repository} is {digest} ({content.Length} bytes).");
    }

    /// <summary>Streams a blob into <paramref name="target"/> and checks size and digest; false if there is none. On failure the target holds rubbish.</summary>
    public async Task<bool> CopyBlobToAsync(Descriptor blob, Stream target, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(blob);
        ArgumentNullException.ThrowIfNull(target);
        var what = $"GET blob {blob.Digest}";
        using var response = await SendAsync(HttpMethod.Get, BlobAddress(blob.Digest), new(Repository.Name, Push: false), null, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return false;
        }

        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw await UnexpectedAsync(response, what, cancellationToken).ConfigureAwait(false);
        }

        using var hash = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);
        using var silence = new SilenceGuard(AnswerTimeout, cancellationToken);
        long total = 0;
        var body = await ReadAsync<Stream>(() => new(response.Content.ReadAsStreamAsync(silence.Token))).ConfigureAwait(false);
        await using (body.ConfigureAwait(false))
        {
            var buffer = new byte[128 * 1024];
            int read;
            while (total <= blob.Size && (read = await ReadAsync(() => body.ReadAsync(buffer, silence.Token)).ConfigureAwait(false)) > 0)
            {
                total += read;
                hash.AppendData(buffer, 0, read);
                // Not the registry's failure: the disk may be full.
                await target.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
                silence.Heard();
            }
        }

        var digest = Digest.FromHash(hash.GetHashAndReset());
        return total == blob.Size && digest == blob.Digest
            ? true
            : throw new RegistryException(RegistryFailure.WrongContent, _endpoint.Host, $"{what} at {Repository} is {(total > blob.Size ? "larger than" : $"{total} bytes, digest {digest}, instead of")} {blob.Size} bytes.");

        async ValueTask<T> ReadAsync<T>(Func<ValueTask<T>> read)
        {
            try
            {
                return await read().ConfigureAwait(false);
            }
            catch (Exception e) when (IsTransport(e, cancellationToken))
            {
                throw Unreachable(what, e);
            }
        }
    }

    /// <summary>Whether the repository is there for the credentials in use, judged by its tag list.</summary>
    public async Task<bool> RepositoryExistsAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var response = await SendAsync(HttpMethod.Get, Address($"/v2/{Repository.Name}/tags/list?n=1"), new(Repository.Name, Push: false), null, cancellationToken).ConfigureAwait(false);
            return response.StatusCode switch
            {
                HttpStatusCode.OK => true,
                HttpStatusCode.NotFound => false,
                _ => throw await UnexpectedAsync(response, "GET tags/list", cancellationToken).ConfigureAwait(false),
            };
        }
        catch (RegistryException e) when (e.Failure is RegistryFailure.Denied or RegistryFailure.CredentialsMissing or RegistryFailure.CredentialsRefused)
        {
            // GHCR and Docker Hub hide what is not there behind «denied».
            return false;
        }
    }

    /// <summary>Opens an upload session; by this the push right is proven.</summary>
    public async Task<UploadSession> StartUploadAsync(CancellationToken cancellationToken)
    {
        using var response = await SendAsync(HttpMethod.Post, Address($"/v2/{Repository.Name}/blobs/uploads/"), new(Repository.Name, Push: true), EmptyBody, cancellationToken).ConfigureAwait(false);
        return response.StatusCode == HttpStatusCode.Accepted
            ? Session(response)
            : throw await UnexpectedAsync(response, "POST blobs/uploads/", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Asks the registry to take a blob over from another of its repositories.</summary>
    /// <returns>Null if it did; else the session that it opened instead, to upload to.</returns>
    public async Task<UploadSession?> MountAsync(Digest digest, string fromRepository, CancellationToken cancellationToken)
    {
        var address = Address($"/v2/{Repository.Name}/blobs/uploads/?mount={Uri.EscapeDataString(digest.ToString())}&from={Uri.EscapeDataString(fromRepository)}");
        HttpResponseMessage? response = null;
        try
        {
            response = await SendAsync(HttpMethod.Post, address, new(Repository.Name, Push: true, fromRepository), EmptyBody, cancellationToken).ConfigureAwait(false);
            switch (response.StatusCode)
            {
                case HttpStatusCode.Created:
                    return null;
                case HttpStatusCode.Accepted:
                    return Session(response);
                default:
                    // A mount is a wish: whatever is wrong with it (Harbor: 401 for a missing source), a plain upload is still possible.
                    return await StartUploadAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (RegistryException e) when (e.Failure is not RegistryFailure.Unreachable)
        {
            // So is one that a token server does not understand, because it asks for two scopes.
            return await StartUploadAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            response?.Dispose();
        }
    }

    /// <summary>Sends a blob into a session: one PUT with the whole body.</summary>
    /// <param name="session">From <see cref="StartUploadAsync"/> or <see cref="MountAsync"/>; used up by this.</param>
    /// <param name="blob">Digest and size of what is sent.</param>
    /// <param name="open">Opens the content from its beginning; called again if authentication makes the request start over.</param>
    /// <param name="progress">Receives the bytes sent so far.</param>
    /// <param name="cancellationToken">Stops the upload.</param>
    public async Task UploadAsync(UploadSession session, Descriptor blob, Func<Stream> open, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(blob);
        var separator = session.Location.Query.Length > 1 ? "&" : "?";
        var address = new Uri(session.Location.AbsoluteUri.TrimEnd('?', '&') + separator + "digest=" + Uri.EscapeDataString(blob.Digest.ToString()));
        var what = $"PUT blob {blob.Digest}";
        using var silence = new SilenceGuard(AnswerTimeout, cancellationToken);
        HttpContent Body()
        {
            var content = new StreamContent(new ProgressStream(open(), bytes =>
            {
                silence.Heard();
                progress?.Report(bytes);
            }), 128 * 1024);
            content.Headers.ContentType = new("application/octet-stream");
            content.Headers.ContentLength = blob.Size;
            return content;
        }

        using var response = await SendAsync(HttpMethod.Put, address, new(Repository.Name, Push: true), Body, cancellationToken, silence: silence).ConfigureAwait(false);
        if (response.StatusCode is not (HttpStatusCode.Created or HttpStatusCode.NoContent or HttpStatusCode.Accepted))
        {
            throw await UnexpectedAsync(response, what, cancellationToken).ConfigureAwait(false);
        }

        EnsureSameDigest(response, blob.Digest, what);
    }

    /// <summary>Gives a session up. Registries that can't (GHCR: 405) let it expire; nothing depends on it.</summary>
    public async Task CancelUploadAsync(UploadSession session, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(session);
        try
        {
            using var response = await SendAsync(HttpMethod.Delete, session.Location, new(Repository.Name, Push: true), null, cancellationToken).ConfigureAwait(false);
        }
        catch (RegistryException)
        {
            // The session expires by itself.
        }
    }

    /// <summary>Writes a manifest under a tag or its digest.</summary>
    public async Task PutManifestAsync(string reference, ManifestContent manifest, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        HttpContent Body()
        {
            var content = new ByteArrayContent(manifest.Content);
            content.Headers.ContentType = new(manifest.Descriptor.MediaType);
            return content;
        }

        var what = $"PUT manifest {reference}";
        using var response = await SendAsync(HttpMethod.Put, ManifestAddress(reference), new(Repository.Name, Push: true), Body, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode is not (HttpStatusCode.Created or HttpStatusCode.OK or HttpStatusCode.Accepted))
        {
            throw await UnexpectedAsync(response, what, cancellationToken).ConfigureAwait(false);
        }

        if (IsHtml(response))
        {
            throw NotARegistry(what, "a web page (HTML)");
        }

        EnsureSameDigest(response, manifest.Descriptor.Digest, what);
    }

    /// <summary>What a transport failure means, in words for a person.</summary>
    internal static string Explain(Exception exception)
    {
        for (var e = exception; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case AuthenticationException tls:
                    return $"TLS failed ({Clean(tls.Message)}).";
                case System.Net.Sockets.SocketException socket:
                    return $"{Clean(socket.Message)}.";
                case OperationCanceledException or TimeoutException:
                    return "no answer in time.";
            }
        }

        return Clean(exception.Message);
    }

    internal static async Task<byte[]> ReadBoundedAsync(HttpResponseMessage response, int limit, RegistryHost host, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(AnswerTimeout);
        try
        {
            var body = await response.Content.ReadAsStreamAsync(timeout.Token).ConfigureAwait(false);
            await using (body.ConfigureAwait(false))
            {
                using var buffer = new MemoryStream();
                var chunk = new byte[32 * 1024];
                int read;
                while ((read = await body.ReadAsync(chunk, timeout.Token).ConfigureAwait(false)) > 0)
                {
                    if (buffer.Length + read > limit)
                    {
                        throw new RegistryException(RegistryFailure.WrongContent, host, $"{host} answers with more than the {limit} bytes that are possible here.");
                    }

                    buffer.Write(chunk, 0, read);
                }

                return buffer.ToArray();
            }
        }
        catch (Exception e) when (e is not RegistryException && IsTransport(e, cancellationToken))
        {
            throw new RegistryException(RegistryFailure.Unreachable, host, $"{host} broke off while answering: {Explain(e)}", e);
        }
    }

    private static HttpContent EmptyBody() => new ByteArrayContent([]);

    private async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, Uri address, TokenScope scope, Func<HttpContent>? body, CancellationToken cancellationToken, bool acceptManifests = false, SilenceGuard? silence = null)
    {
        var what = $"{method} {address.AbsolutePath}";
        AuthenticationHeaderValue? refused = null;
        AuthenticationHeaderValue? answered = null;
        for (var attempt = 0; ; attempt++)
        {
            // What a challenge was answered with is sent once even if it is said to expire at once.
            var header = answered ?? _authenticator.Current(scope);
            var response = await FollowAsync(method, address, header, body, what, acceptManifests, silence, cancellationToken).ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.Forbidden)
            {
                var words = await ErrorTextAsync(response, cancellationToken).ConfigureAwait(false);
                response.Dispose();
                throw new RegistryException(
                    RegistryFailure.Denied, _endpoint.Host, $"{what} is answered with 403{words}{(CredentialSource is null ? " to an anonymous request" : $" to the credentials from {CredentialSource}")}.");
            }

            if (response.StatusCode != HttpStatusCode.Unauthorized || !SameOrigin(response.RequestMessage!.RequestUri!, _endpoint.BaseAddress))
            {
                return response;
            }

            // Once for a first or an expired header, and once more if that answer was refused: then AnswerAsync says why.
            using (response)
            {
                if (attempt > 0)
                {
                    refused = header;
                }

                answered = await _authenticator.AnswerAsync(response.Headers.WwwAuthenticate, scope, Repository, refused ?? (header is { Scheme: "Basic" } ? header : null), cancellationToken).ConfigureAwait(false);
                if (attempt >= 2)
                {
                    throw new RegistryException(RegistryFailure.CredentialsRefused, _endpoint.Host, $"{what} is answered with 401 again and again.");
                }
            }
        }
    }

    private async Task<HttpResponseMessage> FollowAsync(
        HttpMethod method, Uri address, AuthenticationHeaderValue? authorization, Func<HttpContent>? body, string what, bool acceptManifests, SilenceGuard? silence, CancellationToken cancellationToken)
    {
        for (var hop = 0; ; hop++)
        {
            EnsureAllowed(address, what);
            using var request = new HttpRequestMessage(method, address) { Content = body?.Invoke() };
            request.Headers.UserAgent.ParseAdd("registry-sdk/1.0");
            if (acceptManifests)
            {
                request.Headers.Accept.ParseAdd(string.Join(", ", MediaTypes.Manifests));
            }

            // Secrets go to the registry's own origin only, whatever Location or redirect says.
            if (SameOrigin(address, _endpoint.BaseAddress))
            {
                request.Headers.Authorization = authorization;
            }

            HttpResponseMessage response;
            using var timeout = silence is null ? CancellationTokenSource.CreateLinkedTokenSource(cancellationToken) : null;
            timeout?.CancelAfter(AnswerTimeout);
            try
            {
                response = await _http.SendAsync(request, silence?.Token ?? timeout!.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (IsTransport(e, cancellationToken))
            {
                _trace($"{method} {address.GetLeftPart(UriPartial.Path)} failed: {Explain(e)}");
                throw Unreachable(what, e);
            }

            _trace($"{method} {address.GetLeftPart(UriPartial.Path)} {(int)response.StatusCode}");
            var status = (int)response.StatusCode;
            var isRedirect = status is 307 or 308 || (status is 301 or 302 or 303 && (method == HttpMethod.Get || method == HttpMethod.Head));
            if (!isRedirect || response.Headers.Location is not { } location)
            {
                return response;
            }

            response.Dispose();
            if (hop == MaxRedirects)
            {
                throw NotARegistry(what, $"more than {MaxRedirects} redirects");
            }

            address = Resolve(address, location, what);
        }
    }

    // A registry names upload and redirect addresses; it must not make us talk to this machine or its network, or drop TLS.
    private void EnsureAllowed(Uri address, string what)
    {
        if (SameOrigin(address, _endpoint.BaseAddress))
        {
            return;
        }

        var targetLoopback = RegistryHost.IsLoopbackName(address.Host);
        if (address.Scheme == Uri.UriSchemeHttps ? !_endpoint.IsLoopback && (targetLoopback || IsPrivateLiteral(address.Host)) : !(address.Scheme == Uri.UriSchemeHttp && targetLoopback && _endpoint.IsLoopback))
        {
            throw NotARegistry(what, $"a redirect to {address.Scheme}://{address.Authority}, where nothing is sent");
        }
    }

    private static bool IsPrivateLiteral(string host)
    {
        if (!IPAddress.TryParse(host.Trim('[', ']'), out var address))
        {
            return false;
        }

        if (address.IsIPv4MappedToIPv6)
        {
            address = address.MapToIPv4();
        }

        var b = address.GetAddressBytes();
        return b.Length == 4
            ? b[0] is 0 or 10 or 127 || (b[0] == 172 && b[1] is >= 16 and < 32) || (b[0] == 192 && b[1] == 168) || (b[0] == 169 && b[1] == 254) || (b[0] == 100 && b[1] is >= 64 and < 128)
            : address.IsIPv6LinkLocal || address.IsIPv6UniqueLocal || IPAddress.IsLoopback(address) || address.Equals(IPAddress.IPv6Any);
    }

    private static bool SameOrigin(Uri a, Uri b) => a.Scheme == b.Scheme && string.Equals(a.Host, b.Host, StringComparison.OrdinalIgnoreCase) && a.Port == b.Port;

    private UploadSession Session(HttpResponseMessage response)
    {
        // Against the address that answered, after redirects (containerd#11949 shows what happens otherwise).
        var location = response.Headers.Location ?? throw NotARegistry("POST blobs/uploads/", "202 without Location");
        return new(Resolve(response.RequestMessage!.RequestUri!, location, "POST blobs/uploads/"));
    }

    private Uri Resolve(Uri answered, Uri location, string what)
        => Uri.TryCreate(answered, location, out var address) && (address.Scheme == Uri.UriSchemeHttps || address.Scheme == Uri.UriSchemeHttp) && address.Host.Length > 0
            ? address
            : throw NotARegistry(what, "a Location that is no address");

    private void EnsureSameDigest(HttpResponseMessage response, Digest sent, string what)
    {
        if (response.Headers.TryGetValues("Docker-Content-Digest", out var values) && Digest.TryParse(values.FirstOrDefault(), out var stored) && stored != sent)
        {
            throw new RegistryException(RegistryFailure.WrongContent, _endpoint.Host, $"{what} at {Repository} was stored as {stored} instead of {sent}.");
        }
    }

    private void EnsureRegistryNotFound(HttpResponseMessage response, string what)
    {
        if (IsHtml(response))
        {
            throw NotARegistry(what, "404 with a web page (HTML)");
        }
    }

    private async Task<RegistryException> UnexpectedAsync(HttpResponseMessage response, string what, CancellationToken cancellationToken)
    {
        if (IsHtml(response))
        {
            return NotARegistry(what, $"{(int)response.StatusCode} and a web page (HTML)");
        }

        var words = await ErrorTextAsync(response, cancellationToken).ConfigureAwait(false);
        var status = (int)response.StatusCode;
        // 2xx that the protocol does not know here, and 404 on addresses every registry has, come from something else.
        var failure = status is >= 200 and < 300 || (status == 404 && words.Length == 0) ? RegistryFailure.NotARegistry : RegistryFailure.Rejected;
        return new(failure, _endpoint.Host, $"{what} at {Repository} is answered with {status}{words}.");
    }

    private async Task<string> ErrorTextAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            var bytes = await ReadBoundedAsync(response, 64 * 1024, _endpoint.Host, cancellationToken).ConfigureAwait(false);
            using var json = StrictJson.Document(bytes);
            if (json.RootElement.ValueKind == JsonValueKind.Object && json.RootElement.TryGetProperty("errors", out var errors) && errors.ValueKind == JsonValueKind.Array && errors.GetArrayLength() > 0)
            {
                var first = errors[0];
                var code = first.TryGetProperty("code", out var c) ? c.ToString() : string.Empty;
                var message = first.TryGetProperty("message", out var m) ? m.ToString() : string.Empty;
                return $" {Clean(code)} '{Clean(message)}'";
            }
        }
        catch (Exception e) when (e is JsonException or RegistryException or InvalidOperationException)
        {
            // No words then: the status has to do.
        }

        return string.Empty;
    }

    private RegistryException NotARegistry(string what, string answer) => new(RegistryFailure.NotARegistry, _endpoint.Host, $"{what} at {_endpoint.BaseAddress.Authority} is answered with {answer}; that is no OCI registry.");

    private RegistryException Unreachable(string what, Exception e)
    {
        var at = _endpoint.IsMapped ? $"{_endpoint.Host} (re-mapped to {_endpoint.BaseAddress.Authority})" : _endpoint.Host.Name;
        return new(RegistryFailure.Unreachable, _endpoint.Host, $"{at} can't be reached ({what}): {Explain(e)}", e);
    }

    private static bool IsTransport(Exception e, CancellationToken cancellationToken)
        => e is HttpRequestException or AuthenticationException or (IOException and not RegistryException)
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested);

    private static bool IsHtml(HttpResponseMessage response) => response.Content.Headers.ContentType?.MediaType is "text/html" or "application/xhtml+xml";

    /// <summary>Text from a registry, fit for one log line: plain and bounded.</summary>
    internal static string Clean(string text)
    {
        const int MaxLength = 200;
        var plain = PlainText.Of(text.Trim());
        if (plain.Length > MaxLength)
        {
            // Not through the middle of a character.
            plain = plain[..(char.IsHighSurrogate(plain[MaxLength - 1]) ? MaxLength - 1 : MaxLength)] + "…";
        }

        return plain.TrimEnd('.');
    }

    private Uri Address(string pathAndQuery) => new(_endpoint.BaseAddress, pathAndQuery);

    private Uri ManifestAddress(string reference) => Address($"/v2/{Repository.Name}/manifests/{reference}");

    private Uri BlobAddress(Digest digest) => Address($"/v2/{Repository.Name}/blobs/{digest}");
}

/// <summary>Cancels when nothing was heard for a while: a big layer may take long, silence may not.</summary>
internal sealed class SilenceGuard : IDisposable
{
    private readonly CancellationTokenSource _source;
    private readonly TimeSpan _silence;

    public SilenceGuard(TimeSpan silence, CancellationToken cancellationToken)
    {
        _silence = silence;
        _source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Heard();
    }

    public CancellationToken Token => _source.Token;

    public void Heard() => _source.CancelAfter(_silence);

    public void Dispose() => _source.Dispose();
}

/// <summary>Reports how far a stream has been read.</summary>
internal sealed class ProgressStream(Stream inner, Action<long> read) : ReadThroughStream(inner)
{
    protected override void Saw(ReadOnlySpan<byte> bytes) => read(Total);
}
