using System.Collections.Concurrent;
using System.Globalization;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>
/// Several publishes of one service at once, one of them cancelled now and then, to two registries that fail at random: what each receipt says is held against what the registries hold in
/// the end. A tag that names something else than a receipt says must be another publish's, whose receipt says so or says that it is open.
/// </summary>
public sealed class CrowdTests
{
    /// <summary>Twelve rounds; REGISTRY_SDK_CROWD_ROUNDS and REGISTRY_SDK_CROWD_SEED say others.</summary>
    [Fact]
    public async Task What_receipts_say_is_what_is_there_or_another_receipts()
    {
        var rounds = Number("REGISTRY_SDK_CROWD_ROUNDS", 12);
        var seed = Number("REGISTRY_SDK_CROWD_SEED", 1);
        var (wrong, failed, repaired, faults) = (new List<string>(), 0, 0, 0);
        for (var round = 1; round <= rounds; round++)
        {
            await using var bench = await CommitBench.StartAsync(2);
            using var crowd = new Crowd(bench, new Random(unchecked((seed * 7919) + round)));
            await crowd.RunAsync();
            wrong.AddRange(crowd.Wrong.Select(w => $"round {round} of seed {seed}: {w}"));
            (failed, repaired, faults) = (failed + crowd.Failed, repaired + crowd.Repaired, faults + crowd.Faults);
        }

        Assert.True(wrong.Count == 0, $"{string.Join('\n', wrong)}\n({failed} failed, {repaired} repaired, {faults} faults)");
        // A crowd that nothing happens to proves nothing.
        Assert.True(faults > rounds, $"{faults} faults");

        static int Number(string name, int other) => int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var given) ? given : other;
    }

    /// <summary>One round.</summary>
    private sealed class Crowd(CommitBench bench, Random random) : IDisposable
    {
        // Who asks what is there is not lied to, and counts for nothing.
        private readonly HttpClient[] _seers = [.. bench.Servers.Select(s => s.CreateAdministrator())];
        private readonly Lock _lock = new();
        private readonly ConcurrentDictionary<(int Server, string Tag), (string Digest, int Left)> _stale = new();
        private readonly List<string> _wrong = [];
        private readonly CancellationTokenSource _cancel = new();
        private int _faults;
        private int _untilCancelled = int.MaxValue;
        private bool _isIll;

        public IReadOnlyList<string> Wrong => _wrong;

        public int Failed { get; private set; }

        public int Repaired { get; private set; }

        public int Faults => _faults;

        public void Dispose()
        {
            _cancel.Dispose();
            foreach (var seer in _seers)
            {
                seer.Dispose();
            }
        }

        public async Task RunAsync()
        {
            var isBranch = random.Next(3) == 0;
            var first = isBranch ? bench.Request("", Commit(0)) : bench.Request("1.0.0", Commit(0));
            (await CommitBench.PublishAsync(first)).EnsureSucceeded();

            // Each of them newer than those before it; the last one twice, as two jobs of one commit, or as two images of one version.
            var requests = new List<(int Rank, PublishRequest Request)>();
            var count = 2 + random.Next(3);
            for (var i = 1; i <= count; i++)
            {
                requests.Add((i, Request(i, null)));
            }

            var twin = random.Next(3);
            if (twin > 0)
            {
                requests.Add((count, Request(count, twin == 1 ? null : "other words")));
            }

            // One of them is cancelled in every third round, somewhere among the requests for tags.
            var victim = random.Next(3) == 0 ? requests[random.Next(requests.Count)].Request : null;
            _untilCancelled = victim is null ? int.MaxValue : random.Next(150);
            bench.Intercept = InterceptAsync;
            _isIll = true;
            var published = await Task.WhenAll(requests.OrderBy(_ => random.Next()).ToList().Select(async r =>
            {
                await Task.Delay(Next(25));
                return (r.Rank, r.Request, Published: await CommitBench.PublishAsync(r.Request, r.Request == victim ? _cancel.Token : default));
            }));
            _isIll = false;
            await JudgeAsync(isBranch, published);

            PublishRequest Request(int rank, string? words) => isBranch
                ? bench.Request("", Commit(rank), rank, words)
                : bench.Request(string.Create(CultureInfo.InvariantCulture, $"1.0.{rank}"), Commit(rank), rank, words);
        }

        private static string Commit(int number) => number.ToString("x7", CultureInfo.InvariantCulture).PadRight(40, '0');

        private async Task JudgeAsync(bool isBranch, IReadOnlyList<(int Rank, PublishRequest Request, Published Published)> published)
        {
            Failed = published.Count(p => !p.Published.Report.Succeeded);
            foreach (var (rank, _, one) in published)
            {
                var pending = one.Report.Transfer?.Pending ?? "";
                Claim(one.Report.Bug is null, $"{rank}: a bug: {one.Report.Bug}");
                Claim(one.Report.Succeeded || one.Errors.All(e => e.Code.StartsWith("RSDK", StringComparison.Ordinal)), $"{rank}: an error without a code");
                Claim(pending.Length == 0 || one.Errors.Any(e => e.Code is "RSDK6002" or "RSDK6003"), $"{rank}: pending and not told");
            }

            for (var server = 0; server < 2; server++)
            {
                var tags = await TagsAsync(server);
                var ends = published.Where(p => p.Published.Report.Transfer is not null)
                    .SelectMany(p => p.Published.Report.Transfer!.Destinations[server].Tags.Select(t => (p.Rank, p.Published, Tag: t))).ToList();
                Repaired += ends.Count(e => e.Tag.State == TagState.Repaired);
                foreach (var (rank, one, tag) in ends.Where(e => e.Tag.State != TagState.Pending))
                {
                    var says = (tag.State is TagState.Created or TagState.Moved ? one.Digest : tag.Now?.ToString()) ?? "nothing";
                    var now = tags.GetValueOrDefault(tag.Tag.Name, "nothing");
                    if (says == now)
                    {
                        continue;
                    }

                    var explained = ends.Any(o => o.Published != one && o.Tag.Tag.Name == tag.Tag.Name && (o.Tag.Now?.ToString() == now || (o.Tag.State == TagState.Pending && o.Published.Digest == now)));
                    Claim(explained, $"registry {server}: {tag.Tag.Name} names {Name(now)}, and nobody says so: {rank} says {tag.State} {Name(says)} ({tag.Why})");
                    Claim(tag.Tag.Floating || !one.Report.Succeeded, $"registry {server}: the immutable {tag.Tag.Name} names {Name(now)}, and {rank} succeeded with {tag.State} {Name(says)}");
                }

                // Whoever succeeded has left nothing older than itself under its floating tags, unless somebody is told that it could not be seen to.
                var best = published.Where(p => p.Published.Report.Succeeded).OrderByDescending(p => p.Rank).FirstOrDefault();
                foreach (var floating in best.Published is null ? [] : isBranch ? new[] { "main" } : ["v1.0", "v1", "latest"])
                {
                    var now = tags.GetValueOrDefault(floating, "nothing");
                    var names = published.Where(p => p.Published.Report.Transfer is not null && p.Published.Digest == now).Select(p => p.Rank).DefaultIfEmpty(0).Max();
                    Claim(names >= best.Rank || published.Any(p => !p.Published.Report.Succeeded && p.Published.Digest == now), $"registry {server}: {floating} names {Name(now)}, and {best.Rank} succeeded\n{string.Join('\n', published.SelectMany(p => p.Published.Log.Where(l => l.Contains($": {floating} ", StringComparison.Ordinal)).Select(l => $"    {p.Rank}: {l}")))}");
                }
            }

            // A version is one image everywhere, or all who made it but one are told.
            foreach (var version in published.GroupBy(p => p.Rank))
            {
                var tag = isBranch ? $"main-{Commit(version.Key)[..7]}" : string.Create(CultureInfo.InvariantCulture, $"v1.0.{version.Key}");
                var images = new HashSet<string>(StringComparer.Ordinal);
                for (var server = 0; server < 2; server++)
                {
                    if ((await TagsAsync(server)).TryGetValue(tag, out var digest))
                    {
                        images.Add(digest);
                    }
                }

                Claim(images.Count < 2 || version.All(p => !p.Published.Report.Succeeded), $"{tag} is two images, and somebody succeeded");
            }

            string Name(string digest) => published.Where(p => p.Published.Report.Images.Count > 0 && p.Published.Digest == digest).Select(p => p.Rank.ToString(CultureInfo.InvariantCulture)).FirstOrDefault() ?? digest;
        }

        private void Claim(bool holds, string what)
        {
            if (!holds)
            {
                _wrong.Add(what);
            }
        }

        private Task<IReadOnlyDictionary<string, string>> TagsAsync(int server) => Seed.TagsAsync(_seers[server], CommitBench.Repository);

        private int Next(int max)
        {
            lock (_lock)
            {
                return random.Next(max);
            }
        }

        private async Task<bool> InterceptAsync(int server, HttpContext context)
        {
            if (!_isIll || !context.Request.Path.Value!.StartsWith($"/v2/{CommitBench.Repository}/", StringComparison.Ordinal))
            {
                return false;
            }

            var isTag = context.Request.Path.Value.Contains("/manifests/", StringComparison.Ordinal) && !context.Request.Path.Value.Contains("/manifests/sha256:", StringComparison.Ordinal);
            var tag = isTag ? context.Request.Path.Value.Split('/')[^1] : "";
            if (isTag && context.Request.Method == "HEAD" && _stale.TryGetValue((server, tag), out var stale) && stale.Left > 0)
            {
                _stale[(server, tag)] = (stale.Digest, stale.Left - 1);
                if (stale.Digest.Length == 0)
                {
                    return await Answers.ErrorAsync(context, 404, "MANIFEST_UNKNOWN");
                }

                return await CommitBench.NamesAsync(context, stale.Digest);
            }

            await Task.Delay(Next(isTag ? 8 : 2));
            if (!isTag)
            {
                return false;
            }

            if (Interlocked.Decrement(ref _untilCancelled) == 0)
            {
                await _cancel.CancelAsync();
            }

            switch (Next(14))
            {
                case 0:
                    Interlocked.Increment(ref _faults);
                    context.Response.Headers.RetryAfter = "30";
                    return await Answers.ErrorAsync(context, 429, "TOOMANYREQUESTS");
                case 1:
                    Interlocked.Increment(ref _faults);
                    return await Answers.ErrorAsync(context, 503, "UNAVAILABLE");
                case 2:
                    Interlocked.Increment(ref _faults);
                    context.Response.OnStarting(() =>
                    {
                        context.Abort();
                        return Task.CompletedTask;
                    });
                    return false;
                case 3 when context.Request.Method == "PUT" && Next(3) == 0:
                    Interlocked.Increment(ref _faults);
                    return await Answers.ErrorAsync(context, 400, "REFUSED");
                case 4 or 5 when context.Request.Method == "PUT":
                    Interlocked.Increment(ref _faults);
                    _stale[(server, tag)] = ((await TagsAsync(server)).GetValueOrDefault(tag, ""), Next(4));
                    return false;
                default:
                    return false;
            }
        }
    }
}
