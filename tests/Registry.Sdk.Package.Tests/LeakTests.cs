using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>A built <c>samples/truxe</c> that the leaks are planted in, one after another.</summary>
public sealed class TruxeFixture : IAsyncLifetime
{
    public Truxe Truxe { get; private set; } = null!;

    /// <summary>The enterprise library as an engineer would copy it by hand.</summary>
    public byte[] SamlAssembly { get; private set; } = [];

    /// <summary>Builds both editions and sends them to registries that are emptied of requests after it.</summary>
    public async Task EnsureAsync(PackageFixture fixture)
    {
        if (Truxe is null)
        {
            Truxe = await Truxe.CreateAsync(fixture);
            var packages = Truxe.Workspace.OutsidePath("feed");
            WritePackage(packages, "Acme.Free", "MIT", dependency: "Acme.Paid");
            WritePackage(packages, "Acme.Paid", "LicenseRef-Acme-Commercial", dependency: null);
            var result = await Truxe.PublishAsync();
            Assert.True(result.Succeeded, result.ToString());
            SamlAssembly = await File.ReadAllBytesAsync(Directory.EnumerateFiles(Path.Combine(Truxe.Workspace.Root, "src/Truxe.Saml/bin"), "Truxe.Saml.dll", SearchOption.AllDirectories).First());
        }

        Truxe.Open.Proxy.Clear();
        Truxe.Closed.Proxy.Clear();
    }

    public Task InitializeAsync() => Task.CompletedTask;

    public async Task DisposeAsync()
    {
        if (Truxe is not null)
        {
            await Truxe.DisposeAsync();
        }
    }

    private static void WritePackage(string folder, string id, string license, string? dependency)
        => Projects.WriteNativePackage(folder, id, "1.0.0", System.Text.Encoding.UTF8.GetBytes($"\u007fELF {id}"), $"""
            <license type="expression">{license}</license>
            <dependencies><group targetFramework="net10.0">{(dependency is null ? "" : $"<dependency id=\"{dependency}\" version=\"1.0.0\" />")}</group></dependencies>
            """);
}

/// <summary>
/// BUSL content on its way into the public edition, by the real <c>dotnet publish</c>: each way ends in its code and the file's name, and no
/// registry is written to. The many others are in process, at the wall itself (Core.Tests).
/// </summary>
[Collection(EditionPackageTests.Name)]
public sealed class LeakTests(PackageFixture fixture, TruxeFixture leaks) : IClassFixture<TruxeFixture>
{
    private const string Core = "src/Truxe.Core/Truxe.Core.csproj";

