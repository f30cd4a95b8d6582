using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>Late reads, limits and other publishes in the very moment of a tag's write, several of them at once: what is told is what is there.</summary>
public sealed class UnsettledTagTests
{
    private static readonly string Older = new('a', 40);
    private static readonly string Newer = new('b', 40);

    /// <summary>A replica that lags shows what the newer publish wrote, or what it was before both, and ours after that: the tag is ours all the same, and so is its repair.</summary>
    [Theory]
    [InlineData(true, 2)]
    [InlineData(false, 4)]
    public async Task A_write_that_is_seen_late_is_repaired_like_any_other(bool showsNewer, int stale)
    {
        await using var bench = await CommitBench.StartAsync();
        var old = (await CommitBench.PublishAsync(bench.Request("1.0.0"))).EnsureSucceeded().Digest;
        Published? newer = null;
        var (once, looks) = (0, 0);
        bench.Intercept = async (_, context) =>
        {
            if (CommitBench.IsPut(context, "latest") && Interlocked.Exchange(ref once, 1) == 0)
            {
                newer = (await CommitBench.PublishAsync(bench.Request("1.2.0", Newer, minute: 9))).EnsureSucceeded();
            }

            return newer is not null && CommitBench.IsHead(context, "latest") && Interlocked.Increment(ref looks) <= stale && await CommitBench.NamesAsync(context, showsNewer ? newer.Digest : old);
        };

        var ours = (await CommitBench.PublishAsync(bench.Request("1.1.0", Older, minute: 5))).EnsureSucceeded();

        Assert.True(looks > stale);
        Assert.Equal(newer!.Digest, (await bench.TagsAsync())["latest"]);
        Assert.Equal((TagState.Repaired, newer.Digest), End(ours, "latest"));
    }

    /// <summary>It says that it wrote the tag, and never shows it. Nothing ranks what is there and ours, but nobody else wrote it either.</summary>
    [Fact]
    public async Task A_registry_that_does_not_write_the_tag_is_no_other_publish_of_the_same_commit()
    {
        await using var bench = await CommitBench.StartAsync();
        var there = await Seed.PushAsync(bench.Clients[0], CommitBench.Repository, "main", CommitBench.Labelled("0.0.0", Bench.Commit));
        bench.Intercept = (_, context) => CommitBench.IsPut(context, "main") ? Answers.WithAsync(context, 201, null, "") : Task.FromResult(false);

        var ours = await CommitBench.PublishAsync(bench.Request(""));

        Assert.Equal(["RSDK5006", "RSDK6002"], ours.Errors.Select(e => e.Code).Order(StringComparer.Ordinal));
        Assert.Contains($"main was written as {ours.Digest} but reads back as {there}", ours.Errors.Single(e => e.Code == "RSDK5006").Message, StringComparison.Ordinal);
        Assert.Equal((TagState.Pending, null), End(ours, "main"));
    }

    /// <summary>The tag arrived over something newer, and is shown too late for us: an error, but not for the tag to stay on the older image.</summary>
    [Fact]
    public async Task A_write_that_was_never_seen_is_repaired_where_something_newer_came_meanwhile()
    {
        await using var bench = await CommitBench.StartAsync();
        var old = (await CommitBench.PublishAsync(bench.Request("1.0.0"))).EnsureSucceeded().Digest;
        Published? newer = null;
        var (once, looks) = (0, 0);
        bench.Intercept = async (_, context) =>
        {
            if (CommitBench.IsPut(context, "latest") && Interlocked.Exchange(ref once, 1) == 0)
            {
                newer = (await CommitBench.PublishAsync(bench.Request("1.2.0", Newer, minute: 9))).EnsureSucceeded();
            }

            // Two writes, four reads after each, and a look in between.
            return newer is not null && CommitBench.IsHead(context, "latest") && Interlocked.Increment(ref looks) <= 9 && await CommitBench.NamesAsync(context, old);
        };

        var ours = await CommitBench.PublishAsync(bench.Request("1.1.0", Older, minute: 5));

        Assert.Contains("RSDK5006", ours.Codes);
        Assert.Equal(newer!.Digest, (await bench.TagsAsync())["latest"]);
        Assert.Equal((TagState.Repaired, newer.Digest), End(ours, "latest"));
    }

