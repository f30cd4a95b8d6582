using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;

namespace Registry.Sdk.Core.Planning;

/// <summary>
/// Finds out that this very release was made before: some destination has it, another lacks it. Its bytes are then copied and nothing is composed,
/// so that a destination added later, and a release that broke off, end in the first digest whatever has changed since (a newer base image, another
/// .NET SDK). Where every destination has it there is nothing to copy: the image is composed and compared, as ever.
/// </summary>
public static class Promotion
{
    /// <summary>Looks at the immutable tags of this version. Reads only.</summary>
    /// <param name="version">Output of the Versioning stage.</param>
    /// <param name="revision">The commit; null: nothing can be recognised.</param>
    /// <param name="taking">The destinations that take this build.</param>
    /// <param name="overwriteTags"><c>RegistrySdkOverwriteTag</c>: who wants a tag to name something else wants no old bytes.</param>
    /// <param name="nothingBuilt">Whether there is nothing to compose from: then it is taken also where every destination has it by now.</param>
    /// <param name="layoutDirectory">Absolute path of the OCI layout of this build.</param>
    /// <param name="connections">Connections with the user's credentials.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    /// <returns>The image, or null if it has to be composed.</returns>
    public static async Task<ComposedImage?> FindAsync(
        VersionFacts version, string? revision, IReadOnlyList<Destination> taking, IReadOnlySet<string> overwriteTags, bool nothingBuilt, string layoutDirectory, RegistryConnections connections, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(version);
        ArgumentNullException.ThrowIfNull(taking);
        ArgumentNullException.ThrowIfNull(overwriteTags);
        ArgumentNullException.ThrowIfNull(connections);
        if (version.Kind is not (BuildKinds.Release or BuildKinds.Prerelease) || version.IsDirty || revision is null || taking.Count < 2)
        {
            return null;
        }

        try
        {
            var found = (await Task.WhenAll(taking.SelectMany(d => Immutable(d, version).Select(t => LookAsync(d, t, connections, cancellationToken)))).ConfigureAwait(false)).ToList();
            var digests = found.Select(f => f.Digest).OfType<Digest>().Distinct().ToList();
            if (digests.Count != 1 || (!nothingBuilt && found.TrueForAll(f => f.Digest is not null)) || found.Exists(f => overwriteTags.Contains(f.Tag)))
            {
                return null;
            }

            var image = await new ReleasedImageSource(connections).ReadAsync(found.First(f => f.Digest is not null).Destination.Place, digests[0], layoutDirectory, cancellationToken).ConfigureAwait(false);
            return image?.Platforms.All(p => Says(p, "version", version.Version) && Says(p, "revision", revision)) == true ? image : null;
        }
        catch (Exception e) when (RegistryErrors.Know(e))
        {
            // Planning meets the same failure, and says whose it is.
            return null;
        }
    }

    private static IEnumerable<ImageTag> Immutable(Destination destination, VersionFacts version) => PlanningStage.TagsFor(destination, version).Where(t => !t.Floating);

    private static async Task<(Destination Destination, string Tag, Digest? Digest)> LookAsync(Destination destination, ImageTag tag, RegistryConnections connections, CancellationToken cancellationToken)
    {
        try
        {
            // The right to push first, as planning asks: with the right to pull alone GHCR and Docker Hub refuse a repository that is not there yet.
            var client = connections.Open(destination.Place);
            await client.PingAsync(cancellationToken).ConfigureAwait(false);
            return (destination, tag.Name, await client.FindManifestAsync(tag.Name, cancellationToken).ConfigureAwait(false));
        }
        catch (Exception e) when (RegistryErrors.Know(e))
        {
            // Planning meets the same failure, and says whose it is.
            return (destination, tag.Name, null);
        }
    }

    private static bool Says(PlatformImage image, string label, string expected)
        => image.Labels.TryGetValue("org.opencontainers.image." + label, out var value) && string.Equals(value, expected, StringComparison.Ordinal);
}
