using System.Globalization;
using System.Net;
using System.Text.Json.Nodes;
using Registry.Sdk.Emulator;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Emulator;

/// <summary>The Docker Hub personality, registry and API, fact by fact.</summary>
public sealed class DockerHubTests : PersonalityTest
{
    private const string Owner = "acme:acme-password";

    protected override EmulatorOptions Options => World();

    [Fact]
    [WireFact("4.1 the challenge names auth service and scope")]
    public async Task Challenges_name_service_and_scope()
    {
        var realm = $"Bearer realm=\"{Emulator.BaseAddress}token\",service=\"registry.docker.io\"";
        Assert.Equal(realm, Header(await SendAsync("GET", "/v2/"), "WWW-Authenticate"));
        Assert.Equal(realm + ",scope=\"repository:acme/public:pull\"", Header(await SendAsync("GET", "/v2/acme/public/manifests/v1"), "WWW-Authenticate"));
        Assert.Equal(realm + ",scope=\"repository:acme/public:pull,push\"", Header(await SendAsync("POST", "/v2/acme/public/blobs/uploads/"), "WWW-Authenticate"));
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", "/v2/", credentials: await TokenAsync(null))).StatusCode);
    }

    [Fact]
    [WireFact("4.1 the token answer has token, access_token, expires_in, issued_at", "1.3 the token answer")]
    public async Task The_token_answer_is_complete()
    {
        var json = await JsonAsync(await AskTokenAsync(null, "acme/public:pull"));
        Assert.Equal(["access_token", "expires_in", "issued_at", "token"], json.EnumerateObject().Select(member => member.Name).Order(StringComparer.Ordinal));
        Assert.Equal(json.GetProperty("token").GetString(), json.GetProperty("access_token").GetString());
        Assert.Equal(300, json.GetProperty("expires_in").GetInt32());
        Assert.True(DateTimeOffset.Parse(json.GetProperty("issued_at").GetString()!, CultureInfo.InvariantCulture) <= DateTimeOffset.UtcNow);
    }

    [Theory]
    [InlineData(null, "acme/private", "pull")]
    [InlineData(null, "acme/missing", "pull")]
    [InlineData(null, "acme/public", "pull,push")]
    [InlineData("acme:acme-read", "acme/public", "pull,push")]
    [InlineData("stranger:stranger-password", "acme/public", "pull,push")]
    [InlineData("stranger:stranger-password", "acme/private", "pull")]
    [WireFact("4.1 a token is always issued, and then 401 insufficient_scope", "1.3 a token may be good for less than asked", "4.1 push denial")]
    public async Task A_token_is_always_issued_and_then_insufficient(string? credentials, string repository, string actions)
    {
        await PushOkAsync(Owner, "acme/private");
        var token = await TokenAsync(credentials, $"{repository}:{actions}");
        var push = actions == "pull,push";
        var answer = await SendAsync(push ? "POST" : "GET", $"/v2/{repository}/{(push ? "blobs/uploads/" : "manifests/v1")}", credentials: token);
        await AssertRefusedAsync(
            answer, HttpStatusCode.Unauthorized, push ? "DENIED" : "UNAUTHORIZED", push ? "requested access to the resource is denied" : "authentication required");
        Assert.EndsWith($"scope=\"repository:{repository}:{actions}\",error=\"insufficient_scope\"", Header(answer, "WWW-Authenticate"), StringComparison.Ordinal);
    }

    [Fact]
    [WireFact("4.1 anonymous: 200 public, 404 public without the tag")]
    public async Task An_anonymous_caller_reads_public_repositories()
    {
        await PushOkAsync(Owner, "acme/public");
        var token = await TokenAsync(null, "acme/public:pull");
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", "/v2/acme/public/manifests/v1", credentials: token)).StatusCode);
        await AssertErrorAsync(await SendAsync("GET", "/v2/acme/public/manifests/v2", credentials: token), HttpStatusCode.NotFound, "MANIFEST_UNKNOWN");
        await AssertErrorAsync(await SendAsync("GET", "/v2/acme/empty/manifests/v2", credentials: await TokenAsync(null, "acme/empty:pull")), HttpStatusCode.NotFound, "MANIFEST_UNKNOWN");
    }

