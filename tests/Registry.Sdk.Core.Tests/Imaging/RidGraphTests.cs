using System.Text;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Imaging;

public class RidGraphTests
{
    /// <summary>The .NET SDK's portable graph, cut down.</summary>
    internal static RidGraph Graph { get; } = RidGraph.Parse(Encoding.UTF8.GetBytes("""
        {"runtimes":{
          "base":{"#import":[]}, "any":{"#import":["base"]},
          "unix":{"#import":["any"]}, "unix-x64":{"#import":["unix"]}, "unix-arm64":{"#import":["unix"]}, "unix-arm":{"#import":["unix"]}, "unix-armv6":{"#import":["unix-arm"]},
          "linux":{"#import":["unix"]}, "linux-x64":{"#import":["linux","unix-x64"]}, "linux-arm64":{"#import":["linux","unix-arm64"]},
          "linux-arm":{"#import":["linux","unix-arm"]}, "linux-armv6":{"#import":["linux-arm","unix-armv6"]},
          "linux-musl":{"#import":["linux"]}, "linux-musl-x64":{"#import":["linux-musl","linux-x64"]}, "linux-musl-arm64":{"#import":["linux-musl","linux-arm64"]},
          "linux-bionic":{"#import":["linux"]}, "linux-bionic-x64":{"#import":["linux-bionic","linux-x64"]},
          "android":{"#import":["linux-bionic"]}, "android-x64":{"#import":["android","linux-bionic-x64"]},
          "osx":{"#import":["unix"]}, "osx-x64":{"#import":["osx","unix-x64"]},
          "win":{"#import":["any"]}, "win-x64":{"#import":["win"]}}}
        """))!;

    private static readonly Dictionary<string, string> None = [];

    private static RuntimeConfig Config(bool usesRidGraph) => new([], HasLegacyRollForward: false, usesRidGraph);

    [Theory]
    [InlineData("linux-x64", "any base linux linux-x64 unix unix-x64")]
    [InlineData("linux-musl-x64", "any base linux linux-musl linux-musl-x64 linux-x64 unix unix-x64")]
    [InlineData("win-x64", "any base win win-x64")]
    [InlineData("linux-x64 win-x64", "any base linux linux-x64 unix unix-x64 win win-x64")]
    [InlineData("", null)]
    [InlineData("debian.9-x64", null)]
    [InlineData("linux-x64 debian.9-x64", null)]
    [InlineData("Linux-x64", null)] // the host compares letter by letter
    public void What_is_reachable(string from, string? expected)
        => Assert.Equal(expected, Graph.From(from.Split(' ', StringSplitOptions.RemoveEmptyEntries)) is { } reached ? string.Join(' ', reached.Rids.Order(StringComparer.Ordinal)) : null);

    [Theory]
    // without a RID of the user: glibc and musl of the image's architecture
    [InlineData("", "amd64", null, "", "any base linux linux-musl linux-musl-x64 linux-x64 unix unix-x64")]
    [InlineData("", "arm64", null, "", "any base linux linux-arm64 linux-musl linux-musl-arm64 unix unix-arm64")]
    [InlineData("", "arm64", "v8", "", "any base linux linux-arm64 linux-musl linux-musl-arm64 unix unix-arm64")]
    [InlineData("", "arm", "v7", "", "any base linux linux-arm unix unix-arm")]
    [InlineData("", "arm", "v6", "", "any base linux linux-arm linux-armv6 unix unix-arm unix-armv6")]
    [InlineData("", "s390x", null, "", null)] // not in this graph
    [InlineData("linux-x64", "amd64", null, "", "any base linux linux-x64 unix unix-x64")]
    [InlineData("linux-x64", "amd64", null, "linux-musl-x64", "any base linux linux-musl linux-musl-x64 linux-x64 unix unix-x64")] // DOTNET_RUNTIME_ID
    [InlineData("linux-x64", "amd64", null, "rhel.8-x64", null)]
    public void The_rids_of_an_image(string rid, string architecture, string? variant, string runtimeId, string? expected)
    {
        var environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["DOTNET_RUNTIME_ID"] = runtimeId };
        var reached = Graph.ForImage(rid, new("linux", architecture, variant), environment, Config(usesRidGraph: false));
        Assert.Equal(expected, reached is null ? null : string.Join(' ', reached.Rids.Order(StringComparer.Ordinal)));
    }

    [Fact]
    public void An_application_that_asks_by_distribution_keeps_everything()
    {
        Assert.Null(Graph.ForImage("linux-x64", new("linux", "amd64"), None, Config(usesRidGraph: true)));
        Assert.NotNull(Graph.ForImage("linux-x64", new("linux", "amd64"), None, runtimeConfig: null));
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("any", true)]
    [InlineData("base", true)]
    [InlineData("unix", true)]
    [InlineData("linux", true)]
    [InlineData("linux-x64", true)]
    [InlineData("linux-musl-x64", false)]
    [InlineData("linux-arm64", false)]
    [InlineData("android-x64", false)]
    [InlineData("win", false)]
    [InlineData("win-x64", false)]
    [InlineData("osx-x64", false)]
    // not in the portable graph
    [InlineData("debian.9-x64", true)]
    [InlineData("rhel-x64", true)]
    [InlineData("alpine.3.6-x64", true)]
    [InlineData("ubuntu.16.04", true)]
    [InlineData("debian.9-arm64", false)]
    [InlineData("osx.10.12-x64", false)]
    [InlineData("osx.10.12", false)]
    [InlineData("win7-x64", false)]
    [InlineData("win10", false)]
    [InlineData("win10-x64-aot", false)]
    [InlineData("linux-x64-special", true)]
    [InlineData("Win-x64", true)]
    [InlineData("whatever", true)]
    public void What_a_glibc_image_keeps(string rid, bool expected) => Assert.Equal(expected, Graph.From(["linux-x64"])!.Keeps(rid));

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"runtimes":{}}""")]
    [InlineData("""{"runtimes":[]}""")]
    [InlineData("""{"runtimes":{"a":7}}""")]
    [InlineData("""{"runtimes":{"a":{"#import":"b"}}}""")]
    [InlineData("""{"runtimes":{"a":{"#import":[7]}}}""")]
    [InlineData("""{"runtimes":{"a":{"#import":[null]}}}""")]
    [InlineData("""{"runtimes":{"a":{"#import":[]},"a":{"#import":[]}}}""")]
    public void What_is_no_graph(string text) => Assert.Null(RidGraph.Parse(Encoding.UTF8.GetBytes(text)));

    [Fact]
    public void A_circle_ends() => Assert.Equal(2, RidGraph.Parse("""{"runtimes":{"a":{"#import":["b"]},"b":{"#import":["a"]}}}"""u8.ToArray())!.From(["a"])!.Rids.Count);
}
