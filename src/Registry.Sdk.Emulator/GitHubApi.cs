using System.Globalization;

namespace Registry.Sdk.Emulator;

/// <summary>
/// What of GitHub's REST API a client of packages reads, under <c>/api</c> (wire-facts section 3). It has no call that sets a visibility,
/// because GitHub has none.
/// </summary>
internal sealed class GitHubApi(GitHubWorld world, GitHubPackages packages, GhcrAccess access)
{
    private const int HourlyCalls = 5000;
    private static readonly string[] Kinds = ["orgs", "users"];

    public async Task<bool> TryAnswerAsync(HttpContext context)
    {
        if (ApiAnswer.Segments(context) is not { } path)
        {
            return false;
        }

        try
        {
            await AnswerAsync(context, path);
        }
        catch (ApiRefusal refused)
        {
            await ApiAnswer.WriteAsync(context, refused.Status, new
            {
                message = refused.Message,
                documentation_url = "https://docs.github.com/rest",
                status = refused.Status.ToString(CultureInfo.InvariantCulture),
            });
        }

        return true;
    }

    private static ApiRefusal NotFound(string what = "Not Found") => new(StatusCodes.Status404NotFound, what);

    private static ApiRefusal BadArgument() => new(StatusCodes.Status400BadRequest, "Invalid argument.");

    private static ApiRefusal NotForIntegrations() => new(StatusCodes.Status403Forbidden, "Resource not accessible by integration");

    private static string Lower<T>(T value)
        where T : struct, Enum => value.ToString().ToLowerInvariant();

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private Task AnswerAsync(HttpContext context, string[] path)
    {
        if (string.IsNullOrEmpty(context.Request.Headers.UserAgent))
        {
            throw new ApiRefusal(StatusCodes.Status403Forbidden, "Request forbidden by administrative rules. Please make sure your request has a User-Agent header.");
        }

        var secret = Authenticate(context);

        // Nothing here can be written: not the visibility because GitHub cannot, the rest because no client of ours does.
        if (!HttpMethods.IsGet(context.Request.Method))
        {
            throw NotFound();
        }

        return path switch
        {
            ["rate_limit"] => ApiAnswer.WriteAsync(context, StatusCodes.Status200OK, GitHubJson.RateLimit(HourlyCalls)),
            ["user"] => AnswerUserAsync(context, secret),
            ["users", var login] => AnswerAccountAsync(context, login),
            ["repos", var owner, var name] => AnswerRepositoryAsync(context, secret, owner + "/" + name),
            ["user", "packages", .. var rest] => AnswerPackagesAsync(context, secret, kind: null, OwnLogin(secret), rest),
            [var kind, var owner, "packages", .. var rest] when Kinds.Contains(kind, StringComparer.Ordinal) => AnswerPackagesAsync(context, secret, kind, owner, rest),
            _ => throw NotFound(),
        };
    }

    private GitHubSecret? Authenticate(HttpContext context)
    {
        context.Response.Headers["X-RateLimit-Limit"] = HourlyCalls.ToString(CultureInfo.InvariantCulture);
        context.Response.Headers["X-RateLimit-Remaining"] = (HourlyCalls - 1).ToString(CultureInfo.InvariantCulture);
        string? header = context.Request.Headers.Authorization;
        if (string.IsNullOrEmpty(header))
        {
            return null;
        }

        var secret = Credentials.FromHeader(header) is { } credentials ? access.Find(credentials.Secret)?.Secret : null;
        if (secret is null or { Expired: true })
        {
            throw new ApiRefusal(StatusCodes.Status401Unauthorized, "Bad credentials");
        }

        if (secret.Kind == GitHubSecretKind.ClassicToken)
        {
            context.Response.Headers["X-OAuth-Scopes"] = string.Join(", ", secret.Scopes);
            context.Response.Headers["X-Accepted-OAuth-Scopes"] = context.Request.Path.Value!.Contains("/packages", StringComparison.Ordinal) ? "read:packages" : "";
        }

        return secret;
    }

    private static string OwnLogin(GitHubSecret? secret) => secret switch
    {
        null => throw new ApiRefusal(StatusCodes.Status401Unauthorized, "Requires authentication"),

        // A workflow's token is a bot of its own, which owns nothing.
        { Kind: GitHubSecretKind.ActionsToken } => "github-actions[bot]",
        { User: { } user } => user,
        _ => throw NotFound(),
    };

    private Task AnswerUserAsync(HttpContext context, GitHubSecret? secret) => secret switch
    {
        null => throw new ApiRefusal(StatusCodes.Status401Unauthorized, "Requires authentication"),
        { User: { } user } => AnswerAccountAsync(context, user),
        _ => throw NotForIntegrations(),
    };

