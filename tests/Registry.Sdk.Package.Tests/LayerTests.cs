using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>An application with native files for every platform there is, as the .NET SDK lays it into an image and as we do.</summary>
[Collection(PackageTests.Name)]
public sealed class LayerTests(PackageFixture fixture)
{
    private const string Repository = "layers/service";

    [Fact]
    public async Task Layers_hold_what_runs_and_only_the_one_that_changed_is_sent_again()
    {
        var open = await fixture.OpenAsync();
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var feed = workspace.OutsidePath("feed");
        WriteNativePackage(feed, "1.0.0", seed: 1);
        WriteNativePackage(feed, "1.0.1", seed: 2);
        var path = WriteService(workspace, open.Address, feed);
        await workspace.ReleaseAsync();

        var first = await workspace.PublishAsync(path, "-t:PublishContainer");

        Assert.True(first.Succeeded, first.ToString());
        Assert.DoesNotContain(first.Codes(), code => code.StartsWith("RSDK", StringComparison.Ordinal));
        var layers = await open.View.OwnLayersAsync(Repository, "v1.4.2");
        Assert.Equal(["packages:compressed", "references:compressed", "application:compressed"], Origins(workspace));
        var files = new List<IReadOnlyList<string>>();
        foreach (var layer in layers)
        {
            files.Add([.. (await open.View.EntriesAsync(Repository, layer)).Select(entry => entry.Name)]);
        }

        Assert.Contains("app/Microsoft.EntityFrameworkCore.Sqlite.dll", files[0]);
        Assert.Contains("app/runtimes/linux-x64/native/libe_sqlite3.so", files[0]);
        Assert.Contains("app/runtimes/linux-musl-x64/native/libe_sqlite3.so", files[0]); // no RID was given
        Assert.DoesNotContain(files[0], name => name.Contains("runtimes/win", StringComparison.Ordinal) || name.Contains("arm64", StringComparison.Ordinal) || name.Contains("osx", StringComparison.Ordinal));
        Assert.Equal(["app/Library.dll", "app/Library.pdb", "app/de/Library.resources.dll"], files[1].Where(name => !name.EndsWith('/')));
        Assert.Contains("app/Service.dll", files[2]);

        // Against stock, on the same project: what the application's layers weigh.
        var stock = await workspace.PublishAsync(path, "-t:PublishContainer", "-p:Stock=true", $"-p:ContainerRegistry=localhost:{open.Server.BaseUri.Port}", "-p:ContainerRepository=layers/stock", $"-p:ContainerBaseImage=localhost:{fixture.Emulator.BaseAddress.Port}/dotnet/aspnet:10.0");
        Assert.True(stock.Succeeded, stock.ToString());
        var stockSize = (await open.View.ManifestAsync("layers/stock", "latest")).GetProperty("layers").EnumerateArray().Last().GetProperty("size").GetInt64();
        var ownSize = layers.Sum(layer => layer.GetProperty("size").GetInt64());
        Assert.InRange(ownSize, 1, 0.35 * stockSize);

        var engine = await DockerEngine.SharedAsync();
        await engine.PullAsync($"{open.Address}/{Repository}:v1.4.2");
        await using (var container = await engine.RunAspNetAsync($"{open.Address}/{Repository}:v1.4.2"))
        {
            Assert.Equal("Library: 1 order", await container.Client.GetStringAsync(new Uri("/", UriKind.Relative)));
        }

        // One line.
        workspace.Write("src/service/Program.cs", Program("2 orders or more"));
        await workspace.ReleaseAsync("v1.4.3");
        var (_, sent) = await PublishAgainAsync(workspace, path, open);
        Assert.Equal(["packages:cached", "references:cached", "application:compressed"], Origins(workspace));
        Assert.InRange(sent, 1, 0.02 * stockSize);
        var changed = await open.View.OwnLayersAsync(Repository, "v1.4.3");
        Assert.Equal(layers.SkipLast(1).Select(Digest), changed.SkipLast(1).Select(Digest));
        Assert.NotEqual(Digest(layers[^1]), Digest(changed[^1]));

        // One package. Its files, the dependency file that names it, and nothing else.
        workspace.Write("Directory.Build.props", (await File.ReadAllTextAsync(Path.Combine(workspace.Root, "Directory.Build.props"))).Replace("1.0.0</NativeVersion>", "1.0.1</NativeVersion>", StringComparison.Ordinal));
        await workspace.ReleaseAsync("v1.4.4");
        var (blobs, _) = await PublishAgainAsync(workspace, path, open);
        var updated = await open.View.OwnLayersAsync(Repository, "v1.4.4");
        var config = (await open.View.ManifestAsync(Repository, "v1.4.4")).GetProperty("config").GetProperty("digest").GetString();
        Assert.Equal([.. new[] { Digest(updated[0]), config! }.Order(StringComparer.Ordinal)], blobs);
        Assert.Equal(changed.Skip(1).Select(Digest), updated.Skip(1).Select(Digest));
        Assert.Equal(["packages:compressed", "references:cached", "application:cached"], Origins(workspace));
    }

