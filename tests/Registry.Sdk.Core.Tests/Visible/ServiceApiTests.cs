using System.Net;
using System.Text;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Registry.Tests;
using Xunit;

namespace Registry.Sdk.Core.Tests.Visible;

/// <summary>What the two services' APIs say, read by our clients over a handler that answers as it is told.</summary>
public sealed class ServiceApiTests : IDisposable
{
    private readonly Answerer answerer = new();
    private readonly HttpMessageInvoker http;
    private readonly List<string> trace = [];
    private Credential? credential = new("alice", new("secret-1234567890"), "environment variable CR_PAT");

    public ServiceApiTests() => http = new(answerer);

    public void Dispose() => http.Dispose();

    /// <summary>Status, type, body, headers; and what is read of a package.</summary>
    [Theory]
    [InlineData(200, "application/json", """{"name":"a/b","visibility":"private","repository":{"full_name":"acme/src"}}""", "", ApiVerdict.Found, "private acme/src")]
    [InlineData(200, "application/json", """{"name":"a/b","visibility":"internal","repository":null}""", "", ApiVerdict.Found, "internal ")]
    [InlineData(200, "application/json", """{"name":"A/B","visibility":"public"}""", "", ApiVerdict.Found, "public ")]
    [InlineData(200, "application/json", """{"name":"a/b","visibility":"private","owner":{"login":"ACME","type":"Organization"}}""", "", ApiVerdict.Found, "private ")]
    [InlineData(200, "application/json", """{"name":"a/b","visibility":"private","owner":{"login":"evil","type":"Organization"}}""", "", ApiVerdict.NoAnswer, "something else than was asked for")]
    [InlineData(200, "application/json", """{"name":"other","visibility":"private"}""", "", ApiVerdict.NoAnswer, "something else than was asked for")]
    [InlineData(200, "application/json", """{"name":"a/b","visibility":"secret"}""", "", ApiVerdict.NoAnswer, "something else than was asked for")]
    [InlineData(200, "application/json", """{"name":"a/b"}""", "", ApiVerdict.NoAnswer, "something else than was asked for")]
    [InlineData(200, "application/json", """[{"name":"a/b","visibility":"private"}]""", "", ApiVerdict.NoAnswer, "something else than a JSON object")]
    [InlineData(200, "application/json", """{"name":"a/b","visibility":"private","visibility":"public"}""", "", ApiVerdict.NoAnswer, "something else than JSON")]
    [InlineData(200, "application/json", "{", "", ApiVerdict.NoAnswer, "something else than JSON")]
    [InlineData(200, "application/json", "", "", ApiVerdict.NoAnswer, "an empty body")]
    [InlineData(200, "text/html", "<p>Sign in</p>", "", ApiVerdict.NoAnswer, "a web page (HTML)")]
    [InlineData(404, "text/html", "<p>Not found</p>", "", ApiVerdict.NoAnswer, "404 and a web page (HTML)")]
    [InlineData(404, "text/plain", "404 page not found", "", ApiVerdict.NoAnswer, "404 and something else than JSON")]
    [InlineData(404, "application/json", """{"message":"Package not found."}""", "", ApiVerdict.NotFound, "does not show it to the token from environment variable CR_PAT (404)")]
    [InlineData(401, "application/json", """{"message":"Bad credentials"}""", "", ApiVerdict.Refused, "(401 'Bad credentials'): it has expired, was revoked, or is none")]
    [InlineData(403, "application/json", """{"message":"You need at least read:packages scope"}""", "X-OAuth-Scopes: repo, gist", ApiVerdict.Refused, ": the token has no read:packages")]
    [InlineData(403, "application/json", """{"message":"SSO"}""", "X-OAuth-Scopes: write:packages, repo", ApiVerdict.Refused, "(403 'SSO')")]
    [InlineData(403, "application/json", """{"message":"Resource not accessible by integration"}""", "", ApiVerdict.Refused, "the job needs 'permissions: packages: read'")]
    [InlineData(403, "application/json", """{"message":"API rate limit exceeded"}""", "X-RateLimit-Remaining: 0|X-RateLimit-Reset: 1795348890", ApiVerdict.NoAnswer, "asks to wait 90 seconds")]
    [InlineData(403, "application/json", """{"message":"slow"}""", "Retry-After: 60", ApiVerdict.NoAnswer, "asks to wait 60 seconds")]
    [InlineData(403, "application/json", """{"message":"You have exceeded a secondary rate limit."}""", "", ApiVerdict.NoAnswer, "it limits how often it is asked")]
    [InlineData(429, "application/json", """{"message":"no"}""", "Retry-After: 600", ApiVerdict.NoAnswer, "asks to wait 10 minutes")]
    [InlineData(400, "application/json", """{"message":"Invalid argument."}""", "", ApiVerdict.NoAnswer, "400 'Invalid argument'")]
    [InlineData(500, "application/json", """{"message":"oops"}""", "", ApiVerdict.NoAnswer, "500 'oops'")]
    [InlineData(503, "", "", "", ApiVerdict.NoAnswer, "503 and an empty body")]
    [InlineData(204, "", "", "", ApiVerdict.NoAnswer, "204 and an empty body")]
    [InlineData(302, "", "", "Location: https://evil.example/x", ApiVerdict.NoAnswer, "a redirect that is not followed")]
    [InlineData(302, "", "", "Location: http://api.example/x", ApiVerdict.NoAnswer, "a redirect that is not followed")]
    public async Task A_package(int status, string type, string body, string headers, ApiVerdict verdict, string says)
    {
        answerer.Answer = _ => Answerer.With(status, type, body, headers);
        var reading = await GitHub().FindPackageAsync(new("acme", IsOrganization: true), "a/b", CancellationToken.None);
        Assert.Equal(verdict, reading.Verdict);
        Assert.Contains(says, verdict == ApiVerdict.Found ? $"{reading.Value!.Visibility} {reading.Value.Repository}" : reading.Why);
        Assert.Equal("GET https://api.example/api/v3/orgs/acme/packages/container/a%2Fb", reading.Evidence!.Request);
        Assert.Equal(Answerer.Now, reading.Evidence.At);
        Assert.DoesNotContain("secret-1234567890", $"{reading} {string.Join(' ', trace)}");
        Assert.Equal(verdict == ApiVerdict.Found, reading.Value is not null);
        // A redirect elsewhere is not followed, with or without the secret.
        Assert.All(answerer.Requests, r => Assert.Equal("api.example", r.Host));
    }

