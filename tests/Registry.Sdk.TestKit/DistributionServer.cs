using System.Globalization;
using System.Net;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;

namespace Registry.Sdk.TestKit;

/// <summary>What kind of registry a test wants.</summary>
public sealed record DistributionOptions
{
    /// <summary>Ask for <see cref="DistributionServer.Username"/> and <see cref="DistributionServer.Password"/> (basic, bcrypt).</summary>
    public bool Authenticate { get; init; }

    /// <summary>Ask for tokens of this server instead; the caller ends it. Clients of <see cref="DistributionServer.CreateClient"/> have none.</summary>
    public TokenServer? Tokens { get; init; }

    /// <summary>Allow manifests and blobs to be deleted.</summary>
    public bool Delete { get; init; } = true;

    /// <summary>Be a pull-through cache of this registry; nothing can be pushed then.</summary>
    public Uri? CacheOf { get; init; }

    /// <summary>Answer uploads with relative Location headers, as some registries do.</summary>
    public bool RelativeUrls { get; init; }

    /// <summary>The port that is tried first, for tests of what happens where it is taken.</summary>
    public int? FirstPort { get; init; }
}

/// <summary>A real Distribution (docker-registry) on a loopback port, with storage of its own.</summary>
public sealed class DistributionServer : IAsyncDisposable
{
    private const string NameHeader = "X-Test-Server";

    private readonly TempDirectory directory = new("reg");
    private readonly string name = Guid.NewGuid().ToString("N");
    private readonly DistributionOptions options;
    private ServerProcess? server;

    private DistributionServer(DistributionOptions options) => this.options = options;

    /// <summary>The port; it stays the same over <see cref="RestartAsync"/>.</summary>
    public int Port { get; private set; }

    /// <summary>The registry's host name as a user would write it, <c>localhost:5000</c>.</summary>
    public string Address => string.Create(CultureInfo.InvariantCulture, $"localhost:{Port}");

    /// <summary>The same registry as <c>127.0.0.1:5000</c>: another name, so for tools another registry.</summary>
    public string IpAddress => string.Create(CultureInfo.InvariantCulture, $"127.0.0.1:{Port}");

    /// <summary><c>http://127.0.0.1:5000/</c>. Not <c>localhost</c>, which some clients try as ::1 first.</summary>
    public Uri BaseUri => new($"http://{IpAddress}/");

    /// <summary>The user that <see cref="DistributionOptions.Authenticate"/> asks for.</summary>
    public string Username { get; } = "tester";

    /// <summary>
    /// The password that <see cref="DistributionOptions.Authenticate"/> asks for: another one in every run, so that a test can look for it
    /// in logs and images, and with characters that careless code trips over.
    /// </summary>
    public string Password { get; } = $"s3cret: {Guid.NewGuid():N}";

    /// <summary>Everything the registry prints, access log included.</summary>
    public string LogFile => directory.File("registry.log");

    /// <summary>Where the registry keeps blobs and manifests, for tests that break them.</summary>
    public string StorageDirectory => directory.Folder("storage");

    /// <summary>Starts a registry and waits until it answers.</summary>
    public static async Task<DistributionServer> StartAsync(DistributionOptions? options = null)
    {
        var result = new DistributionServer(options ?? new DistributionOptions());
        try
        {
            await result.StartServerAsync();
            return result;
        }
        catch
        {
            await result.DisposeAsync();
            throw;
        }
    }

    /// <summary>Ends the registry and starts it again on the same port and storage; without <paramref name="keepStorage"/> it is empty then.</summary>
    public async Task RestartAsync(bool keepStorage = true)
    {
        await StopAsync();
        if (!keepStorage)
        {
            await TempDirectory.RemoveAsync(StorageDirectory);
        }

        await LaunchAsync();
    }

    /// <summary>Ends the registry; its port then refuses connections until <see cref="RestartAsync"/>.</summary>
    public async Task StopAsync()
    {
        if (server is not null)
        {
            await server.DisposeAsync();
            server = null;
        }
    }

