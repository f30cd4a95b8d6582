using System.Globalization;
using System.Text;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Registry.Tests.Transfer;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Hostile;

/// <summary>Lines that are cut at any byte, and answers with anything in them: what is asked is got after all, or ends in an error of ours.</summary>
public sealed class IllLineTests
{
    private static readonly ManifestContent Image = Wire.Manifest("image");
    private static readonly (Descriptor Descriptor, byte[] Content) Blob = Wire.Blob(300);

    /// <summary>By FIN and by reset, at each byte of the answer's head and of what follows it, and at many of its body; the next answer is whole.</summary>
    [Theory]
    [InlineData("ping")]
    [InlineData("token")]
    [InlineData("manifest")]
    [InlineData("find")]
    [InlineData("config")]
    [InlineData("blob")]
    [InlineData("has")]
    [InlineData("tags")]
    [InlineData("upload")]
    [InlineData("mount")]
    [InlineData("put")]
    public async Task An_answer_cut_at_any_byte_is_asked_for_again(string operation)
    {
        var (length, head) = (int.MaxValue, int.MaxValue);
        for (var cut = 0; cut < length; cut += cut < head + 16 || cut > length - 16 ? 1 : 13)
        {
            var time = new InstantTime();
            using var resilience = RetryTests.Resilience(time);
            var hasCut = false;
            using var line = new ScriptedLine(asked =>
            {
                var whole = Encoding.Latin1.GetBytes(operation == "token" && !asked.Contains("Bearer", StringComparison.Ordinal) ? TokenDance(asked) : Answer(asked));
                if (hasCut || (operation == "token" && !asked.StartsWith("GET /token", StringComparison.Ordinal)))
                {
                    return (whole, false);
                }

                hasCut = true;
                length = whole.Length;
                head = whole.AsSpan().IndexOf("\r\n\r\n"u8);
                return (whole[..cut], cut % 2 == 0);
            }, resilience);

            await ActAsync(operation, line.Client);

            // A body that is all there needs no other try.
            Assert.True(time.Waits.Count <= 1, $"{operation} cut at {cut}: {time.Waits.Count} waits");
        }

        Assert.InRange(length, 20, 2000);
    }

    /// <summary>Answers in which anything is changed: no exception but ours comes of them, and no secret goes into its message.</summary>
    [Theory]
    [InlineData("ping")]
    [InlineData("token")]
    [InlineData("manifest")]
    [InlineData("find")]
    [InlineData("config")]
    [InlineData("blob")]
    [InlineData("has")]
    [InlineData("tags")]
    [InlineData("exists")]
    [InlineData("upload")]
    [InlineData("mount")]
    [InlineData("send")]
    [InlineData("chunks")]
    [InlineData("put")]
    public async Task Whatever_is_in_an_answer_no_exception_but_ours_comes_of_it(string operation)
    {
        const int Rounds = 120;
        var random = new Random(operation.Sum(static c => c));
        for (var round = 0; round < Rounds; round++)
        {
            var answers = new List<string>();
            using var line = new ScriptedLine(head =>
            {
                var whole = operation == "token" && !head.Contains("Bearer", StringComparison.Ordinal) ? TokenDance(head) : Answer(head, chunksOnly: operation == "chunks");
                var changed = random.Next(3) > 0 || answers.Count > 30 ? Spoil(whole, random) : whole;
                answers.Add(changed);
                return (Encoding.Latin1.GetBytes(changed), random.Next(2) == 0);
            });

            var thrown = await Record.ExceptionAsync(() => ActAsync(operation, line.Client).WaitAsync(TimeSpan.FromMinutes(1)));

            Assert.True(thrown is null or RegistryException or Xunit.Sdk.XunitException, $"{operation}, round {round}: {thrown}\n{string.Join("\n--\n", answers)}");
            Assert.InRange(answers.Count, 0, 200);
            if (thrown is RegistryException told)
            {
                Assert.DoesNotContain("sentinel-one", told.Message, StringComparison.OrdinalIgnoreCase);
                Assert.DoesNotContain(told.Message, char.IsControl);
                Assert.InRange(told.Message.Length, 20, 1500);
            }
        }
    }

    private static string TokenDance(string head) => head.StartsWith("GET /token", StringComparison.Ordinal)
        ? Text(200, "OK", """{"token":"good","access_token":"good","expires_in":300,"issued_at":"2026-11-21T10:00:00Z"}""", "Date: Sat, 21 Nov 2026 10:00:00 GMT")
        : Text(401, "Unauthorized", "", "WWW-Authenticate: Bearer realm=\"http://127.0.0.1:5000/token\",service=\"s\",scope=\"repository:team/app:pull\"");

