using System.Globalization;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using FsCheck;
using FsCheck.Fluent;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Reporting;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Core.Verification;
using Registry.Sdk.Core.Versioning;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Core.Tests.Reporting;

public class ReportTests
{
    private const string Hostile = "x<img src=y>`|[z](javascript:1)**_#~!&\\\r\n::error::\u2028\u0007# h";

    private static readonly Digest Image = Digest.Of([1]);
    private static readonly Digest Before = Digest.Of([2]);

    private static ImageIdentity Ours => new(Image, "1.2.3", null, null, null);

    [Fact]
    public void The_table_of_a_finished_publish()
        => Assert.Equal(
            [
                "Api -> 1.2.3 (Release): tag v1.2.3 at HEAD",
                $"image {Image} on mcr.example/dotnet/aspnet@{Before}",
                "destination  tags  sent  mounted  skipped  time",
                "ghcr.io/a/b  v1.2.3 v1.2 latest(kept)  1.2 MB  2.0 kB  999 B  1.2 s",
                "docker.io/a/b  v1.2.3 v1.2 latest  0 B  0 B  1.23 GB  0.0 s",
                "ghcr.io/a/b: outsiders are refused (private)",
                "docker.io/a/b: outsiders are refused; make it public at https://hub.docker.com/repository/docker/a/b/settings",
                "quay.io/a/b: left out, it does not take release builds (On)",
                $"ghcr.io/a/b: v1.2 moved from {Before} to {Image} (1.2.2 to 1.2.3)",
                $"ghcr.io/a/b: latest kept at {Before}, not {Image} (names the newer 2.0.0)",
            ],
            ConsoleReport.Lines(Finished()).Select(l => Regex.Replace(l.Trim(), " {2,}", "  "))); // widths are below

    [Fact]
    public void Columns_line_up()
    {
        var lines = ConsoleReport.Lines(Finished()).Where(l => l.StartsWith("    destination ", StringComparison.Ordinal) || l.StartsWith("    ghcr.io/a/b ", StringComparison.Ordinal) || l.StartsWith("    docker.io/a/b ", StringComparison.Ordinal)).ToList();
        Assert.Equal(3, lines.Count);
        foreach (var column in new[] { "tags", "sent", "mounted", "skipped", "time" })
        {
            var at = lines[0].IndexOf(column, StringComparison.Ordinal);
            Assert.All(lines, l => Assert.True(l[at - 1] == ' ' && l[at] != ' ', l));
        }
    }

    [Fact]
    public void What_is_unfinished_is_called_pending_everywhere()
    {
        var report = Failed();
        Assert.Contains(ConsoleReport.Lines(report), l => l.Contains("v1.2.3(pending) v1.2(pending) latest(pending)", StringComparison.Ordinal));
        Assert.Contains("v1.2.3 **pending**, v1.2 **pending**, latest **pending**", GitHubReport.Summary(report));
        Assert.Equal(3, Regex.Count(Receipt.Write(report), "\"state\": \"pending\""));
        Assert.DoesNotContain("pending", string.Join('\n', [.. ConsoleReport.Lines(Finished()), GitHubReport.Summary(Finished()), Receipt.Write(Finished())]));
        // An image that is not tagged yet is not announced as there.
        Assert.Equal("[]", Outputs(report)["images"]);
        Assert.Equal("", Outputs(report)["digest"]);
    }

