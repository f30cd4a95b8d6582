using System.Diagnostics;
using System.Globalization;

namespace Registry.Sdk.Bench;

/// <summary>What a command line took, its children included.</summary>
internal sealed record Cost(double Seconds, double CpuSeconds, string Output);

/// <summary>Runs command lines in bash, whose <c>time</c> counts all parts of a pipeline.</summary>
internal static class Shell
{
    public static async Task<Cost> TimeAsync(string command)
    {
        using var process = Process.Start(new ProcessStartInfo("bash", ["-c", $"set -o pipefail; export LC_ALL=C; TIMEFORMAT='%R %U %S'; time {{ {command}; }}"]) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false })!;
        var output = process.StandardOutput.ReadToEndAsync();
        var error = await process.StandardError.ReadToEndAsync();
        await process.WaitForExitAsync();
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{command}\n{error}");
        }

        var times = error.TrimEnd().Split('\n')[^1].Split(' ').Select(t => double.Parse(t, CultureInfo.InvariantCulture)).ToArray();
        return new(times[0], times[1] + times[2], (await output).Trim());
    }

    /// <summary>This program, to be started once more.</summary>
    public static string Self => $"'{Environment.ProcessPath}'";

    public static double Median(IEnumerable<double> values)
    {
        var sorted = values.Order().ToList();
        return sorted[sorted.Count / 2];
    }

    public static void Print(FormattableString line) => Console.WriteLine(line.ToString(CultureInfo.InvariantCulture));

    /// <summary>Where and when: without it the numbers say nothing.</summary>
    public static async Task DescribeAsync()
    {
        var commit = (await TimeAsync("git rev-parse --short HEAD; git diff --quiet HEAD || echo dirty")).Output.Replace('\n', ' ');
        var cpu = (await TimeAsync("grep -m1 'model name' /proc/cpuinfo | cut -d: -f2")).Output;
        Print($"commit {commit}, {DateTime.UtcNow:yyyy-MM-dd}, {Environment.ProcessorCount} cores of {cpu}, .NET {Environment.Version}, load before {File.ReadAllText("/proc/loadavg").Split(' ')[0]}");
    }
}
