using System.Globalization;
using System.Text;
using System.Text.Encodings.Web;
using System.Text.Json;

namespace Registry.Sdk.Core.Editions;

/// <summary>What the wall found about one edition, for the files below <c>obj/</c>.</summary>
internal sealed class WallRecord(EditionsWorld world, EditionInput edition, RestrictedContent restricted, ForeignFacts foreign)
{
    private static readonly JsonWriterOptions Indented = new() { Indented = true, NewLine = "\n", Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>The projects that are built in, with their licences.</summary>
    public List<(string Path, string License)> Projects { get; } = [];

    /// <summary>The packages that ship, with their licences.</summary>
    public List<(string Id, string Version, string? License, string Source)> Packages { get; } = [];

    /// <summary><c>PackageLicense</c> items that were used.</summary>
    public HashSet<PackageLicense> Overrides { get; } = [];

    /// <summary>What evaluation took out.</summary>
    public List<RemovedItem> Removed { get; } = [];

    /// <summary>Files that ship inside another one.</summary>
    public List<Shipped> Inside { get; } = [];

    private IEnumerable<Shipped> OrderedInside => Inside.DistinctBy(f => (f.Path, f.Origin)).OrderBy(f => f.Path, StringComparer.Ordinal);

    private IEnumerable<(string Id, string Version, string? License, string Source)> OrderedPackages => Packages.Distinct().OrderBy(p => p.Id, StringComparer.OrdinalIgnoreCase).ThenBy(p => p.Version, StringComparer.Ordinal);

    private IEnumerable<PackageLicense> OrderedOverrides => Overrides.OrderBy(o => o.Id, StringComparer.OrdinalIgnoreCase).ThenBy(o => o.Version, StringComparer.Ordinal);

    /// <summary>The bill. No path in it names the machine.</summary>
    public string Json(IReadOnlyList<Bill> bills)
    {
        using var buffer = new MemoryStream();
        using (var json = new Utf8JsonWriter(buffer, Indented))
        {
            json.WriteStartObject();
            json.WriteNumber("schemaVersion", 1);
            json.WriteString("edition", edition.Name);
            json.WriteString("license", edition.License);
            json.WriteStartArray("platforms");
            foreach (var (platform, bill) in WithPlatforms(bills))
            {
                json.WriteStartObject();
                json.WriteString("runtimeIdentifier", platform.RuntimeIdentifier);
                json.WriteStartArray("files");
                foreach (var file in bill.Files)
                {
                    json.WriteStartObject();
                    json.WriteString("path", file.Path);
                    json.WriteString("sha256", file.Digest.Hex);
                    json.WriteNumber("size", file.Size);
                    From(file.Origin, file.License, file.LicenseSource);
                    json.WriteEndObject();
                }

                json.WriteEndArray();
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("contained");
            foreach (var file in OrderedInside)
            {
                json.WriteStartObject();
                json.WriteString("path", file.Path);
                From(file.Origin, file.License, file.LicenseSource);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("projects");
            foreach (var (path, license) in Projects)
            {
                json.WriteStartObject();
                json.WriteString("path", path);
                json.WriteString("license", license);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("packages");
            foreach (var (id, version, license, source) in OrderedPackages)
            {
                json.WriteStartObject();
                json.WriteString("id", id);
                json.WriteString("version", version);
                Text("license", license);
                json.WriteString("licenseSource", source);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteStartArray("packageLicenses");
            foreach (var said in OrderedOverrides)
            {
                json.WriteStartObject();
                json.WriteString("id", said.Id);
                json.WriteString("version", said.Version);
                json.WriteString("license", said.License);
                json.WriteString("reason", said.Reason);
                json.WriteEndObject();
            }

            json.WriteEndArray();
            json.WriteEndObject();

            void From(FileOrigin origin, string? license, string source)
            {
                json.WriteString("origin", origin.Kind.ToString().ToLowerInvariant());
                json.WriteString("name", origin.Name);
                Text("license", license);
                json.WriteString("licenseSource", source);
            }

            void Text(string name, string? value)
            {
                if (value is null)
                {
                    json.WriteNull(name);
                }
                else
                {
                    json.WriteString(name, value);
                }
            }
        }

        return Encoding.UTF8.GetString(buffer.ToArray()) + "\n";
    }

    /// <summary>The page for people.</summary>
    public string Markdown(IReadOnlyList<Bill> bills)
    {
        var text = new StringBuilder();
        Line($"# What is in {(edition.Name.Length > 0 ? $"edition {Cell(edition.Name)}" : "the image")}");
        Line();
        Line($"Licence: {Code(edition.License)}. {(edition.IsPublic ? $"Anyone can get it: {string.Join(", ", edition.PublicDestinations.Select(Code))}." : "It goes to no public destination.")}");
        Line("This page names what other editions hold. Keep it where they are kept.");
        foreach (var (platform, bill) in WithPlatforms(bills))
        {
            Line();
            Line($"## Files{(platform.RuntimeIdentifier.Length > 0 ? $" for {platform.RuntimeIdentifier}" : string.Empty)}");
            foreach (var group in bill.Files.GroupBy(f => f.Origin.Kind).OrderBy(g => g.Key))
            {
                Line();
                Line($"### {Title(group.Key)}: {group.Count().ToString(CultureInfo.InvariantCulture)}");
                Line();
                Line("| file | from | licence | known from |");
                Line("| --- | --- | --- | --- |");
                foreach (var file in group)
                {
                    Line($"| {Code(file.Path)} | {Cell(file.Origin.Name)} | {Cell(file.License ?? "not known")} | {Cell(file.LicenseSource)} |");
                }
            }
        }

        Table("Inside those files (single file, native code)", "| file | from | licence |\n| --- | --- | --- |", OrderedInside
            .Select(f => $"| {Code(f.Path)} | {Cell(f.Origin.Name)} | {Cell(f.License ?? "not known")} |"));
        Table("Projects", "| project | licence |\n| --- | --- |", Projects.Select(p => $"| {Code(p.Path)} | {Cell(p.License)} |"));
        Table("Packages", "| package | licence | known from |\n| --- | --- | --- |", OrderedPackages.Select(p => $"| {Code($"{p.Id} {p.Version}")} | {Cell(p.License ?? "not known")} | {Cell(p.Source)} |"));
        Table("Licences that a PackageLicense item states", "| package | licence | reason |\n| --- | --- | --- |", OrderedOverrides.Select(o => $"| {Code($"{o.Id} {o.Version}".Trim())} | {Cell(o.License)} | {Cell(o.Reason)} |"));
        Table("Left out by evaluation", "| item | name | licence |\n| --- | --- | --- |", Removed.Distinct().Select(r => (r.Type, Name: Path.IsPathRooted(r.Name) ? world.Relative(r.Name) : r.Name, r.License)).Distinct()
            .OrderBy(r => r.Type, StringComparer.Ordinal).ThenBy(r => r.Name, StringComparer.Ordinal).Select(r => $"| {Cell(r.Type)} | {Code(r.Name)} | {Cell(r.License)} |"));
        Table("May not be here, and was looked for in everything above", "| file | licence | because | known again by |\n| --- | --- | --- | --- |", restricted.All.Select(f => (Name: world.Relative(f.Path), f.License, f.Because, How: restricted.TooSmall.Contains(f) ? "its path alone: it says too little" : "path, bytes, text"))
            .OrderBy(f => f.Name, StringComparer.Ordinal).Select(f => $"| {Code(f.Name)} | {Cell(f.License)} | {Cell(f.Because)} | {f.How} |"));
        Table("Projects and packages of other editions only", "| name | edition |\n| --- | --- |", foreign.ProjectsAndPackages.OrderBy(p => p.Key, StringComparer.OrdinalIgnoreCase).Select(p => $"| {Code(p.Key)} | {Cell(p.Value)} |"));
        if (foreign.NotBuilt.Count > 0)
        {
            Line();
            Line("## Not compared");
            Line();
            Line($"This publish did not build {string.Join(", ", foreign.NotBuilt.Select(n => $"edition {Cell(n)}"))}, so module version ids, types and resources of what it compiles were not looked for. Sources, files, projects and packages were.");
        }

        return text.ToString();

        void Line(string line = "") => text.Append(line).Append('\n');

        void Table(string title, string head, IEnumerable<string> rows)
        {
            var all = rows.ToList();
            if (all.Count > 0)
            {
                Line();
                Line($"## {title}");
                Line();
                Line(head);
                all.ForEach(Line);
            }
        }
    }

    // A platform whose build left no evidence has no bill.
    private IEnumerable<(PlatformEvidence Platform, Bill Bill)> WithPlatforms(IReadOnlyList<Bill> bills) => edition.Platforms.Where(world.Bills.ContainsKey).Zip(bills);

    private static string Title(OriginKind kind) => kind switch
    {
        OriginKind.Unexplained => "Unexplained",
        OriginKind.NotJudged => "Not judged",
        OriginKind.Project => "Compiled from projects",
        OriginKind.Package => "From packages",
        OriginKind.Content => "Copied as they are",
        OriginKind.Reference => "Referenced by path",
        _ => "Made by the .NET SDK",
    };

    /// <summary>Text from outside in a cell of a Markdown table: nothing of it is markup.</summary>
    private static string Cell(string text)
    {
        var result = new StringBuilder();
        foreach (var c in Primitives.PlainText.Visible(text))
        {
            if (c is '\\' or '|' or '<' or '>' or '[' or ']' or '*' or '_' or '`' or '!' or '#' or '&')
            {
                result.Append('\\');
            }

            result.Append(c);
        }

        return result.ToString();
    }

    private static string Code(string text)
    {
        // In code only the backtick and, in a table, the bar mean something.
        var plain = Primitives.PlainText.Visible(text).Replace("|", "\\|", StringComparison.Ordinal);
        return plain.Contains('`', StringComparison.Ordinal) ? Cell(text) : plain.Length == 0 ? string.Empty : $"`{plain}`";
    }
}
