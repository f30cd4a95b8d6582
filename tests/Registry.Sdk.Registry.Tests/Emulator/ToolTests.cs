using System.Text.Json;
using Registry.Sdk.Emulator;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Emulator;

/// <summary>The tools of others against the emulator: they know the protocol from elsewhere.</summary>
public sealed class ToolTests : EmulatorTest
{
    private static readonly string OtherRid = BaseImageComposer.MachineRid.EndsWith("arm64", StringComparison.Ordinal) ? "linux-x64" : "linux-arm64";

    [NeedsToolsFact("skopeo", "umoci")]
    public async Task Skopeo_pushes_and_pulls_both_formats()
    {
        var layout = Path.Combine(Scratch, "layout");
        await EmulatorTestProcess.RunAsync("umoci", "init", "--layout", layout);
        await EmulatorTestProcess.RunAsync("umoci", "new", "--image", layout + ":made");
        await EmulatorTestProcess.RunAsync("umoci", "insert", "--image", layout + ":made", typeof(ToolTests).Assembly.Location, "/app/it.dll");
        foreach (var (format, mediaType) in new[] { ("oci", OciManifest), ("v2s2", "application/vnd.docker.distribution.manifest.v2+json") })
        {
            var reference = $"docker://{Emulator.Host}/team/{format}:v1";
            await EmulatorTestProcess.RunAsync("skopeo", "copy", "--dest-tls-verify=false", "--format", format, $"oci:{layout}:made", reference);
            var raw = await EmulatorTestProcess.RunAsync("skopeo", "inspect", "--tls-verify=false", "--raw", reference);
            Assert.Equal(mediaType, (await SendAsync("HEAD", $"/v2/team/{format}/manifests/v1")).Content.Headers.ContentType?.ToString());

            // Back into a folder: every byte that went in comes out, under the digests the manifest gives.
            var folder = Path.Combine(Scratch, format);
            await EmulatorTestProcess.RunAsync("skopeo", "copy", "--src-tls-verify=false", "--preserve-digests", reference, "dir:" + folder);
            Assert.Equal(raw, await File.ReadAllTextAsync(Path.Combine(folder, "manifest.json")));
            using var manifest = JsonDocument.Parse(raw);
            foreach (var blob in manifest.RootElement.GetProperty("layers").EnumerateArray().Append(manifest.RootElement.GetProperty("config")))
            {
                var digest = blob.GetProperty("digest").GetString()!;
                Assert.Equal(digest, DigestOf(await File.ReadAllBytesAsync(Path.Combine(folder, digest["sha256:".Length..]))));
            }
        }
    }

    [NeedsToolsFact("skopeo")]
    public async Task Skopeo_copies_an_index_with_credentials_and_lists_and_deletes()
    {
        var stubs = new[] { "linux-arm", "linux-s390x" }.Select(rid => new BaseImageOptions { Rid = rid }).ToArray();
        var seeded = await BaseImageComposer.SeedAsync(State, "dotnet/aspnet", "10.0", stubs, index: true);
        await RestartAsync(new EmulatorOptions { StateDirectory = State, Users = { ["me"] = "pass" } });
        var from = $"docker://{Emulator.Host}/dotnet/aspnet:10.0";
        var to = $"docker://{Emulator.Host}/mirror/aspnet:copied";
        await EmulatorTestProcess.RunAsync("skopeo", "copy", "--all", "--src-tls-verify=false", "--dest-tls-verify=false", "--src-creds=me:pass", "--dest-creds=me:pass", from, to);
        var layout = Path.Combine(Scratch, "layout");
        await EmulatorTestProcess.RunAsync("skopeo", "copy", "--all", "--src-tls-verify=false", "--src-creds=me:pass", to, $"oci:{layout}:x");
        Assert.True(File.Exists(Path.Combine(layout, "blobs", "sha256", seeded.Digest["sha256:".Length..])));
        Assert.Contains("\"copied\"", await EmulatorTestProcess.RunAsync("skopeo", "list-tags", "--tls-verify=false", "--creds=me:pass", $"docker://{Emulator.Host}/mirror/aspnet"), StringComparison.Ordinal);
        await EmulatorTestProcess.RunAsync("skopeo", "delete", "--tls-verify=false", "--creds=me:pass", to);
        Assert.NotEqual(0, (await EmulatorTestProcess.TryRunAsync("skopeo", "inspect", "--tls-verify=false", "--creds=me:pass", to)).Code);
        Assert.NotEqual(0, (await EmulatorTestProcess.TryRunAsync("skopeo", "inspect", "--tls-verify=false", "--creds=me:wrong", from)).Code);
    }

    [NeedsToolsFact("docker", "dockerd", "ldd")]
    public async Task Docker_runs_the_composed_base_image_and_pushes_it_back()
    {
        await BaseImageComposer.SeedAsync(State, "dotnet/aspnet", "oci", [new BaseImageOptions()], index: false);
        await BaseImageComposer.SeedAsync(
            State, "dotnet/runtime", "list", [.. new[] { OtherRid, BaseImageComposer.MachineRid }.Select(rid => new BaseImageOptions { Kind = BaseImageKind.Runtime, Format = BaseImageFormat.Docker, Rid = rid })], index: true);
        await using var docker = await EmulatorTestDocker.StartAsync();
        var aspnet = await docker.RunAsync("run", "--rm", "--network=host", "--ulimit", "nofile=1024:1024", $"{Emulator.Host}/dotnet/aspnet:oci", "dotnet", "--list-runtimes");
        Assert.Contains("Microsoft.AspNetCore.App 10.0.", aspnet, StringComparison.Ordinal);
        Assert.Contains("Microsoft.NETCore.App 10.0.", aspnet, StringComparison.Ordinal);
        var runtime = await docker.RunAsync("run", "--rm", "--network=host", "--ulimit", "nofile=1024:1024", "--user", "1654", $"{Emulator.Host}/dotnet/runtime:list", "dotnet", "--list-runtimes");
        Assert.Contains("Microsoft.NETCore.App 10.0.", runtime, StringComparison.Ordinal);
        Assert.DoesNotContain("AspNetCore", runtime, StringComparison.Ordinal);

        await docker.RunAsync("tag", $"{Emulator.Host}/dotnet/aspnet:oci", $"{Emulator.Host}/pushed/by-docker:v1");
        await docker.RunAsync("push", $"{Emulator.Host}/pushed/by-docker:v1");
        Assert.Equal("""{"name":"pushed/by-docker","tags":["v1"]}""", await Client.GetStringAsync(new Uri("/v2/pushed/by-docker/tags/list", UriKind.Relative)));
    }
}
