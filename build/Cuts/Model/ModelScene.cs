using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests;
using Registry.Sdk.TestKit;

namespace Registry.Sdk.Cuts;

/// <summary>
/// Two emulated registries with base images, and for each story three empty repositories in them: <c>A</c> and <c>B</c> take every build, <c>C</c>, beside B
/// in one registry, no branches. What they hold is read by plain requests of the test kit.
/// </summary>
public sealed class ModelScene : IAsyncDisposable
{
    /// <summary>How many base images there are.</summary>
    public const int Bases = 3;

    private const string BaseRepository = "base/runtime";
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(2);

    private readonly TempDirectory _directory = new("model");
    private readonly EmulatorServer[] _servers;
    private readonly HttpClient[] _clients;
    private readonly Dictionary<string, int> _bases = new(StringComparer.Ordinal);
    private readonly Dictionary<string, Image> _images = new(StringComparer.Ordinal);
    private readonly Dictionary<Image, string> _digests = [];
    private readonly HashSet<(string Place, string Digest)> _whole = [];
    private int _story = -1;
    private int _runs = -1;

    private ModelScene(EmulatorServer[] servers, FaultScript[] scripts)
    {
        (_servers, Scripts) = (servers, scripts);
        _clients = [.. servers.Select(s => s.CreateAdministrator())];
    }

    /// <summary>The servers, as stories name them.</summary>
    public static IReadOnlyList<string> Servers { get; } = ["the first registry", "the second registry"];

    /// <summary>The destinations, as stories name them, in the project's order.</summary>
    public static IReadOnlyList<string> Names { get; } = ["A", "B", "C"];

    /// <summary>The faults of each server.</summary>
    public IReadOnlyList<FaultScript> Scripts { get; }

    /// <summary>The base image that the tag names now.</summary>
    public int CurrentBase { get; private set; }

    /// <summary>The destinations of the story that is told.</summary>
    public IReadOnlyList<Place> Places { get; private set; } = [];

    /// <summary>Starts the registries.</summary>
    public static async Task<ModelScene> StartAsync()
    {
        var scripts = new[] { new FaultScript(), new FaultScript() };
        var folder = new TempDirectory("model-state");
        var servers = await Task.WhenAll(scripts.Select((script, i) => EmulatorServer.StartAsync(new() { StateDirectory = folder.Folder($"state{i}"), Faults = script })));
        var scene = new ModelScene(servers, scripts) { State = folder };
        for (var number = 1; number <= Bases; number++)
        {
            var digest = await Seed.PushAsync(scene._clients[0], BaseRepository, $"base-{number}", new() { Layers = 1, LayerSize = 100, Salt = $"base {number}" });
            scene._bases.Add(digest, number);
        }

        return scene;
    }

    private TempDirectory State { get; init; } = null!;

    /// <summary>Begins a story: empty repositories, the first base image, no faults.</summary>
    public async Task BeginAsync()
    {
        _story++;
        Heal();
        _whole.Clear();
        Places = [Of(0, "app"), Of(1, "app"), Of(1, "more")];
        await MoveBaseAsync(1);

        Place Of(int server, string name)
        {
            var repository = $"story{_story}/{name}";
            return new($"{_servers[server].Host}/{repository}", "", "", _clients[server], repository);
        }
    }

    /// <summary>The destinations that take a build.</summary>
    public static IReadOnlyList<string> Taking(Build build) => build.Kind == BuildOf.Branch ? ["A", "B"] : Names;

    /// <summary>No fault any more.</summary>
    public void Heal()
    {
        foreach (var script in Scripts)
        {
            script.Heal();
        }
    }

    /// <summary>Moves the base image's tag.</summary>
    public async Task MoveBaseAsync(int number)
    {
        await Seed.TagAsync(_clients[0], BaseRepository, $"base-{number}", "1");
        CurrentBase = number;
    }

    /// <summary>A clone's folder.</summary>
    public string Clone(bool isFresh)
    {
        var run = isFresh ? Interlocked.Increment(ref _runs) : -1;
        return _directory.Folder("clones", string.Create(CultureInfo.InvariantCulture, $"{_story}-{(isFresh ? run : "shared")}"));
    }

