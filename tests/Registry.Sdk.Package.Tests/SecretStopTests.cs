using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>That the search for secrets, and the items that lift a finding, work in a real publish; what is found, and how it is said, is tested in process.</summary>
[Collection(PackageTests.Name)]
public sealed class SecretStopTests(PackageFixture fixture)
{
    [Fact]
    public async Task A_secret_in_a_published_file_stops_a_public_publish_until_an_item_lifts_it()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var path = workspace.WriteWebApp("src/service", "Service");
        var token = PlantedSecrets.GitHub();
        workspace.Write("src/service/appsettings.Demo.json", $"{{\n  \"Token\": \"{token}\"\n}}\n");
        var repository = "secrets/" + Guid.NewGuid().ToString("N");
        var project = Path.GetRelativePath(workspace.Root, path);
        workspace.Replace(project, "</Project>", $"""
              <Sdk Name="{fixture.Feed.PackageId}" Version="{fixture.Feed.Version}" />
              <ItemGroup>
                <ContainerDestination Include="{fixture.Emulator.Host}/{repository}" Visibility="public" />
              </ItemGroup>
            </Project>
            """);

        await workspace.Git.CommitAsync();

        var stopped = await workspace.PublishAsync(path, "-t:PublishContainer");
        Assert.Equal(["RSDK4030"], stopped.Codes());
        Assert.Contains("/app/appsettings.Demo.json, line 2: a GitHub token", stopped.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(token[..20], stopped.Output, StringComparison.Ordinal);
        Assert.DoesNotContain(fixture.Requests(repository), r => r.Method is "POST" or "PUT" or "PATCH");

        workspace.Replace(project, "</ItemGroup>", """<ContainerSecretAllow Include="/app/appsettings.Demo.json" Reason="a token for the demo" /></ItemGroup>""");
        await workspace.Git.CommitAsync();
        var lifted = await workspace.PublishAsync(path, "-t:PublishContainer");

        Assert.True(lifted.Succeeded, lifted.ToString());
        Assert.Empty(lifted.Codes());
        Assert.Contains("ContainerSecretAllow lets through: /app/appsettings.Demo.json", lifted.Output, StringComparison.Ordinal);
    }
}
