using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using Registry.Sdk.Emulator;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Emulator;

/// <summary>The GHCR personality's registry, fact by fact.</summary>
public sealed class GhcrTests : PersonalityTest
{
    private const string Refused = "requested access to the resource is denied";
    private const string Boss = "boss:boss-write-value";

    protected override EmulatorOptions Options => World();

    [Fact]
    [WireFact("2.1 the ping's challenge has a placeholder scope")]
    public async Task Ping_challenges_with_a_placeholder_scope()
    {
        var answer = await SendAsync("GET", "/v2/");
        await AssertRefusedAsync(answer, HttpStatusCode.Unauthorized, "UNAUTHORIZED", "authentication required");
        Assert.Equal($"Bearer realm=\"{Emulator.BaseAddress}token\",service=\"ghcr.io\",scope=\"repository:user/image:pull\"", Header(answer, "WWW-Authenticate"));
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", "/v2/", credentials: await TokenAsync(Boss))).StatusCode);
    }

    [Fact]
    [WireFact("2.1 a real path's challenge names only pull", "2.1 without Authorization all is 401, public too")]
    public async Task Everything_without_a_token_is_401_and_the_scope_is_pull()
    {
        foreach (var (method, path) in new[] { ("GET", "manifests/v1"), ("HEAD", "manifests/v1"), ("GET", "tags/list"), ("POST", "blobs/uploads/"), ("PUT", "manifests/v1"), ("DELETE", "manifests/v1") })
        {
            var answer = await SendAsync(method, "/v2/acme/public/" + path);
            Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
            Assert.EndsWith("scope=\"repository:acme/public:pull\"", Header(answer, "WWW-Authenticate"), StringComparison.Ordinal);
        }
    }

    [Fact]
    [WireFact("2.1 the token answer is the token alone", "2.1 service may be left out", "1.3 tokens are opaque")]
    public async Task The_token_answer_has_a_token_and_nothing_else()
    {
        var answer = await SendAsync("GET", "/token?scope=repository:acme/public:pull");
        var member = Assert.Single((await JsonAsync(answer)).EnumerateObject().ToArray());
        Assert.Equal("token", member.Name);
        Assert.DoesNotContain('.', member.Value.GetString()!);
    }

    [Fact]
    [WireFact("2.1 anonymous push scope is refused")]
    public async Task An_anonymous_push_scope_is_refused() =>
        await AssertRefusedAsync(await AskTokenAsync(null, "acme/public:pull,push"), HttpStatusCode.Forbidden, "DENIED", Refused);

    [Fact]
    [WireFact("2.1 base64 of a secret is taken for a token")]
    public async Task Shortcuts_of_old_clients_work()
    {
        await PushOkAsync(Boss, "acme/private");
        await PushOkAsync(Boss, "acme/public");
        foreach (var text in new[] { "boss-write-value", Boss })
        {
            Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", "/v2/acme/private/manifests/v1", credentials: Bearer(Convert.ToBase64String(Bytes(text))))).StatusCode);
        }

        Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", "/v2/acme/public/manifests/v1", credentials: Bearer("QQ=="))).StatusCode);
    }

    [Fact]
    [WireFact("2.1 a wrong secret at a resource is DENIED invalid token", "2.1 DENIED has no WWW-Authenticate")]
    public async Task A_wrong_token_is_denied_without_a_challenge()
    {
        foreach (var header in new[] { Bearer("nonsense"), Basic("boss", "wrong") })
        {
            var answer = await SendAsync("GET", "/v2/acme/public/manifests/v1", credentials: header);
            await AssertRefusedAsync(answer, HttpStatusCode.Forbidden, "DENIED", "invalid token");
            Assert.Equal("", Header(answer, "WWW-Authenticate"));
        }
    }

    [Theory]
    [InlineData("x:wrong")]
    [InlineData("boss:boss-expired-value")]
    [InlineData("boss:boss-fine-value")]
    [InlineData(":boss-write-value")]
    [WireFact("2.1 bad credentials break public pulls", "2.2 fine-grained tokens do not work", "2.2 the user name is not looked at but not empty", "2.5 denied: denied is a bad or expired secret")]
    public async Task Bad_credentials_break_even_public_pulls(string credentials) =>
        await AssertRefusedAsync(await AskTokenAsync(credentials, "acme/public:pull"), HttpStatusCode.Forbidden, "DENIED", "denied");

    [Fact]
    [WireFact("2.2 the user name is not looked at but not empty", "2.2 classic tokens pull and push by scope")]
    public async Task The_user_name_is_not_looked_at() => await PushOkAsync("whoever:boss-write-value", "acme/new");

