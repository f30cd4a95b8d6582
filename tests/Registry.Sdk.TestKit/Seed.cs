using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Registry.Sdk.TestKit;

/// <summary>How a seeded image looks. Two images that differ in nothing are one digest.</summary>
public sealed record SeedImage
{
    public bool Docker { get; init; }

    /// <summary>Put an index above it that also names an image for <c>linux/riscv64</c>, which is not there.</summary>
    public bool Index { get; init; }

    /// <summary>Name an attestation (<c>unknown/unknown</c>) before the image in that index, as BuildKit may.</summary>
    public bool Attestation { get; init; }

    public string Architecture { get; init; } = "amd64";

    /// <summary>Empty: none.</summary>
    public string Variant { get; init; } = "";

    public int Layers { get; init; } = 2;

    /// <summary>Bytes of each layer.</summary>
    public int LayerSize { get; init; } = 1000;

    /// <summary>Makes the layers' content another one.</summary>
    public string Salt { get; init; } = "";

    public DateTimeOffset Created { get; init; } = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>Whether its config says where each layer comes from, as real base images' do.</summary>
    public bool History { get; init; }

    public JsonObject Config { get; init; } = new() { ["Env"] = new JsonArray("PATH=/usr/bin", "APP_UID=1654"), ["Entrypoint"] = new JsonArray("dotnet") };
}

/// <summary>Puts images into a registry by plain requests of its own: no code under test has a hand in what a test finds there.</summary>
public static class Seed
{
    /// <summary>Pushes an image and tags it; gives the digest that the tag names.</summary>
    public static async Task<string> PushAsync(HttpClient registry, string repository, string tag, SeedImage image)
    {
        var family = image.Docker ? "application/vnd.docker." : "application/vnd.oci.";
        var layers = new JsonArray();
        var diffIds = new JsonArray();
        for (var i = 0; i < image.Layers; i++)
        {
            // Not a tar and not compressed: nobody here unpacks it, and a registry does not look.
            var content = Bytes(i, image);
            await PushBlobAsync(registry, repository, content);
            layers.Add(Descriptor(family + (image.Docker ? "image.rootfs.diff.tar.gzip" : "image.layer.v1.tar+gzip"), content));
            diffIds.Add(Digest(content));
        }

        var inner = (JsonObject)image.Config.DeepClone();
        inner["Labels"] = new JsonObject(image.Labels.Select(l => KeyValuePair.Create(l.Key, (JsonNode?)l.Value)));
        var json = new JsonObject
        {
            ["created"] = image.Created.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'"),
            ["architecture"] = image.Architecture,
            ["os"] = "linux",
            ["config"] = inner,
            ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = diffIds },
        }.With("variant", image.Variant);
        if (image.History)
        {
            json["history"] = new JsonArray([.. Enumerable.Range(0, image.Layers).Select(i => (JsonNode)new JsonObject { ["created_by"] = $"COPY layer {i} /" })]);
        }

