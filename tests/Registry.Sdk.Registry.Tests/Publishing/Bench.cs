using System.Collections.Concurrent;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Reporting;
using Registry.Sdk.Core.Versioning;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Publishing;

/// <summary>The real registries of one test class: each test puts proxies of its own in front of them, and uses repositories of its own.</summary>
public class Registries : IAsyncLifetime
{
    public DistributionServer Open { get; private set; } = null!;

    public DistributionServer Closed { get; private set; } = null!;

    public DistributionServer Base { get; private set; } = null!;

    public virtual async Task InitializeAsync()
    {
        var servers = await Task.WhenAll(
            DistributionServer.StartAsync(),
            DistributionServer.StartAsync(new DistributionOptions { Authenticate = true, RelativeUrls = true }),
            DistributionServer.StartAsync());
        (Open, Closed, Base) = (servers[0], servers[1], servers[2]);
        using var client = Base.CreateClient();
        await Seed.PushAsync(client, Bench.BaseRepository, "10.0", Bench.BaseImage);
    }

    public virtual async Task DisposeAsync()
    {
        await Open.DisposeAsync();
        await Closed.DisposeAsync();
        await Base.DisposeAsync();
    }
}

/// <summary>One request, in the order of arrival over all registries of a bench.</summary>
internal sealed record Arrival(int Index, string Registry, string Method, string Path, string Query, string? Authorization)
{
    public bool IsBlobPut => Method == "PUT" && Path.Contains("/blobs/uploads/", StringComparison.Ordinal);

    public bool IsManifestPut => Method == "PUT" && Path.Contains("/manifests/", StringComparison.Ordinal);

    public bool IsTagPut => IsManifestPut && !Path.Contains("/manifests/sha256:", StringComparison.Ordinal);

    public bool IsPost => Method == "POST";

    public bool IsWrite => Method is "POST" or "PUT" or "PATCH" or "DELETE";

    public override string ToString() => $"{Index} {Registry} {Method} {Path}{Query}";
}

/// <summary>A registry as a test sees it: through a proxy that remembers and can lie, and directly.</summary>
internal sealed class Target(string name, CountingProxy proxy, HttpClient direct) : IAsyncDisposable
{
    public string Name { get; } = name;

    /// <summary><c>localhost:PORT</c> of the proxy.</summary>
    public string Host => proxy.Address;

    /// <summary>The same as <c>127.0.0.1:PORT</c>.</summary>
    public string IpHost => proxy.IpAddress;

    public int Port => proxy.Port;

    public IReadOnlyList<ProxiedRequest> Requests => proxy.Requests;

    public IReadOnlyList<ProxiedRequest> Writes => proxy.Writes;

    /// <summary>Requests that do not go through the proxy, and so are not counted.</summary>
    public HttpClient Direct { get; } = direct;

    /// <summary>Answers in the registry's place where it returns true.</summary>
    public Func<HttpContext, Task<bool>>? Lie { get; set; }

    public void Clear() => proxy.Clear();

    public static async Task<Target> StartAsync(string name, Uri upstream, HttpClient direct, Action<string, HttpContext> arrived)
    {
        var proxy = await CountingProxy.StartAsync(upstream);
        var target = new Target(name, proxy, direct);
        proxy.Intercept = context =>
        {
            arrived(name, context);
            return target.Lie is { } lie ? lie(context) : Task.FromResult(false);
        };
        return target;
    }

    public async ValueTask DisposeAsync()
    {
        await proxy.DisposeAsync();
        Direct.Dispose();
    }
}

/// <summary>What came of one publish.</summary>
internal sealed record Published(PublishReport Report, ReportingResult Reporting, string Receipt, IReadOnlyList<string> Log)
{
    public IReadOnlyList<Diagnostic> Errors => [.. Report.Diagnostics.Concat(Reporting.Diagnostics).Where(d => d.IsError)];

    public IReadOnlyList<string> Codes => [.. Report.Diagnostics.Select(d => d.Code)];

    /// <summary>The one image, of a publish without editions.</summary>
    public ComposedImage Image => Assert.Single(Report.Images).Image;

    public string Digest => Image.Manifest.Descriptor.Digest.ToString();

    public Published EnsureSucceeded()
    {
        Assert.True(Report.Succeeded, string.Join('\n', Errors));
        return this;
    }
}

