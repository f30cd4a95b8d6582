using System.Text;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Imaging;

public class ImageConfigTests
{
    private static readonly DateTimeOffset Created = new(2026, 11, 21, 13, 5, 7, TimeSpan.FromHours(1));
    private static readonly Digest Ours = Digest.Of([1]);

    [Fact]
    public void The_whole_of_a_small_one_byte_by_byte()
    {
        var bytes = Compose(
            """{"architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin"],"Entrypoint":["dotnet"]},"rootfs":{"type":"layers","diff_ids":["sha256:aa"]},"history":[{"created_by":"base"}],"container":"left out"}""",
            new ContainerSettings { AppCommand = ["/app/api"], WorkingDirectory = "/app/" }, out _, out _);
        Assert.Equal(
            $$$"""{"created":"2026-11-21T12:05:07Z","architecture":"amd64","os":"linux","config":{"Env":["PATH=/bin"],"Entrypoint":["/app/api"],"WorkingDir":"/app/"},"rootfs":{"type":"layers","diff_ids":["sha256:aa","{{{Ours}}}"]},"history":[{"created_by":"base"},{"created":"2026-11-21T12:05:07Z","created_by":"Registry.Sdk"}]}""",
            Encoding.UTF8.GetString(bytes));
    }

    [Fact]
    public void Environment_is_overridden_by_name_and_keeps_its_place()
    {
        var config = Inner("""{"Env":["A=1","B=two=2","C=","D"]}""", new() { Environment = [new("B", "x"), new("E", "a:b:c"), new("A", ""), new("E", "last")] });
        Assert.Equal(["A=", "B=x", "C=", "E=last"], Strings(config["Env"]));
    }

    [Theory]
    [InlineData("", """{"User":"base"}""", "base")]
    [InlineData("", """{"User":"base","Env":["APP_UID=1654"]}""", "1654")]
    [InlineData("1000:1000", """{"User":"base","Env":["APP_UID=1654"]}""", "1000:1000")]
    [InlineData("", """{"User":"base","Env":["APP_UID="]}""", "base")]
    [InlineData("", "{}", null)]
    public void The_user(string user, string inner, string? expected) => Assert.Equal(expected, Inner(inner, new() { User = user })["User"]?.GetValue<string>());

    [Theory]
    [InlineData("", "", "")]
    [InlineData("8080", "", "8080/tcp")]
    [InlineData("53:udp 53:TCP 9:sctp", "", "53/tcp 53/udp 9/sctp")]
    [InlineData("", "ASPNETCORE_HTTP_PORTS=8080;8081", "8080/tcp 8081/tcp")]
    [InlineData("", "ASPNETCORE_HTTP_PORTS=8080 ASPNETCORE_HTTPS_PORTS=8443", "8080/tcp 8443/tcp")]
    [InlineData("", "ASPNETCORE_HTTP_PORTS=8080 ASPNETCORE_URLS=http://+:80;https://[::]:443/path", "443/tcp 80/tcp")]
    [InlineData("", "ASPNETCORE_URLS=http://*", "")]
    [InlineData("", "ASPNETCORE_HTTP_PORTS=0;x;70000;080", "0/tcp 80/tcp")]
    [InlineData("0 0080", "", "0/tcp 80/tcp")]
    public void Ports(string items, string environment, string expected)
    {
        var settings = new ContainerSettings
        {
            Ports = [.. items.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(p => p.Split(':')).Select(p => KeyValuePair.Create(p[0], p.Length > 1 ? p[1] : ""))],
            Environment = [.. environment.Split(' ', StringSplitOptions.RemoveEmptyEntries).Select(v => v.Split('=', 2)).Select(v => KeyValuePair.Create(v[0], v[1]))],
        };
        Assert.Equal(expected, string.Join(' ', (Inner("{}", settings)["ExposedPorts"] as JsonObject ?? []).Select(p => p.Key)));
    }

    [Fact]
    public void The_base_image_s_ports_stay()
        => Assert.Equal(["80/tcp", "8125/udp"], ((JsonObject)Inner("""{"ExposedPorts":{"80":{},"8125/udp":{}}}""", new())["ExposedPorts"]!).Select(p => p.Key));

    [Theory]
    [InlineData("-1", "")]
    [InlineData("65536", "")]
    [InlineData("+80", "")]
    [InlineData(" 80", "")]
    [InlineData("http", "")]
    [InlineData("80", "icmp")]
    public void No_port(string number, string type)
    {
        Compose("""{"architecture":"amd64","os":"linux"}""", new() { Ports = [new(number, type)] }, out _, out var diagnostics);
        Assert.Equal("RSDK4009", Assert.Single(diagnostics).Code);
        Assert.Contains($"ContainerPort '{number}'", diagnostics[0].Message);
    }

