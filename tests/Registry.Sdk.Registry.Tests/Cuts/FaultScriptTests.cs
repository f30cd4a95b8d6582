using System.Net;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Cuts;

/// <summary>Each fault does what its name says, to the requests it is for and to no other.</summary>
public sealed class FaultScriptTests : EmulatorTest
{
    private readonly FaultScript _script = new();

    protected override EmulatorOptions Options => new() { StateDirectory = State, Faults = _script };

    [Fact]
    public async Task A_rule_counts_the_requests_that_it_matches()
    {
        var rule = new FaultRule(Fault.Status(503)) { Method = "GET", Path = "/v2/*/tags/list", From = 1, Times = 2 };
        _script.Add(rule);

        var answers = new List<int>();
        for (var i = 0; i < 5; i++)
        {
            answers.Add(await GetAsync("/v2/a/b/tags/list"));
            Assert.Equal(200, await GetAsync("/v2/"));
        }

        Assert.Equal([404, 503, 503, 404, 404], answers);
        Assert.Equal((5, 10), (rule.Matched, _script.Seen));
        Assert.Equal(2, _script.Fired.Count);
        Assert.Equal(new FiredFault("503", "GET", "/v2/a/b/tags/list"), _script.Fired[0]);
    }

    [Theory]
    [InlineData("/v2/*/tags/list", "/v2/a/b/tags/list", true)]
    [InlineData("/v2/*/tags/list", "/v2/tags/list", false)]
    [InlineData("*latest", "/v2/a/manifests/latest", true)]
    [InlineData("*/manifests/*", "/v2/a/manifests/", true)]
    [InlineData("/v2/", "/v2/", true)]
    [InlineData("/v2/", "/v2/a", false)]
    [InlineData("/v2/*b*c", "/v2/c", false)]
    [InlineData("/v2/ab*ba", "/v2/aba", false)]
    public async Task A_path_is_a_pattern(string pattern, string path, bool matches)
    {
        _script.Add(new FaultRule(Fault.Status(503)) { Path = pattern });

        Assert.Equal(matches, await GetAsync(path) == 503);
    }

    [Fact]
    public async Task For_good_lasts_until_it_is_healed()
    {
        _script.Add(new FaultRule(Fault.Status(429, "TOOMANYREQUESTS", "slowly", retryAfter: "7")) { From = 1, Times = FaultRule.ForGood });

        Assert.Equal(200, await GetAsync("/v2/"));
        for (var i = 0; i < 3; i++)
        {
            using var answer = await Client.GetAsync(new Uri("/v2/", UriKind.Relative));
            Assert.Equal((429, "7"), ((int)answer.StatusCode, answer.Headers.RetryAfter!.ToString()));
            Assert.Contains("TOOMANYREQUESTS", await answer.Content.ReadAsStringAsync());
        }

        _script.Heal();
        Assert.Equal(200, await GetAsync("/v2/"));
    }

    [Theory]
    [InlineData("drop before", false)]
    [InlineData("drop after", true)]
    [InlineData("cut answer", true)]
    public async Task A_lost_answer_is_of_something_done_or_not(string name, bool done)
    {
        var content = Bytes("content");
        _script.Add(new FaultRule(name switch { "drop before" => Fault.DropBefore, "drop after" => Fault.DropAfter, _ => Fault.CutAnswer }) { Method = "POST" });

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => SendAsync("POST", $"/v2/a/blobs/uploads/?digest={DigestOf(content)}", content));

