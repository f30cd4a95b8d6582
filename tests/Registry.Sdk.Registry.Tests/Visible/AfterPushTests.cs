using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Visible;

/// <summary>After the push: what is tried to bring a package to its declared visibility, what is waited for, and what a person is told.</summary>
public sealed class AfterPushTests : IAsyncLifetime
{
    private const string Settings = "https://github.com/orgs/acme/packages/container/app/settings";
    private VisibilityBench bench = null!;

    public async Task InitializeAsync()
    {
        bench = await VisibilityBench.GhcrAsync(new()
        {
            Owners = { ["acme"] = GitHubOwner.Organization("alice"), ["alice"] = GitHubOwner.User() },
            Repositories = { ["acme/open"] = new() { Visibility = GitHubVisibility.Public } },
            Packages =
            {
                ["acme/app"] = new() { Repository = "acme/open" }, ["acme/part/of/it"] = new(), ["alice/app"] = new(),
                ["acme/inside"] = new() { Visibility = GitHubVisibility.Internal }, ["acme/open-app"] = new() { Visibility = GitHubVisibility.Public },
            },
            Secrets = { ["pat"] = GitHubSecret.Classic("secret-pat", "alice", "write:packages") },
        });
        bench.Set(("CR_PAT", "secret-pat"));
    }

    public async Task DisposeAsync() => await bench.DisposeAsync();

    [Theory]
    [InlineData("acme/app", Settings)]
    [InlineData("alice/app", "https://github.com/users/alice/packages/container/app/settings")]
    [InlineData("acme/part/of/it", "https://github.com/orgs/acme/packages/container/part%2Fof%2Fit/settings")]
    public async Task The_one_link_that_is_right_is_in_the_error_the_console_the_summary_and_the_receipt(string name, string link)
    {
        var summary = Path.Combine(Path.GetTempPath(), $"summary-{Guid.NewGuid():N}");
        bench.Request = bench.Request with { Reports = bench.Request.Reports with { GitHubSummary = summary } };
        try
        {
            var published = await bench.PublishAsync("ghcr.io/" + name, "public");

            var error = Assert.Single(published.Errors);
            Assert.Equal("RSDK7002", error.Code);
            Assert.StartsWith($"published, one click left: ghcr.io/{name} is declared public, but can't be read without credentials. Make it public at {link}, then publish again: nothing is sent twice.", error.Message);
            Assert.Single(published.Reporting.ConsoleLines, l => l == $"    ghcr.io/{name}: outsiders are refused (private); make it public at {link}");
            Assert.Contains($"[settings](<{link}>)", await File.ReadAllTextAsync(summary));
            var receipt = VisibilityBench.Receipt(published)!;
            Assert.Equal(("refused", "refused", "private", $"make it public at {link}"), (receipt["before"]!.GetValue<string>(), receipt["after"]!.GetValue<string>(), receipt["api"]!.GetValue<string>(), receipt["click"]!.GetValue<string>()));
            Assert.Contains(receipt["evidence"]!.AsArray(), e => e!["answer"]!.GetValue<string>().StartsWith("200, visibility private", StringComparison.Ordinal));

            // After the click nothing is sent, and all is well.
            bench.Emulator.Click(SettingsClick.Change(name, GitHubVisibility.Public));
            var from = bench.Emulator.Requests.Count;
            (await bench.PublishAsync("ghcr.io/" + name, "public")).EnsureSucceeded();
            Assert.DoesNotContain(bench.Emulator.Requests.Skip(from), r => r.Method is not ("GET" or "HEAD"));
        }
        finally
        {
            File.Delete(summary);
        }
    }

    [Fact]
    public async Task Where_nobody_knows_who_owns_it_both_links_are_given()
    {
        bench.Lie = Answers.When(r => r.Path.StartsWithSegments("/api/users", StringComparison.Ordinal), c => Answers.WithAsync(c, 500, null, ""));
        Assert.Contains($"at {Settings} (organisation) or https://github.com/users/acme/packages/container/app/settings (user), then", Assert.Single((await bench.PublishAsync("ghcr.io/acme/app", "public")).Errors).Message);
    }

