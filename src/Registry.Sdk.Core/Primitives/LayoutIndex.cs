using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// The <c>index.json</c> of an OCI layout: which image has which tag. What others wrote into it stays as it is. Source: OCI image spec,
/// image-layout.md and image-index.md.
/// </summary>
internal sealed class LayoutIndex
{

    /// <summary>Full name of an image, for containerd and Docker with its image store: a bare tag is a repository's name to them.</summary>
    private const string ImageName = "io.containerd.image.name";

    private readonly JsonObject _json;
    private readonly JsonArray _manifests;

    private LayoutIndex(JsonObject json, JsonArray manifests)
    {
        _json = json;
        _manifests = manifests;
    }

    /// <summary>How files of a layout are written: text as others wrote it stays readable.</summary>
    public static JsonSerializerOptions Json { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The images and indexes that are named directly, in order; malformed descriptors and other content are passed over.</summary>
    public IEnumerable<Descriptor> Manifests => Entries.Select(e => e.Descriptor);

    private IEnumerable<(JsonObject Json, Descriptor Descriptor)> Entries
        => from node in _manifests
           let descriptor = Descriptor.FromJson(node)
           where descriptor is not null && IsImage(descriptor.MediaType)
           select ((JsonObject)node, descriptor);

    /// <summary>An index that names nothing.</summary>
    public static LayoutIndex Empty() => Of(new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = MediaTypes.OciIndex, ["manifests"] = new JsonArray() });

    /// <summary>Reads an index.</summary>
    /// <exception cref="JsonException">It is none.</exception>
    public static LayoutIndex Parse(byte[] content) => Of(RegistryJson.Parse(content) ?? throw new JsonException("it is no JSON object"));

    /// <summary>The exact bytes to write.</summary>
    public byte[] ToBytes() => JsonSerializer.SerializeToUtf8Bytes(_json, Json);

    /// <summary>What a tag names; null if it does not exist. Of several the first, as skopeo has it.</summary>
    /// <exception cref="JsonException">The tag's descriptor is malformed.</exception>
    public Descriptor? Find(string tag)
    {
        foreach (var json in _manifests.OfType<JsonObject>())
        {
            if (Annotation(json, ImageLabels.RefName) == tag && json["mediaType"] is JsonValue type && type.TryGetValue<string>(out var mediaType) && IsImage(mediaType))
            {
                return Descriptor.FromJson(json) ?? throw new JsonException($"its descriptor of {RegistryClient.Clean(tag)} has no sha256 digest or no size");
            }
        }

        return null;
    }

    /// <summary>The tags there are.</summary>
    public IEnumerable<string> Tags => Entries.Select(e => Annotation(e.Json, ImageLabels.RefName)).OfType<string>().Distinct(StringComparer.Ordinal);

    /// <summary>The children of an index's content; none if it is no index.</summary>
    public static IEnumerable<Descriptor> Children(byte[] content)
    {
        try
        {
            return RegistryJson.Children(RegistryJson.Parse(content)).Select(c => c.Descriptor);
        }
        catch (JsonException)
        {
            return [];
        }
    }

    /// <summary>Names a manifest.</summary>
    /// <param name="manifest">What is named.</param>
    /// <param name="tag">Its tag; null: it becomes part of the layout without one.</param>
    /// <param name="repository">The name that Docker gives it when it loads the layout.</param>
    public void Put(Descriptor manifest, string? tag, string repository)
    {
        if (tag is not null)
        {
            foreach (var (json, descriptor) in Entries.Where(e => e.Descriptor.Digest != manifest.Digest && Annotation(e.Json, ImageLabels.RefName) == tag).ToList())
            {
                // An image that loses its tag stays, as with skopeo: it can still be had by digest.
                Unname(json, tag);
                if (IsBare(json) && Entries.Any(e => e.Json != json && e.Descriptor.Digest == descriptor.Digest))
                {
                    _manifests.Remove(json);
                }
            }
        }

        var same = Entries.Where(e => e.Descriptor == manifest).Select(e => e.Json).ToList();
        if (tag is null ? same.Count > 0 : same.Exists(j => Annotation(j, ImageLabels.RefName) == tag))
        {
            return;
        }

        var entry = same.Find(j => Annotation(j, ImageLabels.RefName) is null);
        if (entry is null)
        {
            _manifests.Add(entry = manifest.ToJson());
        }

        if (tag is not null)
        {
            if (entry["annotations"] is not JsonObject annotations)
            {
                entry["annotations"] = annotations = [];
            }

            annotations[ImageName] = $"docker.io/library/{repository}:{tag}";
            annotations[ImageLabels.RefName] = tag;
        }
    }

