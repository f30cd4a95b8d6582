using System.Globalization;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Verification;
using Registry.Sdk.Core.Versioning;

namespace Registry.Sdk.Core;

/// <summary>One platform of one edition, and the base image its own image stands on.</summary>
/// <param name="Request">What was built.</param>
/// <param name="Base">The base image, as understood.</param>
internal sealed record PlatformBuild(PlatformRequest Request, BaseImageRequest Base);

/// <summary>What is wrong with what the user wrote, before anything is computed; all of it at once.</summary>
internal static class UsageChecks
{
    /// <summary>The base image of every platform of every edition; those that could not be understood are left out and told.</summary>
    public static IReadOnlyList<PlatformBuild> ParseBases(PublishRequest request, List<Diagnostic> diagnostics)
    {
        var builds = new List<PlatformBuild>();
        foreach (var edition in request.Platforms.GroupBy(p => p.Edition, StringComparer.Ordinal).Select(g => g.ToList()))
        {
            var found = new List<Diagnostic>();
            var ridOf = new Dictionary<Platform, string>();
            foreach (var item in edition)
            {
                if (ParsePlatform(item.RuntimeIdentifier, edition.Count, ridOf, found) is { } platform && ParseBase(item, platform, request.ProjectDirectory, found) is { } baseImage)
                {
                    builds.Add(new(item, baseImage));
                }
            }

            // What all editions have in common is said once.
            diagnostics.AddRange(found.Except(diagnostics));
        }

        return builds;
    }

    private static Platform? ParsePlatform(string rid, int count, Dictionary<Platform, string> ridOf, List<Diagnostic> diagnostics)
    {
        if (Platform.FromRuntimeIdentifier(rid) is not { } platform)
        {
            diagnostics.Add(DiagnosticCodes.WindowsRid.Report(count > 1
                ? $"ContainerRuntimeIdentifiers (or RuntimeIdentifiers) names '{rid}'. Registry.Sdk makes Linux images: set ContainerRuntimeIdentifiers to linux-x64, linux-arm64 or both."
                : $"ContainerRuntimeIdentifier is '{rid}'. Registry.Sdk makes Linux images: set ContainerRuntimeIdentifier to linux-x64 or linux-arm64."));
            return null;
        }

        if (!ridOf.TryAdd(platform, rid))
        {
            diagnostics.Add(DiagnosticCodes.SamePlatformTwice.Report($"ContainerRuntimeIdentifiers names {ridOf[platform]} and {rid}, and both are {platform} to whoever pulls the image: only the first could ever be chosen. Remove one of the two."));
            return null;
        }

        return platform;
    }

    /// <summary>What would be found out after building only (<see cref="ParseBases"/>, <see cref="CheckPublishFolders"/>), as far as it is known before.</summary>
    public static void CheckPlatforms(PublishRequest request, List<Diagnostic> diagnostics)
    {
        var ridOf = new Dictionary<Platform, string>();
        foreach (var rid in request.RuntimeIdentifiers)
        {
            ParsePlatform(rid, request.RuntimeIdentifiers.Count, ridOf, diagnostics);
        }

        if (request.HasOneOutputFolder && request.RuntimeIdentifiers.Count > 1)
        {
            diagnostics.Add(DiagnosticCodes.SharedPublishFolder.Report(
                $"The builds of {string.Join(" and ", request.RuntimeIdentifiers)} would publish into one folder. Remove dotnet publish -o (PublishDir), or name one platform with RuntimeIdentifier."));
        }
    }

    private static BaseImageRequest? ParseBase(PlatformRequest item, Platform platform, string projectDirectory, List<Diagnostic> diagnostics)
    {
        if (item.BaseReference == BaseImageRequest.Scratch)
        {
            return new(null, null, null, platform);
        }

        Digest? digest = null;
        if (item.BaseReference.StartsWith(LayoutDirectory.Prefix, StringComparison.Ordinal))
        {
            // oci:path, oci:path:tag or oci:path@sha256:…, as skopeo writes it.
            var text = item.BaseReference;
            var at = text.LastIndexOf('@');
            var colon = text.LastIndexOf(':');
            string? tag = null;
            if (at > 0 && Digest.TryParse(text[(at + 1)..], out digest))
            {
                text = text[..at];
            }
            else if (colon >= LayoutDirectory.Prefix.Length && RepositoryReference.IsLegalTag(text[(colon + 1)..]))
            {
                (text, tag) = (text[..colon], text[(colon + 1)..]);
            }

            if (LayoutDirectory.Parse(text, projectDirectory, out var why) is { } layout)
            {
                return new(layout, tag, digest, platform);
            }

            diagnostics.Add(DiagnosticCodes.BadLayoutPath.Report($"ContainerBaseImage is '{PlainText.Of(item.BaseReference)}': {why} Write oci:path:tag or oci:path@sha256:<64 hex digits>."));
            return null;
        }

        if (!RegistryHost.TryParse(item.BaseRegistry, out var host) || !RepositoryReference.IsLegalName(item.BaseRepository)
            || (item.BaseDigest.Length > 0 && !Digest.TryParse(item.BaseDigest, out digest))
            || (item.BaseTag.Length > 0 && !RepositoryReference.IsLegalTag(item.BaseTag)))
        {
            diagnostics.Add(DiagnosticCodes.BadBaseImage.Report(
                $"ContainerBaseImage is '{item.BaseRegistry}/{item.BaseRepository}{(item.BaseTag.Length > 0 ? ":" + item.BaseTag : string.Empty)}{(item.BaseDigest.Length > 0 ? "@" + item.BaseDigest : string.Empty)}'. Write host/name:tag or host/name@sha256:<64 hex digits>."));
            return null;
        }

        return new(RepositoryReference.Of(host, item.BaseRepository), item.BaseTag.Length > 0 ? item.BaseTag : digest is null ? "latest" : null, digest, platform);
    }

