using System.Globalization;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;

namespace Registry.Sdk.Core.Verification;

/// <summary>
/// Looks at every destination from outside, without credentials, brings it to what was declared as far as the service allows, and holds what it then
/// sees against the declaration. Nothing is reported that was not read back.
/// </summary>
public static class VerificationStage
{
    // A service may take a moment until everybody sees what was pushed or changed: twelve seconds in all.
    private static readonly TimeSpan[] Lag = [TimeSpan.FromSeconds(1), TimeSpan.FromSeconds(2), TimeSpan.FromSeconds(4), TimeSpan.FromSeconds(5)];

    // A registry that is silent to outsiders is not asked again and again.
    private static readonly TimeSpan MostLag = TimeSpan.FromSeconds(30);

    private static readonly TimeSpan FirstPoll = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan LastPoll = TimeSpan.FromSeconds(15);

    /// <summary>Runs the stage. Sends no content.</summary>
    /// <param name="input">See <see cref="VerificationInput"/>.</param>
    /// <param name="connections">Connections with the user's credentials, to read back what was written.</param>
    /// <param name="anonymous">Connections without any, for what an outsider sees.</param>
    /// <param name="ask">Hears what a person is asked to do while it is waited for.</param>
    /// <param name="cancellationToken">Stops the requests, and the waiting.</param>
    public static async Task<VerificationResult> RunAsync(VerificationInput input, RegistryConnections connections, RegistryConnections anonymous, Action<string> ask, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(connections);
        ArgumentNullException.ThrowIfNull(anonymous);
        ArgumentNullException.ThrowIfNull(ask);
        var run = new Run(input, connections, new(connections, anonymous) { ReadsContent = true, LooksOnce = true }, ask);
        var looks = await Task.WhenAll(input.Transfer.Destinations.Where(d => d.HoldsImage).Select(d => run.LookAsync(d, cancellationToken))).ConfigureAwait(false);
        return new([.. looks.Select(l => l.Seen)], [.. looks.SelectMany(l => l.Diagnostics)]);
    }

    /// <summary>What was tried to bring a destination to its declared visibility.</summary>
    /// <param name="Evidence">Request and answer.</param>
    /// <param name="What">The property or service behind it, for messages.</param>
    private sealed record Attempt(Evidence Evidence, string What);

    private sealed class Run(VerificationInput input, RegistryConnections connections, VisibilityObserver observer, Action<string> ask)
    {
        // Set once anyone can read what not everyone may: that is told at once, and no click waited for meanwhile.
        private volatile bool _leaks;

        // What is not published yet has no click left; and a release that was stopped is not waited for.
        private bool IsPublished => input.Transfer.Errors.Count == 0;

        public async Task<(SeenFromOutside Seen, List<Diagnostic> Diagnostics)> LookAsync(DestinationResult result, CancellationToken cancellationToken)
        {
            var diagnostics = new List<Diagnostic>();
            var destination = result.Destination;
            try
            {
                await ReadBackAsync(result, diagnostics, cancellationToken).ConfigureAwait(false);
                var (seen, evidence, attempt) = await SettleAsync(destination, result.Image.Digest.ToString(), cancellationToken).ConfigureAwait(false);

                // A registry can make public what is pushed there first.
                if (!result.WasFoundPublic && VisibilityRules.JudgeLicense(destination, seen.Seen, result.Image, "It was published just now.") is { } forbidden)
                {
                    diagnostics.Add(forbidden);
                    _leaks = true;
                }

                var verdict = Judge(result, seen, attempt);
                if (verdict.Problem is { } problem)
                {
                    diagnostics.Add(problem);
                    _leaks |= problem.Descriptor == DiagnosticCodes.PrivateIsPublic;
                }

                return (new(destination, seen.Seen) { Observation = seen, Evidence = evidence, Click = verdict.Click, Links = verdict.Click is null ? [] : Links(destination, seen) }, diagnostics);
            }
            catch (Exception e) when (RegistryErrors.Know(e))
            {
                diagnostics.Add(RegistryErrors.AtDestination(e, destination.ToString()));
                return (new(destination, ObservedVisibility.Unknown), diagnostics);
            }
        }

