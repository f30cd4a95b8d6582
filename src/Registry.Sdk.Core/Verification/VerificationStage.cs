using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;

namespace Registry.Sdk.Core.Verification;

/// <summary>Looks at every destination from outside, without credentials, and holds what it sees against what was declared.</summary>
/// <remarks>Package APIs, compose files, fleets and waiting for a click are issue 6.</remarks>
public static class VerificationStage
{
    /// <summary>Runs the stage. Sends nothing.</summary>
    /// <param name="input">See <see cref="VerificationInput"/>.</param>
    /// <param name="connections">Connections with the user's credentials, to read back what was written.</param>
    /// <param name="anonymous">Connections without any, for what an outsider sees.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    public static async Task<VerificationResult> RunAsync(VerificationInput input, RegistryConnections connections, RegistryConnections anonymous, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(connections);
        ArgumentNullException.ThrowIfNull(anonymous);
        var looks = await Task.WhenAll(input.Transfer.Destinations.Where(d => d.HoldsImage).Select(d => LookAsync(d, connections, anonymous, cancellationToken))).ConfigureAwait(false);
        return new(
            [.. looks.Select(l => l.Seen)],
            [.. looks.SelectMany(l => l.Diagnostics), .. looks.Select(l => Judge(l.Seen, input.MismatchIsWarning)).OfType<Diagnostic>()]);
    }

    private static async Task<(SeenFromOutside Seen, List<Diagnostic> Diagnostics)> LookAsync(
        DestinationResult result, RegistryConnections connections, RegistryConnections anonymous, CancellationToken cancellationToken)
    {
        var diagnostics = new List<Diagnostic>();
        var observed = ObservedVisibility.Unknown;
        var manifest = result.Image.Digest;
        try
        {
            // The bytes themselves once: a HEAD that names the right digest proves nothing about a registry that lies.
            var client = connections.Open(result.Destination.Place);
            if (await client.GetManifestAsync(manifest.ToString(), cancellationToken).ConfigureAwait(false) is null)
            {
                throw RegistryErrors.WrongContent(result.Destination.Place, $"the image {manifest} was taken and is not there.");
            }

            // There is no compare-and-swap: of two publishes that write one immutable tag at once both may have read it back as theirs.
            foreach (var tag in result.Tags.Where(t => !t.Tag.Floating && t.State is TagState.Created or TagState.Moved))
            {
                var now = await client.FindManifestAsync(tag.Tag.Name, cancellationToken).ConfigureAwait(false);
                if (now != manifest)
                {
                    diagnostics.Add(DiagnosticCodes.TagTakenMeanwhile.Report(
                        $"{result.Destination}: the immutable tag {tag.Tag.Name} was written as {manifest}, and now names {now?.ToString() ?? "nothing"}: another publish wrote it at the same time. See which image is right; release a new version, or name the tag in RegistrySdkOverwriteTag."));
                }
            }

            observed = await VisibilityProbe.ObserveAsync(result.Destination, client: null, anonymous, manifest.ToString(), cancellationToken).ConfigureAwait(false);

            // A registry can make public what is pushed there first.
            if (VisibilityProbe.JudgeLicense(result.Destination, observed, result.Image, "It was published just now.") is { } forbidden)
            {
                diagnostics.Add(forbidden);
            }
        }
        catch (Exception e) when (RegistryErrors.Know(e))
        {
            diagnostics.Add(RegistryErrors.AtDestination(e, result.Destination.ToString()));
        }

        return (new(result.Destination, observed), diagnostics);
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
                var message = $"published, one click left: {destination} is declared public, but can't be read without credentials. Make it public{Link(destination.Repository!)}, then publish again: nothing is sent twice.";
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
