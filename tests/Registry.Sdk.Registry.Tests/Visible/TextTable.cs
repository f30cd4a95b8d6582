using Xunit;

namespace Registry.Sdk.Registry.Tests.Visible;

/// <summary>Tables as people read them: a row per line, cells between spaces; lines that begin with # are remarks.</summary>
internal static class TextTable
{
    public static IEnumerable<string[]> Rows(string table, int columns)
        => table.Split('\n').Where(l => !l.StartsWith('#') && l.Trim().Length > 0).Select(line =>
        {
            var cells = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
            Assert.Equal(columns, cells.Length);
            return cells;
        });
}
