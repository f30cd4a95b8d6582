using Registry.Sdk.Core.Imaging;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Publishing;

/// <summary>Disks that are full or can't be written: in obj an error that says so, in the user's cache nothing at all.</summary>
public sealed class DiskTests(Registries registries) : IClassFixture<Registries>
{
    [Fact]
    public async Task A_cache_that_is_full_or_read_only_is_no_error()
    {
        await using var bench = await CreateAsync();
        var cache = bench.Request.CacheDirectory;
        await MountedAsync(cache, "size=64k", async () =>
        {
            // One of the base's two layers fits, and our own does not.
            var first = await PublishAsync("full");
            Assert.Equal(LayerOrigin.Compressed, Own(first).Origin);
            Assert.Empty(Files(Path.Combine(cache, "layers")));
            Assert.All(Files(Path.Combine(cache, "blobs")), f => Assert.Equal("sha256:" + Path.GetFileName(f), Seed.Digest(File.ReadAllBytes(f))));

            await RemountAsync(cache, "size=8m");
            var second = await PublishAsync("large-enough");
            Assert.Single(Files(Path.Combine(cache, "layers")));

            await RemountAsync(cache, "ro");
            var third = await PublishAsync("read-only");
            Assert.Equal(LayerOrigin.Cached, Own(third).Origin);
            Assert.Equal([first.Digest, first.Digest], [second.Digest, third.Digest]);
        });
        await MountedAsync(cache, "ro", async () => Assert.Equal(LayerOrigin.Compressed, Own(await PublishAsync("read-only-and-empty")).Origin));
        Assert.Empty(Files(cache));

        async Task<Published> PublishAsync(string name)
        {
            Directory.CreateDirectory(bench.Request.LayoutDirectory);
            Directory.Delete(bench.Request.LayoutDirectory, recursive: true);
            bench.Request = bench.Request with { Destinations = [new($"{bench.Open.Host}/{bench.Name}-{name}")] };
            var published = (await bench.PublishAsync()).EnsureSucceeded();
            Assert.Empty(published.Codes);
            Assert.Equal(published.Digest, (await Seed.TagsAsync(bench.Open.Direct, $"{bench.Name}-{name}"))["v1.2.3"]);
            return published;
        }
    }

    /// <summary>Own layers that are compressed or come from the cache, and base layers out of a registry, a directory and the cache.</summary>
    [Theory]
    [InlineData("compressed")]
    [InlineData("cached")]
    [InlineData("base from a registry")]
    [InlineData("base from a directory")]
    [InlineData("base from the cache")]
    public async Task A_full_disk_is_said_whatever_is_written(string what)
    {
        await using var bench = await CreateAsync();
        if (what == "base from a directory")
        {
            await Skopeo.CopyAsync($"docker://{bench.Base.Host}/{bench.Name}/base:10.0", $"oci:{bench.Outside("base")}:10.0");
            bench.Platform = bench.Platform with { BaseReference = "oci:../outside/base:10.0", BaseRegistry = "", BaseRepository = "", BaseTag = "" };
        }

        if (what is "cached" or "base from the cache")
        {
            (await bench.PublishAsync()).EnsureSucceeded();
            Directory.Delete(bench.Request.LayoutDirectory, recursive: true);
            bench.Request = bench.Request with { Destinations = [new($"{bench.Open.Host}/{bench.Name}-other")] };
            // Else the layers would be mounted from where the first publish noted them, and nothing be read or written here.
            Directory.Delete(Path.Combine(bench.Request.CacheDirectory, "notes"), recursive: true);
        }

        var isBase = what.StartsWith("base", StringComparison.Ordinal);
        var kept = Files(bench.Request.CacheDirectory);
        bench.Forget();
        await MountedAsync(bench.Request.LayoutDirectory, isBase ? "size=200k" : "size=64k", async () =>
        {
            var published = await bench.PublishAsync();

            Assert.Null(published.Report.Bug);
            var error = Assert.Single(published.Errors);
            Assert.Equal("RSDK4011", error.Code);
            Assert.Contains(bench.Request.LayoutDirectory, error.Message, StringComparison.Ordinal);
            Assert.Contains("No space left on device", error.Message, StringComparison.Ordinal);
            Assert.Empty(Directory.GetFiles(bench.Request.LayoutDirectory, "*.partial", SearchOption.AllDirectories));
            Assert.DoesNotContain(bench.Arrivals, a => a.IsManifestPut || (!isBase && a.IsWrite));
        });
        Assert.Subset(Files(bench.Request.CacheDirectory).ToHashSet(), kept.ToHashSet());

        var after = (await bench.PublishAsync()).EnsureSucceeded();
        Assert.Equal(what == "compressed" ? LayerOrigin.Compressed : LayerOrigin.Cached, Own(after).Origin);
    }

