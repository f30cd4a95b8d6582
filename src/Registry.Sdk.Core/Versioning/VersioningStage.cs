using System.Globalization;
using NuGet.Versioning;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Versioning;

/// <summary>The second stage: kind of build, version and tags, judged from the facts alone.</summary>
public static class VersioningStage
{
    private const string UserTagsRule = "ContainerImageTags";
    private const string Latest = "latest";
    private const int ShaLength = 7;

    /// <summary>The <c>ContainerTagRule</c> items that a project has unless it changes them; the package's targets list the same (a test compares).</summary>
    public static IReadOnlyList<TagRule> DefaultTagRules { get; } =
    [
        new("v{version}", "release;prerelease", "false"),
        new("v{major}.{minor}", "release", "true"),
        new("v{major}", "release", "true"),
        new(Latest, "release", "true"),
        new("{branch}", "branch", "true"),
        new("{branch}-{sha}", "branch", "false"),
        new("pr-{pr}", "pr", "true"),
    ];

    /// <summary>Judges.</summary>
    /// <returns>Kind, version and tags, with warnings; or all errors that were found.</returns>
    public static Outcome<VersionFacts> Run(VersioningInput input)
    {
        ArgumentNullException.ThrowIfNull(input);
        var diagnostics = new List<Diagnostic>();
        var rules = TagRules.Parse(input.Rules, diagnostics);
        var userTags = UserTags(input.UserTags, diagnostics);
        if (!IsLegalPrefix(input.VersionTagPrefix))
        {
            diagnostics.Add(DiagnosticCodes.BadVersionTagPrefix.Report(
                $"RegistrySdkVersionTagPrefix is '{input.VersionTagPrefix}', and no git tag can be called '{input.VersionTagPrefix}1.2.3'. Set it to what precedes the version in your tags: v, or truxe-api/v."));
        }

        var judged = Judge(input, diagnostics);
        if (judged is null || diagnostics.Any(d => d.IsError))
        {
            return Outcome<VersionFacts>.Failure(diagnostics);
        }

        var git = input.Facts.Git;
        var isDirty = git.DirtyFiles.Count > 0;
        if (isDirty && judged.Kind is BuildKinds.Release or BuildKinds.Prerelease)
        {
            diagnostics.Add(DiagnosticCodes.DirtyRelease.Report(
                $"{BuildKindNames.ToWord(judged.Kind)} {SemVer.WithoutMetadata(judged.Version)} ({judged.Reason}) would be built from changed files: {string.Join(", ", git.DirtyFiles)}. Commit, stash or ignore them (.gitignore)."));
        }

        var tags = judged.Kind == BuildKinds.None ? [] : Tags(input, judged, rules, userTags, isDirty, diagnostics);
        return Outcome<VersionFacts>.From(
            new VersionFacts
            {
                Kind = judged.Kind,
                Version = SemVer.WithoutMetadata(judged.Version),
                Tags = [.. tags.OrderBy(t => !t.Floating ? 0 : string.Equals(t.Name, Latest, StringComparison.Ordinal) ? 2 : 1).DistinctBy(t => t.Name, StringComparer.Ordinal)],
                Reason = judged.Reason,
                Branch = judged.Branch,
                IsDirty = isDirty,

                // Of any kind: a fork's pull request could set ContainerVersion in its project file.
                IsForkPullRequest = input.Facts.Ci is { RefKind: CiRefKind.PullRequest, IsFork: true },
            },
            diagnostics);
    }

    private sealed record Judged(BuildKinds Kind, SemanticVersion Version, string Reason, string? Branch = null);

