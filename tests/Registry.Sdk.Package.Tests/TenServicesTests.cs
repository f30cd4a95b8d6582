using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Registry.Sdk.TestKit;
using Xunit;
using LoggedTask = Microsoft.Build.Logging.StructuredLogger.Task;

namespace Registry.Sdk.Package.Tests;

/// <summary>A solution of services that share a base image, published at once by several MSBuild processes to two real registries.</summary>
[Collection(PackageTests.Name)]
public sealed partial class TenServicesTests(PackageFixture fixture)
{
    private const int Nodes = 4;

    private static readonly string[] Services = [.. Enumerable.Range(1, 10).Select(i => string.Create(CultureInfo.InvariantCulture, $"s{i:00}"))];

    [Fact]
    public async Task Ten_services_of_one_solution_send_each_base_layer_once_to_each_registry_and_mount_it_for_the_others()
    {
        // Their own: nothing may be there yet, and what is counted is this build's.
        var registries = await Task.WhenAll(CountedRegistry.StartAsync(authenticate: false), CountedRegistry.StartAsync(authenticate: true));
        await using var open = registries[0];
        await using var closed = registries[1];
        await using var workspace = await fixture.CreateWorkspaceAsync();
        workspace.Environment = workspace.Environment.With("DOCKER_CONFIG", closed.WriteDockerConfig(workspace.OutsidePath("docker")));
        var project = workspace.Reference(Projects.Service(Kind.Console), fixture.Feed, Form.Import);
        foreach (var registry in registries)
        {
            project.Item("ContainerDestination", $"{registry.Address}/team/$(MSBuildProjectName)");
        }

        foreach (var service in Services)
        {
            workspace.WriteService($"src/{service}", service, project, Kind.Console);
        }

        workspace.Write("Services.slnx", $"<Solution>{string.Concat(Services.Select(service => $"<Project Path=\"src/{service}/{service}.csproj\" />"))}</Solution>");
        await workspace.ReleaseAsync();

        // The cache is this build's too: in the user's there may be notes of registries that had these ports before.
        var result = await workspace.PublishAsync("Services.slnx", "-t:PublishContainer", $"-m:{Nodes}", $"-p:RegistrySdkCacheDirectory={workspace.OutsidePath("cache")}");

        Assert.True(result.Succeeded, result.ToString());
        Assert.Empty(result.Codes());

        // Nodes are processes: what one knows the others learn through the cache alone.
        var tasks = new List<LoggedTask>();
        result.Binlog.VisitAllChildren<LoggedTask>(task => tasks.Add(task));
        var publishes = tasks.Where(task => task.Name == "PublishContainers").ToList();
        Assert.Equal(Services.Length, publishes.Count);
        Assert.True(publishes.Select(task => task.NodeId).Distinct().Count() > 1, "all were published by one MSBuild node");
        Assert.True(publishes.Exists(one => publishes.Exists(other => other.NodeId != one.NodeId && other.StartTime < one.EndTime && one.StartTime < other.EndTime)), "no two were published at the same time");

        var receipts = new Dictionary<string, JsonNode>(StringComparer.Ordinal);
        foreach (var service in Services)
        {
            receipts.Add(service, JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(workspace.Root, "src", service, "bin/container/receipt.json")))!);
        }

        foreach (var registry in registries)
        {
            // What every image has is the base image's, and it is what they share.
            var manifests = new Dictionary<string, JsonElement>(StringComparer.Ordinal);
            foreach (var service in Services)
            {
                manifests.Add(service, await registry.View.ManifestAsync("team/" + service, "v1.4.2"));
            }

            var layers = manifests.Values.Select(manifest => Layers(manifest).ToHashSet(StringComparer.Ordinal)).ToList();
            var shared = layers.Aggregate((a, b) => [.. a.Intersect(b, StringComparer.Ordinal)]);
            Assert.True(shared.Count > 1, "a base image of one layer shows little");
            Assert.Equal(layers[0].Count - 1, shared.Count);

            var uploads = Uploads(registry);
            var mounts = Mounts(registry);
            foreach (var layer in shared)
            {
                var sender = Assert.Single(uploads, upload => upload.Digest == layer).Repository;
                Assert.Equal(Services.Select(service => "team/" + service).Except([sender]), mounts.Where(mount => mount.Digest == layer).Select(mount => mount.Repository).Order(StringComparer.Ordinal));
            }

            // Nothing else twice either, and no mount was asked for in vain.
            Assert.Equal(uploads.Count, uploads.Select(upload => upload.Digest).Distinct(StringComparer.Ordinal).Count());
            Assert.All(registry.Proxy.Requests.Where(request => request.Method == "POST" && request.Query.Contains("mount=", StringComparison.Ordinal)), request => Assert.Equal(201, request.Status));

            var sent = 0L;
            foreach (var (service, manifest) in manifests)
            {
                var receipt = receipts[service];
                var destination = receipt["images"]![0]!["destinations"]!.AsArray().Single(d => d!["name"]!.GetValue<string>() == $"{registry.Address}/team/{service}")!;
                var tags = await registry.View.TagsAsync("team/" + service);
                Assert.Equal(Projects.ReleaseTags, tags.Keys);
                var digest = Assert.Single(tags.Values.Distinct());
                Assert.Equal(digest, receipt["images"]![0]!["digest"]!.GetValue<string>());
                Assert.Equal(digest, destination["digest"]!.GetValue<string>());
                Assert.All(destination["tags"]!.AsArray(), tag => Assert.Equal(("created", digest), (tag!["state"]!.GetValue<string>(), tag["after"]!.GetValue<string>())));

                // The bytes of the receipt are those of the image, each once, by the way that the registry saw them go.
                var blobs = manifest.GetProperty("layers").EnumerateArray().Append(manifest.GetProperty("config"))
                    .ToDictionary(blob => blob.GetProperty("digest").GetString()!, blob => blob.GetProperty("size").GetInt64(), StringComparer.Ordinal);
                var manifestSize = manifest.GetRawText().Length;
                long Sum(IReadOnlyList<(string Digest, string Repository)> ways) => ways.Where(way => way.Repository == "team/" + service).Sum(way => blobs[way.Digest]);
                Assert.Equal(Sum(uploads) + manifestSize, destination["bytesSent"]!.GetValue<long>());
                Assert.Equal(Sum(mounts), destination["bytesMounted"]!.GetValue<long>());
                Assert.Equal(0, destination["bytesSkipped"]!.GetValue<long>());
                Assert.Equal(blobs.Values.Sum() + manifestSize, destination["bytesSent"]!.GetValue<long>() + destination["bytesMounted"]!.GetValue<long>());
                sent += destination["bytesSent"]!.GetValue<long>() - manifestSize;
            }

            Assert.Equal(sent, registry.Proxy.Requests.Where(request => request.Path.Contains("/blobs/uploads/", StringComparison.Ordinal)).Sum(request => request.RequestBytes));
        }
    }

    private static IEnumerable<string> Layers(JsonElement manifest) => manifest.GetProperty("layers").EnumerateArray().Select(layer => layer.GetProperty("digest").GetString()!);

    /// <summary>Every blob that was sent and taken, and where.</summary>
    private static List<(string Digest, string Repository)> Uploads(CountedRegistry registry) => Blobs(registry, "PUT", "digest");

    /// <summary>Every blob that was taken over from another repository, and where to.</summary>
    private static List<(string Digest, string Repository)> Mounts(CountedRegistry registry) => Blobs(registry, "POST", "mount");

    private static List<(string Digest, string Repository)> Blobs(CountedRegistry registry, string method, string parameter)
        => [.. registry.Proxy.Requests
            .Where(request => request.Method == method && request.Status == 201)
            .Select(request => (Digest: Parameter().Matches(Uri.UnescapeDataString(request.Query)).SingleOrDefault(match => match.Groups["name"].Value == parameter)?.Groups["digest"].Value, Repository: Upload().Match(request.Path).Groups["repository"].Value))
            .Where(blob => blob.Digest is not null && blob.Repository.Length > 0)
            .Select(blob => (blob.Digest!, blob.Repository))];

    [GeneratedRegex("(?<=[?&])(?<name>[a-z]+)=(?<digest>sha256:[0-9a-f]{64})(?=&|$)", RegexOptions.ExplicitCapture)]
    private static partial Regex Parameter();

    [GeneratedRegex("^/v2/(?<repository>.+)/blobs/uploads/", RegexOptions.ExplicitCapture)]
    private static partial Regex Upload();
}
