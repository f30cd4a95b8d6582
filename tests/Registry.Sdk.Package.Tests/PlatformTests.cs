using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>Several platforms from one machine, and the kinds of output that <c>dotnet publish</c> has.</summary>
[Collection(PackageTests.Name)]
public sealed class PlatformTests(PackageFixture fixture)
{
    [Fact]
    public async Task Two_runtime_identifiers_make_one_index_whose_children_have_everything_and_no_tag()
    {
        const string Repository = "platforms/two";
        var open = await fixture.OpenAsync();
        await using var workspace = await fixture.CreateWorkspaceAsync();
        workspace.WriteLibrary("src/library", "Library");
        var project = workspace.Reference(Projects.Service(Kind.Web), fixture.Feed, Form.Sdk)
            .Property("ContainerRuntimeIdentifiers", $"{BaseImageComposer.MachineRid};{PackageFixture.OtherRid};{BaseImageComposer.MachineRid}")
            // Packs of the other platform can't be had here, and nothing of them is wanted.
            .Property("UseAppHost", "false").Property("EnableRuntimePackDownload", "false").Property("EnableAppHostPackDownload", "false")
            .Property("Description", "Takes orders; ships: them")
            .ProjectReference("../library/Library.csproj")
            .Item("ContainerLabel", "x.y", ("Value", "https://example.org:8443/a;b=c"))
            .Item("ContainerEnvironmentVariable", "ENDPOINT", ("Value", "http://a.example:1/b:c;d=e \"f\" ü"))
            .Item("ContainerPort", "9000", ("Type", "udp"))
            .Item("ContainerDestination", $"{open.Address}/{Repository}");
        var path = workspace.WriteService("src/service", "Service", project, Kind.Web);
        await workspace.ReleaseAsync();

        var first = await workspace.PublishAsync(path, "-t:PublishContainer");

        Assert.True(first.Succeeded, first.ToString());
        Assert.Empty(first.Codes());
        var tags = await open.View.TagsAsync(Repository);
        Assert.Equal(Projects.ReleaseTags, tags.Keys);
        var digest = Assert.Single(tags.Values.Distinct());
        var index = await open.View.ManifestAsync(Repository, digest);
        Assert.Equal("application/vnd.oci.image.index.v1+json", index.GetProperty("mediaType").GetString());
        Assert.Equal("Takes orders; ships: them", index.GetProperty("annotations").GetProperty("org.opencontainers.image.description").GetString());
        Assert.Equal("1.4.2", index.GetProperty("annotations").GetProperty("org.opencontainers.image.version").GetString());
        var children = index.GetProperty("manifests").EnumerateArray().ToList();
        Assert.Equal(["amd64", "arm64/v8"], children.Select(c => c.GetProperty("platform")).Select(p => p.GetProperty("architecture").GetString() + (p.TryGetProperty("variant", out var v) ? "/" + v.GetString() : "")).Order());
        Assert.All(children, c => Assert.DoesNotContain(c.GetProperty("digest").GetString(), tags.Values));
        foreach (var child in children)
        {
            var reference = child.GetProperty("digest").GetString()!;
            var manifest = await open.View.ManifestAsync(Repository, reference);
            Assert.Equal("Takes orders; ships: them", manifest.GetProperty("annotations").GetProperty("org.opencontainers.image.description").GetString());
            var image = await open.View.ConfigAsync(Repository, reference);
            Assert.Equal(child.GetProperty("platform").GetProperty("architecture").GetString(), image.GetProperty("architecture").GetString());
            var config = image.GetProperty("config");
            Assert.Equal("https://example.org:8443/a;b=c", config.GetProperty("Labels").GetProperty("x.y").GetString());
            Assert.Contains("ENDPOINT=http://a.example:1/b:c;d=e \"f\" ü", config.GetProperty("Env").EnumerateArray().Select(e => e.GetString()));
            Assert.Equal(["8080/tcp", "9000/udp"], config.GetProperty("ExposedPorts").EnumerateObject().Select(p => p.Name));
            // Compiled once for both, and each with its own RID.
            Assert.Contains("app/Library.dll", (await open.View.OwnFilesAsync(Repository, reference)).Keys);
        }

        // An engine finds its platform by itself.
        var engine = await DockerEngine.SharedAsync();
        Assert.Equal(digest, await engine.PullAsync($"{open.Address}/{Repository}:v1.4.2"));
        await using (var container = await engine.RunAspNetAsync($"{open.Address}/{Repository}:v1.4.2"))
        {
            Assert.Equal("hello", await container.Client.GetStringAsync(new Uri("/", UriKind.Relative)));
        }

        open.Proxy.Clear();
        var second = await workspace.PublishAsync(path, "-t:PublishContainer", "--no-restore");

        Assert.True(second.Succeeded, second.ToString());
        Assert.Empty(open.Proxy.Writes);
        // The library was built once, for both and for itself, and what a user sees is one line of tags.
        Assert.Equal(tags, await open.View.TagsAsync(Repository));
        Assert.Contains(second.Messages, m => m.Contains("linux/arm64/v8 sha256:", StringComparison.Ordinal));
    }

