using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Imaging;

/// <summary>The stock SDK's meaning of its six properties as a truth table. One letter is one word of a command.</summary>
public class StartCommandTests
{
    [Theory]
    // AppCommand, its arguments, instruction, Entrypoint, its arguments, DefaultArgs, the base image's entrypoint: entrypoint, cmd
    [InlineData("a", "", "", "", "", "", "b", "a", "")]
    [InlineData("a", "x", "", "", "", "d", "b", "ax", "d")]
    [InlineData("a", "x", "Entrypoint", "", "", "d", "b", "ax", "d")]
    [InlineData("", "", "", "", "", "d", "b", "b", "d")] // no command at all: the base image's
    [InlineData("", "", "", "", "", "", "dotnet", "", "")] // never the bare `dotnet` of Microsoft's images
    [InlineData("", "", "None", "", "", "d", "/usr/bin/dotnet", "", "d")]
    [InlineData("a", "x", "DefaultArgs", "", "", "d", "b", "b", "axd")]
    [InlineData("a", "x", "DefaultArgs", "", "", "d", "dotnet", "", "axd")]
    [InlineData("a", "x", "", "e", "", "d", "b", "e", "axd")] // an entrypoint makes the command its arguments
    [InlineData("a", "x", "", "e", "y", "d", "b", "ey", "axd")]
    [InlineData("a", "x", "DefaultArgs", "e", "y", "d", "b", "ey", "axd")]
    [InlineData("", "", "None", "e", "y", "d", "b", "ey", "d")]
    [InlineData("", "", "None", "", "", "", "b", "b", "")]
    [InlineData("a", "", "", "", "y", "", "b", "a", "y")] // from before ContainerAppCommand: arguments alone are the command's
    [InlineData("", "", "", "", "y", "", "b", "b", "y")]
    public void Entrypoint_and_cmd(string app, string appArgs, string instruction, string entrypoint, string entrypointArgs, string defaultArgs, string baseEntrypoint, string expectedEntrypoint, string expectedCmd)
    {
        var diagnostics = new List<Diagnostic>();
        var (actualEntrypoint, actualCmd) = Decide(app, appArgs, instruction, entrypoint, entrypointArgs, defaultArgs, baseEntrypoint, diagnostics);
        Assert.Empty(diagnostics);
        Assert.Equal((expectedEntrypoint, expectedCmd), (string.Concat(actualEntrypoint), string.Concat(actualCmd)));
    }

    [Theory]
    [InlineData("a", "", "Entrypoint", "e", "", "ContainerEntrypoint is set too")]
    [InlineData("a", "", "None", "", "", "ContainerAppCommand is set")]
    [InlineData("a", "", "None", "e", "", "ContainerAppCommand is set")]
    [InlineData("", "x", "", "", "", "ContainerAppCommandArgs is set without ContainerAppCommand")]
    [InlineData("a", "x", "", "", "y", "ContainerEntrypointArgs is set without ContainerEntrypoint")]
    [InlineData("a", "", "DefaultArgs", "", "y", "ContainerEntrypointArgs is set without ContainerEntrypoint")]
    [InlineData("a", "", "entrypoint", "", "", "ContainerAppCommandInstruction is 'entrypoint'")]
    public void What_contradicts_itself(string app, string appArgs, string instruction, string entrypoint, string entrypointArgs, string says)
    {
        var diagnostics = new List<Diagnostic>();
        Decide(app, appArgs, instruction, entrypoint, entrypointArgs, "", "b", diagnostics);
        Assert.Equal("RSDK4009", Assert.Single(diagnostics).Code);
        Assert.Contains(says, diagnostics[0].Message);
    }

    /// <summary>All 384 combinations, recorded from the stock SDK; a package test holds the record against it.</summary>
    [Fact]
    public void Every_combination_is_decided_as_stock_decides_it()
    {
        var lines = File.ReadAllLines(RepositoryFiles.At("tests", "Registry.Sdk.Core.Tests", "Imaging", "start-commands.txt")).Where(l => l.Length > 0 && l[0] != '#').ToList();
        Assert.Equal(384, lines.Count);
        Assert.Equal(lines, lines.Select(line =>
        {
            var row = line.Split(" => ")[0];
            var words = row.Split(',');
            var diagnostics = new List<Diagnostic>();
            var (entrypoint, cmd) = Decide(words[0], words[1], words[2], words[3], words[4], words[5], words[6], diagnostics);
            return $"{row} => {(diagnostics.Count > 0 ? "refused" : $"{string.Join(' ', entrypoint)} | {string.Join(' ', cmd)}")}";
        }));
    }

    private static (IReadOnlyList<string> Entrypoint, IReadOnlyList<string> Cmd) Decide(
        string app, string appArgs, string instruction, string entrypoint, string entrypointArgs, string defaultArgs, string baseEntrypoint, List<Diagnostic> diagnostics)
    {
        static string[] Words(string letters) => [.. letters.Select(l => l.ToString())];
        var settings = new ContainerSettings
        {
            AppCommand = Words(app), AppCommandArgs = Words(appArgs), AppCommandInstruction = instruction,
            Entrypoint = Words(entrypoint), EntrypointArgs = Words(entrypointArgs), DefaultArgs = Words(defaultArgs),
        };
        return StartCommand.Decide(settings, baseEntrypoint.Length > 1 ? [baseEntrypoint] : Words(baseEntrypoint), diagnostics);
    }
}
