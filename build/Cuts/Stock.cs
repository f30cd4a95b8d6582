using System.Globalization;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests;
using Registry.Sdk.TestKit;

namespace Registry.Sdk.Cuts;

/// <summary>Who publishes.</summary>
public enum Publisher
{
    /// <summary>The .NET SDK alone: once per registry, as a script does that stops at the first failure.</summary>
    Stock,

    /// <summary>This product: to both registries at once.</summary>
    Ours,
}

/// <summary>What came of one cut beside the verdicts.</summary>
/// <param name="Cut">The verdicts.</param>
/// <param name="ToldFailure">Whether the first publish said by its exit code that it failed.</param>
/// <param name="Torn">Whether one registry then named both releases by tags of the new one.</param>
/// <param name="ImmutableMoved">Whether a version's own tag named something after the first publish, and something else after the next.</param>
/// <param name="Differ">Whether the registries name different images by one version's tag in the end.</param>
public sealed record StockResult(CutResult Cut, bool ToldFailure, bool Torn, bool ImmutableMoved, bool Differ);

/// <summary>
/// The same release of the same files on the same base image to the same two registries under the same eight tags and the same kinds of faults: by the
/// .NET SDK alone, and by this product. One judge for both.
/// </summary>
public sealed class Stock : IAsyncDisposable
{
    private const string Repository = "acme/api";
    private const string User = "ci";
    private const string Password = "secret";

    private readonly TempDirectory _directory = new("stock");
    private EmulatorServer? _base;
    private StockBuild? _stock;
    private int _runs;

    private Stock()
    {
    }

    /// <summary>The requests of an undisturbed publish, by publisher and registry.</summary>
    public IReadOnlyDictionary<Publisher, IReadOnlyList<IReadOnlyList<RequestRecord>>> Requests { get; private set; } = null!;

    /// <summary>Builds the service, has both publish the old release, and the new one once undisturbed.</summary>
    public static async Task<Stock> CreateAsync()
    {
        var stock = new Stock();
        try
        {
            await stock.PrepareAsync();
            return stock;
        }
        catch
        {
            await stock.DisposeAsync();
            throw;
        }
    }

    /// <summary>Tries one cut.</summary>
    public async Task<StockResult> TryAsync(Publisher publisher, Cut cut, bool freshClone)
    {
        ArgumentNullException.ThrowIfNull(cut);
        await using var scene = await StartAsync(publisher);
        var before = await scene.TagsAsync();
        scene.Scripts[cut.Server].Add(new FaultRule(cut.Kind) { From = cut.Request, Times = cut.ForGood ? FaultRule.ForGood : 1 });
        var work = NewFolder();
        var (succeeded, said) = await PublishAsync(publisher, scene, Release.New, work);
        var first = await JudgeAsync(scene, before, succeeded, work);
        var tagged = await scene.TagsAsync();
        foreach (var script in scene.Scripts)
        {
            script.Heal();
        }

        var wrong = new List<string>(first.Where(v => v.Found == Found.Mixed).Select(v => $"{v.Place} {v.Why}{(succeeded ? ", and the exit code says that all is well" : "")}"));
        var clone = freshClone ? NewFolder() : work;
        var again = await PublishAsync(publisher, scene, Release.New, clone);
        if (!again.Succeeded)
        {
            wrong.Add($"the next run fails: {again.Said}");
        }

        wrong.AddRange((await JudgeAsync(scene, before, again.Succeeded, clone)).Where(v => v.Found != Found.New).Select(v => $"after the next run {v.Place} is {v.Found}: {v.Why}"));
        var name = string.Create(CultureInfo.InvariantCulture, $"{publisher}: {cut.Kind.Name} at request {cut.Request} of registry {cut.Server + 1}{(cut.ForGood ? " and for good" : "")}{(wrong.Count > 0 && !succeeded ? $" [{said}]" : "")}");
        var last = await scene.TagsAsync();
        string? Version(IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> tags, Place place) => tags[place.Name].GetValueOrDefault("v" + Release.New);
        return new(
            new(name, cut.Kind.Name + (cut.ForGood ? ", for good" : ", once"), first, wrong),
            !succeeded,
            scene.Places.Any(p => Release.Tags(Release.New).Select(t => tagged[p.Name].GetValueOrDefault(t) == before[p.Name].GetValueOrDefault(t)).Distinct().Count() > 1),
            scene.Places.Any(p => Version(tagged, p) is { } named && named != Version(last, p)),
            scene.Places.Select(p => Version(last, p)).Distinct(StringComparer.Ordinal).Count() > 1);
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await (_stock?.DisposeAsync() ?? default);
        await (_base?.DisposeAsync() ?? default);
        await _directory.DisposeAsync();
    }

