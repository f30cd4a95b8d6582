using System.Diagnostics;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Credentials;

/// <summary>docker-credential-* programs as they are and as they should not be. Each is a shell script; SECRET stands for what nobody may see.</summary>
public class CredentialHelperTests
{
    private const string Secret = "s3cr3t-of-the-helper";
    private const string Host = "registry.example";
    private const string Answer = """printf '%s' '{"ServerURL":"x","Username":"u","Secret":"SECRET"}'""";

    // For what must not be the time-out, on a machine as busy as may be.
    private static readonly TimeSpan Long = TimeSpan.FromMinutes(2);

    /// <summary>What it does, and what comes of it: user:secret, none, or a piece of the error.</summary>
    [Theory]
    [InlineData("cat >/dev/null; " + Answer, "u:" + Secret)]
    [InlineData(Answer, "u:" + Secret)] // standard input not read
    [InlineData("exec 0<&-; " + Answer, "u:" + Secret)]
    [InlineData("echo 'a warning with SECRET' >&2; " + Answer, "u:" + Secret)]
    [InlineData(Answer + "; echo", "u:" + Secret)]
    [InlineData("""printf '%s' '{"Username":"u","Secret":"SECRET\n"}'""", "u:" + Secret)]
    [InlineData("""printf '%s' '{"Username":"<token>","Secret":"SECRET"}'""", "<token>:" + Secret)]
    [InlineData("""printf '%s' '{"Username":"u\n","Secret":"SECRET\r\n"}'""", "u:" + Secret)]
    [InlineData(Answer + "; echo; echo SECRET", "u:" + Secret)] // docker too reads the first value alone
    [InlineData(Answer + "; (echo SECRET; echo '{}') &", "u:" + Secret)]
    [InlineData(Answer + "; (while :; do echo SECRET || exit; sleep 0.01; done) & sleep 0.2", "u:" + Secret)]
    [InlineData("echo SECRET; " + Answer, "did not answer with usable JSON")]
    [InlineData("""printf '%s' '{"Username":"u","Secret":"SECRET"'""", "did not answer with usable JSON")]
    [InlineData("echo 'credentials not found in native keychain'; exit 1", "none")]
    [InlineData("echo 'Credentials Not Found'; exit 2", "none")]
    [InlineData("echo 'error getting credentials - err: exit status 1, out: `credentials not found in native keychain`'; exit 1", "none")]
    [InlineData("echo 'credentials not found in native keychain' >&2; exit 1", "none")] // not where it belongs, but clear
    [InlineData("""printf '%s' '{"ServerURL":"x","Username":"","Secret":""}'""", "none")] // pass
    [InlineData("""printf '%s' '{"ServerURL":"x"}'""", "none")]
    [InlineData("""printf '%s' '{"Username":"","Secret":"SECRET"}'""", "without a user name")]
    [InlineData("""printf '%s' '{"Username":7,"Secret":"SECRET"}'""", "without a user name")]
    [InlineData("echo 'no credentials username'; exit 1", "has an entry without a user name")]
    [InlineData("echo 'no credentials server URL'; exit 1", "did not take registry.example for a server")]
    [InlineData("echo 'ERROR: (gcloud.auth.docker-helper) You do not currently have an active account selected, SECRET'; exit 1", "failed with exit code 1")]
    [InlineData("echo SECRET >&2; exit 77", "failed with exit code 77")]
    [InlineData("kill -9 $$", "failed with exit code 137")]
    [InlineData("", "answered nothing")]
    [InlineData("echo", "answered nothing")]
    [InlineData("echo SECRET", "did not answer with usable JSON")]
    [InlineData("""echo '["SECRET"]'""", "did not answer with usable JSON")]
    [InlineData("""printf '%s' '{"Username":"u","Secret":"SECRET\ud800"}'""", "did not answer with usable JSON")]
    [InlineData("""printf '%s' '{"Username":"u","Secret":"SECRET","Secret":"x"}'""", "did not answer with usable JSON")]
    [InlineData("exec yes SECRET", "printed more than 1 MiB and was stopped")]
    [InlineData("exec yes SECRET >&2", "printed more than 1 MiB and was stopped")]
    public async Task What_a_helper_may_answer(string script, string expected)
    {
        await using var bench = await Bench.CreateAsync(script);
        var (found, error) = await Bench.TryAsync(bench.Store(Long));
        if (error is null)
        {
            Assert.Equal(expected, found is null ? "none" : $"{found.Username}:{found.Password.Reveal()}");
            Assert.Equal(found is null ? null : $"docker-credential-odd (named in {bench.Config})", found?.Source);
            Assert.Equal(found?.Username == "<token>" ? CredentialKind.IdentityToken : CredentialKind.Password, found?.Kind ?? CredentialKind.Password);
            return;
        }

        Assert.True(error.Message.Contains(expected, StringComparison.Ordinal), error.Message);
        Assert.Contains("docker-credential-odd", error.Message);
        Assert.Contains(bench.Config, error.Message);
        Assert.Equal(bench.Config, error.File);
        Assert.DoesNotContain(Secret, error.ToString());
        Assert.DoesNotContain('\n', error.Message);
    }

