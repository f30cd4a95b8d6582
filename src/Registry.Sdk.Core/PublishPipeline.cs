using System.Diagnostics;
using System.Globalization;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Reporting;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Core.Verification;
using Registry.Sdk.Core.Versioning;
using Diagnostic = Registry.Sdk.Core.Primitives.Diagnostic;

namespace Registry.Sdk.Core;

/// <summary>Everything a publish needs to know, as MSBuild has it; unjudged.</summary>
public sealed record PublishRequest
{
    /// <summary>The project's name without folder, for reports.</summary>
    public required string Project { get; init; }

    /// <summary>The build configuration.</summary>
    public required string Configuration { get; init; }

    /// <summary>Absolute folder of the project.</summary>
    public required string ProjectDirectory { get; init; }

    /// <summary>Facts and version, or the errors why there are none.</summary>
    public required Outcome<Derived> Derived { get; init; }

    /// <summary>What each platform's image is made of; several make an index. Empty where nothing was built: <see cref="CheckOnly"/>, or a release that is copied.</summary>
    public IReadOnlyList<PlatformRequest> Platforms { get; init; } = [];

    /// <summary>What the image starts: <c>AssemblyName</c>. By it a release is recognised as this project's.</summary>
    public string AssemblyName { get; init; } = string.Empty;

    /// <summary>The RIDs that will be built, as far as they are known before building: for the checks, and for a release that is copied.</summary>
    public IReadOnlyList<string> RuntimeIdentifiers { get; init; } = [];

    /// <summary>Whether one output folder was given for all that is built (<c>dotnet publish -o</c>); for the checks alone.</summary>
    public bool HasOneOutputFolder { get; init; }

    /// <summary>Absolute folder for the OCI layout.</summary>
    public required string LayoutDirectory { get; init; }

    /// <summary><c>RegistrySdkCacheDirectory</c>, absolute; empty: the user's cache folder as the environment names it.</summary>
    public string CacheDirectory { get; init; } = string.Empty;

    /// <summary>What the cache may hold, in MB (<c>RegistrySdkCacheSize</c>); 0: no cache.</summary>
    public string CacheSize { get; init; } = "0";

    /// <summary>The destinations as written.</summary>
    public required IReadOnlyList<DestinationItem> Destinations { get; init; }

    /// <summary>What the destinations were written in, for messages: <c>ContainerDestination</c>, or <c>ContainerRegistry</c> and <c>ContainerRepository</c>.</summary>
    public required string DestinationProperty { get; init; }

    /// <summary>The <c>RegistrySdkEndpoint</c> items.</summary>
    public IReadOnlyList<EndpointItem> Endpoints { get; init; } = [];

    /// <summary>The <c>RegistrySdkCredential</c> items.</summary>
    public IReadOnlyList<CredentialItem> Credentials { get; init; } = [];

    /// <summary>The <c>ContainerSecretAllow</c> items.</summary>
    public IReadOnlyList<SecretAllowItem> SecretAllowed { get; init; } = [];

    /// <summary>The names of the metadata of all those items.</summary>
    public IReadOnlyList<WrittenMetadata> Metadata { get; init; } = [];

    /// <summary>Which labels of ours are wanted (<c>ContainerGenerateLabels…</c>).</summary>
    public GeneratedLabels Labels { get; init; } = new();

    /// <summary><c>RepositoryUrl</c> of the project, or empty: then git's remote or CI's repository.</summary>
    public string RepositoryUrl { get; init; } = string.Empty;

    /// <summary><c>RegistrySdkOverwriteTag</c>.</summary>
    public IReadOnlyList<string> OverwriteTags { get; init; } = [];

    /// <summary><c>RegistrySdkAllowDirty</c>.</summary>
    public bool AllowDirty { get; init; }

    /// <summary>Properties that are <c>true</c> or <c>false</c>, as they were written.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Switches { get; init; } = [];

