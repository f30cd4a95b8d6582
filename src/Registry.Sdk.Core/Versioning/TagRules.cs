using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using NuGet.Versioning;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Versioning;

/// <summary>A <see cref="TagRule"/> that has been found well formed.</summary>
/// <param name="Pattern">The rule's text, as the user wrote it.</param>
/// <param name="Kinds">The kinds it is for.</param>
/// <param name="Floating">Whether its tags move.</param>
internal sealed record ParsedRule(string Pattern, BuildKinds Kinds, bool Floating)
{
    /// <summary>Whether the pattern has this placeholder.</summary>
    internal bool Has(string placeholder) => Pattern.Contains("{" + placeholder + "}", StringComparison.Ordinal);
}

/// <summary>The values that fill a pattern. Null: not known in this build; a rule that needs it yields no tag.</summary>
/// <param name="Version">The version of the build.</param>
/// <param name="Branch">The branch's full name, unsanitised.</param>
/// <param name="Sha">7 hex digits of the commit.</param>
/// <param name="PullRequest">The pull request's number.</param>
internal sealed record TagValues(SemanticVersion Version, string? Branch, string? Sha, string? PullRequest);

/// <summary>Reads and fills <c>ContainerTagRule</c> patterns.</summary>
internal static partial class TagRules
{
    private const BuildKinds All = BuildKinds.Release | BuildKinds.Prerelease | BuildKinds.Branch | BuildKinds.PullRequest;

    // A placeholder, the kinds it has a meaning in, and what its value can look like.
    // {branch} is not for pull requests: a fork names its branches itself, and would take `main`.
    private static readonly (string Name, BuildKinds Kinds, string Shape)[] Placeholders =
    [
        ("version", All, @"[0-9]+\.[0-9]+\.[0-9]+(-.+)?"),
        ("major", All, "[0-9]+"),
        ("minor", All, "[0-9]+"),
        ("patch", All, "[0-9]+"),
        ("sha", All, "[0-9a-f]{7}"),
        ("branch", BuildKinds.Branch, ".+"),
        ("pr", BuildKinds.PullRequest, "[0-9]+"),
    ];

    /// <summary>The tag of a build from a detached HEAD, which has no branch.</summary>
    internal static readonly ParsedRule Detached = new("sha-{sha}", BuildKinds.Branch, Floating: false);

    // A dirty tree is no commit: its one tag moves, and says so by its name.

    /// <summary>The tag of a branch's dirty tree.</summary>
    internal static readonly ParsedRule DirtyBranch = new("{branch}-{sha}-dirty", BuildKinds.Branch, Floating: true);

    /// <summary>The tag of a detached HEAD's dirty tree.</summary>
    internal static readonly ParsedRule DirtyDetached = new("sha-{sha}-dirty", BuildKinds.Branch, Floating: true);

    /// <summary>The tag of a pull request's dirty tree.</summary>
    internal static readonly ParsedRule DirtyPullRequest = new("pr-{pr}-{sha}-dirty", BuildKinds.PullRequest, Floating: true);

    private static readonly ParsedRule[] WithoutRule = [Detached, DirtyBranch, DirtyDetached, DirtyPullRequest];

    /// <summary>Judges the rules whole, also those of other kinds of build: an error should show before the release, not in it.</summary>
    internal static List<ParsedRule> Parse(IEnumerable<TagRule> rules, List<Diagnostic> diagnostics)
    {
        var parsed = new List<ParsedRule>();
        foreach (var rule in rules)
        {
            var pattern = rule.Pattern.Trim();
            var kinds = BuildKinds.None;
            string? wrong = null;
            if (pattern.Length == 0)
            {
                wrong = "has no pattern. Write a tag or a pattern such as v{version} into Include";
            }
            else if (!BuildKindNames.TryParse(rule.On, out kinds, out var word))
            {
                wrong = $"has On=\"{rule.On}\", and '{word}' is no kind of build. Use release, prerelease, branch, pr";
            }
            else if (kinds == BuildKinds.None)
            {
                wrong = "has no On, so it would never apply. Name one or more of release, prerelease, branch, pr";
            }
            else if (!bool.TryParse(rule.Floating, out _))
            {
                wrong = $"has Floating=\"{rule.Floating}\". Write true for a tag that moves, false for one that never does";
            }

            wrong ??= WrongPlaceholder(pattern, kinds);
            if (wrong is null)
            {
                parsed.Add(new ParsedRule(pattern, kinds, bool.Parse(rule.Floating)));
            }
            else
            {
                diagnostics.Add(DiagnosticCodes.BadTagRule.Report($"The ContainerTagRule '{pattern}' {wrong}."));
            }
        }

        return parsed;
    }