    [Fact]
    public async Task What_is_sent_to_GitHub()
    {
        answerer.Answer = _ => Answerer.With(200, "application/json", """{"login":"alice","type":"User"}""");
        var reading = await GitHub().FindOwnerAsync("alice", CancellationToken.None);
        Assert.Equal(new GitHubOwner("alice", IsOrganization: false), reading.Value);
        var request = Assert.Single(answerer.Requests);
        Assert.Equal("GET https://api.example/api/v3/users/alice", $"{request.Method} {request.Address}");
        Assert.Equal(["application/vnd.github+json", "Bearer secret-1234567890", "registry-sdk/1.0", "2022-11-28"], request.Headers);

        answerer.Answer = _ => Answerer.With(404, "application/json", """{"message":"Not Found"}""");
        var evidence = await GitHub().TryMakePublicAsync(new("alice", IsOrganization: false), "app", CancellationToken.None);
        Assert.Equal(("PATCH https://api.example/api/v3/users/alice/packages/container/app", "404 'Not Found'"), (evidence.Request, evidence.Answer));
        Assert.Equal("""{"visibility":"public"}""", answerer.Requests[^1].Body);
    }

    [Fact]
    public async Task A_bad_secret_does_not_hide_who_the_owner_is_and_the_owner_is_asked_for_once()
    {
        answerer.Answer = r => r.Headers.Authorization is null ? Answerer.With(200, "application/json", """{"login":"Acme","type":"Organization"}""") : Answerer.With(401, "application/json", """{"message":"Bad credentials"}""");
        var owners = Owners();
        var found = await Task.WhenAll(Enumerable.Range(0, 10).Select(_ => GitHub(owners).FindOwnerAsync("acme", CancellationToken.None)));
        Assert.All(found, f => Assert.Equal(new("Acme", IsOrganization: true), f.Value));
        Assert.Equal(2, answerer.Requests.Count);
        Assert.EndsWith(" (anonymous)", found[0].Evidence!.Request);
    }

