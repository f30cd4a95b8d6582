using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>Composes an image from the bill on a base image, into an OCI layout.</summary>
public static class ImagingStage
{
    private static readonly TimeSpan KeepUnused = TimeSpan.FromHours(1);

    /// <summary>Runs the stage. The layout is complete but for the base image's layers, which stay at their registry until a destination lacks them.</summary>
    public static async Task<Outcome<ComposedImage>> RunAsync(ImagingInput input, IBaseImageSource baseImages, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(baseImages);
        try
        {
            return await ComposeAsync(input, baseImages, cancellationToken).ConfigureAwait(false);
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
        return DiagnosticCodes.LayoutNotWritten.Report(
            $"The image can't be written to {layoutDirectory}: {exception.Message.TrimEnd('.')}. Free disk space, or make IntermediateOutputPath writable.", layoutDirectory);
    }

    private static async Task<Outcome<ComposedImage>> ComposeAsync(ImagingInput input, IBaseImageSource baseImages, CancellationToken cancellationToken)
    {
        var diagnostics = new List<Diagnostic>();
        if (!TryFormat(input.Settings.ImageFormat, out var format))
        {
            return Outcome<ComposedImage>.Failure(DiagnosticCodes.BadConfig.Report($"ContainerImageFormat is '{input.Settings.ImageFormat}'. Use OCI or Docker."));
        }

        if (!IsWorkingDirectory(input.Settings.WorkingDirectory))
        {
            var shown = string.Concat(input.Settings.WorkingDirectory.Select(c => char.IsControl(c) ? '?' : c));
            return Outcome<ComposedImage>.Failure(DiagnosticCodes.BadConfig.Report($"ContainerWorkingDirectory is '{shown}'. Use an absolute path such as /app, without '.', '..', '//', control characters and names that begin with .wh."));
        }

        var resolved = await baseImages.ResolveAsync(input.Base, cancellationToken).ConfigureAwait(false);
        if (!resolved.Succeeded)
        {
            return Outcome<ComposedImage>.Failure(resolved.Diagnostics);
        }

        var unmapped = UnmappedPaths.Find(input.Bill, input.SourceRoots);
        if (unmapped.Count > 0)
        {
            diagnostics.Add(DiagnosticCodes.UnmappedPaths.Report(
                $"{string.Join(", ", unmapped)} name{(unmapped.Count == 1 ? "s" : string.Empty)} the folder of this clone, so the image's digest differs from folder to folder. Put <Import Project=\"Sdk.props\" Sdk=\"Registry.Sdk\" Version=\"…\" /> into Directory.Build.props, or publish with -p:ContinuousIntegrationBuild=true -p:DeterministicSourcePaths=true."));
        }

        var blobs = Path.Combine(input.LayoutDirectory, "blobs", "sha256");
        Directory.CreateDirectory(blobs);
        ComposedLayer layer;
        try
        {
            layer = await WriteLayerAsync(input, blobs, cancellationToken).ConfigureAwait(false);
        }
        catch (FileChangedException e)
        {
            return Outcome<ComposedImage>.Failure([.. diagnostics, DiagnosticCodes.FileChanged.Report(
                $"{e.File.SourcePath} changed while the image was composed ({e.Message}). Publish again, and let nothing write to the publish folder meanwhile.", e.File.SourcePath)]);
        }
        catch (LayerChangedException e)
        {
            return Outcome<ComposedImage>.Failure([.. diagnostics, DiagnosticCodes.FileChanged.Report(
                $"The publish folder changed while the image was composed ({e.Message}). Publish again, and let nothing write to it meanwhile.")]);
        }

        var baseImage = resolved.Value;
        var docker = format ?? !baseImage.Manifest.Descriptor.MediaType.StartsWith("application/vnd.oci.", StringComparison.Ordinal);
        var settings = input.GenerateBaseDigestLabel
            ? input.Settings with { Labels = [new("org.opencontainers.image.base.digest", baseImage.ReferencedDigest.ToString()), .. input.Settings.Labels] } // first: the user's own win
            : input.Settings;
        var labels = new Dictionary<string, string>(StringComparer.Ordinal);
        var baseConfig = (JsonObject)JsonNode.Parse(baseImage.Config)!;
        var config = ImageConfig.Compose(baseConfig, settings, [layer.DiffId], input.Created, labels, diagnostics);
        var configDescriptor = new Descriptor(docker ? MediaTypes.DockerConfig : MediaTypes.OciConfig, Digest.Of(config), config.Length);

        var baseDiffIds = (JsonArray)baseConfig["rootfs"]!["diff_ids"]!;
        List<ComposedLayer> layers =
        [
            .. baseImage.Layers.Select((l, i) => new ComposedLayer(l with { MediaType = MediaTypes.Convert(l.MediaType, toOci: !docker) }, Digest.Parse(baseDiffIds[i]!.GetValue<string>()), IsFromBase: true)),
            layer with { Descriptor = layer.Descriptor with { MediaType = docker ? MediaTypes.DockerLayerGzip : MediaTypes.OciLayerGzip } },
        ];
        var manifestType = docker ? MediaTypes.DockerManifest : MediaTypes.OciManifest;
        var manifest = ImageConfig.Serialise(new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = manifestType,
            ["config"] = configDescriptor.ToJson(),
            ["layers"] = new JsonArray([.. layers.Select(l => (JsonNode)l.Descriptor.ToJson())]),
        });
        var manifestDescriptor = new Descriptor(manifestType, Digest.Of(manifest), manifest.Length);
        if (diagnostics.Exists(d => d.IsError))
        {
            return Outcome<ComposedImage>.Failure(diagnostics);
        }

        await WriteLayoutAsync(input.LayoutDirectory, blobs, config, configDescriptor, manifest, manifestDescriptor, layers, labels, cancellationToken).ConfigureAwait(false);
        return Outcome<ComposedImage>.Success(
            new(input.LayoutDirectory, new(manifestDescriptor, manifest), configDescriptor, config, layers, baseImage, labels), diagnostics);
    }

