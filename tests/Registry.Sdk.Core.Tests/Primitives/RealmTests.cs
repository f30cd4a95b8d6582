using System.Net;
using System.Text;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Primitives;

/// <summary>Which token servers are asked: those of the party that answers, not those of the host whose name it was given.</summary>
public class RealmTests
{
    private const string Mirror = "mirror.example";
    private const string Hub = "https://auth.docker.io/token";
    private const string Tokens = "https://tokens.example/token";

    private static readonly (string Name, string Value)[] Environment =
    [
        ("MIRROR_USER", "mirror"), ("MIRROR_PASSWORD", "mirror-pw"), ("HUB_USER", "item"), ("HUB_PASSWORD", "item-pw"), ("DOCKERHUB_USERNAME", "hub"), ("DOCKERHUB_TOKEN", "hub-pw"),
    ];

    private static CredentialItem OfMirror(string realm = "") => new(Mirror, "MIRROR_USER", "MIRROR_PASSWORD", realm);

    private static CredentialItem OfHub(string realm = "") => new("docker.io", "HUB_USER", "HUB_PASSWORD", realm);

    private static CredentialItem Trusts(string host, string realm) => new(host, "", "", realm);

    /// <summary>What is asked, the items, the realm, and what the token server gets; null: not even a request.</summary>
    public static TheoryData<string, string, string?> Table => new()
    {
        { "docker.io itself", Hub, "hub:hub-pw" },
        { "docker.io itself", Tokens, null },
        { "docker.io itself, its item trusts tokens.example", Tokens, "item:item-pw" },
        { "docker.io by an item for itself", Hub, "hub:hub-pw" },
        { "mirror", Hub, null },
        { "mirror", "https://mirror.example/token", "mirror:mirror-pw" },
        { "mirror without credentials", Hub, null },
        { "mirror that gets docker.io's item", Hub, null },
        { "mirror, its item trusts tokens.example", Tokens, "mirror:mirror-pw" },
        { "mirror, its item trusts tokens.example", Hub, null },
        { "mirror, docker.io's realm-only item trusts tokens.example", Tokens, null },
        { "mirror that gets docker.io's item, which trusts tokens.example", Tokens, "item:item-pw" },
        { "mirror that gets docker.io's item, the mirror's trusts tokens.example", Tokens, "item:item-pw" },
        { "mirror of docker.io that is registry.gitlab.com", "https://gitlab.com/jwt/auth", "" },
    };

    [Theory]
    [MemberData(nameof(Table))]
    public async Task A_token_server_gets_a_secret_only_from_the_party_it_belongs_to(string situation, string realm, string? expected)
    {
        CredentialItem[] items = situation switch
        {
            "mirror" => [OfMirror()],
            "docker.io itself, its item trusts tokens.example" => [OfHub("tokens.example")],
            "mirror that gets docker.io's item" => [OfHub()],
            "mirror, its item trusts tokens.example" => [OfMirror("other.example;tokens.example")],
            "mirror, docker.io's realm-only item trusts tokens.example" => [OfMirror(), Trusts("docker.io", "tokens.example")],
            "mirror that gets docker.io's item, which trusts tokens.example" => [OfHub("tokens.example")],
            "mirror that gets docker.io's item, the mirror's trusts tokens.example" => [OfHub(), Trusts(Mirror, "tokens.example")],
            _ => [],
        };
        var address = situation switch
        {
            "docker.io by an item for itself" => "https://docker.io",
            "mirror of docker.io that is registry.gitlab.com" => "https://registry.gitlab.com",
            _ when situation.StartsWith("docker.io", StringComparison.Ordinal) => null,
            _ => "https://" + Mirror,
        };
        var diagnostics = new List<Diagnostic>();
        var endpoints = EndpointMap.Parse(address is null ? [] : [new("docker.io", address)], diagnostics);
        Assert.True(RegistryHost.TryParse("docker.io", out var host));
        var store = CredentialStore.Create(items, Environment.ToDictionary(v => v.Name, v => v.Value, StringComparer.Ordinal), [host], diagnostics);
        Assert.Empty(diagnostics);
        var repository = new RepositoryReference(host, "owner/image");
        using var server = new TokenServer();
        using var http = new HttpMessageInvoker(server, disposeHandler: false);
        using var authenticator = new RegistryAuthenticator(endpoints.Resolve(host), store, http);
        // A push without credentials is not asked for: reading is what an outsider may.
        var scope = new TokenScope(repository.Name, Push: situation is not ("mirror without credentials" or "mirror of docker.io that is registry.gitlab.com"));
        var attempt = authenticator.Begin(scope);
        var answering = authenticator.AnswerAsync(attempt, AuthChallenge.Parse([$"Bearer realm=\"{realm}\",service=\"s\""]), "GET is answered with 401", isForbidden: false, scope, repository, CancellationToken.None);

        if (expected is null)
        {
            var refused = await Assert.ThrowsAsync<RegistryException>(() => answering);
            Assert.Equal(RegistryFailure.AuthNotSupported, refused.Failure);
            // The advice names the party that answers: an item for the original host would not help.
            Assert.Contains($"Include=\"{(address is null ? "docker.io" : Mirror)}\" RealmHost=\"{new Uri(realm).Host}\"", refused.Message);
            Assert.Empty(server.Requests);
            return;
        }

        await answering;
        Assert.Equal("Bearer the-token", attempt.Header?.ToString());
        Assert.Equal([(new Uri(realm).Host, expected)], server.Requests);
    }

    /// <summary>Remembers which host was asked with which user and password.</summary>
    private sealed class TokenServer : HttpMessageHandler
    {
        public List<(string Host, string Login)> Requests { get; } = [];

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var login = request.Headers.Authorization?.Parameter;
            Requests.Add((request.RequestUri!.Host, login is null ? "" : Encoding.UTF8.GetString(Convert.FromBase64String(login))));
            return Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK) { Content = new StringContent("""{"token":"the-token"}""") });
        }
    }
}
