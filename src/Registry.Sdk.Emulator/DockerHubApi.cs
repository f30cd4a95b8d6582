using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Registry.Sdk.Emulator;

/// <summary>What of hub.docker.com's API a client of repositories uses, under <c>/api</c> (wire-facts 4.3).</summary>
internal sealed class DockerHubApi(DockerHubWorld world, DockerHubRepositories repositories, RegistryStore store, TokenService tokens)
{
    private const int MaxPageSize = 100;
    private const int MaxDescription = 100;
    private const int MaxFullDescriptionBytes = 25_000;
    private readonly ConcurrentDictionary<long, int> _callsByMinute = new();

    /// <summary>Whether a rule of the repository keeps the tag from being moved.</summary>
    public static bool IsImmutable(HubRepositoryState repository, string tag) => repository.ImmutableTags.Any(rule => Matches(rule, tag));

    public string? CurrentDigest(string name, string tag) => store.ResolveTag(name, tag);

    public async Task<bool> TryAnswerAsync(HttpContext context)
    {
        if (ApiAnswer.Segments(context) is not { } path)
        {
            return false;
        }

        try
        {
            CountCall(context);
            await AnswerAsync(context, path);
        }
        catch (ApiRefusal refused)
        {
            await ApiAnswer.WriteAsync(context, refused.Status, new { message = refused.Message });
        }

        return true;
    }

