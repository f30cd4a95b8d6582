using Microsoft.Build.Framework;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Tasks;

/// <summary>Looks from outside at what was published, by whatever tool, and holds it against what is declared. Sends nothing.</summary>
public sealed class VerifyContainers : RegistrySdkTask
{
    /// <summary>Name of the project, for reports.</summary>
    [Required]
    public string ProjectName { get; set; } = string.Empty;

    /// <summary>Absolute folder of the project; relative paths of other parameters are below it.</summary>
    [Required]
    public string ProjectDirectory { get; set; } = string.Empty;

    /// <summary>
    /// What is declared, by whom: items of <c>_RegistrySdkListDestinations</c>, with the metadata of a <c>ContainerDestination</c>, and of the
    /// declaring project <c>DeclaringProject</c> (absolute path), <c>DeclaringEditions</c> and <c>DestinationProperty</c>. One item without a destination
    /// (<c>IsProject</c>) says that a project was read, and whether it could have any (<c>Declares</c>).
    /// </summary>
    public ITaskItem[] Declarations { get; set; } = [];

    /// <summary>The projects whose destinations were asked for. RSDK9032 for one that is not among <see cref="Declarations"/>.</summary>
    public ITaskItem[] Projects { get; set; } = [];

    /// <summary>Whether the project is a fleet: its own destinations need not be one image.</summary>
    public bool IsFleet { get; set; }

    /// <summary>Absolute path of the project.</summary>
    [Required]
    public string ProjectFile { get; set; } = string.Empty;

    /// <summary><c>ContainerComposeFile</c> items. RSDK9026 to RSDK9029 if one can't be read.</summary>
    public ITaskItem[] ComposeFiles { get; set; } = [];

    /// <summary><c>RegistrySdkEndpoint</c> items: <c>Registry</c>, <c>Api</c>, <c>Insecure</c>.</summary>
    public ITaskItem[] Endpoints { get; set; } = [];

    /// <summary><c>RegistrySdkCredential</c> items: names of environment variables, never values.</summary>
    public ITaskItem[] Credentials { get; set; } = [];

    /// <summary>The edition that was asked for alone, or empty.</summary>
    public string OnlyEdition { get; set; } = string.Empty;

    /// <summary>Path of the JSON report. RSDK7044 if it can't be written.</summary>
    [Required]
    public string ReportPath { get; set; } = string.Empty;

    /// <inheritdoc/>
    protected override async System.Threading.Tasks.Task RunAsync(CancellationToken cancellationToken)
    {
        var environment = ReadEnvironment();
        var destinations = Declarations.Where(d => d.GetMetadata("IsProject") != "true").ToList();
        var declaring = Declarations.Select(DeclaringProject).ToHashSet(StringComparer.Ordinal);
        var (report, reporting) = await VerifyPipeline.RunAsync(
            new()
            {
                Project = ProjectName,
                ProjectDirectory = ProjectDirectory,
                Projects = [.. destinations.GroupBy(DeclaringProject, StringComparer.Ordinal).Select(Declaring)],
                UnreadProjects = [.. Projects.Select(ItemFiles.FullPath).Where(p => !declaring.Contains(p)).Distinct(StringComparer.Ordinal)],
                SilentProjects = [.. Declarations.Where(d => d.GetMetadata("Declares") == "true").Select(DeclaringProject).Except(destinations.Select(DeclaringProject), StringComparer.Ordinal).Where(p => !string.Equals(p, ProjectFile, StringComparison.Ordinal))],
                OnlyEdition = OnlyEdition.Length > 0 ? OnlyEdition : null,
                ComposeFiles = [.. ComposeFiles.Select(ItemFiles.FullPath)],
                Endpoints = [.. Endpoints.Select(ItemReading.Endpoint)],
                Credentials = [.. Credentials.Select(ItemReading.Credential)],
                Metadata = [.. Written(destinations), .. ItemReading.Written("RegistrySdkEndpoint", Endpoints), .. ItemReading.Written("RegistrySdkCredential", Credentials)],
                Environment = environment,
                ReportPath = Path.GetFullPath(ReportPath.Replace('\\', Path.DirectorySeparatorChar), ProjectDirectory),
                GitHubSummary = ItemReading.GitHubFile(environment, "GITHUB_STEP_SUMMARY"),
            },
            line => Log.LogMessage(MessageImportance.Low, "{0}", line),
            VerifyTiming.Default,
            cancellationToken).ConfigureAwait(false);

        // One message, so that the terminal logger shows it whole.
        Log.LogMessage(MessageImportance.High, "{0}", string.Join('\n', reporting.ConsoleLines));
        Report(report.Diagnostics.Concat(reporting.Diagnostics));
    }

    private static string DeclaringProject(ITaskItem item) => item.GetMetadata("DeclaringProject");

    private DeclaringProject Declaring(IGrouping<string, ITaskItem> items) => new()
    {
        Name = Path.GetFileNameWithoutExtension(items.Key),
        Directory = Path.GetDirectoryName(items.Key)!,
        IsFleet = IsFleet && string.Equals(items.Key, ProjectFile, StringComparison.Ordinal),
        Editions = Split(items.First().GetMetadata("DeclaringEditions")),
        DestinationProperty = items.First().GetMetadata("DestinationProperty"),
        Destinations = [.. items.Select(ItemReading.Destination)],
    };

    // Ours are no slips of the user's.
    private static IEnumerable<WrittenMetadata> Written(IEnumerable<ITaskItem> destinations)
        => ItemReading.Written("ContainerDestination", destinations)
            .Select(w => w with { Names = [.. w.Names.Where(n => n is not ("DeclaringProject" or "DeclaringEditions" or "DestinationProperty" or "IsProject" or "MSBuildSourceProjectFile" or "MSBuildSourceTargetName" or "OriginalItemSpec"))] });
}
