using System.Diagnostics;
using System.Globalization;
using System.Text;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.TestKit;

namespace Registry.Sdk.Bench;

/// <summary>Counts what the search for secrets finds in folders that hold none: its false alarms, and how long it takes.</summary>
internal static class Secrets
{
    public static int Run(IReadOnlyList<string> folders)
    {
        Console.WriteLine("| corpus | files | with those in archives | MB | s | MB/s | found | not read |");
        Console.WriteLine("| --- | --- | --- | --- | --- | --- | --- | --- |");
        var details = new List<string>();
        var byRule = new SortedDictionary<string, int>(StringComparer.Ordinal);
        foreach (var folder in folders)
        {
            var files = Directory.EnumerateFiles(folder, "*", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.ReparsePoint })
                // What a package's archive holds lies beside it.
                .Where(f => !f.EndsWith(".nupkg", StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal).ToList();
            var scanner = new SecretScanner(CancellationToken.None);
            var clock = Stopwatch.StartNew();
            foreach (var file in files)
            {
                using var stream = File.OpenRead(file);
                scanner.ScanFile(Path.GetRelativePath(folder, file).Replace('\\', '/'), stream);
            }

            var seconds = clock.Elapsed.TotalSeconds;
            var name = Path.GetFileName(Path.TrimEndingDirectorySeparator(folder));
            Console.WriteLine(string.Create(
                CultureInfo.InvariantCulture, $"| {name} | {files.Count} | {scanner.Files} | {scanner.Bytes / 1e6:0.0} | {seconds:0.0} | {scanner.Bytes / 1e6 / seconds:0} | {scanner.Hits.Count} | {scanner.NotRead.Count} |"));
            foreach (var hit in scanner.Hits)
            {
                byRule[hit.Rule.Id] = byRule.GetValueOrDefault(hit.Rule.Id) + 1;
                details.Add($"{hit.Rule.Id}  {name}/{hit.Path}  {(hit.Line is { } line ? $"line {line}" : $"byte {hit.Offset}")}  {SecretSearch.FingerprintOf(hit.Rule, hit.Value)}");
            }

            details.AddRange(scanner.NotRead.Select(n => $"not read  {name}/{n.Path}  {n.Why}"));
        }

        Console.WriteLine();
        Console.WriteLine("| 2 MB of | s | MB/s |");
        Console.WriteLine("| --- | --- | --- |");
        foreach (var unit in PlantedSecrets.Repeated)
        {
            var text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(unit, (2 << 20) / unit.Length)));
            var clock = Stopwatch.StartNew();
            new SecretScanner(CancellationToken.None).ScanFile("x.js", new MemoryStream(text));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"| `{unit.Replace("\n", "\\n", StringComparison.Ordinal)}` | {clock.Elapsed.TotalSeconds:0.0} | {text.Length / 1e6 / clock.Elapsed.TotalSeconds:0} |"));
        }

        Console.WriteLine();
        foreach (var (rule, count) in byRule)
        {
            Console.WriteLine($"{rule}: {count}");
        }

        Console.WriteLine();
        details.ForEach(Console.WriteLine);
        return 0;
    }
}