    private static async Task<ComposedLayer> WriteLayerAsync(ImagingInput input, string blobs, CancellationToken cancellationToken)
    {
        var byPath = input.Bill.Files.ToDictionary(f => f.Path, StringComparer.Ordinal);
        var directory = input.Settings.WorkingDirectory.Trim('/');
        var prefix = directory.Length == 0 ? string.Empty : directory + "/";
        var files = new List<LayerFile>(input.Bill.Files.Count);
        foreach (var file in input.Bill.Files)
        {
            files.Add(await LayerFileAsync(file, prefix, byPath, cancellationToken).ConfigureAwait(false));
        }

        var layer = await LayerWriter.WriteAsync(files, directory, blobs, ImageCache.None, cancellationToken).ConfigureAwait(false);
        return new(new(MediaTypes.OciLayerGzip, layer.Digest, layer.Size), layer.DiffId, IsFromBase: false);
    }

    private static async Task<LayerFile> LayerFileAsync(BillFile file, string prefix, IReadOnlyDictionary<string, BillFile> all, CancellationToken cancellationToken)
    {
        var path = prefix + file.Path;
        if (StableTimes.IsEndpointManifest(file))
        {
            byte[] content;
            try
            {
                content = await File.ReadAllBytesAsync(file.SourcePath, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new FileChangedException(file, e.Message);
            }

            if (Digest.Of(content) != file.Digest)
            {
                throw new FileChangedException(file, "its SHA-256 is another than in the bill");
            }

            try
            {
                var normalised = StableTimes.NormaliseEndpointManifest(content, all);
                return new(path, normalised.Length, file.IsExecutable, StableTimes.For(file), () => new MemoryStream(normalised, writable: false));
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException)
            {
                // Not what the .NET SDK writes under that name: then it is a file like any other.
            }
        }

        return new(path, file.Size, file.IsExecutable, StableTimes.For(file), () => VerifyingStream.Open(file));
    }

    private static async Task WriteLayoutAsync(
        string layout, string blobs, byte[] config, Descriptor configDescriptor, byte[] manifest, Descriptor manifestDescriptor, List<ComposedLayer> layers, Dictionary<string, string> labels, CancellationToken cancellationToken)
    {
        await WriteAsync(Path.Combine(blobs, configDescriptor.Digest.Hex), config, cancellationToken).ConfigureAwait(false);
        await WriteAsync(Path.Combine(blobs, manifestDescriptor.Digest.Hex), manifest, cancellationToken).ConfigureAwait(false);
        var entry = manifestDescriptor.ToJson();
        if (labels.TryGetValue("org.opencontainers.image.version", out var version))
        {
            entry["annotations"] = new JsonObject { ["org.opencontainers.image.ref.name"] = version };
        }

        var index = ImageConfig.Serialise(new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = MediaTypes.OciIndex, ["manifests"] = new JsonArray(entry) });
        await WriteAsync(Path.Combine(layout, "oci-layout"), """{"imageLayoutVersion":"1.0.0"}"""u8.ToArray(), cancellationToken).ConfigureAwait(false);
        await WriteAsync(Path.Combine(layout, "index.json"), index, cancellationToken).ConfigureAwait(false); // last: it names what must be there

        // What earlier publishes left would grow without end. What is young may belong to a publish of this project that runs beside this one,
        // which makes also what it has in common with an earlier one young.
        var used = layers.Select(l => l.Descriptor.Digest.Hex).Append(configDescriptor.Digest.Hex).Append(manifestDescriptor.Digest.Hex).ToHashSet(StringComparer.Ordinal);
        var young = DateTime.UtcNow - KeepUnused;
        foreach (var old in new DirectoryInfo(blobs).EnumerateFiles().Where(f => !used.Contains(f.Name) && f.LastWriteTimeUtc < young))
        {
            old.Delete();
        }
    }

