using Registry.Sdk.Core;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>One destination must not decide what the others get, nor take back unseen what it said.</summary>
public sealed class LyingDestinationTests
{
    /// <summary>It says that this very release was begun on an old base image, and when that was composed knows of no release.</summary>
    [Theory]
    [InlineData("takes it back")]
    [InlineData("says then that it has what was composed")]
    public async Task A_release_is_not_composed_on_an_old_base_image_because_a_destination_says_so(string how)
    {
        await using var bench = await CommitBench.StartAsync(3);
        var old = await Seed.PushAsync(bench.Clients[2], "base", "10.0", new SeedImage { Salt = "old" });
        PublishRequest Request()
        {
            var request = bench.Request("1.2.3", content: "words");
            return request with
            {
                Platforms = [request.Platforms[0] with { BaseReference = "", BaseRegistry = bench.Servers[2].Host, BaseRepository = "base", BaseTag = "10.0" }],
                Destinations = [.. request.Destinations.Take(2)],
                Promote = false,
            };
        }

        var composed = (await CommitBench.PublishAsync(Request() with { PlanOnly = true })).EnsureSucceeded().Digest;
        await Seed.PushAsync(bench.Clients[2], "base", "10.0", new SeedImage { Salt = "new" });
        await Seed.PushAsync(bench.Clients[1], CommitBench.Repository, "v1.2.3", new SeedImage
        {
            Labels = new Dictionary<string, string>(StringComparer.Ordinal) { [ImageLabels.Version] = "1.2.3", [ImageLabels.Revision] = Bench.Commit, [ImageLabels.BaseDigest] = old },
        });
        var looks = 0;
        bench.Intercept = (server, context) => server != 1 || !context.Request.Path.Value!.EndsWith("/manifests/v1.2.3", StringComparison.Ordinal) || Interlocked.Increment(ref looks) == 1
            ? Task.FromResult(false)
            : how == "takes it back" ? Answers.WithAsync(context, 404, "application/json", """{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no"}]}""")
            : AnswerAsync(context, composed);

        var published = await CommitBench.PublishAsync(Request());

        Assert.Equal(["RSDK5005"], published.Errors.Select(e => e.Code));
        Assert.Contains($"{bench.Servers[1].Host}/team/app:v1.2.3", published.Errors[0].Message);
        Assert.Empty(await bench.TagsAsync(0));
        Assert.DoesNotContain(bench.Servers[0].Requests, r => r.Method is "PUT" or "POST");

        static Task<bool> AnswerAsync(Microsoft.AspNetCore.Http.HttpContext context, string digest)
        {
            context.Response.Headers["Docker-Content-Digest"] = digest;
            return Answers.WithAsync(context, 200, "application/vnd.oci.image.manifest.v1+json", "");
        }
    }

    /// <summary>
    /// Two publishes make two images of one version. Who finds the other's at the first destination that gets a version tag writes it at no other, though it
    /// is free there: else each could be first at one destination.
    /// </summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)] // the first destination has no tag of one version
    public async Task A_version_tag_that_is_taken_at_the_first_destination_is_written_at_no_other(int holder)
    {
        await using var bench = await CommitBench.StartAsync(3);
        var request = bench.Request("1.2.3");
        request = holder == 0 ? request : request with { Destinations = [request.Destinations[0] with { Tags = "newest" }, .. request.Destinations.Skip(1)] };
        var once = 0;
        bench.Intercept = async (server, context) =>
        {
            if (server == holder && context.Request.Method == "PUT" && context.Request.Path.Value!.Contains("/manifests/sha256:", StringComparison.Ordinal) && Interlocked.Exchange(ref once, 1) == 0)
            {
                await Seed.PushAsync(bench.Clients[holder], CommitBench.Repository, "v1.2.3", new SeedImage());
            }

            return false;
        };

        var published = await CommitBench.PublishAsync(request);

        Assert.Equal(["RSDK5005", "RSDK6002"], published.Errors.Select(e => e.Code));
        Assert.All(Enumerable.Range(0, 3).Where(s => s != holder), s => Assert.Empty(bench.TagsAsync(s).Result));
    }

    /// <summary>A version tag that was there and right when it was planned is looked at once more at the end, like those that were written.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_version_tag_that_was_kept_and_is_changed_meanwhile_is_told(bool isDeleted)
    {
        await using var bench = await CommitBench.StartAsync(2);
        var both = bench.Request("1.2.3", content: "words");
        (await CommitBench.PublishAsync(both with { Destinations = [both.Destinations[0]] })).EnsureSucceeded();
        var once = 0;
        var isGone = false;
        bench.Intercept = async (server, context) =>
        {
            if (server == 1 && CommitBench.IsPut(context, "latest") && Interlocked.Exchange(ref once, 1) == 0)
            {
                if (isDeleted)
                {
                    isGone = true;
                }
                else
                {
                    await Seed.PushAsync(bench.Clients[0], CommitBench.Repository, "v1.2.3", new SeedImage());
                }
            }

            return server == 0 && isGone && context.Request.Path.Value!.EndsWith("/manifests/v1.2.3", StringComparison.Ordinal)
                && await Answers.WithAsync(context, 404, "application/json", """{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no"}]}""");
        };

        var published = await CommitBench.PublishAsync(bench.Request("1.2.3", content: "words"));

        Assert.Equal(1, once);
        Assert.Equal(TagState.Kept, published.Report.Transfer!.Destinations[0].Tags[0].State);
        Assert.Equal(["RSDK6004"], published.Errors.Select(e => e.Code));
        Assert.Contains($"{bench.Servers[0].Host}/team/app: the immutable tag v1.2.3", published.Errors[0].Message);
    }
}
