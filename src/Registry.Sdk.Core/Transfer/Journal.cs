using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Transfer;

/// <summary>Where the journal of a publish is, and what it says whose it is.</summary>
/// <param name="Path">Absolute path of the file: beside the layout, below <c>obj/</c>.</param>
/// <param name="Project">The project's name, without folder.</param>
/// <param name="Version">The version.</param>
/// <param name="Commit">The commit, or null.</param>
public sealed record JournalPlace(string Path, string Project, string Version, string? Commit);

/// <summary>What an earlier publish left, by its journal.</summary>
/// <param name="IsThis">Whether it was this very release: project, version and commit.</param>
/// <param name="Version">Its version.</param>
/// <param name="Commit">Its commit, or null.</param>
/// <param name="Pending">Its unfinished destinations and tags, as messages say them; empty if there are none.</param>
public sealed record JournalEntry(bool IsThis, string Version, string? Commit, string Pending);

/// <summary>
/// The journal: which tags of a release are written and which are not yet. It is written whole before the first tag and again after each one, so that
/// whoever finds a publish killed in between knows what it left. It decides nothing: registries and commit are enough to finish a release, also from
/// another machine, where there is no journal.
/// </summary>
/// <remarks>
/// JSON: <c>schemaVersion</c> (1), <c>project</c>, <c>version</c>, <c>commit</c> (or null), <c>destinations</c>: a list of <c>name</c>, <c>edition</c> (or
/// null), <c>digest</c> (what the tags are to name) and <c>tags</c>: <c>name</c>, <c>floating</c>, <c>state</c> (<c>pending</c>, <c>created</c>,
/// <c>moved</c>, <c>kept</c>, <c>repaired</c>), <c>before</c> (digest or null). It holds no secret and no path.
/// </remarks>
public static class Journal
{
    /// <summary>The file's name.</summary>
    public const string FileName = "journal.json";

    private const int SchemaVersion = 1;
    private const int MostBytes = 4 << 20;

    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Reads what an earlier publish left.</summary>
    /// <param name="place">Where, and who asks.</param>
    /// <param name="cancellationToken">Stops it.</param>
    /// <returns>Null and an empty text: there is none. Null and a text: it can't be read, and that is why.</returns>
    public static async Task<(JournalEntry? Entry, string Why)> ReadAsync(JournalPlace place, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(place);
        try
        {
            if (!File.Exists(place.Path))
            {
                return (null, string.Empty);
            }

            // A pipe would be waited for, and a device read for ever.
            if (!SpecialFile.IsRegular(place.Path) || RealPath.Resolve(place.Path) is not { } real)
            {
                return (null, "it is no regular file");
            }

            var file = new FileInfo(real);
            if (file.Length > MostBytes)
            {
                return (null, $"it has {file.Length} bytes");
            }

            var json = RegistryJson.Parse(await File.ReadAllBytesAsync(real, cancellationToken).ConfigureAwait(false));
            if (Text(json?["project"]) is not { } project || Text(json!["version"]) is not { } version || json["destinations"] is not JsonArray destinations)
            {
                return (null, "it is no journal");
            }

            var pending = new List<string>();
            foreach (var destination in destinations.OfType<JsonObject>())
            {
                var tags = (destination["tags"] as JsonArray ?? []).OfType<JsonObject>().Where(t => Text(t["state"]) == TagStateNames.ToWord(TagState.Pending)).Select(t => Text(t["name"])).OfType<string>().ToList();
                if (tags.Count > 0 && Text(destination["name"]) is { } name)
                {
                    pending.Add($"{RegistryClient.Clean(name)}: {string.Join(", ", tags.Select(RegistryClient.Clean))}");
                }
            }

            var commit = Text(json["commit"]);
            return (new(project == place.Project && version == place.Version && commit == place.Commit, RegistryClient.Clean(version), commit is null ? null : RegistryClient.Clean(commit), string.Join("; ", pending)), string.Empty);
        }
        catch (Exception e) when (e is JsonException or IOException or UnauthorizedAccessException)
        {
            return (null, e is JsonException ? "it is no JSON" : e.Message.TrimEnd('.'));
        }
    }

    /// <summary>The journal's text.</summary>
    internal static byte[] Write(JournalPlace place, TransferResult result) => JsonSerializer.SerializeToUtf8Bytes(
        new JsonObject
        {
            ["schemaVersion"] = SchemaVersion,
            ["project"] = place.Project,
            ["version"] = place.Version,
            ["commit"] = place.Commit,
            ["destinations"] = new JsonArray([.. result.Destinations.Select(d => (JsonNode)new JsonObject
            {
                ["name"] = d.Destination.ToString(),
                ["edition"] = d.Destination.Edition.Length > 0 ? d.Destination.Edition : null,
                ["digest"] = d.Image.Digest.ToString(),
                ["tags"] = new JsonArray([.. d.Tags.Select(t => (JsonNode)new JsonObject
                {
                    ["name"] = t.Tag.Name,
                    ["floating"] = t.Tag.Floating,
                    ["state"] = TagStateNames.ToWord(t.State),
                    ["before"] = t.Before?.ToString(),
                })]),
            })]),
        },
        Json);

    private static string? Text(JsonNode? node) => node is JsonValue value && value.TryGetValue<string>(out var text) && text.Length > 0 ? text : null;
}

/// <summary>Writes the journal of one transfer: one write at a time, each of all that is known by then.</summary>
/// <param name="place">Where; null: nowhere.</param>
/// <param name="state">What is known.</param>
/// <param name="progress">Hears of a write that failed once tags are being written: then the release goes on, for it goes forwards only.</param>
internal sealed class JournalWriter(JournalPlace? place, Func<TransferResult> state, ITransferProgress progress) : IDisposable
{
    private readonly SemaphoreSlim _turn = new(1, 1);

    /// <summary>Writes it before the first tag.</summary>
    /// <returns>The error if it can't be written: then nothing has happened yet, and nothing may.</returns>
    public async Task<Diagnostic?> BeginAsync(CancellationToken cancellationToken)
    {
        try
        {
            await WriteAsync(cancellationToken).ConfigureAwait(false);
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return DiagnosticCodes.JournalNotWritten.Report(
                $"The journal {place!.Path} can't be written before the first tag: {e.Message.TrimEnd('.')}. No tag was written anywhere. Free disk space, or make IntermediateOutputPath writable; then publish again: what arrived is not sent twice.", place.Path);
        }
    }

    /// <summary>Writes it after a tag. Never cancelled: it takes a millisecond, and says what is.</summary>
    public async Task UpdateAsync()
    {
        try
        {
            await WriteAsync(CancellationToken.None).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            progress.Note($"the journal {place!.Path} can't be written: {e.Message}");
        }
    }

    /// <inheritdoc/>
    public void Dispose() => _turn.Dispose();

    private async Task WriteAsync(CancellationToken cancellationToken)
    {
        if (place is null)
        {
            return;
        }

        await _turn.WaitAsync(cancellationToken).ConfigureAwait(false);
        try
        {
            Directory.CreateDirectory(Path.GetDirectoryName(place.Path)!);
            await WholeFile.WriteAsync(place.Path, Journal.Write(place, state()), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            _turn.Release();
        }
    }
}
