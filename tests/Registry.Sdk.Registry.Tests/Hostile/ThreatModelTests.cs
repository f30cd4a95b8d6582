using System.Text.RegularExpressions;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Hostile;

/// <summary>docs/threat-model.md names tests as proof: each has to be there.</summary>
public sealed class ThreatModelTests
{
    [Fact]
    public void Every_test_that_the_page_names_exists()
    {
        var root = Root();
        var sources = Directory.EnumerateFiles(Path.Combine(root, "tests"), "*.cs", SearchOption.AllDirectories)
            .Where(f => !f.Contains($"{Path.DirectorySeparatorChar}obj{Path.DirectorySeparatorChar}", StringComparison.Ordinal)).Select(File.ReadAllText).ToList();
        var named = Regex.Matches(File.ReadAllText(Path.Combine(root, "docs", "threat-model.md")), @"`(?<class>\w+Tests)(\.(?<method>\w+))?`", RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(5)).ToList();

        Assert.InRange(named.Count, 30, 200);
        var missing = named.Where(n => !sources.Exists(s =>
            Regex.IsMatch(s, $@"class {n.Groups["class"].Value}\b", RegexOptions.None, TimeSpan.FromSeconds(5))
            && (!n.Groups["method"].Success || s.Contains($" {n.Groups["method"].Value}(", StringComparison.Ordinal)))).Select(n => n.Value);
        Assert.Empty(missing);
    }

    private static string Root()
    {
        var folder = new DirectoryInfo(AppContext.BaseDirectory);
        while (!File.Exists(Path.Combine(folder!.FullName, "Registry.Sdk.sln")))
        {
            folder = folder.Parent;
        }

        return folder.FullName;
    }
}