/// <summary>One publish in process: a publish folder, facts, and three registries (open, with htpasswd, with base images) behind proxies.</summary>
internal sealed class Bench : IAsyncDisposable
{
    public const string Commit = "0123456789abcdef0123456789abcdef01234567";
    public static readonly DateTimeOffset CommitTime = new(2026, 11, 1, 12, 0, 0, TimeSpan.Zero);

    public const string BaseRepository = "dotnet/aspnet";

    /// <summary>The base image that every test finds under <c>dotnet/aspnet:10.0</c>.</summary>
    public static readonly SeedImage BaseImage = new();

    private readonly TempDirectory _directory = new("bench");
    private readonly ConcurrentQueue<Arrival> _arrivals = new();
    private readonly List<IDisposable> _owned = [];
    private readonly List<Target> _more = [];
    private int _arrived = -1;

    private Bench()
    {
    }

    public Target Open { get; private set; } = null!;

    public Target Closed { get; private set; } = null!;

    public Target Base { get; private set; } = null!;

    /// <summary>User and password of <see cref="Closed"/>.</summary>
    public (string User, string Password) Login { get; private set; }

    /// <summary>The repository at each registry.</summary>
    public required string Name { get; init; }

    public string PublishDirectory => _directory.Folder("publish");

    /// <summary>What is published; tests change it.</summary>
    public PublishRequest Request { get; set; } = null!;

    /// <summary>The first platform of <see cref="Request"/>.</summary>
    public PlatformRequest Platform
    {
        get => Request.Platforms[0];
        set => Request = Request with { Platforms = [value, .. Request.Platforms.Skip(1)] };
    }

    /// <summary>The history that floating branch tags are judged by.</summary>
    public IGit Git { get; set; } = new NoGit();

    /// <summary>Hears what the publish notes, at the moment it does.</summary>
    public Action<string> Noted { get; set; } = static _ => { };

    public IReadOnlyList<Target> Targets => [Open, Closed, Base, .. _more];

    /// <summary>All requests at all registries since <see cref="Forget"/>, in order of arrival.</summary>
    public IReadOnlyList<Arrival> Arrivals => [.. _arrivals.OrderBy(a => a.Index)];