    /// <summary>What is done to the repository, what is said of it, and under which path it would ship.</summary>
    private static readonly IReadOnlyDictionary<string, (string Code, string Named, Action<Truxe, TruxeFixture> Plant, string Ships)> Plants = new Dictionary<string, (string, string, Action<Truxe, TruxeFixture>, string)>(StringComparer.Ordinal)
    {
        ["source compiled by link"] = ("RSDK3030", "SamlMetadata.cs", (t, _) => t.Workspace.Replace(Core, "</Project>", "<ItemGroup><Compile Include=\"../Truxe.Saml/SamlMetadata.cs\" Link=\"Linked.cs\" Condition=\"'$(ContainerEdition)' == 'community'\" /></ItemGroup></Project>"), "Truxe.Core.dll"),
        ["renamed assembly, referenced by path under a false licence"] = ("RSDK3038", "Tools.dll", (t, f) =>
        {
            File.WriteAllBytes(t.Workspace.Write("lib/Tools.dll", ""), f.SamlAssembly);
            t.Workspace.Replace(Truxe.Api, "</Project>", "<ItemGroup><Reference Include=\"Truxe.Saml\" License=\"MIT\" Condition=\"'$(ContainerEdition)' == 'community'\"><HintPath>../../lib/Tools.dll</HintPath></Reference></ItemGroup></Project>");
        }, "Tools.dll"),
        ["script under another name, without header"] = ("RSDK3031", "js/app.js", (t, _) =>
            t.Workspace.Write("src/truxe-api/wwwroot/js/app.js", "// (c) somebody\n" + string.Join('\n', File.ReadLines(Path.Combine(t.Workspace.Root, "src/truxe-api/wwwroot/enterprise/passkeys.js")).Skip(1).Select(line => line.Replace("  ", "\t\t", StringComparison.Ordinal)))), "wwwroot/js/app.js"),
        ["embedded resource under another name"] = ("RSDK3041", "defaults.dat", (t, _) =>
        {
            t.Workspace.Write("src/truxe-api/Data/defaults.dat", File.ReadAllText(Path.Combine(t.Workspace.Root, "src/truxe-api/Enterprise/roles.json")));
            t.Workspace.Replace(Truxe.Api, "</Project>", "<ItemGroup><EmbeddedResource Include=\"Data/defaults.dat\" /></ItemGroup></Project>");
        }, "truxe-api.dll"),
        ["project behind a project"] = ("RSDK3032", "Truxe.Scim", (t, _) => t.Workspace.Replace(Core, "</Project>", "<ItemGroup><ProjectReference Include=\"../Truxe.Scim/Truxe.Scim.csproj\" /></ItemGroup></Project>"), "Truxe.Scim.dll"),
        ["package behind a package"] = ("RSDK3033", "Acme.Paid", (t, _) =>
        {
            t.Workspace.Replace("Directory.Packages.props", "<ItemGroup>", "<ItemGroup><PackageVersion Include=\"Acme.Free\" Version=\"1.0.0\" />");
            t.Workspace.Replace(Core, "</Project>", "<ItemGroup><PackageReference Include=\"Acme.Free\" /></ItemGroup></Project>");
            t.Workspace.Replace("Directory.Build.props", "</Project>", $"<PropertyGroup><RestoreAdditionalProjectSources>{t.Workspace.OutsidePath("feed")}</RestoreAdditionalProjectSources></PropertyGroup></Project>");
        }, "runtimes/linux-x64/native/Acme.Paid.so"),
        ["file added by a target after the list was made"] = ("RSDK3035", "late.txt", (t, _) => t.Workspace.Replace(Truxe.Api, "</Project>", "<Target Name=\"Late\" AfterTargets=\"Publish\"><WriteLinesToFile File=\"$(PublishDir)late.txt\" Lines=\"late\" Overwrite=\"true\" /></Target></Project>"), "late.txt"),
        ["no PDB, and a source linked"] = ("RSDK3030", "ScimUsers.cs", (t, _) => t.Workspace.Replace(Truxe.Api, "</Project>", "<PropertyGroup><DebugType>none</DebugType></PropertyGroup><ItemGroup><Compile Include=\"../Truxe.Scim/ScimUsers.cs\" Condition=\"'$(ContainerEdition)' == 'community'\" /></ItemGroup></Project>"), "truxe-api.dll"),
        ["enterprise edition to a public destination"] = ("RSDK3021", "docker.io/wundam/everything", (t, _) => t.Workspace.Replace(Truxe.Api, "</Project>", "<ItemGroup><ContainerDestination Include=\"docker.io/wundam/everything\" Edition=\"enterprise\" /></ItemGroup></Project>"), ""),
    };