    private static string Answer(string head, bool chunksOnly = false)
    {
        var (method, path) = (head.Split(' ')[0], head.Split(' ')[1]);
        return (method, path) switch
        {
            (_, "/v2/") => Text(200, "OK", "{}"),
            ("GET", var p) when p.Contains("/tags/list", StringComparison.Ordinal) => Chunked("""{"name":"team/app","tags":["1","2"]}"""),
            ("HEAD", var p) when p.Contains("/blobs/", StringComparison.Ordinal) => Text(200, "OK", "", $"Docker-Content-Digest: {Blob.Descriptor.Digest}", length: Blob.Content.Length),
            ("GET", var p) when p.Contains("/blobs/uploads/", StringComparison.Ordinal) => Text(204, "No Content", "", "Range: 0-0", "Location: /v2/team/app/blobs/uploads/1"),
            ("GET", var p) when p.Contains("/blobs/", StringComparison.Ordinal) => Ranged(head),
            ("POST", _) => Text(202, "Accepted", "", "Location: /v2/team/app/blobs/uploads/1?state=x", "Range: 0-0", "OCI-Chunk-Min-Length: 1"),
            ("PATCH", _) => Text(202, "Accepted", "", "Location: /v2/team/app/blobs/uploads/1?state=y", "Range: 0-299"),
            ("PUT", var p) when chunksOnly && p.Contains("state=x", StringComparison.Ordinal) => Text(413, "Too Large", """{"errors":[{"code":"SIZE_INVALID","message":"too large"}]}"""),
            ("PUT", _) => Text(201, "Created", "", $"Docker-Content-Digest: {(path.Contains("/manifests/", StringComparison.Ordinal) ? Image.Descriptor.Digest : Blob.Descriptor.Digest)}", "Location: /there", "OCI-Subject: x"),
            ("DELETE", _) => Text(204, "No Content", ""),
            _ => Text(200, "OK", Encoding.UTF8.GetString(Image.Content), $"Docker-Content-Digest: {Image.Descriptor.Digest}", type: MediaTypes.OciManifest),
        };
    }

    private static string Ranged(string head)
    {
        var content = Encoding.Latin1.GetString(Blob.Content);
        var range = head.Split("\r\n").FirstOrDefault(l => l.StartsWith("Range: bytes=", StringComparison.Ordinal));
        if (range is null)
        {
            return Text(200, "OK", content, type: "application/octet-stream");
        }

        var start = int.Parse(range["Range: bytes=".Length..^1], CultureInfo.InvariantCulture);
        return Text(206, "Partial Content", content[start..], $"Content-Range: bytes {start}-{content.Length - 1}/{content.Length}", type: "application/octet-stream");
    }

    private static string Text(int status, string reason, string body, string header = "Server: x", string second = "X: y", string third = "Z: z", string type = "application/json", int? length = null)
        => $"HTTP/1.1 {status} {reason}\r\nContent-Type: {type}\r\n{header}\r\n{second}\r\n{third}\r\n{(status == 204 ? "" : $"Content-Length: {length ?? body.Length}\r\n")}\r\n{body}";

    private static string Chunked(string body)
        => $"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n{body.Length / 2:x}\r\n{body[..(body.Length / 2)]}\r\n{body.Length - (body.Length / 2):x};x=y\r\n{body[(body.Length / 2)..]}\r\n0\r\n\r\n";

