using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Registry.Tests.Publishing;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>Who cancels gets an answer within two seconds; before the first tag all is old, and after it what is unfinished is named.</summary>
public sealed class CancellationTests
{
    // Two seconds are promised of a machine that does nothing else (REGISTRY_SDK_SWEEP=1). Elsewhere it is enough that nobody waits for a registry's answer, which has 100.
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(SweepTests.IsWhole ? 2 : 30);

    public static TheoryData<string> Before => ["plan", "push right", "blob", "manifest"];

    [Theory]
    [MemberData(nameof(Before))]
    public async Task Before_the_first_tag_it_stops_at_once_and_everything_is_old(string where)
    {
        await using var bench = await CommitBench.StartAsync(2);
        var (published, elapsed) = await CancelAsync(bench, context => where switch
        {
            "plan" => context.Request.Method == "HEAD" && context.Request.Path.Value!.EndsWith("/manifests/latest", StringComparison.Ordinal),
            "push right" => context.Request.Method == "POST",
            "blob" => context.Request.Method == "PUT" && context.Request.Path.Value!.Contains("/blobs/", StringComparison.Ordinal),
            _ => context.Request.Method == "PUT" && context.Request.Path.Value!.Contains("/manifests/sha256:", StringComparison.Ordinal),
        });

        Assert.InRange(elapsed, TimeSpan.Zero, Patience);
        Assert.Contains("RSDK6003", published.Codes);
        Assert.Empty(await bench.TagsAsync(0));
        Assert.Empty(await bench.TagsAsync(1));
    }

    [Fact]
    public async Task Among_the_tags_the_destination_that_hangs_is_named_pending_and_the_other_is_finished()
    {
        await using var bench = await CommitBench.StartAsync(2);
        var request = bench.Request("1.2.3");
        // Of the last round, so that the other destination has its tags of that round while this one hangs.
        var (published, elapsed) = await CancelAsync(bench, context => CommitBench.IsPut(context, "latest") && context.Request.Host.Value == bench.Servers[1].Host, request);

        Assert.InRange(elapsed, TimeSpan.FromSeconds(1), Patience);
        Assert.Contains("RSDK6003", published.Codes);
        Assert.Contains($"pending: {bench.Servers[1].Host}/team/app: latest", published.Errors.Single(e => e.Code == "RSDK6003").Message);
        Assert.All(published.Report.Transfer!.Destinations[0].Tags, t => Assert.Equal(TagState.Created, t.State));
        Assert.Contains("\"pending\"", await File.ReadAllTextAsync(CommitBench.Journal(request)));
        Assert.Contains("\"pending\"", published.Receipt);

        bench.Intercept = null;
        (await CommitBench.PublishAsync(bench.Request("1.2.3"))).EnsureSucceeded();
        Assert.Equal(4, (await bench.TagsAsync(1)).Count);
    }

    /// <summary>A moment is enough for tags: what was begun is mostly finished, and who cancelled is told both.</summary>
    [Fact]
    public async Task Among_the_tags_of_registries_that_answer_everything_is_finished()
    {
        await using var bench = await CommitBench.StartAsync(2);
        using var cancel = new CancellationTokenSource();
        bench.Intercept = (_, context) =>
        {
            if (CommitBench.IsTagPut(context))
            {
                cancel.Cancel();
            }

            return Task.FromResult(false);
        };

        var published = await CommitBench.PublishAsync(bench.Request("1.2.3"), cancel.Token);

        Assert.Contains("after all images and tags were written", Assert.Single(published.Errors).Message);
        Assert.All(new[] { await bench.TagsAsync(0), await bench.TagsAsync(1) }, t => Assert.Equal(4, t.Count));
    }

    /// <summary>Publishes until a request is there that is never answered, cancels then, and tells how long the rest took.</summary>
    private static async Task<(Published Published, TimeSpan Elapsed)> CancelAsync(CommitBench bench, Func<HttpContext, bool> hangs, Core.PublishRequest? request = null)
    {
        using var cancel = new CancellationTokenSource();
        using var over = new CancellationTokenSource();
        var hangsNow = new TaskCompletionSource();
        bench.Intercept = async (_, context) =>
        {
            if (!hangs(context))
            {
                return false;
            }

            hangsNow.TrySetResult();
            await Task.Delay(Timeout.Infinite, CancellationTokenSource.CreateLinkedTokenSource(context.RequestAborted, over.Token).Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            context.Abort();
            return true;
        };

        var publishing = CommitBench.PublishAsync(request ?? bench.Request("1.2.3"), cancel.Token);
        await hangsNow.Task.WaitAsync(TimeSpan.FromSeconds(60));
        await Task.Delay(200); // so that the other registry has got as far
        var clock = Stopwatch.StartNew();
        await cancel.CancelAsync();
        var published = await publishing;
        var elapsed = clock.Elapsed;
        await over.CancelAsync();
        return (published, elapsed);
    }
}
