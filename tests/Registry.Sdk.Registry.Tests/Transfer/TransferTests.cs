using System.Collections.Concurrent;
using System.Formats.Tar;
using System.IO.Compression;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>From plan to tags against real registries: what is sent, what is not, and in which order over all of them.</summary>
public sealed class TransferTests(Registries registries) : IClassFixture<Registries>
{
    private static readonly string[] ReleaseTags = ["latest", "v1", "v1.2", "v1.2.3"];

    [Theory]
    [InlineData(false, false)]
    [InlineData(false, true)]
    [InlineData(true, false)]
    [InlineData(true, true)]
    public async Task All_registries_hold_one_digest_under_all_tags_and_a_second_run_writes_nothing(bool docker, bool index)
    {
        await using var bench = await Bench.CreateAsync(registries);
        await using var state = new TempDirectory();
        await using var emulator = await EmulatorServer.StartAsync(new() { StateDirectory = state.Path });
        var third = await bench.AttachAsync("emulator", emulator.BaseAddress);
        await Seed.PushAsync(bench.Base.Direct, bench.Name, "base", new SeedImage { Docker = docker, Index = index, Salt = bench.Name });
        bench.Platform = bench.Platform with { BaseRepository = bench.Name, BaseTag = "base" };
        bench.Request = bench.Request with { Destinations = [.. bench.Request.Destinations, new($"{third.Host}/{bench.Name}")] };
        var destinations = new[] { bench.Open, bench.Closed, third };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        foreach (var target in destinations)
        {
            Assert.Equal(ReleaseTags.Select(t => KeyValuePair.Create(t, published.Digest)), await Seed.TagsAsync(target.Direct, bench.Name));
            await AssertCompleteAsync(target, bench.Name, published.Digest, docker);

            // Two base layers, ours, and the config: each went once, each into a session of its own, and no session stays behind.
            var blobs = target.Writes.Where(w => w.Method == "PUT" && w.Path.Contains("/blobs/", StringComparison.Ordinal)).ToList();
            Assert.Equal(4, blobs.Count);
            Assert.Equal(4, blobs.DistinctBy(b => b.Query[b.Query.IndexOf("digest=", StringComparison.Ordinal)..]).Count());
            Assert.Equal(4, target.Writes.Count(w => w.Method == "POST"));
            Assert.DoesNotContain(target.Writes, w => w.Method is "PATCH" or "DELETE");
            Assert.Equal(1 + ReleaseTags.Length, target.Writes.Count(w => w.Method == "PUT" && w.Path.Contains("/manifests/", StringComparison.Ordinal)));
        }

        // Three destinations lacked the base layers; each was fetched once, and nothing was written where they come from.
        Assert.Equal([1, 1], bench.Base.Requests.Where(r => r.Method == "GET" && r.Path.Contains("/blobs/", StringComparison.Ordinal)).GroupBy(r => r.Path).Select(g => g.Count()).Order().SkipLast(1));
        Assert.Empty(bench.Base.Writes);
        Assert.Equal([ObservedVisibility.Public, ObservedVisibility.Refused, ObservedVisibility.Public], published.Report.Verification!.Destinations.Select(d => d.Observed));
        foreach (var result in published.Report.Transfer!.Destinations)
        {
            var image = published.Image;
            Assert.Equal(image.Platforms[0].Layers.Sum(l => l.Descriptor.Size) + image.Platforms[0].Config.Size + image.Manifest.Descriptor.Size, result.BytesSent);
            Assert.Equal((0, 0, true), (result.BytesMounted, result.BytesSkipped, result.HoldsImage));
        }

        bench.Forget();
        var again = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(published.Digest, again.Digest);
        Assert.Empty(bench.Targets.SelectMany(t => t.Writes));
        Assert.All(again.Report.Transfer!.Destinations, d => Assert.Equal(0, d.BytesSent));
        Assert.All(again.Report.Transfer!.Destinations.SelectMany(d => d.Tags), t => Assert.Equal(TagState.Kept, t.State));
        Assert.DoesNotContain(bench.Arrivals, a => a.Registry == "base" && a.Path.Contains(again.Image.Platforms[0].Layers[0].Descriptor.Digest.Hex, StringComparison.Ordinal));
    }

