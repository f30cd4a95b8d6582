using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;

namespace Registry.Sdk.Core.Reporting;

/// <summary>The receipt: what happened, in JSON. Schema: <c>docs/receipt.schema.json</c>.</summary>
public static class Receipt
{
    /// <summary>The version of the receipt's format.</summary>
    public const int SchemaVersion = 1;

    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The receipt's text.</summary>
    public static string Write(PublishReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        var git = report.Facts?.Git;
        var ci = report.Facts?.Ci;
        var receipt = new JsonObject
        {
            ["schemaVersion"] = SchemaVersion,
            ["succeeded"] = report.Succeeded,
            ["planOnly"] = report.PlanOnly,
            ["project"] = report.Project,
            ["configuration"] = report.Configuration,
            ["seconds"] = Math.Round(report.Duration.TotalSeconds, 3),
            ["version"] = report.Version?.Version,
            ["kind"] = report.Version is null ? null : BuildKindNames.ToWord(report.Version.Kind),
            ["reason"] = report.Version?.Reason,
            ["dirty"] = report.Version?.IsDirty,
            ["commit"] = git?.Commit,
            ["branch"] = git?.Branch,
            ["ci"] = ci is null ? null : new JsonObject { ["service"] = ci.Service, ["run"] = ci.RunUrl },
            ["tags"] = new JsonArray([.. (report.Version?.Tags ?? []).Select(t => (JsonNode)new JsonObject { ["name"] = t.Name, ["floating"] = t.Floating })]),
            ["waits"] = new JsonArray([.. report.Waits.Select(w => (JsonNode)new JsonObject { ["host"] = w.Host, ["seconds"] = Math.Round(w.Waited.TotalSeconds, 3) })]),
            ["notes"] = new JsonArray([.. report.Notes.Select(n => (JsonNode)n)]),
            ["secrets"] = report.Secrets is { } secrets ? Secrets(secrets) : null,
            ["images"] = new JsonArray([.. report.Images.Select(i => (JsonNode)Image(report, i))]),
            // The others stand under the image they would have got.
            ["leftOut"] = new JsonArray([.. (report.Plan?.LeftOut ?? []).Where(l => !report.Images.Any(i => i.Edition == l.Destination.Edition)).Select(l => (JsonNode)new JsonObject
            {
                ["name"] = l.Destination.ToString(),
                ["edition"] = NameOrNull(l.Destination.Edition),
                ["leftOut"] = l.Why,
            })]),
            ["diagnostics"] = new JsonArray([.. report.Diagnostics.Select(d => (JsonNode)new JsonObject
            {
                ["code"] = d.Code,
                ["severity"] = d.IsError ? "error" : "warning",
                ["message"] = d.Message,
            })]),
        };
        return receipt.ToJsonString(Json) + "\n";
    }

    /// <summary>Writes a file whole or not at all.</summary>
    /// <exception cref="IOException">It can't be written, also because the path can be no file's.</exception>
    public static async Task SaveAsync(string path, string content, CancellationToken cancellationToken)
    {
        if (string.IsNullOrWhiteSpace(path) || path.Contains('\0', StringComparison.Ordinal))
        {
            throw new IOException("It is no path.");
        }

        var full = Path.GetFullPath(path);
        if (Path.EndsInDirectorySeparator(full) || Directory.Exists(full) || Path.GetDirectoryName(full) is not { } folder)
        {
            throw new IOException("It is a folder.");
        }

        Directory.CreateDirectory(folder);
        await WholeFile.WriteAsync(full, temporary => File.WriteAllTextAsync(temporary, content, cancellationToken), cancellationToken).ConfigureAwait(false);
    }

    /// <summary>An edition's name as JSON has it: null where the project has no <c>ContainerEditions</c>.</summary>
    internal static string? NameOrNull(string edition) => edition.Length > 0 ? edition : null;

    private static JsonObject Image(PublishReport report, EditionImage edition)
    {
        var image = edition.Image;
        return new()
        {
            ["edition"] = NameOrNull(edition.Edition),
            ["licenses"] = edition.License.Length > 0 ? edition.License : null,
            // What was copied an earlier publish held against the wall, if it did.
            ["wall"] = image.ReleasedAt is not null ? null : edition.License.Length > 0 ? "passed" : "off",
            ["digest"] = image.Manifest.Descriptor.Digest.ToString(),
            ["mediaType"] = image.Manifest.Descriptor.MediaType,
            ["copiedFrom"] = image.ReleasedAt,
            ["platforms"] = new JsonArray([.. image.Platforms.Select(p => (JsonNode)PlatformOf(p, report.Secrets?.HiddenLabels))]),
            ["destinations"] = new JsonArray([.. Destinations(report, edition.Edition)]),
        };
    }

