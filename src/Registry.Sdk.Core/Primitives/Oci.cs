using System.Text.Json;
using System.Text.Json.Nodes;

namespace Registry.Sdk.Core.Primitives;

/// <summary>Media types of images. Source: OCI image spec, media-types.md; Docker image manifest v2 schema 2.</summary>
public static class MediaTypes
{
#pragma warning disable CS1591 // named as in the specs
    public const string OciIndex = "application/vnd.oci.image.index.v1+json";
    public const string OciManifest = "application/vnd.oci.image.manifest.v1+json";
    public const string OciConfig = "application/vnd.oci.image.config.v1+json";
    public const string OciLayerGzip = "application/vnd.oci.image.layer.v1.tar+gzip";
    public const string OciLayerTar = "application/vnd.oci.image.layer.v1.tar";
    public const string DockerIndex = "application/vnd.docker.distribution.manifest.list.v2+json";
    public const string DockerManifest = "application/vnd.docker.distribution.manifest.v2+json";
    public const string DockerConfig = "application/vnd.docker.container.image.v1+json";
    public const string DockerLayerGzip = "application/vnd.docker.image.rootfs.diff.tar.gzip";
#pragma warning restore CS1591

    /// <summary>What is sent in <c>Accept</c> with every manifest read: a registry answers 404 for types that are not listed (GHCR).</summary>
    public static IReadOnlyList<string> Manifests { get; } = [OciIndex, OciManifest, DockerIndex, DockerManifest];

    /// <summary>Whether this is an index (OCI) or manifest list (Docker).</summary>
    public static bool IsIndex(string mediaType) => mediaType is OciIndex or DockerIndex;

    /// <summary>Whether this is an image manifest of either family.</summary>
    public static bool IsManifest(string mediaType) => mediaType is OciManifest or DockerManifest;

