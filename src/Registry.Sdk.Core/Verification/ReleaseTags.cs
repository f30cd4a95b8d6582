using NuGet.Versioning;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Verification;

/// <summary>A tag that names a version: <c>v1.2.3</c>, or <c>1.2.3</c> as other tools write it.</summary>
/// <param name="Tag">The tag.</param>
/// <param name="Version">What it says.</param>
internal sealed record VersionTag(string Tag, SemanticVersion Version);

/// <summary>What the tags of a repository say of its releases. Tags of ours and of other tools alike, with <c>v</c> and without.</summary>
internal sealed class ReleaseTags
{
    private readonly List<VersionTag> _releases;
    private readonly IReadOnlyList<string> _tags;

    public ReleaseTags(IReadOnlyList<string> tags)
    {
        _tags = tags;
        var versions = tags.Select(t => SemVer.TryParse(t.StartsWith('v') ? t[1..] : t, out var version) ? new VersionTag(t, version) : null).OfType<VersionTag>().ToList();
        _releases = [.. versions.Where(v => !v.Version.IsPrerelease)];
        Newest = Highest(_releases) ?? Highest(versions);
    }

    /// <summary>The newest release, or the newest prerelease where nothing was released; null: neither.</summary>
    public VersionTag? Newest { get; }

    /// <summary>What a newcomer gets: the newest release, else <c>latest</c>, else the last tag there is; null without any.</summary>
    public string? Shown => Newest?.Tag ?? (_tags.Contains("latest", StringComparer.Ordinal) ? "latest" : _tags.Count > 0 ? _tags[^1] : null);

    /// <summary>Every floating tag that is there (<c>latest</c>, <c>v1</c>, <c>v1.2</c>), and the newest release that it stands for.</summary>
    public IEnumerable<(string Tag, VersionTag Release)> Floating()
    {
        foreach (var tag in _tags)
        {
            if (Highest(_releases.Where(r => StandsFor(tag, r.Version))) is { } release)
            {
                yield return (tag, release);
            }
        }
    }

    private static bool StandsFor(string tag, SemanticVersion version)
    {
        if (tag == "latest")
        {
            return true;
        }

        var text = tag.StartsWith('v') ? tag[1..] : tag;
        return text == FormattableString.Invariant($"{version.Major}") || text == FormattableString.Invariant($"{version.Major}.{version.Minor}");
    }

    // Of two spellings of one version the one with v: it is ours.
    private static VersionTag? Highest(IEnumerable<VersionTag> tags)
        => tags.OrderByDescending(t => t.Version, VersionComparer.VersionRelease).ThenByDescending(t => t.Tag.StartsWith('v')).FirstOrDefault();
}