    [Fact]
    public async Task An_owner_that_was_not_answered_for_is_asked_for_again()
    {
        var owners = Owners();
        answerer.Answer = _ => Answerer.With(502, "", "");
        Assert.Equal(ApiVerdict.NoAnswer, (await GitHub(owners).FindOwnerAsync("acme", CancellationToken.None)).Verdict);
        answerer.Answer = _ => Answerer.With(200, "application/json", """{"login":"acme","type":"Bot"}""");
        Assert.Equal(ApiVerdict.NoAnswer, (await GitHub(owners).FindOwnerAsync("acme", CancellationToken.None)).Verdict);
        // HOST of a registry containers.HOST need not be GitHub's.
        answerer.Answer = _ => Answerer.With(404, "application/json", """{"message":"Not Found"}""");
        Assert.Equal((ApiVerdict.NoAnswer, "GitHub's API answers 404, but not as GitHub does"), (await GitHub(owners).FindOwnerAsync("acme", CancellationToken.None)) is var foreign ? (foreign.Verdict, foreign.Why) : default);
        answerer.Answer = _ => Answerer.With(404, "application/json", """{"message":"Not Found","documentation_url":"https://docs.github.com/rest","status":"404"}""");
        Assert.Equal(ApiVerdict.NotFound, (await GitHub(owners).FindOwnerAsync("acme", CancellationToken.None)).Verdict);
    }

    [Fact]
    public async Task One_who_gives_up_does_not_end_the_question_of_the_others()
    {
        using var impatient = new CancellationTokenSource();
        var owners = Owners();
        answerer.Wait = true;
        var first = GitHub(owners).FindOwnerAsync("acme", impatient.Token);
        var second = GitHub(owners).FindOwnerAsync("acme", CancellationToken.None);
        answerer.Wait = false;
        answerer.Answer = _ => Answerer.With(200, "application/json", """{"login":"acme","type":"User"}""");
        await impatient.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        Assert.Equal(ApiVerdict.Found, (await second).Verdict);
    }

    [Fact]
    public async Task A_repository_that_was_renamed_is_followed_within_the_API()
    {
        answerer.Answer = r => r.RequestUri!.AbsolutePath.EndsWith("/old", StringComparison.Ordinal)
            ? Answerer.With(301, "application/json", "{}", "Location: https://api.example/api/v3/repositories/7")
            : Answerer.With(200, "application/json", """{"full_name":"acme/new","private":true}""");
        Assert.Equal(new GitHubRepository("acme/new", "private"), (await GitHub().FindRepositoryAsync("acme/old", CancellationToken.None)).Value);
        answerer.Answer = _ => Answerer.With(301, "application/json", "{}", "Location: https://api.example/again");
        Assert.Equal(ApiVerdict.NoAnswer, (await GitHub().FindRepositoryAsync("acme/old", CancellationToken.None)).Verdict);
    }

