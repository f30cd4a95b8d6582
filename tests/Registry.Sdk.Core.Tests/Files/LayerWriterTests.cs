using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Files;

public sealed class LayerWriterTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("rsdk-core-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Path segments of every kind a file system allows, up to 255 bytes; paths of up to some 800 bytes.</summary>
    private static Arbitrary<string[]> Paths
    {
        get
        {
            var segment = Gen.OneOf(
                Gen.Elements("a", "b.dll", "wwwroot", ".well-known", "with space", "日本語", "é", "😀", "a'\"\\b", "-", "~"),
                from length in Gen.Choose(1, 255) from c in Gen.Elements('x', 'y') select new string(c, length),
                from length in Gen.Choose(1, 80) select string.Concat(Enumerable.Repeat("語", length)));
            var path = segment.NonEmptyListOf().Select(s => string.Join('/', s.Take(3)));
            // A path that is also the folder of another can't be on a disk.
            return path.NonEmptyListOf().Select(p => p.Distinct(StringComparer.Ordinal).ToArray())
                .Where(p => !p.Any(a => p.Any(b => b.StartsWith(a + "/", StringComparison.Ordinal)))).ToArbitrary();
        }
    }

    [Fact]
    public void Every_name_reads_back_sorted_with_its_folders_and_nothing_of_this_machine()
        => Prop.ForAll(Paths, paths =>
        {
            var files = paths.Select((p, i) => File("app/" + p, Encoding.UTF8.GetBytes($"content {i}"), executable: i % 2 == 1)).ToList();
            var (entries, _, _) = Write(files, "app");
            AssertEntries(entries, files);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(60));

    [Fact]
    public void Every_length_of_a_name_reads_back()
    {
        var files = Enumerable.Range(1, 400).Select(n => File(string.Join('/', new string('n', n).Chunk(200).Select(c => new string(c))) + ".f", [(byte)n], executable: false))
            .Concat(Enumerable.Range(30, 20).Select(n => File(new string('語', n), [1], executable: false))).ToList();
        var (entries, _, _) = Write(files, "");
        AssertEntries(entries, files);
    }

    [Fact]
    public void Bytes_do_not_depend_on_how_content_comes_in()
        => Prop.ForAll(ArbMap.Default.ArbFor<byte[]>(), Gen.Choose(1, 3000).ToArbitrary(), Gen.Choose(1, 3000).ToArbitrary(), (seed, one, other) =>
        {
            // Text of a few words: what deflate makes of noise or of zeros does not depend on how it is fed.
            var random = new Random(seed.Length);
            var content = Encoding.ASCII.GetBytes(string.Concat(Enumerable.Range(0, 40_000).Select(_ => $"{random.Next(200)} word{random.Next(7)} "))).Concat(seed).ToArray();
            LayerFile Chunked(int size) => File("a", content, executable: false) with { Open = () => new Trickle(content, size) };
            return Write([Chunked(one)], "app").Digests == Write([Chunked(other)], "app").Digests;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(15));

    [Fact]
    public async Task The_same_files_from_two_folders_at_two_times_are_the_same_bytes()
    {
        var layers = new List<byte[]>();
        foreach (var folder in new[] { "one", "two/and/deeper" })
        {
            var publish = Path.Combine(_folder, folder);
            foreach (var (path, content) in new[] { ("b.dll", "b"), ("a", "\u007fELF"), ("wwwroot/é.css", "css"), (".well-known/x", "x"), (new string('l', 150), "long") }.OrderBy(_ => Guid.NewGuid()))
            {
                var file = Path.Combine(publish, path);
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                await System.IO.File.WriteAllTextAsync(file, content);
                System.IO.File.SetLastWriteTimeUtc(file, DateTime.UtcNow.AddDays(-layers.Count));
                System.IO.File.SetUnixFileMode(file, layers.Count == 0 ? UnixFileMode.UserRead | UnixFileMode.UserWrite : (UnixFileMode)0b110_110_110);
            }

            var bill = (await PublishFolder.ReadAsync(publish, CancellationToken.None)).Value;
            var (_, digests, bytes) = Write([.. bill.Files.Select(f => new LayerFile("app/" + f.Path, f.Size, f.IsExecutable, StableTimes.For(f), () => System.IO.File.OpenRead(f.SourcePath)))], "app");
            layers.Add(bytes);
            Assert.Equal(Digest.Of(bytes), digests.Blob);
            // The clock of the second one is another: headers must not know it.
            await Task.Delay(1100);
        }

        Assert.Equal(layers[0], layers[1]);
    }

    [Fact]
    public void A_working_directory_without_files_is_there()
    {
        Assert.Equal(["srv/app/"], Write([], "srv/app").Entries.Select(e => e.Name));
        // Its parents are the base image's: /home/app may be a user's, /tmp everybody's, /lib a link.
        Assert.Equal(["home/app/svc/", "home/app/svc/sub/", "home/app/svc/sub/a"], Write([File("home/app/svc/sub/a", [1], false)], "home/app/svc").Entries.Select(e => e.Name));
        Assert.Empty(Write([], "").Entries);
    }

    [Fact]
    public void Two_files_of_one_name_are_a_bug() => Assert.Throws<ArgumentException>(() => Write([File("a", [1], false), File("a", [2], false)], ""));

    [Fact]
    public async Task It_stops_when_told()
    {
        using var stop = new CancellationTokenSource();
        var files = new[] { File("a", [1], false) with { Open = () => { stop.Cancel(); return new MemoryStream([1]); } }, File("b", [2], false) };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => LayerWriter.WriteAsync(files, "", _folder, ImageCache.None, stop.Token));
        Assert.Empty(Directory.GetFiles(_folder));
    }

    private static LayerFile File(string path, byte[] content, bool executable) => new(path, content.Length, executable, StableTimes.Constant, () => new MemoryStream(content));

    private static void AssertEntries(List<(string Name, TarEntryType Type, UnixFileMode Mode, byte[] Content)> entries, IReadOnlyList<LayerFile> files)
    {
        var folders = files.SelectMany(f => f.Path.Select((c, i) => (c, i)).Where(p => p.c == '/').Select(p => f.Path[..(p.i + 1)])).Distinct(StringComparer.Ordinal);
        var expected = files.Select(f => f.Path).Concat(folders).Order(StringComparer.Ordinal).ToList();
        Assert.Equal(expected, entries.Select(e => e.Name));
        foreach (var (name, type, mode, content) in entries)
        {
            var file = files.FirstOrDefault(f => f.Path == name);
            Assert.Equal(file is null ? TarEntryType.Directory : TarEntryType.RegularFile, type);
            Assert.Equal(Convert.ToInt32(file is null || file.IsExecutable ? "755" : "644", 8), (int)mode);
            if (file is not null)
            {
                using var stream = file.Open();
                using var copy = new MemoryStream();
                stream.CopyTo(copy);
                Assert.Equal(copy.ToArray(), content);
            }
        }
    }

    private (List<(string Name, TarEntryType Type, UnixFileMode Mode, byte[] Content)> Entries, (Digest DiffId, Digest Blob) Digests, byte[] Bytes) Write(IReadOnlyCollection<LayerFile> files, string directory)
    {
        var (diffId, digest, size, isCompressed) = LayerWriter.WriteAsync(files, directory, _folder, ImageCache.None, CancellationToken.None).GetAwaiter().GetResult();
        Assert.True(isCompressed);
        var bytes = System.IO.File.ReadAllBytes(Path.Combine(_folder, digest.Hex));
        Assert.Equal((size, digest), (bytes.Length, Digest.Of(bytes)));
        using var tar = new MemoryStream();
        using (var gzip = new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress))
        {
            gzip.CopyTo(tar);
        }

        Assert.Equal(diffId, Digest.Of(tar.ToArray()));
        AssertNoPaxHeader(tar.ToArray());
        tar.Position = 0;
        using var reader = new TarReader(tar);
        var entries = new List<(string, TarEntryType, UnixFileMode, byte[])>();
        while (reader.GetNextEntry(copyData: true) is { } entry)
        {
            // What would differ from run to run, or from machine to machine.
            Assert.Equal((0, 0, "", ""), (entry.Uid, entry.Gid, ((PosixTarEntry)entry).UserName, ((PosixTarEntry)entry).GroupName));
            Assert.True(entry.ModificationTime == StableTimes.Constant || entry.ModificationTime.Year is >= 1980 and < 2020, $"{entry.ModificationTime}");
            var gnu = Assert.IsType<GnuTarEntry>(entry);
            Assert.Equal((default, default), (gnu.AccessTime, gnu.ChangeTime));
            using var content = new MemoryStream();
            entry.DataStream?.CopyTo(content);
            entries.Add((entry.Name, entry.EntryType, entry.Mode, content.ToArray()));
        }

        return (entries, (diffId, digest), bytes);
    }

    // .NET writes the process id into the names of pax headers.
    private static void AssertNoPaxHeader(byte[] tar)
    {
        for (var at = 0; at + 512 <= tar.Length && tar[at] != 0;)
        {
            Assert.DoesNotContain((char)tar[at + 156], "xg");
            var size = Convert.ToInt64(Encoding.ASCII.GetString(tar, at + 124, 11).Trim('\0', ' '), 8);
            at += (int)(512 + ((size + 511) / 512 * 512));
        }
    }

    /// <summary>Gives at most so many bytes at a time.</summary>
    private sealed class Trickle(byte[] content, int size) : MemoryStream(content)
    {
        public override int Read(byte[] buffer, int offset, int count) => base.Read(buffer, offset, Math.Min(count, size));

        public override int Read(Span<byte> buffer) => base.Read(buffer[..Math.Min(buffer.Length, size)]);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.FromResult(Read(buffer.Span));

        public override async Task CopyToAsync(Stream destination, int bufferSize, CancellationToken cancellationToken)
        {
            var buffer = new byte[size];
            int read;
            while ((read = Read(buffer, 0, size)) > 0)
            {
                await destination.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            }
        }
    }
}
