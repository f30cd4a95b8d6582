using System.Diagnostics;

namespace Registry.Sdk.Quickstart;

/// <summary>A registry of this machine, as a process of its own: the emulator of this repository.</summary>
internal sealed class LocalRegistry : IAsyncDisposable
{
    private const string Greeting = "listening on ";
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(30);
    private static readonly string Emulator = Path.Combine(AppContext.BaseDirectory, "Registry.Sdk.Emulator.dll");

    private readonly Process _process;
    private readonly string _state;

    private LocalRegistry(Process process, string state)
    {
        _process = process;
        _state = state;
    }

    /// <summary><c>http://127.0.0.1:PORT</c>.</summary>
    public string Address { get; private set; } = "";

    /// <summary>Starts one; its blobs and manifests lie in <paramref name="state"/>.</summary>
    public static async Task<LocalRegistry> StartAsync(string state, CancellationToken cancellationToken)
    {
        // Its standard input is a pipe from us: when we end, however we end, it ends too.
        var process = Child.Start(Child.Dotnet, [Emulator, "serve", "--state", state, "--port", "0", "--stop-with-stdin"], AppContext.BaseDirectory);
        var registry = new LocalRegistry(process, state);
        try
        {
            var errors = process.StandardError.ReadToEndAsync(CancellationToken.None);
            var line = await process.StandardOutput.ReadLineAsync(cancellationToken).AsTask().WaitAsync(Patience, cancellationToken);
            registry.Address = line?.StartsWith(Greeting, StringComparison.Ordinal) == true
                ? line[Greeting.Length..]
                : throw new QuickstartException($"The registry did not start: {line}{await errors}");
            return registry;
        }
        catch (Exception exception)
        {
            await registry.DisposeAsync();
            throw exception is TimeoutException ? new QuickstartException("The registry did not start in time.") : exception;
        }
    }

    /// <summary>Composes a base image from the .NET of this machine and stores it; returns what the emulator says of it.</summary>
    public Task<string> SeedAsync(string repository, string tag, CancellationToken cancellationToken) =>
        Child.RunAsync(Child.Dotnet, [Emulator, "seed-base", "--state", _state, "--repository", repository, "--tag", tag], AppContext.BaseDirectory, cancellationToken);

    public async ValueTask DisposeAsync()
    {
        _process.StandardInput.Close();
        using var limit = new CancellationTokenSource(Patience);
        try
        {
            await _process.WaitForExitAsync(limit.Token);
        }
        catch (OperationCanceledException)
        {
            _process.Kill(entireProcessTree: true);
            await _process.WaitForExitAsync(CancellationToken.None);
        }

        _process.Dispose();
    }
}
