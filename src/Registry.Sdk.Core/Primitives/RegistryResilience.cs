using System.Collections.Concurrent;

namespace Registry.Sdk.Core.Primitives;

/// <summary>How often and how long a registry that fails is asked again.</summary>
public sealed record RetryLimits
{
    /// <summary>A publish: a registry may be restarted meanwhile, and a line may be bad.</summary>
    public static RetryLimits Publish { get; } = new();

    /// <summary>A look before anything is built: someone waits for it, and the publish asks again.</summary>
    public static RetryLimits Brief { get; } = new() { Attempts = 2, Budget = TimeSpan.FromSeconds(1), FirstWait = TimeSpan.FromSeconds(0.5) };

    /// <summary>
    /// As these, for a service's own API: what it says is asked for along the way and mostly not needed, so that a dead one must not keep a publish for minutes.
    /// </summary>
    internal RetryLimits OfService => this with { Attempts = Math.Min(Attempts, 3), Budget = Budget < ServiceBudget ? Budget : ServiceBudget };

    private static readonly TimeSpan ServiceBudget = TimeSpan.FromMinutes(1);

    /// <summary>How often one request is sent at most; of a blob: without another byte of it arriving.</summary>
    public int Attempts { get; init; } = 5;

    /// <summary>How long one host is waited for in all.</summary>
    public TimeSpan Budget { get; init; } = TimeSpan.FromMinutes(2);

    /// <summary>The wait after a first failure, where the registry names none; doubled each time.</summary>
    public TimeSpan FirstWait { get; init; } = TimeSpan.FromSeconds(1);
}

/// <summary>How long a host was waited for in one publish.</summary>
/// <param name="Host">The registry as destinations name it, or the host of a service's API.</param>
/// <param name="Waited">In all; what was waited for at the same time counts once.</param>
public sealed record HostWait(string Host, TimeSpan Waited);

/// <summary>
/// What failing registries are met with in one publish: retries within limits, a budget for each host, and no more requests to one at once than it can
/// take. Shared by all connections of the publish.
/// </summary>
/// <param name="limits">How often and how long.</param>
/// <param name="time">The clock that waits are measured by.</param>
/// <param name="say">Hears of a wait of more than two seconds, once for each host.</param>
/// <param name="random">Gives numbers from 0 to 1, for the jitter of waits; null: random ones.</param>
public sealed class RegistryResilience(RetryLimits limits, TimeProvider time, Action<string> say, Func<double>? random = null) : IDisposable
{
    private readonly ConcurrentDictionary<string, HostResilience> _hosts = new(StringComparer.OrdinalIgnoreCase);

    private readonly ConcurrentDictionary<string, HostResilience> _services = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>The hosts that were waited for, because they failed, were silent, or asked for it; and how long.</summary>
    public IReadOnlyList<HostWait> Waits => [.. _hosts.Values.Concat(_services.Values).Select(h => new HostWait(h.Name, h.Waited)).Where(w => w.Waited > TimeSpan.Zero).OrderBy(w => w.Host, StringComparer.Ordinal)];

    /// <summary>How long a host was waited for, by its name and port.</summary>
    public TimeSpan WaitedFor(string authority) => _hosts.TryGetValue(authority, out var host) ? host.Waited : TimeSpan.Zero;

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (var host in _hosts.Values.Concat(_services.Values))
        {
            host.Dispose();
        }
    }

    /// <summary>What is known of the host at an endpoint.</summary>
    internal HostResilience Of(RegistryEndpoint endpoint)
        => _hosts.GetOrAdd(endpoint.BaseAddress.Authority, _ => new(endpoint.Host.Name, limits, time, say, random ?? Random.Shared.NextDouble));

    /// <summary>What is known of a service's own API. It is none of the registry's: where both are behind one address, an API that is given up on stops no push.</summary>
    internal HostResilience OfService(Uri api)
        => _services.GetOrAdd(api.Authority, _ => new(api.Authority, limits.OfService, time, say, random ?? Random.Shared.NextDouble));
}
