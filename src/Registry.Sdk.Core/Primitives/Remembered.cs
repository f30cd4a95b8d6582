using System.Collections.Concurrent;

namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// Does something at most once per key, also when asked from several threads, and remembers a failure as well as a result. A cancelled attempt is
/// forgotten: whoever waits for it without being cancelled himself tries again.
/// </summary>
/// <param name="comparer">Compares keys; null: the default.</param>
internal sealed class Remembered<TKey, TValue>(IEqualityComparer<TKey>? comparer = null)
    where TKey : notnull
{
    private readonly ConcurrentDictionary<TKey, Lazy<Task<TValue>>> _done = new(comparer);

    /// <summary>The value of the key; the first who asks makes it.</summary>
    public async Task<TValue> GetAsync(TKey key, Func<CancellationToken, Task<TValue>> make, CancellationToken cancellationToken)
    {
        while (true)
        {
            var mine = new Lazy<Task<TValue>>(() => make(cancellationToken));
            var first = _done.GetOrAdd(key, mine);
            try
            {
                return await first.Value.WaitAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (OperationCanceledException)
            {
                if (first.Value.IsCanceled)
                {
                    _done.TryRemove(KeyValuePair.Create(key, first));
                }

                if (ReferenceEquals(first, mine) || cancellationToken.IsCancellationRequested)
                {
                    throw;
                }
            }
        }
    }
}
