using System.Security.Cryptography;
using System.Text;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Transfer;

/// <summary>
/// Notes of where layers lie in registries, in the user's cache: the services of one solution are published by several processes (<c>-m</c>), and a
/// layer that one has sent the others mount from there. Who holds a layer's note is the one that sends it; the others wait for it.
/// </summary>
/// <remarks>
/// One file per registry, source repository and layer: <c>notes/&lt;hash>/&lt;digest's hex></c>, its content the repository's name and nothing else; the
/// lock on the file is the lock on the note, and ends with the process. A note is a hint: one that is wrong costs one request, after a week it counts
/// for nothing, and whatever goes wrong with the file (no cache, no right, a full disk) means that there is none. Notes are per source
/// repository, so that a mount names to a registry only what this very project or solution publishes to that registry.
/// </remarks>
internal sealed class BlobNotes
{
    private const string FolderName = "notes";
    /// <summary>A repository's name has at most 255.</summary>
    internal const int MostBytes = 256;

    /// <summary>How long a note counts.</summary>
    internal static readonly TimeSpan Expiry = TimeSpan.FromDays(7);
    private static readonly TimeSpan Poll = TimeSpan.FromMilliseconds(50);

    private readonly string? _folder;
    private readonly string _scope;
    private volatile bool _hasWaitedInVain;

    /// <summary>Notes in a cache.</summary>
    /// <param name="cache">The user's cache.</param>
    /// <param name="scope">Absolute folder of the source repository, else of the project; null: no notes.</param>
    public BlobNotes(ImageCache cache, string? scope)
    {
        ArgumentNullException.ThrowIfNull(cache);
        _folder = scope is not null && cache.Root is { } root ? Path.Combine(root, FolderName) : null;
        _scope = scope ?? string.Empty;
    }

    /// <summary>
    /// How long another process may take for sending a layer before it is sent beside it. Who has waited so long in vain waits for no note any more: a
    /// process that was stopped holds all of its own.
    /// </summary>
    internal TimeSpan Patience { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>The clock of that wait: the machine's, for it is other processes that are waited for.</summary>
    internal TimeProvider Time { get; init; } = TimeProvider.System;

    /// <summary>Takes the note of a layer, waiting while somebody else has it; null: there are no notes, or the wait was too long.</summary>
    /// <param name="registry">What makes two registries one (<see cref="EndpointMap.Identity"/>).</param>
    /// <param name="layer">The layer.</param>
    /// <param name="cancellationToken">Stops the wait.</param>
    public async Task<BlobNote?> TakeAsync(string registry, Digest layer, CancellationToken cancellationToken)
    {
        for (var start = Time.GetTimestamp(); ;)
        {
            var note = TryTake(registry, layer, out var isHeld);
            if (!isHeld || _hasWaitedInVain)
            {
                return note;
            }

            if (Time.GetElapsedTime(start) > Patience)
            {
                _hasWaitedInVain = true;
                return null;
            }

            await Task.Delay(Poll, Time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Takes the note of a layer without waiting; null: there are no notes, or somebody else has it.</summary>
    /// <param name="registry">What makes two registries one (<see cref="EndpointMap.Identity"/>).</param>
    /// <param name="layer">The layer.</param>
    /// <param name="isHeld">Whether somebody else has it.</param>
    public BlobNote? TryTake(string registry, Digest layer, out bool isHeld)
    {
        isHeld = false;
        if (_folder is null)
        {
            return null;
        }

        try
        {
            var folder = Path.Combine(_folder, Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{registry}\n{_scope}")))[..32]);
            var path = Path.Combine(folder, layer.Hex);
            // The cache may come from elsewhere: nothing is written where a link in it leads.
            if (IsLink(_folder) || IsLink(folder) || IsLink(path))
            {
                return null;
            }

            if (!Directory.Exists(folder))
            {
                // Names of private repositories are nobody else's business.
                _ = OperatingSystem.IsWindows() ? Directory.CreateDirectory(folder) : Directory.CreateDirectory(folder, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }

            var file = new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None, bufferSize: 0);
            if (file.CanSeek)
            {
                return new(file);
            }

            // A pipe.
            file.Dispose();
            return null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            isHeld = e is IOException io && IsHeld(io);
            return null;
        }
    }

    /// <summary>Deletes the notes that count for nothing any more.</summary>
    public void Trim()
    {
        if (_folder is null || !Directory.Exists(_folder) || IsLink(_folder))
        {
            return;
        }

        try
        {
            foreach (var file in new DirectoryInfo(_folder).EnumerateFiles("*", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 1, AttributesToSkip = FileAttributes.ReparsePoint }))
            {
                // What is not named like a note is somebody else's.
                if (file.Name.Length == 64 && !file.Name.AsSpan().ContainsAnyExcept("0123456789abcdef") && BlobNote.IsOld(file.LastWriteTimeUtc, Expiry))
                {
                    file.Delete();
                }
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // The next publish tries again.
        }
    }

    private static bool IsLink(string path) => new FileInfo(path).LinkTarget is not null;

    // EWOULDBLOCK of flock(2) (11 on Linux, 35 on macOS); ERROR_SHARING_VIOLATION and ERROR_LOCK_VIOLATION on Windows.
    private static bool IsHeld(IOException e) => OperatingSystem.IsWindows() ? (e.HResult & 0xFFFF) is 32 or 33 : e.HResult is 11 or 35;
}

/// <summary>One note, held until it is disposed of.</summary>
internal sealed class BlobNote : IDisposable
{
    private readonly FileStream _file;

    /// <summary>Reads the note.</summary>
    public BlobNote(FileStream file)
    {
        _file = file;
        try
        {
            if (file.Length is > 0 and <= BlobNotes.MostBytes && !IsOld(File.GetLastWriteTimeUtc(file.SafeFileHandle), BlobNotes.Expiry))
            {
                var content = new byte[file.Length];
                file.ReadExactly(content);
                var name = Encoding.UTF8.GetString(content);
                Repository = RepositoryReference.IsLegalName(name) ? name : null;
            }
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Then it says nothing.
        }
    }

    /// <summary>The repository that has the layer, as somebody noted; null: nobody did.</summary>
    public string? Repository { get; }

    /// <summary>Notes that a repository has the layer.</summary>
    public void Write(string repository)
    {
        try
        {
            _file.SetLength(0);
            _file.Position = 0;
            _file.Write(Encoding.UTF8.GetBytes(repository));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // Then nobody knows, and sends it again.
        }
    }

    /// <summary>Whether a note of that time counts for nothing any more. A clock that was wrong once must not keep one for years.</summary>
    public static bool IsOld(DateTime written, TimeSpan expiry) => DateTime.UtcNow - written > expiry || written > DateTime.UtcNow.AddHours(1);

    /// <inheritdoc/>
    public void Dispose() => _file.Dispose();
}
