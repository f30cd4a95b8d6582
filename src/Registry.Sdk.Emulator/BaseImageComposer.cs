using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Registry.Sdk.Emulator;

/// <summary>
/// Composes base images like Microsoft's <c>dotnet/aspnet</c> and <c>dotnet/runtime</c> from the .NET installed on this machine, for
/// places that cannot, or should not, pull one. Two layers: system libraries, then .NET. The same machine and options give the same
/// bytes. Off Linux, or for another platform, it composes a stub that says so (<see cref="BaseImage.IsRunnable"/>).
/// </summary>
/// <remarks>
/// A stand-in for tests and the quickstart: no shell, no package manager, no ICU (globalization is invariant), no time zones.
/// </remarks>
public static class BaseImageComposer
{
    private const int AppUser = 1654;
    private const string SearchPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    // Of files, config and history alike. Any constant does; not 1970, which some tools take for "unset".
    private static readonly DateTimeOffset Time = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    private static readonly string[] CertificateBundles = ["/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt"];

    /// <summary>The runtime identifier for which a runnable image can be composed here, e.g. <c>linux-x64</c>; off Linux, of the machine's CPU.</summary>
    public static string MachineRid { get; } =
        (RuntimeInformation.RuntimeIdentifier.Contains("musl", StringComparison.Ordinal) ? "linux-musl-" : "linux-")
        + (RuntimeInformation.OSArchitecture switch
        {
            Architecture.X64 => "x64",
            Architecture.X86 => "x86",
            Architecture.Arm64 => "arm64",
            Architecture.Arm or Architecture.Armv6 => "arm",
            Architecture.S390x => "s390x",
            Architecture.Ppc64le => "ppc64le",
            Architecture.LoongArch64 => "loongarch64",
            Architecture.RiscV64 => "riscv64",
            var other => throw new PlatformNotSupportedException($"no runtime identifier for {other}"),
        });

    /// <summary>Composes an image; its layer files stay in the folder given. Takes seconds of CPU time.</summary>
    /// <param name="options">What to compose.</param>
    /// <param name="folder">Where to write the layer files; made when absent.</param>
    /// <param name="cancellationToken">Stops between files.</param>
    /// <exception cref="ArgumentException">The runtime identifier is not a Linux one.</exception>
    public static Task<BaseImage> ComposeAsync(BaseImageOptions options, string folder, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(options);
        _ = Platform(options.Rid);
        return Task.Run(() => Compose(options, folder, cancellationToken), cancellationToken);
    }

    /// <summary>
    /// Composes images and stores them under a tag in an emulator's state directory, whether a server runs on it or not.
    /// </summary>
    /// <param name="stateDirectory">The emulator's <see cref="EmulatorOptions.StateDirectory"/>; made when absent.</param>
    /// <param name="repository">Repository name, e.g. <c>dotnet/aspnet</c>.</param>
    /// <param name="tag">Tag, e.g. <c>10.0</c>.</param>
    /// <param name="images">One image, or several for an index; all of one format.</param>
    /// <param name="index">Whether the tag names an index (Docker: a manifest list) of the images.</param>
    /// <param name="cancellationToken">Stops between files; then nothing is tagged.</param>
    /// <exception cref="ArgumentException">A name or tag is invalid, several images without an index, mixed formats, or one platform twice.</exception>
    public static async Task<SeededImage> SeedAsync(
        string stateDirectory, string repository, string tag, IReadOnlyList<BaseImageOptions> images, bool index, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(images);
        if (!ImageReference.IsName(repository) || !ImageReference.IsTag(tag))
        {
            throw new ArgumentException($"'{repository}:{tag}' is not a repository name and a tag", nameof(repository));
        }

        if (images.Count == 0 || (images.Count > 1 && !index)
            || images.Select(image => image.Format).Distinct().Count() > 1 || images.DistinctBy(image => image.Rid, StringComparer.Ordinal).Count() < images.Count)
        {
            throw new ArgumentException("expected one image, or an index of images of one format and different platforms", nameof(images));
        }

        var store = new RegistryStore(stateDirectory, seeding: true);
        var folder = store.NewPartialFile();
        try
        {
            var composed = new List<BaseImage>();
            foreach (var options in images)
            {
                composed.Add(await ComposeAsync(options, Path.Combine(folder, options.Rid), cancellationToken));
            }

            foreach (var image in composed)
            {
                Store(store, repository, image, index ? null : tag);
            }

            return new SeededImage(index ? StoreIndex(store, repository, tag, composed, images[0].Format) : composed[0].ManifestDigest, composed);
        }
        finally
        {
            if (Directory.Exists(folder))
            {
                Directory.Delete(folder, recursive: true);
            }
        }
    }

