using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>Beside the .NET SDK's own container publish: it never runs where there are destinations, and is itself where there are none.</summary>
[Collection(PackageTests.Name)]
public sealed class StockTests(PackageFixture fixture)
{
    [Fact]
    public async Task With_destinations_stock_never_publishes_whatever_is_said_on_the_command_line()
    {
        var open = await fixture.OpenAsync();
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var project = workspace.Reference(Projects.Service(Kind.Web), fixture.Feed, Form.PackageReference)
            .Item("ContainerDestination", $"{open.Address}/wall/service");
        var path = workspace.WriteService("src/service", "Service", project, Kind.Web);
        await workspace.ReleaseAsync();
        open.Proxy.Clear();
        var before = fixture.Emulator.Requests.Count;

        // Towards another registry, where one request too many would be an image in the wrong place.
        var registry = await workspace.PublishAsync(path, "-t:PublishContainer", "-p:EnableSdkContainerSupport=true", $"-p:ContainerRegistry={fixture.Emulator.Host}");
        AssertRefused(registry, $"ContainerRegistry ('{fixture.Emulator.Host}')");

        var archive = workspace.OutsidePath("image.tar");
        AssertRefused(
            await workspace.PublishAsync(path, "-t:PublishContainer", "-p:EnableSdkContainerSupport=true", $"-p:ContainerArchiveOutputPath={archive}"),
            $"ContainerArchiveOutputPath ('{archive}')");
        Assert.False(File.Exists(archive));
        Assert.Empty(open.Proxy.Requests);
        Assert.Equal(before, fixture.Emulator.Requests.Count);

        // With nothing beside the destinations the switch alone does not bring stock back: we publish.
        var alone = await workspace.PublishAsync(path, "-t:PublishContainer", "-p:EnableSdkContainerSupport=true");
        Assert.True(alone.Succeeded, alone.ToString());
        Assert.Empty(alone.TaskRuns("CreateNewImage"));
        Assert.Equal(Projects.ReleaseTags, (await open.View.TagsAsync("wall/service")).Keys);

        void AssertRefused(DotnetResult result, string named)
        {
            Assert.False(result.Succeeded);
            var error = Assert.Single(result.Errors);
            Assert.Equal("RSDK9004", error.Code);
            Assert.Contains(named, error.Text, StringComparison.Ordinal);
            Assert.Contains($"{open.Address}/wall/service", error.Text, StringComparison.Ordinal);
            Assert.Empty(result.TaskRuns("CreateNewImage"));
        }
    }

    [Fact]
    public async Task ContainerRegistry_alone_is_one_destination_of_ours_and_its_release_goes_to_one_added_later()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var path = workspace.WriteService("src/service", "Service", workspace.Reference(Projects.Service(Kind.Console), fixture.Feed, Form.Sdk), Kind.Console);
        await workspace.ReleaseAsync();

        var result = await workspace.PublishAsync(path, "-t:PublishContainer", $"-p:ContainerRegistry={fixture.Emulator.Host}", "-p:ContainerRepository=alone/service");

        Assert.True(result.Succeeded, result.ToString());
        Assert.Empty(result.TaskRuns("CreateNewImage"));
        Assert.Equal(Projects.ReleaseTags, (await fixture.View.TagsAsync("alone/service")).Keys);

