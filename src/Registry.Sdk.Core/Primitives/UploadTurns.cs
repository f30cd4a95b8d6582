namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// One upload at a time of one blob to one repository, in the whole process: projects of one build may publish the same image, and who waits finds
/// that it is there.
/// </summary>
internal static class UploadTurns
{
    private static readonly Dictionary<string, Turn> Turns = new(StringComparer.Ordinal);

    /// <summary>Waits for one's turn.</summary>
    /// <param name="key">Registry, repository and digest.</param>
    /// <param name="cancellationToken">Stops waiting.</param>
    /// <returns>What ends the turn, and whether another had it before.</returns>
    public static async Task<(IDisposable Turn, bool HasWaited)> TakeAsync(string key, CancellationToken cancellationToken)
    {
        Turn? turn;
        bool hasWaited;
        lock (Turns)
        {
            hasWaited = Turns.TryGetValue(key, out turn);
            if (turn is null)
            {
                Turns.Add(key, turn = new(key));
            }

            turn.Users++;
        }

        try
        {
            await turn.Gate.WaitAsync(cancellationToken).ConfigureAwait(false);
            return (new End(turn), hasWaited);
        }
        catch (OperationCanceledException)
        {
            turn.Leave();
            throw;
        }
    }

    private sealed class Turn(string key)
    {
        public SemaphoreSlim Gate { get; } = new(1, 1);

        /// <summary>Who has it or waits for it.</summary>
        public int Users { get; set; }

        public void Leave()
        {
            lock (Turns)
            {
                if (--Users == 0)
                {
                    Turns.Remove(key);
                    Gate.Dispose();
                }
            }
        }
    }

    private sealed class End(Turn turn) : IDisposable
    {
        public void Dispose()
        {
            turn.Gate.Release();
            turn.Leave();
        }
    }
}
