using System.Text;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;

namespace Registry.Sdk.Cuts;

/// <summary>A destination as who judges sees it.</summary>
/// <param name="Name">As the project names it.</param>
/// <param name="Edition">Whose image it gets.</param>
/// <param name="Visibility">What is declared.</param>
/// <param name="Registry">A client of the registry that no fault touches.</param>
/// <param name="Repository">The repository there.</param>
public sealed record Place(string Name, string Edition, string Visibility, HttpClient Registry, string Repository);

/// <summary>Where a publish goes.</summary>
/// <param name="Destinations">The items.</param>
/// <param name="Endpoints">Where their hosts answer.</param>
/// <param name="Environment">Where their credentials come from.</param>
public sealed record Target(IReadOnlyList<DestinationItem> Destinations, IReadOnlyList<EndpointItem> Endpoints, IReadOnlyDictionary<string, string> Environment);

/// <summary>What one publish said of itself.</summary>
/// <param name="Succeeded">Whether it claims that all is well.</param>
/// <param name="Errors">Its errors.</param>
/// <param name="Bug">An exception that is no expected failure.</param>
/// <param name="Digests">The image of each edition, where it came that far.</param>
public sealed record Told(bool Succeeded, IReadOnlyList<string> Errors, Exception? Bug, IReadOnlyDictionary<string, string> Digests);

/// <summary>
/// A project of two editions in two versions, on disk: what is published, the same bytes in every run. Eight tags: the four of a release, and four more
/// by rules of the project's own, one of them immutable.
/// </summary>
/// <param name="folder">Holds the publish folders; made by <see cref="Create"/>.</param>
public sealed class Release(string folder)
{
    public const string Old = "1.2.2";
    public const string New = "1.2.3";

    private static readonly string[] Editions = ["community", "enterprise"];

    private static readonly IReadOnlyList<TagRule> Rules =
    [
        .. VersioningStage.DefaultTagRules,
        new("release-{version}", "release", "false"), new("stable", "release", "true"), new("r{major}", "release", "true"), new("r{major}.{minor}", "release", "true"),
    ];

    /// <summary>The tags of a version, floating ones last.</summary>
    public static IReadOnlyList<string> Tags(string version) => [$"v{version}", $"release-{version}", "v1.2", "v1", "r1", "r1.2", "stable", "latest"];

    /// <summary>Writes the publish folders.</summary>
    public static Release Create(string folder)
    {
        foreach (var version in new[] { Old, New })
        {
            foreach (var edition in Editions)
            {
                Write(version, edition, "start.sh", "#!/bin/sh\n");
                Write(version, edition, "wwwroot/index.html", "<p>hello</p>");
                Write(version, edition, "wwwroot/version.html", $"<p>{version}</p>");
                Write(version, edition, $"{edition}.html", $"<p>{edition}</p>");
            }
        }

        return new(folder);

        void Write(string version, string edition, string path, string content)
        {
            foreach (var root in new[] { Project(folder, version), Publish(folder, version, edition) })
            {
                var file = Path.Combine(root, path);
                Directory.CreateDirectory(Path.GetDirectoryName(file)!);
                File.WriteAllText(file, content, new UTF8Encoding(false));
            }
        }
    }

    /// <summary>Publishes a version.</summary>
    /// <param name="version"><see cref="Old"/> or <see cref="New"/>.</param>
    /// <param name="target">Where to.</param>
    /// <param name="work">The clone's own folder: layout, journal and receipt are there. Another one is a fresh clone.</param>
    /// <param name="time">The clock of waits; null: the machine's.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<Told> PublishAsync(string version, Target target, string work, TimeProvider? time, CancellationToken cancellationToken)
    {
        var (report, reporting) = await PublishPipeline.RunAsync(Request(version, target, work, time), new NoGit(), new QuietLog(), cancellationToken);
        return new(
            report.Succeeded,
            [.. report.Diagnostics.Concat(reporting.Diagnostics).Where(d => d.IsError).Select(d => d.ToString()!)],
            report.Bug,
            report.Images.ToDictionary(i => i.Edition, i => i.Digest.ToString(), StringComparer.Ordinal));
    }

    /// <summary>The receipt of a clone.</summary>
    public static string Receipt(string work) => Path.Combine(work, "bin", "container", "receipt.json");

    private PublishRequest Request(string version, Target target, string work, TimeProvider? time) => new()
    {
        Project = "Api",
        Configuration = "Release",
        AssemblyName = "api",
        RuntimeIdentifiers = ["linux-x64"],
        ProjectDirectory = Project(folder, version),
        Derived = Facts(version),
        EditionNames = Editions,
        Edition = Editions[^1],
        Editions = [.. Editions.Select(edition => new EditionRequest
        {
            Name = edition,
            License = edition == "community" ? "MIT" : "BUSL-1.1",
            Projects = [new() { File = Path.Combine(Project(folder, version), "Api.csproj"), AssemblyName = "api", Items = [.. Files(edition).Select(f => new SourceItem("Content", Path.Combine(Project(folder, version), f)))] }],
        })],
        Platforms = [.. Editions.Select(edition => new PlatformRequest
        {
            Edition = edition,
            RuntimeIdentifier = "linux-x64",
            Evidence = new()
            {
                PublishDirectory = Publish(folder, version, edition),
                Items = [.. Files(edition).Select(f => new PublishItem { SourcePath = Path.Combine(Project(folder, version), f), RelativePath = f })],
            },
            BaseReference = "scratch",
            BaseRegistry = "",
            BaseRepository = "",
            Settings = new() { AppCommand = ["/app/start.sh"] },
        })],
        LayoutDirectory = Path.Combine(work, "obj", "Release", "registry-sdk", "layout"),
        Destinations = target.Destinations,
        DestinationProperty = "ContainerDestination",
        Endpoints = target.Endpoints,
        Environment = target.Environment,
        Reports = new(Receipt(work), null, null),
        Time = time ?? TimeProvider.System,
    };

    private static string[] Files(string edition) => ["start.sh", "wwwroot/index.html", "wwwroot/version.html", $"{edition}.html"];

    private static string Project(string folder, string version) => Path.Combine(folder, version, "project");

    private static string Publish(string folder, string version, string edition) => Path.Combine(folder, version, edition);

    /// <summary>What git says of a version, and the tags that follow from it.</summary>
    internal static Outcome<Derived> Facts(string version)
    {
        // One commit for each version, an hour apart.
        var isNew = version == New;
        var facts = new BuildFacts(
            new GitFacts
            {
                State = GitState.Ok,
                Commit = new string(isNew ? 'b' : 'a', 40),
                CommitTime = new(2026, 11, 1, isNew ? 13 : 12, 0, 0, TimeSpan.Zero),
                Branch = "main",
                TagsAtHead = [],
                Height = 1,
            },
            null,
            null);
        var derived = VersioningStage.Run(new(facts, version, [], Rules, "v"));
        return derived.Succeeded ? Outcome<Derived>.Success(new(facts, derived.Value), derived.Diagnostics) : Outcome<Derived>.Failure(derived.Diagnostics);
    }

    /// <summary>No git: facts are given.</summary>
    internal sealed class NoGit : IGit
    {
        public Task<GitResult?> RunAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken) => Task.FromResult<GitResult?>(null);

        public IAsyncEnumerable<string> ReadLinesAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken) => throw new GitException("no git");
    }
}
