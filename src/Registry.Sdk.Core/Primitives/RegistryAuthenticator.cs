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

/// <summary>
/// Answers the challenges of one registry: Basic, and Bearer tokens by GET. Source: distribution «token.md»; RFC 7617; RFC 6750.
/// </summary>
/// <remarks>
/// The scope is always our own: GHCR's challenges name a placeholder, or pull alone. A token server may grant less than asked without saying so,
/// so success here proves nothing (wire-facts 1.3). Identity tokens (OAuth2 POST) are issue 4.
/// </remarks>
internal sealed class RegistryAuthenticator(RegistryEndpoint endpoint, ICredentialSource credentials, HttpMessageInvoker http) : IDisposable
{
    // Token servers that belong to a registry although their host differs (their own documentation says so).
    private static readonly Dictionary<string, string> BuiltInRealms = new(StringComparer.Ordinal)
    {
        ["docker.io"] = "auth.docker.io",
        ["registry.gitlab.com"] = "gitlab.com",
    };

    private readonly ConcurrentDictionary<(string Repository, bool Push, string? MountFrom), (AuthenticationHeaderValue Header, DateTimeOffset Expires)> _tokens = new();
    private readonly SemaphoreSlim _gate = new(1, 1);
    private AuthenticationHeaderValue? _basic;
    private bool _isBearer;

    /// <summary>Where the credential in use came from; null while anonymous.</summary>
    public string? CredentialSource { get; private set; }

    /// <summary>What to send without having been asked: what worked before for this scope.</summary>
    /// <remarks>
    /// A token for pushing reads as well, and is preferred for it: GHCR refuses to issue one for pulling alone from a package that does not exist yet.
    /// </remarks>
    public AuthenticationHeaderValue? Current(TokenScope scope)
        => !_isBearer ? _basic : Token((scope.Repository, true, scope.MountFrom)) ?? (scope.Push ? null : Token((scope.Repository, false, scope.MountFrom)));

    private AuthenticationHeaderValue? Token((string Repository, bool Push, string? MountFrom) key)
        => _tokens.TryGetValue(key, out var token) && token.Expires > DateTimeOffset.UtcNow ? token.Header : null;

    /// <inheritdoc/>
    public void Dispose() => _gate.Dispose();

