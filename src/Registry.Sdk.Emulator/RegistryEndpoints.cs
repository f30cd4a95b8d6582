using System.Collections.Concurrent;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;

namespace Registry.Sdk.Emulator;

/// <summary>
/// The endpoints of OCI distribution-spec 1.1.1 ("Endpoints", end-1 to end-13, and the upload cancel of its main branch). Paths are
/// read from their end, because repository names contain slashes, and strictly: what no client should send is refused, not mended.
/// </summary>
internal sealed partial class RegistryEndpoints(EmulatorOptions options, RegistryStore store, Personality personality) : IDisposable
{
    /// <summary>The least a registry has to take, so the most a careful client may send.</summary>
    private const int MaxManifestBytes = 4 * 1024 * 1024;

    private readonly ConcurrentDictionary<string, UploadSession> _sessions = new(StringComparer.Ordinal);

    public Task AnswerAsync(HttpContext context)
    {
        var path = context.Request.Path.Value ?? "";
        if (string.Equals(path, "/v2/", StringComparison.Ordinal))
        {
            return PingAsync(context);
        }

        var parts = path.Split('/');
        return parts switch
        {
            ["", "v2", .. var name, "blobs", "uploads", ""] => StartUploadAsync(context, Name(name)),
            ["", "v2", .. var name, "blobs", var folder, var id] when folder == personality.UploadFolder => UploadAsync(context, Name(name), id),
            ["", "v2", .. var name, "blobs", var digest] => BlobAsync(context, Name(name), digest),
            ["", "v2", .. var name, "manifests", var reference] => ManifestAsync(context, Name(name), reference),
            ["", "v2", .. var name, "tags", "list"] => TagsAsync(context, Name(name)),
            ["", "v2", .. var name, "referrers", var digest] => ReferrersAsync(context, Name(name), digest),
            _ => throw new RegistryException(StatusCodes.Status404NotFound, ErrorCode.Unsupported, "no such endpoint: " + path),
        };
    }

    public void Dispose()
    {
        foreach (var session in _sessions.Values)
        {
            session.Discard();
            session.Dispose();
        }

        _sessions.Clear();
    }

