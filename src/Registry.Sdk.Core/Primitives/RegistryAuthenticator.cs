using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Registry.Sdk.Core.Primitives;

/// <summary>What a token is asked for.</summary>
/// <param name="Repository">Repository name.</param>
/// <param name="Push">Whether pushing is wanted besides pulling.</param>
/// <param name="MountFrom">A further repository to pull from, for a cross-repository mount; or null.</param>
public sealed record TokenScope(string Repository, bool Push, string? MountFrom = null);

/// <summary>How one request has been shown to be allowed so far.</summary>
internal sealed class AuthAttempt
{
    /// <summary>What is sent next; null: nothing.</summary>
    public AuthenticationHeaderValue? Header { get; private set; }

    /// <summary>Whether <see cref="Header"/> answers this request's own challenge; one that was kept from earlier may only have expired.</summary>
    public bool IsFresh { get; private set; }

    /// <summary>Whether <see cref="Header"/> is what an outsider has, although there are credentials.</summary>
    public bool IsOutsider { get; private set; }

    /// <summary>Whether the request was sent without a header.</summary>
    public bool WasBare { get; set; }

    /// <summary>Why the credentials were refused, where an outsider's try follows.</summary>
    public RegistryException? Refusal { get; set; }

    /// <summary>The challenges were probed for, because the refusal named none.</summary>
    public bool WasProbed { get; set; }

    public void Use(AuthenticationHeaderValue? header, bool isFresh, bool isOutsider) => (Header, IsFresh, IsOutsider) = (header, isFresh, isOutsider);
}

/// <summary>
/// Answers the challenges of one registry: Basic, Bearer tokens by GET, OAuth2 tokens by POST. Source: distribution «token.md» and «oauth.md»;
/// RFC 7617; RFC 6750.
/// </summary>
/// <remarks>
/// The scope is always our own: GHCR's challenges name a placeholder, or pull alone. A token server may grant less than asked without saying so,
/// so success here proves nothing (wire-facts 1.3). Credentials may differ between repositories of one host (podman's namespaces), so whatever is
/// kept is kept by repository; each repository's credential is looked for once.
/// </remarks>
internal sealed class RegistryAuthenticator(RegistryEndpoint endpoint, ICredentialSource credentials, HttpMessageInvoker http, Action<string>? trace = null, Redactor? redactor = null) : IDisposable
{
    private const int MaxTokenBytes = 1 << 20;
    private const int MaxRedirects = 5;

    // Token servers that belong to a registry although their host differs (their own documentation says so).
    private static readonly Dictionary<string, string> BuiltInRealms = new(StringComparer.Ordinal)
    {
        ["docker.io"] = "auth.docker.io",
        ["registry.gitlab.com"] = "gitlab.com",
        ["registry.redhat.io"] = "sso.redhat.com", // access.redhat.com/articles/3560571
    };

    private readonly ConcurrentDictionary<string, Access> _access = new(StringComparer.Ordinal);
    private IReadOnlyList<AuthChallenge> _challenges = [];

    /// <summary>Hears every request to a token server and its answer, as evidence has them.</summary>
    public Action<string, string>? Heard { get; init; }

    /// <summary>How long a token server may be silent.</summary>
    public TimeSpan TokenTimeout { get; init; } = TimeSpan.FromSeconds(60);

    /// <summary>Where the credential in use for a repository came from; null while anonymous.</summary>
    public string? SourceOf(string repository) => _access.TryGetValue(repository, out var access) ? access.Shown?.Source : null;

    /// <summary>Begins a request with what worked before for this scope, if anything did.</summary>
    public AuthAttempt Begin(TokenScope scope)
    {
        var access = Of(scope.Repository);
        var attempt = new AuthAttempt();
        var outsider = !scope.Push && access.ReadRefusal is not null;
        attempt.Use(access.Current(scope), isFresh: false, outsider);
        return attempt;
    }

    /// <summary>The request was let through (whatever else came of it).</summary>
    public void Succeeded(AuthAttempt attempt, TokenScope scope)
    {
        if (attempt.Refusal is not { } refusal || Interlocked.CompareExchange(ref Of(scope.Repository).ReadRefusal, refusal, null) is not null)
        {
            return;
        }

        trace?.Invoke($"{endpoint.Host} refuses the credentials from {SourceOf(scope.Repository)} for {scope.Repository}; it is read anonymously.");
    }

