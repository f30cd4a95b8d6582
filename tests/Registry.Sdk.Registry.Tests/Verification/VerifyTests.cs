using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Verification;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Verification;

/// <summary>What <c>VerifyContainers</c> finds at registries, check by check.</summary>
public sealed class VerifyTests : IAsyncLifetime
{
    private VerifyBench bench = null!;

    public async Task InitializeAsync() => bench = await VerifyBench.StartAsync();

    public async Task DisposeAsync() => await bench.DisposeAsync();

    [Fact]
    public async Task A_public_package_is_good_and_every_verdict_has_its_evidence()
    {
        var digest = await bench.ReleaseAsync("acme/api");

        var verified = (await bench.Add("ghcr.io/acme/api", "public").RunAsync()).EnsureGood();

        var package = verified.Package("acme/api");
        Assert.Equal((FleetVerdict.Good, ObservedVisibility.Public, "v1.2.3", digest, 4), (package.Verdict, package.Seen, package.Newest, package.Digest!.ToString(), package.TagCount));
        Assert.Equal(VerifyBench.Architecture, Assert.Single(package.Platforms).Architecture);
        Assert.Contains("fleet -> verified 1 package in", verified.Console);
        Assert.Matches("ghcr.io/acme/api +public +public +v1.2.3 +4 +good", verified.Console);
        var evidence = JsonNode.Parse(verified.Json)!["packages"]![0]!["evidence"]!.AsArray().Select(e => $"{e!["request"]} => {e["answer"]}").ToList();
        Assert.Contains($"GET {bench.GitHub.BaseAddress}v2/acme/api/manifests/v1.2.3 (anonymous) => 200, {digest}", evidence);
        Assert.Equal(3, evidence.Count(e => e.Contains("/blobs/", StringComparison.Ordinal) && e.EndsWith("(anonymous) => 200", StringComparison.Ordinal)));
        Assert.Contains("| ghcr.io/acme/api | public | public | v1.2.3 | 4 | good |", verified.Summary);
    }

    [Theory]
    // declared, public now, signed in: codes
    [InlineData("public", true, false, "")]
    [InlineData("public", false, false, "RSDK7002")]
    [InlineData("public", false, true, "RSDK7002")]
    [InlineData("private", true, false, "RSDK7001")]
    [InlineData("private", true, true, "RSDK7001")]
    [InlineData("private", false, true, "")]
    [InlineData("private", false, false, "RSDK7039")]
    [InlineData("internal", true, true, "RSDK7001")]
    [InlineData("", true, false, "")]
    [InlineData("", false, true, "")]
    [InlineData("", false, false, "RSDK7039")]
    public async Task What_is_declared_is_held_against_what_an_outsider_gets(string declared, bool isPublic, bool signedIn, string codes)
    {
        await bench.ReleaseAsync("acme/api", isPublic: isPublic);
        if (signedIn)
        {
            bench.Login();
        }

        var verified = await bench.Add("ghcr.io/acme/api", declared).RunAsync();

        Assert.Equal(codes, string.Join(' ', verified.Codes));
        if (codes.Length > 0)
        {
            verified.EnsureNotGood();
        }
    }

    [Theory]
    [InlineData(GhcrPrivateAnswer.UnauthorizedAtToken)]
    [InlineData(GhcrPrivateAnswer.DeniedAtToken)]
    [InlineData(GhcrPrivateAnswer.UnauthorizedAtResource)]
    [InlineData(GhcrPrivateAnswer.DeniedAtResource)]
    public async Task A_package_that_is_not_public_is_told_with_the_page_to_click_however_it_is_refused(GhcrPrivateAnswer answer)
    {
        await bench.DisposeAsync();
        bench = await VerifyBench.StartAsync(answer);
        await bench.ReleaseAsync("acme/tools/cli", isPublic: false);

        var verified = (await bench.Add("ghcr.io/acme/tools/cli", "public").RunAsync()).EnsureNotGood();

        Assert.Equal(["RSDK7002"], verified.Codes);
        const string Link = "https://github.com/orgs/acme/packages/container/tools%2Fcli/settings";
        Assert.Contains(Link, verified.Messages);
        Assert.Contains(Link, verified.Console);
        Assert.Contains($"<{Link}>", verified.Summary);

        bench.GitHub.Click(SettingsClick.Change("acme/tools/cli", GitHubVisibility.Public));
        (await bench.RunAsync()).EnsureGood();
    }

