using System.Text.Json.Nodes;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>The comparison behind <see cref="DifferentialTests"/>: whatever differs, and is not on purpose, is found.</summary>
public sealed class ImageComparisonTests
{
    private const string Base = "sha256:1111111111111111111111111111111111111111111111111111111111111111";
    private const string App = "sha256:2222222222222222222222222222222222222222222222222222222222222222";

    /// <summary>One change of ours per compared field: document, path, new value (none: removed), and what the difference is called.</summary>
    public static TheoryData<string, string, string?, string> Changes => new()
    {
        { "manifest", "schemaVersion", "1", "manifest.schemaVersion" },
        { "manifest", "mediaType", "\"x\"", "manifest.mediaType" },
        { "manifest", "mediaType", null, "manifest.mediaType" },
        { "manifest", "artifactType", "\"x\"", "manifest.artifactType" },
        { "manifest", "subject", """{"digest":"x"}""", "manifest.subject.digest" },
        { "manifest", "config/mediaType", "\"x\"", "manifest.config.mediaType" },
        { "manifest", "layers/0/digest", "\"x\"", "manifest.layers[0].digest" },
        { "manifest", "layers/0/size", "5", "manifest.layers[0].size" },
        { "manifest", "layers/0/mediaType", null, "manifest.layers[0].mediaType" },
        { "manifest", "layers/1/mediaType", "\"x\"", "manifest.layers[app].mediaType" },
        { "manifest", "layers/1/urls", """["https://x.example"]""", "manifest.layers[app].urls[0]" },
        { "config", "architecture", "\"riscv64\"", "config.architecture" },
        { "config", "os", "\"windows\"", "config.os" },
        { "config", "variant", "\"v8\"", "config.variant" },
        { "config", "os.version", "\"10\"", "config['os.version']" },
        { "config", "author", "\"x\"", "config.author" },
        { "config", "rootfs/type", "\"x\"", "config.rootfs.type" },
        { "config", "rootfs/diff_ids/0", "\"x\"", "config.rootfs.diff_ids[0]" },
        { "config", "config/User", "\"0\"", "config.config.User" },
        { "config", "config/User", null, "config.config.User" },
        { "config", "config/ExposedPorts/80~tcp", null, "config.config.ExposedPorts['80/tcp']" },
        { "config", "config/ExposedPorts/81~tcp", "{}", "config.config.ExposedPorts['81/tcp']" },
        { "config", "config/Env/0", "\"A=2\"", "config.config.Env[0]" },
        { "config", "config/Env", """["B=2","A=1"]""", "config.config.Env[0]" },
        { "config", "config/Env", """["A=1"]""", "config.config.Env[1]" },
        { "config", "config/Entrypoint/1", "\"y\"", "config.config.Entrypoint[1]" },
        { "config", "config/Entrypoint", null, "config.config.Entrypoint[0]" },
        { "config", "config/Cmd", """["z","z"]""", "config.config.Cmd[1]" },
        { "config", "config/Cmd", "[]", "config.config.Cmd" },
        { "config", "config/WorkingDir", "\"/srv\"", "config.config.WorkingDir" },
        { "config", "config/Volumes", """{"/x":{}}""", "config.config.Volumes['/x']" },
        { "config", "config/StopSignal", "\"SIGINT\"", "config.config.StopSignal" },
        { "config", "config/Healthcheck", null, "config.config.Healthcheck.Interval" },
        { "config", "config/Labels/a", "\"c\"", "config.config.Labels['a']" },
        { "config", "config/Labels/a", null, "config.config.Labels['a']" },
        { "config", "config/Labels/org.opencontainers.image.title", "\"x\"", "config.config.Labels['org.opencontainers.image.title']" },
        { "config", "config/Labels/org.opencontainers.image.created", null, "config.config.Labels['org.opencontainers.image.created']" },
        { "config", "config/Labels/org.opencontainers.artifact.created", null, "config.config.Labels['org.opencontainers.artifact.created']" },
        { "config", "config/Labels/org.opencontainers.image.version", null, "config.config.Labels['org.opencontainers.image.version']" },
        { "config", "config/Labels/org.opencontainers.image.source", null, "config.config.Labels['org.opencontainers.image.source']" },
        { "config", "config/Labels/org.opencontainers.image.revision", null, "config.config.Labels['org.opencontainers.image.revision']" },
        { "config", "config/Labels/org.opencontainers.image.base.digest", null, "config.config.Labels['org.opencontainers.image.base.digest']" },
        { "config", "config/Labels/org.opencontainers.image.base.name", "\"x\"", "config.config.Labels['org.opencontainers.image.base.name']" },
        { "config", "config/Labels/url", "\"https\"", "config.config.Labels['url']" },
    };

    [Fact]
    public void Equal_images_have_no_difference()
    {
        Assert.Empty(ImageComparison.Compare(Image(), Image()));
        Assert.Empty(ImageComparison.Compare(Index(), Index()));
    }

    [Theory]
    [MemberData(nameof(Changes))]
    public void Every_field_counts(string document, string path, string? value, string name)
    {
        var ours = Image();
        Change(document == "manifest" ? ours.Manifest : ours.Config, path, value);

        Assert.Contains(Unexpected(Image(), ours), difference => difference.Path == name && difference.Platform.Length == 0);

        // The same in one platform of an index.
        var platform = Index();
        Change(document == "manifest" ? platform.Platforms["linux/arm64"].Manifest : platform.Platforms["linux/arm64"].Config, path, value);
        Assert.Contains(Unexpected(Index(), platform), difference => difference.Path == name && difference.Platform == "linux/arm64");
    }

    [Fact]
    public void The_media_type_that_the_registry_says_counts()
        => Assert.Equal("manifest's media type", Assert.Single(Unexpected(Image(), Image() with { MediaType = "x" })).Path);

