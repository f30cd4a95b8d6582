using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Reporting;
using Registry.Sdk.Core.Transfer;

namespace Registry.Sdk.Tasks;

/// <summary>What the checks before building and the publish itself are told alike: the project, its destinations, where they answer and what they are shown.</summary>
public abstract class ContainersTask : RegistrySdkTask
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

    /// <summary><c>AssemblyName</c>: what the image starts. By it a release is recognised as this project's.</summary>
    public string AssemblyName { get; set; } = string.Empty;

    /// <summary>The RIDs that are built, as far as they are known before building. RSDK4005 for one that is not Linux, RSDK4007 for two of one platform.</summary>
    public ITaskItem[] RuntimeIdentifiers { get; set; } = [];

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

    /// <summary><c>ContainerSecretAllow</c> items: a path in the image or a fingerprint, with metadata <c>Reason</c>. RSDK4032 if malformed.</summary>
    public ITaskItem[] SecretsAllowed { get; set; } = [];

    /// <summary><c>RegistrySdkCacheDirectory</c>: the user's cache of layers and base images; empty for the default.</summary>
    public string CacheDirectory { get; set; } = string.Empty;

    /// <summary><c>RegistrySdkCacheSize</c>, in MB; 0: no cache. RSDK9016 if it is no number.</summary>
    public string CacheSize { get; set; } = string.Empty;

    /// <summary><c>RegistrySdkOverwriteTag</c>, <c>;</c>-separated.</summary>
    public string OverwriteTags { get; set; } = string.Empty;

    /// <summary><c>RegistrySdkAllowDirty</c>.</summary>
    public string AllowDirty { get; set; } = string.Empty;

    /// <summary><c>RegistrySdkVisibilityMismatch</c>: <c>error</c>, <c>warn</c> or <c>wait:10m</c>. RSDK9016 if it is none of these.</summary>
    public string VisibilityMismatch { get; set; } = "error";

    /// <summary><c>RegistrySdkTryVisibilityApi</c>: GitHub is asked to make public what is declared so. RSDK9016 if it is no boolean.</summary>
    public string TryVisibilityApi { get; set; } = string.Empty;

    /// <summary><c>ContainerEditions</c>, <c>;</c>-separated; empty: one edition without a name. RSDK3012 if one is named twice, RSDK3024 if a name can't be used.</summary>
    public string Editions { get; set; } = string.Empty;

    /// <summary><c>ContainerEdition</c> of this build; means nothing without <see cref="Editions"/>.</summary>
    public string Edition { get; set; } = string.Empty;

    /// <summary>Whether <c>ContainerEdition</c> is a global property: that edition alone is published.</summary>
    public string IsEditionGiven { get; set; } = string.Empty;

    /// <summary><c>PackageLicenseExpression</c> of this build's edition, or empty.</summary>
    public string License { get; set; } = string.Empty;

    /// <summary><c>RegistrySdkPreflight</c>: whether the checks before building run. The targets see to that; here it is judged: RSDK9016.</summary>
    public string Preflight { get; set; } = string.Empty;

    /// <summary><c>RegistrySdkPromote</c>: a release that one destination has is copied to those that lack it, and not composed again.</summary>
    public string Promote { get; set; } = string.Empty;

    private string EditionName => Split(Editions).Count > 0 ? Edition : string.Empty;

    /// <inheritdoc/>
    protected override async System.Threading.Tasks.Task RunAsync(CancellationToken cancellationToken)
    {
        // ComputeContainerTags ran on this node, in this build, for this project: the targets see to that.
        var derived = (Outcome<Derived>)BuildEngine4.GetRegisteredTaskObject(ComputeContainerTags.CacheKey(ProjectKey), RegisteredTaskObjectLifetime.Build)
            ?? throw new InvalidOperationException("ComputeContainerTags has not run for this project.");
        var environment = ReadEnvironment();
        var request = Complete(Request(derived, environment));
        var (report, reporting) = await PublishPipeline.RunAsync(request, new GitCommandLine(environment), new MSBuildPublishLog(Log), cancellationToken).ConfigureAwait(false);

        // One message, so that the terminal logger shows it whole.
        if (reporting.ConsoleLines.Count > 0)
        {
            Log.LogMessage(MessageImportance.High, "{0}", string.Join('\n', reporting.ConsoleLines));
        }

        // ComputeContainerTags has said its own; and warnings of checks that a publish follows are said by that, once.
        var isFollowed = request.CheckOnly && report.Succeeded;
        Report((isFollowed ? [] : report.Diagnostics.Skip(derived.Diagnostics.Count)).Concat(reporting.Diagnostics));
        SetOutputs(report);
        if (report.Bug is { } bug)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(bug);
        }
    }

    /// <summary>Adds what this task alone is told.</summary>
    /// <param name="request">What both are told.</param>
    protected abstract PublishRequest Complete(PublishRequest request);

    /// <summary>Fills the outputs, also of a run that failed.</summary>
    /// <param name="report">What came of it.</param>
    protected abstract void SetOutputs(PublishReport report);

    /// <summary>A path of the project, absolute.</summary>
    /// <param name="path">As MSBuild has it, relative to the project's folder or absolute.</param>
    protected string Full(string path)
    {
        ArgumentNullException.ThrowIfNull(path);
        return Path.GetFullPath(path.Replace('\\', Path.DirectorySeparatorChar), ProjectDirectory);
    }

    private PublishRequest Request(Outcome<Derived> derived, IReadOnlyDictionary<string, string> environment)
    {
        return new()
        {
            Project = ProjectName,
            Configuration = Configuration,
            ProjectDirectory = ProjectDirectory,
            Derived = derived,
            AssemblyName = AssemblyName,
            RuntimeIdentifiers = [.. RuntimeIdentifiers.Select(r => r.ItemSpec).Distinct(StringComparer.Ordinal)],
            LayoutDirectory = Full(LayoutDirectory),
            CacheDirectory = CacheDirectory.Length > 0 ? Full(CacheDirectory) : string.Empty,
            CacheSize = CacheSize,
            Destinations = [.. Destinations.Select(ItemReading.Destination)],
            DestinationProperty = DestinationProperty,
            Endpoints = [.. Endpoints.Select(ItemReading.Endpoint)],
            Credentials = [.. Credentials.Select(ItemReading.Credential)],
            SecretAllowed = [.. SecretsAllowed.Select(a => new SecretAllowItem(a.ItemSpec, a.GetMetadata("Reason")))],
            Metadata = [.. ItemReading.Written("ContainerDestination", Destinations), .. ItemReading.Written("ContainerSecretAllow", SecretsAllowed), .. ItemReading.Written("RegistrySdkEndpoint", Endpoints), .. ItemReading.Written("RegistrySdkCredential", Credentials)],
            OverwriteTags = Split(OverwriteTags),
            AllowDirty = IsTrue(AllowDirty),
            Switches = [new("RegistrySdkAllowDirty", AllowDirty), new("RegistrySdkPromote", Promote), new("RegistrySdkPreflight", Preflight), new("RegistrySdkTryVisibilityApi", TryVisibilityApi)],
            VisibilityMismatch = VisibilityMismatch,
            TryVisibilityApi = IsTrue(TryVisibilityApi),
            EditionNames = Split(Editions),
            Edition = EditionName,
            IsEditionGiven = IsTrue(IsEditionGiven),
            // What is known before anything is built, and without a licence ever.
            Editions = [new() { Name = EditionName, License = License }],
            PlanOnly = PlanOnly,
            Promote = IsTrue(Promote, otherwise: true),
            // IBuildEngine8, MSBuild 16.9: what -warnaserror, MSBuildWarningsAsErrors and MSBuildTreatWarningsAsErrors come to for this project.
            RaisesToError = code => BuildEngine is IBuildEngine8 engine && engine.ShouldTreatWarningAsError(code),
            Environment = environment,
            Reports = new(Full(ReceiptPath), ItemReading.GitHubFile(environment, "GITHUB_OUTPUT"), ItemReading.GitHubFile(environment, "GITHUB_STEP_SUMMARY")),
        };
    }

    private sealed class MSBuildPublishLog(TaskLoggingHelper log) : IPublishLog
    {
        public void Stage(string message) => log.LogMessage(MessageImportance.Normal, "{0}", message);

        public void Note(string message) => log.LogMessage(MessageImportance.Normal, "{0}", message);

        public void Ask(string message) => log.LogMessage(MessageImportance.High, "{0}", message);

        public void Request(string message) => log.LogMessage(MessageImportance.Low, "{0}", message);

        public void Uploading(Destination destination, Descriptor blob, long sent, double bytesPerSecond)
            => log.LogMessage(
                MessageImportance.High,
                "{0}",
                string.Create(System.Globalization.CultureInfo.InvariantCulture, $"  {destination}: {(blob.Size == 0 ? 100 : 100 * sent / blob.Size)} % of {ConsoleReport.Bytes(blob.Size)}, {bytesPerSecond / 1e6:0.0} MB/s ({blob.Digest})"));
    }
}
