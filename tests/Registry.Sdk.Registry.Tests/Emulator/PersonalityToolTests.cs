using System.Text.Json.Nodes;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Emulator;

/// <summary>
/// A Docker engine and skopeo at both personalities, with good, weak, wrong and no credentials. They know the real services' manners from
/// elsewhere, so that what they make of the emulator's says whether those are true. The tables follow wire-facts 2.1 to 2.5 and 4.1:
/// per credentials what happens to a pull of a public repository, a pull of a private one, a push to one that exists, and a push that
/// would create one. <c>ok</c>, or a piece of what the tool has to print.
/// </summary>
public sealed class PersonalityToolTests : PersonalityTest
{
    private const string Denied = "denied";
    private const string Scopes = "permission_denied: The token provided does not match expected scopes.";
    private const string Unauthorized = "authentication required|unauthorized|access to the resource is denied|authorization failed";
    private const string BadPassword = "incorrect username or password|unauthorized|unable to retrieve auth token|authentication required";

    // It looks before it pushes, and keeps the registry's words to itself then.
    private const string SkopeoAlso = "|403 (Forbidden)|authentication required";

    private static readonly (string? Credentials, string PullPublic, string PullPrivate, string Push, string Create)[] Ghcr =
    [
        (null, "ok", Unauthorized, Denied, Denied),
        ("boss:boss-write-value", "ok", "ok", "ok", "ok"),
        ("boss:boss-read-value", "ok", "ok", Scopes, Scopes),
        ("boss:boss-expired-value", Denied, Denied, Denied, Denied),
        ("boss:boss-fine-value", Denied, Denied, Denied, Denied),
        ("x-access-token:app-value", Denied + "|" + Unauthorized, Unauthorized, "installation not allowed to Write organization package", "installation not allowed to Create organization package"),
        ("actor:job-value", "ok", Unauthorized, "permission_denied: write_package", "ok"),
        ("actor:read-job-value", "ok", Unauthorized, "installation not allowed to Write organization package", "installation not allowed to Create organization package"),
    ];

    private static readonly (string? Credentials, string PullPublic, string PullPrivate, string Push, string Create)[] DockerHub =
    [
        (null, "ok", Unauthorized, Unauthorized, Unauthorized),
        ("acme:acme-password", "ok", "ok", "ok", "ok"),
        ("acme:acme-write", "ok", "ok", "ok", "ok"),
        ("acme:acme-read", "ok", "ok", Unauthorized, Unauthorized),
        ("acme:wrong", BadPassword, BadPassword, BadPassword, BadPassword),
        ("stranger:stranger-password", "ok", Unauthorized, Unauthorized, Unauthorized),
        ("dev:dev-password", "ok", "ok", "ok", Unauthorized),
    ];

    private int _created;

    [NeedsToolsFact("docker", "dockerd", "skopeo")]
    [WireFact("2.3 public with tag", "2.3 private, in the conflicting variants", "2.5 denied: denied is a bad or expired secret", "2.5 installation not allowed", "2.5 permission_denied: write_package", "2.1 bad credentials break public pulls")]
    public async Task Docker_and_skopeo_at_ghcr()
    {
        await RestartAsync(new EmulatorOptions { StateDirectory = State, Personality = EmulatorPersonality.Ghcr, GitHub = GitHubExample.World() });
        await RunTableAsync("boss:boss-write-value", Ghcr);
    }

    [NeedsToolsFact("docker", "dockerd", "skopeo")]
    [WireFact("4.1 a token is always issued, and then 401 insufficient_scope", "4.1 push denial", "4.1 the first push creates the repository with the default visibility", "4.1 wrong credentials")]
    public async Task Docker_and_skopeo_at_docker_hub()
    {
        var world = DockerHubExample.World();
        world = new DockerHubWorld { AnonymousPulls = 100, Namespaces = world.Namespaces, Repositories = world.Repositories, Secrets = world.Secrets };
        await RestartAsync(new EmulatorOptions { StateDirectory = State, Personality = EmulatorPersonality.DockerHub, DockerHub = world });
        await RunTableAsync("acme:acme-password", DockerHub);
    }

