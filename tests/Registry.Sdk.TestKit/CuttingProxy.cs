using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Registry.Sdk.TestKit;

/// <summary>
/// A TCP proxy on loopback that breaks connections: bytes go through unread until as many have gone as a connection is allowed, or each time so many
/// have gone up over all of them. What speaks through it knows nothing of it: with a registry behind, the client's Host header leads its Locations back here.
/// </summary>
public sealed class CuttingProxy : IAsyncDisposable
{
    private readonly TcpListener listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource stop = new();
    private readonly ConcurrentDictionary<int, Task> connections = new();
    private readonly IPEndPoint upstream;
    private readonly Task accepting;
    private int accepted = -1;
    private readonly long every;
    private readonly Lock gate = new();
    private int cuts;
    private long passed;
    private long sent;
    private long untilCut;

    private CuttingProxy(IPEndPoint upstream, long every)
    {
        this.upstream = upstream;
        this.every = untilCut = every;
        listener.Start();
        Port = ((IPEndPoint)listener.LocalEndpoint).Port;
        accepting = Task.Run(AcceptAsync);
    }

    /// <summary>The port.</summary>
    public int Port { get; }

    /// <summary><c>127.0.0.1:PORT</c>.</summary>
    public string Address => FormattableString.Invariant($"127.0.0.1:{Port}");

    /// <summary>
    /// How many bytes, of both directions together, a connection may carry, by its number from 0; null: all it likes. Asked when it comes. Both ends are
    /// reset then, and what is on its way is lost.
    /// </summary>
    public Func<int, long?> Allowance { get; set; } = static _ => null;

    /// <summary>Connections that were cut.</summary>
    public int Cuts => Volatile.Read(ref cuts);

    /// <summary>Bytes that went through, both directions.</summary>
    public long Passed => Interlocked.Read(ref passed);

    /// <summary>Bytes that clients sent so far, headers and what a cut lost included.</summary>
    public long Sent => Interlocked.Read(ref sent);

    /// <summary>Starts a proxy in front of a server on 127.0.0.1.</summary>
    /// <param name="port">The server's.</param>
    /// <param name="every">
    /// Each time clients have sent so many bytes over all connections, the one in hand is cut: the client sees a reset, the server what had come before and
    /// then the end.
    /// </param>
    public static CuttingProxy Start(int port, long every = long.MaxValue) => new(new(IPAddress.Loopback, port), every);

    /// <summary>Allowances that a seed gives: a connection is let alone with <paramref name="safe"/>, else cut after up to <paramref name="most"/> bytes.</summary>
    public static Func<int, long?> Seeded(int seed, double safe, int most)
        => connection =>
        {
            // By the connection's number, not by the order in which numbers are drawn: connections come at the same time.
            var random = new Random(HashCode(seed, connection));
            return random.NextDouble() < safe ? null : random.NextInt64(most);
        };

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Stop();
        await accepting;
        await Task.WhenAll(connections.Values);
        stop.Dispose();
        listener.Dispose();
    }

    // System.HashCode differs from process to process; a seed must not.
    private static int HashCode(int seed, int connection) => unchecked((seed * 397) ^ (connection * 7919));

    private async Task AcceptAsync()
    {
        while (!stop.IsCancellationRequested)
        {
            Socket client;
            try
            {
                client = await listener.AcceptSocketAsync(stop.Token);
            }
            catch (Exception exception) when (exception is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                return;
            }

            var number = Interlocked.Increment(ref accepted);
            connections[number] = Task.Run(async () =>
            {
                await ConnectAsync(client, Allowance(number));
                connections.TryRemove(number, out _);
            });
        }
    }

    private async Task ConnectAsync(Socket client, long? allowance)
    {
        using var near = client;
        using var far = new Socket(SocketType.Stream, ProtocolType.Tcp);
        using var end = CancellationTokenSource.CreateLinkedTokenSource(stop.Token);
        var left = new Left { Bytes = allowance ?? long.MaxValue };
        var isServerReset = true;
        try
        {
            await far.ConnectAsync(upstream, end.Token);
            var directions = new[] { PumpAsync(near, far, left, isUp: true, end.Token), PumpAsync(far, near, left, isUp: false, end.Token) };
            await await Task.WhenAny(directions);
            await Task.WhenAll(directions);
        }
        catch (CutException exception)
        {
            Interlocked.Increment(ref cuts);
            isServerReset = exception.IsServerReset;
        }
        catch (Exception exception) when (exception is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            // One end went away; the other is told the same way.
        }

        // A reset, as a line that breaks gives, and no orderly end. It must not depend on what is still on its way.
        near.LingerState = new(enable: true, seconds: 0);
        if (isServerReset)
        {
            far.LingerState = new(enable: true, seconds: 0);
        }

        await end.CancelAsync();
    }

    private async Task PumpAsync(Socket from, Socket to, Left left, bool isUp, CancellationToken cancellationToken)
    {
        var buffer = new byte[64 * 1024];
        int read;
        while ((read = await from.ReceiveAsync(buffer, cancellationToken)) > 0)
        {
            var remaining = Interlocked.Add(ref left.Bytes, -read);
            var send = remaining >= 0 ? read : (int)Math.Max(0, remaining + read);
            var isCut = false;
            if (isUp)
            {
                (send, isCut) = Pass(read, send);
            }

            for (var done = 0; done < send;)
            {
                done += await to.SendAsync(buffer.AsMemory(done, send - done), cancellationToken);
            }

            Interlocked.Add(ref passed, send);
            if (isCut || remaining < 0)
            {
                throw new CutException(isServerReset: !isCut);
            }
        }

        to.Shutdown(SocketShutdown.Send);
    }

    private (int Send, bool IsCut) Pass(int read, int send)
    {
        lock (gate)
        {
            sent += read;
            if (send < untilCut)
            {
                untilCut -= send;
                return (send, false);
            }

            var last = (int)untilCut;
            untilCut = every;
            return (last, true);
        }
    }

    private sealed class Left
    {
        public long Bytes;
    }

#pragma warning disable CA1032, CA1064 // Thrown and caught in this class alone.
    private sealed class CutException(bool isServerReset) : Exception
    {
        public bool IsServerReset { get; } = isServerReset;
    }
#pragma warning restore CA1032, CA1064
}
