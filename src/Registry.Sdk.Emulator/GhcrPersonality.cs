using System.Text;
using System.Text.Json;

namespace Registry.Sdk.Emulator;

/// <summary>ghcr.io as wire-facts sections 2 and 3 have it.</summary>
internal sealed class GhcrPersonality : Personality
{
    private const string Service = "ghcr.io";
    private const string Refused = "requested access to the resource is denied";
    private const long MaxChunk = 4 * 1024 * 1024;

    private readonly RegistryStore _store;
    private readonly GitHubWorld _world;
    private readonly TokenService _tokens;
    private readonly BlobOrigin _blobs;
    private readonly GitHubApi _api;

    public GhcrPersonality(EmulatorOptions options, RegistryStore store, TokenService tokens, BlobOrigin blobs)
    {
        _store = store;
        _world = options.GitHub;
        _tokens = tokens;
        _blobs = blobs;
        Packages = new GitHubPackages(store, _world, options.StateDirectory);
        Access = new GhcrAccess(_world, Packages);
        _api = new GitHubApi(_world, Packages, Access);
    }

    public GitHubPackages Packages { get; }

    public GhcrAccess Access { get; }

    public override string UploadFolder => "upload";

    public override bool UploadsCarryState => false;

    public override long? MaxRangedChunk => MaxChunk;

    public override bool AllowsDelete => false;

    public override bool AllowsUploadCancel => false;

    public override bool ServesReferrers => false;

    public override bool ClaimsReferrers => false;

    public override int? TagPageSize => 100;

    public override bool NullForNoTags => true;

    public override async Task<bool> TryAnswerAsync(HttpContext context)
    {
        if (context.Request.Path == "/token")
        {
            await AnswerTokenAsync(context);
            return true;
        }

        return await _api.TryAnswerAsync(context);
    }

    public override void Authorize(HttpContext context, string? repository, EmulatorRights needed)
    {
        string? header = context.Request.Headers.Authorization;
        if (string.IsNullOrEmpty(header))
        {
            throw Challenge(context, repository, error: null);
        }

        var caller = Resolve(context, repository, header);
        if (repository is null)
        {
            return;
        }

        if (!caller.Covers(repository, needed))
        {
            throw Denied(Refused);
        }

        if (needed == EmulatorRights.Push)
        {
            if (Access.RefusePush(caller.Secret, repository) is { } reason)
            {
                throw Denied(reason);
            }
        }
        else if (!Access.CanRead(caller.Secret, repository) && Access.RefusePush(caller.Secret, repository) is not null)
        {
            throw _world.PrivateAnswer is GhcrPrivateAnswer.UnauthorizedAtToken or GhcrPrivateAnswer.UnauthorizedAtResource && Packages.Find(repository) is not null
                ? Challenge(context, repository, error: null)
                : Denied(Refused);
        }
    }

    public override bool MayMount(HttpContext context, string target, string source)
    {
        var caller = Resolve(context, target, context.Request.Headers.Authorization.ToString());
        return caller.Covers(source, EmulatorRights.Pull) && Access.CanRead(caller.Secret, source);
    }

    // Whoever came so far may know that the package exists, or may make it: then it is the manifest that is missing.
    public override bool Knows(string name, bool stored) => stored || Packages.Find(name) is not null;

    public override void BeforeServing(HttpContext context, string name, StoredManifest manifest)
    {
        if (manifest.MediaType is ManifestReader.OciIndex or ManifestReader.DockerList
            && !context.Request.Headers.Accept.ToString().Contains(manifest.MediaType, StringComparison.OrdinalIgnoreCase))
        {
            throw new RegistryException(
                StatusCodes.Status404NotFound, ErrorCode.ManifestUnknown, "OCI index found, but Accept header does not support OCI indexes");
        }
    }

    public override void Stored(HttpContext context, string name, string? tag, StoredManifest manifest)
    {
        string? header = context.Request.Headers.Authorization;
        var secret = string.IsNullOrEmpty(header) ? null : Resolve(context, name, header).Secret;
        Packages.Stored(name, manifest.Digest, tag, package => Access.Create(package, secret, SourceOf(manifest)));
    }

    public override IReadOnlyList<string> Order(string name, IReadOnlyList<string> tags) => Packages.Find(name)?.Tags ?? [];

    public override string? RedirectBlob(HttpContext context, string digest) => _blobs.UrlOf(digest);

    public override GitHubVisibility? VisibilityOf(string name) => Packages.Find(name)?.Visibility;

    public override void Click(SettingsClick click)
    {
        if (click.Delete)
        {
            Packages.Delete(click.Repository);
            return;
        }

        Packages.Change(click.Repository, package =>
        {
            if (click.GrantTo is { } repository)
            {
                package.RepositoryRights[repository] = click.Right;
            }

            if (click.Visibility is not { } visibility || visibility == package.Visibility)
            {
                return;
            }

            var owner = Packages.FindOwner(package.Owner);
            package.Visibility = package.Visibility == GitHubVisibility.Public ? throw new InvalidOperationException("a public package cannot be made private again")
                : visibility == GitHubVisibility.Public && owner is { AllowPublicPackages: false } ? throw new InvalidOperationException("the organisation does not allow public packages")
                : visibility == GitHubVisibility.Internal && owner?.Kind != GitHubOwnerKind.Organization ? throw new InvalidOperationException("only an organisation's package can be internal")
                : visibility;
        });
    }

    public override string? IdentifyAccount(string authorization)
    {
        if (Credentials.FromHeader(authorization) is not { } credentials)
        {
            return null;
        }

        return _tokens.Find(credentials.Secret) is { } token ? token.Account ?? "anonymous"
            : Access.Find(credentials.Secret) is { } direct ? direct.Name
            : credentials.UserName is null && Shortcut(credentials.Secret) is { } text && Access.Find(text) is { } packed ? packed.Name
            : null;
    }

