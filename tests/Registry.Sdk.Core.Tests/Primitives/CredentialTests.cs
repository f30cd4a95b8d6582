using System.Globalization;
using System.Text.Json;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Primitives;

/// <summary>Which source answers for which host, without files; those are in Files/CredentialFileTests.</summary>
public class CredentialTests
{
    /// <summary>Everything there can be in an environment for ghcr.io and docker.io; each line of the table takes the best one away.</summary>
    private static readonly (string Name, string Value)[] Everything =
    [
        ("ITEM_USER", "item"), ("ITEM_PASSWORD", "item-pw"), ("CR_PAT", "pat"), ("GITHUB_ACTOR", "actor"), ("GITHUB_TOKEN", "gh1"), ("GH_TOKEN", "gh2"),
        ("DOTNET_CONTAINER_PUSH_REGISTRY_UNAME", "push"), ("DOTNET_CONTAINER_PUSH_REGISTRY_PWORD", "push-pw"),
        ("DOTNET_CONTAINER_REGISTRY_UNAME", "both"), ("DOTNET_CONTAINER_REGISTRY_PWORD", "both-pw"),
        ("SDK_CONTAINER_REGISTRY_UNAME", "old"), ("SDK_CONTAINER_REGISTRY_PWORD", "old-pw"),
        ("DOTNET_CONTAINER_PULL_REGISTRY_UNAME", "pull"), ("DOTNET_CONTAINER_PULL_REGISTRY_PWORD", "pull-pw"),
        ("DOCKERHUB_USERNAME", "hub"), ("DOCKERHUB_TOKEN", "hub-pw"),
    ];

    [Theory]
    [InlineData("ghcr.io", "", "item:item-pw")]
    [InlineData("ghcr.io", "ITEM_", "actor:pat")]
    [InlineData("ghcr.io", "ITEM_ CR_", "push:push-pw")]
    [InlineData("ghcr.io", "ITEM_ CR_ DOTNET_CONTAINER_PUSH", "both:both-pw")]
    [InlineData("ghcr.io", "ITEM_ CR_ DOTNET_", "old:old-pw")]
    [InlineData("ghcr.io", "ITEM_ CR_ DOTNET_ SDK_", "actor:gh1")]
    [InlineData("ghcr.io", "ITEM_ CR_ DOTNET_ SDK_ GITHUB_TOKEN", "actor:gh2")]
    [InlineData("ghcr.io", "ITEM_ CR_ DOTNET_ SDK_ GITHUB_", "owner:gh2")] // no GITHUB_ACTOR: the repository's owner
    [InlineData("ghcr.io", "ITEM_ CR_ DOTNET_ SDK_ GITHUB_ GH_", null)]
    [InlineData("docker.io", "ITEM_", "hub:hub-pw")]
    [InlineData("docker.io", "ITEM_ DOCKERHUB_TOKEN", "push:push-pw")]
    [InlineData("docker.io", "ITEM_ DOCKERHUB_ DOTNET_ SDK_", null)] // GitHub's tokens are for GitHub
    [InlineData("registry.example", "ITEM_", "push:push-pw")]
    [InlineData("registry.example", "ITEM_ DOTNET_ SDK_", null)]
    public async Task The_best_source_that_is_there(string host, string without, string? expected)
    {
        var gone = without.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var environment = Everything.Where(v => !gone.Any(g => v.Name.StartsWith(g, StringComparison.Ordinal))).ToArray();
        CredentialItem[] items = gone.Contains("ITEM_") ? [] : [new(host, "ITEM_USER", "ITEM_PASSWORD")];
        var (store, diagnostics) = Store(items, [host], environment);
        Assert.Empty(diagnostics);
        Assert.Equal(expected, await FindAsync(store, host));
    }

    [Fact]
    public async Task The_shared_pair_is_for_the_one_host_of_all_destinations_only()
    {
        (string, string)[] pair = [("DOTNET_CONTAINER_REGISTRY_UNAME", "u"), ("DOTNET_CONTAINER_REGISTRY_PWORD", "p")];
        var (one, none) = Store([], ["registry.example", "registry.example"], pair);
        Assert.Empty(none);
        Assert.Equal("u:p", await FindAsync(one, "registry.example"));
        Assert.Null(await FindAsync(one, "base.example"));

        var (two, warning) = Store([], ["registry.example", "other.example"], pair);
        Assert.Null(await FindAsync(two, "registry.example"));
        Assert.Equal("RSDK9013", Assert.Single(warning).Code);
        Assert.Contains("RegistrySdkCredential Include=\"registry.example\"", warning[0].Message);
        Assert.False(warning[0].IsError);
    }

    /// <summary>Where a host is re-mapped to, and whether its own secret goes there.</summary>
    [Theory]
    [InlineData("http://127.0.0.1:5010", "actor:pat")]
    [InlineData("https://localhost:5010", "actor:pat")]
    [InlineData("https://ghcr.io", "actor:pat")] // only names a package API
    [InlineData("https://mirror.example", null)]
    [InlineData("https://ghcr.io:8443", null)]
    [InlineData("http://mirror.example", null)]
    public async Task A_mapped_endpoint_gets_the_host_s_secret_on_loopback_only(string address, string? expected)
    {
        var (store, _) = Store([], ["ghcr.io"], [("CR_PAT", "pat"), ("GITHUB_ACTOR", "actor"), ("GITHUB_TOKEN", "gh"), ("DOTNET_CONTAINER_REGISTRY_UNAME", "u"), ("DOTNET_CONTAINER_REGISTRY_PWORD", "p")]);
        Assert.Equal(expected, await FindAsync(store, "ghcr.io", address));
    }

