using System.Collections.Concurrent;
using System.Diagnostics;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;

namespace Registry.Sdk.Core.Transfer;

/// <summary>
/// Sends each destination its edition's image, then the tags: no tag is written anywhere before every destination holds everything.
/// </summary>
/// <remarks>
/// Two phases, forwards only. Until every destination holds everything, nothing that has a name has changed anywhere. Then tags are written; what fails
/// there is not moved back, for somebody may have pulled it, but told as pending, and the next publish of the same commit goes on. Nothing is
/// repeated here: that is the connections' business (<see cref="RegistryResilience"/>).
/// </remarks>
public static class TransferStage
{
    private const int UploadsPerDestination = 4;

    // Publishes that write one tag in turns: each looks again, and the newest stays. More turns than publishes can take are somebody's quarrel.
    private const int MostTurns = 5;

    // Between a cancellation and the moment when tags are left as they are: who cancels gets an answer within two seconds, report included.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1.5);

    // A registry may take a moment until it shows what it accepted.
    private static readonly TimeSpan[] ReadBackDelays = [TimeSpan.Zero, TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(3)];

    /// <summary>Runs the stage.</summary>
    /// <param name="input">See <see cref="TransferInput"/>.</param>
    /// <param name="connections">Connections with the user's credentials.</param>
    /// <param name="anonymous">Connections without any, for what an outsider sees right before the first tag.</param>
    /// <param name="history">The commit history.</param>
    /// <param name="progress">Hears how it goes on.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public static async Task<TransferResult> RunAsync(
        TransferInput input, RegistryConnections connections, RegistryConnections anonymous, ICommitHistory history, ITransferProgress progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(connections);
        ArgumentNullException.ThrowIfNull(anonymous);