    public override IEnumerable<KeyValuePair<string, string>> KnownSecrets() =>
        _world.Secrets.Select(secret => KeyValuePair.Create(secret.Key, secret.Value.Value)).Concat(_tokens.Secrets());

    private static RegistryException Denied(string message) => new(StatusCodes.Status403Forbidden, ErrorCode.Denied, message);

    // The ping's scope is a placeholder and every other names pull only, whatever was wanted.
    private static RegistryException Challenge(HttpContext context, string? repository, string? error)
    {
        context.Response.Headers.WWWAuthenticate =
            $"Bearer realm=\"{context.Request.Scheme}://{context.Request.Host}/token\",service=\"{Service}\",scope=\"repository:{repository ?? "user/image"}:pull\""
            + (error is null ? "" : $",error=\"{error}\"");
        return new RegistryException(StatusCodes.Status401Unauthorized, ErrorCode.Unauthorized, "authentication required");
    }

    // What GHCR takes for a token: base64 of a secret, or of "user:secret".
    private static string? Shortcut(string bearer)
    {
        var bytes = new byte[bearer.Length];
        if (!Convert.TryFromBase64String(bearer, bytes, out var count))
        {
            return null;
        }

        var text = Encoding.UTF8.GetString(bytes, 0, count);
        var colon = text.IndexOf(':', StringComparison.Ordinal);
        return colon < 0 ? text : text[(colon + 1)..];
    }

    private Caller Resolve(HttpContext context, string? repository, string header)
    {
        var credentials = Credentials.FromHeader(header) ?? throw Denied("invalid token");
        if (credentials.UserName is not null)
        {
            // Basic is for the token service.
            throw Access.Find(credentials.Secret) is { } known && GhcrAccess.LogsIn(known.Secret) ? Challenge(context, repository, error: null) : Denied("invalid token");
        }

        if (_tokens.Find(credentials.Secret, TokenUse.Registry) is { } token)
        {
            return token.IsExpired
                ? throw Challenge(context, repository, "invalid_token")
                : new Caller(token.Account is null ? null : _world.Secrets[token.Account], token);
        }

        return credentials.Secret == "QQ==" ? new Caller(Secret: null, Token: null)
            : Shortcut(credentials.Secret) is { } text && Access.Find(text) is { } found && GhcrAccess.LogsIn(found.Secret) ? new Caller(found.Secret, Token: null)
            : throw Denied("invalid token");
    }

    private async Task AnswerTokenAsync(HttpContext context)
    {
        if (!HttpMethods.IsGet(context.Request.Method))
        {
            throw new RegistryException(StatusCodes.Status405MethodNotAllowed, ErrorCode.Unsupported, "tokens are to be had by GET");
        }

        (string Name, GitHubSecret Secret)? account = null;
        string? header = context.Request.Headers.Authorization;
        if (!string.IsNullOrEmpty(header))
        {
            // The user name is not looked at, but there must be one.
            account = Credentials.FromHeader(header) is { UserName.Length: > 0 } credentials ? Access.Find(credentials.Secret) : null;
            if (account is null || !GhcrAccess.LogsIn(account.Value.Secret))
            {
                throw Denied("denied");
            }
        }

        var scopes = TokenScope.Parse(context.Request.Query["scope"]);
        if (account is null || !scopes.Any(scope => scope.Push))
        {
            // With credentials a token is had for any push; the resource then says what is wrong with it.
            foreach (var scope in scopes)
            {
                CheckScope(account?.Secret, scope);
            }
        }

        var body = JsonSerializer.SerializeToUtf8Bytes(new { token = _tokens.Issue(TokenUse.Registry, account?.Name, scopes) });
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }

    private void CheckScope(GitHubSecret? secret, TokenScope scope)
    {
        if (scope.Push)
        {
            throw Denied(Refused);
        }

        // An app logs in and is denied at the resource.
        if (secret?.Kind == GitHubSecretKind.AppToken || Access.CanRead(secret, scope.Repository) || (secret is not null && Access.RefusePush(secret, scope.Repository) is null))
        {
            return;
        }

        if (Packages.Find(scope.Repository) is null)
        {
            throw Denied(Refused);
        }

        switch (_world.PrivateAnswer)
        {
            case GhcrPrivateAnswer.UnauthorizedAtToken:
                throw new RegistryException(StatusCodes.Status401Unauthorized, ErrorCode.Unauthorized, "authentication required");
            case GhcrPrivateAnswer.DeniedAtToken:
                throw Denied(Refused);
            default:
                return;
        }
    }

    private string? SourceOf(StoredManifest manifest)
    {
        try
        {
            using var document = JsonDocument.Parse(manifest.Content);
            if (!document.RootElement.TryGetProperty("config", out var descriptor) || _store.FindContent(descriptor.GetProperty("digest").GetString()!) is not { } file)
            {
                return null;
            }

            using var config = JsonDocument.Parse(File.ReadAllBytes(file));
            return config.RootElement.TryGetProperty("config", out var inner)
                && inner.TryGetProperty("Labels", out var labels)
                && labels.ValueKind == JsonValueKind.Object
                && labels.TryGetProperty("org.opencontainers.image.source", out var source)
                    ? source.GetString()
                    : null;
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            // A config may be anything; only an image's has labels.
            return null;
        }
    }

    /// <param name="Secret"><see langword="null"/>: anonymous.</param>
    /// <param name="Token"><see langword="null"/>: came with a shortcut, which is good for all repositories.</param>
    private sealed record Caller(GitHubSecret? Secret, IssuedToken? Token)
    {
        public bool Covers(string repository, EmulatorRights needed) => Token is null || Token.Covers(repository, needed);
    }
}