    [Fact]
    public async Task A_fine_grained_token_is_not_even_shown_and_no_credential_asks_nothing()
    {
        credential = new("alice", new("github_pat_11AAAA"), "environment variable CR_PAT");
        var reading = await GitHub().FindPackageAsync(new("acme", IsOrganization: true), "app", CancellationToken.None);
        Assert.Equal(ApiVerdict.Refused, reading.Verdict);
        Assert.Contains("fine-grained personal access token", reading.Why);
        credential = null;
        Assert.Equal((ApiVerdict.NotAsked, (Evidence?)null), ((await GitHub().FindPackageAsync(new("acme", IsOrganization: true), "app", CancellationToken.None)) is var none ? (none.Verdict, none.Evidence) : default));
        credential = new("alice", new("two\nlines"), "environment variable CR_PAT");
        Assert.Equal(ApiVerdict.NotAsked, (await GitHub().FindPackageAsync(new("acme", IsOrganization: true), "app", CancellationToken.None)).Verdict);
        Assert.Empty(answerer.Requests);
    }

    [Fact]
    public async Task To_a_plain_http_address_no_secret_goes()
    {
        answerer.Answer = _ => Answerer.With(200, "application/json", """{"login":"acme","type":"User"}""");
        await GitHub(address: "http://api.example").FindOwnerAsync("acme", CancellationToken.None);
        Assert.Equal(ApiVerdict.NotAsked, (await GitHub(address: "http://api.example").FindPackageAsync(new("acme", IsOrganization: true), "app", CancellationToken.None)).Verdict);
        Assert.Equal(ApiVerdict.NotAsked, (await DockerHub(address: "http://api.example").CreateAsync("acme/app", isPrivate: true, CancellationToken.None)).Verdict);
        Assert.All(answerer.Requests, r => Assert.DoesNotContain("secret-1234567890", string.Join(' ', r.Headers) + r.Body));
    }

    [Theory]
    [InlineData(200, """{"namespace":"acme","name":"app","is_private":true}""", ApiVerdict.Found, "True")]
    [InlineData(200, """{"namespace":"acme","name":"app","is_private":false}""", ApiVerdict.Found, "False")]
    [InlineData(200, """{"namespace":"acme","name":"other","is_private":true}""", ApiVerdict.NoAnswer, "something else than was asked for")]
    [InlineData(200, """{"namespace":"acme","name":"app","is_private":"true"}""", ApiVerdict.NoAnswer, "something else than was asked for")]
    [InlineData(200, """{"namespace":"acme","name":"app"}""", ApiVerdict.NoAnswer, "something else than was asked for")]
    [InlineData(404, """{"message":"object not found"}""", ApiVerdict.NotFound, "does not show it to this account")]
    [InlineData(403, """{"message":"access denied"}""", ApiVerdict.Refused, "403 'access denied'")]
    [InlineData(429, """{"message":"no"}""", ApiVerdict.NoAnswer, "it limits how often it is asked, and asks to wait 90 seconds")]
    [InlineData(500, "{}", ApiVerdict.NoAnswer, "answers 500")]
    public async Task A_repository_of_Docker_Hub(int status, string body, ApiVerdict verdict, string says)
    {
        answerer.Answer = r => r.RequestUri!.AbsolutePath == "/v2/auth/token" ? Answerer.With(200, "application/json", """{"access_token":"jwt-1234567890"}""") : Answerer.With(status, "application/json", body, "X-Retry-After: 1795348890");
        var reading = await DockerHub().FindAsync("acme/app", CancellationToken.None);
        Assert.Equal(verdict, reading.Verdict);
        Assert.Contains(says, verdict == ApiVerdict.Found ? reading.Value!.IsPrivate.ToString() : reading.Why);
        Assert.Equal("GET https://api.example/v2/namespaces/acme/repositories/app", reading.Evidence!.Request);
        Assert.Equal("""{"identifier":"alice","secret":"secret-1234567890"}""", answerer.Requests[0].Body);
        Assert.Contains("Bearer jwt-1234567890", answerer.Requests[1].Headers);
        Assert.DoesNotContain("1234567890", $"{reading} {string.Join(' ', trace)}");
    }

