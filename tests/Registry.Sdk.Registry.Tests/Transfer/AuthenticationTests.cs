using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>What is shown to whom: tokens, redirects, helpers.</summary>
public sealed class AuthenticationTests(Registries registries) : IClassFixture<Registries>
{
    private const string User = "robot";
    private const string Password = "a: token's secret";

    [Fact]
    public async Task A_token_is_asked_for_the_scope_that_is_needed_and_the_secret_goes_to_the_token_server_alone()
    {
        await using var bench = await Bench.CreateAsync(registries);
        Bearer(bench, "/token?from=test");

        (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(["latest", "v1", "v1.2", "v1.2.3"], (await Seed.TagsAsync(bench.Open.Direct, bench.Name)).Keys);
        var tokens = bench.Arrivals.Where(a => a.Path == "/token").ToList();
        Assert.All(tokens, t => Assert.StartsWith("?from=test&service=a%20service&scope=", t.Query));
        // What the challenge names is a placeholder; what is asked for is our own, and by an outsider never more than pulling.
        Assert.Contains(tokens, t => t.Authorization == Basic() && Scope(t) == $"repository:{bench.Name}:pull,push");
        Assert.All(tokens, t => Assert.Equal(t.Authorization is null ? $"repository:{bench.Name}:pull" : $"repository:{bench.Name}:pull,push", Scope(t)));
        Assert.All(bench.Arrivals.Where(a => a.Registry == "open" && a.Path != "/token"), a => Assert.True(a.Authorization?.StartsWith("Bearer ", StringComparison.Ordinal) ?? true, a.ToString()));
        Assert.InRange(tokens.Count, 2, 4);
    }

    [Fact]
    public async Task A_token_that_is_said_to_expire_at_once_is_sent_once()
    {
        await using var bench = await Bench.CreateAsync(registries);
        Bearer(bench, "/token", expires: 5);

        (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(["latest", "v1", "v1.2", "v1.2.3"], (await Seed.TagsAsync(bench.Open.Direct, bench.Name)).Keys);
        // Each answer is for one request: as many tokens as requests that carried one.
        Assert.Equal(bench.Arrivals.Count(a => a.Path == "/token"), bench.Arrivals.Count(a => a.Authorization?.StartsWith("Bearer ", StringComparison.Ordinal) == true));
    }

    [Fact]
    public async Task A_token_server_that_refuses_two_scopes_makes_a_mount_an_upload()
    {
        await using var bench = await Bench.CreateAsync(registries);
        Bearer(bench, "/token");
        var registry = bench.Open.Lie!;
        bench.Open.Lie = context => context.Request.Path == "/token" && context.Request.Query["scope"].Count > 1
            ? Answers.WithAsync(context, 400, "application/json", """{"details":"one scope, please"}""")
            : registry(context);
        bench.Request = bench.Request with { Destinations = [new($"{bench.Open.Host}/{bench.Name}"), new($"{bench.Open.Host}/{bench.Name}-alias")] };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Contains(bench.Arrivals, a => a.Path == "/token" && a.Query.Split("scope=").Length > 2);
        Assert.Equal(await Seed.TagsAsync(bench.Open.Direct, bench.Name), await Seed.TagsAsync(bench.Open.Direct, bench.Name + "-alias"));
        var alias = published.Report.Transfer!.Destinations[1];
        Assert.Equal((0, published.Report.Transfer.Destinations[0].BytesSent), (alias.BytesMounted, alias.BytesSent));
        Assert.NotEqual(0, alias.BytesSent);
    }

    [Fact]
    public async Task A_token_that_does_not_allow_pushing_is_no_push_right()
    {
        await using var bench = await Bench.CreateAsync(registries);
        Bearer(bench, "/token", grant: scope => scope.Replace(":pull,push", ":pull", StringComparison.Ordinal));

        var published = await bench.PublishAsync();

        var error = Assert.Single(published.Errors);
        Assert.Equal("RSDK5004", error.Code);
        Assert.Contains("RegistrySdkCredential", error.Message);
        Assert.Equal(["POST"], bench.Arrivals.Where(a => a.Registry == "open" && a.IsWrite).Select(a => a.Method).Distinct());
    }

    [Fact]
    public async Task Without_credentials_only_pulling_is_asked_for()
    {
        await using var bench = await Bench.CreateAsync(registries);
        Bearer(bench, "/token");
        bench.Request = bench.Request with { Credentials = [] };

        var published = await bench.PublishAsync();

        Assert.Equal("RSDK5003", Assert.Single(published.Errors).Code);
        Assert.All(bench.Arrivals.Where(a => a.Path == "/token"), t => Assert.Equal($"repository:{bench.Name}:pull", Scope(t)));
    }

    [Fact]
    public async Task Refused_by_the_token_server_names_the_source_and_nothing_is_sent()
    {
        await using var bench = await Bench.CreateAsync(registries);
        Bearer(bench, "/token");
        bench.Set(("ROBOT_PASSWORD", "wrong"));

        var published = await bench.PublishAsync();

        Assert.Equal("RSDK5003", Assert.Single(published.Errors).Code);
        Assert.Contains("environment variable ROBOT_PASSWORD", published.Errors[0].Message);
        Assert.Empty(bench.Targets.SelectMany(t => t.Writes));
    }

    [Fact]
    public async Task A_token_server_on_another_host_gets_nothing_not_even_a_connection()
    {
        // An address of this machine that is not loopback: a connection to it would be seen.
        var elsewhere = NetworkInterface.GetAllNetworkInterfaces().SelectMany(i => i.GetIPProperties().UnicastAddresses).Select(a => a.Address)
            .FirstOrDefault(a => a.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(a));
        if (elsewhere is null)
        {
            return;
        }

        using var listener = new TcpListener(elsewhere, 0);
        listener.Start();
        await using var bench = await Bench.CreateAsync(registries);
        foreach (var scheme in new[] { "https", "http" })
        {
            Bearer(bench, $"{scheme}://{listener.LocalEndpoint}/token");

            var published = await bench.PublishAsync();

            var error = Assert.Single(published.Errors);
            Assert.Equal("RSDK5007", error.Code);
            Assert.Contains($"<RegistrySdkCredential Include=\"{bench.Open.Host}\" RealmHost=\"{listener.LocalEndpoint}\" />", error.Message);
            Assert.False(listener.Pending());
            Assert.Empty(bench.Targets.SelectMany(t => t.Writes));
        }
    }

    [Fact]
    public async Task A_token_server_on_another_loopback_port_is_asked_with_and_without_credentials()
    {
        await using var bench = await Bench.CreateAsync(registries);
        var tokens = await bench.AttachAsync("tokens", registries.Base.BaseUri);
        Bearer(bench, $"http://{tokens.IpHost}/token");
        tokens.Lie = TokenServer(s => s);
        bench.Request = bench.Request with { Destinations = [new($"{bench.Open.Host}/{bench.Name}", Visibility: "public")] };

        (await bench.PublishAsync()).EnsureSucceeded();

        var asked = bench.Arrivals.Where(a => a.Registry == "tokens").ToList();
        Assert.Contains(asked, a => a.Authorization is null);
        Assert.Contains(asked, a => a.Authorization == Basic());
        Assert.DoesNotContain(bench.Arrivals, a => a.Registry == "open" && a.Authorization == Basic());
    }

    [Fact]
    public async Task A_redirect_of_a_blob_to_another_host_leaves_the_credentials_behind()
    {
        await using var bench = await Bench.CreateAsync(registries);
        await Seed.PushAsync(bench.Closed.Direct, $"{bench.Name}/base", "10.0", new SeedImage { Salt = bench.Name });
        await Seed.PushAsync(bench.Base.Direct, $"{bench.Name}/base", "10.0", new SeedImage { Salt = bench.Name });
        bench.Closed.Lie = context =>
        {
            var redirect = context.Request.Method == "GET" && context.Request.Path.Value!.Contains("/base/blobs/", StringComparison.Ordinal);
            if (redirect)
            {
                context.Response.StatusCode = 307;
                context.Response.Headers.Location = $"http://{bench.Base.IpHost}{context.Request.Path}?signature=x";
            }

            return Task.FromResult(redirect);
        };
        bench.Platform = bench.Platform with { BaseRegistry = bench.Closed.Host, BaseRepository = $"{bench.Name}/base" };
        bench.Request = bench.Request with { Destinations = [new($"{bench.Open.Host}/{bench.Name}")] };

        (await bench.PublishAsync()).EnsureSucceeded();

        var followed = bench.Arrivals.Where(a => a.Registry == "base").ToList();
        Assert.Equal(3, followed.Count);
        Assert.All(followed, a => Assert.Null(a.Authorization));
        Assert.Contains(bench.Arrivals, a => a.Registry == "closed" && a.Authorization?.StartsWith("Basic ", StringComparison.Ordinal) == true);
    }

    [Theory]
    [InlineData("printf '%s' '{\"ServerURL\":\"x\",\"Username\":\"USER\",\"Secret\":\"PASSWORD\"}'", null)]
    [InlineData("cat >/dev/null; printf '%s' '{\"Username\":\"USER\",\"Secret\":\"wrong\"}'", "RSDK5003")]
    [InlineData("echo 'credentials not found in native keychain'; exit 1", "RSDK5003")]
    [InlineData("echo 'the secret is PASSWORD'; exit 3", "RSDK5009")]
    [InlineData("echo 'PASSWORD'", "RSDK5009")]
    [InlineData(null, "RSDK5009")]
    public async Task A_credential_helper_is_asked_and_its_output_never_repeated(string? script, string? code)
    {
        await using var bench = await Bench.CreateAsync(registries);
        await using var folder = new TempDirectory();
        if (script is not null)
        {
            var program = folder.File("bin", "docker-credential-test");
            await File.WriteAllTextAsync(program, $"#!/bin/sh\ntest -n \"$MARK\" || exit 9\n{script.Replace("USER", bench.Login.User).Replace("PASSWORD", bench.Login.Password)}\n");
            File.SetUnixFileMode(program, (UnixFileMode)0b111_000_000);
        }

        await File.WriteAllTextAsync(folder.File("config.json"), $$"""{ "credHelpers": { "{{bench.Closed.Host}}": "test" } }""");
        bench.Set(("DOCKER_CONFIG", folder.Path), ("PATH", folder.Folder("bin") + ":/usr/bin:/bin"), ("MARK", "set"));
        bench.Request = bench.Request with { Credentials = [] };

        var published = await bench.PublishAsync();

        Assert.Equal(code is null ? [] : [code], published.Errors.Select(e => e.Code));
        Assert.DoesNotContain(bench.Login.Password, published.Receipt + string.Join('\n', published.Log) + string.Join('\n', published.Errors));
        if (code is not null)
        {
            Assert.Empty(bench.Targets.SelectMany(t => t.Writes));
        }
    }

    /// <summary>Makes <see cref="Bench.Open"/> a registry that wants Bearer tokens, and the only destination.</summary>
    private static void Bearer(Bench bench, string realm, Func<string, string>? grant = null, int expires = 300)
    {
        var server = TokenServer(grant ?? (s => s), expires);
        bench.Open.Lie = async context =>
        {
            if (context.Request.Path == "/token")
            {
                return await server(context);
            }

            var token = context.Request.Headers.Authorization.ToString() is { } header && header.StartsWith("Bearer ", StringComparison.Ordinal) ? Encoding.UTF8.GetString(Convert.FromHexString(header[7..])) : null;
            var needed = context.Request.Method is "GET" or "HEAD" ? "pull" : "push";
            if (token is not null && (context.Request.Path == "/v2/" || (token.Contains($":{Repository(context.Request.Path.Value!)}:", StringComparison.Ordinal) && token.Contains(needed, StringComparison.Ordinal))))
            {
                return false;
            }

            var address = realm.StartsWith('/') ? $"http://{bench.Open.Host}{realm}" : realm;
            context.Response.Headers.WWWAuthenticate = $"Bearer realm=\"{address}\",service=\"a service\",scope=\"repository:user/image:pull,push\"{(token is null ? string.Empty : ",error=\"insufficient_scope\"")}";
            return await Answers.WithAsync(context, 401, "application/json", """{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}""");
        };
        bench.Set(("ROBOT", User), ("ROBOT_PASSWORD", Password));
        bench.Request = bench.Request with { Destinations = [new($"{bench.Open.Host}/{bench.Name}")], Credentials = [new(bench.Open.Host, "ROBOT", "ROBOT_PASSWORD")] };
    }

    // The token is the scope itself; opaque to the client. Outsiders get tokens too, for pulling.
    private static Func<HttpContext, Task<bool>> TokenServer(Func<string, string> grant, int expires = 300) => context =>
    {
        var authorization = context.Request.Headers.Authorization.ToString();
        var scope = context.Request.Query["scope"].ToString();
        return authorization.Length > 0 && authorization != Basic()
            ? Answers.WithAsync(context, 401, "application/json", "{}")
            : Answers.WithAsync(context, 200, "application/json", $$"""{"token":"{{Convert.ToHexString(Encoding.UTF8.GetBytes(grant(authorization.Length > 0 ? scope : scope.Replace(",push", ""))))}}","expires_in":{{expires}}}""");
    };

    // The repository in /v2/<name>/<manifests, blobs or tags>/…
    private static string Repository(string path) => string.Join('/', path.Split('/').Skip(2).TakeWhile(p => p is not ("manifests" or "blobs" or "tags")));

    private static string Basic() => "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes($"{User}:{Password}"));

    private static string Scope(Arrival arrival) => Uri.UnescapeDataString(arrival.Query[(arrival.Query.IndexOf("scope=", StringComparison.Ordinal) + 6)..]);
}
