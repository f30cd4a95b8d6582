using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Security.Authentication;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Registry.Sdk.Core.Primitives;

/// <summary>A manifest as a registry serves it.</summary>
/// <param name="Descriptor">Media type, digest of the exact bytes, size.</param>
/// <param name="Content">The exact bytes; never re-serialised.</param>
public sealed record ManifestContent(Descriptor Descriptor, byte[] Content);

/// <summary>One repository over the OCI distribution protocol 1.1. Source: distribution spec; wire-facts 1.</summary>
/// <remarks>
/// What is repeated is harmless to repeat: reading, opening a session, writing what is named by its digest; a tag only after a look (see
/// <see cref="HostResilience"/>). Everything read is bounded and checked against its digest.
/// </remarks>
public sealed partial class RegistryClient : IImageRepository
{
    /// <summary>Registries should take manifests up to 4 MB (distribution spec, «Pushing manifests»); a larger one is refused, configs too.</summary>
    public const int MaxManifestBytes = 8 << 20;

    /// <summary>A list of more pages is none that a person made.</summary>
    public const int MaxPages = 1000;

    /// <summary>Tags of one repository: what has more can't be listed. Amazon's limit for images, the highest that is published, is half of it.</summary>
    public const int MaxTags = 200_000;

    /// <summary>Bytes of all pages of one list together: several times what that many tags take.</summary>
    public const int MaxListBytes = 32 << 20;

    private const int MaxRedirects = 5;

    internal const string UserAgent = "registry-sdk/1.0";

    private readonly RegistryEndpoint _endpoint;
    private readonly RegistryAuthenticator _authenticator;
    private readonly HttpMessageInvoker _http;
    private readonly Action<string> _trace;

    // What tags named when they were last looked at, or written, here.
    private readonly ConcurrentDictionary<string, Digest?> _named = new(StringComparer.Ordinal);
    private volatile bool _hasWrittenTag;

    internal RegistryClient(RegistryEndpoint endpoint, RepositoryReference repository, RegistryAuthenticator authenticator, HttpMessageInvoker http, Action<string> trace)
    {
        _endpoint = endpoint;
        Repository = repository;
        _authenticator = authenticator;
        _http = http;
        _trace = trace;
    }

    /// <summary>The repository.</summary>
    public RepositoryReference Repository { get; }

    /// <summary>Keeps secrets out of what is said.</summary>
    private Redactor Redactor => _authenticator.Redactor;

    /// <inheritdoc/>
    ImagePlace IImageRepository.Place => Repository;

    /// <summary>Where the credential in use came from; null while anonymous.</summary>
    public string? CredentialSource => _authenticator.SourceOf(Repository.Name);

    /// <summary>Hears every request and its answer, as evidence has them.</summary>
    internal Action<string, string>? Heard { get; init; }

    /// <summary>How failures are met; null: each is handed on at once.</summary>
    internal HostResilience? Resilience { get; init; }

    /// <summary>How long a registry may take to answer what it only has to look up, so that three tries are within what a host is waited for.</summary>
    private static readonly TimeSpan ReadTimeout = TimeSpan.FromSeconds(30);

    /// <summary>How long the registry may be silent.</summary>
    internal TimeSpan AnswerTimeout { get; init; } = TimeSpan.FromSeconds(100);

    /// <summary>
    /// Asks <c>GET /v2/</c> and finishes authentication. The scope it ends with is push and pull for this repository.
    /// </summary>
    /// <exception cref="RegistryException">Unreachable, no registry, or credentials missing or refused.</exception>
    public Task PingAsync(CancellationToken cancellationToken) => TryAsync("GET /v2/", async (_, c) =>
    {
        await PingOnceAsync(c).ConfigureAwait(false);
        return true;
    }, cancellationToken);

    private async Task PingOnceAsync(CancellationToken cancellationToken)
    {
        using var response = await SendAsync(HttpMethod.Get, Address("/v2/"), new(Repository.Name, Push: true), null, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode != HttpStatusCode.OK)
        {
            var refusal = await UnexpectedAsync(response, "GET /v2/", cancellationToken).ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.NotFound && await ServesRepositoryAsync(cancellationToken).ConfigureAwait(false))
            {
                // The spec wants the ping answered; some proxies route the repositories alone.
                return;
            }

            // What a server that speaks TLS says to plain http (Go's net/http, nginx).
            throw response.StatusCode == HttpStatusCode.BadRequest && _endpoint.BaseAddress.Scheme == Uri.UriSchemeHttp
                ? Fail(RegistryFailure.NotARegistry, $"GET /v2/ at {_endpoint.BaseAddress.Authority} is answered with 400, as servers answer plain http where they speak https. If this one does, add <RegistrySdkEndpoint Include=\"{_endpoint.Host}\" Registry=\"https://{_endpoint.BaseAddress.Authority}\" />.")
                : refusal;
        }

