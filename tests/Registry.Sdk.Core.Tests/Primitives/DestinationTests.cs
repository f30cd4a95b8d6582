using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Primitives;

public class DestinationTests
{
    [Theory]
    [InlineData("ghcr.io/wundam/truxe-api", "ghcr.io/wundam/truxe-api")]
    [InlineData(" GHCR.IO/wundam/truxe-api ", "ghcr.io/wundam/truxe-api")]
    [InlineData("docker.io/wundam/truxe", "docker.io/wundam/truxe")]
    [InlineData("index.docker.io/library/nginx", "docker.io/library/nginx")]
    [InlineData("docker.io/library/nginx", "docker.io/library/nginx")]
    [InlineData("localhost/api", "localhost/api")]
    [InlineData("localhost:5000/api", "localhost:5000/api")]
    [InlineData("[::1]:5000/api", "[::1]:5000/api")]
    [InlineData("registry.gitlab.com/a/b/c/d", "registry.gitlab.com/a/b/c/d")]
    public void A_destination(string text, string expected)
    {
        var (destinations, diagnostics) = Parse([new(text)]);
        Assert.Empty(diagnostics);
        var destination = Assert.Single(destinations);
        Assert.Equal(expected, destination.ToString());
        Assert.Equal((Visibility.Undeclared, DestinationParser.DefaultOn), (destination.Visibility, destination.On));
    }

    [Fact]
    public void Metadata_is_read()
    {
        var (destinations, diagnostics) = Parse([new("ghcr.io/a/b", Visibility: "Public", On: "release;pr", Tags: "edge; v1 ,edge")]);
        Assert.Empty(diagnostics);
        Assert.Equal((Visibility.Public, BuildKinds.Release | BuildKinds.PullRequest), (destinations[0].Visibility, destinations[0].On));
        Assert.Equal(["edge", "v1"], destinations[0].Tags);
    }

    [Theory]
    [InlineData("", "RSDK9001", "host/namespace/name")]
    [InlineData("api", "RSDK9001", "host/namespace/name")]
    [InlineData("/api", "RSDK9001", "host/namespace/name")]
    [InlineData("ghcr.io/", "RSDK9001", "host/namespace/name")]
    [InlineData("wundam/truxe", "RSDK9001", "For Docker Hub write 'docker.io/wundam/truxe'")]
    [InlineData("docker.io/truxe", "RSDK9001", "Write docker.io/NAMESPACE/truxe.")]
    [InlineData("index.docker.io/truxe", "RSDK9001", "Write docker.io/NAMESPACE/truxe.")]
    [InlineData("ghcr.io/a/b:v1", "RSDK9001", "carries a tag or digest (':v1')")]
    [InlineData("ghcr.io/a/b@sha256:abc", "RSDK9001", "carries a tag or digest ('@sha256:abc')")]
    [InlineData("https://ghcr.io/a/b", "RSDK9001", "begins with a scheme")]
    [InlineData("http://localhost:5000/a", "RSDK9001", "begins with a scheme")]
    [InlineData("docker://ghcr.io/a", "RSDK9001", "begins with a scheme")]
    [InlineData("ghcr.io:99999/a", "RSDK9001", "'ghcr.io:99999' is no host name")]
    [InlineData("user:pw@ghcr.io/a", "RSDK9001", "is no host name")]
    [InlineData("0x7f.1/a", "RSDK9001", "'0x7f.1' is no host name")]
    [InlineData("ghcr.io/a b", "RSDK9001", "'a b' is no repository name")]
    [InlineData("ghcr.io/a//b", "RSDK9001", "'a//b' is no repository name")]
    [InlineData("ghcr.io/../b", "RSDK9001", "'../b' is no repository name")]
    [InlineData("ghcr.io/A B", "RSDK9001", "'A B' is no repository name")]
    [InlineData("ghcr.io/Wundam/Truxe", "RSDK9002", "Write 'ghcr.io/wundam/truxe'")]
    [InlineData("http://registry.example/a", "RSDK9005", "Write 'registry.example/a' in ContainerDestination")]
    [InlineData("HTTP://10.0.0.1:5000/a", "RSDK9005", "Insecure=\"true\"")]
    [InlineData("oci:", "RSDK9014", "it has no path")]
    [InlineData("oci:~/images", "RSDK9014", "no shell replaces its '~'")]
    [InlineData("oci:artifacts/image:v1", "RSDK9014", "its path holds a ':'. Tags are computed")]
    public void No_destination(string text, string code, string says)
    {
        var (destinations, diagnostics) = Parse([new(text)]);
        Assert.Empty(destinations);
        var error = Assert.Single(diagnostics);
        Assert.Equal(code, error.Code);
        Assert.Contains(says, error.Message);
        Assert.Contains("ContainerDestination", error.Message);
    }

