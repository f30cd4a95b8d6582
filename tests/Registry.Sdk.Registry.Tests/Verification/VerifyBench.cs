using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Reporting;
using Registry.Sdk.Core.Verification;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests.Visible;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Verification;

/// <summary>What came of one verification.</summary>
internal sealed record Verified(FleetReport Report, ReportingResult Reporting, string Json, string Summary, IReadOnlyList<string> Requests)
{
    public IReadOnlyList<string> Codes => [.. Report.Diagnostics.Select(d => d.Code).Distinct(StringComparer.Ordinal)];

    public string Console => string.Join('\n', Reporting.ConsoleLines);

    public string Messages => string.Join('\n', Report.Diagnostics.Select(d => d.Message));

    public PackageFinding Package(string name) => Report.Result!.Packages.Single(p => p.Package.Destination.ToString().EndsWith(name, StringComparison.Ordinal));

    /// <summary>Nothing is wrong, and every verdict says so.</summary>
    public Verified EnsureGood()
    {
        Assert.True(Report.Succeeded, Messages + "\n" + Console);
        return this;
    }

    /// <summary>No part of it reads like a success.</summary>
    public Verified EnsureNotGood()
    {
        Assert.False(Report.Succeeded, Console);
        Assert.Contains(Report.Diagnostics, d => d.IsError);
        Assert.False(JsonNode.Parse(Json)!["succeeded"]!.GetValue<bool>());
        return this;
    }
}

/// <summary>One verification in process, of packages at emulators that play ghcr.io and docker.io.</summary>
internal sealed class VerifyBench : IAsyncDisposable
{
    /// <summary>What is published of the report's form.</summary>
    public static readonly JsonSchema Schema = new((JsonObject)JsonNode.Parse(File.ReadAllText(System.IO.Path.Combine(TestRun.RepositoryRoot, "docs", "verify.schema.json")))!);

    public const string Pat = "ghp-of-the-boss-not-a-real-one";

    private readonly TempDirectory _directory = new("verify");
    private readonly ConcurrentQueue<string> _requests = new();

    private VerifyBench()
    {
    }

    public EmulatorServer GitHub { get; private set; } = null!;

    public EmulatorServer Hub { get; private set; } = null!;

    /// <summary>Puts things there, whatever anybody may see.</summary>
    public HttpClient GitHubSeeder { get; private set; } = null!;

    public HttpClient HubSeeder { get; private set; } = null!;

    /// <summary>Answers in ghcr.io's place where it returns true.</summary>
    public Func<HttpContext, Task<bool>>? Fault { get; set; }

    public List<DestinationItem> Destinations { get; } = [];

    public List<EndpointItem> Endpoints { get; } = [];

    public List<CredentialItem> Credentials { get; } = [];

    public Dictionary<string, string> Environment { get; } = new(StringComparer.Ordinal);

    public List<string> ComposeFiles { get; } = [];

    /// <summary>Further projects than the fleet itself.</summary>
    public List<DeclaringProject> Projects { get; } = [];

    /// <summary>Projects that were asked, and declare nothing.</summary>
    public List<string> Silent { get; } = [];

    /// <summary>A busy machine answers late: only who tests silence makes it short.</summary>
    public VerifyTiming Timing { get; set; } = new(TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(60), new InstantTime());

    public string Folder => _directory.Path;

