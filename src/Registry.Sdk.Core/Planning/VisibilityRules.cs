using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Planning;

/// <summary>What a package at GitHub will be born as, and why. Source: wire-facts 3.5.</summary>
/// <param name="Pusher">Whose token pushes.</param>
/// <param name="Repository">The workflow's git repository (<c>owner/name</c>); null: not a workflow's token, or it does not say.</param>
/// <param name="RepositoryVisibility"><c>public</c>, <c>private</c>, <c>internal</c>; null: it could not be found out.</param>
/// <param name="Why">Why it could not: a phrase; else empty.</param>
/// <param name="Evidence">How the repository's visibility was asked for; null: it was not.</param>
public sealed record Birth(GitHubPusher Pusher, string? Repository, string? RepositoryVisibility, string Why, Evidence? Evidence = null);

/// <summary>What follows from what was declared and what was seen, before anything is sent.</summary>
/// <param name="Problems">What stops the publish, or warns.</param>
/// <param name="CreatePrivate">Docker Hub: the repository is created first, private or public; null: nothing is to be created.</param>
/// <param name="Note">One line worth knowing: what the package will be born as; or null.</param>
public sealed record VisibilityVerdict(IReadOnlyList<Diagnostic> Problems, bool? CreatePrivate = null, string? Note = null);

/// <summary>The design's table, declared × observed, before pushing. No network; design section 5, «Visibility».</summary>
public static class VisibilityRules
{
    /// <summary>The verdict before the first byte.</summary>
    /// <param name="destination">What was declared.</param>
    /// <param name="seen">What was seen.</param>
    /// <param name="endpoint">Where the destination answers.</param>
    /// <param name="birth">What a package at GitHub that is not there will be born as; null elsewhere.</param>
    public static VisibilityVerdict Judge(Destination destination, Observation seen, RegistryEndpoint endpoint, Birth? birth)
    {
        ArgumentNullException.ThrowIfNull(destination);
        ArgumentNullException.ThrowIfNull(seen);
        ArgumentNullException.ThrowIfNull(endpoint);
        if (destination.Repository is not { } repository)
        {
            return new([]);
        }

        if (seen is { Seen: ObservedVisibility.Missing or ObservedVisibility.Refused, HasNoOwner: true })
        {
            return Stop(DiagnosticCodes.OwnerNotFound.Report(
                $"{destination}: GitHub knows no user and no organisation '{repository.Owner}' ({PackageServices.WebServer(endpoint)}). Nothing was sent. Correct the owner in ContainerDestination."));
        }

        if (destination.Visibility == Visibility.Internal && seen is { IsOrganization: false })
        {
            return Stop(DiagnosticCodes.InternalNotHere.Report(
                $"{destination} is declared internal, but {repository.Owner} is a user, and only an organisation's packages can be internal. Nothing was sent. Write Visibility=\"private\"."));
        }

        return destination.Visibility switch
        {
            Visibility.Private or Visibility.Internal => JudgeClosed(destination, repository, seen, endpoint, birth),
            Visibility.Public => JudgeOpen(destination, repository, seen, endpoint, birth),
            _ => new([]),
        };
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
        return observed == ObservedVisibility.Public && MayNotBePublic(destination, edition)
            ? DiagnosticCodes.RestrictedEditionIsPublic.Report(
                $"{destination}: anyone can read it, and the licence of {(edition.Edition.Length > 0 ? $"the edition {edition.Edition}" : "the project")} is {edition.License}, which is not open source. {consequence} Make the repository private and declare Visibility=\"private\", or name another destination.")
            : null;
    }

    /// <summary>Whether a destination that declares nothing gets an edition that is not open source: then it may not be public.</summary>
    public static bool MayNotBePublic(Destination destination, EditionImage edition)
    {
        ArgumentNullException.ThrowIfNull(destination);
        ArgumentNullException.ThrowIfNull(edition);
        return destination is { Visibility: Visibility.Undeclared, Repository.Host.IsLoopback: false } && edition.License.Length > 0 && !LicensePolicy.IsOpenSource(edition.License);
    }