    /// <summary><c>RegistrySdkVisibilityMismatch</c>: <c>error</c>, <c>warn</c> or <c>wait:10m</c>.</summary>
    public string VisibilityMismatch { get; init; } = "error";

    /// <summary><c>RegistrySdkTryVisibilityApi</c>: GitHub is asked, by a call that it does not document, to make public what is declared so.</summary>
    public bool TryVisibilityApi { get; init; }

    /// <summary>The clock that a person's click is waited for by, and of evidence.</summary>
    public TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary><c>ContainerEditions</c>, as written; empty: one edition without a name.</summary>
    public IReadOnlyList<string> EditionNames { get; init; } = [];

    /// <summary><c>ContainerEdition</c> of the build that runs this: the default edition, or the one that was asked for.</summary>
    public string Edition { get; init; } = string.Empty;

    /// <summary>Whether <c>ContainerEdition</c> was given from outside the project (<c>-p:ContainerEdition=…</c>): that edition alone is published.</summary>
    public bool IsEditionGiven { get; init; }

    /// <summary>What is declared of each edition, those too that are not built; without <c>ContainerEditions</c> one without a name. Empty before building.</summary>
    public IReadOnlyList<EditionRequest> Editions { get; init; } = [];

    /// <summary>Plan only: registries are read, nothing is sent.</summary>
    public bool PlanOnly { get; init; }

    /// <summary>The checks before building: usage, registries, credentials. Nothing is built, planned or sent.</summary>
    public bool CheckOnly { get; init; }

    /// <summary><c>RegistrySdkPromote</c>: a release that one destination has is copied from there to those that lack it, and not composed again.</summary>
    public bool Promote { get; init; } = true;

    /// <summary>Whether the build takes a warning of this code for an error (<c>MSBuildWarningsAsErrors</c>): then it stops what an error would.</summary>
    public Func<string, bool> RaisesToError { get; init; } = static _ => false;

    /// <summary>The environment that credentials come from.</summary>
    public required IReadOnlyDictionary<string, string> Environment { get; init; }

    /// <summary>Where reports go.</summary>
    public required ReportTargets Reports { get; init; }
}

/// <summary>What MSBuild has of one edition, as it evaluates; unjudged.</summary>
public sealed record EditionRequest
{
    /// <summary>Its name; empty without <c>ContainerEditions</c>.</summary>
    public string Name { get; init; } = string.Empty;

    /// <summary><c>PackageLicenseExpression</c> of the service in this edition, or empty.</summary>
    public string License { get; init; } = string.Empty;

    /// <summary><c>ContainerEditionAllowedLicenses</c> in this edition; empty: the default list.</summary>
    public IReadOnlyList<string> AllowedLicenses { get; init; } = [];

    /// <summary><c>RepositoryUrl</c> in this edition, or empty: then git's remote or CI's repository.</summary>
    public string RepositoryUrl { get; init; } = string.Empty;

    /// <summary>The projects of this edition, the service first.</summary>
    public IReadOnlyList<ProjectFacts> Projects { get; init; } = [];

    /// <summary>The <c>PackageLicense</c> items.</summary>
    public IReadOnlyList<PackageLicense> PackageLicenses { get; init; } = [];
}

/// <summary>What MSBuild has of one platform's image, from the build with its RID; unjudged.</summary>
public sealed record PlatformRequest
{
    /// <summary>The edition it is an image of; empty without <c>ContainerEditions</c>.</summary>
    public string Edition { get; init; } = string.Empty;

    /// <summary><c>ContainerRuntimeIdentifier</c>.</summary>
    public required string RuntimeIdentifier { get; init; }

    /// <summary>Whether the user asked for it, and it was not inferred from the machine.</summary>
    public bool IsRuntimeIdentifierGiven { get; init; }

    /// <summary><c>RuntimeIdentifierGraphPath</c>, or empty.</summary>
    public string RuntimeIdentifierGraph { get; init; } = string.Empty;

    /// <summary>The publish folder, and what the build says of its content.</summary>
    public required PlatformEvidence Evidence { get; init; }