    /// <summary>Removes entries of what an index in the layout names, unless there is more to them: they were there only until the index was.</summary>
    public void DropBare(IReadOnlySet<Digest> children)
    {
        foreach (var (json, _) in Entries.Where(e => children.Contains(e.Descriptor.Digest) && IsBare(e.Json)).ToList())
        {
            _manifests.Remove(json);
        }
    }

    /// <summary>Every entry with the name Docker shall give it (<c>orders:v1.2.3</c>), null where there is none that it would take.</summary>
    /// <param name="repository">The repository of entries that have a tag and no name.</param>
    public IEnumerable<(Descriptor Manifest, string? Name)> DockerNames(string repository)
        => Entries.Select(e => (e.Descriptor, Familiar(Annotation(e.Json, ImageName)) ?? Familiar($"{repository}:{Annotation(e.Json, ImageLabels.RefName)}")));

    /// <summary>The name Docker gives what it loads from a directory: the directory's own, made legal.</summary>
    public static string RepositoryName(string directory)
    {
        var name = new System.Text.StringBuilder();
        foreach (var c in Path.GetFileName(directory).ToLowerInvariant())
        {
            if (char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c))
            {
                name.Append(c);
            }
            else if (name.Length > 0 && char.IsAsciiLetterOrDigit(name[^1]))
            {
                name.Append(c is '.' or '_' ? c : '-');
            }
        }

        var legal = name.ToString().TrimEnd('.', '_', '-');
        return legal.Length == 0 ? "image" : legal;
    }

    private static LayoutIndex Of(JsonObject json)
    {
        // Go programs write an empty list as null.
        switch (json["manifests"])
        {
            case JsonArray manifests:
                return new(json, manifests);
            case null:
                var none = new JsonArray();
                json["manifests"] = none;
                return new(json, none);
            default:
                throw new JsonException("its 'manifests' is no array");
        }
    }

    private static bool IsImage(string mediaType) => MediaTypes.IsManifest(mediaType) || MediaTypes.IsIndex(mediaType);

    private static string? Annotation(JsonObject descriptor, string name)
        => descriptor["annotations"] is JsonObject annotations && annotations[name] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private static bool IsBare(JsonObject descriptor) => descriptor.All(m => m.Key is "mediaType" or "digest" or "size");

    private static void Unname(JsonObject descriptor, string tag)
    {
        var annotations = (JsonObject)descriptor["annotations"]!;
        annotations.Remove(ImageLabels.RefName);
        if (Annotation(descriptor, ImageName)?.EndsWith(":" + tag, StringComparison.Ordinal) == true)
        {
            annotations.Remove(ImageName);
        }

        if (annotations.Count == 0)
        {
            descriptor.Remove("annotations");
        }
    }

    /// <summary>An image's name as people write it; null if Docker would refuse it, and with it everything else in the layout.</summary>
    private static string? Familiar(string? name)
    {
        var colon = name?.LastIndexOf(':') ?? -1;
        if (colon < 0 || !RepositoryReference.IsLegalTag(name![(colon + 1)..]))
        {
            return null;
        }

        var path = name[..colon];
        var slash = path.IndexOf('/', StringComparison.Ordinal);
        // What comes before the first slash is a host if it looks like one. Source: distribution/reference, normalize.go.
        var isHost = slash > 0 && (path[..slash].AsSpan().ContainsAny('.', ':') || path[..slash] == "localhost");
        if (!RepositoryReference.IsLegalName(isHost ? path[(slash + 1)..] : path) || (isHost && !RegistryHost.TryParse(path[..slash], out _)))
        {
            return null;
        }

        foreach (var prefix in new[] { "docker.io/library/", "docker.io/" })
        {
            if (name.StartsWith(prefix, StringComparison.Ordinal))
            {
                return name[prefix.Length..];
            }
        }

        return name;
    }
}
