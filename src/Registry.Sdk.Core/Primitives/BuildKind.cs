namespace Registry.Sdk.Core.Primitives;

/// <summary>The kind of build; decides which tag rules apply and which destinations take part.</summary>
[Flags]
public enum BuildKinds
{
    /// <summary>None: nothing is published (for instance a CI run for a tag that is not a version tag).</summary>
    None = 0,

    /// <summary>A SemVer version without prerelease part.</summary>
    Release = 1,

    /// <summary>A SemVer version with a prerelease part.</summary>
    Prerelease = 2,

    /// <summary>A commit on a branch, or a detached commit without version tag.</summary>
    Branch = 4,

    /// <summary>A pull or merge request.</summary>
    PullRequest = 8,
}

/// <summary>The words users write for <see cref="BuildKinds"/> in <c>On</c> metadata: <c>release</c>, <c>prerelease</c>, <c>branch</c>, <c>pr</c>.</summary>
public static class BuildKindNames
{
    private static readonly (string Word, BuildKinds Kind)[] Words =
    [
        ("release", BuildKinds.Release),
        ("prerelease", BuildKinds.Prerelease),
        ("branch", BuildKinds.Branch),
        ("pr", BuildKinds.PullRequest),
    ];

    /// <summary>The word for one kind; <c>none</c> for <see cref="BuildKinds.None"/>.</summary>
    public static string ToWord(BuildKinds kind) => Array.Find(Words, w => w.Kind == kind).Word ?? "none";

    /// <summary>Parses a <c>;</c>- or <c>,</c>-separated list. Case is ignored. False with the first unknown word.</summary>
    public static bool TryParse(string text, out BuildKinds kinds, out string? unknownWord)
    {
        ArgumentNullException.ThrowIfNull(text);
        kinds = BuildKinds.None;
        unknownWord = null;
        foreach (var part in text.Split([';', ','], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            var known = Array.Find(Words, w => string.Equals(w.Word, part, StringComparison.OrdinalIgnoreCase));
            if (known.Word is null)
            {
                unknownWord = part;
                return false;
            }

            kinds |= known.Kind;
        }

        return true;
    }
}