    /// <summary>
    /// Whether the image's source label will link a package at GitHub to a git repository: said once, where it will not and nothing else links it.
    /// Source: wire-facts 2.8.
    /// </summary>
    /// <param name="destination">The destination.</param>
    /// <param name="seen">What was seen of it.</param>
    /// <param name="endpoint">Where it answers.</param>
    /// <param name="birth">Who pushes: a workflow's package is linked to its repository.</param>
    /// <param name="source">The label <c>org.opencontainers.image.source</c>; null: the image has none.</param>
    /// <returns>RSDK5022, or null.</returns>
    public static Diagnostic? JudgeLink(Destination destination, Observation seen, RegistryEndpoint endpoint, Birth? birth, string? source)
    {
        ArgumentNullException.ThrowIfNull(destination);
        ArgumentNullException.ThrowIfNull(seen);
        var isUnlinked = seen.Package is { LinkedRepository: null } || (seen.Seen == ObservedVisibility.Missing && birth?.Pusher == GitHubPusher.Person);
        if (!isUnlinked || destination.Repository is not { } repository || PackageServices.WebServer(endpoint) is not { } server)
        {
            return null;
        }

        var why = source is not { Length: > 0 } ? "is missing"
            : !Uri.TryCreate(source, UriKind.Absolute, out var address) || address.Scheme != Uri.UriSchemeHttps || !string.Equals(address.Authority, server, StringComparison.OrdinalIgnoreCase) ? $"names {source}, which is not at https://{server}/"
            : source.TrimEnd('/').EndsWith(".git", StringComparison.OrdinalIgnoreCase) ? $"names {source}, which ends in .git and is not recognised"
            : address.AbsolutePath.Trim('/').Split('/') is not [var owner, _] ? $"names {source}, which is no https://{server}/OWNER/NAME"
            : !string.Equals(owner, repository.Owner, StringComparison.OrdinalIgnoreCase) ? $"names {source}, which is not {repository.Owner}'s"
            : null;
        return why is null ? null : DiagnosticCodes.WillNotLink.Report(
            $"{destination}: the package is linked to no git repository, and will not be: the image's label {ImageLabels.Source} {why}. Set RepositoryUrl to https://{server}/{repository.Owner}/NAME; or link it by hand, in the package's settings.");
    }

