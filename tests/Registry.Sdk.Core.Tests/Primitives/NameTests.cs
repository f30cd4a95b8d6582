using FsCheck;
using FsCheck.Fluent;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Primitives;

/// <summary>Digests, hosts, repository names and tags: what is taken, and above all what is not.</summary>
public class NameTests
{
    private const string Hex = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855";

    [Fact]
    public async Task A_digest_is_of_bytes_and_prints_in_full()
    {
        Assert.Equal("sha256:" + Hex, Digest.Of([]).ToString());
        Assert.Equal(Digest.Of([]), Digest.Parse("sha256:" + Hex));
        Assert.Equal(Digest.Of([1, 2]), await Digest.OfAsync(new MemoryStream([1, 2]), CancellationToken.None));
        Assert.Equal(Digest.Of([]), Digest.FromHash(Convert.FromHexString(Hex)));
        Assert.Throws<ArgumentException>(() => Digest.FromHash([1]));
    }

    [Theory]
    [InlineData(null)]
    [InlineData("")]
    [InlineData(Hex)]
    [InlineData("sha512:" + Hex)]
    [InlineData("SHA256:" + Hex)]
    [InlineData("sha256:E3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855")]
    [InlineData("sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b85")]
    [InlineData("sha256:" + Hex + "\n")]
    [InlineData("sha256:../../../../../../../../../../../../../../../../../../../etc/passwd")]
    public void No_digest(string? text)
    {
        Assert.False(Digest.TryParse(text, out var digest));
        Assert.Null(digest);
        Assert.Throws<FormatException>(() => Digest.Parse(text!));
    }

