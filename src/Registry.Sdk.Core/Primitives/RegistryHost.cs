using System.Net;

namespace Registry.Sdk.Core.Primitives;

/// <summary>A registry as users and image references name it: <c>ghcr.io</c>, <c>docker.io</c>, <c>localhost:5000</c>.</summary>
public sealed record RegistryHost
{
    private RegistryHost(string name) => Name = name;

    /// <summary>Lower case, without scheme; with the port where one was written (443 excepted, but for loopback). Docker Hub is always <c>docker.io</c>.</summary>
    public string Name { get; }

    /// <summary>The name without port.</summary>
    public string HostOnly => new Uri("https://" + Name).Host;

    /// <summary>Whether this is <c>localhost</c> or a loopback address, to which plain http is spoken.</summary>
    public bool IsLoopback => IsLoopbackName(HostOnly);

    /// <summary>Parses a host with optional port. Look-alikes (unicode, trailing dot, user info, path) are refused.</summary>
    public static bool TryParse(string text, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out RegistryHost? host)
    {
        host = null;
        if (string.IsNullOrEmpty(text) || text.AsSpan().ContainsAnyExcept("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.-:[]"))
        {
            return false;
        }

        var lower = text.ToLowerInvariant();
        if (!Uri.TryCreate("https://" + lower, UriKind.Absolute, out var uri) || uri.Host.EndsWith('.') || uri.Host.StartsWith('-') || uri.PathAndQuery != "/")
        {
            return false;
        }

        // Uri rewrites odd spellings of addresses (0x7f.1, 127.1) to the address they mean; what was written must be what is meant.
        if (!string.Equals(lower, uri.Host, StringComparison.Ordinal) && !string.Equals(lower, $"{uri.Host}:{uri.Port}", StringComparison.Ordinal))
        {
            return false;
        }

        if (uri.Port == 0)
        {
            return false;
        }

        // 443 is what https means anyway; to loopback http is spoken, and there it says something.
        var name = uri.IsDefaultPort && !(IsLoopbackName(uri.Host) && lower.Length > uri.Host.Length) ? uri.Host : $"{uri.Host}:{uri.Port}";
        host = new(name is "index.docker.io" or "registry-1.docker.io" or "registry.hub.docker.com" or "www.docker.io" ? "docker.io" : name);
        return true;
    }

    /// <summary>Whether a host name is loopback without asking DNS.</summary>
    public static bool IsLoopbackName(string host)
    {
        ArgumentNullException.ThrowIfNull(host);
        return string.Equals(host, "localhost", StringComparison.OrdinalIgnoreCase)
            || (IPAddress.TryParse(host.Trim('[', ']'), out var address) && IPAddress.IsLoopback(address));
    }

    /// <summary>
    /// Whether a host name leads to this machine where resolvers do what RFC 6761, 6.3 says (<c>x.localhost</c>, a trailing dot). Not all do: so nothing is
    /// spoken to it in the clear, but no registry may name it either.
    /// </summary>
    internal static bool MayBeLoopbackName(string host)
    {
        var name = host.TrimEnd('.');
        return IsLoopbackName(name) || name.EndsWith(".localhost", StringComparison.OrdinalIgnoreCase);
    }

    /// <summary>
    /// The IPv4 address that an IPv6 address stands for, where it does: mapped and compatible (RFC 4291, 2.5.5), translated (RFC 2765), NAT64 (RFC 6052), 6to4
    /// (RFC 3056). Else itself.
    /// </summary>
    internal static IPAddress Reached(IPAddress address)
    {
        var b = address.GetAddressBytes();
        if (b.Length == 4)
        {
            return address;
        }

        var isEmbedded = address.IsIPv4MappedToIPv6
            || (b is [0, 0x64, 0xff, 0x9b, ..] && !b.AsSpan(4, 8).ContainsAnyExcept((byte)0))
            || (b is [0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 0, 0, ..])
            || (!b.AsSpan(0, 12).ContainsAnyExcept((byte)0) && b[12] != 0);
        return isEmbedded ? new(b.AsSpan(12)) : b[0] == 0x20 && b[1] == 2 ? new(b.AsSpan(2, 4)) : address;
    }

    /// <summary>
    /// An address with its host spelled as it is connected to (IDNA): who reads «rеgistry.example» with a Cyrillic е must not take it for another. Null where
    /// there is no such spelling.
    /// </summary>
    internal static Uri? Spelled(Uri address)
    {
        if (System.Text.Ascii.IsValid(address.Host))
        {
            return address;
        }

        try
        {
            return System.Text.Ascii.IsValid(address.IdnHost) ? new UriBuilder(address) { Host = address.IdnHost }.Uri : null;
        }
        catch (UriFormatException)
        {
            return null;
        }
    }

    /// <inheritdoc/>
    public override string ToString() => Name;
}
