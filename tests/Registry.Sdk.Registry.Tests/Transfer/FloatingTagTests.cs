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

    /// <summary>Our place in the order comes from the version that was computed; a label can say anything.</summary>
    [Fact]
    public async Task A_label_of_the_users_own_does_not_make_an_older_version_newer()
    {
        await using var bench = await Bench.CreateAsync(registries);
        bench.Request = bench.Request with { Derived = Bench.Facts("2.0.0") };
        var newer = (await bench.PublishAsync()).EnsureSucceeded().Digest;
        bench.Platform = bench.Platform with { UserLabels = [new("org.opencontainers.image.version", "9.0.4")] };
        bench.Request = bench.Request with { Derived = Bench.Facts("1.3.9") };

        var older = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal("9.0.4", older.Image.Platforms[0].Labels["org.opencontainers.image.version"]);
        foreach (var target in new[] { bench.Open, bench.Closed })
        {
            var tags = await Seed.TagsAsync(target.Direct, bench.Name);
            Assert.Equal((newer, newer, older.Digest), (tags["latest"], tags["v2"], tags["v1"]));
        }
    }

    /// <summary>What the base image says of itself is not said of the image on it, with our labels or without.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task The_labels_that_identify_the_base_image_are_not_inherited(bool labels)
    {
        await using var bench = await Bench.CreateAsync(registries);
        const string Prefix = "org.opencontainers.image.";
        await Seed.PushAsync(bench.Base.Direct, bench.Name, "base", new SeedImage
        {
            Salt = bench.Name,
            Labels = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                [Prefix + "version"] = "9.0.4",
                [Prefix + "revision"] = new string('b', 40),
                [Prefix + "source"] = "https://base.example/source",
                [Prefix + "created"] = "2020-01-01T00:00:00Z",
                [Prefix + "ref.name"] = "base",
                [Prefix + "base.name"] = "base.example/below",
                [Prefix + "base.digest"] = "sha256:" + new string('b', 64),
                [Prefix + "vendor"] = "Base Corp",
            },
        });
        bench.Platform = bench.Platform with { BaseRepository = bench.Name, BaseTag = "base" };
        bench.Request = bench.Request with { Labels = labels ? new() : new(false, false, false, false, false) };
        async Task<Published> ReleaseAsync(string version)
        {
            bench.Write("api.dll", version); // without labels the images would differ in nothing
            bench.Request = bench.Request with { Derived = Bench.Facts(version) };
            return (await bench.PublishAsync()).EnsureSucceeded();
        }

        var newer = await ReleaseAsync("2.0.0");
        var older = await ReleaseAsync("1.3.9");

        var written = newer.Image.Platforms[0].Labels;
        Assert.Equal("Base Corp", written[Prefix + "vendor"]);
        Assert.DoesNotContain(written, l => l.Key is Prefix + "source" or Prefix + "ref.name" or Prefix + "base.name" || l.Value is "9.0.4" or "2020-01-01T00:00:00Z" || l.Value.Contains("bbbb", StringComparison.Ordinal));
        Assert.Equal(labels ? ("2.0.0", Bench.Commit) : (null, null), (written.GetValueOrDefault(Prefix + "version"), written.GetValueOrDefault(Prefix + "revision")));
        // Without labels nobody can tell what latest names: it moves, with a warning for each destination.
        Assert.Equal(labels ? [] : ["RSDK5008", "RSDK5008"], older.Codes);
        Assert.Equal((labels ? newer : older).Digest, (await Seed.TagsAsync(bench.Open.Direct, bench.Name))["latest"]);
    }

    [Theory]
    [InlineData("v9.0.0", false)]
    [InlineData("9.0.0", true)]
    public async Task Latest_stays_on_a_newer_version_written_with_a_v_or_beside_an_attestation(string version, bool attestation)
    {
        await using var bench = await Bench.CreateAsync(registries);
        var there = await Seed.PushAsync(bench.Open.Direct, bench.Name, "latest", new SeedImage
        {
            Salt = "other",
            Index = attestation,
            Attestation = attestation,
            Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["org.opencontainers.image.version"] = version },
        });
        bench.Request = bench.Request with { Derived = Bench.Facts("1.4.2"), Destinations = [new($"{bench.Open.Host}/{bench.Name}")] };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Empty(published.Codes);
        var tags = await Seed.TagsAsync(bench.Open.Direct, bench.Name);
        Assert.Equal((there, published.Digest), (tags["latest"], tags["v1"]));
        Assert.Contains("names the newer 9.0.0", published.Report.Plan!.Destinations[0].Tags.Single(t => t.Tag.Name == "latest").Why);
    }
}
