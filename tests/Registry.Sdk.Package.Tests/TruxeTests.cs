using System.Net;
using System.Reflection.Metadata;
using System.Text;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>The dual-licence vendor's release: <c>samples/truxe</c> as it is, two real registries, a Docker engine that runs both editions.</summary>
[Collection(EditionPackageTests.Name)]
public sealed class TruxeTests(PackageFixture fixture)
{
    private static readonly string[] Tags = ["latest", "v0", "v0.5", "v0.5.6"];

    private static readonly (HttpMethod Method, string Path)[] EnterpriseEndpoints =
    [
        (HttpMethod.Get, "/.well-known/openid-configuration"), (HttpMethod.Get, "/rbac/roles"), (HttpMethod.Post, "/passkeys/register"),
        (HttpMethod.Get, "/saml/metadata"), (HttpMethod.Get, "/scim/v2/Users"), (HttpMethod.Get, "/enterprise/passkeys.js"),
    ];

    private static readonly (HttpMethod Method, string Path)[] CommonEndpoints =
        [(HttpMethod.Get, "/"), (HttpMethod.Get, "/login.html"), (HttpMethod.Post, "/magic-link?mail=a@b.example"), (HttpMethod.Post, "/password?mail=a@b.example&password=correct-horse-battery"), (HttpMethod.Get, "/oauth/login?provider=github")];

