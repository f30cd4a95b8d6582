using System.Globalization;

namespace Registry.Sdk.Emulator;

/// <summary>
/// Something that goes wrong with one request: the connection, the service, or the truth of what it says. When it does is a <see cref="FaultRule"/>.
/// Answers in the forms of real services are in <see cref="EmulatorFaults"/>; <see cref="Answer"/> takes any of them.
/// </summary>
public sealed class Fault
{
    private const string UploadFolders = "/blobs/upload";

    private readonly Func<FaultScript, HttpContext, Task<bool>> _apply;

    private Fault(string name, Func<FaultScript, HttpContext, Task<bool>> apply)
    {
        Name = name;
        _apply = apply;
    }

    /// <summary>Its name in tables and messages: <c>drop before</c>, <c>503</c>.</summary>
    public string Name { get; }

    // ---- the line ----

    /// <summary>The connection breaks before the registry has done anything.</summary>
    public static Fault DropBefore { get; } = new("drop before", (_, context) =>
    {
        context.Abort();
        return Task.FromResult(true);
    });

    /// <summary>The registry does what was asked, and its answer is lost.</summary>
    public static Fault DropAfter { get; } = new("drop after", (_, context) =>
    {
        context.Response.OnStarting(() =>
        {
            context.Abort();
            return Task.CompletedTask;
        });
        return Task.FromResult(false);
    });

    /// <summary>The registry does what was asked, and the connection breaks in the middle of the answer's body; an answer without a body is lost.</summary>
    public static Fault CutAnswer { get; } = new("cut answer", (_, context) =>
    {
        context.Response.OnStarting(() =>
        {
            if (context.Response.ContentLength is null or 0 || HttpMethods.IsHead(context.Request.Method))
            {
                context.Abort();
            }

            return Task.CompletedTask;
        });
        context.Response.Body = new CuttingStream(context.Response.Body, context, () => context.Response.ContentLength / 2 ?? 1);
        return Task.FromResult(false);
    });

    /// <summary>The connection breaks when so many bytes of the request's body have come; a request that has fewer goes through.</summary>
    /// <param name="bytes">How many arrive; <see langword="null"/>: half of those announced.</param>
    public static Fault CutRequest(long? bytes = null) => new("cut request", (_, context) =>
    {
        context.Request.Body = new CuttingStream(context.Request.Body, context, () => bytes ?? context.Request.ContentLength / 2 ?? 1);
        return Task.FromResult(false);
    });

    /// <summary>The registry takes its time before it begins.</summary>
    public static Fault Delay(TimeSpan time) => new("delay", async (_, context) =>
    {
        await Task.Delay(time, context.RequestAborted);
        return false;
    });

    // ---- the service ----

    /// <summary>An error, with the specification's JSON, and nothing is done.</summary>
    /// <param name="status">HTTP status.</param>
    /// <param name="code">The error's code.</param>
    /// <param name="message">The error's text.</param>
    /// <param name="retryAfter">Value of <c>Retry-After</c>; <see langword="null"/>: no such header.</param>
    public static Fault Status(int status, string code = "UNKNOWN", string message = "try again later", string? retryAfter = null) => new(
        string.Create(CultureInfo.InvariantCulture, $"{status}{(retryAfter is null ? "" : " with Retry-After")}"), async (_, context) =>
        {
            if (retryAfter is not null)
            {
                context.Response.Headers.RetryAfter = retryAfter;
            }

            await RegistryException.WriteAsync(context, status, code, message);
            return true;
        });

    /// <summary>Any answer, or any change to the request: <c>Fault.Answer("429 of GHCR", c => EmulatorFaults.GhcrThrottleAsync(c))</c>.</summary>
    /// <param name="name">What it is called.</param>
    /// <param name="answer">As <see cref="EmulatorOptions.Intercept"/>.</param>
    public static Fault Answer(string name, Func<HttpContext, Task<bool>> answer) => new(name, (_, context) => answer(context));

    /// <summary>All tokens that are out end. A registry that gives none out answers 401 with its challenge.</summary>
    public static Fault ExpireTokens { get; } = new("expired token", (script, context) => script.ExpireAsync(context));

    /// <summary>A tag that is written is read as before, as from a replica that lags behind. Other requests are let alone.</summary>
    /// <param name="reads">How many reads of the tag lie; <see cref="FaultRule.ForGood"/>: all.</param>
    public static Fault StaleTag(int reads) => new(reads == FaultRule.ForGood ? "stale reads that stay" : "stale reads", (script, context) =>
    {
        script.MakeStale(context, reads);
        return Task.FromResult(false);
    });

    /// <summary>A write to a tag that exists is refused, whatever it names. Other requests are let alone.</summary>
    /// <param name="status">400 or 409; Harbor has 412.</param>
    public static Fault ImmutableTags(int status = StatusCodes.Status400BadRequest) => new("immutable tags", (script, context) => script.RefuseTakenTagAsync(context, status));

