using System.Collections.Concurrent;
using System.Net;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.AspNetCore.Http.Features;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Registry.Sdk.TestKit;

/// <summary>One request that went through a <see cref="CountingProxy"/>; status 0 is a connection that broke. Headers are not kept, so no credential can get into a test's output.</summary>
public sealed record ProxiedRequest(string Method, string Path, string Query, int Status, long RequestBytes)
{
    /// <summary>Whether the request could have changed the registry.</summary>
    public bool IsWrite => Method is "POST" or "PUT" or "PATCH" or "DELETE";
}

/// <summary>
/// A reverse proxy on loopback in front of a real registry, to count what a client really sent. The client's Host header goes through
/// unchanged, so that the registry's absolute Location URLs lead back here.
/// </summary>
public sealed class CountingProxy : IAsyncDisposable
{
    private static readonly HashSet<string> HopByHop = new(StringComparer.OrdinalIgnoreCase)
    {
        "Connection", "Keep-Alive", "Proxy-Connection", "TE", "Trailer", "Transfer-Encoding", "Upgrade", "Expect",
    };

    private readonly ConcurrentQueue<ProxiedRequest> requests = new();
    private readonly HttpMessageInvoker client = new(new SocketsHttpHandler
    {
        AllowAutoRedirect = false,
        AutomaticDecompression = DecompressionMethods.None,
        UseCookies = false,
        UseProxy = false,
    });

    private readonly Uri upstream;
    private readonly WebApplication application;

    private CountingProxy(Uri upstream)
    {
        this.upstream = upstream;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0);
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
            kestrel.AllowSynchronousIO = false;
        });
        builder.Logging.ClearProviders();
        application = builder.Build();
        application.Run(HandleAsync);
    }

    /// <summary>The port the proxy listens on.</summary>
    public int Port { get; private set; }

    /// <summary><c>localhost:PORT</c>.</summary>
    public string Address => FormattableString.Invariant($"localhost:{Port}");

    /// <summary><c>127.0.0.1:PORT</c>.</summary>
    public string IpAddress => FormattableString.Invariant($"127.0.0.1:{Port}");

    /// <summary>Every request that has been answered, in the order the answers began.</summary>
    public IReadOnlyList<ProxiedRequest> Requests => [.. requests];

    /// <summary>The requests that could have changed the registry.</summary>
    public IReadOnlyList<ProxiedRequest> Writes => [.. requests.Where(request => request.IsWrite)];

    /// <summary>Sees each request first; returning true means it has answered (a failure, a delay, a wrong header) and the registry is not asked.</summary>
    public Func<HttpContext, Task<bool>>? Intercept { get; set; }

    /// <summary>Starts a proxy in front of a registry.</summary>
    public static async Task<CountingProxy> StartAsync(Uri upstream)
    {
        var proxy = new CountingProxy(upstream);
        await proxy.application.StartAsync();
        var addresses = proxy.application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses;
        proxy.Port = new Uri(addresses.Single()).Port;
        return proxy;
    }

    /// <summary>Forgets what was counted so far.</summary>
    public void Clear() => requests.Clear();

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        using (var now = new CancellationTokenSource(TimeSpan.FromSeconds(1)))
        {
            await application.StopAsync(now.Token);
        }

        await application.DisposeAsync();
        client.Dispose();
    }

    private async Task HandleAsync(HttpContext context)
    {
        using var requestBody = new CountingStream(context.Request.Body);
        var recorded = 0;
        void Record(int status)
        {
            if (Interlocked.Exchange(ref recorded, 1) == 0)
            {
                requests.Enqueue(new ProxiedRequest(
                    context.Request.Method, context.Request.Path, context.Request.QueryString.ToString(), status, requestBody.Count));
            }
        }

        // Recorded before the first byte of the answer leaves: a test that has seen the answer finds the request here.
        context.Response.OnStarting(() =>
        {
            Record(context.Response.StatusCode);
            return Task.CompletedTask;
        });
        try
        {
            if (Intercept is null || !await Intercept(context))
            {
                await ForwardAsync(context, requestBody);
            }
        }
        catch (Exception exception) when (exception is HttpRequestException or IOException && !context.Response.HasStarted)
        {
            context.Response.StatusCode = StatusCodes.Status502BadGateway;
        }
        finally
        {
            if (context.RequestAborted.IsCancellationRequested)
            {
                Record(0);
            }
        }
    }

    private async Task ForwardAsync(HttpContext context, CountingStream requestBody)
    {
        // RawTarget, because a decoded and encoded path is another path.
        var target = context.Features.GetRequiredFeature<IHttpRequestFeature>().RawTarget;
        using var message = new HttpRequestMessage(new HttpMethod(context.Request.Method), new Uri(upstream, target));
        if (context.Features.GetRequiredFeature<IHttpRequestBodyDetectionFeature>().CanHaveBody)
        {
            message.Content = new StreamContent(requestBody);
        }
        else if (context.Request.ContentLength is 0)
        {
            message.Content = new ByteArrayContent([]);
        }

        foreach (var (name, values) in context.Request.Headers)
        {
            if (!HopByHop.Contains(name) && !message.Headers.TryAddWithoutValidation(name, values.AsEnumerable()))
            {
                message.Content?.Headers.TryAddWithoutValidation(name, values.AsEnumerable());
            }
        }

        using var answer = await client.SendAsync(message, context.RequestAborted);
        context.Response.StatusCode = (int)answer.StatusCode;
        foreach (var (name, values) in answer.Headers.NonValidated.Concat(answer.Content.Headers.NonValidated))
        {
            if (!HopByHop.Contains(name))
            {
                context.Response.Headers.Append(name, values.ToArray());
            }
        }

        await using var body = await answer.Content.ReadAsStreamAsync(context.RequestAborted);
        await body.CopyToAsync(context.Response.Body, context.RequestAborted);
    }

    /// <summary>Counts the bytes that are read through it.</summary>
    private sealed class CountingStream(Stream inner) : Stream
    {
        private long count;

        public long Count => Interlocked.Read(ref count);

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => false;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer, cancellationToken);
            Interlocked.Add(ref count, read);
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Bodies are streamed asynchronously.");

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => throw new NotSupportedException();
    }
}