    [Fact]
    public void What_was_sent_again_and_waited_for_is_told_where_it_was_and_nowhere_else()
    {
        var calm = Finished();
        Assert.DoesNotContain(ConsoleReport.Lines(calm), l => l.Contains("again", StringComparison.Ordinal) || l.Contains("waited", StringComparison.Ordinal));
        Assert.DoesNotContain("again", GitHubReport.Summary(calm));

        var first = calm.Transfer!.Destinations[0];
        var report = calm with
        {
            Transfer = new([first with { BytesSentAgain = 40_300_000 }, calm.Transfer.Destinations[1]], []),
            Waits = [new("api.github.com", TimeSpan.FromSeconds(1)), new("ghcr.io", TimeSpan.FromSeconds(75.25))],
        };
        string[] told = ["ghcr.io/a/b: 40.3 MB had to be sent again", "api.github.com was waited for: 1 second in all", "ghcr.io was waited for: 76 seconds in all"];
        Assert.Equal(told, ConsoleReport.Lines(report).Select(l => l.Trim()).Where(told.Contains));
        Assert.Equal(told.Select(t => "- " + t), GitHubReport.Summary(report).Split('\n').Where(l => told.Contains(l.TrimStart('-', ' '))));
        Assert.DoesNotContain(ConsoleReport.Lines(report), l => l.Contains("docker.io/a/b: 0 B", StringComparison.Ordinal));

        var receipt = JsonNode.Parse(Receipt.Write(report))!;
        Assert.Equal([40_300_000, 0], receipt["images"]![0]!["destinations"]!.AsArray().Where(d => d!["leftOut"] is null).Select(d => d!["bytesSentAgain"]!.GetValue<long>()));
        Assert.Equal([("api.github.com", 1), ("ghcr.io", 75.25)], receipt["waits"]!.AsArray().Select(w => (w!["host"]!.GetValue<string>(), w["seconds"]!.GetValue<double>())));
    }

    [Fact]
    public void Nothing_to_push_is_one_line_with_the_reason()
    {
        var report = Finished() with { Plan = new([], [new(Destination("ghcr.io/a/b"), "it does not take pr builds (On)")]), Transfer = new([], []), Verification = null };
        Assert.Equal("    nothing to push: ghcr.io/a/b: it does not take pr builds (On)", ConsoleReport.Lines(report)[^1]);
    }

    [Fact]
    public void Each_edition_has_its_image_and_its_destinations_in_every_report()
    {
        var report = Editions();
        var (community, enterprise, trial) = (report.Images[0].Digest, report.Images[1].Digest, report.Images[2].Digest);
        var lines = ConsoleReport.Lines(report).Select(l => Regex.Replace(l.Trim(), " {2,}", "  ")).ToList();
        Assert.Equal(
            [
                $"community: image {community} on mcr.example/dotnet/aspnet@{Before}",
                $"enterprise: image {enterprise} on mcr.example/dotnet/aspnet@{Before}",
                $"trial: image {trial} on mcr.example/dotnet/aspnet@{Before}",
                "trial: no destination takes this edition; it was built and proven",
            ],
            lines[1..5]);
        Assert.Equal(["destination", "ghcr.io/a/b", "docker.io/a/b", "ghcr.io/a/b:", "docker.io/a/b:", "quay.io/a/b:"], lines[5..11].Select(l => l.Split(' ')[0]));

        var receipt = JsonNode.Parse(Receipt.Write(report))!;
        var images = ((JsonArray)receipt["images"]!).Select(i => (
            Edition: i!["edition"]!.GetValue<string>(), Licenses: i["licenses"]!.GetValue<string>(), Wall: i["wall"]!.GetValue<string>(), Digest: i["digest"]!.GetValue<string>(),
            Destinations: string.Join(' ', ((JsonArray)i["destinations"]!).Select(d => $"{d!["name"]}={d["digest"] ?? d["leftOut"]}"))));
        Assert.Equal(
            [
                ("community", "MIT", "passed", $"{community}", $"ghcr.io/a/b={community} quay.io/a/b=it does not take release builds (On)"),
                ("enterprise", "BUSL-1.1", "passed", $"{enterprise}", $"docker.io/a/b={enterprise}"),
                ("trial", "MIT", "passed", $"{trial}", ""),
            ],
            images);
        Assert.Empty((JsonArray)receipt["leftOut"]!);
        Assert.Equal("No destination takes the edition trial", Assert.Single((JsonArray)receipt["notes"]!)!.GetValue<string>());

        // No digest is the digest of several editions.
        var outputs = Outputs(report);
        Assert.Equal(["version", "tags", "images"], outputs.Keys);
        Assert.Equal([("ghcr.io/a/b", "community", $"{community}"), ("docker.io/a/b", "enterprise", $"{enterprise}")], Announced(outputs));
        Assert.Contains($"\n\ncommunity: `{community}`\n\nenterprise: `{enterprise}`\n\n", GitHubReport.Summary(report));
    }

