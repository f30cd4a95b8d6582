using System.Globalization;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests;
using Registry.Sdk.TestKit;

namespace Registry.Sdk.Cuts;

/// <summary>One cut: a fault at the n-th request to one server, once or from there on for good.</summary>
/// <param name="Server">Index into <see cref="Scene.Servers"/>.</param>
/// <param name="Request">Which request to it, from 0.</param>
/// <param name="Kind">What happens.</param>
/// <param name="ForGood">Whether every later request has it too.</param>
public sealed record Cut(int Server, int Request, Fault Kind, bool ForGood)
{
    /// <inheritdoc/>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture, $"{Kind.Name} at {Scene.Servers[Server]}'s request {Request}{(ForGood ? " and for good" : "")}");
}

/// <summary>What came of one cut.</summary>
/// <param name="Name">The cut.</param>
/// <param name="Kind">What row of the table it counts in.</param>
/// <param name="First">The verdicts after the first publish.</param>
/// <param name="Wrong">What must not be, one line each; empty: all is well.</param>
public sealed record CutResult(string Name, string Kind, IReadOnlyList<Verdict> First, IReadOnlyList<string> Wrong);

/// <summary>
/// Every cut of a publish: published once with the fault, judged; published again without it, from the same clone or a fresh one, and judged again.
/// </summary>
public sealed class Matrix : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly TempDirectory _directory = new("cuts");
    private IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> _before = null!;
    private int _runs = -1;

    private Matrix() => Release = Release.Create(_directory.Folder("release"));

    /// <summary>The faults that are tried at every request they can touch.</summary>
    public static IReadOnlyList<Fault> Kinds { get; } =
    [
        Fault.DropBefore,
        Fault.DropAfter,
        Fault.CutAnswer,
        Fault.CutRequest(),
        Fault.Delay(TimeSpan.FromMilliseconds(20)),
        Fault.Status(500, "UNKNOWN", "internal"),
        Fault.Status(503),
        Fault.Status(503, retryAfter: "1"),
        Fault.Status(429, "TOOMANYREQUESTS", "too many requests"),
        Fault.Status(429, "TOOMANYREQUESTS", "too many requests", retryAfter: "2"),
        Fault.Answer("429 in GHCR's words", context => EmulatorFaults.GhcrThrottleAsync(context, "1.5s")),
        Fault.Answer("403 secondary rate limit", EmulatorFaults.GhcrSecondaryRateLimitAsync),
        Fault.Answer("403 denied", EmulatorFaults.GhcrSporadicDenialAsync),
        Fault.ExpireTokens,
        Fault.StaleTag(2),
        Fault.StaleTag(FaultRule.ForGood),
        Fault.ImmutableTags(),
        Fault.ImmutableTags(409),
        Fault.RefuseMount(),
        Fault.RefuseMount(405),
        Fault.LoseSession,
        Fault.WrongDigest,
        Fault.WrongBody,
    ];

    /// <summary>The project that is published.</summary>
    public Release Release { get; }

    /// <summary>The image of each edition, as an undisturbed publish makes it.</summary>
    public IReadOnlyDictionary<string, string> Digests { get; private set; } = null!;

    /// <summary>The requests of an undisturbed publish, by server.</summary>
    public IReadOnlyList<IReadOnlyList<RequestRecord>> Requests { get; private set; } = null!;

    /// <summary>Publishes the old release, and the new one once undisturbed, to know what to expect.</summary>
    public static async Task<Matrix> CreateAsync()
    {
        var matrix = new Matrix();
        await using (var scene = await Scene.StartAsync(state: null, matrix._directory.Folder("state")))
        {
            Ensure(await matrix.Release.PublishAsync(Release.Old, scene.Target, matrix._directory.Folder("old"), new InstantTime(), CancellationToken.None));
            matrix._before = await scene.TagsAsync();
        }

        await using var undisturbed = await matrix.StartAsync();
        var told = Ensure(await matrix.Release.PublishAsync(Release.New, undisturbed.Target, matrix._directory.Folder("new"), new InstantTime(), CancellationToken.None));
        matrix.Digests = told.Digests;
        matrix.Requests = undisturbed.Requests;
        var verdicts = await matrix.JudgeAsync(undisturbed, told.Succeeded, matrix._directory.Folder("new"));
        return verdicts.All(v => v.Found == Found.New) ? matrix : throw new InvalidOperationException(string.Join('\n', verdicts));
    }

    /// <summary>All cuts there are: each kind at each request that it can touch.</summary>
    public IReadOnlyList<Cut> All() => AllOf(Requests);

    /// <summary>All cuts of a publish that sends those requests, by server.</summary>
    public static IReadOnlyList<Cut> AllOf(IReadOnlyList<IReadOnlyList<RequestRecord>> requests)
    {
        ArgumentNullException.ThrowIfNull(requests);
        var cuts = new List<Cut>();
        for (var server = 0; server < requests.Count; server++)
        {
            for (var request = 0; request < requests[server].Count; request++)
            {
                foreach (var kind in Kinds.Where(k => Touches(k.Name, requests[server][request])))
                {
                    cuts.Add(new(server, request, kind, ForGood: false));
                    cuts.Add(new(server, request, kind, ForGood: true));
                }
            }
        }

        return cuts;
    }

    /// <summary>So many cuts of all, by a seed; every kind is among them where there is room.</summary>
    public IReadOnlyList<Cut> Sample(int count, int seed) => SampleOf(All(), count, seed);

    /// <summary>So many of those cuts, by a seed; every kind is among them where there is room.</summary>
    public static IReadOnlyList<Cut> SampleOf(IEnumerable<Cut> cuts, int count, int seed)
    {
        var random = new Random(seed);
        var byKind = cuts.GroupBy(c => (c.Kind, c.ForGood)).Select(g => new Queue<Cut>([.. g.OrderBy(_ => random.Next())])).OrderBy(_ => random.Next()).ToList();
        var sample = new List<Cut>();
        while (sample.Count < count && byKind.Exists(q => q.Count > 0))
        {
            sample.AddRange(byKind.Where(q => q.Count > 0).Take(count - sample.Count).Select(q => q.Dequeue()).ToList());
        }

        return sample;
    }

    /// <summary>For each cut of one publish a cut of another: the same fault at the same server, at a request by a seed. Without those that have no like.</summary>
    public static IReadOnlyList<Cut> LikeThose(IEnumerable<Cut> cuts, IReadOnlyCollection<Cut> others, int seed)
    {
        var random = new Random(seed);
        return
        [
            .. from cut in cuts
               let like = others.Where(o => o.Kind == cut.Kind && o.ForGood == cut.ForGood && o.Server == cut.Server).ToList()
               where like.Count > 0
               select like[random.Next(like.Count)],
        ];
    }

    /// <summary>Servers that hold the old release.</summary>
    public Task<Scene> StartAsync() => Scene.StartAsync(_directory.Folder("state"), NewFolder());

    /// <summary>A folder that nothing has been in.</summary>
    public string NewFolder() => _directory.Folder("runs", Interlocked.Increment(ref _runs).ToString(CultureInfo.InvariantCulture));

    /// <summary>Tries one cut.</summary>
    public async Task<CutResult> TryAsync(Cut cut, bool freshClone)
    {
        await using var scene = await StartAsync();
        scene.Scripts[cut.Server].Add(new FaultRule(cut.Kind) { From = cut.Request, Times = cut.ForGood ? FaultRule.ForGood : 1 });
        var wrong = new List<string>();
        var work = NewFolder();
        var told = await PublishAsync(scene, work, wrong);
        var first = await JudgeAsync(scene, told?.Succeeded, work);
        wrong.AddRange(first.Where(v => v.Found == Found.Mixed).Select(v => $"{v.Place} {v.Why}"));
        scene.Heal();
        await FinishAsync(scene, freshClone ? NewFolder() : work, wrong);
        return new($"{cut}{(freshClone ? ", then a fresh clone" : "")}{(wrong.Count > 0 && told is { Succeeded: false } ? $" [{string.Join(" | ", told.Errors)}]" : "")}", cut.Kind.Name + (cut.ForGood ? ", for good" : ", once"), first, wrong);
    }

    /// <summary>Publishes the same once more without faults: everything has to be new then.</summary>
    public async Task FinishAsync(Scene scene, string work, List<string> wrong)
    {
        var told = await PublishAsync(scene, work, wrong);
        if (told is { Succeeded: false })
        {
            wrong.Add($"the next run fails: {string.Join(" | ", told.Errors)}");
        }

        wrong.AddRange((await JudgeAsync(scene, told?.Succeeded, work)).Where(v => v.Found != Found.New).Select(v => $"after the next run {v.Place} is {v.Found}: {v.Why}"));
    }

    /// <summary>Judges the destinations of a scene.</summary>
    public Task<IReadOnlyList<Verdict>> JudgeAsync(Scene scene, bool? succeeded, string work) => Judge.JudgeAsync(scene.Places, _before, Digests, succeeded, work);

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => _directory.DisposeAsync();

    private static bool Touches(string kind, RequestRecord request)
    {
        var isUpload = request.PathAndQuery.Contains("/blobs/upload", StringComparison.Ordinal);
        var isTagPut = request.Method == "PUT" && request.PathAndQuery.Contains("/manifests/", StringComparison.Ordinal) && !request.PathAndQuery.Contains("/manifests/sha256:", StringComparison.Ordinal);
        return kind switch
        {
            "cut answer" or "wrong body" => request.ResponseBytes > 0,
            "cut request" => request.RequestBytes > 0,
            "stale reads" or "stale reads that stay" or "immutable tags" => isTagPut,
            "no mount" => request.PathAndQuery.Contains("?mount=", StringComparison.Ordinal),
            "lost session" => isUpload && request.Method != "POST",
            "wrong digest" => request.PathAndQuery.Contains("/manifests/", StringComparison.Ordinal) || isUpload,
            _ => true,
        };
    }

    private static Told Ensure(Told told) => told.Succeeded ? told : throw new InvalidOperationException(string.Join('\n', told.Errors), told.Bug);

    private async Task<Told?> PublishAsync(Scene scene, string work, List<string> wrong)
    {
        using var patience = new CancellationTokenSource(Patience);
        var told = await Release.PublishAsync(Release.New, scene.Target, work, new InstantTime(), patience.Token);
        if (patience.IsCancellationRequested)
        {
            wrong.Add($"the publish did not end within {Patience.TotalMinutes} minutes");
        }

        if (told.Bug is { } bug)
        {
            wrong.Add($"a bug: {bug}");
        }

        return told;
    }
}
