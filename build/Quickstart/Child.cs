using System.ComponentModel;
using System.Diagnostics;
using System.Text;

namespace Registry.Sdk.Quickstart;

/// <summary>Runs programs to their end, or, when we are told to stop, to ours.</summary>
internal static class Child
{
    private static readonly Dictionary<string, string> NoMore = [];

    /// <summary>The <c>dotnet</c> that runs us.</summary>
    public static string Dotnet { get; } = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") is { Length: > 0 } path ? path : "dotnet";

    /// <summary>Runs a program that must succeed and returns what it printed; a failure shows all of that.</summary>
    public static async Task<string> RunAsync(
        string program, IReadOnlyList<string> arguments, string folder, IReadOnlyDictionary<string, string> variables, CancellationToken cancellationToken)
    {
        using var process = Start(program, arguments, folder, variables);
        process.StandardInput.Close();
        var output = new StringBuilder();
        var reading = Task.WhenAll(ReadAsync(process.StandardOutput, output), ReadAsync(process.StandardError, output));
        try
        {
            await process.WaitForExitAsync(cancellationToken);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
            throw;
        }

        await reading;
        return process.ExitCode == 0
            ? output.ToString()
            : throw new QuickstartException(
                $"{Path.GetFileNameWithoutExtension(program)} {string.Join(' ', arguments)}\nin {folder} ended with exit code {process.ExitCode}:\n\n{output}");
    }

    /// <summary>Runs a program in our environment.</summary>
    public static Task<string> RunAsync(string program, IReadOnlyList<string> arguments, string folder, CancellationToken cancellationToken) =>
        RunAsync(program, arguments, folder, NoMore, cancellationToken);

    /// <summary>Starts a program in our environment with all its streams redirected.</summary>
    public static Process Start(string program, IEnumerable<string> arguments, string folder) => Start(program, arguments, folder, NoMore);

    private static Process Start(string program, IEnumerable<string> arguments, string folder, IReadOnlyDictionary<string, string> variables)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            WorkingDirectory = folder,
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value;
        }

        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception exception)
        {
            throw new QuickstartException($"{program} could not be started: {exception.Message}");
        }
    }

    private static async Task ReadAsync(StreamReader reader, StringBuilder into)
    {
        while (await reader.ReadLineAsync(CancellationToken.None) is { } line)
        {
            lock (into)
            {
                into.AppendLine(line);
            }
        }
    }
}