    [Theory]
    [InlineData("missing", "public", "pat", "", FleetVerdict.Missing)]
    [InlineData("missing", "private", "pat", "", FleetVerdict.Missing)]
    [InlineData("missing", "public", "none", "RSDK7043", FleetVerdict.Missing)]
    [InlineData("private", "public", "none", "RSDK7043", FleetVerdict.Missing)]
    [InlineData("private", "public", "weak", "RSDK7043", FleetVerdict.Missing)]
    [InlineData("missing", "public", "weak", "RSDK7043", FleetVerdict.Missing)]
    [InlineData("private", "public", "pat", "RSDK7002", FleetVerdict.Bad)]
    [InlineData("private", "private", "pat", "", FleetVerdict.Good)]
    [InlineData("public", "private", "none", "RSDK7001", FleetVerdict.Bad)]
    [InlineData("public", "public", "none", "", FleetVerdict.Good)]
    public async Task An_optional_package_may_be_missing_and_is_else_held_to_what_is_declared(string state, string declared, string token, string codes, FleetVerdict verdict)
    {
        if (state != "missing")
        {
            await bench.ReleaseAsync("acme/extra", isPublic: state == "public");
        }

        if (token != "none")
        {
            bench.Login(token == "weak" ? "ghp-without-a-scope" : VerifyBench.Pat);
        }

        var verified = await bench.Add("ghcr.io/acme/extra", declared, "true").RunAsync();

        Assert.Equal(codes, string.Join(' ', verified.Codes));
        Assert.Equal(verdict, verified.Package("acme/extra").Verdict);
    }

    [Theory]
    [InlineData("pat", "RSDK7030")]
    [InlineData("none", "RSDK7002")]
    public async Task A_package_that_is_not_there_is_an_error(string token, string code)
    {
        if (token == "pat")
        {
            bench.Login();
        }

        var verified = (await bench.Add("ghcr.io/acme/never", "public").RunAsync()).EnsureNotGood();

        Assert.Equal([code], verified.Codes);
        Assert.Contains("/acme/packages/container/never/settings", verified.Messages);
    }

    [Theory]
    [InlineData("latest")]
    [InlineData("v1")]
    [InlineData("v1.2")]
    public async Task A_floating_tag_that_stayed_behind_is_told_with_both_digests(string tag)
    {
        var old = await bench.ReleaseAsync("acme/api", "1.2.2", image: new() { Salt = "old" });
        var current = await bench.ReleaseAsync("acme/api", "1.2.3");
        await Seed.TagAsync(bench.GitHubSeeder, "acme/api", "v1.2.2", tag);

        var verified = (await bench.Add("ghcr.io/acme/api", "public").RunAsync()).EnsureNotGood();

        Assert.Equal(["RSDK7033"], verified.Codes);
        Assert.Contains($"{tag} names {old}, and the newest release that it stands for, v1.2.3, is {current}", verified.Messages);
    }

    [Fact]
    public async Task Backports_and_prereleases_are_no_stale_tags()
    {
        await bench.ReleaseAsync("acme/api", "1.9.8", image: new() { Salt = "1.9.8" });
        await bench.ReleaseAsync("acme/api", "2.0.0", image: new() { Salt = "2.0.0" });
        await Seed.PushAsync(bench.GitHubSeeder, "acme/api", "v1.9.9", new() { Salt = "1.9.9" });
        await Seed.TagAsync(bench.GitHubSeeder, "acme/api", "v1.9.9", "v1.9", "v1");
        await Seed.PushAsync(bench.GitHubSeeder, "acme/api", "v2.1.0-rc.1", new() { Salt = "rc" });
        await Seed.PushAsync(bench.GitHubSeeder, "acme/api", "main", new() { Salt = "main" });

        var verified = (await bench.Add("ghcr.io/acme/api", "public").RunAsync()).EnsureGood();

        Assert.Equal("v2.0.0", verified.Package("acme/api").Newest);
    }

