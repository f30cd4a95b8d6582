using System.Text.Json.Nodes;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Publishing;

/// <summary>Secrets stop a public publish before anything is sent, are a warning elsewhere, and are printed nowhere.</summary>
public sealed class SecretStopTests(Registries registries) : IClassFixture<Registries>, IAsyncLifetime
{
    private Bench bench = null!;

    public async Task InitializeAsync()
    {
        bench = await Bench.CreateAsync(registries);
        // No licence is declared, so a release may be copied.
        bench.Request = bench.Request with { Destinations = [Public], Editions = [new()] };
    }

    public async Task DisposeAsync() => await bench.DisposeAsync();

    private DestinationItem Public => new($"{bench.Open.Host}/{bench.Name}", Visibility: "public");

    private DestinationItem Private => new($"{bench.Closed.Host}/{bench.Name}", Visibility: "private");

    [Fact]
    public async Task Every_planted_secret_is_told_with_file_line_and_rule_nothing_is_sent_and_no_value_is_printed()
    {
        foreach (var planted in PlantedSecrets.All)
        {
            Plant(planted.Path, planted.Content);
        }

        var password = PlantedSecrets.Password();
        var tokens = Enumerable.Range(0, 5).Select(_ => PlantedSecrets.GitHub()).ToList();
        bench.Platform = bench.Platform with
        {
            Settings = bench.Platform.Settings with
            {
                Environment = [new("SMTP_PASSWORD", password), new("NOTHING", tokens[0])],
                Labels = [new("com.acme.note", $"use {tokens[1]}"), new("com.acme.fine", "fine")],
                AppCommandArgs = ["--token", tokens[2]],
            },
        };
        // A file that is called after what it holds.
        Plant($"{tokens[3]}.txt", System.Text.Encoding.UTF8.GetBytes(tokens[3]));

        var published = await bench.PublishAsync();

        var messages = published.Errors.Where(e => e.Code == "RSDK4030").Select(e => e.Message).ToList();
        Assert.All(published.Errors, e => Assert.Equal("RSDK4030", e.Code));
        // Fifty one by one, the others by their files.
        Assert.Equal(51, messages.Count);
        Assert.Contains("nothing was sent", messages[0], StringComparison.Ordinal);
        Assert.Contains($"{bench.Open.Host}/{bench.Name}", messages[0], StringComparison.Ordinal);
        Assert.Equal(PlantedSecrets.All.Count + 5, published.Report.Secrets!.Findings.Count);
        Assert.All(PlantedSecrets.All, p => Assert.Contains(published.Report.Secrets.Findings, f => f.Rule == p.Rule && f.Path?.StartsWith("app/" + p.Path.Replace("/.git/HEAD", "/.git", StringComparison.Ordinal), StringComparison.Ordinal) == true && (p.Line is null || f.Place.EndsWith($", line {p.Line}", StringComparison.Ordinal))));
        Assert.Contains(published.Report.Secrets.Findings, f => f is { Rule: "variable", Place: "the environment variable SMTP_PASSWORD" });
        Assert.Contains(published.Report.Secrets.Findings, f => f is { Rule: "github-token", Place: "the environment variable NOTHING" });
        Assert.Contains(published.Report.Secrets.Findings, f => f is { Rule: "github-token", Place: "the label com.acme.note" });
        Assert.Contains(published.Report.Secrets.Findings, f => f is { Rule: "github-token", Place: "the entrypoint" or "the command" });
        Assert.Contains(published.Report.Secrets.Findings, f => f.Place == "/app/***.txt, line 1");
        Assert.Empty(bench.Targets.SelectMany(t => t.Writes));
        AssertNotPrinted(published, [.. PlantedSecrets.All.Select(p => p.Value), password, .. tokens]);
        Assert.Contains("\"com.acme.note\": \"***\"", published.Receipt, StringComparison.Ordinal);
        Assert.Contains("\"com.acme.fine\": \"fine\"", published.Receipt, StringComparison.Ordinal);
    }