    [GeneratedRegex(@"\A(?<start>[0-9]{1,18})-(?<end>[0-9]{1,18})\z", RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex ChunkRangePattern();

    private static string Name(string[] parts)
    {
        var name = string.Join('/', parts);
        return ImageReference.IsName(name)
            ? name
            : throw new RegistryException(StatusCodes.Status400BadRequest, ErrorCode.NameInvalid, $"invalid repository name '{name}'");
    }

    private static RegistryException MethodNotAllowed(HttpContext context, string allowed)
    {
        context.Response.Headers.Allow = allowed;
        return new RegistryException(StatusCodes.Status405MethodNotAllowed, ErrorCode.Unsupported, $"{context.Request.Method} is not supported here");
    }

    private static string CheckDigest(string? digest) => ImageReference.IsDigest(digest)
        ? digest!
        : throw new RegistryException(StatusCodes.Status400BadRequest, ErrorCode.DigestInvalid, $"invalid digest '{digest}': sha256: and 64 lower-case hex digits are expected");

    private static async Task WriteJsonAsync(HttpContext context, object value, string contentType)
    {
        var body = JsonSerializer.SerializeToUtf8Bytes(value, ReadableJson.Options);
        context.Response.ContentType = contentType;
        context.Response.ContentLength = body.Length;
        await context.Response.Body.WriteAsync(body, context.RequestAborted);
    }

    private Task PingAsync(HttpContext context)
    {
        personality.Authorize(context, repository: null, EmulatorRights.None);
        if (!HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method))
        {
            throw MethodNotAllowed(context, "GET, HEAD");
        }

        context.Response.Headers["Docker-Distribution-Api-Version"] = "registry/2.0";
        return HttpMethods.IsHead(context.Request.Method) ? Task.CompletedTask : WriteJsonAsync(context, new { }, "application/json");
    }

    private void AuthorizeRead(HttpContext context, string name) => personality.Authorize(context, name, EmulatorRights.Pull);

    private void AuthorizeWrite(HttpContext context, string name)
    {
        personality.Authorize(context, name, EmulatorRights.Push);
        if (options.ReadOnly)
        {
            throw new RegistryException(StatusCodes.Status405MethodNotAllowed, ErrorCode.Unsupported, "the registry is read-only");
        }
    }

    private void AuthorizeDelete(HttpContext context, string name)
    {
        AuthorizeWrite(context, name);
        if (!personality.AllowsDelete)
        {
            throw new RegistryException(StatusCodes.Status405MethodNotAllowed, ErrorCode.Unsupported, "deleting is switched off");
        }
    }

    private void RequireRepository(string name)
    {
        if (!personality.Knows(name, store.RepositoryExists(name)))
        {
            throw new RegistryException(StatusCodes.Status404NotFound, ErrorCode.NameUnknown, $"repository '{name}' is not known");
        }
    }

    private void SetLocation(HttpContext context, string path) => context.Response.Headers.Location =
        options.AbsoluteLocations ? $"{context.Request.Scheme}://{context.Request.Host}{path}" : path;

    // ---- blobs (end-2, end-10) ----

    private async Task BlobAsync(HttpContext context, string name, string digest)
    {
        switch (context.Request.Method)
        {
            case "GET" or "HEAD":
                AuthorizeRead(context, name);
                CheckDigest(digest);
                RequireRepository(name);
                var content = store.FindBlob(name, digest)
                    ?? throw new RegistryException(StatusCodes.Status404NotFound, ErrorCode.BlobUnknown, $"blob {digest} is not in '{name}'");
                context.Response.Headers["Docker-Content-Digest"] = digest;
                if (HttpMethods.IsGet(context.Request.Method) && personality.RedirectBlob(context, digest) is { } elsewhere)
                {
                    context.Response.Headers.Location = elsewhere;
                    context.Response.StatusCode = StatusCodes.Status307TemporaryRedirect;
                    return;
                }

                await Results.File(content, "application/octet-stream", enableRangeProcessing: true).ExecuteAsync(context);
                return;
            case "DELETE":
                AuthorizeDelete(context, name);
                CheckDigest(digest);
                RequireRepository(name);
                context.Response.StatusCode = store.RemoveBlob(name, digest)
                    ? StatusCodes.Status202Accepted
                    : throw new RegistryException(StatusCodes.Status404NotFound, ErrorCode.BlobUnknown, $"blob {digest} is not in '{name}'");
                return;
            default:
                throw MethodNotAllowed(context, "GET, HEAD, DELETE");
        }
    }

    // ---- uploads (end-4a, 4b, 5, 6, 11, 13) ----

    private async Task StartUploadAsync(HttpContext context, string name)
    {
        if (!HttpMethods.IsPost(context.Request.Method))
        {
            throw MethodNotAllowed(context, "POST");
        }

        AuthorizeWrite(context, name);
        var query = context.Request.Query;
        if (query.TryGetValue("mount", out var mount))
        {
            // Whatever keeps a mount from happening (no source, unknown source) opens a session instead: that is the specified fallback.
            var digest = CheckDigest(mount);
            if (ImageReference.IsName(query["from"]) && personality.MayMount(context, name, query["from"]!) && store.TryMount(query["from"]!, name, digest))
            {
                AnswerBlobCreated(context, name, digest);
                return;
            }
        }
        else if (query.TryGetValue("digest", out var whole))
        {
            var digest = CheckDigest(whole);
            var once = new UploadSession(name, store.NewPartialFile());
            try
            {
                await once.AppendAsync(context.Request.Body, context.RequestAborted);
                CheckLength(context, once.Length);
                Finish(context, once, digest);
            }
            finally
            {
                once.Discard();
                once.Dispose();
            }

            return;
        }

        var session = new UploadSession(name, store.NewPartialFile());
        _sessions[session.Id] = session;
        AnswerUploadState(context, session, StatusCodes.Status202Accepted);
    }

    private async Task UploadAsync(HttpContext context, string name, string id)
    {
        if (context.Request.Method is not ("GET" or "PATCH" or "PUT" or "DELETE"))
        {
            throw MethodNotAllowed(context, "GET, PATCH, PUT, DELETE");
        }

        AuthorizeWrite(context, name);
        if (!_sessions.TryGetValue(id, out var session) || !string.Equals(session.Repository, name, StringComparison.Ordinal))
        {
            throw UploadUnknown();
        }

        await session.Gate.WaitAsync(context.RequestAborted);
        try
        {
            if (session.Ended)
            {
                throw UploadUnknown();
            }

            switch (context.Request.Method)
            {
                case "GET":
                    AnswerUploadState(context, session, StatusCodes.Status204NoContent);
                    break;
                case "DELETE" when !personality.AllowsUploadCancel:
                    throw MethodNotAllowed(context, "GET, PATCH, PUT");
                case "DELETE":
                    End(session);
                    context.Response.StatusCode = StatusCodes.Status204NoContent;
                    break;
                case "PATCH":
                    try
                    {
                        await AppendAsync(context, session);
                    }
                    catch (Exception cut) when (options.LosesCutUploads && cut is not RegistryException)
                    {
                        End(session);
                        throw;
                    }

                    AnswerUploadState(context, session, StatusCodes.Status202Accepted);
                    break;
                default:
                    await PutAsync(context, session);
                    break;
            }
        }
        finally
        {
            session.Gate.Release();
        }
    }

    private async Task PutAsync(HttpContext context, UploadSession session)
    {
        // A client that got the digest wrong may correct itself; one whose body broke off or lied has to start anew, for what is
        // stored of it is no longer what it thinks.
        var digest = CheckDigest(context.Request.Query["digest"]);
        CheckState(context, session);
        try
        {
            await AppendAsync(context, session);
            Finish(context, session, digest);
            _sessions.TryRemove(session.Id, out _);
        }
        catch (RegistryException refused) when (refused.Status == StatusCodes.Status416RangeNotSatisfiable)
        {
            throw;
        }
        catch
        {
            End(session);
            throw;
        }
    }

    private async Task AppendAsync(HttpContext context, UploadSession session)
    {
        long? announced = null;
        if (context.Request.Headers.TryGetValue("Content-Range", out var header))
        {
            var match = ChunkRangePattern().Match(header.ToString());
            if (!match.Success)
            {
                throw new RegistryException(StatusCodes.Status400BadRequest, ErrorCode.BlobUploadInvalid, $"Content-Range '{header}' is not START-END");
            }

            var start = long.Parse(match.Groups["start"].Value, CultureInfo.InvariantCulture);
            var end = long.Parse(match.Groups["end"].Value, CultureInfo.InvariantCulture);
            if (start != session.Length || end < start)
            {
                SetUploadState(context, session);
                throw new RegistryException(
                    StatusCodes.Status416RangeNotSatisfiable, ErrorCode.BlobUploadInvalid, string.Create(CultureInfo.InvariantCulture, $"chunk {header} does not continue the {session.Length} bytes received"));
            }

            announced = end - start + 1;
            if (HttpMethods.IsPatch(context.Request.Method) && announced > personality.MaxRangedChunk)
            {
                throw new RegistryException(
                    StatusCodes.Status416RangeNotSatisfiable,
                    "REQUESTED_RANGE_NOT_SATISFIABLE",
                    string.Create(CultureInfo.InvariantCulture, $"the request body is too large and exceeds the maximum permissible limit of {personality.MaxRangedChunk / 1048576.0:0.00}MiB"));
            }

            if (context.Request.ContentLength is { } length && length != announced)
            {
                throw new RegistryException(StatusCodes.Status400BadRequest, ErrorCode.SizeInvalid, $"Content-Range '{header}' and Content-Length differ");
            }
        }

        CheckState(context, session);
        var before = session.Length;
        await session.AppendAsync(context.Request.Body, context.RequestAborted);
        CheckLength(context, session.Length - before);
        if (announced is not null && session.Length - before != announced)
        {
            throw new RegistryException(StatusCodes.Status400BadRequest, ErrorCode.SizeInvalid, "Content-Range and body differ in length");
        }
    }

    private static void CheckLength(HttpContext context, long received)
    {
        // Kestrel fails on a short body by itself; this guards against a test's own Intercept that swaps the body.
        if (context.Request.ContentLength is { } length && length != received)
        {
            throw new RegistryException(StatusCodes.Status400BadRequest, ErrorCode.SizeInvalid, "Content-Length and body differ in length");
        }
    }

    // "Each answer's Location replaces the former one": the state in the query finds out clients that keep or build a URL.
    private void CheckState(HttpContext context, UploadSession session)
    {
        if (personality.UploadsCarryState && !string.Equals(context.Request.Query["_state"], StateOf(session), StringComparison.Ordinal))
        {
            throw new RegistryException(
                StatusCodes.Status400BadRequest, ErrorCode.BlobUploadInvalid, "this is not the Location of the last answer: use that, with its query");
        }
    }

    private static string StateOf(UploadSession session) => string.Create(CultureInfo.InvariantCulture, $"at-{session.Length}");

    private static RegistryException UploadUnknown() =>
        new(StatusCodes.Status404NotFound, ErrorCode.BlobUploadUnknown, "no such upload session: finished, cancelled, or older than this server process");

    private void Finish(HttpContext context, UploadSession session, string digest)
    {
        var actual = session.CurrentDigest();
        if (!string.Equals(actual, digest, StringComparison.Ordinal))
        {
            throw new RegistryException(StatusCodes.Status400BadRequest, ErrorCode.DigestInvalid, $"the bytes received have digest {actual}, not {digest}");
        }

        store.AddBlob(session.Repository, digest, session.Complete());
        AnswerBlobCreated(context, session.Repository, digest);
    }

    private void End(UploadSession session)
    {
        _sessions.TryRemove(session.Id, out _);
        session.Discard();
    }

    private void AnswerBlobCreated(HttpContext context, string name, string digest)
    {
        SetLocation(context, $"/v2/{name}/blobs/{digest}");
        context.Response.Headers["Docker-Content-Digest"] = digest;
        context.Response.StatusCode = StatusCodes.Status201Created;
    }

    private void AnswerUploadState(HttpContext context, UploadSession session, int status)
    {
        SetUploadState(context, session);
        context.Response.StatusCode = status;
    }

    private void SetUploadState(HttpContext context, UploadSession session)
    {
        SetLocation(context, $"/v2/{session.Repository}/blobs/{personality.UploadFolder}/{session.Id}{(personality.UploadsCarryState ? "?_state=" + StateOf(session) : "")}");

        // "0-0" for nothing yet is what servers do, although by the letter it would be one byte.
        context.Response.Headers.Range = string.Create(CultureInfo.InvariantCulture, $"0-{Math.Max(0, session.Length - 1)}");
        context.Response.Headers["Docker-Upload-UUID"] = session.Id;
    }

    // ---- manifests (end-3, 7, 9) ----

    private async Task ManifestAsync(HttpContext context, string name, string reference)
    {
        switch (context.Request.Method)
        {
            case "GET" or "HEAD":
                AuthorizeRead(context, name);
                CheckReference(reference);
                RequireRepository(name);
                await ServeManifestAsync(context, name, reference);
                return;
            case "PUT":
                AuthorizeWrite(context, name);
                CheckReference(reference);
                await PutManifestAsync(context, name, reference);
                return;
            case "DELETE":
                AuthorizeDelete(context, name);
                CheckReference(reference);
                RequireRepository(name);
                var removed = IsDigestForm(reference) ? store.RemoveManifest(name, reference) : store.RemoveTag(name, reference);
                context.Response.StatusCode = removed ? StatusCodes.Status202Accepted : throw ManifestUnknown(name, reference);
                return;
            default:
                throw MethodNotAllowed(context, "GET, HEAD, PUT, DELETE");
        }
    }

    private static bool IsDigestForm(string reference) => reference.Contains(':', StringComparison.Ordinal);

    private static void CheckReference(string reference)
    {
        if (IsDigestForm(reference))
        {
            CheckDigest(reference);
        }
        else if (!ImageReference.IsTag(reference))
        {
            // Specification 1.1.1 has no code for a bad tag.
            throw new RegistryException(StatusCodes.Status400BadRequest, ErrorCode.ManifestInvalid, $"invalid tag '{reference}'");
        }
    }

    private static RegistryException ManifestUnknown(string name, string reference) =>
        new(StatusCodes.Status404NotFound, ErrorCode.ManifestUnknown, $"manifest '{reference}' is not in '{name}'");

    private async Task ServeManifestAsync(HttpContext context, string name, string reference)
    {
        var digest = IsDigestForm(reference) ? reference : store.ResolveTag(name, reference);
        var manifest = (digest is null ? null : store.FindManifest(name, digest)) ?? throw ManifestUnknown(name, reference);
        personality.BeforeServing(context, name, manifest);
        context.Response.ContentType = manifest.MediaType;
        context.Response.ContentLength = manifest.Content.LongLength;
        context.Response.Headers["Docker-Content-Digest"] = manifest.Digest;
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.Body.WriteAsync(manifest.Content, context.RequestAborted);
        }
    }

