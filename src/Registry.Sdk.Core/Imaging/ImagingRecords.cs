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
/// <param name="Place">Where it is; null for <c>scratch</c>, the image without any layer.</param>
/// <param name="Tag">Its tag, or null.</param>
/// <param name="Digest">Its digest, or null; wins over the tag.</param>
/// <param name="Platform">The platform to choose from an index.</param>
public sealed record BaseImageRequest(ImagePlace? Place, string? Tag, Digest? Digest, Platform Platform)
{
    /// <summary>The base image of what brings everything along. Source: Docker's reserved name for no base.</summary>
    public const string Scratch = "scratch";

    /// <summary>Tag or digest, as repositories are asked for it; of a layout directory without either the only image there is.</summary>
    public string Reference => Digest?.ToString() ?? Tag ?? (Place is LayoutDirectory ? string.Empty : "latest");

    /// <summary>As people write it.</summary>
    public override string ToString() => Place is null ? Scratch : Digest is not null ? $"{Place}@{Digest}" : Tag is not null ? $"{Place}:{Tag}" : Place.ToString()!;
}

/// <summary>A base image for one platform.</summary>
/// <param name="Request">What was asked for.</param>
/// <param name="ReferencedDigest">Digest of what the tag named: the index where there is one. The label <c>base.digest</c>. Null for <c>scratch</c>.</param>
/// <param name="ManifestType">Media type of the platform's manifest.</param>
/// <param name="Config">The exact bytes of its config.</param>
/// <param name="Layers">Bottom first.</param>
/// <param name="Platform">The platform as the base's index names it, else as its config does.</param>
public sealed record BaseImage(BaseImageRequest Request, Digest? ReferencedDigest, string ManifestType, byte[] Config, IReadOnlyList<Descriptor> Layers, Platform Platform);

/// <summary>Where base images come from: the one socket before Planning.</summary>
public interface IBaseImageSource
{
    /// <summary>Resolves the reference, once per build, and reads manifest and config; layers stay where they are.</summary>
    Task<Outcome<BaseImage>> ResolveAsync(BaseImageRequest request, CancellationToken cancellationToken);
}

/// <summary>What the image of one platform is made of.</summary>
/// <param name="RuntimeIdentifier">The .NET RID it was published for (<c>ContainerRuntimeIdentifier</c>).</param>
/// <param name="IsRuntimeIdentifierGiven">Whether the user asked for that RID; else it was inferred from the machine, and musl's files stay too.</param>
/// <param name="RuntimeIdentifierGraph">Path of the RID graph (<c>RuntimeIdentifierGraphPath</c>), or empty: then no runtime file is left out.</param>
/// <param name="DependencyFile">Name of <c>&lt;App>.deps.json</c> in the publish folder, or empty.</param>
/// <param name="Bill">Output of the Editions stage for this platform: the files.</param>
/// <param name="Base">The base image wanted.</param>
/// <param name="Settings">What stock evaluated.</param>
public sealed record PlatformInput(
    string RuntimeIdentifier,
    bool IsRuntimeIdentifierGiven,
    string RuntimeIdentifierGraph,
    string DependencyFile,
    Bill Bill,
    BaseImageRequest Base,
    ContainerSettings Settings);

/// <summary>Input of the Imaging stage.</summary>
/// <param name="Platforms">At least one; several make an index.</param>
/// <param name="Created">The image's time: <c>SOURCE_DATE_EPOCH</c>, else the commit's.</param>
/// <param name="LayoutDirectory">Absolute path of the OCI layout to write.</param>
/// <param name="Cache">The user's cache of compressed layers.</param>
/// <param name="SourceRoots">Absolute folders of source code; an assembly that names one of them was not compiled reproducibly.</param>
/// <param name="GenerateBaseDigestLabel"><c>ContainerGenerateLabelsImageBaseDigest</c>.</param>
public sealed record ImagingInput(
    IReadOnlyList<PlatformInput> Platforms,
    DateTimeOffset Created,
    string LayoutDirectory,
    ImageCache Cache,
    IReadOnlyList<string> SourceRoots,
    bool GenerateBaseDigestLabel);

/// <summary>Where a layer's compressed bytes came from.</summary>
public enum LayerOrigin
{
    /// <summary>The base image: its bytes are there and not in the layout.</summary>
    Base,

    /// <summary>Compressed by this build.</summary>
    Compressed,

    /// <summary>The user's cache: an earlier build compressed them.</summary>
    Cached,

