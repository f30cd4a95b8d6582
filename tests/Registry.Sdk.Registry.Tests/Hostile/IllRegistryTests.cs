using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Registry.Tests.Transfer;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Hostile;

/// <summary>Registries that are unwell in ways of their own, or make believe they are: how long each is waited for, what is believed, and what is said.</summary>
public sealed class IllRegistryTests
{
    private static readonly ManifestContent Image = Wire.Manifest("image");

    /// <summary>«Retry-After» as it stands on the line (several: one header each), and how long is waited for then, jitter left out.</summary>
    [Theory]
    [InlineData(429, "0", "1,2,4,8")]
    [InlineData(429, "1", "1,2,4,8")]
    [InlineData(429, "3", "3,3,4,8")]
    [InlineData(429, "30", "30,30,30,30")]
    [InlineData(429, "-5", "5,10,20,40")]
    [InlineData(429, "1.5", "5,10,20,40")]
    [InlineData(429, "99999999999999999999", "5,10,20,40")]
    [InlineData(429, "5, 10", "5,10,20,40")]
    [InlineData(429, "", "5,10,20,40")]
    [InlineData(429, "soon", "5,10,20,40")]
    [InlineData(429, "7|90", "7,7,7,8")]
    [InlineData(429, "Wed, 21 Oct 2015 07:28:00 GMT", "1,2,4,8")]
    [InlineData(429, "Fri, 31 Dec 9999 23:59:59 GMT", "")]
    [InlineData(429, "31536000", "")]
    [InlineData(503, "30", "30,30,30,30")]
    [InlineData(503, "0", "1,2,4,8")]
    [InlineData(503, "31536000", "")]
    [InlineData(503, "soon", "1,2,4,8")]
    [InlineData(502, "3", "3,3,4,8")]
    public async Task What_a_registry_asks_to_wait_is_waited_and_nothing_absurd(int status, string asked, string waits)
    {
        var time = new InstantTime();
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            context.Response.Headers.RetryAfter = asked.Split('|');
            return Wire.ErrorAsync(context, status, "OOPS", "not now");
        });
        using var resilience = RetryTests.Resilience(time, random: () => 0);
        using var wire = new Wire(registry.Address, resilience: resilience);

        var told = await Assert.ThrowsAsync<RegistryException>(() => wire.Open().GetManifestAsync("1", CancellationToken.None));

        // Jitter takes a quarter from what was not asked for, and nothing from what was.
        var expected = waits.Length == 0 ? [] : waits.Split(',').Select(w => double.Parse(w, CultureInfo.InvariantCulture)).ToArray();
        Assert.Equal(expected.Length, time.Waits.Count);
        Assert.All(expected.Zip(time.Waits), p => Assert.InRange(p.Second.TotalSeconds, 0.74 * p.First, p.First));
        Assert.Contains(registry.Address, told.Message + RegistryErrors.AtDestination(told, registry.Address).Message);
        if (asked == "31536000")
        {
            Assert.Contains("asks to wait 24 hours", told.Message);
        }
    }

    /// <summary>One thing is out for a year: that is no reason to give up on the rest of the registry.</summary>
    [Theory]
    [InlineData(429)]
    [InlineData(503)]
    public async Task A_wait_that_is_too_long_stops_what_was_asked_and_nothing_else(int status)
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            if (context.Request.Path.Value!.EndsWith("/other", StringComparison.Ordinal))
            {
                return RetryTests.ManifestAsync(context, Image);
            }

            context.Response.Headers.RetryAfter = "86400";
            return Wire.ErrorAsync(context, status, "OOPS", "not now");
        });
        using var resilience = RetryTests.Resilience(new InstantTime());
        using var wire = new Wire(registry.Address, resilience: resilience);

        await Assert.ThrowsAsync<RegistryException>(() => wire.Open().GetManifestAsync("1", CancellationToken.None));

        Assert.Single(registry.Requests);
        Assert.NotNull(await wire.Open().GetManifestAsync("other", CancellationToken.None));
    }

    /// <summary>A gateway that answers 504 after a minute is as silent as one that does not answer: two minutes a host are two minutes.</summary>
    [Theory]
    [InlineData("504 after a minute")]
    [InlineData("a body that is cut after a minute")]
    [InlineData("words that take a minute")]
    public async Task Time_in_which_an_answer_is_waited_for_in_vain_is_taken_from_the_budget(string how)
    {
        var time = new InstantTime();
        await using var registry = await LoopbackServer.StartAsync(async (context, _) =>
        {
            time.Pass(TimeSpan.FromMinutes(1));
            await (how == "504 after a minute" ? Wire.ErrorAsync(context, 504, "TIMEOUT", "gateway") : RetryTests.FailAsync(context, how == "words that take a minute" ? "503" : "cut body"));
        });
        var said = new System.Collections.Concurrent.ConcurrentQueue<string>();
        using var resilience = RetryTests.Resilience(time, said.Enqueue);
        using var wire = new Wire(registry.Address, resilience: resilience);

        var told = await Assert.ThrowsAsync<RegistryException>(() => wire.Open().GetManifestAsync("1", CancellationToken.None));
        await Assert.ThrowsAsync<RegistryException>(() => wire.Open().GetManifestAsync("1", CancellationToken.None));

        // Nobody looks at a console on which nothing happens for a minute, however short the wait that follows.
        Assert.Contains("before it is asked again", Assert.Single(said));

        // A minute and a second; another minute, and what follows it is beyond two. After that nothing is sent.
        Assert.Contains("It was tried 2 times within", told.Message);
        Assert.Equal(2, registry.Requests.Count);
    }

    /// <summary>A large blob that moved for an hour is no hour of waiting.</summary>
    [Fact]
    public async Task Time_in_which_a_blob_moves_is_not_taken_from_the_budget()
    {
        var time = new InstantTime();
        var puts = 0;
        await using var registry = await LoopbackServer.StartAsync((context, _) => context.Request.Method switch
        {
            "POST" => Wire.AcceptAsync(context, "/session"),
            "PUT" when Interlocked.Increment(ref puts) == 1 => RetryTests.FailAsync(context, "503"),
            "PUT" => Wire.JsonAsync(context, 201, ""),
            _ => Wire.ErrorAsync(context, 404, "BLOB_UNKNOWN", "no"),
        });
        using var resilience = RetryTests.Resilience(time);
        using var wire = new Wire(registry.Address, resilience: resilience);
        var client = wire.Open();
        var (blob, content) = Wire.Blob(1000);

        // The line takes an hour for the blob: by our clock it passes while it is read.
        await client.UploadAsync(await client.StartUploadAsync(CancellationToken.None), blob, () =>
        {
            time.Pass(TimeSpan.FromHours(1));
            return new MemoryStream(content);
        }, null, CancellationToken.None);

        Assert.InRange(resilience.WaitedFor(registry.Address).TotalSeconds, 1, 2);
    }

    /// <summary>A limit that eight were told of holds back all who stand behind them.</summary>
    [Fact]
    public async Task A_limit_holds_back_those_too_who_wait_for_their_turn()
    {
        var time = new HandTime();
        var (asked, limited) = (0, 0);
        var all = new TaskCompletionSource();
        await using var registry = await LoopbackServer.StartAsync(async (context, _) =>
        {
            if (time.GetUtcNow() >= HandTime.Start.AddSeconds(10))
            {
                await RetryTests.ManifestAsync(context, Image);
                return;
            }

            Interlocked.Increment(ref limited);
            if (Interlocked.Increment(ref asked) == HostResilience.MaxRequests)
            {
                all.SetResult();
            }

            await all.Task;
            context.Response.Headers.RetryAfter = "10";
            await Wire.ErrorAsync(context, 429, "TOOMANYREQUESTS", "slow down");
        });
        using var resilience = RetryTests.Resilience(time, random: () => 0);
        using var wire = new Wire(registry.Address, resilience: resilience);
        var requests = Enumerable.Range(0, 24).Select(_ => wire.Open().GetManifestAsync("1", CancellationToken.None)).ToList();
        await all.Task;
        // All of them wait by then, those that were told and those that were not asked yet; who does not shows in the count.
        await time.WaitersAsync(2 * HostResilience.MaxRequests);
        time.Pass(TimeSpan.FromSeconds(11));

        await Task.WhenAll(requests).WaitAsync(TimeSpan.FromMinutes(2));

        Assert.Equal(HostResilience.MaxRequests, limited);
    }

    /// <summary>Each session takes the first chunk and is lost with the second: that is not getting on.</summary>
    [Theory]
    [InlineData("session lost")]
    [InlineData("range goes back")]
    [InlineData("503")]
    public async Task An_upload_that_only_gets_as_far_as_before_is_given_up_on(string how)
    {
        const int Enough = 60;
        var firsts = 0;
        await using var registry = await LoopbackServer.StartAsync((context, body) =>
        {
            switch (context.Request.Method)
            {
                case "POST":
                    return Wire.AcceptAsync(context, "/v2/team/app/blobs/uploads/1");
                case "PUT" when body.Length > 0:
                    return Wire.ErrorAsync(context, 413, "SIZE_INVALID", "too large");
                case "GET" when how == "range goes back":
                    context.Response.StatusCode = 204;
                    context.Response.Headers["Range"] = "0-0";
                    return Task.CompletedTask;
                case "GET" or "HEAD":
                    return Wire.ErrorAsync(context, 404, "BLOB_UPLOAD_UNKNOWN", "gone");
                case "PATCH" when firsts >= Enough:
                    return Wire.AcceptAsync(context, "/v2/team/app/blobs/uploads/1");
                case "PATCH" when context.Request.Headers.ContentRange.ToString().StartsWith("0-", StringComparison.Ordinal):
                    Interlocked.Increment(ref firsts);
                    return Wire.AcceptAsync(context, "/v2/team/app/blobs/uploads/1");
                case "PATCH":
                    return RetryTests.FailAsync(context, how == "503" ? "503" : "reset");
                default:
                    context.Response.StatusCode = 201;
                    return Task.CompletedTask;
            }
        });
        using var resilience = RetryTests.Resilience(new InstantTime());
        using var wire = new Wire(registry.Address, resilience: resilience);

        await Assert.ThrowsAsync<RegistryException>(() => Wire.SendAsync(wire.Open(), Wire.Blob(9 << 20)));

        Assert.InRange(firsts, 1, 7);
    }

    /// <summary>What a session says it holds, after its first chunk was cut: nonsense, or more than was sent. The blob is right in the end, or it is an error.</summary>
    [Theory]
    [InlineData("0-9437183")]
    [InlineData("0-6000000")]
    [InlineData("0-9999999999")]
    [InlineData("0-99999999999999999999999")]
    [InlineData("bytes 0-5")]
    [InlineData("5-0")]
    [InlineData("1-5")]
    [InlineData("0-")]
    [InlineData("-")]
    [InlineData("0--5")]
    [InlineData("")]
    public async Task What_a_session_says_of_itself_is_believed_no_further_than_its_digest(string range)
    {
        var blob = Wire.Blob(9 << 20);
        using var session = new MemoryStream();
        byte[]? stored = null;
        var patches = 0;
        await using var registry = await LoopbackServer.StartAsync((context, body) =>
        {
            switch (context.Request.Method)
            {
                case "POST":
                    session.SetLength(0);
                    return Wire.AcceptAsync(context, "/v2/team/app/blobs/uploads/1");
                case "GET":
                    context.Response.StatusCode = 204;
                    context.Response.Headers["Range"] = range;
                    return Task.CompletedTask;
                case "HEAD":
                    context.Response.StatusCode = 404;
                    return Task.CompletedTask;
                case "PATCH" when Interlocked.Increment(ref patches) == 2:
                    context.Abort();
                    return Task.CompletedTask;
                case "PATCH":
                    session.Write(body);
                    return Wire.AcceptAsync(context, "/v2/team/app/blobs/uploads/1");
                case "PUT" when body.Length > 0:
                    return Wire.ErrorAsync(context, 413, "SIZE_INVALID", "too large");
                case "PUT" when Digest.Of(session.ToArray()) != blob.Descriptor.Digest:
                    return Wire.ErrorAsync(context, 400, "DIGEST_INVALID", "another");
                case "PUT":
                    stored = session.ToArray();
                    context.Response.StatusCode = 201;
                    return Task.CompletedTask;
                default:
                    context.Response.StatusCode = 204;
                    return Task.CompletedTask;
            }
        });
        using var resilience = RetryTests.Resilience(new InstantTime());
        using var wire = new Wire(registry.Address, resilience: resilience);

        await Wire.SendAsync(wire.Open(), blob);

        Assert.Equal(blob.Content, stored);
        Assert.InRange(registry.Requests.Count, 5, 20);
    }

    /// <summary>An error under 200 is no empty list: «there is no newer release» would follow from it.</summary>
    [Theory]
    [InlineData("""{"errors":[{"code":"UNAVAILABLE","message":"try later"}]}""")]
    [InlineData("""{"message":"Forbidden"}""")]
    [InlineData("{}")]
    public async Task A_list_without_tags_is_no_empty_list(string body)
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) => Wire.JsonAsync(context, 200, body));
        using var wire = new Wire(registry.Address);

        await Wire.FailsAsync(RegistryFailure.NotARegistry, () => wire.Open().ListTagsAsync(CancellationToken.None));
    }

    /// <summary>Every token is learnt, so that no message repeats it, and sent with every request: one of a megabyte fills memory, and no server takes it.</summary>
    [Theory]
    [InlineData(16 * 1024, true)]
    [InlineData((16 * 1024) + 1, false)]
    [InlineData(1_000_000, false)]
    public async Task A_token_that_no_server_would_take_is_none(int length, bool isTaken)
    {
        using var internet = new FakeInternet(request => request.RequestUri!.AbsolutePath == "/token" ? FakeInternet.Json($$"""{"token":"{{new string('t', length)}}"}""")
            : request.Headers.Authorization is { Scheme: "Bearer" } ? new(System.Net.HttpStatusCode.OK) : FakeInternet.Challenge("Bearer realm=\"https://registry.example/token\""));

        if (isTaken)
        {
            await internet.Client.PingAsync(CancellationToken.None);
        }
        else
        {
            Assert.Contains("answers without a token", (await Wire.FailsAsync(RegistryFailure.NotARegistry, () => internet.Client.PingAsync(CancellationToken.None))).Message);
        }
    }

    /// <summary>Who is out of reach is named, and not who sent us there.</summary>
    [Theory]
    [InlineData("down")]
    [InlineData("no TLS")]
    public async Task A_redirect_to_a_host_that_fails_names_that_host(string how)
    {
        await using var store = await LoopbackServer.StartAsync((context, _) => Wire.JsonAsync(context, 200, "{}"));
        var target = how == "down" ? "http://127.0.0.1:9" : $"https://{store.Address}";
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            context.Response.StatusCode = 307;
            context.Response.Headers.Location = $"{target}/blob?signed=secret";
            return Task.CompletedTask;
        });
        using var wire = new Wire(registry.Address);

        var told = await Wire.FailsAsync(RegistryFailure.Unreachable, () => wire.Open().CopyBlobToAsync(Wire.Blob(10).Descriptor, Stream.Null, CancellationToken.None));

        Assert.Contains($"{registry.Address} leads to {target}, which can't be reached", told.Message);
        Assert.DoesNotContain("signed", told.Message);
    }

    [Fact]
    public void A_connection_that_is_refused_names_whose_because_a_proxy_may_stand_between()
    {
        var refused = new HttpRequestException(HttpRequestError.ConnectionError, "Connection refused (proxy.example:3128)", new System.Net.Sockets.SocketException((int)System.Net.Sockets.SocketError.ConnectionRefused));

        Assert.Equal("Connection refused (proxy.example:3128).", RegistryClient.Explain(refused, new()));
    }

    /// <summary>What a cache or CDN before a registry says when it is the one that fails.</summary>
    [Theory]
    [InlineData(499, true)]
    [InlineData(520, true)]
    [InlineData(521, true)]
    [InlineData(522, true)]
    [InlineData(523, true)]
    [InlineData(524, true)]
    [InlineData(530, true)]
    [InlineData(505, false)]
    [InlineData(507, false)]
    [InlineData(511, false)]
    [InlineData(526, false)]
    public async Task What_a_gateway_says_may_pass_unless_it_will_not(int status, bool mayPass)
    {
        var time = new InstantTime();
        var asked = 0;
        await using var registry = await LoopbackServer.StartAsync((context, _) => Interlocked.Increment(ref asked) == 1
            ? Wire.JsonAsync(context, status, "<html>", "text/html") : RetryTests.ManifestAsync(context, Image));
        using var resilience = RetryTests.Resilience(time);
        using var wire = new Wire(registry.Address, resilience: resilience);

        var told = await Record.ExceptionAsync(() => wire.Open().GetManifestAsync("1", CancellationToken.None));

        Assert.Equal(mayPass, told is null);
        Assert.Equal(mayPass ? 1 : 0, time.Waits.Count);
    }

    /// <summary>A clock that stands still until it is put forward.</summary>
    private sealed class HandTime : TimeProvider
    {
        public static readonly DateTimeOffset Start = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

        private readonly ConcurrentQueue<Action> _waiters = new();
        private long _ticks = Start.Ticks;

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override DateTimeOffset GetUtcNow() => new(Interlocked.Read(ref _ticks), TimeSpan.Zero);

        public override long GetTimestamp() => Interlocked.Read(ref _ticks);

        /// <summary>Until so many wait, or nothing changes any more.</summary>
        public async Task WaitersAsync(int count)
        {
            for (var i = 0; _waiters.Count < count && i < 100; i++)
            {
                await Task.Delay(50);
            }
        }

        public void Pass(TimeSpan time)
        {
            Interlocked.Add(ref _ticks, time.Ticks);
            while (_waiters.TryDequeue(out var waiter))
            {
                ThreadPool.QueueUserWorkItem(_ => waiter());
            }
        }

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period)
        {
            _waiters.Enqueue(() => callback(state));
            return new Timer();
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
