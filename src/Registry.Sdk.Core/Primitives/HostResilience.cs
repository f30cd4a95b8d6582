using Polly;
using Polly.Retry;

namespace Registry.Sdk.Core.Primitives;

/// <summary>One thing that is wanted of a registry, over all its tries.</summary>
/// <param name="what">What, in words: <c>GET manifest v1.2.3</c>.</param>
internal sealed class Call(string what)
{
    /// <summary>What, in words.</summary>
    public string What { get; } = what;

    /// <summary>How often it has failed so far.</summary>
    public int Failures { get; set; }

    /// <summary>How often since it last got on.</summary>
    public int InVain { get; set; }

    /// <summary>Why the last try failed.</summary>
    public RegistryException? Last { get; set; }

    /// <summary>How long the next try waits.</summary>
    public TimeSpan Wait { get; set; }

    /// <summary>It was held back after it was begun: by a limit that another request was told of, or until there was a place.</summary>
    public bool WasHeldBack { get; set; }

    /// <summary>When the try began, or a part of a blob last moved; null: nobody measures it.</summary>
    public DateTimeOffset? HeardAt { get; private set; }

    private TimeProvider? _time;

    /// <summary>A try begins.</summary>
    public void Begin(TimeProvider time)
    {
        _time = time;
        Heard();
    }

    /// <summary>Part of a blob moved: what follows is silence again.</summary>
    public void Heard() => HeardAt = _time?.GetUtcNow();

    /// <summary>Part of a blob arrived: who gets on is not counted as failing.</summary>
    public void GotOn()
    {
        InVain = 0;
        Heard();
    }
}

/// <summary>How one host is asked: at most so many requests at a time, again where a failure may pass, and for so long in all.</summary>
internal sealed class HostResilience : IDisposable
{
    /// <summary>What a registry is asked at once, over all connections of a publish: as many connections as one handler opens.</summary>
    public const int MaxRequests = 8;

    private static readonly ResiliencePropertyKey<Call> CallKey = new("call");

    // Who limits and does not say how long means more than a second (GitHub: «a few minutes»).
    private const int ThrottledFactor = 5;

    // Waits up to here are nothing to speak of.
    private static readonly TimeSpan Short = TimeSpan.FromSeconds(2);

    private readonly string _name;
    private readonly RetryLimits _limits;
    private readonly TimeProvider _time;
    private readonly Action<string> _say;
    private readonly Func<double> _random;
    private readonly ResiliencePipeline _pipeline;
    private readonly SemaphoreSlim _slots = new(MaxRequests, MaxRequests);
    private readonly Lock _lock = new();
    private DateTimeOffset _throttledUntil;
    private DateTimeOffset _countedUntil;
    private RegistryException? _givenUp;
    private bool _hasAnswered;
    private bool _hasSaid;

    /// <summary>Knows no failure yet.</summary>
    /// <param name="name">The registry, for messages.</param>
    /// <param name="limits">How often and how long.</param>
    /// <param name="time">The clock.</param>
    /// <param name="say">Hears of a long wait, once.</param>
    /// <param name="random">From 0 to 1.</param>
    public HostResilience(string name, RetryLimits limits, TimeProvider time, Action<string> say, Func<double> random)
    {
        (_name, _limits, _time, _say, _random) = (name, limits, time, say, random);
        // How often is a matter of the call and of the host's budget, and not of the number alone: a blob that gets on may fail often.
        _pipeline = new ResiliencePipelineBuilder { TimeProvider = time }
            .AddRetry(new RetryStrategyOptions
            {
                MaxRetryAttempts = int.MaxValue,
                ShouldHandle = args => ValueTask.FromResult(args.Outcome.Exception is RegistryException failure && IsWorthAnother(Of(args.Context), failure)),
                DelayGenerator = args => ValueTask.FromResult<TimeSpan?>(Of(args.Context).Wait),
            })
            .Build();
    }

    /// <summary>The registry, or the host of a service's API, as messages name it.</summary>
    public string Name => _name;

    /// <summary>How long it was waited for in all; what is waited for at the same time counts once.</summary>
    public TimeSpan Waited { get; private set; }

    /// <inheritdoc/>
    public void Dispose() => _slots.Dispose();

    /// <summary>Does something until it succeeds, can't succeed, or the limits are reached.</summary>
    /// <param name="call">What; knows afterwards how often it failed.</param>
    /// <param name="once">One try.</param>
    /// <param name="cancellationToken">Stops tries and waits at once.</param>
    /// <exception cref="RegistryException">The last try's, which says then how often it was tried; or that the host was given up on.</exception>
    public async Task<T> RunAsync<T>(Call call, Func<CancellationToken, Task<T>> once, CancellationToken cancellationToken)
    {
        var start = _time.GetTimestamp();
        var context = ResilienceContextPool.Shared.Get(cancellationToken);
        context.Properties.Set(CallKey, call);
        try
        {
            return await _pipeline.ExecuteAsync(async c => await TryAsync(call, once, c.CancellationToken).ConfigureAwait(false), context).ConfigureAwait(false);
        }
        catch (RegistryException failure) when (failure.IsTransient && call.Failures > 1)
        {
            throw failure.Tried(call.Failures, _time.GetElapsedTime(start), _hasAnswered);
        }
        finally
        {
            ResilienceContextPool.Shared.Return(context);
        }
    }

