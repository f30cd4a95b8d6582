using System.Text;
using System.Text.RegularExpressions;

namespace Registry.Sdk.Core.Editions;

/// <summary>Text of a source file in forms that survive editing: without comments and white space, line by line; and what it says of its licence.</summary>
internal sealed partial class SourceText
{
    /// <summary>Larger files are compared by hash alone: nobody wrote them.</summary>
    public const int MaxBytes = 8 * 1024 * 1024;

    /// <summary>
    /// A file of fewer characters (comments and white space left out) is like others by chance: <c>@namespace Acme.Pages</c>,
    /// <c>{"sdk":{"version":"10.0.100"}}</c>.
    /// </summary>
    public const int MinCompared = 64;

    /// <summary>A line of fewer characters says nothing: <c>return result;</c>.</summary>
    private const int MinLine = 16;

    /// <summary>Where people put <c>SPDX-License-Identifier</c>. Source: REUSE 3.3: in a comment header.</summary>
    private const int HeaderLines = 40;

    private static readonly (string Open, string Close)[] Blocks = [("/*", "*/"), ("@*", "*@"), ("<!--", "-->")];

    private SourceText(string text)
    {
        var plain = WithoutComments(text);
        Normalized = Squeeze(plain);
        var body = plain.Split('\n').Where(l => !Boilerplate().IsMatch(l)).Select(Squeeze).ToList();
        Lines = body.Where(l => l.Length >= MinLine).ToHashSet(StringComparer.Ordinal);

        // Where nothing was taken out one string is enough.
        Body = body.Sum(l => l.Length) == Normalized.Length ? Normalized : string.Concat(body);
    }

    /// <summary>Without comments and white space; empty if nothing else was there.</summary>
    public string Normalized { get; }

    /// <summary>The same without imports and namespaces: what is left when a file is pasted into another one.</summary>
    public string Body { get; }

    /// <summary>Its distinctive lines, without comments and white space; no imports, no lines that are short.</summary>
    public IReadOnlySet<string> Lines { get; }

    /// <summary>Reads bytes as text; null if they are no text (a zero byte, or no UTF-8), or too many.</summary>
    public static SourceText? Of(ReadOnlySpan<byte> content) => Decode(content) is { } text ? new(text) : null;

    /// <summary>The expressions behind <c>SPDX-License-Identifier:</c> in the first lines, whatever starts or ends the comment.</summary>
    public static IReadOnlyList<string> Headers(ReadOnlySpan<byte> content)
        // A header needs few bytes; a minified script has one line of a megabyte.
        => Decode(content[..Math.Min(content.Length, 16 * 1024)]) is { } text
            ? [.. text.Split('\n').Take(HeaderLines).Where(l => l.Contains("SPDX-License-Identifier:", StringComparison.OrdinalIgnoreCase)).Select(l => Header().Match(l)).Where(m => m.Success)
                .Select(m => EndOfComment().Replace(m.Groups["expression"].Value, string.Empty).Trim().TrimEnd('*').TrimEnd())]
            : [];

    private static string Squeeze(string text) => string.Concat(text.Where(c => !char.IsWhiteSpace(c)));

    private static string? Decode(ReadOnlySpan<byte> content)
    {
        if (content.Length > MaxBytes)
        {
            return null;
        }

        if (content.StartsWith((ReadOnlySpan<byte>)[0xFF, 0xFE]))
        {
            return Encoding.Unicode.GetString(content[2..]).ReplaceLineEndings("\n");
        }

        if (content.StartsWith((ReadOnlySpan<byte>)[0xFE, 0xFF]))
        {
            return Encoding.BigEndianUnicode.GetString(content[2..]).ReplaceLineEndings("\n");
        }

        // Old sources are in Latin-1: what is no UTF-8 becomes U+FFFD, in both of the files that are compared.
        // A comment ends with its line, whatever ends lines.
        return content.Contains((byte)0) ? null : Encoding.UTF8.GetString(content.StartsWith("\ufeff"u8) ? content[3..] : content).ReplaceLineEndings("\n");
    }

