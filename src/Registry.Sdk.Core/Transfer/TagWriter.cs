using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;

namespace Registry.Sdk.Core.Transfer;

/// <summary>Writes tags at destinations that hold everything: looks before and after each, and repairs what another publish wrote at the same moment.</summary>
/// <param name="input">What is transferred.</param>
/// <param name="history">The commit history.</param>
/// <param name="journal">Is told of each tag that ended.</param>
/// <param name="progress">Hears how it goes on.</param>
/// <param name="report">Takes errors.</param>
internal sealed class TagWriter(TransferInput input, ICommitHistory history, JournalWriter journal, ITransferProgress progress, Action<Diagnostic> report)
{
    // Publishes that write one tag in turns: each looks again, and the newest stays. More turns than publishes can take are somebody's quarrel.
    private const int MostTurns = 5;

    // What other publishes bring while one floating tag is written. Who lists more wants to be asked for ever.
    private const int MostNewer = 32;

    /// <summary>The tags of one round at one destination, one after the other: GHCR refuses the second of two at once now and then.</summary>
    public Task WriteAsync(DestinationWork work, Func<ImageTag, bool> round, CancellationToken cancellationToken) => ThenRepairAsync(work, async written =>
    {
        foreach (var planned in work.Plan.Tags.Where(t => t.Action != TagAction.Keep && round(t.Tag)))
        {
            var theirs = await ImageReader.ReadAsync(work.Client, planned.Tag.Name, work.Plan.Ours, cancellationToken).ConfigureAwait(false);
            written.Add(planned.Tag);
            if (!await WriteTagAsync(work, planned.Tag, theirs, planned, cancellationToken).ConfigureAwait(false))
            {
                return;
            }
        }
    }, cancellationToken);