    [Fact]
    public async Task One_release_is_one_digest_across_registries()
    {
        var image = new SeedImage { Architecture = VerifyBench.Architecture };
        var digest = await bench.ReleaseAsync("acme/api", image: image);
        await bench.ReleaseAsync("acme/api", image: image, host: "docker.io");
        bench.Add("ghcr.io/acme/api", "public").Add("docker.io/acme/api", "public");
        (await bench.RunAsync()).EnsureGood();

        var other = await bench.ReleaseAsync("acme/api", image: image with { Architecture = "riscv64" }, host: "docker.io");
        var differs = (await bench.RunAsync()).EnsureNotGood();
        Assert.Equal(["RSDK7034", "RSDK7037"], differs.Codes);
        Assert.Contains($"docker.io/acme/api: v1.2.3 is {other}, and at ghcr.io/acme/api it is {digest}", differs.Messages);
        Assert.Contains("is for linux/riscv64, and at ghcr.io/acme/api for linux/", differs.Messages);

        await bench.ReleaseAsync("acme/api", "1.3.0");
        var behind = (await bench.RunAsync()).EnsureNotGood();
        Assert.Equal(["RSDK7032"], behind.Codes);
        Assert.Contains("docker.io/acme/api: the newest release here is v1.2.3, and ghcr.io/acme/api has v1.3.0", behind.Messages);

        // Two images that only have one name, said so.
        bench.Projects.Add(new() { Name = "fleet", Directory = bench.Folder, IsFleet = true, Destinations = [.. bench.Destinations.Select((d, i) => d with { Image = $"image {i}" })] });
        bench.Destinations.Clear();
        (await bench.RunAsync()).EnsureGood();
    }

    [Fact]
    public async Task Where_nothing_is_released_latest_is_one_digest_across_registries()
    {
        var image = new SeedImage { Architecture = VerifyBench.Architecture };
        await Seed.PushAsync(bench.GitHubSeeder, "acme/py", "latest", image);
        await Seed.PushAsync(bench.HubSeeder, "acme/py", "latest", image);
        bench.GitHub.Click(SettingsClick.Change("acme/py", GitHubVisibility.Public));
        (await bench.Add("ghcr.io/acme/py", "public").Add("docker.io/acme/py", "public").RunAsync()).EnsureGood();

        await Seed.PushAsync(bench.HubSeeder, "acme/py", "latest", image with { History = true });

        var verified = (await bench.RunAsync()).EnsureNotGood();
        Assert.Equal(["RSDK7034"], verified.Codes);
        Assert.Contains("docker.io/acme/py: latest is sha256:", verified.Messages);
    }

    /// <summary>An account that may not see a private package is told that there is none.</summary>
    [Fact]
    public async Task A_stranger_is_not_told_that_an_optional_package_is_not_there()
    {
        await bench.ReleaseAsync("acme/extra", isPublic: false);

        var verified = await bench.Login("ghp-of-a-stranger").Add("ghcr.io/acme/extra", "public", "true").RunAsync();

        Assert.Matches("ghcr.io/acme/extra is not there, or the account from .*CR_PAT may not see it; it is optional", verified.Console);
    }

