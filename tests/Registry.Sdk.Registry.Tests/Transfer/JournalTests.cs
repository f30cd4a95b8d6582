using System.Collections.Concurrent;
using System.Text.Json.Nodes;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Registry.Tests.Publishing;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>The journal says at every moment from the first tag on what is written and what is not; and it decides nothing.</summary>
public sealed class JournalTests
{
    [Fact]
    public async Task At_every_tag_that_is_written_the_journal_names_it_pending_and_those_before_done()
    {
        await using var bench = await CommitBench.StartAsync(2);
        var request = bench.Request("1.2.3");
        var journal = CommitBench.Journal(request);
        var wrong = new ConcurrentQueue<string>();
        var seen = new ConcurrentDictionary<(int, string), bool>();
        bench.Intercept = (server, context) =>
        {
            if (!CommitBench.IsTagPut(context))
            {
                wrong.EnqueueIf(!context.Request.Path.Value!.Contains("/tags/", StringComparison.Ordinal) && context.Request.Method == "POST" && File.Exists(journal), "there before the first tag");
                return Task.FromResult(false);
            }

            var tag = context.Request.Path.Value!.Split('/')[^1];
            var states = States(journal)[server];
            wrong.EnqueueIf(states[tag] != "pending", $"{tag} is {states[tag]} while it is written");
            // Those that this registry was sent before have been read back and noted.
            foreach (var ((other, earlier), _) in seen.Where(s => s.Key.Item1 == server))
            {
                wrong.EnqueueIf(states[earlier] != "created", $"{earlier} is {states[earlier]} when {tag} is written");
            }

            seen[(server, tag)] = true;
            return Task.FromResult(false);
        };

        (await CommitBench.PublishAsync(request)).EnsureSucceeded();

        Assert.Empty(wrong);
        Assert.Equal(8, seen.Count);
        Assert.All(States(journal), d => Assert.All(d.Values, s => Assert.Equal("created", s)));
        var json = JsonNode.Parse(await File.ReadAllTextAsync(journal))!;
        Assert.Equal((1, "App", "1.2.3", Bench.Commit), (json["schemaVersion"]!.GetValue<int>(), json["project"]!.GetValue<string>(), json["version"]!.GetValue<string>(), json["commit"]!.GetValue<string>()));
        Assert.DoesNotContain(Path.GetTempPath(), json.ToJsonString());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_broke_off_between_two_tags_is_finished_by_the_next_run_with_the_journal_and_from_a_fresh_clone(bool freshClone)
    {
        await using var bench = await CommitBench.StartAsync(2);
        var request = bench.Request("1.2.3");
        bench.Intercept = (server, context) => server == 1 && CommitBench.IsPut(context, "v1") ? Answers.WithAsync(context, 400, null, "") : Task.FromResult(false);
        var broken = await CommitBench.PublishAsync(request);
        Assert.Contains("RSDK6002", broken.Codes);
        Assert.Equal(["v1", "latest"], States(CommitBench.Journal(request))[1].Where(s => s.Value == "pending").Select(s => s.Key));
        bench.Intercept = null;

        var again = freshClone ? bench.Request("1.2.3") : request;
        var finished = (await CommitBench.PublishAsync(again)).EnsureSucceeded();

        Assert.Equal(broken.Digest, finished.Digest);
        foreach (var server in new[] { 0, 1 })
        {
            Assert.Equal(["latest", "v1", "v1.2", "v1.2.3"], (await bench.TagsAsync(server)).Keys);
            Assert.All((await bench.TagsAsync(server)).Values, d => Assert.Equal(broken.Digest, d));
        }

        var said = finished.Report.Notes.Where(n => n.Contains("left pending", StringComparison.Ordinal)).ToList();
        Assert.Equal(freshClone ? 0 : 1, said.Count);
        Assert.All(said, n => Assert.Contains($"{bench.Servers[1].Host}/team/app: v1, latest", n));
        Assert.All(States(CommitBench.Journal(again)), d => Assert.DoesNotContain("pending", d.Values));
    }

    /// <summary>As another machine makes it, with another patch of the .NET SDK or another git remote.</summary>
    [Theory]
    [InlineData(1, "v1.2")]
    [InlineData(1, "latest")]
    [InlineData(2, "v1.2")]
    [InlineData(2, "latest")]
    public async Task A_release_of_which_only_floating_tags_are_pending_is_finished_where_the_same_commit_gives_other_bytes(int registries, string tag)
    {
        await using var bench = await CommitBench.StartAsync(registries);
        bench.Intercept = (server, context) => server == registries - 1 && CommitBench.IsPut(context, tag) ? Answers.WithAsync(context, 400, null, "") : Task.FromResult(false);
        var broken = await CommitBench.PublishAsync(bench.Request("1.2.3"));
        Assert.Contains("RSDK6002", broken.Codes);
        bench.Intercept = null;

        (await CommitBench.PublishAsync(bench.Request("1.2.3", content: "other bytes"))).EnsureSucceeded();

        for (var server = 0; server < registries; server++)
        {
            var tags = await bench.TagsAsync(server);
            Assert.Equal(["latest", "v1", "v1.2", "v1.2.3"], tags.Keys);
            Assert.All(tags.Values, d => Assert.Equal(broken.Digest, d));
        }

        // Finished, it is compared as ever; also when something newer has the floating tags.
        Assert.Contains("RSDK5005", (await CommitBench.PublishAsync(bench.Request("1.2.3", content: "other bytes"))).Codes);
        (await CommitBench.PublishAsync(bench.Request("1.2.4"))).EnsureSucceeded();
        Assert.Contains("RSDK5005", (await CommitBench.PublishAsync(bench.Request("1.2.3", content: "other bytes"))).Codes);
    }

    [Fact]
    public async Task What_an_earlier_publish_left_is_said_also_where_this_one_is_refused()
    {
        await using var bench = await CommitBench.StartAsync();
        var first = bench.Request("1.2.3");
        bench.Intercept = (_, context) => CommitBench.IsPut(context, "latest") ? Answers.WithAsync(context, 400, null, "") : Task.FromResult(false);
        await CommitBench.PublishAsync(first);
        bench.Intercept = null;

        // The git tag was moved to the mended commit.
        var moved = await CommitBench.PublishAsync(bench.Request("1.2.3", commit: new('a', 40)) with { LayoutDirectory = first.LayoutDirectory });

        Assert.Contains("RSDK5005", moved.Codes);
        var note = Assert.Single(moved.Report.Notes, n => n.Contains("left pending", StringComparison.Ordinal));
        Assert.Contains($"of 1.2.3 (commit {Bench.Commit})", note);
        Assert.Contains("publish it as 1.2.3 again", note);
    }

    [Fact]
    public async Task What_to_do_about_pending_tags_is_said_with_version_and_commit_and_where_nothing_changed()
    {
        await using var bench = await CommitBench.StartAsync(2);
        bench.Intercept = (_, context) => CommitBench.IsPut(context, "v1.2.3") ? Answers.WithAsync(context, 400, null, "") : Task.FromResult(false);
        var sent = Assert.Single((await CommitBench.PublishAsync(bench.Request("1.2.3"))).Errors, e => e.Code == "RSDK6002").Message;
        bench.Intercept = (server, context) => server == 1 && context.Request.Method == "PUT" ? Answers.WithAsync(context, 400, null, "") : Task.FromResult(false);
        var unsent = Assert.Single((await CommitBench.PublishAsync(bench.Request("2.0.0"))).Errors, e => e.Code == "RSDK6002").Message;

        Assert.DoesNotContain("No tag was written anywhere", sent);
        Assert.Contains($"Publish 1.2.3 of commit {Bench.Commit[..7]} again (dotnet publish /t:PublishContainer, or the CI job)", sent);
        Assert.Contains($"No tag was written anywhere. Publish 2.0.0 of commit {Bench.Commit[..7]} again", unsent);
    }

    [Theory]
    [InlineData("rubbish", "it is no JSON")]
    [InlineData("[]", "it is no journal")]
    [InlineData("{\"project\":7}", "it is no journal")]
    [InlineData("", "it is no JSON")]
    public async Task A_journal_that_can_not_be_read_is_ignored_with_one_line(string content, string why)
    {
        await using var bench = await CommitBench.StartAsync();
        var request = bench.Request("1.2.3");
        await File.WriteAllTextAsync(CommitBench.Journal(request), content);

        var published = (await CommitBench.PublishAsync(request)).EnsureSucceeded();

        Assert.Contains(why, Assert.Single(published.Log, l => l.Contains("is ignored", StringComparison.Ordinal)));
        Assert.Equal(4, (await bench.TagsAsync()).Count);
        Assert.All(States(CommitBench.Journal(request)), d => Assert.All(d.Values, s => Assert.Equal("created", s)));
    }

    [Fact]
    public async Task What_a_publish_of_another_commit_left_is_said_and_left_alone()
    {
        await using var bench = await CommitBench.StartAsync();
        var first = bench.Request("1.2.3");
        bench.Intercept = (_, context) => CommitBench.IsPut(context, "latest") ? Answers.WithAsync(context, 400, null, "") : Task.FromResult(false);
        Assert.Contains("RSDK6002", (await CommitBench.PublishAsync(first)).Codes);
        bench.Intercept = null;

        var other = bench.Request("2.0.0", commit: new('a', 40)) with { LayoutDirectory = first.LayoutDirectory };
        var published = (await CommitBench.PublishAsync(other)).EnsureSucceeded();

        var note = Assert.Single(published.Report.Notes, n => n.Contains("left pending", StringComparison.Ordinal));
        Assert.Contains($"of 1.2.3 (commit {Bench.Commit})", note);
        Assert.Contains("latest", note);
        Assert.Equal(published.Digest, (await bench.TagsAsync())["latest"]);
    }

    [Fact]
    public async Task Where_the_journal_can_not_be_written_no_tag_is()
    {
        await using var bench = await CommitBench.StartAsync(2);
        var request = bench.Request("1.2.3");
        Directory.CreateDirectory(CommitBench.Journal(request));

        var published = await CommitBench.PublishAsync(request);

        Assert.Equal(["RSDK6020", "RSDK6002"], published.Errors.Select(e => e.Code).OrderDescending(StringComparer.Ordinal));
        Assert.Empty(await bench.TagsAsync(0));
        Assert.Empty(await bench.TagsAsync(1));
        Assert.All(published.Report.Transfer!.Destinations.SelectMany(d => d.Tags), t => Assert.Equal(TagState.Pending, t.State));
    }

    private static List<Dictionary<string, string>> States(string journal)
        => [.. JsonNode.Parse(File.ReadAllText(journal))!["destinations"]!.AsArray().Select(d => d!["tags"]!.AsArray().ToDictionary(t => t!["name"]!.GetValue<string>(), t => t!["state"]!.GetValue<string>(), StringComparer.Ordinal))];
}

file static class Queues
{
    public static void EnqueueIf(this ConcurrentQueue<string> queue, bool condition, string text)
    {
        if (condition)
        {
            queue.Enqueue(text);
        }
    }
}
