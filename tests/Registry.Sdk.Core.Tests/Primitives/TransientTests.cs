using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Primitives;

/// <summary>Which failures may pass. How they are met is in Registry.Tests' RetryTests.</summary>
public sealed class TransientTests
{
    public static TheoryData<string, Exception, bool> Failures => new()
    {
        { "refused", new HttpRequestException("x", new SocketException((int)SocketError.ConnectionRefused)), true },
        { "reset", new HttpRequestException("x", new IOException("y", new SocketException((int)SocketError.ConnectionReset))), true },
        { "cut", new HttpIOException(HttpRequestError.ResponseEnded), true },
        { "silence", new TaskCanceledException("x", new TimeoutException()), true },
        { "name server busy", new HttpRequestException(HttpRequestError.NameResolutionError, "x", new SocketException((int)SocketError.TryAgain)), true },
        { "no such name", new HttpRequestException(HttpRequestError.NameResolutionError, "x", new SocketException((int)SocketError.HostNotFound)), false },
        { "name without address", new HttpRequestException("x", new SocketException((int)SocketError.NoData)), false },
        { "no HTTP", new HttpRequestException(HttpRequestError.InvalidResponse, "x"), false },
        { "chunks that are none", new HttpIOException(HttpRequestError.InvalidResponse), false },
        { "no TLS", new HttpRequestException("x", new AuthenticationException("frame size")), false },
        { "TLS that is cut", new HttpRequestException("x", new AuthenticationException("x", new IOException("reset"))), true },
        { "certificate", new HttpRequestException("x", new CertificateProblem("expired")), false },
        { "proxy refuses", new HttpRequestException(HttpRequestError.ProxyTunnelError, "x", null, HttpStatusCode.Forbidden), false },
        { "proxy is unwell", new HttpRequestException(HttpRequestError.ProxyTunnelError, "x", null, HttpStatusCode.BadGateway), true },
    };

    [Theory]
    [MemberData(nameof(Failures))]
    public void A_failure_of_a_connection_may_pass_unless_it_will_be_the_same_again(string what, Exception failure, bool mayPass)
        => Assert.True(Transient.Is(failure) == mayPass, what);

    [Theory]
    [InlineData(408, true)]
    [InlineData(500, true)]
    [InlineData(502, true)]
    [InlineData(503, true)]
    [InlineData(504, true)]
    [InlineData(501, false)]
    [InlineData(499, true)]
    [InlineData(520, true)]
    [InlineData(599, true)]
    [InlineData(600, false)]
    [InlineData(505, false)]
    [InlineData(507, false)]
    [InlineData(511, false)]
    [InlineData(526, false)]
    [InlineData(400, false)]
    [InlineData(404, false)]
    [InlineData(200, false)]
    public void An_answer_may_pass_where_the_server_is_unwell(int status, bool mayPass) => Assert.Equal(mayPass, Transient.Is(status));
}
