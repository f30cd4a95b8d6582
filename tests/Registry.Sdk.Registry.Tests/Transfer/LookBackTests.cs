using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>What a floating tag names is looked at again after it was written, whatever fails meanwhile and however late a registry shows it.</summary>
public sealed class LookBackTests
{
    private const string Lists = "/tags/list";
    private static readonly string Older = new('a', 40);
    private static readonly string Newer = new('b', 40);

    /// <summary>A second run of the older release looked before we wrote, and writes after us: what the tag then names is what it named before us.</summary>
    [Fact]
    public async Task A_tag_that_went_back_to_what_it_named_before_us_is_written_again()
    {
        await using var bench = await CommitBench.StartAsync();
        (await CommitBench.PublishAsync(bench.Request("1.0.0"))).EnsureSucceeded();
        var (written, readBack, once) = (false, false, 0);
        bench.Intercept = async (_, context) =>
        {
            if (readBack && Interlocked.Exchange(ref once, 1) == 0)
            {
                await Seed.TagAsync(bench.Clients[0], CommitBench.Repository, "v1.0.0", "latest");
            }

            readBack |= written && CommitBench.IsHead(context, "latest");
            written |= CommitBench.IsPut(context, "latest");
            return false;
        };

        var ours = (await CommitBench.PublishAsync(bench.Request("1.1.0", Newer))).EnsureSucceeded();

        Assert.Equal(1, once);
        Assert.Equal(ours.Digest, (await bench.TagsAsync())["latest"]);
    }

    /// <summary>The registry shows the old image once more right when the tag is to be moved on: that is no reason to take it for moved.</summary>
    [Fact]
    public async Task A_tag_that_is_read_late_is_moved_on_to_the_newer_image_all_the_same()
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

            // The first reads our write back, the second is the repair's.
            if (newer is null || !CommitBench.IsHead(context, "latest") || Interlocked.Increment(ref looks) != 2)
            {
                return false;
            }

