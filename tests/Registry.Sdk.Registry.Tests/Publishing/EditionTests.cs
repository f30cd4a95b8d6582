using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Core.Versioning;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Publishing;

/// <summary>One publish, one release, several images: each destination gets its edition's, and all of them happen or none.</summary>
public sealed class EditionTests(Registries registries) : IClassFixture<Registries>, IAsyncLifetime
{
    private static readonly string[] Tags = ["latest", "v1", "v1.2", "v1.2.3"];
    private Bench bench = null!;

    /// <summary>Open and public: the community edition and its alias. Closed and private: the enterprise edition.</summary>
    public async Task InitializeAsync()
    {
        bench = await Bench.CreateAsync(registries);
        bench.UseEditions(("community", "MIT"), ("enterprise", "BUSL-1.1"));
        bench.Request = bench.Request with { Destinations = [Enterprise, Community(""), Community("-alias")] };
    }

    public async Task DisposeAsync() => await bench.DisposeAsync();

    private DestinationItem Enterprise => new($"{bench.Closed.Host}/{bench.Name}", "enterprise", "private");

    private DestinationItem Community(string suffix) => new($"{bench.Open.Host}/{bench.Name}{suffix}", "community", "public");

    [Fact]
    public async Task Each_destination_gets_its_editions_image_and_the_alias_the_same_digest()
    {
        var published = (await bench.PublishAsync()).EnsureSucceeded();

        var (community, enterprise) = Digests(published);
        Assert.NotEqual(community, enterprise);
        Assert.Equal(Tags.Select(t => KeyValuePair.Create(t, community)), await Seed.TagsAsync(bench.Open.Direct, bench.Name));
        Assert.Equal(Tags.Select(t => KeyValuePair.Create(t, community)), await Seed.TagsAsync(bench.Open.Direct, bench.Name + "-alias"));
        Assert.Equal(Tags.Select(t => KeyValuePair.Create(t, enterprise)), await Seed.TagsAsync(bench.Closed.Direct, bench.Name));
        Assert.Equal(["community.html", "start.sh", "wwwroot/index.html"], await FilesAsync(bench.Open, bench.Name, community));
        Assert.Equal(["enterprise.html", "start.sh", "wwwroot/index.html"], await FilesAsync(bench.Closed, bench.Name, enterprise));

        // A second run of the same has nothing to do.
        bench.Forget();
        Assert.Equal((community, enterprise), Digests((await bench.PublishAsync()).EnsureSucceeded()));
        Assert.Empty(bench.Targets.SelectMany(t => t.Writes));
    }

    [Fact]
    public async Task No_tag_is_written_before_every_edition_is_everywhere_and_latest_is_last_over_all()
    {
        (await bench.PublishAsync()).EnsureSucceeded();

        var firstTag = bench.Arrivals.First(a => a.IsTagPut).Index;
        Assert.All(bench.Arrivals.Where(a => a.IsPost || a.IsBlobPut || (a.IsManifestPut && !a.IsTagPut)), a => Assert.True(a.Index < firstTag, $"{a} after the first tag"));
        Assert.Equal(
            [0, 0, 0, 1, 1, 1, 1, 1, 1, 2, 2, 2],
            bench.Arrivals.Where(a => a.IsTagPut).Select(a => a.Path[(a.Path.LastIndexOf('/') + 1)..]).Select(t => t == "v1.2.3" ? 0 : t == "latest" ? 2 : 1));
    }

    [Fact]
    public async Task In_one_registry_an_edition_mounts_from_another_only_what_both_have()
    {
        bench.Request = bench.Request with { Destinations = [Community(""), new($"{bench.Open.Host}/{bench.Name}-full", "enterprise")] };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        var (community, enterprise) = Digests(published);
        Assert.Equal(Tags.Select(t => KeyValuePair.Create(t, community)), await Seed.TagsAsync(bench.Open.Direct, bench.Name));
        Assert.Equal(Tags.Select(t => KeyValuePair.Create(t, enterprise)), await Seed.TagsAsync(bench.Open.Direct, bench.Name + "-full"));
        Assert.Equal(["enterprise.html", "start.sh", "wwwroot/index.html"], await FilesAsync(bench.Open, bench.Name + "-full", enterprise));

        var full = published.Report.Images[1].Image.Platforms[0];
        var mounts = bench.Arrivals.Where(a => a.IsPost && a.Query.Contains("mount=", StringComparison.Ordinal)).ToList();
        var shared = full.Layers.Where(l => l.IsFromBase).ToList();
        Assert.Equal(2, shared.Count);
        Assert.Equal(shared.Select(l => l.Descriptor.Digest.Hex).Order(), mounts.Select(m => shared.First(l => m.Query.Contains(l.Descriptor.Digest.Hex, StringComparison.Ordinal)).Descriptor.Digest.Hex).Order());
        Assert.All(mounts, m => Assert.Contains($"/{bench.Name}-full/", m.Path));
        Assert.Equal(shared.Sum(l => l.Descriptor.Size), published.Report.Transfer!.Destinations[1].BytesMounted);
    }

