namespace Registry.Sdk.Core.Facts;

/// <summary>Finds out which CI service runs us, if any, and what it runs us for. Looks at nothing but its arguments.</summary>
public static class CiDetection
{
    /// <summary>Reads the environment.</summary>
    /// <param name="environment">The environment variables.</param>
    /// <param name="readFile">Gives a file's text, or null where it can't be read (GitHub's event file).</param>
    /// <returns>Null outside the services we know.</returns>
    public static CiFacts? Detect(IReadOnlyDictionary<string, string> environment, Func<string, string?> readFile)
    {
        ArgumentNullException.ThrowIfNull(environment);
        ArgumentNullException.ThrowIfNull(readFile);
        return GitHubActions.Detect(environment, readFile) ?? GitLab.Detect(environment) ?? AzurePipelines.Detect(environment);
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

    /// <summary>The number in <c>refs/pull/7/merge</c>; null for any other ref.</summary>
    internal static string? PullNumber(string? fullName)
        => fullName?.Split('/') is ["refs", "pull", var number, ..] ? Number(number) : null;

    /// <summary>The text if it is decimal digits: it becomes part of a tag.</summary>
    internal static string? Number(string? text) => !string.IsNullOrEmpty(text) && text.All(char.IsAsciiDigit) ? text : null;
}