        var config = Json(json);
        await PushBlobAsync(registry, repository, config);
        var manifestType = family + (image.Docker ? "distribution.manifest.v2+json" : "image.manifest.v1+json");
        var manifest = Json(new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = manifestType,
            ["config"] = Descriptor(family + (image.Docker ? "container.image.v1+json" : "image.config.v1+json"), config),
            ["layers"] = layers,
        });
        if (!image.Index)
        {
            return await ManifestAsync(registry, repository, tag, manifestType, manifest);
        }

        await ManifestAsync(registry, repository, Digest(manifest), manifestType, manifest);
        var indexType = family + (image.Docker ? "distribution.manifest.list.v2+json" : "image.index.v1+json");
        var child = Descriptor(manifestType, manifest);
        child["platform"] = new JsonObject { ["os"] = "linux", ["architecture"] = image.Architecture };
        var children = new JsonArray(child);
        if (image.Attestation)
        {
            var statement = Encoding.UTF8.GetBytes("{}");
            await PushBlobAsync(registry, repository, statement);
            var attestation = Json(new JsonObject
            {
                ["schemaVersion"] = 2,
                ["mediaType"] = manifestType,
                ["config"] = Descriptor(family + (image.Docker ? "container.image.v1+json" : "image.config.v1+json"), statement),
                ["layers"] = new JsonArray(Descriptor("application/vnd.in-toto+json", statement)),
            });
            await ManifestAsync(registry, repository, Digest(attestation), manifestType, attestation);
            var first = Descriptor(manifestType, attestation);
            first["platform"] = new JsonObject { ["os"] = "unknown", ["architecture"] = "unknown" };
            children.Insert(0, first);
        }

        var index = Json(new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = indexType, ["manifests"] = children });
        return await ManifestAsync(registry, repository, tag, indexType, index);
    }

    /// <summary>Pushes several images and one index of them; gives the index's digest.</summary>
    public static async Task<string> PushIndexAsync(HttpClient registry, string repository, string tag, params IReadOnlyList<SeedImage> images)
    {
        var children = new JsonArray();
        foreach (var image in images)
        {
            var digest = await PushAsync(registry, repository, $"{tag}-{image.Architecture}{image.Variant}", image);
            var manifest = (await ManifestAsync(registry, repository, digest))!;
            var child = Descriptor(JsonNode.Parse(manifest)!["mediaType"]!.GetValue<string>(), manifest);
            var isAttestation = image.Architecture == "unknown";
            child["platform"] = new JsonObject { ["os"] = isAttestation ? "unknown" : "linux", ["architecture"] = image.Architecture }.With("variant", image.Variant);
            children.Add(child);
        }

        var type = images[0].Docker ? "application/vnd.docker.distribution.manifest.list.v2+json" : "application/vnd.oci.image.index.v1+json";
        return await ManifestAsync(registry, repository, tag, type, Json(new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = type, ["manifests"] = children }));
    }

    /// <summary>Gives an image one more tag.</summary>
    public static async Task TagAsync(HttpClient registry, string repository, string reference, params string[] tags)
    {
        var content = (await ManifestAsync(registry, repository, reference))!;
        using var json = JsonDocument.Parse(content);
        foreach (var tag in tags)
        {
            await ManifestAsync(registry, repository, tag, json.RootElement.GetProperty("mediaType").GetString()!, content);
        }
    }

    /// <summary>What every tag of a repository names; empty if there is no such repository.</summary>
    public static async Task<IReadOnlyDictionary<string, string>> TagsAsync(HttpClient registry, string repository)
    {
        var result = new SortedDictionary<string, string>(StringComparer.Ordinal);
        using var list = await registry.GetAsync(new Uri($"v2/{repository}/tags/list", UriKind.Relative));
        if (list.StatusCode == HttpStatusCode.NotFound)
        {
            return result;
        }

        using var json = JsonDocument.Parse(await list.EnsureSuccessStatusCode().Content.ReadAsStringAsync());
        if (json.RootElement.GetProperty("tags") is { ValueKind: JsonValueKind.Array } tags)
        {
            foreach (var tag in tags.EnumerateArray().Select(t => t.GetString()!))
            {
                result[tag] = Digest((await ManifestAsync(registry, repository, tag))!);
            }
        }

        return result;
    }

    /// <summary>The bytes of a manifest, or null.</summary>
    public static async Task<byte[]?> ManifestAsync(HttpClient registry, string repository, string reference)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, new Uri($"v2/{repository}/manifests/{reference}", UriKind.Relative));
        request.Headers.Accept.ParseAdd("application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.list.v2+json, application/vnd.docker.distribution.manifest.v2+json");
        using var answer = await registry.SendAsync(request);
        return answer.StatusCode == HttpStatusCode.NotFound ? null : await answer.EnsureSuccessStatusCode().Content.ReadAsByteArrayAsync();
    }

    /// <summary>The bytes of a blob, or null.</summary>
    public static async Task<byte[]?> BlobAsync(HttpClient registry, string repository, string digest)
    {
        using var answer = await registry.GetAsync(new Uri($"v2/{repository}/blobs/{digest}", UriKind.Relative));
        return answer.StatusCode == HttpStatusCode.NotFound ? null : await answer.EnsureSuccessStatusCode().Content.ReadAsByteArrayAsync();
    }

    public static string Digest(byte[] content) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(content));

    public static byte[] Json(JsonNode value) => JsonSerializer.SerializeToUtf8Bytes(value);

    private static byte[] Bytes(int index, SeedImage image)
    {
        var content = new byte[image.LayerSize];
        new Random(HashOf($"{index} {image.Salt}")).NextBytes(content);
        return content;
    }

    private static int HashOf(string text) => BitConverter.ToInt32(SHA256.HashData(Encoding.UTF8.GetBytes(text)));

    private static JsonObject Descriptor(string mediaType, byte[] content) => new() { ["mediaType"] = mediaType, ["digest"] = Digest(content), ["size"] = content.Length };

    /// <summary>Puts a blob into a repository.</summary>
    public static async Task PushBlobAsync(HttpClient registry, string repository, byte[] content)
    {
        using var session = await registry.PostAsync(new Uri($"v2/{repository}/blobs/uploads/", UriKind.Relative), null);
        var location = new Uri(session.EnsureSuccessStatusCode().RequestMessage!.RequestUri!, session.Headers.Location!);
        var address = new Uri($"{location}{(location.Query.Length > 0 ? "&" : "?")}digest={Digest(content)}");
        using var body = new ByteArrayContent(content) { Headers = { ContentType = new("application/octet-stream") } };
        using var answer = await registry.PutAsync(address, body);
        answer.EnsureSuccessStatusCode();
    }

    private static JsonObject With(this JsonObject json, string name, string value)
    {
        if (value.Length > 0)
        {
            json[name] = value;
        }

        return json;
    }

    /// <summary>Puts a manifest as it is; gives its digest.</summary>
    public static async Task<string> ManifestAsync(HttpClient registry, string repository, string reference, string mediaType, byte[] content)
    {
        using var body = new ByteArrayContent(content) { Headers = { ContentType = new MediaTypeHeaderValue(mediaType) } };
        using var answer = await registry.PutAsync(new Uri($"v2/{repository}/manifests/{reference}", UriKind.Relative), body);
        answer.EnsureSuccessStatusCode();
        return Digest(content);
    }
}
