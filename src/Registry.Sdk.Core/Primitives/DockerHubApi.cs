using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json.Nodes;

namespace Registry.Sdk.Core.Primitives;

/// <summary>Our client of Docker Hub's API, with the registry's user and secret. Logs in once per run. Source: wire-facts 4.3.</summary>
/// <param name="api">Requests to hub.docker.com.</param>
/// <param name="findCredential">The registry's credential.</param>
/// <param name="logins">What logging in came to, by user, source and secret; shared by the clients of one run and one registry name.</param>
internal sealed class DockerHubApi(ServiceApi api, Func<CancellationToken, Task<Credential?>> findCredential, ConcurrentDictionary<string, AuthenticationHeaderValue> logins) : IDockerHubApi
{
    private const string Service = "Docker Hub's API";

    private static readonly KeyValuePair<string, string>[] Headers = [new("Accept", "application/json")];

    /// <inheritdoc/>
    public async Task<ApiReading<DockerHubRepository>> FindAsync(string name, CancellationToken cancellationToken)
    {
        if (Path(name) is not { } path)
        {
            return NoName(name);
        }

        var (login, refusal) = await LogInAsync(cancellationToken).ConfigureAwait(false);
        var answer = await AskAsync(HttpMethod.Get, path, login, null, cancellationToken).ConfigureAwait(false);
        if (answer.Status == 401 && login is not null)
        {
            // A login ends while a click is waited for.
            foreach (var ended in logins.Where(l => ReferenceEquals(l.Value, login)))
            {
                logins.TryRemove(ended);
            }

            (login, refusal) = await LogInAsync(cancellationToken).ConfigureAwait(false);
            answer = await AskAsync(HttpMethod.Get, path, login, null, cancellationToken).ConfigureAwait(false);
        }

        // Public ones anybody may see; of the others only the login's failure says why they are not shown. Who has none does not know that it is missing.
        var reading = Read(answer, name, login is not null);
        return reading.Verdict == ApiVerdict.Found || refusal is null ? reading
            : refusal.Verdict != ApiVerdict.NotAsked ? refusal
            : reading.Verdict == ApiVerdict.NotFound ? refusal with { Evidence = reading.Evidence } : reading;
    }

    /// <inheritdoc/>
    public async Task<ApiReading<DockerHubRepository>> CreateAsync(string name, bool isPrivate, CancellationToken cancellationToken)
    {
        if (Path(name) is null)
        {
            return NoName(name);
        }

        var (login, refusal) = await LogInAsync(cancellationToken).ConfigureAwait(false);
        if (login is null)
        {
            return refusal!;
        }

        var parts = name.Split('/');
        var body = new JsonObject { ["namespace"] = parts[0], ["name"] = parts[1], ["description"] = string.Empty, ["registry"] = "docker.io", ["is_private"] = isPrivate };
        return Read(await SendAsync(HttpMethod.Post, $"/v2/namespaces/{parts[0]}/repositories", login, body, cancellationToken).ConfigureAwait(false), name, isKnown: true);
    }

    /// <inheritdoc/>
    public async Task<Evidence> TryChangeAsync(string name, bool isPrivate, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(name);

        // With the slash at the end: without it a redirect loses the method.
        var repository = $"/v2/repositories/{name}/";
        var (login, refusal) = await LogInAsync(cancellationToken).ConfigureAwait(false);
        if (login is null)
        {
            return refusal!.Evidence ?? api.NotSent(HttpMethod.Post, repository + "privacy/", $"not sent: {refusal.Why}").Evidence();
        }

        var first = await SendAsync(HttpMethod.Post, repository + "privacy/", login, new JsonObject { ["is_private"] = isPrivate }, cancellationToken).ConfigureAwait(false);
        if (first.Status != 404)
        {
            return first.Evidence();
        }

        var second = await SendAsync(HttpMethod.Patch, repository, login, new JsonObject { ["is_private"] = isPrivate }, cancellationToken).ConfigureAwait(false);
        var evidence = second.Evidence();
        return evidence with { Answer = $"{evidence.Answer} (and {first.Request} before it: {first.Evidence().Answer})" };
    }

    private Task<ServiceAnswer> SendAsync(HttpMethod method, string path, AuthenticationHeaderValue? login, JsonObject? body, CancellationToken cancellationToken)
        => api.SendAsync(method, path, login, Headers, body, cancellationToken);