    /// <summary>No blob is mounted from another repository. Other requests are let alone.</summary>
    /// <param name="status">202: a session is opened instead; or what it is refused with (401, 404, 405).</param>
    public static Fault RefuseMount(int status = StatusCodes.Status202Accepted) => new("no mount", async (_, context) =>
    {
        if (!HttpMethods.IsPost(context.Request.Method) || !context.Request.Query.ContainsKey("mount"))
        {
            return false;
        }

        if (status == StatusCodes.Status202Accepted)
        {
            context.Request.QueryString = QueryString.Empty;
            return false;
        }

        await RegistryException.WriteAsync(context, status, ErrorCode.Unsupported, "mounting is not done here");
        return true;
    });

    /// <summary>An upload session is forgotten: what comes to it is answered 404. Other requests are let alone.</summary>
    public static Fault LoseSession { get; } = new("lost session", async (_, context) =>
    {
        var path = context.Request.Path.Value ?? "";
        if (HttpMethods.IsPost(context.Request.Method) || !path.Contains(UploadFolders, StringComparison.Ordinal))
        {
            return false;
        }

        await RegistryException.WriteAsync(context, StatusCodes.Status404NotFound, ErrorCode.BlobUploadUnknown, "blob upload unknown to registry");
        return true;
    });

    // ---- the truth ----

    /// <summary>The answer says another digest than it has (<c>Docker-Content-Digest</c>), where it says one.</summary>
    public static Fault WrongDigest { get; } = new("wrong digest", (_, context) =>
    {
        context.Response.OnStarting(() =>
        {
            if (context.Response.Headers.ContainsKey("Docker-Content-Digest"))
            {
                context.Response.Headers["Docker-Content-Digest"] = ImageReference.DigestOf("another"u8.ToArray());
            }

            return Task.CompletedTask;
        });
        return Task.FromResult(false);
    });

    /// <summary>One bit of the answer's body is another; its length is right.</summary>
    public static Fault WrongBody { get; } = new("wrong body", (_, context) =>
    {
        context.Response.Body = new FlippingStream(context.Response.Body);
        return Task.FromResult(false);
    });

    /// <inheritdoc/>
    public override string ToString() => Name;

    internal Task<bool> ApplyAsync(FaultScript script, HttpContext context) => _apply(script, context);

    /// <summary>Lets some bytes through, then breaks the connection.</summary>
    private sealed class CuttingStream(Stream inner, HttpContext context, Func<long> limit) : PassingStream(inner)
    {
        private long? _left;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var left = _left ??= limit();
            if (left <= 0)
            {
                // A body that ends just here is whole.
                return await Inner.ReadAsync(buffer[..1], cancellationToken) == 0 ? 0 : throw await CutAsync();
            }

            var read = await Inner.ReadAsync(buffer[..(int)Math.Min(buffer.Length, left)], cancellationToken);
            _left = left - read;
            return read;
        }

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var left = _left ??= limit();
            var part = buffer[..(int)Math.Min(buffer.Length, left)];
            await Inner.WriteAsync(part, cancellationToken);
            _left = left - part.Length;
            if (part.Length < buffer.Length)
            {
                // What was flushed leaves in its own time, and the break must not overtake it.
                await Inner.FlushAsync(cancellationToken);
                await Task.Delay(20, cancellationToken);
                throw await CutAsync();
            }
        }

        // Whoever catches what is thrown asks the request whether the line is gone, and it knows only a moment later.
        private async Task<IOException> CutAsync()
        {
            context.Abort();
            await Task.Delay(TimeSpan.FromSeconds(5), context.RequestAborted).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            return new("the line was cut");
        }
    }

    /// <summary>Changes the first byte that is written.</summary>
    private sealed class FlippingStream(Stream inner) : PassingStream(inner)
    {
        private bool _done;

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (_done || buffer.IsEmpty)
            {
                await Inner.WriteAsync(buffer, cancellationToken);
                return;
            }

            _done = true;
            var changed = buffer.ToArray();
            changed[0] ^= 1;
            await Inner.WriteAsync(changed, cancellationToken);
        }
    }

    private abstract class PassingStream(Stream inner) : Stream
    {
        public override bool CanRead => Inner.CanRead;

        public override bool CanSeek => false;

        public override bool CanWrite => Inner.CanWrite;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        protected Stream Inner { get; } = inner;

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => Inner.ReadAsync(buffer, cancellationToken);

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("bodies are read asynchronously");

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => Inner.WriteAsync(buffer, cancellationToken);

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException("bodies are written asynchronously");

        public override Task FlushAsync(CancellationToken cancellationToken) => Inner.FlushAsync(cancellationToken);

        public override void Flush() => Inner.Flush();

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
