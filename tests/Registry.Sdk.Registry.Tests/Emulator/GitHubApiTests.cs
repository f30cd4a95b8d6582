using System.Net;
using System.Text.Json.Nodes;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Emulator;

/// <summary>The GHCR personality's package API, fact by fact.</summary>
public sealed class GitHubApiTests : PersonalityTest
{
    private const string Boss = "boss:boss-write-value";

    private readonly List<(string Method, string PathAndQuery, int Status, string Body)> answers = [];

    protected override EmulatorOptions Options => new() { StateDirectory = State, Personality = EmulatorPersonality.Ghcr, GitHub = GitHubExample.World() };

    /// <summary>Whatever a test of this class is answered has to be as GitHub's published description says.</summary>
    public override async Task DisposeAsync()
    {
        await base.DisposeAsync();
        var violations = await GitHubDescription.Load().ValidateAsync(answers);

        // The description knows two visibilities, its own list filter three (wire-facts 3.3).
        Assert.Empty(answers.Zip(violations).SelectMany(a => a.Second.Where(v => !v.EndsWith("'internal' is not one of ['private', 'public']", StringComparison.Ordinal)).Select(v => $"{a.First.Method} {a.First.PathAndQuery} {a.First.Status}: {v}")));
    }

    [Fact]
    public async Task The_description_finds_what_is_not_in_it()
    {
        var description = GitHubDescription.Load();
        Assert.Null(description.WhyUnknown("GET", "/orgs/acme/packages/container/tools%2Fcli"));
        Assert.Null(description.WhyUnknown("GET", "/orgs/acme/packages?package_type=container&per_page=2"));
        Assert.Equal("PATCH /orgs/acme/packages/container/app is no operation of GitHub's", description.WhyUnknown("PATCH", "/orgs/acme/packages/container/app"));
        Assert.NotNull(description.WhyUnknown("GET", "/orgs/acme/packages/container/tools/cli"));
        Assert.NotNull(description.WhyUnknown("GET", "/orgs/acme/packages?package_typ=container"));
        var package = (JsonObject)JsonNode.Parse(await (await ApiAsync("GET", "/orgs/acme/packages/container/public", "boss-read-value")).Content.ReadAsStringAsync())!;
        package["visibility"] = "hidden";
        package.Remove("html_url");
        package["owner"]!["login"] = null;
        var violations = await description.ValidateAsync([("GET", "/orgs/acme/packages/container/public", 200, package.ToJsonString()), ("GET", "/orgs/acme/packages/container/public", 404, "[]")]);
        Assert.Equal(["$", "$.owner.login", "$.visibility"], violations[0].Select(v => v.Split(':')[0]).Order(StringComparer.Ordinal));
        Assert.Single(violations[1]);
    }

    [Fact]
    [WireFact("3.1 without User-Agent 403", "3.1 error body")]
    public async Task A_user_agent_is_required()
    {
        Assert.Equal(HttpStatusCode.Forbidden, (await ApiAsync("GET", "/rate_limit", userAgent: false)).StatusCode);
        var missing = await JsonAsync(await ApiAsync("GET", "/orgs/acme/packages/container/none", "boss-read-value"));
        Assert.Equal("Package not found.", missing.GetProperty("message").GetString());
        Assert.Equal("404", missing.GetProperty("status").GetString());
        Assert.StartsWith("https://docs.github.com/", missing.GetProperty("documentation_url").GetString(), StringComparison.Ordinal);
    }