    private static BaseImage Compose(BaseImageOptions options, string folder, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(folder);
        string? reason;
        MachineDotnet? dotnet = null;
        if (string.Equals(options.Rid, MachineRid, StringComparison.Ordinal))
        {
            dotnet = MachineDotnet.Find(options, out reason);
        }
        else
        {
            reason = $"this machine is {MachineRid}, so there is no {options.Rid} .NET to take";
        }

        var layerType = options.Format == BaseImageFormat.Oci
            ? "application/vnd.oci.image.layer.v1.tar+gzip"
            : "application/vnd.docker.image.rootfs.diff.tar.gzip";
        var layers = new List<(BaseImageLayer Layer, string By)>();
        var environment = new List<string> { "PATH=" + SearchPath, $"APP_UID={AppUser}", "ASPNETCORE_HTTP_PORTS=8080", "DOTNET_RUNNING_IN_CONTAINER=true" };
        var system = new LayerTar();
        AddSystemFiles(system);
        if (dotnet is null)
        {
            system.AddText("/etc/this-image-is-a-stub", $"It holds no .NET ({options.Kind}, {options.Rid}) and cannot run.\n");
            environment.Add($"DOTNET_VERSION={options.Version}.0");
            environment.AddRange(options.Kind == BaseImageKind.Aspnet ? [$"ASPNET_VERSION={options.Version}.0"] : []);
            layers.Add((system.Write(Path.Combine(folder, "stub.tar.gz"), layerType, Time, cancellationToken), "stub"));
        }
        else
        {
            foreach (var library in dotnet.Libraries)
            {
                system.AddFile(library, library);
            }

            environment.Add("DOTNET_SYSTEM_GLOBALIZATION_INVARIANT=1");
            if (CertificateBundles.FirstOrDefault(File.Exists) is { } certificates)
            {
                system.AddFile(CertificateBundles[0], certificates);

                // Where OpenSSL looks by itself depends on how it was built.
                environment.Add("SSL_CERT_FILE=" + CertificateBundles[0]);
            }

            var runtime = new LayerTar();
            runtime.AddLink("/usr/bin/dotnet", "/usr/share/dotnet/dotnet");
            foreach (var file in dotnet.Files())
            {
                runtime.AddFile("/usr/share/dotnet/" + file, Path.Combine(dotnet.Root, file));
            }

            environment.Add("DOTNET_VERSION=" + dotnet.RuntimeVersion);
            environment.AddRange(dotnet.AspnetVersion is { } aspnet ? ["ASPNET_VERSION=" + aspnet] : []);
            layers.Add((system.Write(Path.Combine(folder, "system.tar.gz"), layerType, Time, cancellationToken), "system libraries"));
            layers.Add((runtime.Write(Path.Combine(folder, "dotnet.tar.gz"), layerType, Time, cancellationToken), ".NET " + dotnet.RuntimeVersion));
        }

        return Describe(options, layers, environment, reason);
    }

    private static void AddSystemFiles(LayerTar system)
    {
        system.AddFolder("/tmp", (UnixFileMode)0b1_111_111_111);
        system.AddFolder("/root", (UnixFileMode)0b111_000_000);
        system.AddFolder("/home/app", (UnixFileMode)0b111_101_000, AppUser);
        system.AddText("/etc/passwd", $"root:x:0:0:root:/root:/sbin/nologin\napp:x:{AppUser}:{AppUser}::/home/app:/sbin/nologin\n");
        system.AddText("/etc/group", $"root:x:0:\napp:x:{AppUser}:\n");
        system.AddText("/etc/nsswitch.conf", "hosts: files dns\n");
    }