    /// <summary>A third publish, of something older than both, wrote the tag before it could be moved on; or nobody sees what it names at the moment.</summary>
    [Theory]
    [InlineData("1.0.9")]
    [InlineData("nothing")]
    [InlineData("1.0.9, during a limit")]
    public async Task A_tag_is_moved_on_to_the_newer_image_whatever_older_one_it_names_by_then(string what)
    {
        await using var bench = await CommitBench.StartAsync();
        (await CommitBench.PublishAsync(bench.Request("1.0.0"))).EnsureSucceeded();
        Published? newer = null;
        var (puts, looks, done) = (0, 0, 0);
        bench.Intercept = async (_, context) =>
        {
            if (CommitBench.IsPut(context, "latest") && newer is null && Interlocked.Increment(ref puts) == 1)
            {
                newer = (await CommitBench.PublishAsync(bench.Request("1.2.0", Newer, minute: 9))).EnsureSucceeded();
                return false;
            }

            if (newer is null)
            {
                return false;
            }

            // The first reads our write back, the second is the repair's.
            if (what != "1.0.9, during a limit" && CommitBench.IsHead(context, "latest") && Interlocked.Increment(ref looks) == 2)
            {
                Interlocked.Exchange(ref done, 1);
                if (what == "nothing")
                {
                    return await Answers.ErrorAsync(context, 404, "MANIFEST_UNKNOWN");
                }

                await Seed.PushAsync(bench.Clients[0], CommitBench.Repository, "latest", CommitBench.Labelled("1.0.9"));
            }

            // Our own second write is the repair's.
            if (what == "1.0.9, during a limit" && CommitBench.IsPut(context, "latest") && Interlocked.Exchange(ref done, 1) == 0)
            {
                await Seed.PushAsync(bench.Clients[0], CommitBench.Repository, "latest", CommitBench.Labelled("1.0.9"));
                context.Response.Headers.RetryAfter = "60";
                return await Answers.ErrorAsync(context, 429, "TOOMANYREQUESTS");
            }

            return false;
        };

        var ours = (await CommitBench.PublishAsync(bench.Request("1.1.0", Older, minute: 5))).EnsureSucceeded();

        Assert.Equal(1, done);
        Assert.Equal(newer!.Digest, (await bench.TagsAsync())["latest"]);
        Assert.Equal((TagState.Repaired, newer.Digest), End(ours, "latest"));
    }

    /// <summary>The older image stays under the tag: the next run of its commit keeps it, so that is said, with what mends it.</summary>
    [Fact]
    public async Task A_tag_that_can_not_be_moved_on_to_the_newer_image_is_told_with_what_to_do()
    {
        await using var bench = await CommitBench.StartAsync();
        (await CommitBench.PublishAsync(bench.Request("1.0.0"))).EnsureSucceeded();
        Published? newer = null;
        var puts = 0;
        bench.Intercept = async (_, context) =>
        {
            if (!CommitBench.IsPut(context, "latest"))
            {
                return false;
            }

            if (newer is null && Interlocked.Increment(ref puts) == 1)
            {
                newer = (await CommitBench.PublishAsync(bench.Request("1.2.0", Newer, minute: 9))).EnsureSucceeded();
                return false;
            }

            return newer is not null && await Answers.WithAsync(context, 400, null, "");
        };

        var ours = await CommitBench.PublishAsync(bench.Request("1.1.0", Older, minute: 5));

        Assert.Equal(ours.Digest, (await bench.TagsAsync())["latest"]);
        var error = Assert.Single(ours.Errors, e => e.Code == "RSDK6021").Message;
        Assert.Contains($"the floating tag latest was written as {ours.Digest}, while another publish brought v1.2.0 ({newer!.Digest}), which is newer", error, StringComparison.Ordinal);
        Assert.Contains("Publish v1.2.0 again", error, StringComparison.Ordinal);
        Assert.Equal((TagState.Moved, ours.Digest), End(ours, "latest"));
    }

