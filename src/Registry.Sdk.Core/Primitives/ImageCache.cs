using System.Buffers;
using System.IO.Compression;
using System.Runtime.ExceptionServices;
using System.Security.Cryptography;

namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// The user's cache of what images are made of: blobs of base images by digest, and our compressed layers by the digest of what is in them.
/// </summary>
/// <remarks>
/// It is believed only after it was hashed again, and it never is an error: whatever goes wrong in it (no folder, no right, a full disk, another
/// process that is faster) means «not there». Any number of processes may use one folder: files appear by rename and are only ever deleted whole.
/// What is not named like the cache's own files is never touched, and links to other folders are not followed: the folder may be one with other things.
/// </remarks>
public sealed class ImageCache
{
    private const string Blobs = "blobs";
    private const string Layers = "layers";
    private const int HashLength = 32;
    private const int ChunkLength = 1 << 17;

    // A copy of that age is of a process that was killed, or hangs.
    private static readonly TimeSpan KeepTemporary = TimeSpan.FromHours(1);

    private readonly string? _directory;
    private readonly long _maximumBytes;

    /// <summary>A cache in a folder, which is made when something is put in.</summary>
    /// <param name="directory">Absolute path; anything else is no cache.</param>
    /// <param name="maximumBytes">What <see cref="Trim"/> leaves at most; 0: no cache.</param>
    public ImageCache(string directory, long maximumBytes)
    {
        ArgumentNullException.ThrowIfNull(directory);
        _directory = maximumBytes > 0 && Path.IsPathFullyQualified(directory) && !directory.Contains('\0', StringComparison.Ordinal) ? directory : null;
        _maximumBytes = maximumBytes;
    }

    /// <summary>No cache: nothing is there, and nothing is kept.</summary>
    public static ImageCache None { get; } = new(string.Empty, 0);

    /// <summary>Absolute path of its folder, for what else is kept there (notes of where blobs lie); null: no cache.</summary>
    internal string? Root => _directory;

    /// <summary>
    /// Where the cache is if the user does not say: <c>registry-sdk</c> below <c>XDG_CACHE_HOME</c> or <c>~/.cache</c>, on Windows below the user's
    /// local application data. Source: XDG Base Directory Specification. Null: nowhere.
    /// </summary>
    /// <param name="isWindows">Whether this is Windows.</param>
    /// <param name="variable">Reads an environment variable.</param>
    public static string? DefaultDirectory(bool isWindows, Func<string, string?> variable)
    {
        ArgumentNullException.ThrowIfNull(variable);
        // Relative paths are invalid there, says the specification.
        var root = isWindows ? Absolute("LOCALAPPDATA") : Absolute("XDG_CACHE_HOME") ?? (Absolute("HOME") is { } home ? Path.Combine(home, ".cache") : null);
        return root is null ? null : Path.Combine(root, "registry-sdk");

        string? Absolute(string name) => variable(name) is { } value && Path.IsPathFullyQualified(value) ? value : null;
    }

    /// <summary>Copies a blob. True if it was there and is what its digest says; a wrong one is deleted.</summary>
    /// <param name="blob">The blob wanted.</param>
    /// <param name="target">A temporary file of the caller's, made or emptied here; what is in it counts only if the answer is true.</param>
    /// <param name="cancellationToken">Stops the copy.</param>
    /// <exception cref="IOException">The target can't be written.</exception>
    public async Task<bool> TryCopyBlobAsync(Descriptor blob, string target, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(blob);
        var copied = await UseAsync<object>(Blobs, blob.Digest.Hex, async entry =>
        {
            if (entry.Length != blob.Size)
            {
                return null;
            }

            using var tee = new Tee(entry, Create(target));
            await tee.FinishAsync(cancellationToken).ConfigureAwait(false);
            return tee.Digest() == blob.Digest ? blob : null;
        }).ConfigureAwait(false);
        return copied is not null;
    }

    /// <summary>Reads a small blob; null if it is not there, is larger, or is not what its digest says, in which case it is deleted.</summary>
    public async Task<byte[]?> TryReadBlobAsync(Digest digest, int maximumBytes, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(digest);
        var isTooLarge = false;
        var content = await UseAsync(Blobs, digest.Hex, async entry =>
        {
            if (entry.Length > maximumBytes)
            {
                isTooLarge = true;
                return []; // no reason to delete it
            }

            var bytes = new byte[entry.Length];
            await entry.ReadExactlyAsync(bytes, cancellationToken).ConfigureAwait(false);
            return Digest.Of(bytes) == digest ? bytes : null;
        }).ConfigureAwait(false);
        return isTooLarge ? null : content;
    }

    /// <summary>Keeps a copy of a blob that is in a file.</summary>
    public Task AddBlobAsync(Digest digest, string file, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(digest);
        return AddAsync(Blobs, digest.Hex, [], () => OpenRead(file), cancellationToken);
    }