    [Theory]
    [InlineData("wrong password", "RSDK5003")]
    [InlineData("nobody there", "RSDK5001")]
    [InlineData("private and open to anyone", "RSDK7001")]
    [InlineData("immutable tag taken", "RSDK5005")]
    [InlineData("one edition's folder is empty", "RSDK3003")]
    [InlineData("one edition's base image is not there", "RSDK4002")]
    public async Task What_fails_for_one_edition_before_the_first_byte_stops_all(string what, string code)
    {
        switch (what)
        {
            case "wrong password":
                bench.Set(("CLOSED_PASSWORD", "not it"));
                break;
            case "nobody there":
                bench.Request = bench.Request with { Destinations = [Community(""), new("localhost:1/a/b", "enterprise")] };
                break;
            case "private and open to anyone":
                bench.Request = bench.Request with { Destinations = [Community(""), new($"{bench.Open.Host}/{bench.Name}-full", "enterprise", "private")] };
                break;
            case "immutable tag taken":
                await Seed.PushAsync(bench.Closed.Direct, bench.Name, "v1.2.3", new SeedImage { Salt = bench.Name });
                break;
            case "one edition's folder is empty":
                Directory.Delete(bench.Request.Platforms[1].PublishDirectory, recursive: true);
                break;
            default:
                bench.Request = bench.Request with { Platforms = [bench.Request.Platforms[0], bench.Request.Platforms[1] with { BaseTag = "no-such" }] };
                break;
        }

        var published = await bench.PublishAsync();

        Assert.Equal([code], published.Errors.Select(e => e.Code));
        Assert.DoesNotContain(bench.Arrivals, a => a.IsWrite);
        Assert.Empty(await Seed.TagsAsync(bench.Open.Direct, bench.Name));
        Assert.All(JsonNode.Parse(published.Receipt)!["images"]!.AsArray().SelectMany(i => i!["destinations"]!.AsArray()), d => Assert.Null(d!["digest"]));
        if (code == "RSDK3003")
        {
            // The wall is before all composing: not even the base image was asked for.
            Assert.Empty(bench.Arrivals);
        }
    }

    public static TheoryData<bool, string> Steps
    {
        get
        {
            var rows = new TheoryData<bool, string>();
            foreach (var community in new[] { true, false })
            {
                foreach (var step in new[] { "push right", "blob", "manifest", "read back" })
                {
                    rows.Add(community, step);
                }
            }

            return rows;
        }
    }

    [Theory]
    [MemberData(nameof(Steps))]
    public async Task Whichever_edition_fails_at_whichever_step_before_tagging_nothing_is_tagged_anywhere(bool community, string step)
    {
        var failing = community ? bench.Open : bench.Closed;
        failing.Lie = step switch
        {
            "push right" => Answers.When(r => r.Method == "POST", c => Answers.WithAsync(c, 403, "application/json", """{"errors":[{"code":"DENIED"}]}""")),
            "blob" => Answers.When(r => r.Method == "PUT" && r.Path.Value!.Contains("/blobs/uploads/", StringComparison.Ordinal), c => Answers.WithAsync(c, 500, null, "")),
            "manifest" => Answers.When(r => r.Method == "PUT" && r.Path.Value!.Contains("/manifests/sha256:", StringComparison.Ordinal), c => Answers.WithAsync(c, 400, null, "")),
            _ => Answers.When(r => r.Method == "HEAD" && r.Path.Value!.Contains("/manifests/sha256:", StringComparison.Ordinal), c => Answers.WithAsync(c, 404, null, "")),
        };

        var published = await bench.PublishAsync();

        Assert.False(published.Report.Succeeded);
        Assert.DoesNotContain(bench.Arrivals, a => a.IsTagPut);
        foreach (var (target, name) in new[] { (bench.Open, bench.Name), (bench.Open, bench.Name + "-alias"), (bench.Closed, bench.Name) })
        {
            Assert.Empty(await Seed.TagsAsync(target.Direct, name));
        }

        Assert.DoesNotContain(bench.Arrivals, a => step == "push right" && a.Method is "PUT" or "PATCH");
    }

