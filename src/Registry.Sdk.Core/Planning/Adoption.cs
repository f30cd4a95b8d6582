using System.Buffers.Binary;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;

namespace Registry.Sdk.Core.Planning;

/// <summary>An image that is at a destination under an immutable tag of this build: ours, in other compressed bytes.</summary>
/// <param name="Image">The same content under the digest that is there.</param>
/// <param name="At">The destination and tag.</param>
public sealed record AdoptedImage(EditionImage Image, string At);

/// <summary>
/// The same files compress to other bytes under another .NET version (measured). An immutable tag that names the same image in other bytes is no
/// conflict: the digest that is there is taken for this build's, at all destinations.
/// </summary>
/// <remarks>
/// «The same» is: the configs are equal byte for byte, so the digests of the uncompressed layers are; the base image's layers are the very same; and
/// every layer of ours that differs was fetched, and unpacks to what the config says; manifests say nothing else than ours would. So nothing goes to another destination that was not composed,
/// held against the wall and searched here.
/// </remarks>
public static class Adoption
{
    private const int ChunkLength = 1 << 17;

    // gzip's fixed parts, and what is read byte by byte at the end of a file: more than the trailer, or what ended before it would not be told.
    private const int HeaderLength = 10;
    private const int TrailerLength = 8;
    private const int EndingLength = 64;

    // Magic, deflate, and no flag: no name, no comment, nothing extra.
    private static readonly byte[] Start = [0x1f, 0x8b, 8, 0];

    /// <summary>Looks at the immutable tags of one edition's destinations. Reads only, and writes into the layout what was fetched.</summary>
    /// <param name="edition">The image that was composed.</param>
    /// <param name="version">Output of the Versioning stage.</param>
    /// <param name="destinations">The destinations that take the edition's image, in the project's order.</param>
    /// <param name="overwriteTags"><c>RegistrySdkOverwriteTag</c>: who wants a tag to name something else wants no old bytes.</param>
    /// <param name="connections">Connections with the user's credentials.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    /// <returns>The image that is there, or null: ours stays.</returns>
    /// <exception cref="IOException">The layout can't be written.</exception>
    public static async Task<AdoptedImage?> FindAsync(
        EditionImage edition, VersionFacts version, IReadOnlyList<Destination> destinations, IReadOnlySet<string> overwriteTags, RegistryConnections connections, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(edition);
        ArgumentNullException.ThrowIfNull(version);
        ArgumentNullException.ThrowIfNull(destinations);
        ArgumentNullException.ThrowIfNull(overwriteTags);
        ArgumentNullException.ThrowIfNull(connections);
        if (edition.Image.ReleasedAt is not null || version.IsDirty)
        {
            return null;
        }

        foreach (var destination in destinations)
        {
            foreach (var tag in PlanningStage.TagsFor(destination, version).Where(t => !t.Floating && !overwriteTags.Contains(t.Name)))
            {
                try
                {
                    var client = connections.Open(destination.Place);
                    await client.PingAsync(cancellationToken).ConfigureAwait(false);
                    if (await client.FindManifestAsync(tag.Name, cancellationToken).ConfigureAwait(false) is not { } digest || digest == edition.Digest)
                    {
                        continue;
                    }

                    if (await ReadAsync(edition.Image, digest, destination, connections, cancellationToken).ConfigureAwait(false) is { } image)
                    {
                        return new(edition with { Image = image }, $"{destination}:{tag.Name}");
                    }
                }
                catch (Exception e) when (RegistryErrors.Know(e))
                {
                    // Planning meets the same failure, and says whose it is.
                }
            }
        }

        return null;
    }

    private static async Task<ComposedImage?> ReadAsync(ComposedImage ours, Digest digest, Destination destination, RegistryConnections connections, CancellationToken cancellationToken)
    {
        // Before anything is fetched: whether it can be the same.
        var client = connections.Open(destination.Place);
        if (await EarlierImage.ReadAsync(client, digest, cancellationToken).ConfigureAwait(false) is not { } seen
            || !seen.Platforms.Select(p => p.Config.Digest).SequenceEqual(ours.Platforms.Select(p => p.Config.Digest))
            || await new ReleasedImageSource(connections).ReadAsync(destination.Place, digest, ours.Platforms.Count, ours.LayoutDirectory, cancellationToken).ConfigureAwait(false) is not { } theirs)
        {
            return null;
        }

        var platforms = new List<PlatformImage>();
        foreach (var (mine, other) in ours.Platforms.Zip(theirs.Platforms))
        {
            if (mine.Config != other.Config || mine.Layers.Count != other.Layers.Count)
            {
                return null;
            }

            var layers = new List<ComposedLayer>();
            foreach (var (layer, there) in mine.Layers.Zip(other.Layers))
            {
                if (layer.Descriptor == there.Descriptor)
                {
                    layers.Add(layer);
                }
                else if (!layer.IsFromBase && layer.Descriptor.MediaType == there.Descriptor.MediaType
                    && await FetchAsync(ours, layer, there.Descriptor, client, cancellationToken).ConfigureAwait(false))
                {
                    layers.Add(layer with { Descriptor = there.Descriptor, Origin = LayerOrigin.Released });
                }
                else
                {
                    return null;
                }
            }

            if (!IsSame(mine.Manifest, other.Manifest, "layers"))
            {
                return null;
            }

            platforms.Add(mine with { Manifest = other.Manifest, Layers = layers });
        }

        if (platforms.Count > 1 && !IsSame(ours.Manifest, theirs.Manifest, "manifests"))
        {
            return null;
        }

        var image = ours with { Manifest = theirs.Manifest, Platforms = platforms };
        await ReleasedImageSource.WriteAsync(image, cancellationToken).ConfigureAwait(false);
        return image;
    }

