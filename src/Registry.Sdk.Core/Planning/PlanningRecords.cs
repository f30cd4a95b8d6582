using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;

namespace Registry.Sdk.Core.Planning;

/// <summary>Input of the Planning stage.</summary>
/// <param name="Version">Output of the Versioning stage.</param>
/// <param name="Images">Output of the Imaging stage, of each edition that is published.</param>
/// <param name="Destinations">All destinations of the project.</param>
/// <param name="OverwriteTags"><c>RegistrySdkOverwriteTag</c>: tags that are moved whatever they name.</param>
/// <param name="AllowDirty"><c>RegistrySdkAllowDirty</c>: a dirty branch build may leave this machine.</param>
/// <param name="DirtyFiles">Files that make the tree dirty, for the message.</param>
/// <param name="Revision">The commit, or null without one.</param>
/// <param name="Created">The images' time.</param>
/// <param name="OnlyEdition"><c>-p:ContainerEdition</c>: the one edition that is published; null: all.</param>
/// <param name="WorkflowRepository">The git repository (<c>owner/name</c>, GITHUB_REPOSITORY) whose workflow runs this; null: no workflow does.</param>
public sealed record PlanningInput(
    VersionFacts Version,
    IReadOnlyList<EditionImage> Images,
    IReadOnlyList<Destination> Destinations,
    IReadOnlySet<string> OverwriteTags,
    bool AllowDirty,
    IReadOnlyList<string> DirtyFiles,
    string? Revision,
    DateTimeOffset Created,
    string? OnlyEdition = null,
    string? WorkflowRepository = null);

/// <summary>What happens to a blob at a destination.</summary>
public enum BlobAction
{
    /// <summary>It is there.</summary>
    Skip,

    /// <summary>The registry takes it over from another of its repositories; sent if it does not.</summary>
    Mount,

    /// <summary>Its bytes are sent.</summary>
    Send,
}

/// <summary>One blob at one destination.</summary>
/// <param name="Blob">Config or layer.</param>
/// <param name="Action">What happens to it.</param>
/// <param name="MountFrom">The repository it is mounted from, or null.</param>
/// <param name="Source">Where its bytes are; null: in the layout.</param>
public sealed record BlobPlan(Descriptor Blob, BlobAction Action, string? MountFrom, BlobSource? Source);

/// <summary>What happens to a tag at a destination.</summary>
public enum TagAction
{
    /// <summary>It names this image, or something newer: nothing is written.</summary>
    Keep,

    /// <summary>It does not exist yet.</summary>
    Create,

    /// <summary>It names another image and is moved.</summary>
    Move,
}

/// <summary>One tag at one destination.</summary>
/// <param name="Tag">The tag.</param>
/// <param name="Action">What happens to it.</param>
/// <param name="Current">What it names now, or null.</param>
/// <param name="Why">The reason, in a few words.</param>
public sealed record TagPlan(ImageTag Tag, TagAction Action, Digest? Current, string Why);

/// <summary>Who can read a destination, as found without credentials.</summary>
public enum ObservedVisibility
{
    /// <summary>Not looked at.</summary>
    NotObserved,

    /// <summary>Anyone.</summary>
    Public,

    /// <summary>Not without credentials; whether it exists is not known by this alone.</summary>
    Refused,

    /// <summary>Not without credentials, and not there for those we have.</summary>
    Missing,

    /// <summary>It could not be found out. Never rounded to good.</summary>
    Unknown,
}

/// <summary>What one destination gets.</summary>
/// <param name="Destination">The destination.</param>
/// <param name="Image">The image it gets: its edition's.</param>
/// <param name="Ours">
/// What that image is, from facts and version. Not from the image's labels: they can be the user's, or the base image's, and would then compare
/// something else.
/// </param>
/// <param name="Blobs">Configs and layers, each digest once.</param>
/// <param name="MissingManifests">Digests of the manifests that are not there yet: the platforms' and, of several, the index.</param>
/// <param name="Tags">In the order they are written.</param>
/// <param name="Observed">Who can read it now.</param>
public sealed record DestinationPlan(
    Destination Destination,
    EditionImage Image,
    ImageIdentity Ours,
    IReadOnlyList<BlobPlan> Blobs,
    IReadOnlySet<Digest> MissingManifests,
    IReadOnlyList<TagPlan> Tags,
    ObservedVisibility Observed)
{
    /// <summary>What <see cref="Observed"/> rests on, and what the service's API says.</summary>
    public Observation Observation { get; init; } = Observation.None;

    /// <summary>Docker Hub: the repository is created before the first byte, private (true) or public (false); null: nothing is to be created.</summary>
    public bool? CreatePrivate { get; init; }

    /// <summary>What the package will be born as and why, one line; or null.</summary>
    public string? Note { get; init; }

    /// <summary>
    /// The immutable tags of other images, of what the floating tags stand for, that were there when this was planned; null: not asked for, because no
    /// such tag is written, or the registry does not list its tags. What is there after a floating tag was written and is not among these, another publish
    /// brought meanwhile.
    /// </summary>
    public IReadOnlySet<string>? Listed { get; init; }

    /// <summary>Whether anything at all is written there.</summary>
    public bool HasWork => MissingManifests.Count > 0 || Blobs.Any(b => b.Action != BlobAction.Skip) || Tags.Any(t => t.Action != TagAction.Keep);
}

/// <summary>A destination that this build does not go to.</summary>
/// <param name="Destination">The destination.</param>
/// <param name="Why">The reason, in a few words.</param>
public sealed record LeftOut(Destination Destination, string Why);

/// <summary>Which destinations a build goes to.</summary>
/// <param name="Taking">Those that get it.</param>
/// <param name="LeftOut">Those that do not.</param>
public sealed record Selection(IReadOnlyList<Destination> Taking, IReadOnlyList<LeftOut> LeftOut);

/// <summary>Output of the Planning stage: all editions are one release.</summary>
/// <param name="Destinations">Those that get an image.</param>
/// <param name="LeftOut">Those that do not.</param>
public sealed record Plan(IReadOnlyList<DestinationPlan> Destinations, IReadOnlyList<LeftOut> LeftOut);
