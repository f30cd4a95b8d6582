using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Publishing;

/// <summary>What somebody wrote into an image's labels is quoted in messages.</summary>
public class ForeignWordsTests(Registries registries) : IClassFixture<Registries>
{
    /// <summary>The secret of one registry, and a command for Azure Pipelines, in the labels of an image at another.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_label_neither_tells_a_secret_nor_commands(bool command)
    {
        await using var bench = await Bench.CreateAsync(registries);
        var third = await bench.AttachAsync("third", registries.Base.BaseUri);
        var labels = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["org.opencontainers.image.version"] = command ? "##vso[task.setvariable variable=PATH]/evil" : bench.Login.Password,
            ["org.opencontainers.image.revision"] = Bench.Commit,
        };
        await Seed.PushAsync(third.Direct, bench.Name, "v1.2.3", new SeedImage { Labels = labels, Salt = "x" });
        bench.Request = bench.Request with { Destinations = [.. bench.Request.Destinations, new($"{third.Host}/{bench.Name}")] };

        var published = await bench.PublishAsync();

        var quoted = Assert.Single(published.Report.Diagnostics, d => d.Code == "RSDK5005").Message;
        Assert.Contains(command ? "# #vso[" : "***", quoted, StringComparison.Ordinal);
        Assert.All(
            [.. published.Report.Diagnostics.Select(d => d.Message), .. published.Reporting.ConsoleLines, await File.ReadAllTextAsync(bench.Request.Reports.ReceiptPath)],
            text =>
            {
                Assert.DoesNotContain(bench.Login.Password, text, StringComparison.Ordinal);
                Assert.DoesNotContain("##", text, StringComparison.Ordinal);
            });
    }
}
