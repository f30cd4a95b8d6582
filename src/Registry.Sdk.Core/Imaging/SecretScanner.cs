using System.Buffers;
using System.Buffers.Text;
using System.Formats.Tar;
using System.IO.Compression;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.RegularExpressions;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>A secret in a file.</summary>
/// <param name="Rule">What it is.</param>
/// <param name="Path">The file's path as it was given; of what is inside an archive <c>archive!/member</c>.</param>
/// <param name="Line">The line it begins on, from 1, where the file is text.</param>
/// <param name="Offset">The byte it begins at, where it is not.</param>
/// <param name="Value">It; kept in memory only, until its fingerprint is taken.</param>
internal sealed record SecretHit(SecretRule Rule, string Path, int? Line, long? Offset, string Value);

/// <summary>
/// Looks for secrets in files, as a stream and in bounded memory: in text, in binary files (as UTF-8 and as UTF-16, which is what string constants of .NET
/// assemblies are), and in what is compressed. Not for several threads.
/// </summary>
internal sealed class SecretScanner(CancellationToken cancellationToken)
{
    /// <summary>Files up to this size are read whole, and as what their format says.</summary>
    private const int Chunk = 1 << 20;

    private const int Window = SecretPatterns.Before + Chunk + SecretPatterns.Behind;

    /// <summary>An archive has to be there as a whole to be opened, and an assembly to be asked for its symbols.</summary>
    private const long MostAsWhole = 256L << 20;

    /// <summary>What of it is kept in memory; more is kept in a file.</summary>
    private const int MostInMemory = 16 << 20;

    /// <summary>What comes out of the archives of one scan. More is made to keep somebody busy.</summary>
    private const long MostUnpacked = 4L << 30;

    /// <summary>Archives within archives within archives nobody publishes.</summary>
    private const int MostNested = 3;

    private const int Sniffed = 8 * 1024;

    /// <summary>A file with more secrets than this is a list of them (a log, a table); each is held against all others, and nobody reads on.</summary>
    private const int MostFound = 1000;

    private readonly HashSet<string> _gitFolders = new(StringComparer.Ordinal);

    private long _unpacked;

    /// <summary>What was found.</summary>
    public List<SecretHit> Hits { get; } = [];

    /// <summary>Files that could not be looked into, and why.</summary>
    public List<(string Path, string Why)> NotRead { get; } = [];

    /// <summary>How many files were looked at, those in archives too.</summary>
    public int Files { get; private set; }

    /// <summary>How many bytes of them.</summary>
    public long Bytes { get; private set; }

    /// <summary>Looks at every file of a layer.</summary>
    /// <param name="layer">A tar, compressed with gzip.</param>
    /// <exception cref="InvalidDataException">It is no such thing.</exception>
    public void ScanLayer(Stream layer)
    {
        using var gzip = new GZipStream(layer, CompressionMode.Decompress, leaveOpen: true);
        ScanTar(gzip, string.Empty, depth: 0);
    }

    /// <summary>Looks at one file.</summary>
    /// <param name="path">Its path; the name's end says what format it has.</param>
    /// <param name="content">Read once, from where it stands to its end.</param>
    public void ScanFile(string path, Stream content) => Scan(path, path, content, depth: 0);

    private void ScanTar(Stream tar, string prefix, int depth)
    {
        using var reader = new TarReader(new TarGuard(tar), leaveOpen: true);
        while (reader.GetNextEntry() is { } entry)
        {
            if (entry.DataStream is { } content)
            {
                Scan(prefix + entry.Name, entry.Name, content, depth);
            }
        }
    }

    /// <summary>Looks at one file.</summary>
    /// <param name="path">What it is called in findings.</param>
    /// <param name="name">What it would be called without what it is packed in: says its format.</param>
    /// <param name="content">Its bytes.</param>
    /// <param name="depth">How many archives it is in.</param>
    private void Scan(string path, string name, Stream content, int depth)
    {
        Files++;
        NoteGitFolder(path);
        var rented = ArrayPool<byte>.Shared.Rent(Window);
        try
        {
            var buffer = rented.AsMemory(0, Window);
            var have = Fill(content, buffer.Span, depth);
            if (Unpack(path, name, rented, have, content, depth))
            {
                return;
            }

            if (!buffer.Span.StartsWith("MZ"u8) && !buffer.Span.StartsWith("BSJB"u8))
            {
                ScanBytes(path, name, rented, have, content, depth);
                return;
            }

            // An assembly's symbols can hold its sources, compressed.
            using var whole = AsWhole(new JoinedStream(new MemoryStream(rented, 0, have, writable: false), content));
            whole.Position = have;
            ScanBytes(path, name, rented, have, new JoinedStream(whole, content), depth);
            whole.Position = 0;
            foreach (var source in AssemblyFacts.EmbeddedSources(whole))
            {
                Scan($"{path}!/{source.Name.TrimStart('/')}", source.Name, new MemoryStream(source.Text!), depth + 1);
            }
        }
        catch (RegexMatchTimeoutException)
        {
            // Each rule looks at little, so only a machine that stood still gets here. That is no reason for the publish to crash.
            NotRead.Add((path, "looking into it took too long"));
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(rented);
        }
    }

