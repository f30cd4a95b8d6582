using System.Text;
using System.Text.Json;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Facts;

/// <summary>GitHub Actions: docs.github.com "Variables reference" and "Events that trigger workflows".</summary>
internal static class GitHubActions
{
    internal static CiFacts? Detect(IReadOnlyDictionary<string, string> environment, Func<string, string?> readFile)
    {
        if (!environment.IsTrue("GITHUB_ACTIONS"))
        {
            return null;
        }

        var fullRef = environment.Variable("GITHUB_REF");
        var (kind, name) = CiDetection.SplitRef(fullRef);
        var repository = environment.Variable("GITHUB_REPOSITORY");
        var server = environment.Variable("GITHUB_SERVER_URL")?.TrimEnd('/') ?? "https://github.com";
        var runId = environment.Variable("GITHUB_RUN_ID");
        var facts = new CiFacts
        {
            Service = "GitHub Actions",
            RefKind = kind,
            RefName = name,
            Commit = environment.Variable("GITHUB_SHA"), // on pull_request the merge commit that actions/checkout checks out
            RepositoryUrl = repository is null ? null : RepositoryUrl.ToHttps($"{server}/{repository}"),
            RunUrl = repository is null || runId is null ? null : RepositoryUrl.WithoutCredentials($"{server}/{repository}/actions/runs/{runId}"),
        };

        // The event before the ref: pull_request_target, workflow_run, comments and checks run "on" the default branch, with its secrets; what a workflow
        // then checks out by hand may be a pull request's.
        var eventName = environment.Variable("GITHUB_EVENT_NAME");
        return eventName switch
        {
            "workflow_run" => AfterWorkflowRun(facts, environment, readFile, repository),
            _ when eventName?.StartsWith("pull_request", StringComparison.Ordinal) == true || fullRef?.StartsWith("refs/pull/", StringComparison.Ordinal) == true
                => OfPullRequest(facts, environment, readFile, repository, fullRef),
            null or "push" or "schedule" => facts,
            "issue_comment" or "check_run" or "check_suite" => MaybeOfPullRequest(facts, environment, readFile, repository, mayBeOfOther: false),
            _ => MaybeOfPullRequest(facts, environment, readFile, repository, mayBeOfOther: true),
        };
    }

    private static CiFacts OfPullRequest(
        CiFacts facts, IReadOnlyDictionary<string, string> environment, Func<string, string?> readFile, string? repository, string? fullRef)
    {
        var (payload, diagnostics) = ReadEvent(environment, readFile, "so the pull request is taken to come from a fork and pushes nothing");
        var pull = Child(payload, "pull_request");
        return facts with
        {
            RefKind = CiRefKind.PullRequest,
            RefName = environment.Variable("GITHUB_HEAD_REF") ?? Text(Child(pull, "head"), "ref"),
            PullRequestNumber = Number(pull) ?? Number(payload) ?? CiDetection.PullNumber(fullRef),
            IsFork = IsOther(Child(Child(pull, "head"), "repo"), repository),
            Diagnostics = diagnostics,
        };
    }

    /// <summary>Events that may be about a pull request: comments (<c>issue.pull_request</c>), checks, and any other whose payload holds one.</summary>
    private static CiFacts MaybeOfPullRequest(
        CiFacts facts, IReadOnlyDictionary<string, string> environment, Func<string, string?> readFile, string? repository, bool mayBeOfOther)
    {
        var (payload, diagnostics) = ReadEvent(environment, readFile, "so it is taken to be about a fork's pull request and pushes nothing");
        if (payload is null && mayBeOfOther)
        {
            return facts;
        }

        var issue = Child(payload, "issue");
        var checks = Child(payload, "check_suite") ?? Child(Child(payload, "check_run"), "check_suite");
        var isOfForkChecks = IsObject(checks) && Text(checks, "head_branch") is null; // "a null value for head_branch" for a fork's
        var pull = Child(payload, "pull_request") is { ValueKind: JsonValueKind.Object } own ? own
            : Child(checks, "pull_requests") is { ValueKind: JsonValueKind.Array } pulls && pulls.GetArrayLength() > 0 ? pulls[0]
            : (JsonElement?)null;
        var isUnderstood = payload is not null && (mayBeOfOther || IsObject(issue) || IsObject(checks));
        if (isUnderstood && pull is null && !isOfForkChecks && !IsObject(Child(issue, "pull_request")))
        {
            return facts;
        }

        return facts with
        {
            RefKind = CiRefKind.PullRequest,
            RefName = Text(Child(pull, "head"), "ref"),
            PullRequestNumber = Number(pull) ?? Number(issue),
            IsFork = isOfForkChecks || (IsOther(Child(Child(pull, "head"), "repo"), repository) && !IsSame(pull)),
            Diagnostics = diagnostics,
        };
    }