    [Fact]
    public async Task One_that_can_t_be_run_is_named()
    {
        await using var bench = await Bench.CreateAsync("", interpreter: "/no/such/shell");
        var (_, error) = await Bench.TryAsync(bench.Store(Long));
        Assert.Contains("can't be run", error!.Message);
    }

    [Fact]
    public async Task One_that_hangs_is_stopped_with_what_it_started()
    {
        await using var bench = await Bench.CreateAsync("sleep 600 & echo $! > HERE/child; echo $$ > HERE/self; wait");
        var (_, error) = await Bench.TryAsync(bench.Store(TimeSpan.FromSeconds(5)));
        Assert.Contains("docker-credential-odd", error!.Message);
        Assert.Contains("did not answer within 5 seconds and was stopped", error.Message);
        foreach (var name in new[] { "child", "self" })
        {
            var id = int.Parse((await File.ReadAllTextAsync(bench.At(name))).Trim(), System.Globalization.CultureInfo.InvariantCulture);
            await UntilAsync(() => !IsRunning(id), $"{name} is still there");
        }
    }

    /// <summary>An agent that a helper starts inherits its output; the answer is complete all the same.</summary>
    [Fact]
    public async Task One_that_leaves_an_agent_behind_has_answered()
    {
        await using var bench = await Bench.CreateAsync("sleep 600 & echo $! > HERE/child; " + Answer);
        try
        {
            var (found, error) = await Bench.TryAsync(bench.Store(Long));
            Assert.Null(error);
            Assert.Equal(Secret, found!.Password.Reveal());
        }
        finally
        {
            using var child = Process.GetProcessById(int.Parse((await File.ReadAllTextAsync(bench.At("child"))).Trim(), System.Globalization.CultureInfo.InvariantCulture));
            child.Kill();
        }
    }

