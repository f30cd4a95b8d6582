using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Reporting;
using Registry.Sdk.Core.Transfer;

namespace Registry.Sdk.Tasks;

/// <summary>Stages Editions to Reporting: from the publish folder to the receipt. Parameters named after properties of the .NET SDK have their meaning.</summary>
public sealed class PublishContainers : RegistrySdkTask
{
    /// <summary>Read registries, send nothing.</summary>
    public bool PlanOnly { get; set; }

    /// <summary>Name of the project, for reports.</summary>
    [Required]
    public string ProjectName { get; set; } = string.Empty;

    /// <summary>Absolute folder of the project; relative paths of other parameters are below it.</summary>
    [Required]
    public string ProjectDirectory { get; set; } = string.Empty;

    /// <summary>The key that <see cref="ComputeContainerTags"/> left its result under.</summary>
    [Required]
    public string ProjectKey { get; set; } = string.Empty;

    /// <summary>The build configuration.</summary>
    public string Configuration { get; set; } = string.Empty;

    /// <summary>
    /// What the platforms' images are made of, from the build of each RID: metadata <c>RuntimeIdentifier</c> says whose, <c>Part</c> what. One item
    /// <c>Platform</c> holds the properties; the others are the .NET SDK's items of the name (<c>Entrypoint</c>, <c>Port</c>, <c>Label</c>, …) with
    /// their metadata. RSDK3003 if a publish folder is empty or missing, RSDK4001 if a base image is malformed.
    /// </summary>
    [Required]
    public ITaskItem[] Parts { get; set; } = [];

    /// <summary>Folder for the OCI image layout.</summary>
    [Required]
    public string LayoutDirectory { get; set; } = string.Empty;

    /// <summary>Path of the receipt. RSDK8001 if it can't be written.</summary>
    [Required]
    public string ReceiptPath { get; set; } = string.Empty;

    /// <summary>Destinations: <c>host/namespace/name</c> with metadata <c>Edition</c>, <c>Visibility</c>, <c>On</c>, <c>Tags</c>, <c>Optional</c>. RSDK9001 to RSDK9003 if malformed.</summary>
    [Required]
    public ITaskItem[] Destinations { get; set; } = [];

    /// <summary>What the user wrote the destinations in, for messages.</summary>
    public string DestinationProperty { get; set; } = "ContainerDestination";

    /// <summary><c>RegistrySdkEndpoint</c> items: <c>Registry</c>, <c>Api</c>, <c>Insecure</c>.</summary>
    public ITaskItem[] Endpoints { get; set; } = [];

    /// <summary><c>RegistrySdkCredential</c> items: names of environment variables, never values.</summary>
    public ITaskItem[] Credentials { get; set; } = [];

    /// <summary><c>RegistrySdkCacheDirectory</c>: the user's cache of layers and base images; empty for the default.</summary>
    public string CacheDirectory { get; set; } = string.Empty;

    /// <summary><c>RegistrySdkCacheSize</c>, in MB; 0: no cache. RSDK9016 if it is no number.</summary>
    public string CacheSize { get; set; } = string.Empty;

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

    /// <summary><c>RegistrySdkOverwriteTag</c>, <c>;</c>-separated.</summary>
    public string OverwriteTags { get; set; } = string.Empty;

    /// <summary><c>RegistrySdkAllowDirty</c>.</summary>
    public string AllowDirty { get; set; } = string.Empty;

    /// <summary><c>RegistrySdkVisibilityMismatch</c>: <c>error</c> or <c>warn</c>.</summary>
    public string VisibilityMismatch { get; set; } = "error";

    /// <summary><c>ContainerEditions</c>. RSDK3002 if set: not built yet.</summary>
    public string Editions { get; set; } = string.Empty;

    /// <summary>One item for each platform, as stock returns it: metadata <c>Manifest</c>, <c>Configuration</c>, <c>ManifestDigest</c>, <c>ManifestMediaType</c>.</summary>
    [Output]
    public ITaskItem[] GeneratedContainers { get; set; } = [];

    /// <summary>One item per destination and tag that names the image: <c>host/name:tag</c>.</summary>
    [Output]
    public ITaskItem[] GeneratedContainerNames { get; set; } = [];

