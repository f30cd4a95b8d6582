using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Core.Verification;
using Registry.Sdk.Core.Versioning;

namespace Registry.Sdk.Core.Reporting;

/// <summary>Input of the Reporting stage: everything that is known when a publish ends, well or not.</summary>
public sealed record PublishReport
{
    /// <summary>The project's name, without folder: reports are shared, and folders name people.</summary>
    public required string Project { get; init; }

    /// <summary>The build configuration: <c>Release</c>, <c>Debug</c>.</summary>
    public required string Configuration { get; init; }

    /// <summary>What git and CI say; null if not even that was found out.</summary>
    public BuildFacts? Facts { get; init; }

    /// <summary>Version and tags, or null.</summary>
    public VersionFacts? Version { get; init; }

    /// <summary>The images, one of each edition that is published, in the order of <c>ContainerEditions</c>; empty if none was composed.</summary>
    public IReadOnlyList<EditionImage> Images { get; init; } = [];

    /// <summary>What is worth knowing and no warning, one sentence each: the licence wall is off, an edition that goes nowhere.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>What the search for secrets came to; null if there was none: nothing was composed, or nothing goes anywhere.</summary>
    public SecretReport? Secrets { get; init; }

    /// <summary>The plan, or null if planning failed.</summary>
    public Plan? Plan { get; init; }

    /// <summary>What happened, or null if nothing was sent.</summary>
    public TransferResult? Transfer { get; init; }

    /// <summary>The registries and services that were waited for: they failed, were silent, or asked for it. Empty if none was.</summary>
    public IReadOnlyList<HostWait> Waits { get; init; } = [];

    /// <summary>What is seen from outside, or null.</summary>
    public VerificationResult? Verification { get; init; }

    /// <summary>All errors and warnings, in order.</summary>
    public required IReadOnlyList<Diagnostic> Diagnostics { get; init; }

    /// <summary>Whether only planning was asked for (<c>PlanContainers</c>).</summary>
    public bool PlanOnly { get; init; }

    /// <summary>How long it took.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>What should not have happened, if it did; the caller throws it on once the report is shown.</summary>
    public Exception? Bug { get; init; }

    /// <summary>Names of the editions that were built and that no destination of the project names.</summary>
    public IEnumerable<string> EditionsThatGoNowhere => Plan is not { } plan ? [] : Images.Select(i => i.Edition)
        .Where(e => e.Length > 0 && !plan.Destinations.Select(d => d.Destination).Concat(plan.LeftOut.Select(l => l.Destination)).Any(d => d.Edition == e));

    /// <summary>Whether all is well.</summary>
    public bool Succeeded => !Diagnostics.Any(d => d.IsError);
}
