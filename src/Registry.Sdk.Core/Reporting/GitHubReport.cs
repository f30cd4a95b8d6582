using System.Text;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;

namespace Registry.Sdk.Core.Reporting;

/// <summary>GitHub Actions' outputs and step summary. Source: GitHub docs, «Workflow commands»; wire-facts 6.2.</summary>
public static class GitHubReport
{
    /// <summary>What is appended to <c>GITHUB_OUTPUT</c>: <c>version</c>, <c>tags</c>, <c>images</c> (JSON), and <c>digest</c> if there is one edition.</summary>
    public static string Outputs(PublishReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        var images = new JsonArray();
        foreach (var destination in report.Transfer?.Destinations.Where(d => d.HoldsImage) ?? [])
        {
            images.Add(new JsonObject
            {
                ["name"] = destination.Destination.ToString(),
                ["edition"] = Receipt.NameOrNull(destination.Image.Edition),
                ["digest"] = destination.Image.Digest.ToString(),
                ["tags"] = new JsonArray([.. destination.Tags.Where(t => t.State != TagState.Pending).Select(t => (JsonNode)t.Tag.Name)]),
            });
        }

        var text = new StringBuilder();
        Append("version", report.Version?.Version ?? string.Empty);
        Append("tags", string.Join(' ', report.Version?.Tags.Select(t => t.Name) ?? []));
        Append("images", images.ToJsonString());
        if (report.Images.Count <= 1)
        {
            // Of several editions no digest is the digest.
            Append("digest", report.Transfer?.Destinations.FirstOrDefault(d => d.HoldsImage)?.Image.Digest.ToString() ?? string.Empty);
        }

        return text.ToString();

        // A delimiter nobody can guess: a value that holds it as a line could set another output.
        void Append(string name, string value)
        {
            var delimiter = $"rsdk_{Guid.NewGuid():N}";
            text.Append(name).Append("<<").Append(delimiter).Append('\n').Append(value.ReplaceLineEndings(" ")).Append('\n').Append(delimiter).Append('\n');
        }
    }

    /// <summary>What is appended to <c>GITHUB_STEP_SUMMARY</c>, in Markdown. Names from outside are data and escaped.</summary>
    public static string Summary(PublishReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        var text = new StringBuilder();
        text.Append("### ").Append(Escape(report.Project)).Append(' ').Append(Escape(report.Version?.Version ?? string.Empty)).Append(report.Succeeded ? string.Empty : ": failed").Append("\n\n");
        if (report.Version is { } version)
        {
            text.Append(Escape(version.Reason)).Append(", ").Append(Escape(report.Configuration)).Append("\n\n");
        }

        foreach (var image in report.Images)
        {
            text.Append(image.Edition.Length > 0 ? Escape(image.Edition) + ": " : string.Empty).Append('`').Append(image.Digest).Append("`\n\n");
        }

        foreach (var edition in report.EditionsThatGoNowhere)
        {
            text.Append(Escape(edition)).Append(": no destination takes this edition\n\n");
        }

        if (report.Transfer is { Destinations.Count: > 0 } transfer)
        {
            text.Append("| destination | tags | sent | mounted | skipped |\n| --- | --- | --- | --- | --- |\n");
            foreach (var d in transfer.Destinations)
            {
                text.Append("| ").Append(Escape(d.Destination.ToString())).Append(" | ")
                    .AppendJoin(", ", d.Tags.Select(t => Escape(t.Tag.Name) + (t.State == TagState.Pending ? " **pending**" : t.State == TagState.Kept ? " (kept)" : t.State == TagState.Repaired ? " (repaired)" : string.Empty)))
                    .Append(" | ").Append(ConsoleReport.Bytes(d.BytesSent)).Append(" | ").Append(ConsoleReport.Bytes(d.BytesMounted)).Append(" | ").Append(ConsoleReport.Bytes(d.BytesSkipped)).Append(" |\n");
            }

            text.Append('\n');
            foreach (var seen in report.Verification?.Destinations ?? [])
            {
                if (report.Plan?.Destinations.FirstOrDefault(d => d.Destination == seen.Destination) is { } plan && ConsoleReport.Visible(report, plan) is { } visible)
                {
                    // The links are composed by us, of names that hold nothing Markdown knows.
                    text.Append("- ").Append(Escape(visible)).AppendJoin(string.Empty, seen.Links.Select(l => $" [settings](<{l}>)")).Append('\n');
                }
            }

            foreach (var trouble in ConsoleReport.Troubles(report))
            {
                text.Append("- ").Append(Escape(trouble)).Append('\n');
            }

            text.Append('\n');
        }
        else if (report.Plan is { Destinations.Count: 0 } plan)
        {
            text.Append("Nothing to push: ").Append(Escape(string.Join("; ", plan.LeftOut.Select(l => $"{l.Destination}: {l.Why}")))).Append("\n\n");
        }

        foreach (var diagnostic in report.Diagnostics)
        {
            text.Append("- **").Append(diagnostic.IsError ? "error " : "warning ").Append(diagnostic.Code).Append("**: ").Append(Escape(diagnostic.Message)).Append('\n');
        }

        return text.Append('\n').ToString();
    }

    /// <summary>
    /// Text as Markdown shows it literally, also inside a table cell; no HTML either, and none of what GitHub adds: mentions (<c>@all</c>) and
    /// links made of addresses. Source: GitHub Flavored Markdown 0.29, 6.9 «Autolinks (extension)».
    /// </summary>
    internal static string Escape(string text)
    {
        var plain = PlainText.Visible(text);
        var result = new StringBuilder(plain.Length + 8);
        for (var i = 0; i < plain.Length; i++)
        {
            var c = plain[i];
            switch (c)
            {
                case '@': result.Append("&#64;"); break;
                case ':' when plain.AsSpan(i).StartsWith("://"): result.Append("&#58;"); break;
                case '.' when plain.AsSpan(0, i).EndsWith("www", StringComparison.OrdinalIgnoreCase): result.Append("&#46;"); break;
                case '<': result.Append("&lt;"); break;
                case '>': result.Append("&gt;"); break;
                case '&': result.Append("&amp;"); break;
                case '\\' or '`' or '*' or '_' or '[' or ']' or '|' or '#' or '~' or '!': result.Append('\\').Append(c); break;
                default: result.Append(c); break;
            }
        }

        return result.ToString();
    }
}
