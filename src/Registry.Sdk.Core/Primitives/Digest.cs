using System.Diagnostics.CodeAnalysis;
using System.Security.Cryptography;

namespace Registry.Sdk.Core.Primitives;

/// <summary>A SHA-256 content digest. Source: OCI image spec, descriptor.md, «Digests».</summary>
/// <remarks>Other algorithms (sha512) are registered but met nowhere; they are refused where they would have to be verified.</remarks>
public sealed record Digest
{
    private const string Prefix = "sha256:";

    private Digest(string hex) => Hex = hex;

    /// <summary>64 lower-case hex digits.</summary>
    public string Hex { get; }

    /// <summary>Parses <c>sha256:</c> + 64 lower-case hex digits; nothing else.</summary>
    public static bool TryParse([NotNullWhen(true)] string? text, [NotNullWhen(true)] out Digest? digest)
    {
        digest = null;
        if (text is null || text.Length != Prefix.Length + 64 || !text.StartsWith(Prefix, StringComparison.Ordinal))
        {
            return false;
        }

        var hex = text[Prefix.Length..];
        if (hex.AsSpan().ContainsAnyExcept("0123456789abcdef"))
        {
            return false;
        }

        digest = new(hex);
        return true;
    }

    /// <summary>As <see cref="TryParse"/>; throws <see cref="FormatException"/>.</summary>
    public static Digest Parse(string text) => TryParse(text, out var digest) ? digest : throw new FormatException($"'{text}' is not a sha256 digest.");

    /// <summary>The digest of these bytes.</summary>
    public static Digest Of(ReadOnlySpan<byte> content) => new(Convert.ToHexStringLower(SHA256.HashData(content)));

    /// <summary>The digest of the rest of a stream.</summary>
    public static async Task<Digest> OfAsync(Stream content, CancellationToken cancellationToken)
        => new(Convert.ToHexStringLower(await SHA256.HashDataAsync(content, cancellationToken).ConfigureAwait(false)));

    /// <summary>The digest a finished hash stands for.</summary>
    public static Digest FromHash(ReadOnlySpan<byte> sha256) => sha256.Length == 32 ? new(Convert.ToHexStringLower(sha256)) : throw new ArgumentException("Not a SHA-256 value.", nameof(sha256));

    /// <summary><c>sha256:</c> + hex, always in full.</summary>
    public override string ToString() => Prefix + Hex;
}