    [Fact]
    public async Task An_immutable_tag_that_one_edition_can_not_write_leaves_latest_of_all_editions_and_the_next_run_finishes()
    {
        // The enterprise edition's destination is named first, and so claimed first.
        bench.Open.Lie = Answers.When(r => r.Method == "PUT" && r.Path.Value!.EndsWith("/manifests/v1.2.3", StringComparison.Ordinal), c => Answers.WithAsync(c, 500, null, ""));

        var published = await bench.PublishAsync();

        Assert.Equal(["v1.2.3"], (await Seed.TagsAsync(bench.Closed.Direct, bench.Name)).Keys);
        var pending = Assert.Single(published.Errors, e => e.Code == "RSDK6002").Message;
        Assert.Contains($"{bench.Open.Host}/{bench.Name}: v1.2.3, v1.2, v1, latest", pending);
        Assert.Contains($"{bench.Closed.Host}/{bench.Name}: v1.2, v1, latest", pending);

        // The version is claimed at each edition's first destination before it is written at its others.
        Assert.Contains($"{bench.Open.Host}/{bench.Name}-alias: v1.2.3, v1.2, v1, latest", pending);

        bench.Open.Lie = null;
        var (community, enterprise) = Digests((await bench.PublishAsync()).EnsureSucceeded());
        Assert.Equal(Tags.Select(t => KeyValuePair.Create(t, community)), await Seed.TagsAsync(bench.Open.Direct, bench.Name + "-alias"));
        Assert.Equal(Tags.Select(t => KeyValuePair.Create(t, enterprise)), await Seed.TagsAsync(bench.Closed.Direct, bench.Name));
    }

    [Fact]
    public async Task One_edition_alone_leaves_the_others_destinations_untouched_and_says_so()
    {
        // As MSBuild gives it: what is not published is not built, and its licence is known all the same.
        bench.Request = bench.Request with { Edition = "community", IsEditionGiven = true, Platforms = [bench.Request.Platforms[0]] };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        const string Why = "-p:ContainerEdition publishes community alone";
        Assert.Equal("community", Assert.Single(published.Report.Images).Edition);
        Assert.Equal(Tags, (await Seed.TagsAsync(bench.Open.Direct, bench.Name)).Keys);
        Assert.DoesNotContain(bench.Arrivals, a => a.Registry == "closed");
        Assert.Contains($"    {bench.Closed.Host}/{bench.Name}: left out, {Why}", published.Reporting.ConsoleLines);
        Assert.Contains(Why, published.Log);
        var receipt = JsonNode.Parse(published.Receipt)!;
        var left = Assert.Single(receipt["leftOut"]!.AsArray())!;
        Assert.Equal(($"{bench.Closed.Host}/{bench.Name}", "enterprise", Why), (left["name"]!.GetValue<string>(), left["edition"]!.GetValue<string>(), left["leftOut"]!.GetValue<string>()));
        Assert.Contains(Why, receipt["notes"]!.AsArray().Select(n => n!.GetValue<string>()));
    }

    [Fact]
    public async Task What_was_built_of_an_edition_that_is_not_published_is_not_composed()
    {
        bench.Request = bench.Request with { Edition = "community", IsEditionGiven = true };
        Assert.Equal("community", Assert.Single((await bench.PublishAsync()).EnsureSucceeded().Report.Images).Edition);
    }

    [Fact]
    public async Task An_edition_that_no_destination_takes_is_built_and_said()
    {
        bench.Request = bench.Request with { Destinations = [Community("")] };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(["community", "enterprise"], published.Report.Images.Select(i => i.Edition));
        Assert.Contains("    enterprise: no destination takes this edition; it was built and proven", published.Reporting.ConsoleLines);
        Assert.Contains("No destination takes the edition enterprise: it was built and proven, and goes nowhere", JsonNode.Parse(published.Receipt)!["notes"]!.AsArray().Select(n => n!.GetValue<string>()));

        // It is proven like any other: what is wrong with it stops the release.
        Directory.Delete(bench.Request.Platforms[1].PublishDirectory, recursive: true);
        bench.Forget();
        Assert.Equal(["RSDK3003"], (await bench.PublishAsync()).Errors.Select(e => e.Code));
        Assert.Empty(bench.Arrivals);
    }

    public static TheoryData<string> Mistakes => [.. Usage.Keys];

    private sealed record Mistake(string[] Codes, string Says, Func<EditionTests, PublishRequest, PublishRequest> Make);

