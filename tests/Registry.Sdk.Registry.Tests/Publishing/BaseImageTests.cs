using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Publishing;

/// <summary>Which base image an image stands on, what is asked of its registry, and what is believed of the answers.</summary>
public sealed class BaseImageTests(Registries registries) : IClassFixture<Registries>
{
    private const string OciManifest = "application/vnd.oci.image.manifest.v1+json";
    private const string OciIndex = "application/vnd.oci.image.index.v1+json";
    private const string DockerManifest = "application/vnd.docker.distribution.manifest.v2+json";

    [Theory]
    [InlineData(true, false, false)]
    [InlineData(false, true, false)]
    [InlineData(true, true, false)]
    [InlineData(true, false, true)]
    [InlineData(false, true, true)]
    [InlineData(true, true, true)]
    public async Task By_tag_by_digest_and_by_both(bool tag, bool digest, bool index)
    {
        await using var bench = await CreateAsync();
        var wanted = await SeedAsync(bench, "10.0", new() { Index = index, Attestation = index });
        if (digest)
        {
            // Whatever the tag names meanwhile.
            await SeedAsync(bench, "10.0", new() { Index = index, Salt = "newer" });
        }

        bench.Platform = bench.Platform with { BaseTag = tag ? "10.0" : "", BaseDigest = digest ? wanted : "" };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        var image = published.Image.Platforms[0];
        Assert.Equal((wanted, wanted), (image.Base.ReferencedDigest!.ToString(), image.Labels["org.opencontainers.image.base.digest"]));
        Assert.Equal(await LayersAsync(bench, BaseOf(bench), wanted), image.Layers.Where(l => l.IsFromBase).Select(l => l.Descriptor.Digest.ToString()));
        Assert.Equal(digest ? 0 : 1, bench.Base.Requests.Count(r => r.Path.EndsWith("/manifests/10.0", StringComparison.Ordinal)));
        Assert.Equal(await Seed.TagsAsync(bench.Open.Direct, bench.Name), new SortedDictionary<string, string>(new[] { "v1.2.3", "v1.2", "v1", "latest" }.ToDictionary(t => t, _ => published.Digest)));
    }

