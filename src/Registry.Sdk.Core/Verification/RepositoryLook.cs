using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Verification;

/// <summary>How many requests one registry gets at once.</summary>
internal sealed class HostGates : IDisposable
{
    /// <summary>Enough for ten packages in seconds, and little enough for registries that count.</summary>
    private const int AtOnce = 8;

    private readonly ConcurrentDictionary<string, SemaphoreSlim> _gates = new(StringComparer.Ordinal);

    /// <summary>Waits for its turn.</summary>
    public async Task<T> RunAsync<T>(RegistryHost host, Func<Task<T>> request, CancellationToken cancellationToken)
    {
        var gate = _gates.GetOrAdd(host.Name, static _ => new(AtOnce));
        await gate.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            return await request().ConfigureAwait(false);
        }
        finally
        {
            gate.Release();
        }
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var gate in _gates.Values)
        {
            gate.Dispose();
        }
    }
}

/// <summary>What one image is made of, as it was read.</summary>
/// <param name="Digest">Of what the reference names: index or manifest.</param>
/// <param name="Platforms">Its platforms.</param>
/// <param name="Blobs">Configs and layers, each once.</param>
/// <param name="Manifests">All manifests that were read, the first included.</param>
internal sealed record ImageParts(Digest Digest, IReadOnlyList<Platform> Platforms, IReadOnlyList<Descriptor> Blobs, IReadOnlyList<Digest> Manifests);

/// <summary>An answer about one image that is no answer of the registry to be waited for: something of the image is wrong.</summary>
/// <param name="isPlatform">Whether a platform is what is missing.</param>
/// <param name="message">What is missing or wrong: half a sentence, without a full stop.</param>
internal sealed class ImageProblemException(bool isPlatform, string message) : Exception(message)
{
    /// <summary>Whether a platform is what is missing.</summary>
    public bool IsPlatform { get; } = isPlatform;
}

/// <summary>One repository read over one client; each request becomes evidence.</summary>
/// <param name="client">The client.</param>
/// <param name="address">Where the registry answers.</param>
/// <param name="isOutsider">Whether the client has no credentials.</param>
/// <param name="gates">Whose turn it is.</param>
/// <param name="time">When it was answered.</param>
/// <param name="evidence">Receives what was answered.</param>
internal sealed class RepositoryLook(RegistryClient client, Uri address, bool isOutsider, HostGates gates, TimeProvider time, ConcurrentQueue<Evidence> evidence)
{
    // An index that names more than this is none that a person made.
    private const int MaxManifests = 100;

    private const int MaxLayers = 500;

    /// <summary>Where the credential in use came from; null while none was shown.</summary>
    public string? CredentialSource => client.CredentialSource;

    /// <summary>All tags.</summary>
    public Task<IReadOnlyList<string>> TagsAsync(CancellationToken cancellationToken)
        => AskAsync("GET", "tags/list", () => client.ListTagsAsync(cancellationToken), t => string.Create(CultureInfo.InvariantCulture, $"{t.Count} tags"), cancellationToken);

    /// <summary>Whether the repository is there at all.</summary>
    public Task<bool> ExistsAsync(CancellationToken cancellationToken)
        => AskAsync("GET", "tags/list", () => client.RepositoryExistsAsync(cancellationToken), t => t ? "200" : "404, or refused", cancellationToken);

    /// <summary>What a tag names; null: nothing.</summary>
    public Task<Digest?> FindAsync(string reference, CancellationToken cancellationToken)
        => AskAsync("HEAD", $"manifests/{reference}", () => client.FindManifestAsync(reference, cancellationToken), d => d is null ? "404" : $"200, {d}", cancellationToken);

    /// <summary>The manifest, its bytes checked; null: none.</summary>
    public Task<ManifestContent?> ManifestAsync(string reference, CancellationToken cancellationToken)
        => AskAsync("GET", $"manifests/{reference}", () => client.GetManifestAsync(reference, cancellationToken), m => m is null ? "404" : $"200, {m.Descriptor.Digest}", cancellationToken);