    /// <summary>What an index names and nobody can fetch is not passed over.</summary>
    [Theory]
    [InlineData("5", "names something without media type, digest or size")]
    [InlineData("""{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000"}""", "names something without")]
    [InlineData("""{"digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":12,"platform":{"os":"linux","architecture":"arm64"}}""", "names something without")]
    [InlineData("""{"mediaType":"application/vnd.oci.image.index.v1+json","digest":"sha256:0000000000000000000000000000000000000000000000000000000000000000","size":12}""", "(application/vnd.oci.image.index.v1+json), which the index names, is not there")]
    [InlineData("""{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"DIGEST","size":1,"platform":{"os":"linux","architecture":"arm64"}}""", "and the index says 1")]
    public async Task An_index_that_names_what_nobody_can_fetch_is_told(string child, string says)
    {
        var digest = await bench.ReleaseAsync("acme/multi");
        var size = (await Seed.ManifestAsync(bench.GitHubSeeder, "acme/multi", "v1.2.3"))!.Length;
        var good = $$$"""{"mediaType":"application/vnd.oci.image.manifest.v1+json","digest":"{{{digest}}}","size":{{{size}}},"platform":{"os":"linux","architecture":"amd64"}}""";
        var index = $$$"""{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{{{good}}},{{{child.Replace("DIGEST", digest, StringComparison.Ordinal)}}}]}""";
        bench.Fault = async context =>
        {
            if (!context.Request.Path.Value!.Contains("/manifests/", StringComparison.Ordinal) || context.Request.Path.Value.Contains("sha256:", StringComparison.Ordinal) || context.Request.Headers.Authorization.Count == 0)
            {
                return false;
            }

            var content = System.Text.Encoding.UTF8.GetBytes(index);
            context.Response.ContentType = "application/vnd.oci.image.index.v1+json";
            context.Response.ContentLength = content.Length;
            if (HttpMethods.IsGet(context.Request.Method))
            {
                await context.Response.Body.WriteAsync(content);
            }

            return true;
        };

        Assert.Contains(says, (await bench.Add("ghcr.io/acme/multi", "public").RunAsync()).EnsureNotGood().Messages);
    }

    /// <summary>It was named to be verified, and a condition or a slip can leave it without anything to look at.</summary>
    [Fact]
    public async Task A_project_that_declares_nothing_is_named()
    {
        await bench.ReleaseAsync("acme/api");
        bench.Silent.Add(Path.Combine(bench.Folder, "src", "lost", "Lost.csproj"));

        var verified = (await bench.Add("ghcr.io/acme/api", "public").RunAsync()).EnsureGood();

        Assert.Contains("src/lost/Lost.csproj declares no destination, so nothing of it is verified", verified.Console.Replace('\\', '/'));
    }

    [Fact]
    public async Task A_package_without_tags_is_an_error()
    {
        await using var world = await EmptyPackageAsync();
        bench.Endpoints[0] = new("ghcr.io", world.BaseAddress.ToString().TrimEnd('/'), world.Api.ToString());

        Assert.Equal(["RSDK7031"], (await bench.Add("ghcr.io/acme/empty", "public").RunAsync()).EnsureNotGood().Codes);
    }

    [Fact]
    public async Task An_index_is_complete_when_each_platform_is_there()
    {
        await Seed.PushIndexAsync(bench.GitHubSeeder, "acme/multi", "v1.0.0", new SeedImage(), new SeedImage { Architecture = "arm64" });
        bench.GitHub.Click(SettingsClick.Change("acme/multi", GitHubVisibility.Public));
        var good = (await bench.Add("ghcr.io/acme/multi", "public").RunAsync()).EnsureGood();
        Assert.Equal(["linux/amd64", "linux/arm64"], good.Package("acme/multi").Platforms.Select(p => p.ToString()));

        var missing = JsonNode.Parse((await Seed.ManifestAsync(bench.GitHubSeeder, "acme/multi", "v1.0.0"))!)!["manifests"]![1]!["digest"]!.GetValue<string>();
        bench.Fault = async context =>
        {
            if (!context.Request.Path.Value!.EndsWith(missing, StringComparison.Ordinal))
            {
                return false;
            }

            await Publishing.Answers.ErrorAsync(context, 404, "MANIFEST_UNKNOWN");
            return true;
        };

        var verified = (await bench.RunAsync()).EnsureNotGood();
        Assert.Equal(["RSDK7037"], verified.Codes);
        Assert.Contains($"the manifest {missing} of the platform linux/arm64, which the index names, is not there", verified.Messages);
    }

    [Fact]
    public async Task A_registry_that_guards_manifests_and_gives_away_blobs_is_told()
    {
        await bench.ReleaseAsync("acme/secret", isPublic: false);
        bench.Login().Add("ghcr.io/acme/secret", "private");
        (await bench.RunAsync()).EnsureGood();

        var config = JsonNode.Parse((await Seed.ManifestAsync(bench.GitHubSeeder, "acme/secret", "v1.2.3"))!)!["config"]!["digest"]!.GetValue<string>();
        bench.Fault = async context =>
        {
            if (!context.Request.Path.Value!.Contains("/blobs/", StringComparison.Ordinal) || context.Request.Path.Value.EndsWith(config, StringComparison.Ordinal) || context.Request.Headers.Authorization.Count > 0)
            {
                return false;
            }

            context.Response.StatusCode = 200;
            context.Response.ContentLength = 1000;
            await context.Response.CompleteAsync();
            return true;
        };
        var verified = (await bench.RunAsync()).EnsureNotGood();

        Assert.Equal(["RSDK7036"], verified.Codes);
        Assert.Contains("an outsider is refused the repository, and still gets the blob sha256:", verified.Messages);
    }

