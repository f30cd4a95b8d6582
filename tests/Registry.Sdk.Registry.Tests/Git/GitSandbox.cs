using System.Diagnostics;
using Registry.Sdk.Core.Facts;

namespace Registry.Sdk.Registry.Tests.Git;

/// <summary>A temporary folder with an environment of its own: no user's git configuration, no CI variables, a fixed author and clock.</summary>
public sealed class GitSandbox : IDisposable
{
    private int _minute;

    public GitSandbox()
    {
        Root = Path.TrimEndingDirectorySeparator(Path.Combine(Path.GetTempPath(), "rsdk-git-" + Guid.NewGuid().ToString("N")[..12]));
        Directory.CreateDirectory(Path.Combine(Root, "home"));
        Environment = new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["PATH"] = System.Environment.GetEnvironmentVariable("PATH")!,
            ["HOME"] = Path.Combine(Root, "home"),
            ["GIT_CONFIG_GLOBAL"] = Path.Combine(Root, "home", ".gitconfig"),
            ["GIT_CONFIG_NOSYSTEM"] = "1",
            ["GIT_CEILING_DIRECTORIES"] = Root,
            ["GIT_AUTHOR_NAME"] = "A",
            ["GIT_AUTHOR_EMAIL"] = "a@example.invalid",
            ["GIT_COMMITTER_NAME"] = "A",
            ["GIT_COMMITTER_EMAIL"] = "a@example.invalid",
        };
    }

    public string Root { get; }

    public Dictionary<string, string> Environment { get; }

    public GitCommandLine Git => new(Environment);

    /// <summary>A git command line with more variables.</summary>
    public GitCommandLine With(params (string Name, string Value)[] variables)
    {
        var environment = new Dictionary<string, string>(Environment, StringComparer.Ordinal);
        foreach (var (name, value) in variables)
        {
            environment[name] = value;
        }

        return new GitCommandLine(environment);
    }

    /// <summary>A new repository with one commit.</summary>
    public string Repository(string name = "repo", params string[] initOptions)
    {
        var path = Path.Combine(Root, name);
        Run(Root, ["init", "-q", "-b", "main", .. initOptions, path]);
        Commit(path, "first");
        return path;
    }

    /// <summary>Commits a new file; gives the commit's id. Commits are a minute apart.</summary>
    public string Commit(string repository, string message)
    {
        Write(repository, $"file-{message}.txt", message);
        Run(repository, "add", "-A");
        Run(repository, "commit", "-q", "-m", message);
        return Run(repository, "rev-parse", "HEAD");
    }

    public static void Write(string repository, string path, string text)
    {
        var file = Path.Combine(repository, path);
        Directory.CreateDirectory(Path.GetDirectoryName(file)!);
        File.WriteAllText(file, text);
    }

    public string Run(string folder, params string[] arguments)
    {
        var start = new ProcessStartInfo("git") { WorkingDirectory = folder, UseShellExecute = false, RedirectStandardOutput = true, RedirectStandardError = true };
        start.Environment.Clear();
        foreach (var (name, value) in Environment)
        {
            start.Environment[name] = value;
        }

        start.Environment["GIT_AUTHOR_DATE"] = start.Environment["GIT_COMMITTER_DATE"] = $"2026-01-02T03:{_minute++ % 60:00}:00+01:00";
        foreach (var argument in (string[])["-c", "protocol.file.allow=always", "-c", "gc.auto=0", .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        using var process = Process.Start(start)!;
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0 ? output.Trim() : throw new InvalidOperationException($"git {string.Join(' ', arguments)}: {error.Result}");
    }

    /// <summary>The facts of a folder; by default the folder is also the only source folder.</summary>
    public async Task<GitFacts> FactsAsync(string project, string prefix = "v", string[]? sources = null, string[]? outputs = null, IGit? git = null)
    {
        var input = new FactsInput(project, sources ?? [project], outputs ?? [], new Dictionary<string, string>(StringComparer.Ordinal), prefix);
        return (await FactsStage.RunAsync(input, git ?? Git, CancellationToken.None)).Value.Git;
    }

    public void Dispose() => Directory.Delete(Root, recursive: true);
}