    [Fact]
    public async Task One_publish_of_the_solution_sends_each_edition_where_it_belongs_and_nothing_of_the_other()
    {
        await using var truxe = await Truxe.CreateAsync(fixture);

        var result = await truxe.PublishAsync("Truxe.slnx");

        Assert.True(result.Succeeded, result.ToString());
        Assert.Empty(result.Codes());

        // What goes where: one digest under all tags, the same for image and alias, another for the enterprise edition; the admin nowhere public.
        var enterprise = Assert.Single((await TagsAsync(truxe.Closed, Truxe.Enterprise)).Values.Distinct());
        var community = Assert.Single((await TagsAsync(truxe.Open, Truxe.Community)).Values.Distinct());
        Assert.Equal(await truxe.Open.View.TagsAsync(Truxe.Community), await truxe.Open.View.TagsAsync(Truxe.Alias));
        Assert.NotEqual(enterprise, community);
        Assert.Equal(["wundam/truxe", "wundam/truxe-community"], await RepositoriesAsync(truxe.Open));
        Assert.Equal(["wundam/truxe-admin", "wundam/truxe-api", "wundam/truxe-website"], await RepositoriesAsync(truxe.Closed));

        // The two images differ by the BUSL files and by what names them.
        var full = await truxe.Closed.View.OwnFilesAsync(Truxe.Enterprise, "v0.5.6");
        var free = await truxe.Open.View.OwnFilesAsync(Truxe.Community, "v0.5.6");
        Assert.Equal(
            [
                "app/Microsoft.IdentityModel.Abstractions.dll", "app/Microsoft.IdentityModel.JsonWebTokens.dll", "app/Microsoft.IdentityModel.Logging.dll", "app/Microsoft.IdentityModel.Tokens.dll",
                "app/System.IdentityModel.Tokens.Jwt.dll", "app/Truxe.Saml.dll", "app/Truxe.Saml.pdb", "app/Truxe.Scim.dll", "app/Truxe.Scim.pdb",
                "app/wwwroot/enterprise/passkeys.js", "app/wwwroot/enterprise/passkeys.js.br", "app/wwwroot/enterprise/passkeys.js.gz",
            ],
            full.Keys.Except(free.Keys).Order(StringComparer.Ordinal));
        Assert.Empty(free.Keys.Except(full.Keys));
        Assert.Equal(
            ["app/Truxe.Core.dll", "app/Truxe.Core.pdb", "app/truxe-api.deps.json", "app/truxe-api.dll", "app/truxe-api.pdb", "app/truxe-api.staticwebassets.endpoints.json"],
            free.Keys.Where(name => !free[name].Content.AsSpan().SequenceEqual(full[name].Content)).Order(StringComparer.Ordinal));
        Assert.Equal(["AdvancedRbac.cs", "Edition.Enterprise.cs", "OAuthProvider.cs", "Passkeys.cs"], Documents(full["app/truxe-api.pdb"]).Except(Documents(free["app/truxe-api.pdb"])).Order(StringComparer.Ordinal));

        // Nothing in the public image names what is not in it: files, labels, history, annotations.
        var leaks = new List<string>();
        string[] secret = ["Saml", "Scim", "Passkeys", "passkeys", "OAuthProvider", "AdvancedRbac", "roles.json", "IdentityModel", "nterprise", "BUSL", "truxe-admin"];
        foreach (var (name, entry) in free)
        {
            leaks.AddRange(secret.Where(word => Contains(entry.Content, word)).Select(word => $"{name}: {word}"));
        }

        foreach (var json in new[] { (await truxe.Open.View.ManifestAsync(Truxe.Community, "v0.5.6")).GetRawText(), (await truxe.Open.View.ConfigAsync(Truxe.Community, "v0.5.6")).GetRawText() })
        {
            leaks.AddRange(secret.Where(word => json.Contains(word, StringComparison.Ordinal)).Select(word => $"{json}: {word}"));
        }

        Assert.Empty(leaks);
        Assert.Contains(full, file => Contains(file.Value.Content, "IdentityModel")); // the search finds what is there
        var labels = (await truxe.Open.View.ConfigAsync(Truxe.Community, "v0.5.6")).GetProperty("config").GetProperty("Labels");
        Assert.Equal("MIT", labels.GetProperty("org.opencontainers.image.licenses").GetString());
        Assert.Equal("https://github.com/wundam/truxe-community", labels.GetProperty("org.opencontainers.image.source").GetString());
        Assert.Equal("BUSL-1.1", (await truxe.Closed.View.ConfigAsync(Truxe.Enterprise, "v0.5.6")).GetProperty("config").GetProperty("Labels").GetProperty("org.opencontainers.image.licenses").GetString());

        // The evidence stays in obj.
        var walls = Directory.EnumerateFiles(Path.Combine(truxe.Workspace.Root, "src/truxe-api/obj"), "wall.md", SearchOption.AllDirectories).ToDictionary(path => Path.GetFileName(Path.GetDirectoryName(path)!), File.ReadAllText);
        Assert.Equal(["community", "enterprise"], walls.Keys.Order(StringComparer.Ordinal));
        foreach (var left in new[] { "Passkeys.cs", "passkeys.js", "roles.json", "Truxe.Saml", "Truxe.Scim", "System.IdentityModel.Tokens.Jwt" })
        {
            Assert.Contains(left, walls["community"], StringComparison.Ordinal);
        }

        var receipt = await truxe.ReceiptAsync();
        Assert.Equal(["community", "enterprise"], receipt["images"]!.AsArray().Select(image => image!["edition"]!.GetValue<string>()).Order(StringComparer.Ordinal));

        // Both run; the community image does not know the enterprise endpoints, because the code is not in it.
        var engine = await DockerEngine.SharedAsync();
        await engine.PullAsync($"{truxe.Open.Address}/{Truxe.Alias}:latest");
        var config = truxe.Closed.WriteDockerConfig(truxe.Workspace.OutsidePath("docker"));
        await engine.PullAsync($"{truxe.Closed.Address}/{Truxe.Enterprise}:latest", config);
        await AnswersAsync(engine, $"{truxe.Open.Address}/{Truxe.Alias}:latest", "community", HttpStatusCode.NotFound);
        await AnswersAsync(engine, $"{truxe.Closed.Address}/{Truxe.Enterprise}:latest", "enterprise", HttpStatusCode.OK);

        // Again: nothing is sent.
        truxe.Open.Proxy.Clear();
        truxe.Closed.Proxy.Clear();
        var second = await truxe.PublishAsync();
        Assert.True(second.Succeeded, second.ToString());
        Assert.Empty(truxe.Writes);
    }