    [Fact]
    [WireFact("2.2 an app's token logs in and is denied")]
    public async Task An_apps_token_logs_in_and_is_denied()
    {
        await PushOkAsync(Boss, "acme/public");
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", "/v2/", credentials: await TokenAsync("x:app-value"))).StatusCode);
        await AssertRefusedAsync(
            await SendAsync("GET", "/v2/acme/private/manifests/v1", credentials: await TokenAsync("x:app-value", "acme/private:pull")), HttpStatusCode.Unauthorized, "UNAUTHORIZED", "authentication required");
        await AssertRefusedAsync(await PushAsync("x:app-value", "acme/public"), HttpStatusCode.Forbidden, "DENIED", "installation not allowed to Write organization package");
    }

    [Fact]
    [WireFact("2.3 public with tag", "2.3 public without tag", "2.3 never created")]
    public async Task What_an_anonymous_caller_sees_of_public_and_missing_packages()
    {
        await PushOkAsync(Boss, "acme/public");
        var token = await TokenAsync(null, "acme/public:pull");
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", "/v2/acme/public/manifests/v1", credentials: token)).StatusCode);
        await AssertErrorAsync(await SendAsync("GET", "/v2/acme/public/manifests/v2", credentials: token), HttpStatusCode.NotFound, "MANIFEST_UNKNOWN");
        await AssertErrorAsync(await SendAsync("GET", "/v2/acme/tools/cli/manifests/v2", credentials: await TokenAsync(null, "acme/tools/cli:pull")), HttpStatusCode.NotFound, "MANIFEST_UNKNOWN");
        await AssertRefusedAsync(await AskTokenAsync(null, "acme/never:pull"), HttpStatusCode.Forbidden, "DENIED", Refused);
    }

    [Theory]
    [InlineData(GhcrPrivateAnswer.UnauthorizedAtToken, HttpStatusCode.Unauthorized, null)]
    [InlineData(GhcrPrivateAnswer.DeniedAtToken, HttpStatusCode.Forbidden, null)]
    [InlineData(GhcrPrivateAnswer.UnauthorizedAtResource, HttpStatusCode.OK, HttpStatusCode.Unauthorized)]
    [InlineData(GhcrPrivateAnswer.DeniedAtResource, HttpStatusCode.OK, HttpStatusCode.Forbidden)]
    [WireFact("2.3 private, in the conflicting variants")]
    public async Task What_an_anonymous_caller_sees_of_a_private_package(GhcrPrivateAnswer variant, HttpStatusCode atToken, HttpStatusCode? atResource)
    {
        await RestartAsync(World(variant));
        await PushOkAsync(Boss, "acme/private");
        foreach (var credentials in new[] { null, "stranger:stranger-write-value" })
        {
            var answer = await AskTokenAsync(credentials, "acme/private:pull");
            Assert.Equal(atToken, answer.StatusCode);
            if (atResource is { } status)
            {
                var bearer = Bearer((await JsonAsync(answer)).GetProperty("token").GetString()!);
                Assert.Equal(status, (await SendAsync("GET", "/v2/acme/private/manifests/v1", credentials: bearer)).StatusCode);
            }
        }

        var own = await TokenAsync("boss:boss-read-value", "acme/private:pull");
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", "/v2/acme/private/manifests/v1", credentials: own)).StatusCode);
    }

    [Fact]
    [WireFact("2.4 an index needs its type in Accept")]
    public async Task An_index_is_404_for_who_does_not_accept_it()
    {
        using var admin = Emulator.CreateAdministrator();
        var digest = await TestKit.Seed.PushAsync(admin, "acme/public", "multi", new TestKit.SeedImage { Index = true });
        var token = await TokenAsync(null, "acme/public:pull");
        foreach (var accept in new[] { null, "*/*", OciManifest })
        {
            await AssertRefusedAsync(
                await GetAsync("/v2/acme/public/manifests/multi", token, accept), HttpStatusCode.NotFound, "MANIFEST_UNKNOWN", "OCI index found, but Accept header does not support OCI indexes");
        }

        var answer = await GetAsync("/v2/acme/public/manifests/multi", token, $"{OciManifest}, {OciIndex}");
        Assert.Equal(digest, Header(answer, "Docker-Content-Digest"));
    }

