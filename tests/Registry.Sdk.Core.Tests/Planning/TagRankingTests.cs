using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;
using Xunit;

namespace Registry.Sdk.Core.Tests.Planning;

/// <summary>By which tags of a repository it shows that something newer was published.</summary>
public class TagRankingTests
{
    private const string Commit = "0123456789abcdef0123456789abcdef01234567";

    [Theory]
    // version, our floating tag, what is listed: the candidates
    [InlineData("1.2.3", "latest", "v1.2.4 v1.3.0 v2.0.0 v0.9.0 latest v1 v1.2 v1.2.3", "v0.9.0 v1.2.4 v1.3.0 v2.0.0")]
    [InlineData("1.2.3", "v1", "v1.2.4 v1.3.0 v2.0.0 v10.0.0 v1", "v1.2.4 v1.3.0")]
    [InlineData("1.2.3", "v1.2", "v1.2.4 v1.20.0 v1.3.0 v1.2.10", "v1.2.10 v1.2.4")]
    [InlineData("1.2.3", "latest", "v2.0.0-rc.1 v2.0.0-alpha.0.3", "")] // a prerelease is never latest
    [InlineData("1.2.3", "latest", "2.0.0 V2.0.0 v2.0 v2.0.0.0 v02.0.0 v2.0.0+x v-2.0.0 xv2.0.0 v main-0123456 sha256:ab", "")]
    [InlineData("2.0.0-rc.1", "next", "v2.0.0-rc.2 v2.0.0 v2.0.0-rc.1", "v2.0.0-rc.2")]
    public void Of_a_release_the_tags_of_its_line(string version, string floating, string listed, string expected)
        => Assert.Equal(expected, Candidates(Bench(version, ("next", "prerelease", "true")), floating, listed));

    [Theory]
    [InlineData("main", "main-abcdef0 main-0123456 main main-abcdef develop-abcdef0 main-ABCDEF0 main-abcdef01 xmain-abcdef0 main-x-abcdef0", "main-abcdef0")]
    [InlineData("main", "v9.9.9 latest", "")]
    public void Of_a_branch_the_tags_of_its_commits(string floating, string listed, string expected)
        => Assert.Equal(expected, Candidates(Bench(""), floating, listed));

    [Fact]
    public void A_prefix_of_the_users_own_is_part_of_the_shape()
    {
        var facts = Versions("1.2.3", [new("app-{version}-linux", "release", "false"), new("app-{major}", "release", "true")]);
        Assert.Equal("app-1.9.0-linux", Candidates(facts, "app-1", "app-1.9.0-linux app-1.9.0 v1.9.0 app-2.0.0-linux"));
    }

    [Fact]
    public void Where_names_do_not_tell_there_are_none()
    {
        // Another branch's commit would be taken for ours; the user's own tags have no shape; a dirty tree is no commit.
        Assert.Equal("", Candidates(Versions("", [new("{sha}", "branch", "false"), new("{branch}", "branch", "true")]), "main", "abcdef0"));
        Assert.Equal("", Candidates(Versions("1.2.3", [new("stable", "release", "false"), new("latest", "release", "true")]), "latest", "v2.0.0 unstable"));
        Assert.False(TagRanking.IsRanked(new("latest", true, "latest"), Bench("1.2.3") with { IsDirty = true }, Commit));
        Assert.False(TagRanking.IsRanked(new("v1.2.3", false, "v{version}"), Bench("1.2.3"), Commit));
        Assert.False(TagRanking.IsRanked(new("main", true, "{branch}"), Bench(""), null));
        Assert.True(TagRanking.IsRanked(new("main", true, "{branch}"), Bench(""), Commit));
    }

    private static VersionFacts Bench(string version, params (string Pattern, string On, string Floating)[] more)
        => Versions(version, [.. VersioningStage.DefaultTagRules, .. more.Select(m => new TagRule(m.Pattern, m.On, m.Floating))]);

    private static VersionFacts Versions(string version, IReadOnlyList<TagRule> rules)
    {
        var facts = new BuildFacts(new GitFacts { State = GitState.Ok, Commit = Commit, CommitTime = DateTimeOffset.UnixEpoch, Branch = "main", TagsAtHead = [], Height = 1, DirtyFiles = [] }, null, null);
        return VersioningStage.Run(new(facts, version, [], rules, "v")).Value;
    }

    private static string Candidates(VersionFacts version, string floating, string listed)
        => string.Join(' ', TagRanking.Candidates(version.Tags.Single(t => t.Name == floating), version, Commit, listed.Split(' ')).Select(c => c.Tag).Order(StringComparer.Ordinal));
}
