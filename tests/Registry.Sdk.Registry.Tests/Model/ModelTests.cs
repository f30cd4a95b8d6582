using System.Globalization;
using Registry.Sdk.Cuts;
using Xunit;
using Xunit.Abstractions;

namespace Registry.Sdk.Registry.Tests.Model;

/// <summary>
/// Random sequences of publishes, faults and hands, after each of which every tag names what a model says. The seed is the same in every run;
/// REGISTRY_SDK_MODEL_SEED and REGISTRY_SDK_MODEL_COUNT say others. build/soak tells more of them.
/// </summary>
public sealed class ModelTests(ITestOutputHelper output)
{
    [Fact]
    public async Task Every_tag_names_what_the_model_says_whatever_happens_in_whatever_order()
    {
        var (seed, count) = (Number("REGISTRY_SDK_MODEL_SEED", 20261122), Number("REGISTRY_SDK_MODEL_COUNT", 60));
        output.WriteLine($"{count} sequences from seed {seed}");

        var results = await Teller.TellAsync(count, seed, workers: 2, static _ => { });

        output.WriteLine(Table.Of(results));
        // What the sequences are of, or they say less than their number.
        var kinds = results.Select(r => r.Kind).Distinct().ToList();
        Assert.All(
            (string[])["release", "backport", "prerelease", "branch build", "release, again", "release, fault once", "release, fault for good", "branch build, fault once", "tag moved by hand", "tag deleted by hand", "base image's tag moved", "tags overwritten", "two at the same time", "one in the middle of another"],
            kind => Assert.Contains(kind, kinds));
        Assert.Contains(results.SelectMany(r => r.First), v => v.Found == Found.Pending);
    }

    private static int Number(string variable, int otherwise)
        => int.TryParse(Environment.GetEnvironmentVariable(variable), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : otherwise;
}
