namespace Registry.Sdk.Core.Primitives;

/// <summary>Reads another stream, which it owns, and looks at what is read.</summary>
internal abstract class ReadThroughStream(Stream inner) : Stream
{
    public sealed override bool CanRead => true;

    public override bool CanSeek => false;

    public sealed override bool CanWrite => false;

    public override long Length => inner.Length;

    public sealed override long Position { get => Total; set => throw new NotSupportedException(); }

    /// <summary>Bytes read so far.</summary>
    protected long Total { get; private set; }

    public sealed override int Read(byte[] buffer, int offset, int count) => Count(buffer.AsMemory(offset, count), inner.Read(buffer, offset, Most(count)));

    public sealed override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        => Count(buffer, await inner.ReadAsync(buffer[..Most(buffer.Length)], cancellationToken).ConfigureAwait(false));

    public sealed override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken)
        => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    public sealed override void Flush()
    {
    }

    public sealed override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    public sealed override void SetLength(long value) => throw new NotSupportedException();

    public sealed override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

    /// <summary>How many of the bytes that are wanted may be read at once; at least one.</summary>
    protected virtual int Most(int wanted) => wanted;

    /// <summary>Hears what was just read, <see cref="Total"/> included; empty at the end.</summary>
    protected abstract void Saw(ReadOnlySpan<byte> bytes);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            inner.Dispose();
        }

        base.Dispose(disposing);
    }

    private int Count(Memory<byte> buffer, int bytes)
    {
        Total += bytes;
        Saw(buffer.Span[..bytes]);
        return bytes;
    }
}
