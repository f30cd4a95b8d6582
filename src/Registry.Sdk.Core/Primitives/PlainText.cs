using System.Globalization;
using System.Text;

namespace Registry.Sdk.Core.Primitives;

/// <summary>Text from outside (branch names above all) as one line that reads as it is.</summary>
internal static class PlainText
{
    /// <summary>
    /// Line breaks and control characters become spaces. Format characters (Unicode category Cf) are dropped: they are invisible, and those
    /// that turn the direction of text make people read something else.
    /// </summary>
    public static string Of(string text)
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
