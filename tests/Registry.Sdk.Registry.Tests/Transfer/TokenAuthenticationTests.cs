using Registry.Sdk.Core.Primitives;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>A real Distribution that wants tokens, and a real token server: who may push and pull what.</summary>
public sealed class TokenRegistry : IAsyncLifetime
{
    public TokenServer Tokens { get; private set; } = null!;

    public DistributionServer Registry { get; private set; } = null!;

    public string Owner { get; private set; } = "";

    public string Reader { get; private set; } = "";

    public async Task InitializeAsync()
    {
        Tokens = await TokenServer.StartAsync();
        Tokens.Anonymous = name => name.StartsWith("public/", StringComparison.Ordinal) ? "pull" : "";
        Owner = Tokens.AddUser("owner", _ => "pull,push");
        Reader = Tokens.AddUser("reader", _ => "pull");
        Registry = await DistributionServer.StartAsync(new DistributionOptions { Tokens = Tokens });
    }

    public async Task DisposeAsync()
    {
        await Registry.DisposeAsync();
        await Tokens.DisposeAsync();
    }
}

/// <inheritdoc cref="TokenRegistry"/>
public sealed class TokenAuthenticationTests(TokenRegistry fixture) : IClassFixture<TokenRegistry>
{
    private string Address => fixture.Registry.IpAddress;

    [Theory]
    [InlineData("owner", true, true)]
    [InlineData("reader", false, true)]
    [InlineData("wrong", false, false)]
    [InlineData("nobody", false, false)]
    public async Task Our_client_pushes_and_pulls_as_far_as_the_rights_go(string who, bool pushes, bool pulls)
    {
        var name = $"private/{Guid.NewGuid():N}";
        var digest = await PushAsync(Client(name, "owner"), "1");
        var client = Client(name, who);

        if (pushes)
        {
            Assert.Equal(digest, await PushAsync(client, "2"));
        }
        else
        {
            var failure = who switch { "reader" => RegistryFailure.Denied, "wrong" => RegistryFailure.CredentialsRefused, _ => RegistryFailure.CredentialsMissing };
            var refused = await Wire.FailsAsync(failure, () => PushAsync(client, "2"));
            Assert.Contains(who switch { "reader" => $"push access to {name} with the credentials from the test", "wrong" => "incorrect username or password", _ => "none were found" }, refused.Message);
        }

        if (pulls)
        {
            Assert.Equal(digest, (await client.GetManifestAsync("1", CancellationToken.None))!.Descriptor.Digest);
        }
        else
        {
            await Wire.FailsAsync(who == "wrong" ? RegistryFailure.CredentialsRefused : RegistryFailure.CredentialsMissing, () => client.GetManifestAsync("1", CancellationToken.None));
        }

        Assert.Equal(pushes ? ["1", "2"] : ["1"], (await Client(name, "owner").ListTagsAsync(CancellationToken.None)).Order(StringComparer.Ordinal));
    }

    /// <summary>What skopeo can do is what the registry allows, and so what our client has to be measured by.</summary>
    [Theory]
    [InlineData("owner", true, true)]
    [InlineData("reader", false, true)]
    [InlineData("wrong", false, false)]
    [InlineData("nobody", false, false)]
    public async Task Skopeo_pushes_and_pulls_likewise(string who, bool pushes, bool pulls)
    {
        var name = $"private/{Guid.NewGuid():N}";
        await using var folder = new TempDirectory();
        var image = new TestImage();
        image.AddFile("/hello", "hello");
        await image.WriteLayoutAsync(folder.Folder("image"), "image");
        await CopyAsync("owner", $"oci:{folder.Folder("image")}:image", $"docker://{Address}/{name}:1", true);

        await CopyAsync(who, $"oci:{folder.Folder("image")}:image", $"docker://{Address}/{name}:2", pushes);
        await CopyAsync(who, $"docker://{Address}/{name}:1", $"oci:{folder.Folder("pulled")}:1", pulls);
        // And what skopeo pushed our client reads, down to the last blob.
        if (pulls)
        {
            var client = Client(name, who);
            var manifest = (await client.GetManifestAsync("1", CancellationToken.None))!;
            var layer = Descriptor.FromJson(System.Text.Json.Nodes.JsonNode.Parse(manifest.Content)!["layers"]![0])!;
            Assert.True(await client.HasBlobAsync(layer, CancellationToken.None));
            Assert.True(await client.CopyBlobToAsync(layer, Stream.Null, CancellationToken.None));
        }

        async Task CopyAsync(string user, string from, string to, bool works)
        {
            var login = user == "nobody" ? "" : $"{{\"{Address}\":{{\"auth\":\"{Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes($"{(user == "wrong" ? "owner" : user)}:{Password(user)}"))}\"}}}}";
            var authFile = folder.File($"{user}.json");
            await File.WriteAllTextAsync(authFile, $"{{\"auths\":{(login.Length == 0 ? "{}" : login)}}}");
            var result = await Skopeo.RunAsync(["copy", "--quiet", "--src-tls-verify=false", "--dest-tls-verify=false", "--authfile", authFile, from, to]);
            Assert.True(works == (result.ExitCode == 0), $"{user} {from} {to}: {result.StandardError}");
        }
    }