    [Theory]
    [InlineData("flip")]
    [InlineData("cut")]
    [InlineData("grown")]
    [InlineData("other")]
    public async Task A_layer_in_the_cache_that_is_wrong_is_compressed_again(string how)
    {
        await using var bench = await CreateAsync();
        var first = (await bench.PublishAsync()).EnsureSucceeded();
        var entry = Assert.Single(Files(Path.Combine(bench.Request.CacheDirectory, "layers")));
        var right = await File.ReadAllBytesAsync(entry);
        var wrong = (byte[])right.Clone();
        wrong[wrong.Length / 2] ^= 1;
        await File.WriteAllBytesAsync(entry, how switch { "flip" => wrong, "cut" => right[..^1], "grown" => [.. right, 0], _ => [.. right[..32], .. await File.ReadAllBytesAsync(first.Image.BlobPath(first.Image.Platforms[0].Config.Digest))] });
        Directory.Delete(bench.Request.LayoutDirectory, recursive: true);
        bench.Request = bench.Request with { Destinations = [new($"{bench.Open.Host}/{bench.Name}-other")] };

        var second = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal((first.Digest, LayerOrigin.Compressed), (second.Digest, Own(second).Origin));
        Assert.Equal(right, await File.ReadAllBytesAsync(entry));
        Assert.Equal(LayerOrigin.Cached, Own((await bench.PublishAsync()).EnsureSucceeded()).Origin);
    }

    /// <summary>A bench with a cache, an own layer of 100 kB, and two base layers of as much.</summary>
    private async Task<Bench> CreateAsync()
    {
        var bench = await Bench.CreateAsync(registries);
        var noise = new byte[100_000];
        new Random(1).NextBytes(noise);
        await File.WriteAllBytesAsync(bench.Write("noise.bin", ""), noise);
        await Seed.PushAsync(bench.Base.Direct, bench.Name + "/base", "10.0", new() { Salt = bench.Name, LayerSize = 100_000 });
        bench.Platform = bench.Platform with { BaseRepository = bench.Name + "/base" };
        bench.Request = bench.Request with { CacheDirectory = bench.Outside("cache"), CacheSize = "100", Destinations = [new($"{bench.Open.Host}/{bench.Name}")] };
        return bench;
    }

    private static ComposedLayer Own(Published published) => Assert.Single(published.Image.Platforms[0].Layers, l => !l.IsFromBase);

    private static string[] Files(string folder) => Directory.Exists(folder) ? Directory.GetFiles(folder, "*", SearchOption.AllDirectories) : [];

    private static async Task MountedAsync(string folder, string options, Func<Task> act)
    {
        Directory.CreateDirectory(folder);
        (await ProcessRunner.RunAsync("mount", ["-t", "tmpfs", "-o", options, "tmpfs", folder])).EnsureSuccess();
        try
        {
            await act();
        }
        finally
        {
            (await ProcessRunner.RunAsync("umount", [folder])).EnsureSuccess();
        }
    }

    private static async Task RemountAsync(string folder, string options) => (await ProcessRunner.RunAsync("mount", ["-o", "remount," + options, folder])).EnsureSuccess();
}
