using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Registry.Sdk.Package.Tests;

/// <summary>An image as a registry has it.</summary>
/// <param name="MediaType">What the registry says the manifest is.</param>
/// <param name="Manifest">The manifest, or the index.</param>
/// <param name="Config">The image config; empty for an index.</param>
public sealed record PublishedImage(string MediaType, JsonObject Manifest, JsonObject Config)
{
    /// <summary>The images of an index, by platform.</summary>
    public IReadOnlyDictionary<string, PublishedImage> Platforms { get; init; } = new Dictionary<string, PublishedImage>(StringComparer.Ordinal);

    /// <summary>The same, to be changed.</summary>
    public PublishedImage Copy() => new(MediaType, (JsonObject)Manifest.DeepClone(), (JsonObject)Config.DeepClone());
}

/// <summary>One thing in which two images differ; null is absent.</summary>
public sealed record ImageDifference(string Path, string? Stock, string? Ours)
{
    /// <summary>The platform, in an image of several.</summary>
    public string Platform { get; init; } = "";

    public override string ToString() => $"{Platform} {Path}: stock {Stock ?? "has none"}, ours {Ours ?? "has none"}";
}

/// <summary>A difference on purpose.</summary>
/// <param name="Path">A regular expression for the whole path.</param>
/// <param name="Reason">Why, in one sentence.</param>
/// <param name="When">Narrows it further, by what the two have.</param>
public sealed record AcceptedDifference(string Path, string Reason, Func<ImageDifference, bool>? When = null)
{
    public bool Covers(ImageDifference difference) =>
        Regex.IsMatch(difference.Path, $"^(?:{Path})$", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture) && When?.Invoke(difference) != false;
}

/// <summary>Holds an image of ours against one that the .NET SDK published from the same project on the same base image.</summary>
public static class ImageComparison
{
    /// <summary>
    /// Every difference on purpose. What is not in here fails. <c>created</c>, <c>history</c> and our layers are the issue's own exceptions; they
    /// are rows too, so that nothing is left out of the comparison anywhere else.
    /// </summary>
    public static IReadOnlyList<AcceptedDifference> Accepted { get; } =
    [
        new(@"config\.created", "ours is the commit's time, so that the same commit gives the same bytes"),
        new(@"config\.history\[.*", "ours has one entry per layer of ours, with the commit's time; stock says «.NET SDK» and the clock"),
        new(@"manifest\.layers\[app\]\.(count|digest|size)|config\.rootfs\.diff_ids\[app\](\.count)?", "the application's layers: reproducible, and split by rate of change"),
        new(@"manifest\.annotations\[.*", "the labels again, for registries that show annotations; stock writes none", difference => difference is { Stock: null }),
        new(@"manifest\.config\.(digest|size)", "follows from what differs in the config"),
        new(@"config\.config\.Labels\['org\.opencontainers\.(image|artifact)\.created'\]", "the commit's time, not the clock's", Both),
        new(@"config\.config\.Labels\['org\.opencontainers\.image\.version'\]", "the version from the git tag; stock takes PackageVersion, which is 1.0.0 unless set", Both),
        new(@"config\.config\.Labels\['org\.opencontainers\.image\.(source|revision)'\]", "always there where git knows them; stock asks for PublishRepositoryUrl besides", difference => difference.Ours is not null),
        new(@"config\.config\.Labels\['org\.opencontainers\.image\.base\.digest'\]", "the digest that the base's tag names, the index where there is one, as the specification says; stock takes the platform's manifest", Both),
        new(@"config\.config\.(Healthcheck|Shell|OnBuild|ArgsEscaped)\b.*", "no container property speaks about them, so the base image's stay; stock loses them", difference => difference.Stock is null),
        new(@"manifest\.layers\[\d+\]\.mediaType", "base layers get the media type of the manifest's family; stock leaves them as they are and mixes the two", Both),
        new(@"config\.config\.(Labels\['.*'\]|Env\[\d+\])", "stock's inner builds cut values at the colon (dotnet/sdk#52732, mended in .NET 11)", IsCut),
        new(@"config\.config\.Labels\['org\.opencontainers\.image\.base\.name'\]", "the same: here the base image is at localhost:port", difference => difference is { Platform.Length: > 0, Stock: "\"localhost\"" }),
    ];

