using System.Collections.Concurrent;
using Registry.Sdk.Core;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>The services of one solution stand on one base image: one of them sends its layers to a registry, the others mount them from there.</summary>
public sealed class SharedLayerTests
{
    private const int Services = 10;

    [Fact]
    public async Task Ten_services_at_once_send_each_shared_layer_once_to_each_registry()
    {
        await using var bench = await CommitBench.StartAsync(3);
        await Seed.PushAsync(bench.Clients[2], "base", "10.0", new SeedImage { Layers = 4, LayerSize = 200_000 });
        var shared = await LayersAsync(bench.Clients[2], "base", "10.0");

        var published = await Task.WhenAll(Enumerable.Range(0, Services).Select(i => CommitBench.PublishAsync(Service(bench, i))));

        Assert.All(published, p => p.EnsureSucceeded());
        foreach (var server in new[] { 0, 1 })
        {
            foreach (var layer in shared)
            {
                Assert.Equal(1, Sent(bench, server, layer));
                Assert.Equal(Services - 1, bench.Servers[server].Requests.Count(r => r.Method == "POST" && r.Status == 201 && Uri.UnescapeDataString(r.PathAndQuery).Contains($"mount={layer}", StringComparison.Ordinal)));
            }
        }

        // Receipts: each byte of the base was sent by one and mounted by nine.
        foreach (var server in new[] { 0, 1 })
        {
            Assert.Equal((Services - 1) * 4 * 200_000L, published.Sum(p => p.Report.Transfer!.Destinations[server].BytesMounted));
        }

        Assert.All(published, (p, i) => Assert.All([0, 1], s => Assert.Equal(p.Digest, bench.TagsAsync(s, $"team/service{i}").Result["v1.2.3"])));
        // A layer is fetched from the base's registry at most once for each registry that it is sent to.
        Assert.All(shared, layer => Assert.InRange(bench.Servers[2].Requests.Count(r => r.Method == "GET" && r.PathAndQuery.Contains(layer, StringComparison.Ordinal)), 1, 2));
    }

