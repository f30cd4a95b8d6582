using System.Text;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Verification;

/// <summary>What compose puts in the place of variables: the environment, then the <c>.env</c> file. Source: Compose specification, «Interpolation», «.env file».</summary>
/// <remarks>Values are the user's, and may be secrets: no message repeats one.</remarks>
public sealed class ComposeVariables
{
    private const int MaxDepth = 16;

    /// <summary>No value is longer; each may be twice the one before it, and without a limit a small file fills the memory.</summary>
    private const int MaxLength = 64 * 1024;

    private readonly Dictionary<string, string> _values;

    // In a .env file what is not set is empty, and a '$' that begins no variable is one: passwords stand there. An image's name is held to more.
    private readonly bool _isLenient;

    /// <summary>Variables without a file.</summary>
    /// <param name="environment">The process's environment.</param>
    public ComposeVariables(IEnumerable<KeyValuePair<string, string>> environment)
        : this(new(environment, StringComparer.Ordinal), isLenient: false)
    {
    }

    private ComposeVariables(Dictionary<string, string> values, bool isLenient) => (_values, _isLenient) = (values, isLenient);

    /// <summary>These, and beside them those of a <c>.env</c> file; what is known already wins.</summary>
    /// <param name="text">The file's text.</param>
    /// <param name="problem">What is wrong with the file, without its values: a sentence; else empty.</param>
    public ComposeVariables With(string text, out string problem)
    {
        ArgumentNullException.ThrowIfNull(text);
        var result = new ComposeVariables(_values);
        problem = new EnvFile(text, result._values).Read();
        return result;
    }

    /// <summary>Puts values in the place of <c>$VAR</c>, <c>${VAR}</c>, <c>${VAR:-default}</c> and their kin.</summary>
    /// <param name="text">As written.</param>
    /// <param name="why">Why there is no result, without any value: a sentence.</param>
    /// <returns>The text, or null.</returns>
    public string? Interpolate(string text, out string why)
    {
        ArgumentNullException.ThrowIfNull(text);
        why = string.Empty;
        var at = 0;
        return Interpolate(text, ref at, nested: false, 0, ref why);
    }

    /// <summary>Up to the end, or to the brace that closes what it is nested in.</summary>
    private string? Interpolate(string text, ref int at, bool nested, int depth, ref string why)
    {
        var result = new StringBuilder();
        while (at < text.Length && !(nested && text[at] == '}'))
        {
            if (text[at] != '$')
            {
                result.Append(text[at++]);
                continue;
            }

            at++;
            if (at < text.Length && text[at] == '$')
            {
                result.Append(text[at++]);
                continue;
            }

            var braced = at < text.Length && text[at] == '{';
            at += braced ? 1 : 0;
            var name = Name(text, ref at);
            if (name.Length == 0 && _isLenient)
            {
                result.Append(braced ? "${" : "$");
                continue;
            }

            if (name.Length == 0)
            {
                why = "a '$' is followed by no variable. Write $$ for a '$' that is meant.";
                return null;
            }

            if (!(braced ? Braced(name, text, ref at, depth, ref why) : Plain(name, ref why)).Is(out var value))
            {
                return null;
            }

            result.Append(value);
            if (result.Length > MaxLength)
            {
                why = $"it is longer than {MaxLength} characters.";
                return null;
            }
        }

        return result.ToString();
    }

    private Found Plain(string name, ref string why)
    {
        if (_values.TryGetValue(name, out var value) || _isLenient)
        {
            return new(value ?? string.Empty);
        }

        why = $"the variable {name} is not set, and has no default.";
        return default;
    }

    /// <summary>From behind the name to behind the closing brace.</summary>
    private Found Braced(string name, string text, ref int at, int depth, ref string why)
    {
        var isSet = _values.TryGetValue(name, out var value);
        if (at < text.Length && text[at] == '}')
        {
            at++;
            return Plain(name, ref why);
        }

        var nonEmpty = at < text.Length && text[at] == ':';
        at += nonEmpty ? 1 : 0;
        var operation = at < text.Length ? text[at++] : ' ';
        if (operation is not ('-' or '?' or '+') || depth == MaxDepth)
        {
            why = depth == MaxDepth ? "its defaults are nested too deep." : $"what follows the variable {name} is none of '}}', ':-', '-', ':?', '?', ':+' and '+'.";
            return default;
        }

        var isThere = isSet && (!nonEmpty || value!.Length > 0);

        // What is not used need not be resolvable: ${A:-${B}} with A set.
        var unused = operation == '+' ? !isThere : isThere;
        var inner = string.Empty;
        var other = operation == '?' || unused ? Skip(text, ref at) : Interpolate(text, ref at, nested: true, depth + 1, ref inner);
        if (other is null)
        {
            why = inner;
            return default;
        }

        if (at >= text.Length)
        {
            why = $"the brace of the variable {name} is not closed.";
            return default;
        }

        at++;
        switch (operation)
        {
            case '?' when !isThere:
                why = $"the variable {name} is {(isSet ? "empty" : "not set")}, and the file wants it{(other.Length > 0 ? $" ({PlainText.Visible(other)})" : string.Empty)}.";
                return default;
            case '+':
                return new(isThere ? other : string.Empty);
            default:
                return new(isThere ? value! : other);
        }
    }

