using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Primitives;

/// <summary>What registries write into headers and small JSON: challenges, tokens, limits, links, addresses.</summary>
public sealed class WireTests
{
    private static readonly DateTimeOffset Now = new(2026, 11, 22, 12, 0, 0, TimeSpan.Zero);

    /// <summary>One or more headers (<c>|</c> between them), and what is read: scheme, token68, parameters.</summary>
    [Theory]
    [InlineData("""Bearer realm="https://a.example/token",service="r",scope="repository:team/app:pull,push" """, "Bearer realm:https://a.example/token service:r scope:repository:team/app:pull,push")]
    [InlineData("""bEaReR  scope="a,b" , SERVICE="r" ,realm = "x",""", "bEaReR scope:a,b SERVICE:r realm:x")]
    [InlineData("""Basic realm="one, Bearer realm=two", Bearer realm="three",service=s""", "Basic realm:one, Bearer realm=two|Bearer realm:three service:s")]
    [InlineData("""Bearer realm="a"|Basic realm="b" """, "Bearer realm:a|Basic realm:b")]
    [InlineData("Negotiate, Basic realm=x", "Negotiate|Basic realm:x")]
    [InlineData("Negotiate YII+/=, Bearer realm=x", "Negotiate YII+/=|Bearer realm:x")]
    [InlineData("NTLM TlRMTVNTUAAC==", "NTLM TlRMTVNTUAAC==")]
    [InlineData("Bearer realm=https://a.example/t?x=y,service=s", "Bearer realm:https://a.example/t?x=y service:s")]
    [InlineData("""Bearer realm="a" service="b" """, "Bearer realm:a service:b")]
    [InlineData("""Bearer a="x\"y\\z",b=c""", """Bearer a:x"y\z b:c""")]
    [InlineData("""Bearer a="no end""", "Bearer a:no end")]
    [InlineData("Bearer a=1,a=2,A=3", "Bearer a:1")]
    [InlineData("Bearer a=\"\\", "Bearer a:\\")]
    [InlineData("Bearer", "Bearer")]
    [InlineData(", ,;,", "")]
    [InlineData("", "")]
    public void Challenges(string headers, string expected)
        => Assert.Equal(expected, string.Join('|', AuthChallenge.Parse(headers.Split('|')).Select(c => string.Join(' ', [c.Scheme, .. c.Token68 is null ? Array.Empty<string>() : [c.Token68], .. c.Parameters.Select(p => $"{p.Key}:{p.Value}")]))));

    [Fact]
    public void A_challenge_of_any_text_is_read_to_its_end()
        => Prop.ForAll<NonNull<string>>(text => AuthChallenge.Parse(["Bearer " + text.Get, text.Get]) is not null).Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    /// <summary>An answer and for how many seconds its token is kept (ten are the margin); null: it has no token.</summary>
    [Theory]
    [InlineData("""{"token":"t"}""", 50)]
    [InlineData("""{"access_token":"t","expires_in":300}""", 290)]
    [InlineData("""{"token":"","access_token":"t"}""", 50)]
    [InlineData("""{"token":"t","access_token":"other","expires_in":"300"}""", 290)]
    [InlineData("""{"token":"t","expires_in":300.9}""", 290)]
    [InlineData("""{"token":"t","expires_in":null}""", 50)]
    [InlineData("""{"token":"t","expires_in":"soon"}""", 50)]
    [InlineData("""{"token":"t","expires_in":0}""", 0)]
    [InlineData("""{"token":"t","expires_in":-5}""", 0)]
    [InlineData("""{"token":"t","expires_in":9}""", 0)]
    [InlineData("""{"token":"t","expires_in":1e300}""", 43190)]
    [InlineData("""{"token":"t","expires_in":9999999999999999999}""", 43190)]
    [InlineData("""{"token":"t","expires_in":300,"issued_at":"2026-11-22T11:58:20Z"}""", 190)]
    [InlineData("""{"token":"t","expires_in":300,"issued_at":"2026-11-22T10:00:00Z"}""", 0)]
    [InlineData("""{"token":"t","expires_in":300,"issued_at":"2026-11-22T13:00:00Z"}""", 290)]
    [InlineData("""{"token":"t","expires_in":300,"issued_at":"yesterday"}""", 290)]
    [InlineData("""{"token":7}""", null)]
    [InlineData("""{"token":"a b\n"}""", null)]
    [InlineData("{}", null)]
    public void Tokens(string json, int? seconds)
    {
        var token = AccessToken.Parse(Encoding.UTF8.GetBytes(json), Now, Now);
        Assert.Equal(seconds, token is null ? null : (int)(token.Expires - Now).TotalSeconds);
        Assert.Equal(seconds is null ? null : "Bearer t", token?.Header.ToString());
    }

