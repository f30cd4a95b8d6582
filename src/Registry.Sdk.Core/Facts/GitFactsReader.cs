using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Facts;

/// <summary>Asks git for <see cref="GitFacts"/>: about ten short commands, none of which changes anything.</summary>
internal static class GitFactsReader
{
    private const int MostDirtyFiles = 10;

    private static readonly StringComparison PathComparison
        = OperatingSystem.IsWindows() ? StringComparison.OrdinalIgnoreCase : StringComparison.Ordinal;

    internal static async Task<GitFacts> ReadAsync(FactsInput input, IGit git, CancellationToken ct)
    {
        try
        {
            return await ReadUnguardedAsync(input, git, ct).ConfigureAwait(false);
        }
        catch (GitException e)
        {
            return new GitFacts { State = GitState.Failed, Error = e.Message };
        }
    }

    private static async Task<GitFacts> ReadUnguardedAsync(FactsInput input, IGit git, CancellationToken ct)
    {
        // The path comes last, because a folder's name may hold a line break.
        var place = await git.RunAsync(input.ProjectDirectory, ["rev-parse", "--is-inside-work-tree", "--is-shallow-repository", "--show-toplevel"], ct).ConfigureAwait(false);
        if (place is null)
        {
            return new GitFacts { State = GitState.NoGit };
        }

        var parts = place.Output.Split('\n', 3);
        if (parts[0].Trim() is "false")
        {
            // A bare repository, or a folder inside .git.
            return new GitFacts { State = GitState.NotARepository };
        }

        if (!place.Ok || parts.Length < 3)
        {
            return Refused(place);
        }

        var isShallow = parts[1].Trim() is "true";
        var root = Path.GetFullPath(parts[2].TrimEnd('\n', '\r'));

        var head = await git.RunAsync(input.ProjectDirectory, ["rev-parse", "--verify", "--quiet", "HEAD^{commit}"], ct).ConfigureAwait(false);
        if (head is not { Ok: true })
        {
            return head!.Error.Trim().Length == 0
                ? new GitFacts { State = GitState.NoCommit, RootDirectory = root }
                : new GitFacts { State = GitState.Failed, RootDirectory = root, Error = GitCommandLine.OneLine(head.Error) };
        }

        var commit = head.Output.Trim();
        var tags = await TagsAsync(input, git, ct).ConfigureAwait(false);
        var walk = await VersionWalk.RunAsync(
            git.ReadLinesAsync(input.ProjectDirectory, VersionWalk.Command, ct),
            VersionTagOfCommit(tags, input.VersionTagPrefix),
            (a, b) => CompareTags(a, b, input.VersionTagPrefix),
            isShallow).ConfigureAwait(false);
        if (!string.Equals(walk.Head, commit, StringComparison.Ordinal))
        {
            throw new GitException($"HEAD changed from {commit} to {walk.Head} while it was read");
        }

        // Full name, for --short would print heads/main where there is a tag main too.
        var symbolic = await git.RunAsync(input.ProjectDirectory, ["symbolic-ref", "--quiet", "HEAD"], ct).ConfigureAwait(false);
        var (branches, remoteUrl) = await BranchesAsync(input, git, ct).ConfigureAwait(false);

        return new GitFacts
        {
            State = GitState.Ok,
            RootDirectory = root,
            Commit = commit,
            CommitTime = walk.HeadTime,
            Branch = symbolic is { Ok: true } ? After("refs/heads/", symbolic.Output.TrimEnd('\n', '\r')) : null,
            TagsAtHead = [.. tags.Where(t => string.Equals(t.Commit, commit, StringComparison.Ordinal)).Select(t => t.Name).Order(StringComparer.Ordinal)],
            NearestVersionTag = walk.Tag,
            Height = walk.Height,
            IsShallow = isShallow,
            DirtyFiles = await DirtyFilesAsync(input, git, root, ct).ConfigureAwait(false),
            Branches = branches,
            RemoteUrl = remoteUrl,
        };
    }

