using System.Net;
using System.Net.Sockets;
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

    /// <summary>What had come before a cut is the server's: a registry that keeps what arrived must be able to.</summary>
    [Fact]
    public async Task Each_time_so_many_bytes_have_gone_up_the_line_is_cut_and_the_server_has_all_that_came_before()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        await using var proxy = CuttingProxy.Start(((IPEndPoint)listener.LocalEndpoint).Port, every: 1_000_000);
        var received = new List<int>();

        foreach (var size in new[] { 600_000, 5_000_000, 300_000, 5_000_000 })
        {
            using var client = new Socket(SocketType.Stream, ProtocolType.Tcp);
            await client.ConnectAsync(IPAddress.Loopback, proxy.Port);
            using var server = await listener.AcceptSocketAsync();
            var reading = ReadAllAsync(server);
            var sent = await Record.ExceptionAsync(async () =>
            {
                for (var done = 0; done < size;)
                {
                    done += await client.SendAsync(new byte[size - done]);
                }

                client.Shutdown(SocketShutdown.Send);
                Assert.Equal(0, await client.ReceiveAsync(new byte[1]));
            });
            received.Add(await reading);
            Assert.Equal(size > 1_000_000, sent is SocketException);
        }

        Assert.Equal([600_000, 400_000, 300_000, 700_000], received);
        Assert.Equal(2, proxy.Cuts);
        Assert.InRange(proxy.Sent, 2_000_000, 2_000_000 + (2 * 65_536));

        static async Task<int> ReadAllAsync(Socket server)
        {
            var buffer = new byte[10_000];
            var (all, read) = (0, 0);
            while ((read = await server.ReceiveAsync(buffer)) > 0)
            {
                all += read;
            }

            server.Shutdown(SocketShutdown.Send);
            return all;
        }
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
