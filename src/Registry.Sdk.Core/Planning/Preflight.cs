using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Planning;

/// <summary>What one destination answered before anything was compiled.</summary>
/// <param name="Destination">The destination.</param>
/// <param name="Problem">What is wrong with it; null: nothing, or no answer yet.</param>
/// <param name="HasAnswered">Whether it answered in time, well or not.</param>
/// <param name="Note">One line for the log: where its credential comes from, or that it has not answered.</param>
public sealed record PreflightAnswer(Destination Destination, Diagnostic? Problem, bool HasAnswered, string Note);

/// <summary>
/// Asks every destination's registry whether it is there and knows our credentials, before compiling takes minutes. Reads only; writes nothing,
/// opens no upload. Whether the credential may push is proven by the first write alone.
/// </summary>
public static class Preflight
{
    /// <summary>What does not answer in this time is not waited for: the publish asks again.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    /// <summary>Asks all at once.</summary>
    /// <param name="taking">The destinations that take this build.</param>
    /// <param name="connections">Connections with the user's credentials.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    public static async Task<IReadOnlyList<PreflightAnswer>> RunAsync(IReadOnlyList<Destination> taking, RegistryConnections connections, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(taking);
        ArgumentNullException.ThrowIfNull(connections);
        using var patience = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        patience.CancelAfter(Patience);
        return await Task.WhenAll(taking.Select(d => AskAsync(d, connections, patience.Token, cancellationToken))).ConfigureAwait(false);
    }

    private static async Task<PreflightAnswer> AskAsync(Destination destination, RegistryConnections connections, CancellationToken patience, CancellationToken cancellationToken)
    {
        try
        {
            var client = connections.Open(destination.Place);
            await client.PingAsync(patience).ConfigureAwait(false);
            return new(destination, null, HasAnswered: true, $"{destination}: {(client.CredentialSource is { } source ? $"credentials from {source}" : "no credentials needed")}");
        }
        catch (Exception e) when (RegistryErrors.Know(e))
        {
            return new(destination, RegistryErrors.AtDestination(e, destination.ToString()), HasAnswered: true, $"{destination}: not usable");
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return new(destination, null, HasAnswered: false, $"{destination}: no answer within {Patience.TotalSeconds:0} seconds; it is asked again when the image is built");
        }
    }
}
