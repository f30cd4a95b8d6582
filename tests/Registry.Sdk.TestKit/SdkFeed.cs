using System.Security.Cryptography;
using System.Text;
using System.Xml.Linq;

namespace Registry.Sdk.TestKit;

/// <summary>
/// A folder feed with the package under test. The version is a function of the sources, so the package is packed once, by whichever test
/// process comes first, and one that is found there can't be stale. It is packed from a copy: the real work tree's <c>bin</c> and <c>obj</c> belong
/// to the build that runs these tests, and a copy without them is what a fresh clone is.
/// </summary>
public sealed class SdkFeed
{
    private static readonly Lazy<Task<SdkFeed>> LazyShared = new(() =>
        PackAsync(TestRun.RepositoryRoot, Path.Combine("src", "Registry.Sdk"), "Registry.Sdk", Path.Combine(TestRun.RepositoryRoot, "artifacts", "test-feed")));

    // Not packed, and a test's own change must not cost a new package.
    private static readonly string[] LeftOut = ["bin", "obj", "artifacts", "tests", "samples", "TestResults"];

    private SdkFeed(string folder, string packageId, string version)
    {
        Folder = folder;
        PackageId = packageId;
        Version = version;
    }

    /// <summary>The feed.</summary>
    public string Folder { get; }

    /// <summary>The package's id.</summary>
    public string PackageId { get; }

    /// <summary>The package's version, one per state of the sources.</summary>
    public string Version { get; }

    /// <summary>The package file.</summary>
    public string PackagePath => Path.Combine(Folder, $"{PackageId}.{Version}.nupkg");

    /// <summary>The feed with Registry.Sdk as it is in this work tree.</summary>
    public static Task<SdkFeed> SharedAsync() => LazyShared.Value;

    /// <summary>Packs <paramref name="project"/> of the tree at <paramref name="root"/> unless <paramref name="feeds"/> holds that state already.</summary>
    public static async Task<SdkFeed> PackAsync(string root, string project, string packageId, string feeds)
    {
        var sources = Sources(root);
        var hash = Hash(root, sources);
        var version = $"1.0.0-test.h{hash}";
        var feed = new SdkFeed(Path.Combine(Directory.CreateDirectory(feeds).FullName, hash), packageId, version);
        await using var turn = await WaitForTurnAsync(Path.Combine(feeds, ".lock"));
        if (File.Exists(feed.PackagePath))
        {
            return feed;
        }

        await using var copy = new TempDirectory("pack");
        foreach (var file in sources)
        {
            File.Copy(Path.Combine(root, file), copy.File("src", file));
        }

        var output = copy.Folder("out");
        (await ProcessRunner.RunAsync(
            "dotnet",
            ["pack", project, "-c", "Release", $"-p:Version={version}", "-o", output, "-nodeReuse:false"],
            copy.Folder("src"),
            // What the build needs comes from where the build has it; only the package under test must stay out of there.
            CleanEnvironment.Create().Without("NUGET_FALLBACK_PACKAGES").With("NUGET_PACKAGES", TestRun.UserPackagesFolder),
            TimeSpan.FromMinutes(10))).EnsureSuccess();

        RemoveOldFeeds(feeds);
        Directory.CreateDirectory(feed.Folder);
        var unfinished = feed.PackagePath + ".tmp";
        File.Copy(Path.Combine(output, Path.GetFileName(feed.PackagePath)), unfinished, overwrite: true);
        File.Move(unfinished, feed.PackagePath);
        return feed;
    }

    /// <summary>
    /// Writes a <c>nuget.config</c> that adds this feed. The machine's own sources are inherited from the (copied) user configuration, so
    /// no address is named here.
    /// </summary>
    public void WriteNuGetConfig(string folder) =>
        new XDocument(new XElement(
            "configuration",
            new XElement("packageSources", new XElement("add", new XAttribute("key", "package-under-test"), new XAttribute("value", Folder)))))
        .Save(Path.Combine(folder, "nuget.config"));

    private static List<string> Sources(string root)
    {
        var found = new List<string>();
        Collect(root);
        found.Sort(StringComparer.Ordinal);
        return found;

        void Collect(string folder)
        {
            found.AddRange(Directory.EnumerateFiles(folder).Select(file => Path.GetRelativePath(root, file)));
            foreach (var child in Directory.EnumerateDirectories(folder))
            {
                var name = Path.GetFileName(child);
                if (!name.StartsWith('.') && !LeftOut.Contains(name, StringComparer.Ordinal))
                {
                    Collect(child);
                }
            }
        }
    }

    private static string Hash(string root, List<string> files)
    {
        using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
        foreach (var file in files)
        {
            var content = File.ReadAllBytes(Path.Combine(root, file));
            hash.AppendData(Encoding.UTF8.GetBytes($"{file}\0{content.Length}\0"));
            hash.AppendData(content);
        }

        return Convert.ToHexStringLower(hash.GetHashAndReset())[..16];
    }

    /// <summary>The lock is the open file: it is let go when its process ends, however it ends.</summary>
    private static async Task<FileStream> WaitForTurnAsync(string path)
    {
        for (var wait = 0; ; wait++)
        {
            try
            {
                return new FileStream(path, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
            }
            catch (IOException) when (wait < 6000)
            {
                await Task.Delay(100);
            }
        }
    }

    private static void RemoveOldFeeds(string feeds)
    {
        foreach (var old in Directory.EnumerateDirectories(feeds))
        {
            // A day, because a test run that started from another state of the sources may still be reading its package.
            if (Directory.GetLastWriteTimeUtc(old) < DateTime.UtcNow.AddDays(-1))
            {
                Directory.Delete(old, recursive: true);
            }
        }
    }
}