    [Theory]
    [InlineData("")]
    [InlineData("[]")]
    [InlineData("null")]
    [InlineData("<html>")]
    [InlineData("""{"token":"a","token":"b"}""")]
    public void No_token_answer(string json) => Assert.ThrowsAny<JsonException>(() => AccessToken.Parse(Encoding.UTF8.GetBytes(json), null, Now));

    /// <summary>Without the server's own time its idea of when the token was issued can't be compared with ours.</summary>
    [Fact]
    public void A_token_of_a_server_with_another_clock_lives_as_long()
        => Assert.Equal(Now.AddSeconds(290), AccessToken.Parse("""{"token":"t","expires_in":300,"issued_at":"2020-01-01T00:00:00Z"}"""u8.ToArray(), null, Now)!.Expires);

    /// <summary>A header, the message, and the seconds that are waited; null: it does not say.</summary>
    [Theory]
    [InlineData("Retry-After: 45", "", 45d)]
    [InlineData("Retry-After: 0", "", 1d)]
    [InlineData("Retry-After: Sun, 22 Nov 2026 12:02:00 GMT", "", 120d)]
    [InlineData("Retry-After: Sun, 22 Nov 2020 12:02:00 GMT", "", 1d)]
    [InlineData("Retry-After: soon", "", null)]
    [InlineData("X-Retry-After: 1795348830", "", 30d)]
    [InlineData("X-Retry-After: 1", "", 1d)]
    [InlineData("X-Retry-After: 99999999999999999", "", null)]
    [InlineData("Retry-After: 999999", "", 86400d)]
    [InlineData("", "retry-after: 880.092µs, allowed: 44000/minute", 1d)]
    [InlineData("", "retry-after: 880.092\u03bcs, allowed: 44000/minute", 1d)]
    [InlineData("", " TOOMANYREQUESTS 'retry-after: 2.5s, allowed: 2000/minute'", 2.5d)]
    [InlineData("", "retry-after: 1500ms", 1.5d)]
    [InlineData("", "Retry-After:1m30s", 90d)]
    [InlineData("", "retry-after: 1.2.3s", 1d)]
    [InlineData("", "retry-after: tomorrow", null)]
    [InlineData("Retry-After: 7", "retry-after: 3s", 7d)]
    [InlineData("", "", null)]
    public void Waits(string header, string message, double? seconds)
    {
        using var answer = new HttpResponseMessage();
        if (header.Length > 0)
        {
            answer.Headers.TryAddWithoutValidation(header[..header.IndexOf(':')], header[(header.IndexOf(':') + 2)..]);
        }

        Assert.Equal(seconds, Throttling.RetryAfter(answer.Headers, message, Now)?.TotalSeconds);
    }

    [Theory]
    [InlineData(429, "", true)]
    [InlineData(403, " DENIED 'You have exceeded a secondary rate limit. Please wait'", true)]
    [InlineData(403, " DENIED 'no'", false)]
    [InlineData(503, "", false)]
    public void What_is_a_limit(int status, string words, bool limit) => Assert.Equal(limit, Throttling.Is(status, words));

    [Theory]
    [InlineData(1, "1 second")]
    [InlineData(45.2, "46 seconds")]
    [InlineData(130, "3 minutes")]
    [InlineData(21600, "6 hours")]
    public void Waits_in_words(double seconds, string words) => Assert.Equal(words, Throttling.InWords(TimeSpan.FromSeconds(seconds)));

