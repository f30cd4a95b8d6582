using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Verification;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Verification;

/// <summary>Each check is killed alone, in every way a service dies: none of them then ends in a success.</summary>
public sealed class KilledCheckTests : IAsyncLifetime
{
    private VerifyBench bench = null!;

    public async Task InitializeAsync() => bench = await VerifyBench.StartAsync();

    public async Task DisposeAsync() => await bench.DisposeAsync();

    public static TheoryData<string, string> PublicRows => Rows("token", "manifest", "child", "tags", "floating", "config", "layer", "download");

    public static TheoryData<string, string> PrivateRows => Rows("token", "manifest", "tags", "owner", "package", "outsider's manifest", "outsider's layer");

    public static TheoryData<string, string> ComposeRows => Rows("token", "manifest", "child", "config", "layer", "download");

    [Theory]
    [MemberData(nameof(PublicRows))]
    public async Task A_public_package_is_never_good_with_one_check_dead(string check, string death)
    {
        var kill = await PublicAsync();
        bench.Add("ghcr.io/acme/api", "public");
        (await bench.RunAsync()).EnsureGood();

        Kill(kill.Of(check, death), death);
        var verified = (await bench.RunAsync()).EnsureNotGood();

        Assert.NotEqual(FleetVerdict.Good, verified.Package("acme/api").Verdict);
        Assert.DoesNotMatch("ghcr.io/acme/api .* good$", verified.Console);
        Assert.True(kill.Hits > 0, "the check was not made");
    }

    [Theory]
    [MemberData(nameof(PrivateRows))]
    public async Task A_private_package_is_never_good_with_one_check_dead(string check, string death)
    {
        await bench.ReleaseAsync("acme/secret", isPublic: false);
        var kill = new Killer(await FactsAsync("acme/secret", "v1.2.3"));
        bench.Login().Add("ghcr.io/acme/secret", "private");
        (await bench.RunAsync()).EnsureGood();

        Kill(kill.Of(check, death), death);
        var verified = (await bench.RunAsync()).EnsureNotGood();

        Assert.NotEqual(FleetVerdict.Good, verified.Package("acme/secret").Verdict);
        Assert.True(kill.Hits > 0, "the check was not made");
    }

    [Theory]
    [InlineData("private", "weak", true)]
    [InlineData("internal", "weak", false)]
    [InlineData("internal", "none", false)]
    public async Task Private_and_internal_look_the_same_where_the_API_does_not_tell_and_that_is_said(string declared, string token, bool isGood)
    {
        await bench.ReleaseAsync("acme/secret", isPublic: false);
        if (token == "weak")
        {
            // A token that may pull and is not told anything by the API.
            bench.Login();
            bench.Fault = async context => context.Request.Path.Value!.Contains("/packages/container/", StringComparison.Ordinal) && await Publishing.Answers.WithAsync(context, 403, "application/json", """{"message":"Resource not accessible by integration"}""");
        }

        bench.Add("ghcr.io/acme/secret", declared);
        var verified = await bench.RunAsync();
        Assert.Equal(isGood, verified.Report.Succeeded);
        Assert.Contains("whether it is private or internal could not be found out", isGood ? verified.Json : verified.Messages);
    }

    [Theory]
    [MemberData(nameof(ComposeRows))]
    public async Task An_image_of_a_compose_file_is_never_good_with_one_check_dead(string check, string death)
    {
        var kill = await PublicAsync();
        bench.ComposeFiles.Add(bench.Write("docker-compose.yml", "services:\n  api:\n    image: ghcr.io/acme/api:v1.2.3\n"));
        (await bench.RunAsync()).EnsureGood();

        Kill(kill.Of(check, death), death);
        var verified = (await bench.RunAsync()).EnsureNotGood();

        Assert.NotEqual(FleetVerdict.Good, Assert.Single(verified.Report.Result!.ComposeImages).Verdict);
        Assert.True(kill.Hits > 0, "the check was not made");
    }

