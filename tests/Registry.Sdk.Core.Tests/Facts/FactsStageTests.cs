using Registry.Sdk.Core.Facts;
using Xunit;

namespace Registry.Sdk.Core.Tests.Facts;

/// <summary>The Facts stage without a process: no git, and histories written by hand. Real repositories are in Registry.Sdk.Registry.Tests.</summary>
public class FactsStageTests
{
    private sealed class NoGit : IGit
    {
        public Task<GitResult?> RunAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken) => Task.FromResult<GitResult?>(null);

        public IAsyncEnumerable<string> ReadLinesAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken) => throw new GitException("no git");
    }

    private static Task<Core.Primitives.Outcome<BuildFacts>> Run(params (string Name, string Value)[] environment)
        => FactsStage.RunAsync(
            new FactsInput(Path.GetTempPath(), [], [], environment.ToDictionary(e => e.Name, e => e.Value, StringComparer.Ordinal), "v"), new NoGit(), CancellationToken.None);

    [Fact]
    public async Task No_git_is_a_state()
    {
        var facts = (await Run()).Value;
        Assert.Equal((GitState.NoGit, null, null), (facts.Git.State, facts.Ci, facts.SourceDateEpoch));
    }

    [Theory]
    [InlineData("0", 0)]
    [InlineData("1767323040", 1767323040)]
    [InlineData("253402300799", 253402300799)]
    public async Task Source_date_epoch_is_seconds(string text, long seconds)
        => Assert.Equal(DateTimeOffset.FromUnixTimeSeconds(seconds), (await Run(("SOURCE_DATE_EPOCH", text))).Value.SourceDateEpoch);

    [Theory]
    [InlineData("today")]
    [InlineData("-1")]
    [InlineData("1.5")]
    [InlineData(" 1")]
    [InlineData("1,000")]
    [InlineData("253402300800")]
    [InlineData("99999999999999999999")]
    public async Task Source_date_epoch_that_is_none_is_an_error(string text)
    {
        var error = Assert.Single((await Run(("SOURCE_DATE_EPOCH", text))).Diagnostics);
        Assert.Equal("RSDK1009", error.Code);
        Assert.Contains($"'{text}'", error.Message, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_empty_source_date_epoch_is_unset() => Assert.Null((await Run(("SOURCE_DATE_EPOCH", ""))).Value.SourceDateEpoch);

    [Fact]
    public async Task Ci_s_warnings_come_with_the_facts_and_the_event_file_is_read()
    {
        (string, string)[] env = [("GITHUB_ACTIONS", "true"), ("GITHUB_EVENT_NAME", "pull_request"), ("GITHUB_REF", "refs/pull/7/merge"), ("GITHUB_REPOSITORY", "o/r")];
        var path = Path.Combine(Path.GetTempPath(), $"event-{Guid.NewGuid():N}.json");
        Assert.Equal(["RSDK1008"], (await Run([.. env, ("GITHUB_EVENT_PATH", path)])).Diagnostics.Select(d => d.Code).ToArray());

        await File.WriteAllTextAsync(path, """{"number":9,"pull_request":{"number":9,"head":{"repo":{"full_name":"o/r"}}}}""");
        try
        {
            var outcome = await Run([.. env, ("GITHUB_EVENT_PATH", path)]);
            Assert.Empty(outcome.Diagnostics);
            Assert.Equal(("9", false), (outcome.Value.Ci!.PullRequestNumber!, outcome.Value.Ci.IsFork));
        }
        finally
        {
            File.Delete(path);
        }
    }

    /// <summary>Histories as <c>git rev-list --timestamp --parents</c> prints them, times left out: newest first, "commit parent parent".</summary>
    [Theory]
    [InlineData("a", "", null, 0)] // one commit
    [InlineData("c b|b a|a", "", null, 2)]
    [InlineData("c b|b a|a", "c=v9.0.0", null, 2)] // HEAD's own tag is not below HEAD
    [InlineData("c b|b a|a", "c=v9.0.0 b=v8.0.0", "v8.0.0", 1)]
    [InlineData("c b|b a|a", "b=v1.0.0 a=v2.0.0", "v1.0.0", 1)] // nearest, not highest: a tagged commit is not passed
    [InlineData("m c f|c b|f a|b a|a", "a=v1.0.0", "v1.0.0", 3)] // the first parent's way, though the other is shorter
    [InlineData("m f c|c b|f a|b a|a", "a=v1.0.0", "v1.0.0", 2)]
    [InlineData("m c f|c b|f a|b a|a", "b=v1.0.0 f=v2.0.0", "v2.0.0", 1)] // highest of all ways
    [InlineData("m c f|c b|f a|b a|a", "b=v1.0.0 f=v1.0.0+x", "v1.0.0", 2)] // equal: the first found
    [InlineData("m c o|c|o", "", null, 1)] // two roots: the first one reached
    [InlineData("o a b c|a r|b r|c r|r", "r=v1.0.0", "v1.0.0", 2)] // an octopus
    public async Task The_walk(string history, string tags, string? tag, int height)
    {
        var result = await Walk(history, tags, isShallow: false);
        Assert.Equal((tag, height), (result.Tag, result.Height));
    }

    [Theory]
    [InlineData("a", "", null)]
    [InlineData("c b|b", "", null)]
    [InlineData("c b|b", "b=v1.0.0", "v1.0.0")]
    [InlineData("m c f|c b|f|b a|a", "b=v1.0.0", null)] // f may be cut
    public async Task The_walk_in_a_shallow_clone(string history, string tags, string? tag) => Assert.Equal(tag, (await Walk(history, tags, isShallow: true)).Tag);

    [Fact]
    public async Task Output_that_is_not_understood_is_git_s_failure()
    {
        await Assert.ThrowsAsync<GitException>(() => VersionWalk.RunAsync(Lines([]), new Dictionary<string, string>(StringComparer.Ordinal), string.CompareOrdinal, false));
        await Assert.ThrowsAsync<GitException>(() => VersionWalk.RunAsync(Lines(["x y"]), new Dictionary<string, string>(StringComparer.Ordinal), string.CompareOrdinal, false));
        await Assert.ThrowsAsync<GitException>(() => VersionWalk.RunAsync(Lines(["5 a b"]), new Dictionary<string, string>(StringComparer.Ordinal), string.CompareOrdinal, false));
    }

    [Theory]
    [InlineData("253402300799", true)]
    [InlineData("253402300800", false)]
    [InlineData("9223372036854775807", false)]
    [InlineData("-62135596800", true)]
    [InlineData("-62135596801", false)]
    public async Task A_commit_date_that_is_no_date_is_git_s_failure(string seconds, bool good)
    {
        var walk = VersionWalk.RunAsync(Lines([$"{seconds} abc"]), new Dictionary<string, string>(StringComparer.Ordinal), string.CompareOrdinal, false);
        if (good)
        {
            Assert.Equal(seconds, (await walk).HeadTime.ToUnixTimeSeconds().ToString(System.Globalization.CultureInfo.InvariantCulture));
        }
        else
        {
            Assert.Contains("abc", (await Assert.ThrowsAsync<GitException>(() => walk)).Message, StringComparison.Ordinal);
        }
    }

    private static Task<VersionWalkResult> Walk(string history, string tags, bool isShallow)
        => VersionWalk.RunAsync(
            Lines(history.Split('|').Select((l, i) => $"{1000 - i} {l}")),
            tags.Split(' ', StringSplitOptions.RemoveEmptyEntries).ToDictionary(t => t[..1], t => t[2..], StringComparer.Ordinal),
            (a, b) => string.CompareOrdinal(a.Split('+')[0], b.Split('+')[0]),
            isShallow);

    private static async IAsyncEnumerable<string> Lines(IEnumerable<string> lines)
    {
        await Task.Yield();
        foreach (var line in lines)
        {
            yield return line;
        }
    }
}
