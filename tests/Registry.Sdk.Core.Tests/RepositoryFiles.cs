namespace Registry.Sdk.Core.Tests;

/// <summary>Files of this repository that a test compares with the code.</summary>
internal static class RepositoryFiles
{
    /// <summary>The folder of <c>Registry.Sdk.sln</c> above the test assembly.</summary>
    public static string Root { get; } = Find();

    public static string At(params string[] parts) => Path.Combine([Root, .. parts]);

    /// <summary>Source files below a folder of <c>src</c>, build output left out.</summary>
    public static IEnumerable<string> Sources(string folder, params string[] extensions)
        => Directory.EnumerateFiles(At("src", folder), "*", SearchOption.AllDirectories)
            .Where(f => extensions.Contains(Path.GetExtension(f), StringComparer.Ordinal))
            .Where(f => !f.Split(Path.DirectorySeparatorChar).Any(p => p is "bin" or "obj"));

    private static string Find()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Registry.Sdk.sln")))
            {
                return folder.FullName;
            }
        }

        throw new InvalidOperationException($"No Registry.Sdk.sln above {AppContext.BaseDirectory}.");
    }
}
