using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Verification;

/// <summary>Looks at every destination from outside, without credentials, and holds what it sees against what was declared.</summary>
/// <remarks>Package APIs, compose files, fleets and waiting for a click are issue 6.</remarks>
public static class VerificationStage
{
    /// <summary>Runs the stage. Sends nothing.</summary>
    public static async Task<VerificationResult> RunAsync(VerificationInput input, RegistryConnections anonymous, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(anonymous);
        var seen = await Task.WhenAll(input.Transfer.Destinations.Where(d => d.HoldsImage).Select(async d => new SeenFromOutside(
            d.Destination,
            await VisibilityProbe.ObserveAsync(d.Destination, client: null, anonymous, input.Manifest.ToString(), cancellationToken).ConfigureAwait(false)))).ConfigureAwait(false);
        return new(seen, [.. seen.Select(s => Judge(s, input.MismatchIsWarning)).OfType<Diagnostic>()]);
    }

    private static Diagnostic? Judge(SeenFromOutside seen, bool mismatchIsWarning)
    {
        var destination = seen.Destination;
        switch (destination.Visibility, seen.Observed)
        {
            case (Visibility.Private or Visibility.Internal, ObservedVisibility.Public):
                return DiagnosticCodes.PrivateIsPublic.Report(
                    $"{destination} is declared {(destination.Visibility == Visibility.Private ? "private" : "internal")}, but after the push anyone can read it. Make the repository private at once, or correct its Visibility.");
            case (Visibility.Public, ObservedVisibility.Refused or ObservedVisibility.Missing):
                var message = $"published, one click left: {destination} is declared public, but can't be read without credentials. Make it public{Link(destination.Repository)}, then publish again: nothing is sent twice.";
                return mismatchIsWarning ? DiagnosticCodes.PublicIsRefusedWarning.Report(message) : DiagnosticCodes.PublicIsRefused.Report(message);
            case (not Visibility.Undeclared, ObservedVisibility.Unknown):
                return DiagnosticCodes.VisibilityUnknown.Report(
                    $"{destination} was published, but who can read it could not be found out. Publish again: nothing is sent twice.");
            default:
                return null;
        }
    }

    // Which of the two forms is right depends on the owner's kind, which only the package API knows (issue 6); both are printed.
    private static string Link(RepositoryReference repository) => repository.Host.Name switch
    {
        "ghcr.io" when repository.Name.Contains('/', StringComparison.Ordinal) =>
            $" at https://github.com/orgs/{repository.Owner}/packages/container/{Package(repository)}/settings (organisation) or https://github.com/users/{repository.Owner}/packages/container/{Package(repository)}/settings (user)",
        "docker.io" => $" at https://hub.docker.com/repository/docker/{repository.Name}/settings",
        _ => " at the registry",
    };

    private static string Package(RepositoryReference repository) => Uri.EscapeDataString(repository.Name[(repository.Owner.Length + 1)..]);
}