    [Fact]
    [WireFact("2.4 a blob is redirected to another origin", "2.4 Range is honoured there", "1.3 no Authorization to another host")]
    public async Task A_blob_is_at_another_origin_which_wants_no_credentials()
    {
        await PushOkAsync(Boss, "acme/public");
        var token = await TokenAsync(null, "acme/public:pull");
        var path = $"/v2/acme/public/blobs/{DigestOf(Bytes("a layer"))}";
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("HEAD", path, credentials: token)).StatusCode);
        var answer = await SendAsync("GET", path, credentials: token);
        Assert.Equal(HttpStatusCode.TemporaryRedirect, answer.StatusCode);
        Assert.StartsWith(Emulator.BlobAddress!.AbsoluteUri, Location(answer), StringComparison.Ordinal);
        Assert.NotEqual(Emulator.BaseAddress.Port, Emulator.BlobAddress.Port);
        Assert.Equal("a layer", await (await SendAsync("GET", Location(answer))).Content.ReadAsStringAsync());
        Assert.Equal(HttpStatusCode.BadRequest, (await SendAsync("GET", Location(answer), credentials: token)).StatusCode);
        Assert.Equal(HttpStatusCode.Forbidden, (await SendAsync("GET", Location(answer) + "0")).StatusCode);
        var range = new HttpRequestMessage(HttpMethod.Get, Location(answer)) { Headers = { Range = new RangeHeaderValue(2, 4) } };
        var part = await Client.SendAsync(range);
        Assert.Equal((HttpStatusCode.PartialContent, "lay"), (part.StatusCode, await part.Content.ReadAsStringAsync()));
        Assert.Equal(
            [(false, null), (true, "anonymous"), (false, null), (false, null)],
            Emulator.Requests.Where(request => request.Origin == Emulator.BlobAddress.Authority).Select(request => (request.HasAuthorization, request.Account)));
    }

    [Fact]
    [WireFact("2.5 the upload's Location is relative and says upload", "1.5 a relative Location, with or without a query")]
    public async Task The_uploads_Location_is_relative()
    {
        var token = await TokenAsync(Boss, "acme/public:pull,push");
        var location = Location(await SendAsync("POST", "/v2/acme/public/blobs/uploads/", credentials: token));
        Assert.Matches("^/v2/acme/public/blobs/upload/[0-9a-f]+$", location);
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync("GET", location.Replace("/upload/", "/uploads/"), credentials: token)).StatusCode);
    }

    [Fact]
    [WireFact("2.5 a ranged PATCH above 4 MiB is 416", "1.5 chunks in order, else 416")]
    public async Task A_ranged_chunk_above_4_MiB_is_416()
    {
        const int Limit = 4 * 1024 * 1024;
        var token = await TokenAsync(Boss, "acme/public:pull,push");
        var location = Location(await SendAsync("POST", "/v2/acme/public/blobs/uploads/", credentials: token));
        await AssertRefusedAsync(
            await SendAsync("PATCH", location, new byte[Limit + 1], contentRange: $"0-{Limit}", credentials: token),
            HttpStatusCode.RequestedRangeNotSatisfiable,
            "REQUESTED_RANGE_NOT_SATISFIABLE",
            "the request body is too large and exceeds the maximum permissible limit of 4.00MiB");
        Assert.Equal(HttpStatusCode.Accepted, (await SendAsync("PATCH", location, new byte[Limit], contentRange: $"0-{Limit - 1}", credentials: token)).StatusCode);
        Assert.Equal(HttpStatusCode.RequestedRangeNotSatisfiable, (await SendAsync("PATCH", location, new byte[2], contentRange: "0-1", credentials: token)).StatusCode);

        // Streamed, as Docker does: no limit.
        Assert.Equal(HttpStatusCode.Accepted, (await SendAsync("PATCH", location, new byte[Limit + 1], credentials: token)).StatusCode);
    }

    [Fact]
    [WireFact("2.5 mount works across owners", "1.6 mounts need pull on the source")]
    public async Task Blobs_are_mounted_from_other_owners_if_the_token_can_read_them()
    {
        await PushOkAsync(Boss, "acme/private");
        var mount = $"/v2/boss/own/blobs/uploads/?mount={DigestOf(Bytes("a layer"))}&from=acme/private";
        Assert.Equal(HttpStatusCode.Accepted, (await SendAsync("POST", mount, credentials: await TokenAsync(Boss, "boss/own:pull,push"))).StatusCode);
        Assert.Equal(HttpStatusCode.Created, (await SendAsync("POST", mount, credentials: await TokenAsync(Boss, "boss/own:pull,push", "acme/private:pull"))).StatusCode);
        var strange = mount.Replace("boss/own", "stranger/own");
        Assert.Equal(HttpStatusCode.Accepted, (await SendAsync("POST", strange, credentials: await TokenAsync("x:stranger-write-value", "stranger/own:pull,push", "acme/private:pull"))).StatusCode);
    }

    [Theory]
    [InlineData("x:read-job-value", "acme/new", "installation not allowed to Create organization package")]
    [InlineData("x:read-job-value", "acme/app", "installation not allowed to Write organization package")]
    [InlineData("x:job-value", "other/new", "installation not allowed to Create organization package")]
    [InlineData("x:job-value", "stranger/new", "installation not allowed to Create organization package")]
    [InlineData("x:job-value", "acme/private", "permission_denied: write_package")]
    [InlineData("x:stranger-write-value", "acme/public", "permission_denied: write_package")]
    [InlineData("x:stranger-write-value", "acme/new", "permission_denied: create_package")]
    [InlineData("x:boss-read-value", "acme/public", "permission_denied: The token provided does not match expected scopes.")]
    [WireFact("2.5 installation not allowed", "2.5 permission_denied: write_package", "2.2 classic tokens pull and push by scope", "2.2 a job's token needs packages: write")]
    public async Task Push_denials(string credentials, string repository, string message) =>
        await AssertRefusedAsync(await PushAsync(credentials, repository), HttpStatusCode.Forbidden, "DENIED", message);

    [Fact]
    [WireFact("2.5 Manage Actions access mends write_package")]
    public async Task Granting_the_repository_mends_the_denial()
    {
        Emulator.Click(SettingsClick.Grant("acme/private", "acme/app", GitHubPackageRight.Read));
        Assert.Equal(HttpStatusCode.Forbidden, (await PushAsync("x:job-value", "acme/private")).StatusCode);
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync("GET", "/v2/acme/private/manifests/v1", credentials: await TokenAsync("x:job-value", "acme/private:pull"))).StatusCode);
        Emulator.Click(SettingsClick.Grant("acme/private", "acme/app"));
        await PushOkAsync("x:job-value", "acme/private");
    }

    [Fact]
    [WireFact("2.5 a push probe creates no package and cannot be cancelled")]
    public async Task Probing_the_push_right_leaves_nothing_behind()
    {
        var token = await TokenAsync(Boss, "acme/new:pull,push");
        var session = await SendAsync("POST", "/v2/acme/new/blobs/uploads/", credentials: token);
        Assert.Equal(HttpStatusCode.Accepted, session.StatusCode);
        var cancelled = await SendAsync("DELETE", Location(session), credentials: token);
        await AssertErrorAsync(cancelled, HttpStatusCode.MethodNotAllowed, "UNSUPPORTED");
        Assert.Null(Emulator.Visibility("acme/new"));
        Assert.Equal(HttpStatusCode.NotFound, (await ApiAsync("GET", "/orgs/acme/packages/container/new", "boss-read-value")).StatusCode);
    }

    [Fact]
    [WireFact("2.6 tags in order of creation", "2.6 pages of 100 with Link", "2.6 a large n gives all", "2.6 tags is null past the end")]
    public async Task Tags_come_in_order_of_creation_and_in_pages()
    {
        using var admin = Emulator.CreateAdministrator();
        var first = await TestKit.Seed.PushAsync(admin, "acme/public", "zulu", new TestKit.SeedImage());
        var names = Enumerable.Range(0, 120).Select(number => $"t{119 - number}").ToArray();
        await TestKit.Seed.TagAsync(admin, "acme/public", first, names);
        await TestKit.Seed.TagAsync(admin, "acme/public", first, "zulu");
        string[] all = ["zulu", .. names];
        var token = await TokenAsync(null, "acme/public:pull");
        var page = await SendAsync("GET", "/v2/acme/public/tags/list", credentials: token);
        Assert.Equal(all[..100], await TagsAsync(page));
        Assert.Equal($"</v2/acme/public/tags/list?n=100&last={all[99]}>; rel=\"next\"", Header(page, "Link"));
        var rest = await SendAsync("GET", $"/v2/acme/public/tags/list?n=100&last={all[99]}", credentials: token);
        Assert.Equal(all[100..], await TagsAsync(rest));
        Assert.Equal("", Header(rest, "Link"));
        var large = await SendAsync("GET", "/v2/acme/public/tags/list?n=10000", credentials: token);
        Assert.Equal(all, await TagsAsync(large));
        Assert.Equal("", Header(large, "Link"));
        foreach (var last in new[] { all[^1], "no-such-tag" })
        {
            Assert.Equal("{\"name\":\"acme/public\",\"tags\":null}", await (await SendAsync("GET", $"/v2/acme/public/tags/list?last={last}", credentials: token)).Content.ReadAsStringAsync());
        }
    }

    [Fact]
    [WireFact("2.6 no immutable tags")]
    public async Task Tags_can_be_moved()
    {
        await PushOkAsync(Boss, "acme/public");
        await PushOkAsync(Boss, "acme/public", layer: "another");
    }

    [Fact]
    [WireFact("2.7 DELETE is 405")]
    public async Task Nothing_is_deleted()
    {
        await PushOkAsync(Boss, "acme/public");
        var token = await TokenAsync(Boss, "acme/public:pull,push,delete");
        foreach (var path in new[] { "manifests/v1", $"manifests/{DigestOf(Bytes("x"))}", $"blobs/{DigestOf(Bytes("a layer"))}" })
        {
            await AssertErrorAsync(await SendAsync("DELETE", "/v2/acme/public/" + path, credentials: token), HttpStatusCode.MethodNotAllowed, "UNSUPPORTED");
        }
    }

    [Fact]
    [WireFact("2.7 no referrers API and no OCI-Subject", "1.10 404 means no referrers API", "1.10 no OCI-Subject, so keep the fallback tag")]
    public async Task There_are_no_referrers()
    {
        await PushOkAsync(Boss, "acme/public");
        var token = await TokenAsync(Boss, "acme/public:pull,push");
        var image = await (await SendAsync("GET", "/v2/acme/public/manifests/v1", credentials: token)).Content.ReadAsByteArrayAsync();
        using var json = JsonDocument.Parse(image);
        var about = Bytes(json.RootElement.GetRawText()[..^1] + $",\"subject\":{Descriptor(OciManifest, image).ToJsonString()}}}");
        var pushed = await SendAsync("PUT", $"/v2/acme/public/manifests/{DigestOf(about)}", about, OciManifest, credentials: token);
        Assert.Equal((HttpStatusCode.Created, ""), (pushed.StatusCode, Header(pushed, "OCI-Subject")));
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync("GET", $"/v2/acme/public/referrers/{DigestOf(image)}", credentials: token)).StatusCode);
    }

    [Fact]
    [WireFact("2.7 429 has a Go duration in the message", "2.5 403 secondary rate limit", "2.5 sporadic 403 on near-simultaneous tags", "1.12 429 with Retry-After")]
    public async Task Throttling_has_its_own_forms()
    {
        var faults = new Queue<Func<Microsoft.AspNetCore.Http.HttpContext, Task<bool>>>(
        [
            context => EmulatorFaults.GhcrThrottleAsync(context),
            EmulatorFaults.GhcrSecondaryRateLimitAsync,
            EmulatorFaults.GhcrSporadicDenialAsync,
            context => EmulatorFaults.ThrottleAsync(context, 7),
        ]);
        await RestartAsync(new EmulatorOptions { StateDirectory = State, Personality = EmulatorPersonality.Ghcr, Intercept = context => faults.TryDequeue(out var fault) ? fault(context) : Task.FromResult(false) });
        var throttled = await SendAsync("GET", "/v2/");
        Assert.Equal("{\"errors\":[{\"code\":\"TOOMANYREQUESTS\",\"message\":\"retry-after: 880.092µs, allowed: 44000/minute\"}]}", await throttled.Content.ReadAsStringAsync());
        Assert.Equal((HttpStatusCode.TooManyRequests, ""), (throttled.StatusCode, Header(throttled, "Retry-After")));
        var secondary = await SendAsync("GET", "/v2/");
        Assert.Equal(HttpStatusCode.Forbidden, secondary.StatusCode);
        Assert.Contains("You have exceeded a secondary rate limit", await secondary.Content.ReadAsStringAsync(), StringComparison.Ordinal);
        await AssertRefusedAsync(await SendAsync("GET", "/v2/"), HttpStatusCode.Forbidden, "DENIED", "denied");
        Assert.Equal("7", Header(await SendAsync("GET", "/v2/"), "Retry-After"));
        Assert.Equal(HttpStatusCode.Unauthorized, (await SendAsync("GET", "/v2/")).StatusCode);
    }

    [Fact]
    [WireFact("2.7 names are lower case, and may be nested")]
    public async Task Names_are_lower_case_and_may_be_nested()
    {
        await PushOkAsync(Boss, "acme/tools/deep/cli");
        var upper = await SendAsync("GET", "/v2/Acme/public/manifests/v1", credentials: await TokenAsync(Boss, "Acme/public:pull,push"));
        await AssertErrorAsync(upper, HttpStatusCode.BadRequest, "NAME_INVALID");
    }

    [Fact]
    [WireFact("2.8 the source label links a new package", "2.8 a source that ends in .git does not", "2.8 a link gives access, not visibility")]
    public async Task The_source_label_links_and_gives_access_but_not_visibility()
    {
        await PushOkAsync(Boss, "acme/linked", source: "https://github.com/acme/app");
        await PushOkAsync(Boss, "acme/unlinked", source: "https://github.com/acme/app.git");
        Assert.Equal(GitHubVisibility.Private, Emulator.Visibility("acme/linked"));
        await PushOkAsync("x:job-value", "acme/linked", "v2");
        Assert.Equal(HttpStatusCode.Forbidden, (await PushAsync("x:job-value", "acme/unlinked", "v2")).StatusCode);

        await PushOkAsync("boss:boss-write-value", "closed/linked", source: "https://github.com/closed/app");
        await AssertRefusedAsync(await PushAsync("x:closed-job-value", "closed/linked", "v2"), HttpStatusCode.Forbidden, "DENIED", "permission_denied: write_package");
    }

    [Theory]
    [InlineData(Boss, "acme/new", GitHubVisibility.Private)]
    [InlineData(Boss, "boss/new", GitHubVisibility.Private)]
    [InlineData("x:job-value", "acme/new", GitHubVisibility.Public)]
    [InlineData("x:secret-job-value", "acme/new", GitHubVisibility.Private)]
    [InlineData("x:user-job-value", "stranger/new", GitHubVisibility.Public)]
    [InlineData("x:closed-job-value", "closed/new", GitHubVisibility.Private)]
    [InlineData("x:keeping-job-value", "keeping/new", GitHubVisibility.Private)]
    [WireFact("3.5 private at first publish by a token", "3.5 a job's token gives the repository's visibility", "3.5 unless the organisation does not", "3.5 no public package where the policy forbids it", "2.8 a job's push links the package")]
    public async Task How_a_package_is_born(string credentials, string package, GitHubVisibility expected)
    {
        await PushOkAsync(credentials, package);
        Assert.Equal(expected, Emulator.Visibility(package));
        await PushOkAsync(credentials, package, "v2");
    }

    [Fact]
    [WireFact("3.5 public cannot be made private again", "3.5 private can be made public", "3.5 deleting and pushing anew resets it", "3.5 no public package where the policy forbids it")]
    public async Task What_a_person_can_click()
    {
        await PushOkAsync(Boss, "acme/new");
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskTokenAsync(null, "acme/new:pull")).StatusCode);
        Assert.Equal(HttpStatusCode.NoContent, (await SendAsync("POST", "/_control/click", Bytes("""{"repository":"acme/new","visibility":"Public"}"""))).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", "/v2/acme/new/manifests/v1", credentials: await TokenAsync(null, "acme/new:pull"))).StatusCode);
        Assert.Throws<InvalidOperationException>(() => Emulator.Click(SettingsClick.Change("acme/new", GitHubVisibility.Private)));
        Assert.Equal(HttpStatusCode.Conflict, (await SendAsync("POST", "/_control/click", Bytes("""{"repository":"acme/new","visibility":"Internal"}"""))).StatusCode);
        Emulator.Click(SettingsClick.Remove("acme/new"));
        Assert.Null(Emulator.Visibility("acme/new"));
        await PushOkAsync(Boss, "acme/new");
        Assert.Equal(GitHubVisibility.Private, Emulator.Visibility("acme/new"));
        await PushOkAsync(Boss, "closed/new");
        Assert.Throws<InvalidOperationException>(() => Emulator.Click(SettingsClick.Change("closed/new", GitHubVisibility.Public)));
    }

    [Fact]
    [WireFact("3.5 internal is for the organisation's members")]
    public async Task An_internal_package_is_for_members()
    {
        await PushOkAsync(Boss, "acme/new");
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskTokenAsync("x:mona-read-value", "acme/new:pull")).StatusCode);
        Emulator.Click(SettingsClick.Change("acme/new", GitHubVisibility.Internal));
        Assert.Equal(HttpStatusCode.OK, (await AskTokenAsync("x:mona-read-value", "acme/new:pull")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskTokenAsync(null, "acme/new:pull")).StatusCode);
        Assert.Equal(HttpStatusCode.Unauthorized, (await AskTokenAsync("x:stranger-write-value", "acme/new:pull")).StatusCode);
    }

    [Fact]
    [WireFact("1.3 an expired token is 401 invalid_token")]
    public async Task An_expired_token_is_challenged_anew()
    {
        var token = await TokenAsync(Boss, "acme/public:pull,push");
        var location = Location(await SendAsync("POST", "/v2/acme/public/blobs/uploads/", credentials: token));
        Emulator.ExpireTokens();
        var answer = await SendAsync("PATCH", location, Bytes("x"), credentials: token);
        Assert.Equal(HttpStatusCode.Unauthorized, answer.StatusCode);
        Assert.Contains("error=\"invalid_token\"", Header(answer, "WWW-Authenticate"), StringComparison.Ordinal);
        Assert.Equal(HttpStatusCode.Accepted, (await SendAsync("PATCH", location, Bytes("x"), credentials: await TokenAsync(Boss, "acme/public:pull,push"))).StatusCode);
    }

    [Fact]
    [WireFact("1.3 several scopes by repeating the parameter", "1.3 a token may be good for less than asked")]
    public async Task A_token_is_good_for_its_scopes_only()
    {
        await PushOkAsync(Boss, "acme/public");
        await PushOkAsync(Boss, "acme/private");
        var both = await TokenAsync(Boss, "acme/public:pull", "acme/private:pull");
        foreach (var repository in new[] { "acme/public", "acme/private" })
        {
            Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", $"/v2/{repository}/manifests/v1", credentials: both)).StatusCode);
        }

        await AssertRefusedAsync(await SendAsync("GET", "/v2/acme/inside/manifests/v1", credentials: both), HttpStatusCode.Forbidden, "DENIED", Refused);
        await AssertRefusedAsync(await SendAsync("POST", "/v2/acme/public/blobs/uploads/", credentials: both), HttpStatusCode.Forbidden, "DENIED", Refused);
        Assert.Equal(HttpStatusCode.OK, (await AskTokenAsync("x:boss-read-value", "acme/public:pull,push")).StatusCode);
    }

    [Fact]
    [WireFact("1.3 the OAuth2 form may be missing")]
    public async Task There_is_no_oauth_form() => Assert.Equal(HttpStatusCode.MethodNotAllowed, (await SendAsync("POST", "/token")).StatusCode);

    [Fact]
    public async Task What_was_pushed_and_clicked_outlives_a_restart()
    {
        await PushOkAsync(Boss, "acme/new", "b");
        await PushOkAsync(Boss, "acme/new", "a");
        Emulator.Click(SettingsClick.Change("acme/new", GitHubVisibility.Public));
        await RestartAsync(Options);
        Assert.Equal(GitHubVisibility.Public, Emulator.Visibility("acme/new"));
        Assert.Equal(["b", "a"], await TagsAsync(await SendAsync("GET", "/v2/acme/new/tags/list", credentials: await TokenAsync(null, "acme/new:pull"))));
    }

    [Fact]
    public async Task Records_name_whose_secret_came_and_hold_no_secret()
    {
        var warnings = new List<string>();
        var log = Path.Combine(Scratch, "log");
        await RestartAsync(World(log: log, onWarning: warnings.Add));
        await PushOkAsync(Boss, "acme/public");
        await SendAsync("GET", "/v2/?leak=foreign%20value", credentials: Basic("x", "nobody-knows"));
        await SendAsync("POST", "/nowhere", Bytes("a=1&password=foreign+value"), "application/x-www-form-urlencoded");
        await SendAsync("GET", "/api/rate_limit", credentials: Bearer("boss-read-value"));
        await SendAsync("GET", "/token?password=boss-read-value&scope=repository:acme/public:pull");
        var records = Emulator.Requests;
        Assert.Equal(("boss-write", "boss-write"), (records[0].Account, Assert.Single(records[0].Secrets)));
        Assert.Equal(("boss-write", "boss-write (token)"), (records[1].Account, Assert.Single(records[1].Secrets)));
        Assert.Equal(("unknown", "other host"), (records[^4].Account, Assert.Single(records[^4].Secrets)));
        Assert.Equal((null, "other host"), (records[^3].Account, Assert.Single(records[^3].Secrets)));
        Assert.Equal(("boss-read", "boss-read"), (records[^2].Account, Assert.Single(records[^2].Secrets)));
        Assert.Equal((null, "boss-read", "/token?password=***&scope=repository:acme/public:pull"), (records[^1].Account, Assert.Single(records[^1].Secrets), records[^1].PathAndQuery));
        await StopAsync();
        var written = await File.ReadAllTextAsync(log) + string.Join('\n', records);
        foreach (var secret in new[] { "boss-write-value", "boss-read-value", "foreign", "nobody-knows", "emulated-", Convert.ToBase64String(Bytes(Boss)) })
        {
            Assert.DoesNotContain(secret, written, StringComparison.Ordinal);
        }

        Assert.Empty(warnings);
        await RestartAsync(World(onWarning: warnings.Add, more: ("real", GitHubSecret.Classic("ghp_NotARealOneButLooksSo", "boss"))));
        Assert.Equal("the secret of 'real' looks like a real one; the emulator needs none", Assert.Single(warnings));
    }

    private static async Task<string[]> TagsAsync(HttpResponseMessage answer) =>
        [.. (await JsonAsync(answer)).GetProperty("tags").EnumerateArray().Select(tag => tag.GetString()!)];

    private Task<HttpResponseMessage> GetAsync(string path, AuthenticationHeaderValue token, string? accept)
    {
        var request = new HttpRequestMessage(HttpMethod.Get, path) { Headers = { Authorization = token } };
        if (accept is not null)
        {
            request.Headers.TryAddWithoutValidation("Accept", accept);
        }

        return Client.SendAsync(request);
    }

    private EmulatorOptions World(GhcrPrivateAnswer answer = GhcrPrivateAnswer.UnauthorizedAtToken, string? log = null, Action<string>? onWarning = null, (string Name, GitHubSecret Secret)? more = null)
    {
        var world = GitHubExample.World(answer);
        if (more is { } secret)
        {
            world.Secrets[secret.Name] = secret.Secret;
        }

        return new EmulatorOptions
        {
            StateDirectory = State,
            Personality = EmulatorPersonality.Ghcr,
            GitHub = world,
            LogFile = log,
            OnWarning = onWarning,
            ForeignSecrets = { ["other host"] = "foreign value" },
        };
    }
}

