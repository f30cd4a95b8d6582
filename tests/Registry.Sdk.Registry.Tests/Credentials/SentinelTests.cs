using System.Text;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Credentials;

/// <summary>The world of the sentinel tests: GHCR, Docker Hub, a company's registry, and one that no secret is for. Each knows everybody's secrets when it sees them.</summary>
public sealed class SentinelWorld : IAsyncLifetime
{
    /// <summary>By the name of who it is for. No two have a common part, so that a find says whose it is.</summary>
    public static readonly IReadOnlyDictionary<string, string> Secrets = new Dictionary<string, string>(StringComparer.Ordinal)
    {
        ["ghcr"] = "sentinel-one:with:colons",
        ["hub"] = "sentinel-two with space",
        ["hub-identity"] = "sentinel-three",
        ["company"] = "sentinel-four+/=%41",
        ["nobody"] = "sentinel-five",
    };

    private readonly TempDirectory directory = new("sentinel");

    public EmulatorServer Ghcr { get; private set; } = null!;

    public EmulatorServer Hub { get; private set; } = null!;

    public EmulatorServer Company { get; private set; } = null!;

    public EmulatorServer Stranger { get; private set; } = null!;

    public IReadOnlyDictionary<string, EmulatorServer> All => new Dictionary<string, EmulatorServer>(StringComparer.Ordinal) { ["ghcr"] = Ghcr, ["hub"] = Hub, ["company"] = Company, ["stranger"] = Stranger };

    public async Task InitializeAsync()
    {
        Ghcr = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = directory.Folder("ghcr"),
            LogFile = directory.File("ghcr.log"),
            Personality = EmulatorPersonality.Ghcr,
            GitHub = new() { Owners = { ["acme"] = GitHubOwner.Organization("ada") }, Secrets = { ["ghcr"] = GitHubSecret.Classic(Secrets["ghcr"], "ada", "write:packages") } },
            ForeignSecrets = Others("ghcr"),
        });
        Hub = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = directory.Folder("hub"),
            LogFile = directory.File("hub.log"),
            Personality = EmulatorPersonality.DockerHub,
            DockerHub = new()
            {
                Secrets =
                {
                    ["hub"] = DockerHubSecret.PersonalToken(Secrets["hub"], "acme", DockerHubRight.ReadWrite),
                    ["hub-identity"] = DockerHubSecret.IdentityToken(Secrets["hub-identity"], "acme"),
                },
            },
            ForeignSecrets = Others("hub", "hub-identity"),
        });
        Company = await EmulatorServer.StartAsync(new() { StateDirectory = directory.Folder("company"), LogFile = directory.File("company.log"), Users = { ["company"] = Secrets["company"] }, ForeignSecrets = Others("company") });
        Stranger = await EmulatorServer.StartAsync(new() { StateDirectory = directory.Folder("stranger"), LogFile = directory.File("stranger.log"), ForeignSecrets = Others() });
        using var client = new HttpClient { BaseAddress = Stranger.BaseAddress };
        await Seed.PushAsync(client, "dotnet/aspnet", "10.0", Bench.BaseImage);
    }

    public async Task DisposeAsync()
    {
        foreach (var server in All.Values)
        {
            await server.DisposeAsync();
        }

        await directory.DisposeAsync();
    }

    /// <summary>Every text that the emulators wrote.</summary>
    public IEnumerable<string> Logs() => Directory.EnumerateFiles(directory.Folder("."), "*.log", SearchOption.AllDirectories);

    private static Dictionary<string, string> Others(params string[] own) => Secrets.Where(s => !own.Contains(s.Key, StringComparer.Ordinal)).ToDictionary(s => s.Key, s => s.Value, StringComparer.Ordinal);
}

/// <summary>No secret reaches a host it is not for, or any file or output, whatever source it came from and whatever registry it was for.</summary>
public sealed class SentinelTests(Registries registries, SentinelWorld world) : IClassFixture<Registries>, IClassFixture<SentinelWorld>, IAsyncLifetime
{
    private readonly TempDirectory directory = new("sources");
    private Bench bench = null!;
    private Dictionary<string, int> before = [];