    /// <summary>Moves a tag by hand.</summary>
    public async Task MoveAsync(int place, string tag, Image to)
    {
        var (registry, repository) = (Places[place].Registry, Places[place].Repository);
        if (to == Image.Foreign)
        {
            await Seed.PushAsync(registry, repository, tag, new() { Layers = 1, LayerSize = 100, Salt = "foreign" });
        }
        else
        {
            await Seed.TagAsync(registry, repository, _digests[to], tag);
        }
    }

    /// <summary>Deletes a tag by hand.</summary>
    public async Task DeleteAsync(int place, string tag)
    {
        using var answer = await Places[place].Registry.DeleteAsync(new Uri($"v2/{Places[place].Repository}/manifests/{tag}", UriKind.Relative));
        answer.EnsureSuccessStatusCode();
    }

    /// <summary>What every tag names; and what must not be, whatever is published.</summary>
    public async Task<Tags> ReadAsync(List<string> wrong)
    {
        var tags = new Tags();
        for (var i = 0; i < Places.Count; i++)
        {
            var named = new SortedDictionary<string, Image>(StringComparer.Ordinal);
            foreach (var (tag, digest) in await Seed.TagsAsync(Places[i].Registry, Places[i].Repository))
            {
                var image = named[tag] = await ImageAsync(Places[i], digest);
                // Reproducible, and the same digest everywhere.
                if (image != Image.Foreign && _digests.TryGetValue(image, out var known) && known != digest)
                {
                    wrong.Add($"{Names[i]}:{tag} names {digest}, which is {image} as {known} is");
                }

                _digests.TryAdd(image, digest);
                if (_whole.Add((Names[i], digest)) && await Judge.MissingAsync(Places[i], digest) is { } missing)
                {
                    wrong.Add($"{Names[i]}:{tag} names {image}, and {missing} of it is not there");
                }
            }

            tags.Add(Names[i], named);
        }

        return tags;
    }

    /// <summary>What is missing of an image at a destination, or null.</summary>
    public Task<string?> MissingAsync(string place, Image image) => Judge.MissingAsync(Places[Names.ToList().IndexOf(place)], _digests[image]);

    /// <summary>Publishes.</summary>
    /// <param name="build">What.</param>
    /// <param name="clone">From where.</param>
    /// <param name="overwrites">Whether all its tags are named in <c>RegistrySdkOverwriteTag</c>.</param>
    public async Task<Told> PublishAsync(Build build, string clone, bool overwrites = false)
    {
        using var patience = new CancellationTokenSource(Patience);
        var (report, reporting) = await PublishPipeline.RunAsync(Request(build, clone) with { OverwriteTags = overwrites ? [.. TagModel.TagsOf(build).Select(t => t.Tag)] : [] }, new Git(), new Log(), patience.Token);
        IReadOnlyList<string> late = patience.IsCancellationRequested ? [$"it did not end within {Patience.TotalMinutes} minutes"] : [];
        return new(
            report.Succeeded,
            [.. report.Diagnostics.Concat(reporting.Diagnostics).Where(d => d.IsError).Select(d => d.ToString()!), .. late],
            report.Bug,
            report.Images.ToDictionary(i => i.Edition, i => i.Digest.ToString(), StringComparer.Ordinal));
    }

    /// <summary>Publishes one thing, and all of another right before it writes a tag; after it, where it does not write so many.</summary>
    public async Task<Told[]> PublishBetweenAsync(Build one, Build other, int server, int write)
    {
        Told? between = null;
        var interrupt = Fault.Answer("another publish", async _ =>
        {
            between = await PublishAsync(other, Clone(isFresh: true));
            return false;
        });
        Scripts[server].Add(new FaultRule(interrupt) { From = write, Method = "PUT", Path = "*/manifests/*", When = request => !request.Path.Value!.Contains("/manifests/sha256:", StringComparison.Ordinal) });
        var told = await PublishAsync(one, Clone(isFresh: true));
        Heal();
        return [told, between ?? await PublishAsync(other, Clone(isFresh: true))];
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
        {
            client.Dispose();
        }

        await Task.WhenAll(_servers.Select(s => s.DisposeAsync().AsTask()));
        await State.DisposeAsync();
        await _directory.DisposeAsync();
    }

