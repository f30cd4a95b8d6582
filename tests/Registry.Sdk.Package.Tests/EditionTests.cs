using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>The other editions' builds: what is in them, how often what is built, and where. Without registries: what is sent is tested elsewhere.</summary>
[Collection(EditionPackageTests.Name)]
public sealed class EditionTests(PackageFixture fixture)
{
    // What a publish runs for the other editions, without the rest of it.
    private static readonly string[] BuildEditions = ["-restore", "-t:_RegistrySdkBuildEditions", "-p:Configuration=Release"];

    [Theory]
    [InlineData("plain")]
    [InlineData("graph", "-graph")]
    [InlineData("profile", "-p:PublishProfile=DefaultContainer")]
    [InlineData("artifacts")]
    public async Task Libraries_that_do_not_know_us_are_built_once_for_the_edition_apart_and_without_what_it_may_not_have(string how, params string[] arguments)
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var path = WriteService(workspace, Form.Sdk);
        if (how == "artifacts")
        {
            workspace.Write("Directory.Build.props", ProjectBuilder.Create().Property("UseArtifactsOutput", "true"));
        }

        await workspace.ReleaseAsync();

        var result = await workspace.MSBuildAsync(path, [.. BuildEditions, .. arguments]);

        Assert.True(result.Succeeded, result.ToString());
        Assert.Empty(result.Codes());
        // Restricted is not built, and neither is anything published.
        Assert.Equal([new("Lib", 1), new("Service", 1)], result.Compilations());
        Assert.Empty(result.TaskRuns("PublishContainers", "CheckContainers", "CreateNewImage"));
        var published = Assert.Single(
            Directory.EnumerateFiles(workspace.Root, "Service.deps.json", SearchOption.AllDirectories),
            file => file.Contains("/editions/community/", StringComparison.Ordinal) && file.Contains("publish/", StringComparison.Ordinal));
        Assert.Equal(["Lib.dll", "Service.dll"], Directory.EnumerateFiles(Path.GetDirectoryName(published)!, "*.dll").Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.DoesNotContain("Restricted", await File.ReadAllTextAsync(published), StringComparison.Ordinal);
        // Its own obj, the library's too.
        Assert.Equal(["Lib", "Service"], Directory.EnumerateFiles(workspace.Root, "project.assets.json", SearchOption.AllDirectories).Where(file => file.Contains("/editions/community/", StringComparison.Ordinal))
            .Select(file => file.Contains("/lib/", StringComparison.OrdinalIgnoreCase) ? "Lib" : "Service").Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task An_edition_that_does_not_compile_is_named_and_one_that_was_not_restored_too()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var path = WriteService(workspace, Form.Sdk);
        workspace.Write("src/service/Program.cs", "Console.WriteLine(Restricted.Text.Value);\n");

        var notRestored = await workspace.MSBuildAsync(path, "-t:_RegistrySdkBuildEditions", "-p:NoBuild=true");
        Assert.False(notRestored.Succeeded);
        Assert.Contains("was not restored", Assert.Single(notRestored.Errors, e => e.Code == "RSDK3019").Text, StringComparison.Ordinal);

        var result = await workspace.MSBuildAsync(path, BuildEditions);
        Assert.False(result.Succeeded);
        Assert.Equal(["CS0103", "RSDK3019"], result.Errors.Select(e => e.Code).Order(StringComparer.Ordinal));
        Assert.Contains("'community'", result.Errors.Single(e => e.Code == "RSDK3019").Text, StringComparison.Ordinal);
        // The compiler's own line says it too.
        Assert.Contains(result.Output.Split('\n'), line => line.Contains("error CS0103", StringComparison.Ordinal) && line.TrimEnd().EndsWith("ContainerEdition=community]", StringComparison.Ordinal));
    }

    [Fact]
    public async Task A_project_that_names_its_folders_itself_is_refused()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var path = workspace.WriteService("src/service", "Service", EditionSplitTests.WithEditions(workspace.Reference(Projects.Service(Kind.Console), fixture.Feed, Form.Sdk)).Property("OutputPath", "out/"), Kind.Console);

        var result = await workspace.MSBuildAsync(path, BuildEditions);

        Assert.False(result.Succeeded);
        Assert.Equal(["RSDK3019", "RSDK3023"], result.Errors.Select(e => e.Code).Distinct().Order(StringComparer.Ordinal));
        Assert.Contains("OutDir is out/", result.Errors.First(e => e.Code == "RSDK3023").Text, StringComparison.Ordinal);
    }

