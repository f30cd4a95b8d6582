using System.Diagnostics;

namespace Registry.Sdk.TestKit;

/// <summary>
/// What all tests of one test process share. It lives in one temp directory that goes when the process ends; <c>build/test</c> gives
/// every run a TMPDIR of its own and removes that too, in case the process was killed.
/// </summary>
public static class TestRun
{
    // Held, because a collected Process closes its pipe, and that is the signal.
    private static Process? remover;

    private static readonly Lazy<string> LazyDirectory = new(() =>
    {
        var directory = System.IO.Directory.CreateTempSubdirectory("rsdk-run-").FullName;
        // Not at ProcessExit: the test platform gives its host 100 ms to end and kills it then. The shell sees the pipe close either way.
        remover = Process.Start(new ProcessStartInfo("/bin/sh", ["-c", "exec >/dev/null 2>&1; cat; rm -rf \"$1\"", "sh", directory])
        {
            RedirectStandardInput = true,
            UseShellExecute = false,
        });
        return directory;
    });

    private static readonly Lazy<string> LazyHome = new(CreateHome);

    /// <summary>The temp directory of this test process.</summary>
    public static string Directory => LazyDirectory.Value;

    /// <summary>
    /// A private home: no credentials, no git or Docker configuration. The user's NuGet sources are copied in, because they are how this
    /// machine reaches packages and no test may know their address.
    /// </summary>
    public static string Home => LazyHome.Value;

    /// <summary>The global packages folder of this test process.</summary>
    public static string PackagesFolder => Path.Combine(Directory, "packages");

    /// <summary>The user's own global packages folder, only ever read.</summary>
    public static string UserPackagesFolder =>
        Environment.GetEnvironmentVariable("NUGET_PACKAGES") is { Length: > 0 } folder ? folder : Path.Combine(UserHome, ".nuget", "packages");

    internal static string UserHome => Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);

    internal static string UserHttpCache =>
        Environment.GetEnvironmentVariable("NUGET_HTTP_CACHE_PATH") is { Length: > 0 } folder
            ? folder
            : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.LocalApplicationData, Environment.SpecialFolderOption.DoNotVerify), "NuGet", "http-cache");

    /// <summary>The root of this repository: the folder of <c>Registry.Sdk.sln</c> above the test assembly.</summary>
    public static string RepositoryRoot { get; } = FindRepositoryRoot();

    private static string CreateHome()
    {
        var home = System.IO.Directory.CreateDirectory(Path.Combine(Directory, "home")).FullName;
        var nuget = Path.Combine(".nuget", "NuGet");
        if (System.IO.Directory.Exists(Path.Combine(UserHome, nuget)))
        {
            System.IO.Directory.CreateDirectory(Path.Combine(home, nuget));
            foreach (var file in System.IO.Directory.EnumerateFiles(Path.Combine(UserHome, nuget)))
            {
                File.Copy(file, Path.Combine(home, nuget, Path.GetFileName(file)));
            }
        }

        return home;
    }

    private static string FindRepositoryRoot()
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
