using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Microsoft.Build.Logging.StructuredLogger;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;
using Task = System.Threading.Tasks.Task;

namespace Registry.Sdk.Package.Tests;

/// <summary>
/// Our image config against the .NET SDK's own: both publish the same project on the same base image to the same registry, and every difference
/// that is not in <see cref="ImageComparison.Accepted"/> fails.
/// </summary>
[Collection(PackageTests.Name)]
public sealed class DifferentialTests(DifferentialFixture fixture) : IClassFixture<DifferentialFixture>
{
    /// <summary>The names of all rows.</summary>
    public static TheoryData<string> Rows => [.. DifferentialCases.All.Select(row => row.Name)];

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task Same_config_as_stock(string name)
    {
        var row = DifferentialCases.All.Single(row => row.Name == name);
        var (stock, ours) = (await fixture.ReadAsync("stock", row), await fixture.ReadAsync("ours", row));
        var said = $"{fixture.Said("stock", row)}\n{fixture.Said("ours", row)}";
        Assert.True(stock is null == row.Refused, $"stock {(row.Refused ? "took what it was expected to refuse" : "did not publish")}\n{said}");
        Assert.True(ours is null == (row.RefusedByUs is not null || (row.Refused && row.TakenByUs is null)), $"ours {(ours is not null ? "took what stock refuses" : "did not publish")}\n{said}");
        if (stock is null || ours is null)
        {
            return;
        }

        var (platform, expectedImage) = row.NoIndex is null ? new("", stock.Image) : Assert.Single(stock.Image.Platforms);
        var differences = ImageComparison.Compare(expectedImage, ours.Image).Select(difference => platform.Length > 0 ? difference with { Platform = platform } : difference).ToList();
        var unexpected = ImageComparison.Unexpected(differences, row.Expected);
        Assert.True(unexpected.Count == 0, $"{string.Join('\n', unexpected)}\n{said}");
        Assert.All(row.Expected, expected => Assert.Contains(differences, difference => difference.Path == expected.Path));
        foreach (var image in ours.Image.Platforms.Values.DefaultIfEmpty(ours.Image))
        {
            // How many layers there are is ours to choose, but config, history and manifest must say the same.
            var layers = image.Manifest["layers"]!.AsArray().Count;
            Assert.Equal(layers, image.Config["rootfs"]!["diff_ids"]!.AsArray().Count);
            Assert.Equal(layers, image.Config["history"]!.AsArray().Count(entry => entry!["empty_layer"]?.GetValue<bool>() != true));
        }

        if (row.SameTags)
        {
            Assert.Equal(stock.Tags, ours.Tags);
        }
    }

    [Fact]
    public async Task Every_accepted_difference_still_occurs()
    {
        var differences = new List<ImageDifference>();
        foreach (var row in DifferentialCases.All)
        {
            if (await fixture.ReadAsync("stock", row) is { } stock && await fixture.ReadAsync("ours", row) is { } ours)
            {
                differences.AddRange(ImageComparison.Compare(stock.Image, ours.Image));
            }
        }

        Assert.All(ImageComparison.Accepted, accepted => Assert.Contains(differences, accepted.Covers));
    }

    [Fact]
    public async Task What_we_publish_is_valid_by_the_image_specification()
    {
        var documents = new List<(string MediaType, byte[] Content)>();
        foreach (var row in DifferentialCases.All)
        {
            if (await fixture.ReadAsync("ours", row) is { Image: var top })
            {
                documents.Add((top.MediaType, Encoding.UTF8.GetBytes(top.Manifest.ToJsonString())));
                foreach (var image in top.Platforms.Values.DefaultIfEmpty(top))
                {
                    documents.Add((image.MediaType, Encoding.UTF8.GetBytes(image.Manifest.ToJsonString())));
                    documents.Add((image.Manifest["config"]!["mediaType"]!.GetValue<string>(), Encoding.UTF8.GetBytes(image.Config.ToJsonString())));
                }
            }
        }

        Assert.All(await OciSchemas.ValidateAsync(documents), Assert.Empty);
    }
}

/// <summary>What a side made of a row.</summary>
public sealed record DifferentialResult(IReadOnlyList<string> Tags, PublishedImage Image);

/// <summary>
/// Runs both sides of the whole table: one dotnet for restore, compilation and publish folders, then one each for all images. Rows are projects'
/// global property, so what is compiled and most of what is evaluated is shared.
/// </summary>
public sealed class DifferentialFixture(PackageFixture package) : IAsyncLifetime
{
    private static readonly string[] Sides = ["stock", "ours"];
    private readonly TempDirectory directory = new("diff");
    private readonly Dictionary<string, ILookup<string, string>> said = new(StringComparer.Ordinal);
    private EmulatorServer? emulator;
    private HttpClient? client;
    private RegistryView? view;
    private Workspace? workspace;

