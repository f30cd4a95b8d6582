using System.Globalization;
using System.Text;

namespace Registry.Sdk.Cuts;

/// <summary>Counts results by kind of cut, and writes them as Markdown.</summary>
public static class Table
{
    /// <summary>One row for each kind and a sum. The counts of old, new, pending and mixed are destinations after the first publish.</summary>
    public static string Of(IReadOnlyCollection<CutResult> results)
    {
        ArgumentNullException.ThrowIfNull(results);
        var text = new StringBuilder("| cut | tried | old | new | pending | mixed | not finished by the next run |\n| --- | --: | --: | --: | --: | --: | --: |\n");
        foreach (var kind in results.GroupBy(r => r.Kind, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            Row(kind.Key, [.. kind]);
        }

        Row("**all**", results);
        return text.ToString();

        void Row(string name, IReadOnlyCollection<CutResult> rows)
        {
            var verdicts = rows.SelectMany(r => r.First).GroupBy(v => v.Found).ToDictionary(g => g.Key, g => g.Count());
            text.Append(CultureInfo.InvariantCulture, $"| {name} | {rows.Count} | {Count(Found.Old)} | {Count(Found.New)} | {Count(Found.Pending)} | {Count(Found.Mixed)} | {rows.Count(r => r.Wrong.Any(w => w.StartsWith("the next run", StringComparison.Ordinal) || w.StartsWith("after the next run", StringComparison.Ordinal)))} |\n");

            int Count(Found found) => verdicts.GetValueOrDefault(found);
        }
    }

    /// <summary>What was wrong, one line each.</summary>
    public static IEnumerable<string> Wrong(IEnumerable<CutResult> results) => results.Where(r => r.Wrong.Count > 0).Select(r => $"{r.Name}: {string.Join("; ", r.Wrong)}");

    /// <summary>Replaces a section of a page, between its two comments, by what it is of and a table.</summary>
    /// <exception cref="InvalidOperationException">The page has no such section.</exception>
    public static void Write(string page, string section, string what, string table)
    {
        var (begin, end) = ($"<!-- {section}: written by build/soak -->\n", $"<!-- end of {section} -->");
        var text = File.ReadAllText(page);
        var (from, to) = (text.IndexOf(begin, StringComparison.Ordinal), text.IndexOf(end, StringComparison.Ordinal));
        if (from < 0 || to < from)
        {
            throw new InvalidOperationException($"{page} has no section {section}");
        }

        File.WriteAllText(page, $"{text[..(from + begin.Length)]}\n{what}\n\n{table}\n{text[to..]}", new UTF8Encoding(false));
    }
}
