using System.Collections.Concurrent;
using System.Diagnostics;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>What is asked again, what is not, how long is waited, and when a host is given up on.</summary>
public sealed class RetryTests
{
    private static readonly ManifestContent Image = Wire.Manifest("image");

    [Theory]
    [InlineData("408")]
    [InlineData("500")]
    [InlineData("502")]
    [InlineData("503")]
    [InlineData("504")]
    [InlineData("502 and a web page")]
    [InlineData("reset")]
    [InlineData("cut body")]
    [InlineData("silence")]
    public async Task What_may_pass_is_asked_again_after_a_second(string fault)
    {
        var time = new InstantTime();
        var asked = 0;
        await using var registry = await LoopbackServer.StartAsync((context, _) => Interlocked.Increment(ref asked) == 1 ? FailAsync(context, fault) : ManifestAsync(context, Image));
        using var resilience = Resilience(time);
        using var wire = new Wire(registry.Address, seconds: fault == "silence" ? 0.5 : 100, resilience: resilience);

        var found = await wire.Open().GetManifestAsync("1", CancellationToken.None);

        Assert.Equal(Image.Descriptor, found?.Descriptor);
        Assert.Equal(2, asked);
        Assert.Equal([TimeSpan.FromSeconds(1)], time.Waits);
    }

    [Theory]
    [InlineData("501")]
    [InlineData("400")]
    [InlineData("404 and a web page")]
    [InlineData("no HTTP")]
    public async Task What_stays_so_fails_at_once(string fault)
    {
        var time = new InstantTime();
        await using var registry = await LoopbackServer.StartAsync((context, _) => FailAsync(context, fault));
        using var resilience = Resilience(time);
        using var wire = new Wire(registry.Address, fault == "no HTTP" ? "https" : "http", resilience: resilience);

        var failed = await Assert.ThrowsAsync<RegistryException>(() => wire.Open().GetManifestAsync("1", CancellationToken.None));

        Assert.DoesNotContain("tried", failed.Message, StringComparison.Ordinal);
        Assert.True(registry.Requests.Count <= 1);
        Assert.Empty(time.Waits);
    }

    [Theory]
    [InlineData("503", "RSDK6001")]
    [InlineData("reset", "RSDK5001")]
    [InlineData("429", "RSDK6006")]
    public async Task What_goes_on_failing_ends_as_before_and_says_how_often_it_was_tried(string fault, string code)
    {
        var time = new InstantTime();
        await using var registry = await LoopbackServer.StartAsync((context, _) => FailAsync(context, fault));
        using var resilience = Resilience(time);
        using var wire = new Wire(registry.Address, resilience: resilience);

        var failed = await Assert.ThrowsAsync<RegistryException>(() => wire.Open().GetManifestAsync("1", CancellationToken.None));

        Assert.Equal(5, registry.Requests.Count);
        Assert.Equal(fault == "429" ? [5, 10, 20, 40] : [1, 2, 4, 8], time.Waits.Select(w => w.TotalSeconds));
        Assert.EndsWith($"It was tried 5 times within {(fault == "429" ? 75 : 15)} seconds.", failed.Message, StringComparison.Ordinal);
        var told = RegistryErrors.AtDestination(failed, "there");
        Assert.Equal(code, told.Code);
        Assert.Contains("It was tried 5 times", told.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(0.0, 0.75)]
    [InlineData(1.0, 1.25)]
    public async Task Waits_are_not_all_of_one_length(double random, double seconds)
    {
        var time = new InstantTime();
        var asked = 0;
        await using var registry = await LoopbackServer.StartAsync((context, _) => Interlocked.Increment(ref asked) == 1 ? FailAsync(context, "503") : ManifestAsync(context, Image));
        using var resilience = Resilience(time, random: () => random);
        using var wire = new Wire(registry.Address, resilience: resilience);

        await wire.Open().GetManifestAsync("1", CancellationToken.None);

        Assert.Equal([TimeSpan.FromSeconds(seconds)], time.Waits);
    }

    [Theory]
    [InlineData("standard", 7)]
    [InlineData("GHCR", 12)]
    [InlineData("Docker Hub's epoch", 30)]
    [InlineData("GHCR's 403", 5)]
    [InlineData("GHCR's 403 with a wait", 60)]
    public async Task A_limit_is_waited_for_as_the_registry_asks_and_said_once(string form, int seconds)
    {
        var time = new InstantTime();
        var said = new ConcurrentQueue<string>();
        var asked = 0;
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            if (Interlocked.Increment(ref asked) % 2 == 0)
            {
                return ManifestAsync(context, Image);
            }

            switch (form)
            {
                case "standard":
                    context.Response.Headers.RetryAfter = "7";
                    return Wire.ErrorAsync(context, 429, "TOOMANYREQUESTS", "slow down");
                case "GHCR":
                    return Wire.ErrorAsync(context, 429, "TOOMANYREQUESTS", "retry-after: 12s, allowed: 44000/minute");
                case "Docker Hub's epoch":
                    context.Response.Headers["X-Retry-After"] = $"{DateTimeOffset.UtcNow.AddSeconds(30).ToUnixTimeSeconds()}";
                    return Wire.ErrorAsync(context, 429, "TOOMANYREQUESTS", "slow down");
                case "GHCR's 403 with a wait":
                    context.Response.Headers.RetryAfter = "60";
                    goto default;
                default:
                    return Wire.ErrorAsync(context, 403, "DENIED", "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.");
            }
        });
        using var resilience = Resilience(time, said.Enqueue, random: () => 0);
        using var wire = new Wire(registry.Address, resilience: resilience);

