using System.Security.Cryptography;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>What goes wrong around a publish that composes: an error that says so, or the right image; never another one.</summary>
[Collection(PackageTests.Name)]
public sealed class ToughTests(PackageFixture fixture)
{
    private const long NoiseLength = 64 << 20;

    [Fact]
    public async Task A_publish_that_was_killed_while_it_composed_leaves_nothing_that_harms()
    {
        var service = await fixture.BuiltAsync();
        var container = Fresh(service);
        await using var directory = new TempDirectory("tough");
        var cache = directory.Folder("cache");
        var noise = await WriteNoiseAsync(service, NoiseLength);
        try
        {
            // In the middle of compressing, and with the compressed layer on its way into the cache.
            await KillAsync(service, () => Partial(container).Any(f => f.Length > NoiseLength / 2), cache);
            Assert.NotEmpty(Partial(container));
            Assert.Empty(Files(cache, "layers"));
            await KillAsync(service, () => Files(cache, "layers").Any(), cache);
            Assert.Empty(await fixture.View.TagsAsync("tough/killed"));
            AssertRight(container, cache);

            var after = await service.PublishAsync(Destination("killed"), arguments: Cache(cache));
            Assert.True(after.Succeeded, after.ToString());
            Assert.Empty(after.Codes());
            AssertRight(container, cache);
            var digest = await DigestAsync(fixture.View, "tough/killed");

            Fresh(service);
            var undisturbed = await service.PublishAsync(Destination("undisturbed"), arguments: Cache(directory.Folder("another")));
            Assert.True(undisturbed.Succeeded, undisturbed.ToString());
            Assert.Equal(await DigestAsync(fixture.View, "tough/undisturbed"), digest);
        }
        finally
        {
            File.Delete(noise);
        }
    }

    [Fact]
    public async Task Two_publishes_of_one_project_at_once_make_one_image()
    {
        var service = await fixture.BuiltAsync();
        await using var directory = new TempDirectory("tough");
        // So that composing takes long enough for both to be at it.
        var noise = await WriteNoiseAsync(service, NoiseLength / 4);
        try
        {
            var alone = await service.PublishAsync(Destination("alone"), arguments: Cache(""));
            Assert.True(alone.Succeeded, alone.ToString());
            var digest = await DigestAsync(fixture.View, "tough/alone");

            foreach (var names in new string[][] { ["one", "other"], ["same", "same"] })
            {
                var container = Fresh(service);
                var cache = directory.Folder("cache-" + names[0]);
                var results = await Task.WhenAll(names.Select(name => StartAsync(service, Destination(name), cache)));

                Assert.All(results, result => Assert.True(result.Succeeded, result.ToString()));
                Assert.All(results, result => Assert.Empty(result.Codes()));
                foreach (var name in names)
                {
                    Assert.Equal(digest, await DigestAsync(fixture.View, "tough/" + name));
                }

                AssertRight(container, cache);
                Assert.Empty(Partial(container));
            }
        }
        finally
        {
            File.Delete(noise);
        }
    }

    /// <summary>Both want the same base layers, of which the cache has none yet.</summary>
    [Fact]
    public async Task Two_projects_at_once_fill_one_cold_cache()
    {
        var open = await fixture.OpenAsync();
        var service = await fixture.BuiltAsync();
        await using var workspace = await fixture.CreateWorkspaceAsync();
        var cache = workspace.OutsidePath("cache");
        var project = workspace.Reference(Projects.Service(Kind.Web), fixture.Feed, Form.Sdk).Item("ContainerDestination", $"{open.Address}/tough/billing");
        var path = workspace.WriteService("src/billing", "Billing", project, Kind.Web);
        await workspace.ReleaseAsync();
        (await workspace.BuildAsync(path, "-c", "Release")).EnsureSuccess();

        var results = await Task.WhenAll(
            StartAsync(service, $"{open.Address}/tough/orders", cache), workspace.PublishAsync(path, ["-t:PublishContainer", "--no-build", .. Cache(cache)]));

        Assert.All(results, result => Assert.True(result.Succeeded, result.ToString()));
        var images = new List<List<string>>();
        foreach (var (name, folder) in new[] { ("orders", service.Folder), ("billing", Path.GetDirectoryName(path)!) })
        {
            var manifest = await open.View.ManifestAsync("tough/" + name, await DigestAsync(open.View, "tough/" + name));
            images.Add([.. manifest.GetProperty("layers").EnumerateArray().Select(layer => layer.GetProperty("digest").GetString()!)]);
            AssertRight(Path.Combine(folder, "obj", "Release", "net10.0", "container"), cache);
        }

        // The base image's layers are in the cache, once; and one layer of each project.
        var common = images[0].Intersect(images[1]).Select(digest => digest["sha256:".Length..]).ToList();
        Assert.NotEmpty(common);
        Assert.Subset(Files(cache, "blobs").Select(file => file.Name).ToHashSet(), common.ToHashSet());
        Assert.Equal(2, Files(cache, "layers").Count());
        Assert.Empty(Partial(cache));
    }