    /// <summary>A bench with repositories of its own; tests that write nothing may share one by its name.</summary>
    public static async Task<Bench> CreateAsync(Registries registries, string? name = null)
    {
        var bench = new Bench { Login = (registries.Closed.Username, registries.Closed.Password), Name = name ?? $"team-{Guid.NewGuid():N}/api" };
        bench.Open = await Target.StartAsync("open", registries.Open.BaseUri, registries.Open.CreateClient(), bench.Arrived);
        bench.Closed = await Target.StartAsync("closed", registries.Closed.BaseUri, registries.Closed.CreateClient(), bench.Arrived);
        bench.Base = await Target.StartAsync("base", registries.Base.BaseUri, registries.Base.CreateClient(), bench.Arrived);
        bench.Write("api.dll", "an assembly");
        bench.Write("api", "\u007fELF an app host");
        bench.Write("wwwroot/index.html", "<p>hello</p>");
        bench.Request = new PublishRequest
        {
            Project = "Api",
            Configuration = "Release",
            AssemblyName = "api",
            RuntimeIdentifiers = ["linux-x64"],
            ProjectDirectory = bench._directory.Folder("project"),
            Derived = Facts(containerVersion: "1.2.3"),
            Platforms =
            [
                new()
                {
                    RuntimeIdentifier = "linux-x64",
                    Evidence = new() { PublishDirectory = bench.PublishDirectory },
                    BaseRegistry = bench.Base.Host,
                    BaseRepository = BaseRepository,
                    BaseTag = "10.0",
                    Settings = new() { AppCommand = ["dotnet", "/app/api.dll"] },
                },
            ],
            LayoutDirectory = bench._directory.Folder("layout"),
            Destinations = [new($"{bench.Open.Host}/{bench.Name}"), new($"{bench.Closed.Host}/{bench.Name}")],
            DestinationProperty = "ContainerDestination",
            Credentials = [new(bench.Closed.Host, "CLOSED_USER", "CLOSED_PASSWORD")],
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["CLOSED_USER"] = bench.Login.User, ["CLOSED_PASSWORD"] = bench.Login.Password },
            Reports = new(bench._directory.File("receipt.json"), null, null),
            // Registries that fail are waited for, and no test waits.
            Time = new InstantTime(),
        };
        return bench;
    }

    /// <summary>One more registry behind a proxy.</summary>
    public async Task<Target> AttachAsync(string name, Uri upstream)
    {
        var target = await Target.StartAsync(name, upstream, new HttpClient { BaseAddress = upstream }, Arrived);
        _more.Add(target);
        return target;
    }

    /// <summary>Facts and version as they come out of these words, without git.</summary>
    public static Outcome<Derived> Facts(
        string containerVersion = "", string? branch = "main", string commit = Commit, DateTimeOffset? time = null, string[]? tags = null, IReadOnlyList<TagRule>? rules = null, string[]? userTags = null, string[]? dirty = null)
    {
        var facts = new BuildFacts(
            new GitFacts { State = GitState.Ok, Commit = commit, CommitTime = time ?? CommitTime, Branch = branch, TagsAtHead = tags ?? [], Height = 1, DirtyFiles = dirty ?? [] }, null, null);
        var version = VersioningStage.Run(new(facts, containerVersion, userTags ?? [], rules ?? VersioningStage.DefaultTagRules, "v"));
        return version.Succeeded ? Outcome<Derived>.Success(new(facts, version.Value), version.Diagnostics) : Outcome<Derived>.Failure(version.Diagnostics);
    }

    /// <summary>Facts and version of a real repository.</summary>
    public async Task DeriveAsync(string folder, string containerVersion = "")
    {
        var git = new GitCommandLine(CleanEnvironment.Create().Variables);
        Git = git;
        Request = Request with
        {
            ProjectDirectory = folder,
            Derived = await PublishPipeline.DeriveAsync(
                new FactsInput(folder, [folder], [], new Dictionary<string, string>(StringComparer.Ordinal), "v"),
                facts => new VersioningInput(facts, containerVersion, [], VersioningStage.DefaultTagRules, "v"), git, CancellationToken.None),
        };
    }

    /// <summary>
    /// Makes the project one of editions: each has a publish folder of its own, with a script that starts and a page that all have, and a page that says
    /// its name. The destinations stay as they are: a test says who gets what.
    /// </summary>
    public void UseEditions(params (string Name, string License)[] editions)
    {
        Request = Request with
        {
            EditionNames = [.. editions.Select(e => e.Name)],
            Edition = editions[^1].Name,
            Editions = [.. editions.Select(e => new EditionRequest { Name = e.Name, License = e.License, Projects = [new() { File = _directory.File("project", "Api.csproj"), AssemblyName = "api" }] })],
            Platforms = [.. editions.Select(e => Platform with
            {
                Edition = e.Name,
                Evidence = new() { PublishDirectory = _directory.Folder("editions", e.Name) },
                Settings = Platform.Settings with { AppCommand = ["/app/start.sh"] },
            })],
        };
        foreach (var (name, _) in editions)
        {
            Ship(name, "start.sh", "#!/bin/sh\n");
            Ship(name, "wwwroot/index.html", "<p>hello</p>");
            Ship(name, $"{name}.html", $"<p>{name}</p>");
        }
    }

    /// <summary>A file of an edition: content of the project, and its copy in the publish folders of that edition.</summary>
    public void Ship(string edition, string path, string content)
    {
        var source = _directory.File("project", path);
        File.WriteAllText(source, content, new UTF8Encoding(false));
        Request = Request with
        {
            Platforms = [.. Request.Platforms.Select(p =>
            {
                if (p.Edition != edition)
                {
                    return p;
                }

                var copy = Path.Combine(p.PublishDirectory, path);
                Directory.CreateDirectory(Path.GetDirectoryName(copy)!);
                File.WriteAllText(copy, content, new UTF8Encoding(false));
                return p with { Evidence = p.Evidence with { Items = [.. p.Evidence.Items.Where(i => i.RelativePath != path), new() { SourcePath = source, RelativePath = path }] } };
            })],
            Editions = [.. Request.Editions.Select(e => e.Name != edition ? e : e with
            {
                Projects = [e.Projects[0] with { Items = [.. e.Projects[0].Items.Where(i => i.Path != source), new("Content", source)] }],
            })],
        };
    }

    /// <summary>The file that tells of the wall: <c>bill.json</c> or <c>wall.md</c>.</summary>
    public string Evidence(string edition, string name) => _directory.File(edition, name);

    /// <summary>A file of the publish folder.</summary>
    public string Write(string path, string content)
    {
        var file = _directory.File("publish", path);
        File.WriteAllText(file, content, new UTF8Encoding(false));
        return file;
    }

    /// <summary>A path outside the publish folder.</summary>
    public string Outside(string name) => _directory.File("outside", name);

    /// <summary>Adds variables to the environment that credentials come from.</summary>
    public void Set(params (string Name, string Value)[] variables)
    {
        var environment = new Dictionary<string, string>(Request.Environment, StringComparer.Ordinal);
        foreach (var (name, value) in variables)
        {
            environment[name] = value;
        }

        Request = Request with { Environment = environment };
    }

    /// <summary>Writes a docker configuration with one login and points DOCKER_CONFIG at it; gives the file.</summary>
    public string DockerConfig(string host, string user, string password)
    {
        var file = _directory.File("docker", "config.json");
        var auth = Convert.ToBase64String(Encoding.UTF8.GetBytes($"{user}:{password}"));
        File.WriteAllText(file, JsonSerializer.Serialize(new { auths = new Dictionary<string, object>(StringComparer.Ordinal) { [host] = new { auth } } }));
        Set(("DOCKER_CONFIG", Path.GetDirectoryName(file)!));
        return file;
    }

    /// <summary>Publishes <see cref="Request"/>.</summary>
    public async Task<Published> PublishAsync(CancellationToken cancellationToken = default)
    {
        var log = new Log(Noted);
        var (report, reporting) = await PublishPipeline.RunAsync(Request, Git, log, cancellationToken);
        return new(report, reporting, await File.ReadAllTextAsync(Request.Reports.ReceiptPath, CancellationToken.None), log.Lines);
    }

    /// <summary>Keeps something until the test is over.</summary>
    public void Own(IDisposable thing) => _owned.Add(thing);

    /// <summary>Forgets the requests so far.</summary>
    public void Forget()
    {
        _arrivals.Clear();
        foreach (var target in Targets)
        {
            target.Clear();
        }
    }

    public async ValueTask DisposeAsync()
    {
        _owned.ForEach(o => o.Dispose());
        foreach (var target in Targets)
        {
            await target.DisposeAsync();
        }

        await _directory.DisposeAsync();
    }

    private void Arrived(string registry, HttpContext context)
        => _arrivals.Enqueue(new(
            Interlocked.Increment(ref _arrived), registry, context.Request.Method, context.Request.Path, context.Request.QueryString.ToString(),
            AuthenticationHeaderValue.TryParse(context.Request.Headers.Authorization, out var header) ? header.ToString() : null));

    private sealed class NoGit : IGit
    {
        public Task<GitResult?> RunAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken) => Task.FromResult<GitResult?>(null);

        public IAsyncEnumerable<string> ReadLinesAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken) => throw new GitException("no git");
    }

    private sealed class Log(Action<string> noted) : IPublishLog
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public IReadOnlyList<string> Lines => [.. _lines];

        public void Stage(string message) => _lines.Enqueue(message);

        public void Note(string message)
        {
            _lines.Enqueue(message);
            noted(message);
        }

        public void Request(string message) => _lines.Enqueue(message);

        public void Uploading(Destination destination, Descriptor blob, long sent, double bytesPerSecond) => _lines.Enqueue($"{destination} {sent}");
    }
}

/// <summary>Answers that no registry should give.</summary>
internal static class Answers
{
    /// <summary>Answers with a status, a type and a text.</summary>
    public static async Task<bool> WithAsync(HttpContext context, int status, string? contentType, string body)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = contentType;
        context.Response.ContentLength = Encoding.UTF8.GetByteCount(body);
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.WriteAsync(body);
        }

        return true;
    }

    /// <summary>An error as the distribution specification has it.</summary>
    public static Task<bool> ErrorAsync(HttpContext context, int status, string code)
        => WithAsync(context, status, "application/json", $$"""{"errors":[{"code":"{{code}}","message":"no"}]}""");

    public static Task<bool> Html(HttpContext context) => WithAsync(context, 200, "text/html; charset=utf-8", "<!doctype html><title>Sign in</title>");

    public static Task<bool> Nothing(HttpContext context) => WithAsync(context, 200, null, "");

    /// <summary>Lies about those requests only.</summary>
    public static Func<HttpContext, Task<bool>> When(Func<HttpRequest, bool> condition, Func<HttpContext, Task<bool>> answer)
        => context => condition(context.Request) ? answer(context) : Task.FromResult(false);
}
