using Registry.Sdk.Core.Verification;
using Xunit;

namespace Registry.Sdk.Core.Tests.Verification;

/// <summary>What tags say of releases.</summary>
public sealed class ReleaseTagsTests
{
    [Theory]
    [InlineData("v1.2.0 v1.10.0 v1.9.9", "v1.10.0", "v1.10.0")]
    [InlineData("1.2.0 1.10.0", "1.10.0", "1.10.0")]
    [InlineData("1.2.0 v1.2.0", "v1.2.0", "v1.2.0")]
    [InlineData("v2.0.0-rc.1 v1.9.9", "v1.9.9", "v1.9.9")]
    [InlineData("v2.0.0-rc.1 v2.0.0-rc.2 main", "v2.0.0-rc.2", "v2.0.0-rc.2")]
    [InlineData("main latest main-abc1234", null, "latest")]
    [InlineData("develop main", null, "main")]
    [InlineData("v1.2 v01.2.3 1.2.3.4 vv1.2.3", null, "vv1.2.3")]
    [InlineData("", null, null)]
    public void The_newest_release_is_found_among_other_tags(string tags, string? newest, string? shown)
    {
        var releases = new ReleaseTags(tags.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        Assert.Equal((newest, shown), (releases.Newest?.Tag, releases.Shown));
    }

    [Fact]
    public void A_floating_tag_stands_for_the_newest_release_of_its_line()
    {
        var releases = new ReleaseTags(["v1.2.3", "v1.2.4", "v1.3.0", "v2.0.0", "v2.1.0-rc.1", "latest", "v1", "v1.2", "v1.3", "1", "v2", "v3", "v10", "main", "v1.2.3-rc.1"]);
        Assert.Equal(
            ["latest=v2.0.0", "v1=v1.3.0", "v1.2=v1.2.4", "v1.3=v1.3.0", "1=v1.3.0", "v2=v2.0.0"],
            releases.Floating().Select(f => $"{f.Tag}={f.Release.Tag}"));
        Assert.Empty(new ReleaseTags(["latest", "v1", "v1.0.0-rc.1"]).Floating());
    }
}
