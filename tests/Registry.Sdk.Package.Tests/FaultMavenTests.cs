using System.Text.Json.Nodes;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>The open-source fleet: <c>samples/faultmaven</c> as it is, against a ghcr.io where all ten packages were born private.</summary>
[Collection(EditionPackageTests.Name)]
public sealed class FaultMavenTests(PackageFixture fixture)
{
    private const string Token = "ghp-of-the-boss-not-a-real-one";

    private static readonly string[] Names =
    [
        "fm-agent-service", "fm-api-gateway", "fm-auth-service", "fm-case-service", "fm-dashboard", "fm-enterprise", "fm-evidence-service", "fm-job-worker", "fm-knowledge-service", "fm-session-service",
    ];

    [Fact]
    public async Task Ten_private_packages_become_public_by_ten_clicks_and_one_that_turns_back_is_told()
    {
        await using var directory = new TempDirectory("fm");
        var refused = string.Empty;
        await using var gitHub = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = directory.Folder("github"),
            Personality = EmulatorPersonality.Ghcr,
            GitHub = new()
            {
                Owners = { ["faultmaven"] = GitHubOwner.Organization("boss") },
                Secrets = { ["boss"] = GitHubSecret.Classic(Token, "boss", "write:packages", "read:packages") },
            },
            Intercept = async context =>
            {
                if (refused.Length == 0 || context.Request.Headers.Authorization.Count > 0 || !$"{context.Request.Path}{Uri.UnescapeDataString(context.Request.QueryString.Value ?? "")}".Contains($"faultmaven/{refused}", StringComparison.Ordinal))
                {
                    return false;
                }

                context.Response.StatusCode = 401;
                await context.Response.Body.WriteAsync("""{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}"""u8.ToArray());
                return true;
            },
        });
        await using var workspace = await FaultMavenAsync(gitHub);
        await PublishAsync(workspace, gitHub);
        var published = gitHub.Requests.Count;
        var engine = await DockerEngine.SharedAsync();
        var images = Names.Select(name => $"{gitHub.Host}/faultmaven/{name}:latest").ToList();

        // All private: the run fails, names each page, and nobody can pull.
        var first = await workspace.BuildAsync("fleet.proj");
        Assert.False(first.Succeeded);
        Assert.Equal(["RSDK7002", "RSDK7041"], first.Codes().Order(StringComparer.Ordinal));
        Assert.Equal(10, first.Errors.Count(error => error.Code == "RSDK7002"));
        Assert.Equal(9, first.Errors.Count(error => error.Code == "RSDK7041"));
        Assert.All(Names, name => Assert.Contains($"https://github.com/orgs/faultmaven/packages/container/{name}/settings", first.Output, StringComparison.Ordinal));
        Assert.False((await ReportAsync(workspace))["succeeded"]!.GetValue<bool>());
        foreach (var image in images)
        {
            var pull = await engine.RunAsync(["pull", image]);
            Assert.NotEqual(0, pull.ExitCode);
            Assert.Contains("unauthorized", pull.StandardError, StringComparison.OrdinalIgnoreCase);
        }

        foreach (var name in Names)
        {
            gitHub.Click(SettingsClick.Change($"faultmaven/{name}", GitHubVisibility.Public));
        }

        // All public: the run is green, and a newcomer's engine pulls and starts what the compose file names.
        var second = await workspace.BuildAsync("fleet.proj");
        Assert.True(second.Succeeded, second.ToString());
        Assert.Empty(second.Codes());
        Assert.Contains("verified 10 packages and 9 compose images", second.Output, StringComparison.Ordinal);
        var report = await ReportAsync(workspace);
        Assert.True(report["succeeded"]!.GetValue<bool>());
        Assert.Equal(19, report["packages"]!.AsArray().Concat(report["composeImages"]!.AsArray()).Count(row => row!["verdict"]!.GetValue<string>() == "good"));
        Assert.DoesNotContain(Token, first.Output + second.Output + report.ToJsonString(), StringComparison.Ordinal);
        foreach (var image in images)
        {
            await engine.PullAsync(image);
        }

        foreach (var row in report["composeImages"]!.AsArray().Take(2))
        {
            var image = row!["image"]!.GetValue<string>().Replace("ghcr.io", gitHub.Host, StringComparison.Ordinal);
            await using var container = await engine.RunAspNetAsync(image, "/health");
            Assert.Equal("healthy", await container.Client.GetStringAsync(new Uri("/health", UriKind.Relative)));
        }

        // One of them answers 401 again: the run names it, and it alone.
        refused = "fm-case-service";
        var third = await workspace.BuildAsync("fleet.proj");
        Assert.False(third.Succeeded);
        Assert.NotEmpty(third.Errors);
        Assert.All(third.Errors, error => Assert.Contains("ghcr.io/faultmaven/fm-case-service", error.Text, StringComparison.Ordinal));
        Assert.Contains("RSDK7002", third.Codes());
        Assert.All(gitHub.Requests.Skip(published), request => Assert.Contains(request.Method, new[] { "GET", "HEAD" }));
    }

    /// <summary>The sample's files in a repository of their own, pointed at the emulator by one item.</summary>
    private async Task<Workspace> FaultMavenAsync(EmulatorServer gitHub)
    {
        var workspace = await fixture.CreateWorkspaceAsync();
        var sample = Path.Combine(TestRun.RepositoryRoot, "samples", "faultmaven");
        foreach (var file in Directory.EnumerateFiles(sample))
        {
            workspace.Write(Path.GetFileName(file), await File.ReadAllTextAsync(file));
        }

        workspace.Replace("fleet.proj", "Registry.Sdk/1.0.0", $"{fixture.Feed.PackageId}/{fixture.Feed.Version}");
        workspace.Replace(
            "fleet.proj",
            "    <ContainerComposeFile ",
            $"    <RegistrySdkEndpoint Include=\"ghcr.io\" Registry=\"http://{gitHub.Host}\" Api=\"{gitHub.Api}\" />\n    <ContainerComposeFile ");
        workspace.Environment = workspace.Environment.With("CR_PAT", Token).With("GITHUB_ACTOR", "boss");
        return workspace;
    }

    /// <summary>One small service under ten names: what is in them does not matter, who may read them does.</summary>
    private async Task PublishAsync(Workspace workspace, EmulatorServer gitHub)
    {
        var project = ProjectBuilder.Web().Sdk(fixture.Feed.PackageId, fixture.Feed.Version).Property("ContainerVersion", "0.4.0")
            .Item("RegistrySdkEndpoint", "ghcr.io", ("Registry", $"http://{gitHub.Host}"), ("Api", gitHub.Api.ToString()));
        foreach (var name in Names)
        {
            project.Item("ContainerDestination", $"ghcr.io/faultmaven/{name}");
        }

        workspace.Write("service/Program.cs", "var app = WebApplication.CreateSlimBuilder(args).Build();\napp.MapGet(\"/health\", () => \"healthy\");\napp.Run();\n");
        var path = workspace.Write("service/Service.csproj", project);
        await workspace.Git.CommitAsync();
        (await workspace.PublishAsync(path, "-t:PublishContainer")).EnsureSuccess();
    }

    private static async Task<JsonNode> ReportAsync(Workspace workspace) => JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(workspace.Root, "bin/container/verify.json")))!;
}
