using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Tests.Versioning;
using Xunit;

namespace Registry.Sdk.Core.Tests.Facts;

/// <summary>
/// What Bitbucket, CircleCI, Jenkins and TeamCity say of a run: <c>branch x</c>, <c>tag x</c>, <c>pr 7 of x</c>, <c>fork 7 of x</c> (a hyphen for what is
/// not known), or <c>unknown</c>. What becomes of it is in <see cref="VersioningTable"/>. Variables are separated by '|'.
/// </summary>
public class CiServiceTests
{
    [Theory]
    [InlineData("BITBUCKET_BRANCH=feature/x", "branch feature/x")]
    [InlineData("BITBUCKET_TAG=v1.2.3", "tag v1.2.3")]
    [InlineData("BITBUCKET_TAG=v1.2.3|BITBUCKET_BRANCH=main", "tag v1.2.3")]
    [InlineData("BITBUCKET_PR_ID=7|BITBUCKET_BRANCH=topic/x|BITBUCKET_PR_DESTINATION_BRANCH=main", "pr 7 of topic/x")] // forks' start nothing
    [InlineData("BITBUCKET_PR_ID=7|BITBUCKET_BRANCH=main|BITBUCKET_TAG=v1.2.3", "pr 7 of main")]
    [InlineData("BITBUCKET_PR_ID=7; rm|BITBUCKET_BRANCH=topic/x", "pr - of topic/x")]
    [InlineData("BITBUCKET_PR_DESTINATION_BRANCH=main|BITBUCKET_BRANCH=topic/x", "pr - of topic/x")]
    [InlineData("BITBUCKET_PR_ID=7", "pr 7 of -")]
    [InlineData("BITBUCKET_PR_ID= |BITBUCKET_BRANCH=main", "branch main")]
    [InlineData("", "unknown")] // a custom pipeline, by older pages
    [InlineData("BITBUCKET_BRANCH=main\nevil", "unknown")]
    [InlineData("BITBUCKET_BRANCH=a/../b", "unknown")]
    [InlineData("BITBUCKET_TAG=v1 0", "unknown")]
    public void Bitbucket(string variables, string expected)
        => Assert.Equal(expected, Text(Detect("Bitbucket Pipelines", $"BITBUCKET_BUILD_NUMBER=42|BITBUCKET_COMMIT={Row.Head}|{variables}")));

    [Fact]
    public void Bitbucket_in_full()
    {
        var facts = Detect(
            "Bitbucket Pipelines",
            $"BITBUCKET_PIPELINE_UUID={{1}}|BITBUCKET_BUILD_NUMBER=42|BITBUCKET_COMMIT={Row.Head}|BITBUCKET_BRANCH=main|BITBUCKET_REPO_FULL_NAME=wundam/truxe|BITBUCKET_GIT_HTTP_ORIGIN=http://x:s3cret@bitbucket.org/wundam/truxe");
        Assert.Equal((Row.Head, "https://bitbucket.org/wundam/truxe", "https://bitbucket.org/wundam/truxe/pipelines/results/42"), (facts.Commit, facts.RepositoryUrl, facts.RunUrl));
        Assert.DoesNotContain("s3cret", facts.ToString(), StringComparison.Ordinal);

        var little = Detect("Bitbucket Pipelines", "BITBUCKET_PIPELINE_UUID={1}|BITBUCKET_REPO_FULL_NAME=wundam/truxe");
        Assert.Equal((null, "https://bitbucket.org/wundam/truxe", null), (little.Commit, little.RepositoryUrl, little.RunUrl));
        Assert.Equal("https://bitbucket.org/wundam/truxe", Detect("Bitbucket Pipelines", "BITBUCKET_BUILD_NUMBER=42|BITBUCKET_REPO_FULL_NAME=wundam/truxe|BITBUCKET_GIT_HTTP_ORIGIN=nonsense").RepositoryUrl);
    }