    [Fact]
    public async Task Warn_is_a_warning_for_what_is_less_visible_and_never_for_what_is_more()
    {
        bench.Request = bench.Request with { VisibilityMismatch = "warn" };
        var published = (await bench.PublishAsync("ghcr.io/acme/app", "public")).EnsureSucceeded();
        Assert.Equal(["RSDK7004"], published.Codes.Where(c => c.StartsWith("RSDK7", StringComparison.Ordinal)));
        Assert.Equal(["RSDK7011"], (await bench.PublishAsync("ghcr.io/acme/app", "internal")).EnsureSucceeded().Codes.Where(c => c.StartsWith("RSDK7", StringComparison.Ordinal)));
        Assert.Equal(["RSDK7001"], (await bench.PublishAsync("ghcr.io/acme/open-app", "private")).Errors.Select(e => e.Code));
        Assert.Equal(["RSDK7010"], (await bench.PublishAsync("ghcr.io/acme/inside", "private")).Errors.Select(e => e.Code));
    }

    [Fact]
    public async Task Wait_asks_once_and_is_green_once_a_person_has_clicked()
    {
        bench.Request = bench.Request with { VisibilityMismatch = "wait:10m" };
        bench.Time.Waited = before =>
        {
            if (before == 7)
            {
                bench.Emulator.Click(SettingsClick.Change("acme/app", GitHubVisibility.Public));
            }
        };

        var published = (await bench.PublishAsync("ghcr.io/acme/app", "public")).EnsureSucceeded();

        Assert.Equal($"ghcr.io/acme/app: published, one click left: make it public at {Settings} (Danger Zone, Change visibility). It is waited for, 10 minutes at most.", Assert.Single(bench.Asked));
        // Lag first, then 5, 10, 15, 15 … seconds.
        Assert.Equal([1, 2, 5, 10, 15, 15, 15, 15], bench.Time.Waits.Select(w => (int)w.TotalSeconds));
        Assert.Contains("    ghcr.io/acme/app: anyone can read it", published.Reporting.ConsoleLines);
    }

    [Fact]
    public async Task Who_waits_for_a_click_at_Docker_Hub_names_no_button_of_GitHubs()
    {
        await using var hub = await VisibilityBench.DockerHubAsync(new()
        {
            AnonymousPulls = null, PrivacyChange = DockerHubPrivacyChange.Ignored, Repositories = { ["team/app"] = new() { IsPrivate = true } },
            Secrets = { ["team"] = DockerHubSecret.PersonalToken("secret-team", "team", DockerHubRight.ReadWriteDelete) },
        });
        hub.Set(("DOCKERHUB_USERNAME", "team"), ("DOCKERHUB_TOKEN", "secret-team"));
        hub.Request = hub.Request with { VisibilityMismatch = "wait:20s" };
        await hub.PublishAsync("docker.io/team/app", "public");
        Assert.Equal("docker.io/team/app: published, one click left: make it public at https://hub.docker.com/repository/docker/team/app/settings. It is waited for, 20 seconds at most.", Assert.Single(hub.Asked));
    }

    [Fact]
    public async Task A_leak_is_told_at_once_and_no_click_is_waited_for_meanwhile()
    {
        bench.Request = bench.Request with { VisibilityMismatch = "wait:1440m", Destinations = [new("ghcr.io/acme/app", Visibility: "public"), new("ghcr.io/alice/app", Visibility: "private")] };
        bench.Lie = context =>
        {
            if (context.Request.Method == "PUT" && context.Request.Path.Value!.EndsWith("/alice/app/manifests/latest", StringComparison.Ordinal))
            {
                bench.Emulator.Click(SettingsClick.Change("alice/app", GitHubVisibility.Public));
            }

            return Task.FromResult(false);
        };

        var published = await bench.PublishAsync();

        Assert.Equal(["RSDK7001", "RSDK7002"], published.Errors.Select(e => e.Code).Order(StringComparer.Ordinal));
        Assert.EndsWith("It is not waited for any longer: another destination can be read by anyone.", published.Errors.Single(e => e.Code == "RSDK7002").Message);
        Assert.True(bench.Time.GetUtcNow() < new DateTimeOffset(2026, 11, 23, 0, 0, 0, TimeSpan.Zero), $"{bench.Time.Waits.Count} waits");
    }