            return await CommitBench.NamesAsync(context, old);
        };

        var ours = (await CommitBench.PublishAsync(bench.Request("1.1.0", Older, minute: 5))).EnsureSucceeded();

        Assert.True(looks >= 2);
        Assert.Equal(newer!.Digest, (await bench.TagsAsync())["latest"]);
        Assert.Equal((TagState.Repaired, newer.Digest), ours.Report.Transfer!.Destinations[0].Tags.Where(t => t.Tag.Name == "latest").Select(t => (t.State, t.Now!.ToString())).Single());
    }

    /// <summary>The next run of the same commit finds its own image under the tag and keeps it: what is not repaired now never is.</summary>
    [Fact]
    public async Task A_tag_that_was_written_before_the_destination_failed_is_moved_on_to_the_newer_image()
    {
        await using var bench = await CommitBench.StartAsync();
        (await CommitBench.PublishAsync(bench.Request("1.1.0"))).EnsureSucceeded();
        Published? newer = null;
        var once = 0;
        bench.Intercept = async (_, context) =>
        {
            if (CommitBench.IsPut(context, "v1.1") && Interlocked.Exchange(ref once, 1) == 0)
            {
                newer = (await CommitBench.PublishAsync(bench.Request("1.1.5", Newer, minute: 9))).EnsureSucceeded();
            }

            return newer is not null && context.Request.Path.Value!.EndsWith("/manifests/v1", StringComparison.Ordinal) && await Answers.WithAsync(context, 400, null, "");
        };

        var ours = await CommitBench.PublishAsync(bench.Request("1.1.1", Older, minute: 5));
        bench.Intercept = null;

        Assert.Contains("RSDK6002", ours.Codes);
        Assert.Equal(newer!.Digest, (await bench.TagsAsync())["v1.1"]);
        Assert.Contains("\"repaired\"", ours.Receipt);
    }

    [Fact]
    public async Task A_destination_is_looked_back_at_though_another_one_failed()
    {
        await using var bench = await CommitBench.StartAsync(2);
        (await CommitBench.PublishAsync(bench.Request("1.0.0"))).EnsureSucceeded();
        var looks = 0;
        bench.Intercept = async (server, context) =>
        {
            // After v1 was written and read back, while latest is looked at.
            if (server == 0 && CommitBench.IsHead(context, "latest") && Interlocked.Increment(ref looks) == 2)
            {
                await Seed.PushAsync(bench.Clients[0], CommitBench.Repository, "v1", CommitBench.Labelled("1.0.9"));
            }

            return server == 1 && CommitBench.IsPut(context, "latest") && await Answers.WithAsync(context, 400, null, "");
        };

        var ours = await CommitBench.PublishAsync(bench.Request("1.1.0", Newer));

        Assert.True(looks >= 2);
        Assert.Contains($"pending: {bench.Servers[1].Host}/team/app: latest.", ours.Errors.Single(e => e.Code == "RSDK6002").Message);
        Assert.Equal(ours.Digest, (await bench.TagsAsync())["v1"]);
    }

    /// <summary>Three publishes: an older one took the tag back, we write it again, and right then a newer one comes in between.</summary>
    [Fact]
    public async Task A_tag_that_is_written_again_is_repaired_like_one_that_is_written_first()
    {
        await using var bench = await CommitBench.StartAsync();
        (await CommitBench.PublishAsync(bench.Request("1.0.0"))).EnsureSucceeded();
        Published? newer = null;
        var (looks, once, isTakenBack) = (0, 0, false);
        bench.Intercept = async (_, context) =>
        {
            if (CommitBench.IsHead(context, "latest") && Interlocked.Increment(ref looks) == 2)
            {
                await Seed.PushAsync(bench.Clients[0], CommitBench.Repository, "v1", CommitBench.Labelled("1.0.9"));
                isTakenBack = true;
            }

            if (isTakenBack && CommitBench.IsPut(context, "v1") && Interlocked.Exchange(ref once, 1) == 0)
            {
                newer = (await CommitBench.PublishAsync(bench.Request("1.2.0", Newer, minute: 9))).EnsureSucceeded();
            }

            return false;
        };

        (await CommitBench.PublishAsync(bench.Request("1.1.0", Older, minute: 5))).EnsureSucceeded();

        Assert.Equal(newer!.Digest, (await bench.TagsAsync())["v1"]);
    }

    /// <summary>Nobody publishes a thousand releases while we publish one: who lists them wants us to ask for each.</summary>
    [Theory]
    [InlineData("1.1.0")]
    [InlineData("")]
    public async Task A_registry_that_lists_very_many_newer_tags_is_not_asked_for_each(string version)
    {
        await using var bench = await CommitBench.StartAsync();
        var floating = version.Length > 0 ? "latest" : "main";
        var written = false;
        bench.Intercept = (_, context) =>
        {
            written |= CommitBench.IsPut(context, floating);
            return written && context.Request.Path.Value!.EndsWith(Lists, StringComparison.Ordinal)
                ? Answers.WithAsync(context, 200, "application/json", $$"""{"name":"team/app","tags":[{{string.Join(',', Enumerable.Range(0, 1000).Select(i => version.Length > 0 ? $"\"v9.0.{i}\"" : $"\"main-{i:x7}\""))}}]}""")
                : Task.FromResult(false);
        };

        var published = (await CommitBench.PublishAsync(bench.Request(version))).EnsureSucceeded();

        Assert.InRange(bench.Servers[0].Requests.Count(r => r.PathAndQuery.Contains("/manifests/v9.", StringComparison.Ordinal) || r.PathAndQuery.Contains("/manifests/main-000", StringComparison.Ordinal)), 1, 100);
        Assert.Equal(published.Digest, (await Seed.ManifestAsync(bench.Clients[0], CommitBench.Repository, floating)) is { } content ? Seed.Digest(content) : null);
    }

    /// <summary>The commit is where the rule puts it, and not always at the tag's end.</summary>
    [Fact]
    public async Task A_branch_tag_is_repaired_also_where_its_immutable_tags_go_on_after_the_commit()
    {
        await using var bench = await CommitBench.StartAsync();
        Published? newer = null;
        var once = 0;
        bench.Intercept = async (_, context) =>
        {
            if (CommitBench.IsPut(context, "main") && Interlocked.Exchange(ref once, 1) == 0)
            {
                newer = (await CommitBench.PublishAsync(Request(Newer, 9))).EnsureSucceeded();
            }

            return false;
        };

        (await CommitBench.PublishAsync(Request(Older, 5))).EnsureSucceeded();

        Assert.Contains("main-bbbbbbb-linux", (await bench.TagsAsync()).Keys);
        Assert.Equal(newer!.Digest, (await bench.TagsAsync())["main"]);

        Core.PublishRequest Request(string commit, int minute) => bench.Request("", commit, minute) with
        {
            Derived = Bench.Facts(commit: commit, time: Bench.CommitTime.AddMinutes(minute), rules: [new("{branch}", "branch", "true"), new("{branch}-{sha}-linux", "branch", "false")]),
        };
    }

    /// <summary>The newer one's immutable tag comes while we read what the tags name: that is no reason to take it for one that was passed over by hand.</summary>
    [Fact]
    public async Task What_comes_while_the_tags_are_read_is_new_since_the_plan()
    {
        await using var bench = await CommitBench.StartAsync();
        (await CommitBench.PublishAsync(bench.Request("1.0.0"))).EnsureSucceeded();
        var (isRead, came, moved, newer) = (false, 0, 0, "");
        bench.Intercept = async (_, context) =>
        {
            if (isRead && Interlocked.Exchange(ref came, 1) == 0)
            {
                newer = await Seed.PushAsync(bench.Clients[0], CommitBench.Repository, "v2.0.0", CommitBench.Labelled("2.0.0"));
            }

            isRead |= CommitBench.IsHead(context, "latest");
            if (CommitBench.IsPut(context, "latest") && Interlocked.Exchange(ref moved, 1) == 0)
            {
                // After our look at it. Its publish looks back now, and ends before we write.
                await Seed.TagAsync(bench.Clients[0], CommitBench.Repository, "v2.0.0", "latest");
            }

            return false;
        };

        (await CommitBench.PublishAsync(bench.Request("1.1.0", Newer))).EnsureSucceeded();

        Assert.Equal((1, 1), (came, moved));
        Assert.Equal(newer, (await bench.TagsAsync())["latest"]);
    }

    /// <summary>A publish that was killed between its write and its look at the list leaves a tag on the older image, and every run of that commit after it keeps it there; so does who moved it by hand.</summary>
    [Fact]
    public async Task A_tag_that_stays_on_an_older_release_is_told_with_the_newer_one()
    {
        await using var bench = await CommitBench.StartAsync();
        (await CommitBench.PublishAsync(bench.Request("1.9.7"))).EnsureSucceeded();
        (await CommitBench.PublishAsync(bench.Request("2.0.0", Newer))).EnsureSucceeded();
        await Seed.TagAsync(bench.Clients[0], CommitBench.Repository, "v1.9.7", "latest");
        const string Told = "v2.0.0 is there, which is newer: it was moved back by hand, or a publish broke off";

        var again = (await CommitBench.PublishAsync(bench.Request("1.9.7"))).EnsureSucceeded();
        var backport = (await CommitBench.PublishAsync(bench.Request("1.9.8", Older))).EnsureSucceeded();

        Assert.Single(again.Report.Notes, n => n.Contains($"latest names this image, though {Told}", StringComparison.Ordinal));
        Assert.Contains(backport.Reporting.ConsoleLines, l => l.Contains(" latest moved ", StringComparison.Ordinal) && l.Contains(Told, StringComparison.Ordinal));
        Assert.Single(backport.Reporting.ConsoleLines, l => l.Contains("is there, which", StringComparison.Ordinal));
    }
}