    private async Task<Image> ImageAsync(Place place, string digest)
    {
        if (!_images.TryGetValue(digest, out var image))
        {
            var manifest = JsonNode.Parse((await Seed.ManifestAsync(place.Registry, place.Repository, digest))!)!;
            var config = JsonNode.Parse((await Seed.BlobAsync(place.Registry, place.Repository, manifest["config"]!["digest"]!.GetValue<string>()))!)!;
            var labels = config["config"]?["Labels"];
            image = labels?["org.opencontainers.image.version"] is { } version
                ? new(version.GetValue<string>(), labels["org.opencontainers.image.revision"]!.GetValue<string>(), _bases[labels["org.opencontainers.image.base.digest"]!.GetValue<string>()])
                : Image.Foreign;
            _images.Add(digest, image);
        }

        return image;
    }

    private PublishRequest Request(Build build, string clone) => new()
    {
        Project = "App",
        Configuration = "Release",
        AssemblyName = "app",
        RuntimeIdentifiers = ["linux-x64"],
        ProjectDirectory = _directory.Folder("project"),
        Derived = Facts(build),
        Platforms =
        [
            new()
            {
                RuntimeIdentifier = "linux-x64",
                Evidence = new() { PublishDirectory = PublishFolder(build) },
                BaseRegistry = _servers[0].Host,
                BaseRepository = BaseRepository,
                BaseTag = "1",
                Settings = new() { AppCommand = ["/app/app"] },
            },
        ],
        LayoutDirectory = Path.Combine(clone, "obj", "Release", "registry-sdk", "layout"),
        Destinations = [.. Places.Select((p, i) => new DestinationItem(p.Name, On: Names[i] == "C" ? "release;prerelease" : ""))],
        DestinationProperty = "ContainerDestination",
        Environment = new Dictionary<string, string>(StringComparer.Ordinal),
        Reports = new(Release.Receipt(clone), null, null),
        Time = new InstantTime(),
    };

    private string PublishFolder(Build build)
    {
        var folder = _directory.Folder("publish", build.Of.Replace(' ', '-'));
        foreach (var (name, content) in new[] { ("app", "#!/bin/sh\n"), ("words.txt", build.Of) })
        {
            var file = Path.Combine(folder, name);
            if (!File.Exists(file))
            {
                File.WriteAllText(file, content, new UTF8Encoding(false));
            }
        }

        return folder;
    }

    private static Outcome<Derived> Facts(Build build)
    {
        var facts = new BuildFacts(
            new GitFacts
            {
                State = GitState.Ok,
                Commit = build.Commit.Id,
                CommitTime = new DateTimeOffset(2026, 11, 1, 0, 0, 0, TimeSpan.Zero).AddHours(build.Commit.Hour),
                Branch = build.Branch,
                TagsAtHead = [],
                Height = 1,
            },
            null,
            null);
        var derived = VersioningStage.Run(new(facts, build.Kind == BuildOf.Branch ? "" : build.Of, [], VersioningStage.DefaultTagRules, "v"));
        return derived.Succeeded ? Outcome<Derived>.Success(new(facts, derived.Value), derived.Diagnostics) : Outcome<Derived>.Failure(derived.Diagnostics);
    }

    /// <summary>Git as it would answer in a whole clone of <see cref="History"/>.</summary>
    private sealed class Git : IGit
    {
        public Task<GitResult?> RunAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
        {
            if (arguments is not ["merge-base", "--is-ancestor", var ancestor, var descendant])
            {
                throw new GitException($"git {string.Join(' ', arguments)} was not expected");
            }

            var found = History.Commits.SingleOrDefault(c => c.Id == descendant);
            var code = found is null || !History.Commits.Any(c => c.Id == ancestor) ? 128 : found.Reaches(ancestor) ? 0 : 1;
            return Task.FromResult<GitResult?>(new(code, "", ""));
        }

        public IAsyncEnumerable<string> ReadLinesAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken) => throw new GitException("no git");
    }

    private sealed class Log : IPublishLog
    {
        private readonly ConcurrentQueue<string> _lines = new();

        public void Stage(string message) => _lines.Enqueue(message);

        public void Note(string message) => _lines.Enqueue(message);

        public void Request(string message) => _lines.Enqueue(message);

        public void Uploading(Destination destination, Descriptor blob, long sent, double bytesPerSecond) => _lines.Enqueue($"{destination} {sent}");
    }
}
