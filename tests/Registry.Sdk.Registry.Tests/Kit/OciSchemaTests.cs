using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Kit;

public sealed class OciSchemaTests
{
    private const string Manifest = "application/vnd.oci.image.manifest.v1+json";
    private const string Index = "application/vnd.oci.image.index.v1+json";
    private const string Config = "application/vnd.oci.image.config.v1+json";
    private const string Layout = "application/vnd.oci.layout.header.v1+json";
    private const string Hex = "44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a";

    private const string ValidManifest =
        $$$"""{"schemaVersion":2,"mediaType":"{{{Manifest}}}","config":{"mediaType":"{{{Config}}}","digest":"sha256:{{{Hex}}}","size":2},"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+gzip","digest":"sha256:{{{Hex}}}","size":2,"annotations":{"a":"b"}}],"annotations":{"org.opencontainers.image.version":"1.2.3"}}""";

    private const string ValidIndex =
        $$$"""{"schemaVersion":2,"mediaType":"{{{Index}}}","manifests":[{"mediaType":"{{{Manifest}}}","digest":"sha256:{{{Hex}}}","size":2,"platform":{"architecture":"arm64","os":"linux","variant":"v8"}}],"annotations":{"a":"b"}}""";

    private const string ValidConfig =
        $$$"""{"created":"2026-01-01T00:00:00Z","architecture":"amd64","os":"linux","config":{"User":"1654","ExposedPorts":{"8080/tcp":{}},"Env":["A=b"],"Entrypoint":["x"],"Cmd":["y"],"Volumes":{"/d":{}},"WorkingDir":"/app/","Labels":{"a":"b"},"StopSignal":"SIGTERM"},"rootfs":{"type":"layers","diff_ids":["sha256:{{{Hex}}}"]},"history":[{"created":"2026-01-01T00:00:00.5+02:00","created_by":"x","empty_layer":true}]}""";

    private const string ValidLayout = """{"imageLayoutVersion":"1.0.0"}""";

    [Fact]
    public async Task Valid_documents_of_every_kind_pass()
    {
        var results = await OciSchemas.ValidateAsync(
        [
            (Manifest, Bytes(ValidManifest)), (Index, Bytes(ValidIndex)), (Config, Bytes(ValidConfig)), (Layout, Bytes(ValidLayout)),
            ("application/vnd.docker.distribution.manifest.v2+json", Bytes(ValidManifest.Replace(Manifest, "application/vnd.docker.distribution.manifest.v2+json"))),
            ("application/vnd.docker.distribution.manifest.list.v2+json", Bytes(ValidIndex)),
            ("application/vnd.docker.container.image.v1+json", Bytes(ValidConfig)),
        ]);

        Assert.Equal(7, results.Count);
        Assert.All(results, Assert.Empty);
        await Assert.ThrowsAsync<ArgumentException>(() => OciSchemas.ValidateAsync("application/json", Bytes("{}")));
    }

