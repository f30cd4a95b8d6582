using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Publishing;

/// <summary>GHCR and Docker Hub as they treat the secrets that people really have, and what we say then. Source: wire-facts 2.2, 2.3, 2.5, 3.6, 4.1.</summary>
public sealed class Services : IAsyncLifetime
{
    private readonly TempDirectory directory = new("kinds");

    public EmulatorServer Ghcr { get; private set; } = null!;

    public EmulatorServer Hub { get; private set; } = null!;

    public async Task InitializeAsync()
    {
        Ghcr = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = directory.Folder("ghcr"),
            Personality = EmulatorPersonality.Ghcr,
            GitHub = new()
            {
                Owners = { ["acme"] = GitHubOwner.Organization("ada") },
                Repositories = { ["acme/orders"] = new() },
                Packages = { ["acme/public"] = new() { Visibility = GitHubVisibility.Public } },
                Secrets =
                {
                    ["good"] = GitHubSecret.Classic("good", "ada", "write:packages"),
                    ["read"] = GitHubSecret.Classic("ghp_read-only", "ada", "read:packages"),
                    ["fine-grained"] = GitHubSecret.FineGrained("github_pat_obviously_fake", "ada"),
                    ["app"] = GitHubSecret.App("ghs_obviously-an-app"),
                    ["expired"] = GitHubSecret.Classic("expired", "ada", "write:packages") with { Expired = true },
                    ["job"] = GitHubSecret.Actions("job-write", "acme/orders", GitHubPackageRight.Write),
                    ["weak job"] = GitHubSecret.Actions("ghs_obviously-weak-job", "acme/orders", GitHubPackageRight.Read),
                },
            },
        });
        Hub = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = directory.Folder("hub"),
            Personality = EmulatorPersonality.DockerHub,
            DockerHub = new()
            {
                Namespaces = { ["guarded"] = new() { TwoFactor = true }, ["org"] = new() { IsOrganization = true } },
                Secrets =
                {
                    ["good"] = DockerHubSecret.PersonalToken("dckr_pat_fake-write", "acme", DockerHubRight.ReadWrite),
                    ["read"] = DockerHubSecret.PersonalToken("dckr_pat_fake-read", "acme", DockerHubRight.Read),
                    ["password"] = DockerHubSecret.Password("a password", "guarded"),
                    ["org"] = DockerHubSecret.OrganizationToken("dckr_oat_fake", "org", DockerHubRight.ReadWrite),
                },
            },
        });
        using var client = Ghcr.CreateAdministrator();
        await Seed.PushAsync(client, "acme/public", "10.0", Bench.BaseImage);
    }

    public async Task DisposeAsync()
    {
        await Ghcr.DisposeAsync();
        await Hub.DisposeAsync();
        await directory.DisposeAsync();
    }
}

/// <inheritdoc cref="Services"/>
public sealed class WrongKindTests(Registries registries, Services services) : IClassFixture<Registries>, IClassFixture<Services>, IAsyncLifetime
{
    private Bench bench = null!;

    public async Task InitializeAsync()
    {
        bench = await Bench.CreateAsync(registries);
        bench.Request = bench.Request with
        {
            Endpoints = [new("ghcr.io", services.Ghcr.BaseAddress.ToString().TrimEnd('/')), new("docker.io", services.Hub.BaseAddress.ToString().TrimEnd('/'))],
            Credentials = [],
            Environment = new Dictionary<string, string>(StringComparer.Ordinal),
        };
    }

    public async Task DisposeAsync() => await bench.DisposeAsync();

