using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>Real publishes that are cut, killed or overtaken: that what is tested in process at every request holds with MSBuild around it.</summary>
[Collection(EditionPackageTests.Name)]
public sealed class BrokenPublishTests(PackageFixture fixture)
{
    private const string Repository = "team/broken";

    [Fact]
    public async Task A_publish_that_a_registry_cuts_is_finished_from_a_fresh_clone()
    {
        await using var registries = await Registries.StartAsync();
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var project = Write(workspace, registries);
        await workspace.ReleaseAsync();
        registries.Intercept = static async (server, context) =>
        {
            var isCut = server == 1 && IsPut(context, "v1");
            if (isCut)
            {
                context.Response.StatusCode = 400;
                await context.Response.CompleteAsync();
            }

            return isCut;
        };

        var broken = await workspace.PublishAsync(project, "-t:PublishContainer");

        Assert.False(broken.Succeeded, broken.ToString());
        var pending = Assert.Single(broken.Errors, e => e.Code == "RSDK6002").Text;
        Assert.Contains($"{registries.Servers[1].Host}/{Repository}: v1, latest", pending, StringComparison.Ordinal);
        Assert.Contains("Publish 1.4.2 of commit ", pending, StringComparison.Ordinal);
        var digest = Receipt(project)["images"]![0]!["digest"]!.GetValue<string>();
        Assert.Equal(["v1.4", "v1.4.2"], (await registries.TagsAsync(1)).Keys.Order(StringComparer.Ordinal));

        registries.Intercept = null;
        await workspace.Git.GitAsync("clean", "-fdxq");
        var finished = await workspace.PublishAsync(project, "-t:PublishContainer");

        Assert.True(finished.Succeeded, finished.ToString());
        await AllAreAsync(registries, digest);
    }

    [Fact]
    public async Task A_publish_that_is_killed_among_its_tags_is_finished_by_the_next()
    {
        await using var registries = await Registries.StartAsync();
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var project = Write(workspace, registries);
        await workspace.ReleaseAsync();
        using var kill = new CancellationTokenSource();
        registries.Intercept = async (server, context) =>
        {
            var isLast = server == 1 && IsPut(context, "v1.4");
            if (isLast)
            {
                // Nobody is answered, and the tag not written.
                await kill.CancelAsync();
                context.Abort();
            }

            return isLast;
        };

        // SIGKILL, for all of the process tree.
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => ProcessRunner.RunAsync(
            "dotnet", ["publish", project, "-t:PublishContainer", "-nodeReuse:false", "-m:1"], workspace.Root, workspace.Environment, cancellationToken: kill.Token));

        Assert.Equal(["v1.4.2"], (await registries.TagsAsync(1)).Keys);
        var digest = Assert.Single((await registries.TagsAsync(0)).Values.Concat((await registries.TagsAsync(1)).Values).Distinct(StringComparer.Ordinal));
        registries.Intercept = null;
        var finished = await workspace.PublishAsync(project, "-t:PublishContainer");

        Assert.True(finished.Succeeded, finished.ToString());
        Assert.Contains("An earlier publish of 1.4.2 left pending: ", finished.Output, StringComparison.Ordinal);
        await AllAreAsync(registries, digest);
    }

    [Fact]
    public async Task Of_two_publishes_at_once_the_newer_has_the_floating_tags()
    {
        await using var registries = await Registries.StartAsync();
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var project = Write(workspace, registries);
        await workspace.ReleaseAsync();
        var older = Path.Combine(Path.GetDirectoryName(workspace.Root)!, "older");
        await workspace.Git.GitAsync("worktree", "add", "-q", "--detach", older, "v1.4.2");
        workspace.Write("src/service/words.txt", "newer");
        await workspace.ReleaseAsync("v1.5.0");
        var olderProject = Path.Combine(older, Path.GetRelativePath(workspace.Root, project));

        var both = await Task.WhenAll(
            workspace.PublishAsync(project, "-t:PublishContainer"),
            workspace.PublishAsync(olderProject, "-t:PublishContainer"));

        Assert.All(both, p => Assert.True(p.Succeeded, p.ToString()));
        var (ours, theirs) = (Receipt(project)["images"]![0]!["digest"]!.GetValue<string>(), Receipt(olderProject)["images"]![0]!["digest"]!.GetValue<string>());
        Assert.NotEqual(ours, theirs);
        foreach (var server in new[] { 0, 1 })
        {
            Assert.Equal(
                [("latest", ours), ("v1", ours), ("v1.4", theirs), ("v1.4.2", theirs), ("v1.5", ours), ("v1.5.0", ours)],
                (await registries.TagsAsync(server)).Select(t => (t.Key, t.Value)).OrderBy(t => t.Key, StringComparer.Ordinal));
        }
    }

    private string Write(Workspace workspace, Registries registries)
    {
        var project = workspace.Reference(Projects.Service(Kind.Console), fixture.Feed, Form.Sdk);
        foreach (var server in registries.Servers)
        {
            project.Item("ContainerDestination", $"{server.Host}/{Repository}");
        }

        project.Property("RegistrySdkCacheDirectory", workspace.OutsidePath("cache"));
        return Path.GetFullPath(workspace.WriteService("src/service", "Service", project, Kind.Console), workspace.Root);
    }

    private static bool IsPut(HttpContext context, string tag) => context.Request.Method == "PUT" && context.Request.Path.Value!.EndsWith($"/manifests/{tag}", StringComparison.Ordinal);

    private static JsonNode Receipt(string project) => JsonNode.Parse(File.ReadAllText(Path.Combine(Path.GetDirectoryName(project)!, "bin/container/receipt.json")))!;

    private static async Task AllAreAsync(Registries registries, string digest)
    {
        foreach (var server in new[] { 0, 1 })
        {
            var tags = await registries.TagsAsync(server);
            Assert.Equal(Projects.ReleaseTags, tags.Keys);
            Assert.All(tags.Values, d => Assert.Equal(digest, d));
        }
    }

    /// <summary>Two registries that answer as a test wants.</summary>
    private sealed class Registries : IAsyncDisposable
    {
        private readonly TempDirectory _directory = new("broken");

        public EmulatorServer[] Servers { get; private set; } = [];

        /// <summary>Answers in a registry's place where it returns true; told which.</summary>
        public Func<int, HttpContext, Task<bool>>? Intercept { get; set; }

        public static async Task<Registries> StartAsync()
        {
            var registries = new Registries();
            registries.Servers = await Task.WhenAll(Enumerable.Range(0, 2).Select(i => EmulatorServer.StartAsync(new()
            {
                StateDirectory = registries._directory.Folder($"state{i}"),
                Intercept = context => registries.Intercept is { } intercept ? intercept(i, context) : Task.FromResult(false),
            })));
            return registries;
        }

        public async Task<IReadOnlyDictionary<string, string>> TagsAsync(int server)
        {
            using var view = new RegistryView(new HttpClient { BaseAddress = Servers[server].BaseAddress });
            return await view.TagsAsync(Repository);
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var server in Servers)
            {
                await server.DisposeAsync();
            }

            await _directory.DisposeAsync();
        }
    }
}
