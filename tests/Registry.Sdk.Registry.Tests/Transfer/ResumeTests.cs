using System.Globalization;
using System.Net;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>Blobs over lines that are cut: what arrived is not sent again where the registry kept it.</summary>
public sealed class ResumeTests
{
    private const int Megabyte = 1_000_000;

    [Fact]
    public async Task A_layer_of_200_MB_over_a_line_cut_every_20_MB_arrives_with_little_sent_twice()
    {
        await using var directory = new TempDirectory("resume");
        await using var emulator = await EmulatorServer.StartAsync(new() { StateDirectory = directory.Folder("state") });
        await using var link = CuttingProxy.Start(emulator.BaseAddress.Port, 20 * Megabyte);
        var time = new InstantTime();
        using var resilience = RetryTests.Resilience(time);
        using var wire = new Wire(link.Address, resilience: resilience);
        var client = wire.Open();
        var blob = await PatternAsync(200 * Megabyte);
        var progress = new Furthest();

        await client.UploadAsync(await client.StartUploadAsync(CancellationToken.None), blob, () => new PatternStream(blob.Size), progress, CancellationToken.None);

        Assert.InRange(link.Cuts, 9, 12);
        Assert.InRange(link.Sent, blob.Size, (long)(1.15 * blob.Size));
        Assert.InRange(client.BytesSentAgain, 0, (long)(0.15 * blob.Size));
        Assert.True(await client.HasBlobAsync(blob, CancellationToken.None));
        Assert.Equal(blob.Size, progress.Last);
        // Never from the beginning: a cut costs what was on its way, which is less than the stretch between two cuts.
        Assert.InRange(progress.Back, 0, 20 * Megabyte);
        Assert.Single(emulator.Requests, r => r.Method == "POST");
    }

