using System.Globalization;

namespace Registry.Sdk.Emulator;

/// <summary>
/// Answers that services give when they have enough, in their own form, for <see cref="EmulatorOptions.Intercept"/>:
/// <code>Intercept = async context => Interlocked.Decrement(ref left) >= 0 &amp;&amp; await EmulatorFaults.GhcrThrottleAsync(context)</code>
/// Each that is asynchronous answers the request and gives <see langword="true"/>.
/// </summary>
public static class EmulatorFaults
{
    /// <summary>GHCR's 429: the wait is a Go duration inside the message, and there is no <c>Retry-After</c> (wire-facts 2.7).</summary>
    /// <param name="context">The request.</param>
    /// <param name="wait">A Go duration: <c>880.092µs</c>, <c>12ms</c>, <c>1.5s</c>.</param>
    public static Task<bool> GhcrThrottleAsync(HttpContext context, string wait = "880.092µs") =>
        RefuseAsync(context, StatusCodes.Status429TooManyRequests, ErrorCode.TooManyRequests, $"retry-after: {wait}, allowed: 44000/minute");

    /// <summary>GHCR's 403 for a secondary rate limit during pushes: to be tried again, unlike every other 403 (wire-facts 2.5).</summary>
    public static Task<bool> GhcrSecondaryRateLimitAsync(HttpContext context) =>
        RefuseAsync(context, StatusCodes.Status403Forbidden, ErrorCode.Denied, "You have exceeded a secondary rate limit. Please wait a few minutes before you try again.");

    /// <summary>GHCR's sporadic 403 on the second of two tags pushed at nearly the same time (wire-facts 2.5).</summary>
    public static Task<bool> GhcrSporadicDenialAsync(HttpContext context) => RefuseAsync(context, StatusCodes.Status403Forbidden, ErrorCode.Denied, "denied");

    /// <summary>GitHub's REST rate limit: 403 with <c>X-RateLimit-Remaining: 0</c> (wire-facts 3.4).</summary>
    /// <param name="context">The request.</param>
    /// <param name="retryAfterSeconds">Value of <c>Retry-After</c>; <see langword="null"/>: no such header.</param>
    public static async Task<bool> GitHubRateLimitAsync(HttpContext context, int? retryAfterSeconds = null)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Response.Headers["X-RateLimit-Remaining"] = "0";
        context.Response.Headers["X-RateLimit-Reset"] = DateTimeOffset.UtcNow.AddMinutes(1).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        if (retryAfterSeconds is { } seconds)
        {
            context.Response.Headers.RetryAfter = seconds.ToString(CultureInfo.InvariantCulture);
        }

        await ApiAnswer.WriteAsync(context, StatusCodes.Status403Forbidden, new { message = "API rate limit exceeded", documentation_url = "https://docs.github.com/rest", status = "403" });
        return true;
    }

    /// <summary>Docker Hub's 429 for used-up pulls (wire-facts 4.2).</summary>
    public static Task<bool> DockerHubPullLimitAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Response.Headers["ratelimit-limit"] = "100;w=21600";
        context.Response.Headers["ratelimit-remaining"] = "0;w=21600";
        return RefuseAsync(
            context, StatusCodes.Status429TooManyRequests, ErrorCode.TooManyRequests, "You have reached your pull rate limit. You may increase the limit by authenticating and upgrading: https://www.docker.com/increase-rate-limit");
    }

    /// <summary>Docker Hub's abuse limit: 429 with a body that is not the registry's JSON (wire-facts 4.2).</summary>
    public static async Task<bool> DockerHubAbuseLimitAsync(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Response.StatusCode = StatusCodes.Status429TooManyRequests;
        context.Response.ContentType = "text/plain";
        await context.Response.WriteAsync("Too Many Requests\n", context.RequestAborted);
        return true;
    }

    /// <summary>429 of Docker Hub's API: <c>X-Retry-After</c> is a time in epoch seconds (wire-facts 4.2).</summary>
    public static async Task<bool> DockerHubApiLimitAsync(HttpContext context, DateTimeOffset until)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Response.Headers["X-Retry-After"] = until.ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        context.Response.Headers["X-RateLimit-Remaining"] = "0";
        await ApiAnswer.WriteAsync(context, StatusCodes.Status429TooManyRequests, new { message = "too many requests" });
        return true;
    }

    /// <summary>A 429 as HTTP has it, with <c>Retry-After</c> in seconds.</summary>
    public static Task<bool> ThrottleAsync(HttpContext context, int retryAfterSeconds)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Response.Headers.RetryAfter = retryAfterSeconds.ToString(CultureInfo.InvariantCulture);
        return RefuseAsync(context, StatusCodes.Status429TooManyRequests, ErrorCode.TooManyRequests, "too many requests");
    }

    /// <summary>Lets the registry answer, and takes <c>Docker-Content-Digest</c> away, which 1.1 registries need not send (wire-facts 1.4). Gives <see langword="false"/>.</summary>
    public static bool OmitContentDigest(HttpContext context)
    {
        ArgumentNullException.ThrowIfNull(context);
        context.Response.OnStarting(() =>
        {
            context.Response.Headers.Remove("Docker-Content-Digest");
            return Task.CompletedTask;
        });
        return false;
    }

    private static async Task<bool> RefuseAsync(HttpContext context, int status, string code, string message)
    {
        ArgumentNullException.ThrowIfNull(context);
        await RegistryException.WriteAsync(context, status, code, message);
        return true;
    }
}