    private Task AnswerAccountAsync(HttpContext context, string login)
    {
        var owner = packages.FindOwner(login) ?? throw NotFound();
        return ApiAnswer.WriteAsync(context, StatusCodes.Status200OK, GitHubJson.WholeAccount(Api(context), login, owner.Kind));
    }

    private Task AnswerRepositoryAsync(HttpContext context, GitHubSecret? secret, string fullName)
    {
        if (!world.Repositories.TryGetValue(fullName, out var repository))
        {
            throw NotFound();
        }

        if (repository.RenamedTo is { } newName)
        {
            var location = $"{Api(context)}/repos/{newName}";
            context.Response.Headers.Location = location;
            return ApiAnswer.WriteAsync(context, StatusCodes.Status301MovedPermanently, new { message = "Moved Permanently", url = location, documentation_url = "https://docs.github.com/rest" });
        }

        var owner = GhcrAccess.OwnerOf(fullName);
        var visible = repository.Visibility == GitHubVisibility.Public || secret switch
        {
            { Kind: GitHubSecretKind.ClassicToken } => GhcrAccess.HasScope(secret, "repo") && access.IsMember(secret.User!, owner),
            { Kind: GitHubSecretKind.FineGrainedToken } => access.IsMember(secret.User!, owner),
            { Kind: GitHubSecretKind.ActionsToken } => GitHubPackages.Same(secret.Repository, fullName),
            _ => false,
        };
        return !visible ? throw NotFound() : ApiAnswer.WriteAsync(context, StatusCodes.Status200OK, GitHubJson.WholeRepository(Api(context), fullName, repository, OwnerJson(context, owner)));
    }

    private Task AnswerPackagesAsync(HttpContext context, GitHubSecret? secret, string? kind, string owner, string[] rest)
    {
        // There is no anonymous read of packages, public ones included.
        if (secret is null)
        {
            throw new ApiRefusal(StatusCodes.Status401Unauthorized, "Requires authentication");
        }

        if (rest is [])
        {
            return ListPackagesAsync(context, secret, kind, owner);
        }

        switch (secret.Kind)
        {
            case GitHubSecretKind.ClassicToken when !GhcrAccess.HasScope(secret, "read:packages"):
                throw new ApiRefusal(StatusCodes.Status403Forbidden, "You need at least read:packages scope to get a package.");
            case GitHubSecretKind.ActionsToken when secret.Packages == GitHubPackageRight.None:
                throw NotForIntegrations();
            case GitHubSecretKind.FineGrainedToken:
                throw new ApiRefusal(StatusCodes.Status403Forbidden, "Resource not accessible by personal access token");
            case GitHubSecretKind.AppToken:
                throw NotFound("Package not found.");
        }

        if (rest is not (["container", _] or ["container", _, "versions"] or ["container", _, "versions", _]))
        {
            throw NotFound();
        }

        var package = packages.Find((owner + "/" + rest[1]).ToLowerInvariant());
        if (package is null || !OwnerIsA(owner, kind) || !IsVisible(secret, package))
        {
            throw NotFound("Package not found.");
        }

        return rest switch
        {
            [_, _] => ApiAnswer.WriteAsync(context, StatusCodes.Status200OK, PackageJson(context, package)),
            [_, _, _] => ListVersionsAsync(context, package),
            _ => package.Versions.Find(version => version.Id.ToString(CultureInfo.InvariantCulture) == rest[^1]) is { } version
                ? ApiAnswer.WriteAsync(context, StatusCodes.Status200OK, VersionJson(context, package, version))
                : throw NotFound(),
        };
    }

    private Task ListPackagesAsync(HttpContext context, GitHubSecret secret, string? kind, string owner)
    {
        var page = ApiAnswer.Number(context, "page", 1);
        var size = Math.Min(ApiAnswer.Number(context, "per_page", 30), 100);
        string? visibility = context.Request.Query["visibility"];
        if (secret.Kind is GitHubSecretKind.ActionsToken or GitHubSecretKind.AppToken
            || context.Request.Query["package_type"] != "container"
            || (visibility is not null && !Enum.TryParse<GitHubVisibility>(visibility, ignoreCase: true, out _))
            || page < 1
            || (long)page * size > 10_000)
        {
            throw BadArgument();
        }

        if (secret.Kind == GitHubSecretKind.FineGrainedToken || !GhcrAccess.HasScope(secret, "read:packages"))
        {
            throw new ApiRefusal(StatusCodes.Status403Forbidden, "You need at least read:packages scope to list packages.");
        }

        if (!OwnerIsA(owner, kind))
        {
            throw NotFound();
        }

        var visible = packages.OfOwner(owner)
            .Where(package => IsVisible(secret, package) && (visibility is null || string.Equals(package.Visibility.ToString(), visibility, StringComparison.OrdinalIgnoreCase)))
            .ToList();
        return ApiAnswer.WriteAsync(context, StatusCodes.Status200OK, Page(context, visible, page, size).Select(package => PackageJson(context, package)).ToArray());
    }

