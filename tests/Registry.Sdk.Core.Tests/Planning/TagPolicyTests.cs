using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;
using Xunit;

namespace Registry.Sdk.Core.Tests.Planning;

public class TagPolicyTests
{
    private const BuildKinds Release = BuildKinds.Release;
    private const BuildKinds Prerelease = BuildKinds.Prerelease;
    private const BuildKinds Branch = BuildKinds.Branch;
    private static readonly Digest Ours = Digest.Of([1]);
    private static readonly Digest Theirs = Digest.Of([2]);

    // Commits a < b < c, and x beside them; u is unknown to git. A letter stands for a commit.
    private sealed class Line : ICommitHistory
    {
        public Task<bool?> IsAncestorAsync(string ancestor, string descendant, CancellationToken cancellationToken)
        {
            var (a, d) = (ancestor[0], descendant[0]);
            return Task.FromResult<bool?>(a == 'u' || d == 'u' ? null : a == d || (a != 'x' && d != 'x' && a < d));
        }
    }

    [Theory]
    // kind, our version and commit and minute, theirs: what happens, and the reason
    [InlineData(Release, "1.2.3", "b", 5, "1.2.2", "a", 0, TagAction.Move, "1.2.2 to 1.2.3")]
    [InlineData(Release, "1.10.0", "b", 5, "1.9.0", "a", 9, TagAction.Move, "1.9.0 to 1.10.0")] // by number, not by text and not by time
    [InlineData(Release, "1.9.8", "b", 5, "2.0.0", "a", 0, TagAction.Keep, "names the newer 2.0.0")] // a backport
    [InlineData(Release, "2.0.0", "b", 5, "2.0.0-rc.1", "a", 0, TagAction.Move, "2.0.0-rc.1 to 2.0.0")]
    [InlineData(Release, "2.0.0", "b", 5, "2.0.1-alpha.0.3", "a", 0, TagAction.Keep, "names the newer 2.0.1-alpha.0.3")]
    [InlineData(Prerelease, "2.0.0-rc.2", "b", 5, "2.0.0-rc.10", "a", 0, TagAction.Keep, "names the newer 2.0.0-rc.10")]
    [InlineData(Release, "1.2.3", "b", 5, "1.2.3", "b", 5, TagAction.Move, "1.2.3 to 1.2.3")]
    [InlineData(Branch, "0.0.0", "b", 0, "9.9.9", "a", 9, TagAction.Move, "to its descendant")]
    [InlineData(Branch, "0.0.0", "a", 9, "0.0.0", "b", 0, TagAction.Keep, "names the later commit")]
    [InlineData(Branch, "0.0.0", "b", 0, "0.0.0", "b", 9, TagAction.Move, "rebuilt from")]
    [InlineData(Branch, "0.0.0", "x", 9, "0.0.0", "b", 0, TagAction.Move, "history does not tell; this commit is not earlier")] // diverged
    [InlineData(Branch, "0.0.0", "x", 0, "0.0.0", "b", 9, TagAction.Keep, "history does not tell; what it names is later")]
    [InlineData(Branch, "0.0.0", "x", 5, "0.0.0", "b", 5, TagAction.Move, "history does not tell")]
    [InlineData(Branch, "0.0.0", "b", 9, "0.0.0", "u", 0, TagAction.Move, "history does not tell")] // unknown to this clone
    [InlineData(Branch, "0.0.0", "b", 0, "0.0.0", "u", 9, TagAction.Keep, "history does not tell")]
    [InlineData(Branch, "0.0.0", "b", 0, "0.0.0", null, 9, TagAction.Keep, "history does not tell")]
    [InlineData(BuildKinds.PullRequest, "0.0.0", "b", 0, "0.0.0", "a", 9, TagAction.Move, "to its descendant")]
    public async Task A_floating_tag(BuildKinds kind, string version, string commit, int minute, string theirVersion, string? theirCommit, int theirMinute, TagAction action, string why)
    {
        var (plan, diagnostic) = await DecideAsync(true, kind, Image(Ours, version, commit, minute), Image(Theirs, theirVersion, theirCommit, theirMinute));
        Assert.Null(diagnostic);
        Assert.Equal((action, Theirs), (plan!.Action, plan.Current));
        Assert.Contains(why, plan.Why);
    }