    /// <summary>The text up to the brace that closes, as it stands there.</summary>
    private static string Skip(string text, ref int at)
    {
        var start = at;
        for (var open = 0; at < text.Length && (open > 0 || text[at] != '}'); at++)
        {
            if (text[at] == '$' && at + 1 < text.Length)
            {
                open += text[at + 1] == '{' ? 1 : 0;
                at++;
            }
            else if (text[at] == '}')
            {
                open--;
            }
        }

        return text[start..at];
    }

    private static string Name(string text, ref int at)
    {
        var start = at;
        while (at < text.Length && (char.IsAsciiLetter(text[at]) || text[at] == '_' || (at > start && char.IsAsciiDigit(text[at]))))
        {
            at++;
        }

        return text[start..at];
    }

    private readonly record struct Found(string? Value)
    {
        public bool Is(out string value)
        {
            value = Value ?? string.Empty;
            return Value is not null;
        }
    }

    /// <summary>Reads <c>NAME=value</c> lines: bare, 'as it is', or "with escapes"; the last two may go over several lines.</summary>
    private sealed class EnvFile(string text, Dictionary<string, string> values)
    {
        private readonly HashSet<string> _outer = [.. values.Keys];
        private int _at;
        private int _line = 1;

        public string Read()
        {
            while (_at < text.Length)
            {
                var line = _line;
                SkipBlanks();
                if (_at >= text.Length || text[_at] is '\n' or '#')
                {
                    RestOfLine();
                    continue;
                }

                var name = ReadName();
                if (name.Length == 0)
                {
                    return $"line {line} is not NAME=value.";
                }

                SkipBlanks();
                if (_at >= text.Length || text[_at] is '\n' or '#')
                {
                    // The name alone: as the environment has it.
                    RestOfLine();
                    continue;
                }

                if (text[_at] is not ('=' or ':'))
                {
                    return $"line {line} is not NAME=value.";
                }

                _at++;
                SkipBlanks();
                var (value, isLiteral) = ReadValue();
                if (value is null)
                {
                    return $"the quote that line {line} opens is not closed.";
                }

                // What makes no sense is not set; that matters only where an image uses it.
                value = isLiteral ? value : new ComposeVariables(values, isLenient: true).Interpolate(value, out _);
                if (value is not null && !_outer.Contains(name))
                {
                    values[name] = value;
                }
            }

            return string.Empty;
        }

        private string ReadName()
        {
            if (string.CompareOrdinal(text, _at, "export ", 0, 7) == 0)
            {
                _at += 7;
                SkipBlanks();
            }

            var start = _at;
            while (_at < text.Length && (char.IsLetterOrDigit(text[_at]) || text[_at] is '_' or '.' or '-'))
            {
                _at++;
            }

            return text[start.._at];
        }

        private (string? Value, bool IsLiteral) ReadValue()
        {
            if (_at < text.Length && text[_at] is '\'' or '"')
            {
                var quote = text[_at++];
                var quoted = new StringBuilder();
                for (; _at < text.Length && text[_at] != quote; _at++)
                {
                    _line += text[_at] == '\n' ? 1 : 0;
                    if (quote == '"' && text[_at] == '\\' && _at + 1 < text.Length)
                    {
                        _at++;
                        quoted.Append(text[_at] switch { 'n' => "\n", 'r' => "\r", 't' => "\t", '"' => "\"", '\\' => "\\", '$' => "$$", var other => "\\" + other });
                    }
                    else
                    {
                        quoted.Append(text[_at]);
                    }
                }

                if (_at >= text.Length)
                {
                    return (null, true);
                }

                RestOfLine();
                return (quoted.ToString(), quote == '\'');
            }

            var start = _at;
            RestOfLine();
            var bare = text[start.._at].TrimEnd('\n', '\r');
            var comment = bare.StartsWith('#') ? 0 : bare.IndexOf(" #", StringComparison.Ordinal);
            return ((comment < 0 ? bare : bare[..comment]).TrimEnd(), false);
        }

        private void SkipBlanks()
        {
            while (_at < text.Length && text[_at] is ' ' or '\t' or '\r' or '\uFEFF')
            {
                _at++;
            }
        }

        private void RestOfLine()
        {
            while (_at < text.Length && text[_at++] != '\n')
            {
            }

            _line++;
        }
    }
}