        private async Task ReadBackAsync(DestinationResult result, List<Diagnostic> diagnostics, CancellationToken cancellationToken)
        {
            // The bytes themselves once: a HEAD that names the right digest proves nothing about a registry that lies.
            var manifest = result.Image.Digest;
            var client = connections.Open(result.Destination.Place);
            if (await client.GetManifestAsync(manifest.ToString(), cancellationToken).ConfigureAwait(false) is null)
            {
                throw RegistryErrors.WrongContent(result.Destination.Place, $"the image {manifest} was taken and is not there.");
            }

            // There is no compare-and-swap: of two publishes that write one immutable tag at once both may have read it back as theirs.
            // And one that named this image when it was planned may have been deleted or moved by hand since.
            foreach (var tag in result.Tags.Where(t => !t.Tag.Floating && (t.State is TagState.Created or TagState.Moved || (t.State == TagState.Kept && t.Now == manifest))))
            {
                var now = await client.FindManifestAsync(tag.Tag.Name, cancellationToken).ConfigureAwait(false);
                if (now != manifest)
                {
                    diagnostics.Add(DiagnosticCodes.TagTakenMeanwhile.Report(
                        $"{result.Destination}: the immutable tag {tag.Tag.Name} {(tag.State == TagState.Kept ? "named" : "was written as")} {manifest}, and now names {now?.ToString() ?? "nothing"}: {(now is null ? "somebody deleted it meanwhile" : "another publish wrote it at the same time")}. See which image is right; release a new version, or name the tag in RegistrySdkOverwriteTag."));
                }
            }
        }

        /// <summary>Looks until it is as declared, or until there is no hope that it will be: lag, a change that we may ask for, a click that is waited for.</summary>
        private async Task<(Observation Seen, IReadOnlyList<Evidence> Evidence, Attempt? Attempt)> SettleAsync(Destination destination, string reference, CancellationToken cancellationToken)
        {
            var clock = connections.Time;
            var began = clock.GetTimestamp();
            var first = await observer.ObserveAsync(destination, reference, cancellationToken).ConfigureAwait(false);
            var seen = first;
            if (destination.Visibility == Visibility.Undeclared || !IsPublished || IsAsDeclared(destination, seen))
            {
                return (seen, seen.Evidence, null);
            }

            var attempt = await TryToChangeAsync(destination, seen, cancellationToken).ConfigureAwait(false);
            for (var i = 0; i < Lag.Length && !IsAsDeclared(destination, seen) && clock.GetElapsedTime(began) < MostLag; i++)
            {
                // What both sides agree on is no lag: the second time it is believed. A leak is told at once, unless we asked for it to be closed.
                if (attempt is null && (IsLeak(destination, seen) || (i > 1 && IsAgreed(seen))))
                {
                    break;
                }

                seen = await LookAgainAsync(Lag[i]).ConfigureAwait(false);
            }

            if (input.Mismatch.Wait > TimeSpan.Zero && MayBeClicked(destination, seen) && !IsAsDeclared(destination, seen) && !_leaks)
            {
                var begun = clock.GetTimestamp();
                var button = PackageServices.Of(connections.Endpoint(destination.Repository!.Host)) == PackageService.GitHub ? " (Danger Zone, Change visibility)" : string.Empty;
                var left = IsSaidPublic(destination, seen) ? "published, and public as the service's own API says, but outsiders are refused"
                    : $"published, one click left: make it {VisibilityNames.ToWord(destination.Visibility)} {Place(destination, seen)}{button}";
                ask($"{destination}: {left}. It is waited for, {Throttling.InWords(input.Mismatch.Wait)} at most.");
                for (var poll = FirstPoll; !IsAsDeclared(destination, seen) && !_leaks && input.Mismatch.Wait - clock.GetElapsedTime(begun) is var rest && rest > TimeSpan.Zero; poll = Min(poll + FirstPoll, LastPoll))
                {
                    seen = await LookAgainAsync(Min(poll, rest)).ConfigureAwait(false);
                }
            }

            return (seen, [.. first.Evidence, .. attempt is null ? Array.Empty<Evidence>() : [attempt.Evidence], .. ReferenceEquals(first, seen) ? [] : seen.Evidence], attempt);

            async Task<Observation> LookAgainAsync(TimeSpan delay)
            {
                await Task.Delay(delay, connections.Time, cancellationToken).ConfigureAwait(false);
                return await observer.ObserveAsync(destination, reference, cancellationToken).ConfigureAwait(false);
            }
        }

