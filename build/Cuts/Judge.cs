using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.TestKit;

namespace Registry.Sdk.Cuts;

/// <summary>What a destination is found as after a publish, however that ended.</summary>
public enum Found
{
    /// <summary>Every tag names what it named.</summary>
    Old,

    /// <summary>Every tag names the new image, and all of it is there.</summary>
    New,

    /// <summary>Not all tags are new, and receipt or journal names each that is not.</summary>
    Pending,

    /// <summary>Anything else: what must not be.</summary>
    Mixed,
}

/// <summary>One destination's verdict.</summary>
/// <param name="Place">Its name.</param>
/// <param name="Found">The verdict.</param>
/// <param name="Why">What is wrong with it; empty where nothing is.</param>
public sealed record Verdict(string Place, Found Found, string Why);

/// <summary>
/// Compares what the registries hold with what receipt and journal say. Nothing of the code under test has a hand in it: the registries are asked by plain
/// requests of the test kit.
/// </summary>
public static class Judge
{
    /// <summary>What every tag of a place names.</summary>
    public static Task<IReadOnlyDictionary<string, string>> TagsAsync(Place place) => Seed.TagsAsync(place.Registry, place.Repository);

    /// <summary>Judges all destinations after a publish.</summary>
    /// <param name="places">The destinations.</param>
    /// <param name="before">What the tags named before, by place.</param>
    /// <param name="digests">The new image of each edition.</param>
    /// <param name="succeeded">Whether the publish claims to be complete; null: it was killed and claims nothing.</param>
    /// <param name="work">The clone, where receipt and journal are.</param>
    public static async Task<IReadOnlyList<Verdict>> JudgeAsync(
        IReadOnlyList<Place> places, IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> before, IReadOnlyDictionary<string, string> digests, bool? succeeded, string work)
    {
        var states = new List<(Place Place, IReadOnlyList<string> Unwritten, IReadOnlyList<string> Strange, bool AnyNew)>();
        foreach (var place in places)
        {
            var now = await TagsAsync(place);
            var (old, digest) = (before[place.Name], digests[place.Edition]);
            var tags = Release.Tags(Release.New);
            // A tag of the old version that is gone or changed is as strange as one that names a third image.
            var strange = old.Keys.Concat(tags).Distinct(StringComparer.Ordinal)
                .Where(t => now.GetValueOrDefault(t) != old.GetValueOrDefault(t) && (now.GetValueOrDefault(t) != digest || !tags.Contains(t, StringComparer.Ordinal))).ToList();
            strange.AddRange(now.Keys.Where(t => !old.ContainsKey(t) && !tags.Contains(t, StringComparer.Ordinal)));
            states.Add((place, [.. tags.Where(t => now.GetValueOrDefault(t) != digest)], strange, tags.Any(t => now.GetValueOrDefault(t) == digest)));
        }

        var anyNew = states.Exists(s => s.AnyNew);
        var pending = Pending(work);
        var verdicts = new List<Verdict>();
        foreach (var (place, unwritten, strange, _) in states)
        {
            var said = pending.GetValueOrDefault(place.Name, []);
            var silent = unwritten.Where(t => !said.Contains(t)).ToList();
            verdicts.Add(new Verdict(place.Name, Found.Mixed, "") switch
            {
                var v when strange.Count > 0 => v with { Why = $"names a third image or lost a tag: {string.Join(", ", strange)}" },
                var v when unwritten.Count == 0 => await MissingAsync(place, digests[place.Edition]) is { } missing ? v with { Why = $"is tagged, and {missing} is not there" } : v with { Found = Found.New },
                var v when succeeded == true => v with { Why = $"is said to be complete, and {string.Join(", ", unwritten)} is old" },
                // Nothing was tagged anywhere: then nothing is pending.
                var v when !anyNew => v with { Found = Found.Old },
                var v when silent.Count == 0 => v with { Found = Found.Pending },
                var v => v with { Why = $"neither receipt nor journal says that {string.Join(", ", silent)} is pending" },
            });
        }

        return verdicts;
    }

    /// <summary>The pending tags by destination, as receipt and journal of a clone have them.</summary>
    public static IReadOnlyDictionary<string, HashSet<string>> Pending(string work)
    {
        var pending = new Dictionary<string, HashSet<string>>(StringComparer.Ordinal);
        var said = (Read(Release.Receipt(work))?["images"] as JsonArray ?? []).SelectMany(i => i!["destinations"]!.AsArray());
        foreach (var file in Directory.Exists(work) ? Directory.EnumerateFiles(work, "journal.json", SearchOption.AllDirectories) : [])
        {
            said = said.Concat(Read(file)?["destinations"] as JsonArray ?? []);
        }

        foreach (var destination in said)
        {
            var name = destination!["name"]!.GetValue<string>();
            if (!pending.TryGetValue(name, out var known))
            {
                pending.Add(name, known = new(StringComparer.Ordinal));
            }

            known.UnionWith((destination["tags"] as JsonArray ?? []).Where(t => t!["state"]!.GetValue<string>() == "pending").Select(t => t!["name"]!.GetValue<string>()));
        }

        return pending;
    }

    private static JsonNode? Read(string file)
    {
        try
        {
            return File.Exists(file) ? JsonNode.Parse(File.ReadAllText(file)) : null;
        }
        catch (JsonException)
        {
            // A file that a kill cut says nothing.
            return null;
        }
    }

    /// <summary>What is missing of an image, or null.</summary>
    public static async Task<string?> MissingAsync(Place place, string digest)
    {
        if (await Seed.ManifestAsync(place.Registry, place.Repository, digest) is not { } content || Seed.Digest(content) != digest)
        {
            return digest;
        }

        var manifest = JsonNode.Parse(content)!;
        foreach (var blob in manifest["layers"]!.AsArray().Append(manifest["config"]).Select(b => b!["digest"]!.GetValue<string>()))
        {
            if (await Seed.BlobAsync(place.Registry, place.Repository, blob) is not { } bytes || Seed.Digest(bytes) != blob)
            {
                return blob;
            }
        }

        return null;
    }
}
