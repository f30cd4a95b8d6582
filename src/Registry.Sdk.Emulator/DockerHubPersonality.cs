using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Registry.Sdk.Emulator;

/// <summary>docker.io as wire-facts section 4 has it.</summary>
internal sealed class DockerHubPersonality : Personality
{
    private const string Service = "registry.docker.io";
    private const int PullWindowSeconds = 6 * 60 * 60;
    private const string RateLimitPreview = "ratelimitpreview/test";

    private readonly DockerHubWorld _world;
    private readonly TokenService _tokens;
    private readonly BlobOrigin _blobs;
    private readonly DockerHubApi _api;
    private readonly ConcurrentDictionary<string, int> _pulls = new(StringComparer.Ordinal);

    public DockerHubPersonality(EmulatorOptions options, RegistryStore store, TokenService tokens, BlobOrigin blobs)
    {
        _world = options.DockerHub;
        _tokens = tokens;
        _blobs = blobs;
        Repositories = new DockerHubRepositories(store, _world, options.StateDirectory);
        _api = new DockerHubApi(_world, Repositories, store, tokens);
        AddRateLimitPreview(store);
    }

    public DockerHubRepositories Repositories { get; }

    public override bool AllowsDelete => _world.AllowRegistryDelete;

    public override bool ServesReferrers => _world.Referrers == DockerHubReferrers.Served;

    public override bool ClaimsReferrers => _world.Referrers != DockerHubReferrers.Missing;

    public override async Task<bool> TryAnswerAsync(HttpContext context)
    {
        if (context.Request.Path == "/token")
        {
            await (HttpMethods.IsPost(context.Request.Method) ? AnswerOAuthAsync(context) : AnswerTokenAsync(context));
            return true;
        }

        return await _api.TryAnswerAsync(context);
    }

    public override void Authorize(HttpContext context, string? repository, EmulatorRights needed)
    {
        var (secret, token) = Resolve(context, repository, needed);
        if (repository is null)
        {
            return;
        }

        // The token service gave a token for whatever was asked; here it turns out what it is good for.
        var allowed = token.Covers(repository, needed)
            && (needed == EmulatorRights.Push ? Repositories.CanPush(secret, repository) : Repositories.CanRead(secret, repository) || (token.Covers(repository, EmulatorRights.Push) && Repositories.CanPush(secret, repository)));
        if (!allowed)
        {
            throw Challenge(context, repository, needed, "insufficient_scope");
        }
    }

    public override bool MayMount(HttpContext context, string target, string source)
    {
        var (secret, token) = Resolve(context, target, EmulatorRights.Push);
        return token.Covers(source, EmulatorRights.Pull) && Repositories.CanRead(secret, source)
            ? true
            : throw Challenge(context, source, EmulatorRights.Pull, "insufficient_scope");
    }

    public override bool Knows(string name, bool stored) => stored || Repositories.Find(name) is not null;

    public override void BeforeServing(HttpContext context, string name, StoredManifest manifest)
    {
        var (secret, _) = Resolve(context, name, EmulatorRights.Pull);
        var limit = secret is null ? _world.AnonymousPulls : Repositories.FindNamespace(secret.User) is { UnlimitedPulls: true } ? null : _world.PersonalPulls;
        if (limit is not { } most)
        {
            return;
        }

        var source = secret?.User ?? context.Connection.RemoteIpAddress?.ToString() ?? "";
        var counts = HttpMethods.IsGet(context.Request.Method);
        var pulls = counts ? _pulls.AddOrUpdate(source, 1, (_, before) => before + 1) : _pulls.GetValueOrDefault(source);
        context.Response.Headers["ratelimit-limit"] = string.Create(CultureInfo.InvariantCulture, $"{most};w={PullWindowSeconds}");
        context.Response.Headers["ratelimit-remaining"] = string.Create(CultureInfo.InvariantCulture, $"{Math.Max(0, most - pulls)};w={PullWindowSeconds}");
        context.Response.Headers["docker-ratelimit-source"] = source;
        if (counts && pulls > most)
        {
            throw new RegistryException(
                StatusCodes.Status429TooManyRequests,
                ErrorCode.TooManyRequests,
                "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit");
        }
    }

    public override void BeforeStoring(HttpContext context, string name, string? tag, string digest)
    {
        if (tag is not null && Repositories.Find(name) is { } repository && _api.CurrentDigest(name, tag) is { } current && current != digest && DockerHubApi.IsImmutable(repository, tag))
        {
            // The real body is unknown; only that the push is refused.
            throw new RegistryException(StatusCodes.Status400BadRequest, ErrorCode.ManifestInvalid, $"tag '{tag}' is immutable");
        }
    }

    public override void Stored(HttpContext context, string name, string? tag, StoredManifest manifest) => Repositories.Stored(name);

    public override string? RedirectBlob(HttpContext context, string digest) => _blobs.UrlOf(digest);

    public override GitHubVisibility? VisibilityOf(string name) =>
        Repositories.Find(name) is { } repository ? repository.IsPrivate ? GitHubVisibility.Private : GitHubVisibility.Public : null;

    public override void Click(SettingsClick click)
    {
        if (click.Delete)
        {
            Repositories.Delete(click.Repository);
        }
        else if (click.Visibility is GitHubVisibility.Public or GitHubVisibility.Private)
        {
            Repositories.Change(click.Repository, repository => repository.IsPrivate = click.Visibility == GitHubVisibility.Private);
        }
        else
        {
            throw new InvalidOperationException("Docker Hub's settings know public, private and delete");
        }
    }

