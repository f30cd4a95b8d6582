namespace Registry.Sdk.TestKit;

/// <summary>A directory of its own that removes itself, and nothing else, when disposed.</summary>
public sealed class TempDirectory : IAsyncDisposable
{
    /// <summary>Creates the directory below the system's temp folder. Keep <paramref name="prefix"/> short: UNIX sockets end at 107 characters.</summary>
    public TempDirectory(string prefix = "rsdk") => Path = Directory.CreateTempSubdirectory(prefix + "-").FullName;

    /// <summary>The full path.</summary>
    public string Path { get; }

    /// <summary>A path inside; folders on the way are created.</summary>
    public string File(params string[] parts)
    {
        var path = System.IO.Path.Combine([Path, .. parts]);
        Directory.CreateDirectory(System.IO.Path.GetDirectoryName(path)!);
        return path;
    }

    /// <summary>A folder inside, created if need be.</summary>
    public string Folder(params string[] parts) => Directory.CreateDirectory(System.IO.Path.Combine([Path, .. parts])).FullName;

    /// <inheritdoc/>
    public async ValueTask DisposeAsync() => await RemoveAsync(Path);

    /// <summary>Removes a tree. Read-only entries are made writable, and a process that is just ending gets a moment to let go.</summary>
    internal static async Task RemoveAsync(string path)
    {
        for (var attempt = 0; Directory.Exists(path); attempt++)
        {
            try
            {
                Directory.Delete(path, recursive: true);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException && attempt < 10)
            {
                MakeWritable(path);
                await Task.Delay(50 * (attempt + 1));
            }
        }
    }

    private static void MakeWritable(string path)
    {
        // Only real directories are entered: a link may point at something that is not ours.
        var options = new EnumerationOptions { RecurseSubdirectories = false, AttributesToSkip = FileAttributes.None, IgnoreInaccessible = true };
        try
        {
            if (OperatingSystem.IsWindows())
            {
                System.IO.File.SetAttributes(path, FileAttributes.Normal);
            }
            else
            {
                System.IO.File.SetUnixFileMode(path, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
            }

            foreach (var entry in new DirectoryInfo(path).EnumerateFileSystemInfos("*", options))
            {
                if (entry is DirectoryInfo { LinkTarget: null })
                {
                    MakeWritable(entry.FullName);
                }
                else if (OperatingSystem.IsWindows())
                {
                    entry.Attributes = FileAttributes.Normal;
                }
            }
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            // The next attempt to delete says what is wrong.
        }
    }
}
