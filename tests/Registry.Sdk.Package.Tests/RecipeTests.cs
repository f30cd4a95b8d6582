using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;
using YamlDotNet.RepresentationModel;

namespace Registry.Sdk.Package.Tests;

/// <summary>Every recipe, run as it stands on the page, with the hosts it names re-mapped to loopback from outside the repository.</summary>
[Collection(PackageTests.Name)]
public sealed class RecipeTests(PackageFixture fixture)
{
    private const string Page = "docs/recipes.md";
    private const string Program = "var app = WebApplication.Create(args);\napp.MapGet(\"/\", () => \"hello\");\napp.Run();\n";

    [Fact]
    public async Task GitHub_Actions_to_GHCR_and_Docker_Hub()
    {
        await using var directory = new TempDirectory("gh");
        await using var ghcr = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = directory.Folder("ghcr"),
            Personality = EmulatorPersonality.Ghcr,
            GitHub = new()
            {
                Owners = { ["acme"] = GitHubOwner.Organization("ada") },
                Repositories = { ["acme/orders"] = new() { Visibility = GitHubVisibility.Public } },
                Secrets = { ["job"] = GitHubSecret.Actions("a job's own token", "acme/orders", GitHubPackageRight.Write) },
            },
        });
        await using var hub = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = directory.Folder("hub"),
            Personality = EmulatorPersonality.DockerHub,
            DockerHub = new() { Secrets = { ["acme"] = DockerHubSecret.PersonalToken("a read and write token", "acme", DockerHubRight.ReadWrite) } },
        });
        await using var workspace = await WorkspaceAsync(("ghcr.io", ghcr.BaseAddress), ("docker.io", hub.BaseAddress));
        workspace.Write("src/Orders/Orders.csproj", Assert.Single(new Recipe("README.md", "Use it").Files(fixture.Feed), f => f.Contains("ContainerDestination", StringComparison.Ordinal)));
        var commit = await ReleaseAsync(workspace);
        var step = Assert.Single(Recipe.Having(new Recipe("README.md", "GitHub Actions").Ci, "env"));
        var secrets = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["${{ secrets.GITHUB_TOKEN }}"] = "a job's own token",
            ["${{ vars.DOCKERHUB_USERNAME }}"] = "acme",
            ["${{ secrets.DOCKERHUB_TOKEN }}"] = "a read and write token",
        };
        var output = directory.File("output");
        workspace.Environment = workspace.Environment
            .With(((YamlMappingNode)step["env"]).Select(e => KeyValuePair.Create(e.Key.ToString(), secrets[e.Value.ToString()])))
            .With(new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["CI"] = "true",
                ["GITHUB_ACTIONS"] = "true",
                ["GITHUB_EVENT_NAME"] = "push",
                ["GITHUB_REF"] = "refs/tags/v1.4.2",
                ["GITHUB_REF_NAME"] = "v1.4.2",
                ["GITHUB_REF_TYPE"] = "tag",
                ["GITHUB_SHA"] = commit,
                ["GITHUB_REPOSITORY"] = "acme/orders",
                ["GITHUB_SERVER_URL"] = "https://github.com",
                ["GITHUB_ACTOR"] = "ada",
                ["GITHUB_OUTPUT"] = output,
            });

        (await RunAsync(workspace, step["run"].ToString())).EnsureSuccess();

        // An outsider: the repository is public, and so is what its workflow publishes.
        var digest = await AnonymousDigestAsync(ghcr, "acme/orders", "v1.4.2");
        Assert.Equal(digest, await AnonymousDigestAsync(hub, "acme/orders", "latest"));
        Assert.Contains($"\n{digest}\n", await File.ReadAllTextAsync(output), StringComparison.Ordinal);
        Assert.All(ghcr.Requests, r => Assert.DoesNotContain("unknown", r.Secrets));
    }

    [Fact]
    public async Task GitLab()
    {
        await using var registry = await EmulatorServer.StartAsync(new() { StateDirectory = TestFolder(out var directory), Users = { ["gitlab-ci-token"] = "the job's token" } });
        await using var kept = directory;
        await using var workspace = await WorkspaceAsync(("registry.gitlab.com", registry.BaseAddress));
        var recipe = new Recipe(Page, "GitLab");
        workspace.Write("src/Orders/Orders.csproj", Assert.Single(recipe.Files(fixture.Feed)));
        var commit = await ReleaseAsync(workspace);
        var script = ((YamlSequenceNode)Assert.Single(Recipe.Having(recipe.Ci, "script"))["script"]).Single().ToString();
        var job = workspace.Environment.With(new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["CI"] = "true",
            ["GITLAB_CI"] = "true",
            ["CI_COMMIT_SHA"] = commit,
            ["CI_PROJECT_URL"] = "https://gitlab.com/acme/orders",
            ["CI_PROJECT_PATH"] = "acme/orders",
            ["CI_REGISTRY"] = "registry.gitlab.com",
            ["CI_REGISTRY_IMAGE"] = "registry.gitlab.com/acme/orders",
            ["CI_REGISTRY_USER"] = "gitlab-ci-token",
            ["CI_REGISTRY_PASSWORD"] = "the job's token",
            ["CI_JOB_TOKEN"] = "the job's token",
        });
        var request = job.With(new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["CI_PIPELINE_SOURCE"] = "merge_request_event",
            ["CI_MERGE_REQUEST_IID"] = "7",
            ["CI_MERGE_REQUEST_PROJECT_PATH"] = "acme/orders",
            ["CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"] = "feature",
        });

        workspace.Environment = request.With("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "somebody/orders");
        var fork = (await RunAsync(workspace, script)).EnsureSuccess();
        Assert.Contains(fork.Messages, m => m.Contains("a pull request from a fork pushes nowhere", StringComparison.Ordinal));
        Assert.Empty(registry.Requests);

        workspace.Environment = request.With("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", "acme/orders");
        (await RunAsync(workspace, script)).EnsureSuccess();
        workspace.Environment = job.With("CI_COMMIT_TAG", "v1.4.2");
        (await RunAsync(workspace, script)).EnsureSuccess();

        Assert.Equal(["latest", "pr-7", "v1", "v1.4", "v1.4.2"], await TagsAsync(registry.BaseAddress, "acme/orders", "gitlab-ci-token", "the job's token"));
    }

    [Fact]
    public async Task Azure_Pipelines_to_a_container_registry_in_Azure()
    {
        await using var registry = await DistributionServer.StartAsync(new() { Authenticate = true });
        await using var workspace = await WorkspaceAsync(("acme.azurecr.io", registry.BaseUri));
        var recipe = new Recipe(Page, "Azure Pipelines to a container registry in Azure");
        workspace.Write("src/Orders/Orders.csproj", Assert.Single(recipe.Files(fixture.Feed)));
        var commit = await ReleaseAsync(workspace);
        // What Docker@2 leaves behind.
        var config = workspace.OutsidePath("docker", "config.json");
        var auth = Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes($"{registry.Username}:{registry.Password}"));
        await File.WriteAllTextAsync(config, $$"""{ "auths": { "acme.azurecr.io": { "auth": "{{auth}}" } } }""");
        workspace.Environment = workspace.Environment.With(new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["TF_BUILD"] = "True",
            ["BUILD_REASON"] = "IndividualCI",
            ["BUILD_SOURCEBRANCH"] = "refs/heads/main",
            ["BUILD_SOURCEVERSION"] = commit,
            ["BUILD_REPOSITORY_URI"] = "https://acme@dev.azure.com/acme/shop/_git/orders",
            ["DOCKER_CONFIG"] = Path.GetDirectoryName(config)!,
        });

        (await RunAsync(workspace, Assert.Single(Recipe.Having(recipe.Ci, "script"))["script"].ToString())).EnsureSuccess();

        Assert.Equal(["main", $"main-{commit[..7]}"], await TagsAsync(registry.BaseUri, "orders", registry.Username, registry.Password));
    }

    [Fact]
    public async Task Several_environments_a_credential_each()
    {
        await using var directory = new TempDirectory("env");
        await using var staging = await EmulatorServer.StartAsync(new() { StateDirectory = directory.Folder("staging"), Users = { ["tester"] = "staging's token" }, ForeignSecrets = { ["production"] = "production's token" } });
        await using var production = await EmulatorServer.StartAsync(new() { StateDirectory = directory.Folder("production"), Users = { ["releaser"] = "production's token" }, ForeignSecrets = { ["staging"] = "staging's token" } });
        await using var workspace = await WorkspaceAsync(("registry.staging.acme.com", staging.BaseAddress), ("registry.acme.com", production.BaseAddress));
        workspace.Write("src/Orders/Orders.csproj", Assert.Single(new Recipe(Page, "Several environments, a credential each").Files(fixture.Feed)));
        WriteService(workspace);
        await workspace.Git.CommitAsync();
        var laptop = workspace.Environment;

        workspace.Environment = laptop.With("STAGING_USER", "tester").With("STAGING_TOKEN", "staging's token");
        (await RunAsync(workspace, "dotnet publish src/Orders /t:PublishContainer")).EnsureSuccess();
        Assert.Empty(production.Requests);
        await workspace.Git.TagAsync("v1.4.2");
        var before = staging.Requests.Count;
        workspace.Environment = workspace.Environment.With("PRODUCTION_USER", "releaser").With("PRODUCTION_TOKEN", "production's token");
        (await RunAsync(workspace, "dotnet publish src/Orders /t:PublishContainer")).EnsureSuccess();

        Assert.Equal(before, staging.Requests.Count);
        Assert.Equal(Projects.ReleaseTags, await TagsAsync(production.BaseAddress, "shop/orders", "releaser", "production's token"));
        Assert.DoesNotContain(staging.Requests, r => r.Secrets.Contains("production"));
        Assert.DoesNotContain(production.Requests, r => r.Secrets.Contains("staging"));
    }

    [Fact]
    public async Task Monorepo()
    {
        await using var registry = await EmulatorServer.StartAsync(new() { StateDirectory = TestFolder(out var directory) });
        await using var kept = directory;
        await using var workspace = await WorkspaceAsync(("registry.acme.com", registry.BaseAddress));
        var recipe = new Recipe(Page, "Monorepo");
        var files = recipe.Files(fixture.Feed);
        workspace.Write("Directory.Build.props", files[0]);
        workspace.Write("Directory.Build.targets", files[1]);
        var plain = Projects.Service(Kind.Web).ProjectReference("../Common/Common.csproj");
        workspace.WriteService("src/Orders", "Orders", plain, Kind.Web);
        workspace.WriteService("src/Billing", "Billing", plain, Kind.Web);
        workspace.WriteLibrary("src/Common", "Common");
        (await ProcessRunner.RunAsync("dotnet", ["new", "sln", "-n", "Shop", "--format", "sln"], workspace.Root, workspace.Environment)).EnsureSuccess();
        (await ProcessRunner.RunAsync("dotnet", ["sln", "add", "src/Orders", "src/Billing", "src/Common"], workspace.Root, workspace.Environment)).EnsureSuccess();
        var commit = await workspace.Git.CommitAsync();
        await workspace.Git.TagAsync("orders/v1.4.2");

        (await RunAsync(workspace, Assert.Single(recipe.Commands))).EnsureSuccess();

        Assert.Equal(Projects.ReleaseTags, await TagsAsync(registry.BaseAddress, "shop/orders"));
        Assert.Equal(["main", $"main-{commit[..7]}"], await TagsAsync(registry.BaseAddress, "shop/billing"));
        Assert.DoesNotContain(registry.Requests, r => r.PathAndQuery.Contains("common", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Mirror_and_pull_through_cache()
    {
        await using var mirror = await DistributionServer.StartAsync(new() { CacheOf = fixture.Emulator.BaseAddress });
        await using var workspace = await WorkspaceAsync();
        workspace.Write("Directory.Build.targets", Assert.Single(new Recipe(Page, "Mirror and pull-through cache").Files(fixture.Feed)).Replace("https://mirror.acme.internal", mirror.BaseUri.ToString().TrimEnd('/'), StringComparison.Ordinal));
        workspace.Write("src/Orders/Orders.csproj", Single("ContainerDestination", "oci:../../out"));
        await ReleaseAsync(workspace);
        workspace.Environment = workspace.Environment.Without("CustomAfterMicrosoftCommonTargets");
        var before = fixture.Emulator.Requests.Count;

        (await RunAsync(workspace, "dotnet publish src/Orders /t:PublishContainer")).EnsureSuccess();

        // The cache asked in our place, and once for all.
        Assert.NotEqual(before, fixture.Emulator.Requests.Count);
        Assert.Contains("/v2/dotnet/aspnet/manifests/10.0", await File.ReadAllTextAsync(mirror.LogFile), StringComparison.Ordinal);
        Assert.Contains("mcr.microsoft.com/dotnet/aspnet:10.0", await File.ReadAllTextAsync(Path.Combine(workspace.Root, "src/Orders/bin/container/receipt.json")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Without_network()
    {
        await using var there = await DistributionServer.StartAsync();
        await using var workspace = await WorkspaceAsync();
        var recipe = new Recipe(Page, "Without network: `oci:`");
        workspace.Write("src/Orders/Orders.csproj", Assert.Single(recipe.Files(fixture.Feed)));
        workspace.Write(".gitignore", "bin/\nobj/\nout/\n");
        await ReleaseAsync(workspace);

        (await RunAsync(workspace, recipe.Commands[0])).EnsureSuccess();
        var copy = recipe.Commands[1].Replace("registry.internal", there.IpAddress, StringComparison.Ordinal).Replace("oci:out/", $"oci:{workspace.Root}/out/", StringComparison.Ordinal).Split(' ');
        Assert.Equal("skopeo", copy[0]);
        (await Skopeo.RunAsync([copy[1], "--dest-tls-verify=false", .. copy[2..]])).EnsureSuccess();

        using var client = there.CreateClient();
        using var view = new RegistryView(client);
        var digest = (await view.TagsAsync("acme/orders"))["v1.4.2"];
        Assert.Contains(digest, await File.ReadAllTextAsync(Path.Combine(workspace.Root, "out/orders/index.json")), StringComparison.Ordinal);
    }

    [Fact]
    public async Task Private_beta_first_public_launch_later_and_a_registry_added_after_that()
    {
        await using var directory = new TempDirectory("launch");
        await using var ghcr = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = directory.Folder("ghcr"),
            Personality = EmulatorPersonality.Ghcr,
            GitHub = new() { Owners = { ["acme"] = GitHubOwner.Organization("ada") }, Secrets = { ["ada"] = GitHubSecret.Classic("a classic token", "ada", "write:packages") } },
        });
        await using var hub = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = directory.Folder("hub"),
            Personality = EmulatorPersonality.DockerHub,
            DockerHub = new() { Secrets = { ["acme"] = DockerHubSecret.PersonalToken("a read and write token", "acme", DockerHubRight.ReadWrite) } },
        });
        await using var later = await EmulatorServer.StartAsync(new() { StateDirectory = directory.Folder("later") });
        await using var workspace = await WorkspaceAsync(("ghcr.io", ghcr.BaseAddress), ("docker.io", hub.BaseAddress), ("registry.acme.com", later.BaseAddress));
        var recipe = new Recipe(Page, "Private beta first, public launch later");
        workspace.Write("src/Orders/Orders.csproj", Assert.Single(recipe.Files(fixture.Feed)));
        await ReleaseAsync(workspace);
        workspace.Environment = workspace.Environment.With("CR_PAT", "a classic token").With("DOCKERHUB_USERNAME", "acme").With("DOCKERHUB_TOKEN", "a read and write token");

        (await RunAsync(workspace, recipe.Commands[0])).EnsureSuccess();
        Assert.Equal(GitHubVisibility.Private, ghcr.Visibility("acme/orders"));
        Assert.Empty(hub.Requests);
        Directory.Delete(Path.Combine(workspace.Root, "src/Orders/bin"), recursive: true);
        var launch = (await RunAsync(workspace, recipe.Commands[1])).EnsureSuccess();

        Assert.Empty(launch.Compilations());
        Assert.Equal(GitHubVisibility.Public, hub.Visibility("acme/orders"));
        var digest = await AnonymousDigestAsync(hub, "acme/orders", "latest");
        Assert.Contains(digest, await File.ReadAllTextAsync(Path.Combine(workspace.Root, "src/Orders/bin/container/receipt.json")), StringComparison.Ordinal);

        var added = (await RunAsync(workspace, Assert.Single(new Recipe(Page, "A released image to a registry that was added later").Commands))).EnsureSuccess();
        Assert.Empty(added.Compilations());
        Assert.Equal(digest, await AnonymousDigestAsync(later, "shop/orders", "v1.4.2"));
        Assert.Equal(Projects.ReleaseTags, await TagsAsync(later.BaseAddress, "shop/orders"));
    }

    private static string TestFolder(out TempDirectory directory) => (directory = new TempDirectory("recipe")).Folder("state");

    /// <summary>A repository on a machine whose own settings, outside the repository, say where hosts answer.</summary>
    private async Task<Workspace> WorkspaceAsync(params (string Host, Uri Address)[] endpoints)
    {
        var workspace = await Workspace.CreateAsync(fixture.Feed);
        var machine = ProjectBuilder.Create();
        foreach (var (host, address) in endpoints.Append(("mcr.microsoft.com", fixture.Emulator.BaseAddress)))
        {
            machine.Item("RegistrySdkEndpoint", host, ("Registry", address.ToString().TrimEnd('/')));
        }

        var path = workspace.OutsidePath("machine.targets");
        await File.WriteAllTextAsync(path, machine.ToString());
        workspace.Environment = workspace.Environment.With("CustomAfterMicrosoftCommonTargets", path);
        return workspace;
    }

    private static void WriteService(Workspace workspace) => workspace.Write("src/Orders/Program.cs", Program);

    private static Task<string> ReleaseAsync(Workspace workspace)
    {
        WriteService(workspace);
        return workspace.ReleaseAsync();
    }

    private string Single(string item, string include) => Projects.Service(Kind.Web).Sdk("Registry.Sdk", fixture.Feed.Version).Item(item, include).ToString();

    private static Task<DotnetResult> RunAsync(Workspace workspace, string command)
    {
        var words = command.Split(' ');
        Assert.Equal("dotnet", words[0]);
        return workspace.DotnetAsync(words[1], words[2], words[3..]);
    }

    private static async Task<IEnumerable<string>> TagsAsync(Uri registry, string repository, string? user = null, string? password = null)
    {
        using var client = new HttpClient { BaseAddress = registry };
        if (user is not null)
        {
            client.DefaultRequestHeaders.Authorization = new("Basic", Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes($"{user}:{password}")));
        }

        using var view = new RegistryView(client);
        return (await view.TagsAsync(repository)).Keys;
    }

    /// <summary>What an outsider pulls: by skopeo, with no configuration at all.</summary>
    private static async Task<string> AnonymousDigestAsync(EmulatorServer registry, string repository, string tag)
    {
        var result = await Skopeo.RunAsync(["inspect", "--tls-verify=false", "--no-creds", "--format", "{{.Digest}}", $"docker://{registry.Host}/{repository}:{tag}"]);
        return result.EnsureSuccess().StandardOutput.Trim();
    }
}
