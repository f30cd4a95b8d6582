using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Registry.Sdk.TestKit;

/// <summary>A server on loopback whose answers are bytes that a test writes: what no HTTP server would let itself be made to say.</summary>
public sealed class RawServer : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly ConcurrentQueue<string> heads = new();
    private readonly ConcurrentBag<Task> connections = [];
    private readonly Func<Stream, string, CancellationToken, Task> answer;
    private readonly Task accepting;

    private RawServer(Func<Stream, string, CancellationToken, Task> answer)
    {
        this.answer = answer;
        listener.Start();
        Port = ((IPEndPoint)listener.LocalEndpoint).Port;
        accepting = Task.Run(AcceptAsync);
    }

    /// <summary>The port.</summary>
    public int Port { get; }

    /// <summary><c>127.0.0.1:PORT</c>.</summary>
    public string Address => FormattableString.Invariant($"127.0.0.1:{Port}");

    /// <summary>The request heads so far, up to the empty line.</summary>
    public IReadOnlyList<string> Heads => [.. heads];

    /// <summary>Starts a server. <paramref name="answer"/> gets the stream and the head of each request; the connection is closed when it returns.</summary>
    public static RawServer Start(Func<Stream, string, CancellationToken, Task> answer) => new(answer);

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Stop();
        await accepting;
        await Task.WhenAll(connections);
        stop.Dispose();
        listener.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                var client = await listener.AcceptTcpClientAsync(stop.Token);
                connections.Add(Task.Run(() => ServeAsync(client)));
            }
            catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task ServeAsync(TcpClient client)
    {
        using var owned = client;
        try
        {
            var stream = client.GetStream();
            var head = new StringBuilder();
            var buffer = new byte[1];
            while (!head.ToString().EndsWith("\r\n\r\n", StringComparison.Ordinal))
            {
                if (await stream.ReadAsync(buffer, stop.Token) == 0)
                {
                    return;
                }

                head.Append((char)buffer[0]);
            }

            heads.Enqueue(head.ToString());
            await answer(stream, head.ToString(), stop.Token);
        }
        catch (Exception exception) when (exception is OperationCanceledException or IOException or SocketException)
        {
            // The client has had enough, or the test is over.
        }
    }
}