    [Fact]
    public void Destinations_of_editions_that_are_not_published_are_in_the_receipt_and_the_one_digest_is_announced()
    {
        var report = OneOfTwo();
        var receipt = JsonNode.Parse(Receipt.Write(report))!;
        Assert.Equal("enterprise", Assert.Single((JsonArray)receipt["images"]!)!["edition"]!.GetValue<string>());
        var left = Assert.Single((JsonArray)receipt["leftOut"]!)!;
        Assert.Equal(("ghcr.io/a/b", "community", "-p:ContainerEdition publishes enterprise alone"), (left["name"]!.GetValue<string>(), left["edition"]!.GetValue<string>(), left["leftOut"]!.GetValue<string>()));
        Assert.Contains("    ghcr.io/a/b: left out, -p:ContainerEdition publishes enterprise alone", ConsoleReport.Lines(report));
        Assert.Equal(report.Images[0].Digest.ToString(), Outputs(report)["digest"]);
    }

    [Theory]
    [InlineData("", null, "off")]
    [InlineData("MIT", null, "passed")]
    [InlineData("MIT", "ghcr.io/a/b", null)]
    public void The_receipt_says_whether_the_wall_was_asked(string license, string? releasedAt, string? wall)
    {
        var report = Finished();
        var image = JsonNode.Parse(Receipt.Write(report with { Images = [new("", license, report.Images[0].Image with { ReleasedAt = releasedAt })] }))!["images"]![0]!;
        Assert.Equal((null, license.Length > 0 ? license : null, wall), (image["edition"], image["licenses"]?.GetValue<string>(), image["wall"]?.GetValue<string>()));
    }

    [Theory]
    [InlineData(0, "0 B")]
    [InlineData(999, "999 B")]
    [InlineData(1000, "1.0 kB")]
    [InlineData(1_234_567, "1.2 MB")]
    [InlineData(1_234_567_890, "1.23 GB")]
    public void Bytes(long bytes, string text) => Assert.Equal(text, ConsoleReport.Bytes(bytes));

    public static TheoryData<string> Reports => ["finished", "failed", "planned", "nothing known", "hostile", "editions", "one edition of two"];

    [Theory]
    [MemberData(nameof(Reports))]
    public void Every_receipt_is_what_the_schema_says(string name)
    {
        var schema = new JsonSchema((JsonObject)JsonNode.Parse(File.ReadAllText(RepositoryFiles.At("docs", "receipt.schema.json")))!);
        var receipt = Receipt.Write(Report(name));
        Assert.Empty(schema.Validate(JsonNode.Parse(receipt)));
        Assert.EndsWith("}\n", receipt);
        Assert.DoesNotContain('\r', receipt);

        // And the validator can say no: for every member of the top level, without it and with another type in it.
        foreach (var member in ((JsonObject)JsonNode.Parse(receipt)!).Select(m => m.Key))
        {
            var without = (JsonObject)JsonNode.Parse(receipt)!;
            without.Remove(member);
            Assert.Equal([$"$: lacks {member}"], schema.Validate(without));
            var strange = (JsonObject)JsonNode.Parse(receipt)!;
            strange[member] = new JsonObject { ["strange"] = 1 };
            Assert.NotEmpty(schema.Validate(JsonNode.Parse(strange.ToJsonString())));
        }
    }

