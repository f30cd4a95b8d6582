using System.Collections.Concurrent;

namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// Does something at most once per key, also when asked from several threads, and remembers a failure as well as a result. What has begun goes on
/// when who asked for it gives up: who asks next, with more patience, finds it under way instead of beginning again.
/// </summary>
/// <param name="lifetime">Cancels everything that is under way, and what would begin later.</param>
/// <param name="comparer">Compares keys; null: the default.</param>
internal sealed class Remembered<TKey, TValue>(CancellationToken lifetime, IEqualityComparer<TKey>? comparer = null)
    where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, Lazy<Task<TValue>>> _done = new(comparer);

    /// <summary>The value of the key; the first who asks makes it.</summary>
    /// <param name="key">The key.</param>
    /// <param name="make">Makes the value. Its token is the lifetime's, not the asker's.</param>
    /// <param name="cancellationToken">Ends the wait of this asker alone.</param>
    public Task<TValue> GetAsync(TKey key, Func<CancellationToken, Task<TValue>> make, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        return _done.GetOrAdd(key, _ => new(() => make(lifetime))).Value.WaitAsync(cancellationToken);
    }
}
