using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Facts;

/// <summary>Azure Pipelines: learn.microsoft.com "Use predefined variables".</summary>
internal static class AzurePipelines
{
    internal static CiFacts? Detect(IReadOnlyDictionary<string, string> environment)
    {
        if (!environment.IsTrue("TF_BUILD"))
        {
            return null;
        }

        // BUILD_SOURCEBRANCHNAME is the last segment only (feature/tools: tools) and therefore no branch name.
        var fullRef = environment.Variable("BUILD_SOURCEBRANCH");
        var (kind, name) = CiDetection.SplitRef(fullRef);
        var collection = environment.Variable("SYSTEM_COLLECTIONURI") ?? environment.Variable("SYSTEM_TEAMFOUNDATIONCOLLECTIONURI");
        var project = environment.Variable("SYSTEM_TEAMPROJECT");
        var build = environment.Variable("BUILD_BUILDID");
        var facts = new CiFacts
        {
            Service = "Azure Pipelines",
            RefKind = kind,
            RefName = name,
            Commit = environment.Variable("BUILD_SOURCEVERSION"),
            RepositoryUrl = RepositoryUrl.ToHttps(environment.Variable("BUILD_REPOSITORY_URI")),
            RunUrl = collection is null || project is null || build is null
                ? null
                : RepositoryUrl.WithoutCredentials($"{collection.TrimEnd('/')}/{Uri.EscapeDataString(project)}/_build/results?buildId={Uri.EscapeDataString(build)}"),
        };

        var isPull = string.Equals(environment.Variable("BUILD_REASON"), "PullRequest", StringComparison.OrdinalIgnoreCase)
            || fullRef?.StartsWith("refs/pull/", StringComparison.Ordinal) == true;
        if (!isPull)
        {
            return facts;
        }

        var source = environment.Variable("SYSTEM_PULLREQUEST_SOURCEBRANCH");
        return facts with
        {
            RefKind = CiRefKind.PullRequest,
            RefName = CiDetection.SplitRef(source).Name ?? source,

            // For a GitHub repository PULLREQUESTID is GitHub's internal id; people know the number.
            PullRequestNumber = CiDetection.Number(environment.Variable("SYSTEM_PULLREQUEST_PULLREQUESTNUMBER"))
                ?? CiDetection.Number(environment.Variable("SYSTEM_PULLREQUEST_PULLREQUESTID")) ?? CiDetection.PullNumber(fullRef),

            // Azure always says True or False; anything else is not a no.
            IsFork = !string.Equals(environment.Variable("SYSTEM_PULLREQUEST_ISFORK"), "False", StringComparison.OrdinalIgnoreCase),
        };
    }
}