    /// <summary>A directory below the project is output, not content of the application and no change of the tree; and it is a layout to others.</summary>
    [Fact]
    public async Task A_layout_directory_inside_the_project_is_whole_and_does_not_come_back_in()
    {
        const string Repository = "platforms/layout";
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var project = workspace.Reference(Projects.Service(Kind.Web), fixture.Feed, Form.Sdk)
            .Property("ContainerImageFormat", "OCI")
            .Property("RegistrySdkReceiptPath", "receipt.json")
            .Item("ContainerDestination", "oci:artifacts/o'brien").Item("ContainerDestination", $"{fixture.Emulator.Host}/{Repository}");
        var path = workspace.WriteService("src/service", "Service", project, Kind.Web);
        await workspace.ReleaseAsync();

        var first = await workspace.PublishAsync(path, "-t:PublishContainer");
        var writes = fixture.Requests(Repository).Count(request => request.Method != "GET" && request.Method != "HEAD");
        var second = await workspace.PublishAsync(path, "-t:PublishContainer");

        Assert.True(first.Succeeded, first.ToString());
        Assert.True(second.Succeeded, second.ToString());
        Assert.Empty(first.Codes().Concat(second.Codes()));
        Assert.True(writes > 0);
        Assert.Equal(writes, fixture.Requests(Repository).Count(request => request.Method != "GET" && request.Method != "HEAD"));
        Assert.DoesNotContain((await fixture.View.OwnFilesAsync(Repository, "v1.4.2")).Keys, name => name.Contains("artifacts", StringComparison.Ordinal) || name.Contains("receipt", StringComparison.Ordinal));
        var layout = Path.Combine(workspace.Root, "src/service/artifacts/o'brien");
        Assert.Empty(await OciSchemas.ValidateLayoutAsync(layout));
        var inspected = JsonNode.Parse(await Skopeo.InspectAsync($"oci:{layout}:v1.4.2"))!;
        Assert.Equal((await fixture.View.TagsAsync(Repository))["v1.4.2"], inspected["Digest"]!.GetValue<string>());
    }

    [Fact]
    public async Task Platforms_that_publish_into_one_folder_are_refused()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var project = workspace.Reference(Projects.Service(Kind.Console), fixture.Feed, Form.Sdk)
            .Property("RuntimeIdentifiers", $"{BaseImageComposer.MachineRid};{PackageFixture.OtherRid}")
            .Property("UseAppHost", "false").Property("EnableRuntimePackDownload", "false").Property("EnableAppHostPackDownload", "false")
            .Item("ContainerDestination", $"{fixture.Emulator.Host}/platforms/one-folder");
        var path = workspace.WriteService("src/service", "Service", project, Kind.Console);
        await workspace.ReleaseAsync();

        var result = await workspace.PublishAsync(path, "-t:PublishContainer", "-o", workspace.OutsidePath("out"));

