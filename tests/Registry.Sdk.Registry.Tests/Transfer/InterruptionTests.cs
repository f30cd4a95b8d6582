using Registry.Sdk.TestKit;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Registry.Tests.Publishing;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>Whatever stops a publish in the middle: it is told what was done and what is left, and nothing is believed that was not seen.</summary>
public sealed class InterruptionTests(Registries registries) : IClassFixture<Registries>
{
    public static TheoryData<string> Nowhere => ["//", "//[::1", "///"];

    [Theory]
    [MemberData(nameof(Nowhere))]
    public async Task A_tag_that_is_sent_to_no_address_is_an_error_and_the_rest_is_pending(string location)
    {
        await using var bench = await Bench.CreateAsync(registries);
        bench.Closed.Lie = Answers.When(r => r.Method == "PUT" && r.Path.Value!.EndsWith("/manifests/v1.2", StringComparison.Ordinal), c =>
        {
            c.Response.Headers.Location = location;
            return Answers.WithAsync(c, 307, null, "");
        });

        var published = await bench.PublishAsync();

        Assert.Null(published.Report.Bug);
        Assert.Equal(["RSDK5002", "RSDK6002"], published.Errors.Select(e => e.Code));
        Assert.Contains($"{bench.Closed.Host}/{bench.Name}", published.Errors[0].Message);
        Assert.Equal(["latest"], Pending(published, 0));
        Assert.Equal(["v1.2", "v1", "latest"], Pending(published, 1));
        Assert.Contains("\"pending\"", published.Receipt);
        Assert.Contains("RSDK5002", published.Receipt);
        Assert.Equal(["v1.2.3"], (await Seed.TagsAsync(bench.Closed.Direct, bench.Name)).Keys);
        Assert.DoesNotContain("latest", (await Seed.TagsAsync(bench.Open.Direct, bench.Name)).Keys);
    }

    [Theory]
    [MemberData(nameof(Nowhere))]
    public async Task An_upload_that_is_sent_to_no_address_is_an_error_and_nothing_is_sent(string location)
    {
        await using var bench = await Bench.CreateAsync(registries);
        bench.Closed.Lie = Answers.When(r => r.Method == "POST", c =>
        {
            c.Response.Headers.Location = location;
            return Answers.WithAsync(c, 202, null, "");
        });

        var published = await bench.PublishAsync();

        Assert.Null(published.Report.Bug);
        Assert.Equal("RSDK5002", Assert.Single(published.Errors).Code);
        Assert.All([0, 1], i => Assert.Equal(["v1.2.3", "v1.2", "v1", "latest"], Pending(published, i)));
        Assert.Contains("RSDK5002", published.Receipt);
        Assert.Contains("\"pending\"", published.Receipt);
        Assert.DoesNotContain(bench.Arrivals, a => a.Method == "PUT");
    }

    [Fact]
    public async Task A_bug_in_the_middle_of_tagging_is_handed_on_after_the_report()
    {
        await using var bench = await Bench.CreateAsync(registries);
        bench.Noted = message =>
        {
            if (message.Contains(": v1.2 created", StringComparison.Ordinal))
            {
                throw new InvalidOperationException("a bug");
            }
        };

        var published = await bench.PublishAsync();

        Assert.Equal("a bug", Assert.IsType<InvalidOperationException>(published.Report.Bug).Message);
        var error = Assert.Single(published.Errors);
        Assert.Equal("RSDK6003", error.Code);
        Assert.Contains($"stopped by a bug (InvalidOperationException); pending: {bench.Open.Host}/{bench.Name}: v1, latest; {bench.Closed.Host}/{bench.Name}: v1, latest.", error.Message);
        Assert.Contains("RSDK6003", published.Receipt);
        Assert.Contains("\"pending\"", published.Receipt);
        Assert.Equal(["v1.2", "v1.2.3"], (await Seed.TagsAsync(bench.Open.Direct, bench.Name)).Keys);

        bench.Noted = static _ => { };
        (await bench.PublishAsync()).EnsureSucceeded();
        Assert.Equal(["latest", "v1", "v1.2", "v1.2.3"], (await Seed.TagsAsync(bench.Open.Direct, bench.Name)).Keys);
    }

    /// <summary>Every HEAD names the right digest; only reading the image shows that it is another, or none.</summary>
    [Theory]
    [InlineData(200, true)]
    [InlineData(404, true)]
    [InlineData(200, false)] // to outsiders only
    public async Task A_registry_that_serves_something_else_than_it_says_is_found_out(int status, bool toUs)
    {
        await using var bench = await Bench.CreateAsync(registries);
        bench.Closed.Lie = Answers.When(
            r => r.Method == "GET" && r.Path.Value!.Contains("/manifests/", StringComparison.Ordinal) && r.Headers.Authorization.Count > 0 == toUs && bench.Arrivals.Any(a => a.Registry == "closed" && a.IsTagPut),
            c => status == 200
                ? Answers.WithAsync(c, 200, "application/vnd.oci.image.manifest.v1+json", """{"schemaVersion":2}""")
                : Answers.WithAsync(c, 404, "application/json", """{"errors":[{"code":"MANIFEST_UNKNOWN","message":"no"}]}"""));

        var published = await bench.PublishAsync();

        var error = Assert.Single(published.Errors);
        Assert.Equal("RSDK5006", error.Code);
        Assert.Contains($"{bench.Closed.Host}/{bench.Name}", error.Message);
        Assert.Null(published.Report.Bug);
    }

    /// <summary>There is no compare-and-swap: the other one's image comes under our tag after we have read it back.</summary>
    [Fact]
    public async Task An_immutable_tag_that_another_publish_writes_after_us_is_told()
    {
        await using var bench = await Bench.CreateAsync(registries);
        var other = await Seed.PushAsync(bench.Closed.Direct, bench.Name, "other", new SeedImage { Salt = "other" });
        bench.Closed.Lie = async context =>
        {
            if (context.Request.Method == "PUT" && context.Request.Path.Value!.EndsWith("/manifests/latest", StringComparison.Ordinal))
            {
                await Seed.TagAsync(bench.Closed.Direct, bench.Name, "other", "v1.2.3");
            }

            return false;
        };

        var published = await bench.PublishAsync();

        var error = Assert.Single(published.Errors);
        Assert.Equal("RSDK6004", error.Code);
        Assert.Contains($"{bench.Closed.Host}/{bench.Name}: the immutable tag v1.2.3 was written as {published.Digest}, and now names {other}", error.Message);
        Assert.Contains("RSDK6004", published.Receipt);
    }

    private static IEnumerable<string> Pending(Published published, int destination)
        => published.Report.Transfer!.Destinations[destination].Tags.Where(t => t.State == TagState.Pending).Select(t => t.Tag.Name);
}
