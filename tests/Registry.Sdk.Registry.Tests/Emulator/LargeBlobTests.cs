using System.Net;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Emulator;

/// <summary>What the emulator takes of memory for a blob.</summary>
[Collection(AloneTests.Name)]
public sealed class LargeBlobTests : EmulatorTest
{
    [Fact]
    public async Task A_large_blob_streams_to_disk()
    {
        // More than the limits of the usual server, and more than would go unnoticed in memory.
        const long Size = 300_000_000;
        var before = GC.GetTotalAllocatedBytes();
        using var hash = System.Security.Cryptography.IncrementalHash.CreateHash(System.Security.Cryptography.HashAlgorithmName.SHA256);
        var block = new byte[1_000_000];
        for (var sent = 0L; sent < Size; sent += block.Length)
        {
            hash.AppendData(block);
        }

        var digest = "sha256:" + Convert.ToHexStringLower(hash.GetHashAndReset());
        using var request = new HttpRequestMessage(HttpMethod.Post, $"/v2/a/blobs/uploads/?digest={digest}") { Content = new Blocks(block, Size) };
        var answer = await Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        await using var body = await Client.GetStreamAsync(new Uri(Location(answer), UriKind.Relative));
        var read = 0L;
        for (int count; (count = await body.ReadAsync(block)) > 0;)
        {
            read += count;
        }

        Assert.Equal(Size, read);
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, Size / 3);
    }

    private sealed class Blocks(byte[] block, long size) : HttpContent
    {
        protected override async Task SerializeToStreamAsync(Stream stream, TransportContext? context)
        {
            for (var sent = 0L; sent < size; sent += block.Length)
            {
                await stream.WriteAsync(block);
            }
        }

        protected override bool TryComputeLength(out long length)
        {
            length = size;
            return true;
        }
    }
}
