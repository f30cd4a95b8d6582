using System.Net;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Server.Kestrel.Core;

namespace Registry.Sdk.Emulator;

/// <summary>
/// A registry on 127.0.0.1 that speaks OCI distribution-spec 1.1.1: embedded default of the quickstart, and test double.
/// <code>await using var emulator = await EmulatorServer.StartAsync(new EmulatorOptions { StateDirectory = directory });</code>
/// Thread-safe. Disposing stops it gracefully (five seconds for requests under way) and keeps the state directory.
/// </summary>
public sealed class EmulatorServer : IAsyncDisposable
{
    private static readonly TimeSpan StopTimeout = TimeSpan.FromSeconds(5);

    private readonly WebApplication _application;
    private readonly RegistryEndpoints _endpoints;
    private readonly RequestLog _log;
    private readonly FileStream _stateLock;
    private bool _disposed;

    private EmulatorServer(WebApplication application, RegistryEndpoints endpoints, RequestLog log, FileStream stateLock)
    {
        _application = application;
        _endpoints = endpoints;
        _log = log;
        _stateLock = stateLock;
        var address = application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single();
        BaseAddress = new Uri(address);
    }

    /// <summary>Where it listens: <c>http://127.0.0.1:PORT/</c>.</summary>
    public Uri BaseAddress { get; }

    /// <summary>The registry as image references name it: <c>127.0.0.1:PORT</c>.</summary>
    public string Host => BaseAddress.Authority;

    /// <summary>The requests received so far, in order of arrival: a copy, so it does not change under the reader.</summary>
    public IReadOnlyList<RequestRecord> Requests => _log.Snapshot();

    /// <summary>Starts a server; it answers when the task completes.</summary>
    /// <param name="options">How it is to behave.</param>
    /// <param name="cancellationToken">Gives up starting; does not stop a started server.</param>
    /// <exception cref="IOException">The port is taken, or another server uses the state directory.</exception>
    public static async Task<EmulatorServer> StartAsync(EmulatorOptions options, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        var store = new RegistryStore(options.StateDirectory);
        var stateLock = LockState(options.StateDirectory);
        RequestLog? log = null;
        WebApplication? application = null;
        try
        {
            store.RemoveAbandonedUploads();
            log = new RequestLog(options.LogFile, options.MaxRecordedRequests);
            var personality = new PlainPersonality(options);
            var endpoints = new RegistryEndpoints(options, store, personality);
            application = Build(options.Port);
            application.Run(new RequestPipeline(options, log, personality, endpoints).AnswerAsync);
            await application.StartAsync(cancellationToken);
            return new EmulatorServer(application, endpoints, log, stateLock);
        }
        catch
        {
            if (application is not null)
            {
                await application.DisposeAsync();
            }

            log?.Dispose();
            await stateLock.DisposeAsync();
            throw;
        }
    }

    /// <summary>Stops taking requests, lets those under way finish for five seconds, frees port and state directory.</summary>
    public async ValueTask DisposeAsync()
    {
        if (_disposed)
        {
            return;
        }

        _disposed = true;
        using (var timeout = new CancellationTokenSource(StopTimeout))
        {
            await _application.StopAsync(timeout.Token);
        }

        await _application.DisposeAsync();
        _endpoints.Dispose();
        _log.Dispose();
        await _stateLock.DisposeAsync();
    }

    private static FileStream LockState(string stateDirectory)
    {
        try
        {
            return new FileStream(Path.Combine(stateDirectory, "lock"), FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException exception)
        {
            throw new IOException($"state directory '{stateDirectory}' is in use by another emulator", exception);
        }
    }

    // The empty builder reads no environment variables and no appsettings.json: a test's server must not depend on who runs it.
    private static WebApplication Build(int port)
    {
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.Services.AddLogging();
        builder.Services.AddSingleton<IHostLifetime, NoLifetime>();
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.AddServerHeader = false;
            kestrel.Limits.MaxRequestBodySize = null;

            // A test may upload as slowly as it likes.
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.Listen(IPAddress.Loopback, port, listen => listen.Protocols = HttpProtocols.Http1);
        });
        return builder.Build();
    }

    /// <summary>The host's own lifetime would take Ctrl+C and SIGTERM away from the process we are embedded in.</summary>
    private sealed class NoLifetime : IHostLifetime
    {
        public Task WaitForStartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

        public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;
    }
}