    [Fact]
    public void An_index_counts_platform_by_platform()
    {
        var fewer = Index();
        ((JsonArray)fewer.Manifest["manifests"]!).RemoveAt(1);
        Assert.Contains(Unexpected(Index(), fewer), difference => difference.Path == "manifest.manifests['linux/arm64'].platform.os");

        var variant = Index();
        variant.Manifest["manifests"]![1]!["platform"]!["variant"] = "v8";
        Assert.Contains(Unexpected(Index(), variant), difference => difference.Path == "manifest.manifests['linux/arm64'].platform.variant");

        Assert.NotEmpty(Unexpected(Index(), Image()));
        Assert.NotEmpty(Unexpected(Image(), Index()));

        var reordered = Index();
        var children = (JsonArray)reordered.Manifest["manifests"]!;
        var first = children[0]!.DeepClone();
        children.RemoveAt(0);
        children.Add(first);
        Assert.Empty(ImageComparison.Compare(Index(), reordered));
    }

    [Fact]
    public void What_is_on_purpose_is_let_through_and_a_case_s_own_only_there()
    {
        var ours = Image();
        Change(ours.Config, "created", "\"2026-01-01T00:00:00Z\"");
        Change(ours.Config, "history", """[{"created_by":"Registry.Sdk"},{}]""");
        Change(ours.Config, "rootfs/diff_ids", $"""["{Base}","sha256:3","sha256:4"]""");
        Change(ours.Config, "config/Labels/org.opencontainers.image.created", "\"x\"");
        Change(ours.Config, "config/Labels/org.opencontainers.image.version", "\"x\"");
        Assert.NotEmpty(ImageComparison.Compare(Image(), ours));
        Assert.Empty(Unexpected(Image(), ours));

        Change(ours.Config, "config/User", "\"0\"");
        var differences = ImageComparison.Compare(Image(), ours);
        Assert.Empty(ImageComparison.Unexpected(differences, [("config.config.User", "because")]));
        Assert.Single(ImageComparison.Unexpected(differences, [("config.config.WorkingDir", "because")]));
    }

    [Fact]
    public void A_value_that_is_cut_at_the_colon_is_stock_s_bug_only_of_several_platforms_and_only_on_stock_s_side()
    {
        var cut = Index();
        Change(cut.Platforms["linux/arm64"].Config, "config/Labels/url", "\"https\"");
        Assert.Empty(Unexpected(cut, Index()));
        Assert.Single(Unexpected(Index(), cut));

        Change(cut.Platforms["linux/arm64"].Config, "config/Labels/url", "\"http\"");
        Assert.Single(Unexpected(cut, Index()));

        var single = Image();
        Change(single.Config, "config/Labels/url", "\"https\"");
        Assert.Single(Unexpected(single, Image()));
    }

    private static IReadOnlyList<ImageDifference> Unexpected(PublishedImage stock, PublishedImage ours) => ImageComparison.Unexpected(ImageComparison.Compare(stock, ours), []);

    private static void Change(JsonNode document, string path, string? value)
    {
        var names = path.Split('/').Select(name => name.Replace('~', '/')).ToArray();
        var parent = names[..^1].Aggregate(document, (node, name) => node is JsonArray items ? items[int.Parse(name)]! : node[name]!);
        if (parent is JsonArray array)
        {
            array[int.Parse(names[^1])] = JsonNode.Parse(value!);
        }
        else if (value is null)
        {
            Assert.True(((JsonObject)parent).Remove(names[^1]), path);
        }
        else
        {
            parent[names[^1]] = JsonNode.Parse(value);
        }
    }

    private static PublishedImage Image() => new(
        "application/vnd.oci.image.manifest.v1+json",
        JsonNode.Parse($$$"""
            {"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json","config":{"mediaType":"c","digest":"{{{App}}}","size":1},
            "layers":[{"mediaType":"l","digest":"{{{Base}}}","size":2},{"mediaType":"l","digest":"{{{App}}}","size":3}]}
            """)!.AsObject(),
        JsonNode.Parse($$$"""
            {"created":"2026-02-02T00:00:00Z","architecture":"amd64","os":"linux","config":{"User":"1654","ExposedPorts":{"80/tcp":{}},"Env":["A=1","B=2"],"Entrypoint":["dotnet","x"],"Cmd":["z"],
            "WorkingDir":"/app/","Healthcheck":{"Interval":1},"Labels":{"a":"b","url":"https://x.example:8443/","org.opencontainers.image.created":"2026","org.opencontainers.artifact.created":"2026","org.opencontainers.image.version":"1",
            "org.opencontainers.image.source":"s","org.opencontainers.image.revision":"r","org.opencontainers.image.base.digest":"d","org.opencontainers.image.base.name":"n"}},
            "rootfs":{"type":"layers","diff_ids":["{{{Base}}}","{{{App}}}"]},"history":[{"created_by":"base"},{"created_by":".NET SDK"}]}
            """)!.AsObject());

    private static PublishedImage Index()
    {
        var (amd64, arm64) = (Image(), Image());
        arm64.Config["architecture"] = "arm64";
        return new(
            "application/vnd.oci.image.index.v1+json",
            JsonNode.Parse($$$"""
                {"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[
                {"mediaType":"m","digest":"{{{Base}}}","size":1,"platform":{"os":"linux","architecture":"amd64"}},{"mediaType":"m","digest":"{{{App}}}","size":1,"platform":{"os":"linux","architecture":"arm64"}}]}
                """)!.AsObject(),
            [])
        {
            Platforms = new Dictionary<string, PublishedImage>(StringComparer.Ordinal) { ["linux/amd64"] = amd64, ["linux/arm64"] = arm64 },
        };
    }
}