    [Theory]
    [InlineData("On", "release;nightly", "RSDK9007", "'nightly' is no kind of build")]
    [InlineData("Visibility", "secret", "RSDK9008", "Use public, private or internal")]
    [InlineData("Edition", "community", "RSDK3001", "ContainerEditions is not set")]
    [InlineData("Tags", "v1;a b", "RSDK9015", "the tag 'a b'")]
    public void Bad_metadata(string name, string value, string code, string says)
    {
        var item = new DestinationItem("ghcr.io/a/b");
        item = name switch { "On" => item with { On = value }, "Visibility" => item with { Visibility = value }, "Edition" => item with { Edition = value }, _ => item with { Tags = value } };
        var (destinations, diagnostics) = Parse([item]);
        Assert.Empty(destinations);
        Assert.Equal(code, Assert.Single(diagnostics).Code);
        Assert.Contains(says, diagnostics[0].Message);
        Assert.Contains(name, diagnostics[0].Message);
    }

    [Theory]
    [InlineData("", "RSDK3010", "does not say which edition it gets (community, enterprise). Add Edition=\"community\"")]
    [InlineData("comunity", "RSDK3011", "Write Edition=\"community\".")]
    [InlineData("Community", "RSDK3011", "Write Edition=\"community\".")]
    [InlineData("enterprsie", "RSDK3011", "Write Edition=\"enterprise\".")]
    [InlineData("pro", "RSDK3011", "ContainerEditions is 'community;enterprise'. Correct the Edition metadata, or add the name")]
    public void With_editions_each_destination_names_one_of_them(string edition, string code, string says)
    {
        var (destinations, diagnostics) = Parse([new("ghcr.io/a/b", Edition: edition), new("ghcr.io/a/c", Edition: "enterprise")], null, "community", "enterprise");
        Assert.Equal("enterprise", Assert.Single(destinations).Edition);
        var error = Assert.Single(diagnostics);
        Assert.Equal(code, error.Code);
        Assert.Contains("ghcr.io/a/b", error.Message);
        Assert.Contains(says, error.Message);
    }

    [Theory]
    [InlineData("ghcr.io/a/b", "public", true)]
    [InlineData("ghcr.io/a/b", "", false)]
    [InlineData("ghcr.io/a/b", "private", false)]
    [InlineData("docker.io/a/b", "", true)]
    [InlineData("registry-1.docker.io/a/b", "", true)]
    [InlineData("docker.io/a/b", "private", false)]
    [InlineData("ghcr.io/a/b", "internal", false)]
    [InlineData("docker.io/a/b", "public", true)]
    [InlineData("oci:out", "", false)]
    [InlineData("hub.example/a/b", "", true)] // by the map below
    [InlineData("mirror.example/a/b", "", false)]
    public void Docker_Hub_without_a_declaration_counts_as_public_under_every_name(string text, string visibility, bool isPublic)
    {
        var map = Map(new("hub.example", "https://registry-1.docker.io."), new("mirror.example", "https://mirror.example"));
        var (destinations, _) = Parse([new(text, Visibility: visibility)], map);
        Assert.Equal(isPublic, Assert.Single(destinations).CountsAsPublic(map));
        // Mapped elsewhere it is Docker Hub still to those who read the name.
        Assert.Equal(isPublic && text != "hub.example/a/b", destinations[0].CountsAsPublic(Map(new EndpointItem("docker.io", "http://localhost:5010"))));
    }

    [Fact]
    public void Every_error_of_every_item_is_said_in_the_words_the_user_wrote()
    {
        var diagnostics = new List<Diagnostic>();
        DestinationParser.Parse([new("nope"), new("ghcr.io/A/b"), new("ghcr.io/a/b", On: "x", Visibility: "y")], EndpointMap.Empty, "/project", "ContainerRegistry and ContainerRepository", [], diagnostics);
        Assert.Equal(["RSDK9001", "RSDK9002", "RSDK9007", "RSDK9008"], diagnostics.Select(d => d.Code));
        Assert.Contains("Correct ContainerRegistry and ContainerRepository.", diagnostics[0].Message);
    }

    [Theory]
    [InlineData("ghcr.io/a/b", "ghcr.io/a/b")]
    [InlineData("ghcr.io/a/b", "GHCR.io:443/a/b")]
    [InlineData("docker.io/library/nginx", "registry-1.docker.io/library/nginx")]
    [InlineData("localhost:5000/a", "127.0.0.1:5000/a")]
    [InlineData("localhost:5000/a", "[::1]:5000/a")]
    [InlineData("localhost/a", "localhost:80/a")]
    [InlineData("mirror.example/a", "127.0.0.1:5010/a")] // by the map below
    [InlineData("mirror.example/a", "other.example/a")]
    [InlineData("public.example/a", "mapped.example:8443/a")]
    public void Two_that_are_one(string first, string second)
    {
        var (destinations, diagnostics) = Parse([new(first), new(second)], Map(
            new("mirror.example", "http://localhost:5010"), new("other.example", "http://[::1]:5010"), new("public.example", "https://mapped.example:8443")));
        Assert.Single(destinations);
        Assert.Equal("RSDK9003", Assert.Single(diagnostics).Code);
        Assert.Contains($"'{first}' and '{second}' are one repository", diagnostics[0].Message);
    }

