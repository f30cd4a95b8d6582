using System.Collections.Concurrent;
using FsCheck;
using FsCheck.Fluent;

namespace Registry.Sdk.Cuts;

/// <summary>A story in which something is not as the model says.</summary>
public sealed class WrongStoryException(string message) : Exception(message);

/// <summary>
/// Tells stories: does what each step says, reads the registries after every one, and compares them with the model. What the next step is judged by is
/// what the registries hold, not what the model said before; so the model need not know what a fault leaves.
/// </summary>
public sealed class Teller(ModelScene scene, ConcurrentQueue<CutResult> results)
{
    private readonly List<string> _trace = [];
    private readonly HashSet<Build> _published = [];
    private readonly List<(Build Build, bool Overwrites)> _unfinished = [];
    private Build? _last;

    /// <summary>Tells so many stories by a seed, some at a time; throws with the shortest that fails.</summary>
    /// <returns>What came of each step.</returns>
    public static async Task<IReadOnlyCollection<CutResult>> TellAsync(int count, int seed, int workers, Action<int> told)
    {
        var (results, done) = (new ConcurrentQueue<CutResult>(), 0);
        await Task.WhenAll(Enumerable.Range(0, workers).Select(worker => Task.Run(async () =>
        {
            var share = (count / workers) + (worker < count % workers ? 1 : 0);
            await using var scene = await ModelScene.StartAsync();
            var property = Prop.ForAll(Story.Any, story =>
            {
                // FsCheck's own way with tasks blocks too.
                new Teller(scene, results).TellAsync(story).GetAwaiter().GetResult();
                told(Interlocked.Increment(ref done));
            });
            property.Check(Config.QuickThrowOnFailure.WithMaxTest(share).WithQuietOnSuccess(true).WithReplay((ulong)(seed + worker), 1));
        })));
        return results;
    }

    /// <summary>Tells one story.</summary>
    /// <exception cref="WrongStoryException">Something is not as it should be; with all that happened until then.</exception>
    public async Task TellAsync(Story story)
    {
        await scene.BeginAsync();
        foreach (var step in story.Steps)
        {
            await (step switch
            {
                StoryStep.Publish publish => PublishAsync(publish.Build ?? _last, publish.IsFreshClone, publish.Mishap, publish.Overwrites),
                StoryStep.Race race => RaceAsync(race),
                StoryStep.Move move => ByHandAsync("tag moved by hand", move.Place, move.Tag, move.To),
                StoryStep.Delete delete => ByHandAsync("tag deleted by hand", delete.Place, delete.Tag, null),
                StoryStep.Rebase rebase => RebaseAsync(rebase.Base),
                _ => throw new InvalidOperationException($"{step} is not known"),
            });
        }

        // What broke off is finished in the end, from another machine.
        while (_unfinished.Count > 0)
        {
            await PublishAsync(_unfinished[0].Build, isFreshClone: true, null, _unfinished[0].Overwrites);
        }
    }

    private async Task PublishAsync(Build? build, bool isFreshClone, Mishap? mishap, bool overwrites)
    {
        if (build is null)
        {
            return;
        }

        var wrong = new List<string>();
        var before = await scene.ReadAsync(wrong);
        var taking = ModelScene.Taking(build);
        var expected = TagModel.After(before, build, taking, scene.CurrentBase, overwrites);
        var clone = scene.Clone(isFreshClone);
        if (mishap is not null)
        {
            scene.Scripts[mishap.Server].Add(mishap.Rule);
        }

        var fired = scene.Scripts.Sum(s => s.Fired.Count);
        var told = await scene.PublishAsync(build, clone, overwrites);
        // One that no request met is none: all has to be well then.
        mishap = scene.Scripts.Sum(s => s.Fired.Count) > fired ? mishap : null;
        scene.Heal();
        var now = await scene.ReadAsync(wrong);
        _trace.Add($"publish {build}{(isFreshClone ? " from a fresh clone" : "")}{(overwrites ? ", tags overwritten" : "")}{(mishap is null ? "" : $", {mishap}")}: {(told.Succeeded ? "done" : $"fails [{string.Join(" | ", told.Errors)}]")}");

        var verdicts = new List<Verdict>();
        if (expected is null)
        {
            wrong.AddRange(now.Differences(before).Select(d => $"it has to be refused, and {d}"));
            if (told.Succeeded || (mishap is null && !told.Errors.Any(e => e.Contains("RSDK5005", StringComparison.Ordinal))))
            {
                wrong.Add("it has to be refused with RSDK5005");
            }

            verdicts.AddRange(taking.Select(p => new Verdict(p, Found.Old, "")));
        }
        else
        {
            if (mishap is null && !told.Succeeded)
            {
                wrong.Add($"{(_unfinished.Exists(u => u.Build == build) ? "the next run" : "it")} fails without a fault");
            }

            JudgeImmutable(before, now, overwrites ? build : null, wrong);
            if (told.Succeeded)
            {
                wrong.AddRange(now.Differences(expected).Select(d => $"it is said to be complete, and {d}"));
                verdicts.AddRange(taking.Select(p => new Verdict(p, Found.New, "")));
            }
            else
            {
                JudgeOrder(build, taking, before, now, expected, wrong);
                if (now.Changes(before).FirstOrDefault() is { } begun)
                {
                    // All registries or none: no tag anywhere before every destination holds everything.
                    foreach (var place in taking)
                    {
                        if (await scene.MissingAsync(place, begun) is { } missing)
                        {
                            wrong.Add($"{begun} is tagged, and {missing} of it is not at {place}");
                        }
                    }
                }

                verdicts.AddRange(JudgeBroken(build, before, now, expected, clone, wrong));
            }
        }

        if (told.Bug is { } bug)
        {
            wrong.Add($"a bug: {bug}");
        }

        Finish((overwrites ? "tags overwritten" : Kind(build, before)) + (mishap is null ? "" : mishap.ForGood ? ", fault for good" : ", fault once"), verdicts, wrong);
        _unfinished.RemoveAll(u => u.Build == build);
        if (!told.Succeeded && expected is not null)
        {
            _unfinished.Add((build, overwrites));
        }

        _published.Add(build);
        _last = build;
    }

