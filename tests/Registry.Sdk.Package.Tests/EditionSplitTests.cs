using System.Text.Json.Nodes;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>What evaluation takes out of an edition, and what it says where it can't. Nothing is compiled here but where it says so.</summary>
[Collection(EditionPackageTests.Name)]
public sealed class EditionSplitTests(PackageFixture fixture)
{
    private static readonly string[] ItemTypes = ["Compile", "Content", "None", "EmbeddedResource", "AdditionalFiles", "PackageReference", "ProjectReference", "Reference", "Analyzer"];

    [Fact]
    public async Task Evaluation_judges_every_row_of_the_table_of_licence_expressions()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var rows = File.ReadLines(Path.Combine(TestRun.RepositoryRoot, "tests", "Registry.Sdk.TestKit", "license-expressions.txt"))
            .Where(line => line.Length > 0 && !line.StartsWith("# ", StringComparison.Ordinal) && line != "#")
            .Select(line => line.Split((char[]?)null, 2, StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries)).ToList();
        var project = Editions(workspace, Form.Sdk);
        for (var i = 0; i < rows.Count; i++)
        {
            project.Item("Row", FormattableString.Invariant($"row{i}"), ("License", rows[i][1]));
            project.Item("None", FormattableString.Invariant($"row{i}"), ("License", rows[i][1]));
        }

        var items = await ItemsAsync(workspace, workspace.Write("src/service/Service.csproj", project), "community", "None", "_RegistrySdkMalformedLicense");

