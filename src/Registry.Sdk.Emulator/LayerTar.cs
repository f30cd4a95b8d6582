using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;

namespace Registry.Sdk.Emulator;

/// <summary>
/// Collects a layer's entries and writes them so that equal content gives equal bytes: ordinal order, one constant time, given modes and
/// owners, and ustar, whose entries have no extended header (the pax one of .NET carries the process id).
/// </summary>
internal sealed class LayerTar
{
    private const UnixFileMode FolderMode = (UnixFileMode)0b111_101_101;
    private readonly SortedDictionary<string, Entry> _entries = new(StringComparer.Ordinal);

    public void AddFolder(string path, UnixFileMode mode = FolderMode, int owner = 0) =>
        Add(path, new Entry(TarEntryType.Directory, mode, owner, null, null));

    public void AddLink(string path, string target) =>
        Add(path, new Entry(TarEntryType.SymbolicLink, (UnixFileMode)0b111_111_111, 0, target, null));

    public void AddText(string path, string text) =>
        Add(path, new Entry(TarEntryType.RegularFile, (UnixFileMode)0b110_100_100, 0, null, () => new MemoryStream(Encoding.UTF8.GetBytes(text))));

    /// <summary>Adds a file of this machine; links are followed. Executable if it is an ELF file, whatever umask it was installed under.</summary>
    public void AddFile(string path, string source) => Add(
        path,
        new Entry(TarEntryType.RegularFile, IsElf(source) ? FolderMode : (UnixFileMode)0b110_100_100, 0, null, () => File.OpenRead(source)));

    public static bool IsElf(string path)
    {
        Span<byte> magic = stackalloc byte[4];
        using var file = File.OpenRead(path);
        return file.ReadAtLeast(magic, 4, throwOnEndOfStream: false) == 4 && magic.SequenceEqual("\u007fELF"u8);
    }

    public BaseImageLayer Write(string path, string mediaType, DateTimeOffset time, CancellationToken cancellationToken)
    {
        using var compressedHash = SHA256.Create();
        using var plainHash = SHA256.Create();
        using (var file = File.Create(path))
        using (var compressed = new CryptoStream(file, compressedHash, CryptoStreamMode.Write))
        using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest))
        using (var plain = new CryptoStream(gzip, plainHash, CryptoStreamMode.Write))
        using (var tar = new TarWriter(plain, TarEntryFormat.Ustar))
        {
            foreach (var (name, entry) in _entries)
            {
                cancellationToken.ThrowIfCancellationRequested();
                using var content = entry.Open?.Invoke();
                var written = new UstarTarEntry(entry.Type, entry.Type == TarEntryType.Directory ? name + "/" : name)
                {
                    Mode = entry.Mode,
                    Uid = entry.Owner,
                    Gid = entry.Owner,
                    ModificationTime = time,
                };
                if (entry.Target is { } target)
                {
                    written.LinkName = target;
                }

                if (content is not null)
                {
                    written.DataStream = content;
                }

                tar.WriteEntry(written);
            }
        }

        return new BaseImageLayer(
            path, mediaType, ImageReference.Digest(compressedHash.Hash), ImageReference.Digest(plainHash.Hash), new FileInfo(path).Length);
    }

    private void Add(string path, Entry entry)
    {
        path = path.Trim('/');
        _entries[path] = entry;
        for (var slash = path.LastIndexOf('/'); slash > 0; slash = path.LastIndexOf('/', slash - 1))
        {
            _entries.TryAdd(path[..slash], new Entry(TarEntryType.Directory, FolderMode, 0, null, null));
        }
    }

    private sealed record Entry(TarEntryType Type, UnixFileMode Mode, int Owner, string? Target, Func<Stream>? Open);
}
