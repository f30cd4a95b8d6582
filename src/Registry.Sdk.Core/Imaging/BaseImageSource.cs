using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>Base images from registries, OCI layout directories, and <c>scratch</c>.</summary>
/// <param name="connections">The publish's connections.</param>
/// <param name="cache">Keeps what was read by digest. What a tag names is asked anew by every build, and by each build once.</param>
public sealed class BaseImageSource(RegistryConnections connections, ImageCache cache) : IBaseImageSource
{
    private readonly Dictionary<(ImagePlace Place, string Reference), ManifestContent?> _referenced = [];

    /// <inheritdoc/>
    public async Task<Outcome<BaseImage>> ResolveAsync(BaseImageRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        if (request.Place is null)
        {
            return Outcome<BaseImage>.Success(Scratch(request));
        }

        try
        {
            return await ResolveAsync(request, connections.Open(request.Place), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (RegistryErrors.Know(e))
        {
            return Outcome<BaseImage>.Failure(RegistryErrors.AtBaseImage(e, request.ToString()));
        }
        catch (JsonException e)
        {
            return Invalid(request, $"its JSON can't be read ({e.Message})");
        }
    }

    /// <summary>The digest that a reference stands for in this build; null if there is none.</summary>
    /// <param name="request">Not <c>scratch</c>.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    /// <exception cref="IOException">The place can't be read (<see cref="RegistryErrors.Know"/>).</exception>
    public async Task<Digest?> FindAsync(BaseImageRequest request, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        return (await ReferencedOnceAsync(request, connections.Open(request.Place!), cancellationToken).ConfigureAwait(false))?.Descriptor.Digest;
    }

    /// <summary>An image without layers and without config.</summary>
    private static BaseImage Scratch(BaseImageRequest request)
    {
        var platform = request.Platform;
        var config = new JsonObject { ["architecture"] = platform.Architecture, ["os"] = platform.Os };
        if (platform.Variant is not null)
        {
            config["variant"] = platform.Variant;
        }

        config["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray() };
        return new(request, null, MediaTypes.OciManifest, ImageConfig.Serialise(config), [], platform);
    }

    private async Task<Outcome<BaseImage>> ResolveAsync(BaseImageRequest request, IImageRepository repository, CancellationToken cancellationToken)
    {
        var referenced = await ReferencedOnceAsync(request, repository, cancellationToken).ConfigureAwait(false);
        if (referenced is null)
        {
            return Outcome<BaseImage>.Failure(DiagnosticCodes.BaseImageMissing.Report(request.Place is RepositoryReference { Host: var host }
                ? $"The base image {request} does not exist: {host} {(connections.Endpoint(host).IsMapped ? $"at {connections.Endpoint(host).BaseAddress.GetLeftPart(UriPartial.Authority)} (RegistrySdkEndpoint) " : string.Empty)}answers 404. Correct ContainerBaseImage, or ContainerFamily where it is inferred from that."
                : $"The base image {request} does not exist: there is no such directory, or its index.json does not name it. Correct the path or tag in ContainerBaseImage."));
        }

        var manifest = referenced;
        Platform? listed = null;
        if (MediaTypes.IsIndex(referenced.Descriptor.MediaType))
        {
            // Attestations and nested indexes are no platforms.
            var children = RegistryJson.Children(RegistryJson.Parse(referenced.Content)).Where(c => MediaTypes.IsManifest(c.Descriptor.MediaType)).ToList();
            if (Choose(children, request.Platform) is not { } child)
            {
                return WrongPlatform(request, children.Select(c => c.Platform).OfType<Platform>().Where(p => p.Os != "unknown"));
            }

            listed = child.Platform;
            manifest = await ByDigestAsync(repository, child.Descriptor.Digest, cancellationToken).ConfigureAwait(false);
            if (manifest is null || !MediaTypes.IsManifest(manifest.Descriptor.MediaType))
            {
                return Invalid(request, $"its index names {child.Descriptor.Digest}, which is {(manifest is null ? "not there" : $"of type {manifest.Descriptor.MediaType}")}");
            }
        }

        if (ImageJson.Manifest(manifest.Content) is not var (configDescriptor, layers))
        {
            return Invalid(request, "its manifest has no config or a malformed layer");
        }

        var config = await ConfigAsync(repository, configDescriptor, cancellationToken).ConfigureAwait(false);
        if (config is null)
        {
            return Invalid(request, $"its config {configDescriptor.Digest} is not there");
        }

        if (ImageJson.Config(config, layers.Count) is not var (platform, _, _))
        {
            return Invalid(request, "its config lacks os, architecture, or as many diff_ids as there are layers");
        }

        return Rank(platform, request.Platform) is null
            ? WrongPlatform(request, [platform])
            : Outcome<BaseImage>.Success(new(request, referenced.Descriptor.Digest, manifest.Descriptor.MediaType, config, layers, listed ?? platform));
    }

    private async Task<ManifestContent?> ReferencedOnceAsync(BaseImageRequest request, IImageRepository repository, CancellationToken cancellationToken)
    {
        if (!_referenced.TryGetValue((request.Place!, request.Reference), out var referenced))
        {
            referenced = await ReferencedAsync(request, repository, cancellationToken).ConfigureAwait(false);
            _referenced.Add((request.Place!, request.Reference), referenced);
        }

        return referenced;
    }

    /// <summary>What the reference names now. By HEAD, where the registry counts other reads (Docker Hub), and then from the cache.</summary>
    private async Task<ManifestContent?> ReferencedAsync(BaseImageRequest request, IImageRepository repository, CancellationToken cancellationToken)
    {
        var digest = request.Digest ?? await repository.FindManifestAsync(request.Reference, cancellationToken).ConfigureAwait(false);
        return digest is null ? null : await ByDigestAsync(repository, digest, cancellationToken).ConfigureAwait(false);
    }

    private async Task<ManifestContent?> ByDigestAsync(IImageRepository repository, Digest digest, CancellationToken cancellationToken)
    {
        if (await cache.TryReadBlobAsync(digest, RegistryClient.MaxManifestBytes, cancellationToken).ConfigureAwait(false) is { } cached && MediaTypes.OfManifest(cached) is { } type)
        {
            return new(new(type, digest, cached.Length), cached);
        }

        var manifest = await repository.GetManifestAsync(digest.ToString(), cancellationToken).ConfigureAwait(false);
        if (manifest is null)
        {
            return null;
        }

        await cache.AddBlobAsync(digest, manifest.Content, cancellationToken).ConfigureAwait(false);
        // What the content says before what the answer's header said: the cache, and another registry, have the content alone.
        return MediaTypes.OfManifest(manifest.Content) is { } told ? manifest with { Descriptor = manifest.Descriptor with { MediaType = told } } : manifest;
    }

    private async Task<byte[]?> ConfigAsync(IImageRepository repository, Descriptor descriptor, CancellationToken cancellationToken)
    {
        if (await cache.TryReadBlobAsync(descriptor.Digest, RegistryClient.MaxManifestBytes, cancellationToken).ConfigureAwait(false) is { } cached && cached.Length == descriptor.Size)
        {
            return cached;
        }

        var config = await repository.GetSmallBlobAsync(descriptor, cancellationToken).ConfigureAwait(false);
        if (config is not null)
        {
            await cache.AddBlobAsync(descriptor.Digest, config, cancellationToken).ConfigureAwait(false);
        }

        return config;
    }

    private static (Descriptor Descriptor, Platform Platform)? Choose(List<(Descriptor Descriptor, Platform? Platform)> children, Platform wanted)
        => children.Where(c => Rank(c.Platform, wanted) is not null)
            .OrderBy(c => Rank(c.Platform, wanted)) // stable: of equals the first, as the image spec has it
            .Select(c => ((Descriptor, Platform)?)(c.Descriptor, c.Platform!))
            .FirstOrDefault();

    /// <summary>How well an offered platform fits, 0 best; null if it does not.</summary>
    /// <remarks>
    /// The variant that every machine of the architecture runs comes first: an index may list amd64/v3 before plain amd64. Source: OCI image spec,
    /// image-index.md, «Platform Variants»; arm64 is v8 and amd64 is v1 whether they say so or not.
    /// </remarks>
    private static int? Rank(Platform? offered, Platform wanted)
    {
        if (offered is null || offered.Os != wanted.Os || offered.Architecture != wanted.Architecture)
        {
            return null;
        }

        if (wanted.Variant is null)
        {
            return (offered.Architecture, offered.Variant) switch
            {
                (_, null or "") or ("arm64", "v8") or ("amd64", "v1") => 0,
                (_, var variant) => variant[^1], // v2 asks less of a machine than v3
            };
        }

        // arm: a v7 machine runs v6 and v5 as well, never the other way round.
        return offered.Variant == wanted.Variant ? 0
            : string.IsNullOrEmpty(offered.Variant) ? 1
            : string.CompareOrdinal(offered.Variant, wanted.Variant) < 0 ? 2 + (wanted.Variant[^1] - offered.Variant[^1])
            : null;
    }

    private static Outcome<BaseImage> WrongPlatform(BaseImageRequest request, IEnumerable<Platform> offered)
        => Outcome<BaseImage>.Failure(DiagnosticCodes.BaseImagePlatform.Report(
            $"The base image {request} is not made for {request.Platform}; it has {string.Join(", ", offered.Select(p => p.ToString()).DefaultIfEmpty("no platform"))}. Change ContainerRuntimeIdentifier or ContainerBaseImage."));

    private static Outcome<BaseImage> Invalid(BaseImageRequest request, string why)
        => Outcome<BaseImage>.Failure(DiagnosticCodes.BaseImageInvalid.Report($"The base image {request} is not a valid image: {why}. Choose another ContainerBaseImage."));
}
