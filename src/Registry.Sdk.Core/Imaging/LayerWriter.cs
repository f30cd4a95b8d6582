using System.Formats.Tar;
using System.Runtime.InteropServices;
using System.Security.Cryptography;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>One regular file of a layer.</summary>
/// <param name="Path">Path in the image without leading slash.</param>
/// <param name="Size">Bytes.</param>
/// <param name="IsExecutable">Mode 0755 instead of 0644.</param>
/// <param name="Time">Modification time, whole seconds.</param>
/// <param name="Open">Opens the content.</param>
internal sealed record LayerFile(string Path, long Size, bool IsExecutable, DateTimeOffset Time, Func<Stream> Open);

/// <summary>A layer as it is in the folder of blobs.</summary>
/// <param name="DiffId">Digest of the uncompressed tar.</param>
/// <param name="Digest">Digest of the blob, and its file's name.</param>
/// <param name="Size">The blob's bytes.</param>
/// <param name="IsCompressedNow">Whether it had to be compressed; else its bytes are from the user's cache.</param>
internal sealed record WrittenLayer(Digest DiffId, Digest Digest, long Size, bool IsCompressedNow);

/// <summary>The files of a layer were not the same when they were read a second time.</summary>
internal sealed class LayerChangedException() : Exception("it was another when it was read again");

/// <summary>
/// Writes a layer, streamed: tar and gzip whose bytes depend on nothing but names, modes, times and content. Source: OCI image spec, layer.md.
/// </summary>
internal static class LayerWriter
{
    private const UnixFileMode Executable = (UnixFileMode)0b111_101_101;
    private const UnixFileMode Plain = (UnixFileMode)0b110_100_100;

    /// <summary>
    /// What decides the compressed bytes besides the tar's: this writer (count its first number up when it changes), level, block size, and whose
    /// deflate it is. That changes with the .NET version (measured), and where .NET is built from source (its RID names a distribution) is the system's.
    /// </summary>
    internal static string CacheKey { get; } = $"gzip1-{ParallelGzip.Level}-{ParallelGzip.BlockSize}-{Environment.Version}-{RuntimeInformation.RuntimeIdentifier}";

    /// <summary>Writes the files and their directories, sorted, as a blob; of <paramref name="directory"/>'s own parents none.</summary>
    /// <param name="files">Distinct paths, any order. Each is opened once or twice.</param>
    /// <param name="directory">A directory that exists even if it has no files, without leading slash; or empty.</param>
    /// <param name="blobs">Folder of blobs by the hex digits of their digest.</param>
    /// <param name="cache">Where compressed layers are kept.</param>
    /// <param name="cancellationToken">Stops at the next write.</param>
    /// <exception cref="LayerChangedException">A file changed while the layer was written.</exception>
    public static async Task<WrittenLayer> WriteAsync(IReadOnlyCollection<LayerFile> files, string directory, string blobs, ImageCache cache, CancellationToken cancellationToken)
    {
        var entries = Entries(files, directory);
        // To know what is in the layer costs a tenth of compressing it.
        var (diffId, length) = await WriteTarAsync(entries, Stream.Null, cancellationToken).ConfigureAwait(false);
        var temporary = WholeFile.Temporary(blobs);
        try
        {
            var isCached = true;
            if (await cache.TryCopyLayerAsync(diffId, length, CacheKey, temporary, cancellationToken).ConfigureAwait(false) is not var (digest, size))
            {
                isCached = false;
                (digest, size) = await CompressAsync(entries, diffId, temporary, cancellationToken).ConfigureAwait(false);
                await cache.AddLayerAsync(diffId, CacheKey, digest, temporary, cancellationToken).ConfigureAwait(false);
            }

            await WholeFile.PlaceAsync(temporary, Path.Combine(blobs, digest.Hex), cancellationToken).ConfigureAwait(false);
            return new(diffId, digest, size, !isCached);
        }
        finally
        {
            WholeFile.Discard(temporary);
        }
    }

    private static async Task<(Digest Digest, long Size)> CompressAsync(SortedDictionary<string, LayerFile?> entries, Digest diffId, string path, CancellationToken cancellationToken)
    {
        var file = new FileStream(path, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, BufferSize = 0, Options = FileOptions.Asynchronous });
        await using (file.ConfigureAwait(false))
        {
            using var compressed = new HashingStream(file);
            var gzip = new ParallelGzip(compressed);
            await using (gzip.ConfigureAwait(false))
            {
                var (again, _) = await WriteTarAsync(entries, gzip, cancellationToken).ConfigureAwait(false);
                if (again != diffId)
                {
                    throw new LayerChangedException();
                }

                await gzip.CompleteAsync(cancellationToken).ConfigureAwait(false);
            }

            return (compressed.Digest(), compressed.Total);
        }
    }

    private static async Task<(Digest DiffId, long Length)> WriteTarAsync(SortedDictionary<string, LayerFile?> entries, Stream target, CancellationToken cancellationToken)
    {
        using var uncompressed = new HashingStream(target);
        var tar = new TarWriter(uncompressed, TarEntryFormat.Gnu, leaveOpen: true);
        await using (tar.ConfigureAwait(false))
        {
            foreach (var (path, file) in entries)
            {
                await WriteEntryAsync(tar, path, file, cancellationToken).ConfigureAwait(false);
            }
        }

        return (uncompressed.Digest(), uncompressed.Total);
    }

    private static SortedDictionary<string, LayerFile?> Entries(IReadOnlyCollection<LayerFile> files, string directory)
    {
        // Directories end in '/', so ordinal order puts each before what it holds. Those above the application's are the base image's: an entry of
        // ours would take its owner, mode (/tmp, /root) or link (/bin, /lib) away.
        var entries = new SortedDictionary<string, LayerFile?>(StringComparer.Ordinal);
        var root = directory.Trim('/');
        AddParents(root + "/x");
        foreach (var file in files)
        {
            AddParents(file.Path);
            entries.Add(file.Path, file);
        }

        return entries;

        void AddParents(string path)
        {
            for (var slash = path.IndexOf('/', path.StartsWith(root + "/", StringComparison.Ordinal) ? root.Length : 0); slash > 0; slash = path.IndexOf('/', slash + 1))
            {
                entries.TryAdd(path[..(slash + 1)], null);
            }
        }
    }

    private static async Task WriteEntryAsync(TarWriter tar, string path, LayerFile? file, CancellationToken cancellationToken)
    {
        // GNU and not pax: .NET's pax headers carry the process id; and not ustar: it has no names beyond 255 bytes.
        var entry = new GnuTarEntry(file is null ? TarEntryType.Directory : TarEntryType.RegularFile, path)
        {
            ModificationTime = file?.Time ?? StableTimes.Constant,
            Mode = file is null || file.IsExecutable ? Executable : Plain,
            Uid = 0,
            Gid = 0,
        };
        if (file is null)
        {
            await tar.WriteEntryAsync(entry, cancellationToken).ConfigureAwait(false);
            return;
        }

        var content = file.Open();
        await using (content.ConfigureAwait(false))
        {
            entry.DataStream = content;
            await tar.WriteEntryAsync(entry, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Passes writes on and hashes them.</summary>
    private sealed class HashingStream(Stream inner) : WriteOnlyStream
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        public long Total { get; private set; }

        public Digest Digest() => Primitives.Digest.FromHash(_hash.GetHashAndReset());

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            _hash.AppendData(buffer.Span);
            Total += buffer.Length;
            return inner.WriteAsync(buffer, cancellationToken);
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _hash.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
