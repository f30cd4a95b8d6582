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
/// <remarks>Retries, resuming, the journal and the repair of floating tags are issue 7.</remarks>
public static class TransferStage
{
    private const int UploadsPerDestination = 4;

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
            await run.SettleAsync().ConfigureAwait(false);
        }
    }

    private sealed class Run(TransferInput input, RegistryConnections connections, RegistryConnections anonymous, ICommitHistory history, ITransferProgress progress, CancellationToken fetching)
    {
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

            // Tags in rounds over all destinations: immutable, floating, and last of all `latest`, which people pull without thinking.
            foreach (var round in new Func<ImageTag, bool>[] { t => !t.Floating, t => t.Floating && t.Name != "latest", t => t.Floating && t.Name == "latest" })
            {
                await ForAllAsync((w, c) => WriteTagsAsync(w, round, c), _work, cancellationToken).ConfigureAwait(false);
                if (!_errors.IsEmpty)
                {
                    // `latest` must not move to a release whose own tag could not be written. The next publish goes on from here.
                    break;
                }
            }

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
                    await Task.Delay(delay, cancellationToken).ConfigureAwait(false);
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
                work.Skipped += blob.Blob.Size;
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
                    work.Skipped += manifest.Descriptor.Size;
                    continue;
                }

                await work.Client.PutManifestAsync(child.ToString(), manifest, cancellationToken).ConfigureAwait(false);
                Interlocked.Add(ref work.Sent, manifest.Descriptor.Size);
                await ReadBackAsync(work, child.ToString(), child, cancellationToken).ConfigureAwait(false);
            }

            work.HoldsImage = true;
            progress.Note($"{work.Plan.Destination}: holds {work.Plan.Image.Digest}");
        }

        private async Task SendBlobAsync(Work work, BlobPlan plan, CancellationToken cancellationToken)
        {
            // The session that proved the push right takes the first blob that is sent.
            UploadSession? session;
            if (plan.MountFrom is not null)
            {
                session = await work.Client.MountAsync(plan.Blob.Digest, plan.MountFrom, cancellationToken).ConfigureAwait(false);
                if (session is null)
                {
                    Interlocked.Add(ref work.Mounted, plan.Blob.Size);
                    progress.Note($"{work.Plan.Destination}: mounted {plan.Blob.Digest} from {plan.MountFrom}");
                    return;
                }
            }
            else
            {
                session = Interlocked.Exchange(ref work.Session, null) ?? await work.Client.StartUploadAsync(cancellationToken).ConfigureAwait(false);
            }

            var path = plan.Source is { } source
                ? await FetchedAsync(plan.Blob, source, work.Image, cancellationToken).ConfigureAwait(false)
                : work.Image.BlobPath(plan.Blob.Digest);
            await work.Client.UploadAsync(session, plan.Blob, () => File.OpenRead(path), new UploadWatch(work.Plan.Destination, plan.Blob, progress, TimeProvider.System), cancellationToken).ConfigureAwait(false);
            Interlocked.Add(ref work.Sent, plan.Blob.Size);
            progress.Note($"{work.Plan.Destination}: sent {plan.Blob.Digest} ({plan.Blob.Size} bytes)");
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

        private async Task WriteTagsAsync(Work work, Func<ImageTag, bool> round, CancellationToken cancellationToken)
        {
            var manifest = work.Image.Manifest;
            var ours = work.Plan.Ours;
            foreach (var planned in work.Plan.Tags.Where(t => t.Action != TagAction.Keep && round(t.Tag)))
            {
                // Right before writing: someone may have been faster. An immutable tag that appeared meanwhile stops here.
                var theirs = await ImageReader.ReadAsync(work.Client, planned.Tag.Name, ours, cancellationToken).ConfigureAwait(false);
                var decision = planned;
                if (theirs?.Digest != planned.Current)
                {
                    var (now, diagnostic) = await TagPolicy.DecideAsync(
                        planned.Tag, input.Version.Kind, ours, theirs, input.OverwriteTags.Contains(planned.Tag.Name), history, work.Plan.Destination.ToString(), cancellationToken).ConfigureAwait(false);
                    if (now is null)
                    {
                        _errors.Add(diagnostic!);
                        return;
                    }

                    decision = now;
                }

                if (decision.Action == TagAction.Keep)
                {
                    work.Tags[planned.Tag.Name] = new(planned.Tag, TagState.Kept, decision.Current, decision.Why);
                    continue;
                }

                await work.Client.PutManifestAsync(planned.Tag.Name, manifest, cancellationToken).ConfigureAwait(false);
                await ReadBackAsync(work, planned.Tag.Name, manifest.Descriptor.Digest, cancellationToken).ConfigureAwait(false);
                work.Tags[planned.Tag.Name] = new(planned.Tag, decision.Action == TagAction.Create ? TagState.Created : TagState.Moved, decision.Current, decision.Why);
                progress.Note($"{work.Plan.Destination}: {planned.Tag.Name} {(decision.Action == TagAction.Create ? "created" : "moved")} ({decision.Why})");
            }
        }

        private static async Task ReadBackAsync(Work work, string reference, Digest expected, CancellationToken cancellationToken)
        {
            Digest? found = null;
            foreach (var delay in ReadBackDelays)
            {
                await Task.Delay(delay, cancellationToken).ConfigureAwait(false);
                found = await work.Client.FindManifestAsync(reference, cancellationToken).ConfigureAwait(false);
                if (found == expected)
                {
                    return;
                }
            }

            throw RegistryErrors.WrongContent(work.Plan.Destination.Place, $"{reference} was written as {expected} but reads back as {found?.ToString() ?? "missing"}.");
        }

        public TransferResult Result()
        {
            var results = new List<DestinationResult>();
            foreach (var work in _work)
            {
                var tags = work.Plan.Tags.Select(t => work.Tags.TryGetValue(t.Tag.Name, out var done) ? done
                    : t.Action == TagAction.Keep ? new TagResult(t.Tag, TagState.Kept, t.Current, t.Why)
                    : new TagResult(t.Tag, TagState.Pending, t.Current, "not written")).ToList();
                results.Add(new()
                {
                    Destination = work.Plan.Destination,
                    Image = work.Plan.Image,
                    Tags = tags,
                    BytesSent = work.Sent,
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

        public DestinationPlan Plan { get; } = plan;

        public ComposedImage Image => Plan.Image.Image;

        public IImageRepository Client { get; } = client;

        public ConcurrentDictionary<string, TagResult> Tags { get; } = new(StringComparer.Ordinal);

        public long Skipped { get; set; }

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
