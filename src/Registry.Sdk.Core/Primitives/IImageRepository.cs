namespace Registry.Sdk.Core.Primitives;

/// <summary>An open upload session.</summary>
/// <param name="Location">Absolute address that the blob is PUT to; in a layout directory the temporary file.</param>
/// <param name="MinChunkLength">Bytes that every chunk but the last has at least (<c>OCI-Chunk-Min-Length</c>); 0: any.</param>
public sealed record UploadSession(Uri Location, long MinChunkLength = 0);

/// <summary>
/// One repository, wherever it is: a registry over HTTP or an OCI layout directory. Manifests are found by tag or digest; everything read is
/// bounded and checked against its digest.
/// </summary>
/// <remarks>
/// Failures are <see cref="RegistryException"/>, <see cref="LayoutException"/> or <see cref="CredentialException"/>; <see cref="RegistryErrors"/>
/// knows them all.
/// </remarks>
public interface IImageRepository
{
    /// <summary>Where it is.</summary>
    ImagePlace Place { get; }

    /// <summary>Where the credential in use came from; null while anonymous, and where there are none.</summary>
    string? CredentialSource { get; }

    /// <summary>Bytes of blobs that had to be sent more than once, beyond those that count as sent.</summary>
    long BytesSentAgain => 0;

    /// <summary>Whether it can be talked to and, as far as reading shows, pushed to. Writes nothing.</summary>
    Task PingAsync(CancellationToken cancellationToken);

    /// <summary>The manifest under a tag or digest; null if there is none.</summary>
    Task<ManifestContent?> GetManifestAsync(string reference, CancellationToken cancellationToken);

    /// <summary>The digest under a tag or digest; null if there is none.</summary>
    Task<Digest?> FindManifestAsync(string reference, CancellationToken cancellationToken);

    /// <summary>Whether the repository holds a blob. A blob of another size is not the one that was meant.</summary>
    Task<bool> HasBlobAsync(Descriptor blob, CancellationToken cancellationToken);

    /// <summary>Reads a small blob (an image config) into memory; null if there is none.</summary>
    Task<byte[]?> GetSmallBlobAsync(Descriptor blob, CancellationToken cancellationToken);

    /// <summary>Streams a blob into <paramref name="target"/>; false if there is none. On failure the target holds rubbish.</summary>
    Task<bool> CopyBlobToAsync(Descriptor blob, Stream target, CancellationToken cancellationToken);

    /// <summary>Whether the repository is there for the credentials in use.</summary>
    Task<bool> RepositoryExistsAsync(CancellationToken cancellationToken);

    /// <summary>All tags, in whatever order they are kept; empty if the repository is not there.</summary>
    Task<IReadOnlyList<string>> ListTagsAsync(CancellationToken cancellationToken);

    /// <summary>Opens an upload session; by this the right to write is proven.</summary>
    Task<UploadSession> StartUploadAsync(CancellationToken cancellationToken);

    /// <summary>Asks for a blob to be taken over from another repository of the same registry.</summary>
    /// <returns>Null if it was; else the session that was opened instead.</returns>
    Task<UploadSession?> MountAsync(Digest digest, string fromRepository, CancellationToken cancellationToken);

    /// <summary>Sends a blob into a session.</summary>
    /// <param name="session">Used up by this.</param>
    /// <param name="blob">Digest and size of what is sent.</param>
    /// <param name="open">Opens the content from its beginning; may be called more than once.</param>
    /// <param name="progress">Receives the bytes sent so far.</param>
    /// <param name="cancellationToken">Stops the upload.</param>
    Task UploadAsync(UploadSession session, Descriptor blob, Func<Stream> open, IProgress<long>? progress, CancellationToken cancellationToken);

    /// <summary>Gives a session up.</summary>
    Task CancelUploadAsync(UploadSession session, CancellationToken cancellationToken);

    /// <summary>Writes a manifest under a tag or its digest.</summary>
    Task PutManifestAsync(string reference, ManifestContent manifest, CancellationToken cancellationToken);
}
