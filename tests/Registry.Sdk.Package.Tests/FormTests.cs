using System.Text.Json;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>Every reference form, project kind and entry point at least once. Not every combination: each row is a whole publish.</summary>
[Collection(PackageTests.Name)]
public sealed class FormTests(PackageFixture fixture)
{
    private static readonly string[] PublishTarget = ["-t:PublishContainer"];
    private static readonly string[] Profile = ["-p:PublishProfile=DefaultContainer"];

    public static TheoryData<Form, Kind, bool, string, string[]> Rows => new()
    {
        { Form.Sdk, Kind.Web, false, "publish", Profile },
        { Form.GlobalJson, Kind.Worker, false, "publish", PublishTarget },
        { Form.Import, Kind.Console, false, "publish", Profile },
        { Form.PackageReference, Kind.Web, true, "msbuild", ["-restore", .. PublishTarget, "-p:Configuration=Release"] },
        { Form.GlobalPackageReference, Kind.Console, true, "build", [.. PublishTarget, "-c", "Release"] },
    };

    [Theory]
    [MemberData(nameof(Rows))]
    public async Task A_service_is_published_once_with_all_its_tags(Form form, Kind kind, bool fsharp, string verb, string[] arguments)
    {
        var repository = $"forms/{form}-{kind}-{verb}".ToLowerInvariant();
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var project = workspace.Reference(Projects.Service(kind, fsharp), fixture.Feed, form)
            .Item("ContainerDestination", $"{fixture.Emulator.Host}/{repository}");
        var path = workspace.WriteService("src/service", "Service", project, kind, fsharp);
        var commit = await workspace.ReleaseAsync();

        var result = await workspace.DotnetAsync(verb, path, arguments);

        Assert.True(result.Succeeded, result.ToString());
        // Nothing to read for the user but the result: no warning of ours, nor of stock about us.
        Assert.Empty(result.Codes());
        Assert.Equal(1, result.TaskRuns("PublishContainers").Values.Sum());
        Assert.Equal(1, result.Compilations()["Service"]);
        Assert.DoesNotContain("CreateNewImage", result.TaskRuns("CreateNewImage").Keys);

        var tags = await fixture.View.TagsAsync(repository);
        Assert.Equal(Projects.ReleaseTags, tags.Keys);
        Assert.Single(tags.Values.Distinct());
        var config = (await fixture.View.ConfigAsync(repository, "latest")).GetProperty("config");
        Assert.Equal(commit, config.GetProperty("Labels").GetProperty("org.opencontainers.image.revision").GetString());
        Assert.Equal("1.4.2", config.GetProperty("Labels").GetProperty("org.opencontainers.image.version").GetString());
        Assert.Contains("Service", CommandLine(config), StringComparison.Ordinal);
        var aspnet = config.GetProperty("Env").EnumerateArray().Any(variable => variable.GetString()!.StartsWith("ASPNET_VERSION=", StringComparison.Ordinal));
        Assert.Equal(kind != Kind.Console, aspnet);
    }

    [Fact]
    public async Task With_artifacts_output_everything_is_found_and_build_output_does_not_make_the_tree_dirty()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var project = workspace.Reference(Projects.Service(Kind.Worker), fixture.Feed, Form.GlobalPackageReference)
            .Item("ContainerDestination", $"{fixture.Emulator.Host}/forms/artifacts");
        var path = workspace.WriteService("src/service", "Service", project, Kind.Worker);
        workspace.Write("Directory.Build.props", ProjectBuilder.Create().Property("UseArtifactsOutput", "true"));
        // Nothing ignored: what the build itself writes must not be held against a release.
        workspace.Write(".gitignore", "");
        await workspace.ReleaseAsync();

        var result = await workspace.PublishAsync(path, PublishTarget);

        Assert.True(result.Succeeded, result.ToString());
        Assert.Empty(result.Codes());
        Assert.Equal(Projects.ReleaseTags, (await fixture.View.TagsAsync("forms/artifacts")).Keys);
        Assert.True(File.Exists(Path.Combine(workspace.Root, "artifacts", "bin", "Service", "container", "receipt.json")));
        Assert.Equal(["src/service/Program.cs", "src/service/Service.csproj"], Directory.EnumerateFiles(Path.Combine(workspace.Root, "src"), "*", SearchOption.AllDirectories)
            .Select(file => Path.GetRelativePath(workspace.Root, file)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_service_with_TargetFrameworks_is_published_with_f_and_refused_without()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        // One framework in the plural is multi-targeting all the same: an outer build, and nothing to download.
        var project = workspace.Reference(ProjectBuilder.Create("Microsoft.NET.Sdk"), fixture.Feed, Form.GlobalJson)
            .Property("TargetFrameworks", "net10.0").Property("OutputType", "Exe").Property("ImplicitUsings", "enable")
            .Item("ContainerDestination", $"{fixture.Emulator.Host}/forms/multi");
        var path = workspace.WriteService("src/service", "Service", project, Kind.Console);
        await workspace.ReleaseAsync();

        var without = await workspace.MSBuildAsync(path, ["-restore", .. PublishTarget]);
        Assert.False(without.Succeeded);
        var error = Assert.Single(without.Errors);
        Assert.Equal("RSDK9010", error.Code);
        Assert.Empty(fixture.Requests("forms/multi"));

        var with = await workspace.PublishAsync(path, [.. PublishTarget, "-f", "net10.0"]);
        Assert.True(with.Succeeded, with.ToString());
        Assert.Empty(with.Codes());
        Assert.Equal(Projects.ReleaseTags, (await fixture.View.TagsAsync("forms/multi")).Keys);
    }

    [Fact]
    public async Task What_was_built_before_is_published_without_building_again()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var project = workspace.Reference(Projects.Service(Kind.Web), fixture.Feed, Form.Sdk)
            .Item("ContainerDestination", $"{fixture.Emulator.Host}/forms/nobuild");
        var path = workspace.WriteService("src/service", "Service", project, Kind.Web);
        await workspace.ReleaseAsync();

        var build = (await workspace.BuildAsync(path, "-c", "Release")).EnsureSuccess();
        // A build alone asks neither git nor a registry.
        Assert.Equal(["_RegistrySdkInitialize", "_RegistrySdkSourceRoot"], build.OurTargets());
        Assert.Empty(fixture.Requests("forms/nobuild"));

        var result = await workspace.PublishAsync(path, [.. PublishTarget, "--no-build"]);
        Assert.True(result.Succeeded, result.ToString());
        Assert.Empty(result.Codes());
        Assert.Empty(result.Compilations());
        Assert.Equal(Projects.ReleaseTags, (await fixture.View.TagsAsync("forms/nobuild")).Keys);
    }

    private static string CommandLine(JsonElement config) => string.Join(
        ' ',
        new[] { "Entrypoint", "Cmd" }.SelectMany(name => config.TryGetProperty(name, out var words) && words.ValueKind == JsonValueKind.Array ? words.EnumerateArray().Select(word => word.GetString()!) : []));
}