        var kept = Names(items, "None").ToHashSet(StringComparer.Ordinal);
        var malformed = Names(items, "_RegistrySdkMalformedLicense").ToHashSet(StringComparer.Ordinal);
        var verdicts = rows.Select((row, i) => (malformed.Contains(row[1]), kept.Contains(FormattableString.Invariant($"row{i}"))) switch
        {
            (true, false) => "malformed",
            (false, true) => "allowed",
            (false, false) => "refused",
            _ => "malformed and kept",
        } + " " + row[1]);
        Assert.True(rows.Count > 90);
        Assert.Equal(rows.Select(row => row[0] + " " + row[1]), verdicts);
    }

    [Theory]
    [InlineData(Form.Sdk)]
    [InlineData(Form.Import)]
    public async Task What_the_licence_does_not_allow_is_no_item_of_any_type_and_the_default_edition_has_it(Form form)
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var project = Editions(workspace, form)
            .Item("LicensedPath", "Enterprise/**", ("License", "BUSL-1.1")).Item("LicensedPath", "Shared/Both.cs", ("License", "MIT OR BUSL-1.1"))
            .Item("EmbeddedResource", "Enterprise/Template.txt").Item("AdditionalFiles", "enterprise/../Enterprise/./Rules.txt")
            .Item("Content", "Own.json", ("License", "BUSL-1.1"))
            .Item("PackageReference", "YamlDotNet", ("Version", "1.0.0"), ("License", "BUSL-1.1")).Item("PackageReference", "Serilog", ("Version", "1.0.0"), ("License", "Apache-2.0"))
            .Item("ProjectReference", "../saml/Saml.csproj", ("License", "BUSL-1.1")).Item("ProjectReference", "../lib/Lib.csproj")
            .Item("Reference", "Vendor", ("HintPath", "vendor/Vendor.dll"), ("License", "LicenseRef-Vendor")).Item("Analyzer", "vendor/Vendor.Analyzers.dll", ("License", "BUSL-1.1"));
        var path = workspace.WriteService("src/service", "Service", project, Kind.Console);
        workspace.Write("src/service/Enterprise/Sso.cs", "// BUSL");
        workspace.Write("src/service/Enterprise/Template.txt", "BUSL");
        workspace.Write("src/service/Enterprise/Rules.txt", "BUSL");
        workspace.Write("src/service/Shared/Both.cs", "// both");

        var community = await ItemsAsync(workspace, path, "community", [.. ItemTypes, "_RegistrySdkRemoved", "AssemblyMetadata"]);
        var enterprise = await ItemsAsync(workspace, path, "", [.. ItemTypes, "_RegistrySdkRemoved", "AssemblyMetadata"]);

        Assert.Equal(["Program.cs", "Shared/Both.cs"], Names(community, "Compile"));
        Assert.Equal(["Enterprise/Sso.cs", "Program.cs", "Shared/Both.cs"], Names(enterprise, "Compile"));
        Assert.Empty(Names(community, "EmbeddedResource").Concat(Names(community, "AdditionalFiles")).Concat(Names(community, "Content")).Concat(Names(community, "Reference")));
        Assert.DoesNotContain("vendor/Vendor.Analyzers.dll", Names(community, "Analyzer"));
        Assert.Equal(["Serilog"], Names(community, "PackageReference"));
        Assert.Equal(["../lib/Lib.csproj"], Names(community, "ProjectReference"));
        Assert.DoesNotContain(Names(community, "None"), name => name.Contains("Enterprise", StringComparison.Ordinal));
        Assert.Equal(["Serilog", "YamlDotNet"], Names(enterprise, "PackageReference"));
        // What is not the edition's own licence is in neither.
        Assert.Equal(["Vendor"], Names(enterprise, "_RegistrySdkRemoved"));
        Assert.Equal(
            ["AdditionalFiles", "Analyzer", "Compile", "Content", "EmbeddedResource", "None", "PackageReference", "ProjectReference", "Reference"],
            community["_RegistrySdkRemoved"]!.AsArray().Select(item => item!["Type"]!.GetValue<string>()).Distinct().Order(StringComparer.Ordinal));
        Assert.Equal("community", community["AssemblyMetadata"]!.AsArray().Single(item => item!["Identity"]!.GetValue<string>() == "ContainerEdition")!["Value"]!.GetValue<string>());
    }

    [Theory]
    // A value of every mistake, and what the message must name.
    [InlineData("RSDK3013", "shareware", "PackageLicenseExpression", "MIT", "shareware")]
    [InlineData("RSDK3013", "empty", "PackageLicenseExpression", "MIT", "community;enterprise")]
    [InlineData("RSDK3024", "no good", "PackageLicenseExpression", "MIT", "no good")]
    [InlineData("RSDK3015", "community", "None", "MIT and BUSL-1.1", "MIT and BUSL-1.1")]
    [InlineData("RSDK3018", "community", "Using", "BUSL-1.1", "Using 'item'")]
    [InlineData("RSDK3014", "community", "unlicensed", "BUSL-1.1", "'community'")]
    public async Task A_mistake_is_told_before_any_other_target(string code, string edition, string type, string license, string named)
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var project = Editions(workspace, Form.Sdk);
        if (type == "unlicensed")
        {
            project.Property("PackageLicenseExpression", "").Item("None", "item", ("License", license));
        }
        else if (type != "PackageLicenseExpression")
        {
            project.Item(type, "item", ("License", license));
        }

        // Given from outside for a whole solution an edition that a service lacks is none of its business; written in the project it is a mistake.
        string[] given = code == "RSDK3013" && edition != "empty" ? [] : ["-p:ContainerEdition=" + (edition == "empty" ? "" : edition)];
        if (given.Length == 0)
        {
            project.Property("ContainerEdition", edition);
        }

        var path = workspace.WriteService("src/service", "Service", project, Kind.Console);

        var result = await workspace.MSBuildAsync(path, ["-t:GetTargetPath", .. given]);

        Assert.False(result.Succeeded);
        var error = result.Errors[0];
        Assert.Equal(code, error.Code);
        Assert.Contains(named, error.Text, StringComparison.Ordinal);
        Assert.EndsWith("Service.csproj", error.File, StringComparison.Ordinal);
        Assert.DoesNotContain("GetTargetPath", result.Targets);
    }

    /// <summary>Restore would have let it through, so nobody may rely on it; a Condition works.</summary>
    [Theory]
    [InlineData(Form.PackageReference)]
    [InlineData(Form.GlobalPackageReference)]
    public async Task As_a_package_License_on_a_reference_is_refused_and_on_a_file_works(Form form)
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        workspace.WriteLibrary("src/lib", "Lib");
        // From Directory.Build.targets, which comes after a package's own.
        workspace.Write("Directory.Build.targets", ProjectBuilder.Create().Item("Compile", "$(MSBuildThisFileDirectory)linked/*.cs", ("Condition", "'$(MSBuildProjectName)' == 'Service'")));
        workspace.Write("linked/Late.cs", "#error this is not of this edition");
        var project = Editions(workspace, form).Item("LicensedPath", "../../linked/**", ("License", "BUSL-1.1"))
            .ProjectReference("../lib/Lib.csproj", ("Condition", "'$(ContainerEdition)' == 'enterprise'"));
        var path = workspace.WriteService("src/service", "Service", project, Kind.Console);

        (await workspace.BuildAsync(path, "-p:ContainerEdition=community")).EnsureSuccess();
        workspace.Write("src/service/Service.csproj", project.ProjectReference("../lib/Lib.csproj", ("License", "BUSL-1.1")));
        var refused = await workspace.MSBuildAsync(path, "-restore", "-t:GetTargetPath");

        Assert.False(refused.Succeeded);
        Assert.Equal(["RSDK3017"], refused.Errors.Select(e => e.Code));
        Assert.Contains("Lib.csproj", refused.Errors[0].Text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task What_was_restored_for_another_edition_is_not_built()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        workspace.WriteLibrary("src/lib", "Lib");
        var path = workspace.WriteService("src/service", "Service", Editions(workspace, Form.Sdk).ProjectReference("../lib/Lib.csproj", ("License", "BUSL-1.1")), Kind.Console);
        (await workspace.RestoreAsync(path)).EnsureSuccess();

        var result = await workspace.BuildAsync(path, "--no-restore", "-p:ContainerEdition=community");

        Assert.False(result.Succeeded);
        Assert.Equal(["RSDK3025"], result.Errors.Select(e => e.Code));
        Assert.Contains("Lib.csproj", result.Errors[0].Text, StringComparison.Ordinal);
        // The edition that it was restored for is built.
        (await workspace.BuildAsync(path, "--no-restore")).EnsureSuccess();
    }

    /// <summary>The issue's two editions; the default one is enterprise.</summary>
    internal static ProjectBuilder WithEditions(ProjectBuilder project) => project
        .Property("ContainerEditions", "community;enterprise")
        .Property("ContainerEdition", "enterprise", "'$(ContainerEdition)' == ''")
        .Property("PackageLicenseExpression", "MIT", "'$(ContainerEdition)' == 'community'")
        .Property("PackageLicenseExpression", "BUSL-1.1", "'$(ContainerEdition)' == 'enterprise'");

    private ProjectBuilder Editions(Workspace workspace, Form form) => WithEditions(workspace.Reference(Projects.Service(Kind.Console), fixture.Feed, form));

    private static async Task<JsonNode> ItemsAsync(Workspace workspace, string path, string edition, params string[] types)
    {
        var result = await workspace.MSBuildAsync(path, [.. types.Select(type => "-getItem:" + type), .. edition.Length > 0 ? ["-p:ContainerEdition=" + edition] : Array.Empty<string>()]);
        Assert.True(result.Succeeded, result.ToString());
        return JsonNode.Parse(result.Process.StandardOutput)!["Items"]!;
    }

    private static IEnumerable<string> Names(JsonNode items, string type) =>
        items[type]!.AsArray().Select(item => item!["Identity"]!.GetValue<string>()).Order(StringComparer.Ordinal);
}
