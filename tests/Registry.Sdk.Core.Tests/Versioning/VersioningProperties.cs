using FsCheck;
using FsCheck.Fluent;
using NuGet.Versioning;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;
using Xunit;

namespace Registry.Sdk.Core.Tests.Versioning;

/// <summary>What must hold for every branch name and every version, and not only for those somebody thought of.</summary>
public class VersioningProperties
{
    private static readonly Config Many = Config.QuickThrowOnFailure.WithMaxTest(1000);

    private static Gen<string> Identifier => Gen.OneOf(
        Gen.Choose(0, 300).Select(n => n.ToString()),
        Gen.Elements("alpha", "beta", "rc", "x-1", "0a", "-", "a-b"));

    /// <summary>SemVer without metadata; numbers small enough that ties and neighbours happen.</summary>
    private static Arbitrary<string> Versions => (
        from major in Gen.Choose(0, 3)
        from minor in Gen.Choose(0, 3)
        from patch in Gen.Choose(0, 12)
        from pre in Identifier.ArrayOf()
        select $"{major}.{minor}.{patch}{(pre.Length == 0 ? "" : "-" + string.Join('.', pre.Take(3)))}").ToArbitrary();

    /// <summary>Any text, and texts made of what is dangerous here.</summary>
    private static Arbitrary<string> BranchNames => Gen.OneOf(
        ArbMap.Default.GeneratorFor<NonEmptyString>().Select(s => s.Get),
        Gen.Elements("a", "B", "7", "_", "-", ".", "/", "日本", "é", "\ud800", " ", "+", "v1", "latest", "main", new string('x', 60)).NonEmptyListOf().Select(p => string.Concat(p))).ToArbitrary();

    private static VersionFacts Run(Row row) => row.Run().Value;

    [Fact]
    public void Every_tag_of_every_branch_is_legal()
        => Prop.ForAll(BranchNames, name =>
            Run(new Row("p") { Branch = name, Branches = [], Expect = "" }).Tags is { Count: 2 } tags && tags.All(t => TagNames.IsLegal(t.Name))
            && Run(new Row("p") { Branch = name, Branches = [], Dirty = "x", Expect = "" }).Tags.All(t => TagNames.IsLegal(t.Name) && t.Name.EndsWith("-abc1234-dirty", StringComparison.Ordinal)))
            .Check(Many);

    [Fact]
    public void Every_tag_of_every_version_is_legal_and_no_prerelease_has_a_floating_one()
        => Prop.ForAll(Versions, version =>
        {
            var facts = Run(new Row("p") { TagsAtHead = "v" + version, Expect = "" });
            return facts.Version == version && facts.Tags.All(t => TagNames.IsLegal(t.Name))
                && (version.Contains('-', StringComparison.Ordinal)
                    ? facts.Kind == BuildKinds.Prerelease && facts.Tags.All(t => !t.Floating)
                    : facts.Kind == BuildKinds.Release && facts.Tags.Count(t => !t.Floating) == 1 && facts.Tags[^1].Name == "latest");
        }).Check(Many);

    [Fact]
    public void No_branch_takes_a_release_s_floating_tag()
        => Prop.ForAll(BranchNames, Versions, (name, version) =>
        {
            var core = version.Split('-')[0];
            var release = Run(new Row("p") { TagsAtHead = "v" + core, Expect = "" }).Tags.Select(t => t.Name).Append("pr-1");
            return (string[])[name, .. release] is var branches && branches.All(b => !Run(new Row("p") { Branch = b, Branches = [], Expect = "" }).Tags.Any(t => release.Contains(t.Name, StringComparer.Ordinal)));
        }).Check(Config.QuickThrowOnFailure);

    [Fact]
    public void No_branch_takes_another_branch_s_immutable_or_dirty_tag()
        => Prop.ForAll(BranchNames, name =>
        {
            string[] taken =
            [
                .. Run(new Row("p") { Branch = name, Branches = [], Expect = "" }).Tags.Where(t => !t.Floating).Select(t => t.Name),
                .. Run(new Row("p") { Branch = name, Branches = [], Dirty = "x", Expect = "" }).Tags.Select(t => t.Name),
                "sha-abc1234", "sha-abc1234-dirty", "pr-7-abc1234-dirty",
            ];
            return taken.Length == 5 && taken.All(t => !Run(new Row("p") { Branch = t, Branches = [], Expect = "" }).Tags.Any(mine => taken.Contains(mine.Name, StringComparer.Ordinal)));
        }).Check(Config.QuickThrowOnFailure);

