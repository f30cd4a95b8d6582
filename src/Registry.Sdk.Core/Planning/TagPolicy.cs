using NuGet.Versioning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;

namespace Registry.Sdk.Core.Planning;

/// <summary>What is known of an image from its labels.</summary>
/// <param name="Digest">Its manifest's digest.</param>
/// <param name="Version"><c>org.opencontainers.image.version</c>, or null.</param>
/// <param name="Revision"><c>org.opencontainers.image.revision</c>, or null.</param>
/// <param name="BaseDigest"><c>org.opencontainers.image.base.digest</c>, or null.</param>
/// <param name="Created">Its time, or null.</param>
public sealed record ImageIdentity(Digest Digest, string? Version, string? Revision, string? BaseDigest, DateTimeOffset? Created);

/// <summary>Decides what happens to one tag. Floating tags go forwards only; an immutable tag never changes what it names.</summary>
public static class TagPolicy
{
    /// <summary>Decides.</summary>
    /// <param name="tag">The tag.</param>
    /// <param name="kind">The kind of build: releases are compared by version, branches and pull requests by commit.</param>
    /// <param name="ours">The image of this build.</param>
    /// <param name="theirs">What the tag names now, or null if it does not exist.</param>
    /// <param name="overwrite">Whether <c>RegistrySdkOverwriteTag</c> names the tag.</param>
    /// <param name="history">The commit history, for branches.</param>
    /// <param name="where">The destination, for messages.</param>
    /// <param name="cancellationToken">Stops git.</param>
    /// <returns>The plan, or an error; and a warning where the direction could not be told.</returns>
    public static async Task<(TagPlan? Plan, Diagnostic? Diagnostic)> DecideAsync(
        ImageTag tag, BuildKinds kind, ImageIdentity ours, ImageIdentity? theirs, bool overwrite, ICommitHistory history, string where, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(tag);
        ArgumentNullException.ThrowIfNull(ours);
        ArgumentNullException.ThrowIfNull(history);
        if (theirs is null)
        {
            return (new(tag, TagAction.Create, null, "new"), null);
        }

        if (theirs.Digest == ours.Digest)
        {
            return (new(tag, TagAction.Keep, theirs.Digest, "names this image"), null);
        }

        if (overwrite)
        {
            return (new(tag, TagAction.Move, theirs.Digest, "named in RegistrySdkOverwriteTag"), null);
        }

        if (!tag.Floating)
        {
            if (kind == BuildKinds.Branch && IsOnAnotherBase(ours, theirs))
            {
                return (new(tag, TagAction.Keep, theirs.Digest, $"stays: the same commit was built before, on the base image {theirs.BaseDigest}; this build is on {ours.BaseDigest}"), null);
            }

            return (null, DiagnosticCodes.ImmutableTagTaken.Report(
                $"{where}: the tag {tag.Name} names {theirs.Digest} and would become {ours.Digest}; {Difference(ours, theirs)} An immutable tag never changes what it names: release a new version, or name the tag in RegistrySdkOverwriteTag."));
        }

        if (theirs.Version is null && theirs.Revision is null)
        {
            return (new(tag, TagAction.Move, theirs.Digest, "what it named has no version and revision labels"), DiagnosticCodes.UnlabelledMove.Report(
                $"{where}: the floating tag {tag.Name} names {theirs.Digest}, which has no version and revision labels; it is moved without knowing whether forwards."));
        }

        var plan = kind is BuildKinds.Release or BuildKinds.Prerelease
            ? ByVersion(tag, ours, theirs)
            : await ByCommitAsync(tag, ours, theirs, history, cancellationToken).ConfigureAwait(false);
        return plan is not null
            ? (plan, null)
            : (new(tag, TagAction.Move, theirs.Digest, "what it named has no version to compare"), DiagnosticCodes.UnlabelledMove.Report(
                $"{where}: the floating tag {tag.Name} names {theirs.Digest}, whose version label is '{RegistryClient.Clean(theirs.Version ?? "none")}'; it is moved without knowing whether forwards."));
    }