    [Fact]
    public void The_schema_refuses_what_is_wrong_deep_inside()
    {
        var schema = new JsonSchema((JsonObject)JsonNode.Parse(File.ReadAllText(RepositoryFiles.At("docs", "receipt.schema.json")))!);
        foreach (var (path, value) in new (string, JsonNode?)[]
        {
            ("images.0.digest", "sha256:short"), ("images.0.platforms.0.layers.0.size", -1), ("images.0.platforms.0.layers.0.size", 1.5), ("images.0.destinations.0.tags.0.state", "done"),
            ("images.0.destinations.0.visibility.after", "secret"), ("images.0.destinations.0.visibility.api", "secret"), ("images.0.destinations.0.visibility.click", 7),
            ("images.0.destinations.0.visibility.evidence.0.at", "yesterday"), ("images.0.destinations.0.visibility.evidence.0.answer", 200), ("images.0.destinations.2.leftOut", 7), ("images.0.platforms.0.labels.x", 7), ("diagnostics.0.code", "CS1234"), ("secrets.lifted.0.fingerprint", "123"), ("secrets.files", -1), ("secrets.lifted.0.reason", 7), ("tags.0.name", "a b"),
        })
        {
            var receipt = JsonNode.Parse(Receipt.Write(Finished()))!;
            var parts = path.Split('.');
            var node = parts.SkipLast(1).Aggregate(receipt, (n, p) => int.TryParse(p, out var i) ? n[i]! : n[p]!);
            node[parts[^1]] = value;
            Assert.True(schema.Validate(JsonNode.Parse(receipt.ToJsonString())).Count > 0, path);
        }
    }

    [Fact]
    public void Who_can_see_it_and_what_is_left_to_click_is_in_the_summary_and_the_receipt()
    {
        Assert.Contains("\n- docker.io/a/b: outsiders are refused; make it public at https&#58;//hub.docker.com/repository/docker/a/b/settings [settings](<https://hub.docker.com/repository/docker/a/b/settings>)\n", GitHubReport.Summary(Finished()));
        var visibility = JsonNode.Parse(Receipt.Write(Finished()))!["images"]![0]!["destinations"]!.AsArray().Take(2).Select(d => d!["visibility"]!.ToJsonString()).ToList();
        Assert.Equal(
            [
                """{"declared":"private","before":"refused","after":"refused","api":"private","linkedRepository":"a/src","click":null,"evidence":[{"request":"GET https://api.github.com/orgs/a/packages/container/b","answer":"200, visibility private","at":"1970-01-01T00:00:00.000Z"}]}""",
                """{"declared":null,"before":"refused","after":"refused","api":null,"linkedRepository":null,"click":"make it public at https://hub.docker.com/repository/docker/a/b/settings","evidence":[]}""",
            ],
            visibility);
    }

    [Fact]
    public void A_label_that_holds_a_secret_is_not_in_the_receipt()
    {
        var report = Finished();
        var receipt = Receipt.Write(report with { Secrets = report.Secrets! with { HiddenLabels = new HashSet<string>(StringComparer.Ordinal) { "a" } } });

        Assert.Equal("***", JsonNode.Parse(receipt)!["images"]![0]!["platforms"]![0]!["labels"]!["a"]!.GetValue<string>());
        Assert.Equal(Hostile, JsonNode.Parse(Receipt.Write(report))!["images"]![0]!["platforms"]![0]!["labels"]!["a"]!.GetValue<string>());
    }

    [Fact]
    public void Every_output_is_one_value_whatever_is_in_it()
    {
        var outputs = Outputs(Finished());
        Assert.Equal(["version", "tags", "images", "digest"], outputs.Keys);
        Assert.Equal(("1.2.3", "v1.2.3 v1.2 latest", Image.ToString()), (outputs["version"], outputs["tags"], outputs["digest"]));
        var images = (JsonArray)JsonNode.Parse(outputs["images"])!;
        Assert.Equal(["ghcr.io/a/b", "docker.io/a/b"], images.Select(i => i!["name"]!.GetValue<string>()));
        Assert.Equal([("ghcr.io/a/b", null, $"{Image}"), ("docker.io/a/b", null, $"{Image}")], Announced(outputs));

        Prop.ForAll<NonNull<string>>(text =>
        {
            var value = text.Get + "\nrsdk_\nversion<<EOF\nevil\nEOF\r\n" + text.Get;
            var read = Outputs(Finished() with { Version = Finished().Version! with { Version = value } });
            return read.Keys.SequenceEqual(["version", "tags", "images", "digest"]) && read["version"] == value.ReplaceLineEndings(" ");
        }).Check(Config.QuickThrowOnFailure);

        // Nobody can know the delimiter before.
        Assert.NotEqual(GitHubReport.Outputs(Finished()).Split('\n')[0], GitHubReport.Outputs(Finished()).Split('\n')[0]);
    }