    [Fact]
    public async Task At_a_real_registry_public_is_good_and_private_is_refused_to_outsiders()
    {
        await using var open = await DistributionServer.StartAsync();
        await using var closed = await DistributionServer.StartAsync(new() { Authenticate = true });
        foreach (var server in new[] { open, closed })
        {
            using var client = server.CreateClient();
            await Seed.PushAsync(client, "acme/api", "v1.2.3", new());
            await Seed.TagAsync(client, "acme/api", "v1.2.3", "v1.2", "v1", "latest");
        }

        bench.Credentials.Add(new($"127.0.0.1:{closed.Port}", "CLOSED_USER", "CLOSED_PASSWORD"));
        (bench.Environment["CLOSED_USER"], bench.Environment["CLOSED_PASSWORD"]) = (closed.Username, closed.Password);
        bench.Add($"127.0.0.1:{open.Port}/acme/api", "public").Add($"127.0.0.1:{closed.Port}/acme/api", "private").Add($"127.0.0.1:{open.Port}/acme/none", "public", "true");
        var verified = (await bench.RunAsync()).EnsureGood();

        Assert.Equal([FleetVerdict.Good, FleetVerdict.Good, FleetVerdict.Missing], verified.Report.Result!.Packages.Select(p => p.Verdict));
        Assert.DoesNotContain(closed.Password, verified.Json + verified.Console + string.Join('\n', verified.Requests));

        bench.Destinations.Clear();
        Assert.Equal(["RSDK7001"], (await bench.Add($"127.0.0.1:{open.Port}/acme/api", "private").RunAsync()).EnsureNotGood().Codes);
        bench.Destinations.Clear();
        Assert.Equal(["RSDK7002"], (await bench.Add($"127.0.0.1:{closed.Port}/acme/api", "public").RunAsync()).EnsureNotGood().Codes);
        bench.Destinations.Clear();
        Assert.Equal(["RSDK7030"], (await bench.Add($"127.0.0.1:{open.Port}/acme/none", "public").RunAsync()).EnsureNotGood().Codes);
    }

    [Fact]
    public async Task Ten_packages_take_few_requests_and_a_registry_gets_at_most_eight_at_once()
    {
        for (var i = 0; i < 10; i++)
        {
            await bench.ReleaseAsync($"acme/s{i}", image: new() { Salt = $"{i}", Layers = 6 });
            bench.Add($"ghcr.io/acme/s{i}", "public");
        }

        var (now, most) = (0, 0);
        bench.Fault = async _ =>
        {
            var at = Interlocked.Increment(ref now);
            most = Math.Max(most, at);
            await Task.Delay(50);
            Interlocked.Decrement(ref now);
            return false;
        };
        var before = bench.GitHub.Requests.Count;
        (await bench.RunAsync()).EnsureGood();

        // Ten packages of six layers; at 100 ms each and eight at once these are three seconds.
        Assert.InRange(most, 4, 8);
        Assert.InRange(bench.GitHub.Requests.Count - before, 70, 250);
    }

    [Fact]
    public async Task The_destinations_of_a_service_are_one_image_and_declared_where_the_fleet_does_not()
    {
        await bench.ReleaseAsync("acme/api");
        await bench.ReleaseAsync("acme/api-mirror", "1.2.2");
        bench.Add("ghcr.io/acme/api");
        bench.Projects.Add(Service("Api", ("ghcr.io/acme/api", "private"), ("ghcr.io/acme/api-mirror", "public")));
        Assert.Equal(["RSDK7001", "RSDK7032"], (await bench.RunAsync()).EnsureNotGood().Codes.Order(StringComparer.Ordinal));

        bench.Destinations.Clear();
        bench.Add("ghcr.io/acme/api", "public");
        var both = (await bench.RunAsync()).EnsureNotGood();
        Assert.Equal(["RSDK9031"], both.Codes);
        Assert.Contains("declared public in fleet and private in Api", both.Messages);
        Assert.Empty(both.Requests);
    }

