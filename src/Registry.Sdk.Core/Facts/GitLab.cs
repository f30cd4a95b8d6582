using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Facts;

/// <summary>GitLab CI: docs.gitlab.com "Predefined CI/CD variables". <c>CI_REPOSITORY_URL</c> holds the job token and is never read.</summary>
internal static class GitLab
{
    internal static CiFacts? Detect(IReadOnlyDictionary<string, string> environment)
    {
        if (!environment.IsTrue("GITLAB_CI"))
        {
            return null;
        }

        var facts = new CiFacts
        {
            Service = "GitLab CI",
            Commit = environment.Variable("CI_COMMIT_SHA"),
            RepositoryUrl = RepositoryUrl.ToHttps(environment.Variable("CI_PROJECT_URL")),
            RunUrl = RepositoryUrl.WithoutCredentials(environment.Variable("CI_PIPELINE_URL") ?? environment.Variable("CI_JOB_URL")),
        };

        var source = environment.Variable("CI_PIPELINE_SOURCE");
        if (source is "merge_request_event" || environment.Variable("CI_MERGE_REQUEST_IID") is not null)
        {
            return Request(facts, environment, "CI_MERGE_REQUEST_IID", "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME", "CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "CI_MERGE_REQUEST_PROJECT_PATH");
        }

        if (source is "external_pull_request_event" || environment.Variable("CI_EXTERNAL_PULL_REQUEST_IID") is not null)
        {
            return Request(facts, environment, "CI_EXTERNAL_PULL_REQUEST_IID", "CI_EXTERNAL_PULL_REQUEST_SOURCE_BRANCH_NAME", "CI_EXTERNAL_PULL_REQUEST_SOURCE_REPOSITORY", "CI_EXTERNAL_PULL_REQUEST_TARGET_REPOSITORY");
        }

        if (environment.Variable("CI_COMMIT_TAG") is { } tag)
        {
            return facts with { RefKind = CiRefKind.Tag, RefName = tag };
        }

        return environment.Variable("CI_COMMIT_BRANCH") is { } branch ? facts with { RefKind = CiRefKind.Branch, RefName = branch } : facts;
    }

    private static CiFacts Request(CiFacts facts, IReadOnlyDictionary<string, string> environment, string number, string branch, string from, string to)
        => facts with
        {
            RefKind = CiRefKind.PullRequest,
            RefName = environment.Variable(branch),
            PullRequestNumber = CiDetection.Number(environment.Variable(number)),

            // The source is missing where the fork was deleted.
            IsFork = environment.Variable(from) is not { } source || !string.Equals(source, environment.Variable(to), StringComparison.OrdinalIgnoreCase),
        };
}
