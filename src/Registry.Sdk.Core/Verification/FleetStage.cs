using System.Collections.Concurrent;
using NuGet.Versioning;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Verification;

/// <summary>
/// Looks at repositories that were published before, by whatever tool, and holds them against what is declared: who can read them, their tags, their
/// content. And at the images of compose files, as a newcomer who has no credentials. Writes nothing. What can't be found out is an error: no check
/// ends well by not being made.
/// </summary>
public static class FleetStage
{
    /// <summary>Runs all looks, at most eight requests to one registry at a time.</summary>
    /// <param name="input">See <see cref="FleetInput"/>.</param>
    /// <param name="observer">Says who can read a repository.</param>
    /// <param name="connections">Connections with the user's credentials.</param>
    /// <param name="anonymous">Connections without any: an outsider's.</param>
    /// <param name="time">The time, for the evidence.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    public static async Task<FleetResult> RunAsync(
        FleetInput input, VisibilityObserver observer, RegistryConnections connections, RegistryConnections anonymous, TimeProvider time, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(observer);
        ArgumentNullException.ThrowIfNull(connections);
        ArgumentNullException.ThrowIfNull(anonymous);
        ArgumentNullException.ThrowIfNull(time);
        using var gates = new HostGates();
        var world = new World(observer, connections, anonymous, gates, time);
        var packages = input.Packages.Select(p => new PackageLook(p, world)).ToList();
        var images = input.ComposeImages.GroupBy(i => (i.Name.Repository, i.Name.Reference, i.Platform)).Select(g => g.ToList()).ToList();
        var looks = packages.ToDictionary(p => p, p => p.RunAsync(cancellationToken));
        var composed = images.Select(i => ComposeAsync(i, input.Machine, world, looks, cancellationToken)).ToList();
        List<Task> all = [.. looks.Values, .. composed];
        await Task.WhenAll(all).ConfigureAwait(false);
        foreach (var group in packages.Where(p => p.WasListed).GroupBy(p => p.Package.Image, StringComparer.Ordinal).Where(g => g.Count() > 1))
        {
            Compare([.. group]);
        }