    [Fact]
    public async Task What_is_written_wrong_is_told_before_anything_is_asked()
    {
        Assert.Equal(["RSDK9030"], (await bench.RunAsync()).EnsureNotGood().Codes);
        bench.Add("ghcr.io/acme/a", "everyone").Add("ghcr.io/acme/b", "public", "perhaps").Add("ghcr.io/Acme/c").ComposeFiles.Add(Path.Combine(bench.Folder, "none.yml"));

        var verified = (await bench.RunAsync()).EnsureNotGood();

        Assert.Equal(["RSDK9008", "RSDK9025", "RSDK9002", "RSDK9026"], verified.Codes);
        Assert.Empty(verified.Requests);
        Assert.Contains("fleet -> nothing was verified", verified.Console);
    }

    [Fact]
    public async Task The_published_schema_refuses_what_the_report_never_says()
    {
        await bench.ReleaseAsync("acme/api");
        bench.ComposeFiles.Add(bench.Write("docker-compose.yml", "services:\n  api:\n    image: ghcr.io/acme/api:v1.2.3\n"));
        var json = (await bench.Add("ghcr.io/acme/api", "public").RunAsync()).EnsureGood().Json;
        foreach (var (path, value) in new (string, JsonNode?)[]
        {
            ("schemaVersion", 2), ("at", "yesterday"), ("packages.0.verdict", "fine"), ("packages.0.visibility.seen", "maybe"), ("packages.0.tags", -1), ("packages.0.digest", "sha256:short"), ("packages.0.links.0", "javascript:alert(1)"),
            ("packages.0.evidence.0.answer", 200), ("composeImages.0.verdict", "missing"), ("composeImages.0.usedBy.0.line", 0), ("composeImages.0.more", 1), ("diagnostics.0", "RSDK7038"),
        })
        {
            var report = JsonNode.Parse(json)!;
            var parts = path.Split('.');
            var node = parts.SkipLast(1).Aggregate(report, (n, p) => int.TryParse(p, out var i) ? n[i]! : n[p]!);
            if (node is JsonArray { Count: 0 } empty)
            {
                empty.Add(value);
            }
            else
            {
                node[parts[^1]] = value;
            }

            Assert.True(VerifyBench.Schema.Validate(JsonNode.Parse(report.ToJsonString())).Count > 0, path);
        }

        foreach (var member in ((JsonObject)JsonNode.Parse(json)!).Select(m => m.Key))
        {
            var without = (JsonObject)JsonNode.Parse(json)!;
            without.Remove(member);
            Assert.Equal([$"$: lacks {member}"], VerifyBench.Schema.Validate(without));
        }
    }

    [Fact]
    public async Task A_directory_has_no_outside_and_is_not_said_to_be_good()
    {
        await bench.ReleaseAsync("acme/api");
        var verified = await bench.Add("ghcr.io/acme/api", "public").Add("oci:layout").RunAsync();

        Assert.Equal(FleetVerdict.LeftOut, verified.Report.Result!.Packages[1].Verdict);
        Assert.Matches("oci:layout +- +- +- +- +left out", verified.Console);
    }

    private static DeclaringProject Service(string name, params (string Include, string Visibility)[] destinations)
        => new() { Name = name, Directory = $"/src/{name}", Destinations = [.. destinations.Select(d => new DestinationItem(d.Include, Visibility: d.Visibility))] };

    private async Task<EmulatorServer> EmptyPackageAsync()
        => await EmulatorServer.StartAsync(new()
        {
            StateDirectory = Directory.CreateDirectory(Path.Combine(bench.Folder, "empty")).FullName,
            Personality = EmulatorPersonality.Ghcr,
            GitHub = new() { Owners = { ["acme"] = GitHubOwner.Organization("boss") }, Packages = { ["acme/empty"] = new() { Visibility = GitHubVisibility.Public } } },
        });
}
