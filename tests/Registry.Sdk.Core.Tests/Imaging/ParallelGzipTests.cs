using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using FsCheck;
using FsCheck.Fluent;
using Registry.Sdk.Core.Imaging;
using Xunit;

namespace Registry.Sdk.Core.Tests.Imaging;

public sealed class ParallelGzipTests
{
    private static readonly TimeSpan Long = TimeSpan.FromSeconds(30);

    /// <summary>Three and a half blocks of words and numbers: what deflate makes of noise or of zeros does not depend on how it is fed.</summary>
    private static readonly byte[] Input = Words(ParallelGzip.BlockSize * 7 / 2, 1);

    private static readonly byte[] Expected = Compress(Input, 1, [Input.Length]);

    [Fact]
    public void Bytes_depend_neither_on_workers_nor_on_how_writes_arrive()
        => Prop.ForAll(Gen.Choose(0, 3 * ParallelGzip.BlockSize).NonEmptyListOf().ToArbitrary(), Gen.Elements(1, 2, 7).ToArbitrary(),
            (writes, workers) => Compress(Input, workers, [.. writes]).AsSpan().SequenceEqual(Expected)).Check(Config.QuickThrowOnFailure.WithMaxTest(30));

    [Fact]
    public void Single_bytes_are_writes_too()
    {
        var input = Input[..(ParallelGzip.BlockSize + 1)];
        Assert.Equal(Compress(input, 1, [input.Length]), Compress(input, 2, [1]));
    }

    [Fact]
    public void Bytes_are_the_same_twenty_times_under_load()
    {
        using var stop = new CancellationTokenSource();
        var spinning = Enumerable.Range(0, Environment.ProcessorCount * 2).Select(_ => new Thread(() =>
        {
            while (!stop.IsCancellationRequested)
            {
                Thread.SpinWait(1000);
            }
        }) { IsBackground = true }).ToList();
        spinning.ForEach(t => t.Start());
        try
        {
            for (var i = 0; i < 20; i++)
            {
                Assert.True(Compress(Input, i % 2 == 0 ? 2 : 7, [81920]).AsSpan().SequenceEqual(Expected), $"repeat {i}");
            }
        }
        finally
        {
            stop.Cancel();
            spinning.ForEach(t => t.Join());
        }
    }

    /// <summary>Around block borders, where a mistake would be.</summary>
    [Theory]
    [InlineData(0)]
    [InlineData(1)]
    [InlineData(ParallelGzip.BlockSize - 1)]
    [InlineData(ParallelGzip.BlockSize)]
    [InlineData(ParallelGzip.BlockSize + 1)]
    [InlineData(ParallelGzip.BlockSize * 3)]
    public void Reads_back(int length)
    {
        var noise = new byte[length];
        new Random(length).NextBytes(noise);
        foreach (var input in new[] { Words(length, 2), noise, new byte[length] })
        {
            var bytes = Compress(input, 2, [10_000]);
            Assert.Equal(input, Decompress(bytes));
            // Nothing of this machine: no time, no level, no operating system.
            Assert.Equal("1f8b08000000000000ff", Convert.ToHexStringLower(bytes, 0, 10));
            Assert.Equal((uint)length, BinaryPrimitives.ReadUInt32LittleEndian(bytes.AsSpan(^4..)));
        }
    }

    [Fact]
    public void Of_nothing() => Assert.Equal("1f8b08000000000000ff03000000000000000000", Convert.ToHexStringLower(Compress([], 2, [1])));

    /// <summary>One member: readers that stop after the first see everything. What is between header and trailer is one raw deflate stream.</summary>
    [Fact]
    public void Is_one_member()
    {
        using var source = new MemoryStream(Expected, 10, Expected.Length - 18);
        using var deflate = new DeflateStream(source, CompressionMode.Decompress);
        using var copy = new MemoryStream();
        deflate.CopyTo(copy);
        Assert.Equal(Input, copy.ToArray());
        Assert.Equal(Crc32.Append(0, Input), BinaryPrimitives.ReadUInt32LittleEndian(Expected.AsSpan(^8..^4)));
    }