    private static JsonObject Secrets(SecretReport secrets) => new()
    {
        ["files"] = secrets.Files,
        ["bytes"] = secrets.Bytes,
        ["found"] = secrets.Findings.Count,
        ["notSearched"] = new JsonArray([.. secrets.NotRead.Select(n => (JsonNode)n)]),
        ["lifted"] = new JsonArray([.. secrets.Lifted.Select(l => (JsonNode)new JsonObject
        {
            ["place"] = l.Finding.Place,
            ["rule"] = l.Finding.Rule,
            ["fingerprint"] = l.Finding.Fingerprint,
            ["by"] = l.By.Include,
            ["reason"] = l.By.Reason,
        })]),
    };

    private static JsonObject PlatformOf(PlatformImage image, IReadOnlySet<string>? hiddenLabels) => new()
    {
        ["platform"] = image.Platform.ToString(),
        ["digest"] = image.Manifest.Descriptor.Digest.ToString(),
        ["mediaType"] = image.Manifest.Descriptor.MediaType,
        ["config"] = image.Config.Digest.ToString(),
        ["base"] = new JsonObject { ["name"] = image.Base.Name, ["digest"] = image.Base.ReferencedDigest?.ToString() },
        ["layers"] = new JsonArray([.. image.Layers.Select(l => (JsonNode)new JsonObject
        {
            ["digest"] = l.Descriptor.Digest.ToString(),
            ["diffId"] = l.DiffId.ToString(),
            ["size"] = l.Descriptor.Size,
            ["content"] = l.Content,
            ["origin"] = l.Origin.ToString().ToLowerInvariant(),
        })]),
        ["leftOutBytes"] = image.LeftOut,
        ["labels"] = new JsonObject(image.Labels.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => KeyValuePair.Create(l.Key, (JsonNode?)(hiddenLabels?.Contains(l.Key) == true ? "***" : l.Value)))),
    };

    private static IEnumerable<JsonNode> Destinations(PublishReport report, string edition)
    {
        foreach (var plan in (report.Plan?.Destinations ?? []).Where(d => d.Destination.Edition == edition))
        {
            var result = report.Transfer?.Destinations.FirstOrDefault(d => d.Destination == plan.Destination);
            var seen = report.Verification?.Destinations.FirstOrDefault(d => d.Destination == plan.Destination);
            yield return new JsonObject
            {
                ["name"] = plan.Destination.ToString(),
                ["digest"] = result?.HoldsImage == true ? plan.Image.Digest.ToString() : null,
                ["tags"] = new JsonArray([.. result is not null
                    ? result.Tags.Select(t => Tag(t.Tag.Name, TagStateNames.ToWord(t.State), t.Before, Now(t, plan.Image.Digest), t.Why))
                    : plan.Tags.Select(t => Tag(t.Tag.Name, $"planned:{t.Action.ToString().ToLowerInvariant()}", t.Current, t.Action == TagAction.Keep ? t.Current : plan.Image.Digest, t.Why))]),
                ["bytesSent"] = result?.BytesSent ?? 0,
                ["bytesSentAgain"] = result?.BytesSentAgain ?? 0,
                ["bytesMounted"] = result?.BytesMounted ?? 0,
                ["bytesSkipped"] = result?.BytesSkipped ?? 0,
                ["seconds"] = Math.Round(result?.Duration.TotalSeconds ?? 0, 3),
                ["visibility"] = new JsonObject
                {
                    ["declared"] = VisibilityNames.DeclaredWord(plan.Destination.Visibility),
                    ["before"] = VisibilityNames.ToWord(plan.Observed),
                    ["after"] = seen is null ? null : VisibilityNames.ToWord(seen.Observed),
                    ["api"] = (seen?.Observation ?? plan.Observation).Package?.Visibility,
                    ["linkedRepository"] = (seen?.Observation ?? plan.Observation).Package?.LinkedRepository,
                    ["click"] = seen?.Click,
                    ["evidence"] = new JsonArray([.. plan.Observation.Evidence.Concat(result?.Evidence ?? []).Concat(seen?.Evidence ?? []).Select(e => (JsonNode)new JsonObject
                    {
                        ["request"] = e.Request,
                        ["answer"] = e.Answer,
                        ["at"] = e.At.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture),
                    })]),
                },
            };
        }

        foreach (var left in (report.Plan?.LeftOut ?? []).Where(l => l.Destination.Edition == edition))
        {
            yield return new JsonObject { ["name"] = left.Destination.ToString(), ["leftOut"] = left.Why };
        }
    }

    private static JsonObject Tag(string name, string state, Digest? before, Digest? after, string why)
        => new() { ["name"] = name, ["state"] = state, ["before"] = before?.ToString(), ["after"] = after?.ToString(), ["why"] = why };

    private static Digest? Now(TagResult tag, Digest ours) => tag.State switch
    {
        TagState.Created or TagState.Moved => ours,
        TagState.Kept => tag.Now ?? tag.Before,
        _ => tag.Now,
    };

}