    /// <summary>An earlier publish: its bytes are at the destination that has it, and not in the layout.</summary>
    Released,
}

/// <summary>Where a blob is that is not in the layout.</summary>
/// <param name="Place">The repository that has its bytes.</param>
/// <param name="Name">What is there, for messages: the base image's name, or a destination's.</param>
/// <param name="IsBase">Whether that is the base image; else it is a destination that an earlier publish went to.</param>
public sealed record BlobSource(ImagePlace Place, string Name, bool IsBase);

/// <summary>One layer of a composed image.</summary>
/// <param name="Descriptor">As in the manifest.</param>
/// <param name="DiffId">Digest of the uncompressed tar.</param>
/// <param name="Origin">Where its bytes came from.</param>
/// <param name="Content">What it holds, for reports: <c>base</c>, <c>runtime</c>, <c>packages</c>, <c>references</c>, <c>application</c>, <c>released</c>.</param>
/// <param name="Source">Where its bytes are; null: in the layout.</param>
public sealed record ComposedLayer(Descriptor Descriptor, Digest DiffId, LayerOrigin Origin, string Content, BlobSource? Source = null)
{
    /// <summary>Whether it is the base image's.</summary>
    public bool IsFromBase => Origin == LayerOrigin.Base;
}

/// <summary>What an image stands on, for reports and for what its labels say.</summary>
/// <param name="Name">As people write it: <c>mcr.microsoft.com/dotnet/aspnet:10.0</c>, <c>scratch</c>.</param>
/// <param name="Repository">The same without tag and digest.</param>
/// <param name="ReferencedDigest">Digest of what the tag named; null for <c>scratch</c>, and where an earlier publish did not note it.</param>
public sealed record BaseReference(string Name, string Repository, Digest? ReferencedDigest)
{
    /// <summary>How reports name it: repository and digest.</summary>
    public override string ToString() => ReferencedDigest is null ? Name : $"{Repository}@{ReferencedDigest}";
}

/// <summary>The image of one platform.</summary>
/// <param name="Platform">The platform.</param>
/// <param name="Manifest">The manifest, exact bytes.</param>
/// <param name="Config">Descriptor of the config, whose bytes are in the layout.</param>
/// <param name="ConfigContent">The config's exact bytes.</param>
/// <param name="Layers">Bottom first.</param>
/// <param name="Base">The base image it stands on.</param>
/// <param name="Labels">The labels as written, by name.</param>
/// <param name="LeftOut">Bytes of runtime files that this platform can't reach and that were left out.</param>
public sealed record PlatformImage(
    Platform Platform,
    ManifestContent Manifest,
    Descriptor Config,
    byte[] ConfigContent,
    IReadOnlyList<ComposedLayer> Layers,
    BaseReference Base,
    IReadOnlyDictionary<string, string> Labels,
    long LeftOut);

/// <summary>The image of one edition.</summary>
/// <param name="Edition">The edition's name; empty without <c>ContainerEditions</c>.</param>
/// <param name="License">The edition's licence, an SPDX expression; empty: none is declared, and the licence wall was off.</param>
/// <param name="Image">Its image.</param>
public sealed record EditionImage(string Edition, string License, ComposedImage Image)
{
    /// <summary>What tags name.</summary>
    public Digest Digest => Image.Manifest.Descriptor.Digest;
}

/// <summary>Output of the Imaging stage: an image in an OCI layout, complete but for the layers that are elsewhere (<see cref="ComposedLayer.Source"/>).</summary>
/// <param name="LayoutDirectory">Absolute path of the layout.</param>
/// <param name="Manifest">What tags name, exact bytes: the manifest of the one platform, or the index of several.</param>
/// <param name="Platforms">In the order of the RIDs.</param>
/// <param name="ReleasedAt">The destination whose image this is, where an earlier publish made it; null: composed by this one.</param>
public sealed record ComposedImage(string LayoutDirectory, ManifestContent Manifest, IReadOnlyList<PlatformImage> Platforms, string? ReleasedAt = null)
{
    /// <summary>Every manifest, in the order a registry takes them: the platforms', then the index if there is one.</summary>
    public IReadOnlyList<ManifestContent> Manifests => [.. Platforms.Select(p => p.Manifest).Append(Manifest).DistinctBy(m => m.Descriptor.Digest)];

    /// <summary>Path of a blob in the layout.</summary>
    public string BlobPath(Digest digest)
    {
        ArgumentNullException.ThrowIfNull(digest);
        return Path.Combine(LayoutDirectory, "blobs", "sha256", digest.Hex);
    }
}