    [Theory]
    [InlineData("token")]
    [InlineData("manifest")]
    [InlineData("tags")]
    [InlineData("layer")]
    public async Task A_limit_is_waited_for_within_the_budget_and_unknown_beyond_it(string check)
    {
        var kill = await PublicAsync();
        var time = new InstantTime();
        bench.Timing = bench.Timing with { Time = time };
        bench.Add("ghcr.io/acme/api", "public");
        var left = 3;
        var isHit = kill.Matches(check);
        bench.Fault = async context => isHit(context) && Interlocked.Decrement(ref left) >= 0 && await EmulatorFaults.ThrottleAsync(context, 15);
        var before = time.GetUtcNow();
        (await bench.RunAsync()).EnsureGood();
        Assert.True(time.GetUtcNow() - before >= TimeSpan.FromSeconds(15));
        Assert.True(left < 3);

        left = int.MaxValue;
        bench.Timing = bench.Timing with { Time = time = new() };
        var beyond = (await bench.RunAsync()).EnsureNotGood();
        Assert.Equal(["RSDK7038"], beyond.Codes);
        Assert.Equal(FleetVerdict.Unknown, beyond.Package("acme/api").Verdict);
        Assert.Matches("ghcr.io/acme/api .* unknown \\(RSDK7038\\)", beyond.Console);

        // Longer than the budget at once: not waited for at all.
        bench.Fault = async context => isHit(context) && await EmulatorFaults.ThrottleAsync(context, 3600);
        bench.Timing = bench.Timing with { Time = time = new() };
        before = time.GetUtcNow();
        Assert.Equal(["RSDK7038"], (await bench.RunAsync()).EnsureNotGood().Codes);
        Assert.Equal(before, time.GetUtcNow());
    }

    [Fact]
    public async Task The_limits_of_GHCR_and_of_Docker_Hub_are_understood_in_their_own_words()
    {
        var kill = await PublicAsync();
        bench.Add("ghcr.io/acme/api", "public");
        var left = 2;
        bench.Fault = async context => kill.Matches("manifest")(context) && Interlocked.Decrement(ref left) >= 0 && await EmulatorFaults.GhcrThrottleAsync(context, "1.5s");
        (await bench.RunAsync()).EnsureGood();
        left = 2;
        bench.Fault = async context => kill.Matches("manifest")(context) && Interlocked.Decrement(ref left) >= 0 && await EmulatorFaults.DockerHubPullLimitAsync(context);
        (await bench.RunAsync()).EnsureGood();
    }