    /// <summary>Kind of build and version, first that answers (design: "Kind of build"). Null with an error.</summary>
    private static Judged? Judge(VersioningInput input, List<Diagnostic> diagnostics)
    {
        var (git, ci, prefix) = (input.Facts.Git, input.Facts.Ci, input.VersionTagPrefix);

        // (1) The user's word.
        if (input.ContainerVersion?.Trim() is { Length: > 0 } text)
        {
            if (SemVer.TryParse(text.StartsWith('v') ? text[1..] : text, out var version))
            {
                return new(KindOf(version), version, $"ContainerVersion is {text}");
            }

            diagnostics.Add(DiagnosticCodes.BadContainerVersion.Report(
                $"ContainerVersion is '{text}', which is not a SemVer 2 version: three numbers without leading zeros, then -prerelease if any. Set it to something like 1.2.3 or 1.2.3-rc.1."));
            return null;
        }

        if (git.State != GitState.Ok)
        {
            diagnostics.Add(WhyNoGit(git));
            return null;
        }

        // (2) A pull request, whatever is checked out: its merge commit, its head, or on pull_request_target the base.
        if (ci is { RefKind: CiRefKind.PullRequest })
        {
            var number = ci.PullRequestNumber ?? "of unknown number";
            return new(BuildKinds.PullRequest, DevelopmentVersion(git, prefix, diagnostics), $"{ci.Service}: pull request {number}{(ci.IsFork ? " from a fork" : "")}");
        }

        if (ci is { RefKind: CiRefKind.Tag or CiRefKind.Branch, RefName: { Length: > 0 } name })
        {
            // Whole ids only: an abbreviated one is not the commit.
            if (!string.Equals(ci.Commit, git.Commit, StringComparison.OrdinalIgnoreCase))
            {
                diagnostics.Add(DiagnosticCodes.CiCommitIsNotHead.Report(
                    $"{ci.Service} runs for {Word(ci.RefKind)} {name} at commit {ci.Commit ?? "(not said)"}, but {git.Commit} is checked out, so that {Word(ci.RefKind)} is not used. Check out the run's own commit, or set ContainerVersion."));
            }
            else if (ci.RefKind == CiRefKind.Branch)
            {
                // (4) Also where a version tag sits on the commit: the tag's own run releases.
                return new(BuildKinds.Branch, DevelopmentVersion(git, prefix, diagnostics), $"{ci.Service}: branch {name}", name);
            }
            else if (SemVer.TryParseTag(name, prefix, out var version))
            {
                // (3)
                return new(KindOf(version), version, $"{ci.Service}: tag {name}");
            }
            else
            {
                diagnostics.Add(DiagnosticCodes.CiTagIsNoVersion.Report(
                    $"{ci.Service} runs for the tag {name}, which is not '{prefix}' followed by a SemVer version, so nothing is published. If it is a version tag of this project, set RegistrySdkVersionTagPrefix to what precedes the version in it (now '{prefix}')."));
                return new(BuildKinds.None, DevelopmentVersion(git, prefix, []), $"{ci.Service}: tag {name} is no version tag of this project");
            }
        }

        // (5) No CI, or none whose words fit.
        if (SemVer.HighestTag(git.TagsAtHead, prefix) is { } tag && SemVer.TryParseTag(tag, prefix, out var tagged))
        {
            return new(KindOf(tagged), tagged, $"tag {tag} at HEAD");
        }

        return new(BuildKinds.Branch, DevelopmentVersion(git, prefix, diagnostics), git.Branch is { } branch ? $"branch {branch}" : "detached HEAD without version tag", git.Branch);
    }

    private static BuildKinds KindOf(SemanticVersion version) => version.IsPrerelease ? BuildKinds.Prerelease : BuildKinds.Release;

    private static string Word(CiRefKind kind) => kind == CiRefKind.Tag ? "tag" : "branch";