    [Fact]
    [WireFact("3.2 GET a package under orgs, users and user", "3.3 the shape of a package", "3.3 repository may be absent", "3.7 page URLs")]
    public async Task Showing_a_package()
    {
        await PushOkAsync(Boss, "acme/app");
        var json = await JsonAsync(await ApiAsync("GET", "/orgs/acme/packages/container/app", "boss-read-value"));
        Assert.Equal(
            ("app", "container", "private", 1, "https://github.com/orgs/acme/packages/container/package/app"),
            (json.GetProperty("name").GetString(), json.GetProperty("package_type").GetString(), json.GetProperty("visibility").GetString(), json.GetProperty("version_count").GetInt32(), json.GetProperty("html_url").GetString()));
        Assert.Equal(("acme", "Organization"), (json.GetProperty("owner").GetProperty("login").GetString(), json.GetProperty("owner").GetProperty("type").GetString()));
        Assert.Equal(("acme/app", false), (json.GetProperty("repository").GetProperty("full_name").GetString(), json.GetProperty("repository").GetProperty("private").GetBoolean()));
        Assert.Equal(Emulator.Api + "/orgs/acme/packages/container/app", json.GetProperty("url").GetString());
        var unlinked = await JsonAsync(await ApiAsync("GET", "/orgs/acme/packages/container/private", "boss-read-value"));
        Assert.False(unlinked.TryGetProperty("repository", out _));

        await PushOkAsync(Boss, "boss/own");
        foreach (var place in new[] { "/users/boss", "/user" })
        {
            var own = await JsonAsync(await ApiAsync("GET", place + "/packages/container/own", "boss-read-value"));
            Assert.Equal("https://github.com/users/boss/packages/container/package/own", own.GetProperty("html_url").GetString());
        }
    }

    [Fact]
    [WireFact("3.2 a slash in a name is %2F", "2.7 names are lower case, and may be nested", "3.4 404 for the wrong owner kind or an unescaped slash")]
    public async Task Nested_names_are_escaped_and_the_owner_kind_matters()
    {
        await PushOkAsync(Boss, "acme/tools/cli");
        var json = await JsonAsync(await ApiAsync("GET", "/orgs/acme/packages/container/tools%2Fcli", "boss-read-value"));
        Assert.Equal(("tools/cli", "https://github.com/orgs/acme/packages/container/package/tools%2Fcli"), (json.GetProperty("name").GetString(), json.GetProperty("html_url").GetString()));
        Assert.Equal(HttpStatusCode.OK, (await ApiAsync("GET", "/orgs/acme/packages/container/tools%2Fcli/versions", "boss-read-value")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await ApiAsync("GET", "/orgs/acme/packages/container/tools/cli", "boss-read-value")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await ApiAsync("GET", "/users/acme/packages/container/app", "boss-read-value")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await ApiAsync("GET", "/orgs/stranger/packages/container/things", "boss-read-value")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await ApiAsync("GET", "/users/stranger/packages/container/things", "boss-read-value")).StatusCode);
    }

    [Fact]
    [WireFact("3.2 GET packages: package_type, visibility, pages", "3.2 a list beyond 10,000 is 400")]
    public async Task Listing_packages()
    {
        var all = await NamesAsync("/orgs/acme/packages?package_type=container");
        Assert.Equal(["app", "inside", "private", "public", "tools/cli"], all.Order(StringComparer.Ordinal));
        Assert.Equal(["public", "tools/cli"], (await NamesAsync("/orgs/acme/packages?package_type=container&visibility=public")).Order(StringComparer.Ordinal));
        Assert.Equal(["inside"], await NamesAsync("/orgs/acme/packages?package_type=container&visibility=internal"));
        var page = await ApiAsync("GET", "/orgs/acme/packages?package_type=container&per_page=2", "boss-read-value");
        Assert.Equal($"<{Emulator.Api}/orgs/acme/packages?package_type=container&per_page=2&page=2>; rel=\"next\"", Header(page, "Link"));
        Assert.Equal(all[2..4], await NamesAsync("/orgs/acme/packages?package_type=container&per_page=2&page=2"));
        foreach (var bad in new[] { "", "?package_type=container&per_page=100&page=101", "?package_type=container&visibility=secret" })
        {
            Assert.Equal(HttpStatusCode.BadRequest, (await ApiAsync("GET", "/orgs/acme/packages" + bad, "boss-read-value")).StatusCode);
        }

        await PushOkAsync(Boss, "boss/own");
        Assert.Equal(["own"], await NamesAsync("/user/packages?package_type=container"));
        Assert.Equal(["things"], await NamesAsync("/users/stranger/packages?package_type=container"));

        async Task<string[]> NamesAsync(string path) =>
            [.. (await JsonAsync(await ApiAsync("GET", path, "boss-read-value"))).EnumerateArray().Select(package => package.GetProperty("name").GetString()!)];
    }

