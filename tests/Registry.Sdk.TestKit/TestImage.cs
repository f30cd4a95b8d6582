using System.Formats.Tar;
using System.IO.Compression;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

#pragma warning disable CA1507 // The JSON names are OCI's; that some properties here have the same name is chance.

namespace Registry.Sdk.TestKit;

/// <summary>
/// An image made by hand from files of this machine, because no base image can be downloaded here. It shares no code with the product,
/// so that a mistake there cannot hide in the test's own input.
/// </summary>
public sealed partial class TestImage
{
    private readonly SortedDictionary<string, (byte[] Content, UnixFileMode Mode)> files = new(StringComparer.Ordinal);

    /// <summary>What the container starts.</summary>
    public IList<string> Entrypoint { get; } = [];

    /// <summary>Environment, <c>NAME=value</c>.</summary>
    public IList<string> EnvironmentVariables { get; } = ["PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"];

    /// <summary>Labels.</summary>
    public IDictionary<string, string> Labels { get; } = new SortedDictionary<string, string>(StringComparer.Ordinal);

    /// <summary>The user the container runs as; empty is root.</summary>
    public string User { get; set; } = "";

    /// <summary>The architecture the image claims.</summary>
    public string Architecture { get; set; } =
        System.Runtime.InteropServices.RuntimeInformation.OSArchitecture == System.Runtime.InteropServices.Architecture.Arm64 ? "arm64" : "amd64";

    /// <summary>
    /// An image that runs ASP.NET applications: this machine's own .NET runtime with the libraries it loads. It stands in for
    /// <c>mcr.microsoft.com/dotnet/aspnet</c>.
    /// </summary>
    public static async Task<TestImage> CreateAspNetAsync()
    {
        var framework = Path.GetDirectoryName(typeof(object).Assembly.Location)!;
        var version = Path.GetFileName(framework);
        var root = Path.GetFullPath(Path.Combine(framework, "..", "..", ".."));
        var image = new TestImage { User = "1654" };
        image.AddFile("/etc/passwd", "root:x:0:0:root:/root:/bin/false\napp:x:1654:1654::/home/app:/bin/false\n");
        image.AddFile("/etc/group", "root:x:0:\napp:x:1654:\n");
        foreach (var folder in new[] { Path.Combine("shared", "Microsoft.NETCore.App", version), Path.Combine("shared", "Microsoft.AspNetCore.App", version), Path.Combine("host", "fxr", version) })
        {
            image.AddFolder(Path.Combine(root, folder), "/usr/share/dotnet/" + folder);
        }

        image.AddFile("/usr/share/dotnet/dotnet", await File.ReadAllBytesAsync(Path.Combine(root, "dotnet")), executable: true);
        await image.AddLibrariesAsync(
        [
            Path.Combine(root, "dotnet"), Path.Combine(framework, "libcoreclr.so"), Path.Combine(framework, "libclrjit.so"),
            Path.Combine(framework, "libSystem.Native.so"), Path.Combine(framework, "libSystem.IO.Compression.Native.so"),
        ]);
        image.EnvironmentVariables[0] += ":/usr/share/dotnet";
        foreach (var variable in new[]
        {
            "APP_UID=1654", "ASPNETCORE_HTTP_PORTS=8080", "DOTNET_RUNNING_IN_CONTAINER=true", "DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=true",
            "DOTNET_ROOT=/usr/share/dotnet", $"DOTNET_VERSION={version}", $"ASPNET_VERSION={version}",
        })
        {
            image.EnvironmentVariables.Add(variable);
        }

        return image;
    }

    /// <summary>Adds a text file.</summary>
    public void AddFile(string path, string content, bool executable = false) => AddFile(path, Encoding.UTF8.GetBytes(content), executable);

    /// <summary>Adds a file.</summary>
    public void AddFile(string path, byte[] content, bool executable = false) => files[path.TrimStart('/')] = (content, Mode(executable));

    /// <summary>Adds every file below a folder of this machine.</summary>
    public void AddFolder(string folder, string path)
    {
        foreach (var file in Directory.EnumerateFiles(folder, "*", SearchOption.AllDirectories))
        {
            AddFile(path + "/" + Path.GetRelativePath(folder, file), File.ReadAllBytes(file));
        }
    }

    /// <summary>Adds a program of this machine, at the same path, and every library it is linked with.</summary>
    public async Task AddProgramAsync(string file)
    {
        AddFile(file, await File.ReadAllBytesAsync(file), executable: true);
        await AddLibrariesAsync([file]);
    }

