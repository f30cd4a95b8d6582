using System.Net;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Registry.Tests.Transfer;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Hostile;

/// <summary>
/// A public registry that would have our secrets, or have us talk to this machine and its network: by its token server, by redirects and upload sessions,
/// by pages of a list, by challenges. Every case ends in an error of its own, and no secret reaches another origin.
/// </summary>
public sealed class LeadingAstrayTests
{
    /// <summary>Where nothing is asked for a token: elsewhere, look-alikes, this machine and its network, without TLS.</summary>
    [Theory]
    [InlineData("https://evil.example/token")]
    [InlineData("https://token.registry.example/token")]
    [InlineData("https://registry.example.evil.example/token")]
    [InlineData("https://evilregistry.example/token")]
    [InlineData("https://registry.example./token")]
    [InlineData("https://registry.example@evil.example/token")]
    [InlineData("https://registry.example:443@evil.example/token")]
    [InlineData("https://user:password@registry.example/token")]
    [InlineData("https://xn--registr-mwb.example/token")]
    [InlineData("https://rеgistry.example/token")] // Cyrillic е
    [InlineData("https://ghcr.io/token")]
    [InlineData("https://auth.docker.io/token")]
    [InlineData("http://registry.example/token")]
    [InlineData("http://registry.example:443/token")]
    [InlineData("http://169.254.169.254/latest/meta-data/iam/security-credentials/")]
    [InlineData("https://169.254.169.254/token")]
    [InlineData("https://[fe80::1]/token")]
    [InlineData("https://10.0.0.1/token")]
    [InlineData("https://127.0.0.1/token")]
    [InlineData("http://localhost:5000/token")]
    [InlineData("https://[::1]/token")]
    [InlineData("https://2130706433/token")]
    [InlineData("ftp://registry.example/token")]
    [InlineData("file:///etc/passwd")]
    [InlineData("//registry.example/token")]
    [InlineData("https://")]
    public async Task A_token_server_that_is_not_its_own_is_not_asked(string realm)
    {
        using var internet = new FakeInternet(_ => FakeInternet.Challenge($"Bearer realm=\"{realm}\",service=\"s\",scope=\"repository:team/app:pull\""));

        await Wire.FailsAsync(RegistryFailure.AuthNotSupported, () => internet.Client.PingAsync(CancellationToken.None));

        Assert.Empty(internet.Elsewhere);
        Assert.All(internet.Sent, r => Assert.DoesNotContain("uthorization", r.Everything));
    }

    /// <summary>Other spellings of its own name are its own: what is connected to is the registry.</summary>
    [Theory]
    [InlineData("https://REGISTRY.example/token")]
    [InlineData("https://registry.example:443/token")]
    [InlineData("https://registry。example/token")]
    [InlineData("https://ｒegistry.example/token")]
    [InlineData("https://regiſtry.example/token")]
    public async Task Another_spelling_of_the_registrys_own_name_leads_to_the_registry_or_nowhere(string realm)
    {
        using var internet = new FakeInternet(request => request.RequestUri!.AbsolutePath == "/token" ? FakeInternet.Json($$"""{"token":"{{FakeInternet.Token}}"}""")
            : request.Headers.Authorization is { Scheme: "Bearer" } ? new(HttpStatusCode.OK) : FakeInternet.Challenge($"Bearer realm=\"{realm}\""));

        await Record.ExceptionAsync(() => internet.Client.PingAsync(CancellationToken.None));

        Assert.Empty(internet.Elsewhere);
    }

    /// <summary>The line that would trust it shows the name that it is connected by: who reads «registry.example» in Cyrillic would add it.</summary>
    [Theory]
    [InlineData("https://r\u0435gistry.example/token", "RealmHost=\"xn--rgistry-7gg.example\"")]
    [InlineData("https://r\u0435gistry.example:8443/token", "RealmHost=\"xn--rgistry-7gg.example:8443\"")]
    public async Task A_look_alike_is_shown_as_what_it_is(string realm, string says)
    {
        using var internet = new FakeInternet(_ => FakeInternet.Challenge($"Bearer realm=\"{realm}\""));

        var told = await Wire.FailsAsync(RegistryFailure.AuthNotSupported, () => internet.Client.PingAsync(CancellationToken.None));

        Assert.Contains(says, told.Message);
        Assert.True(System.Text.Ascii.IsValid(told.Message), told.Message);
        Assert.Empty(internet.Elsewhere);
    }

