using System.Net;
using System.Text.Json;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Kit;

public sealed class RegistryTests
{
    [Fact]
    public async Task Open_registry_takes_and_gives_an_image_and_survives_a_restart()
    {
        await using var server = await DistributionServer.StartAsync();

        var digest = await Image().PushAsync($"{server.Address}/kit/hello:v1");

        Assert.Equal(digest, await DigestAsync($"docker://{server.Address}/kit/hello:v1"));
        await server.RestartAsync();
        Assert.Equal(digest, await DigestAsync($"docker://{server.IpAddress}/kit/hello:v1"));
        Assert.Contains("PUT /v2/kit/hello/manifests/v1", await File.ReadAllTextAsync(server.LogFile));
        await server.RestartAsync(keepStorage: false);
        await Assert.ThrowsAsync<ProcessFailedException>(() => DigestAsync($"docker://{server.Address}/kit/hello:v1"));
    }

    [Fact]
    public async Task Htpasswd_registry_refuses_strangers_and_takes_the_user()
    {
        await using var server = await DistributionServer.StartAsync(new DistributionOptions { Authenticate = true });
        await using var directory = new TempDirectory();
        var authFile = Path.Combine(server.WriteDockerConfig(directory.Path), "config.json");

        var refused = await Assert.ThrowsAsync<ProcessFailedException>(() => Image().PushAsync($"{server.Address}/kit/hello:v1"));
        Assert.Contains("authentication required", refused.Result.StandardError);

        var digest = await Image().PushAsync($"{server.Address}/kit/hello:v1", authFile);
        Assert.Equal(digest, await DigestAsync($"docker://{server.IpAddress}/kit/hello:v1", authFile));
        await Assert.ThrowsAsync<ProcessFailedException>(() => DigestAsync($"docker://{server.Address}/kit/hello:v1"));
        using var client = server.CreateClient();
        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(new Uri("v2/kit/hello/tags/list", UriKind.Relative))).StatusCode);
    }

    /// <summary>Two registries that are one would make tests of several registries pass or fail by chance.</summary>
    [Fact]
    public async Task A_port_that_another_registry_has_is_not_taken_for_ours()
    {
        await using var first = await DistributionServer.StartAsync();
        await using var second = await DistributionServer.StartAsync(new DistributionOptions { FirstPort = first.Port });

        Assert.NotEqual(first.Port, second.Port);
        await Image().PushAsync($"{first.Address}/kit/hello:v1");
        await Assert.ThrowsAsync<ProcessFailedException>(() => DigestAsync($"docker://{second.Address}/kit/hello:v1"));
    }

    [Theory]
    [InlineData(true, HttpStatusCode.Accepted)]
    [InlineData(false, HttpStatusCode.MethodNotAllowed)]
    public async Task Deleting_is_an_option(bool delete, HttpStatusCode expected)
    {
        await using var server = await DistributionServer.StartAsync(new DistributionOptions { Delete = delete });
        var digest = await Image().PushAsync($"{server.Address}/kit/hello:v1");

        using var client = server.CreateClient();
        using var answer = await client.DeleteAsync(new Uri("v2/kit/hello/manifests/" + digest, UriKind.Relative));

        Assert.Equal(expected, answer.StatusCode);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Proxy_counts_every_write_and_its_bytes(bool relativeUrls)
    {
        await using var server = await DistributionServer.StartAsync(new DistributionOptions { RelativeUrls = relativeUrls });
        await using var proxy = await CountingProxy.StartAsync(server.BaseUri);
        await using var directory = new TempDirectory();
        var image = Image();
        var digest = await image.WriteLayoutAsync(directory.Path, "v1");

        await Skopeo.CopyAsync($"oci:{directory.Path}:v1", $"docker://{proxy.Address}/kit/hello:v1");

        // Nothing went past the proxy: the registry saw as many writes as we did, layer and config were sent once, the manifest once.
        var seen = (await File.ReadAllLinesAsync(server.LogFile)).Count(line => line.Contains("\"POST /", StringComparison.Ordinal)
            || line.Contains("\"PUT /", StringComparison.Ordinal) || line.Contains("\"PATCH /", StringComparison.Ordinal));
        Assert.Equal(seen, proxy.Writes.Count);
        Assert.Equal(2, proxy.Writes.Count(write => write.Method == "POST" && write.Path == "/v2/kit/hello/blobs/uploads/" && write.Status == 202));
        Assert.Equal(2, proxy.Writes.Count(write => write is { Method: "PUT", Status: 201 } && write.Query.Contains("digest=", StringComparison.Ordinal)));
        Assert.Single(proxy.Writes, write => write.Path == "/v2/kit/hello/manifests/v1" && write.Status == 201);
        var blobs = Directory.EnumerateFiles(directory.Path, "*", SearchOption.AllDirectories).Where(file => file.Contains("sha256", StringComparison.Ordinal));
        Assert.Equal(blobs.Sum(file => new FileInfo(file).Length), proxy.Writes.Sum(write => write.RequestBytes));

        proxy.Clear();
        Assert.Equal(digest, await DigestAsync($"docker://{proxy.IpAddress}/kit/hello:v1"));
        Assert.Empty(proxy.Writes);
        Assert.NotEmpty(proxy.Requests);
    }

    [Fact]
    public async Task Proxy_can_answer_in_the_registrys_place_and_passes_authentication_on()
    {
        await using var server = await DistributionServer.StartAsync(new DistributionOptions { Authenticate = true });
        await using var proxy = await CountingProxy.StartAsync(server.BaseUri);
        using var client = server.CreateClient();
        var url = new Uri($"http://{proxy.IpAddress}/v2/");

        Assert.Equal(HttpStatusCode.OK, (await client.GetAsync(url)).StatusCode);
        proxy.Intercept = context =>
        {
            context.Response.StatusCode = 429;
            return Task.FromResult(true);
        };
        Assert.Equal(HttpStatusCode.TooManyRequests, (await client.GetAsync(url)).StatusCode);
        proxy.Intercept = null;
        await server.StopAsync();
        Assert.Equal(HttpStatusCode.BadGateway, (await client.GetAsync(url)).StatusCode);

        Assert.Equal([200, 429, 502], proxy.Requests.Select(request => request.Status));
    }

    private static TestImage Image()
    {
        var image = new TestImage();
        image.AddFile("/hello.txt", "hello");
        image.Entrypoint.Add("/hello");
        return image;
    }

    private static async Task<string> DigestAsync(string reference, string? authFile = null)
    {
        using var inspected = JsonDocument.Parse(await Skopeo.InspectAsync(reference, authFile: authFile));
        return inspected.RootElement.GetProperty("Digest").GetString()!;
    }
}