    /// <summary>Whether two manifests, or two indexes, say the same but for digests and sizes of what they name.</summary>
    private static bool IsSame(ManifestContent ours, ManifestContent theirs, string list)
    {
        var (mine, other) = (RegistryJson.Parse(ours.Content), RegistryJson.Parse(theirs.Content));
        if (mine?[list] is not JsonArray own || other?[list] is not JsonArray there || own.Count != there.Count || ours.Descriptor.MediaType != theirs.Descriptor.MediaType)
        {
            return false;
        }

        foreach (var (entry, named) in own.Zip(there))
        {
            (entry!["digest"], entry["size"]) = (named!["digest"]!.DeepClone(), named["size"]!.DeepClone());
        }

        return JsonNode.DeepEquals(mine, other);
    }

    /// <summary>Fetches a layer into the layout and unpacks it; false if it is not there, or is not what it is said to be.</summary>
    private static async Task<bool> FetchAsync(ComposedImage ours, ComposedLayer layer, Descriptor blob, IImageRepository client, CancellationToken cancellationToken)
    {
        // No deflate makes twice of it; what says to be larger is not fetched to be refused.
        if (blob.Size > (2 * layer.Descriptor.Size) + ChunkLength)
        {
            return false;
        }

        var length = await UnpackAsync(ours.BlobPath(layer.Descriptor.Digest), long.MaxValue, cancellationToken).ConfigureAwait(false) is var (mine, bytes) && mine == layer.DiffId ? bytes : 0;
        var path = ours.BlobPath(blob.Digest);
        if (File.Exists(path) && await IsAsync(path).ConfigureAwait(false))
        {
            return true;
        }

        var temporary = WholeFile.Temporary(Path.GetDirectoryName(path)!);
        try
        {
            var file = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Options = FileOptions.Asynchronous });
            await using (file.ConfigureAwait(false))
            {
                if (!await client.CopyBlobToAsync(blob, file, cancellationToken).ConfigureAwait(false))
                {
                    return false;
                }
            }

            if (!await IsAsync(temporary).ConfigureAwait(false))
            {
                return false;
            }

            await WholeFile.PlaceAsync(temporary, path, cancellationToken).ConfigureAwait(false);
            return true;
        }
        finally
        {
            WholeFile.Discard(temporary);
        }

        async Task<bool> IsAsync(string file)
        {
            var compressed = File.OpenRead(file);
            await using (compressed.ConfigureAwait(false))
            {
                if (await Digest.OfAsync(compressed, cancellationToken).ConfigureAwait(false) != blob.Digest)
                {
                    return false;
                }
            }

            return await UnpackAsync(file, length, cancellationToken).ConfigureAwait(false) is var (diffId, _) && diffId == layer.DiffId;
        }
    }

    /// <summary>
    /// Digest and length of what a gzip file unpacks to; null if it is none as we write them, or longer than it may be: few bytes can stand for very many.
    /// As we write them is one member, nothing in its header, and nothing after its end: readers differ in what they make of anything else, and what
    /// .NET reads over would go to the other destinations unseen. Source: RFC 1952.
    /// </summary>
    private static async Task<(Digest DiffId, long Length)?> UnpackAsync(string path, long most, CancellationToken cancellationToken)
    {
        var compressed = new EndingStream(File.OpenRead(path));
        await using (compressed.ConfigureAwait(false))
        {
            var header = new byte[HeaderLength];
            if (await compressed.ReadAtLeastAsync(header, header.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false) != header.Length
                || !header.AsSpan().StartsWith(Start))
            {
                return null;
            }

            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var (length, crc) = (0L, 0u);
            var deflate = new DeflateStream(compressed, CompressionMode.Decompress, leaveOpen: true);
            await using (deflate.ConfigureAwait(false))
            {
                var buffer = new byte[ChunkLength];
                try
                {
                    for (int read; (read = await deflate.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0;)
                    {
                        hash.AppendData(buffer, 0, read);
                        crc = Crc32.Append(crc, buffer.AsSpan(0, read));
                        length += read;
                        if (length > most)
                        {
                            return null;
                        }
                    }
                }
                catch (InvalidDataException)
                {
                    return null;
                }
            }

            var trailer = new byte[TrailerLength];
            return await compressed.ReadAtLeastAsync(trailer, trailer.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false) == trailer.Length
                && BinaryPrimitives.ReadUInt32LittleEndian(trailer) == crc && BinaryPrimitives.ReadUInt32LittleEndian(trailer.AsSpan(4)) == unchecked((uint)length)
                && await compressed.ReadAsync(trailer, cancellationToken).ConfigureAwait(false) == 0
                ? (Digest.FromHash(hash.GetHashAndReset()), length)
                : null;
        }
    }

    /// <summary>A file whose last part is given byte by byte: who reads ahead, as DeflateStream does, has read no more of it than there was to read.</summary>
    private sealed class EndingStream(FileStream file) : ReadThroughStream(file)
    {
        private readonly long _ending = file.Length - EndingLength;

        protected override int Most(int wanted) => Total < _ending ? (int)Math.Min(wanted, _ending - Total) : Math.Min(wanted, 1);

        protected override void Saw(ReadOnlySpan<byte> bytes)
        {
        }
    }
}
