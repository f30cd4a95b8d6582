using System.Reflection.PortableExecutable;
using System.Text.Json.Nodes;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>Where nothing is published we do nothing: design-time builds, plain builds, restore.</summary>
[Collection(PackageTests.Name)]
public sealed class NoEffectTests(PackageFixture fixture)
{
    [Fact]
    public async Task A_debug_build_and_a_design_time_build_run_nothing_of_ours_and_keep_real_paths()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        // The strongest form: it reaches the library too.
        var project = workspace.Reference(Projects.Service(Kind.Web), fixture.Feed, Form.Import)
            .ProjectReference("../lib/Lib.csproj")
            .Item("ContainerDestination", $"{fixture.Emulator.Host}/noeffect/debug");
        var path = workspace.WriteService("src/service", "Service", project, Kind.Web);
        var library = workspace.WriteLibrary("src/lib", "Lib");
        await workspace.ReleaseAsync();

        var build = (await workspace.BuildAsync(path)).EnsureSuccess();

        Assert.Equal(["_RegistrySdkInitialize"], build.OurTargets());
        Assert.Empty(build.Codes());
        Assert.Equal([new("Lib", 1), new("Service", 1)], build.Compilations());
        var bin = Path.Combine(Path.GetDirectoryName(path)!, "bin", "Debug", "net10.0");
        Assert.StartsWith(workspace.Root, PdbPath(Path.Combine(bin, "Service.dll")));
        Assert.StartsWith(Path.GetDirectoryName(library)!, PdbPath(Path.Combine(bin, "Lib.dll")));

        // What an IDE asks of a project it has loaded, in the configuration that maps paths elsewhere.
        var designTime = await workspace.MSBuildAsync(
            path, "-restore", "-t:Compile", "-p:Configuration=Release", "-p:DesignTimeBuild=true", "-p:SkipCompilerExecution=true", "-p:ProvideCommandLineArgs=true", "-p:BuildProjectReferences=false",
            "-getProperty:DeterministicSourcePaths", "-getProperty:ContinuousIntegrationBuild");
        Assert.True(designTime.Succeeded, designTime.ToString());
        var properties = JsonNode.Parse(designTime.Process.StandardOutput)!["Properties"]!;
        Assert.Equal(("", ""), (properties["DeterministicSourcePaths"]!.GetValue<string>(), properties["ContinuousIntegrationBuild"]!.GetValue<string>()));
        Assert.Equal(["_RegistrySdkInitialize"], designTime.OurTargets());
        Assert.Empty(fixture.Requests("noeffect/debug"));
    }

    [Fact]
    public async Task Restore_finds_the_same_with_us_and_without_us()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var path = workspace.WriteService("src/service", "Service", Projects.Service(Kind.Web), Kind.Web);
        var without = await RestoreAsync();

        // With a destination, which must not matter either.
        var project = Projects.Service(Kind.Web).Item("ContainerDestination", "ghcr.io/example/service");
        workspace.WriteService("src/service", "Service", workspace.Reference(project, fixture.Feed, Form.Sdk), Kind.Web);
        Assert.Equal(without, await RestoreAsync());

        workspace.WriteService("src/service", "Service", Projects.Service(Kind.Web), Kind.Web);
        workspace.Reference(Projects.Service(Kind.Web), fixture.Feed, Form.Import);
        Assert.Equal(without, await RestoreAsync());
        File.Delete(Path.Combine(workspace.Root, "Directory.Build.props"));

        workspace.WriteService("src/service", "Service", workspace.Reference(Projects.Service(Kind.Web), fixture.Feed, Form.PackageReference), Kind.Web);
        var with = await RestoreAsync();
        Assert.NotEqual(without, with);
        Assert.Equal(without, WithoutOurReference(with));

        async Task<string> RestoreAsync()
        {
            (await workspace.RestoreAsync(path, "--force")).EnsureSuccess();
            return await File.ReadAllTextAsync(Path.Combine(Path.GetDirectoryName(path)!, "obj", "project.assets.json"));
        }
    }

    /// <summary>The assets file as it would be had the project no reference to us: everything that names the package is taken out.</summary>
    private string WithoutOurReference(string assets)
    {
        var root = JsonNode.Parse(assets)!.AsObject();
        var name = $"{fixture.Feed.PackageId}/{fixture.Feed.Version}";
        Assert.True(root["targets"]!["net10.0"]!.AsObject().Remove(name));
        Assert.True(root["libraries"]!.AsObject().Remove(name));
        var group = root["projectFileDependencyGroups"]!["net10.0"]!.AsArray();
        group.Remove(group.Single(entry => entry!.GetValue<string>().StartsWith(fixture.Feed.PackageId + " ", StringComparison.Ordinal)));
        var framework = root["project"]!["frameworks"]!["net10.0"]!.AsObject();
        Assert.True(framework["dependencies"]!.AsObject().Remove(fixture.Feed.PackageId));
        framework.Remove("dependencies");
        return root.ToJsonString(new() { WriteIndented = true, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
    }

    private static string PdbPath(string assembly)
    {
        using var reader = new PEReader(File.OpenRead(assembly));
        return reader.ReadCodeViewDebugDirectoryData(reader.ReadDebugDirectory().Single(entry => entry.Type == DebugDirectoryEntryType.CodeView)).Path;
    }
}
