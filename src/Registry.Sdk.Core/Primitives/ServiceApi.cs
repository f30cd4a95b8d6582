using System.Globalization;
using System.Net.Http.Headers;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Registry.Sdk.Core.Primitives;

/// <summary>What a service's own API answered.</summary>
/// <param name="Request">Method and address, as <see cref="Evidence.Request"/> has it.</param>
/// <param name="At">When.</param>
internal sealed record ServiceAnswer(string Request, DateTimeOffset At)
{
    /// <summary>The HTTP status; 0: none came.</summary>
    public int Status { get; init; }

    /// <summary>The JSON object of the body; null: there is none.</summary>
    public JsonElement? Body { get; init; }

    /// <summary>The error's words with a leading space; empty where there are none. Hold no secret.</summary>
    public string Words { get; init; } = string.Empty;

    /// <summary>What is wrong with the answer as such: nothing came, HTML, empty, no JSON, a limit. Null: it says what its status says.</summary>
    public string? Failure { get; init; }

    /// <summary>GitHub's <c>X-OAuth-Scopes</c>: what a classic token may do; null: the token has none to tell.</summary>
    public string? Scopes { get; init; }

    /// <summary>Whether the same request may fare better a little later: it limits, it or what stands before it is unwell, the line was cut.</summary>
    public bool IsTransient { get; init; }

    /// <summary>Whether it limits how often it is asked.</summary>
    public bool IsThrottled { get; init; }

    /// <summary>How long it asks to wait, where it limits and says so.</summary>
    public TimeSpan? RetryAfter { get; init; }

    /// <summary>As evidence, with what was read.</summary>
    /// <param name="read">What the body said; empty: the status says all.</param>
    public Evidence Evidence(string read = "") => new(Request, Failure ?? (read.Length > 0 ? $"{Status}, {read}" : $"{Status}{Words}"), At);
}

/// <summary>
/// Requests to one service's own API. The secret goes to that host alone: redirects are followed within it and nowhere else. Every failure is an answer;
/// only cancellation throws.
/// </summary>
/// <remarks>
/// What only reads is asked again where a failure may pass. What changes something is sent once: the calls that change a visibility are documented
/// nowhere, a repository that was made can't be made a second time, and what came of them is read back anyway.
/// </remarks>
/// <param name="address">The API's address; may have a path.</param>
/// <param name="host">The registry it belongs to, for messages.</param>
/// <param name="http">Follows no redirect by itself.</param>
/// <param name="redactor">Keeps secrets out of what is said.</param>
/// <param name="trace">Receives one line per request.</param>
/// <param name="time">The clock of evidence.</param>
/// <param name="silence">How long the API may be silent.</param>
internal sealed class ServiceApi(Uri address, RegistryHost host, HttpMessageInvoker http, Redactor redactor, Action<string> trace, TimeProvider time, TimeSpan silence)
{
    private const int MaxBytes = 1 << 20;
    private const int MaxRedirects = 3;

    /// <summary>Whether a secret may go there: not over plain http, but for loopback.</summary>
    public bool TakesSecrets => address.Scheme == Uri.UriSchemeHttps || RegistryHost.IsLoopbackName(address.Host);

    /// <summary>Keeps secrets out of what is said.</summary>
    public Redactor Redactor => redactor;

    /// <summary>How failures of what only reads are met; null: each is handed on at once.</summary>
    public HostResilience? Resilience { get; init; }

    /// <summary>What was not asked, as an answer.</summary>
    public ServiceAnswer NotSent(HttpMethod method, string path, string why) => new(Shown(method, Target(path), isAnonymous: false), time.GetUtcNow()) { Failure = why };

