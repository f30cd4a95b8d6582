using System.Net.Http.Headers;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Kit;

public sealed class CuttingProxyTests
{
    [Fact]
    public async Task A_connection_without_a_limit_carries_everything_both_ways()
    {
        await using var server = await LoopbackServer.StartAsync((context, body) => context.Response.Body.WriteAsync(body).AsTask());
        await using var proxy = CuttingProxy.Start(server.Port);
        using var client = new HttpClient();
        var content = Random.Shared.GetItems<byte>([1, 2, 3, 4, 5], 3_000_000);

        for (var i = 0; i < 3; i++)
        {
            using var answer = await client.PostAsync(new Uri($"http://{proxy.Address}/echo"), new ByteArrayContent(content));
            Assert.Equal(content, await answer.Content.ReadAsByteArrayAsync());
        }

        Assert.Equal(0, proxy.Cuts);
        Assert.InRange(proxy.Passed, 6 * content.Length, (6 * content.Length) + 10_000);
    }

    [Fact]
    public async Task A_connection_is_reset_after_so_many_bytes_and_the_next_one_is_not()
    {
        var received = 0L;
        await using var server = await LoopbackServer.StartAsync(
            async (context, _) =>
            {
                var buffer = new byte[10_000];
                int read;
                while ((read = await context.Request.Body.ReadAsync(buffer)) > 0)
                {
                    Interlocked.Add(ref received, read);
                }
            },
            readBodies: false);
        await using var proxy = CuttingProxy.Start(server.Port);
        proxy.Allowance = connection => connection == 0 ? 100_000 : null;
        using var client = new HttpClient();

        await Assert.ThrowsAnyAsync<HttpRequestException>(() => client.PostAsync(new Uri($"http://{proxy.Address}/"), new ByteArrayContent(new byte[1_000_000])));
        using var answer = await client.PostAsync(new Uri($"http://{proxy.Address}/"), new ByteArrayContent(new byte[10]));

        Assert.True(answer.IsSuccessStatusCode);
        Assert.Equal(1, proxy.Cuts);
        Assert.InRange(Interlocked.Read(ref received), 10, 100_010);
    }

    [Fact]
    public void A_seed_gives_the_same_cuts_again_and_another_seed_others()
    {
        var first = Enumerable.Range(0, 100).Select(CuttingProxy.Seeded(1, 0.5, 1000)).ToList();

        Assert.Equal(first, Enumerable.Range(0, 100).Select(CuttingProxy.Seeded(1, 0.5, 1000)));
        Assert.NotEqual(first, Enumerable.Range(0, 100).Select(CuttingProxy.Seeded(2, 0.5, 1000)));
        Assert.InRange(first.Count(b => b is null), 20, 80);
        Assert.All(first, b => Assert.InRange(b ?? 0, 0, 999));
    }
}
