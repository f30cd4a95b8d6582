using FsCheck;
using FsCheck.Fluent;
using Registry.Sdk.Emulator;

namespace Registry.Sdk.Cuts;

/// <summary>Which requests a fault counts.</summary>
public enum Among
{
    AllRequests,
    Manifests,
    TagWrites,
    Uploads,
}

/// <summary>A fault during a publish.</summary>
/// <param name="Server">Which server has it.</param>
/// <param name="Kind">Index into <see cref="Matrix.Kinds"/>.</param>
/// <param name="Among">Which requests are counted.</param>
/// <param name="From">How many of those are let through before.</param>
/// <param name="ForGood">Whether it stays; else it is once.</param>
public sealed record Mishap(int Server, int Kind, Among Among, int From, bool ForGood)
{
    public FaultRule Rule => new(Matrix.Kinds[Kind])
    {
        From = From,
        Times = ForGood ? FaultRule.ForGood : 1,
        Method = Among == Among.TagWrites ? "PUT" : null,
        Path = Among switch { Among.Manifests => "*/manifests/*", Among.TagWrites => "*/manifests/*", Among.Uploads => "*/blobs/uploads/*", _ => null },
        When = Among == Among.TagWrites ? request => !request.Path.Value!.Contains("/manifests/sha256:", StringComparison.Ordinal) : null,
    };

    /// <inheritdoc/>
    public override string ToString() => $"{Matrix.Kinds[Kind].Name} at {ModelScene.Servers[Server]}'s {(Among == Among.AllRequests ? "requests" : Among.ToString())} from #{From}{(ForGood ? " for good" : "")}";
}

/// <summary>One thing that happens.</summary>
public abstract record StoryStep
{
    /// <summary>Something is published, or published again.</summary>
    /// <param name="Build">What; null: what was published last.</param>
    /// <param name="IsFreshClone">Whether from a clone of its own, which has no journal; else from the one clone of the story.</param>
    /// <param name="Mishap">What goes wrong during it; null: nothing. It is healed right after.</param>
    /// <param name="Overwrites">Whether <c>RegistrySdkOverwriteTag</c> names all its tags.</param>
    public sealed record Publish(Build? Build, bool IsFreshClone, Mishap? Mishap, bool Overwrites = false) : StoryStep
    {
        /// <inheritdoc/>
        public override string ToString() => $"publish {Build?.ToString() ?? "the last one again"}{(IsFreshClone ? " from a fresh clone" : "")}{(Overwrites ? ", tags overwritten" : "")}{(Mishap is null ? "" : $", {Mishap}")}";
    }

    /// <summary>Two publishes at the same time.</summary>
    /// <param name="One">The one.</param>
    /// <param name="Other">The other.</param>
    /// <param name="At">All of the other happens between the one's look at a tag and its write, to this server; null: as it comes.</param>
    /// <param name="Write">Which of the one's tag writes to that server, from 0.</param>
    public sealed record Race(Build One, Build Other, int? At, int Write) : StoryStep
    {
        /// <inheritdoc/>
        public override string ToString() => At is { } server ? $"publish {One}, and {Other} right before its tag write #{Write} to {ModelScene.Servers[server]}" : $"publish {One} and {Other} at the same time";
    }

    /// <summary>Somebody moves a tag to another image of the repository, or to one that has no labels.</summary>
    /// <param name="Place">Which destination.</param>
    /// <param name="Tag">Which of its tags, counted around.</param>
    /// <param name="To">Which of its images, counted around.</param>
    public sealed record Move(int Place, int Tag, int To) : StoryStep
    {
        /// <inheritdoc/>
        public override string ToString() => $"by hand: {ModelScene.Names[Place]}'s tag #{Tag} to its image #{To}";
    }

    /// <summary>Somebody deletes a tag.</summary>
    public sealed record Delete(int Place, int Tag) : StoryStep
    {
        /// <inheritdoc/>
        public override string ToString() => $"by hand: {ModelScene.Names[Place]}'s tag #{Tag} is deleted";
    }

    /// <summary>The base image's tag names another image.</summary>
    public sealed record Rebase(int Base) : StoryStep
    {
        /// <inheritdoc/>
        public override string ToString() => $"the base image's tag moves to base {Base}";
    }
}

/// <summary>A sequence of steps, in empty repositories. Any part of it is one too: so a long one that fails is cut down to what matters.</summary>
public sealed class Story(IReadOnlyList<StoryStep> steps)
{
    /// <summary>The steps.</summary>
    public IReadOnlyList<StoryStep> Steps { get; } = steps;