    [Theory]
    [InlineData("another clone")]
    [InlineData("an old note")]
    [InlineData("no repository's name")]
    [InlineData("no cache")]
    public async Task What_this_source_repository_does_not_publish_there_is_never_named(string what)
    {
        await using var bench = await CommitBench.StartAsync(3);
        await Seed.PushAsync(bench.Clients[2], "base", "10.0", new SeedImage());
        (await CommitBench.PublishAsync(Service(bench, 0))).EnsureSucceeded();
        var notes = Directory.GetFiles(Path.Combine(bench.Cache, "notes"), "*", SearchOption.AllDirectories);
        Assert.All(notes, n => Assert.Equal("team/service0", File.ReadAllText(n)));
        Assert.NotEmpty(notes);
        var second = Service(bench, 1);
        switch (what)
        {
            case "another clone":
                second = second with { ProjectDirectory = bench.Cache };
                break;
            case "an old note":
                Assert.All(notes, n => File.SetLastWriteTimeUtc(n, DateTime.UtcNow.AddDays(-8)));
                break;
            case "no repository's name":
                Assert.All(notes, n => File.WriteAllText(n, "Team/Service0?x=y&from=z"));
                break;
            default:
                second = second with { CacheSize = "0" };
                break;
        }

        (await CommitBench.PublishAsync(second)).EnsureSucceeded();

        Assert.DoesNotContain(bench.Servers.SelectMany(s => s.Requests), r => r.PathAndQuery.Contains("mount=", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("refused", 404)]
    [InlineData("the session instead", 202)]
    public async Task A_note_that_is_wrong_costs_one_request_and_is_mended(string what, int status)
    {
        _ = what;
        await using var bench = await CommitBench.StartAsync(3);
        await Seed.PushAsync(bench.Clients[2], "base", "10.0", new SeedImage());
        (await CommitBench.PublishAsync(Service(bench, 0))).EnsureSucceeded();
        bench.Intercept = (_, context) =>
        {
            if (!context.Request.QueryString.Value!.Contains("mount=", StringComparison.Ordinal))
            {
                return Task.FromResult(false);
            }

            if (status == 404)
            {
                return Answers.WithAsync(context, 404, "application/json", "{}");
            }

            context.Request.QueryString = default;
            return Task.FromResult(false);
        };

        (await CommitBench.PublishAsync(Service(bench, 1))).EnsureSucceeded();

        var shared = await LayersAsync(bench.Clients[2], "base", "10.0");
        Assert.All(shared, l => Assert.Equal(2, Sent(bench, 0, l)));
        Assert.All(shared, l => Assert.Contains(Directory.GetFiles(Path.Combine(bench.Cache, "notes"), l[7..], SearchOption.AllDirectories), n => File.ReadAllText(n) == "team/service1"));
    }

    [Fact]
    public async Task Two_publishes_of_one_service_send_a_layer_once()
    {
        await using var bench = await CommitBench.StartAsync(3);
        await Seed.PushAsync(bench.Clients[2], "base", "10.0", new SeedImage { LayerSize = 200_000 });
        var shared = await LayersAsync(bench.Clients[2], "base", "10.0");

        var published = await Task.WhenAll(CommitBench.PublishAsync(Service(bench, 0)), CommitBench.PublishAsync(Service(bench, 0)));

        Assert.All(published, p => p.EnsureSucceeded());
        Assert.All([0, 1], s => Assert.All(shared, l => Assert.Equal(1, Sent(bench, s, l))));
    }

    /// <summary>GHCR refuses the second of two tags of a package that are written at the same moment now and then.</summary>
    [Fact]
    public async Task Tags_of_a_package_are_written_one_after_the_other_and_registries_at_once()
    {
        await using var bench = await CommitBench.StartAsync(2);
        var now = new ConcurrentDictionary<int, int>();
        var most = new ConcurrentDictionary<int, int>();
        var (all, mostAll) = (0, 0);
        bench.Intercept = async (server, context) =>
        {
            if (CommitBench.IsTagPut(context))
            {
                most.AddOrUpdate(server, now.AddOrUpdate(server, 1, (_, n) => n + 1), (_, m) => Math.Max(m, now[server]));
                mostAll = Math.Max(mostAll, Interlocked.Increment(ref all));
                await Task.Delay(100);
                now.AddOrUpdate(server, 0, (_, n) => n - 1);
                Interlocked.Decrement(ref all);
            }

            return false;
        };

        (await CommitBench.PublishAsync(bench.Request("1.2.3"))).EnsureSucceeded();

        Assert.Equal((1, 1), (most[0], most[1]));
        Assert.Equal(2, mostAll);
    }

    private static PublishRequest Service(CommitBench bench, int number)
    {
        var request = bench.Request("1.2.3", content: $"service {number}", repository: $"team/service{number}");
        return request with
        {
            Platforms = [request.Platforms[0] with { BaseReference = "", BaseRegistry = bench.Servers[2].Host, BaseRepository = "base", BaseTag = "10.0" }],
            Destinations = [.. request.Destinations.Take(2)],
            CacheDirectory = bench.Cache,
            CacheSize = "100",
        };
    }

    private static async Task<IReadOnlyList<string>> LayersAsync(HttpClient client, string repository, string tag)
        => [.. System.Text.Json.Nodes.JsonNode.Parse((await Seed.ManifestAsync(client, repository, tag))!)!["layers"]!.AsArray().Select(l => l!["digest"]!.GetValue<string>())];

    private static int Sent(CommitBench bench, int server, string digest)
        => bench.Servers[server].Requests.Count(r => r.Method == "PUT" && r.Status == 201 && r.PathAndQuery.Contains("/blobs/", StringComparison.Ordinal) && Uri.UnescapeDataString(r.PathAndQuery).Contains(digest, StringComparison.Ordinal));
}
