using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;

namespace Registry.Sdk.Core.Planning;

/// <summary>Decides what goes where. Reads registries, writes nothing.</summary>
public static class PlanningStage
{
    /// <summary>Runs the stage over all destinations at once; every error of every destination is reported.</summary>
    /// <param name="input">See <see cref="PlanningInput"/>.</param>
    /// <param name="connections">Connections with the user's credentials.</param>
    /// <param name="anonymous">Connections without any, for what an outsider sees.</param>
    /// <param name="history">The commit history.</param>
    /// <param name="cancellationToken">Stops the requests.</param>
    public static async Task<Outcome<Plan>> RunAsync(
        PlanningInput input, RegistryConnections connections, RegistryConnections anonymous, ICommitHistory history, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(connections);
        var who = Select(input.Destinations, input.Version, input.AllowDirty, input.DirtyFiles, input.OnlyEdition, connections);
        if (!who.Succeeded)
        {
            return Outcome<Plan>.Failure(who.Diagnostics);
        }

        var (taking, leftOut) = who.Value;
        var diagnostics = new List<Diagnostic>();

        // Every edition that a destination takes was composed: the pipeline sees to that.
        var getting = taking.Select(d => (Destination: d, Image: input.Images.Single(i => i.Edition == d.Edition))).ToList();

        if (getting.Find(g => g.Destination.Repository is null && g.Image.Image.Manifest.Descriptor.MediaType is MediaTypes.DockerManifest or MediaTypes.DockerIndex).Destination is { } directory)
        {
            diagnostics.Add(DiagnosticCodes.DockerFormatInLayout.Report(
                $"{directory}: the image is in Docker's format, as its base image is, and skopeo and umoci do not find tags of such images in a directory. Set ContainerImageFormat to OCI; the digest is then another, in all destinations."));
        }

        var results = await Task.WhenAll(getting.Select(g => PlanOneAsync(input, g.Destination, g.Image, getting, connections, anonymous, history, cancellationToken))).ConfigureAwait(false);
        diagnostics.AddRange(results.SelectMany(r => r.Diagnostics));
        return diagnostics.Exists(d => d.IsError)
            ? Outcome<Plan>.Failure(diagnostics)
            : Outcome<Plan>.Success(new([.. results.Select(r => r.Plan!)], leftOut), diagnostics);
    }

    /// <summary>Which destinations take this build, and which do not and why. No network.</summary>
    /// <param name="destinations">All destinations of the project.</param>
    /// <param name="version">Output of the Versioning stage.</param>
    /// <param name="allowDirty"><c>RegistrySdkAllowDirty</c>.</param>
    /// <param name="dirtyFiles">Files that make the tree dirty, for the message.</param>
    /// <param name="onlyEdition"><c>-p:ContainerEdition</c>: the one edition that is published; null: all.</param>
    /// <param name="connections">Knows which of them stay on this machine.</param>
    /// <returns>Or RSDK2006 for a dirty tree that would be pushed.</returns>
    public static Outcome<Selection> Select(
        IReadOnlyList<Destination> destinations, VersionFacts version, bool allowDirty, IReadOnlyList<string> dirtyFiles, string? onlyEdition, RegistryConnections connections)
    {
        ArgumentNullException.ThrowIfNull(destinations);
        ArgumentNullException.ThrowIfNull(version);
        ArgumentNullException.ThrowIfNull(dirtyFiles);
        ArgumentNullException.ThrowIfNull(connections);
        var diagnostics = new List<Diagnostic>();
        var leftOut = new List<LeftOut>();
        var taking = new List<Destination>();
        foreach (var destination in destinations)
        {
            if (WhyLeftOut(version, destination, onlyEdition) is { } why)
            {
                leftOut.Add(new(destination, why));
            }
            else if (version.IsDirty && !allowDirty && !connections.IsLocal(destination.Place))
            {
                diagnostics.Add(DiagnosticCodes.DirtyPush.Report(
                    $"{destination}: the tree is dirty ({string.Join(", ", dirtyFiles.Take(3))}{(dirtyFiles.Count > 3 ? ", …" : string.Empty)}), so its image stays on this machine. Commit the changes, or set RegistrySdkAllowDirty=true."));
            }
            else
            {
                taking.Add(destination);
            }
        }

        return diagnostics.Count > 0
            ? Outcome<Selection>.Failure(diagnostics)
            : Outcome<Selection>.Success(new(taking, leftOut));
    }

    /// <summary>The tags a destination takes: its own literal list, else the computed ones.</summary>
    public static IReadOnlyList<ImageTag> TagsFor(Destination destination, VersionFacts version)
    {
        ArgumentNullException.ThrowIfNull(destination);
        ArgumentNullException.ThrowIfNull(version);
        if (destination.Tags.Count == 0 || version.IsDirty)
        {
            return version.Tags;
        }

        // A literal tag that the rules know keeps what they say of it; any other moves.
        return [.. destination.Tags
            .Select(name => version.Tags.FirstOrDefault(t => t.Name == name) ?? new ImageTag(name, Floating: true, "Tags"))
            .OrderBy(t => t.Floating).ThenBy(t => t.Name == "latest")];
    }

