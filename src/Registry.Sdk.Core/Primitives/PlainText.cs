using System.Globalization;
using System.Text;

namespace Registry.Sdk.Core.Primitives;

/// <summary>Text from outside (branch names above all) as one line that reads as it is.</summary>
internal static class PlainText
{
    /// <summary><see cref="Visible"/> text in which a CI service that reads the log finds no command.</summary>
    /// <remarks>
    /// Azure Pipelines looks for <c>##vso[</c> and <c>##[</c> anywhere in a line, TeamCity for <c>##teamcity[</c>, GitHub for <c>##[</c> and for
    /// <c>::</c> at a line's beginning, blanks before it or not. Source: wire-facts 6; actions/runner, «ActionCommand».
    /// </remarks>
    public static string Of(string text)
    {
        var plain = Visible(text);
        var start = plain.Length - plain.TrimStart().Length;
        if (plain.AsSpan(start).StartsWith("::"))
        {
            plain = plain.Insert(start + 1, " ");
        }

        // Twice: in three of them the second pair begins inside the first.
        return plain.Replace("##", "# #", StringComparison.Ordinal).Replace("##", "# #", StringComparison.Ordinal);
    }

    /// <summary>
    /// Line breaks and control characters become spaces. Format characters (Unicode category Cf) are dropped: they are invisible, and those
    /// that turn the direction of text make people read something else.
    /// </summary>
    public static string Visible(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var rune in text.ReplaceLineEndings(" ").EnumerateRunes())
        {
            if (Rune.IsControl(rune))
            {
                result.Append(' ');
            }
            else if (Rune.GetUnicodeCategory(rune) != UnicodeCategory.Format)
            {
                result.Append(rune);
            }
        }

        return result.ToString();
    }
}
