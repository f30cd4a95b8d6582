using System.Net;
using System.Net.Sockets;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>A TCP line to a server on loopback that is cut each time so many bytes have gone up over all its connections.</summary>
internal sealed class CuttingLink : IAsyncDisposable
{
    private readonly TcpListener _listener = new(IPAddress.Loopback, 0);
    private readonly CancellationTokenSource _end = new();
    private readonly int _upstream;
    private readonly long _every;
    private readonly Lock _lock = new();
    private readonly Task _accepting;
    private long _left;
    private long _sent;
    private int _cuts;

    private CuttingLink(int upstream, long every)
    {
        (_upstream, _every, _left) = (upstream, every, every);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    /// <summary><c>127.0.0.1:PORT</c>.</summary>
    public string Address => $"127.0.0.1:{((IPEndPoint)_listener.LocalEndpoint).Port}";

    /// <summary>Bytes that clients sent so far, headers included.</summary>
    public long Sent => Interlocked.Read(ref _sent);

    /// <summary>How often it was cut.</summary>
    public int Cuts => Volatile.Read(ref _cuts);

    public static CuttingLink Start(int upstream, long every) => new(upstream, every);

    public async ValueTask DisposeAsync()
    {
        await _end.CancelAsync();
        _listener.Stop();
        await _accepting;
        _end.Dispose();
    }

    private async Task AcceptAsync()
    {
        var lines = new List<Task>();
        try
        {
            while (true)
            {
                lines.Add(CarryAsync(await _listener.AcceptSocketAsync(_end.Token)));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
        {
            await Task.WhenAll(lines);
        }
    }

    private async Task CarryAsync(Socket client)
    {
        using var server = new Socket(SocketType.Stream, ProtocolType.Tcp);
        using (client)
        {
            try
            {
                await server.ConnectAsync(IPAddress.Loopback, _upstream, _end.Token);
                client.NoDelay = server.NoDelay = true;
                await await Task.WhenAny(PumpAsync(client, server, isUp: true), PumpAsync(server, client, isUp: false));
            }
            catch (Exception e) when (e is OperationCanceledException or SocketException or ObjectDisposedException)
            {
                // Cut, or ended by either side.
            }

            // The client sees a reset; the server what had come before, and then the end.
            client.LingerState = new(true, 0);
        }
    }

    private async Task PumpAsync(Socket from, Socket to, bool isUp)
    {
        var buffer = new byte[64 * 1024];
        int read;
        while ((read = await from.ReceiveAsync(buffer, _end.Token)) > 0)
        {
            var (passed, isCut) = isUp ? Pass(read) : (read, false);
            for (var done = 0; done < passed;)
            {
                done += await to.SendAsync(buffer.AsMemory(done, passed - done), _end.Token);
            }

            if (isCut)
            {
                return;
            }
        }
    }

    private (int Passed, bool IsCut) Pass(int bytes)
    {
        lock (_lock)
        {
            _sent += bytes;
            if (bytes < _left)
            {
                _left -= bytes;
                return (bytes, false);
            }

            var passed = (int)_left;
            _left = _every;
            _cuts++;
            return (passed, true);
        }
    }
}

/// <summary>Bytes that depend on their place alone: as many as wanted, in no memory and on no disk.</summary>
internal sealed class PatternStream(long length) : Stream
{
    private long _position;

    public override bool CanRead => true;

    public override bool CanSeek => true;

    public override bool CanWrite => false;

    public override long Length => length;

    public override long Position { get => _position; set => _position = value; }

    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    public override int Read(Span<byte> buffer)
    {
        var count = (int)Math.Min(buffer.Length, length - _position);
        for (var i = 0; i < count; i++)
        {
            var at = (ulong)_position++;
            buffer[i] = (byte)(((at * 0x9E3779B97F4A7C15UL) >> 56) ^ (at >> 12));
        }

        return count;
    }

    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => ValueTask.FromResult(Read(buffer.Span));

    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => Task.FromResult(Read(buffer.AsSpan(offset, count)));

    public override long Seek(long offset, SeekOrigin origin) => _position = origin switch
    {
        SeekOrigin.Begin => offset,
        SeekOrigin.Current => _position + offset,
        _ => length + offset,
    };

    public override void Flush()
    {
    }

    public override void SetLength(long value) => throw new NotSupportedException();

    public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
}