    /// <summary>Helpers compare text: they are asked in the spelling that the file has.</summary>
    [Theory]
    [InlineData("registry.example", """{ "credHelpers": { "registry.example": "odd" } }""", "registry.example")]
    [InlineData("registry.example", """{ "credHelpers": { "https://Registry.example": "odd" } }""", "https://Registry.example")]
    [InlineData("registry.example", """{ "credsStore": "odd" }""", "registry.example")]
    [InlineData("registry.example", """{ "credsStore": "odd", "auths": { "registry.example": {} } }""", "registry.example")]
    [InlineData("registry.example", """{ "credsStore": "odd", "auths": { "https://registry.example": {} } }""", "https://registry.example")]
    [InlineData("registry.example", """{ "credsStore": "odd", "auths": { "https://registry.example": {}, "registry.example": {} } }""", "registry.example")]
    [InlineData("registry.example", """{ "credsStore": "odd", "auths": { "registry.example/owner": {}, "other.example": {} } }""", "registry.example")]
    [InlineData("localhost:5000", """{ "credsStore": "odd" }""", "localhost:5000")]
    [InlineData("docker.io", """{ "credsStore": "odd" }""", "https://index.docker.io/v1/")]
    [InlineData("docker.io", """{ "credsStore": "odd", "auths": { "https://index.docker.io/v1/access-token": {}, "https://index.docker.io/v1/": {}, "docker.io": {} } }""", "https://index.docker.io/v1/")]
    [InlineData("docker.io", """{ "credHelpers": { "docker.io": "odd" } }""", "docker.io")]
    [InlineData("docker.io", """{ "credHelpers": { "https://index.docker.io/v1/": "odd" } }""", "https://index.docker.io/v1/")]
    public async Task What_it_is_asked(string host, string config, string server)
    {
        await using var bench = await Bench.CreateAsync("cat > HERE/asked; " + Answer, config);
        var (found, _) = await Bench.TryAsync(bench.Store(Long), host);
        Assert.Equal(Secret, found!.Password.Reveal());
        Assert.Equal(server, await File.ReadAllTextAsync(bench.At("asked")));
    }

    /// <summary>docker's order: a helper for the host, else the store; what these do not have, the file has not either.</summary>
    [Theory]
    [InlineData("""{ "credHelpers": { "registry.example": "odd" }, "credsStore": "not-installed", "auths": { "registry.example": { "auth": "ZjpmaWxl" } } }""", Answer, "u:" + Secret)]
    [InlineData("""{ "credHelpers": { "other.example": "not-installed" }, "credsStore": "odd" }""", Answer, "u:" + Secret)]
    [InlineData("""{ "credsStore": "odd", "auths": { "registry.example": { "auth": "ZjpmaWxl" } } }""", "echo 'credentials not found'; exit 1", "none")]
    [InlineData("""{ "credHelpers": { "registry.example": "odd" }, "auths": { "registry.example": { "auth": "ZjpmaWxl" } } }""", "echo 'credentials not found'; exit 1", "none")]
    [InlineData("""{ "credHelpers": { "registry.example/owner": "not-installed" }, "credsStore": "odd" }""", Answer, "u:" + Secret)] // helpers have no namespaces
    public async Task Which_helper_is_asked_and_what_comes_after_it(string config, string script, string expected)
    {
        await using var bench = await Bench.CreateAsync(script, config);
        var (found, error) = await Bench.TryAsync(bench.Store(Long));
        Assert.Null(error);
        Assert.Equal(expected, found is null ? "none" : $"{found.Username}:{found.Password.Reveal()}");
    }

    [Theory]
    [InlineData(Answer)]
    [InlineData("echo 'credentials not found'; exit 1")]
    [InlineData("exit 3")]
    public async Task It_is_run_once_a_publish_however_often_it_is_asked_for(string script)
    {
        await using var bench = await Bench.CreateAsync("echo run >> HERE/runs; " + script);
        var store = bench.Store(Long);
        var found = await Task.WhenAll(Enumerable.Range(0, 8).Select(i => Task.Run(() => Bench.TryAsync(store, name: $"owner/name{i}"))));
        Assert.Single(found.Select(f => (f.Found?.Password.Reveal(), f.Error?.Message)).Distinct());
        Assert.Single(await File.ReadAllLinesAsync(bench.At("runs")));
        await Bench.TryAsync(store, "other.example");
        Assert.Equal(2, (await File.ReadAllLinesAsync(bench.At("runs"))).Length);
    }

