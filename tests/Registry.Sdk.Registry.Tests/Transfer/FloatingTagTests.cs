using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>Floating tags go forwards only, judged from what they name in the registry now.</summary>
public sealed class FloatingTagTests(Registries registries) : IClassFixture<Registries>
{
    [Fact]
    public async Task A_backport_moves_its_own_line_and_not_latest_and_a_prerelease_nothing()
    {
        await using var bench = await Bench.CreateAsync(registries);
        var digests = new SortedDictionary<string, string>(StringComparer.Ordinal);
        var minute = 0;
        async Task ReleaseAsync(string version)
        {
            // Released later and from another commit each, whatever its number.
            bench.Request = bench.Request with { Derived = Bench.Facts(version, time: Bench.CommitTime.AddMinutes(++minute), commit: $"{minute}".PadLeft(40, '0')) };
            digests["v" + version] = (await bench.PublishAsync()).EnsureSucceeded().Digest;
        }

        foreach (var version in new[] { "1.9.7", "2.0.0", "1.9.8", "2.1.0-rc.1", "1.9.8-rc.2", "1.8.11" })
        {
            await ReleaseAsync(version);
        }

        Assert.Equal(6, digests.Values.Distinct().Count());
        var expected = new SortedDictionary<string, string>(digests, StringComparer.Ordinal)
        {
            ["v1"] = digests["v1.9.8"],
            ["v1.9"] = digests["v1.9.8"],
            ["v1.8"] = digests["v1.8.11"],
            ["v2"] = digests["v2.0.0"],
            ["v2.0"] = digests["v2.0.0"],
            ["latest"] = digests["v2.0.0"],
        };
        Assert.Equal(expected, await Seed.TagsAsync(bench.Open.Direct, bench.Name));
        Assert.Equal(expected, await Seed.TagsAsync(bench.Closed.Direct, bench.Name));
    }

    [Fact]
    public async Task A_branch_tag_follows_history_and_where_that_does_not_tell_the_clock()
    {
        await using var bench = await Bench.CreateAsync(registries);
        await using var repo = await GitRepo.CreateAsync();
        var first = await repo.CommitAsync();
        var second = await repo.CommitAsync(time: GitRepo.Epoch.AddDays(-1)); // a clock that went backwards does not matter where history tells
        await repo.CheckoutAsync(first);
        var rebased = await repo.CommitAsync(time: GitRepo.Epoch.AddDays(1));
        bench.Request = bench.Request with { ProjectDirectory = repo.Path };
        bench.Git = new GitCommandLine(CleanEnvironment.Create().Variables);
        async Task<(string Digest, TagPlan Main)> PushAsync(string commit, DateTimeOffset time)
        {
            bench.Request = bench.Request with { Derived = Bench.Facts(commit: commit, time: time) };
            var published = (await bench.PublishAsync()).EnsureSucceeded();
            return (published.Digest, published.Report.Plan!.Destinations[0].Tags.Single(t => t.Tag.Name == "main"));
        }

        var one = await PushAsync(first, GitRepo.Epoch);
        var two = await PushAsync(second, GitRepo.Epoch.AddDays(-1));
        Assert.Equal((TagAction.Create, TagAction.Move), (one.Main.Action, two.Main.Action));
        Assert.Contains("to its descendant", two.Main.Why);

        var repeated = await PushAsync(first, GitRepo.Epoch);
        Assert.Equal((TagAction.Keep, two.Digest), (repeated.Main.Action, (await Seed.TagsAsync(bench.Open.Direct, bench.Name))["main"]));
        Assert.Contains("names the later commit", repeated.Main.Why);

        var three = await PushAsync(rebased, GitRepo.Epoch.AddDays(1));
        Assert.Equal((TagAction.Move, three.Digest), (three.Main.Action, (await Seed.TagsAsync(bench.Open.Direct, bench.Name))["main"]));
        Assert.Contains("history does not tell", three.Main.Why);

        var older = await PushAsync(second, GitRepo.Epoch.AddDays(-1));
        Assert.Equal((TagAction.Keep, three.Digest), (older.Main.Action, (await Seed.TagsAsync(bench.Closed.Direct, bench.Name))["main"]));
        Assert.Equal(["main", .. new[] { first, second, rebased }.Select(c => $"main-{c[..7]}").Order(StringComparer.Ordinal)], (await Seed.TagsAsync(bench.Open.Direct, bench.Name)).Keys);
    }

    [Fact]
    public async Task Over_an_image_without_labels_the_tag_moves_with_a_warning()
    {
        await using var bench = await Bench.CreateAsync(registries);
        await Seed.PushAsync(bench.Open.Direct, bench.Name, "latest", new SeedImage { Salt = "unlabelled" });

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(["RSDK5008"], published.Codes);
        Assert.Equal(published.Digest, (await Seed.TagsAsync(bench.Open.Direct, bench.Name))["latest"]);
    }
}
