using System.Collections.Concurrent;
using System.Net;
using System.Text;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Hostile;

/// <summary>One request as it left, wherever to.</summary>
internal sealed record SentRequest(HttpMethod Method, Uri Address, string Everything)
{
    public string Origin => Address.GetLeftPart(UriPartial.Authority);

    public override string ToString() => $"{Method} {Address}";
}

/// <summary>
/// The internet without a network: a public registry that answers as a test writes it, and every other host there is, which answers whatever is asked and
/// would take any secret. So a test sees what would be sent to whom, DNS and TLS apart.
/// </summary>
internal sealed class FakeInternet : HttpMessageHandler, ICredentialSource
{
    public const string Registry = "https://registry.example";
    public const string User = "sentinel-user";
    public const string Password = "sentinel-one:with/odd+chars";
    public const string Token = "sentinel-two-token";

    private readonly ConcurrentQueue<SentRequest> _sent = new();
    private readonly Func<HttpRequestMessage, HttpResponseMessage> _answer;
    private readonly HttpMessageInvoker _http;
    private readonly RegistryAuthenticator _authenticator;

    public FakeInternet(Func<HttpRequestMessage, HttpResponseMessage> answer)
    {
        _answer = answer;
        Assert.True(RegistryHost.TryParse("registry.example", out var host));
        var endpoint = EndpointMap.Empty.Resolve(host);
        _http = new(this, disposeHandler: false);
        _authenticator = new(endpoint, this, _http);
        Client = new(endpoint, new(host, "team/app"), _authenticator, _http, static _ => { });
    }

    /// <summary>A client of <c>registry.example/team/app</c> with a password.</summary>
    public RegistryClient Client { get; }

    /// <summary>How every other host answers.</summary>
    public Func<HttpRequestMessage, HttpResponseMessage> Stranger { get; init; } = static _ => Json("""{"token":"stolen","access_token":"stolen"}""");

    public IReadOnlyList<SentRequest> Sent => [.. _sent];

    /// <summary>Requests to anyone but the registry's own origin.</summary>
    public IReadOnlyList<SentRequest> Elsewhere => [.. Sent.Where(r => r.Origin != Registry)];

    /// <summary>A registry that wants the password for everything, and then does something.</summary>
    public static FakeInternet WithPassword(Func<HttpRequestMessage, HttpResponseMessage> answer)
        => new(request => request.Headers.Authorization is null ? Challenge("Basic realm=\"r\"") : answer(request));

    public static HttpResponseMessage Challenge(params string[] challenges)
    {
        var answer = new HttpResponseMessage(HttpStatusCode.Unauthorized);
        foreach (var challenge in challenges)
        {
            answer.Headers.TryAddWithoutValidation("WWW-Authenticate", challenge);
        }

        return answer;
    }

    public static HttpResponseMessage To(int status, string location)
    {
        var answer = new HttpResponseMessage((HttpStatusCode)status);
        answer.Headers.TryAddWithoutValidation("Location", location);
        return answer;
    }

    public static HttpResponseMessage Json(string json, int status = 200, string type = "application/json")
        => new((HttpStatusCode)status) { Content = new ByteArrayContent(Encoding.UTF8.GetBytes(json)) { Headers = { ContentType = new(type) } } };

    /// <summary>No secret went to another origin than the registry's, in no form; and none went anywhere but in a header or a token form.</summary>
    public void AssertNoSentinelElsewhere()
    {
        string[] forms = [Password, Uri.EscapeDataString(Password), Token, Convert.ToBase64String(Encoding.UTF8.GetBytes($"{User}:{Password}")), Convert.ToBase64String(Encoding.UTF8.GetBytes(Password))];
        Assert.All(Elsewhere, r => Assert.True(!Array.Exists(forms, f => r.Everything.Contains(f, StringComparison.Ordinal)), $"{r} carries a secret"));
        Assert.All(Sent, r => Assert.True(!Array.Exists(forms, f => r.Address.ToString().Contains(f, StringComparison.Ordinal)), $"{r} has a secret in its address"));
    }

    public Task<Credential?> FindAsync(RegistryEndpoint endpoint, RepositoryReference repository, CancellationToken cancellationToken)
        => Task.FromResult<Credential?>(new(User, new(Password), "the test", CredentialKind.Password));

    public IReadOnlyList<string> TrustedRealmHosts(RegistryEndpoint endpoint) => [];

    protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
    {
        var body = request.Content is null ? "" : await request.Content.ReadAsStringAsync(cancellationToken);
        // As it would stand on the line: where a host is spelled in two ways the one that is connected to counts.
        var address = new UriBuilder(request.RequestUri!) { Host = request.RequestUri!.IdnHost }.Uri;
        _sent.Enqueue(new(request.Method, address, $"{request.RequestUri} {Uri.UnescapeDataString(request.RequestUri.ToString())}\n{request.Headers}\n{request.Content?.Headers}\n{body}"));
        Assert.InRange(_sent.Count, 0, 3000);
        var answer = address.GetLeftPart(UriPartial.Authority) == Registry ? _answer(request) : Stranger(request);
        answer.RequestMessage = request;
        return answer;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _http.Dispose();
            _authenticator.Dispose();
        }

        base.Dispose(disposing);
    }
}