    /// <summary>Writes the image into an OCI layout that does not exist yet; returns the manifest's digest.</summary>
    public async Task<string> WriteLayoutAsync(string folder, string tag)
    {
        var blobs = Directory.CreateDirectory(Path.Combine(folder, "blobs", "sha256")).FullName;
        var tar = Tar();
        using var compressed = new MemoryStream();
        await using (var gzip = new GZipStream(compressed, CompressionLevel.Fastest, leaveOpen: true))
        {
            await gzip.WriteAsync(tar);
        }

        var layer = await BlobAsync("application/vnd.oci.image.layer.v1.tar+gzip", compressed.ToArray());
        var config = await BlobAsync("application/vnd.oci.image.config.v1+json", Json(new JsonObject
        {
            ["created"] = "2026-01-01T00:00:00Z",
            ["architecture"] = Architecture,
            ["os"] = "linux",
            ["config"] = new JsonObject
            {
                ["User"] = User,
                ["Env"] = new JsonArray([.. EnvironmentVariables.Select(variable => JsonValue.Create(variable))]),
                ["Entrypoint"] = new JsonArray([.. Entrypoint.Select(word => JsonValue.Create(word))]),
                ["Labels"] = new JsonObject([.. Labels.Select(label => KeyValuePair.Create(label.Key, (JsonNode?)label.Value))]),
            },
            ["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = new JsonArray(Digest(tar)) },
        }));
        var manifest = await BlobAsync("application/vnd.oci.image.manifest.v1+json", Json(new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = "application/vnd.oci.image.manifest.v1+json",
            ["config"] = config,
            ["layers"] = new JsonArray(layer),
        }));
        manifest["annotations"] = new JsonObject { ["org.opencontainers.image.ref.name"] = tag };
        await File.WriteAllBytesAsync(Path.Combine(folder, "index.json"), Json(new JsonObject { ["schemaVersion"] = 2, ["manifests"] = new JsonArray(manifest) }));
        await File.WriteAllTextAsync(Path.Combine(folder, "oci-layout"), """{"imageLayoutVersion":"1.0.0"}""");
        return manifest["digest"]!.GetValue<string>();

        async Task<JsonObject> BlobAsync(string mediaType, byte[] content)
        {
            var digest = Digest(content);
            await File.WriteAllBytesAsync(Path.Combine(blobs, digest["sha256:".Length..]), content);
            return new JsonObject { ["mediaType"] = mediaType, ["digest"] = digest, ["size"] = content.Length };
        }
    }

    /// <summary>Sends the image to a registry with skopeo (<c>localhost:5000/name:tag</c>); returns the manifest's digest.</summary>
    public async Task<string> PushAsync(string reference, string? authFile = null)
    {
        await using var directory = new TempDirectory("img");
        var digest = await WriteLayoutAsync(directory.Path, "image");
        await Skopeo.CopyAsync($"oci:{directory.Path}:image", $"docker://{reference}", authFile: authFile);
        return digest;
    }

    private static UnixFileMode Mode(bool executable)
    {
        const UnixFileMode Read = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.GroupRead | UnixFileMode.OtherRead;
        return executable ? Read | UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute : Read;
    }

    private static string Digest(byte[] content) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(content));

    private static byte[] Json(JsonObject value) => JsonSerializer.SerializeToUtf8Bytes(value);

    private async Task AddLibrariesAsync(IEnumerable<string> binaries)
    {
        var result = (await ProcessRunner.RunAsync("ldd", binaries)).EnsureSuccess();
        foreach (Match match in LibraryPath().Matches(result.StandardOutput))
        {
            // At the path the loader looks for, with the content the link leads to. Executable, because the loader is among them.
            AddFile(match.Groups["path"].Value, await File.ReadAllBytesAsync(match.Groups["path"].Value), executable: true);
        }
    }

    // "libc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x…)" and "/lib64/ld-linux-x86-64.so.2 (0x…)".
    [GeneratedRegex(@"(?<path>/\S+) \(0x", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex LibraryPath();

    private byte[] Tar()
    {
        using var stream = new MemoryStream();
        using (var writer = new TarWriter(stream, TarEntryFormat.Ustar, leaveOpen: true))
        {
            var folders = files.Keys.SelectMany(Parents).Append("tmp").ToHashSet(StringComparer.Ordinal);
            foreach (var folder in folders.Order(StringComparer.Ordinal))
            {
                writer.WriteEntry(new UstarTarEntry(TarEntryType.Directory, folder + "/")
                {
                    Mode = Mode(executable: true) | (folder == "tmp" ? UnixFileMode.GroupWrite | UnixFileMode.OtherWrite | UnixFileMode.StickyBit : UnixFileMode.None),
                    ModificationTime = GitRepo.Epoch,
                });
            }

            foreach (var (path, (content, mode)) in files)
            {
                using var data = new MemoryStream(content);
                writer.WriteEntry(new UstarTarEntry(TarEntryType.RegularFile, path) { Mode = mode, ModificationTime = GitRepo.Epoch, DataStream = data });
            }
        }

        return stream.ToArray();
    }

    private static IEnumerable<string> Parents(string path)
    {
        for (var slash = path.IndexOf('/', StringComparison.Ordinal); slash >= 0; slash = path.IndexOf('/', slash + 1))
        {
            yield return path[..slash];
        }
    }
}
