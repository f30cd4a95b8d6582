using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Files;

public sealed class ImageCacheTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("rsdk-core-").FullName;

    private string CacheFolder => Path.Combine(_folder, "user", "cache");

    private string Target => Path.Combine(_folder, "target");

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task Blobs_come_back_as_they_went_in()
    {
        var cache = new ImageCache(CacheFolder, 1 << 20);
        var (small, large) = (Content(1, 100), Content(2, 500_000));
        var source = Path.Combine(_folder, "source");
        await File.WriteAllBytesAsync(source, large);
        Assert.False(await cache.TryCopyBlobAsync(Describe(large), Target, default));
        Assert.Null(await cache.TryReadBlobAsync(Digest.Of(small), 1000, default));

        await cache.AddBlobAsync(Digest.Of(small), small, default);
        await cache.AddBlobAsync(Digest.Of(large), source, default);
        await cache.AddBlobAsync(Digest.Of(large), source, default);
        Assert.True(await cache.TryCopyBlobAsync(Describe(large), Target, default));
        Assert.Equal(large, await File.ReadAllBytesAsync(Target));
        Assert.True(await cache.TryCopyBlobAsync(Describe(small), Target, default)); // what was in the target is gone
        Assert.Equal(small, await File.ReadAllBytesAsync(Target));
        Assert.Equal(small, await cache.TryReadBlobAsync(Digest.Of(small), 100, default));
        await cache.AddBlobAsync(Digest.Of([]), [], default);
        Assert.Null(await cache.TryReadBlobAsync(Digest.Of([]), 0, default)); // nothing is no work to make
        Assert.Equal(2, Directory.GetFiles(Path.Combine(CacheFolder, "blobs")).Length);

        // Too large to be read is no reason to lose it.
        Assert.Null(await cache.TryReadBlobAsync(Digest.Of(small), 99, default));
        Assert.Equal(small, await cache.TryReadBlobAsync(Digest.Of(small), 100, default));
    }

    /// <summary>A pipe in an entry's place would wait for a writer for ever.</summary>
    [Fact]
    public async Task A_pipe_is_no_entry()
    {
        var cache = new ImageCache(CacheFolder, 1 << 20);
        var content = Content(1, 100);
        await cache.AddBlobAsync(Digest.Of(content), content, default);
        var entry = Path.Combine(CacheFolder, "blobs", Digest.Of(content).Hex);
        File.Delete(entry);
        using (var mkfifo = System.Diagnostics.Process.Start("mkfifo", entry))
        {
            await mkfifo.WaitForExitAsync();
        }

        Assert.Null(await Task.Run(() => cache.TryReadBlobAsync(Digest.Of(content), 1000, default)).WaitAsync(TimeSpan.FromSeconds(10)));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_not_what_its_name_says_is_deleted(bool sameSize)
    {
        var cache = new ImageCache(CacheFolder, 1 << 20);
        var content = Content(1, 1000);
        foreach (var read in new Func<Task<bool>>[]
        {
            () => cache.TryCopyBlobAsync(Describe(content), Target, default), async () => await cache.TryReadBlobAsync(Digest.Of(content), 10_000, default) is not null,
        })
        {
            await cache.AddBlobAsync(Digest.Of(content), content, default);
            Assert.True(await read());
            await File.WriteAllBytesAsync(Blob(content), sameSize ? Content(2, 1000) : Content(2, 999));
            Assert.False(await read());
            Assert.False(File.Exists(Blob(content)));
        }
    }

    [Fact]
    public async Task A_target_that_can_t_be_written_is_an_error_and_the_entry_stays()
    {
        var cache = new ImageCache(CacheFolder, 1 << 20);
        var content = Content(1, 1000);
        await cache.AddBlobAsync(Digest.Of(content), content, default);
        await Assert.ThrowsAsync<DirectoryNotFoundException>(() => cache.TryCopyBlobAsync(Describe(content), Path.Combine(_folder, "no", "such"), default));
        Assert.Equal(content, await cache.TryReadBlobAsync(Digest.Of(content), 1000, default));
    }

    [Fact]
    public async Task A_source_that_can_t_be_read_is_not_kept()
    {
        var cache = new ImageCache(CacheFolder, 1 << 20);
        await cache.AddBlobAsync(Digest.Of([1]), Path.Combine(_folder, "missing"), default);
        await cache.AddBlobAsync(Digest.Of([1]), _folder, default);
        Assert.False(Directory.Exists(CacheFolder));
    }

    [Fact]
    public async Task Nobody_else_reads_it()
    {
        if (OperatingSystem.IsWindows())
        {
            return; // The user's own folder there is the user's.
        }

        await new ImageCache(CacheFolder, 1 << 20).AddBlobAsync(Digest.Of([1]), [1], default);
        Assert.Equal("600", Mode(Blob([1])));
        Assert.All([CacheFolder, Path.Combine(CacheFolder, "blobs")], f => Assert.Equal("700", Mode(f)));

        static string Mode(string path) => Convert.ToString((int)File.GetUnixFileMode(path), 8);
    }

    [Fact]
    public async Task None_keeps_nothing()
    {
        await ImageCache.None.AddBlobAsync(Digest.Of([1]), [1], default);
        Assert.Null(await ImageCache.None.TryReadBlobAsync(Digest.Of([1]), 1, default));
        Assert.False(await ImageCache.None.TryCopyBlobAsync(Describe([1]), Target, default));
        Assert.False(File.Exists(Target));
        ImageCache.None.Trim();
    }

    [Fact]
    public async Task What_was_not_used_for_longest_goes_until_the_limit_is_kept()
    {
        var cache = new ImageCache(CacheFolder, 2500);
        var contents = Enumerable.Range(0, 5).Select(n => Content(n, 1000)).ToList();
        for (var n = 0; n < 5; n++)
        {
            await cache.AddBlobAsync(Digest.Of(contents[n]), contents[n], default);
            File.SetLastWriteTimeUtc(Blob(contents[n]), DateTime.UtcNow.AddDays(n - 10));
        }

        var layer = Path.Combine(Directory.CreateDirectory(Path.Combine(CacheFolder, "layers")).FullName, Digest.Of([1]).Hex + "-gzip1-4-10.0.1-linux_x64");
        await File.WriteAllBytesAsync(layer, new byte[500]);
        File.SetLastWriteTimeUtc(layer, DateTime.UtcNow.AddDays(-11));
        // The oldest are used now; the youngest is of a clock that was wrong.
        Assert.True(await cache.TryCopyBlobAsync(Describe(contents[0]), Target, default));
        Assert.NotNull(await cache.TryReadBlobAsync(Digest.Of(contents[1]), 1000, default));
        File.SetLastWriteTimeUtc(Blob(contents[4]), DateTime.UtcNow.AddYears(10));

        cache.Trim();
        Assert.Equal([true, true, false, false, false], contents.Select(c => File.Exists(Blob(c))));
        Assert.False(File.Exists(layer));
        cache.Trim();
        Assert.Equal(2, contents.Count(c => File.Exists(Blob(c))));
    }

    [Fact]
    public async Task Nothing_goes_while_the_limit_is_kept()
    {
        var cache = new ImageCache(CacheFolder, 2000);
        await cache.AddBlobAsync(Digest.Of(Content(1, 1000)), Content(1, 1000), default);
        await cache.AddBlobAsync(Digest.Of(Content(2, 1000)), Content(2, 1000), default);
        await cache.AddBlobAsync(Digest.Of(Content(3, 2001)), Content(3, 2001), default); // never fits
        cache.Trim();
        Assert.Equal([true, true, false], new[] { Blob(Content(1, 1000)), Blob(Content(2, 1000)), Blob(Content(3, 2001)) }.Select(File.Exists));
    }

    [Fact]
    public async Task What_is_not_the_cache_s_is_never_deleted()
    {
        var hex = Digest.Of([1]).Hex;
        var foreign = new List<string>();
        foreach (var path in new[]
        {
            "thesis.txt", hex, $"{hex}-key", $"other/{hex}", $"blobs/{hex}.txt", $"blobs/{hex[1..]}", $"blobs/{hex.ToUpperInvariant()}", $"blobs/{hex}-key", "blobs/notes.partial", "blobs/.partial", $"blobs/.{hex}.partial",
            $"blobs/sub/{hex}", $"layers/{hex}", $"layers/{hex}-", $"layers/{hex}-a b", $"layers/{hex}key", $"layers/x-{hex}", $"layers/{hex}-key/inside", $".{hex[..32]}.partial",
        })
        {
            var file = Path.Combine(CacheFolder, path);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            await File.WriteAllBytesAsync(file, new byte[1000]);
            File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddYears(-1));
            foreign.Add(file);
        }

        var link = Path.Combine(CacheFolder, "blobs", Digest.Of([2]).Hex);
        File.CreateSymbolicLink(link, foreign[0]);
        var ours = Path.Combine(CacheFolder, "blobs", hex);
        await File.WriteAllBytesAsync(ours, new byte[1000]);

        new ImageCache(CacheFolder, 1).Trim();
        Assert.All(foreign, f => Assert.True(File.Exists(f), f));
        Assert.True(File.Exists(link));
        Assert.False(File.Exists(ours));
    }

    /// <summary>Whoever makes the cache's folder a link to another must not lose what is there.</summary>
    [Fact]
    public async Task Links_to_other_folders_are_not_followed()
    {
        var elsewhere = Directory.CreateDirectory(Path.Combine(_folder, "elsewhere")).FullName;
        var file = Path.Combine(elsewhere, Digest.Of([1]).Hex);
        await File.WriteAllBytesAsync(file, [1]);
        Directory.CreateDirectory(CacheFolder);
        Directory.CreateSymbolicLink(Path.Combine(CacheFolder, "blobs"), elsewhere);
        var cache = new ImageCache(CacheFolder, 100);
        await cache.AddBlobAsync(Digest.Of([2]), [2], default);
        Assert.Null(await cache.TryReadBlobAsync(Digest.Of([1]), 1, default));
        await File.WriteAllBytesAsync(file, new byte[200]);
        cache.Trim();
        Assert.Equal([file], Directory.GetFiles(elsewhere));
    }

    [Fact]
    public async Task What_killed_processes_left_goes_after_an_hour()
    {
        var blobs = Directory.CreateDirectory(Path.Combine(CacheFolder, "blobs")).FullName;
        var (old, young) = (WholeFile.Temporary(blobs), WholeFile.Temporary(blobs));
        await File.WriteAllTextAsync(old, "half");
        await File.WriteAllTextAsync(young, "half");
        File.SetLastWriteTimeUtc(old, DateTime.UtcNow.AddMinutes(-61));
        new ImageCache(CacheFolder, 1 << 20).Trim();
        Assert.Equal([young], Directory.GetFiles(blobs));
    }

    [Fact]
    public async Task Many_at_once_add_use_and_trim()
    {
        var contents = Enumerable.Range(0, 12).Select(n => Content(n, 20_000 + n)).ToList();
        var found = 0;
        await Task.WhenAll(Enumerable.Range(0, 8).Select(n => Task.Run(async () =>
        {
            // Each its own, as processes have.
            var cache = new ImageCache(CacheFolder, 100_000);
            var random = new Random(n);
            var target = Path.Combine(_folder, $"target{n}");
            for (var i = 0; i < 150; i++)
            {
                var content = contents[random.Next(contents.Count)];
                switch (random.Next(4))
                {
                    case 0: await cache.AddBlobAsync(Digest.Of(content), content, default); break;
                    case 1: cache.Trim(); break;
                    case 2:
                        if (await cache.TryCopyBlobAsync(Describe(content), target, default))
                        {
                            Assert.Equal(content, await File.ReadAllBytesAsync(target));
                            Interlocked.Increment(ref found);
                        }

                        break;
                    default: Assert.True(await cache.TryReadBlobAsync(Digest.Of(content), 1 << 20, default) is not { } bytes || bytes.SequenceEqual(content)); break;
                }
            }
        })));
        Assert.NotEqual(0, found);
        new ImageCache(CacheFolder, 100_000).Trim();
        var left = new DirectoryInfo(Path.Combine(CacheFolder, "blobs")).GetFiles();
        Assert.InRange(left.Sum(f => f.Length), 1, 100_000);
        Assert.All(left, f => Assert.DoesNotContain("partial", f.Name));
    }

    [Theory]
    [InlineData(false, "/x", "/home/me", null, "/x/registry-sdk")]
    [InlineData(false, null, "/home/me", null, "/home/me/.cache/registry-sdk")]
    [InlineData(false, "", "/home/me", null, "/home/me/.cache/registry-sdk")]
    [InlineData(false, "relative", "/home/me", null, "/home/me/.cache/registry-sdk")]
    [InlineData(false, null, "relative", null, null)]
    [InlineData(false, null, "", null, null)]
    [InlineData(false, null, null, "/local", null)]
    [InlineData(true, "/x", "/home/me", "/local", "/local/registry-sdk")]
    [InlineData(true, "/x", "/home/me", null, null)]
    public void Where_it_is(bool windows, string? xdg, string? home, string? local, string? expected)
        => Assert.Equal(expected, ImageCache.DefaultDirectory(windows, name => name switch { "XDG_CACHE_HOME" => xdg, "HOME" => home, "LOCALAPPDATA" => local, _ => null }));

    private string Blob(byte[] content) => Path.Combine(CacheFolder, "blobs", Digest.Of(content).Hex);

    private static Descriptor Describe(byte[] content) => new("application/octet-stream", Digest.Of(content), content.Length);

    private static byte[] Content(int seed, int length)
    {
        var bytes = new byte[length];
        new Random(seed).NextBytes(bytes);
        return bytes;
    }
}
