using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>Challenges, token servers and registries that do them badly. Every server here is scripted; real ones are in TokenAuthenticationTests.</summary>
public sealed class ChallengeTests
{
    private const string Token = """{"token":"t"}""";

    /// <summary>The challenges (<c>{self}</c> is the registry), and which scheme the registry is shown in the end.</summary>
    [Theory]
    [InlineData("""Basic realm="r", Bearer realm="{self}/token" """, "Bearer")]
    [InlineData("""Basic realm="r"|bearer realm="{self}/token",scope="a,b" """, "Bearer")]
    [InlineData("""Negotiate|BASIC realm="r" """, "Basic")]
    [InlineData("""Bearer realm="https://tokens.example/token"|Basic realm="r" """, "Basic")]
    [InlineData("""Bearer|Basic realm="r" """, "Basic")]
    [InlineData("""Bearer realm="https://tokens.example/token", Bearer realm="{self}/token" """, "Bearer")]
    public async Task The_best_challenge_that_can_be_answered_is(string challenges, string scheme)
    {
        await using var registry = await RegistryAsync(challenges, c => Wire.JsonAsync(c, 200, Token));
        using var wire = new Wire(registry.Address) { Credentials = _ => Wire.Login("u", "p") };

        await wire.Open().PingAsync(CancellationToken.None);

        Assert.Equal(scheme, registry.Requests[^1].Scheme);
        Assert.DoesNotContain(registry.Requests, r => r.Path == "/token" && r.Scheme != "Basic");
    }

    [Theory]
    [InlineData("""Digest realm="r", Negotiate""", CredentialKind.Password, "Digest, Negotiate")]
    [InlineData("""Basic realm="r" """, CredentialKind.IdentityToken, "holds an identity token")]
    [InlineData("""Basic realm="r" """, CredentialKind.RegistryToken, "holds a registry token")]
    [InlineData("""Bearer realm="https://tokens.example/token",Basic realm="r" """, CredentialKind.IdentityToken, "RealmHost=\"tokens.example\"")]
    [InlineData("Bearer", CredentialKind.Password, "without naming a token server")]
    [InlineData("""Bearer realm="/token" """, CredentialKind.Password, "")]
    public async Task What_cannot_be_answered_is_said(string challenges, CredentialKind kind, string says)
    {
        await using var registry = await RegistryAsync(challenges, c => Wire.JsonAsync(c, 200, Token));
        using var wire = new Wire(registry.Address) { Credentials = _ => Wire.Login("u", "p", kind) };

        Assert.Contains(says, (await Wire.FailsAsync(RegistryFailure.AuthNotSupported, () => wire.Open().PingAsync(CancellationToken.None))).Message);
        Assert.All(registry.Requests, r => Assert.Null(r.Scheme));
    }

    [Fact]
    public async Task A_registry_token_is_shown_as_it_is_and_no_token_server_asked()
    {
        await using var registry = await RegistryAsync("""Bearer realm="https://tokens.example/token" """, c => Wire.JsonAsync(c, 200, Token), accept: "Bearer finished");
        using var wire = new Wire(registry.Address) { Credentials = name => Wire.Login("", name == "team/app" ? "finished" : "other", CredentialKind.RegistryToken) };

        await wire.Open().PingAsync(CancellationToken.None);
        var refused = await Wire.FailsAsync(RegistryFailure.CredentialsRefused, () => wire.Open("team/other").PingAsync(CancellationToken.None));

        Assert.DoesNotContain(registry.Requests, r => r.Path == "/token");
        Assert.Contains("refuses the registry token from the test", refused.Message);
    }

