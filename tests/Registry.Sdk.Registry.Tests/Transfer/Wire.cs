using System.Collections.Concurrent;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>The client alone, without a publish around it.</summary>
internal sealed class Wire : ICredentialSource, IDisposable
{
    private readonly ConcurrentQueue<string> _trace = new();
    private readonly ConcurrentQueue<string> _asked = new();
    private readonly RegistryConnections _connections;
    private readonly RegistryHost _host;

    /// <summary>A client of the registry at an address, <c>127.0.0.1:5000</c>.</summary>
    /// <param name="address">Where it answers.</param>
    /// <param name="scheme">With <c>https</c> it is re-mapped there; to loopback http is spoken else.</param>
    /// <param name="seconds">How long registry and token server may be silent.</param>
    /// <param name="resilience">How failures are met; null: each is handed on.</param>
    /// <param name="host">The name that it is known by, re-mapped to the address; null: the address.</param>
    public Wire(string address, string scheme = "http", double seconds = 100, RegistryResilience? resilience = null, string? host = null)
    {
        Assert.True(RegistryHost.TryParse(host ?? address, out var parsed));
        _host = parsed;
        var diagnostics = new List<Diagnostic>();
        var endpoints = scheme == "http" && host is null ? EndpointMap.Empty : EndpointMap.Parse([new(host ?? address, $"{scheme}://{address}")], diagnostics);
        Assert.Empty(diagnostics);
        _connections = new(endpoints, this, _trace.Enqueue) { AnswerTimeout = TimeSpan.FromSeconds(seconds), TokenTimeout = TimeSpan.FromSeconds(seconds), Resilience = resilience };
    }

    /// <summary>What is found for a repository; null: nothing.</summary>
    public Func<string, Credential?> Credentials { get; set; } = static _ => null;

    /// <summary>The repositories that credentials were looked for, in order.</summary>
    public IReadOnlyList<string> Asked => [.. _asked];

    public IReadOnlyList<string> Trace => [.. _trace];

    /// <summary>The client of a repository.</summary>
    public RegistryClient Open(string name = "team/app") => _connections.Open(new RepositoryReference(_host, name));

    /// <summary>The client of a repository of another registry, over the same connections.</summary>
    public RegistryClient Open(string name, string address)
    {
        Assert.True(RegistryHost.TryParse(address, out var host));
        return _connections.Open(new RepositoryReference(host, name));
    }

    public static Credential Login(string user, string password, CredentialKind kind = CredentialKind.Password) => new(user, new(password), "the test", kind);

    public Task<Credential?> FindAsync(RegistryEndpoint endpoint, RepositoryReference repository, CancellationToken cancellationToken)
    {
        _asked.Enqueue(repository.Name);
        return Task.FromResult(Credentials(repository.Name));
    }

    public IReadOnlyList<string> TrustedRealmHosts(RegistryEndpoint endpoint) => [];

    public void Dispose() => _connections.Dispose();

    /// <summary>An image manifest with nothing in it but what is asked for.</summary>
    public static ManifestContent Manifest(string salt, Descriptor? subject = null, string? artifactType = null)
    {
        var json = new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = MediaTypes.OciManifest,
            ["config"] = new Descriptor("application/vnd.test.config", Digest.Of("{}"u8.ToArray()), 2).ToJson(),
            ["layers"] = new JsonArray(),
            ["annotations"] = new JsonObject { ["salt"] = salt },
        };
        if (artifactType is not null)
        {
            json["artifactType"] = artifactType;
        }

        if (subject is not null)
        {
            json["subject"] = subject.ToJson();
        }

        var content = Seed.Json(json);
        return new(new(MediaTypes.OciManifest, Digest.Of(content), content.Length), content);
    }

    public static (Descriptor Descriptor, byte[] Content) Blob(int size, int seed = 1)
    {
        var content = new byte[size];
        new Random(seed).NextBytes(content);
        return (new("application/octet-stream", Digest.Of(content), size), content);
    }

    public static Task SendAsync(RegistryClient client, UploadSession session, (Descriptor Descriptor, byte[] Content) blob)
        => client.UploadAsync(session, blob.Descriptor, () => new MemoryStream(blob.Content), null, CancellationToken.None);

    public static async Task SendAsync(RegistryClient client, (Descriptor Descriptor, byte[] Content) blob)
        => await SendAsync(client, await client.StartUploadAsync(CancellationToken.None), blob);

    /// <summary>Answers with JSON.</summary>
    public static async Task JsonAsync(HttpContext context, int status, string json, string type = "application/json")
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = type;
        context.Response.ContentLength = Encoding.UTF8.GetByteCount(json);
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.WriteAsync(json);
        }
    }

    public static Task ErrorAsync(HttpContext context, int status, string code, string message) => JsonAsync(context, status, $$"""{"errors":[{"code":"{{code}}","message":"{{message}}"}]}""");

    /// <summary>Answers 202 with a Location.</summary>
    public static Task AcceptAsync(HttpContext context, string location, string? range = null)
    {
        context.Response.StatusCode = 202;
        context.Response.Headers.Location = location;
        if (range is not null)
        {
            context.Response.Headers["Range"] = range;
        }

        return Task.CompletedTask;
    }

    public static async Task<RegistryException> FailsAsync(RegistryFailure failure, Func<Task> action)
    {
        var exception = await Assert.ThrowsAsync<RegistryException>(action);
        Assert.True(failure == exception.Failure, $"{exception.Failure}: {exception.Message}");
        Assert.DoesNotContain('\n', exception.Message);
        return exception;
    }
}