    [Theory]
    [InlineData("""</v2/a/tags/list?n=2&last=b>; rel="next" """, "/v2/a/tags/list?n=2&last=b")]
    [InlineData("<https://r.example/v2/a/tags/list?last=b>;rel=next", "https://r.example/v2/a/tags/list?last=b")]
    [InlineData("""</first>; rel="first", </a,b;c>; title="x"; REL="prev NEXT" """, "/a,b;c")]
    [InlineData("</first>; rel=first|</second>; rel=next", "/second")]
    [InlineData("</prev>; rel=prev", null)]
    [InlineData("</no-end; rel=next", null)]
    [InlineData("rel=next", null)]
    [InlineData("", null)]
    public void Links(string headers, string? next) => Assert.Equal(next, WebLink.Next(headers.Split('|'))?.OriginalString);

    /// <summary>Where a registry may lead; its credentials stay behind in each case.</summary>
    [Theory]
    [InlineData("https://r.example", "https://cdn.example/x", true)]
    [InlineData("https://r.example", "https://r.example:9000/x", true)]
    [InlineData("https://r.example", "http://r.example/x", false)]
    [InlineData("https://r.example", "http://cdn.example/x", false)]
    [InlineData("https://r.example", "https://10.0.0.1/x", false)]
    [InlineData("https://r.example", "https://127.0.0.1/x", false)]
    [InlineData("https://r.example", "https://localhost/x", false)]
    [InlineData("https://r.example", "https://[::ffff:192.168.0.1]/x", false)]
    [InlineData("https://r.example", "https://169.254.169.254/x", false)]
    [InlineData("https://192.168.1.10", "https://192.168.1.20:9000/x", true)]
    [InlineData("https://192.168.1.10", "https://10.1.1.1/x", true)]
    [InlineData("https://192.168.1.10", "https://cdn.example/x", true)]
    [InlineData("https://192.168.1.10", "http://192.168.1.20:9000/x", false)]
    [InlineData("http://192.168.1.10", "http://192.168.1.20:9000/x", true)]
    [InlineData("http://192.168.1.10", "http://cdn.example/x", false)]
    [InlineData("https://192.168.1.10", "https://169.254.169.254/latest", false)]
    [InlineData("https://[fd00::1]", "https://[fd00:ec2::254]/latest", false)]
    [InlineData("https://192.168.1.10", "https://[fe80::1]/x", false)]
    [InlineData("https://192.168.1.10", "https://127.0.0.1/x", false)]
    [InlineData("http://127.0.0.1:5000", "http://localhost:5001/x", true)]
    [InlineData("http://127.0.0.1:5000", "https://cdn.example/x", true)]
    [InlineData("http://127.0.0.1:5000", "http://cdn.example/x", false)]
    [InlineData("http://127.0.0.1:5000", "http://169.254.169.254/latest", false)]
    public void Redirects(string registry, string address, bool allowed)
    {
        Assert.True(RegistryHost.TryParse("mirrored.example", out var host));
        Assert.Equal(allowed, RegistryClient.MayLeadTo(new(host, new(registry), IsMapped: true), new(address)));
    }

    [Theory]
    [InlineData("""{"errors":[{"code":"DENIED","message":"no"}]}""", " DENIED 'no'")]
    [InlineData("""{"errors":[{"code":"DENIED"}]}""", " DENIED")]
    [InlineData("""{"error":"invalid_grant","error_description":"gone"}""", " invalid_grant 'gone'")]
    [InlineData("""{"details":"incorrect username or password"}""", " 'incorrect username or password'")]
    [InlineData("""{"errors":["x"]}""", "")]
    [InlineData("[]", "")]
    [InlineData("<html>", "")]
    [InlineData("", "")]
    public void Error_words(string json, string words) => Assert.Equal(words, ErrorWords.Of(Encoding.UTF8.GetBytes(json), new()));
}