    /// <summary>What was begun in good faith is led astray in its middle: the next part goes nowhere, or without the secret.</summary>
    [Theory]
    [InlineData("https://169.254.169.254/x", false)]
    [InlineData("https://１６９.254.169.254/x", false)]
    [InlineData("http://evil.example/x", false)]
    [InlineData("https://evil.example/x", true)]
    [InlineData("https://registry.example:8443/v2/team/app/blobs/uploads/1", true)]
    [InlineData("/v2/other/repository/blobs/uploads/1", true)]
    public async Task A_session_that_moves_in_mid_upload_takes_no_secret_along(string next, bool isFollowed)
    {
        using var internet = new FakeInternet(request => request.Method.Method switch
        {
            _ when request.Headers.Authorization is null => FakeInternet.Challenge("Basic realm=\"r\""),
            "POST" => FakeInternet.To(202, "/v2/team/app/blobs/uploads/1"),
            "PUT" when !request.RequestUri!.PathAndQuery.Contains("moved", StringComparison.Ordinal) => new(HttpStatusCode.RequestEntityTooLarge),
            "PATCH" => FakeInternet.To(202, next + "?moved"),
            "DELETE" => new(HttpStatusCode.NoContent),
            _ => new(HttpStatusCode.Created),
        })
        {
            Stranger = request => request.Method == HttpMethod.Put ? new(HttpStatusCode.Created) : FakeInternet.To(202, "/v2/team/app/blobs/uploads/1?moved"),
        };
        var upload = () => Wire.SendAsync(internet.Client, Wire.Blob(5 << 20));

        if (isFollowed)
        {
            await upload();
        }
        else
        {
            Assert.Contains("registry.example", (await Wire.FailsAsync(RegistryFailure.NotARegistry, upload)).Message);
            Assert.Empty(internet.Elsewhere);
        }

        internet.AssertNoSentinelElsewhere();
    }

    /// <summary>The token runs out in mid upload, and the new challenge names another token server.</summary>
    [Fact]
    public async Task A_token_server_that_changes_in_mid_upload_is_not_asked()
    {
        var patches = 0;
        using var internet = new FakeInternet(request =>
        {
            if (request.RequestUri!.AbsolutePath == "/token")
            {
                return FakeInternet.Json($$"""{"token":"{{FakeInternet.Token}}"}""");
            }

            if (request.Headers.Authorization is null || (request.Method == HttpMethod.Patch && patches++ > 0))
            {
                return FakeInternet.Challenge($"Bearer realm=\"https://{(patches > 0 ? "evil" : "registry")}.example/token\"");
            }

            return request.Method.Method switch
            {
                "POST" or "PATCH" => FakeInternet.To(202, "/v2/team/app/blobs/uploads/1"),
                "PUT" => new(HttpStatusCode.RequestEntityTooLarge),
                _ => new(HttpStatusCode.NoContent),
            };
        });

        var told = await Wire.FailsAsync(RegistryFailure.AuthNotSupported, () => Wire.SendAsync(internet.Client, Wire.Blob(9 << 20)));

        Assert.Contains("RealmHost=\"evil.example\"", told.Message);
        Assert.Empty(internet.Elsewhere);
        internet.AssertNoSentinelElsewhere();
    }

