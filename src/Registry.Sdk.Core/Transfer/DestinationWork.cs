using System.Collections.Concurrent;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Transfer;

/// <summary>What is done at one destination, and what has been so far.</summary>
/// <param name="plan">What was planned for it.</param>
/// <param name="client">Its repository.</param>
/// <param name="time">The clock that waits are measured by.</param>
internal sealed class DestinationWork(DestinationPlan plan, IImageRepository client, TimeProvider time)
{
    /// <summary>A registry may take a moment until it shows what it accepted.</summary>
    public static readonly TimeSpan[] ReadBackDelays = [TimeSpan.Zero, TimeSpan.FromMilliseconds(200), TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(3)];

    /// <summary>The upload that proved the push right and has not taken a blob yet.</summary>
    public UploadSession? Session;
    public long Sent;
    public long Mounted;
    public long Skipped;

    public DestinationPlan Plan { get; } = plan;

    public ComposedImage Image => Plan.Image.Image;

    public TimeProvider Time { get; } = time;

    public IImageRepository Client { get; } = client;

    public HashSet<Digest> Layers { get; } = plan.Image.Image.Platforms.SelectMany(p => p.Layers).Select(l => l.Descriptor.Digest).ToHashSet();

    public ConcurrentDictionary<string, TagResult> Tags { get; } = new(StringComparer.Ordinal);

    public TimeSpan Duration { get; set; }

    public bool HoldsImage { get; set; }

    /// <summary>Whether it failed, which an error has said.</summary>
    public bool HasFailed { get; set; }

    public bool WasFoundPublic { get; set; }

    public IReadOnlyList<Evidence> Evidence { get; set; } = [];

    /// <summary>Gives up the upload that proved the push right, where no blob took it.</summary>
    public async Task CancelSessionAsync(CancellationToken cancellationToken)
    {
        if (Interlocked.Exchange(ref Session, null) is { } session)
        {
            await Client.CancelUploadAsync(session, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Reads what was written, and fails where it is not there in the end.</summary>
    public async Task ReadBackAsync(string reference, Digest expected, CancellationToken cancellationToken)
    {
        var found = await ReadBackAsync(reference, expected, null, null, cancellationToken).ConfigureAwait(false);
        if (found != expected)
        {
            throw NotThere(reference, expected, found);
        }
    }

    /// <summary>Reads what was written, with patience for a registry that shows it late.</summary>
    /// <param name="reference">Tag or digest.</param>
    /// <param name="expected">What was written.</param>
    /// <param name="before">What it named right before.</param>
    /// <param name="earlier">What it named before that, or null.</param>
    /// <param name="cancellationToken">Stops the requests, and the waiting.</param>
    /// <returns>What was expected; or what somebody else wrote, seen twice; or what it still names when the patience ends.</returns>
    public async Task<Digest?> ReadBackAsync(string reference, Digest expected, Digest? before, Digest? earlier, CancellationToken cancellationToken)
    {
        Digest? found = null;
        Digest? third = null;
        foreach (var delay in ReadBackDelays)
        {
            await Task.Delay(delay, Time, cancellationToken).ConfigureAwait(false);
            found = await Client.FindManifestAsync(reference, cancellationToken).ConfigureAwait(false);
            // The old digest right after a write is lag. A third one that stays is another publish's.
            if (found == expected || (found is not null && found != before && found != earlier && found == third))
            {
                return found;
            }

            third = found;
        }

        return found;
    }

    /// <summary>What was written is not what is read.</summary>
    public IOException NotThere(string reference, Digest expected, Digest? found)
        => RegistryErrors.WrongContent(Plan.Destination.Place, $"{reference} was written as {expected} but reads back as {found?.ToString() ?? "missing"}.");
}
