using Microsoft.AspNetCore.Http;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests.Publishing;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Visible;

/// <summary>What is created at Docker Hub before the first push: believed when it is read back, and public ones not before the private ones.</summary>
public sealed class CreateFirstTests
{
    private static Func<HttpRequest, bool> Creation => r => r.Method == "POST" && r.Path.Value!.EndsWith("/v2/namespaces/team/repositories", StringComparison.Ordinal);

    private static async Task<VisibilityBench> HubAsync(int? privateLimit = null)
    {
        var bench = await VisibilityBench.DockerHubAsync(new()
        {
            AnonymousPulls = null,
            Namespaces = { ["team"] = new() { IsOrganization = true, PrivateRepositoryLimit = privateLimit, Members = { ["bot"] = DockerHubRole.Create } } },
            Secrets = { ["bot"] = DockerHubSecret.PersonalToken("secret-bot", "bot", DockerHubRight.ReadWriteDelete) },
        });
        bench.Set(("DOCKERHUB_USERNAME", "bot"), ("DOCKERHUB_TOKEN", "secret-bot"));
        return bench;
    }

    /// <summary>What a run wrote, logins left out.</summary>
    private static List<string> Writes(VisibilityBench bench)
        => [.. bench.Emulator.Requests.Where(r => r.Method is not ("GET" or "HEAD") && r.PathAndQuery != "/api/v2/auth/token").Select(r => $"{r.Method} {r.PathAndQuery} {r.Status}")];

    [Theory]
    [InlineData("nothing", "Docker Hub says that it was created, but it does not read back: Docker Hub's API does not show it to this account (404).")]
    [InlineData("a public one", "Docker Hub made it public.")]
    public async Task A_creation_that_only_says_private_stops_before_the_first_byte(string made, string why)
    {
        await using var bench = await HubAsync();
        bench.Lie = Answers.When(Creation, async context =>
        {
            if (made == "a public one")
            {
                bench.Lie = Answers.When(r => r.Method == "GET" && r.Path.Value!.EndsWith("/repositories/app", StringComparison.Ordinal), c => Answers.WithAsync(c, 200, "application/json", """{"namespace":"team","name":"app","is_private":false}"""));
            }

            return await Answers.WithAsync(context, 201, "application/json", """{"namespace":"team","name":"app","is_private":true}""");
        });

        var published = await bench.PublishAsync("docker.io/team/app", "private");

        var error = Assert.Single(published.Errors);
        Assert.Equal("RSDK5023", error.Code);
        Assert.Contains($"could not be created private before the first push: {why} No image was sent.", error.Message);
        Assert.Equal(["POST /api/v2/namespaces/team/repositories 201"], Writes(bench));
    }

    [Fact]
    public async Task Nothing_is_created_public_for_a_release_whose_private_part_can_not_be_created()
    {
        await using var bench = await HubAsync(privateLimit: 0);
        bench.Request = bench.Request with { Destinations = [new("docker.io/team/open", Visibility: "public"), new("docker.io/team/shut", Visibility: "private")] };

        Assert.Equal(["RSDK5023"], (await bench.PublishAsync()).Errors.Select(e => e.Code));

        Assert.Equal(["POST /api/v2/namespaces/team/repositories 403"], Writes(bench));
        Assert.Null(bench.Emulator.Visibility("team/open"));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_someone_else_made_meanwhile_is_told_as_that(bool isPrivate)
    {
        await using var bench = await HubAsync();
        bench.Lie = Answers.When(Creation, async context =>
        {
            // Somebody's own call comes first, over the same API.
            bench.Lie = null;
            using var http = new HttpClient();
            using var login = await http.PostAsync(new Uri(bench.Emulator.Api, "/api/v2/auth/token"), new StringContent("""{"identifier":"bot","secret":"secret-bot"}""", System.Text.Encoding.UTF8, "application/json"));
            using var made = new HttpRequestMessage(HttpMethod.Post, new Uri(bench.Emulator.Api, "/api/v2/namespaces/team/repositories"))
            {
                Headers = { Authorization = new("Bearer", System.Text.Json.JsonDocument.Parse(await login.Content.ReadAsStringAsync()).RootElement.GetProperty("access_token").GetString()) },
                Content = new StringContent($$"""{"namespace":"team","name":"app","description":"","registry":"docker.io","is_private":{{(isPrivate ? "true" : "false")}}}""", System.Text.Encoding.UTF8, "application/json"),
            };
            (await http.SendAsync(made)).EnsureSuccessStatusCode();
            return false;
        });

        var published = await bench.PublishAsync("docker.io/team/app", "private");

        if (isPrivate)
        {
            Assert.Contains("docker.io/team/app: is there meanwhile, and private", published.EnsureSucceeded().Log);
        }
        else
        {
            Assert.Contains("before the first push: it is there meanwhile, and public. No image was sent.", Assert.Single(published.Errors).Message);
        }
    }
}
