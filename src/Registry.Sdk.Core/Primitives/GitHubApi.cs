using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// Our own client of GitHub's REST API, with the registry's secret. Who owns what is asked once per run; everything else each time. Source: wire-facts 3.
/// </summary>
internal sealed class GitHubApi(ServiceApi api, Func<CancellationToken, Task<Credential?>> findCredential, ConcurrentDictionary<string, Lazy<Task<ApiReading<GitHubOwner>>>> owners) : IGitHubApi
{
    private const string Service = "GitHub's API";

    private static readonly KeyValuePair<string, string>[] Headers = [new("Accept", "application/vnd.github+json"), new("X-GitHub-Api-Version", "2022-11-28")];
    private static readonly string[] Visibilities = ["public", "private", "internal"];

    /// <inheritdoc/>
    public async Task<ApiReading<GitHubOwner>> FindOwnerAsync(string login, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(login);
        while (true)
        {
            var asked = owners.GetOrAdd(login, _ => new(() => AskOwnerAsync(login, cancellationToken)));
            ApiReading<GitHubOwner>? reading = null;
            try
            {
                return reading = await asked.Value.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                // Who asked first has given up; we have not.
            }
            finally
            {
                if (reading?.Verdict is not (ApiVerdict.Found or ApiVerdict.NotFound))
                {
                    owners.TryRemove(KeyValuePair.Create(login, asked));
                }
            }
        }
    }

    /// <inheritdoc/>
    public async Task<ApiReading<GitHubPackage>> FindPackageAsync(GitHubOwner owner, string name, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(owner);
        ArgumentNullException.ThrowIfNull(name);
        var (credential, problem) = await CredentialAsync(cancellationToken).ConfigureAwait(false);
        if (credential is null)
        {
            // There is no anonymous read of packages, public ones included.
            return new(ApiVerdict.NotAsked, null, problem, null);
        }

        var path = PackagePath(owner, name);
        if (GitHubToken.Is(credential.Password, GitHubToken.FineGrained))
        {
            return new(ApiVerdict.Refused, null, FineGrained(credential), api.NotSent(HttpMethod.Get, path, "not asked: a fine-grained token can't read packages").Evidence());
        }

        var answer = await GetAsync(path, credential, cancellationToken).ConfigureAwait(false);
        return Read(answer, credential, package => package.Visibility + (package.Repository is null ? ", linked to no repository" : $", linked to {package.Repository}"), "visibility ", body =>
            string.Equals(StrictJson.Text(body, "name"), name, StringComparison.OrdinalIgnoreCase) && IsOwners(body, owner) && StrictJson.Text(body, "visibility") is { } visibility && Visibilities.Contains(visibility, StringComparer.Ordinal)
                ? new GitHubPackage(name, visibility, body.TryGetProperty("repository", out var linked) && linked.ValueKind == JsonValueKind.Object && StrictJson.Text(linked, "full_name") is { Length: > 0 } full ? api.Redactor.Words(full) : null)
                : null);
    }

    /// <inheritdoc/>
    public async Task<ApiReading<GitHubRepository>> FindRepositoryAsync(string fullName, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(fullName);
        var (credential, _) = await CredentialAsync(cancellationToken).ConfigureAwait(false);
        var answer = await GetAsync($"/repos/{string.Join('/', fullName.Split('/').Select(Uri.EscapeDataString))}", credential, cancellationToken).ConfigureAwait(false);
        return Read(answer, credential, repository => repository.Visibility, "repository ", body =>
        {
            // Older servers say private alone.
            var visibility = StrictJson.Text(body, "visibility")
                ?? (body.TryGetProperty("private", out var flag) && flag.ValueKind is JsonValueKind.True or JsonValueKind.False ? flag.GetBoolean() ? "private" : "public" : null);
            return StrictJson.Text(body, "full_name") is { Length: > 0 } name && visibility is not null && Visibilities.Contains(visibility, StringComparer.Ordinal) ? new GitHubRepository(api.Redactor.Words(name), visibility) : null;
        });
    }

    /// <inheritdoc/>
    public async Task<Evidence> TryMakePublicAsync(GitHubOwner owner, string name, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(owner);
        ArgumentNullException.ThrowIfNull(name);
        var path = PackagePath(owner, name);
        var (credential, problem) = await CredentialAsync(cancellationToken).ConfigureAwait(false);
        var answer = credential is null ? api.NotSent(HttpMethod.Patch, path, $"not sent: {problem}")
            : await api.SendAsync(HttpMethod.Patch, path, Bearer(credential), Headers, new JsonObject { ["visibility"] = "public" }, cancellationToken).ConfigureAwait(false);
        return answer.Evidence();
    }

