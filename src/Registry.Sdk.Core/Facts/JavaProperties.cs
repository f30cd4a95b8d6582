using System.Globalization;
using System.Text;

namespace Registry.Sdk.Core.Facts;

/// <summary>Reads the line-oriented format of <c>java.util.Properties</c>. Source: the Java API documentation of <c>Properties.load(Reader)</c>.</summary>
internal static class JavaProperties
{
    /// <summary>All entries; the last of several with one key counts, as in Java. No text is an error but a broken <c>\u</c>, which is kept as it is written.</summary>
    internal static IReadOnlyDictionary<string, string> Parse(string text)
    {
        var result = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in LogicalLines(text))
        {
            // The key ends at the first '=', ':' or blank that no backslash precedes.
            var end = 0;
            while (end < line.Length && !IsBlank(line[end]) && line[end] is not ('=' or ':'))
            {
                end += line[end] == '\\' ? 2 : 1;
            }

            end = Math.Min(end, line.Length);
            var value = end;
            while (value < line.Length && IsBlank(line[value]))
            {
                value++;
            }

            if (value < line.Length && line[value] is '=' or ':')
            {
                value++;
                while (value < line.Length && IsBlank(line[value]))
                {
                    value++;
                }
            }

            result[Unescape(line[..end])] = Unescape(line[value..]);
        }

        return result;
    }

    /// <summary>Lines without comments and blank ones; a line that ends in an odd number of backslashes goes on in the next, without its leading blanks.</summary>
    private static IEnumerable<string> LogicalLines(string text)
    {
        var pending = new StringBuilder();
        var continued = false;
        foreach (var natural in text.Split(["\r\n", "\n", "\r"], StringSplitOptions.None))
        {
            var line = natural.TrimStart(' ', '\t', '\f');
            if (!continued && (line.Length == 0 || line[0] is '#' or '!'))
            {
                continue;
            }

            var backslashes = line.Length - line.TrimEnd('\\').Length;
            continued = backslashes % 2 == 1;
            pending.Append(continued ? line[..^1] : line);
            if (!continued)
            {
                yield return pending.ToString();
                pending.Clear();
            }
        }

        if (pending.Length > 0)
        {
            yield return pending.ToString();
        }
    }

    private static bool IsBlank(char c) => c is ' ' or '\t' or '\f';

    private static string Unescape(string text)
    {
        if (!text.Contains('\\', StringComparison.Ordinal))
        {
            return text;
        }

        var result = new StringBuilder(text.Length);
        for (var i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\' || i + 1 == text.Length)
            {
                result.Append(text[i] == '\\' ? string.Empty : text[i]);
                continue;
            }

            i++;
            if (text[i] == 'u' && i + 4 < text.Length && ushort.TryParse(text.AsSpan(i + 1, 4), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out var code))
            {
                result.Append((char)code);
                i += 4;
                continue;
            }

            result.Append(text[i] switch { 't' => "\t", 'n' => "\n", 'r' => "\r", 'f' => "\f", 'u' => "\\u", var other => other.ToString() });
        }

        return result.ToString();
    }
}