    /// <summary>Every look shows another digest.</summary>
    [Fact]
    public async Task A_tag_that_names_something_else_at_each_look_is_given_up_after_some_turns()
    {
        await using var bench = await CommitBench.StartAsync();
        var (looks, puts) = (0, 0);
        bench.Intercept = (_, context) =>
        {
            puts += CommitBench.IsPut(context, "latest") ? 1 : 0;
            // Twice the same, or nobody would take it for another publish's.
            return puts > 0 && CommitBench.IsHead(context, "latest") ? CommitBench.NamesAsync(context, "sha256:" + (Interlocked.Increment(ref looks) / 2).ToString("x64", CultureInfo.InvariantCulture)) : Task.FromResult(false);
        };

        var ours = await CommitBench.PublishAsync(bench.Request("1.1.0"));

        Assert.Equal(["RSDK6002", "RSDK6021"], ours.Errors.Select(e => e.Code).Order(StringComparer.Ordinal));
        Assert.InRange(puts, 2, 10);
        Assert.Equal(TagState.Pending, End(ours, "latest").State);
    }

    /// <summary>What another publish wrote while a limit was waited for is told as what it is: publishing again would not help.</summary>
    [Theory]
    [InlineData("another image")]
    [InlineData("another image, and the tag may be overwritten")]
    [InlineData("the same commit on another base")]
    public async Task An_immutable_tag_that_came_while_a_limit_was_waited_for_is_judged_as_one_that_came_before(string what)
    {
        await using var bench = await CommitBench.StartAsync();
        var isBranch = what == "the same commit on another base";
        var tag = isBranch ? "main-0123456" : "v1.2.3";
        var request = isBranch ? bench.Request("") : bench.Request("1.2.3");
        if (isBranch)
        {
            await Seed.PushAsync(bench.Clients[0], "base", "10.0", new SeedImage { Salt = "first" });
            request = request with { Platforms = [request.Platforms[0] with { BaseReference = "", BaseRegistry = bench.Servers[0].Host, BaseRepository = "base", BaseTag = "10.0" }] };
        }

        if (what.EndsWith("overwritten", StringComparison.Ordinal))
        {
            request = request with { OverwriteTags = [tag] };
        }

        var (theirs, once) = ("", 0);
        bench.Intercept = async (_, context) =>
        {
            if (!CommitBench.IsPut(context, tag) || Interlocked.Exchange(ref once, 1) != 0)
            {
                return false;
            }

            var version = request.Derived.Value.Version.Version;
            theirs = await Seed.PushAsync(bench.Clients[0], CommitBench.Repository, tag, CommitBench.Labelled(version, Bench.Commit, "sha256:" + new string('7', 64)));
            context.Response.Headers.RetryAfter = "60";
            return await Answers.ErrorAsync(context, 429, "TOOMANYREQUESTS");
        };

        var ours = await CommitBench.PublishAsync(request);

        Assert.Equal(1, once);
        switch (what)
        {
            case "another image":
                Assert.Equal(["RSDK6002", "RSDK6004"], ours.Errors.Select(e => e.Code).Order(StringComparer.Ordinal));
                Assert.Contains($"{tag} names {theirs} by now, which another publish did", ours.Errors.Single(e => e.Code == "RSDK6004").Message, StringComparison.Ordinal);
                Assert.Equal(theirs, (await bench.TagsAsync())[tag]);
                break;
            case "the same commit on another base":
                ours.EnsureSucceeded();
                Assert.Equal((TagState.Kept, theirs), End(ours, tag));
                Assert.Equal(ours.Digest, (await bench.TagsAsync())["main"]);
                break;
            default:
                ours.EnsureSucceeded();
                Assert.Equal((TagState.Moved, ours.Digest), End(ours, tag));
                Assert.Equal(ours.Digest, (await bench.TagsAsync())[tag]);
                break;
        }
    }

    /// <summary>A tag that others write all the time is told; one beside it that an older publish took back is seen to all the same.</summary>
    [Fact]
    public async Task A_tag_that_does_not_settle_keeps_no_other_from_being_looked_back_at()
    {
        await using var bench = await CommitBench.StartAsync();
        (await CommitBench.PublishAsync(bench.Request("1.0.0"))).EnsureSucceeded();
        var (isWritten, isTakenBack, looks) = (false, false, 0);
        bench.Intercept = async (_, context) =>
        {
            isWritten |= CommitBench.IsPut(context, "latest");
            if (isWritten && !isTakenBack && CommitBench.IsHead(context, "v1.1"))
            {
                isTakenBack = true;
                await Seed.PushAsync(bench.Clients[0], CommitBench.Repository, "latest", CommitBench.Labelled("1.0.9"));
            }

            return isTakenBack && CommitBench.IsHead(context, "v1.1") && await CommitBench.NamesAsync(context, "sha256:" + (Interlocked.Increment(ref looks) / 2).ToString("x64", CultureInfo.InvariantCulture));
        };

        var ours = await CommitBench.PublishAsync(bench.Request("1.1.0", Newer));

        Assert.Contains("RSDK6021", ours.Codes);
        Assert.True(isTakenBack);
        bench.Intercept = null;
        Assert.Equal(ours.Digest, (await bench.TagsAsync())["latest"]);
    }