    [Theory]
    [InlineData(401, """{"message":"Incorrect authentication credentials"}""", ApiVerdict.Refused, "refuses the login of 'alice'")]
    [InlineData(500, "{}", ApiVerdict.NoAnswer, "500")]
    [InlineData(200, "{}", ApiVerdict.NoAnswer, "login")]
    [InlineData(200, """{"access_token":"a b"}""", ApiVerdict.NoAnswer, "login")]
    public async Task A_login_that_fails_hides_no_public_repository_and_explains_any_other(int status, string body, ApiVerdict verdict, string says)
    {
        var isPublic = true;
        answerer.Answer = r => r.RequestUri!.AbsolutePath == "/v2/auth/token" ? Answerer.With(status, "application/json", body)
            : isPublic ? Answerer.With(200, "application/json", """{"namespace":"acme","name":"app","is_private":false}""") : Answerer.With(404, "application/json", "{}");
        Assert.Equal(ApiVerdict.Found, (await DockerHub().FindAsync("acme/app", CancellationToken.None)).Verdict);
        isPublic = false;
        var hidden = await DockerHub().FindAsync("acme/app", CancellationToken.None);
        Assert.Equal(verdict, hidden.Verdict);
        Assert.Contains(says, hidden.Why);
        var asked = answerer.Requests.Count;
        Assert.Equal(verdict, (await DockerHub().CreateAsync("acme/app", isPrivate: true, CancellationToken.None)).Verdict);
        Assert.Equal(asked + 1, answerer.Requests.Count); // the login alone
    }

    /// <summary>Else a plan promises to create it private, which then can't be done.</summary>
    [Theory]
    [InlineData(CredentialKind.IdentityToken, "environment variable CR_PAT holds no password or access token, which Docker Hub's API wants")]
    [InlineData(null, "there is no credential to ask Docker Hub's API with")]
    public async Task Who_can_not_log_in_does_not_know_that_a_repository_is_missing(CredentialKind? kind, string why)
    {
        credential = kind is { } k ? credential! with { Kind = k } : null;
        answerer.Answer = _ => Answerer.With(404, "application/json", "{}");
        var reading = await DockerHub().FindAsync("acme/app", CancellationToken.None);
        Assert.Equal((ApiVerdict.NotAsked, why, "GET https://api.example/v2/namespaces/acme/repositories/app (anonymous)"), (reading.Verdict, reading.Why, reading.Evidence!.Request));
        answerer.Answer = _ => Answerer.With(200, "application/json", """{"namespace":"acme","name":"app","is_private":false}""");
        Assert.Equal(ApiVerdict.Found, (await DockerHub().FindAsync("acme/app", CancellationToken.None)).Verdict);
        Assert.Equal(2, answerer.Requests.Count);
    }

    [Fact]
    public async Task What_is_sent_to_Docker_Hub_and_a_login_that_ended_is_made_again()
    {
        var logins = new System.Collections.Concurrent.ConcurrentDictionary<string, System.Net.Http.Headers.AuthenticationHeaderValue>(StringComparer.Ordinal);
        var number = 0;
        answerer.Answer = r => r.RequestUri!.AbsolutePath switch
        {
            "/v2/auth/token" => Answerer.With(200, "application/json", $$"""{"access_token":"login-number-{{++number}}"}"""),
            "/v2/repositories/acme/app/privacy/" => Answerer.With(404, "application/json", """{"message":"gone"}"""),
            "/v2/repositories/acme/app/" => Answerer.With(200, "application/json", "{}"),
            _ when r.Method == HttpMethod.Post => Answerer.With(201, "application/json", """{"namespace":"acme","name":"app","is_private":true}"""),
            _ => r.Headers.Authorization!.Parameter == "login-number-1" ? Answerer.With(401, "application/json", "{}") : Answerer.With(200, "application/json", """{"namespace":"acme","name":"app","is_private":true}"""),
        };
        Assert.True((await DockerHub(logins).CreateAsync("acme/app", isPrivate: true, CancellationToken.None)).Value!.IsPrivate);
        var change = await DockerHub(logins).TryChangeAsync("acme/app", isPrivate: false, CancellationToken.None);
        Assert.Equal("PATCH https://api.example/v2/repositories/acme/app/", change.Request);
        Assert.Equal("200 (and POST https://api.example/v2/repositories/acme/app/privacy/ before it: 404 'gone')", change.Answer);
        Assert.Equal(ApiVerdict.Found, (await DockerHub(logins).FindAsync("acme/app", CancellationToken.None)).Verdict);
        Assert.Equal(
            [
                "POST /v2/auth/token", """POST /v2/namespaces/acme/repositories {"namespace":"acme","name":"app","description":"","registry":"docker.io","is_private":true}""",
                """POST /v2/repositories/acme/app/privacy/ {"is_private":false}""", """PATCH /v2/repositories/acme/app/ {"is_private":false}""",
                "GET /v2/namespaces/acme/repositories/app", "POST /v2/auth/token", "GET /v2/namespaces/acme/repositories/app",
            ],
            answerer.Requests.Select(r => $"{r.Method} {r.Address.AbsolutePath}{(r.Address.AbsolutePath.EndsWith("token", StringComparison.Ordinal) ? "" : " " + r.Body)}".Trim()));
    }