        // A base layer is fetched once for all destinations, so its fetch must not end because one of them failed: it has a token of its own.
        using var fetching = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var run = new Run(input, connections, anonymous, history, progress, fetching.Token);
        try
        {
            return await run.GoAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            // Cancelled, or a bug of ours: either way what was done so far is known and must be told.
            throw new TransferInterruptedException(run.Result(), e);
        }
        finally
        {
            // What nobody waits for any more must not outlive the connections.
            await fetching.CancelAsync().ConfigureAwait(false);
            await run.SettleAsync().ConfigureAwait(false);
        }
    }

    private sealed class Run(TransferInput input, RegistryConnections connections, RegistryConnections anonymous, ICommitHistory history, ITransferProgress progress, CancellationToken fetching) : IDisposable
    {
        private readonly BlobNotes _notes = new(input.Cache, input.NotesScope);
        private readonly ConcurrentBag<Diagnostic> _errors = [];
        private readonly ConcurrentDictionary<Digest, Lazy<Task<string>>> _fetches = new();
        private readonly List<Work> _work = [.. input.Plan.Destinations.Select(p => new Work(p, connections.Open(p.Destination.Place)))];

        public async Task<TransferResult> GoAsync(CancellationToken cancellationToken)
        {
            // What must be born private is made so first: a push would make it as the account's default says. Nothing is made public for a release that
            // stops there.
            foreach (var isPrivate in new[] { true, false })
            {
                await ForAllAsync(CreateAsync, _work.Where(w => w.Plan.CreatePrivate == isPrivate), cancellationToken).ConfigureAwait(false);
                if (!_errors.IsEmpty)
                {
                    return Result();
                }
            }

            // First write of content: the push right, on all. It either stands everywhere or nothing further happens.
            await ForAllAsync(ProvePushRightAsync, _work.Where(w => w.Plan.HasWork), cancellationToken).ConfigureAwait(false);
            if (!_errors.IsEmpty)
            {
                await Task.WhenAll(_work.Select(w => CancelSessionAsync(w, cancellationToken))).ConfigureAwait(false);
                return Result();
            }

            // Registries in parallel; repositories of one registry after each other, so that the second mounts what the first got.
            var registries = _work.GroupBy(w => connections.Identity(w.Plan.Destination.Place), StringComparer.Ordinal);
            await Task.WhenAll(registries.Select(async group =>
            {
                foreach (var work in group)
                {
                    await GuardAsync(work, SendImageAsync, cancellationToken).ConfigureAwait(false);
                }
            })).ConfigureAwait(false);

            if (!_errors.IsEmpty)
            {
                return Result();
            }

            // Someone may have made public meanwhile what was declared private; and a registry may have made public what was pushed there first and is not
            // open source. By digest alone nobody finds the image; by a tag everybody does.
            if (_work.Exists(w => w.Plan.Tags.Any(t => t.Action != TagAction.Keep)))
            {
                await ForAllAsync(LookAgainAsync, _work.Where(w => w.Plan.Destination is { Repository: not null, Visibility: Visibility.Private or Visibility.Internal } || VisibilityRules.MayNotBePublic(w.Plan.Destination, w.Plan.Image)), cancellationToken).ConfigureAwait(false);
                if (!_errors.IsEmpty)
                {
                    return Result();
                }
            }

            return await CommitAsync(cancellationToken).ConfigureAwait(false);
        }

        /// <summary>Tags in rounds over all destinations: immutable, floating, and last of all <c>latest</c>, which people pull without thinking.</summary>
        private async Task<TransferResult> CommitAsync(CancellationToken cancellationToken)
        {
            cancellationToken.ThrowIfCancellationRequested();
            using var journal = new JournalWriter(input.Journal, Result, progress);
            if ((_work.Exists(w => w.Plan.Tags.Any(t => t.Action != TagAction.Keep)) || File.Exists(input.Journal?.Path))
                && await journal.BeginAsync(cancellationToken).ConfigureAwait(false) is { } problem)
            {
                _errors.Add(problem);
                return Result();
            }

            // From the first tag on a cancellation has a moment, in which what is begun is mostly finished; the rest stays pending.
            using var stop = new CancellationTokenSource();
            var graceful = cancellationToken.Register(() => stop.CancelAfter(Grace));
            await using (graceful.ConfigureAwait(false))
            {
                foreach (var round in new Func<ImageTag, bool>[] { t => !t.Floating, t => t.Floating && t.Name != "latest", t => t.Floating && t.Name == "latest" })
                {
                    await ForAllAsync((w, c) => WriteTagsAsync(w, round, journal, c), _work, stop.Token).ConfigureAwait(false);
                    if (!_errors.IsEmpty)
                    {
                        // `latest` must not move to a release whose own tag could not be written. The next publish goes on from here.
                        break;
                    }
                }

                if (_errors.IsEmpty)
                {
                    await ForAllAsync((w, c) => LookBackAsync(w, journal, c), _work, stop.Token).ConfigureAwait(false);
                }
            }

            // Whatever the moment was enough for: who cancelled is told that.
            cancellationToken.ThrowIfCancellationRequested();
            return Result();
        }

        /// <summary>Waits for every fetch of a base layer that was begun, however it ends.</summary>
        public async Task SettleAsync()
        {
            Task all = Task.WhenAll(_fetches.Values.Where(b => b.IsValueCreated).Select(b => b.Value));
            await all.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        private Task ForAllAsync(Func<Work, CancellationToken, Task> step, IEnumerable<Work> work, CancellationToken cancellationToken)
            => Task.WhenAll(work.Select(w => GuardAsync(w, step, cancellationToken)));

        private async Task GuardAsync(Work work, Func<Work, CancellationToken, Task> step, CancellationToken cancellationToken)
        {
            var clock = Stopwatch.StartNew();
            try
            {
                await step(work, cancellationToken).ConfigureAwait(false);
            }
            catch (FetchException e)
            {
                _errors.Add(e.From.IsBase ? RegistryErrors.AtBaseImage(e.InnerException!, e.From.Name) : RegistryErrors.AtDestination(e.InnerException!, e.From.Name));
            }
            catch (Exception e) when (!RegistryErrors.Know(e) && e is IOException or UnauthorizedAccessException)
            {
                _errors.Add(ImagingStage.LayoutProblem(work.Image.LayoutDirectory, e));
                await CancelSessionAsync(work, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (RegistryErrors.Know(e))
            {
                _errors.Add(RegistryErrors.AtDestination(e, work.Plan.Destination.ToString()));
                await CancelSessionAsync(work, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                work.Duration += clock.Elapsed;
            }
        }

        private async Task CreateAsync(Work work, CancellationToken cancellationToken)
        {
            var destination = work.Plan.Destination;
            if (work.Plan.CreatePrivate is not { } isPrivate || destination.Repository is not { } repository || connections.DockerHub(repository) is not { } api)
            {
                return;
            }

            var created = await api.CreateAsync(repository.Name, isPrivate, cancellationToken).ConfigureAwait(false);
            var there = created;
            if (created.Verdict is ApiVerdict.Found or ApiVerdict.NoAnswer)
            {
                // Made by someone else meanwhile, or made and not answered, or answered and not made: what is there counts, and not what a call says of itself.
                foreach (var delay in ReadBackDelays)
                {
                    await Task.Delay(delay, connections.Time, cancellationToken).ConfigureAwait(false);
                    there = await api.FindAsync(repository.Name, cancellationToken).ConfigureAwait(false);
                    if (there.Value is not null || created.Value is null)
                    {
                        break;
                    }
                }
            }

            work.Evidence = [.. new[] { created.Evidence, ReferenceEquals(there, created) ? null : there.Evidence }.OfType<Evidence>()];
            var word = isPrivate ? "private" : "public";
            if (there.Value?.IsPrivate == isPrivate)
            {
                progress.Note($"{destination}: {(created.Value is null ? $"is there meanwhile, and {word}" : $"created {word} at Docker Hub")}");
                return;
            }

            var why = (there.Value, created.Value) switch
            {
                (not null, null) => $"it is there meanwhile, and {(isPrivate ? "public" : "private")}",
                (not null, _) => $"Docker Hub made it {(isPrivate ? "public" : "private")}",
                (null, not null) => $"Docker Hub says that it was created, but it does not read back: {there.Why.TrimEnd('.')}",
                _ => created.Why.TrimEnd('.'),
            };
            if (isPrivate)
            {
                _errors.Add(DiagnosticCodes.NotCreated.Report(
                    $"{destination} is declared private and does not exist, and could not be created private before the first push: {why}. No image was sent. Create it private at https://hub.docker.com/repository/create?namespace={repository.Owner}, or use an access token that may create repositories."));
            }
            else
            {
                // The push makes it, and what it came to is looked at afterwards.
                progress.Note($"{destination}: could not be created public beforehand ({why}); the first push makes it");
            }
        }

        private async Task LookAgainAsync(Work work, CancellationToken cancellationToken)
        {
            var destination = work.Plan.Destination;
            var seen = await new VisibilityObserver(connections, anonymous).LookAsync(destination, work.Image.Manifest.Descriptor.Digest.ToString(), cancellationToken).ConfigureAwait(false);
            work.Evidence = [.. work.Evidence, .. seen.Evidence];
            if (destination.Visibility == Visibility.Undeclared)
            {
                // What is not known of it stops nothing, as before the push.
                if (VisibilityRules.JudgeLicense(destination, seen.Seen, work.Plan.Image, "No tag was written there or anywhere; what was sent can be read there by digest.") is { } forbidden)
                {
                    work.WasFoundPublic = true;
                    _errors.Add(forbidden);
                }

                return;
            }

            var word = VisibilityNames.ToWord(destination.Visibility);
            if (seen.Seen == ObservedVisibility.Public)
            {
                work.WasFoundPublic = true;
                _errors.Add(DiagnosticCodes.PrivateIsPublic.Report(
                    $"{destination} is declared {word}, and was made readable by anyone while the image was sent. No tag was written there or anywhere; what was sent can be read there by digest. Make the repository {word} at once, or delete it; or correct its Visibility."));
            }
            else if (seen.Seen == ObservedVisibility.Unknown)
            {
                _errors.Add(DiagnosticCodes.VisibilityUnknown.Report(
                    $"{destination} is declared {word}, but right before the first tag it could not be found out who can read it: {seen.Why.TrimEnd('.')}. No tag was written there or anywhere. Publish again: what arrived is not sent twice."));
            }
        }

        private async Task ProvePushRightAsync(Work work, CancellationToken cancellationToken)
        {
            work.Session = await work.Client.StartUploadAsync(cancellationToken).ConfigureAwait(false);
            progress.Note($"{work.Plan.Destination}: pushing is allowed");
        }

        private static async Task CancelSessionAsync(Work work, CancellationToken cancellationToken)
        {
            if (Interlocked.Exchange(ref work.Session, null) is { } session)
            {
                await work.Client.CancelUploadAsync(session, cancellationToken).ConfigureAwait(false);
            }
        }

        private async Task SendImageAsync(Work work, CancellationToken cancellationToken)
        {
            foreach (var blob in work.Plan.Blobs.Where(b => b.Action == BlobAction.Skip))
            {
                Interlocked.Add(ref work.Skipped, blob.Blob.Size);
            }

            await Parallel.ForEachAsync(
                work.Plan.Blobs.Where(b => b.Action != BlobAction.Skip),
                new ParallelOptions { MaxDegreeOfParallelism = UploadsPerDestination, CancellationToken = cancellationToken },
                async (blob, token) => await SendBlobAsync(work, blob, token).ConfigureAwait(false)).ConfigureAwait(false);
            await CancelSessionAsync(work, cancellationToken).ConfigureAwait(false);

            // The index last: a registry wants what it names to be there.
            foreach (var manifest in work.Image.Manifests)
            {
                var child = manifest.Descriptor.Digest;
                if (!work.Plan.MissingManifests.Contains(child))
                {
                    Interlocked.Add(ref work.Skipped, manifest.Descriptor.Size);
                    continue;
                }

                await work.Client.PutManifestAsync(child.ToString(), manifest, cancellationToken).ConfigureAwait(false);
                Interlocked.Add(ref work.Sent, manifest.Descriptor.Size);
                await ReadBackAsync(work, child.ToString(), child, cancellationToken).ConfigureAwait(false);
            }

            await NoteLayersAsync(work, cancellationToken).ConfigureAwait(false);
            work.HoldsImage = true;
            progress.Note($"{work.Plan.Destination}: holds {work.Plan.Image.Digest}");
        }

        private async Task SendBlobAsync(Work work, BlobPlan plan, CancellationToken cancellationToken)
        {
            UploadSession? session = null;
            if (plan.MountFrom is not null && (session = await MountAsync(work, plan, plan.MountFrom, cancellationToken).ConfigureAwait(false)) is null)
            {
                return;
            }

            // Of several publishes that need a layer in one registry one sends it; the others wait for that, and mount it. A config is one image's alone.
            var (own, registry) = work.Plan.Destination.Repository is { } repository ? (repository.Name, connections.Identity(repository)) : (string.Empty, string.Empty);
            using var note = registry.Length > 0 && work.Layers.Contains(plan.Blob.Digest) ? await _notes.TakeAsync(registry, plan.Blob.Digest, cancellationToken).ConfigureAwait(false) : null;
            if (note?.Repository == own && await work.Client.HasBlobAsync(plan.Blob, cancellationToken).ConfigureAwait(false))
            {
                // Another publish of this repository was faster.
                Interlocked.Add(ref work.Skipped, plan.Blob.Size);
                await GiveUpAsync(work, session, cancellationToken).ConfigureAwait(false);
                return;
            }

            if (session is null && note?.Repository is { } from && from != own)
            {
                session = await MountAsync(work, plan, from, cancellationToken).ConfigureAwait(false);
                if (session is null)
                {
                    return;
                }
            }

            // The session that proved the push right takes the first blob that is sent.
            session ??= Interlocked.Exchange(ref work.Session, null) ?? await work.Client.StartUploadAsync(cancellationToken).ConfigureAwait(false);
            var path = plan.Source is { } source
                ? await FetchedAsync(plan.Blob, source, work.Image, cancellationToken).ConfigureAwait(false)
                : work.Image.BlobPath(plan.Blob.Digest);
            await work.Client.UploadAsync(session, plan.Blob, () => File.OpenRead(path), new UploadWatch(work.Plan.Destination, plan.Blob, progress, TimeProvider.System), cancellationToken).ConfigureAwait(false);
            note?.Write(own);
            Interlocked.Add(ref work.Sent, plan.Blob.Size);
            progress.Note($"{work.Plan.Destination}: sent {plan.Blob.Digest} ({plan.Blob.Size} bytes)");
        }

        /// <summary>Asks for a blob to be taken over; null if it was, else the session to send it into.</summary>
        private async Task<UploadSession?> MountAsync(Work work, BlobPlan plan, string from, CancellationToken cancellationToken)
        {
            var session = await work.Client.MountAsync(plan.Blob.Digest, from, cancellationToken).ConfigureAwait(false);
            if (session is null)
            {
                Interlocked.Add(ref work.Mounted, plan.Blob.Size);
                progress.Note($"{work.Plan.Destination}: mounted {plan.Blob.Digest} from {from}");
            }

            return session;
        }

        private static Task GiveUpAsync(Work work, UploadSession? session, CancellationToken cancellationToken)
            => session is null ? Task.CompletedTask : work.Client.CancelUploadAsync(session, cancellationToken);

        /// <summary>Notes the layers that a destination has, for what else is published out of the same source repository.</summary>
        private async Task NoteLayersAsync(Work work, CancellationToken cancellationToken)
        {
            if (work.Plan.Destination.Repository is not { } repository)
            {
                return;
            }

            foreach (var layer in work.Layers)
            {
                using var note = await _notes.TakeAsync(connections.Identity(repository), layer, cancellationToken).ConfigureAwait(false);
                if (note is { Repository: null })
                {
                    note.Write(repository.Name);
                }
            }
        }

        /// <summary>A layer that a destination lacks and that is not in the layout, fetched once and checked: into the layout of the edition that asked first.</summary>
        private async Task<string> FetchedAsync(Descriptor blob, BlobSource source, ComposedImage image, CancellationToken cancellationToken)
        {
            try
            {
                return await _fetches.GetOrAdd(blob.Digest, _ => new(() => FetchAsync(blob, source, image, fetching))).Value.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (RegistryErrors.Know(e))
            {
                throw new FetchException(source, e);
            }
        }

        private async Task<string> FetchAsync(Descriptor blob, BlobSource source, ComposedImage image, CancellationToken cancellationToken)
        {
            var path = image.BlobPath(blob.Digest);
            if (File.Exists(path))
            {
                // What an earlier publish fetched is re-hashed before it is believed.
                var cached = File.OpenRead(path);
                await using (cached.ConfigureAwait(false))
                {
                    if (cached.Length == blob.Size && await Digest.OfAsync(cached, cancellationToken).ConfigureAwait(false) == blob.Digest)
                    {
                        return path;
                    }
                }
            }

            var fromCache = false;
            await WholeFile.WriteAsync(path, async temporary =>
            {
                // The cache has what other projects read, of registries that not everyone may read: what is sent on must be at the place that is said to
                // have it. What a destination says to have is never taken from there.
                fromCache = source.IsBase && await input.Cache.TryCopyBlobAsync(blob, temporary, cancellationToken).ConfigureAwait(false)
                    && await connections.Open(source.Place).HasBlobAsync(blob, cancellationToken).ConfigureAwait(false);
                if (!fromCache)
                {
                    await DownloadAsync(blob, source.Place, temporary, cancellationToken).ConfigureAwait(false);
                }
            }, cancellationToken).ConfigureAwait(false);
            var kind = source.IsBase ? "base layer" : "released layer";
            progress.Note(fromCache ? $"{kind} {blob.Digest} ({blob.Size} bytes) was in the cache" : $"fetched {kind} {blob.Digest} ({blob.Size} bytes) from {source.Place}");
            if (!fromCache)
            {
                await input.Cache.AddBlobAsync(blob.Digest, path, cancellationToken).ConfigureAwait(false);
            }

            return path;
        }

        private async Task DownloadAsync(Descriptor blob, ImagePlace place, string path, CancellationToken cancellationToken)
        {
            var file = new FileStream(path, new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write, Options = FileOptions.Asynchronous });
            await using (file.ConfigureAwait(false))
            {
                if (!await connections.Open(place).CopyBlobToAsync(blob, file, cancellationToken).ConfigureAwait(false))
                {
                    throw RegistryErrors.WrongContent(place, $"its layer {blob.Digest} is not there.");
                }
            }
        }

        /// <summary>The tags of one round at one destination, one after the other: GHCR refuses the second of two at once now and then.</summary>
        private async Task WriteTagsAsync(Work work, Func<ImageTag, bool> round, JournalWriter journal, CancellationToken cancellationToken)
        {
            var written = new List<ImageTag>();
            foreach (var planned in work.Plan.Tags.Where(t => t.Action != TagAction.Keep && round(t.Tag)))
            {
                var theirs = await ImageReader.ReadAsync(work.Client, planned.Tag.Name, work.Plan.Ours, cancellationToken).ConfigureAwait(false);
                if (!await WriteTagAsync(work, planned.Tag, theirs, planned, journal, cancellationToken).ConfigureAwait(false))
                {
                    return;
                }

                if (planned.Tag.Floating && work.Tags[planned.Tag.Name].State is TagState.Created or TagState.Moved)
                {
                    written.Add(planned.Tag);
                }
            }

            await RepairAsync(work, written, journal, cancellationToken).ConfigureAwait(false);
        }

        /// <summary>Writes a tag, looking before and after; false if it is to name something else, which an error has said.</summary>
        /// <param name="work">The destination.</param>
        /// <param name="tag">The tag.</param>
        /// <param name="theirs">What it names right before.</param>
        /// <param name="planned">What was planned for it, which holds as long as it names what it named then; null: it is decided anew.</param>
        /// <param name="journal">The journal.</param>
        /// <param name="cancellationToken">Stops it.</param>
        private async Task<bool> WriteTagAsync(Work work, ImageTag tag, ImageIdentity? theirs, TagPlan? planned, JournalWriter journal, CancellationToken cancellationToken)
        {
            var ours = work.Plan.Ours;
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
                        _errors.Add(diagnostic!);
                        return false;
                    }

                    decision = now;
                }

                if (decision.Action == TagAction.Keep)
                {
                    // What this run wrote itself in an earlier turn, and finds again, it has written.
                    if (!(work.Tags.TryGetValue(tag.Name, out var before) && before.State is TagState.Created or TagState.Moved && decision.Current == ours.Digest))
                    {
                        await EndAsync(work, new(tag, TagState.Kept, decision.Current, decision.Why) { Now = decision.Current }, journal).ConfigureAwait(false);
                    }

                    return true;
                }

                // Until it is seen there: a cancellation or a cut leaves it open whether it arrived.
                work.Tags[tag.Name] = new(tag, TagState.Pending, decision.Current, "sent, and not seen there yet");
                await work.Client.PutManifestAsync(tag.Name, work.Image.Manifest, cancellationToken).ConfigureAwait(false);
                var found = await ReadBackAsync(work, tag.Name, ours.Digest, decision.Current, cancellationToken).ConfigureAwait(false);
                if (found == ours.Digest)
                {
                    await EndAsync(work, new(tag, decision.Action == TagAction.Create ? TagState.Created : TagState.Moved, decision.Current, decision.Why) { Now = ours.Digest }, journal).ConfigureAwait(false);
                    return true;
                }

                // Neither what it named before nor ours: another publish wrote it in the same moment.
                if (!tag.Floating)
                {
                    work.Tags[tag.Name] = new(tag, TagState.Pending, decision.Current, $"another publish wrote {found}") { Now = found };
                    _errors.Add(DiagnosticCodes.TagTakenMeanwhile.Report(
                        $"{work.Plan.Destination}: the immutable tag {tag.Name} was written as {ours.Digest}, and another publish wrote {found} in the same moment. See which image is right; release a new version, or name the tag in RegistrySdkOverwriteTag."));
                    return false;
                }

                progress.Note($"{work.Plan.Destination}: {tag.Name} was written by another publish in the same moment, which names {found}");
                theirs = await ImageReader.ReadAsync(work.Client, tag.Name, ours, cancellationToken).ConfigureAwait(false);
                planned = null;
            }

            _errors.Add(DiagnosticCodes.TagUnsettled.Report(
                $"{work.Plan.Destination}: the floating tag {tag.Name} was written {MostTurns} times as {ours.Digest}, and each time named something else right after. See who else writes it, then publish the same commit again."));
            return false;
        }

        /// <summary>
        /// There is no compare-and-swap: between the look and the write of a floating tag another publish may have brought something newer, and moved the tag
        /// onto it. Its immutable tag is there by then, so the list of tags shows it, and the tag is moved on to that image. So the last writer repairs.
        /// </summary>
        private async Task RepairAsync(Work work, IReadOnlyList<ImageTag> written, JournalWriter journal, CancellationToken cancellationToken)
        {
            var (ours, listed) = (work.Plan.Ours, work.Plan.Listed);
            var ranked = written.Where(t => TagRanking.IsRanked(t, input.Version, ours.Revision) && !input.OverwriteTags.Contains(t.Name)).ToList();
            if (listed is null || ranked.Count == 0)
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
                    if (await work.Client.GetManifestAsync(image.Digest.ToString(), cancellationToken).ConfigureAwait(false) is not { } manifest)
                    {
                        throw RegistryErrors.WrongContent(work.Plan.Destination.Place, $"{name} names {image.Digest}, which is not there.");
                    }

                    // Its publish may have moved the tag already, or may have been moved on itself.
                    if (await work.Client.FindManifestAsync(tag.Name, cancellationToken).ConfigureAwait(false) == ours.Digest)
                    {
                        await work.Client.PutManifestAsync(tag.Name, manifest, cancellationToken).ConfigureAwait(false);
                        _ = await ReadBackAsync(work, tag.Name, image.Digest, ours.Digest, cancellationToken).ConfigureAwait(false);
                    }

                    var before = work.Tags[tag.Name].Before;
                    await EndAsync(work, new(tag, TagState.Repaired, before, $"another publish brought {name} ({image.Digest}) at the same time, which is newer than {ours.Digest}") { Now = image.Digest }, journal).ConfigureAwait(false);
                }

                if (isDone)
                {
                    return;
                }
            }
        }

        /// <summary>The newest of those images that are newer than what a floating tag names; null if none is.</summary>
        private async Task<(string Tag, ImageIdentity Image)?> NewestAsync(Work work, ImageTag floating, ImageIdentity named, IEnumerable<(string Tag, string? Version)> candidates, CancellationToken cancellationToken)
        {
            (string Tag, ImageIdentity Image)? newest = null;
            foreach (var (name, version) in candidates)
            {
                if (await ImageReader.ReadAsync(work.Client, name, work.Plan.Ours, cancellationToken).ConfigureAwait(false) is not { } image)
                {
                    continue;
                }

                // What a release's tag says of its version holds, whatever its labels say; a branch's image has to say of which commit it is.
                image = version is null ? image : image with { Version = version };
                if (version is null && image.Revision?.StartsWith(name[^7..], StringComparison.Ordinal) != true)
                {
                    continue;
                }

                var (decision, _) = await TagPolicy.DecideAsync(
                    floating, input.Version.Kind, newest?.Image ?? named, image, overwrite: false, history, work.Plan.Destination.ToString(), cancellationToken).ConfigureAwait(false);
                if (decision?.Action == TagAction.Keep && image.Digest != (newest?.Image ?? named).Digest)
                {
                    newest = (name, image);
                }
            }

            return newest;
        }

        /// <summary>
        /// Once more at every floating tag that was written, when all are: a publish of something older may have looked before we wrote and written after it.
        /// Where its list of tags already had ours it does not repair, and we do.
        /// </summary>
        private async Task LookBackAsync(Work work, JournalWriter journal, CancellationToken cancellationToken)
        {
            foreach (var result in work.Plan.Tags.Select(t => work.Tags.GetValueOrDefault(t.Tag.Name)).OfType<TagResult>().Where(t => t.Tag.Floating && t.State is TagState.Created or TagState.Moved))
            {
                var theirs = await ImageReader.ReadAsync(work.Client, result.Tag.Name, work.Plan.Ours, cancellationToken).ConfigureAwait(false);
                // Back at what it named before is a registry's lag: it has been read back as ours.
                if (theirs?.Digest == work.Plan.Ours.Digest || theirs?.Digest == result.Before)
                {
                    continue;
                }

                progress.Note($"{work.Plan.Destination}: {result.Tag.Name} names {theirs?.Digest.ToString() ?? "nothing"} by now");
                if (!await WriteTagAsync(work, result.Tag, theirs, null, journal, cancellationToken).ConfigureAwait(false))
                {
                    return;
                }
            }
        }

        private async Task EndAsync(Work work, TagResult result, JournalWriter journal)
        {
            work.Tags[result.Tag.Name] = result;
            await journal.UpdateAsync().ConfigureAwait(false);
            progress.Note($"{work.Plan.Destination}: {result.Tag.Name} {result.State.ToString().ToLowerInvariant()} ({result.Why})");
        }

        private async Task ReadBackAsync(Work work, string reference, Digest expected, CancellationToken cancellationToken)
        {
            var found = await ReadBackAsync(work, reference, expected, null, cancellationToken).ConfigureAwait(false);
            if (found != expected)
            {
                throw NotThere(work, reference, expected, found);
            }
        }

        /// <summary>Reads what was written, with patience for a registry that shows it late.</summary>
        /// <returns>What was expected; or what somebody else wrote, seen twice.</returns>
        private async Task<Digest?> ReadBackAsync(Work work, string reference, Digest expected, Digest? before, CancellationToken cancellationToken)
        {
            Digest? found = null;
            Digest? third = null;
            foreach (var delay in ReadBackDelays)
            {
                await Task.Delay(delay, connections.Time, cancellationToken).ConfigureAwait(false);
                found = await work.Client.FindManifestAsync(reference, cancellationToken).ConfigureAwait(false);
                // The old digest right after a write is lag. A third one that stays is another publish's.
                if (found == expected || (found is not null && found != before && found == third))
                {
                    return found;
                }

                third = found;
            }

            throw NotThere(work, reference, expected, found);
        }

        private static IOException NotThere(Work work, string reference, Digest expected, Digest? found)
            => RegistryErrors.WrongContent(work.Plan.Destination.Place, $"{reference} was written as {expected} but reads back as {found?.ToString() ?? "missing"}.");

        /// <inheritdoc/>
        public void Dispose() => _notes.Trim();

        public TransferResult Result()
        {
            var results = new List<DestinationResult>();
            foreach (var work in _work)
            {
                var tags = work.Plan.Tags.Select(t => work.Tags.TryGetValue(t.Tag.Name, out var done) ? done
                    : t.Action == TagAction.Keep ? new TagResult(t.Tag, TagState.Kept, t.Current, t.Why) { Now = t.Current }
                    : new TagResult(t.Tag, TagState.Pending, t.Current, "not written")).ToList();
                results.Add(new()
                {
                    Destination = work.Plan.Destination,
                    Image = work.Plan.Image,
                    Tags = tags,
                    BytesSent = work.Sent,
                    BytesSentAgain = work.Client.BytesSentAgain,
                    BytesMounted = work.Mounted,
                    BytesSkipped = work.Skipped,
                    Duration = work.Duration,
                    HoldsImage = work.HoldsImage,
                    WasFoundPublic = work.WasFoundPublic,
                    Evidence = work.Evidence,
                });
            }

            var errors = _errors.Distinct().OrderBy(e => e.Code, StringComparer.Ordinal).ThenBy(e => e.Message, StringComparer.Ordinal).ToList();
            var result = new TransferResult(results, errors);
            if (errors.Count > 0 && _work.Exists(w => w.HoldsImage) && result.Pending is { Length: > 0 } pending)
            {
                errors.Add(DiagnosticCodes.TagsPending.Report($"pending: {pending}. Publish the same commit again: it finishes them, and what arrived is not sent twice."));
            }

            return result;
        }
    }

    private sealed class Work(DestinationPlan plan, IImageRepository client)
    {
        public UploadSession? Session;
        public long Sent;
        public long Mounted;
        public long Skipped;

        public DestinationPlan Plan { get; } = plan;

        public ComposedImage Image => Plan.Image.Image;

        public IImageRepository Client { get; } = client;

        public HashSet<Digest> Layers { get; } = plan.Image.Image.Platforms.SelectMany(p => p.Layers).Select(l => l.Descriptor.Digest).ToHashSet();

        public ConcurrentDictionary<string, TagResult> Tags { get; } = new(StringComparer.Ordinal);

        public TimeSpan Duration { get; set; }

        public bool HoldsImage { get; set; }

        public bool WasFoundPublic { get; set; }

        public IReadOnlyList<Evidence> Evidence { get; set; } = [];
    }

    private sealed class FetchException(BlobSource from, Exception inner) : Exception(inner.Message, inner)
    {
        public BlobSource From { get; } = from;
    }
}