    public async Task InitializeAsync()
    {
        bench = await Bench.CreateAsync(registries);
        before = world.All.ToDictionary(w => w.Key, w => w.Value.Requests.Count, StringComparer.Ordinal);
        var name = $"acme/s{Guid.NewGuid():N}";
        bench.Request = bench.Request with
        {
            Endpoints =
            [
                .. new[] { ("ghcr.io", world.Ghcr), ("docker.io", world.Hub), ("registry.acme.com", world.Company), ("stranger.example", world.Stranger), ("mcr.microsoft.com", world.Stranger) }
                    .Select(e => new EndpointItem(e.Item1, e.Item2.BaseAddress.ToString().TrimEnd('/'))),
            ],
            Destinations = [new($"ghcr.io/{name}"), new($"docker.io/{name}"), new($"registry.acme.com/{name}"), new($"stranger.example/{name}")],
            Credentials = [],
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["HOME"] = directory.Folder("home"), ["PATH"] = directory.Folder("bin") + ":/usr/bin:/bin" },
            CacheDirectory = directory.Folder("cache"),
            CacheSize = "100",
            Reports = new(directory.File("out/receipt.json"), directory.File("out/github-output"), directory.File("out/summary")),
        };
        bench.Platform = bench.Platform with { BaseRegistry = "mcr.microsoft.com" };
    }

    public async Task DisposeAsync()
    {
        await bench.DisposeAsync();
        await directory.DisposeAsync();
    }

    public static TheoryData<string> Sources => new(
        "items", "usual variables", "docker auths", "docker user name and password", "DOCKER_AUTH_CONFIG", "credHelpers", "credsStore", "podman file", "podman paths", "REGISTRY_AUTH_FILE",
        "identity token", "identity token of a helper", "GITHUB_TOKEN", "GH_TOKEN", "GitLab job", "shared pair of many hosts", "secrets of hosts that are not asked");

    [Theory]
    [MemberData(nameof(Sources))]
    public async Task A_secret_reaches_its_own_host_and_nothing_else(string source)
    {
        var expected = Arrange(source);

        var published = await bench.PublishAsync();

        // Seen where it belongs: a test that finds no secret anywhere because none was sent says nothing.
        foreach (var (host, server) in world.All)
        {
            var requests = server.Requests.Skip(before[host]).ToList();
            var seen = requests.SelectMany(r => r.Secrets).Select(s => s.Split(' ')[0]).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal).ToList();
            Assert.Equal(expected.GetValueOrDefault(host, []), seen);
            Assert.DoesNotContain(requests, r => r.Account == "unknown");
        }

        if (expected.Count == 3)
        {
            published.EnsureSucceeded();
        }

        AssertNowhere(published);
    }

    [Theory]
    [InlineData("ghcr.io")]
    [InlineData("docker.io")]
    [InlineData("registry.acme.com")]
    public async Task A_refused_secret_is_named_by_its_source_alone(string host)
    {
        Arrange("docker auths");
        bench.Request = bench.Request with { Destinations = [.. bench.Request.Destinations.Where(d => d.Include.StartsWith(host, StringComparison.Ordinal))] };
        var file = directory.File("home/.docker/config.json");
        // A secret of the right form that is not the right one: what a person sees when theirs has expired.
        File.WriteAllText(file, File.ReadAllText(file).Replace(Auth("ghcr"), Base64("ada:" + SentinelWorld.Secrets["nobody"]), StringComparison.Ordinal)
            .Replace(Auth("hub"), Base64("acme:" + SentinelWorld.Secrets["nobody"]), StringComparison.Ordinal).Replace(Auth("company"), Base64("company:" + SentinelWorld.Secrets["nobody"]), StringComparison.Ordinal));

        var published = await bench.PublishAsync();

        Assert.Contains(published.Errors, e => e.Code is "RSDK5003" or "RSDK5004" && e.Message.Contains(file, StringComparison.Ordinal));
        AssertNowhere(published);
    }

    [Fact]
    public async Task The_one_pair_of_the_NET_SDK_goes_to_the_one_host_of_all_destinations_and_not_to_the_base_images()
    {
        bench.Request = bench.Request with { Destinations = [.. bench.Request.Destinations.Where(d => d.Include.StartsWith("registry.acme.com", StringComparison.Ordinal))] };
        bench.Set(("DOTNET_CONTAINER_REGISTRY_UNAME", "company"), ("DOTNET_CONTAINER_REGISTRY_PWORD", SentinelWorld.Secrets["company"]));

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Contains(world.Company.Requests.Skip(before["company"]), r => r.Secrets.Contains("company"));
        Assert.DoesNotContain(world.Stranger.Requests.Skip(before["stranger"]), r => r.HasAuthorization);
        AssertNowhere(published);
    }

    private Dictionary<string, string[]> Arrange(string source)
    {
        var secret = SentinelWorld.Secrets;
        var all = new Dictionary<string, string[]>(StringComparer.Ordinal) { ["ghcr"] = ["ghcr"], ["hub"] = ["hub"], ["company"] = ["company"] };
        switch (source)
        {
            case "items":
                bench.Request = bench.Request with { Credentials = [new("ghcr.io", "U1", "P1"), new("docker.io", "U2", "P2"), new("registry.acme.com", "U3", "P3")] };
                bench.Set(("U1", "ada"), ("P1", secret["ghcr"]), ("U2", "acme"), ("P2", secret["hub"]), ("U3", "company"), ("P3", secret["company"]));
                return all;
            case "usual variables":
                Docker($$"""{"auths":{"registry.acme.com":{"auth":"{{Auth("company")}}"} } }""");
                bench.Set(("CR_PAT", secret["ghcr"]), ("DOCKERHUB_USERNAME", "acme"), ("DOCKERHUB_TOKEN", secret["hub"]));
                return all;
            case "docker auths":
                Docker(Auths());
                return all;
            case "docker user name and password":
                Docker($$"""{"auths":{"https://ghcr.io":{"username":"ada","password":"{{secret["ghcr"]}}"},"docker.io":{"username":"acme","password":"{{secret["hub"]}}"},"registry.acme.com":{"username":"company","password":"{{secret["company"]}}"} } }""");
                return all;
            case "DOCKER_AUTH_CONFIG":
                bench.Set(("DOCKER_AUTH_CONFIG", Auths()));
                return all;
            case "credHelpers":
                Helper("one", ("ghcr.io", "ada", secret["ghcr"]), ("https://index.docker.io/v1/", "acme", secret["hub"]), ("registry.acme.com", "company", secret["company"]));
                Docker("""{"credHelpers":{"ghcr.io":"one","https://index.docker.io/v1/":"one","registry.acme.com":"one"}}""");
                return all;
            case "credsStore":
                Helper("store", ("ghcr.io", "ada", secret["ghcr"]), ("https://index.docker.io/v1/", "acme", secret["hub"]), ("registry.acme.com", "company", secret["company"]));
                Docker("""{"auths":{"ghcr.io":{} },"credsStore":"store"}""");
                return all;
            case "podman file":
                bench.Set(("XDG_RUNTIME_DIR", directory.Folder("run")));
                File.WriteAllText(directory.File("run/containers/auth.json"), Auths("docker.io"));
                return all;
            case "podman paths":
                bench.Set(("XDG_CONFIG_HOME", directory.Folder("config")));
                // For another namespace of each host there is a secret that must not be taken.
                var other = Base64("ada:" + secret["nobody"]);
                File.WriteAllText(
                    directory.File("config/containers/auth.json"),
                    $$"""{"auths":{"ghcr.io":{"auth":"{{other}}"},"ghcr.io/acme":{"auth":"{{Auth("ghcr")}}"},"docker.io/acme":{"auth":"{{Auth("hub")}}"},"docker.io/other":{"auth":"{{other}}"},"registry.acme.com/acm":{"auth":"{{other}}"},"registry.acme.com/acme":{"auth":"{{Auth("company")}}"} } }""");
                return all;
            case "REGISTRY_AUTH_FILE":
                bench.Set(("REGISTRY_AUTH_FILE", directory.File("elsewhere/auth.json")));
                File.WriteAllText(directory.File("elsewhere/auth.json"), Auths("docker.io"));
                return all;
            case "identity token":
                Docker($$"""{"auths":{"ghcr.io":{"auth":"{{Auth("ghcr")}}"},"https://index.docker.io/v1/":{"auth":"{{Base64("acme:")}}","identitytoken":"{{secret["hub-identity"]}}"},"registry.acme.com":{"auth":"{{Auth("company")}}"} } }""");
                all["hub"] = ["hub-identity"];
                return all;
            case "identity token of a helper":
                Helper("web", ("https://index.docker.io/v1/", "<token>", secret["hub-identity"]));
                Docker($$"""{"credHelpers":{"https://index.docker.io/v1/":"web"},"auths":{"ghcr.io":{"auth":"{{Auth("ghcr")}}"},"registry.acme.com":{"auth":"{{Auth("company")}}"} } }""");
                all["hub"] = ["hub-identity"];
                return all;
            case "GITHUB_TOKEN" or "GH_TOKEN":
                Docker($$"""{"auths":{"https://index.docker.io/v1/":{"auth":"{{Auth("hub")}}"},"registry.acme.com":{"auth":"{{Auth("company")}}"} } }""");
                bench.Set((source, secret["ghcr"]));
                return all;
            case "GitLab job":
                Docker($$"""{"auths":{"ghcr.io":{"auth":"{{Auth("ghcr")}}"},"https://index.docker.io/v1/":{"auth":"{{Auth("hub")}}"} } }""");
                bench.Set(("GITLAB_CI", "true"), ("CI_REGISTRY", "registry.acme.com"), ("CI_REGISTRY_USER", "company"), ("CI_REGISTRY_PASSWORD", secret["company"]), ("CI_JOB_TOKEN", secret["nobody"]));
                return all;
            case "shared pair of many hosts":
                // It names no host, and there are four: nobody gets it, and the publish ends where credentials are wanted.
                bench.Set(("DOTNET_CONTAINER_PUSH_REGISTRY_UNAME", "ada"), ("DOTNET_CONTAINER_PUSH_REGISTRY_PWORD", secret["ghcr"]), ("SDK_CONTAINER_REGISTRY_UNAME", "ada"), ("SDK_CONTAINER_REGISTRY_PWORD", secret["nobody"]));
                return [];
            default:
                // Everything is there, and only the registry that wants nothing is asked.
                Arrange("items");
                Arrange("docker auths");
                Arrange("GITHUB_TOKEN");
                bench.Request = bench.Request with { Destinations = [.. bench.Request.Destinations.Where(d => d.Include.StartsWith("stranger", StringComparison.Ordinal))] };
                return [];
        }
    }

    /// <summary>In no file that the publish wrote (layout, cache, receipt, outputs of GitHub, the emulators' logs) and no line it logged, in no form.</summary>
    private void AssertNowhere(Published published)
    {
        var forms = SentinelWorld.Secrets.Values.SelectMany(s => new[] { s, Base64(s), Uri.EscapeDataString(s) })
            .Concat(new[] { "ghcr", "hub", "company" }.Select(Auth)).Append(Base64("ada:" + SentinelWorld.Secrets["nobody"])).ToList();
        string[] folders = [directory.Folder("cache"), directory.Folder("out"), bench.Request.LayoutDirectory];
        var files = folders.SelectMany(f => Directory.EnumerateFiles(f, "*", SearchOption.AllDirectories)).Concat(world.Logs()).ToList();
        Assert.True(files.Count > 5, string.Join('\n', files));
        foreach (var text in files.Select(f => File.ReadAllBytes(f)).Append(Encoding.UTF8.GetBytes(string.Join('\n', published.Log.Concat(published.Reporting.ConsoleLines).Concat(published.Report.Diagnostics.Select(d => d.ToString()))))))
        {
            Assert.All(forms, form => Assert.Equal(-1, text.AsSpan().IndexOf(Encoding.UTF8.GetBytes(form))));
        }
    }

    private static string Auths(string hub = "https://index.docker.io/v1/")
        => $$"""{"auths":{"ghcr.io":{"auth":"{{Auth("ghcr")}}"},"{{hub}}":{"auth":"{{Auth("hub")}}"},"registry.acme.com":{"auth":"{{Auth("company")}}"} } }""";

    private static string Auth(string whose) => Base64($"{(whose == "ghcr" ? "ada" : whose == "hub" ? "acme" : "company")}:{SentinelWorld.Secrets[whose]}");

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private void Docker(string json) => File.WriteAllText(directory.File("home/.docker/config.json"), json);

    private void Helper(string name, params (string Key, string User, string Secret)[] known)
    {
        var cases = string.Concat(known.Select(k => $"'{k.Key}') printf '%s' '{{\"ServerURL\":\"{k.Key}\",\"Username\":\"{k.User}\",\"Secret\":\"{k.Secret}\"}}' ;;\n"));
        var path = directory.File($"bin/docker-credential-{name}");
        File.WriteAllText(path, $"#!/bin/sh\nread -r key\ncase \"$key\" in\n{cases}*) echo 'credentials not found in native keychain'; exit 1 ;;\nesac\n");
        File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }
}