    /// <summary>Two publishes at once end as one after the other would, in one order or the other.</summary>
    private async Task RaceAsync(StoryStep.Race race)
    {
        var (one, other) = (race.One, race.Other);
        var wrong = new List<string>();
        var before = await scene.ReadAsync(wrong);
        var (first, second) = (After(before, one), After(before, other));
        Tags[] orders = [After(first, other), After(second, one)];
        var told = race.At is { } server
            ? await scene.PublishBetweenAsync(one, other, server, race.Write)
            : await Task.WhenAll(Task.Run(() => scene.PublishAsync(one, scene.Clone(isFresh: true))), Task.Run(() => scene.PublishAsync(other, scene.Clone(isFresh: true))));
        var now = await scene.ReadAsync(wrong);
        _trace.Add($"{race}: {string.Join(" and ", told.Select(t => t.Succeeded ? "done" : $"fails [{string.Join(" | ", t.Errors)}]"))}");
        foreach (var (build, said) in new[] { (one, told[0]), (other, told[1]) })
        {
            if (said.Succeeded != (TagModel.After(before, build, ModelScene.Taking(build), scene.CurrentBase) is not null))
            {
                wrong.Add(said.Succeeded ? $"{build} has to be refused" : $"{build} fails without a fault");
            }

            if (said.Bug is { } bug)
            {
                wrong.Add($"a bug: {bug}");
            }

            _published.Add(build);
            _unfinished.RemoveAll(u => u.Build == build);
        }

        JudgeImmutable(before, now, null, wrong);
        foreach (var place in ModelScene.Names)
        {
            // What was there already when the other publish was planned says nothing to it: whoever moved a tag back by hand meant it. So where a publish is
            // repeated, and in the middle of another, the last writer may win.
            var isOpen = new[] { one, other }.Any(b => before.At(place, TagModel.TagsOf(b)[0].Tag) is not null);
            IReadOnlyList<Tags> right = isOpen ? [.. orders, first, second] : orders;
            wrong.AddRange(
                from tag in now[place].Keys.Union(orders[0][place].Keys, StringComparer.Ordinal)
                where !right.Any(r => r.At(place, tag) == now.At(place, tag))
                select $"{place}:{tag} names {now.At(place, tag)?.ToString() ?? "nothing"}, and should name {string.Join(" or ", right.Select(r => r.At(place, tag)?.ToString() ?? "nothing").Distinct(StringComparer.Ordinal))}");
        }

        _last = other;
        Finish(race.At is null ? "two at the same time" : "one in the middle of another", [.. ModelScene.Names.Select(n => new Verdict(n, Found.New, ""))], wrong);

        Tags After(Tags tags, Build build) => TagModel.After(tags, build, ModelScene.Taking(build), scene.CurrentBase) ?? tags;
    }