    [Fact]
    public void Labels_are_sorted_later_ones_win_and_the_base_image_s_stay()
    {
        var settings = new ContainerSettings { Labels = [new("z", "1"), new("base", "mine"), new("Y", "2"), new("z", "3"), new("quote", "a \"b\" \\ <&> é 日本 😀")] };
        var bytes = Compose("""{"architecture":"amd64","os":"linux","config":{"Labels":{"kept":"b","base":"theirs","number":7}}}""", settings, out var labels, out _);
        Assert.Contains("""
            "Labels":{"Y":"2","base":"mine","kept":"b","number":"7","quote":"a \"b\" \\ <&> é 日本
            """, Encoding.UTF8.GetString(bytes));
        var written = (JsonObject)((JsonObject)JsonNode.Parse(bytes)!)["config"]!["Labels"]!;
        Assert.Equal(labels.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => (l.Key, l.Value)), written.Select(l => (l.Key, l.Value!.GetValue<string>())));
        Assert.Equal("a \"b\" \\ <&> é 日本 😀", written["quote"]!.GetValue<string>());
        Assert.Equal("3", written["z"]!.GetValue<string>());
    }

    [Fact]
    public void Members_nobody_speaks_about_stay_and_what_the_project_decides_does_not()
    {
        const string Inherited = """{"Volumes":{"/data":{}},"StopSignal":"SIGQUIT","Healthcheck":{"Test":["CMD","x"]},"Shell":["/bin/sh"],"OnBuild":["RUN x"],"ArgsEscaped":true,"Cmd":["bash"],"Hostname":"h","Image":"sha256:x"}""";
        var config = Inner(Inherited, new() { AppCommand = ["a"], WorkingDirectory = "/srv" });
        Assert.Equal(["Entrypoint", "WorkingDir", "Volumes", "StopSignal", "Healthcheck", "Shell", "OnBuild", "ArgsEscaped"], config.Select(m => m.Key));
        Assert.Equal("/srv", config["WorkingDir"]!.GetValue<string>());
    }

    [Fact]
    public void Platform_members_stay()
    {
        var json = (JsonObject)JsonNode.Parse(Compose("""{"architecture":"arm","variant":"v7","os":"linux","os.version":"1","os.features":["a"],"docker_version":"x"}""", new(), out _, out _))!;
        Assert.Equal(["created", "architecture", "os", "variant", "os.version", "os.features", "config", "rootfs", "history"], json.Select(m => m.Key));
    }

    /// <summary>As many entries that made a layer as there are layers, whatever the base image tells.</summary>
    [Theory]
    [InlineData(2, "LL")]
    [InlineData(2, "LELE")]
    [InlineData(2, "")]
    [InlineData(2, "L")]
    [InlineData(1, "LLL")]
    [InlineData(0, "")]
    public void History_counts_layers(int layers, string told)
    {
        var history = string.Join(',', told.Select(t => t == 'E' ? """{"empty_layer":true}""" : "{}"));
        var diffIds = string.Join(',', Enumerable.Range(0, layers).Select(i => $"\"sha256:{i}\""));
        var json = (JsonObject)JsonNode.Parse(Compose($$"""{"architecture":"a","os":"b","history":[{{history}}],"rootfs":{"diff_ids":[{{diffIds}}] } }""", new(), out _, out _))!;
        Assert.Equal(layers + 1, ((JsonArray)json["rootfs"]!["diff_ids"]!).Count);
        Assert.Equal(layers + 1, ((JsonArray)json["history"]!).Count(h => h!["empty_layer"]?.GetValue<bool>() != true));
    }

    private static JsonObject Inner(string inner, ContainerSettings settings)
    {
        var bytes = Compose($$"""{"architecture":"amd64","os":"linux","config":{{inner}} }""", settings, out _, out var diagnostics);
        Assert.Empty(diagnostics);
        return (JsonObject)JsonNode.Parse(bytes)!["config"]!;
    }

    private static IEnumerable<string> Strings(JsonNode? array) => ((JsonArray)array!).Select(v => v!.GetValue<string>());

    private static byte[] Compose(string baseConfig, ContainerSettings settings, out Dictionary<string, string> labels, out List<Diagnostic> diagnostics)
    {
        (labels, diagnostics) = (new(StringComparer.Ordinal), []);
        return ImageConfig.Compose((JsonObject)JsonNode.Parse(baseConfig)!, settings, [Ours], Created, labels, diagnostics);
    }
}
