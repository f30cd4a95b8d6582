using System.Security.Cryptography;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// One OCI image layout directory, as a destination and as the home of base images. Source: OCI image spec, image-layout.md; design section 3,
/// «Destinations».
/// </summary>
/// <remarks>
/// Nothing is deleted but leftovers of our own. Every file appears by a rename, <c>index.json</c> last: whoever reads while we write, and
/// whatever a kill leaves, is a layout with the old tags. A layout may come from anywhere (a download, a stick): everything read is bounded
/// and hashed, and a file without length is never opened, because a named pipe has none and would not come back.
/// </remarks>
public sealed class LayoutRepository(LayoutDirectory layout) : IImageRepository
{
    private const string OwnPrefix = ".registry-sdk";
    private const string TemporaryPattern = OwnPrefix + "-*.partial";
    private static readonly TimeSpan LeftoverAge = TimeSpan.FromHours(1);
    private static readonly TimeSpan LockPoll = TimeSpan.FromMilliseconds(50);

    /// <summary>What Docker's loaders unpack, old ones too. Docker 20.10 knows no zstd.</summary>
    private static readonly HashSet<string> LoadableLayers = new(StringComparer.Ordinal)
    {
        MediaTypes.OciLayerTar, MediaTypes.OciLayerGzip, MediaTypes.DockerLayerGzip, "application/vnd.docker.image.rootfs.diff.tar",
    };

    /// <inheritdoc/>
    public ImagePlace Place => layout;

    /// <inheritdoc/>
    public string? CredentialSource => null;

    /// <summary>How long another process may hold the lock. It is held for single writes of index.json only.</summary>
    internal TimeSpan LockPatience { get; init; } = TimeSpan.FromSeconds(60);

    private string LayoutFile => Path.Combine(layout.FullPath, "oci-layout");

    private string IndexFile => Path.Combine(layout.FullPath, "index.json");

    private string DockerFile => Path.Combine(layout.FullPath, "manifest.json");

    private string LockFile => Path.Combine(layout.FullPath, OwnPrefix + ".lock");

    private string BlobDirectory => Path.Combine(layout.FullPath, "blobs", "sha256");

    private string DockerRepository => LayoutIndex.RepositoryName(layout.FullPath);

    /// <inheritdoc/>
    public Task PingAsync(CancellationToken cancellationToken) => GuardAsync("read", () => ReadIndexAsync(cancellationToken));

    /// <inheritdoc/>
    /// <remarks>No tag at all means the only image there is, as with skopeo.</remarks>
    public Task<ManifestContent?> GetManifestAsync(string reference, CancellationToken cancellationToken)
        => GuardAsync("read", async () =>
        {
            ArgumentNullException.ThrowIfNull(reference);
            if (await ReadIndexAsync(cancellationToken).ConfigureAwait(false) is not { } index)
            {
                return null;
            }

            var named = Digest.TryParse(reference, out var digest)
                ? (await ReachAsync(index, cancellationToken).ConfigureAwait(false)).GetValueOrDefault(digest)
                : Named(index, reference);
            digest ??= named?.Digest;
            if (digest is null || await ReadBlobAsync(digest, RegistryClient.MaxManifestBytes, cancellationToken).ConfigureAwait(false) is not { } content)
            {
                return null;
            }

            if (named is not null && named.Size != content.Length)
            {
                throw Invalid($"{digest} has {content.Length} bytes and not {named.Size}, as is said where it is named");
            }

            if (Digest.Of(content) is var found && found != digest)
            {
                throw Invalid($"the blob {digest} has other content ({found})");
            }

            var mediaType = named?.MediaType ?? MediaTypes.OfManifest(content) ?? throw Invalid($"the blob {digest} is no image manifest");
            return new ManifestContent(new(mediaType, digest, content.Length), content);
        });

