using System.IO.Compression;
using System.Text;
using System.Text.Json;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Registry.Tests.Transfer;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Hostile;

/// <summary>A registry that would keep us for ever, or make us take all memory: each ends in its own error, soon, with the credentials only where they belong.</summary>
[Collection(AloneTests.Name)]
public sealed class WithoutEndTests
{
    private const string Head = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n";

    // Packed beforehand: that takes longer than the client's patience.
    private static readonly byte[] Bomb = Pack(64 << 20);

    /// <summary>What answers, what is asked of it, and what is said.</summary>
    [Theory]
    [InlineData("headers without end", "tags", RegistryFailure.Unreachable, "")]
    [InlineData("one header without end", "tags", RegistryFailure.Unreachable, "")]
    [InlineData("a status line without end", "tags", RegistryFailure.Unreachable, "")]
    [InlineData("100 Continue without end", "tags", RegistryFailure.Unreachable, "")]
    [InlineData("103 Early Hints without end", "tags", RegistryFailure.Unreachable, "")]
    [InlineData("headers by the drop", "tags", RegistryFailure.Unreachable, "no answer in time")]
    [InlineData("headers by the drop", "upload", RegistryFailure.Unreachable, "no answer in time")]
    [InlineData("a body by the drop", "tags", RegistryFailure.Unreachable, "no answer in time")]
    [InlineData("a body by the drop", "manifest", RegistryFailure.Unreachable, "no answer in time")]
    [InlineData("silence", "tags", RegistryFailure.Unreachable, "no answer in time")]
    [InlineData("silence after the head", "tags", RegistryFailure.Unreachable, "no answer in time")]
    [InlineData("silence after the head", "blob", RegistryFailure.Unreachable, "no answer in time")]
    [InlineData("a body without end", "tags", RegistryFailure.WrongContent, "more than the 8388608 bytes")]
    [InlineData("a body without end", "manifest", RegistryFailure.WrongContent, "more than the 8388608 bytes")]
    [InlineData("a body without end", "blob", RegistryFailure.WrongContent, "larger than 1000 bytes")]
    [InlineData("a body without end", "config", RegistryFailure.WrongContent, "more than the 1000 bytes")]
    [InlineData("chunks without end", "tags", RegistryFailure.WrongContent, "more than the 8388608 bytes")]
    [InlineData("chunks without end", "manifest", RegistryFailure.WrongContent, "more than the 8388608 bytes")]
    [InlineData("chunks without end", "blob", RegistryFailure.WrongContent, "larger than 1000 bytes")]
    [InlineData("chunk extension without end", "tags", RegistryFailure.Unreachable, "")]
    [InlineData("trailers without end", "tags", RegistryFailure.Unreachable, "")]
    [InlineData("an error without end", "tags", RegistryFailure.Rejected, "is answered with 500")]
    [InlineData("no HTTP", "tags", RegistryFailure.Unreachable, "")]
    [InlineData("hanging up", "tags", RegistryFailure.Unreachable, "")]
    [InlineData("deep JSON", "tags", RegistryFailure.NotARegistry, "something else than JSON")]
    [InlineData("deep JSON", "manifest", RegistryFailure.NotARegistry, "which is no image manifest")]
    [InlineData("a deep error", "tags", RegistryFailure.Rejected, "is answered with 500")]
    [InlineData("a packed bomb", "tags", RegistryFailure.NotARegistry, "something else than JSON")]
    [InlineData("a packed bomb", "manifest", RegistryFailure.NotARegistry, "which is no image manifest")]
    [InlineData("a packed bomb", "blob", RegistryFailure.WrongContent, "")]
    public async Task A_registry_without_end_is_left_in_time(string what, string asked, RegistryFailure failure, string says)
    {
        await using var stranger = RawServer.Start(static (_, _, _) => Task.CompletedTask);
        await using var server = RawServer.Start((stream, head, cancellationToken) =>
            head.Contains("uthorization:", StringComparison.Ordinal)
                ? AnswerAsync(what, stream, cancellationToken)
                : WriteAsync(stream, "HTTP/1.1 401 Unauthorized\r\nWWW-Authenticate: Basic realm=\"r\"\r\nContent-Length: 0\r\nConnection: close\r\n\r\n", cancellationToken));
        using var wire = new Wire(server.Address, seconds: 1) { Credentials = _ => Wire.Login(FakeInternet.User, FakeInternet.Password) };
        var before = GC.GetTotalAllocatedBytes();

        // Silence is over after a second, and none of these ever ends; a minute is for a busy machine.
        var told = await Assert.ThrowsAsync<RegistryException>(() => ActAsync(wire.Open(), asked)).WaitAsync(TimeSpan.FromMinutes(1));

        Assert.True(failure == told.Failure, $"{told.Failure}: {told.Message}");
        Assert.Contains(says, told.Message);
        Assert.DoesNotContain("sentinel", told.Message);
        // This finds what grows with what is sent, not what is a little too much.
        Assert.InRange(GC.GetTotalAllocatedBytes() - before, 0, 1L << 30);
        Assert.Contains(server.Heads, h => h.Contains("Authorization: Basic", StringComparison.Ordinal));
        Assert.Empty(stranger.Heads);
    }

