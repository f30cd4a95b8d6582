using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Files;

/// <summary>The stage on a base image of its own, without a registry.</summary>
public sealed class ImagingStageTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("rsdk-core-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Two publishes of one project share obj; each must find its own image there, whole.</summary>
    [Fact]
    public async Task Publishes_at_once_over_one_layout_all_have_their_image()
    {
        var bills = new List<Bill>();
        for (var i = 0; i < 5; i++)
        {
            bills.Add(await BillAsync($"content {i}"));
        }

        for (var round = 0; round < 10; round++)
        {
            // Four of each content: those write the same files.
            var images = await Task.WhenAll(Enumerable.Range(0, 20).Select(i => Task.Run(async () =>
            {
                var result = await ImagingStage.RunAsync(Input(bills[i % bills.Count]), new OneBase(), CancellationToken.None);
                Assert.True(result.Succeeded, string.Join('\n', result.Diagnostics));
                await AssertWholeAsync(result.Value);
                return result.Value;
            })));
            Assert.Equal(5, images.Select(i => i.Manifest.Descriptor.Digest).Distinct().Count());
            foreach (var image in images)
            {
                await AssertWholeAsync(image);
            }

            Assert.Contains(images, i => File.ReadAllText(Path.Combine(Layout, "index.json")).Contains(i.Manifest.Descriptor.Digest.ToString(), StringComparison.Ordinal));
            Assert.DoesNotContain(Directory.GetFiles(Layout, "*", SearchOption.AllDirectories), f => f.EndsWith(".partial", StringComparison.Ordinal));
        }
    }

    /// <summary>What a killed publish left half-written is replaced, and what is old and of no image goes.</summary>
    [Fact]
    public async Task Half_a_blob_of_an_earlier_publish_is_replaced()
    {
        var bill = await BillAsync("content");
        var image = (await ImagingStage.RunAsync(Input(bill), new OneBase(), CancellationToken.None)).Value;
        await File.WriteAllTextAsync(image.BlobPath(image.Platforms[0].Config.Digest), "{");
        var (old, young) = (image.BlobPath(Digest.Of([1])), image.BlobPath(Digest.Of([2])));
        await File.WriteAllBytesAsync(old, [1]);
        await File.WriteAllBytesAsync(young, [2]);
        File.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddHours(-2));
        await AssertWholeAsync((await ImagingStage.RunAsync(Input(bill), new OneBase(), CancellationToken.None)).Value);
        Assert.Equal((false, true), (File.Exists(old), File.Exists(young)));
    }

    [Theory]
    [InlineData("/", true)]
    [InlineData("/app", true)]
    [InlineData("/app/", true)]
    [InlineData("/srv/.hidden/a b/日本語", true)]
    [InlineData("/..app/...", true)]
    [InlineData("", false)]
    [InlineData("app", false)]
    [InlineData("//", false)]
    [InlineData("//app", false)]
    [InlineData("/app//", false)]
    [InlineData("/app//x", false)]
    [InlineData("/app/../x", false)]
    [InlineData("/..", false)]
    [InlineData("/app/.", false)]
    [InlineData("/./app", false)]
    [InlineData("/app/.wh.x", false)]
    [InlineData("/app\nx", false)]
    [InlineData("/app\u0000", false)]
    [InlineData("/app/\u009b", false)]
    public async Task The_working_directory(string directory, bool good)
    {
        var result = await ImagingStage.RunAsync(Input(await BillAsync("content"), directory), new OneBase(), CancellationToken.None);
        Assert.Equal(good, result.Succeeded);
        if (!good)
        {
            var error = Assert.Single(result.Diagnostics);
            Assert.Equal("RSDK4009", error.Code);
            Assert.Contains("ContainerWorkingDirectory", error.Message);
            Assert.DoesNotContain(error.Message, char.IsControl);
        }
    }

    [Theory]
    [InlineData("""{"Endpoints":[],"Endpoints":[]}""")]
    [InlineData("""{"Endpoints":[{"AssetFile":"a","AssetFile":"b"}]}""")]
    [InlineData("""{"Endpoints":[{"AssetFile":"\ud800"}]}""")]
    [InlineData("""{"\ud800":1,"Endpoints":[{"AssetFile":"a"}]}""")]
    public async Task An_endpoint_manifest_of_nobody_s_is_a_file_like_any_other(string text)
    {
        var bill = await BillAsync(text, "x.staticwebassets.endpoints.json");
        var result = await ImagingStage.RunAsync(Input(bill), new OneBase(), CancellationToken.None);
        Assert.True(result.Succeeded);
    }

    /// <summary>Named like an assembly, and none.</summary>
    [Theory]
    [InlineData("", 20)]
    [InlineData("", 100)]
    [InlineData("", 1_000_000)]
    [InlineData("MZ", 200)]
    [InlineData("MZ", 2)]
    public async Task What_is_no_assembly_is_a_file_like_any_other(string begin, int length)
    {
        var bill = await BillAsync(begin.PadRight(length, '\0'), "placeholder.dll");
        Assert.True((await ImagingStage.RunAsync(Input(bill) with { SourceRoots = [_folder] }, new OneBase(), CancellationToken.None)).Succeeded);
    }

    /// <summary>A pipe opens once somebody writes to it, which nobody does.</summary>
    [Theory]
    [InlineData("content", "api")]
    [InlineData("", "api")]
    [InlineData("content", "api.dll")]
    public async Task A_file_that_became_a_pipe_has_changed(string content, string name)
    {
        var bill = await BillAsync(content, name);
        var file = bill.Files[0].SourcePath;
        File.Delete(file);
        using (var mkfifo = System.Diagnostics.Process.Start("mkfifo", file))
        {
            await mkfifo.WaitForExitAsync();
        }

        var result = await Task.Run(() => ImagingStage.RunAsync(Input(bill) with { SourceRoots = [_folder] }, new OneBase(), CancellationToken.None)).WaitAsync(TimeSpan.FromSeconds(20));
        // Nothing is read of what has nothing in it.
        Assert.Equal(content.Length == 0 ? [] : ["RSDK4006"], result.Diagnostics.Where(d => d.IsError).Select(d => d.Code));
    }

    /// <summary>A portable application's native files: what is left out is what the image can't look for.</summary>
    [Theory]
    [InlineData("linux-x64", false, "10.0", "linux-musl-x64 linux-x64")]
    [InlineData("linux-x64", true, "10.0", "linux-x64")]
    [InlineData("linux-x64", true, "10.0-alpine", "linux-musl-x64 linux-x64")]
    [InlineData("linux-musl-x64", true, "10.0-alpine", "linux-musl-x64 linux-x64")]
    public async Task Which_native_files_stay(string rid, bool isGiven, string tag, string stay)
    {
        var publish = Directory.CreateDirectory(Path.Combine(_folder, "native")).FullName;
        string[] all = ["linux-arm64", "linux-musl-x64", "linux-x64", "win-x64"];
        foreach (var native in all)
        {
            Directory.CreateDirectory(Path.Combine(publish, "runtimes", native, "native"));
            await File.WriteAllTextAsync(Path.Combine(publish, "runtimes", native, "native", "thing"), native);
        }

        await File.WriteAllTextAsync(Path.Combine(publish, "api.dll"), "an assembly");
        await File.WriteAllTextAsync(Path.Combine(publish, "api.deps.json"), $$"""
            { "runtimeTarget": { "name": ".NETCoreApp,Version=v10.0" },
              "targets": { ".NETCoreApp,Version=v10.0": { "Thing/1.0.0": { "runtimeTargets": { {{string.Join(", ", all.Select(r => $$"""
                  "runtimes/{{r}}/native/thing": { "rid": "{{r}}", "assetType": "native" }
                  """))}} } } } },
              "libraries": { "Thing/1.0.0": { "type": "package" } } }
            """);
        var graph = Path.Combine(_folder, "graph.json");
        await File.WriteAllTextAsync(graph, """
            { "runtimes": { "any": {}, "unix": { "#import": ["any"] }, "linux": { "#import": ["unix"] }, "linux-x64": { "#import": ["linux"] }, "linux-arm64": { "#import": ["linux"] },
              "linux-musl": { "#import": ["linux"] }, "linux-musl-x64": { "#import": ["linux-musl", "linux-x64"] }, "win": { "#import": ["any"] }, "win-x64": { "#import": ["win"] } } }
            """);
        var bill = (await PublishFolder.ReadAsync(publish, CancellationToken.None)).Value;
        var input = Input(bill);
        var platform = input.Platforms[0] with { RuntimeIdentifier = rid, IsRuntimeIdentifierGiven = isGiven, RuntimeIdentifierGraph = graph, DependencyFile = "api.deps.json", Base = input.Platforms[0].Base with { Tag = tag } };

        var image = (await ImagingStage.RunAsync(input with { Platforms = [platform] }, new OneBase(), CancellationToken.None)).Value.Platforms[0];

        await using var tar = new GZipStream(File.OpenRead(Path.Combine(Layout, "blobs", "sha256", image.Layers[^1].Descriptor.Digest.Hex)), CompressionMode.Decompress);
        await using var reader = new TarReader(tar);
        var found = new List<string>();
        while (await reader.GetNextEntryAsync() is { } entry)
        {
            if (entry.EntryType == TarEntryType.RegularFile && entry.Name.StartsWith("app/runtimes/", StringComparison.Ordinal))
            {
                found.Add(entry.Name.Split('/')[2]);
            }
        }

        Assert.Equal(stay, string.Join(' ', found));
        Assert.Equal(all.Except(found).Sum(r => r.Length), image.LeftOut);
    }

    private string Layout => Path.Combine(_folder, "layout");

    private static async Task AssertWholeAsync(ComposedImage image)
    {
        foreach (var digest in image.Platforms[0].Layers.Where(l => !l.IsFromBase).Select(l => l.Descriptor.Digest).Append(image.Platforms[0].Config.Digest).Append(image.Manifest.Descriptor.Digest))
        {
            Assert.Equal(digest, Digest.Of(await File.ReadAllBytesAsync(image.BlobPath(digest))));
        }
    }

    private ImagingInput Input(Bill bill, string directory = "/app/") => new(
        [new("linux-x64", true, string.Empty, string.Empty, bill, new(BaseRepository, "10.0", null, new("linux", "amd64")), new() { WorkingDirectory = directory, AppCommand = ["/app/api"] })],
        DateTimeOffset.UnixEpoch, Layout, ImageCache.None, [], GenerateBaseDigestLabel: true);

    private async Task<Bill> BillAsync(string content, string name = "api")
    {
        var publish = Directory.CreateDirectory(Path.Combine(_folder, Guid.NewGuid().ToString("N"))).FullName;
        await File.WriteAllTextAsync(Path.Combine(publish, name), content);
        return (await PublishFolder.ReadAsync(publish, CancellationToken.None)).Value;
    }

    private static RepositoryReference BaseRepository
    {
        get
        {
            Assert.True(RegistryHost.TryParse("mcr.example", out var host));
            return new(host, "dotnet/aspnet");
        }
    }

    private sealed class OneBase : IBaseImageSource
    {
        public Task<Outcome<BaseImage>> ResolveAsync(BaseImageRequest request, CancellationToken cancellationToken)
        {
            var layer = Digest.Of([7]);
            var config = Encoding.UTF8.GetBytes($$$"""{"architecture":"amd64","os":"linux","config":{},"rootfs":{"type":"layers","diff_ids":["{{{layer}}}"]}}""");
            return Task.FromResult(Outcome<BaseImage>.Success(new(request, Digest.Of([8]), MediaTypes.OciManifest, config, [new(MediaTypes.OciLayerGzip, layer, 1)], request.Platform), []));
        }
    }
}