    /// <summary>What it answers first, twice; and how long it is waited for then. Null: once, at once.</summary>
    [Theory]
    [InlineData(500, """{"message":"oops"}""", "", 3.0)]
    [InlineData(502, "", "", 3.0)]
    [InlineData(503, "<html>", "", 3.0)]
    [InlineData(429, "{}", "Retry-After: 20", 41.0)]
    [InlineData(403, """{"message":"API rate limit exceeded"}""", "X-RateLimit-Remaining: 0|X-RateLimit-Reset: 1795348815", 31.0)]
    [InlineData(403, """{"message":"You have exceeded a secondary rate limit."}""", "", 15.0)]
    [InlineData(403, """{"message":"SSO"}""", "", null)]
    [InlineData(404, """{"message":"Package not found."}""", "", null)]
    [InlineData(401, """{"message":"Bad credentials"}""", "", null)]
    [InlineData(200, """{"name":"other"}""", "", null)]
    [InlineData(501, """{"message":"no"}""", "", null)]
    public async Task What_may_pass_is_asked_for_again_and_what_is_said_is_the_last_answer(int status, string body, string headers, double? waited)
    {
        var asked = 0;
        answerer.Answer = _ => ++asked < 3 ? Answerer.With(status, "application/json", body, headers) : Answerer.With(200, "application/json", """{"name":"a/b","visibility":"private"}""");
        using var resilience = Patient();
        var reading = await GitHub().FindPackageAsync(new("acme", IsOrganization: true), "a/b", CancellationToken.None);
        Assert.Equal(waited is null ? 1 : 3, answerer.Requests.Count);
        Assert.Equal(waited is not null, reading.Verdict == ApiVerdict.Found);
        Assert.Equal(TimeSpan.FromSeconds(waited ?? 0), resilience.Waits.SingleOrDefault()?.Waited ?? TimeSpan.Zero);
        Assert.Equal(waited is null ? [] : ["api.example"], resilience.Waits.Select(w => w.Host));
        Assert.DoesNotContain("tries", $"{reading.Why} {reading.Evidence!.Answer}");
    }

