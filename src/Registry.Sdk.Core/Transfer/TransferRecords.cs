using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;

namespace Registry.Sdk.Core.Transfer;

/// <summary>Input of the Transfer stage.</summary>
/// <param name="Plan">Output of the Planning stage.</param>
/// <param name="Version">Output of the Versioning stage.</param>
/// <param name="OverwriteTags"><c>RegistrySdkOverwriteTag</c>, for tags that changed since they were planned.</param>
/// <param name="Cache">The user's cache, where base layers of earlier publishes may be.</param>
public sealed record TransferInput(Plan Plan, VersionFacts Version, IReadOnlySet<string> OverwriteTags, ImageCache Cache)
{
    /// <summary>Where the journal is kept; null: nowhere.</summary>
    public JournalPlace? Journal { get; init; }

    /// <summary>Absolute folder of the source repository, else of the project: what is published out of it shares notes of where layers lie. Null: no notes.</summary>
    public string? NotesScope { get; init; }
}

/// <summary>How a tag ended.</summary>
public enum TagState
{
    /// <summary>It was not written: it named this image already, or something newer.</summary>
    Kept,

    /// <summary>It did not exist and was written.</summary>
    Created,

    /// <summary>It named another image and was moved.</summary>
    Moved,

    /// <summary>It should have been written and was not, or whether it was is not known. The next publish of the same commit does it.</summary>
    Pending,

    /// <summary>
    /// A floating tag that was written, and then moved on to a newer image that another publish had brought at the same time (<see cref="TagResult.Now"/>).
    /// </summary>
    Repaired,
}

/// <summary>How the ends of tags are written, in messages, journal and receipt.</summary>
public static class TagStateNames
{
    /// <summary>The word for one: <c>kept</c>, <c>created</c>, <c>moved</c>, <c>pending</c>, <c>repaired</c>.</summary>
    public static string ToWord(TagState state) => state.ToString().ToLowerInvariant();
}

/// <summary>One tag's end.</summary>
/// <param name="Tag">The tag.</param>
/// <param name="State">How it ended.</param>
/// <param name="Before">What it named before, or null.</param>
/// <param name="Why">The reason, in a few words.</param>
public sealed record TagResult(ImageTag Tag, TagState State, Digest? Before, string Why)
{
    /// <summary>What it names now; null: nothing, or it is not known (<see cref="TagState.Pending"/>).</summary>
    public Digest? Now { get; init; }
}

/// <summary>What happened at one destination.</summary>
public sealed record DestinationResult
{
    /// <summary>The destination.</summary>
    public required Destination Destination { get; init; }

    /// <summary>The image it gets: its edition's.</summary>
    public required EditionImage Image { get; init; }

    /// <summary>Tags, in the order they are written.</summary>
    public required IReadOnlyList<TagResult> Tags { get; init; }

    /// <summary>Bytes of blobs and manifests that were sent.</summary>
    public long BytesSent { get; init; }

    /// <summary>Bytes of blobs that had to be sent again because a line was cut; not in <see cref="BytesSent"/>, which counts what arrived.</summary>
    public long BytesSentAgain { get; init; }

    /// <summary>Bytes of blobs that the registry took over from another repository.</summary>
    public long BytesMounted { get; init; }

    /// <summary>Bytes of blobs and manifests that were there already.</summary>
    public long BytesSkipped { get; init; }

    /// <summary>From the first request of Transfer to the last.</summary>
    public TimeSpan Duration { get; init; }

    /// <summary>Whether the image is there, by digest.</summary>
    public bool HoldsImage { get; init; }

    /// <summary>Whether anyone could read it right before the first tag, which it must not be: an error has said so.</summary>
    public bool WasFoundPublic { get; init; }

    /// <summary>What was done and seen of its visibility meanwhile: Docker Hub's creation, the look right before the first tag.</summary>
    public IReadOnlyList<Evidence> Evidence { get; init; } = [];
}

/// <summary>Output of the Transfer stage. It exists also after a failure: then some tags are pending and <see cref="Errors"/> says why.</summary>
/// <param name="Destinations">In the plan's order.</param>
/// <param name="Errors">What failed; empty if all is well.</param>
public sealed record TransferResult(IReadOnlyList<DestinationResult> Destinations, IReadOnlyList<Diagnostic> Errors)
{
    /// <summary>Every destination with pending tags and their names, as messages say it; empty if there are none.</summary>
    public string Pending => string.Join("; ", Destinations
        .Select(d => (d.Destination, Tags: string.Join(", ", d.Tags.Where(t => t.State == TagState.Pending).Select(t => t.Tag.Name))))
        .Where(d => d.Tags.Length > 0)
        .Select(d => $"{d.Destination}: {d.Tags}"));

    /// <summary>Whether no tag was written, nor a write begun: all of them name what they named.</summary>
    public bool IsUntouched { get; init; }

    /// <summary>What to do about pending tags, for messages: ends without a full stop.</summary>
    /// <param name="version">The version; null: not known.</param>
    /// <param name="commit">The commit; null: not known.</param>
    internal static string Again(string? version, string? commit)
        => version is null || commit is null ? "Publish the same commit again (dotnet publish /t:PublishContainer, or the CI job)"
            : $"Publish {version} of commit {commit[..Math.Min(7, commit.Length)]} again (dotnet publish /t:PublishContainer, or the CI job)";
}

/// <summary>A transfer was cancelled or broke on a bug.</summary>
/// <param name="partial">What was done until then.</param>
/// <param name="inner">What stopped it.</param>
public sealed class TransferInterruptedException(TransferResult partial, Exception inner) : Exception(inner.Message, inner)
{
    /// <summary>What was done until then; tags that were not written are pending.</summary>
    public TransferResult Partial { get; } = partial;
}

/// <summary>Hears how a transfer goes on.</summary>
public interface ITransferProgress
{
    /// <summary>A blob that is on its way for a while: called about once a second after the first two.</summary>
    /// <param name="destination">Where to.</param>
    /// <param name="blob">What.</param>
    /// <param name="sent">Bytes so far.</param>
    /// <param name="bytesPerSecond">Speed since the upload began.</param>
    void Uploading(Destination destination, Descriptor blob, long sent, double bytesPerSecond);

    /// <summary>A step, for the detailed log.</summary>
    void Note(string message);
}
