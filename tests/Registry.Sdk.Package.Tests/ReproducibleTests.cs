using System.Text;
using System.Text.Json.Nodes;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>One commit, two clones that have nothing in common but the commit: one digest.</summary>
[Collection(PackageTests.Name)]
public sealed class ReproducibleTests(PackageFixture fixture)
{
    private const string Repository = "reproducible/service";

    [Fact]
    public async Task Folder_umask_time_zone_home_user_cache_and_file_times_do_not_change_the_digest()
    {
        await using var origin = await fixture.CreateWorkspaceAsync();
        WriteEverything(origin);
        await origin.ReleaseAsync();
        await using var first = new TempDirectory("a");
        await using var second = new TempDirectory("somebody-else");

        var one = await PublishCloneAsync(
            origin, first, "clone", "022", CleanEnvironment.Create().With("TZ", "UTC"));
        var sent = fixture.Requests(Repository).Count(request => request.Method is "POST" or "PUT" or "PATCH");
        var home = second.Folder("home");
        CopyNuGetSources(home);
        var two = await PublishCloneAsync(
            origin, second, "much/deeper, with a space/clone", "077",
            // A cache of its own and no fallback: package files come from another path too.
            CleanEnvironment.Create(home).With("TZ", "Pacific/Chatham").With("LANG", "de_DE.UTF-8").With("USER", "somebody").With("NUGET_PACKAGES", second.Folder("cache")).Without("NUGET_FALLBACK_PACKAGES"),
            touched: new DateTime(2001, 2, 3, 4, 5, 6, DateTimeKind.Utc));

        Assert.Equal(one, two);
        Assert.True(sent > 0);
        // Seen from the registry: the second clone had nothing to add.
        Assert.Equal(sent, fixture.Requests(Repository).Count(request => request.Method is "POST" or "PUT" or "PATCH"));

        // And the image holds all that could have differed; an image without it would prove nothing.
        var layer = await fixture.View.OwnFilesAsync(Repository, one);
        foreach (var file in new[] { "Service.dll", "Middle.dll", "Lower.dll", "NuGet.Versioning.dll", "de/Service.resources.dll", "wwwroot/site.js", "wwwroot/site.js.gz", "Service.staticwebassets.endpoints.json" })
        {
            Assert.Contains("app/" + file, layer.Keys);
        }

        Assert.Contains("Last-Modified", Encoding.UTF8.GetString(layer["app/Service.staticwebassets.endpoints.json"].Content), StringComparison.Ordinal);
        const UnixFileMode Read = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        const UnixFileMode Execute = Read | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        Assert.Equal(Execute, layer["app/run.sh"].Mode);
        Assert.Equal(Execute, layer["app/Service"].Mode);
        Assert.Equal(Read, layer["app/Service.dll"].Mode);
    }

    private void WriteEverything(Workspace workspace)
    {
        workspace.WriteLibrary("src/lower", "Lower");
        workspace.WriteLibrary("src/middle", "Middle", ProjectBuilder.Library().ProjectReference("../lower/Lower.csproj"));
        workspace.Write("src/service/Program.cs", """
            var builder = WebApplication.CreateSlimBuilder(args);
            var app = builder.Build();
            app.MapStaticAssets();
            app.MapGet("/", () => Middle.Text.Value + NuGet.Versioning.NuGetVersion.Parse("1.0.0"));
            app.Run();

            """);
        workspace.WriteTexts("src/service", german: "hallo");
        workspace.Write("src/service/wwwroot/site.js", string.Concat(Enumerable.Repeat("console.log('hello');\n", 200)));
        workspace.Write("src/service/wwwroot/css/site.css", "body { color: black; }\n");
        File.SetUnixFileMode(workspace.Write("src/service/run.sh", "#!/bin/sh\nexec ./Service\n"), UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        var project = workspace.Reference(ProjectBuilder.Web(), fixture.Feed, Form.Sdk)
            .ProjectReference("../middle/Middle.csproj")
            .PackageReference("NuGet.Versioning", "8.0.0")
            .ItemUpdate("None", "run.sh", ("CopyToPublishDirectory", "PreserveNewest"))
            .Item("ContainerDestination", $"{fixture.Emulator.Host}/{Repository}");
        workspace.Write("src/service/Service.csproj", project);
    }

    /// <summary>Clones, publishes with the real dotnet, and returns the digest that the receipt names.</summary>
    private async Task<string> PublishCloneAsync(Workspace origin, TempDirectory directory, string folder, string umask, CleanEnvironment environment, DateTime? touched = null)
    {
        fixture.Feed.WriteNuGetConfig(directory.Path);
        fixture.WriteEndpoint(directory.Path);
        var clone = directory.File(folder.Split('/'));
        await RunAsync("git", "clone", "--quiet", "file://" + origin.Root, clone);
        if (touched is { } time)
        {
            foreach (var file in Directory.EnumerateFiles(clone, "*", SearchOption.AllDirectories).Where(file => !file.Contains("/.git/", StringComparison.Ordinal)))
            {
                File.SetLastWriteTimeUtc(file, time);
            }
        }

        var output = await RunAsync("dotnet", "publish", Path.Combine(clone, "src", "service"), "-t:PublishContainer", "-nodeReuse:false", "-m:1");
        Assert.DoesNotContain("warning", output, StringComparison.Ordinal);
        var receipt = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(clone, "src", "service", "bin", "container", "receipt.json")))!;
        return receipt["images"]![0]!["digest"]!.GetValue<string>();

        async Task<string> RunAsync(params string[] command) => (await ProcessRunner.RunAsync(
            "bash", ["-c", $"umask {umask}; exec \"$@\"", "bash", .. command], directory.Path, environment)).EnsureSuccess().Output;
    }

    /// <summary>How this machine reaches packages is the one thing a private home has to take over.</summary>
    private static void CopyNuGetSources(string home)
    {
        var source = Path.Combine(TestRun.Home, ".nuget", "NuGet");
        if (Directory.Exists(source))
        {
            var target = Directory.CreateDirectory(Path.Combine(home, ".nuget", "NuGet")).FullName;
            foreach (var file in Directory.EnumerateFiles(source))
            {
                File.Copy(file, Path.Combine(target, Path.GetFileName(file)));
            }
        }
    }
}
