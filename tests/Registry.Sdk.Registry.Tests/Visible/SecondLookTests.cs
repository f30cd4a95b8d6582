using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests.Publishing;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Visible;

/// <summary>The look right before the first tag, and what is told after it.</summary>
public sealed class SecondLookTests
{
    [Fact]
    public async Task Each_leak_is_told_also_where_the_look_before_the_tags_found_another_one_only()
    {
        await using var bench = await VisibilityBench.GhcrAsync(new()
        {
            Owners = { ["acme"] = GitHubOwner.Organization("alice") }, Packages = { ["acme/one"] = new(), ["acme/two"] = new() },
            Secrets = { ["pat"] = GitHubSecret.Classic("secret-pat", "alice", "write:packages") },
        });
        bench.Set(("CR_PAT", "secret-pat"));
        var killed = 0;
        bench.Lie = async context =>
        {
            var path = context.Request.Path.Value!;
            if (context.Request.Method == "PUT" && path.Contains("/two/manifests/sha256:", StringComparison.Ordinal))
            {
                bench.Emulator.Click(SettingsClick.Change("acme/one", GitHubVisibility.Public));
                bench.Emulator.Click(SettingsClick.Change("acme/two", GitHubVisibility.Public));
                killed = 1;
            }

            // HEAD, GET in its place, GET, five times: the look before the tags gets no answer for the second.
            return killed is > 0 and < 16 && context.Request.Headers.Authorization.Count == 0 && path.Contains("/two/manifests/sha256:", StringComparison.Ordinal)
                && killed++ > 0 && await Answers.WithAsync(context, 500, "application/json", "{}");
        };
        bench.Request = bench.Request with { Destinations = [new("ghcr.io/acme/one", Visibility: "private"), new("ghcr.io/acme/two", Visibility: "private")] };

        var published = await bench.PublishAsync();

        Assert.Equal(16, killed);
        Assert.Equal(["RSDK6002", "RSDK7001", "RSDK7001", "RSDK7003"], published.Errors.Select(e => e.Code).Order(StringComparer.Ordinal));
        Assert.Contains(published.Errors, e => e.Message.StartsWith("ghcr.io/acme/one is declared private, and was made readable by anyone while the image was sent.", StringComparison.Ordinal));
        Assert.Contains(published.Errors, e => e.Message.StartsWith("ghcr.io/acme/two is declared private, but after the push anyone can read it.", StringComparison.Ordinal));
    }

    [Fact]
    public async Task What_is_not_open_source_and_was_born_public_gets_no_tag()
    {
        await using var bench = await VisibilityBench.GhcrAsync(new()
        {
            Owners = { ["acme"] = GitHubOwner.Organization("alice") }, Repositories = { ["acme/src"] = new() { Visibility = GitHubVisibility.Public } },
            Secrets = { ["job"] = GitHubSecret.Actions("secret-job", "acme/src", GitHubPackageRight.Write) },
        });
        bench.Set(("GITHUB_ACTIONS", "true"), ("GITHUB_TOKEN", "secret-job"), ("GITHUB_REPOSITORY", "acme/src"));
        bench.Request = bench.Request with { Editions = [new() { License = "BUSL-1.1" }] };

        var published = await bench.PublishAsync("ghcr.io/acme/app", "");

        Assert.Equal(GitHubVisibility.Public, bench.Emulator.Visibility("acme/app"));
        Assert.Contains("anyone can read it, and the licence of the project is BUSL-1.1, which is not open source. No tag was written there or anywhere", Assert.Single(published.Errors, e => e.Code == "RSDK3021").Message);
        Assert.All(Assert.Single(published.Report.Transfer!.Destinations).Tags, t => Assert.Equal(TagState.Pending, t.State));
        Assert.DoesNotContain(bench.Emulator.Requests, r => r.Method == "PUT" && r.PathAndQuery.EndsWith("/manifests/v1.2.3", StringComparison.Ordinal));
    }
}
