using System.Globalization;
using System.Net.Http.Headers;
using System.Text.RegularExpressions;

namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// How registries say «not so fast»: <c>Retry-After</c> (RFC 9110, 10.2.3), GHCR's Go duration in the message, Docker Hub's <c>X-Retry-After</c> in
/// epoch seconds. Source: wire-facts 1.12, 2.5, 2.7, 4.2.
/// </summary>
internal static partial class Throttling
{
    // GHCR names microseconds; asking again at once would be answered the same.
    private static readonly TimeSpan Floor = TimeSpan.FromSeconds(1);

    // A quota of Docker Hub lasts six hours. What is beyond a day is a mistake.
    private static readonly TimeSpan Ceiling = TimeSpan.FromDays(1);

    /// <summary>Whether an answer is a limit on how often may be asked. GHCR says so with 403 too.</summary>
    public static bool Is(int status, string words)
        => status == 429 || (status == 403 && words.Contains("secondary rate limit", StringComparison.OrdinalIgnoreCase));

    /// <summary>Whether a 403 to a tag is GHCR's sporadic one (wire-facts 2.5): it has no reason but «denied».</summary>
    public static bool IsSporadic(string words) => words.Trim().Equals("DENIED 'denied'", StringComparison.OrdinalIgnoreCase);

    /// <summary>How long to wait, between a second and a day; null if the registry does not say.</summary>
    /// <param name="headers">The answer's.</param>
    /// <param name="words">The answer's error text.</param>
    /// <param name="now">The time.</param>
    public static TimeSpan? RetryAfter(HttpResponseHeaders headers, string words, DateTimeOffset now)
    {
        if (headers.RetryAfter is { } standard && (standard.Delta ?? standard.Date - (headers.Date ?? now)) is { } delay)
        {
            return Bounded(delay);
        }

        if (headers.TryGetValues("X-Retry-After", out var values) && long.TryParse(values.FirstOrDefault(), NumberStyles.None, CultureInfo.InvariantCulture, out var epoch) && epoch < 253402300800)
        {
            return Bounded(DateTimeOffset.FromUnixTimeSeconds(epoch) - now);
        }

        return InMessage().Match(words) is { Success: true } match ? Bounded(GoDuration(match.Groups["duration"].Value)) : null;
    }

    /// <summary>«, and asks to wait 45 seconds»; empty where it does not.</summary>
    public static string Asking(TimeSpan? wait) => wait is { } asked ? $", and asks to wait {InWords(asked)}" : string.Empty;

    /// <summary>A wait in words: «45 seconds», «12 minutes».</summary>
    public static string InWords(TimeSpan wait) => wait switch
    {
        { TotalSeconds: < 1.5 } => "1 second",
        { TotalMinutes: < 2 } => string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(wait.TotalSeconds)} seconds"),
        { TotalHours: < 2 } => string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(wait.TotalMinutes)} minutes"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{Math.Ceiling(wait.TotalHours)} hours"),
    };

    private static TimeSpan Bounded(TimeSpan wait) => wait < Floor ? Floor : wait > Ceiling ? Ceiling : wait;

    // «880.092µs», «1m30s»; µ has two code points.
    private static TimeSpan GoDuration(string text)
    {
        var seconds = 0d;
        foreach (Match part in DurationPart().Matches(text))
        {
            if (!double.TryParse(part.Groups["number"].Value, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out var number))
            {
                continue;
            }

            seconds += number * part.Groups["unit"].Value switch { "h" => 3600, "m" => 60, "s" => 1, "ms" => 1e-3, "ns" => 1e-9, _ => 1e-6 };
        }

        return TimeSpan.FromSeconds(Math.Min(seconds, Ceiling.TotalSeconds));
    }

    [GeneratedRegex(@"retry-after:\s*(?<duration>([0-9.]{1,20}(ns|us|µs|μs|ms|s|m|h))+)", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex InMessage();

    [GeneratedRegex("(?<number>[0-9.]+)(?<unit>ns|us|µs|μs|ms|s|m|h)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex DurationPart();
}
