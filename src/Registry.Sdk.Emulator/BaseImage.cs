namespace Registry.Sdk.Emulator;

/// <summary>What a base image holds, named after Microsoft's images.</summary>
public enum BaseImageKind
{
    /// <summary>.NET and ASP.NET Core, as <c>dotnet/aspnet</c>.</summary>
    Aspnet,

    /// <summary>.NET alone, as <c>dotnet/runtime</c>.</summary>
    Runtime,
}

/// <summary>The media types an image is written with.</summary>
public enum BaseImageFormat
{
    /// <summary>image-spec 1.1.1.</summary>
    Oci,

    /// <summary>Docker image manifest version 2, schema 2.</summary>
    Docker,
}

/// <summary>Which base image to compose.</summary>
public sealed record BaseImageOptions
{
    /// <summary>What it holds.</summary>
    public BaseImageKind Kind { get; init; } = BaseImageKind.Aspnet;

    /// <summary>Its media types.</summary>
    public BaseImageFormat Format { get; init; } = BaseImageFormat.Oci;

    /// <summary>
    /// Runtime identifier it is for: <c>linux-x64</c>, <c>linux-arm64</c>, … Any but <see cref="BaseImageComposer.MachineRid"/> gives a stub.
    /// </summary>
    public string Rid { get; init; } = BaseImageComposer.MachineRid;

    /// <summary>Major and minor version of .NET; the newest patch on the machine is taken.</summary>
    public string Version { get; init; } = "10.0";

    /// <summary>Folder of the .NET installation to take; <see langword="null"/> looks for one.</summary>
    public string? DotnetRoot { get; init; }
}

/// <summary>One layer of a composed image.</summary>
/// <param name="Path">The compressed tar.</param>
/// <param name="MediaType">Its media type.</param>
/// <param name="Digest">Digest of the file.</param>
/// <param name="DiffId">Digest of the uncompressed tar.</param>
/// <param name="Size">Bytes of the file.</param>
public sealed record BaseImageLayer(string Path, string MediaType, string Digest, string DiffId, long Size);

/// <summary>A composed base image: manifest, config and layer files, ready to push or store.</summary>
public sealed record BaseImage
{
    /// <summary>The runtime identifier it is for.</summary>
    public required string Rid { get; init; }

    /// <summary>Why it is a stub: one tiny layer and a truthful config, but nothing to run. <see langword="null"/>: it runs.</summary>
    public required string? NotRunnableReason { get; init; }

    /// <summary>Whether an application laid on it can be run.</summary>
    public bool IsRunnable => NotRunnableReason is null;

    /// <summary>Layers, undermost first.</summary>
    public required IReadOnlyList<BaseImageLayer> Layers { get; init; }

    /// <summary>The image config's exact bytes.</summary>
    public required ReadOnlyMemory<byte> Config { get; init; }

    /// <summary>Digest of <see cref="Config"/>.</summary>
    public required string ConfigDigest { get; init; }

    /// <summary>Media type of <see cref="Config"/>.</summary>
    public required string ConfigMediaType { get; init; }

    /// <summary>The manifest's exact bytes.</summary>
    public required ReadOnlyMemory<byte> Manifest { get; init; }

    /// <summary>Digest of <see cref="Manifest"/>.</summary>
    public required string ManifestDigest { get; init; }

    /// <summary>Media type of <see cref="Manifest"/>.</summary>
    public required string ManifestMediaType { get; init; }
}

/// <summary>What <see cref="BaseImageComposer.SeedAsync"/> stored.</summary>
/// <param name="Digest">Digest that the tag names: of the index if there is one, else of the manifest.</param>
/// <param name="Images">The images; their layer files are in the store now, not at <see cref="BaseImageLayer.Path"/>.</param>
public sealed record SeededImage(string Digest, IReadOnlyList<BaseImage> Images);
