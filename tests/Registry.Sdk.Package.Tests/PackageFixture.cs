using System.Text;
using System.Text.Json.Nodes;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

// Each test is a build or several of one process each (-m:1), and the machine has two cores.
[assembly: CollectionBehavior(MaxParallelThreads = 2)]

namespace Registry.Sdk.Package.Tests;

/// <summary>One of the two halves that run at once: a service without editions. One fixture for all of it.</summary>
[CollectionDefinition(Name)]
public sealed class PackageTests : ICollectionFixture<PackageFixture>
{
    public const string Name = "package";
}

/// <summary>The other half: editions. Its fixture, and so its registries and what they count, are its own.</summary>
[CollectionDefinition(Name)]
public sealed class EditionPackageTests : ICollectionFixture<PackageFixture>
{
    public const string Name = "editions";
}

/// <summary>
/// What the tests of one half share: the packed package, and a registry that stands in for mcr.microsoft.com and takes the images of
/// the tests that do not ask what a real registry does. The real ones are started by the first test that wants them.
/// </summary>
public sealed class PackageFixture : IAsyncLifetime
{
    private readonly TempDirectory directory = new("pkg");
    private readonly Lazy<Task<CountedRegistry>> open = new(() => CountedRegistry.StartAsync(authenticate: false));
    private readonly Lazy<Task<CountedRegistry>> closed = new(() => CountedRegistry.StartAsync(authenticate: true));
    private readonly Lazy<Task<BuiltService>> built;
    private RegistryView? view;
    private string baseImages = "";

    public PackageFixture() => built = new(() => BuiltService.CreateAsync(this));

    /// <summary>The feed with the package under test.</summary>
    public SdkFeed Feed { get; private set; } = null!;

    /// <summary>Holds the base images <c>dotnet/aspnet</c>, <c>runtime</c> and <c>runtime-deps</c>, all <c>10.0</c>; open to everyone. What another machine would run is a stub.</summary>
    public EmulatorServer Emulator { get; private set; } = null!;

    /// <summary>A platform that this machine is not.</summary>
    public static string OtherRid => BaseImageComposer.MachineRid == "linux-arm64" ? "linux-x64" : "linux-arm64";

    /// <summary>Where <see cref="WriteEndpoint"/> maps Microsoft's base images to.</summary>
    public (string Host, string Address) BaseImages => ("mcr.microsoft.com", $"http://{Emulator.Host}");

    /// <summary>What the emulator holds, asked over HTTP.</summary>
    public RegistryView View => view!;

    /// <summary>A real Distribution that asks nobody.</summary>
    public Task<CountedRegistry> OpenAsync() => open.Value;

    /// <summary>A real Distribution with htpasswd.</summary>
    public Task<CountedRegistry> ClosedAsync() => closed.Value;

    /// <summary>A service that is built already, for tests of what comes after the build.</summary>
    public Task<BuiltService> BuiltAsync() => built.Value;

    /// <summary>A copy of the base images for an emulator of a test's own; composing them a second time would take seconds.</summary>
    public void CopyBaseImages(string folder)
    {
        foreach (var file in Directory.EnumerateFiles(baseImages, "*", SearchOption.AllDirectories))
        {
            var copy = Path.Combine(folder, Path.GetRelativePath(baseImages, file));
            Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
            File.Copy(file, copy);
        }
    }

    /// <summary>A user's repository whose dotnet runs find our package in the feed and Microsoft's base images at the emulator.</summary>
    public async Task<Workspace> CreateWorkspaceAsync()
    {
        var workspace = await Workspace.CreateAsync(Feed);
        WriteEndpoint(Path.GetDirectoryName(workspace.Root)!);
        return workspace;
    }

    /// <summary>
    /// Maps mcr.microsoft.com to the emulator for every project below <paramref name="folder"/>. The folder is above the user's repository: a
    /// build without our package reads the file too, and then the item means nothing.
    /// </summary>
    public void WriteEndpoint(string folder) => WriteEndpoints(folder, BaseImages);

    /// <summary>Maps hosts to addresses (<c>http://…</c>) for every project below a folder.</summary>
    public static void WriteEndpoints(string folder, params (string Host, string Address)[] endpoints)
    {
        var project = ProjectBuilder.Create();
        foreach (var (host, address) in endpoints)
        {
            project.Item("RegistrySdkEndpoint", host, ("Registry", address));
        }

        File.WriteAllText(Path.Combine(folder, "Directory.Build.targets"), project.ToString());
    }

    /// <summary>The requests that the emulator got for one repository.</summary>
    public IReadOnlyList<RequestRecord> Requests(string repository) =>
        [.. Emulator.Requests.Where(request => request.PathAndQuery.StartsWith($"/v2/{repository}/", StringComparison.Ordinal))];

    public async Task InitializeAsync()
    {
        baseImages = directory.Folder("base");
        var feed = SdkFeed.SharedAsync();
        var rids = new[] { BaseImageComposer.MachineRid, OtherRid };
        await BaseImageComposer.SeedAsync(baseImages, "dotnet/aspnet", "10.0", [.. rids.Select(rid => new BaseImageOptions { Kind = BaseImageKind.Aspnet, Rid = rid })], index: true);
        foreach (var name in new[] { "dotnet/runtime", "dotnet/runtime-deps" })
        {
            await BaseImageComposer.SeedAsync(baseImages, name, "10.0", [.. rids.Select(rid => new BaseImageOptions { Kind = BaseImageKind.Runtime, Rid = rid })], index: true);
        }

        var state = directory.Folder("mcr");
        CopyBaseImages(state);
        Emulator = await EmulatorServer.StartAsync(new() { StateDirectory = state });
        view = new(new HttpClient { BaseAddress = Emulator.BaseAddress });
        Feed = await feed;
    }

    public async Task DisposeAsync()
    {
        foreach (var registry in new[] { open, closed }.Where(registry => registry.IsValueCreated))
        {
            await (await registry.Value).DisposeAsync();
        }

        if (built.IsValueCreated)
        {
            await (await built.Value).DisposeAsync();
        }

        view?.Dispose();
        if (Emulator is not null)
        {
            await Emulator.DisposeAsync();
        }

        await directory.DisposeAsync();
    }
}

/// <summary>A real Distribution behind a proxy that counts; clients get the proxy's address.</summary>
public sealed class CountedRegistry : IAsyncDisposable
{
    private CountedRegistry(DistributionServer server, CountingProxy proxy)
    {
        Server = server;
        Proxy = proxy;
        View = new(server.CreateClient());
    }

    public DistributionServer Server { get; }

    public CountingProxy Proxy { get; }

    /// <summary>As a user writes it.</summary>
    public string Address => Proxy.IpAddress;

    /// <summary>What it holds; these requests are not counted.</summary>
    public RegistryView View { get; }

    public static async Task<CountedRegistry> StartAsync(bool authenticate)
    {
        var server = await DistributionServer.StartAsync(new() { Authenticate = authenticate });
        return new(server, await CountingProxy.StartAsync(server.BaseUri));
    }

    /// <summary>Writes a docker <c>config.json</c> with the credentials for the proxy's address; returns the folder (for DOCKER_CONFIG).</summary>
    public string WriteDockerConfig(string folder)
    {
        var auth = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Server.Username}:{Server.Password}"));
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "config.json"), new JsonObject { ["auths"] = new JsonObject { [Address] = new JsonObject { ["auth"] = auth } } }.ToJsonString());
        return folder;
    }

    public async ValueTask DisposeAsync()
    {
        View.Dispose();
        await Proxy.DisposeAsync();
        await Server.DisposeAsync();
    }
}
