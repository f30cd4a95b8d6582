using System.Globalization;
using System.Net;

namespace Registry.Sdk.Core.Primitives;

/// <content>
/// Uploads. A small blob is one PUT. A large one is one PATCH that carries all of it, as docker sends it, and a PUT that closes: what a cut leaves in the
/// session need not be sent again. From there on, and where a registry or a proxy does not take so much at once, it goes in ranged chunks.
/// </content>
public sealed partial class RegistryClient
{
    /// <summary>What GHCR takes in one ranged request (wire-facts 2.5).</summary>
    private const int ChunkSize = 4 << 20;

    // A registry that wants larger chunks than this takes the blob as a whole or not at all.
    private const long MaxChunkSize = 64 << 20;

    /// <summary>From here on a blob is worth being resumed, and one request more.</summary>
    private const long ResumableFrom = 16 << 20;

    private const int MaxRestarts = 5;

    private const long ExpectContinueFrom = 1 << 20;

    private long _bytesSentAgain;

    /// <inheritdoc/>
    public long BytesSentAgain => Interlocked.Read(ref _bytesSentAgain);

    /// <summary>Opens an upload session; by this the push right is proven.</summary>
    public Task<UploadSession> StartUploadAsync(CancellationToken cancellationToken) => TryAsync("POST blobs/uploads/", (_, c) => StartUploadOnceAsync(c), cancellationToken);

    private async Task<UploadSession> StartUploadOnceAsync(CancellationToken cancellationToken)
    {
        using var response = await SendAsync(HttpMethod.Post, Address($"/v2/{Repository.Name}/blobs/uploads/"), new(Repository.Name, Push: true), EmptyBody, cancellationToken).ConfigureAwait(false);
        return response.StatusCode == HttpStatusCode.Accepted
            ? Session(response)
            : throw await UnexpectedAsync(response, "POST blobs/uploads/", cancellationToken).ConfigureAwait(false);
    }

    /// <summary>Asks the registry to take a blob over from another of its repositories.</summary>
    /// <returns>Null if it did; else the session that it opened instead, to upload to.</returns>
    public Task<UploadSession?> MountAsync(Digest digest, string fromRepository, CancellationToken cancellationToken)
        => TryAsync($"POST blobs/uploads/ (mount {digest})", (_, c) => MountOnceAsync(digest, fromRepository, c), cancellationToken);