    [Theory]
    [InlineData("CIRCLE_BRANCH=feature/x", "branch feature/x")]
    [InlineData("CIRCLE_TAG=v1.2.3", "tag v1.2.3")]
    [InlineData("CIRCLE_TAG=v1.2.3|CIRCLE_BRANCH=main", "tag v1.2.3")]
    [InlineData("CIRCLE_BRANCH=topic/x|CIRCLE_PULL_REQUEST=https://github.com/wundam/truxe/pull/7", "pr 7 of topic/x")]
    [InlineData("CIRCLE_BRANCH=topic/x|CIRCLE_PULL_REQUEST=https://bitbucket.org/wundam/truxe/pull-requests/7/", "pr 7 of topic/x")]
    [InlineData("CIRCLE_BRANCH=topic/x|CIRCLE_PULL_REQUESTS=https://github.com/wundam/truxe/pull/7, https://github.com/wundam/truxe/pull/8", "pr 7 of topic/x")]
    [InlineData("CIRCLE_BRANCH=main|CIRCLE_PULL_REQUEST=https://github.com/wundam/truxe/pull/7|CIRCLE_TAG=v1.2.3", "pr 7 of main")]
    [InlineData("CIRCLE_BRANCH=main|CIRCLE_PULL_REQUEST=nonsense", "pr - of main")]
    [InlineData("CIRCLE_BRANCH=pull/7|CIRCLE_PR_NUMBER=7|CIRCLE_PR_USERNAME=mallory|CIRCLE_PR_REPONAME=truxe|CIRCLE_PULL_REQUEST=https://github.com/wundam/truxe/pull/7", "fork 7 of -")]
    [InlineData("CIRCLE_BRANCH=pull/7", "fork 7 of -")] // also where the service gives no pull request variables
    [InlineData("CIRCLE_BRANCH=main|CIRCLE_PR_REPONAME=truxe", "fork - of main")]
    [InlineData("CIRCLE_BRANCH=main|CIRCLE_PR_USERNAME=mallory", "fork - of main")]
    [InlineData("CIRCLE_BRANCH=main|CIRCLE_PULL_REQUEST=https://github.com/wundam/truxe/pull/7|CIRCLE_PR_NUMBER=7", "fork 7 of main")]
    [InlineData("CIRCLE_BRANCH=pull/7/more", "branch pull/7/more")]
    [InlineData("", "unknown")]
    [InlineData("CIRCLE_BRANCH=main\nevil", "unknown")]
    [InlineData("CIRCLE_TAG=v1..2", "unknown")]
    [InlineData("CIRCLE_BRANCH=main\nevil|CIRCLE_PR_NUMBER=7", "fork 7 of -")]
    public void Circle_ci(string variables, string expected)
        => Assert.Equal(expected, Text(Detect("CircleCI", $"CIRCLECI=true|CIRCLE_SHA1={Row.Head}|{variables}")));

