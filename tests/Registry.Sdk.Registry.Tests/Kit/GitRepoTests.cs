using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Kit;

public sealed class GitRepoTests
{
    [Fact]
    public async Task Same_work_gives_the_same_commit_everywhere()
    {
        await using var first = await GitRepo.CreateAsync();
        await using var second = await GitRepo.CreateAsync();
        first.Write("src/a.txt", "hello\n");
        second.Write("src/a.txt", "hello\n");

        var commit = await first.CommitAsync("one");

        Assert.Equal(commit, await second.CommitAsync("one"));
        Assert.NotEqual(commit, await first.CommitAsync("two"));
        Assert.Equal("2026-01-01T00:00:00+00:00", await second.GitAsync("log", "-1", "--format=%cI"));
        await second.CommitAsync("later", new DateTimeOffset(2027, 2, 3, 4, 5, 6, TimeSpan.Zero));
        Assert.Equal("2027-02-03T04:05:06+00:00", await second.GitAsync("log", "-1", "--format=%cI"));
    }

    [Fact]
    public async Task Tags_branches_and_shallow_clones_are_what_they_say()
    {
        await using var repo = await GitRepo.CreateAsync();
        var first = await repo.CommitAsync("one");
        await repo.TagAsync("v1.0.0");
        await repo.TagAsync("v1.0.0-annotated", message: "release");
        await repo.CheckoutAsync("feature/x", create: true);
        var second = await repo.CommitAsync("two");
        await repo.BranchAsync("other", "v1.0.0");

        Assert.Equal(first, await repo.RevParseAsync("v1.0.0"));
        Assert.Equal(first, await repo.RevParseAsync("v1.0.0-annotated"));
        Assert.Equal(first, await repo.RevParseAsync("other"));
        Assert.Equal("feature/x", await repo.GitAsync("branch", "--show-current"));

        await using var clone = await repo.CloneAsync(depth: 1);
        Assert.Equal(second, await clone.RevParseAsync());
        Assert.Equal("true", await clone.GitAsync("rev-parse", "--is-shallow-repository"));
        await using var full = await repo.CloneAsync();
        Assert.Equal("false", await full.GitAsync("rev-parse", "--is-shallow-repository"));
        Assert.Equal("2", await full.GitAsync("rev-list", "--count", "HEAD"));
    }
}
