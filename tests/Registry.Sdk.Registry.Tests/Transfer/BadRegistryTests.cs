using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>Registries that lie, lose things and lead astray; and what is not their fault.</summary>
public sealed class BadRegistryTests
{
    private static readonly Digest Asked = Digest.Of("asked"u8.ToArray());

    [Theory]
    [InlineData("application/json", "{}")]
    [InlineData("text/html", "<p>welcome</p>")]
    [InlineData("text/plain", "ok")]
    [InlineData("application/json", "")]
    public async Task A_server_that_says_200_to_everything_is_no_registry(string type, string body)
    {
        await using var server = await LoopbackServer.StartAsync((context, _) => Wire.JsonAsync(context, 200, body, type));
        using var wire = new Wire(server.Address);
        var client = wire.Open();

        await Wire.FailsAsync(RegistryFailure.NotARegistry, () => client.GetManifestAsync("1", CancellationToken.None));
        await Wire.FailsAsync(RegistryFailure.NotARegistry, () => client.FindManifestAsync("1", CancellationToken.None));
        await Wire.FailsAsync(RegistryFailure.NotARegistry, () => client.StartUploadAsync(CancellationToken.None));
        await Assert.ThrowsAsync<RegistryException>(() => client.HasBlobAsync(Wire.Blob(1000).Descriptor, CancellationToken.None));
        if (body != "{}")
        {
            await Wire.FailsAsync(RegistryFailure.NotARegistry, () => client.ListTagsAsync(CancellationToken.None));
        }
    }

    [Fact]
    public async Task A_lie_about_a_digest_is_seen()
    {
        var manifest = Wire.Manifest("x");
        var blob = Wire.Blob(1000);
        await using var server = await LoopbackServer.StartAsync((context, _) =>
        {
            switch (context.Request.Method)
            {
                case "POST":
                    return Wire.AcceptAsync(context, "/session");
                case "PUT":
                    context.Response.Headers["Docker-Content-Digest"] = Asked.ToString();
                    return Wire.JsonAsync(context, 201, "");
                default:
                    if (context.Request.Path.Value!.EndsWith("/header", StringComparison.Ordinal))
                    {
                        context.Response.Headers["Docker-Content-Digest"] = Asked.ToString();
                    }

                    return Wire.JsonAsync(context, 200, System.Text.Encoding.UTF8.GetString(manifest.Content), MediaTypes.OciManifest);
            }
        });
        using var wire = new Wire(server.Address);
        var client = wire.Open();

        await Wire.FailsAsync(RegistryFailure.WrongContent, () => client.GetManifestAsync("header", CancellationToken.None));
        await Wire.FailsAsync(RegistryFailure.WrongContent, () => client.GetManifestAsync(Asked.ToString(), CancellationToken.None));
        await Wire.FailsAsync(RegistryFailure.WrongContent, () => client.PutManifestAsync("1", manifest, CancellationToken.None));
        await Wire.FailsAsync(RegistryFailure.WrongContent, () => Wire.SendAsync(client, blob));
        await Wire.FailsAsync(RegistryFailure.WrongContent, () => client.GetSmallBlobAsync(blob.Descriptor with { Size = manifest.Content.Length }, CancellationToken.None));
        await Wire.FailsAsync(RegistryFailure.WrongContent, () => client.CopyBlobToAsync(blob.Descriptor with { Size = manifest.Content.Length }, Stream.Null, CancellationToken.None));
    }

    /// <summary>Shorter than it should be, with an honest length; shorter than it says; longer.</summary>
    [Theory]
    [InlineData(500, 500, RegistryFailure.WrongContent)]
    [InlineData(500, 1000, RegistryFailure.Unreachable)]
    [InlineData(1500, 1500, RegistryFailure.WrongContent)]
    public async Task A_truncated_blob_is_seen(int sent, int said, RegistryFailure failure)
    {
        var blob = Wire.Blob(1000);
        await using var server = await LoopbackServer.StartAsync(async (context, _) =>
        {
            context.Response.ContentLength = said;
            await context.Response.Body.WriteAsync(new byte[sent]);
            await context.Response.Body.FlushAsync();
            if (sent < said)
            {
                context.Abort();
            }
        });
        using var wire = new Wire(server.Address);

        await Wire.FailsAsync(failure, () => wire.Open().CopyBlobToAsync(blob.Descriptor, Stream.Null, CancellationToken.None));
        await Wire.FailsAsync(failure, () => wire.Open().GetSmallBlobAsync(blob.Descriptor, CancellationToken.None));
    }