    [Theory]
    [InlineData("https://evil.example/token")]
    [InlineData("https://registry.example.evil.example/token")]
    [InlineData("http://registry.example/token")]
    [InlineData("https://169.254.169.254/token")]
    [InlineData("https://127.0.0.1/token")]
    [InlineData("https://１２７.０.０.１/token")]
    [InlineData("//evil.example/token")]
    public async Task A_token_server_does_not_send_a_secret_on(string location)
    {
        using var internet = new FakeInternet(request => request.RequestUri!.AbsolutePath == "/token" ? FakeInternet.To(307, location) : FakeInternet.Challenge("Bearer realm=\"https://registry.example/token\""));

        await Wire.FailsAsync(RegistryFailure.AuthNotSupported, () => internet.Client.PingAsync(CancellationToken.None));

        Assert.Empty(internet.Elsewhere);
        // It was shown to the token server itself, or the case would say nothing.
        Assert.Contains(internet.Sent, r => r.Address.AbsolutePath == "/token" && r.Everything.Contains("Authorization: Basic", StringComparison.Ordinal));
    }

    /// <summary>This machine, its network, where clouds serve secrets, what is no web address, and a step down from TLS.</summary>
    public static TheoryData<string, string> Forbidden
    {
        get
        {
            var rows = new TheoryData<string, string>();
            string[] places =
            [
                "http://169.254.169.254/latest", "https://169.254.169.254/latest", "https://169.254.170.2/creds", "https://[fe80::1]/x", "https://[fd00:ec2::254]/latest", "https://[::ffff:169.254.169.254]/x",
                "https://100.100.100.200/x", "https://10.1.2.3/x", "https://172.16.0.1/x", "https://192.168.1.1/x", "https://[fd12::1]/x", "https://0.0.0.0/x", "https://[::]/x",
                "https://127.0.0.1:8443/x", "https://localhost/x", "https://LOCALHOST/x", "https://[::1]/x", "https://[::ffff:127.0.0.1]/x", "https://2130706433/x", "https://0x7f000001/x", "https://0177.0.0.1/x", "https://127.1/x",
                "https://localhost./x", "https://anything.localhost/x", "https://[64:ff9b::a9fe:a9fe]/x", "https://[2002:a9fe:a9fe::1]/x", "https://[::10.0.0.1]/x",
                // Names that are another one by the time they are connected to (IDNA maps digits, letters and dots to plain ones), and dots that change nothing.
                "https://１２７.０.０.１/x", "https://①②⑦.0.0.1/x", "https://127。0。0。1/x", "https://10.¹.².³/x", "https://１６９.254.169.254/x", "https://２１３０７０６４３３/x", "https://lºcalhost/x", "https://ｌｏｃａｌｈｏｓｔ/x", "https://loc\u00ADalhost/x", "https://evil.ⅼocalhost/x",
                "https://localhost。/x", "https://127.0.0.1./x", "https://10.0.0.1./x", "https://169.254.169.254./x", "https://2852039166./x",
                // What IPv6 has besides, and what is no host's address.
                "https://[::ffff:0:127.0.0.1]/x", "https://[::ffff:0:a9fe:a9fe]/x", "https://[64:ff9b:1::a9fe:a9fe]/x", "https://[fec0::1]/x", "https://[ff02::1]/x", "https://224.0.0.1/x", "https://255.255.255.255/x", "https://192.0.0.192/x", "https://198.18.0.1/x",
                "http://registry.example:8080/x", "http://evil.example/x", "ftp://evil.example/x", "file:///etc/passwd", "gopher://evil.example/x", "javascript:alert(1)",
            ];
            foreach (var place in places)
            {
                rows.Add("upload", place);
                rows.Add("read", place);
                rows.Add("push", place);
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Forbidden))]
    public async Task A_session_or_redirect_to_where_nothing_may_go_is_not_followed(string step, string location)
    {
        using var internet = FakeInternet.WithPassword(request => FakeInternet.To(request.Method == HttpMethod.Post && step == "upload" ? 202 : 307, location));

        var told = await Wire.FailsAsync(RegistryFailure.NotARegistry, () => ActAsync(internet.Client, step));

        Assert.Empty(internet.Elsewhere);
        Assert.Contains("registry.example", told.Message);
    }