        Assert.False(result.Succeeded);
        Assert.Equal(["RSDK3007"], result.Errors.Select(e => e.Code));
        Assert.Empty(fixture.Requests("platforms/one-folder"));
    }

    [Theory]
    [InlineData("self-contained", "SelfContained", "true")]
    [InlineData("ready-to-run", "PublishReadyToRun", "true")]
    public async Task What_dotnet_publishes_otherwise_runs_too(string kind, string property, string value)
    {
        var repository = "platforms/" + kind;
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var reference = await PublishAndPullAsync(workspace, Kind.Web, repository, ("RuntimeIdentifier", BaseImageComposer.MachineRid), ("SelfContained", "false"), (property, value));
        var engine = await DockerEngine.SharedAsync();
        await using var container = await engine.RunAspNetAsync(reference);
        Assert.Equal("hello", await container.Client.GetStringAsync(new Uri("/", UriKind.Relative)));
        if (kind == "self-contained")
        {
            // The runtime lies in a layer below the application: the SDK's pace, not ours.
            var layers = await fixture.View.OwnLayersAsync(repository, "v1.4.2");
            Assert.Contains("app/libcoreclr.so", (await fixture.View.EntriesAsync(repository, layers[0])).Select(e => e.Name));
            Assert.DoesNotContain("app/libcoreclr.so", (await fixture.View.EntriesAsync(repository, layers[^1])).Select(e => e.Name));
            Assert.Contains("app/Service.dll", (await fixture.View.EntriesAsync(repository, layers[^1])).Select(e => e.Name));
        }
    }

    [Fact]
    public async Task One_trimmed_file_runs_on_a_base_without_dotnet()
    {
        await AssertSaysHelloAsync("platforms/single-file", ("RuntimeIdentifier", BaseImageComposer.MachineRid), ("PublishSingleFile", "true"), ("SelfContained", "true"), ("PublishTrimmed", "true"),
            // The one that is inferred of a trimmed and invariant application is not seeded.
            ("InvariantGlobalization", "true"), ("ContainerBaseImage", "mcr.microsoft.com/dotnet/runtime-deps:10.0"));
        var files = (await fixture.View.OwnFilesAsync("platforms/single-file", "v1.4.2")).Keys;
        Assert.DoesNotContain("app/Service.dll", files);
    }

    /// <summary>
    /// ILCompiler's package for .NET 10 can't be had here, that of .NET 9 can; lld, because Debian's ld can't link glibc statically into it. None of
    /// that is about images.
    /// </summary>
    [Fact]
    public async Task A_native_executable_runs_on_scratch()
    {
        await AssertSaysHelloAsync("platforms/aot", ("TargetFramework", "net9.0"), ("RuntimeIdentifier", BaseImageComposer.MachineRid), ("PublishAot", "true"), ("StaticExecutable", "true"), ("InvariantGlobalization", "true"),
            ("CppCompilerAndLinker", "gcc"), ("LinkerFlavor", "lld"), ("ContainerBaseImage", "scratch"));
        var manifest = await fixture.View.ManifestAsync("platforms/aot", "v1.4.2");
        Assert.Equal(1, manifest.GetProperty("layers").GetArrayLength());
        var labels = (await fixture.View.ConfigAsync("platforms/aot", "v1.4.2")).GetProperty("config").GetProperty("Labels");
        Assert.DoesNotContain(labels.EnumerateObject(), l => l.Name.Contains(".base.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Scratch_has_no_dotnet_and_says_so()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var project = workspace.Reference(Projects.Service(Kind.Console), fixture.Feed, Form.Sdk)
            .Property("ContainerBaseImage", "scratch").Item("ContainerDestination", $"{fixture.Emulator.Host}/platforms/no-dotnet");
        var path = workspace.WriteService("src/service", "Service", project, Kind.Console);
        await workspace.ReleaseAsync();

        // Who takes the warning for an error has nothing sent.
        var strict = await workspace.PublishAsync(path, "-t:PublishContainer", "-warnaserror:RSDK4013");
        Assert.False(strict.Succeeded);
        Assert.Equal(["RSDK4013"], strict.Errors.Select(w => w.Code));
        Assert.Empty(await fixture.View.TagsAsync("platforms/no-dotnet"));
        Assert.False(JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(workspace.Root, "src/service/bin/container/receipt.json")))!["succeeded"]!.GetValue<bool>());

        var result = await workspace.PublishAsync(path, "-t:PublishContainer");

        Assert.True(result.Succeeded, result.ToString());
        Assert.Equal(["RSDK4013"], result.Warnings.Select(w => w.Code));
    }

    private async Task AssertSaysHelloAsync(string repository, params (string Name, string Value)[] properties)
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var reference = await PublishAndPullAsync(workspace, Kind.Console, repository, properties);
        var engine = await DockerEngine.SharedAsync();
        var container = await engine.RunDetachedAsync(reference);
        Assert.Equal((0, "hello"), (await engine.WaitAsync(container), (await engine.LogsAsync(container)).Trim()));
        await engine.RemoveAsync(container);
    }

    /// <summary>Publishes a service with these properties, without a word of warning, and gives it to the engine.</summary>
    private async Task<string> PublishAndPullAsync(Workspace workspace, Kind kind, string repository, params (string Name, string Value)[] properties)
    {
        var project = workspace.Reference(Projects.Service(kind), fixture.Feed, Form.Sdk).Item("ContainerDestination", $"{fixture.Emulator.Host}/{repository}")
            // For native AOT; nobody else asks.
            .Item("LinkerArg", "-Wl,-z,nostart-stop-gc");
        foreach (var (name, value) in properties)
        {
            project.Property(name, value);
        }

        var path = workspace.WriteService("src/service", "Service", project, kind);
        await workspace.ReleaseAsync();

        var result = await workspace.PublishAsync(path, "-t:PublishContainer");

        Assert.True(result.Succeeded, result.ToString());
        Assert.Empty(result.Codes());
        var reference = $"{fixture.Emulator.Host}/{repository}:v1.4.2";
        await (await DockerEngine.SharedAsync()).PullAsync(reference);
        return reference;
    }
}