    [Fact]
    [WireFact("3.2 GET versions and one version", "3.3 the shape of a version", "3.3 children of an index are versions of their own")]
    public async Task Listing_versions()
    {
        using var admin = Emulator.CreateAdministrator();
        var digest = await Seed.PushAsync(admin, "acme/public", "1.0", new SeedImage { Index = true });
        await Seed.TagAsync(admin, "acme/public", digest, "latest");
        const string Versions = "/orgs/acme/packages/container/public/versions";
        var versions = (await JsonAsync(await ApiAsync("GET", Versions, "mona-read-value"))).EnumerateArray().ToArray();
        Assert.Equal(2, versions.Length);
        Assert.Equal((digest, """["1.0","latest"]"""), (versions[0].GetProperty("name").GetString(), Tags(versions[0])));
        Assert.Equal("[]", Tags(versions[1]));
        var one = await JsonAsync(await ApiAsync("GET", $"{Versions}/{versions[1].GetProperty("id").GetInt32()}", "mona-read-value"));
        Assert.Equal(versions[1].GetProperty("name").GetString(), one.GetProperty("name").GetString());
        Assert.Equal(HttpStatusCode.NotFound, (await ApiAsync("GET", Versions + "/999", "mona-read-value")).StatusCode);
        Assert.Equal(1, (await JsonAsync(await ApiAsync("GET", Versions + "?per_page=1&page=2", "mona-read-value"))).GetArrayLength());
        Assert.Equal(0, (await JsonAsync(await ApiAsync("GET", Versions + "?state=deleted", "mona-read-value"))).GetArrayLength());

        static string Tags(System.Text.Json.JsonElement version) => version.GetProperty("metadata").GetProperty("container").GetProperty("tags").GetRawText();
    }

    [Theory]
    [InlineData("PATCH", "/orgs/acme/packages/container/private")]
    [InlineData("PATCH", "/users/boss/packages/container/own")]
    [InlineData("PATCH", "/user/packages/container/own")]
    [InlineData("PUT", "/orgs/acme/packages/container/private/visibility")]
    [InlineData("PATCH", "/orgs/acme/packages/container/private/visibility")]
    [InlineData("POST", "/orgs/acme/packages/container/private")]
    [WireFact("3.2 no operation sets a visibility", "3.8 PATCH is 404 though GET is 200")]
    public async Task Nothing_sets_a_visibility(string method, string path)
    {
        await PushOkAsync(Boss, "boss/own");
        Assert.Equal(HttpStatusCode.NotFound, (await ApiAsync(method, path, "boss-write-value", new JsonObject { ["visibility"] = "public" })).StatusCode);
        Assert.Equal((GitHubVisibility.Private, GitHubVisibility.Private), (Emulator.Visibility("acme/private"), Emulator.Visibility("boss/own")));
        Assert.Equal(HttpStatusCode.OK, (await ApiAsync("GET", "/orgs/acme/packages/container/private", "boss-write-value")).StatusCode);
    }

    [Theory]
    [InlineData(null, "/orgs/acme/packages?package_type=container", 401)]
    [InlineData(null, "/orgs/acme/packages/container/public", 401)]
    [InlineData("nonsense", "/orgs/acme/packages/container/public", 401)]
    [InlineData("boss-expired-value", "/rate_limit", 401)]
    [InlineData("boss-none-value", "/orgs/acme/packages/container/public", 403)]
    [InlineData("boss-none-value", "/orgs/acme/packages?package_type=container", 403)]
    [InlineData("boss-fine-value", "/orgs/acme/packages/container/public", 403)]
    [InlineData("no-job-value", "/orgs/acme/packages/container/app", 403)]
    [InlineData("app-value", "/orgs/acme/packages/container/public", 404)]
    [InlineData("app-value", "/orgs/acme/packages?package_type=container", 400)]
    [InlineData("job-value", "/orgs/acme/packages?package_type=container", 400)]
    [InlineData("job-value", "/orgs/acme/packages/container/app", 200)]
    [InlineData("job-value", "/orgs/acme/packages/container/app/versions", 200)]
    [InlineData("job-value", "/orgs/acme/packages/container/private", 404)]
    [InlineData("job-value", "/user/packages/container/app", 404)]
    [InlineData("stranger-write-value", "/orgs/acme/packages/container/private", 404)]
    [InlineData("stranger-write-value", "/orgs/acme/packages/container/public", 200)]
    [InlineData("mona-read-value", "/orgs/acme/packages/container/inside", 200)]
    [WireFact("3.4 401", "3.4 403", "3.4 404 hides", "3.4 400 for lists with a job's or an app's token", "3.4 a job's token reads what is linked to its repository", "3.4 no anonymous read of packages", "3.6 fine-grained tokens do not work")]
    public async Task Which_status_means_what(string? token, string path, int expected) => Assert.Equal(expected, (int)(await ApiAsync("GET", path, token)).StatusCode);

