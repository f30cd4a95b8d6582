using System.Text.RegularExpressions;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>
/// The README's first command, as a newcomer types it. The first run may finish, the second is interrupted in the middle: both must leave
/// nothing behind, and the images must be the same.
/// </summary>
public sealed partial class QuickstartTests
{
    // In a process group of its own, and interrupted as Ctrl+C does it: the whole group. By then registries run, and a publish.
    private const string InterruptInSecondPublish = """
        set -m
        bash -c "$0" >"$1" 2>&1 &
        until grep -q 'dotnet publish src/Orders' "$1"; do kill -0 $! || break; sleep 0.1; done
        sleep 1
        kill -INT -- -$!
        wait $!
        code=$?
        cat "$1"
        exit $code
        """;

    [Fact]
    public async Task The_first_command_of_the_readme_works_again_and_again_and_leaves_nothing()
    {
        await using var temp = new TempDirectory("qs");
        var command = FirstFencedBlock(await File.ReadAllTextAsync(Path.Combine(TestRun.RepositoryRoot, "README.md")));
        var environment = NewcomersEnvironment(temp);

        var finished = await ProcessRunner.RunAsync("bash", ["-c", command], TestRun.RepositoryRoot, environment);
        Assert.True(finished.ExitCode == 0, finished.ToString());
        Assert.Equal("", finished.StandardError);
        AssertNothingIsLeft(temp);

        var digests = Digests(finished.StandardOutput);
        Assert.Equal(["ghcr.io/acme/minimal", "ghcr.io/acme/orders", "docker.io/acme/orders"], digests.Select(pair => pair.Destination));
        Assert.Equal(digests[1].Digest, digests[2].Digest);

        // A shell without job control starts its background jobs deaf to Ctrl+C, and everything below inherits that; the tests may run in such a job.
        var interrupted = await ProcessRunner.RunAsync("env", ["--default-signal=INT", "bash", "-c", InterruptInSecondPublish, command, temp.File("log")], TestRun.RepositoryRoot, environment);
        Assert.True(interrupted.ExitCode == 130, interrupted.ToString());
        Assert.Contains("Interrupted.", interrupted.Output, StringComparison.Ordinal);
        AssertNothingIsLeft(temp);
        Assert.Equal(digests.Take(1), Digests(interrupted.StandardOutput));
    }

    private static string FirstFencedBlock(string markdown) => FencedBlock().Match(markdown) is { Success: true } match
        ? match.Groups["text"].Value
        : throw new InvalidOperationException("README.md has no fenced block.");

    private static (string Destination, string Digest)[] Digests(string output) =>
        [.. PrintedDigest().Matches(output).Select(match => (match.Groups["destination"].Value, match.Groups["digest"].Value))];

    /// <summary>Names with spaces, and inside a CI job for something else: neither may make a difference.</summary>
    private static CleanEnvironment NewcomersEnvironment(TempDirectory temp)
    {
        var home = temp.Folder("a home");
        foreach (var file in Directory.EnumerateFiles(TestRun.Home, "*", SearchOption.AllDirectories).Where(file => !file.Contains("/.cache/", StringComparison.Ordinal)))
        {
            File.Copy(file, temp.File("a home", Path.GetRelativePath(TestRun.Home, file)));
        }

        return CleanEnvironment.Create(home)
            // As this repository's own builds have it, because this is one.
            .Without("NUGET_FALLBACK_PACKAGES")
            .With("NUGET_PACKAGES", TestRun.UserPackagesFolder)
            .With("TMPDIR", temp.Folder("a tmp"))
            // A newcomer has not set these: what leaves nothing running must be the quickstart itself.
            .Without("MSBUILDDISABLENODEREUSE", "UseSharedCompilation", "DOTNET_CLI_USE_MSBUILD_SERVER")
            .With("CI", "true")
            .With("GITHUB_ACTIONS", "true")
            .With("GITHUB_EVENT_NAME", "push")
            .With("GITHUB_REF", "refs/heads/elsewhere")
            .With("GITHUB_SHA", new string('a', 40))
            .With("GITHUB_REPOSITORY", "acme/elsewhere")
            .With("GITHUB_OUTPUT", temp.File("ci", "output"))
            .With("GITHUB_STEP_SUMMARY", temp.File("ci", "summary"))
            .With("ContainerRegistry", "registry.example.invalid")
            .With("ContainerImageTag", "wrong")
            .With("SOURCE_DATE_EPOCH", "1");
    }

    private static void AssertNothingIsLeft(TempDirectory temp)
    {
        // What it started has the TMPDIR that we gave it, and the registries name it in their command line.
        Assert.Empty(Directory.EnumerateDirectories("/proc")
            .Where(process => (Read(process, "environ") + Read(process, "cmdline")).Contains(temp.Path, StringComparison.Ordinal))
            .Select(process => process + ": " + Read(process, "cmdline").Replace('\0', ' ')));
        Assert.Empty(Directory.EnumerateFileSystemEntries(temp.Folder("a tmp"), "rsdk*"));
        Assert.Empty(Directory.EnumerateFileSystemEntries(temp.Folder("ci")));
        Assert.False(Directory.Exists(Path.Combine(temp.Folder("a home"), ".cache", "registry-sdk")));
    }

    private static string Read(string process, string file)
    {
        try
        {
            return File.ReadAllText(Path.Combine(process, file));
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // Not a process, or one that has just ended.
            return "";
        }
    }

    [GeneratedRegex(@"^```\w*\n(?<text>.*?)^```", RegexOptions.Multiline | RegexOptions.Singleline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex FencedBlock();

    [GeneratedRegex(@"^ +(?<destination>\S+/\S+)\n.*\n +digest (?<digest>sha256:[0-9a-f]{64})$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex PrintedDigest();
}