    /// <summary>Answers a 401.</summary>
    /// <returns>The header to send, or null where only anonymity is possible and has already been tried.</returns>
    /// <exception cref="RegistryException">Nothing can be answered.</exception>
    public async Task<AuthenticationHeaderValue> AnswerAsync(
        IEnumerable<AuthenticationHeaderValue> challenges, TokenScope scope, RepositoryReference repository, AuthenticationHeaderValue? refused, CancellationToken cancellationToken)
    {
        var offered = challenges.ToList();
        await _gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            // Another request may have answered the same challenge meanwhile.
            if (Current(scope) is { } current && !Equals(current, refused))
            {
                return current;
            }

            var credential = await credentials.FindAsync(endpoint, repository, cancellationToken).ConfigureAwait(false);
            if (offered.Find(c => string.Equals(c.Scheme, "Bearer", StringComparison.OrdinalIgnoreCase)) is { } bearer)
            {
                return await BearerAsync(bearer, scope, credential, refused, cancellationToken).ConfigureAwait(false);
            }

            if (!offered.Exists(c => string.Equals(c.Scheme, "Basic", StringComparison.OrdinalIgnoreCase)))
            {
                var asked = offered.Count == 0 ? "without saying what it wants (no WWW-Authenticate)" : $"and wants {string.Join(", ", offered.Select(c => c.Scheme))}";
                throw new RegistryException(
                    credential is null ? RegistryFailure.CredentialsMissing : RegistryFailure.AuthNotSupported,
                    endpoint.Host,
                    $"{endpoint.Host} answers 401 {asked}.");
            }

            if (credential is null)
            {
                throw Missing();
            }

            if (refused is not null)
            {
                throw Refused(credential);
            }

            if (credential.Kind == CredentialKind.IdentityToken)
            {
                throw new RegistryException(RegistryFailure.AuthNotSupported, endpoint.Host, $"{endpoint.Host} wants Basic authentication, but {credential.Source} holds an identity token. Log in with user name and password.");
            }

            CredentialSource = credential.Source;
            return _basic = BasicHeader(credential);
        }
        finally
        {
            _gate.Release();
        }
    }

    private async Task<AuthenticationHeaderValue> BearerAsync(
        AuthenticationHeaderValue challenge, TokenScope scope, Credential? credential, AuthenticationHeaderValue? refused, CancellationToken cancellationToken)
    {
        var parameters = ChallengeParameters.Parse(challenge.Parameter ?? string.Empty);
        if (!parameters.TryGetValue("realm", out var realmText) || !Uri.TryCreate(realmText, UriKind.Absolute, out var realm))
        {
            throw new RegistryException(RegistryFailure.NotARegistry, endpoint.Host, $"{endpoint.Host} asks for a Bearer token without naming a token server (realm).");
        }

        if (refused is not null && (credential is null || parameters.GetValueOrDefault("error") is not "invalid_token"))
        {
            // A fresh token was not enough: more of the same would not be either.
            throw credential is null ? Missing() : new RegistryException(
                RegistryFailure.Denied, endpoint.Host, $"{endpoint.Host} does not give {(scope.Push ? "push" : "pull")} access to {scope.Repository} with the credentials from {credential.Source}.");
        }

        EnsureTrusted(realm);
        if (credential?.Kind == CredentialKind.IdentityToken)
        {
            throw new RegistryException(RegistryFailure.AuthNotSupported, endpoint.Host, $"{credential.Source} holds an identity token for {endpoint.Host}, which this version can't use yet. Log in with a personal access token.");
        }

        // Anonymously only pulling can be granted; GHCR refuses to be asked for more.
        var scopes = new List<string> { $"repository:{scope.Repository}:{(scope.Push && credential is not null ? "pull,push" : "pull")}" };
        if (scope.MountFrom is not null)
        {
            scopes.Add($"repository:{scope.MountFrom}:pull");
        }

        var query = new StringBuilder(realm.Query.Length > 1 ? realm.Query[1..] + "&" : string.Empty);
        if (parameters.TryGetValue("service", out var service))
        {
            query.Append("service=").Append(Uri.EscapeDataString(service)).Append('&');
        }

        query.AppendJoin('&', scopes.Select(s => "scope=" + Uri.EscapeDataString(s)));
        using var request = new HttpRequestMessage(HttpMethod.Get, new UriBuilder(realm) { Query = query.ToString() }.Uri);
        request.Headers.Accept.ParseAdd("application/json");
        if (credential is not null)
        {
            request.Headers.Authorization = BasicHeader(credential);
            CredentialSource = credential.Source;
        }

        using var response = await SendTokenRequestAsync(request, realm, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode is HttpStatusCode.Unauthorized or HttpStatusCode.Forbidden)
        {
            throw credential is null ? Missing() : Refused(credential);
        }

        if (!response.IsSuccessStatusCode)
        {
            throw new RegistryException(RegistryFailure.Rejected, endpoint.Host, $"The token server {realm.Host} answers {(int)response.StatusCode}.");
        }

        var token = await ReadTokenAsync(response, realm, cancellationToken).ConfigureAwait(false);
        _isBearer = true;
        _tokens[(scope.Repository, scope.Push, scope.MountFrom)] = token;
        return token.Header;
    }

    private async Task<HttpResponseMessage> SendTokenRequestAsync(HttpRequestMessage request, Uri realm, CancellationToken cancellationToken)
    {
        try
        {
            using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
            timeout.CancelAfter(TimeSpan.FromSeconds(60));
            return await http.SendAsync(request, timeout.Token).ConfigureAwait(false);
        }
        catch (Exception e) when (e is HttpRequestException or IOException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            throw new RegistryException(RegistryFailure.Unreachable, endpoint.Host, $"The token server {realm.Host} can't be reached: {RegistryClient.Explain(e)}", e);
        }
    }

    private async Task<(AuthenticationHeaderValue Header, DateTimeOffset Expires)> ReadTokenAsync(HttpResponseMessage response, Uri realm, CancellationToken cancellationToken)
    {
        var bytes = await RegistryClient.ReadBoundedAsync(response, 1 << 20, endpoint.Host, cancellationToken).ConfigureAwait(false);
        try
        {
            using var json = StrictJson.Document(bytes);
            var root = json.RootElement;
            var token = Text(root, "token") ?? Text(root, "access_token");
            if (string.IsNullOrEmpty(token))
            {
                throw new RegistryException(RegistryFailure.NotARegistry, endpoint.Host, $"The token server {realm.Host} answers without a token.");
            }

            // Absent means 60 seconds (token.md); a margin keeps a token from running out on its way.
            var seconds = root.TryGetProperty("expires_in", out var expires) && expires.TryGetInt32(out var value) ? value : 60;
            return (new("Bearer", token), DateTimeOffset.UtcNow.AddSeconds(Math.Max(0, seconds - 10)));
        }
        catch (Exception e) when (e is JsonException or FormatException or InvalidOperationException)
        {
            throw new RegistryException(RegistryFailure.NotARegistry, endpoint.Host, $"The token server {realm.Host} does not answer with JSON.", e);
        }

        static string? Text(JsonElement e, string name) => e.TryGetProperty(name, out var v) && v.ValueKind == JsonValueKind.String ? v.GetString() : null;
    }

    // A registry must not be able to send a secret wherever it likes: only to itself and to token servers known to be its own.
    private void EnsureTrusted(Uri realm)
    {
        var registry = endpoint.BaseAddress;
        var sameHost = string.Equals(realm.Host, registry.Host, StringComparison.OrdinalIgnoreCase);
        var loopback = endpoint.IsLoopback && RegistryHost.IsLoopbackName(realm.Host);
        // By the party that the credential belongs to: a mirror may not send what is its own to the original host's token server.
        var builtIn = BuiltInRealms.TryGetValue(endpoint.CredentialHost, out var known) && string.Equals(known, realm.Host, StringComparison.OrdinalIgnoreCase);
        var byUser = credentials.TrustedRealmHosts(endpoint).Any(h => string.Equals(h, realm.Authority, StringComparison.OrdinalIgnoreCase) || string.Equals(h, realm.Host, StringComparison.OrdinalIgnoreCase));
        var secure = realm.Scheme == Uri.UriSchemeHttps || loopback || (realm.Scheme == Uri.UriSchemeHttp && endpoint.IsInsecure && sameHost);
        if (!secure || !(sameHost || loopback || builtIn || byUser))
        {
            throw new RegistryException(
                RegistryFailure.AuthNotSupported,
                endpoint.Host,
                $"{endpoint.Host} names the token server {realm.Scheme}://{realm.Authority}, which is not known to be its own; nothing was sent there. If it is, add <RegistrySdkCredential Include=\"{endpoint.CredentialHost}\" RealmHost=\"{realm.Authority}\" />.");
        }
    }

    private RegistryException Missing() => new(
        RegistryFailure.CredentialsMissing, endpoint.Host, $"{endpoint.Host} wants credentials, and none were found (RegistrySdkCredential items, environment variables, docker and podman configuration).");

    private RegistryException Refused(Credential credential) => new(
        RegistryFailure.CredentialsRefused, endpoint.Host, $"{endpoint.Host} refuses the credentials of user '{credential.Username}' from {credential.Source}.{CredentialHints.Of(credential, endpoint, RegistryFailure.CredentialsRefused)}");

    private static AuthenticationHeaderValue BasicHeader(Credential credential)
        => new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credential.Username}:{credential.Password.Reveal()}")));
}

