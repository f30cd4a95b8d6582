using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Facts;

/// <summary>Bitbucket Pipelines: support.atlassian.com "Variables and secrets" and "Pipeline start conditions".</summary>
internal static class Bitbucket
{
    internal static CiFacts? Detect(IReadOnlyDictionary<string, string> environment)
    {
        var build = environment.Variable("BITBUCKET_BUILD_NUMBER");
        if (build is null && environment.Variable("BITBUCKET_PIPELINE_UUID") is null)
        {
            return null;
        }

        var repository = environment.Variable("BITBUCKET_REPO_FULL_NAME");
        var facts = new CiFacts
        {
            Service = "Bitbucket Pipelines",
            Commit = environment.Variable("BITBUCKET_COMMIT"),
            RepositoryUrl = RepositoryUrl.ToHttps(environment.Variable("BITBUCKET_GIT_HTTP_ORIGIN")) ?? (repository is null ? null : RepositoryUrl.ToHttps($"https://bitbucket.org/{repository}")),
            RunUrl = repository is null || build is null ? null : RepositoryUrl.WithoutCredentials($"https://bitbucket.org/{repository}/pipelines/results/{Uri.EscapeDataString(build)}"),
        };

        // Its presence tells, also where it is no number: the branch beside it is the pull request's source.
        var pull = environment.Variable("BITBUCKET_PR_ID");
        if (pull is not null || environment.Variable("BITBUCKET_PR_DESTINATION_BRANCH") is not null)
        {
            return facts with
            {
                RefKind = CiRefKind.PullRequest,
                RefName = CiDetection.RefName(environment.Variable("BITBUCKET_BRANCH")),
                PullRequestNumber = CiDetection.Number(pull),

                // "only runs on pull requests initiated from within your repository": a fork's pull request starts nothing here.
                IsFork = false,
            };
        }

        return CiDetection.WithRef(facts, tag: environment.Variable("BITBUCKET_TAG"), branch: environment.Variable("BITBUCKET_BRANCH"));
    }
}