    /// <summary>What a shell is given is one word of the command.</summary>
    [Fact]
    public async Task A_password_in_the_line_that_a_shell_is_given_is_found()
    {
        var password = PlantedSecrets.Password();
        bench.Platform = bench.Platform with
        {
            Settings = bench.Platform.Settings with { Entrypoint = ["sh", "-c", $"export PGPASSWORD='{password}'; exec ./app --quiet"] },
        };

        var published = await bench.PublishAsync();

        Assert.Equal("RSDK4030", Assert.Single(published.Errors).Code);
        Assert.Equal("the entrypoint", Assert.Single(published.Report.Secrets!.Findings).Place);
        AssertNotPrinted(published, [password]);
    }

    [Fact]
    public async Task A_few_secrets_are_errors_one_by_one()
    {
        var token = PlantedSecrets.GitHub();
        bench.Write("appsettings.Demo.json", $"{{\n  \"Token\": \"{token}\"\n}}");

        var published = await bench.PublishAsync();

        var error = Assert.Single(published.Errors);
        var fingerprint = Fingerprint("github-token", token);
        Assert.Equal(
            $"/app/appsettings.Demo.json, line 2: a GitHub token (rule github-token, fingerprint {fingerprint}). Anyone could read it at {bench.Open.Host}/{bench.Name}; nothing was sent. Take it out, and replace it by another where it is in use; if it is none or may be known, add <ContainerSecretAllow Include=\"/app/appsettings.Demo.json\" Reason=\"…\" /> (or Include=\"fingerprint:{fingerprint}\", for this one alone).",
            error.Message);
        Assert.Empty(bench.Targets.SelectMany(t => t.Writes));
        Assert.Null(published.Report.Plan);
        AssertNotPrinted(published, [token]);
    }

    [Fact]
    public async Task Where_no_destination_is_public_it_is_a_warning_and_of_many_a_handful()
    {
        bench.Request = bench.Request with { Destinations = [Private] };
        var tokens = Enumerable.Range(0, 9).Select(_ => PlantedSecrets.GitHub()).ToList();
        bench.Write("many.txt", string.Join('\n', tokens));

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        var warnings = published.Report.Diagnostics.Where(d => d.Code == "RSDK4031").Select(d => d.Message).ToList();
        Assert.Equal(6, warnings.Count);
        Assert.Equal("And 4 more secrets in /app/many.txt.", warnings[^1]);
        Assert.NotEmpty(bench.Closed.Writes);
        AssertNotPrinted(published, tokens);
    }

    [Fact]
    public async Task A_warning_that_the_build_raises_to_an_error_stops_the_publish_before_anything_is_sent()
    {
        bench.Request = bench.Request with { Destinations = [Private], RaisesToError = code => code == "RSDK4031" };
        bench.Write("x.txt", PlantedSecrets.GitHub());

        Assert.Equal(["RSDK4031"], (await bench.PublishAsync()).Errors.Select(e => e.Code));
        Assert.Empty(bench.Targets.SelectMany(t => t.Writes));
    }

    [Theory]
    [InlineData("demo.txt")]
    [InlineData("/app/demo.txt")]
    [InlineData("./demo.txt")]
    [InlineData("**/*.txt")]
    [InlineData("app/*")]
    [InlineData("fingerprint:")]
    public async Task What_an_item_lifts_goes_out_and_is_recorded_with_its_reason(string include)
    {
        var token = PlantedSecrets.GitHub();
        bench.Write("demo.txt", token);
        var fingerprint = Fingerprint("github-token", token);
        include = include == "fingerprint:" ? include + fingerprint : include;
        bench.Request = bench.Request with { SecretAllowed = [new(include, "it was revoked in May")] };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.DoesNotContain(published.Codes, c => c.StartsWith("RSDK403", StringComparison.Ordinal));
        var secrets = JsonNode.Parse(published.Receipt)!["secrets"]!;
        Assert.Equal(0, secrets["found"]!.GetValue<int>());
        var lifted = Assert.Single(secrets["lifted"]!.AsArray())!;
        Assert.Equal(
            ("/app/demo.txt, line 1", "github-token", fingerprint, include, "it was revoked in May"),
            (Text("place"), Text("rule"), Text("fingerprint"), Text("by"), Text("reason")));
        AssertNotPrinted(published, [token]);

        string Text(string member) => lifted[member]!.GetValue<string>();
    }