    private string Registry => $"localhost:{emulator!.BaseAddress.Port.ToString(CultureInfo.InvariantCulture)}";

    /// <summary>What a side pushed for a row, or null.</summary>
    public async Task<DifferentialResult?> ReadAsync(string side, DifferentialCase row)
    {
        var repository = $"{side}/{row.Name}";
        var tags = await view!.TagsAsync(repository);
        if (tags.Count == 0)
        {
            return null;
        }

        // Stock gives the images of an index tags too; those that lead to the index are the ones to compare.
        var named = new List<(string Tag, string MediaType, JsonObject Manifest)>();
        foreach (var tag in tags.Keys)
        {
            var (mediaType, manifest) = await view.ManifestWithTypeAsync(repository, tag);
            named.Add((tag, mediaType, manifest));
        }

        if (named.Exists(entry => entry.Manifest.ContainsKey("manifests")))
        {
            named.RemoveAll(entry => !entry.Manifest.ContainsKey("manifests"));
        }

        _ = Assert.Single(named.Select(entry => tags[entry.Tag]).Distinct(StringComparer.Ordinal));
        var (type, top) = (named[0].MediaType, named[0].Manifest);
        if (top["manifests"] is not JsonArray children)
        {
            return new([.. named.Select(entry => entry.Tag)], await ImageAsync(type, top));
        }

        var images = new SortedDictionary<string, PublishedImage>(StringComparer.Ordinal);
        foreach (var child in children)
        {
            var (childType, manifest) = await view.ManifestWithTypeAsync(repository, child!["digest"]!.GetValue<string>());
            images.Add($"{child["platform"]!["os"]}/{child["platform"]!["architecture"]}", await ImageAsync(childType, manifest));
        }

        return new([.. named.Select(entry => entry.Tag)], new(type, top, []) { Platforms = images });

        async Task<PublishedImage> ImageAsync(string mediaType, JsonObject manifest)
        {
            var config = JsonNode.Parse(await view.BlobAsync(repository, manifest["config"]!["digest"]!.GetValue<string>()))!.AsObject();
            if (side == "stock" && !row.NamesBase)
            {
                NameLikeMicrosoft(config);
            }

            return new(mediaType, manifest, config);
        }
    }

    /// <summary>Errors and warnings of a side about a row.</summary>
    public string Said(string side, DifferentialCase row) => $"--- {side}\n{string.Join('\n', said[side][row.Name])}";

    public async Task InitializeAsync()
    {
        emulator = await EmulatorServer.StartAsync(new() { StateDirectory = directory.Folder("registry") });
        client = new HttpClient { BaseAddress = emulator.BaseAddress };
        view = new(client);
        var digests = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var image in DifferentialCases.Bases)
        {
            var (repository, tag) = image.Name.Split(':') is [var left, var right] ? ("dotnet/" + left, right) : throw new InvalidOperationException(image.Name);
            var seed = new SeedImage { Config = image.Config, Docker = image.Docker, Labels = image.Labels, LayerSize = 100 };
            digests[image.Name] = image.Index
                ? await Seed.PushIndexAsync(client, repository, tag, seed, seed with { Architecture = "arm64", Salt = "arm64" })
                : await Seed.PushAsync(client, repository, tag, seed);
        }

        workspace = await Workspace.CreateAsync(package.Feed);
        Write(digests["aspnet:10.0"]);
        await workspace.ReleaseAsync();

