using FsCheck;
using FsCheck.Fluent;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Primitives;

public class RepositoryUrlTests
{
    [Theory]
    [InlineData("https://github.com/o/r", "https://github.com/o/r")]
    [InlineData("https://github.com/o/r.git", "https://github.com/o/r")]
    [InlineData("https://github.com/o/r.git/", "https://github.com/o/r")]
    [InlineData("  https://GitHub.com/O/R/ \n", "https://github.com/O/R")]
    [InlineData("http://github.com/o/r", "https://github.com/o/r")]
    [InlineData("https://user:secret@github.com/o/r.git", "https://github.com/o/r")]
    [InlineData("https://secret@github.com/o/r.git", "https://github.com/o/r")]
    [InlineData("https://x-access-token:secret@github.com/o/r", "https://github.com/o/r")]
    [InlineData("https://user:%40secret@github.com/o/r", "https://github.com/o/r")]
    [InlineData("https://gitlab.example:8443/group/sub/r.git", "https://gitlab.example:8443/group/sub/r")]
    [InlineData("https://gitlab.example:443/g/r", "https://gitlab.example/g/r")]
    [InlineData("https://github.com/o/r.git?private_token=secret#secret", "https://github.com/o/r")]
    [InlineData("git@github.com:o/r.git", "https://github.com/o/r")]
    [InlineData("git@github.com:/o/r.git", "https://github.com/o/r")]
    [InlineData("github.com:o/r", "https://github.com/o/r")]
    [InlineData("git@gitlab.example:group/sub/r.git", "https://gitlab.example/group/sub/r")]
    [InlineData("ssh://git@github.com/o/r.git", "https://github.com/o/r")]
    [InlineData("ssh://git:secret@github.com:22/o/r.git", "https://github.com/o/r")]
    [InlineData("ssh://git@gitlab.example:2222/o/r.git", "https://gitlab.example/o/r")]
    [InlineData("git+ssh://git@github.com/o/r.git", "https://github.com/o/r")]
    [InlineData("git://github.com/o/r.git", "https://github.com/o/r")]
    [InlineData("ssh://git@ssh.github.com:443/o/r.git", "https://github.com/o/r")]
    [InlineData("git@altssh.bitbucket.org:o/r.git", "https://bitbucket.org/o/r")]
    [InlineData("git@ssh.dev.azure.com:v3/org/My%20Project/repo", "https://dev.azure.com/org/My%20Project/_git/repo")]
    [InlineData("git@ssh.dev.azure.com:v9/what", null)]
    [InlineData("https://org@dev.azure.com/org/p/_git/repo", "https://dev.azure.com/org/p/_git/repo")]
    [InlineData("git@[::1]:o/r.git", "https://[::1]/o/r")]
    [InlineData("https://[::1]:5000/o/r", "https://[::1]:5000/o/r")]
    [InlineData("https://example.com/o/größe", "https://example.com/o/gr%C3%B6%C3%9Fe")]
    [InlineData("https://example.com", null)]
    [InlineData("https://example.com/", null)]
    [InlineData("https://example.com/.git", null)]
    [InlineData("/srv/git/r.git", null)]
    [InlineData("../r.git", null)]
    [InlineData(@"C:\git\r", null)]
    [InlineData("C:/git/r", null)]
    [InlineData(@"\\server\share\r", null)]
    [InlineData("file:///srv/git/r.git", null)]
    [InlineData("ftp://example.com/o/r", null)]
    [InlineData("javascript:alert(1)//o/r", "https://javascript/alert(1)//o/r")] // git reads it as host:path, and so it is harmless
    [InlineData("https://exa mple.com/o/r", null)]
    [InlineData("https://example.com/o\n/r", null)]
    [InlineData("https://user:sec@ret@example.com/o/r", null)]
    [InlineData("user@secret@host:o/r", null)]
    [InlineData("ext::sh -c secret", null)]
    [InlineData("oauth2:glpat-secret@gitlab.com/acme/x.git", null)] // https:// forgotten: git reads host oauth2
    [InlineData("glpat-secret:@gitlab.com/acme/x.git", null)]
    [InlineData("https:/u:secret@github.com/a/b", null)]
    [InlineData("https:u:secret@github.com/a/b", null)]
    [InlineData("HTTPS:/github.com/a/b", null)]
    [InlineData("ssh:/git/a/b", null)]
    [InlineData("git:o/r", null)]
    [InlineData("https://https://u:secret@github.com/a/b", null)]
    [InlineData("https://proxy.example/u:secret@github.com/a/b", null)]
    [InlineData("https://proxy.example/u:secret%40github.com/a/b", null)]
    [InlineData("https://u/sec?ret@github.com/a/b", null)]
    [InlineData("https://u/sec#ret@github.com/a/b", null)]
    [InlineData("", null)]
    [InlineData(null, null)]
    public void ToHttps(string? url, string? expected) => Assert.Equal(expected, RepositoryUrl.ToHttps(url));

