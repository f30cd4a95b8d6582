using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Publishing;

/// <summary>What is published all the same, but is hardly meant.</summary>
public sealed class BuildWarningTests(Registries registries) : IClassFixture<Registries>
{
    [Theory]
    [InlineData("1.2.3", "Debug", true)]
    [InlineData("1.2.3-rc.1", "debug", true)]
    [InlineData("1.2.3", "Release", false)]
    [InlineData("", "Debug", false)]
    public async Task A_release_from_a_Debug_build_is_warned_of(string version, string configuration, bool warned)
    {
        await using var bench = await Bench.CreateAsync(registries);
        bench.Request = bench.Request with { Derived = Bench.Facts(version), Configuration = configuration };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(warned ? ["RSDK2010"] : [], published.Codes);
        Assert.NotEmpty(await Seed.TagsAsync(bench.Open.Direct, bench.Name));
    }

    [Theory]
    [InlineData("", true)]
    [InlineData("stable", false)]
    public async Task A_build_that_gets_no_tag_is_warned_of_and_can_be_pulled_by_digest(string tags, bool warned)
    {
        await using var bench = await Bench.CreateAsync(registries);
        bench.Request = bench.Request with { Derived = Bench.Facts("1.2.3", rules: [new("{branch}", "branch", "true")]), Destinations = [new($"{bench.Open.Host}/{bench.Name}", Tags: tags)] };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(warned ? ["RSDK2011"] : [], published.Codes);
        Assert.Equal(warned ? [] : ["stable"], (await Seed.TagsAsync(bench.Open.Direct, bench.Name)).Keys);
        Assert.NotNull(await Seed.ManifestAsync(bench.Open.Direct, bench.Name, published.Digest));
    }
}