    /// <summary>podman's files have namespaces: what is for one repository must not be shown for another, and each is looked for once.</summary>
    [Fact]
    public async Task Each_repository_has_its_own_credential()
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            var header = context.Request.Headers.Authorization.ToString();
            context.Response.Headers.WWWAuthenticate = "Basic realm=\"r\"";
            var user = header.Length == 0 ? "" : System.Text.Encoding.UTF8.GetString(Convert.FromBase64String(header["Basic ".Length..]));
            var name = context.Request.Path.Value!.Split('/')[2];
            return Wire.JsonAsync(context, user == $"{name}:{name}" ? 404 : user.Length == 0 ? 401 : 418, "{}");
        });
        using var wire = new Wire(registry.Address) { Credentials = name => name == "c/x" ? null : Wire.Login(name.Split('/')[0], name.Split('/')[0]) };

        for (var i = 0; i < 2; i++)
        {
            Assert.Null(await wire.Open("a/x").GetManifestAsync("1", CancellationToken.None));
            Assert.Null(await wire.Open("b/x").GetManifestAsync("1", CancellationToken.None));
            await Wire.FailsAsync(RegistryFailure.CredentialsMissing, () => wire.Open("c/x").GetManifestAsync("1", CancellationToken.None));
        }

        Assert.Equal(["a/x", "b/x", "c/x"], wire.Asked);
        Assert.Equal(("the test", null), (wire.Open("a/x").CredentialSource, wire.Open("c/x").CredentialSource));
    }

    /// <summary>How a token server fails, what it is told as, and what is said; each names the token server.</summary>
    [Theory]
    [InlineData("down", RegistryFailure.Unreachable, "can't be reached")]
    [InlineData("slow", RegistryFailure.Unreachable, "no answer in time")]
    [InlineData("slow body", RegistryFailure.Unreachable, "breaks off while answering: no answer in time")]
    [InlineData("breaks off", RegistryFailure.Unreachable, "")]
    [InlineData("endless", RegistryFailure.NotARegistry, "answers with more than 1048576 bytes")]
    [InlineData("html", RegistryFailure.NotARegistry, "answers 200 with a web page (HTML)")]
    [InlineData("no json", RegistryFailure.NotARegistry, "does not answer with JSON")]
    [InlineData("no token", RegistryFailure.NotARegistry, "answers without a token")]
    [InlineData("500", RegistryFailure.Rejected, "answers 500 OOPS 'later'")]
    [InlineData("401", RegistryFailure.CredentialsRefused, "answers 401 'incorrect username or password'")]
    [InlineData("repeats the secret", RegistryFailure.CredentialsRefused, "its words repeat the secret")]
    [InlineData("redirect to a stranger", RegistryFailure.AuthNotSupported, "RealmHost=\"tokens.example\"")]
    [InlineData("redirects in a circle", RegistryFailure.NotARegistry, "redirects more than 5 times")]
    [InlineData("another scope", RegistryFailure.Denied, "does not give push access to team/app")]
    public async Task A_token_server_that_fails_is_named(string how, RegistryFailure failure, string says)
    {
        await using var tokens = await LoopbackServer.StartAsync(async (context, _) =>
        {
            switch (how)
            {
                case "slow":
                    await Task.Delay(TimeSpan.FromSeconds(30), context.RequestAborted).ContinueWith(static _ => { }, TaskScheduler.Default);
                    break;
                case "slow body":
                    context.Response.ContentLength = 100;
                    await context.Response.WriteAsync("{");
                    await context.Response.Body.FlushAsync();
                    await Task.Delay(TimeSpan.FromSeconds(30), context.RequestAborted).ContinueWith(static _ => { }, TaskScheduler.Default);
                    break;
                case "breaks off":
                    context.Response.ContentLength = 100;
                    await context.Response.WriteAsync("{");
                    await context.Response.Body.FlushAsync();
                    context.Abort();
                    break;
                case "endless":
                    while (!context.RequestAborted.IsCancellationRequested)
                    {
                        await context.Response.WriteAsync(new string(' ', 10_000));
                    }

                    break;
                case "redirect to a stranger":
                    context.Response.Redirect("https://tokens.example/token");
                    break;
                case "redirects in a circle":
                    context.Response.Redirect("/token");
                    break;
                default:
                    var (status, type, body) = how switch
                    {
                        "html" => (200, "text/html", "<p>sign in</p>"),
                        "no json" => (200, "application/json", "token"),
                        "no token" => (200, "application/json", "{}"),
                        "500" => (500, "application/json", """{"errors":[{"code":"OOPS","message":"later"}]}"""),
                        "401" => (401, "application/json", """{"details":"incorrect username or password"}"""),
                        "repeats the secret" => (401, "application/json", """{"details":"s3cret is wrong"}"""),
                        _ => (200, "application/json", """{"token":"another"}"""),
                    };
                    await Wire.JsonAsync(context, status, body, type);
                    break;
            }
        });
        await using var registry = await RegistryAsync($"""Bearer realm="http://{(how == "down" ? "127.0.0.1:9" : tokens.Address)}/token" """, _ => Task.CompletedTask, accept: "Bearer t");
        using var wire = new Wire(registry.Address, seconds: how.StartsWith("slow", StringComparison.Ordinal) ? 1 : 100) { Credentials = _ => Wire.Login("u", "s3cret") };

        var failed = await Wire.FailsAsync(failure, () => wire.Open().PingAsync(CancellationToken.None));

        Assert.Contains(says, failed.Message);
        Assert.Contains(how switch { "down" => "token server 127.0.0.1:9", "another scope" => "from the test", "redirect to a stranger" => "token server https://tokens.example", _ => $"token server {tokens.Address}" }, failed.Message);
        Assert.DoesNotContain("s3cret", failed.Message + string.Join('\n', wire.Trace));
    }

    /// <summary>To another trusted host (here: another loopback port) a token server may send us on, with what we have.</summary>
    [Fact]
    public async Task A_token_server_may_redirect_to_where_a_realm_may_be()
    {
        await using var second = await LoopbackServer.StartAsync((context, _) => Wire.JsonAsync(context, 200, Token));
        await using var registry = await RegistryAsync("""Bearer realm="{self}/token" """, c =>
        {
            c.Response.Headers.Location = $"http://{second.Address}/v2/token?moved";
            c.Response.StatusCode = 307;
            return Task.CompletedTask;
        });
        using var wire = new Wire(registry.Address) { Credentials = _ => Wire.Login("u", "p") };

        await wire.Open().PingAsync(CancellationToken.None);

        Assert.Equal([("/v2/token", "Basic")], second.Requests.Select(r => (r.Path, r.Scheme!)));
    }

    /// <summary>Some refuse without a word: what they want is asked by a ping, else Basic is tried, on the registry itself.</summary>
    [Theory]
    [InlineData(401, true, "Bearer")]
    [InlineData(403, true, "Bearer")]
    [InlineData(401, false, "Basic")]
    [InlineData(403, false, "Basic")]
    public async Task A_refusal_without_a_challenge_is_asked_for_one(int status, bool pingSays, string scheme)
    {
        LoopbackServer? self = null;
        await using var registry = self = await LoopbackServer.StartAsync((context, _) =>
        {
            if (context.Request.Path == "/token")
            {
                return Wire.JsonAsync(context, 200, Token);
            }

            if (context.Request.Headers.Authorization.Count > 0)
            {
                return Wire.JsonAsync(context, 404, "{}");
            }

            if (pingSays && context.Request.Path == "/v2/")
            {
                context.Response.Headers.WWWAuthenticate = $"Bearer realm=\"http://{self!.Address}/token\"";
            }

            return Wire.ErrorAsync(context, status, "DENIED", "no");
        });
        using var wire = new Wire(registry.Address) { Credentials = _ => Wire.Login("u", "p") };
        using var outsider = new Wire(registry.Address);

        Assert.Null(await wire.Open().GetManifestAsync("1", CancellationToken.None));
        Assert.Equal(scheme, registry.Requests[^1].Scheme);
        if (!pingSays)
        {
            await Wire.FailsAsync(RegistryFailure.CredentialsMissing, () => outsider.Open().GetManifestAsync("1", CancellationToken.None));
        }
    }

    /// <summary>What anyone may read must not pass for private because nobody asked for the token that anyone gets.</summary>
    [Fact]
    public async Task An_outsider_asks_for_a_token_where_403_names_the_token_server()
    {
        LoopbackServer? self = null;
        await using var registry = self = await LoopbackServer.StartAsync((context, _) =>
        {
            if (context.Request.Path == "/token")
            {
                return Wire.JsonAsync(context, 200, """{"token":"outsider"}""");
            }

            if (context.Request.Headers.Authorization.ToString() == "Bearer outsider" && context.Request.Path.Value!.Contains("/open/", StringComparison.Ordinal))
            {
                return Wire.JsonAsync(context, 404, "{}");
            }

            context.Response.Headers.WWWAuthenticate = $"Bearer realm=\"http://{self!.Address}/token\"";
            return Wire.ErrorAsync(context, 403, "DENIED", "no token");
        });
        using var wire = new Wire(registry.Address);

        Assert.Null(await wire.Open("team/open").FindManifestAsync("1", CancellationToken.None));
        await Wire.FailsAsync(RegistryFailure.CredentialsMissing, () => wire.Open("team/shut").FindManifestAsync("1", CancellationToken.None));
    }

    /// <summary>GHCR: bad credentials break public pulls, at the token server or behind it. A pull is tried once as anybody; a push never.</summary>
    [Theory]
    [InlineData("token server")]
    [InlineData("registry")]
    [InlineData("Basic")]
    public async Task Refused_credentials_are_left_out_for_reading(string where)
    {
        LoopbackServer? self = null;
        await using var registry = self = await LoopbackServer.StartAsync((context, _) =>
        {
            var header = context.Request.Headers.Authorization.ToString();
            if (context.Request.Path == "/token")
            {
                return header.Length > 0 && where == "token server" ? Wire.ErrorAsync(context, 403, "DENIED", "denied") : Wire.JsonAsync(context, 200, $$"""{"token":"{{(header.Length > 0 ? "insider" : "outsider")}}"}""");
            }

            if (where == "Basic" ? header.Length == 0 && context.Request.Path != "/v2/" : header == "Bearer outsider")
            {
                return Wire.JsonAsync(context, 404, "{}");
            }

            // DENIED comes without a challenge.
            if (header.Length > 0)
            {
                return Wire.ErrorAsync(context, 403, "DENIED", "invalid token");
            }

            context.Response.Headers.WWWAuthenticate = where == "Basic" ? "Basic realm=\"r\"" : $"Bearer realm=\"http://{self!.Address}/token\"";
            return Wire.ErrorAsync(context, 401, "UNAUTHORIZED", "authentication required");
        });
        using var wire = new Wire(registry.Address) { Credentials = _ => Wire.Login("u", "expired") };
        var client = wire.Open();
        var denied = where == "token server" ? RegistryFailure.CredentialsRefused : RegistryFailure.Denied;

        await Wire.FailsAsync(denied, () => client.PingAsync(CancellationToken.None));
        Assert.Null(await client.GetManifestAsync("1", CancellationToken.None));
        var before = registry.Requests.Count;
        Assert.Null(await client.GetManifestAsync("1", CancellationToken.None));

        // It is remembered: one request, and the refusal was told once.
        Assert.Equal(before + 1, registry.Requests.Count);
        Assert.Single(wire.Trace, t => t.EndsWith("it is read anonymously.", StringComparison.Ordinal));
        await Wire.FailsAsync(denied, () => client.PingAsync(CancellationToken.None));
    }

    /// <summary>A secret in the words of a registry is not repeated.</summary>
    [Fact]
    public async Task A_registry_that_repeats_the_secret_is_not_quoted()
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            context.Response.Headers.WWWAuthenticate = "Basic realm=\"r\"";
            var header = context.Request.Headers.Authorization.ToString();
            return Wire.ErrorAsync(context, header.Length == 0 ? 401 : 403, "DENIED", $"you sent {header}");
        });
        using var wire = new Wire(registry.Address) { Credentials = _ => Wire.Login("u", "s3cret") };

        var refused = await Wire.FailsAsync(RegistryFailure.Denied, () => wire.Open().PingAsync(CancellationToken.None));

        Assert.DoesNotContain(Convert.ToBase64String("u:s3cret"u8), refused.Message);
        Assert.Contains("repeat the secret", refused.Message);
    }

    private static async Task<LoopbackServer> RegistryAsync(string challenges, Func<HttpContext, Task> token, string? accept = null)
    {
        LoopbackServer? self = null;
        return self = await LoopbackServer.StartAsync((context, _) =>
        {
            if (context.Request.Path == "/token")
            {
                return token(context);
            }

            var header = context.Request.Headers.Authorization.ToString();
            if (accept is null ? header.Length > 0 : header == accept)
            {
                return Wire.JsonAsync(context, 200, "{}");
            }

            context.Response.Headers.WWWAuthenticate = challenges.Replace("{self}", $"http://{self!.Address}", StringComparison.Ordinal).Split('|');
            return Wire.ErrorAsync(context, 401, "UNAUTHORIZED", "authentication required");
        });
    }
}
