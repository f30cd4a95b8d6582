using System.Text;
using System.Text.RegularExpressions;

namespace Registry.Sdk.Core.Editions;

/// <summary>The types that a C# source declares at the top of its namespaces, read without a compiler: good enough to find them named in documentation.</summary>
internal static partial class DeclaredTypes
{
    /// <summary>Full names.</summary>
    public static IReadOnlyList<string> In(byte[]? source)
    {
        if (source is null)
        {
            return [];
        }

        var found = new List<string>();
        var ns = string.Empty;
        foreach (var line in Encoding.UTF8.GetString(source).Split('\n'))
        {
            if (Namespace().Match(line) is { Success: true } space)
            {
                ns = space.Groups["name"].Value;
            }
            else if (ns.Length > 0 && Type().Match(line) is { Success: true } type)
            {
                // Without a namespace a name is too short to mean only this.
                found.Add($"{ns}.{type.Groups["name"].Value}");
            }
        }

        return found;
    }

    [GeneratedRegex(@"^\s*namespace\s+(?<name>[\w.]+)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Namespace();

    [GeneratedRegex(@"^\s*((public|internal|sealed|static|abstract|partial|readonly|ref|file|unsafe)\s+)*(class|struct|interface|enum|record(\s+(class|struct))?)\s+(?<name>\w+)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Type();
}
