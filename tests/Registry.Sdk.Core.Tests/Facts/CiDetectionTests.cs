using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Tests.Versioning;
using Xunit;

namespace Registry.Sdk.Core.Tests.Facts;

/// <summary>What CI detection gives beyond kind and tags, which <see cref="VersioningTable"/> covers.</summary>
public class CiDetectionTests
{
    [Fact]
    public void Outside_ci_there_is_nothing()
    {
        Assert.Null(CiDetection.Detect(new Dictionary<string, string>(StringComparer.Ordinal), _ => null));
        Assert.Null(CiDetection.Detect(new Dictionary<string, string>(StringComparer.Ordinal) { ["CI"] = "true", ["GITHUB_ACTIONS"] = "false", ["GITLAB_CI"] = "" }, _ => null));
    }

    [Fact]
    public void GitHub_in_full()
    {
        var facts = CiDetection.Detect(VersioningTable.GitHub("push", "refs/heads/main"), _ => throw new InvalidOperationException("a push needs no event file"))!;
        Assert.Equal(("GitHub Actions", CiRefKind.Branch, "main", Row.Head), (facts.Service, facts.RefKind, facts.RefName!, facts.Commit!));
        Assert.Equal("https://github.com/wundam/truxe", facts.RepositoryUrl);
        Assert.Equal("https://github.com/wundam/truxe/actions/runs/42", facts.RunUrl);
        Assert.Null(facts.PullRequestNumber);
        Assert.False(facts.IsFork);
    }

    [Fact]
    public void GitHub_pull_request_keeps_the_merge_commit_and_the_source_branch()
    {
        var env = VersioningTable.GitHub("pull_request", "refs/pull/7/merge");
        env["GITHUB_HEAD_REF"] = "topic/x";
        var facts = CiDetection.Detect(env, _ => """{"pull_request":{"number":7,"head":{"sha":"1","repo":{"full_name":"wundam/truxe"}}}}""")!;
        Assert.Equal((Row.Head, "topic/x", "7", false), (facts.Commit!, facts.RefName!, facts.PullRequestNumber!, facts.IsFork));
        Assert.Empty(facts.Diagnostics);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData("[]x")]
    [InlineData("""{"pull_request":{"number":7,"head":{"ref":"\ud800","repo":{"full_name":"wundam/truxe"}}}}""")] // the ref is the pull request's author's to name
    [InlineData("""{"pull_request":{"number":7,"head":{"repo":{"full_name":"wundam/truxe"}},"title":"\udc00"}}""")]
    [InlineData("""{"pull_request":{"number":7,"head":{"repo":{"full_name":"wundam/truxe"}},"\ud800":1}}""")]
    [InlineData("""{"pull_request":{"number":7,"head":{"repo":{"full_name":"mallory/truxe","full_name":"wundam/truxe"}}}}""")]
    public void GitHub_event_file_that_can_t_be_read_is_a_warning(string? text)
    {
        var facts = CiDetection.Detect(VersioningTable.GitHub("pull_request", "refs/pull/7/merge"), _ => text)!;
        Assert.Equal(["RSDK1008"], facts.Diagnostics.Select(d => d.Code).ToArray());
        Assert.Equal((CiRefKind.PullRequest, "7", true), (facts.RefKind, facts.PullRequestNumber, facts.IsFork));
        Assert.Contains("/event.json", facts.Diagnostics[0].Message, StringComparison.Ordinal);
    }

    [Theory] // a payload is data: whatever shape it has, it must not crash us, nor free a fork from being one
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("7")]
    [InlineData("""{"pull_request":7}""")]
    [InlineData("""{"pull_request":{"number":"7; rm","head":[]}}""")]
    [InlineData("""{"pull_request":{"number":-7.5,"head":{"repo":{"full_name":7}}}}""")]
    [InlineData("""{"workflow_run":{"event":7,"pull_requests":{},"head_repository":"wundam/truxe"}}""")]
    public void GitHub_odd_payloads(string text)
    {
        foreach (var name in (string[])["pull_request_target", "workflow_run", "issue_comment", "check_run", "check_suite"])
        {
            var facts = CiDetection.Detect(VersioningTable.GitHub(name, "refs/heads/main"), _ => text)!;
            Assert.Equal((CiRefKind.PullRequest, true, null), (facts.RefKind, facts.IsFork, facts.PullRequestNumber));
        }
    }

    [Fact]
    public void GitHub_without_repository_is_taken_for_a_fork()
    {
        var env = VersioningTable.GitHub("pull_request", "refs/pull/7/merge");
        env.Remove("GITHUB_REPOSITORY");
        var facts = CiDetection.Detect(env, _ => """{"pull_request":{"head":{"repo":null}}}""")!;
        Assert.Equal((true, null, null), (facts.IsFork, facts.RepositoryUrl, facts.RunUrl));
    }

    [Fact]
    public void GitLab_never_gives_the_job_token_away()
    {
        var facts = CiDetection.Detect(
            VersioningTable.GitLab(
                "CI_COMMIT_BRANCH=main", "CI_REPOSITORY_URL=https://gitlab-ci-token:s3cret@gitlab.example/wundam/truxe.git",
                "CI_PROJECT_URL=https://gitlab.example/wundam/truxe", "CI_PIPELINE_URL=https://gitlab.example/wundam/truxe/-/pipelines/9"),
            _ => null)!;
        Assert.Equal("https://gitlab.example/wundam/truxe", facts.RepositoryUrl);
        Assert.Equal("https://gitlab.example/wundam/truxe/-/pipelines/9", facts.RunUrl);
        Assert.DoesNotContain("s3cret", facts.ToString(), StringComparison.Ordinal);

        var without = CiDetection.Detect(VersioningTable.GitLab("CI_REPOSITORY_URL=https://gitlab-ci-token:s3cret@gitlab.example/wundam/truxe.git"), _ => null)!;
        Assert.Null(without.RepositoryUrl);
    }

    [Fact]
    public void Azure_in_full()
    {
        var facts = CiDetection.Detect(
            VersioningTable.Azure(
                "BUILD_SOURCEBRANCH=refs/pull/5/merge", "SYSTEM_PULLREQUEST_SOURCEBRANCH=refs/heads/topic/x", "SYSTEM_PULLREQUEST_ISFORK=False",
                "BUILD_REPOSITORY_URI=https://wundam@dev.azure.com/wundam/My%20Project/_git/truxe",
                "SYSTEM_COLLECTIONURI=https://dev.azure.com/wundam/", "SYSTEM_TEAMPROJECT=My Project", "BUILD_BUILDID=77"),
            _ => null)!;
        Assert.Equal(("Azure Pipelines", "topic/x", false), (facts.Service, facts.RefName!, facts.IsFork));
        Assert.Equal("https://dev.azure.com/wundam/My%20Project/_git/truxe", facts.RepositoryUrl);
        Assert.Equal("https://dev.azure.com/wundam/My%20Project/_build/results?buildId=77", facts.RunUrl);
    }
}
