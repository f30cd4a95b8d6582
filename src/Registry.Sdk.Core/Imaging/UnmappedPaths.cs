using System.Reflection.PortableExecutable;
using Registry.Sdk.Core.Editions;

namespace Registry.Sdk.Core.Imaging;

/// <summary>Finds assemblies that name the folder they were compiled in: their bytes, and so the image's digest, depend on it.</summary>
internal static class UnmappedPaths
{
    /// <summary>An MZ header has as much.</summary>
    private const int SmallestAssembly = 64;

    /// <summary>Paths (below the publish folder) of assemblies whose debug directory names a file in one of the folders.</summary>
    public static IReadOnlyList<string> Find(Bill bill, IReadOnlyList<string> sourceRoots)
    {
        var prefixes = sourceRoots.Select(r => Path.TrimEndingDirectorySeparator(Path.GetFullPath(r)) + Path.DirectorySeparatorChar).ToList();
        var found = new List<string>();
        foreach (var file in bill.Files.Where(f => f.Path.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) || f.Path.EndsWith(".exe", StringComparison.OrdinalIgnoreCase)))
        {
            if (file.Size >= SmallestAssembly && BoundedFile.IsThere(file) && PdbPaths(file.SourcePath).Any(p => prefixes.Exists(prefix => p.StartsWith(prefix, StringComparison.Ordinal))))
            {
                found.Add(file.Path);
            }
        }

        return found;
    }

    private static List<string> PdbPaths(string assembly)
    {
        try
        {
            // PEReader takes what begins otherwise for an object file, and no file beyond 2 GB.
            using var stream = File.OpenRead(assembly);
            if (stream.Length is < SmallestAssembly or > int.MaxValue || stream.ReadByte() != 'M' || stream.ReadByte() != 'Z')
            {
                return [];
            }

            stream.Position = 0;
            using var reader = new PEReader(stream);
            return [.. reader.ReadDebugDirectory().Where(d => d.Type == DebugDirectoryEntryType.CodeView).Select(d => reader.ReadCodeViewDebugDirectoryData(d).Path)];
        }
        catch (Exception e) when (e is BadImageFormatException or IOException or UnauthorizedAccessException)
        {
            // A native library, or no library at all: nothing of ours. That a file is gone is said by whoever packs it.
            return [];
        }
    }
}