    [Fact]
    public async Task Each_broken_document_is_found_out()
    {
        (string MediaType, string Content, string Expected)[] broken =
        [
            (Manifest, "not JSON", "$: "),
            (Manifest, "[]", "$: [] is not of type 'object'"),
            (Manifest, With(ValidManifest, m => m.Remove("config")), "$: 'config' is a required property"),
            (Manifest, With(ValidManifest, m => m.Remove("layers")), "$: 'layers' is a required property"),
            (Manifest, With(ValidManifest, m => m["layers"] = new JsonArray()), "$.layers: [] is too short"),
            (Manifest, With(ValidManifest, m => m.Remove("schemaVersion")), "$: 'schemaVersion' is a required property"),
            (Manifest, With(ValidManifest, m => m["schemaVersion"] = 1), "$.schemaVersion: 1 is less than the minimum of 2"),
            (Manifest, With(ValidManifest, m => m["mediaType"] = "manifest"), "$.mediaType: 'manifest' does not match"),
            (Manifest, With(ValidManifest, m => m["config"]!["digest"] = Hex), $"$.config.digest: '{Hex}' does not match"),
            (Manifest, With(ValidManifest, m => m["config"]!["digest"] = "sha256:" + Hex[1..]), "$.config.digest: 'sha256:4136"),
            (Manifest, With(ValidManifest, m => m["config"]!["digest"] = "sha256:" + Hex.ToUpperInvariant()), "$.config.digest: 'sha256:44136FA"),
            (Manifest, With(ValidManifest, m => m["layers"]![0]!["size"] = "2"), "$.layers[0].size: '2' is not of type 'integer'"),
            (Manifest, With(ValidManifest, m => m["layers"]![0]!.AsObject().Remove("mediaType")), "$.layers[0]: 'mediaType' is a required property"),
            (Manifest, With(ValidManifest, m => m["layers"]![0]!["urls"] = new JsonArray("here")), "$.layers[0].urls[0]: 'here' is not a 'uri'"),
            (Manifest, With(ValidManifest, m => m["layers"]![0]!["annotations"]!["a"] = 1), "$.layers[0].annotations.a: 1 is not of type 'string'"),
            (Manifest, With(ValidManifest, m => m["annotations"]!["a"] = true), "$.annotations.a: True is not of type 'string'"),
            (Manifest, ValidManifest.Replace("\"size\":2}", "\"size\":2,\"size\":3}"), "$: a member stands twice: size"),
            (Index, With(ValidIndex, i => i.Remove("manifests")), "$: 'manifests' is a required property"),
            (Index, With(ValidIndex, i => i["manifests"]![0]!["platform"]!.AsObject().Remove("os")), "$.manifests[0].platform: 'os' is a required property"),
            (Index, With(ValidIndex, i => i["manifests"]![0]!["platform"]!["variant"] = 8), "$.manifests[0].platform.variant: 8 is not of type 'string'"),
            (Index, With(ValidIndex, i => i["manifests"]![0]!.AsObject().Remove("digest")), "$.manifests[0]: 'digest' is a required property"),
            (Index, With(ValidIndex, i => i["manifests"]![0]!["digest"] = "sha256:short"), "$.manifests[0].digest: 'sha256:short' is no SHA-256"),
            (Config, With(ValidConfig, c => c.Remove("architecture")), "$: 'architecture' is a required property"),
            (Config, With(ValidConfig, c => c.Remove("os")), "$: 'os' is a required property"),
            (Config, With(ValidConfig, c => c.Remove("rootfs")), "$: 'rootfs' is a required property"),
            (Config, With(ValidConfig, c => c["rootfs"]!["type"] = "layer"), "$.rootfs.type: 'layer' is not one of ['layers']"),
            (Config, With(ValidConfig, c => c["rootfs"]!["diff_ids"] = new JsonArray("sha256:short")), "$.rootfs.diff_ids[0]: 'sha256:short' is no SHA-256"),
            (Config, With(ValidConfig, c => c["created"] = "yesterday"), "$.created: 'yesterday' is not a 'date-time'"),
            (Config, With(ValidConfig, c => c["history"]![0]!["created"] = "2026-01-01 00:00:00"), "$.history[0].created: '2026-01-01 00:00:00' is not a 'date-time'"),
            (Config, With(ValidConfig, c => c["config"]!["Env"] = new JsonObject { ["A"] = "b" }), "$.config.Env: {'A': 'b'} is not of type 'array'"),
            (Config, With(ValidConfig, c => c["config"]!["User"] = 1654), "$.config.User: 1654 is not of type 'string'"),
            (Config, With(ValidConfig, c => c["config"]!["Labels"]!["a"] = null), "$.config.Labels: {'a': None} is not valid under any"),
            (Config, With(ValidConfig, c => c["config"]!["ExposedPorts"] = new JsonArray("80/tcp")), "$.config.ExposedPorts: ['80/tcp'] is not of type 'object'"),
            (Layout, "{}", "$: 'imageLayoutVersion' is a required property"),
            (Layout, """{"imageLayoutVersion":"2.0.0"}""", "$.imageLayoutVersion: '2.0.0' is not one of ['1.0.0']"),
        ];

        var results = await OciSchemas.ValidateAsync([.. broken.Select(b => (b.MediaType, Bytes(b.Content)))]);

        Assert.All(broken.Zip(results), pair => Assert.Contains(pair.Second, violation => violation.StartsWith(pair.First.Expected, StringComparison.Ordinal)));
    }

    [Fact]
    public async Task A_layout_is_followed_down_to_its_blobs()
    {
        await using var directory = new TempDirectory();
        var layout = directory.File("layout");
        var image = new TestImage();
        image.AddFile("/hello", "hello");
        var digest = await image.WriteLayoutAsync(layout, "v1");
        Assert.Empty(await OciSchemas.ValidateLayoutAsync(layout));

        var blobs = Path.Combine(layout, "blobs", "sha256");
        var manifest = JsonNode.Parse(await File.ReadAllTextAsync(Path.Combine(blobs, digest[7..])))!;
        var layer = Path.Combine(blobs, manifest["layers"]![0]!["digest"]!.GetValue<string>()[7..]);
        File.Move(layer, layer + ".away");
        Assert.EndsWith("is missing", Assert.Single(await OciSchemas.ValidateLayoutAsync(layout)), StringComparison.Ordinal);
        Assert.Empty(await OciSchemas.ValidateLayoutAsync(layout, missingLayers: true));
        File.Move(layer + ".away", layer);

        var config = Path.Combine(blobs, manifest["config"]!["digest"]!.GetValue<string>()[7..]);
        await File.AppendAllTextAsync(config, " ");
        var violations = await OciSchemas.ValidateLayoutAsync(layout);
        Assert.Equal(2, violations.Count); // size and digest

        File.Delete(Path.Combine(layout, "oci-layout"));
        await File.WriteAllTextAsync(Path.Combine(layout, "index.json"), """{"schemaVersion":2}""");
        Assert.Equal(["oci-layout: is missing", "index.json: $: 'manifests' is a required property"], await OciSchemas.ValidateLayoutAsync(layout));
    }

    private static string With(string json, Action<JsonObject> change)
    {
        var value = JsonNode.Parse(json)!.AsObject();
        change(value);
        return value.ToJsonString(new JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping });
    }

    private static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);
}