    [Fact]
    public async Task An_API_that_stays_dead_is_no_answer_and_is_given_up_on_within_its_budget_without_touching_the_registry_s()
    {
        answerer.Answer = _ => Answerer.With(502, "", "");
        using var resilience = Patient();
        var reading = await GitHub().FindPackageAsync(new("acme", IsOrganization: true), "a/b", CancellationToken.None);
        Assert.Equal((ApiVerdict.NoAnswer, "502 and an empty body, at the last of 3 tries"), (reading.Verdict, reading.Evidence!.Answer));
        Assert.Contains("at the last of 3 tries", reading.Why);
        Assert.Null(reading.Value);
        Assert.Equal(3, answerer.Requests.Count);

        ApiReading<GitHubPackage> last;
        for (var i = 0; ; i++)
        {
            var before = answerer.Requests.Count;
            last = await GitHub().FindPackageAsync(new("acme", IsOrganization: true), "a/b", CancellationToken.None);
            Assert.Equal(ApiVerdict.NoAnswer, last.Verdict);
            if (answerer.Requests.Count == before)
            {
                break;
            }

            Assert.True(i < 100, "it is asked for ever");
        }

        Assert.Equal("not sent: it kept failing before, and was given up on", last.Evidence!.Answer);
        Assert.True(Assert.Single(resilience.Waits).Waited <= TimeSpan.FromMinutes(1));
        Assert.Equal(TimeSpan.Zero, resilience.WaitedFor("api.example"));
    }

    [Fact]
    public async Task A_limit_longer_than_the_budget_is_told_at_once()
    {
        answerer.Answer = _ => Answerer.With(429, "application/json", "{}", "Retry-After: 600");
        using var resilience = Patient();
        var reading = await GitHub().FindPackageAsync(new("acme", IsOrganization: true), "a/b", CancellationToken.None);
        Assert.Equal((ApiVerdict.NoAnswer, "429: it limits how often it is asked, and asks to wait 10 minutes"), (reading.Verdict, reading.Evidence!.Answer));
        Assert.Single(answerer.Requests);
        Assert.Empty(resilience.Waits);
    }

    [Fact]
    public async Task Docker_Hub_is_asked_and_logged_in_to_again_and_told_to_change_something_once()
    {
        var isLoginDown = true;
        var failures = 1;
        answerer.Answer = r => r.RequestUri!.AbsolutePath == "/v2/auth/token" && !isLoginDown ? Answerer.With(200, "application/json", """{"access_token":"jwt-1234567890"}""")
            : failures-- > 0 ? Answerer.With(503, "", "")
            : r.RequestUri!.AbsolutePath == "/v2/auth/token" ? Answerer.With(200, "application/json", """{"access_token":"jwt-1234567890"}""")
            : Answerer.With(200, "application/json", """{"namespace":"acme","name":"app","is_private":true}""");
        using var resilience = Patient();
        Assert.Equal(ApiVerdict.Found, (await DockerHub().FindAsync("acme/app", CancellationToken.None)).Verdict);
        Assert.Equal(["POST /v2/auth/token", "POST /v2/auth/token", "GET /v2/namespaces/acme/repositories/app"], Asked());

        isLoginDown = false;
        foreach (var (change, request) in new (Func<Task>, string)[]
        {
            (() => DockerHub().CreateAsync("acme/app", isPrivate: true, CancellationToken.None), "POST /v2/namespaces/acme/repositories"),
            (() => DockerHub().TryChangeAsync("acme/app", isPrivate: true, CancellationToken.None), "POST /v2/repositories/acme/app/privacy/"),
            (() => GitHub().TryMakePublicAsync(new("alice", IsOrganization: false), "app", CancellationToken.None), "PATCH /api/v3/users/alice/packages/container/app"),
        })
        {
            answerer.Requests.Clear();
            failures = int.MaxValue;
            await change();
            Assert.Equal([request], Asked().Where(r => r != "POST /v2/auth/token"));
        }

        IEnumerable<string> Asked() => answerer.Requests.Select(r => $"{r.Method} {r.Address.AbsolutePath}");
    }

