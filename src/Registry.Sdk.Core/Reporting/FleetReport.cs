using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Verification;

namespace Registry.Sdk.Core.Reporting;

/// <summary>Everything that is known when <c>VerifyContainers</c> ends, well or not.</summary>
public sealed record FleetReport
{
    /// <summary>The project's name, without folder.</summary>
    public required string Project { get; init; }

    /// <summary>Absolute folder of the project: files are named relative to it, because reports are shared and folders name people.</summary>
    public required string ProjectDirectory { get; init; }

    /// <summary>When it ended.</summary>
    public required DateTimeOffset At { get; init; }

    /// <summary>What was found, or null if nothing was looked at.</summary>
    public FleetResult? Result { get; init; }

    /// <summary>What is worth knowing and no mistake.</summary>
    public IReadOnlyList<string> Notes { get; init; } = [];

    /// <summary>All errors and warnings, in order.</summary>
    public required IReadOnlyList<Diagnostic> Diagnostics { get; init; }

    /// <summary>How long it took.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>Whether all is well: something was looked at, and nothing is wrong or unknown.</summary>
    public bool Succeeded => Result is not null && !Diagnostics.Any(d => d.IsError);
}

/// <summary>How a <see cref="FleetReport"/> is told.</summary>
public static class FleetReporting
{
    private static readonly JsonSerializerOptions Json = new() { WriteIndented = true, Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>Writes the JSON file and, in GitHub Actions, the step summary.</summary>
    /// <param name="report">What is told.</param>
    /// <param name="path">Absolute path of the JSON file.</param>
    /// <param name="gitHubSummary">Path of GitHub's step summary, or null.</param>
    /// <param name="cancellationToken">Stops the writing.</param>
    /// <returns>What a person reads, and what could not be written.</returns>
    public static async Task<ReportingResult> RunAsync(FleetReport report, string path, string? gitHubSummary, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(report);
        var diagnostics = new List<Diagnostic>();
        try
        {
            await Receipt.SaveAsync(path, Write(report), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            diagnostics.Add(DiagnosticCodes.VerifyReportNotWritten.Report($"The report {PlainText.Of(path)} could not be written: {e.Message} Set RegistrySdkVerifyReportPath to a writable path.", path));
        }

        if (gitHubSummary is not null)
        {
            try
            {
                await ReportingStage.AppendAsync(gitHubSummary, Summary(report), cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                diagnostics.Add(DiagnosticCodes.CiReportNotWritten.Report($"{gitHubSummary} could not be written: {e.Message}", gitHubSummary));
            }
        }

        return new(Lines(report), diagnostics);
    }

    /// <summary>The JSON: every verdict with its evidence. Schema: <c>docs/verify.schema.json</c>.</summary>
    public static string Write(FleetReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        return new JsonObject
        {
            ["schemaVersion"] = 1,
            ["succeeded"] = report.Succeeded,
            ["project"] = report.Project,
            ["at"] = Time(report.At),
            ["seconds"] = Math.Round(report.Duration.TotalSeconds, 3),
            ["packages"] = Array(report.Result?.Packages, p => new JsonObject
            {
                ["name"] = p.Package.Destination.ToString(),
                ["verdict"] = Word(p.Verdict),
                ["optional"] = p.Package.Destination.IsOptional,
                ["edition"] = Receipt.NameOrNull(p.Package.Destination.Edition),
                ["visibility"] = new JsonObject
                {
                    ["declared"] = Declared(p),
                    ["seen"] = Seen(p),
                    ["api"] = p.Facts?.Visibility,
                    ["linkedRepository"] = p.Facts?.LinkedRepository,
                },
                ["tags"] = p.TagCount,
                ["newest"] = p.Newest,
                ["digest"] = p.Digest?.ToString(),
                ["platforms"] = Array(p.Platforms, s => JsonValue.Create(s.ToString())),
                ["links"] = Array(p.Links, s => JsonValue.Create(s)),
                ["notes"] = Array(p.Notes, s => JsonValue.Create(s)),
                ["evidence"] = Array(p.Evidence, EvidenceOf),
                ["diagnostics"] = Array(p.Diagnostics, DiagnosticOf),
            }),
            ["composeImages"] = Array(report.Result?.ComposeImages, c => new JsonObject
            {
                ["image"] = c.Images[0].Name.ToString(),
                ["verdict"] = Word(c.Verdict),
                ["platform"] = c.Images[0].Platform?.ToString(),
                ["digest"] = c.Digest?.ToString(),
                ["usedBy"] = Array(c.Images, i => new JsonObject { ["service"] = i.Service, ["file"] = Path.GetRelativePath(report.ProjectDirectory, i.File), ["line"] = i.Line }),
                ["links"] = Array(c.Links, s => JsonValue.Create(s)),
                ["evidence"] = Array(c.Evidence, EvidenceOf),
                ["diagnostics"] = Array(c.Diagnostics, DiagnosticOf),
            }),
            ["notes"] = Array(report.Notes, s => JsonValue.Create(s)),
            ["diagnostics"] = Array(report.Diagnostics, DiagnosticOf),
        }.ToJsonString(Json) + "\n";
    }

    /// <summary>What a person reads: one line for each package and image, and below what is to be clicked.</summary>
    public static IReadOnlyList<string> Lines(FleetReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        // MSBuild's own form for what a project made, the one message that the terminal logger shows of a successful project.
        var lines = new List<string> { $"{report.Project} -> {Sum(report)}" };
        if (report.Result is { } result)
        {
            lines.AddRange(Table(["package", "declared", "seen", "newest", "tags", "verdict"], result.Packages, Row));
            lines.AddRange(Table(["compose image", "service", "platform", "verdict"], result.ComposeImages, Row));
            foreach (var package in result.Packages.Where(p => p.Links.Count > 0))
            {
                lines.Add($"    {package.Package.Destination}: {string.Join(" or ", package.Links)}");
            }

            // A page that a package has above need not be printed twice.
            var printed = result.Packages.SelectMany(p => p.Links).ToHashSet(StringComparer.Ordinal);
            foreach (var image in result.ComposeImages.Where(c => c.Links.Count > 0 && !c.Links.Any(printed.Contains)))
            {
                lines.Add($"    {image.Images[0].Name}: {string.Join(" or ", image.Links)}");
            }

            lines.AddRange(result.Packages.SelectMany(p => p.Notes).Select(n => "    " + n));
        }

        lines.AddRange(report.Notes.Select(n => "    " + n));
        return [.. lines.Select(PlainText.Of)];
    }

    /// <summary>What is appended to GitHub's step summary, in Markdown. Names from outside are data and escaped.</summary>
    public static string Summary(FleetReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        var text = new StringBuilder();
        text.Append("### ").Append(GitHubReport.Escape($"{report.Project}: {Sum(report)}")).Append("\n\n");
        if (report.Result is { } result)
        {
            Rows(["package", "declared", "seen", "newest", "tags", "verdict", "settings"], result.Packages, Row, p => p.Links);
            Rows(["compose image", "service", "platform", "verdict", "settings"], result.ComposeImages, Row, c => c.Links);
        }

        foreach (var diagnostic in report.Diagnostics)
        {
            text.Append("- **").Append(diagnostic.IsError ? "error " : "warning ").Append(diagnostic.Code).Append("**: ").Append(GitHubReport.Escape(diagnostic.Message)).Append('\n');
        }

        return text.Append('\n').ToString();

        void Rows<T>(string[] head, IReadOnlyList<T> items, Func<T, string[]> row, Func<T, IReadOnlyList<string>> links)
        {
            if (items.Count == 0)
            {
                return;
            }

            text.Append("| ").AppendJoin(" | ", head).Append(" |\n|").Insert(text.Length, " --- |", head.Length).Append('\n');
            foreach (var item in items)
            {
                // The links are made of names that were judged, and escaped where GitHub's addresses want it.
                text.Append("| ").AppendJoin(" | ", row(item).Select(GitHubReport.Escape)).Append(" | ").AppendJoin(" or ", links(item).Select(l => $"<{l}>")).Append(" |\n");
            }

            text.Append('\n');
        }
    }

    private static string Sum(FleetReport report)
    {
        if (report.Result is not { } result)
        {
            return "nothing was verified";
        }

        var verdicts = result.Packages.Select(p => p.Verdict).Concat(result.ComposeImages.Select(c => c.Verdict)).ToList();
        var parts = new[] { (FleetVerdict.Good, "good"), (FleetVerdict.Bad, "not good"), (FleetVerdict.Unknown, "unknown"), (FleetVerdict.Missing, "missing and optional"), (FleetVerdict.LeftOut, "left out") }
            .Select(v => (Count: verdicts.Count(x => x == v.Item1), v.Item2)).Where(v => v.Count > 0).Select(v => string.Create(CultureInfo.InvariantCulture, $"{v.Count} {v.Item2}"));
        return string.Create(CultureInfo.InvariantCulture, $"verified {Count(result.Packages.Count, "package")}{(result.ComposeImages.Count > 0 ? $" and {Count(result.ComposeImages.Count, "compose image")}" : string.Empty)} in {report.Duration.TotalSeconds:0.0} s: {string.Join(", ", parts)}");
    }

    private static string Count(int count, string noun) => string.Create(CultureInfo.InvariantCulture, $"{count} {noun}{(count == 1 ? string.Empty : "s")}");

    private static string[] Row(PackageFinding p) =>
    [
        p.Package.Destination.ToString(),
        (Declared(p) ?? "-") + (p.Package.Destination.IsOptional ? ", optional" : string.Empty),
        (Seen(p) ?? "-") + (p.Facts is { } facts && facts.Visibility != Seen(p) ? $" ({facts.Visibility})" : string.Empty),
        p.Newest ?? "-",
        p.TagCount?.ToString(CultureInfo.InvariantCulture) ?? "-",
        Word(p.Verdict) + Codes(p.Diagnostics),
    ];

    private static string[] Row(ComposeFinding c) =>
    [
        c.Images[0].Name.ToString(),
        string.Join(", ", c.Images.Select(i => i.Service).Distinct(StringComparer.Ordinal)),
        c.Images[0].Platform?.ToString() ?? "-",
        Word(c.Verdict) + Codes(c.Diagnostics),
    ];

    private static IEnumerable<string> Table<T>(string[] head, IReadOnlyList<T> items, Func<T, string[]> row)
    {
        if (items.Count == 0)
        {
            return [];
        }

        var rows = items.Select(row).Prepend(head).ToList();
        var widths = Enumerable.Range(0, head.Length).Select(c => rows.Max(r => r[c].Length)).ToArray();
        return rows.Select(r => "    " + string.Join("  ", r.Select((cell, c) => cell.PadRight(widths[c]))).TrimEnd());
    }

    private static string Codes(IReadOnlyList<Diagnostic> diagnostics)
        => diagnostics.Count == 0 ? string.Empty : $" ({string.Join(", ", diagnostics.Select(d => d.Code).Distinct(StringComparer.Ordinal))})";

    private static string Word(FleetVerdict verdict) => verdict switch
    {
        FleetVerdict.Good => "good",
        FleetVerdict.Bad => "not good",
        FleetVerdict.Missing => "missing",
        FleetVerdict.LeftOut => "left out",
        _ => "unknown",
    };

    private static string? Declared(PackageFinding p) => VisibilityNames.DeclaredWord(p.Package.Destination.Visibility);

    private static string? Seen(PackageFinding p) => VisibilityNames.ToWord(p.Seen);

    private static string Time(DateTimeOffset at) => at.UtcDateTime.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);

    private static JsonObject EvidenceOf(Evidence e) => new() { ["request"] = e.Request, ["answer"] = e.Answer, ["at"] = Time(e.At) };

    private static JsonObject DiagnosticOf(Diagnostic d) => new() { ["code"] = d.Code, ["severity"] = d.IsError ? "error" : "warning", ["message"] = d.Message };

    private static JsonArray Array<T>(IReadOnlyList<T>? items, Func<T, JsonNode?> node) => new([.. (items ?? []).Select(node)]);
}