    [Fact]
    public async Task A_cache_full_of_rubbish_gives_the_right_image_and_is_mended()
    {
        var open = await fixture.OpenAsync();
        var service = await fixture.BuiltAsync();
        var container = Fresh(service);
        await using var directory = new TempDirectory("tough");
        var cache = directory.Folder("cache");
        var first = await service.PublishAsync($"{open.Address}/tough/cached", arguments: Cache(cache));
        Assert.True(first.Succeeded, first.ToString());
        var entries = Files(cache, "blobs").Concat(Files(cache, "layers")).OrderBy(file => file.FullName, StringComparer.Ordinal).ToList();
        Assert.NotEmpty(Files(cache, "layers"));
        Assert.True(Files(cache, "blobs").Count() > 3, "index, manifest, config and layers");
        var right = entries.ToDictionary(file => file.FullName, Hash);
        for (var i = 0; i < entries.Count; i++)
        {
            await using var file = new FileStream(entries[i].FullName, FileMode.Open, FileAccess.ReadWrite);
            switch (i % 3)
            {
                case 0:
                    file.Position = file.Length / 2;
                    var value = file.ReadByte();
                    file.Position--;
                    file.WriteByte((byte)(value ^ 1));
                    break;
                case 1:
                    file.SetLength(file.Length - 1);
                    break;
                default:
                    file.Write(RandomNumberGenerator.GetBytes((int)Math.Min(file.Length, 4096)));
                    break;
            }
        }

        // Else base layers would be mounted from where the first publish noted them, and not be read again.
        Directory.Delete(Path.Combine(cache, "notes"), recursive: true);
        Fresh(service);
        var second = await service.PublishAsync($"{open.Address}/tough/mended", arguments: Cache(cache));

        Assert.True(second.Succeeded, second.ToString());
        Assert.Empty(second.Codes());
        Assert.Equal(await DigestAsync(open.View, "tough/cached"), await DigestAsync(open.View, "tough/mended"));
        Assert.Equal(right, entries.ToDictionary(file => file.FullName, Hash));
        AssertRight(container, cache);
    }

    [Fact]
    public async Task A_full_disk_is_said_and_nothing_is_tagged()
    {
        const string Repository = "tough/full";
        var open = await fixture.OpenAsync();
        var service = await fixture.BuiltAsync();
        var container = Fresh(service);
        Directory.CreateDirectory(container);
        open.Proxy.Clear();
        (await ProcessRunner.RunAsync("mount", ["-t", "tmpfs", "-o", "size=16k", "tmpfs", container])).EnsureSuccess();
        try
        {
            // Too small for the application's layer.
            await FailsAsync();
            Assert.Empty(open.Proxy.Writes);

            // Large enough for that, and not for the base image's.
            (await ProcessRunner.RunAsync("mount", ["-o", "remount,size=1m", container])).EnsureSuccess();
            await FailsAsync();
            Assert.DoesNotContain(open.Proxy.Writes, request => request.Path.Contains("/manifests/", StringComparison.Ordinal));
        }
        finally
        {
            (await ProcessRunner.RunAsync("umount", [container])).EnsureSuccess();
        }

        var after = await service.PublishAsync($"{open.Address}/{Repository}", arguments: Cache(""));
        Assert.True(after.Succeeded, after.ToString());
        Assert.Equal(Projects.ReleaseTags, (await open.View.TagsAsync(Repository)).Keys);

        async Task FailsAsync()
        {
            var full = await service.PublishAsync($"{open.Address}/{Repository}", arguments: Cache(""));
            Assert.Equal(1, full.Process.ExitCode);
            var error = Assert.Single(full.Errors);
            Assert.Equal("RSDK4011", error.Code);
            Assert.Contains(Path.Combine(container, "layout"), error.Text, StringComparison.Ordinal);
            Assert.Contains("No space left on device", error.Text, StringComparison.Ordinal);
            Assert.Empty(Partial(container));
        }
    }