    [Fact]
    public async Task Without_cuts_a_large_layer_costs_one_request_more_and_a_small_one_none()
    {
        await using var directory = new TempDirectory("resume");
        await using var emulator = await EmulatorServer.StartAsync(new() { StateDirectory = directory.Folder("state") });
        using var wire = new Wire($"127.0.0.1:{emulator.BaseAddress.Port}");
        var client = wire.Open();
        foreach (var size in new[] { 16 << 20, (16 << 20) - 1 })
        {
            await SendAsync(client, size);
        }

        Assert.Equal(["POST", "PATCH", "PUT", "POST", "PUT"], emulator.Requests.Select(r => r.Method));
        Assert.Equal(0, client.BytesSentAgain);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Where_the_session_is_lost_with_the_line_a_layer_arrives_by_restarting(bool isDistribution)
    {
        await using var place = await Place.StartAsync(isDistribution);
        await using var link = CuttingProxy.Start(place.Port, 60 * Megabyte);
        using var resilience = RetryTests.Resilience(new InstantTime());
        using var wire = new Wire(link.Address, resilience: resilience);
        var client = wire.Open();

        foreach (var size in new[] { 40 * Megabyte, 45 * Megabyte })
        {
            var blob = await SendAsync(client, size);
            Assert.True(await client.HasBlobAsync(blob, CancellationToken.None));
        }

        Assert.Equal(1, link.Cuts);
        Assert.InRange(client.BytesSentAgain, 15 * Megabyte, 40 * Megabyte);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_cannot_arrive_ends_within_its_budget_and_says_so(bool isDistribution)
    {
        await using var place = await Place.StartAsync(isDistribution);
        await using var link = CuttingProxy.Start(place.Port, 20 * Megabyte);
        var time = new InstantTime();
        using var resilience = RetryTests.Resilience(time);
        using var wire = new Wire(link.Address, resilience: resilience);
        var client = wire.Open();
        var blob = await PatternAsync(45 * Megabyte);
        var session = await client.StartUploadAsync(CancellationToken.None);

        var failed = await Wire.FailsAsync(RegistryFailure.Unreachable, () => client.UploadAsync(session, blob, () => new PatternStream(blob.Size), null, CancellationToken.None));

        Assert.Equal(5, link.Cuts);
        Assert.Equal([1, 2, 4, 8], time.Waits.Select(w => w.TotalSeconds));
        Assert.EndsWith("It was tried 5 times within 15 seconds.", failed.Message, StringComparison.Ordinal);
        var told = RegistryErrors.AtDestination(failed, "there");
        Assert.Equal("RSDK6010", told.Code);
        Assert.Contains(link.Address, told.Message, StringComparison.Ordinal);
        Assert.Contains("It was tried 5 times within 15 seconds.", told.Message, StringComparison.Ordinal);
        Assert.Contains("over a better line", told.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_registry_that_keeps_whole_requests_only_gets_chunks_once_one_of_all_was_lost_twice()
    {
        await using var registry = await Sessions.StartAsync(new() { KeepsParts = false, CutEvery = 9 << 20 });
        using var resilience = RetryTests.Resilience(new InstantTime());
        using var wire = new Wire(registry.Address, resilience: resilience);
        var client = wire.Open();

        var blob = await SendAsync(client, 20 << 20);

        Assert.Equal(blob.Digest, registry.Stored);
        Assert.Equal(["PATCH", "PATCH", "PATCH 0-4194303"], registry.Parts.Take(3));
    }

    [Fact]
    public async Task A_closing_PUT_whose_answer_is_lost_is_looked_up_and_nothing_sent_again()
    {
        await using var registry = await Sessions.StartAsync(new() { LosesAnswerOf = "PUT" });
        using var resilience = RetryTests.Resilience(new InstantTime());
        using var wire = new Wire(registry.Address, resilience: resilience);
        var client = wire.Open();

        await SendAsync(client, 17 << 20);
        Assert.Equal(["PATCH", "PUT"], registry.Parts);
        await SendAsync(client, 1000);

        Assert.Equal(["PATCH", "PUT", "PUT"], registry.Parts);
        Assert.Equal(0, client.BytesSentAgain);
    }

    [Fact]
    public async Task A_PATCH_whose_answer_is_lost_is_not_sent_again()
    {
        await using var registry = await Sessions.StartAsync(new() { LosesAnswerOf = "PATCH" });
        using var resilience = RetryTests.Resilience(new InstantTime());
        using var wire = new Wire(registry.Address, resilience: resilience);
        var client = wire.Open();

        var blob = await SendAsync(client, 17 << 20);

        Assert.Equal(blob.Digest, registry.Stored);
        Assert.Equal(["PATCH", "PUT"], registry.Parts);
        Assert.Equal(0, client.BytesSentAgain);
    }

    [Fact]
    public async Task A_session_that_held_rubbish_is_begun_anew()
    {
        await using var registry = await Sessions.StartAsync(new() { CutEvery = 9 << 20, Spoils = true });
        using var resilience = RetryTests.Resilience(new InstantTime());
        using var wire = new Wire(registry.Address, resilience: resilience);
        var client = wire.Open();

        var blob = await SendAsync(client, 17 << 20);

        Assert.Equal(blob.Digest, registry.Stored);
        Assert.Equal(2, registry.Opened);
    }

    [Theory]
    [InlineData(405)]
    [InlineData(501)]
    public async Task A_registry_that_knows_no_PATCH_gets_the_blob_by_PUT(int status)
    {
        await using var registry = await Sessions.StartAsync(new() { RefusesPatch = status });
        using var wire = new Wire(registry.Address);
        var client = wire.Open();

        var blob = await SendAsync(client, 17 << 20);

        Assert.Equal(blob.Digest, registry.Stored);
        Assert.Equal(["PATCH", "PUT"], registry.Parts);
    }

    /// <summary>The session keeps what was taken; the chunk that met the old token goes again with a new one.</summary>
    [Theory]
    [InlineData(1, true)]
    [InlineData(2, false)]
    public async Task A_token_that_runs_out_in_mid_upload_is_renewed_and_the_same_chunk_sent_again(int refusals, bool arrives)
    {
        await using var registry = await Sessions.StartAsync(new() { ChunksOnly = true, TokenEndsAt = 3, Refusals = refusals });
        using var resilience = RetryTests.Resilience(new InstantTime());
        using var wire = new Wire(registry.Address, resilience: resilience) { Credentials = _ => Wire.Login("u", "p") };
        var client = wire.Open();
        var blob = await PatternAsync(17 << 20);
        var session = await client.StartUploadAsync(CancellationToken.None);
        Task UploadAsync() => client.UploadAsync(session, blob, () => new PatternStream(blob.Size), null, CancellationToken.None);

        if (arrives)
        {
            await UploadAsync();
            Assert.Equal(blob.Digest, registry.Stored);
            Assert.Equal(["PATCH 4194304-8388607", "PATCH 4194304-8388607", "PATCH 8388608-12582911"], registry.Parts.Skip(2).Take(3));
            Assert.Equal(2, registry.Tokens);
        }
        else
        {
            var failed = await Wire.FailsAsync(RegistryFailure.Denied, UploadAsync);
            Assert.DoesNotContain("tried", failed.Message, StringComparison.Ordinal);
            Assert.Equal(2, registry.Tokens);
        }
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_download_goes_on_where_it_was_cut(bool knowsRanges)
    {
        var (blob, content) = Wire.Blob(3_000_000);
        var asked = new List<string>();
        await using var registry = await LoopbackServer.StartAsync(async (context, _) =>
        {
            var range = context.Request.Headers.Range.ToString();
            lock (asked)
            {
                asked.Add(range);
            }

            var start = knowsRanges && range.Length > 0 ? int.Parse(range["bytes=".Length..^1], CultureInfo.InvariantCulture) : 0;
            if (start > 0)
            {
                context.Response.StatusCode = 206;
                context.Response.Headers.ContentRange = $"bytes {start}-{content.Length - 1}/{content.Length}";
            }

            context.Response.ContentLength = content.Length - start;
            if (asked.Count == 3)
            {
                await context.Response.Body.WriteAsync(content.AsMemory(start));
                return;
            }

            await context.Response.Body.WriteAsync(content.AsMemory(start, 1_000_000));
            await context.Response.Body.FlushAsync();
            // A reset would take along what is on its way.
            await Task.Delay(300);
            context.Abort();
        });
        using var resilience = RetryTests.Resilience(new InstantTime());
        using var wire = new Wire(registry.Address, resilience: resilience);
        using var target = new MemoryStream();

        Assert.True(await wire.Open().CopyBlobToAsync(blob, target, CancellationToken.None));

        Assert.Equal(content, target.ToArray());
        Assert.Equal(["", "bytes=1000000-", knowsRanges ? "bytes=2000000-" : "bytes=1000000-"], asked);
    }

    [Fact]
    public async Task A_slow_line_is_not_a_silent_one()
    {
        await using var registry = await Sessions.StartAsync(new() { Pause = TimeSpan.FromMilliseconds(400) });
        // More than the buffers in between take to run dry, and less than it all takes.
        using var wire = new Wire(registry.Address, seconds: 10);
        var client = wire.Open();
        var clock = System.Diagnostics.Stopwatch.StartNew();

        var blob = await SendAsync(client, 40 << 20);

        Assert.True(clock.Elapsed.TotalSeconds > 12, $"{clock.Elapsed}");
        Assert.Equal(blob.Digest, registry.Stored);
    }

    private static async Task<Descriptor> SendAsync(RegistryClient client, long size)
    {
        var blob = await PatternAsync(size);
        await client.UploadAsync(await client.StartUploadAsync(CancellationToken.None), blob, () => new PatternStream(blob.Size), null, CancellationToken.None);
        return blob;
    }

    internal static async Task<Descriptor> PatternAsync(long size)
    {
        using var content = new PatternStream(size);
        return new("application/octet-stream", await Digest.OfAsync(content, CancellationToken.None), size);
    }

    /// <summary>How far it got, and the farthest that it fell back.</summary>
    private sealed class Furthest : IProgress<long>
    {
        public long Last { get; private set; }

        public long Back { get; private set; }

        public void Report(long value)
        {
            Back = Math.Max(Back, Last - value);
            Last = value;
        }
    }

    /// <summary>A registry that forgets sessions whose PATCH was cut: a real one, or the emulator.</summary>
    private sealed class Place(DistributionServer? server, EmulatorServer? emulator, TempDirectory directory) : IAsyncDisposable
    {
        public int Port => server?.Port ?? emulator!.BaseAddress.Port;

        public static async Task<Place> StartAsync(bool isDistribution)
        {
            var directory = new TempDirectory("resume");
            return isDistribution
                ? new(await DistributionServer.StartAsync(new() { RelativeUrls = true }), null, directory)
                : new(null, await EmulatorServer.StartAsync(new() { StateDirectory = directory.Folder("state"), LosesCutUploads = true }), directory);
        }

        public async ValueTask DisposeAsync()
        {
            if (server is not null)
            {
                await server.DisposeAsync();
            }

            if (emulator is not null)
            {
                await emulator.DisposeAsync();
            }

            await directory.DisposeAsync();
        }
    }

    /// <summary>What a registry of one upload session at a time does with it.</summary>
    private sealed record Ways
    {
        /// <summary>What arrived of a request that was cut stays; else nothing of it does.</summary>
        public bool KeepsParts { get; init; } = true;

        /// <summary>Each time so many bytes have come, the connection is cut.</summary>
        public int CutEvery { get; init; } = int.MaxValue;

        /// <summary>What is kept at the first cut is not what came.</summary>
        public bool Spoils { get; init; }

        /// <summary>The first such request is done and not answered.</summary>
        public string LosesAnswerOf { get; init; } = "";

        public int RefusesPatch { get; init; }

        /// <summary>Takes ranged requests alone.</summary>
        public bool ChunksOnly { get; init; }

        /// <summary>At the so many-th part the token is refused, so many times.</summary>
        public int TokenEndsAt { get; init; } = int.MaxValue;

        public int Refusals { get; init; }

        /// <summary>Between reads of a megabyte.</summary>
        public TimeSpan Pause { get; init; }
    }

    private sealed class Sessions(Ways ways) : IAsyncDisposable
    {
        private readonly List<string> _parts = [];
        private readonly Dictionary<string, MemoryStream> _sessions = new(StringComparer.Ordinal);
        private readonly HashSet<Digest> _stored = [];
        private LoopbackServer _server = null!;
        private int _untilCut = ways.CutEvery;
        private int _refusals = ways.Refusals;
        private bool _hasLost;
        private bool _hasSpoilt;

        public string Address => _server.Address;

        /// <summary>The PATCH and PUT requests, with their ranges.</summary>
        public IReadOnlyList<string> Parts => _parts;

        public int Opened => _sessions.Count;

        public int Tokens { get; private set; }

        public Digest? Stored { get; private set; }

        public static async Task<Sessions> StartAsync(Ways ways)
        {
            var sessions = new Sessions(ways);
            sessions._server = await LoopbackServer.StartAsync((context, _) => sessions.AnswerAsync(context), readBodies: false);
            return sessions;
        }

        public ValueTask DisposeAsync() => _server.DisposeAsync();

        private async Task AnswerAsync(HttpContext context)
        {
            var request = context.Request;
            if (request.Path == "/token")
            {
                Tokens++;
                await Wire.JsonAsync(context, 200, $$"""{"token":"token-{{Tokens}}"}""");
                return;
            }

            var part = request.Method is "PATCH" or "PUT" ? Count(request) : 0;
            if (ways.TokenEndsAt < int.MaxValue && (request.Headers.Authorization.Count == 0 || (part >= ways.TokenEndsAt && _refusals-- > 0)))
            {
                context.Response.Headers.WWWAuthenticate = $"Bearer realm=\"http://{Address}/token\"";
                context.Response.StatusCode = 401;
                return;
            }

            var id = request.Path.Value!.Split('/')[^1];
            switch (request.Method)
            {
                case "POST":
                    id = $"s{_sessions.Count + 1}";
                    _sessions[id] = new();
                    await AcceptAsync(context, id, 202);
                    return;
                case "HEAD":
                    context.Response.StatusCode = Digest.TryParse(id, out var asked) && _stored.Contains(asked) ? 200 : 404;
                    return;
                case "GET":
                    await AcceptAsync(context, id, 204);
                    return;
                case "DELETE":
                    context.Response.StatusCode = 204;
                    return;
                case "PATCH" when ways.RefusesPatch > 0:
                    context.Response.StatusCode = ways.RefusesPatch;
                    return;
                case "PATCH" when ways.ChunksOnly && request.Headers.ContentRange.Count == 0:
                    context.Response.StatusCode = 413;
                    return;
            }

            if (!await TakeAsync(context, _sessions[id]))
            {
                context.Abort();
                return;
            }

            if (request.Method == "PUT")
            {
                var digest = Digest.Of(_sessions[id].ToArray());
                if (request.Query["digest"] != digest.ToString())
                {
                    await Wire.ErrorAsync(context, 400, "DIGEST_INVALID", "another");
                    return;
                }

                _stored.Add(digest);
                Stored = digest;
            }

            if (request.Method == ways.LosesAnswerOf && (request.Method == "PUT" || !_hasLost))
            {
                _hasLost = true;
                context.Abort();
                return;
            }

            await AcceptAsync(context, id, request.Method == "PUT" ? 201 : 202);
        }

        private int Count(HttpRequest request)
        {
            _parts.Add($"{request.Method} {request.Headers.ContentRange}".TrimEnd());
            return _parts.Count;
        }

        private async Task<bool> TakeAsync(HttpContext context, MemoryStream session)
        {
            var before = session.Length;
            var buffer = new byte[1 << 20];
            int read;
            while ((read = await context.Request.Body.ReadAtLeastAsync(buffer, buffer.Length, throwOnEndOfStream: false)) > 0)
            {
                await Task.Delay(ways.Pause);
                _untilCut -= read;
                if (_untilCut <= 0)
                {
                    _untilCut = ways.CutEvery;
                    if (!ways.KeepsParts)
                    {
                        session.SetLength(before);
                    }

                    if (ways.Spoils && !_hasSpoilt)
                    {
                        _hasSpoilt = true;
                        session.GetBuffer()[0] ^= 1;
                    }

                    return false;
                }

                session.Write(buffer.AsSpan(0, read));
            }

            return true;
        }

        private Task AcceptAsync(HttpContext context, string id, int status)
        {
            context.Response.StatusCode = status;
            context.Response.Headers.Location = $"/v2/team/app/blobs/uploads/{id}";
            context.Response.Headers.Range = $"0-{Math.Max(0, _sessions[id].Length - 1)}";
            return Task.CompletedTask;
        }
    }
}
