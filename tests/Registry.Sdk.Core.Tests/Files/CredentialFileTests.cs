using System.Text;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Tests.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Files;

/// <summary>Docker's and podman's configuration files.</summary>
public sealed class CredentialFileTests : IDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("rsdk-core-").FullName;

    public void Dispose() => Directory.Delete(_home, recursive: true);

    [Theory]
    [InlineData(".docker/config.json", "HOME=~")]
    [InlineData(".docker/config.json", "USERPROFILE=~")]
    [InlineData("elsewhere/config.json", "HOME=~ DOCKER_CONFIG=~/elsewhere")]
    [InlineData("run/containers/auth.json", "HOME=~ XDG_RUNTIME_DIR=~/run")]
    [InlineData(".config/containers/auth.json", "HOME=~")]
    [InlineData("conf/containers/auth.json", "HOME=~ XDG_CONFIG_HOME=~/conf")]
    [InlineData("my.json", "HOME=~ REGISTRY_AUTH_FILE=~/my.json")]
    public async Task Where_a_login_is_found(string file, string variables)
    {
        Write(file, Auths(("registry.example", "u:p:q")));
        Assert.Equal("u:p:q", await FindAsync("registry.example", variables));
        Assert.Null(await FindAsync("other.example", variables));
    }

    [Fact]
    public async Task Which_file_wins()
    {
        Write(".docker/config.json", Auths(("registry.example", "home:1")));
        Write("docker/config.json", Auths(("other.example", "docker:2")));
        Write("run/containers/auth.json", Auths(("registry.example", "runtime:3")));
        Write(".config/containers/auth.json", Auths(("registry.example", "config:4")));
        Write("file.json", Auths(("registry.example", "file:5")));
        Assert.Equal("home:1", await FindAsync("registry.example", "HOME=~ XDG_RUNTIME_DIR=~/run"));
        // DOCKER_CONFIG takes the place of the one at home, which is not asked any more.
        Assert.Equal("runtime:3", await FindAsync("registry.example", "HOME=~ XDG_RUNTIME_DIR=~/run DOCKER_CONFIG=~/docker"));
        Assert.Equal("config:4", await FindAsync("registry.example", "HOME=~ DOCKER_CONFIG=~/docker"));
        Assert.Equal("file:5", await FindAsync("registry.example", "HOME=~ XDG_RUNTIME_DIR=~/run DOCKER_CONFIG=~/docker REGISTRY_AUTH_FILE=~/file.json"));
    }

    [Theory]
    [InlineData("https://index.docker.io/v1/", "docker.io")]
    [InlineData("https://index.docker.io/v1/", "registry-1.docker.io")]
    [InlineData("docker.io", "docker.io")]
    [InlineData("https://ghcr.io", "ghcr.io")]
    [InlineData("GHCR.IO", "ghcr.io")]
    [InlineData("http://localhost:5000/v2/", "localhost:5000")]
    [InlineData("ghcr.io:443", "ghcr.io")]
    public async Task Historic_spellings_of_a_host(string key, string host)
    {
        Write(".docker/config.json", Auths((key, "u:p")));
        Assert.Equal("u:p", await FindAsync(host, "HOME=~"));
    }

    /// <summary>The repository asked for is owner/name.</summary>
    [Theory]
    [InlineData("registry.example/other registry.example", "u:2")]
    [InlineData("registry.example/other", null)]
    [InlineData("registry.example registry.example/owner", "u:2")]
    [InlineData("registry.example/owner registry.example/owner/name registry.example", "u:2")]
    [InlineData("registry.example/own registry.example/owner/name/deeper", null)]
    [InlineData("registry.example/owner/", "u:1")]
    [InlineData("https://registry.example/v2/", "u:1")]
    [InlineData("registry.example/v2/", "u:1")]
    public async Task A_namespace_of_podman_s(string keys, string? expected)
    {
        Write(".config/containers/auth.json", Auths([.. keys.Split(' ').Select((k, i) => (k, $"u:{i + 1}"))]));
        Assert.Equal(expected, await FindAsync("registry.example", "HOME=~"));
    }

    [Theory]
    [InlineData("""{"username":"u","password":"p"}""", "u:p")]
    [InlineData("""{"auth":"","username":"u","password":"p"}""", "u:p")]
    [InlineData("""{"auth":"dTpw","identitytoken":""}""", "u:p")]
    [InlineData("""{"auth":"dTpwAAA="}""", "u:p")] // docker once padded with zero bytes
    [InlineData("""{"auth":"dTo="}""", null)]
    [InlineData("""{"auth":"OnA="}""", null)]
    [InlineData("{}", null)]
    [InlineData("7", null)]
    [InlineData("""{"auth":7}""", null)]
    public async Task What_an_entry_may_look_like(string entry, string? expected)
    {
        Write(".docker/config.json", $$"""{ "auths": { "registry.example": {{entry}} } }""");
        Assert.Equal(expected, await FindAsync("registry.example", "HOME=~"));
    }

    [Fact]
    public async Task An_identity_token_is_no_password()
    {
        Write(".docker/config.json", """{ "auths": { "registry.example": { "auth": "dTpw", "identitytoken": "refresh" } } }""");
        var (store, _) = CredentialTests.Store([], [], Environment("HOME=~"));
        var endpoint = CredentialTests.Endpoint("registry.example");
        var found = await store.FindAsync(endpoint, new(endpoint.Host, "a"), CancellationToken.None);
        Assert.Equal((CredentialKind.IdentityToken, "refresh", Path.Combine(_home, ".docker/config.json")), (found!.Kind, found.Password.Reveal(), found.Source));
    }

    [Theory]
    [InlineData("{", "is not JSON (line 1)")]
    [InlineData("{\n\n nope", "is not JSON (line 3)")]
    [InlineData("[]", "is not a JSON object")]
    [InlineData("""{ "auths": { "registry.example": { "auth": "c2VjcmV0\ud800" } } }""", "is not usable JSON: a text is not valid Unicode")]
    [InlineData("""{ "auths": { "\udc00": {} } }""", "is not usable JSON: a text is not valid Unicode")]
    [InlineData("""{ "credsStore": "\ud800" }""", "is not usable JSON: a text is not valid Unicode")]
    [InlineData("""{ "credHelpers": { "registry.example": "\ud800" } }""", "is not usable JSON: a text is not valid Unicode")]
    [InlineData("""{ "auths": {}, "auths": { "c2VjcmV0": {} } }""", "is not usable JSON: an object has the same member twice")]
    [InlineData("""{ "auths": { "registry.example": { "auth": "c2VjcmV0!" } } }""", "is not base64")]
    [InlineData("""{ "credHelpers": { "registry.example": "../../bin/evil" } }""", "is no program name")]
    [InlineData("""{ "credsStore": "not-installed" }""", "docker-credential-not-installed")]
    public async Task A_file_that_cannot_be_read_is_named(string content, string says)
    {
        var file = Write(".docker/config.json", content);
        var error = await Assert.ThrowsAsync<CredentialException>(() => FindAsync("registry.example", "HOME=~ PATH=/nowhere"));
        Assert.Equal(file, error.File);
        Assert.Contains(file, error.Message);
        Assert.Contains(says, error.Message);
        Assert.DoesNotContain("c2VjcmV0", error.Message);
    }

    [Theory]
    [InlineData("""{"Username":"u","Secret":"c2VjcmV0\ud800"}""")]
    [InlineData("""{"Username":"u","Secret":"c2VjcmV0","Secret":"x"}""")]
    [InlineData("c2VjcmV0")]
    public async Task A_helper_s_answer_that_is_no_JSON_is_named_and_not_repeated(string answer)
    {
        if (OperatingSystem.IsWindows())
        {
            return; // the helper is a shell script
        }

        var file = Write(".docker/config.json", """{ "credsStore": "odd" }""");
        var helper = Write("bin/docker-credential-odd", $"#!/bin/sh\ncat >/dev/null\ncat <<'END'\n{answer}\nEND\n");
        File.SetUnixFileMode(helper, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var error = await Assert.ThrowsAsync<CredentialException>(() => FindAsync("registry.example", "HOME=~ PATH=~/bin:/usr/bin:/bin"));
        Assert.Equal(file, error.File);
        Assert.Contains("docker-credential-odd", error.Message);
        Assert.DoesNotContain("c2VjcmV0", error.Message);
    }

    [Fact]
    public async Task A_helper_for_another_host_is_not_run_and_files_come_after_the_shared_pair_but_before_ambient_tokens()
    {
        Write(".docker/config.json", $$"""{ "credHelpers": { "other.example": "not-installed" }, "auths": { "ghcr.io": { "auth": "{{Base64("u:p")}}" } } }""");
        Assert.Equal("u:p", await FindAsync("ghcr.io", "HOME=~ GITHUB_TOKEN=ambient"));
        Assert.Equal("owner:pat", await FindAsync("ghcr.io", "HOME=~ CR_PAT=pat"));
        Assert.Equal("x:y", await FindAsync("ghcr.io", "HOME=~ DOTNET_CONTAINER_REGISTRY_UNAME=x DOTNET_CONTAINER_REGISTRY_PWORD=y", "ghcr.io"));
    }

    [Fact]
    public async Task A_mapped_endpoint_has_its_own_login_and_not_the_original_host_s()
    {
        Write(".docker/config.json", Auths(("ghcr.io", "original:1"), ("mirror.example", "mirror:2")));
        Assert.Equal("mirror:2", await FindAsync("ghcr.io", "HOME=~", address: "https://mirror.example"));
        Assert.Null(await FindAsync("ghcr.io", "HOME=~", address: "https://other.example"));
        Assert.Equal("original:1", await FindAsync("ghcr.io", "HOME=~", address: "http://localhost:5010"));
        Assert.Null(await FindAsync("ghcr.io", "HOME=~", address: "http://mirror.example"));
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    private static string Auths(params (string Host, string Login)[] logins)
        => $$"""{ "auths": { {{string.Join(", ", logins.Select(l => $"\"{l.Host}\": {{ \"auth\": \"{Base64(l.Login)}\" }}"))}} } }""";

    private (string, string)[] Environment(string variables)
        => [.. variables.Split(' ').Select(v => v.Split('=')).Select(v => (v[0], v[1].Replace("~", _home)))];

    private Task<string?> FindAsync(string host, string variables, string? onlyHost = null, string? address = null)
    {
        var (store, _) = CredentialTests.Store([], onlyHost is null ? [] : [onlyHost], Environment(variables));
        return CredentialTests.FindAsync(store, host, address);
    }

    private string Write(string path, string content)
    {
        var file = Path.Combine(_home, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, content);
        return file;
    }
}