    /// <summary>Sends a request that only reads, a login too: as often as <see cref="Resilience"/> has it.</summary>
    /// <inheritdoc cref="SendAsync"/>
    public async Task<ServiceAnswer> AskAsync(
        HttpMethod method, string path, AuthenticationHeaderValue? authorization, IReadOnlyCollection<KeyValuePair<string, string>> headers, JsonObject? body, CancellationToken cancellationToken)
    {
        if (Resilience is null)
        {
            return await SendAsync(method, path, authorization, headers, body, cancellationToken).ConfigureAwait(false);
        }

        var call = new Call($"{method} {Target(path).GetLeftPart(UriPartial.Path)}");
        ServiceAnswer? last = null;
        try
        {
            return await Resilience.RunAsync(call, async c =>
            {
                last = await SendAsync(method, path, authorization, headers, body, c).ConfigureAwait(false);
                return last.IsTransient ? throw Failure(call, last) : last;
            }, cancellationToken).ConfigureAwait(false);
        }
        catch (RegistryException)
        {
            return last is null ? NotSent(method, path, "not sent: it kept failing before, and was given up on")
                : call.Failures < 2 ? last
                : last with { Failure = string.Create(CultureInfo.InvariantCulture, $"{Said(last)}, at the last of {call.Failures} tries") };
        }
    }