        var prepare = await workspace.MSBuildAsync("Table.proj", "-t:Prepare", "-m:2", "-v:minimal");
        prepare.EnsureSuccess();
        // Each has a node of its own; stock only reads what ours writes to.
        var results = await Task.WhenAll(Sides.Select(side => workspace.MSBuildAsync("Table.proj", $"-t:{side}", "-v:quiet")));
        foreach (var (side, result) in Sides.Zip(results))
        {
            var found = new List<(string Row, string Text)>();
            result.Binlog.VisitAllChildren<AbstractDiagnostic>(diagnostic =>
            {
                if (diagnostic.GetNearestParent<Project>() is { } project && project.GlobalProperties.TryGetValue("Row", out var row))
                {
                    found.Add((row, $"{diagnostic.TypeName} {diagnostic.Code}: {diagnostic.Text}"));
                }
            });
            said[side] = found.ToLookup(entry => entry.Row, entry => entry.Text, StringComparer.Ordinal);
        }
    }

    public async Task DisposeAsync()
    {
        view?.Dispose();
        if (workspace is not null)
        {
            await workspace.DisposeAsync();
        }

        if (emulator is not null)
        {
            await emulator.DisposeAsync();
        }

        await directory.DisposeAsync();
    }

    private void Write(string aspnetDigest)
    {
        var root = workspace!;
        root.Write("Directory.Build.props", ProjectBuilder.Create()
            .Property("DifferentialRegistry", Registry)
            .Property("DifferentialAspnetDigest", aspnetDigest)
            .Property("Configuration", "Release")
            .Property("ContinuousIntegrationBuild", "true")
            .Property("DeterministicSourcePaths", "true")
            .Property("PublishDir", "$(MSBuildProjectDirectory)/bin/$(Side)/$(RuntimeIdentifier)/")
            .Property("ContainerRegistry", Registry, "'$(Row)' != ''")
            .Property("ContainerRepository", "$(Side)/$(Row)", "'$(Row)' != ''")
            .Import("Sdk.props", package.Feed.PackageId, package.Feed.Version, "'$(Side)' == 'ours'"));

        // What can't be re-mapped for stock: the inferred base image is taken from our registry under the name it would have had there.
        var remap = new XElement("Target", new XAttribute("Name", "DifferentialBase"), new XAttribute("AfterTargets", "ComputeContainerBaseImage"), new XAttribute("Condition", "'$(Side)' == 'stock'"));
        remap.Add(new XElement("PropertyGroup", new XElement("ContainerBaseImage", $"$(ContainerBaseImage.Replace('mcr.microsoft.com/','{Registry}/'))")));
        root.Write("Directory.Build.targets", ProjectBuilder.Create()
            .Item("RegistrySdkEndpoint", "mcr.microsoft.com", ("Registry", $"http://{emulator!.Host}"))
            .Add(remap));
        foreach (var row in DifferentialCases.All)
        {
            root.Write($"rows/{row.Name}.props", row.Project);
        }

        // Stock's inner builds publish by themselves, so with several platforms each side has a project of its own.
        var apps = DifferentialCases.All.Select(row => row.App).Distinct().SelectMany(app => Sides.Select(side => (App: app, Side: side))).ToDictionary(key => key, key =>
        {
            var app = key.App;
            var kind = app switch { App.Web or App.Platforms => Kind.Web, App.Worker => Kind.Worker, _ => Kind.Console };
            var project = Projects.Service(kind, app == App.FSharp);
            if (app == App.Contained)
            {
                project.Property("RuntimeIdentifier", "linux-x64").Property("SelfContained", "true");
            }

            if (app == App.Platforms)
            {
                project.Property("RuntimeIdentifiers", "linux-x64;linux-arm64").Property("UseAppHost", "false").Property("EnableRuntimePackDownload", "false").Property("EnableAppHostPackDownload", "false");
            }

            project.Import("../rows/$(Row).props", condition: "'$(Row)' != ''");
            return Path.GetRelativePath(root.Root, root.WriteService(app == App.Platforms ? $"{app}.{key.Side}" : app.ToString(), app.ToString(), project, kind, app == App.FSharp));
        });

        var table = ProjectBuilder.Create();
        foreach (var app in apps.Values.Distinct(StringComparer.Ordinal))
        {
            table.Item("App", app);
        }

        foreach (var (key, app) in apps.Where(entry => entry.Key.App == App.Platforms))
        {
            table.Item("Platform", app, ("AdditionalProperties", "RuntimeIdentifier=linux-x64")).Item("Platform", app, ("AdditionalProperties", "RuntimeIdentifier=linux-arm64"));
        }

        foreach (var row in DifferentialCases.All)
        {
            foreach (var side in Sides)
            {
                table.Item(side, apps[(row.App, side)], ("AdditionalProperties", "Row=" + row.Name));
            }
        }

        root.Write("Table.proj", table
            .Add(Target("Prepare", Build("@(App)", "Restore", "Side=stock;MSBuildRestoreSessionId=1"), Build("@(App)", "Publish", "Side=stock"), Build("@(Platform)", "Publish", "Side=stock")))
            .Add(Target("stock", Build("@(stock)", "PublishContainer", "Side=stock;NoBuild=true")))
            .Add(Target("ours", Build("@(ours)", "PublishContainer", "Side=ours;NoBuild=true"))));

        static XElement Target(string name, params XElement[] tasks) => new("Target", new XAttribute("Name", name), tasks);

        static XElement Build(string projects, string targets, string properties) => new(
            "MSBuild", new XAttribute("Projects", projects), new XAttribute("Targets", targets), new XAttribute("Properties", properties), new XAttribute("BuildInParallel", "true"));
    }

    /// <summary>Undoes the re-mapping in the one place where the base image's name is written.</summary>
    private void NameLikeMicrosoft(JsonObject config)
    {
        const string Name = "org.opencontainers.image.base.name";
        if (config["config"]?["Labels"] is JsonObject labels && labels[Name]?.GetValue<string>() is { } text)
        {
            labels[Name] = text.Replace(Registry + "/", "mcr.microsoft.com/", StringComparison.Ordinal);
        }
    }
}