        Assert.Equal(done ? 200 : 404, await GetAsync($"/v2/a/blobs/{DigestOf(content)}"));
        Assert.Equal(0, Emulator.Requests[0].Status);
    }

    [Fact]
    public async Task An_answer_is_cut_in_the_middle_of_its_body()
    {
        var content = new byte[100_000];
        var digest = await PushBlobAsync("a", content);
        _script.Add(new FaultRule(Fault.CutAnswer) { Method = "GET" });

        using var answer = await Client.GetAsync(new Uri($"/v2/a/blobs/{digest}", UriKind.Relative), HttpCompletionOption.ResponseHeadersRead);
        Assert.Equal(100_000, answer.Content.Headers.ContentLength);
        await Assert.ThrowsAnyAsync<Exception>(() => answer.Content.ReadAsByteArrayAsync());
        Assert.Equal(50_000, Emulator.Requests[^1].ResponseBytes);
        Assert.Equal(200, await GetAsync($"/v2/a/blobs/{digest}"));
    }

    [Theory]
    [InlineData(10, false)]
    [InlineData(100_000, true)]
    [InlineData(null, false)]
    public async Task A_request_is_cut_after_so_many_bytes(int? bytes, bool arrives)
    {
        var content = new byte[100_000];
        _script.Add(new FaultRule(Fault.CutRequest(bytes)) { Method = "POST" });

        var answered = await Record.ExceptionAsync(() => SendAsync("POST", $"/v2/a/blobs/uploads/?digest={DigestOf(content)}", content)) is null;

        Assert.Equal(arrives, answered);
        Assert.Equal(arrives ? 200 : 404, await GetAsync($"/v2/a/blobs/{DigestOf(content)}"));
        // One more is looked for, to tell a body that ends there.
        Assert.InRange(Emulator.Requests[0].RequestBytes, bytes ?? 50_000, (bytes ?? 50_000) + 1);
    }

    [Fact]
    public async Task A_written_tag_is_read_as_before_for_so_many_reads()
    {
        var first = await Seed.PushAsync(Client, "a/b", "latest", new SeedImage());
        _script.Add(new FaultRule(Fault.StaleTag(2)) { Times = FaultRule.ForGood });
        var second = await Seed.PushAsync(Client, "a/b", "latest", new SeedImage { Salt = "2" });
        await Seed.TagAsync(Client, "a/b", second, "new");

        var read = new List<string>();
        var statuses = new List<int>();
        for (var i = 0; i < 4; i++)
        {
            read.Add(Seed.Digest((await Seed.ManifestAsync(Client, "a/b", "latest"))!));
            statuses.Add(await GetAsync("/v2/a/b/manifests/new"));
        }

        Assert.Equal([first, first, second, second], read);
        Assert.Equal([404, 404, 200, 200], statuses);
        // By digest nothing is stale.
        Assert.Equal(200, await GetAsync($"/v2/a/b/manifests/{second}"));
    }

    [Theory]
    [InlineData(400)]
    [InlineData(409)]
    public async Task An_immutable_tag_is_not_written_again(int status)
    {
        await Seed.PushAsync(Client, "a/b", "v1", new SeedImage());
        _script.Add(new FaultRule(Fault.ImmutableTags(status)) { Times = FaultRule.ForGood });

        var digest = await Seed.PushAsync(Client, "a/b", "v2", new SeedImage { Salt = "2" });
        var manifest = (await Seed.ManifestAsync(Client, "a/b", digest))!;

        Assert.Equal(HttpStatusCode.Created, (await SendAsync("PUT", $"/v2/a/b/manifests/{digest}", manifest, OciManifest)).StatusCode);
        Assert.Equal(status, (int)(await SendAsync("PUT", "/v2/a/b/manifests/v1", manifest, OciManifest)).StatusCode);
        Assert.Equal(status, (int)(await SendAsync("PUT", "/v2/a/b/manifests/v2", manifest, OciManifest)).StatusCode);
    }

    [Theory]
    [InlineData(202)]
    [InlineData(404)]
    [InlineData(405)]
    public async Task A_mount_is_refused_and_an_upload_is_not(int status)
    {
        var digest = await PushBlobAsync("a", Bytes("content"));
        _script.Add(new FaultRule(Fault.RefuseMount(status)) { Times = FaultRule.ForGood });

        Assert.Equal(status, (int)(await SendAsync("POST", $"/v2/b/blobs/uploads/?mount={digest}&from=a")).StatusCode);
        await PushBlobAsync("b", Bytes("content"));
    }

    [Fact]
    public async Task A_lost_session_is_unknown_and_another_can_be_opened()
    {
        _script.Add(new FaultRule(Fault.LoseSession) { Times = FaultRule.ForGood });
        var location = await StartUploadAsync("a");

        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync("PATCH", location, Bytes("content"))).StatusCode);
        Assert.Equal(404, await GetAsync(location));
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync("PUT", $"{location}&digest={DigestOf(Bytes("content"))}", Bytes("content"))).StatusCode);
        await StartUploadAsync("a");
    }

    [Fact]
    public async Task A_registry_lies_about_digest_and_body()
    {
        var digest = await Seed.PushAsync(Client, "a", "v1", new SeedImage());
        _script.Add(new FaultRule(Fault.WrongDigest) { Method = "HEAD" }).Add(new FaultRule(Fault.WrongBody) { Method = "GET" });

        using var head = await SendAsync("HEAD", "/v2/a/manifests/v1");
        using var get = await SendAsync("GET", "/v2/a/manifests/v1");
        var body = await get.Content.ReadAsByteArrayAsync();

        Assert.Matches("^sha256:[0-9a-f]{64}$", head.Headers.GetValues("Docker-Content-Digest").Single());
        Assert.NotEqual(digest, head.Headers.GetValues("Docker-Content-Digest").Single());
        Assert.Equal(digest, get.Headers.GetValues("Docker-Content-Digest").Single());
        Assert.NotEqual(digest, Seed.Digest(body));
        Assert.Equal(digest, Seed.Digest((await Seed.ManifestAsync(Client, "a", "v1"))!));
    }

    [Fact]
    public async Task A_delay_delays_and_any_answer_is_one()
    {
        _script.Add(new FaultRule(Fault.Delay(TimeSpan.FromMilliseconds(300))))
            .Add(new FaultRule(Fault.Answer("tea", context => { context.Response.StatusCode = 418; return Task.FromResult(true); })) { From = 1, When = request => request.Headers.Accept.Count == 0 });
        var clock = System.Diagnostics.Stopwatch.StartNew();

        Assert.Equal(200, await GetAsync("/v2/"));
        Assert.True(clock.ElapsedMilliseconds >= 295, $"{clock.Elapsed}");
        Assert.Equal(418, await GetAsync("/v2/"));
        Assert.Equal(["delay", "tea"], _script.Fired.Select(f => f.Fault));
    }

    [Fact]
    public async Task The_administrator_is_let_alone()
    {
        _script.Add(new FaultRule(Fault.DropBefore) { Times = FaultRule.ForGood });
        using var administrator = Emulator.CreateAdministrator();

        using var answer = await administrator.GetAsync(new Uri("/v2/", UriKind.Relative));

        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal(0, _script.Seen);
    }

    [Fact]
    public async Task An_expired_token_is_asked_for_again()
    {
        await RestartAsync(new()
        {
            StateDirectory = State,
            Personality = EmulatorPersonality.Ghcr,
            GitHub = new() { Owners = { ["acme"] = GitHubOwner.User() }, Secrets = { ["pat"] = GitHubSecret.Classic("secret", "acme", "write:packages") } },
            Faults = _script,
        });
        using var token = await SendAsync("GET", "/token?service=ghcr.io&scope=repository:acme/app:pull,push", credentials: Basic("acme", "secret"));
        var bearer = new System.Net.Http.Headers.AuthenticationHeaderValue("Bearer", System.Text.Json.Nodes.JsonNode.Parse(await token.Content.ReadAsStringAsync())!["token"]!.GetValue<string>());
        Assert.Equal(HttpStatusCode.Accepted, (await SendAsync("POST", "/v2/acme/app/blobs/uploads/", credentials: bearer)).StatusCode);

        _script.Add(new FaultRule(Fault.ExpireTokens));

        Assert.Equal(HttpStatusCode.Unauthorized, (await SendAsync("POST", "/v2/acme/app/blobs/uploads/", credentials: bearer)).StatusCode);
    }

    [Fact]
    public async Task A_registry_without_tokens_challenges_instead()
    {
        await RestartAsync(new() { StateDirectory = State, Users = { ["ci"] = "secret" }, Faults = _script });
        _script.Add(new FaultRule(Fault.ExpireTokens));

        using var refused = await SendAsync("GET", "/v2/", credentials: Basic("ci", "secret"));
        using var answered = await SendAsync("GET", "/v2/", credentials: Basic("ci", "secret"));

        Assert.Equal((HttpStatusCode.Unauthorized, HttpStatusCode.OK), (refused.StatusCode, answered.StatusCode));
        Assert.Equal("Basic", refused.Headers.WwwAuthenticate.Single().Scheme);
    }

    private async Task<int> GetAsync(string path)
    {
        using var answer = await Client.GetAsync(new Uri(path, UriKind.Relative));
        return (int)answer.StatusCode;
    }
}