    [Fact]
    public void A_hostile_name_is_text_in_the_summary()
    {
        var summary = GitHubReport.Summary(Report("hostile"));
        Assert.DoesNotContain("<img", summary);
        Assert.DoesNotContain("\n::error::", summary);
        Assert.DoesNotContain("\n# h", summary);
        // Every line is one of ours; the names made none.
        Assert.All(summary.Split('\n'), l => Assert.True(l.Length == 0 || l.StartsWith("### Api", StringComparison.Ordinal) || l.StartsWith("| ", StringComparison.Ordinal) || l.StartsWith("- **", StringComparison.Ordinal) || l.StartsWith("- ghcr.io/", StringComparison.Ordinal) || l.StartsWith("- docker.io/", StringComparison.Ordinal) || l.StartsWith('`') || l.StartsWith("branch ", StringComparison.Ordinal), l));
        Assert.All(summary.Split('\n').Where(l => l.StartsWith("| ", StringComparison.Ordinal)), l => Assert.Equal(6, Regex.Count(l, @"(?<!\\)\|")));
    }

    /// <summary>GitHub makes links of addresses and tells people who are mentioned; and direction marks show another text than there is.</summary>
    [Theory]
    [InlineData("ask @all", "ask &#64;all")]
    [InlineData("see https://evil.example", "see https&#58;//evil.example")]
    [InlineData("see www.evil.example, not w.ww or WWW.x", "see www&#46;evil.example, not w.ww or WWW&#46;x")]
    [InlineData("a\u202egpj.exe\u2066b\u200bc\u00add\U000e0041e", "agpj.exebcde")]
    [InlineData("😀 é 日本語", "😀 é 日本語")]
    public void Escaped(string text, string expected) => Assert.Equal(expected, GitHubReport.Escape(text));

    [Fact]
    public void A_person_reads_no_characters_that_turn_text_round()
    {
        var report = Finished() with { Version = Finished().Version! with { Reason = "branch x\u202eniam\u2069\U000e0041\u0007\r\n::error::y" } };
        Assert.Equal("Api -> 1.2.3 (Release): branch xniam  ::error::y", ConsoleReport.Lines(report)[0]);
    }

    [Fact]
    public void Sizes_that_no_number_holds_are_the_greatest_number()
    {
        var report = Finished();
        var plan = report.Plan!.Destinations[0];
        var layer = new BlobPlan(new(MediaTypes.OciLayerGzip, Digest.Of([9]), long.MaxValue), BlobAction.Send, null, null);
        var lines = ConsoleReport.Lines(report with { Plan = report.Plan with { Destinations = [plan with { Blobs = [layer, layer, layer] }] }, Transfer = null, PlanOnly = true });
        Assert.Contains(lines, l => l.Contains("to send 9223372036.85 GB", StringComparison.Ordinal));
    }

    [Fact]
    public void Escaped_text_reads_as_it_was_and_holds_nothing_that_means_anything()
        => Prop.ForAll<NonNull<string>>(text =>
        {
            var escaped = GitHubReport.Escape(text.Get + Hostile);
            var plain = Regex.Replace(escaped, @"\\(.)", "$1").Replace("&lt;", "<").Replace("&gt;", ">").Replace("&#64;", "@").Replace("&#58;", ":").Replace("&#46;", ".").Replace("&amp;", "&");
            var expected = string.Concat((text.Get + Hostile).ReplaceLineEndings(" ").EnumerateRunes()
                .Where(r => Rune.GetUnicodeCategory(r) != UnicodeCategory.Format).Select(r => Rune.IsControl(r) ? " " : r.ToString()));
            return plain == expected && !Regex.IsMatch(escaped, @"(?<!\\)(\\\\)*[`*_\[\]|~!]|(?<![\\&])#|[<>@\r\n]|://");
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));