    /// <summary>A repository holds whatever was ever committed, compressed: it is told as a whole, once.</summary>
    private void NoteGitFolder(string path)
    {
        const string Folder = "/.git/";
        var at = ("/" + path).IndexOf(Folder, StringComparison.Ordinal);
        if (at >= 0 && path[..(at + Folder.Length - 2)] is var folder && _gitFolders.Add(folder))
        {
            Hits.Add(new(SecretRules.GitFolder, folder, null, null, folder));
        }
    }

    private void ScanBytes(string path, string name, byte[] buffer, int have, Stream content, int depth)
    {
        var found = new Findings();
        var atEnd = have < Window;
        if (atEnd && ToUtf8(buffer.AsSpan(0, have)) is { } converted)
        {
            (buffer, have) = (converted, converted.Length);
        }

        var isText = !buffer.AsSpan(0, Math.Min(have, Sniffed)).Contains((byte)0);
        var whole = atEnd ? buffer.AsMemory(0, have) : default;
        // Anchors are looked for between from and to; what lies around decides about them.
        var (from, offset, lines) = (0, 0L, 0);
        while (true)
        {
            var to = atEnd ? have : have - SecretPatterns.Behind;
            ScanWindow(buffer.AsSpan(0, have), from, to, offset, isText ? lines : null, found);
            if (atEnd || found.AreMore)
            {
                break;
            }

            var keep = to - SecretPatterns.Before;
            lines += isText ? buffer.AsSpan(0, keep).Count((byte)'\n') : 0;
            offset += keep;
            buffer.AsSpan(keep, have - keep).CopyTo(buffer);
            from = SecretPatterns.Before;
            have -= keep;
            have += Fill(content, buffer.AsSpan(have, Window - have), depth);
            atEnd = have < Window;
        }

        if (!whole.IsEmpty)
        {
            foreach (var secret in SecretFiles.Find(name, whole))
            {
                found.Add(new(secret.Rule, 0, 0, secret.Line > 0 ? secret.Line : null, secret.Value));
            }
        }

        if (found.AreMore)
        {
            NotRead.Add((path, $"it holds more than {MostFound} secrets: the others"));
        }

        Hits.AddRange(Distinct(found.All).Select(f => new SecretHit(f.Rule, path, f.Line, f.Line is null && f.Length > 0 ? f.Offset : null, f.Value)));
    }

    /// <summary>Looks at a part of a file in memory.</summary>
    /// <param name="bytes">The part.</param>
    /// <param name="from">Where anchors are looked for.</param>
    /// <param name="to">Where no more.</param>
    /// <param name="offset">Where the part begins in the file.</param>
    /// <param name="lines">How many lines end before it; null: it is no text.</param>
    /// <param name="found">Receives what is found.</param>
    private static void ScanWindow(ReadOnlySpan<byte> bytes, int from, int to, long offset, int? lines, Findings found)
    {
        ScanBytewise(bytes, from, to, offset, lines, found);
        if (lines is not null)
        {
            // As JSON writes it: + and & as \u002B and \u0026, / as \/. Lines stay as they are.
            if (bytes.IndexOf("\\u00"u8) >= 0 || bytes.IndexOf("\\/"u8) >= 0)
            {
                var (before, middle, behind) = (Unescaped(bytes[..from]), Unescaped(bytes[from..to]), Unescaped(bytes[to..]));
                ScanBytewise([.. before, .. middle, .. behind], before.Length, before.Length + middle.Length, offset, lines, found);
            }

            return;
        }

        // UTF-16: strings of an assembly begin at even and odd bytes.
        var matches = new List<SecretMatch>();
        for (var parity = 0; parity < 2 && bytes.Length > 1; parity++)
        {
            matches.Clear();
            var utf16 = MemoryMarshal.Cast<byte, char>(bytes[parity..]);
            SecretPatterns.Find(utf16, (from - parity + 1) / 2, Math.Min(utf16.Length, (to - parity + 1) / 2), matches);
            foreach (var match in matches)
            {
                found.Add(new(match.Rule, offset + parity + (2L * match.Start), 2 * match.Length, null, match.Value));
            }
        }
    }