    /// <summary>Another public host may store what is sent (object stores do); it gets content and no secret, whatever it says then.</summary>
    [Theory]
    [InlineData("upload", "https://evil.example/x?a=b")]
    [InlineData("upload", "//evil.example/x")]
    [InlineData("upload", "https://registry.example@evil.example/x")]
    [InlineData("upload", "https://registry.example:8443/x")]
    [InlineData("upload", "https://registry.example./x")]
    [InlineData("upload", "https://xn--registr-mwb.example/x")]
    [InlineData("read", "https://evil.example/x")]
    [InlineData("read", "https://sub.registry.example/x")]
    [InlineData("read", "https://registry.example:8443/x")]
    [InlineData("push", "https://evil.example/x")]
    [InlineData("push", "https://registry.example.evil.example/x")]
    [InlineData("push", "https://registry.example:8443/x")]
    public async Task Another_public_host_gets_no_secret(string step, string location)
    {
        using var internet = FakeInternet.WithPassword(request => FakeInternet.To(request.Method == HttpMethod.Post && step == "upload" ? 202 : 307, location));

        if (step == "push")
        {
            // It says 200. What the registry then has under the tag is read back by who pushes.
            await ActAsync(internet.Client, step);
        }
        else
        {
            await Wire.FailsAsync(step == "read" ? RegistryFailure.WrongContent : RegistryFailure.NotARegistry, () => ActAsync(internet.Client, step));
        }

        Assert.NotEmpty(internet.Elsewhere);
        internet.AssertNoSentinelElsewhere();
        Assert.Contains(internet.Sent, r => r.Everything.Contains("Authorization: Basic", StringComparison.Ordinal));
    }

    /// <summary>Where a redirect led, a challenge is a stranger's question.</summary>
    [Theory]
    [InlineData("Basic realm=\"r\"")]
    [InlineData("Bearer realm=\"https://registry.example/token\"")]
    [InlineData("Bearer realm=\"https://evil.example/token\"")]
    public async Task A_strangers_challenge_is_not_answered(string challenge)
    {
        using var internet = new FakeInternet(request => request.Headers.Authorization is null ? FakeInternet.Challenge("Basic realm=\"r\"") : FakeInternet.To(307, "https://evil.example/x"))
        {
            Stranger = _ => FakeInternet.Challenge(challenge),
        };

        await Wire.FailsAsync(RegistryFailure.Rejected, () => ActAsync(internet.Client, "read"));

        Assert.Equal("https://evil.example/x", Assert.Single(internet.Elsewhere).Address.ToString());
        internet.AssertNoSentinelElsewhere();
    }

    [Theory]
    [InlineData("<https://evil.example/v2/team/app/tags/list?last=a>; rel=\"next\"")]
    [InlineData("<//evil.example/v2/team/app/tags/list?last=a>; rel=\"next\"")]
    [InlineData("<https://registry.example:8443/v2/team/app/tags/list>; rel=\"next\"")]
    [InlineData("<http://registry.example:8080/v2/team/app/tags/list>; rel=\"next\"")]
    [InlineData("<https://127.0.0.1/v2/team/app/tags/list>; rel=\"next\"")]
    [InlineData("<https://169.254.169.254/latest>; rel=\"next\"")]
    public async Task A_next_page_elsewhere_is_not_asked(string link)
    {
        using var internet = FakeInternet.WithPassword(_ =>
        {
            var page = FakeInternet.Json("""{"name":"team/app","tags":["a"]}""");
            page.Headers.TryAddWithoutValidation("Link", link);
            return page;
        });

        await Wire.FailsAsync(RegistryFailure.NotARegistry, () => internet.Client.ListTagsAsync(CancellationToken.None));

        Assert.Empty(internet.Elsewhere);
    }