    [Theory]
    [InlineData("../../../v2/other/manifests/1")]
    [InlineData("a b")]
    [InlineData("v1?x=y")]
    [InlineData("")]
    [InlineData(".hidden")]
    [InlineData("-v1")]
    [InlineData("v1:v2")]
    [InlineData("v\u0435rsion")]
    [InlineData("v2\n::error::owned")]
    [InlineData("v2\u001b[31m")]
    [InlineData("sha256:aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    public async Task A_tag_that_no_tag_can_be_is_passed_over(string tag)
    {
        using var internet = FakeInternet.WithPassword(_ => FakeInternet.Json(
            $$"""{"name":"other/repository","tags":[{{JsonSerializer.Serialize(tag)}},"v1",7,null,{},["v3"],"{{new string('v', 129)}}","{{new string('v', 128)}}"]}"""));

        // The name of a list is the registry's to say; what it lists is data.
        Assert.Equal(["v1", new string('v', 128)], await internet.Client.ListTagsAsync(CancellationToken.None));
    }

    [Fact]
    public async Task A_list_with_more_tags_than_anybody_has_ends()
    {
        var page = 0;
        using var internet = FakeInternet.WithPassword(_ => Next($"[{string.Join(',', Enumerable.Range(0, 1000).Select(i => $"\"t{page}-{i}\""))}]", ref page));

        var told = await Wire.FailsAsync(RegistryFailure.NotARegistry, () => internet.Client.ListTagsAsync(CancellationToken.None));

        Assert.Contains("more than 200000 tags", told.Message);
        Assert.Equal(201, page);
    }

    /// <summary>Names that are none, and numbers: nothing of it is kept, and it still must not go on for all of 1000 pages.</summary>
    [Theory]
    [InlineData("\"::error::owned \"")]
    [InlineData("0")]
    public async Task A_list_that_is_long_without_tags_ends_and_is_not_shown(string item)
    {
        var page = 0;
        // Just under what one answer may have.
        var items = $"[{string.Join(',', Enumerable.Repeat(item, ((8 << 20) - 100) / (item.Length + 1)))}]";
        using var internet = FakeInternet.WithPassword(_ => Next(items, ref page));

        var told = await Wire.FailsAsync(RegistryFailure.NotARegistry, () => internet.Client.ListTagsAsync(CancellationToken.None));

        Assert.Contains("more than 33554432 bytes", told.Message);
        Assert.DoesNotContain("owned", told.ToString(), StringComparison.Ordinal);
        Assert.InRange(page, 4, 5);
    }

    private static HttpResponseMessage Next(string tags, ref int page)
    {
        var answer = FakeInternet.Json($$"""{"tags":{{tags}}}""");
        page++;
        answer.Headers.TryAddWithoutValidation("Link", $"</v2/team/app/tags/list?last={page}>; rel=next");
        return answer;
    }