    private static VisibilityVerdict JudgeClosed(Destination destination, RepositoryReference repository, Observation seen, RegistryEndpoint endpoint, Birth? birth)
    {
        var word = VisibilityNames.ToWord(destination.Visibility);

        // What is public once at GitHub has no way back but deleting it.
        var close = $"Make the repository {word} {PackageServices.SettingsPlace(endpoint, repository, seen.IsOrganization)}{(PackageServices.Of(endpoint) == PackageService.GitHub ? " (GitHub makes no public package private again: delete it there)" : string.Empty)}, or correct its Visibility.";
        switch (seen.Seen)
        {
            case ObservedVisibility.Public:
                return Stop(DiagnosticCodes.PrivateIsPublic.Report(
                    $"{destination} is declared {word}, but anyone can read it. Nothing was sent. {close}"));
            case ObservedVisibility.Unknown:
                return Stop(DiagnosticCodes.VisibilityUnknown.Report(
                    $"{destination} is declared {word}, but who can read it could not be found out{Because(seen.Why)}. Nothing was sent. Publish again; or remove its Visibility."));
            case ObservedVisibility.Refused when seen.Package?.Visibility == "public":
                return Stop(DiagnosticCodes.PrivateIsPublic.Report(
                    $"{destination} is declared {word}, but the service's own API says that it is public, although an outsider is refused now. Nothing was sent. {close}"));
            case ObservedVisibility.Refused when destination.Visibility == Visibility.Private && seen.Package?.Visibility == "internal":
                return Stop(DiagnosticCodes.VisibilityDiffers.Report(
                    $"{destination} is declared private, but it is internal: every member can read it. Nothing was sent. Make it private {PackageServices.SettingsPlace(endpoint, repository, seen.IsOrganization)}, or declare Visibility=\"internal\"."));
            case ObservedVisibility.Missing:
                return PackageServices.Of(endpoint) switch
                {
                    PackageService.GitHub => BornClosed(destination, endpoint, birth),
                    PackageService.DockerHub when seen.Api == ApiVerdict.NotFound => new([], CreatePrivate: true),
                    PackageService.DockerHub => Stop(DiagnosticCodes.CouldBeBornPublic.Report(
                        $"{destination} is declared {word}, but does not exist, and a first push could make it public: it can't be created private first, because {Reason(seen.ApiWhy, "Docker Hub's API is not asked (the RegistrySdkEndpoint item has no Api)")}. Nothing was sent. Create it private at https://hub.docker.com/repository/create?namespace={repository.Owner}.")),
                    _ => new([]),
                };
            default:
                return new([]);
        }
    }

    private static VisibilityVerdict BornClosed(Destination destination, RegistryEndpoint endpoint, Birth? birth)
    {
        var bornPrivate = birth is { Pusher: GitHubPusher.Person } or { Pusher: GitHubPusher.Workflow, RepositoryVisibility: "private" };
        var bornInternal = birth is { Pusher: GitHubPusher.Workflow, RepositoryVisibility: "internal" };
        if (bornPrivate || (bornInternal && destination.Visibility == Visibility.Internal))
        {
            return new([], Note: $"{destination} does not exist yet; it will be born {(bornInternal ? "internal" : "private")}: {Whose(birth!)} pushes it");
        }

        var why = birth switch
        {
            { Pusher: GitHubPusher.Workflow, RepositoryVisibility: { } visibility } => $"{Whose(birth)} pushes it, whose repository is {visibility}, and a package takes that over",
            { Pusher: GitHubPusher.Workflow } => $"a workflow's token pushes it, and the visibility of its repository{(birth.Repository is null ? " is not known (GITHUB_REPOSITORY is not set)" : $" {birth.Repository} could not be found out: {birth.Why}")}",
            _ => "whose token pushes it can't be told",
        };

        // CR_PAT is looked for by itself for ghcr.io alone.
        var host = destination.Repository!.Host;
        var item = host.Name == "ghcr.io" ? string.Empty : $", named by <RegistrySdkCredential Include=\"{host}\" PasswordVariable=\"CR_PAT\" />";
        return Stop(DiagnosticCodes.CouldBeBornPublic.Report(
            $"{destination} is declared {VisibilityNames.ToWord(destination.Visibility)}, but does not exist, and its first push could make it readable by more people: {why}. At GitHub what is public once can't be made private. Nothing was sent. Push it once with a classic personal access token in CR_PAT (https://{PackageServices.WebServer(endpoint)}/settings/tokens/new?scopes=write:packages){item}: then it is born private."));
    }

    private static VisibilityVerdict JudgeOpen(Destination destination, RepositoryReference repository, Observation seen, RegistryEndpoint endpoint, Birth? birth)
    {
        if (seen.Seen != ObservedVisibility.Missing)
        {
            // What is not public yet is looked at after the push: then there is something to click on.
            return new([]);
        }

        switch (PackageServices.Of(endpoint))
        {
            case PackageService.DockerHub:
                return seen.Api == ApiVerdict.NotFound ? new([], CreatePrivate: false)
                    : new([], Note: $"{destination} does not exist yet, and can't be created public first ({Reason(seen.ApiWhy, "Docker Hub's API is not asked")}): the first push makes it, with the account's default visibility");
            case PackageService.GitHub:
                var server = PackageServices.WebServer(endpoint);
                var click = $"one click makes it public afterwards ({string.Join(" or ", PackageServices.SettingsPages(endpoint, repository, seen.IsOrganization))})";
                var note = birth switch
                {
                    { Pusher: GitHubPusher.Workflow, RepositoryVisibility: "public" } when seen.IsOrganization == false => $"it will be born public: {Whose(birth)} of a public repository pushes it, for a user",
                    { Pusher: GitHubPusher.Workflow, RepositoryVisibility: "public" } => $"it will be born public if the organisation's package creation allows it (https://{server}/organizations/{repository.Owner}/settings/packages): {Whose(birth)} of a public repository pushes it; else {click}",
                    { Pusher: GitHubPusher.Workflow, RepositoryVisibility: { } visibility } => $"it will be born {visibility}: {Whose(birth)} pushes it, and that repository is {visibility}. The shortest way to be born public is a workflow of a public repository; or {click}",
                    { Pusher: GitHubPusher.Person } => $"it will be born private, as everything that a personal access token pushes first. The shortest way to be born public is to let a workflow of a public repository of {repository.Owner} push it first, with its GITHUB_TOKEN; or {click}",
                    _ => $"what it will be born as is not known{(birth is { Why.Length: > 0 } ? $" ({birth.Why})" : string.Empty)}; {click}",
                };
                return new([], Note: $"{destination} does not exist yet; {note}");
            default:
                return new([]);
        }
    }

    private static string Whose(Birth birth) => birth.Pusher == GitHubPusher.Person ? "a personal access token" : $"the workflow's token of {birth.Repository}";

    private static string Because(string why) => why.Length > 0 ? $": {why.TrimEnd('.')}" : string.Empty;

    private static string Reason(string why, string otherwise) => why.Length > 0 ? why.TrimEnd('.') : otherwise;

    private static VisibilityVerdict Stop(Diagnostic problem) => new([problem]);
}
