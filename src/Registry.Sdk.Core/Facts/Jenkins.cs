using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Facts;

/// <summary>
/// Jenkins: the page env-vars.html of every controller, and the git plugin's. Its names are plain (BRANCH_NAME, GIT_BRANCH), so it is looked for
/// only where Jenkins says that it is there.
/// </summary>
internal static class Jenkins
{
    internal static CiFacts? Detect(IReadOnlyDictionary<string, string> environment)
    {
        // JENKINS_URL is set only where somebody configured it; BUILD_TAG (jenkins-<job>-<number>) always, and JENKINS_HOME alone is also in the controller's own image.
        if (environment.Variable("JENKINS_URL") is null
            && (environment.Variable("JENKINS_HOME") is null || environment.Variable("BUILD_TAG")?.StartsWith("jenkins-", StringComparison.Ordinal) != true))
        {
            return null;
        }

        var facts = new CiFacts
        {
            Service = "Jenkins",
            Commit = environment.Variable("GIT_COMMIT"),
            RepositoryUrl = RepositoryUrl.ToHttps(environment.Variable("GIT_URL") ?? environment.Variable("GIT_URL_1")),
            RunUrl = RepositoryUrl.WithoutCredentials(environment.Variable("BUILD_URL")),
        };

        // In a multibranch project a change request's BRANCH_NAME is PR-7 or MR-7. The last three are the GitHub pull request builder's, the GitLab plugin's
        // and Gerrit Trigger's, whose GIT_BRANCH is the branch that the change is for, as it is once the change is merged.
        var name = environment.Variable("BRANCH_NAME");
        var gitBranch = environment.Variable("GIT_BRANCH");
        var gerrit = environment.Variable("GERRIT_EVENT_TYPE") is "ref-updated" or "change-merged" ? null : environment.Variable("GERRIT_CHANGE_NUMBER");
        var change = environment.Variable("CHANGE_ID") ?? environment.Variable("ghprbPullId") ?? environment.Variable("gitlabMergeRequestIid") ?? gerrit;
        var isPull = CiDetection.IsPullRef(name, out var number) || CiDetection.IsPullRef(WithoutRemote(gitBranch), out number);
        if (change is not null || isPull || environment.Variable("CHANGE_TARGET") is not null)
        {
            var source = environment.Variable("CHANGE_BRANCH");
            return facts with
            {
                RefKind = CiRefKind.PullRequest,
                RefName = CiDetection.RefName(source),
                PullRequestNumber = CiDetection.Number(change) ?? number,

                // The source plugins that name the branch name the fork as well, if it is one; the others say nothing of it. Whoever may write to Gerrit at all may propose a change.
                IsFork = environment.Variable("CHANGE_FORK") is not null || source is null || gerrit is not null,
            };
        }

        if (environment.Variable("TAG_NAME") is { } tag)
        {
            return CiDetection.WithRef(facts, tag, branch: null);
        }

        var local = environment.Variable("GIT_LOCAL_BRANCH");
        return OfRef(facts, name ?? (local is "detached" ? null : local) ?? WithoutRemote(gitBranch));
    }

    private static CiFacts OfRef(CiFacts facts, string? name)
        => CiDetection.SplitRef(name) is { Name: { } known } split
            ? CiDetection.WithRef(facts, split.Kind == CiRefKind.Tag ? known : null, known)
            : CiDetection.WithRef(facts, tag: null, branch: name is "detached" or "HEAD" ? null : name);

    /// <summary><c>origin/feature/x</c> and <c>refs/remotes/origin/feature/x</c> are the branch <c>feature/x</c>. Another remote's name can't be told from a branch's.</summary>
    private static string? WithoutRemote(string? name)
    {
        const string Remotes = "refs/remotes/", Origin = "origin/";
        if (name?.StartsWith(Remotes, StringComparison.Ordinal) == true && name.IndexOf('/', Remotes.Length) is > 0 and var slash)
        {
            return name[(slash + 1)..];
        }

        return name?.StartsWith(Origin, StringComparison.Ordinal) == true ? name[Origin.Length..] : name;
    }
}
