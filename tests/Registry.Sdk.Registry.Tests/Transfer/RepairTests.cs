using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>
/// Registries have no compare-and-swap. Whatever two publishes do to one floating tag in the same moment, it ends at the newest image, and what
/// happened is said.
/// </summary>
public sealed class RepairTests
{
    private static readonly string Older = new('a', 40);
    private static readonly string Newer = new('b', 40);

    /// <summary>A whole publish of something newer runs between our look at the tag and our write of it.</summary>
    [Theory]
    [InlineData("latest")]
    [InlineData("v1")]
    [InlineData("main")]
    public async Task A_newer_image_that_came_between_look_and_write_gets_the_tag_back(string tag)
    {
        await using var bench = await CommitBench.StartAsync();
        var isBranch = tag == "main";
        (await CommitBench.PublishAsync(isBranch ? bench.Request("", commit: new('9', 40)) : bench.Request("1.0.0"))).EnsureSucceeded();
        Published? newer = null;
        var once = 0;
        bench.Intercept = async (_, context) =>
        {
            if (CommitBench.IsPut(context, tag) && Interlocked.Exchange(ref once, 1) == 0)
            {
                newer = (await CommitBench.PublishAsync(isBranch ? bench.Request("", Newer, minute: 9) : bench.Request("1.2.0", Newer, minute: 9))).EnsureSucceeded();
            }

            return false;
        };

        var ours = (await CommitBench.PublishAsync(isBranch ? bench.Request("", Older, minute: 5) : bench.Request("1.1.0", Older, minute: 5))).EnsureSucceeded();

        Assert.Equal(newer!.Digest, (await bench.TagsAsync())[tag]);
        var result = ours.Report.Transfer!.Destinations[0].Tags.Single(t => t.Tag.Name == tag);
        Assert.Equal((TagState.Repaired, newer.Digest), (result.State, result.Now!.ToString()));
        Assert.Contains(isBranch ? "main-bbbbbbb" : "v1.2.0", result.Why);
        var line = Assert.Single(ours.Reporting.ConsoleLines, l => l.Contains($": {tag} moved from ", StringComparison.Ordinal));
        Assert.Contains($" to {ours.Digest}, and on to {newer.Digest} (", line);
        Assert.Contains("\"repaired\"", ours.Receipt);
        // The others are where each line has its newest.
        var tags = await bench.TagsAsync();
        Assert.All(tags.Where(t => !isBranch && t.Key is "latest" or "v1"), t => Assert.Equal(newer.Digest, t.Value));
        Assert.Equal(ours.Digest, tags[isBranch ? "main-aaaaaaa" : "v1.1"]);
    }

    /// <summary>Who moved a tag back by hand meant it: only what is new since the plan is a reason to move on.</summary>
    [Fact]
    public async Task What_was_there_when_it_was_planned_does_not_get_a_tag_that_was_moved_back_by_hand()
    {
        await using var bench = await CommitBench.StartAsync();
        (await CommitBench.PublishAsync(bench.Request("1.9.7"))).EnsureSucceeded();
        (await CommitBench.PublishAsync(bench.Request("2.0.0", Newer))).EnsureSucceeded();
        await Seed.TagAsync(bench.Clients[0], CommitBench.Repository, "v1.9.7", "latest");

        var backport = (await CommitBench.PublishAsync(bench.Request("1.9.8", Older))).EnsureSucceeded();

        Assert.Equal(backport.Digest, (await bench.TagsAsync())["latest"]);
        Assert.All(backport.Report.Transfer!.Destinations[0].Tags, t => Assert.NotEqual(TagState.Repaired, t.State));
    }

    /// <summary>A slower publish of something older looked before us, and writes after us; its list of tags had ours already, so it does not repair.</summary>
    [Fact]
    public async Task A_tag_that_an_older_publish_took_back_after_we_wrote_it_is_written_again()
    {
        await using var bench = await CommitBench.StartAsync();
        (await CommitBench.PublishAsync(bench.Request("1.0.0"))).EnsureSucceeded();
        var looks = 0;
        bench.Intercept = async (_, context) =>
        {
            // After v1 was written and read back, while latest is looked at.
            if (CommitBench.IsHead(context, "latest") && Interlocked.Increment(ref looks) == 2)
            {
                await Seed.TagAsync(bench.Clients[0], CommitBench.Repository, "v1.0.0", "v1.1", "v1");
                await Seed.PushAsync(bench.Clients[0], CommitBench.Repository, "v1", CommitBench.Labelled("1.0.9"));
            }

            return false;
        };

        var ours = (await CommitBench.PublishAsync(bench.Request("1.1.0", Newer))).EnsureSucceeded();

        Assert.True(looks >= 2);
        Assert.Equal(ours.Digest, (await bench.TagsAsync())["v1"]);
    }

    [Fact]
    public async Task A_registry_that_shows_late_what_was_written_is_waited_for()
    {
        await using var bench = await CommitBench.StartAsync();
        var old = (await CommitBench.PublishAsync(bench.Request("1.0.0"))).EnsureSucceeded().Digest;
        var stale = 0;
        var written = false;
        bench.Intercept = (_, context) =>
        {
            written |= CommitBench.IsPut(context, "latest");
            if (written && CommitBench.IsHead(context, "latest") && Interlocked.Increment(ref stale) <= 2)
            {
                return CommitBench.NamesAsync(context, old);
            }

            return Task.FromResult(false);
        };

        var ours = (await CommitBench.PublishAsync(bench.Request("1.1.0", Newer))).EnsureSucceeded();

        Assert.True(stale > 2);
        Assert.Equal(TagState.Moved, ours.Report.Transfer!.Destinations[0].Tags.Single(t => t.Tag.Name == "latest").State);
        Assert.Equal(1, bench.Servers[0].Requests.Count(r => r.Method == "PUT" && r.PathAndQuery.EndsWith("/manifests/latest", StringComparison.Ordinal)) - 1); // the first publish's
    }

