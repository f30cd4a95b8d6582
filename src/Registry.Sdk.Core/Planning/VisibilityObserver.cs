using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Planning;

/// <summary>What was found of who can read a repository.</summary>
/// <param name="Seen">What an outsider gets, and whether it is there at all.</param>
/// <param name="Evidence">The requests that this rests on, in order.</param>
/// <param name="Package">What the service's own API says; null where there is none or it did not say.</param>
public sealed record Observation(ObservedVisibility Seen, IReadOnlyList<Evidence> Evidence, PackageFacts? Package)
{
    /// <summary>Nothing was looked at.</summary>
    public static Observation None { get; } = new(ObservedVisibility.NotObserved, [], null);
}

/// <summary>What GitHub's or Docker Hub's API says of a package.</summary>
/// <param name="Visibility"><c>public</c>, <c>private</c>, <c>internal</c>.</param>
/// <param name="IsOrganization">Whether an organisation owns it; null where nobody knows.</param>
/// <param name="LinkedRepository">The git repository it is linked to (GitHub), or null.</param>
public sealed record PackageFacts(string Visibility, bool? IsOrganization, string? LinkedRepository);

/// <summary>
/// Looks at repositories from outside, and asks the services' own APIs where a credential may. Writes nothing. Used before pushing (Planning), after
/// it and by <c>VerifyContainers</c> (Verification).
/// </summary>
/// <param name="connections">Connections with the user's credentials.</param>
/// <param name="anonymous">Connections without any.</param>
public sealed class VisibilityObserver(RegistryConnections connections, RegistryConnections anonymous)
{
    /// <summary>Who can read a repository.</summary>
    /// <param name="destination">The repository as a destination.</param>
    /// <param name="reference">Tag or digest to ask for; whether it exists does not matter.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    public async Task<Observation> ObserveAsync(Destination destination, string reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(destination);
        var client = destination.Repository is null ? null : connections.Open(destination.Place);
        return new(await VisibilityProbe.ObserveAsync(destination, client, anonymous, reference, cancellationToken).ConfigureAwait(false), [], null);
    }
}
