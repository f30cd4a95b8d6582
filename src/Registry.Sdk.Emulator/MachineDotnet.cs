using System.Diagnostics;
using System.Runtime.InteropServices;
using System.Text.RegularExpressions;

namespace Registry.Sdk.Emulator;

/// <summary>The machine's own .NET and the system libraries it needs, found on Linux.</summary>
/// <param name="Root">Folder of the <c>dotnet</c> host, links resolved.</param>
/// <param name="Folders">Folders below it that make up the image, relative.</param>
/// <param name="RuntimeVersion">Version of Microsoft.NETCore.App.</param>
/// <param name="AspnetVersion">Version of Microsoft.AspNetCore.App; <see langword="null"/> when not wanted.</param>
/// <param name="Libraries">Absolute paths, as the dynamic loader looks for them, of the system's libraries and of the loader.</param>
internal sealed partial record MachineDotnet(
    string Root, IReadOnlyList<string> Folders, string RuntimeVersion, string? AspnetVersion, IReadOnlyList<string> Libraries)
{
    // Loaded by name at run time, so that no closure shows them: TLS, and name resolution in older C libraries.
    private static readonly string[] LoadedByName = ["libssl.so.*", "libcrypto.so.*", "libresolv.so.*", "libnss_dns.so.*", "libnss_files.so.*"];

    // Without it "libssl.so.*" matches the development link "libssl.so" too.
    private static readonly EnumerationOptions Exactly = new() { MatchType = MatchType.Simple };
    private static readonly string[] Notices = ["LICENSE.txt", "ThirdPartyNotices.txt"];

    /// <summary>Finds what an image needs; <see langword="null"/> with the reason when something is missing.</summary>
    public static MachineDotnet? Find(BaseImageOptions options, out string? reason)
    {
        if (!OperatingSystem.IsLinux())
        {
            reason = "composing a runnable base image needs Linux";
            return null;
        }

        var searched = new List<string>();
        foreach (var root in Candidates(options.DotnetRoot).Distinct(StringComparer.Ordinal))
        {
            searched.Add(root);
            var host = Newest(Path.Combine(root, "host", "fxr"), "");
            var runtime = Newest(Path.Combine(root, "shared", "Microsoft.NETCore.App"), options.Version);
            var aspnet = Newest(Path.Combine(root, "shared", "Microsoft.AspNetCore.App"), options.Version);
            if (!File.Exists(Path.Combine(root, "dotnet")) || host is null || runtime is null || (aspnet is null && options.Kind == BaseImageKind.Aspnet))
            {
                continue;
            }

            List<string> folders = [$"host/fxr/{host}", $"shared/Microsoft.NETCore.App/{runtime}"];
            if (options.Kind == BaseImageKind.Aspnet)
            {
                folders.Add($"shared/Microsoft.AspNetCore.App/{aspnet}");
            }

            var libraries = FindLibraries(root, folders, out reason);
            return libraries is null ? null : new MachineDotnet(root, folders, runtime, options.Kind == BaseImageKind.Aspnet ? aspnet : null, [.. libraries]);
        }

        reason = $"no .NET {options.Version} with {(options.Kind == BaseImageKind.Aspnet ? "ASP.NET Core" : "its runtime")} in {string.Join(", ", searched)}";
        return null;
    }

    /// <summary>Files below <see cref="Root"/> that go into the image, relative, in ordinal order.</summary>
    public IEnumerable<string> Files() => FilesOf(Root, Folders);

    private static IEnumerable<string> FilesOf(string root, IEnumerable<string> folders) => folders
        .SelectMany(folder => Directory.EnumerateFiles(Path.Combine(root, folder), "*", SearchOption.AllDirectories))
        .Select(file => Path.GetRelativePath(root, file))
        .Append("dotnet")
        .Concat(Notices.Where(name => File.Exists(Path.Combine(root, name))))
        .Order(StringComparer.Ordinal);

    private static IEnumerable<string> Candidates(string? asked)
    {
        if (asked is not null)
        {
            yield return Resolve(asked);
            yield break;
        }

        if (Environment.GetEnvironmentVariable("DOTNET_ROOT") is { Length: > 0 } variable && Directory.Exists(variable))
        {
            yield return Resolve(variable);
        }

        // The runtime we run on: ROOT/shared/Microsoft.NETCore.App/VERSION/.
        yield return Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        foreach (var folder in (Environment.GetEnvironmentVariable("PATH") ?? "").Split(':', StringSplitOptions.RemoveEmptyEntries))
        {
            var muxer = Path.Combine(folder, "dotnet");
            if (File.Exists(muxer))
            {
                yield return Path.GetDirectoryName(Resolve(muxer))!;
            }
        }
    }

    private static string Resolve(string path)
    {
        FileSystemInfo info = Directory.Exists(path) ? new DirectoryInfo(path) : new FileInfo(path);
        return (info.ResolveLinkTarget(returnFinalTarget: true) ?? info).FullName;
    }

    private static string? Newest(string folder, string version) => !Directory.Exists(folder)
        ? null
        : Directory.GetDirectories(folder)
            .Select(path => Path.GetFileName(path))
            .Where(name => Version.TryParse(name, out _) && (version.Length == 0 || name.StartsWith(version + ".", StringComparison.Ordinal)))
            .MaxBy(Version.Parse);

    private static SortedSet<string>? FindLibraries(string root, List<string> folders, out string? reason)
    {
        var own = FilesOf(root, folders).Select(file => Path.Combine(root, file)).Where(LayerTar.IsElf).ToArray();
        var libraries = new SortedSet<string>(StringComparer.Ordinal);
        try
        {
            AddClosure(libraries, own, root);
            var byName = libraries
                .Select(library => Path.GetDirectoryName(library)!)
                .Distinct(StringComparer.Ordinal)
                .SelectMany(folder => LoadedByName.SelectMany(pattern => Directory.EnumerateFiles(folder, pattern, Exactly)))
                .Where(file => !file.EndsWith(".hmac", StringComparison.Ordinal))
                .ToArray();
            libraries.UnionWith(byName);
            AddClosure(libraries, byName, root);
        }
        catch (System.ComponentModel.Win32Exception exception)
        {
            reason = "ldd, which lists the system libraries .NET needs, cannot be run: " + exception.Message;
            return null;
        }

        reason = libraries.Any(library => Path.GetFileName(library).StartsWith("libc.", StringComparison.Ordinal)
            || Path.GetFileName(library).StartsWith("ld-musl", StringComparison.Ordinal))
            ? null
            : "ldd names no C library for " + Path.Combine(root, "dotnet");
        return reason is null ? libraries : null;
    }

    private static void AddClosure(SortedSet<string> libraries, string[] files, string root)
    {
        if (files.Length == 0)
        {
            return;
        }

        var start = new ProcessStartInfo("ldd", files) { RedirectStandardOutput = true, RedirectStandardError = true, UseShellExecute = false };
        start.Environment["LC_ALL"] = "C";
        start.Environment.Remove("LD_LIBRARY_PATH");
        start.Environment.Remove("LD_PRELOAD");
        using var ldd = Process.Start(start)!;
        ldd.ErrorDataReceived += (_, _) => { };
        ldd.BeginErrorReadLine();

        // Its exit code is of no use: an optional library that is not installed (LTTng's) is no reason to stop.
        foreach (Match line in LibraryPattern().Matches(ldd.StandardOutput.ReadToEnd()))
        {
            var path = line.Groups["path"].Value;
            if (!path.StartsWith(root + "/", StringComparison.Ordinal))
            {
                libraries.Add(path);
            }
        }

        ldd.WaitForExit();
    }

    // "libm.so.6 => /lib/x86_64-linux-gnu/libm.so.6 (0x…)" and, for the loader, "/lib64/ld-linux-x86-64.so.2 (0x…)".
    [GeneratedRegex(@"^\s+(\S+ => )?(?<path>/.+) \(0x[0-9a-f]+\)$", RegexOptions.Multiline | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 10_000)]
    private static partial Regex LibraryPattern();
}
