namespace Registry.Sdk.Core.Primitives;

/// <summary>What secrets look like. Tells one from the name of the variable that holds it: who mixes them up has put the secret into a project file.</summary>
internal static class SecretShapes
{
    private const int ShortestToken = 20;

    // How services mark what they issue (GitHub, Docker Hub, npm, AWS); GitLab's and others' have a hyphen and are no names anyway.
    private static readonly string[] Prefixes = ["ghp_", "gho_", "ghs_", "ghu_", "ghr_", "github_pat_", "dckr_pat_", "dckr_oat_", "npm_", "AKIA", "ASIA", "eyJ"];

    /// <summary>A name or secret without line breaks at its end, which files, CI systems and <c>echo</c> add and none ends in.</summary>
    internal static string WithoutLineEnd(string text) => text.TrimEnd('\r', '\n');

    /// <summary>Whether a header can carry a text: visible ASCII and spaces. Source: RFC 9110, 5.5 (what lies beyond ASCII is opaque there and refused by most).</summary>
    internal static bool FitsHeader(string text) => text.All(c => c is >= ' ' and <= '~');

    /// <summary>Whether a text can't be meant as a variable's name: no letters, digits and <c>_</c> alone, a known token's beginning, or as long and mixed as only tokens are.</summary>
    internal static bool IsNoName(string text)
        => text.Length == 0 || char.IsAsciiDigit(text[0]) || !text.All(c => char.IsAsciiLetterOrDigit(c) || c == '_')
            || (text.Length >= ShortestToken && (Prefixes.Any(p => text.StartsWith(p, StringComparison.Ordinal)) || IsMixed(text)));

    // No word boundary, but digits and letters: hexadecimal and base64 look like that, names do not.
    private static bool IsMixed(string text) => !text.Contains('_', StringComparison.Ordinal) && text.Count(char.IsAsciiDigit) >= 3 && text.Any(char.IsAsciiLetter);
}
