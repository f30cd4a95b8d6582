using System.Text.RegularExpressions;
using Registry.Sdk.TestKit;
using YamlDotNet.RepresentationModel;

namespace Registry.Sdk.Package.Tests;

/// <summary>What a page of ours tells people to write and to type, under one heading: the test runs that, and not a copy of it.</summary>
public sealed partial class Recipe
{
    private readonly List<(string Language, string Text)> blocks = [];

    /// <summary>Reads one section.</summary>
    /// <param name="page">Path from the repository's root.</param>
    /// <param name="heading">The heading's text.</param>
    public Recipe(string page, string heading)
    {
        var text = File.ReadAllText(Path.Combine(TestRun.RepositoryRoot, page));
        var start = text.IndexOf($"\n## {heading}\n", StringComparison.Ordinal);
        if (start < 0)
        {
            throw new InvalidOperationException($"{page} has no section '{heading}'.");
        }

        var end = text.IndexOf("\n## ", start + 1, StringComparison.Ordinal);
        foreach (var block in BlockPattern().Matches(end < 0 ? text[start..] : text[start..end]).Cast<Match>())
        {
            blocks.Add((block.Groups["language"].Value, block.Groups["text"].Value));
        }
    }

    /// <summary>The XML blocks that are whole files, with the version of the package under test.</summary>
    public IReadOnlyList<string> Files(SdkFeed feed) => [.. Blocks("xml").Where(t => t.StartsWith("<Project", StringComparison.Ordinal)).Select(t => t.Replace("Version=\"1.0.0\"", $"Version=\"{feed.Version}\"", StringComparison.Ordinal))];

    /// <summary>What is typed, without prompt and comment.</summary>
    public IReadOnlyList<string> Commands => [.. Blocks("console").SelectMany(t => t.Split('\n')).Where(l => l.StartsWith("$ ", StringComparison.Ordinal)).Select(l => l[2..].Split("    #")[0].Trim())];

    /// <summary>The CI file.</summary>
    public YamlMappingNode Ci
    {
        get
        {
            var stream = new YamlStream();
            stream.Load(new StringReader(Blocks("yaml").Single()));
            return (YamlMappingNode)stream.Documents[0].RootNode;
        }
    }

    /// <summary>The steps of a CI file, wherever it keeps them, that say something under a name.</summary>
    public static IEnumerable<YamlMappingNode> Having(YamlNode node, string name) => node.AllNodes.OfType<YamlMappingNode>().Where(m => m.Children.ContainsKey(name));

    private IEnumerable<string> Blocks(string language) => blocks.Where(b => b.Language == language).Select(b => b.Text);

    [GeneratedRegex("^```(?<language>[a-z]+)\n(?<text>.*?)^```$", RegexOptions.Singleline | RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex BlockPattern();
}
