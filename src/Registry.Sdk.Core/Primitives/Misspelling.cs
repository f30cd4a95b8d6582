namespace Registry.Sdk.Core.Primitives;

/// <summary>One item of the project and the names of the metadata that were written on it.</summary>
/// <param name="ItemType"><c>ContainerDestination</c>, <c>ContainerSecretAllow</c>, <c>RegistrySdkCredential</c>, <c>RegistrySdkEndpoint</c>.</param>
/// <param name="Include">The item.</param>
/// <param name="Names">Names of its metadata, never their values.</param>
public sealed record WrittenMetadata(string ItemType, string Include, IReadOnlyList<string> Names);

/// <summary>
/// Finds metadata that is written almost like one we know: MSBuild takes any name, and <c>Visiblity="private"</c> would else declare nothing. Other
/// names are the project's own business.
/// </summary>
public static class Misspelling
{
    private static readonly Dictionary<string, string[]> Known = new(StringComparer.Ordinal)
    {
        ["ContainerDestination"] = ["Edition", "Visibility", "On", "Tags", "Optional", "Image"],
        ["ContainerSecretAllow"] = ["Reason"],
        ["RegistrySdkCredential"] = ["UsernameVariable", "PasswordVariable", "RealmHost"],
        ["RegistrySdkEndpoint"] = ["Registry", "Api", "Insecure"],
    };

    /// <summary>RSDK9017 for each such name.</summary>
    public static IEnumerable<Diagnostic> Find(IEnumerable<WrittenMetadata> items)
    {
        ArgumentNullException.ThrowIfNull(items);
        foreach (var item in items)
        {
            var known = Known.GetValueOrDefault(item.ItemType, []);
            foreach (var name in item.Names.Where(n => !known.Contains(n, StringComparer.OrdinalIgnoreCase)))
            {
                if (Nearest(name, known) is { } meant)
                {
                    yield return DiagnosticCodes.MisspeltMetadata.Report($"{item.ItemType} '{PlainText.Of(item.Include)}' has the metadata {PlainText.Of(name)}, which means nothing. Write {meant}.");
                }
            }
        }
    }

    /// <summary>What was probably meant by a word that is none of the known ones: another case, or one or two slips. Null: nothing is near.</summary>
    internal static string? Nearest(string written, IEnumerable<string> known)
        => known.OrderBy(k => Distance(written.ToUpperInvariant(), k.ToUpperInvariant())).FirstOrDefault(k => string.Equals(written, k, StringComparison.OrdinalIgnoreCase) || IsNear(written, k));

    // Two slips in a long word, one in a short one; a word of two letters is near to everything.
    private static bool IsNear(string written, string known) => known.Length > 2 && Distance(written.ToUpperInvariant(), known.ToUpperInvariant()) <= (known.Length > 5 ? 2 : 1);

    /// <summary>Damerau-Levenshtein distance: how many letters are missing, too many, wrong, or changed places.</summary>
    private static int Distance(string a, string b)
    {
        var d = new int[a.Length + 1, b.Length + 1];
        for (var i = 0; i <= a.Length; i++)
        {
            for (var j = 0; j <= b.Length; j++)
            {
                if (i == 0 || j == 0)
                {
                    d[i, j] = i + j;
                    continue;
                }

                d[i, j] = Math.Min(Math.Min(d[i - 1, j], d[i, j - 1]) + 1, d[i - 1, j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1));
                if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
                {
                    d[i, j] = Math.Min(d[i, j], d[i - 2, j - 2] + 1);
                }
            }
        }

        return d[a.Length, b.Length];
    }
}