    private static void ScanBytewise(ReadOnlySpan<byte> bytes, int from, int to, long offset, int? lines, Findings found)
    {
        var matches = new List<SecretMatch>();
        var chars = ArrayPool<char>.Shared.Rent(bytes.Length);
        try
        {
            // One character for each byte: anchors and most of what stands around them are ASCII.
            Encoding.Latin1.GetChars(bytes, chars);
            SecretPatterns.Find(chars.AsSpan(0, bytes.Length), from, to, matches);
        }
        finally
        {
            ArrayPool<char>.Shared.Return(chars);
        }

        // Each line end is counted once, not once for every match behind it.
        var (counted, ends) = (0, 0);
        foreach (var match in matches.OrderBy(m => m.Start))
        {
            if (lines is not null)
            {
                ends += bytes[counted..match.Start].Count((byte)'\n');
                counted = match.Start;
            }

            found.Add(new(match.Rule, offset + match.Start, match.Length, lines + ends + 1, FromLatin1(match.Value)));
        }
    }

    /// <summary>Characters of JSON's escapes as themselves; not quotes and backslashes, which would end the text they are in.</summary>
    private static byte[] Unescaped(ReadOnlySpan<byte> bytes)
    {
        var result = new byte[bytes.Length];
        var length = 0;
        for (var at = 0; at < bytes.Length; at++)
        {
            var rest = bytes[at..];
            if (rest.StartsWith("\\/"u8))
            {
                result[length++] = (byte)'/';
                at++;
            }
            else if (rest.Length >= 6 && rest.StartsWith("\\u00"u8) && Utf8Parser.TryParse(rest.Slice(4, 2), out byte value, out var used, 'x') && used == 2
                && value is > 0x1F and < 0x7F and not (byte)'"' and not (byte)'\\')
            {
                result[length++] = value;
                at += 5;
            }
            else
            {
                result[length++] = bytes[at];
            }
        }

        return result[..length];
    }

    /// <summary>One secret is found by several rules: the first in the table is right. And it stands in several places: the first is told.</summary>
    private static IEnumerable<Found> Distinct(IReadOnlyList<Found> found)
    {
        var kept = new List<Found>();
        foreach (var one in found.OrderBy(f => SecretRules.RankOf(f.Rule)).ThenBy(f => f.Offset).ThenBy(f => f.Line))
        {
            var isKnown = kept.Exists(k => (k.Rule == one.Rule && k.Value == one.Value)
                || ((k.Line is not null || one.Line is not null ? k.Line == one.Line : k.Offset < one.Offset + one.Length && one.Offset < k.Offset + k.Length)
                    && (k.Value.Contains(one.Value, StringComparison.Ordinal) || one.Value.Contains(k.Value, StringComparison.Ordinal))));
            if (!isKnown)
            {
                kept.Add(one);
            }
        }

        return kept.OrderBy(k => k.Line).ThenBy(k => k.Offset);
    }

    /// <summary>What is packed is looked at unpacked. False: it is not packed.</summary>
    private bool Unpack(string path, string name, byte[] head, int have, Stream rest, int depth)
    {
        var start = head.AsSpan(0, have);
        var isZip = start.StartsWith("PK\u0003\u0004"u8);
        var isGzip = start.Length > 2 && start[0] == 0x1F && start[1] == 0x8B && start[2] == 8;
        var isBrotli = name.EndsWith(".br", StringComparison.OrdinalIgnoreCase) && start.Length > 0;
        var isTar = start.Length >= 512 && start[257..].StartsWith("ustar"u8);
        if (!isZip && !isGzip && !isBrotli && !isTar)
        {
            return false;
        }

        if (depth >= MostNested)
        {
            NotRead.Add((path, "it is an archive within archives"));
            return true;
        }

        Bytes -= start.Length; // counted unpacked
        var inside = path.Contains('!', StringComparison.Ordinal) ? path + "/" : path + "!/";
        try
        {
            using var all = new JoinedStream(new MemoryStream(head, 0, have, writable: false), rest);
            if (isZip)
            {
                ScanZip(all, inside, depth);
            }
            else if (isTar)
            {
                ScanTar(all, inside, depth + 1);
            }
            else
            {
                using Stream unpacked = isGzip ? new GZipStream(all, CompressionMode.Decompress) : new BrotliStream(all, CompressionMode.Decompress);
                Files--; // it is one file, packed or not
                Scan(path, isGzip && !name.EndsWith(".gz", StringComparison.OrdinalIgnoreCase) ? name : name[..^3], unpacked, depth + 1);
            }
        }
        catch (Exception e) when (TarGuard.IsNoTar(e))
        {
            NotRead.Add((path, "it can't be unpacked"));
        }

        return true;
    }

