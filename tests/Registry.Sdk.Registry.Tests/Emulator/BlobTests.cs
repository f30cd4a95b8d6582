using System.Net;
using System.Net.Http.Headers;
using System.Text;
using Registry.Sdk.Emulator;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Emulator;

/// <summary>distribution-spec 1.1.1 end-1, end-2, end-4 to end-6, end-10, end-11, end-13.</summary>
public sealed class BlobTests : EmulatorTest
{
    private static readonly byte[] Content = Bytes("0123456789");
    private static readonly string Digest = DigestOf(Content);

    [Fact]
    [WireFact("1.3 an open registry answers the ping with 200")]
    public async Task Ping_answers_200()
    {
        var answer = await SendAsync("GET", "/v2/");
        Assert.Equal(HttpStatusCode.OK, answer.StatusCode);
        Assert.Equal("127.0.0.1", Emulator.BaseAddress.Host);
    }

    [Theory]
    [InlineData("GET", "/v2", HttpStatusCode.NotFound)]
    [InlineData("GET", "/elsewhere", HttpStatusCode.NotFound)]
    [InlineData("POST", "/v2/a/b/blobs/uploads", HttpStatusCode.MethodNotAllowed)]
    [InlineData("POST", "/v2/a/b/tags/list", HttpStatusCode.MethodNotAllowed)]
    [InlineData("PATCH", "/v2/a/b/manifests/1", HttpStatusCode.MethodNotAllowed)]
    [InlineData("DELETE", "/v2/", HttpStatusCode.MethodNotAllowed)]
    public async Task Paths_and_methods_outside_the_protocol_are_refused(string method, string path, HttpStatusCode status) =>
        await AssertErrorAsync(await SendAsync(method, path), status, "UNSUPPORTED");

    [Fact]
    [WireFact("1.2 POST with digest uploads at once")]
    public async Task A_blob_posted_whole_can_be_read()
    {
        var pushed = await SendAsync("POST", $"/v2/team/app/blobs/uploads/?digest={Digest}", Content);
        Assert.Equal(HttpStatusCode.Created, pushed.StatusCode);
        Assert.Equal($"/v2/team/app/blobs/{Digest}", Location(pushed));
        Assert.Equal(Digest, Header(pushed, "Docker-Content-Digest"));

        var head = await SendAsync("HEAD", Location(pushed));
        Assert.Equal(HttpStatusCode.OK, head.StatusCode);
        Assert.Equal(Content.Length, head.Content.Headers.ContentLength);
        var read = await SendAsync("GET", Location(pushed));
        Assert.Equal(Content, await read.Content.ReadAsByteArrayAsync());
        Assert.Equal(Digest, Header(read, "Docker-Content-Digest"));
    }