    private Task<ServiceAnswer> AskAsync(HttpMethod method, string path, AuthenticationHeaderValue? login, JsonObject? body, CancellationToken cancellationToken)
        => api.AskAsync(method, path, login, Headers, body, cancellationToken);

    private async Task<(AuthenticationHeaderValue? Login, ApiReading<DockerHubRepository>? Refusal)> LogInAsync(CancellationToken cancellationToken)
    {
        Credential? credential;
        try
        {
            credential = await findCredential(cancellationToken).ConfigureAwait(false);
        }
        catch (CredentialException e)
        {
            return (null, new(ApiVerdict.NotAsked, null, e.Message, null));
        }

        if (credential is not { Kind: CredentialKind.Password } || !api.TakesSecrets)
        {
            var why = credential is null ? $"there is no credential to ask {Service} with"
                : api.TakesSecrets ? $"{credential.Source} holds no password or access token, which {Service} wants"
                : $"{Service} is at a plain http address, to which no credential is sent";
            return (null, new(ApiVerdict.NotAsked, null, why, null));
        }

        // A file may hold several secrets of one user, for different namespaces. The secret itself is no key.
        var key = $"{credential.Username} {credential.Source} {Digest.Of(Encoding.UTF8.GetBytes(credential.Password.Reveal()))}";
        if (logins.TryGetValue(key, out var known))
        {
            return (known, null);
        }

        var answer = await AskAsync(HttpMethod.Post, "/v2/auth/token", null, new JsonObject { ["identifier"] = credential.Username, ["secret"] = credential.Password.Reveal() }, cancellationToken).ConfigureAwait(false);
        if (answer is { Failure: null, Status: 200, Body: { } body } && StrictJson.Text(body, "access_token") is { Length: > 0 } token && !token.AsSpan().ContainsAnyExceptInRange('!', '~'))
        {
            api.Redactor.LearnToken(token);
            return (logins.GetOrAdd(key, new AuthenticationHeaderValue("Bearer", token)), null);
        }

        return (null, answer is { Failure: null, Status: 401 or 403 }
            ? new(ApiVerdict.Refused, null, $"{Service} refuses the login of '{credential.Username}' from {credential.Source} ({answer.Status}{answer.Words})", answer.Evidence())
            : new(ApiVerdict.NoAnswer, null, $"{Service} gives no answer to a login that counts ({answer.Failure ?? $"{answer.Status}{answer.Words}"})", answer.Evidence(answer.Status == 200 ? "no token" : string.Empty)));
    }

    private static ApiReading<DockerHubRepository> Read(ServiceAnswer answer, string name, bool isKnown)
    {
        if (answer.Failure is { } failure)
        {
            return new(ApiVerdict.NoAnswer, null, $"{Service} gives no answer that counts ({failure})", answer.Evidence());
        }

        switch (answer.Status)
        {
            case 200 or 201:
                return answer.Body is { } body && $"{StrictJson.Text(body, "namespace")}/{StrictJson.Text(body, "name")}" == name
                    && body.TryGetProperty("is_private", out var flag) && flag.ValueKind is System.Text.Json.JsonValueKind.True or System.Text.Json.JsonValueKind.False
                    ? new(ApiVerdict.Found, new(name, flag.GetBoolean()), string.Empty, answer.Evidence($"is_private {(flag.GetBoolean() ? "true" : "false")}"))
                    : new(ApiVerdict.NoAnswer, null, $"{Service} answers {answer.Status} with something else than was asked for", answer.Evidence("something else than was asked for"));
            case 404:
                return new(ApiVerdict.NotFound, null, isKnown ? $"{Service} does not show it to this account (404)" : $"{Service} does not show it without a login (404)", answer.Evidence());
            case 401 or 403:
                return new(ApiVerdict.Refused, null, $"{Service} refuses ({answer.Status}{answer.Words})", answer.Evidence());
            default:
                return new(ApiVerdict.NoAnswer, null, $"{Service} answers {answer.Status}{answer.Words}", answer.Evidence());
        }
    }

    private static string? Path(string name) => name.Split('/') is [var owner, var repository] ? $"/v2/namespaces/{owner}/repositories/{repository}" : null;

    private static ApiReading<DockerHubRepository> NoName(string name) => new(ApiVerdict.NotAsked, null, $"'{name}' is not namespace/name, which Docker Hub's repositories are", null);
}
