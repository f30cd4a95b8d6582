namespace Registry.Sdk.Cuts;

/// <summary>An image as its labels tell of it; two with equal ones are one image.</summary>
/// <param name="Version">The version.</param>
/// <param name="Revision">The commit's id.</param>
/// <param name="Base">Which base image it stands on, from 1.</param>
public sealed record Image(string Version, string Revision, int Base)
{
    /// <summary>One that somebody else made, without labels.</summary>
    public static Image Foreign { get; } = new("", "", 0);

    /// <inheritdoc/>
    public override string ToString() => this == Foreign ? "a foreign image" : $"{History.Builds.First(b => b.Version == Version && b.Commit.Id == Revision)} on base {Base}";
}

/// <summary>What every tag names, by destination and tag.</summary>
public sealed class Tags : SortedDictionary<string, SortedDictionary<string, Image>>
{
    public Tags()
        : base(StringComparer.Ordinal)
    {
    }

    public Tags(Tags other)
        : this()
    {
        foreach (var (place, tags) in other)
        {
            Add(place, new(tags, StringComparer.Ordinal));
        }
    }

    /// <summary>What a tag names; null: it is not there.</summary>
    public Image? At(string place, string tag) => this[place].GetValueOrDefault(tag);

    /// <summary>What tags name that named something else, or nothing, before.</summary>
    public IEnumerable<Image> Changes(Tags before) => from place in Keys from tag in this[place] where before.At(place, tag.Key) != tag.Value select tag.Value;

    /// <summary>What is not as it is there, one line each.</summary>
    public IEnumerable<string> Differences(Tags expected)
        => from place in Keys
           from tag in this[place].Keys.Union(expected[place].Keys, StringComparer.Ordinal)
           where At(place, tag) != expected.At(place, tag)
           select $"{place}:{tag} names {At(place, tag)?.ToString() ?? "nothing"}, and should name {expected.At(place, tag)?.ToString() ?? "nothing"}";
}

/// <summary>
/// What each tag should name after a publish, from what all of them named before. Written from the design's words («Immutable tags», «Floating tags») and
/// from nothing of the product: it knows no registry, no digest and no request.
/// </summary>
public static class TagModel
{
    /// <summary>In which round a tag is written: immutable ones (0), floating ones (1), last of all <c>latest</c> (2).</summary>
    public static IReadOnlyList<(string Tag, int Round)> TagsOf(Build build) => build.Kind switch
    {
        BuildOf.Release when build.Version.Split('.') is [var major, var minor, _] => [($"v{build.Version}", 0), ($"v{major}.{minor}", 1), ($"v{major}", 1), ("latest", 2)],
        BuildOf.Prerelease => [($"v{build.Version}", 0)],
        _ => [($"{build.Branch}-{build.Commit.Id[..7]}", 0), (build.Branch, 1)],
    };

    /// <summary>What the tags name after a whole publish.</summary>
    /// <param name="before">What they name before.</param>
    /// <param name="build">What is published.</param>
    /// <param name="taking">The destinations that take it, in the project's order.</param>
    /// <param name="currentBase">The base image that its tag names now.</param>
    /// <param name="overwrites">Whether all its tags are named in <c>RegistrySdkOverwriteTag</c>: then they are moved whatever they name.</param>
    /// <returns>Null: it is refused, and nothing changes anywhere.</returns>
    public static Tags? After(Tags before, Build build, IReadOnlyList<string> taking, int currentBase, bool overwrites = false)
    {
        var own = TagsOf(build)[0].Tag;

        // A repeated or half-finished release ends in its first digest, so it stands on the base it was begun on; a branch is built on today's.
        var begun = overwrites || build.Kind == BuildOf.Branch ? null : taking.Select(p => before.At(p, own)).FirstOrDefault(i => i is not null && IsOf(i, build));
        var image = new Image(build.Version, build.Commit.Id, begun?.Base ?? currentBase);
        var after = new Tags(before);
        foreach (var place in taking)
        {
            foreach (var (tag, round) in TagsOf(build))
            {
                var named = before.At(place, tag);
                if (!overwrites && round == 0 && named is not null && named != image)
                {
                    // A branch's commit that was built on another base stays as it was; anything else under an immutable tag is an error.
                    if (build.Kind == BuildOf.Branch && IsOf(named, build))
                    {
                        continue;
                    }

                    return null;
                }

                if (overwrites || named is null || round == 0 || IsForwards(named, image, build.Kind))
                {
                    after[place][tag] = image;
                }
            }
        }

        return after;
    }

    /// <summary>Whether an image is of that build, on whatever base.</summary>
    public static bool IsOf(Image image, Build build) => image.Version == build.Version && image.Revision == build.Commit.Id;

    /// <summary>The order of versions that are published here.</summary>
    public static int Compare(string one, string other) => Key(one).CompareTo(Key(other));

    private static bool IsForwards(Image from, Image to, BuildOf kind)
    {
        if (from == Image.Foreign)
        {
            return true;
        }

        if (kind != BuildOf.Branch)
        {
            return Compare(from.Version, to.Version) <= 0;
        }

        var (there, here) = (Find(from.Revision), Find(to.Revision));
        return here.Reaches(there.Id) || (!there.Reaches(here.Id) && here.Hour >= there.Hour);
    }

    private static Commit Find(string id) => History.Commits.Single(c => c.Id == id);

    // alpha < rc.1 < rc.2 < the release itself: no other prereleases are published.
    private static (int Major, int Minor, int Patch, int Pre) Key(string version)
    {
        var (core, pre) = version.Split('-', 2) is [var a, var b] ? (a, b) : (version, "");
        var numbers = core.Split('.').Select(int.Parse).ToArray();
        return (numbers[0], numbers[1], numbers[2], pre.Length == 0 ? int.MaxValue : pre.StartsWith("rc.", StringComparison.Ordinal) ? int.Parse(pre[3..]) : 0);
    }
}