    /// <summary>Makes stories, and shorter and simpler ones of one that fails.</summary>
    public static Arbitrary<Story> Any { get; } = Arb.ToArbitrary(Gen.Choose(4, 12).SelectMany(n => AnyStep.ListOf(n)).Select(s => new Story([.. s])), story => Simpler(story));

    private static Gen<Build> AnyBuild => Gen.Elements(History.Builds.AsEnumerable());

    private static Gen<Mishap> AnyMishap =>
        from server in Gen.Choose(0, ModelScene.Servers.Count - 1)
        from kind in Gen.Choose(0, Matrix.Kinds.Count - 1)
        from among in Gen.Elements(Among.AllRequests, Among.Manifests, Among.TagWrites, Among.TagWrites, Among.Uploads)
        from at in Gen.Choose(0, among switch { Among.AllRequests => 50, Among.Manifests => 30, Among.TagWrites => 5, _ => 5 })
        from forGood in Gen.Elements(true, true, false)
        select new Mishap(server, kind, among, at, forGood);

    private static Gen<StoryStep> AnyStep => Gen.Frequency(
        (8, from build in AnyBuild from fresh in Gen.Elements(true, false) select (StoryStep)new StoryStep.Publish(build, fresh, null)),
        (7, from build in AnyBuild from fresh in Gen.Elements(true, false) from mishap in AnyMishap select (StoryStep)new StoryStep.Publish(build, fresh, mishap)),
        (4, from fresh in Gen.Elements(true, false) select (StoryStep)new StoryStep.Publish(null, fresh, null)),
        (1, from fresh in Gen.Elements(true, false) from mishap in AnyMishap select (StoryStep)new StoryStep.Publish(null, fresh, mishap)),
        (1, from build in Gen.OneOf(AnyBuild.Select(b => (Build?)b), Gen.Constant((Build?)null)) from mishap in Gen.OneOf(AnyMishap.Select(m => (Mishap?)m), Gen.Constant((Mishap?)null)) select (StoryStep)new StoryStep.Publish(build, true, mishap, Overwrites: true)),
        (1, from one in AnyBuild from other in AnyBuild where one != other select (StoryStep)new StoryStep.Race(one, other, null, 0)),
        (4, from one in AnyBuild from other in AnyBuild where one != other from server in Gen.Choose(0, 1) from write in Gen.Choose(0, 5) select (StoryStep)new StoryStep.Race(one, other, server, write)),
        (3, from place in Gen.Choose(0, 2) from tag in Gen.Choose(0, 9) from to in Gen.Choose(0, 9) select (StoryStep)new StoryStep.Move(place, tag, to)),
        (2, from place in Gen.Choose(0, 2) from tag in Gen.Choose(0, 9) select (StoryStep)new StoryStep.Delete(place, tag)),
        (3, from number in Gen.Choose(1, ModelScene.Bases) select (StoryStep)new StoryStep.Rebase(number)));

    /// <inheritdoc/>
    public override string ToString() => string.Concat(Steps.Select((s, i) => $"\n  {i + 1}. {s}"));

    // Halves, then quarters, down to single steps left out; then each step simpler.
    private static IEnumerable<Story> Simpler(Story story)
    {
        for (var length = story.Steps.Count / 2; length > 0; length /= 2)
        {
            for (var at = 0; at < story.Steps.Count; at += length)
            {
                yield return new([.. story.Steps.Take(at), .. story.Steps.Skip(at + length)]);
            }
        }

        for (var i = 0; i < story.Steps.Count; i++)
        {
            foreach (var simpler in Simpler(story.Steps[i]))
            {
                yield return new([.. story.Steps.Take(i), simpler, .. story.Steps.Skip(i + 1)]);
            }
        }
    }

    private static IEnumerable<StoryStep> Simpler(StoryStep step) => step switch
    {
        StoryStep.Publish { Mishap: not null } publish =>
        [
            publish with { Mishap = null },
            .. publish.Mishap is { ForGood: true } ? [publish with { Mishap = publish.Mishap with { ForGood = false } }] : Array.Empty<StoryStep>(),
        ],
        StoryStep.Publish { Overwrites: true } publish => [publish with { Overwrites = false }],
        StoryStep.Publish { IsFreshClone: true } publish => [publish with { IsFreshClone = false }],
        StoryStep.Race race => [new StoryStep.Publish(race.One, false, null), new StoryStep.Publish(race.Other, false, null)],
        _ => [],
    };
}
