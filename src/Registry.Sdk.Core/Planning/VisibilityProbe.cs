using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Planning;

/// <summary>
/// Looks at a destination without credentials. This is the thin form: package APIs, creation of Docker Hub repositories and waiting for a click
/// are issue 6.
/// </summary>
public static class VisibilityProbe
{
    /// <summary>How <see cref="CredentialStore"/> calls what it has from <c>CR_PAT</c>; the tests hold the two together.</summary>
    private const string PersonalAccessToken = "environment variable CR_PAT";

    /// <summary>What an outsider gets for a manifest of the repository.</summary>
    /// <param name="destination">The destination.</param>
    /// <param name="client">A client with credentials, to tell refused from missing; null: not told apart.</param>
    /// <param name="anonymous">Connections without credentials.</param>
    /// <param name="reference">Tag or digest to ask for; whether it exists does not matter.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    public static async Task<ObservedVisibility> ObserveAsync(
        Destination destination, IImageRepository? client, RegistryConnections anonymous, string reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(destination);
        ArgumentNullException.ThrowIfNull(anonymous);
        if (destination.Repository is null)
        {
            // A directory has no outside to look from.
            return ObservedVisibility.NotObserved;
        }

        try
        {
            // 404 without being asked for credentials is public too: an outsider may read, there is only nothing yet.
            await anonymous.Open(destination.Repository).GetManifestAsync(reference, cancellationToken).ConfigureAwait(false);
            return ObservedVisibility.Public;
        }
        catch (RegistryException e) when (e.Failure is RegistryFailure.CredentialsMissing or RegistryFailure.Denied or RegistryFailure.CredentialsRefused)
        {
            return client is not null && !await client.RepositoryExistsAsync(cancellationToken).ConfigureAwait(false) ? ObservedVisibility.Missing : ObservedVisibility.Refused;
        }
        catch (RegistryException e) when (e.Failure is not RegistryFailure.WrongContent)
        {
            // A registry that serves other content than asked for is no matter of visibility: that goes to the caller.
            return ObservedVisibility.Unknown;
        }
    }

    /// <summary>The verdict before the first byte; null if the publish may go on.</summary>
    public static Diagnostic? JudgeBefore(Destination destination, ObservedVisibility observed, RegistryEndpoint endpoint, string? credentialSource)
    {
        ArgumentNullException.ThrowIfNull(destination);
        ArgumentNullException.ThrowIfNull(endpoint);
        if (destination.Visibility is not (Visibility.Private or Visibility.Internal))
        {
            return null;
        }

        var word = destination.Visibility == Visibility.Private ? "private" : "internal";
        switch (observed)
        {
            case ObservedVisibility.Public:
                return DiagnosticCodes.PrivateIsPublic.Report(
                    $"{destination} is declared {word}, but anyone can read it. Nothing was sent. Make the repository {word}, or correct its Visibility.");
            case ObservedVisibility.Unknown:
                return DiagnosticCodes.VisibilityUnknown.Report(
                    $"{destination} is declared {word}, but who can read it could not be found out. Nothing was sent. Publish again; or remove its Visibility.");
            // By the address and not by the name: an item may map a host to where it is anyway (to name its Api), or another host to it.
            case ObservedVisibility.Missing when IsDockerHub(endpoint) || (IsGhcr(endpoint) && !string.Equals(credentialSource, PersonalAccessToken, StringComparison.Ordinal)):
                // Docker Hub makes what is first pushed public; GHCR asks the workflow's repository. It could not be undone.
                return DiagnosticCodes.VisibilityUnknown.Report(
                    $"{destination} is declared {word}, but does not exist, and a first push could make it public. Nothing was sent. Create it {word} first{(IsGhcr(endpoint) ? " (a push with a personal access token in CR_PAT makes it private)" : string.Empty)}.");
            default:
                return null;
        }
    }

    /// <summary>
    /// What nobody declared may be public all the same, and an edition that is not open source may not be there. What was declared is judged before
    /// anything is built (public), or by itself (private). A registry on loopback is nobody's outside.
    /// </summary>
    /// <param name="destination">The destination.</param>
    /// <param name="observed">Who can read it.</param>
    /// <param name="edition">What it gets, or got.</param>
    /// <param name="consequence">What that means now, one sentence.</param>
    /// <returns>RSDK3021, or null.</returns>
    public static Diagnostic? JudgeLicense(Destination destination, ObservedVisibility observed, EditionImage edition, string consequence)
    {
        ArgumentNullException.ThrowIfNull(destination);
        ArgumentNullException.ThrowIfNull(edition);
        return destination is { Visibility: Visibility.Undeclared, Repository.Host.IsLoopback: false } && observed == ObservedVisibility.Public
            && edition.License.Length > 0 && !LicensePolicy.IsOpenSource(edition.License)
            ? DiagnosticCodes.RestrictedEditionIsPublic.Report(
                $"{destination}: anyone can read it, and the licence of {(edition.Edition.Length > 0 ? $"the edition {edition.Edition}" : "the project")} is {edition.License}, which is not open source. {consequence} Make the repository private and declare Visibility=\"private\", or name another destination.")
            : null;
    }

    private static bool IsDockerHub(RegistryEndpoint endpoint) => endpoint.Service == "docker.io";

    private static bool IsGhcr(RegistryEndpoint endpoint) => endpoint.Service == "ghcr.io";
}