    private Task ListVersionsAsync(HttpContext context, PackageState package)
    {
        var versions = package.Versions.AsEnumerable().Reverse().ToList();
        var page = Page(context, context.Request.Query["state"] == "deleted" ? [] : versions, ApiAnswer.Number(context, "page", 1), Math.Min(ApiAnswer.Number(context, "per_page", 30), 100));
        return ApiAnswer.WriteAsync(context, StatusCodes.Status200OK, page.Select(version => VersionJson(context, package, version)).ToArray());
    }

    private static IEnumerable<T> Page<T>(HttpContext context, List<T> all, int page, int size)
    {
        if (page * size < all.Count)
        {
            var query = context.Request.Query.Where(parameter => parameter.Key is not ("page" or "per_page")).Select(parameter => $"{parameter.Key}={Uri.EscapeDataString(parameter.Value.ToString())}");
            context.Response.Headers.Link = string.Create(
                CultureInfo.InvariantCulture,
                $"<{context.Request.Scheme}://{context.Request.Host}{context.Request.Path.ToUriComponent()}?{string.Join('&', query.Append("per_page=" + size).Append("page=" + (page + 1)))}>; rel=\"next\"");
        }

        return all.Skip((page - 1) * size).Take(size);
    }

    private bool OwnerIsA(string owner, string? kind) =>
        packages.FindOwner(owner) is { } found && (kind is null || (kind == "orgs") == (found.Kind == GitHubOwnerKind.Organization));

    // A workflow's token sees what is its repository's. Whether it sees strangers' public packages nobody said.
    private bool IsVisible(GitHubSecret secret, PackageState package) => secret.Kind == GitHubSecretKind.ActionsToken
        ? GitHubPackages.Same(package.Repository, secret.Repository) || GhcrAccess.RightOfRepository(secret.Repository!, package) > GitHubPackageRight.None
        : access.CanRead(secret, package.Name);

    private static string Api(HttpContext context) => $"{context.Request.Scheme}://{context.Request.Host}/api";

    private Dictionary<string, object?> OwnerJson(HttpContext context, string login) => GitHubJson.Account(Api(context), login, packages.FindOwner(login)?.Kind ?? GitHubOwnerKind.User);

    private string Place(PackageState package) => packages.FindOwner(package.Owner)?.Kind == GitHubOwnerKind.Organization ? "orgs" : "users";

    private Dictionary<string, object?> PackageJson(HttpContext context, PackageState package)
    {
        var place = $"{Place(package)}/{package.Owner}/packages/container";
        var escaped = Uri.EscapeDataString(package.ShortName);
        var json = new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["id"] = package.Id,
            ["name"] = package.ShortName,
            ["package_type"] = "container",
            ["visibility"] = Lower(package.Visibility),
            ["url"] = $"{Api(context)}/{place}/{escaped}",
            ["html_url"] = $"https://github.com/{place}/package/{escaped}",
            ["version_count"] = package.Versions.Count,
            ["owner"] = OwnerJson(context, package.Owner),
            ["created_at"] = Time(package.CreatedAt),
            ["updated_at"] = Time(package.UpdatedAt),
        };
        if (package.Repository is { } repository)
        {
            var found = world.Repositories.TryGetValue(repository, out var known) ? known : new();
            json["repository"] = GitHubJson.Repository(Api(context), repository, found.Visibility, found.Fork, OwnerJson(context, GhcrAccess.OwnerOf(repository)));
        }

        return json;
    }

    private Dictionary<string, object?> VersionJson(HttpContext context, PackageState package, PackageVersion version)
    {
        var place = $"{Place(package)}/{package.Owner}/packages/container";
        var escaped = Uri.EscapeDataString(package.ShortName);
        return new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["id"] = version.Id,
            ["name"] = version.Digest,
            ["url"] = string.Create(CultureInfo.InvariantCulture, $"{Api(context)}/{place}/{escaped}/versions/{version.Id}"),
            ["package_html_url"] = $"https://github.com/{place}/package/{escaped}",
            ["html_url"] = string.Create(CultureInfo.InvariantCulture, $"https://github.com/{place}/{escaped}/{version.Id}"),
            ["created_at"] = Time(version.CreatedAt),
            ["updated_at"] = Time(version.UpdatedAt),
            ["metadata"] = new { package_type = "container", container = new { tags = packages.TagsOf(package, version.Digest) } },
        };
    }
}