    /// <summary>MinVer's form, with its defaults: the nearest version tag and the height above it, and nothing but the commit.</summary>
    private static SemanticVersion DevelopmentVersion(GitFacts git, string prefix, List<Diagnostic> diagnostics)
    {
        if (git is { NearestVersionTag: null, IsShallow: true })
        {
            diagnostics.Add(DiagnosticCodes.ShallowClone.Report(
                "The clone is shallow and holds no version tag below HEAD, so the development version is 0.0.0-alpha.0. Clone with full history (actions/checkout: fetch-depth: 0; GitLab: GIT_DEPTH: 0; Azure: fetchDepth: 0), or set ContainerVersion."));
            return new SemanticVersion(0, 0, 0, "alpha.0");
        }

        var height = git.Height.ToString(CultureInfo.InvariantCulture);
        if (git.NearestVersionTag is not { } tag)
        {
            return new SemanticVersion(0, 0, 0, git.Height == 0 ? "alpha.0" : $"alpha.0.{height}");
        }

        if (!SemVer.TryParseTag(tag, prefix, out var version))
        {
            throw new ArgumentException($"'{tag}' is no version tag with prefix '{prefix}': Facts and Versioning were given two prefixes.", nameof(git));
        }

        return version.IsPrerelease
            ? new SemanticVersion(version.Major, version.Minor, version.Patch, $"{version.Release}.{height}")
            : new SemanticVersion(version.Major, version.Minor, version.Patch + 1, $"alpha.0.{height}");
    }

    private static Diagnostic WhyNoGit(GitFacts git)
    {
        var root = git.RootDirectory;
        return git.State switch
        {
            GitState.NoGit => DiagnosticCodes.GitNotFound.Report("The version and tags come from git, and no git program is on PATH. Install git, or set ContainerVersion."),
            GitState.NotARepository => DiagnosticCodes.NotARepository.Report("The version and tags come from git, and the project is in no git work tree. Run in a clone, or set ContainerVersion."),
            GitState.NoCommit => DiagnosticCodes.NoCommit.Report("The version and tags come from the git commit, and the repository has none yet. Commit, or set ContainerVersion."),
            GitState.DubiousOwnership => DiagnosticCodes.DubiousOwnership.Report(
                $"git refuses to read the repository because another user owns it. Run: git config --global --add safe.directory {Quoted(root ?? "<root of the repository>")}", root),
            _ => DiagnosticCodes.GitFailed.Report($"git failed: {git.Error ?? "it gave no reason"}. Run that command by hand, or set ContainerVersion."),
        };
    }

    private static string Quoted(string path) => path.Contains(' ', StringComparison.Ordinal) ? $"\"{path}\"" : path;