    [Fact]
    [WireFact("3.4 403 when the rate limit is used up")]
    public async Task The_rate_limit_is_403()
    {
        await RestartAsync(new EmulatorOptions { StateDirectory = State, Personality = EmulatorPersonality.Ghcr, Intercept = context => EmulatorFaults.GitHubRateLimitAsync(context, 30) });
        var answer = await ApiAsync("GET", "/rate_limit");
        Assert.Equal((HttpStatusCode.Forbidden, "0", "30"), (answer.StatusCode, Header(answer, "X-RateLimit-Remaining"), Header(answer, "Retry-After")));
    }

    [Fact]
    [WireFact("3.6 X-OAuth-Scopes for classic tokens only", "3.6 write:packages includes read")]
    public async Task Scopes_can_be_read_of_classic_tokens()
    {
        foreach (var path in new[] { "/rate_limit", "/user" })
        {
            Assert.Equal("read:packages, repo", Header(await ApiAsync("GET", path, "boss-read-value"), "X-OAuth-Scopes"));
        }

        Assert.Equal("read:packages", Header(await ApiAsync("GET", "/orgs/acme/packages/container/private", "boss-write-value"), "X-Accepted-OAuth-Scopes"));
        foreach (var other in new[] { "boss-fine-value", "job-value", "app-value" })
        {
            Assert.Equal("", Header(await ApiAsync("GET", "/rate_limit", other), "X-OAuth-Scopes"));
        }
    }

    [Fact]
    [WireFact("3.3 repos and users")]
    public async Task Showing_repositories_and_accounts()
    {
        var json = await JsonAsync(await ApiAsync("GET", "/repos/acme/inner", "boss-read-value"));
        Assert.Equal(
            (true, "internal", "trunk", true, "https://github.com/acme/inner"),
            (json.GetProperty("private").GetBoolean(), json.GetProperty("visibility").GetString(), json.GetProperty("default_branch").GetString(), json.GetProperty("fork").GetBoolean(), json.GetProperty("html_url").GetString()));
        Assert.Equal("Organization", json.GetProperty("owner").GetProperty("type").GetString());
        Assert.Equal(HttpStatusCode.OK, (await ApiAsync("GET", "/repos/acme/app")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await ApiAsync("GET", "/repos/acme/secret", "secret-job-value")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await ApiAsync("GET", "/repos/acme/secret")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await ApiAsync("GET", "/repos/acme/secret", "boss-write-value")).StatusCode);
        var renamed = await ApiAsync("GET", "/repos/acme/old");
        Assert.Equal((HttpStatusCode.MovedPermanently, Emulator.Api + "/repos/acme/app"), (renamed.StatusCode, Location(renamed)));
        Assert.Equal("Organization", (await JsonAsync(await ApiAsync("GET", "/users/acme"))).GetProperty("type").GetString());
        Assert.Equal("User", (await JsonAsync(await ApiAsync("GET", "/users/boss"))).GetProperty("type").GetString());
        Assert.Equal(HttpStatusCode.NotFound, (await ApiAsync("GET", "/users/nobody")).StatusCode);
    }

    protected override async Task<HttpResponseMessage> ApiAsync(string method, string path, string? bearer = null, JsonObject? body = null, bool userAgent = true)
    {
        var answer = await base.ApiAsync(method, path, bearer, body, userAgent);
        answers.Add((method, path, (int)answer.StatusCode, await answer.Content.ReadAsStringAsync()));
        return answer;
    }
}