    /// <summary>
    /// The judge of all cuts. Stock makes another image each time it is asked, if only by its time, so what is new is not known beforehand: it is what the
    /// version's own tag names, else what any tag names that was not there before.
    /// </summary>
    private static async Task<IReadOnlyList<Verdict>> JudgeAsync(Registries scene, IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>> before, bool succeeded, string work)
    {
        var digests = new Dictionary<string, string>(StringComparer.Ordinal);
        var now = await scene.TagsAsync();
        foreach (var place in scene.Places)
        {
            var tags = now[place.Name];
            digests[place.Edition] = Release.Tags(Release.New).Select(t => tags.GetValueOrDefault(t)).FirstOrDefault(d => d is not null && !before[place.Name].Values.Contains(d, StringComparer.Ordinal)) ?? "nothing";
        }

        return await Judge.JudgeAsync(scene.Places, before, digests, succeeded, work);
    }

    private async Task PrepareAsync()
    {
        _base = await EmulatorServer.StartAsync(new() { StateDirectory = _directory.Folder("base") });
        using (var client = _base.CreateAdministrator())
        {
            await Seed.PushAsync(client, "base", "1", new SeedImage());
        }

        _stock = await StockBuild.StartAsync(_directory.Folder("service"), string.Create(CultureInfo.InvariantCulture, $"localhost:{_base.BaseAddress.Port}/base:1"), User, Password);
        var requests = new Dictionary<Publisher, IReadOnlyList<IReadOnlyList<RequestRecord>>>();
        foreach (var publisher in new[] { Publisher.Stock, Publisher.Ours })
        {
            await using (var scene = await Registries.StartAsync(null, _directory.Folder("state", publisher.ToString())))
            {
                Ensure(await PublishAsync(publisher, scene, Release.Old, NewFolder()));
            }

            await using var undisturbed = await StartAsync(publisher);
            var before = await undisturbed.TagsAsync();
            var work = NewFolder();
            Ensure(await PublishAsync(publisher, undisturbed, Release.New, work));
            var verdicts = await JudgeAsync(undisturbed, before, succeeded: true, work);
            requests.Add(publisher, undisturbed.Requests);
            if (!verdicts.All(v => v.Found == Found.New))
            {
                throw new InvalidOperationException($"{publisher}: {string.Join('\n', verdicts)}");
            }
        }

        Requests = requests;

        void Ensure((bool Succeeded, string Said) told)
        {
            if (!told.Succeeded)
            {
                throw new InvalidOperationException(told.Said);
            }
        }
    }

    private Task<Registries> StartAsync(Publisher publisher) => Registries.StartAsync(_directory.Folder("state", publisher.ToString()), NewFolder());

    private string NewFolder() => _directory.Folder("runs", (++_runs).ToString(CultureInfo.InvariantCulture));

    private async Task<(bool Succeeded, string Said)> PublishAsync(Publisher publisher, Registries scene, string version, string work)
    {
        if (publisher == Publisher.Ours)
        {
            return await PublishOursAsync(scene, version, work);
        }

        _ = _stock!.Said();
        foreach (var port in scene.Ports)
        {
            if (!await _stock!.PublishAsync(version, port, Repository))
            {
                return (false, _stock!.Said());
            }
        }

        return (true, _stock!.Said());
    }

