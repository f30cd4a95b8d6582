using System.Net;
using System.Text;
using Registry.Sdk.Emulator;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Emulator;

/// <summary>The executable: its contract with scripts, and what a kill leaves.</summary>
public sealed class CommandLineTests : IDisposable
{
    private readonly string _scratch = Directory.CreateTempSubdirectory("emu-exe-").FullName;

    private string State => Path.Combine(_scratch, "state");

    public void Dispose() => Directory.Delete(_scratch, recursive: true);

    [NeedsToolsFact("kill")]
    public async Task Serve_prints_one_line_and_stops_on_sigterm()
    {
        var log = Path.Combine(_scratch, "log");
        await using var exe = await EmulatorExecutable.ServeAsync(State, "--log", log);
        using var client = new HttpClient();
        Assert.Equal("{}", await client.GetStringAsync(new Uri(exe.Address, "/v2/")));
        await EmulatorTestProcess.TerminateAsync(exe.Process);
        await exe.Process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(0, exe.Process.ExitCode);
        Assert.Equal("", await exe.Process.StandardOutput.ReadToEndAsync());
        Assert.Equal("", await exe.Errors);
        Assert.EndsWith(" GET /v2/ 200 in=0 out=2", Assert.Single(await File.ReadAllLinesAsync(log)), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Serve_stops_with_standard_input_when_asked()
    {
        await using var exe = await EmulatorExecutable.ServeAsync(State, "--stop-with-stdin");
        exe.Process.StandardInput.Close();
        await exe.Process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(20));
        Assert.Equal(0, exe.Process.ExitCode);
    }

    [Fact]
    public async Task Serve_goes_on_without_standard_input_when_not_asked()
    {
        await using var exe = await EmulatorExecutable.ServeAsync(State);
        exe.Process.StandardInput.Close();
        await Task.Delay(500);
        using var client = new HttpClient();
        Assert.Equal("{}", await client.GetStringAsync(new Uri(exe.Address, "/v2/")));
    }

    [Fact]
    public async Task Users_come_from_variables_and_a_real_looking_secret_is_warned_of()
    {
        const string Secret = "ghp_0123456789abcdef";
        Environment.SetEnvironmentVariable("EMULATOR_TEST_PASSWORD", Secret);
        try
        {
            await using var exe = await EmulatorExecutable.ServeAsync(State, "--user", "me:EMULATOR_TEST_PASSWORD:pull", "--stop-with-stdin");
            using var client = new HttpClient { BaseAddress = exe.Address };
            Assert.Equal(HttpStatusCode.Unauthorized, (await client.GetAsync(new Uri("/v2/", UriKind.Relative))).StatusCode);
            client.DefaultRequestHeaders.Authorization = new("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes("me:" + Secret)));
            Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(new Uri("/v2/", UriKind.Relative))).StatusCode);
            Assert.Equal(HttpStatusCode.Forbidden, (await client.PostAsync(new Uri("/v2/a/blobs/uploads/", UriKind.Relative), null)).StatusCode);
            exe.Process.StandardInput.Close();
            await exe.Process.WaitForExitAsync();
            var errors = await exe.Errors;
            Assert.Contains("the secret of 'me' looks like a real one", errors, StringComparison.Ordinal);
            Assert.Contains("request 1 presented what looks like a real secret", errors, StringComparison.Ordinal);
            Assert.DoesNotContain(Secret, errors, StringComparison.Ordinal);
        }
        finally
        {
            Environment.SetEnvironmentVariable("EMULATOR_TEST_PASSWORD", null);
        }
    }