/// <summary>The GitHub that these tests speak of.</summary>
internal static class GitHubExample
{
    public static GitHubWorld World(GhcrPrivateAnswer answer = GhcrPrivateAnswer.UnauthorizedAtToken) => new()
    {
        PrivateAnswer = answer,
        Owners =
        {
            ["acme"] = new() { Kind = GitHubOwnerKind.Organization, Admins = ["boss"], Members = ["mona"] },
            ["other"] = GitHubOwner.Organization("boss"),
            ["closed"] = new() { Kind = GitHubOwnerKind.Organization, Admins = ["boss"], AllowPublicPackages = false, InheritAccess = false },
            ["keeping"] = new() { Kind = GitHubOwnerKind.Organization, ActionsPackagesInheritVisibility = false },
            ["stranger"] = GitHubOwner.User(),
        },
        Repositories =
        {
            ["acme/app"] = new() { Visibility = GitHubVisibility.Public },
            ["acme/secret"] = new(),
            ["acme/inner"] = new() { Visibility = GitHubVisibility.Internal, Fork = true, DefaultBranch = "trunk" },
            ["acme/old"] = new() { RenamedTo = "acme/app" },
            ["stranger/site"] = new() { Visibility = GitHubVisibility.Public },
            ["closed/app"] = new() { Visibility = GitHubVisibility.Public },
            ["keeping/app"] = new() { Visibility = GitHubVisibility.Public },
        },
        Packages =
        {
            ["acme/public"] = new() { Visibility = GitHubVisibility.Public },
            ["acme/private"] = new(),
            ["acme/inside"] = new() { Visibility = GitHubVisibility.Internal },
            ["acme/tools/cli"] = new() { Visibility = GitHubVisibility.Public },
            ["acme/app"] = new() { Repository = "acme/app" },
            ["stranger/things"] = new() { Visibility = GitHubVisibility.Public },
        },
        Secrets =
        {
            ["boss-write"] = GitHubSecret.Classic("boss-write-value", "boss", "write:packages"),
            ["boss-read"] = GitHubSecret.Classic("boss-read-value", "boss", "read:packages", "repo"),
            ["boss-none"] = GitHubSecret.Classic("boss-none-value", "boss", "gist"),
            ["boss-expired"] = GitHubSecret.Classic("boss-expired-value", "boss", "write:packages") with { Expired = true },
            ["boss-fine"] = GitHubSecret.FineGrained("boss-fine-value", "boss"),
            ["mona-read"] = GitHubSecret.Classic("mona-read-value", "mona", "read:packages"),
            ["stranger-write"] = GitHubSecret.Classic("stranger-write-value", "stranger", "write:packages"),
            ["app"] = GitHubSecret.App("app-value"),
            ["job"] = GitHubSecret.Actions("job-value", "acme/app", GitHubPackageRight.Write),
            ["read-job"] = GitHubSecret.Actions("read-job-value", "acme/app", GitHubPackageRight.Read),
            ["no-job"] = GitHubSecret.Actions("no-job-value", "acme/app", GitHubPackageRight.None),
            ["secret-job"] = GitHubSecret.Actions("secret-job-value", "acme/secret", GitHubPackageRight.Write),
            ["user-job"] = GitHubSecret.Actions("user-job-value", "stranger/site", GitHubPackageRight.Write),
            ["closed-job"] = GitHubSecret.Actions("closed-job-value", "closed/app", GitHubPackageRight.Write),
            ["keeping-job"] = GitHubSecret.Actions("keeping-job-value", "keeping/app", GitHubPackageRight.Write),
        },
    };
}
