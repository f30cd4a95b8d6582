using System.Globalization;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Bench;

/// <summary>Writes a folder as one layer, as a publish does, and says what that took.</summary>
internal static class Compose
{
    public static async Task<int> RunAsync(string folder, string blobs, string? cache)
    {
        Directory.CreateDirectory(blobs);
        var files = new DirectoryInfo(folder).EnumerateFiles("*", SearchOption.AllDirectories).Select(f => new LayerFile(
            "app/" + Path.GetRelativePath(folder, f.FullName).Replace('\\', '/'), f.Length, IsExecutable: false, DateTimeOffset.UnixEpoch, () => File.OpenRead(f.FullName))).ToList();
        var layer = await LayerWriter.WriteAsync(files, "app", blobs, cache is null ? ImageCache.None : new(cache, 1L << 40), CancellationToken.None);
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{layer.Size} {PeakKilobytes()} {(layer.IsCompressedNow ? "compressed" : "cached")} {layer.Digest}"));
        return 0;
    }

    /// <summary>VmHWM: the most memory the process ever had in use. Source: proc_pid_status(5).</summary>
    public static long PeakKilobytes()
        => File.ReadLines("/proc/self/status").Where(l => l.StartsWith("VmHWM:", StringComparison.Ordinal)).Select(l => long.Parse(l.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1], CultureInfo.InvariantCulture)).Single();
}
