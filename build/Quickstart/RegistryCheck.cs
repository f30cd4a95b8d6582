using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text.Json;

namespace Registry.Sdk.Quickstart;

/// <summary>Asks a registry itself what it holds, with nothing of Registry.Sdk in between: plain requests, and a hash of our own.</summary>
internal sealed class RegistryCheck : IDisposable
{
    private static readonly string[] ManifestTypes = ["application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json"];
    private readonly HttpClient _http = new(new SocketsHttpHandler { UseProxy = false }) { Timeout = TimeSpan.FromSeconds(30) };

    /// <summary>The tags of a repository and the digest of the manifest that each of them gives.</summary>
    public async Task<IReadOnlyDictionary<string, string>> TagsAsync(string address, string repository, CancellationToken cancellationToken)
    {
        using var list = JsonDocument.Parse(await GetAsync($"{address}/v2/{repository}/tags/list", cancellationToken));
        var tags = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var tag in list.RootElement.GetProperty("tags").EnumerateArray().Select(tag => tag.GetString()!))
        {
            var manifest = await GetAsync($"{address}/v2/{repository}/manifests/{tag}", cancellationToken);
            tags.Add(tag, "sha256:" + Convert.ToHexStringLower(SHA256.HashData(manifest)));
        }

        return tags;
    }

    public void Dispose() => _http.Dispose();

    private async Task<byte[]> GetAsync(string url, CancellationToken cancellationToken)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, url);
        foreach (var type in ManifestTypes)
        {
            request.Headers.Accept.Add(new MediaTypeWithQualityHeaderValue(type));
        }

        using var response = await _http.SendAsync(request, cancellationToken);
        return response.StatusCode == HttpStatusCode.OK
            ? await response.Content.ReadAsByteArrayAsync(cancellationToken)
            : throw new QuickstartException($"{url} answers {(int)response.StatusCode}.");
    }
}
