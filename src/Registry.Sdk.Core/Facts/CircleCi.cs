using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Facts;

/// <summary>CircleCI: circleci.com "Project values and variables". Its pull request variables belong to GitHub OAuth and Bitbucket projects.</summary>
internal static class CircleCi
{
    internal static CiFacts? Detect(IReadOnlyDictionary<string, string> environment)
    {
        if (!environment.IsTrue("CIRCLECI"))
        {
            return null;
        }

        var branch = environment.Variable("CIRCLE_BRANCH");
        var facts = new CiFacts
        {
            Service = "CircleCI",
            Commit = environment.Variable("CIRCLE_SHA1"),
            RepositoryUrl = RepositoryUrl.ToHttps(environment.Variable("CIRCLE_REPOSITORY_URL")),
            RunUrl = RepositoryUrl.WithoutCredentials(environment.Variable("CIRCLE_BUILD_URL")),
        };

        // A fork's pull request has these three; its branch is called pull/7.
        var ofFork = environment.Variable("CIRCLE_PR_NUMBER") ?? environment.Variable("CIRCLE_PR_USERNAME") ?? environment.Variable("CIRCLE_PR_REPONAME");
        var url = environment.Variable("CIRCLE_PULL_REQUEST") ?? environment.Variable("CIRCLE_PULL_REQUESTS")?.Split(',')[0].Trim();
        var isPullRef = CiDetection.IsPullRef(branch, out var number);
        return ofFork is null && url is null && !isPullRef
            ? CiDetection.WithRef(facts, tag: environment.Variable("CIRCLE_TAG"), branch)
            : facts with
            {
                RefKind = CiRefKind.PullRequest,
                RefName = isPullRef ? null : CiDetection.RefName(branch),
                PullRequestNumber = CiDetection.Number(environment.Variable("CIRCLE_PR_NUMBER")) ?? CiDetection.Number(url?.TrimEnd('/').Split('/')[^1]) ?? number,
                IsFork = ofFork is not null || isPullRef,
            };
    }
}