    [Theory]
    [InlineData(
        "ghcr",
        """{ "owners": { "Acme": { "kind": "organization", "admins": ["me"] } }, "packages": { "acme/app": { "visibility": "public" } }, "secrets": { "laptop": { "value": "test-1", "user": "me", "scopes": ["write:packages"] } } } // the world""",
        "repository:user/image:pull",
        "/api/orgs/acme/packages/container/app")]
    [InlineData(
        "dockerhub",
        """{ "repositories": { "me/app": { "isPrivate": true } }, "secrets": { "laptop": { "value": "test-1", "kind": "personalToken", "user": "me", "permission": "readWrite", }, } }""",
        "registry.docker.io",
        "/api/v2/namespaces/me/repositories/app")]
    public async Task A_personality_serves_a_world_from_a_file(string personality, string world, string challenge, string path)
    {
        var file = Path.Combine(_scratch, "world.json");
        await File.WriteAllTextAsync(file, world);
        await using var exe = await EmulatorExecutable.ServeAsync(State, "--personality", personality, "--world", file, "--stop-with-stdin");
        using var client = new HttpClient { BaseAddress = exe.Address };
        client.DefaultRequestHeaders.UserAgent.ParseAdd("test");
        Assert.Contains(challenge, (await client.GetAsync(new Uri("/v2/", UriKind.Relative))).Headers.WwwAuthenticate.ToString(), StringComparison.Ordinal);
        Assert.False((await client.GetAsync(new Uri(path, UriKind.Relative))).IsSuccessStatusCode);
        var token = "test-1";
        if (personality == "dockerhub")
        {
            using var body = new StringContent("""{"identifier":"me","secret":"test-1"}""", Encoding.UTF8, "application/json");
            using var json = System.Text.Json.JsonDocument.Parse(await (await client.PostAsync(new Uri("/api/v2/auth/token", UriKind.Relative), body)).Content.ReadAsStringAsync());
            token = json.RootElement.GetProperty("access_token").GetString();
        }

        client.DefaultRequestHeaders.Authorization = new("Bearer", token);
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(new Uri(path, UriKind.Relative))).StatusCode);
        exe.Process.StandardInput.Close();
        Assert.Equal("", await exe.Errors);
    }

    [Fact]
    public async Task A_world_that_is_not_one_is_wrong_usage_and_shows_no_secret()
    {
        var file = Path.Combine(_scratch, "world.json");
        await File.WriteAllTextAsync(file, """{ "secrets": { "laptop": { "value": ["the-secret"] } } }""");
        var (code, _, error) = await EmulatorExecutable.RunAsync("serve", "--state", State, "--personality", "ghcr", "--world", file);
        Assert.Equal(2, code);
        Assert.Contains("$.secrets.laptop.value", error, StringComparison.Ordinal);
        Assert.DoesNotContain("the-secret", error, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("no command")]
    [InlineData("--world needs --personality", "serve", "--state", "s", "--world", "w")]
    [InlineData("--personality quay: expected plain or ghcr or dockerhub", "serve", "--state", "s", "--personality", "quay")]
    [InlineData("unknown command 'fly'", "fly")]
    [InlineData("--state is missing", "serve")]
    [InlineData("--port x: not a number", "serve", "--state", "s", "--port", "x")]
    [InlineData("unknown argument '--prot'", "serve", "--state", "s", "--prot", "1")]
    [InlineData("--user u: expected NAME:VARIABLE", "serve", "--state", "s", "--user", "u")]
    [InlineData("environment variable 'NOT_SET_ANYWHERE' is not set", "serve", "--state", "s", "--user", "u:NOT_SET_ANYWHERE")]
    [InlineData("--format tar: expected oci or docker", "seed-base", "--state", "s", "--repository", "a", "--tag", "1", "--format", "tar")]
    [InlineData("'win-x64' is not a Linux runtime identifier", "seed-base", "--state", "s", "--repository", "a", "--tag", "1", "--rid", "win-x64")]
    [InlineData("'A:1' is not a repository name and a tag", "seed-base", "--state", "s", "--repository", "A", "--tag", "1")]
    [InlineData("expected one image, or an index", "seed-base", "--state", "s", "--repository", "a", "--tag", "1", "--rid", "linux-x64", "--rid", "linux-arm64")]
    public async Task Wrong_usage_is_2_and_says_what(string message, params string[] arguments)
    {
        var replaced = arguments.Select(argument => argument == "s" ? State : argument).ToArray();
        var (code, output, error) = await EmulatorExecutable.RunAsync(replaced);
        Assert.Contains(message, error, StringComparison.Ordinal);
        Assert.Contains("usage:", error, StringComparison.Ordinal);
        Assert.Equal(2, code);
        Assert.Equal("", output);
    }

    [Fact]
    public async Task A_state_directory_in_use_is_1()
    {
        await using var exe = await EmulatorExecutable.ServeAsync(State);
        var (code, _, error) = await EmulatorExecutable.RunAsync("serve", "--state", State);
        Assert.Equal(1, code);
        Assert.StartsWith("error: state directory", error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_kill_in_the_middle_of_uploads_leaves_no_half_blob()
    {
        var content = new byte[50_000_000];
        var digest = "sha256:" + Convert.ToHexStringLower(System.Security.Cryptography.SHA256.HashData(content));
        await using (var exe = await EmulatorExecutable.ServeAsync(State))
        {
            using var socket = new System.Net.Sockets.TcpClient();
            await socket.ConnectAsync(IPAddress.Loopback, exe.Address.Port);
            await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(
                $"POST /v2/a/blobs/uploads/?digest={digest} HTTP/1.1\r\nHost: x\r\nContent-Length: {content.Length}\r\n\r\n"));
            await socket.GetStream().WriteAsync(content.AsMemory(0, 40_000_000));
            for (var tries = 0; !Directory.GetFiles(Path.Combine(State, "partial")).Any(file => new FileInfo(file).Length > 1_000_000); tries++)
            {
                Assert.True(tries < 500, "no upload came under way");
                await Task.Delay(20);
            }

            exe.Process.Kill();
            await exe.Process.WaitForExitAsync();
        }

        Assert.NotEmpty(Directory.GetFiles(Path.Combine(State, "partial")));
        Assert.Empty(Directory.GetFiles(Path.Combine(State, "blobs", "sha256")));
        await using var again = await EmulatorServer.StartAsync(new EmulatorOptions { StateDirectory = State });
        Assert.Empty(Directory.GetFiles(Path.Combine(State, "partial")));
        using var client = new HttpClient { BaseAddress = again.BaseAddress };
        Assert.Equal(HttpStatusCode.NotFound, (await client.GetAsync(new Uri($"/v2/a/blobs/{digest}", UriKind.Relative))).StatusCode);
        using var body = new ByteArrayContent(content);
        Assert.Equal(HttpStatusCode.Created, (await client.PostAsync(new Uri($"/v2/a/blobs/uploads/?digest={digest}", UriKind.Relative), body)).StatusCode);
    }
}
