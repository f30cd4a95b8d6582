using System.Diagnostics;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Reporting;
using Registry.Sdk.Core.Verification;
using Diagnostic = Registry.Sdk.Core.Primitives.Diagnostic;

namespace Registry.Sdk.Core;

/// <summary>The destinations that one project declares, as MSBuild has them.</summary>
public sealed record DeclaringProject
{
    /// <summary>Its name without folder, for messages.</summary>
    public required string Name { get; init; }

    /// <summary>Absolute folder; layout directories are relative to it.</summary>
    public required string Directory { get; init; }

    /// <summary>Whether it is a fleet project: its destinations need not be one image.</summary>
    public bool IsFleet { get; init; }

    /// <summary><c>ContainerEditions</c>, as written.</summary>
    public IReadOnlyList<string> Editions { get; init; } = [];

    /// <summary>Its destinations.</summary>
    public required IReadOnlyList<DestinationItem> Destinations { get; init; }

    /// <summary>What they are written in, for messages.</summary>
    public string DestinationProperty { get; init; } = "ContainerDestination";
}

/// <summary>Everything that <c>VerifyContainers</c> needs to know, as MSBuild has it; unjudged.</summary>
public sealed record VerifyRequest
{
    /// <summary>The project's name without folder, for reports.</summary>
    public required string Project { get; init; }

    /// <summary>Absolute folder of the project.</summary>
    public required string ProjectDirectory { get; init; }

    /// <summary>Who declares destinations: the project itself, and those that a fleet project names.</summary>
    public required IReadOnlyList<DeclaringProject> Projects { get; init; }

    /// <summary>Projects that were named and did not answer; absolute paths.</summary>
    public IReadOnlyList<string> UnreadProjects { get; init; } = [];

    /// <summary>Projects that were named, could have destinations and have none; absolute paths.</summary>
    public IReadOnlyList<string> SilentProjects { get; init; } = [];

    /// <summary><c>-p:ContainerEdition=x</c>: the destinations of that edition alone; null: all.</summary>
    public string? OnlyEdition { get; init; }

    /// <summary>The compose files; absolute paths.</summary>
    public IReadOnlyList<string> ComposeFiles { get; init; } = [];

    /// <summary>The <c>RegistrySdkEndpoint</c> items.</summary>
    public IReadOnlyList<EndpointItem> Endpoints { get; init; } = [];

    /// <summary>The <c>RegistrySdkCredential</c> items.</summary>
    public IReadOnlyList<CredentialItem> Credentials { get; init; } = [];

    /// <summary>The names of the metadata of all those items.</summary>
    public IReadOnlyList<WrittenMetadata> Metadata { get; init; } = [];

    /// <summary>The environment that credentials and variables of compose files come from.</summary>
    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    /// <summary>Absolute path of the JSON report.</summary>
    public required string ReportPath { get; init; }

    /// <summary>Path of GitHub's step summary, or null.</summary>
    public string? GitHubSummary { get; init; }
}

/// <summary>How long a verification is patient.</summary>
/// <param name="Answer">How long a registry may be silent.</param>
/// <param name="Throttled">How long one host that limits how often it is asked is waited for in all.</param>
/// <param name="Time">The time.</param>
public sealed record VerifyTiming(TimeSpan Answer, TimeSpan Throttled, TimeProvider Time)
{
    /// <summary>Half a minute of silence; a minute for limits.</summary>
    public static VerifyTiming Default { get; } = new(TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(60), TimeProvider.System);
}

