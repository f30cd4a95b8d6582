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

    /// <summary>Whether an outsider was given the very manifest that was asked for, and not only the right to ask.</summary>
    public bool IsServed { get; init; }

    /// <summary>Why <see cref="Seen"/> is <see cref="ObservedVisibility.Unknown"/>: a sentence; else empty.</summary>
    public string Why { get; init; } = string.Empty;

    /// <summary>How the service's own API answered about the package.</summary>
    public ApiVerdict Api { get; init; } = ApiVerdict.NotAsked;

    /// <summary>Why the API did not say: a phrase; empty where it did, or where there is none.</summary>
    public string ApiWhy { get; init; } = string.Empty;

    /// <summary>Whether an organisation owns the package (GitHub), also of a package that is not there; null where nobody knows.</summary>
    public bool? IsOrganization { get; init; }

    /// <summary>GitHub knows no account of the owner's name.</summary>
    public bool HasNoOwner { get; init; }
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
/// <remarks>
/// What an outsider gets decides what is public; the API tells private from internal and from missing, and who owns it. Each look is a newcomer's whole
/// way: challenge, token, manifest. By HEAD where nothing else is asked for: Docker Hub counts what is read by GET (wire-facts 2.3, 4.1, 4.2).
/// </remarks>
/// <param name="connections">Connections with the user's credentials.</param>
/// <param name="anonymous">Connections without any.</param>
public sealed class VisibilityObserver(RegistryConnections connections, RegistryConnections anonymous)
{
    /// <summary>
    /// Whether an outsider reads the manifest, and its digest is checked, instead of asking for its head alone. Never at Docker Hub, which counts it.
    /// </summary>
    public bool ReadsContent { get; init; }

    /// <summary>Whether a look that fails, an outsider's or the API's, is left to the caller, who looks again anyway.</summary>
    public bool LooksOnce { get; init; }

    /// <summary>Who can read a repository.</summary>
    /// <param name="destination">The repository as a destination.</param>
    /// <param name="reference">Tag or digest to ask for; whether it exists does not matter.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    /// <exception cref="RegistryException">It serves other content than was asked for: no matter of visibility.</exception>
    public async Task<Observation> ObserveAsync(Destination destination, string reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(destination);
        if (destination.Repository is not { } repository)
        {
            // A directory has no outside to look from.
            return Observation.None;
        }

        var look = await LookAsync(destination, reference, cancellationToken).ConfigureAwait(false);
        var service = PackageServices.Of(connections.Endpoint(repository.Host));

        // An open registry never challenges, and no credential is looked for then: that may start a helper.
        var hasCredential = (service != PackageService.Other || look.Seen == ObservedVisibility.Refused) && await HasCredentialAsync(repository, cancellationToken).ConfigureAwait(false);
        if (service != PackageService.Other && (hasCredential || look.Seen != ObservedVisibility.Public))
        {
            look = service == PackageService.GitHub
                ? await AskGitHubAsync(repository, look, cancellationToken).ConfigureAwait(false)
                : await AskDockerHubAsync(repository, look, cancellationToken).ConfigureAwait(false);
        }

        // Without a credential private and missing are one to us.
        return look.Seen == ObservedVisibility.Refused && look.Package is null && hasCredential
            ? await LookForItAsync(repository, look, cancellationToken).ConfigureAwait(false)
            : look;
    }

