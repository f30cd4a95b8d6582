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

    /// <summary>Somebody wrote the secret where its variable's name belongs, or let MSBuild put it there.</summary>
    [Theory]
    [InlineData("ghp_0123456789abcdefghijABCDEFGHIJ012345")]
    [InlineData("github_pat_11ABCDEFG0123456789_abcdefghijklmnop")]
    [InlineData("dckr_pat_abcdefghijklmnopqrstuvwxyz0")]
    [InlineData("glpat-abc_DEF")]
    [InlineData("eyJhbGciOiJSUzI1NiJ9AAAAAAAA")]
    [InlineData("0123456789abcdef0123456789abcdef01234567")]
    [InlineData("abcdef0123456789abcdef0123456789abcdef01")]
    [InlineData("hunter two")]
    [InlineData("correct-horse-battery")]
    [InlineData("p@ssw0rd!")]
    [InlineData("$(SOME_VARIABLE)")]
    [InlineData("${SOME_VARIABLE}")]
    [InlineData("%SOME_VARIABLE%")]
    public void A_secret_in_the_place_of_a_name_is_refused_and_not_repeated(string value)
    {
        foreach (var (item, metadata) in ((CredentialItem, string)[])[(new("ghcr.io", "U", value), "PasswordVariable"), (new("ghcr.io", value, "P"), "UsernameVariable")])
        {
            var (_, diagnostics) = Store([item], ["ghcr.io"]);
            Assert.Equal(("RSDK9011", true), (Assert.Single(diagnostics).Code, diagnostics[0].IsError));
            Assert.Contains($"has a {metadata} that is no name", diagnostics[0].Message);
            Assert.Contains("revoke it", diagnostics[0].Message);
            Assert.DoesNotContain(value, diagnostics[0].Message);
        }
    }

    [Theory]
    [InlineData("CR_PAT", false)]
    [InlineData("_x", false)]
    [InlineData("PASSWORD", false)]
    [InlineData("ghp_token", false)] // short: a name
    [InlineData("OUR_REGISTRY_PASSWORD_FOR_STAGE_2026_01", false)]
    [InlineData("PRODUCTIONREGISTRYPASSWORD", false)]
    [InlineData("my-token", true)] // no name everywhere, but set
    public void What_is_a_name_is_none(string name, bool isSet)
    {
        var (_, diagnostics) = Store([new("ghcr.io", "", name)], ["ghcr.io"], isSet ? [(name, "x")] : []);
        Assert.Empty(diagnostics);
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

    /// <summary>Empty is what CI services make of a secret that a run may not have.</summary>
    [Theory]
    [InlineData("")]
    [InlineData(" \n")]
    public async Task A_variable_that_an_item_names_must_not_be_empty(string value)
    {
        var (store, _) = Store([new("ghcr.io", "", "ITEM_PASSWORD")], ["ghcr.io"], ("ITEM_PASSWORD", value));
        var error = await Assert.ThrowsAsync<CredentialException>(() => FindAsync(store, "ghcr.io"));
        Assert.Contains("ITEM_PASSWORD, which is empty", error.Message);
        Assert.DoesNotContain("not set", error.Message);
    }

    [Theory]
    [InlineData("CR_PAT", "pat\n", "owner:pat")]
    [InlineData("CR_PAT", "pat\r\n", "owner:pat")]
    [InlineData("CR_PAT", " pat ", "owner: pat ")] // blanks could be meant; the hint of a refusal names them
    [InlineData("CR_PAT", " ", null)]
    [InlineData("GITHUB_TOKEN", "gh\n", "owner:gh")]
    public async Task A_line_break_at_the_end_is_no_part_of_a_secret(string name, string value, string? expected)
        => Assert.Equal(expected, await FindAsync(Store([], ["ghcr.io"], (name, value)).Store, "ghcr.io"));

    /// <summary>A token goes to the registry of the server that issued it, and to no other.</summary>
    [Theory]
    [InlineData("ghcr.io", "GITHUB_TOKEN=t", "owner:t")]
    [InlineData("ghcr.io", "GITHUB_ACTIONS=true GITHUB_SERVER_URL=https://github.com GITHUB_TOKEN=t GITHUB_ACTOR=a", "a:t")]
    [InlineData("ghcr.io", "GITHUB_ACTIONS=true GITHUB_SERVER_URL=https://git.acme.com GITHUB_TOKEN=t GH_TOKEN=u", null)]
    [InlineData("ghcr.io", "GITHUB_SERVER_URL=https://git.acme.com GITHUB_TOKEN=t", null)]
    [InlineData("ghcr.io", "GITHUB_SERVER_URL=nonsense GITHUB_TOKEN=t", null)]
    [InlineData("ghcr.io", "GITHUB_ACTIONS=true GITHUB_SERVER_URL=https://git.acme.com GITHUB_TOKEN=t CR_PAT=p", "owner:p")]
    [InlineData("containers.git.acme.com", "GITHUB_ACTIONS=true GITHUB_SERVER_URL=https://git.acme.com GITHUB_TOKEN=t GITHUB_ACTOR=a", "a:t")]
    [InlineData("containers.git.acme.com", "GITHUB_ACTIONS=true GITHUB_SERVER_URL=https://GIT.acme.com/ GH_TOKEN=t", "owner:t")]
    [InlineData("containers.acme.ghe.com", "GITHUB_ACTIONS=true GITHUB_SERVER_URL=https://acme.ghe.com GITHUB_TOKEN=t", "owner:t")]
    [InlineData("containers.other.com", "GITHUB_ACTIONS=true GITHUB_SERVER_URL=https://git.acme.com GITHUB_TOKEN=t", null)]
    [InlineData("containers.git.acme.com", "GITHUB_SERVER_URL=https://git.acme.com GITHUB_TOKEN=t", null)] // a laptop's token is github.com's
    [InlineData("containers.git.acme.com", "GITHUB_ACTIONS=true GITHUB_TOKEN=t", null)]
    [InlineData("containers.github.com", "GITHUB_ACTIONS=true GITHUB_SERVER_URL=https://github.com GITHUB_TOKEN=t", null)]
    [InlineData("containers.git.acme.com", "GITHUB_ACTIONS=true GITHUB_SERVER_URL=https://git.acme.com CR_PAT=p", null)]
    [InlineData("git.acme.com", "GITHUB_ACTIONS=true GITHUB_SERVER_URL=https://git.acme.com GITHUB_TOKEN=t", null)]
    public async Task GitHub_s_job_token(string host, string variables, string? expected)
        => Assert.Equal(expected, await FindAsync(Store([], [host], Variables(variables)).Store, host));

    private const string OnGitLab = "GITLAB_CI=true CI_SERVER_HOST=gitlab.com CI_REGISTRY=registry.gitlab.com ";

    /// <summary>A job of GitLab needs no configuration for its own registry.</summary>
    [Theory]
    [InlineData("registry.gitlab.com", OnGitLab + "CI_REGISTRY_USER=ru CI_REGISTRY_PASSWORD=rp CI_DEPLOY_USER=du CI_DEPLOY_PASSWORD=dp CI_JOB_TOKEN=jt", "ru:rp")]
    [InlineData("registry.gitlab.com", OnGitLab + "CI_REGISTRY_USER=ru CI_DEPLOY_USER=du CI_DEPLOY_PASSWORD=dp CI_JOB_TOKEN=jt", "du:dp")]
    [InlineData("registry.gitlab.com", OnGitLab + "CI_DEPLOY_PASSWORD=dp CI_JOB_TOKEN=jt", "gitlab-ci-token:jt")]
    [InlineData("registry.gitlab.com", OnGitLab, null)]
    [InlineData("registry.gitlab.com", "CI_SERVER_HOST=gitlab.com CI_REGISTRY=registry.gitlab.com CI_REGISTRY_USER=ru CI_REGISTRY_PASSWORD=rp", null)] // no job
    [InlineData("other.example", OnGitLab + "CI_REGISTRY_USER=ru CI_REGISTRY_PASSWORD=rp CI_JOB_TOKEN=jt", null)]
    [InlineData("ghcr.io", OnGitLab + "CI_REGISTRY_USER=ru CI_REGISTRY_PASSWORD=rp CI_JOB_TOKEN=jt", null)]
    [InlineData("git.acme.com:5050", "GITLAB_CI=true CI_SERVER_HOST=git.acme.com CI_REGISTRY=git.acme.com:5050 CI_JOB_TOKEN=jt", "gitlab-ci-token:jt")]
    [InlineData("git.acme.com", "GITLAB_CI=true CI_SERVER_HOST=git.acme.com CI_REGISTRY=git.acme.com:5050 CI_JOB_TOKEN=jt", null)]
    [InlineData("images.acme.com", "GITLAB_CI=true CI_SERVER_HOST=git.acme.com CI_REGISTRY=images.acme.com CI_REGISTRY_USER=ru CI_REGISTRY_PASSWORD=rp", "ru:rp")]
    [InlineData("docker.io", "GITLAB_CI=true CI_SERVER_HOST=gitlab.com CI_REGISTRY=docker.io CI_REGISTRY_USER=ru CI_REGISTRY_PASSWORD=rp CI_JOB_TOKEN=jt", "ru:rp")] // the project's settings in GitLab's place
    [InlineData("docker.io", "GITLAB_CI=true CI_SERVER_HOST=gitlab.com CI_REGISTRY=docker.io CI_DEPLOY_USER=du CI_DEPLOY_PASSWORD=dp CI_JOB_TOKEN=jt", null)] // and never GitLab's own to another
    [InlineData("evilgitlab.com", "GITLAB_CI=true CI_SERVER_HOST=gitlab.com CI_REGISTRY=evilgitlab.com CI_JOB_TOKEN=jt", null)]
    [InlineData("registry.gitlab.com", "GITLAB_CI=true CI_REGISTRY=registry.gitlab.com CI_JOB_TOKEN=jt", null)] // whose it is is not known
    [InlineData("registry.gitlab.com", "GITLAB_CI=true CI_SERVER_HOST=gitlab.com CI_REGISTRY=https://registry.gitlab.com CI_JOB_TOKEN=jt", null)]
    public async Task GitLab_s_job_token(string host, string variables, string? expected)
        => Assert.Equal(expected, await FindAsync(Store([], [host], Variables(variables)).Store, host));

    /// <summary>What the log says of each source: where it is, and never what.</summary>
    [Theory]
    [InlineData("ghcr.io", "CR_PAT=x", "environment variable CR_PAT")]
    [InlineData("ghcr.io", "GITHUB_TOKEN=x", "environment variable GITHUB_TOKEN")]
    [InlineData("ghcr.io", "GH_TOKEN=x", "environment variable GH_TOKEN")]
    [InlineData("ghcr.io", "ITEM_PASSWORD=x", "RegistrySdkCredential 'ghcr.io' (environment variable ITEM_PASSWORD)")]
    [InlineData("docker.io", "DOCKERHUB_USERNAME=u DOCKERHUB_TOKEN=x", "environment variables DOCKERHUB_USERNAME and DOCKERHUB_TOKEN")]
    [InlineData("registry.gitlab.com", OnGitLab + "CI_REGISTRY_USER=u CI_REGISTRY_PASSWORD=x", "environment variables CI_REGISTRY_USER and CI_REGISTRY_PASSWORD (GitLab job)")]
    [InlineData("registry.gitlab.com", OnGitLab + "CI_JOB_TOKEN=x", "environment variable CI_JOB_TOKEN (GitLab job)")]
    [InlineData("registry.example", "DOCKER_AUTH_CONFIG={\"auths\":{\"registry.example\":{\"auth\":\"dTp4\"}}}", "environment variable DOCKER_AUTH_CONFIG")]
    public async Task The_source_is_named(string host, string variables, string source)
    {
        CredentialItem[] items = variables.StartsWith("ITEM_", StringComparison.Ordinal) ? [new(host, "", "ITEM_PASSWORD")] : [];
        var (store, _) = Store(items, ["a.example", "b.example"], Variables(variables));
        var endpoint = Endpoint(host);
        var found = await store.FindAsync(endpoint, new(endpoint.Host, "owner/name"), CancellationToken.None);
        Assert.Equal((source, "x"), (found!.Source, found.Password.Reveal()));
    }

    /// <summary>As docker does, of the variable only auths is read; helpers in it are meant for the machine of GitLab's runner.</summary>
    [Theory]
    [InlineData("{}", null)]
    [InlineData(" ", null)]
    [InlineData("""{"auths":{}}""", null)]
    [InlineData("""{"auths":{"other.example":{"auth":"dTpw"}}}""", null)]
    [InlineData("""{"credsStore":"not-installed","credHelpers":{"registry.example":"not-installed"},"HttpHeaders":{}}""", null)]
    [InlineData("""{"credsStore":"not-installed","auths":{"registry.example":{"auth":"dTpw"}}}""", "u:p")]
    [InlineData("""{"auths":{"registry.example/owner":{"auth":"dTpw"}}}""", "u:p")]
    public async Task The_variable_of_docker_s_logins(string value, string? expected)
        => Assert.Equal(expected, await FindAsync(Store([], [], ("DOCKER_AUTH_CONFIG", value)).Store, "registry.example"));

    [Theory]
    [InlineData("c2VjcmV0", "is not JSON (line 1)")]
    [InlineData("[\"c2VjcmV0\"]", "is not a JSON object")]
    [InlineData("""{"auths":{"registry.example":{"auth":"c2VjcmV0!"}}}""", "is not base64")]
    [InlineData("""{"auths":{},"auths":{"c2VjcmV0":{}}}""", "is not usable JSON")]
    public async Task The_variable_of_docker_s_logins_is_named_and_not_repeated(string value, string says)
    {
        var error = await Assert.ThrowsAsync<CredentialException>(() => FindAsync(Store([], [], ("DOCKER_AUTH_CONFIG", value)).Store, "registry.example"));
        Assert.Null(error.File);
        Assert.StartsWith("environment variable DOCKER_AUTH_CONFIG", error.Message);
        Assert.Contains(says, error.Message);
        Assert.DoesNotContain("c2VjcmV0", error.Message);
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

    private static (string, string)[] Variables(string text) => [.. text.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(v => v.Split('=', 2)).Select(v => (v[0], v[1]))];

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
