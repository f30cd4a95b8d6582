using System.Globalization;
using System.Text;

namespace Registry.Sdk.Bench;

/// <summary>Folders to measure with. They are made of what every machine with a .NET SDK has.</summary>
internal static class Data
{
    /// <summary>About 82 MB of assemblies and native libraries, in the proportions of a publish.</summary>
    public static void PublishLike(string folder)
    {
        var total = 0L;
        foreach (var file in RuntimeFiles().TakeWhile(_ => total < 82_000_000))
        {
            var to = Path.Combine(folder, file.Directory!.Name, file.Name);
            Directory.CreateDirectory(Path.GetDirectoryName(to)!);
            file.CopyTo(to);
            total += file.Length;
        }
    }

    /// <summary>About 2 GB: one big file of numbers, noise as of images, JSON, assemblies, zeros.</summary>
    public static void Big(string folder)
    {
        var random = new Random(1);
        var block = new byte[1 << 20];
        Write("model.bin", 400, () =>
        {
            for (var i = 0; i < block.Length; i += 4)
            {
                BitConverter.TryWriteBytes(block.AsSpan(i), (float)(random.NextDouble() - 0.5));
            }
        });
        for (var n = 0; n < 100; n++)
        {
            Write(string.Create(CultureInfo.InvariantCulture, $"images/{n}.jpg"), 6, () => random.NextBytes(block));
        }

        for (var n = 0; n < 50; n++)
        {
            var text = new StringBuilder();
            Write(string.Create(CultureInfo.InvariantCulture, $"data/{n}.json"), 6, () =>
            {
                for (text.Clear(); text.Length < block.Length;)
                {
                    text.Append(CultureInfo.InvariantCulture, $"{{\"id\":{random.Next()},\"name\":\"item {random.Next(500)}\",\"price\":{random.Next(10000)}}},");
                }

                Encoding.ASCII.GetBytes(text.ToString(0, block.Length), block);
            });
        }

        Array.Clear(block);
        Write("empty.db", 300, () => { });
        for (var n = 0; n < 5; n++)
        {
            PublishLike(Path.Combine(folder, string.Create(CultureInfo.InvariantCulture, $"plugin{n}")));
        }

        void Write(string path, int blocks, Action fill)
        {
            var full = Path.Combine(folder, path);
            Directory.CreateDirectory(Path.GetDirectoryName(full)!);
            using var file = File.Create(full);
            for (var i = 0; i < blocks; i++)
            {
                fill();
                file.Write(block);
            }
        }
    }

    /// <summary>A tar of the folder, in memory.</summary>
    public static async Task<byte[]> TarAsync(string folder, string temporary)
    {
        var tar = Path.Combine(temporary, "tar");
        await Shell.TimeAsync($"tar --sort=name -cf '{tar}' -C '{folder}' .");
        var bytes = await File.ReadAllBytesAsync(tar);
        File.Delete(tar);
        return bytes;
    }

    private static IEnumerable<FileInfo> RuntimeFiles()
    {
        var runtime = new FileInfo(typeof(object).Assembly.Location).Directory!;
        var aspnet = new DirectoryInfo(Path.Combine(runtime.Parent!.Parent!.FullName, "Microsoft.AspNetCore.App", runtime.Name));
        return new[] { runtime, aspnet }.SelectMany(d => d.EnumerateFiles().OrderBy(f => f.Name, StringComparer.Ordinal));
    }
}