    [Theory]
    [InlineData(null, null, "no version and revision labels")]
    [InlineData("latest", "a", "version label is 'latest'")]
    [InlineData(null, "a", "version label is 'none'")]
    [InlineData("1.0\n::error::x", "a", "version label is '1.0 ::error::x'")]
    public async Task Over_what_cannot_be_compared_it_moves_with_a_warning(string? version, string? commit, string says)
    {
        var (plan, diagnostic) = await DecideAsync(true, Release, Image(Ours, "1.0.0", "a", 0), Image(Theirs, version, commit, 0));
        Assert.Equal(TagAction.Move, plan!.Action);
        Assert.Equal(("RSDK5008", false), (diagnostic!.Code, diagnostic.IsError));
        Assert.Contains(says, diagnostic.Message);
        Assert.DoesNotContain('\n', diagnostic.Message);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task Absent_it_is_created_and_naming_us_it_is_kept(bool floating)
    {
        var ours = Image(Ours, "1.0.0", "a", 0);
        Assert.Equal((TagAction.Create, null, null), await ShortAsync(floating, ours, null));
        Assert.Equal((TagAction.Keep, Ours, null), await ShortAsync(floating, ours, ours));
        // What it names now does not matter then, not even for an older release.
        var (plan, diagnostic) = await DecideAsync(floating, Release, ours, Image(Theirs, "9.0.0", "c", 9), overwrite: true);
        Assert.Equal((TagAction.Move, Theirs, null), (plan!.Action, plan.Current, diagnostic));
        Assert.Contains("RegistrySdkOverwriteTag", plan.Why);
    }

    [Theory]
    [InlineData("1.2.3", "a", "base1", "they differ in version (1.2.3 there, 1.0.0 here)")]
    [InlineData("1.0.0", "b", "base1", "they differ in revision (b")]
    [InlineData(null, null, "base1", "they differ in version (none there, 1.0.0 here), revision (none there")]
    [InlineData("1.0.0", "a", "base2", "To repeat the build on the base it was made with, set ContainerBaseImage to name@sha256:")]
    [InlineData("1.0.0", "a", "x\n::error::y", "they differ in base image (x ::error::y there")]
    [InlineData("1.0.0", "a", "base1", "version, revision and base image are equal, so files, configuration (Debug or Release) or settings differ")]
    public async Task An_immutable_tag_of_another_digest_is_an_error_that_says_what_differs(string? version, string? commit, string baseDigest, string says)
    {
        static string Base(string name) => name.StartsWith("base", StringComparison.Ordinal) ? Digest.Of([(byte)name[4]]).ToString() : name;
        var ours = Image(Ours, "1.0.0", "a", 0) with { BaseDigest = Base("base1") };
        var (plan, diagnostic) = await DecideAsync(false, Release, ours, Image(Theirs, version, commit, 0) with { BaseDigest = Base(baseDigest) });
        Assert.Null(plan);
        Assert.Equal("RSDK5005", diagnostic!.Code);
        Assert.Contains($"ghcr.io/a/b: the tag t names {Theirs} and would become {Ours}; ", diagnostic.Message);
        Assert.Contains(says, diagnostic.Message);
        Assert.Contains("RegistrySdkOverwriteTag", diagnostic.Message);
        Assert.DoesNotContain('\n', diagnostic.Message);
        Assert.Equal(baseDigest == "base2", diagnostic.Message.Contains("ContainerBaseImage", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(Branch, "1.0.0", "a", 2, true)]
    [InlineData(Release, "1.0.0", "a", 2, false)] // a release is composed on its first base again; here it was not
    [InlineData(Branch, "1.0.1", "a", 2, false)]
    [InlineData(Branch, "1.0.0", "b", 2, false)]
    [InlineData(Branch, "1.0.0", "a", 1, false)]
    public async Task Of_a_branch_a_commit_that_was_built_on_another_base_keeps_its_tag(BuildKinds kind, string theirVersion, string theirCommit, byte theirBase, bool stays)
    {
        var (plan, diagnostic) = await DecideAsync(
            false, kind, Image(Ours, "1.0.0", "a", 0) with { BaseDigest = Digest.Of([1]).ToString() }, Image(Theirs, theirVersion, theirCommit, 0) with { BaseDigest = Digest.Of([theirBase]).ToString() });
        Assert.Equal((stays, stays ? null : "RSDK5005"), (plan is { Action: TagAction.Keep }, diagnostic?.Code));
        Assert.Equal(stays, plan?.Why.Contains(Digest.Of([2]).ToString(), StringComparison.Ordinal) ?? false);
    }

    [Theory]
    [InlineData("", "1.0.0: v1.0.0 | v1.0 v1 latest")]
    [InlineData("latest;edge;v1.0.0", "1.0.0: v1.0.0 | edge latest")] // one the rules know keeps what they say of it
    [InlineData("edge", "1.0.0: | edge")]
    public void The_tags_of_a_destination(string literal, string expected)
    {
        Assert.True(RegistryHost.TryParse("ghcr.io", out var host));
        var version = new VersionFacts
        {
            Kind = Release, Version = "1.0.0", Reason = "", Tags = [new("v1.0.0", false, ""), new("v1.0", true, ""), new("v1", true, ""), new("latest", true, "")],
        };
        var destination = new Destination(new RepositoryReference(host, "a/b"), Visibility.Undeclared, DestinationParser.DefaultOn, literal.Split(';', StringSplitOptions.RemoveEmptyEntries));
        var tags = PlanningStage.TagsFor(destination, version);
        Assert.Equal(expected, $"1.0.0:{string.Concat(tags.Where(t => !t.Floating).Select(t => " " + t.Name))} |{string.Concat(tags.Where(t => t.Floating).Select(t => " " + t.Name))}");
        Assert.Equal(tags.OrderBy(t => t.Floating), tags);
        // A dirty tree has its one tag everywhere.
        Assert.Equal(version.Tags, PlanningStage.TagsFor(destination, version with { IsDirty = true }));
    }

    [Fact]
    public void What_a_config_says_of_its_image()
    {
        var full = ImageReader.FromConfig(Ours, """{"created":"2026-01-01T00:00:00Z","config":{"Labels":{"org.opencontainers.image.version":"1","org.opencontainers.image.revision":"r","org.opencontainers.image.base.digest":"d"}}}"""u8.ToArray());
        Assert.Equal(new ImageIdentity(Ours, "1", "r", "d", new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero)), full);
        foreach (var strange in new[] { "", "[]", "7", "{", """{"created":7,"config":[]}""", """{"config":{"Labels":{"org.opencontainers.image.version":""}}}""", """{"config":{"Labels":7}}""", """{"a":1,"a":2,"config":{}}""" })
        {
            Assert.Equal(new ImageIdentity(Ours, null, null, null, null), ImageReader.FromConfig(Ours, System.Text.Encoding.UTF8.GetBytes(strange)));
        }
    }

    private static ImageIdentity Image(Digest digest, string? version, string? commit, int minute)
        => new(digest, version, commit?.PadRight(40, '0'), null, new(2026, 1, 1, 0, minute, 0, TimeSpan.Zero));

    private static Task<(TagPlan? Plan, Diagnostic? Diagnostic)> DecideAsync(bool floating, BuildKinds kind, ImageIdentity ours, ImageIdentity? theirs, bool overwrite = false)
        => TagPolicy.DecideAsync(new("t", floating, "rule"), kind, ours, theirs, overwrite, new Line(), "ghcr.io/a/b", CancellationToken.None);

    private static async Task<(TagAction, Digest?, Diagnostic?)> ShortAsync(bool floating, ImageIdentity ours, ImageIdentity? theirs)
    {
        var (plan, diagnostic) = await DecideAsync(floating, Release, ours, theirs);
        return (plan!.Action, plan.Current, diagnostic);
    }
}
