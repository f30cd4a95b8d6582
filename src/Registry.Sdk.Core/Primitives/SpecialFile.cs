using System.Formats.Tar;

namespace Registry.Sdk.Core.Primitives;

/// <summary>Tells files from what only looks like one: opening a named pipe waits for a writer, and a device may never end.</summary>
internal static class SpecialFile
{
    private const int TypeFlag = 156; // in a header of POSIX's ustar format

    /// <summary>Whether a path leads, through links, to a regular file. Nothing that is none is opened.</summary>
    /// <exception cref="IOException">It can't be told.</exception>
    /// <exception cref="UnauthorizedAccessException">It can't be told.</exception>
    public static bool IsRegular(string path)
    {
        // A link into /proc/self/fd (/dev/stdin, a shell's <(…)) leads to no name.
        if (RealPath.Resolve(path) is not { } real)
        {
            return false;
        }

        // Only a regular file has a length. Of one without, .NET tells the type nowhere but in an archive's header (and it has no content to copy there).
        if (OperatingSystem.IsWindows() || new FileInfo(real).Length > 0)
        {
            return true;
        }

        using var archive = new MemoryStream();
        try
        {
            using var writer = new TarWriter(archive, TarEntryFormat.Ustar, leaveOpen: true);
            writer.WriteEntry(real, "x");
        }
        catch (Exception e) when (e is IOException and not FileNotFoundException || e is ArgumentException or InvalidDataException)
        {
            return false; // a socket has no type there
        }

        return archive.Length > TypeFlag && (TarEntryType)archive.GetBuffer()[TypeFlag] is TarEntryType.RegularFile or TarEntryType.V7RegularFile;
    }
}