        private async Task<Attempt?> TryToChangeAsync(Destination destination, Observation seen, CancellationToken cancellationToken)
        {
            var repository = destination.Repository!;
            var isWrong = destination.Visibility == Visibility.Public ? seen.Seen == ObservedVisibility.Refused : seen.Seen == ObservedVisibility.Public;
            if (isWrong && seen.Api == ApiVerdict.Found && connections.DockerHub(repository) is { } dockerHub)
            {
                return new(await dockerHub.TryChangeAsync(repository.Name, destination.Visibility != Visibility.Public, cancellationToken).ConfigureAwait(false), "Docker Hub's call that changes it");
            }

            if (isWrong && input.TryApi && destination.Visibility == Visibility.Public && seen.IsOrganization is { } isOrganization && connections.GitHub(repository) is { } gitHub)
            {
                var owner = new GitHubOwner(repository.Owner, isOrganization);
                return new(await gitHub.TryMakePublicAsync(owner, repository.Name[(repository.Owner.Length + 1)..], cancellationToken).ConfigureAwait(false), "the PATCH of RegistrySdkTryVisibilityApi");
            }

            return null;
        }

        private (Diagnostic? Problem, string? Click) Judge(DestinationResult result, Observation seen, Attempt? attempt)
        {
            var destination = result.Destination;
            var word = VisibilityNames.ToWord(destination.Visibility);
            if (destination.Visibility != Visibility.Public && destination.Visibility != Visibility.Undeclared)
            {
                if (IsLeak(destination, seen) || (attempt is not null && IsAsDeclared(destination, seen)))
                {
                    // Transfer has stopped for it and said so; of another destination it has not.
                    if (result.WasFoundPublic)
                    {
                        return (null, null);
                    }

                    var what = IsAsDeclared(destination, seen) ? $"anyone could read it; {Tried(attempt!)}, and it is {word} again now. See who may have read it, and who made it public"
                        : seen.Seen != ObservedVisibility.Public ? $"the service's own API says that it is public. Make the repository {word} at once {Place(destination, seen)}, or correct its Visibility"
                        : $"anyone can read it{(attempt is null ? string.Empty : $" ({Tried(attempt)})")}. Make the repository {word} at once {Place(destination, seen)}, or correct its Visibility";
                    return (DiagnosticCodes.PrivateIsPublic.Report($"{destination} is declared {word}, but after the push {what}."), IsAsDeclared(destination, seen) ? null : $"make it {word} {Place(destination, seen)}");
                }
            }

            if (destination.Visibility == Visibility.Undeclared || !IsPublished || IsAsDeclared(destination, seen))
            {
                return (null, null);
            }

            if (seen.Seen == ObservedVisibility.Unknown)
            {
                return (DiagnosticCodes.VisibilityUnknown.Report($"{destination} was published, but who can read it could not be found out: {seen.Why.TrimEnd('.')}. Publish again: nothing is sent twice."), null);
            }

            var click = $"make it {word} {Place(destination, seen)}";
            switch (destination.Visibility)
            {
                case Visibility.Public when seen.Seen == ObservedVisibility.Public:
                    return (DiagnosticCodes.VisibilityUnknown.Report($"{destination} was published and is public, but without credentials its image is not found there (404). The registry may need longer to show it. Publish again: nothing is sent twice."), null);
                case Visibility.Public when IsSaidPublic(destination, seen):
                    return ((input.Mismatch.IsWarning ? DiagnosticCodes.PublicIsRefusedWarning : DiagnosticCodes.PublicIsRefused).Report(
                        $"{destination} was published, is declared public, and the service's own API says that it is, but it can't be read without credentials{(attempt is null ? string.Empty : $" ({Tried(attempt)})")}. The registry may need longer to show it. Publish again: nothing is sent twice.{Waited()}"), null);
                case Visibility.Public:
                    return (Left(destination, seen, attempt, "can't be read without credentials", DiagnosticCodes.PublicIsRefused, DiagnosticCodes.PublicIsRefusedWarning), click);
                case Visibility.Internal when seen.Package?.Visibility == "private":
                    return (Left(destination, seen, attempt, "is private", DiagnosticCodes.VisibilityDiffers, DiagnosticCodes.VisibilityDiffersWarning), click);
                case Visibility.Internal:
                    return (DiagnosticCodes.VisibilityUnknown.Report(
                        $"{destination} was published and outsiders are refused, but whether it is internal or private could not be found out: {(seen.ApiWhy.Length > 0 ? seen.ApiWhy.TrimEnd('.') : "no API is asked")}. Publish again with a token that has read:packages: nothing is sent twice; or declare Visibility=\"private\"."), null);
                default:
                    return (DiagnosticCodes.VisibilityDiffers.Report($"{destination} is declared private, but it is internal: every member can read it. Make it private {Place(destination, seen)}, or declare Visibility=\"internal\"."), click);
            }
        }