    private async Task<UploadSession?> MountOnceAsync(Digest digest, string fromRepository, CancellationToken cancellationToken)
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
                case var status when Resilience is not null && Transient.Is((int)status):
                    throw await UnexpectedAsync(response, $"POST blobs/uploads/ (mount {digest})", cancellationToken).ConfigureAwait(false);
                default:
                    // A mount is a wish: whatever is wrong with it (Harbor: 401 for a missing source), a plain upload is still possible.
                    return await StartUploadOnceAsync(cancellationToken).ConfigureAwait(false);
            }
        }
        catch (RegistryException e) when (e.Failure is not (RegistryFailure.Unreachable or RegistryFailure.Throttled) && !(e.IsTransient && Resilience is not null))
        {
            // So is one that a token server does not understand, because it asks for two scopes.
            return await StartUploadOnceAsync(cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            response?.Dispose();
        }
    }

    /// <summary>Sends a blob into a session, and goes on where it was after a cut.</summary>
    /// <param name="session">From <see cref="StartUploadAsync"/> or <see cref="MountAsync"/>; used up by this. Another is opened where it is gone.</param>
    /// <param name="blob">Digest and size of what is sent.</param>
    /// <param name="open">Opens the content from its beginning; called again where the body has to be sent again.</param>
    /// <param name="progress">Receives how much of the blob has been sent so far; less than before where it has to begin anew.</param>
    /// <param name="cancellationToken">Stops the upload.</param>
    /// <exception cref="LocalBlobException">The content is not as long as its descriptor says, or can't be read.</exception>
    public async Task UploadAsync(UploadSession session, Descriptor blob, Func<Stream> open, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(session);
        ArgumentNullException.ThrowIfNull(blob);
        ArgumentNullException.ThrowIfNull(open);
        var content = new LocalBlob(blob, open);
        var upload = new BlobUpload(session, blob, content, progress);
        var (turn, hasWaited) = await UploadTurns.TakeAsync($"{_endpoint.BaseAddress.Authority}/{Repository.Name}@{blob.Digest}", cancellationToken).ConfigureAwait(false);
        try
        {
            if (hasWaited && await HasBlobAsync(blob, cancellationToken).ConfigureAwait(false))
            {
                await CancelUploadAsync(session, cancellationToken).ConfigureAwait(false);
                return;
            }

            await TryAsync($"PUT blob {blob.Digest}", (call, c) => SendBlobAsync(upload, call, c), cancellationToken).ConfigureAwait(false);
        }
        finally
        {
            Interlocked.Add(ref _bytesSentAgain, Math.Max(0, content.Taken - blob.Size));
            turn.Dispose();
        }
    }

    /// <summary>Gives a session up. Registries that can't (GHCR: 405) let it expire; nothing depends on it.</summary>
    public async Task CancelUploadAsync(UploadSession session, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(session);
        await CancelUploadAsync(session.Location, cancellationToken).ConfigureAwait(false);
    }

    private async Task CancelUploadAsync(Uri location, CancellationToken cancellationToken)
    {
        try
        {
            using var response = await SendAsync(HttpMethod.Delete, location, new(Repository.Name, Push: true), null, cancellationToken).ConfigureAwait(false);
        }
        catch (RegistryException)
        {
            // The session expires by itself.
        }
    }

    private static Uri WithDigest(Uri location, Digest digest)
        => new($"{location.AbsoluteUri.TrimEnd('?', '&')}{(location.Query.Length > 1 ? '&' : '?')}digest={Uri.EscapeDataString(digest.ToString())}");

    /// <summary>One try: from where the session is to the end, unless the line is cut.</summary>
    private async Task<bool> SendBlobAsync(BlobUpload upload, Call call, CancellationToken cancellationToken)
    {
        // After a limit nothing is unclear: it was refused.
        if (call.Last is { Failure: not RegistryFailure.Throttled } && await RecoverAsync(upload, call, cancellationToken).ConfigureAwait(false))
        {
            return true;
        }

        while (true)
        {
            var step = upload.Step;
            using var response = await SendPartAsync(upload, step, call, cancellationToken).ConfigureAwait(false);
            var what = $"{(step is UploadStep.Whole or UploadStep.Close ? "PUT" : "PATCH")} blob {upload.Blob.Digest}";
            switch (step, response.StatusCode)
            {
                case (UploadStep.Whole or UploadStep.Close, HttpStatusCode.Created or HttpStatusCode.NoContent or HttpStatusCode.Accepted):
                    EnsureSameDigest(response, upload.Blob.Digest, what);
                    return true;
                case (UploadStep.Stream or UploadStep.Chunk, HttpStatusCode.Accepted or HttpStatusCode.NoContent or HttpStatusCode.Created):
                    if (upload.Took(response.Headers.Location is { } next ? Resolve(response.RequestMessage!.RequestUri!, next, what) : upload.Location))
                    {
                        call.GotOn();
                    }

                    break;
                case (UploadStep.Whole or UploadStep.Stream, HttpStatusCode.RequestEntityTooLarge or HttpStatusCode.RequestedRangeNotSatisfiable):
                    // The session may hold a part of what was refused: another is opened.
                    await CancelUploadAsync(upload.Location, cancellationToken).ConfigureAwait(false);
                    upload.Restart(await StartUploadOnceAsync(cancellationToken).ConfigureAwait(false), inChunks: true);
                    EnsureChunkSize(upload, what);
                    break;
                case (UploadStep.Stream, HttpStatusCode.MethodNotAllowed or HttpStatusCode.LengthRequired or HttpStatusCode.UnsupportedMediaType or HttpStatusCode.NotImplemented):
                    // Who knows no PATCH takes it by PUT.
                    await CancelUploadAsync(upload.Location, cancellationToken).ConfigureAwait(false);
                    upload.TakesPatch = false;
                    upload.Restart(await StartUploadOnceAsync(cancellationToken).ConfigureAwait(false), inChunks: false);
                    break;
                case (UploadStep.Chunk, HttpStatusCode.RequestedRangeNotSatisfiable) when upload.MayAsk():
                    // It has another count: go on from there, once; and not for ever where it takes each chunk and then has none.
                    var refusal = await UnexpectedAsync(response, what, cancellationToken).ConfigureAwait(false);
                    if (await AskSessionAsync(upload, cancellationToken).ConfigureAwait(false) is not { } held || held.Has == upload.Arrived)
                    {
                        throw refusal;
                    }

                    upload.Resume(held.Location, held.Has);
                    break;
                case (UploadStep.Chunk, HttpStatusCode.RequestEntityTooLarge):
                    throw Fail(RegistryFailure.Rejected, $"{what} at {Repository} is answered with 413 to {upload.NextLength} bytes: the registry, or a proxy before it (nginx: client_max_body_size), takes no request of that size.");
                case (_, HttpStatusCode.NotFound) when upload.MayRestart() && !IsHtml(response):
                    // Sessions expire, and are lost when a registry restarts; once is bad luck.
                    upload.Restart(await StartUploadOnceAsync(cancellationToken).ConfigureAwait(false), upload.InChunks);
                    break;
                case (UploadStep.Whole, HttpStatusCode.NotFound) when !IsHtml(response):
                    throw Fail(RegistryFailure.Rejected, $"{what} at {Repository} is answered with 404{await ErrorTextAsync(response, cancellationToken).ConfigureAwait(false)}: the registry forgets upload sessions that it has just opened.");
                case (UploadStep.Close, HttpStatusCode.BadRequest) when upload.WasResumed && upload.MayRestart():
                    // What the session held was not what we thought: from the beginning, then.
                    upload.Restart(await StartUploadOnceAsync(cancellationToken).ConfigureAwait(false), upload.InChunks);
                    break;
                default:
                    throw await UnexpectedAsync(response, what, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    /// <summary>After a failure: whether all arrived nevertheless; if not, the session is asked how much of it did.</summary>
    private async Task<bool> RecoverAsync(BlobUpload upload, Call call, CancellationToken cancellationToken)
    {
        var (isThere, length) = await LookForBlobAsync(upload.Blob.Digest, cancellationToken).ConfigureAwait(false);
        if (isThere && (length is null || length == upload.Blob.Size))
        {
            return true;
        }

        if (await AskSessionAsync(upload, cancellationToken).ConfigureAwait(false) is { } held)
        {
            if (upload.Resume(held.Location, held.Has))
            {
                call.GotOn();
            }
        }
        else
        {
            upload.Restart(await StartUploadOnceAsync(cancellationToken).ConfigureAwait(false), upload.InChunks);
        }

        return false;
    }

    private void EnsureChunkSize(BlobUpload upload, string what)
    {
        if (upload.ChunkLength > MaxChunkSize)
        {
            throw Fail(RegistryFailure.Rejected, $"{what.Replace("PUT", "PATCH", StringComparison.Ordinal)} at {Repository}: it refuses the blob as a whole, and wants chunks of at least {upload.ChunkLength} bytes, more than the {MaxChunkSize} that are sent at once.");
        }
    }

    private async Task<HttpResponseMessage> SendPartAsync(BlobUpload upload, UploadStep step, Call call, CancellationToken cancellationToken)
    {
        var (start, length) = (upload.Arrived, upload.NextLength);
        using var silence = new SilenceGuard(AnswerTimeout, cancellationToken);
        HttpContent Body()
        {
            // No using: the request that sends it disposes it.
            var content = new StreamContent(upload.Content.Open(start, length, bytes =>
            {
                silence.Heard();
                call.Heard();
                upload.Progress?.Report(bytes);
            }), 128 * 1024);
            content.Headers.ContentType = new("application/octet-stream");
            content.Headers.ContentLength = length;
            if (step == UploadStep.Chunk)
            {
                // The spec's form has no «bytes», which .NET's typed header wants.
                content.Headers.TryAddWithoutValidation("Content-Range", string.Create(CultureInfo.InvariantCulture, $"{start}-{start + length - 1}"));
            }

            return content;
        }

        var isPatch = step is UploadStep.Stream or UploadStep.Chunk;
        try
        {
            return await SendAsync(
                isPatch ? HttpMethod.Patch : HttpMethod.Put,
                isPatch ? upload.Location : WithDigest(upload.Location, upload.Blob.Digest),
                new(Repository.Name, Push: true), step == UploadStep.Close ? EmptyBody : Body, cancellationToken, silence: silence).ConfigureAwait(false);
        }
        catch (RegistryException) when (upload.Content.Failure is not null)
        {
            // The request broke off because of us.
            throw upload.Content.Failure;
        }
    }

    /// <summary>
    /// Asks a session how far it is (<c>Range: 0-41</c>); null where it is lost or does not say. What was sent is told by a counter of our own where nothing
    /// went wrong: registries disagree about what Range means (wire-facts 1.5).
    /// </summary>
    private async Task<(Uri Location, long Has)?> AskSessionAsync(BlobUpload upload, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(HttpMethod.Get, upload.Location, new(Repository.Name, Push: true), null, cancellationToken).ConfigureAwait(false);
        if (Transient.Is((int)response.StatusCode))
        {
            throw await UnexpectedAsync(response, "GET blobs/uploads/", cancellationToken).ConfigureAwait(false);
        }

        if (response.StatusCode is not (HttpStatusCode.NoContent or HttpStatusCode.OK or HttpStatusCode.Accepted)
            || !response.Headers.NonValidated.TryGetValues("Range", out var values)
            || values.FirstOrDefault()?.Split('=')[^1].Split('-') is not ["0", var last]
            || !long.TryParse(last, NumberStyles.None, CultureInfo.InvariantCulture, out var end))
        {
            return null;
        }

        // «0-0» is one byte by the text, and nothing by most servers' custom; one byte alone is never sent first.
        var has = end == 0 ? 0 : end + 1;
        return has > upload.Blob.Size ? null
            : (response.Headers.Location is { } next ? Resolve(response.RequestMessage!.RequestUri!, next, "GET blobs/uploads/") : upload.Location, has);
    }

    private UploadSession Session(HttpResponseMessage response)
    {
        // Against the address that answered, after redirects (containerd#11949 shows what happens otherwise).
        var location = response.Headers.Location ?? throw NotARegistry("POST blobs/uploads/", "202 without Location");
        var minimum = response.Headers.TryGetValues("OCI-Chunk-Min-Length", out var values)
            && long.TryParse(values.FirstOrDefault(), NumberStyles.None, CultureInfo.InvariantCulture, out var length) ? length : 0;
        return new(Resolve(response.RequestMessage!.RequestUri!, location, "POST blobs/uploads/"), minimum);
    }

    /// <summary>What is sent next.</summary>
    private enum UploadStep
    {
        /// <summary>A PUT with all of it.</summary>
        Whole,

        /// <summary>A PATCH with all of it.</summary>
        Stream,

        /// <summary>A PATCH with the next chunk.</summary>
        Chunk,

        /// <summary>The empty PUT that ends it.</summary>
        Close,
    }

    /// <summary>How far an upload is, over all its requests.</summary>
    private sealed class BlobUpload(UploadSession session, Descriptor blob, LocalBlob content, IProgress<long>? progress)
    {
        private UploadSession _session = session;
        private int _restarts;
        private int _asked;
        private bool _hasAsked;
        private bool _isPatched;
        private int _emptyHanded;
        private long _furthest;

        public Descriptor Blob => blob;

        public LocalBlob Content => content;

        public IProgress<long>? Progress => progress;

        public Uri Location => _session.Location;

        /// <summary>Bytes that the session is known to hold.</summary>
        public long Arrived { get; private set; }

        public bool InChunks { get; private set; }

        public bool WasResumed { get; private set; }

        public bool TakesPatch { get; set; } = true;

        public long ChunkLength => Math.Max(ChunkSize, _session.MinChunkLength);

        public UploadStep Step => _isPatched && Arrived == blob.Size ? UploadStep.Close
            : InChunks ? UploadStep.Chunk
            : TakesPatch && blob.Size >= ResumableFrom ? UploadStep.Stream
            : UploadStep.Whole;

        public long NextLength => InChunks ? Math.Min(ChunkLength, blob.Size - Arrived) : blob.Size - Arrived;

        /// <summary>The registry took what was sent. True if it never held as much before.</summary>
        public bool Took(Uri location)
        {
            Arrived += NextLength;
            _isPatched = true;
            _hasAsked = false;
            _session = _session with { Location = location };
            return IsFurther();
        }

        /// <summary>Goes on where the session is. True if it never held as much before.</summary>
        public bool Resume(Uri location, long has)
        {
            // A session that keeps nothing of a request that is cut, again and again, may keep chunks that came before it.
            InChunks |= has > 0 || (blob.Size >= ResumableFrom && _emptyHanded++ > 0);
            _isPatched |= has > 0;
            WasResumed |= has > 0;
            Arrived = has;
            _session = _session with { Location = location };
            return IsFurther();
        }

        // The first chunk of each of many sessions is no progress.
        private bool IsFurther()
        {
            var isFurther = Arrived > _furthest;
            _furthest = Math.Max(_furthest, Arrived);
            return isFurther;
        }

        /// <summary>Begins anew.</summary>
        public void Restart(UploadSession next, bool inChunks)
        {
            (_session, Arrived, InChunks) = (next, 0, inChunks);
            (_isPatched, WasResumed) = (false, false);
        }

        /// <summary>Whether a session that is gone may be replaced: again only if the one before took something.</summary>
        public bool MayRestart() => (_isPatched || _restarts == 0) && _restarts++ < MaxRestarts;

        /// <summary>Whether a session that disagrees may be asked what it holds.</summary>
        public bool MayAsk()
        {
            var may = !_hasAsked && _asked < MaxRestarts;
            _hasAsked = true;
            _asked++;
            return may;
        }
    }
}
