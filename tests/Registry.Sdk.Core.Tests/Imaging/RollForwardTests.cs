using System.Text;
using Registry.Sdk.Core.Imaging;
using Xunit;

namespace Registry.Sdk.Core.Tests.Imaging;

public class RollForwardTests
{
    /// <summary>One version to choose from, as an image has.</summary>
    [Theory]
    [InlineData("10.0.0", null, "10.0.0", true)]
    [InlineData("10.0.0", null, "10.0.12", true)]
    [InlineData("10.0.3", null, "10.0.2", false)]
    [InlineData("10.0.10", null, "10.0.9", false)]
    [InlineData("8.0.0", null, "8.1.0", true)]
    [InlineData("8.1.0", null, "8.0.9", false)]
    [InlineData("8.0.0", null, "9.0.0", false)]
    [InlineData("9.0.0", null, "8.0.0", false)]
    [InlineData("8.0.0", "minor", "8.1.0", true)]
    [InlineData("8.0.0", "LatestMinor", "8.1.0", true)]
    [InlineData("8.0.0", "LatestMinor", "9.0.0", false)]
    [InlineData("8.0.0", "LatestPatch", "8.0.1", true)]
    [InlineData("8.0.0", "LatestPatch", "8.1.0", false)]
    [InlineData("8.0.0", "Disable", "8.0.0", true)]
    [InlineData("8.0.0", "Disable", "8.0.1", false)]
    [InlineData("8.0.0", "Major", "10.0.0", true)]
    [InlineData("8.0.0", "MAJOR", "10.0.0", true)]
    [InlineData("8.0.0", "LatestMajor", "10.1.0", true)]
    [InlineData("10.0.0", "LatestMajor", "8.0.0", false)]
    // prereleases
    [InlineData("10.0.0", null, "10.0.0-rc.2.25502.107", false)]
    [InlineData("10.0.0-rc.1.1", null, "10.0.0-rc.2.1", true)]
    [InlineData("10.0.0-rc.2.1", null, "10.0.0-rc.1.1", false)]
    [InlineData("10.0.0-rc.10.1", null, "10.0.0-rc.9.1", false)]
    [InlineData("10.0.0-rc.1.1", null, "10.0.0", true)]
    [InlineData("10.0.0-rc.1.1", "Disable", "10.0.0", false)]
    [InlineData("10.0.0-rc.1.1", "LatestPatch", "10.1.0-rc.1", false)]
    [InlineData("10.0.0", null, "10.1.0-preview.1", true)]
    [InlineData("8.0.0", "Major", "10.0.0-preview.1", true)]
    // no verdict
    [InlineData("10.0", null, "10.0.1", null)]
    [InlineData("10.0.0", null, "latest", null)]
    [InlineData("10.0.0", "Sideways", "10.0.0", null)]
    public void Whether_it_runs(string wanted, string? policy, string available, bool? expected) => Assert.Equal(expected, RollForward.Accepts(wanted, policy, available));

    [Theory]
    [InlineData("""{"runtimeOptions":{"tfm":"net10.0","framework":{"name":"Microsoft.NETCore.App","version":"10.0.0"}}}""", "Microsoft.NETCore.App 10.0.0 ")]
    [InlineData("""{"runtimeOptions":{"rollForward":"Major","frameworks":[{"name":"A","version":"1.0.0"},{"name":"B","version":"2.0.0","rollForward":"Disable"}]}}""", "A 1.0.0 Major,B 2.0.0 Disable")]
    [InlineData("""{"runtimeOptions":{"includedFrameworks":[{"name":"A","version":"1.0.0"}]}}""", "")]
    [InlineData("""{"runtimeOptions":{"framework":{"name":"A","version":"1.0.0","applyPatches":false}}}""", "A 1.0.0 +legacy")]
    [InlineData("""{"runtimeOptions":{"rollForwardOnNoCandidateFx":2,"framework":{"name":"A","version":"1.0.0"}}}""", "A 1.0.0 +legacy")]
    [InlineData("""{"runtimeOptions":{"configProperties":{"System.Runtime.Loader.UseRidGraph":true}}}""", "+ridgraph")]
    [InlineData("""{"runtimeOptions":{"configProperties":{"System.Runtime.Loader.UseRidGraph":"True"}}}""", "+ridgraph")]
    [InlineData("""{"runtimeOptions":{"configProperties":{"System.Runtime.Loader.UseRidGraph":false}}}""", "")]
    [InlineData("{}", null)]
    [InlineData("[]", null)]
    [InlineData("""{"runtimeOptions":{"framework":{"name":"A"}}}""", null)]
    [InlineData("""{"runtimeOptions":{"framework":{"name":"A","version":null}}}""", null)]
    [InlineData("""{"runtimeOptions":{"frameworks":{}}}""", null)]
    [InlineData("""{"runtimeOptions":{"rollForward":7}}""", null)]
    [InlineData("// a comment", null)]
    public void What_the_file_says(string text, string? expected)
        => Assert.Equal(expected, RuntimeConfig.Parse(Encoding.UTF8.GetBytes(text)) is { } c
            ? string.Join(',', c.Frameworks.Select(f => $"{f.Name} {f.Version} {f.RollForward}")) + (c.HasLegacyRollForward ? "+legacy" : "") + (c.UsesRidGraph ? "+ridgraph" : "") : null);
}