    [Fact]
    [WireFact("4.1 library/ is mandatory")]
    public async Task Official_images_are_under_library()
    {
        using var admin = Emulator.CreateAdministrator();
        await TestKit.Seed.PushAsync(admin, "library/redis", "latest", new TestKit.SeedImage());
        Assert.Equal(HttpStatusCode.Unauthorized, (await SendAsync("GET", "/v2/redis/manifests/latest", credentials: await TokenAsync(null, "redis:pull"))).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await SendAsync("GET", "/v2/library/redis/manifests/latest", credentials: await TokenAsync(null, "redis:pull"))).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", "/v2/library/redis/manifests/latest", credentials: await TokenAsync(null, "library/redis:pull"))).StatusCode);
    }

    [Theory]
    [InlineData("acme:acme-password", true)]
    [InlineData("acme:acme-write", true)]
    [InlineData("acme:acme-full", true)]
    [InlineData("acme:acme-read", false)]
    [InlineData("org:org-write", false)]
    [InlineData("dev:dev-password", true)]
    [InlineData("guest:guest-password", false)]
    [WireFact("4.1 password, personal token and organisation token", "4.1 push denial")]
    public async Task Who_may_push(string credentials, bool may) =>
        Assert.Equal(may ? HttpStatusCode.Created : HttpStatusCode.Unauthorized, (await PushAsync(credentials, "acme/public")).StatusCode);

