using System.Globalization;
using System.Net.Http.Headers;
using System.Text.Json;

namespace Registry.Sdk.Core.Primitives;

/// <summary>What a token server issued. Source: distribution «token.md»; RFC 6749, 5.1.</summary>
/// <param name="Header">The header to send.</param>
/// <param name="Expires">By this machine's clock, with a margin.</param>
internal sealed record AccessToken(AuthenticationHeaderValue Header, DateTimeOffset Expires)
{
    /// <summary>
    /// What servers take of one header at most, and more than any token has: each is kept, and learnt by the <see cref="Redactor"/>, which would fill memory.
    /// </summary>
    private const int MaxLength = 16 * 1024;

    /// <summary>Longer than any publish: what a server claims beyond is not relied on.</summary>
    private static readonly TimeSpan MaxLifetime = TimeSpan.FromHours(12);

    // token.md: absent means 60 seconds.
    private static readonly TimeSpan DefaultLifetime = TimeSpan.FromSeconds(60);

    // A token must not run out on its way.
    private static readonly TimeSpan Margin = TimeSpan.FromSeconds(10);

    /// <summary>Reads a token server's answer.</summary>
    /// <param name="body">The JSON.</param>
    /// <param name="answered">The server's own time (<c>Date</c>), or null. With it the age of a token that was issued earlier is told by one clock.</param>
    /// <param name="now">This machine's time.</param>
    /// <returns>Null if there is no token in it.</returns>
    /// <exception cref="JsonException">No JSON object.</exception>
    public static AccessToken? Parse(byte[] body, DateTimeOffset? answered, DateTimeOffset now)
    {
        using var json = StrictJson.Document(body);
        var root = json.RootElement;
        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new JsonException("no object");
        }

        var token = StrictJson.Text(root, "token") is { Length: > 0 } named ? named : StrictJson.Text(root, "access_token");
        if (string.IsNullOrEmpty(token) || token.Length > MaxLength || token.AsSpan().ContainsAnyExceptInRange('!', '~'))
        {
            // What can't stand in a header is no token.
            return null;
        }

        var lifetime = Lifetime(root);
        if (answered is { } date && DateTimeOffset.TryParse(StrictJson.Text(root, "issued_at"), CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal, out var issued) && issued < date)
        {
            lifetime -= date - issued;
        }

        return new(new("Bearer", token), lifetime > Margin ? now + lifetime - Margin : now);
    }

    // Some servers write the number as a string; what is no number counts as absent, and what is not positive as «for this request».
    private static TimeSpan Lifetime(JsonElement root)
    {
        if (!root.TryGetProperty("expires_in", out var expires))
        {
            return DefaultLifetime;
        }

        var seconds = expires.ValueKind switch
        {
            JsonValueKind.Number => expires.GetDouble(),
            JsonValueKind.String when double.TryParse(expires.GetString(), NumberStyles.Float, CultureInfo.InvariantCulture, out var parsed) => parsed,
            _ => double.NaN,
        };
        return double.IsNaN(seconds) ? DefaultLifetime
            : seconds >= MaxLifetime.TotalSeconds ? MaxLifetime
            : seconds <= 0 ? TimeSpan.Zero : TimeSpan.FromSeconds(seconds);
    }
}
