using System.Globalization;
using System.Text.RegularExpressions;
using NuGet.Versioning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;

namespace Registry.Sdk.Core.Planning;

/// <summary>
/// Which other images of a repository a floating tag stands for, known by their immutable tags: <c>v1</c> stands for <c>v1.2.3</c> and <c>v1.10.0</c>,
/// <c>main</c> for <c>main-abc1234</c>. By them it shows after writing a floating tag whether somebody has published something newer meanwhile.
/// </summary>
public static partial class TagRanking
{
    /// <summary>Tags in a list that are immutable tags of the same line as a floating tag of this build, and are none of ours; not ranked yet.</summary>
    /// <param name="floating">The floating tag.</param>
    /// <param name="version">Output of the Versioning stage.</param>
    /// <param name="revision">The commit; null: branch builds have no such tags.</param>
    /// <param name="listed">Tags of the repository. They are a registry's text.</param>
    /// <returns>
    /// The tag, and of a release its version, of a branch build the seven digits of its commit; the newest version first. Empty where the names of immutable tags do not tell: the user's own tags
    /// (<c>ContainerImageTags</c>), pull requests, rules without <c>{version}</c> or without branch and commit.
    /// </returns>
    public static IReadOnlyList<(string Tag, string? Version, string? Commit)> Candidates(ImageTag floating, VersionFacts version, string? revision, IEnumerable<string> listed)
    {
        ArgumentNullException.ThrowIfNull(floating);
        ArgumentNullException.ThrowIfNull(version);
        ArgumentNullException.ThrowIfNull(listed);
        if (Shape(floating, version, revision) is not var (before, after, isRelease))
        {
            return [];
        }

        return
        [
            .. from tag in listed
               where RepositoryReference.IsLegalTag(tag) && !version.Tags.Any(t => t.Name == tag)
                   && tag.Length > before.Length + after.Length && tag.StartsWith(before, StringComparison.Ordinal) && tag.EndsWith(after, StringComparison.Ordinal)
               let value = tag[before.Length..^after.Length]
               let release = isRelease && SemVer.TryParse(value, out var parsed) ? parsed : null
               where isRelease ? release is not null && IsOnLine(floating, version.Kind, release) : value.Length == 7 && value.All(char.IsAsciiHexDigitLower)
               orderby release descending
               select (tag, isRelease ? value : null, isRelease ? null : value),
        ];
    }

    /// <summary>Whether other images of what a floating tag stands for can be known by their immutable tags.</summary>
    /// <param name="floating">The floating tag.</param>
    /// <param name="version">Output of the Versioning stage.</param>
    /// <param name="revision">The commit, or null.</param>
    public static bool IsRanked(ImageTag floating, VersionFacts version, string? revision) => Shape(floating, version, revision) is not null;

    /// <summary>What stands before and after the version or commit in our immutable tag.</summary>
    private static (string Before, string After, bool IsRelease)? Shape(ImageTag floating, VersionFacts version, string? revision)
    {
        ArgumentNullException.ThrowIfNull(floating);
        ArgumentNullException.ThrowIfNull(version);
        var isRelease = version.Kind is BuildKinds.Release or BuildKinds.Prerelease;
        var key = isRelease ? version.Version : version.Kind == BuildKinds.Branch && revision is { Length: >= 7 } ? revision[..7] : null;
        // A branch's tags have its name in them, or another branch's commit would be taken for ours.
        var shape = key is null || version.IsDirty || !floating.Floating ? null : version.Tags.FirstOrDefault(t => !t.Floating && (isRelease
            ? t.Rule.Contains("{version}", StringComparison.Ordinal)
            : t.Rule.Contains("{branch}", StringComparison.Ordinal) && t.Rule.Contains("{sha}", StringComparison.Ordinal)));
        return shape is not null && shape.Name.LastIndexOf(key!, StringComparison.Ordinal) is >= 0 and var at
            ? (shape.Name[..at], shape.Name[(at + key!.Length)..], isRelease)
            : null;
    }

    // What a release of that version would call the tag. A tag without placeholders (latest) every release of its kind takes.
    private static bool IsOnLine(ImageTag floating, BuildKinds kind, SemanticVersion version)
    {
        if (version.IsPrerelease != (kind == BuildKinds.Prerelease))
        {
            return false;
        }

        var isFilled = true;
        var name = Placeholder().Replace(floating.Rule, match =>
        {
            var value = match.Groups["name"].Value switch
            {
                "version" => SemVer.WithoutMetadata(version),
                "major" => version.Major.ToString(CultureInfo.InvariantCulture),
                "minor" => version.Minor.ToString(CultureInfo.InvariantCulture),
                "patch" => version.Patch.ToString(CultureInfo.InvariantCulture),
                _ => null,
            };
            isFilled &= value is not null;
            return value ?? string.Empty;
        });
        return isFilled && (!Placeholder().IsMatch(floating.Rule) || name == floating.Name);
    }

    [GeneratedRegex(@"\{(?<name>[^{}]*)\}", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Placeholder();
}
