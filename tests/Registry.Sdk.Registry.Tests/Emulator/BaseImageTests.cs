using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Registry.Sdk.Emulator;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Emulator;

/// <summary>Composed base images: their form here, their running in <see cref="ToolTests"/>.</summary>
public sealed class BaseImageTests : IDisposable
{
    private static readonly string OtherRid = BaseImageComposer.MachineRid.EndsWith("arm64", StringComparison.Ordinal) ? "linux-x64" : "linux-arm64";
    private readonly string _scratch = Directory.CreateTempSubdirectory("emu-base-").FullName;

    public void Dispose() => Directory.Delete(_scratch, recursive: true);

    [NeedsToolsFact("ldd")]
    public async Task A_runnable_image_is_the_same_bytes_twice_and_consistent()
    {
        var first = await BaseImageComposer.ComposeAsync(new BaseImageOptions(), Path.Combine(_scratch, "1"));
        await Task.Delay(1100); // gzip and tar count in seconds
        var second = await BaseImageComposer.ComposeAsync(new BaseImageOptions(), Path.Combine(_scratch, "2"));
        Assert.True(first.IsRunnable, first.NotRunnableReason);
        Assert.Equal(first.ManifestDigest, second.ManifestDigest);
        Assert.Equal(first.Layers.Select(layer => layer.Digest), second.Layers.Select(layer => layer.Digest), StringComparer.Ordinal);

        var config = JsonNode.Parse(first.Config.Span)!;
        Assert.Equal("linux", (string)config["os"]!);
        var environment = config["config"]!["Env"]!.AsArray().Select(text => (string)text!).ToArray();
        Assert.Equal("PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", environment[0]);
        Assert.Subset(environment.ToHashSet(StringComparer.Ordinal), new HashSet<string>(StringComparer.Ordinal)
        {
            "APP_UID=1654", "ASPNETCORE_HTTP_PORTS=8080", "DOTNET_RUNNING_IN_CONTAINER=true", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1",
        });
        Assert.Contains(environment, text => text.StartsWith("DOTNET_VERSION=10.0.", StringComparison.Ordinal));
        Assert.Contains(environment, text => text.StartsWith("ASPNET_VERSION=10.0.", StringComparison.Ordinal));

        var manifest = JsonNode.Parse(first.Manifest.Span)!;
        Assert.Equal(2, first.Layers.Count);
        Assert.Equal(2, config["history"]!.AsArray().Count);
        for (var index = 0; index < 2; index++)
        {
            var layer = first.Layers[index];
            await using var file = File.OpenRead(layer.Path);
            Assert.Equal(layer.Digest, "sha256:" + Convert.ToHexStringLower(await SHA256.HashDataAsync(file)));
            file.Position = 0;
            await using var tar = new GZipStream(file, CompressionMode.Decompress);
            Assert.Equal(layer.DiffId, "sha256:" + Convert.ToHexStringLower(await SHA256.HashDataAsync(tar)));
            Assert.Equal(layer.DiffId, (string)config["rootfs"]!["diff_ids"]![index]!);
            Assert.Equal(layer.Digest, (string)manifest["layers"]![index]!["digest"]!);
            Assert.Equal(file.Length, (long)manifest["layers"]![index]!["size"]!);
        }

        var system = Entries(first.Layers[0]);
        var dotnet = Entries(first.Layers[1]);
        Assert.All(system.Concat(dotnet), entry => Assert.Equal((new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero), entry.Name == "home/app/" ? 1654 : 0), (entry.ModificationTime, entry.Uid)));
        Assert.Equal(system.Select(entry => entry.Name.TrimEnd('/')).Order(StringComparer.Ordinal), system.Select(entry => entry.Name.TrimEnd('/')), StringComparer.Ordinal);
        Assert.Equal((UnixFileMode)0b1_111_111_111, system.Single(entry => entry.Name == "tmp/").Mode);
        Assert.Contains(system, entry => entry.Name.Contains("/libc", StringComparison.Ordinal) || entry.Name.Contains("ld-musl", StringComparison.Ordinal));
        Assert.Contains(system, entry => Path.GetFileName(entry.Name).StartsWith("ld-", StringComparison.Ordinal));
        Assert.DoesNotContain(system, entry => entry.Name.Contains("dotnet", StringComparison.Ordinal));
        Assert.Equal("/usr/share/dotnet/dotnet", dotnet.Single(entry => entry.Name == "usr/bin/dotnet").LinkName);
        Assert.Equal((UnixFileMode)0b111_101_101, dotnet.Single(entry => entry.Name == "usr/share/dotnet/dotnet").Mode);
        Assert.Contains(dotnet, entry => entry.Name.EndsWith("/libhostfxr.so", StringComparison.Ordinal));
        Assert.Contains(dotnet, entry => entry.Name.EndsWith("/Microsoft.AspNetCore.dll", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Another_platform_gives_a_stub_that_says_so()
    {
        var image = await BaseImageComposer.ComposeAsync(new BaseImageOptions { Rid = OtherRid, Format = BaseImageFormat.Docker }, _scratch);
        Assert.False(image.IsRunnable);
        Assert.Contains(OtherRid, image.NotRunnableReason, StringComparison.Ordinal);
        Assert.InRange(Assert.Single(image.Layers).Size, 1, 10_000);
        Assert.Equal(OtherRid == "linux-x64" ? "amd64" : "arm64", (string)JsonNode.Parse(image.Config.Span)!["architecture"]!);
        Assert.Equal("application/vnd.docker.distribution.manifest.v2+json", image.ManifestMediaType);
        Assert.Equal("application/vnd.docker.image.rootfs.diff.tar.gzip", image.Layers[0].MediaType);
    }

    [Fact]
    public async Task A_root_without_dotnet_gives_a_stub_that_names_it()
    {
        var image = await BaseImageComposer.ComposeAsync(new BaseImageOptions { DotnetRoot = _scratch }, Path.Combine(_scratch, "out"));
        Assert.False(image.IsRunnable);
        Assert.Contains(OperatingSystem.IsLinux() ? _scratch : "needs Linux", image.NotRunnableReason, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Seeding_while_a_server_runs_is_served_at_once_and_complete()
    {
        var state = Path.Combine(_scratch, "state");
        await using var emulator = await EmulatorServer.StartAsync(new EmulatorOptions { StateDirectory = state });
        string[] rids = [OtherRid, "linux-s390x"];
        var seeded = await BaseImageComposer.SeedAsync(state, "dotnet/aspnet", "10.0", [.. rids.Select(rid => new BaseImageOptions { Rid = rid })], index: true);
        using var client = new HttpClient { BaseAddress = emulator.BaseAddress };
        var index = await client.GetByteArrayAsync(new Uri("/v2/dotnet/aspnet/manifests/10.0", UriKind.Relative));
        Assert.Equal(seeded.Digest, "sha256:" + Convert.ToHexStringLower(SHA256.HashData(index)));
        var children = JsonNode.Parse(index)!["manifests"]!.AsArray();
        Assert.Equal(seeded.Images.Select(image => image.ManifestDigest), children.Select(child => (string)child!["digest"]!), StringComparer.Ordinal);
        Assert.Equal("s390x", (string)children[1]!["platform"]!["architecture"]!);

        // The registry itself checks that nothing a manifest names is missing or of another size.
        foreach (var image in seeded.Images)
        {
            using var body = new ByteArrayContent(image.Manifest.ToArray());
            body.Headers.ContentType = new(image.ManifestMediaType);
            Assert.Equal(System.Net.HttpStatusCode.Created, (await client.PutAsync(new Uri("/v2/dotnet/aspnet/manifests/again", UriKind.Relative), body)).StatusCode);
        }

        Assert.Empty(Directory.GetFileSystemEntries(Path.Combine(state, "partial")));
    }

    private static List<TarEntry> Entries(BaseImageLayer layer)
    {
        using var file = File.OpenRead(layer.Path);
        using var gzip = new GZipStream(file, CompressionMode.Decompress);
        using var tar = new TarReader(gzip);
        var entries = new List<TarEntry>();
        while (tar.GetNextEntry() is { } entry)
        {
            entries.Add(entry);
        }

        return entries;
    }
}
