using System.Text.Json.Nodes;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>What a manifest and its config say of an image, as far as others are built on it or copied. Source: OCI image spec, manifest.md and config.md.</summary>
internal static class ImageJson
{
    /// <summary>Config and layers of a manifest; null if there is no config or a layer is malformed.</summary>
    public static (Descriptor Config, IReadOnlyList<Descriptor> Layers)? Manifest(byte[] content)
    {
        var json = RegistryJson.Parse(content);
        var layers = (json?["layers"] as JsonArray)?.Select(Descriptor.FromJson).ToList();
        return Descriptor.FromJson(json?["config"]) is { } config && layers is not null && !layers.Contains(null) ? (config, [.. layers.OfType<Descriptor>()]) : null;
    }

    /// <summary>Platform and <c>diff_ids</c> of a config; null if it lacks os or architecture, or has not as many <c>diff_ids</c> as there are layers.</summary>
    public static (Platform Platform, IReadOnlyList<Digest> DiffIds, JsonObject Json)? Config(byte[] content, int layers)
    {
        if (RegistryJson.Parse(content) is not { } json || json["os"] is not JsonValue os || json["architecture"] is not JsonValue architecture
            || (json["rootfs"] as JsonObject)?["diff_ids"] is not JsonArray diffIds || diffIds.Count != layers)
        {
            return null;
        }

        var digests = new List<Digest>();
        foreach (var node in diffIds)
        {
            if (node is not JsonValue value || !value.TryGetValue<string>(out var text) || !Digest.TryParse(text, out var digest))
            {
                return null;
            }

            digests.Add(digest);
        }

        return (new(os.ToString(), architecture.ToString(), json["variant"]?.ToString()), digests, json);
    }
}