    private static async Task AnswerAsync(string what, Stream stream, CancellationToken cancellationToken)
    {
        Task Say(string text) => WriteAsync(stream, text, cancellationToken);
        switch (what)
        {
            case "headers without end":
                await Say(Head);
                await RepeatAsync("X-Header: value of some length that goes on\r\n");
                break;
            case "one header without end":
                await Say(Head + "X-Header: ");
                await RepeatAsync("goes on and on, ");
                break;
            case "a status line without end":
                await Say("HTTP/1.1 200 ");
                await RepeatAsync("O");
                break;
            case "100 Continue without end":
                await RepeatAsync("HTTP/1.1 100 Continue\r\n\r\n");
                break;
            case "103 Early Hints without end":
                await RepeatAsync("HTTP/1.1 103 Early Hints\r\nLink: </style.css>; rel=preload\r\n\r\n");
                break;
            case "headers by the drop":
                await Say(Head);
                await RepeatAsync("X-A: b\r\n", milliseconds: 100);
                break;
            case "a body by the drop":
                await Say(Head + "Content-Length: 100000\r\n\r\n");
                await RepeatAsync(" ", milliseconds: 100);
                break;
            case "silence":
                await Task.Delay(Timeout.Infinite, cancellationToken);
                break;
            case "silence after the head":
                await Say(Head + "Content-Length: 1000\r\n\r\n");
                await Task.Delay(Timeout.Infinite, cancellationToken);
                break;
            case "a body without end":
                await Say(Head + "\r\n");
                await RepeatAsync(new string(' ', 10_000));
                break;
            case "chunks without end":
                await Say(Head + "Transfer-Encoding: chunked\r\n\r\n");
                await RepeatAsync("1000\r\n" + new string(' ', 0x1000) + "\r\n");
                break;
            case "chunk extension without end":
                await Say(Head + "Transfer-Encoding: chunked\r\n\r\n5;");
                await RepeatAsync("a=b;");
                break;
            case "trailers without end":
                await Say(Head + "Transfer-Encoding: chunked\r\n\r\nB\r\n{\"tags\":[]}\r\n0\r\n");
                await RepeatAsync("X-Trailer: value of some length that goes on\r\n");
                break;
            case "an error without end":
                await Say("HTTP/1.1 500 Oops\r\nContent-Type: application/json\r\n\r\n{\"errors\":[");
                await RepeatAsync("{\"code\":\"X\"},");
                break;
            case "no HTTP":
                await Say("220 mail.example ESMTP\r\n");
                break;
            case "deep JSON":
                // A list and a manifest at once, and nothing wrong with it but its depth.
                await SayBody(
                    $$"""{"schemaVersion":2,"mediaType":"{{MediaTypes.OciManifest}}","config":{},"layers":[],"tags":[],"x":{{new string('[', 100_000)}}{{new string(']', 100_000)}} }""", "200 OK");
                break;
            case "a deep error":
                await SayBody("{\"errors\":" + new string('[', 50_000), "500 Oops");
                break;
            case "a packed bomb":
                await Say($"{Head}Content-Encoding: gzip\r\nContent-Length: {Bomb.Length}\r\n\r\n");
                await stream.WriteAsync(Bomb, cancellationToken);
                break;
        }

        Task SayBody(string body, string status) => Say($"HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {body.Length}\r\n\r\n{body}");

        async Task RepeatAsync(string text, int milliseconds = 0)
        {
            while (true)
            {
                await Say(text);
                if (milliseconds > 0)
                {
                    await Task.Delay(milliseconds, cancellationToken);
                }
            }
        }
    }

    private static byte[] Pack(int size)
    {
        using var packed = new MemoryStream();
        using (var gzip = new GZipStream(packed, CompressionLevel.SmallestSize, leaveOpen: true))
        {
            gzip.Write(new byte[size]);
        }

        return packed.ToArray();
    }

    private static Task WriteAsync(Stream stream, string text, CancellationToken cancellationToken) => stream.WriteAsync(Encoding.ASCII.GetBytes(text), cancellationToken).AsTask();

    private static async Task ActAsync(RegistryClient client, string asked)
    {
        var blob = Wire.Blob(1000);
        _ = asked switch
        {
            "tags" => await client.ListTagsAsync(CancellationToken.None),
            "manifest" => await client.GetManifestAsync("1", CancellationToken.None),
            "blob" => await client.CopyBlobToAsync(blob.Descriptor, Stream.Null, CancellationToken.None),
            "config" => await client.GetSmallBlobAsync(blob.Descriptor, CancellationToken.None),
            _ => (object)await client.StartUploadAsync(CancellationToken.None),
        };
    }
}