    /// <summary>
    /// Takes out <c>//…</c>, <c>/*…*/</c>, <c>@*…*@</c>, <c>&lt;!--…--></c>, and lines that begin with <c>#</c> (no directive of C#), <c>--</c> or
    /// <c>;</c>, whatever the language. What stands in quotes is no comment, except that a quote ends with its line. It need not be right for
    /// every language, only the same for both files.
    /// </summary>
    private static string WithoutComments(string text)
    {
        var result = new StringBuilder(text.Length);
        var isLineStart = true;
        var isOpenToTheEnd = new bool[Blocks.Length];
        for (var i = 0; i < text.Length; i++)
        {
            var c = text[i];
            if (isLineStart && (text.AsSpan(i).StartsWith("--") || c == ';' || (c == '#' && !Directive().IsMatch(text.AsSpan(i, Math.Min(12, text.Length - i))))))
            {
                i = EndOfLine(text, i) - 1;
            }
            else if (text.AsSpan(i).StartsWith("//") && (i == 0 || text[i - 1] != ':'))
            {
                // "https://…" outside quotes (XML, Markdown) is no comment.
                i = EndOfLine(text, i) - 1;
            }
            else if (Block(text, i, isOpenToTheEnd) is { } end)
            {
                i = end - 1;
            }
            else if (c is '"' or '\'' or '`')
            {
                var close = i + 1;
                while (close < text.Length && text[close] != c && text[close] != '\n')
                {
                    close += text[close] == '\\' && close + 1 < text.Length && text[close + 1] != '\n' ? 2 : 1;
                }

                close = Math.Min(close, text.Length - 1);
                result.Append(text, i, close - i + 1);
                isLineStart = text[close] == '\n';
                i = close;
            }
            else
            {
                result.Append(c);
                isLineStart = c == '\n' || (isLineStart && char.IsWhiteSpace(c));
            }
        }

        return result.ToString();
    }

    /// <summary>Behind the block comment that begins here; null if none does, or it has no end.</summary>
    private static int? Block(string text, int start, bool[] isOpenToTheEnd)
    {
        for (var kind = 0; kind < Blocks.Length; kind++)
        {
            var (open, close) = Blocks[kind];
            if (!isOpenToTheEnd[kind] && string.CompareOrdinal(text, start, open, 0, open.Length) == 0)
            {
                if (text.IndexOf(close, start + open.Length, StringComparison.Ordinal) is >= 0 and var end)
                {
                    return end + close.Length;
                }

                isOpenToTheEnd[kind] = true; // nor has any later one an end, and looking again for each would take its time
            }
        }

        return null;
    }

    private static int EndOfLine(string text, int start) => text.IndexOf('\n', start) is >= 0 and var end ? end : text.Length;

    /// <summary>
    /// Only what begins a comment may stand before it, or a comment with a copyright or another statement: a program that writes such lines has
    /// them in quotes, and a sentence that speaks of them does not stop right there.
    /// </summary>
    [GeneratedRegex(@"^([^\w""'`]*|\s*(REM|rem|dnl)\s+|\s*(//|/\*|<!--|@\*|#|--|;)[^""'`]*([.,;|-]\s*|copyright[^""'`]*|\(c\)[^""'`]*))SPDX-License-Identifier:(?<expression>.*)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Header();

    /// <summary>Behind the end of the comment may stand code: a minified script keeps its licence on its only line.</summary>
    [GeneratedRegex(@"(\*/|\*@|-->|--%>|\*\)|#}|%}).*$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex EndOfComment();

    [GeneratedRegex(@"^#\s*(if|el|end|region|pragma|nullable|define|undef|line|error|warning|load|r)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Directive();

    [GeneratedRegex(@"^\s*(global\s+using\b|using\s[^()]*;\s*$|using\s+[\w.]+\s*$|@using\b|@inject\b|@addTagHelper\b|@namespace\b|import\b|open\s+[\w.]+\s*$|namespace\b|#)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Boilerplate();
}
