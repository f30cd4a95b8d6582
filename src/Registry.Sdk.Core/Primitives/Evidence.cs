namespace Registry.Sdk.Core.Primitives;

/// <summary>One request that a verdict rests on, and what came of it. For receipts: no secret, no query, no header.</summary>
/// <param name="Request">Method and address: <c>GET https://api.github.com/orgs/acme/packages/container/app</c>; <c> (anonymous)</c> after it where no credential was shown.</param>
/// <param name="Answer">What was read, in a few words: <c>200, visibility private</c>, <c>403</c>, <c>no answer within 10 seconds</c>.</param>
/// <param name="At">When it was answered.</param>
public sealed record Evidence(string Request, string Answer, DateTimeOffset At);

/// <summary>What kind of answer a service's own API gave.</summary>
public enum ApiVerdict
{
    /// <summary>What was asked for.</summary>
    Found,

    /// <summary>404: it is not there, or the credential may not see it (GitHub and Docker Hub do not tell the two apart).</summary>
    NotFound,

    /// <summary>401 or 403: the credential is not good, or not good enough.</summary>
    Refused,

    /// <summary>Anything else: time-out, 429, 5xx, HTML, JSON that says something else. Never rounded to good.</summary>
    NoAnswer,

    /// <summary>There is no such API, or no credential to ask it with.</summary>
    NotAsked,
}

/// <summary>What a service's own API said.</summary>
/// <param name="Verdict">The kind of answer.</param>
/// <param name="Value">What was asked for; null unless <see cref="ApiVerdict.Found"/>.</param>
/// <param name="Why">A phrase for a message where there is no value: what the credential lacks, what the service said. Never a secret.</param>
/// <param name="Evidence">The request and its answer; null where nothing was asked.</param>
public sealed record ApiReading<T>(ApiVerdict Verdict, T? Value, string Why, Evidence? Evidence)
    where T : class;
