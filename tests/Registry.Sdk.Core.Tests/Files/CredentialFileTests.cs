using System.Formats.Tar;
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
    [InlineData("https://ghcr.io/any/path", "ghcr.io")]
    [InlineData("index.docker.io", "docker.io")]
    [InlineData("https://docker.io/", "docker.io")]
    public async Task Historic_spellings_of_a_host(string key, string host)
    {
        Write(".docker/config.json", Auths((key, "u:p")));
        Assert.Equal("u:p", await FindAsync(host, "HOME=~"));
    }

    /// <summary>docker's web login to Docker Hub leaves two more keys, whose secrets are not for the registry.</summary>
    [Theory]
    [InlineData("https://index.docker.io/v1/access-token https://index.docker.io/v1/refresh-token", null)]
    [InlineData("https://index.docker.io/v1/access-token https://index.docker.io/v1/", "u:2")]
    [InlineData("docker.io https://index.docker.io/v1/refresh-token https://index.docker.io/v1/", "u:3")] // docker's own key before podman's
    [InlineData("https://index.docker.io/v1/x docker.io", "u:2")]
    public async Task Docker_Hub_s_keys(string keys, string? expected)
    {
        Write(".docker/config.json", Auths([.. keys.Split(' ').Select((k, i) => (k, $"u:{i + 1}"))]));
        Assert.Equal(expected, await FindAsync("docker.io", "HOME=~"));
    }

    /// <summary>Empty entries are markers of a store that is no more.</summary>
    [Fact]
    public async Task The_exact_key_wins_and_an_empty_entry_is_passed_over()
    {
        Write(".docker/config.json", Auths(("https://ghcr.io", "u:1"), ("ghcr.io", "u:2")));
        Assert.Equal("u:2", await FindAsync("ghcr.io", "HOME=~"));
        Write(".docker/config.json", $$"""{ "auths": { "ghcr.io": {}, "https://ghcr.io": { "auth": "{{Base64("u:1")}}" } } }""");
        Assert.Equal("u:1", await FindAsync("ghcr.io", "HOME=~"));
    }

    [Theory]
    [InlineData("")]
    [InlineData(" \n")]
    [InlineData("{}")]
    [InlineData("""{ "auths": null, "credHelpers": [], "credsStore": 7 }""")]
    [InlineData("""{ "auths": [ "registry.example" ] }""")]
    public async Task A_file_without_logins_is_none(string content)
    {
        Write(".docker/config.json", content);
        Write(".config/containers/auth.json", Auths(("registry.example", "podman:1")));
        Assert.Equal("podman:1", await FindAsync("registry.example", "HOME=~"));
    }

    [Fact]
    public async Task A_byte_order_mark_is_no_part_of_JSON()
    {
        Write(".docker/config.json", "\uFEFF" + Auths(("registry.example", "u:p")));
        Assert.Equal("u:p", await FindAsync("registry.example", "HOME=~"));
    }

    /// <summary>The legacy file has the hosts on top, and comes after everything else.</summary>
    [Fact]
    public async Task The_legacy_file()
    {
        Write(".dockercfg", $$"""{ "https://registry.example/v1/": { "auth": "{{Base64("old:1")}}", "email": "a@b" }, "https://index.docker.io/v1/": { "auth": "{{Base64("hub:2")}}" } }""");
        Assert.Equal("old:1", await FindAsync("registry.example", "HOME=~"));
        Assert.Equal("hub:2", await FindAsync("docker.io", "HOME=~"));
        Write("none.json", "{}");
        Assert.Null(await FindAsync("registry.example", "HOME=~ REGISTRY_AUTH_FILE=~/none.json"));
        Write(".config/containers/auth.json", Auths(("registry.example", "new:3")));
        Assert.Equal("new:3", await FindAsync("registry.example", "HOME=~"));
    }

    /// <summary>An empty helper says that the file itself has this host's login, in spite of the store.</summary>
    [Fact]
    public async Task An_empty_helper_turns_the_store_off_for_its_host()
    {
        Write(".docker/config.json", $$"""{ "credsStore": "not-installed", "credHelpers": { "registry.example": "" }, "auths": { "registry.example": { "auth": "{{Base64("u:p")}}" } } }""");
        Assert.Equal("u:p", await FindAsync("registry.example", "HOME=~ PATH=/nowhere"));
    }

    /// <summary>Read once a publish: half of it with the old login and half with the new one would be worse than either.</summary>
    [Fact]
    public async Task A_file_is_read_once()
    {
        var file = Write(".docker/config.json", Auths(("registry.example", "u:1")));
        var (store, _) = CredentialTests.Store([], [], Environment("HOME=~"));
        Assert.Equal("u:1", await CredentialTests.FindAsync(store, "registry.example"));
        File.WriteAllText(file, Auths(("registry.example", "u:2")));
        Assert.Equal("u:1", await CredentialTests.FindAsync(store, "registry.example"));

        // A failure too: it would be said once for every destination in other words.
        Write("broken/config.json", "{");
        var (broken, _) = CredentialTests.Store([], [], Environment("DOCKER_CONFIG=~/broken"));
        await Assert.ThrowsAsync<CredentialException>(() => CredentialTests.FindAsync(broken, "registry.example"));
        Write("broken/config.json", "{}");
        await Assert.ThrowsAsync<CredentialException>(() => CredentialTests.FindAsync(broken, "registry.example"));
    }

    [Fact]
    public async Task The_variable_comes_before_the_files()
    {
        Write(".docker/config.json", Auths(("registry.example", "file:1"), ("other.example", "file:2")));
        var value = Auths(("registry.example", "variable:3")).Replace(" ", "");
        Assert.Equal("variable:3", await FindAsync("registry.example", "HOME=~ DOCKER_AUTH_CONFIG=" + value));
        Assert.Equal("file:2", await FindAsync("other.example", "HOME=~ DOCKER_AUTH_CONFIG=" + value));
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
    [InlineData("""{"auth":"dTpwCg=="}""", "u:p")] // echo u:p | base64
    [InlineData("""{"registrytoken":"","username":"u","password":"p"}""", "u:p")]
    [InlineData("""{"username":"u\n","password":"p\r\n"}""", "u:p")]
    [InlineData("""{"auth":"dTpw\n"}""", "u:p")]
    [InlineData("""{"auth":"dTpw","identitytoken":"\n","registrytoken":"\r\n"}""", "u:p")]
    [InlineData("""{"username":"u","password":"p\nq"}""", "u:p\nq")] // inside: it is sent encoded
    [InlineData("""{"username":"u","password":"\n"}""", null)]
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

    [Theory]
    [InlineData("""{ "auth": "dTpw", "identitytoken": "refresh" }""", CredentialKind.IdentityToken, "refresh")]
    [InlineData("""{ "registrytoken": "bearer" }""", CredentialKind.RegistryToken, "bearer")]
    [InlineData("""{ "auth": "dTpw", "identitytoken": "refresh", "registrytoken": "bearer" }""", CredentialKind.RegistryToken, "bearer")]
    [InlineData("""{ "identitytoken": "refresh\r\n" }""", CredentialKind.IdentityToken, "refresh")]
    [InlineData("""{ "registrytoken": "bearer\n\n" }""", CredentialKind.RegistryToken, "bearer")]
    [InlineData("""{ "auth": "dTpw" }""", CredentialKind.Password, "p")]
    public async Task What_kind_of_secret_an_entry_holds(string entry, CredentialKind kind, string secret)
    {
        Write(".docker/config.json", $$"""{ "auths": { "registry.example": {{entry}} } }""");
        var (store, _) = CredentialTests.Store([], [], Environment("HOME=~"));
        var endpoint = CredentialTests.Endpoint("registry.example");
        var found = await store.FindAsync(endpoint, new(endpoint.Host, "a"), CancellationToken.None);
        Assert.Equal((kind, secret, Path.Combine(_home, ".docker/config.json")), (found!.Kind, found.Password.Reveal(), found.Source));
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
    [InlineData("""{ "auths": { "https://registry.example": { "registrytoken": "c2VjcmV0\nx" } } }""", "has a 'registrytoken' for 'https://registry.example' with control")]
    [InlineData("""{ "auths": { "registry.example": { "registrytoken": "c2VjcmV0\u007f" } } }""", "has a 'registrytoken' for 'registry.example'")]
    [InlineData("""{ "auths": { "registry.example": { "registrytoken": "c2VjcmV0ü" } } }""", "has a 'registrytoken' for 'registry.example'")]
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

    /// <summary>What is there but no file: refused without being opened, for a pipe opens only once somebody writes to it and a device may never end.</summary>
    [Theory]
    [InlineData("mkfifo", "is no regular file")]
    [InlineData("/dev/zero", "is no regular file")]
    [InlineData("/dev/null", "is no regular file")]
    [InlineData("/dev/tty", "is no regular file")]
    [InlineData("folder", "is a folder")]
    [InlineData("large", "is larger than 1 MiB")]
    public async Task Only_files_are_read(string what, string says)
    {
        if (OperatingSystem.IsWindows())
        {
            return; // which has none of these
        }

        var file = Write(".docker/config.json", what == "large" ? new string(' ', (1 << 20) + 1) : "");
        if (what != "large")
        {
            File.Delete(file);
        }

        switch (what)
        {
            case "mkfifo":
                Pipe(file + ".pipe");
                File.CreateSymbolicLink(file, file + ".pipe");
                break;
            case "folder":
                Directory.CreateDirectory(file);
                break;
            case "large":
                break;
            default:
                File.CreateSymbolicLink(file, what);
                break;
        }

        var error = await Assert.ThrowsAsync<CredentialException>(() => Task.Run(() => FindAsync("registry.example", "HOME=~")).WaitAsync(TimeSpan.FromMinutes(1)));
        Assert.Equal(file, error.File);
        Assert.StartsWith($"{file} {says}", error.Message);
        error = await Assert.ThrowsAsync<CredentialException>(() => FindAsync("registry.example", "DOCKER_CONFIG=~/.docker"));
        Assert.StartsWith($"{file} (DOCKER_CONFIG) {says}", error.Message);
    }

    [Fact]
    public async Task A_link_to_a_file_and_one_of_the_largest_size_are_read()
    {
        var file = Write("far/away.json", Auths(("registry.example", "u:p")).PadRight(1 << 20));
        Directory.CreateDirectory(Path.Combine(_home, ".docker"));
        File.CreateSymbolicLink(Path.Combine(_home, ".docker/config.json"), file);
        Assert.Equal("u:p", await FindAsync("registry.example", "HOME=~"));
    }

    /// <summary>A variable that leads nowhere is a mistake, but only of those who get that far.</summary>
    [Theory]
    [InlineData("DOCKER_CONFIG=~/docker/config.json", "DOCKER_CONFIG names the file ~/docker/config.json; it has to name the folder")]
    [InlineData("REGISTRY_AUTH_FILE=~/gone.json", "REGISTRY_AUTH_FILE names ~/gone.json, which does not exist.")]
    [InlineData("DOCKER_CONFIG=~/gone", null)] // a folder that docker would create
    [InlineData("DOCKER_CONFIG=~/docker REGISTRY_AUTH_FILE=~/gone.json", "REGISTRY_AUTH_FILE names")]
    public async Task A_variable_that_leads_nowhere(string variables, string? says)
    {
        Write("docker/config.json", Auths(("other.example", "u:p")));
        Assert.Equal("me:pw", await FindAsync("ghcr.io", "GITHUB_ACTOR=me CR_PAT=pw " + variables));
        if (says is null)
        {
            Assert.Null(await FindAsync("registry.example", variables));
            return;
        }

        var error = await Assert.ThrowsAsync<CredentialException>(() => FindAsync("registry.example", variables));
        Assert.StartsWith(says.Replace("~", _home), error.Message);
        if (variables.StartsWith("DOCKER_CONFIG=~/docker ", StringComparison.Ordinal))
        {
            Assert.Equal("u:p", await FindAsync("other.example", variables));
        }
    }

    /// <summary>In .NET only an archive's reader makes one.</summary>
    private static void Pipe(string path)
    {
        using var archive = new MemoryStream();
        using (var writer = new TarWriter(archive, TarEntryFormat.Pax, leaveOpen: true))
        {
            writer.WriteEntry(new PaxTarEntry(TarEntryType.Fifo, Path.GetFileName(path)));
        }

        archive.Position = 0;
        TarFile.ExtractToDirectory(archive, Path.GetDirectoryName(path)!, overwriteFiles: false);
    }

    [Theory]
    [InlineData("docker-credential-odd")]
    [InlineData("docker-credential-odd.exe")]
    public async Task A_helper_that_is_there_but_no_program_is_named(string name)
    {
        if (OperatingSystem.IsWindows())
        {
            return; // there every .exe is one
        }

        var file = Write(".docker/config.json", """{ "credsStore": "odd" }""");
        var helper = Write("bin/" + name, "x");
        var error = await Assert.ThrowsAsync<CredentialException>(() => FindAsync("registry.example", "HOME=~ PATH=~/bin"));
        Assert.Equal(file, error.File);
        Assert.Contains(name.EndsWith(".exe", StringComparison.Ordinal) ? "docker-credential-odd, named in" : $"{helper}, named in", error.Message);
        Assert.Contains(name.EndsWith(".exe", StringComparison.Ordinal) ? "is not on PATH" : "is not executable", error.Message);
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
        => [.. variables.Split(' ').Select(v => v.Split('=', 2)).Select(v => (v[0], v[1].Replace("~", _home)))];

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