    [Theory]
    [InlineData("0.9.0", false)] // older than ours: ours again
    [InlineData("9.9.9", true)] // newer: it stays
    public async Task A_third_digest_right_after_the_write_is_another_publish_and_the_newer_one_stays(string theirs, bool stays)
    {
        await using var bench = await CommitBench.StartAsync();
        (await CommitBench.PublishAsync(bench.Request("0.1.0"))).EnsureSucceeded();
        var once = 0;
        var written = false;
        var other = "";
        bench.Intercept = async (_, context) =>
        {
            if (written && CommitBench.IsHead(context, "latest") && Interlocked.Exchange(ref once, 1) == 0)
            {
                other = await Seed.PushAsync(bench.Clients[0], CommitBench.Repository, "latest", CommitBench.Labelled(theirs));
            }

            written |= CommitBench.IsPut(context, "latest");
            return false;
        };

        var ours = (await CommitBench.PublishAsync(bench.Request("1.1.0", Newer))).EnsureSucceeded();

        Assert.Equal(1, once);
        Assert.Equal(stays ? other : ours.Digest, (await bench.TagsAsync())["latest"]);
        var result = ours.Report.Transfer!.Destinations[0].Tags.Single(t => t.Tag.Name == "latest");
        Assert.Equal(stays ? TagState.Kept : TagState.Moved, result.State);
        Assert.Equal(stays ? other : ours.Digest, result.Now!.ToString());
    }

    [Fact]
    public async Task An_immutable_tag_that_another_publish_wrote_in_the_same_moment_is_an_error_and_the_rest_pending()
    {
        await using var bench = await CommitBench.StartAsync();
        var written = false;
        var once = 0;
        bench.Intercept = async (_, context) =>
        {
            if (written && context.Request.Method == "HEAD" && context.Request.Path.Value!.EndsWith("/manifests/v1.1.0", StringComparison.Ordinal) && Interlocked.Exchange(ref once, 1) == 0)
            {
                await Seed.PushAsync(bench.Clients[0], CommitBench.Repository, "v1.1.0", CommitBench.Labelled("1.1.0"));
            }

            written |= CommitBench.IsPut(context, "v1.1.0");
            return false;
        };

        var ours = await CommitBench.PublishAsync(bench.Request("1.1.0", Newer));

        Assert.Equal(["RSDK6002", "RSDK6004"], ours.Errors.Select(e => e.Code).Order(StringComparer.Ordinal));
        Assert.Equal(["v1.1.0"], (await bench.TagsAsync()).Keys);
    }

    /// <summary>Twenty-five rounds; REGISTRY_SDK_RACE_ROUNDS says another number.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Two_publishes_at_once_never_leave_an_older_image_under_a_floating_tag(bool releases)
    {
        var rounds = int.TryParse(Environment.GetEnvironmentVariable("REGISTRY_SDK_RACE_ROUNDS"), out var given) ? given : 25;
        await using var bench = await CommitBench.StartAsync(2);
        for (var round = 1; round <= rounds; round++)
        {
            var (first, second) = releases
                ? (bench.Request($"1.{round}.0", Commit(2 * round)), bench.Request($"1.{round}.1", Commit((2 * round) + 1)))
                : (bench.Request("", Commit(2 * round), 2 * round), bench.Request("", Commit((2 * round) + 1), (2 * round) + 1));
            var random = new Random(round);
            var (early, late) = (random.Next(30), random.Next(30));

            var published = await Task.WhenAll(DelayedAsync(first, early), DelayedAsync(second, late));

            Assert.All(published, p => p.EnsureSucceeded());
            foreach (var server in new[] { 0, 1 })
            {
                var tags = await bench.TagsAsync(server);
                foreach (var floating in releases ? new[] { $"v1.{round}", "v1", "latest" } : ["main"])
                {
                    Assert.True(published[1].Digest == tags[floating], $"round {round}: {floating} names {(tags[floating] == published[0].Digest ? "the older" : tags[floating])}\n{string.Join('\n', published.SelectMany(p => p.Log).Where(l => l.Contains(floating, StringComparison.Ordinal)))}");
                }

                // Nothing lost: what is under an immutable tag is what its publish made.
                Assert.Equal(published[0].Digest, tags[releases ? $"v1.{round}.0" : $"main-{Commit(2 * round)[..7]}"]);
                Assert.Equal(published[1].Digest, tags[releases ? $"v1.{round}.1" : $"main-{Commit((2 * round) + 1)[..7]}"]);
            }
        }

        static string Commit(int number) => number.ToString("x7", System.Globalization.CultureInfo.InvariantCulture).PadRight(40, '0');

        static async Task<Published> DelayedAsync(Core.PublishRequest request, int milliseconds)
        {
            await Task.Delay(milliseconds);
            return await CommitBench.PublishAsync(request);
        }
    }
}