    private static IEnumerable<(string Name, string? Edition, string Digest)> Announced(Dictionary<string, string> outputs)
        => ((JsonArray)JsonNode.Parse(outputs["images"])!).Select(i => (i!["name"]!.GetValue<string>(), i["edition"]?.GetValue<string>(), i["digest"]!.GetValue<string>()));

    private static Dictionary<string, string> Outputs(PublishReport report)
    {
        // As the runner reads it: name<<delimiter, lines, delimiter.
        var result = new Dictionary<string, string>(StringComparer.Ordinal);
        var lines = new Queue<string>(GitHubReport.Outputs(report).Split('\n'));
        while (lines.TryDequeue(out var head) && head.Length > 0)
        {
            var (name, delimiter) = (head[..head.IndexOf("<<", StringComparison.Ordinal)], head[(head.IndexOf("<<", StringComparison.Ordinal) + 2)..]);
            var value = new List<string>();
            while (lines.Dequeue() is var line && line != delimiter)
            {
                value.Add(line);
            }

            result.Add(name, string.Join('\n', value));
        }

        return result;
    }

    private static PublishReport Report(string name) => name switch
    {
        "finished" => Finished(),
        "failed" => Failed(),
        "planned" => Finished() with { PlanOnly = true, Transfer = null, Verification = null },
        "editions" => Editions(),
        "one edition of two" => OneOfTwo(),
        "nothing known" => new() { Project = "Api", Configuration = "Release", Diagnostics = [DiagnosticCodes.NotARepository.Report("no")] },
        _ => Finished() with
        {
            Facts = Facts(Hostile),
            Version = Finished().Version! with { Kind = BuildKinds.Branch, Reason = "branch " + Hostile, Branch = Hostile },
            Diagnostics = [DiagnosticCodes.UnlabelledMove.Report(Hostile)],
        },
    };

    private static PublishReport Finished()
    {
        var tags = new ImageTag[] { new("v1.2.3", false, "v{version}"), new("v1.2", true, "v{major}.{minor}"), new("latest", true, "latest") };
        var manifest = new ManifestContent(new(MediaTypes.OciManifest, Image, 500), []);
        var config = new Descriptor(MediaTypes.OciConfig, Digest.Of([3]), 300);
        var (one, two) = (Destination("ghcr.io/a/b") with { Visibility = Visibility.Private }, Destination("docker.io/a/b"));
        var image = new EditionImage("", "", new("/layout", manifest, [new(
            new("linux", "amd64"), manifest, config, [], [new(new(MediaTypes.OciLayerGzip, Digest.Of([4]), 700), Digest.Of([5]), LayerOrigin.Base, "base")],
            new("mcr.example/dotnet/aspnet:10.0", "mcr.example/dotnet/aspnet", Before), new Dictionary<string, string>(StringComparer.Ordinal) { ["a"] = Hostile }, 0)]));
        DestinationPlan Plan(Destination d) => new(d, image, Ours, [new(config, BlobAction.Send, null, null)], new HashSet<Digest> { Image }, [.. tags.Select(t => new TagPlan(t, TagAction.Create, null, "new"))], ObservedVisibility.Refused);
        return new()
        {
            Project = "Api",
            Configuration = "Release",
            Facts = Facts("main"),
            Version = new() { Kind = BuildKinds.Release, Version = "1.2.3", Tags = tags, Reason = "tag v1.2.3 at HEAD" },
            Images = [image],
            Secrets = new(
                3, 1000, [], [new(new("jwt", "a JSON web token", "/app/x.json, line 2", "app/x.json", "0123456789abcdef", [""]), new("x.json", Hostile))], ["/app/x.zip (it can't be unpacked)"], [],
                new HashSet<string>(StringComparer.Ordinal)),
            Plan = new([Plan(one), Plan(two)], [new(Destination("quay.io/a/b"), "it does not take release builds (On)")]),
            Transfer = new(
                [
                    new() { Destination = one, Image = image, HoldsImage = true, BytesSent = 1_234_567, BytesMounted = 2000, BytesSkipped = 999, Duration = TimeSpan.FromSeconds(1.23), Tags = [new(tags[0], TagState.Created, null, "new"), new(tags[1], TagState.Moved, Before, "1.2.2 to 1.2.3"), new(tags[2], TagState.Kept, Before, "names the newer 2.0.0")] },
                    new() { Destination = two, Image = image, HoldsImage = true, BytesSkipped = 1_234_567_890, Tags = [.. tags.Select(t => new TagResult(t, TagState.Kept, Image, "names this image"))] },
                ],
                []),
            Verification = new(
                [
                    new(one, ObservedVisibility.Refused) { Observation = new(ObservedVisibility.Refused, [], new("private", true, "a/src")), Evidence = [new("GET https://api.github.com/orgs/a/packages/container/b", "200, visibility private", DateTimeOffset.UnixEpoch)] },
                    new(two, ObservedVisibility.Refused) { Click = "make it public at https://hub.docker.com/repository/docker/a/b/settings", Links = ["https://hub.docker.com/repository/docker/a/b/settings"] },
                ], []),
            Diagnostics = [DiagnosticCodes.UnlabelledMove.Report("a warning")],
            Duration = TimeSpan.FromSeconds(12.3456789),
        };
    }

