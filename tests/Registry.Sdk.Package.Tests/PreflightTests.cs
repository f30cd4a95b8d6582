using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>That the checks run before the compiler, however a publish is asked for, and that a release is copied without it. What they find is tested in process.</summary>
[Collection(PackageTests.Name)]
public sealed class PreflightTests(PackageFixture fixture)
{
    [Fact]
    public async Task A_registry_that_is_not_there_is_told_before_anything_is_compiled_however_the_publish_is_asked_for()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var project = workspace.Reference(Projects.Service(Kind.Web), fixture.Feed, Form.Sdk)
            .ProjectReference("../lib/Lib.csproj")
            .Item("ContainerDestination", $"{fixture.Emulator.Host}/preflight/first")
            .Item("ContainerDestination", "localhost:1/preflight/second");
        var path = workspace.WriteService("src/service", "Service", project, Kind.Web);
        workspace.WriteLibrary("src/lib", "Lib");
        await workspace.ReleaseAsync();
        (await workspace.RestoreAsync(path)).EnsureSuccess();

        foreach (var (verb, arguments) in new (string, string[])[]
        {
            ("publish", ["-t:PublishContainer"]),
            ("publish", ["/t:PublishContainer"]),
            ("publish", ["-p:PublishProfile=DefaultContainer"]),
            ("publish", ["--target:PlanContainers"]),
            ("build", ["-t:PublishContainer", "-c", "Release"]),
            ("msbuild", ["-t:PublishContainer", "-p:Configuration=Release"]),
        })
        {
            var result = await workspace.DotnetAsync(verb, path, arguments);

            Assert.Equal(["RSDK5001"], result.Codes());
            Assert.Empty(result.Compilations());
            Assert.Contains("localhost:1/preflight/second", result.Errors[0].Text, StringComparison.Ordinal);
        }

        // Asked for late, told late.
        var late = await workspace.PublishAsync(path, "-t:PublishContainer", "-p:RegistrySdkPreflight=false");
        Assert.Equal(["RSDK5001"], late.Codes());
        Assert.Equal(["Lib", "Service"], late.Compilations().Keys);

        // A publish to a folder is none of our business.
        var before = fixture.Requests("preflight/first").Count;
        (await workspace.PublishAsync(path)).EnsureSuccess();
        Assert.Equal(before, fixture.Requests("preflight/first").Count);
        Assert.DoesNotContain(fixture.Requests("preflight/first"), r => r.Method != "GET" && r.Method != "HEAD");
    }

    [Fact]
    public async Task A_third_registry_gets_a_release_without_a_compilation()
    {
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var (open, closed) = (await fixture.OpenAsync(), await fixture.ClosedAsync());
        var project = workspace.Reference(Projects.Service(Kind.Web), fixture.Feed, Form.Sdk)
            .Item("ContainerDestination", $"{fixture.Emulator.Host}/promoted/api")
            .Item("ContainerDestination", $"{open.Address}/promoted/api")
            // The line that is added later. Not in another commit: that would be another release.
            .Item("ContainerDestination", "$(Third)")
            .Item("RegistrySdkCredential", closed.Address, ("UsernameVariable", "CLOSED_USER"), ("PasswordVariable", "CLOSED_PASSWORD"));
        var path = workspace.WriteService("src/service", "Service", project, Kind.Web);
        await workspace.ReleaseAsync();
        (await workspace.PublishAsync(path, "-t:PublishContainer")).EnsureSuccess();
        foreach (var folder in new[] { "bin", "obj" })
        {
            Directory.Delete(Path.Combine(Path.GetDirectoryName(path)!, folder), recursive: true);
        }

        var clean = workspace.Environment;
        workspace.Environment = clean.With("Third", $"{closed.Address}/promoted/api").With("CLOSED_USER", closed.Server.Username).With("CLOSED_PASSWORD", closed.Server.Password);
        var promoted = (await workspace.BuildAsync(path, "-t:PublishContainer", "-c", "Release")).EnsureSuccess();

        Assert.Empty(promoted.Compilations());
        Assert.Empty(promoted.TaskRuns("CreateNewImage"));
        var tags = await fixture.View.TagsAsync("promoted/api");
        Assert.Equal(Projects.ReleaseTags, tags.Keys);
        Assert.Equal(tags, await closed.View.TagsAsync("promoted/api"));

        Assert.Contains(promoted.Messages, m => m.Contains("nothing is composed", StringComparison.Ordinal));
    }
}