    [Fact]
    public async Task An_item_for_another_file_or_case_lifts_nothing_and_is_told()
    {
        bench.Write("demo.txt", PlantedSecrets.GitHub());
        bench.Request = bench.Request with { SecretAllowed = [new("Demo.txt", "r"), new("demo", "r"), new("fingerprint:0123456789abcdef", "r")] };

        var published = await bench.PublishAsync();

        Assert.Equal(["RSDK4030"], published.Errors.Select(e => e.Code));
        Assert.Equal(3, published.Codes.Count(c => c == "RSDK4033"));
    }

    [Theory]
    [InlineData("demo.txt", "")]
    [InlineData("demo.txt", "  ")]
    [InlineData("fingerprint:123", "r")]
    [InlineData("fingerprint:0123456789abcdeg", "r")]
    public async Task An_item_without_reason_or_with_no_fingerprint_is_an_error_before_anything_is_read(string include, string reason)
    {
        bench.Request = bench.Request with { SecretAllowed = [new(include, reason)] };

        Assert.Equal(["RSDK4032"], (await bench.PublishAsync()).Errors.Select(e => e.Code));
        Assert.Empty(bench.Targets.SelectMany(t => t.Requests));
    }

    [Fact]
    public async Task A_layer_from_the_cache_is_searched_as_well()
    {
        bench.Request = bench.Request with { Destinations = [Private], CacheDirectory = bench.Outside("cache"), CacheSize = "100" };
        bench.Write("x.txt", PlantedSecrets.GitHub());
        (await bench.PublishAsync()).EnsureSucceeded();
        bench.Request = bench.Request with { Destinations = [Public] };

        var published = await bench.PublishAsync();

        Assert.Equal(["RSDK4030"], published.Errors.Select(e => e.Code));
        Assert.Contains(published.Image.Platforms[0].Layers, l => l.Origin == LayerOrigin.Cached);
    }

    /// <summary>A release that was private until now is copied to a public registry: its layers of ours are fetched and searched before anything is sent.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_release_that_is_copied_to_a_public_destination_is_searched_and_stopped(bool inLayer)
    {
        var token = PlantedSecrets.GitHub();
        if (inLayer)
        {
            bench.Write("x.txt", token);
        }
        else
        {
            bench.Platform = bench.Platform with { Settings = bench.Platform.Settings with { Environment = [new("X", token)] } };
        }

        bench.Request = bench.Request with { Destinations = [Private] };
        (await bench.PublishAsync()).EnsureSucceeded();
        bench.Forget();
        bench.Request = bench.Request with { Destinations = [Private, Public], Platforms = [] };

        var published = await bench.PublishAsync();

        Assert.NotNull(published.Image.ReleasedAt);
        Assert.Equal(["RSDK4030"], published.Errors.Select(e => e.Code));
        Assert.Empty(bench.Targets.SelectMany(t => t.Writes));
        AssertNotPrinted(published, [token]);
    }

    [Fact]
    public async Task The_base_images_layers_are_not_fetched_to_be_searched()
    {
        var repository = $"dotnet/told-{Guid.NewGuid():N}";
        using (var client = registries.Base.CreateClient())
        {
            await Seed.PushAsync(client, repository, "10.0", new SeedImage { History = true });
        }

        bench.Platform = bench.Platform with { BaseRepository = repository };
        bench.Request = bench.Request with { Destinations = [Private] };
        var first = (await bench.PublishAsync()).EnsureSucceeded();
        first.Image.Platforms[0].Layers.ToList().ForEach(l => File.Delete(first.Image.BlobPath(l.Descriptor.Digest)));
        bench.Forget();
        bench.Request = bench.Request with { Destinations = [Private, Public], PlanOnly = true };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        var own = ReleasedImageSource.OwnLayers(published.Image.Platforms[0]);
        Assert.NotEmpty(own);
        Assert.True(own.Count < published.Image.Platforms[0].Layers.Count);
        var fetched = bench.Closed.Requests.Where(r => r.Method == "GET" && r.Path.Contains("/blobs/", StringComparison.Ordinal)).Select(r => r.Path).Distinct(StringComparer.Ordinal).Count();
        Assert.Equal(own.Count + 1, fetched); // and the config
    }