    [Theory]
    [InlineData("https://u:p@host/x?y=1#z", "https://host/x?y=1")]
    [InlineData("http://host:8080/x", "http://host:8080/x")]
    [InlineData("javascript:alert(1)", null)]
    [InlineData("https://proxy.example/u:secret@github.com/a/b", null)]
    [InlineData("https://u/sec?ret@github.com/a", null)]
    [InlineData("x", null)]
    [InlineData(null, null)]
    public void WithoutCredentials(string? url, string? expected) => Assert.Equal(expected, RepositoryUrl.WithoutCredentials(url));

    [Fact]
    public void No_credential_ever_comes_out()
    {
        // '@', ':' and '/' in the wrong places, around a secret made of letters that nothing else holds.
        var piece = Gen.Elements("https://", "ssh://", "git://", "@", ":", "/", "SECRET", "user", "host.example", "o/r", ".git", "%40", "?", "#", "[", "]", " ");
        var texts = piece.ArrayOf().Select(p => string.Concat(p)).ToArbitrary();
        Prop.ForAll(texts, text =>
        {
            var at = text.LastIndexOf('@');
            var result = RepositoryUrl.ToHttps(text);
            var scheme = text.TrimStart().IndexOf("://", StringComparison.Ordinal);

            // What stands before the last '@' of the authority is a credential.
            var authority = scheme < 0 ? text : text.TrimStart()[(scheme + 3)..].Split('/', '?', '#')[0];
            var credential = authority.Contains('@', StringComparison.Ordinal) ? authority[..authority.LastIndexOf('@')] : "";
            return result is null || at < 0 || !credential.Contains("SECRET", StringComparison.Ordinal) || text.Split("SECRET").Length > 2
                || !result.Contains("secret", StringComparison.OrdinalIgnoreCase);
        }).QuickCheckThrowOnFailure();
    }

    [Fact]
    public void Credentials_planted_anywhere_never_come_out()
    {
        // Well-formed and mutilated URLs, cut in two anywhere, with credentials in the cut.
        var url = Gen.Elements(
            "https://github.com/a/b.git", "https:/github.com/a/b", "https:github.com/a/b", "github.com/a/b", "github.com:a/b", "github.com:8443/a/b", "ssh://git@github.com:22/a/b",
            "git@github.com:a/b.git", "http://[::1]:80/a/b", "https://proxy.example/https://github.com/a/b", "https://h/a?b=c/d#e/f", "v3/o/p/r", "git@ssh.dev.azure.com:v3/o/p/r", @"C:\a\b", "");
        var planted = Gen.Elements("user:SECRET@", "SECRET@", ":SECRET@", "SECRET:@", "user:SECRET%40", "user:1/SECRET@", "user:1?SECRET@", "SECRET/x@", "SECRET?x@", "SECRET#x@", "oauth2:glpat-SECRET@", "a@b:SECRET@");
        var texts = (from u in url from p in planted from at in Gen.Choose(0, u.Length) select (Plain: u, Text: u[..at] + p + u[at..])).ToArbitrary();
        Prop.ForAll(texts, t => RepositoryUrl.ToHttps(t.Text)?.Contains("secret", StringComparison.OrdinalIgnoreCase) != true
            && RepositoryUrl.ToHttps(t.Text)?.Contains('@', StringComparison.Ordinal) != true
            && (t.Text.Contains("%40", StringComparison.Ordinal) || t.Text.Contains('?', StringComparison.Ordinal) || RepositoryUrl.WithoutCredentials(t.Text)?.Contains("secret", StringComparison.OrdinalIgnoreCase) != true))
            .Check(Config.QuickThrowOnFailure.WithMaxTest(5000));
    }

    [Fact]
    public void What_comes_out_comes_out_again()
    {
        foreach (var url in (string[])["git@github.com:o/r.git", "https://u:p@h.example:8443/a/b.git", "git@ssh.dev.azure.com:v3/o/p p/r"])
        {
            var once = RepositoryUrl.ToHttps(url);
            Assert.NotNull(once);
            Assert.Equal(once, RepositoryUrl.ToHttps(once));
        }
    }
}