    /// <summary>
    /// The media type of a manifest or index by its content: what its <c>mediaType</c> says, else what its members make it (the field is optional
    /// in OCI); null if it is neither. Source: OCI image spec, manifest.md and image-index.md.
    /// </summary>
    public static string? OfManifest(byte[] content)
    {
        try
        {
            using var json = StrictJson.Document(content);
            var root = json.RootElement;
            if (root.ValueKind != JsonValueKind.Object)
            {
                return null;
            }

            if (root.TryGetProperty("mediaType", out var type))
            {
                return type.ValueKind == JsonValueKind.String && type.GetString() is { } text && (IsIndex(text) || IsManifest(text)) ? text : null;
            }

            return Has("manifests", JsonValueKind.Array) ? OciIndex : Has("config", JsonValueKind.Object) && Has("layers", JsonValueKind.Array) ? OciManifest : null;

            bool Has(string name, JsonValueKind kind) => root.TryGetProperty(name, out var member) && member.ValueKind == kind;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    /// <summary>The OCI twin of a Docker type and back; types without twin stay as they are.</summary>
    public static string Convert(string mediaType, bool toOci) => (mediaType, toOci) switch
    {
        (DockerManifest, true) => OciManifest,
        (DockerIndex, true) => OciIndex,
        (OciIndex, false) => DockerIndex,
        (DockerConfig, true) => OciConfig,
        (DockerLayerGzip, true) => OciLayerGzip,
        (OciManifest, false) => DockerManifest,
        (OciConfig, false) => DockerConfig,
        (OciLayerGzip, false) => DockerLayerGzip,
        _ => mediaType,
    };
}

/// <summary>Reads JSON that came from a registry.</summary>
internal static class RegistryJson
{
    /// <summary>The object, or null if it is something else.</summary>
    /// <exception cref="JsonException">It is no JSON, has a member twice, or text that is no Unicode.</exception>
    public static JsonObject? Parse(byte[] content) => StrictJson.Node(content) as JsonObject;

    /// <summary>What an index names, in order, and for which platform; malformed descriptors are passed over. Empty if it is no index.</summary>
    public static IReadOnlyList<(Descriptor Descriptor, Platform? Platform)> Children(JsonObject? index)
        => [.. from node in index?["manifests"] as JsonArray ?? []
               let descriptor = Descriptor.FromJson(node)
               where descriptor is not null
               select (descriptor, Platform.FromJson(node!["platform"] as JsonObject))];
}

/// <summary>Names of labels and annotations that say what an image is. Source: OCI image spec, annotations.md.</summary>
public static class ImageLabels
{
    /// <summary>What they all begin with.</summary>
    public const string Prefix = "org.opencontainers.image.";

    /// <summary>The version, without <c>v</c>.</summary>
    public const string Version = Prefix + "version";

    /// <summary>The commit.</summary>
    public const string Revision = Prefix + "revision";

    /// <summary>Address of the source's repository.</summary>
    public const string Source = Prefix + "source";

    /// <summary>What the content is licensed under: an SPDX expression.</summary>
    public const string Licenses = Prefix + "licenses";

    /// <summary>Time, RFC 3339.</summary>
    public const string Created = Prefix + "created";

    /// <summary>The base image's name.</summary>
    public const string BaseName = Prefix + "base.name";

    /// <summary>Digest of what that name stood for.</summary>
    public const string BaseDigest = Prefix + "base.digest";

    /// <summary>The tag, in the index of a layout directory.</summary>
    public const string RefName = Prefix + "ref.name";
}

/// <summary>A content descriptor. Source: OCI image spec, descriptor.md.</summary>
/// <param name="MediaType">The content's media type.</param>
/// <param name="Digest">The content's digest.</param>
/// <param name="Size">Bytes.</param>
public sealed record Descriptor(string MediaType, Digest Digest, long Size)
{
    /// <summary>The JSON form, members in the spec's order.</summary>
    public JsonObject ToJson() => new() { ["mediaType"] = MediaType, ["digest"] = Digest.ToString(), ["size"] = Size };

    /// <summary>Reads the three members; null if one is missing or malformed.</summary>
    public static Descriptor? FromJson(JsonNode? node)
    {
        if (node is not JsonObject json
            || json["mediaType"] is not JsonValue type || !type.TryGetValue<string>(out var mediaType)
            || json["digest"] is not JsonValue digestValue || !digestValue.TryGetValue<string>(out var digestText)
            || !Digest.TryParse(digestText, out var digest)
            || json["size"] is not JsonValue sizeValue || !sizeValue.TryGetValue<long>(out var size) || size < 0)
        {
            return null;
        }

        return new(mediaType, digest, size);
    }
}

/// <summary>A platform as images name it (Go's GOOS and GOARCH). Source: OCI image spec, image-index.md, «platform».</summary>
/// <param name="Os">For instance <c>linux</c>.</param>
/// <param name="Architecture">For instance <c>amd64</c>, <c>arm64</c>.</param>
/// <param name="Variant">For instance <c>v7</c>; null if none.</param>
public sealed record Platform(string Os, string Architecture, string? Variant = null)
{
    /// <summary>The platform a .NET runtime identifier stands for; null if it is not a Linux one that images have.</summary>
    public static Platform? FromRuntimeIdentifier(string rid)
    {
        ArgumentNullException.ThrowIfNull(rid);
        // Distribution-specific and musl RIDs (linux-musl-x64, alpine.3.20-x64) run on the same platform; only the last part counts.
        if (rid.StartsWith("win", StringComparison.OrdinalIgnoreCase) || rid.StartsWith("osx", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        return rid[(rid.LastIndexOf('-') + 1)..] switch
        {
            "x64" => new("linux", "amd64"),
            "x86" => new("linux", "386"),
            "arm64" => new("linux", "arm64"),
            "arm" => new("linux", "arm", "v7"),
            "armv6" => new("linux", "arm", "v6"),
            "ppc64le" => new("linux", "ppc64le"),
            "s390x" => new("linux", "s390x"),
            "riscv64" => new("linux", "riscv64"),
            "loongarch64" => new("linux", "loong64"),
            _ => null,
        };
    }

    /// <summary>Reads the form that an index has beside each manifest; null if there is none.</summary>
    public static Platform? FromJson(JsonObject? json)
        => json is null ? null : new(json["os"]?.ToString() ?? string.Empty, json["architecture"]?.ToString() ?? string.Empty, json["variant"]?.ToString());

    /// <summary>The JSON form that an index has beside each manifest.</summary>
    public JsonObject ToJson()
    {
        var json = new JsonObject { ["architecture"] = Architecture, ["os"] = Os };
        if (!string.IsNullOrEmpty(Variant))
        {
            json["variant"] = Variant;
        }

        return json;
    }

    /// <inheritdoc/>
    public override string ToString() => Variant is null ? $"{Os}/{Architecture}" : $"{Os}/{Architecture}/{Variant}";
}