    private string Destination(string name) => $"{fixture.Emulator.Host}/tough/{name}";

    /// <summary>A cache in a folder; none for "".</summary>
    private static string[] Cache(string folder) => folder.Length == 0 ? ["-p:RegistrySdkCacheSize=0"] : [$"-p:RegistrySdkCacheDirectory={folder}"];

    /// <summary>The service's folder in obj, without what other tests left there.</summary>
    private static string Fresh(BuiltService service)
    {
        var folder = Path.Combine(service.Folder, "obj", "Release", "net10.0", "container");
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        return folder;
    }

    private static Task<DotnetResult> StartAsync(BuiltService service, string destination, string cache)
    {
        service.Workspace.Environment = CleanEnvironment.Create().With("Destinations", destination);
        return service.Workspace.PublishAsync(service.Project, ["-t:PublishContainer", "--no-build", .. Cache(cache)]);
    }

    private async Task KillAsync(BuiltService service, Func<bool> moment, string cache)
    {
        using var kill = new CancellationTokenSource();
        var publish = ProcessRunner.RunAsync(
            "dotnet", ["publish", service.Project, "-t:PublishContainer", "--no-build", "-nodeReuse:false", "-m:1", .. Cache(cache)],
            service.Workspace.Root, CleanEnvironment.Create().With("Destinations", Destination("killed")), cancellationToken: kill.Token);
        while (!publish.IsCompleted && !moment())
        {
            await Task.Delay(2);
        }

        // SIGKILL, for all of the process tree.
        await kill.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => publish);
    }

    /// <summary>Puts a file that can't be compressed into the publish folder; gives its path.</summary>
    private static async Task<string> WriteNoiseAsync(BuiltService service, long length)
    {
        var path = Path.Combine(service.Folder, "bin", "Release", "net10.0", "publish", "noise.bin");
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        var random = new Random(7);
        var buffer = new byte[1 << 20];
        await using var file = File.Create(path);
        for (var i = 0; i < length / buffer.Length; i++)
        {
            random.NextBytes(buffer);
            await file.WriteAsync(buffer);
        }

        return path;
    }

    private static IEnumerable<FileInfo> Partial(string folder)
        => Directory.Exists(folder) ? [.. new DirectoryInfo(folder).EnumerateFiles("*.partial", new EnumerationOptions { RecurseSubdirectories = true, AttributesToSkip = FileAttributes.None })] : [];

    /// <summary>The entries of one folder of a cache.</summary>
    private static IEnumerable<FileInfo> Files(string cache, string folder)
    {
        var path = new DirectoryInfo(Path.Combine(cache, folder));
        return path.Exists ? path.EnumerateFiles() : [];
    }

    private static string Hash(FileInfo file)
    {
        using var stream = file.OpenRead();
        return Convert.ToHexStringLower(SHA256.HashData(stream));
    }

    /// <summary>Whatever has a name, in the layout and in the cache, is what its name says. A layer in the cache begins with the hash of the rest.</summary>
    private static void AssertRight(string container, string cache)
    {
        var blobs = new DirectoryInfo(Path.Combine(container, "layout", "blobs", "sha256")).EnumerateFiles().Concat(Files(cache, "blobs"));
        Assert.All(blobs.Where(file => file.Extension != ".partial"), file => Assert.Equal(file.Name, Hash(file)));
        Assert.All(Files(cache, "layers").Where(file => file.Extension != ".partial"), file =>
        {
            using var stream = file.OpenRead();
            var hash = new byte[32];
            stream.ReadExactly(hash);
            Assert.Equal(hash, SHA256.HashData(stream));
            stream.Position = 32;
            using var gzip = new System.IO.Compression.GZipStream(stream, System.IO.Compression.CompressionMode.Decompress);
            Assert.StartsWith(Convert.ToHexStringLower(SHA256.HashData(gzip)) + "-", file.Name, StringComparison.Ordinal);
        });
    }

    /// <summary>What all tags of the release name.</summary>
    private static async Task<string> DigestAsync(RegistryView view, string repository)
    {
        var tags = await view.TagsAsync(repository);
        Assert.Equal(Projects.ReleaseTags, tags.Keys);
        return Assert.Single(tags.Values.Distinct());
    }
}
