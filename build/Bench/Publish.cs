using System.Globalization;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Reporting;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Core.Versioning;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;

namespace Registry.Sdk.Bench;

/// <summary>The most memory that a process has in use while it publishes: composed, searched for secrets, sent, tagged and read back.</summary>
internal static class Publish
{
    private const long Megabyte = 1_000_000;
    private const long MostBeyondSmall = 150;

    public static async Task<int> RunAsync()
    {
        var temporary = Directory.CreateTempSubdirectory("rsdk-publish-").FullName;
        try
        {
            await Shell.DescribeAsync();
            Shell.Print($"| publish folder | line cut every | cuts | wall s | CPU s | MB that arrived | MB sent again | peak MB | over the small one MB |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
            var (small, big) = (Folder("small", 1000), Folder("big", 2000 * Megabyte));
            var least = 0d;
            var isWithin = true;

            // The big one first compressed, over a line that is cut; then out of the cache, over one that is not. Each to a registry that has nothing yet.
            foreach (var (folder, every, layer) in new[] { (small, long.MaxValue, "compressed"), (big, 50 * Megabyte, "compressed"), (big, long.MaxValue, "from the cache") })
            {
                var state = Path.Combine(temporary, "state");
                await using (var emulator = await EmulatorServer.StartAsync(new() { StateDirectory = state }))
                await using (var link = CuttingProxy.Start(emulator.BaseAddress.Port, every))
                {
                    var cost = await Shell.TimeAsync($"{Shell.Self} publish '{folder}' '{link.Address}' '{Path.Combine(temporary, "work")}' '{Path.Combine(temporary, "cache")}'");
                    var words = cost.Output.Split(' ');
                    var (peak, sent, again) = (Number(words[0]) * 1024 / 1e6, Number(words[1]), Number(words[2]));
                    least = least == 0 ? peak : least;
                    isWithin &= peak <= least + MostBeyondSmall;
                    var megabytes = new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length) / 1e6;
                    Shell.Print($"| {megabytes:0} MB, {layer} | {(every == long.MaxValue ? "never" : $"{every / Megabyte} MB")} | {link.Cuts} | {cost.Seconds:0.0} | {cost.CpuSeconds:0.0} | {sent / 1e6:0.0} | {again / 1e6:0.0} | {peak:0} | {peak - least:0} |");
                }

                Directory.Delete(state, recursive: true);
                Directory.Delete(Path.Combine(temporary, "work"), recursive: true);
            }

            Console.Error.WriteLine(isWithin ? $"within {MostBeyondSmall} MB of a small publish" : $"more than {MostBeyondSmall} MB beyond a small publish");
            return isWithin ? 0 : 1;
        }
        finally
        {
            Directory.Delete(temporary, recursive: true);
        }

        static long Number(string text) => long.Parse(text, CultureInfo.InvariantCulture);

        // Noise: nothing that compressing would make small.
        string Folder(string name, long size)
        {
            var folder = Path.Combine(temporary, name);
            Directory.CreateDirectory(folder);
            File.WriteAllText(Path.Combine(folder, "start.sh"), "#!/bin/sh\n");
            using var file = File.Create(Path.Combine(folder, "noise"));
            var random = new Random(1);
            var block = new byte[1 << 20];
            for (var left = size; left > 0; left -= block.Length)
            {
                random.NextBytes(block);
                file.Write(block.AsSpan(0, (int)Math.Min(left, block.Length)));
            }

            return folder;
        }
    }

    /// <summary>Publishes a folder; prints the most memory that this process had in use (KB), the bytes that were sent, and those that were sent again.</summary>
    public static async Task<int> OneAsync(string folder, string address, string work, string cache)
    {
        var log = new Log();
        var (report, _) = await PublishPipeline.RunAsync(Request(folder, address, work, cache), new NoGit(), log, CancellationToken.None);
        if (!report.Succeeded || report.Bug is not null || report.Transfer?.Destinations is not [{ HoldsImage: true } destination] || destination.Tags.Any(t => t.State != TagState.Created))
        {
            throw new InvalidOperationException(string.Join('\n', report.Diagnostics.Select(d => d.ToString()).Append(report.Bug?.ToString())));
        }

        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{Compose.PeakKilobytes()} {destination.BytesSent} {destination.BytesSentAgain}"));
        return 0;
    }

    private static PublishRequest Request(string folder, string address, string work, string cache)
    {
        var facts = new BuildFacts(
            new() { State = GitState.Ok, Commit = new string('a', 40), CommitTime = new(2026, 11, 1, 12, 0, 0, TimeSpan.Zero), Branch = "main", TagsAtHead = [], Height = 1 }, null, null);
        var version = VersioningStage.Run(new(facts, "1.2.3", [], VersioningStage.DefaultTagRules, "v"));
        return new()
        {
            Project = "Big",
            Configuration = "Release",
            AssemblyName = "big",
            RuntimeIdentifiers = ["linux-x64"],
            ProjectDirectory = Path.Combine(work, "project"),
            Derived = Outcome<Derived>.Success(new(facts, version.Value), []),
            Platforms =
            [
                new()
                {
                    RuntimeIdentifier = "linux-x64",
                    Evidence = new() { PublishDirectory = folder },
                    BaseReference = "scratch",
                    BaseRegistry = "",
                    BaseRepository = "",
                    Settings = new() { AppCommand = ["/app/start.sh"] },
                },
            ],
            LayoutDirectory = Path.Combine(work, "layout"),
            CacheDirectory = cache,
            CacheSize = "5000",
            Destinations = [new($"{address}/bench/big")],
            DestinationProperty = "ContainerDestination",
            Environment = new Dictionary<string, string>(StringComparer.Ordinal),
            Reports = new(Path.Combine(work, "receipt.json"), null, null),
        };
    }

    private sealed class NoGit : IGit
    {
        public Task<GitResult?> RunAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken) => Task.FromResult<GitResult?>(null);

        public IAsyncEnumerable<string> ReadLinesAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken) => throw new GitException("no git");
    }

    /// <summary>Keeps nothing: what is measured is the publish.</summary>
    private sealed class Log : IPublishLog
    {
        public void Stage(string message) => Console.Error.WriteLine(message);

        public void Note(string message)
        {
        }

        public void Request(string message)
        {
        }

        public void Uploading(Destination destination, Descriptor blob, long sent, double bytesPerSecond)
        {
        }
    }
}