        if (IsHtml(response))
        {
            throw NotARegistry("GET /v2/", "a web page (HTML)");
        }
    }

    /// <summary>Whether what answers for the repository's tag list is a registry, whatever it says of the repository.</summary>
    private async Task<bool> ServesRepositoryAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var response = await SendAsync(HttpMethod.Get, Address($"/v2/{Repository.Name}/tags/list?n=1"), new(Repository.Name, Push: true), null, cancellationToken).ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.NotFound)
            {
                // A registry names the reason; a web server does not.
                return !IsHtml(response) && (await ErrorTextAsync(response, cancellationToken).ConfigureAwait(false)).Length > 0;
            }

            return response.StatusCode == HttpStatusCode.OK && !IsHtml(response)
                && RegistryJson.Parse(await ReadBoundedAsync(response, MaxManifestBytes, _endpoint.Host, Redactor, AnswerTimeout, cancellationToken).ConfigureAwait(false)) is { } list && list.ContainsKey("tags");
        }
        catch (JsonException)
        {
            return false;
        }
        catch (RegistryException e) when (e.Failure is RegistryFailure.WrongContent or RegistryFailure.NotARegistry or RegistryFailure.Denied)
        {
            // Authenticated, but without the right to list: who pushes need not have it.
            return e.Failure == RegistryFailure.Denied;
        }
    }

    /// <summary>The manifest under a tag or digest; null if there is none.</summary>
    /// <exception cref="RegistryException">WrongContent if the bytes do not have the digest asked for or announced.</exception>
    public Task<ManifestContent?> GetManifestAsync(string reference, CancellationToken cancellationToken)
        => TryAsync($"GET manifest {reference}", (_, c) => GetManifestOnceAsync(reference, c), cancellationToken);

    private async Task<ManifestContent?> GetManifestOnceAsync(string reference, CancellationToken cancellationToken)
    {
        var what = $"GET manifest {reference}";
        using var response = await SendAsync(HttpMethod.Get, ManifestAddress(reference), new(Repository.Name, Push: false), null, cancellationToken, acceptManifests: true).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            EnsureRegistryNotFound(response, what);
            _named[reference] = null;
            return null;
        }

        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw await UnexpectedAsync(response, what, cancellationToken).ConfigureAwait(false);
        }

        if (IsHtml(response))
        {
            throw NotARegistry(what, "a web page (HTML)");
        }

        var content = await ReadBoundedAsync(response, MaxManifestBytes, _endpoint.Host, Redactor, AnswerTimeout, cancellationToken).ConfigureAwait(false);
        if (content.Length == 0)
        {
            throw NotARegistry(what, "an empty body");
        }

        var digest = Digest.Of(content);
        var announced = response.Headers.TryGetValues("Docker-Content-Digest", out var values) ? values.FirstOrDefault() : null;
        var expected = Digest.TryParse(reference, out var byDigest) ? byDigest : Digest.TryParse(announced, out var byHeader) ? byHeader : null;
        if (expected is not null && expected != digest)
        {
            throw Fail(RegistryFailure.WrongContent, $"{what} at {Repository} should have been {expected} but is {digest}.");
        }

        var mediaType = response.Content.Headers.ContentType?.MediaType ?? string.Empty;
        if (!MediaTypes.IsIndex(mediaType) && !MediaTypes.IsManifest(mediaType))
        {
            // Some servers say application/json; the manifest itself knows better. Anything else is not an image.
            mediaType = MediaTypes.OfManifest(content) ?? throw NotARegistry(what, $"content of type '{Redactor.Words(mediaType)}', which is no image manifest");
        }

        _named[reference] = digest;
        return new(new(mediaType, digest, content.Length), content);
    }

    /// <summary>The digest under a tag or digest; null if there is none. HEAD where the registry names the digest, else GET.</summary>
    public Task<Digest?> FindManifestAsync(string reference, CancellationToken cancellationToken)
        => TryAsync($"HEAD manifest {reference}", (_, c) => FindManifestOnceAsync(reference, c), cancellationToken);

    private async Task<Digest?> FindManifestOnceAsync(string reference, CancellationToken cancellationToken)
    {
        var what = $"HEAD manifest {reference}";
        using var response = await SendAsync(HttpMethod.Head, ManifestAddress(reference), new(Repository.Name, Push: false), null, cancellationToken, acceptManifests: true).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            EnsureRegistryNotFound(response, what);
            _named[reference] = null;
            return null;
        }

        if (response.StatusCode == HttpStatusCode.OK && !IsHtml(response)
            && response.Headers.TryGetValues("Docker-Content-Digest", out var values) && Digest.TryParse(values.FirstOrDefault(), out var digest))
        {
            if (Digest.TryParse(reference, out var asked) && asked != digest)
            {
                throw Fail(RegistryFailure.WrongContent, $"{what} at {Repository} is answered with {digest}.");
            }

            _named[reference] = digest;
            return digest;
        }

        // No digest, or an error without a body to explain it: GET tells.
        return (await GetManifestOnceAsync(reference, cancellationToken).ConfigureAwait(false))?.Descriptor.Digest;
    }

    /// <summary>Whether the repository holds a blob. A blob of another size is not the one that was meant.</summary>
    /// <exception cref="RegistryException">WrongDescriptor if the blob has the digest, but is smaller; WrongContent if it has another digest, or is larger.</exception>
    public async Task<bool> HasBlobAsync(Descriptor blob, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(blob);
        var what = $"HEAD blob {blob.Digest}";
        var (isThere, length) = await TryAsync(what, (_, c) => LookForBlobAsync(blob.Digest, c), cancellationToken).ConfigureAwait(false);
        if (!isThere || length is null || length == blob.Size)
        {
            return isThere;
        }

        // Who is wrong, the registry or whoever wrote the size? Its bytes tell. But more of them than the image says are not fetched to find out:
        // a registry can claim any number, and go on for ever.
        var other = new Descriptor(blob.MediaType, blob.Digest, length.Value);
        try
        {
            if (length > 0 && length < blob.Size && await CopyBlobToAsync(other, Stream.Null, cancellationToken).ConfigureAwait(false))
            {
                throw Fail(RegistryFailure.WrongDescriptor, $"the blob {blob.Digest} at {Repository} has {length} bytes, and its digest is right: the image that says {blob.Size} bytes is malformed.");
            }
        }
        catch (RegistryException e) when (e.Failure is RegistryFailure.WrongContent or RegistryFailure.NotARegistry)
        {
            // Then the registry is.
        }

        throw Fail(RegistryFailure.WrongContent, $"{what} at {Repository} has {length} bytes instead of {blob.Size}.");
    }

    private async Task<(bool IsThere, long? Length)> LookForBlobAsync(Digest digest, CancellationToken cancellationToken)
    {
        var what = $"HEAD blob {digest}";
        using var response = await SendAsync(HttpMethod.Head, BlobAddress(digest), new(Repository.Name, Push: false), null, cancellationToken).ConfigureAwait(false);

        // Blob reads may be answered by a redirect to a CDN, for HEAD too; SendAsync has followed it.
        switch (response.StatusCode)
        {
            case HttpStatusCode.NotFound:
                EnsureRegistryNotFound(response, what);
                return (false, null);
            case HttpStatusCode.OK when IsHtml(response):
                throw NotARegistry(what, "a web page (HTML)");
            case HttpStatusCode.OK:
                return (true, response.Content.Headers.ContentLength);
            default:
                throw await UnexpectedAsync(response, what, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Reads a small blob (an image config) into memory, checked against its digest; null if there is none.</summary>
    public async Task<byte[]?> GetSmallBlobAsync(Descriptor blob, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(blob);
        var what = $"GET blob {blob.Digest}";
        if (blob.Size > MaxManifestBytes)
        {
            throw Fail(RegistryFailure.WrongContent, $"{what} at {Repository} claims {blob.Size} bytes; an image config has at most {MaxManifestBytes}.");
        }

        return await TryAsync(what, (_, c) => GetSmallBlobOnceAsync(blob, what, c), cancellationToken).ConfigureAwait(false);
    }

    private async Task<byte[]?> GetSmallBlobOnceAsync(Descriptor blob, string what, CancellationToken cancellationToken)
    {
        using var response = await SendAsync(HttpMethod.Get, BlobAddress(blob.Digest), new(Repository.Name, Push: false), null, cancellationToken).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }

        if (response.StatusCode != HttpStatusCode.OK)
        {
            throw await UnexpectedAsync(response, what, cancellationToken).ConfigureAwait(false);
        }

        var content = await ReadBoundedAsync(response, (int)blob.Size, _endpoint.Host, Redactor, AnswerTimeout, cancellationToken).ConfigureAwait(false);
        var digest = Digest.Of(content);
        return digest == blob.Digest ? content : throw Fail(RegistryFailure.WrongContent, $"{what} at {Repository} is {digest} ({content.Length} bytes).");
    }

    /// <summary>
    /// Streams a blob into <paramref name="target"/> and checks size and digest; false if there is none. What is cut off goes on where it was. On failure
    /// the target holds rubbish.
    /// </summary>
    public async Task<bool> CopyBlobToAsync(Descriptor blob, Stream target, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(blob);
        ArgumentNullException.ThrowIfNull(target);
        var what = $"GET blob {blob.Digest}";
        using var download = new BlobDownload(blob, target);
        if (!await TryAsync(what, (call, c) => CopyBlobOnceAsync(download, what, call, c), cancellationToken).ConfigureAwait(false))
        {
            return false;
        }

        var digest = download.Digest();
        return download.Total == blob.Size && digest == blob.Digest
            ? true
            : throw Fail(RegistryFailure.WrongContent, $"{what} at {Repository} is {(download.Total > blob.Size ? "larger than" : $"{download.Total} bytes, digest {digest}, instead of")} {blob.Size} bytes.");
    }

    private async Task<bool> CopyBlobOnceAsync(BlobDownload download, string what, Call call, CancellationToken cancellationToken)
    {
        var start = download.Total;
        if (start > 0 && start >= download.Blob.Size)
        {
            // Only its end was cut off.
            return true;
        }

        using var response = await SendAsync(HttpMethod.Get, BlobAddress(download.Blob.Digest), new(Repository.Name, Push: false), null, cancellationToken, from: start).ConfigureAwait(false);
        if (response.StatusCode == HttpStatusCode.NotFound)
        {
            return false;
        }

        var isRest = start > 0 && response.StatusCode == HttpStatusCode.PartialContent && response.Content.Headers.ContentRange?.From == start;
        if (response.StatusCode != HttpStatusCode.OK && !isRest)
        {
            throw await UnexpectedAsync(response, what, cancellationToken).ConfigureAwait(false);
        }

        using var silence = new SilenceGuard(AnswerTimeout, cancellationToken);
        var body = await ReadAsync<Stream>(() => new(response.Content.ReadAsStreamAsync(silence.Token))).ConfigureAwait(false);
        await using (body.ConfigureAwait(false))
        {
            // Who can't begin in the middle begins anew, and what is here already is passed over.
            var known = isRest ? 0 : start;
            var buffer = new byte[128 * 1024];
            int read;
            while (download.Total <= download.Blob.Size && (read = await ReadAsync(() => body.ReadAsync(buffer, silence.Token)).ConfigureAwait(false)) > 0)
            {
                var skip = (int)Math.Min(known, read);
                known -= skip;
                if (read > skip)
                {
                    // Not the registry's failure: the disk may be full.
                    await download.AddAsync(buffer.AsMemory(skip, read - skip), cancellationToken).ConfigureAwait(false);
                    call.GotOn();
                }

                silence.Heard();
                call.Heard();
            }
        }

        return true;

        async ValueTask<T> ReadAsync<T>(Func<ValueTask<T>> read)
        {
            try
            {
                return await read().ConfigureAwait(false);
            }
            catch (Exception e) when (IsTransport(e, cancellationToken))
            {
                throw Unreachable(what, e, response.RequestMessage!.RequestUri!);
            }
        }
    }

    /// <summary>Whether the repository is there for the credentials in use, judged by its tag list.</summary>
    public Task<bool> RepositoryExistsAsync(CancellationToken cancellationToken) => TryAsync("GET tags/list", (_, c) => RepositoryExistsOnceAsync(c), cancellationToken);

    private async Task<bool> RepositoryExistsOnceAsync(CancellationToken cancellationToken)
    {
        try
        {
            using var response = await SendAsync(HttpMethod.Get, Address($"/v2/{Repository.Name}/tags/list?n=1"), new(Repository.Name, Push: false), null, cancellationToken).ConfigureAwait(false);
            switch (response.StatusCode)
            {
                case HttpStatusCode.NotFound:
                    EnsureRegistryNotFound(response, "GET tags/list");
                    return false;
                // What stands in between answers 200 too: only a list of tags says that there is something.
                case HttpStatusCode.OK when !IsHtml(response):
                    return RegistryJson.Parse(await ReadBoundedAsync(response, MaxManifestBytes, _endpoint.Host, Redactor, AnswerTimeout, cancellationToken).ConfigureAwait(false)) is { } list && list.ContainsKey("tags")
                        ? true
                        : throw NotARegistry("GET tags/list", "something else than tags");
                default:
                    throw await UnexpectedAsync(response, "GET tags/list", cancellationToken).ConfigureAwait(false);
            }
        }
        catch (JsonException)
        {
            throw NotARegistry("GET tags/list", "something else than JSON");
        }
        catch (RegistryException e) when (e.IsRefusal)
        {
            // GHCR and Docker Hub hide what is not there behind «denied».
            return false;
        }
    }

    /// <summary>All tags, in whatever order the registry has (GHCR: by creation), each once; empty if there is no such repository.</summary>
    /// <returns>Legal tags alone (<see cref="RepositoryReference.IsLegalTag"/>): what else a list holds names nothing that could be asked for, and is passed over.</returns>
    /// <exception cref="RegistryException">
    /// NotARegistry if its pages lead nowhere, in a circle, to another host, or are more than <see cref="MaxPages"/>, <see cref="MaxListBytes"/> or
    /// <see cref="MaxTags"/>.
    /// </exception>
    public async Task<IReadOnlyList<string>> ListTagsAsync(CancellationToken cancellationToken)
    {
        const string What = "GET tags/list";
        var tags = new HashSet<string>(StringComparer.Ordinal);
        var result = new List<string>();
        // ECR refuses more than 1000; others give fewer as they like.
        await foreach (var page in PagesAsync(Address($"/v2/{Repository.Name}/tags/list?n=1000"), What, new(Repository.Name, Push: false), cancellationToken).ConfigureAwait(false))
        {
            // An error under 200 is no empty list. «tags»: null is one: GHCR's last page, Distribution's empty repository.
            if (!page.Body.TryGetPropertyValue("tags", out var list))
            {
                throw NotARegistry(What, "something else than tags");
            }

            if (list is null)
            {
                continue;
            }

            if (list.GetValueKind() != JsonValueKind.Array)
            {
                throw NotARegistry(What, "tags that are no list");
            }

            // Not as nodes: a page that is nothing but commas and digits would become an object for each of its millions of items.
            foreach (var item in JsonSerializer.SerializeToElement(list).EnumerateArray())
            {
                if (item.ValueKind != JsonValueKind.String || item.GetString() is not { } tag || !RepositoryReference.IsLegalTag(tag) || !tags.Add(tag))
                {
                    continue;
                }

                result.Add(tags.Count <= MaxTags ? tag : throw NotARegistry(What, $"more than {MaxTags} tags"));
            }
        }

        return result;
    }

    /// <summary>The JSON objects under an address and the pages that its <c>Link</c> headers lead to, at most <see cref="MaxListBytes"/> of them; none if it answers 404. Source: RFC 8288.</summary>
    internal async IAsyncEnumerable<(JsonObject Body, HttpResponseHeaders Headers)> PagesAsync(
        Uri first, string what, TokenScope scope, [System.Runtime.CompilerServices.EnumeratorCancellation] CancellationToken cancellationToken)
    {
        var seen = new HashSet<Uri>();
        var bytes = 0L;
        for (Uri? address = first; address is not null;)
        {
            if (!seen.Add(address) || seen.Count > MaxPages)
            {
                throw NotARegistry(what, seen.Count > MaxPages ? $"more than {MaxPages} pages" : "pages that lead in a circle");
            }

            var asked = address;
            var isFirst = seen.Count == 1;
            if (await TryAsync(what, (_, c) => PageAsync(asked, isFirst, c), cancellationToken).ConfigureAwait(false) is not { } page)
            {
                yield break;
            }

            bytes += page.Size;
            if (bytes > MaxListBytes)
            {
                throw NotARegistry(what, $"more than {MaxListBytes} bytes");
            }

            yield return (page.Body, page.Headers);

            var next = page.Headers.NonValidated.TryGetValues("Link", out var links) ? WebLink.Next(links) : null;
            address = next is null ? null : Resolve(page.Answered, next, what);
            if (address is not null && !SameOrigin(address, _endpoint.BaseAddress))
            {
                throw NotARegistry(what, $"a next page at {Redactor.Words(address.Authority)}, where nothing is asked");
            }
        }

        async Task<(JsonObject Body, int Size, HttpResponseHeaders Headers, Uri Answered)?> PageAsync(Uri page, bool isFirst, CancellationToken token)
        {
            using var response = await SendAsync(HttpMethod.Get, page, scope, null, token).ConfigureAwait(false);
            if (response.StatusCode == HttpStatusCode.NotFound && isFirst)
            {
                return null;
            }

            if (response.StatusCode != HttpStatusCode.OK)
            {
                throw await UnexpectedAsync(response, what, token).ConfigureAwait(false);
            }

            if (IsHtml(response))
            {
                throw NotARegistry(what, "a web page (HTML)");
            }

            var content = await ReadBoundedAsync(response, MaxManifestBytes, _endpoint.Host, Redactor, AnswerTimeout, token).ConfigureAwait(false);
            return (Object(content), content.Length, response.Headers, response.RequestMessage!.RequestUri!);
        }

        JsonObject Object(byte[] content)
        {
            try
            {
                return RegistryJson.Parse(content) ?? throw NotARegistry(what, "something else than a JSON object");
            }
            catch (JsonException)
            {
                throw NotARegistry(what, "something else than JSON");
            }
        }
    }

    /// <summary>
    /// Writes a manifest under a tag or its digest. Where the answer is lost, it is looked up before it is written again, and a tag also where it had to
    /// wait: who looked at it decided by what it named then. A tag that names a third image by now is another publish's, and is left alone.
    /// </summary>
    public async Task PutManifestAsync(string reference, ManifestContent manifest, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var what = $"PUT manifest {reference}";
        var denials = 0;
        var isAtGitHub = PackageServices.Of(_endpoint) == PackageService.GitHub || PackageServices.ByName(_endpoint.Host) == PackageService.GitHub;
        var isTag = !Digest.TryParse(reference, out _);
        var mayBeSporadic = Resilience is not null && isAtGitHub && isTag;
        await TryAsync(what, async (call, c) =>
        {
            // One that was refused was not written; but by others it may have been since.
            var mayBeThere = call.Last is { Failure: not (RegistryFailure.Throttled or RegistryFailure.Denied) } || (isTag && (call.Last is not null || call.WasHeldBack));
            if (mayBeThere && await WasWrittenAsync(reference, manifest.Descriptor.Digest, what, call.Last, c).ConfigureAwait(false))
            {
                return true;
            }

            // GHCR refuses the second of two tags now and then (wire-facts 2.5); who has just written one may write another.
            await PutOnceAsync(reference, manifest, what, words => mayBeSporadic && _hasWrittenTag && Throttling.IsSporadic(words) && denials++ == 0, c).ConfigureAwait(false);
            return true;
        }, cancellationToken).ConfigureAwait(false);
        _hasWrittenTag |= isTag;
        _named[reference] = manifest.Descriptor.Digest;
    }

    /// <summary>Writes a manifest; gives the subject that the registry says it indexed it under (<c>OCI-Subject</c>), or null.</summary>
    internal Task<Digest?> PushManifestAsync(string reference, ManifestContent manifest, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(manifest);
        var what = $"PUT manifest {reference}";
        return TryAsync(what, (_, c) => PutOnceAsync(reference, manifest, what, static _ => false, c), cancellationToken);
    }

    private async Task<bool> WasWrittenAsync(string reference, Digest digest, string what, RegistryException? lost, CancellationToken cancellationToken)
    {
        var isKnown = _named.TryGetValue(reference, out var before);
        var found = await FindManifestOnceAsync(reference, cancellationToken).ConfigureAwait(false);
        if (found == digest)
        {
            return true;
        }

        return isKnown && found != before
            ? throw Fail(RegistryFailure.TakenMeanwhile, $"{what} at {Repository} {(lost is null ? "had to wait" : $"failed ({lost.Message.TrimEnd('.')})")}, and {reference} names {found?.ToString() ?? "nothing"} by now, which another publish did; it was not written again.")
            : false;
    }

    private async Task<Digest?> PutOnceAsync(string reference, ManifestContent manifest, string what, Func<string, bool> isSporadic, CancellationToken cancellationToken)
    {
        HttpContent Body()
        {
            var content = new ByteArrayContent(manifest.Content);
            content.Headers.ContentType = new(manifest.Descriptor.MediaType);
            return content;
        }

        using var response = await SendAsync(HttpMethod.Put, ManifestAddress(reference), new(Repository.Name, Push: true), Body, cancellationToken, isSporadic: isSporadic).ConfigureAwait(false);
        if (response.StatusCode is not (HttpStatusCode.Created or HttpStatusCode.OK or HttpStatusCode.Accepted))
        {
            throw await UnexpectedAsync(response, what, cancellationToken).ConfigureAwait(false);
        }

        if (IsHtml(response))
        {
            throw NotARegistry(what, "a web page (HTML)");
        }

        EnsureSameDigest(response, manifest.Descriptor.Digest, what);
        return response.Headers.TryGetValues("OCI-Subject", out var values) && Digest.TryParse(values.FirstOrDefault(), out var subject) ? subject : null;
    }

    /// <summary>Does something once, or as often as <see cref="Resilience"/> has it.</summary>
    private async Task<T> TryAsync<T>(string what, Func<Call, CancellationToken, Task<T>> once, CancellationToken cancellationToken)
    {
        var call = new Call(what);
        return Resilience is { } resilience
            ? await resilience.RunAsync(call, c => once(call, c), cancellationToken).ConfigureAwait(false)
            : await once(call, cancellationToken).ConfigureAwait(false);
    }

    /// <summary>What a transport failure means, in words for a person.</summary>
    internal static string Explain(Exception exception, Redactor redactor)
    {
        for (var e = exception; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case CertificateProblem certificate:
                    return $"{(redactor.Repeats(certificate.Message) ? redactor.Words(certificate.Message) : certificate.Message)}.";
                // SslStream has no other way to tell it.
                case AuthenticationException { Message: var message } when message.Contains("frame size", StringComparison.Ordinal):
                    return "what answers does not speak TLS. If it speaks plain http, correct Registry in the RegistrySdkEndpoint item.";
                case AuthenticationException tls:
                    return $"TLS failed ({redactor.Words(tls.Message)}).";
                // Names the host and port that were connected to: a proxy's, where there is one.
                case HttpRequestException { HttpRequestError: HttpRequestError.ConnectionError or HttpRequestError.NameResolutionError, InnerException: System.Net.Sockets.SocketException } connection:
                    return $"{redactor.Words(connection.Message)}.";
                case System.Net.Sockets.SocketException socket:
                    return $"{redactor.Words(socket.Message)}.";
                // .NET names the proxy as the environment does, with its password.
                case HttpRequestException { HttpRequestError: HttpRequestError.ProxyTunnelError } proxy:
                    return $"the proxy (HTTPS_PROXY) does not let it through{(proxy.StatusCode is { } status ? $" ({(int)status})" : string.Empty)}.";
                case OperationCanceledException or TimeoutException:
                    return "no answer in time.";
            }
        }

        return Redactor.QuotesHexadecimal(exception) ? "its chunked answer can't be read" : redactor.Words(exception.GetBaseException().Message);
    }

    internal static RegistryFailure FailureOf(Exception exception)
    {
        for (var e = exception; e is not null; e = e.InnerException)
        {
            if (e is CertificateProblem)
            {
                return RegistryFailure.CertificateInvalid;
            }
        }

        return RegistryFailure.Unreachable;
    }

    internal static async Task<byte[]> ReadBoundedAsync(HttpResponseMessage response, int limit, RegistryHost host, Redactor redactor, TimeSpan time, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(time);
        try
        {
            var body = await response.Content.ReadAsStreamAsync(timeout.Token).ConfigureAwait(false);
            await using (body.ConfigureAwait(false))
            {
                using var buffer = new MemoryStream();
                var chunk = new byte[32 * 1024];
                int read;
                while ((read = await body.ReadAsync(chunk, timeout.Token).ConfigureAwait(false)) > 0)
                {
                    if (buffer.Length + read > limit)
                    {
                        throw redactor.Fail(RegistryFailure.WrongContent, host, $"{host} answers with more than the {limit} bytes that are possible here.");
                    }

                    buffer.Write(chunk, 0, read);
                }

                return buffer.ToArray();
            }
        }
        catch (Exception e) when (e is not RegistryException && IsTransport(e, cancellationToken))
        {
            throw redactor.Fail(RegistryFailure.Unreachable, host, $"{host} broke off while answering: {Explain(e, redactor)}", e, isTransient: Transient.Is(e));
        }
    }

    /// <summary>Sends a request, answers challenges and follows redirects. What comes back is neither 401 nor 403 of the registry, nor a limit (429).</summary>
    internal async Task<HttpResponseMessage> SendAsync(
        HttpMethod method, Uri address, TokenScope scope, Func<HttpContent>? body, CancellationToken cancellationToken, bool acceptManifests = false, SilenceGuard? silence = null, long from = 0,
        Func<string, bool>? isSporadic = null)
    {
        var attempt = _authenticator.Begin(scope);
        while (true)
        {
            var response = await FollowAsync(method, address, attempt.Header, body, acceptManifests, silence, from, cancellationToken).ConfigureAwait(false);
            if (method == HttpMethod.Head && (int)response.StatusCode >= 400 && response.StatusCode is not (HttpStatusCode.Unauthorized or HttpStatusCode.NotFound))
            {
                // HEAD has no words for it; and some servers know GET only.
                response.Dispose();
                response = await FollowAsync(HttpMethod.Get, address, attempt.Header, null, acceptManifests, silence, from, cancellationToken).ConfigureAwait(false);
            }

            var status = (int)response.StatusCode;
            if (status is not (401 or 403 or 429) || (status != 429 && !SameOrigin(response.RequestMessage!.RequestUri!, _endpoint.BaseAddress)))
            {
                _authenticator.Succeeded(attempt, scope);
                return response;
            }

            using (response)
            {
                var refused = $"{method} {Path(address)} is answered with {status}";
                if (IsHtml(response) && status == 403)
                {
                    throw NotARegistry($"{method} {Path(address)}", "403 and a web page (HTML)");
                }

                var words = await ErrorTextAsync(response, cancellationToken).ConfigureAwait(false);
                if (Throttling.Is(status, words))
                {
                    throw RegistryException.Throttled(Redactor, _endpoint.Host, refused + words, Throttling.RetryAfter(response.Headers, words, DateTimeOffset.UtcNow));
                }

                if (status == 403 && isSporadic?.Invoke(words) == true)
                {
                    throw new RegistryException(RegistryFailure.Denied, _endpoint.Host, Redactor.Finish($"{refused}{words}.")) { IsTransient = true, RetryAfter = TimeSpan.FromSeconds(1) };
                }

                var challenges = Challenges(response);
                if (challenges.Count == 0 && attempt.Header is null && !attempt.WasProbed && !_authenticator.KnowsChallenges && address.AbsolutePath != "/v2/")
                {
                    // Some registries refuse without saying what they want; what they say to a ping is worth a question.
                    attempt.WasProbed = true;
                    using var ping = await FollowAsync(HttpMethod.Get, Address("/v2/"), null, null, acceptManifests: false, silence: null, from: 0, cancellationToken).ConfigureAwait(false);
                    challenges = SameOrigin(ping.RequestMessage!.RequestUri!, _endpoint.BaseAddress) ? Challenges(ping) : [];
                }

                await _authenticator.AnswerAsync(attempt, challenges, refused + words, status == 403, scope, Repository, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private static IReadOnlyList<AuthChallenge> Challenges(HttpResponseMessage response)
        => response.Headers.NonValidated.TryGetValues("WWW-Authenticate", out var values) ? AuthChallenge.Parse(values) : [];

    private static HttpContent EmptyBody() => new ByteArrayContent([]);

    private async Task<HttpResponseMessage> FollowAsync(
        HttpMethod method, Uri address, AuthenticationHeaderValue? authorization, Func<HttpContent>? body, bool acceptManifests, SilenceGuard? silence, long from, CancellationToken cancellationToken)
    {
        var what = $"{method} {Path(address)}";
        var expects = true;
        for (var hop = 0; ; hop++)
        {
            EnsureAllowed(address, what);
            using var request = new HttpRequestMessage(method, address) { Content = body?.Invoke() };
            request.Headers.UserAgent.ParseAdd(UserAgent);
            if (acceptManifests)
            {
                request.Headers.Accept.ParseAdd(string.Join(", ", MediaTypes.Manifests));
            }

            if (from > 0)
            {
                request.Headers.Range = new(from, null);
            }

            // Who says no to a big body, or to send it elsewhere, may say so before it is sent (RFC 9110, 10.1.1).
            request.Headers.ExpectContinue = expects && request.Content?.Headers.ContentLength > ExpectContinueFrom ? true : null;

            // Secrets go to the registry's own origin only, whatever Location or redirect says.
            if (SameOrigin(address, _endpoint.BaseAddress))
            {
                request.Headers.Authorization = authorization;
            }

            HttpResponseMessage response;
            using var timeout = silence is null ? CancellationTokenSource.CreateLinkedTokenSource(cancellationToken) : null;
            timeout?.CancelAfter(TimeoutOf(method, address));
            try
            {
                response = await _http.SendAsync(request, silence?.Token ?? timeout!.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (IsTransport(e, cancellationToken))
            {
                Tell($"failed: {Explain(e, Redactor)}");
                throw Unreachable(what, e, address);
            }

            var status = (int)response.StatusCode;
            Tell($"{status}");
            if (status == 417 && expects)
            {
                // A proxy that does not know Expect is asked without it (RFC 9110, 10.1.1).
                expects = false;
                response.Dispose();
                continue;
            }

            var isRedirect = status is 307 or 308 || (status is 301 or 302 or 303 && (method == HttpMethod.Get || method == HttpMethod.Head));
            if (!isRedirect || response.Headers.Location is not { } location)
            {
                return response;
            }

            response.Dispose();
            if (hop == MaxRedirects)
            {
                throw NotARegistry(what, $"more than {MaxRedirects} redirects");
            }

            address = Resolve(address, location, what);
        }

        void Tell(string answer)
        {
            var asked = $"{method} {Shown(address)}";
            _trace($"{asked} {answer}");
            Heard?.Invoke(asked, answer);
        }
    }

    /// <summary>
    /// A registry names upload and redirect addresses; it must not make us talk to this machine or its network, or drop TLS. One that is itself
    /// on a private address may name others there (the object store behind it), but never the link-local ones, where clouds serve secrets.
    /// </summary>
    private void EnsureAllowed(Uri address, string what)
    {
        if (!SameOrigin(address, _endpoint.BaseAddress) && !MayLeadTo(_endpoint, address))
        {
            throw NotARegistry(what, $"a redirect to {Redactor.Words($"{address.Scheme}://{address.Authority}")}, where nothing is sent");
        }
    }

    internal static bool MayLeadTo(RegistryEndpoint endpoint, Uri address)
    {
        // IDNA makes plain digits, letters and dots of others («１２７.0.0.1», «lºcalhost»), and only once it is connected to. Servers write names as they are.
        if (!System.Text.Ascii.IsValid(address.Host))
        {
            return false;
        }

        // The dot at the end of a full name changes nothing about where it leads.
        var host = address.Host.TrimEnd('.');
        var toLoopback = RegistryHost.IsLoopbackName(address.Host);
        var toPrivate = IsPrivateLiteral(host);
        if (IsLinkLocalLiteral(host))
        {
            return false;
        }

        if (endpoint.IsLoopback)
        {
            return address.Scheme == Uri.UriSchemeHttps || (address.Scheme == Uri.UriSchemeHttp && toLoopback);
        }

        var fromPrivate = IsPrivateLiteral(endpoint.BaseAddress.Host);
        return !toLoopback && !RegistryHost.MayBeLoopbackName(address.Host) && (!toPrivate || fromPrivate)
            && (address.Scheme == Uri.UriSchemeHttps || (address.Scheme == Uri.UriSchemeHttp && endpoint.IsInsecure && fromPrivate && toPrivate));
    }

    private static bool IsLinkLocalLiteral(string host)
    {
        if (!IPAddress.TryParse(host.Trim('[', ']'), out var address))
        {
            return false;
        }

        address = RegistryHost.Reached(address);
        var b = address.GetAddressBytes();
        // fd00:ec2::254 is the IPv6 twin of 169.254.169.254. What 64:ff9b:1::/48 stands for the local network decides (RFC 8215).
        return b.Length == 4 ? b[0] is 169 && b[1] is 254 : address.IsIPv6LinkLocal || (b[0] == 0xfd && b[1] == 0 && b[2] == 0x0e && b[3] == 0xc2) || b is [0, 0x64, 0xff, 0x9b, 0, 1, ..];
    }

    private static bool IsPrivateLiteral(string host)
    {
        if (!IPAddress.TryParse(host.Trim('[', ']'), out var address))
        {
            return false;
        }

        address = RegistryHost.Reached(address);
        var b = address.GetAddressBytes();
        // Besides private ones: shared (RFC 6598), assigned to protocols (192.0.0.0/24), for benchmarks (198.18.0.0/15), for many, and none at all (RFC 6890).
        return b.Length == 4
            ? b[0] is 0 or 10 or 127 or >= 224 || (b[0] == 172 && b[1] is >= 16 and < 32) || (b[0] == 192 && b[1] == 168) || (b[0] == 169 && b[1] == 254) || (b[0] == 100 && b[1] is >= 64 and < 128)
                || (b[0] == 192 && b[1] == 0 && b[2] == 0) || (b[0] == 198 && b[1] is 18 or 19)
            : address.IsIPv6LinkLocal || address.IsIPv6UniqueLocal || address.IsIPv6SiteLocal || address.IsIPv6Multicast || IPAddress.IsLoopback(address) || address.Equals(IPAddress.IPv6Any);
    }

    private static bool SameOrigin(Uri a, Uri b) => a.Scheme == b.Scheme && string.Equals(a.Host, b.Host, StringComparison.OrdinalIgnoreCase) && a.Port == b.Port;

    private Uri Resolve(Uri answered, Uri location, string what)
    {
        if (!Uri.TryCreate(answered, location, out var address) || (address.Scheme != Uri.UriSchemeHttps && address.Scheme != Uri.UriSchemeHttp) || address.Host.Length == 0)
        {
            throw NotARegistry(what, "a Location that is no address");
        }

        // A registry behind a TLS proxy that does not tell it so names itself with http: it is meant, and spoken to as before.
        var own = _endpoint.BaseAddress;
        return address.Scheme == Uri.UriSchemeHttp && own.Scheme == Uri.UriSchemeHttps
            && string.Equals(address.Host, own.Host, StringComparison.OrdinalIgnoreCase) && (address.IsDefaultPort || address.Port == own.Port)
            ? new UriBuilder(address) { Scheme = own.Scheme, Port = own.Port }.Uri
            : address;
    }

    private void EnsureSameDigest(HttpResponseMessage response, Digest sent, string what)
    {
        if (response.Headers.TryGetValues("Docker-Content-Digest", out var values) && Digest.TryParse(values.FirstOrDefault(), out var stored) && stored != sent)
        {
            throw Fail(RegistryFailure.WrongContent, $"{what} at {Repository} was stored as {stored} instead of {sent}.");
        }
    }

    private void EnsureRegistryNotFound(HttpResponseMessage response, string what)
    {
        if (IsHtml(response))
        {
            throw NotARegistry(what, "404 with a web page (HTML)");
        }
    }

    private async Task<RegistryException> UnexpectedAsync(HttpResponseMessage response, string what, CancellationToken cancellationToken)
    {
        var status = (int)response.StatusCode;
        var isTransient = Transient.Is(status);
        // With 503 it says how long that will last (RFC 9110, 10.2.3).
        var wait = isTransient ? Throttling.RetryAfter(response.Headers, string.Empty, DateTimeOffset.UtcNow) : null;
        if (IsHtml(response))
        {
            // A proxy before a registry that is restarted says so with a page of its own.
            return NotARegistry(what, $"{status} and a web page (HTML){Throttling.Asking(wait)}", isTransient, wait);
        }

        var words = await ErrorTextAsync(response, cancellationToken).ConfigureAwait(false);
        // 2xx that the protocol does not know here, and 404 on addresses every registry has, come from something else.
        var failure = status is >= 200 and < 300 || (status == 404 && words.Length == 0) ? RegistryFailure.NotARegistry : RegistryFailure.Rejected;
        return Fail(failure, $"{what} at {Repository} is answered with {status}{words}{Throttling.Asking(wait)}.", isTransient: isTransient, retryAfter: wait);
    }

    private async Task<string> ErrorTextAsync(HttpResponseMessage response, CancellationToken cancellationToken)
    {
        try
        {
            return ErrorWords.Of(await ReadBoundedAsync(response, 64 * 1024, _endpoint.Host, Redactor, AnswerTimeout, cancellationToken).ConfigureAwait(false), Redactor);
        }
        catch (RegistryException)
        {
            // No words then: the status has to do.
            return string.Empty;
        }
    }

    private RegistryException Fail(RegistryFailure failure, string message, Exception? inner = null, bool isTransient = false, TimeSpan? retryAfter = null)
        => Redactor.Fail(failure, _endpoint.Host, message, inner, isTransient, retryAfter);

    private RegistryException NotARegistry(string what, string answer, bool isTransient = false, TimeSpan? retryAfter = null)
        => Fail(RegistryFailure.NotARegistry, $"{what} at {_endpoint.BaseAddress.Authority} is answered with {answer}; that is no OCI registry.", isTransient: isTransient, retryAfter: retryAfter);

    private RegistryException Unreachable(string what, Exception e, Uri address)
    {
        var at = _endpoint.IsMapped ? $"{_endpoint.Host} (re-mapped to {_endpoint.BaseAddress.Authority})" : _endpoint.Host.Name;
        // It may be somebody else's fault: the store that a redirect names, the host of a session.
        var who = SameOrigin(address, _endpoint.BaseAddress) ? at : $"{at} leads to {Redactor.Words($"{address.Scheme}://{address.Authority}")}, which";
        return Fail(FailureOf(e), $"{who} can't be reached ({what}): {Explain(e, Redactor)}", e, Transient.Is(e));
    }

    internal static bool IsTransport(Exception e, CancellationToken cancellationToken)
        => e is HttpRequestException or AuthenticationException or (IOException and not (RegistryException or LocalBlobException))
            || (e is OperationCanceledException && !cancellationToken.IsCancellationRequested);

    internal static bool IsHtml(HttpResponseMessage response) => response.Content.Headers.ContentType?.MediaType is "text/html" or "application/xhtml+xml";

    /// <summary>Text from a registry, fit for one log line: plain and bounded.</summary>
    internal static string Clean(string text)
    {
        const int MaxLength = 200;
        var plain = PlainText.Of(text.Trim());
        if (plain.Length > MaxLength)
        {
            // Not through the middle of a character.
            plain = plain[..(char.IsHighSurrogate(plain[MaxLength - 1]) ? MaxLength - 1 : MaxLength)] + "…";
        }

        return plain.TrimEnd('.');
    }

    /// <summary>An address for messages: without query and user, and where a registry made it (Location), as foreign as all its words.</summary>
    private string Shown(Uri address)
    {
        var origin = $"{address.Scheme}://{address.Authority}";
        return (SameOrigin(address, _endpoint.BaseAddress) ? origin : Redactor.Words(origin)) + Path(address);
    }

    private string Path(Uri address)
    {
        var own = $"/v2/{Repository.Name}/";
        var path = address.AbsolutePath;
        return path == "/v2/" ? path : path.StartsWith(own, StringComparison.Ordinal) ? own + Redactor.Words(path[own.Length..]) : Redactor.Words(path);
    }

    internal Uri Address(string pathAndQuery) => new(_endpoint.BaseAddress, pathAndQuery);

    /// <summary>
    /// Questions about what is there are answered at once or not at all, and asked again; writes may make the registry think, and a blob may have to be
    /// fetched by a registry that is somebody's mirror.
    /// </summary>
    private TimeSpan TimeoutOf(HttpMethod method, Uri address)
        => (method == HttpMethod.Get || method == HttpMethod.Head) && AnswerTimeout > ReadTimeout && !address.AbsolutePath.Contains("/blobs/", StringComparison.Ordinal) ? ReadTimeout : AnswerTimeout;

    private Uri ManifestAddress(string reference) => Address($"/v2/{Repository.Name}/manifests/{reference}");

    private Uri BlobAddress(Digest digest) => Address($"/v2/{Repository.Name}/blobs/{digest}");
}

/// <summary>Cancels when nothing was heard for a while: a big layer may take long, silence may not.</summary>
internal sealed class SilenceGuard : IDisposable
{
    private readonly CancellationTokenSource _source;
    private readonly TimeSpan _silence;

    public SilenceGuard(TimeSpan silence, CancellationToken cancellationToken)
    {
        _silence = silence;
        _source = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        Heard();
    }

    public CancellationToken Token => _source.Token;

    public void Heard() => _source.CancelAfter(_silence);

    public void Dispose() => _source.Dispose();
}

/// <summary>Reports how far a stream has been read.</summary>
internal sealed class ProgressStream(Stream inner, Action<long> read) : ReadThroughStream(inner)
{
    protected override void Saw(ReadOnlySpan<byte> bytes) => read(Total);
}