    /// <summary>A blob of another size with the right digest: whoever wrote the size is wrong, and that is the (base) image.</summary>
    [Theory]
    [InlineData(true, RegistryFailure.WrongDescriptor, "RSDK4010")]
    [InlineData(false, RegistryFailure.WrongContent, "RSDK5006")]
    public async Task A_wrong_size_is_blamed_on_who_wrote_it(bool honest, RegistryFailure failure, string code)
    {
        var (descriptor, content) = Wire.Blob(1000);
        await using var server = await LoopbackServer.StartAsync(async (context, _) =>
        {
            context.Response.ContentLength = honest ? 1000 : 900;
            if (context.Request.Method == "GET")
            {
                await context.Response.Body.WriteAsync(content.AsMemory(0, honest ? 1000 : 900));
            }
        });
        using var wire = new Wire(server.Address);

        var wrong = await Wire.FailsAsync(failure, () => wire.Open().HasBlobAsync(descriptor with { Size = 2000 }, CancellationToken.None));

        Assert.Equal(code, RegistryErrors.AtDestination(wrong, "there").Code);
        Assert.Contains("2000", wrong.Message);
    }

    [Theory]
    [InlineData("GET")]
    [InlineData("POST")]
    public async Task Redirects_in_a_circle_end(string method)
    {
        await using var server = await LoopbackServer.StartAsync((context, _) =>
        {
            context.Response.StatusCode = 307;
            context.Response.Headers.Location = context.Request.Path.Value!;
            return Task.CompletedTask;
        });
        using var wire = new Wire(server.Address);

        var failed = await Wire.FailsAsync(RegistryFailure.NotARegistry, () => method == "GET" ? wire.Open().PingAsync(CancellationToken.None) : wire.Open().StartUploadAsync(CancellationToken.None));

        Assert.Contains("more than 5 redirects", failed.Message);
        Assert.Equal(6, server.Requests.Count);
    }

    [Theory]
    [InlineData("http://169.254.169.254/latest/meta-data")]
    [InlineData("http://registry.example/blob")]
    [InlineData("ftp://registry.example/blob")]
    [InlineData("http://[fe80::1]/blob")]
    public async Task A_redirect_or_session_that_leads_astray_is_not_followed(string location)
    {
        await using var server = await LoopbackServer.StartAsync((context, _) =>
        {
            context.Response.StatusCode = context.Request.Method == "POST" ? 202 : 307;
            context.Response.Headers.Location = location;
            return Task.CompletedTask;
        });
        using var wire = new Wire(server.Address);

        await Wire.FailsAsync(RegistryFailure.NotARegistry, () => wire.Open().GetManifestAsync("1", CancellationToken.None));
        await Wire.FailsAsync(RegistryFailure.NotARegistry, () => Wire.SendAsync(wire.Open(), Wire.Blob(10)));
        Assert.Equal(2, server.Requests.Count);
    }

    /// <summary>A push that is sent elsewhere (307, 308) goes there with its method and body, and without the credentials.</summary>
    [Theory]
    [InlineData(307)]
    [InlineData(308)]
    public async Task A_push_is_redirected_with_its_body_and_without_credentials(int status)
    {
        var blob = Wire.Blob(3_000_000);
        await using var store = await LoopbackServer.StartAsync((context, _) => Wire.JsonAsync(context, 201, ""));
        await using var server = await LoopbackServer.StartAsync((context, _) =>
        {
            if (context.Request.Headers.Authorization.Count == 0)
            {
                context.Response.Headers.WWWAuthenticate = "Basic realm=\"r\"";
                return Wire.ErrorAsync(context, 401, "UNAUTHORIZED", "who?");
            }

            if (context.Request.Method == "POST")
            {
                return Wire.AcceptAsync(context, "/session");
            }

            context.Response.StatusCode = status;
            context.Response.Headers.Location = $"http://{store.Address}/put?signed=yes";
            return Task.CompletedTask;
        }, readBodies: false);
        using var wire = new Wire(server.Address) { Credentials = _ => Wire.Login("u", "p") };

        await Wire.SendAsync(wire.Open(), blob);

        var put = Assert.Single(store.Requests);
        Assert.Equal(("PUT", "/put", "?signed=yes", null), (put.Method, put.Path, put.Query, put.Scheme));
        Assert.Equal(blob.Content, put.Body);
    }