    [Fact]
    public async Task Each_secret_logs_in_for_itself_although_one_file_has_them_all()
    {
        var logins = new System.Collections.Concurrent.ConcurrentDictionary<string, System.Net.Http.Headers.AuthenticationHeaderValue>(StringComparer.Ordinal);
        answerer.Answer = r => r.RequestUri!.AbsolutePath == "/v2/auth/token" ? Answerer.With(200, "application/json", $$"""{"access_token":"login-of-{{credential!.Password.Reveal()}}"}""") : Answerer.With(404, "application/json", "{}");
        foreach (var secret in new[] { "secret-of-the-one", "secret-of-the-other", "secret-of-the-one" })
        {
            credential = new("acme", new(secret), "/home/me/.config/containers/auth.json");
            await DockerHub(logins).FindAsync("acme/app", CancellationToken.None);
            Assert.Contains("Bearer login-of-" + secret, answerer.Requests[^1].Headers);
        }

        Assert.Equal(5, answerer.Requests.Count);
        Assert.DoesNotContain(logins.Keys, k => k.Contains("secret-of", StringComparison.Ordinal));
    }

    private static System.Collections.Concurrent.ConcurrentDictionary<string, Lazy<Task<ApiReading<GitHubOwner>>>> Owners() => new(StringComparer.OrdinalIgnoreCase);

    private GitHubApi GitHub(System.Collections.Concurrent.ConcurrentDictionary<string, Lazy<Task<ApiReading<GitHubOwner>>>>? owners = null, string address = "https://api.example/api/v3")
        => new(Api(address), _ => Task.FromResult(Learnt()), owners ?? Owners());

    private DockerHubApi DockerHub(System.Collections.Concurrent.ConcurrentDictionary<string, System.Net.Http.Headers.AuthenticationHeaderValue>? logins = null, string address = "https://api.example")
        => new(Api(address), _ => Task.FromResult(Learnt()), logins ?? new(StringComparer.Ordinal));

    private readonly Redactor redactor = new();

    private Credential? Learnt()
    {
        Assert.True(RegistryHost.TryParse("ghcr.io", out var host));
        if (credential is not null)
        {
            redactor.Learn(credential, new(host, "acme/app"));
        }

        return credential;
    }

    private ServiceApi Api(string address)
    {
        Assert.True(RegistryHost.TryParse("ghcr.io", out var host));
        return new(new(address), host, http, redactor, trace.Add, new Clock(), TimeSpan.FromSeconds(30)) { Resilience = patience?.OfService(new(address)) };
    }

    private RegistryResilience? patience;

    /// <summary>From here on failures are met as a publish meets them, with waits that take no time and have no jitter.</summary>
    private RegistryResilience Patient() => patience = new(RetryLimits.Publish, new InstantTime(), trace.Add, () => 0.5);

    private sealed class Clock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => Answerer.Now;
    }

    private sealed record Sent(string Method, Uri Address, IReadOnlyList<string> Headers, string Body)
    {
        public string Host => Address.Host;
    }

    private sealed class Answerer : HttpMessageHandler
    {
        public static readonly DateTimeOffset Now = DateTimeOffset.FromUnixTimeSeconds(1795348800);

        public Func<HttpRequestMessage, HttpResponseMessage> Answer { get; set; } = _ => With(500, "", "");

        public bool Wait { get; set; }

        public List<Sent> Requests { get; } = [];

        public static HttpResponseMessage With(int status, string type, string body, string headers = "")
        {
            var response = new HttpResponseMessage((HttpStatusCode)status) { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(body)) };
            if (type.Length > 0)
            {
                response.Content.Headers.ContentType = new(type);
            }

            foreach (var header in headers.Split('|', StringSplitOptions.RemoveEmptyEntries))
            {
                response.Headers.TryAddWithoutValidation(header[..header.IndexOf(':', StringComparison.Ordinal)], header[(header.IndexOf(':', StringComparison.Ordinal) + 1)..].Trim());
            }

            return response;
        }

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var body = request.Content is null ? "" : await request.Content.ReadAsStringAsync(cancellationToken);
            lock (Requests)
            {
                Requests.Add(new(request.Method.Method, request.RequestUri!, [.. request.Headers.OrderBy(h => h.Key, StringComparer.Ordinal).Select(h => string.Join(' ', h.Value))], body));
            }

            if (Wait)
            {
                await Task.Delay(TimeSpan.FromMinutes(1), cancellationToken);
            }

            return Answer(request);
        }
    }
}
