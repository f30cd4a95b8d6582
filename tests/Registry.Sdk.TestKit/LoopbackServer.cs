using System.Collections.Concurrent;
using System.Net;
using System.Security.Cryptography.X509Certificates;
using Microsoft.AspNetCore.Builder;
using Microsoft.AspNetCore.Hosting;
using Microsoft.AspNetCore.Hosting.Server;
using Microsoft.AspNetCore.Hosting.Server.Features;
using Microsoft.AspNetCore.Http;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.Logging;

namespace Registry.Sdk.TestKit;

/// <summary>One request at a <see cref="LoopbackServer"/>. Of the credentials only the scheme is kept.</summary>
public sealed record LoopbackRequest(string Method, string Path, string Query, string? Scheme, string? ContentRange, byte[] Body)
{
    public override string ToString() => $"{Method} {Path}{Query}";
}

/// <summary>A small HTTP or HTTPS server on loopback that answers as a test writes it: registries that can't be had, and would not behave so at will.</summary>
public sealed class LoopbackServer : IAsyncDisposable
{
    private readonly ConcurrentQueue<LoopbackRequest> requests = new();
    private readonly WebApplication application;
    private readonly Func<HttpContext, byte[], Task> answer;
    private readonly bool readBodies;

    private LoopbackServer(Func<HttpContext, byte[], Task> answer, X509Certificate2? certificate, bool readBodies)
    {
        this.answer = answer;
        this.readBodies = readBodies;
        var builder = WebApplication.CreateEmptyBuilder(new WebApplicationOptions());
        builder.WebHost.UseKestrelCore().ConfigureKestrel(kestrel =>
        {
            kestrel.Listen(IPAddress.Loopback, 0, listen =>
            {
                if (certificate is not null)
                {
                    listen.UseHttps(certificate);
                }
            });
            kestrel.Limits.MaxRequestBodySize = null;
            kestrel.Limits.MinRequestBodyDataRate = null;
            kestrel.Limits.MinResponseDataRate = null;
        });
        if (certificate is not null)
        {
            builder.WebHost.UseKestrelHttpsConfiguration();
        }

        builder.Logging.ClearProviders();
        application = builder.Build();
        application.Run(HandleAsync);
    }

    /// <summary>The port.</summary>
    public int Port { get; private set; }

    /// <summary><c>127.0.0.1:PORT</c>.</summary>
    public string Address => FormattableString.Invariant($"127.0.0.1:{Port}");

    /// <summary>Every request so far, in the order they came.</summary>
    public IReadOnlyList<LoopbackRequest> Requests => [.. requests];

    /// <summary>Starts a server. <paramref name="answer"/> is given the request's body; without <paramref name="readBodies"/> it is empty and unread.</summary>
    public static async Task<LoopbackServer> StartAsync(Func<HttpContext, byte[], Task> answer, X509Certificate2? certificate = null, bool readBodies = true)
    {
        var server = new LoopbackServer(answer, certificate, readBodies);
        await server.application.StartAsync();
        server.Port = new Uri(server.application.Services.GetRequiredService<IServer>().Features.Get<IServerAddressesFeature>()!.Addresses.Single()).Port;
        return server;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        using (var now = new CancellationTokenSource(TimeSpan.FromSeconds(1)))
        {
            await application.StopAsync(now.Token);
        }

        await application.DisposeAsync();
    }

    private async Task HandleAsync(HttpContext context)
    {
        using var body = new MemoryStream();
        if (readBodies)
        {
            await context.Request.Body.CopyToAsync(body);
        }

        var authorization = context.Request.Headers.Authorization.ToString();
        requests.Enqueue(new(
            context.Request.Method, context.Request.Path, context.Request.QueryString.ToString(),
            authorization.Length == 0 ? null : authorization.Split(' ')[0], context.Request.Headers.ContentRange, body.ToArray()));
        await answer(context, body.ToArray());
    }
}
