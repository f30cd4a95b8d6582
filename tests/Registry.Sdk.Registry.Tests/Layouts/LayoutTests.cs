using System.Formats.Tar;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Layouts;

/// <summary>OCI layout directories as destinations and as base images, read by skopeo, umoci and a Docker engine.</summary>
public sealed class LayoutTests(Registries registries) : IClassFixture<Registries>
{
    private const string Page = "<p>hello</p>";

    [Fact]
    public async Task A_directory_has_what_the_registry_has_and_everybody_reads_it()
    {
        await using var bench = await CreateAsync("oci:../outside/orders");
        var folder = bench.Outside("orders");
        bench.Request = bench.Request with { Destinations = [.. bench.Request.Destinations, new($"{bench.Open.Host}/{bench.Name}")], PlanOnly = true };

        (await bench.PublishAsync()).EnsureSucceeded();
        Assert.False(Directory.Exists(folder));

        bench.Request = bench.Request with { PlanOnly = false };
        var published = (await bench.PublishAsync()).EnsureSucceeded();
        Assert.Equal(["v1", "v1.2", "v1.2.3", "latest"], await TagsAsync(folder, published.Digest));
        Assert.Equal(published.Digest, (await Seed.TagsAsync(bench.Open.Direct, bench.Name))["v1.2.3"]);
        var sent = published.Report.Transfer!.Destinations;
        Assert.Equal(sent[1].BytesSent, sent[0].BytesSent);

        // Onwards from there, and the same digest arrives.
        await Skopeo.CopyAsync($"oci:{folder}:v1.2.3", $"docker://{bench.Open.Host}/{bench.Name}-copy:v1");
        Assert.Equal(published.Digest, (await Seed.TagsAsync(bench.Open.Direct, bench.Name + "-copy"))["v1"]);

        var bundle = bench.Outside("bundle");
        (await ProcessRunner.RunAsync("umoci", ["unpack", "--rootless", "--image", $"{folder}:v1.2.3", bundle])).EnsureSuccess();
        var app = Path.Combine(bundle, "rootfs", "app");
        Assert.Equal(Content(bench.PublishDirectory), Content(app));
        (await ProcessRunner.RunAsync("umoci", ["gc", "--layout", folder])).EnsureSuccess();

        // Again: not a byte, not a time.
        var before = Snapshot(folder);
        var again = (await bench.PublishAsync()).EnsureSucceeded();
        Assert.Equal(published.Digest, again.Digest);
        Assert.Equal(before, Snapshot(folder));
        Assert.All(again.Report.Transfer!.Destinations, d => Assert.Equal(0, d.BytesSent));
        Assert.All(again.Report.Transfer!.Destinations.SelectMany(d => d.Tags), t => Assert.Equal(TagState.Kept, t.State));
    }

    [Theory]
    [InlineData("OCI")]
    [InlineData("Docker")]
    public async Task Docker_loads_and_runs_what_is_in_the_directory(string format)
    {
        var name = $"orders-{Guid.NewGuid():N}";
        await using var bench = await CreateAsync($"oci:../outside/{name}");
        bench.Platform = bench.Platform with { Settings = bench.Platform.Settings with { ImageFormat = format } };
        // Docker finds it there either way; the other tools by OCI's types only, and that is said.
        Assert.Equal(format == "Docker" ? ["RSDK5010"] : [], (await bench.PublishAsync()).EnsureSucceeded().Codes);
        bench.Write("wwwroot/index.html", "newer");
        bench.Request = bench.Request with { Derived = Bench.Facts("1.3.0") };
        (await bench.PublishAsync()).EnsureSucceeded();

        var engine = await DockerEngine.SharedAsync();
        var archive = bench.Outside("orders.tar");
        await TarFile.CreateFromDirectoryAsync(bench.Outside(name), archive, includeBaseDirectory: false);
        var loaded = (await engine.RunAsync(["load", "--input", archive])).EnsureSuccess().StandardOutput;
        foreach (var tag in new[] { "v1.2.3", "v1.2", "v1.3.0", "v1.3", "v1", "latest" })
        {
            Assert.Contains($"Loaded image: {name}:{tag}\n", loaded, StringComparison.Ordinal);
        }

        foreach (var (tag, says) in new[] { ("v1.2.3", Page), ("latest", "newer") })
        {
            var container = await engine.RunDetachedAsync($"{name}:{tag}");
            Assert.Equal(0, await engine.WaitAsync(container));
            Assert.Equal(says, await engine.LogsAsync(container));
            await engine.RemoveAsync(container);
        }

        var before = Snapshot(bench.Outside(name));
        (await bench.PublishAsync()).EnsureSucceeded();
        Assert.Equal(before, Snapshot(bench.Outside(name)));
    }

