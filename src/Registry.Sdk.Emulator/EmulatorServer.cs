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
    private readonly RegistryEndpoints _administration;
    private readonly Personality _personality;
    private readonly TokenService _tokens;
    private readonly string _administratorKey;
    private readonly RequestLog _log;
    private readonly FileStream _stateLock;
    private bool _disposed;

    private EmulatorServer(
        WebApplication application, RegistryEndpoints endpoints, RegistryEndpoints administration, Personality personality, TokenService tokens, string administratorKey, BlobOrigin blobs, RequestLog log, FileStream stateLock)
    {
        _application = application;
        _endpoints = endpoints;
        _administration = administration;
        _personality = personality;
        _tokens = tokens;
        _administratorKey = administratorKey;
        _log = log;
        _stateLock = stateLock;
        var addresses = application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.ToArray();
        BaseAddress = new Uri(addresses[0]);
        BlobAddress = addresses.Length > 1 ? blobs.Address = new Uri(addresses[1]) : null;
    }

    /// <summary>Where it listens: <c>http://127.0.0.1:PORT/</c>.</summary>
    public Uri BaseAddress { get; }

    /// <summary>The registry as image references name it: <c>127.0.0.1:PORT</c>.</summary>
    public string Host => BaseAddress.Authority;

    /// <summary>Base of the service's own API (GitHub's, Docker Hub's): <c>http://127.0.0.1:PORT/api</c>. A plain registry has none.</summary>
    public Uri Api => new(BaseAddress, "api");

    /// <summary>The other origin, to which GHCR and Docker Hub redirect blob downloads; <see langword="null"/> for a plain registry.</summary>
    public Uri? BlobAddress { get; }

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
            var tokens = new TokenService(options.TokenLifetime);
            var blobs = new BlobOrigin(store);
            Personality personality = options.Personality switch
            {
                EmulatorPersonality.Ghcr => new GhcrPersonality(options, store, tokens, blobs),
                EmulatorPersonality.DockerHub => new DockerHubPersonality(options, store, tokens, blobs),
                _ => new PlainPersonality(options),
            };
            options.Faults?.Bind(store, tokens, personality);
            WarnOfRealSecrets(options, log, personality);
            var endpoints = new RegistryEndpoints(options, store, personality);
            var administration = new RegistryEndpoints(options, store, new AdministratorPersonality(personality));
            var pipeline = new RequestPipeline(options, log, personality, endpoints, administration, blobs);
            application = Build(options.Port, withBlobOrigin: options.Personality != EmulatorPersonality.Plain);
            application.Run(pipeline.AnswerAsync);
            await application.StartAsync(cancellationToken);
            return new EmulatorServer(application, endpoints, administration, personality, tokens, pipeline.AdministratorKey, blobs, log, stateLock);
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

    /// <summary>
    /// Who can see a package or repository, <c>owner/name</c>; <see langword="null"/>: there is none. Always <see langword="null"/> for a
    /// plain registry.
    /// </summary>
    public GitHubVisibility? Visibility(string repository) => _personality.VisibilityOf(repository);

    /// <summary>Does what a person does in the web settings.</summary>
    /// <exception cref="InvalidOperationException">The service does not let them, or there is no such repository.</exception>
    public void Click(SettingsClick click)
    {
        ArgumentNullException.ThrowIfNull(click);
        _personality.Click(click);
    }

    /// <summary>Ends every token given out so far, as time would.</summary>
    public void ExpireTokens() => _tokens.ExpireAll();

    /// <summary>
    /// A client that may do everything, whatever the personality, and whose requests are not recorded: for putting things there and for
    /// looking what is there. What it pushes first is born private at GHCR and as the account says at Docker Hub. Dispose it.
    /// </summary>
    public HttpClient CreateAdministrator()
    {
        var client = new HttpClient { BaseAddress = BaseAddress };
        client.DefaultRequestHeaders.Add(RequestPipeline.AdministratorHeader, _administratorKey);
        return client;
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
        _administration.Dispose();
        _log.Dispose();
        await _stateLock.DisposeAsync();
    }

    private static void WarnOfRealSecrets(EmulatorOptions options, RequestLog log, Personality personality)
    {
        foreach (var (name, secret) in personality.KnownSecrets())
        {
            if (Credentials.LooksReal(secret))
            {
                var text = $"the secret of '{name}' looks like a real one; the emulator needs none";
                log.WriteLine("warning: " + text);
                options.OnWarning?.Invoke(text);
            }
        }
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
    private static WebApplication Build(int port, bool withBlobOrigin)
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
            if (withBlobOrigin)
            {
                kestrel.Listen(IPAddress.Loopback, 0, listen => listen.Protocols = HttpProtocols.Http1);
            }
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
