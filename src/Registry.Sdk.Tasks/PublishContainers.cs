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

    /// <summary>The publish folder. RSDK3003 if empty or missing.</summary>
    [Required]
    public string PublishDirectory { get; set; } = string.Empty;

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

    /// <summary><c>ContainerBaseRegistry</c>.</summary>
    public string BaseRegistry { get; set; } = string.Empty;

    /// <summary><c>ContainerBaseName</c>.</summary>
    public string BaseRepository { get; set; } = string.Empty;

    /// <summary><c>ContainerBaseTag</c>.</summary>
    public string BaseTag { get; set; } = string.Empty;

    /// <summary><c>ContainerBaseDigest</c>.</summary>
    public string BaseDigest { get; set; } = string.Empty;

    /// <summary><c>ContainerRuntimeIdentifier</c>, else <c>ContainerRuntimeIdentifiers</c>.</summary>
    public string RuntimeIdentifier { get; set; } = string.Empty;

    /// <summary><c>ContainerWorkingDirectory</c>.</summary>
    public string WorkingDirectory { get; set; } = string.Empty;

    /// <summary><c>ContainerUser</c>.</summary>
    public string User { get; set; } = string.Empty;

    /// <summary><c>ContainerImageFormat</c>: <c>OCI</c>, <c>Docker</c>, or empty.</summary>
    public string ImageFormat { get; set; } = string.Empty;

    /// <summary><c>ContainerEntrypoint</c>.</summary>
    public ITaskItem[] Entrypoint { get; set; } = [];

    /// <summary><c>ContainerEntrypointArgs</c>.</summary>
    public ITaskItem[] EntrypointArgs { get; set; } = [];

    /// <summary><c>ContainerAppCommand</c>.</summary>
    public ITaskItem[] AppCommand { get; set; } = [];

    /// <summary><c>ContainerAppCommandArgs</c>.</summary>
    public ITaskItem[] AppCommandArgs { get; set; } = [];

    /// <summary><c>ContainerAppCommandInstruction</c>.</summary>
    public string AppCommandInstruction { get; set; } = string.Empty;

    /// <summary><c>ContainerDefaultArgs</c>.</summary>
    public ITaskItem[] DefaultArgs { get; set; } = [];

    /// <summary><c>ContainerPort</c>, with metadata <c>Type</c>.</summary>
    public ITaskItem[] Ports { get; set; } = [];

    /// <summary>Environment variables as stock validated them, with metadata <c>Value</c>.</summary>
    public ITaskItem[] EnvironmentVariables { get; set; } = [];

    /// <summary><c>ContainerLabel</c> of user and stock, with metadata <c>Value</c>.</summary>
    public ITaskItem[] Labels { get; set; } = [];

    /// <summary>The user's own <c>ContainerLabel</c> items, which win over generated ones.</summary>
    public ITaskItem[] UserLabels { get; set; } = [];

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

    /// <summary>One item as stock returns it: metadata <c>Manifest</c>, <c>Configuration</c>, <c>ManifestDigest</c>, <c>ManifestMediaType</c>.</summary>
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
            PublishDirectory = Full(PublishDirectory),
            LayoutDirectory = Full(LayoutDirectory),
            Destinations = [.. Destinations.Select(d => new DestinationItem(
                d.ItemSpec, d.GetMetadata("Edition"), d.GetMetadata("Visibility"), d.GetMetadata("On"), d.GetMetadata("Tags"), d.GetMetadata("Optional")))],
            DestinationProperty = DestinationProperty,
            Endpoints = [.. Endpoints.Select(e => new EndpointItem(e.ItemSpec, e.GetMetadata("Registry"), e.GetMetadata("Api"), e.GetMetadata("Insecure")))],
            Credentials = [.. Credentials.Select(c => new CredentialItem(c.ItemSpec, c.GetMetadata("UsernameVariable"), c.GetMetadata("PasswordVariable"), c.GetMetadata("RealmHost")))],
            BaseRegistry = BaseRegistry,
            BaseRepository = BaseRepository,
            BaseTag = BaseTag,
            BaseDigest = BaseDigest,
            RuntimeIdentifier = RuntimeIdentifier,
            Settings = new()
            {
                WorkingDirectory = WorkingDirectory.Length > 0 ? WorkingDirectory : "/app/",
                User = User,
                ImageFormat = ImageFormat,
                Entrypoint = Specs(Entrypoint),
                EntrypointArgs = Specs(EntrypointArgs),
                AppCommand = Specs(AppCommand),
                AppCommandArgs = Specs(AppCommandArgs),
                AppCommandInstruction = AppCommandInstruction,
                DefaultArgs = Specs(DefaultArgs),
                Ports = Pairs(Ports, "Type"),
                Environment = Pairs(EnvironmentVariables, "Value"),
                Labels = Pairs(Labels, "Value"),
            },
            Labels = new(
                Created: generate && IsTrue(GenerateLabelsImageCreated, otherwise: true),
                Version: generate && IsTrue(GenerateLabelsImageVersion, otherwise: true),
                Source: generate && IsTrue(GenerateLabelsImageSource, otherwise: true),
                Revision: generate && IsTrue(GenerateLabelsImageRevision, otherwise: true),
                BaseDigest: generate && IsTrue(GenerateLabelsImageBaseDigest, otherwise: true)),
            RepositoryUrl = RepositoryUrl,
            UserLabels = Pairs(UserLabels, "Value"),
            OverwriteTags = Split(OverwriteTags),
            AllowDirty = IsTrue(AllowDirty),
            VisibilityMismatch = VisibilityMismatch,
            Editions = Editions,
            PlanOnly = PlanOnly,
            Environment = environment,
            Reports = new(Full(ReceiptPath), Variable(environment, "GITHUB_OUTPUT"), Variable(environment, "GITHUB_STEP_SUMMARY")),
        };
    }

    private void SetOutputs(PublishReport report)
    {
        if (report.Image is not { } image)
        {
            return;
        }

        var container = new TaskItem("GeneratedContainer");
        ITaskItem2 literal = container;
        literal.SetMetadataValueLiteral("Manifest", System.Text.Encoding.UTF8.GetString(image.Manifest.Content));
        literal.SetMetadataValueLiteral("Configuration", System.Text.Encoding.UTF8.GetString(image.ConfigContent));
        literal.SetMetadataValueLiteral("ManifestDigest", image.Manifest.Descriptor.Digest.ToString());
        literal.SetMetadataValueLiteral("ManifestMediaType", image.Manifest.Descriptor.MediaType);
        GeneratedContainers = [container];
        GeneratedContainerNames = [.. (report.Transfer?.Destinations ?? []).SelectMany(d => d.Tags.Where(t => t.State != TagState.Pending).Select(t => (ITaskItem)new TaskItem($"{d.Destination}:{t.Tag.Name}")))];
    }

    private static IReadOnlyList<string> Specs(ITaskItem[] items) => [.. items.Select(i => i.ItemSpec)];

    private static IReadOnlyList<KeyValuePair<string, string>> Pairs(ITaskItem[] items, string metadata) => [.. items.Select(i => KeyValuePair.Create(i.ItemSpec, i.GetMetadata(metadata)))];

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
