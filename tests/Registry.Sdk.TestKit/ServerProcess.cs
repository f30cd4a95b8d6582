using System.Diagnostics;
using System.Net;
using System.Net.Sockets;

namespace Registry.Sdk.TestKit;

/// <summary>
/// A server that ends with the test process, however that ends. A pipe from us to the server's watcher stays open as long as we live;
/// when it closes (dispose, crash, kill) the watcher ends the server and cleans up after it.
/// </summary>
internal sealed class ServerProcess : IAsyncDisposable
{
    // exec: the server has the pid we know. The watcher is a child of it that reads the pipe on descriptor 3 (a background job has no stdin)
    // and makes sure, before it sends a signal, that the pid still is its parent: a pid whose owner is gone may be somebody else's by now.
    // $1 is the log file, $2 the clean-up command, the rest the server.
    private const string Script = """
        log=$1; cleanup=$2; shift 2
        server=$$
        exec 3<&0
        (
            cat <&3
            alive() { read -r stat </proc/self/stat; set -- $stat; [ "$4" = "$server" ]; }
            tries=0
            if alive; then kill -TERM "$server"; fi
            while alive; do
                tries=$((tries + 1))
                if [ "$tries" -eq 300 ]; then kill -KILL "$server"; fi
                sleep 0.1
            done
            eval "$cleanup"
        ) >/dev/null 2>&1 &
        exec "$@" >>"$log" 2>&1 3<&- </dev/null
        """;

    // Test processes run side by side: each begins somewhere else.
    private static int lastPort = Random.Shared.Next();

    private readonly Process process;
    private bool disposed;

    private ServerProcess(Process process, string logFile)
    {
        this.process = process;
        LogFile = logFile;
        Id = process.Id;
    }

    /// <summary>Everything the server printed.</summary>
    public string LogFile { get; }

    public int Id { get; }

    public bool HasExited => disposed || process.HasExited;

    /// <summary>Starts a server. <paramref name="cleanup"/> is shell text that runs when the server is gone, also if we are gone too.</summary>
    public static ServerProcess Start(string file, IEnumerable<string> arguments, string logFile, CleanEnvironment environment, string cleanup = ":")
    {
        var start = new ProcessStartInfo("/bin/sh", ["-c", Script, "sh", logFile, cleanup, file, .. arguments])
        {
            RedirectStandardInput = true,
            UseShellExecute = false,
            WorkingDirectory = Path.GetDirectoryName(logFile)!,
        };
        environment.ApplyTo(start);
        return new ServerProcess(Process.Start(start)!, logFile);
    }

    /// <summary>Polls until the server is ready; says what it printed if it ends or the time is up first.</summary>
    public async Task WaitUntilReadyAsync(Func<CancellationToken, Task<bool>> isReady, TimeSpan timeout)
    {
        using var limit = new CancellationTokenSource(timeout);
        while (true)
        {
            if (process.HasExited)
            {
                throw new InvalidOperationException($"The server ended with exit code {process.ExitCode}:\n{ReadLog()}");
            }

            try
            {
                if (await isReady(limit.Token))
                {
                    return;
                }

                await Task.Delay(50, limit.Token);
            }
            catch (OperationCanceledException exception) when (limit.IsCancellationRequested)
            {
                throw new TimeoutException($"The server was not ready after {timeout.TotalSeconds} s:\n{ReadLog()}", exception);
            }
        }
    }

    /// <summary>Everything the server printed so far.</summary>
    public string ReadLog() => File.Exists(LogFile) ? File.ReadAllText(LogFile) : "";

    /// <summary>Ends the server and waits until it is gone.</summary>
    public async ValueTask DisposeAsync()
    {
        if (disposed)
        {
            return;
        }

        disposed = true;
        process.StandardInput.Close();
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(40));
        try
        {
            await process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            process.Kill(entireProcessTree: true);
        }

        process.Dispose();
    }

    /// <summary>
    /// A loopback port that was free a moment ago and that no other call of this process gets. Below the range that Linux takes ports from by itself
    /// (32768 and up, ip(7)), so no outgoing connection and no listener on port 0 is given it meanwhile. Another process may still take it first, so
    /// starting a server must be tried again.
    /// </summary>
    public static int FindFreePort()
    {
        const int First = 20000;
        const int Count = 12000;
        while (true)
        {
            var port = First + ((Interlocked.Increment(ref lastPort) & int.MaxValue) % Count);
            try
            {
                using var listener = new TcpListener(IPAddress.Loopback, port);
                listener.Start();
                return port;
            }
            catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
            {
                // The next one.
            }
        }
    }
}