    [Fact]
    public void The_highest_tag_is_nuget_s_highest()
        => Prop.ForAll(Versions.Generator.NonEmptyListOf().ToArbitrary(), versions =>
        {
            var highest = SemVer.HighestTag(versions.Select(v => "v" + v), "v");
            var nuget = versions.Select(NuGetVersion.Parse).Max()!;
            return VersionComparer.VersionRelease.Equals(NuGetVersion.Parse(highest![1..]), nuget)
                && highest == SemVer.HighestTag(versions.AsEnumerable().Reverse().Select(v => "v" + v), "v");
        }).Check(Many);

    [Fact]
    public void Order_is_nuget_s()
        => Prop.ForAll(Versions, Versions, (a, b) =>
            SemVer.TryParse(a, out var x) && SemVer.TryParse(b, out var y)
            && Math.Sign(SemVer.Compare(x, y)) == Math.Sign(NuGetVersion.Parse(a).CompareTo(NuGetVersion.Parse(b)))).Check(Many);

    [Fact]
    public void A_development_version_lies_between_its_tag_and_the_next_release()
        => Prop.ForAll(Versions, Gen.Choose(1, 100_000).ToArbitrary(), (tag, height) =>
        {
            var text = Run(new Row("p") { Nearest = "v" + tag, Height = height, Expect = "" }).Version;
            var above = Run(new Row("p") { Nearest = "v" + tag, Height = height + 1, Expect = "" }).Version;
            var (from, development, next) = (NuGetVersion.Parse(tag), NuGetVersion.Parse(text), NuGetVersion.Parse(above));
            var release = from.IsPrerelease ? new NuGetVersion(from.Major, from.Minor, from.Patch) : new NuGetVersion(from.Major, from.Minor, from.Patch + 1);
            return from < development && development < next && next < release && SemVer.TryParse(text, out _);
        }).Check(Many);

    [Fact]
    public void Sanitising_is_deterministic_and_leaves_legal_names_alone()
        => Prop.ForAll(BranchNames, name =>
        {
            var once = TagNames.OfBranch(name);
            return once == TagNames.OfBranch(name) && TagNames.OfBranch(once) == once && (!TagNames.IsLegal(name) || once == name);
        }).Check(Many);

    [Fact]
    public void Two_mended_names_are_two_tags()
        => Prop.ForAll(BranchNames, BranchNames, (a, b) =>
        {
            var (x, y) = (TagNames.OfBranch("." + a), TagNames.OfBranch("." + b));

            // Lone surrogates have no UTF-8: .NET hashes them all as U+FFFD, and git has no such names.
            return a == b || a.Any(char.IsSurrogate) || b.Any(char.IsSurrogate) || x != y;
        }).Check(Many);

    [Fact]
    public void A_name_fits_the_room_it_is_given()
        => Prop.ForAll(BranchNames, Gen.Choose(16, 128).ToArbitrary(), (name, room) => TagNames.OfBranch(name, room) is var tag && tag.Length <= room && TagNames.IsLegal(tag)).Check(Many);

    [Fact]
    public void Immutable_tags_come_first_and_latest_last()
        => Prop.ForAll(
            Gen.Elements("latest", "a", "b-abc1234", "1.2.3", "v1.2.3", "c", "d").NonEmptyListOf().ToArbitrary(),
            tags =>
            {
                var facts = Run(new Row("p") { TagsAtHead = "v1.2.3", UserTags = [.. tags], Expect = "" });
                var floating = facts.Tags.Select(t => t.Floating).ToList();
                return floating.SequenceEqual(floating.Order()) && facts.Tags.Take(facts.Tags.Count - 1).All(t => t.Name != "latest")
                    && facts.Tags.Select(t => t.Name).Order(StringComparer.Ordinal).SequenceEqual(tags.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal), StringComparer.Ordinal);
            }).Check(Many);

    [Fact]
    public void Strictness_is_semver_s()
    {
        string[] good = ["0.0.0", "1.2.3", "1.0.0-0", "1.0.0-a.b.c", "1.0.0--", "1.0.0-0a", "1.0.0+01", "1.0.0-rc.1+x-y.z", "2147483646.0.0"];
        string[] bad = ["", "1", "1.2", "1.2.3.4", "01.2.3", "1.2.03", "1.2.3-", "1.2.3-a..b", "1.2.3-01", "1.2.3+", " 1.2.3", "1.2.3 ", "1.2.3\n", "v1.2.3", "1.2.3-ä", "1.2.3-a_b", "-1.2.3", "1.2.99999999999", "1.2.2147483647"];
        Assert.All(good, v => Assert.True(SemVer.TryParse(v, out _), v));
        Assert.All(bad, v => Assert.False(SemVer.TryParse(v, out _), v));
    }
}