    [Theory]
    [InlineData("ghcr.io", "https://mirror.example", "item:item-pw")]
    [InlineData("mirror.example", "https://mirror.example", "item:item-pw")]
    [InlineData("other.example", "https://mirror.example", null)]
    [InlineData("ghcr.io", "http://mirror.example", null)] // insecure gets nothing, an item or not
    [InlineData("mirror.example", "http://mirror.example", null)]
    public async Task An_item_for_either_host_is_the_way_to_another_party(string itemHost, string address, string? expected)
    {
        var (store, _) = Store([new(itemHost, "ITEM_USER", "ITEM_PASSWORD")], ["ghcr.io"], Everything);
        Assert.Equal(expected, await FindAsync(store, "ghcr.io", address));
    }

    [Theory]
    [InlineData("", "", "", "RSDK9011", "is no registry host")]
    [InlineData("https://ghcr.io", "U", "P", "RSDK9011", "is no registry host")]
    [InlineData("ghcr.io", "U", "", "RSDK9011", "has no PasswordVariable")]
    public void A_bad_item(string include, string user, string password, string code, string says)
    {
        var (_, diagnostics) = Store([new(include, user, password)], ["ghcr.io"]);
        Assert.Equal(code, Assert.Single(diagnostics).Code);
        Assert.Contains(says, diagnostics[0].Message);
    }

    [Fact]
    public void An_item_that_is_there_twice_is_an_error_and_one_that_only_trusts_a_realm_is_none()
    {
        var (_, diagnostics) = Store([new("docker.io", "U", "P"), new("index.docker.io", "U", "P")], ["docker.io"]);
        Assert.Equal("RSDK9011", Assert.Single(diagnostics).Code);

        var (store, none) = Store([new("ghcr.io", "", "", "auth.example; other.example:8443")], ["ghcr.io"]);
        Assert.Empty(none);
        Assert.Equal(["auth.example", "other.example:8443"], store.TrustedRealmHosts(Endpoint("ghcr.io")));
        Assert.Equal(["auth.example", "other.example:8443"], new AnonymousCredentials(store).TrustedRealmHosts(Endpoint("ghcr.io")));
        Assert.Empty(AnonymousCredentials.Instance.TrustedRealmHosts(Endpoint("ghcr.io")));
        Assert.Empty(store.TrustedRealmHosts(Endpoint("docker.io")));
    }

    [Theory]
    [InlineData("ITEM_USER")]
    [InlineData("ITEM_PASSWORD")]
    public async Task A_variable_that_an_item_names_has_to_be_set(string missing)
    {
        var (store, _) = Store([new("ghcr.io", "ITEM_USER", "ITEM_PASSWORD")], ["ghcr.io"], [.. Everything.Where(v => v.Name != missing)]);
        var error = await Assert.ThrowsAsync<CredentialException>(() => FindAsync(store, "ghcr.io"));
        Assert.Contains(missing, error.Message);
    }

    [Fact]
    public void Insecure_registries_are_ignored_with_a_warning()
    {
        var (_, diagnostics) = Store([], ["ghcr.io"], [("DOTNET_CONTAINER_INSECURE_REGISTRIES", "registry.lan")]);
        Assert.Equal(("RSDK9012", false), (Assert.Single(diagnostics).Code, diagnostics[0].IsError));
    }

    [Fact]
    public async Task An_outsider_has_nothing()
        => Assert.Null(await AnonymousCredentials.Instance.FindAsync(Endpoint("ghcr.io"), new(Endpoint("ghcr.io").Host, "a/b"), CancellationToken.None));

    [Fact]
    public void A_secret_never_prints()
    {
        const string Value = "s3cret";
        var secret = new Secret(Value);
        var credential = new Credential("user", secret, "a source");
        Assert.Equal(Value, secret.Reveal());
        var texts = new[]
        {
            secret.ToString(), $"{secret}", string.Format(CultureInfo.InvariantCulture, "{0}", secret), credential.ToString(),
            JsonSerializer.Serialize(secret), JsonSerializer.Serialize(credential), JsonSerializer.Serialize(new { secret, credential }),
        };
        Assert.All(texts, t => Assert.DoesNotContain(Value, t));
    }

    internal static RegistryEndpoint Endpoint(string host, string? address = null)
    {
        Assert.True(RegistryHost.TryParse(host, out var parsed));
        return address is null ? EndpointMap.Empty.Resolve(parsed) : new(parsed, new Uri(address), IsMapped: true);
    }

    internal static async Task<string?> FindAsync(CredentialStore store, string host, string? address = null)
    {
        var endpoint = Endpoint(host, address);
        return await store.FindAsync(endpoint, new(endpoint.Host, "owner/name"), CancellationToken.None) is { } found ? $"{found.Username}:{found.Password.Reveal()}" : null;
    }

    internal static (CredentialStore Store, List<Diagnostic> Diagnostics) Store(CredentialItem[] items, string[] hosts, params (string Name, string Value)[] environment)
    {
        var diagnostics = new List<Diagnostic>();
        var store = CredentialStore.Create(items, environment.ToDictionary(v => v.Name, v => v.Value, StringComparer.Ordinal), [.. hosts.Select(h => Endpoint(h).Host)], diagnostics);
        return (store, diagnostics);
    }
}
