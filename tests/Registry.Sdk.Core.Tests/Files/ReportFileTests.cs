using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Reporting;
using Xunit;

namespace Registry.Sdk.Core.Tests.Files;

/// <summary>Where reports are written, and what happens where they can't be.</summary>
public sealed class ReportFileTests : IDisposable
{
    private static readonly PublishReport Report = new() { Project = "Api", Configuration = "Release", Diagnostics = [DiagnosticCodes.NotARepository.Report("no")] };

    private readonly string _folder = Directory.CreateTempSubdirectory("rsdk-core-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    [Fact]
    public async Task A_receipt_takes_the_place_of_the_last_one_and_leaves_nothing_beside_it()
    {
        var path = Path.Combine(_folder, "bin", "container", "receipt.json");
        await Receipt.SaveAsync(path, new string('x', 100_000), CancellationToken.None);
        var result = await ReportingStage.RunAsync(Report, new(path, null, null), CancellationToken.None);
        Assert.Empty(result.Diagnostics);
        Assert.Equal(Receipt.Write(Report), await File.ReadAllTextAsync(path));
        Assert.Equal([path], Directory.GetFiles(_folder, "*", SearchOption.AllDirectories));
    }

    [Fact]
    public async Task What_cannot_be_written_is_said_and_the_rest_is_written()
    {
        await File.WriteAllTextAsync(Path.Combine(_folder, "file"), "");
        var summary = Path.Combine(_folder, "summary");
        var result = await ReportingStage.RunAsync(Report, new(Path.Combine(_folder, "file", "receipt.json"), Path.Combine(_folder, "nowhere", "output"), summary), CancellationToken.None);
        Assert.Equal(["RSDK8001", "RSDK8002"], result.Diagnostics.Select(d => d.Code));
        Assert.Contains("RegistrySdkReceiptPath", result.Diagnostics[0].Message);
        Assert.Contains("RSDK1001", await File.ReadAllTextAsync(summary));
    }

    [Theory]
    [InlineData("/")]
    [InlineData("")]
    [InlineData("a\0b")]
    [InlineData("~")] // the folder that is there
    [InlineData("~/new/")]
    public async Task A_path_that_can_be_no_file_s_is_said(string path)
    {
        var result = await ReportingStage.RunAsync(Report, new(path.Replace("~", _folder, StringComparison.Ordinal), null, null), CancellationToken.None);
        Assert.Equal(["RSDK8001"], result.Diagnostics.Select(d => d.Code));
        Assert.Contains("RegistrySdkReceiptPath", result.Diagnostics[0].Message);
        Assert.Empty(Directory.GetFileSystemEntries(_folder));
        Assert.DoesNotContain(Directory.GetFileSystemEntries(Path.GetTempPath()), f => f.StartsWith(_folder + ".", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Projects_that_end_at_once_all_get_into_GitHub_s_files()
    {
        var (output, summary) = (Path.Combine(_folder, "output"), Path.Combine(_folder, "summary"));
        await File.WriteAllTextAsync(output, "earlier=1\n");
        var results = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() => ReportingStage.RunAsync(Report with { Project = $"P{i}" }, new(Path.Combine(_folder, $"{i}.json"), output, summary), CancellationToken.None))));
        Assert.All(results, r => Assert.Empty(r.Diagnostics));
        Assert.StartsWith("earlier=1\n", await File.ReadAllTextAsync(output));
        Assert.Equal(8, (await File.ReadAllLinesAsync(output)).Count(l => l.StartsWith("version<<", StringComparison.Ordinal)));
        Assert.Equal(Enumerable.Range(0, 8).Select(i => $"### P{i} : failed"), (await File.ReadAllLinesAsync(summary)).Where(l => l.StartsWith("###", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_plan_tells_GitHub_nothing()
    {
        var output = Path.Combine(_folder, "output");
        await ReportingStage.RunAsync(Report with { PlanOnly = true }, new(Path.Combine(_folder, "r.json"), output, output), CancellationToken.None);
        Assert.False(File.Exists(output));
    }
}