    /// <inheritdoc/>
    /// <remarks>By digest only what is whole and what index.json leads to: anything else the next publish has to write again.</remarks>
    public Task<Digest?> FindManifestAsync(string reference, CancellationToken cancellationToken)
        => GuardAsync("read", async () =>
        {
            ArgumentNullException.ThrowIfNull(reference);
            if (await ReadIndexAsync(cancellationToken).ConfigureAwait(false) is not { } index)
            {
                return null;
            }

            if (!Digest.TryParse(reference, out var digest))
            {
                return Named(index, reference)?.Digest;
            }

            var named = (await ReachAsync(index, cancellationToken).ConfigureAwait(false)).GetValueOrDefault(digest);
            return named is not null && await IsWholeAsync(named, cancellationToken).ConfigureAwait(false) ? digest : null;
        });

    /// <inheritdoc/>
    /// <remarks>
    /// Hashed, base layers too: a publish hashes all it publishes anyway, and a blob that was cut off (a full stick, a lost power) would else be
    /// «there already» for every publish to come. What is not right counts as missing and is replaced.
    /// </remarks>
    public Task<bool> HasBlobAsync(Descriptor blob, CancellationToken cancellationToken)
        => GuardAsync("read", async () => await ReadIndexAsync(cancellationToken).ConfigureAwait(false) is not null && await IsWholeAsync(blob, cancellationToken).ConfigureAwait(false));

    /// <inheritdoc/>
    public async Task<byte[]?> GetSmallBlobAsync(Descriptor blob, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(blob);
        if (blob.Size > RegistryClient.MaxManifestBytes)
        {
            throw Invalid($"the blob {blob.Digest} is said to have {blob.Size} bytes; an image config has at most {RegistryClient.MaxManifestBytes}");
        }

        using var content = new MemoryStream();
        return await CopyBlobToAsync(blob, content, cancellationToken).ConfigureAwait(false) ? content.ToArray() : null;
    }

    /// <inheritdoc/>
    public async Task<bool> CopyBlobToAsync(Descriptor blob, Stream target, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(blob);
        ArgumentNullException.ThrowIfNull(target);
        var source = await GuardAsync("read", async () => await ReadIndexAsync(cancellationToken).ConfigureAwait(false) is null ? null : OpenBlob(blob.Digest)).ConfigureAwait(false);
        if (source is null)
        {
            return false;
        }

        await using (source.ConfigureAwait(false))
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = new byte[128 * 1024];
            long total = 0;
            int read;
            while (total <= blob.Size && (read = await GuardAsync("read", async () => await source.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)).ConfigureAwait(false)) > 0)
            {
                total += read;
                hash.AppendData(buffer, 0, read);
                await target.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
            }

