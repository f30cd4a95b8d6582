using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;
using Seen = Registry.Sdk.Core.Planning.ObservedVisibility;

namespace Registry.Sdk.Registry.Tests.Visible;

/// <summary>One look at a repository, each request of it killed alone: none of them makes a better verdict than the truth.</summary>
public sealed class ObserverTests : IAsyncLifetime, ICredentialSource
{
    private readonly TempDirectory directory = new("observer");
    private EmulatorServer ghcr = null!;
    private EmulatorServer hub = null!;
    private Func<HttpContext, Task<bool>>? lie;
    private string? secret = "secret-pat";

    public async Task InitializeAsync()
    {
        ghcr = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = directory.Folder("ghcr"), Personality = EmulatorPersonality.Ghcr, Intercept = c => lie is { } l ? l(c) : Task.FromResult(false),
            GitHub = new()
            {
                Owners = { ["acme"] = GitHubOwner.Organization("alice") },
                Packages = { ["acme/shut"] = new(), ["acme/open"] = new() { Visibility = GitHubVisibility.Public }, ["acme/inside"] = new() { Visibility = GitHubVisibility.Internal, Repository = "acme/src" } },
                Secrets = { ["pat"] = GitHubSecret.Classic("secret-pat", "alice", "write:packages"), ["weak"] = GitHubSecret.Classic("secret-weak", "alice", "repo") },
            },
        });
        hub = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = directory.Folder("hub"), Personality = EmulatorPersonality.DockerHub, Intercept = c => lie is { } l ? l(c) : Task.FromResult(false),
            DockerHub = new()
            {
                Repositories = { ["acme/shut"] = new() { IsPrivate = true }, ["acme/open"] = new() },
                Secrets = { ["pat"] = DockerHubSecret.PersonalToken("secret-pat", "acme", DockerHubRight.ReadWrite) },
            },
        });
    }

    public async Task DisposeAsync()
    {
        KnownToGitHub.Check(ghcr);
        await ghcr.DisposeAsync();
        await hub.DisposeAsync();
        await directory.DisposeAsync();
    }

    Task<Credential?> ICredentialSource.FindAsync(RegistryEndpoint endpoint, RepositoryReference repository, CancellationToken cancellationToken)
        => Task.FromResult(secret is null ? null : new Credential("acme", new(secret), "the test"));

    IReadOnlyList<string> ICredentialSource.TrustedRealmHosts(RegistryEndpoint endpoint) => [];

    private async Task<Observation> LookAsync(string destination, double patience = 60)
    {
        var seconds = TimeSpan.FromSeconds(patience);
        var diagnostics = new List<Diagnostic>();
        var endpoints = EndpointMap.Parse([Item("ghcr.io", ghcr), Item("docker.io", hub)], diagnostics);
        Assert.Empty(diagnostics);
        using var connections = new RegistryConnections(endpoints, this) { ApiTimeout = seconds, AnswerTimeout = seconds, TokenTimeout = seconds };
        using var anonymous = new RegistryConnections(endpoints, AnonymousCredentials.Instance) { AnswerTimeout = seconds, TokenTimeout = seconds };
        var found = Assert.Single(DestinationParser.Parse([new(destination)], endpoints, "/", "ContainerDestination", [], diagnostics));
        return await new VisibilityObserver(connections, anonymous).ObserveAsync(found, "v1", CancellationToken.None);

        static EndpointItem Item(string host, EmulatorServer server) => new(host, server.BaseAddress.GetLeftPart(UriPartial.Authority), server.Api.ToString());
    }

    /// <summary>What is killed, where, and what may then be seen: outsider's view, what the API is said to say.</summary>
    public static TheoryData<string, string, Seen, string> Kills => new()
    {
        // GitHub
        { "ghcr.io/acme/shut", "/api/users/acme", Seen.Refused, "-" },
        { "ghcr.io/acme/shut", "/api/orgs/", Seen.Refused, "-" },
        { "ghcr.io/acme/shut", "anonymous /token", Seen.Unknown, "private" },
        { "ghcr.io/acme/shut", "anonymous /manifests/", Seen.Unknown, "private" },
        { "ghcr.io/acme/inside", "/api/orgs/", Seen.Refused, "-" },
        { "ghcr.io/acme/inside", "anonymous /token", Seen.Unknown, "internal" },
        { "ghcr.io/acme/none", "/api/users/acme", Seen.Missing, "-" },
        { "ghcr.io/acme/none", "/api/orgs/", Seen.Missing, "-" },
        { "ghcr.io/acme/none", "anonymous /token", Seen.Unknown, "-" },
        { "ghcr.io/acme/none", "/tags/list", Seen.Unknown, "-" },
        // The API is not needed where anyone can read it.
        { "ghcr.io/acme/open", "/api/", Seen.Public, "-" },
        { "ghcr.io/acme/open", "anonymous /token", Seen.Unknown, "public" },
        { "ghcr.io/acme/open", "anonymous /manifests/", Seen.Unknown, "public" },
        // Docker Hub
        { "docker.io/acme/shut", "/api/v2/auth/token", Seen.Refused, "-" },
        { "docker.io/acme/shut", "/api/v2/namespaces/", Seen.Refused, "-" },
        { "docker.io/acme/shut", "anonymous /token", Seen.Unknown, "private" },
        { "docker.io/acme/shut", "anonymous /manifests/", Seen.Unknown, "private" },
        { "docker.io/acme/none", "/api/v2/namespaces/", Seen.Missing, "-" },
        { "docker.io/acme/none", "anonymous /token", Seen.Unknown, "-" },
        { "docker.io/acme/open", "/api/v2/auth/token", Seen.Public, "public" },
        { "docker.io/acme/open", "/api/", Seen.Public, "-" },
        { "docker.io/acme/open", "anonymous /manifests/", Seen.Unknown, "public" },
    };

    [Theory]
    [MemberData(nameof(Kills))]
    public async Task A_request_that_is_killed_never_makes_the_verdict_better(string destination, string what, Seen seen, string api)
    {
        foreach (var how in Faults.All)
        {
            var killed = 0;
            lie = async context =>
            {
                var path = context.Request.Path.Value!;
                var isAnonymous = context.Request.Headers.Authorization.Count == 0 || (destination.StartsWith("ghcr.io", StringComparison.Ordinal) ? ghcr : hub).Requests[^1].Account == "anonymous";
                var isMeant = what.StartsWith("anonymous ", StringComparison.Ordinal) ? isAnonymous && path.Contains(what["anonymous ".Length..], StringComparison.Ordinal) && !path.StartsWith("/api/", StringComparison.Ordinal)
                    : path.Contains(what, StringComparison.Ordinal);
                if (!isMeant)
                {
                    return false;
                }

                Interlocked.Increment(ref killed);
                return await Faults.AnswerAsync(context, how);
            };

            var observation = await LookAsync(destination, how == "silence" ? 2 : 60);

            Assert.True(killed > 0, $"{how}: nothing was killed");
            Assert.True((seen, api) == (observation.Seen, observation.Package?.Visibility ?? "-"), $"{how}: {observation.Seen}, {observation.Package?.Visibility}\n{string.Join('\n', observation.Evidence)}");
            Assert.Equal(seen == Seen.Unknown, observation.Why.Length > 0);
            if (how == "silence" && api == "-" && what.StartsWith("/api", StringComparison.Ordinal))
            {
                Assert.Contains(observation.Evidence, e => e.Answer == "no answer within 2 seconds");
            }

            if (api == "-")
            {
                Assert.NotEqual(ApiVerdict.Found, observation.Api);
                Assert.True(observation.Api is ApiVerdict.NoAnswer || !what.StartsWith("/api", StringComparison.Ordinal), $"{how}: {observation.Api}");
            }
        }
    }

    [Fact]
    public async Task The_evidence_is_the_newcomers_whole_way_and_what_the_API_said()
    {
        var inside = await LookAsync("ghcr.io/acme/inside");
        Assert.Equal((Seen.Refused, "internal", "acme/src", (bool?)true), (inside.Seen, inside.Package!.Visibility, inside.Package.LinkedRepository, inside.IsOrganization));
        var at = ghcr.BaseAddress.GetLeftPart(UriPartial.Authority);
        Assert.Equal(
            [
                $"HEAD {at}/v2/acme/inside/manifests/v1 (anonymous): 401",
                $"GET {at}/token (anonymous): 401",
                $"GET {at}/api/users/acme: 200, an organisation",
                $"GET {at}/api/orgs/acme/packages/container/inside: 200, visibility internal, linked to acme/src",
            ],
            inside.Evidence.Select(e => $"{e.Request}: {e.Answer}"));

        var shut = await LookAsync("docker.io/acme/shut");
        Assert.Equal((Seen.Refused, "private"), (shut.Seen, shut.Package!.Visibility));
        Assert.Contains(shut.Evidence, e => e.Answer == "200, is_private true");
        // Docker Hub counts manifests that are read by GET.
        Assert.DoesNotContain(hub.Requests, r => r.Method == "GET" && r.PathAndQuery.Contains("/manifests/", StringComparison.Ordinal));
        Assert.DoesNotContain(ghcr.Requests.Concat(hub.Requests), r => r.Method is not ("GET" or "HEAD") && r.PathAndQuery != "/api/v2/auth/token");
    }

    /// <summary>A newcomer's pull is a GET. Docker Hub, which counts those, is taken at its HEAD's word.</summary>
    [Fact]
    public async Task A_HEAD_that_is_refused_with_a_token_does_not_make_it_closed()
    {
        lie = context => context.Request.Method == "HEAD" && (ghcr.Requests[^1].Account == "anonymous" || hub.Requests.Count > 0 && hub.Requests[^1].Account == "anonymous")
            ? Answers.WithAsync(context, 401, "application/json", "")
            : Task.FromResult(false);
        var open = await LookAsync("ghcr.io/acme/open");
        Assert.Equal(Seen.Public, open.Seen);
        Assert.Contains(open.Evidence, e => e.Request.StartsWith("HEAD ", StringComparison.Ordinal) && e.Answer == "401");
        Assert.Contains(open.Evidence, e => e.Request.StartsWith("GET ", StringComparison.Ordinal) && e.Request.EndsWith("/manifests/v1 (anonymous)", StringComparison.Ordinal) && e.Answer == "404");
        Assert.Equal(Seen.Refused, (await LookAsync("ghcr.io/acme/shut")).Seen);
        await LookAsync("docker.io/acme/shut");
        Assert.DoesNotContain(hub.Requests, r => r.Method == "GET" && r.PathAndQuery.Contains("/manifests/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_contradiction_is_kept_and_the_outsider_decides_what_is_public()
    {
        lie = Answers.When(r => r.Path.Value!.EndsWith("/container/open", StringComparison.Ordinal), c => Answers.WithAsync(c, 200, "application/json", """{"name":"open","visibility":"private"}"""));
        var open = await LookAsync("ghcr.io/acme/open");
        Assert.Equal((Seen.Public, "private"), (open.Seen, open.Package!.Visibility));

        lie = Answers.When(r => r.Path.Value!.EndsWith("/container/shut", StringComparison.Ordinal), c => Answers.WithAsync(c, 200, "application/json", """{"name":"shut","visibility":"public"}"""));
        var shut = await LookAsync("ghcr.io/acme/shut");
        Assert.Equal((Seen.Refused, "public"), (shut.Seen, shut.Package!.Visibility));
    }

    [Fact]
    public async Task Without_a_credential_private_and_missing_are_one_and_the_owner_is_still_found()
    {
        secret = null;
        var shut = await LookAsync("ghcr.io/acme/shut");
        Assert.Equal((Seen.Refused, ApiVerdict.NotAsked, (bool?)true), (shut.Seen, shut.Api, shut.IsOrganization));
        Assert.Equal(Seen.Refused, (await LookAsync("ghcr.io/acme/none")).Seen);
        Assert.Equal(Seen.Refused, (await LookAsync("docker.io/acme/shut")).Seen);
        Assert.Equal((Seen.Public, "public"), ((await LookAsync("docker.io/acme/open")).Seen, (await LookAsync("docker.io/acme/shut")).Package?.Visibility ?? "public"));
        var from = ghcr.Requests.Count;
        Assert.Equal(Seen.Public, (await LookAsync("ghcr.io/acme/open")).Seen);
        Assert.DoesNotContain(ghcr.Requests.Skip(from), r => r.PathAndQuery.StartsWith("/api/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_token_without_the_scope_is_told_as_that()
    {
        secret = "secret-weak";
        var shut = await LookAsync("ghcr.io/acme/shut");
        Assert.Equal((Seen.Missing, ApiVerdict.Refused), (shut.Seen, shut.Api));
        Assert.EndsWith(": the token has no read:packages", shut.ApiWhy);
        secret = "secret-of-nobody";
        Assert.Contains("does not take the token from the test (401", (await LookAsync("ghcr.io/acme/shut")).ApiWhy);
        Assert.Equal(true, (await LookAsync("ghcr.io/acme/shut")).IsOrganization);
        Assert.Contains("refuses the login of 'acme'", (await LookAsync("docker.io/acme/shut")).ApiWhy);
    }

    [Fact]
    public async Task A_limit_is_no_answer_and_the_wait_is_said()
    {
        lie = context => context.Request.Path.Value!.Contains("/packages/", StringComparison.Ordinal) ? EmulatorFaults.GitHubRateLimitAsync(context, 90) : Task.FromResult(false);
        var shut = await LookAsync("ghcr.io/acme/shut");
        Assert.Equal((Seen.Refused, ApiVerdict.NoAnswer), (shut.Seen, shut.Api));
        Assert.Contains("asks to wait 90 seconds", shut.ApiWhy);
        lie = context => context.Request.Path.Value!.StartsWith("/api/v2/namespaces", StringComparison.Ordinal) ? EmulatorFaults.DockerHubApiLimitAsync(context, DateTimeOffset.UtcNow.AddMinutes(30)) : Task.FromResult(false);
        Assert.Matches("asks to wait (29|30) minutes", (await LookAsync("docker.io/acme/shut")).ApiWhy);
    }
}
