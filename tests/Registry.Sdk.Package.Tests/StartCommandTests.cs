using System.Text.Json;
using System.Text.Json.Nodes;
using System.Xml.Linq;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>
/// Every combination of the .NET SDK's six properties for entrypoint and command, on every kind of base entrypoint, as the stock task decides it:
/// <c>start-commands.txt</c> says what that is, and the unit tests hold our own decision against the same file. So 384 combinations cost one run of
/// the stock task each and no publish.
/// </summary>
public sealed class StartCommandTests
{
    private static readonly string File = Path.Combine(TestRun.RepositoryRoot, "tests", "Registry.Sdk.Core.Tests", "Imaging", "start-commands.txt");

    [Fact]
    public async Task The_recorded_table_is_what_stock_does()
    {
        await using var directory = new TempDirectory("start");
        await using var emulator = await EmulatorServer.StartAsync(new() { StateDirectory = directory.Folder("registry") });
        using var client = new HttpClient { BaseAddress = emulator.BaseAddress };
        string[] bases = ["", "dotnet", "b"];
        foreach (var (entrypoint, index) in bases.Select((entrypoint, index) => (entrypoint, index)))
        {
            await Seed.PushAsync(client, "base", $"b{index}", new() { Config = entrypoint.Length == 0 ? [] : new JsonObject { ["Entrypoint"] = new JsonArray(entrypoint) } });
        }

        await using var workspace = await Workspace.CreateAsync();
        workspace.Write("files/file", "x");
        var project = ProjectBuilder.Create("Microsoft.NET.Sdk").Property("TargetFramework", "net10.0");
        var rows = Rows(bases).ToList();
        foreach (var (row, index) in rows.Select((row, index) => (row, index)))
        {
            project.Item(
                "Combination", FormattableString.Invariant($"c{index}"), ("App", row.App), ("AppArgs", row.AppArgs), ("Instruction", row.Instruction),
                ("Entry", row.Entrypoint), ("EntryArgs", row.EntrypointArgs), ("Default", row.DefaultArgs), ("Base", FormattableString.Invariant($"b{Array.IndexOf(bases, row.Base)}")));
        }

        var task = new XElement(
            "CreateNewImage",
            new[]
            {
                ("BaseRegistry", $"localhost:{emulator.BaseAddress.Port}"), ("BaseImageName", "base"), ("BaseImageTag", "%(Combination.Base)"), ("Repository", "x"), ("ImageTags", "x"),
                ("OutputRegistry", $"localhost:{emulator.BaseAddress.Port}"), ("PublishDirectory", "$(MSBuildProjectDirectory)/files"), ("WorkingDirectory", "/%(Combination.Identity)"),
                ("AppCommand", "%(Combination.App)"), ("AppCommandArgs", "%(Combination.AppArgs)"), ("AppCommandInstruction", "%(Combination.Instruction)"),
                ("Entrypoint", "%(Combination.Entry)"), ("EntrypointArgs", "%(Combination.EntryArgs)"), ("DefaultArgs", "%(Combination.Default)"),
                ("ContainerRuntimeIdentifier", "linux-x64"), ("RuntimeIdentifierGraphPath", "$(RuntimeIdentifierGraphPath)"), ("SkipPublishing", "true"), ("GenerateLabels", "false"), ("GenerateDigestLabel", "false"), ("ContinueOnError", "true"),
            }.Select(parameter => new XAttribute(parameter.Item1, parameter.Item2)),
            new XElement("Output", new XAttribute("TaskParameter", "GeneratedContainerConfiguration"), new XAttribute("ItemName", "Configuration")));
        project.Add(new XElement("Target", new XAttribute("Name", "All"), task,
            new XElement("WriteLinesToFile", new XAttribute("File", "$(MSBuildProjectDirectory)/out.txt"), new XAttribute("Lines", "@(Configuration)"))));
        var path = workspace.Write("Table.csproj", project);
        (await workspace.MSBuildAsync(path, "-t:All", "-v:quiet")).EnsureSuccess();

        var decided = (await System.IO.File.ReadAllLinesAsync(Path.Combine(workspace.Root, "out.txt"))).Where(line => line.Length > 0)
            .Select(line => JsonDocument.Parse(line).RootElement.GetProperty("config"))
            .ToDictionary(config => config.GetProperty("WorkingDir").GetString()![1..], config => $"{Words(config, "Entrypoint")} | {Words(config, "Cmd")}", StringComparer.Ordinal);
        var actual = rows.Select((row, index) => $"{row} => {decided.GetValueOrDefault(FormattableString.Invariant($"c{index}"), "refused")}").ToList();
        Assert.Equal((await System.IO.File.ReadAllLinesAsync(File)).Where(line => !line.StartsWith('#')), actual);

        static string Words(JsonElement config, string name) => config.TryGetProperty(name, out var words) && words.ValueKind == JsonValueKind.Array ? string.Join(' ', words.EnumerateArray().Select(word => word.GetString())) : "";
    }

    private static IEnumerable<Row> Rows(string[] bases) =>
        from app in new[] { "", "a" }
        from appArgs in new[] { "", "x" }
        from instruction in new[] { "", "Entrypoint", "DefaultArgs", "None" }
        from entrypoint in new[] { "", "e" }
        from entrypointArgs in new[] { "", "y" }
        from defaultArgs in new[] { "", "d" }
        from baseEntrypoint in bases
        select new Row(app, appArgs, instruction, entrypoint, entrypointArgs, defaultArgs, baseEntrypoint);

    private sealed record Row(string App, string AppArgs, string Instruction, string Entrypoint, string EntrypointArgs, string DefaultArgs, string Base)
    {
        public override string ToString() => $"{App},{AppArgs},{Instruction},{Entrypoint},{EntrypointArgs},{DefaultArgs},{Base}";
    }
}