    [Fact]
    public async Task No_tag_is_written_before_every_destination_holds_everything_and_latest_is_last()
    {
        await using var bench = await Bench.CreateAsync(registries);
        var slow = 0;
        bench.Closed.Lie = async context =>
        {
            // One registry is far behind the other, with its last blob and with its first tag.
            if (context.Request.Method == "PUT" && Interlocked.Increment(ref slow) is 4 or 6)
            {
                await Task.Delay(500);
            }

            return false;
        };

        (await bench.PublishAsync()).EnsureSucceeded();

        var arrivals = bench.Arrivals;
        var firstTag = arrivals.First(a => a.IsTagPut).Index;
        Assert.All(arrivals.Where(a => a.IsPost || a.IsBlobPut || (a.IsManifestPut && !a.IsTagPut)), a => Assert.True(a.Index < firstTag, $"{a} after {arrivals.First(t => t.IsTagPut)}"));
        var firstByte = arrivals.First(a => a.IsBlobPut).Index;
        Assert.All(new[] { "open", "closed" }, r => Assert.True(arrivals.First(a => a.IsPost && a.Registry == r).Index < firstByte));
        Assert.Equal([0, 0, 1, 1, 1, 1, 2, 2], arrivals.Where(a => a.IsTagPut).Select(a => a.Path[(a.Path.LastIndexOf('/') + 1)..]).Select(t => t == "v1.2.3" ? 0 : t == "latest" ? 2 : 1));
    }

    [Fact]
    public async Task A_second_repository_in_a_registry_and_one_beside_the_base_image_mount()
    {
        await using var bench = await Bench.CreateAsync(registries);
        await Seed.PushAsync(bench.Open.Direct, $"{bench.Name}/base", "10.0", new SeedImage { Salt = bench.Name });
        bench.Platform = bench.Platform with { BaseRegistry = bench.Open.Host, BaseRepository = $"{bench.Name}/base" };
        bench.Request = bench.Request with { Destinations = [new($"{bench.Open.Host}/{bench.Name}"), new($"{bench.Open.Host}/{bench.Name}-alias")] };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(ReleaseTags, (await Seed.TagsAsync(bench.Open.Direct, bench.Name)).Keys);
        Assert.Equal(await Seed.TagsAsync(bench.Open.Direct, bench.Name), await Seed.TagsAsync(bench.Open.Direct, bench.Name + "-alias"));
        var results = published.Report.Transfer!.Destinations;
        Assert.Equal(2000, results[0].BytesMounted);
        Assert.Equal(published.Image.Platforms[0].Layers.Sum(l => l.Descriptor.Size) + published.Image.Platforms[0].Config.Size, results[1].BytesMounted);
        Assert.Equal(published.Image.Manifest.Descriptor.Size, results[1].BytesSent);
        Assert.Equal(2, bench.Arrivals.Count(a => a.IsBlobPut));
        Assert.Equal(6, bench.Open.Writes.Count(w => w is { Method: "POST", Status: 201 }));
        AssertNoSessionLeft(bench.Open);
        // The base layers never left their registry.
        Assert.DoesNotContain(bench.Arrivals, a => a.Method == "GET" && published.Image.Platforms[0].Layers.Any(l => a.Path.EndsWith(l.Descriptor.Digest.ToString(), StringComparison.Ordinal)));
    }

