using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Reporting;
using Registry.Sdk.Core.Transfer;

namespace Registry.Sdk.Tasks;

/// <summary>Stages Editions to Reporting: from the publish folder to the receipt. Parameters named after properties of the .NET SDK have their meaning.</summary>
public sealed class PublishContainers : ContainersTask
{
    /// <summary>
    /// What the platforms' images are made of, from the build of each RID: metadata <c>RuntimeIdentifier</c> says whose, <c>Part</c> what. One item
    /// <c>Platform</c> holds the properties; the others are the .NET SDK's items of the name (<c>Entrypoint</c>, <c>Port</c>, <c>Label</c>, …) with
    /// their metadata. RSDK3003 if a publish folder is empty or missing, RSDK4001 if a base image is malformed. None where a release is copied and nothing was built.
    /// </summary>
    public ITaskItem[] Parts { get; set; } = [];

    /// <summary>The projects of every edition, from <see cref="DescribeProject"/>, the service's first; metadata <c>Edition</c> says whose. None where no licence is declared.</summary>
    public ITaskItem[] Descriptions { get; set; } = [];

    /// <summary><c>ContainerGenerateLabels</c>.</summary>
    public string GenerateLabels { get; set; } = string.Empty;

    /// <summary><c>ContainerGenerateLabelsImageCreated</c>.</summary>
    public string GenerateLabelsImageCreated { get; set; } = string.Empty;

    /// <summary><c>ContainerGenerateLabelsImageVersion</c>.</summary>
    public string GenerateLabelsImageVersion { get; set; } = string.Empty;

    /// <summary><c>ContainerGenerateLabelsImageSource</c>.</summary>
    public string GenerateLabelsImageSource { get; set; } = string.Empty;

    /// <summary><c>ContainerGenerateLabelsImageRevision</c>.</summary>
    public string GenerateLabelsImageRevision { get; set; } = string.Empty;

    /// <summary><c>ContainerGenerateLabelsImageBaseDigest</c>.</summary>
    public string GenerateLabelsImageBaseDigest { get; set; } = string.Empty;

    /// <summary><c>RepositoryUrl</c>; wins over git's remote in the label <c>org.opencontainers.image.source</c>.</summary>
    public string RepositoryUrl { get; set; } = string.Empty;

    /// <summary>One item for each platform, as stock returns it: metadata <c>Manifest</c>, <c>Configuration</c>, <c>ManifestDigest</c>, <c>ManifestMediaType</c>.</summary>
    [Output]
    public ITaskItem[] GeneratedContainers { get; set; } = [];

    /// <summary>One item per destination and tag that names the image: <c>host/name:tag</c>.</summary>
    [Output]
    public ITaskItem[] GeneratedContainerNames { get; set; } = [];

    /// <inheritdoc/>
    protected override PublishRequest Complete(PublishRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        var generate = IsTrue(GenerateLabels, otherwise: true);
        return request with
        {
            Platforms = [.. Parts.GroupBy(p => (p.GetMetadata("Edition"), p.GetMetadata("RuntimeIdentifier"))).Select(Platform)],
            Editions = Descriptions.Length == 0 ? request.Editions
                : [.. Descriptions.GroupBy(d => d.GetMetadata("Edition"), StringComparer.Ordinal).Select(e => ProjectDescription.ToEdition(e.Key, [.. e.Select(ProjectDescription.FromItem<ProjectDescription>)]))],
            Labels = new(
                Created: generate && IsTrue(GenerateLabelsImageCreated, otherwise: true),
                Version: generate && IsTrue(GenerateLabelsImageVersion, otherwise: true),
                Source: generate && IsTrue(GenerateLabelsImageSource, otherwise: true),
                Revision: generate && IsTrue(GenerateLabelsImageRevision, otherwise: true),
                BaseDigest: generate && IsTrue(GenerateLabelsImageBaseDigest, otherwise: true)),
            RepositoryUrl = RepositoryUrl,
        };
    }

    private PlatformRequest Platform(IGrouping<(string Edition, string RuntimeIdentifier), ITaskItem> parts)
    {
        var properties = parts.Single(p => p.GetMetadata("Part") == "Platform");
        var evidence = parts.SingleOrDefault(p => p.GetMetadata("Part") == "Evidence");
        return new()
        {
            Edition = parts.Key.Edition,
            RuntimeIdentifier = parts.Key.RuntimeIdentifier,
            IsRuntimeIdentifierGiven = IsTrue(Property("IsRuntimeIdentifierGiven")),
            RuntimeIdentifierGraph = Property("RuntimeIdentifierGraph"),
            Evidence = (evidence is null ? new() { PublishDirectory = Full(Property("PublishDirectory")) } : ProjectDescription.FromItem<PlatformEvidence>(evidence)) with
            {
                RuntimeIdentifier = parts.Key.RuntimeIdentifier,
            },
            DependencyFile = Property("DependencyFile"),
            BaseReference = Property("BaseReference"),
            BaseRegistry = Property("BaseRegistry"),
            BaseRepository = Property("BaseRepository"),
            BaseTag = Property("BaseTag"),
            BaseDigest = Property("BaseDigest"),
            Settings = new()
            {
                WorkingDirectory = Property("WorkingDirectory") is { Length: > 0 } directory ? directory : "/app/",
                User = Property("User"),
                ImageFormat = Property("ImageFormat"),
                Entrypoint = Specs("Entrypoint"),
                EntrypointArgs = Specs("EntrypointArgs"),
                AppCommand = Specs("AppCommand"),
                AppCommandArgs = Specs("AppCommandArgs"),
                AppCommandInstruction = Property("AppCommandInstruction"),
                DefaultArgs = Specs("DefaultArgs"),
                Ports = Pairs("Port", "Type"),
                Environment = Pairs("EnvironmentVariable", "Value"),
                Labels = Pairs("Label", "Value"),
            },
            UserLabels = Pairs("UserLabel", "Value"),
        };

        string Property(string name) => properties.GetMetadata(name);

        IReadOnlyList<string> Specs(string part) => [.. parts.Where(p => p.GetMetadata("Part") == part).Select(p => p.ItemSpec)];

        IReadOnlyList<KeyValuePair<string, string>> Pairs(string part, string metadata)
            => [.. parts.Where(p => p.GetMetadata("Part") == part).Select(p => KeyValuePair.Create(p.ItemSpec, p.GetMetadata(metadata)))];
    }

    /// <inheritdoc/>
    protected override void SetOutputs(PublishReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        GeneratedContainers = [.. report.Images.SelectMany(i => i.Image.Platforms).Select(GeneratedContainer)];
        GeneratedContainerNames = [.. (report.Transfer?.Destinations ?? []).SelectMany(d => d.Tags.Where(t => t.State != TagState.Pending).Select(t => (ITaskItem)new TaskItem($"{d.Destination}:{t.Tag.Name}")))];
    }

    private static TaskItem GeneratedContainer(PlatformImage image)
    {
        var container = new TaskItem("GeneratedContainer");
        ITaskItem2 literal = container;
        literal.SetMetadataValueLiteral("Manifest", System.Text.Encoding.UTF8.GetString(image.Manifest.Content));
        literal.SetMetadataValueLiteral("Configuration", System.Text.Encoding.UTF8.GetString(image.ConfigContent));
        literal.SetMetadataValueLiteral("ManifestDigest", image.Manifest.Descriptor.Digest.ToString());
        literal.SetMetadataValueLiteral("ManifestMediaType", image.Manifest.Descriptor.MediaType);
        return container;
    }
}