    [Fact]
    public async Task What_skopeo_put_there_stays_and_floating_tags_move()
    {
        await using var bench = await CreateAsync("oci:../outside/orders");
        var folder = bench.Outside("orders");
        var other = new TestImage();
        other.AddFile("/hello.txt", "hello");
        var source = bench.Outside("source");
        var foreign = await other.WriteLayoutAsync(source, "x");
        await Skopeo.CopyAsync($"oci:{source}:x", $"oci:{folder}:mine");
        await Skopeo.CopyAsync($"oci:{source}:x", $"oci:{folder}:latest");

        var first = (await bench.PublishAsync()).EnsureSucceeded();
        Assert.Equal(["RSDK5008"], first.Codes);
        Assert.Equal(["mine"], await TagsAsync(folder, foreign));
        Assert.Equal(["v1", "v1.2", "v1.2.3", "latest"], await TagsAsync(folder, first.Digest));

        bench.Write("wwwroot/index.html", "newer");
        bench.Request = bench.Request with { Derived = Bench.Facts("1.3.0") };
        var second = (await bench.PublishAsync()).EnsureSucceeded();
        Assert.Equal(["v1.2", "v1.2.3"], await TagsAsync(folder, first.Digest));
        Assert.Equal(["v1", "v1.3", "v1.3.0", "latest"], await TagsAsync(folder, second.Digest));
        Assert.Equal(foreign, Digest(await Skopeo.InspectAsync($"oci:{folder}:mine", raw: true)));
        Assert.Equal(second.Digest, Digest(await Skopeo.InspectAsync($"oci:{folder}:latest", raw: true)));

        // And skopeo goes on writing.
        await Skopeo.CopyAsync($"oci:{source}:x", $"oci:{folder}:v1");
        Assert.Equal(second.Digest, Digest(await Skopeo.InspectAsync($"oci:{folder}:v1.3.0", raw: true)));
    }

    [Fact]
    public async Task An_immutable_tag_is_refused_with_nothing_written()
    {
        await using var bench = await CreateAsync("oci:../outside/orders");
        (await bench.PublishAsync()).EnsureSucceeded();
        var before = Snapshot(bench.Outside("orders"));
        bench.Write("wwwroot/index.html", "changed");

        // An empty directory beside it gets nothing either (not even the image that is there, where that is not wanted).
        bench.Request = bench.Request with { Destinations = [.. bench.Request.Destinations, new("oci:../outside/empty")], Promote = false };
        Assert.Equal(["RSDK5005"], (await bench.PublishAsync()).Codes);
        Assert.Equal(before, Snapshot(bench.Outside("orders")));
        Assert.False(Directory.Exists(bench.Outside("empty")));
    }

    [Theory]
    [InlineData("cut")]
    [InlineData("changed")]
    public async Task A_broken_blob_is_mended_by_the_next_publish(string how)
    {
        await using var bench = await CreateAsync("oci:../outside/orders");
        var folder = bench.Outside("orders");
        var published = (await bench.PublishAsync()).EnsureSucceeded();
        var before = Snapshot(folder).Select(l => l.Split('|')[0]).ToList();
        var image = published.Image.Platforms[0];
        foreach (var digest in image.Layers.Select(l => l.Descriptor.Digest).Append(image.Config.Digest).Append(image.Manifest.Descriptor.Digest))
        {
            var blob = Path.Combine(folder, "blobs", "sha256", digest.Hex);
            var content = await File.ReadAllBytesAsync(blob);
            await File.WriteAllBytesAsync(blob, how == "cut" ? content[..^1] : [.. content[..^1], (byte)~content[^1]]);
        }

        (await bench.PublishAsync()).EnsureSucceeded();
        await Skopeo.CopyAsync($"oci:{folder}:v1.2.3", $"oci:{bench.Outside("copy")}:x");
        Assert.Equal(before, Snapshot(folder).Select(l => l.Split('|')[0]));
    }

