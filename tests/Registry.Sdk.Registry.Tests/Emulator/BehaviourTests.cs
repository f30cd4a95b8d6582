using System.Net;
using System.Net.Http.Headers;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Emulator;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Emulator;

/// <summary>What the emulator adds to the protocol: credentials, switches, records, faults, persistence.</summary>
public sealed class BehaviourTests : EmulatorTest
{
    private static readonly byte[] Content = Bytes("0123456789");
    private static readonly string Digest = DigestOf(Content);
    private static readonly AuthenticationHeaderValue Pusher = Basic("pusher", "s:ecret");
    private static readonly AuthenticationHeaderValue Puller = Basic("puller", "pull-secret");
    private static readonly AuthenticationHeaderValue Nobody = Basic("nobody", "no-secret");

    [Fact]
    [WireFact("1.3 Basic challenge")]
    public async Task Without_or_with_wrong_credentials_all_is_401()
    {
        await RestartAsync(WithUsers());
        foreach (var credentials in new[] { null, Basic("pusher", "wrong"), Basic("stranger", "s:ecret"), new("Bearer", "s:ecret"), new("Basic", "!not base64!") })
        {
            foreach (var (method, url) in new[] { ("GET", "/v2/"), ("GET", $"/v2/a/blobs/{Digest}"), ("GET", "/v2/a/tags/list"), ("POST", "/v2/a/blobs/uploads/"), ("GET", $"/v2/a/referrers/{Digest}") })
            {
                var answer = await SendAsync(method, url, credentials: credentials);
                await AssertErrorAsync(answer, HttpStatusCode.Unauthorized, "UNAUTHORIZED");
                Assert.Equal("Basic realm=\"emulator\"", Header(answer, "WWW-Authenticate"));
            }
        }
    }

