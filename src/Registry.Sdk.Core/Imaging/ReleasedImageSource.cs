using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>An image that an earlier publish made, read from a destination it went to. Nothing is composed; its layers stay where they are until one is missing elsewhere.</summary>
/// <param name="connections">The publish's connections.</param>
public sealed class ReleasedImageSource(RegistryConnections connections)
{
    // Docker takes no more than 127; what has more was not made to be run.
    private const int MaxLayers = 127;

    // A base image may bring what we do not write ourselves, but nothing that lies elsewhere (foreign, non-distributable).
    private static readonly string[] LayerTypes = [MediaTypes.OciLayerGzip, MediaTypes.DockerLayerGzip, "application/vnd.oci.image.layer.v1.tar", "application/vnd.oci.image.layer.v1.tar+zstd", "application/vnd.docker.image.rootfs.diff.tar"];

    /// <summary>Reads manifests and configs, all by digest.</summary>
    /// <param name="place">The destination's repository or directory.</param>
    /// <param name="digest">What its version tag names.</param>
    /// <param name="platformCount">How many platforms it has; more are not read.</param>
    /// <param name="layoutDirectory">Absolute path of the OCI layout that layers are fetched into.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    /// <returns>Null if it is not there whole, or says anything that we do not write: then it can't be this project's.</returns>
    /// <exception cref="IOException">The place can't be read (<see cref="RegistryErrors.Know"/>).</exception>
    public async Task<ComposedImage?> ReadAsync(ImagePlace place, Digest digest, int platformCount, string layoutDirectory, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(place);
        ArgumentNullException.ThrowIfNull(digest);
        var repository = connections.Open(place);
        try
        {
            if (await repository.GetManifestAsync(digest.ToString(), cancellationToken).ConfigureAwait(false) is not { } named)
            {
                return null;
            }

            var json = RegistryJson.Parse(named.Content);
            if (!MediaTypes.IsIndex(named.Descriptor.MediaType))
            {
                return platformCount == 1 && await PlatformAsync(repository, named, null, cancellationToken).ConfigureAwait(false) is { } single
                    ? new(layoutDirectory, named, [single], place.ToString()) : null;
            }

            var children = RegistryJson.Children(json);
            if (children.Count != platformCount || children.DistinctBy(c => c.Descriptor.Digest).Count() != platformCount
                || !HasOnly(json, "schemaVersion", "mediaType", "manifests", "annotations") || !AllHaveOnly(json!["manifests"], "mediaType", "digest", "size", "platform"))
            {
                return null;
            }

            var platforms = new List<PlatformImage>();
            foreach (var (descriptor, platform) in children)
            {
                // An attestation or a nested index: somebody else made this one.
                if (platform is null || !MediaTypes.IsManifest(descriptor.MediaType)
                    || await repository.GetManifestAsync(descriptor.Digest.ToString(), cancellationToken).ConfigureAwait(false) is not { } manifest || manifest.Descriptor != descriptor
                    || await PlatformAsync(repository, manifest, platform, cancellationToken).ConfigureAwait(false) is not { } image)
                {
                    return null;
                }

                platforms.Add(image);
            }

            return new(layoutDirectory, named, platforms, place.ToString());
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Writes what was read into the layout directory, so that the other stages find manifests and configs there.</summary>
    /// <exception cref="IOException">The directory can't be written.</exception>
    public static Task WriteAsync(ComposedImage image, CancellationToken cancellationToken) => ImagingStage.WriteLayoutAsync(image, cancellationToken);

    /// <summary>
    /// The layers of such an image that an earlier publish made, and not the base image: what history says is ours. Where it does not tell, all that
    /// could be ours.
    /// </summary>
    /// <param name="image">The image of one platform.</param>
    public static IReadOnlyList<ComposedLayer> OwnLayers(PlatformImage image)
    {
        ArgumentNullException.ThrowIfNull(image);
        var history = (RegistryJson.Parse(image.ConfigContent)?["history"] as JsonArray ?? []).OfType<JsonObject>()
            .Where(h => h["empty_layer"] is not JsonValue empty || !empty.TryGetValue<bool>(out var isEmpty) || !isEmpty).ToList();
        var isTold = history.Count == image.Layers.Count;
        return
        [
            // We write no other type.
            .. image.Layers.Where((l, i) => l.Descriptor.MediaType is MediaTypes.OciLayerGzip or MediaTypes.DockerLayerGzip && (!isTold || Text(history[i]["created_by"]) == ImageConfig.CreatedBy)),
        ];
    }

    /// <summary>Fetches those layers into the layout directory, once each and checked; the transfer finds them there.</summary>
    /// <param name="image">What was read.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    /// <exception cref="IOException">The place can't be read (<see cref="RegistryErrors.Know"/>), or the directory not written.</exception>
    public async Task FetchOwnLayersAsync(ComposedImage image, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(image);
        foreach (var layer in image.Platforms.SelectMany(OwnLayers).DistinctBy(l => l.Descriptor.Digest))
        {
            var path = image.BlobPath(layer.Descriptor.Digest);
            if (layer.Source is not { Place: var place } || await BlobFile.IsWholeAsync(path, layer.Descriptor, cancellationToken).ConfigureAwait(false))
            {
                continue;
            }

            await WholeFile.WriteAsync(
                path, temporary => BlobFile.DownloadAsync(connections.Open(place), layer.Descriptor, place, temporary, cancellationToken), cancellationToken).ConfigureAwait(false);
        }
    }

    private static async Task<PlatformImage?> PlatformAsync(IImageRepository repository, ManifestContent manifest, Platform? listed, CancellationToken cancellationToken)
    {
        var json = RegistryJson.Parse(manifest.Content);
        if (ImageJson.Manifest(manifest.Content) is not var (configDescriptor, layers) || configDescriptor.Size > RegistryClient.MaxManifestBytes
            || layers.Count is 0 or > MaxLayers || !layers.All(l => LayerTypes.Contains(l.MediaType, StringComparer.Ordinal))
            || !HasOnly(json, "schemaVersion", "mediaType", "config", "layers", "annotations") || !HasOnly(json!["config"], "mediaType", "digest", "size") || !AllHaveOnly(json["layers"], "mediaType", "digest", "size")
            || await repository.GetSmallBlobAsync(configDescriptor, cancellationToken).ConfigureAwait(false) is not { } content
            || ImageJson.Config(content, layers.Count) is not var (platform, diffIds, config)
            || (listed is not null && (listed.Os, listed.Architecture) != (platform.Os, platform.Architecture)))
        {
            return null;
        }

        foreach (var layer in layers)
        {
            if (!await repository.HasBlobAsync(layer, cancellationToken).ConfigureAwait(false))
            {
                return null;
            }
        }

        var source = new BlobSource(repository.Place, repository.Place.ToString()!, IsBase: false);
        var composed = layers.Zip(diffIds, (layer, diffId) => new ComposedLayer(layer, diffId, LayerOrigin.Released, "released", source)).ToList();
        var labels = ((config["config"] as JsonObject)?["Labels"] as JsonObject ?? [])
            .Select(l => (l.Key, Value: Text(l.Value))).Where(l => l.Value is not null)
            .ToDictionary(l => l.Key, l => l.Value!, StringComparer.Ordinal);
        return new(listed ?? platform, manifest, configDescriptor, content, composed, BaseOf(labels), labels, LeftOut: 0);
    }

    /// <summary>What it stands on, as its own labels say.</summary>
    private static BaseReference BaseOf(Dictionary<string, string> labels)
    {
        var name = labels.GetValueOrDefault(ImageLabels.BaseName, "an unnamed base");
        var colon = name.LastIndexOf(':');
        var repository = colon > name.LastIndexOf('/') ? name[..colon] : name;
        return new(name, repository, Digest.TryParse(labels.GetValueOrDefault(ImageLabels.BaseDigest), out var digest) ? digest : null);
    }

    private static bool HasOnly(JsonNode? node, params ReadOnlySpan<string> names)
    {
        foreach (var member in node as JsonObject ?? [])
        {
            if (!names.Contains(member.Key))
            {
                return false;
            }
        }

        return node is JsonObject;
    }

    private static bool AllHaveOnly(JsonNode? nodes, params string[] names) => nodes is JsonArray array && array.All(n => HasOnly(n, names));

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) && text.Length > 0 ? text : null;
}
