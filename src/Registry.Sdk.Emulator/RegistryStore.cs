using System.Security.Cryptography;
using System.Text;

namespace Registry.Sdk.Emulator;

/// <summary>
/// The state directory. The file system is the only truth, so a restarted server, or a seeder beside a running one, needs no index:
/// <code>
/// blobs/sha256/HEX                            content of blobs and manifests, shared by all repositories
/// repositories/NAME/_blobs/HEX                empty: this repository holds that blob
/// repositories/NAME/_manifests/HEX            the manifest's media type
/// repositories/NAME/_tags/tag!HASH            "DIGEST TAG"
/// repositories/NAME/_referrers/HEX/HEX        empty: the second manifest has the first as its subject
/// partial/                                    files being written; renamed into place when complete
/// </code>
/// Everything appears by rename, so a kill leaves nothing half-written but files in <c>partial/</c>, which the next server removes.
/// Symbolic links in it are not followed but taken for nothing: they would serve files that nobody pushed.
/// Name parts cannot begin with <c>_</c>, so the folders of a repository never meet those of one nested in it.
/// </summary>
internal sealed class RegistryStore
{
    private const string ServerPrefix = "upload-";

    // Tags first: what is half removed must not name what is gone.
    private static readonly string[] RepositoryFolders = ["_tags", "_referrers", "_manifests", "_blobs"];

    private readonly string _root;
    private readonly string _partial;
    private readonly string _prefix;

    // Guards links and tags, all of them tiny: a manifest's check, link and tag are one step for every other request.
    private readonly Lock _gate = new();

    /// <param name="root">The state directory; made when absent.</param>
    /// <param name="seeding">
    /// Set by a seeder, which writes beside a server that may be off or just starting: its unfinished files carry another prefix, for a
    /// starting server to leave alone.
    /// </param>
    public RegistryStore(string root, bool seeding = false)
    {
        _prefix = seeding ? "seed-" : ServerPrefix;
        _root = Path.GetFullPath(root);
        _partial = Path.Combine(_root, "partial");
        Directory.CreateDirectory(_partial);
        Directory.CreateDirectory(Path.Combine(_root, "blobs", "sha256"));
        Directory.CreateDirectory(Path.Combine(_root, "repositories"));
    }

    /// <summary>Removes what a killed server left. Only a server may call this, while it holds the directory's lock.</summary>
    public void RemoveAbandonedUploads()
    {
        foreach (var file in Directory.EnumerateFiles(_partial, ServerPrefix + "*"))
        {
            File.Delete(file);
        }
    }

    /// <summary>A path for a file (or a seeder's folder) being written.</summary>
    public string NewPartialFile() => Path.Combine(_partial, _prefix + Guid.NewGuid().ToString("N"));

    public bool RepositoryExists(string name) =>
        IsFolder(RepositoryFolder(name, "_blobs")) || IsFolder(RepositoryFolder(name, "_manifests"));

    /// <summary>Whether the repository holds a manifest: blobs alone, which an unfinished push leaves, do not make it one for its users.</summary>
    public bool HasManifests(string name) =>
        RepositoryFolder(name, "_manifests") is var folder && IsFolder(folder) && Directory.EnumerateFiles(folder).Any();

    /// <summary>Digests of the repository's manifests, in ASCII order.</summary>
    public IReadOnlyList<string> ListManifests(string name) =>
        RepositoryFolder(name, "_manifests") is var folder && IsFolder(folder)
            ? [.. Directory.EnumerateFiles(folder).Select(file => "sha256:" + Path.GetFileName(file)).Order(StringComparer.Ordinal)]
            : [];

