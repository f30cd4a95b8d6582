#pragma warning disable CA1822 // stub
namespace Registry.Sdk.Core.Primitives;

/// <summary>The user's cache; stub until it is merged.</summary>
public sealed class ImageCache
{
    /// <summary>No cache.</summary>
    public static ImageCache None { get; } = new();

    /// <summary>Stub.</summary>
    public Task<byte[]?> TryReadBlobAsync(Digest digest, int maximumBytes, CancellationToken cancellationToken) => Task.FromResult<byte[]?>(null);

    /// <summary>Stub.</summary>
    public Task AddBlobAsync(Digest digest, byte[] content, CancellationToken cancellationToken) => Task.CompletedTask;
}