    /// <summary>A registry behind a TLS proxy that does not tell it so names itself with http: it is spoken to with TLS all the same.</summary>
    [Fact]
    public async Task A_Location_never_drops_TLS()
    {
        Assert.True(RegistryHost.TryParse("registry.example", out var host));
        var endpoint = new RegistryEndpoint(host, new("https://registry.example"), IsMapped: false);
        var requests = new List<string>();
        using var http = new HttpMessageInvoker(new Answering(request =>
        {
            requests.Add($"{request.Method} {request.RequestUri} {request.Headers.Authorization?.Scheme}");
            var answer = new HttpResponseMessage(request.Method == HttpMethod.Post ? System.Net.HttpStatusCode.Accepted : System.Net.HttpStatusCode.Created) { RequestMessage = request };
            answer.Headers.Location = new("http://registry.example/session?state=1");
            return answer;
        }));
        using var authenticator = new RegistryAuthenticator(endpoint, AnonymousCredentials.Instance, http);
        var client = new RegistryClient(endpoint, new(host, "team/app"), authenticator, http, static _ => { });
        var blob = Wire.Blob(10);

        await Wire.SendAsync(client, blob);

        Assert.Equal($"PUT https://registry.example/session?state=1&digest={Uri.EscapeDataString(blob.Descriptor.Digest.ToString())} ", requests[^1]);
    }

    /// <summary>Old proxies do not know «Expect», by which a big body waits for leave.</summary>
    [Fact]
    public async Task A_proxy_that_does_not_know_Expect_is_asked_without()
    {
        var blob = Wire.Blob(3_000_000);
        await using var server = await LoopbackServer.StartAsync((context, _) => context.Request.Method == "POST" ? Wire.AcceptAsync(context, "/session") : Wire.JsonAsync(context, context.Request.Headers.Expect.Count > 0 ? 417 : 201, ""), readBodies: false);
        using var wire = new Wire(server.Address);

        await Wire.SendAsync(wire.Open(), blob);

        Assert.Equal(["POST", "PUT", "PUT"], server.Requests.Select(r => r.Method));
    }

    [Fact]
    public async Task A_session_that_is_gone_is_opened_again_once()
    {
        var blob = Wire.Blob(1000);
        var sessions = 0;
        var lost = 1;
        await using var server = await LoopbackServer.StartAsync((context, _) => context.Request.Method switch
        {
            "POST" => Wire.AcceptAsync(context, $"/session/{++sessions}"),
            _ when sessions <= lost => Wire.ErrorAsync(context, 404, "BLOB_UPLOAD_UNKNOWN", "gone"),
            _ => Wire.JsonAsync(context, 201, ""),
        });
        using var wire = new Wire(server.Address);

        await Wire.SendAsync(wire.Open(), blob);

        Assert.Equal(["POST", "PUT", "POST", "PUT"], server.Requests.Select(r => r.Method));
        lost = 100;
        Assert.Contains("BLOB_UPLOAD_UNKNOWN", (await Wire.FailsAsync(RegistryFailure.Rejected, () => Wire.SendAsync(wire.Open(), blob))).Message);
        Assert.Equal(8, server.Requests.Count);
    }

    /// <summary>Our own file changes while it is sent: the registry is not to blame, and not said to be out of reach.</summary>
    [Theory]
    [InlineData(999, "has 999 bytes instead of 1000")]
    [InlineData(1001, "has more than 1000 bytes instead of 1000")]
    [InlineData(-1, "can't be read: no such disk")]
    [InlineData(-2, "can't be read: a bad sector")]
    public async Task A_local_blob_of_another_length_is_no_failure_of_the_registry(int length, string says)
    {
        var blob = Wire.Blob(1000);
        await using var server = await LoopbackServer.StartAsync((context, _) => context.Request.Method == "POST" ? Wire.AcceptAsync(context, "/session") : Wire.JsonAsync(context, 201, ""));
        using var wire = new Wire(server.Address);
        var client = wire.Open();
        var session = await client.StartUploadAsync(CancellationToken.None);

        var failed = await Assert.ThrowsAsync<LocalBlobException>(() => client.UploadAsync(
            session, blob.Descriptor, () => length switch { -1 => throw new IOException("no such disk"), -2 => new BadSector(), _ => new MemoryStream(new byte[length]) }, null, CancellationToken.None));

        Assert.Contains(says, failed.Message);
    }

    private sealed class Answering(Func<HttpRequestMessage, HttpResponseMessage> answer) : HttpMessageHandler
    {
        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken) => Task.FromResult(answer(request));
    }

    private sealed class BadSector : MemoryStream
    {
        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => throw new IOException("a bad sector");

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => throw new IOException("a bad sector");

        public override int Read(byte[] buffer, int offset, int count) => throw new IOException("a bad sector");
    }
}
