using System.Diagnostics.CodeAnalysis;

namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// An image as docker and compose files name it: <c>redis:7</c>, <c>ghcr.io/acme/app:v1@sha256:…</c>. What begins with no host is on Docker Hub, there
/// without a namespace in <c>library</c>. Source: distribution/reference, «normalize.go».
/// </summary>
/// <param name="Repository">The repository that is meant.</param>
/// <param name="Tag">The tag that was written, or null.</param>
/// <param name="Digest">The digest that was written, or null; it says which image, whatever the tag names.</param>
/// <param name="HasHost">Whether the registry was written out.</param>
public sealed record ImageName(RepositoryReference Repository, string? Tag, Digest? Digest, bool HasHost)
{
    /// <summary>What a registry is asked for: the digest, else the tag, else <c>latest</c>.</summary>
    public string Reference => Digest?.ToString() ?? Tag ?? "latest";

    /// <summary>Reads a name.</summary>
    /// <param name="text">As written.</param>
    /// <param name="name">What it means.</param>
    /// <param name="why">What is wrong with it, else empty: a sentence.</param>
    public static bool TryParse(string text, [NotNullWhen(true)] out ImageName? name, out string why)
    {
        ArgumentNullException.ThrowIfNull(text);
        name = null;
        why = string.Empty;
        var rest = text;
        Digest? digest = null;
        var at = rest.IndexOf('@', StringComparison.Ordinal);
        if (at >= 0)
        {
            if (!Digest.TryParse(rest[(at + 1)..], out digest))
            {
                why = "what follows the '@' is no digest (sha256: and 64 hex digits).";
                return false;
            }

            rest = rest[..at];
        }

        string? tag = null;
        var colon = rest.LastIndexOf(':');
        if (colon > rest.LastIndexOf('/'))
        {
            tag = rest[(colon + 1)..];
            rest = rest[..colon];
            if (!RepositoryReference.IsLegalTag(tag))
            {
                why = $"'{tag}' is no tag ([A-Za-z0-9_][A-Za-z0-9._-]{{0,127}}).";
                return false;
            }
        }

        var slash = rest.IndexOf('/', StringComparison.Ordinal);
        var first = slash < 0 ? string.Empty : rest[..slash];
        var hasHost = first.Length > 0 && (first.AsSpan().ContainsAny('.', ':') || first == "localhost");
        if (!RegistryHost.TryParse(hasHost ? first : "docker.io", out var host))
        {
            why = $"'{first}' is no host name with optional port.";
            return false;
        }

        var path = hasHost ? rest[(slash + 1)..] : rest;
        if (!RepositoryReference.IsLegalName(path))
        {
            why = RepositoryReference.IsLegalName(path.ToLowerInvariant())
                ? "repository names are lower case."
                : $"'{path}' is no repository name (lower-case letters, digits, single '.', '_', '-' between them, '/' between parts).";
            return false;
        }

        name = new(RepositoryReference.Of(host, path), tag, digest, hasHost);
        return true;
    }

    /// <summary>With registry and everything that is meant: <c>docker.io/library/redis:7</c>.</summary>
    public override string ToString() => $"{Repository}{(Tag is null && Digest is null ? ":latest" : Tag is null ? string.Empty : ":" + Tag)}{(Digest is null ? string.Empty : $"@{Digest}")}";
}