    [Fact]
    public async Task Plain_builds_have_the_edition_that_is_asked_for_in_folders_of_its_own()
    {
        await using var truxe = await Truxe.CreateAsync(fixture);

        var community = await truxe.Workspace.BuildAsync("Truxe.slnx", "-p:ContainerEdition=community");
        var enterprise = await truxe.Workspace.BuildAsync("Truxe.slnx");

        Assert.True(community.Succeeded, community.ToString());
        Assert.True(enterprise.Succeeded, enterprise.ToString());
        Assert.Empty(community.Codes().Concat(enterprise.Codes()));
        var bin = Path.Combine(truxe.Workspace.Root, "src/truxe-api/bin");
        Assert.False(File.Exists(Path.Combine(bin, "editions/community/Debug/net10.0/Truxe.Saml.dll")));
        Assert.True(File.Exists(Path.Combine(bin, "editions/community/Debug/net10.0/truxe-api.dll")));
        Assert.True(File.Exists(Path.Combine(bin, "Debug/net10.0/Truxe.Saml.dll")));

        // Published so, the services that have no such edition have nothing to publish; asked for one alone it is a mistake.
        var published = await truxe.PublishAsync("Truxe.slnx", "-p:ContainerEdition=community");
        Assert.True(published.Succeeded, published.ToString());
        Assert.Equal(2, published.Messages.Count(message => message.Contains("nothing to publish: it has no edition 'community'", StringComparison.Ordinal)));
        Assert.Equal(["wundam/truxe", "wundam/truxe-community"], await RepositoriesAsync(truxe.Open));
        Assert.Empty(await RepositoriesAsync(truxe.Closed));
        var mistaken = await truxe.PublishAsync("src/truxe-admin/truxe-admin.csproj", "-p:ContainerEdition=community");
        Assert.Contains("RSDK3013", mistaken.Codes());
    }

    private static async Task AnswersAsync(DockerEngine engine, string reference, string edition, HttpStatusCode enterpriseAnswer)
    {
        await using var container = await engine.RunAspNetAsync(reference);
        Assert.Equal($$"""{"product":"truxe","edition":"{{edition}}"}""", await container.Client.GetStringAsync(new Uri("/", UriKind.Relative)));
        foreach (var (endpoints, expected) in new[] { (CommonEndpoints, HttpStatusCode.OK), (EnterpriseEndpoints, enterpriseAnswer) })
        {
            foreach (var (method, path) in endpoints)
            {
                using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
                using var answer = await container.Client.SendAsync(request);
                Assert.True(expected == answer.StatusCode, $"{edition}: {method} {path} answers {answer.StatusCode}.");
            }
        }
    }

    private static async Task<IReadOnlyDictionary<string, string>> TagsAsync(CountedRegistry registry, string repository)
    {
        var tags = await registry.View.TagsAsync(repository);
        Assert.Equal(Tags, tags.Keys);
        return tags;
    }

    private static async Task<IReadOnlyList<string>> RepositoriesAsync(CountedRegistry registry)
    {
        using var client = registry.Server.CreateClient();
        var catalog = System.Text.Json.Nodes.JsonNode.Parse(await client.GetStringAsync(new Uri("v2/_catalog", UriKind.Relative)))!;
        return [.. catalog["repositories"]!.AsArray().Select(name => name!.GetValue<string>()).Order(StringComparer.Ordinal)];
    }

    private static bool Contains(byte[] content, string word)
        => content.AsSpan().IndexOf(Encoding.UTF8.GetBytes(word)) >= 0 || content.AsSpan().IndexOf(Encoding.Unicode.GetBytes(word)) >= 0;

    private static IEnumerable<string> Documents(LayerEntry pdb)
    {
        using var provider = MetadataReaderProvider.FromPortablePdbStream(new MemoryStream(pdb.Content));
        var reader = provider.GetMetadataReader();
        return [.. reader.Documents.Select(document => reader.GetString(reader.GetDocument(document).Name).Split('/')[^1])];
    }
}