    [Fact]
    public void Blocks_are_whole_but_for_the_last_and_reach_the_target_in_order()
        => Prop.ForAll(Gen.Choose(1, 2 * ParallelGzip.BlockSize).NonEmptyListOf().ToArbitrary(), writes =>
        {
            var sizes = new List<int>();
            using var target = new MemoryStream();
            // Each block becomes its first byte; the later, the sooner done.
            var bytes = Compress(Input, 3, [.. writes], (block, output) =>
            {
                lock (sizes)
                {
                    sizes.Add(block.Length);
                }

                output.WriteByte(block.Span[0]);
            });
            return sizes.Order().SequenceEqual([ParallelGzip.BlockSize / 2, ParallelGzip.BlockSize, ParallelGzip.BlockSize, ParallelGzip.BlockSize])
                && bytes.AsSpan(10, 4).SequenceEqual([Input[0], Input[ParallelGzip.BlockSize], Input[2 * ParallelGzip.BlockSize], Input[3 * ParallelGzip.BlockSize]]);
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(10));

    [Fact]
    public async Task Works_on_several_blocks_at_once_and_never_on_more_than_it_may()
    {
        const int workers = 2;
        int running = 0, most = 0;
        // The first waits for a second to come, so this ends only if two are worked on at once.
        using var two = new CountdownEvent(2);
        await using var gzip = new ParallelGzip(new MemoryStream(), workers, (_, _) =>
        {
            InterlockedMax(ref most, Interlocked.Increment(ref running));
            if (!two.IsSet)
            {
                two.Signal();
            }

            Assert.True(two.Wait(Long));
            Thread.Sleep(5);
            Interlocked.Decrement(ref running);
        });
        for (var i = 0; i < 20; i++)
        {
            await gzip.WriteAsync(new byte[ParallelGzip.BlockSize]);
        }

        await gzip.CompleteAsync(default).WaitAsync(Long);
        Assert.InRange(most, 2, workers + 1);

        static void InterlockedMax(ref int target, int value)
        {
            for (var seen = target; value > seen; seen = target)
            {
                Interlocked.CompareExchange(ref target, value, seen);
            }
        }
    }

    [Theory]
    [InlineData(0)]
    [InlineData(3)]
    [InlineData(9)]
    public async Task What_a_worker_throws_is_thrown_and_goes_on_being_thrown(int at)
    {
        var count = -1;
        var running = 0;
        var gzip = new ParallelGzip(new MemoryStream(), 2, (_, _) =>
        {
            Interlocked.Increment(ref running);
            try
            {
                if (Interlocked.Increment(ref count) >= at)
                {
                    throw new InvalidTimeZoneException("the worker's");
                }

                Thread.Sleep(20);
            }
            finally
            {
                Interlocked.Decrement(ref running);
            }
        });
        await using (gzip)
        {
            await Assert.ThrowsAsync<InvalidTimeZoneException>(async () =>
            {
                for (var i = 0; i < 10; i++)
                {
                    await gzip.WriteAsync(new byte[ParallelGzip.BlockSize]);
                }

                await gzip.CompleteAsync(default);
            }).WaitAsync(Long);
            // TarWriter writes its end when it is disposed of, whatever happened.
            await Assert.ThrowsAsync<InvalidTimeZoneException>(async () => await gzip.WriteAsync(new byte[1]));
            await Assert.ThrowsAsync<InvalidTimeZoneException>(() => gzip.CompleteAsync(default));
        }

        Assert.Equal(0, running);
    }

    /// <summary>A full disk, at every write the target gets.</summary>
    [Fact]
    public async Task What_the_target_throws_is_thrown_and_nothing_works_on()
    {
        for (var good = 0; good < 6; good++)
        {
            var running = 0;
            var target = new FullDisk(good);
            var gzip = new ParallelGzip(target, 2, (block, output) =>
            {
                Interlocked.Increment(ref running);
                Thread.Sleep(30);
                output.Write(block.Span[..10]);
                Interlocked.Decrement(ref running);
            });
            await using (gzip)
            {
                await Assert.ThrowsAsync<IOException>(async () =>
                {
                    for (var offset = 0; offset < Input.Length; offset += 50_000)
                    {
                        await gzip.WriteAsync(Input.AsMemory(offset, Math.Min(50_000, Input.Length - offset)));
                    }

                    await gzip.CompleteAsync(default);
                }).WaitAsync(Long);
            }

            Assert.Equal((good + 1, 0), (target.Writes, running));
        }
    }

    [Fact]
    public async Task Stops_when_told_though_a_worker_does_not_end()
    {
        using var stop = new CancellationTokenSource();
        using var never = new ManualResetEventSlim();
        var gzip = new ParallelGzip(new MemoryStream(), 1, (_, _) => never.Wait());
        await gzip.WriteAsync(new byte[2 * ParallelGzip.BlockSize]);
        var write = gzip.WriteAsync(new byte[2 * ParallelGzip.BlockSize], stop.Token).AsTask();
        Assert.False(write.IsCompleted);
        await stop.CancelAsync();
        await Assert.ThrowsAnyAsync<OperationCanceledException>(() => write).WaitAsync(Long);
        // But what it started is over when it is disposed of.
        var disposal = gzip.DisposeAsync().AsTask();
        Assert.False(disposal.IsCompleted);
        never.Set();
        await disposal.WaitAsync(Long);
    }

    [Fact]
    public async Task Cancelled_before_it_began()
    {
        await using var gzip = new ParallelGzip(new MemoryStream());
        await Assert.ThrowsAnyAsync<OperationCanceledException>(async () => await gzip.WriteAsync(Input, new(canceled: true)));
    }

    /// <summary>Half a layer must not look like a whole one.</summary>
    [Fact]
    public async Task What_is_not_completed_has_no_end()
    {
        using var target = new MemoryStream();
        await using (var gzip = new ParallelGzip(target, 2))
        {
            await gzip.WriteAsync(new byte[ParallelGzip.BlockSize * 9]);
        }

        Assert.EndsWith("0000ffff", Convert.ToHexStringLower(target.ToArray())); // a block's end, and not the stream's
    }

    [Fact]
    public async Task What_is_completed_takes_no_more()
    {
        await using var gzip = new ParallelGzip(new MemoryStream());
        await gzip.CompleteAsync(default);
        await Assert.ThrowsAsync<ObjectDisposedException>(async () => await gzip.WriteAsync(new byte[1]));
        await Assert.ThrowsAsync<ObjectDisposedException>(() => gzip.CompleteAsync(default));
    }

    [Fact]
    public void The_checksum_is_the_standard_s_however_it_is_cut()
    {
        Assert.Equal(0xCBF43926u, Crc32.Append(0, "123456789"u8)); // the check value of every CRC-32 catalogue
        Prop.ForAll<byte[], byte[]>((one, other) =>
        {
            var whole = 0xFFFFFFFFu;
            foreach (var b in one.Concat(other))
            {
                whole ^= b;
                for (var bit = 0; bit < 8; bit++)
                {
                    whole = (whole & 1) == 0 ? whole >> 1 : (whole >> 1) ^ 0xEDB88320;
                }
            }

            return Crc32.Append(Crc32.Append(0, one), other) == ~whole;
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(300));
    }

    private static byte[] Compress(byte[] input, int workers, IReadOnlyList<int> writes, Action<ReadOnlyMemory<byte>, MemoryStream>? compress = null)
    {
        using var target = new MemoryStream();
        var gzip = new ParallelGzip(target, workers, compress);
        var run = Task.Run(async () =>
        {
            await using (gzip)
            {
                var done = 0;
                for (var i = 0; done < input.Length; i++)
                {
                    // All sizes may be zero; then it ends by itself after a while.
                    var take = i < 10_000_000 ? Math.Min(writes[i % writes.Count] + (i >= writes.Count && writes.Sum() == 0 ? 1000 : 0), input.Length - done) : input.Length - done;
                    await gzip.WriteAsync(input.AsMemory(done, take));
                    await gzip.FlushAsync();
                    done += take;
                }

                await gzip.CompleteAsync(default);
            }
        });
        Assert.True(run.Wait(TimeSpan.FromMinutes(2)));
        return target.ToArray();
    }

    private static byte[] Decompress(byte[] bytes)
    {
        using var gzip = new GZipStream(new MemoryStream(bytes), CompressionMode.Decompress);
        using var copy = new MemoryStream();
        gzip.CopyTo(copy);
        return copy.ToArray();
    }

    private static byte[] Words(int length, int seed)
    {
        var random = new Random(seed);
        var text = new StringBuilder(length + 50);
        while (text.Length < length)
        {
            text.Append(random.Next(200)).Append(" word").Append(random.Next(7)).Append(' ');
        }

        return Encoding.ASCII.GetBytes(text.ToString(0, length));
    }

    private sealed class FullDisk(int goodWrites) : MemoryStream
    {
        public int Writes { get; private set; }

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
            => ++Writes > goodWrites ? ValueTask.FromException(new IOException("No space left on device")) : base.WriteAsync(buffer, cancellationToken);
    }
}
