using System.Buffers.Binary;
using System.IO.Compression;
using System.Runtime.ExceptionServices;

namespace Registry.Sdk.Core.Imaging;

/// <summary>
/// gzip on several cores at once, whose bytes depend on nothing but what is written: one member (some readers stop after the first) of
/// blocks of one size, each compressed on its own and ended by a sync flush, so on a byte border. Source: RFC 1952, RFC 1951.
/// </summary>
/// <remarks>Writers take turns; what is not completed has no end and is no gzip, so that it can't be taken for one.</remarks>
internal sealed class ParallelGzip : WriteOnlyStream
{
    /// <summary>Bytes of input a block has; part of what decides the output. Blocks that know nothing of each other cost 0.1 % at this size.</summary>
    public const int BlockSize = 1 << 20;

    /// <summary>LEVEL</summary>
    public const int Level = 4;

    // Above this what runs one after the other (tar, two or three hashes) is the limit, and blocks only cost memory.
    private const int MostWorkers = 16;

    private static readonly byte[] Header = [0x1f, 0x8b, 8, 0, 0, 0, 0, 0, 0, 0xff]; // no time, no level, OS «unknown»: GZipStream would write that of this machine

    private readonly Stream _target;
    private readonly int _workers;
    private readonly Action<ReadOnlyMemory<byte>, MemoryStream> _compress;
    private readonly Queue<Block> _compressing = new();
    private readonly Stack<Block> _idle = new();
    private Block _filling = new();
    private bool _begun;
    private uint _crc;
    private long _total;
    private ExceptionDispatchInfo? _failure;

    /// <summary>Compresses to a stream that stays the caller's.</summary>
    /// <param name="target">Written in order, from whichever thread writes here.</param>
    /// <param name="workers">How many blocks may be compressed at once; 0: as many as there are cores.</param>
    /// <param name="compress">What makes a block into raw deflate that ends on a byte border; for tests and measurements.</param>
    public ParallelGzip(Stream target, int workers = 0, Action<ReadOnlyMemory<byte>, MemoryStream>? compress = null)
    {
        _target = target;
        _workers = workers > 0 ? workers : Math.Min(Environment.ProcessorCount, MostWorkers);
        _compress = compress ?? ((block, output) => Deflate(block, output, Level));
    }

    /// <inheritdoc/>
    public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        // After a failure TarWriter still writes its end when it is disposed of: that must not hide what was wrong.
        _failure?.Throw();
        try
        {
            while (!buffer.IsEmpty)
            {
                buffer = buffer[_filling.Fill(buffer.Span)..];
                if (_filling.IsFull)
                {
                    await CompressBlockAsync(cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (Exception e)
        {
            _failure = ExceptionDispatchInfo.Capture(e);
            throw;
        }
    }

    /// <summary>Writes what is left and the end. Nothing may be written afterwards.</summary>
    public async Task CompleteAsync(CancellationToken cancellationToken)
    {
        _failure?.Throw();
        try
        {
            if (!_filling.IsEmpty)
            {
                await CompressBlockAsync(cancellationToken).ConfigureAwait(false);
            }

            while (_compressing.Count > 0)
            {
                await WriteOldestAsync(cancellationToken).ConfigureAwait(false);
            }

            await BeginAsync(cancellationToken).ConfigureAwait(false);
            var end = new byte[10];
            end[0] = 3; // the last block: final, fixed Huffman codes, nothing but its end
            BinaryPrimitives.WriteUInt32LittleEndian(end.AsSpan(2), _crc);
            BinaryPrimitives.WriteUInt32LittleEndian(end.AsSpan(6), unchecked((uint)_total));
            await _target.WriteAsync(end, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e)
        {
            _failure = ExceptionDispatchInfo.Capture(e);
            throw;
        }

        _failure = ExceptionDispatchInfo.Capture(new ObjectDisposedException(nameof(ParallelGzip), "It is complete."));
    }

    /// <inheritdoc/>
    public override async ValueTask DisposeAsync()
    {
        // Nothing works on behind the caller's back; what still failed is of no interest any more.
        while (_compressing.TryDequeue(out var block))
        {
            await block.Compressed.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }

        await base.DisposeAsync().ConfigureAwait(false);
    }

    /// <summary>Raw deflate of a block, given to the runtime in one piece, without the end of a stream.</summary>
    internal static void Deflate(ReadOnlyMemory<byte> block, MemoryStream output, int level)
    {
        long length;
        using (var deflate = new DeflateStream(output, new ZLibCompressionOptions { CompressionLevel = level }, leaveOpen: true))
        {
            deflate.Write(block.Span);
            deflate.Flush();
            length = output.Length;
        }

        output.SetLength(length); // Dispose ended the stream; more blocks follow
    }

    private async Task CompressBlockAsync(CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        if (_compressing.Count > _workers)
        {
            await WriteOldestAsync(cancellationToken).ConfigureAwait(false);
        }

        var block = _filling;
        _crc = Crc32.Append(_crc, block.Content.Span);
        _total += block.Content.Length;
        block.Compressed = Task.Run(() => _compress(block.Content, block.Output), CancellationToken.None);
        _compressing.Enqueue(block);
        _filling = _idle.TryPop(out var idle) ? idle : new();
    }

    private async Task WriteOldestAsync(CancellationToken cancellationToken)
    {
        await BeginAsync(cancellationToken).ConfigureAwait(false);
        var block = _compressing.Peek();
        await block.Compressed.WaitAsync(cancellationToken).ConfigureAwait(false);
        await _target.WriteAsync(block.Output.GetBuffer().AsMemory(0, (int)block.Output.Length), cancellationToken).ConfigureAwait(false);
        _compressing.Dequeue();
        block.Clear();
        _idle.Push(block);
    }

    private async Task BeginAsync(CancellationToken cancellationToken)
    {
        if (!_begun)
        {
            _begun = true;
            await _target.WriteAsync(Header, cancellationToken).ConfigureAwait(false);
        }
    }

    private sealed class Block
    {
        private readonly byte[] _content = new byte[BlockSize];
        private int _length;

        public bool IsEmpty => _length == 0;

        public bool IsFull => _length == BlockSize;

        public ReadOnlyMemory<byte> Content => _content.AsMemory(0, _length);

        public MemoryStream Output { get; } = new();

        public Task Compressed { get; set; } = Task.CompletedTask;

        /// <summary>Takes as much as fits and says how much that was.</summary>
        public int Fill(ReadOnlySpan<byte> bytes)
        {
            var take = Math.Min(bytes.Length, BlockSize - _length);
            bytes[..take].CopyTo(_content.AsSpan(_length));
            _length += take;
            return take;
        }

        public void Clear()
        {
            _length = 0;
            Output.SetLength(0);
        }
    }
}
