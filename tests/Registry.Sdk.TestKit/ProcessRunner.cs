using System.Diagnostics;
using System.Text;

namespace Registry.Sdk.TestKit;

/// <summary>What a finished process left behind.</summary>
public sealed record ProcessResult(string CommandLine, int ExitCode, string StandardOutput, string StandardError, TimeSpan Duration, bool TimedOut)
{
    /// <summary>Both streams, for assertions that do not care which one a tool chose.</summary>
    public string Output => StandardOutput + StandardError;

    /// <summary>The result itself, or an exception with everything the process said.</summary>
    public ProcessResult EnsureSuccess() => ExitCode == 0 && !TimedOut ? this : throw new ProcessFailedException(this);

    /// <inheritdoc/>
    public override string ToString() =>
        $"{CommandLine}\n{(TimedOut ? "timed out" : $"exit code {ExitCode}")} after {Duration.TotalSeconds:0.0} s\n--- stdout\n{StandardOutput}\n--- stderr\n{StandardError}";
}

/// <summary>A process that had to succeed did not.</summary>
public sealed class ProcessFailedException(ProcessResult result) : Exception(result.ToString())
{
    /// <summary>What the process left behind.</summary>
    public ProcessResult Result { get; } = result;
}

/// <summary>Runs a program to its end. Nothing is inherited from the test run's own environment.</summary>
public static class ProcessRunner
{
    /// <summary>Long enough for a publish on a busy two-core machine, short enough to end a hung test run.</summary>
    public static readonly TimeSpan DefaultTimeout = TimeSpan.FromMinutes(5);

    /// <summary>
    /// Runs <paramref name="file"/> and returns what it printed. <paramref name="environment"/> is the whole environment of the process;
    /// without one it is <see cref="CleanEnvironment.Create"/>. On timeout or cancellation the process and its descendants are killed.
    /// </summary>
    public static async Task<ProcessResult> RunAsync(
        string file,
        IEnumerable<string> arguments,
        string? workingDirectory = null,
        CleanEnvironment? environment = null,
        TimeSpan? timeout = null,
        string? standardInput = null,
        CancellationToken cancellationToken = default)
    {
        var start = new ProcessStartInfo(file, arguments)
        {
            WorkingDirectory = workingDirectory ?? Path.GetTempPath(),
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            StandardInputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false),
            StandardOutputEncoding = Encoding.UTF8,
            StandardErrorEncoding = Encoding.UTF8,
        };
        (environment ?? CleanEnvironment.Create()).ApplyTo(start);

        var clock = Stopwatch.StartNew();
        using var process = new Process { StartInfo = start };
        process.Start();

        // Both streams are read from the start, each by its own reader, and stdin is written beside them: a child that fills one pipe
        // while we wait on another would otherwise hang us both. Lines go to builders of our own, so that what was said before a timeout
        // is not lost.
        var standardOutput = new StringBuilder();
        var standardError = new StringBuilder();
        var readers = Task.WhenAll(PumpAsync(process.StandardOutput, standardOutput), PumpAsync(process.StandardError, standardError));
        var writer = WriteInputAsync(process, standardInput);

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout ?? DefaultTimeout);
        var timedOut = false;
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
            await process.WaitForExitAsync(CancellationToken.None);
            cancellationToken.ThrowIfCancellationRequested();
            timedOut = true;
        }

        // A daemon that the process left behind may hold the pipes open for ever; the process itself has ended, so waiting longer is no use.
        await Task.WhenAny(Task.WhenAll(readers, writer), Task.Delay(TimeSpan.FromSeconds(5), CancellationToken.None));
        return new ProcessResult(
            string.Join(' ', arguments.Prepend(file)), process.ExitCode, Text(standardOutput), Text(standardError), clock.Elapsed, timedOut);
    }

    private static async Task PumpAsync(StreamReader reader, StringBuilder into)
    {
        var buffer = new char[8192];
        try
        {
            int read;
            while ((read = await reader.ReadAsync(buffer)) > 0)
            {
                lock (into)
                {
                    into.Append(buffer, 0, read);
                }
            }
        }
        catch (Exception exception) when (exception is IOException or ObjectDisposedException or OperationCanceledException)
        {
            // The process object was disposed while a left-behind daemon still held the pipe.
        }
    }

    private static async Task WriteInputAsync(Process process, string? text)
    {
        try
        {
            if (text is not null)
            {
                await process.StandardInput.WriteAsync(text);
            }

            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // The process ended without reading its input; its exit code tells the story.
        }
    }

    private static string Text(StringBuilder builder)
    {
        lock (builder)
        {
            return builder.ToString();
        }
    }

    /// <summary>Whether a program of this name is on the PATH.</summary>
    public static bool Exists(string file) =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries)
        .Concat(CleanEnvironment.SystemPath)
        .Any(folder => File.Exists(Path.Combine(folder, file)));
}