    /// <summary>The tags of one build, unordered; errors go to <paramref name="diagnostics"/>.</summary>
    private static List<ImageTag> Tags(
        VersioningInput input, Judged judged, List<ParsedRule> rules, List<string> userTags, bool isDirty, List<Diagnostic> diagnostics)
    {
        var git = input.Facts.Git;
        var sha = git.Commit?[..ShaLength];
        if (userTags.Count > 0)
        {
            return [.. userTags.Select(t => new ImageTag(t, isDirty || !NamesOneBuild(t, judged.Version, sha), UserTagsRule))];
        }

        var isBranch = judged.Kind == BuildKinds.Branch;
        var values = new TagValues(judged.Version, judged.Branch, sha, judged.Kind == BuildKinds.PullRequest ? input.Facts.Ci?.PullRequestNumber : null);
        List<ParsedRule> active = (isDirty, judged.Kind, judged.Branch) switch
        {
            // A dirty release is an error already.
            (true, BuildKinds.Branch, not null) => [TagRules.DirtyBranch],
            (true, BuildKinds.Branch, null) => [TagRules.DirtyDetached],
            (true, BuildKinds.PullRequest, _) => [TagRules.DirtyPullRequest],
            (false, BuildKinds.Branch, null) => [TagRules.Detached],
            _ => rules.FindAll(r => r.Kinds.HasFlag(judged.Kind)),
        };

        var tags = new List<ImageTag>();
        foreach (var rule in active)
        {
            // Null: the number of a pull request nobody told us, or the commit where there is no git.
            if (TagOf(rule, values) is not { } name)
            {
                continue;
            }

            if (TagNames.IsLegal(name))
            {
                tags.Add(new ImageTag(name, rule.Floating, rule.Pattern));
            }
            else
            {
                diagnostics.Add(DiagnosticCodes.IllegalTag.Report(
                    $"The ContainerTagRule '{rule.Pattern}' makes the tag '{name}', which no registry accepts: letters, digits, '_', '.', '-', not beginning with '.' or '-', at most {TagNames.MaxLength} characters. Change the rule."));
            }
        }

        if (isBranch && judged.Branch is not null && !isDirty)
        {
            var names = tags.Select(t => t.Name).ToHashSet(StringComparer.Ordinal);
            foreach (var other in git.Branches.Where(b => !string.Equals(b, judged.Branch, StringComparison.Ordinal)))
            {
                if (active.Where(r => r.Has("branch")).Select(r => TagOf(r, values with { Branch = other })).FirstOrDefault(n => n is not null && names.Contains(n)) is { } shared)
                {
                    diagnostics.Add(DiagnosticCodes.BranchesShareTag.Report(
                        $"The branches '{judged.Branch}' and '{other}' would both have the image tag '{shared}'. Rename or delete one of them, or change the ContainerTagRule items that use {{branch}}."));
                }
            }
        }

        return tags;

        // `latest` and `v1` belong to releases, `main-abc1234` to a commit of main; a branch of that name gets a mended tag.
        string? TagOf(ParsedRule rule, TagValues with)
            => TagRules.Fill(rule, with) is { } name && rule.Has("branch") && TagRules.IsReserved(name, rule, rules) ? TagRules.Fill(rule, with, mendBranch: true) : TagRules.Fill(rule, with);
    }

    /// <summary>
    /// Whether a tag the user chose names this one build and therefore is immutable: it is the build's version, with or without <c>v</c>, or holds the
    /// commit's first seven digits. What else users write (<c>latest</c>, <c>nightly</c>, <c>1.2</c>) moves.
    /// </summary>
    private static bool NamesOneBuild(string tag, SemanticVersion version, string? sha)
    {
        var text = SemVer.WithoutMetadata(version);
        return string.Equals(tag, text, StringComparison.Ordinal)
            || string.Equals(tag, "v" + text, StringComparison.Ordinal)
            || (sha is not null && tag.Contains(sha, StringComparison.OrdinalIgnoreCase));
    }

    private static List<string> UserTags(IEnumerable<string> tags, List<Diagnostic> diagnostics)
    {
        var legal = new List<string>();
        foreach (var tag in tags.Select(t => t.Trim()).Where(t => t.Length > 0).Distinct(StringComparer.Ordinal))
        {
            if (TagNames.IsLegal(tag))
            {
                legal.Add(tag);
            }
            else
            {
                diagnostics.Add(DiagnosticCodes.IllegalTag.Report(
                    $"ContainerImageTags holds '{tag}', which no registry accepts: letters, digits, '_', '.', '-', not beginning with '.' or '-', at most {TagNames.MaxLength} characters. Correct ContainerImageTags."));
            }
        }

        return legal;
    }

    /// <summary>Whether git lets a tag begin so (git-check-ref-format): a typo here would otherwise just never match.</summary>
    private static bool IsLegalPrefix(string prefix)
    {
        var tag = prefix + "1.2.3";
        return !tag.StartsWith('-')
            && !tag.Any(c => char.IsControl(c) || " ~^:?*[\\".Contains(c, StringComparison.Ordinal))
            && !tag.Contains("..", StringComparison.Ordinal)
            && !tag.Contains("@{", StringComparison.Ordinal)
            && tag.Split('/').All(part => part.Length > 0 && part[0] != '.' && !part.EndsWith(".lock", StringComparison.Ordinal));
    }
}