    private static readonly Dictionary<string, Mistake> Usage = new(StringComparer.Ordinal)
    {
        ["Edition without ContainerEditions"] = new(["RSDK3001", "RSDK3001", "RSDK3001"], "Set ContainerEditions", (_, r) => r with { EditionNames = [] }),
        ["no Edition"] = new(["RSDK3010"], "Add Edition=\"community\"", (t, r) => r with { Destinations = [.. r.Destinations, new($"{t.bench.Open.Host}/x")] }),
        ["unknown Edition"] = new(["RSDK3011"], "Write Edition=\"enterprise\"", (t, r) => r with { Destinations = [.. r.Destinations, new($"{t.bench.Open.Host}/x", "Enterprise")] }),
        ["edition twice"] = new(["RSDK3012"], "Remove one", (_, r) => r with { EditionNames = ["community", "enterprise", "community"] }),
        ["edition twice but for case"] = new(["RSDK3012"], "'community' and 'Community' are one", (_, r) => r with { EditionNames = ["community", "enterprise", "Community"], Editions = [.. r.Editions, r.Editions[0] with { Name = "Community" }] }),
        ["no default edition"] = new(["RSDK3013"], "<ContainerEdition Condition=\"'$(ContainerEdition)' == ''\">enterprise</ContainerEdition>", (_, r) => r with { Edition = "" }),
        ["unknown default edition"] = new(["RSDK3013"], "Set ContainerEdition to one of them", (_, r) => r with { Edition = "pro" }),
        ["misspelt -p:ContainerEdition"] = new(["RSDK3013"], "'comunity' (-p:ContainerEdition), but ContainerEditions is 'community;enterprise'. Write community.", (_, r) => r with { Edition = "comunity", IsEditionGiven = true }),
        ["no licence"] = new(["RSDK3014"], "'$(ContainerEdition)' == 'enterprise'", (_, r) => r with { Editions = [r.Editions[0], r.Editions[1] with { License = "" }] }),
        ["restricted and declared public"] = new(["RSDK3021"], "BUSL-1.1 is not open source, and it is public: Visibility=\"public\"", (t, r) => r with { Destinations = [.. r.Destinations, new($"{t.bench.Open.Host}/x", "enterprise", "public", On: "pr")] }),
        ["-p:ContainerEdition=enterprise, and a destination that follows it"] = new(["RSDK3021"], "BUSL-1.1 is not open source, and it is public", (t, r) => r with
        {
            Edition = "enterprise", IsEditionGiven = true, Destinations = [.. r.Destinations, new($"{t.bench.Open.Host}/x", "enterprise", "public")],
        }),
        ["restricted and on Docker Hub"] = new(["RSDK3021"], "Docker Hub is, unless the destination says Visibility=\"private\"", (t, r) => r with { Destinations = [.. r.Destinations, new("docker.io/team/x", "enterprise")], Endpoints = [new("docker.io", $"http://{t.bench.Base.Host}")] }),
        ["restricted, without editions, and declared public"] = new(["RSDK3021", "RSDK3021"], "gets this project, whose licence BUSL-1.1", (_, r) => r with
        {
            EditionNames = [], Edition = "", Editions = [r.Editions[1] with { Name = "" }], Platforms = [r.Platforms[1] with { Edition = "" }], Destinations = [.. r.Destinations.Select(d => d with { Edition = "" })],
        }),
        ["bad name"] = new(["RSDK3024"], "names 'a/b'", (_, r) => r with { EditionNames = ["community", "enterprise", "a/b"], Editions = [.. r.Editions, r.Editions[0] with { Name = "a/b" }] }),
        ["long name"] = new(["RSDK3024"], "64 characters at most", (_, r) => r with { EditionNames = ["community", "enterprise", new('x', 65)], Editions = [.. r.Editions, r.Editions[0] with { Name = new('x', 65) }] }),
        ["everything at once"] = new(["RSDK3010", "RSDK3011", "RSDK3012", "RSDK3013", "RSDK3014", "RSDK3024"], "", (t, r) => r with
        {
            EditionNames = ["community", "enterprise", "ENTERPRISE", "1st"],
            Edition = "none",
            Editions = [.. r.Editions, r.Editions[0] with { Name = "ENTERPRISE" }, r.Editions[0] with { Name = "1st", License = "" }],
            Destinations = [new($"{t.bench.Open.Host}/x"), new($"{t.bench.Open.Host}/y", "nobody")],
        }),
    };

    [Theory]
    [MemberData(nameof(Mistakes))]
    public async Task Bad_input_is_said_before_anything_is_asked_or_sent_whether_or_not_it_was_built(string name)
    {
        var mistake = Usage[name];
        bench.Request = mistake.Make(this, bench.Request);
        foreach (var checkOnly in new[] { true, false })
        {
            bench.Request = bench.Request with { CheckOnly = checkOnly };
            var published = await bench.PublishAsync();
            Assert.Equal(mistake.Codes, published.Errors.Select(e => e.Code).Order(StringComparer.Ordinal));
            Assert.Contains(published.Errors, e => e.Message.Contains(mistake.Says, StringComparison.Ordinal));
            Assert.All(mistake.Codes, c => Assert.Contains(c, published.Receipt));
            Assert.Empty(bench.Arrivals);
        }
    }

