using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests.Publishing;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Visible;

/// <summary>A publish whose service's API fails: for a moment, for good, and after the push.</summary>
public sealed class ApiRetryTests : IAsyncLifetime
{
    private const string Place = "ghcr.io/acme/app";
    private VisibilityBench bench = null!;

    public async Task InitializeAsync()
    {
        bench = await VisibilityBench.GhcrAsync(new()
        {
            Owners = { ["acme"] = GitHubOwner.Organization("alice") },
            Packages = { ["acme/app"] = new() { Visibility = GitHubVisibility.Private } },
            Secrets = { ["pat"] = GitHubSecret.Classic("secret-pat", "alice", "write:packages") },
        });
        bench.Set(("CR_PAT", "secret-pat"));
    }

    public async Task DisposeAsync() => await bench.DisposeAsync();

    [Theory]
    [InlineData(2, "private", "200, visibility private, linked to no repository")]
    [InlineData(int.MaxValue, null, "502 and an empty body, at the last of 3 tries")]
    public async Task An_API_that_fails_is_asked_again_before_the_push_and_what_is_not_found_out_stays_so(int failures, string? api, string answer)
    {
        var left = failures;
        var asked = 0;
        bench.Lie = Answers.When(IsPackage, async context =>
        {
            Interlocked.Increment(ref asked);
            return Interlocked.Decrement(ref left) >= 0 && await Answers.WithAsync(context, 502, "", "");
        });
        bench.Request = bench.Request with { PlanOnly = true };

        var planned = (await bench.PublishAsync(Place, "private")).EnsureSucceeded();

        Assert.Equal(3, asked);
        var seen = VisibilityBench.Receipt(planned)!;
        Assert.Equal(("refused", api), (seen["before"]!.GetValue<string>(), seen["api"]?.GetValue<string>()));
        Assert.Equal(answer, Assert.Single(seen["evidence"]!.AsArray(), e => e!["request"]!.GetValue<string>().Contains("/packages/container/", StringComparison.Ordinal))!["answer"]!.GetValue<string>());
        var wait = Assert.Single(JsonNode.Parse(planned.Receipt)!["waits"]!.AsArray())!;
        Assert.Equal(bench.Emulator.BaseAddress.Authority, wait["host"]!.GetValue<string>());
        Assert.InRange(wait["seconds"]!.GetValue<double>(), 2.2, 3.8); // one and two, with jitter
    }

    [Fact]
    public async Task After_the_push_where_it_is_looked_again_anyway_each_look_is_one_try()
    {
        var asked = 0;
        bench.Lie = Answers.When(r => IsPackage(r) && bench.Emulator.Requests.Any(p => p.Method == "PUT" && p.PathAndQuery.EndsWith("/manifests/latest", StringComparison.Ordinal)), async context =>
        {
            Interlocked.Increment(ref asked);
            return await Answers.WithAsync(context, 502, "", "");
        });

        var published = (await bench.PublishAsync(Place, "private")).EnsureSucceeded();

        Assert.Equal(1, asked);
        Assert.Empty(JsonNode.Parse(published.Receipt)!["waits"]!.AsArray());
    }

    private static bool IsPackage(HttpRequest request) => request.Path.Value!.Contains("/packages/container/", StringComparison.Ordinal);
}