    [Theory]
    [InlineData("acme:wrong")]
    [InlineData("dev:acme-password")]
    [InlineData("acme:acme-expired")]
    [InlineData("acme:org-write")]
    [InlineData("careful:careful-password")]
    [InlineData("acme:acme-identity")]
    [WireFact("4.1 wrong credentials", "4.1 passwords fail with two factors", "4.1 password, personal token and organisation token")]
    public async Task Wrong_credentials_are_401_at_the_token_service(string credentials) =>
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskTokenAsync(credentials, "acme/public:pull")).StatusCode);

    [Fact]
    [WireFact("4.1 the first push creates the repository with the default visibility", "4.1 push denial")]
    public async Task The_first_push_creates_the_repository()
    {
        await PushOkAsync(Owner, "acme/new");
        Assert.Equal(GitHubVisibility.Public, Emulator.Visibility("acme/new"));
        await PushOkAsync("org:org-write", "org/first");
        Assert.Equal(GitHubVisibility.Private, Emulator.Visibility("org/first"));

        // The plan allows one private repository.
        await AssertErrorAsync(await PushAsync("org:org-write", "org/second"), HttpStatusCode.Unauthorized, "DENIED");
        await PushOkAsync("org:org-write", "org/first", "v2");
        await AssertErrorAsync(await PushAsync("dev:dev-password", "acme/other"), HttpStatusCode.Unauthorized, "DENIED");
        Assert.Equal(HttpStatusCode.Unauthorized, (await PushAsync(Owner, "acme/too/deep")).StatusCode);
    }

    [Fact]
    [WireFact("4.2 pulls are counted by manifest GET", "4.2 HEAD does not count", "4.2 headers", "4.2 429 when used up")]
    public async Task Pulls_are_counted_and_limited()
    {
        await PushOkAsync(Owner, "acme/public");
        var token = await TokenAsync(null, "acme/public:pull");
        const string Path = "/v2/acme/public/manifests/v1";
        for (var left = 2; left >= 0; left--)
        {
            var pulled = await SendAsync("GET", Path, credentials: token);
            var asked = await SendAsync("HEAD", Path, credentials: token);
            foreach (var answer in new[] { pulled, asked })
            {
                Assert.Equal((HttpStatusCode.OK, "3;w=21600", $"{left};w=21600", "127.0.0.1"), (answer.StatusCode, Header(answer, "ratelimit-limit"), Header(answer, "ratelimit-remaining"), Header(answer, "docker-ratelimit-source")));
            }
        }

        var refused = await SendAsync("GET", Path, credentials: token);
        await AssertErrorAsync(refused, HttpStatusCode.TooManyRequests, "TOOMANYREQUESTS");
        Assert.StartsWith("You have reached your pull rate limit.", (await JsonAsync(refused)).GetProperty("errors")[0].GetProperty("message").GetString(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("HEAD", Path, credentials: token)).StatusCode);

        var signedIn = await SendAsync("GET", Path, credentials: await TokenAsync("stranger:stranger-password", "acme/public:pull"));
        Assert.Equal(("200;w=21600", "199;w=21600", "stranger"), (Header(signedIn, "ratelimit-limit"), Header(signedIn, "ratelimit-remaining"), Header(signedIn, "docker-ratelimit-source")));
        var unlimited = await SendAsync("GET", Path, credentials: await TokenAsync(Owner, "acme/public:pull"));
        Assert.Equal((HttpStatusCode.OK, ""), (unlimited.StatusCode, Header(unlimited, "ratelimit-limit")));
    }

    [Fact]
    [WireFact("4.2 ratelimitpreview/test tells at no cost")]
    public async Task The_rate_limit_can_be_asked_at_no_cost()
    {
        var token = await TokenAsync(null, "ratelimitpreview/test:pull");
        for (var times = 0; times < 2; times++)
        {
            var answer = await SendAsync("HEAD", "/v2/ratelimitpreview/test/manifests/latest", credentials: token);
            Assert.Equal((HttpStatusCode.OK, "3;w=21600"), (answer.StatusCode, Header(answer, "ratelimit-remaining")));
        }
    }

    [Fact]
    [WireFact("4.2 the abuse limit is plainer", "4.2 429 when used up", "4.2 the API's X-RateLimit and X-Retry-After")]
    public async Task Faults_of_the_limits()
    {
        var until = DateTimeOffset.FromUnixTimeSeconds(1_800_000_000);
        var faults = new Queue<Func<Microsoft.AspNetCore.Http.HttpContext, Task<bool>>>(
            [EmulatorFaults.DockerHubAbuseLimitAsync, EmulatorFaults.DockerHubPullLimitAsync, context => EmulatorFaults.DockerHubApiLimitAsync(context, until)]);
        await RestartAsync(new EmulatorOptions { StateDirectory = State, Personality = EmulatorPersonality.DockerHub, Intercept = context => faults.TryDequeue(out var fault) ? fault(context) : Task.FromResult(false) });
        var abuse = await SendAsync("GET", "/v2/");
        Assert.Equal((HttpStatusCode.TooManyRequests, "text/plain"), (abuse.StatusCode, abuse.Content.Headers.ContentType?.MediaType));
        await AssertErrorAsync(await SendAsync("GET", "/v2/"), HttpStatusCode.TooManyRequests, "TOOMANYREQUESTS");
        Assert.Equal("1800000000", Header(await SendAsync("GET", "/api/v2/"), "X-Retry-After"));
    }

    [Fact]
    [WireFact("4.4 a blob is redirected to a CDN", "1.3 no Authorization to another host")]
    public async Task A_blob_is_redirected()
    {
        await PushOkAsync(Owner, "acme/public");
        var answer = await SendAsync("GET", $"/v2/acme/public/blobs/{DigestOf(Bytes("a layer"))}", credentials: await TokenAsync(null, "acme/public:pull"));
        Assert.Equal(HttpStatusCode.TemporaryRedirect, answer.StatusCode);
        Assert.StartsWith(Emulator.BlobAddress!.AbsoluteUri, Location(answer), StringComparison.Ordinal);
        Assert.Equal("a layer", await (await SendAsync("GET", Location(answer))).Content.ReadAsStringAsync());
    }

    [Fact]
    [WireFact("4.4 mount works with the source in the token", "1.6 mounts need pull on the source")]
    public async Task A_mount_needs_the_source_in_the_token()
    {
        await PushOkAsync(Owner, "acme/private");
        var mount = $"/v2/acme/new/blobs/uploads/?mount={DigestOf(Bytes("a layer"))}&from=acme/private";
        var refused = await SendAsync("POST", mount, credentials: await TokenAsync(Owner, "acme/new:pull,push"));
        Assert.Equal(HttpStatusCode.Unauthorized, refused.StatusCode);
        Assert.Contains("scope=\"repository:acme/private:pull\",error=\"insufficient_scope\"", Header(refused, "WWW-Authenticate"), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Created, (await SendAsync("POST", mount, credentials: await TokenAsync(Owner, "acme/new:pull,push", "acme/private:pull"))).StatusCode);
    }

    [Theory]
    [InlineData(false, HttpStatusCode.MethodNotAllowed)]
    [InlineData(true, HttpStatusCode.Accepted)]
    [WireFact("4.4 OCI DELETE, in both variants")]
    public async Task Deleting_at_the_registry_is_an_option(bool allowed, HttpStatusCode expected)
    {
        await RestartAsync(World(allowed));
        await PushOkAsync(Owner, "acme/public");
        Assert.Equal(expected, (await SendAsync("DELETE", "/v2/acme/public/manifests/v1", credentials: await TokenAsync(Owner, "acme/public:pull,push"))).StatusCode);
    }

    [Theory]
    [InlineData(DockerHubReferrers.Served, true, HttpStatusCode.OK)]
    [InlineData(DockerHubReferrers.OnlyClaimed, true, HttpStatusCode.NotFound)]
    [InlineData(DockerHubReferrers.Missing, false, HttpStatusCode.NotFound)]
    [WireFact("4.4 referrers, in all variants", "1.10 404 means no referrers API")]
    public async Task Referrers_are_an_option(DockerHubReferrers referrers, bool claimed, HttpStatusCode expected)
    {
        await RestartAsync(World(referrers: referrers));
        await PushOkAsync(Owner, "acme/public");
        var token = await TokenAsync(Owner, "acme/public:pull,push");
        var image = await (await SendAsync("GET", "/v2/acme/public/manifests/v1", credentials: token)).Content.ReadAsByteArrayAsync();
        var about = JsonNode.Parse(image)!;
        about["subject"] = Descriptor(OciManifest, image);
        var pushed = await SendAsync("PUT", "/v2/acme/public/manifests/about", Bytes(about.ToJsonString()), OciManifest, credentials: token);
        Assert.Equal(claimed ? DigestOf(image) : "", Header(pushed, "OCI-Subject"));
        Assert.Equal(expected, (await SendAsync("GET", $"/v2/acme/public/referrers/{DigestOf(image)}", credentials: token)).StatusCode);
    }

    [Fact]
    [WireFact("4.3 immutable tags: settings and verify", "4.4 a push onto an immutable tag is refused")]
    public async Task Immutable_tags_cannot_be_moved()
    {
        await PushOkAsync(Owner, "acme/public", "v1.0.0");
        await PushOkAsync(Owner, "acme/public", "latest");
        var jwt = await LogInAsync("acme", "acme-write");
        const string Settings = "/v2/namespaces/acme/repositories/public/immutabletags";
        var set = await ApiAsync("PATCH", Settings, jwt, new JsonObject { ["immutable_tags"] = true, ["immutable_tags_rules"] = new JsonArray("^v[0-9]") });
        Assert.Equal("""{"enabled":true,"rules":["^v[0-9]"]}""", (await JsonAsync(set)).GetProperty("immutable_tags_settings").GetRawText());
        Assert.Equal("""{"tags":["v1.0.0"]}""", await (await ApiAsync("POST", Settings + "/verify", jwt, new JsonObject { ["regex"] = "^v" })).Content.ReadAsStringAsync());
        await PushOkAsync(Owner, "acme/public", "v1.0.0");
        Assert.Equal(HttpStatusCode.BadRequest, (await PushAsync(Owner, "acme/public", "v1.0.0", layer: "another")).StatusCode);
        await PushOkAsync(Owner, "acme/public", "latest", layer: "another");
    }

    [Fact]
    [WireFact("1.3 the OAuth2 form", "1.3 refresh tokens")]
    public async Task The_oauth_form_takes_passwords_and_refresh_tokens()
    {
        await PushOkAsync(Owner, "acme/private");
        var byPassword = await PostTokenAsync("grant_type=password&service=x&client_id=t&scope=repository:acme/private:pull&username=acme&password=acme-password&access_type=offline");
        var refresh = byPassword.GetProperty("refresh_token").GetString()!;
        foreach (var identity in new[] { refresh, "acme-identity" })
        {
            var answer = await PostTokenAsync("grant_type=refresh_token&service=x&client_id=t&scope=repository:acme/private:pull&refresh_token=" + identity);
            Assert.False(answer.TryGetProperty("refresh_token", out _));
            Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", "/v2/acme/private/manifests/v1", credentials: Bearer(answer.GetProperty("access_token").GetString()!))).StatusCode);
        }

        Assert.Equal(HttpStatusCode.Unauthorized, (await SendAsync("GET", "/v2/acme/private/manifests/v1", credentials: Bearer(refresh))).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await SendAsync("POST", "/token", Bytes("grant_type=password&username=acme&password=wrong"), "application/x-www-form-urlencoded")).StatusCode);

        async Task<System.Text.Json.JsonElement> PostTokenAsync(string form) =>
            await JsonAsync(await SendAsync("POST", "/token", Bytes(form), "application/x-www-form-urlencoded"));
    }

    [Fact]
    [WireFact("4.3 auth/token", "4.3 users/login", "4.3 JWT is another word for Bearer")]
    public async Task Logging_in_to_the_api()
    {
        await PushOkAsync("org:org-write", "org/first");
        var organization = await LogInAsync("org", "org-write");
        Assert.Equal(HttpStatusCode.OK, (await ApiAsync("GET", "/v2/namespaces/org/repositories/first", organization)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await ApiAsync("POST", "/v2/auth/token", body: new JsonObject { ["identifier"] = "org", ["secret"] = "wrong" })).StatusCode);
        var old = await ApiAsync("POST", "/v2/users/login", body: new JsonObject { ["username"] = "acme", ["password"] = "acme-read" });
        var request = new HttpRequestMessage(HttpMethod.Get, Emulator.Api + "/v2/namespaces/acme/repositories/private");
        request.Headers.TryAddWithoutValidation("Authorization", "JWT " + (await JsonAsync(old)).GetProperty("token").GetString());
        Assert.Equal(HttpStatusCode.OK, (await Client.SendAsync(request)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await ApiAsync("POST", "/v2/users/login", body: new JsonObject { ["username"] = "org", ["password"] = "org-write" })).StatusCode);

        // A registry token is no API token, and the other way round.
        Assert.Equal(HttpStatusCode.Unauthorized, (await ApiAsync("GET", "/v2/namespaces/acme/repositories/public", (await TokenAsync(Owner)).Parameter)).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await SendAsync("GET", "/v2/", credentials: Bearer(organization))).StatusCode);
    }

    [Fact]
    [WireFact("4.3 GET and HEAD a repository", "4.3 404 for missing and private")]
    public async Task Showing_a_repository()
    {
        const string Repositories = "/v2/namespaces/acme/repositories/";
        Assert.Equal(HttpStatusCode.OK, (await ApiAsync("HEAD", Repositories + "public")).StatusCode);
        var json = await JsonAsync(await ApiAsync("GET", Repositories + "public"));
        foreach (var field in "name namespace repository_type status status_description description is_private is_automated star_count pull_count last_updated date_registered collaborator_count hub_user has_starred full_description media_types content_types categories immutable_tags_settings storage_size source".Split(' '))
        {
            Assert.True(json.TryGetProperty(field, out _), field);
        }

        Assert.False(json.GetProperty("is_private").GetBoolean());
        Assert.Equal(HttpStatusCode.NotFound, (await ApiAsync("GET", Repositories + "private")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await ApiAsync("GET", Repositories + "missing")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await ApiAsync("GET", Repositories + "private", await LogInAsync("stranger", "stranger-password"))).StatusCode);
        Assert.True((await JsonAsync(await ApiAsync("GET", Repositories + "private", await LogInAsync("guest", "guest-password")))).GetProperty("is_private").GetBoolean());
    }

    [Fact]
    [WireFact("4.3 list repositories in pages")]
    public async Task Listing_repositories()
    {
        var jwt = await LogInAsync("acme", "acme-password");
        var json = await JsonAsync(await ApiAsync("GET", "/v2/namespaces/acme/repositories?page_size=2&ordering=name", jwt));
        Assert.Equal(3, json.GetProperty("count").GetInt32());
        Assert.Equal(["empty", "private"], json.GetProperty("results").EnumerateArray().Select(repository => repository.GetProperty("name").GetString()));
        var next = await JsonAsync(await Client.GetAsync(new Uri(json.GetProperty("next").GetString()!)));
        Assert.Equal(2, next.GetProperty("count").GetInt32());
        Assert.Equal(HttpStatusCode.BadRequest, (await ApiAsync("GET", "/v2/namespaces/acme/repositories?page_size=101", jwt)).StatusCode);
        Assert.Equal(1, (await JsonAsync(await ApiAsync("GET", "/v2/namespaces/acme/repositories?name=pub"))).GetProperty("count").GetInt32());
        Assert.Equal(HttpStatusCode.NotFound, (await ApiAsync("GET", "/v2/namespaces/nobody/repositories")).StatusCode);
    }

    [Fact]
    [WireFact("4.3 create a repository with the wished privacy")]
    public async Task Creating_a_repository()
    {
        var jwt = await LogInAsync("acme", "acme-write");
        var body = new JsonObject { ["name"] = "made", ["namespace"] = "acme", ["description"] = "d", ["full_description"] = "f", ["registry"] = "docker.io", ["is_private"] = true };
        const string Repositories = "/v2/namespaces/acme/repositories";
        Assert.Equal(HttpStatusCode.Unauthorized, (await ApiAsync("POST", Repositories, body: body)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await ApiAsync("POST", Repositories, await LogInAsync("acme", "acme-read"), body)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await ApiAsync("POST", Repositories, await LogInAsync("dev", "dev-password"), body)).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await ApiAsync("POST", "/v2/namespaces/nobody/repositories", jwt, new JsonObject { ["name"] = "made" })).StatusCode);
        Assert.Equal(HttpStatusCode.Created, (await ApiAsync("POST", Repositories, jwt, body)).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await ApiAsync("POST", Repositories, jwt, body)).StatusCode);
        Assert.Equal(GitHubVisibility.Private, Emulator.Visibility("acme/made"));
        await PushOkAsync(Owner, "acme/made");
        Assert.Equal(GitHubVisibility.Private, Emulator.Visibility("acme/made"));
    }

    [Fact]
    [WireFact("4.3 list and show tags")]
    public async Task Showing_tags()
    {
        await PushOkAsync(Owner, "acme/public", "a");
        await PushOkAsync(Owner, "acme/public", "b");
        var list = await JsonAsync(await ApiAsync("GET", "/v2/namespaces/acme/repositories/public/tags?page_size=1"));
        Assert.Equal((2, "a"), (list.GetProperty("count").GetInt32(), list.GetProperty("results")[0].GetProperty("name").GetString()));
        Assert.NotNull(list.GetProperty("next").GetString());
        var tag = await JsonAsync(await ApiAsync("GET", "/v2/namespaces/acme/repositories/public/tags/b"));
        Assert.StartsWith("sha256:", tag.GetProperty("digest").GetString(), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.NotFound, (await ApiAsync("HEAD", "/v2/namespaces/acme/repositories/public/tags/c")).StatusCode);
    }

    [Fact]
    [WireFact("4.3 PATCH of the description needs the slash", "4.3 PATCH of the description needs read, write and delete", "4.3 description lengths")]
    public async Task Changing_the_description()
    {
        var full = await LogInAsync("acme", "acme-full");
        var body = new JsonObject { ["description"] = "short", ["full_description"] = "long" };
        var moved = await ApiAsync("PATCH", "/v2/repositories/acme/public", full, body);
        Assert.Equal((HttpStatusCode.MovedPermanently, "/api/v2/repositories/acme/public/"), (moved.StatusCode, Location(moved)));
        var lesser = await ApiAsync("PATCH", "/v2/repositories/acme/public/", await LogInAsync("acme", "acme-write"), body);
        Assert.Equal((HttpStatusCode.Forbidden, "{\"message\":\"insufficient scope\"}"), (lesser.StatusCode, await lesser.Content.ReadAsStringAsync()));
        var changed = await JsonAsync(await ApiAsync("PATCH", "/v2/repositories/acme/public/", full, body));
        Assert.Equal(("short", "long"), (changed.GetProperty("description").GetString(), changed.GetProperty("full_description").GetString()));
        Assert.Equal(HttpStatusCode.BadRequest, (await ApiAsync("PATCH", "/v2/repositories/acme/public/", full, new JsonObject { ["description"] = new string('x', 101) })).StatusCode);
        Assert.Equal(HttpStatusCode.BadRequest, (await ApiAsync("PATCH", "/v2/repositories/acme/public/", full, new JsonObject { ["full_description"] = new string('é', 12_501) })).StatusCode);
    }

    [Theory]
    [InlineData(DockerHubPrivacyChange.Works, HttpStatusCode.OK, true)]
    [InlineData(DockerHubPrivacyChange.Ignored, HttpStatusCode.OK, false)]
    [InlineData(DockerHubPrivacyChange.Missing, HttpStatusCode.NotFound, false)]
    [WireFact("4.3 change of privacy, in all variants")]
    public async Task Changing_the_privacy_is_an_option(DockerHubPrivacyChange variant, HttpStatusCode expected, bool changes)
    {
        await RestartAsync(World(privacy: variant));
        var jwt = await LogInAsync("acme", "acme-password");
        Assert.Equal(expected, (await ApiAsync("POST", "/v2/repositories/acme/public/privacy/", jwt, new JsonObject { ["is_private"] = true })).StatusCode);
        Assert.Equal(changes ? GitHubVisibility.Private : GitHubVisibility.Public, Emulator.Visibility("acme/public"));
        Assert.Equal(HttpStatusCode.OK, (await ApiAsync("PATCH", "/v2/repositories/acme/private/", jwt, new JsonObject { ["is_private"] = false })).StatusCode);
        Assert.Equal(changes ? GitHubVisibility.Public : GitHubVisibility.Private, Emulator.Visibility("acme/private"));
    }

    [Fact]
    [WireFact("4.3 delete tags and repositories")]
    public async Task Deleting_by_the_api()
    {
        await PushOkAsync(Owner, "acme/public");
        Assert.Equal(HttpStatusCode.Forbidden, (await ApiAsync("DELETE", "/v2/repositories/acme/public/tags/v1/", await LogInAsync("acme", "acme-write"))).StatusCode);
        var jwt = await LogInAsync("acme", "acme-password");
        Assert.True((await ApiAsync("DELETE", "/v2/repositories/acme/public/tags/v1/", jwt)).IsSuccessStatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await ApiAsync("DELETE", "/v2/repositories/acme/public/tags/v1/", jwt)).StatusCode);
        Assert.True((await ApiAsync("DELETE", "/v2/repositories/acme/public/", jwt)).IsSuccessStatusCode);
        Assert.Null(Emulator.Visibility("acme/public"));
    }

    [Fact]
    [WireFact("4.2 the API's X-RateLimit and X-Retry-After")]
    public async Task The_api_has_a_limit_of_its_own()
    {
        await RestartAsync(World(apiCalls: 2));
        var answers = new List<HttpResponseMessage>();
        while (answers.Count < 7 && answers.LastOrDefault()?.StatusCode != HttpStatusCode.TooManyRequests)
        {
            // A minute may end in between.
            answers.Add(await ApiAsync("GET", "/v2/namespaces/acme/repositories"));
        }

        Assert.Equal(("2", "1"), (Header(answers[0], "X-RateLimit-Limit"), Header(answers[0], "X-RateLimit-Remaining")));
        Assert.Equal(HttpStatusCode.TooManyRequests, answers[^1].StatusCode);
        Assert.True(long.Parse(Header(answers[^1], "X-Retry-After"), CultureInfo.InvariantCulture) > DateTimeOffset.UtcNow.AddMinutes(-1).ToUnixTimeSeconds());
        Assert.Equal(Header(answers[^1], "X-RateLimit-Reset"), Header(answers[^1], "X-Retry-After"));
    }

    [Fact]
    public async Task What_a_person_can_click()
    {
        Emulator.Click(SettingsClick.Change("acme/public", GitHubVisibility.Private));
        Emulator.Click(SettingsClick.Change("acme/private", GitHubVisibility.Public));
        await RestartAsync(Options);
        Assert.Equal((GitHubVisibility.Private, GitHubVisibility.Public), (Emulator.Visibility("acme/public"), Emulator.Visibility("acme/private")));
        Assert.Throws<InvalidOperationException>(() => Emulator.Click(SettingsClick.Change("acme/public", GitHubVisibility.Internal)));
        Emulator.Click(SettingsClick.Remove("acme/public"));
        Assert.Null(Emulator.Visibility("acme/public"));
    }

    [Fact]
    public async Task A_real_looking_secret_in_a_body_is_warned_of()
    {
        var warnings = new List<string>();
        await RestartAsync(new EmulatorOptions { StateDirectory = State, Personality = EmulatorPersonality.DockerHub, OnWarning = warnings.Add });
        await ApiAsync("POST", "/v2/auth/token", body: new JsonObject { ["identifier"] = "acme", ["secret"] = "dckr_pat_NotARealOne" });
        Assert.StartsWith("request 0 presented what looks like a real secret", Assert.Single(warnings), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Records_name_the_account_of_a_login_body()
    {
        await LogInAsync("acme", "acme-password");
        var record = Emulator.Requests[^1];
        Assert.Equal((null, "acme", "POST", "/api/v2/auth/token"), (record.Account, Assert.Single(record.Secrets), record.Method, record.PathAndQuery));
    }

    private async Task<string> LogInAsync(string identifier, string secret)
    {
        var answer = await ApiAsync("POST", "/v2/auth/token", body: new JsonObject { ["identifier"] = identifier, ["secret"] = secret });
        return (await JsonAsync(answer)).GetProperty("access_token").GetString()!;
    }

    private EmulatorOptions World(bool allowDelete = false, DockerHubReferrers referrers = default, DockerHubPrivacyChange privacy = default, int apiCalls = 600) => new()
    {
        StateDirectory = State,
        Personality = EmulatorPersonality.DockerHub,
        DockerHub = DockerHubExample.World(allowDelete, referrers, privacy, apiCalls),
    };
}

/// <summary>The Docker Hub that these tests speak of.</summary>
internal static class DockerHubExample
{
    public static DockerHubWorld World(bool allowDelete = false, DockerHubReferrers referrers = default, DockerHubPrivacyChange privacy = default, int apiCalls = 600) => new()
    {
        AnonymousPulls = 3,
        AllowRegistryDelete = allowDelete,
        Referrers = referrers,
        PrivacyChange = privacy,
        ApiCallsPerMinute = apiCalls,
        Namespaces =
        {
            ["acme"] = new() { UnlimitedPulls = true, Members = { ["dev"] = DockerHubRole.Write, ["guest"] = DockerHubRole.Read } },
            ["org"] = new() { IsOrganization = true, PrivateByDefault = true, PrivateRepositoryLimit = 1 },
            ["careful"] = new() { TwoFactor = true },
        },
        Repositories =
        {
            ["acme/public"] = new(),
            ["acme/empty"] = new(),
            ["acme/private"] = new() { IsPrivate = true },
        },
        Secrets =
        {
            ["acme"] = DockerHubSecret.Password("acme-password", "acme"),
            ["acme-read"] = DockerHubSecret.PersonalToken("acme-read", "acme", DockerHubRight.Read),
            ["acme-write"] = DockerHubSecret.PersonalToken("acme-write", "acme", DockerHubRight.ReadWrite),
            ["acme-full"] = DockerHubSecret.PersonalToken("acme-full", "acme", DockerHubRight.ReadWriteDelete),
            ["acme-expired"] = DockerHubSecret.PersonalToken("acme-expired", "acme", DockerHubRight.ReadWrite) with { Expired = true },
            ["acme-identity"] = DockerHubSecret.IdentityToken("acme-identity", "acme"),
            ["dev"] = DockerHubSecret.Password("dev-password", "dev"),
            ["guest"] = DockerHubSecret.Password("guest-password", "guest"),
            ["stranger"] = DockerHubSecret.Password("stranger-password", "stranger"),
            ["careful"] = DockerHubSecret.Password("careful-password", "careful"),
            ["org-write"] = DockerHubSecret.OrganizationToken("org-write", "org", DockerHubRight.ReadWrite),
        },
    };
}