    /// <summary>Whether a blob is there, redirects followed.</summary>
    public Task<bool> HasBlobAsync(Descriptor blob, CancellationToken cancellationToken)
        => AskAsync("HEAD", $"blobs/{blob.Digest}", () => client.HasBlobAsync(blob, cancellationToken), b => b ? "200" : "404", cancellationToken);

    /// <summary>Reads what a reference names: index, manifests and configs in full, checked against their digests; layers by HEAD.</summary>
    /// <param name="reference">Tag or digest.</param>
    /// <param name="only">The platform that is wanted, or null for all.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    /// <returns>Null if nothing has that name.</returns>
    /// <exception cref="ImageProblemException">Something of it is missing, or is no image.</exception>
    public async Task<ImageParts?> ReadAsync(string reference, Platform? only, CancellationToken cancellationToken)
    {
        if (await ManifestAsync(reference, cancellationToken).ConfigureAwait(false) is not { } first)
        {
            return null;
        }

        var images = new List<(ManifestContent Manifest, Platform? Platform)>();
        if (MediaTypes.IsIndex(first.Descriptor.MediaType))
        {
            var index = Parse(first.Content, first.Descriptor.Digest);
            var named = RegistryJson.Children(index);
            if (named.Count != (index["manifests"] as JsonArray)?.Count)
            {
                // Passed over, it would count as there.
                throw new ImageProblemException(isPlatform: true, $"the index {first.Descriptor.Digest} names something without media type, digest or size, which nobody can fetch");
            }

            var children = named.Where(c => MediaTypes.IsManifest(c.Descriptor.MediaType)).ToList();
            if (children.Count == 0 || named.Count > MaxManifests)
            {
                throw new ImageProblemException(isPlatform: true, $"the index {first.Descriptor.Digest} names {(named.Count > MaxManifests ? $"more than {MaxManifests} images" : "no image")}");
            }

            // Attestations are not for a platform; they are fetched with the image by those who ask for all of it.
            var wanted = only is null ? children : [.. children.Where(c => c.Platform is { } p && Matches(p, only)).Take(1)];
            if (wanted.Count == 0)
            {
                throw new ImageProblemException(isPlatform: true, $"it has no image for {only}, only for {string.Join(", ", children.Select(c => c.Platform).OfType<Platform>().Where(p => p.Os != "unknown"))}");
            }

            images.AddRange(await Task.WhenAll(wanted.Select(async child =>
            {
                var manifest = await ManifestAsync(child.Descriptor.Digest.ToString(), cancellationToken).ConfigureAwait(false)
                    ?? throw new ImageProblemException(isPlatform: true, $"the manifest {child.Descriptor.Digest}{(child.Platform is { } platform ? $" of the platform {platform}" : string.Empty)}, which the index names, is not there");
                return manifest.Descriptor.Size == child.Descriptor.Size ? (manifest, child.Platform)
                    : throw new ImageProblemException(isPlatform: true, $"the manifest {child.Descriptor.Digest} has {manifest.Descriptor.Size} bytes, and the index says {child.Descriptor.Size}: it is refused by who pulls it");
            })).ConfigureAwait(false));

            // An index within the index, or what else it names: nobody who pulls for a platform needs it; whoever copies the image does.
            await Task.WhenAll(named.Where(c => only is null && !MediaTypes.IsManifest(c.Descriptor.MediaType)).Select(async other =>
            {
                if (await FindAsync(other.Descriptor.Digest.ToString(), cancellationToken).ConfigureAwait(false) is null)
                {
                    throw new ImageProblemException(isPlatform: false, $"{other.Descriptor.Digest} ({PlainText.Of(other.Descriptor.MediaType)}), which the index names, is not there");
                }
            })).ConfigureAwait(false);
        }
        else
        {
            images.Add((first, null));
        }

        var parts = await Task.WhenAll(images.Select(i => PartsAsync(i.Manifest, i.Platform, only, cancellationToken))).ConfigureAwait(false);
        var blobs = parts.SelectMany(p => p.Blobs).DistinctBy(b => b.Digest).ToList();
        await Task.WhenAll(parts.SelectMany(p => p.Layers).DistinctBy(b => b.Digest).Select(async layer =>
        {
            if (!await HasBlobAsync(layer, cancellationToken).ConfigureAwait(false))
            {
                throw new ImageProblemException(isPlatform: false, $"the layer {layer.Digest} is not there");
            }
        })).ConfigureAwait(false);
        return new(
            first.Descriptor.Digest,
            [.. parts.Select(p => p.Platform).OfType<Platform>().Where(p => p.Os != "unknown").OrderBy(p => p.ToString(), StringComparer.Ordinal)],
            blobs,
            [.. images.Select(i => i.Manifest.Descriptor.Digest).Prepend(first.Descriptor.Digest).Distinct()]);
    }