    /// <summary>Removes all a repository holds; repositories nested in it stay.</summary>
    public void RemoveRepository(string name)
    {
        lock (_gate)
        {
            foreach (var folder in RepositoryFolders.Select(kind => RepositoryFolder(name, kind)).Where(IsFolder))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    /// <summary>Path of a content, whatever repository holds it.</summary>
    public string? FindContent(string digest) => ContentPath(digest) is var path && IsFile(path) ? path : null;

    /// <summary>Path of a blob's content if the repository holds the blob, else <see langword="null"/>.</summary>
    public string? FindBlob(string name, string digest)
    {
        var content = ContentPath(digest);
        return IsFile(BlobLink(name, digest)) && IsFile(content) ? content : null;
    }

    /// <summary>Moves a complete file, whose digest the caller has computed, into the store and links it in the repository.</summary>
    public void AddBlob(string name, string digest, string partialFile)
    {
        MoveIntoPlace(partialFile, ContentPath(digest));
        LinkBlob(name, digest);
    }

    /// <summary>Links a blob of one repository in another (distribution-spec "Mounting a blob from another repository").</summary>
    public bool TryMount(string fromName, string name, string digest)
    {
        if (FindBlob(fromName, digest) is null)
        {
            return false;
        }

        LinkBlob(name, digest);
        return true;
    }

    /// <summary>Takes the blob out of the repository. The content stays: there is no garbage collection.</summary>
    public bool RemoveBlob(string name, string digest)
    {
        lock (_gate)
        {
            var link = BlobLink(name, digest);
            if (!IsFile(link))
            {
                return false;
            }

            File.Delete(link);
            return true;
        }
    }

    /// <summary>The digest a tag names, or <see langword="null"/>.</summary>
    public string? ResolveTag(string name, string tag)
    {
        lock (_gate)
        {
            var file = TagFile(name, tag);
            return IsFile(file) ? ParseTagFile(file).Digest : null;
        }
    }

    /// <summary>A manifest's bytes and media type if the repository holds it.</summary>
    public StoredManifest? FindManifest(string name, string digest)
    {
        lock (_gate)
        {
            var link = ManifestLink(name, digest);
            return IsFile(link) && IsFile(ContentPath(digest)) ? new StoredManifest(digest, File.ReadAllText(link), File.ReadAllBytes(ContentPath(digest))) : null;
        }
    }

    public long? FindManifestSize(string name, string digest)
    {
        lock (_gate)
        {
            return IsFile(ManifestLink(name, digest)) && IsFile(ContentPath(digest)) ? new FileInfo(ContentPath(digest)).Length : null;
        }
    }

    /// <summary>Stores a manifest, and names it by a tag if one is given.</summary>
    /// <param name="name">The repository.</param>
    /// <param name="manifest">The manifest; its digest must be that of its bytes.</param>
    /// <param name="tag">Tag that is to name it, or <see langword="null"/>.</param>
    /// <param name="subject">Digest of the manifest it refers to, or <see langword="null"/>.</param>
    /// <param name="check">Runs first, in the same step, and throws when the manifest is not to be stored.</param>
    public void PutManifest(string name, StoredManifest manifest, string? tag, string? subject, Action check)
    {
        lock (_gate)
        {
            check();
            if (!IsFile(ContentPath(manifest.Digest)))
            {
                WriteAtomically(ContentPath(manifest.Digest), manifest.Content);
            }

            WriteAtomically(ManifestLink(name, manifest.Digest), Encoding.UTF8.GetBytes(manifest.MediaType));
            if (subject is not null)
            {
                WriteAtomically(Path.Combine(ReferrersFolder(name, subject), Hex(manifest.Digest)), []);
            }

            if (tag is not null)
            {
                WriteAtomically(TagFile(name, tag), Encoding.UTF8.GetBytes($"{manifest.Digest} {tag}"));
            }
        }
    }

    public bool RemoveTag(string name, string tag)
    {
        lock (_gate)
        {
            var file = TagFile(name, tag);
            if (!IsFile(file))
            {
                return false;
            }

            File.Delete(file);
            return true;
        }
    }

    /// <summary>Removes a manifest and every tag that names it.</summary>
    public bool RemoveManifest(string name, string digest)
    {
        lock (_gate)
        {
            var link = ManifestLink(name, digest);
            if (!IsFile(link))
            {
                return false;
            }

            // Tags first: a kill in between must not leave a tag that names nothing.
            foreach (var file in TagFiles(name).Where(file => string.Equals(ParseTagFile(file).Digest, digest, StringComparison.Ordinal)))
            {
                File.Delete(file);
            }

            File.Delete(link);
            return true;
        }
    }

    /// <summary>All tags in ASCII order.</summary>
    public IReadOnlyList<string> ListTags(string name)
    {
        lock (_gate)
        {
            return [.. TagFiles(name).Select(file => ParseTagFile(file).Tag).Order(StringComparer.Ordinal)];
        }
    }

    /// <summary>The manifests of the repository that have this digest as their subject, in order of digest.</summary>
    public IReadOnlyList<StoredManifest> ListReferrers(string name, string subject)
    {
        lock (_gate)
        {
            var folder = ReferrersFolder(name, subject);
            return !IsFolder(folder)
                ? []
                : [.. Directory.EnumerateFiles(folder)
                    .Select(file => Path.GetFileName(file))
                    .Order(StringComparer.Ordinal)
                    .Select(hex => FindManifest(name, "sha256:" + hex))
                    .OfType<StoredManifest>()];
        }
    }

    private static string Hex(string digest) => digest["sha256:".Length..];

    private static (string Digest, string Tag) ParseTagFile(string file)
    {
        var parts = File.ReadAllText(file).Split(' ');
        return (parts[0], parts[1]);
    }

    private void MoveIntoPlace(string partialFile, string target)
    {
        MakeFolderOf(target);
        if (IsFile(target))
        {
            File.Delete(partialFile);
            return;
        }

        try
        {
            File.Move(partialFile, target, overwrite: true);
        }
        catch (IOException) when (IsFile(target))
        {
            // Windows: somebody stored the same content first and it is being read. Same digest, same bytes.
            File.Delete(partialFile);
        }
    }

    private bool IsFile(string path) => File.Exists(path) && !HasLink(path);

    private bool IsFolder(string path) => Directory.Exists(path) && !HasLink(path);

    // The state directory itself may be a link: that is the choice of who starts the emulator.
    private bool HasLink(string path)
    {
        for (var part = path; part.Length > _root.Length; part = Path.GetDirectoryName(part)!)
        {
            if (new FileInfo(part).LinkTarget is not null)
            {
                return true;
            }
        }

        return false;
    }

    private void MakeFolderOf(string path)
    {
        var folder = Path.GetDirectoryName(path)!;
        if (HasLink(folder))
        {
            throw new IOException($"{folder} is behind a symbolic link");
        }

        Directory.CreateDirectory(folder);
    }

    private string ContentPath(string digest) => Path.Combine(_root, "blobs", "sha256", Hex(digest));

    private string RepositoryFolder(string name, string kind) => Path.Combine([_root, "repositories", .. name.Split('/'), kind]);

    private string BlobLink(string name, string digest) => Path.Combine(RepositoryFolder(name, "_blobs"), Hex(digest));

    private string ManifestLink(string name, string digest) => Path.Combine(RepositoryFolder(name, "_manifests"), Hex(digest));

    private string ReferrersFolder(string name, string subject) => Path.Combine(RepositoryFolder(name, "_referrers"), Hex(subject));

    // Tags differ in case alone at times, file names on Windows and macOS may not: hence the hash behind a tag's readable form.
    private string TagFile(string name, string tag) => Path.Combine(
        RepositoryFolder(name, "_tags"),
        tag.ToLowerInvariant() + "!" + Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(tag)))[..8]);

    private string[] TagFiles(string name)
    {
        var folder = RepositoryFolder(name, "_tags");
        return IsFolder(folder) ? [.. Directory.EnumerateFiles(folder).Where(IsFile)] : [];
    }

    private void LinkBlob(string name, string digest)
    {
        lock (_gate)
        {
            WriteAtomically(BlobLink(name, digest), []);
        }
    }

    private void WriteAtomically(string path, ReadOnlySpan<byte> content)
    {
        MakeFolderOf(path);
        var partial = NewPartialFile();
        File.WriteAllBytes(partial, content);
        File.Move(partial, path, overwrite: true);
    }
}

/// <summary>A manifest or index as stored: exact bytes.</summary>
internal sealed record StoredManifest(string Digest, string MediaType, byte[] Content);
