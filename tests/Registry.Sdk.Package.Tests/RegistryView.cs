using System.Formats.Tar;
using System.IO.Compression;
using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Registry.Sdk.Package.Tests;

/// <summary>One entry of a layer.</summary>
public sealed record LayerEntry(string Name, UnixFileMode Mode, DateTimeOffset Time, byte[] Content);

/// <summary>What a registry holds, read with nothing but HTTP: no code of the product's.</summary>
public sealed class RegistryView(HttpClient client) : IDisposable
{
    private const string Accept = "application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json, application/vnd.docker.distribution.manifest.v2+json, application/vnd.docker.distribution.manifest.list.v2+json";

    /// <summary>Each tag and the digest it names, sorted; empty where there is no such repository.</summary>
    public async Task<IReadOnlyDictionary<string, string>> TagsAsync(string repository)
    {
        using var answer = await client.GetAsync(new Uri($"v2/{repository}/tags/list", UriKind.Relative));
        var found = new SortedDictionary<string, string>(StringComparer.Ordinal);
        if (answer.StatusCode == HttpStatusCode.NotFound)
        {
            return found;
        }

        answer.EnsureSuccessStatusCode();
        var tags = JsonNode.Parse(await answer.Content.ReadAsStringAsync())!["tags"]?.AsArray() ?? [];
        foreach (var tag in tags.Select(tag => tag!.GetValue<string>()))
        {
            using var manifest = await SendAsync(HttpMethod.Head, $"v2/{repository}/manifests/{tag}");
            found[tag] = manifest.Headers.GetValues("Docker-Content-Digest").Single();
        }

        return found;
    }

    /// <summary>A manifest by tag or digest.</summary>
    public async Task<JsonElement> ManifestAsync(string repository, string reference)
    {
        using var answer = await SendAsync(HttpMethod.Get, $"v2/{repository}/manifests/{reference}");
        return JsonDocument.Parse(await answer.Content.ReadAsByteArrayAsync()).RootElement;
    }

    /// <summary>A manifest with the media type that the registry says it has.</summary>
    public async Task<(string MediaType, JsonObject Manifest)> ManifestWithTypeAsync(string repository, string reference)
    {
        using var answer = await SendAsync(HttpMethod.Get, $"v2/{repository}/manifests/{reference}");
        return (answer.Content.Headers.ContentType!.MediaType!, JsonNode.Parse(await answer.Content.ReadAsByteArrayAsync())!.AsObject());
    }

    /// <summary>A blob's bytes.</summary>
    public Task<byte[]> BlobAsync(string repository, string digest) => client.GetByteArrayAsync(new Uri($"v2/{repository}/blobs/{digest}", UriKind.Relative));

    /// <summary>The image configuration that a tag leads to.</summary>
    public async Task<JsonElement> ConfigAsync(string repository, string reference)
    {
        var manifest = await ManifestAsync(repository, reference);
        return JsonDocument.Parse(await BlobAsync(repository, manifest.GetProperty("config").GetProperty("digest").GetString()!)).RootElement;
    }

    /// <summary>Our layers of an image, bottom first: the descriptors as the manifest has them.</summary>
    public async Task<IReadOnlyList<JsonElement>> OwnLayersAsync(string repository, string reference)
    {
        var manifest = await ManifestAsync(repository, reference);
        var own = (await ConfigAsync(repository, reference)).GetProperty("history").EnumerateArray().Count(entry => entry.TryGetProperty("created_by", out var by) && by.GetString() == "Registry.Sdk");
        return [.. manifest.GetProperty("layers").EnumerateArray().TakeLast(own)];
    }

    /// <summary>What one layer holds: names without leading slash, in the tar's order.</summary>
    public async Task<IReadOnlyList<LayerEntry>> EntriesAsync(string repository, JsonElement layer)
    {
        using var content = new MemoryStream(await BlobAsync(repository, layer.GetProperty("digest").GetString()!));
        await using var tar = new GZipStream(content, CompressionMode.Decompress);
        await using var reader = new TarReader(tar);
        var entries = new List<LayerEntry>();
        while (await reader.GetNextEntryAsync(copyData: true) is { } entry)
        {
            using var data = new MemoryStream();
            if (entry.DataStream is not null)
            {
                await entry.DataStream.CopyToAsync(data);
            }

            entries.Add(new(entry.Name, entry.Mode, entry.ModificationTime, data.ToArray()));
        }

        return entries;
    }

    /// <summary>Every file of our layers by its path.</summary>
    public async Task<IReadOnlyDictionary<string, LayerEntry>> OwnFilesAsync(string repository, string reference)
    {
        var files = new Dictionary<string, LayerEntry>(StringComparer.Ordinal);
        foreach (var layer in await OwnLayersAsync(repository, reference))
        {
            foreach (var entry in (await EntriesAsync(repository, layer)).Where(entry => !entry.Name.EndsWith('/')))
            {
                files.Add(entry.Name, entry);
            }
        }

        return files;
    }

    public void Dispose() => client.Dispose();

    private async Task<HttpResponseMessage> SendAsync(HttpMethod method, string path)
    {
        using var request = new HttpRequestMessage(method, new Uri(path, UriKind.Relative));
        request.Headers.TryAddWithoutValidation("Accept", Accept);
        var answer = await client.SendAsync(request);
        return answer.EnsureSuccessStatusCode();
    }
}
