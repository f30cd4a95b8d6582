using System.Text.Json.Nodes;
using Registry.Sdk.TestKit;

namespace Registry.Sdk.Package.Tests;

/// <summary>
/// <c>samples/truxe</c> as its team has it: a repository with a release tag, ghcr.io played by a real Distribution with htpasswd, docker.io by
/// an open one. Nothing in the repository says so: hosts are re-mapped above it.
/// </summary>
public sealed class Truxe : IAsyncDisposable
{
    /// <summary>The service with two editions.</summary>
    public const string Api = "src/truxe-api/truxe-api.csproj";

    /// <summary>Where its enterprise edition goes, at the closed registry.</summary>
    public const string Enterprise = "wundam/truxe-api";

    /// <summary>Where its community edition goes, at the open one.</summary>
    public const string Community = "wundam/truxe-community";

    /// <summary>The other name of it.</summary>
    public const string Alias = "wundam/truxe";

    private Truxe(Workspace workspace, CountedRegistry open, CountedRegistry closed) => (Workspace, Open, Closed) = (workspace, open, closed);

    public Workspace Workspace { get; }

    /// <summary>Plays docker.io.</summary>
    public CountedRegistry Open { get; }

    /// <summary>Plays ghcr.io.</summary>
    public CountedRegistry Closed { get; }

    /// <summary>Every write that either registry was asked for.</summary>
    public IReadOnlyList<ProxiedRequest> Writes => [.. Open.Proxy.Writes, .. Closed.Proxy.Writes];

    /// <summary>Copies the sample, commits it and tags it v0.5.6. The registries are its own.</summary>
    public static async Task<Truxe> CreateAsync(PackageFixture fixture)
    {
        var servers = await Task.WhenAll(CountedRegistry.StartAsync(authenticate: false), CountedRegistry.StartAsync(authenticate: true));
        var truxe = new Truxe(await fixture.CreateWorkspaceAsync(), servers[0], servers[1]);
        var workspace = truxe.Workspace;
        var sample = Path.Combine(TestRun.RepositoryRoot, "samples", "truxe");
        foreach (var file in Directory.EnumerateFiles(sample, "*", SearchOption.AllDirectories))
        {
            var path = Path.GetRelativePath(sample, file);
            if (path.Split('/') is var parts && !parts.Contains("bin", StringComparer.Ordinal) && !parts.Contains("obj", StringComparer.Ordinal))
            {
                workspace.Write(path, await File.ReadAllTextAsync(file));
            }
        }

        workspace.Replace("Directory.Build.props", "Version=\"1.0.0\"", $"Version=\"{fixture.Feed.Version}\"");
        PackageFixture.WriteEndpoints(Path.GetDirectoryName(workspace.Root)!, fixture.BaseImages, ("docker.io", $"http://{truxe.Open.Address}"), ("ghcr.io", $"http://{truxe.Closed.Address}"));
        workspace.Environment = workspace.Environment.With("CR_PAT", truxe.Closed.Server.Password).With("GITHUB_ACTOR", truxe.Closed.Server.Username);
        await workspace.ReleaseAsync("v0.5.6");
        return truxe;
    }

    /// <summary>Publishes a project or the solution as a release is published.</summary>
    public Task<DotnetResult> PublishAsync(string project = Api, params string[] arguments) => Workspace.PublishAsync(project, ["-t:PublishContainer", .. arguments]);

    /// <summary>The receipt of a service.</summary>
    public async Task<JsonNode> ReceiptAsync(string service = "truxe-api")
        => JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(Workspace.Root, "src", service, "bin/container/receipt.json")))!;

    public async ValueTask DisposeAsync()
    {
        await Workspace.DisposeAsync();
        await Open.DisposeAsync();
        await Closed.DisposeAsync();
    }
}
