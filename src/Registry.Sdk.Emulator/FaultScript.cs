using System.Collections.Concurrent;

namespace Registry.Sdk.Emulator;

/// <summary>
/// Faults by number or by pattern, for <see cref="EmulatorOptions.Faults"/>:
/// <code>
/// var script = new FaultScript();
/// script.Add(new FaultRule(Fault.DropAfter) { Method = "PUT", Path = "*/manifests/latest" });       // the first time
/// script.Add(new FaultRule(Fault.Status(503)) { From = 17, Times = FaultRule.ForGood });            // every request from the 18th on
/// </code>
/// Rules count the requests that they match, and are asked in the order they were added: one that answers ends it. Rules may be added and taken away
/// while the server runs. Thread-safe. The administrator's requests are not seen.
/// </summary>
public sealed class FaultScript
{
    private readonly ConcurrentQueue<FiredFault> _fired = new();
    private readonly ConcurrentDictionary<(string Name, string Tag), StaleTag> _stale = new();
    private readonly Lock _gate = new();
    private RegistryStore? _store;
    private TokenService? _tokens;
    private Personality? _personality;
    private IReadOnlyList<FaultRule> _rules = [];
    private int _seen = -1;

    /// <summary>How many requests there were, faults or not.</summary>
    public int Seen => Volatile.Read(ref _seen) + 1;

    /// <summary>The faults that happened, in order.</summary>
    public IReadOnlyList<FiredFault> Fired => [.. _fired];

    /// <summary>Called with each request's number, from 0, before any rule: where a test kills the client.</summary>
    public Action<int>? Arrived { get; set; }

    /// <summary>Adds a rule behind those that are there.</summary>
    public FaultScript Add(FaultRule rule)
    {
        ArgumentNullException.ThrowIfNull(rule);
        lock (_gate)
        {
            _rules = [.. _rules, rule];
        }

        return this;
    }

    /// <summary>Takes all rules away; tags that were read as before are read as they are.</summary>
    public void Heal()
    {
        lock (_gate)
        {
            _rules = [];
        }

        _stale.Clear();
    }

    /// <summary>Knows what the faults need of the server.</summary>
    internal void Bind(RegistryStore store, TokenService tokens, Personality personality) => (_store, _tokens, _personality) = (store, tokens, personality);

    /// <summary>Whether a fault has answered a request.</summary>
    internal async Task<bool> InterceptAsync(HttpContext context)
    {
        var number = Interlocked.Increment(ref _seen);
        Arrived?.Invoke(number);
        foreach (var rule in _rules)
        {
            if (!rule.Fires(context.Request))
            {
                continue;
            }

            _fired.Enqueue(new(rule.Fault.Name, context.Request.Method, context.Request.Path.Value ?? ""));
            if (await rule.Fault.ApplyAsync(this, context))
            {
                return true;
            }
        }

        return await ReadAsBeforeAsync(context);
    }

    /// <summary>Ends the tokens that are out. Where the registry gives none it challenges, as one does whose session has ended.</summary>
    internal async Task<bool> ExpireAsync(HttpContext context)
    {
        _tokens!.ExpireAll();
        if (_personality is not PlainPersonality || !(context.Request.Path.Value ?? "").StartsWith("/v2/", StringComparison.Ordinal))
        {
            return false;
        }

        context.Response.Headers.WWWAuthenticate = "Basic realm=\"emulator\"";
        await RegistryException.WriteAsync(context, StatusCodes.Status401Unauthorized, ErrorCode.Unauthorized, "authentication required");
        return true;
    }

    /// <summary>From now on the tag that this request writes is read as before, for some reads.</summary>
    internal void MakeStale(HttpContext context, int reads)
    {
        if (TagOf(context.Request) is { } tag && HttpMethods.IsPut(context.Request.Method))
        {
            _stale[tag] = new(_store!.ResolveTag(tag.Name, tag.Tag), reads);
        }
    }

    /// <summary>Refuses a write to a tag that is there, as a registry with immutable tags does.</summary>
    internal async Task<bool> RefuseTakenTagAsync(HttpContext context, int status)
    {
        if (!HttpMethods.IsPut(context.Request.Method) || TagOf(context.Request) is not { } tag || _store!.ResolveTag(tag.Name, tag.Tag) is null)
        {
            return false;
        }

        // Amazon's words and code; others have none of their own in the specification.
        await RegistryException.WriteAsync(
            context, status, "TAG_INVALID", $"The image tag '{tag.Tag}' already exists in the '{tag.Name}' repository and cannot be overwritten because the tag is immutable.");
        return true;
    }

