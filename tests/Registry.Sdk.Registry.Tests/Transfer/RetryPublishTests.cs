using System.Collections.Concurrent;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Registry.Tests.Publishing;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>That a whole publish meets failures as <see cref="RetryTests"/> says.</summary>
public sealed class RetryPublishTests(Registries registries) : IClassFixture<Registries>
{
    [Theory]
    [InlineData("503")]
    [InlineData("reset")]
    public async Task A_publish_whose_every_request_fails_the_first_time_succeeds(string fault)
    {
        await using var bench = await Bench.CreateAsync(registries);
        var failed = new ConcurrentDictionary<string, bool>(StringComparer.Ordinal);
        foreach (var target in bench.Targets)
        {
            target.Lie = async context =>
            {
                if (!failed.TryAdd($"{target.Name} {context.Request.Method} {context.Request.Path}", true))
                {
                    return false;
                }

                await RetryTests.FailAsync(context, fault);
                return true;
            };
        }

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.True(failed.Count > 30, $"{failed.Count} requests failed");
        Assert.All(published.Report.Transfer!.Destinations.SelectMany(d => d.Tags), t => Assert.Equal(TagState.Created, t.State));
    }

    [Fact]
    public async Task A_long_wait_is_said()
    {
        await using var bench = await Bench.CreateAsync(registries);
        var limits = 2;
        bench.Open.Lie = Answers.When(r => r.Method == "PUT" && r.Path.Value!.Contains("/manifests/", StringComparison.Ordinal) && limits-- > 0, async context =>
        {
            context.Response.Headers.RetryAfter = "30";
            return await Answers.WithAsync(context, 429, "application/json", """{"errors":[{"code":"TOOMANYREQUESTS","message":"slow down"}]}""");
        });

        var published = (await bench.PublishAsync()).EnsureSucceeded();

        Assert.Matches("^localhost:[0-9]+: waiting 3[01] seconds before it is asked again ", Assert.Single(published.Log, l => l.Contains("waiting", StringComparison.Ordinal)));
    }
}
