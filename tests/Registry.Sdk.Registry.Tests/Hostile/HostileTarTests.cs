using System.Formats.Tar;
using System.IO.Compression;
using System.Text;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Hostile;

/// <summary>Layers of somebody else's making: a registry serves them under our tag, and they are looked into to say what differs, or for secrets.</summary>
public sealed class HostileTarTests
{
    private const int Block = 512;

    /// <summary>9 MB of gzip say that a name has a gigabyte; TarReader would take three for it.</summary>
    [Theory]
    [InlineData('L')]
    [InlineData('K')]
    [InlineData('x')]
    [InlineData('g')]
    public void A_name_of_a_gigabyte_is_not_read(char type)
    {
        // What follows does not matter: it is refused by its header.
        using var layer = Pack([.. Header(type, 1_000_000_000), .. new byte[10 * Block]]);
        var before = GC.GetAllocatedBytesForCurrentThread();

        Assert.Throws<InvalidDataException>(() => new SecretScanner(CancellationToken.None).ScanLayer(layer));

        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 64 << 20);
    }

    [Fact]
    public void Names_that_are_too_much_together_are_not_read()
    {
        using var tar = new TarGuard(new Repeating([.. Header('L', 1 << 20), .. new byte[1 << 20], .. Header('0', 0)]));
        var buffer = new byte[1 << 20];

        var read = 0L;
        var told = Assert.Throws<InvalidDataException>(() =>
        {
            while (read < 1L << 30)
            {
                read += tar.Read(buffer, 0, buffer.Length);
            }
        });

        Assert.Contains("more than names need", told.Message);
        Assert.InRange(read, 100 << 20, 160 << 20);
    }

    /// <summary>The data of a file whose header says that it has none would be headers for this guard, and the other way round.</summary>
    [Fact]
    public void A_size_that_is_said_twice_is_not_believed()
    {
        var record = Encoding.ASCII.GetBytes("17 size=99999999\n");
        byte[] extended = [.. record, .. new byte[Block - record.Length]];
        using var layer = Pack([.. Header('x', record.Length), .. extended, .. Header('0', 0), .. new byte[4 * Block]]);

        Assert.Throws<InvalidDataException>(() => new SecretScanner(CancellationToken.None).ScanLayer(layer));
    }

    /// <summary>However it is read, and whatever long names and files are in it.</summary>
    [Theory]
    [InlineData(TarEntryFormat.Pax, 1)]
    [InlineData(TarEntryFormat.Pax, 700)]
    [InlineData(TarEntryFormat.Gnu, 511)]
    [InlineData(TarEntryFormat.Gnu, 100_000)]
    [InlineData(TarEntryFormat.Ustar, 513)]
    public void A_good_tar_is_read_as_ever(TarEntryFormat format, int step)
    {
        using var tar = new MemoryStream();
        List<string> names = [.. Enumerable.Range(0, 20).Select(i => $"{string.Concat(Enumerable.Repeat("folder/", i % 7 * (format == TarEntryFormat.Ustar ? 1 : 9)))}file{i}")];
        using (var writer = new TarWriter(tar, format, leaveOpen: true))
        {
            foreach (var (name, i) in names.Select((n, i) => (n, i)))
            {
                TarEntry entry = format switch { TarEntryFormat.Pax => new PaxTarEntry(TarEntryType.RegularFile, name), TarEntryFormat.Gnu => new GnuTarEntry(TarEntryType.RegularFile, name), _ => new UstarTarEntry(TarEntryType.RegularFile, name) };
                // Content that looks like headers of giants is content.
                entry.DataStream = new MemoryStream([.. Header('L', 1_000_000_000).Take(i * 100)]);
                writer.WriteEntry(entry);
            }
        }

        tar.Position = 0;
        using var reader = new TarReader(new TarGuard(new Slow(tar, step)));
        var read = new List<string>();
        while (reader.GetNextEntry() is { } entry)
        {
            read.Add(entry.Name);
            Assert.Equal((read.Count - 1) * 100 > Block ? Block : (read.Count - 1) * 100, entry.Length);
        }

        Assert.Equal(names, read);
    }

    private static byte[] Header(char type, long size)
    {
        var header = new byte[Block];
        Encoding.ASCII.GetBytes("././@LongLink").CopyTo(header, 0);
        foreach (var (at, text) in new[] { (100, "0000644\0"), (108, "0000000\0"), (116, "0000000\0"), (124, Convert.ToString(size, 8).PadLeft(11, '0')), (136, "00000000000"), (148, "        "), (257, type is 'x' or 'g' ? "ustar\000" : "ustar  \0") })
        {
            Encoding.ASCII.GetBytes(text).CopyTo(header, at);
        }

        header[156] = (byte)type;
        Encoding.ASCII.GetBytes(Convert.ToString(header.Sum(b => b), 8).PadLeft(6, '0') + "\0 ").CopyTo(header, 148);
        return header;
    }

    private static MemoryStream Pack(byte[] tar)
    {
        var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.Fastest, leaveOpen: true))
        {
            gzip.Write(tar);
        }

        packed.Position = 0;
        return packed;
    }

    private sealed class Repeating(byte[] content) : MemoryStream
    {
        private int _at;

        public override int Read(byte[] buffer, int offset, int count)
        {
            var part = Math.Min(count, content.Length - _at);
            content.AsSpan(_at, part).CopyTo(buffer.AsSpan(offset));
            _at = (_at + part) % content.Length;
            return part;
        }
    }

    private sealed class Slow(Stream inner, int step) : MemoryStream
    {
        public override int Read(byte[] buffer, int offset, int count) => inner.Read(buffer, offset, Math.Min(count, step));

        public override int Read(Span<byte> buffer) => inner.Read(buffer[..Math.Min(buffer.Length, step)]);
    }
}