    /// <summary>Keeps a copy of a blob that is in memory.</summary>
    public Task AddBlobAsync(Digest digest, byte[] content, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(digest);
        return AddAsync(Blobs, digest.Hex, [], () => new MemoryStream(content, writable: false), cancellationToken);
    }

    /// <summary>
    /// Copies a compressed layer. It is what was put in, byte for byte (a hash kept with it: other gzip bytes can hold the same layer), and it holds
    /// what was asked for (it is decompressed); anything else is deleted and is not there.
    /// </summary>
    /// <param name="diffId">Digest of the uncompressed layer.</param>
    /// <param name="length">Its bytes.</param>
    /// <param name="key">What else decides the compressed bytes; letters, digits, <c>.</c>, <c>-</c> and <c>_</c>.</param>
    /// <param name="target">As in <see cref="TryCopyBlobAsync"/>.</param>
    /// <param name="cancellationToken">Stops the copy.</param>
    /// <exception cref="IOException">The target can't be written.</exception>
    internal async Task<(Digest Digest, long Size)?> TryCopyLayerAsync(Digest diffId, long length, string key, string target, CancellationToken cancellationToken)
    {
        var copied = await UseAsync(Layers, LayerName(diffId, key), async entry =>
        {
            var expected = new byte[HashLength];
            await entry.ReadExactlyAsync(expected, cancellationToken).ConfigureAwait(false);
            using var tee = new Tee(entry, Create(target));
            var gzip = new GZipStream(tee, CompressionMode.Decompress, leaveOpen: true);
            await using (gzip.ConfigureAwait(false))
            {
                using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
                var buffer = new byte[ChunkLength];
                int read;
                // Few bytes can stand for very many: what is longer than it may be is not read to its end.
                for (; length >= 0 && (read = await gzip.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0; length -= read)
                {
                    hash.AppendData(buffer, 0, read);
                }

                if (length != 0 || Digest.FromHash(hash.GetHashAndReset()) != diffId)
                {
                    return null;
                }
            }

            await tee.FinishAsync(cancellationToken).ConfigureAwait(false);
            var digest = tee.Digest();
            return digest == Digest.FromHash(expected) ? Tuple.Create(digest, tee.Position) : null;
        }).ConfigureAwait(false);
        return copied is null ? null : (copied.Item1, copied.Item2);
    }

    /// <summary>Keeps a copy of a compressed layer; <paramref name="digest"/> is that of the file.</summary>
    internal Task AddLayerAsync(Digest diffId, string key, Digest digest, string file, CancellationToken cancellationToken)
        => AddAsync(Layers, LayerName(diffId, key), Convert.FromHexString(digest.Hex), () => OpenRead(file), cancellationToken);

    /// <summary>Deletes what was not used for longest until the limit is kept, and what killed processes left.</summary>
    public void Trim()
    {
        var now = DateTime.UtcNow;
        var entries = new List<(FileInfo File, long Length, DateTime Used)>();
        foreach (var folder in new[] { Blobs, Layers })
        {
            if (Folder(folder) is not { } path)
            {
                continue;
            }

            Attempt(() =>
            {
                foreach (var file in new DirectoryInfo(path).EnumerateFiles())
                {
                    // A file that another process deletes meanwhile has no length: that is one thing less to delete.
                    Attempt(() =>
                    {
                        if (file.LinkTarget is not null || !file.Exists)
                        {
                            return;
                        }

                        if (WholeFile.IsTemporary(file.Name))
                        {
                            if (now - file.LastWriteTimeUtc > KeepTemporary)
                            {
                                file.Delete();
                            }
                        }
                        else if (folder == Blobs ? IsBlobName(file.Name) : IsLayerName(file.Name))
                        {
                            // A clock that was wrong once must not keep a file for years.
                            entries.Add((file, file.Length, file.LastWriteTimeUtc > now.AddHours(1) ? DateTime.MinValue : file.LastWriteTimeUtc));
                        }
                    });
                }
            });
        }

        var total = entries.Sum(e => e.Length);
        foreach (var (file, length, _) in entries.OrderBy(e => e.Used).ThenBy(e => e.File.Name, StringComparer.Ordinal).TakeWhile(_ => total > _maximumBytes))
        {
            if (Attempt(file.Delete))
            {
                total -= length;
            }
        }
    }

    private static string LayerName(Digest diffId, string key)
        => IsKey(key) ? $"{diffId.Hex}-{key}" : throw new ArgumentException($"'{key}' can't be part of a file name everywhere.", nameof(key));

    private static bool IsBlobName(ReadOnlySpan<char> name) => name.Length == 2 * HashLength && !name.ContainsAnyExcept("0123456789abcdef");

    private static bool IsLayerName(string name)
        => name.Length > 2 * HashLength && IsBlobName(name.AsSpan(0, 2 * HashLength)) && name[2 * HashLength] == '-' && IsKey(name.AsSpan(2 * HashLength + 1));

    private static bool IsKey(ReadOnlySpan<char> key)
        => key.Length is > 0 and < 100 && !key.ContainsAnyExcept("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-_");

    /// <summary>Does it, or not. What a cache can't do is no reason to fail.</summary>
    private static bool Attempt(Action action)
    {
        try
        {
            action();
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    // The owner's alone, as the files in it: they may be of a private image.
    private static void CreateFolder(string path)
    {
        if (OperatingSystem.IsWindows())
        {
            Directory.CreateDirectory(path);
        }
        else
        {
            Directory.CreateDirectory(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }
    }

    private static FileStream OpenRead(string path)
        => new(path, new FileStreamOptions { Share = FileShare.Read | FileShare.Delete, BufferSize = 0, Options = FileOptions.Asynchronous | FileOptions.SequentialScan });

    private static FileStream Create(string target)
    {
        try
        {
            return new(target, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, BufferSize = 0 });
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new TargetException(e);
        }
    }

    /// <summary>A folder of the cache; null if there is no cache, or if somebody made it a link to elsewhere.</summary>
    private string? Folder(string name)
    {
        if (_directory is null)
        {
            return null;
        }

        var path = Path.Combine(_directory, name);
        var isLink = true;
        Attempt(() => isLink = new DirectoryInfo(path).LinkTarget is not null);
        return isLink ? null : path;
    }

    /// <summary>Opens an entry, lets it be used, and notes that it was; deletes it if the answer is null.</summary>
    private async Task<T?> UseAsync<T>(string folder, string name, Func<FileStream, Task<T?>> use)
        where T : class
    {
        if (Folder(folder) is not { } directory)
        {
            return null;
        }

        var path = Path.Combine(directory, name);
        FileStream entry;
        try
        {
            if (new FileInfo(path).Length == 0)
            {
                return null; // nothing of ours is empty, and a pipe would not open
            }

            entry = OpenRead(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }

        T? result;
        await using (entry.ConfigureAwait(false))
        {
            try
            {
                result = await use(entry).ConfigureAwait(false);
            }
            catch (TargetException e)
            {
                ExceptionDispatchInfo.Throw(e.InnerException!);
                throw;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or InvalidDataException)
            {
                result = null;
            }
        }

        Attempt(() =>
        {
            if (result is null)
            {
                File.Delete(path);
            }
            else
            {
                File.SetLastWriteTimeUtc(path, DateTime.UtcNow);
            }
        });
        return result;
    }

    private async Task AddAsync(string folder, string name, byte[] head, Func<Stream> open, CancellationToken cancellationToken)
    {
        if (Folder(folder) is not { } directory)
        {
            return;
        }

        try
        {
            var content = open();
            await using (content.ConfigureAwait(false))
            {
                var path = Path.Combine(directory, name);
                var length = head.Length + content.Length;
                // One that is there and wrong is found out, and deleted, when it is used.
                if (length == 0 || length > _maximumBytes || (new FileInfo(path) is { Exists: true } present && present.Length == length))
                {
                    return;
                }

                CreateFolder(_directory!);
                CreateFolder(directory);
                await WholeFile.WriteAsync(path, temporary => WriteEntryAsync(temporary, head, content, cancellationToken), cancellationToken).ConfigureAwait(false);
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Then it is not kept.
        }
    }

    private static async Task WriteEntryAsync(string path, byte[] head, Stream content, CancellationToken cancellationToken)
    {
        var options = new FileStreamOptions { Mode = FileMode.CreateNew, Access = FileAccess.Write, BufferSize = 0, Options = FileOptions.Asynchronous };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        var file = new FileStream(path, options);
        await using (file.ConfigureAwait(false))
        {
            await file.WriteAsync(head, cancellationToken).ConfigureAwait(false);
            await content.CopyToAsync(file, ChunkLength, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>The target of a copy can't be written: the one failure that is not the cache's.</summary>
    private sealed class TargetException(Exception inner) : Exception(inner.Message, inner);

    /// <summary>Reads an entry, copies what is read to a target that it owns, and hashes it.</summary>
    private sealed class Tee(Stream entry, FileStream target) : ReadThroughStream(entry)
    {
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        /// <summary>Digest of all that was read.</summary>
        public Digest Digest() => Primitives.Digest.FromHash(_hash.GetHashAndReset());

        /// <summary>Reads what is left.</summary>
        public async Task FinishAsync(CancellationToken cancellationToken)
        {
            var buffer = ArrayPool<byte>.Shared.Rent(ChunkLength);
            try
            {
                while (await ReadAsync(buffer, cancellationToken).ConfigureAwait(false) > 0)
                {
                }
            }
            finally
            {
                ArrayPool<byte>.Shared.Return(buffer);
            }
        }

        protected override void Saw(ReadOnlySpan<byte> bytes)
        {
            _hash.AppendData(bytes);
            try
            {
                target.Write(bytes);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new TargetException(e);
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                target.Dispose();
                _hash.Dispose();
            }

            base.Dispose(disposing);
        }
    }
}