    private static Call Of(ResilienceContext context) => context.Properties.GetValue(CallKey, null!);

    private async Task<T> TryAsync<T>(Call call, Func<CancellationToken, Task<T>> once, CancellationToken cancellationToken)
    {
        // Before the request's own time begins to run: who waits for a place is not silent.
        var place = _slots.WaitAsync(cancellationToken);
        call.WasHeldBack |= !place.IsCompleted;
        await place.ConfigureAwait(false);
        try
        {
            // With a place in hand: a limit may have been told to those who had it before.
            call.WasHeldBack |= await WaitForLimitAsync(cancellationToken).ConfigureAwait(false);
            call.Begin(_time);
            if (_givenUp is { } failure)
            {
                throw failure.NotTried(call.What, Waited);
            }

            var result = await once(cancellationToken).ConfigureAwait(false);
            _hasAnswered = true;
            return result;
        }
        finally
        {
            _slots.Release();
        }
    }

    /// <summary>A limit that one request was told of is meant for all; whether there was one.</summary>
    private async Task<bool> WaitForLimitAsync(CancellationToken cancellationToken)
    {
        var wasThere = false;
        while (Rest() is var rest && rest > TimeSpan.Zero)
        {
            wasThere = true;
            await Task.Delay(Whole(rest), _time, cancellationToken).ConfigureAwait(false);
        }

        return wasThere;

        TimeSpan Rest()
        {
            lock (_lock)
            {
                return _throttledUntil - _time.GetUtcNow();
            }
        }
    }

    /// <summary>Whether a failed call is tried again, and after which wait.</summary>
    private bool IsWorthAnother(Call call, RegistryException failure)
    {
        call.Failures++;
        call.InVain++;
        call.Last = failure;
        if (failure.Failure != RegistryFailure.Unreachable && !failure.IsGivenUp)
        {
            _hasAnswered = true;
        }

        if (!failure.IsTransient || call.InVain >= _limits.Attempts)
        {
            return false;
        }

        var isThrottled = failure.Failure == RegistryFailure.Throttled;
        call.Wait = Whole(WaitFor(call, failure, isThrottled));
        bool isLong;
        lock (_lock)
        {
            if (_givenUp is not null)
            {
                return false;
            }

            // An answer that did not come, or came to nothing, was waited for too. What several requests wait for at the same time counts once.
            var now = _time.GetUtcNow();
            var until = now + call.Wait;
            var since = call.HeardAt ?? now;
            var from = _countedUntil > since ? _countedUntil : since;
            var more = until > from ? until - from : TimeSpan.Zero;
            if (Waited + more > _limits.Budget)
            {
                // A limit, or an absence, that lasts longer is for what was asked; other requests may be let through.
                _givenUp = isThrottled || failure.RetryAfter > _limits.Budget ? null : failure;
                return false;
            }

            Waited += more;
            _countedUntil = until > _countedUntil ? until : _countedUntil;
            _throttledUntil = isThrottled && until > _throttledUntil ? until : _throttledUntil;
            isLong = (call.Wait > Short || now - since > Short) && !_hasSaid;
            _hasSaid |= isLong;
        }

        if (isLong)
        {
            _say($"{_name}: waiting {Throttling.InWords(call.Wait)} before it is asked again ({failure.Message.TrimEnd('.')})");
        }

        return true;
    }

    /// <summary>In whole milliseconds: <see cref="Task.Delay(TimeSpan)"/> leaves out what is less, and a limit would not be over.</summary>
    private static TimeSpan Whole(TimeSpan wait) => TimeSpan.FromMilliseconds(Math.Ceiling(wait.TotalMilliseconds));

    private TimeSpan WaitFor(Call call, RegistryException failure, bool isThrottled)
    {
        if (failure.RetryAfter is { } asked)
        {
            // Never less than asked for; a little more, so that not all who were told come back at once; and longer where that was not enough.
            var least = _limits.FirstWait * Math.Pow(2, Math.Min(call.InVain - 1, 10));
            return (asked > least ? asked : least) + (TimeSpan.FromSeconds(1) * _random());
        }

        // A blob that got on since the last failure met a cut, and no registry that is unwell.
        var first = _limits.FirstWait * (isThrottled ? ThrottledFactor : call.InVain == 1 && call.Failures > 1 ? 0.25 : 1);
        return first * Math.Pow(2, Math.Min(call.InVain - 1, 10)) * (0.75 + (0.5 * _random()));
    }
}
