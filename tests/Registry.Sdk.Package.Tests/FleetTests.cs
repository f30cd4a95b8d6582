using System.Text.Json.Nodes;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>VerifyContainers by every way it can be asked for: fleet projects, and services that are neither built nor restored.</summary>
[Collection(EditionPackageTests.Name)]
public sealed class FleetTests(PackageFixture fixture)
{
    [Fact]
    public async Task A_fleet_project_answers_every_command_and_verifies_what_it_and_its_projects_name()
    {
        using var seeder = fixture.Emulator.CreateAdministrator();
        foreach (var name in new[] { "own", "service", "derived" })
        {
            await Seed.PushAsync(seeder, $"fleet/{name}", "v1.0.0", new() { Salt = name });
        }

        await using var workspace = await fixture.CreateWorkspaceAsync();
        // By a package that was never restored, and a project of several frameworks without us; a library that inherits a destination.
        workspace.Write("src/service/Service.csproj", ProjectBuilder.Web().PackageReference(fixture.Feed.PackageId, fixture.Feed.Version)
            .Item("ContainerDestination", $"{fixture.Emulator.Host}/fleet/service", ("Visibility", "public")));
        workspace.Write("src/derived/Derived.csproj", ProjectBuilder.Create("Microsoft.NET.Sdk").Property("TargetFrameworks", "net10.0;net9.0").Property("OutputType", "Exe")
            .Property("ContainerRegistry", fixture.Emulator.Host).Property("ContainerRepository", "fleet/derived"));
        workspace.Write("src/lib/Lib.csproj", ProjectBuilder.Library().Item("ContainerDestination", $"{fixture.Emulator.Host}/fleet/lib-is-published-nowhere"));
        workspace.Write("src/lost/Lost.csproj", ProjectBuilder.Create("Microsoft.NET.Sdk").Property("TargetFramework", "net10.0").Property("OutputType", "Exe"));
        workspace.Write("global.json", $$"""{ "msbuild-sdks": { "{{fixture.Feed.PackageId}}": "{{fixture.Feed.Version}}" } }""");
        workspace.Write("fleet.csproj", ProjectBuilder.Create(fixture.Feed.PackageId)
            .Item("ContainerDestination", $"{fixture.Emulator.Host}/fleet/own", ("Visibility", "public"))
            .Item("ContainerProject", "**/*.csproj"));

        var build = await workspace.BuildAsync("fleet.csproj");
        Assert.True(build.Succeeded, build.ToString());
        Assert.Empty(build.Codes());
        Assert.Equal(
            ["fleet/derived", "fleet/own", "fleet/service"],
            (await ReportAsync(workspace))["packages"]!.AsArray().Select(package => package!["name"]!.GetValue<string>()[(fixture.Emulator.Host.Length + 1)..]).Order(StringComparer.Ordinal));
        // Named, and nothing of it is looked at: that is said. Of a library it is nothing to say.
        Assert.Equal(
            [$"{Path.Combine("src", "lost", "Lost.csproj")} declares no destination, so nothing of it is verified"],
            (await ReportAsync(workspace))["notes"]!.AsArray().Select(note => note!.GetValue<string>()));
        Assert.Empty(build.Compilations());
        Assert.False(Directory.Exists(Path.Combine(workspace.Root, "src/service/obj")));
        Assert.False(Directory.Exists(Path.Combine(workspace.Root, "obj")));

        // Nothing else is asked of it that would verify, or fail.
        var asked = fixture.Requests("fleet/own").Count;
        workspace.Write("all.slnx", "<Solution><Project Path=\"fleet.csproj\" /></Solution>\n");
        foreach (var (verb, project, arguments) in new (string, string, string[])[]
        {
            ("restore", "fleet.csproj", []), ("publish", "fleet.csproj", []), ("build", "all.slnx", []), ("publish", "all.slnx", ["-t:PublishContainer"]), ("clean", "fleet.csproj", []),
        })
        {
            var result = await workspace.DotnetAsync(verb, project, arguments);
            Assert.True(result.Succeeded, $"{verb} {project}: {result}");
            Assert.Empty(result.Codes());
            Assert.Equal(verb == "publish", result.Output.Contains("fleet -> a fleet project publishes nothing", StringComparison.Ordinal));
        }

        Assert.Equal(asked, fixture.Requests("fleet/own").Count);
        Assert.False(File.Exists(Path.Combine(workspace.Root, "bin/container/verify.json")));

        foreach (var (verb, project, arguments) in new (string, string, string[])[]
        {
            ("build", "fleet.csproj", ["-t:VerifyContainers", "-graph"]), ("msbuild", "fleet.csproj", ["-t:VerifyContainers"]), ("msbuild", "all.slnx", ["-t:VerifyContainers"]),
        })
        {
            var result = await workspace.DotnetAsync(verb, project, arguments);
            Assert.True(result.Succeeded, $"{verb} {project}: {result}");
            Assert.Equal(1, result.TaskRuns("VerifyContainers").Values.Sum());
        }
    }

    [Fact]
    public async Task A_service_is_verified_without_restore_and_build_and_what_is_not_there_fails_it()
    {
        using var seeder = fixture.Emulator.CreateAdministrator();
        await Seed.PushAsync(seeder, "verify/service", "v1.0.0", new());
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var project = workspace.Reference(Projects.Service(Kind.Web), fixture.Feed, Form.Import)
            .Item("ContainerDestination", $"{fixture.Emulator.Host}/verify/service", ("Visibility", "public"));
        var path = workspace.WriteService("src/service", "Service", project, Kind.Web);

        var good = await workspace.MSBuildAsync(path, "-t:VerifyContainers");
        Assert.True(good.Succeeded, good.ToString());
        Assert.Empty(good.Codes());
        Assert.False(Directory.Exists(Path.Combine(workspace.Root, "src/service/obj")));
        Assert.True((await ReportAsync(workspace, "src/service"))["succeeded"]!.GetValue<bool>());

        // Through the project's own items, also a compose file's.
        workspace.Write("src/service/compose.yml", "services:\n  a:\n    image: ${REGISTRY}/verify/never:v1\n");
        workspace.Environment = workspace.Environment.With("REGISTRY", fixture.Emulator.Host);
        workspace.WriteService("src/service", "Service", project.Item("ContainerDestination", $"{fixture.Emulator.Host}/verify/missing").Item("ContainerComposeFile", "compose.yml"), Kind.Web);
        var bad = await workspace.MSBuildAsync(path, "-t:VerifyContainers");
        Assert.False(bad.Succeeded);
        Assert.Equal(["RSDK7030", "RSDK7041"], bad.Codes().Order(StringComparer.Ordinal));
        Assert.Contains(bad.Errors, error => error.File?.EndsWith("compose.yml", StringComparison.Ordinal) == true && error.Line == 3);

        workspace.Write("fleet.proj", ProjectBuilder.Create($"{fixture.Feed.PackageId}/{fixture.Feed.Version}").Item("ContainerProject", "src/gone/Gone.csproj"));
        var gone = await workspace.BuildAsync("fleet.proj");
        Assert.Equal(["RSDK9032"], gone.Codes());
        Assert.Contains($"{Path.Combine("src", "gone", "Gone.csproj")} can't be read: it is not there. Correct the ContainerProject.", gone.Output, StringComparison.Ordinal);
    }

    private static async Task<JsonNode> ReportAsync(Workspace workspace, string folder = "") => JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(workspace.Root, folder, "bin/container/verify.json")))!;
}
