using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>What people really publish passes the wall of a public edition untouched: the .NET templates, and a service with ten packages.</summary>
[Collection(EditionPackageTests.Name)]
public sealed class FalseAlarmTests(PackageFixture fixture)
{
    [Theory]
    [InlineData("web")]
    [InlineData("worker")]
    [InlineData("razor")]
    [InlineData("blazor")]
    public async Task A_template_of_the_NET_SDK_passes(string template)
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var created = await ProcessRunner.RunAsync("dotnet", ["new", template, "--name", "Service", "--output", Path.Combine(workspace.Root, "src/service"), "--no-restore", "--no-update-check"], workspace.Root, workspace.Environment, TimeSpan.FromMinutes(1));
        Assert.True(created.ExitCode == 0, created.Output);
        var project = "src/service/Service.csproj";
        if (template == "worker")
        {
            // Hosting comes with the shared framework: the template's package is not among those that can be had here.
            var text = await File.ReadAllTextAsync(Path.Combine(workspace.Root, project));
            workspace.Write(project, System.Text.RegularExpressions.Regex.Replace(text, "<PackageReference [^>]*/>", "<FrameworkReference Include=\"Microsoft.AspNetCore.App\" />", default, TimeSpan.FromSeconds(1)));
        }

        await PassesAsync(workspace, project, template == "blazor" ? "<RequiresAspNetWebAssets>false</RequiresAspNetWebAssets>" : "");
    }

    [Fact]
    public async Task A_solution_with_ten_packages_passes()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var service = ProjectBuilder.Web()
            .PackageReference("Polly.Core", "8.8.1").PackageReference("YamlDotNet", "16.3.0").PackageReference("NuGet.Versioning", "8.0.0")
            .PackageReference("Dapper", "2.1.86").PackageReference("Spectre.Console", "0.49.1")
            .ProjectReference("../library/Library.csproj").ProjectReference("../pages/Pages.csproj");
        var path = workspace.WriteWebApp("src/service", "Service", service);
        workspace.WriteLibrary("src/library", "Library", ProjectBuilder.Library()
            .PackageReference("System.IdentityModel.Tokens.Jwt", "8.16.0").PackageReference("Humanizer.Core", "2.14.1").PackageReference("NSubstitute", "6.1.0")
            .PackageReference("Newtonsoft.Json", "13.0.3").PackageReference("Serilog", "3.1.1"));
        workspace.WriteTexts("src/library", "hallo");
        workspace.Write("src/pages/Pages.csproj", ProjectBuilder.Create("Microsoft.NET.Sdk.Razor").Property("TargetFramework", "net10.0").Property("AddRazorSupportForMvc", "true").Item("FrameworkReference", "Microsoft.AspNetCore.App"));
        workspace.Write("src/pages/Pages/Hello.cshtml", "@page\n<h1>hello</h1>\n");
        workspace.Write("src/pages/wwwroot/pages.css", "h1 { color: red }\n");

        await PassesAsync(workspace, Path.GetRelativePath(workspace.Root, path), "");
    }

    /// <summary>What the .NET SDK makes of an assembly on its way to the publish folder.</summary>
    [Theory]
    [InlineData("<PublishSingleFile>true</PublishSingleFile><SelfContained>true</SelfContained>")]
    [InlineData("<PublishReadyToRun>true</PublishReadyToRun>")]
    [InlineData("<PublishTrimmed>true</PublishTrimmed><SelfContained>true</SelfContained><ContainerBaseImage>mcr.microsoft.com/dotnet/runtime-deps:10.0</ContainerBaseImage>")]
    public async Task Another_form_of_publishing_passes(string properties)
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        workspace.WriteLibrary("src/library", "Library");
        var path = workspace.WriteWebApp("src/service", "Service", ProjectBuilder.Web().ProjectReference("../library/Library.csproj"));

        await PassesAsync(workspace, Path.GetRelativePath(workspace.Root, path), $"<RuntimeIdentifier>{BaseImageComposer.MachineRid}</RuntimeIdentifier>{properties}");
    }

    [Fact]
    public async Task Published_once_more_without_a_build_passes()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        workspace.WriteLibrary("src/library", "Library");
        var path = workspace.WriteWebApp("src/service", "Service", ProjectBuilder.Web().ProjectReference("../library/Library.csproj"));
        await PassesAsync(workspace, Path.GetRelativePath(workspace.Root, path), "");

        var result = await workspace.PublishAsync(path, "-t:PublishContainer", "--no-build");

        Assert.True(result.Succeeded, result.ToString());
        Assert.Empty(result.Codes());
    }

    private async Task PassesAsync(Workspace workspace, string project, string properties)
    {
        var repository = "untouched/" + Guid.NewGuid().ToString("N");
        workspace.Replace(project, "</Project>", $"""
              <Sdk Name="{fixture.Feed.PackageId}" Version="{fixture.Feed.Version}" />
              <PropertyGroup>
                <ContainerEditions>community</ContainerEditions>
                <ContainerEdition>community</ContainerEdition>
                <PackageLicenseExpression>MIT</PackageLicenseExpression>
                {properties}
              </PropertyGroup>
              <ItemGroup>
                <ContainerDestination Include="{fixture.Emulator.BaseAddress.Authority}/{repository}" Edition="community" Visibility="public" />
              </ItemGroup>
            </Project>
            """);
        await workspace.ReleaseAsync();

        var result = await workspace.PublishAsync(project, "-t:PublishContainer");

        Assert.True(result.Succeeded, result.ToString());
        Assert.DoesNotContain(result.Codes(), code => code.StartsWith("RSDK", StringComparison.Ordinal));
        Assert.NotEmpty(await fixture.View.TagsAsync(repository));
        // It was judged: the bill knows where every file comes from, and its licence.
        var bill = await File.ReadAllTextAsync(Assert.Single(Directory.EnumerateFiles(Path.Combine(workspace.Root, Path.GetDirectoryName(project)!, "obj"), "bill.json", SearchOption.AllDirectories)));
        Assert.Contains("MIT", bill, StringComparison.Ordinal);
        Assert.DoesNotContain("nexplained", bill, StringComparison.Ordinal);
        Assert.DoesNotContain("otJudged", bill, StringComparison.Ordinal);
    }
}