            return total == blob.Size && Digest.FromHash(hash.GetHashAndReset()) == blob.Digest
                ? true
                : throw Invalid($"the blob {blob.Digest} has other content, or not the {blob.Size} bytes it should have");
        }
    }

    /// <inheritdoc/>
    public Task<IReadOnlyList<string>> ListTagsAsync(CancellationToken cancellationToken)
        => GuardAsync<IReadOnlyList<string>>("read", async () => [.. (await ReadIndexAsync(cancellationToken).ConfigureAwait(false))?.Tags ?? []]);

    /// <inheritdoc/>
    public Task<bool> RepositoryExistsAsync(CancellationToken cancellationToken)
        => GuardAsync("read", async () => await ReadIndexAsync(cancellationToken).ConfigureAwait(false) is not null);

    /// <inheritdoc/>
    /// <remarks>
    /// Makes an empty layout where there is none. It stays if the publish is given up: another process may be writing into it, and for every
    /// reader it is a layout without images.
    /// </remarks>
    public Task<UploadSession> StartUploadAsync(CancellationToken cancellationToken)
        => GuardAsync("written", async () =>
        {
            await PrepareAsync(cancellationToken).ConfigureAwait(false);
            var name = TemporaryName();

            // Made where blobs go and kept beside them: both folders can be written, and whoever walks through the blobs (umoci gc) finds nothing else.
            var here = Path.Combine(BlobDirectory, name);
            await File.Create(here).DisposeAsync().ConfigureAwait(false);
            File.Move(here, Path.Combine(layout.FullPath, name));

            // The name alone: a path is not always the same after it has been a URI.
            return new UploadSession(new Uri("file:///" + name));
        });

    /// <inheritdoc/>
    public async Task<UploadSession?> MountAsync(Digest digest, string fromRepository, CancellationToken cancellationToken)
        => await StartUploadAsync(cancellationToken).ConfigureAwait(false);

    /// <inheritdoc/>
    public async Task UploadAsync(UploadSession session, Descriptor blob, Func<Stream> open, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(blob);
        ArgumentNullException.ThrowIfNull(open);
        try
        {
            // Another publish may have brought it meanwhile.
            if (await GuardAsync("read", () => IsWholeAsync(blob, cancellationToken)).ConfigureAwait(false))
            {
                return;
            }

            var source = new ProgressStream(open(), bytes => progress?.Report(bytes));
            await using (source.ConfigureAwait(false))
            {
                await WriteBlobAsync(TemporaryOf(session), blob, source, cancellationToken).ConfigureAwait(false);
            }
        }
        finally
        {
            await CancelUploadAsync(session, CancellationToken.None).ConfigureAwait(false);
        }
    }

    /// <inheritdoc/>
    public Task CancelUploadAsync(UploadSession session, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(session);
        WholeFile.Discard(TemporaryOf(session));
        return Task.CompletedTask;
    }

    /// <inheritdoc/>
    public async Task PutManifestAsync(string reference, ManifestContent manifest, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(reference);
        ArgumentNullException.ThrowIfNull(manifest);
        var descriptor = manifest.Descriptor;
        var session = await StartUploadAsync(cancellationToken).ConfigureAwait(false);
        await UploadAsync(session, descriptor, () => new MemoryStream(manifest.Content, writable: false), null, cancellationToken).ConfigureAwait(false);
        await GuardAsync("written", async () =>
        {
            var handle = await LockAsync(cancellationToken).ConfigureAwait(false);
            await using (handle.ConfigureAwait(false))
            {
                var index = await ReadIndexAsync(cancellationToken).ConfigureAwait(false) ?? LayoutIndex.Empty();
                var before = index.ToBytes();
                var isDigest = Digest.TryParse(reference, out _);
                if (!isDigest || !(await ReachAsync(index, cancellationToken).ConfigureAwait(false)).ContainsKey(descriptor.Digest))
                {
                    index.Put(descriptor, isDigest ? null : reference, DockerRepository);
                }

                if (MediaTypes.IsIndex(descriptor.MediaType))
                {
                    index.DropBare(LayoutIndex.Children(manifest.Content).Select(c => c.Digest).ToHashSet());
                }

                // For Docker first: if we are stopped in between, the next publish finds its tag missing in index.json and writes both.
                await WriteDockerManifestAsync(index, cancellationToken).ConfigureAwait(false);
                var after = index.ToBytes();
                if (!after.AsSpan().SequenceEqual(before) || !File.Exists(IndexFile))
                {
                    await ReplaceAsync(IndexFile, after, cancellationToken).ConfigureAwait(false);
                }

                return true;
            }
        }).ConfigureAwait(false);
    }

    /// <summary>
    /// Everything index.json leads to, directly or by an index in it. An index whose blob is missing or wrong leads nowhere.
    /// </summary>
    private async Task<Dictionary<Digest, Descriptor>> ReachAsync(LayoutIndex index, CancellationToken cancellationToken)
    {
        var reached = new Dictionary<Digest, Descriptor>();
        var pending = new Queue<Descriptor>(index.Manifests);
        while (pending.TryDequeue(out var next))
        {
            if (reached.TryAdd(next.Digest, next) && MediaTypes.IsIndex(next.MediaType)
                && await ReadBlobAsync(next.Digest, RegistryClient.MaxManifestBytes, cancellationToken).ConfigureAwait(false) is { } content && Digest.Of(content) == next.Digest)
            {
                foreach (var child in LayoutIndex.Children(content).Where(c => MediaTypes.IsIndex(c.MediaType) || MediaTypes.IsManifest(c.MediaType)))
                {
                    pending.Enqueue(child);
                }
            }
        }

        return reached;
    }

    private Descriptor? Named(LayoutIndex index, string tag)
    {
        try
        {
            if (tag.Length > 0)
            {
                return index.Find(tag);
            }
        }
        catch (JsonException e)
        {
            throw Invalid($"its index.json is malformed: {e.Message}", e);
        }

        var all = index.Manifests.DistinctBy(m => m.Digest).ToList();
        return all.Count < 2 ? all.FirstOrDefault() : throw Invalid(
            $"it holds {all.Count} images, so the reference needs a tag or digest ({string.Join(", ", index.Tags.Take(5).Select(t => $"{layout}:{RegistryClient.Clean(t)}").DefaultIfEmpty($"{layout}@sha256:…"))})");
    }

    /// <summary>The index.json; null if there is no layout yet, and that is fine. Whatever else is in the way is said.</summary>
    private async Task<LayoutIndex?> ReadIndexAsync(CancellationToken cancellationToken)
    {
        if (!Directory.Exists(layout.FullPath))
        {
            return File.Exists(layout.FullPath) ? throw Invalid("it is a file and no directory") : null;
        }

        if (await ReadFileAsync(LayoutFile, 64 * 1024, cancellationToken).ConfigureAwait(false) is not { } header)
        {
            if (!Directory.EnumerateFileSystemEntries(layout.FullPath).Any(e => !Path.GetFileName(e).StartsWith(OwnPrefix, StringComparison.Ordinal)))
            {
                return null;
            }

            // Looked at once more: another publish may just be making the layout.
            return File.Exists(LayoutFile)
                ? await ReadIndexAsync(cancellationToken).ConfigureAwait(false)
                : throw Invalid("it is no OCI layout (it has no file oci-layout) and not empty");
        }

        try
        {
            // A later 1.0.x is the same to whoever reads; anything else is not known. Source: image-layout.md, «oci-layout file».
            if (RegistryJson.Parse(header)?["imageLayoutVersion"] is not JsonValue version || !version.TryGetValue<string>(out var text) || !text.StartsWith("1.0.", StringComparison.Ordinal))
            {
                throw Invalid("its file oci-layout does not say imageLayoutVersion 1.0.0");
            }

            if (await ReadFileAsync(IndexFile, RegistryClient.MaxManifestBytes, cancellationToken).ConfigureAwait(false) is { } content)
            {
                return LayoutIndex.Parse(content);
            }
        }
        catch (JsonException e)
        {
            throw Invalid($"its files oci-layout and index.json can't be read as JSON: {e.Message}", e);
        }

        if (!Directory.Exists(BlobDirectory) || !Directory.EnumerateFiles(BlobDirectory).Any(f => !Path.GetFileName(f).StartsWith(OwnPrefix, StringComparison.Ordinal)))
        {
            return null;
        }

        return File.Exists(IndexFile) ? await ReadIndexAsync(cancellationToken).ConfigureAwait(false) : throw Invalid("it has blobs but no index.json");
    }

    /// <summary>Makes an empty layout where there is none. Each step leaves something that <see cref="ReadIndexAsync"/> takes for one.</summary>
    private async Task PrepareAsync(CancellationToken cancellationToken)
    {
        var index = await ReadIndexAsync(cancellationToken).ConfigureAwait(false);
        Directory.CreateDirectory(layout.FullPath);
        if (!File.Exists(LayoutFile))
        {
            await ReplaceAsync(LayoutFile, """{"imageLayoutVersion":"1.0.0"}"""u8.ToArray(), cancellationToken).ConfigureAwait(false);
        }

        // Looked at before it is made: links that lead elsewhere would be followed.
        _ = Inside(BlobDirectory);
        Directory.CreateDirectory(BlobDirectory);
        if (index is null)
        {
            var handle = await LockAsync(cancellationToken).ConfigureAwait(false);
            await using (handle.ConfigureAwait(false))
            {
                if (!File.Exists(IndexFile))
                {
                    await ReplaceAsync(IndexFile, LayoutIndex.Empty().ToBytes(), cancellationToken).ConfigureAwait(false);
                }
            }
        }

        foreach (var leftover in Directory.EnumerateFiles(layout.FullPath, TemporaryPattern).Concat(Directory.EnumerateFiles(BlobDirectory, TemporaryPattern)))
        {
            if (File.GetLastWriteTimeUtc(leftover) < DateTime.UtcNow - LeftoverAge)
            {
                WholeFile.Discard(leftover);
            }
        }
    }

    /// <summary>
    /// Beside index.json what <c>docker load</c> reads: the images of one platform that have a name and all their blobs. Source: moby
    /// docker-image-spec 1.3, manifest.json; layers may be compressed.
    /// </summary>
    private async Task WriteDockerManifestAsync(LayoutIndex index, CancellationToken cancellationToken)
    {
        JsonArray there = [];
        var before = await ReadFileAsync(DockerFile, RegistryClient.MaxManifestBytes, cancellationToken).ConfigureAwait(false);
        if (before is not null)
        {
            try
            {
                if (StrictJson.Node(before) is not JsonArray array)
                {
                    return; // something else of that name
                }

                there = array;
            }
            catch (JsonException)
            {
                return;
            }
        }

        var names = index.DockerNames(DockerRepository).ToList();
        var written = new JsonArray();
        var configs = new HashSet<string>(StringComparer.Ordinal);
        foreach (var image in names.Where(n => n.Name is not null && MediaTypes.IsManifest(n.Manifest.MediaType)).GroupBy(n => n.Manifest.Digest))
        {
            if (await DockerEntryAsync(image.Key, cancellationToken).ConfigureAwait(false) is { } entry)
            {
                configs.Add(entry["Config"]!.GetValue<string>());
                entry["RepoTags"] = Names(image.Select(n => n.Name!).Distinct(StringComparer.Ordinal));
                written.Add(entry);
            }
        }

        // What somebody else put there (docker save makes such layouts) stays, without the names that index.json gives to something now.
        var taken = names.Select(n => n.Name).ToHashSet(StringComparer.Ordinal);
        foreach (var entry in there.OfType<JsonObject>().Where(e => !configs.Contains(e["Config"]?.ToString() ?? string.Empty)).ToList())
        {
            var tags = (entry["RepoTags"] as JsonArray ?? []).Select(t => t?.ToString() ?? string.Empty).ToList();
            var left = tags.Where(t => !taken.Contains(t)).ToList();
            if (tags.Count == 0 || left.Count > 0)
            {
                there.Remove(entry);
                if (left.Count < tags.Count)
                {
                    entry["RepoTags"] = Names(left);
                }

                written.Add(entry);
            }
        }

        var after = JsonSerializer.SerializeToUtf8Bytes(written, LayoutIndex.Json);
        if (before is null ? written.Count > 0 : !after.AsSpan().SequenceEqual(before))
        {
            await ReplaceAsync(DockerFile, after, cancellationToken).ConfigureAwait(false);
        }

        static JsonArray Names(IEnumerable<string> names) => [.. names.Select(n => JsonValue.Create(n))];
    }

    /// <summary>An image's entry but for its names; null if Docker could not load it, because then it would load nothing.</summary>
    private async Task<JsonObject?> DockerEntryAsync(Digest digest, CancellationToken cancellationToken)
    {
        if (await ReadBlobAsync(digest, RegistryClient.MaxManifestBytes, cancellationToken).ConfigureAwait(false) is not { } content || Digest.Of(content) != digest)
        {
            return null;
        }

        try
        {
            var json = RegistryJson.Parse(content);
            var layers = (json?["layers"] as JsonArray ?? []).Select(Descriptor.FromJson).ToList();
            return Descriptor.FromJson(json?["config"]) is { MediaType: MediaTypes.OciConfig or MediaTypes.DockerConfig } config && IsThere(config)
                && layers.TrueForAll(l => l is not null && LoadableLayers.Contains(l.MediaType) && IsThere(l))
                ? new JsonObject
                {
                    ["Config"] = Name(config),
                    ["RepoTags"] = null,
                    ["Layers"] = new JsonArray([.. layers.Select(l => JsonValue.Create(Name(l!)))]),
                }
                : null;
        }
        catch (JsonException)
        {
            return null;
        }

        static string Name(Descriptor blob) => $"blobs/sha256/{blob.Digest.Hex}";
        bool IsThere(Descriptor blob) => Length(Path.Combine(BlobDirectory, blob.Digest.Hex)) == blob.Size;
    }

    /// <summary>Waits for the lock that all publishes into this directory share, also those of other processes.</summary>
    /// <remarks>The file stays: whoever removes it takes the lock from under another who has just opened it.</remarks>
    private async Task<FileStream> LockAsync(CancellationToken cancellationToken)
    {
        _ = Inside(LockFile);
        for (var start = TimeProvider.System.GetTimestamp(); ;)
        {
            try
            {
                return new FileStream(LockFile, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            }
            catch (IOException e) when (IsHeld(e))
            {
                if (TimeProvider.System.GetElapsedTime(start) > LockPatience)
                {
                    throw new LayoutException(layout, isInvalid: false, $"another process has held its lock {Path.GetFileName(LockFile)} for {LockPatience.TotalSeconds:0} seconds; end it, then publish again", e);
                }

                await Task.Delay(LockPoll, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    // EWOULDBLOCK of flock(2) (11 on Linux, 35 on macOS); ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION on Windows.
    private static bool IsHeld(IOException e) => OperatingSystem.IsWindows() ? (e.HResult & 0xFFFF) is 32 or 33 : e.HResult is 11 or 35;

    private async Task<bool> IsWholeAsync(Descriptor blob, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(blob);
        var path = BlobPath(blob.Digest);
        if (path is null || Length(path) != blob.Size)
        {
            return false;
        }

        if (blob.Size == 0)
        {
            return Digest.Of([]) == blob.Digest;
        }

        var file = Open(path);
        await using (file.ConfigureAwait(false))
        {
            return await Digest.OfAsync(file, cancellationToken).ConfigureAwait(false) == blob.Digest;
        }
    }

    private async Task WriteBlobAsync(string temporary, Descriptor blob, Stream source, CancellationToken cancellationToken)
    {
        var digest = await WriteAsync(temporary, source, cancellationToken).ConfigureAwait(false);
        if (digest != blob.Digest)
        {
            // Not this directory's fault: what we were given is wrong.
            throw new IOException($"what should be the blob {blob.Digest} is {digest}");
        }

        Guard("written", () => File.Move(temporary, Path.Combine(BlobDirectory, blob.Digest.Hex), overwrite: true));
    }

    private async Task ReplaceAsync(string path, byte[] content, CancellationToken cancellationToken)
    {
        var temporary = Path.Combine(layout.FullPath, TemporaryName());
        try
        {
            using var source = new MemoryStream(content, writable: false);
            await WriteAsync(temporary, source, cancellationToken).ConfigureAwait(false);
            File.Move(temporary, path, overwrite: true);
        }
        finally
        {
            WholeFile.Discard(temporary);
        }
    }

    /// <summary>Writes a file and waits for the disk: a rename must not get there before the content. Reading failures are the caller's.</summary>
    private async Task<Digest> WriteAsync(string path, Stream source, CancellationToken cancellationToken)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        var file = Guard("written", () => new FileStream(path, FileMode.Create, FileAccess.Write, FileShare.Read, bufferSize: 0, FileOptions.Asynchronous));
        try
        {
            var buffer = new byte[128 * 1024];
            int read;
            while ((read = await source.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
            {
                hash.AppendData(buffer, 0, read);
                await GuardAsync("written", async () =>
                {
                    await file.WriteAsync(buffer.AsMemory(0, read), cancellationToken).ConfigureAwait(false);
                    return true;
                }).ConfigureAwait(false);
            }

            Guard("written", () => file.Flush(flushToDisk: true));
        }
        finally
        {
            await file.DisposeAsync().ConfigureAwait(false);
        }

        return Digest.FromHash(hash.GetHashAndReset());
    }

    // Not WholeFile's: in somebody's directory whose it is has to show.
    private static string TemporaryName() => $"{OwnPrefix}-{Guid.NewGuid():N}.partial";

    // Only the name is believed: a session is one of ours.
    private string TemporaryOf(UploadSession session) => Path.Combine(layout.FullPath, Path.GetFileName(session.Location.LocalPath));

    /// <summary>A blob's whole content if it is small enough, not yet compared with its digest; null if there is none.</summary>
    private async Task<byte[]?> ReadBlobAsync(Digest digest, int maximum, CancellationToken cancellationToken)
        => BlobPath(digest) is { } path ? await ReadAllAsync(path, maximum, $"the blob {digest}", cancellationToken).ConfigureAwait(false) : null;

    private async Task<byte[]?> ReadFileAsync(string path, int maximum, CancellationToken cancellationToken)
        => Inside(path) is null ? null : await ReadAllAsync(path, maximum, $"its file {Path.GetFileName(path)}", cancellationToken).ConfigureAwait(false);

    private async Task<byte[]> ReadAllAsync(string path, int maximum, string what, CancellationToken cancellationToken)
    {
        if (Length(path) == 0)
        {
            return [];
        }

        var file = Open(path);
        await using (file.ConfigureAwait(false))
        {
            if (file.Length > maximum)
            {
                throw Invalid($"{what} has {file.Length} bytes; more than {maximum} are not read");
            }

            var content = new byte[file.Length];
            await file.ReadAtLeastAsync(content, content.Length, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false);
            return content;
        }
    }

    private Stream? OpenBlob(Digest digest)
        => BlobPath(digest) is not { } path ? null : Length(path) == 0 ? new MemoryStream() : Open(path);

    // Without a share of its own, so that it locks nobody out.
    private static FileStream Open(string path)
        => new(path, FileMode.Open, FileAccess.Read, FileShare.ReadWrite | FileShare.Delete, bufferSize: 0, FileOptions.Asynchronous | FileOptions.SequentialScan);

    /// <summary>Of a link the target's; -1 if there is nothing.</summary>
    private static long Length(string path)
        => RealPath.Resolve(path) is { } real && new FileInfo(real) is { Exists: true } file ? file.Length : -1;

    /// <summary>Where a blob is; null if it is not there.</summary>
    private string? BlobPath(Digest digest) => Inside(Path.Combine(BlobDirectory, digest.Hex));

    /// <summary>A path of the layout; null if there is nothing. Links may not lead out of it, and only the folder of blobs is one.</summary>
    private string? Inside(string path)
    {
        var relative = Path.GetRelativePath(layout.FullPath, path).Replace('\\', '/');
        var real = RealPath.Resolve(path);

        // What is not there will be made in what is: that must not be elsewhere either.
        for (var part = path; ; part = Path.GetDirectoryName(part)!)
        {
            if (RealPath.Resolve(part) is { } there)
            {
                if (RealPath.Resolve(layout.FullPath) is { } root && !RealPath.IsInside(there, root) && part.Length > layout.FullPath.Length)
                {
                    throw Invalid($"{relative} leads out of the directory by a symbolic link");
                }

                break;
            }

            if (new FileInfo(part).LinkTarget is not null)
            {
                throw Invalid($"{relative} is a link that leads nowhere");
            }
        }

        if (real is not null && Directory.Exists(real) != (path == BlobDirectory))
        {
            throw Invalid($"{relative} is {(path == BlobDirectory ? "no directory" : "a directory and no file")}");
        }

        return real is null ? null : path;
    }

    private LayoutException Invalid(string why, Exception? inner = null) => new(layout, isInvalid: true, $"the directory can't be used: {why}", inner);

    private LayoutException Failed(string verb, Exception e)
        // The system's words name the full path; reports are shared, and folders name people.
        => new(layout, isInvalid: false, $"the directory can't be {verb}: {PlainText.Of(e.Message).Replace(layout.FullPath, layout.Written, StringComparison.Ordinal).TrimEnd('.')}", e);

    private async Task<T> GuardAsync<T>(string verb, Func<Task<T>> action)
    {
        try
        {
            return await action().ConfigureAwait(false);
        }
        catch (Exception e) when (e is UnauthorizedAccessException or (IOException and not LayoutException))
        {
            throw Failed(verb, e);
        }
    }

    private T Guard<T>(string verb, Func<T> action)
    {
        try
        {
            return action();
        }
        catch (Exception e) when (e is UnauthorizedAccessException or (IOException and not LayoutException))
        {
            throw Failed(verb, e);
        }
    }

    private void Guard(string verb, Action action) => Guard(verb, () =>
    {
        action();
        return true;
    });
}
