using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Tests.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Planning;

/// <summary>The verdict on a declared visibility before anything is sent.</summary>
public class VisibilityProbeTests
{
    [Theory]
    // A first push to the real service could be public, wherever an item says that the service is.
    [InlineData("ghcr.io", "", null, true)]
    [InlineData("ghcr.io", "https://ghcr.io", null, true)]
    [InlineData("ghcr.io", "https://GHCR.io.", null, true)]
    [InlineData("registry.example", "https://ghcr.io", null, true)]
    [InlineData("docker.io", "", null, true)]
    [InlineData("docker.io", "https://registry-1.docker.io", null, true)]
    [InlineData("docker.io", "https://index.docker.io", null, true)]
    // What stands in for it is somebody's own.
    [InlineData("ghcr.io", "http://localhost:5000", null, false)]
    [InlineData("docker.io", "https://mirror.example", null, false)]
    [InlineData("registry.example", "", null, false)]
    // A personal access token makes it private on GHCR, and no other variable does.
    [InlineData("ghcr.io", "", "environment variable CR_PAT", false)]
    [InlineData("ghcr.io", "https://ghcr.io", "environment variable CR_PAT", false)]
    [InlineData("ghcr.io", "", "RegistrySdkCredential 'ghcr.io' (environment variable NOT_A_CR_PAT)", true)]
    [InlineData("docker.io", "", "environment variable CR_PAT", true)]
    public void Missing_and_declared_private(string host, string mappedTo, string? credentialSource, bool refused)
    {
        Assert.True(RegistryHost.TryParse(host, out var name));
        var endpoints = mappedTo.Length == 0 ? EndpointMap.Empty : EndpointMap.Parse([new(host, mappedTo, "https://api.example")], []);
        var destination = new Destination(new RepositoryReference(name, "team/api"), Visibility.Private, DestinationParser.DefaultOn, []);
        var verdict = VisibilityProbe.JudgeBefore(destination, ObservedVisibility.Missing, endpoints.Resolve(name), credentialSource);
        Assert.Equal(refused ? "RSDK7003" : null, verdict?.Code);
    }

    /// <summary>The one source that is trusted is spelt by another class.</summary>
    [Fact]
    public async Task The_source_that_makes_it_private_is_what_the_credential_store_says()
    {
        Assert.True(RegistryHost.TryParse("ghcr.io", out var host));
        var destination = new Destination(new RepositoryReference(host, "team/api"), Visibility.Private, DestinationParser.DefaultOn, []);
        var (store, _) = CredentialTests.Store([], ["ghcr.io"], ("CR_PAT", "pat"));
        var credential = await store.FindAsync(EndpointMap.Empty.Resolve(host), destination.Repository!, CancellationToken.None);
        Assert.Null(VisibilityProbe.JudgeBefore(destination, ObservedVisibility.Missing, EndpointMap.Empty.Resolve(host), credential!.Source));
    }
}
