using System.Security.Cryptography;
using System.Text.RegularExpressions;

namespace Registry.Sdk.Emulator;

/// <summary>The grammar of names, tags and digests (distribution-spec 1.1.1 "Pulling manifests"; image-spec descriptor.md).</summary>
internal static partial class ImageReference
{
    private const int MaxNameLength = 255;

    public static bool IsName(string? text) => text is { Length: > 0 and <= MaxNameLength } && NamePattern().IsMatch(text);

    public static bool IsTag(string? text) => text is not null && TagPattern().IsMatch(text);

    /// <summary>Only sha256: it is what every client in reach sends, and one algorithm keeps the store one folder.</summary>
    public static bool IsDigest(string? text) => text is not null && DigestPattern().IsMatch(text);

    public static string DigestOf(ReadOnlySpan<byte> content) => Digest(SHA256.HashData(content));

    public static string Digest(ReadOnlySpan<byte> hash) => "sha256:" + Convert.ToHexStringLower(hash);

    [GeneratedRegex(@"\A[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*(?:/[a-z0-9]+(?:(?:\.|_|__|-+)[a-z0-9]+)*)*\z", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex NamePattern();

    [GeneratedRegex(@"\A[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\z", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex TagPattern();

    [GeneratedRegex(@"\Asha256:[0-9a-f]{64}\z", RegexOptions.None, matchTimeoutMilliseconds: 1000)]
    private static partial Regex DigestPattern();
}
