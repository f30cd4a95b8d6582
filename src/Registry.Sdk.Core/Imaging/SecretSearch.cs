using System.Collections.Concurrent;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>One <c>ContainerSecretAllow</c> item: what the search finds there is no secret, or may be known.</summary>
/// <param name="Include">Path of a file as in the image or below the working directory, with <c>*</c>, <c>?</c> and <c>**</c>; or <c>fingerprint:</c> and 16 hexadecimal digits.</param>
/// <param name="Reason">Why, for whoever reads the receipt.</param>
public sealed record SecretAllowItem(string Include, string Reason)
{
    /// <summary>What an item begins with that names one secret, wherever it stands.</summary>
    public const string FingerprintPrefix = "fingerprint:";

    /// <summary>The fingerprint in small letters; null: it is a path.</summary>
    public string? Fingerprint => Include.Trim().StartsWith(FingerprintPrefix, StringComparison.OrdinalIgnoreCase) ? Include.Trim()[FingerprintPrefix.Length..].Trim().ToLowerInvariant() : null;
}

/// <summary>A secret in an image. It says where, and never what.</summary>
/// <param name="Rule">Id of the rule: <c>github-token</c>; the table is in docs/secrets.md.</param>
/// <param name="What">What it is, with its article: <c>a GitHub token</c>.</param>
/// <param name="Place">Where it is, for people: <c>/app/appsettings.json, line 3</c>, <c>the environment variable API_KEY</c>.</param>
/// <param name="Path">The file's path in the image, without leading slash; null: it is in the image's configuration.</param>
/// <param name="Fingerprint">First 16 hexadecimal digits of SHA-256 over the rule's id, a line feed and the secret in UTF-8.</param>
/// <param name="Editions">Names of the editions whose images hold it.</param>
public sealed record SecretFinding(string Rule, string What, string Place, string? Path, string Fingerprint, IReadOnlyList<string> Editions);

/// <summary>A finding that an item of the project lifts.</summary>
/// <param name="Finding">The finding.</param>
/// <param name="By">The item.</param>
public sealed record LiftedSecret(SecretFinding Finding, SecretAllowItem By);

/// <summary>What the search for secrets came to.</summary>
/// <param name="Files">How many files were looked at.</param>
/// <param name="Bytes">How many bytes.</param>
/// <param name="Findings">What was found and not lifted.</param>
/// <param name="Lifted">What was found and lifted.</param>
/// <param name="NotRead">Files that could not be looked into, and why; for people.</param>
/// <param name="Unused">Items that lifted nothing.</param>
/// <param name="HiddenLabels">Names of labels with a secret in their value, lifted or not: their values stand in no report.</param>
public sealed record SecretReport(
    int Files, long Bytes, IReadOnlyList<SecretFinding> Findings, IReadOnlyList<LiftedSecret> Lifted, IReadOnlyList<string> NotRead, IReadOnlyList<SecretAllowItem> Unused, IReadOnlySet<string> HiddenLabels);

/// <summary>Input of the search.</summary>
/// <param name="Images">Output of the Imaging stage.</param>
/// <param name="Allowed">What is lifted.</param>
/// <param name="SearchReleased">Whether layers that an earlier publish made are looked at; they are in the layout then (<see cref="ReleasedImageSource.FetchOwnLayersAsync"/>).</param>
public sealed record SecretSearchInput(IReadOnlyList<EditionImage> Images, IReadOnlyList<SecretAllowItem> Allowed, bool SearchReleased);

/// <summary>
/// Looks for secrets in what is about to be sent: the layers of ours, as they are in the layout (so those from a cache and from an earlier publish too),
/// and the whole configuration of the image. The base image's layers are not ours.
/// </summary>
public static partial class SecretSearch
{
    /// <summary>What an entry of an image's history says in words. Source: OCI image spec, config.md.</summary>
    private static readonly string[] HistoryTexts = ["created_by", "comment", "author"];

    /// <summary>Runs the search.</summary>
    /// <param name="input">See <see cref="SecretSearchInput"/>.</param>
    /// <param name="redactor">Learns what is found, so that no message repeats it.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <exception cref="IOException">The layout can't be read.</exception>
    public static async Task<SecretReport> RunAsync(SecretSearchInput input, Redactor redactor, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(redactor);
        var platforms = input.Images.SelectMany(i => i.Image.Platforms.Select(p => (i.Edition, i.Image, Platform: p))).ToList();
        // Editions and platforms share layers: each is looked at once.
        var layers = new ConcurrentDictionary<Digest, SecretScanner>();
        var distinct = platforms.SelectMany(p => Layers(p.Platform, input.SearchReleased).Select(l => (l.Descriptor.Digest, Path: p.Image.BlobPath(l.Descriptor.Digest)))).DistinctBy(l => l.Digest);
        await Parallel.ForEachAsync(distinct, cancellationToken, (layer, stop) =>
        {
            layers[layer.Digest] = ScanLayer(layer.Path, layer.Digest, stop);
            return ValueTask.CompletedTask;
        }).ConfigureAwait(false);

        var found = new List<(string Edition, string WorkingDirectory, Hit Hit)>();
        var hiddenLabels = new HashSet<string>(StringComparer.Ordinal);
        foreach (var (edition, _, platform) in platforms)
        {
            var config = RegistryJson.Parse(platform.ConfigContent)?["config"] as JsonObject;
            var directory = (config?["WorkingDir"]?.ToString() ?? string.Empty).Trim('/');
            var hits = Layers(platform, input.SearchReleased).SelectMany(l => InLayer(layers[l.Descriptor.Digest].Hits)).Concat(InConfig(platform, hiddenLabels));
            found.AddRange(hits.Select(h => (edition, directory, h)));
        }

        // Of a folder or key store as a whole the value is its name or hash, and no secret.
        foreach (var hit in found.Select(f => f.Hit).Where(h => h.Rule != SecretRules.GitFolder))
        {
            redactor.LearnToken(hit.Value);
        }

        return Judge(found, input.Allowed, layers.Values, hiddenLabels);
    }

