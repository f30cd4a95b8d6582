using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>That refusals reach the user through a real publish: an error with code, exit code 1, nothing sent. What is refused, and how it is said, is tested in process.</summary>
[Collection(PackageTests.Name)]
public sealed class BadInputTests(PackageFixture fixture)
{
    [Theory]
    [InlineData("RSDK9001", "no-slash-at-all", "")]
    [InlineData("RSDK9006", "", "-p:NETCoreSdkVersion=9.0.100")]
    [InlineData("RSDK4005", "", "-p:ContainerRuntimeIdentifier=win-x64")]
    [InlineData("RSDK3003", "", "-p:LosePublishDir=true")]
    public async Task Bad_properties(string code, string destination, string argument)
    {
        var service = await fixture.BuiltAsync();

        await RefusedAsync(service, code, destination.Length > 0 ? destination : $"{fixture.Emulator.Host}/bad/{code.ToLowerInvariant()}", argument.Length > 0 ? [argument] : []);
    }

    [Fact]
    public async Task A_dirty_release()
    {
        var service = await fixture.BuiltAsync();
        var file = service.Workspace.Write("src/service/Forgotten.cs", "// not committed\n");
        try
        {
            var error = await RefusedAsync(service, "RSDK2005", $"{fixture.Emulator.Host}/bad/dirty");
            Assert.Contains("src/service/Forgotten.cs", error.Text, StringComparison.Ordinal);
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task No_git_repository()
    {
        var service = await fixture.BuiltAsync();
        var git = Path.Combine(service.Workspace.Root, ".git");
        var away = service.Workspace.OutsidePath("git-away");
        Directory.Move(git, away);
        try
        {
            var error = await RefusedAsync(service, "RSDK1001", $"{fixture.Emulator.Host}/bad/no-git");
            Assert.Contains("ContainerVersion", error.Text, StringComparison.Ordinal);
        }
        finally
        {
            Directory.Move(away, git);
        }
    }

    private async Task<LoggedDiagnostic> RefusedAsync(BuiltService service, string code, string destination, params string[] arguments)
    {
        var writes = Writes();

        var result = await service.PublishAsync(destination, arguments: arguments);

        Assert.False(result.Succeeded, result.ToString());
        Assert.Equal(1, result.Process.ExitCode);
        var error = Assert.Single(result.Errors);
        Assert.True(error.Code == code, result.ToString());
        Assert.DoesNotContain('\n', error.Text);
        Assert.Equal(writes, Writes());
        return error;

        int Writes() => fixture.Emulator.Requests.Count(request => request.Method is "POST" or "PUT" or "PATCH" or "DELETE");
    }
}
