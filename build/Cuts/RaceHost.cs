using System.Diagnostics;
using System.Globalization;
using System.Text.Json;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Facts;

namespace Registry.Sdk.Cuts;

/// <summary>What a process of the race is to publish.</summary>
/// <param name="Build">The commit.</param>
/// <param name="Folder">A folder of this publish alone.</param>
/// <param name="Delay">How long after the start it begins, in milliseconds.</param>
/// <param name="KnowsHistory">Whether its git can tell which commit descends from which; else the commits' times count.</param>
public sealed record RaceOrder(RaceBuild Build, string Folder, int Delay, bool KnowsHistory);

/// <summary>What it says of the publish when that has ended.</summary>
/// <param name="Succeeded">What its exit code would say.</param>
/// <param name="Digest">The image, where it came that far.</param>
/// <param name="Errors">Its errors.</param>
/// <param name="Bug">An exception that is no expected failure.</param>
public sealed record RaceAnswer(bool Succeeded, string? Digest, IReadOnlyList<string> Errors, string? Bug);

/// <summary>A process that publishes one commit after the other, each when it is told to, with the machine's own clock.</summary>
public sealed class RaceHost : IAsyncDisposable
{
    private const string Ready = "ready";
    private const string Go = "go";

    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly Process _process;
    private readonly Task<string> _errors;

    private RaceHost(Process process) => (_process, _errors) = (process, process.StandardError.ReadToEndAsync());

    /// <summary>What the process itself does: <c>racer DESTINATION…</c>, orders from standard input.</summary>
    public static async Task<int> ServeAsync(IReadOnlyList<string> destinations)
    {
        while (await Console.In.ReadLineAsync() is { } line)
        {
            var order = JsonSerializer.Deserialize<RaceOrder>(line)!;
            // All that can be done before the start is done before it.
            var request = order.Build.Request(order.Folder, destinations);
            await Console.Out.WriteLineAsync(Ready);
            if (await Console.In.ReadLineAsync() != Go)
            {
                return 2;
            }

            await Task.Delay(order.Delay);
            var (report, reporting) = await PublishPipeline.RunAsync(request, new LinearGit(order.KnowsHistory), new QuietLog(), CancellationToken.None);
            await Console.Out.WriteLineAsync(JsonSerializer.Serialize(new RaceAnswer(
                report.Succeeded,
                report.Images.Select(i => i.Digest.ToString()).SingleOrDefault(),
                [.. report.Diagnostics.Concat(reporting.Diagnostics).Where(d => d.IsError).Select(d => d.ToString()!)],
                report.Bug?.ToString())));
        }

        return 0;
    }

    /// <summary>Starts one.</summary>
    public static RaceHost Start(IReadOnlyList<string> destinations) => new(Process.Start(new ProcessStartInfo("dotnet", [typeof(RaceHost).Assembly.Location, "racer", .. destinations])
    {
        RedirectStandardInput = true,
        RedirectStandardOutput = true,
        RedirectStandardError = true,
        UseShellExecute = false,
    })!);

    /// <summary>Has them all get ready, then all begin; their answers.</summary>
    public static async Task<IReadOnlyList<RaceAnswer>> PublishAsync(IReadOnlyList<RaceHost> hosts, IReadOnlyList<RaceOrder> orders)
    {
        foreach (var (host, order) in hosts.Zip(orders))
        {
            await host._process.StandardInput.WriteLineAsync(JsonSerializer.Serialize(order));
            await host._process.StandardInput.FlushAsync();
        }

        foreach (var host in hosts)
        {
            if (await host.ReadAsync() is var line && line != Ready)
            {
                throw new InvalidOperationException($"a racer said '{line}'");
            }
        }

        foreach (var host in hosts)
        {
            await host._process.StandardInput.WriteLineAsync(Go);
            await host._process.StandardInput.FlushAsync();
        }

        return [.. (await Task.WhenAll(hosts.Select(h => h.ReadAsync()))).Select(line => JsonSerializer.Deserialize<RaceAnswer>(line)!)];
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        try
        {
            await _process.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill();
        }

        _process.Dispose();
    }

    private async Task<string> ReadAsync()
    {
        using var patience = new CancellationTokenSource(Patience);
        try
        {
            return await _process.StandardOutput.ReadLineAsync(patience.Token) ?? throw new InvalidOperationException($"a racer ended: {await _errors}");
        }
        catch (OperationCanceledException e)
        {
            throw new InvalidOperationException($"a racer did not answer within {Patience.TotalMinutes} minutes", e);
        }
    }

    /// <summary>Knows one line of commits, by their numbers.</summary>
    private sealed class LinearGit(bool knowsHistory) : IGit
    {
        public Task<GitResult?> RunAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken) => Task.FromResult(
            knowsHistory && arguments is ["merge-base", "--is-ancestor", var ancestor, var descendant] ? new GitResult(Number(ancestor) <= Number(descendant) ? 0 : 1, "", "") : null);

        public IAsyncEnumerable<string> ReadLinesAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken) => throw new GitException("no git");

        private static int Number(string commit) => int.Parse(commit[..7], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture);
    }
}