/// <summary>The parameters of one challenge. Source: RFC 9110, 11.2 (auth-param).</summary>
internal static class ChallengeParameters
{
    /// <summary>Reads <c>name=token</c> and <c>name="quoted, with commas"</c>; names ignore case; what can't be read is skipped.</summary>
    public static IReadOnlyDictionary<string, string> Parse(string text)
    {
        var result = new Dictionary<string, string>(StringComparer.OrdinalIgnoreCase);
        var i = 0;
        while (i < text.Length)
        {
            while (i < text.Length && (text[i] == ',' || char.IsWhiteSpace(text[i])))
            {
                i++;
            }

            var equals = text.IndexOf('=', i);
            if (equals < 0)
            {
                break;
            }

            var name = text[i..equals].Trim();
            i = equals + 1;
            while (i < text.Length && char.IsWhiteSpace(text[i]))
            {
                i++;
            }

            var value = new StringBuilder();
            if (i < text.Length && text[i] == '"')
            {
                for (i++; i < text.Length && text[i] != '"'; i++)
                {
                    if (text[i] == '\\' && i + 1 < text.Length)
                    {
                        i++;
                    }

                    value.Append(text[i]);
                }

                i++;
            }
            else
            {
                for (; i < text.Length && text[i] != ','; i++)
                {
                    value.Append(text[i]);
                }
            }

            result.TryAdd(name, value.ToString().TrimEnd());
        }

        return result;
    }
}
