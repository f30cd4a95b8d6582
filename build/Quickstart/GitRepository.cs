namespace Registry.Sdk.Quickstart;

/// <summary>Makes a git repository of a folder: one commit, one tag.</summary>
internal static class GitRepository
{
    // Author and time are fixed, so the commit is the same each time, and with it the image: it names its commit.
    private static readonly Dictionary<string, string> Fixed = new(StringComparer.Ordinal)
    {
        ["GIT_AUTHOR_NAME"] = "Quickstart",
        ["GIT_AUTHOR_EMAIL"] = "quickstart@example.invalid",
        ["GIT_AUTHOR_DATE"] = "2026-01-01T12:00:00Z",
        ["GIT_COMMITTER_NAME"] = "Quickstart",
        ["GIT_COMMITTER_EMAIL"] = "quickstart@example.invalid",
        ["GIT_COMMITTER_DATE"] = "2026-01-01T12:00:00Z",
    };

    public static async Task<string> VersionAsync(string folder, CancellationToken cancellationToken)
    {
        try
        {
            return (await GitAsync(folder, ["--version"], cancellationToken)).Trim();
        }
        catch (QuickstartException exception)
        {
            throw new QuickstartException("The quickstart makes git repositories of the samples, so it needs git on the PATH (https://git-scm.com/downloads). " + exception.Message);
        }
    }

    public static async Task CreateAsync(string folder, string tag, CancellationToken cancellationToken)
    {
        await GitAsync(folder, ["-c", "init.defaultBranch=main", "init", "--quiet"], cancellationToken);
        await GitAsync(folder, ["add", "--all"], cancellationToken);
        await GitAsync(folder, ["commit", "--quiet", "--message", "The sample"], cancellationToken);
        await GitAsync(folder, ["tag", tag], cancellationToken);
    }

    private static Task<string> GitAsync(string folder, string[] arguments, CancellationToken cancellationToken) =>
        Child.RunAsync("git", arguments, folder, Fixed, cancellationToken);
}
