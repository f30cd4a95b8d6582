namespace Registry.Sdk.Core.Primitives;

/// <summary>Files that are there whole or not at all: who reads meanwhile, and who is killed meanwhile, leaves or finds no half of one.</summary>
internal static class WholeFile
{
    /// <summary>A new name in the folder of the file to be. What a killed process leaves under such a name is anybody's to delete after a while.</summary>
    public static string Temporary(string folder) => Path.Combine(folder, $".{Guid.NewGuid():N}.partial");

    /// <summary>Whether a file's name is one of <see cref="Temporary"/>'s.</summary>
    public static bool IsTemporary(string name)
        => name.Length == 41 && name[0] == '.' && name.EndsWith(".partial", StringComparison.Ordinal) && !name.AsSpan(1, 32).ContainsAnyExcept("0123456789abcdef");

    /// <summary>Writes a file.</summary>
    /// <param name="path">The file to be; what is there is replaced.</param>
    /// <param name="write">Creates the file it is given the path of, and closes it.</param>
    /// <param name="cancellationToken">Stops the wait for readers.</param>
    public static async Task WriteAsync(string path, Func<string, Task> write, CancellationToken cancellationToken)
    {
        var temporary = Temporary(Path.GetDirectoryName(path)!);
        try
        {
            await write(temporary).ConfigureAwait(false);
            await PlaceAsync(temporary, path, cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Discard(temporary);
        }
    }

    /// <summary>Writes a file with this content.</summary>
    public static Task WriteAsync(string path, byte[] content, CancellationToken cancellationToken)
        => WriteAsync(path, temporary => File.WriteAllBytesAsync(temporary, content, cancellationToken), cancellationToken);

    /// <summary>Gives a temporary file its name.</summary>
    public static async Task PlaceAsync(string temporary, string path, CancellationToken cancellationToken)
    {
        // Windows does not replace a file that somebody reads at the moment.
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

    /// <summary>Deletes a temporary file if it is still there; that it can't must not hide what went wrong before.</summary>
    public static void Discard(string temporary)
    {
        try
        {
            File.Delete(temporary);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            // It is old some day, and goes then.
        }
    }
}