    [Fact]
    public async Task What_is_public_by_the_services_own_word_has_no_click_left()
    {
        bench.Request = bench.Request with { VisibilityMismatch = "wait:20s" };
        bench.Lie = context => bench.Emulator.Requests.Any(r => r.Method == "PUT" && r.PathAndQuery.EndsWith("/manifests/latest", StringComparison.Ordinal)) && context.Request.Path == "/token" && context.Request.Headers.Authorization.Count == 0
            ? Faults.AnswerAsync(context, "401")
            : Task.FromResult(false);

        var published = await bench.PublishAsync("ghcr.io/acme/open-app", "public");

        var error = Assert.Single(published.Errors);
        Assert.Equal(("RSDK7002", "ghcr.io/acme/open-app was published, is declared public, and the service's own API says that it is, but it can't be read without credentials. The registry may need longer to show it. Publish again: nothing is sent twice. It was waited for 20 seconds."), (error.Code, error.Message));
        Assert.Equal("ghcr.io/acme/open-app: published, and public as the service's own API says, but outsiders are refused. It is waited for, 20 seconds at most.", Assert.Single(bench.Asked));
        Assert.Null(VisibilityBench.Receipt(published)!["click"]);
    }

    [Fact]
    public async Task Wait_ends_in_an_error_when_its_time_is_over()
    {
        bench.Request = bench.Request with { VisibilityMismatch = "wait:40s" };
        var error = Assert.Single((await bench.PublishAsync("ghcr.io/acme/app", "public")).Errors);
        Assert.Equal("RSDK7002", error.Code);
        Assert.EndsWith("It was waited for 40 seconds.", error.Message);
        Assert.Equal([1, 2, 5, 10, 15, 10], bench.Time.Waits.Select(w => (int)w.TotalSeconds));
        Assert.Single(bench.Asked);
    }

    [Fact]
    public async Task Waiting_can_be_cancelled_and_says_what_was_published()
    {
        bench.Request = bench.Request with { VisibilityMismatch = "wait:1440m" };
        using var cancel = new CancellationTokenSource();
        bench.Time.Waited = before =>
        {
            if (before == 4)
            {
                cancel.Cancel();
            }
        };
        var published = await bench.PublishAsync("ghcr.io/acme/app", "public", cancel.Token);
        Assert.Equal("The publish was cancelled after all images and tags were written; who can see them was not read back. Publish 1.2.3 of commit 0123456 again (dotnet publish /t:PublishContainer, or the CI job): what arrived is not sent twice.", Assert.Single(published.Errors, e => e.Code == "RSDK6003").Message);
        Assert.Single(published.Errors);
        Assert.All(Assert.Single(published.Report.Transfer!.Destinations).Tags, t => Assert.Equal(TagState.Created, t.State));
    }

