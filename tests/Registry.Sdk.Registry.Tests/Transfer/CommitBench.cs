using System.Collections.Concurrent;
using System.Text;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>
/// Publishes in process of a small image without a base, to one or more emulated registries. Each publish is a fresh clone with folders of its own, unless
/// a test gives it those of an earlier one.
/// </summary>
internal sealed class CommitBench : IAsyncDisposable
{
    public const string Repository = "team/app";

    private readonly TempDirectory _directory = new("commit");

    private CommitBench()
    {
    }

    public IReadOnlyList<EmulatorServer> Servers { get; private set; } = [];

    public IReadOnlyList<HttpClient> Clients { get; private set; } = [];

    public InstantTime Time { get; } = new();

    /// <summary>Answers in a registry's place where it returns true; told which registry.</summary>
    public Func<int, HttpContext, Task<bool>>? Intercept { get; set; }

    public string Cache => _directory.Folder("cache");

    public static async Task<CommitBench> StartAsync(int servers = 1, EmulatorPersonality personality = EmulatorPersonality.Plain)
    {
        var bench = new CommitBench();
        bench.Servers = await Task.WhenAll(Enumerable.Range(0, servers).Select(i => EmulatorServer.StartAsync(new()
        {
            StateDirectory = bench._directory.Folder($"state{i}"),
            Personality = personality,
            Intercept = context => bench.Intercept is { } intercept ? intercept(i, context) : Task.FromResult(false),
        })));
        bench.Clients = [.. bench.Servers.Select(s => new HttpClient { BaseAddress = s.BaseAddress })];
        return bench;
    }

    /// <summary>A publish of a release, or of a commit of <c>main</c> where the version is empty, to all registries.</summary>
    public PublishRequest Request(string version, string commit = Bench.Commit, int minute = 0, string? content = null, string repository = Repository)
    {
        var run = Guid.NewGuid().ToString("N");
        var publish = _directory.Folder(run, "publish");
        File.WriteAllText(Path.Combine(publish, "app"), "#!/bin/sh\n", new UTF8Encoding(false));
        // What the program prints, so that each version is an image of its own.
        File.WriteAllText(Path.Combine(publish, "words.txt"), content ?? $"{version} {commit}", new UTF8Encoding(false));
        return new()
        {
            Project = "App",
            Configuration = "Release",
            AssemblyName = "app",
            RuntimeIdentifiers = ["linux-x64"],
            ProjectDirectory = _directory.Folder("project"),
            Derived = Bench.Facts(containerVersion: version, commit: commit, time: Bench.CommitTime.AddMinutes(minute)),
            Platforms =
            [
                new()
                {
                    RuntimeIdentifier = "linux-x64",
                    Evidence = new() { PublishDirectory = publish },
                    BaseReference = "scratch",
                    BaseRegistry = "",
                    BaseRepository = "",
                    Settings = new() { AppCommand = ["/app/app"] },
                },
            ],
            LayoutDirectory = _directory.Folder(run, "obj", "layout"),
            Destinations = [.. Servers.Select(s => new DestinationItem($"{s.Host}/{repository}"))],
            DestinationProperty = "ContainerDestination",
            Environment = new Dictionary<string, string>(StringComparer.Ordinal),
            Reports = new(_directory.File(run, "receipt.json"), null, null),
            Time = Time,
        };
    }

    /// <summary>Where a publish of that request keeps its journal.</summary>
    public static string Journal(PublishRequest request) => Path.GetFullPath(Path.Combine(request.LayoutDirectory, "..", "journal.json"));

    public static async Task<Published> PublishAsync(PublishRequest request, CancellationToken cancellationToken = default)
    {
        var log = new Log();
        var (report, reporting) = await PublishPipeline.RunAsync(request, new NoGit(), log, cancellationToken);
        return new(report, reporting, await File.ReadAllTextAsync(request.Reports.ReceiptPath, CancellationToken.None), log.Lines);
    }

    /// <summary>What every tag of a registry's repository names.</summary>
    public Task<IReadOnlyDictionary<string, string>> TagsAsync(int server = 0, string repository = Repository) => Seed.TagsAsync(Clients[server], repository);

    /// <summary>Whether a request writes that tag.</summary>
    public static bool IsPut(HttpContext context, string tag) => context.Request.Method == "PUT" && context.Request.Path.Value!.EndsWith($"/manifests/{tag}", StringComparison.Ordinal);

    /// <summary>Whether a request looks what that tag names.</summary>
    public static bool IsHead(HttpContext context, string tag) => context.Request.Method == "HEAD" && context.Request.Path.Value!.EndsWith($"/manifests/{tag}", StringComparison.Ordinal);

    /// <summary>Answers a look at a tag: it names that.</summary>
    public static Task<bool> NamesAsync(HttpContext context, string digest)
    {
        context.Response.Headers["Docker-Content-Digest"] = digest;
        return Answers.WithAsync(context, 200, "application/vnd.oci.image.manifest.v1+json", "{}");
    }

    /// <summary>An image of somebody else's that says of which version and commit it is.</summary>
    public static SeedImage Labelled(string version, string? revision = null, string? baseDigest = null) => new()
    {
        Salt = version,
        Labels = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["org.opencontainers.image.version"] = version,
            ["org.opencontainers.image.revision"] = revision ?? new('c', 40),
            ["org.opencontainers.image.base.digest"] = baseDigest ?? "none",
        },
    };

    public static bool IsTagPut(HttpContext context) => context.Request.Method == "PUT" && context.Request.Path.Value!.Contains("/manifests/", StringComparison.Ordinal) && !context.Request.Path.Value.Contains("/manifests/sha256:", StringComparison.Ordinal);

    public async ValueTask DisposeAsync()
    {
        foreach (var client in Clients)
        {
            client.Dispose();
        }

        foreach (var server in Servers)
        {
            await server.DisposeAsync();
        }

        await _directory.DisposeAsync();
    }

    private sealed class NoGit : IGit
    {
        public Task<GitResult?> RunAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken) => Task.FromResult<GitResult?>(null);

        public IAsyncEnumerable<string> ReadLinesAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken) => throw new GitException("no git");
    }

    private sealed class Log : IPublishLog
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public IReadOnlyList<string> Lines => [.. _lines];

        public void Stage(string message) => _lines.Enqueue(message);

        public void Note(string message) => _lines.Enqueue(message);

        public void Request(string message) => _lines.Enqueue(message);

        public void Uploading(Destination destination, Descriptor blob, long sent, double bytesPerSecond) => _lines.Enqueue($"{destination} {sent}");
    }
}
