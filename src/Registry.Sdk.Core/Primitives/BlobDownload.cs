using System.Security.Cryptography;

namespace Registry.Sdk.Core.Primitives;

/// <summary>A blob on its way here, over all the requests that it takes.</summary>
/// <param name="blob">What it should be.</param>
/// <param name="target">Receives the bytes, in order and each once.</param>
internal sealed class BlobDownload(Descriptor blob, Stream target) : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    /// <summary>What it should be.</summary>
    public Descriptor Blob { get; } = blob;

    /// <summary>Bytes that are here.</summary>
    public long Total { get; private set; }

    /// <summary>Takes the next bytes.</summary>
    /// <exception cref="IOException">The target can't be written.</exception>
    public async Task AddAsync(ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        await target.WriteAsync(bytes, cancellationToken).ConfigureAwait(false);
        _hash.AppendData(bytes.Span);
        Total += bytes.Length;
    }

    /// <summary>The digest of what came; once.</summary>
    public Digest Digest() => Primitives.Digest.FromHash(_hash.GetHashAndReset());

    /// <inheritdoc/>
    public void Dispose() => _hash.Dispose();
}
