using System.Security.Cryptography;
using System.Text;
using System.Text.Json.Nodes;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>The main job: one publish, two real registries, one digest.</summary>
[Collection(PackageTests.Name)]
public sealed class TwoRegistriesTests(PackageFixture fixture)
{
    private const string Repository = "team/service";

    [Fact]
    public async Task One_publish_puts_one_digest_under_all_tags_into_both_and_a_second_sends_nothing()
    {
        var open = await fixture.OpenAsync();
        var closed = await fixture.ClosedAsync();
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var config = closed.WriteDockerConfig(workspace.OutsidePath("docker"));
        workspace.Environment = workspace.Environment.With("DOCKER_CONFIG", config);
        var project = workspace.Reference(Projects.Service(Kind.Web), fixture.Feed, Form.Sdk)
            .Item("ContainerDestination", $"{open.Address}/{Repository}").Item("ContainerDestination", $"{closed.Address}/{Repository}");
        var path = workspace.WriteService("src/service", "Service", project, Kind.Web);
        await workspace.ReleaseAsync();

        var first = await workspace.PublishAsync(path, "-t:PublishContainer");

        Assert.True(first.Succeeded, first.ToString());
        Assert.Empty(first.Codes());
        var tags = await open.View.TagsAsync(Repository);
        Assert.Equal(Projects.ReleaseTags, tags.Keys);
        var digest = Assert.Single(tags.Values.Distinct());
        Assert.Equal(tags, await closed.View.TagsAsync(Repository));
        foreach (var writes in new[] { open.Proxy.Writes, closed.Proxy.Writes })
        {
            // Every tag after everything else, immutable ones first, latest last.
            Assert.Equal(["v1.4.2", "v1.4", "v1", "latest"], writes.TakeLast(4).Select(request => request.Path.Split('/')[^1]));
            Assert.All(writes.TakeLast(4), request => Assert.Equal(("PUT", $"/v2/{Repository}/manifests"), (request.Method, request.Path[..request.Path.LastIndexOf('/')])));
        }

        // Independent opinions on the one with a password: a tool, then an engine that runs it.
        var reference = $"{closed.Address}/{Repository}:latest";
        var authFile = Path.Combine(config, "config.json");
        var inspected = JsonNode.Parse(await Skopeo.InspectAsync("docker://" + reference, authFile: authFile))!;
        Assert.Equal(digest, inspected["Digest"]!.GetValue<string>());
        Assert.Equal("1.4.2", inspected["Labels"]!["org.opencontainers.image.version"]!.GetValue<string>());
        var raw = await Skopeo.InspectAsync("docker://" + reference, raw: true, authFile: authFile);
        Assert.Equal(digest, "sha256:" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(raw))));

        var engine = await DockerEngine.SharedAsync();
        Assert.Equal(digest, await engine.PullAsync(reference, config));
        await using (var container = await engine.RunAspNetAsync(reference))
        {
            Assert.Equal("hello", await container.Client.GetStringAsync(new Uri("/", UriKind.Relative)));
        }

        open.Proxy.Clear();
        closed.Proxy.Clear();
        var second = await workspace.PublishAsync(path, "-t:PublishContainer");

        Assert.True(second.Succeeded, second.ToString());
        foreach (var registry in new[] { open, closed })
        {
            Assert.NotEmpty(registry.Proxy.Requests);
            Assert.Empty(registry.Proxy.Writes);
            Assert.Equal(0, registry.Proxy.Requests.Sum(request => request.RequestBytes));
            Assert.Equal(tags, await registry.View.TagsAsync(Repository));
        }

        var receipt = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(workspace.Root, "src/service/bin/container/receipt.json")))!;
        Assert.All(receipt["images"]![0]!["destinations"]!.AsArray(), destination => Assert.Equal(0, destination!["bytesSent"]!.GetValue<long>()));
    }
}