/// <summary><c>VerifyContainers</c>: reads what was published, by whatever tool, and writes nothing to any registry.</summary>
public static class VerifyPipeline
{
    /// <summary>Runs a verification to its end and reports it, also if it fails.</summary>
    /// <param name="request">What is to be verified.</param>
    /// <param name="log">Receives one redacted line per request.</param>
    /// <param name="timing">How patient to be.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    /// <returns>The report, and what a person reads of it.</returns>
    public static async Task<(FleetReport Report, ReportingResult Reporting)> RunAsync(VerifyRequest request, Action<string> log, VerifyTiming timing, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(log);
        ArgumentNullException.ThrowIfNull(timing);
        var clock = Stopwatch.StartNew();
        var redactor = new Redactor();
        var diagnostics = new List<Diagnostic>();
        var notes = new List<string>();
        var result = await VerifyAsync(request, log, timing, redactor, diagnostics, notes, cancellationToken).ConfigureAwait(false);
        if (result is not null)
        {
            diagnostics.AddRange(result.Packages.SelectMany(p => p.Diagnostics).Concat(result.ComposeImages.SelectMany(c => c.Diagnostics)));
        }

        // By now every secret that was used is known: whatever came from outside and ended up in a message, it leaves here.
        var report = new FleetReport
        {
            Project = request.Project,
            ProjectDirectory = request.ProjectDirectory,
            At = timing.Time.GetUtcNow(),
            Duration = clock.Elapsed,
            Result = result is null ? null : new([.. result.Packages.Select(Told)], [.. result.ComposeImages.Select(ToldImage)]),
            Notes = [.. notes.Select(Line)],
            Diagnostics = [.. diagnostics.Select(ToldDiagnostic)],
        };
        var reporting = await FleetReporting.RunAsync(report, request.ReportPath, request.GitHubSummary, CancellationToken.None).ConfigureAwait(false);
        return (report, new([.. reporting.ConsoleLines.Select(redactor.Finish)], [.. reporting.Diagnostics.Select(ToldDiagnostic)]));

        string Line(string text) => PlainText.Of(redactor.Finish(text));
        Diagnostic ToldDiagnostic(Diagnostic d) => d with { Message = Line(d.Message) };
        Evidence ToldEvidence(Evidence e) => e with { Request = Line(e.Request), Answer = Line(e.Answer) };
        PackageFinding Told(PackageFinding p) => p with
        {
            Newest = p.Newest is null ? null : Line(p.Newest),
            Notes = [.. p.Notes.Select(Line)],
            Evidence = [.. p.Evidence.Select(ToldEvidence)],
            Diagnostics = [.. p.Diagnostics.Select(ToldDiagnostic)],
        };
        ComposeFinding ToldImage(ComposeFinding c) => c with { Evidence = [.. c.Evidence.Select(ToldEvidence)], Diagnostics = [.. c.Diagnostics.Select(ToldDiagnostic)] };
    }