    [Fact]
    [WireFact("1.2 Range on blobs")]
    public async Task A_range_of_a_blob_is_206()
    {
        await PushBlobAsync("a", Content);
        using var request = new HttpRequestMessage(HttpMethod.Get, $"/v2/a/blobs/{Digest}");
        request.Headers.Range = new RangeHeaderValue(3, 5);
        var answer = await Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.PartialContent, answer.StatusCode);
        Assert.Equal("345", await answer.Content.ReadAsStringAsync());
        Assert.Equal("bytes 3-5/10", Header(answer, "Content-Range"));
    }

    [Fact]
    [WireFact("1.5 POST then PUT")]
    public async Task Post_then_put_uploads_a_blob()
    {
        var start = await SendAsync("POST", "/v2/a/blobs/uploads/");
        Assert.Equal(HttpStatusCode.Accepted, start.StatusCode);
        Assert.Equal("0-0", Header(start, "Range"));
        Assert.StartsWith("/v2/a/blobs/uploads/", Location(start), StringComparison.Ordinal);
        Assert.Contains('?', Location(start));

        var put = await SendAsync("PUT", Location(start) + "&digest=" + Digest, Content);
        Assert.Equal(HttpStatusCode.Created, put.StatusCode);
        Assert.Equal($"/v2/a/blobs/{Digest}", Location(put));
        Assert.Equal("0123456789", await Client.GetStringAsync(new Uri(Location(put), UriKind.Relative)));
        await AssertErrorAsync(await SendAsync("GET", Location(start)), HttpStatusCode.NotFound, "BLOB_UPLOAD_UNKNOWN");
    }

    [Fact]
    [WireFact("1.5 a streamed PATCH without Content-Range")]
    public async Task A_streamed_patch_without_length_uploads_a_blob()
    {
        var location = await StartUploadAsync("a");
        using var request = new HttpRequestMessage(HttpMethod.Patch, location) { Content = new StreamContent(new MemoryStream(Content)) };
        request.Headers.TransferEncodingChunked = true;
        var patch = await Client.SendAsync(request);
        Assert.Equal(HttpStatusCode.Accepted, patch.StatusCode);
        Assert.Equal("0-9", Header(patch, "Range"));
        var put = await SendAsync("PUT", Location(patch) + "&digest=" + Digest);
        Assert.Equal(HttpStatusCode.Created, put.StatusCode);
    }

    [Fact]
    [WireFact("1.5 chunks in order, else 416", "1.5 resume by GET of the Location", "1.5 Range is 0-0 for nothing yet")]
    public async Task Chunks_go_in_order_and_a_gap_is_416()
    {
        var location = await StartUploadAsync("a");
        var first = await SendAsync("PATCH", location, Bytes("0123"), contentRange: "0-3");
        Assert.Equal(HttpStatusCode.Accepted, first.StatusCode);
        Assert.Equal("0-3", Header(first, "Range"));

        var gap = await SendAsync("PATCH", Location(first), Bytes("789"), contentRange: "7-9");
        await AssertErrorAsync(gap, HttpStatusCode.RequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID");
        var again = await SendAsync("PATCH", Location(first), Bytes("0123"), contentRange: "0-3");
        await AssertErrorAsync(again, HttpStatusCode.RequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID");
        var putGap = await SendAsync("PUT", Location(first) + "&digest=" + Digest, Bytes("789"), contentRange: "7-9");
        await AssertErrorAsync(putGap, HttpStatusCode.RequestedRangeNotSatisfiable, "BLOB_UPLOAD_INVALID");

        var state = await SendAsync("GET", location);
        Assert.Equal(HttpStatusCode.NoContent, state.StatusCode);
        Assert.Equal("0-3", Header(state, "Range"));
        Assert.Equal(Location(first), Location(state));

        var second = await SendAsync("PATCH", Location(state), Bytes("456"), contentRange: "4-6");
        Assert.Equal("0-6", Header(second, "Range"));
        var put = await SendAsync("PUT", Location(second) + "&digest=" + Digest, Bytes("789"), contentRange: "7-9");
        Assert.Equal(HttpStatusCode.Created, put.StatusCode);
        Assert.Equal("0123456789", await Client.GetStringAsync(new Uri(Location(put), UriKind.Relative)));
    }

    [Theory]
    [InlineData("bytes 0-3", "BLOB_UPLOAD_INVALID")]
    [InlineData("0-9", "SIZE_INVALID")]
    public async Task A_chunk_range_that_is_malformed_or_untrue_is_400(string range, string code) => await AssertErrorAsync(
        await SendAsync("PATCH", await StartUploadAsync("a"), Bytes("0123"), contentRange: range), HttpStatusCode.BadRequest, code);

    [Fact]
    [WireFact("1.5 each answer's Location replaces the former")]
    public async Task Each_location_replaces_the_former()
    {
        var location = await StartUploadAsync("a");
        await SendAsync("PATCH", location, Bytes("01234"));
        await AssertErrorAsync(await SendAsync("PATCH", location, Bytes("56789")), HttpStatusCode.BadRequest, "BLOB_UPLOAD_INVALID");
        var built = location[..location.IndexOf('?', StringComparison.Ordinal)] + "?digest=" + Digest;
        await AssertErrorAsync(await SendAsync("PUT", built, Bytes("56789")), HttpStatusCode.BadRequest, "BLOB_UPLOAD_INVALID");
    }

    [Fact]
    [WireFact("1.5 an absolute Location")]
    public async Task Locations_are_absolute_on_demand()
    {
        await RestartAsync(new EmulatorOptions { StateDirectory = State, AbsoluteLocations = true });
        Assert.StartsWith(Emulator.BaseAddress + "v2/a/blobs/uploads/", await StartUploadAsync("a"), StringComparison.Ordinal);
    }

    [Fact]
    [WireFact("1.2 an upload can be cancelled")]
    public async Task A_cancelled_upload_is_gone()
    {
        var location = await StartUploadAsync("a");
        var patch = await SendAsync("PATCH", location, Content);
        Assert.NotEmpty(Directory.GetFiles(Path.Combine(State, "partial")));
        Assert.Equal(HttpStatusCode.NoContent, (await SendAsync("DELETE", Location(patch))).StatusCode);
        Assert.Empty(Directory.GetFiles(Path.Combine(State, "partial")));
        await AssertErrorAsync(await SendAsync("PUT", Location(patch) + "&digest=" + Digest), HttpStatusCode.NotFound, "BLOB_UPLOAD_UNKNOWN");
    }

    [Fact]
    public async Task A_session_belongs_to_its_repository()
    {
        var location = await StartUploadAsync("a");
        await AssertErrorAsync(
            await SendAsync("PATCH", location.Replace("/v2/a/", "/v2/b/", StringComparison.Ordinal), Content), HttpStatusCode.NotFound, "BLOB_UPLOAD_UNKNOWN");
    }

    [Fact]
    public async Task Wrong_bytes_store_nothing()
    {
        var other = Bytes("9876543210");
        await AssertErrorAsync(await SendAsync("POST", $"/v2/a/blobs/uploads/?digest={Digest}", other), HttpStatusCode.BadRequest, "DIGEST_INVALID");
        var location = await StartUploadAsync("a");
        await AssertErrorAsync(await SendAsync("PUT", $"{location}&digest={Digest}", other), HttpStatusCode.BadRequest, "DIGEST_INVALID");
        await AssertErrorAsync(await SendAsync("GET", location), HttpStatusCode.NotFound, "BLOB_UPLOAD_UNKNOWN");
        await AssertErrorAsync(await SendAsync("GET", $"/v2/a/blobs/{Digest}"), HttpStatusCode.NotFound, "NAME_UNKNOWN");
        Assert.Empty(Directory.GetFiles(Path.Combine(State, "partial")));
        Assert.Empty(Directory.GetFiles(Path.Combine(State, "blobs", "sha256")));
    }

    [Theory]
    [InlineData("Upper/case")]
    [InlineData("a//b")]
    [InlineData("_a")]
    [InlineData("a/-b")]
    [InlineData("a..b")]
    [InlineData("a%0a")]
    [WireFact("1.1 names")]
    public async Task Invalid_names_are_400(string name)
    {
        await AssertErrorAsync(await SendAsync("GET", $"/v2/{name}/blobs/{Digest}"), HttpStatusCode.BadRequest, "NAME_INVALID");
        await AssertErrorAsync(await SendAsync("POST", $"/v2/{name}/blobs/uploads/"), HttpStatusCode.BadRequest, "NAME_INVALID");
        await AssertErrorAsync(await SendAsync("GET", $"/v2/{name}/tags/list"), HttpStatusCode.BadRequest, "NAME_INVALID");
    }

    [Theory]
    [InlineData("a")]
    [InlineData("a0/b.c/d__e/f--g")]
    [InlineData("blobs/uploads/x")]
    [InlineData("tags/list")]
    public async Task Unusual_names_are_names(string name)
    {
        await PushBlobAsync(name, Content);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("HEAD", $"/v2/{name}/blobs/{Digest}")).StatusCode);
    }

    [Theory]
    [InlineData("sha256:abc")]
    [InlineData("md5:0123456789abcdef0123456789abcdef")]
    [InlineData("latest")]
    public async Task Invalid_digests_are_400(string digest)
    {
        await AssertErrorAsync(await SendAsync("GET", $"/v2/a/blobs/{digest}"), HttpStatusCode.BadRequest, "DIGEST_INVALID");
        await AssertErrorAsync(await SendAsync("POST", $"/v2/a/blobs/uploads/?digest={digest}", Content), HttpStatusCode.BadRequest, "DIGEST_INVALID");
        await AssertErrorAsync(await SendAsync("PUT", await StartUploadAsync("a") + "&digest=" + digest, Content), HttpStatusCode.BadRequest, "DIGEST_INVALID");
    }

    [Fact]
    public async Task What_is_absent_is_404()
    {
        await AssertErrorAsync(await SendAsync("GET", $"/v2/a/blobs/{Digest}"), HttpStatusCode.NotFound, "NAME_UNKNOWN");
        await PushBlobAsync("a", Bytes("something else"));
        await AssertErrorAsync(await SendAsync("GET", $"/v2/a/blobs/{Digest}"), HttpStatusCode.NotFound, "BLOB_UNKNOWN");
        var head = await SendAsync("HEAD", $"/v2/a/blobs/{Digest}");
        Assert.Equal(HttpStatusCode.NotFound, head.StatusCode);
        Assert.Empty(await head.Content.ReadAsByteArrayAsync());
    }

    [Fact]
    public async Task Opening_an_upload_makes_no_repository()
    {
        await StartUploadAsync("a");
        await AssertErrorAsync(await SendAsync("GET", "/v2/a/tags/list"), HttpStatusCode.NotFound, "NAME_UNKNOWN");
    }

    [Fact]
    [WireFact("1.6 201 when mounted")]
    public async Task A_blob_is_in_its_repository_only_until_mounted()
    {
        await PushBlobAsync("team/a", Content);
        await PushBlobAsync("team/b", Bytes("b's own"));
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync("HEAD", $"/v2/team/b/blobs/{Digest}")).StatusCode);

        var mount = await SendAsync("POST", $"/v2/team/b/blobs/uploads/?mount={Digest}&from=team/a");
        Assert.Equal(HttpStatusCode.Created, mount.StatusCode);
        Assert.Equal($"/v2/team/b/blobs/{Digest}", Location(mount));
        Assert.Equal("0123456789", await Client.GetStringAsync(new Uri(Location(mount), UriKind.Relative)));
    }

    [Theory]
    [InlineData("&from=team/unknown")]
    [InlineData("&from=team/other")]
    [InlineData("&from=NOT+A+NAME")]
    [InlineData("")]
    [WireFact("1.6 202 when not")]
    public async Task A_mount_that_cannot_be_opens_a_session(string from)
    {
        await PushBlobAsync("team/a", Content);
        await PushBlobAsync("team/other", Bytes("other"));
        var answer = await SendAsync("POST", $"/v2/team/b/blobs/uploads/?mount={Digest}{from}");
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        var put = await SendAsync("PUT", Location(answer) + "&digest=" + Digest, Content);
        Assert.Equal(HttpStatusCode.Created, put.StatusCode);
    }

    [Fact]
    [WireFact("1.9 deleting a blob")]
    public async Task A_deleted_blob_is_gone_from_its_repository_only()
    {
        await PushBlobAsync("a", Content);
        await PushBlobAsync("b", Content);
        Assert.Equal(HttpStatusCode.Accepted, (await SendAsync("DELETE", $"/v2/a/blobs/{Digest}")).StatusCode);
        await AssertErrorAsync(await SendAsync("GET", $"/v2/a/blobs/{Digest}"), HttpStatusCode.NotFound, "BLOB_UNKNOWN");
        await AssertErrorAsync(await SendAsync("DELETE", $"/v2/a/blobs/{Digest}"), HttpStatusCode.NotFound, "BLOB_UNKNOWN");
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("HEAD", $"/v2/b/blobs/{Digest}")).StatusCode);
    }

    [Fact]
    public async Task An_empty_blob_is_a_blob()
    {
        var digest = DigestOf([]);
        var location = await StartUploadAsync("a");
        Assert.Equal(HttpStatusCode.Created, (await SendAsync("PUT", location + "&digest=" + digest)).StatusCode);
        Assert.Empty(await Client.GetByteArrayAsync(new Uri($"/v2/a/blobs/{digest}", UriKind.Relative)));
    }

    [Fact]
    public async Task Twenty_uploads_of_one_blob_at_once_all_succeed()
    {
        var content = new byte[3_000_000];
        new Random(7).NextBytes(content);
        var statuses = await Task.WhenAll(Enumerable.Range(0, 20).Select(async number =>
        {
            var repository = number % 2 == 0 ? "a" : "b";
            if (number % 3 == 0)
            {
                return (await SendAsync("POST", $"/v2/{repository}/blobs/uploads/?digest={DigestOf(content)}", content)).StatusCode;
            }

            var location = await StartUploadAsync(repository);
            return (await SendAsync("PUT", $"{location}&digest={DigestOf(content)}", content)).StatusCode;
        }));
        Assert.All(statuses, status => Assert.Equal(HttpStatusCode.Created, status));
        Assert.Single(Directory.GetFiles(Path.Combine(State, "blobs", "sha256")));
        Assert.Empty(Directory.GetFiles(Path.Combine(State, "partial")));
        Assert.Equal(content, await Client.GetByteArrayAsync(new Uri($"/v2/a/blobs/{DigestOf(content)}", UriKind.Relative)));
        Assert.Equal(content, await Client.GetByteArrayAsync(new Uri($"/v2/b/blobs/{DigestOf(content)}", UriKind.Relative)));
    }

    [Theory]
    [InlineData("POST", "?digest=")]
    [InlineData("PUT", "&digest=")]
    public async Task A_body_that_breaks_off_leaves_nothing(string method, string parameter)
    {
        var path = method == "POST" ? "/v2/a/blobs/uploads/" : await StartUploadAsync("a");
        using (var socket = new System.Net.Sockets.TcpClient())
        {
            await socket.ConnectAsync(IPAddress.Loopback, Emulator.BaseAddress.Port);
            var request = $"{method} {path}{parameter}{Digest} HTTP/1.1\r\nHost: {Emulator.Host}\r\nContent-Length: 10\r\n\r\n01234";
            await socket.GetStream().WriteAsync(Encoding.ASCII.GetBytes(request));
            await UntilAsync(() => Directory.GetFiles(Path.Combine(State, "partial")).Any(file => new FileInfo(file).Length == 5));
        }

        await UntilAsync(() => Directory.GetFiles(Path.Combine(State, "partial")).Length == 0);
        Assert.Empty(Directory.GetFiles(Path.Combine(State, "blobs", "sha256")));

        // 400 if the answer went out before the server noticed that nobody is there.
        Assert.Contains(Emulator.Requests[^1].Status, new[] { 0, 400 });
        Assert.Equal(5, Emulator.Requests[^1].RequestBytes);
    }

    private static async Task UntilAsync(Func<bool> condition)
    {
        for (var tries = 0; !condition(); tries++)
        {
            Assert.True(tries < 500, "it did not come about within ten seconds");
            await Task.Delay(20);
        }
    }

    /// <summary>Who can put a link into the state directory must not read with it what the emulator's user may read.</summary>
    [Fact]
    public async Task A_link_in_the_state_directory_is_not_followed()
    {
        var secret = Path.Combine(Scratch, "secret");
        await File.WriteAllTextAsync(secret, "a secret");
        var (blobs, repository) = (Path.Combine(State, "blobs", "sha256"), Path.Combine(State, "repositories", "a"));
        var manifest = await PushImageAsync("a", "v1");
        var blob = await PushBlobAsync("a", Bytes("a blob"));
        Replace(Path.Combine(blobs, blob["sha256:".Length..]));
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync("GET", $"/v2/a/blobs/{blob}")).StatusCode);

        // Pushed again it is there again, and the link's target is as it was.
        await PushBlobAsync("a", Bytes("a blob"));
        Assert.Equal("a blob", await Client.GetStringAsync(new Uri($"/v2/a/blobs/{blob}", UriKind.Relative)));
        Assert.Equal("a secret", await File.ReadAllTextAsync(secret));

        Replace(Path.Combine(blobs, DigestOf(manifest)["sha256:".Length..]));
        foreach (var method in new[] { "GET", "HEAD" })
        {
            Assert.Equal(HttpStatusCode.NotFound, (await SendAsync(method, $"/v2/a/manifests/{DigestOf(manifest)}")).StatusCode);
        }

        Assert.Equal(HttpStatusCode.Created, (await PutManifestAsync("a", "v2", manifest)).StatusCode);
        Assert.Equal(manifest, await Client.GetByteArrayAsync(new Uri("/v2/a/manifests/v2", UriKind.Relative)));
        Replace(Directory.GetFiles(Path.Combine(repository, "_tags"), "v1!*")[0]);
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync("GET", "/v2/a/manifests/v1")).StatusCode);
        Assert.DoesNotContain("v1", await Client.GetStringAsync(new Uri("/v2/a/tags/list", UriKind.Relative)));

        // A whole folder by a link is not there either.
        var elsewhere = Path.Combine(Scratch, "elsewhere");
        Directory.Move(blobs, elsewhere);
        Directory.CreateSymbolicLink(blobs, elsewhere);
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync("GET", $"/v2/a/blobs/{blob}")).StatusCode);

        void Replace(string file)
        {
            Assert.True(File.Exists(file), file);
            File.Delete(file);
            File.CreateSymbolicLink(file, secret);
        }
    }
}
