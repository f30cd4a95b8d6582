using System.Text.Json;
using System.Text.Json.Nodes;

namespace Registry.Sdk.TestKit;

/// <summary>
/// Validates manifests, indexes, configs and layouts against the OCI image spec's own JSON schemas, as Debian's
/// <c>golang-github-opencontainers-image-spec-dev</c> has them. The validator is Debian's <c>python3-jsonschema</c>: of the .NET ones none
/// that this workplace's NuGet holds is both complete and free to use. Docker's media types have the same shape and get the same schemas.
/// </summary>
public static class OciSchemas
{
    private const string Folder = "/usr/share/gocode/src/github.com/opencontainers/image-spec/schema";

    // Not the one on the PATH, which may be another than the one that Debian's packages are for.
    private const string Python = "/usr/bin/python3";

    private const string LayoutHeader = "application/vnd.oci.layout.header.v1+json";
    private const string Index = "application/vnd.oci.image.index.v1+json";
    private const string Manifest = "application/vnd.oci.image.manifest.v1+json";
    private const string Config = "application/vnd.oci.image.config.v1+json";

    /// <summary>
    /// References are followed within the folder, by their last part, and never into the network. Three things the schemas ask for without
    /// being able to say so are asked here: a member stands once, a time is RFC 3339, and a SHA-256 digest has 64 lower-case hex digits
    /// (image spec, descriptor.md; the specification's own validator asks the same beside its schemas).
    /// </summary>
    private const string Validator = """
        import base64, json, os, re, sys
        from jsonschema import Draft4Validator, FormatChecker, RefResolver

        folder = sys.argv[1]
        def load(uri):
            with open(os.path.join(folder, uri.rsplit("/", 1)[-1]), encoding="utf-8") as file:
                return json.load(file)

        formats = FormatChecker(formats=())
        formats.checks("date-time")(lambda text: not isinstance(text, str) or re.fullmatch(
            r"\d{4}-(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])T([01]\d|2[0-3]):[0-5]\d:([0-5]\d|60)(\.\d+)?(Z|[+-]([01]\d|2[0-3]):[0-5]\d)", text) is not None)
        formats.checks("uri")(lambda text: not isinstance(text, str) or re.fullmatch(r"[A-Za-z][A-Za-z0-9+.-]*:[!-~]+", text) is not None)

        def once(members):
            names = [name for name, _ in members]
            twice = sorted({name for name in names if names.count(name) > 1})
            if twice:
                raise ValueError("a member stands twice: " + ", ".join(twice))
            return dict(members)

        def digests(value, path, parent=None):
            if isinstance(value, dict):
                for name, member in value.items():
                    yield from digests(member, path + "." + name, name)
            elif isinstance(value, list):
                for index, item in enumerate(value):
                    yield from digests(item, f"{path}[{index}]", parent)
            elif parent in ("digest", "diff_ids") and isinstance(value, str) and not re.fullmatch(r"sha256:[0-9a-f]{64}|sha512:[0-9a-f]{128}", value):
                yield f"{path}: '{value}' is no SHA-256 or SHA-512 digest"

        def check(schema, content):
            try:
                value = json.loads(base64.b64decode(content).decode("utf-8"), object_pairs_hook=once)
            except ValueError as error:
                return ["$: " + str(error)]
            root = load(schema)
            validator = Draft4Validator(root, resolver=RefResolver(root["id"], root, handlers={"https": load}), format_checker=formats)
            return [error.json_path + ": " + error.message for error in validator.iter_errors(value)] + list(digests(value, "$"))

        json.dump([check(item["schema"], item["content"]) for item in json.load(sys.stdin)], sys.stdout)
        """;

    /// <summary>What of the specification the bytes break, each with the path to it; empty if nothing.</summary>
    public static async Task<IReadOnlyList<string>> ValidateAsync(string mediaType, byte[] content) => (await ValidateAsync([(mediaType, content)]))[0];

    /// <summary>The same for several documents, with one process for all.</summary>
    public static async Task<IReadOnlyList<IReadOnlyList<string>>> ValidateAsync(IReadOnlyList<(string MediaType, byte[] Content)> documents)
    {
        var input = new JsonArray([.. documents.Select(document => new JsonObject
        {
            ["schema"] = Schema(document.MediaType),
            ["content"] = Convert.ToBase64String(document.Content),
        })]);
        var result = (await ProcessRunner.RunAsync(Python, ["-c", Validator, Folder], standardInput: input.ToJsonString())).EnsureSuccess();
        return JsonSerializer.Deserialize<string[][]>(result.StandardOutput)!;
    }

