using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;
using Xunit;
using Xunit.Abstractions;

namespace Registry.Sdk.Core.Tests.Versioning;

/// <summary>
/// One build: what git and the CI variables say, and what must come of it. <see cref="Expect"/> reads
/// <c>kind version: tag tag* tag* !RSDK1005</c>; a star marks a floating tag, an exclamation mark a warning; or <c>error RSDK2005 RSDK2003</c>.
/// HEAD is commit abc1234…, its branch main, no tag, no tag below, height 3, clean, unless the row says otherwise.
/// </summary>
public sealed record Row(string Name)
{
    public const string Head = "abc1234567890abcdef1234567890abcdef12345";
    public const string Elsewhere = "ffffffffffffffffffffffffffffffffffffffff";

    public GitState State { get; init; } = GitState.Ok;

    public string? Branch { get; init; } = "main";

    public string TagsAtHead { get; init; } = "";

    public string? Nearest { get; init; }

    public int Height { get; init; } = 3;

    public bool Shallow { get; init; }

    public string Dirty { get; init; } = "";

    public string[] Branches { get; init; } = ["main"];

    public Dictionary<string, string> Env { get; init; } = [];

    public string? Event { get; init; }

    /// <summary>TeamCity's configuration parameters, lines of a properties file.</summary>
    public string[] TeamCity { get; init; } = [];

    public string? ContainerVersion { get; init; }

    public string[] UserTags { get; init; } = [];

    public string Prefix { get; init; } = "v";

    public TagRule[] More { get; init; } = [];

    public bool NoDefaults { get; init; }

    public required string Expect { get; init; }

    /// <summary>A piece the diagnostics or the reason must hold.</summary>
    public string Says { get; init; } = "";

    public bool Fork { get; init; }

    public Outcome<VersionFacts> Run() => VersioningStage.Run(Input());

    public VersioningInput Input()
    {
        var ok = State == GitState.Ok;
        var git = new GitFacts
        {
            State = State,
            Error = State == GitState.Failed ? "git rev-parse: it broke" : null,
            RootDirectory = State == GitState.DubiousOwnership ? "/src/re po" : null,
            Commit = ok ? Head : null,
            CommitTime = ok ? DateTimeOffset.UnixEpoch : null,
            Branch = ok ? Branch : null,
            TagsAtHead = ok ? TagsAtHead.Split(' ', StringSplitOptions.RemoveEmptyEntries) : [],
            NearestVersionTag = Nearest,
            Height = Nearest is null && Shallow ? 0 : Height,
            IsShallow = Shallow,
            DirtyFiles = Dirty.Split(' ', StringSplitOptions.RemoveEmptyEntries),
            Branches = ok ? Branches : [],
        };
        var ci = CiDetection.Detect(Env, path => path switch
        {
            "/event.json" => Event,
            "/build.properties" => "teamcity.configuration.properties.file=/configuration.properties",
            "/configuration.properties" => string.Join('\n', TeamCity),
            _ => null,
        });
        return new VersioningInput(new BuildFacts(git, ci, null), ContainerVersion, UserTags, [.. NoDefaults ? [] : VersioningStage.DefaultTagRules, .. More], Prefix);
    }

    public static string Text(Outcome<VersionFacts> outcome)
        => outcome.Succeeded
            ? string.Join(' ', (string[])
                [
                    $"{BuildKindNames.ToWord(outcome.Value.Kind)} {outcome.Value.Version}:",
                    .. outcome.Value.Tags.Select(t => t.Name + (t.Floating ? "*" : "")),
                    .. outcome.Diagnostics.Select(d => "!" + d.Code),
                ])
            : "error " + string.Join(' ', outcome.Diagnostics.Select(d => (d.IsError ? "" : "!") + d.Code));

    public override string ToString() => Name;
}

public class VersioningTable
{
    // Hashes here come from sha256sum, not from the code under test.
    private const string Hash128 = "24da1b8";

    public static Dictionary<string, string> GitHub(string eventName, string fullRef, string commit = Row.Head, params string[] more) => new(StringComparer.Ordinal)
    {
        ["GITHUB_ACTIONS"] = "true",
        ["CI"] = "true",
        ["GITHUB_EVENT_NAME"] = eventName,
        ["GITHUB_REF"] = fullRef,
        ["GITHUB_REF_NAME"] = fullRef.Split('/', 3)[^1],
        ["GITHUB_REF_TYPE"] = fullRef.StartsWith("refs/tags/", StringComparison.Ordinal) ? "tag" : "branch",
        ["GITHUB_SHA"] = commit,
        ["GITHUB_REPOSITORY"] = "wundam/truxe",
        ["GITHUB_SERVER_URL"] = "https://github.com",
        ["GITHUB_RUN_ID"] = "42",
        ["GITHUB_EVENT_PATH"] = more.Contains("no event path") ? "" : "/event.json",
    };

    public static Dictionary<string, string> GitLab(params string[] variables) => Variables(["GITLAB_CI=true", "CI=true", $"CI_COMMIT_SHA={Row.Head}", "CI_PROJECT_PATH=wundam/truxe", .. variables]);

    public static Dictionary<string, string> Azure(params string[] variables) => Variables(["TF_BUILD=True", $"BUILD_SOURCEVERSION={Row.Head}", .. variables]);

    public static Dictionary<string, string> Bitbucket(params string[] variables) => Variables(["CI=true", "BITBUCKET_BUILD_NUMBER=42", $"BITBUCKET_COMMIT={Row.Head}", .. variables]);

    public static Dictionary<string, string> Circle(params string[] variables) => Variables(["CI=true", "CIRCLECI=true", $"CIRCLE_SHA1={Row.Head}", .. variables]);

    public static Dictionary<string, string> Jenkins(params string[] variables) => Variables(["CI=true", "JENKINS_URL=https://ci.acme.com/", $"GIT_COMMIT={Row.Head}", .. variables]);

    public static Dictionary<string, string> TeamCity(params string[] variables)
        => Variables(["TEAMCITY_VERSION=2025.11", "TEAMCITY_BUILD_PROPERTIES_FILE=/build.properties", $"BUILD_VCS_NUMBER={Row.Head}", .. variables]);

    private static Dictionary<string, string> Variables(string[] variables)
        => variables.Select(v => v.Split('=', 2)).GroupBy(v => v[0], StringComparer.Ordinal).ToDictionary(v => v.Key, v => v.Last()[1], StringComparer.Ordinal);

    private static string Pull(int number, string headRepository, string action = "opened")
        => $$"""{ "action": "{{action}}", "number": {{number}}, "pull_request": { "number": {{number}}, "head": { "ref": "main", "repo": {{headRepository}} } } }""";

