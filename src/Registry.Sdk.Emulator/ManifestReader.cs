using System.Text.Json;

namespace Registry.Sdk.Emulator;

/// <summary>What the registry needs to know of a manifest (image-spec 1.1.1 manifest.md and image-index.md, and their Docker ancestors).</summary>
/// <param name="MediaType">The media type it is stored under.</param>
/// <param name="Blobs">Config and layers that must be in the repository: digest and size.</param>
/// <param name="Children">Manifests an index lists: digest and size.</param>
/// <param name="Subject">Digest of the manifest it refers to, or <see langword="null"/>.</param>
internal sealed record ManifestFacts(
    string MediaType, IReadOnlyList<(string Digest, long Size)> Blobs, IReadOnlyList<(string Digest, long Size)> Children, string? Subject);

/// <summary>Reads manifests; everything wrong with one is 400 <c>MANIFEST_INVALID</c>.</summary>
internal static class ManifestReader
{
    public const string OciIndex = "application/vnd.oci.image.index.v1+json";
    public const string OciManifest = "application/vnd.oci.image.manifest.v1+json";
    public const string DockerList = "application/vnd.docker.distribution.manifest.list.v2+json";
    public const string DockerManifest = "application/vnd.docker.distribution.manifest.v2+json";

    public static ManifestFacts Read(ReadOnlyMemory<byte> content, string? contentType)
    {
        try
        {
            using var document = JsonDocument.Parse(content);
            ReadAllText(document.RootElement);
            return Read(document.RootElement, contentType);
        }
        catch (Exception exception) when (exception is JsonException or InvalidOperationException)
        {
            throw Invalid("not JSON: " + exception.Message);
        }
    }

    // The parser takes half a surrogate pair and throws InvalidOperationException when it is read, which may be in a much later request.
    private static void ReadAllText(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                foreach (var member in element.EnumerateObject())
                {
                    _ = member.Name;
                    ReadAllText(member.Value);
                }

                break;
            case JsonValueKind.Array:
                foreach (var item in element.EnumerateArray())
                {
                    ReadAllText(item);
                }

                break;
            case JsonValueKind.String:
                _ = element.GetString();
                break;
        }
    }

    /// <summary>The descriptor by which a referrers list shows a manifest (distribution-spec "Listing Referrers").</summary>
    public static Dictionary<string, object> DescribeReferrer(StoredManifest manifest)
    {
        using var document = JsonDocument.Parse(manifest.Content);
        var root = document.RootElement;
        var descriptor = new Dictionary<string, object>(StringComparer.Ordinal)
        {
            ["mediaType"] = manifest.MediaType,
            ["digest"] = manifest.Digest,
            ["size"] = manifest.Content.LongLength,
        };
        var artifactType = Text(root, "artifactType")
            ?? (root.TryGetProperty("config", out var config) && config.ValueKind == JsonValueKind.Object ? Text(config, "mediaType") : null);
        if (artifactType is not null)
        {
            descriptor["artifactType"] = artifactType;
        }

        if (root.TryGetProperty("annotations", out var annotations) && annotations.ValueKind == JsonValueKind.Object)
        {
            descriptor["annotations"] = annotations.Clone();
        }

        return descriptor;
    }

    private static ManifestFacts Read(JsonElement root, string? contentType)
    {
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw Invalid("not a JSON object");
        }

        if (!root.TryGetProperty("schemaVersion", out var version) || version.ValueKind != JsonValueKind.Number || !version.TryGetInt32(out var number) || number != 2)
        {
            throw Invalid("schemaVersion is not 2");
        }

        var declared = Text(root, "mediaType");
        var mediaType = contentType ?? declared ?? throw Invalid("neither a Content-Type header nor a mediaType field");
        if (declared is not null && !string.Equals(declared, mediaType, StringComparison.Ordinal))
        {
            throw Invalid($"Content-Type '{mediaType}' differs from mediaType '{declared}'");
        }

        var subject = root.TryGetProperty("subject", out var subjectElement) && subjectElement.ValueKind != JsonValueKind.Null
            ? Descriptor(subjectElement, "subject").Digest
            : null;
        switch (mediaType)
        {
            case OciManifest or DockerManifest:
                if (!root.TryGetProperty("config", out var config))
                {
                    throw Invalid("no config");
                }

                return new ManifestFacts(
                    mediaType,
                    [Descriptor(config, "config"), .. Elements(root, "layers").Where(layer => !IsForeign(layer)).Select(layer => Descriptor(layer, "layers"))],
                    [],
                    subject);
            case OciIndex or DockerList:
                return new ManifestFacts(mediaType, [], [.. Elements(root, "manifests").Select(child => Descriptor(child, "manifests"))], subject);
            default:
                throw Invalid($"media type '{mediaType}' is not a manifest's");
        }
    }

    // Layers that live elsewhere by licence (Windows base images of old) are never in the registry.
    private static bool IsForeign(JsonElement layer) =>
        layer.ValueKind == JsonValueKind.Object
        && Text(layer, "mediaType") is { } type
        && (type.Contains(".foreign.", StringComparison.Ordinal) || type.Contains(".nondistributable.", StringComparison.Ordinal));

    private static JsonElement.ArrayEnumerator Elements(JsonElement root, string name) =>
        root.TryGetProperty(name, out var array) && array.ValueKind == JsonValueKind.Array ? array.EnumerateArray() : throw Invalid($"no array '{name}'");

    private static (string Digest, long Size) Descriptor(JsonElement element, string where)
    {
        if (element.ValueKind != JsonValueKind.Object || Text(element, "mediaType") is null)
        {
            throw Invalid($"a descriptor in '{where}' has no mediaType");
        }

        var digest = Text(element, "digest");
        if (!ImageReference.IsDigest(digest))
        {
            throw Invalid($"a descriptor in '{where}' has no sha256 digest");
        }

        return element.TryGetProperty("size", out var size) && size.ValueKind == JsonValueKind.Number && size.TryGetInt64(out var bytes) && bytes >= 0
            ? (digest!, bytes)
            : throw Invalid($"a descriptor in '{where}' has no size");
    }

    private static string? Text(JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static RegistryException Invalid(string why) => new(StatusCodes.Status400BadRequest, ErrorCode.ManifestInvalid, "manifest invalid: " + why);
}
