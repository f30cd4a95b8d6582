using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Planning;

/// <summary>
/// What differs between the image of this build and one that is at a destination under the same immutable tag, for people: members of the
/// configuration, labels, layers, and files of ours by their paths in the image.
/// </summary>
/// <remarks>
/// Values of variables and labels are not told: they can be secrets. What the other image says is somebody's text. Everything is bounded: layers that are
/// too large, or too slow to fetch, are named and not looked into.
/// </remarks>
internal static class ImageDifference
{
    private const int MostNames = 8;
    private const long MostCompressed = 128_000_000;
    private const long MostUncompressed = 1_000_000_000;
    private const int MostEntries = 200_000;
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    /// <summary>One line of a few sentences; empty if the other image can't be read.</summary>
    /// <param name="ours">The image of this build, in the layout.</param>
    /// <param name="theirs">What the tag names.</param>
    /// <param name="client">Where that is.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<string> DescribeAsync(ComposedImage ours, Digest theirs, IImageRepository client, CancellationToken cancellationToken)
    {
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        try
        {
            if (await EarlierImage.ReadAsync(client, theirs, patience.Token).ConfigureAwait(false) is not { } image)
            {
                return string.Empty;
            }

            var parts = new List<string>();
            var platforms = ours.Platforms.Select(p => (Mine: p, Other: image.Platforms.FirstOrDefault(o => (o.Platform.Os, o.Platform.Architecture) == (p.Platform.Os, p.Platform.Architecture)))).ToList();
            Names("platforms", image.Platforms.Select(p => p.Platform.ToString()), ours.Platforms.Select(p => p.Platform.ToString()), parts);
            foreach (var (mine, other) in platforms)
            {
                if (other is not null)
                {
                    var found = await CompareAsync(ours, mine, other, client, patience.Token).ConfigureAwait(false);
                    parts.AddRange(ours.Platforms.Count > 1 ? found.Select(f => $"{mine.Platform}: {f}") : found);
                }
            }

            return parts.Count > 0 ? $"What differs: {string.Join("; ", parts.Distinct(StringComparer.Ordinal))}."
                : "Configuration and content are equal; only the compressed bytes of layers or the manifest's annotations differ.";
        }
        catch (Exception e) when (RegistryErrors.Know(e) || e is IOException or UnauthorizedAccessException || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested))
        {
            // The error that this would explain is told all the same.
            return string.Empty;
        }
    }

    private static async Task<List<string>> CompareAsync(ComposedImage ours, PlatformImage mine, EarlierPlatform other, IImageRepository client, CancellationToken cancellationToken)
    {
        var parts = new List<string>();
        if (mine.Config.Digest == other.Config.Digest)
        {
            return parts;
        }

        var here = RegistryJson.Parse(mine.ConfigContent)!;
        var members = Differing(here, other.Json).Where(n => n is not ("config" or "rootfs" or "history")).ToList();
        members.AddRange(Differing(here["config"] as JsonObject, other.Json["config"] as JsonObject).Where(n => n is not ("Labels" or "Env")));
        if (members.Count > 0)
        {
            parts.Add($"configuration ({Some(members)})");
        }

        Named("variables", Variables(other.Json), Variables(here), parts);
        Named("labels", Labels(other.Json), Labels(here), parts);

        // The base's layers below, ours above: what the base changed is told by its digest.
        var mineOwn = mine.Layers.Where(l => !l.IsFromBase).ToList();
        var otherOwn = other.OwnLayers.ToList();
        var changedHere = mineOwn.Where(l => !other.DiffIds.Contains(l.DiffId)).ToList();
        var changedThere = otherOwn.Where(l => !mine.Layers.Select(m => m.DiffId).Contains(l.DiffId)).ToList();
        var bases = mine.Layers.Where(l => l.IsFromBase).Select(l => l.DiffId).ToList();
        if (!bases.SequenceEqual(other.DiffIds.Take(bases.Count)))
        {
            parts.Add("layers of the base image");
        }

        if (changedHere.Count + changedThere.Count == 0)
        {
            return parts;
        }

        parts.Add($"layers of ours ({changedThere.Count} of {otherOwn.Count} there, {changedHere.Count} of {mineOwn.Count} here{(changedHere.Count > 0 ? $": {string.Join(", ", changedHere.Select(l => l.Content))}" : string.Empty)})");
        if (changedThere.Sum(l => l.Descriptor.Size) > MostCompressed || changedHere.Any(l => l.Source is not null))
        {
            return parts;
        }

        if (await FilesAsync(changedHere.Select(l => ours.BlobPath(l.Descriptor.Digest)), cancellationToken).ConfigureAwait(false) is { } filesHere
            && await FetchedFilesAsync(ours, changedThere.Select(l => l.Descriptor), client, cancellationToken).ConfigureAwait(false) is { } filesThere)
        {
            Named("files", filesThere, filesHere, parts);
        }

        return parts;
    }

    private static async Task<Dictionary<string, string>?> FetchedFilesAsync(ComposedImage ours, IEnumerable<Descriptor> layers, IImageRepository client, CancellationToken cancellationToken)
    {
        var temporaries = new List<string>();
        try
        {
            foreach (var layer in layers)
            {
                var temporary = WholeFile.Temporary(Path.GetDirectoryName(ours.BlobPath(layer.Digest))!);
                temporaries.Add(temporary);
                var file = new FileStream(temporary, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Options = FileOptions.Asynchronous });
                await using (file.ConfigureAwait(false))
                {
                    if (!await client.CopyBlobToAsync(layer, file, cancellationToken).ConfigureAwait(false))
                    {
                        return null;
                    }
                }
            }

            return await FilesAsync(temporaries, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            temporaries.ForEach(WholeFile.Discard);
        }
    }

    /// <summary>What layers hold, by path: type, mode and content; null where that is too much, or is no layer.</summary>
    private static async Task<Dictionary<string, string>?> FilesAsync(IEnumerable<string> layers, CancellationToken cancellationToken)
    {
        var files = new Dictionary<string, string>(StringComparer.Ordinal);
        var length = 0L;
        try
        {
            foreach (var layer in layers)
            {
                var compressed = File.OpenRead(layer);
                await using (compressed.ConfigureAwait(false))
                {
                    var gzip = new GZipStream(compressed, CompressionMode.Decompress, leaveOpen: true);
                    await using (gzip.ConfigureAwait(false))
                    {
                        var reader = new TarReader(new TarGuard(gzip), leaveOpen: true);
                        await using (reader.ConfigureAwait(false))
                        {
                            while (await reader.GetNextEntryAsync(copyData: false, cancellationToken).ConfigureAwait(false) is { } entry)
                            {
                                // Few bytes can stand for very many.
                                length += entry.Length;
                                if (length > MostUncompressed || files.Count >= MostEntries)
                                {
                                    return null;
                                }

                                if (entry.EntryType != TarEntryType.Directory)
                                {
                                    var content = entry.DataStream is { } data ? Convert.ToHexStringLower(await SHA256.HashDataAsync(data, cancellationToken).ConfigureAwait(false)) : entry.LinkName;
                                    files["/" + entry.Name.TrimStart('.', '/')] = $"{entry.EntryType} {entry.Mode} {entry.ModificationTime.ToUnixTimeSeconds()} {content}";
                                }
                            }
                        }
                    }
                }
            }

            return files;
        }
        catch (Exception e) when (TarGuard.IsNoTar(e))
        {
            return null;
        }
    }

    private static Dictionary<string, string> Variables(JsonObject config)
        => ((config["config"] as JsonObject)?["Env"] as JsonArray ?? []).Select(n => n?.ToString() ?? string.Empty)
            .GroupBy(v => v.Split('=')[0], StringComparer.Ordinal).ToDictionary(g => g.Key, g => string.Join('\n', g), StringComparer.Ordinal);

    private static Dictionary<string, string> Labels(JsonObject config)
        => ((config["config"] as JsonObject)?["Labels"] as JsonObject ?? []).ToDictionary(l => l.Key, l => l.Value?.ToString() ?? string.Empty, StringComparer.Ordinal);

    private static IEnumerable<string> Differing(JsonObject? here, JsonObject? there)
        => (here ?? []).Select(m => m.Key).Union((there ?? []).Select(m => m.Key), StringComparer.Ordinal).Where(name => !JsonNode.DeepEquals(here?[name], there?[name])).Order(StringComparer.Ordinal);

    private static void Names(string what, IEnumerable<string> there, IEnumerable<string> here, List<string> parts)
        => Named(what, there.Distinct(StringComparer.Ordinal).ToDictionary(n => n, _ => string.Empty, StringComparer.Ordinal), here.Distinct(StringComparer.Ordinal).ToDictionary(n => n, _ => string.Empty, StringComparer.Ordinal), parts);

    private static void Named(string what, Dictionary<string, string> there, Dictionary<string, string> here, List<string> parts)
    {
        var words = new List<string>();
        Add("changed", here.Keys.Where(n => there.TryGetValue(n, out var value) && value != here[n]));
        Add("only here", here.Keys.Except(there.Keys, StringComparer.Ordinal));
        Add("only there", there.Keys.Except(here.Keys, StringComparer.Ordinal));
        if (words.Count > 0)
        {
            parts.Add($"{what} ({string.Join("; ", words)})");
        }

        void Add(string how, IEnumerable<string> names)
        {
            if (names.Order(StringComparer.Ordinal).ToList() is { Count: > 0 } list)
            {
                words.Add($"{how}: {Some(list)}");
            }
        }
    }

    private static string Some(List<string> names)
        => string.Join(", ", names.Take(MostNames).Select(RegistryClient.Clean)) + (names.Count > MostNames ? $" and {names.Count - MostNames} more" : string.Empty);
}
