using System.IO.Compression;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Files;

/// <summary>A compressed layer out of the user's cache: the right one, or none.</summary>
public sealed class LayerCacheTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("rsdk-core-").FullName;
    private int _opened;

    public LayerCacheTests()
    {
        Directory.CreateDirectory(Blobs);
        Cache = new(CacheFolder, 1 << 30);
    }

    private string Blobs => Path.Combine(_folder, "blobs");

    private string CacheFolder => Path.Combine(_folder, "cache");

    private ImageCache Cache { get; }

    private string Entry => Assert.Single(Directory.GetFiles(Path.Combine(CacheFolder, "layers")));

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>The tar's bytes are the same on every machine, .NET version and operating system, for ever: or all layers are sent anew.</summary>
    [Fact]
    public async Task The_diff_id_of_a_layer_is_fixed()
    {
        LayerFile[] files =
        [
            File("app/" + new string('n', 120) + ".dll", "long"), File("app/wwwroot/é.css", "css"), File("app/run", "#!/bin/sh") with { IsExecutable = true }, File("app/empty", ""),
        ];
        var layer = await LayerWriter.WriteAsync(files, "app", Blobs, ImageCache.None, default);
        Assert.Equal("676c1bd6ab1d1eed26fc0aecfb9cd4d4872cd81c12484a9a7979246bf80e87d6", layer.DiffId.Hex);
    }

    [Fact]
    public async Task Is_compressed_once()
    {
        var first = await WriteAsync();
        Assert.Equal((true, 2), (first.IsCompressedNow, _opened));
        var bytes = await System.IO.File.ReadAllBytesAsync(Path.Combine(Blobs, first.Digest.Hex));
        Assert.Equal($"{first.DiffId.Hex}-{LayerWriter.CacheKey}", Path.GetFileName(Entry));
        System.IO.File.Delete(Path.Combine(Blobs, first.Digest.Hex));

        var second = await WriteAsync();
        Assert.Equal(first with { IsCompressedNow = false }, second);
        Assert.Equal(3, _opened);
        Assert.Equal(bytes, await System.IO.File.ReadAllBytesAsync(Path.Combine(Blobs, second.Digest.Hex)));
        Assert.Single(Directory.GetFiles(Blobs));

        var other = await LayerWriter.WriteAsync([File("app/a", "b")], "app", Blobs, Cache, default);
        Assert.True(other.IsCompressedNow);
    }

    [Fact]
    public void Every_flipped_bit_of_the_entry_is_noticed()
    {
        var right = Right();
        var length = (int)new FileInfo(Entry).Length;
        var entry = Entry;
        Prop.ForAll(Gen.Choose(0, length - 1).ToArbitrary(), Gen.Choose(0, 7).ToArbitrary(), (at, bit) => Flipped(at, bit)).Check(Config.QuickThrowOnFailure.WithMaxTest(60));
        // And each of the bytes that stand for themselves: the hash, gzip's header and trailer, the last block.
        Assert.All(Enumerable.Range(0, 42).Concat(Enumerable.Range(length - 16, 16)), at => Assert.True(Flipped(at, at % 8), $"byte {at}"));

        bool Flipped(int at, int bit)
        {
            using (var file = System.IO.File.Open(entry, FileMode.Open))
            {
                file.Position = at;
                var b = file.ReadByte();
                file.Position = at;
                file.WriteByte((byte)(b ^ (1 << bit)));
            }

            return IsRightAndMended(right);
        }
    }

    [Fact]
    public void Every_other_length_of_the_entry_is_noticed()
    {
        var right = Right();
        var length = (int)new FileInfo(Entry).Length;
        var entry = Entry;
        foreach (var other in new[] { 0, 1, 31, 32, 33, 42, length / 2, length - 8, length - 1, length + 1, length + 100 })
        {
            using (var file = System.IO.File.Open(entry, FileMode.Open))
            {
                file.SetLength(other);
            }

            Assert.True(IsRightAndMended(right), $"{other} of {length}");
        }
    }

    /// <summary>Good gzip, well sealed, of something else: another layer, far more than the layer, the layer and more.</summary>
    [Fact]
    public async Task An_entry_of_something_else_is_noticed()
    {
        var right = Right();
        var tar = Decompress(await System.IO.File.ReadAllBytesAsync(Path.Combine(Blobs, right.Digest.Hex)));
        foreach (var content in new[] { "something else"u8.ToArray(), [], new byte[50_000_000], [.. tar, 0], tar[..^1] })
        {
            await SealAsync(Gzip(content));
            Assert.True(IsRightAndMended(right), $"{content.Length}");
        }

        // Two members that together are the layer: its content is right and so it may be used; its digest is that of its bytes.
        await SealAsync([.. Gzip(tar[..1000]), .. Gzip(tar[1000..])]);
        var other = await WriteAsync();
        Assert.Equal((false, right.DiffId), (other.IsCompressedNow, other.DiffId));
        Assert.Equal(other.Digest, Digest.Of(await System.IO.File.ReadAllBytesAsync(Path.Combine(Blobs, other.Digest.Hex))));

        async Task SealAsync(byte[] gzip) => await System.IO.File.WriteAllBytesAsync(Entry, [.. Convert.FromHexString(Digest.Of(gzip).Hex), .. gzip]);
    }

    /// <summary>Other bytes for the same layer are no corruption of the layer, but the digest would differ from everybody else's.</summary>
    [Fact]
    public async Task Other_bytes_for_the_same_layer_are_noticed()
    {
        var right = Right();
        var tar = Decompress(await System.IO.File.ReadAllBytesAsync(Path.Combine(Blobs, right.Digest.Hex)));
        var seal = (await System.IO.File.ReadAllBytesAsync(Entry))[..32];
        await System.IO.File.WriteAllBytesAsync(Entry, [.. seal, .. Gzip(tar)]);
        Assert.True(IsRightAndMended(right));
    }

    [Fact]
    public async Task Entries_that_come_go_and_break_while_they_are_used()
    {
        var right = Right();
        var entry = Entry;
        var layers = Path.GetDirectoryName(entry)!;
        using var stop = new CancellationTokenSource();
        var vandals = Enumerable.Range(0, 2).Select(n => Task.Run(() =>
        {
            var random = new Random(n);
            while (!stop.IsCancellationRequested)
            {
                try
                {
                    switch (random.Next(4))
                    {
                        case 0: System.IO.File.Delete(entry); break;
                        case 1: using (var file = System.IO.File.Open(entry, FileMode.Open)) { file.SetLength(random.Next(2000)); } break;
                        case 2: new ImageCache(CacheFolder, 1).Trim(); break;
                        default: Directory.Delete(layers, recursive: true); break;
                    }
                }
                catch (IOException)
                {
                    // Somebody was faster.
                }

                Thread.Sleep(1);
            }
        })).ToList();
        var results = await Task.WhenAll(Enumerable.Range(0, 4).Select(n => Task.Run(async () =>
        {
            var blobs = Directory.CreateDirectory(Path.Combine(_folder, $"blobs{n}")).FullName;
            var written = new List<WrittenLayer>();
            for (var i = 0; i < 40; i++)
            {
                written.Add(await LayerWriter.WriteAsync(Files(), "app", blobs, Cache, default));
                Assert.Equal(right.Digest, Digest.Of(await System.IO.File.ReadAllBytesAsync(Path.Combine(blobs, right.Digest.Hex))));
                Assert.Single(Directory.GetFiles(blobs));
            }

            return written;
        })));
        await stop.CancelAsync();
        await Task.WhenAll(vandals);
        Assert.All(results.SelectMany(r => r), r => Assert.Equal(right, r with { IsCompressedNow = true }));
    }

    public static TheoryData<string, long> Useless => new()
    {
        { "", 1000 }, { "relative", 1 << 30 }, { "/proc/registry-sdk", 1 << 30 }, { "/dev/null", 1 << 30 }, { "/dev/null/below", 1 << 30 }, { "/nul\0", 1 << 30 }, { "/tmp/registry-sdk-of-limit-zero", 0 },
    };

    [Theory]
    [MemberData(nameof(Useless))]
    public async Task A_cache_that_can_t_be_used_is_no_error(string directory, long limit)
    {
        var cache = new ImageCache(directory, limit);
        for (var i = 0; i < 2; i++)
        {
            Assert.True((await LayerWriter.WriteAsync(Files(), "app", Blobs, cache, default)).IsCompressedNow);
        }

        cache.Trim();
        Assert.False(Directory.Exists(directory));
    }

    [Fact]
    public async Task A_layer_beyond_the_limit_is_not_kept()
    {
        var cache = new ImageCache(CacheFolder, 100);
        Assert.True((await LayerWriter.WriteAsync(Files(), "app", Blobs, cache, default)).IsCompressedNow);
        Assert.True((await LayerWriter.WriteAsync(Files(), "app", Blobs, cache, default)).IsCompressedNow);
        Assert.False(Directory.Exists(CacheFolder));
    }

    [Fact]
    public async Task A_file_that_is_another_at_the_second_reading_is_no_layer()
    {
        var content = 'a';
        var file = File("app/a", "?") with { Open = () => new MemoryStream([(byte)content++]) };
        await Assert.ThrowsAsync<LayerChangedException>(() => LayerWriter.WriteAsync([file], "app", Blobs, Cache, default));
        Assert.Empty(Directory.GetFiles(Blobs));
        Assert.False(Directory.Exists(CacheFolder));
    }

    /// <summary>What reading a file throws at either pass arrives as it is, though TarWriter writes its end into what has failed.</summary>
    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    public async Task What_reading_throws_arrives(int pass)
    {
        var opened = 0;
        var file = File("app/a", "content") with { Open = () => ++opened == pass ? throw new InvalidTimeZoneException("the file's") : new MemoryStream("content"u8.ToArray()) };
        await Assert.ThrowsAsync<InvalidTimeZoneException>(() => LayerWriter.WriteAsync([.. Files(), file], "app", Blobs, Cache, default));
        Assert.Empty(Directory.GetFiles(Blobs));
    }

    /// <summary>The target is not the cache's: its failure is one, and no reason to throw the entry away.</summary>
    [Fact]
    public async Task A_target_that_can_t_be_written_is_an_error_of_its_own()
    {
        Right();
        var entry = Entry;
        await Assert.ThrowsAnyAsync<IOException>(() => LayerWriter.WriteAsync(Files(), "app", Path.Combine(_folder, "missing"), Cache, default));
        if (System.IO.File.Exists("/dev/full"))
        {
            var name = Path.GetFileName(entry);
            await Assert.ThrowsAnyAsync<IOException>(() => Cache.TryCopyLayerAsync(Digest.Parse("sha256:" + name[..64]), long.MaxValue, LayerWriter.CacheKey, "/dev/full", default));
            await using var full = new FileStream("/dev/full", FileMode.Open, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            await using var gzip = new ParallelGzip(full, 2);
            await Assert.ThrowsAnyAsync<IOException>(async () =>
            {
                await gzip.WriteAsync(new byte[ParallelGzip.BlockSize * 6]);
                await gzip.CompleteAsync(default);
            });
        }

        Assert.True(System.IO.File.Exists(entry));
        Assert.False((await WriteAsync()).IsCompressedNow);
    }

    [Fact]
    public async Task Stops_when_told_and_the_entry_stays()
    {
        var right = Right();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Cache.TryCopyLayerAsync(right.DiffId, long.MaxValue, LayerWriter.CacheKey, Path.Combine(_folder, "target"), new(canceled: true)));
        Assert.True(System.IO.File.Exists(Entry));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Cache.AddLayerAsync(Digest.Of([1]), LayerWriter.CacheKey, right.Digest, Path.Combine(Blobs, right.Digest.Hex), new(canceled: true)));
        Assert.True(System.IO.File.Exists(Entry)); // and no other, nor half of one
    }

    private static LayerFile File(string path, string content)
    {
        var bytes = Encoding.UTF8.GetBytes(content);
        return new(path, bytes.Length, IsExecutable: false, StableTimes.Constant, () => new MemoryStream(bytes));
    }

    private static LayerFile[] Files()
    {
        var random = new Random(1);
        return [File("app/words", string.Concat(Enumerable.Range(0, 3000).Select(_ => $"{random.Next(500)} word{random.Next(9)} "))), File("app/z", "last")];
    }

    private Task<WrittenLayer> WriteAsync()
        => LayerWriter.WriteAsync([.. Files().Take(1).Select(f => f with { Open = () => { _opened++; return f.Open(); } }), .. Files().Skip(1)], "app", Blobs, Cache, default);

    private WrittenLayer Right() => WriteAsync().GetAwaiter().GetResult();

    /// <summary>The layer is made anew, is as it was, and next time is there again.</summary>
    private bool IsRightAndMended(WrittenLayer right)
    {
        var blob = Path.Combine(Blobs, right.Digest.Hex);
        System.IO.File.Delete(blob);
        var one = Right();
        var bytes = System.IO.File.ReadAllBytes(blob);
        return one == right && Digest.Of(bytes) == right.Digest && Right() == right with { IsCompressedNow = false };
    }

    private static byte[] Gzip(byte[] content)
    {
        using var target = new MemoryStream();
        using (var gzip = new GZipStream(target, CompressionLevel.Fastest))
        {
            gzip.Write(content);
        }

        return target.ToArray();
    }

    private static byte[] Decompress(byte[] bytes)
    {
        using var gzip = new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress);
        using var copy = new MemoryStream();
        gzip.CopyTo(copy);
        return copy.ToArray();
    }
}
