using System.Security.Cryptography;
using System.Text.Json;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>A file is not what it was when the bill was made.</summary>
/// <param name="file">The file.</param>
/// <param name="message">What is different.</param>
internal sealed class FileChangedException(BillFile file, string message) : Exception(message)
{
    public BillFile File { get; } = file;
}

/// <summary>Files of the bill as layers hold them: read only as what was billed.</summary>
internal static class VerifiedFile
{
    /// <summary>Reads a file whole; for small ones that are parsed.</summary>
    /// <exception cref="FileChangedException">It can't be read, or has other bytes than billed.</exception>
    public static async Task<byte[]> ReadAsync(BillFile file, CancellationToken cancellationToken)
    {
        byte[] content;
        if (!BoundedFile.IsThere(file))
        {
            throw new FileChangedException(file, $"it has no longer {file.Size} bytes");
        }

        try
        {
            content = file.Size == 0 ? [] : await File.ReadAllBytesAsync(file.SourcePath, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new FileChangedException(file, e.Message);
        }

        return Digest.Of(content) == file.Digest ? content : throw new FileChangedException(file, "its SHA-256 is another than in the bill");
    }

    /// <summary>The entry of a layer that a file becomes: times made stable, and content that holds file times too.</summary>
    /// <param name="file">The file.</param>
    /// <param name="prefix">The application's folder in the image, without leading slash, with one at the end; or empty.</param>
    /// <param name="all">The whole bill by path.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    public static async Task<LayerFile> ToLayerFileAsync(BillFile file, string prefix, IReadOnlyDictionary<string, BillFile> all, CancellationToken cancellationToken)
    {
        var path = prefix + file.Path;
        if (StableTimes.IsEndpointManifest(file))
        {
            var content = await ReadAsync(file, cancellationToken).ConfigureAwait(false);
            try
            {
                var normalised = StableTimes.NormaliseEndpointManifest(content, all);
                return new(path, normalised.Length, file.IsExecutable, StableTimes.For(file), () => new MemoryStream(normalised, writable: false));
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                // Not what the .NET SDK writes under that name: then it is a file like any other.
            }
        }

        return new(path, file.Size, file.IsExecutable, StableTimes.For(file), () => VerifyingStream.Open(file));
    }

    /// <summary>Reads a file of the bill and fails unless its bytes are the ones that were billed.</summary>
    private sealed class VerifyingStream : ReadThroughStream
    {
        private readonly BillFile _file;
        private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

        private VerifyingStream(BillFile file, Stream inner)
            : base(inner)
        {
            _file = file;
            if (file.Size == 0)
            {
                Check();
            }
        }

        // TarWriter asks for the length of what it may seek; it is the bill's, and checked.
        public override bool CanSeek => true;

        public override long Length => _file.Size;

        public static VerifyingStream Open(BillFile file)
        {
            try
            {
                // Not opened before it is known to be a file of this length: a pipe would wait for a writer, and has none.
                var length = new FileInfo(file.SourcePath).Length;
                return length == file.Size
                    ? new(file, length == 0 ? Null : new FileStream(file.SourcePath, new FileStreamOptions { Options = FileOptions.Asynchronous | FileOptions.SequentialScan }))
                    : throw new FileChangedException(file, $"it has {length} bytes instead of {file.Size}");
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new FileChangedException(file, e.Message);
            }
        }

        protected override void Saw(ReadOnlySpan<byte> bytes)
        {
            if (bytes.IsEmpty && Total < _file.Size)
            {
                throw new FileChangedException(_file, $"it ended after {Total} of {_file.Size} bytes");
            }

            if (!bytes.IsEmpty)
            {
                _hash.AppendData(bytes);
                if (Total >= _file.Size)
                {
                    Check();
                }
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _hash.Dispose();
            }

            base.Dispose(disposing);
        }

        private void Check()
        {
            if (Total > _file.Size || Digest.FromHash(_hash.GetHashAndReset()) != _file.Digest)
            {
                throw new FileChangedException(_file, "its SHA-256 is another than in the bill");
            }
        }
    }
}