    /// <summary>Absolute publish folder.</summary>
    public string PublishDirectory => Evidence.PublishDirectory;

    /// <summary>Name of <c>&lt;App>.deps.json</c>, or empty.</summary>
    public string DependencyFile { get; init; } = string.Empty;

    /// <summary><c>ContainerBaseImage</c> where it is <c>scratch</c> or begins with <c>oci:</c>, which stock's parser does not know; else empty.</summary>
    public string BaseReference { get; init; } = string.Empty;

    /// <summary>Registry of the base image, as stock parsed it.</summary>
    public required string BaseRegistry { get; init; }

    /// <summary>Repository of the base image, as stock parsed it.</summary>
    public required string BaseRepository { get; init; }

    /// <summary>Tag of the base image, or empty.</summary>
    public string BaseTag { get; init; } = string.Empty;

    /// <summary>Digest of the base image, or empty.</summary>
    public string BaseDigest { get; init; } = string.Empty;

    /// <summary>What stock evaluated; labels of stock and user, without ours.</summary>
    public required ContainerSettings Settings { get; init; }

    /// <summary>Labels that the user wrote as items: they win over generated ones.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> UserLabels { get; init; } = [];
}

/// <summary>What facts and versioning came to.</summary>
/// <param name="Facts">Output of Facts.</param>
/// <param name="Version">Output of Versioning.</param>
public sealed record Derived(BuildFacts Facts, VersionFacts Version);

/// <summary>Switches for the labels of ours; each follows the stock property of that name.</summary>
/// <param name="Created"><c>ContainerGenerateLabelsImageCreated</c>.</param>
/// <param name="Version"><c>ContainerGenerateLabelsImageVersion</c>.</param>
/// <param name="Source"><c>ContainerGenerateLabelsImageSource</c>.</param>
/// <param name="Revision"><c>ContainerGenerateLabelsImageRevision</c>.</param>
/// <param name="BaseDigest"><c>ContainerGenerateLabelsImageBaseDigest</c>.</param>
/// <param name="Licenses"><c>ContainerGenerateLabelsImageLicenses</c>.</param>
public sealed record GeneratedLabels(bool Created = true, bool Version = true, bool Source = true, bool Revision = true, bool BaseDigest = true, bool Licenses = true);

/// <summary>Hears how a publish goes on.</summary>
public interface IPublishLog : ITransferProgress
{
    /// <summary>A stage's start or result.</summary>
    void Stage(string message);

    /// <summary>One request, redacted.</summary>
    void Request(string message);

    /// <summary>What a person is to do while it is waited for: never hidden.</summary>
    void Ask(string message) => Stage(message);
}

/// <summary>The stages from Editions to Reporting, in order; each gets the records of earlier ones.</summary>
public static class PublishPipeline
{
    /// <summary>
    /// Facts and Versioning: what <c>ComputeContainerTags</c> shows. No network.
    /// </summary>
    public static async Task<Outcome<Derived>> DeriveAsync(FactsInput facts, Func<BuildFacts, VersioningInput> versioning, IGit git, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(facts);
        ArgumentNullException.ThrowIfNull(versioning);
        var found = await FactsStage.RunAsync(facts, git, cancellationToken).ConfigureAwait(false);
        if (!found.Succeeded)
        {
            return Outcome<Derived>.Failure([.. found.Diagnostics.Select(Plain)]);
        }

        var version = VersioningStage.Run(versioning(found.Value));
        var diagnostics = found.Diagnostics.Concat(version.Diagnostics).Select(Plain).ToList();
        return version.Succeeded ? Outcome<Derived>.Success(new(found.Value, version.Value), diagnostics) : Outcome<Derived>.Failure(diagnostics);
    }

