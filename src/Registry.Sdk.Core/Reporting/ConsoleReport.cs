using System.Globalization;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;

namespace Registry.Sdk.Core.Reporting;

/// <summary>What a person reads at the end of a publish: plain text, digests in full.</summary>
public static class ConsoleReport
{
    /// <summary>The lines, without trailing blank ones. Names from outside make no line of their own and turn no text round.</summary>
    public static IReadOnlyList<string> Lines(PublishReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        return [.. Compose(report).Select(PlainText.Of)];
    }

    private static List<string> Compose(PublishReport report)
    {
        var lines = new List<string>();
        if (report.Version is { } version)
        {
            // MSBuild's own form for what a project made. The terminal logger shows nothing of a successful project but the message of this form.
            lines.Add($"{report.Project} -> {version.Version} ({report.Configuration}): {version.Reason}{(report.Succeeded ? string.Empty : " - failed")}");
        }

        foreach (var (edition, _, image) in report.Images)
        {
            var bases = image.Platforms.Select(p => p.Base.ToString()).Distinct(StringComparer.Ordinal).ToList();
            lines.Add($"    {(edition.Length > 0 ? edition + ": " : string.Empty)}image {image.Manifest.Descriptor.Digest} on {string.Join(", ", bases)}{(image.ReleasedAt is null ? string.Empty : $", released before at {image.ReleasedAt} and copied from there")}");
            if (image.Platforms.Count > 1)
            {
                lines.AddRange(image.Platforms.Select(p => $"        {p.Platform} {p.Manifest.Descriptor.Digest}"));
            }
        }

        if (report.Plan is not { } plan)
        {
            return lines;
        }

        lines.AddRange(report.EditionsThatGoNowhere.Select(e => $"    {e}: no destination takes this edition; it was built and proven"));

        if (plan.Destinations.Count == 0)
        {
            lines.Add($"    nothing to push: {(plan.LeftOut.Count == 0 ? "the project has no destination" : string.Join("; ", plan.LeftOut.Select(l => $"{l.Destination}: {l.Why}")))}");
            return lines;
        }

        lines.AddRange(Table(report, plan).Select(l => "    " + l));
        lines.AddRange(plan.Destinations.Select(d => Visible(report, d)).OfType<string>().Select(l => "    " + l));
        lines.AddRange(Troubles(report).Select(l => "    " + l));
        lines.AddRange(plan.LeftOut.Select(l => $"    {l.Destination}: left out, {l.Why}"));
        if (report.PlanOnly)
        {
            lines.AddRange(plan.Destinations.SelectMany(d => d.Tags.Select(t => $"    {d.Destination}: {Planned(t, d.Image.Digest)}")));
            lines.Add("    planned only: nothing was sent");
        }
        else
        {
            lines.AddRange(Notes(report));
        }

        return lines;
    }