        await wire.Open().GetManifestAsync("1", CancellationToken.None);

        var first = Assert.Single(time.Waits).TotalSeconds;
        Assert.InRange(first, form == "GHCR's 403" ? 3.75 : seconds - 1, seconds);
        var line = Assert.Single(said);
        Assert.StartsWith($"{registry.Address}: waiting ", line, StringComparison.Ordinal);
        if (seconds < 60)
        {
            await wire.Open().GetManifestAsync("1", CancellationToken.None);
            Assert.Single(said);
        }
    }

    [Fact]
    public async Task A_limit_that_lasts_longer_than_the_budget_is_not_waited_for_and_stops_nothing_else()
    {
        var time = new InstantTime();
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            if (context.Request.Path.Value!.EndsWith("/other", StringComparison.Ordinal))
            {
                return ManifestAsync(context, Image);
            }

            context.Response.Headers.RetryAfter = "18000";
            return Wire.ErrorAsync(context, 429, "TOOMANYREQUESTS", "You have reached your pull rate limit.");
        });
        using var resilience = Resilience(time);
        using var wire = new Wire(registry.Address, resilience: resilience);

        var failed = await Wire.FailsAsync(RegistryFailure.Throttled, () => wire.Open().GetManifestAsync("1", CancellationToken.None));

        Assert.EndsWith("asks to wait 5 hours.", failed.Message, StringComparison.Ordinal);
        Assert.Single(registry.Requests);
        Assert.NotNull(await wire.Open().GetManifestAsync("other", CancellationToken.None));
        Assert.Empty(time.Waits);
    }

    [Fact]
    public async Task A_host_that_keeps_failing_is_given_up_on_and_asked_nothing_more()
    {
        var time = new InstantTime();
        await using var registry = await LoopbackServer.StartAsync((context, _) => FailAsync(context, "503"));
        await using var well = await LoopbackServer.StartAsync((context, _) => ManifestAsync(context, Image));
        using var resilience = Resilience(time);
        using var wire = new Wire(registry.Address, resilience: resilience);

        RegistryException failed;
        do
        {
            failed = await Assert.ThrowsAsync<RegistryException>(() => wire.Open().GetManifestAsync("1", CancellationToken.None));
        }
        while (registry.Requests.Count < 1000 && !failed.Message.Contains("given up", StringComparison.Ordinal));

        // 15 seconds for each five tries: eight times, and no ninth wait fits into what is left of two minutes.
        Assert.Equal(TimeSpan.FromSeconds(120), resilience.WaitedFor(registry.Address));
        Assert.Equal(41, registry.Requests.Count);
        Assert.StartsWith($"GET manifest 1 was not sent: {registry.Address} kept failing for 2 minutes, and was given up on. Its last failure: GET manifest 1 at ", failed.Message, StringComparison.Ordinal);
        Assert.Equal("RSDK6011", RegistryErrors.AtDestination(failed, "there").Code);
        await Assert.ThrowsAsync<RegistryException>(() => wire.Open().StartUploadAsync(CancellationToken.None));
        Assert.Equal(41, registry.Requests.Count);
        Assert.NotNull(await wire.Open("team/app", well.Address).GetManifestAsync("1", CancellationToken.None));
    }

    [Fact]
    public async Task What_is_waited_for_at_the_same_time_counts_once()
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) => FailAsync(context, "503"));
        using var resilience = Resilience(TimeProvider.System, limits: new() { Attempts = 2, FirstWait = TimeSpan.FromSeconds(1) });
        using var wire = new Wire(registry.Address, resilience: resilience);

        await Task.WhenAll(Enumerable.Range(0, 5).Select(_ => Assert.ThrowsAsync<RegistryException>(() => wire.Open().GetManifestAsync("1", CancellationToken.None))));

        Assert.InRange(resilience.WaitedFor(registry.Address).TotalSeconds, 1, 2.5);
        Assert.Equal(10, registry.Requests.Count);
    }

    [Fact]
    public async Task What_a_registry_only_has_to_look_up_is_not_waited_for_as_long_as_a_write()
    {
        await using var registry = await LoopbackServer.StartAsync(static (context, _) => FailAsync(context, "silence"));
        using var wire = new Wire(registry.Address);

        // After half a minute; a write has 100 seconds.
        await Assert.ThrowsAsync<RegistryException>(() => wire.Open().GetManifestAsync("1", CancellationToken.None).WaitAsync(TimeSpan.FromSeconds(80)));
    }

    [Fact]
    public async Task Silence_is_taken_from_the_budget()
    {
        var time = new InstantTime();
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            time.Pass(TimeSpan.FromSeconds(0.5));
            return FailAsync(context, "silence");
        });
        using var resilience = Resilience(time, limits: new() { Budget = TimeSpan.FromSeconds(1.8) });
        using var wire = new Wire(registry.Address, seconds: 0.5, resilience: resilience);

        var failed = await Wire.FailsAsync(RegistryFailure.Unreachable, () => wire.Open().GetManifestAsync("1", CancellationToken.None));

        // Half a second of silence and a wait of one: a second time is beyond it.
        Assert.Contains("It was tried 2 times", failed.Message, StringComparison.Ordinal);
        Assert.Equal(TimeSpan.FromSeconds(1.5), resilience.WaitedFor(registry.Address));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_token_server_that_is_unwell_is_asked_again(bool isCut)
    {
        var time = new InstantTime();
        LoopbackServer? self = null;
        var tokens = 0;
        await using var registry = self = await LoopbackServer.StartAsync((context, _) =>
        {
            if (context.Request.Path == "/token")
            {
                return Interlocked.Increment(ref tokens) == 1 ? FailAsync(context, isCut ? "cut body" : "503") : Wire.JsonAsync(context, 200, """{"token":"good"}""");
            }

            if (context.Request.Headers.Authorization == "Bearer good")
            {
                return ManifestAsync(context, Image);
            }

            context.Response.Headers.WWWAuthenticate = $"Bearer realm=\"http://{self!.Address}/token\"";
            context.Response.StatusCode = 401;
            return Task.CompletedTask;
        });
        using var resilience = Resilience(time);
        using var wire = new Wire(registry.Address, resilience: resilience) { Credentials = _ => Wire.Login("u", "p") };

        Assert.NotNull(await wire.Open().GetManifestAsync("1", CancellationToken.None));

        Assert.Equal(2, tokens);
        Assert.Single(time.Waits);
    }

    [Theory]
    [InlineData("tags/list", "GET")]
    [InlineData("blobs/uploads/", "POST")]
    [InlineData("blobs/uploads/?mount=", "POST")]
    [InlineData("blobs/sha256:", "HEAD")]
    [InlineData("/v2/", "GET")]
    public async Task Every_request_that_is_harmless_to_repeat_is(string path, string method)
    {
        var time = new InstantTime();
        var asked = 0;
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            // A HEAD that fails is asked as GET for words.
            if (Interlocked.Increment(ref asked) <= (method == "HEAD" ? 2 : 1))
            {
                return FailAsync(context, "503");
            }

            return method switch
            {
                "POST" => Wire.AcceptAsync(context, "/v2/team/app/blobs/uploads/1"),
                "HEAD" => Task.CompletedTask,
                _ => Wire.JsonAsync(context, 200, """{"tags":["1"]}"""),
            };
        });
        using var resilience = Resilience(time);
        using var wire = new Wire(registry.Address, resilience: resilience);
        var client = wire.Open();
        var blob = Wire.Blob(0).Descriptor;

        switch (path)
        {
            case "tags/list":
                Assert.Equal(["1"], await client.ListTagsAsync(CancellationToken.None));
                break;
            case "blobs/uploads/":
                await client.StartUploadAsync(CancellationToken.None);
                break;
            case "blobs/uploads/?mount=":
                Assert.NotNull(await client.MountAsync(blob.Digest, "team/other", CancellationToken.None));
                Assert.Contains("mount=", registry.Requests[^1].Query, StringComparison.Ordinal);
                break;
            case "blobs/sha256:":
                Assert.True(await client.HasBlobAsync(blob, CancellationToken.None));
                break;
            default:
                await client.PingAsync(CancellationToken.None);
                break;
        }

        Assert.Single(time.Waits);
        Assert.All(registry.Requests, r => Assert.Contains(path.Split('?')[0], r.Path, StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("written", 1)]
    [InlineData("not written", 2)]
    [InlineData("old", 2)]
    public async Task A_tag_whose_answer_was_lost_is_looked_up_before_it_is_written_again(string fate, int puts)
    {
        var time = new InstantTime();
        var tag = new OneTag { Names = fate == "old" ? Wire.Manifest("old") : null, First = t => t.Names = fate == "written" ? Image : t.Names };
        await using var registry = await LoopbackServer.StartAsync((context, _) => tag.AnswerAsync(context));
        using var resilience = Resilience(time);
        using var wire = new Wire(registry.Address, resilience: resilience);
        var client = wire.Open();
        await client.FindManifestAsync("v1", CancellationToken.None);

        await client.PutManifestAsync("v1", Image, CancellationToken.None);

        Assert.Equal(Image, tag.Names);
        Assert.Equal(puts, registry.Requests.Count(r => r.Method == "PUT"));
        Assert.Equal(["PUT", "HEAD"], registry.Requests.Where(r => r.Path.EndsWith("/v1", StringComparison.Ordinal)).Skip(1).Take(2).Select(r => r.Method));
    }

    [Fact]
    public async Task A_tag_that_another_publish_wrote_while_ours_was_lost_is_left_alone()
    {
        var time = new InstantTime();
        var theirs = Wire.Manifest("theirs");
        var tag = new OneTag { First = t => t.Names = theirs };
        await using var registry = await LoopbackServer.StartAsync((context, _) => tag.AnswerAsync(context));
        using var resilience = Resilience(time);
        using var wire = new Wire(registry.Address, resilience: resilience);
        var client = wire.Open();
        Assert.Null(await client.FindManifestAsync("v1", CancellationToken.None));

        var failed = await Wire.FailsAsync(RegistryFailure.TakenMeanwhile, () => client.PutManifestAsync("v1", Image, CancellationToken.None));

        Assert.Equal(theirs, tag.Names);
        Assert.Contains($"v1 names {theirs.Descriptor.Digest} by now", failed.Message, StringComparison.Ordinal);
        Assert.Single(registry.Requests, r => r.Method == "PUT");
    }

    [Theory]
    [InlineData("second tag, once", true)]
    [InlineData("second tag, twice", false)]
    [InlineData("first tag", false)]
    [InlineData("another reason", false)]
    public async Task GHCRs_sporadic_refusal_of_a_tag_right_after_another_is_tried_again_once(string how, bool isWritten)
    {
        var time = new InstantTime();
        var refusals = how == "second tag, twice" ? 2 : 1;
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            if (context.Request.Headers.Authorization.Count == 0)
            {
                context.Response.Headers.WWWAuthenticate = "Basic realm=x";
                context.Response.StatusCode = 401;
                return Task.CompletedTask;
            }

            if (HttpMethods.IsHead(context.Request.Method))
            {
                return Wire.ErrorAsync(context, 404, "MANIFEST_UNKNOWN", "no");
            }

            if (context.Request.Path.Value!.EndsWith("/second", StringComparison.Ordinal) && refusals-- > 0)
            {
                return Wire.ErrorAsync(context, 403, "DENIED", how == "another reason" ? "permission_denied: write_package" : "denied");
            }

            context.Response.StatusCode = 201;
            return Task.CompletedTask;
        });
        using var resilience = Resilience(time);
        using var wire = new Wire(registry.Address, resilience: resilience, host: "ghcr.io") { Credentials = _ => Wire.Login("u", "p") };
        var client = wire.Open();
        if (how != "first tag")
        {
            await client.PutManifestAsync("first", Image, CancellationToken.None);
        }

        if (isWritten)
        {
            await client.PutManifestAsync("second", Image, CancellationToken.None);
            Assert.InRange(Assert.Single(time.Waits).TotalSeconds, 1, 2);
        }
        else
        {
            await Wire.FailsAsync(RegistryFailure.Denied, () => client.PutManifestAsync("second", Image, CancellationToken.None));
            Assert.Equal(how == "second tag, twice" ? 1 : 0, time.Waits.Count);
        }
    }

    [Fact]
    public async Task A_wait_ends_when_the_build_is_cancelled()
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            context.Response.Headers.RetryAfter = "60";
            return Wire.ErrorAsync(context, 429, "TOOMANYREQUESTS", "slow down");
        });
        using var resilience = Resilience(TimeProvider.System);
        using var wire = new Wire(registry.Address, resilience: resilience);
        using var cancel = new CancellationTokenSource(TimeSpan.FromSeconds(1));

        // Well before the minute that the registry asks for.
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => wire.Open().GetManifestAsync("1", cancel.Token).WaitAsync(TimeSpan.FromSeconds(30)));

        Assert.Single(registry.Requests);
    }

    [Fact]
    public async Task A_limit_told_to_one_request_holds_the_others_back_too()
    {
        var first = true;
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            if (!first)
            {
                return ManifestAsync(context, Image);
            }

            first = false;
            context.Response.Headers.RetryAfter = "2";
            return Wire.ErrorAsync(context, 429, "TOOMANYREQUESTS", "slow down");
        });
        using var resilience = Resilience(TimeProvider.System, random: () => 0);
        using var wire = new Wire(registry.Address, resilience: resilience);
        var clock = Stopwatch.StartNew();
        var limited = wire.Open().GetManifestAsync("1", CancellationToken.None);
        await Task.Delay(TimeSpan.FromSeconds(1));

        await wire.Open("team/other").GetManifestAsync("1", CancellationToken.None);

        Assert.True(clock.Elapsed.TotalSeconds >= 1.9, $"{clock.Elapsed}");
        await limited;
    }

    [Fact]
    public async Task A_host_is_asked_so_many_things_at_once_and_no_more_over_all_connections()
    {
        var (now, most) = (0, 0);
        var gate = new Lock();
        await using var registry = await LoopbackServer.StartAsync(async (context, _) =>
        {
            lock (gate)
            {
                most = Math.Max(most, ++now);
            }

            await Task.Delay(100);
            lock (gate)
            {
                now--;
            }

            await ManifestAsync(context, Image);
        });
        using var resilience = Resilience(TimeProvider.System);
        using var one = new Wire(registry.Address, resilience: resilience);
        using var other = new Wire(registry.Address, resilience: resilience);

        await Task.WhenAll(Enumerable.Range(0, 40).Select(i => (i % 2 == 0 ? one : other).Open().GetManifestAsync("1", CancellationToken.None)));

        Assert.Equal(8, most);
    }

    [Fact]
    public async Task One_blob_goes_to_one_repository_once_however_many_send_it_at_once()
    {
        var there = false;
        await using var registry = await LoopbackServer.StartAsync(async (context, _) =>
        {
            switch (context.Request.Method)
            {
                case "POST":
                    await Wire.AcceptAsync(context, $"/v2/team/app/blobs/uploads/{Guid.NewGuid():N}");
                    break;
                case "PUT":
                    await Task.Delay(300);
                    there = true;
                    context.Response.StatusCode = 201;
                    break;
                case "HEAD":
                    context.Response.StatusCode = there ? 200 : 404;
                    break;
                default:
                    context.Response.StatusCode = 204;
                    break;
            }
        });
        using var wire = new Wire(registry.Address);
        using var other = new Wire(registry.Address);
        var blob = Wire.Blob(1000);

        await Task.WhenAll(Wire.SendAsync(wire.Open(), blob), Wire.SendAsync(other.Open(), blob), Wire.SendAsync(wire.Open(), blob));

        Assert.Single(registry.Requests, r => r.Method == "PUT");
    }

    internal static RegistryResilience Resilience(TimeProvider time, Action<string>? say = null, Func<double>? random = null, RetryLimits? limits = null)
        => new(limits ?? RetryLimits.Publish, time, say ?? (static _ => { }), random ?? (static () => 0.5));

    internal static Task ManifestAsync(HttpContext context, ManifestContent manifest)
    {
        context.Response.ContentType = manifest.Descriptor.MediaType;
        context.Response.ContentLength = manifest.Content.Length;
        context.Response.Headers["Docker-Content-Digest"] = manifest.Descriptor.Digest.ToString();
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : context.Response.Body.WriteAsync(manifest.Content).AsTask();
    }

    internal static async Task FailAsync(HttpContext context, string fault)
    {
        switch (fault)
        {
            case "reset":
                context.Abort();
                break;
            case "cut body":
                context.Response.ContentLength = 1000;
                await context.Response.Body.WriteAsync(new byte[10]);
                await context.Response.Body.FlushAsync();
                context.Abort();
                break;
            case "silence":
                await Task.Delay(TimeSpan.FromSeconds(3), context.RequestAborted).ContinueWith(_ => { }, TaskScheduler.Default);
                break;
            case var page when page.EndsWith("web page", StringComparison.Ordinal):
                await Answers.WithAsync(context, int.Parse(page[..3], System.Globalization.CultureInfo.InvariantCulture), "text/html", "<html>");
                break;
            default:
                await Wire.ErrorAsync(context, int.TryParse(fault, out var status) ? status : 500, "UNKNOWN", "oops");
                break;
        }
    }

    /// <summary>A registry of one tag, whose first PUT gets no answer.</summary>
    private sealed class OneTag
    {
        private int _puts;

        public ManifestContent? Names { get; set; }

        /// <summary>What the first PUT comes to.</summary>
        public required Action<OneTag> First { get; init; }

        public Task AnswerAsync(HttpContext context)
        {
            if (!HttpMethods.IsPut(context.Request.Method))
            {
                return Names is { } manifest ? ManifestAsync(context, manifest) : Wire.ErrorAsync(context, 404, "MANIFEST_UNKNOWN", "no");
            }

            if (Interlocked.Increment(ref _puts) == 1)
            {
                First(this);
                context.Abort();
                return Task.CompletedTask;
            }

            Names = Image;
            context.Response.StatusCode = 201;
            return Task.CompletedTask;
        }
    }
}
