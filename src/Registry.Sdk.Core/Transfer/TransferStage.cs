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
    // Between a cancellation and the moment when tags are left as they are: who cancels gets an answer within two seconds, report included.
    private static readonly TimeSpan Grace = TimeSpan.FromSeconds(1.5);

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
        var run = new Run(input, connections, anonymous, history, progress, fetching.Token);
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
            await run.Sender.SettleAsync().ConfigureAwait(false);
        }
    }

    private sealed class Run(TransferInput input, RegistryConnections connections, RegistryConnections anonymous, ICommitHistory history, ITransferProgress progress, CancellationToken fetching)
    {
        private readonly ConcurrentBag<Diagnostic> _errors = [];
        private readonly List<DestinationWork> _work = [.. input.Plan.Destinations.Select(p => new DestinationWork(p, connections.Open(p.Destination.Place), connections.Time))];

        public ImageSender Sender { get; } = new(input, connections, progress, fetching);

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
                await Task.WhenAll(_work.Select(w => w.CancelSessionAsync(cancellationToken))).ConfigureAwait(false);
                return Result();
            }

            // Registries in parallel; repositories of one registry after each other, so that the second mounts what the first got.
            var registries = _work.GroupBy(w => connections.Identity(w.Plan.Destination.Place), StringComparer.Ordinal);
            await Task.WhenAll(registries.Select(async group =>
            {
                foreach (var work in group)
                {
                    await GuardAsync(work, Sender.SendAsync, cancellationToken).ConfigureAwait(false);
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

        /// <summary>
        /// Tags in rounds over all destinations: immutable ones at the first destination of one edition after the other, then everywhere, floating, and last of all
        /// <c>latest</c>, which people pull without thinking.
        /// </summary>
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

            var tags = new TagWriter(input, history, journal, progress, _errors.Add);
            try
            {
                await WriteTagsAsync(tags, cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                // A tag that the last look wrote again, and that is open by now, had an end that was noted.
                if (_work.Exists(w => !w.Tags.IsEmpty))
                {
                    await journal.UpdateAsync().ConfigureAwait(false);
                }
            }

            // Whatever the moment was enough for: who cancelled is told that.
            cancellationToken.ThrowIfCancellationRequested();
            return Result();
        }

        private async Task WriteTagsAsync(TagWriter tags, CancellationToken cancellationToken)
        {
            // From the first tag on a cancellation has a moment, in which what is begun is mostly finished; the rest stays pending.
            using var stop = new CancellationTokenSource();
            var graceful = cancellationToken.Register(() => stop.CancelAfter(Grace));
            await using (graceful.ConfigureAwait(false))
            {
                // Of two publishes that make two images of one version the second finds that out at the first destination, and stops there: else each could
                // be first at one destination, and the version would be two images for good.
                // Not at a place of this machine, where the other one's is another.
                var first = _work.Where(w => w.Plan.Tags.Any(t => !t.Tag.Floating))
                    .OrderBy(w => w.Plan.Destination.Repository is null ? 2 : connections.IsLocal(w.Plan.Destination.Place) ? 1 : 0)
                    .DistinctBy(w => w.Plan.Destination.Edition, StringComparer.Ordinal).ToList();
                // One edition after the other: whoever has the first claims them all.
                var claims = first.Select(f => ((Func<DestinationWork, bool>)(w => w == f), (Func<ImageTag, bool>)(t => !t.Floating)));
                foreach (var (where, round) in claims.Concat(
                [
                    (w => !first.Contains(w), t => !t.Floating), (_ => true, t => t.Floating && t.Name != "latest"), (_ => true, t => t.Floating && t.Name == "latest"),
                ]))
                {
                    await ForAllAsync((w, c) => tags.WriteAsync(w, round, c), _work.Where(where), stop.Token).ConfigureAwait(false);
                    if (!_errors.IsEmpty)
                    {
                        // `latest` must not move to a release whose own tag could not be written. The next publish goes on from here.
                        break;
                    }
                }

                // Also where another destination failed: what was written here stays.
                await ForAllAsync(tags.LookBackAsync, _work.Where(w => !w.HasFailed), stop.Token).ConfigureAwait(false);
            }
        }

        private Task ForAllAsync(Func<DestinationWork, CancellationToken, Task> step, IEnumerable<DestinationWork> work, CancellationToken cancellationToken)
            => Task.WhenAll(work.Select(w => GuardAsync(w, step, cancellationToken)));

        private async Task GuardAsync(DestinationWork work, Func<DestinationWork, CancellationToken, Task> step, CancellationToken cancellationToken)
        {
            var clock = Stopwatch.StartNew();
            try
            {
                await step(work, cancellationToken).ConfigureAwait(false);
            }
            catch (FetchException e)
            {
                work.HasFailed = true;
                _errors.Add(e.From.IsBase ? RegistryErrors.AtBaseImage(e.InnerException!, e.From.Name) : RegistryErrors.AtDestination(e.InnerException!, e.From.Name));
            }
            catch (Exception e) when (!RegistryErrors.Know(e) && e is IOException or UnauthorizedAccessException)
            {
                work.HasFailed = true;
                _errors.Add(ImagingStage.LayoutProblem(work.Image.LayoutDirectory, e));
                await work.CancelSessionAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (RegistryErrors.Know(e))
            {
                work.HasFailed = true;
                _errors.Add(RegistryErrors.AtDestination(e, work.Plan.Destination.ToString()));
                await work.CancelSessionAsync(cancellationToken).ConfigureAwait(false);
            }
            finally
            {
                work.Duration += clock.Elapsed;
            }
        }

        private async Task CreateAsync(DestinationWork work, CancellationToken cancellationToken)
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
                foreach (var delay in DestinationWork.ReadBackDelays)
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

        private async Task LookAgainAsync(DestinationWork work, CancellationToken cancellationToken)
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

        private async Task ProvePushRightAsync(DestinationWork work, CancellationToken cancellationToken)
        {
            work.Session = await work.Client.StartUploadAsync(cancellationToken).ConfigureAwait(false);
            progress.Note($"{work.Plan.Destination}: pushing is allowed");
        }

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
            var result = new TransferResult(results, errors) { IsUntouched = _work.TrueForAll(w => w.Tags.Values.All(t => t.State == TagState.Kept)) };
            if (errors.Count > 0 && _work.Exists(w => w.HoldsImage) && result.Pending is { Length: > 0 } pending)
            {
                errors.Add(DiagnosticCodes.TagsPending.Report($"pending: {pending}. {(result.IsUntouched ? "No tag was written anywhere. " : string.Empty)}{TransferResult.Again(input.Version.Version, _work[0].Plan.Ours.Revision)}: it finishes them, and what arrived is not sent twice."));
            }

            return result;
        }
    }
}