    /// <summary>Bytes as people read them: 0 B, 12.3 kB, 4.5 MB (powers of 1000).</summary>
    public static string Bytes(long bytes) => bytes switch
    {
        < 1000 => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0.0} kB"),
        < 1_000_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.0} MB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e9:0.00} GB"),
    };

    /// <summary>Who can see a destination, as far as it was looked at, and what a person has to click; null for a directory.</summary>
    internal static string? Visible(PublishReport report, DestinationPlan plan)
    {
        var after = report.Verification?.Destinations.FirstOrDefault(d => d.Destination == plan.Destination);
        var observed = after?.Observed ?? plan.Observed;

        // What the API said before the push is nothing that was read back after it.
        var observation = after?.Observation ?? plan.Observation;
        var api = observation.Package?.Visibility;
        var who = observed switch
        {
            ObservedVisibility.Public when after is { Observation.IsServed: false } => "anyone may ask for it, and is not given the image",
            ObservedVisibility.Public => "anyone can read it",
            ObservedVisibility.Refused when api == "internal" => "members of the organisation can read it (internal), outsiders are refused",
            ObservedVisibility.Refused when api is null && observation.ApiWhy.Length > 0 => $"outsiders are refused; the service's own API did not say more: {observation.ApiWhy.TrimEnd('.')}",
            ObservedVisibility.Refused => $"outsiders are refused{(api == "private" ? " (private)" : string.Empty)}",
            ObservedVisibility.Missing => "outsiders are refused; it is not there for our credentials",
            ObservedVisibility.Unknown => "who can read it was not found out",
            _ => null,
        };
        return who is null ? null : $"{plan.Destination}: {who}{(after is null && !report.PlanOnly && report.Transfer is not null ? " (seen before the push)" : string.Empty)}{(after?.Click is { } click ? $"; {click}" : string.Empty)}";
    }

    /// <summary>What it cost that registries failed or lines were cut, as far as it cost anything.</summary>
    internal static IEnumerable<string> Troubles(PublishReport report)
        => (report.Transfer?.Destinations ?? []).Where(d => d.BytesSentAgain > 0).Select(d => $"{d.Destination}: {Bytes(d.BytesSentAgain)} had to be sent again")
            .Concat(report.Waits.Select(w => $"{w.Host} was waited for: {Throttling.InWords(w.Waited)} in all"));

    private static IEnumerable<string> Table(PublishReport report, Plan plan)
    {
        List<string[]> rows = [["destination", "tags", "sent", "mounted", "skipped", "time"]];
        foreach (var destination in plan.Destinations)
        {
            var result = report.Transfer?.Destinations.FirstOrDefault(d => d.Destination == destination.Destination);
            if (result is null)
            {
                long Size(BlobAction action) => destination.Blobs.Where(b => b.Action == action).Aggregate(0L, (sum, b) => b.Blob.Size > long.MaxValue - sum ? long.MaxValue : sum + b.Blob.Size); // a base image may say what it likes
                rows.Add([destination.Destination.ToString(), string.Join(" ", destination.Tags.Select(t => t.Tag.Name)), "to send " + Bytes(Size(BlobAction.Send)), Bytes(Size(BlobAction.Mount)), Bytes(Size(BlobAction.Skip)), "-"]);
            }
            else
            {
                rows.Add([
                    destination.Destination.ToString(),
                    string.Join(" ", result.Tags.Select(t => t.State == TagState.Pending ? t.Tag.Name + "(pending)" : t.State == TagState.Kept && t.Before != destination.Image.Digest ? t.Tag.Name + "(kept)" : t.State == TagState.Repaired ? t.Tag.Name + "(repaired)" : t.Tag.Name)),
                    Bytes(result.BytesSent),
                    Bytes(result.BytesMounted),
                    Bytes(result.BytesSkipped),
                    string.Create(CultureInfo.InvariantCulture, $"{result.Duration.TotalSeconds:0.0} s"),
                ]);
            }
        }

        var widths = Enumerable.Range(0, rows[0].Length).Select(c => rows.Max(r => r[c].Length)).ToArray();
        return rows.Select(r => string.Join("  ", r.Select((cell, c) => cell.PadRight(widths[c]))).TrimEnd());
    }

    /// <summary>What is planned for a tag: from, to and why.</summary>
    private static string Planned(TagPlan tag, Digest ours) => tag.Action switch
    {
        TagAction.Create => $"{tag.Tag.Name} create as {ours} ({tag.Why})",
        TagAction.Move => $"{tag.Tag.Name} move from {tag.Current} to {ours} ({tag.Why})",
        _ when tag.Current == ours => $"{tag.Tag.Name} keep at {tag.Current} ({tag.Why})",
        _ => $"{tag.Tag.Name} keep at {tag.Current}, not {ours} ({tag.Why})",
    };

    // A tag that did not move, or moved from something, is worth a line; created ones are in the table.
    private static IEnumerable<string> Notes(PublishReport report)
    {
        foreach (var destination in report.Transfer?.Destinations ?? [])
        {
            foreach (var tag in destination.Tags)
            {
                if (tag.State == TagState.Moved)
                {
                    yield return $"    {destination.Destination}: {tag.Tag.Name} moved from {tag.Before} to {destination.Image.Digest} ({tag.Why})";
                }
                else if (tag.State == TagState.Repaired)
                {
                    yield return $"    {destination.Destination}: {tag.Tag.Name} moved from {tag.Before?.ToString() ?? "nothing"} to {destination.Image.Digest}, and on to {tag.Now} ({tag.Why})";
                }
                else if (tag.State == TagState.Kept && tag.Before != destination.Image.Digest)
                {
                    yield return $"    {destination.Destination}: {tag.Tag.Name} kept at {tag.Before}, not {destination.Image.Digest} ({tag.Why})";
                }
            }
        }
    }
}