    private async Task RunTableAsync(string good, (string? Credentials, string PullPublic, string PullPrivate, string Push, string Create)[] table)
    {
        var engine = await DockerEngine.SharedAsync();
        var layout = Path.Combine(Scratch, "layout");
        Directory.CreateDirectory(layout);
        var image = new TestImage();
        image.AddFile("/hello.txt", Scratch);
        image.Entrypoint.Add("/hello");
        var digest = await image.WriteLayoutAsync(layout, "image");
        foreach (var repository in new[] { "acme/public", "acme/private" })
        {
            (await Skopeo.RunAsync(["copy", "--quiet", "--preserve-digests", "--dest-tls-verify=false", "--dest-creds", good, $"oci:{layout}:image", "docker://" + Reference(repository)])).EnsureSuccess();
        }

        Assert.Equal(digest, await engine.PullAsync(Reference("acme/public"), ConfigFolder(good)));
        var wrong = new List<string>();
        foreach (var (credentials, pullPublic, pullPrivate, push, create) in table)
        {
            await ExpectAsync("docker pulls public", pullPublic, engine.RunAsync(["pull", Reference("acme/public")], ConfigFolder(credentials)));
            await ExpectAsync("docker pulls private", pullPrivate, engine.RunAsync(["pull", Reference("acme/private")], ConfigFolder(credentials)));
            await ExpectAsync("docker pushes", push, DockerPushAsync("acme/public"));
            if (credentials is not null)
            {
                // Without credentials Docker tries a refused token five times, for fifty seconds: once is enough.
                await ExpectAsync("docker creates", create, DockerPushAsync(NewName()));
            }

            await ExpectAsync("skopeo pulls public", pullPublic, Copy($"docker://{Reference("acme/public")}", $"dir:{Scratch}/d"));
            await ExpectAsync("skopeo pulls private", pullPrivate, Copy($"docker://{Reference("acme/private")}", $"dir:{Scratch}/d"));
            await ExpectAsync("skopeo pushes", push, Copy($"oci:{layout}:image", $"docker://{Reference("acme/public")}"));
            await ExpectAsync("skopeo creates", create, Copy($"oci:{layout}:image", $"docker://{Reference(NewName())}"));

            async Task<ProcessResult> DockerPushAsync(string repository)
            {
                (await engine.RunAsync(["tag", Reference("acme/public"), Reference(repository)])).EnsureSuccess();
                return await engine.RunAsync(["push", Reference(repository)], ConfigFolder(credentials));
            }

            Task<ProcessResult> Copy(string from, string to) => Skopeo.RunAsync(
                ["copy", "--quiet", "--retry-times=0", "--src-tls-verify=false", "--dest-tls-verify=false", "--authfile", Path.Combine(ConfigFolder(credentials), "config.json"), from, to]);

            async Task ExpectAsync(string what, string expected, Task<ProcessResult> doing)
            {
                var result = await doing;
                var asExpected = expected == "ok" ? result.ExitCode == 0 : result.ExitCode != 0 && (expected + (what.StartsWith("skopeo", StringComparison.Ordinal) ? SkopeoAlso : "")).Split('|').Any(piece => result.Output.Contains(piece, StringComparison.Ordinal));
                if (!asExpected)
                {
                    wrong.Add($"{credentials ?? "nobody"}: {what}: expected '{expected}', exit code {result.ExitCode}: {result.Output.Trim()}");
                }
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
        Assert.DoesNotContain(Emulator.Requests, request => request.Origin == Emulator.BlobAddress!.Authority && (request.HasAuthorization || request.Secrets.Count > 0));
        Assert.Contains(Emulator.Requests, request => request.Origin == Emulator.BlobAddress!.Authority && request.Status == 200);
    }

    private string Reference(string repository) => $"{Emulator.Host}/{repository}:v1";

    private string NewName() => $"acme/new{_created++}";

    private string ConfigFolder(string? credentials)
    {
        var folder = Path.Combine(Scratch, "config-" + (credentials ?? "nobody").Replace(':', '-'));
        Directory.CreateDirectory(folder);
        var auths = new JsonObject();
        if (credentials is not null)
        {
            auths[Emulator.Host] = new JsonObject { ["auth"] = Convert.ToBase64String(Bytes(credentials)) };
        }

        File.WriteAllText(Path.Combine(folder, "config.json"), new JsonObject { ["auths"] = auths }.ToJsonString());
        return folder;
    }
}
