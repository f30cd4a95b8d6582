using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;

namespace Registry.Sdk.Cuts;

/// <summary>How a publish was told that a floating tag of its own names another's image when both have ended.</summary>
public enum Overtaken
{
    /// <summary>It left the tag to something newer: its receipt says <c>kept</c>, and why.</summary>
    Kept,

    /// <summary>It wrote the tag over something newer, and moved it on: <c>repaired</c>, and why.</summary>
    Repaired,

    /// <summary>It wrote the tag, which was right then; the other's receipt says that it moved it after that.</summary>
    MovedOn,
}

/// <summary>One round.</summary>
/// <param name="Name">What was published by whom.</param>
/// <param name="Kind">The row that it counts in.</param>
/// <param name="Overtaken">For each floating tag at each destination that a publish had a claim to and does not have.</param>
/// <param name="Failed">Publishes that ended in an error, which said what is pending, and were run again alone.</param>
/// <param name="Wrong">What must not be; empty: all is well.</param>
public sealed record RaceResult(string Name, string Kind, IReadOnlyList<Overtaken> Overtaken, int Failed, IReadOnlyList<string> Wrong);

/// <summary>
/// Two processes that publish different commits of one service at the same moment, to two registries, round after round into the same repositories. After
/// each round the registries are read by plain requests and compared with what should be there, whoever came first.
/// </summary>
public sealed class Race : IAsyncDisposable
{
    private const string Repository = "team/app";

    private static readonly string[] Kinds = ["two releases of one line", "a release and a backport to the minor before", "a release and a backport to the major before", "two commits of a branch", "a release and a commit", "a release and a prerelease"];

    private readonly TempDirectory _directory = new("race");
    private readonly Dictionary<RaceBuild, string> _published = [];
    private readonly List<EmulatorServer> _servers = [];
    private readonly List<Place> _places = [];
    private readonly List<RaceHost> _hosts = [];
    private int _commits;

    /// <summary>Called with the destinations when both publishes of a round have ended, before it is judged: where the judge is put to the test.</summary>
    public Func<IReadOnlyList<Place>, Task> Ended { get; set; } = static _ => Task.CompletedTask;

    private Race()
    {
    }

    /// <summary>Starts the registries and the processes, and publishes something of each line, one after the other.</summary>
    public static async Task<Race> StartAsync()
    {
        var race = new Race();
        for (var i = 0; i < 2; i++)
        {
            var server = await EmulatorServer.StartAsync(new() { StateDirectory = race._directory.Folder("state", i.ToString(CultureInfo.InvariantCulture)) });
            race._servers.Add(server);
            race._places.Add(new($"{server.Host}/{Repository}", "", "", server.CreateAdministrator(), Repository));
        }

        race._hosts.AddRange([race.NewHost(), race.NewHost()]);
        foreach (var version in new[] { "1.0.0", "2.0.0", "" })
        {
            var first = race.Next(version);
            var answer = (await RaceHost.PublishAsync([race._hosts[0]], [race.Order(first, 0, knowsHistory: true)]))[0];
            race._published[first] = answer.Succeeded ? answer.Digest! : throw new InvalidOperationException($"{string.Join('\n', answer.Errors)}{answer.Bug}");
        }

        return race;
    }