    private async Task ByHandAsync(string kind, int place, int tagNumber, int? to)
    {
        var wrong = new List<string>();
        var tags = (await scene.ReadAsync(wrong))[ModelScene.Names[place]];
        if (tags.Count == 0)
        {
            return;
        }

        var tag = tags.Keys.ElementAt(tagNumber % tags.Count);
        if (to is { } number)
        {
            var images = tags.Values.Distinct().Append(Image.Foreign).Distinct().ToList();
            var image = images[number % images.Count];
            await scene.MoveAsync(place, tag, image);
            _trace.Add($"by hand: {ModelScene.Names[place]}:{tag} named {tags[tag]} and is moved to {image}");
        }
        else
        {
            await scene.DeleteAsync(place, tag);
            _trace.Add($"by hand: {ModelScene.Names[place]}:{tag} is deleted");
        }

        Finish(kind, [], wrong);
    }

    private async Task RebaseAsync(int number)
    {
        await scene.MoveBaseAsync(number);
        _trace.Add($"the base image's tag names base {number}");
        Finish("base image's tag moved", [], []);
    }

    /// <summary>An immutable tag that is there names what it named, but where it was to be overwritten.</summary>
    private static void JudgeImmutable(Tags before, Tags now, Build? overwritten, List<string> wrong)
        => wrong.AddRange(
            from build in History.Builds
            where build != overwritten
            let tag = TagModel.TagsOf(build)[0].Tag
            from place in ModelScene.Names
            where before.At(place, tag) is { } named && now.At(place, tag) != named
            select $"the immutable tag {place}:{tag} named {before.At(place, tag)}, and names {now.At(place, tag)?.ToString() ?? "nothing"}");

    /// <summary>No floating tag is written before every destination has its immutable ones, and <c>latest</c> after all others.</summary>
    private static void JudgeOrder(Build build, IReadOnlyList<string> taking, Tags before, Tags now, Tags expected, List<string> wrong)
    {
        var tags = (from place in taking from tag in TagModel.TagsOf(build) select (Place: place, tag.Tag, tag.Round)).ToList();
        wrong.AddRange(
            from late in tags
            where now.At(late.Place, late.Tag) != before.At(late.Place, late.Tag)
            from early in tags
            where early.Round < late.Round && now.At(early.Place, early.Tag) != expected.At(early.Place, early.Tag)
            select $"{late.Place}:{late.Tag} was written before {early.Place}:{early.Tag}");
    }

    /// <summary>What broke off is old, or told as pending.</summary>
    private List<Verdict> JudgeBroken(Build build, Tags before, Tags now, Tags expected, string clone, List<string> wrong)
    {
        var pending = Judge.Pending(clone);
        var hasBegun = now.Changes(before).Any();
        var verdicts = new List<Verdict>();
        foreach (var (place, name) in ModelScene.Names.Select((n, i) => (scene.Places[i], n)))
        {
            var tags = now[name].Keys.Union(expected[name].Keys, StringComparer.Ordinal).ToList();
            wrong.AddRange(tags.Where(t => now.At(name, t) != before.At(name, t) && now.At(name, t) != expected.At(name, t))
                .Select(t => $"{name}:{t} named {before.At(name, t)?.ToString() ?? "nothing"}, should name {expected.At(name, t)?.ToString() ?? "nothing"}, and names {now.At(name, t)?.ToString() ?? "nothing"}"));
            if (!ModelScene.Taking(build).Contains(name))
            {
                continue;
            }

            var open = tags.Where(t => now.At(name, t) != expected.At(name, t)).ToList();
            if (hasBegun)
            {
                wrong.AddRange(open.Where(t => !pending.GetValueOrDefault(place.Name, []).Contains(t)).Select(t => $"neither receipt nor journal says that {name}:{t} is pending"));
            }

            verdicts.Add(new(name, open.Count == 0 ? Found.New : hasBegun ? Found.Pending : Found.Old, ""));
        }

        return verdicts;
    }

    private void Finish(string kind, IReadOnlyList<Verdict> verdicts, List<string> wrong)
    {
        results.Enqueue(new(_trace.LastOrDefault() ?? "", kind, verdicts, wrong));
        if (wrong.Count > 0)
        {
            throw new WrongStoryException($"{string.Concat(_trace.Select((t, i) => $"\n  {i + 1}. {t}"))}\nwhere it should not be so:{string.Concat(wrong.Select(w => $"\n  - {w}"))}\n");
        }
    }

    private string Kind(Build build, Tags before)
        => _published.Contains(build) ? $"{Word(build)}, again"
            : build.Kind == BuildOf.Release && History.Builds.Any(b => b.Kind == BuildOf.Release && TagModel.Compare(b.Version, build.Version) > 0 && ModelScene.Names.Any(n => before.At(n, $"v{b.Version}") is not null)) ? "backport"
            : Word(build);

    private static string Word(Build build) => build.Kind switch { BuildOf.Release => "release", BuildOf.Prerelease => "prerelease", _ => "branch build" };
}