    /// <summary>All differences, accepted or not, in the order of the documents.</summary>
    public static IReadOnlyList<ImageDifference> Compare(PublishedImage stock, PublishedImage ours)
    {
        var (expected, actual) = (Flatten(stock), Flatten(ours));
        return
        [
            .. expected.Keys.Union(actual.Keys, StringComparer.Ordinal)
                .Select(path => new ImageDifference(path, expected.GetValueOrDefault(path), actual.GetValueOrDefault(path)))
                .Where(difference => difference.Stock != difference.Ours),
            .. stock.Platforms.Keys.Intersect(ours.Platforms.Keys, StringComparer.Ordinal)
                .SelectMany(platform => Compare(stock.Platforms[platform], ours.Platforms[platform]).Select(difference => difference with { Platform = platform })),
        ];

        Dictionary<string, string> Flatten(PublishedImage image)
        {
            if (image.Platforms.Count > 0)
            {
                return FlattenIndex(image);
            }

            // What stock has in common with its base is all but its one layer.
            return ImageComparison.Flatten(image, ((JsonArray?)stock.Manifest["layers"])?.Count - 1 ?? 0);
        }
    }

    /// <summary>Those that are on purpose neither in general nor in this case.</summary>
    public static IReadOnlyList<ImageDifference> Unexpected(IEnumerable<ImageDifference> differences, IReadOnlyList<(string Path, string Reason)> ofTheCase) =>
        [.. differences.Where(difference => !Accepted.Any(accepted => accepted.Covers(difference)) && !ofTheCase.Any(expected => expected.Path == difference.Path))];

    /// <summary>An index: everything in it but which bytes the images are; their order does not matter.</summary>
    private static Dictionary<string, string> FlattenIndex(PublishedImage image)
    {
        var children = new JsonObject();
        foreach (var child in image.Manifest["manifests"]!.AsArray().Select(child => (JsonObject)child!.DeepClone()))
        {
            child.Remove("digest");
            child.Remove("size");
            children[$"{child["platform"]!["os"]}/{child["platform"]!["architecture"]}"] = child;
        }

        var index = (JsonObject)image.Manifest.DeepClone();
        index["manifests"] = children;
        return Flatten(new(image.MediaType, index, []), 0);
    }

    // Of several platforms only, and only if what stock has is ours up to a colon.
    private static bool IsCut(ImageDifference difference) =>
        difference is { Platform.Length: > 0, Stock: [.. var kept, '"'], Ours: { } whole } && whole.StartsWith(kept + ":", StringComparison.Ordinal);

    private static bool Both(ImageDifference difference) => difference is { Stock: not null, Ours: not null };

    /// <summary>Every leaf by its path. Base layers have an index; those above are [app], because their number is ours to choose.</summary>
    private static Dictionary<string, string> Flatten(PublishedImage image, int baseLayers)
    {
        var leaves = new Dictionary<string, string>(StringComparer.Ordinal) { ["manifest's media type"] = image.MediaType };
        Add(image.Manifest, "manifest");
        Add(image.Config, "config");
        return leaves;

        void Add(JsonNode? node, string path)
        {
            switch (node)
            {
                case JsonObject { Count: > 0 } members:
                    foreach (var (name, value) in members)
                    {
                        Add(value, Regex.IsMatch(name, "^[A-Za-z_]+$", RegexOptions.CultureInvariant) && !path.EndsWith(".Labels", StringComparison.Ordinal) ? $"{path}.{name}" : $"{path}['{name}']");
                    }

                    break;
                case JsonArray { Count: > 0 } items when path is "manifest.layers" or "config.rootfs.diff_ids":
                    foreach (var (item, index) in items.Select((item, index) => (item, index)))
                    {
                        Add(item, index < baseLayers ? string.Create(CultureInfo.InvariantCulture, $"{path}[{index}]") : $"{path}[app]");
                    }

                    leaves[path + "[app].count"] = (items.Count - baseLayers).ToString(CultureInfo.InvariantCulture);
                    break;
                case JsonArray { Count: > 0 } items:
                    foreach (var (item, index) in items.Select((item, index) => (item, index)))
                    {
                        Add(item, string.Create(CultureInfo.InvariantCulture, $"{path}[{index}]"));
                    }

                    break;
                default:
                    // Several application layers have to agree in what is one leaf here, or both values show.
                    var text = node?.ToJsonString(new JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }) ?? "null";
                    leaves[path] = leaves.TryGetValue(path, out var other) && other != text ? $"{other}, {text}" : text;
                    break;
            }
        }
    }
}