    /// <summary>What stands for a secret where it may not be named.</summary>
    internal static string FingerprintOf(SecretRule rule, string value) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(rule.Id + "\n" + value)))[..16];

    private static SecretReport Judge(List<(string Edition, string WorkingDirectory, Hit Hit)> found, IReadOnlyList<SecretAllowItem> allowed, ICollection<SecretScanner> scanners, HashSet<string> hiddenLabels)
    {
        var findings = new List<SecretFinding>();
        var lifted = new List<LiftedSecret>();
        var used = new HashSet<SecretAllowItem>();
        // Of several platforms each has the file.
        foreach (var same in found.GroupBy(f => (f.Hit.Rule, f.Hit.Place, f.Hit.Value)))
        {
            var (_, directory, hit) = same.First();
            var finding = new SecretFinding(hit.Rule.Id, hit.Rule.Name, hit.Place, hit.Path, FingerprintOf(hit.Rule, hit.Value), [.. same.Select(s => s.Edition).Distinct(StringComparer.Ordinal)]);
            var lifting = allowed.Where(a => Lifts(a, finding, directory)).ToList();
            used.UnionWith(lifting);
            if (lifting.Count > 0)
            {
                lifted.Add(new(finding, lifting[0]));
            }
            else
            {
                findings.Add(finding);
            }
        }

        return new(
            scanners.Sum(s => s.Files), scanners.Sum(s => s.Bytes),
            [.. findings.OrderBy(f => f.Place, StringComparer.Ordinal)], [.. lifted.OrderBy(l => l.Finding.Place, StringComparer.Ordinal)],
            [.. scanners.SelectMany(s => s.NotRead).Select(n => $"/{n.Path} ({n.Why})").Order(StringComparer.Ordinal)],
            [.. allowed.Where(a => !used.Contains(a))], hiddenLabels);
    }

    private static bool Lifts(SecretAllowItem item, SecretFinding finding, string workingDirectory)
    {
        if (item.Fingerprint is { } fingerprint)
        {
            return fingerprint == finding.Fingerprint;
        }

        if (finding.Path is not { } path)
        {
            return false;
        }

        // As in the image or below the working directory; a member of an archive by itself, or by the archive.
        var pattern = item.Include.Trim().Replace('\\', '/');
        var matches = LicensedPatterns.Exact((pattern.StartsWith("./", StringComparison.Ordinal) ? pattern[2..] : pattern).TrimStart('/'));
        var archive = path.IndexOf('!', StringComparison.Ordinal);
        return new[] { path, archive > 0 ? path[..archive] : path }
            .Any(p => matches(p) || (p.StartsWith(workingDirectory + "/", StringComparison.Ordinal) && matches(p[(workingDirectory.Length + 1)..])));
    }

    private static IEnumerable<ComposedLayer> Layers(PlatformImage image, bool searchReleased)
        => image.Layers.Where(l => l.Origin is LayerOrigin.Compressed or LayerOrigin.Cached).Concat(searchReleased && image.Layers.Any(l => l.Origin == LayerOrigin.Released) ? ReleasedImageSource.OwnLayers(image) : []);

    private static SecretScanner ScanLayer(string path, Digest digest, CancellationToken cancellationToken)
    {
        var scanner = new SecretScanner(cancellationToken);
        using var file = new FileStream(path, new FileStreamOptions { Options = FileOptions.SequentialScan });
        try
        {
            scanner.ScanLayer(file);
        }
        catch (Exception e) when (TarGuard.IsNoTar(e))
        {
            // Ours never; of a released image it may be anything.
            scanner.NotRead.Add(($"… layer {digest}", "it is no layer that can be unpacked"));
        }

        return scanner;
    }

    private static IEnumerable<Hit> InLayer(List<SecretHit> hits)
    {
        // app.js.gz is app.js: said once.
        var known = hits.Select(h => (h.Path, h.Rule, h.Value)).ToHashSet();
        foreach (var hit in hits.Where(h => !(h.Path.EndsWith(".gz", StringComparison.Ordinal) || h.Path.EndsWith(".br", StringComparison.Ordinal)) || !known.Contains((h.Path[..^3], h.Rule, h.Value))))
        {
            // A file can be called after what it holds.
            var shown = SecretPatterns.Find(hit.Path).Aggregate(hit.Path, (path, m) => path.Replace(m.Value, "***", StringComparison.Ordinal));
            shown = hit.Rule == SecretRules.GitFolder ? shown : shown.Replace(hit.Value, "***", StringComparison.Ordinal);
            var where = hit.Line is { } line ? $"/{shown}, line {line}" : hit.Offset is { } offset ? $"/{shown}, at byte {offset}" : $"/{shown}";
            yield return new(hit.Rule, where, shown, hit.Value);
        }
    }

    /// <summary>The whole configuration, the base image's share of it too: it is sent as ours.</summary>
    private static IEnumerable<Hit> InConfig(PlatformImage image, HashSet<string> hiddenLabels)
    {
        if (RegistryJson.Parse(image.ConfigContent) is not { } json)
        {
            yield break;
        }

        var config = json["config"] as JsonObject ?? [];
        foreach (var entry in Strings(config["Env"]))
        {
            var equals = Math.Max(0, entry.IndexOf('=', StringComparison.Ordinal));
            foreach (var hit in InPair(entry[..equals], entry[Math.Min(entry.Length, equals + 1)..], "the environment variable"))
            {
                yield return hit;
            }
        }

        foreach (var (name, value) in config["Labels"] as JsonObject ?? [])
        {
            foreach (var hit in InPair(name, value?.ToString() ?? string.Empty, "the label"))
            {
                hiddenLabels.Add(name);
                yield return hit;
            }
        }

        foreach (var (member, place) in new[] { ("Entrypoint", "the entrypoint"), ("Cmd", "the command"), ("OnBuild", "ONBUILD"), ("Shell", "the shell") })
        {
            foreach (var hit in InWords(Strings(config[member]), place))
            {
                yield return hit;
            }
        }

        foreach (var hit in InWords(Strings((config["Healthcheck"] as JsonObject)?["Test"]), "the health check"))
        {
            yield return hit;
        }

        var number = 0;
        foreach (var entry in json["history"] as JsonArray ?? [])
        {
            number++;
            foreach (var text in HistoryTexts.Select(m => (entry as JsonObject)?[m]?.ToString()).OfType<string>())
            {
                foreach (var hit in InWords([text], $"entry {number} of the history"))
                {
                    yield return hit;
                }
            }
        }
    }

    private static IEnumerable<Hit> InPair(string name, string value, string kind)
    {
        var matches = SecretPatterns.Find(value).Concat(SecretPatterns.Find(name)).ToList();
        var shown = matches.Aggregate(name, (text, m) => text.Replace(m.Value, "***", StringComparison.Ordinal));
        var place = $"{kind} {PlainText.Visible(shown)}";
        if (matches.Count > 0)
        {
            return matches.Select(m => new Hit(m.Rule, place, null, m.Value));
        }

        return SecretText.IsSecretName(name) && SecretText.IsSecretValue(name, value) ? [new(SecretRules.Variable, place, null, value)] : [];
    }

    /// <summary>Words of a command: secrets of a known shape, and <c>--password=…</c>, <c>--password …</c>, <c>PASSWORD=…</c>.</summary>
    private static List<Hit> InWords(List<string> words, string place)
    {
        var found = words.SelectMany(SecretPatterns.Find).DistinctBy(m => (m.Rule, m.Value)).Select(m => new Hit(m.Rule, place, null, m.Value)).ToList();
        // What a shell is given is one word to us: sh -c "export DB_PASSWORD=… && ./app".
        words = [.. words.SelectMany(w => w.Split([' ', '\t', '\n', ';', '|'], StringSplitOptions.RemoveEmptyEntries) is { Length: > 1 } parts ? parts.Prepend(w) : [w])];
        for (var i = 0; i < words.Count; i++)
        {
            var option = Option().Match(words[i]);
            var (name, value) = option.Success ? (option.Groups["name"].Value, option.Groups["value"].Value)
                : i + 1 < words.Count && words[i].StartsWith('-') ? (words[i].TrimStart('-'), words[i + 1]) : (string.Empty, string.Empty);
            value = value.Trim('"', '\'');
            if (SecretText.IsSecretName(name) && SecretText.IsSecretValue(name, value) && !found.Exists(f => f.Value.Contains(value, StringComparison.Ordinal) || value.Contains(f.Value, StringComparison.Ordinal)))
            {
                found.Add(new(SecretRules.Variable, place, null, value));
            }
        }

        return found;
    }

    private static List<string> Strings(JsonNode? node) => [.. (node as JsonArray ?? []).OfType<JsonValue>().Select(v => v.TryGetValue<string>(out var text) ? text : null).OfType<string>()];

    [GeneratedRegex(@"\A(?:--?|/)?(?<name>[A-Za-z_][A-Za-z0-9_.:-]*)=(?<value>.+)\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.Singleline, 1000)]
    private static partial Regex Option();

    /// <summary>A secret in an image, as long as it is known.</summary>
    private sealed record Hit(SecretRule Rule, string Place, string? Path, string Value);
}