    private static bool IsObject(JsonElement? element) => element is { ValueKind: JsonValueKind.Object };

    /// <summary>Whether a pull request stays in one repository; that of a check has its repositories' ids alone.</summary>
    private static bool IsSame(JsonElement? pull)
        => Child(Child(Child(pull, "head"), "repo"), "id") is { ValueKind: JsonValueKind.Number } head
            && Child(Child(Child(pull, "base"), "repo"), "id") is { ValueKind: JsonValueKind.Number } target
            && head.GetRawText() == target.GetRawText();

    private static CiFacts AfterWorkflowRun(
        CiFacts facts, IReadOnlyDictionary<string, string> environment, Func<string, string?> readFile, string? repository)
    {
        var (payload, diagnostics) = ReadEvent(environment, readFile, "so the run is taken to follow a fork's pull request and pushes nothing");
        var run = Child(payload, "workflow_run");
        var isFork = IsOther(Child(run, "head_repository"), repository);

        // Another repository's head is a fork's work whatever event the chain began with.
        if (!isFork && Text(run, "event")?.StartsWith("pull_request", StringComparison.Ordinal) != true)
        {
            return facts with { Diagnostics = diagnostics };
        }

        return facts with
        {
            RefKind = CiRefKind.PullRequest,
            RefName = Text(run, "head_branch"),
            PullRequestNumber = Child(run, "pull_requests") is { ValueKind: JsonValueKind.Array } pulls && pulls.GetArrayLength() > 0 ? Number(pulls[0]) : null,
            IsFork = isFork,
            Diagnostics = diagnostics,
        };
    }

    /// <summary>Whether a repository object is not ours; null (GitHub's answer for a deleted fork, or ours for an unread file) is not.</summary>
    private static bool IsOther(JsonElement? repositoryObject, string? repository)
        => repository is null || !string.Equals(Text(repositoryObject, "full_name"), repository, StringComparison.OrdinalIgnoreCase);

    private static (JsonElement? Payload, IReadOnlyList<Diagnostic> Diagnostics) ReadEvent(
        IReadOnlyDictionary<string, string> environment, Func<string, string?> readFile, string consequence)
    {
        var path = environment.Variable("GITHUB_EVENT_PATH");
        var text = path is null ? null : readFile(path);
        string why;
        if (text is null)
        {
            why = path is null ? "GITHUB_EVENT_PATH is not set" : $"{path} (GITHUB_EVENT_PATH) can't be read";
        }
        else
        {
            try
            {
                // A pull request's author names refs and titles in it: half a surrogate pair there must not be met later.
                using var document = StrictJson.Document(Encoding.UTF8.GetBytes(text));
                return (document.RootElement.Clone(), []);
            }
            catch (JsonException)
            {
                why = $"{path} (GITHUB_EVENT_PATH) is not usable JSON";
            }
        }

        return (null, [DiagnosticCodes.EventFileUnreadable.Report($"GitHub's event file was not understood: {why}, {consequence}. Let the step keep GITHUB_EVENT_PATH and its file, as the runner sets them.", path)]);
    }

    private static JsonElement? Child(JsonElement? parent, string name)
        => parent is { ValueKind: JsonValueKind.Object } element && element.TryGetProperty(name, out var child) ? child : null;

    private static string? Text(JsonElement? parent, string name)
        => Child(parent, name) is { ValueKind: JsonValueKind.String } text && !string.IsNullOrWhiteSpace(text.GetString()) ? text.GetString() : null;

    private static string? Number(JsonElement? parent)
        => Child(parent, "number") is { ValueKind: JsonValueKind.Number } number ? CiDetection.Number(number.GetRawText()) : null;
}
