using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Planning;

/// <summary>One platform of an image that is at a destination already.</summary>
/// <param name="Platform">As its config says.</param>
/// <param name="Config">Descriptor of the config.</param>
/// <param name="Json">The config.</param>
/// <param name="Layers">Bottom first.</param>
/// <param name="DiffIds">Digests of the uncompressed layers, in the same order.</param>
internal sealed record EarlierPlatform(Platform Platform, Descriptor Config, JsonObject Json, IReadOnlyList<Descriptor> Layers, IReadOnlyList<Digest> DiffIds)
{
    /// <summary>A label's value, or null.</summary>
    public string? Label(string name) => Text(((Json["config"] as JsonObject)?["Labels"] as JsonObject)?[name]);

    /// <summary>The layers that we wrote, and not the base image's: what history says is ours, where it tells of every layer.</summary>
    public IEnumerable<(Descriptor Descriptor, Digest DiffId)> OwnLayers
    {
        get
        {
            var history = (Json["history"] as JsonArray ?? []).OfType<JsonObject>()
                .Where(h => h["empty_layer"] is not JsonValue empty || !empty.TryGetValue<bool>(out var isEmpty) || !isEmpty).ToList();
            return Layers.Zip(DiffIds).Where((_, i) => history.Count == Layers.Count && Text(history[i]["created_by"]) == ImageConfig.CreatedBy);
        }
    }

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) && text.Length > 0 ? text : null;
}

/// <summary>An image that is at a destination already, as far as manifests and configs tell.</summary>
/// <param name="Digest">What the tag names.</param>
/// <param name="Platforms">In the index's order; attestations left out.</param>
internal sealed record EarlierImage(Digest Digest, IReadOnlyList<EarlierPlatform> Platforms)
{
    // An index that names more than this is none that we made.
    private const int MaxPlatforms = 20;

    /// <summary>Reads what a digest stands for; null if it is not there whole, or is no image that could be compared.</summary>
    /// <exception cref="IOException">The repository can't be read (<see cref="RegistryErrors.Know"/>).</exception>
    public static async Task<EarlierImage?> ReadAsync(IImageRepository client, Digest digest, CancellationToken cancellationToken)
    {
        try
        {
            if (await client.GetManifestAsync(digest.ToString(), cancellationToken).ConfigureAwait(false) is not { } named)
            {
                return null;
            }

            var manifests = new List<ManifestContent>();
            if (MediaTypes.IsIndex(named.Descriptor.MediaType))
            {
                var children = RegistryJson.Children(RegistryJson.Parse(named.Content)).Where(c => c.Platform?.Os != "unknown" && MediaTypes.IsManifest(c.Descriptor.MediaType)).ToList();
                foreach (var (descriptor, _) in children.Count > MaxPlatforms ? [] : children)
                {
                    if (await client.GetManifestAsync(descriptor.Digest.ToString(), cancellationToken).ConfigureAwait(false) is not { } child)
                    {
                        return null;
                    }

                    manifests.Add(child);
                }
            }
            else
            {
                manifests.Add(named);
            }

            var platforms = new List<EarlierPlatform>();
            foreach (var manifest in manifests)
            {
                if (ImageJson.Manifest(manifest.Content) is not var (config, layers) || config.Size > RegistryClient.MaxManifestBytes
                    || await client.GetSmallBlobAsync(config, cancellationToken).ConfigureAwait(false) is not { } content
                    || ImageJson.Config(content, layers.Count) is not var (platform, diffIds, json))
                {
                    return null;
                }

                platforms.Add(new(platform, config, json, layers, diffIds));
            }

            return platforms.Count > 0 ? new(digest, platforms) : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }
}