    [Theory]
    [InlineData("linux-x64", "amd64/v3 amd64/v2 amd64", "amd64")]
    [InlineData("linux-x64", "amd64/v3 amd64/v1", "amd64/v1")]
    [InlineData("linux-x64", "unknown amd64 arm64/v8", "amd64")]
    [InlineData("linux-x64", "index amd64", "amd64")]
    [InlineData("linux-x64", "index", "")]
    [InlineData("linux-x64", "unknown 386 arm64/v8", "")]
    [InlineData("linux-musl-arm64", "amd64 arm/v7 arm64/v8", "arm64/v8")]
    [InlineData("linux-arm64", "arm64/v9 arm64", "arm64")]
    [InlineData("linux-arm", "arm64/v8 arm/v6 arm/v7", "arm/v7")]
    [InlineData("linux-arm", "arm/v5 arm/v6 arm/v8", "arm/v6")]
    [InlineData("linux-armv6", "arm/v7 arm/v6", "arm/v6")]
    [InlineData("linux-armv6", "arm/v7 arm64/v8", "")]
    public async Task The_platform_is_chosen_by_the_rid(string rid, string offered, string expected)
    {
        await using var bench = await CreateAsync();
        foreach (var docker in new[] { false, true })
        {
            var children = offered.Split(' ').Select(p => p.Split('/')).Select(p => new SeedImage
            {
                Docker = docker, Architecture = p[0], Variant = p.ElementAtOrDefault(1) ?? "", Salt = bench.Name + string.Join('/', p) + docker,
            }).ToList();
            var tag = docker ? "docker" : "oci";
            var digest = await Seed.PushIndexAsync(bench.Base.Direct, BaseOf(bench), tag, [.. children.Select(c => c.Architecture == "index" ? c with { Architecture = "amd64", Variant = "v0" } : c)]);
            if (children.Exists(c => c.Architecture == "index"))
            {
                // The one among them is an index itself.
                var json = JsonNode.Parse((await Seed.ManifestAsync(bench.Base.Direct, BaseOf(bench), digest))!)!;
                var child = json["manifests"]!.AsArray().Single(m => m!["platform"]!["variant"]?.GetValue<string>() == "v0")!;
                var type = json["mediaType"]!.GetValue<string>();
                var nested = Seed.Json(new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = type, ["manifests"] = new JsonArray(child.DeepClone()) });
                await Seed.ManifestAsync(bench.Base.Direct, BaseOf(bench), Seed.Digest(nested), type, nested);
                child["mediaType"] = type;
                child["digest"] = Seed.Digest(nested);
                child["size"] = nested.Length;
                child["platform"]!.AsObject().Remove("variant");
                await Seed.ManifestAsync(bench.Base.Direct, BaseOf(bench), tag, type, Seed.Json(json));
            }

            bench.Platform = bench.Platform with { RuntimeIdentifier = rid, BaseTag = tag };
            bench.Request = bench.Request with { Derived = Bench.Facts(docker ? "2.0.0" : "1.0.0") };

            var published = await bench.PublishAsync();

            if (expected.Length == 0)
            {
                var error = Assert.Single(published.Errors);
                Assert.Equal("RSDK4003", error.Code);
                Assert.DoesNotContain("unknown", error.Message, StringComparison.Ordinal);
                continue;
            }

            published.EnsureSucceeded();
            var image = published.Image.Platforms[0];
            Assert.Equal("linux/" + expected, image.Platform.ToString());
            Assert.Equal(await LayersAsync(bench, BaseOf(bench), $"{tag}-{expected.Replace("/", "")}"), image.Layers.Where(l => l.IsFromBase).Select(l => l.Descriptor.Digest.ToString()));
            // As the base is, so is the image.
            Assert.Equal(docker ? DockerManifest : OciManifest, image.Manifest.Descriptor.MediaType);
            Assert.All(image.Layers, l => Assert.StartsWith(docker ? "application/vnd.docker." : "application/vnd.oci.", l.Descriptor.MediaType));
        }
    }

    /// <summary><c>mediaType</c> may be missing in OCI, and then the answer's type is all there is; a cache has no such thing beside its files.</summary>
    [Theory]
    [InlineData(false, OciManifest)]
    [InlineData(false, "application/json")]
    [InlineData(false, DockerManifest)]
    [InlineData(true, OciIndex)]
    [InlineData(true, "application/json")]
    [InlineData(true, "application/vnd.docker.distribution.manifest.list.v2+json")]
    public async Task A_manifest_without_mediaType_is_the_same_image_from_the_registry_and_from_the_cache(bool index, string contentType)
    {
        await using var bench = await CreateAsync();
        var digest = await SeedAsync(bench, "10.0", new() { Index = index });
        var json = JsonNode.Parse((await Seed.ManifestAsync(bench.Base.Direct, BaseOf(bench), digest))!)!.AsObject();
        json.Remove("mediaType");
        var content = Seed.Json(json);
        bench.Base.Lie = Answers.When(
            r => r.Path.Value!.EndsWith("/manifests/10.0", StringComparison.Ordinal) || r.Path.Value.EndsWith(Seed.Digest(content), StringComparison.Ordinal),
            c =>
            {
                c.Response.Headers["Docker-Content-Digest"] = Seed.Digest(content);
                return Answers.WithAsync(c, 200, contentType, Encoding.UTF8.GetString(content));
            });

        var first = (await bench.PublishAsync()).EnsureSucceeded();
        bench.Forget();
        var second = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(["HEAD"], bench.Base.Requests.Select(r => r.Method));
        Assert.Equal(first.Digest, second.Digest);
        Assert.Equal(2, second.Image.Platforms[0].Layers.Count(l => l.IsFromBase));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task A_registry_that_wants_a_token_of_everybody_gives_one_to_the_anonymous(bool index)
    {
        await using var bench = await CreateAsync();
        await SeedAsync(bench, "10.0", new() { Index = index });
        RequireToken(bench, login: null);
        bench.Request = bench.Request with { Destinations = [new($"{bench.Closed.Host}/{bench.Name}")] };

        (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(4, (await Seed.TagsAsync(bench.Closed.Direct, bench.Name)).Count);
        var tokens = bench.Arrivals.Where(a => a.Registry == "base" && a.Path == "/token").ToList();
        var token = Assert.Single(tokens);
        Assert.Null(token.Authorization);
        Assert.Contains(Uri.EscapeDataString($"repository:{BaseOf(bench)}:pull"), token.Query, StringComparison.Ordinal);
        Assert.DoesNotContain("push", token.Query, StringComparison.Ordinal);
        Assert.DoesNotContain(bench.Arrivals, a => a.Registry == "base" && a.Authorization?.StartsWith("Basic", StringComparison.Ordinal) == true);
    }

    [Fact]
    public async Task A_token_is_asked_with_the_credentials_of_the_base_image_and_theirs_alone()
    {
        await using var bench = await CreateAsync();
        await SeedAsync(bench, "10.0", new());
        RequireToken(bench, login: "reader:secret of the base");
        bench.Set(("BASE_USER", "reader"), ("BASE_PASSWORD", "secret of the base"));
        bench.Request = bench.Request with
        {
            Destinations = [new($"{bench.Closed.Host}/{bench.Name}"), new($"{bench.Open.Host}/{bench.Name}")],
            Credentials = [.. bench.Request.Credentials, new(bench.Base.Host, "BASE_USER", "BASE_PASSWORD")],
        };

        (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(await Seed.TagsAsync(bench.Open.Direct, bench.Name), await Seed.TagsAsync(bench.Closed.Direct, bench.Name));
        Assert.Equal([Basic("reader:secret of the base")], bench.Arrivals.Where(a => a.Registry == "base" && a.Path == "/token").Select(a => a.Authorization));
        Assert.All(bench.Arrivals.Where(a => a.Registry == "closed" && a.Authorization is not null), a => Assert.Equal(Basic($"{bench.Login.User}:{bench.Login.Password}"), a.Authorization));
        Assert.All(bench.Arrivals.Where(a => a.Registry == "open"), a => Assert.Null(a.Authorization));

        // Refused: the source is named, nothing is sent.
        bench.Set(("BASE_PASSWORD", "wrong"));
        bench.Request = bench.Request with { Derived = Bench.Facts("1.3.0"), CacheSize = "0" };
        bench.Forget();
        var refused = await bench.PublishAsync();
        Assert.Equal("RSDK4002", Assert.Single(refused.Errors).Code);
        Assert.Contains("BASE_PASSWORD", refused.Errors[0].Message, StringComparison.Ordinal);
        Assert.Empty(bench.Targets.SelectMany(t => t.Writes));
    }

    [Theory]
    [InlineData(true, false)]
    [InlineData(false, true)]
    [InlineData(true, true)]
    public async Task Credentials_go_to_the_one_that_wants_them(bool forBase, bool forDestination)
    {
        await using var bench = await CreateAsync();
        var source = forBase ? bench.Closed : bench.Base;
        await Seed.PushAsync(source.Direct, BaseOf(bench), "10.0", new() { Salt = bench.Name });
        var destination = forDestination ? bench.Closed : bench.Open;
        bench.Platform = bench.Platform with { BaseRegistry = source.Host };
        bench.Request = bench.Request with { Destinations = [new($"{destination.Host}/{bench.Name}")] };

        (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(4, (await Seed.TagsAsync(destination.Direct, bench.Name)).Count);
        Assert.Contains(bench.Arrivals, a => a.Registry == "closed" && a.Authorization == Basic($"{bench.Login.User}:{bench.Login.Password}"));
        Assert.All(bench.Arrivals.Where(a => a.Registry != "closed"), a => Assert.Null(a.Authorization));
    }

    [Fact]
    public async Task A_tag_is_resolved_once_per_build_and_what_it_names_is_read_once_ever()
    {
        await using var bench = await CreateAsync();
        var tag = $"/v2/{BaseOf(bench)}/manifests/10.0";
        var digest = await Seed.PushIndexAsync(bench.Base.Direct, BaseOf(bench), "10.0", Image("amd64"), Image("arm64"));
        bench.Request = bench.Request with { Platforms = [bench.Platform, Arm(bench)] };

        var first = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(1, bench.Base.Requests.Count(r => r.Path == tag));
        Assert.All(bench.Base.Requests.GroupBy(r => r.Path), g => Assert.Single(g));
        // The index, two manifests, two configs, four layers.
        Assert.Equal((1, 9), (bench.Base.Requests.Count(r => r.Method == "HEAD"), bench.Base.Requests.Count(r => r.Method == "GET")));

        // Nothing changed. Only the tag is looked at, also where a destination lacks the base layers: those are in the cache, once the registry has said that it has them.
        bench.Forget();
        Directory.Delete(bench.Request.LayoutDirectory, recursive: true);
        bench.Request = bench.Request with { Destinations = [.. bench.Request.Destinations, new($"{bench.Closed.Host}/{bench.Name}")], Promote = false };
        var second = (await bench.PublishAsync()).EnsureSucceeded();
        Assert.Equal(first.Digest, second.Digest);
        Assert.All(bench.Base.Requests, r => Assert.Equal("HEAD", r.Method));
        Assert.Equal((1, 4), (bench.Base.Requests.Count(r => r.Path == tag), bench.Base.Requests.Count(r => r.Path.Contains("/blobs/", StringComparison.Ordinal))));
        Assert.Equal(await Seed.TagsAsync(bench.Open.Direct, bench.Name), await Seed.TagsAsync(bench.Closed.Direct, bench.Name));

        // The tag moves.
        var moved = await Seed.PushIndexAsync(bench.Base.Direct, BaseOf(bench), "10.0", Image("amd64", "newer"), Image("arm64"));
        bench.Request = bench.Request with { Derived = Bench.Facts("1.2.4") };
        bench.Forget();
        var third = (await bench.PublishAsync()).EnsureSucceeded();
        Assert.All(third.Image.Platforms, p => Assert.Equal(moved, p.Base.ReferencedDigest!.ToString()));
        Assert.Equal(await LayersAsync(bench, BaseOf(bench), "10.0-amd64"), third.Image.Platforms[0].Layers.Where(l => l.IsFromBase).Select(l => l.Descriptor.Digest.ToString()));
        // Of arm64 everything is known.
        Assert.Equal((1, 5), (bench.Base.Requests.Count(r => r.Method == "HEAD"), bench.Base.Requests.Count(r => r.Method == "GET")));

        // Pinned: nobody has to be asked.
        bench.Request = bench.Request with { Derived = Bench.Facts("1.2.5"), Platforms = [.. bench.Request.Platforms.Select(p => p with { BaseTag = "", BaseDigest = digest })] };
        bench.Forget();
        (await bench.PublishAsync()).EnsureSucceeded();
        Assert.Empty(bench.Base.Requests);

        SeedImage Image(string architecture, string salt = "") => new() { Architecture = architecture, Salt = bench.Name + architecture + salt };
    }

    [Theory]
    [InlineData("flip")]
    [InlineData("cut")]
    [InlineData("other")]
    [InlineData("empty")]
    [InlineData("folder")]
    public async Task What_is_wrong_in_the_cache_is_read_again(string how)
    {
        await using var bench = await CreateAsync();
        await SeedAsync(bench, "10.0", new() { Index = true });
        var first = (await bench.PublishAsync()).EnsureSucceeded();
        var entries = Directory.GetFiles(Path.Combine(bench.Request.CacheDirectory, "blobs")).Order(StringComparer.Ordinal).ToList();
        var contents = entries.ToDictionary(e => e, File.ReadAllBytes);
        Assert.Equal(5, entries.Count); // index, manifest, config, two layers
        foreach (var entry in entries)
        {
            var content = (byte[])contents[entry].Clone();
            content[content.Length / 2] ^= 1;
            File.Delete(entry);
            switch (how)
            {
                case "folder":
                    Directory.CreateDirectory(entry);
                    break;
                default:
                    await File.WriteAllBytesAsync(entry, how switch { "flip" => content, "cut" => content[..^1], "other" => contents[entries.First(e => e != entry)], _ => [] });
                    break;
            }
        }

        bench.Forget();
        Directory.Delete(bench.Request.LayoutDirectory, recursive: true);
        // Else the layers would be mounted from where the first publish noted them, and nothing be read here.
        Directory.Delete(Path.Combine(bench.Request.CacheDirectory, "notes"), recursive: true);
        bench.Request = bench.Request with { Destinations = [new($"{bench.Open.Host}/{bench.Name}-other")] };
        var second = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(first.Digest, second.Digest);
        Assert.Equal(first.Digest, (await Seed.TagsAsync(bench.Open.Direct, bench.Name + "-other"))["v1.2.3"]);
        Assert.Equal(5, bench.Base.Requests.Count(r => r.Method == "GET"));
        if (how == "folder")
        {
            return;
        }

        Assert.All(entries, e => Assert.Equal(contents[e], File.ReadAllBytes(e)));
    }

    public static TheoryData<string, string, string> Lies => new()
    {
        { "the tag's digest is of nothing", "RSDK4002", "does not exist" },
        { "the tag's digest is of something else", "RSDK4010", "should have been sha256:" },
        { "the manifest is something else", "RSDK4010", "should have been sha256:" },
        { "the config is something else", "RSDK4010", "GET blob sha256:" },
        { "the config is missing", "RSDK4010", "is not there" },
        { "the config's size is wrong", "RSDK4010", "answers with more than" },
        { "a layer is something else", "RSDK4010", "GET blob sha256:" },
        { "a layer is too long", "RSDK4010", "larger than" },
        { "a layer is too short", "RSDK4010", "instead of" },
        { "a layer is missing", "RSDK4010", "is not there" },
        { "a layer's size is too large", "RSDK4010", "instead of" },
        { "a layer's size is too small", "RSDK4010", "larger than" },
    };

    [Theory]
    [MemberData(nameof(Lies))]
    public async Task A_registry_that_lies_is_found_out_and_nothing_of_it_is_kept(string how, string code, string says)
    {
        await using var bench = await CreateAsync();
        var digest = await SeedAsync(bench, "10.0", new());
        var other = await SeedAsync(bench, "other", new() { Salt = "other" });
        var manifest = JsonNode.Parse((await Seed.ManifestAsync(bench.Base.Direct, BaseOf(bench), digest))!)!;
        var layer = manifest["layers"]![1]!["digest"]!.GetValue<string>();
        var config = manifest["config"]!["digest"]!.GetValue<string>();
        if (how.Contains("size", StringComparison.Ordinal))
        {
            var descriptor = how.Contains("layer", StringComparison.Ordinal) ? manifest["layers"]![1]! : manifest["config"]!;
            descriptor["size"] = descriptor["size"]!.GetValue<long>() + (how.EndsWith("large", StringComparison.Ordinal) ? 1 : -1);
            var content = Seed.Json(manifest);
            digest = Seed.Digest(content);
            bench.Base.Lie = Serve(digest, content);
        }
        else
        {
            var length = new string('x', 1000);
            bench.Base.Lie = how switch
            {
                "the tag's digest is of nothing" => AnswerTag($"sha256:{new string('0', 64)}"),
                // It is asked for by that digest then, and the registry gives what the tag names.
                "the tag's digest is of something else" => Both(AnswerTag(other), Serve(other, Seed.Json(manifest))),
                "the manifest is something else" => Serve(digest, (await Seed.ManifestAsync(bench.Base.Direct, BaseOf(bench), other))!),
                "the config is something else" => Blob(config, "{}"),
                "the config is missing" => Missing(config),
                "a layer is something else" => Blob(layer, length),
                "a layer is too long" => Blob(layer, length + "x"),
                "a layer is too short" => Blob(layer, length[1..]),
                _ => Missing(layer),
            };
        }

        var published = await bench.PublishAsync();

        Assert.All(published.Errors, e => Assert.Equal(code, e.Code));
        Assert.Contains(says, published.Errors[0].Message, StringComparison.Ordinal);
        Assert.Contains("ContainerBaseImage", published.Errors[0].Message, StringComparison.Ordinal);
        Assert.DoesNotContain(bench.Arrivals, a => a.IsManifestPut);
        Assert.Empty(await Seed.TagsAsync(bench.Open.Direct, bench.Name));
        AssertCacheIsRight(bench);
        Assert.Empty(Directory.Exists(bench.Request.LayoutDirectory) ? Directory.GetFiles(bench.Request.LayoutDirectory, "*.partial", SearchOption.AllDirectories) : []);

        // Once it tells the truth, all is well.
        bench.Base.Lie = null;
        (await bench.PublishAsync()).EnsureSucceeded();
        AssertCacheIsRight(bench);
        Assert.Equal(4, (await Seed.TagsAsync(bench.Open.Direct, bench.Name)).Count);

        Func<HttpContext, Task<bool>> AnswerTag(string says) => Answers.When(r => r.Path.Value!.EndsWith("/manifests/10.0", StringComparison.Ordinal), c =>
        {
            c.Response.Headers["Docker-Content-Digest"] = says;
            return Answers.WithAsync(c, 200, OciManifest, "");
        });

        Func<HttpContext, Task<bool>> Serve(string reference, byte[] content) => Both(AnswerTag(reference), Answers.When(
            r => r.Path.Value!.EndsWith(reference, StringComparison.Ordinal), c => Answers.WithAsync(c, 200, OciManifest, Encoding.UTF8.GetString(content))));

        Func<HttpContext, Task<bool>> Blob(string reference, string content) => Answers.When(r => r.Path.Value!.EndsWith(reference, StringComparison.Ordinal), c => Answers.WithAsync(c, 200, null, content));

        Func<HttpContext, Task<bool>> Missing(string reference) => Answers.When(
            r => r.Path.Value!.EndsWith(reference, StringComparison.Ordinal), c => Answers.WithAsync(c, 404, "application/json", """{"errors":[{"code":"BLOB_UNKNOWN"}]}"""));
    }

    [Fact]
    public async Task A_layout_without_the_base_layers_is_enough_where_they_are_already()
    {
        await using var bench = await CreateAsync();
        var digest = await SeedAsync(bench, "10.0", new());
        var layout = bench.Outside("base");
        await Skopeo.CopyAsync($"docker://{bench.Base.Host}/{BaseOf(bench)}:10.0", $"oci:{layout}:10.0");
        var layers = await LayersAsync(bench, BaseOf(bench), digest);
        layers.ForEach(l => File.Delete(Path.Combine(layout, "blobs", "sha256", l["sha256:".Length..])));
        bench.Platform = bench.Platform with { BaseReference = "oci:../outside/base:10.0", BaseRegistry = "", BaseRepository = "", BaseTag = "" };
        bench.Request = bench.Request with { Destinations = [new($"{bench.Base.Host}/{BaseOf(bench)}")] };

        (await bench.PublishAsync()).EnsureSucceeded();

        bench.Request = bench.Request with { Destinations = [new($"{bench.Open.Host}/{bench.Name}")] };
        var missing = await bench.PublishAsync();
        Assert.NotEmpty(missing.Errors);
        Assert.All(missing.Errors, e => Assert.Equal("RSDK4010", e.Code));
        Assert.Contains(layers, l => missing.Errors[0].Message.Contains(l, StringComparison.Ordinal));
        Assert.Contains("oci:../outside/base", missing.Errors[0].Message, StringComparison.Ordinal);
        Assert.Empty(await Seed.TagsAsync(bench.Open.Direct, bench.Name));
    }

    [Fact]
    public async Task Scratch_has_no_layer_and_no_registry()
    {
        await using var bench = await CreateAsync();
        bench.Platform = bench.Platform with { BaseReference = "scratch", BaseRegistry = "", BaseRepository = "", BaseTag = "" };
        bench.Request = bench.Request with { Platforms = [bench.Platform, Arm(bench)] };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Empty(bench.Base.Requests);
        Assert.Equal(["linux/amd64", "linux/arm64"], published.Image.Platforms.Select(p => p.Platform.ToString()));
        foreach (var image in published.Image.Platforms)
        {
            Assert.All(image.Layers, l => Assert.False(l.IsFromBase));
            Assert.DoesNotContain(image.Labels.Keys, l => l.StartsWith("org.opencontainers.image.base.", StringComparison.Ordinal));
            Assert.Equal(image.Layers.Count, JsonNode.Parse(image.ConfigContent)!["rootfs"]!["diff_ids"]!.AsArray().Count);
        }

        Assert.Equal(published.Digest, (await Seed.TagsAsync(bench.Open.Direct, bench.Name))["latest"]);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Two_platforms_may_have_two_base_images_from_two_registries(bool docker)
    {
        await using var bench = await CreateAsync();
        var name = BaseOf(bench);
        // One layer is in both.
        await Seed.PushAsync(bench.Base.Direct, name, "10.0", new() { Salt = bench.Name, Layers = 2 });
        await Seed.PushAsync(bench.Closed.Direct, name + "-arm", "9", new() { Salt = bench.Name, Layers = 3, Architecture = "arm64", Variant = "v8", Docker = docker });
        bench.Request = bench.Request with { Platforms = [bench.Platform, Arm(bench) with { BaseRegistry = bench.Closed.Host, BaseRepository = name + "-arm", BaseTag = "9" }] };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        var image = published.Image;
        Assert.Equal(["linux/amd64", "linux/arm64/v8"], image.Platforms.Select(p => p.Platform.ToString()));
        Assert.Equal([2, 3], image.Platforms.Select(p => p.Layers.Count(l => l.IsFromBase)));
        Assert.Equal(published.Digest, (await Seed.TagsAsync(bench.Open.Direct, bench.Name))["v1.2.3"]);
        foreach (var platform in image.Platforms)
        {
            // One family of types in one index, whatever the bases are.
            Assert.Equal(OciManifest, platform.Manifest.Descriptor.MediaType);
            foreach (var layer in platform.Layers)
            {
                Assert.StartsWith("application/vnd.oci.", layer.Descriptor.MediaType, StringComparison.Ordinal);
                Assert.Equal(layer.Descriptor.Digest.ToString(), Seed.Digest((await Seed.BlobAsync(bench.Open.Direct, bench.Name, layer.Descriptor.Digest.ToString()))!));
            }
        }

        var fetched = bench.Arrivals.Where(a => a.Method == "GET" && image.Platforms[1].Layers.Any(l => l.IsFromBase && a.Path.EndsWith(l.Descriptor.Digest.ToString(), StringComparison.Ordinal))).ToList();
        Assert.Equal(3, fetched.DistinctBy(a => a.Path[(a.Path.LastIndexOf('/') + 1)..]).Count());
        Assert.Equal(["base", "base", "closed"], fetched.Where(a => a.Registry != "closed" || a.Authorization is not null).Select(a => a.Registry).Order(StringComparer.Ordinal));
    }

    /// <summary>A bench with a cache, whose base image is in a repository of its own, and one destination.</summary>
    private async Task<Bench> CreateAsync()
    {
        var bench = await Bench.CreateAsync(registries);
        bench.Platform = bench.Platform with { BaseRepository = BaseOf(bench) };
        bench.Request = bench.Request with { CacheDirectory = bench.Outside("cache"), CacheSize = "100", Destinations = [new($"{bench.Open.Host}/{bench.Name}")] };
        return bench;
    }

    private static string BaseOf(Bench bench) => bench.Name + "/base";

    private static Task<string> SeedAsync(Bench bench, string tag, SeedImage image) => Seed.PushAsync(bench.Base.Direct, BaseOf(bench), tag, image with { Salt = bench.Name + image.Salt });

    private static Core.PlatformRequest Arm(Bench bench)
    {
        var folder = bench.Outside("publish-arm64");
        Directory.CreateDirectory(folder);
        File.WriteAllText(Path.Combine(folder, "api.dll"), "an assembly for arm64");
        return bench.Platform with { RuntimeIdentifier = "linux-arm64", Evidence = new() { PublishDirectory = folder } };
    }

    /// <summary>The layers of an image of the base registry; of an index's first child.</summary>
    private static async Task<List<string>> LayersAsync(Bench bench, string repository, string reference)
    {
        var json = JsonNode.Parse((await Seed.ManifestAsync(bench.Base.Direct, repository, reference))!)!;
        return json["manifests"] is JsonArray children
            ? await LayersAsync(bench, repository, children.First(c => c!["platform"]!["os"]!.GetValue<string>() == "linux")!["digest"]!.GetValue<string>())
            : [.. json["layers"]!.AsArray().Select(l => l!["digest"]!.GetValue<string>())];
    }

    /// <summary>Every file of the cache is what its name says.</summary>
    private static void AssertCacheIsRight(Bench bench)
    {
        var blobs = Path.Combine(bench.Request.CacheDirectory, "blobs");
        Assert.All(Directory.Exists(blobs) ? Directory.GetFiles(blobs) : [], f => Assert.Equal("sha256:" + Path.GetFileName(f), Seed.Digest(File.ReadAllBytes(f))));
    }

    /// <summary>Makes the base registry one that wants a Bearer token for everything, as Docker Hub does.</summary>
    private static void RequireToken(Bench bench, string? login) => bench.Base.Lie = context =>
    {
        var authorization = context.Request.Headers.Authorization.ToString();
        if (context.Request.Path == "/token")
        {
            return authorization == (login is null ? "" : Basic(login))
                ? Answers.WithAsync(context, 200, "application/json", $$"""{"token":"{{Convert.ToHexString(Encoding.UTF8.GetBytes(context.Request.Query["scope"].ToString()))}}"}""")
                : Answers.WithAsync(context, 401, "application/json", "{}");
        }

        if (authorization == "Bearer " + Convert.ToHexString(Encoding.UTF8.GetBytes($"repository:{BaseOf(bench)}:pull"))
            || authorization == "Bearer " + Convert.ToHexString(Encoding.UTF8.GetBytes($"repository:{BaseOf(bench)}:pull,push")))
        {
            return Task.FromResult(false);
        }

        context.Response.Headers.WWWAuthenticate = $"Bearer realm=\"http://{bench.Base.Host}/token\",service=\"base\",scope=\"repository:{BaseOf(bench)}:pull\"";
        return Answers.WithAsync(context, 401, "application/json", """{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}""");
    };

    private static string Basic(string login) => "Basic " + Convert.ToBase64String(Encoding.UTF8.GetBytes(login));

    private static Func<HttpContext, Task<bool>> Both(Func<HttpContext, Task<bool>> first, Func<HttpContext, Task<bool>> second) => async context => await first(context) || await second(context);
}
