using System.Net;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>A registry that was shown a secret may send it back in any place; no message and no line of the trace repeats it.</summary>
public class RedactionTests
{
    private const string Secret = "SENTINEL-0123456789abcdefghijklmnopqrstuvwxyz";

    private static readonly string LongSecret = "SENTINEL-" + string.Concat(Enumerable.Range(100, 300).Select(i => $"{i}"));

    [Theory]
    [InlineData("beyond the 200th character")]
    [InlineData("long")]
    [InlineData("lower case")]
    [InlineData("split")]
    [InlineData("half of it")]
    [InlineData("content type")]
    [InlineData("location path")]
    [InlineData("location user")]
    [InlineData("redirect host")]
    [InlineData("redirect scheme")]
    [InlineData("challenge scheme")]
    [InlineData("realm host")]
    [InlineData("realm user")]
    [InlineData("realm path")]
    [InlineData("next page")]
    [InlineData("issued token")]
    [InlineData("of another registry")]
    public async Task A_secret_that_comes_back_is_not_repeated(string where)
    {
        var secret = where == "long" ? LongSecret : Secret;
        var issued = Convert.ToBase64String(Encoding.UTF8.GetBytes("issued for SENTINEL and nobody else"));
        await using var registry = await LoopbackServer.StartAsync(AnswerAsync);
        await using var other = await LoopbackServer.StartAsync((context, _) => Shown(context) ? Wire.JsonAsync(context, 200, "{}") : Task.CompletedTask);
        using var wire = new Wire(registry.Address, seconds: 10) { Credentials = _ => Wire.Login("me", secret) };
        var client = wire.Open();
        if (where is "of another registry" or "challenge scheme" or "realm host" or "realm user")
        {
            // To this one nothing has been shown yet.
            await wire.Open("team/app", other.Address).PingAsync(CancellationToken.None);
        }
        else
        {
            await client.PingAsync(CancellationToken.None);
        }

        Func<Task> ask = where switch
        {
            "next page" => () => client.ListTagsAsync(CancellationToken.None),
            "location path" or "location user" => () => Wire.SendAsync(client, Wire.Blob(10)),
            _ => () => client.GetManifestAsync("v1", CancellationToken.None),
        };
        var told = await Assert.ThrowsAsync<RegistryException>(ask);

        var kept = where == "issued token" ? issued : secret;
        foreach (var text in (string[])[told.ToString(), .. wire.Trace])
        {
            for (var i = 0; i + 8 <= kept.Length; i++)
            {
                Assert.DoesNotContain(kept.Substring(i, 8), text, StringComparison.OrdinalIgnoreCase);
            }
        }

        Assert.DoesNotContain('\n', told.Message);

        static bool Shown(HttpContext context)
        {
            if (context.Request.Headers.Authorization.Count > 0)
            {
                return true;
            }

            context.Response.StatusCode = 401;
            context.Response.Headers.WWWAuthenticate = "Basic realm=\"x\"";
            return false;
        }

        Task AnswerAsync(HttpContext context, byte[] body)
        {
            if (where == "issued token")
            {
                if (context.Request.Path == "/token")
                {
                    return Wire.JsonAsync(context, 200, $$"""{"token":"{{issued}}"}""");
                }

                if (context.Request.Headers.Authorization.Count == 0)
                {
                    context.Response.StatusCode = 401;
                    context.Response.Headers.WWWAuthenticate = $"Bearer realm=\"http://{context.Request.Host}/token\"";
                    return Task.CompletedTask;
                }

                return context.Request.Path == "/v2/" ? Wire.JsonAsync(context, 200, "{}") : Wire.ErrorAsync(context, 403, "DENIED", "token " + context.Request.Headers.Authorization);
            }

            if (where is not ("of another registry" or "challenge scheme" or "realm host" or "realm user") && !Shown(context))
            {
                return Task.CompletedTask;
            }

            if (context.Request.Path == "/v2/")
            {
                return Wire.JsonAsync(context, 200, "{}");
            }

            switch (where)
            {
                case "beyond the 200th character": return Wire.ErrorAsync(context, 500, "X", new string('x', 160) + secret);
                case "long" or "of another registry": return Wire.ErrorAsync(context, 500, "X", "bad token " + secret);
                case "lower case": return Wire.ErrorAsync(context, 500, "X", secret.ToLowerInvariant());
                case "split": return Wire.ErrorAsync(context, 500, secret[..30], secret[30..]);
                case "half of it": return Wire.ErrorAsync(context, 500, "X", secret[5..20]);
                case "content type": return Wire.JsonAsync(context, 200, "[]", "application/" + secret);
                case "location path" or "location user":
                    if (context.Request.Method == "POST")
                    {
                        return Wire.AcceptAsync(context, where == "location path" ? "/v2/team/app/blobs/uploads/" + secret : $"http://u:{secret}@{context.Request.Host}/v2/team/app/blobs/uploads/1");
                    }

                    context.Response.StatusCode = 500;
                    return Task.CompletedTask;
                case "redirect host" or "redirect scheme":
                    context.Response.StatusCode = 307;
                    context.Response.Headers.Location = where == "redirect host" ? $"http://{secret}.evil.example/" : $"ftp://{secret}.evil.example/";
                    return Task.CompletedTask;
                case "next page":
                    context.Response.Headers.Link = $"<http://{secret}.evil.example/>; rel=\"next\"";
                    return Wire.JsonAsync(context, 200, "{}");
                default:
                    context.Response.StatusCode = 401;
                    context.Response.Headers.WWWAuthenticate = where switch
                    {
                        "challenge scheme" => secret + " x=y",
                        "realm host" => $"Bearer realm=\"https://{secret}.example/token\"",
                        "realm user" => $"Bearer realm=\"http://u:{secret}@{context.Request.Host}/token\"",
                        _ => $"Bearer realm=\"http://{context.Request.Host}/{secret}\"",
                    };
                    return Task.CompletedTask;
            }
        }
    }

