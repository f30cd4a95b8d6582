using NuGet.Versioning;

namespace Registry.Sdk.Core.Primitives;

/// <summary>Strict SemVer 2 (semver.org): three parts, no leading zeros, no leading <c>v</c>. Ordered as <c>NuGet.Versioning</c> orders.</summary>
public static class SemVer
{
    /// <summary>
    /// Parses strictly. False for anything else, also for a part of 2147483647 or more: NuGet's numbers are 32 bits wide,
    /// and a development version needs the next patch.
    /// </summary>
    public static bool TryParse(string? text, out SemanticVersion version)
    {
        // Unlike NuGetVersion, SemanticVersion reads nothing but SemVer 2 (a test lists what it must refuse).
        if (text is not null && SemanticVersion.TryParse(text, out var parsed) && parsed is not null
            && parsed.Major < int.MaxValue && parsed.Minor < int.MaxValue && parsed.Patch < int.MaxValue)
        {
            version = parsed;
            return true;
        }

        version = null!;
        return false;
    }

    /// <summary>Parses a git tag that is <paramref name="prefix"/> + strict SemVer and nothing else.</summary>
    public static bool TryParseTag(string? tag, string prefix, out SemanticVersion version)
    {
        if (tag is not null && tag.StartsWith(prefix, StringComparison.Ordinal))
        {
            return TryParse(tag[prefix.Length..], out version);
        }

        version = null!;
        return false;
    }

    /// <summary>
    /// The tag with the highest version, or null where none is a version tag. Equal precedence (<c>v1.0.0</c> and <c>v1.0.0+a</c>):
    /// the ordinally first, so that the answer does not depend on the order of <paramref name="tags"/>.
    /// </summary>
    public static string? HighestTag(IEnumerable<string> tags, string prefix)
    {
        string? best = null;
        SemanticVersion? bestVersion = null;
        foreach (var tag in tags)
        {
            if (!TryParseTag(tag, prefix, out var version))
            {
                continue;
            }

            var order = bestVersion is null ? 1 : Compare(version, bestVersion);
            if (order > 0 || (order == 0 && string.CompareOrdinal(tag, best) < 0))
            {
                (best, bestVersion) = (tag, version);
            }
        }

        return best;
    }

    /// <summary>SemVer precedence: build metadata does not count.</summary>
    public static int Compare(SemanticVersion a, SemanticVersion b) => VersionComparer.VersionRelease.Compare(a, b);

    /// <summary>The version without <c>+build</c>: what tags and labels use.</summary>
    public static string WithoutMetadata(SemanticVersion version)
    {
        ArgumentNullException.ThrowIfNull(version);
        return version.ToNormalizedString();
    }
}
