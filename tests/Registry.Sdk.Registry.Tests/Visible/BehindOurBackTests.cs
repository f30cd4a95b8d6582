using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Visible;

/// <summary>A private full image and a public community image in one publish; someone makes the private one public: before, during, after.</summary>
public sealed class BehindOurBackTests(Registries registries) : IClassFixture<Registries>, IAsyncLifetime
{
    private readonly TempDirectory directory = new("behind");
    private Bench bench = null!;
    private EmulatorServer ghcr = null!;
    private EmulatorServer hub = null!;
    private Func<HttpContext, bool> isTheMoment = static _ => false;
    private int clicked;

    public async Task InitializeAsync()
    {
        ghcr = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = directory.Folder("ghcr"), Personality = EmulatorPersonality.Ghcr, Intercept = InterceptAsync,
            GitHub = new() { Owners = { ["acme"] = GitHubOwner.Organization("alice") }, Packages = { ["acme/full"] = new() }, Secrets = { ["pat"] = GitHubSecret.Classic("secret-pat", "alice", "write:packages") } },
        });
        hub = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = directory.Folder("hub"), Personality = EmulatorPersonality.DockerHub,
            DockerHub = new() { AnonymousPulls = null, Secrets = { ["acme"] = DockerHubSecret.PersonalToken("secret-hub", "acme", DockerHubRight.ReadWriteDelete) } },
        });
        bench = await Bench.CreateAsync(registries);
        bench.UseEditions(("community", "MIT"), ("enterprise", "BUSL-1.1"));
        bench.Request = bench.Request with
        {
            Endpoints = [Item("ghcr.io", ghcr), Item("docker.io", hub)],
            Destinations = [new("ghcr.io/acme/full", "enterprise", "private"), new("docker.io/acme/community", "community", "public")],
            Time = new InstantTime(),
        };
        bench.Set(("CR_PAT", "secret-pat"), ("DOCKERHUB_USERNAME", "acme"), ("DOCKERHUB_TOKEN", "secret-hub"));

        static EndpointItem Item(string host, EmulatorServer server) => new(host, server.BaseAddress.GetLeftPart(UriPartial.Authority), server.Api.ToString());
    }

    public async Task DisposeAsync()
    {
        await bench.DisposeAsync();
        await ghcr.DisposeAsync();
        await hub.DisposeAsync();
        await directory.DisposeAsync();
    }

    [Fact]
    public async Task Left_alone_both_are_published_and_seen_as_declared()
    {
        var published = (await bench.PublishAsync()).EnsureSucceeded();
        Assert.Equal([ObservedVisibility.Refused, ObservedVisibility.Public], published.Report.Verification!.Destinations.Select(d => d.Observed));
        Assert.Equal(4, Tags(ghcr).Count);
        Assert.Equal(4, Tags(hub).Count);
        Assert.Equal(0, clicked);
    }

    [Fact]
    public async Task Before_it_is_stopped_and_nothing_is_sent_anywhere()
    {
        ghcr.Click(SettingsClick.Change("acme/full", GitHubVisibility.Public));
        var published = await bench.PublishAsync();
        Assert.Equal(["RSDK7001"], published.Errors.Select(e => e.Code));
        Assert.DoesNotContain(ghcr.Requests.Concat(hub.Requests), r => r.Method is not ("GET" or "HEAD") && r.PathAndQuery != "/api/v2/auth/token");
    }

    [Theory]
    [InlineData("its first blob")]
    [InlineData("its last manifest")]
    public async Task During_it_is_stopped_before_the_first_tag_and_no_tag_is_written_anywhere(string when)
    {
        isTheMoment = context => context.Request.Method == "PUT" && context.Request.Path.Value!.Contains(when == "its first blob" ? "/blobs/upload/" : "/manifests/sha256:", StringComparison.Ordinal);

        var published = await bench.PublishAsync();

        Assert.True(clicked > 0);
        var error = Assert.Single(published.Errors, e => e.Code == "RSDK7001");
        Assert.StartsWith("ghcr.io/acme/full is declared private, and was made readable by anyone while the image was sent. No tag was written there or anywhere", error.Message);
        Assert.All(published.Report.Transfer!.Destinations.SelectMany(d => d.Tags), t => Assert.Equal(TagState.Pending, t.State));
        Assert.Empty(Tags(ghcr));
        Assert.Empty(Tags(hub));
        Assert.Equal(["RSDK6002", "RSDK7001"], published.Errors.Select(e => e.Code).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task After_it_is_reported()
    {
        isTheMoment = context => context.Request.Method == "PUT" && context.Request.Path.Value!.EndsWith("/manifests/latest", StringComparison.Ordinal);

        var published = await bench.PublishAsync();

        Assert.True(clicked > 0);
        var error = Assert.Single(published.Errors);
        Assert.Equal("RSDK7001", error.Code);
        Assert.StartsWith("ghcr.io/acme/full is declared private, but after the push anyone can read it.", error.Message);
        Assert.Contains("https://github.com/orgs/acme/packages/container/full/settings", error.Message);
        Assert.Equal(ObservedVisibility.Public, published.Report.Verification!.Destinations[0].Observed);
    }

    private static List<string> Tags(EmulatorServer server)
        => [.. server.Requests.Where(r => r.Method == "PUT" && r.PathAndQuery.Contains("/manifests/", StringComparison.Ordinal) && !r.PathAndQuery.Contains("/manifests/sha256:", StringComparison.Ordinal) && r.Status is >= 200 and < 300).Select(r => r.PathAndQuery)];

    private Task<bool> InterceptAsync(HttpContext context)
    {
        if (isTheMoment(context) && Interlocked.Exchange(ref clicked, 1) == 0)
        {
            ghcr.Click(SettingsClick.Change("acme/full", GitHubVisibility.Public));
        }

        return Task.FromResult(false);
    }
}