    [Theory]
    [InlineData("git@github.com:wundam/truxe.git", "https://github.com/wundam/truxe")]
    [InlineData("https://x:s3cret@github.com/wundam/truxe.git", "https://github.com/wundam/truxe")]
    [InlineData("s3cret", null)]
    public void Circle_ci_in_full(string repository, string? url)
    {
        var facts = Detect("CircleCI", $"CIRCLECI=true|CIRCLE_SHA1={Row.Head}|CIRCLE_REPOSITORY_URL={repository}|CIRCLE_BUILD_URL=https://user:s3cret@circleci.com/gh/wundam/truxe/42");
        Assert.Equal((Row.Head, url, "https://circleci.com/gh/wundam/truxe/42"), (facts.Commit, facts.RepositoryUrl, facts.RunUrl));
        Assert.DoesNotContain("s3cret", facts.ToString(), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("BRANCH_NAME=feature/x", "branch feature/x")]
    [InlineData("BRANCH_NAME=main|BRANCH_IS_PRIMARY=true|GIT_BRANCH=origin/main|GIT_LOCAL_BRANCH=main", "branch main")]
    [InlineData("BRANCH_NAME=v1.2.3|TAG_NAME=v1.2.3", "tag v1.2.3")]
    [InlineData("GIT_BRANCH=origin/feature/x", "branch feature/x")]
    [InlineData("GIT_BRANCH=refs/remotes/origin/feature/x", "branch feature/x")]
    [InlineData("GIT_BRANCH=refs/remotes/upstream/feature/x", "branch feature/x")]
    [InlineData("GIT_BRANCH=refs/heads/feature/x", "branch feature/x")]
    [InlineData("GIT_BRANCH=refs/tags/v1.2.3", "tag v1.2.3")]
    [InlineData("GIT_BRANCH=feature/x", "branch feature/x")]
    [InlineData("GIT_BRANCH=origin/main|GIT_LOCAL_BRANCH=work", "branch work")]
    [InlineData("GIT_BRANCH=origin/main|GIT_LOCAL_BRANCH=detached", "branch main")]
    [InlineData("GIT_BRANCH=detached", "unknown")]
    [InlineData("GIT_BRANCH=detached|GIT_LOCAL_BRANCH=detached", "unknown")]
    [InlineData("GIT_BRANCH=origin/HEAD", "unknown")]
    [InlineData("BRANCH_NAME=PR-7|CHANGE_ID=7|CHANGE_BRANCH=topic/x|CHANGE_TARGET=main|GIT_BRANCH=PR-7", "pr 7 of topic/x")]
    [InlineData("BRANCH_NAME=PR-7|CHANGE_ID=7|CHANGE_BRANCH=main|CHANGE_TARGET=main|CHANGE_FORK=mallory", "fork 7 of main")]
    [InlineData("BRANCH_NAME=PR-7|CHANGE_ID=7|CHANGE_TARGET=main", "fork 7 of -")] // a plugin that does not say where it comes from
    [InlineData("BRANCH_NAME=MR-7-merge|CHANGE_BRANCH=topic/x", "pr 7 of topic/x")]
    [InlineData("BRANCH_NAME=PR-7-head", "fork 7 of -")]
    [InlineData("BRANCH_NAME=main|CHANGE_TARGET=main", "fork - of -")]
    [InlineData("BRANCH_NAME=x|CHANGE_ID=Iabc|CHANGE_BRANCH=topic/x|TAG_NAME=v1.2.3", "pr - of topic/x")] // Gerrit
    [InlineData("GIT_BRANCH=origin/pr/7/merge", "fork 7 of -")]
    [InlineData("GIT_BRANCH=refs/pull/7/head", "fork 7 of -")]
    [InlineData("GIT_BRANCH=origin/main|ghprbPullId=7", "fork 7 of -")]
    [InlineData("GIT_BRANCH=main|GERRIT_CHANGE_NUMBER=4711|GERRIT_EVENT_TYPE=patchset-created", "fork 4711 of -")]
    [InlineData("GIT_BRANCH=main|GERRIT_CHANGE_NUMBER=4711", "fork 4711 of -")] // by hand
    [InlineData("GIT_BRANCH=main|GERRIT_CHANGE_NUMBER=4711|CHANGE_BRANCH=topic/x", "fork 4711 of topic/x")]
    [InlineData("GIT_BRANCH=main|GERRIT_CHANGE_NUMBER=4711|GERRIT_EVENT_TYPE=change-merged", "branch main")]
    [InlineData("GIT_BRANCH=main|GERRIT_REFNAME=refs/heads/main|GERRIT_CHANGE_NUMBER=4711|GERRIT_EVENT_TYPE=ref-updated", "branch main")]
    [InlineData("GIT_BRANCH=refs/changes/11/4711/2", "fork 4711 of -")]
    [InlineData("BRANCH_NAME=11/4711/2", "branch 11/4711/2")]
    [InlineData("GIT_BRANCH=origin/main|gitlabMergeRequestIid=7", "fork 7 of -")]
    [InlineData("", "unknown")]
    [InlineData("BRANCH_NAME=main\nevil", "unknown")]
    [InlineData("BRANCH_NAME=..", "unknown")]
    [InlineData("TAG_NAME=v1:2", "unknown")]
    public void Jenkins(string variables, string expected)
        => Assert.Equal(expected, Text(Detect("Jenkins", $"JENKINS_URL=https://ci.acme.com/|GIT_COMMIT={Row.Head}|{variables}")));

    [Fact]
    public void Jenkins_in_full()
    {
        var facts = Detect("Jenkins", $"JENKINS_URL=https://ci.acme.com/|GIT_COMMIT={Row.Head}|BRANCH_NAME=main|GIT_URL=https://bot:s3cret@git.acme.com/wundam/truxe.git|BUILD_URL=https://u:s3cret@ci.acme.com/job/truxe/42/");
        Assert.Equal((Row.Head, "https://git.acme.com/wundam/truxe", "https://ci.acme.com/job/truxe/42/"), (facts.Commit, facts.RepositoryUrl, facts.RunUrl));
        Assert.DoesNotContain("s3cret", facts.ToString(), StringComparison.Ordinal);

        var little = Detect("Jenkins", "JENKINS_URL=https://ci.acme.com/|BRANCH_NAME=main|GIT_URL_1=git@git.acme.com:wundam/truxe.git");
        Assert.Equal((null, "https://git.acme.com/wundam/truxe", null), (little.Commit, little.RepositoryUrl, little.RunUrl));
    }

    /// <summary>JENKINS_URL is there only where an administrator has set it; JENKINS_HOME alone is also in the controller's image.</summary>
    [Fact]
    public void Jenkins_without_its_url()
    {
        Assert.Equal("branch main", Text(Detect("Jenkins", "JENKINS_HOME=/var/jenkins_home|BUILD_TAG=jenkins-truxe-42|BRANCH_NAME=main")));
        Assert.Null(CiDetection.Detect(Variables("JENKINS_HOME=/var/jenkins_home|BRANCH_NAME=main"), _ => null));
        Assert.Null(CiDetection.Detect(Variables("JENKINS_HOME=/var/jenkins_home|BUILD_TAG=nightly|BRANCH_NAME=main"), _ => null));
        Assert.Null(CiDetection.Detect(Variables("BUILD_TAG=jenkins-truxe-42|BRANCH_NAME=main"), _ => null));
        Assert.Null(CiDetection.Detect(Variables("BRANCH_NAME=main|CHANGE_ID=7|GIT_COMMIT=1"), _ => null));
    }

    [Theory]
    [InlineData("teamcity.build.branch=feature/x", "branch feature/x")]
    [InlineData("teamcity.build.branch=main|teamcity.build.branch.is_default=true", "branch main")]
    [InlineData("teamcity.build.branch=<default>|teamcity.build.branch.is_default=true|teamcity.build.vcs.branch.Truxe_Root=refs/heads/main", "branch main")]
    [InlineData("teamcity.build.branch=<default>", "unknown")]
    [InlineData("teamcity.build.branch=<default>|teamcity.build.vcs.branch.A=refs/heads/main|teamcity.build.vcs.branch.B=refs/heads/other", "unknown")]
    [InlineData("teamcity.build.branch=<default>|teamcity.build.vcs.branch.A=refs/heads/main|teamcity.build.vcs.branch.B=refs/heads/main", "branch main")]
    [InlineData("teamcity.build.branch=x|teamcity.build.vcs.branch.A=refs/heads/feature/x", "branch feature/x")] // the specification cut it
    [InlineData("teamcity.build.branch=v1.2.3|teamcity.build.vcs.branch.A=refs/tags/v1.2.3", "tag v1.2.3")]
    [InlineData("teamcity.build.branch=refs/tags/v1.2.3", "tag v1.2.3")]
    [InlineData("teamcity.build.branch=refs/heads/main", "branch main")]
    [InlineData("teamcity.build.branch=pull/7|teamcity.pullRequest.number=7|teamcity.pullRequest.target.branch=main|teamcity.pullRequest.source.branch=topic/x", "pr 7 of topic/x")]
    [InlineData("teamcity.build.branch=pull/7|teamcity.pullRequest.number=7|teamcity.pullRequest.target.branch=main|teamcity.pullRequest.source.branch=refs/heads/topic/x", "pr 7 of topic/x")]
    [InlineData("teamcity.build.branch=pull/7|teamcity.pullRequest.number=7|teamcity.pullRequest.target.branch=main", "fork 7 of -")] // a fork's source is not named
    [InlineData("teamcity.build.branch=pull/7", "fork 7 of -")]
    [InlineData("teamcity.build.branch=refs/pull/7/merge", "fork 7 of -")]
    [InlineData("teamcity.build.branch=pull-requests/7/from", "fork 7 of -")]
    [InlineData("teamcity.build.branch=merge-requests/7", "fork 7 of -")]
    [InlineData("teamcity.build.branch=7|teamcity.build.vcs.branch.A=refs/merge-requests/7/head", "fork 7 of -")]
    [InlineData("teamcity.build.branch=7/head|teamcity.build.vcs.branch.A=refs/pull/7/head|teamcity.build.vcs.branch.B=refs/heads/main", "fork 7 of -")]
    [InlineData("teamcity.build.branch=<default>|teamcity.build.vcs.branch.A=refs/heads/main|teamcity.build.vcs.branch.B=refs/pull/7/merge", "fork 7 of -")]
    [InlineData("teamcity.build.branch=4711|teamcity.build.vcs.branch.A=refs/changes/11/4711/2|teamcity.build.vcs.branch.B=refs/heads/main", "fork 4711 of -")] // Gerrit
    [InlineData("teamcity.build.branch=pull/7|teamcity.build.vcs.branch.A=refs/heads/main|teamcity.build.vcs.branch.B=refs/pull/7/head|teamcity.pullRequest.number=7|teamcity.pullRequest.source.branch=topic/x", "pr 7 of topic/x")]
    [InlineData("teamcity.build.branch=pull/7|teamcity.build.vcs.branch.A=refs/pull/8/head|teamcity.build.vcs.branch.B=refs/pull/7/head|teamcity.pullRequest.number=7|teamcity.pullRequest.source.branch=topic/x", "fork 7 of topic/x")] // the other root's is said by nobody
    [InlineData("teamcity.build.branch=main|teamcity.pullRequest.number=x", "fork - of -")]
    [InlineData("teamcity.build.branch=main|teamcity.pullRequest.target.branch=main", "fork - of -")]
    [InlineData("teamcity.build.branch=", "unknown")]
    [InlineData("", "unknown")]
    [InlineData(@"teamcity.build.branch=main\nevil", "unknown")]
    [InlineData("teamcity.build.branch=a/../b", "unknown")]
    [InlineData(@"teamcity.build.branch=f\u00fcr/x", "branch für/x")]
    [InlineData("teamcity.build.branch = feat\\\n    ure/x", "branch feature/x")]
    public void Team_city(string properties, string expected)
        => Assert.Equal(expected, Text(TeamCity(properties)));

    [Fact]
    public void Team_city_in_full()
    {
        var facts = TeamCity(@"vcsroot.url=https\://bot\:s3cret@git.acme.com/wundam/truxe.git|teamcity.serverUrl=https\://ci.acme.com/tc/|teamcity.build.id=42|teamcity.build.branch=main", $"BUILD_VCS_NUMBER={Row.Head}");
        Assert.Equal((Row.Head, "https://git.acme.com/wundam/truxe", "https://ci.acme.com/tc/viewLog.html?buildId=42"), (facts.Commit, facts.RepositoryUrl, facts.RunUrl));
        Assert.DoesNotContain("s3cret", facts.ToString(), StringComparison.Ordinal);
        Assert.Empty(facts.Diagnostics);
        Assert.Equal(Row.Head, TeamCity("build.vcs.number=" + Row.Head).Commit);
    }

    /// <summary>No file, no word of a pull request: a warning says that git alone decides.</summary>
    [Theory]
    [InlineData("TEAMCITY_VERSION=2025.11", null, "TEAMCITY_BUILD_PROPERTIES_FILE is not set")]
    [InlineData("TEAMCITY_VERSION=2025.11|TEAMCITY_BUILD_PROPERTIES_FILE=/build", null, "/build (TEAMCITY_BUILD_PROPERTIES_FILE) can't be read")]
    [InlineData("TEAMCITY_VERSION=2025.11|TEAMCITY_BUILD_PROPERTIES_FILE=/build", "a=b", "does not name teamcity.configuration.properties.file")]
    [InlineData("TEAMCITY_VERSION=2025.11|TEAMCITY_BUILD_PROPERTIES_FILE=/build", "teamcity.configuration.properties.file=/gone", "/gone (teamcity.configuration.properties.file) can't be read")]
    public void Team_city_without_its_files(string variables, string? build, string says)
    {
        var facts = CiDetection.Detect(Variables(variables), path => path == "/build" ? build : null)!;
        Assert.Equal(("TeamCity", CiRefKind.Unknown), (facts.Service, facts.RefKind));
        Assert.Equal("RSDK1008", Assert.Single(facts.Diagnostics).Code);
        Assert.Contains(says, facts.Diagnostics[0].Message, StringComparison.Ordinal);
    }

    /// <summary>One service inside another's job: the one whose own variable marks every job; Jenkins, whose names are plain, last.</summary>
    [Theory]
    [InlineData("GITHUB_ACTIONS=true|JENKINS_URL=x|BRANCH_NAME=main", "GitHub Actions")]
    [InlineData("GITLAB_CI=true|CIRCLECI=true", "GitLab CI")]
    [InlineData("TF_BUILD=True|TEAMCITY_VERSION=1", "Azure Pipelines")]
    [InlineData("BITBUCKET_BUILD_NUMBER=1|JENKINS_URL=x", "Bitbucket Pipelines")]
    [InlineData("CIRCLECI=true|TEAMCITY_VERSION=1", "CircleCI")]
    [InlineData("TEAMCITY_VERSION=1|JENKINS_URL=x", "TeamCity")]
    public void Two_services_at_once(string variables, string expected)
        => Assert.Equal(expected, CiDetection.Detect(Variables(variables), _ => null)!.Service);

    [Theory]
    [InlineData("a=b", "a=b")]
    [InlineData("a:b", "a=b")]
    [InlineData("a b", "a=b")]
    [InlineData("  a \t = \f b ", "a=b ")]
    [InlineData("a", "a=")]
    [InlineData("a=", "a=")]
    [InlineData("=b", "=b")]
    [InlineData("a = = b", "a== b")]
    [InlineData("# x\n! y=z\n\n   \na=b # c", "a=b # c")]
    [InlineData("a=b\nc=d", "a=b;c=d")]
    [InlineData("a=b\r\nc=d\re=f", "a=b;c=d;e=f")]
    [InlineData("a=1\na=2", "a=2")]
    [InlineData("a=b\\\n   c\\\r\n\td", "a=bcd")]
    [InlineData("a=b\\\n# no comment", "a=b# no comment")]
    [InlineData("a=b\\\\\nc=d", @"a=b\;c=d")]
    [InlineData("a=b\\", "a=b")]
    [InlineData(@"a\ \:\=\\=b", @"a :=\=b")]
    [InlineData(@"a=\u0041\u00fc\tx", "a=Aü\tx")]
    [InlineData(@"a=\u00e", @"a=\u00e")] // broken: kept
    [InlineData(@"a=\q\u", @"a=q\u")]
    [InlineData(@"a=\:\#\!", "a=:#!")]
    [InlineData("", "")]
    public void Java_properties(string text, string expected)
        => Assert.Equal(expected, string.Join(';', JavaProperties.Parse(text).Select(p => $"{p.Key}={p.Value}")));

    [Theory]
    [InlineData("main", true)]
    [InlineData("feature/für-x_1.2@y", true)]
    [InlineData("-x", true)] // git lets it be where the command line does not
    [InlineData(null, false)]
    [InlineData("", false)]
    [InlineData("a b", false)]
    [InlineData("a\tb", false)]
    [InlineData("a\u007fb", false)]
    [InlineData("a..b", false)]
    [InlineData("a~1", false)]
    [InlineData("a^", false)]
    [InlineData("a:b", false)]
    [InlineData("a?", false)]
    [InlineData("a*", false)]
    [InlineData("a[b", false)]
    [InlineData("a\\b", false)]
    [InlineData("a@{b", false)]
    [InlineData("@", false)]
    [InlineData("/a", false)]
    [InlineData("a/", false)]
    [InlineData("a//b", false)]
    [InlineData("a/.b", false)]
    [InlineData("a.lock/b", false)]
    [InlineData("a.", false)]
    public void What_git_takes_for_a_name(string? name, bool legal) => Assert.Equal(legal ? name : null, CiDetection.RefName(name));

    private static CiFacts TeamCity(string properties, string variables = "X=1") => CiDetection.Detect(
        Variables("TEAMCITY_VERSION=2025.11|TEAMCITY_BUILD_PROPERTIES_FILE=/build.properties|" + variables),
        path => path switch
        {
            "/build.properties" => "#TeamCity\nteamcity.configuration.properties.file=/configuration.properties\n",
            "/configuration.properties" => properties.Replace('|', '\n'),
            _ => null,
        })!;

    private static CiFacts Detect(string service, string variables)
    {
        var facts = CiDetection.Detect(Variables(variables), _ => null)!;
        Assert.Equal(service, facts.Service);
        return facts;
    }

    private static string Text(CiFacts facts) => facts.RefKind switch
    {
        CiRefKind.Unknown => "unknown" + facts.RefName,
        CiRefKind.PullRequest => $"{(facts.IsFork ? "fork" : "pr")} {facts.PullRequestNumber ?? "-"} of {facts.RefName ?? "-"}",
        var kind => $"{(kind == CiRefKind.Tag ? "tag" : "branch")} {facts.RefName}{facts.PullRequestNumber}{(facts.IsFork ? " of a fork" : "")}",
    };

    private static Dictionary<string, string> Variables(string text)
        => text.Split('|', StringSplitOptions.RemoveEmptyEntries).Select(v => v.Split('=', 2)).ToDictionary(v => v[0], v => v[1], StringComparer.Ordinal);
}