    // Secret, the user where one is named, what a publish ends with, whether the checks before building know it already, and what the message says.
    [Theory]
    [InlineData("ghcr.io", "CR_PAT", "good", null, null, false, "")]
    [InlineData("ghcr.io", "GITHUB_TOKEN", "job-write", null, null, false, "")]
    [InlineData("ghcr.io", null, null, null, "RSDK5003", true, "none were found")]
    [InlineData("ghcr.io", "CR_PAT", "expired", null, "RSDK5003", true, "environment variable CR_PAT")]
    [InlineData("ghcr.io", "CR_PAT", "github_pat_obviously_fake", null, "RSDK5003", true, "classic")]
    [InlineData("ghcr.io", "CR_PAT", "ghp_read-only", null, "RSDK5004", false, "write:packages")]
    [InlineData("ghcr.io", "CR_PAT", "ghs_obviously-an-app", null, "RSDK5004", null, "app")]
    [InlineData("ghcr.io", "GITHUB_TOKEN", "ghs_obviously-weak-job", null, "RSDK5004", false, "packages: write")]
    [InlineData("docker.io", "DOCKERHUB_TOKEN", "dckr_pat_fake-write", "acme", null, false, "")]
    [InlineData("docker.io", "DOCKERHUB_TOKEN", "dckr_oat_fake", "org", null, false, "")]
    [InlineData("docker.io", null, null, null, "RSDK5003", true, "none were found")]
    [InlineData("docker.io", "DOCKERHUB_TOKEN", "dckr_pat_fake-read", "acme", "RSDK5004", false, "Read & Write")]
    [InlineData("docker.io", "DOCKERHUB_TOKEN", "a password", "guarded", "RSDK5003", true, "access token")]
    [InlineData("docker.io", "DOCKERHUB_TOKEN", "dckr_pat_fake-write", "somebody", "RSDK5003", true, "refuses")]
    public async Task What_each_kind_of_secret_comes_to(string host, string? variable, string? secret, string? user, string? code, bool? early, string says)
    {
        var owner = host == "docker.io" && user is not null ? user : "acme";
        bench.Request = bench.Request with { Destinations = [new($"{host}/{owner}/s{Guid.NewGuid():N}")] };
        if (variable is not null)
        {
            bench.Set((variable, secret!), ("GITHUB_ACTIONS", "true"), ("GITHUB_SERVER_URL", "https://github.com"), ("DOCKERHUB_USERNAME", user ?? ""));
        }

        var published = await bench.PublishAsync();
        bench.Request = bench.Request with { CheckOnly = true };
        var check = await bench.PublishAsync();

        Assert.True(published.Errors.Select(e => e.Code).SequenceEqual(code is null ? [] : [code]), string.Join((char)10, published.Errors.Select(e => e.ToString()).Concat(published.Log)));
        Assert.All(published.Errors, e => Assert.Contains(says, e.Message, StringComparison.OrdinalIgnoreCase));
        if (early is not null)
        {
            Assert.Equal(early.Value ? [code!] : [], check.Errors.Select(e => e.Code));
        }

        Assert.DoesNotContain(published.Errors.Concat(check.Errors), e => secret is not null && e.Message.Contains(secret, StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_is_missing_is_said_where_it_shows()
    {
        bench.Request = bench.Request with { Destinations = [new($"ghcr.io/{bench.Name.Replace("team-", "acme/", StringComparison.Ordinal)}"), new($"docker.io/acme/s{Guid.NewGuid():N}")], CheckOnly = true };
        bench.Set(("GITHUB_ACTIONS", "true"), ("GITHUB_TOKEN", ""), ("DOCKERHUB_USERNAME", "acme"), ("DOCKERHUB_TOKEN", ""));

        var errors = (await bench.PublishAsync()).Errors;

        Assert.Contains(errors, e => e.Message.Contains("give the step env: GITHUB_TOKEN: ${{ secrets.GITHUB_TOKEN }}, and the job permissions: packages: write.", StringComparison.Ordinal));
        Assert.Contains(errors, e => e.Message.Contains("DOCKERHUB_USERNAME is set, and DOCKERHUB_TOKEN is empty or not set.", StringComparison.Ordinal));

        // Not a variable's name: a secret that MSBuild expanded, or that was pasted.
        bench.Request = bench.Request with { Destinations = [bench.Request.Destinations[0]], Credentials = [new("ghcr.io", "", "hunter2")] };
        var pasted = Assert.Single((await bench.PublishAsync()).Errors);
        Assert.Equal("RSDK5009", pasted.Code);
        Assert.DoesNotContain("hunter2", pasted.Message, StringComparison.Ordinal);
    }

    [Theory]
    [InlineData(null)]
    [InlineData("expired")]
    [InlineData("github_pat_obviously_fake")]
    public async Task A_public_base_image_on_GHCR_needs_no_credentials_and_bad_ones_do_not_keep_it_away(string? secret)
    {
        bench.Platform = bench.Platform with { BaseRegistry = "ghcr.io", BaseRepository = "acme/public" };
        bench.Request = bench.Request with { Destinations = [new($"{bench.Open.Host}/{bench.Name}")] };
        if (secret is not null)
        {
            bench.Set(("CR_PAT", secret));
        }

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        if (secret is not null)
        {
            Assert.Contains(published.Log, l => l.Contains("ghcr.io refuses the credentials from environment variable CR_PAT", StringComparison.Ordinal) && l.Contains("anonymously", StringComparison.Ordinal));
        }
    }

    [Fact]
    public async Task An_index_goes_to_both_and_again_nothing_is_sent()
    {
        bench.Request = bench.Request with
        {
            Platforms = [bench.Platform, bench.Platform with { RuntimeIdentifier = "linux-arm64", BaseReference = "scratch", Evidence = new() { PublishDirectory = Path.GetDirectoryName(bench.Outside("arm/api.dll"))! } }],
            Destinations = [new($"ghcr.io/{bench.Name.Replace("team-", "acme/", StringComparison.Ordinal)}"), new($"docker.io/acme/s{Guid.NewGuid():N}")],
        };
        await File.WriteAllTextAsync(bench.Outside("arm/api.dll"), "for arm");
        bench.Set(("CR_PAT", "good"), ("DOCKERHUB_USERNAME", "acme"), ("DOCKERHUB_TOKEN", "dckr_pat_fake-write"));
        (await bench.PublishAsync()).EnsureSucceeded();
        var (ghcr, hub) = (services.Ghcr.Requests.Count, services.Hub.Requests.Count);

        (await bench.PublishAsync()).EnsureSucceeded();

        Assert.DoesNotContain(services.Ghcr.Requests.Skip(ghcr).Concat(services.Hub.Requests.Skip(hub)), r => r.Method is "POST" or "PUT" or "PATCH" or "DELETE" && !r.PathAndQuery.StartsWith("/token", StringComparison.Ordinal));
    }
}
