using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Cuts;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.Registry.Tests.Transfer;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Cuts;

/// <summary>Publishes of different commits at once. build/soak race runs more rounds with real processes.</summary>
public sealed class RaceTests
{
    private const int Seed = 20261122;

    private static readonly string Older = new('a', 40);
    private static readonly string Newer = new('b', 40);

    [Fact]
    public async Task Two_processes_that_publish_different_commits_at_once_never_leave_an_older_one_under_a_floating_tag_and_lose_nothing_in_silence()
    {
        const int Rounds = 12;
        await using var race = await Race.StartAsync();
        var results = new List<RaceResult>();
        for (var round = 1; round <= Rounds; round++)
        {
            results.Add(await race.RunAsync(round, Seed));
        }

        Assert.True(results.All(r => r.Wrong.Count == 0), string.Join('\n', results.SelectMany(r => r.Wrong.Select(w => $"{r.Name}: {w}"))) + "\n\n" + Race.Table(results));
        // Or they never met, and the rounds show nothing.
        Assert.NotEmpty(results.SelectMany(r => r.Overtaken));
    }

    /// <summary>What must not be after a round is not overlooked.</summary>
    [Fact]
    public async Task The_judge_of_the_race_sees_an_older_image_under_a_floating_tag_a_lost_tag_and_registries_that_differ()
    {
        await using var race = await Race.StartAsync();
        Func<IReadOnlyList<Place>, Task>[] tampering =
        [
            places => Task.WhenAll(places.Select(p => TestKit.Seed.TagAsync(p.Registry, p.Repository, "v1.0.0", "latest"))),
            async places => (await places[0].Registry.DeleteAsync(new Uri($"v2/{places[0].Repository}/manifests/v1.0.0", UriKind.Relative))).EnsureSuccessStatusCode(),
            places => TestKit.Seed.TagAsync(places[1].Registry, places[1].Repository, "v2.0.0", "surprise"),
        ];
        var wrong = new List<IReadOnlyList<string>>();
        for (var i = 0; i < tampering.Length; i++)
        {
            race.Ended = tampering[i];
            // A round of two commits, which repairs nothing of releases.
            wrong.Add((await race.RunAsync(3 + (6 * i), Seed)).Wrong);
        }

        Assert.Equal(2, wrong[0].Count(w => w.Contains(": latest names v1.0.0, and not v2.0.0", StringComparison.Ordinal)));
        Assert.Single(wrong[1], w => w.Contains(": v1.0.0 names nothing, and not v1.0.0", StringComparison.Ordinal));
        Assert.Single(wrong[2], w => w.Contains(": surprise names v2.0.0, and not nothing", StringComparison.Ordinal));
    }

    /// <summary>
    /// A registry that asks for patience, or loses an answer, gives a newer publish all the time it needs: what was seen before the wait does not hold after
    /// it. The older one leaves the tag alone, and says so in its receipt, or by an error and what is pending.
    /// </summary>
    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    public async Task An_older_publish_that_had_to_wait_with_a_tag_looks_again_before_it_writes_it(int status)
    {
        await using var bench = await CommitBench.StartAsync();
        var (older, newer) = await OvertakeAsync(bench, status);

        Assert.Equal((newer.Digest, newer.Digest), ((await bench.TagsAsync())["v1"], (await bench.TagsAsync())["latest"]));
        var told = older.Report.Transfer!.Destinations[0].Tags.Single(t => t.Tag.Name == "v1").State;
        Assert.Equal(older.Report.Succeeded ? TagState.Kept : TagState.Pending, told);
        Assert.True(older.Report.Succeeded || older.Errors.Any(e => e.Message.Contains(newer.Digest, StringComparison.Ordinal)), string.Join('\n', older.Errors));
        var again = (await CommitBench.PublishAsync(bench.Request("1.1.0", Older, minute: 5))).EnsureSucceeded();
        Assert.Equal(TagState.Kept, again.Report.Transfer!.Destinations[0].Tags.Single(t => t.Tag.Name == "v1").State);
        Assert.Equal((newer.Digest, newer.Digest), ((await bench.TagsAsync())["v1"], (await bench.TagsAsync())["latest"]));
    }

    /// <summary>
    /// What nobody can see without compare-and-swap: the newer publish, tag list and all, began before the older one planned and ended while the older
    /// one's write was on its way. The tag is older then until somebody publishes: the newer commit again, or what comes after both.
    /// </summary>
    [Theory]
    [InlineData("1.2.0")]
    [InlineData("1.3.0")]
    public async Task A_tag_that_an_older_write_took_back_after_the_newer_publish_had_ended_is_right_again_after_the_next_publish_of_what_is_newer(string next)
    {
        await using var bench = await CommitBench.StartAsync();
        await OvertakeAsync(bench, lateAnswer: 0);

        var last = (await CommitBench.PublishAsync(bench.Request(next, next == "1.2.0" ? Newer : new('c', 40), minute: next == "1.2.0" ? 9 : 20))).EnsureSucceeded();

        Assert.Equal((last.Digest, last.Digest), ((await bench.TagsAsync())["v1"], (await bench.TagsAsync())["latest"]));
    }

    /// <summary>1.1.0 is planned while 1.2.0 stands between its immutable tag and v1, and its own write of v1 arrives when 1.2.0 has ended.</summary>
    /// <param name="bench">Where.</param>
    /// <param name="lateAnswer">What the late write is answered with, undone; 0: it is done.</param>
    private static async Task<(Published Older, Published Newer)> OvertakeAsync(CommitBench bench, int lateAnswer)
    {
        (await CommitBench.PublishAsync(bench.Request("1.0.0"))).EnsureSucceeded();
        var isOnItsWay = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var hasNewerEnded = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var hang = TimeSpan.FromMinutes(1);
        Task<Published>? older = null;
        var puts = 0;
        bench.Intercept = async (_, context) =>
        {
            if (!CommitBench.IsPut(context, "v1"))
            {
                return false;
            }

            switch (Interlocked.Increment(ref puts))
            {
                case 1:
                    older = CommitBench.PublishAsync(bench.Request("1.1.0", Older, minute: 5));
                    await isOnItsWay.Task.WaitAsync(hang);
                    return false;
                case 2:
                    isOnItsWay.SetResult();
                    await hasNewerEnded.Task.WaitAsync(hang);
                    if (lateAnswer == 0)
                    {
                        return false;
                    }

                    context.Response.Headers.RetryAfter = "30";
                    return await Answers.WithAsync(context, lateAnswer, "application/json", "{}");
                default:
                    return false;
            }
        };
        var newer = (await CommitBench.PublishAsync(bench.Request("1.2.0", Newer, minute: 9))).EnsureSucceeded();
        Assert.Equal(newer.Digest, (await bench.TagsAsync())["v1"]);
        hasNewerEnded.SetResult();
        return (await older!, newer);
    }
}