    /// <summary>
    /// An OCI layout directory: its two files and every index, manifest and config that <c>index.json</c> leads to, and that each blob on the
    /// way has the digest and size it is named with.
    /// </summary>
    /// <param name="folder">The layout.</param>
    /// <param name="missingLayers">Whether layers may be left out, as base image layers are from a layout that is only sent.</param>
    public static async Task<IReadOnlyList<string>> ValidateLayoutAsync(string folder, bool missingLayers = false)
    {
        var found = new List<string>();
        var documents = new List<(string Name, string MediaType, byte[] Content)>();
        var seen = new HashSet<string>(StringComparer.Ordinal);
        await AddFileAsync("oci-layout", LayoutHeader);
        if (await AddFileAsync("index.json", Index) is { } index)
        {
            await FollowAsync("index.json", index);
        }

        var results = await ValidateAsync([.. documents.Select(document => (document.MediaType, document.Content))]);
        found.AddRange(results.Zip(documents).SelectMany(pair => pair.First.Select(violation => $"{pair.Second.Name}: {violation}")));
        return found;

        async Task<byte[]?> AddFileAsync(string name, string mediaType)
        {
            var path = Path.Combine(folder, name);
            if (!File.Exists(path))
            {
                found.Add($"{name}: is missing");
                return null;
            }

            var content = await File.ReadAllBytesAsync(path);
            documents.Add((name, mediaType, content));
            return content;
        }

        async Task FollowAsync(string name, byte[] content)
        {
            foreach (var descriptor in Descriptors(content))
            {
                var (mediaType, digest, size) = (Text(descriptor["mediaType"]), Text(descriptor["digest"]), descriptor["size"]?.ToJsonString());
                if (mediaType is null || digest?.Split(':') is not ["sha256", { Length: 64 } hex] || !seen.Add(digest))
                {
                    continue; // The schema tells what is wrong with a descriptor that has no digest to follow.
                }

                var path = Path.Combine(folder, "blobs", "sha256", hex);
                var isDocument = SchemaOrNull(mediaType) is not null;
                if (!File.Exists(path))
                {
                    if (isDocument || !missingLayers)
                    {
                        found.Add($"{name}: {digest} is missing");
                    }

                    continue;
                }

                if (size != FormattableString.Invariant($"{new FileInfo(path).Length}"))
                {
                    found.Add($"{name}: says that {digest} has {size} bytes, and it has {new FileInfo(path).Length}");
                }

                await using (var stream = File.OpenRead(path))
                {
                    var actual = Convert.ToHexStringLower(await System.Security.Cryptography.SHA256.HashDataAsync(stream));
                    if (actual != hex)
                    {
                        found.Add($"{digest}: its bytes have the digest sha256:{actual}");
                        continue;
                    }
                }

                if (isDocument)
                {
                    var blob = await File.ReadAllBytesAsync(path);
                    documents.Add((digest, mediaType, blob));
                    await FollowAsync(digest, blob);
                }
            }
        }
    }

    private static IEnumerable<JsonObject> Descriptors(byte[] content)
    {
        JsonObject? json;
        try
        {
            json = JsonNode.Parse(content) as JsonObject;
            _ = json?.Count; // A member that stands twice is found out here.
        }
        catch (Exception exception) when (exception is JsonException or ArgumentException)
        {
            return []; // The validator says so.
        }

        return new[] { json?["config"] }.Concat(json?["manifests"] as JsonArray ?? []).Concat(json?["layers"] as JsonArray ?? []).OfType<JsonObject>();
    }

    private static string? Text(JsonNode? node) => node?.GetValueKind() == JsonValueKind.String ? node.GetValue<string>() : null;

    private static string Schema(string mediaType) =>
        SchemaOrNull(mediaType) ?? throw new ArgumentException($"The image spec has no schema for '{mediaType}'.", nameof(mediaType));

    private static string? SchemaOrNull(string mediaType) => mediaType switch
    {
        LayoutHeader => "image-layout-schema.json",
        Index or "application/vnd.docker.distribution.manifest.list.v2+json" => "image-index-schema.json",
        Manifest or "application/vnd.docker.distribution.manifest.v2+json" => "image-manifest-schema.json",
        Config or "application/vnd.docker.container.image.v1+json" => "config-schema.json",
        _ => null,
    };
}