    /// <summary>One round.</summary>
    /// <param name="round">From 1, each once.</param>
    /// <param name="seed">Decides what is published, by which process, and which of them begins how much later.</param>
    public async Task<RaceResult> RunAsync(int round, int seed)
    {
        var random = new Random(unchecked((seed * 397) ^ (round * 7919)));
        // Each kind as often as any other.
        var kind = Kinds[round % Kinds.Length];
        string R(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
        var versions = Array.IndexOf(Kinds, kind) switch
        {
            0 => (R($"2.{round}.0"), R($"2.{round}.1")),
            1 => (R($"2.{round}.0"), R($"2.{round - 1}.{100 + round}")),
            2 => (R($"2.{round}.0"), R($"1.{round}.0")),
            3 => ("", ""),
            4 => (R($"2.{round}.0"), ""),
            _ => (R($"2.{round}.0"), R($"2.{round + 1}.0-rc.1")),
        };
        var builds = new[] { Next(versions.Item1), Next(versions.Item2) };
        if (random.Next(2) == 0)
        {
            Array.Reverse(builds);
        }

        var knowsHistory = random.Next(2) == 0;
        // As long as a publish takes or so, that they meet in all its parts; three of four rounds within the few requests around the tags.
        var most = random.Next(4) == 0 ? 150 : 30;
        var orders = builds.Select(b => Order(b, random.Next(most), knowsHistory)).ToList();
        var answers = await RaceHost.PublishAsync(_hosts, orders);

        var name = string.Join(" and ", orders.Select(o => $"{o.Build.Immutable} after {o.Delay} ms"));
        var wrong = new List<string>();
        var failed = 0;
        for (var i = 0; i < answers.Count; i++)
        {
            if (answers[i].Bug is { } bug)
            {
                wrong.Add($"a bug: {bug}");
            }

            if (answers[i].Succeeded)
            {
                continue;
            }

            // Told by its exit code and its receipt: whoever started it starts it again.
            failed++;
            if (!Tags(orders[i].Folder).Any(t => t.State == "pending") || !answers[i].Errors.Any(e => e.Contains("pending", StringComparison.Ordinal)))
            {
                wrong.Add($"{builds[i].Immutable} failed and does not say what is pending: {string.Join(" | ", answers[i].Errors)}");
            }

            orders[i] = Order(builds[i], 0, knowsHistory);
            var again = (await RaceHost.PublishAsync([_hosts[i]], [orders[i]]))[0];
            if (!again.Succeeded)
            {
                wrong.Add($"{builds[i].Immutable} fails again: {string.Join(" | ", again.Errors)}");
            }
        }

        for (var i = 0; i < builds.Length; i++)
        {
            _published[builds[i]] = answers[i].Digest ?? "nothing";
        }

        await Ended(_places);
        return new(name, kind, await JudgeAsync(orders, wrong), failed, wrong);
    }

    /// <summary>The table of rounds by kind.</summary>
    public static string Table(IReadOnlyCollection<RaceResult> results)
    {
        ArgumentNullException.ThrowIfNull(results);
        var text = new StringBuilder("| at once | rounds | overtaken: kept | repaired | moved on by the newer | failed, pending, and run again | wrong |\n| --- | --: | --: | --: | --: | --: | --: |\n");
        foreach (var kind in results.GroupBy(r => r.Kind, StringComparer.Ordinal).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            Row(kind.Key, [.. kind]);
        }

        Row("**all**", results);
        return text.ToString();

        void Row(string name, IReadOnlyCollection<RaceResult> rows)
        {
            int Count(Overtaken how) => rows.Sum(r => r.Overtaken.Count(o => o == how));
            text.Append(CultureInfo.InvariantCulture, $"| {name} | {rows.Count} | {Count(Overtaken.Kept)} | {Count(Overtaken.Repaired)} | {Count(Overtaken.MovedOn)} | {rows.Sum(r => r.Failed)} | {rows.Count(r => r.Wrong.Count > 0)} |\n");
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var host in _hosts)
        {
            await host.DisposeAsync();
        }

        foreach (var place in _places)
        {
            place.Registry.Dispose();
        }

        foreach (var server in _servers)
        {
            await server.DisposeAsync();
        }

        await _directory.DisposeAsync();
    }

    private RaceHost NewHost() => RaceHost.Start([.. _places.Select(p => p.Name)]);

    private RaceBuild Next(string version) => new(++_commits, version);

    // A fresh clone each: no two publishes share a folder.
    private RaceOrder Order(RaceBuild build, int delay, bool knowsHistory) => new(build, _directory.Folder("clones", Guid.NewGuid().ToString("N")), delay, knowsHistory);

    private async Task<IReadOnlyList<Overtaken>> JudgeAsync(List<RaceOrder> orders, List<string> wrong)
    {
        var overtaken = new List<Overtaken>();
        // What each tag should name, of all that was ever published here.
        var expected = _published.ToDictionary(p => p.Key.Immutable, p => p.Key, StringComparer.Ordinal);
        foreach (var build in _published.Keys)
        {
            foreach (var tag in build.Floating)
            {
                if (!expected.TryGetValue(tag, out var other) || build.IsNewerThan(other))
                {
                    expected[tag] = build;
                }
            }
        }

        var names = _published.ToDictionary(p => p.Value, p => p.Key.Immutable, StringComparer.Ordinal);
        foreach (var place in _places)
        {
            var tags = await Judge.TagsAsync(place);
            foreach (var tag in tags.Keys.Concat(expected.Keys).Distinct(StringComparer.Ordinal))
            {
                var (actual, should) = (tags.GetValueOrDefault(tag), expected.GetValueOrDefault(tag));
                if (should is null || actual != _published[should])
                {
                    wrong.Add($"{place.Name}: {tag} names {(actual is null ? "nothing" : names.GetValueOrDefault(actual, actual))}, and not {should?.Immutable ?? "nothing"}");
                }
            }

            var told = orders.Select(o => Tags(o.Folder).Where(t => t.Destination == place.Name).ToDictionary(t => t.Name, StringComparer.Ordinal)).ToList();
            for (var i = 0; i < orders.Count; i++)
            {
                var build = orders[i].Build;
                if (!told[i].TryGetValue(build.Immutable, out var immutable) || immutable.State == "pending" || immutable.After != _published[build])
                {
                    wrong.Add($"{place.Name}: the receipt of {build.Immutable} does not say that {build.Immutable} names it");
                }

                foreach (var tag in build.Floating)
                {
                    if (!told[i].TryGetValue(tag, out var says) || says.Why.Length == 0)
                    {
                        wrong.Add($"{place.Name}: the receipt of {build.Immutable} does not say why {tag} is what it is");
                        continue;
                    }

                    var now = _published[expected[tag]];
                    if (expected[tag] == build)
                    {
                        if (says.State == "pending" || says.After != now)
                        {
                            wrong.Add($"{place.Name}: {tag} names {build.Immutable}, whose receipt says {says}");
                        }

                        continue;
                    }

                    // Whoever is newer need not be the other of this round: then it was there before, and is what is kept.
                    var others = told[1 - i].GetValueOrDefault(tag);
                    Overtaken? how = says.State switch
                    {
                        "kept" when says.After is { } kept && names.TryGetValue(kept, out var by) && _published.Keys.Single(b => b.Immutable == by).IsNewerThan(build) => Overtaken.Kept,
                        "repaired" when says.After == now => Overtaken.Repaired,
                        "created" or "moved" when expected[tag] == orders[1 - i].Build && others is { State: "created" or "moved" } => Overtaken.MovedOn,
                        _ => null,
                    };
                    if (how is { } known)
                    {
                        overtaken.Add(known);
                    }
                    else
                    {
                        wrong.Add($"{place.Name}: {tag} names {expected[tag].Immutable}, and in silence: the receipt of {build.Immutable} says {says}, the other's {others?.ToString() ?? "nothing"}");
                    }
                }
            }
        }

        return overtaken;
    }

    private static IEnumerable<ToldTag> Tags(string folder)
    {
        var receipt = Path.Combine(folder, "receipt.json");
        return from destination in (File.Exists(receipt) ? JsonNode.Parse(File.ReadAllText(receipt))!["images"]!.AsArray() : []).SelectMany(i => i!["destinations"]!.AsArray())
               from tag in destination!["tags"]!.AsArray()
               select new ToldTag(destination["name"]!.GetValue<string>(), tag!["name"]!.GetValue<string>(), tag["state"]!.GetValue<string>(), tag["after"]?.GetValue<string>(), tag["why"]?.GetValue<string>() ?? "");
    }

    /// <summary>A tag as a receipt has it.</summary>
    private sealed record ToldTag(string Destination, string Name, string State, string? After, string Why);
}
