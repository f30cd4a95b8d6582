using System.Globalization;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Registry.Tests;
using Registry.Sdk.TestKit;

namespace Registry.Sdk.Cuts;

/// <summary>
/// Two real registries (Distribution) behind a line that breaks at random: in each run a repository of its own holds the old release, the new one is
/// published over the bad line until the line is mended.
/// </summary>
public sealed class Line : IAsyncDisposable
{
    private readonly TempDirectory _directory = new("line");
    private readonly Release _release;
    private readonly List<DistributionServer> _servers = [];

    private Line() => _release = Release.Create(_directory.Folder("release"));

    /// <summary>Starts both registries.</summary>
    public static async Task<Line> CreateAsync()
    {
        var line = new Line();
        line._servers.AddRange(await Task.WhenAll(DistributionServer.StartAsync(), DistributionServer.StartAsync()));
        return line;
    }

    /// <summary>One run.</summary>
    /// <param name="seed">Where the line breaks.</param>
    /// <param name="restart">Whether the first registry is ended and started again on what it has stored, between the two publishes.</param>
    public async Task<CutResult> TryAsync(int seed, bool restart)
    {
        var proxies = _servers.Select(s => CuttingProxy.Start(s.Port)).ToList();
        var clients = _servers.Select(s => s.CreateClient()).ToList();
        try
        {
            var repository = string.Create(CultureInfo.InvariantCulture, $"run-{seed}/api");
            var places = new List<Place>
            {
                new($"{proxies[0].Address}/{repository}", "enterprise", "", clients[0], repository),
                new($"{proxies[1].Address}/{repository}", "community", "", clients[1], repository),
                new($"{proxies[1].Address}/{repository}-alias", "community", "", clients[1], repository + "-alias"),
            };
            var target = new Target([.. places.Select(p => new DestinationItem(p.Name, p.Edition))], [], new Dictionary<string, string>(StringComparer.Ordinal));
            Ensure(await _release.PublishAsync(Release.Old, target, Work("old"), new InstantTime(), CancellationToken.None));
            var before = new Dictionary<string, IReadOnlyDictionary<string, string>>(StringComparer.Ordinal);
            foreach (var place in places)
            {
                before.Add(place.Name, await Judge.TagsAsync(place));
            }

            // From a line that a publish gets over with some patience to one that carries hardly a request: so that it also ends in the middle.
            var (safe, most) = (seed % 3) switch
            {
                0 => (0.3, 60_000),
                1 => (0.0, 3_500),
                _ => (0.0, 2_500),
            };
            for (var i = 0; i < proxies.Count; i++)
            {
                // Numbers go on: what comes now is a later connection.
                proxies[i].Allowance = CuttingProxy.Seeded((seed * 2) + i, safe, most);
            }

            var wrong = new List<string>();
            var told = await PublishAsync(target, Work("first"), wrong);
            var cuts = proxies.Sum(p => p.Cuts);
            foreach (var proxy in proxies)
            {
                proxy.Allowance = static _ => null;
            }

            // Where the bad line ended it before any image was composed, the images are known from the next run: the same bytes.
            var firstDigests = told.Digests;
            if (restart)
            {
                await _servers[0].RestartAsync();
            }

            var judged = firstDigests.Count == 2 ? await Judge.JudgeAsync(places, before, firstDigests, told.Succeeded, Work("first")) : null;
            var clone = seed % 2 == 0 ? Work("first") : Work("fresh");
            var next = await PublishAsync(target, clone, wrong);
            if (!next.Succeeded)
            {
                wrong.Add($"the next run fails: {string.Join(" | ", next.Errors)}");
            }

            if (firstDigests.Any(d => next.Digests.GetValueOrDefault(d.Key) != d.Value))
            {
                wrong.Add("the next run made another image");
            }

            judged ??= await Judge.JudgeAsync(places, before, next.Digests, told.Succeeded, Work("first"));
            wrong.AddRange(judged.Where(v => v.Found == Found.Mixed).Select(v => $"{v.Place} {v.Why}"));
            wrong.AddRange((await Judge.JudgeAsync(places, before, next.Digests, next.Succeeded, clone)).Where(v => v.Found != Found.New).Select(v => $"after the next run {v.Place} is {v.Found}: {v.Why}"));
            return new(string.Create(CultureInfo.InvariantCulture, $"run {seed}, {cuts} cuts{(restart ? ", a registry restarted in between" : "")}"), cuts == 0 ? "bad line, not cut" : "bad line", judged, wrong);

            string Work(string name) => _directory.Folder("runs", seed.ToString(CultureInfo.InvariantCulture), name);
        }
        finally
        {
            clients.ForEach(c => c.Dispose());
            foreach (var proxy in proxies)
            {
                await proxy.DisposeAsync();
            }
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var server in _servers)
        {
            await server.DisposeAsync();
        }

        await _directory.DisposeAsync();
    }

    private static void Ensure(Told told)
    {
        if (!told.Succeeded)
        {
            throw new InvalidOperationException(string.Join('\n', told.Errors), told.Bug);
        }
    }

    private async Task<Told> PublishAsync(Target target, string work, List<string> wrong)
    {
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(3));
        var told = await _release.PublishAsync(Release.New, target, work, new InstantTime(), patience.Token);
        if (patience.IsCancellationRequested)
        {
            wrong.Add("the publish did not end within 3 minutes");
        }

        if (told.Bug is { } bug)
        {
            wrong.Add($"a bug: {bug}");
        }

        return told;
    }
}
