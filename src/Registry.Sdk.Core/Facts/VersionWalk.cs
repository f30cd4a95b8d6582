namespace Registry.Sdk.Core.Facts;

/// <summary>What <see cref="VersionWalk"/> found.</summary>
/// <param name="Head">HEAD's commit id.</param>
/// <param name="HeadTime">HEAD's committer time.</param>
/// <param name="Tag">The version tag, or null.</param>
/// <param name="Height">Steps from it (or from the root) to HEAD; 0 where history is missing.</param>
internal sealed record VersionWalkResult(string Head, DateTimeOffset HeadTime, string? Tag, int Height);

/// <summary>
/// Finds the version tag a development version is counted from. The rule is MinVer's, so that its users get the numbers they know:
/// walk back from HEAD's parents, depth first, first parents first, each commit once, stopping at every commit with a version tag; of the tags
/// found the highest wins, and its height is the number of steps on the path by which its commit was first reached. No tag: the number
/// of steps to the first root reached. Along first parents this only ever counts up, whatever is merged.
/// </summary>
/// <remarks>
/// Linear in the history between HEAD and the tags: the commits come from one <c>git rev-list</c>, newest first, read no further than the walk
/// needs them. In a shallow clone every commit without parents may be where history was cut; what lies behind it could hold a higher tag, so
/// there is no answer then.
/// </remarks>
internal static class VersionWalk
{
    /// <summary>The git command whose lines <see cref="RunAsync"/> reads: committer time (Unix seconds), commit, parents.</summary>
    internal static readonly string[] Command = ["rev-list", "--timestamp", "--parents", "HEAD", "--"];

    /// <summary>Walks.</summary>
    /// <param name="lines">Output of <see cref="Command"/>: HEAD first.</param>
    /// <param name="tagOfCommit">The highest version tag of each commit that has one.</param>
    /// <param name="compare">Orders two of those tags by version.</param>
    /// <param name="isShallow">Whether a commit without parents may be a cut.</param>
    /// <exception cref="GitException">git failed, or its output is not understood.</exception>
    internal static async Task<VersionWalkResult> RunAsync(
        IAsyncEnumerable<string> lines, IReadOnlyDictionary<string, string> tagOfCommit, Comparison<string> compare, bool isShallow)
    {
        var stream = lines.GetAsyncEnumerator();
        await using var disposal = stream.ConfigureAwait(false);
        var read = new Dictionary<string, string[]>(StringComparer.Ordinal);

        if (!await stream.MoveNextAsync().ConfigureAwait(false))
        {
            throw new GitException("git rev-list HEAD printed nothing");
        }

        var (head, seconds, headParents) = Parse(stream.Current);
        if (seconds < DateTimeOffset.MinValue.ToUnixTimeSeconds() || seconds > DateTimeOffset.MaxValue.ToUnixTimeSeconds())
        {
            // Not clamped: the date becomes the image's, and a wrong one would be in it for good.
            throw new GitException($"the commit {head} is dated {seconds} seconds after 1970, which is in no year from 1 to 9999. Give it another date (git commit --amend --no-edit)");
        }

        var time = DateTimeOffset.FromUnixTimeSeconds(seconds);
        read[head] = headParents;

        string? best = null;
        var bestHeight = 0;
        int? rootHeight = headParents.Length == 0 ? 0 : null;
        var missing = isShallow && headParents.Length == 0;

        var seen = new HashSet<string>(StringComparer.Ordinal) { head };
        var stack = new Stack<(string Commit, int Height)>();
        Push(headParents, 1);
        while (!missing && stack.TryPop(out var next))
        {
            if (!seen.Add(next.Commit))
            {
                continue;
            }

            if (tagOfCommit.TryGetValue(next.Commit, out var tag))
            {
                if (best is null || compare(tag, best) > 0)
                {
                    (best, bestHeight) = (tag, next.Height);
                }

                continue;
            }

            var parents = await ParentsAsync(next.Commit).ConfigureAwait(false);
            if (parents.Length == 0)
            {
                rootHeight ??= next.Height;
                missing = isShallow;
            }

            Push(parents, next.Height + 1);
        }

        return missing ? new(head, time, null, 0) : new(head, time, best, best is null ? rootHeight ?? 0 : bestHeight);

        void Push(string[] parents, int height)
        {
            for (var i = parents.Length - 1; i >= 0; i--)
            {
                stack.Push((parents[i], height));
            }
        }

        async ValueTask<string[]> ParentsAsync(string commit)
        {
            string[]? parents;
            while (!read.TryGetValue(commit, out parents))
            {
                if (!await stream.MoveNextAsync().ConfigureAwait(false))
                {
                    throw new GitException($"git rev-list HEAD did not list {commit}");
                }

                var line = Parse(stream.Current);
                read[line.Commit] = line.Parents;
            }

            return parents;
        }
    }

    private static (string Commit, long Seconds, string[] Parents) Parse(string line)
    {
        var words = line.Split(' ', StringSplitOptions.RemoveEmptyEntries);
        return words.Length >= 2 && long.TryParse(words[0], System.Globalization.NumberStyles.AllowLeadingSign, System.Globalization.CultureInfo.InvariantCulture, out var seconds)
            ? (words[1], seconds, words[2..])
            : throw new GitException($"git rev-list printed '{line}'");
    }
}