    /// <summary>What can't be read as HTTP is quoted by the transport's exceptions, as text or in hexadecimal digits.</summary>
    [Theory]
    [InlineData("{0}\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n{0}\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\n{0}\r\n\r\n")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n {0}: a\r\n\r\n")]
    public async Task An_answer_that_is_no_HTTP_is_not_quoted(string answer)
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        var serving = ServeAsync();
        using var wire = new Wire($"127.0.0.1:{((IPEndPoint)listener.LocalEndpoint).Port}", seconds: 10) { Credentials = _ => Wire.Login("me", Secret) };

        var told = await Assert.ThrowsAsync<RegistryException>(() => wire.Open().GetManifestAsync("v1", CancellationToken.None));

        Assert.All([told.ToString(), .. wire.Trace], text =>
        {
            Assert.DoesNotContain("SENTINEL", text, StringComparison.Ordinal);
            Assert.DoesNotContain("53-45-4E-54", text, StringComparison.Ordinal);
        });
        listener.Stop();
        await serving;

        async Task ServeAsync()
        {
            try
            {
                for (var n = 0; ; n++)
                {
                    using var connection = await listener.AcceptTcpClientAsync();
                    var stream = connection.GetStream();
                    _ = await stream.ReadAsync(new byte[65536]);
                    var said = n == 0 ? "HTTP/1.1 401 X\r\nWWW-Authenticate: Basic realm=x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" : string.Format(null, answer, Secret);
                    await stream.WriteAsync(Encoding.ASCII.GetBytes(said));
                    connection.Client.Shutdown(SocketShutdown.Send);
                    while (await stream.ReadAsync(new byte[4096]) > 0)
                    {
                    }
                }
            }
            catch (Exception e) when (e is SocketException or IOException or ObjectDisposedException or InvalidOperationException)
            {
                // The test is over.
            }
        }
    }

    [Theory]
    [InlineData("abc\n")]
    [InlineData("abc\r\nX-Evil: 1")]
    [InlineData("abc\0d")]
    [InlineData("tokén")]
    [InlineData("two words")]
    public async Task A_registry_token_that_no_header_takes_names_its_source(string token)
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            context.Response.StatusCode = 401;
            context.Response.Headers.WWWAuthenticate = $"Bearer realm=\"http://{context.Request.Host}/token\"";
            return Task.CompletedTask;
        });
        using var wire = new Wire(registry.Address) { Credentials = _ => Wire.Login("me", token, CredentialKind.RegistryToken) };

        var told = await Assert.ThrowsAsync<CredentialException>(() => wire.Open().StartUploadAsync(CancellationToken.None));

        Assert.StartsWith("the test holds a registry token", told.Message, StringComparison.Ordinal);
        Assert.DoesNotContain(token, told.Message, StringComparison.Ordinal);
        Assert.Single(registry.Requests);
    }

    /// <summary>A password may hold what a header can't: it is encoded (a key file for <c>_json_key</c> has many lines).</summary>
    [Fact]
    public async Task A_password_of_several_lines_is_shown()
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            context.Response.StatusCode = context.Request.Headers.Authorization.ToString() == "Basic " + Convert.ToBase64String("_json_key:{\n\"é\"\n}"u8) ? 200 : 401;
            context.Response.Headers.WWWAuthenticate = "Basic realm=x";
            return Task.CompletedTask;
        });
        using var wire = new Wire(registry.Address) { Credentials = _ => Wire.Login("_json_key", "{\n\"é\"\n}") };

        await wire.Open().PingAsync(CancellationToken.None);
    }
}
