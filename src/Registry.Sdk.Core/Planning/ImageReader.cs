using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Planning;

/// <summary>Reads what a tag names: digest and the labels that say what it is.</summary>
internal static class ImageReader
{
    /// <summary>The identity of the image under a reference; null if there is none. An image that can't be read has a digest and no labels.</summary>
    public static async Task<ImageIdentity?> ReadAsync(IImageRepository client, string reference, ImageIdentity ours, CancellationToken cancellationToken)
    {
        // HEAD first: most tags are new or already right, and Docker Hub counts manifest GETs.
        var digest = await client.FindManifestAsync(reference, cancellationToken).ConfigureAwait(false);
        if (digest is null || digest == ours.Digest)
        {
            return digest is null ? null : ours;
        }

        var manifest = await client.GetManifestAsync(digest.ToString(), cancellationToken).ConfigureAwait(false);
        if (manifest is not null && MediaTypes.IsIndex(manifest.Descriptor.MediaType) && FirstChild(manifest.Content) is { } child)
        {
            manifest = await client.GetManifestAsync(child.ToString(), cancellationToken).ConfigureAwait(false);
        }

        if (manifest is null || Parse(manifest.Content)?["config"] is not { } configNode || Descriptor.FromJson(configNode) is not { } configDescriptor
            || configDescriptor.Size > RegistryClient.MaxManifestBytes
            || await client.GetSmallBlobAsync(configDescriptor, cancellationToken).ConfigureAwait(false) is not { } config)
        {
            return new(digest, null, null, null, null);
        }

        return FromConfig(digest, config);
    }

    /// <summary>The identity that a config's labels and time give.</summary>
    public static ImageIdentity FromConfig(Digest digest, byte[] config)
    {
        var json = Parse(config);
        var labels = (json?["config"] as JsonObject)?["Labels"] as JsonObject;
        var created = DateTimeOffset.TryParse(Text(json, "created"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var time) ? time : (DateTimeOffset?)null;
        return new(
            digest,
            Text(labels, ImageLabels.Version),
            Text(labels, ImageLabels.Revision),
            Text(labels, ImageLabels.BaseDigest),
            created);
    }

    // Attestations (platform unknown/unknown) are no image and have no labels.
    private static Digest? FirstChild(byte[] index)
        => RegistryJson.Children(Parse(index)).FirstOrDefault(c => c.Platform?.Os != "unknown" && MediaTypes.IsManifest(c.Descriptor.MediaType)).Descriptor?.Digest;

    private static JsonObject? Parse(byte[] content)
    {
        try
        {
            return RegistryJson.Parse(content);
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private static string? Text(JsonObject? json, string name) => json?[name] is JsonValue value && value.TryGetValue<string>(out var text) && text.Length > 0 ? text : null;
}
