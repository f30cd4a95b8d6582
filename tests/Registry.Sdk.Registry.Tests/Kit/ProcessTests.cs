using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Kit;

public sealed class ProcessTests
{
    [Fact]
    public async Task Big_output_on_both_streams_and_big_input_do_not_deadlock()
    {
        var input = new string('x', 1_000_000);
        var result = await ProcessRunner.RunAsync(
            "sh", ["-c", "head -c 2000000 /dev/zero | tr '\\0' e >&2; head -c 2000000 /dev/zero | tr '\\0' o; cat | wc -c"], standardInput: input, timeout: TimeSpan.FromMinutes(1));

        Assert.Equal(0, result.ExitCode);
        Assert.False(result.TimedOut);
        Assert.Equal(2_000_000, result.StandardError.Length);
        Assert.Equal(new string('o', 2_000_000) + "1000000", result.StandardOutput.Trim());
    }

    [Fact]
    public async Task Timeout_kills_the_descendants_too_and_keeps_what_was_said()
    {
        var result = await ProcessRunner.RunAsync("sh", ["-c", "sleep 300 & echo $!; wait"], timeout: TimeSpan.FromSeconds(1));

        Assert.True(result.TimedOut);
        Assert.NotEqual(0, result.ExitCode);
        Assert.False(IsRunning(int.Parse(result.StandardOutput.Trim())), result.ToString());
        Assert.Throws<ProcessFailedException>(result.EnsureSuccess);
    }

    [Fact]
    public async Task Exit_code_and_both_streams_are_told_apart()
    {
        var result = await ProcessRunner.RunAsync("sh", ["-c", "echo \"$1\"; echo err >&2; exit 7", "sh", "with space; and \"quotes\""]);

        Assert.Equal((7, "with space; and \"quotes\"\n", "err\n"), (result.ExitCode, result.StandardOutput, result.StandardError));
    }

    [Fact]
    public async Task A_process_sees_nothing_of_the_test_runs_environment()
    {
        // Set here and not assumed: these are what a CI system or a developer's shell would leak into a product run.
        string[] leaks =
        [
            "GITHUB_ACTIONS", "GITHUB_REF", "GITHUB_TOKEN", "CI", "BUILD_BUILDID", "GITLAB_CI", "TF_BUILD", "SYSTEM_TEAMPROJECT", "SOURCE_DATE_EPOCH", "DOCKER_CONFIG",
            "REGISTRY_AUTH_FILE", "DOTNET_CONTAINER_REGISTRY_CHUNK_SIZE_BYTES", "CR_PAT", "DOCKERHUB_TOKEN", "GH_TOKEN", "RegistrySdkAllowDirty", "ContainerRegistry",
            "MSBUILDDEBUGENGINE",
        ];
        var before = leaks.ToDictionary(name => name, Environment.GetEnvironmentVariable);
        try
        {
            foreach (var name in leaks)
            {
                Environment.SetEnvironmentVariable(name, "leaked-value");
            }

            var result = (await ProcessRunner.RunAsync("env", [])).EnsureSuccess();

            Assert.DoesNotContain("leaked-value", result.StandardOutput);
            Assert.Contains("\nPATH=", "\n" + result.StandardOutput);
            Assert.DoesNotContain($"\nHOME={before.GetValueOrDefault("HOME", Environment.GetEnvironmentVariable("HOME"))}\n", result.StandardOutput);
        }
        finally
        {
            foreach (var (name, value) in before)
            {
                Environment.SetEnvironmentVariable(name, value);
            }
        }
    }

    [Fact]
    public async Task Temp_directory_removes_itself_with_read_only_content_and_leaves_what_links_point_at()
    {
        await using var other = new TempDirectory();
        await File.WriteAllTextAsync(other.File("kept.txt"), "kept");
        string path;
        await using (var directory = new TempDirectory())
        {
            path = directory.Path;
            var file = directory.File("locked", "file.txt");
            await File.WriteAllTextAsync(file, "x");
            Directory.CreateSymbolicLink(Path.Combine(path, "locked", "link"), other.Path);
            File.SetUnixFileMode(file, UnixFileMode.UserRead);
            File.SetUnixFileMode(Path.Combine(path, "locked"), UnixFileMode.UserRead | UnixFileMode.UserExecute);
        }

        Assert.False(Directory.Exists(path));
        Assert.True(File.Exists(other.File("kept.txt")));
    }

    internal static bool IsRunning(int id)
    {
        // A zombie that nobody has reaped yet is dead too.
        var stat = $"/proc/{id}/stat";
        try
        {
            return File.Exists(stat) && !File.ReadAllText(stat).Contains(") Z ", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }
}
