using System.Text.RegularExpressions;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Architecture;

/// <summary>What the design says about modules and codes, held against the compiled assembly and the files of the repository.</summary>
public partial class ArchitectureTests
{
    private const string Prefix = "Registry.Sdk.Core.";

    /// <summary>Each may use itself and those before it.</summary>
    private static readonly string[] Order = ["Primitives", "Facts", "Versioning", "Editions", "Imaging", "Planning", "Transfer", "Verification", "Reporting"];

    private static string Assembly => typeof(PublishPipeline).Assembly.Location;

    [Fact]
    public void A_stage_uses_primitives_and_earlier_stages_only()
    {
        var references = References.Of(Assembly);
        // The test must see bodies, generics, closures and state machines: these are uses of all four kinds that are there.
        Assert.Contains(references, r => r is { FromNamespace: Prefix + "Planning", ToNamespace: Prefix + "Imaging", ToType: "ComposedImage" });
        Assert.Contains(references, r => r.FromMember.Contains("<RunAsync>", StringComparison.Ordinal) && r.ToType == "PlanningStage");
        Assert.Equal(Order, references.Select(r => r.FromNamespace).Where(n => n.StartsWith(Prefix, StringComparison.Ordinal)).Select(n => n[Prefix.Length..]).Distinct(StringComparer.Ordinal).OrderBy(n => Array.IndexOf(Order, n)));

        var offending = references.Where(r => Rank(r.FromNamespace) is { } from && (Rank(r.ToNamespace) is not { } to || to > from) && IsOurs(r.ToNamespace))
            .Select(r => $"{r.FromNamespace}: {r.FromMember} uses {r.ToNamespace}.{r.ToType}").Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
        Assert.True(offending.Count == 0, string.Join('\n', offending));

        static bool IsOurs(string name) => (name + ".").StartsWith(Prefix, StringComparison.Ordinal);

        // Null: the pipeline above the stages, or what the compiler made.
        static int? Rank(string name) => name.StartsWith(Prefix, StringComparison.Ordinal) && Array.IndexOf(Order, name[Prefix.Length..]) is >= 0 and var rank ? rank : null;
    }

    [Fact]
    public void Core_does_not_know_MSBuild()
        => Assert.DoesNotContain(typeof(PublishPipeline).Assembly.GetReferencedAssemblies(), a => a.Name!.StartsWith("Microsoft.Build", StringComparison.Ordinal));

    [Fact]
    public void Every_code_is_there_once_in_its_section_and_in_order()
    {
        Assert.Equal(DiagnosticCodes.All.Count, DiagnosticCodes.All.DistinctBy(d => d.Code).Count());
        Assert.All(DiagnosticCodes.All, d => Assert.Matches("^RSDK[1-9][0-9]{3}$", d.Code));
        Assert.All(DiagnosticCodes.All, d => Assert.False(string.IsNullOrWhiteSpace(d.Title) || string.IsNullOrWhiteSpace(d.Mend) || d.Title.EndsWith('.'), d.Code));

        char? section = null;
        var last = "";
        foreach (var line in File.ReadLines(RepositoryFiles.At("src", "Registry.Sdk.Core", "Primitives", "DiagnosticCodes.cs")))
        {
            if (SectionComment().Match(line) is { Success: true } comment)
            {
                section = comment.Groups["digit"].Value[0];
            }
            else if (Code().Match(line) is { Success: true } code)
            {
                Assert.True(section == code.Value[4], $"{code.Value} stands in section {section}xxx");
                Assert.True(string.CompareOrdinal(last, code.Value) < 0, $"{code.Value} stands behind {last}");
                last = code.Value;
            }
        }

        Assert.Equal(DiagnosticCodes.All[^1].Code, last);
    }

    [Fact]
    public void Every_code_that_is_written_anywhere_is_in_the_table_and_every_row_is_used()
    {
        var known = DiagnosticCodes.All.Select(d => d.Code).ToHashSet(StringComparer.Ordinal);
        var targets = RepositoryFiles.Sources("Registry.Sdk", ".targets", ".props").Select(f => (File: f, Text: File.ReadAllText(f))).ToList();
        var code = RepositoryFiles.Sources("Registry.Sdk.Core", ".cs").Concat(RepositoryFiles.Sources("Registry.Sdk.Tasks", ".cs"))
            .Where(f => Path.GetFileName(f) != "DiagnosticCodes.cs").Select(f => (File: f, Text: File.ReadAllText(f))).ToList();
        Assert.NotEmpty(targets);
        foreach (var (file, text) in targets.Concat(code))
        {
            Assert.All(Code().Matches(text), m => Assert.True(known.Contains(m.Value), $"{file}: {m.Value}"));
        }

        // A help link in the targets leads to the code it stands beside.
        Assert.All(targets.SelectMany(t => ErrorElement().Matches(t.Text)), m => Assert.Contains("#" + m.Groups["code"].Value.ToLowerInvariant(), m.Value));

        var fields = typeof(DiagnosticCodes).GetFields().Where(f => f.FieldType == typeof(DiagnosticDescriptor));
        var unused = fields.Where(f => !code.Exists(c => c.Text.Contains($"DiagnosticCodes.{f.Name}.", StringComparison.Ordinal) || c.Text.Contains($"DiagnosticCodes.{f.Name}:", StringComparison.Ordinal) || Regex.IsMatch(c.Text, $@"DiagnosticCodes\.{f.Name}\b"))
            && !targets.Exists(t => t.Text.Contains(((DiagnosticDescriptor)f.GetValue(null)!).Code, StringComparison.Ordinal))).Select(f => f.Name).ToList();
        Assert.True(unused.Count == 0, $"Nobody reports {string.Join(", ", unused)}.");
    }

    /// <summary>Run with REGISTRY_SDK_WRITE_DOCS=1 to write the page anew.</summary>
    [Fact]
    public void The_page_of_codes_is_the_table()
    {
        var page = RepositoryFiles.At("docs", "codes.md");
        if (Environment.GetEnvironmentVariable("REGISTRY_SDK_WRITE_DOCS") == "1")
        {
            File.WriteAllText(page, CodesPage.Markdown());
        }

        Assert.Equal(File.ReadAllText(page), CodesPage.Markdown());
        Assert.All(DiagnosticCodes.All, d => Assert.Contains($"\n### {d.HelpLink[(d.HelpLink.IndexOf('#', StringComparison.Ordinal) + 1)..].ToUpperInvariant()}\n", CodesPage.Markdown()));
    }

    [GeneratedRegex(@"^\s*// (?<digit>[1-9])xxx ")]
    private static partial Regex SectionComment();

    [GeneratedRegex("RSDK[0-9]{4}")]
    private static partial Regex Code();

    [GeneratedRegex("<(Error|Warning)\\s[^>]*Code=\"(?<code>RSDK[0-9]{4})\"[^>]*>")]
    private static partial Regex ErrorElement();
}
