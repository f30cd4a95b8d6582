using System.Diagnostics;
using System.Globalization;

namespace Registry.Sdk.Cuts;

/// <summary>A publish in a process of its own that is killed (SIGKILL) when the registries see its n-th request.</summary>
public static class Kill
{
    /// <summary>What the host process does: <c>host RELEASE GHCR HUB WORK</c>. Its exit code says whether the publish succeeded.</summary>
    public static async Task<int> HostAsync(string release, string ghcr, string hub, string work)
    {
        var told = await Release.Create(release).PublishAsync(Release.New, Scene.TargetOf(new(ghcr), new(hub)), work, time: null, CancellationToken.None);
        foreach (var error in told.Errors)
        {
            await Console.Error.WriteLineAsync(error);
        }

        return told.Succeeded ? 0 : 1;
    }

    /// <summary>Kills at one request, judges, and publishes again.</summary>
    /// <param name="matrix">What is published, and what is expected of it.</param>
    /// <param name="request">The request of all servers together, from 0, at whose arrival it is killed.</param>
    /// <param name="freshClone">Whether the next run is from a fresh clone; else from what the killed one left.</param>
    public static async Task<CutResult> TryAsync(Matrix matrix, int request, bool freshClone)
    {
        ArgumentNullException.ThrowIfNull(matrix);
        await using var scene = await matrix.StartAsync();
        var work = matrix.NewFolder();
        var seen = -1;
        Process? host = null;
        var isStarted = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        foreach (var script in scene.Scripts)
        {
            script.Arrived = _ =>
            {
                if (Interlocked.Increment(ref seen) == request)
                {
                    isStarted.Task.Wait(TimeSpan.FromSeconds(10));
                    host!.Kill();
                }
            };
        }

        var dll = typeof(Kill).Assembly.Location;
        var start = new ProcessStartInfo("dotnet", [dll, "host", matrix.NewFolder(), scene.Target.Endpoints[0].Registry, scene.Target.Endpoints[1].Registry, work])
        {
            RedirectStandardError = true,
            RedirectStandardOutput = true,
            UseShellExecute = false,
        };
        host = Process.Start(start)!;
        isStarted.SetResult();
        using var owned = host;
        var errors = host.StandardError.ReadToEndAsync();
        var output = host.StandardOutput.ReadToEndAsync();
        using (var patience = new CancellationTokenSource(TimeSpan.FromMinutes(2)))
        {
            await host.WaitForExitAsync(patience.Token);
        }

        var wrong = new List<string>();
        var killed = host.ExitCode == 137;
        if (!killed && host.ExitCode != 0)
        {
            wrong.Add($"it ended with {host.ExitCode} before it was killed: {await errors}{await output}");
        }

        // What the servers are still doing for the dead is done first: the judge looks at what is, and not at what is becoming.
        await QuietAsync(scene);
        var first = await matrix.JudgeAsync(scene, killed ? null : host.ExitCode == 0, work);
        wrong.AddRange(first.Where(v => v.Found == Found.Mixed).Select(v => $"{v.Place} {v.Why}"));
        foreach (var script in scene.Scripts)
        {
            script.Arrived = null;
        }

        await matrix.FinishAsync(scene, freshClone ? matrix.NewFolder() : work, wrong);
        return new(string.Create(CultureInfo.InvariantCulture, $"kill -9 at request {request}{(freshClone ? ", then a fresh clone" : "")}"), killed ? "kill -9" : "kill -9, too late", first, wrong);
    }

    private static async Task QuietAsync(Scene scene)
    {
        for (var i = 0; i < 100; i++)
        {
            if (scene.Requests.SelectMany(r => r).All(r => r.Status != 0))
            {
                return;
            }

            await Task.Delay(10);
        }
    }
}
