using Registry.Sdk.Core.Verification;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Verification;

/// <summary>Compose files, as a newcomer without credentials starts them.</summary>
public sealed class ComposeVerifyTests : IAsyncLifetime
{
    private VerifyBench bench = null!;

    public async Task InitializeAsync() => bench = await VerifyBench.StartAsync();

    public async Task DisposeAsync() => await bench.DisposeAsync();

    [Theory]
    [InlineData("public", "acme/api", "a newcomer can't pull ghcr.io/acme/api:v1 (service api, docker-compose.yml line 3): it is private. Make it public at https://github.com/orgs/acme/packages/container/api/settings, or correct image:.")]
    [InlineData("private", "acme/api", "it is declared private, and what a compose file names has to be public. Make it public at https://github.com/orgs/acme/packages/container/api/settings and declare it so, or name another image.")]
    [InlineData("public", "acme/never", "it is not there. Publish it, or correct image:.")]
    [InlineData("public", "nobody/api", "it is not there. Publish it, or correct image:.")]
    [InlineData("", "", "it is not public, or not there. Make it public at https://github.com/orgs/acme/packages/container/api/settings (organisation) or https://github.com/users/acme/packages/container/api/settings (user), or correct image:.")]
    public async Task What_the_run_knows_of_a_package_makes_the_message_of_the_image(string declared, string name, string says)
    {
        await bench.ReleaseAsync("acme/api", isPublic: false);
        if (declared.Length > 0)
        {
            bench.Add($"ghcr.io/{name}", declared);
        }

        Compose($"services:\n  api:\n    image: ghcr.io/{(name.Length > 0 ? name : "acme/api")}:v1\n");
        var refused = (await bench.Login().RunAsync()).EnsureNotGood();

        var error = Assert.Single(refused.Report.Diagnostics, d => d.Code == "RSDK7041");
        Assert.Contains(says, error.Message);
        Assert.Equal(3, error.Line);
        Assert.Equal(FleetVerdict.Bad, Assert.Single(refused.Report.Result!.ComposeImages).Verdict);
    }

    [Fact]
    public async Task A_newcomer_is_refused_until_the_package_is_public_whatever_credentials_are_there()
    {
        await bench.ReleaseAsync("acme/api", isPublic: false);
        Compose("services:\n  api:\n    image: ghcr.io/acme/api:${TAG:-v1}\n  again:\n    image: ghcr.io/acme/api:v1\n");

        var refused = (await bench.Login().RunAsync()).EnsureNotGood();

        Assert.Equal(["RSDK7041"], refused.Codes);
        Assert.Contains("a newcomer can't pull ghcr.io/acme/api:v1 (service api, again, docker-compose.yml line 3)", refused.Messages);
        Assert.Contains("https://github.com/orgs/acme/packages/container/api/settings", refused.Console);
        Assert.Matches("ghcr.io/acme/api:v1 +api, again +- +not good \\(RSDK7041\\)", refused.Console);

        bench.GitHub.Click(SettingsClick.Change("acme/api", GitHubVisibility.Public));
        Assert.Equal(FleetVerdict.Good, Assert.Single((await bench.RunAsync()).EnsureGood().Report.Result!.ComposeImages).Verdict);
    }

    [Fact]
    public async Task A_tag_that_is_not_there_and_content_that_is_not_there_are_told()
    {
        await bench.ReleaseAsync("acme/api");
        Compose("services:\n  api:\n    image: ghcr.io/acme/api:v9\n");
        Assert.Contains("is not there: the repository has no v9", (await bench.RunAsync()).EnsureNotGood().Messages);

        Compose("services:\n  api:\n    image: ghcr.io/acme/api:v1\n");
        bench.Fault = async context =>
        {
            if (!context.Request.Path.Value!.Contains("/blobs/", StringComparison.Ordinal) || context.Request.Method != "HEAD")
            {
                return false;
            }

            await Publishing.Answers.ErrorAsync(context, 404, "BLOB_UNKNOWN");
            return true;
        };
        var broken = (await bench.RunAsync()).EnsureNotGood();
        Assert.Equal(["RSDK7041"], broken.Codes);
        Assert.Contains("can't be pulled whole: the layer sha256:", broken.Messages);
    }

    [Theory]
    [InlineData(null, true, "")]
    [InlineData("linux/riscv64", true, "")]
    [InlineData("linux/s390x", true, "RSDK7042")]
    [InlineData(null, false, "")]
    [InlineData("linux/s390x", false, "RSDK7042")]
    public async Task The_platform_of_the_service_or_of_the_machine_must_be_there(string? platform, bool isIndex, string codes)
    {
        var image = new SeedImage { Architecture = VerifyBench.Architecture };
        if (isIndex)
        {
            await Seed.PushIndexAsync(bench.GitHubSeeder, "acme/api", "v1.0.0", image, new SeedImage { Architecture = "riscv64" });
        }
        else
        {
            await Seed.PushAsync(bench.GitHubSeeder, "acme/api", "v1.0.0", image);
        }

        bench.GitHub.Click(SettingsClick.Change("acme/api", GitHubVisibility.Public));
        Compose($"services:\n  api:\n    image: ghcr.io/acme/api:v1.0.0\n{(platform is null ? "" : $"    platform: {platform}\n")}");

        var verified = await bench.RunAsync();

        Assert.Equal(codes, string.Join(' ', verified.Codes));
        Assert.Equal(codes.Length == 0, verified.Report.Succeeded);
    }

    [Fact]
    public async Task A_digest_says_which_image_and_an_image_without_registry_is_Docker_Hubs()
    {
        var digest = await bench.ReleaseAsync("acme/api");
        await Seed.PushAsync(bench.HubSeeder, "library/redis", "7", new() { Architecture = VerifyBench.Architecture });
        Compose($"services:\n  api:\n    image: ghcr.io/acme/api:gone@{digest}\n  cache:\n    image: redis:7\n");

        var verified = (await bench.RunAsync()).EnsureGood();

        Assert.Equal([$"ghcr.io/acme/api:gone@{digest}", "docker.io/library/redis:7"], verified.Report.Result!.ComposeImages.Select(c => c.Images[0].Name.ToString()));
        Assert.Contains("the image 'redis:7' names no registry, which means docker.io/library/redis:7", verified.Console);
    }

    private void Compose(string content)
    {
        bench.ComposeFiles.Clear();
        bench.ComposeFiles.Add(bench.Write("docker-compose.yml", content));
    }
}
