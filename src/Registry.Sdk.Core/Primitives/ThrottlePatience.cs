namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// How long hosts that limit how often they are asked (429) are waited for. What a host asks for is waited, by all requests to it, until its part of the
/// budget is used up; from then on its limits are handed on as they are, at once. Only for reading: a request with a body is not sent twice.
/// </summary>
/// <param name="budget">How long one host may be waited for in all.</param>
/// <param name="answerTimeout">How long one try may be silent, waiting for limits not counted.</param>
/// <param name="time">The time; null: the machine's.</param>
public sealed class ThrottlePatience(TimeSpan budget, TimeSpan answerTimeout, TimeProvider? time = null)
{
    // Who does not say how long is asked again after this; twice as long each time.
    private static readonly TimeSpan FirstGuess = TimeSpan.FromSeconds(2);

    private readonly Dictionary<string, Host> _hosts = new(StringComparer.OrdinalIgnoreCase);
    private readonly TimeProvider _time = time ?? TimeProvider.System;
    private readonly Lock _lock = new();

    /// <summary>How long a host may be waited for in all.</summary>
    public TimeSpan Budget { get; } = budget;

    /// <summary>How long one try may be silent.</summary>
    internal TimeSpan AnswerTimeout { get; } = answerTimeout;

    /// <summary>How long a host was waited for, by its name and port.</summary>
    public TimeSpan WaitedFor(string authority)
    {
        lock (_lock)
        {
            return _hosts.TryGetValue(authority, out var host) ? host.Spent : TimeSpan.Zero;
        }
    }

    /// <summary>Puts this before a handler.</summary>
    internal HttpMessageHandler Before(HttpMessageHandler inner) => new Handler(this, inner);

    /// <summary>Waits as long as the host has asked for already.</summary>
    private async Task WaitAsync(string authority, CancellationToken cancellationToken)
    {
        TimeSpan rest;
        lock (_lock)
        {
            rest = _hosts.TryGetValue(authority, out var host) ? host.Until - _time.GetUtcNow() : TimeSpan.Zero;
        }

        if (rest > TimeSpan.Zero)
        {
            await Task.Delay(rest, _time, cancellationToken).ConfigureAwait(false);
        }
    }

    /// <summary>Takes a limit down; false: the budget does not allow it.</summary>
    private bool Accept(string authority, TimeSpan? asked)
    {
        lock (_lock)
        {
            if (!_hosts.TryGetValue(authority, out var host))
            {
                _hosts.Add(authority, host = new());
            }

            // Requests that were on their way together are told the same; what is waited for already is not counted twice.
            var now = _time.GetUtcNow();
            var wait = asked ?? FirstGuess * Math.Pow(2, Math.Min(host.Guesses, 10));
            var until = now + wait;
            if (until <= host.Until)
            {
                return true;
            }

            var more = until - (host.Until > now ? host.Until : now);
            if (host.Spent + more > Budget)
            {
                return false;
            }

            host.Guesses += asked is null ? 1 : 0;
            host.Spent += more;
            host.Until = until;
            return true;
        }
    }

    private sealed class Host
    {
        public DateTimeOffset Until { get; set; }

        public TimeSpan Spent { get; set; }

        public int Guesses { get; set; }
    }

    private sealed class Handler(ThrottlePatience patience, HttpMessageHandler inner) : DelegatingHandler(inner)
    {
        private const int MaxWords = 64 * 1024;

        protected override async Task<HttpResponseMessage> SendAsync(HttpRequestMessage request, CancellationToken cancellationToken)
        {
            var authority = request.RequestUri!.Authority;
            while (true)
            {
                await patience.WaitAsync(authority, cancellationToken).ConfigureAwait(false);
                using var attempt = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
                attempt.CancelAfter(patience.AnswerTimeout);
                var response = await base.SendAsync(request, attempt.Token).ConfigureAwait(false);
                if ((int)response.StatusCode != 429 || request.Content is not null)
                {
                    return response;
                }

                var words = await ReadWordsAsync(response, attempt.Token).ConfigureAwait(false);
                if (!patience.Accept(authority, Throttling.RetryAfter(response.Headers, System.Text.Encoding.UTF8.GetString(words), patience._time.GetUtcNow())))
                {
                    // Whoever asked reads it as if nobody had before.
                    var read = new ByteArrayContent(words);
                    read.Headers.ContentType = response.Content.Headers.ContentType;
                    response.Content.Dispose();
                    response.Content = read;
                    return response;
                }

                response.Dispose();
            }
        }

        // GHCR says how long in its message.
        private static async Task<byte[]> ReadWordsAsync(HttpResponseMessage response, CancellationToken cancellationToken)
        {
            var body = await response.Content.ReadAsStreamAsync(cancellationToken).ConfigureAwait(false);
            await using (body.ConfigureAwait(false))
            {
                var buffer = new byte[MaxWords];
                return buffer[..await body.ReadAtLeastAsync(buffer, MaxWords, throwOnEndOfStream: false, cancellationToken).ConfigureAwait(false)];
            }
        }
    }
}