    [Fact]
    public async Task Anybody_pulls_what_is_public_and_a_push_is_not_even_asked_for()
    {
        var name = $"public/{Guid.NewGuid():N}";
        var digest = await PushAsync(Client(name, "owner"), "1");
        using var wire = new Wire(Address);
        var before = fixture.Tokens.Requests.Count;

        Assert.Equal(digest, await wire.Open(name).FindManifestAsync("1", CancellationToken.None));
        await Wire.FailsAsync(RegistryFailure.CredentialsMissing, () => wire.Open(name).PingAsync(CancellationToken.None));
        await Wire.FailsAsync(RegistryFailure.CredentialsMissing, () => wire.Open(name).StartUploadAsync(CancellationToken.None));

        Assert.All(fixture.Tokens.Requests.Skip(before).Where(r => r.Asked.Any(a => a.Contains(name, StringComparison.Ordinal))), r => Assert.Equal([$"repository:{name}:pull"], r.Asked));
    }

    /// <summary>Bad or expired credentials break even public pulls elsewhere (wire-facts 2.1); here they do not, and it is said.</summary>
    [Fact]
    public async Task Wrong_credentials_do_not_keep_from_reading_what_is_public()
    {
        var name = $"public/{Guid.NewGuid():N}";
        var digest = await PushAsync(Client(name, "owner"), "1");
        using var wire = new Wire(Address) { Credentials = _ => Login("wrong") };
        var client = wire.Open(name);

        Assert.Equal(digest, await client.FindManifestAsync("1", CancellationToken.None));
        Assert.Equal(["1"], await client.ListTagsAsync(CancellationToken.None));

        Assert.Single(wire.Trace, t => t.Contains("refuses the credentials from the test", StringComparison.Ordinal) && t.EndsWith("it is read anonymously.", StringComparison.Ordinal));
        Assert.Single(wire.Trace, t => t.Contains("/token 401", StringComparison.Ordinal));
        Assert.DoesNotContain(wire.Trace, t => t.Contains('?', StringComparison.Ordinal));
        // Never for a push.
        await Wire.FailsAsync(RegistryFailure.CredentialsRefused, () => client.StartUploadAsync(CancellationToken.None));
    }

    [Fact]
    public async Task A_mount_asks_for_both_repositories_and_is_no_upload()
    {
        var (from, to) = ($"private/{Guid.NewGuid():N}", $"private/{Guid.NewGuid():N}");
        var blob = Wire.Blob(100_000);
        using var wire = new Wire(Address) { Credentials = _ => Login("owner") };
        await Wire.SendAsync(wire.Open(from), blob);

        Assert.Null(await wire.Open(to).MountAsync(blob.Descriptor.Digest, from, CancellationToken.None));

        Assert.True(await wire.Open(to).HasBlobAsync(blob.Descriptor, CancellationToken.None));
        Assert.Contains(fixture.Tokens.Requests, r => r.Asked.SequenceEqual([$"repository:{to}:pull,push", $"repository:{from}:pull"]) && r.Granted.Count == 2);
    }