    /// <summary>Writes a file whole or not at all: a publish of this project that runs beside this one may be reading it.</summary>
    private static async Task WriteAsync(string path, byte[] content, CancellationToken cancellationToken)
    {
        var temporary = Path.Combine(Path.GetDirectoryName(path)!, $".{Guid.NewGuid():N}.partial");
        try
        {
            await File.WriteAllBytesAsync(temporary, content, cancellationToken).ConfigureAwait(false);
            await PlaceAsync(temporary, path, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            File.Delete(temporary);
        }
    }

    // Windows does not replace a file that somebody reads at the moment.
    private static async Task PlaceAsync(string temporary, string path, CancellationToken cancellationToken)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                File.Move(temporary, path, overwrite: true);
                return;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException && OperatingSystem.IsWindows() && attempt < 50)
            {
                await Task.Delay(100, cancellationToken).ConfigureAwait(false);
            }
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

    private sealed class FileChangedException(BillFile file, string message) : Exception(message)
    {
        public BillFile File { get; } = file;
    }

    /// <summary>Reads a file of the bill and fails unless its bytes are the ones that were billed.</summary>
    private sealed class VerifyingStream : ReadThroughStream
    {
        private readonly BillFile _file;
        private readonly System.Security.Cryptography.IncrementalHash _hash = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);

        private VerifyingStream(BillFile file, FileStream inner)
            : base(inner)
        {
            _file = file;
            if (file.Size == 0)
            {
                Check();
            }
        }

        // TarWriter asks for the length of what it may seek; it is the bill's, and checked.
        public override bool CanSeek => true;

        public override long Length => _file.Size;

        public static VerifyingStream Open(BillFile file)
        {
            FileStream inner;
            long length;
            try
            {
                inner = new FileStream(file.SourcePath, new FileStreamOptions { Options = FileOptions.Asynchronous | FileOptions.SequentialScan });
                length = inner.Length;
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new FileChangedException(file, e.Message);
            }

            if (length != file.Size)
            {
                inner.Dispose();
                throw new FileChangedException(file, $"it has {length} bytes instead of {file.Size}");
            }

            return new(file, inner);
        }

        protected override void Saw(ReadOnlySpan<byte> bytes)
        {
            if (bytes.IsEmpty && Total < _file.Size)
            {
                throw new FileChangedException(_file, $"it ended after {Total} of {_file.Size} bytes");
            }

            if (!bytes.IsEmpty)
            {
                _hash.AppendData(bytes);
                if (Total >= _file.Size)
                {
                    Check();
                }
            }
        }

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                _hash.Dispose();
            }

            base.Dispose(disposing);
        }

        private void Check()
        {
            if (Total > _file.Size || Digest.FromHash(_hash.GetHashAndReset()) != _file.Digest)
            {
                throw new FileChangedException(_file, "its SHA-256 is another than in the bill");
            }
        }
    }
}
