using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>What the stock SDK's evaluation says about the image, in its own properties' words.</summary>
public sealed record ContainerSettings
{
    /// <summary><c>ContainerWorkingDirectory</c>, absolute; the application's files go there.</summary>
    public string WorkingDirectory { get; init; } = "/app/";

    /// <summary><c>ContainerUser</c>, or empty: then the base image's <c>APP_UID</c>, else its <c>User</c>.</summary>
    public string User { get; init; } = string.Empty;

    /// <summary><c>ContainerEntrypoint</c>.</summary>
    public IReadOnlyList<string> Entrypoint { get; init; } = [];

    /// <summary><c>ContainerEntrypointArgs</c>.</summary>
    public IReadOnlyList<string> EntrypointArgs { get; init; } = [];

    /// <summary><c>ContainerAppCommand</c>.</summary>
    public IReadOnlyList<string> AppCommand { get; init; } = [];

    /// <summary><c>ContainerAppCommandArgs</c>.</summary>
    public IReadOnlyList<string> AppCommandArgs { get; init; } = [];

    /// <summary><c>ContainerAppCommandInstruction</c>: <c>Entrypoint</c>, <c>DefaultArgs</c>, <c>None</c>, or empty.</summary>
    public string AppCommandInstruction { get; init; } = string.Empty;

    /// <summary><c>ContainerDefaultArgs</c>.</summary>
    public IReadOnlyList<string> DefaultArgs { get; init; } = [];

    /// <summary><c>ContainerPort</c>: number and <c>Type</c> (<c>tcp</c> if empty).</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Ports { get; init; } = [];

    /// <summary><c>ContainerEnvironmentVariable</c>, in order.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Environment { get; init; } = [];

    /// <summary>All labels, ours included; later ones win.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Labels { get; init; } = [];

    /// <summary><c>ContainerImageFormat</c>: <c>OCI</c>, <c>Docker</c>, or empty for what the base image has.</summary>
    public string ImageFormat { get; init; } = string.Empty;
}

/// <summary>Which base image is wanted.</summary>
/// <param name="Repository">Where it is.</param>
/// <param name="Tag">Its tag, or null.</param>
/// <param name="Digest">Its digest, or null; wins over the tag.</param>
/// <param name="Platform">The platform to choose from an index.</param>
public sealed record BaseImageRequest(RepositoryReference Repository, string? Tag, Digest? Digest, Platform Platform)
{
    /// <summary>As people write it.</summary>
    public override string ToString() => Digest is not null ? $"{Repository}@{Digest}" : $"{Repository}:{Tag}";
}

/// <summary>A base image for one platform.</summary>
/// <param name="Request">What was asked for.</param>
/// <param name="ReferencedDigest">Digest of what the tag named: the index where there is one. The label <c>base.digest</c>.</param>
/// <param name="Manifest">The platform's manifest.</param>
/// <param name="Config">The exact bytes of its config.</param>
/// <param name="Layers">Bottom first.</param>
public sealed record BaseImage(BaseImageRequest Request, Digest ReferencedDigest, ManifestContent Manifest, byte[] Config, IReadOnlyList<Descriptor> Layers);

/// <summary>Where base images come from: the one socket before Planning.</summary>
public interface IBaseImageSource
{
    /// <summary>Resolves the reference, once per build, and reads manifest and config; layers stay where they are.</summary>
    Task<Outcome<BaseImage>> ResolveAsync(BaseImageRequest request, CancellationToken cancellationToken);
}

/// <summary>Input of the Imaging stage.</summary>
/// <param name="Bill">Output of the Editions stage: the files.</param>
/// <param name="Base">The base image wanted.</param>
/// <param name="Settings">What stock evaluated.</param>
/// <param name="Created">The image's time: <c>SOURCE_DATE_EPOCH</c>, else the commit's.</param>
/// <param name="LayoutDirectory">Absolute path of the OCI layout to write.</param>
/// <param name="SourceRoots">Absolute folders of source code; an assembly that names one of them was not compiled reproducibly.</param>
/// <param name="GenerateBaseDigestLabel"><c>ContainerGenerateLabelsImageBaseDigest</c>.</param>
public sealed record ImagingInput(
    Bill Bill,
    BaseImageRequest Base,
    ContainerSettings Settings,
    DateTimeOffset Created,
    string LayoutDirectory,
    IReadOnlyList<string> SourceRoots,
    bool GenerateBaseDigestLabel);

/// <summary>One layer of a composed image.</summary>
/// <param name="Descriptor">As in the manifest.</param>
/// <param name="DiffId">Digest of the uncompressed tar.</param>
/// <param name="IsFromBase">Whether its bytes are at the base image's registry and not in the layout.</param>
public sealed record ComposedLayer(Descriptor Descriptor, Digest DiffId, bool IsFromBase);

/// <summary>Output of the Imaging stage: an image in an OCI layout, complete but for the base image's layers.</summary>
/// <param name="LayoutDirectory">Absolute path of the layout.</param>
/// <param name="Manifest">The manifest, exact bytes.</param>
/// <param name="Config">Descriptor of the config, whose bytes are in the layout.</param>
/// <param name="ConfigContent">The config's exact bytes.</param>
/// <param name="Layers">Bottom first.</param>
/// <param name="Base">The base image it stands on.</param>
/// <param name="Labels">The labels as written, by name.</param>
public sealed record ComposedImage(
    string LayoutDirectory,
    ManifestContent Manifest,
    Descriptor Config,
    byte[] ConfigContent,
    IReadOnlyList<ComposedLayer> Layers,
    BaseImage Base,
    IReadOnlyDictionary<string, string> Labels)
{
    /// <summary>Path of a blob in the layout.</summary>
    public string BlobPath(Digest digest)
    {
        ArgumentNullException.ThrowIfNull(digest);
        return Path.Combine(LayoutDirectory, "blobs", "sha256", digest.Hex);
    }
}