    private static string Spoil(string answer, Random random)
    {
        string[] junk =
        [
            "", " ", "0", "-1", "1", "99999999999999999999", "18446744073709551616", "1e9", "nan", "\0", "\u00e9\u00ff", "\u00c3\u00a9", new string('a', 5000), "\"", "\\", "%00", "../../..", "//", "https://", "https://[", "https://[::1", "http://127.0.0.1:99999/",
            "https://\u00ef\u00bc\u0091.example/", "https://l\u00c2\u00bacalhost/", "ftp://x/", "javascript:alert(1)", "sha256:", $"sha256:{new string('g', 64)}", $"sha512:{new string('a', 128)}", "{}", "[]", "null", "{\"errors\":[]}", "{\"errors\":[null]}", "{\"errors\":[{\"code\":{}}]}",
            "{\"tags\":{}}", "{\"tags\":[[[[]]]]}", "{\"a\":1,\"a\":2}", "\"\\ud800\"", "bytes 5-1/3", "bytes */*", "0-", "-0", "5-0", "0-18446744073709551616", "bytes=0-1", "text/html", "gzip", "chunked", "identity", "Basic", "Bearer", "Bearer realm=", "Bearer realm=\"http://127.0.0.1:5000/token",
            "Negotiate abc", "Wed, 21 Oct 2015 07:28:00 GMT", "Fri, 31 Dec 9999 23:59:59 GMT", "::error::x", "##vso[x]", FakeInternet.Password, "<x>; rel=\"next\"", "<>; rel=next", "<http://[>; rel=next",
        ];
        string[] names =
        [
            "Location", "Link", "Range", "Content-Range", "Content-Length", "Transfer-Encoding", "Content-Encoding", "Content-Type", "Docker-Content-Digest", "WWW-Authenticate", "Retry-After", "X-Retry-After", "Date", "OCI-Chunk-Min-Length", "OCI-Subject", "Connection", "Trailer", "Set-Cookie", "Upgrade",
        ];
        int[] statuses = [100, 101, 103, 199, 200, 201, 202, 203, 204, 205, 206, 207, 226, 300, 301, 302, 303, 304, 305, 307, 308, 399, 400, 401, 402, 403, 404, 405, 407, 408, 409, 410, 411, 412, 413, 415, 416, 417, 418, 421, 422, 425, 426, 428, 429, 431, 451, 499, 500, 501, 502, 503, 504, 505, 507, 511, 520, 599, 600, 999];
        var times = 1 + random.Next(3);
        for (var i = 0; i < times; i++)
        {
            var end = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            var lines = (end < 0 ? answer : answer[..end]).Split("\r\n").ToList();
            var body = end < 0 ? "" : answer[(end + 4)..];
            var at = random.Next(lines.Count);
            switch (random.Next(9))
            {
                case 0:
                    lines[0] = $"HTTP/1.1 {statuses[random.Next(statuses.Length)]} x";
                    break;
                case 1 or 2:
                    lines.Add($"{names[random.Next(names.Length)]}: {junk[random.Next(junk.Length)]}");
                    break;
                case 3 when at > 0:
                    lines[at] = lines[at].Split(':')[0] + ": " + junk[random.Next(junk.Length)];
                    break;
                case 4 when at > 0:
                    lines.RemoveAt(at);
                    break;
                case 5 when at > 0:
                    lines.Insert(at, lines[at]);
                    break;
                case 6:
                    body = junk[random.Next(junk.Length)];
                    break;
                case 7 when body.Length > 0:
                    body = body[..random.Next(body.Length)] + (char)random.Next(256) + body[random.Next(body.Length)..];
                    break;
                default:
                    var whole = string.Join("\r\n", lines) + "\r\n\r\n" + body;
                    var place = random.Next(whole.Length);
                    answer = whole[..place] + (char)random.Next(256) + whole[(random.Next(2) == 0 ? place : place + 1)..];
                    continue;
            }

            answer = string.Join("\r\n", lines) + "\r\n\r\n" + body;
        }

        return answer;
    }

    /// <summary>Missing is an answer too; something else under this digest is none.</summary>
    private static void Same(byte[]? content)
    {
        Assert.NotNull(content);
        if (!content.AsSpan().SequenceEqual(Blob.Content))
        {
            throw new InvalidDataException("other content was taken for what was asked by digest");
        }
    }

    private static async Task ActAsync(string operation, RegistryClient client)
    {
        switch (operation)
        {
            case "ping":
                await client.PingAsync(CancellationToken.None);
                break;
            case "token" or "manifest":
                Assert.Equal(Image.Descriptor, (await client.GetManifestAsync("1", CancellationToken.None))?.Descriptor);
                break;
            case "find":
                Assert.Equal(Image.Descriptor.Digest, await client.FindManifestAsync("1", CancellationToken.None));
                break;
            case "config":
                Same(await client.GetSmallBlobAsync(Blob.Descriptor, CancellationToken.None));
                break;
            case "blob":
                using (var target = new MemoryStream())
                {
                    Same(await client.CopyBlobToAsync(Blob.Descriptor, target, CancellationToken.None) ? target.ToArray() : null);
                }

                break;
            case "has":
                Assert.True(await client.HasBlobAsync(Blob.Descriptor, CancellationToken.None));
                break;
            case "tags":
                Assert.Equal(["1", "2"], await client.ListTagsAsync(CancellationToken.None));
                break;
            case "exists":
                Assert.True(await client.RepositoryExistsAsync(CancellationToken.None));
                break;
            case "upload":
                await client.StartUploadAsync(CancellationToken.None);
                break;
            case "mount":
                Assert.NotNull(await client.MountAsync(Blob.Descriptor.Digest, "team/other", CancellationToken.None));
                break;
            case "send" or "chunks":
                await Wire.SendAsync(client, Blob);
                break;
            default:
                await client.PutManifestAsync("1", Image, CancellationToken.None);
                break;
        }
    }
}
