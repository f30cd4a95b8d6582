using System.Diagnostics;
using System.Globalization;
using Registry.Sdk.Cuts;

// Publishes that are cut, killed, and sent over a bad line. build/soak runs it; docs/transfer-cuts.md keeps what came of it.
return args switch
{
    ["host", var release, var ghcr, var hub, var work] => await Kill.HostAsync(release, ghcr, hub, work),
    ["matrix", var page, .. var rest] => await MatrixAsync(page, Number(rest, 0, int.MaxValue), Number(rest, 1, 1)),
    ["kill", var page, .. var rest] => await KillAsync(page, Number(rest, 0, 60)),
    ["line", var page, .. var rest] => await LineAsync(page, Number(rest, 0, 200), Number(rest, 1, 1)),
    ["model", var page, .. var rest] => await ModelAsync(page, Number(rest, 0, 500), Number(rest, 1, 1)),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("soak matrix|kill|line|model PAGE [COUNT [SEED]]");
    return 2;
}

static int Number(string[] rest, int index, int otherwise) => index < rest.Length ? int.Parse(rest[index], NumberStyles.None, CultureInfo.InvariantCulture) : otherwise;

static async Task<int> MatrixAsync(string page, int count, int seed)
{
    var clock = Stopwatch.StartNew();
    await using var matrix = await Matrix.CreateAsync();
    var all = matrix.All();
    var cuts = count >= all.Count ? all : matrix.Sample(count, seed);
    var results = new CutResult[cuts.Count];
    var done = 0;
    await Parallel.ForAsync(0, cuts.Count, new ParallelOptions { MaxDegreeOfParallelism = Environment.ProcessorCount }, async (i, _) =>
    {
        results[i] = await matrix.TryAsync(cuts[i], freshClone: i % 2 == 1);
        Say(results[i], Interlocked.Increment(ref done), cuts.Count);
    });
    var which = cuts.Count == all.Count ? $"all {all.Count} cuts" : $"{cuts.Count} of {all.Count} cuts, seed {seed}";
    return Report(page, "matrix", $"{which}; an undisturbed publish asks {string.Join(" and ", matrix.Requests.Select((r, i) => $"{Scene.Servers[i]} {r.Count} times"))}", results, clock);
}

static async Task<int> KillAsync(string page, int count)
{
    var clock = Stopwatch.StartNew();
    await using var matrix = await Matrix.CreateAsync();
    var requests = matrix.Requests.Sum(r => r.Count);
    var results = new List<CutResult>();
    for (var i = 0; i < count; i++)
    {
        results.Add(await Kill.TryAsync(matrix, i * requests / count, freshClone: i % 2 == 1));
        Say(results[^1], i + 1, count);
    }

    return Report(page, "kill", $"{count} points of {requests} requests", results, clock);
}

static async Task<int> LineAsync(string page, int count, int seed)
{
    var clock = Stopwatch.StartNew();
    await using var line = await Line.CreateAsync();
    var results = new List<CutResult>();
    for (var i = 0; i < count; i++)
    {
        results.Add(await line.TryAsync(seed + i, restart: i == count / 2));
        Say(results[^1], i + 1, count);
    }

    return Report(page, "line", $"{count} runs from seed {seed}, one registry restarted in the middle", results, clock);
}

static async Task<int> ModelAsync(string page, int count, int seed)
{
    var clock = Stopwatch.StartNew();
    IReadOnlyCollection<CutResult> results;
    try
    {
        results = await Teller.TellAsync(count, seed, workers: Environment.ProcessorCount, done =>
        {
            if (done % 10 == 0)
            {
                Console.Error.WriteLine($"{done} of {count}");
            }
        });
    }
    catch (Exception e) when (e.ToString().Contains(nameof(WrongStoryException), StringComparison.Ordinal))
    {
        // The shortest story that fails, and what was wrong in it.
        Console.Error.WriteLine(e.Message);
        return 1;
    }

    return Report(page, "model", $"{count} sequences from seed {seed}", results, clock);
}

static void Say(CutResult result, int done, int count)
{
    foreach (var line in Table.Wrong([result]))
    {
        Console.Error.WriteLine(line);
    }

    if (done % 10 == 0 || done == count)
    {
        Console.Error.WriteLine($"{done} of {count}");
    }
}

static int Report(string page, string section, string what, IReadOnlyCollection<CutResult> results, Stopwatch clock)
{
    var wrong = results.Count(r => r.Wrong.Count > 0);
    Table.Write(page, section, string.Create(CultureInfo.InvariantCulture, $"{DateTime.UtcNow:yyyy-MM-dd}, commit {Commit()}: {what}; {clock.Elapsed.TotalMinutes:0} minutes."), results);
    Console.WriteLine(Table.Of(results));
    Console.WriteLine($"{results.Count} tried, {wrong} wrong");
    return wrong == 0 ? 0 : 1;
}

static string Commit()
{
    using var git = Process.Start(new ProcessStartInfo("git", ["describe", "--always", "--dirty", "--abbrev=10"]) { RedirectStandardOutput = true, UseShellExecute = false })!;
    return git.StandardOutput.ReadToEnd().Trim();
}