    /// <summary>Runs a publish to its end and reports it, also if it fails.</summary>
    /// <returns>The report, and what could not be written of it.</returns>
    public static async Task<(PublishReport Report, ReportingResult Reporting)> RunAsync(PublishRequest request, IGit git, IPublishLog log, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(log);
        var clock = Stopwatch.StartNew();
        var run = new PublishRun(request);
        var redactor = run.Redactor;
        try
        {
            await PublishAsync(request, run, git, new RedactedLog(log, redactor), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // Whatever stops a publish in the middle, what was done until then is reported. A bug is handed on after that.
            var cause = e;
            if (e is TransferInterruptedException { InnerException: { } inner } interrupted)
            {
                run.Report = run.Report with { Transfer = interrupted.Partial };
                run.Diagnostics.AddRange(interrupted.Partial.Errors);
                cause = inner;
            }

            var cancelled = cause is OperationCanceledException && cancellationToken.IsCancellationRequested;
            var pending = run.Report.Transfer?.Pending ?? string.Empty;
            var rest = pending.Length > 0 ? $"; pending: {pending}{(run.Report.Transfer!.IsUntouched ? ". No tag was written anywhere" : string.Empty)}"
                : run.Report.Transfer is { Errors.Count: 0 } ? " after all images and tags were written; who can see them was not read back"
                : string.Empty;
            run.Diagnostics.Add(DiagnosticCodes.Interrupted.Report(
                $"The publish was {(cancelled ? "cancelled" : $"stopped by a bug ({cause.GetType().Name})")}{rest}. {TransferResult.Again(run.Report.Version?.Version, run.Report.Facts?.Git.Commit)}: what arrived is not sent twice."));
            run.Report = run.Report with { Bug = cancelled ? null : cause };
        }

        // By now every secret that was used is known: whatever came from outside and ended up in a message, it leaves here.
        var report = run.Report with { Duration = clock.Elapsed, Waits = run.Resilience?.Waits ?? [], Diagnostics = [.. run.Diagnostics.Select(Told)] };
        if (request.CheckOnly && report.Succeeded)
        {
            // The publish that follows reports; its warnings too.
            return (report, new([], []));
        }

        var reporting = await ReportingStage.RunAsync(report, request.Reports, CancellationToken.None).ConfigureAwait(false);
        return (report, new([.. reporting.ConsoleLines.Select(redactor.Finish)], [.. reporting.Diagnostics.Select(Told)]));

        Diagnostic Told(Diagnostic diagnostic) => Plain(diagnostic with { Message = redactor.Finish(diagnostic.Message) });
    }

    // Branches, labels and answers of registries are in messages; a CI service must not take them for commands.
    private static Diagnostic Plain(Diagnostic diagnostic) => diagnostic with { Message = PlainText.Of(diagnostic.Message) };

    /// <summary>Lets lines through that hold no secret and no command of a CI service.</summary>
    private sealed class RedactedLog(IPublishLog log, Redactor redactor) : IPublishLog
    {
        public void Stage(string message) => log.Stage(Line(message));

        public void Note(string message) => log.Note(Line(message));

        public void Ask(string message) => log.Ask(Line(message));

        // RegistryConnections has seen to it.
        public void Request(string message) => log.Request(message);

        public void Uploading(Destination destination, Descriptor blob, long sent, double bytesPerSecond) => log.Uploading(destination, blob, sent, bytesPerSecond);

        private string Line(string message) => PlainText.Of(redactor.Finish(message));
    }

    private static async Task PublishAsync(PublishRequest request, PublishRun run, IGit git, IPublishLog log, CancellationToken cancellationToken)
    {
        var diagnostics = run.Diagnostics;

        // Usage first: all of it, before anything is computed.
        var endpoints = EndpointMap.Parse(request.Endpoints, diagnostics);
        var destinations = DestinationParser.Parse(request.Destinations, endpoints, request.ProjectDirectory, request.DestinationProperty, request.EditionNames, diagnostics);
        EditionChecks.CheckNames(request, diagnostics);
        EditionChecks.CheckLicenses(request, destinations, endpoints, diagnostics);
        using var credentials = CredentialStore.Create(request.Credentials, request.Environment, [.. destinations.Select(d => d.Repository?.Host).OfType<RegistryHost>()], diagnostics);
        diagnostics.AddRange(Misspelling.Find(request.Metadata));
        var builds = UsageChecks.ParseBases(request, diagnostics);
        var cache = UsageChecks.ParseCache(request, diagnostics);
        UsageChecks.CheckPublishFolders(request, destinations, diagnostics);
        if (request.CheckOnly)
        {
            UsageChecks.CheckPlatforms(request, diagnostics);
        }

        UsageChecks.CheckSwitches(request, diagnostics);
        SecretChecks.CheckAllowed(request, diagnostics);
        if (!request.Derived.Succeeded || diagnostics.Exists(d => d.IsError))
        {
            return;
        }

        var (facts, version) = request.Derived.Value;
        run.Report = run.Report with { Facts = facts, Version = version };

        UsageChecks.CheckBuild(request, version, destinations, diagnostics);
        var overwrite = request.OverwriteTags.ToHashSet(StringComparer.Ordinal);
        using var resilience = new RegistryResilience(request.CheckOnly ? RetryLimits.Brief : RetryLimits.Publish, request.Time, log.Ask);
        run.Resilience = resilience;
        using var connections = new RegistryConnections(endpoints, credentials, log.Request, run.Redactor) { Environment = request.Environment, Time = request.Time, Resilience = resilience };
        if (request.CheckOnly)
        {
            await CheckAsync(request, run, destinations, overwrite, endpoints, connections, log, cancellationToken).ConfigureAwait(false);
            return;
        }

        var only = EditionChecks.Only(request);
        if (only is not null)
        {
            run.Note(log, $"-p:ContainerEdition publishes {only} alone");
        }

        var selected = PlanningStage.Select(destinations, version, request.AllowDirty, facts.Git.DirtyFiles, only, connections);
        var released = await ReleasedAsync(request, run, destinations, selected.Succeeded ? selected.Value.Taking : [], overwrite, endpoints, connections, log, cancellationToken).ConfigureAwait(false);
        if (run.HasErrors())
        {
            return;
        }

        var composer = new ImageComposer(request, run, cache, connections, log);
        var images = released is not null
            ? await composer.AdoptAsync(released, cancellationToken).ConfigureAwait(false)
            : await composer.ComposeAsync(builds, EditionChecks.Input(request, destinations, endpoints), selected.Succeeded ? selected.Value.Taking : [], overwrite, cancellationToken).ConfigureAwait(false);
        if (images is null)
        {
            return;
        }

        // Before images are in the report: which of their labels may not be shown is known by then.
        if (!await SecretChecks.SearchAsync(request, run, images, destinations, endpoints, connections, log, cancellationToken).ConfigureAwait(false))
        {
            return;
        }

        // After the search: what is adopted holds what was searched.
        if (selected.Succeeded && await WithAdoptedAsync(images, run, version, selected.Value.Taking, overwrite, connections, log, cancellationToken).ConfigureAwait(false) is { } adopted)
        {
            images = adopted;
        }

        run.Report = run.Report with { Images = images };
        foreach (var edition in images.Select(i => i.Edition).Where(e => e.Length > 0 && !destinations.Any(d => d.Edition == e)))
        {
            run.Note(log, $"No destination takes the edition {edition}: it was built and proven, and goes nowhere");
        }

        if (run.HasErrors())
        {
            return;
        }

        // Before the plan: what it refuses may have to do with that.
        var journal = new JournalPlace(Path.GetFullPath(Path.Combine(request.LayoutDirectory, "..", Journal.FileName)), request.Project, version.Version, facts.Git.Commit);
        await TellJournalAsync(journal, run, log, cancellationToken).ConfigureAwait(false);
        log.Stage("Planning: reading the destinations");
        var history = new GitCommitHistory(git, request.ProjectDirectory, facts.Git.IsShallow);
        using var anonymous = new RegistryConnections(endpoints, new AnonymousCredentials(credentials), log.Request, run.Redactor) { Environment = request.Environment, Time = request.Time, Resilience = resilience };
        var plan = await PlanningStage.RunAsync(
            new(version, images, destinations, overwrite, request.AllowDirty, facts.Git.DirtyFiles, facts.Git.Commit, ImageComposer.Created(facts), only, request.Environment.GetValueOrDefault("GITHUB_REPOSITORY") is { Length: > 0 } workflow ? workflow : null), connections, anonymous, history, cancellationToken).ConfigureAwait(false);
        diagnostics.AddRange(plan.Diagnostics);
        if (!plan.Succeeded)
        {
            return;
        }

        diagnostics.AddRange(RecordedBases.Disproved(composer.Followed, images));
        run.Report = run.Report with { Plan = plan.Value };
        foreach (var note in plan.Value.Destinations.Select(d => d.Note).OfType<string>())
        {
            // What is born public stays so: the one moment to think of it is now.
            run.Tell(log, note);
        }

        SecretChecks.JudgeObserved(run, plan.Value);
        if (run.HasErrors() || request.PlanOnly)
        {
            return;
        }

        log.Stage($"Transfer: {plan.Value.Destinations.Count(d => d.HasWork)} of {plan.Value.Destinations.Count} destinations need something");
        var transfer = await TransferStage.RunAsync(
            new(plan.Value, version, overwrite, cache) { Journal = journal, NotesScope = facts.Git.RootDirectory ?? request.ProjectDirectory }, connections, anonymous, history, log, cancellationToken).ConfigureAwait(false);
        cache.Trim();
        diagnostics.AddRange(transfer.Errors);
        run.Report = run.Report with { Transfer = transfer };

        log.Stage("Verification: looking from outside");
        var verification = await VerificationStage.RunAsync(
            new(transfer, MismatchPolicy.Parse(request.VisibilityMismatch)!, request.TryVisibilityApi), connections, anonymous, log.Ask, cancellationToken).ConfigureAwait(false);
        diagnostics.AddRange(verification.Diagnostics);
        run.Report = run.Report with { Verification = verification };
    }

    /// <summary>The images with those in their places that destinations have already in other compressed bytes; null: the layout could not be written, which an error has said.</summary>
    private static async Task<IReadOnlyList<EditionImage>?> WithAdoptedAsync(
        IReadOnlyList<EditionImage> images, PublishRun run, VersionFacts version, IReadOnlyList<Destination> taking, HashSet<string> overwrite, RegistryConnections connections, IPublishLog log, CancellationToken cancellationToken)
    {
        var result = new List<EditionImage>();
        foreach (var image in images)
        {
            result.Add(image);
            try
            {
                if (await Adoption.FindAsync(image, version, [.. taking.Where(d => d.Edition == image.Edition)], overwrite, connections, cancellationToken).ConfigureAwait(false) is { } adopted)
                {
                    result[^1] = adopted.Image;
                    run.Tell(log, $"{adopted.At} names {adopted.Image.Digest}, which is this image in other compressed bytes ({image.Digest}, of another .NET version). That digest is taken everywhere");
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                run.Diagnostics.Add(ImagingStage.LayoutProblem(image.Image.LayoutDirectory, e));
                return null;
            }
        }

        return result;
    }

    /// <summary>One line about what an earlier publish left, if it left anything. It is a hint, and decides nothing.</summary>
    private static async Task TellJournalAsync(JournalPlace place, PublishRun run, IPublishLog log, CancellationToken cancellationToken)
    {
        var (entry, why) = await Journal.ReadAsync(place, cancellationToken).ConfigureAwait(false);
        if (why.Length > 0)
        {
            run.Note(log, $"The journal {Journal.FileName} beside the layout is ignored: {why}");
        }
        else if (entry is { IsThis: true, Pending.Length: > 0 })
        {
            run.Tell(log, $"An earlier publish of {entry.Version} left pending: {entry.Pending}. This one goes on from there");
        }
        else if (entry is { Pending.Length: > 0 })
        {
            run.Tell(log, $"An earlier publish, of {entry.Version}{(entry.Commit is null ? string.Empty : $" (commit {entry.Commit})")}, left pending: {entry.Pending}. This publish does not finish that: check out that commit and publish it as {entry.Version} again");
        }
    }

    /// <summary>What is wrong with a registry or credential is said before compiling takes minutes; and whether compiling is needed at all.</summary>
    private static async Task CheckAsync(
        PublishRequest request, PublishRun run, IReadOnlyList<Destination> destinations, HashSet<string> overwrite, EndpointMap endpoints, RegistryConnections connections, IPublishLog log, CancellationToken cancellationToken)
    {
        var (facts, version) = request.Derived.Value;
        var selected = PlanningStage.Select(destinations, version, request.AllowDirty, facts.Git.DirtyFiles, EditionChecks.Only(request), connections);
        run.Diagnostics.AddRange(selected.Diagnostics);
        if (!selected.Succeeded || run.HasErrors())
        {
            return;
        }

        log.Stage("Checking the destinations before building");
        var answers = await Preflight.RunAsync(selected.Value.Taking, connections, cancellationToken).ConfigureAwait(false);
        foreach (var answer in answers)
        {
            if (answer.HasAnswered)
            {
                log.Stage(answer.Note);
            }
            else
            {
                log.Ask(answer.Note);
            }

            if (answer.Problem is { } problem)
            {
                run.Diagnostics.Add(problem);
            }
        }

        // Who has not answered yet would be waited for.
        if (run.HasErrors() || answers.Any(a => !a.HasAnswered))
        {
            return;
        }

        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Preflight.Patience);
        try
        {
            if (await ReleasedAsync(request, run, destinations, selected.Value.Taking, overwrite, endpoints, connections, log, patience.Token).ConfigureAwait(false) is { } released)
            {
                run.Report = run.Report with { Images = [new(string.Empty, EditionChecks.Declared(request, string.Empty).License, released)] };
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            log.Stage("Whether this release is to be copied was not found out in time; it is looked at again when the image is built");
        }
    }

    /// <summary>The image that an earlier publish of this release made, where it is to be copied; null: it is to be composed.</summary>
    private static async Task<ComposedImage?> ReleasedAsync(
        PublishRequest request, PublishRun run, IReadOnlyList<Destination> destinations, IReadOnlyList<Destination> taking, HashSet<string> overwrite, EndpointMap endpoints, RegistryConnections connections, IPublishLog log, CancellationToken cancellationToken)
    {
        var (facts, version) = request.Derived.Value;
        var rids = request.Platforms.Count > 0 ? request.Platforms.Select(p => p.RuntimeIdentifier) : request.RuntimeIdentifiers;
        var identity = new ReleaseIdentity(version, facts.Git.Commit, ImageComposer.Created(facts), request.AssemblyName, [.. rids.Select(Platform.FromRuntimeIdentifier).OfType<Platform>()]);
        var whyNot = EditionChecks.WhyNotCopied(request, destinations, endpoints);
        if (whyNot is not null && request.Promote && !request.CheckOnly && version.Kind is BuildKinds.Release or BuildKinds.Prerelease && taking.Count > 1)
        {
            log.Stage($"Imaging: an earlier publish of {version.Version} is not copied: {whyNot}");
        }

        var released = request.Promote && whyNot is null
            ? await Promotion.FindAsync(identity, taking, overwrite, nothingBuilt: !request.CheckOnly && request.Platforms.Count == 0, request.LayoutDirectory, connections, cancellationToken).ConfigureAwait(false)
            : null;
        if (released is null && !request.CheckOnly && request.Platforms.Count == 0)
        {
            run.Diagnostics.Add(DiagnosticCodes.ReleaseVanished.Report(
                $"Nothing was built, because {version.Version} was found released at a destination, and now it can't be read there any more. Publish again; with RegistrySdkPromote=false it is built in any case."));
        }

        return released;
    }
}
