using System.Collections.Concurrent;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Transfer;

/// <summary>Brings images to where they go: what is missing there is mounted, or fetched once for all, and sent. Writes no tag.</summary>
/// <param name="input">What is transferred.</param>
/// <param name="connections">Connections with the user's credentials.</param>
/// <param name="progress">Hears how it goes on.</param>
/// <param name="fetching">Stops fetches. A layer is fetched once for all destinations, so its fetch must not end because one of them failed.</param>
internal sealed class ImageSender(TransferInput input, RegistryConnections connections, ITransferProgress progress, CancellationToken fetching)
{
    private const int UploadsPerDestination = 4;

    private readonly BlobNotes _notes = new(input.Cache, input.NotesScope);
    private readonly ConcurrentDictionary<Digest, Lazy<Task<string>>> _fetches = new();

    /// <summary>Sends what a destination lacks of its image: blobs, then manifests, and reads them back.</summary>
    public async Task SendAsync(DestinationWork work, CancellationToken cancellationToken)
    {
        foreach (var blob in work.Plan.Blobs.Where(b => b.Action == BlobAction.Skip))
        {
            Interlocked.Add(ref work.Skipped, blob.Blob.Size);
        }

        await Parallel.ForEachAsync(
            work.Plan.Blobs.Where(b => b.Action != BlobAction.Skip),
            new ParallelOptions { MaxDegreeOfParallelism = UploadsPerDestination, CancellationToken = cancellationToken },
            async (blob, token) => await SendBlobAsync(work, blob, token).ConfigureAwait(false)).ConfigureAwait(false);
        await work.CancelSessionAsync(cancellationToken).ConfigureAwait(false);

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
            await work.ReadBackAsync(child.ToString(), child, cancellationToken).ConfigureAwait(false);
        }

        NoteLayers(work);
        work.HoldsImage = true;
        progress.Note($"{work.Plan.Destination}: holds {work.Plan.Image.Digest}");
    }

    private async Task SendBlobAsync(DestinationWork work, BlobPlan plan, CancellationToken cancellationToken)
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
    private async Task<UploadSession?> MountAsync(DestinationWork work, BlobPlan plan, string from, CancellationToken cancellationToken)
    {
        var session = await work.Client.MountAsync(plan.Blob.Digest, from, cancellationToken).ConfigureAwait(false);
        if (session is null)
        {
            Interlocked.Add(ref work.Mounted, plan.Blob.Size);
            progress.Note($"{work.Plan.Destination}: mounted {plan.Blob.Digest} from {from}");
        }

        return session;
    }

    private static Task GiveUpAsync(DestinationWork work, UploadSession? session, CancellationToken cancellationToken)
        => session is null ? Task.CompletedTask : work.Client.CancelUploadAsync(session, cancellationToken);

    /// <summary>Notes the layers that a destination has, for what else is published out of the same source repository.</summary>
    private void NoteLayers(DestinationWork work)
    {
        if (work.Plan.Destination.Repository is not { } repository)
        {
            return;
        }

        foreach (var layer in work.Layers)
        {
            // Whoever has it notes where it is.
            using var note = _notes.TryTake(connections.Identity(repository), layer, out _);
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
        if (await BlobFile.IsWholeAsync(path, blob, cancellationToken).ConfigureAwait(false))
        {
            return path;
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
                await BlobFile.DownloadAsync(connections.Open(source.Place), blob, source.Place, temporary, cancellationToken).ConfigureAwait(false);
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

    /// <summary>Waits for every fetch of a layer that was begun, however it ends, and deletes notes that count for nothing any more.</summary>
    public async Task SettleAsync()
    {
        Task all = Task.WhenAll(_fetches.Values.Where(b => b.IsValueCreated).Select(b => b.Value));
        await all.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        _notes.Trim();
    }
}

/// <summary>A layer could not be fetched from where it is said to be: no fault of the destination that waits for it.</summary>
/// <param name="from">From where.</param>
/// <param name="inner">Why.</param>
internal sealed class FetchException(BlobSource from, Exception inner) : Exception(inner.Message, inner)
{
    /// <summary>From where.</summary>
    public BlobSource From { get; } = from;
}
