using System.Diagnostics;
using System.Text;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Emulator;

// Stand-ins until these tests use Registry.Sdk.TestKit's wrappers of the same tools.

/// <summary>A test that needs programs of this machine; skipped, with their names, where they are missing.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class NeedsToolsFactAttribute : FactAttribute
{
    public NeedsToolsFactAttribute(params string[] tools)
    {
        ArgumentNullException.ThrowIfNull(tools);
        Tools = tools;
        var folders = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator);
        var missing = tools.Where(tool => !folders.Any(folder => File.Exists(Path.Combine(folder, tool)))).ToArray();
        if (missing.Length > 0)
        {
            Skip = "not installed: " + string.Join(", ", missing);
        }
        else if (tools.Contains("dockerd", StringComparer.Ordinal) && !Environment.IsPrivilegedProcess)
        {
            Skip = "a Docker engine needs root";
        }
    }

    public string[] Tools { get; }
}

/// <summary>Runs programs.</summary>
internal static class EmulatorTestProcess
{
    /// <summary>Runs to the end and gives standard output; a failure shows both outputs.</summary>
    public static async Task<string> RunAsync(string program, params string[] arguments)
    {
        var (code, output, error) = await TryRunAsync(program, arguments);
        Assert.True(code == 0, $"{program} {string.Join(' ', arguments)}: exit code {code}\n{output}\n{error}");
        return output;
    }

    public static async Task<(int Code, string Output, string Error)> TryRunAsync(string program, params string[] arguments)
    {
        using var process = Start(program, arguments);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync();
        var error = process.StandardError.ReadToEndAsync();
        try
        {
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromMinutes(1));
        }
        catch (TimeoutException)
        {
            process.Kill(entireProcessTree: true);
            throw;
        }

        return (process.ExitCode, await output, await error);
    }

    public static Process Start(string program, params string[] arguments)
    {
        var start = new ProcessStartInfo(program, arguments)
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            StandardOutputEncoding = Encoding.UTF8,
        };
        return Process.Start(start)!;
    }

    public static Task TerminateAsync(Process process) => RunAsync("kill", "-TERM", process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture));
}

/// <summary>The emulator's executable, serving.</summary>
internal sealed class EmulatorExecutable : IAsyncDisposable
{
    private static readonly string Dll = Path.Combine(AppContext.BaseDirectory, "Registry.Sdk.Emulator.dll");

    private EmulatorExecutable(Process process, Uri address, Task<string> errors)
    {
        Process = process;
        Address = address;
        Errors = errors;
    }

    public Process Process { get; }

    public Uri Address { get; }

    public Task<string> Errors { get; }

    public static Task<(int Code, string Output, string Error)> RunAsync(params string[] arguments) => EmulatorTestProcess.TryRunAsync("dotnet", [Dll, .. arguments]);

    public static async Task<EmulatorExecutable> ServeAsync(string state, params string[] arguments)
    {
        var process = EmulatorTestProcess.Start("dotnet", [Dll, "serve", "--state", state, .. arguments]);
        var errors = process.StandardError.ReadToEndAsync();
        try
        {
            var line = await process.StandardOutput.ReadLineAsync().WaitAsync(TimeSpan.FromSeconds(60)) ?? throw new InvalidOperationException(await errors);
            Assert.StartsWith("listening on http://127.0.0.1:", line, StringComparison.Ordinal);
            return new EmulatorExecutable(process, new Uri(line["listening on ".Length..]), errors);
        }
        catch
        {
            process.Kill();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (!Process.HasExited)
        {
            Process.Kill();
        }

        await Process.WaitForExitAsync();
        Process.Dispose();
    }
}

/// <summary>A Docker engine of its own, in a folder of its own, without network set-up; stopped and cleaned away with everything it started.</summary>
internal sealed class EmulatorTestDocker : IAsyncDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("emu-docker-").FullName;
    private readonly Process _process;

    private EmulatorTestDocker()
    {
        _process = EmulatorTestProcess.Start(
            "dockerd", "--data-root", Path.Combine(_folder, "data"), "--exec-root", Path.Combine(_folder, "exec"), "--pidfile", Path.Combine(_folder, "pid"),
            "--host", Socket, "--iptables=false", "--bridge=none", "--storage-driver", "vfs");

        // Nobody reads its log, but a full pipe would stop it.
        _process.OutputDataReceived += (_, _) => { };
        _process.ErrorDataReceived += (_, _) => { };
        _process.BeginOutputReadLine();
        _process.BeginErrorReadLine();
    }

    private string Socket => "unix://" + Path.Combine(_folder, "socket");

    public static async Task<EmulatorTestDocker> StartAsync()
    {
        var docker = new EmulatorTestDocker();
        for (var tries = 0; tries < 120 && !docker._process.HasExited; tries++)
        {
            if ((await EmulatorTestProcess.TryRunAsync("docker", "-H", docker.Socket, "version")).Code == 0)
            {
                return docker;
            }

            await Task.Delay(500);
        }

        await docker.DisposeAsync();
        throw new InvalidOperationException("dockerd does not answer");
    }

    public Task<string> RunAsync(params string[] arguments) => EmulatorTestProcess.RunAsync("docker", ["-H", Socket, .. arguments]);

    public async ValueTask DisposeAsync()
    {
        var children = (await EmulatorTestProcess.TryRunAsync("ps", "-o", "pid=", "--ppid", _process.Id.ToString(System.Globalization.CultureInfo.InvariantCulture))).Output
            .Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries)
            .Select(pid => int.Parse(pid, System.Globalization.CultureInfo.InvariantCulture))
            .ToArray();
        if (!_process.HasExited)
        {
            await EmulatorTestProcess.TerminateAsync(_process);
        }

        await _process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
        foreach (var child in children)
        {
            try
            {
                Process.GetProcessById(child).Kill();
            }
            catch (ArgumentException)
            {
                // It went with dockerd, as it should.
            }
        }

        // dockerd leaves the namespace file of --network=host mounted.
        foreach (var mounted in (await File.ReadAllLinesAsync("/proc/self/mounts")).Select(line => line.Split(' ')[1]).Where(path => path.StartsWith(_folder + "/", StringComparison.Ordinal)).Reverse())
        {
            await EmulatorTestProcess.RunAsync("umount", "-l", mounted);
        }

        _process.Dispose();
        Directory.Delete(_folder, recursive: true);
    }
}
