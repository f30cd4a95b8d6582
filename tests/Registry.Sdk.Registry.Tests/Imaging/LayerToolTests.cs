using System.Security.Cryptography;
using System.Text;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Imaging;

/// <summary>Layers before the programs that read them, and on file systems that say no.</summary>
public sealed class LayerToolTests
{
    /// <summary>Several blocks, some that deflate can do nothing with.</summary>
    [Fact]
    public async Task Other_programs_read_the_gzip_and_the_tar()
    {
        await using var folder = new TempDirectory();
        var (text, noise) = (Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 300_000).Select(n => $"line {n * 7919 % 1000}\n"))), RandomNumberGenerator.GetBytes(3_000_000));
        var layer = await LayerWriter.WriteAsync([File("app/é/text", text), File("app/" + new string('n', 200), noise)], "app", folder.Path, ImageCache.None, CancellationToken.None);
        var blob = Path.Combine(folder.Path, layer.Digest.Hex);

        var tools = new List<string> { $"gzip -t < {blob}", $"tar -tzf {blob}" };
        if (ProcessRunner.Exists("pigz"))
        {
            tools.Add($"pigz -t < {blob}");
        }

        foreach (var tool in tools)
        {
            var result = (await ProcessRunner.RunAsync("sh", ["-c", tool])).EnsureSuccess();
            Assert.Equal("", result.StandardError); // gzip's «trailing garbage ignored» is a warning
        }

        var unpacked = folder.Folder("unpacked");
        (await ProcessRunner.RunAsync("tar", ["-xzf", blob, "-C", unpacked])).EnsureSuccess();
        Assert.Equal(text, await System.IO.File.ReadAllBytesAsync(Path.Combine(unpacked, "app", "é", "text")));
        Assert.Equal(noise, await System.IO.File.ReadAllBytesAsync(Path.Combine(unpacked, "app", new string('n', 200))));
        var sum = (await ProcessRunner.RunAsync("sh", ["-c", $"gzip -dc < {blob} | sha256sum"])).EnsureSuccess();
        Assert.StartsWith(layer.DiffId.Hex, sum.StandardOutput);
    }

    /// <summary>The target is full: an error that says so, and no blob. The cache is full: no error, and the layer.</summary>
    [Fact]
    public async Task A_full_disk()
    {
        await using var folder = new TempDirectory();
        var noise = RandomNumberGenerator.GetBytes(5_000_000);
        await using var disk = await TemporaryDisk.MountAsync(folder.Folder("disk"), "size=2m");
        var blobs = folder.Folder("blobs");

        var failure = await Assert.ThrowsAnyAsync<IOException>(() => LayerWriter.WriteAsync([File("a", noise)], "", disk.Path, ImageCache.None, CancellationToken.None));
        Assert.Contains("No space left", failure.Message);
        Assert.Empty(Directory.GetFiles(disk.Path));

        var cache = new ImageCache(Path.Combine(disk.Path, "cache"), 1 << 30);
        for (var i = 0; i < 2; i++)
        {
            var layer = await LayerWriter.WriteAsync([File("a", noise)], "", blobs, cache, CancellationToken.None);
            Assert.True(layer.IsCompressedNow);
            Assert.Equal(layer.Digest, Digest.Of(await System.IO.File.ReadAllBytesAsync(Path.Combine(blobs, layer.Digest.Hex))));
        }

        await cache.AddBlobAsync(Digest.Of(noise), noise, CancellationToken.None);
        Assert.Null(await cache.TryReadBlobAsync(Digest.Of(noise), int.MaxValue, CancellationToken.None));
        Assert.Empty(Directory.GetFiles(disk.Path, "*", SearchOption.AllDirectories)); // and the room is given back

        // A full target while the layer comes out of the cache.
        cache = new(folder.Folder("cache"), 1 << 30);
        await LayerWriter.WriteAsync([File("a", noise)], "", blobs, cache, CancellationToken.None);
        failure = await Assert.ThrowsAnyAsync<IOException>(() => LayerWriter.WriteAsync([File("a", noise)], "", disk.Path, cache, CancellationToken.None));
        Assert.Contains("No space left", failure.Message);
        Assert.False((await LayerWriter.WriteAsync([File("a", noise)], "", blobs, cache, CancellationToken.None)).IsCompressedNow);
    }

    [Fact]
    public async Task A_cache_that_can_only_be_read_is_read()
    {
        await using var folder = new TempDirectory();
        await using var disk = await TemporaryDisk.MountAsync(folder.Folder("disk"), "size=10m");
        var cache = new ImageCache(Path.Combine(disk.Path, "cache"), 1 << 30);
        var blobs = folder.Folder("blobs");
        await LayerWriter.WriteAsync([File("a", [1])], "", blobs, cache, CancellationToken.None);
        await disk.MakeReadOnlyAsync();

        Assert.False((await LayerWriter.WriteAsync([File("a", [1])], "", blobs, cache, CancellationToken.None)).IsCompressedNow);
        Assert.True((await LayerWriter.WriteAsync([File("a", [2])], "", blobs, cache, CancellationToken.None)).IsCompressedNow);
        await cache.AddBlobAsync(Digest.Of([1]), [1], CancellationToken.None);
        Assert.Null(await cache.TryReadBlobAsync(Digest.Of([1]), 1, CancellationToken.None));
        new ImageCache(Path.Combine(disk.Path, "cache"), 1).Trim();
        Assert.Single(Directory.GetFiles(Path.Combine(disk.Path, "cache", "layers")));
    }

    private static LayerFile File(string path, byte[] content) => new(path, content.Length, IsExecutable: false, StableTimes.Constant, () => new MemoryStream(content));

    /// <summary>A file system of its own; takes the right to mount, which the root of build/test's machine has.</summary>
    private sealed class TemporaryDisk(string path) : IAsyncDisposable
    {
        public string Path { get; } = path;

        public static async Task<TemporaryDisk> MountAsync(string path, string options)
        {
            (await ProcessRunner.RunAsync("mount", ["-t", "tmpfs", "-o", options, "rsdk", path])).EnsureSuccess();
            return new(path);
        }

        public async Task MakeReadOnlyAsync() => (await ProcessRunner.RunAsync("mount", ["-o", "remount,ro", Path])).EnsureSuccess();

        public async ValueTask DisposeAsync() => (await ProcessRunner.RunAsync("umount", [Path])).EnsureSuccess();
    }
}
