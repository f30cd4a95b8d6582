using System.Globalization;

namespace Registry.Sdk.Bench;

/// <summary>The most memory a process has in use while it composes a small folder, one of 2 GB, and a file beyond what tar's octal sizes and gzip's length can say.</summary>
internal static class Memory
{
    public static async Task<int> RunAsync()
    {
        var temporary = Directory.CreateTempSubdirectory("rsdk-soak-").FullName;
        try
        {
            var (small, big, huge) = (Path.Combine(temporary, "small"), Path.Combine(temporary, "big"), Path.Combine(temporary, "huge"));
            Directory.CreateDirectory(small);
            await File.WriteAllTextAsync(Path.Combine(small, "file"), "content");
            Data.Big(big);
            Directory.CreateDirectory(huge);
            using (var file = File.Create(Path.Combine(huge, "nine.gib")))
            {
                file.SetLength((9L << 30) + 5); // zeros that take no room
            }

            await Shell.DescribeAsync();
            Shell.Print($"| folder | MB | wall s | CPU s | compressed MB | peak MB | from the cache: wall s | peak MB |\n| --- | --- | --- | --- | --- | --- | --- | --- |");
            foreach (var folder in new[] { small, big, huge })
            {
                var (blobs, cache) = (Path.Combine(temporary, "blobs"), Path.Combine(temporary, "cache"));
                var compose = $"{Shell.Self} compose '{folder}' '{blobs}' '{cache}'";
                var (cold, warm) = (await Shell.TimeAsync(compose), await Shell.TimeAsync(compose));
                var (one, two) = (cold.Output.Split(' '), warm.Output.Split(' '));
                if (one[2] != "compressed" || two[2] != "cached" || one[3] != two[3])
                {
                    throw new InvalidOperationException($"{cold.Output} and then {warm.Output}");
                }

                var megabytes = new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Sum(f => f.Length) / 1e6;
                Shell.Print($"| {Path.GetFileName(folder)} | {megabytes:0} | {cold.Seconds:0.0} | {cold.CpuSeconds:0.0} | {Megabytes(one[0], 1):0.0} | {Megabytes(one[1], 1024):0} | {warm.Seconds:0.0} | {Megabytes(two[1], 1024):0} |");
                // Whole, and told so by others: gzip looks at its checksum and length, tar finds the same files.
                var blob = Path.Combine(blobs, one[3]["sha256:".Length..]);
                await Shell.TimeAsync($"gzip -t < '{blob}'");
                await Shell.TimeAsync($"diff <(tar -tvzf '{blob}' | grep -v '/$' | awk '{{ print $3, $6 }}' | sort) <(cd '{folder}' && find . -type f -printf '%s app/%P\\n' | sort)");
                Directory.Delete(blobs, recursive: true);
                Directory.Delete(cache, recursive: true);
            }

            return 0;
        }
        finally
        {
            Directory.Delete(temporary, recursive: true);
        }

        static double Megabytes(string number, int unit) => double.Parse(number, CultureInfo.InvariantCulture) * unit / 1e6;
    }
}