    [Fact]
    public async Task Before_building_licences_that_are_not_known_are_not_missed_and_once_built_they_are()
    {
        await File.WriteAllTextAsync(bench.Request.Reports.ReceiptPath, "from before");
        var built = bench.Request;
        bench.Request = built with { CheckOnly = true, Editions = [], Platforms = [] };
        (await bench.PublishAsync()).EnsureSucceeded();

        bench.Request = bench.Request with { CheckOnly = false };
        Assert.Equal(["RSDK3014", "RSDK3014"], (await bench.PublishAsync()).Errors.Select(e => e.Code));

        // Before building MSBuild knows the edition of this build alone.
        bench.Request = built with { CheckOnly = true, Editions = [built.Editions[0]] };
        (await bench.PublishAsync()).EnsureSucceeded();
        bench.Request = built with { Editions = [built.Editions[0]] };
        Assert.Equal(["RSDK3014"], (await bench.PublishAsync()).Errors.Select(e => e.Code));
        Assert.DoesNotContain(bench.Arrivals, a => a.IsWrite);
    }

    [Theory]
    [InlineData("BUSL-1.1", false, "RSDK3021")]
    [InlineData("MIT", false, null)]
    [InlineData("BUSL-1.1", true, null)] // it never leaves this machine, and says so itself
    public async Task Where_nothing_is_declared_what_anyone_can_read_gets_nothing_that_is_not_open_source(string license, bool loopback, string? code)
    {
        bench.UseEditions(("community", "MIT"), ("enterprise", license));
        bench.Request = bench.Request with
        {
            Endpoints = [new("registry.example", $"http://{bench.Open.Host}")],
            Destinations = [Community(""), new(loopback ? $"{bench.Open.Host}/{bench.Name}-full" : $"registry.example/{bench.Name}-full", "enterprise")],
        };

        var published = await bench.PublishAsync();

        Assert.Equal(code is null ? [] : [code], published.Errors.Select(e => e.Code));
        if (code is not null)
        {
            Assert.StartsWith($"registry.example/{bench.Name}-full: anyone can read it, and the licence of the edition enterprise is BUSL-1.1", published.Errors[0].Message);
            Assert.Empty(bench.Open.Writes);
        }
    }

    [Fact]
    public async Task A_repository_that_only_the_push_makes_public_is_an_error_after_it()
    {
        // What is not there is refused, and what is pushed anyone can read.
        bench.Closed.Lie = Answers.When(
            r => r.Headers.Authorization.Count == 0 && r.Path.Value!.Contains("/manifests/", StringComparison.Ordinal) && bench.Arrivals.Any(a => a is { Registry: "closed", IsTagPut: true }),
            c => Answers.WithAsync(c, 404, "application/json", """{"errors":[{"code":"MANIFEST_UNKNOWN"}]}"""));
        bench.Request = bench.Request with
        {
            Endpoints = [new("registry.example", $"http://{bench.Closed.Host}")],
            Credentials = [new("registry.example", "CLOSED_USER", "CLOSED_PASSWORD")],
            Destinations = [new($"registry.example/{bench.Name}", "enterprise")],
        };

        var published = await bench.PublishAsync();

        var error = Assert.Single(published.Errors);
        Assert.Equal("RSDK3021", error.Code);
        Assert.Contains("It was published just now.", error.Message);
        Assert.NotEqual(ObservedVisibility.Public, published.Report.Plan!.Destinations[0].Observed);
        Assert.Equal(ObservedVisibility.Public, published.Report.Verification!.Destinations[0].Observed);
    }

    [Fact]
    public async Task With_editions_a_release_is_built_and_proven_and_never_copied()
    {
        bench.Request = bench.Request with { Destinations = [Community("")] };
        (await bench.PublishAsync()).EnsureSucceeded();
        bench.Request = bench.Request with { Destinations = [Community(""), Community("-later")] };

        Assert.Empty((await CheckAsync()).Report.Images);
        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.All(published.Report.Images, i => Assert.Null(i.Image.ReleasedAt));
        Assert.Contains("Imaging: an earlier publish of 1.2.3 is not copied: with ContainerEditions every edition is built and held against the licence wall", published.Log);
    }