    [Theory]
    [InlineData(202)]
    [InlineData(404)]
    [InlineData(401)]
    [InlineData(403)]
    public async Task A_mount_that_is_not_done_becomes_an_upload(int answer)
    {
        await using var bench = await Bench.CreateAsync(registries);
        await using var state = new TempDirectory();
        await using var emulator = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = state.Path,
            Intercept = async context =>
            {
                if (!context.Request.Query.ContainsKey("mount"))
                {
                    return false;
                }

                // 202: the registry forgets what a mount is and opens a session.
                context.Request.QueryString = QueryString.Empty;
                return answer != 202 && await Answers.WithAsync(context, answer, "application/json", """{"errors":[{"code":"NAME_UNKNOWN","message":"no such source"}]}""");
            },
        });
        bench.Request = bench.Request with { Destinations = [new($"{emulator.Host}/a"), new($"{emulator.Host}/b")] };
        using var direct = new HttpClient { BaseAddress = emulator.BaseAddress };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(await Seed.TagsAsync(direct, "a"), await Seed.TagsAsync(direct, "b"));
        Assert.Equal(ReleaseTags, (await Seed.TagsAsync(direct, "b")).Keys);
        Assert.All(published.Report.Transfer!.Destinations, d => Assert.Equal(0, d.BytesMounted));
        var requests = emulator.Requests;
        Assert.Equal(8, requests.Count(r => r.Method == "PUT" && r.PathAndQuery.Contains("/blobs/", StringComparison.Ordinal)));
        Assert.Equal(requests.Count(r => r is { Method: "POST", Status: 202 }), requests.Count(r => r.Method == "PUT" && r.PathAndQuery.Contains("/blobs/", StringComparison.Ordinal)) + requests.Count(r => r.Method == "DELETE"));
    }

    [Fact]
    public async Task A_destination_that_fails_leaves_no_tag_anywhere_and_the_next_run_sends_only_what_is_missing()
    {
        await using var bench = await Bench.CreateAsync(registries);
        bench.Closed.Lie = Answers.When(
            r => r.Method == "PUT" && r.ContentLength > 900,
            c => Answers.WithAsync(c, 500, "application/json", """{"errors":[{"code":"UNKNOWN","message":"disk full"}]}"""));

        var failed = await bench.PublishAsync();

        Assert.Equal(["RSDK6001", "RSDK6002"], failed.Errors.Select(e => e.Code));
        Assert.Contains("UNKNOWN 'disk full'", failed.Errors[0].Message);
        Assert.Contains($"pending: {bench.Open.Host}/{bench.Name}: v1.2.3, v1.2, v1, latest; {bench.Closed.Host}/{bench.Name}: v1.2.3, v1.2, v1, latest.", failed.Errors[1].Message);
        Assert.DoesNotContain(bench.Arrivals, a => a.IsTagPut);
        Assert.Equal([true, false], failed.Report.Transfer!.Destinations.Select(d => d.HoldsImage));
        Assert.Empty(await Seed.TagsAsync(bench.Open.Direct, bench.Name));
        Assert.Contains("\"pending\"", failed.Receipt);

        bench.Closed.Lie = null;
        bench.Forget();
        (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(ReleaseTags, (await Seed.TagsAsync(bench.Open.Direct, bench.Name)).Keys);
        Assert.Equal(await Seed.TagsAsync(bench.Open.Direct, bench.Name), await Seed.TagsAsync(bench.Closed.Direct, bench.Name));
        Assert.DoesNotContain(bench.Arrivals, a => a.Registry == "open" && a.IsBlobPut);
    }

    /// <summary>The destinations share one fetch of each base layer; it must not end because one of them does.</summary>
    [Fact]
    public async Task A_destination_that_fails_does_not_take_the_others_base_layers_away()
    {
        await using var bench = await Bench.CreateAsync(registries);
        var image = new SeedImage { Salt = bench.Name, Layers = 6 };
        await Seed.PushAsync(bench.Base.Direct, bench.Name, "base", image);
        await Seed.PushAsync(bench.Closed.Direct, bench.Name, "base", image with { Layers = 4 });
        bench.Platform = bench.Platform with { BaseRepository = bench.Name, BaseTag = "base" };
        var order = new ConcurrentDictionary<string, int>();
        bench.Base.Lie = async context =>
        {
            // The failing one asks first for the last two, and has failed before they arrive; the other comes to them later.
            if (context.Request.Path.Value!.Contains("/blobs/", StringComparison.Ordinal) && order.TryAdd(context.Request.Path, order.Count))
            {
                await Task.Delay(600);
            }

            return false;
        };
        bench.Closed.Lie = Answers.When(r => r.Method == "PUT", c => Answers.WithAsync(c, 500, "application/json", "{}"));

        var published = await bench.PublishAsync();

        Assert.Equal(["RSDK6001", "RSDK6002"], published.Errors.Select(e => e.Code));
        Assert.Equal([true, false], published.Report.Transfer!.Destinations.Select(d => d.HoldsImage));
        Assert.DoesNotContain(bench.Arrivals, a => a.IsTagPut);
        Assert.Empty(Directory.GetFiles(bench.Request.LayoutDirectory, "*.partial", SearchOption.AllDirectories));
    }

    /// <summary>Somebody else was faster between plan and tag: the immutable tag is theirs, and nothing floats past it.</summary>
    [Fact]
    public async Task An_immutable_tag_that_appears_meanwhile_stops_the_floating_ones()
    {
        await using var bench = await Bench.CreateAsync(registries);
        await Seed.PushAsync(bench.Closed.Direct, bench.Name, "other", new SeedImage { Salt = "other" });
        bench.Closed.Lie = async context =>
        {
            if (context.Request.Method == "PUT" && context.Request.Path.Value!.Contains("/manifests/sha256:", StringComparison.Ordinal))
            {
                await Seed.TagAsync(bench.Closed.Direct, bench.Name, "other", "v1.2.3");
            }

            return false;
        };

        var published = await bench.PublishAsync();

        Assert.Equal(["RSDK5005", "RSDK6002"], published.Errors.Select(e => e.Code));
        Assert.DoesNotContain(bench.Arrivals, a => a.IsTagPut && !a.Path.EndsWith("/v1.2.3", StringComparison.Ordinal));
        Assert.Equal(["other", "v1.2.3"], (await Seed.TagsAsync(bench.Closed.Direct, bench.Name)).Keys);
        Assert.NotEqual(published.Digest, (await Seed.TagsAsync(bench.Closed.Direct, bench.Name))["v1.2.3"]);
    }

    [Fact]
    public async Task A_tag_named_in_OverwriteTag_is_moved_whatever_it_names()
    {
        await using var bench = await Bench.CreateAsync(registries);
        await Seed.PushAsync(bench.Open.Direct, bench.Name, "v1.2.3", new SeedImage { Salt = "other" });
        bench.Request = bench.Request with { OverwriteTags = ["v1.2.3"] };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Equal(published.Digest, (await Seed.TagsAsync(bench.Open.Direct, bench.Name))["v1.2.3"]);
        Assert.Contains(published.Reporting.ConsoleLines, l => l.Contains("v1.2.3 moved from sha256:", StringComparison.Ordinal) && l.Contains("named in RegistrySdkOverwriteTag", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("manifest")]
    [InlineData("tag")]
    [InlineData("blob")]
    public async Task A_registry_that_stores_something_else_gets_no_tag(string what)
    {
        await using var bench = await Bench.CreateAsync(registries);
        bench.Closed.Lie = Answers.When(
            r => r.Method == "PUT" && (what == "blob" ? r.Path.Value!.Contains("/blobs/", StringComparison.Ordinal) : r.Path.Value!.Contains(what == "manifest" ? "/manifests/sha256:" : "/manifests/v", StringComparison.Ordinal)),
            c =>
            {
                c.Response.Headers["Docker-Content-Digest"] = "sha256:" + new string('0', 64);
                return Answers.WithAsync(c, 201, null, "");
            });

        var published = await bench.PublishAsync();

        Assert.Equal(["RSDK5006", "RSDK6002"], published.Errors.Select(e => e.Code));
        Assert.Contains("was stored as sha256:000", published.Errors[0].Message);
        Assert.DoesNotContain(bench.Arrivals, a => a.IsTagPut && (what != "tag" || !a.Path.EndsWith("/v1.2.3", StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_base_layer_of_another_content_is_not_sent_on()
    {
        await using var bench = await Bench.CreateAsync(registries);
        var layers = new HashSet<string>(StringComparer.Ordinal);
        using (var manifest = JsonDocument.Parse((await Seed.ManifestAsync(bench.Base.Direct, Bench.BaseRepository, "10.0"))!))
        {
            layers.UnionWith(manifest.RootElement.GetProperty("layers").EnumerateArray().Select(l => l.GetProperty("digest").GetString()!));
        }

        bench.Base.Lie = Answers.When(r => layers.Any(l => r.Path.Value!.EndsWith(l, StringComparison.Ordinal)), c => Answers.WithAsync(c, 200, null, new string('x', 1000)));

        var published = await bench.PublishAsync();

        Assert.All(published.Errors, e => Assert.Equal("RSDK4010", e.Code));
        Assert.Contains("ContainerBaseImage", published.Errors[0].Message);
        Assert.DoesNotContain(bench.Arrivals, a => a.IsManifestPut);
        Assert.DoesNotContain(bench.Arrivals, a => a.IsBlobPut && layers.Any(l => a.Query.Contains(l["sha256:".Length..], StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_plan_reads_and_sends_nothing()
    {
        await using var bench = await Bench.CreateAsync(registries);
        bench.Request = bench.Request with { PlanOnly = true };

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Empty(bench.Targets.SelectMany(t => t.Writes));
        Assert.Equal(ReleaseTags, published.Report.Plan!.Destinations[0].Tags.Select(t => t.Tag.Name).Order(StringComparer.Ordinal));
        Assert.Contains(published.Reporting.ConsoleLines, l => l.Trim() == "planned only: nothing was sent");
        Assert.Contains("planned:create", published.Receipt);
    }

    [Fact]
    public async Task Cancelling_stops_at_once_and_leaves_no_tag()
    {
        await using var bench = await Bench.CreateAsync(registries);
        using var stop = new CancellationTokenSource();
        bench.Closed.Lie = async context =>
        {
            if (context.Request.Method == "PUT")
            {
                await stop.CancelAsync();
                await Task.Delay(TimeSpan.FromMinutes(1), context.RequestAborted);
            }

            return false;
        };
        var publishing = bench.PublishAsync(stop.Token);

        var published = await publishing.WaitAsync(TimeSpan.FromSeconds(20));

        // It ends with a report, not with an exception: what is left to do has to be said, and the receipt written.
        Assert.Null(published.Report.Bug);
        var error = Assert.Single(published.Report.Diagnostics, d => d.IsError);
        Assert.Equal("RSDK6003", error.Code);
        Assert.Contains("cancelled; pending: ", error.Message);
        Assert.Contains("\"pending\"", published.Receipt);
        Assert.DoesNotContain(bench.Arrivals, a => a.IsTagPut);
        Assert.Empty(await Seed.TagsAsync(bench.Open.Direct, bench.Name));
    }

    private static void AssertNoSessionLeft(Target target)
        => Assert.Equal(target.Writes.Count(w => w is { Method: "POST", Status: 202 }), target.Writes.Count(w => w.Method == "DELETE" || (w.Method == "PUT" && w.Path.Contains("/blobs/", StringComparison.Ordinal))));

    /// <summary>Reads the whole image from the registry and holds it against itself; the last layer is read as a tar.</summary>
    private static async Task AssertCompleteAsync(Target target, string name, string digest, bool docker)
    {
        var manifest = (await Seed.ManifestAsync(target.Direct, name, digest))!;
        Assert.Equal(digest, Seed.Digest(manifest));
        using var json = JsonDocument.Parse(manifest);
        var descriptors = json.RootElement.GetProperty("layers").EnumerateArray().Append(json.RootElement.GetProperty("config")).ToList();
        Assert.All(descriptors.Append(json.RootElement), d => Assert.StartsWith(docker ? "application/vnd.docker." : "application/vnd.oci.", d.GetProperty("mediaType").GetString()));
        Assert.Equal(4, descriptors.Count);
        byte[] content = [];
        foreach (var descriptor in descriptors)
        {
            var blob = await Seed.BlobAsync(target.Direct, name, descriptor.GetProperty("digest").GetString()!);
            Assert.Equal(descriptor.GetProperty("digest").GetString(), Seed.Digest(blob!));
            Assert.Equal(descriptor.GetProperty("size").GetInt64(), blob!.Length);
            content = descriptor.GetProperty("mediaType").GetString()!.Contains("config", StringComparison.Ordinal) || descriptor.GetProperty("mediaType").GetString()!.Contains("container.image", StringComparison.Ordinal) ? content : blob;
        }

        using var tar = new MemoryStream();
        await using (var gzip = new GZipStream(new MemoryStream(content), CompressionMode.Decompress))
        {
            await gzip.CopyToAsync(tar);
        }

        tar.Position = 0;
        await using var reader = new TarReader(tar);
        var names = new List<string>();
        while (await reader.GetNextEntryAsync() is { } entry)
        {
            names.Add(entry.Name);
        }

        Assert.Equal(["app/", "app/api", "app/api.dll", "app/wwwroot/", "app/wwwroot/index.html"], names);
    }
}
