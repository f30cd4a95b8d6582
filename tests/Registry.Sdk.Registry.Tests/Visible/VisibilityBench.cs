using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Visible;

/// <summary>One publish in process of a small image without a base, to an emulator that plays a service.</summary>
internal sealed class VisibilityBench : IAsyncDisposable
{
    private readonly TempDirectory _directory = new("visibility");
    private bool _isGitHub;

    private VisibilityBench()
    {
    }

    public EmulatorServer Emulator { get; private set; } = null!;

    public InstantTime Time { get; } = new();

    /// <summary>What a person was asked to do.</summary>
    public ConcurrentQueue<string> Asked { get; } = new();

    /// <summary>Answers in the emulator's place where it returns true.</summary>
    public Func<HttpContext, Task<bool>>? Lie { get; set; }

    public PublishRequest Request { get; set; } = null!;

    public static async Task<VisibilityBench> GhcrAsync(GitHubWorld world) => await StartAsync("ghcr.io", new() { StateDirectory = "", Personality = EmulatorPersonality.Ghcr, GitHub = world });

    public static async Task<VisibilityBench> DockerHubAsync(DockerHubWorld world) => await StartAsync("docker.io", new() { StateDirectory = "", Personality = EmulatorPersonality.DockerHub, DockerHub = world });

    private static async Task<VisibilityBench> StartAsync(string host, EmulatorOptions options)
    {
        var bench = new VisibilityBench { _isGitHub = options.Personality == EmulatorPersonality.Ghcr };
        bench.Emulator = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = bench._directory.Folder("state"),
            Personality = options.Personality,
            GitHub = options.GitHub,
            DockerHub = options.DockerHub,
            Intercept = context => bench.Lie is { } lie ? lie(context) : Task.FromResult(false),
        });
        var file = bench._directory.File("publish", "app");
        await File.WriteAllTextAsync(file, "#!/bin/sh\n", new UTF8Encoding(false));
        bench.Request = new PublishRequest
        {
            Project = "App",
            Configuration = "Release",
            AssemblyName = "app",
            RuntimeIdentifiers = ["linux-x64"],
            ProjectDirectory = bench._directory.Folder("project"),
            Derived = Bench.Facts(containerVersion: "1.2.3"),
            Platforms =
            [
                new()
                {
                    RuntimeIdentifier = "linux-x64",
                    Evidence = new() { PublishDirectory = bench._directory.Folder("publish") },
                    BaseReference = "scratch",
                    BaseRegistry = "",
                    BaseRepository = "",
                    Settings = new() { AppCommand = ["/app/app"] },
                },
            ],
            LayoutDirectory = bench._directory.Folder("layout"),
            Destinations = [],
            DestinationProperty = "ContainerDestination",
            Endpoints = [new(host, bench.Emulator.BaseAddress.GetLeftPart(UriPartial.Authority), bench.Emulator.Api.ToString())],
            Environment = new Dictionary<string, string>(StringComparer.Ordinal),
            Reports = new(bench._directory.File("receipt.json"), null, null),
            Time = bench.Time,
        };
        return bench;
    }

    /// <summary>The environment, anew.</summary>
    public void Set(params (string Name, string Value)[] variables)
        => Request = Request with { Environment = variables.ToDictionary(v => v.Name, v => v.Value, StringComparer.Ordinal) };

    /// <summary>Publishes to one destination.</summary>
    public Task<Published> PublishAsync(string destination, string declared, CancellationToken cancellationToken = default)
    {
        Request = Request with { Destinations = [new(destination, Visibility: declared)] };
        return PublishAsync(cancellationToken);
    }

    /// <summary>Publishes <see cref="Request"/>.</summary>
    public async Task<Published> PublishAsync(CancellationToken cancellationToken = default)
    {
        var log = new Log(Asked);
        // Reports and layouts of a run are its own: rows of a matrix run at the same time.
        var run = Guid.NewGuid().ToString("N");
        var request = Request with { Reports = Request.Reports with { ReceiptPath = _directory.File(run, "receipt.json") }, LayoutDirectory = _directory.Folder(run, "layout") };
        var (report, reporting) = await PublishPipeline.RunAsync(request, new NoGit(), log, cancellationToken);
        return new(report, reporting, await File.ReadAllTextAsync(request.Reports.ReceiptPath, CancellationToken.None), log.Lines);
    }

    /// <summary>What a run asked about one repository that would change something, token endpoints left out.</summary>
    public IReadOnlyList<RequestRecord> Writes(string repository)
        => [.. Emulator.Requests.Where(r => r.Method is "POST" or "PUT" or "PATCH" or "DELETE" && IsAbout(r, repository))];

    /// <summary>Whether a request names a repository: of the registry, of either API, or in the list that it would be created in.</summary>
    public static bool IsAbout(RequestRecord request, string repository)
    {
        var parts = repository.Split('/', 2);
        return request.PathAndQuery.Contains($"/{repository}/", StringComparison.Ordinal)
            || request.PathAndQuery.EndsWith($"/packages/container/{Uri.EscapeDataString(parts[1])}", StringComparison.Ordinal)
            || (request.Method == "POST" && request.PathAndQuery.EndsWith($"/v2/namespaces/{parts[0]}/repositories", StringComparison.Ordinal));
    }

    /// <summary>The receipt's words on the visibility of the only destination; null where planning failed.</summary>
    public static JsonObject? Receipt(Published published)
        => JsonNode.Parse(published.Receipt)!["images"]!.AsArray().SelectMany(i => i!["destinations"]!.AsArray()).Select(d => d!["visibility"]?.AsObject()).SingleOrDefault();

    public async ValueTask DisposeAsync()
    {
        if (_isGitHub)
        {
            KnownToGitHub.Check(Emulator);
        }

        await Emulator.DisposeAsync();
        await _directory.DisposeAsync();
    }

    private sealed class NoGit : IGit
    {
        public Task<GitResult?> RunAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken) => Task.FromResult<GitResult?>(null);

        public IAsyncEnumerable<string> ReadLinesAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken) => throw new GitException("no git");
    }

    private sealed class Log(ConcurrentQueue<string> asked) : IPublishLog
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public IReadOnlyList<string> Lines => [.. _lines];

        public void Stage(string message) => _lines.Enqueue(message);

        public void Note(string message) => _lines.Enqueue(message);

        public void Request(string message) => _lines.Enqueue(message);

        public void Ask(string message)
        {
            _lines.Enqueue(message);
            asked.Enqueue(message);
        }

        public void Uploading(Destination destination, Descriptor blob, long sent, double bytesPerSecond) => _lines.Enqueue($"{destination} {sent}");
    }
}