    [Theory]
    [InlineData("MIT", "public", "declared", false)]
    [InlineData("MIT", "", "declared", true)]
    [InlineData("", "public", "declared", true)] // the wall is off
    [InlineData("", "public", "unknown", false)]
    [InlineData("", "", "unknown", true)]
    public async Task Without_editions_a_release_is_copied_only_where_there_is_no_wall_to_pass(string license, string visibility, string editions, bool copied)
    {
        await using var single = await Bench.CreateAsync(registries);
        single.Request = single.Request with
        {
            Editions = editions == "declared" ? [new EditionRequest { License = license }] : [],
            Destinations = [new($"{single.Open.Host}/{single.Name}", Visibility: visibility)],
        };
        // Published without a licence: what is asked here is what the next publish does with it.
        var declared = single.Request;
        single.Request = declared with { Editions = [] };
        (await single.PublishAsync()).EnsureSucceeded();
        single.Request = declared with { CheckOnly = true, Platforms = [], Destinations = [.. declared.Destinations, new($"{single.Open.Host}/{single.Name}-later", Visibility: visibility)] };

        Assert.Equal(copied, (await single.PublishAsync()).EnsureSucceeded().Report.Images.Count > 0);
    }

    [Fact]
    public async Task The_licence_of_the_edition_is_in_the_image_unless_the_user_says_another_or_none()
    {
        const string Label = "org.opencontainers.image.licenses";
        // As stock labels it: from the edition that the build runs under.
        bench.Request = bench.Request with { Platforms = [.. bench.Request.Platforms.Select(p => p with { Settings = p.Settings with { Labels = [new(Label, "stock")] } })] };
        Assert.Equal(["MIT", "BUSL-1.1"], (await PlanAsync()).Report.Images.Select(i => i.Image.Platforms[0].Labels[Label]));

        var request = bench.Request;
        bench.Request = request with { Platforms = [request.Platforms[0] with { UserLabels = [new(Label, "mine")] }, request.Platforms[1]] };
        Assert.Equal(["mine", "BUSL-1.1"], (await PlanAsync()).Report.Images.Select(i => i.Image.Platforms[0].Labels[Label]));

        bench.Request = request with { Labels = new(Licenses: false) };
        Assert.All((await PlanAsync()).Report.Images, i => Assert.DoesNotContain(Label, i.Image.Platforms[0].Labels.Keys));
    }

    [Fact]
    public async Task Each_edition_names_its_own_repository_and_never_the_one_of_the_outer_build()
    {
        const string Label = "org.opencontainers.image.source";
        bench.Request = bench.Request with { RepositoryUrl = "https://example.com/private", Derived = WithRemote("https://github.com/acme/all.git") };

        // What goes to a public destination names, unasked, the repository with everything in it.
        var unasked = await PlanAsync();
        Assert.Equal(["https://github.com/acme/all", "https://github.com/acme/all"], unasked.Report.Images.Select(i => i.Image.Platforms[0].Labels[Label]));
        var warning = Assert.Single(unasked.Report.Diagnostics);
        Assert.Equal(("RSDK3042", false), (warning.Code, warning.IsError));
        Assert.Contains($"edition community goes to {bench.Open.Host}/{bench.Name} and {bench.Open.Host}/{bench.Name}-alias", warning.Message);
        Assert.Contains("https://github.com/acme/all", warning.Message);

        var request = bench.Request;
        bench.Request = request with { Editions = [request.Editions[0] with { RepositoryUrl = "https://github.com/acme/community" }, request.Editions[1]] };
        var asked = await PlanAsync();
        Assert.Equal(["https://github.com/acme/community", "https://github.com/acme/all"], asked.Report.Images.Select(i => i.Image.Platforms[0].Labels[Label]));
        Assert.Empty(asked.Report.Diagnostics);

        bench.Request = request with { Platforms = [request.Platforms[0] with { UserLabels = [new(Label, "mine")] }, request.Platforms[1]] };
        Assert.Empty((await PlanAsync()).Report.Diagnostics);
        bench.Request = request with { Labels = new(Source: false) };
        Assert.Empty((await PlanAsync()).Report.Diagnostics);
    }

    [Fact]
    public async Task Receipt_and_outputs_have_an_entry_for_each_edition()
    {
        var output = bench.Outside("output");
        bench.Request = bench.Request with { Reports = bench.Request.Reports with { GitHubOutput = output, GitHubSummary = bench.Outside("summary") } };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        var (community, enterprise) = Digests(published);
        var images = JsonNode.Parse(published.Receipt)!["images"]!.AsArray();
        Assert.Equal(
            [("community", "MIT", "passed", community, 2), ("enterprise", "BUSL-1.1", "passed", enterprise, 1)],
            images.Select(i => (i!["edition"]!.GetValue<string>(), i["licenses"]!.GetValue<string>(), i["wall"]!.GetValue<string>(), i["digest"]!.GetValue<string>(), i["destinations"]!.AsArray().Count)));
        Assert.Contains(published.Reporting.ConsoleLines, l => l.StartsWith($"    community: image {community} on ", StringComparison.Ordinal));
        Assert.Contains(published.Reporting.ConsoleLines, l => l.StartsWith($"    enterprise: image {enterprise} on ", StringComparison.Ordinal));
        var text = await File.ReadAllTextAsync(output);
        Assert.DoesNotContain("digest<<", text);
        var announced = JsonNode.Parse(text.Split('\n')[Array.FindIndex(text.Split('\n'), l => l.StartsWith("images<<", StringComparison.Ordinal)) + 1])!.AsArray();
        Assert.Equal([("enterprise", enterprise), ("community", community), ("community", community)], announced.Select(a => (a!["edition"]!.GetValue<string>(), a["digest"]!.GetValue<string>())));
    }

