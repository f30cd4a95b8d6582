using System.Text.Json.Nodes;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>Composes an image from the bills of its platforms on base images, into an OCI layout.</summary>
public static class ImagingStage
{
    private static readonly TimeSpan KeepUnused = TimeSpan.FromHours(1);

    /// <summary>Runs the stage. The layout is complete but for the base images' layers, which stay where they are until a destination lacks them.</summary>
    public static async Task<Outcome<ComposedImage>> RunAsync(ImagingInput input, IBaseImageSource baseImages, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(baseImages);
        try
        {
            return await ComposeAsync(input, baseImages, cancellationToken).ConfigureAwait(false);
        }
        catch (FileChangedException e)
        {
            return Outcome<ComposedImage>.Failure(DiagnosticCodes.FileChanged.Report(
                $"{e.File.SourcePath} changed while the image was composed ({e.Message}). Publish again, and let nothing write to the publish folder meanwhile.", e.File.SourcePath));
        }
        catch (LayerChangedException e)
        {
            return Outcome<ComposedImage>.Failure(DiagnosticCodes.FileChanged.Report(
                $"The publish folder changed while the image was composed ({e.Message}). Publish again, and let nothing write to it meanwhile."));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Reading is accounted for where it happens; what is left is writing: a full disk, a folder without the right to write.
            return Outcome<ComposedImage>.Failure(LayoutProblem(input.LayoutDirectory, e));
        }
    }

    /// <summary>The layout can't be written, here or by a later stage that fetches base layers into it.</summary>
    public static Diagnostic LayoutProblem(string layoutDirectory, Exception exception)
    {
        ArgumentNullException.ThrowIfNull(exception);
        if (exception is LocalBlobException)
        {
            return DiagnosticCodes.FileChanged.Report($"The image in {layoutDirectory} changed while it was sent: {exception.Message.TrimEnd('.')}. Publish again, and let nothing write to that folder meanwhile.", layoutDirectory);
        }

        return DiagnosticCodes.LayoutNotWritten.Report(
            $"The image can't be written to {layoutDirectory}: {exception.Message.TrimEnd('.')}. Free disk space, or make IntermediateOutputPath writable.", layoutDirectory);
    }

    private static async Task<Outcome<ComposedImage>> ComposeAsync(ImagingInput input, IBaseImageSource baseImages, CancellationToken cancellationToken)
    {
        // What can be wrong without the network, then the network, then the work.
        var diagnostics = input.Platforms.SelectMany(p => CheckSettings(p.Settings)).Distinct().ToList();
        if (diagnostics.Count > 0)
        {
            return Outcome<ComposedImage>.Failure(diagnostics);
        }

        var bases = new List<BaseImage>();
        foreach (var platform in input.Platforms)
        {
            var resolved = await baseImages.ResolveAsync(platform.Base, cancellationToken).ConfigureAwait(false);
            if (!resolved.Succeeded)
            {
                diagnostics.AddRange(resolved.Diagnostics);
                continue;
            }

            bases.Add(resolved.Value);
        }

        if (diagnostics.Count > 0)
        {
            return Outcome<ComposedImage>.Failure([.. diagnostics.Distinct()]);
        }

        var blobs = Directory.CreateDirectory(BlobDirectory(input.LayoutDirectory)).FullName;
        var images = new List<PlatformImage>();
        foreach (var (platform, baseImage) in input.Platforms.Zip(bases))
        {
            // One index is of one family of types, whatever its platforms' bases are.
            images.Add(await ComposePlatformAsync(input, platform, baseImage, IsDocker(input.Platforms[0].Settings, bases[0]), blobs, diagnostics, cancellationToken).ConfigureAwait(false));
        }

        diagnostics = [.. diagnostics.Distinct()];
        if (diagnostics.Exists(d => d.IsError))
        {
            return Outcome<ComposedImage>.Failure(diagnostics);
        }

        var image = new ComposedImage(input.LayoutDirectory, images.Count == 1 ? images[0].Manifest : Index(images), images);
        await WriteLayoutAsync(image, cancellationToken).ConfigureAwait(false);
        return Outcome<ComposedImage>.Success(image, diagnostics);
    }

