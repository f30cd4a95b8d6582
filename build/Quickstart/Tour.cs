using System.Diagnostics;
using System.Globalization;

namespace Registry.Sdk.Quickstart;

/// <summary>The steps of the quickstart, in the order in which they are printed.</summary>
internal sealed class Tour
{
    private const string GitTag = "v1.2.3";
    private const string BaseRepository = "dotnet/aspnet";
    private const string BaseTag = "10.0";
    private static readonly string[] ExpectedTags = ["latest", "v1", "v1.2", "v1.2.3"];

    private readonly TemporaryFolder _temporary;
    private readonly string _repository;
    private readonly CancellationToken _stop;

    private Tour(TemporaryFolder temporary, string repository, CancellationToken stop)
    {
        _temporary = temporary;
        _repository = repository;
        _stop = stop;
    }

    private string Samples => Path.Combine(_repository, "samples");

    public static async Task RunAsync(CancellationToken stop)
    {
        await using var temporary = new TemporaryFolder();
        ProcessEnvironment.Prepare(Directory.CreateDirectory(temporary.At("tmp")).FullName);
        var tour = new Tour(temporary, FindRepository(), stop);
        await tour.PrepareAsync();
        await tour.PackAsync();
        await using var ghcr = await LocalRegistry.StartAsync(temporary.At("ghcr.io"), stop);
        await using var dockerHub = await LocalRegistry.StartAsync(temporary.At("docker.io"), stop);
        Console.WriteLine($"2. Started two registries. {dockerHub.Address} plays docker.io; {ghcr.Address} plays ghcr.io, and mcr.microsoft.com");
        Console.WriteLine("   besides: so what is in the base image need not be sent to ghcr.io/… but is mounted there.");
        await tour.SeedAsync(ghcr);

        var hosts = new Dictionary<string, LocalRegistry>(StringComparer.Ordinal) { ["ghcr.io"] = ghcr, ["docker.io"] = dockerHub, ["mcr.microsoft.com"] = ghcr };
        var digests = new Dictionary<string, string>(StringComparer.Ordinal);
        var step = 4;
        foreach (var sample in Sample.All)
        {
            Console.WriteLine($"{step++}. samples/{sample.Name}, copied into a git repository of its own, committed and tagged {GitTag}.");
            await tour.CommitAsync(sample, hosts.Keys);
            digests[sample.Name] = await tour.PublishAsync(sample, hosts);
        }

        var last = Sample.All[^1];
        Console.WriteLine($"{step++}. samples/{last.Name} once more: the same commit is the same image, so there is nothing to send.");
        await tour.PublishAgainAsync(last, hosts, digests[last.Name]);
        Console.WriteLine($"{step}. What the registries themselves say, asked over HTTP:");
        await tour.CheckAsync(hosts, digests);
    }

    private async Task PrepareAsync()
    {
        Console.WriteLine("Registry.Sdk quickstart: two sample repositories are published to registries on this machine.");
        Console.WriteLine("Nothing is sent elsewhere; NuGet fetches packages as in any build.");

        // Beside the copies, so that nothing above the temp folder is taken for theirs, and the SDK is the one this repository asks for.
        File.Copy(Path.Combine(_repository, "global.json"), _temporary.At("global.json"));
        File.Copy(Path.Combine(Samples, "Directory.Build.props"), _temporary.At("Directory.Build.props"));
        var git = await GitRepository.VersionAsync(_temporary.FullPath, _stop);
        var sdk = await Child.RunAsync(Child.Dotnet, ["--version"], _temporary.FullPath, _stop);
        Console.WriteLine($"Here: {git}, .NET SDK {sdk.Trim()}.\n");
    }

