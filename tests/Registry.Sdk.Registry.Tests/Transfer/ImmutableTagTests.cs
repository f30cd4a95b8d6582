using System.IO.Compression;
using System.Text.Json.Nodes;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>An immutable tag never changes what it names, and a release that is published again ends in its first digest.</summary>
public sealed class ImmutableTagTests(Registries registries) : IClassFixture<Registries>
{
    /// <summary>The same image deflated otherwise, as an earlier publish with another .NET version left it at one of two destinations.</summary>
    [Theory]
    [InlineData("1.2.3", 0)]
    [InlineData("1.2.3", 1)]
    [InlineData("", 1)] // a branch: main-0123456
    public async Task The_same_image_in_other_compressed_bytes_is_adopted_everywhere(string version, int holder)
    {
        await using var bench = await CommitBench.StartAsync(2);
        var tag = version.Length > 0 ? "v1.2.3" : "main-0123456";
        var other = await RecompressAsync(bench, version, holder, tag, _ => { });

        var published = (await CommitBench.PublishAsync(bench.Request(version, content: "words") with { Promote = false })).EnsureSucceeded();

        Assert.Equal(other, published.Digest);
        foreach (var server in new[] { 0, 1 })
        {
            Assert.All((await bench.TagsAsync(server)).Values, d => Assert.Equal(other, d));
            Assert.Equal(version.Length > 0 ? 4 : 2, (await bench.TagsAsync(server)).Count);
        }

        Assert.Contains(published.Report.Notes, n => n.Contains($"{bench.Servers[holder].Host}/team/app:{tag} names {other}, which is this image in other compressed bytes", StringComparison.Ordinal));
        // And again nothing is sent.
        var before = bench.Servers.Sum(s => s.Requests.Count(r => r.Method is "PUT" or "POST"));
        (await CommitBench.PublishAsync(bench.Request(version, content: "words"))).EnsureSucceeded();
        Assert.Equal(before, bench.Servers.Sum(s => s.Requests.Count(r => r.Method is "PUT" or "POST")));
    }

    /// <summary>A registry could put anything under a config that is ours: what goes to another destination was unpacked and is what was composed.</summary>
    [Theory]
    [InlineData("other content")]
    [InlineData("more than it should be")]
    [InlineData("no gzip")]
    [InlineData("something after its end")]
    [InlineData("very much after its end")]
    [InlineData("zeros after its end")]
    [InlineData("words in its header")]
    [InlineData("two parts")]
    [InlineData("another checksum")]
    public async Task A_layer_that_does_not_unpack_to_what_the_config_says_is_not_adopted(string what)
    {
        await using var bench = await CommitBench.StartAsync(2);
        await RecompressAsync(bench, "1.2.3", 0, "v1.2.3", layers =>
        {
            var content = Gunzip(layers[0]);
            layers[0] = what switch
            {
                "other content" => Gzip([.. content[..^1], 1], CompressionLevel.NoCompression),
                "more than it should be" => Gzip([.. content, .. new byte[100_000]], CompressionLevel.Optimal),
                // .NET reads over what others stumble upon, docker's Go among them: it could not be pulled anywhere then.
                "something after its end" => [.. layers[0], 1, 2, 3],
                "very much after its end" => [.. layers[0], .. Enumerable.Repeat((byte)7, 60_000)],
                "zeros after its end" => [.. layers[0], .. new byte[512]],
                "words in its header" => [.. layers[0][..3], 16, .. layers[0][4..10], .. "words"u8, 0, .. layers[0][10..]],
                "two parts" => [.. Gzip(content[..700], CompressionLevel.Optimal), .. Gzip(content[700..], CompressionLevel.Optimal)],
                "another checksum" => [.. layers[0][..^8], 1, 2, 3, 4, .. layers[0][^4..]],
                _ => [1, 2, 3],
            };
        });

        var published = await CommitBench.PublishAsync(bench.Request("1.2.3", content: "words") with { Promote = false });

        Assert.Equal(["RSDK5005"], published.Errors.Select(e => e.Code));
        Assert.Empty(await bench.TagsAsync(1));
        Assert.DoesNotContain(bench.Servers[1].Requests, r => r.Method is "PUT" or "POST");
    }