    private static BaseImage Describe(
        BaseImageOptions options, List<(BaseImageLayer Layer, string By)> layers, List<string> environment, string? notRunnableReason)
    {
        var oci = options.Format == BaseImageFormat.Oci;
        var created = Time.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", System.Globalization.CultureInfo.InvariantCulture);
        var config = new JsonObject { ["created"] = created };
        foreach (var (key, value) in Platform(options.Rid))
        {
            config[key] = value;
        }

        config["config"] = new JsonObject { ["Env"] = Array(environment.Select(text => (JsonNode)text)) };
        config["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = Array(layers.Select(item => (JsonNode)item.Layer.DiffId)) };
        config["history"] = Array(layers.Select(item => (JsonNode)new JsonObject { ["created"] = created, ["created_by"] = "Registry.Sdk.Emulator: " + item.By }));
        var configBytes = Bytes(config);
        var configType = oci ? "application/vnd.oci.image.config.v1+json" : "application/vnd.docker.container.image.v1+json";
        var manifestType = oci ? ManifestReader.OciManifest : ManifestReader.DockerManifest;
        var manifest = Bytes(new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = manifestType,
            ["config"] = Descriptor(configType, ImageReference.DigestOf(configBytes), configBytes.Length),
            ["layers"] = Array(layers.Select(item => (JsonNode)Descriptor(item.Layer.MediaType, item.Layer.Digest, item.Layer.Size))),
        });
        return new BaseImage
        {
            Rid = options.Rid,
            NotRunnableReason = notRunnableReason,
            Layers = [.. layers.Select(item => item.Layer)],
            Config = configBytes,
            ConfigDigest = ImageReference.DigestOf(configBytes),
            ConfigMediaType = configType,
            Manifest = manifest,
            ManifestDigest = ImageReference.DigestOf(manifest),
            ManifestMediaType = manifestType,
        };
    }

    private static void Store(RegistryStore store, string repository, BaseImage image, string? tag)
    {
        foreach (var layer in image.Layers)
        {
            store.AddBlob(repository, layer.Digest, layer.Path);
        }

        var config = store.NewPartialFile();
        File.WriteAllBytes(config, image.Config.Span);
        store.AddBlob(repository, image.ConfigDigest, config);
        store.PutManifest(repository, new StoredManifest(image.ManifestDigest, image.ManifestMediaType, image.Manifest.ToArray()), tag, subject: null, static () => { });
    }

    private static string StoreIndex(RegistryStore store, string repository, string tag, List<BaseImage> images, BaseImageFormat format)
    {
        var mediaType = format == BaseImageFormat.Oci ? ManifestReader.OciIndex : ManifestReader.DockerList;
        var index = Bytes(new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = mediaType,
            ["manifests"] = Array(images.Select(image =>
            {
                var descriptor = Descriptor(image.ManifestMediaType, image.ManifestDigest, image.Manifest.Length);
                descriptor["platform"] = new JsonObject(Platform(image.Rid).Select(pair => KeyValuePair.Create(pair.Key, (JsonNode?)pair.Value)));
                return (JsonNode)descriptor;
            })),
        });
        var digest = ImageReference.DigestOf(index);
        store.PutManifest(repository, new StoredManifest(digest, mediaType, index), tag, subject: null, static () => { });
        return digest;
    }

    /// <summary>The Go names image-spec asks for ("Platform Variants" gives the variants).</summary>
    private static KeyValuePair<string, string>[] Platform(string rid)
    {
        if (!rid.StartsWith("linux-", StringComparison.Ordinal))
        {
            throw new ArgumentException($"'{rid}' is not a Linux runtime identifier", nameof(rid));
        }

        var (architecture, variant) = rid[(rid.LastIndexOf('-') + 1)..] switch
        {
            "x64" => ("amd64", null),
            "x86" => ("386", null),
            "arm64" => ("arm64", "v8"),
            "arm" => ("arm", "v7"),
            "loongarch64" => ("loong64", null),
            "s390x" or "ppc64le" or "riscv64" => (rid[(rid.LastIndexOf('-') + 1)..], (string?)null),
            _ => throw new ArgumentException($"'{rid}' is not a Linux runtime identifier", nameof(rid)),
        };
        List<KeyValuePair<string, string>> platform = [new("architecture", architecture), new("os", "linux")];
        if (variant is not null)
        {
            platform.Add(new("variant", variant));
        }

        return [.. platform];
    }

    private static JsonObject Descriptor(string mediaType, string digest, long size) =>
        new() { ["mediaType"] = mediaType, ["digest"] = digest, ["size"] = size };

    private static JsonArray Array(IEnumerable<JsonNode> items) => [.. items];

    private static byte[] Bytes(JsonObject json) => JsonSerializer.SerializeToUtf8Bytes(json, ReadableJson.Options);
}