    private async Task PutManifestAsync(HttpContext context, string name, string reference)
    {
        var content = await ReadManifestAsync(context);
        var contentType = context.Request.ContentType?.Split(';')[0].Trim();
        var facts = ManifestReader.Read(content, string.IsNullOrEmpty(contentType) ? null : contentType);
        var digest = ImageReference.DigestOf(content);
        var byDigest = IsDigestForm(reference);
        if (byDigest && !string.Equals(digest, reference, StringComparison.Ordinal))
        {
            throw new RegistryException(StatusCodes.Status400BadRequest, ErrorCode.DigestInvalid, $"the manifest has digest {digest}, not {reference}");
        }

        var tag = byDigest ? null : reference;
        var manifest = new StoredManifest(digest, facts.MediaType, content);
        personality.BeforeStoring(context, name, tag, digest);
        store.PutManifest(name, manifest, tag, facts.Subject, () => RequireContent(name, facts));
        personality.Stored(context, name, tag, manifest);
        SetLocation(context, $"/v2/{name}/manifests/{digest}");
        context.Response.Headers["Docker-Content-Digest"] = digest;
        if (facts.Subject is not null && personality.ClaimsReferrers)
        {
            context.Response.Headers["OCI-Subject"] = facts.Subject;
        }

        context.Response.StatusCode = StatusCodes.Status201Created;
    }