    /// <summary>Registries read links and descriptions from manifests: a destination does not write those of the others.</summary>
    [Theory]
    [InlineData("an annotation that is another")]
    [InlineData("an annotation more")]
    [InlineData("another type of layer")]
    public async Task What_a_destination_wrote_around_the_layers_is_not_adopted(string what)
    {
        await using var bench = await CommitBench.StartAsync(2);
        await RecompressAsync(bench, "1.2.3", 0, "v1.2.3", _ => { }, manifest =>
        {
            var annotations = manifest["annotations"]!.AsObject();
            switch (what)
            {
                case "an annotation that is another":
                    annotations["org.opencontainers.image.version"] = "6.6.6";
                    break;
                case "an annotation more":
                    annotations["org.opencontainers.image.source"] = "https://github.com/mallory/elsewhere";
                    break;
                default:
                    manifest["layers"]![0]!["mediaType"] = "application/vnd.docker.image.rootfs.diff.tar.gzip";
                    break;
            }
        });

        var published = await CommitBench.PublishAsync(bench.Request("1.2.3", content: "words") with { Promote = false });

        Assert.Equal(["RSDK5005"], published.Errors.Select(e => e.Code));
        Assert.DoesNotContain(bench.Servers[1].Requests, r => r.Method is "PUT" or "POST");
    }

    /// <summary>With editions nothing is copied: every edition is composed, on the base image that the release was begun on.</summary>
    [Fact]
    public async Task A_release_with_editions_that_broke_off_ends_in_its_first_digest_after_its_base_tag_moved()
    {
        await using var bench = await Bench.CreateAsync(registries);
        await Seed.PushAsync(bench.Base.Direct, bench.Name, "10.0", new SeedImage { Salt = "first" });
        bench.Platform = bench.Platform with { BaseRepository = bench.Name };
        bench.UseEditions(("community", "MIT"), ("enterprise", "MIT"));
        bench.Request = bench.Request with { Destinations = [new($"{bench.Open.Host}/{bench.Name}", "community"), new($"{bench.Closed.Host}/{bench.Name}", "enterprise")] };
        // The community's tag is there, and of the enterprise nothing but bytes.
        bench.Closed.Lie = Answers.When(r => r.Method == "PUT" && r.Path.Value!.EndsWith("/manifests/v1.2.3", StringComparison.Ordinal), c => Answers.WithAsync(c, 400, null, ""));
        var broken = await bench.PublishAsync();
        Assert.Contains("RSDK6002", broken.Codes);
        Assert.Equal(["v1.2.3"], (await Seed.TagsAsync(bench.Open.Direct, bench.Name)).Keys);
        Assert.Empty(await Seed.TagsAsync(bench.Closed.Direct, bench.Name));
        bench.Closed.Lie = null;
        var moved = await Seed.PushAsync(bench.Base.Direct, bench.Name, "10.0", new SeedImage { Salt = "second" });
        Directory.Delete(bench.Request.LayoutDirectory, recursive: true);

        var finished = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(broken.Report.Images.Select(i => i.Digest), finished.Report.Images.Select(i => i.Digest));
        foreach (var (image, client) in finished.Report.Images.Zip([bench.Open.Direct, bench.Closed.Direct]))
        {
            var tags = await Seed.TagsAsync(client, bench.Name);
            Assert.Equal(["latest", "v1", "v1.2", "v1.2.3"], tags.Keys);
            Assert.All(tags.Values, d => Assert.Equal(image.Digest.ToString(), d));
        }

        var note = Assert.Single(finished.Report.Notes, n => n.StartsWith("1.2.3 was begun on the base image ", StringComparison.Ordinal));
        Assert.Contains($"names {moved} by now", note);
        // A new version takes the new base.
        bench.Request = bench.Request with { Derived = Bench.Facts("1.2.4", commit: new('d', 40)) };
        var next = (await bench.PublishAsync()).EnsureSucceeded();
        Assert.All(next.Report.Images, i => Assert.Equal(moved, i.Image.Platforms[0].Base.ReferencedDigest!.ToString()));
        Assert.DoesNotContain(next.Report.Notes, n => n.Contains("was begun on", StringComparison.Ordinal));
    }

