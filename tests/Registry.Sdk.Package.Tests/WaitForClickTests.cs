using System.Text.Json.Nodes;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>That a real publish hands on what was declared and how a mismatch is to be met; what follows from it is tested in process.</summary>
[Collection(PackageTests.Name)]
public sealed class WaitForClickTests(PackageFixture fixture)
{
    [Fact]
    public async Task A_publish_tries_GitHubs_call_prints_the_link_and_ends_well_once_a_person_has_clicked()
    {
        await using var directory = new TempDirectory("wait");
        EmulatorServer? gitHub = null;
        var looks = 0;
        await using var ghcr = gitHub = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = directory.Folder("github"),
            Personality = EmulatorPersonality.Ghcr,
            GitHub = new() { Owners = { ["acme"] = GitHubOwner.Organization("alice") }, Secrets = { ["pat"] = GitHubSecret.Classic("secret-pat", "alice", "write:packages") } },
            Intercept = context =>
            {
                // The package is read once before the push, once after it, four times to give the call time, and then while a person is waited for.
                if (context.Request.Path.StartsWithSegments("/api/orgs/acme/packages/container/app") && context.Request.Method == "GET" && Interlocked.Increment(ref looks) == 7)
                {
                    gitHub!.Click(SettingsClick.Change("acme/app", GitHubVisibility.Public));
                }

                return Task.FromResult(false);
            },
        });
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var path = workspace.WriteService("src/service", "Service", workspace.Reference(Projects.Service(Kind.Web), fixture.Feed, Form.Sdk)
            .Property("RegistrySdkVisibilityMismatch", "wait:2m")
            .Property("RegistrySdkTryVisibilityApi", "true")
            .Item("RegistrySdkEndpoint", "ghcr.io", ("Registry", $"http://{ghcr.Host}"), ("Api", ghcr.Api.ToString()))
            .Item("ContainerDestination", "ghcr.io/acme/app", ("Visibility", "public")), Kind.Web);
        await workspace.ReleaseAsync();
        workspace.Environment = workspace.Environment.With("CR_PAT", "secret-pat");

        var published = await workspace.PublishAsync(path, "-t:PublishContainer");

        Assert.True(published.Succeeded, published.ToString());
        const string Link = "https://github.com/orgs/acme/packages/container/app/settings";
        Assert.Single(published.Output.Split('\n'), line => line.Contains($"one click left: make it public at {Link} (Danger Zone, Change visibility). It is waited for, 2 minutes at most.", StringComparison.Ordinal));
        Assert.Contains("ghcr.io/acme/app does not exist yet; it will be born private, as everything that a personal access token pushes first. The shortest way to be born public is", published.Output, StringComparison.Ordinal);
        Assert.Contains("ghcr.io/acme/app: anyone can read it", published.Output, StringComparison.Ordinal);
        var patch = Assert.Single(ghcr.Requests, r => r.Method == "PATCH" && r.PathAndQuery.StartsWith("/api/", StringComparison.Ordinal));
        Assert.Equal(("/api/orgs/acme/packages/container/app", 404), (patch.PathAndQuery, patch.Status));
        var receipt = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(Path.GetDirectoryName(path)!, "bin/container/receipt.json")))!["images"]![0]!["destinations"]![0]!["visibility"]!;
        Assert.Equal(("public", "public", "public"), (receipt["declared"]!.GetValue<string>(), receipt["after"]!.GetValue<string>(), receipt["api"]!.GetValue<string>()));
        Assert.Contains(receipt["evidence"]!.AsArray(), e => e!["request"]!.GetValue<string>().StartsWith("PATCH ", StringComparison.Ordinal) && e["answer"]!.GetValue<string>() == "404 'Not Found'");
    }
}