    [Fact]
    public async Task The_call_that_GitHub_does_not_know_is_sent_when_asked_for_and_its_answer_recorded()
    {
        var published = await bench.PublishAsync("ghcr.io/acme/app", "public");
        Assert.DoesNotContain(bench.Emulator.Requests, r => r.Method == "PATCH" && r.PathAndQuery.StartsWith("/api/", StringComparison.Ordinal));
        Assert.DoesNotContain("PATCH", published.Receipt, StringComparison.Ordinal);

        bench.Request = bench.Request with { TryVisibilityApi = true };
        published = await bench.PublishAsync("ghcr.io/acme/app", "public");
        Assert.Contains("(the PATCH of RegistrySdkTryVisibilityApi was answered 404 'Not Found')", Assert.Single(published.Errors).Message);
        Assert.Equal("/api/orgs/acme/packages/container/app", Assert.Single(bench.Emulator.Requests, r => r.Method == "PATCH" && r.PathAndQuery.StartsWith("/api/", StringComparison.Ordinal)).PathAndQuery);
        var patch = Assert.Single(VisibilityBench.Receipt(published)!["evidence"]!.AsArray(), e => e!["request"]!.GetValue<string>().StartsWith("PATCH ", StringComparison.Ordinal));
        Assert.Equal("404 'Not Found'", patch!["answer"]!.GetValue<string>());

        // Private ones are never sent it.
        await bench.PublishAsync("ghcr.io/acme/app", "private");
        Assert.Single(bench.Emulator.Requests, r => r.Method == "PATCH" && r.PathAndQuery.StartsWith("/api/", StringComparison.Ordinal));
    }

    [Fact]
    public async Task Should_GitHub_ever_take_the_call_it_counts_only_once_an_outsider_can_read_it()
    {
        bench.Request = bench.Request with { TryVisibilityApi = true };
        bench.Lie = Answers.When(r => r.Method == "PATCH" && r.Path.StartsWithSegments("/api", StringComparison.Ordinal), c => Answers.WithAsync(c, 200, "application/json", """{"visibility":"public"}"""));
        Assert.Equal(["RSDK7002"], (await bench.PublishAsync("ghcr.io/acme/app", "public")).Errors.Select(e => e.Code));

        bench.Time.Waited = _ => bench.Emulator.Click(SettingsClick.Change("acme/app", GitHubVisibility.Public));
        (await bench.PublishAsync("ghcr.io/acme/app", "public")).EnsureSucceeded();
    }

    [Fact]
    public async Task Lag_is_waited_out()
    {
        // The first three looks of an outsider after the tags are refused, or do not find the image.
        var looks = 0;
        bench.Lie = async context =>
        {
            if (context.Request.Headers.Authorization.Count == 0 || !context.Request.Path.Value!.Contains("/manifests/sha256:", StringComparison.Ordinal)
                || !bench.Emulator.Requests.Any(r => r.Method == "PUT" && r.PathAndQuery.EndsWith("/manifests/latest", StringComparison.Ordinal)) || bench.Emulator.Requests[^1].Account != "anonymous")
            {
                return false;
            }

            return Interlocked.Increment(ref looks) switch
            {
                1 or 2 => await Answers.WithAsync(context, 401, "application/json", "{}"),
                3 => await Answers.WithAsync(context, 404, "application/json", """{"errors":[{"code":"MANIFEST_UNKNOWN","message":"x"}]}"""),
                _ => false,
            };
        };

        (await bench.PublishAsync("ghcr.io/acme/open-app", "public")).EnsureSucceeded();
        Assert.Equal([1, 2, 4], bench.Time.Waits.Select(w => (int)w.TotalSeconds));
    }

    [Fact]
    public async Task Who_is_silent_to_outsiders_after_the_push_is_not_asked_again_and_again()
    {
        var looks = 0;
        bench.Lie = async context =>
        {
            if (context.Request.Headers.Authorization.Count > 0 || context.Request.Path != "/token" || !bench.Emulator.Requests.Any(r => r.Method == "PUT" && r.PathAndQuery.EndsWith("/manifests/latest", StringComparison.Ordinal)))
            {
                return false;
            }

            looks++;
            await Task.Delay(TimeSpan.FromSeconds(31), bench.Time);
            return await Answers.WithAsync(context, 500, null, "");
        };

        Assert.Equal(["RSDK7003"], (await bench.PublishAsync("ghcr.io/acme/open-app", "public")).Errors.Select(e => e.Code));
        Assert.Equal(1, looks);
    }