    /// <summary>Of two publishes each could else have one edition, and neither the release.</summary>
    [Fact]
    public async Task An_edition_is_claimed_only_by_who_has_the_one_before()
    {
        await using var bench = await Bench.CreateAsync(registries);
        bench.UseEditions(("community", "MIT"), ("enterprise", "MIT"));
        bench.Request = bench.Request with { Destinations = [new($"{bench.Open.Host}/{bench.Name}", "community"), new($"{bench.Closed.Host}/{bench.Name}", "enterprise")] };
        bench.Open.Lie = Answers.When(r => r.Method == "PUT" && r.Path.Value!.EndsWith("/manifests/v1.2.3", StringComparison.Ordinal), c => Answers.WithAsync(c, 400, null, ""));

        var broken = await bench.PublishAsync();

        Assert.Contains("RSDK6002", broken.Codes);
        Assert.Empty(await Seed.TagsAsync(bench.Open.Direct, bench.Name));
        Assert.Empty(await Seed.TagsAsync(bench.Closed.Direct, bench.Name));
    }

    [Fact]
    public async Task A_digest_that_the_project_names_is_the_users_choice_and_is_not_replaced()
    {
        await using var bench = await CommitBench.StartAsync();
        var first = await Seed.PushAsync(bench.Clients[0], "base", "10.0", new SeedImage { Salt = "first" });
        var second = await Seed.PushAsync(bench.Clients[0], "base", "10.0", new SeedImage { Salt = "second" });
        PublishRequest On(string digest)
        {
            var request = bench.Request("1.2.3");
            return request with { Platforms = [OnBase(request.Platforms[0], bench.Servers[0].Host) with { BaseTag = "", BaseDigest = digest }] };
        }

        (await CommitBench.PublishAsync(On(first))).EnsureSucceeded();
        var refused = await CommitBench.PublishAsync(On(second));

        Assert.Equal(["RSDK5005"], refused.Codes);
        Assert.Contains($"set ContainerBaseImage to name@{first}", refused.Errors[0].Message);
        Assert.Contains("layers of the base image", refused.Errors[0].Message);
    }