    /// <summary>The first destination gets one edition, the second another; a third edition goes nowhere.</summary>
    private static PublishReport Editions()
    {
        var report = Finished();
        var image = report.Images[0].Image;
        EditionImage Of(string name, string license, byte seed) => new(name, license, image with { Manifest = new(new(MediaTypes.OciManifest, Digest.Of([seed]), 500), []) });
        var images = new[] { Of("community", "MIT", 11), Of("enterprise", "BUSL-1.1", 12), Of("trial", "MIT", 13) };
        var named = report.Plan!.Destinations.Zip(images, (d, i) => (Image: i, Destination: d.Destination with { Edition = i.Edition })).ToList();
        return report with
        {
            Images = images,
            Notes = ["No destination takes the edition trial"],
            Plan = new(
                [.. report.Plan.Destinations.Zip(named, (d, n) => d with { Destination = n.Destination, Image = n.Image })],
                [report.Plan.LeftOut[0] with { Destination = report.Plan.LeftOut[0].Destination with { Edition = "community" } }]),
            Transfer = new([.. report.Transfer!.Destinations.Zip(named, (d, n) => d with { Destination = n.Destination, Image = n.Image, Tags = [.. d.Tags.Select(t => t with { State = TagState.Created, Before = null })] })], []),
            Verification = new([.. report.Verification!.Destinations.Zip(named, (d, n) => d with { Destination = n.Destination })], []),
        };
    }

    /// <summary><c>-p:ContainerEdition=enterprise</c>.</summary>
    private static PublishReport OneOfTwo()
    {
        var report = Editions();
        return report with
        {
            Images = [report.Images[1]],
            Notes = [],
            Plan = new([report.Plan!.Destinations[1]], [new(report.Plan.Destinations[0].Destination, "-p:ContainerEdition publishes enterprise alone")]),
            Transfer = new([report.Transfer!.Destinations[1]], []),
            Verification = new([report.Verification!.Destinations[1]], []),
        };
    }

    private static PublishReport Failed()
    {
        var report = Finished();
        var first = report.Transfer!.Destinations[0];
        return report with
        {
            Waits = [new("ghcr.io", TimeSpan.FromSeconds(1.5))],
            Transfer = new([first with { BytesSentAgain = 1, HoldsImage = false, Tags = [.. first.Tags.Select(t => t with { State = TagState.Pending })] }], []),
            Verification = null,
            Diagnostics = [DiagnosticCodes.TransferFailed.Report("failed")],
        };
    }

    private static BuildFacts Facts(string branch) => new(
        new() { State = GitState.Ok, Commit = new string('a', 40), Branch = branch, CommitTime = DateTimeOffset.UnixEpoch },
        new() { Service = "GitHub Actions", RunUrl = "https://github.com/a/b/actions/runs/1" }, null);

    private static Destination Destination(string text)
    {
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        Assert.True(RegistryHost.TryParse(text[..slash], out var host));
        return new(new RepositoryReference(host, text[(slash + 1)..]), Visibility.Undeclared, DestinationParser.DefaultOn, []);
    }
}