    /// <summary>Source Link writes the git remote into every PDB, and that is the repository of all editions.</summary>
    [Theory]
    [InlineData("https://github.com/acme/orders-community", "", false)]
    // Whoever wants it all the same says so, as for a package.
    [InlineData("https://github.com/acme/orders-community", "true", true)]
    [InlineData("", "", true)]
    public async Task An_edition_that_says_which_repository_is_its_own_names_no_other_in_its_PDBs(string url, string publishUrl, bool named)
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var path = WriteService(workspace, Form.Sdk);
        workspace.Write("Directory.Build.props", ProjectBuilder.Create().Property("RepositoryUrl", url, "'$(ContainerEdition)' == 'community'").Property("PublishRepositoryUrl", publishUrl));
        await workspace.ReleaseAsync();
        await workspace.Git.GitAsync("remote", "add", "origin", "https://github.com/acme/orders-private.git");

        var result = await workspace.MSBuildAsync(path, BuildEditions);

        Assert.True(result.Succeeded, result.ToString());
        var symbols = Directory.EnumerateFiles(workspace.Root, "*.pdb", SearchOption.AllDirectories).Where(file => file.Contains("/editions/community/", StringComparison.Ordinal) && file.Contains("publish/", StringComparison.Ordinal)).ToList();
        Assert.Equal(["Lib.pdb", "Service.pdb"], symbols.Select(Path.GetFileName).Order(StringComparer.Ordinal));
        Assert.Equal(named ? ["Lib.pdb", "Service.pdb"] : [], symbols.Where(file => File.ReadAllText(file).Contains("orders-private", StringComparison.Ordinal)).Select(Path.GetFileName).Order(StringComparer.Ordinal));
    }

    /// <summary>Both services pass the same global properties, or a library would be built twice into one folder.</summary>
    [Fact]
    public async Task Two_services_of_one_build_share_the_editions_of_their_library()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var first = WriteService(workspace, Form.Import);
        var second = workspace.WriteService("src/second", "Second", EditionSplitTests.WithEditions(Projects.Service(Kind.Console)).ProjectReference("../lib/Lib.csproj"), Kind.Console);
        var all = workspace.Write("All.proj", $"""
            <Project>
              <Target Name="Restore"><MSBuild Projects="{first};{second}" Targets="Restore" /></Target>
              <Target Name="_RegistrySdkBuildEditions"><MSBuild Projects="{first};{second}" Targets="_RegistrySdkBuildEditions" BuildInParallel="true" /></Target>
            </Project>

            """);

        var result = await workspace.MSBuildAsync(all, [.. BuildEditions, "-m:2"]);

        Assert.True(result.Succeeded, result.ToString());
        Assert.Equal([new("Lib", 1), new("Second", 1), new("Service", 1)], result.Compilations());
    }

    /// <summary>One line in Directory.Build.props: a plain build is separate and complete, lock files included.</summary>
    [Fact]
    public async Task With_the_one_line_form_a_plain_build_of_an_edition_has_folders_constants_and_lock_files_of_its_own()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var path = WriteService(workspace, Form.Import);
        workspace.Write("src/lib/Lib.cs", "namespace Lib;\n#if !EDITION_COMMUNITY\n#error no constant\n#endif\npublic static class Text { public static string Value => \"Lib\"; }\n");

        var first = await workspace.BuildAsync(path, "-p:ContainerEdition=community", "-p:RestorePackagesWithLockFile=true");
        var second = await workspace.BuildAsync(path, "-p:ContainerEdition=community", "-p:RestorePackagesWithLockFile=true", "-p:RestoreLockedMode=true");

        Assert.True(first.Succeeded, first.ToString());
        Assert.True(second.Succeeded, second.ToString());
        foreach (var folder in new[] { "src/service", "src/lib" })
        {
            Assert.Equal(["editions"], Directory.EnumerateFileSystemEntries(Path.Combine(workspace.Root, folder, "bin")).Select(Path.GetFileName));
            Assert.Equal(["editions"], Directory.EnumerateFileSystemEntries(Path.Combine(workspace.Root, folder, "obj")).Select(Path.GetFileName));
            Assert.True(File.Exists(Path.Combine(workspace.Root, folder, ".editions/community/packages.lock.json")));
        }
    }

    /// <summary>Service → Lib, which does not know us, and Restricted, which community may not have.</summary>
    private string WriteService(Workspace workspace, Form form)
    {
        workspace.WriteLibrary("src/lib", "Lib");
        workspace.WriteLibrary("src/restricted", "Restricted");
        var project = EditionSplitTests.WithEditions(workspace.Reference(Projects.Service(Kind.Web), fixture.Feed, form))
            .ProjectReference("../lib/Lib.csproj").ProjectReference("../restricted/Restricted.csproj", ("License", "BUSL-1.1"))
            .Item("ContainerDestination", $"{fixture.Emulator.Host}/editions/service", ("Edition", "community"));
        return workspace.WriteService("src/service", "Service", project, Kind.Web);
    }
}