    /// <summary>
    /// Writes tags, and repairs them whatever ended it: the next publish of the same commit finds its own image under a tag that was written, and keeps it.
    /// Also one that was sent and not seen there, which may have arrived.
    /// </summary>
    private async Task ThenRepairAsync(DestinationWork work, Func<List<ImageTag>, Task> write, CancellationToken cancellationToken)
    {
        var written = new List<ImageTag>();
        try
        {
            await write(written).ConfigureAwait(false);
        }
        catch (Exception e) when (RegistryErrors.Know(e))
        {
            if (e is RegistryException { Failure: RegistryFailure.Unreachable })
            {
                // Whether the last one arrived nobody says.
                written.RemoveAll(t => work.Tags.GetValueOrDefault(t.Name) is not { State: TagState.Created or TagState.Moved });
            }

            try
            {
                await RepairAsync(work, written, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception again) when (RegistryErrors.Know(again))
            {
                // The first failure is told.
                progress.Note($"{work.Plan.Destination}: whether another publish brought something newer was not found out: {again.Message}");
            }

            throw;
        }

        await RepairAsync(work, written, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Writes a tag, looking before and after; false if it is to name something else, which an error has said.</summary>
    /// <param name="work">The destination.</param>
    /// <param name="tag">The tag.</param>
    /// <param name="theirs">What it names right before.</param>
    /// <param name="planned">What was planned for it, which holds as long as it names what it named then; null: it is decided anew.</param>
    /// <param name="cancellationToken">Stops it.</param>
    private async Task<bool> WriteTagAsync(DestinationWork work, ImageTag tag, ImageIdentity? theirs, TagPlan? planned, CancellationToken cancellationToken)
    {
        var ours = work.Plan.Ours;
        TagPlan? sent = null;
        string? taken = null;
        var wasBack = false;
        for (var turn = 0; turn < MostTurns; turn++)
        {
            // Someone may have been faster. An immutable tag that appeared meanwhile stops here.
            var decision = planned;
            if (decision is null || theirs?.Digest != decision.Current)
            {
                var (now, diagnostic) = await TagPolicy.DecideAsync(
                    tag, input.Version.Kind, ours, theirs, input.OverwriteTags.Contains(tag.Name), history, work.Plan.Destination.ToString(), cancellationToken).ConfigureAwait(false);
                if (now is null)
                {
                    if (taken is not null)
                    {
                        work.Tags[tag.Name] = new(tag, TagState.Pending, theirs?.Digest, $"another publish wrote {theirs?.Digest}") { Now = theirs?.Digest };
                    }

                    report(taken is null ? diagnostic! : DiagnosticCodes.TagTakenMeanwhile.Report(
                        $"{work.Plan.Destination}: {taken} See which image is right; release a new version, or name the tag in RegistrySdkOverwriteTag."));
                    return false;
                }

                // Written after ours, and nothing ranks the two (one second, no history; one commit twice): who came later stays, or both would fight over it.
                // What it named before nobody wrote after ours.
                if (sent is not null && theirs is not null && theirs.Digest != sent.Current && now.Action == TagAction.Move && !input.OverwriteTags.Contains(tag.Name)
                    && await NothingRanksAsync(work, tag, ours, theirs, cancellationToken).ConfigureAwait(false))
                {
                    now = new(tag, TagAction.Keep, theirs.Digest, "another publish wrote it at the same time, and nothing tells which of the two is newer");
                }

                decision = now;
            }

            if (decision.Action == TagAction.Keep)
            {
                // What was sent in an earlier turn, and is seen now, was written: it is looked back at, and moved on, like any other.
                await EndAsync(work, decision.Current == ours.Digest && sent is not null ? Written(tag, sent, ours) : new(tag, TagState.Kept, decision.Current, decision.Why) { Now = decision.Current }).ConfigureAwait(false);
                return true;
            }

            // Until it is seen there: a cancellation or a cut leaves it open whether it arrived.
            sent = decision;
            work.Tags[tag.Name] = new(tag, TagState.Pending, decision.Current, "sent, and not seen there yet");
            try
            {
                await work.Client.PutManifestAsync(tag.Name, work.Image.Manifest, cancellationToken).ConfigureAwait(false);
            }
            catch (RegistryException e) when (e.Failure == RegistryFailure.TakenMeanwhile)
            {
                // It is decided as ever: a floating tag by which is newer, an immutable one mostly in an error.
                taken = e.Message;
                progress.Note($"{work.Plan.Destination}: {e.Message}");
                theirs = await ImageReader.ReadAsync(work.Client, tag.Name, ours, cancellationToken).ConfigureAwait(false);
                planned = null;
                continue;
            }

            var found = await work.ReadBackAsync(tag.Name, ours.Digest, decision.Current, null, cancellationToken).ConfigureAwait(false);
            if (found == ours.Digest)
            {
                await EndAsync(work, Written(tag, decision, ours)).ConfigureAwait(false);
                return true;
            }

            if (found is null || found == decision.Current)
            {
                // A registry that never shows it; or somebody who wrote what was there before once more, which a second look decides.
                if (!tag.Floating || wasBack)
                {
                    throw work.NotThere(tag.Name, ours.Digest, found);
                }

                wasBack = true;
            }
            else if (!tag.Floating)
            {
                // Neither what it named before nor ours: another publish wrote it in the same moment.
                work.Tags[tag.Name] = new(tag, TagState.Pending, decision.Current, $"another publish wrote {found}") { Now = found };
                report(DiagnosticCodes.TagTakenMeanwhile.Report(
                    $"{work.Plan.Destination}: the immutable tag {tag.Name} was written as {ours.Digest}, and another publish wrote {found} in the same moment. See which image is right; release a new version, or name the tag in RegistrySdkOverwriteTag."));
                return false;
            }

            progress.Note($"{work.Plan.Destination}: {tag.Name} was written, and names {found?.ToString() ?? "nothing"}, which another publish may have written in the same moment");
            theirs = await ImageReader.ReadAsync(work.Client, tag.Name, ours, cancellationToken).ConfigureAwait(false);
            planned = null;
        }

        report(DiagnosticCodes.TagUnsettled.Report(
            $"{work.Plan.Destination}: the floating tag {tag.Name} was written {MostTurns} times as {ours.Digest}, and each time named something else right after. See who else writes it, then publish the same commit again."));
        return false;
    }

    private static TagResult Written(ImageTag tag, TagPlan decision, ImageIdentity ours)
        => new(tag, decision.Action == TagAction.Create ? TagState.Created : TagState.Moved, decision.Current, decision.Why) { Now = ours.Digest };

    /// <summary>Whether of two images that may have a floating tag each would take it from the other.</summary>
    private async Task<bool> NothingRanksAsync(DestinationWork work, ImageTag tag, ImageIdentity one, ImageIdentity other, CancellationToken cancellationToken)
        => other.Revision is not null
            && await TagPolicy.DecideAsync(tag, input.Version.Kind, other, one, overwrite: false, history, work.Plan.Destination.ToString(), cancellationToken).ConfigureAwait(false) is ({ Action: TagAction.Move }, null);

    /// <summary>
    /// There is no compare-and-swap: between the look and the write of a floating tag another publish may have brought something newer, and moved the tag
    /// onto it. Its immutable tag is there by then, so the list of tags shows it, and the tag is moved on to that image. So the last writer repairs.
    /// </summary>
    private async Task RepairAsync(DestinationWork work, IReadOnlyList<ImageTag> written, CancellationToken cancellationToken)
    {
        var (ours, listed) = (work.Plan.Ours, work.Plan.Listed);
        if (listed is null)
        {
            return;
        }

        var ranked = new List<ImageTag>();
        foreach (var tag in written.Where(t => TagRanking.IsRanked(t, input.Version, ours.Revision) && !input.OverwriteTags.Contains(t.Name)))
        {
            var end = work.Tags.GetValueOrDefault(tag.Name)?.State;
            if (end is TagState.Created or TagState.Moved
                || (end == TagState.Pending && await work.Client.FindManifestAsync(tag.Name, cancellationToken).ConfigureAwait(false) == ours.Digest))
            {
                ranked.Add(tag);
            }
        }

        if (ranked.Count == 0)
        {
            return;
        }

        var named = ranked.ToDictionary(t => t, _ => ours);
        for (var turn = 0; turn < MostTurns; turn++)
        {
            var now = await work.Client.ListTagsAsync(cancellationToken).ConfigureAwait(false);
            var isDone = true;
            foreach (var tag in ranked)
            {
                var newer = await NewestAsync(work, tag, named[tag], TagRanking.Candidates(tag, input.Version, ours.Revision, now).Where(c => !listed.Contains(c.Tag)), cancellationToken).ConfigureAwait(false);
                if (newer is not var (name, image))
                {
                    continue;
                }

                isDone = false;
                named[tag] = image;
                var before = work.Tags[tag.Name].Before;
                Digest? names;
                try
                {
                    names = await MoveOnAsync(work, tag, name, image, before, cancellationToken).ConfigureAwait(false);
                }
                catch (Exception e) when (RegistryErrors.Know(e))
                {
                    // Why not is told too. The next publish of this commit finds its own image, and keeps it.
                    report(DiagnosticCodes.TagUnsettled.Report(
                        $"{work.Plan.Destination}: the floating tag {tag.Name} was written as {ours.Digest}, while another publish brought {name} ({image.Digest}), which is newer; it could not be moved on to that. Publish {name} again: it moves the tag."));
                    throw;
                }

                await EndAsync(work, new(tag, TagState.Repaired, before, $"another publish brought {name} ({image.Digest}) at the same time, which is newer than {ours.Digest}") { Now = names }).ConfigureAwait(false);
            }

            if (isDone)
            {
                return;
            }
        }

        report(DiagnosticCodes.TagUnsettled.Report(
            $"{work.Plan.Destination}: {string.Join(", ", ranked.Select(t => t.Name))}: written as {ours.Digest} and moved on {MostTurns} times, and each time another publish had brought something newer. See who else publishes there; then publish the newest again."));
    }

    /// <summary>Moves a floating tag that we wrote on to a newer image, and says what it names then: that, or what is newer still.</summary>
    private async Task<Digest?> MoveOnAsync(DestinationWork work, ImageTag tag, string name, ImageIdentity image, Digest? before, CancellationToken cancellationToken)
    {
        if (await work.Client.GetManifestAsync(image.Digest.ToString(), cancellationToken).ConfigureAwait(false) is not { } manifest)
        {
            throw RegistryErrors.WrongContent(work.Plan.Destination.Place, $"{name} names {image.Digest}, which is not there.");
        }

        Digest? found = null;
        for (var turn = 0; turn < MostTurns; turn++)
        {
            // Its publish may have moved the tag already, or may have been moved on itself. What it named before us is a registry's lag, or an older
            // publish's, and no third one's is better than it is newer: either way it is not where it belongs.
            var theirs = await ImageReader.ReadAsync(work.Client, tag.Name, image, cancellationToken).ConfigureAwait(false);
            if (theirs is not null && theirs.Digest != work.Plan.Ours.Digest && theirs.Digest != before)
            {
                var (decision, _) = await TagPolicy.DecideAsync(tag, input.Version.Kind, image, theirs, overwrite: false, history, work.Plan.Destination.ToString(), cancellationToken).ConfigureAwait(false);
                if (decision?.Action == TagAction.Keep || await NothingRanksAsync(work, tag, image, theirs, cancellationToken).ConfigureAwait(false))
                {
                    return theirs.Digest;
                }
            }

            try
            {
                await work.Client.PutManifestAsync(tag.Name, manifest, cancellationToken).ConfigureAwait(false);
            }
            catch (RegistryException e) when (e.Failure == RegistryFailure.TakenMeanwhile)
            {
                progress.Note($"{work.Plan.Destination}: {e.Message}");
                continue;
            }

            found = await work.ReadBackAsync(tag.Name, image.Digest, theirs?.Digest, before, cancellationToken).ConfigureAwait(false);
            if (found == image.Digest)
            {
                return found;
            }

            if (found is null || found == theirs?.Digest || found == before)
            {
                break;
            }
        }

        throw work.NotThere(tag.Name, image.Digest, found);
    }

    /// <summary>The newest of those images that are newer than what a floating tag names; null if none is.</summary>
    private async Task<(string Tag, ImageIdentity Image)?> NewestAsync(
        DestinationWork work, ImageTag floating, ImageIdentity named, IEnumerable<(string Tag, string? Version, string? Commit)> candidates, CancellationToken cancellationToken)
    {
        (string Tag, ImageIdentity Image)? newest = null;
        foreach (var (name, version, commit) in candidates.Take(MostNewer))
        {
            if (await ImageReader.ReadAsync(work.Client, name, work.Plan.Ours, cancellationToken).ConfigureAwait(false) is not { } image)
            {
                continue;
            }

            // What a release's tag says of its version holds, whatever its labels say; a branch's image has to say of which commit it is.
            image = version is null ? image : image with { Version = version };
            if (commit is not null && image.Revision?.StartsWith(commit, StringComparison.Ordinal) != true)
            {
                continue;
            }

            var (decision, _) = await TagPolicy.DecideAsync(
                floating, input.Version.Kind, newest?.Image ?? named, image, overwrite: false, history, work.Plan.Destination.ToString(), cancellationToken).ConfigureAwait(false);
            if (decision?.Action == TagAction.Keep && image.Digest != (newest?.Image ?? named).Digest)
            {
                newest = (name, image);
            }

            if (version is not null)
            {
                // The newest version comes first.
                break;
            }
        }

        return newest;
    }

    /// <summary>
    /// Once more at every floating tag that was written, when all are: a publish of something older may have looked before we wrote and written after it.
    /// Where its list of tags already had ours it does not repair, and we do.
    /// </summary>
    public Task LookBackAsync(DestinationWork work, CancellationToken cancellationToken) => ThenRepairAsync(work, async written =>
    {
        foreach (var result in work.Plan.Tags.Select(t => work.Tags.GetValueOrDefault(t.Tag.Name)).OfType<TagResult>().Where(t => t.Tag.Floating && t.State is TagState.Created or TagState.Moved))
        {
            var theirs = await ImageReader.ReadAsync(work.Client, result.Tag.Name, work.Plan.Ours, cancellationToken).ConfigureAwait(false);
            // Back at what it named before is a registry's lag, for it has been read back as ours; unless it stays so.
            foreach (var delay in DestinationWork.ReadBackDelays.Where(_ => theirs?.Digest == result.Before))
            {
                await Task.Delay(delay, work.Time, cancellationToken).ConfigureAwait(false);
                theirs = await ImageReader.ReadAsync(work.Client, result.Tag.Name, work.Plan.Ours, cancellationToken).ConfigureAwait(false);
            }

            if (theirs?.Digest == work.Plan.Ours.Digest)
            {
                continue;
            }

            progress.Note($"{work.Plan.Destination}: {result.Tag.Name} names {theirs?.Digest.ToString() ?? "nothing"} by now");
            written.Add(result.Tag);
            // One that does not settle, which an error has said, keeps no other from being looked at.
            _ = await WriteTagAsync(work, result.Tag, theirs, null, cancellationToken).ConfigureAwait(false);
        }
    }, cancellationToken);

    private async Task EndAsync(DestinationWork work, TagResult result)
    {
        work.Tags[result.Tag.Name] = result;
        await journal.UpdateAsync().ConfigureAwait(false);
        progress.Note($"{work.Plan.Destination}: {result.Tag.Name} {TagStateNames.ToWord(result.State)} ({result.Why})");
    }
}