    private async Task PackAsync()
    {
        var version = Sample.SdkVersion(Samples);
        using (Progress($"1. Packing src/Registry.Sdk as Registry.Sdk {version}, the version that the samples ask for"))
        {
            // Into a folder of our own, also everything on the way: the bin and obj of this repository belong to its own builds.
            await Child.RunAsync(
                Child.Dotnet,
                ["pack", Path.Combine("src", "Registry.Sdk"), "-c", "Release", $"-p:Version={version}", "-p:RunAnalyzers=false", "--artifacts-path", _temporary.At("artifacts"), "-o", _temporary.At("feed")],
                _repository, _stop);

            // A packages folder of our own, with this package from that feed alone: neither an older 1.0.0 in the user's cache nor a
            // published one can take its place, and none of ours gets into the cache.
            var install = Directory.CreateDirectory(_temporary.At("install")).FullName;
            await File.WriteAllTextAsync(
                Path.Combine(install, "nuget.config"),
                """<configuration><packageSources><clear /><add key="feed" value="../feed" /></packageSources><packageSourceMapping><clear /></packageSourceMapping><fallbackPackageFolders><clear /></fallbackPackageFolders></configuration>""",
                _stop);
            await File.WriteAllTextAsync(
                Path.Combine(install, "install.csproj"),
                $"""<Project Sdk="Microsoft.NET.Sdk"><PropertyGroup><TargetFramework>net10.0</TargetFramework></PropertyGroup><ItemGroup><PackageDownload Include="Registry.Sdk" Version="[{version}]" /></ItemGroup></Project>""",
                _stop);
            await Child.RunAsync(Child.Dotnet, ["restore"], install, PackagesFolder(), _stop);
        }
    }

    private async Task SeedAsync(LocalRegistry registry)
    {
        string said;
        using (Progress($"3. Composing a base image, mcr.microsoft.com/{BaseRepository}:{BaseTag}, from the .NET installed here"))
        {
            said = await registry.SeedAsync(BaseRepository, BaseTag, _stop);
        }

        if (said.Contains("STUB", StringComparison.Ordinal))
        {
            Console.WriteLine("     It is a stub, so the images of this run can be published but not started: " + said.Split('\n')[0].Trim());
        }
    }

    private async Task CommitAsync(Sample sample, IEnumerable<string> hosts)
    {
        var folder = _temporary.At("repositories", sample.Name);
        Sample.Copy(Path.Combine(Samples, sample.Name), folder);

        // The one thing the sample does not have, and committed, because a release is not made from uncommitted files. The addresses
        // come from the environment, so the commit does not depend on them.
        var items = hosts.Select(host => $"    <RegistrySdkEndpoint Include=\"{host}\" Registry=\"$({AddressVariable(host)})\" />\n");
        await File.WriteAllTextAsync(Path.Combine(folder, "Directory.Build.targets"), $"<Project>\n  <ItemGroup>\n{string.Concat(items)}  </ItemGroup>\n</Project>\n", _stop);
        await GitRepository.CreateAsync(folder, GitTag, _stop);
    }

    /// <summary>Publishes for the first time; returns the digest.</summary>
    private async Task<string> PublishAsync(Sample sample, Dictionary<string, LocalRegistry> hosts)
    {
        var lines = await RunPublishAsync(sample, hosts);
        foreach (var line in lines)
        {
            Console.WriteLine($"     {line.Destination}");
            Console.WriteLine($"       tags   {string.Join(", ", line.Tags)}");
            Console.WriteLine($"       digest {line.Digest}");
            Console.WriteLine($"       bytes  {line.Numbers}");
        }

        Require(lines.Select(line => line.Destination).Order(StringComparer.Ordinal).SequenceEqual(sample.Destinations.Order(StringComparer.Ordinal), StringComparer.Ordinal), $"the receipt of {sample.Name} does not have its destinations");
        Require(lines.All(line => line.Digest is not null && line.Digest == lines[0].Digest), $"the receipt of {sample.Name} does not have one digest");
        Require(lines.All(line => line.Sent > 0), $"{sample.Name} was published for the first time, and some destination was sent nothing");
        return lines[0].Digest!;
    }

