using System.Text;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Reporting;
using Xunit;

namespace Registry.Sdk.Core.Tests.Primitives;

/// <summary>The one place that keeps secrets, and commands of CI services, out of what is printed.</summary>
public class RedactorTests
{
    private const string Secret = "glpat-Zx81+/ü7Qw";

    private static readonly string Basic = Convert.ToBase64String(Encoding.UTF8.GetBytes("me:" + Secret));

    [Theory]
    [InlineData("glpat-Zx81+/ü7Qw")]
    [InlineData("bad: GLPAT-ZX81+/Ü7QW!")]
    // A piece of eight; one that invisible characters cut.
    [InlineData("lpat-Zx8")]
    [InlineData("gl\u200bpat-Z\u200bx81")]
    [InlineData("glpat-Zx81%2B%2F%C3%BC7Qw")]
    [InlineData("/a/%67%6C%70at-Zx81")]
    [InlineData("Basic")]
    // A weak one, where it is a word.
    [InlineData("wrong: 'token'")]
    public void Words_that_repeat_a_secret_are_not_shown(string words)
        => Assert.Equal("(its words repeat the secret, and are not shown)", Redactor().Words(words == "Basic" ? "Authorization: Basic " + Basic : words));

    [Fact]
    public void A_proxy_that_refuses_is_not_named_with_the_password_that_the_environment_gives_it()
    {
        // As .NET says it.
        var refused = new HttpRequestException(HttpRequestError.ProxyTunnelError, "The proxy tunnel request to proxy 'http://me:hunter2@proxy.example:3128/' failed with status code '407'.\"", null, System.Net.HttpStatusCode.ProxyAuthenticationRequired);
        Assert.True(RegistryHost.TryParse("ghcr.io", out var host));
        foreach (var e in new Exception[] { refused, new HttpRequestException("outer", refused) })
        {
            var said = RegistryClient.Explain(e, new());
            Assert.Equal("the proxy (HTTPS_PROXY) does not let it through (407).", said);
            Assert.DoesNotContain("hunter2", new Redactor().Fail(RegistryFailure.Unreachable, host, said, e).ToString());
        }
    }

    [Theory]
    [InlineData("the password is wrong", "the password is wrong")]
    [InlineData("lpat-Zx", "lpat-Zx")]
    [InlineData("https://tokens.example", "https://tokens.example")]
    public void Other_words_are(string words, string shown) => Assert.Equal(shown, Redactor().Words(words));

    [Theory]
    [InlineData("a glpat-Zx81+/ü7Qw b", "a *** b")]
    [InlineData("glpat-Zx81+/ü7Qw and Glpat-Zx81+/ü", "*** and ***")]
    // Nine characters are as many as «registry» and a blank.
    [InlineData("glpat-Zx8", "glpat-Zx8")]
    [InlineData("plain", "plain")]
    // Short, but whole.
    [InlineData("the word hunter42 alone", "the word *** alone")]
    // The repository's name is no secret, whatever the secret is made of.
    [InlineData("ghcr.io/some-team/some-app and some-team/some-app2026", "ghcr.io/some-team/some-app and ***")]
    public void A_finished_text_loses_the_secret_alone(string text, string told) => Assert.Equal(told, Redactor().Finish(text));

    [Fact]
    public void What_a_failure_was_caused_by_repeats_nothing_either()
    {
        Assert.True(RegistryHost.TryParse("ghcr.io", out var host));

        var bad = Redactor().Fail(RegistryFailure.Rejected, host, $"no {Secret}", new IOException($"read {Secret}"));
        var good = Redactor().Fail(RegistryFailure.Rejected, host, "no", new IOException("read"));

        Assert.Equal(("no ***", null), (bad.Message, bad.InnerException));
        Assert.Equal(("no", "read"), (good.Message, good.InnerException?.Message));
    }

    [Fact]
    public void Short_tokens_guard_nothing()
    {
        var redactor = new Redactor();
        redactor.LearnToken("token");
        Assert.Equal("a token", redactor.Words("a token"));
        redactor.LearnToken("token-of-some-length");
        Assert.Equal("a ***", redactor.Finish("a token-of-some-length"));
    }

    [Theory]
    [InlineData("x ##vso[task.setvariable variable=PATH]/evil", "x # #vso[task.setvariable variable=PATH]/evil")]
    [InlineData("##[error]x", "# #[error]x")]
    [InlineData("###vso[a]####[b]", "# # #vso[a]# # # #[b]")]
    [InlineData("#\u200b#teamcity[a]", "# #teamcity[a]")]
    [InlineData("::set-output name=a::b", ": :set-output name=a::b")]
    [InlineData("\r\n \t::error::b", "   : :error::b")]
    [InlineData("a ::b sha256:00", "a ::b sha256:00")]
    public void Commands_of_CI_services_are_broken(string text, string plain)
    {
        Assert.Equal(plain, PlainText.Of(text));
        Assert.Equal(plain, PlainText.Of(plain));
    }

    /// <summary>Markdown is no log.</summary>
    [Fact]
    public void A_summary_keeps_what_it_escapes() => Assert.Equal("\\#\\# a ::b", GitHubReport.Escape("## a ::b"));

    private static Redactor Redactor()
    {
        var redactor = new Redactor();
        Assert.True(RegistryHost.TryParse("ghcr.io", out var host));
        redactor.Learn(new("me", new(Secret), "the test"), new(host, "some-team/some-app"));
        redactor.Learn(new("me", new("hunter42"), "the test"), new(host, "some-team/some-app"));
        redactor.Learn(new("me", new("some-team/some-app2026"), "the test"), new(host, "some-team/some-app"));
        redactor.Learn(new("me", new("token"), "the test"), new(host, "some-team/some-app"));
        return redactor;
    }
}