    /// <summary>Whatever is shown, it wants more: the questions end after a few.</summary>
    [Theory]
    [InlineData("Basic", RegistryFailure.CredentialsRefused)]
    [InlineData("Bearer", RegistryFailure.Denied)]
    [InlineData("Basic and Bearer in turns", null)]
    [InlineData("403", RegistryFailure.Denied)]
    [InlineData("a thousand challenges", null)]
    public async Task Challenges_without_end_end(string what, RegistryFailure? failure)
    {
        var turn = 0;
        using var internet = new FakeInternet(request =>
        {
            if (request.RequestUri!.AbsolutePath == "/token")
            {
                return FakeInternet.Json($$"""{"token":"{{FakeInternet.Token}}-{{turn++}}"}""");
            }

            const string Bearer = "Bearer realm=\"https://registry.example/token\"";
            var answer = what switch
            {
                "Basic" => FakeInternet.Challenge("Basic realm=\"r\""),
                "Bearer" or "403" => FakeInternet.Challenge(Bearer),
                "a thousand challenges" => FakeInternet.Challenge([.. Enumerable.Range(0, 1000).Select(i => $"Bearer realm=\"https://evil-{i}.example/token\"")]),
                _ => FakeInternet.Challenge(turn++ % 2 == 0 ? "Basic realm=\"r\"" : Bearer),
            };
            answer.StatusCode = what == "403" ? HttpStatusCode.Forbidden : answer.StatusCode;
            return answer;
        });

        var told = await Assert.ThrowsAsync<RegistryException>(() => internet.Client.StartUploadAsync(CancellationToken.None));

        Assert.True(failure is null || failure == told.Failure, $"{told.Failure}: {told.Message}");
        Assert.InRange(internet.Sent.Count, 1, 8);
        Assert.Empty(internet.Elsewhere);
    }

    /// <summary>Each to another address: no circle to be recognised by.</summary>
    [Theory]
    [InlineData("read")]
    [InlineData("push")]
    public async Task Redirects_without_end_end(string step)
    {
        var hop = 0;
        using var internet = FakeInternet.WithPassword(_ => FakeInternet.To(307, $"https://registry.example/hop/{hop++}"));

        Assert.Contains("more than 5 redirects", (await Wire.FailsAsync(RegistryFailure.NotARegistry, () => ActAsync(internet.Client, step))).Message);
        Assert.InRange(internet.Sent.Count, 6, 14);
    }

    /// <summary>A token that would be more than one header, or none.</summary>
    [Theory]
    [InlineData("a\\r\\nX-Evil: 1")]
    [InlineData("a b")]
    [InlineData("a\\u0000")]
    [InlineData("\\u00e4")]
    [InlineData("")]
    public async Task A_token_that_no_header_takes_is_none(string token)
    {
        using var internet = new FakeInternet(request => request.RequestUri!.AbsolutePath == "/token" ? FakeInternet.Json($$"""{"token":"{{token}}"}""") : FakeInternet.Challenge("Bearer realm=\"https://registry.example/token\""));

        Assert.Contains("answers without a token", (await Wire.FailsAsync(RegistryFailure.NotARegistry, () => internet.Client.PingAsync(CancellationToken.None))).Message);
    }

    /// <summary>Cookies are a second credential that nobody asked for.</summary>
    [Fact]
    public async Task A_cookie_is_not_sent_back()
    {
        await using var server = await TestKit.LoopbackServer.StartAsync((context, _) =>
        {
            Assert.Equal(0, context.Request.Headers.Cookie.Count);
            context.Response.Headers.SetCookie = "session=1; Path=/";
            return Wire.JsonAsync(context, 200, """{"tags":[]}""");
        });
        using var wire = new Wire(server.Address);

        await wire.Open().ListTagsAsync(CancellationToken.None);
        await wire.Open().ListTagsAsync(CancellationToken.None);

        Assert.Equal(2, server.Requests.Count);
    }

    private static Task ActAsync(RegistryClient client, string step) => step switch
    {
        "upload" => Wire.SendAsync(client, Wire.Blob(100)),
        "read" => client.CopyBlobToAsync(Wire.Blob(100).Descriptor, Stream.Null, CancellationToken.None),
        _ => client.PutManifestAsync("1", Wire.Manifest("x"), CancellationToken.None),
    };
}