    /// <inheritdoc/>
    protected override async System.Threading.Tasks.Task RunAsync(CancellationToken cancellationToken)
    {
        // ComputeContainerTags ran on this node, in this build, for this project: the targets see to that.
        var derived = (Outcome<Derived>)BuildEngine4.GetRegisteredTaskObject(ComputeContainerTags.CacheKey(ProjectKey), RegisteredTaskObjectLifetime.Build)
            ?? throw new InvalidOperationException("ComputeContainerTags has not run for this project.");
        var environment = ReadEnvironment();
        var request = Request(derived, environment);
        var (report, reporting) = await PublishPipeline.RunAsync(request, new GitCommandLine(environment), new MSBuildPublishLog(Log), cancellationToken).ConfigureAwait(false);

        // One message, so that the terminal logger shows it whole.
        if (reporting.ConsoleLines.Count > 0)
        {
            Log.LogMessage(MessageImportance.High, "{0}", string.Join('\n', reporting.ConsoleLines));
        }

        // ComputeContainerTags has said its own.
        Report(report.Diagnostics.Skip(derived.Diagnostics.Count).Concat(reporting.Diagnostics));
        SetOutputs(report);
        if (report.Bug is { } bug)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(bug);
        }
    }

    private PublishRequest Request(Outcome<Derived> derived, IReadOnlyDictionary<string, string> environment)
    {
        var generate = IsTrue(GenerateLabels, otherwise: true);
        return new()
        {
            Project = ProjectName,
            Configuration = Configuration,
            ProjectDirectory = ProjectDirectory,
            Derived = derived,
            Platforms = [.. Parts.GroupBy(p => p.GetMetadata("RuntimeIdentifier"), StringComparer.Ordinal).Select(Platform)],
            LayoutDirectory = Full(LayoutDirectory),
            CacheDirectory = CacheDirectory.Length > 0 ? Full(CacheDirectory) : string.Empty,
            CacheSize = CacheSize,
            Destinations = [.. Destinations.Select(d => new DestinationItem(
                d.ItemSpec, d.GetMetadata("Edition"), d.GetMetadata("Visibility"), d.GetMetadata("On"), d.GetMetadata("Tags"), d.GetMetadata("Optional")))],
            DestinationProperty = DestinationProperty,
            Endpoints = [.. Endpoints.Select(e => new EndpointItem(e.ItemSpec, e.GetMetadata("Registry"), e.GetMetadata("Api"), e.GetMetadata("Insecure")))],
            Credentials = [.. Credentials.Select(c => new CredentialItem(c.ItemSpec, c.GetMetadata("UsernameVariable"), c.GetMetadata("PasswordVariable"), c.GetMetadata("RealmHost")))],
            Labels = new(
                Created: generate && IsTrue(GenerateLabelsImageCreated, otherwise: true),
                Version: generate && IsTrue(GenerateLabelsImageVersion, otherwise: true),
                Source: generate && IsTrue(GenerateLabelsImageSource, otherwise: true),
                Revision: generate && IsTrue(GenerateLabelsImageRevision, otherwise: true),
                BaseDigest: generate && IsTrue(GenerateLabelsImageBaseDigest, otherwise: true)),
            RepositoryUrl = RepositoryUrl,
            OverwriteTags = Split(OverwriteTags),
            AllowDirty = IsTrue(AllowDirty),
            VisibilityMismatch = VisibilityMismatch,
            Editions = Editions,
            PlanOnly = PlanOnly,
            // IBuildEngine8, MSBuild 16.9: what -warnaserror, MSBuildWarningsAsErrors and MSBuildTreatWarningsAsErrors come to for this project.
            RaisesToError = code => BuildEngine is IBuildEngine8 engine && engine.ShouldTreatWarningAsError(code),
            Environment = environment,
            Reports = new(Full(ReceiptPath), Variable(environment, "GITHUB_OUTPUT"), Variable(environment, "GITHUB_STEP_SUMMARY")),
        };
    }

    private PlatformRequest Platform(IGrouping<string, ITaskItem> parts)
    {
        var properties = parts.Single(p => p.GetMetadata("Part") == "Platform");
        return new()
        {
            RuntimeIdentifier = parts.Key,
            IsRuntimeIdentifierGiven = IsTrue(Property("IsRuntimeIdentifierGiven")),
            RuntimeIdentifierGraph = Property("RuntimeIdentifierGraph"),
            PublishDirectory = Full(Property("PublishDirectory")),
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

    private void SetOutputs(PublishReport report)
    {
        if (report.Image is not { } image)
        {
            return;
        }

        GeneratedContainers = [.. image.Platforms.Select(GeneratedContainer)];
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

    private static string? Variable(IReadOnlyDictionary<string, string> environment, string name)
        => environment.TryGetValue("GITHUB_ACTIONS", out var actions) && actions == "true" && environment.TryGetValue(name, out var value) && value.Length > 0 ? value : null;

    private string Full(string path) => Path.GetFullPath(path.Replace('\\', Path.DirectorySeparatorChar), ProjectDirectory);

    private sealed class MSBuildPublishLog(TaskLoggingHelper log) : IPublishLog
    {
        public void Stage(string message) => log.LogMessage(MessageImportance.Normal, "{0}", message);

        public void Note(string message) => log.LogMessage(MessageImportance.Normal, "{0}", message);

        public void Request(string message) => log.LogMessage(MessageImportance.Low, "{0}", message);

        public void Uploading(Destination destination, Descriptor blob, long sent, double bytesPerSecond)
            => log.LogMessage(
                MessageImportance.High,
                "{0}",
                string.Create(System.Globalization.CultureInfo.InvariantCulture, $"  {destination}: {(blob.Size == 0 ? 100 : 100 * sent / blob.Size)} % of {ConsoleReport.Bytes(blob.Size)}, {bytesPerSecond / 1e6:0.0} MB/s ({blob.Digest})"));
    }
}