        // The repository that stock would derive is not named here, and nothing is built that would derive it.
        (await workspace.PublishAsync(path, "-t:PublishContainer", $"-p:ContainerRegistry={fixture.Emulator.Host}")).EnsureSuccess();
        var added = (await workspace.BuildAsync(
            path, "-t:PublishContainer", "-c", "Release", $"-p:ContainerRegistry={fixture.Emulator.Host}", $"-p:RegistrySdkAdditionalDestinations={fixture.Emulator.Host}/alone/later")).EnsureSuccess();
        Assert.Empty(added.Compilations());
        Assert.Equal(await fixture.View.TagsAsync("service"), await fixture.View.TagsAsync("alone/later"));
    }

    [Fact]
    public async Task Without_destination_stock_does_what_it_does_without_us_and_gets_our_tags()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        workspace.WriteLibrary("src/lib", "Lib");
        ProjectBuilder Project() => Projects.Service(Kind.Web).ProjectReference("../lib/Lib.csproj");
        // Stock speaks http to localhost, so the emulator can be its base registry. The Docker format, because its archive lists the tags.
        string[] Arguments(string archive) =>
            ["-t:PublishContainer", "-p:ContainerImageFormat=Docker", $"-p:ContainerBaseImage=localhost:{fixture.Emulator.BaseAddress.Port}/dotnet/aspnet:10.0", $"-p:ContainerArchiveOutputPath={archive}"];
        var (without, with, withoutGit) = (workspace.OutsidePath("without.tar"), workspace.OutsidePath("with.tar"), workspace.OutsidePath("nogit.tar"));
        var path = workspace.WriteService("src/service", "Service", Project(), Kind.Web);
        var commit = await workspace.ReleaseAsync();
        var stock = await workspace.PublishAsync(path, Arguments(without));
        Assert.True(stock.Succeeded, stock.ToString());
        foreach (var folder in new[] { "src/service/bin", "src/service/obj", "src/lib/bin", "src/lib/obj" })
        {
            Directory.Delete(Path.Combine(workspace.Root, folder), recursive: true);
        }

        // Our reference without a change of the commit, which goes into the assembly.
        workspace.WriteService("src/service", "Service", workspace.Reference(Project(), fixture.Feed, Form.Sdk), Kind.Web);
        await workspace.Git.GitAsync("update-index", "--assume-unchanged", "src/service/Service.csproj");
        var ours = await workspace.PublishAsync(path, Arguments(with));

        Assert.True(ours.Succeeded, ours.ToString());
        Assert.Empty(ours.Codes());
        Assert.Equal([new("Service", 1)], ours.TaskRuns("CreateNewImage"));
        Assert.Empty(ours.TaskRuns("PublishContainers"));
        var (expected, actual) = (Archive.Read(without), Archive.Read(with));
        Assert.Equal(["service:latest"], expected.Tags);
        Assert.Equal(["service:latest", "service:v1", "service:v1.4", "service:v1.4.2"], actual.Tags.Order(StringComparer.Ordinal));
        Assert.Equal(expected.Configuration, actual.Configuration);
        Assert.Equal(expected.Files, actual.Files);

        // A branch has no `latest` of ours; stock's stays.
        await workspace.Git.GitAsync("tag", "--delete", "v1.4.2");
        var branch = (await workspace.MSBuildAsync(path, "-t:ComputeContainerConfig", "-getItem:ContainerImageTags")).EnsureSuccess();
        Assert.Equal(
            ["main-" + commit[..7], "main", "latest"],
            JsonNode.Parse(branch.Process.StandardOutput)!["Items"]!["ContainerImageTags"]!.AsArray().Select(tag => tag!["Identity"]!.GetValue<string>()));

        // No git: said once, and nothing else changes.
        Directory.Delete(Path.Combine(workspace.Root, ".git"), recursive: true);
        var noGit = await workspace.PublishAsync(path, [.. Arguments(withoutGit), "--no-build"]);
        Assert.True(noGit.Succeeded, noGit.ToString());
        Assert.Empty(noGit.Codes());
        Assert.Single(noGit.Messages, message => message.StartsWith("Registry.Sdk adds no tags:", StringComparison.Ordinal));
        Assert.Equal(["service:latest"], Archive.Read(withoutGit).Tags);
    }

    /// <summary>An image archive of the .NET SDK's, without what no two publishes have in common: times, and digests that follow from them.</summary>
    private sealed record Archive(IReadOnlyList<string> Tags, string Configuration, IReadOnlyList<string> Files)
    {
        public static Archive Read(string path)
        {
            var entries = Entries(File.OpenRead(path)).ToDictionary(entry => entry.Name, entry => entry.Content, StringComparer.Ordinal);
            var manifest = JsonDocument.Parse(entries["manifest.json"]).RootElement[0];
            var config = JsonNode.Parse(entries[manifest.GetProperty("Config").GetString()!])!.AsObject();
            config.Remove("created");
            config.Remove("history");
            config.Remove("rootfs");
            var labels = config["config"]!["Labels"]!.AsObject();
            labels.Remove("org.opencontainers.image.created");
            labels.Remove("org.opencontainers.artifact.created");
            var layer = manifest.GetProperty("Layers").EnumerateArray().Last().GetString()!;
            return new(
                [.. manifest.GetProperty("RepoTags").EnumerateArray().Select(tag => tag.GetString()!)],
                config.ToJsonString(),
                [.. Entries(new GZipStream(new MemoryStream(entries[layer]), CompressionMode.Decompress))
                    .Select(entry => $"{entry.Name} {entry.Mode} {Convert.ToHexStringLower(SHA256.HashData(entry.Content))}").Order(StringComparer.Ordinal)]);
        }

        private static List<(string Name, UnixFileMode Mode, byte[] Content)> Entries(Stream stream)
        {
            using var reader = new TarReader(stream);
            var entries = new List<(string, UnixFileMode, byte[])>();
            while (reader.GetNextEntry() is { } entry)
            {
                using var content = new MemoryStream();
                entry.DataStream?.CopyTo(content);
                entries.Add((entry.Name, entry.Mode, content.ToArray()));
            }

            return entries;
        }
    }
}
