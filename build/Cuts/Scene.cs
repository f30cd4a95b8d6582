using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;

namespace Registry.Sdk.Cuts;

/// <summary>
/// GHCR and Docker Hub as emulators that already hold the release before, and three destinations in them: one private edition, and one public edition
/// under two names, the second of which mounts from the first.
/// </summary>
public sealed class Scene : IAsyncDisposable
{
    private readonly EmulatorServer[] _servers;
    private readonly HttpClient[] _clients;

    private Scene(EmulatorServer[] servers, FaultScript[] scripts)
    {
        (_servers, Scripts) = (servers, scripts);
        _clients = [.. servers.Select(s => s.CreateAdministrator())];
        Places = [new(Ghcr, "enterprise", "private", _clients[0], "acme/api"), new(Hub, "community", "public", _clients[1], "acme/community"), new(Alias, "community", "public", _clients[1], "acme/app")];
        Target = TargetOf(servers[0].BaseAddress, servers[1].BaseAddress);
    }

    private const string Ghcr = "ghcr.io/acme/api";
    private const string Hub = "docker.io/acme/community";
    private const string Alias = "docker.io/acme/app";

    /// <summary>The servers, as tables name them.</summary>
    public static IReadOnlyList<string> Servers { get; } = ["ghcr", "hub"];

    /// <summary>The faults of each server.</summary>
    public IReadOnlyList<FaultScript> Scripts { get; }

    /// <summary>The destinations.</summary>
    public IReadOnlyList<Place> Places { get; }

    /// <summary>Where a publish goes.</summary>
    public Target Target { get; }

    /// <summary>The requests of each server.</summary>
    public IReadOnlyList<IReadOnlyList<RequestRecord>> Requests => [.. _servers.Select(s => s.Requests)];

    /// <summary>The target, for a process that has the addresses alone.</summary>
    public static Target TargetOf(Uri ghcr, Uri hub) => new(
        [new(Ghcr, "enterprise", "private"), new(Hub, "community", "public"), new(Alias, "community", "public")],
        [new("ghcr.io", ghcr.GetLeftPart(UriPartial.Authority), new Uri(ghcr, "api").ToString()), new("docker.io", hub.GetLeftPart(UriPartial.Authority), new Uri(hub, "api").ToString())],
        new Dictionary<string, string>(StringComparer.Ordinal) { ["CR_PAT"] = "secret-pat", ["DOCKERHUB_USERNAME"] = "acme", ["DOCKERHUB_TOKEN"] = "secret-hub" });

    /// <summary>Starts the servers on a copy of what they hold.</summary>
    /// <param name="state">What they hold; null: nothing.</param>
    /// <param name="folder">Where their own state goes.</param>
    public static async Task<Scene> StartAsync(string? state, string folder)
    {
        var servers = new EmulatorServer[2];
        var scripts = new[] { new FaultScript(), new FaultScript() };
        for (var i = 0; i < servers.Length; i++)
        {
            var own = Path.Combine(folder, Servers[i]);
            if (state is not null)
            {
                Copy(Path.Combine(state, Servers[i]), own);
            }

            servers[i] = await EmulatorServer.StartAsync(new()
            {
                StateDirectory = own,
                Personality = i == 0 ? EmulatorPersonality.Ghcr : EmulatorPersonality.DockerHub,
                GitHub = new()
                {
                    Owners = { ["acme"] = GitHubOwner.Organization("alice") },
                    Packages = { ["acme/api"] = new() { Visibility = GitHubVisibility.Private } },
                    Secrets = { ["pat"] = GitHubSecret.Classic("secret-pat", "alice", "write:packages") },
                },
                DockerHub = new()
                {
                    Repositories = { ["acme/community"] = new(), ["acme/app"] = new() },
                    Secrets = { ["hub"] = DockerHubSecret.PersonalToken("secret-hub", "acme", DockerHubRight.ReadWriteDelete) },
                    AnonymousPulls = null,
                    PersonalPulls = null,
                    ApiCallsPerMinute = int.MaxValue,
                },
                Faults = scripts[i],
            });
        }

        return new(servers, scripts);
    }

    /// <summary>What every tag of every place names.</summary>
    public async Task<IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>>> TagsAsync()
    {
        var tags = new Dictionary<string, IReadOnlyDictionary<string, string>>(StringComparer.Ordinal);
        foreach (var place in Places)
        {
            tags.Add(place.Name, await Judge.TagsAsync(place));
        }

        return tags;
    }

    /// <summary>No fault any more.</summary>
    public void Heal()
    {
        foreach (var script in Scripts)
        {
            script.Heal();
        }
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        foreach (var client in _clients)
        {
            client.Dispose();
        }

        await Task.WhenAll(_servers.Select(s => s.DisposeAsync().AsTask()));
    }

    internal static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var folder in Directory.EnumerateDirectories(from, "*", SearchOption.AllDirectories))
        {
            Directory.CreateDirectory(Path.Combine(to, Path.GetRelativePath(from, folder)));
        }

        foreach (var file in Directory.EnumerateFiles(from, "*", SearchOption.AllDirectories).Where(f => Path.GetFileName(f) != "lock"))
        {
            File.Copy(file, Path.Combine(to, Path.GetRelativePath(from, file)));
        }
    }
}