    [Fact]
    public async Task A_branch_on_a_newer_base_keeps_the_commits_tag_moves_its_own_and_says_both()
    {
        await using var bench = await CommitBench.StartAsync();
        await Seed.PushAsync(bench.Clients[0], "base", "10.0", new SeedImage { Salt = "first" });
        PublishRequest Branch()
        {
            var request = bench.Request("");
            return request with { Platforms = [OnBase(request.Platforms[0], bench.Servers[0].Host)] };
        }

        var first = (await CommitBench.PublishAsync(Branch())).EnsureSucceeded();
        await Seed.PushAsync(bench.Clients[0], "base", "10.0", new SeedImage { Salt = "second" });

        var planned = (await CommitBench.PublishAsync(Branch() with { PlanOnly = true })).EnsureSucceeded();
        var second = (await CommitBench.PublishAsync(Branch())).EnsureSucceeded();

        Assert.NotEqual(first.Digest, second.Digest);
        Assert.Equal((first.Digest, second.Digest), ((await bench.TagsAsync())["main-0123456"], (await bench.TagsAsync())["main"]));
        Assert.Contains(second.Reporting.ConsoleLines, l => l.Contains($"main-0123456 kept at {first.Digest}, not {second.Digest} (stays: the same commit was built before, on the base image sha256:", StringComparison.Ordinal));
        Assert.Contains(second.Reporting.ConsoleLines, l => l.Contains($"main moved from {first.Digest} to {second.Digest} (rebuilt from 0123456)", StringComparison.Ordinal));
        Assert.Contains(planned.Reporting.ConsoleLines, l => l.Contains($"main-0123456 keep at {first.Digest}, not {second.Digest} (", StringComparison.Ordinal));
        Assert.Contains(planned.Reporting.ConsoleLines, l => l.Contains($"main move from {first.Digest} to {second.Digest} (", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_differs_is_said_by_configuration_labels_layers_and_files_and_no_value_is()
    {
        await using var bench = await CommitBench.StartAsync();
        PublishRequest Make(string words, string secret, bool more)
        {
            var request = bench.Request("1.2.3", content: words);
            var folder = request.Platforms[0].PublishDirectory;
            File.WriteAllText(Path.Combine(folder, more ? "new.txt" : "old.txt"), "x");
            return request with
            {
                Platforms = [request.Platforms[0] with
                {
                    UserLabels = [new("vendor", secret)],
                    Settings = request.Platforms[0].Settings with { User = more ? "1000" : "", Environment = [new("FLAVOUR", secret), new("SAME", "1")] },
                }],
            };
        }

        (await CommitBench.PublishAsync(Make("one", "sentinel-there", more: false))).EnsureSucceeded();

        var message = Assert.Single((await CommitBench.PublishAsync(Make("two", "sentinel-here", more: true))).Errors).Message;

        Assert.Contains("What differs: configuration (User); variables (changed: FLAVOUR); labels (changed: vendor); layers of ours (1 of 1 there, 1 of 1 here: application); files (changed: /app/words.txt; only here: /app/new.txt; only there: /app/old.txt).", message);
        Assert.DoesNotContain("sentinel", message);
        Assert.DoesNotContain("/app/app", message);
    }

    private static PlatformRequest OnBase(PlatformRequest platform, string host) => platform with { BaseReference = "", BaseRegistry = host, BaseRepository = "base", BaseTag = "10.0" };

    /// <summary>Pushes what a publish would make to one registry, its layers compressed otherwise, under the immutable tag; gives the digest.</summary>
    private static async Task<string> RecompressAsync(CommitBench bench, string version, int server, string tag, Action<List<byte[]>> change, Action<JsonObject>? around = null)
    {
        await using var elsewhere = await CommitBench.StartAsync();
        var made = (await CommitBench.PublishAsync(elsewhere.Request(version, content: "words"))).EnsureSucceeded();
        var client = elsewhere.Clients[0];
        var manifest = JsonNode.Parse((await Seed.ManifestAsync(client, CommitBench.Repository, tag))!)!.AsObject();
        var layers = new List<byte[]>();
        foreach (var layer in manifest["layers"]!.AsArray())
        {
            layers.Add(Gzip(Gunzip((await Seed.BlobAsync(client, CommitBench.Repository, layer!["digest"]!.GetValue<string>()))!), CompressionLevel.NoCompression));
        }

        change(layers);
        foreach (var (layer, content) in manifest["layers"]!.AsArray().Zip(layers))
        {
            layer!["digest"] = Seed.Digest(content);
            layer["size"] = content.Length;
            await Seed.PushBlobAsync(bench.Clients[server], CommitBench.Repository, content);
        }

        await Seed.PushBlobAsync(bench.Clients[server], CommitBench.Repository, (await Seed.BlobAsync(client, CommitBench.Repository, manifest["config"]!["digest"]!.GetValue<string>()))!);
        around?.Invoke(manifest);
        var digest = await Seed.ManifestAsync(bench.Clients[server], CommitBench.Repository, tag, MediaTypes.OciManifest, Seed.Json(manifest));
        Assert.NotEqual(made.Digest, digest);
        return digest;
    }

    private static byte[] Gunzip(byte[] content)
    {
        using var gzip = new GZipStream(new MemoryStream(content), CompressionMode.Decompress);
        using var result = new MemoryStream();
        gzip.CopyTo(result);
        return result.ToArray();
    }

    private static byte[] Gzip(byte[] content, CompressionLevel level)
    {
        using var result = new MemoryStream();
        using (var gzip = new GZipStream(result, level, leaveOpen: true))
        {
            gzip.Write(content);
        }

        return result.ToArray();
    }
}
