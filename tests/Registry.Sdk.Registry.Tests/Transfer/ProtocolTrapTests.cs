using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>The fourteen traps of wire-facts 8, rule 9, one test each, in its order; each on a server that does just that.</summary>
public sealed class ProtocolTrapTests
{
    private const string Uploads = "/v2/team/app/blobs/uploads/";

    [Fact]
    public Task Trap_01_relative_Location() => UploadsTo("/v2/team/app/blobs/upload/1", "/v2/team/app/blobs/upload/1", "?digest=");

    /// <summary>Against the address that answered, and not the configured one.</summary>
    [Fact]
    public async Task Trap_01_relative_Location_after_a_redirect()
    {
        var blob = Wire.Blob(1000);
        await using var second = await LoopbackServer.StartAsync((context, _) => context.Request.Method == "POST" ? Wire.AcceptAsync(context, "session/7") : Status(context, 201));
        await using var first = await LoopbackServer.StartAsync((context, _) => RedirectAsync(context, 307, $"http://{second.Address}/elsewhere/start"));
        using var wire = new Wire(first.Address);

        await Wire.SendAsync(wire.Open(), blob);

        Assert.Equal(["POST /elsewhere/start", $"PUT /elsewhere/session/7?digest={Escaped(blob.Descriptor)}"], second.Requests.Select(r => r.ToString()));
    }

    [Theory]
    [InlineData("/up/1?_state=a%2Fb%3D", "?_state=a%2Fb%3D&digest=")]
    [InlineData("/up/1?", "?digest=")]
    [InlineData("/up/1?a=b&", "?a=b&digest=")]
    public Task Trap_02_Location_with_query(string location, string query) => UploadsTo(location, "/up/1", query);

    [Fact]
    public async Task Trap_03_placeholder_scope()
    {
        await using var registry = await TokenRegistryAsync(context => Wire.JsonAsync(context, 200, """{"token":"t"}"""), scope: "repository:user/image:pull");
        using var wire = new Wire(registry.Address) { Credentials = _ => Wire.Login("u", "p") };

        await wire.Open().PingAsync(CancellationToken.None);

        Assert.Equal("?service=a%20service&scope=repository%3Ateam%2Fapp%3Apull%2Cpush", Assert.Single(registry.Requests, r => r.Path == "/token").Query);
    }

    [Fact]
    public async Task Trap_04_token_without_expires_in()
    {
        await using var registry = await TokenRegistryAsync(context => Wire.JsonAsync(context, 200, """{"token":"t"}"""));
        using var wire = new Wire(registry.Address) { Credentials = _ => Wire.Login("u", "p") };
        var client = wire.Open();

        await client.PingAsync(CancellationToken.None);
        await client.PingAsync(CancellationToken.None);

        // It is kept for what its absence means, a minute.
        Assert.Single(registry.Requests, r => r.Path == "/token");
    }

    /// <summary>GHCR says 401 or 403 for a package that an outsider may not see, at the token server or at the manifest.</summary>
    [Theory]
    [InlineData(401, 0)]
    [InlineData(403, 0)]
    [InlineData(200, 401)]
    [InlineData(200, 403)]
    public async Task Trap_05_401_versus_403_at_the_token_stage(int token, int manifest)
    {
        await using var registry = await TokenRegistryAsync(
            context => token == 200 ? Wire.JsonAsync(context, 200, """{"token":"t"}""") : Wire.ErrorAsync(context, token, "DENIED", "requested access to the resource is denied"),
            context => Wire.ErrorAsync(context, manifest, "DENIED", "no"));
        using var outsider = new Wire(registry.Address);
        using var insider = new Wire(registry.Address) { Credentials = _ => Wire.Login("u", "p") };

        await Wire.FailsAsync(RegistryFailure.CredentialsMissing, () => outsider.Open().GetManifestAsync("1", CancellationToken.None));
        var refused = await Wire.FailsAsync(token == 200 ? RegistryFailure.Denied : RegistryFailure.CredentialsRefused, () => insider.Open().GetManifestAsync("1", CancellationToken.None));

        Assert.Contains("from the test", refused.Message);
    }

    [Fact]
    public async Task Trap_06_mount_202()
    {
        var blob = Wire.Blob(1000);
        await using var registry = await LoopbackServer.StartAsync((context, _) => context.Request.Method == "POST" ? Wire.AcceptAsync(context, "/session") : Status(context, 201));
        using var wire = new Wire(registry.Address);
        var client = wire.Open();

        var session = await client.MountAsync(blob.Descriptor.Digest, "team/other", CancellationToken.None);
        await Wire.SendAsync(client, session!, blob);

        // The session that came in place of the mount is used; no other is opened.
        Assert.Equal([$"POST {Uploads}?mount={Escaped(blob.Descriptor)}&from=team%2Fother", $"PUT /session?digest={Escaped(blob.Descriptor)}"], registry.Requests.Select(r => r.ToString()));
    }