    private static async Task<PlatformImage> ComposePlatformAsync(
        ImagingInput input, PlatformInput platform, BaseImage baseImage, bool docker, string blobs, List<Diagnostic> diagnostics, CancellationToken cancellationToken)
    {
        var unmapped = UnmappedPaths.Find(platform.Bill, input.SourceRoots);
        if (unmapped.Count > 0)
        {
            diagnostics.Add(DiagnosticCodes.UnmappedPaths.Report(
                $"{string.Join(", ", unmapped)} name{(unmapped.Count == 1 ? "s" : string.Empty)} the folder of this clone, so the image's digest differs from folder to folder. Put <Import Project=\"Sdk.props\" Sdk=\"Registry.Sdk\" Version=\"…\" /> into Directory.Build.props, or publish with -p:ContinuousIntegrationBuild=true -p:DeterministicSourcePaths=true."));
        }

        var baseConfig = (JsonObject)JsonNode.Parse(baseImage.Config)!;
        var environment = ImageConfig.EnvironmentOf(baseConfig, platform.Settings);
        var split = Split(platform, baseImage, environment);
        var own = await WriteLayersAsync(platform, split, input.Cache, docker, blobs, cancellationToken).ConfigureAwait(false);
        var settings = input.GenerateBaseDigestLabel && baseImage.ReferencedDigest is { } referenced
            ? platform.Settings with { Labels = [new(ImageLabels.BaseDigest, referenced.ToString()), .. platform.Settings.Labels] } // first: the user's own win
            : platform.Settings;
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        var config = ImageConfig.Compose(baseConfig, settings, [.. own.Select(l => l.DiffId)], input.Created, labels, diagnostics);
        var (entrypoint, cmd) = ImageConfig.StartOf((JsonObject)JsonNode.Parse(config)!);
        diagnostics.AddRange(StageChecks.Run(new(
            [.. split.Layers.SelectMany(l => l.Files)], platform.Settings.WorkingDirectory, entrypoint, cmd, ImageConfig.StartOf(baseConfig).Entrypoint,
            environment, baseImage.Platform, baseImage.Request.ToString(), IsScratch: baseImage.Request.Place is null)));
        var configDescriptor = new Descriptor(docker ? MediaTypes.DockerConfig : MediaTypes.OciConfig, Digest.Of(config), config.Length);

        var request = baseImage.Request;
        var source = request.Place is null ? null : new BlobSource(request.Place, request.ToString(), IsBase: true);
        var baseDiffIds = (JsonArray)baseConfig["rootfs"]!["diff_ids"]!;
        List<ComposedLayer> layers =
        [
            .. baseImage.Layers.Select((l, i) => new ComposedLayer(
                l with { MediaType = MediaTypes.Convert(l.MediaType, toOci: !docker) }, Digest.Parse(baseDiffIds[i]!.GetValue<string>()), LayerOrigin.Base, "base", source)),
            .. own,
        ];
        var json = new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = docker ? MediaTypes.DockerManifest : MediaTypes.OciManifest,
            ["config"] = configDescriptor.ToJson(),
            ["layers"] = new JsonArray([.. layers.Select(l => (JsonNode)l.Descriptor.ToJson())]),
        };
        Annotate(json, docker, labels);
        return new(
            baseImage.Platform, Manifest(json), configDescriptor, config, layers, new(request.ToString(), request.Place?.ToString() ?? BaseImageRequest.Scratch, baseImage.ReferencedDigest), labels, split.LeftOut.Sum(f => f.Size));
    }

    private static LayerSplitResult Split(PlatformInput platform, BaseImage baseImage, IReadOnlyDictionary<string, string> environment)
    {
        var files = platform.Bill.Files;
        var graph = platform.RuntimeIdentifierGraph.Length > 0 && File.Exists(platform.RuntimeIdentifierGraph) ? RidGraph.Parse(File.ReadAllBytes(platform.RuntimeIdentifierGraph)) : null;
        const string DependencySuffix = ".deps.json";
        var runtimeConfig = platform.DependencyFile.EndsWith(DependencySuffix, StringComparison.Ordinal)
            && files.FirstOrDefault(f => f.Path == platform.DependencyFile[..^DependencySuffix.Length] + ".runtimeconfig.json") is { } file ? RuntimeConfig.Read(file) : null;
        // A portable application on Alpine looks for musl's files, also where ContainerRuntimeIdentifier names glibc's RID beside ContainerFamily.
        var isExact = platform.IsRuntimeIdentifierGiven
            && (platform.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal) || !baseImage.Request.ToString().Contains("alpine", StringComparison.OrdinalIgnoreCase));
        return LayerSplit.Split(
            files, DependencyFile.Read(files, platform.DependencyFile),
            graph?.ForImage(isExact ? platform.RuntimeIdentifier : string.Empty, baseImage.Platform, environment, runtimeConfig));
    }

    private static async Task<List<ComposedLayer>> WriteLayersAsync(PlatformInput platform, LayerSplitResult split, ImageCache cache, bool docker, string blobs, CancellationToken cancellationToken)
    {
        var byPath = platform.Bill.Files.ToDictionary(f => f.Path, StringComparer.Ordinal);
        var directory = platform.Settings.WorkingDirectory.Trim('/');
        var prefix = directory.Length == 0 ? string.Empty : directory + "/";
        var layers = new List<ComposedLayer>();
        foreach (var (kind, billed) in split.Layers)
        {
            var files = new List<LayerFile>(billed.Count);
            foreach (var file in billed)
            {
                files.Add(await VerifiedFile.ToLayerFileAsync(file, prefix, byPath, cancellationToken).ConfigureAwait(false));
            }

            var written = await LayerWriter.WriteAsync(files, directory, blobs, cache, cancellationToken).ConfigureAwait(false);
            layers.Add(new(
                new(docker ? MediaTypes.DockerLayerGzip : MediaTypes.OciLayerGzip, written.Digest, written.Size), written.DiffId,
                written.IsCompressedNow ? LayerOrigin.Compressed : LayerOrigin.Cached, kind.ToString().ToLowerInvariant()));
        }

        return layers;
    }

    /// <summary>The index of several platforms. Source: OCI image spec, image-index.md; Docker's manifest list has the same shape, without annotations.</summary>
    private static ManifestContent Index(List<PlatformImage> images)
    {
        var docker = images[0].Manifest.Descriptor.MediaType == MediaTypes.DockerManifest;
        var json = new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = docker ? MediaTypes.DockerIndex : MediaTypes.OciIndex,
            ["manifests"] = new JsonArray([.. images.Select(i =>
            {
                var entry = i.Manifest.Descriptor.ToJson();
                entry["platform"] = i.Platform.ToJson();
                return (JsonNode)entry;
            })]),
        };
        // What holds for every platform holds for the index. Registries read description and source from there (GHCR: wire-facts 2.8).
        Annotate(json, docker, images[0].Labels.Where(l => images.TrueForAll(i => i.Labels.TryGetValue(l.Key, out var value) && value == l.Value)));
        return Manifest(json);
    }

    /// <summary>The labels that the OCI image spec also knows as annotations: tools that do not read configs find them.</summary>
    private static void Annotate(JsonObject manifest, bool docker, IEnumerable<KeyValuePair<string, string>> labels)
    {
        var annotations = labels.Where(l => l.Key.StartsWith(ImageLabels.Prefix, StringComparison.Ordinal)).OrderBy(l => l.Key, StringComparer.Ordinal).ToList();
        if (!docker && annotations.Count > 0)
        {
            manifest["annotations"] = new JsonObject(annotations.Select(a => KeyValuePair.Create(a.Key, (JsonNode?)a.Value)));
        }
    }

    private static ManifestContent Manifest(JsonObject json)
    {
        var content = ImageConfig.Serialise(json);
        return new(new(json["mediaType"]!.GetValue<string>(), Digest.Of(content), content.Length), content);
    }

    private static string BlobDirectory(string layout) => Path.Combine(layout, "blobs", "sha256");

    private static bool IsDocker(ContainerSettings settings, BaseImage baseImage)
    {
        TryFormat(settings.ImageFormat, out var docker);
        return docker ?? !baseImage.ManifestType.StartsWith("application/vnd.oci.", StringComparison.Ordinal);
    }

    private static IEnumerable<Diagnostic> CheckSettings(ContainerSettings settings)
    {
        if (!TryFormat(settings.ImageFormat, out _))
        {
            yield return DiagnosticCodes.BadConfig.Report($"ContainerImageFormat is '{settings.ImageFormat}'. Use OCI or Docker.");
        }

        if (!IsWorkingDirectory(settings.WorkingDirectory))
        {
            var shown = string.Concat(settings.WorkingDirectory.Select(c => char.IsControl(c) ? '?' : c));
            yield return DiagnosticCodes.BadConfig.Report($"ContainerWorkingDirectory is '{shown}'. Use an absolute path such as /app, without '.', '..', '//', control characters and names that begin with .wh.");
        }
    }

    internal static async Task WriteLayoutAsync(ComposedImage image, CancellationToken cancellationToken)
    {
        var blobs = Directory.CreateDirectory(BlobDirectory(image.LayoutDirectory)).FullName;
        foreach (var platform in image.Platforms)
        {
            await WholeFile.WriteAsync(image.BlobPath(platform.Config.Digest), platform.ConfigContent, cancellationToken).ConfigureAwait(false);
        }

        foreach (var manifest in image.Manifests)
        {
            await WholeFile.WriteAsync(image.BlobPath(manifest.Descriptor.Digest), manifest.Content, cancellationToken).ConfigureAwait(false);
        }

        var entry = image.Manifest.Descriptor.ToJson();
        if (image.Platforms[0].Labels.TryGetValue(ImageLabels.Version, out var version))
        {
            entry["annotations"] = new JsonObject { [ImageLabels.RefName] = version };
        }

        var index = ImageConfig.Serialise(new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = MediaTypes.OciIndex, ["manifests"] = new JsonArray(entry) });
        await WholeFile.WriteAsync(Path.Combine(image.LayoutDirectory, "oci-layout"), """{"imageLayoutVersion":"1.0.0"}"""u8.ToArray(), cancellationToken).ConfigureAwait(false);
        await WholeFile.WriteAsync(Path.Combine(image.LayoutDirectory, "index.json"), index, cancellationToken).ConfigureAwait(false); // last: it names what must be there

        // What earlier publishes left would grow without end. What is young may belong to a publish of this project that runs beside this one,
        // which makes also what it has in common with an earlier one young.
        var used = image.Platforms.SelectMany(p => p.Layers.Select(l => l.Descriptor.Digest.Hex).Append(p.Config.Digest.Hex))
            .Concat(image.Manifests.Select(m => m.Descriptor.Digest.Hex)).ToHashSet(StringComparer.Ordinal);
        var young = DateTime.UtcNow - KeepUnused;
        var unused = new DirectoryInfo(blobs).EnumerateFiles().Where(f => !used.Contains(f.Name))
            .Concat(new DirectoryInfo(image.LayoutDirectory).EnumerateFiles().Where(f => WholeFile.IsTemporary(f.Name)));
        foreach (var old in unused.Where(f => f.LastWriteTimeUtc < young))
        {
            old.Delete();
        }
    }

    /// <summary>Whether tar entries below it are where it says: an absolute path, already normal.</summary>
    private static bool IsWorkingDirectory(string path)
        => path == "/"
            || (path.StartsWith('/')
                && !path.Any(char.IsControl)
                && path[1..(path.EndsWith('/') ? ^1 : ^0)].Split('/').All(s => s is not ("" or "." or "..") && !s.StartsWith(".wh.", StringComparison.Ordinal)));

    private static bool TryFormat(string text, out bool? docker)
    {
        docker = text.ToUpperInvariant() switch { "OCI" => false, "DOCKER" => true, _ => null };
        return text.Length == 0 || docker is not null;
    }
}
