using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Primitives;

/// <summary>What a registry says becomes part of a log line.</summary>
public sealed class RegistryTextTests
{
    [Theory]
    [InlineData(" plain. ", "plain")]
    [InlineData("a\n::error::b\u2028c\td", "a ::error::b c d")]
    // Marks that turn the direction of text, and ones nobody sees.
    [InlineData("v1\u202e2.0\u200b", "v12.0")]
    public void It_is_one_plain_line(string said, string shown) => Assert.Equal(shown, RegistryClient.Clean(said));

    [Fact]
    public void It_is_bounded_and_no_character_is_cut_in_two()
    {
        Assert.Equal(new string('x', 200) + "…", RegistryClient.Clean(new string('x', 300)));
        Assert.Equal(new string('x', 199) + "…", RegistryClient.Clean(new string('x', 199) + "😀😀"));
    }
}
