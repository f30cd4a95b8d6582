using System.Text;

namespace Registry.Sdk.Core.Primitives;

/// <summary>One challenge of a <c>WWW-Authenticate</c> header. Source: RFC 9110, 11.2 (auth-param, token68) and 11.6.1.</summary>
/// <param name="Scheme">As written; compare it without case.</param>
/// <param name="Token68">What stands in place of parameters (<c>Negotiate YII=</c>); null if there is none.</param>
/// <param name="Parameters">By name, without case; the first of two equal names counts.</param>
internal sealed record AuthChallenge(string Scheme, string? Token68, IReadOnlyDictionary<string, string> Parameters)
{
    /// <summary>Whether the scheme is this one.</summary>
    public bool Is(string scheme) => string.Equals(Scheme, scheme, StringComparison.OrdinalIgnoreCase);

    /// <summary>
    /// Reads all challenges, whether they share one header or have one each. Commas separate both challenges and parameters, and stand in quoted
    /// strings besides (<c>scope="repository:a:pull,push"</c>); a name is a parameter where <c>=</c> follows it, else a scheme.
    /// What can't be read is skipped.
    /// </summary>
    public static IReadOnlyList<AuthChallenge> Parse(IEnumerable<string> values)
    {
        var found = new List<AuthChallenge>();
        foreach (var text in values)
        {
            Dictionary<string, string>? parameters = null;
            var i = 0;
            while (i < text.Length)
            {
                if (!IsTokenCharacter(text[i]))
                {
                    i++;
                    continue;
                }

                var name = TakeWhile(text, ref i, IsTokenCharacter);
                var afterName = i;
                SkipSpace(text, ref i);
                if (parameters is not null && i < text.Length && text[i] == '=')
                {
                    i++;
                    SkipSpace(text, ref i);
                    parameters.TryAdd(name, Value(text, ref i));
                    continue;
                }

                var token68 = i > afterName ? TakeToken68(text, ref i) : null;
                parameters = new(StringComparer.OrdinalIgnoreCase);
                found.Add(new(name, token68, parameters));
            }
        }

        return found;
    }

    private static string Value(string text, ref int i)
    {
        if (i >= text.Length || text[i] != '"')
        {
            // A bare value ends at a comma or space; more characters than the grammar has (an unquoted address) are let through.
            return TakeWhile(text, ref i, static c => c != ',' && !char.IsWhiteSpace(c));
        }

        var value = new StringBuilder();
        for (i++; i < text.Length && text[i] != '"'; i++)
        {
            if (text[i] == '\\' && i + 1 < text.Length)
            {
                i++;
            }

            value.Append(text[i]);
        }

        i++;
        return value.ToString();
    }

    // token68 fills the place up to the next comma; «realm=x» does not, because something follows its «=».
    private static string? TakeToken68(string text, ref int i)
    {
        var end = i;
        TakeWhile(text, ref end, static c => char.IsAsciiLetterOrDigit(c) || c is '-' or '.' or '_' or '~' or '+' or '/');
        var letters = end;
        TakeWhile(text, ref end, static c => c == '=');
        var after = end;
        SkipSpace(text, ref after);
        if (letters == i || (after < text.Length && text[after] != ','))
        {
            return null;
        }

        var token = text[i..end];
        i = end;
        return token;
    }

    private static string TakeWhile(string text, ref int i, Func<char, bool> takes)
    {
        var start = i;
        while (i < text.Length && takes(text[i]))
        {
            i++;
        }

        return text[start..i];
    }

    private static void SkipSpace(string text, ref int i) => TakeWhile(text, ref i, char.IsWhiteSpace);

    private static bool IsTokenCharacter(char c) => char.IsAsciiLetterOrDigit(c) || "!#$%&'*+-.^_`|~".Contains(c, StringComparison.Ordinal);
}