    private async Task PublishAgainAsync(Sample sample, Dictionary<string, LocalRegistry> hosts, string digest)
    {
        foreach (var line in await RunPublishAsync(sample, hosts))
        {
            Console.WriteLine($"     {line.Destination}: {line.Numbers}");
            Require(line.Digest == digest, $"{line.Destination} got {line.Digest} the second time and {digest} the first");
            Require(line.Sent == 0 && line.Mounted == 0, $"the second publish of {line.Destination} sent something");
        }
    }

    private async Task<IReadOnlyList<ReceiptLine>> RunPublishAsync(Sample sample, Dictionary<string, LocalRegistry> hosts)
    {
        var folder = _temporary.At("repositories", sample.Name);
        var receipt = Path.Combine(folder, sample.Project, "bin", "container", "receipt.json");
        if (File.Exists(receipt))
        {
            // Only what this publish writes counts.
            File.Delete(receipt);
        }

        string[] command = ["publish", .. sample.Project.Length > 0 ? new[] { sample.Project } : [], "/t:PublishContainer"];
        var variables = PackagesFolder();
        foreach (var (host, registry) in hosts)
        {
            variables[AddressVariable(host)] = registry.Address;
        }

        using (Progress($"     $ dotnet {string.Join(' ', command)}"))
        {
            await Child.RunAsync(Child.Dotnet, command, folder, variables, _stop);
        }

        return await ReceiptLine.ReadAsync(receipt, _stop);
    }

    private async Task CheckAsync(Dictionary<string, LocalRegistry> hosts, Dictionary<string, string> digests)
    {
        using var check = new RegistryCheck();
        foreach (var (sample, destination) in Sample.All.SelectMany(sample => sample.Destinations.Select(destination => (sample, destination))))
        {
            var slash = destination.IndexOf('/', StringComparison.Ordinal);
            var registry = hosts[destination[..slash]];
            var tags = await check.TagsAsync(registry.Address, destination[(slash + 1)..], _stop);
            foreach (var (tag, digest) in tags)
            {
                Require(digest == digests[sample.Name], $"{destination}:{tag} is {digest}, but {digests[sample.Name]} was published");
            }

            Require(tags.Keys.SequenceEqual(ExpectedTags, StringComparer.Ordinal), $"{destination} has the tags {string.Join(", ", tags.Keys)} and should have {string.Join(", ", ExpectedTags)}");
            Console.WriteLine($"     {registry.Address} {destination[(slash + 1)..]}: {string.Join(", ", tags.Keys)} all name {digests[sample.Name]}");
        }
    }

    private Dictionary<string, string> PackagesFolder() => new(StringComparer.Ordinal) { ["NUGET_PACKAGES"] = _temporary.At("packages"), ["NUGET_FALLBACK_PACKAGES"] = "" };

    private static string AddressVariable(string host) => "QUICKSTART_" + host.Replace('.', '_').ToUpperInvariant();

    private static void Require(bool condition, string complaint)
    {
        if (!condition)
        {
            throw new QuickstartException(complaint + ".");
        }
    }

    private static string FindRepository()
    {
        for (var folder = new DirectoryInfo(AppContext.BaseDirectory); folder is not null; folder = folder.Parent)
        {
            if (File.Exists(Path.Combine(folder.FullName, "Registry.Sdk.sln")))
            {
                return folder.FullName;
            }
        }

        throw new QuickstartException($"No Registry.Sdk.sln above {AppContext.BaseDirectory}: the quickstart runs from a clone of its repository.");
    }

    private static string Seconds(Stopwatch clock) => string.Create(CultureInfo.InvariantCulture, $"{clock.Elapsed.TotalSeconds:0.0} s");

    /// <summary>Prints what begins now, and behind it, when disposed, how long it took.</summary>
    private static StepClock Progress(string what)
    {
        Console.Write(what + " ... ");
        return new StepClock();
    }

    private sealed class StepClock : IDisposable
    {
        private readonly Stopwatch _clock = Stopwatch.StartNew();

        public void Dispose() => Console.WriteLine(Seconds(_clock));
    }
}