    /// <summary>Each time the tag was moved on, something newer is listed.</summary>
    [Fact]
    public async Task A_tag_that_is_overtaken_again_and_again_is_told()
    {
        await using var bench = await CommitBench.StartAsync();
        var (isWritten, lists) = (false, 0);
        bench.Intercept = async (_, context) =>
        {
            isWritten |= CommitBench.IsPut(context, "latest");
            if (isWritten && context.Request.Path.Value!.EndsWith("/tags/list", StringComparison.Ordinal) && context.Request.Headers.UserAgent.Count > 0)
            {
                var version = string.Create(CultureInfo.InvariantCulture, $"2.0.{Interlocked.Increment(ref lists)}");
                await Seed.PushAsync(bench.Clients[0], CommitBench.Repository, "v" + version, CommitBench.Labelled(version));
            }

            return false;
        };

        var ours = await CommitBench.PublishAsync(bench.Request("1.1.0"));

        Assert.InRange(lists, 5, 10);
        Assert.Equal(["RSDK6021"], ours.Errors.Select(e => e.Code));
        Assert.Equal(TagState.Repaired, End(ours, "latest").State);
    }

    /// <summary>A layout is this machine's alone: a publish on another machine has its own, and both would be first.</summary>
    [Fact]
    public async Task A_version_is_not_claimed_at_a_layout()
    {
        await using var bench = await CommitBench.StartAsync(2);
        var request = bench.Request("1.2.3");
        var layout = Path.Combine(request.LayoutDirectory, "..", "mine");
        bench.Intercept = (server, context) => server == 0 && CommitBench.IsPut(context, "v1.2.3") ? Answers.WithAsync(context, 400, null, "") : Task.FromResult(false);

        var ours = await CommitBench.PublishAsync(request with { Destinations = [new($"oci:{layout}"), .. request.Destinations] });

        Assert.Contains("RSDK6002", ours.Codes);
        Assert.Empty(await bench.TagsAsync(1));
    }

    /// <summary>A tag that was written, taken back by an older publish, and could not be written again: whoever finds the folder later is told.</summary>
    [Fact]
    public async Task The_journal_says_in_the_end_what_the_receipt_says()
    {
        await using var bench = await CommitBench.StartAsync();
        (await CommitBench.PublishAsync(bench.Request("1.0.0"))).EnsureSucceeded();
        var (looks, isTakenBack) = (0, false);
        bench.Intercept = async (_, context) =>
        {
            if (CommitBench.IsHead(context, "latest") && Interlocked.Increment(ref looks) == 2)
            {
                await Seed.PushAsync(bench.Clients[0], CommitBench.Repository, "v1", CommitBench.Labelled("1.0.9"));
                isTakenBack = true;
            }

            return isTakenBack && CommitBench.IsPut(context, "v1") && await Answers.WithAsync(context, 400, null, "");
        };
        var request = bench.Request("1.1.0", Newer);

        var ours = await CommitBench.PublishAsync(request);

        Assert.Equal(TagState.Pending, End(ours, "v1").State);
        var journal = JsonNode.Parse(await File.ReadAllTextAsync(CommitBench.Journal(request)))!["destinations"]![0]!["tags"]!.AsArray();
        Assert.Equal(
            ours.Report.Transfer!.Destinations[0].Tags.Select(t => (t.Tag.Name, TagStateNames.ToWord(t.State))),
            journal.Select(t => (t!["name"]!.GetValue<string>(), t["state"]!.GetValue<string>())));
    }

    private static (TagState State, string? Now) End(Published published, string tag)
        => published.Report.Transfer!.Destinations[^1].Tags.Where(t => t.Tag.Name == tag).Select(t => (t.State, t.Now?.ToString())).Single();
}