    private static string? WhyLeftOut(VersionFacts version, Destination destination, string? onlyEdition)
    {
        if (version.Kind == BuildKinds.None)
        {
            return "this run publishes nothing";
        }

        if (version.IsForkPullRequest)
        {
            return "a pull request from a fork pushes nowhere";
        }

        if (onlyEdition is not null && destination.Edition != onlyEdition)
        {
            return $"-p:ContainerEdition publishes {onlyEdition} alone";
        }

        return destination.On.HasFlag(version.Kind) ? null : $"it does not take {BuildKindNames.ToWord(version.Kind)} builds (On)";
    }

    private static async Task<(DestinationPlan? Plan, List<Diagnostic> Diagnostics)> PlanOneAsync(
        PlanningInput input, Destination destination, EditionImage edition, IReadOnlyList<(Destination Destination, EditionImage Image)> all, RegistryConnections connections, RegistryConnections anonymous, ICommitHistory history, CancellationToken cancellationToken)
    {
        var diagnostics = new List<Diagnostic>();
        var image = edition.Image;
        // Of several platforms the first, as ImageReader sees an index.
        var ours = new ImageIdentity(edition.Digest, input.Version.Version, input.Revision, image.Platforms[0].Base.ReferencedDigest?.ToString(), input.Created);
        try
        {
            var client = connections.Open(destination.Place);
            await client.PingAsync(cancellationToken).ConfigureAwait(false);
            var seen = await new VisibilityObserver(connections, anonymous).ObserveAsync(destination, ours.Digest.ToString(), cancellationToken).ConfigureAwait(false);
            (var verdict, seen) = await JudgeAsync(destination, seen, image.Platforms[0].Labels.GetValueOrDefault(ImageLabels.Source), input.WorkflowRepository, connections, cancellationToken).ConfigureAwait(false);
            diagnostics.AddRange(verdict.Problems);
            if (VisibilityRules.JudgeLicense(destination, seen.Seen, edition, "Nothing was sent.") is { } forbidden)
            {
                diagnostics.Add(forbidden);
            }

            var blobs = new List<BlobPlan>();
            foreach (var (blob, source) in Blobs(image))
            {
                blobs.Add(await client.HasBlobAsync(blob, cancellationToken).ConfigureAwait(false)
                    ? new(blob, BlobAction.Skip, null, source)
                    : Missing(blob, source, destination, all, connections));
            }

            // Each by itself, also where the index is there: what has no tag of its own is what people clean up.
            var missing = new HashSet<Digest>();
            foreach (var manifest in image.Manifests)
            {
                if (await client.FindManifestAsync(manifest.Descriptor.Digest.ToString(), cancellationToken).ConfigureAwait(false) is null)
                {
                    missing.Add(manifest.Descriptor.Digest);
                }
            }

            // Before the tags are read: what another publish brings after that is new, and a reason to repair.
            var wanted = TagsFor(destination, input.Version);
            var there = await ListAsync(client, wanted, input, cancellationToken).ConfigureAwait(false);
            var tags = new List<TagPlan>();
            foreach (var tag in wanted)
            {
                var theirs = await ImageReader.ReadAsync(client, tag.Name, ours, cancellationToken).ConfigureAwait(false);
                var (plan, diagnostic) = await TagPolicy.DecideAsync(
                    tag, input.Version.Kind, ours, theirs, input.OverwriteTags.Contains(tag.Name), history, destination.ToString(), cancellationToken).ConfigureAwait(false);
                if (diagnostic is not null)
                {
                    diagnostics.Add(diagnostic.Code == DiagnosticCodes.ImmutableTagTaken.Code && theirs is not null
                        ? diagnostic with { Message = $"{diagnostic.Message} {await ImageDifference.DescribeAsync(image, theirs.Digest, client, cancellationToken).ConfigureAwait(false)}".TrimEnd() }
                        : diagnostic);
                }

                if (plan is not null)
                {
                    tags.Add(plan.Action == TagAction.Keep && plan.Current != ours.Digest ? plan : plan with { Why = plan.Why + Newer(tag, input, there) });
                }
            }

            // Of a tag that stays where it is the reason is in the receipt alone.
            var notes = tags.Where(t => t.Action == TagAction.Keep && t.Current == ours.Digest && Newer(t.Tag, input, there).Length > 0).Select(t => $"{destination}: {t.Tag.Name} {t.Why}");
            var written = tags.Where(t => t.Action != TagAction.Keep && TagRanking.IsRanked(t.Tag, input.Version, input.Revision)).Select(t => t.Tag).ToList();
            var listed = there is null || written.Count == 0 ? null
                : written.SelectMany(t => TagRanking.Candidates(t, input.Version, input.Revision, there)).Select(c => c.Tag).ToHashSet(StringComparer.Ordinal);
            return (new(destination, edition, ours, blobs, missing, tags, seen.Seen) { Listed = listed, Observation = seen, CreatePrivate = verdict.CreatePrivate, Note = string.Join("; ", notes.Prepend(verdict.Note).OfType<string>()) is { Length: > 0 } note ? note : null }, diagnostics);
        }
        catch (Exception e) when (RegistryErrors.Know(e))
        {
            diagnostics.Add(RegistryErrors.AtDestination(e, destination.ToString()));
            return (null, diagnostics);
        }
    }