    private async Task<ApiReading<GitHubOwner>> AskOwnerAsync(string login, CancellationToken cancellationToken)
    {
        var (credential, _) = await CredentialAsync(cancellationToken).ConfigureAwait(false);
        var path = $"/users/{Uri.EscapeDataString(login)}";
        var answer = await GetAsync(path, credential, cancellationToken).ConfigureAwait(false);
        if (answer.Status == 401 && credential is not null)
        {
            // Anyone may ask for it; a bad secret must not hide it.
            credential = null;
            answer = await GetAsync(path, credential, cancellationToken).ConfigureAwait(false);
        }

        if (answer is { Failure: null, Status: 404, Body: { } nothing } && StrictJson.Text(nothing, "documentation_url") is null)
        {
            // An owner that is not there stops a publish. GitHub's errors all name their documentation; what answers at containers.HOST's HOST may be no GitHub.
            return new(ApiVerdict.NoAnswer, null, $"{Service} answers 404, but not as GitHub does", answer.Evidence("but not as GitHub does"));
        }

        return Read(answer, credential, owner => owner.IsOrganization ? "an organisation" : "a user", string.Empty, body =>
            string.Equals(StrictJson.Text(body, "login"), login, StringComparison.OrdinalIgnoreCase) && StrictJson.Text(body, "type") is "User" or "Organization"
                ? new GitHubOwner(StrictJson.Text(body, "login")!, StrictJson.Text(body, "type") == "Organization")
                : null);
    }

    private Task<ServiceAnswer> GetAsync(string path, Credential? credential, CancellationToken cancellationToken)
        => api.AskAsync(HttpMethod.Get, path, credential is null ? null : Bearer(credential), Headers, null, cancellationToken);

    private static ApiReading<T> Read<T>(ServiceAnswer answer, Credential? credential, Func<T, string> say, string noun, Func<JsonElement, T?> parse)
        where T : class
    {
        if (answer.Failure is { } failure)
        {
            return new(ApiVerdict.NoAnswer, null, $"{Service} gives no answer that counts ({failure})", answer.Evidence());
        }

        var whose = credential is null ? "without a token" : $"to the token from {credential.Source}";
        switch (answer.Status)
        {
            case 200 when answer.Body is { } body && parse(body) is { } value:
                return new(ApiVerdict.Found, value, string.Empty, answer.Evidence(noun + say(value)));
            case 404:
                return new(ApiVerdict.NotFound, null, $"{Service} does not show it {whose} (404)", answer.Evidence());
            case 401:
                return new(ApiVerdict.Refused, null, credential is null ? $"{Service} wants a token (401)" : $"{Service} does not take the token from {credential.Source} (401{answer.Words}): it has expired, was revoked, or is none", answer.Evidence());
            case 403:
                return new(ApiVerdict.Refused, null, $"{Service} refuses {(credential is null ? "without a token" : $"the token from {credential.Source}")} (403{answer.Words}){Lacks(answer)}", answer.Evidence());
            case 200:
                return new(ApiVerdict.NoAnswer, null, $"{Service} answers 200 with something else than was asked for", answer.Evidence("something else than was asked for"));
            default:
                return new(ApiVerdict.NoAnswer, null, $"{Service} answers {answer.Status}{answer.Words}", answer.Evidence());
        }
    }

    // write:packages includes reading (wire-facts 3.6). What has no scopes to tell is no classic token.
    private static string Lacks(ServiceAnswer answer)
        => answer.Scopes is { } scopes && !scopes.Split(',', StringSplitOptions.TrimEntries).Any(s => s is "read:packages" or "write:packages") ? ": the token has no read:packages"
            : answer.Words.Contains("by integration", StringComparison.Ordinal) ? ": the job needs 'permissions: packages: read', or write to push"
            : string.Empty;

    private static string FineGrained(Credential credential)
        => $"{credential.Source} holds a fine-grained personal access token, which GitHub's packages do not take: make a classic one with write:packages";

    private static string PackagePath(GitHubOwner owner, string name)
        => $"/{(owner.IsOrganization ? "orgs" : "users")}/{Uri.EscapeDataString(owner.Login)}/packages/container/{Uri.EscapeDataString(name)}";

    // The description lets a package have no owner.
    private static bool IsOwners(JsonElement package, GitHubOwner owner)
        => !package.TryGetProperty("owner", out var named) || named.ValueKind != JsonValueKind.Object || StrictJson.Text(named, "login") is not { } login || string.Equals(login, owner.Login, StringComparison.OrdinalIgnoreCase);

    private static AuthenticationHeaderValue Bearer(Credential credential) => new("Bearer", credential.Password.Reveal());

    private async Task<(Credential? Credential, string Problem)> CredentialAsync(CancellationToken cancellationToken)
    {
        try
        {
            var credential = await findCredential(cancellationToken).ConfigureAwait(false);
            return credential switch
            {
                null => (null, $"there is no credential to ask {Service} with"),
                _ when !api.TakesSecrets => (null, $"{Service} is at a plain http address, to which no credential is sent"),
                { Kind: not CredentialKind.Password } => (null, $"{credential.Source} holds no token that {Service} takes"),
                // RFC 6750, 2.1: what can't stand in a header is no token.
                _ when credential.Password.Reveal().AsSpan().ContainsAnyExceptInRange('!', '~') => (null, $"{credential.Source} holds characters that no token has"),
                _ => (credential, string.Empty),
            };
        }
        catch (CredentialException e)
        {
            return (null, e.Message);
        }
    }
}