    [Theory]
    [InlineData("401", "RSDK7002")]
    [InlineData("404", "RSDK7003")]
    [InlineData("500", "RSDK7003")]
    [InlineData("html", "RSDK7003")]
    [InlineData("empty", "RSDK7003")]
    [InlineData("cut", "RSDK7003")]
    public async Task What_an_outsider_does_not_get_after_the_push_is_never_success(string how, string code)
    {
        bench.Lie = async context =>
        {
            if (!bench.Emulator.Requests.Any(r => r.Method == "PUT" && r.PathAndQuery.EndsWith("/manifests/latest", StringComparison.Ordinal))
                || bench.Emulator.Requests[^1] is not { Account: "anonymous" } || !context.Request.Path.Value!.Contains("/manifests/", StringComparison.Ordinal))
            {
                return false;
            }

            return await Faults.AnswerAsync(context, how);
        };

        Assert.Equal([code], (await bench.PublishAsync("ghcr.io/acme/open-app", "public")).Errors.Select(e => e.Code));
    }

    [Fact]
    public async Task What_the_API_said_before_the_push_is_not_told_as_what_is_after_it()
    {
        bench.Lie = context => context.Request.Path.StartsWithSegments("/api", StringComparison.Ordinal) && bench.Emulator.Requests.Any(r => r.Method == "PUT")
            ? Answers.WithAsync(context, 500, "application/json", "{}")
            : Task.FromResult(false);

        var published = (await bench.PublishAsync("ghcr.io/acme/app", "private")).EnsureSucceeded();

        Assert.Contains(published.Reporting.ConsoleLines, l => l.StartsWith("    ghcr.io/acme/app: outsiders are refused; the service's own API did not say more: GitHub's API ", StringComparison.Ordinal));
        var receipt = VisibilityBench.Receipt(published)!;
        Assert.Contains(receipt["evidence"]!.AsArray(), e => e!["answer"]!.GetValue<string>().StartsWith("200, visibility private", StringComparison.Ordinal));
        Assert.Null(receipt["api"]);
        Assert.Null(receipt["linkedRepository"]);
    }

    [Fact]
    public async Task Who_may_ask_and_is_not_given_the_image_is_not_told_to_be_able_to_read_it()
    {
        bench.Lie = context => bench.Emulator.Requests.Any(r => r.Method == "PUT" && r.PathAndQuery.EndsWith("/manifests/latest", StringComparison.Ordinal)) && bench.Emulator.Requests[^1] is { Account: "anonymous" } && context.Request.Path.Value!.Contains("/manifests/", StringComparison.Ordinal)
            ? Faults.AnswerAsync(context, "404")
            : Task.FromResult(false);

        var published = await bench.PublishAsync("ghcr.io/acme/open-app", "public");

        Assert.Equal("RSDK7003", Assert.Single(published.Errors).Code);
        Assert.Contains("    ghcr.io/acme/open-app: anyone may ask for it, and is not given the image", published.Reporting.ConsoleLines);
    }

    [Fact]
    public async Task Docker_Hubs_change_is_believed_only_when_read_back()
    {
        foreach (var change in new[] { DockerHubPrivacyChange.Ignored, DockerHubPrivacyChange.Missing, DockerHubPrivacyChange.Works })
        {
            await using var hub = await VisibilityBench.DockerHubAsync(new()
            {
                AnonymousPulls = null, PrivacyChange = change, Repositories = { ["team/app"] = new() { IsPrivate = true } },
                Secrets = { ["team"] = DockerHubSecret.PersonalToken("secret-team", "team", DockerHubRight.ReadWriteDelete) },
            });
            hub.Set(("DOCKERHUB_USERNAME", "team"), ("DOCKERHUB_TOKEN", "secret-team"));
            var published = await hub.PublishAsync("docker.io/team/app", "public");
            var asked = hub.Emulator.Requests.Where(r => r.Method is "POST" or "PATCH" && r.PathAndQuery.StartsWith("/api/v2/repositories/", StringComparison.Ordinal)).Select(r => $"{r.Method} {r.PathAndQuery}").ToList();
            Assert.Equal(change == DockerHubPrivacyChange.Missing ? ["POST /api/v2/repositories/team/app/privacy/", "PATCH /api/v2/repositories/team/app/"] : ["POST /api/v2/repositories/team/app/privacy/"], asked);
            if (change == DockerHubPrivacyChange.Works)
            {
                published.EnsureSucceeded();
                continue;
            }

            var error = Assert.Single(published.Errors);
            Assert.Equal("RSDK7002", error.Code);
            Assert.Contains("(Docker Hub's call that changes it was answered 200", error.Message);
            Assert.Contains("at https://hub.docker.com/repository/docker/team/app/settings", error.Message);
        }
    }

