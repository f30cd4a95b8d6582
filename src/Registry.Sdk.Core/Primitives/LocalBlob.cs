namespace Registry.Sdk.Core.Primitives;

/// <summary>A blob's content on this machine, whose faults are not the registry's.</summary>
/// <param name="blob">What it should be.</param>
/// <param name="open">Opens it from its beginning.</param>
internal sealed class LocalBlob(Descriptor blob, Func<Stream> open)
{
    /// <summary>What was wrong with it; null: nothing.</summary>
    public LocalBlobException? Failure { get; private set; }

    /// <summary>Bytes that were read for sending, those too that were sent in vain.</summary>
    public long Taken { get; private set; }

    /// <summary>Opens a part of it.</summary>
    /// <param name="start">Where it begins.</param>
    /// <param name="length">How long it is.</param>
    /// <param name="read">Hears how far the blob was read, from its beginning.</param>
    /// <exception cref="LocalBlobException">It can't be read, or ends before the part does.</exception>
    public Stream Open(long start, long length, Action<long> read)
    {
        Stream? content = null;
        try
        {
            content = open();
            if (start > 0)
            {
                Skip(content, start);
            }

            return new Part(this, content, start, length, read);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            content?.Dispose();
            throw Failure ?? Unreadable(e);
        }
    }

    private void Skip(Stream content, long bytes)
    {
        if (content.CanSeek)
        {
            content.Seek(bytes, SeekOrigin.Begin);
            return;
        }

        var buffer = new byte[128 * 1024];
        for (long skipped = 0; skipped < bytes;)
        {
            var read = content.Read(buffer, 0, (int)Math.Min(buffer.Length, bytes - skipped));
            skipped += read > 0 ? read : throw Changed($"{skipped}");
        }
    }

    private LocalBlobException Unreadable(Exception e) => Failure ??= new($"the blob {blob.Digest} can't be read: {e.Message}", e);

    private LocalBlobException Changed(string bytes) => Failure ??= new($"the blob {blob.Digest} has {bytes} bytes instead of {blob.Size}; something changed it while it was sent");

    /// <summary>From one place to another; watches that the blob is as long as it should be.</summary>
    private sealed class Part(LocalBlob owner, Stream inner, long start, long length, Action<long> read) : Stream
    {
        private readonly byte[] _beyond = new byte[1];
        private readonly long _size = owner.Size;
        private long _done;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => length;

        public override long Position { get => _done; set => throw new NotSupportedException(); }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Bodies are read asynchronously.");

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_done == length || buffer.IsEmpty)
            {
                return 0;
            }

            try
            {
                var bytes = await inner.ReadAsync(buffer[..(int)Math.Min(buffer.Length, length - _done)], cancellationToken).ConfigureAwait(false);
                if (bytes == 0)
                {
                    throw owner.Changed($"{start + _done}");
                }

                // Before the last bytes leave: one that is longer than it should be is another.
                if (start + _done + bytes == _size && await inner.ReadAsync(_beyond, cancellationToken).ConfigureAwait(false) > 0)
                {
                    throw owner.Changed($"more than {_size}");
                }

                _done += bytes;
                owner.Taken += bytes;
                read(start + _done);
                return bytes;
            }
            catch (IOException e) when (e is not LocalBlobException)
            {
                // HttpClient would make it look like the connection's.
                throw owner.Unreadable(e);
            }
        }

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            if (disposing)
            {
                inner.Dispose();
            }

            base.Dispose(disposing);
        }
    }

    private long Size => blob.Size;
}
