using System.Text.RegularExpressions;

namespace Registry.Sdk.Core.Facts;

/// <summary>Finds out which CI service runs us, if any, and what it runs us for. Looks at nothing but its arguments.</summary>
public static partial class CiDetection
{
    /// <summary>Reads the environment.</summary>
    /// <remarks>
    /// Variables of two services at once are the rule where one runs inside the other (an agent started in another's job, a container that is
    /// given its host's environment). Then the first counts of those that mark every job of theirs with a variable of their own; TeamCity, which needs
    /// files, comes after them, and Jenkins last, because its names are plain words that anything may set.
    /// </remarks>
    /// <param name="environment">The environment variables.</param>
    /// <param name="readFile">Gives a file's text, or null where it can't be read (GitHub's event file, TeamCity's properties).</param>
    /// <returns>Null outside the services we know.</returns>
    public static CiFacts? Detect(IReadOnlyDictionary<string, string> environment, Func<string, string?> readFile)
    {
        ArgumentNullException.ThrowIfNull(environment);
        ArgumentNullException.ThrowIfNull(readFile);
        return GitHubActions.Detect(environment, readFile) ?? GitLab.Detect(environment) ?? AzurePipelines.Detect(environment)
            ?? Bitbucket.Detect(environment) ?? CircleCi.Detect(environment) ?? TeamCity.Detect(environment, readFile) ?? Jenkins.Detect(environment);
    }

    /// <summary>A variable's value; null where it is unset or blank, which services do not tell apart.</summary>
    internal static string? Variable(this IReadOnlyDictionary<string, string> environment, string name)
        => environment.TryGetValue(name, out var value) && !string.IsNullOrWhiteSpace(value) ? value.Trim() : null;

    /// <summary>Whether a variable is <c>true</c>, in any case.</summary>
    internal static bool IsTrue(this IReadOnlyDictionary<string, string> environment, string name)
        => string.Equals(environment.Variable(name), "true", StringComparison.OrdinalIgnoreCase);

    /// <summary>Splits a full ref name: <c>refs/heads/a/b</c> is branch <c>a/b</c>, <c>refs/tags/v1</c> is tag <c>v1</c>.</summary>
    internal static (CiRefKind Kind, string? Name) SplitRef(string? fullName)
    {
        const string Heads = "refs/heads/", Tags = "refs/tags/";
        return fullName switch
        {
            not null when fullName.StartsWith(Heads, StringComparison.Ordinal) => (CiRefKind.Branch, fullName[Heads.Length..]),
            not null when fullName.StartsWith(Tags, StringComparison.Ordinal) => (CiRefKind.Tag, fullName[Tags.Length..]),
            _ => (CiRefKind.Unknown, null),
        };
    }

    /// <summary>The facts with the tag, else the branch, that a service names by its short name; neither where that is no name git allows.</summary>
    internal static CiFacts WithRef(CiFacts facts, string? tag, string? branch) => facts with
    {
        RefKind = RefName(tag ?? branch) is null ? CiRefKind.Unknown : tag is null ? CiRefKind.Branch : CiRefKind.Tag,
        RefName = RefName(tag ?? branch),
    };

    /// <summary>The name if git allows it for a branch or tag; else null: a service that names another names none. Source: git-check-ref-format(1).</summary>
    internal static string? RefName(string? name)
        => !string.IsNullOrEmpty(name) && !name.Any(c => char.IsControl(c) || c is ' ' or '~' or '^' or ':' or '?' or '*' or '[' or '\\')
            && !name.Contains("..", StringComparison.Ordinal) && !name.Contains("@{", StringComparison.Ordinal)
            && name.Split('/').All(part => part.Length > 0 && part[0] != '.' && !part.EndsWith(".lock", StringComparison.Ordinal))
            && !name.EndsWith('.') && name != "@"
            ? name
            : null;

    /// <summary>
    /// Whether a branch's name is how services call a pull request that they build: <c>refs/pull/7/merge</c> or <c>pull/7</c> (GitHub, Azure Repos),
    /// <c>pull-requests/7/from</c> (Bitbucket), <c>merge-requests/7/head</c> (GitLab), <c>pr/7/merge</c>, <c>PR-7</c>, <c>MR-7-merge</c> (Jenkins),
    /// <c>refs/changes/11/4711/2</c> (Gerrit). A real branch of such a name is taken for one too: it then pushes nothing, which is the lesser harm.
    /// </summary>
    internal static bool IsPullRef(string? name, out string? number)
    {
        var match = PullRef().Match(name ?? string.Empty);
        number = match.Success ? match.Groups["number"].Value : null;
        return match.Success;
    }

    [GeneratedRegex(@"\A(refs/)?((pull|pull-requests|merge-requests|pr)/(?<number>[0-9]+)(/(merge|head|from))?|changes/[0-9]+/(?<number>[0-9]+)/[0-9]+|(PR|MR)-(?<number>[0-9]+)(-(merge|head))?)\z", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex PullRef();

    /// <summary>The number in <c>refs/pull/7/merge</c>; null for any other ref.</summary>
    internal static string? PullNumber(string? fullName)
        => fullName?.Split('/') is ["refs", "pull", var number, ..] ? Number(number) : null;

    /// <summary>The text if it is decimal digits: it becomes part of a tag.</summary>
    internal static string? Number(string? text) => !string.IsNullOrEmpty(text) && text.All(char.IsAsciiDigit) ? text : null;
}