    [Fact]
    [WireFact("1.3 403 is DENIED")]
    public async Task Rights_are_none_pull_or_push()
    {
        await RestartAsync(WithUsers());
        foreach (var credentials in new[] { Pusher, Puller, Nobody })
        {
            Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", "/v2/", credentials: credentials)).StatusCode);
        }

        var push = $"/v2/a/blobs/uploads/?digest={Digest}";
        Assert.Equal(HttpStatusCode.Created, (await SendAsync("POST", push, Content, credentials: Pusher)).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", $"/v2/a/blobs/{Digest}", credentials: Puller)).StatusCode);
        await AssertErrorAsync(await SendAsync("POST", "/v2/a/blobs/uploads/", credentials: Puller), HttpStatusCode.Forbidden, "DENIED");
        await AssertErrorAsync(await SendAsync("PUT", "/v2/a/manifests/v1", credentials: Puller), HttpStatusCode.Forbidden, "DENIED");
        await AssertErrorAsync(await SendAsync("DELETE", $"/v2/a/blobs/{Digest}", credentials: Puller), HttpStatusCode.Forbidden, "DENIED");
        await AssertErrorAsync(await SendAsync("GET", $"/v2/a/blobs/{Digest}", credentials: Nobody), HttpStatusCode.Forbidden, "DENIED");
    }

    [Fact]
    public async Task Anonymous_pull_reads_and_does_not_write()
    {
        await PushImageAsync("a", "v1");
        await RestartAsync(WithUsers(anonymousPull: true));
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", "/v2/a/manifests/v1")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", "/v2/a/tags/list")).StatusCode);
        await AssertErrorAsync(await SendAsync("GET", "/v2/"), HttpStatusCode.Unauthorized, "UNAUTHORIZED");
        await AssertErrorAsync(await SendAsync("POST", "/v2/a/blobs/uploads/"), HttpStatusCode.Unauthorized, "UNAUTHORIZED");
        await AssertErrorAsync(await SendAsync("GET", "/v2/a/manifests/v1", credentials: Basic("pusher", "wrong")), HttpStatusCode.Unauthorized, "UNAUTHORIZED");
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", "/v2/a/manifests/v1", credentials: Puller)).StatusCode);
    }

    [Fact]
    public async Task Read_only_refuses_every_change()
    {
        await PushImageAsync("a", "v1");
        await RestartAsync(new EmulatorOptions { StateDirectory = State, ReadOnly = true });
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("GET", "/v2/a/manifests/v1")).StatusCode);
        await AssertErrorAsync(await SendAsync("POST", "/v2/a/blobs/uploads/"), HttpStatusCode.MethodNotAllowed, "UNSUPPORTED");
        await AssertErrorAsync(await SendAsync("PUT", "/v2/a/manifests/v2"), HttpStatusCode.MethodNotAllowed, "UNSUPPORTED");
        await AssertErrorAsync(await SendAsync("DELETE", "/v2/a/manifests/v1"), HttpStatusCode.MethodNotAllowed, "UNSUPPORTED");
    }

    [Fact]
    [WireFact("1.9 405 when deleting is off")]
    public async Task Deleting_can_be_switched_off()
    {
        await PushImageAsync("a", "v1");
        await RestartAsync(new EmulatorOptions { StateDirectory = State, AllowDelete = false });
        await AssertErrorAsync(await SendAsync("DELETE", "/v2/a/manifests/v1"), HttpStatusCode.MethodNotAllowed, "UNSUPPORTED");
        await AssertErrorAsync(await SendAsync("DELETE", $"/v2/a/blobs/{Digest}"), HttpStatusCode.MethodNotAllowed, "UNSUPPORTED");
        Assert.Equal(HttpStatusCode.NoContent, (await SendAsync("DELETE", await StartUploadAsync("a"))).StatusCode);
    }

    [Fact]
    public async Task A_restarted_server_serves_the_same()
    {
        var manifest = await PushImageAsync("team/app", "v1");
        var image = await PushPartsAsync("team/app", change: root => root["subject"] = Descriptor(OciManifest, manifest));
        await PutManifestAsync("team/app", DigestOf(image), image);
        var location = await StartUploadAsync("team/app");
        var before = await ReadAllAsync();
        await RestartAsync(new EmulatorOptions { StateDirectory = State });
        Assert.Equal(before, await ReadAllAsync());
        await AssertErrorAsync(await SendAsync("PATCH", location), HttpStatusCode.NotFound, "BLOB_UPLOAD_UNKNOWN");

        async Task<string> ReadAllAsync() => string.Join(
            '\n',
            await Task.WhenAll(new[] { "tags/list", "manifests/v1", "blobs/" + DigestOf(Bytes("a layer")), "referrers/" + DigestOf(manifest) }
                .Select(async path =>
                {
                    var answer = await SendAsync("GET", "/v2/team/app/" + path);
                    Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
                    return answer.Content.Headers.ContentType + " " + await answer.Content.ReadAsStringAsync();
                })));
    }

    [Fact]
    public async Task A_starting_server_removes_what_a_killed_one_left_but_not_a_seeders()
    {
        var partial = Path.Combine(State, "partial");
        await StopAsync();
        await File.WriteAllTextAsync(Path.Combine(partial, "upload-left"), "half a blob");
        await File.WriteAllTextAsync(Path.Combine(partial, "seed-busy"), "half a base image");
        await RestartAsync(new EmulatorOptions { StateDirectory = State });
        Assert.Equal("seed-busy", Path.GetFileName(Assert.Single(Directory.GetFiles(partial))));
    }

    [Fact]
    public async Task One_server_per_state_directory_and_port()
    {
        await Assert.ThrowsAsync<IOException>(() => EmulatorServer.StartAsync(new EmulatorOptions { StateDirectory = State }));
        var other = Path.Combine(Scratch, "other");
        await Assert.ThrowsAsync<IOException>(() => EmulatorServer.StartAsync(new EmulatorOptions { StateDirectory = other, Port = Emulator.BaseAddress.Port }));

        // A failed start holds nothing.
        await using var second = await EmulatorServer.StartAsync(new EmulatorOptions { StateDirectory = other });
        Assert.NotEqual(Emulator.BaseAddress, second.BaseAddress);
    }

    [Fact]
    public async Task Requests_are_recorded_when_their_answer_arrives()
    {
        await PushBlobAsync("a", Content);
        for (var round = 0; round < 50; round++)
        {
            await SendAsync("GET", $"/v2/a/blobs/{Digest}", credentials: Basic("any", "thing"));
            Assert.Equal(
                new RequestRecord((2 * round) + 1, "GET", $"/v2/a/blobs/{Digest}", 200, 0, 10, HasAuthorization: true) { Origin = Emulator.Host, Account = "unknown" },
                Emulator.Requests[^1]);
            await SendAsync("HEAD", $"/v2/a/blobs/{Digest}");
            Assert.Equal(
                new RequestRecord((2 * round) + 2, "HEAD", $"/v2/a/blobs/{Digest}", 200, 0, 0, HasAuthorization: false) { Origin = Emulator.Host },
                Emulator.Requests[^1]);
        }

        Assert.Equal(new RequestRecord(0, "POST", $"/v2/a/blobs/uploads/?digest={Digest}", 201, 10, 0, HasAuthorization: false) { Origin = Emulator.Host }, Emulator.Requests[0]);
    }

    [Fact]
    public async Task The_oldest_records_are_forgotten_first()
    {
        await RestartAsync(new EmulatorOptions { StateDirectory = State, MaxRecordedRequests = 3 });
        for (var round = 0; round < 5; round++)
        {
            await SendAsync("GET", "/v2/");
        }

        Assert.Equal([2, 3, 4], Emulator.Requests.Select(request => request.Index));
    }

    [Fact]
    public async Task No_secret_is_recorded_logged_or_warned_of_by_value()
    {
        var log = Path.Combine(Scratch, "log", "requests.log");
        var warnings = new List<string>();
        await RestartAsync(new EmulatorOptions { StateDirectory = State, LogFile = log, OnWarning = warnings.Add, Users = { ["u"] = "hunter2" } });
        string[] secrets = ["hunter2", "ghp_16C7e42F292c6912E7", "github_pat_11AAAAAA", "dckr_pat_27abc", "cXVlcnk"];
        await SendAsync("GET", "/v2/?token=cXVlcnk&n=5", credentials: Basic("u", "hunter2"));
        await SendAsync("GET", "/v2/", credentials: Basic("u", secrets[1]));
        await SendAsync("GET", "/v2/", credentials: new("Bearer", secrets[2]));
        await SendAsync("GET", "/v2/", credentials: new("Bearer", Convert.ToBase64String(Bytes("u:" + secrets[3]))));
        await StopAsync();

        Assert.Equal(3, warnings.Count);
        var lines = await File.ReadAllLinesAsync(log);
        Assert.Equal(4, lines.Count(line => line.Contains(" GET /v2/", StringComparison.Ordinal)));
        Assert.Contains(lines, line => line.EndsWith("Z GET /v2/?token=***&n=5 200 in=0 out=2", StringComparison.Ordinal));
        var written = string.Join('\n', [.. lines, .. warnings, .. Emulator.Requests.Select(request => request.ToString())]);
        Assert.All(secrets, secret =>
        {
            Assert.DoesNotContain(secret, written, StringComparison.Ordinal);
            Assert.DoesNotContain(Convert.ToBase64String(Bytes("u:" + secret)), written, StringComparison.Ordinal);
        });
        Assert.DoesNotContain("hunter2", new EmulatorUser("hunter2").ToString(), StringComparison.Ordinal);
        await RestartAsync(new EmulatorOptions { StateDirectory = State });
    }

    [Fact]
    public async Task Intercept_can_lie_and_let_through()
    {
        await PushBlobAsync("a", Content);
        await RestartAsync(new EmulatorOptions
        {
            StateDirectory = State,
            Intercept = async context =>
            {
                switch (context.Request.Path.Value)
                {
                    case "/v2/a/tags/list":
                        context.Response.StatusCode = 502;
                        context.Response.ContentType = "text/html";
                        await context.Response.WriteAsync("<h1>Bad gateway</h1>");
                        return true;
                    case "/v2/":
                        context.Abort();
                        return true;
                    case "/v2/b/blobs/uploads/":
                        context.Request.QueryString = default;
                        return false;
                    default:
                        context.Response.OnStarting(() =>
                        {
                            context.Response.Headers.Remove("Docker-Content-Digest");
                            return Task.CompletedTask;
                        });
                        return false;
                }
            },
        });
        var html = await SendAsync("GET", "/v2/a/tags/list");
        Assert.Equal("<h1>Bad gateway</h1>", await html.Content.ReadAsStringAsync());
        Assert.Equal((502, 20L), (Emulator.Requests[^1].Status, Emulator.Requests[^1].ResponseBytes));
        await Assert.ThrowsAsync<HttpRequestException>(() => SendAsync("GET", "/v2/"));
        Assert.Equal(0, Emulator.Requests[^1].Status);
        Assert.Equal(HttpStatusCode.Accepted, (await SendAsync("POST", $"/v2/b/blobs/uploads/?mount={Digest}&from=a")).StatusCode);
        var blob = await SendAsync("GET", $"/v2/a/blobs/{Digest}");
        Assert.Equal("", Header(blob, "Docker-Content-Digest"));
        Assert.Equal(Content, await blob.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    [WireFact("1.4 HEAD without Docker-Content-Digest")]
    public async Task The_digest_header_can_be_left_out()
    {
        await RestartAsync(new EmulatorOptions { StateDirectory = State, Intercept = context => Task.FromResult(EmulatorFaults.OmitContentDigest(context)) });
        await PushImageAsync("a", "v1");
        var answer = await SendAsync("HEAD", "/v2/a/manifests/v1");
        Assert.Equal((HttpStatusCode.OK, ""), (answer.StatusCode, Header(answer, "Docker-Content-Digest")));
    }

    [Fact]
    public async Task A_bug_in_intercept_is_a_500_that_says_so()
    {
        var warnings = new List<string>();
        await RestartAsync(new EmulatorOptions { StateDirectory = State, OnWarning = warnings.Add, Intercept = _ => throw new InvalidOperationException("oops") });
        await AssertErrorAsync(await SendAsync("GET", "/v2/"), HttpStatusCode.InternalServerError, "UNKNOWN");
        Assert.Contains("oops", Assert.Single(warnings), StringComparison.Ordinal);
    }

    private EmulatorOptions WithUsers(bool anonymousPull = false) => new()
    {
        StateDirectory = State,
        AnonymousPull = anonymousPull,
        Users =
        {
            ["pusher"] = "s:ecret",
            ["puller"] = new("pull-secret", EmulatorRights.Pull),
            ["nobody"] = new("no-secret", EmulatorRights.None),
        },
    };
}
