using System.Text.Json.Nodes;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>Twenty switches between editions in one working copy: nothing of one is left over in another.</summary>
[Collection(EditionPackageTests.Name)]
public sealed class SwitchTests(PackageFixture fixture)
{
    [Fact]
    public async Task Twenty_publishes_in_any_order_give_the_digests_of_clean_builds()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var layout = "oci:" + workspace.OutsidePath("images");
        workspace.Write("Directory.Build.props", ProjectBuilder.Create()
            .Property("ContainerEdition", "enterprise", "'$(ContainerEdition)' == ''")
            .Property("PackageLicenseExpression", "MIT", "'$(ContainerEdition)' == 'community'").Property("PackageLicenseExpression", "BUSL-1.1", "'$(ContainerEdition)' == 'enterprise'")
            .Import("Sdk.props", fixture.Feed.PackageId, fixture.Feed.Version));
        var path = workspace.WriteWebApp("src/service", "Service", ProjectBuilder.Web()
            .Property("ContainerEditions", "community;enterprise")
            .Item("LicensedPath", "Enterprise/**;wwwroot/enterprise/**", ("License", "BUSL-1.1"))
            .ProjectReference("../Free/Free.csproj").ProjectReference("../Paid/Paid.csproj", ("License", "BUSL-1.1"))
            .Item("ContainerDestination", layout + "/community", ("Edition", "community")).Item("ContainerDestination", layout + "/enterprise", ("Edition", "enterprise")));
        workspace.Write("src/service/Enterprise/Extra.cs", "namespace Service.Enterprise;\n\npublic static class Extra\n{\n    public static string Value => Paid.Text.Value + \" and more of it\";\n}\n");
        workspace.Write("src/service/wwwroot/enterprise/e.js", "export const paid = 'this is what is paid for';\n");
        workspace.Write("src/service/wwwroot/site.js", "export const free = 'this is free';\n");
        workspace.WriteLibrary("src/Free", "Free", ProjectBuilder.Library().Property("PackageLicenseExpression", "MIT"));
        workspace.WriteLibrary("src/Paid", "Paid", ProjectBuilder.Library().Property("PackageLicenseExpression", "BUSL-1.1"));
        await workspace.ReleaseAsync();
        var clean = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var edition in new[] { "community", "enterprise" })
        {
            await workspace.Git.GitAsync("clean", "-xdfq");
            clean[edition] = Assert.Single(await PublishAsync($"-p:ContainerEdition={edition}")).Value;
        }

        await workspace.Git.GitAsync("clean", "-xdfq");

        // An order that is the same in each run. Of the twelve ways to publish after another edition was built or published the seed's order has eleven.
        var random = new Random(1828);
        var seen = new List<(string Verb, string Edition)>();
        for (var published = 0; published < 20; published++)
        {
            if (random.Next(4) == 0)
            {
                // Where publishing compiles too.
                var between = Next("build");
                var built = await workspace.BuildAsync(path, ["-c", "Release", .. Given(between)]);
                Assert.True(built.Succeeded, built.ToString());
            }

            var choice = Next("publish");
            var digests = await PublishAsync(Given(choice));
            Assert.Equal(choice.Length > 0 ? [choice] : ["community", "enterprise"], digests.Keys.Order(StringComparer.Ordinal));
            Assert.All(digests, digest => Assert.True(clean[digest.Key] == digest.Value, $"After {string.Join(", ", seen)}: {digest.Key} is {digest.Value}, of a clean build {clean[digest.Key]}."));
        }

        Assert.Equal(11, seen.Zip(seen.Skip(1)).Where(pair => pair.Second.Verb == "publish" && pair.First.Edition != pair.Second.Edition).Distinct().Count());

        string Next(string verb)
        {
            seen.Add((verb, new[] { "community", "enterprise", "" }[random.Next(3)]));
            return seen[^1].Edition;
        }

        static string[] Given(string edition) => edition.Length > 0 ? [$"-p:ContainerEdition={edition}"] : [];

        async Task<IReadOnlyDictionary<string, string>> PublishAsync(params string[] arguments)
        {
            var result = await workspace.PublishAsync(path, ["-t:PublishContainer", .. arguments]);
            Assert.True(result.Succeeded, result.ToString());
            Assert.Empty(result.Codes());
            var receipt = JsonNode.Parse(await File.ReadAllTextAsync(Directory.EnumerateFiles(Path.Combine(workspace.Root, "src/service/bin"), "receipt.json", SearchOption.AllDirectories).OrderByDescending(File.GetLastWriteTimeUtc).First()))!;
            return receipt["images"]!.AsArray().ToDictionary(image => image!["edition"]!.GetValue<string>(), image => image!["digest"]!.GetValue<string>(), StringComparer.Ordinal);
        }
    }
}