    [Fact]
    public async Task Several_platforms_are_one_index()
    {
        await using var bench = await CreateAsync("oci:../outside/orders");
        var folder = bench.Outside("orders");
        var platform = bench.Platform with { BaseReference = "scratch", BaseRegistry = "", BaseRepository = "" };
        var arm = Directory.CreateDirectory(bench.Outside("arm64")).FullName;
        await File.WriteAllTextAsync(Path.Combine(arm, "api.dll"), "another assembly");
        bench.Request = bench.Request with
        {
            Platforms = [platform, platform with { RuntimeIdentifier = "linux-arm64", Evidence = new() { PublishDirectory = arm } }],
            Destinations = [.. bench.Request.Destinations, new($"{bench.Open.Host}/{bench.Name}")],
        };

        var published = (await bench.PublishAsync()).EnsureSucceeded();
        Assert.Equal(2, published.Image.Platforms.Count);
        Assert.Equal(["v1", "v1.2", "v1.2.3", "latest"], await TagsAsync(folder, published.Digest));
        Assert.Equal(4, Entries(folder).Count);
        Assert.Empty(await OciSchemas.ValidateLayoutAsync(folder));
        Assert.Equal(published.Digest, (await Seed.TagsAsync(bench.Open.Direct, bench.Name))["v1.2.3"]);
        await Skopeo.CopyAsync($"oci:{folder}:v1.2.3", $"docker://{bench.Open.Host}/{bench.Name}-copy:v1", all: true);
        Assert.Equal(published.Digest, (await Seed.TagsAsync(bench.Open.Direct, bench.Name + "-copy"))["v1"]);

        var before = Snapshot(folder);
        (await bench.PublishAsync()).EnsureSucceeded();
        Assert.Equal(before, Snapshot(folder));

        // The index alone is lost: what it names is there and stays.
        File.Delete(Path.Combine(folder, "blobs", "sha256", published.Digest["sha256:".Length..]));
        (await bench.PublishAsync()).EnsureSucceeded();
        await Skopeo.CopyAsync($"oci:{folder}:v1.2.3", $"oci:{bench.Outside("copy")}:x", all: true);
        Assert.Equal(["v1", "v1.2", "v1.2.3", "latest"], await TagsAsync(folder, published.Digest));
        Assert.Equal(4, Entries(folder).Count);
    }

    [Fact]
    public async Task An_image_without_tags_is_in_the_directory()
    {
        await using var bench = await CreateAsync("oci:../outside/orders");
        bench.Request = bench.Request with { Derived = Bench.Facts("1.2.3", rules: [new("{branch}", "branch", "true")]) };
        var published = (await bench.PublishAsync()).EnsureSucceeded();
        Assert.Equal(published.Digest, Digest(await Skopeo.InspectAsync($"oci:{bench.Outside("orders")}", raw: true)));
        Assert.Single(Entries(bench.Outside("orders")));
    }

    [Theory]
    [InlineData(":10.0")]
    [InlineData("@")]
    [InlineData("")]
    public async Task A_base_image_comes_out_of_a_directory(string reference)
    {
        await using var bench = await CreateAsync("oci:../outside/orders");
        var digest = Entries(bench.Outside("base"))[0]["digest"]!.GetValue<string>();
        bench.Platform = bench.Platform with { BaseReference = $"oci:../outside/base{(reference == "@" ? "@" + digest : reference)}" };

        var published = (await bench.PublishAsync()).EnsureSucceeded();
        Assert.Empty(bench.Arrivals);
        Assert.Equal(digest, published.Image.Platforms[0].Base.ReferencedDigest!.ToString());
        Assert.Equal(digest, published.Image.Platforms[0].Labels["org.opencontainers.image.base.digest"]);
        await Skopeo.CopyAsync($"oci:{bench.Outside("orders")}:latest", $"docker://{bench.Open.Host}/{bench.Name}:v1");

        // Nothing of the base directory was touched.
        Assert.False(File.Exists(Path.Combine(bench.Outside("base"), ".registry-sdk.lock")));
    }

    [Theory]
    [InlineData("oci:../outside/base:missing", "RSDK4002", "index.json does not name it")]
    [InlineData("oci:../outside/nowhere:1", "RSDK4002", "no such directory")]
    [InlineData("oci:../outside/base@sha256:0000000000000000000000000000000000000000000000000000000000000000", "RSDK4002", "index.json")]
    [InlineData("oci:../outside/two", "RSDK4010", "2 images")]
    [InlineData("oci:../outside/two:cut", "RSDK4010", "bytes and not")]
    [InlineData("oci:../publish:1", "RSDK4010", "no OCI layout")]
    public async Task A_base_image_that_is_not_in_its_directory_is_named(string reference, string code, string words)
    {
        await using var bench = await CreateAsync("oci:../outside/orders");
        var image = new TestImage();
        foreach (var tag in new[] { "one", "cut" })
        {
            image.AddFile("/name", tag);
            await image.WriteLayoutAsync(bench.Outside($"source-{tag}"), "x");
            await Skopeo.CopyAsync($"oci:{bench.Outside($"source-{tag}")}:x", $"oci:{bench.Outside("two")}:{tag}");
        }

        foreach (var entry in Entries(bench.Outside("two")).Where(e => e["annotations"]!["org.opencontainers.image.ref.name"]!.GetValue<string>() == "cut"))
        {
            var blob = Path.Combine(bench.Outside("two"), "blobs", "sha256", entry["digest"]!.GetValue<string>()["sha256:".Length..]);
            await File.WriteAllBytesAsync(blob, (await File.ReadAllBytesAsync(blob))[..^1]);
        }

        bench.Platform = bench.Platform with { BaseReference = reference };
        var published = await bench.PublishAsync();
        var error = Assert.Single(published.Errors);
        Assert.Equal(code, error.Code);
        Assert.Contains(words, error.Message, StringComparison.Ordinal);
        Assert.False(Directory.Exists(bench.Outside("orders")));
    }