    private void ScanZip(Stream content, string inside, int depth)
    {
        using var whole = AsWhole(content);
        if (whole.Length > MostAsWhole)
        {
            throw new InvalidDataException();
        }

        using var zip = new ZipArchive(whole, ZipArchiveMode.Read);
        foreach (var entry in zip.Entries.Where(e => e.Length > 0))
        {
            using var unpacked = entry.Open();
            Scan(inside + entry.FullName, entry.FullName, unpacked, depth + 1);
        }
    }

    /// <summary>Content that can be read in any order: all of it, or a little more than <see cref="MostAsWhole"/>.</summary>
    private Stream AsWhole(Stream content)
    {
        Stream whole = new MemoryStream();
        try
        {
            var buffer = new byte[81920];
            int read;
            while (whole.Length <= MostAsWhole && (read = content.Read(buffer)) > 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (whole is MemoryStream memory && memory.Length + read > MostInMemory)
                {
                    whole = TemporaryFile();
                    memory.WriteTo(whole);
                }

                whole.Write(buffer, 0, read);
            }

            whole.Position = 0;
            return whole;
        }
        catch
        {
            whole.Dispose();
            throw;
        }
    }

    /// <summary>A file that only we can read, and that is gone with us, also if we are killed.</summary>
    private static FileStream TemporaryFile()
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.ReadWrite, Share = FileShare.Delete, Options = FileOptions.DeleteOnClose };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        var file = new FileStream(Path.Combine(Path.GetTempPath(), Path.GetRandomFileName()), options);
        if (!OperatingSystem.IsWindows())
        {
            File.Delete(file.Name);
        }

        return file;
    }

    private int Fill(Stream content, Span<byte> target, int depth)
    {
        var have = 0;
        while (have < target.Length)
        {
            cancellationToken.ThrowIfCancellationRequested();
            var read = content.Read(target[have..]);
            if (read == 0)
            {
                break;
            }

            have += read;
        }

        Bytes += have;
        _unpacked += depth > 0 ? have : 0;
        return _unpacked <= MostUnpacked ? have : throw new InvalidDataException();
    }

    /// <summary>Text with UTF-16's byte order mark as UTF-8; null: it has none.</summary>
    private static byte[]? ToUtf8(ReadOnlySpan<byte> content)
        => content.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]) ? Encoding.UTF8.GetBytes(Encoding.Unicode.GetString(content[2..]))
            : content.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]) ? Encoding.UTF8.GetBytes(Encoding.BigEndianUnicode.GetString(content[2..])) : null;

    // The same secret has the same fingerprint, whatever it is written in.
    private static string FromLatin1(string value) => value.All(char.IsAscii) ? value : Encoding.UTF8.GetString(Encoding.Latin1.GetBytes(value));

    /// <summary>Something in a file.</summary>
    private readonly record struct Found(SecretRule Rule, long Offset, int Length, int? Line, string Value);

    /// <summary>What is in one file: each secret where it was found first, and not more than anybody needs.</summary>
    private sealed class Findings
    {
        private readonly HashSet<(SecretRule Rule, string Value)> _known = [];
        private readonly List<Found> _all = [];

        public IReadOnlyList<Found> All => _all;

        public bool AreMore { get; private set; }

        public void Add(Found one)
        {
            if (!AreMore && _known.Add((one.Rule, one.Value)))
            {
                AreMore = _all.Count == MostFound;
                if (!AreMore)
                {
                    _all.Add(one);
                }
            }
        }
    }

    /// <summary>What was read already, and then the rest.</summary>
    private sealed class JoinedStream(Stream head, Stream rest) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override int Read(Span<byte> buffer)
        {
            var count = head.Read(buffer);
            return count > 0 || buffer.IsEmpty ? count : rest.Read(buffer);
        }

        public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
