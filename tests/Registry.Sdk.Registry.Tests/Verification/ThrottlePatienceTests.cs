using System.Net;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Verification;

/// <summary>How long hosts that limit are waited for.</summary>
public sealed class ThrottlePatienceTests
{
    private static readonly Uri There = new("http://registry.example/v2/");

    [Fact]
    public async Task What_a_host_asks_for_is_waited_until_the_budget_is_used_up()
    {
        var time = new InstantTime();
        var start = time.GetUtcNow();
        var host = new Host(int.MaxValue, "20");
        using var client = new HttpMessageInvoker(new ThrottlePatience(TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(10), time).Before(host));

        using var answer = await SendAsync(client, There);

        // Three waits, and the fourth would be beyond it; what was said is still there to be read.
        Assert.Equal((HttpStatusCode.TooManyRequests, 4, 60), (answer.StatusCode, host.Asked, (int)(time.GetUtcNow() - start).TotalSeconds));
        Assert.Equal("slow down", await answer.Content.ReadAsStringAsync());

        // Another request is not waited for again; another host has a budget of its own.
        using var again = await SendAsync(client, There);
        Assert.Equal((5, 60), (host.Asked, (int)(time.GetUtcNow() - start).TotalSeconds));
        using var other = await SendAsync(client, new("http://other.example/"));
        Assert.Equal(120, (int)(time.GetUtcNow() - start).TotalSeconds);
    }

    [Theory]
    [InlineData("20", null, 20)]
    [InlineData(null, "retry-after: 1.5s, allowed: 44000/minute", 1)]
    [InlineData(null, "slow down", 2)]
    public async Task After_the_wait_it_is_asked_again(string? header, string? words, int seconds)
    {
        var time = new InstantTime();
        var start = time.GetUtcNow();
        var host = new Host(1, header, words ?? "slow down");
        using var client = new HttpMessageInvoker(new ThrottlePatience(TimeSpan.FromSeconds(60), TimeSpan.FromSeconds(10), time).Before(host));

        using var answer = await SendAsync(client, There);

        Assert.Equal((HttpStatusCode.OK, 2, seconds), (answer.StatusCode, host.Asked, (int)(time.GetUtcNow() - start).TotalSeconds));
    }

    [Fact]
    public async Task Requests_that_are_told_the_same_at_once_wait_once()
    {
        var patience = new ThrottlePatience(TimeSpan.FromSeconds(30), TimeSpan.FromSeconds(10), new StoppedTime());
        using var client = new HttpMessageInvoker(patience.Before(new Host(20, "25")));

        using var first = await SendAsync(client, There);
        Assert.Equal(HttpStatusCode.OK, first.StatusCode);
        Assert.Equal(TimeSpan.FromSeconds(25), patience.WaitedFor("registry.example"));
    }

    [Fact]
    public async Task One_try_may_be_silent_for_so_long_and_no_longer()
    {
        using var client = new HttpMessageInvoker(new ThrottlePatience(TimeSpan.FromSeconds(60), TimeSpan.FromMilliseconds(100)).Before(new Silent()));
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => SendAsync(client, There));
    }

    private static async Task<HttpResponseMessage> SendAsync(HttpMessageInvoker client, Uri address)
    {
        using var request = new HttpRequestMessage(HttpMethod.Get, address);
        return await client.SendAsync(request, CancellationToken.None);
    }

    /// <summary>The clock stands still: whatever is waited for is waited for at the same moment.</summary>
    private sealed class StoppedTime : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => new(2026, 11, 1, 12, 0, 0, TimeSpan.Zero);

        public override ITimer CreateTimer(TimerCallback callback, object? state, TimeSpan dueTime, TimeSpan period) => base.CreateTimer(callback, state, TimeSpan.Zero, period);
    }

    private sealed class Host(int limits, string? retryAfter, string words = "slow down") : HttpMessageHandler
    {
        public int Asked { get; private set; }

        protected override Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            Asked++;
            if (Asked > limits)
            {
                return Task.FromResult(new HttpResponseMessage(HttpStatusCode.OK));
            }

            var response = new HttpResponseMessage(HttpStatusCode.TooManyRequests) { Content = new StringContent(words) };
            if (retryAfter is not null)
            {
                response.Headers.TryAddWithoutValidation("Retry-After", retryAfter);
            }

            return Task.FromResult(response);
        }
    }

    private sealed class Silent : HttpMessageHandler
    {
        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
            throw new InvalidOperationException();
        }
    }
}
