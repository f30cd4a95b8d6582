using Registry.Sdk.Core;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>The same publish, disturbed at one moment after the other. REGISTRY_SDK_SWEEP=1 takes every moment instead of a sample.</summary>
public sealed class SweepTests
{
    internal static readonly bool IsWhole = Environment.GetEnvironmentVariable("REGISTRY_SDK_SWEEP") == "1";
    private static readonly string Newer = new('b', 40);

    /// <summary>Two registries and a directory: cancelled when the registries see their n-th request, each ends old, new or told as pending; the next run finishes.</summary>
    [Fact]
    public async Task Cancelled_at_any_request_every_destination_is_old_new_or_told_as_pending()
    {
        var random = new Random(7);
        var last = int.MaxValue;
        for (var index = 0; index < last; index += IsWhole ? 1 : random.Next(7, 20))
        {
            await using var bench = await CommitBench.StartAsync(2);
            await using var directory = new TempDirectory("sweep");
            var layout = directory.File("images");
            (await CommitBench.PublishAsync(With(bench.Request("1.0.0"), layout))).EnsureSucceeded();
            var before = await StateAsync(bench, layout);
            using var cancel = new CancellationTokenSource();
            var seen = -1;
            bench.Intercept = (_, _) =>
            {
                if (Interlocked.Increment(ref seen) == index)
                {
                    cancel.Cancel();
                }

                return Task.FromResult(false);
            };

            var published = await CommitBench.PublishAsync(With(bench.Request("1.1.0", Newer), layout), cancel.Token);

            bench.Intercept = null;
            last = seen < index ? 0 : last;
            var now = await StateAsync(bench, layout);
            var finished = (await CommitBench.PublishAsync(With(bench.Request("1.1.0", Newer), layout))).EnsureSucceeded();
            Assert.All(await StateAsync(bench, layout), s => Assert.All(["v1.1.0", "v1.1", "v1", "latest"], t => Assert.Equal(finished.Digest, s[t])));
            var anyNew = now.Any(s => s.Values.Contains(finished.Digest, StringComparer.Ordinal));
            for (var i = 0; i < now.Count; i++)
            {
                var pending = published.Report.Transfer?.Destinations[i].Tags.Where(t => t.State == TagState.Pending).Select(t => t.Tag.Name).ToList() ?? [];
                foreach (var tag in new[] { "v1.1.0", "v1.1", "v1", "latest" })
                {
                    var names = now[i].GetValueOrDefault(tag);
                    Assert.True(names == finished.Digest || names == before[i].GetValueOrDefault(tag), $"request {index}, destination {i}: {tag} names {names}");
                    Assert.True(!anyNew || names == finished.Digest || pending.Contains(tag), $"request {index}, destination {i}: {tag} is old, and nothing says so");
                    Assert.True(!published.Report.Succeeded || names == finished.Digest, $"request {index}, destination {i}: {tag} is old, and all is said to be well");
                }

                Assert.Equal(before[i]["v1.0.0"], now[i]["v1.0.0"]);
            }
        }
    }

    /// <summary>The folders of one clone, two publishes at once: of one commit (a job that was started twice), and of two.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Two_publishes_in_one_obj_folder_end_as_if_each_had_its_own(bool isOneCommit)
    {
        await using var bench = await CommitBench.StartAsync(2);
        for (var round = 1; round <= (IsWhole ? 30 : 4); round++)
        {
            var first = bench.Request($"1.{round}.0");
            var second = bench.Request($"1.{round}.{(isOneCommit ? 0 : 1)}", isOneCommit ? Bench.Commit : Newer) with { LayoutDirectory = first.LayoutDirectory };

            var published = await Task.WhenAll(CommitBench.PublishAsync(first), CommitBench.PublishAsync(second));

            Assert.All(published, p => p.EnsureSucceeded());
            Assert.All(new[] { await bench.TagsAsync(0), await bench.TagsAsync(1) }, t => Assert.Equal((published[0].Digest, published[1].Digest), (t[$"v1.{round}.0"], t["latest"])));
            Assert.DoesNotContain("pending", await File.ReadAllTextAsync(CommitBench.Journal(first)));
        }
    }

    /// <summary>Two publishes at once into one directory, which has a lock for its index and none from look to write.</summary>
    [Fact]
    public async Task Two_publishes_at_once_into_one_directory_never_leave_an_older_image_under_a_floating_tag()
    {
        await using var bench = await CommitBench.StartAsync();
        await using var directory = new TempDirectory("race");
        var layout = directory.File("images");
        for (var round = 1; round <= (IsWhole ? 50 : 8); round++)
        {
            var published = await Task.WhenAll(
                CommitBench.PublishAsync(bench.Request($"1.{round}.0") with { Destinations = [new($"oci:{layout}")] }),
                CommitBench.PublishAsync(bench.Request($"1.{round}.1", Newer) with { Destinations = [new($"oci:{layout}")] }));

            Assert.All(published, p => p.EnsureSucceeded());
            var tags = Layout(layout);
            Assert.All(["latest", "v1", $"v1.{round}", $"v1.{round}.1"], t => Assert.Equal(published[1].Digest, tags[t]));
            Assert.Equal(published[0].Digest, tags[$"v1.{round}.0"]);
        }
    }

    /// <summary>Where neither history nor clock tells which is newer, either may stay; they do not fight over it until one gives up.</summary>
    [Fact]
    public async Task Two_commits_of_one_second_at_once_end_at_one_of_the_two()
    {
        await using var bench = await CommitBench.StartAsync(2);
        for (var round = 1; round <= (IsWhole ? 100 : 8); round++)
        {
            var published = await Task.WhenAll(
                CommitBench.PublishAsync(bench.Request("", $"a{round:x6}".PadRight(40, '0'))),
                CommitBench.PublishAsync(bench.Request("", $"b{round:x6}".PadRight(40, '0'))));

            Assert.All(published, p => p.EnsureSucceeded());
            Assert.All(new[] { await bench.TagsAsync(0), await bench.TagsAsync(1) }, t => Assert.Contains(t["main"], published.Select(p => p.Digest)));
        }
    }

    private static PublishRequest With(PublishRequest request, string layout) => request with { Destinations = [.. request.Destinations, new($"oci:{layout}")] };

    private static async Task<IReadOnlyList<IReadOnlyDictionary<string, string>>> StateAsync(CommitBench bench, string layout) => [await bench.TagsAsync(0), await bench.TagsAsync(1), Layout(layout)];

    /// <summary>What every tag of a directory names, read as anybody would.</summary>
    private static Dictionary<string, string> Layout(string layout)
        => System.Text.Json.Nodes.JsonNode.Parse(File.ReadAllText(Path.Combine(layout, "index.json")))!["manifests"]!.AsArray()
            .Where(m => m!["annotations"]?["org.opencontainers.image.ref.name"] is not null)
            .ToDictionary(m => m!["annotations"]!["org.opencontainers.image.ref.name"]!.GetValue<string>(), m => m!["digest"]!.GetValue<string>(), StringComparer.Ordinal);
}