    /// <summary>Sends one request once.</summary>
    /// <param name="method">Method.</param>
    /// <param name="path">Begins with a slash; below the API's address.</param>
    /// <param name="authorization">What is shown, or null.</param>
    /// <param name="headers">Further headers.</param>
    /// <param name="body">Sent as JSON, or null.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<ServiceAnswer> SendAsync(
        HttpMethod method, string path, AuthenticationHeaderValue? authorization, IReadOnlyCollection<KeyValuePair<string, string>> headers, JsonObject? body, CancellationToken cancellationToken)
    {
        var target = Target(path);
        var request = Shown(method, target, isAnonymous: authorization is null && body is null);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(silence);
        for (var hop = 0; ; hop++)
        {
            HttpResponseMessage response;
            using var message = Message(method, target, authorization, headers, body);
            try
            {
                response = await http.SendAsync(message, timeout.Token).ConfigureAwait(false);
            }
            catch (Exception e) when (RegistryClient.IsTransport(e, cancellationToken))
            {
                return timeout.IsCancellationRequested
                    ? Failed(NoAnswer) with { IsTransient = true }
                    : Failed(RegistryClient.Explain(e, redactor).TrimEnd('.')) with { IsTransient = Transient.Is(e) };
            }

            using (response)
            {
                var status = (int)response.StatusCode;
                trace($"{method} {target.GetLeftPart(UriPartial.Path)} {status}");
                if (status is not (301 or 302 or 303 or 307 or 308))
                {
                    return await ReadAsync(response, request, cancellationToken).ConfigureAwait(false);
                }

                // Where it would lead to is foreign, and not said.
                if (hop == MaxRedirects || (method != HttpMethod.Get && status is not (307 or 308)) || response.Headers.Location is not { } location
                    || !Uri.TryCreate(target, location, out var next) || !IsSameOrigin(next))
                {
                    return Failed($"{status}, a redirect that is not followed");
                }

                target = next;
            }
        }

        ServiceAnswer Failed(string why)
        {
            trace($"{request} failed: {why}");
            return new(request, time.GetUtcNow()) { Failure = why };
        }
    }

    private RegistryException Failure(Call call, ServiceAnswer answer)
        => new(answer.IsThrottled ? RegistryFailure.Throttled : answer.Status == 0 ? RegistryFailure.Unreachable : RegistryFailure.Rejected, host, $"{call.What}: {Said(answer)}")
        {
            IsTransient = true,
            RetryAfter = answer.RetryAfter,
        };

    private static string Said(ServiceAnswer answer) => answer.Failure ?? $"{answer.Status}{answer.Words}";

    private string NoAnswer => string.Create(CultureInfo.InvariantCulture, $"no answer within {silence.TotalSeconds:0.#} seconds");

    // %2F stays as it is: Uri unescapes no slash.
    private Uri Target(string path) => new(address.GetLeftPart(UriPartial.Path).TrimEnd('/') + path);

    private static string Shown(HttpMethod method, Uri target, bool isAnonymous) => $"{method} {target.GetLeftPart(UriPartial.Path)}{(isAnonymous ? " (anonymous)" : string.Empty)}";

    private bool IsSameOrigin(Uri other) => other.Scheme == address.Scheme && string.Equals(other.Host, address.Host, StringComparison.OrdinalIgnoreCase) && other.Port == address.Port;

    private static HttpRequestMessage Message(HttpMethod method, Uri target, AuthenticationHeaderValue? authorization, IReadOnlyCollection<KeyValuePair<string, string>> headers, JsonObject? body)
    {
        var message = new HttpRequestMessage(method, target);
        message.Headers.UserAgent.ParseAdd(RegistryClient.UserAgent);
        message.Headers.Authorization = authorization;
        foreach (var (name, value) in headers)
        {
            message.Headers.Add(name, value);
        }

        if (body is not null)
        {
            message.Content = new StringContent(body.ToJsonString(), Encoding.UTF8, "application/json");
        }

        return message;
    }

    private async Task<ServiceAnswer> ReadAsync(HttpResponseMessage response, string request, CancellationToken cancellationToken)
    {
        byte[] content;
        try
        {
            content = await RegistryClient.ReadBoundedAsync(response, MaxBytes, host, redactor, silence, cancellationToken).ConfigureAwait(false);
        }
        catch (RegistryException e)
        {
            var isCut = e.Failure != RegistryFailure.WrongContent;
            var why = isCut ? "an answer that breaks off" : $"more than the {MaxBytes} bytes that are possible";
            return new(request, time.GetUtcNow()) { Failure = $"{(int)response.StatusCode} and {why}", IsTransient = isCut };
        }

        var status = (int)response.StatusCode;
        var words = ErrorWords.Of(content, redactor);
        var answer = new ServiceAnswer(request, time.GetUtcNow()) { Status = status, Words = words, Scopes = Header(response, "X-OAuth-Scopes"), IsTransient = Transient.Is(status) };
        if (RegistryClient.IsHtml(response))
        {
            return answer with { Failure = $"{status} and a web page (HTML)" };
        }

        // GitHub says 403 too where it limits (wire-facts 3.4).
        if (Throttling.Is(status, words) || (status == 403 && (Header(response, "X-RateLimit-Remaining") == "0" || response.Headers.RetryAfter is not null)))
        {
            var wait = Throttling.RetryAfter(response.Headers, words, time.GetUtcNow()) ?? UntilReset(response);
            return answer with
            {
                Failure = $"{status}: it limits how often it is asked{Throttling.Asking(wait)}",
                IsTransient = true,
                IsThrottled = true,
                RetryAfter = wait,
            };
        }

        // Both services explain themselves in JSON, whatever they answer: what does not is something in between.
        if (content.Length == 0)
        {
            return answer with { Failure = $"{status} and an empty body" };
        }

        try
        {
            using var json = StrictJson.Document(content);
            return json.RootElement.ValueKind == JsonValueKind.Object ? answer with { Body = json.RootElement.Clone() } : answer with { Failure = $"{status} and something else than a JSON object" };
        }
        catch (JsonException)
        {
            return answer with { Failure = $"{status} and something else than JSON" };
        }
    }

    private TimeSpan? UntilReset(HttpResponseMessage response)
        => long.TryParse(Header(response, "X-RateLimit-Reset"), NumberStyles.None, CultureInfo.InvariantCulture, out var epoch) && epoch < 253402300800
            && DateTimeOffset.FromUnixTimeSeconds(epoch) - time.GetUtcNow() is { } wait && wait > TimeSpan.Zero && wait <= TimeSpan.FromDays(1) ? wait : null;

    private static string? Header(HttpResponseMessage response, string name) => response.Headers.TryGetValues(name, out var values) ? values.FirstOrDefault() : null;
}
