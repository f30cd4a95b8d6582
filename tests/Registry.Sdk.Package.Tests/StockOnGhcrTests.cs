using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>What the .NET SDK's own container publish does against GHCR, and what we do on the same project: where it fails, and where it shows a secret to the wrong host.</summary>
[Collection(PackageTests.Name)]
public sealed class StockOnGhcrTests(PackageFixture fixture)
{
    private const string Secret = "a classic token of ada's";

    [Fact]
    public async Task Stock_and_we_in_one_table()
    {
        await using var directory = new TempDirectory("stock-ghcr");
        fixture.CopyBaseImages(directory.Folder("ghcr"));
        await using var ghcr = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = directory.Folder("ghcr"),
            Personality = EmulatorPersonality.Ghcr,
            GitHub = new()
            {
                Owners = { ["acme"] = GitHubOwner.Organization("ada"), ["dotnet"] = GitHubOwner.Organization("somebody") },
                Packages = { ["dotnet/aspnet"] = new() { Visibility = GitHubVisibility.Public } },
                Secrets = { ["ada"] = GitHubSecret.Classic(Secret, "ada", "write:packages") },
            },
        });
        await using var other = await EmulatorServer.StartAsync(new() { StateDirectory = directory.Folder("other"), Users = { ["company"] = "the company's password" }, ForeignSecrets = { ["ada"] = Secret } });
        string Local(EmulatorServer server) => $"localhost:{server.BaseAddress.Port}";
        await using var stock = await Workspace.CreateAsync(fixture.Feed);
        var project = stock.WriteService("src/service", "Service", Projects.Service(Kind.Web), Kind.Web);
        (await stock.BuildAsync(project, "-c", "Release")).EnsureSuccess();
        var ours = await fixture.BuiltAsync();
        var table = new List<(string Case, bool Stock, bool Ours)>();

        // A public base image and no credentials: stock knows no anonymous token.
        var noCredentials = await StockAsync("-p:ContainerBaseImage=" + $"{Local(ghcr)}/dotnet/aspnet:10.0", $"-p:ContainerRegistry=localhost:{fixture.Emulator.BaseAddress.Port}", "-p:ContainerRepository=stock/anonymous");
        Assert.Contains(noCredentials.Errors, e => e.Text.Contains("Failed retrieving credentials", StringComparison.Ordinal));
        table.Add(("public base image without credentials", noCredentials.Succeeded, (await ours.PublishAsync($"{fixture.Emulator.Host}/ours/anonymous", arguments: $"-p:ContainerBaseImage={Local(ghcr)}/dotnet/aspnet:10.0")).Succeeded));

        // One pair of variables for all hosts: set for GHCR, it is shown to the other registry. (Stock's push to GHCR itself is not in the table: it
        // asks for the challenge's scope, which is pull alone; whether GHCR lets that push is on no fact sheet.)
        var pair = new Dictionary<string, string>(StringComparer.Ordinal) { ["DOTNET_CONTAINER_REGISTRY_UNAME"] = "ada", ["DOTNET_CONTAINER_REGISTRY_PWORD"] = Secret };
        stock.Environment = stock.Environment.With(pair);
        var second = await StockAsync($"-p:ContainerBaseImage={Local(fixture.Emulator)}/dotnet/aspnet:10.0", $"-p:ContainerRegistry={Local(other)}", "-p:ContainerRepository=acme/stock");
        Assert.Contains(other.Requests, r => r.Secrets.Contains("ada"));
        var before = other.Requests.Count;
        var refused = await ours.PublishAsync($"{Local(ghcr)}/acme/ours;{Local(other)}/acme/ours", pair);
        Assert.Contains("RSDK9013", refused.Codes());
        Assert.DoesNotContain(other.Requests.Skip(before), r => r.Secrets.Count > 0);
        var perHost = await ours.PublishAsync(
            $"{Local(ghcr)}/acme/ours;{Local(other)}/acme/ours", Hosts(stock, (Local(ghcr), "ada", Secret), (Local(other), "company", "the company's password")));
        Assert.DoesNotContain(other.Requests.Skip(before), r => r.Secrets.Contains("ada"));
        table.Add(("two registries, a credential each", second.Succeeded, perHost.Succeeded));

        Assert.Equal([("public base image without credentials", false, true), ("two registries, a credential each", false, true)], table);

        Task<DotnetResult> StockAsync(params string[] arguments) => stock.PublishAsync(project, ["-t:PublishContainer", "--no-build", .. arguments]);
    }

    private static Dictionary<string, string> Hosts(Workspace workspace, params (string Host, string User, string Password)[] logins)
    {
        var config = workspace.OutsidePath("docker", "config.json");
        var auths = logins.Select(l => $"\"{l.Host}\":{{\"auth\":\"{Convert.ToBase64String(System.Text.Encoding.UTF8.GetBytes($"{l.User}:{l.Password}"))}\"}}");
        File.WriteAllText(config, $"{{\"auths\":{{{string.Join(',', auths)}}}}}");
        return new(StringComparer.Ordinal) { ["DOCKER_CONFIG"] = Path.GetDirectoryName(config)! };
    }
}
