using System.Formats.Tar;
using System.IO.Compression;
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

/// <summary>
/// Writes a layer, streamed: tar and gzip whose bytes depend on nothing but names, modes, times and content. Source: OCI image spec, layer.md.
/// </summary>
internal static class LayerWriter
{
    /// <summary>
    /// zlib-ng's deflate depends on how much each write brings (feasibility-layers, finding 1), so it is fed blocks of one size only.
    /// </summary>
    internal const int BlockSize = 1 << 20;

    private const UnixFileMode Executable = (UnixFileMode)0b111_101_101;
    private const UnixFileMode Plain = (UnixFileMode)0b110_100_100;

    /// <summary>Writes the files and their parent directories, sorted, and returns what the manifest needs.</summary>
    /// <param name="files">Distinct paths, any order.</param>
    /// <param name="directory">A directory that exists even if it has no files, without leading slash; or empty.</param>
    /// <param name="blobPath">File to write.</param>
    /// <param name="cancellationToken">Stops between files.</param>
    public static async Task<(Digest DiffId, Digest Digest, long Size)> WriteAsync(IReadOnlyCollection<LayerFile> files, string directory, string blobPath, CancellationToken cancellationToken)
    {
        var file = new FileStream(blobPath, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Options = FileOptions.Asynchronous });
        await using (file.ConfigureAwait(false))
        {
            using var compressed = new HashingStream(file);
            Digest diffId;
            // Optimal, level 6: its ratio; write-size dependence is met by the blocks.
            var gzip = new GZipStream(compressed, CompressionLevel.Optimal, leaveOpen: true);
            await using (gzip.ConfigureAwait(false))
            {
                using var blocks = new BlockStream(gzip, BlockSize);
                using var uncompressed = new HashingStream(blocks);
                var tar = new TarWriter(uncompressed, TarEntryFormat.Gnu, leaveOpen: true);
                await using (tar.ConfigureAwait(false))
                {
                    foreach (var (path, entryFile) in Entries(files, directory))
                    {
                        await WriteEntryAsync(tar, path, entryFile, cancellationToken).ConfigureAwait(false);
                    }
                }

                blocks.Complete();
                diffId = uncompressed.Digest();
            }

            await file.FlushAsync(cancellationToken).ConfigureAwait(false);
            return (diffId, compressed.Digest(), compressed.Total);
        }
    }

    private static SortedDictionary<string, LayerFile?> Entries(IReadOnlyCollection<LayerFile> files, string directory)
    {
        // Directories end in '/', so ordinal order puts each before what it holds.
        var entries = new SortedDictionary<string, LayerFile?>(StringComparer.Ordinal);
        AddParents(directory.Trim('/') + "/x");
        foreach (var file in files)
        {
            AddParents(file.Path);
            entries.Add(file.Path, file);
        }

        return entries;

        void AddParents(string path)
        {
            for (var slash = path.IndexOf('/', StringComparison.Ordinal); slash > 0; slash = path.IndexOf('/', slash + 1))
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

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            _hash.AppendData(buffer);
            Total += buffer.Length;
            inner.Write(buffer);
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

    /// <summary>Collects writes of any size and passes on blocks of one size; the last may be shorter.</summary>
    internal sealed class BlockStream(Stream inner, int size) : WriteOnlyStream
    {
        private readonly byte[] _block = new byte[size];
        private int _filled;

        public override void Write(ReadOnlySpan<byte> buffer)
        {
            while (buffer.Length > 0)
            {
                var take = Math.Min(buffer.Length, _block.Length - _filled);
                buffer[..take].CopyTo(_block.AsSpan(_filled));
                _filled += take;
                buffer = buffer[take..];
                if (_filled == _block.Length)
                {
                    Complete();
                }
            }
        }

        public void Complete()
        {
            if (_filled > 0)
            {
                inner.Write(_block, 0, _filled);
                _filled = 0;
            }
        }
    }

    /// <summary>The members that a stream has to have and these do not need.</summary>
    internal abstract class WriteOnlyStream : Stream
    {
        public sealed override bool CanRead => false;

        public sealed override bool CanSeek => false;

        public sealed override bool CanWrite => true;

        public sealed override long Length => throw new NotSupportedException();

        public sealed override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public abstract override void Write(ReadOnlySpan<byte> buffer);

        public sealed override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

        public sealed override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
        {
            Write(buffer.AsSpan(offset, count));
            return Task.CompletedTask;
        }

        public sealed override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            Write(buffer.Span);
            return ValueTask.CompletedTask;
        }

        public sealed override void Flush()
        {
            // Nothing: flushing would make block borders depend on who flushes.
        }

        public sealed override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public sealed override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public sealed override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public sealed override void SetLength(long value) => throw new NotSupportedException();
    }
}