    /// <summary>The tag, or null where a value is not known in this build.</summary>
    /// <param name="rule">The rule.</param>
    /// <param name="values">What to put in.</param>
    /// <param name="mendBranch">Treat the branch's name as one that has to be mended, whatever it is.</param>
    internal static string? Fill(ParsedRule rule, TagValues values, bool mendBranch = false)
    {
        var missing = false;
        var withoutBranch = Placeholder().Replace(rule.Pattern, match =>
        {
            var value = match.Groups["name"].Value switch
            {
                "version" => SemVer.WithoutMetadata(values.Version),
                "major" => values.Version.Major.ToString(CultureInfo.InvariantCulture),
                "minor" => values.Version.Minor.ToString(CultureInfo.InvariantCulture),
                "patch" => values.Version.Patch.ToString(CultureInfo.InvariantCulture),
                "sha" => values.Sha,
                "pr" => values.PullRequest,
                _ => values.Branch is null ? null : match.Value, // {branch} comes last: it gets the room that is left
            };
            missing |= value is null;
            return value ?? "";
        });
        if (missing)
        {
            return null;
        }

        const string Branch = "{branch}";
        var count = (withoutBranch.Length - withoutBranch.Replace(Branch, "", StringComparison.Ordinal).Length) / Branch.Length;
        return count == 0
            ? withoutBranch
            : withoutBranch.Replace(
                Branch,
                TagNames.OfBranch(values.Branch!, (TagNames.MaxLength - withoutBranch.Length + (count * Branch.Length)) / count, mendBranch),
                StringComparison.Ordinal);
    }

    /// <summary>
    /// Whether a tag that a rule makes of a branch's name has the shape of one that is not the branch's to take, so that the name has to be mended.
    /// That is: what a build that is no branch build could make by one of the rules (a branch named <c>latest</c> or <c>v1.2</c>), and what names one
    /// commit or version of any branch by a rule or without one (branches named <c>main-abc1234</c>, <c>sha-abc1234</c>,
    /// <c>main-abc1234-dirty</c>; <c>feature-deadbee</c> too, for seven hex digits may be a commit). A tag that itself holds the commit can't meet
    /// another commit's, so only the first applies to it.
    /// </summary>
    internal static bool IsReserved(string tag, ParsedRule rule, IReadOnlyCollection<ParsedRule> rules)
    {
        return rules.Any(r => !r.Kinds.HasFlag(BuildKinds.Branch) && Matches(r))
            || (!rule.Has("sha") && (rules.Any(r => r.Kinds.HasFlag(BuildKinds.Branch) && NamesOneBuild(r) && Matches(r)) || WithoutRule.Any(Matches)));

        bool Matches(ParsedRule r)
            => !string.Equals(r.Pattern, rule.Pattern, StringComparison.Ordinal) && Regex.IsMatch(tag, ShapeOf(r.Pattern), RegexOptions.CultureInvariant, TimeSpan.FromSeconds(1));

        // An immutable tag of nothing but the branch's name, say {branch}-x, would reserve every name like it.
        static bool NamesOneBuild(ParsedRule r) => !r.Floating && (r.Has("sha") || r.Has("version") || !r.Has("branch"));
    }

    private static string ShapeOf(string pattern)
    {
        var shape = new StringBuilder(@"\A");
        var at = 0;
        foreach (Match match in Placeholder().Matches(pattern))
        {
            shape.Append(Regex.Escape(pattern[at..match.Index]));
            shape.Append(Array.Find(Placeholders, p => string.Equals(p.Name, match.Groups["name"].Value, StringComparison.Ordinal)).Shape);
            at = match.Index + match.Length;
        }

        return shape.Append(Regex.Escape(pattern[at..])).Append(@"\z").ToString();
    }

    private static string? WrongPlaceholder(string pattern, BuildKinds kinds)
    {
        foreach (Match match in Placeholder().Matches(pattern))
        {
            var name = match.Groups["name"].Value;
            var known = Array.Find(Placeholders, p => string.Equals(p.Name, name, StringComparison.Ordinal));
            if (known.Name is null)
            {
                return $"has the unknown placeholder {match.Value}. Known are {string.Join(", ", Placeholders.Select(p => "{" + p.Name + "}"))}";
            }

            if ((kinds & ~known.Kinds) != BuildKinds.None)
            {
                var never = Enum.GetValues<BuildKinds>().First(k => k != BuildKinds.None && kinds.HasFlag(k) && !known.Kinds.HasFlag(k));
                return $"is for {BuildKindNames.ToWord(never)} builds, which have no {match.Value}. Remove {BuildKindNames.ToWord(never)} from its On, or the placeholder";
            }
        }

        return Placeholder().Replace(pattern, "").AsSpan().ContainsAny('{', '}')
            ? "has a brace without its partner. A placeholder is {name}"
            : null;
    }

    [GeneratedRegex(@"\{(?<name>[^{}]*)\}", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Placeholder();
}
