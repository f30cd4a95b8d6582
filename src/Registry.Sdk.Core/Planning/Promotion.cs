using System.Text.Json.Nodes;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;

namespace Registry.Sdk.Core.Planning;

/// <summary>What a release has to look like to be this project's, as far as that is known without building it.</summary>
/// <param name="Version">Output of the Versioning stage.</param>
/// <param name="Revision">The commit; null: nothing can be recognised.</param>
/// <param name="Created">The image's time, which follows from the commit.</param>
/// <param name="AssemblyName">What the image starts: <c>AssemblyName</c>.</param>
/// <param name="Platforms">The platforms of the RIDs asked for.</param>
public sealed record ReleaseIdentity(VersionFacts Version, string? Revision, DateTimeOffset Created, string AssemblyName, IReadOnlyList<Platform> Platforms);

/// <summary>
/// Finds out that this very release was made before and is not whole: the first destination has it, and another lacks it, or a floating tag is behind it.
/// Its bytes are then copied and nothing is composed, so that a destination added later, and a release that broke off, end in the first digest whatever
/// has changed since (a newer base image, another .NET SDK, another git remote). Where every destination has all of it there is nothing to finish: the
/// image is composed and compared, as ever.
/// </summary>
/// <remarks>
/// The first destination alone decides: of several registries each could else fill all others. And what it has must be what this build would make, as
/// far as that can be seen: version, commit, time, platforms, what is started, and nothing in its manifests that we do not write.
/// </remarks>
public static class Promotion
{
    /// <summary>Looks at the immutable tags of this version. Reads only.</summary>
    /// <param name="identity">What the release has to look like.</param>
    /// <param name="taking">The destinations that take this build, in the project's order.</param>
    /// <param name="overwriteTags"><c>RegistrySdkOverwriteTag</c>: who wants a tag to name something else wants no old bytes.</param>
    /// <param name="nothingBuilt">Whether there is nothing to compose from: then it is taken also where every destination has it by now.</param>
    /// <param name="layoutDirectory">Absolute path of the OCI layout of this build.</param>
    /// <param name="connections">Connections with the user's credentials.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    /// <returns>The image, or null if it has to be composed.</returns>
    public static async Task<ComposedImage?> FindAsync(
        ReleaseIdentity identity, IReadOnlyList<Destination> taking, IReadOnlySet<string> overwriteTags, bool nothingBuilt, string layoutDirectory, RegistryConnections connections, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(identity);
        ArgumentNullException.ThrowIfNull(taking);
        ArgumentNullException.ThrowIfNull(overwriteTags);
        ArgumentNullException.ThrowIfNull(connections);
        var version = identity.Version;
        if (version.Kind is not (BuildKinds.Release or BuildKinds.Prerelease) || version.IsDirty || identity.Revision is null || taking.Count == 0 || identity.Platforms.Count == 0)
        {
            return null;
        }

        var found = (await Task.WhenAll(taking.SelectMany(d => Immutable(d, version).Select(t => LookAsync(d, t, connections, cancellationToken)))).ConfigureAwait(false)).ToList();
        var digests = found.Select(f => f.Digest).OfType<Digest>().Distinct().ToList();
        if (digests.Count != 1 || !found.Exists(f => f.Destination == taking[0] && f.Digest is not null)
            || found.Exists(f => overwriteTags.Contains(f.Tag)))
        {
            return null;
        }

        try
        {
            if (!nothingBuilt && found.TrueForAll(f => f.Digest is not null) && !await IsAnyBehindAsync(identity, taking, digests[0], connections, cancellationToken).ConfigureAwait(false))
            {
                return null;
            }

            var image = await new ReleasedImageSource(connections).ReadAsync(taking[0].Place, digests[0], identity.Platforms.Count, layoutDirectory, cancellationToken).ConfigureAwait(false);
            return image is not null && IsOurs(image, identity) ? image : null;
        }
        catch (Exception e) when (RegistryErrors.Know(e))
        {
            // Planning meets the same failure, and says whose it is.
            return null;
        }
    }

    private static bool IsOurs(ComposedImage image, ReleaseIdentity identity)
        => image.Platforms.Select(p => (p.Platform.Os, p.Platform.Architecture)).Order().SequenceEqual(identity.Platforms.Select(p => (p.Os, p.Architecture)).Order())
            && image.Platforms.All(p => Says(p, ImageLabels.Version, identity.Version.Version) && Says(p, ImageLabels.Revision, identity.Revision!) && IsOurs(p, identity));

    private static bool IsOurs(PlatformImage image, ReleaseIdentity identity)
    {
        var config = (JsonObject)RegistryJson.Parse(image.ConfigContent)!;
        var (entrypoint, cmd) = ImageConfig.StartOf(config);
        return DateTimeOffset.TryParse(config["created"]?.ToString(), System.Globalization.CultureInfo.InvariantCulture, out var created)
            // To the second, as it is written.
            && created.ToUnixTimeSeconds() == identity.Created.ToUnixTimeSeconds()
            // Another project's image of the same commit and version, in a repository that was named twice.
            && entrypoint.Concat(cmd).Any(word => string.Equals(Path.GetFileName(word), identity.AssemblyName, StringComparison.Ordinal) || string.Equals(Path.GetFileName(word), identity.AssemblyName + ".dll", StringComparison.Ordinal));
    }

    private static IEnumerable<ImageTag> Immutable(Destination destination, VersionFacts version) => PlanningStage.TagsFor(destination, version).Where(t => !t.Floating);

    /// <summary>Whether some floating tag lacks this release: it broke off there, or somebody moved the tag back.</summary>
    private static async Task<bool> IsAnyBehindAsync(ReleaseIdentity identity, IReadOnlyList<Destination> taking, Digest digest, RegistryConnections connections, CancellationToken cancellationToken)
    {
        var ours = new ImageIdentity(digest, identity.Version.Version, identity.Revision, BaseDigest: null, identity.Created);
        foreach (var destination in taking)
        {
            var client = connections.Open(destination.Place);
            foreach (var tag in PlanningStage.TagsFor(destination, identity.Version).Where(t => t.Floating))
            {
                var theirs = await ImageReader.ReadAsync(client, tag.Name, ours, cancellationToken).ConfigureAwait(false);
                if (theirs is null || (theirs.Digest != digest && TagPolicy.ByVersion(tag, ours, theirs) is not { Action: TagAction.Keep }))
                {
                    return true;
                }
            }
        }

        return false;
    }

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
        => image.Labels.TryGetValue(label, out var value) && string.Equals(value, expected, StringComparison.Ordinal);
}
