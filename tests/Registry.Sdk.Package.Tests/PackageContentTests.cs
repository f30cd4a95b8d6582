using System.IO.Compression;
using System.Text.Json;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>What ships, file by file: a file more or less is a decision, and is made here.</summary>
[Collection(PackageTests.Name)]
public sealed class PackageContentTests(PackageFixture fixture)
{
    [Fact]
    public void The_package_holds_exactly_these_files()
    {
        using var package = ZipFile.OpenRead(fixture.Feed.PackagePath);

        Assert.Equal(
            [
                "LICENSE",
                "README.md",
                "Registry.Sdk.nuspec",
                "Sdk/Sdk.props",
                "Sdk/Sdk.targets",
                "build/Registry.Sdk.props",
                "build/Registry.Sdk.targets",
                "buildMultiTargeting/Registry.Sdk.props",
                "buildMultiTargeting/Registry.Sdk.targets",
                "targets/Registry.Sdk.Defaults.props",
                "targets/Registry.Sdk.Describe.targets",
                "targets/Registry.Sdk.DescribeOnly.props",
                "targets/Registry.Sdk.DescribeOnly.targets",
                "targets/Registry.Sdk.Edition.props",
                "targets/Registry.Sdk.EditionBuild.props",
                "targets/Registry.Sdk.EditionBuild.targets",
                "targets/Registry.Sdk.Editions.targets",
                "targets/Registry.Sdk.EditionsOnce.targets",
                "targets/Registry.Sdk.Fleet.targets",
                "targets/Registry.Sdk.Hook.targets",
                "targets/Registry.Sdk.List.targets",
                "targets/Registry.Sdk.ListOnly.props",
                "targets/Registry.Sdk.ListOnly.targets",
                "targets/Registry.Sdk.Publish.targets",
                "targets/Registry.Sdk.Tasks.targets",
                "targets/Registry.Sdk.Verify.targets",
                "targets/Registry.Sdk.props",
                "targets/Registry.Sdk.targets",
                "tasks/net10.0/NuGet.Versioning.dll",
                "tasks/net10.0/Polly.Core.dll",
                "tasks/net10.0/Registry.Sdk.Core.dll",
                "tasks/net10.0/Registry.Sdk.Tasks.deps.json",
                "tasks/net10.0/Registry.Sdk.Tasks.dll",
                "tasks/net10.0/YamlDotNet.dll",
            ],
            // The rest is the container's own: relationships, content types, and a file named by a new id every time.
            package.Entries.Select(entry => entry.FullName).Where(name => name is not ("_rels/.rels" or "[Content_Types].xml") && !name.StartsWith("package/", StringComparison.Ordinal)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void Every_assembly_that_the_tasks_need_ships_and_none_of_MSBuilds_own()
    {
        using var package = ZipFile.OpenRead(fixture.Feed.PackagePath);
        var shipped = package.Entries.Where(entry => entry.FullName.StartsWith("tasks/", StringComparison.Ordinal)).Select(entry => entry.Name).ToList();
        using var deps = package.GetEntry("tasks/net10.0/Registry.Sdk.Tasks.deps.json")!.Open();
        using var document = JsonDocument.Parse(deps);
        var needed = document.RootElement.GetProperty("targets").EnumerateObject().Single().Value.EnumerateObject()
            .SelectMany(library => library.Value.TryGetProperty("runtime", out var files) ? files.EnumerateObject().Select(file => file.Name.Split('/')[^1]) : [])
            .Order(StringComparer.Ordinal).ToList();

        Assert.Equal(shipped.Where(name => name.EndsWith(".dll", StringComparison.Ordinal)).Order(StringComparer.Ordinal), needed);
        Assert.DoesNotContain(shipped, name => name.StartsWith("Microsoft.Build", StringComparison.Ordinal));
    }

    [Fact]
    public void Whoever_references_the_package_does_not_pass_it_on()
    {
        using var package = ZipFile.OpenRead(fixture.Feed.PackagePath);
        using var reader = new StreamReader(package.GetEntry("Registry.Sdk.nuspec")!.Open());
        var nuspec = reader.ReadToEnd();

        Assert.Contains("<developmentDependency>true</developmentDependency>", nuspec, StringComparison.Ordinal);
        Assert.Contains("<license type=\"expression\">MIT</license>", nuspec, StringComparison.Ordinal);
        Assert.Contains($"<version>{fixture.Feed.Version}</version>", nuspec, StringComparison.Ordinal);
        Assert.DoesNotContain("<dependency ", nuspec, StringComparison.Ordinal);
    }
}
