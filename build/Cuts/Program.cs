using System.Diagnostics;
using System.Globalization;
using Registry.Sdk.Cuts;

// Publishes that are cut, killed, and sent over a bad line. build/soak runs it; docs/transfer-cuts.md keeps what came of it.
return args switch
{
    ["host", var release, var ghcr, var hub, var work] => await Kill.HostAsync(release, ghcr, hub, work),
    ["racer", .. var destinations] => await RaceHost.ServeAsync(destinations),
    ["matrix", var page, .. var rest] => await MatrixAsync(page, Number(rest, 0, int.MaxValue), Number(rest, 1, 1)),
    ["kill", var page, .. var rest] => await KillAsync(page, Number(rest, 0, 60)),
    ["line", var page, .. var rest] => await LineAsync(page, Number(rest, 0, 200), Number(rest, 1, 1)),
    ["race", var page, .. var rest] => await RaceAsync(page, Number(rest, 0, 100), Number(rest, 1, 1)),
    ["stock", var page, .. var rest] => await StockAsync(page, Number(rest, 0, 60), Number(rest, 1, 1)),
    _ => Usage(),
};

static int Usage()
{
    Console.Error.WriteLine("soak matrix|kill|line|race|stock PAGE [COUNT [SEED]]");
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

static async Task<int> RaceAsync(string page, int rounds, int seed)
{
    var clock = Stopwatch.StartNew();
    await using var race = await Race.StartAsync();
    var results = new List<RaceResult>();
    for (var round = 1; round <= rounds; round++)
    {
        var result = await race.RunAsync(round, seed);
        results.Add(result);
        foreach (var wrong in result.Wrong)
        {
            Console.Error.WriteLine($"round {round}, {result.Name}: {wrong}");
        }
    }

    var found = results.Count(r => r.Wrong.Count > 0);
    Table.Write(page, "race", Heading($"{rounds} rounds, seed {seed}", clock), Race.Table(results));
    Console.WriteLine(Race.Table(results));
    Console.WriteLine($"{results.Count} rounds, {found} wrong");
    return found == 0 ? 0 : 1;
}

static async Task<int> StockAsync(string page, int count, int seed)
{
    var clock = Stopwatch.StartNew();
    await using var stock = await Stock.CreateAsync();
    var tables = new System.Text.StringBuilder();
    var wrongOfOurs = 0;
    var cutsOfStock = Matrix.SampleOf(Matrix.AllOf(stock.Requests[Publisher.Stock]), count, seed);
    foreach (var (publisher, requests) in stock.Requests.OrderBy(r => r.Key))
    {
        var results = new List<StockResult>();
        var cuts = publisher == Publisher.Stock ? cutsOfStock : Matrix.LikeThose(cutsOfStock, Matrix.AllOf(requests), seed);
        foreach (var cut in cuts)
        {
            results.Add(await stock.TryAsync(publisher, cut, freshClone: results.Count % 2 == 1));
            Say(results[^1].Cut, results.Count, cuts.Count);
        }

        var mixed = results.Where(r => r.Cut.First.Any(v => v.Found == Found.Mixed)).ToList();
        var asked = string.Join(" and ", requests.Select(r => r.Count.ToString(CultureInfo.InvariantCulture)));
        tables.Append(CultureInfo.InvariantCulture, $"""
            ### {(publisher == Publisher.Stock ? "Stock" : "Ours")}

            {results.Count} cuts of an undisturbed publish's {asked} requests. Mixed after the first run in {mixed.Count} cuts, in {mixed.Count(r => !r.ToldFailure)} of them with exit code 0; in {results.Count(r => r.Torn)} cuts one registry named both releases by the tags of the new one.
            A version's own tag that the first run had written named another image after the next in {results.Count(r => r.ImmutableMoved)} cuts; in the end the two registries named different images by it in {results.Count(r => r.Differ)}.

            {Table.Of([.. results.Select(r => r.Cut)])}

            """);
        wrongOfOurs = publisher == Publisher.Ours ? results.Count(r => r.Cut.Wrong.Count > 0) : wrongOfOurs;
    }

    Table.Write(page, "stock", Heading($"seed {seed}, .NET SDK {await SdkVersionAsync()}", clock), tables.ToString().TrimEnd() + "\n");
    Console.WriteLine(tables);
    return wrongOfOurs == 0 ? 0 : 1;
}

static async Task<string> SdkVersionAsync() => (await Registry.Sdk.TestKit.ProcessRunner.RunAsync("dotnet", ["--version"])).EnsureSuccess().StandardOutput.Trim();

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
    Table.Write(page, section, Heading(what, clock), Table.Of(results));
    Console.WriteLine(Table.Of(results));
    Console.WriteLine($"{results.Count} tried, {wrong} wrong");
    return wrong == 0 ? 0 : 1;
}

static string Heading(string what, Stopwatch clock) => string.Create(CultureInfo.InvariantCulture, $"{DateTime.UtcNow:yyyy-MM-dd}, commit {Commit()}: {what}; {clock.Elapsed.TotalMinutes:0} minutes.");

static string Commit()
{
    using var git = Process.Start(new ProcessStartInfo("git", ["describe", "--always", "--dirty", "--abbrev=10"]) { RedirectStandardOutput = true, UseShellExecute = false })!;
    return git.StandardOutput.ReadToEnd().Trim();
}
