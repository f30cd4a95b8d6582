using System.Globalization;
using System.Net;

namespace Registry.Sdk.Core.Primitives;

/// <content>Uploads: one PUT with the whole blob; in chunks where a registry or a proxy does not take that much at once.</content>
public sealed partial class RegistryClient
{
    /// <summary>What GHCR takes in one ranged request (wire-facts 2.5).</summary>
    private const int ChunkSize = 4 << 20;

    // A registry that wants larger chunks is not buffered for.
    private const long MaxChunkSize = 64 << 20;

    private const int MaxRestarts = 5;

    private const long ExpectContinueFrom = 1 << 20;

    /// <summary>Opens an upload session; by this the push right is proven.</summary>
    public async Task<UploadSession> StartUploadAsync(CancellationToken cancellationToken)
    {
        using var response = await SendAsync(HttpMethod.Post, Address($"/v2/{Repository.Name}/blobs/uploads/"), new(Repository.Name, Push: true), EmptyBody, cancellationToken).ConfigureAwait(false);
        return response.StatusCode == HttpStatusCode.Accepted
            ? Session(response)
            : throw await UnexpectedAsync(response, "POST blobs/uploads/", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Asks the registry to take a blob over from another of its repositories.</summary>
    /// <returns>Null if it did; else the session that it opened instead, to upload to.</returns>
    public async Task<UploadSession?> MountAsync(Digest digest, string fromRepository, CancellationToken cancellationToken)
    {
        var address = Address($"/v2/{Repository.Name}/blobs/uploads/?mount={Uri.EscapeDataString(digest.ToString())}&from={Uri.EscapeDataString(fromRepository)}");
        HttpResponseMessage? response = null;
        try
        {
            response = await SendAsync(HttpMethod.Post, address, new(Repository.Name, Push: true, fromRepository), EmptyBody, cancellationToken).ConfigureAwait(false);
            switch (response.StatusCode)
            {
                case HttpStatusCode.Created:
                    return null;
                case HttpStatusCode.Accepted:
                    return Session(response);
                default:
                    // A mount is a wish: whatever is wrong with it (Harbor: 401 for a missing source), a plain upload is still possible.
                    return await StartUploadAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (RegistryException e) when (e.Failure is not (RegistryFailure.Unreachable or RegistryFailure.Throttled))
        {
            // So is one that a token server does not understand, because it asks for two scopes.
            return await StartUploadAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            response?.Dispose();
        }
    }

    /// <summary>Sends a blob into a session: one PUT with the whole body; in ranged chunks where that is refused as too large.</summary>
    /// <param name="session">From <see cref="StartUploadAsync"/> or <see cref="MountAsync"/>; used up by this. Another is opened where it is gone.</param>
    /// <param name="blob">Digest and size of what is sent.</param>
    /// <param name="open">Opens the content from its beginning; called again where the body has to be sent again.</param>
    /// <param name="progress">Receives the bytes sent so far.</param>
    /// <param name="cancellationToken">Stops the upload.</param>
    /// <exception cref="LocalBlobException">The content is not as long as its descriptor says, or can't be read.</exception>
    public async Task UploadAsync(UploadSession session, Descriptor blob, Func<Stream> open, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(blob);
        ArgumentNullException.ThrowIfNull(open);
        var content = new LocalBlob(blob, open);
        try
        {
            for (var attempt = 0; ; attempt++)
            {
                using var response = await PutBlobAsync(session.Location, blob, content, progress, cancellationToken).ConfigureAwait(false);
                switch (response.StatusCode)
                {
                    case HttpStatusCode.Created or HttpStatusCode.NoContent or HttpStatusCode.Accepted:
                        EnsureSameDigest(response, blob.Digest, $"PUT blob {blob.Digest}");
                        return;
                    case HttpStatusCode.RequestEntityTooLarge or HttpStatusCode.RequestedRangeNotSatisfiable:
                        // The session may hold a part of what was refused: another is opened.
                        await CancelUploadAsync(session, cancellationToken).ConfigureAwait(false);
                        session = await StartUploadAsync(cancellationToken).ConfigureAwait(false);
                        await UploadChunksAsync(session, blob, content, progress, cancellationToken).ConfigureAwait(false);
                        return;
                    case HttpStatusCode.NotFound when attempt == 0 && !IsHtml(response):
                        // Sessions expire, and are lost when a registry restarts; once is bad luck.
                        session = await StartUploadAsync(cancellationToken).ConfigureAwait(false);
                        break;
                    case HttpStatusCode.NotFound when !IsHtml(response):
                        throw Fail(RegistryFailure.Rejected, $"PUT blob {blob.Digest} at {Repository} is answered with 404{await ErrorTextAsync(response, cancellationToken).ConfigureAwait(false)}: the registry forgets upload sessions that it has just opened.");
                    default:
                        throw await UnexpectedAsync(response, $"PUT blob {blob.Digest}", cancellationToken).ConfigureAwait(false);
                }
            }
        }
        catch (RegistryException) when (content.Failure is not null)
        {
            // The request broke off because of us.
            throw content.Failure;
        }
    }

    /// <summary>Gives a session up. Registries that can't (GHCR: 405) let it expire; nothing depends on it.</summary>
    public async Task CancelUploadAsync(UploadSession session, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(session);
        try
        {
            using var response = await SendAsync(HttpMethod.Delete, session.Location, new(Repository.Name, Push: true), null, cancellationToken).ConfigureAwait(false);
        }
        catch (RegistryException)
        {
            // The session expires by itself.
        }
    }

    private static Uri WithDigest(Uri location, Digest digest)
        => new($"{location.AbsoluteUri.TrimEnd('?', '&')}{(location.Query.Length > 1 ? '&' : '?')}digest={Uri.EscapeDataString(digest.ToString())}");

    private async Task<HttpResponseMessage> PutBlobAsync(Uri location, Descriptor blob, LocalBlob local, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        using var silence = new SilenceGuard(AnswerTimeout, cancellationToken);
        HttpContent Body()
        {
            // No using: the request that sends it disposes it.
            var content = new StreamContent(local.Open(bytes =>
            {
                silence.Heard();
                progress?.Report(bytes);
            }), 128 * 1024);
            content.Headers.ContentType = new("application/octet-stream");
            content.Headers.ContentLength = blob.Size;
            return content;
        }

        return await SendAsync(HttpMethod.Put, WithDigest(location, blob.Digest), new(Repository.Name, Push: true), Body, cancellationToken, silence: silence).ConfigureAwait(false);
    }

    /// <summary>
    /// Ranged PATCHes, then a PUT that closes. What was sent is told by a counter of our own: registries disagree about what Range means (wire-facts 1.5);
    /// theirs is asked only where they find ours out of order.
    /// </summary>
    private async Task UploadChunksAsync(UploadSession session, Descriptor blob, LocalBlob local, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        var what = $"PATCH blob {blob.Digest}";
        var size = Math.Max(ChunkSize, session.MinChunkLength);
        if (size > MaxChunkSize)
        {
            throw Fail(RegistryFailure.Rejected, $"{what} at {Repository}: it refuses the blob as a whole, and wants chunks of at least {session.MinChunkLength} bytes, more than the {MaxChunkSize} that are sent at once.");
        }

        var location = session.Location;
        var buffer = new byte[Math.Min(size, blob.Size)];
        long sent = 0;
        var resumed = false;
        var restarts = 0;
        var stream = local.Open(static _ => { });
        try
        {
            while (sent < blob.Size)
            {
                var length = (int)Math.Min(buffer.Length, blob.Size - sent);
                await stream.ReadExactlyAsync(buffer.AsMemory(0, length), cancellationToken).ConfigureAwait(false);
                using var response = await PatchAsync(location, buffer, length, sent, cancellationToken).ConfigureAwait(false);
                switch (response.StatusCode)
                {
                    case HttpStatusCode.Accepted or HttpStatusCode.NoContent or HttpStatusCode.Created:
                        location = response.Headers.Location is { } next ? Resolve(response.RequestMessage!.RequestUri!, next, what) : location;
                        sent += length;
                        resumed = false;
                        progress?.Report(sent);
                        break;
                    case HttpStatusCode.RequestedRangeNotSatisfiable when !resumed && restarts < MaxRestarts:
                        // It has another count: go on from there, once; and not for ever where it takes each chunk and then has none.
                        resumed = true;
                        restarts++;
                        var refusal = await UnexpectedAsync(response, what, cancellationToken).ConfigureAwait(false);
                        (location, sent) = await ResumeAsync(location, blob, sent, refusal, cancellationToken).ConfigureAwait(false);
                        await stream.DisposeAsync().ConfigureAwait(false);
                        stream = local.Open(static _ => { });
                        await SkipAsync(stream, sent, buffer, cancellationToken).ConfigureAwait(false);
                        break;
                    case HttpStatusCode.RequestEntityTooLarge:
                        throw Fail(RegistryFailure.Rejected, $"{what} at {Repository} is answered with 413 to {length} bytes: the registry, or a proxy before it (nginx: client_max_body_size), takes no request of that size.");
                    default:
                        throw await UnexpectedAsync(response, what, cancellationToken).ConfigureAwait(false);
                }
            }
        }
        finally
        {
            await stream.DisposeAsync().ConfigureAwait(false);
        }

        using var closed = await SendAsync(HttpMethod.Put, WithDigest(location, blob.Digest), new(Repository.Name, Push: true), EmptyBody, cancellationToken).ConfigureAwait(false);
        if (closed.StatusCode is not (HttpStatusCode.Created or HttpStatusCode.NoContent or HttpStatusCode.Accepted))
        {
            throw await UnexpectedAsync(closed, $"PUT blob {blob.Digest}", cancellationToken).ConfigureAwait(false);
        }

        EnsureSameDigest(closed, blob.Digest, $"PUT blob {blob.Digest}");
    }

    private async Task<HttpResponseMessage> PatchAsync(Uri location, byte[] buffer, int length, long start, CancellationToken cancellationToken)
    {
        HttpContent Body()
        {
            var content = new ByteArrayContent(buffer, 0, length);
            content.Headers.ContentType = new("application/octet-stream");
            // The spec's form has no «bytes», which .NET's typed header wants.
            content.Headers.TryAddWithoutValidation("Content-Range", string.Create(CultureInfo.InvariantCulture, $"{start}-{start + length - 1}"));
            return content;
        }

        return await SendAsync(HttpMethod.Patch, location, new(Repository.Name, Push: true), Body, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Asks a session how far it is (<c>Range: 0-41</c>).</summary>
    private async Task<(Uri Location, long Sent)> ResumeAsync(Uri location, Descriptor blob, long sent, RegistryException refusal, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(HttpMethod.Get, location, new(Repository.Name, Push: true), null, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode is not (HttpStatusCode.NoContent or HttpStatusCode.OK or HttpStatusCode.Accepted)
            || !response.Headers.NonValidated.TryGetValues("Range", out var values)
            || values.FirstOrDefault()?.Split('=')[^1].Split('-') is not ["0", var last]
            || !long.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out var end))
        {
            throw refusal;
        }

        // «0-0» is one byte by the text, and nothing by most servers' custom; one byte alone is never sent first.
        var has = end == 0 ? 0 : end + 1;
        if (has > blob.Size || has == sent)
        {
            throw refusal;
        }

        return (response.Headers.Location is { } next ? Resolve(response.RequestMessage!.RequestUri!, next, "GET blobs/uploads/") : location, has);
    }

    private static async Task SkipAsync(Stream stream, long bytes, byte[] buffer, CancellationToken cancellationToken)
    {
        while (bytes > 0)
        {
            var length = (int)Math.Min(bytes, buffer.Length);
            await stream.ReadExactlyAsync(buffer.AsMemory(0, length), cancellationToken).ConfigureAwait(false);
            bytes -= length;
        }
    }

    private UploadSession Session(HttpResponseMessage response)
    {
        // Against the address that answered, after redirects (containerd#11949 shows what happens otherwise).
        var location = response.Headers.Location ?? throw NotARegistry("POST blobs/uploads/", "202 without Location");
        var minimum = response.Headers.TryGetValues("OCI-Chunk-Min-Length", out var values)
            && long.TryParse(values.FirstOrDefault(), NumberStyles.None, CultureInfo.InvariantCulture, out var length) ? length : 0;
        return new(Resolve(response.RequestMessage!.RequestUri!, location, "POST blobs/uploads/"), minimum);
    }

    /// <summary>A blob's content on this machine, whose faults are not the registry's.</summary>
    private sealed class LocalBlob(Descriptor blob, Func<Stream> open)
    {
        /// <summary>What was wrong with it; null: nothing.</summary>
        public LocalBlobException? Failure { get; private set; }

        public Stream Open(Action<long> read)
        {
            try
            {
                return new Measured(this, new Guarded(this, open()), read);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw Unreadable(e);
            }
        }

        private LocalBlobException Unreadable(Exception e) => Failure ??= new($"the blob {blob.Digest} can't be read: {e.Message}", e);

        private void Check(long bytes, bool isEnd)
        {
            if (bytes > blob.Size || (isEnd && bytes < blob.Size))
            {
                throw Failure ??= new($"the blob {blob.Digest} has {(isEnd ? $"{bytes}" : $"more than {blob.Size}")} bytes instead of {blob.Size}; something changed it while it was sent");
            }
        }

        private sealed class Measured(LocalBlob owner, Stream inner, Action<long> read) : ReadThroughStream(inner)
        {
            protected override void Saw(ReadOnlySpan<byte> bytes)
            {
                owner.Check(Total, bytes.IsEmpty);
                read(Total);
            }
        }

        /// <summary>Marks a read that fails as ours: HttpClient makes it look like the connection's.</summary>
        private sealed class Guarded(LocalBlob owner, Stream inner) : Stream
        {
            public override bool CanRead => true;

            public override bool CanSeek => false;

            public override bool CanWrite => false;

            public override long Length => inner.Length;

            public override long Position { get => inner.Position; set => throw new NotSupportedException(); }

            public override int Read(byte[] buffer, int offset, int count)
            {
                try
                {
                    return inner.Read(buffer, offset, count);
                }
                catch (IOException e)
                {
                    throw owner.Unreadable(e);
                }
            }

            public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
            {
                try
                {
                    return await inner.ReadAsync(buffer, cancellationToken).ConfigureAwait(false);
                }
                catch (IOException e)
                {
                    throw owner.Unreadable(e);
                }
            }

            public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

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
    }
}
