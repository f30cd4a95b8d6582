#pragma warning disable MA0025 // stub
namespace Registry.Sdk.Core.Primitives;

/// <summary>One OCI image layout directory. Source: OCI image spec, image-layout.md; design section 3, «Destinations».</summary>
public sealed class LayoutRepository(LayoutDirectory layout) : IImageRepository
{
    /// <inheritdoc/>
    public ImagePlace Place => layout;

    /// <inheritdoc/>
    public string? CredentialSource => null;

    /// <inheritdoc/>
    public Task PingAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <inheritdoc/>
    public Task<ManifestContent?> GetManifestAsync(string reference, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <inheritdoc/>
    public Task<Digest?> FindManifestAsync(string reference, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <inheritdoc/>
    public Task<bool> HasBlobAsync(Descriptor blob, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <inheritdoc/>
    public Task<byte[]?> GetSmallBlobAsync(Descriptor blob, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <inheritdoc/>
    public Task<bool> CopyBlobToAsync(Descriptor blob, Stream target, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <inheritdoc/>
    public Task<bool> RepositoryExistsAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <inheritdoc/>
    public Task<UploadSession> StartUploadAsync(CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <inheritdoc/>
    public Task<UploadSession?> MountAsync(Digest digest, string fromRepository, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <inheritdoc/>
    public Task UploadAsync(UploadSession session, Descriptor blob, Func<Stream> open, IProgress<long>? progress, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <inheritdoc/>
    public Task CancelUploadAsync(UploadSession session, CancellationToken cancellationToken) => throw new NotImplementedException();

    /// <inheritdoc/>
    public Task PutManifestAsync(string reference, ManifestContent manifest, CancellationToken cancellationToken) => throw new NotImplementedException();
}