    /// <summary>What an outsider gets, and nothing else: no API, no credential.</summary>
    /// <inheritdoc cref="ObserveAsync"/>
    public async Task<Observation> LookAsync(Destination destination, string reference, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(destination);
        if (destination.Repository is not { } repository)
        {
            return Observation.None;
        }

        var evidence = new List<Evidence>();
        var mayRead = PackageServices.Of(anonymous.Endpoint(repository.Host)) != PackageService.DockerHub;
        try
        {
            Digest? found;
            try
            {
                // 404 without being asked for credentials, or with a token for this very repository, is public too: an outsider may read, there is only nothing yet.
                found = await AskAsync(byContent: ReadsContent && mayRead).ConfigureAwait(false);
            }
            catch (RegistryException e) when (e.IsRefusal && mayRead && evidence is [.., { Request: var last }] && last.StartsWith("HEAD ", StringComparison.Ordinal))
            {
                // A newcomer's pull is a GET: some servers refuse HEAD alone, and what passes for closed must be.
                found = await AskAsync(byContent: true).ConfigureAwait(false);
            }

            return new(ObservedVisibility.Public, evidence, null) { IsServed = found is not null };
        }
        catch (RegistryException e) when (e.IsRefusal)
        {
            return new(ObservedVisibility.Refused, evidence, null);
        }
        catch (RegistryException e) when (e.Failure is not RegistryFailure.WrongContent)
        {
            return new(ObservedVisibility.Unknown, evidence, null) { Why = e.Message };
        }

        Task<Digest?> AskAsync(bool byContent) => anonymous.AloneAsync(
            repository,
            (request, answer) => evidence.Add(new($"{request} (anonymous)", answer, anonymous.Time.GetUtcNow())),
            async client => byContent
                ? (await client.GetManifestAsync(reference, cancellationToken).ConfigureAwait(false))?.Descriptor.Digest
                : await client.FindManifestAsync(reference, cancellationToken).ConfigureAwait(false),
            isTriedOnce: LooksOnce);
    }

    private async Task<bool> HasCredentialAsync(RepositoryReference repository, CancellationToken cancellationToken)
    {
        try
        {
            return await connections.CredentialAsync(repository, cancellationToken).ConfigureAwait(false) is not null;
        }
        catch (CredentialException)
        {
            // Who needs it hears of it: the requests with credentials.
            return false;
        }
    }

    private async Task<Observation> AskGitHubAsync(RepositoryReference repository, Observation look, CancellationToken cancellationToken)
    {
        if (connections.GitHub(repository, isTriedOnce: LooksOnce) is not { } api || !repository.Name.Contains('/', StringComparison.Ordinal))
        {
            return look;
        }

        var owner = await api.FindOwnerAsync(repository.Owner, cancellationToken).ConfigureAwait(false);
        if (owner.Value is not { } account)
        {
            return With(look, owner.Evidence) with { Api = owner.Verdict, ApiWhy = owner.Why, HasNoOwner = owner.Verdict == ApiVerdict.NotFound };
        }

        var package = await api.FindPackageAsync(account, repository.Name[(repository.Owner.Length + 1)..], cancellationToken).ConfigureAwait(false);
        return With(With(look, owner.Evidence), package.Evidence) with
        {
            Api = package.Verdict,
            ApiWhy = package.Why,
            IsOrganization = account.IsOrganization,
            Package = package.Value is { } found ? new(found.Visibility, account.IsOrganization, found.Repository) : null,
        };
    }

    private async Task<Observation> AskDockerHubAsync(RepositoryReference repository, Observation look, CancellationToken cancellationToken)
    {
        if (connections.DockerHub(repository, isTriedOnce: LooksOnce) is not { } api)
        {
            return look;
        }

        var reading = await api.FindAsync(repository.Name, cancellationToken).ConfigureAwait(false);
        return With(look, reading.Evidence) with
        {
            Api = reading.Verdict,
            ApiWhy = reading.Why,
            Package = reading.Value is { } found ? new(found.IsPrivate ? "private" : "public", null, null) : null,
        };
    }

    /// <summary>Whether it is there for the credentials, where no API said so: the registry itself knows too.</summary>
    private async Task<Observation> LookForItAsync(RepositoryReference repository, Observation look, CancellationToken cancellationToken)
    {
        var request = $"GET {connections.Endpoint(repository.Host).BaseAddress.GetLeftPart(UriPartial.Authority)}/v2/{repository.Name}/tags/list";
        try
        {
            var isThere = await connections.Open(repository).RepositoryExistsAsync(cancellationToken).ConfigureAwait(false);
            return With(look, new(request, isThere ? "200" : "not there for these credentials", connections.Time.GetUtcNow())) with { Seen = isThere ? ObservedVisibility.Refused : ObservedVisibility.Missing };
        }
        catch (Exception e) when (RegistryErrors.Know(e))
        {
            return With(look, new(request, "no answer that counts", connections.Time.GetUtcNow())) with { Seen = ObservedVisibility.Unknown, Why = e.Message };
        }
    }

    private static Observation With(Observation look, Evidence? evidence) => evidence is null ? look : look with { Evidence = [.. look.Evidence, evidence] };
}
