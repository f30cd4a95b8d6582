using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>Services with libraries, alone and in a solution: who is built how often, and who is published.</summary>
[Collection(PackageTests.Name)]
public sealed class ReferenceTests(PackageFixture fixture)
{
    [Theory]
    [InlineData("plain", "publish", "-t:PublishContainer")]
    [InlineData("graph", "publish", "-t:PublishContainer", "-graph")]
    // Nobody has said «publish» or «Release» here; what is published is compiled for it all the same.
    [InlineData("msbuild", "msbuild", "-restore", "-t:PublishContainer")]
    [InlineData("plan", "msbuild", "-restore", "-t:PlanContainers")]
    public async Task Libraries_that_do_not_know_us_are_built_once_and_with_mapped_paths(string how, string verb, params string[] arguments)
    {
        var repository = "references/" + how;
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var project = WriteServiceWithLibraries(workspace, Form.PackageReference, repository);
        await workspace.ReleaseAsync();

        var result = await workspace.DotnetAsync(verb, project, arguments);

        Assert.True(result.Succeeded, result.ToString());
        // RSDK4008 would name a library with the path of this folder in it. RSDK2010: `dotnet msbuild` builds Debug, and this is a release.
        Assert.Equal(verb == "msbuild" ? ["RSDK2010"] : [], result.Codes());
        Assert.Equal([new("Lower", 1), new("Middle", 1), new("Service", 1)], result.Compilations());
        Assert.Equal([new("Service", 1)], result.TaskRuns("PublishContainers"));
        Assert.Equal(how == "plan" ? [] : Projects.ReleaseTags, (await fixture.View.TagsAsync(repository)).Keys);
    }

    [Fact]
    public async Task In_a_solution_only_the_service_is_published()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var service = WriteServiceWithLibraries(workspace, Form.Import, repository: null);
        // The destination reaches every project of the repository, and still nobody but the service has anything to send.
        workspace.Write("Directory.Build.props", ProjectBuilder.Create()
            .Import("Sdk.props", fixture.Feed.PackageId, fixture.Feed.Version)
            .Item("ContainerDestination", $"{fixture.Emulator.Host}/solution/$(MSBuildProjectName.ToLowerInvariant())"));
        var tests = workspace.WriteService("test/service", "Service.Tests", ProjectBuilder.Console().Property("IsTestProject", "true"), Kind.Console);
        var tool = workspace.WriteService("tools/tool", "Tool", ProjectBuilder.Console().Property("IsPublishable", "false"), Kind.Console);
        var solution = WriteSolution(workspace, service, Path.Combine(workspace.Root, "src/middle/Middle.csproj"), Path.Combine(workspace.Root, "src/lower/Lower.csproj"), tests, tool);
        await workspace.ReleaseAsync();

        var result = await workspace.PublishAsync(solution, "-t:PublishContainer", "-m:2");

        Assert.True(result.Succeeded, result.ToString());
        Assert.Empty(result.Codes());
        Assert.Equal([new("Service", 1)], result.TaskRuns("PublishContainers"));
        Assert.All(result.Compilations(), project => Assert.Equal(1, project.Value));
        Assert.Equal(Projects.ReleaseTags, (await fixture.View.TagsAsync("solution/service")).Keys);
        foreach (var other in new[] { "middle", "lower", "service.tests", "tool" })
        {
            Assert.Empty(fixture.Requests("solution/" + other));
        }

        Assert.Equal(
            ["src/service/bin/container/receipt.json"],
            Directory.EnumerateFiles(workspace.Root, "receipt.json", SearchOption.AllDirectories).Select(file => Path.GetRelativePath(workspace.Root, file)));
    }

    /// <summary>Service → Middle → Lower; the service sees Lower too, as a reference of a reference.</summary>
    private string WriteServiceWithLibraries(Workspace workspace, Form form, string? repository)
    {
        workspace.WriteLibrary("src/lower", "Lower");
        workspace.WriteLibrary("src/middle", "Middle", ProjectBuilder.Library().ProjectReference("../lower/Lower.csproj"));
        var project = workspace.Reference(Projects.Service(Kind.Web), fixture.Feed, form).ProjectReference("../middle/Middle.csproj");
        if (repository is not null)
        {
            project.Item("ContainerDestination", $"{fixture.Emulator.Host}/{repository}");
        }

        return workspace.WriteService("src/service", "Service", project, Kind.Web);
    }

    private static string WriteSolution(Workspace workspace, params string[] projects)
    {
        const string CSharp = "{9A19103F-16F7-4668-BE54-9A1E7A4F7556}";
        var list = string.Concat(projects.Select((project, number) =>
            $"Project(\"{CSharp}\") = \"{Path.GetFileNameWithoutExtension(project)}\", \"{Path.GetRelativePath(workspace.Root, project).Replace('/', '\\')}\", \"{Guid(number)}\"\r\nEndProject\r\n"));
        var configurations = string.Concat(projects.SelectMany((_, number) => new[] { "Debug", "Release" }.SelectMany(name => new[] { "ActiveCfg", "Build.0" }
            .Select(what => $"\t\t{Guid(number)}.{name}|Any CPU.{what} = {name}|Any CPU\r\n"))));
        return workspace.Write(
            "Everything.sln",
            "\r\nMicrosoft Visual Studio Solution File, Format Version 12.00\r\n# Visual Studio Version 17\r\n" + list
            + "Global\r\n\tGlobalSection(SolutionConfigurationPlatforms) = preSolution\r\n\t\tDebug|Any CPU = Debug|Any CPU\r\n\t\tRelease|Any CPU = Release|Any CPU\r\n\tEndGlobalSection\r\n"
            + "\tGlobalSection(ProjectConfigurationPlatforms) = postSolution\r\n" + configurations + "\tEndGlobalSection\r\nEndGlobal\r\n");

        static string Guid(int number) => FormattableString.Invariant($"{{00000000-0000-0000-0000-{number + 1:000000000000}}}");
    }
}