    /// <summary>A client that is authenticated if the registry asks for it.</summary>
    public HttpClient CreateClient()
    {
        var client = new HttpClient { BaseAddress = BaseUri };
        if (options.Authenticate)
        {
            client.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue(
                "Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Username}:{Password}")));
        }

        return client;
    }

    /// <summary>Writes a Docker <c>config.json</c> with this registry's credentials under both its names; returns the folder, for DOCKER_CONFIG.</summary>
    public string WriteDockerConfig(string folder)
    {
        var auth = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Username}:{Password}"));
        Directory.CreateDirectory(folder);
        File.WriteAllText(
            Path.Combine(folder, "config.json"),
            JsonSerializer.Serialize(new { auths = new SortedDictionary<string, object>(StringComparer.Ordinal) { [Address] = new { auth }, [IpAddress] = new { auth } } }));
        return folder;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await StopAsync();
        await directory.DisposeAsync();
    }

    private async Task StartServerAsync()
    {
        if (options.Authenticate)
        {
            var hash = await ProcessRunner.RunAsync("htpasswd", ["-Bbn", Username, Password]);
            await File.WriteAllTextAsync(directory.File("htpasswd"), hash.EnsureSuccess().StandardOutput);
        }

        if (options.Tokens is { } tokens)
        {
            await File.WriteAllTextAsync(directory.File("tokens.pem"), tokens.Certificate.ExportCertificatePem());
        }

        for (var attempt = 1; ; attempt++)
        {
            Port = attempt == 1 && options.FirstPort is { } first ? first : ServerProcess.FindFreePort();
            try
            {
                await LaunchAsync();
                return;
            }
            catch (InvalidOperationException) when (attempt < 5 && File.ReadAllText(LogFile).Contains("address already in use", StringComparison.Ordinal))
            {
                File.Delete(LogFile);
            }
        }
    }

    private async Task LaunchAsync()
    {
        var auth = options.Authenticate ? $"auth: {{ htpasswd: {{ realm: test, path: \"{directory.File("htpasswd")}\" }} }}"
            : options.Tokens is { } tokens ? $"auth: {{ token: {{ realm: \"{tokens.Realm}\", service: \"{TokenServer.Service}\", issuer: \"{TokenServer.Issuer}\", rootcertbundle: \"{directory.File("tokens.pem")}\" }} }}" : "";
        await File.WriteAllTextAsync(directory.File("config.yml"), $$"""
            version: 0.1
            log: { level: info, formatter: text }
            storage:
              filesystem: { rootdirectory: "{{StorageDirectory}}" }
              cache: { blobdescriptor: inmemory }
              delete: { enabled: {{(options.Delete ? "true" : "false")}} }
            http: { addr: "{{IpAddress}}", relativeurls: {{(options.RelativeUrls ? "true" : "false")}}, headers: { {{NameHeader}}: ["{{name}}"] } }
            {{auth}}
            {{(options.CacheOf is { } upstream ? $"proxy: {{ remoteurl: \"{upstream}\" }}" : "")}}
            """);
        await StopAsync();
        server = ServerProcess.Start("docker-registry", ["serve", directory.File("config.yml")], LogFile, CleanEnvironment.Create());
        using var client = new HttpClient { BaseAddress = BaseUri };
        await server.WaitUntilReadyAsync(
            async cancellationToken =>
            {
                try
                {
                    using var response = await client.GetAsync(new Uri("v2/", UriKind.Relative), cancellationToken);
                    // Who answers must be ours: where another server was given the port first, ours takes a while to end, and two registries would be one.
                    return response.Headers.TryGetValues(NameHeader, out var names) && names.Contains(name, StringComparer.Ordinal);
                }
                catch (HttpRequestException)
                {
                    return false;
                }
            },
            TimeSpan.FromSeconds(30));
    }
}
