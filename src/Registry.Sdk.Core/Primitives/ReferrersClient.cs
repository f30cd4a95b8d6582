using System.Text.Json;
using System.Text.Json.Nodes;

namespace Registry.Sdk.Core.Primitives;

/// <summary>One manifest that refers to another: a signature, an attestation, a bill of materials.</summary>
/// <param name="Descriptor">The referring manifest.</param>
/// <param name="ArtifactType">What it is; empty if it does not say.</param>
/// <param name="Annotations">Its annotations, as the registry lists them.</param>
public sealed record Referrer(Descriptor Descriptor, string ArtifactType, IReadOnlyDictionary<string, string> Annotations);

/// <summary>
/// What refers to a manifest: by the referrers API, or by the tag that stands in for it where a registry has none (GHCR, Distribution 2).
/// Source: distribution spec 1.1, «Listing Referrers» and «Referrers Tag Schema»; wire-facts 1.10.
/// </summary>
/// <param name="repository">The repository that holds both.</param>
public sealed class ReferrersClient(RegistryClient repository)
{
    // The tag has no lock: two writers at once lose one entry. Each looks again and repairs its own.
    private const int Attempts = 3;

    /// <summary>The tag that stands in for the API: <c>sha256-&lt;hex></c>.</summary>
    public static string FallbackTag(Digest subject)
    {
        ArgumentNullException.ThrowIfNull(subject);
        return subject.ToString().Replace(':', '-');
    }

    /// <summary>What refers to <paramref name="subject"/>; empty if nothing does.</summary>
    /// <param name="subject">The manifest that is referred to.</param>
    /// <param name="artifactType">Only these; null: all.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    /// <exception cref="RegistryException">The registry can't be asked or answers with something else.</exception>
    public async Task<IReadOnlyList<Referrer>> ListAsync(Digest subject, string? artifactType, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(subject);
        var nodes = await FromApiAsync(subject, artifactType, cancellationToken).ConfigureAwait(false)
            ?? [.. Manifests((await FallbackAsync(subject, cancellationToken).ConfigureAwait(false))?.Index)];
        // A registry need not filter (OCI-Filters-Applied); filtering what is filtered changes nothing.
        return [.. nodes.Select(Read).OfType<Referrer>().Where(r => artifactType is null || r.ArtifactType == artifactType).DistinctBy(r => r.Descriptor.Digest)];
    }

    /// <summary>Pushes a manifest that has a <c>subject</c>, and makes it findable from there.</summary>
    /// <param name="manifest">The referring manifest; its blobs are there.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    /// <returns>Whether the registry indexes it; else the fallback tag names it.</returns>
    /// <exception cref="ArgumentException">It has no subject.</exception>
    /// <exception cref="RegistryException">The registry refuses it, or other writers took the fallback tag from us each time.</exception>
    public async Task<bool> AddAsync(ManifestContent manifest, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var json = RegistryJson.Parse(manifest.Content);
        var subject = Descriptor.FromJson(json?["subject"])?.Digest ?? throw new ArgumentException("The manifest has no subject.", nameof(manifest));
        var indexed = await repository.PushManifestAsync(manifest.Descriptor.Digest.ToString(), manifest, cancellationToken).ConfigureAwait(false);
        // Docker Hub has said OCI-Subject without serving the API (wire-facts 4.4): both are needed.
        if (indexed == subject && await FromApiAsync(subject, null, cancellationToken).ConfigureAwait(false) is not null)
        {
            return true;
        }

        for (var attempt = 0; attempt < Attempts; attempt++)
        {
            var current = await FallbackAsync(subject, cancellationToken).ConfigureAwait(false);
            if (Manifests(current?.Index).Any(m => Descriptor.FromJson(m)?.Digest == manifest.Descriptor.Digest))
            {
                return false;
            }

            var index = current?.Index ?? new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = MediaTypes.OciIndex, ["manifests"] = new JsonArray() };
            ((JsonArray)index["manifests"]!).Add(Entry(manifest.Descriptor, json!));
            var content = JsonSerializer.SerializeToUtf8Bytes(index);
            await repository.PutManifestAsync(FallbackTag(subject), new(new(MediaTypes.OciIndex, Digest.Of(content), content.Length), content), cancellationToken).ConfigureAwait(false);
        }

        return Manifests((await FallbackAsync(subject, cancellationToken).ConfigureAwait(false))?.Index).Any(m => Descriptor.FromJson(m)?.Digest == manifest.Descriptor.Digest)
            ? false
            : throw new RegistryException(RegistryFailure.Rejected, repository.Repository.Host, $"the tag {FallbackTag(subject)} at {repository.Repository} was taken by other writers {Attempts} times.");
    }

    /// <summary>Null where the API is missing (404).</summary>
    private async Task<List<JsonObject>?> FromApiAsync(Digest subject, string? artifactType, CancellationToken cancellationToken)
    {
        var query = artifactType is null ? string.Empty : "?artifactType=" + Uri.EscapeDataString(artifactType);
        List<JsonObject>? found = null;
        var name = repository.Repository.Name;
        await foreach (var (body, _) in repository.PagesAsync(repository.Address($"/v2/{name}/referrers/{subject}{query}"), "GET referrers", new(name, Push: false), cancellationToken).ConfigureAwait(false))
        {
            found ??= [];
            found.AddRange(Manifests(body));
        }

        return found;
    }

    private async Task<(JsonObject Index, Digest Digest)?> FallbackAsync(Digest subject, CancellationToken cancellationToken)
    {
        if (await repository.GetManifestAsync(FallbackTag(subject), cancellationToken).ConfigureAwait(false) is not { } manifest)
        {
            return null;
        }

        return MediaTypes.IsIndex(manifest.Descriptor.MediaType) && RegistryJson.Parse(manifest.Content) is { } index && index["manifests"] is JsonArray
            ? (index, manifest.Descriptor.Digest)
            : throw new RegistryException(RegistryFailure.Rejected, repository.Repository.Host, $"the tag {FallbackTag(subject)} at {repository.Repository}, which lists what refers to that image, is no index.");
    }

    private static IEnumerable<JsonObject> Manifests(JsonObject? index) => (index?["manifests"] as JsonArray ?? []).OfType<JsonObject>();

    private static JsonObject Entry(Descriptor descriptor, JsonObject manifest)
    {
        var entry = descriptor.ToJson();
        // Of an image manifest without artifactType the config's type counts (distribution spec, «Pushing Manifests with Subject»).
        if ((Text(manifest["artifactType"]) ?? Text((manifest["config"] as JsonObject)?["mediaType"])) is { } type)
        {
            entry["artifactType"] = type;
        }

        if (manifest["annotations"] is JsonObject { Count: > 0 } annotations)
        {
            entry["annotations"] = annotations.DeepClone();
        }

        return entry;
    }

    private static Referrer? Read(JsonObject node) => Descriptor.FromJson(node) is { } descriptor
        ? new(descriptor, Text(node["artifactType"]) ?? string.Empty, (node["annotations"] as JsonObject ?? []).Where(a => Text(a.Value) is not null).ToDictionary(a => a.Key, a => Text(a.Value)!, StringComparer.Ordinal))
        : null;

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) && text.Length > 0 ? text : null;
}