    /// <summary>The repository and tag that a manifest's address names; null for a digest and for every other address.</summary>
    internal static (string Name, string Tag)? TagOf(HttpRequest request)
    {
        var parts = (request.Path.Value ?? "").Split('/');
        return parts is ["", "v2", .. var name, "manifests", var tag] && !tag.Contains(':', StringComparison.Ordinal) ? (string.Join('/', name), tag) : null;
    }

    private async Task<bool> ReadAsBeforeAsync(HttpContext context)
    {
        if ((!HttpMethods.IsGet(context.Request.Method) && !HttpMethods.IsHead(context.Request.Method))
            || TagOf(context.Request) is not { } tag || !_stale.TryGetValue(tag, out var stale) || !stale.TryRead())
        {
            return false;
        }

        if (stale.Digest is null)
        {
            await RegistryException.WriteAsync(context, StatusCodes.Status404NotFound, ErrorCode.ManifestUnknown, $"manifest '{tag.Tag}' is not in '{tag.Name}'");
            return true;
        }

        // As a replica that has not heard of the write: the registry serves what the tag named.
        context.Request.Path = $"/v2/{tag.Name}/manifests/{stale.Digest}";
        return false;
    }

    private sealed class StaleTag(string? digest, int reads)
    {
        private int _left = reads;

        public string? Digest => digest;

        public bool TryRead() => _left == int.MaxValue || Interlocked.Decrement(ref _left) >= 0;
    }
}

/// <summary>A fault that happened.</summary>
/// <param name="Fault">Its name.</param>
/// <param name="Method">The request's method.</param>
/// <param name="Path">The request's path, as it came.</param>
public sealed record FiredFault(string Fault, string Method, string Path);

/// <summary>When a fault happens.</summary>
/// <param name="Fault">What happens.</param>
public sealed record FaultRule(Fault Fault)
{
    /// <summary><see cref="Times"/> of a fault that stays.</summary>
    public const int ForGood = int.MaxValue;

    private readonly Count _count = new();

    /// <summary>HTTP method, upper case; <see langword="null"/>: any.</summary>
    public string? Method { get; init; }

    /// <summary>The path in which each <c>*</c> stands for any characters, slashes too; <see langword="null"/>: any.</summary>
    public string? Path { get; init; }

    /// <summary>A further condition; <see langword="null"/>: none.</summary>
    public Func<HttpRequest, bool>? When { get; init; }

    /// <summary>How many matching requests are let through before the first fault.</summary>
    public int From { get; init; }

    /// <summary>How many times it happens; <see cref="ForGood"/>: from then on always.</summary>
    public int Times { get; init; } = 1;

    /// <summary>How many requests have matched so far.</summary>
    public int Matched => _count.Value;

    internal bool Fires(HttpRequest request)
    {
        if ((Method is not null && request.Method != Method) || (Path is not null && !Matches(request.Path.Value ?? "", Path)) || When?.Invoke(request) == false)
        {
            return false;
        }

        var number = _count.Next();
        return number >= From && (Times == ForGood || number < (long)From + Times);
    }

    // Greedy from the left: what stands between two asterisks may be at the first place that has it.
    private static bool Matches(string path, string pattern)
    {
        var parts = pattern.Split('*');
        if (parts.Length == 1)
        {
            return path == pattern;
        }

        if (!path.StartsWith(parts[0], StringComparison.Ordinal) || !path.EndsWith(parts[^1], StringComparison.Ordinal))
        {
            return false;
        }

        var at = parts[0].Length;
        foreach (var part in parts[1..^1])
        {
            var found = path.IndexOf(part, at, StringComparison.Ordinal);
            if (found < 0)
            {
                return false;
            }

            at = found + part.Length;
        }

        return path.Length - parts[^1].Length >= at;
    }

    // Shared by the copies that `with` makes, and no part of what makes two rules equal.
    private sealed class Count
    {
        private int _next = -1;

        public int Value => Volatile.Read(ref _next) + 1;

        public int Next() => Interlocked.Increment(ref _next);

        public override bool Equals(object? obj) => obj is Count;

        public override int GetHashCode() => 0;
    }
}