    private async Task<(bool Succeeded, string Said)> PublishOursAsync(Registries scene, string version, string work)
    {
        var request = new PublishRequest
        {
            Project = "Service",
            Configuration = "Release",
            AssemblyName = "Service",
            RuntimeIdentifiers = ["linux-x64"],
            ProjectDirectory = Path.Combine(work, "project"),
            Derived = Release.Facts(version),
            Platforms =
            [
                new()
                {
                    RuntimeIdentifier = "linux-x64",
                    Evidence = new() { PublishDirectory = _stock!.PublishFolder(version) },
                    BaseRegistry = _base!.Host,
                    BaseRepository = "base",
                    BaseTag = "1",
                    Settings = new() { AppCommand = ["dotnet", "/app/Service.dll"] },
                },
            ],
            LayoutDirectory = Path.Combine(work, "obj", "Release", "registry-sdk", "layout"),
            Destinations = [.. scene.Places.Select(p => new DestinationItem(p.Name))],
            DestinationProperty = "ContainerDestination",
            Credentials = [.. scene.Places.Select(p => new CredentialItem(p.Name.Split('/')[0], "PUSH_USER", "PUSH_PASSWORD"))],
            Environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["PUSH_USER"] = User, ["PUSH_PASSWORD"] = Password },
            Reports = new(Release.Receipt(work), null, null),
            Time = new InstantTime(),
        };
        using var patience = new CancellationTokenSource(TimeSpan.FromMinutes(2));
        var (report, reporting) = await PublishPipeline.RunAsync(request, new Release.NoGit(), new QuietLog(), patience.Token);
        return (report.Succeeded, string.Join(" | ", report.Diagnostics.Concat(reporting.Diagnostics).Where(d => d.IsError).Select(d => d.ToString()).Append(report.Bug?.ToString() ?? "")));
    }

    /// <summary>Two registries without ways of their own.</summary>
    private sealed class Registries : IAsyncDisposable
    {
        private readonly EmulatorServer[] _servers;

        private Registries(EmulatorServer[] servers, FaultScript[] scripts)
        {
            (_servers, Scripts) = (servers, scripts);
            Places = [.. servers.Select((s, i) => new Place($"{s.Host}/{Repository}", i.ToString(CultureInfo.InvariantCulture), "", s.CreateAdministrator(), Repository))];
        }

        public IReadOnlyList<FaultScript> Scripts { get; }

        public IReadOnlyList<Place> Places { get; }

        public IEnumerable<int> Ports => _servers.Select(s => s.BaseAddress.Port);

        public IReadOnlyList<IReadOnlyList<RequestRecord>> Requests => [.. _servers.Select(s => s.Requests)];

        public static async Task<Registries> StartAsync(string? state, string folder)
        {
            var scripts = new[] { new FaultScript(), new FaultScript() };
            var servers = new EmulatorServer[2];
            for (var i = 0; i < servers.Length; i++)
            {
                var own = Path.Combine(state is null ? folder : Path.Combine(folder, "state"), i.ToString(CultureInfo.InvariantCulture));
                if (state is not null)
                {
                    Scene.Copy(Path.Combine(state, i.ToString(CultureInfo.InvariantCulture)), own);
                }

                servers[i] = await EmulatorServer.StartAsync(new() { StateDirectory = own, Users = { [User] = Password }, Faults = scripts[i] });
            }

            return new(servers, scripts);
        }

        public async Task<IReadOnlyDictionary<string, IReadOnlyDictionary<string, string>>> TagsAsync()
        {
            var tags = new Dictionary<string, IReadOnlyDictionary<string, string>>(StringComparer.Ordinal);
            foreach (var place in Places)
            {
                tags.Add(place.Name, await Judge.TagsAsync(place));
            }

            return tags;
        }

        public async ValueTask DisposeAsync()
        {
            foreach (var place in Places)
            {
                place.Registry.Dispose();
            }

            await Task.WhenAll(_servers.Select(s => s.DisposeAsync().AsTask()));
        }
    }
}
