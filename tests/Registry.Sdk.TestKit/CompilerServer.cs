using System.Runtime.InteropServices;

namespace Registry.Sdk.TestKit;

/// <summary>
/// The compiler's server (VBCSCompiler), as every developer has it, but one of the test process's own that ends with it: a fresh compiler for
/// each project is two thirds of the time of a small build. It compiles and does no more; MSBuild itself is a new process for each build.
/// </summary>
public static class CompilerServer
{
    private static readonly Lazy<Task<IReadOnlyDictionary<string, string>>> LazyShared = new(StartAsync);

    // Held, because a collected one closes its pipe, and that is the signal to end.
    private static ServerProcess? server;

    /// <summary>The environment variables that make a build use it: MSBuild takes both for properties.</summary>
    public static Task<IReadOnlyDictionary<string, string>> SharedAsync() => LazyShared.Value;

    private static async Task<IReadOnlyDictionary<string, string>> StartAsync()
    {
        var version = (await ProcessRunner.RunAsync("dotnet", ["--version"], TestRun.Directory)).EnsureSuccess().StandardOutput.Trim();
        // …/shared/Microsoft.NETCore.App/<version>/
        var root = Path.GetFullPath(Path.Combine(RuntimeEnvironment.GetRuntimeDirectory(), "..", "..", ".."));
        var name = "rsdk-" + Guid.NewGuid().ToString("N")[..12];
        // Where the compiler puts its pipe, whatever TMPDIR says: paths of sockets must be short.
        var socket = "/tmp/" + name;
        // The .NET SDK compiles satellite assemblies without the id, so a build that has some starts a server of its own, which would stay for ten
        // minutes. It is known by the id in its environment, which it has from that build.
        var cleanup = $$"""
            rm -f '{{socket}}'
            for process in /proc/[0-9]*; do
                if tr '\0' '\n' <"$process/cmdline" | grep -q VBCSCompiler && tr '\0' '\n' <"$process/environ" | grep -qx 'SharedCompilationId={{name}}'; then kill "${process#/proc/}"; fi
            done
            """;
        server = ServerProcess.Start(
            "dotnet", ["exec", Path.Combine(root, "sdk", version, "Roslyn", "bincore", "VBCSCompiler.dll"), "-pipename:" + name], Path.Combine(TestRun.Directory, "compiler.log"), CleanEnvironment.Create(), cleanup);
        await server.WaitUntilReadyAsync(_ => Task.FromResult(File.Exists(socket)), TimeSpan.FromSeconds(60));
        return new Dictionary<string, string>(StringComparer.Ordinal) { ["UseSharedCompilation"] = "true", ["SharedCompilationId"] = name };
    }
}