    private string WriteService(Workspace workspace, string host, string feed)
    {
        workspace.Write("Directory.Build.props", ProjectBuilder.Create()
            // The commit's id goes into every assembly by default, and then every assembly changes with every commit (docs/decisions.md).
            .Property("IncludeSourceRevisionInInformationalVersion", "false")
            .Property("NativeVersion", "1.0.0").Property("RestoreAdditionalProjectSources", feed)
            // EF Core's own dependencies are here in other versions than it names.
            .Property("NoWarn", "$(NoWarn);NU1603")
            .Import("Sdk.props", fixture.Feed.PackageId, fixture.Feed.Version, "'$(Stock)' != 'true'"));
        workspace.WriteLibrary("src/library", "Library");
        workspace.WriteTexts("src/library", german: new string('ä', 40_000));
        workspace.Write("src/service/Program.cs", Program("1 order"));
        return workspace.Write("src/service/Service.csproj", ProjectBuilder.Web()
            .ProjectReference("../library/Library.csproj")
            .PackageReference("Microsoft.EntityFrameworkCore.Sqlite", "10.0.14")
            .PackageReference("Native.Thing", "$(NativeVersion)")
            .Item("ContainerDestination", $"{host}/{Repository}", ("Condition", "'$(Stock)' != 'true'")));
    }

    private static string Program(string answer) => $$"""
        using Microsoft.EntityFrameworkCore;
        var app = WebApplication.CreateSlimBuilder(args).Build();
        app.MapGet("/", () =>
        {
            using var orders = new Orders();
            orders.Database.EnsureCreated();
            orders.Add(new Order());
            orders.SaveChanges();
            return Library.Text.Value + ": {{answer}}";
        });
        app.Run();

        class Order { public int Id { get; set; } }

        class Orders : DbContext
        {
            protected override void OnModelCreating(ModelBuilder builder) => builder.Entity<Order>();
            protected override void OnConfiguring(DbContextOptionsBuilder options) => options.UseSqlite("Data Source=/tmp/orders.db");
        }

        """;

    /// <summary>A package with a native library, as drivers have it: nothing the compiler sees.</summary>
    private static void WriteNativePackage(string feed, string version, int seed)
    {
        var content = new byte[100_000];
        new Random(seed).NextBytes(content);
        Projects.WriteNativePackage(feed, "Native.Thing", version, content);
    }

    /// <summary>Publishes and tells which blobs were sent, sorted, and how many bytes in all.</summary>
    private static async Task<(IReadOnlyList<string> Blobs, long Bytes)> PublishAgainAsync(Workspace workspace, string path, CountedRegistry registry)
    {
        registry.Proxy.Clear();
        var result = await workspace.PublishAsync(path, "-t:PublishContainer");
        Assert.True(result.Succeeded, result.ToString());
        var puts = registry.Proxy.Writes.Where(request => request.Method == "PUT" && request.Path.Contains("/blobs/uploads/", StringComparison.Ordinal));
        return ([.. puts.Select(request => Uri.UnescapeDataString(request.Query.Split("digest=")[1].Split('&')[0])).Order(StringComparer.Ordinal)], registry.Proxy.Requests.Sum(request => request.RequestBytes));
    }

    /// <summary>Content and origin of our layers, as the receipt names them.</summary>
    private static IEnumerable<string> Origins(Workspace workspace)
        => JsonNode.Parse(File.ReadAllText(Path.Combine(workspace.Root, "src/service/bin/container/receipt.json")))!["images"]![0]!["platforms"]![0]!["layers"]!.AsArray()
            .Select(layer => $"{layer!["content"]}:{layer["origin"]}").Where(layer => layer != "base:base");

    private static string Digest(JsonElement layer) => layer.GetProperty("digest").GetString()!;
}
