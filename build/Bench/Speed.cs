namespace Registry.Sdk.Bench;

/// <summary>Our layer beside what people do with a shell, in turns, so that all have the same noise. Ours also hashes the tar (twice) and writes a file.</summary>
internal static class Speed
{
    private const int Repeats = 7;

    public static async Task<int> RunAsync(string? folder)
    {
        var temporary = Directory.CreateTempSubdirectory("rsdk-bench-").FullName;
        try
        {
            if (folder is null)
            {
                Data.PublishLike(folder = Path.Combine(temporary, "data"));
            }

            var (blobs, cache) = (Path.Combine(temporary, "blobs"), Path.Combine(temporary, "cache"));
            var tar = $"tar --sort=name --mtime=@1 --owner=0 --group=0 -cf - -C '{folder}' .";
            (string Name, string Command, string Size)[] ways =
            [
                ("ours", $"{Shell.Self} compose '{folder}' '{blobs}'", ""),
                ("ours, layer in the cache", $"{Shell.Self} compose '{folder}' '{blobs}' '{cache}'", ""),
                ("tar, pigz -6 -p2, sha256sum", $"{tar} | pigz -6 -p2 | sha256sum", $"{tar} | pigz -6 -p2 | wc -c"),
                ("tar, gzip -6, sha256sum", $"{tar} | gzip -6 | sha256sum", $"{tar} | gzip -6 | wc -c"),
            ];
            await Shell.DescribeAsync();
            await Shell.TimeAsync(ways[1].Command); // fills the cache, and reads the files once
            var costs = ways.ToDictionary(w => w.Name, _ => new List<Cost>(), StringComparer.Ordinal);
            for (var i = 0; i < Repeats; i++)
            {
                foreach (var (name, command, _) in ways)
                {
                    costs[name].Add(await Shell.TimeAsync(command));
                }
            }

            var megabytes = double.Parse((await Shell.TimeAsync($"{tar} | wc -c")).Output, System.Globalization.CultureInfo.InvariantCulture) / 1e6;
            var pigz = Shell.Median(costs[ways[2].Name].Select(c => c.Seconds));
            Shell.Print($"tar {megabytes:0.0} MB, n={Repeats}, medians");
            Shell.Print($"| way | wall s | MB/s | x pigz | CPU s | compressed MB |\n| --- | --- | --- | --- | --- | --- |");
            foreach (var (name, _, size) in ways)
            {
                var seconds = Shell.Median(costs[name].Select(c => c.Seconds));
                var bytes = long.Parse(size.Length > 0 ? (await Shell.TimeAsync(size)).Output : costs[name][0].Output.Split(' ')[0], System.Globalization.CultureInfo.InvariantCulture);
                Shell.Print($"| {name} | {seconds:0.00} | {megabytes / seconds:0} | {pigz / seconds:0.00} | {Shell.Median(costs[name].Select(c => c.CpuSeconds)):0.00} | {bytes / 1e6:0.00} |");
            }

            return costs.Values.Take(2).SelectMany(c => c).Select(c => c.Output.Split(' ')[^1]).Distinct(StringComparer.Ordinal).Count() == 1 ? 0 : throw new InvalidOperationException("Two digests of one folder.");
        }
        finally
        {
            Directory.Delete(temporary, recursive: true);
        }
    }
}