    [Theory]
    [InlineData("ghcr.io", "ghcr.io", false)]
    [InlineData("GHCR.io", "ghcr.io", false)]
    [InlineData("ghcr.io:443", "ghcr.io", false)]
    [InlineData("registry.example:5000", "registry.example:5000", false)]
    [InlineData("docker.io", "docker.io", false)]
    [InlineData("index.docker.io", "docker.io", false)]
    [InlineData("registry-1.docker.io:443", "docker.io", false)]
    [InlineData("registry.hub.docker.com", "docker.io", false)]
    [InlineData("xn--bcher-kva.example", "xn--bcher-kva.example", false)]
    [InlineData("10.0.0.1:5000", "10.0.0.1:5000", false)]
    [InlineData("0.0.0.0", "0.0.0.0", false)]
    [InlineData("localhost", "localhost", true)]
    [InlineData("LOCALHOST:5000", "localhost:5000", true)]
    [InlineData("localhost:443", "localhost:443", true)]
    [InlineData("localhost:80", "localhost:80", true)]
    [InlineData("127.0.0.1:5000", "127.0.0.1:5000", true)]
    [InlineData("127.8.9.10", "127.8.9.10", true)]
    [InlineData("[::1]:5000", "[::1]:5000", true)]
    [InlineData("localhost.example", "localhost.example", false)]
    [InlineData("foo.localhost", "foo.localhost", false)]
    [InlineData("a:1", "a:1", false)]
    [InlineData("a:65535", "a:65535", false)]
    public void A_host(string text, string name, bool loopback)
    {
        Assert.True(RegistryHost.TryParse(text, out var host));
        Assert.Equal((name, loopback), (host.Name, host.IsLoopback));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" ghcr.io")]
    [InlineData("ghcr.io.")]
    [InlineData(".ghcr.io")]
    [InlineData("ghcr.io/")]
    [InlineData("https://ghcr.io")]
    [InlineData("user@ghcr.io")]
    [InlineData("user:secret@ghcr.io")]
    [InlineData("ghcr.iо")] // a Cyrillic o
    [InlineData("ghcr。io")] // an ideographic full stop
    [InlineData("１２７.0.0.1")]
    [InlineData("0x7f.1")]
    [InlineData("0x7f000001")]
    [InlineData("2130706433")]
    [InlineData("127.1")]
    [InlineData("0177.0.0.1")]
    [InlineData("127.0.0.01")]
    [InlineData("[0:0:0:0:0:0:0:1]:5000")]
    [InlineData("[::1")]
    [InlineData("::1")]
    [InlineData("ghcr.io:")]
    [InlineData("ghcr.io:0")]
    [InlineData("ghcr.io:65536")]
    [InlineData("ghcr.io:-1")]
    [InlineData("ghcr.io:0443")]
    [InlineData("ghcr.io:5000:5000")]
    [InlineData("-ghcr.io")]
    [InlineData("ghcr.io\n")]
    [InlineData("ghcr.io%00")]
    [InlineData("a b")]
    public void No_host(string text) => Assert.False(RegistryHost.TryParse(text, out _), text);

    [Theory]
    [InlineData("a")]
    [InlineData("team/api")]
    [InlineData("a.b_c__d-e---f/g")]
    [InlineData("0/1/2")]
    public void A_repository_name(string name) => Assert.True(RepositoryReference.IsLegalName(name));

    [Theory]
    [InlineData("")]
    [InlineData("Team")]
    [InlineData("a//b")]
    [InlineData("/a")]
    [InlineData("a/")]
    [InlineData("a..b")]
    [InlineData("a___b")]
    [InlineData("_a")]
    [InlineData("a-")]
    [InlineData("a/../b")]
    [InlineData("a%2fb")]
    [InlineData("a?b")]
    [InlineData("a\n")]
    [InlineData("é")]
    public void No_repository_name(string name) => Assert.False(RepositoryReference.IsLegalName(name));

    /// <summary>Names made by the specification's grammar are names; any other character anywhere makes them none.</summary>
    [Fact]
    public void Every_name_of_the_grammar_and_none_with_a_foreign_character()
    {
        var word = Gen.Elements("a", "0", "z9", "abc").NonEmptyListOf().Select(p => string.Concat(p));
        var part = from first in word
                   from rest in (from separator in Gen.Elements(".", "_", "__", "-", "--", "----") from next in word select separator + next).ListOf()
                   select first + string.Concat(rest.Take(4));
        var names = part.NonEmptyListOf().Select(p => string.Join('/', p.Take(4))).Where(n => n.Length <= 255).ToArbitrary();
        var foreign = ArbMap.Default.GeneratorFor<char>().Where(c => !(c is >= 'a' and <= 'z' or >= '0' and <= '9' or '.' or '_' or '-' or '/')).ToArbitrary();
        Prop.ForAll(names, foreign, (name, c) => RepositoryReference.IsLegalName(name) && !RepositoryReference.IsLegalName(name.Insert(name.Length / 2, c.ToString()))).Check(Config.QuickThrowOnFailure.WithMaxTest(500));
    }

    [Fact]
    public void A_tag_is_1_to_128_characters_of_its_alphabet_and_begins_with_no_dot_or_hyphen()
    {
        const string Alphabet = "abcXYZ019_.-";
        var tags = Gen.Elements(Alphabet.ToCharArray()).NonEmptyListOf().Select(c => string.Concat(c)).ToArbitrary();
        Prop.ForAll(tags, tag => RepositoryReference.IsLegalTag(tag) == (tag.Length <= 128 && tag[0] is not ('.' or '-'))).Check(Config.QuickThrowOnFailure.WithMaxTest(500));
        Assert.True(RepositoryReference.IsLegalTag(new string('a', 128)));
        Assert.False(RepositoryReference.IsLegalTag(new string('a', 129)));
        Assert.All(new[] { "", "a+b", "a b", "a/b", "a:b", "é", "a\n", "a\0" }, t => Assert.False(RepositoryReference.IsLegalTag(t)));
    }

    [Fact]
    public void A_name_has_at_most_255_characters()
    {
        Assert.True(RepositoryReference.IsLegalName(new string('a', 255)));
        Assert.False(RepositoryReference.IsLegalName(new string('a', 256)));
    }

    [Theory]
    [InlineData("linux-x64", "linux/amd64")]
    [InlineData("linux-musl-arm64", "linux/arm64")]
    [InlineData("alpine.3.20-x64", "linux/amd64")]
    [InlineData("linux-arm", "linux/arm/v7")]
    [InlineData("win-x64", null)]
    [InlineData("WIN-arm64", null)]
    [InlineData("osx-arm64", null)]
    [InlineData("linux", null)]
    [InlineData("", null)]
    public void A_platform_of_a_rid(string rid, string? platform) => Assert.Equal(platform, Platform.FromRuntimeIdentifier(rid)?.ToString());

    [Fact]
    public void Build_kinds_are_words()
    {
        Assert.True(BuildKindNames.TryParse(" Release; pr,branch;;", out var kinds, out _));
        Assert.Equal(BuildKinds.Release | BuildKinds.PullRequest | BuildKinds.Branch, kinds);
        Assert.False(BuildKindNames.TryParse("release;nightly", out _, out var unknown));
        Assert.Equal("nightly", unknown);
        Assert.Equal(["none", "release", "prerelease", "branch", "pr"], Enum.GetValues<BuildKinds>().Select(BuildKindNames.ToWord));
    }
}
