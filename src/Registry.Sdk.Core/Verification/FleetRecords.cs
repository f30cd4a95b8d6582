using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Verification;

/// <summary>One repository that is to be verified.</summary>
/// <param name="Destination">Where it is, and what is declared of it.</param>
/// <param name="Image">Which image it holds: repositories of one name here must have each release under one digest.</param>
public sealed record FleetPackage(Destination Destination, string Image);

/// <summary>Input of a verification that publishes nothing.</summary>
/// <param name="Packages">The repositories, each once.</param>
/// <param name="ComposeImages">What compose files name: declared public by that.</param>
/// <param name="Machine">The platform a newcomer has, where a compose file says none.</param>
public sealed record FleetInput(IReadOnlyList<FleetPackage> Packages, IReadOnlyList<ComposeImage> ComposeImages, Platform Machine);

/// <summary>What came of one look.</summary>
public enum FleetVerdict
{
    /// <summary>All is as declared.</summary>
    Good,

    /// <summary>Something is not.</summary>
    Bad,

    /// <summary>It could not be found out. Never a success.</summary>
    Unknown,

    /// <summary>It is not there, and need not be.</summary>
    Missing,

    /// <summary>It has no outside to look from (<c>oci:</c>).</summary>
    LeftOut,
}

/// <summary>What was found of one repository.</summary>
public sealed record PackageFinding
{
    /// <summary>What was looked at.</summary>
    public required FleetPackage Package { get; init; }

    /// <summary>What came of it.</summary>
    public required FleetVerdict Verdict { get; init; }

    /// <summary>Who can read it.</summary>
    public ObservedVisibility Seen { get; init; }

    /// <summary>What the service's own API says; null where it does not.</summary>
    public PackageFacts? Facts { get; init; }

    /// <summary>The tag of the newest release, or of the newest prerelease where there is no release; null where there is neither.</summary>
    public string? Newest { get; init; }

    /// <summary>The digest that names, or, without a release, <c>latest</c>; null where nothing was read.</summary>
    public Digest? Digest { get; init; }

    /// <summary>How many tags there are; null where they could not be listed.</summary>
    public int? TagCount { get; init; }

    /// <summary>The platforms of the newest image.</summary>
    public IReadOnlyList<Platform> Platforms { get; init; } = [];

    /// <summary>Where a person changes who can see it; more than one where only one of them is right and nobody said which. Empty: nothing to change, or no such page.</summary>
    public IReadOnlyList<string> Links { get; init; } = [];

    /// <summary>What is worth knowing and no mistake.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>What the verdict rests on, in order.</summary>
    public IReadOnlyList<Evidence> Evidence { get; init; } = [];

    /// <summary>What is wrong.</summary>
    public IReadOnlyList<Diagnostic> Diagnostics { get; init; } = [];
}

/// <summary>What was found of one image that compose files name.</summary>
/// <param name="Images">The places that name it; the first stands for all.</param>
/// <param name="Verdict">What came of it.</param>
/// <param name="Digest">What the name stands for, or null.</param>
/// <param name="Evidence">What the verdict rests on, in order.</param>
/// <param name="Diagnostics">What is wrong.</param>
/// <param name="Links">Where a person makes it public, if that is what it lacks.</param>
public sealed record ComposeFinding(
    IReadOnlyList<ComposeImage> Images, FleetVerdict Verdict, Digest? Digest, IReadOnlyList<Evidence> Evidence, IReadOnlyList<Diagnostic> Diagnostics, IReadOnlyList<string> Links);

/// <summary>What a verification found.</summary>
/// <param name="Packages">One for each repository, in their order.</param>
/// <param name="ComposeImages">One for each image (and platform) that compose files name.</param>
public sealed record FleetResult(IReadOnlyList<PackageFinding> Packages, IReadOnlyList<ComposeFinding> ComposeImages);