    private static GitFacts Refused(GitResult place)
    {
        var error = GitCommandLine.OneLine(place.Error);
        if (place.Error.Contains("dubious ownership", StringComparison.Ordinal) || place.Error.Contains("unsafe repository", StringComparison.Ordinal))
        {
            // fatal: detected dubious ownership in repository at '/src'    (2.35.2: fatal: unsafe repository ('/src' is owned by someone else))
            var line = place.Error.Split('\n')[0];
            var (open, close) = (line.IndexOf('\'', StringComparison.Ordinal), line.LastIndexOf('\''));
            return new GitFacts { State = GitState.DubiousOwnership, Error = error, RootDirectory = close > open ? line[(open + 1)..close] : null };
        }

        // "not a git repository: /x/.git/worktrees/y" is another matter: a link that leads nowhere.
        return place.Error.Contains("not a git repository (or any", StringComparison.Ordinal)
            ? new GitFacts { State = GitState.NotARepository, Error = error }
            : new GitFacts { State = GitState.Failed, Error = error };
    }

    /// <summary>All tags with the commit they come down to.</summary>
    private static async Task<List<(string Name, string Commit)>> TagsAsync(FactsInput input, IGit git, CancellationToken ct)
    {
        // "<id> refs/tags/v1", and for annotated tags one more line "<commit> refs/tags/v1^{}". A ref name holds no space. Exit code 1: no tags.
        var result = await git.RunAsync(input.ProjectDirectory, ["show-ref", "--tags", "--dereference"], ct).ConfigureAwait(false);
        if (result is not { ExitCode: 0 or 1 })
        {
            throw new GitException($"git show-ref: {GitCommandLine.OneLine(result!.Error)}");
        }

        var commits = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var line in result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries))
        {
            var space = line.IndexOf(' ', StringComparison.Ordinal);
            var name = line[(space + 1)..];
            name = name.EndsWith("^{}", StringComparison.Ordinal) ? name[..^3] : name;
            commits[After("refs/tags/", name) ?? name] = line[..space];
        }

        return [.. commits.Select(c => (c.Key, c.Value))];
    }

    private static Dictionary<string, string> VersionTagOfCommit(List<(string Name, string Commit)> tags, string prefix)
    {
        var best = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach (var group in tags.GroupBy(t => t.Commit, t => t.Name, StringComparer.Ordinal))
        {
            if (SemVer.HighestTag(group, prefix) is { } tag)
            {
                best.Add(group.Key, tag);
            }
        }

        return best;
    }

    private static int CompareTags(string a, string b, string prefix)
        => SemVer.TryParseTag(a, prefix, out var x) && SemVer.TryParseTag(b, prefix, out var y) ? SemVer.Compare(x, y) : 0;

    private static async Task<(IReadOnlyList<string> Branches, string? RemoteUrl)> BranchesAsync(FactsInput input, IGit git, CancellationToken ct)
    {
        var remotes = Lines(await RequireAsync(input, git, ["remote"], ct).ConfigureAwait(false));

        // A symbolic ref is another name for a branch that is listed anyway: origin/HEAD.
        var refs = Lines(await RequireAsync(input, git, ["for-each-ref", "--format=%(if)%(symref)%(then)%(else)%(refname)%(end)", "refs/heads", "refs/remotes"], ct).ConfigureAwait(false));
        var names = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var name in refs)
        {
            if (After("refs/heads/", name) is { } local)
            {
                names.Add(local);
            }
            else if (After("refs/remotes/", name) is { } tracking)
            {
                // A remote's name may hold slashes itself.
                var remote = remotes.Where(r => tracking.StartsWith(r + "/", StringComparison.Ordinal)).MaxBy(r => r.Length) ?? tracking.Split('/')[0];
                if (tracking.Length > remote.Length + 1 && tracking[(remote.Length + 1)..] is var branch and not "HEAD")
                {
                    names.Add(branch);
                }
            }
        }

        var chosen = remotes.Contains("origin", StringComparer.Ordinal) ? "origin" : remotes is [var only] ? only : null;
        string? url = null;
        if (chosen is not null)
        {
            // get-url and not the configuration, for url.<base>.insteadOf may be what makes it an address. A remote without URL fails.
            var result = await git.RunAsync(input.ProjectDirectory, ["remote", "get-url", "--", chosen], ct).ConfigureAwait(false);
            url = result is { Ok: true } ? result.Output.TrimEnd('\n', '\r') : null;
        }

        return ([.. names], url);
    }

    private static async Task<IReadOnlyList<string>> DirtyFilesAsync(FactsInput input, IGit git, string root, CancellationToken ct)
    {
        // Tracked files of the whole work tree; a submodule counts when its commit or one of its tracked files changed.
        var dirty = new SortedSet<string>(StringComparer.Ordinal);
        var status = await RequireAsync(
            input, git, ["status", "--porcelain=v2", "-z", "--untracked-files=no", "--ignore-submodules=untracked", "--no-renames"], ct).ConfigureAwait(false);
        foreach (var entry in status.Split('\0', StringSplitOptions.RemoveEmptyEntries))
        {
            // "1 XY sub mH mI mW hH hI path" and "u XY sub m1 m2 m3 mW h1 h2 h3 path"; the path may hold spaces.
            var fields = entry.StartsWith("u ", StringComparison.Ordinal) ? 11 : 9;
            dirty.Add(entry.Split(' ', fields)[^1]);
        }

        // Untracked files. git is asked in each folder by itself, so that a submodule's or another repository's ignore rules hold there.
        var shownRoot = await RootAsSpelledAsync(input, git, root, ct).ConfigureAwait(false);
        foreach (var folder in input.SourceDirectories.Append(input.ProjectDirectory).Select(Normal).Distinct(StringComparer.Ordinal))
        {
            if (!Directory.Exists(folder))
            {
                continue;
            }

            var others = await git.RunAsync(folder, ["ls-files", "--others", "--exclude-standard", "-z", "--", "."], ct).ConfigureAwait(false);
            if (others is not { Ok: true })
            {
                // In no repository: its files are not untracked, they are outside.
                continue;
            }

            foreach (var path in others.Output.Split('\0', StringSplitOptions.RemoveEmptyEntries).Select(p => Path.GetFullPath(p, folder)))
            {
                if (!input.OutputDirectories.Any(o => (path + Path.DirectorySeparatorChar).StartsWith(Normal(o) + Path.DirectorySeparatorChar, PathComparison)))
                {
                    dirty.Add(Path.GetRelativePath(shownRoot, path).Replace('\\', '/'));
                }
            }
        }

        return [.. dirty.Take(MostDirtyFiles)];

        static string Normal(string folder) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(folder));
    }

    /// <summary>git resolves symbolic links, MSBuild does not: the root in MSBuild's spelling, so that paths shown are short.</summary>
    private static async Task<string> RootAsSpelledAsync(FactsInput input, IGit git, string root, CancellationToken ct)
    {
        var prefix = (await RequireAsync(input, git, ["rev-parse", "--show-prefix"], ct).ConfigureAwait(false)).TrimEnd('\n', '\r', '/');
        var project = Path.TrimEndingDirectorySeparator(Path.GetFullPath(input.ProjectDirectory));
        var end = prefix.Length == 0 ? "" : Path.DirectorySeparatorChar + prefix.Replace('/', Path.DirectorySeparatorChar);
        return project.EndsWith(end, PathComparison) ? project[..^end.Length] : root;
    }

    private static async Task<string> RequireAsync(FactsInput input, IGit git, string[] arguments, CancellationToken ct)
    {
        var result = await git.RunAsync(input.ProjectDirectory, arguments, ct).ConfigureAwait(false);
        return result is { Ok: true }
            ? result.Output
            : throw new GitException($"git {string.Join(' ', arguments)}: {GitCommandLine.OneLine(result?.Error ?? "git was not found")}");
    }

    private static string[] Lines(string output) => output.Split('\n', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);

    private static string? After(string prefix, string name) => name.StartsWith(prefix, StringComparison.Ordinal) ? name[prefix.Length..] : null;
}