    [Fact]
    public async Task A_mount_without_the_right_to_read_the_source_becomes_an_upload()
    {
        var password = fixture.Tokens.AddUser("half", name => name.StartsWith("half/", StringComparison.Ordinal) ? "pull,push" : "");
        var (from, to) = ($"private/{Guid.NewGuid():N}", $"half/{Guid.NewGuid():N}");
        var blob = Wire.Blob(100_000);
        using var owner = new Wire(Address) { Credentials = _ => Login("owner") };
        await Wire.SendAsync(owner.Open(from), blob);
        using var wire = new Wire(Address) { Credentials = _ => Wire.Login("half", password) };
        var client = wire.Open(to);

        var session = await client.MountAsync(blob.Descriptor.Digest, from, CancellationToken.None);
        Assert.NotNull(session);
        await Wire.SendAsync(client, session, blob);

        Assert.True(await client.HasBlobAsync(blob.Descriptor, CancellationToken.None));
    }

    /// <summary>The token runs out between the session and the body: another is asked for, and the body sent from its beginning.</summary>
    [Fact]
    public async Task A_token_that_expires_in_mid_upload_is_renewed()
    {
        await using var tokens = await TokenServer.StartAsync();
        var password = tokens.AddUser("owner", _ => "pull,push");
        await using var registry = await DistributionServer.StartAsync(new DistributionOptions { Tokens = tokens });
        // Distribution gives a minute of grace («leeway»): eight seconds are left.
        tokens.Lifetime = TimeSpan.FromSeconds(-52);
        using var wire = new Wire(registry.IpAddress) { Credentials = _ => Wire.Login("owner", password) };
        var client = wire.Open();
        var session = await client.StartUploadAsync(CancellationToken.None);
        tokens.Lifetime = TimeSpan.FromMinutes(5);
        var blob = Wire.Blob(3_000_000);
        var opened = 0;
        await Task.Delay(TimeSpan.FromSeconds(9));

        await client.UploadAsync(session, blob.Descriptor, () => ++opened > 0 ? new MemoryStream(blob.Content) : null!, null, CancellationToken.None);

        Assert.True(await client.HasBlobAsync(blob.Descriptor, CancellationToken.None));
        Assert.Equal(2, tokens.Requests.Count);
        Assert.Equal(2, opened);
        Assert.Contains(wire.Trace, t => t.StartsWith("PUT ", StringComparison.Ordinal) && t.EndsWith(" 401", StringComparison.Ordinal));
    }

    /// <summary>The OAuth2 form, and the plain one where a server has no other (405).</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task An_identity_token_goes_to_the_token_server_alone(bool oauth)
    {
        await using var tokens = await TokenServer.StartAsync();
        tokens.AddUser("owner", _ => "pull,push");
        tokens.OAuth = oauth;
        await using var registry = await DistributionServer.StartAsync(new DistributionOptions { Tokens = tokens });
        using var wire = new Wire(registry.IpAddress) { Credentials = _ => Wire.Login("<token>", tokens.IdentityToken("owner"), CredentialKind.IdentityToken) };

        await PushAsync(wire.Open(), "1");

        Assert.Equal(oauth ? ["POST"] : ["POST", "GET"], tokens.Requests.Select(r => r.Method).Take(oauth ? 1 : 2));
        Assert.Equal(["repository:team/app:pull,push"], tokens.Requests[0].Asked);
        Assert.Equal("owner", tokens.Requests[oauth ? 0 : 1].User);
        using var wrong = new Wire(registry.IpAddress) { Credentials = _ => Wire.Login("<token>", "nobody's", CredentialKind.IdentityToken) };
        var refused = await Wire.FailsAsync(RegistryFailure.CredentialsRefused, () => wrong.Open().PingAsync(CancellationToken.None));
        Assert.Contains("refuses the identity token from the test", refused.Message);
    }

    private RegistryClient Client(string name, string who) => new Wire(Address) { Credentials = _ => who == "nobody" ? null : Login(who) }.Open(name);

    private Credential Login(string who) => Wire.Login(who == "wrong" ? "owner" : who, Password(who));

    private string Password(string who) => who switch { "owner" => fixture.Owner, "reader" => fixture.Reader, _ => "wrong" };

    private static async Task<Digest> PushAsync(RegistryClient client, string tag)
    {
        var config = "{}"u8.ToArray();
        await Wire.SendAsync(client, (new Descriptor("application/vnd.test.config", Digest.Of(config), config.Length), config));
        var manifest = Wire.Manifest("same");
        await client.PutManifestAsync(tag, manifest, CancellationToken.None);
        return manifest.Descriptor.Digest;
    }
}