        private Diagnostic Left(Destination destination, Observation seen, Attempt? attempt, string but, DiagnosticDescriptor error, DiagnosticDescriptor warning)
        {
            var repository = destination.Repository!;
            var endpoint = connections.Endpoint(repository.Host);
            var policy = seen.IsOrganization == true && PackageServices.WebServer(endpoint) is { } server
                ? $" If that can't be chosen there, an owner allows it at https://{server}/organizations/{repository.Owner}/settings/packages."
                : string.Empty;
            return (input.Mismatch.IsWarning ? warning : error).Report(
                $"published, one click left: {destination} is declared {VisibilityNames.ToWord(destination.Visibility)}, but {but}{(attempt is null ? string.Empty : $" ({Tried(attempt)})")}. Make it {VisibilityNames.ToWord(destination.Visibility)} {Place(destination, seen)}, then publish again: nothing is sent twice.{policy}{Waited()}");
        }

        private string Waited() => input.Mismatch.Wait == TimeSpan.Zero ? string.Empty
            : _leaks ? " It is not waited for any longer: another destination can be read by anyone." : $" It was waited for {Throttling.InWords(input.Mismatch.Wait)}.";

        private static string Tried(Attempt attempt) => $"{attempt.What} was answered {attempt.Evidence.Answer.TrimEnd('.')}";

        private string Place(Destination destination, Observation seen)
            => PackageServices.SettingsPlace(connections.Endpoint(destination.Repository!.Host), destination.Repository, seen.IsOrganization);

        private IReadOnlyList<string> Links(Destination destination, Observation seen)
            => PackageServices.SettingsPages(connections.Endpoint(destination.Repository!.Host), destination.Repository, seen.IsOrganization);

        private bool IsAsDeclared(Destination destination, Observation seen) => destination.Visibility switch
        {
            Visibility.Public => seen is { Seen: ObservedVisibility.Public, IsServed: true },
            Visibility.Private => IsRefused(seen) && seen.Package?.Visibility is not ("public" or "internal"),
            // Where no API tells the two apart a refused outsider is all that can be seen.
            Visibility.Internal => IsRefused(seen) && (seen.Package?.Visibility == "internal" || PackageServices.Of(connections.Endpoint(destination.Repository!.Host)) != PackageService.GitHub),
            _ => true,
        };

        /// <summary>More people can read it than was declared.</summary>
        private static bool IsLeak(Destination destination, Observation seen)
            => destination.Visibility is Visibility.Private or Visibility.Internal && (seen.Seen == ObservedVisibility.Public || (IsRefused(seen) && seen.Package?.Visibility == "public"));

        private static bool IsRefused(Observation seen) => seen.Seen is ObservedVisibility.Refused or ObservedVisibility.Missing;

        private static bool IsAgreed(Observation seen) => IsRefused(seen) && seen.Package?.Visibility is "private" or "internal";

        /// <summary>There is no click left: by the service's own word it is public.</summary>
        private static bool IsSaidPublic(Destination destination, Observation seen) => destination.Visibility == Visibility.Public && seen.Package?.Visibility == "public";

        private static bool MayBeClicked(Destination destination, Observation seen)
            => (destination.Visibility == Visibility.Public && IsRefused(seen)) || (destination.Visibility == Visibility.Internal && seen.Package?.Visibility == "private");

        private static TimeSpan Min(TimeSpan a, TimeSpan b) => a < b ? a : b;
    }
}