    public static async Task<VerifyBench> StartAsync(GhcrPrivateAnswer privateAnswer = default)
    {
        var bench = new VerifyBench();
        bench.GitHub = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = bench._directory.Folder("github"),
            Personality = EmulatorPersonality.Ghcr,
            GitHub = new()
            {
                Owners = { ["acme"] = GitHubOwner.Organization("boss") },
                Secrets = { ["pat"] = GitHubSecret.Classic(Pat, "boss", "read:packages"), ["weak"] = GitHubSecret.Classic("ghp-without-a-scope", "boss", "repo"), ["stranger"] = GitHubSecret.Classic("ghp-of-a-stranger", "stranger", "read:packages") },
                PrivateAnswer = privateAnswer,
            },
            Intercept = context => bench.Fault is { } fault ? fault(context) : Task.FromResult(false),
        });
        bench.Hub = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = bench._directory.Folder("hub"),
            Personality = EmulatorPersonality.DockerHub,
            DockerHub = new() { Namespaces = { ["acme"] = new() { IsOrganization = true }, ["library"] = new() { IsOrganization = true } }, AnonymousPulls = null },
        });
        bench.GitHubSeeder = bench.GitHub.CreateAdministrator();
        bench.HubSeeder = bench.Hub.CreateAdministrator();
        bench.Endpoints.Add(new("ghcr.io", Address(bench.GitHub), bench.GitHub.Api.ToString()));
        bench.Endpoints.Add(new("docker.io", Address(bench.Hub), bench.Hub.Api.ToString()));
        return bench;
    }

    /// <summary>Signs in to ghcr.io.</summary>
    public VerifyBench Login(string secret = Pat)
    {
        Environment["CR_PAT"] = secret;
        Environment["GITHUB_ACTOR"] = "boss";
        return this;
    }

    /// <summary>Pushes a release of one image with its floating tags, and makes it public if asked.</summary>
    public async Task<string> ReleaseAsync(string name, string version = "1.2.3", bool isPublic = true, SeedImage? image = null, string host = "ghcr.io")
    {
        var seeder = host == "ghcr.io" ? GitHubSeeder : HubSeeder;
        var digest = await Seed.PushAsync(seeder, name, "v" + version, image ?? new SeedImage { Architecture = Architecture });
        var parts = version.Split('.');
        await Seed.TagAsync(seeder, name, "v" + version, $"v{parts[0]}.{parts[1]}", $"v{parts[0]}", "latest");
        if (isPublic && host == "ghcr.io")
        {
            GitHub.Click(SettingsClick.Change(name, GitHubVisibility.Public));
        }

        return digest;
    }

    public static string Architecture => System.Runtime.InteropServices.RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64";

    public VerifyBench Add(string include, string visibility = "", string optional = "")
    {
        Destinations.Add(new(include, Visibility: visibility, Optional: optional));
        return this;
    }

    public string Write(string name, string content)
    {
        var path = _directory.File("project", name);
        File.WriteAllText(path, content);
        return path;
    }

    /// <summary>Verifies; nothing may be written anywhere meanwhile.</summary>
    public async Task<Verified> RunAsync(CancellationToken cancellationToken = default)
    {
        _requests.Clear();
        var before = (GitHub.Requests.Count, Hub.Requests.Count);
        var summary = _directory.File("summary.md");
        File.Delete(summary);
        var project = _directory.Folder("project");
        var (report, reporting) = await VerifyPipeline.RunAsync(
            new()
            {
                Project = "fleet",
                ProjectDirectory = project,
                Projects = [.. Destinations.Count > 0 ? [new DeclaringProject { Name = "fleet", Directory = project, IsFleet = true, Destinations = [.. Destinations] }] : Array.Empty<DeclaringProject>(), .. Projects],
                SilentProjects = Silent,
                ComposeFiles = ComposeFiles,
                Endpoints = Endpoints,
                Credentials = Credentials,
                Environment = Environment,
                ReportPath = _directory.File("verify.json"),
                GitHubSummary = summary,
            },
            _requests.Enqueue,
            Timing,
            cancellationToken);
        Assert.DoesNotContain(GitHub.Requests.Skip(before.Item1).Concat(Hub.Requests.Skip(before.Item2)), r => r.Method is not ("GET" or "HEAD") && !r.PathAndQuery.Contains("token", StringComparison.Ordinal));
        var verified = new Verified(report, reporting, await File.ReadAllTextAsync(_directory.File("verify.json"), CancellationToken.None), await File.ReadAllTextAsync(summary, CancellationToken.None), [.. _requests]);
        Assert.Empty(Schema.Validate(JsonNode.Parse(verified.Json)));
        foreach (var secret in new[] { Pat, "ghp-of-a-stranger" })
        {
            Assert.DoesNotContain(secret, verified.Json + verified.Summary + verified.Console + verified.Messages + string.Join('\n', verified.Requests), StringComparison.Ordinal);
        }

        return verified;
    }

    public async ValueTask DisposeAsync()
    {
        GitHubSeeder.Dispose();
        HubSeeder.Dispose();
        KnownToGitHub.Check(GitHub);
        await GitHub.DisposeAsync();
        await Hub.DisposeAsync();
        await _directory.DisposeAsync();
    }

    private static string Address(EmulatorServer server) => server.BaseAddress.ToString().TrimEnd('/');
}
