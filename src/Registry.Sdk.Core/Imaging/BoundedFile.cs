using Registry.Sdk.Core.Editions;

namespace Registry.Sdk.Core.Imaging;

/// <summary>Reads files of the bill whose content is only looked at: that one is gone or unreadable is said by whoever packs it.</summary>
internal static class BoundedFile
{
    /// <summary>The whole of a file; null if it is larger, or can't be read.</summary>
    public static byte[]? Read(BillFile file, int maxBytes) => file.Size > maxBytes ? null : ReadAt(file, 0, file.Size);

    /// <summary>Whether the file is as long as billed, so that it may be opened: a named pipe that took its place has no length, and opens only once somebody writes to it.</summary>
    public static bool IsThere(BillFile file)
    {
        try
        {
            return new FileInfo(file.SourcePath).Length == file.Size;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return false;
        }
    }

    /// <summary>Exactly <paramref name="count"/> bytes; null if there are not as many, or they can't be read.</summary>
    public static byte[]? ReadAt(BillFile file, long offset, long count)
    {
        // What a file says about itself is measured by the file before memory is given for it.
        if (offset < 0 || count < 0 || count > file.Size - offset || count > Array.MaxLength || !IsThere(file))
        {
            return null;
        }

        if (count == 0)
        {
            return []; // without opening: an empty file and a pipe look the same from outside
        }

        try
        {
            using var handle = File.OpenHandle(file.SourcePath);
            var bytes = new byte[count];
            var have = 0;
            while (have < count)
            {
                var read = RandomAccess.Read(handle, bytes.AsSpan(have), offset + have);
                if (read == 0)
                {
                    return null;
                }

                have += read;
            }

            return bytes;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
        {
            return null;
        }
    }
}