    [Fact]
    public async Task Without_a_licence_the_wall_is_off_and_says_so_once()
    {
        await using var single = await Bench.CreateAsync(registries);
        var published = (await single.PublishAsync()).EnsureSucceeded();
        const string Off = "The licence wall is off: no licence is declared. PackageLicenseExpression switches it on.";
        Assert.Single(published.Log, l => l == Off);
        Assert.Equal(Off, Assert.Single(JsonNode.Parse(published.Receipt)!["notes"]!.AsArray())!.GetValue<string>());
        Assert.Empty(published.Report.Diagnostics);
    }

    [Fact]
    public async Task What_an_earlier_publish_left_as_evidence_is_not_taken_for_this_ones()
    {
        foreach (var file in new[] { "bill.json", "wall.md" })
        {
            await File.WriteAllTextAsync(bench.Evidence("community", file), "from before");
        }

        (await bench.PublishAsync()).EnsureSucceeded();

        Assert.All(new[] { "bill.json", "wall.md" }, f => Assert.False(File.Exists(bench.Evidence("community", f)) && File.ReadAllText(bench.Evidence("community", f)) == "from before", f));
    }

    [Fact]
    public async Task Each_edition_has_a_layout_of_its_own()
    {
        var published = (await PlanAsync()).EnsureSucceeded();
        foreach (var image in published.Report.Images)
        {
            Assert.Equal(Path.Combine(bench.Request.LayoutDirectory, image.Edition), image.Image.LayoutDirectory);
            Assert.True(File.Exists(image.Image.BlobPath(image.Digest)));
        }
    }

    [Fact]
    public async Task Every_edition_on_every_platform_is_an_index_of_its_own()
    {
        await Seed.PushIndexAsync(bench.Base.Direct, bench.Name, "both", new SeedImage { Salt = bench.Name }, new SeedImage { Salt = bench.Name, Architecture = "arm64" });
        bench.Request = bench.Request with
        {
            RuntimeIdentifiers = ["linux-x64", "linux-arm64"],
            Platforms = [.. bench.Request.Platforms.SelectMany(p => new[] { p, p with { RuntimeIdentifier = "linux-arm64", Evidence = p.Evidence with { PublishDirectory = p.PublishDirectory + "-arm64", RuntimeIdentifier = "linux-arm64", Items = [] } } })
                .Select(p => p with { BaseRepository = bench.Name, BaseTag = "both" })],
        };
        foreach (var edition in new[] { "community", "enterprise" })
        {
            bench.Ship(edition, "start.sh", "#!/bin/sh\n");
            bench.Ship(edition, $"{edition}.html", edition);
        }

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        var (community, enterprise) = Digests(published);
        Assert.NotEqual(community, enterprise);
        foreach (var (target, digest, page) in new[] { (bench.Open, community, "community.html"), (bench.Closed, enterprise, "enterprise.html") })
        {
            Assert.Equal(Tags.Select(t => KeyValuePair.Create(t, digest)), await Seed.TagsAsync(target.Direct, bench.Name));
            var children = JsonNode.Parse((await Seed.ManifestAsync(target.Direct, bench.Name, digest))!)!["manifests"]!.AsArray();
            Assert.Equal(["amd64", "arm64"], children.Select(c => c!["platform"]!["architecture"]!.GetValue<string>()));
            foreach (var child in children)
            {
                Assert.Contains(page, await FilesAsync(target, bench.Name, child!["digest"]!.GetValue<string>()));
            }
        }

        // Two of one platform, in one edition: the other edition's two are not counted.
        bench.Request = bench.Request with { Platforms = [.. bench.Request.Platforms.Select(p => p is { Edition: "community", RuntimeIdentifier: "linux-arm64" } ? p with { RuntimeIdentifier = "linux-musl-x64" } : p)] };
        Assert.Equal(["RSDK4007"], (await bench.PublishAsync()).Errors.Select(e => e.Code));
    }