    private static string AfterRun(string cause, string headRepository, string pulls = "[]")
        => $$"""{ "workflow_run": { "event": "{{cause}}", "head_branch": "main", "head_repository": {{headRepository}}, "pull_requests": {{pulls}} } }""";

    private const string Ours = """{ "full_name": "Wundam/Truxe" }""";
    private const string Theirs = """{ "full_name": "mallory/truxe" }""";

    private static readonly string Long = new('x', 128);

    /// <summary>A pull request of each service at a commit that is not HEAD, or that nobody says, with a version tag at HEAD: what must never be released.</summary>
    private static IEnumerable<Row> PullRequestsElsewhere()
        => from commit in (string[])[Row.Elsewhere, ""]
           from build in (IEnumerable<(string Name, Dictionary<string, string> Env, string[] TeamCity)>)
           [
               ("GitHub", GitHub("pull_request", "refs/pull/7/merge", commit), []),
               ("GitLab", GitLab($"CI_COMMIT_SHA={commit}", "CI_MERGE_REQUEST_IID=7"), []),
               ("Azure", Azure($"BUILD_SOURCEVERSION={commit}", "BUILD_SOURCEBRANCH=refs/pull/7/merge"), []),
               ("CircleCI", Circle($"CIRCLE_SHA1={commit}", "CIRCLE_BRANCH=pull/7"), []),
               ("Jenkins", Jenkins($"GIT_COMMIT={commit}", "CHANGE_ID=7"), []),
               ("TeamCity", TeamCity($"BUILD_VCS_NUMBER={commit}"), ["teamcity.pullRequest.number=7"]),
           ]
           select new Row($"{build.Name}: pull request at {(commit.Length == 0 ? "no commit" : "another commit")}") { TagsAtHead = "v9.9.9", Env = build.Env, TeamCity = build.TeamCity, Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-7*" };

    public static readonly Row[] Rows =
    [
        .. PullRequestsElsewhere(),
        // ── No CI: version tags at HEAD ────────────────────────────────────────────────────────────────────────────────────────────
        new("release tag at HEAD") { TagsAtHead = "v0.5.6", Expect = "release 0.5.6: v0.5.6 v0.5* v0* latest*", Says = "tag v0.5.6 at HEAD" },
        new("release tag at HEAD, detached") { TagsAtHead = "v1.2.3", Branch = null, Expect = "release 1.2.3: v1.2.3 v1.2* v1* latest*" },
        new("the highest of several tags, by number") { TagsAtHead = "v1.10.0 v1.9.0", Expect = "release 1.10.0: v1.10.0 v1.10* v1* latest*" },
        new("a release is above its prerelease") { TagsAtHead = "v1.0.0-rc.2 v1.0.0 v1.0.0-rc.10", Expect = "release 1.0.0: v1.0.0 v1.0* v1* latest*" },
        new("prerelease tag: only itself") { TagsAtHead = "v1.0.0-rc.2 v1.0.0-rc.10", Expect = "prerelease 1.0.0-rc.10: v1.0.0-rc.10" },
        new("two parts are no version") { TagsAtHead = "v1.2", Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("four parts are no version") { TagsAtHead = "v1.2.3.4", Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("leading zero is no version") { TagsAtHead = "v1.02.3", Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("leading zero in a prerelease is no version") { TagsAtHead = "v1.2.3-rc.01", Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("no prefix, no version tag") { TagsAtHead = "1.2.3", Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("another project's prefix") { TagsAtHead = "truxe-web/v1.2.3", Prefix = "truxe-api/v", Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("monorepo prefix: the image tag is v all the same") { TagsAtHead = "truxe-api/v1.2.3 v9.0.0", Prefix = "truxe-api/v", Expect = "release 1.2.3: v1.2.3 v1.2* v1* latest*" },
        new("empty prefix") { TagsAtHead = "1.2.3", Prefix = "", Expect = "release 1.2.3: v1.2.3 v1.2* v1* latest*" },
        new("build metadata reaches no tag") { TagsAtHead = "v1.2.3+build.7", Expect = "release 1.2.3: v1.2.3 v1.2* v1* latest*" },
        new("build metadata does not order") { TagsAtHead = "v1.2.3+b v1.2.3", Expect = "release 1.2.3: v1.2.3 v1.2* v1* latest*", Says = "tag v1.2.3 at HEAD" },
        new("a version too big for 32 bits") { TagsAtHead = "v1.2.2147483647", Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("tag only below HEAD") { Nearest = "v0.5.6", Expect = "branch 0.5.7-alpha.0.3: main-abc1234 main*" },
        new("after a prerelease tag") { Nearest = "v1.0.0-rc.1", Height = 2, Expect = "branch 1.0.0-rc.1.2: main-abc1234 main*" },
        new("after a tag with metadata") { Nearest = "v1.0.0-rc.1+x", Height = 2, Expect = "branch 1.0.0-rc.1.2: main-abc1234 main*" },
        new("after a monorepo tag") { Nearest = "api/v2.0.0", Prefix = "api/v", Height = 1, Expect = "branch 2.0.1-alpha.0.1: main-abc1234 main*" },
        new("the first commit of all") { Height = 0, Expect = "branch 0.0.0-alpha.0: main-abc1234 main*" },

        // ── No CI: branches ────────────────────────────────────────────────────────────────────────────────────────────────────────
        new("branch main") { Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*", Says = "branch main" },
        new("branch develop") { Branch = "develop", Expect = "branch 0.0.0-alpha.0.3: develop-abc1234 develop*" },
        new("slash and capitals") { Branch = "feature/Login_Form", Expect = "branch 0.0.0-alpha.0.3: feature-Login_Form-abc1234 feature-Login_Form*" },
        new("a run becomes one hyphen") { Branch = "a/#@!b", Expect = "branch 0.0.0-alpha.0.3: a-b-abc1234 a-b*" },
        new("hyphens that were there stay") { Branch = "a--b/-c", Expect = "branch 0.0.0-alpha.0.3: a--b--c-abc1234 a--b--c*" },
        new("dots stay") { Branch = "release/1.x", Expect = "branch 0.0.0-alpha.0.3: release-1.x-abc1234 release-1.x*" },
        new("leading hyphen is mended") { Branch = "-x", Expect = "branch 0.0.0-alpha.0.3: x-a420962-abc1234 x-a420962*" },
        new("leading dot is mended") { Branch = ".x", Expect = "branch 0.0.0-alpha.0.3: x-bb42e4c-abc1234 x-bb42e4c*" },
        new("nothing legal in it") { Branch = "日本", Expect = "branch 0.0.0-alpha.0.3: branch-cf2abf0-abc1234 branch-cf2abf0*" },
        new("something legal behind") { Branch = "日本/ui", Expect = "branch 0.0.0-alpha.0.3: ui-af4bb3b-abc1234 ui-af4bb3b*" },
        new("128 characters are legal; the tag with the commit has less room") { Branch = Long, Expect = $"branch 0.0.0-alpha.0.3: {Long[..112]}-{Hash128}-abc1234 {Long}*" },
        new("129 characters are mended") { Branch = Long + "y", Expect = $"branch 0.0.0-alpha.0.3: {Long[..112]}-0b03891-abc1234 {Long[..120]}-0b03891*" },
        new("detached without tag") { Branch = null, Expect = "branch 0.0.0-alpha.0.3: sha-abc1234" , Says = "detached" },
        new("detached with other rules: still the single tag") { Branch = null, More = [new("edge", "branch", "true")], Expect = "branch 0.0.0-alpha.0.3: sha-abc1234" },
        new("a branch called latest does not take latest") { Branch = "latest", Expect = "branch 0.0.0-alpha.0.3: latest-abc1234 latest-5e1e2bc*" },
        new("a branch called v1 does not take v1") { Branch = "v1", Expect = "branch 0.0.0-alpha.0.3: v1-abc1234 v1-3bfc269*" },
        new("a branch called pr-7 does not take pr-7") { Branch = "pr-7", Expect = "branch 0.0.0-alpha.0.3: pr-7-abc1234 pr-7-c1cec5c*" },
        new("two branches, one tag") { Branch = "feature/a", Branches = ["feature-a", "feature/a", "main"], Expect = "error RSDK2004", Says = "'feature/a' and 'feature-a'" },
        new("two other branches with one tag are not our affair") { Branches = ["a-b", "a/b", "main"], Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("branches that differ in case are two tags") { Branches = ["Main", "main"], Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("a branch named like our immutable tag does not take it") { Branches = ["main", "main-abc1234"], Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("a branch named like another branch's immutable tag") { Branch = "main-abc1234", Expect = "branch 0.0.0-alpha.0.3: main-abc1234-abc1234 main-abc1234-9b15d9e*" },
        new("a branch named like a detached head's tag") { Branch = "sha-abc1234", Expect = "branch 0.0.0-alpha.0.3: sha-abc1234-abc1234 sha-abc1234-fd8dbc7*" },
        new("a branch named like a dirty branch's tag") { Branch = "x-abc1234-dirty", Expect = "branch 0.0.0-alpha.0.3: x-abc1234-dirty-abc1234 x-abc1234-dirty-502789a*" },
        new("a branch named like a dirty head's tag, without the rules that make the others") { Branch = "sha-abc1234-dirty", NoDefaults = true, More = [new("{branch}", "branch", "true")], Expect = "branch 0.0.0-alpha.0.3: sha-abc1234-dirty-54e5ecb*" },
        new("seven hex digits that are a word have the shape too") { Branch = "feature/deadbee", Expect = "branch 0.0.0-alpha.0.3: feature-deadbee-abc1234 feature-deadbee-4fd1046*" },
        new("six or eight hex digits, capitals, no hyphen: not the shape") { Branch = "a-deadbe", Branches = ["a-deadbeef", "a-DEADBEE", "deadbee"], Expect = "branch 0.0.0-alpha.0.3: a-deadbe-abc1234 a-deadbe*" },
        new("eight hex digits are a name") { Branch = "a-deadbeef", Expect = "branch 0.0.0-alpha.0.3: a-deadbeef-abc1234 a-deadbeef*" },
        new("the shape is the rules': without a tag of commits the name stays") { Branch = "feature-deadbee", NoDefaults = true, More = [new("{branch}", "branch", "true")], Expect = "branch 0.0.0-alpha.0.3: feature-deadbee*" },
        new("the shape is the rules': one with the commit first") { Branch = "deadbee.x", More = [new("{sha}.{branch}", "branch", "false")], Expect = "branch 0.0.0-alpha.0.3: deadbee.x-abc1234 abc1234.deadbee.x deadbee.x-d031072*" },
        new("a rule for releases and branches") { Branch = "r1.2.3", More = [new("r{version}", "release;branch", "false")], Expect = "branch 0.0.0-alpha.0.3: r1.2.3-abc1234 r0.0.0-alpha.0.3 r1.2.3-873aa8e*" },
        new("a floating rule that names the commit is as it was") { NoDefaults = true, More = [new("nightly-{branch}-{sha}", "branch", "true"), new("{branch}-{sha}", "branch", "false")], Expect = "branch 0.0.0-alpha.0.3: main-abc1234 nightly-main-abc1234*" },
        new("no conflict where no rule uses the branch") { Branch = "feature/a", Branches = ["feature-a", "feature/a"], NoDefaults = true, More = [new("edge", "branch", "true")], Expect = "branch 0.0.0-alpha.0.3: edge*" },

        // ── Shallow ────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        new("shallow, history missing") { Shallow = true, Expect = "branch 0.0.0-alpha.0: main-abc1234 main* !RSDK1005", Says = "fetch-depth: 0" },
        new("shallow, tag within reach") { Shallow = true, Nearest = "v0.5.6", Expect = "branch 0.5.7-alpha.0.3: main-abc1234 main*" },
        new("shallow, tag at HEAD: no history needed") { Shallow = true, TagsAtHead = "v0.5.6", Expect = "release 0.5.6: v0.5.6 v0.5* v0* latest*" },
        new("shallow, CI tag: no history needed") { Shallow = true, Env = GitHub("push", "refs/tags/v0.5.6"), Expect = "release 0.5.6: v0.5.6 v0.5* v0* latest*" },
        new("shallow, ContainerVersion: no history needed") { Shallow = true, ContainerVersion = "1.0.0", Expect = "release 1.0.0: v1.0.0 v1.0* v1* latest*" },
        new("shallow, CI branch") { Shallow = true, Branch = null, Env = GitHub("push", "refs/heads/main"), Expect = "branch 0.0.0-alpha.0: main-abc1234 main* !RSDK1005" },
        new("shallow, foreign tag: one warning is enough") { Shallow = true, Env = GitHub("push", "refs/tags/nightly"), Expect = "none 0.0.0-alpha.0: !RSDK2002" },

        // ── ContainerVersion ───────────────────────────────────────────────────────────────────────────────────────────────────────
        new("ContainerVersion") { ContainerVersion = "1.2.3", Expect = "release 1.2.3: v1.2.3 v1.2* v1* latest*", Says = "ContainerVersion is 1.2.3" },
        new("ContainerVersion with v") { ContainerVersion = " v1.2.3 ", Expect = "release 1.2.3: v1.2.3 v1.2* v1* latest*" },
        new("ContainerVersion, prerelease") { ContainerVersion = "1.2.3-beta.1+sha.5", Expect = "prerelease 1.2.3-beta.1: v1.2.3-beta.1" },
        new("ContainerVersion before tag") { ContainerVersion = "1.2.3", TagsAtHead = "v9.9.9", Expect = "release 1.2.3: v1.2.3 v1.2* v1* latest*" },
        new("ContainerVersion before CI branch") { ContainerVersion = "1.2.3", Env = GitHub("push", "refs/heads/main"), Expect = "release 1.2.3: v1.2.3 v1.2* v1* latest*" },
        new("ContainerVersion before a commit that differs") { ContainerVersion = "1.2.3", Env = GitHub("push", "refs/heads/main", Row.Elsewhere), Expect = "release 1.2.3: v1.2.3 v1.2* v1* latest*" },
        new("ContainerVersion in a fork's pull request stays a fork's") { ContainerVersion = "1.2.3", Env = GitHub("pull_request_target", "refs/heads/main"), Event = Pull(7, Theirs), Fork = true, Expect = "release 1.2.3: v1.2.3 v1.2* v1* latest*" },
        new("ContainerVersion with two parts") { ContainerVersion = "1.2", Expect = "error RSDK2001", Says = "'1.2'" },
        new("ContainerVersion with four parts") { ContainerVersion = "1.2.3.0", Expect = "error RSDK2001" },
        new("ContainerVersion with leading zero") { ContainerVersion = "1.02.3", Expect = "error RSDK2001" },
        new("ContainerVersion with capital V") { ContainerVersion = "V1.2.3", Expect = "error RSDK2001" },
        new("ContainerVersion with empty prerelease") { ContainerVersion = "1.2.3-", Expect = "error RSDK2001" },
        new("ContainerVersion with leading zero in the prerelease") { ContainerVersion = "1.2.3-01", Expect = "error RSDK2001" },
        new("ContainerVersion with other digits") { ContainerVersion = "1.2.٣", Expect = "error RSDK2001" },
        new("ContainerVersion too long for a tag") { ContainerVersion = "1.2.3-" + new string('a', 122), Expect = "error RSDK2003" },
        new("ContainerVersion just short enough") { ContainerVersion = "1.2.3-" + new string('a', 121), Expect = $"prerelease 1.2.3-{new string('a', 121)}: v1.2.3-{new string('a', 121)}" },
        new("ContainerVersion without git") { State = GitState.NoGit, ContainerVersion = "1.2.3", Expect = "release 1.2.3: v1.2.3 v1.2* v1* latest*" },
        new("ContainerVersion without git: no tag that needs the commit") { State = GitState.NotARepository, ContainerVersion = "1.2.3", More = [new("v{version}-{sha}", "release", "false")], Expect = "release 1.2.3: v1.2.3 v1.2* v1* latest*" },
        new("ContainerVersion without a commit") { State = GitState.NoCommit, ContainerVersion = "1.2.3-a", Expect = "prerelease 1.2.3-a: v1.2.3-a" },

        // ── git can't answer ───────────────────────────────────────────────────────────────────────────────────────────────────────
        new("no repository") { State = GitState.NotARepository, Expect = "error RSDK1001", Says = "ContainerVersion" },
        new("no git") { State = GitState.NoGit, Expect = "error RSDK1002" },
        new("no commit") { State = GitState.NoCommit, Expect = "error RSDK1003" },
        new("dubious ownership") { State = GitState.DubiousOwnership, Expect = "error RSDK1004", Says = "git config --global --add safe.directory \"/src/re po\"" },
        new("git failed") { State = GitState.Failed, Expect = "error RSDK1007", Says = "it broke" },
        new("no repository, but a CI tag: whose commit can't be compared") { State = GitState.NotARepository, Env = GitHub("push", "refs/tags/v1.0.0"), Expect = "error RSDK1001" },
        new("no repository, user tags: the version is still unknown") { State = GitState.NotARepository, UserTags = ["1.0"], Expect = "error RSDK1001" },
        new("no repository, user tags and version") { State = GitState.NotARepository, UserTags = ["1.0"], ContainerVersion = "1.0.0", Expect = "release 1.0.0: 1.0*" },

        // ── Dirty ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        new("dirty release") { TagsAtHead = "v1.0.0", Dirty = "src/A.cs b.txt", Expect = "error RSDK2005", Says = "src/A.cs, b.txt" },
        new("dirty prerelease") { TagsAtHead = "v1.0.0-rc.1", Dirty = "a", Expect = "error RSDK2005" },
        new("dirty ContainerVersion") { ContainerVersion = "1.0.0", Dirty = "a", Expect = "error RSDK2005" },
        new("dirty branch") { Dirty = "a", Expect = "branch 0.0.0-alpha.0.3: main-abc1234-dirty*" },
        new("dirty long branch") { Branch = Long, Dirty = "a", Expect = $"branch 0.0.0-alpha.0.3: {Long[..106]}-{Hash128}-abc1234-dirty*" },
        new("dirty detached") { Branch = null, Dirty = "a", Expect = "branch 0.0.0-alpha.0.3: sha-abc1234-dirty*" },
        new("dirty pull request") { Dirty = "a", Env = GitHub("pull_request", "refs/pull/7/merge"), Event = Pull(7, Ours), Expect = "pr 0.0.0-alpha.0.3: pr-7-abc1234-dirty*" },
        new("dirty, user tags: the commit's name is no promise") { Dirty = "a", UserTags = ["abc1234", "x"], Expect = "branch 0.0.0-alpha.0.3: abc1234* x*" },
        new("dirty, foreign tag") { Dirty = "a", Env = GitHub("push", "refs/tags/x"), Expect = "none 0.0.0-alpha.0.3: !RSDK2002" },

        // ── GitHub Actions ─────────────────────────────────────────────────────────────────────────────────────────────────────────
        new("GitHub: branch, detached checkout") { Branch = null, Env = GitHub("push", "refs/heads/feature/x"), Expect = "branch 0.0.0-alpha.0.3: feature-x-abc1234 feature-x*", Says = "GitHub Actions: branch feature/x" },
        new("GitHub: branch with a version tag on the commit") { TagsAtHead = "v1.0.0", Nearest = "v0.9.0", Height = 4, Env = GitHub("push", "refs/heads/main"), Expect = "branch 0.9.1-alpha.0.4: main-abc1234 main*" },
        new("GitHub: tag") { Branch = null, Env = GitHub("push", "refs/tags/v1.2.3"), Expect = "release 1.2.3: v1.2.3 v1.2* v1* latest*", Says = "GitHub Actions: tag v1.2.3" },
        new("GitHub: tag beats a higher one at HEAD") { TagsAtHead = "v1.2.3 v2.0.0", Env = GitHub("push", "refs/tags/v1.2.3"), Expect = "release 1.2.3: v1.2.3 v1.2* v1* latest*" },
        new("GitHub: release event") { Env = GitHub("release", "refs/tags/v1.2.3-rc.1"), Expect = "prerelease 1.2.3-rc.1: v1.2.3-rc.1" },
        new("GitHub: dispatched on a tag") { Env = GitHub("workflow_dispatch", "refs/tags/v1.2.3"), Expect = "release 1.2.3: v1.2.3 v1.2* v1* latest*" },
        new("GitHub: monorepo tag") { Prefix = "truxe-api/v", Env = GitHub("push", "refs/tags/truxe-api/v1.2.3"), Expect = "release 1.2.3: v1.2.3 v1.2* v1* latest*" },
        new("GitHub: another project's tag") { Prefix = "truxe-api/v", Env = GitHub("push", "refs/tags/truxe-web/v1.2.3"), Expect = "none 0.0.0-alpha.0.3: !RSDK2002", Says = "RegistrySdkVersionTagPrefix" },
        new("GitHub: another project's tag, though ours is there too") { Prefix = "api/v", TagsAtHead = "api/v1.0.0 web/v1.0.0", Env = GitHub("push", "refs/tags/web/v1.0.0"), Expect = "none 0.0.0-alpha.0.3: !RSDK2002" },
        new("GitHub: foreign tag and user tags: still nothing") { UserTags = ["x"], Env = GitHub("push", "refs/tags/nightly"), Expect = "none 0.0.0-alpha.0.3: !RSDK2002" },
        new("GitHub: schedule, a payload without repository") { Env = GitHub("schedule", "refs/heads/main"), Event = """{ "schedule": "0 0 * * *" }""", Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("GitHub: pull request, merge commit checked out") { Branch = null, Env = GitHub("pull_request", "refs/pull/7/merge"), Event = Pull(7, Ours), Expect = "pr 0.0.0-alpha.0.3: pr-7*", Says = "pull request 7" },
        new("GitHub: pull request, head checked out") { Branch = null, Env = GitHub("pull_request", "refs/pull/7/merge", Row.Elsewhere), Event = Pull(7, Ours), Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("GitHub: pull request onto a tagged commit is no release") { TagsAtHead = "v1.0.0", Env = GitHub("pull_request", "refs/pull/7/merge"), Event = Pull(7, Ours), Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("GitHub: fork's pull request") { Env = GitHub("pull_request", "refs/pull/7/merge"), Event = Pull(7, Theirs), Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-7*", Says = "from a fork" },
        new("GitHub: deleted fork") { Env = GitHub("pull_request", "refs/pull/7/merge"), Event = Pull(7, "null"), Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("GitHub: merged and closed is still a pull request") { Env = GitHub("pull_request", "refs/heads/main"), Event = Pull(7, Ours, "closed"), Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("GitHub: pull_request_target runs on main and is none of its builds") { Env = GitHub("pull_request_target", "refs/heads/main"), Event = Pull(8, Theirs), Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-8*" },
        new("GitHub: a review") { Env = GitHub("pull_request_review", "refs/pull/9/merge"), Event = Pull(9, Ours), Expect = "pr 0.0.0-alpha.0.3: pr-9*" },
        new("GitHub: event file unreadable: number from the ref, fork assumed") { Env = GitHub("pull_request", "refs/pull/7/merge"), Event = null, Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("GitHub: event file garbage, target: no number, no tag") { Env = GitHub("pull_request_target", "refs/heads/main"), Event = "{", Fork = true, Expect = "pr 0.0.0-alpha.0.3:" },
        new("GitHub: workflow_run after a pull request") { Env = GitHub("workflow_run", "refs/heads/main"), Event = AfterRun("pull_request", Ours, """[{ "number": 12 }]"""), Expect = "pr 0.0.0-alpha.0.3: pr-12*" },
        new("GitHub: workflow_run after a fork's pull request: GitHub names no number") { Env = GitHub("workflow_run", "refs/heads/main"), Event = AfterRun("pull_request", Theirs), Fork = true, Expect = "pr 0.0.0-alpha.0.3:" },
        new("GitHub: workflow_run after workflow_run of a fork") { Env = GitHub("workflow_run", "refs/heads/main"), Event = AfterRun("workflow_run", Theirs), Fork = true, Expect = "pr 0.0.0-alpha.0.3:" },
        new("GitHub: workflow_run after a push") { Env = GitHub("workflow_run", "refs/heads/main"), Event = AfterRun("push", Ours), Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("GitHub: workflow_run unread: fork assumed") { Env = GitHub("workflow_run", "refs/heads/main"), Fork = true, Expect = "pr 0.0.0-alpha.0.3:" },
        new("GitHub: comment on a pull request, which is checked out by hand, with its author's version tag") { Branch = null, TagsAtHead = "v9.9.9", Env = GitHub("issue_comment", "refs/heads/main", Row.Elsewhere), Event = """{ "issue": { "number": 7, "pull_request": { "url": "x" } } }""", Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("GitHub: comment on an issue") { Env = GitHub("issue_comment", "refs/heads/main"), Event = """{ "issue": { "number": 7 } }""", Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("GitHub: comment unread: fork's pull request assumed") { TagsAtHead = "v9.9.9", Env = GitHub("issue_comment", "refs/heads/main"), Fork = true, Expect = "pr 0.0.0-alpha.0.3:" },
        new("GitHub: review of a pull request, commit is not HEAD") { TagsAtHead = "v9.9.9", Env = GitHub("pull_request_review", "refs/pull/7/merge", Row.Elsewhere), Event = Pull(7, Theirs), Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("GitHub: an event we don't know about a pull request") { TagsAtHead = "v9.9.9", Env = GitHub("some_event", "refs/heads/main", Row.Elsewhere), Event = Pull(7, Theirs), Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("GitHub: an event we don't know about our own pull request") { Env = GitHub("some_event", "refs/heads/main", Row.Elsewhere), Event = Pull(7, Ours), Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("GitHub: an event we don't know about something else") { Env = GitHub("some_event", "refs/heads/main"), Event = """{ "issue": 7, "pull_request": null }""", Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("GitHub: checks of a fork, whose branch GitHub does not name") { TagsAtHead = "v9.9.9", Env = GitHub("check_suite", "refs/heads/main", Row.Elsewhere), Event = """{ "check_suite": { "head_branch": null, "pull_requests": [] } }""", Fork = true, Expect = "pr 0.0.0-alpha.0.3:" },
        new("GitHub: checks of our own pull request") { Env = GitHub("check_run", "refs/heads/main", Row.Elsewhere), Event = """{ "check_run": { "check_suite": { "head_branch": "x", "pull_requests": [{ "number": 7, "head": { "repo": { "id": 1 } }, "base": { "repo": { "id": 1 } } }] } } }""", Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("GitHub: checks of a branch") { Env = GitHub("check_suite", "refs/heads/main"), Event = """{ "check_suite": { "head_branch": "main", "pull_requests": [] } }""", Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("GitHub: commit is not HEAD, branch") { Branch = null, Env = GitHub("push", "refs/heads/main", Row.Elsewhere), Expect = "branch 0.0.0-alpha.0.3: sha-abc1234 !RSDK1006", Says = Row.Elsewhere },
        new("GitHub: commit is not HEAD, tag at HEAD") { Branch = null, TagsAtHead = "v1.0.0", Env = GitHub("push", "refs/heads/main", Row.Elsewhere), Expect = "release 1.0.0: v1.0.0 v1.0* v1* latest* !RSDK1006" },
        new("GitHub: commit is not HEAD, CI tag") { Env = GitHub("push", "refs/tags/v3.0.0", Row.Elsewhere), Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main* !RSDK1006" },
        new("GitHub: an abbreviated commit is not HEAD") { Env = GitHub("push", "refs/tags/v3.0.0", Row.Head[..12]), Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main* !RSDK1006" },
        new("GitHub: commit in capitals is HEAD") { Env = GitHub("push", "refs/tags/v3.0.0", Row.Head.ToUpperInvariant()), Expect = "release 3.0.0: v3.0.0 v3.0* v3* latest*" },
        new("GitHub: no commit") { Env = GitHub("push", "refs/tags/v3.0.0", ""), Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main* !RSDK1006" },
        new("GitHub: no ref: as if no CI") { TagsAtHead = "v1.0.0", Env = GitHub("push", ""), Expect = "release 1.0.0: v1.0.0 v1.0* v1* latest*" },

        // ── GitLab CI ──────────────────────────────────────────────────────────────────────────────────────────────────────────────
        new("GitLab: branch") { Branch = null, Env = GitLab("CI_COMMIT_BRANCH=develop", "CI_PIPELINE_SOURCE=push"), Expect = "branch 0.0.0-alpha.0.3: develop-abc1234 develop*" },
        new("GitLab: tag") { Branch = null, Env = GitLab("CI_COMMIT_TAG=v0.5.6", "CI_COMMIT_REF_NAME=v0.5.6"), Expect = "release 0.5.6: v0.5.6 v0.5* v0* latest*" },
        new("GitLab: foreign tag") { Env = GitLab("CI_COMMIT_TAG=nightly"), Expect = "none 0.0.0-alpha.0.3: !RSDK2002", Says = "GitLab CI" },
        new("GitLab: merge request") { Env = GitLab("CI_PIPELINE_SOURCE=merge_request_event", "CI_MERGE_REQUEST_IID=3", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME=main", "CI_MERGE_REQUEST_PROJECT_PATH=wundam/truxe", "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH=wundam/truxe"), Expect = "pr 0.0.0-alpha.0.3: pr-3*" },
        new("GitLab: fork's merge request") { Env = GitLab("CI_PIPELINE_SOURCE=merge_request_event", "CI_MERGE_REQUEST_IID=3", "CI_MERGE_REQUEST_PROJECT_PATH=wundam/truxe", "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH=mallory/truxe"), Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-3*" },
        new("GitLab: deleted fork's merge request") { Env = GitLab("CI_PIPELINE_SOURCE=merge_request_event", "CI_MERGE_REQUEST_IID=3", "CI_MERGE_REQUEST_PROJECT_PATH=wundam/truxe"), Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-3*" },
        new("GitLab: merge request judged before a branch") { Env = GitLab("CI_PIPELINE_SOURCE=merge_request_event", "CI_MERGE_REQUEST_IID=3", "CI_COMMIT_BRANCH=main", "CI_MERGE_REQUEST_PROJECT_PATH=a/b", "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH=a/b"), Expect = "pr 0.0.0-alpha.0.3: pr-3*" },
        new("GitLab: external pull request") { Env = GitLab("CI_PIPELINE_SOURCE=external_pull_request_event", "CI_EXTERNAL_PULL_REQUEST_IID=4", "CI_EXTERNAL_PULL_REQUEST_SOURCE_REPOSITORY=a/b", "CI_EXTERNAL_PULL_REQUEST_TARGET_REPOSITORY=a/b"), Expect = "pr 0.0.0-alpha.0.3: pr-4*" },
        new("GitLab: commit is not HEAD") { Env = GitLab("CI_COMMIT_BRANCH=develop", $"CI_COMMIT_SHA={Row.Elsewhere}"), Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main* !RSDK1006" },
        new("GitLab: neither branch nor tag: as if no CI") { Env = GitLab("CI_COMMIT_REF_NAME=x"), Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },

        // ── Azure Pipelines ────────────────────────────────────────────────────────────────────────────────────────────────────────
        new("Azure: branch in full") { Branch = null, Env = Azure("BUILD_SOURCEBRANCH=refs/heads/feature/tools", "BUILD_SOURCEBRANCHNAME=tools", "BUILD_REASON=IndividualCI"), Expect = "branch 0.0.0-alpha.0.3: feature-tools-abc1234 feature-tools*" },
        new("Azure: tag") { Env = Azure("BUILD_SOURCEBRANCH=refs/tags/v2.0.0-beta.1"), Expect = "prerelease 2.0.0-beta.1: v2.0.0-beta.1" },
        new("Azure: pull request of Azure Repos") { Env = Azure("BUILD_SOURCEBRANCH=refs/pull/11/merge", "BUILD_REASON=PullRequest", "SYSTEM_PULLREQUEST_PULLREQUESTID=11", "SYSTEM_PULLREQUEST_ISFORK=False"), Expect = "pr 0.0.0-alpha.0.3: pr-11*" },
        new("Azure: pull request of GitHub: the number, not the id") { Env = Azure("BUILD_SOURCEBRANCH=refs/pull/5/merge", "BUILD_REASON=PullRequest", "SYSTEM_PULLREQUEST_PULLREQUESTID=1234567", "SYSTEM_PULLREQUEST_PULLREQUESTNUMBER=5", "SYSTEM_PULLREQUEST_ISFORK=False"), Expect = "pr 0.0.0-alpha.0.3: pr-5*" },
        new("Azure: fork") { Env = Azure("BUILD_SOURCEBRANCH=refs/pull/5/merge", "BUILD_REASON=PullRequest", "SYSTEM_PULLREQUEST_ISFORK=True"), Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-5*" },
        new("Azure: fork not said, assumed; pull request by its ref") { Env = Azure("BUILD_SOURCEBRANCH=refs/pull/5/merge", "BUILD_REASON=Manual"), Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-5*" },
        new("Azure: TFVC path") { Env = Azure("BUILD_SOURCEBRANCH=$/Team/Main"), Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },

        // ── Bitbucket, CircleCI, Jenkins, TeamCity ───────────────────────────────────────────────
        new("Bitbucket: branch") { Branch = null, Env = Bitbucket("BITBUCKET_BRANCH=develop"), Expect = "branch 0.0.0-alpha.0.3: develop-abc1234 develop*" },
        new("Bitbucket: tag") { Branch = null, Env = Bitbucket("BITBUCKET_TAG=v0.5.6"), Expect = "release 0.5.6: v0.5.6 v0.5* v0* latest*" },
        new("Bitbucket: foreign tag") { Env = Bitbucket("BITBUCKET_TAG=nightly"), Expect = "none 0.0.0-alpha.0.3: !RSDK2002", Says = "Bitbucket Pipelines" },
        new("Bitbucket: pull request, merged with its destination") { Env = Bitbucket("BITBUCKET_PR_ID=7", "BITBUCKET_BRANCH=main", $"BITBUCKET_COMMIT={Row.Elsewhere}"), Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("Bitbucket: commit is not HEAD") { Env = Bitbucket("BITBUCKET_BRANCH=develop", $"BITBUCKET_COMMIT={Row.Elsewhere}"), Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main* !RSDK1006" },
        new("Bitbucket: a branch that git would not have: as if no CI") { Env = Bitbucket("BITBUCKET_BRANCH=a\n::error::b"), Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("CircleCI: branch with a version tag at its commit") { TagsAtHead = "v0.5.6", Env = Circle("CIRCLE_BRANCH=main"), Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("CircleCI: tag") { Branch = null, Env = Circle("CIRCLE_TAG=v2.0.0-beta.1"), Expect = "prerelease 2.0.0-beta.1: v2.0.0-beta.1" },
        new("CircleCI: pull request") { Env = Circle("CIRCLE_BRANCH=main", "CIRCLE_PULL_REQUEST=https://github.com/wundam/truxe/pull/7"), Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("CircleCI: fork") { Env = Circle("CIRCLE_BRANCH=pull/7", "CIRCLE_PR_NUMBER=7", "CIRCLE_PR_USERNAME=mallory"), Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("CircleCI: fork with a version tag at HEAD") { TagsAtHead = "v0.5.6", Env = Circle("CIRCLE_BRANCH=pull/7"), Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("Jenkins: branch") { Branch = null, Env = Jenkins("BRANCH_NAME=feature/Login_Form"), Expect = "branch 0.0.0-alpha.0.3: feature-Login_Form-abc1234 feature-Login_Form*" },
        new("Jenkins: freestyle job's branch") { Branch = null, Env = Jenkins("GIT_BRANCH=origin/develop", "GIT_LOCAL_BRANCH=detached"), Expect = "branch 0.0.0-alpha.0.3: develop-abc1234 develop*" },
        new("Jenkins: tag") { Branch = null, Env = Jenkins("BRANCH_NAME=v0.5.6", "TAG_NAME=v0.5.6"), Expect = "release 0.5.6: v0.5.6 v0.5* v0* latest*" },
        new("Jenkins: detached: as if no CI") { Branch = null, Env = Jenkins("GIT_BRANCH=detached"), Expect = "branch 0.0.0-alpha.0.3: sha-abc1234" },
        new("Jenkins: no GIT_COMMIT: what it says can't be compared") { Env = Jenkins("BRANCH_NAME=develop", "GIT_COMMIT="), Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main* !RSDK1006", Says = "(not said)" },
        new("Jenkins: pull request") { Env = Jenkins("BRANCH_NAME=PR-7", "CHANGE_ID=7", "CHANGE_BRANCH=main"), Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("Jenkins: fork") { Env = Jenkins("BRANCH_NAME=PR-7", "CHANGE_ID=7", "CHANGE_BRANCH=main", "CHANGE_FORK=mallory"), Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("Jenkins: fork not said, assumed") { Env = Jenkins("BRANCH_NAME=PR-7", "CHANGE_ID=7"), Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("Jenkins: Gerrit's change, whose GIT_BRANCH is its target") { TagsAtHead = "v9.9.9", Env = Jenkins("GIT_BRANCH=origin/main", "GERRIT_CHANGE_NUMBER=4711", "GERRIT_EVENT_TYPE=patchset-created"), Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-4711*" },
        new("TeamCity: two roots, one on a pull request, no commit said") { TagsAtHead = "v9.9.9", Env = TeamCity("BUILD_VCS_NUMBER="), TeamCity = ["teamcity.build.branch=7/head", "teamcity.build.vcs.branch.A=refs/heads/main", "teamcity.build.vcs.branch.B=refs/pull/7/head"], Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("TeamCity: branch") { Branch = null, Env = TeamCity(), TeamCity = ["teamcity.build.branch=develop"], Expect = "branch 0.0.0-alpha.0.3: develop-abc1234 develop*" },
        new("TeamCity: default branch by its root's name") { Branch = null, Env = TeamCity(), TeamCity = ["teamcity.build.branch=<default>", "teamcity.build.vcs.branch.Root=refs/heads/main"], Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("TeamCity: default branch, no more said: as if no CI") { Env = TeamCity(), TeamCity = ["teamcity.build.branch=<default>"], Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main*" },
        new("TeamCity: tag") { Branch = null, Env = TeamCity(), TeamCity = ["teamcity.build.branch=v0.5.6", "teamcity.build.vcs.branch.Root=refs/tags/v0.5.6"], Expect = "release 0.5.6: v0.5.6 v0.5* v0* latest*" },
        new("TeamCity: pull request") { Env = TeamCity(), TeamCity = ["teamcity.build.branch=pull/7", "teamcity.pullRequest.number=7", "teamcity.pullRequest.source.branch=main"], Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("TeamCity: fork") { Env = TeamCity(), TeamCity = ["teamcity.build.branch=pull/7", "teamcity.pullRequest.number=7", "teamcity.pullRequest.target.branch=main"], Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-7*" },
        new("TeamCity: pull request without the feature") { Env = TeamCity(), TeamCity = ["teamcity.build.branch=refs/pull/7/merge"], Fork = true, Expect = "pr 0.0.0-alpha.0.3: pr-7*" },

        // ── The user's tags ────────────────────────────────────────────────────────────────────────────────────────────────────────
        new("user tags replace computed ones; what names this build is immutable") { TagsAtHead = "v1.2.3", UserTags = ["latest", "nightly", "1.2", "1.2.3", "v1.2.3", "b-abc1234", "nightly"], Expect = "release 1.2.3: 1.2.3 v1.2.3 b-abc1234 nightly* 1.2* latest*" },
        new("user tags on a branch") { UserTags = ["edge"], Expect = "branch 0.0.0-alpha.0.3: edge*" },
        new("user tags that differ in case are two") { UserTags = ["edge", "Edge"], Expect = "branch 0.0.0-alpha.0.3: edge* Edge*" },
        new("user tags, blank ones") { UserTags = [" ", " edge "], Expect = "branch 0.0.0-alpha.0.3: edge*" },
        new("user tags with a space") { UserTags = ["my tag", "ok"], Expect = "error RSDK2003", Says = "'my tag'" },
        new("user tags with a plus") { UserTags = ["1.0.0+x"], Expect = "error RSDK2003" },
        new("user tags beginning with a dot") { UserTags = [".x"], Expect = "error RSDK2003" },
        new("user tags too long") { UserTags = [new string('a', 129)], Expect = "error RSDK2003" },

        // ── Rules ──────────────────────────────────────────────────────────────────────────────────────────────────────────────────
        new("a literal rule") { More = [new("edge", "branch", "true")], Expect = "branch 0.0.0-alpha.0.3: main-abc1234 main* edge*" },
        new("placeholders together") { NoDefaults = true, More = [new("{branch}.{version}_{sha}", "branch", "False")], Expect = "branch 0.0.0-alpha.0.3: main.0.0.0-alpha.0.3_abc1234" },
        new("every part of a version") { TagsAtHead = "v1.2.3", NoDefaults = true, More = [new("{major}-{minor}-{patch}", "Release, prerelease", "true")], Expect = "release 1.2.3: 1-2-3*" },
        new("two branches in one pattern share the room") { Branch = Long, NoDefaults = true, More = [new("{branch}_{branch}", "branch", "true")], Expect = $"branch 0.0.0-alpha.0.3: {Long[..55]}-{Hash128}_{Long[..55]}-{Hash128}*" },
        new("removed rules yield nothing") { NoDefaults = true, Expect = "branch 0.0.0-alpha.0.3:" },
        new("the same tag twice is one, and immutable") { NoDefaults = true, More = [new("x", "branch", "true"), new("x", "branch", "false")], Expect = "branch 0.0.0-alpha.0.3: x" },
        new("latest is written last") { TagsAtHead = "v1.2.3", More = [new("stable", "release", "true"), new("r{version}", "release", "false")], Expect = "release 1.2.3: v1.2.3 r1.2.3 v1.2* v1* stable* latest*" },
        new("a pull request rule with the commit") { More = [new("pr-{pr}-{sha}", "pr", "false")], Env = GitHub("pull_request", "refs/pull/7/merge"), Event = Pull(7, Ours), Expect = "pr 0.0.0-alpha.0.3: pr-7-abc1234 pr-7*" },
        new("unknown placeholder") { More = [new("{nope}", "branch", "true")], Expect = "error RSDK2007", Says = "{nope}" },
        new("placeholder in capitals") { More = [new("{Version}", "release", "true")], Expect = "error RSDK2007" },
        new("brace without partner") { More = [new("v{version", "release", "true")], Expect = "error RSDK2007" },
        new("bad On") { More = [new("x", "branch;nightly", "true")], Expect = "error RSDK2007", Says = "'nightly'" },
        new("empty On") { More = [new("x", " ; ", "true")], Expect = "error RSDK2007" },
        new("bad Floating") { More = [new("x", "branch", "yes")], Expect = "error RSDK2007", Says = "Floating=\"yes\"" },
        new("empty Floating") { More = [new("x", "branch", "")], Expect = "error RSDK2007" },
        new("empty pattern") { More = [new("  ", "branch", "true")], Expect = "error RSDK2007" },
        new("{pr} outside pull requests") { More = [new("x-{pr}", "branch;pr", "true")], Expect = "error RSDK2007", Says = "branch builds, which have no {pr}" },
        new("{branch} in a release") { More = [new("{branch}", "release", "true")], Expect = "error RSDK2007" },
        new("{branch} in a pull request: a fork could call it main") { More = [new("{branch}", "pr", "true")], Expect = "error RSDK2007" },
        new("errors of all rules at once, of other kinds too") { TagsAtHead = "v1.0.0", More = [new("{a}", "pr", "true"), new("x", "y", "true")], Expect = "error RSDK2007 RSDK2007" },
        new("an illegal literal") { More = [new("a b", "branch", "true")], Expect = "error RSDK2003", Says = "'a b'" },
        new("a literal for Windows' taste only") { More = [new("a\\b:c", "branch", "true")], Expect = "error RSDK2003" },
        new("a pattern that makes it too long") { More = [new(new string('a', 121) + "{sha}", "branch", "true"), new(new string('a', 122) + "{sha}", "branch", "true")], Expect = "error RSDK2003" },

        // ── The prefix ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
        new("prefix with a space") { Prefix = "v ", Expect = "error RSDK2009" },
        new("prefix with a tilde") { Prefix = "v~", Expect = "error RSDK2009" },
        new("prefix beginning with a hyphen") { Prefix = "-v", Expect = "error RSDK2009" },
        new("prefix with an empty part") { Prefix = "api//v", Expect = "error RSDK2009" },
        new("prefix with a part ending in .lock") { Prefix = "api.lock/v", Expect = "error RSDK2009" },
    ];

    public static TheoryData<string> Names => [.. Rows.Select(r => r.Name)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Row_gives_what_it_says(string name)
    {
        var row = Rows.Single(r => r.Name == name);
        var outcome = row.Run();
        Assert.Equal(row.Expect, Row.Text(outcome));
        var said = string.Join('\n', [outcome.Succeeded ? outcome.Value.Reason : "", .. outcome.Diagnostics.Select(d => d.Message)]);
        Assert.Contains(row.Says, said, StringComparison.Ordinal);
        Assert.DoesNotContain(outcome.Diagnostics, d => d.Message.Contains('\n', StringComparison.Ordinal));
        if (outcome.Succeeded)
        {
            Assert.Equal(row.Fork, outcome.Value.IsForkPullRequest);
            Assert.Equal(row.Dirty.Length > 0, outcome.Value.IsDirty);
            Assert.All(outcome.Value.Tags, t => Assert.True(TagNames.IsLegal(t.Name)));
        }
    }

    [Fact]
    public void Names_are_distinct_and_rows_are_many()
    {
        Assert.Equal(Rows.Length, Rows.Select(r => r.Name).Distinct(StringComparer.Ordinal).Count());
        Assert.True(Rows.Length >= 90);
    }

    [Fact]
    public void Each_tag_names_its_rule()
    {
        var tags = Rows.Single(r => r.Name == "release tag at HEAD").Run().Value.Tags;
        Assert.Equal(["v{version}", "v{major}.{minor}", "v{major}", "latest"], tags.Select(t => t.Rule).ToArray());
        Assert.Equal(["ContainerImageTags"], Rows.Single(r => r.Name == "user tags on a branch").Run().Value.Tags.Select(t => t.Rule).ToArray());
    }
}
