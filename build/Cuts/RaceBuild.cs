using System.Globalization;
using System.Text;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;

namespace Registry.Sdk.Cuts;

/// <summary>
/// One commit of a service, as one process publishes it, and what its tags are, told without the product's own rules: they are what is looked at.
/// </summary>
/// <param name="Number">Where it stands in the history, which is a line: a higher one descends from a lower one, and is as many minutes later.</param>
/// <param name="Version"><c>2.3.1</c> or <c>2.3.1-rc.1</c> of a release; empty: a commit of <c>main</c>.</param>
public sealed record RaceBuild(int Number, string Version)
{
    /// <summary>The branch of commits that are no release.</summary>
    public const string Branch = "main";

    /// <summary>The full id of the commit.</summary>
    public string Commit => Number.ToString("x7", CultureInfo.InvariantCulture).PadRight(40, '0');

    /// <summary>Whether it takes floating tags of releases.</summary>
    public bool IsRelease => Version.Length > 0 && !Version.Contains('-', StringComparison.Ordinal);

    /// <summary>The tag that never names anything else.</summary>
    public string Immutable => Version.Length > 0 ? "v" + Version : $"{Branch}-{Commit[..7]}";

    /// <summary>The tags that name the newest of their line.</summary>
    public IReadOnlyList<string> Floating => IsRelease ? [$"v{Numbers[0]}.{Numbers[1]}", $"v{Numbers[0]}", "latest"] : Version.Length > 0 ? [] : [Branch];

    private int[] Numbers => [.. Version.Split('.').Select(n => int.Parse(n, NumberStyles.None, CultureInfo.InvariantCulture))];

    /// <summary>Whether a floating tag that both have belongs to this one: releases go by version, commits by history.</summary>
    public bool IsNewerThan(RaceBuild other)
    {
        ArgumentNullException.ThrowIfNull(other);
        return IsRelease ? (Numbers[0], Numbers[1], Numbers[2]).CompareTo((other.Numbers[0], other.Numbers[1], other.Numbers[2])) > 0 : Number > other.Number;
    }

    /// <summary>What the publish of it is.</summary>
    /// <param name="folder">A folder of this publish alone; receipt and journal go there.</param>
    /// <param name="destinations">The destinations' names.</param>
    internal PublishRequest Request(string folder, IReadOnlyList<string> destinations)
    {
        var publish = Path.Combine(folder, "publish");
        Directory.CreateDirectory(publish);
        File.WriteAllText(Path.Combine(publish, "app"), "#!/bin/sh\n", new UTF8Encoding(false));
        // An image of its own for each commit.
        File.WriteAllText(Path.Combine(publish, "words.txt"), $"{Version} {Commit}", new UTF8Encoding(false));
        var facts = new BuildFacts(
            new GitFacts { State = GitState.Ok, Commit = Commit, CommitTime = new DateTimeOffset(2026, 11, 1, 0, 0, 0, TimeSpan.Zero).AddMinutes(Number), Branch = Branch, TagsAtHead = [], Height = 1 }, null, null);
        var version = VersioningStage.Run(new(facts, Version, [], VersioningStage.DefaultTagRules, "v"));
        return new()
        {
            Project = "App",
            Configuration = "Release",
            AssemblyName = "app",
            RuntimeIdentifiers = ["linux-x64"],
            ProjectDirectory = Path.Combine(folder, "project"),
            Derived = version.Succeeded ? Outcome<Derived>.Success(new(facts, version.Value), version.Diagnostics) : Outcome<Derived>.Failure(version.Diagnostics),
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
            LayoutDirectory = Path.Combine(folder, "obj", "layout"),
            Destinations = [.. destinations.Select(d => new DestinationItem(d))],
            DestinationProperty = "ContainerDestination",
            Environment = new Dictionary<string, string>(StringComparer.Ordinal),
            Reports = new(Path.Combine(folder, "receipt.json"), null, null),
        };
    }
}
