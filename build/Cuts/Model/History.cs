namespace Registry.Sdk.Cuts;

/// <summary>What a build is of.</summary>
public enum BuildOf
{
    Release,
    Prerelease,
    Branch,
}

/// <summary>A commit.</summary>
/// <param name="Number">Makes its id.</param>
/// <param name="Hour">When it was made.</param>
/// <param name="Parent">Null: the first one.</param>
public sealed record Commit(int Number, int Hour, Commit? Parent)
{
    public string Id { get; } = Number.ToString("x7").PadRight(40, '0');

    /// <summary>Whether another commit is this one, or can be reached from it.</summary>
    public bool Reaches(string id) => Id == id || Parent?.Reaches(id) == true;
}

/// <summary>Something that can be published.</summary>
/// <param name="Of">A release's or prerelease's version; of a branch its name and commit.</param>
/// <param name="Kind">Its kind.</param>
/// <param name="Commit">Its commit.</param>
/// <param name="Branch">The branch; of a release without meaning.</param>
public sealed record Build(string Of, BuildOf Kind, Commit Commit, string Branch)
{
    /// <summary>What a label of the image says: a release's own version, of a branch MinVer's where no version tag is below it.</summary>
    public string Version => Kind == BuildOf.Branch ? "0.0.0-alpha.0.1" : Of;

    /// <inheritdoc/>
    public override string ToString() => Of;
}

/// <summary>
/// The commits that are published: a line of <c>main</c> with releases on it, two maintenance lines, and a branch that was rebased twice, the second time
/// onto something that is older than what it had.
/// </summary>
public static class History
{
    static History()
    {
        var main = new List<Commit>();
        for (var i = 0; i < 9; i++)
        {
            // One by somebody whose clock was slow: it is the later one all the same.
            main.Add(new(0xa1 + i, i == 5 ? 25 : 10 * i, main.LastOrDefault()));
        }

        var (fix, secondFix) = (new Commit(0xb1, 75, main[2]), (Commit?)null);
        secondFix = new(0xb2, 85, fix);
        var minor = new Commit(0xc1, 77, main[4]);
        Builds =
        [
            Release("1.0.0-rc.1", main[1]), Release("1.0.0", main[2]), Release("1.0.1", fix), Release("1.0.2", secondFix),
            Release("1.1.0", main[4]), Release("1.1.1", minor), Release("2.0.0-rc.1", main[5]), Release("2.0.0-rc.2", main[6]), Release("2.0.0", main[7]),
            .. new[] { 0, 2, 3, 5, 8 }.Select(i => Of("main", main[i])),
            Of("topic", new(0xd1, 42, main[3])), Of("topic", new(0xd2, 55, main[4])), Of("topic", new(0xd3, 48, main[2])),
        ];
        Commits = [.. main, fix, secondFix, minor, .. Builds.Where(b => b.Branch == "topic").Select(b => b.Commit)];

        static Build Release(string version, Commit commit) => new(version, version.Contains('-') ? BuildOf.Prerelease : BuildOf.Release, commit, "main");
        static Build Of(string branch, Commit commit) => new($"{branch} at {commit.Id[..7]}", BuildOf.Branch, commit, branch);
    }

    /// <summary>All commits.</summary>
    public static IReadOnlyList<Commit> Commits { get; }

    /// <summary>Everything that is published.</summary>
    public static IReadOnlyList<Build> Builds { get; }
}
