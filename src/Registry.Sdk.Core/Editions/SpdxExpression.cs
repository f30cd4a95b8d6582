using System.Diagnostics.CodeAnalysis;

namespace Registry.Sdk.Core.Editions;

/// <summary>One SPDX licence expression. Source: SPDX 3.0.1, annex «SPDX license expressions»; where it leaves room, <c>license-expressions.txt</c> says what was decided.</summary>
/// <remarks>Ids need not be on the SPDX list: the list grows, and a name nobody allows is refused anyway.</remarks>
public sealed class SpdxExpression
{
    /// <summary>What a person writes has two or three; beyond this it is an attack on the stack.</summary>
    private const int MaxDepth = 64;

    private readonly Node _root;

    private SpdxExpression(string text, Node root, IReadOnlyList<string> ids) => (Text, _root, Ids) = (text, root, ids);

    /// <summary>As it was written, without blanks around it.</summary>
    public string Text { get; }

    /// <summary>The licences it names, as written but without a trailing <c>+</c>; exceptions (behind <c>WITH</c>) are not among them.</summary>
    public IReadOnlyList<string> Ids { get; }

    /// <summary>Parses; false if it is no expression.</summary>
    public static bool TryParse(string? text, [NotNullWhen(true)] out SpdxExpression? expression)
    {
        expression = null;
        if (text is null || Tokens(text) is not { Count: > 0 } tokens)
        {
            return false;
        }

        var position = 0;
        var ids = new List<string>();
        if (ParseOr(tokens, ref position, 0, ids) is not { } root || position != tokens.Count)
        {
            return false;
        }

        expression = new(text.Trim(), root, ids);
        return true;
    }

    /// <summary>Whether someone who may take work under these licences alone may take this work.</summary>
    /// <param name="isAllowed">Whether a licence is allowed; it gets the id as written, without <c>+</c>.</param>
    public bool IsSatisfiedBy(Func<string, bool> isAllowed)
    {
        ArgumentNullException.ThrowIfNull(isAllowed);
        return Holds(_root, isAllowed);
    }

    /// <inheritdoc/>
    public override string ToString() => Text;

    private static bool Holds(Node node, Func<string, bool> isAllowed) => node switch
    {
        Or or => or.Parts.Exists(p => Holds(p, isAllowed)),
        And and => and.Parts.TrueForAll(p => Holds(p, isAllowed)),
        License license => isAllowed(license.Id),
        _ => throw new InvalidOperationException("An expression has no other nodes."),
    };

    private static Node? ParseOr(List<string> tokens, ref int position, int depth, List<string> ids)
    {
        var parts = new List<Node>();
        do
        {
            if (ParseAnd(tokens, ref position, depth, ids) is not { } part)
            {
                return null;
            }

            parts.Add(part);
        }
        while (Take(tokens, ref position, "OR"));
        return parts.Count == 1 ? parts[0] : new Or(parts);
    }

    private static Node? ParseAnd(List<string> tokens, ref int position, int depth, List<string> ids)
    {
        var parts = new List<Node>();
        do
        {
            if (ParseSimple(tokens, ref position, depth, ids) is not { } part)
            {
                return null;
            }

            parts.Add(part);
        }
        while (Take(tokens, ref position, "AND"));
        return parts.Count == 1 ? parts[0] : new And(parts);
    }

    private static Node? ParseSimple(List<string> tokens, ref int position, int depth, List<string> ids)
    {
        if (Take(tokens, ref position, "("))
        {
            return depth < MaxDepth && ParseOr(tokens, ref position, depth + 1, ids) is { } inner && Take(tokens, ref position, ")") ? inner : null;
        }

        if (position == tokens.Count || LicenseId(tokens[position]) is not { } id)
        {
            return null;
        }

        position++;
        if (Take(tokens, ref position, "WITH"))
        {
            // An exception only adds permissions, so it does not change the judgement.
            if (position == tokens.Count || !IsName(tokens[position]))
            {
                return null;
            }

            position++;
        }

        ids.Add(id);
        return new License(id);
    }

    private static bool Take(List<string> tokens, ref int position, string token)
    {
        if (position == tokens.Count || tokens[position] != token)
        {
            return false;
        }

        position++;
        return true;
    }

    /// <summary>The id without <c>+</c>; null if the token is none.</summary>
    private static string? LicenseId(string token)
    {
        const string Document = "DocumentRef-";
        const string Reference = "LicenseRef-";
        var colon = token.IndexOf(':', StringComparison.Ordinal);
        if (colon >= 0)
        {
            var (document, reference) = (token[..colon], token[(colon + 1)..]);
            return document.StartsWith(Document, StringComparison.OrdinalIgnoreCase) && document.Length > Document.Length && IsName(document)
                && reference.StartsWith(Reference, StringComparison.OrdinalIgnoreCase) && reference.Length > Reference.Length && IsName(reference) ? token : null;
        }

        // Who wrote a licence of their own says in its text whether later ones are meant: the grammar has no LicenseRef-x+.
        var id = token.EndsWith('+') && !token.StartsWith(Reference, StringComparison.OrdinalIgnoreCase) ? token[..^1] : token;
        return IsName(id) ? id : null;
    }

    private static bool IsName(string token)
        => token.Length > 0 && !token.AsSpan().ContainsAnyExcept("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789.-")
            && !new[] { "AND", "OR", "WITH" }.Contains(token, StringComparer.OrdinalIgnoreCase);

    private static List<string> Tokens(string text)
    {
        var tokens = new List<string>();
        var start = -1;
        for (var i = 0; i <= text.Length; i++)
        {
            var c = i < text.Length ? text[i] : ' ';
            if (c is ' ' or '\t' or '\r' or '\n' or '(' or ')')
            {
                if (start >= 0)
                {
                    tokens.Add(text[start..i]);
                    start = -1;
                }

                if (c is '(' or ')')
                {
                    tokens.Add(c.ToString());
                }
            }
            else if (start < 0)
            {
                start = i;
            }
        }

        return tokens;
    }

    private abstract record Node;

    private sealed record Or(List<Node> Parts) : Node;

    private sealed record And(List<Node> Parts) : Node;

    private sealed record License(string Id) : Node;
}
