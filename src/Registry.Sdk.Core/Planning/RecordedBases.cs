using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;

namespace Registry.Sdk.Core.Planning;

/// <summary>The base image that an earlier publish of this very release was composed on, as its label says.</summary>
/// <param name="Edition">The edition; empty without <c>ContainerEditions</c>.</param>
/// <param name="Platform">The platform.</param>
/// <param name="BaseDigest">Digest of what the base's tag named then.</param>
/// <param name="At">The destination and tag that say so.</param>
/// <param name="Image">What that tag names: what is composed on that base has to come out as this.</param>
public sealed record RecordedBase(string Edition, Platform Platform, Digest BaseDigest, string At, Digest Image);

/// <summary>
/// A base image's tag moves. A release that is published again, or finished after it broke off, is composed on the base it was begun on, so that it
/// ends in its first digest; a newer base needs a new version.
/// </summary>
public static class RecordedBases
{
    /// <summary>Looks at the immutable tags of this version at every destination. Reads only.</summary>
    /// <param name="version">Output of the Versioning stage.</param>
    /// <param name="revision">The commit; null: nothing can be recognised.</param>
    /// <param name="taking">The destinations that take this build, in the project's order.</param>
    /// <param name="overwriteTags"><c>RegistrySdkOverwriteTag</c>: who wants a tag to name something else wants no old base.</param>
    /// <param name="connections">Connections with the user's credentials.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    /// <returns>What was found, the first destination's first; empty for branches and pull requests: there the newest base is wanted.</returns>
    /// <remarks>Only the digest is taken from a label, and it is looked up in the base image's own repository: a destination can't bring in a base of its own.</remarks>
    public static async Task<IReadOnlyList<RecordedBase>> FindAsync(
        VersionFacts version, string? revision, IReadOnlyList<Destination> taking, IReadOnlySet<string> overwriteTags, RegistryConnections connections, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(version);
        ArgumentNullException.ThrowIfNull(taking);
        ArgumentNullException.ThrowIfNull(overwriteTags);
        ArgumentNullException.ThrowIfNull(connections);
        if (version.Kind is not (BuildKinds.Release or BuildKinds.Prerelease) || version.IsDirty || revision is null)
        {
            return [];
        }

        var looks = taking.Select(d => LookAsync(d, PlanningStage.TagsFor(d, version).FirstOrDefault(t => !t.Floating), version.Version, revision, overwriteTags, connections, cancellationToken));
        return [.. (await Task.WhenAll(looks).ConfigureAwait(false)).SelectMany(l => l)];
    }

    /// <summary>The base that a platform of an edition has to be composed on; null: the one that its tag names.</summary>
    /// <param name="recorded">What <see cref="FindAsync"/> found.</param>
    /// <param name="edition">The edition.</param>
    /// <param name="request">The base image that the project names. One with a digest is the user's choice, and stays.</param>
    /// <param name="others">The base images of all editions, with their names: all editions are one release, so one that is nowhere yet follows the others.</param>
    public static RecordedBase? For(IReadOnlyList<RecordedBase> recorded, string edition, BaseImageRequest request, IEnumerable<(string Edition, BaseImageRequest Base)> others)
    {
        ArgumentNullException.ThrowIfNull(recorded);
        ArgumentNullException.ThrowIfNull(request);
        ArgumentNullException.ThrowIfNull(others);
        if (request.Place is null || request.Digest is not null)
        {
            return null;
        }

        var same = others.Where(o => o.Base == request).Select(o => o.Edition).ToHashSet(StringComparer.Ordinal);
        var ofPlatform = recorded.Where(r => (r.Platform.Os, r.Platform.Architecture) == (request.Platform.Os, request.Platform.Architecture)).ToList();
        return ofPlatform.Find(r => r.Edition == edition) ?? ofPlatform.Find(r => same.Contains(r.Edition));
    }

    /// <summary>
    /// Holds what was composed against what was said. Planning does it too, by what tags name by then; but who says that a release was begun on an old base
    /// image, and later that there is no such release, or that it has just what was composed, would decide what all destinations get.
    /// </summary>
    /// <param name="followed">The recorded bases that images were composed on.</param>
    /// <param name="images">The images.</param>
    /// <returns>RSDK5005 for each destination whose image is another.</returns>
    public static IEnumerable<Diagnostic> Disproved(IEnumerable<RecordedBase> followed, IReadOnlyList<EditionImage> images)
    {
        ArgumentNullException.ThrowIfNull(followed);
        ArgumentNullException.ThrowIfNull(images);
        return from first in followed.DistinctBy(f => f.At, StringComparer.Ordinal)
               let image = images.FirstOrDefault(i => i.Edition == first.Edition)
               where image is not null && image.Digest != first.Image
               select DiagnosticCodes.ImmutableTagTaken.Report(
                   $"{first.At} named {first.Image} at first, an image of this version and commit on the base image {first.BaseDigest}; what was composed on that base is {image.Digest}, and now the tag says nothing against it. Nothing was sent. If somebody deleted it just now, publish again; else do not trust that registry.");
    }

    private static async Task<IReadOnlyList<RecordedBase>> LookAsync(
        Destination destination, ImageTag? tag, string version, string revision, IReadOnlySet<string> overwriteTags, RegistryConnections connections, CancellationToken cancellationToken)
    {
        if (tag is null || overwriteTags.Contains(tag.Name))
        {
            return [];
        }

        try
        {
            // The right to push first, as planning asks: with the right to pull alone GHCR and Docker Hub refuse a repository that is not there yet.
            var client = connections.Open(destination.Place);
            await client.PingAsync(cancellationToken).ConfigureAwait(false);
            if (await client.FindManifestAsync(tag.Name, cancellationToken).ConfigureAwait(false) is not { } digest
                || await EarlierImage.ReadAsync(client, digest, cancellationToken).ConfigureAwait(false) is not { } image)
            {
                return [];
            }

            return
            [
                .. from platform in image.Platforms
                   where platform.Label(ImageLabels.Version) == version && platform.Label(ImageLabels.Revision) == revision
                   let recorded = Digest.TryParse(platform.Label(ImageLabels.BaseDigest), out var parsed) ? parsed : null
                   where recorded is not null
                   select new RecordedBase(destination.Edition, platform.Platform, recorded, $"{destination}:{tag.Name}", digest),
            ];
        }
        catch (Exception e) when (RegistryErrors.Know(e))
        {
            // Planning meets the same failure, and says whose it is.
            return [];
        }
    }
}