    /// <summary>The checks before building are short of patience; what they began is there for who asks after them.</summary>
    [Fact]
    public async Task Who_gives_up_leaves_the_run_to_others()
    {
        await using var bench = await Bench.CreateAsync("echo run >> HERE/runs; while ! test -e HERE/go; do sleep 0.05; done; " + Answer);
        var store = bench.Store(Long);
        using var cancel = new CancellationTokenSource();
        var first = Bench.TryAsync(store, cancellationToken: cancel.Token);
        await UntilAsync(() => File.Exists(bench.At("runs")), "it did not start");
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        var second = Bench.TryAsync(store);
        await File.WriteAllTextAsync(bench.At("go"), "");
        Assert.Equal(Secret, (await second).Found!.Password.Reveal());
        Assert.Single(await File.ReadAllLinesAsync(bench.At("runs")));
    }

    [Fact]
    public async Task The_end_of_the_publish_is_the_end_of_its_helpers()
    {
        await using var bench = await Bench.CreateAsync("echo $$ > HERE/new; mv HERE/new HERE/self; sleep 600");
        var store = bench.Store(Long);
        using var cancel = new CancellationTokenSource();
        var first = Bench.TryAsync(store, cancellationToken: cancel.Token);
        await UntilAsync(() => File.Exists(bench.At("self")), "it did not start");
        var second = Bench.TryAsync(store);
        await cancel.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => first);
        var id = int.Parse((await File.ReadAllTextAsync(bench.At("self"))).Trim(), System.Globalization.CultureInfo.InvariantCulture);
        Assert.True(IsRunning(id));
        store.Dispose();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => second);
        await UntilAsync(() => !IsRunning(id), "it is still there");
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => Bench.TryAsync(store, "other.example"));
    }

    // A zombie whose parent does not look is no running process.
    private static bool IsRunning(int id)
    {
        try
        {
            return !File.ReadAllText($"/proc/{id}/stat").Split(')')[^1].TrimStart().StartsWith('Z');
        }
        catch (IOException)
        {
            return false;
        }
    }

    private static async Task UntilAsync(Func<bool> condition, string otherwise)
    {
        for (var start = Stopwatch.StartNew(); !condition();)
        {
            Assert.True(start.Elapsed < TimeSpan.FromMinutes(1), otherwise);
            await Task.Delay(20);
        }
    }

    /// <summary>A home whose docker configuration names the helper «odd».</summary>
    private sealed class Bench : IAsyncDisposable
    {
        private readonly TempDirectory _folder = new();

        public string Config => _folder.File("docker", "config.json");

        public static async Task<Bench> CreateAsync(string script, string config = """{ "credsStore": "odd" }""", string interpreter = "/bin/sh")
        {
            var bench = new Bench();
            var program = bench._folder.File("bin", "docker-credential-odd");
            await File.WriteAllTextAsync(program, $"#!{interpreter}\n{script.Replace("SECRET", Secret, StringComparison.Ordinal).Replace("HERE", bench._folder.Path, StringComparison.Ordinal)}\n");
            File.SetUnixFileMode(program, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            await File.WriteAllTextAsync(bench.Config, config);
            return bench;
        }

        public string At(string name) => Path.Combine(_folder.Path, name);

        public CredentialStore Store(TimeSpan timeout)
        {
            var environment = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["DOCKER_CONFIG"] = Path.GetDirectoryName(Config)!,
                ["PATH"] = _folder.Folder("bin") + ":/usr/bin:/bin",
            };
            return CredentialStore.Create([], environment, [], [], timeout);
        }

        public static async Task<(Credential? Found, CredentialException? Error)> TryAsync(CredentialStore store, string host = Host, string name = "owner/name", CancellationToken cancellationToken = default)
        {
            Assert.True(RegistryHost.TryParse(host, out var parsed));
            try
            {
                return (await store.FindAsync(EndpointMap.Empty.Resolve(parsed), new(parsed, name), cancellationToken), null);
            }
            catch (CredentialException e)
            {
                return (null, e);
            }
        }

        public ValueTask DisposeAsync() => _folder.DisposeAsync();
    }
}