    /// <summary>Whether an image for one platform runs where another is wanted. A variant that one side does not name is not held against the other.</summary>
    public static bool Matches(Platform have, Platform want)
        => have.Os == want.Os && have.Architecture == want.Architecture && (string.IsNullOrEmpty(have.Variant) || string.IsNullOrEmpty(want.Variant) || have.Variant == want.Variant);

    private async Task<(Platform? Platform, IReadOnlyList<Descriptor> Blobs, IReadOnlyList<Descriptor> Layers)> PartsAsync(ManifestContent manifest, Platform? named, Platform? only, CancellationToken cancellationToken)
    {
        var digest = manifest.Descriptor.Digest;
        var json = Parse(manifest.Content, digest);
        var layers = (json["layers"] as JsonArray ?? []).ToList();
        if (Descriptor.FromJson(json["config"]) is not { } config || layers.Count > MaxLayers || layers.Exists(l => Descriptor.FromJson(l) is null))
        {
            throw new ImageProblemException(isPlatform: false, $"the manifest {digest} is no image manifest");
        }

        var content = config.Size > RegistryClient.MaxManifestBytes
            ? throw new ImageProblemException(isPlatform: false, $"the config of {digest} claims {config.Size} bytes")
            : await AskAsync("GET", $"blobs/{config.Digest}", () => client.GetSmallBlobAsync(config, cancellationToken), b => b is null ? "404" : "200", cancellationToken).ConfigureAwait(false)
                ?? throw new ImageProblemException(isPlatform: false, $"the config {config.Digest} is not there");

        // Without an index the config alone says what it runs on.
        var platform = named ?? Platform.FromJson(ParseConfig(content));
        if (named is null && only is not null && platform is not null && platform.Os.Length > 0 && !Matches(platform, only))
        {
            throw new ImageProblemException(isPlatform: true, $"it has no image for {only}, only for {platform}");
        }

        // What lies elsewhere (Windows base layers) the registry need not have.
        var own = layers.Where(l => (l as JsonObject)?["urls"] is not JsonArray { Count: > 0 }).Select(l => Descriptor.FromJson(l)!).ToList();
        return (platform, [config, .. own], own);
    }

    private static JsonObject Parse(byte[] content, Digest digest)
    {
        try
        {
            return RegistryJson.Parse(content) ?? throw new ImageProblemException(isPlatform: false, $"the manifest {digest} is no JSON object");
        }
        catch (JsonException)
        {
            throw new ImageProblemException(isPlatform: false, $"the manifest {digest} is no JSON");
        }
    }

    private static JsonObject? ParseConfig(byte[] content)
    {
        try
        {
            // An attestation's config is none of an image.
            return RegistryJson.Parse(content) is { } json && json.ContainsKey("os") ? json : null;
        }
        catch (JsonException)
        {
            return null;
        }
    }

    private Task<T> AskAsync<T>(string method, string path, Func<Task<T>> request, Func<T, string> answer, CancellationToken cancellationToken)
        => gates.RunAsync(
            client.Repository.Host,
            async () =>
            {
                var what = $"{method} {new Uri(address, $"/v2/{client.Repository.Name}/{path}")}{(isOutsider ? " (anonymous)" : string.Empty)}";
                try
                {
                    var result = await request().ConfigureAwait(false);
                    evidence.Enqueue(new(what, answer(result), time.GetUtcNow()));
                    return result;
                }
                catch (RegistryException e)
                {
                    evidence.Enqueue(new(what, PlainText.Of(e.Message), time.GetUtcNow()));
                    throw;
                }
            },
            cancellationToken);
}