    /// <summary>What is said of a floating tag that will name ours although a newer release of its line is there; empty if none is.</summary>
    private static string Newer(ImageTag tag, PlanningInput input, IReadOnlyList<string>? there)
        => there is not null && TagRanking.Candidates(tag, input.Version, input.Revision, there) is [{ Version: { } text } newest, ..]
            && SemVer.TryParse(text, out var version) && SemVer.TryParse(input.Version.Version, out var ours) && version > ours
            ? $", though {newest.Tag} is there, which is newer: it was moved back by hand, or a publish broke off"
            : string.Empty;

    /// <summary>All tags there are; null where there is nothing to know from them, or they can't be known.</summary>
    private static async Task<IReadOnlyList<string>?> ListAsync(IImageRepository client, IReadOnlyList<ImageTag> tags, PlanningInput input, CancellationToken cancellationToken)
    {
        if (!tags.Any(t => TagRanking.IsRanked(t, input.Version, input.Revision)))
        {
            return null;
        }

        try
        {
            return await client.ListTagsAsync(cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (RegistryErrors.Know(e))
        {
            // Not every registry lists tags, and not for every credential. What is not known repairs nothing.
            return null;
        }
    }

    private static async Task<(VisibilityVerdict Verdict, Observation Seen)> JudgeAsync(
        Destination destination, Observation seen, string? source, string? workflowRepository, RegistryConnections connections, CancellationToken cancellationToken)
    {
        if (destination.Repository is not { } repository)
        {
            return (new([]), seen);
        }

        var endpoint = connections.Endpoint(repository.Host);
        var birth = seen.Seen == ObservedVisibility.Missing && destination.Visibility != Visibility.Undeclared && PackageServices.Of(endpoint) == PackageService.GitHub
            ? await BirthAsync(repository, workflowRepository, connections, cancellationToken).ConfigureAwait(false)
            : null;
        var verdict = VisibilityRules.Judge(destination, seen, endpoint, birth);
        if (verdict.Problems.Count == 0 && VisibilityRules.JudgeLink(destination, seen, endpoint, birth, source) is { } unlinked)
        {
            verdict = verdict with { Problems = [unlinked] };
        }

        return (verdict, birth?.Evidence is { } evidence ? seen with { Evidence = [.. seen.Evidence, evidence] } : seen);
    }

    private static async Task<Birth> BirthAsync(RepositoryReference repository, string? workflowRepository, RegistryConnections connections, CancellationToken cancellationToken)
    {
        var pusher = await connections.CredentialAsync(repository, cancellationToken).ConfigureAwait(false) is { } credential ? GitHubToken.PusherOf(credential) : GitHubPusher.Unknown;
        if (pusher != GitHubPusher.Workflow || workflowRepository is null)
        {
            return new(pusher, null, null, string.Empty);
        }

        if (connections.GitHub(repository) is not { } api)
        {
            return new(pusher, workflowRepository, null, "the RegistrySdkEndpoint item names no Api to ask");
        }

        var reading = await api.FindRepositoryAsync(workflowRepository, cancellationToken).ConfigureAwait(false);
        return new(pusher, workflowRepository, reading.Value?.Visibility, reading.Why, reading.Evidence);
    }

    private static IEnumerable<(Descriptor Blob, BlobSource? Source)> Blobs(ComposedImage image)
        => image.Platforms
            .SelectMany(p => p.Layers.Select(l => (l.Descriptor, l.Source)).Append((p.Config, null)))
            .DistinctBy(b => b.Item1.Digest);

    private static BlobPlan Missing(Descriptor blob, BlobSource? source, Destination destination, IReadOnlyList<(Destination Destination, EditionImage Image)> all, RegistryConnections connections)
    {
        if (destination.Repository is not { } repository)
        {
            return new(blob, BlobAction.Send, null, source);
        }

        var here = connections.Identity(repository);
        if (source?.Place is RepositoryReference from && connections.Identity(from) == here && from.Name != repository.Name)
        {
            return new(blob, BlobAction.Mount, from.Name, source);
        }

        // Another destination in the same registry gets it first; this one takes it over from there. One of another edition has it only if the two
        // images share it.
        var sibling = all.TakeWhile(g => g.Destination != destination)
            .FirstOrDefault(g => g.Destination.Repository is not null && connections.Identity(g.Destination.Place) == here && Blobs(g.Image.Image).Any(b => b.Blob.Digest == blob.Digest)).Destination;
        return sibling is null ? new(blob, BlobAction.Send, null, source) : new(blob, BlobAction.Mount, sibling.Repository!.Name, source);
    }
}
