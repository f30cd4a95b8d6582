using System.Security.Cryptography;
using System.Text;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Editions;

/// <summary>Lists what the publish folder holds: what will ship, without saying why.</summary>
public static class PublishFolder
{
    /// <summary>How often one folder may be there under different names. Links to folders with links to folders double with every level.</summary>
    private const int MaxVisits = 100;

    private static readonly TimeSpan OpenTimeout = TimeSpan.FromSeconds(15);

    /// <summary>Lists and hashes every file of the publish folder.</summary>
    /// <param name="publishDirectory">Absolute path of the folder that <c>dotnet publish</c> filled.</param>
    /// <param name="cancellationToken">Stops the reading.</param>
    /// <remarks>
    /// Links to files and folders inside are followed: an image holds what the application would read. A link that leaves the folder is an
    /// error: it would ship a file nobody published, or what another machine has under that path. So is a folder that links name more than a
    /// hundred times.
    /// </remarks>
    public static async Task<Outcome<Bill>> ReadAsync(string publishDirectory, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(publishDirectory);
        var diagnostics = new List<Diagnostic>();
        if (!Directory.Exists(publishDirectory))
        {
            return Outcome<Bill>.Failure(DiagnosticCodes.EmptyPublishFolder.Report(
                $"The publish folder {publishDirectory} does not exist. Publish without --no-build, or correct PublishDir."));
        }

        var root = RealPath.Resolve(publishDirectory)!;
        var found = new List<(string Path, string Source)>();
        Walk(root, string.Empty, root, [root], new(StringComparer.Ordinal), found, diagnostics, cancellationToken);
        if (found.Count == 0 && diagnostics.Count == 0)
        {
            diagnostics.Add(DiagnosticCodes.EmptyPublishFolder.Report(
                $"The publish folder {publishDirectory} is empty. Publish without --no-build, or correct PublishDir."));
        }

        if (diagnostics.Count > 0)
        {
            return Outcome<Bill>.Failure(diagnostics);
        }

        found.Sort((a, b) => string.CompareOrdinal(a.Path, b.Path));
        var files = new List<BillFile>(found.Count);
        foreach (var (path, source) in found)
        {
            try
            {
                files.Add(await ReadAsync(path, source, cancellationToken).ConfigureAwait(false));
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                diagnostics.Add(Unreadable(source, e.Message));
            }
        }

        return Outcome<Bill>.From(new(files), diagnostics);
    }