    public static TheoryData<string> Names => [.. Plants.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task What_is_not_free_does_not_get_out(string name)
    {
        await leaks.EnsureAsync(fixture);
        var (code, named, plant, _) = Plants[name];
        var truxe = leaks.Truxe;
        try
        {
            plant(truxe, leaks);
            await truxe.Workspace.ReleaseAsync("v0.5.7");

            var result = await truxe.PublishAsync();

            Assert.False(result.Succeeded);
            Assert.True(result.Errors.Any(error => error.Code == code && error.Text.Contains(named, StringComparison.Ordinal)), result.ToString());
            Assert.Empty(truxe.Writes);
        }
        finally
        {
            await UndoAsync(truxe);
        }
    }

    [Fact]
    public async Task With_the_wall_off_all_of_it_gets_out()
    {
        await leaks.EnsureAsync(fixture);
        var truxe = leaks.Truxe;
        try
        {
            foreach (var (_, _, plant, ships) in Plants.Values.Where(p => p.Ships.Length > 0))
            {
                plant(truxe, leaks);
            }

            // The same project without a declared licence. The condition 'community' keeps what only that edition was given.
            truxe.Workspace.Replace(Truxe.Api, "<ContainerEditions>community;enterprise</ContainerEditions>", "");
            foreach (var project in new[] { "Directory.Build.props", Core, "src/Truxe.Saml/Truxe.Saml.csproj", "src/Truxe.Scim/Truxe.Scim.csproj" })
            {
                var text = await File.ReadAllTextAsync(Path.Combine(truxe.Workspace.Root, project));
                truxe.Workspace.Write(project, System.Text.RegularExpressions.Regex.Replace(text, "<PackageLicenseExpression>[^<]*</PackageLicenseExpression>", "", default, TimeSpan.FromSeconds(1)));
            }

            var api = await File.ReadAllTextAsync(Path.Combine(truxe.Workspace.Root, Truxe.Api));
            truxe.Workspace.Write(Truxe.Api, System.Text.RegularExpressions.Regex.Replace(api, " Edition=\"[a-z]+\"| License=\"[^\"]+\"", "", default, TimeSpan.FromSeconds(1))
                .Replace("<ProjectReference Include=\"../Truxe.Saml/Truxe.Saml.csproj\" />", "", StringComparison.Ordinal).Replace("<ProjectReference Include=\"../Truxe.Scim/Truxe.Scim.csproj\" />", "", StringComparison.Ordinal)
                .Replace("<LicensedPath", "<Compile Remove=\"Enterprise/**\" /><Ignored", StringComparison.Ordinal));
            truxe.Workspace.Replace("Directory.Build.props", ">enterprise</ContainerEdition>", ">community</ContainerEdition>");
            truxe.Workspace.Replace("src/truxe-api/Program.cs", "var edition = Assembly.GetExecutingAssembly().GetCustomAttributes<AssemblyMetadataAttribute>().First(a => a.Key == \"ContainerEdition\").Value;", "var edition = typeof(Assembly).Name;");
            await truxe.Workspace.ReleaseAsync("v0.5.7");

            var result = await truxe.PublishAsync();

            Assert.True(result.Succeeded, result.ToString());
            var files = await truxe.Open.View.OwnFilesAsync(Truxe.Community, "v0.5.7");
            Assert.All(Plants.Values.Where(p => p.Ships.Length > 0), plant => Assert.Contains("app/" + plant.Ships, files.Keys));
            Assert.Equal(leaks.SamlAssembly, files["app/Tools.dll"].Content);
            Assert.True(files["app/Truxe.Core.dll"].Content.AsSpan().IndexOf("SamlMetadata"u8) >= 0);
            Assert.True(files["app/truxe-api.dll"].Content.AsSpan().IndexOf("ScimUsers"u8) >= 0);
            Assert.True(files["app/truxe-api.dll"].Content.AsSpan().IndexOf("sessions.end"u8) >= 0);
        }
        finally
        {
            await UndoAsync(truxe);
        }
    }

    // Back to the first release, with what was built: the next test builds what differs.
    private static async Task UndoAsync(Truxe truxe)
    {
        await truxe.Workspace.Git.GitAsync("add", "--all");
        await truxe.Workspace.Git.GitAsync("reset", "--hard", "v0.5.6");
        await truxe.Workspace.Git.GitAsync("tag", "--delete", "v0.5.7");
        foreach (var late in Directory.EnumerateFiles(truxe.Workspace.Root, "late.txt", SearchOption.AllDirectories))
        {
            File.Delete(late);
        }
    }
}
