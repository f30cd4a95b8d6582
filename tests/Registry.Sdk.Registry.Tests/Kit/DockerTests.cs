using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Kit;

public sealed class DockerTests
{
    [Fact]
    public async Task Engine_pulls_and_runs_an_image_and_leaves_nothing()
    {
        await using var server = await DistributionServer.StartAsync();
        var image = new TestImage();
        await image.AddProgramAsync("/usr/bin/env");
        image.Entrypoint.Add("/usr/bin/env");
        var digest = await image.PushAsync($"{server.Address}/kit/env:v1");

        var engine = await DockerEngine.StartAsync();
        var directory = Path.GetDirectoryName(engine.Host["unix://".Length..])!;
        try
        {
            Assert.Equal(digest, await engine.PullAsync($"{server.Address}/kit/env:v1"));
            var container = await engine.RunDetachedAsync(
                $"{server.Address}/kit/env:v1", [KeyValuePair.Create("GREETING", "hello from inside")], "/usr/bin/env");
            Assert.Equal(0, await engine.WaitAsync(container));
            Assert.Contains("GREETING=hello from inside\n", await engine.LogsAsync(container));

            // Both of these are what disposing has to undo.
            Assert.Contains(directory, await File.ReadAllTextAsync("/proc/mounts"));
            Assert.NotEmpty(ProcessesWith(directory));
        }
        finally
        {
            await engine.DisposeAsync();
        }

        Assert.False(Directory.Exists(directory));
        Assert.DoesNotContain(directory, await File.ReadAllTextAsync("/proc/mounts"));
        Assert.False(ProcessTests.IsRunning(engine.ProcessId));
        Assert.Empty(ProcessesWith(directory));
    }

    [Fact]
    public async Task Shared_engine_logs_in_with_a_configuration_of_its_own()
    {
        await using var server = await DistributionServer.StartAsync(new DistributionOptions { Authenticate = true });
        await using var folder = new TempDirectory();
        var authFile = Path.Combine(server.WriteDockerConfig(folder.Folder("skopeo")), "config.json");
        var image = new TestImage();
        image.AddFile("/hello.txt", "hello");
        image.Entrypoint.Add("/hello");
        var digest = await image.PushAsync($"{server.Address}/kit/hello:v1", authFile);
        var engine = await DockerEngine.SharedAsync();

        await Assert.ThrowsAsync<ProcessFailedException>(() => engine.PullAsync($"{server.Address}/kit/hello:v1"));
        await Assert.ThrowsAsync<ProcessFailedException>(() => engine.LoginAsync(server.Address, server.Username, "wrong", folder.Folder("docker")));
        await engine.LoginAsync(server.Address, server.Username, server.Password, folder.Folder("docker"));

        Assert.Equal(digest, await engine.PullAsync($"{server.Address}/kit/hello:v1", folder.Folder("docker")));
        // Who logged in there is nobody here.
        await Assert.ThrowsAsync<ProcessFailedException>(() => engine.PullAsync($"{server.Address}/kit/hello:v1"));
        Assert.Same(engine, await DockerEngine.SharedAsync());
    }

    private static List<string> ProcessesWith(string text) =>
    [
        .. Directory.EnumerateDirectories("/proc").Where(folder => int.TryParse(Path.GetFileName(folder), out _)).Select(folder =>
        {
            try
            {
                return File.ReadAllText(folder + "/cmdline").Replace('\0', ' ');
            }
            catch (IOException)
            {
                return "";
            }
        }).Where(commandLine => commandLine.Contains(text, StringComparison.Ordinal)),
    ];
}
