using System.Diagnostics;
using Registry.Sdk.Core.Imaging;

namespace Registry.Sdk.Bench;

/// <summary>Which level of the runtime's deflate is worth its time; the choice is <see cref="ParallelGzip.Level"/>.</summary>
internal static class Levels
{
    private const int Repeats = 5;
    private static readonly int[] All = [1, 2, 3, 4, 5, 6, 7, 8, 9];

    public static async Task<int> RunAsync(string? folder)
    {
        var temporary = Directory.CreateTempSubdirectory("rsdk-bench-").FullName;
        try
        {
            if (folder is null)
            {
                Data.PublishLike(folder = Path.Combine(temporary, "data"));
            }

            var tar = await Data.TarAsync(folder, temporary);
            var file = Path.Combine(temporary, "tar");
            await File.WriteAllBytesAsync(file, tar);
            await Shell.DescribeAsync();
            var (seconds, sizes, pigz) = (All.ToDictionary(l => l, _ => new List<(double Wall, double Cpu)>()), new Dictionary<int, long>(), new List<Cost>());
            for (var i = 0; i < Repeats; i++)
            {
                foreach (var level in All)
                {
                    var cpu = Process.GetCurrentProcess().TotalProcessorTime;
                    var clock = Stopwatch.StartNew();
                    using var target = new MemoryStream(tar.Length);
                    await using var gzip = new ParallelGzip(target, 2, (block, output) => ParallelGzip.Deflate(block, output, level));
                    await gzip.WriteAsync(tar);
                    await gzip.CompleteAsync(CancellationToken.None);
                    seconds[level].Add((clock.Elapsed.TotalSeconds, (Process.GetCurrentProcess().TotalProcessorTime - cpu).TotalSeconds));
                    sizes[level] = target.Length;
                }

                pigz.Add(await Shell.TimeAsync($"pigz -6 -p2 < '{file}' > /dev/null"));
            }

            var reference = Shell.Median(pigz.Select(c => c.Seconds));
            Shell.Print($"tar {tar.Length / 1e6:0.0} MB, 2 workers, n={Repeats}, medians\n| level | wall s | MB/s | x pigz | CPU s | compressed MB |\n| --- | --- | --- | --- | --- | --- |");
            foreach (var level in All)
            {
                var wall = Shell.Median(seconds[level].Select(s => s.Wall));
                Shell.Print($"| {level} | {wall:0.00} | {tar.Length / 1e6 / wall:0} | {reference / wall:0.00} | {Shell.Median(seconds[level].Select(s => s.Cpu)):0.00} | {sizes[level] / 1e6:0.00} |");
            }

            var bytes = (await Shell.TimeAsync($"pigz -6 -p2 < '{file}' | wc -c")).Output;
            Shell.Print($"| pigz -6 -p2 | {reference:0.00} | {tar.Length / 1e6 / reference:0} | 1 | {Shell.Median(pigz.Select(c => c.CpuSeconds)):0.00} | {double.Parse(bytes, System.Globalization.CultureInfo.InvariantCulture) / 1e6:0.00} |");
            return 0;
        }
        finally
        {
            Directory.Delete(temporary, recursive: true);
        }
    }
}
