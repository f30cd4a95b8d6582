using System.Collections.Concurrent;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>A tag is looked at right before it is written. Where the write has to wait after that, for a minute or two, the look is worth nothing any more.</summary>
public sealed class LateWriteTests
{
    [Theory]
    [InlineData("v1.2.3")]
    [InlineData("latest")]
    public async Task A_tag_that_somebody_else_wrote_while_a_limit_was_waited_for_is_not_overwritten(string tag)
    {
        await using var bench = await CommitBench.StartAsync();
        (await CommitBench.PublishAsync(bench.Request("1.0.0", new('9', 40)))).EnsureSucceeded();
        var (theirs, once) = ("", 0);
        bench.Intercept = async (_, context) =>
        {
            if (!CommitBench.IsPut(context, tag) || Interlocked.Exchange(ref once, 1) != 0)
            {
                return false;
            }

            theirs = await Seed.PushAsync(bench.Clients[0], CommitBench.Repository, tag, new SeedImage { Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["org.opencontainers.image.version"] = "9.0.0" } });
            context.Response.Headers.RetryAfter = "60";
            return await Answers.WithAsync(context, 429, "application/json", """{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}""");
        };

        var published = await CommitBench.PublishAsync(bench.Request("1.2.3"));

        Assert.Contains(bench.Time.Waits, w => w >= TimeSpan.FromSeconds(60));
        Assert.Equal(theirs, (await bench.TagsAsync())[tag]);
        if (tag == "latest")
        {
            // A floating tag is decided anew: theirs is newer, and stays.
            published.EnsureSucceeded();
            Assert.Contains(published.Report.Transfer!.Destinations[0].Tags, t => t is { Tag.Name: "latest", State: TagState.Kept, Why: "names the newer 9.0.0" });
            return;
        }

        Assert.Contains($"names {theirs} by now, which another publish did", published.Errors[0].Message);
        Assert.Contains($"{tag}", published.Errors.Single(e => e.Code == "RSDK6002").Message);
    }

    /// <summary>The limit was told to another request, of another repository perhaps, and held this one back after its look.</summary>
    [Fact]
    public async Task A_tag_that_somebody_else_wrote_while_anothers_limit_was_waited_for_is_not_overwritten()
    {
        var (ours, theirs) = (Wire.Manifest("ours"), Wire.Manifest("theirs"));
        ManifestContent? names = null;
        var isLimited = true;
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            if (context.Request.Path.Value!.EndsWith("/limited", StringComparison.Ordinal) && isLimited)
            {
                isLimited = false;
                context.Response.Headers.RetryAfter = "60";
                return Wire.ErrorAsync(context, 429, "TOOMANYREQUESTS", "slow down");
            }

            if (HttpMethods.IsPut(context.Request.Method))
            {
                names = ours;
                context.Response.StatusCode = 201;
                return Task.CompletedTask;
            }

            return names is null ? Wire.ErrorAsync(context, 404, "MANIFEST_UNKNOWN", "no") : RetryTests.ManifestAsync(context, names);
        });
        var time = new StoppedTime();
        using var resilience = RetryTests.Resilience(time);
        using var wire = new Wire(registry.Address, resilience: resilience);
        var client = wire.Open();
        Assert.Null(await client.FindManifestAsync("v1", CancellationToken.None));
        var limited = wire.Open("team/other").GetManifestAsync("limited", CancellationToken.None);
        await time.TimersAsync(1);
        var put = client.PutManifestAsync("v1", ours, CancellationToken.None);
        await time.TimersAsync(2);
        names = theirs;

        time.GoOn(TimeSpan.FromSeconds(62));

        var failed = await Wire.FailsAsync(RegistryFailure.TakenMeanwhile, () => put);
        Assert.Contains($"v1 names {theirs.Descriptor.Digest} by now", failed.Message, StringComparison.Ordinal);
        Assert.Equal(theirs, names);
        await limited;
    }

    /// <summary>A clock that stands still until it is told to go on.</summary>
    private sealed class StoppedTime : TimeProvider
    {
        private readonly ConcurrentQueue<(TimerCallback Callback, object? State)> _timers = new();
        private long _ticks = new DateTimeOffset(2026, 11, 22, 12, 0, 0, TimeSpan.Zero).Ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override DateTimeOffset GetUtcNow() => new(Interlocked.Read(ref _ticks), TimeSpan.Zero);

        public override long GetTimestamp() => Interlocked.Read(ref _ticks);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _timers.Enqueue((callback, state));
            return new Timer();
        }

        /// <summary>Comes back when so many waits have begun.</summary>
        public async Task TimersAsync(int count)
        {
            using var guard = new CancellationTokenSource(TimeSpan.FromMinutes(2));
            while (_timers.Count < count)
            {
                await Task.Delay(10, guard.Token);
            }
        }

        public void GoOn(TimeSpan time)
        {
            Interlocked.Add(ref _ticks, time.Ticks);
            foreach (var (callback, state) in _timers)
            {
                callback(state);
            }
        }

        private sealed class Timer : ITimer
        {
            public bool Change(TimeSpan dueTime, TimeSpan period) => true;

            public void Dispose()
            {
            }

            public ValueTask DisposeAsync() => default;
        }
    }
}