    private static void Walk(string directory, string prefix, string root, IReadOnlyList<string> above, Dictionary<string, int> visits, List<(string Path, string Source)> found, List<Diagnostic> diagnostics, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        List<FileSystemInfo> entries;
        try
        {
            // Attributes are not skipped: hidden files (.well-known) are published like any other.
            entries = [.. new DirectoryInfo(directory).EnumerateFileSystemInfos("*", new EnumerationOptions { AttributesToSkip = FileAttributes.None, IgnoreInaccessible = false })];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            diagnostics.Add(Unreadable(directory, e.Message));
            return;
        }

        foreach (var entry in entries)
        {
            var path = prefix + entry.Name;
            var source = entry.FullName;
            if (!IsUnicode(entry.Name))
            {
                diagnostics.Add(Unreadable(entry.FullName, "its name is not valid Unicode, or holds U+FFFD, which such names are read as"));
                continue;
            }

            if (entry.Name.StartsWith(".wh.", StringComparison.Ordinal))
            {
                // Source: OCI image spec, layer.md, «Whiteouts».
                diagnostics.Add(DiagnosticCodes.WhiteoutName.Report(
                    $"{entry.FullName} can't be in an image: there a name that begins with .wh. deletes the file named after it. Rename it, or keep it out with CopyToPublishDirectory=\"Never\".", entry.FullName));
                continue;
            }

            if (entry.LinkTarget is { } target)
            {
                if (RealPath.Resolve(entry.FullName) is not { } real)
                {
                    diagnostics.Add(Unreadable(entry.FullName, $"it is a symbolic link to '{target}', which leads nowhere"));
                    continue;
                }

                if (!RealPath.IsInside(real, root))
                {
                    diagnostics.Add(DiagnosticCodes.SymlinkOutside.Report(
                        $"{entry.FullName} is a symbolic link to {real}, outside the publish folder. Replace it by the file, or keep it out with CopyToPublishDirectory=\"Never\".", entry.FullName));
                    continue;
                }

                source = real;
            }

            if (!Directory.Exists(source))
            {
                found.Add((path, source));
            }
            else if (above.Contains(source, StringComparer.Ordinal))
            {
                diagnostics.Add(DiagnosticCodes.SymlinkOutside.Report(
                    $"{entry.FullName} is a symbolic link to {source}, a folder it lies in: it has no end. Remove it, or keep it out with CopyToPublishDirectory=\"Never\".", entry.FullName));
            }
            else if ((visits[source] = visits.GetValueOrDefault(source) + 1) <= MaxVisits)
            {
                Walk(source, path + "/", root, [.. above, source], visits, found, diagnostics, cancellationToken);
            }
            else if (visits[source] == MaxVisits + 1)
            {
                diagnostics.Add(DiagnosticCodes.SymlinkOutside.Report(
                    $"{entry.FullName} leads to {source}, a folder that symbolic links name more than {MaxVisits} times. Remove links, or keep them out with CopyToPublishDirectory=\"Never\".", entry.FullName));
            }
        }
    }

    // Linux names are bytes. .NET reads those that are no UTF-8 as U+FFFD: several names become one, and by that one no file is found.
    private static bool IsUnicode(string name) => !name.EnumerateRunes().Contains(Rune.ReplacementChar); // lone surrogates are enumerated as that too

    private static async Task<BillFile> ReadAsync(string path, string source, CancellationToken cancellationToken)
    {
        var expected = new FileInfo(source).Length;
        var stream = await OpenAsync(source, cancellationToken).ConfigureAwait(false);
        await using (stream.ConfigureAwait(false))
        {
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = new byte[128 * 1024];
            long size = 0;
            var looksExecutable = false;
            int read;
            while ((read = await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false)) > 0)
            {
                if (size == 0)
                {
                    looksExecutable = buffer.AsSpan(0, read).StartsWith("\u007fELF"u8) || buffer.AsSpan(0, read).StartsWith("#!"u8);
                }

                hash.AppendData(buffer, 0, read);
                size += read;
                if (size > expected)
                {
                    throw new IOException("it grows while it is read, or is no regular file");
                }
            }

            // The owner's bit alone: git and NuGet keep it, while group and others follow the umask.
            var isExecutable = looksExecutable || (!OperatingSystem.IsWindows() && (File.GetUnixFileMode(stream.SafeFileHandle) & UnixFileMode.UserExecute) != UnixFileMode.None);
            return new(path, source, size, Digest.FromHash(hash.GetHashAndReset()), isExecutable);
        }
    }

    /// <summary>Opens a file, but does not wait for one that is none: a named pipe opens only once somebody writes to it.</summary>
    private static async Task<FileStream> OpenAsync(string path, CancellationToken cancellationToken)
    {
        try
        {
            return await Task.Run(
                () => new FileStream(path, new FileStreamOptions { Options = FileOptions.Asynchronous | FileOptions.SequentialScan, BufferSize = 0 }),
                cancellationToken).WaitAsync(OpenTimeout, cancellationToken).ConfigureAwait(false);
        }
        catch (TimeoutException e)
        {
            throw new IOException("it does not open; it may be a named pipe", e);
        }
    }

    private static Diagnostic Unreadable(string path, string why)
        => DiagnosticCodes.UnreadableFile.Report($"{path} can't be read: {why.TrimEnd('.')}. Make it readable, or keep it out with CopyToPublishDirectory=\"Never\".", path);
}
