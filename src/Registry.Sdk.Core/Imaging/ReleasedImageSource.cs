using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>An image that an earlier publish made, read from a destination it went to. Nothing is composed; its layers stay where they are until one is missing elsewhere.</summary>
/// <param name="connections">The publish's connections.</param>
public sealed class ReleasedImageSource(RegistryConnections connections)
{
    /// <summary>Reads manifests and configs, all by digest.</summary>
    /// <param name="place">The destination's repository or directory.</param>
    /// <param name="digest">What its version tag names.</param>
    /// <param name="layoutDirectory">Absolute path of the OCI layout that layers are fetched into.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    /// <returns>Null if it is not there, or not an image of platforms such as we make: then it can't be this project's.</returns>
    /// <exception cref="IOException">The place can't be read (<see cref="RegistryErrors.Know"/>).</exception>
    public async Task<ComposedImage?> ReadAsync(ImagePlace place, Digest digest, string layoutDirectory, CancellationToken cancellationToken)
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

            var platforms = new List<PlatformImage>();
            if (!MediaTypes.IsIndex(named.Descriptor.MediaType))
            {
                return await PlatformAsync(repository, named, null, cancellationToken).ConfigureAwait(false) is { } single
                    ? new(layoutDirectory, named, [single], place.ToString()) : null;
            }

            foreach (var (descriptor, platform) in RegistryJson.Children(RegistryJson.Parse(named.Content)))
            {
                // An attestation or a nested index: somebody else made this one.
                if (!MediaTypes.IsManifest(descriptor.MediaType)
                    || await repository.GetManifestAsync(descriptor.Digest.ToString(), cancellationToken).ConfigureAwait(false) is not { } manifest
                    || await PlatformAsync(repository, manifest, platform, cancellationToken).ConfigureAwait(false) is not { } image)
                {
                    return null;
                }

                platforms.Add(image);
            }

            return platforms.Count == 0 ? null : new(layoutDirectory, named, platforms, place.ToString());
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>Writes what was read into the layout directory, so that the other stages find manifests and configs there.</summary>
    /// <exception cref="IOException">The directory can't be written.</exception>
    public static Task WriteAsync(ComposedImage image, CancellationToken cancellationToken) => ImagingStage.WriteLayoutAsync(image, cancellationToken);

    private static async Task<PlatformImage?> PlatformAsync(IImageRepository repository, ManifestContent manifest, Platform? listed, CancellationToken cancellationToken)
    {
        if (ImageJson.Manifest(manifest.Content) is not var (configDescriptor, layers) || configDescriptor.Size > RegistryClient.MaxManifestBytes
            || await repository.GetSmallBlobAsync(configDescriptor, cancellationToken).ConfigureAwait(false) is not { } content
            || ImageJson.Config(content, layers.Count) is not var (platform, diffIds, config))
        {
            return null;
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
        var name = labels.GetValueOrDefault("org.opencontainers.image.base.name", "an unnamed base");
        var colon = name.LastIndexOf(':');
        var repository = colon > name.LastIndexOf('/') ? name[..colon] : name;
        return new(name, repository, Digest.TryParse(labels.GetValueOrDefault("org.opencontainers.image.base.digest"), out var digest) ? digest : null);
    }

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) && text.Length > 0 ? text : null;
}