    /// <summary>Whether challenges of this registry have been seen: then no probe is needed where an answer brings none.</summary>
    public bool KnowsChallenges => _challenges.Count > 0;

    /// <summary>Keeps secrets out of what is said.</summary>
    public Redactor Redactor { get; } = redactor ?? new();

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var access in _access.Values)
        {
            access.Gate.Dispose();
        }
    }

    /// <summary>Answers a 401 or 403: <paramref name="attempt"/> holds afterwards what to send instead.</summary>
    /// <param name="attempt">What was sent.</param>
    /// <param name="challenges">The refusal's challenges.</param>
    /// <param name="refused">What was refused and how, without a full stop: «GET /v2/ is answered with 403 DENIED 'no'».</param>
    /// <param name="isForbidden">403, and not 401.</param>
    /// <param name="scope">What is wanted.</param>
    /// <param name="repository">The repository that credentials are looked for.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="RegistryException">Nothing can be answered.</exception>
    public async Task AnswerAsync(
        AuthAttempt attempt, IReadOnlyList<AuthChallenge> challenges, string refused, bool isForbidden, TokenScope scope, RepositoryReference repository, CancellationToken cancellationToken)
    {
        if (challenges.Count > 0)
        {
            _challenges = challenges;
        }

        var offered = challenges.Count > 0 ? challenges : _challenges;
        var access = Of(scope.Repository);
        await access.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            var credential = await access.CredentialAsync(() => FindAsync(repository, cancellationToken)).ConfigureAwait(false);
            attempt.WasBare |= attempt.Header is null;
            if (attempt.IsOutsider || credential is null)
            {
                await AnswerAsOutsiderAsync(attempt, access, offered, refused, isForbidden, scope, cancellationToken).ConfigureAwait(false);
                return;
            }

            var sent = attempt.Header;
            if (sent is not null && !attempt.IsFresh && !isForbidden)
            {
                // What worked before may have expired; another request may have renewed it meanwhile.
                access.Forget(sent);
                if (access.Current(scope) is { } renewed && !Equals(renewed, sent))
                {
                    attempt.Use(renewed, isFresh: true, isOutsider: false);
                    return;
                }
            }

            RegistryException refusal;
            if (sent is null || (!attempt.IsFresh && !isForbidden && sent.Scheme == "Bearer" && credential.Kind != CredentialKind.RegistryToken))
            {
                try
                {
                    attempt.Use(await ShowAsync(access, offered, credential, refused, scope, cancellationToken).ConfigureAwait(false), isFresh: true, isOutsider: false);
                    return;
                }
                catch (RegistryException e) when (e.Failure is RegistryFailure.CredentialsRefused or RegistryFailure.Denied)
                {
                    refusal = e;
                }
            }
            else
            {
                refusal = RefusedAtRegistry(credential, sent, refused, isForbidden, scope);
            }

            // Bad or expired credentials break even public pulls (GHCR, wire-facts 2.1): what is to be read may be open to anyone.
            if (scope.Push)
            {
                throw refusal;
            }

            attempt.Refusal = refusal;
            await AnswerAsOutsiderAsync(attempt, access, offered, refused, isForbidden, scope, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            access.Gate.Release();
        }
    }

    private async Task<Credential?> FindAsync(RepositoryReference repository, CancellationToken cancellationToken)
    {
        if (await credentials.FindAsync(endpoint, repository, cancellationToken).ConfigureAwait(false) is not { } credential)
        {
            return null;
        }

        // Before it is shown to anyone.
        Redactor.Learn(credential, repository);

        // RFC 6750, 2.1. Passwords and identity tokens are encoded, and may hold anything.
        return credential.Kind == CredentialKind.RegistryToken && credential.Password.Reveal().AsSpan().ContainsAnyExceptInRange('!', '~')
            ? throw new CredentialException($"{credential.Source} holds a registry token with line breaks, blanks or other characters that can't stand in an HTTP header. Store it again without them (docker login {endpoint.CredentialHost}).")
            : credential;
    }

    private Access Of(string repository) => _access.GetOrAdd(repository, static _ => new());

    /// <summary>What an outsider can say. With no credentials at all a push is not even asked for: they are missing.</summary>
    private async Task AnswerAsOutsiderAsync(
        AuthAttempt attempt, Access access, IReadOnlyList<AuthChallenge> offered, string refused, bool isForbidden, TokenScope scope, CancellationToken cancellationToken)
    {
        var failure = attempt.Refusal ?? access.ReadRefusal ?? Missing(refused);
        var wasOutsider = attempt.IsOutsider || attempt.Refusal is null;
        var bearers = offered.Where(c => c.Is("Bearer")).ToList();
        if (scope.Push || (wasOutsider && attempt.Header is not null && (attempt.IsFresh || isForbidden)) || (bearers.Count == 0 && attempt.WasBare))
        {
            throw failure;
        }

        if (bearers.Count == 0)
        {
            attempt.Use(null, isFresh: true, isOutsider: true);
            return;
        }

        if (attempt.Header is { } sent)
        {
            access.Forget(sent);
        }

        AccessToken token;
        try
        {
            token = await TokenAsync(bearers, null, scope, cancellationToken).ConfigureAwait(false);
        }
        catch (RegistryException e) when (attempt.Refusal is not null && e.Failure is not RegistryFailure.Throttled)
        {
            // The refusal of the credentials is what the user can mend.
            throw failure;
        }

        access.Outsider[scope with { Push = false }] = token;
        attempt.Use(token.Header, isFresh: true, isOutsider: true);
    }

    /// <summary>The header by which a credential is shown.</summary>
    private async Task<AuthenticationHeaderValue> ShowAsync(
        Access access, IReadOnlyList<AuthChallenge> offered, Credential credential, string refused, TokenScope scope, CancellationToken cancellationToken)
    {
        var bearers = offered.Where(c => c.Is("Bearer")).ToList();
        // Without any challenge Basic is what is left to try: it goes to the registry itself.
        var basic = offered.Count == 0 || offered.Any(c => c.Is("Basic"));
        access.Shown = credential;
        if (credential.Kind == CredentialKind.RegistryToken && (bearers.Count > 0 || offered.Count == 0))
        {
            return access.Plain = new("Bearer", credential.Password.Reveal());
        }

        RegistryException? unusable = null;
        if (bearers.Count > 0)
        {
            try
            {
                var token = await TokenAsync(bearers, credential, scope, cancellationToken).ConfigureAwait(false);
                access.Insider[scope] = token;
                access.WasGranted = true;
                return token.Header;
            }
            catch (RegistryException e) when (e.Failure == RegistryFailure.AuthNotSupported && basic && credential.Kind == CredentialKind.Password)
            {
                // Only a token server that is not known to be the registry's own ends here, and nothing was sent to it. The registry takes Basic too,
                // and to itself the secret may go.
                unusable = e;
            }
        }

        if (basic && credential.Kind == CredentialKind.Password)
        {
            if (unusable is not null)
            {
                trace?.Invoke($"{unusable.Message} It takes Basic authentication too, which is used.");
            }

            return access.Plain = BasicHeader(credential);
        }

        access.Shown = null;
        var wants = offered.Count == 0 ? "without saying what it wants (no WWW-Authenticate)" : $"and wants {Redactor.Words(string.Join(", ", offered.Select(c => c.Scheme).Distinct(StringComparer.OrdinalIgnoreCase)))} authentication";
        var holds = credential.Kind switch
        {
            CredentialKind.IdentityToken => $" {credential.Source} holds an identity token, which only a token server takes. Log in with user name and password.",
            CredentialKind.RegistryToken => $" {credential.Source} holds a registry token, which goes with Bearer alone. Log in with user name and password.",
            _ => string.Empty,
        };
        throw Redactor.Fail(RegistryFailure.AuthNotSupported, endpoint.Host, $"{refused}, {wants}.{holds}");
    }

    // Preferred to Basic: the secret then goes to the token server alone, and not along with every request.
    private async Task<AccessToken> TokenAsync(List<AuthChallenge> bearers, Credential? credential, TokenScope scope, CancellationToken cancellationToken)
    {
        RegistryException? unusable = null;
        foreach (var bearer in bearers)
        {
            if (!bearer.Parameters.TryGetValue("realm", out var text) || !Uri.TryCreate(text, UriKind.Absolute, out var named) || named.Host.Length == 0 || RegistryHost.Spelled(named) is not { } realm)
            {
                unusable ??= Redactor.Fail(RegistryFailure.AuthNotSupported, endpoint.Host, $"{endpoint.Host} asks for a Bearer token without naming a token server (realm).");
            }
            else if (Distrust(realm) is { } reason)
            {
                unusable ??= reason;
            }
            else
            {
                return await RequestTokenAsync(realm, bearer.Parameters.GetValueOrDefault("service"), credential, scope, cancellationToken).ConfigureAwait(false);
            }
        }

        throw unusable!;
    }

    private async Task<AccessToken> RequestTokenAsync(Uri realm, string? service, Credential? credential, TokenScope scope, CancellationToken cancellationToken)
    {
        // Anonymously only pulling can be granted; GHCR refuses to be asked for more.
        List<string> scopes = [$"repository:{scope.Repository}:{(scope.Push && credential is not null ? "pull,push" : "pull")}"];
        if (scope.MountFrom is not null)
        {
            scopes.Add($"repository:{scope.MountFrom}:pull");
        }

        if (credential?.Kind == CredentialKind.IdentityToken)
        {
            var form = new List<KeyValuePair<string, string>>
            {
                new("grant_type", "refresh_token"), new("client_id", "registry-sdk"), new("scope", string.Join(' ', scopes)), new("refresh_token", credential.Password.Reveal()),
            };
            if (service is not null)
            {
                form.Add(new("service", service));
            }

            using var posted = await SendTokenRequestAsync(realm, HttpMethod.Post, null, () => new FormUrlEncodedContent(form), cancellationToken).ConfigureAwait(false);
            if (posted.StatusCode is not (HttpStatusCode.NotFound or HttpStatusCode.MethodNotAllowed))
            {
                return await ReadTokenAsync(posted, realm, credential, scope, cancellationToken).ConfigureAwait(false);
            }

            // A server without the OAuth2 form takes the token in the password's place («token.md», go-containerregistry).
        }

        var query = new StringBuilder(realm.Query.Length > 1 ? realm.Query[1..] + "&" : string.Empty);
        if (service is not null)
        {
            query.Append("service=").Append(Uri.EscapeDataString(service)).Append('&');
        }

        query.AppendJoin('&', scopes.Select(s => "scope=" + Uri.EscapeDataString(s)));
        var address = new UriBuilder(realm) { Query = query.ToString() }.Uri;
        using var response = await SendTokenRequestAsync(address, HttpMethod.Get, credential is null ? null : BasicHeader(credential), null, cancellationToken).ConfigureAwait(false);
        return await ReadTokenAsync(response, realm, credential, scope, cancellationToken).ConfigureAwait(false);
    }

    // Redirects are followed by hand: to where a realm may be too, and nowhere else.
    private async Task<HttpResponseMessage> SendTokenRequestAsync(
        Uri address, HttpMethod method, AuthenticationHeaderValue? authorization, Func<HttpContent>? form, CancellationToken cancellationToken)
    {
        var server = address.Authority;
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(TokenTimeout);
        for (var hop = 0; ; hop++)
        {
            using var request = new HttpRequestMessage(method, address) { Content = form?.Invoke() };
            request.Headers.UserAgent.ParseAdd(RegistryClient.UserAgent);
            request.Headers.Accept.ParseAdd("application/json");
            request.Headers.Authorization = authorization;
            HttpResponseMessage response;
            try
            {
                response = await http.SendAsync(request, timeout.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (RegistryClient.IsTransport(e, cancellationToken))
            {
                Tell($"failed: {RegistryClient.Explain(e, Redactor)}");
                throw Redactor.Fail(RegistryClient.FailureOf(e), endpoint.Host, $"The token server {server} of {endpoint.Host} can't be reached: {RegistryClient.Explain(e, Redactor)}", e, Transient.Is(e));
            }

            var status = (int)response.StatusCode;
            Tell($"{status}");
            var isRedirect = status is 307 or 308 || (status is 301 or 302 or 303 && method == HttpMethod.Get);
            if (!isRedirect || response.Headers.Location is not { } location)
            {
                return response;
            }

            response.Dispose();
            if (hop == MaxRedirects || !Uri.TryCreate(address, location, out var named) || RegistryHost.Spelled(named) is not { } next)
            {
                throw TokenServer(RegistryFailure.NotARegistry, server, hop == MaxRedirects ? $"redirects more than {MaxRedirects} times" : "redirects to what is no address");
            }

            if (Distrust(next) is { } reason)
            {
                throw reason;
            }

            address = next;
        }

        void Tell(string answer)
        {
            var asked = $"{method} {Redactor.Words($"{address.Scheme}://{address.Authority}{address.AbsolutePath}")}";
            trace?.Invoke($"{asked} {answer}");
            Heard?.Invoke(asked, answer);
        }
    }

    private async Task<AccessToken> ReadTokenAsync(HttpResponseMessage response, Uri realm, Credential? credential, TokenScope scope, CancellationToken cancellationToken)
    {
        var server = realm.Authority;
        var status = (int)response.StatusCode;
        byte[] body;
        try
        {
            body = await RegistryClient.ReadBoundedAsync(response, MaxTokenBytes, endpoint.Host, Redactor, TokenTimeout, cancellationToken).ConfigureAwait(false);
        }
        catch (RegistryException e) when (e.Failure == RegistryFailure.WrongContent)
        {
            throw TokenServer(RegistryFailure.NotARegistry, server, $"answers with more than {MaxTokenBytes} bytes", e);
        }
        catch (RegistryException e)
        {
            throw TokenServer(RegistryFailure.Unreachable, server, $"breaks off while answering: {RegistryClient.Explain(e.InnerException ?? e, Redactor).TrimEnd('.')}", e, e.IsTransient);
        }

        var wait = Transient.Is(status) ? Throttling.RetryAfter(response.Headers, string.Empty, DateTimeOffset.UtcNow) : null;
        if (RegistryClient.IsHtml(response))
        {
            throw TokenServer(RegistryFailure.NotARegistry, server, $"answers {status} with a web page (HTML){Throttling.Asking(wait)}", isTransient: Transient.Is(status), retryAfter: wait);
        }

        if (response.IsSuccessStatusCode)
        {
            try
            {
                var token = AccessToken.Parse(body, response.Headers.Date, DateTimeOffset.UtcNow) ?? throw TokenServer(RegistryFailure.NotARegistry, server, "answers without a token that can be sent");
                Redactor.LearnToken(token.Header.Parameter!);
                return token;
            }
            catch (JsonException e)
            {
                throw TokenServer(RegistryFailure.NotARegistry, server, "does not answer with JSON", e);
            }
        }

        var words = ErrorWords.Of(body, Redactor);
        if (Throttling.Is(status, words))
        {
            throw RegistryException.Throttled(Redactor, endpoint.Host, $"The token server {server} of {endpoint.Host} answers {status}{words}", Throttling.RetryAfter(response.Headers, words, DateTimeOffset.UtcNow));
        }

        // RFC 6749, 5.2: a refresh token that is refused is answered with 400 (invalid_grant).
        var isRefusal = status is 401 or 403 || (status == 400 && credential?.Kind == CredentialKind.IdentityToken);
        if (!isRefusal)
        {
            throw TokenServer(RegistryFailure.Rejected, server, $"answers {status}{words}{Throttling.Asking(wait)}", isTransient: Transient.Is(status), retryAfter: wait);
        }

        if (credential is null)
        {
            throw Missing($"The token server {server} answers {status}{words} to an anonymous request");
        }

        // Credentials that it has issued a token for are good: what it refuses with 403 is a right they lack.
        var failure = status == 403 && Of(scope.Repository).WasGranted ? RegistryFailure.Denied : RegistryFailure.CredentialsRefused;
        var says = failure == RegistryFailure.Denied
            ? $"{endpoint.Host} does not give access to {scope.Repository} with the credentials from {credential.Source}: its token server {server} answers {status}{words}."
            : $"{endpoint.Host} refuses {Holder(credential)}: its token server {server} answers {status}{words}.";
        throw Redactor.Fail(failure, endpoint.Host, says + CredentialHints.Of(credential, endpoint, failure, RepositoryReference.Of(endpoint.Host, scope.Repository)));
    }

    /// <summary>
    /// A registry must not be able to send a secret wherever it likes: only to itself and to token servers known to be its own. Anonymous requests are
    /// held to the same, so that a build with and one without credentials fail alike.
    /// </summary>
    private RegistryException? Distrust(Uri realm)
    {
        var registry = endpoint.BaseAddress;
        var sameHost = string.Equals(realm.Host, registry.Host, StringComparison.OrdinalIgnoreCase);
        var loopback = endpoint.IsLoopback && RegistryHost.IsLoopbackName(realm.Host);
        // By the party that the credential belongs to: a mirror may not send what is its own to the original host's token server.
        var builtIn = realm.IsDefaultPort && BuiltInRealms.TryGetValue(endpoint.CredentialHost, out var known) && string.Equals(known, realm.Host, StringComparison.OrdinalIgnoreCase);
        var byUser = credentials.TrustedRealmHosts(endpoint).Any(h => string.Equals(h, realm.Authority, StringComparison.OrdinalIgnoreCase) || string.Equals(h, realm.Host, StringComparison.OrdinalIgnoreCase));
        var secure = realm.Scheme == Uri.UriSchemeHttps || (realm.Scheme == Uri.UriSchemeHttp && (loopback || (endpoint.IsInsecure && sameHost)));
        if (secure && realm.UserInfo.Length == 0 && (sameHost || loopback || builtIn || byUser))
        {
            return null;
        }

        var mend = Redactor.Repeats(realm.Authority) ? string.Empty
            : secure || realm.Scheme == Uri.UriSchemeHttps
            ? $" If it is, add <RegistrySdkCredential Include=\"{endpoint.CredentialHost}\" RealmHost=\"{realm.Authority}\" />."
            : $" A token server has to speak https; if it is and does, add <RegistrySdkCredential Include=\"{endpoint.CredentialHost}\" RealmHost=\"{realm.Authority}\" />.";
        return Redactor.Fail(RegistryFailure.AuthNotSupported,
            endpoint.Host,
            $"{endpoint.Host} names the token server {Redactor.Words($"{realm.Scheme}://{realm.Authority}")}, which is not known to be its own; nothing was sent there.{mend}");
    }

    private RegistryException TokenServer(RegistryFailure failure, string server, string what, Exception? inner = null, bool isTransient = false, TimeSpan? retryAfter = null)
        => Redactor.Fail(failure, endpoint.Host, $"The token server {server} of {endpoint.Host} {what}.", inner, isTransient, retryAfter);

    private RegistryException Missing(string refused) => Redactor.Fail(
        RegistryFailure.CredentialsMissing, endpoint.Host, $"{endpoint.Host} wants credentials, and none were found (RegistrySdkCredential items, environment variables, docker and podman configuration). {refused}.{credentials.WhyNone(endpoint)}");

    private RegistryException RefusedAtRegistry(Credential credential, AuthenticationHeaderValue sent, string refused, bool isForbidden, TokenScope scope)
    {
        // A token that was issued and does not suffice is a matter of rights; a password or finished token that gets 401 is not known.
        var isRight = isForbidden || (sent.Scheme == "Bearer" && credential.Kind != CredentialKind.RegistryToken);
        var failure = isRight ? RegistryFailure.Denied : RegistryFailure.CredentialsRefused;
        var says = isRight
            ? $"{endpoint.Host} does not give {(scope.Push ? "push" : "pull")} access to {scope.Repository} with the credentials from {credential.Source} ({refused})."
            : $"{endpoint.Host} refuses {Holder(credential)} ({refused}).";
        return Redactor.Fail(failure, endpoint.Host, says + CredentialHints.Of(credential, endpoint, failure, RepositoryReference.Of(endpoint.Host, scope.Repository)));
    }

    private static string Holder(Credential credential) => credential.Kind switch
    {
        CredentialKind.IdentityToken => $"the identity token from {credential.Source}",
        CredentialKind.RegistryToken => $"the registry token from {credential.Source}",
        _ => $"the credentials of user '{credential.Username}' from {credential.Source}",
    };

    private static AuthenticationHeaderValue BasicHeader(Credential credential)
        => new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credential.Username}:{credential.Password.Reveal()}")));

    /// <summary>What is known of one repository. Its fields are written under <see cref="Gate"/>.</summary>
    private sealed class Access
    {
        private Task<Credential?>? _credential;

        public SemaphoreSlim Gate { get; } = new(1, 1);

        /// <summary>Tokens that the credential got.</summary>
        public ConcurrentDictionary<TokenScope, AccessToken> Insider { get; } = new();

        /// <summary>Tokens that anybody gets.</summary>
        public ConcurrentDictionary<TokenScope, AccessToken> Outsider { get; } = new();

        /// <summary>A header that needs no token server.</summary>
        public AuthenticationHeaderValue? Plain { get; set; }

        /// <summary>The credential that has been shown.</summary>
        public Credential? Shown { get; set; }

        /// <summary>Whether a token server has taken the credential once.</summary>
        public bool WasGranted { get; set; }

        /// <summary>Why reading is done as an outsider; null: it is not.</summary>
        public RegistryException? ReadRefusal;

        /// <summary>Looks for the credential once. A source that is broken says so each time; one that was cancelled is asked again.</summary>
        public Task<Credential?> CredentialAsync(Func<Task<Credential?>> find)
            => _credential is null or { IsCanceled: true } ? _credential = find() : _credential;

        /// <summary>What worked before.</summary>
        /// <remarks>
        /// A token for pushing reads as well, and is preferred for it: GHCR refuses to issue one for pulling alone from a package that does not exist yet.
        /// </remarks>
        public AuthenticationHeaderValue? Current(TokenScope scope)
        {
            if (!scope.Push && (ReadRefusal is not null || Shown is null))
            {
                return Valid(Outsider, scope);
            }

            return Plain ?? Valid(Insider, scope with { Push = true }) ?? (scope.Push ? null : Valid(Insider, scope));
        }

        public void Forget(AuthenticationHeaderValue header)
        {
            foreach (var tokens in new[] { Insider, Outsider })
            {
                foreach (var pair in tokens.Where(t => ReferenceEquals(t.Value.Header, header)))
                {
                    tokens.TryRemove(pair);
                }
            }

            if (ReferenceEquals(Plain, header))
            {
                Plain = null;
            }
        }

        private static AuthenticationHeaderValue? Valid(ConcurrentDictionary<TokenScope, AccessToken> tokens, TokenScope scope)
            => tokens.TryGetValue(scope, out var token) && token.Expires > DateTimeOffset.UtcNow ? token.Header : null;
    }
}

/// <summary>The words of an error answer. Source: distribution spec, «Error codes»; RFC 6749, 5.2; Docker Hub's <c>details</c>.</summary>
internal static class ErrorWords
{
    /// <summary><c> CODE 'message'</c> with a leading space, plain and bounded; empty where there are none.</summary>
    public static string Of(byte[] body, Redactor redactor)
    {
        try
        {
            using var json = StrictJson.Document(body);
            var root = json.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                return string.Empty;
            }

            if (root.TryGetProperty("errors", out var errors) && errors.ValueKind == JsonValueKind.Array && errors.GetArrayLength() > 0 && errors[0].ValueKind == JsonValueKind.Object)
            {
                return Words(Text(errors[0], "code"), Text(errors[0], "message"));
            }

            return Words(Text(root, "error"), Text(root, "error_description") ?? Text(root, "details") ?? Text(root, "message"));
        }
        catch (JsonException)
        {
            // No words then: the status has to do.
            return string.Empty;
        }

        static string? Text(JsonElement e, string name) => e.TryGetProperty(name, out var v) ? v.ToString() : null;

        // Together: half a secret may stand in each.
        string Words(string? code, string? message) => redactor.Repeats(code + message)
            ? " " + redactor.Words(code + message)
            : (string.IsNullOrWhiteSpace(code) ? string.Empty : " " + redactor.Words(code)) + (string.IsNullOrWhiteSpace(message) ? string.Empty : $" '{redactor.Words(message)}'");
    }
}
