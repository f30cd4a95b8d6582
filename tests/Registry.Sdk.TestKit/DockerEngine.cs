using System.Globalization;
using System.Net;

namespace Registry.Sdk.TestKit;

/// <summary>
/// A real dockerd of its own: own data, own socket, no bridge and no iptables, so that it neither needs nor touches what the machine has.
/// Plain http to 127.0.0.0/8 is its default. When it ends, and when the test process ends in whatever way, nothing is left.
/// </summary>
public sealed class DockerEngine : IAsyncDisposable
{
    private static readonly Lazy<Task<DockerEngine>> LazyShared = new(() => StartAsync());

    private readonly ServerProcess daemon;
    private readonly string directory;

    private DockerEngine(ServerProcess daemon, string directory)
    {
        this.daemon = daemon;
        this.directory = directory;
    }

    /// <summary>One engine for all tests of this process, started on first use. It ends with the process: do not dispose it.</summary>
    public static Task<DockerEngine> SharedAsync() => LazyShared.Value;

    /// <summary>The engine's socket, for DOCKER_HOST.</summary>
    public string Host => "unix://" + Path.Combine(directory, "docker.sock");

    /// <summary>The process id of dockerd.</summary>
    public int ProcessId => daemon.Id;

    /// <summary>Everything dockerd printed.</summary>
    public string Log => daemon.ReadLog();

    /// <summary>Starts an engine and waits until it answers.</summary>
    public static async Task<DockerEngine> StartAsync()
    {
        // Short, because containerd puts sockets below it, and not a TempDirectory, because the watcher removes it: only it is sure to be
        // there at the end. dockerd mounts its data folder onto itself, and a containerd or a shim may survive a killed dockerd; ours are the
        // ones that have this folder on their command line. The watcher has it there too, being a fork of the shell that became dockerd.
        var root = Directory.CreateTempSubdirectory("dk-").FullName;
        var cleanup = $$"""
            read -r self rest </proc/self/stat
            for process in /proc/[0-9]*; do
                id=${process#/proc/}
                if [ "$id" != "$self" ] && tr '\0' ' ' <"$process/cmdline" | grep -qF -- '{{root}}/'; then kill -KILL "$id"; fi
            done
            grep -oE ' {{root}}/[^ ]+' /proc/mounts | sort -r | while read -r mount; do umount -l "$mount"; done
            rm -rf '{{root}}'
            """;
        // Whatever the machine's own daemon.json says is not for this one.
        await File.WriteAllTextAsync(root + "/daemon.json", "{}");
        var process = ServerProcess.Start(
            "dockerd",
            [
                "--data-root", root + "/data", "--exec-root", root + "/exec", "--pidfile", root + "/docker.pid",
                "--host", "unix://" + root + "/docker.sock", "--iptables=false", "--bridge=none", "--storage-driver", "vfs",
                "--config-file", root + "/daemon.json",
            ],
            root + "/dockerd.log",
            CleanEnvironment.Create(),
            cleanup);
        var engine = new DockerEngine(process, root);
        try
        {
            await process.WaitUntilReadyAsync(
                async cancellationToken => (await engine.RunAsync(["version", "--format", "{{.Server.Version}}"], cancellationToken: cancellationToken)).ExitCode == 0,
                TimeSpan.FromSeconds(60));
            return engine;
        }
        catch
        {
            await engine.DisposeAsync();
            throw;
        }
    }

    /// <summary>Pulls an image; returns the digest the engine says it got. <paramref name="configFolder"/> is the DOCKER_CONFIG to pull with.</summary>
    public async Task<string> PullAsync(string reference, string? configFolder = null)
    {
        var result = (await RunAsync(["pull", reference], configFolder)).EnsureSuccess();
        const string Label = "Digest: ";
        return result.StandardOutput.Split('\n').Single(line => line.StartsWith(Label, StringComparison.Ordinal))[Label.Length..].Trim();
    }

    /// <summary>Logs in to a registry; the credentials land in <paramref name="configFolder"/>.</summary>
    public async Task LoginAsync(string registry, string username, string password, string configFolder) =>
        (await RunAsync(["login", "--username", username, "--password-stdin", registry], configFolder, password)).EnsureSuccess();

    /// <summary>Starts a container on the host's network; returns its id.</summary>
    public async Task<string> RunDetachedAsync(string reference, IEnumerable<KeyValuePair<string, string>>? environment = null, params string[] arguments)
    {
        // Without a bridge there is no other network; without the limit dockerd's default of a million descriptors makes some programs
        // spend minutes closing them all.
        List<string> command = ["run", "--detach", "--network=host", "--ulimit", "nofile=1024:1024"];
        foreach (var (name, value) in environment ?? [])
        {
            command.AddRange(["--env", $"{name}={value}"]);
        }

        return (await RunAsync([.. command, reference, .. arguments])).EnsureSuccess().StandardOutput.Trim();
    }

