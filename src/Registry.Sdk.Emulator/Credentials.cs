using System.Text;

namespace Registry.Sdk.Emulator;

/// <summary>What an <c>Authorization</c> header says.</summary>
/// <param name="UserName">The Basic user; <see langword="null"/> for another scheme.</param>
/// <param name="Secret">The Basic password, or the bearer token.</param>
internal sealed record Credentials(string? UserName, string Secret)
{
    private static readonly string[] RealSecretPrefixes = ["ghp_", "gho_", "ghu_", "ghs_", "ghr_", "github_pat_", "dckr_pat_", "dckr_oat_", "glpat-"];

    /// <summary>Reads a header; <see langword="null"/> when there is none or it is malformed.</summary>
    public static Credentials? FromHeader(string? header)
    {
        if (header is null)
        {
            return null;
        }

        var space = header.IndexOf(' ', StringComparison.Ordinal);
        if (space < 0)
        {
            return null;
        }

        var value = header[(space + 1)..].Trim();
        if (!header.AsSpan(0, space).Equals("Basic", StringComparison.OrdinalIgnoreCase))
        {
            return new Credentials(null, value);
        }

        var pair = Decode(value);
        var colon = pair?.IndexOf(':', StringComparison.Ordinal) ?? -1;
        return colon < 0 ? null : new Credentials(pair![..colon], pair[(colon + 1)..]);
    }

    /// <summary>Whether a text looks like a secret of a real service, which has no business at an emulator.</summary>
    /// <remarks>Looks into base64 too: GHCR takes <c>Bearer base64(token)</c> and <c>Bearer base64(user:token)</c>.</remarks>
    public static bool LooksReal(string secret) =>
        RealSecretPrefixes.Any(prefix => secret.Contains(prefix, StringComparison.Ordinal) || Decode(secret)?.Contains(prefix, StringComparison.Ordinal) == true);

    /// <summary>Leaves the secret out.</summary>
    public override string ToString() => nameof(Credentials);

    private static string? Decode(string base64)
    {
        var bytes = new byte[base64.Length];
        return Convert.TryFromBase64String(base64, bytes, out var count) ? Encoding.UTF8.GetString(bytes, 0, count) : null;
    }
}