    [Fact]
    public async Task Trap_07_tags_null()
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) => Wire.JsonAsync(context, 200, """{"name":"team/app","tags":null}"""));
        using var wire = new Wire(registry.Address);

        Assert.Empty(await wire.Open().ListTagsAsync(CancellationToken.None));
        Assert.True(await wire.Open().RepositoryExistsAsync(CancellationToken.None));
    }

    [Fact]
    public async Task Trap_08_Link_paging()
    {
        LoopbackServer? self = null;
        await using var registry = self = await LoopbackServer.StartAsync((context, _) =>
        {
            var (tags, link) = context.Request.Query["last"].ToString() switch
            {
                "" => ("\"v2\",\"v1\"", "</v2/team/app/tags/list?n=2&last=v1>; rel=\"next\""),
                "v1" => ("\"a\",\"v1\"", $"<http://{self!.Address}/v2/team/app/tags/list?last=a>; rel=\"next\""),
                "a" => ("\"b\"", "<list?last=b>; rel=next"),
                _ => (null, null),
            };
            if (link is not null)
            {
                context.Response.Headers.Link = link;
            }

            return Wire.JsonAsync(context, 200, $$"""{"tags":{{(tags is null ? "null" : $"[{tags}]")}}}""");
        });
        using var wire = new Wire(registry.Address);

        // In the registry's order, each once.
        Assert.Equal(["v2", "v1", "a", "b"], await wire.Open().ListTagsAsync(CancellationToken.None));
        Assert.Equal(["?n=1000", "?n=2&last=v1", "?last=a", "?last=b"], registry.Requests.Select(r => r.Query));
    }

    [Theory]
    [InlineData("circle", "in a circle")]
    [InlineData("endless", "more than 1000 pages")]
    [InlineData("elsewhere", "a next page at 127.0.0.1:9")]
    [InlineData("html", "HTML")]
    [InlineData("[]", "something else than a JSON object")]
    [InlineData("no json", "something else than JSON")]
    [InlineData("""{"tags":"x"}""", "tags that are no list")]
    public async Task Trap_08_Link_paging_that_leads_nowhere(string what, string says)
    {
        var page = 0;
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            context.Response.Headers.Link = what switch
            {
                "circle" => $"</v2/team/app/tags/list?last={page++ % 2}>; rel=next",
                "endless" => $"</v2/team/app/tags/list?last={page++}>; rel=next",
                "elsewhere" => "<http://127.0.0.1:9/v2/team/app/tags/list>; rel=next",
                _ => "",
            };
            return Wire.JsonAsync(context, 200, what is "circle" or "endless" or "elsewhere" ? """{"tags":["x"]}""" : what, what == "html" ? "text/html" : "application/json");
        });
        using var wire = new Wire(registry.Address);

        Assert.Contains(says, (await Wire.FailsAsync(RegistryFailure.NotARegistry, () => wire.Open().ListTagsAsync(CancellationToken.None))).Message);
    }

    [Fact]
    public async Task Trap_09_HEAD_without_digest_header()
    {
        var manifest = Wire.Manifest("x");
        await using var registry = await LoopbackServer.StartAsync((context, _) => ManifestAsync(context, manifest));
        using var wire = new Wire(registry.Address);

        Assert.Equal(manifest.Descriptor.Digest, await wire.Open().FindManifestAsync("1", CancellationToken.None));
        Assert.Equal(["HEAD", "GET"], registry.Requests.Select(r => r.Method));
    }

    /// <summary>HEAD has no words: what it fails with is asked for again.</summary>
    [Theory]
    [InlineData(403, RegistryFailure.CredentialsMissing)]
    [InlineData(500, RegistryFailure.Rejected)]
    [InlineData(429, RegistryFailure.Throttled)]
    public async Task Trap_09_HEAD_without_words(int status, RegistryFailure failure)
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) => Wire.ErrorAsync(context, status, "CODE", "the words"));
        using var wire = new Wire(registry.Address);

        Assert.Contains("CODE 'the words'", (await Wire.FailsAsync(failure, () => wire.Open().FindManifestAsync("1", CancellationToken.None))).Message);
        Assert.Contains("CODE 'the words'", (await Wire.FailsAsync(failure, () => wire.Open().HasBlobAsync(Wire.Blob(1).Descriptor, CancellationToken.None))).Message);
    }

    [Fact]
    public async Task Trap_10_405_on_DELETE()
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) => context.Request.Method == "POST" ? Wire.AcceptAsync(context, "/session") : Wire.ErrorAsync(context, 405, "UNSUPPORTED", "The operation is unsupported."));
        using var wire = new Wire(registry.Address);
        var client = wire.Open();

        await client.CancelUploadAsync(await client.StartUploadAsync(CancellationToken.None), CancellationToken.None);

        Assert.Equal(["POST " + Uploads, "DELETE /session"], registry.Requests.Select(r => r.ToString()));
    }

    /// <summary>The rest of referrers is in ReferrersTests.</summary>
    [Fact]
    public async Task Trap_11_404_referrers()
    {
        var subject = Digest.Of("subject"u8.ToArray());
        await using var registry = await LoopbackServer.StartAsync((context, _) => Wire.JsonAsync(context, 404, "404 page not found", "text/plain"));
        using var wire = new Wire(registry.Address);

        Assert.Empty(await new ReferrersClient(wire.Open()).ListAsync(subject, null, CancellationToken.None));
        Assert.Equal([$"/v2/team/app/referrers/{subject}", $"/v2/team/app/manifests/{subject.ToString().Replace(':', '-')}"], registry.Requests.Select(r => r.Path));
    }

    /// <summary>The other forms are in <see cref="ThrottlingTests"/>.</summary>
    [Fact]
    public async Task Trap_12_429_with_Go_duration()
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) => Wire.ErrorAsync(context, 429, "TOOMANYREQUESTS", "retry-after: 880.092µs, allowed: 44000/minute"));
        using var wire = new Wire(registry.Address);

        var throttled = await Wire.FailsAsync(RegistryFailure.Throttled, () => wire.Open().PingAsync(CancellationToken.None));

        Assert.Equal(TimeSpan.FromSeconds(1), throttled.RetryAfter);
        Assert.Contains("asks to wait 1 second", throttled.Message);
    }

    /// <summary>GHCR takes no ranged request above 4 MiB; a proxy before a registry may take no whole blob.</summary>
    [Theory]
    [InlineData(413, 0)]
    [InlineData(416, 0)]
    [InlineData(413, 5 << 20)]
    public async Task Trap_13_416_on_a_big_ranged_chunk(int refusal, int minimum)
    {
        const int Mebibyte = 1 << 20;
        var blob = Wire.Blob((9 * Mebibyte) + 5);
        using var stored = new MemoryStream();
        var sessions = 0;
        var session = 0;
        await using var registry = await LoopbackServer.StartAsync((context, body) =>
        {
            switch (context.Request.Method)
            {
                case "POST":
                    if (minimum > 0)
                    {
                        context.Response.Headers["OCI-Chunk-Min-Length"] = $"{minimum}";
                    }

                    return Wire.AcceptAsync(context, $"/session/{++sessions}", "0-0");
                case "PATCH" when body.Length > Math.Max(4 * Mebibyte, minimum):
                    return Wire.ErrorAsync(context, 416, "REQUESTED_RANGE_NOT_SATISFIABLE", "the request body is too large and exceeds the maximum permissible limit of 4.00MiB");
                case "PATCH":
                    stored.Write(body);
                    // As ECR: a Range that does not advance.
                    return Wire.AcceptAsync(context, $"/session/{sessions}?part={++session}", $"0-{body.Length - 1}");
                case "PUT" when body.Length > 4 * Mebibyte:
                    return Wire.ErrorAsync(context, refusal, "SIZE_INVALID", "too large");
                default:
                    return Status(context, 201);
            }
        });
        using var wire = new Wire(registry.Address);

        await Wire.SendAsync(wire.Open(), blob);

        Assert.Equal(blob.Content, stored.ToArray());
        string[] ranges = minimum == 0 ? ["0-4194303", "4194304-8388607", "8388608-9437188"] : ["0-5242879", "5242880-9437188"];
        Assert.Equal(ranges, registry.Requests.Where(r => r.Method == "PATCH").Select(r => r.ContentRange));
        // Each Location replaces the one before; the session that had refused is given up.
        Assert.Equal(["/session/2", .. Enumerable.Range(1, ranges.Length - 1).Select(i => $"/session/2?part={i}")], registry.Requests.Where(r => r.Method == "PATCH").Select(r => r.Path + r.Query));
        Assert.Equal($"PUT /session/2?part={ranges.Length}&digest={Escaped(blob.Descriptor)}", registry.Requests[^1].ToString());
        Assert.Empty(registry.Requests[^1].Body);
    }

    /// <summary>A registry with another count than ours says 416; it is asked for its own, once a chunk.</summary>
    [Theory]
    [InlineData("0-2097151", true)]
    [InlineData("bytes=0-2097151", true)]
    [InlineData("0-0", true)]
    [InlineData(null, false)]
    [InlineData("rubbish", false)]
    [InlineData("0-99999999", false)]
    [InlineData("0-4194303", false)]
    public async Task Trap_13_416_in_the_middle_is_resumed(string? range, bool succeeds)
    {
        var blob = Wire.Blob(9 << 20);
        using var stored = new MemoryStream();
        var refused = false;
        await using var registry = await LoopbackServer.StartAsync((context, body) =>
        {
            switch (context.Request.Method)
            {
                case "POST":
                    return Wire.AcceptAsync(context, "/session");
                case "GET":
                    context.Response.Headers.Location = "/session?resumed";
                    if (range is not null)
                    {
                        context.Response.Headers["Range"] = range;
                    }

                    return Status(context, 204);
                case "PATCH" when stored.Length == 4 << 20 && !refused:
                    refused = true;
                    stored.SetLength(range == "0-0" ? 0 : 2 << 20);
                    return Wire.ErrorAsync(context, 416, "RANGE_INVALID", "out of order");
                case "PATCH" when !context.Request.Headers.ContentRange.ToString().StartsWith($"{stored.Length}-", StringComparison.Ordinal):
                    return Wire.ErrorAsync(context, 416, "RANGE_INVALID", "out of order again");
                case "PATCH":
                    stored.Write(body);
                    return Wire.AcceptAsync(context, "/session");
                case "PUT" when body.Length > 0:
                    return Status(context, 413);
                default:
                    return Status(context, 201);
            }
        });
        using var wire = new Wire(registry.Address);

        if (succeeds)
        {
            await Wire.SendAsync(wire.Open(), blob);
            Assert.Equal(blob.Content, stored.ToArray());
            Assert.Contains(registry.Requests, r => r.Method == "PATCH" && r.Query == "?resumed");
        }
        else
        {
            Assert.Contains("416", (await Wire.FailsAsync(RegistryFailure.Rejected, () => Wire.SendAsync(wire.Open(), blob))).Message);
        }
    }

    [Fact]
    public async Task Trap_14_multi_arch_Accept_404()
    {
        var manifest = Wire.Manifest("x");
        await using var registry = await LoopbackServer.StartAsync((context, _) => MediaTypes.Manifests.All(t => context.Request.Headers.Accept.ToString().Contains(t, StringComparison.Ordinal))
            ? ManifestAsync(context, manifest)
            : Wire.ErrorAsync(context, 404, "MANIFEST_UNKNOWN", "OCI index found, but Accept header does not support OCI indexes"));
        using var wire = new Wire(registry.Address);

        Assert.Equal(manifest.Descriptor.Digest, (await wire.Open().GetManifestAsync("1", CancellationToken.None))?.Descriptor.Digest);
        Assert.Equal(manifest.Descriptor.Digest, await wire.Open().FindManifestAsync("1", CancellationToken.None));
    }

    private static async Task UploadsTo(string location, string path, string query)
    {
        var blob = Wire.Blob(1000);
        await using var registry = await LoopbackServer.StartAsync((context, _) => context.Request.Method == "POST" ? Wire.AcceptAsync(context, location) : Status(context, 201));
        using var wire = new Wire(registry.Address);

        await Wire.SendAsync(wire.Open(), blob);

        Assert.Equal(["POST " + Uploads, $"PUT {path}{query}{Escaped(blob.Descriptor)}"], registry.Requests.Select(r => r.ToString()));
        Assert.Equal(blob.Content, registry.Requests[^1].Body);
    }

    /// <summary>A registry with a token server of its own: any Bearer will do.</summary>
    private static async Task<LoopbackServer> TokenRegistryAsync(Func<HttpContext, Task> token, Func<HttpContext, Task>? resource = null, string scope = "x")
    {
        LoopbackServer? self = null;
        return self = await LoopbackServer.StartAsync((context, _) =>
        {
            if (context.Request.Path == "/token")
            {
                return token(context);
            }

            if (context.Request.Headers.Authorization.ToString().StartsWith("Bearer ", StringComparison.Ordinal))
            {
                return resource?.Invoke(context) ?? Status(context, 200);
            }

            context.Response.Headers.WWWAuthenticate = $"Bearer realm=\"http://{self!.Address}/token\",service=\"a service\",scope=\"{scope}\"";
            return Wire.ErrorAsync(context, 401, "UNAUTHORIZED", "authentication required");
        });
    }

    private static Task ManifestAsync(HttpContext context, ManifestContent manifest) => Wire.JsonAsync(context, 200, System.Text.Encoding.UTF8.GetString(manifest.Content), manifest.Descriptor.MediaType);

    private static Task Status(HttpContext context, int status)
    {
        context.Response.StatusCode = status;
        return Task.CompletedTask;
    }

    private static Task RedirectAsync(HttpContext context, int status, string location)
    {
        context.Response.Headers.Location = location;
        return Status(context, status);
    }

    private static string Escaped(Descriptor blob) => Uri.EscapeDataString(blob.Digest.ToString());
}
