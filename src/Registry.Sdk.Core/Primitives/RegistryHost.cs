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

    /// <inheritdoc/>
    public override string ToString() => Name;
}