    private static async Task<FleetResult?> VerifyAsync(
        VerifyRequest request, Action<string> log, VerifyTiming timing, Redactor redactor, List<Diagnostic> diagnostics, List<string> notes, CancellationToken cancellationToken)
    {
        // Usage first: all of it, before anything is asked.
        var endpoints = EndpointMap.Parse(request.Endpoints, diagnostics);
        var packages = Packages(request, endpoints, diagnostics);
        var images = new List<ComposeImage>();
        foreach (var file in request.ComposeFiles.Distinct(StringComparer.Ordinal))
        {
            var compose = ComposeFile.Read(file, request.Environment);
            diagnostics.AddRange(compose.Diagnostics);
            if (compose.Succeeded)
            {
                images.AddRange(compose.Value.Images);
                notes.AddRange(compose.Value.Notes);
            }
        }

        diagnostics.AddRange(request.UnreadProjects.Select(p => DiagnosticCodes.ProjectNotRead.Report(
            $"The destinations of {PlainText.Of(Path.GetRelativePath(request.ProjectDirectory, p))} can't be read: {(File.Exists(p) ? "it is no project of the .NET SDK. Remove it from ContainerProject, and name its destinations as ContainerDestination items" : "it is not there. Correct the ContainerProject")}.", p)));
        notes.AddRange(request.SilentProjects.Select(p => $"{Path.GetRelativePath(request.ProjectDirectory, p)} declares no destination, so nothing of it is verified"));
        using var credentials = CredentialStore.Create(request.Credentials, request.Environment, [.. packages.Select(p => p.Destination.Repository?.Host).OfType<RegistryHost>()], diagnostics);
        diagnostics.AddRange(Misspelling.Find(request.Metadata));
        if (packages.Count == 0 && images.Count == 0 && !diagnostics.Exists(d => d.IsError))
        {
            diagnostics.Add(DiagnosticCodes.NothingToVerify.Report(
                $"{PlainText.Of(request.Project)} names nothing to verify{(request.OnlyEdition is null ? string.Empty : $" of the edition '{PlainText.Of(request.OnlyEdition)}'")}. Add <ContainerDestination Include=\"host/namespace/name\" />, ContainerProject or ContainerComposeFile items."));
        }

        if (diagnostics.Exists(d => d.IsError))
        {
            return null;
        }

        var patience = new ThrottlePatience(timing.Throttled, timing.Answer, timing.Time);
        var silence = timing.Answer + timing.Throttled;
        using var connections = new RegistryConnections(endpoints, credentials, log, redactor, patience) { AnswerTimeout = silence, TokenTimeout = silence, ApiTimeout = silence, Environment = request.Environment, Time = timing.Time };
        using var anonymous = new RegistryConnections(endpoints, new AnonymousCredentials(credentials), log, redactor, patience) { AnswerTimeout = silence, TokenTimeout = silence, ApiTimeout = silence, Environment = request.Environment, Time = timing.Time };
        return await FleetStage.RunAsync(
            new(packages, images, Machine), new VisibilityObserver(connections, anonymous), connections, anonymous, timing.Time, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>What a container on this machine runs as: Linux, also where Docker runs it in a virtual machine.</summary>
    private static Platform Machine
        => Platform.FromRuntimeIdentifier($"linux-{System.Runtime.InteropServices.RuntimeInformation.OSArchitecture.ToString().ToLowerInvariant()}") ?? new("linux", "amd64");

    /// <summary>Every repository once, whoever declares it.</summary>
    private static List<FleetPackage> Packages(VerifyRequest request, EndpointMap endpoints, List<Diagnostic> diagnostics)
    {
        var packages = new List<(string Place, FleetPackage Package, string From)>();
        foreach (var project in request.Projects)
        {
            foreach (var destination in DestinationParser.Parse(project.Destinations, endpoints, project.Directory, project.DestinationProperty, project.Editions, diagnostics))
            {
                if (request.OnlyEdition is { } only && destination.Edition != only)
                {
                    continue;
                }

                // A service's destinations are its image, of the edition; in a fleet those of one name are, whatever the registry.
                var image = destination.Image.Length > 0 ? destination.Image
                    : project.IsFleet ? destination.Repository?.Name ?? destination.ToString()
                    : $"{Path.Combine(project.Directory, project.Name)}|{destination.Edition}";
                var place = endpoints.Identity(destination.Place) + "/" + destination.Repository?.Name;
                var known = packages.FindIndex(p => p.Place == place);
                if (known < 0)
                {
                    packages.Add((place, new(destination, image), project.Name));
                    continue;
                }

                var (_, first, from) = packages[known];
                if (first.Destination.Visibility != destination.Visibility && first.Destination.Visibility != Visibility.Undeclared && destination.Visibility != Visibility.Undeclared)
                {
                    diagnostics.Add(DiagnosticCodes.DeclaredTwice.Report(
                        $"{destination} is declared {VisibilityNames.ToWord(first.Destination.Visibility)} in {PlainText.Of(from)} and {VisibilityNames.ToWord(destination.Visibility)} in {PlainText.Of(project.Name)}. Correct one Visibility."));
                    continue;
                }

                // The service knows best what it publishes there; the fleet, what need not be there.
                var service = project.IsFleet ? first : new FleetPackage(destination, image);
                var visibility = first.Destination.Visibility == Visibility.Undeclared ? destination.Visibility : first.Destination.Visibility;
                packages[known] = (place, service with { Destination = service.Destination with { Visibility = visibility, IsOptional = first.Destination.IsOptional || destination.IsOptional } }, from);
            }
        }

        return [.. packages.Select(p => p.Package)];
    }
}