    [Fact]
    public async Task A_cancelled_verification_stops()
    {
        await PublicAsync();
        bench.Add("ghcr.io/acme/api", "public");
        using var cancellation = new CancellationTokenSource();
        bench.Fault = async context =>
        {
            await cancellation.CancelAsync();
            await Task.Delay(Timeout.Infinite, context.RequestAborted);
            return true;
        };
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => bench.RunAsync(cancellation.Token));
    }

    /// <summary>Kills from now on; who is silent is not waited for longer than a test may take.</summary>
    private void Kill(Func<HttpContext, Task<bool>> fault, string death)
    {
        bench.Fault = fault;
        if (death == "silence")
        {
            bench.Timing = bench.Timing with { Answer = TimeSpan.FromSeconds(1) };
        }
    }

    private static TheoryData<string, string> Rows(params string[] checks)
    {
        var rows = new TheoryData<string, string>();
        foreach (var check in checks)
        {
            foreach (var death in new[] { "silence", "500", "HTML", "empty", "wrong", "cut" })
            {
                // A HEAD has no body that could be wrong.
                if (death == "wrong" && check is "layer" or "floating" or "outsider's manifest" or "outsider's layer")
                {
                    continue;
                }

                rows.Add(check, death);
            }
        }

        return rows;
    }

    private async Task<Killer> PublicAsync()
    {
        await Seed.PushIndexAsync(bench.GitHubSeeder, "acme/api", "v1.2.3", new SeedImage { Architecture = VerifyBench.Architecture });
        await Seed.TagAsync(bench.GitHubSeeder, "acme/api", "v1.2.3", "v1.2", "v1", "latest");
        bench.GitHub.Click(SettingsClick.Change("acme/api", GitHubVisibility.Public));
        return new(await FactsAsync("acme/api", "v1.2.3"));
    }

    private async Task<Killer.Facts> FactsAsync(string name, string tag)
    {
        var top = System.Text.Json.Nodes.JsonNode.Parse((await Seed.ManifestAsync(bench.GitHubSeeder, name, tag))!)!;
        var child = top["manifests"] is { } children ? children[0]!["digest"]!.GetValue<string>() : null;
        var image = child is null ? top : System.Text.Json.Nodes.JsonNode.Parse((await Seed.ManifestAsync(bench.GitHubSeeder, name, child))!)!;
        return new(tag, child, image["config"]!["digest"]!.GetValue<string>(), image["layers"]![0]!["digest"]!.GetValue<string>());
    }

    /// <summary>Which requests die, and how.</summary>
    private sealed class Killer(Killer.Facts facts)
    {
        private int _hits;

        public int Hits => _hits;

        public Func<HttpContext, bool> Matches(string check) => context =>
        {
            var path = context.Request.Path.Value!;
            var isOutsider = context.Request.Headers.Authorization.Count == 0;
            return check switch
            {
                "token" => path == "/token",
                "manifest" => path.EndsWith("/manifests/" + facts.Tag, StringComparison.Ordinal) && HttpMethods.IsGet(context.Request.Method),
                "child" => path.EndsWith("/manifests/" + facts.Child, StringComparison.Ordinal),
                "owner" => path.StartsWith("/api/users/", StringComparison.Ordinal),
                "package" => path.StartsWith("/api/orgs/", StringComparison.Ordinal),
                "tags" => path.EndsWith("/tags/list", StringComparison.Ordinal),
                "floating" => path.EndsWith("/manifests/v1.2", StringComparison.Ordinal),
                "config" => path.EndsWith("/blobs/" + facts.Config, StringComparison.Ordinal),
                "layer" => path.EndsWith("/blobs/" + facts.Layer, StringComparison.Ordinal),
                "outsider's manifest" => isOutsider && path.Contains("/manifests/sha256:", StringComparison.Ordinal),
                "outsider's layer" => isOutsider && path.EndsWith("/blobs/" + facts.Layer, StringComparison.Ordinal),
                // The other origin, to which blobs are redirected.
                "download" => !path.StartsWith("/v2/", StringComparison.Ordinal) && path.Contains(facts.Config["sha256:".Length..], StringComparison.Ordinal),
                _ => throw new ArgumentOutOfRangeException(nameof(check), check, null),
            };
        };

        public Func<HttpContext, Task<bool>> Of(string check, string death) => async context =>
        {
            if (!Matches(check)(context))
            {
                return false;
            }

            Interlocked.Increment(ref _hits);
            await DieAsync(context, death);
            return true;
        };

        private static async Task DieAsync(HttpContext context, string death)
        {
            switch (death)
            {
                case "silence":
                    await Task.Delay(Timeout.Infinite, context.RequestAborted).ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
                    break;
                case "500":
                    context.Response.StatusCode = 500;
                    break;
                case "HTML":
                    context.Response.ContentType = "text/html";
                    await context.Response.WriteAsync("<html>Please sign in to the hotel's network.</html>");
                    break;
                case "empty":
                    context.Response.StatusCode = 200;
                    context.Response.ContentLength = 0;
                    await context.Response.CompleteAsync();
                    break;
                case "wrong":
                    context.Response.ContentType = "application/json";
                    await context.Response.WriteAsync("""{"what":"another thing"}""");
                    break;
                default:
                    context.Response.ContentLength = 5000;
                    context.Response.ContentType = "application/vnd.oci.image.manifest.v1+json";
                    await context.Response.WriteAsync("{\"schemaVersion\":");
                    context.Abort();
                    break;
            }
        }

        public sealed record Facts(string Tag, string? Child, string Config, string Layer);
    }
}