    /// <summary>Whether two images are of one version and commit, and on different base images: the base's tag moved in between.</summary>
    /// <param name="ours">The image of this build.</param>
    /// <param name="theirs">The other.</param>
    public static bool IsOnAnotherBase(ImageIdentity ours, ImageIdentity theirs)
    {
        ArgumentNullException.ThrowIfNull(ours);
        ArgumentNullException.ThrowIfNull(theirs);
        return ours.Version is not null && ours.Version == theirs.Version && ours.Revision is not null && ours.Revision == theirs.Revision
            && Digest.TryParse(ours.BaseDigest, out var here) && Digest.TryParse(theirs.BaseDigest, out var there) && here != there;
    }

    /// <summary>Releases and prereleases go by version. Null: what it names has none to compare.</summary>
    internal static TagPlan? ByVersion(ImageTag tag, ImageIdentity ours, ImageIdentity theirs)
    {
        if (!SemanticVersion.TryParse(theirs.Version?.TrimStart('v') ?? string.Empty, out var there) || !SemanticVersion.TryParse(ours.Version ?? string.Empty, out var here))
        {
            return null;
        }

        return here >= there
            ? new(tag, TagAction.Move, theirs.Digest, $"{there} to {here}")
            : new(tag, TagAction.Keep, theirs.Digest, $"names the newer {there}");
    }

    private static async Task<TagPlan> ByCommitAsync(ImageTag tag, ImageIdentity ours, ImageIdentity theirs, ICommitHistory history, CancellationToken cancellationToken)
    {
        if (ours.Revision is not null && theirs.Revision is not null)
        {
            if (ours.Revision == theirs.Revision)
            {
                return new(tag, TagAction.Move, theirs.Digest, $"rebuilt from {Short(ours.Revision)}");
            }

            if (await history.IsAncestorAsync(theirs.Revision, ours.Revision, cancellationToken).ConfigureAwait(false) == true)
            {
                return new(tag, TagAction.Move, theirs.Digest, $"{Short(theirs.Revision)} to its descendant {Short(ours.Revision)}");
            }

            if (await history.IsAncestorAsync(ours.Revision, theirs.Revision, cancellationToken).ConfigureAwait(false) == true)
            {
                return new(tag, TagAction.Keep, theirs.Digest, $"names the later commit {Short(theirs.Revision)}");
            }
        }

        // Rebased, or history that git here does not have: the later commit wins.
        return ours.Created is { } here && theirs.Created is { } there && here < there
            ? new(tag, TagAction.Keep, theirs.Digest, $"history does not tell; what it names is later ({there:u})")
            : new(tag, TagAction.Move, theirs.Digest, "history does not tell; this commit is not earlier");
    }

    private static string Difference(ImageIdentity ours, ImageIdentity theirs)
    {
        var parts = new List<string>();
        Compare("version", theirs.Version, ours.Version);
        Compare("revision", theirs.Revision, ours.Revision);
        Compare("base image", theirs.BaseDigest, ours.BaseDigest);
        if (parts.Count > 0)
        {
            // A label is anybody's text: only a digest becomes part of advice.
            var moved = parts.Count == 1 && ours.BaseDigest != theirs.BaseDigest && Digest.TryParse(theirs.BaseDigest, out _) ? $" To repeat the build on the base it was made with, set ContainerBaseImage to name@{theirs.BaseDigest}." : string.Empty;
            return $"they differ in {string.Join(", ", parts)}.{moved}";
        }

        return "version, revision and base image are equal, so files, configuration (Debug or Release) or settings differ: for instance the git remote, which is the label org.opencontainers.image.source.";

        void Compare(string what, string? there, string? here)
        {
            if (!string.Equals(there, here, StringComparison.Ordinal))
            {
                parts.Add($"{what} ({RegistryClient.Clean(there ?? "none")} there, {here ?? "none"} here)");
            }
        }
    }

    private static string Short(string revision) => RegistryClient.Clean(revision.Length > 7 ? revision[..7] : revision);
}