    /// <summary>Waits until a container ends; returns its exit code.</summary>
    public async Task<int> WaitAsync(string container) =>
        int.Parse((await RunAsync(["wait", container])).EnsureSuccess().StandardOutput, CultureInfo.InvariantCulture);

    /// <summary>What a container printed on both streams.</summary>
    public async Task<string> LogsAsync(string container) => (await RunAsync(["logs", container])).EnsureSuccess().Output;

    /// <summary>Ends and removes a container.</summary>
    public async Task RemoveAsync(string container) => (await RunAsync(["rm", "--force", "--volumes", container])).EnsureSuccess();

    /// <summary>Removes an image, so that the next pull is a real one.</summary>
    public async Task RemoveImageAsync(string reference) => (await RunAsync(["rmi", "--force", reference])).EnsureSuccess();

    /// <summary>Runs an ASP.NET image on a free port and waits until <paramref name="path"/> answers with success.</summary>
    public async Task<AspNetContainer> RunAspNetAsync(
        string reference, string path = "/", IEnumerable<KeyValuePair<string, string>>? environment = null, TimeSpan? timeout = null)
    {
        var port = ServerProcess.FindFreePort();
        var address = FormattableString.Invariant($"http://127.0.0.1:{port}/");
        // Both, because the second wins where a base image sets the first, and only it can say "loopback".
        Dictionary<string, string> variables = new(environment ?? [], StringComparer.Ordinal)
        {
            ["ASPNETCORE_HTTP_PORTS"] = "",
            ["ASPNETCORE_URLS"] = address,
        };
        var container = new AspNetContainer(this, await RunDetachedAsync(reference, variables), new Uri(address));
        using var limit = new CancellationTokenSource(timeout ?? TimeSpan.FromSeconds(60));
        try
        {
            while (true)
            {
                try
                {
                    using var answer = await container.Client.GetAsync(new Uri(path, UriKind.Relative), limit.Token);
                    if (answer.IsSuccessStatusCode)
                    {
                        return container;
                    }
                }
                catch (HttpRequestException)
                {
                    // Not listening yet.
                }

                var running = await RunAsync(["inspect", "--format", "{{.State.Running}}", container.Id]);
                if (running.StandardOutput.Trim() != "true")
                {
                    throw new InvalidOperationException($"{reference} ended:\n{await LogsAsync(container.Id)}");
                }

                await Task.Delay(100, limit.Token);
            }
        }
        catch (OperationCanceledException exception)
        {
            var logs = await LogsAsync(container.Id);
            await container.DisposeAsync();
            throw new TimeoutException($"{reference} did not answer on {path}:\n{logs}", exception);
        }
        catch
        {
            await container.DisposeAsync();
            throw;
        }
    }

    /// <summary>Any docker command.</summary>
    public Task<ProcessResult> RunAsync(
        IEnumerable<string> arguments, string? configFolder = null, string? standardInput = null, CancellationToken cancellationToken = default) =>
        ProcessRunner.RunAsync(
            "docker",
            arguments,
            environment: CleanEnvironment.Create().With("DOCKER_HOST", Host).With("DOCKER_CONFIG", configFolder ?? Path.Combine(directory, "config")),
            standardInput: standardInput,
            cancellationToken: cancellationToken);

    /// <summary>Ends all containers, dockerd and its containerd, and waits until all of it is gone.</summary>
    public async ValueTask DisposeAsync()
    {
        if (!Directory.Exists(directory))
        {
            return;
        }

        if (!daemon.HasExited && (await RunAsync(["ps", "--all", "--quiet"])) is { ExitCode: 0 } list)
        {
            var containers = list.StandardOutput.Split('\n', StringSplitOptions.RemoveEmptyEntries);
            if (containers.Length > 0)
            {
                await RunAsync(["rm", "--force", "--volumes", .. containers]);
            }
        }

        await daemon.DisposeAsync();
        for (var wait = 0; Directory.Exists(directory); wait++)
        {
            if (wait == 300)
            {
                throw new InvalidOperationException($"{directory} is still there: {string.Join(", ", Directory.EnumerateFileSystemEntries(directory))}");
            }

            await Task.Delay(100);
        }
    }
}

/// <summary>A running ASP.NET container; disposing removes it.</summary>
public sealed class AspNetContainer : IAsyncDisposable
{
    private readonly DockerEngine engine;

    internal AspNetContainer(DockerEngine engine, string id, Uri baseAddress)
    {
        this.engine = engine;
        Id = id;
        Client = new HttpClient { BaseAddress = baseAddress, DefaultRequestVersion = HttpVersion.Version11 };
    }

    /// <summary>The container's id.</summary>
    public string Id { get; }

    /// <summary>A client whose base address is the application.</summary>
    public HttpClient Client { get; }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Client.Dispose();
        await engine.RemoveAsync(Id);
    }
}
