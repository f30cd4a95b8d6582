using System.Globalization;

namespace Registry.Sdk.TestKit;

/// <summary>A real git repository whose commits depend on nothing but what the test writes: no user configuration, no clock.</summary>
public sealed class GitRepo : IAsyncDisposable
{
    /// <summary>The time of the first commit; each later one is a minute younger unless it says otherwise.</summary>
    public static readonly DateTimeOffset Epoch = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private readonly TempDirectory? owned;
    private int commits;

    private GitRepo(string path, TempDirectory? owned)
    {
        Path = path;
        this.owned = owned;
    }

    /// <summary>The work tree.</summary>
    public string Path { get; }

    /// <summary>Creates an empty repository, in a temp directory of its own unless a folder is given.</summary>
    public static async Task<GitRepo> CreateAsync(string? path = null, string branch = "main")
    {
        var temp = path is null ? new TempDirectory("git") : null;
        var repo = new GitRepo(Directory.CreateDirectory(path ?? temp!.Path).FullName, temp);
        await repo.GitAsync("init", "--quiet", "--initial-branch", branch);
        return repo;
    }

    /// <summary>Writes a file of the work tree; folders on the way are created.</summary>
    public string Write(string relativePath, string content)
    {
        var file = System.IO.Path.Combine(Path, relativePath);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(file)!);
        File.WriteAllText(file, content);
        return file;
    }

    /// <summary>Commits everything there is, also if nothing changed, and returns the full SHA.</summary>
    public async Task<string> CommitAsync(string message = "work", DateTimeOffset? time = null)
    {
        var when = (time ?? Epoch.AddMinutes(commits)).ToString("yyyy-MM-ddTHH:mm:sszzz", CultureInfo.InvariantCulture);
        commits++;
        var environment = Environment().With("GIT_AUTHOR_DATE", when).With("GIT_COMMITTER_DATE", when);
        await GitAsync(environment, "add", "--all");
        await GitAsync(environment, "commit", "--quiet", "--allow-empty", "--message", message);
        return await RevParseAsync();
    }

    /// <summary>Tags a commit; with a message the tag is annotated.</summary>
    public Task TagAsync(string name, string commit = "HEAD", string? message = null) =>
        message is null ? GitAsync("tag", name, commit) : GitAsync("tag", "--annotate", "--message", message, name, commit);

    /// <summary>Creates a branch, without checking it out.</summary>
    public Task BranchAsync(string name, string start = "HEAD") => GitAsync("branch", name, start);

    /// <summary>Checks a branch, tag or commit out; with <paramref name="create"/> a new branch.</summary>
    public Task CheckoutAsync(string name, bool create = false) =>
        create ? GitAsync("checkout", "--quiet", "-b", name) : GitAsync("checkout", "--quiet", name);

    /// <summary>Clones into a temp directory of its own; with <paramref name="depth"/> a shallow clone, as CI makes them.</summary>
    public async Task<GitRepo> CloneAsync(int? depth = null, params string[] arguments)
    {
        var temp = new TempDirectory("git");
        // file:// because a plain path is copied as it is, whatever depth is asked for.
        string[] shallow = depth is { } commitsToKeep ? ["--depth", commitsToKeep.ToString(CultureInfo.InvariantCulture)] : [];
        await GitAsync(["clone", "--quiet", .. shallow, .. arguments, "file://" + Path, temp.Path]);
        return new GitRepo(temp.Path, temp) { commits = commits };
    }

    /// <summary>The full SHA of a revision.</summary>
    public Task<string> RevParseAsync(string revision = "HEAD") => GitAsync("rev-parse", "--verify", revision + "^{commit}");

    /// <summary>Any git command; returns its trimmed output.</summary>
    public Task<string> GitAsync(params string[] arguments) => GitAsync(Environment(), arguments);

    /// <summary>Removes the temp directory, if this repository made it.</summary>
    public ValueTask DisposeAsync() => owned?.DisposeAsync() ?? ValueTask.CompletedTask;

    private static CleanEnvironment Environment() => CleanEnvironment.Create()
        .With("GIT_AUTHOR_NAME", "Test").With("GIT_AUTHOR_EMAIL", "test@example.invalid")
        .With("GIT_COMMITTER_NAME", "Test").With("GIT_COMMITTER_EMAIL", "test@example.invalid")
        // An annotated tag takes the committer's date.
        .With("GIT_COMMITTER_DATE", Epoch.ToString("yyyy-MM-ddTHH:mm:sszzz", CultureInfo.InvariantCulture));

    private async Task<string> GitAsync(CleanEnvironment environment, params string[] arguments) =>
        (await ProcessRunner.RunAsync("git", ["-C", Path, .. arguments], Path, environment, TimeSpan.FromMinutes(1))).EnsureSuccess().StandardOutput.Trim();
}
