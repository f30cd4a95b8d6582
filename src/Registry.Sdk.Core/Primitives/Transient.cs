using System.Net;
using System.Net.Sockets;
using System.Security.Authentication;

namespace Registry.Sdk.Core.Primitives;

/// <summary>What may fare better a little later. Everything else fails at once. Source: wire-facts 1.12; RFC 9110, 15.</summary>
internal static class Transient
{
    /// <summary>
    /// Whether an answer says that the server, or what stands before it (nginx: 499; Cloudflare: 520 to 530), is unwell for the moment. What it does not know
    /// (501, 505), has no room for (507) or goes in circles with (508), a way in that is shut (510, 511) and its certificate (526) will not be better later; 429
    /// is <see cref="Throttling"/>'s.
    /// </summary>
    public static bool Is(int status) => status is 408 or 499 or (>= 500 and < 600 and not (501 or 505 or 506 or 507 or 508 or 510 or 511 or 526));

    /// <summary>Whether a connection failed as connections do: refused, reset, cut, silent. A name that nobody knows and a certificate that is wrong stay so.</summary>
    public static bool Is(Exception failure)
    {
        for (var e = failure; e is not null; e = e.InnerException)
        {
            switch (e)
            {
                case CertificateProblem:
                case SocketException { SocketErrorCode: SocketError.HostNotFound or SocketError.NoData or SocketError.AccessDenied or SocketError.AddressFamilyNotSupported }:
                case HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded or HttpRequestError.VersionNegotiationError or HttpRequestError.UserAuthenticationError }:
                case HttpIOException { HttpRequestError: HttpRequestError.InvalidResponse or HttpRequestError.ConfigurationLimitExceeded }:
                // A handshake that is cut has the cut inside it; any other will fail again.
                case AuthenticationException { InnerException: not IOException }:
                    return false;
                case HttpRequestException { HttpRequestError: HttpRequestError.ProxyTunnelError } proxy:
                    return proxy.StatusCode is { } status && Is((int)status);
            }
        }

        return true;
    }
}