    private void RequireContent(string name, ManifestFacts facts)
    {
        foreach (var (digest, size) in facts.Blobs)
        {
            Require("blob", digest, size, store.FindBlob(name, digest) is { } path ? new FileInfo(path).Length : null);
        }

        foreach (var (digest, size) in facts.Children)
        {
            Require("manifest", digest, size, store.FindManifestSize(name, digest));
        }

        void Require(string what, string digest, long size, long? actual)
        {
            if (actual is null)
            {
                throw new RegistryException(StatusCodes.Status400BadRequest, ErrorCode.ManifestBlobUnknown, $"{what} {digest} is not in '{name}'");
            }

            if (actual != size)
            {
                throw new RegistryException(
                    StatusCodes.Status400BadRequest, ErrorCode.SizeInvalid, string.Create(CultureInfo.InvariantCulture, $"{what} {digest} has {actual} bytes, not {size}"));
            }
        }
    }

    private static async Task<byte[]> ReadManifestAsync(HttpContext context)
    {
        using var content = new MemoryStream();
        var buffer = new byte[64 * 1024];
        int read;
        while ((read = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0)
        {
            if (content.Length + read > MaxManifestBytes)
            {
                throw new RegistryException(StatusCodes.Status413PayloadTooLarge, ErrorCode.SizeInvalid, "manifests are limited to 4 MiB");
            }

            content.Write(buffer, 0, read);
        }

        return content.ToArray();
    }

    // ---- tags (end-8a, 8b) ----

    private async Task TagsAsync(HttpContext context, string name)
    {
        if (!HttpMethods.IsGet(context.Request.Method))
        {
            throw MethodNotAllowed(context, "GET");
        }

        AuthorizeRead(context, name);
        RequireRepository(name);
        var inAsciiOrder = store.ListTags(name);
        var all = personality.Order(name, inAsciiOrder);
        var page = context.Request.Query.TryGetValue("last", out var last) ? [.. After(all, last.ToString(), ReferenceEquals(all, inAsciiOrder))] : all.ToArray();
        var size = personality.TagPageSize;
        if (context.Request.Query.TryGetValue("n", out var n))
        {
            size = int.TryParse(n, NumberStyles.None, CultureInfo.InvariantCulture, out var count)
                ? count
                : throw new RegistryException(StatusCodes.Status400BadRequest, ErrorCode.Unsupported, $"n is '{n}', not a number of tags");
        }

        if (page.Length > size)
        {
            page = page[..size.Value];
            if (size > 0)
            {
                context.Response.Headers.Link = string.Create(CultureInfo.InvariantCulture, $"</v2/{name}/tags/list?n={size}&last={page[^1]}>; rel=\"next\"");
            }
        }

        await WriteJsonAsync(context, new { name, tags = page.Length == 0 && personality.NullForNoTags ? null : page }, "application/json");
    }

    // In ASCII order "after" is a matter of comparing; in any other order a tag that is not there has nothing after it.
    private static IEnumerable<string> After(IReadOnlyList<string> tags, string last, bool asciiOrder)
    {
        if (asciiOrder)
        {
            return tags.Where(tag => string.CompareOrdinal(tag, last) > 0);
        }

        return tags.SkipWhile(tag => !string.Equals(tag, last, StringComparison.Ordinal)).Skip(1);
    }

    // ---- referrers (end-12a, 12b) ----

    private async Task ReferrersAsync(HttpContext context, string name, string digest)
    {
        if (!HttpMethods.IsGet(context.Request.Method))
        {
            throw MethodNotAllowed(context, "GET");
        }

        AuthorizeRead(context, name);
        CheckDigest(digest);
        if (!personality.ServesReferrers)
        {
            throw new RegistryException(StatusCodes.Status404NotFound, ErrorCode.Unsupported, "no referrers API here");
        }

        // An unknown repository or subject has no referrers; 404 would say that there is no such API.
        var descriptors = store.ListReferrers(name, digest).Select(ManifestReader.DescribeReferrer);
        if (context.Request.Query.TryGetValue("artifactType", out var type))
        {
            descriptors = descriptors.Where(descriptor => descriptor.TryGetValue("artifactType", out var own) && string.Equals((string)own, type, StringComparison.Ordinal));
            context.Response.Headers["OCI-Filters-Applied"] = "artifactType";
        }

        await WriteJsonAsync(context, new { schemaVersion = 2, mediaType = ManifestReader.OciIndex, manifests = descriptors.ToArray() }, ManifestReader.OciIndex);
    }
}