    [Fact]
    public async Task Two_editions_can_not_be_built_into_one_folder()
    {
        bench.Request = bench.Request with { Platforms = [bench.Request.Platforms[0], bench.Request.Platforms[1] with { Evidence = bench.Request.Platforms[0].Evidence }] };
        var error = Assert.Single((await bench.PublishAsync()).Errors);
        Assert.Equal("RSDK3007", error.Code);
        Assert.Contains("community (linux-x64) and enterprise (linux-x64)", error.Message);
    }

    [Fact]
    public async Task Of_a_base_tag_that_moves_meanwhile_all_editions_get_one_image()
    {
        var moving = $"{bench.Name}/base";
        var first = await Seed.PushAsync(bench.Base.Direct, moving, "10.0", new SeedImage { Salt = "first" });
        bench.Request = bench.Request with { Platforms = [.. bench.Request.Platforms.Select(p => p with { BaseRepository = moving })] };
        var asked = 0;
        bench.Base.Lie = async context =>
        {
            if (context.Request.Path.Value!.EndsWith("/manifests/10.0", StringComparison.Ordinal) && HttpMethods.IsHead(context.Request.Method) && Interlocked.Increment(ref asked) > 1)
            {
                await Seed.PushAsync(bench.Base.Direct, moving, "10.0", new SeedImage { Salt = "second" });
            }

            return false;
        };

        Assert.All((await PlanAsync()).EnsureSucceeded().Report.Images, i => Assert.Equal(first, i.Image.Platforms[0].Base.ReferencedDigest!.ToString()));
    }

    [Fact]
    public async Task A_pull_request_builds_and_proves_all_editions_and_pushes_nothing()
    {
        var (facts, _) = bench.Request.Derived.Value;
        var version = VersioningStage.Run(new(facts with { Ci = new() { Service = "GitHub Actions", RefKind = CiRefKind.PullRequest, PullRequestNumber = "7", Commit = Bench.Commit } }, "", [], VersioningStage.DefaultTagRules, "v")).Value;
        Assert.Equal(BuildKinds.PullRequest, version.Kind);
        bench.Request = bench.Request with { Derived = Outcome<Derived>.Success(new(facts, version)) };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(["community", "enterprise"], published.Report.Images.Select(i => i.Edition));
        Assert.DoesNotContain(bench.Arrivals, a => a.Registry is "open" or "closed");
        Assert.Contains(published.Reporting.ConsoleLines, l => l.StartsWith("    nothing to push: ", StringComparison.Ordinal));

        Directory.Delete(bench.Request.Platforms[0].PublishDirectory, recursive: true);
        Assert.Equal(["RSDK3003"], (await bench.PublishAsync()).Errors.Select(e => e.Code));
    }

    private static (string Community, string Enterprise) Digests(Published published)
    {
        Assert.Equal(["community", "enterprise"], published.Report.Images.Select(i => i.Edition));
        return (published.Report.Images[0].Digest.ToString(), published.Report.Images[1].Digest.ToString());
    }

    private static Outcome<Derived> WithRemote(string url)
    {
        var (facts, version) = Bench.Facts(containerVersion: "1.2.3").Value;
        return Outcome<Derived>.Success(new(facts with { Git = facts.Git with { RemoteUrl = url } }, version));
    }

    private async Task<Published> PlanAsync()
    {
        bench.Request = bench.Request with { PlanOnly = true };
        return await bench.PublishAsync();
    }

    private async Task<Published> CheckAsync()
    {
        var request = bench.Request;
        bench.Request = request with { CheckOnly = true, Platforms = [], Editions = [] };
        var published = (await bench.PublishAsync()).EnsureSucceeded();
        bench.Request = request;
        return published;
    }

    /// <summary>Names of the application's files in an image, as the registry has it.</summary>
    private static async Task<IReadOnlyList<string>> FilesAsync(Target target, string name, string digest)
    {
        var manifest = JsonNode.Parse((await Seed.ManifestAsync(target.Direct, name, digest))!)!;
        var layer = (await Seed.BlobAsync(target.Direct, name, manifest["layers"]!.AsArray()[^1]!["digest"]!.GetValue<string>()))!;
        var names = new List<string>();
        await using var unzipped = new System.IO.Compression.GZipStream(new MemoryStream(layer), System.IO.Compression.CompressionMode.Decompress);
        await using var tar = new System.Formats.Tar.TarReader(unzipped);
        while (await tar.GetNextEntryAsync() is { } entry)
        {
            if (entry.EntryType == System.Formats.Tar.TarEntryType.RegularFile)
            {
                names.Add(entry.Name.TrimStart('/')["app/".Length..]);
            }
        }

        return names;
    }
}