    [Fact]
    public async Task A_layer_that_is_gone_stops_the_copy()
    {
        bench.Request = bench.Request with { Destinations = [Private] };
        var first = (await bench.PublishAsync()).EnsureSucceeded();
        var own = first.Image.Platforms[0].Layers.First(l => !l.IsFromBase).Descriptor.Digest;
        File.Delete(first.Image.BlobPath(own));
        bench.Closed.Lie = Answers.When(r => r.Method == "GET" && r.Path.Value!.EndsWith(own.ToString(), StringComparison.Ordinal), c => Answers.WithAsync(c, 404, "text/plain", ""));
        bench.Request = bench.Request with { Destinations = [Private, Public] };

        var published = await bench.PublishAsync();

        Assert.Equal(["RSDK5006"], published.Errors.Select(e => e.Code));
        Assert.Empty(bench.Open.Writes);
    }

    [Fact]
    public async Task An_edition_that_goes_public_is_stopped_and_the_private_one_only_warned_of()
    {
        bench.UseEditions(("community", "MIT"), ("enterprise", "BUSL-1.1"));
        bench.Ship("enterprise", "full.txt", PlantedSecrets.GitHub());
        bench.Request = bench.Request with { Destinations = [Private with { Edition = "enterprise" }, Public with { Edition = "community" }] };

        (await bench.PublishAsync()).EnsureSucceeded();
        bench.Ship("community", "free.txt", PlantedSecrets.GitHub());
        bench.Forget();
        var stopped = await bench.PublishAsync();

        Assert.Equal("RSDK4030", Assert.Single(stopped.Errors).Code);
        Assert.Contains("/app/free.txt, line 1", stopped.Errors[0].Message, StringComparison.Ordinal);
        Assert.Contains("edition community", stopped.Errors[0].Message, StringComparison.Ordinal);
        Assert.Contains(stopped.Report.Diagnostics, d => d.Code == "RSDK4031" && d.Message.StartsWith("/app/full.txt, line 1", StringComparison.Ordinal));
        Assert.Empty(bench.Targets.SelectMany(t => t.Writes));
    }

    /// <summary>Nothing is declared, but planning sees that anyone can read it: then it is stopped like a declared one.</summary>
    [Fact]
    public async Task A_destination_that_is_seen_to_be_public_is_stopped_before_anything_is_sent()
    {
        bench.Request = bench.Request with { Destinations = [new($"registry.example/{bench.Name}")], Endpoints = [new("registry.example", $"http://{bench.Open.Host}", "", "")] };
        bench.Write("x.txt", PlantedSecrets.GitHub());

        var published = await bench.PublishAsync();

        Assert.NotNull(published.Report.Plan);
        Assert.Equal("RSDK4030", Assert.Single(published.Errors).Code);
        Assert.Contains($"registry.example/{bench.Name}", published.Errors[0].Message, StringComparison.Ordinal);
        Assert.Empty(bench.Targets.SelectMany(t => t.Writes));
    }

    [Fact]
    public async Task A_file_that_cant_be_unpacked_is_a_warning()
    {
        File.WriteAllBytes(Path.Combine(bench.PublishDirectory, "x.zip"), [.. "PK\u0003\u0004"u8, .. new byte[60]]);

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Contains(published.Report.Diagnostics, d => d.Code == "RSDK4034" && d.Message.StartsWith("/app/x.zip (it can't be unpacked)", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Without_secrets_nothing_is_said_and_the_receipt_says_what_was_looked_at()
    {
        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.DoesNotContain(published.Codes, c => c.StartsWith("RSDK403", StringComparison.Ordinal));
        Assert.Equal(3, JsonNode.Parse(published.Receipt)!["secrets"]!["files"]!.GetValue<int>());
    }

    private void Plant(string path, byte[] content)
    {
        var file = Path.Combine(bench.PublishDirectory, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllBytes(file, content);
    }

    private static string Fingerprint(string rule, string value)
        => Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes($"{rule}\n{value}")))[..16];

    /// <summary>Whole and in halves, in everything that is said or written.</summary>
    private static void AssertNotPrinted(Published published, IReadOnlyList<string> values)
    {
        var all = string.Join('\n', [published.Receipt, .. published.Log, .. published.Reporting.ConsoleLines, .. published.Report.Diagnostics.Concat(published.Reporting.Diagnostics).Select(d => $"{d} {d.File}")]);
        foreach (var value in values.SelectMany(v => v.Split('\n')).Where(v => v.Length >= 16))
        {
            Assert.All(new[] { value, value[..(value.Length / 2)], value[(value.Length / 2)..] }, part => Assert.DoesNotContain(part, all, StringComparison.OrdinalIgnoreCase));
        }
    }
}
