using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>Base images from a registry.</summary>
/// <param name="connections">The publish's connections.</param>
public sealed class RegistryBaseImageSource(RegistryConnections connections) : IBaseImageSource
{
    /// <inheritdoc/>
    public async Task<Outcome<BaseImage>> ResolveAsync(BaseImageRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        try
        {
            return await ResolveCoreAsync(request, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is RegistryException or CredentialException)
        {
            return Outcome<BaseImage>.Failure(RegistryErrors.AtBaseImage(e, request.ToString()));
        }
        catch (JsonException e)
        {
            return Invalid(request, $"its JSON can't be read ({e.Message})");
        }
    }

    private async Task<Outcome<BaseImage>> ResolveCoreAsync(BaseImageRequest request, CancellationToken cancellationToken)
    {
        var client = connections.Open(request.Repository);
        var referenced = await client.GetManifestAsync(request.Digest?.ToString() ?? request.Tag ?? "latest", cancellationToken).ConfigureAwait(false);
        if (referenced is null)
        {
            return Outcome<BaseImage>.Failure(DiagnosticCodes.BaseImageMissing.Report(
                $"The base image {request} does not exist: {request.Repository.Host} answers 404. Correct ContainerBaseImage (or ContainerFamily, ContainerBaseImage's tag)."));
        }

        var manifest = referenced;
        if (MediaTypes.IsIndex(referenced.Descriptor.MediaType))
        {
            var children = Children(referenced.Content);
            if (children.Find(c => Matches(c.Platform, request.Platform)).Descriptor is not { } child)
            {
                return WrongPlatform(request, children.Select(c => c.Platform).OfType<Platform>().Where(p => p.Os != "unknown"));
            }

            manifest = await client.GetManifestAsync(child.Digest.ToString(), cancellationToken).ConfigureAwait(false);
            if (manifest is null || !MediaTypes.IsManifest(manifest.Descriptor.MediaType))
            {
                return Invalid(request, $"its index names {child.Digest}, which is {(manifest is null ? "not there" : $"of type {manifest.Descriptor.MediaType}")}");
            }
        }

        var json = RegistryJson.Parse(manifest.Content);
        var layers = (json?["layers"] as JsonArray)?.Select(Descriptor.FromJson).ToList();
        if (Descriptor.FromJson(json?["config"]) is not { } configDescriptor || layers is null || layers.Contains(null))
        {
            return Invalid(request, "its manifest has no config or a malformed layer");
        }

        var config = await client.GetSmallBlobAsync(configDescriptor, cancellationToken).ConfigureAwait(false);
        if (config is null)
        {
            return Invalid(request, $"its config {configDescriptor.Digest} is not there");
        }

        if (RegistryJson.Parse(config) is not { } configJson
            || configJson["os"] is not JsonValue os || configJson["architecture"] is not JsonValue architecture
            || (configJson["rootfs"] as JsonObject)?["diff_ids"] is not JsonArray diffIds || diffIds.Count != layers.Count
            || diffIds.Any(d => d is not JsonValue value || !value.TryGetValue<string>(out var text) || !Digest.TryParse(text, out _)))
        {
            return Invalid(request, "its config lacks os, architecture, or as many diff_ids as there are layers");
        }

        var platform = new Platform(os.ToString(), architecture.ToString(), configJson["variant"]?.ToString());
        if (!Matches(platform, request.Platform))
        {
            return WrongPlatform(request, [platform]);
        }

        return Outcome<BaseImage>.Success(new(request, referenced.Descriptor.Digest, manifest, config, [.. layers.OfType<Descriptor>()]));
    }

    private static List<(Platform? Platform, Descriptor Descriptor)> Children(byte[] index)
    {
        var result = new List<(Platform?, Descriptor)>();
        foreach (var node in RegistryJson.Parse(index)?["manifests"] as JsonArray ?? [])
        {
            // Attestations and nested indexes are no platforms.
            if (Descriptor.FromJson(node) is { } descriptor && MediaTypes.IsManifest(descriptor.MediaType))
            {
                var platform = node!["platform"] as JsonObject;
                result.Add((platform is null ? null : new(platform["os"]?.ToString() ?? string.Empty, platform["architecture"]?.ToString() ?? string.Empty, platform["variant"]?.ToString()), descriptor));
            }
        }

        return result;
    }

    // Where the RID has no variant any will do; arm64 is v8 whether it says so or not.
    private static bool Matches(Platform? offered, Platform wanted)
        => offered is not null && offered.Os == wanted.Os && offered.Architecture == wanted.Architecture
            && (wanted.Variant is null || offered.Variant is null or "" || offered.Variant == wanted.Variant);

    private static Outcome<BaseImage> WrongPlatform(BaseImageRequest request, IEnumerable<Platform> offered)
        => Outcome<BaseImage>.Failure(DiagnosticCodes.BaseImagePlatform.Report(
            $"The base image {request} is not made for {request.Platform}; it has {string.Join(", ", offered.Select(p => p.ToString()).DefaultIfEmpty("no platform"))}. Change ContainerRuntimeIdentifier or ContainerBaseImage."));

    private static Outcome<BaseImage> Invalid(BaseImageRequest request, string why)
        => Outcome<BaseImage>.Failure(DiagnosticCodes.BaseImageInvalid.Report($"The base image {request} is not a valid image: {why}. Choose another ContainerBaseImage."));
}