    /// <summary>A publish folder holds one build, and nothing that we write.</summary>
    public static void CheckPublishFolders(PublishRequest request, IReadOnlyList<Destination> destinations, List<Diagnostic> diagnostics)
    {
        // What we write there the next publish would ship.
        foreach (var folder in request.Platforms.Select(p => Real(p.PublishDirectory)).Distinct(StringComparer.Ordinal))
        {
            foreach (var layout in destinations.Select(d => d.Place).OfType<LayoutDirectory>().Where(l => RealPath.IsInside(Real(l.FullPath), folder)))
            {
                diagnostics.Add(DiagnosticCodes.BadLayoutPath.Report($"The destination '{layout}' lies in the publish folder, so the next image would hold it. Name a directory outside {folder} in {request.DestinationProperty}."));
            }

            if (request.CacheDirectory.Length > 0 && RealPath.IsInside(Real(request.CacheDirectory), folder))
            {
                diagnostics.Add(DiagnosticCodes.BadSwitch.Report($"RegistrySdkCacheDirectory is '{request.CacheDirectory}', in the publish folder, so the next image would hold it. Name a folder outside {folder}."));
            }
        }

        // Which of the two builds a file there is from nobody could tell.
        foreach (var shared in request.Platforms.GroupBy(p => Path.TrimEndingDirectorySeparator(p.PublishDirectory), StringComparer.Ordinal).Where(g => g.Count() > 1))
        {
            diagnostics.Add(DiagnosticCodes.SharedPublishFolder.Report(
                $"The builds of {string.Join(" and ", shared.Select(p => p.Edition.Length > 0 ? $"{p.Edition} ({p.RuntimeIdentifier})" : p.RuntimeIdentifier))} publish into one folder, {shared.Key}. Remove PublishDir (dotnet publish -o) and AppendRuntimeIdentifierToOutputPath, or name one platform with RuntimeIdentifier.", shared.Key));
        }
    }

    private static string Real(string path) => RealPath.Resolve(path) ?? Path.GetFullPath(path);

    /// <summary>The user's cache, or none.</summary>
    public static ImageCache ParseCache(PublishRequest request, List<Diagnostic> diagnostics)
    {
        if (!int.TryParse(request.CacheSize, NumberStyles.None, CultureInfo.InvariantCulture, out var megabytes))
        {
            diagnostics.Add(DiagnosticCodes.BadSwitch.Report($"RegistrySdkCacheSize is '{PlainText.Of(request.CacheSize)}'. Give the cache's size in MB, a whole number; 0 for no cache."));
            return ImageCache.None;
        }

        var directory = request.CacheDirectory.Length > 0 ? request.CacheDirectory
            : ImageCache.DefaultDirectory(OperatingSystem.IsWindows(), name => request.Environment.GetValueOrDefault(name));
        return megabytes == 0 || directory is null ? ImageCache.None : new(directory, megabytes * 1_000_000L);
    }

    /// <summary>Properties that have few values.</summary>
    public static void CheckSwitches(PublishRequest request, List<Diagnostic> diagnostics)
    {
        if (MismatchPolicy.Parse(request.VisibilityMismatch) is null)
        {
            diagnostics.Add(DiagnosticCodes.BadSwitch.Report($"RegistrySdkVisibilityMismatch is '{PlainText.Of(request.VisibilityMismatch)}'. Use {MismatchPolicy.Forms}."));
        }

        foreach (var (name, value) in request.Switches.Where(s => s.Value.Length > 0 && !bool.TryParse(s.Value, out _)))
        {
            diagnostics.Add(DiagnosticCodes.BadSwitch.Report($"{name} is '{PlainText.Of(value)}'. Use true or false."));
        }

        foreach (var tag in request.OverwriteTags.Where(t => !RepositoryReference.IsLegalTag(t)))
        {
            diagnostics.Add(DiagnosticCodes.BadSwitch.Report($"RegistrySdkOverwriteTag names '{tag}', which is no tag."));
        }
    }

    /// <summary>What is allowed and probably not meant.</summary>
    public static void CheckBuild(PublishRequest request, VersionFacts version, IReadOnlyList<Destination> destinations, List<Diagnostic> diagnostics)
    {
        if (version.Kind is BuildKinds.Release or BuildKinds.Prerelease && string.Equals(request.Configuration, "Debug", StringComparison.OrdinalIgnoreCase))
        {
            diagnostics.Add(DiagnosticCodes.DebugRelease.Report(
                $"{BuildKindNames.ToWord(version.Kind)} {version.Version} is published from a Debug build. Publish with -c Release, or -p:Configuration=Release with dotnet msbuild."));
        }

        if (version.Kind != BuildKinds.None && version.Tags.Count == 0 && destinations.Any(d => d.Tags.Count == 0))
        {
            diagnostics.Add(DiagnosticCodes.NoTags.Report(
                $"No ContainerTagRule makes a tag for a {BuildKindNames.ToWord(version.Kind)} build, so the image can be pulled by its digest only. Add a rule with On=\"{BuildKindNames.ToWord(version.Kind)}\", or set the destination's Tags."));
        }
    }
}