    [Fact]
    public async Task What_Docker_Hub_made_public_behind_our_back_is_closed_again_and_told_all_the_same()
    {
        await using var hub = await VisibilityBench.DockerHubAsync(new()
        {
            AnonymousPulls = null, Repositories = { ["team/app"] = new() { IsPrivate = true } },
            Secrets = { ["team"] = DockerHubSecret.PersonalToken("secret-team", "team", DockerHubRight.ReadWriteDelete) },
        });
        hub.Set(("DOCKERHUB_USERNAME", "team"), ("DOCKERHUB_TOKEN", "secret-team"));
        hub.Lie = context =>
        {
            if (context.Request.Method == "PUT" && context.Request.Path.Value!.EndsWith("/manifests/latest", StringComparison.Ordinal))
            {
                hub.Emulator.Click(SettingsClick.Change("team/app", GitHubVisibility.Public));
            }

            return Task.FromResult(false);
        };

        var error = Assert.Single((await hub.PublishAsync("docker.io/team/app", "private")).Errors);
        Assert.Equal("RSDK7001", error.Code);
        Assert.Contains("anyone could read it", error.Message);
        Assert.Contains("and it is private again now", error.Message);
        Assert.Equal(GitHubVisibility.Private, hub.Emulator.Visibility("team/app"));
    }

    [Fact]
    public async Task What_a_package_will_be_born_as_is_said_before_with_the_shortest_way_to_public()
    {
        var published = await bench.PublishAsync("ghcr.io/acme/new", "public");
        var note = Assert.Single(JsonNode.Parse(published.Receipt)!["notes"]!.AsArray(), n => n!.GetValue<string>().Contains("acme/new", StringComparison.Ordinal))!.GetValue<string>();
        Assert.StartsWith("ghcr.io/acme/new does not exist yet; it will be born private", note);
        Assert.Contains("let a workflow of a public repository of acme push it first", note);
        Assert.Contains("https://github.com/orgs/acme/packages/container/new/settings", note);
        Assert.Contains(note, published.Log);
    }
}

/// <summary>The ways in which an answer can be none.</summary>
internal static class Faults
{
    public static readonly string[] All = ["500", "html", "empty", "cut", "silence"];

    public static async Task<bool> AnswerAsync(HttpContext context, string how)
    {
        switch (how)
        {
            case "html":
                return await Answers.Html(context);
            case "empty":
                return await Answers.Nothing(context);
            case "cut":
                context.Response.StatusCode = 200;
                context.Response.ContentType = "application/json";
                context.Response.ContentLength = 100;
                await context.Response.Body.WriteAsync("{\"name\":"u8.ToArray());
                await context.Response.Body.FlushAsync();
                context.Abort();
                return true;
            case "silence":
                try
                {
                    await Task.Delay(TimeSpan.FromMinutes(1), context.RequestAborted);
                }
                catch (OperationCanceledException)
                {
                    // The client has given up.
                }

                return true;
            default:
                return await Answers.WithAsync(context, int.Parse(how, System.Globalization.CultureInfo.InvariantCulture), "application/json", "{}");
        }
    }
}