    private static bool Matches(string rule, string tag) => Regex.IsMatch(tag, rule, RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));

    private static ApiRefusal NotFound() => new(StatusCodes.Status404NotFound, "object not found");

    private static ApiRefusal BadRequest(string why) => new(StatusCodes.Status400BadRequest, why);

    private static string Time(DateTimeOffset time) => time.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.ffffff'Z'", CultureInfo.InvariantCulture);

    private void CountCall(HttpContext context)
    {
        var now = DateTimeOffset.UtcNow.ToUnixTimeSeconds();
        var calls = _callsByMinute.AddOrUpdate(now / 60, 1, (_, before) => before + 1);
        var reset = (((now / 60) + 1) * 60).ToString(CultureInfo.InvariantCulture);
        var headers = context.Response.Headers;
        headers["X-RateLimit-Limit"] = world.ApiCallsPerMinute.ToString(CultureInfo.InvariantCulture);
        headers["X-RateLimit-Remaining"] = Math.Max(0, world.ApiCallsPerMinute - calls).ToString(CultureInfo.InvariantCulture);
        headers["X-RateLimit-Reset"] = reset;
        if (calls > world.ApiCallsPerMinute)
        {
            headers["X-Retry-After"] = reset;
            throw new ApiRefusal(StatusCodes.Status429TooManyRequests, "too many requests");
        }
    }

    private Task AnswerAsync(HttpContext context, string[] path) => (context.Request.Method, path) switch
    {
        ("POST", ["v2", "auth", "token"]) => LogInAsync(context, "identifier", "secret", "access_token", organizations: true),
        ("POST", ["v2", "users", "login" or "login/"]) or ("POST", ["v2", "users", "login", ""]) => LogInAsync(context, "username", "password", "token", organizations: false),
        ("GET" or "HEAD", ["v2", "namespaces", var ns, "repositories"]) => ListAsync(context, ns),
        ("POST", ["v2", "namespaces", var ns, "repositories"]) => CreateAsync(context, ns),
        ("GET" or "HEAD", ["v2", "namespaces", var ns, "repositories", var name]) => ShowAsync(context, ns, name),
        ("GET" or "HEAD", ["v2", "repositories", var ns, var name, ""]) => ShowAsync(context, ns, name),
        ("GET" or "HEAD", ["v2", "namespaces", var ns, "repositories", var name, "tags"]) => ListTagsAsync(context, ns, name),
        ("GET" or "HEAD", ["v2", "namespaces", var ns, "repositories", var name, "tags", var tag]) => ShowTagAsync(context, ns, name, tag),
        ("PATCH", ["v2", "namespaces", var ns, "repositories", var name, "immutabletags"]) => SetImmutableTagsAsync(context, ns, name),
        ("POST", ["v2", "namespaces", var ns, "repositories", var name, "immutabletags", "verify"]) => VerifyImmutableTagsAsync(context, ns, name),
        ("PATCH", ["v2", "repositories", var ns, var name, ""]) => UpdateAsync(context, ns, name),
        ("POST", ["v2", "repositories", var ns, var name, "privacy", ""]) => SetPrivacyAsync(context, ns, name),
        ("DELETE", ["v2", "repositories", var ns, var name, ""]) => DeleteAsync(context, ns, name, tag: null),
        ("DELETE", ["v2", "repositories", var ns, var name, "tags", var tag, ""]) => DeleteAsync(context, ns, name, tag),

        // The redirect by which a method is lost: clients make a GET of it.
        (_, ["v2", "repositories", _, not "", .., not ""]) or (_, ["v2", "repositories", _, not ""]) => AddSlashAsync(context),
        _ => throw NotFound(),
    };

    private static Task AddSlashAsync(HttpContext context)
    {
        context.Response.Headers.Location = context.Request.Path.ToUriComponent() + "/" + context.Request.QueryString;
        context.Response.StatusCode = StatusCodes.Status301MovedPermanently;
        return Task.CompletedTask;
    }

    private async Task LogInAsync(HttpContext context, string userField, string secretField, string tokenField, bool organizations)
    {
        var body = await ApiAnswer.ReadObjectAsync(context);
        if (repositories.LogIn(body.Text(userField) ?? "", body.Text(secretField) ?? "") is not { } account
            || (!organizations && account.Secret.Kind == DockerHubSecretKind.OrganizationToken))
        {
            throw new ApiRefusal(StatusCodes.Status401Unauthorized, "Incorrect authentication credentials");
        }

        await ApiAnswer.WriteAsync(context, StatusCodes.Status200OK, new Dictionary<string, string>(StringComparer.Ordinal) { [tokenField] = tokens.Issue(TokenUse.Api, account.Name, []) });
    }

    private DockerHubSecret? Caller(HttpContext context)
    {
        // Any scheme: Bearer, and JWT of old clients.
        string? header = context.Request.Headers.Authorization;
        return string.IsNullOrEmpty(header) ? null
            : Credentials.FromHeader(header) is { UserName: null } credentials && tokens.Find(credentials.Secret, TokenUse.Api) is { IsExpired: false } token ? world.Secrets[token.Account!]
            : throw new ApiRefusal(StatusCodes.Status401Unauthorized, "Incorrect authentication credentials");
    }

    private HubRepositoryState Readable(HttpContext context, string ns, string name) =>
        repositories.CanRead(Caller(context), ns + "/" + name) ? repositories.Find(ns + "/" + name)! : throw NotFound();

    private HubRepositoryState Writable(HttpContext context, string ns, string name, DockerHubRight needed)
    {
        var caller = Caller(context) ?? throw new ApiRefusal(StatusCodes.Status401Unauthorized, "Authentication credentials were not provided");
        var repository = repositories.Find(ns + "/" + name);
        if (repository is null || (repository.IsPrivate && !repositories.CanRead(caller, repository.Name)))
        {
            throw NotFound();
        }

        return caller.Permission < needed ? throw new ApiRefusal(StatusCodes.Status403Forbidden, "insufficient scope")
            : repositories.RoleOf(caller, ns) is not >= DockerHubRole.Write ? throw new ApiRefusal(StatusCodes.Status403Forbidden, "access denied")
            : repository;
    }

    private Task ListAsync(HttpContext context, string ns)
    {
        var caller = Caller(context);
        _ = repositories.FindNamespace(ns) ?? throw NotFound();
        string? part = context.Request.Query["name"];
        var found = repositories.OfNamespace(ns)
            .Where(repository => repositories.CanRead(caller, repository.Name) && (part is null || repository.ShortName.Contains(part, StringComparison.Ordinal)));
        found = context.Request.Query["ordering"].ToString() switch
        {
            "name" => found.OrderBy(repository => repository.Name, StringComparer.Ordinal),
            "-name" => found.OrderByDescending(repository => repository.Name, StringComparer.Ordinal),
            "last_updated" => found.OrderBy(repository => repository.LastUpdated),
            _ => found.OrderByDescending(repository => repository.LastUpdated),
        };
        return WritePageAsync(context, [.. found.Select(RepositoryJson)]);
    }

    private async Task CreateAsync(HttpContext context, string ns)
    {
        var caller = Caller(context) ?? throw new ApiRefusal(StatusCodes.Status401Unauthorized, "Authentication credentials were not provided");
        var body = await ApiAnswer.ReadObjectAsync(context);
        var name = body.Text("name");
        var isPrivate = body.Flag("is_private") ?? false;
        _ = repositories.FindNamespace(ns) ?? throw NotFound();
        if (name is null || !ImageReference.IsName(name) || name.Contains('/', StringComparison.Ordinal) || (body.Text("namespace") is { } other && other != ns))
        {
            throw BadRequest("name or namespace is invalid");
        }

        if (caller.Permission < DockerHubRight.ReadWrite || repositories.RoleOf(caller, ns) != DockerHubRole.Create)
        {
            throw new ApiRefusal(StatusCodes.Status403Forbidden, "insufficient scope");
        }

        if (repositories.Find(ns + "/" + name) is not null)
        {
            throw BadRequest("Repository with this Name and Namespace already exists.");
        }

        if (isPrivate && repositories.IsPrivateQuotaUsed(ns))
        {
            throw new ApiRefusal(StatusCodes.Status403Forbidden, "Your plan's private repositories are used up");
        }

        CheckDescriptions(body);
        repositories.Create(ns + "/" + name, isPrivate, body.Text("description") ?? "", body.Text("full_description") ?? "");
        await ApiAnswer.WriteAsync(context, StatusCodes.Status201Created, RepositoryJson(repositories.Find(ns + "/" + name)!));
    }

    private Task ShowAsync(HttpContext context, string ns, string name) =>
        ApiAnswer.WriteAsync(context, StatusCodes.Status200OK, RepositoryJson(Readable(context, ns, name)));

    private Task ListTagsAsync(HttpContext context, string ns, string name)
    {
        var repository = Readable(context, ns, name);
        return WritePageAsync(context, [.. store.ListTags(repository.Name).Select(tag => TagJson(repository, tag))]);
    }

    private Task ShowTagAsync(HttpContext context, string ns, string name, string tag)
    {
        var repository = Readable(context, ns, name);
        return ImageReference.IsTag(tag) && store.ResolveTag(repository.Name, tag) is not null
            ? ApiAnswer.WriteAsync(context, StatusCodes.Status200OK, TagJson(repository, tag))
            : throw NotFound();
    }

    private async Task SetImmutableTagsAsync(HttpContext context, string ns, string name)
    {
        var repository = Writable(context, ns, name, DockerHubRight.ReadWrite);
        var body = await ApiAnswer.ReadObjectAsync(context);
        var rules = body.TryGetProperty("immutable_tags_rules", out var given) && given.ValueKind == JsonValueKind.Array ? given.EnumerateArray().Select(rule => rule.GetString() ?? "").ToList() : [];
        repositories.Change(repository.Name, found => found.ImmutableTags = body.Flag("immutable_tags") == true ? rules.Count > 0 ? rules : [".*"] : []);
        await ApiAnswer.WriteAsync(context, StatusCodes.Status200OK, RepositoryJson(repositories.Find(repository.Name)!));
    }

    private async Task VerifyImmutableTagsAsync(HttpContext context, string ns, string name)
    {
        var repository = Writable(context, ns, name, DockerHubRight.ReadWrite);
        var rule = (await ApiAnswer.ReadObjectAsync(context)).Text("regex") ?? throw BadRequest("regex is missing");
        await ApiAnswer.WriteAsync(context, StatusCodes.Status200OK, new { tags = store.ListTags(repository.Name).Where(tag => Matches(rule, tag)).ToArray() });
    }

    private async Task UpdateAsync(HttpContext context, string ns, string name)
    {
        var repository = Writable(context, ns, name, DockerHubRight.ReadWriteDelete);
        var body = await ApiAnswer.ReadObjectAsync(context);
        CheckDescriptions(body);
        repositories.Change(repository.Name, found =>
        {
            found.Description = body.Text("description") ?? found.Description;
            found.FullDescription = body.Text("full_description") ?? found.FullDescription;
            if (world.PrivacyChange == DockerHubPrivacyChange.Works)
            {
                found.IsPrivate = body.Flag("is_private") ?? found.IsPrivate;
            }
        });
        await ApiAnswer.WriteAsync(context, StatusCodes.Status200OK, RepositoryJson(repositories.Find(repository.Name)!));
    }

    private async Task SetPrivacyAsync(HttpContext context, string ns, string name)
    {
        if (world.PrivacyChange == DockerHubPrivacyChange.Missing)
        {
            throw NotFound();
        }

        var repository = Writable(context, ns, name, DockerHubRight.ReadWriteDelete);
        var isPrivate = (await ApiAnswer.ReadObjectAsync(context)).Flag("is_private") ?? throw BadRequest("is_private is missing");
        if (world.PrivacyChange == DockerHubPrivacyChange.Works)
        {
            repositories.Change(repository.Name, found => found.IsPrivate = isPrivate);
        }

        await ApiAnswer.WriteAsync(context, StatusCodes.Status200OK, new { });
    }

    private Task DeleteAsync(HttpContext context, string ns, string name, string? tag)
    {
        var repository = Writable(context, ns, name, DockerHubRight.ReadWriteDelete);
        if (tag is not null)
        {
            context.Response.StatusCode = ImageReference.IsTag(tag) && store.RemoveTag(repository.Name, tag) ? StatusCodes.Status204NoContent : throw NotFound();
            return Task.CompletedTask;
        }

        repositories.Delete(repository.Name);
        context.Response.StatusCode = StatusCodes.Status202Accepted;
        return Task.CompletedTask;
    }

    private static void CheckDescriptions(JsonElement body)
    {
        if (body.Text("description")?.Length > MaxDescription || (body.Text("full_description") is { } full && Encoding.UTF8.GetByteCount(full) > MaxFullDescriptionBytes))
        {
            throw BadRequest("Ensure the description has at most 100 characters and the full description at most 25,000 bytes.");
        }
    }

    private static Task WritePageAsync(HttpContext context, List<object> all)
    {
        var page = ApiAnswer.Number(context, "page", 1);
        var size = ApiAnswer.Number(context, "page_size", 10);
        if (page < 1 || size is < 1 or > MaxPageSize)
        {
            throw BadRequest("page or page_size is out of range");
        }

        return ApiAnswer.WriteAsync(context, StatusCodes.Status200OK, new
        {
            count = all.Count,
            next = page * size < all.Count ? PageUrl(page + 1) : null,
            previous = page > 1 ? PageUrl(page - 1) : null,
            results = all.Skip((page - 1) * size).Take(size).ToArray(),
        });

        string PageUrl(int number) => string.Create(
            CultureInfo.InvariantCulture, $"{context.Request.Scheme}://{context.Request.Host}{context.Request.Path.ToUriComponent()}?page={number}&page_size={size}");
    }

    private object RepositoryJson(HubRepositoryState repository) => new
    {
        name = repository.ShortName,
        @namespace = repository.Namespace,
        hub_user = repository.Namespace,
        repository_type = "image",
        status = 1,
        status_description = "active",
        description = repository.Description,
        full_description = repository.FullDescription,
        is_private = repository.IsPrivate,
        is_automated = false,
        star_count = 0,
        has_starred = false,
        pull_count = repository.PullCount,
        collaborator_count = 0,
        last_updated = Time(repository.LastUpdated),
        date_registered = Time(repository.Registered),
        media_types = Array.Empty<string>(),
        content_types = new[] { "image" },
        categories = Array.Empty<string>(),
        immutable_tags_settings = new { enabled = repository.ImmutableTags.Count > 0, rules = repository.ImmutableTags },
        storage_size = store.ListManifests(repository.Name).Sum(digest => store.FindManifestSize(repository.Name, digest) ?? 0),
        source = (string?)null,
    };

    private object TagJson(HubRepositoryState repository, string tag)
    {
        var digest = store.ResolveTag(repository.Name, tag) ?? "";
        return new
        {
            name = tag,
            digest,
            last_updated = Time(repository.LastUpdated),
            full_size = store.FindManifestSize(repository.Name, digest) ?? 0,
            images = new[] { new { digest, architecture = "amd64", os = "linux" } },
        };
    }
}