    [Theory]
    [InlineData("localhost:5000/a", "localhost:5001/a")]
    [InlineData("ghcr.io/a/b", "docker.io/a/b")]
    [InlineData("localhost:443/a", "localhost/a")]
    [InlineData("ghcr.io/a", "ghcr.io/b")]
    public void Two_that_are_two(string first, string second)
    {
        var (destinations, diagnostics) = Parse([new(first), new(second)]);
        Assert.Equal((2, 0), (destinations.Count, diagnostics.Count));
    }

    [Theory]
    [InlineData("ghcr.io", "https://ghcr.io/", false, false, false)]
    [InlineData("docker.io", "https://registry-1.docker.io/", false, false, false)]
    [InlineData("localhost:5000", "http://localhost:5000/", true, false, false)]
    [InlineData("localhost:443", "http://localhost:443/", true, false, false)]
    [InlineData("mapped.example", "http://127.0.0.1:5010/", true, true, false)]
    [InlineData("insecure.example", "http://registry.lan:5000/", false, true, true)]
    public void An_endpoint(string host, string address, bool loopback, bool mapped, bool insecure)
    {
        Assert.True(RegistryHost.TryParse(host, out var parsed));
        var endpoint = Map(new("mapped.example", "http://127.0.0.1:5010"), new("insecure.example", "http://registry.lan:5000", Insecure: "TRUE")).Resolve(parsed);
        Assert.Equal((address, loopback, mapped, insecure), (endpoint.BaseAddress.AbsoluteUri, endpoint.IsLoopback, endpoint.IsMapped, endpoint.IsInsecure));
    }

    [Theory]
    [InlineData("not a host", "https://a", "", "", "RSDK9009")]
    [InlineData("ghcr.io", "", "", "", "RSDK9009")]
    [InlineData("ghcr.io", "ghcr.io", "", "", "RSDK9009")]
    [InlineData("ghcr.io", "ftp://a", "", "", "RSDK9009")]
    [InlineData("ghcr.io", "https://a/path", "", "", "RSDK9009")]
    [InlineData("ghcr.io", "https://a?x=y", "", "", "RSDK9009")]
    [InlineData("ghcr.io", "https://user:hunter2@a", "", "", "RSDK9009")]
    [InlineData("ghcr.io", "https://a", "api", "", "RSDK9009")]
    [InlineData("ghcr.io", "https://a", "https://user:hunter2@b/api", "", "RSDK9009")]
    [InlineData("ghcr.io", "http://a", "", "", "RSDK9005")]
    [InlineData("ghcr.io", "http://localhost.example", "", "", "RSDK9005")]
    [InlineData("ghcr.io", "http://localhost.:5000", "", "yes", "RSDK9005")]
    public void A_bad_endpoint(string include, string registry, string api, string insecure, string code)
    {
        var diagnostics = new List<Diagnostic>();
        EndpointMap.Parse([new(include, registry, api, insecure)], diagnostics);
        Assert.Equal(code, Assert.Single(diagnostics).Code);
        Assert.Contains($"RegistrySdkEndpoint '{include}'", diagnostics[0].Message);
        Assert.DoesNotContain("hunter2", diagnostics[0].Message);
    }

    [Fact]
    public void An_endpoint_that_is_there_twice_is_an_error()
    {
        var diagnostics = new List<Diagnostic>();
        EndpointMap.Parse([new("docker.io", "https://a"), new("index.docker.io", "https://b")], diagnostics);
        Assert.Equal("RSDK9009", Assert.Single(diagnostics).Code);
    }

    private static EndpointMap Map(params EndpointItem[] items)
    {
        var diagnostics = new List<Diagnostic>();
        var map = EndpointMap.Parse(items, diagnostics);
        Assert.Empty(diagnostics);
        return map;
    }

    private static (IReadOnlyList<Destination> Destinations, List<Diagnostic> Diagnostics) Parse(DestinationItem[] items, EndpointMap? map = null, params string[] editions)
    {
        var diagnostics = new List<Diagnostic>();
        return (DestinationParser.Parse(items, map ?? EndpointMap.Empty, "/project", "ContainerDestination", editions, diagnostics), diagnostics);
    }
}
