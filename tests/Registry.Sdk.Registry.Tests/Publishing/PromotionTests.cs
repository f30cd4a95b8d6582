using System.Text.Json.Nodes;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Publishing;

/// <summary>A release that one destination has is copied to those that lack it: nothing is composed, whatever has changed since.</summary>
public sealed class PromotionTests(Registries registries) : IClassFixture<Registries>, IAsyncLifetime
{
    private static readonly string[] Tags = ["v1.2.3", "v1.2", "v1", "latest"];
    private Bench bench = null!;
    private Target third = null!;

    public async Task InitializeAsync()
    {
        bench = await Bench.CreateAsync(registries);
        third = await bench.AttachAsync("third", registries.Base.BaseUri);
    }

    public async Task DisposeAsync() => await bench.DisposeAsync();

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_registry_added_after_the_release_gets_its_tags_and_bytes_and_nothing_is_composed(bool built)
    {
        // As stock evaluates it.
        bench.Platform = bench.Platform with { Settings = bench.Platform.Settings with { Labels = [new("org.opencontainers.image.base.name", "mcr.example:5000/dotnet/aspnet:10.0")] } };
        var released = (await bench.PublishAsync()).EnsureSucceeded();
        AddThird();
        // What would make another image now: proof that none is made.
        bench.Write("api.dll", "another compiler's assembly");
        if (!built)
        {
            bench.Request = bench.Request with { Platforms = [] };
        }

        bench.Forget();
        var promoted = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(released.Digest, promoted.Digest);
        Assert.All(promoted.Image.Platforms.SelectMany(p => p.Layers), l => Assert.Equal(LayerOrigin.Released, l.Origin));
        Assert.Empty(bench.Base.Requests);
        Assert.Empty(bench.Open.Writes);
        Assert.Empty(bench.Closed.Writes);
        foreach (var tag in Tags)
        {
            Assert.Equal(released.Digest, await DigestAsync(third, tag));
        }

        var receipt = JsonNode.Parse(promoted.Receipt)!["images"]![0]!;
        Assert.Equal($"{bench.Open.Host}/{bench.Name}", receipt["copiedFrom"]!.GetValue<string>());
        Assert.Equal("mcr.example:5000/dotnet/aspnet:10.0", receipt["platforms"]![0]!["base"]!["name"]!.GetValue<string>());
        Assert.Contains(promoted.Reporting.ConsoleLines, l => l.Contains($"on mcr.example:5000/dotnet/aspnet@{released.Image.Platforms[0].Base.ReferencedDigest}, released before at {bench.Open.Host}/{bench.Name} and copied from there", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_release_that_broke_off_ends_in_its_first_digest_also_on_a_newer_base_image()
    {
        var both = bench.Request.Destinations;
        bench.Request = bench.Request with { Destinations = [both[0]] };
        var released = (await bench.PublishAsync()).EnsureSucceeded();
        var moved = $"dotnet/moved-{Guid.NewGuid():N}";
        using (var client = registries.Base.CreateClient())
        {
            await Seed.PushAsync(client, moved, "10.0", new SeedImage { Salt = "newer" });
        }

        bench.Platform = bench.Platform with { BaseRepository = moved };
        bench.Request = bench.Request with { Destinations = both };
        var finished = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(released.Digest, finished.Digest);
        Assert.Equal(released.Digest, await DigestAsync(bench.Closed, "latest"));
    }

    [Fact]
    public async Task Where_every_destination_has_it_the_image_is_composed_and_compared()
    {
        (await bench.PublishAsync()).EnsureSucceeded();
        bench.Write("api.dll", "something else");

        await RefusedAsync();
    }

    [Theory]
    [InlineData("another commit")]
    [InlineData("another version label")]
    [InlineData("no labels")]
    [InlineData("switched off")]
    [InlineData("overwritten")]
    [InlineData("two images")]
    [InlineData("attested by someone")]
    [InlineData("only the second destination has it")]
    [InlineData("another project's")]
    [InlineData("other platforms")]
    [InlineData("another time")]
    public async Task What_is_not_surely_this_release_is_not_copied(string what)
    {
        var released = (await bench.PublishAsync()).EnsureSucceeded();
        AddThird();
        bench.Write("api.dll", "something else");
        switch (what)
        {
            case "another commit":
                bench.Request = bench.Request with { Derived = Bench.Facts("1.2.3", commit: new('a', 40)) };
                break;
            case "another version label":
                bench.Platform = bench.Platform with { UserLabels = [new("org.opencontainers.image.version", "9.9.9")] };
                bench.Request = bench.Request with { OverwriteTags = Tags, Destinations = bench.Request.Destinations.Take(2).ToList() };
                (await bench.PublishAsync()).EnsureSucceeded();
                bench.Platform = bench.Platform with { UserLabels = [] };
                bench.Request = bench.Request with { OverwriteTags = [] };
                AddThird();
                break;
            case "no labels":
                bench.Request = bench.Request with { Labels = new(Revision: false, Version: false), OverwriteTags = Tags, Destinations = bench.Request.Destinations.Take(2).ToList() };
                (await bench.PublishAsync()).EnsureSucceeded();
                bench.Write("api.dll", "something else again");
                bench.Request = bench.Request with { Labels = new(), OverwriteTags = [] };
                AddThird();
                break;
            case "switched off":
                bench.Request = bench.Request with { Promote = false };
                break;
            case "overwritten":
                bench.Request = bench.Request with { OverwriteTags = Tags };
                Assert.NotEqual(released.Digest, (await bench.PublishAsync()).EnsureSucceeded().Digest);
                return;
            case "two images":
                bench.Request = bench.Request with { Destinations = [bench.Request.Destinations[0]], OverwriteTags = Tags };
                (await bench.PublishAsync()).EnsureSucceeded();
                bench.Request = bench.Request with { Destinations = [bench.Request.Destinations[0], new($"{bench.Closed.Host}/{bench.Name}")], OverwriteTags = [] };
                AddThird();
                bench.Write("api.dll", "a third thing");
                break;
            case "only the second destination has it":
                // Who can write to one registry must not fill the others.
                bench.Request = bench.Request with { Destinations = [new($"{third.Host}/{bench.Name}"), .. bench.Request.Destinations.Take(2)] };
                break;
            case "another project's":
                bench.Request = bench.Request with { AssemblyName = "billing" };
                break;
            case "other platforms":
                bench.Request = bench.Request with { Platforms = [bench.Platform, bench.Platform with { RuntimeIdentifier = "linux-arm64", BaseReference = "scratch", Evidence = new() { PublishDirectory = Path.GetDirectoryName(Other("other/api.dll"))! } }] };
                break;
            case "another time":
                bench.Request = bench.Request with { Derived = Bench.Facts("1.2.3", time: Bench.CommitTime.AddSeconds(1)) };
                break;
            default:
                // An index with a child that is no image: made by another tool, or changed by one.
                foreach (var target in new[] { bench.Open, bench.Closed })
                {
                    await AttestAsync(target, released);
                }

                break;
        }

        await RefusedAsync();
    }

    [Fact]
    public async Task A_branch_build_is_composed()
    {
        bench.Request = bench.Request with { Derived = Bench.Facts() };
        (await bench.PublishAsync()).EnsureSucceeded();
        AddThird();
        bench.Forget();

        var again = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Null(again.Image.ReleasedAt);
        Assert.NotEmpty(bench.Base.Requests);
    }

    [Fact]
    public async Task An_index_of_several_platforms_and_layout_directories_on_either_side()
    {
        bench.Request = bench.Request with
        {
            Platforms = [bench.Platform, bench.Platform with { RuntimeIdentifier = "linux-musl-arm64", BaseReference = "scratch", Evidence = new() { PublishDirectory = Path.GetDirectoryName(Other("other/api.dll"))! } }],
            Destinations = [new("oci:first"), new("oci:second")],
            RuntimeIdentifiers = ["linux-x64", "linux-musl-arm64"],
        };
        var released = (await bench.PublishAsync()).EnsureSucceeded();
        bench.Request = bench.Request with { Platforms = [], Destinations = [new("oci:first"), new("oci:third"), new($"{bench.Open.Host}/{bench.Name}")] };

        var promoted = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal((released.Digest, 2), (promoted.Digest, promoted.Image.Platforms.Count));
        Assert.Equal(released.Digest, await DigestAsync(bench.Open, "v1.2.3"));
        Assert.Equal(released.Image.Platforms.Select(p => p.Platform), promoted.Image.Platforms.Select(p => p.Platform));
        Assert.True(File.Exists(Path.Combine(bench.Request.ProjectDirectory, "third", "blobs", "sha256", released.Digest["sha256:".Length..])));
    }

    [Fact]
    public async Task A_holder_that_lost_a_layer_is_named_and_no_tag_is_written()
    {
        var released = (await bench.PublishAsync()).EnsureSucceeded();
        AddThird();
        Directory.Delete(bench.Request.LayoutDirectory, recursive: true);
        var layer = released.Image.Platforms[0].Layers[^1].Descriptor.Digest.ToString();
        bench.Open.Lie = Answers.When(
            r => r.Method == "GET" && r.Path.Value!.EndsWith(layer, StringComparison.Ordinal),
            c => Answers.WithAsync(c, 404, "application/json", """{"errors":[{"code":"BLOB_UNKNOWN","message":"gone"}]}"""));

        var failed = await bench.PublishAsync();

        Assert.Contains(failed.Errors, e => e.Code == "RSDK5006" && e.Message.StartsWith($"{bench.Open.Host}/{bench.Name}", StringComparison.Ordinal));
        Assert.DoesNotContain(third.Requests, r => r.Method == "PUT" && r.Path.Contains("/manifests/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task The_check_before_building_finds_it_and_writes_nothing_and_a_release_that_is_gone_by_then_is_an_error()
    {
        (await bench.PublishAsync()).EnsureSucceeded();
        AddThird();
        File.Delete(bench.Request.Reports.ReceiptPath);
        await File.WriteAllTextAsync(bench.Request.Reports.ReceiptPath, "from before");
        var platforms = bench.Request.Platforms;
        bench.Request = bench.Request with { CheckOnly = true, Platforms = [] };
        bench.Forget();

        var check = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal($"{bench.Open.Host}/{bench.Name}", check.Image.ReleasedAt);
        Assert.DoesNotContain(bench.Arrivals, a => a.IsWrite);
        Assert.Equal("from before", check.Receipt);

        bench.Request = bench.Request with { CheckOnly = false };
        bench.Open.Lie = bench.Closed.Lie = Answers.When(
            r => r.Path.Value!.Contains("/manifests/v1.2.3", StringComparison.Ordinal),
            c => Answers.WithAsync(c, 404, "application/json", """{"errors":[{"code":"MANIFEST_UNKNOWN","message":"gone"}]}"""));
        var gone = await bench.PublishAsync();

        Assert.Equal(["RSDK5011"], gone.Errors.Select(e => e.Code));
        Assert.DoesNotContain(bench.Arrivals, a => a.IsWrite);

        // Finished by another run meanwhile: still what was released, and nothing to send.
        bench.Open.Lie = bench.Closed.Lie = null;
        bench.Request = bench.Request with { Platforms = platforms };
        (await bench.PublishAsync()).EnsureSucceeded();
        bench.Request = bench.Request with { Platforms = [] };
        bench.Forget();
        (await bench.PublishAsync()).EnsureSucceeded();
        Assert.DoesNotContain(bench.Arrivals, a => a.IsWrite);
    }

    /// <summary>What a hostile or mistaken registry may have under the version tag, with the right labels; each is one change to what we released.</summary>
    [Theory]
    [InlineData("as it was", true)]
    [InlineData("artifactType", false)]
    [InlineData("subject", false)]
    [InlineData("layer with urls", false)]
    [InlineData("foreign layer", false)]
    [InlineData("no layers", false)]
    [InlineData("wrong layer size", false)]
    [InlineData("config with data", false)]
    [InlineData("windows", false)]
    [InlineData("index of one", true)]
    [InlineData("one child twice", false)]
    [InlineData("child of another size", false)]
    [InlineData("nothing is said of the platform", false)]
    public async Task Nothing_is_copied_that_we_would_not_have_written(string change, bool copied)
    {
        var released = (await bench.PublishAsync()).EnsureSucceeded();
        var image = released.Image.Platforms[0];
        var manifest = (JsonObject)JsonNode.Parse(image.Manifest.Content)!;
        var type = MediaTypes.OciManifest;
        switch (change)
        {
            case "artifactType":
                manifest["artifactType"] = "application/vnd.example";
                break;
            case "subject":
                manifest["subject"] = image.Manifest.Descriptor.ToJson();
                break;
            case "layer with urls":
                manifest["layers"]![0]!["urls"] = new JsonArray("http://169.254.169.254/latest");
                break;
            case "foreign layer":
                manifest["layers"]![0]!["mediaType"] = "application/vnd.oci.image.layer.nondistributable.v1.tar+gzip";
                break;
            case "no layers":
                manifest["layers"] = new JsonArray();
                break;
            case "wrong layer size":
                manifest["layers"]![0]!["size"] = 7;
                break;
            case "config with data":
                manifest["config"]!["data"] = "e30=";
                break;
            case "windows":
                var config = (JsonObject)JsonNode.Parse(image.ConfigContent)!;
                config["os"] = "windows";
                manifest["config"] = await BlobAsync(config);
                break;
            case "index of one" or "one child twice" or "child of another size" or "nothing is said of the platform":
                var child = image.Manifest.Descriptor.ToJson();
                if (change == "child of another size")
                {
                    child["size"] = image.Manifest.Descriptor.Size + 1;
                }

                if (change != "nothing is said of the platform")
                {
                    child["platform"] = image.Platform.ToJson();
                }

                type = MediaTypes.OciIndex;
                manifest = new() { ["schemaVersion"] = 2, ["mediaType"] = type, ["manifests"] = change == "one child twice" ? new JsonArray(child, child.DeepClone()) : new JsonArray(child) };
                break;
        }

        var content = System.Text.Encoding.UTF8.GetBytes(manifest.ToJsonString());
        var digest = Digest.Of(content).ToString();
        // Not every registry would take these; a hostile one serves them.
        foreach (var target in new[] { bench.Open, bench.Closed })
        {
            target.Lie = Answers.When(r => r.Path.Value!.EndsWith("/manifests/v1.2.3", StringComparison.Ordinal) || r.Path.Value.EndsWith(digest, StringComparison.Ordinal), async c =>
            {
                c.Response.Headers["Docker-Content-Digest"] = digest;
                c.Response.ContentType = type;
                c.Response.ContentLength = content.Length;
                if (c.Request.Method == "GET")
                {
                    await c.Response.Body.WriteAsync(content);
                }

                return true;
            });
        }

        AddThird();
        bench.Request = bench.Request with { CheckOnly = true, Platforms = [] };
        var check = (await bench.PublishAsync()).EnsureSucceeded();
        Assert.Equal(copied, check.Report.Images.Count > 0);

        async Task<JsonNode> BlobAsync(JsonObject json)
        {
            var bytes = System.Text.Encoding.UTF8.GetBytes(json.ToJsonString());
            foreach (var target in new[] { bench.Open, bench.Closed })
            {
                await Seed.PushBlobAsync(target.Direct, bench.Name, bytes);
            }

            return new Descriptor(MediaTypes.OciConfig, Digest.Of(bytes), bytes.Length).ToJson();
        }
    }

    [Fact]
    public async Task A_blob_of_another_project_in_the_cache_is_not_sent_on_because_a_registry_names_it()
    {
        var cache = Path.Combine(bench.Request.ProjectDirectory, "cache");
        var secret = System.Text.Encoding.UTF8.GetBytes("a layer of a private base image");
        var file = bench.Outside("layer");
        await File.WriteAllBytesAsync(file, secret);
        await new ImageCache(cache, 1 << 20).AddBlobAsync(Digest.Of(secret), file, CancellationToken.None);
        var published = await LieAboutBaseAsync();

        Assert.Contains(published.Errors, e => e.Code is "RSDK4010" or "RSDK5006");
        Assert.DoesNotContain(bench.Arrivals, a => a.IsBlobPut && a.Query.Contains(Digest.Of(secret).Hex, StringComparison.Ordinal));

        async Task<Published> LieAboutBaseAsync()
        {
            // A base image whose manifest names that layer; the registry does not have it.
            var name = $"dotnet/lying-{Guid.NewGuid():N}";
            using var client = registries.Base.CreateClient();
            await Seed.PushAsync(client, name, "10.0", Bench.BaseImage);
            var manifest = (JsonObject)JsonNode.Parse((await Seed.ManifestAsync(client, name, "10.0"))!)!;
            ((JsonArray)manifest["layers"]!)[0] = new Descriptor(MediaTypes.OciLayerGzip, Digest.Of(secret), secret.Length).ToJson();
            var content = System.Text.Encoding.UTF8.GetBytes(manifest.ToJsonString());
            bench.Base.Lie = Answers.When(r => r.Path.Value!.Contains($"{name}/manifests/", StringComparison.Ordinal), async c =>
            {
                c.Response.ContentType = MediaTypes.OciManifest;
                c.Response.Headers["Docker-Content-Digest"] = Digest.Of(content).ToString();
                c.Response.ContentLength = content.Length;
                if (c.Request.Method == "GET")
                {
                    await c.Response.Body.WriteAsync(content);
                }

                return true;
            });
            bench.Platform = bench.Platform with { BaseRepository = name };
            bench.Request = bench.Request with { CacheDirectory = cache, CacheSize = "100" };
            return await bench.PublishAsync();
        }
    }

    private void AddThird() => bench.Request = bench.Request with { Destinations = [.. bench.Request.Destinations.Take(2), new($"{third.Host}/{bench.Name}")] };

    private string Other(string path)
    {
        var file = Path.Combine(bench.PublishDirectory, "..", path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, "for the other platform");
        return Path.GetFullPath(file);
    }

    private async Task RefusedAsync()
    {
        bench.Forget();
        var refused = await bench.PublishAsync();
        Assert.Contains("RSDK5005", refused.Errors.Select(e => e.Code));
        Assert.Null(refused.Image.ReleasedAt);
        Assert.DoesNotContain(bench.Arrivals, a => a.IsWrite);
    }

    private async Task<string?> DigestAsync(Target target, string tag)
    {
        using var request = new HttpRequestMessage(HttpMethod.Head, $"/v2/{bench.Name}/manifests/{tag}");
        request.Headers.Accept.ParseAdd("application/vnd.oci.image.index.v1+json, application/vnd.oci.image.manifest.v1+json");
        using var response = await target.Direct.SendAsync(request);
        return response.Headers.TryGetValues("Docker-Content-Digest", out var values) ? values.Single() : null;
    }

    private async Task AttestAsync(Target target, Published released)
    {
        var manifest = released.Image.Manifest;
        var index = new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = MediaTypes.OciIndex,
            ["manifests"] = new JsonArray(manifest.Descriptor.ToJson(), new JsonObject
            {
                ["mediaType"] = MediaTypes.OciIndex,
                ["digest"] = manifest.Descriptor.Digest.ToString(),
                ["size"] = manifest.Descriptor.Size,
            }),
        };
        using var content = new ByteArrayContent(System.Text.Encoding.UTF8.GetBytes(index.ToJsonString()));
        content.Headers.ContentType = new(MediaTypes.OciIndex);
        using var response = await target.Direct.PutAsync($"/v2/{bench.Name}/manifests/v1.2.3", content);
        Assert.True(response.IsSuccessStatusCode, await response.Content.ReadAsStringAsync());
    }
}