    [Fact]
    public async Task A_full_or_read_only_disk_is_said_and_the_old_image_stays()
    {
        await using var bench = await CreateAsync("oci:../outside/stick/orders");
        var stick = Directory.CreateDirectory(bench.Outside("stick")).FullName;
        var folder = Path.Combine(stick, "orders");
        (await ProcessRunner.RunAsync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", stick])).EnsureSuccess();
        try
        {
            var first = (await bench.PublishAsync()).EnsureSucceeded();
            var before = Snapshot(folder);
            var noise = new byte[12 << 20];
            new Random(1).NextBytes(noise);
            await File.WriteAllBytesAsync(Path.Combine(bench.PublishDirectory, "noise.bin"), noise);
            bench.Request = bench.Request with { Derived = Bench.Facts("1.3.0"), Destinations = [.. bench.Request.Destinations, new($"{bench.Open.Host}/{bench.Name}")] };
            await FailsAsync();

            (await ProcessRunner.RunAsync("mount", ["-o", "remount,ro", stick])).EnsureSuccess();
            await FailsAsync();

            async Task FailsAsync()
            {
                var failed = await bench.PublishAsync();
                Assert.Contains("RSDK6005", failed.Codes);
                var error = failed.Errors.First(e => e.Code == "RSDK6005");
                Assert.StartsWith("oci:../outside/stick/orders: ", error.Message, StringComparison.Ordinal);
                Assert.DoesNotContain(folder, error.Message, StringComparison.Ordinal);

                // All or none: no tag at the registry either.
                Assert.Empty(await Seed.TagsAsync(bench.Open.Direct, bench.Name));
                Assert.Equal(first.Digest, Digest(await Skopeo.InspectAsync($"oci:{folder}:latest", raw: true)));
                Assert.Superset(before.ToHashSet(), Snapshot(folder).ToHashSet());
                Assert.Empty(Directory.EnumerateFiles(folder, "*.partial"));
            }
        }
        finally
        {
            (await ProcessRunner.RunAsync("umount", [stick])).EnsureSuccess();
        }
    }

    /// <summary>A bench whose base image, with real layers, is in the layout <c>outside/base</c> as skopeo wrote it.</summary>
    private async Task<Bench> CreateAsync(string destination)
    {
        var bench = await Bench.CreateAsync(registries);
        var image = new TestImage();
        await image.AddProgramAsync("/bin/cat");
        await image.WriteLayoutAsync(bench.Outside("cat"), "x");
        await Skopeo.CopyAsync($"oci:{bench.Outside("cat")}:x", $"oci:{bench.Outside("base")}:10.0");
        bench.Write("wwwroot/index.html", Page);
        bench.Platform = bench.Platform with { BaseReference = "oci:../outside/base:10.0", BaseRegistry = "", BaseRepository = "", BaseTag = "", Settings = new() { AppCommand = ["/bin/cat", "/app/wwwroot/index.html"] } };
        bench.Request = bench.Request with { Destinations = [new(destination)] };
        return bench;
    }

    private static List<JsonObject> Entries(string folder)
        => [.. JsonNode.Parse(File.ReadAllBytes(Path.Combine(folder, "index.json")))!["manifests"]!.AsArray().Select(m => (JsonObject)m!)];

    /// <summary>The tags of a digest, each looked up by skopeo.</summary>
    private static async Task<List<string>> TagsAsync(string folder, string digest)
    {
        var tags = new List<string>();
        foreach (var tag in Entries(folder).Select(e => e["annotations"]?["org.opencontainers.image.ref.name"]?.GetValue<string>()).OfType<string>())
        {
            if (Digest(await Skopeo.InspectAsync($"oci:{folder}:{tag}", raw: true)) == digest)
            {
                tags.Add(tag);
            }
        }

        return [.. tags.OrderBy(t => t == "latest").ThenBy(t => t, StringComparer.Ordinal)];
    }

    private static string Digest(string raw) => Seed.Digest(System.Text.Encoding.UTF8.GetBytes(raw));

    private static List<string> Snapshot(string folder)
        => [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(f => $"{f} {Seed.Digest(File.ReadAllBytes(f))}|{File.GetLastWriteTimeUtc(f):O}")];

    private static List<string> Content(string folder)
        => [.. Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories).Order(StringComparer.Ordinal).Select(f => $"{Path.GetRelativePath(folder, f)} {Seed.Digest(File.ReadAllBytes(f))}")];
}