        return new([.. packages.Select(p => p.Finding())], await Task.WhenAll(composed).ConfigureAwait(false));
    }

    /// <summary>One image, several repositories: each release is one digest.</summary>
    private static void Compare(List<PackageLook> looks)
    {
        if (looks.Select(l => l.Newest?.Version).OfType<SemanticVersion>().OrderDescending(VersionComparer.VersionRelease).FirstOrDefault() is not { } newest)
        {
            // Many tools publish nothing else.
            var latest = looks.Where(l => l is { Shown: "latest", Digest: not null }).ToList();
            foreach (var other in latest.Where(l => l.Digest != latest[0].Digest))
            {
                other.Report(DiagnosticCodes.ReleaseDiffers,
                    $"latest is {other.Digest}, and at {latest[0].Destination} it is {latest[0].Digest}: one tag is two images. Publish to both from one build; or, if they are not meant to be one image, tell them apart with Image=\"…\".");
            }

            return;
        }

        var have = looks.Where(l => l.Newest is { } own && SemVer.Compare(own.Version, newest) == 0).ToList();
        var kind = newest.IsPrerelease ? BuildKinds.Prerelease : BuildKinds.Release;

        // A list of its own, or another kind of build, is what the destination was declared for.
        foreach (var behind in looks.Except(have).Where(l => l.Destination.Tags.Count == 0 && l.Destination.On.HasFlag(kind)))
        {
            behind.Report(DiagnosticCodes.ReleaseMissingHere,
                $"{(behind.Newest is { } own ? $"the newest release here is {own.Tag}" : "there is no release here")}, and {have[0].Destination} has {have[0].Newest!.Tag}. Publish {newest.ToNormalizedString()} again: what arrived is not sent twice.");
        }

        var first = have.Find(l => l.Digest is not null);
        foreach (var other in have.Where(l => l.Digest is not null && l.Digest != first!.Digest))
        {
            other.Report(DiagnosticCodes.ReleaseDiffers,
                $"{other.Newest!.Tag} is {other.Digest}, and at {first!.Destination} it is {first.Digest}: one release is two images. Publish a new version to both from one build; or, if they are not meant to be one image, tell them apart with Image=\"…\".");
            if (other.Platforms.Count > 0 && first.Platforms.Count > 0 && !other.Platforms.SequenceEqual(first.Platforms))
            {
                other.Report(DiagnosticCodes.PlatformsIncomplete,
                    $"{other.Newest.Tag} is for {string.Join(", ", other.Platforms)}, and at {first.Destination} for {string.Join(", ", first.Platforms)}. Publish it for the same platforms (ContainerRuntimeIdentifiers).");
            }
        }
    }

    /// <summary>An image of a compose file, as who starts the file on a new machine gets it.</summary>
    private static async Task<ComposeFinding> ComposeAsync(
        List<ComposeImage> images, Platform machine, World world, IReadOnlyDictionary<PackageLook, Task> looks, CancellationToken cancellationToken)
    {
        var image = images[0];
        var evidence = new ConcurrentQueue<Evidence>();
        var diagnostics = new List<Diagnostic>();
        IReadOnlyList<string> links = [];
        Digest? digest = null;
        var where = $"{image.Name} (service {string.Join(", ", images.Select(i => i.Service).Distinct(StringComparer.Ordinal))}, {Path.GetFileName(image.File)} line {image.Line.ToString(System.Globalization.CultureInfo.InvariantCulture)})";
        try
        {
            var parts = await world.Look(image.Name.Repository, isOutsider: true, evidence).ReadAsync(image.Name.Reference, image.Platform ?? machine, cancellationToken).ConfigureAwait(false);
            digest = parts?.Digest;
            if (parts is null)
            {
                Report(DiagnosticCodes.ComposeImageRefused, $"{where} is not there: the repository has no {image.Name.Reference}. Publish it, or correct image:.");
            }
        }
        catch (ImageProblemException e)
        {
            if (e.IsPlatform)
            {
                Report(DiagnosticCodes.ComposePlatformMissing, $"{where}: {e.Message}. Publish it for {image.Platform ?? machine}, or set platform: in the compose file.");
            }
            else
            {
                Report(DiagnosticCodes.ComposeImageRefused, $"{where} can't be pulled whole: {e.Message}. Publish it again.");
            }
        }
        catch (RegistryException e) when (e.IsRefusal)
        {
            // The verdict is the newcomer's alone. What the same run found out with credentials makes it a better message.
            var known = looks.Keys.FirstOrDefault(l => l.Destination.Repository == image.Name.Repository);
            if (known is not null)
            {
                await looks[known].ConfigureAwait(false);
            }

            var endpoint = world.Connections.Endpoint(image.Name.Repository.Host);
            var owner = known?.IsOrganization;
            var place = PackageServices.SettingsPlace(endpoint, image.Name.Repository, owner);
            var orBuilt = images.Exists(i => i.IsBuilt) ? ", or set pull_policy: build if it is never to be pulled" : string.Empty;
            links = known?.IsGone == true ? [] : PackageServices.SettingsPages(endpoint, image.Name.Repository, owner);
            Report(DiagnosticCodes.ComposeImageRefused, $"a newcomer can't pull {where}: " + (known switch
            {
                { IsGone: true } => $"it is not there. Publish it, or correct image:{orBuilt}.",
                { Destination.Visibility: Visibility.Private or Visibility.Internal } => $"it is declared {VisibilityNames.ToWord(known.Destination.Visibility)}, and what a compose file names has to be public. Make it public {place} and declare it so, or name another image{orBuilt}.",
                { Api: { } api } => $"it is {api}. Make it public {place}, or correct image:{orBuilt}.",
                _ => $"it is not public, or not there. Make it public {place}, or correct image:{orBuilt}.",
            }));
        }
        catch (RegistryException e)
        {
            Report(DiagnosticCodes.NotFoundOut, $"whether a newcomer can pull {where} could not be found out: {e.Message} Verify again.");
        }

        return new(images, VerdictOf(diagnostics), digest, [.. evidence], diagnostics, links);

        void Report(DiagnosticDescriptor code, string message) => diagnostics.Add(code.Report(PlainText.Of(message), image.File) with { Line = image.Line });
    }

    private static FleetVerdict VerdictOf(IReadOnlyList<Diagnostic> diagnostics)
        => !diagnostics.Any(d => d.IsError) ? FleetVerdict.Good
            : diagnostics.Where(d => d.IsError).All(d => d.Descriptor == DiagnosticCodes.NotFoundOut) ? FleetVerdict.Unknown : FleetVerdict.Bad;

    /// <summary>What all looks share.</summary>
    private sealed record World(VisibilityObserver Observer, RegistryConnections Connections, RegistryConnections Anonymous, HostGates Gates, TimeProvider Time)
    {
        public RepositoryLook Look(RepositoryReference repository, bool isOutsider, ConcurrentQueue<Evidence> evidence)
            => new((isOutsider ? Anonymous : Connections).Open(repository), Connections.Endpoint(repository.Host).BaseAddress, isOutsider, Gates, Time, evidence);
    }

    /// <summary>The look at one repository.</summary>
    private sealed class PackageLook(FleetPackage package, World world)
    {
        private readonly ConcurrentQueue<Evidence> _evidence = new();
        private readonly List<Diagnostic> _diagnostics = [];
        private readonly List<string> _notes = [];
        private readonly Dictionary<string, Task<Digest?>> _named = new(StringComparer.Ordinal);
        private Observation _observation = Observation.None;
        private bool _isMissing;
        private bool _isLeftOut;
        private string? _shown;
        private int? _tagCount;
        private IReadOnlyList<string> _links = [];

        public FleetPackage Package { get; } = package;

        public Destination Destination => Package.Destination;

        public VersionTag? Newest { get; private set; }

        /// <summary>Whether it is there, with tags that could be read.</summary>
        public bool WasListed => _tagCount > 0;

        public Digest? Digest { get; private set; }

        /// <summary>The tag that <see cref="Digest"/> is of.</summary>
        public string? Shown => _shown;

        public IReadOnlyList<Platform> Platforms { get; private set; } = [];

        private RepositoryReference Repository => Destination.Repository!;

        private bool IsPublic => _observation.Seen == ObservedVisibility.Public;

        public void Report(DiagnosticDescriptor code, string message)
        {
            var diagnostic = code.Report(PlainText.Of($"{Destination}: {message}"));
            if (!_diagnostics.Contains(diagnostic))
            {
                _diagnostics.Add(diagnostic);
            }
        }

        public PackageFinding Finding() => new()
        {
            Package = Package,
            Verdict = VerdictOf(_diagnostics) is var verdict && verdict != FleetVerdict.Good ? verdict : _isLeftOut ? FleetVerdict.LeftOut : _isMissing ? FleetVerdict.Missing : FleetVerdict.Good,
            Seen = _observation.Seen,
            Facts = _observation.Package,
            Newest = Newest?.Tag,
            Digest = Digest,
            TagCount = _tagCount,
            Platforms = Platforms,
            Links = _links,
            Notes = _notes,
            Evidence = [.. _observation.Evidence, .. _evidence],
            Diagnostics = _diagnostics,
        };

        public async Task RunAsync(CancellationToken cancellationToken)
        {
            if (Destination.Repository is null)
            {
                _isLeftOut = true;
                _notes.Add($"{Destination} is a directory: there is no outside to look from");
                return;
            }

            await AttemptAsync(() => ObserveAsync(cancellationToken)).ConfigureAwait(false);
        }

        /// <summary>Whatever a registry answers is told; none of it ends a look well.</summary>
        private async Task AttemptAsync(Func<Task> look)
        {
            try
            {
                await look().ConfigureAwait(false);
            }
            catch (ImageProblemException e)
            {
                Report(e.IsPlatform ? DiagnosticCodes.PlatformsIncomplete : DiagnosticCodes.ContentIncomplete, $"{_shown}: {e.Message}. Publish it again.");
            }
            catch (RegistryException e) when (e.IsRefusal)
            {
                Report(
                    IsPublic ? DiagnosticCodes.ContentIncomplete : DiagnosticCodes.NotReadable,
                    IsPublic
                        ? $"it is public, and still not all of it can be fetched without credentials: {e.Message}"
                        : $"it can't be looked into: {e.Message} {Login}");
            }
            catch (RegistryException e)
            {
                Report(
                    e.Failure is RegistryFailure.WrongContent or RegistryFailure.WrongDescriptor ? DiagnosticCodes.ContentIncomplete : DiagnosticCodes.NotFoundOut,
                    e.Failure is RegistryFailure.WrongContent or RegistryFailure.WrongDescriptor ? $"what is served is not what it should be: {e.Message}" : $"it could not be found out: {e.Message} Verify again.");
            }
            catch (CredentialException e)
            {
                _diagnostics.Add(RegistryErrors.AtDestination(e, Destination.ToString()));
            }
        }

        /// <summary>Whether an organisation owns it; null: not known.</summary>
        public bool? IsOrganization => _observation.IsOrganization ?? _observation.Package?.IsOrganization;

        /// <summary>What the service's own API says of it; null: nothing.</summary>
        public string? Api => _observation.Package?.Visibility;

        /// <summary>Whether it was told that it is not there, or that nobody of its owner's name is.</summary>
        public bool IsGone => _observation.HasNoOwner || (_observation.Package is null && _observation is { Seen: ObservedVisibility.Missing, Api: ApiVerdict.NotFound });

        private RegistryEndpoint Endpoint => world.Connections.Endpoint(Repository.Host);

        private IReadOnlyList<string> Pages => PackageServices.SettingsPages(Endpoint, Repository, IsOrganization);

        private string Place => PackageServices.SettingsPlace(Endpoint, Repository, IsOrganization);

        private string Login => $"Log in (docker login {Repository.Host}), or add <RegistrySdkCredential Include=\"{Repository.Host}\" UsernameVariable=\"…\" PasswordVariable=\"…\" />.";

        private async Task ObserveAsync(CancellationToken cancellationToken)
        {
            _observation = await world.Gates.RunAsync(Repository.Host, () => world.Observer.ObserveAsync(Destination, "latest", cancellationToken), cancellationToken).ConfigureAwait(false);
            if (_observation.Seen is ObservedVisibility.Unknown or ObservedVisibility.NotObserved)
            {
                Report(DiagnosticCodes.NotFoundOut, $"who can read it could not be found out: {(_observation.Why.Length > 0 ? _observation.Why : string.Join("; ", _observation.Evidence.Select(e => $"{e.Request}: {e.Answer}")) + ".")} Verify again.");
                return;
            }

            if (_observation.HasNoOwner)
            {
                Report(DiagnosticCodes.OwnerNotFound, $"GitHub knows no user or organisation '{Repository.Owner}'. Correct the name in the ContainerDestination.");
                return;
            }

            var look = world.Look(Repository, IsPublic, _evidence);
            if (await TagsAsync(look, cancellationToken).ConfigureAwait(false) is not { } tags)
            {
                return;
            }

            JudgeVisibility();
            _tagCount = tags.Count;
            var releases = new ReleaseTags(tags);
            (Newest, _shown) = (releases.Newest, releases.Shown);
            await AttemptAsync(() => FloatingAsync(look, releases, cancellationToken)).ConfigureAwait(false);
            await AttemptAsync(() => ContentAsync(look, tags, cancellationToken)).ConfigureAwait(false);
        }

        /// <summary>The tags; null if there are none, and that was told.</summary>
        private async Task<IReadOnlyList<string>?> TagsAsync(RepositoryLook look, CancellationToken cancellationToken)
        {
            IReadOnlyList<string>? tags = null;
            try
            {
                tags = await look.TagsAsync(cancellationToken).ConfigureAwait(false);
            }
            catch (RegistryException e) when (e.IsRefusal && !IsPublic)
            {
                // Missing, or closed to this account too.
            }

            if (tags is { Count: > 0 })
            {
                return tags;
            }

            if (tags is not null && (_observation.Package is not null || await look.ExistsAsync(cancellationToken).ConfigureAwait(false)))
            {
                JudgeVisibility();
                _tagCount = 0;
                Report(DiagnosticCodes.PackageWithoutTags, "it is there and has no tag, so nothing of it can be pulled by name. Publish it.");
                return null;
            }

            // One that was shown and refused is forgotten by the client, and still whose account was told that nothing is there.
            var credential = _observation.Seen == ObservedVisibility.Missing ? await world.Connections.CredentialAsync(Repository, cancellationToken).ConfigureAwait(false) : null;
            Absent(look.CredentialSource ?? credential?.Source, credential is not null && GitHubToken.PusherOf(credential) == GitHubPusher.Workflow);
            return null;
        }

        /// <summary>Nothing to be seen: missing, or closed to who asked.</summary>
        private void Absent(string? credential, bool isWorkflow)
        {
            var isThere = _observation.Package is not null;

            // An account was told so; to an outsider missing and closed look the same, and to a token that may not ask GitHub or Docker Hub as well. A
            // workflow's own token sees the packages that are linked to its repository, and no others (wire-facts 3.4).
            var isAnswered = (_observation.Api == ApiVerdict.NotFound && !isWorkflow) || PackageServices.Of(Endpoint) == PackageService.Other;
            var isToldMissing = !isThere && (IsPublic || (_observation.Seen == ObservedVisibility.Missing && isAnswered));
            if (isToldMissing && Destination.IsOptional)
            {
                _isMissing = true;
                // Services say «not there» to accounts that may not know of it, too.
                _notes.Add($"{Destination} is not there{(credential is null ? string.Empty : $", or the account from {credential} may not see it")}; it is optional");
            }
            else if (isToldMissing)
            {
                _links = Destination.Visibility == Visibility.Public && !IsPublic ? Pages : [];
                Report(
                    DiagnosticCodes.PackageMissing,
                    $"it is not there{(credential is null ? string.Empty : $", or the account from {credential} may not see it")}. Publish it, correct the ContainerDestination, or set Optional=\"true\"{(_links.Count == 0 ? string.Empty : $"; if it is there, make it public {Place}")}.");
            }
            else if (isThere || !Destination.IsOptional)
            {
                JudgeVisibility();
                if (Destination.Visibility != Visibility.Public)
                {
                    Report(DiagnosticCodes.NotReadable, $"an outsider is refused, and {(credential is null ? "there are no credentials" : $"the account from {credential} is refused too")}, so {(isThere ? "its tags and content can't be verified" : "whether it is there can't be told")}. {Login}");
                }
            }
            else
            {
                _isMissing = true;
                Report(DiagnosticCodes.MissingOrClosed, $"it is optional, and it is missing, or there and {(Destination.Visibility == Visibility.Public ? "not public" : "closed")}: {(credential is null ? "to an outsider" : $"to the {(isWorkflow ? "workflow's token" : "account")} from {credential}")} both look the same. {Login}");
            }
        }

        /// <summary>Declared against seen.</summary>
        private void JudgeVisibility()
        {
            var api = _observation.Package?.Visibility;
            var declared = Destination.Visibility;
            if (declared == Visibility.Undeclared)
            {
                return;
            }

            var word = VisibilityNames.ToWord(declared);
            if (declared == Visibility.Public && !IsPublic)
            {
                _links = Pages;
                Report(DiagnosticCodes.PublicIsRefused, $"it is declared public, and an outsider is refused: {(api is null ? "it is not public, or not there" : $"it is {api}")}. Make it public {Place}, then verify again.");
            }
            else if (declared != Visibility.Public && IsPublic)
            {
                _links = Pages;
                Report(DiagnosticCodes.PrivateIsPublic, $"it is declared {word}, and anyone can read it. Make it {word} {Place}{(PackageServices.Of(world.Connections.Endpoint(Repository.Host)) == PackageService.GitHub ? " (GitHub makes no public package private again: delete it there and publish anew)" : string.Empty)}, or correct its Visibility.");
            }
            else if (api is not null && api != word && !IsPublic)
            {
                _links = Pages;
                Report(DiagnosticCodes.VisibilityDiffers, $"it is declared {word}, and is {api}. Change it {Place}, or correct its Visibility.");
            }
            else if (api is null && !IsPublic && IsOrganization != false && PackageServices.Of(Endpoint) == PackageService.GitHub)
            {
                // To an outsider private and internal look the same, and of an organisation's package only the API tells them apart.
                var why = $"an outsider is refused, and whether it is private or internal could not be found out: {(_observation.ApiWhy.Length > 0 ? _observation.ApiWhy.TrimEnd('.') : "no API is asked")}";
                if (declared == Visibility.Internal || _observation.Api == ApiVerdict.NoAnswer)
                {
                    Report(DiagnosticCodes.NotFoundOut, $"{why}. Verify again, with a token that has read:packages.");
                }
                else
                {
                    _notes.Add($"{Destination}: {why}");
                }
            }
        }

        private Task<Digest?> NamedAsync(RepositoryLook look, string tag, CancellationToken cancellationToken)
        {
            if (!_named.TryGetValue(tag, out var named))
            {
                _named.Add(tag, named = look.FindAsync(tag, cancellationToken));
            }

            return named;
        }

        private async Task FloatingAsync(RepositoryLook look, ReleaseTags releases, CancellationToken cancellationToken)
        {
            var floating = releases.Floating().Select(f => (f.Tag, f.Release, Digest: NamedAsync(look, f.Tag, cancellationToken), Wanted: NamedAsync(look, f.Release.Tag, cancellationToken))).ToList();
            await Task.WhenAll(floating.SelectMany(f => new Task[] { f.Digest, f.Wanted })).ConfigureAwait(false);
            foreach (var (tag, release, digest, wanted) in floating.Select(f => (f.Tag, f.Release, f.Digest.Result, f.Wanted.Result)))
            {
                if (digest is null || wanted is null)
                {
                    Report(DiagnosticCodes.ContentIncomplete, $"the tag {(wanted is null ? release.Tag : tag)} is listed, and names nothing. Publish it again.");
                }
                else if (digest != wanted)
                {
                    Report(DiagnosticCodes.FloatingTagStale, $"{tag} names {digest}, and the newest release that it stands for, {release.Tag}, is {wanted}. Publish {release.Version.ToNormalizedString()} again, or move the tag.");
                }
            }
        }

        private async Task ContentAsync(RepositoryLook look, IReadOnlyList<string> tags, CancellationToken cancellationToken)
        {
            var shown = _shown!;
            var parts = await look.ReadAsync(shown, null, cancellationToken).ConfigureAwait(false) ?? throw new ImageProblemException(isPlatform: false, "the tag is listed, and names nothing");
            (Digest, Platforms) = (parts.Digest, parts.Platforms);
            if (!IsPublic)
            {
                await RefusedAsync(parts, cancellationToken).ConfigureAwait(false);
            }

            // What a pull without a tag gets, where that is something else.
            if (shown != "latest" && tags.Contains("latest", StringComparer.Ordinal) && await NamedAsync(look, "latest", cancellationToken).ConfigureAwait(false) is { } latest && latest != parts.Digest)
            {
                _shown = "latest";
                await look.ReadAsync(latest.ToString(), null, cancellationToken).ConfigureAwait(false);
            }
        }

        /// <summary>That an outsider is refused is asked for every part: a registry may guard its manifests and give away its blobs.</summary>
        private async Task RefusedAsync(ImageParts parts, CancellationToken cancellationToken)
        {
            var outsider = world.Look(Repository, isOutsider: true, _evidence);
            var got = await Task.WhenAll(
                [
                    .. parts.Manifests.Select(m => GetsAsync($"the manifest {m}", async () => await outsider.FindAsync(m.ToString(), cancellationToken).ConfigureAwait(false) is not null)),
                    .. parts.Blobs.Select(b => GetsAsync($"the blob {b.Digest}", () => outsider.HasBlobAsync(b, cancellationToken))),
                ]).ConfigureAwait(false);
            if (got.OfType<string>().ToList() is { Count: > 0 } open)
            {
                Report(DiagnosticCodes.PrivateContentReadable, $"an outsider is refused the repository, and still gets {open[0]}{(open.Count > 1 ? $" and {(open.Count - 1).ToString(System.Globalization.CultureInfo.InvariantCulture)} more" : string.Empty)} of {_shown}. Report it to the registry's operator.");
            }

            static async Task<string?> GetsAsync(string what, Func<Task<bool>> ask)
            {
                try
                {
                    return await ask().ConfigureAwait(false) ? what : null;
                }
                catch (RegistryException e) when (e.IsRefusal)
                {
                    return null;
                }
            }
        }
    }
}
