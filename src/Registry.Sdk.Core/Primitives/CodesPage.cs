using System.Text;

namespace Registry.Sdk.Core.Primitives;

/// <summary>Makes <c>docs/codes.md</c>, where every <see cref="DiagnosticDescriptor.HelpLink"/> leads.</summary>
public static class CodesPage
{
    private static readonly string[] Sections = ["Facts", "Version and tags", "Editions", "Imaging", "Planning", "Transfer", "Verification", "Reporting", "Usage"];

    /// <summary>The page.</summary>
    public static string Markdown()
    {
        var text = new StringBuilder("""
            # Codes

            Made from the table in `DiagnosticCodes.cs`; a test compares. The thousands name the stage. Silence a warning with `NoWarn`, raise it with
            `MSBuildWarningsAsErrors`. An error stops the publish; no tag is written before every destination holds the whole image.

            """.ReplaceLineEndings("\n"));
        foreach (var section in DiagnosticCodes.All.GroupBy(d => d.Code[4] - '0'))
        {
            text.Append("\n## ").Append(section.Key).Append("xxx ").Append(Sections[section.Key - 1]).Append('\n');
            foreach (var row in section)
            {
                // The heading is the anchor of the help link, so it is the code and nothing else.
                text.Append("\n### ").Append(row.Code).Append("\n\n").Append(row.Severity == Severity.Error ? "Error" : "Warning").Append(": ").Append(Escape(row.Title)).Append(".\n\n")
                    .Append("What helps: ").Append(Escape(row.Mend)).Append('\n');
            }
        }

        return text.ToString();
    }

    private static string Escape(string text) => text.Replace("<", "&lt;", StringComparison.Ordinal).Replace("*", "\\*", StringComparison.Ordinal).Replace("_", "\\_", StringComparison.Ordinal);
}