    public override string? IdentifyAccount(string authorization)
    {
        if (Credentials.FromHeader(authorization) is not { } credentials)
        {
            return null;
        }

        return _tokens.Find(credentials.Secret) is { } token
            ? token.Account ?? "anonymous"
            : _world.Secrets.FirstOrDefault(secret => secret.Value.Value == credentials.Secret).Key;
    }

    public override IEnumerable<KeyValuePair<string, string>> KnownSecrets() =>
        _world.Secrets.Select(secret => KeyValuePair.Create(secret.Key, secret.Value.Value)).Concat(_tokens.Secrets());

    private static RegistryException Challenge(HttpContext context, string? repository, EmulatorRights needed, string? error)
    {
        var push = needed == EmulatorRights.Push;
        context.Response.Headers.WWWAuthenticate =
            $"Bearer realm=\"{context.Request.Scheme}://{context.Request.Host}/token\",service=\"{Service}\""
            + (repository is null ? "" : $",scope=\"repository:{repository}:{(push ? "pull,push" : "pull")}\"")
            + (error is null ? "" : $",error=\"{error}\"");
        return push && error == "insufficient_scope"
            ? new RegistryException(StatusCodes.Status401Unauthorized, ErrorCode.Denied, "requested access to the resource is denied")
            : new RegistryException(StatusCodes.Status401Unauthorized, ErrorCode.Unauthorized, "authentication required");
    }

    private static async Task WriteTokenErrorAsync(HttpContext context, string details) =>
        await ApiAnswer.WriteAsync(context, StatusCodes.Status401Unauthorized, new { details });

    private (DockerHubSecret? Secret, IssuedToken Token) Resolve(HttpContext context, string? repository, EmulatorRights needed)
    {
        var credentials = Credentials.FromHeader(context.Request.Headers.Authorization);
        if (credentials is not { UserName: null })
        {
            throw Challenge(context, repository, needed, error: null);
        }

        if (_tokens.Find(credentials.Secret, TokenUse.Registry) is not { IsExpired: false } token)
        {
            throw Challenge(context, repository, needed, "invalid_token");
        }

        return (token.Account is null ? null : _world.Secrets[token.Account], token);
    }

    private async Task AnswerTokenAsync(HttpContext context)
    {
        (string Name, DockerHubSecret Secret)? account = null;
        string? header = context.Request.Headers.Authorization;
        if (!string.IsNullOrEmpty(header))
        {
            account = Credentials.FromHeader(header) is { UserName: { } user } credentials ? Repositories.LogIn(user, credentials.Secret) : null;
            if (account is null)
            {
                await WriteTokenErrorAsync(context, "incorrect username or password");
                return;
            }
        }

        await WriteTokenAsync(context, account?.Name, TokenScope.Parse(context.Request.Query["scope"]), refreshToken: null);
    }

    private async Task AnswerOAuthAsync(HttpContext context)
    {
        var form = context.Request.HasFormContentType ? await context.Request.ReadFormAsync(context.RequestAborted) : FormCollection.Empty;
        string? name = null;
        switch (form["grant_type"].ToString())
        {
            case "password":
                name = Repositories.LogIn(form["username"].ToString(), form["password"].ToString())?.Name;
                break;
            case "refresh_token":
                var given = form["refresh_token"].ToString();
                name = _tokens.Find(given, TokenUse.Refresh)?.Account
                    ?? _world.Secrets.FirstOrDefault(secret => secret.Value is { Kind: DockerHubSecretKind.IdentityToken, Expired: false } && secret.Value.Value == given).Key;
                break;
        }

        if (name is null)
        {
            await WriteTokenErrorAsync(context, "incorrect username or password");
            return;
        }

        var scopes = TokenScope.Parse(form["scope"]);
        await WriteTokenAsync(context, name, scopes, form["access_type"] == "offline" ? _tokens.Issue(TokenUse.Refresh, name, []) : null);
    }

    private Task WriteTokenAsync(HttpContext context, string? account, IReadOnlyList<TokenScope> scopes, string? refreshToken)
    {
        var token = _tokens.Issue(TokenUse.Registry, account, scopes);
        var answer = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["token"] = token,
            ["access_token"] = token,
            ["expires_in"] = (int)_tokens.Lifetime.TotalSeconds,
            ["issued_at"] = DateTimeOffset.UtcNow.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture),
        };
        if (refreshToken is not null)
        {
            answer["refresh_token"] = refreshToken;
        }

        return ApiAnswer.WriteAsync(context, StatusCodes.Status200OK, answer);
    }

    // Docker's own repository for asking how many pulls are left.
    private void AddRateLimitPreview(RegistryStore store)
    {
        var config = "{}"u8.ToArray();
        var digest = ImageReference.DigestOf(config);
        var partial = store.NewPartialFile();
        File.WriteAllBytes(partial, config);
        store.AddBlob(RateLimitPreview, digest, partial);
        var manifest = Encoding.UTF8.GetBytes(
            $$"""{"schemaVersion":2,"mediaType":"{{ManifestReader.DockerManifest}}","config":{"mediaType":"application/vnd.docker.container.image.v1+json","size":{{config.Length}},"digest":"{{digest}}"},"layers":[]}""");
        store.PutManifest(RateLimitPreview, new StoredManifest(ImageReference.DigestOf(manifest), ManifestReader.DockerManifest, manifest), "latest", subject: null, () => { });
        if (Repositories.Find(RateLimitPreview) is null)
        {
            Repositories.Create(RateLimitPreview, isPrivate: false);
        }
    }
}
