using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Versioning;

/// <summary>One <c>ContainerTagRule</c> item.</summary>
/// <param name="Pattern">
/// <c>Include</c>: a literal tag, or text with <c>{version}</c>, <c>{major}</c>, <c>{minor}</c>, <c>{patch}</c>, <c>{branch}</c>, <c>{sha}</c> (7 hex digits), <c>{pr}</c>.
/// </param>
/// <param name="On"><c>On</c>: kinds of build, <c>;</c>-separated (<see cref="BuildKindNames"/>).</param>
/// <param name="Floating"><c>Floating</c>: <c>true</c> or <c>false</c>.</param>
public sealed record TagRule(string Pattern, string On, string Floating);

/// <summary>Input of the Versioning stage.</summary>
/// <param name="Facts">Output of the Facts stage.</param>
/// <param name="ContainerVersion">The user's <c>ContainerVersion</c> (strict SemVer 2, a leading <c>v</c> allowed), or empty.</param>
/// <param name="UserTags">The user's <c>ContainerImageTag</c>/<c>ContainerImageTags</c>, which replace the computed tags; empty if none.</param>
/// <param name="Rules">The <c>ContainerTagRule</c> items.</param>
/// <param name="VersionTagPrefix"><c>RegistrySdkVersionTagPrefix</c>.</param>
public sealed record VersioningInput(
    BuildFacts Facts,
    string? ContainerVersion,
    IReadOnlyList<string> UserTags,
    IReadOnlyList<TagRule> Rules,
    string VersionTagPrefix);

/// <summary>One computed image tag.</summary>
/// <param name="Name">Legal by the distribution spec: <c>[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}</c>.</param>
/// <param name="Floating">Whether it moves (forwards only). An immutable tag never changes what it names.</param>
/// <param name="Rule">The pattern it came from, or <c>ContainerImageTags</c> for the user's own.</param>
public sealed record ImageTag(string Name, bool Floating, string Rule);

/// <summary>Output of the Versioning stage.</summary>
public sealed record VersionFacts
{
    /// <summary>Exactly one kind, or <see cref="BuildKinds.None"/> where this run publishes nothing.</summary>
    public required BuildKinds Kind { get; init; }

    /// <summary>SemVer without leading <c>v</c> and without build metadata; never empty.</summary>
    public required string Version { get; init; }

    /// <summary>In the order they are written: immutable first, then floating, <c>latest</c> last. Distinct names.</summary>
    public required IReadOnlyList<ImageTag> Tags { get; init; }

    /// <summary>Why this kind and version, in one sentence, for the log: «tag v0.5.6 at HEAD», «GitHub Actions: pull request 7».</summary>
    public required string Reason { get; init; }

    /// <summary>The branch, where the kind is <see cref="BuildKinds.Branch"/> and HEAD is on one.</summary>
    public string? Branch { get; init; }

    /// <summary>Whether the tree is dirty; then the only tag is <c>&lt;branch&gt;-&lt;7&gt;-dirty</c>, for local destinations.</summary>
    public bool IsDirty { get; init; }

    /// <summary>Whether this is a pull request from another repository, which pushes nowhere.</summary>
    public bool IsForkPullRequest { get; init; }
}
