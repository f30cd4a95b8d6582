namespace Registry.Sdk.Core.Primitives;

/// <summary>Blobs as files on this machine.</summary>
internal static class BlobFile
{
    /// <summary>Whether a file is that blob. What an earlier publish fetched is hashed again before it is believed.</summary>
    public static async Task<bool> IsWholeAsync(string path, Descriptor blob, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
        {
            return false;
        }

        var file = File.OpenRead(path);
        await using (file.ConfigureAwait(false))
        {
            return file.Length == blob.Size && await Digest.OfAsync(file, cancellationToken).ConfigureAwait(false) == blob.Digest;
        }
    }

    /// <summary>Fetches a blob into a new file, checked.</summary>
    /// <param name="repository">From where.</param>
    /// <param name="blob">What.</param>
    /// <param name="place">The same place, for messages.</param>
    /// <param name="path">The file to be; it may be left in part if this fails.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="RegistryException">WrongContent if it is not there; and what a fetch fails with.</exception>
    public static async Task DownloadAsync(IImageRepository repository, Descriptor blob, ImagePlace place, string path, CancellationToken cancellationToken)
    {
        var file = new FileStream(path, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Options = FileOptions.Asynchronous });
        await using (file.ConfigureAwait(false))
        {
            if (!await repository.CopyBlobToAsync(blob, file, cancellationToken).ConfigureAwait(false))
            {
                throw RegistryErrors.WrongContent(place, $"its layer {blob.Digest} is not there.");
            }
        }
    }
}
