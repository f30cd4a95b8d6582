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
        var diagnostics = new List<Diagnostic>();
        var leftOut = new List<LeftOut>();
        var taking = new List<Destination>();
        foreach (var destination in input.Destinations)
        {
            if (WhyLeftOut(input.Version, destination) is { } why)
            {
                leftOut.Add(new(destination, why));
            }
            else if (input.Version.IsDirty && !input.AllowDirty && !connections.Endpoint(destination.Repository.Host).IsLoopback)
            {
                diagnostics.Add(DiagnosticCodes.DirtyPush.Report(
                    $"{destination}: the tree is dirty ({string.Join(", ", input.DirtyFiles.Take(3))}{(input.DirtyFiles.Count > 3 ? ", …" : string.Empty)}), so its image stays on this machine. Commit the changes, or set RegistrySdkAllowDirty=true."));
            }
            else
            {
                taking.Add(destination);
            }
        }

        if (diagnostics.Count > 0)
        {
            return Outcome<Plan>.Failure(diagnostics);
        }

        var ours = new ImageIdentity(input.Image.Manifest.Descriptor.Digest, input.Version.Version, input.Revision, input.Image.Base.ReferencedDigest.ToString(), input.Created);
        var results = await Task.WhenAll(taking.Select(d => PlanOneAsync(input, d, taking, ours, connections, anonymous, history, cancellationToken))).ConfigureAwait(false);
        diagnostics.AddRange(results.SelectMany(r => r.Diagnostics));
        return diagnostics.Exists(d => d.IsError)
            ? Outcome<Plan>.Failure(diagnostics)
            : Outcome<Plan>.Success(new(ours.Digest, [.. results.Select(r => r.Plan!)], leftOut, ours), diagnostics);
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

    private static string? WhyLeftOut(VersionFacts version, Destination destination)
    {
        if (version.Kind == BuildKinds.None)
        {
            return "this run publishes nothing";
        }

        if (version.IsForkPullRequest)
        {
            return "a pull request from a fork pushes nowhere";
        }

        return destination.On.HasFlag(version.Kind) ? null : $"it does not take {BuildKindNames.ToWord(version.Kind)} builds (On)";
    }

    private static async Task<(DestinationPlan? Plan, List<Diagnostic> Diagnostics)> PlanOneAsync(
        PlanningInput input, Destination destination, List<Destination> all, ImageIdentity ours, RegistryConnections connections, RegistryConnections anonymous, ICommitHistory history, CancellationToken cancellationToken)
    {
        var diagnostics = new List<Diagnostic>();
        try
        {
            var client = connections.Open(destination.Repository);
            await client.PingAsync(cancellationToken).ConfigureAwait(false);
            var observed = await VisibilityProbe.ObserveAsync(destination, client, anonymous, ours.Digest.ToString(), cancellationToken).ConfigureAwait(false);
            if (VisibilityProbe.JudgeBefore(destination, observed, connections.Endpoint(destination.Repository.Host), client.CredentialSource) is { } verdict)
            {
                diagnostics.Add(verdict);
            }

            var blobs = new List<BlobPlan>();
            foreach (var (blob, isFromBase) in Blobs(input))
            {
                blobs.Add(await client.HasBlobAsync(blob, cancellationToken).ConfigureAwait(false)
                    ? new(blob, BlobAction.Skip, null, isFromBase)
                    : Missing(blob, isFromBase, destination, all, input, connections));
            }

            var manifest = await client.FindManifestAsync(ours.Digest.ToString(), cancellationToken).ConfigureAwait(false);
            var tags = new List<TagPlan>();
            foreach (var tag in TagsFor(destination, input.Version))
            {
                var theirs = await ImageReader.ReadAsync(client, tag.Name, ours, cancellationToken).ConfigureAwait(false);
                var (plan, diagnostic) = await TagPolicy.DecideAsync(
                    tag, input.Version.Kind, ours, theirs, input.OverwriteTags.Contains(tag.Name), history, destination.ToString(), cancellationToken).ConfigureAwait(false);
                if (diagnostic is not null)
                {
                    diagnostics.Add(diagnostic);
                }

                if (plan is not null)
                {
                    tags.Add(plan);
                }
            }

            return (new(destination, blobs, manifest is null, tags, observed), diagnostics);
        }
        catch (Exception e) when (e is RegistryException or CredentialException)
        {
            diagnostics.Add(RegistryErrors.AtDestination(e, destination.ToString()));
            return (null, diagnostics);
        }
    }

    private static List<(Descriptor Blob, bool IsFromBase)> Blobs(PlanningInput input)
        => [.. input.Image.Layers.Select(l => (l.Descriptor, l.IsFromBase)).Append((input.Image.Config, false)).DistinctBy(b => b.Item1.Digest)];

    private static BlobPlan Missing(Descriptor blob, bool isFromBase, Destination destination, List<Destination> all, PlanningInput input, RegistryConnections connections)
    {
        var here = connections.Endpoint(destination.Repository.Host).Identity;
        var baseRepository = input.Image.Base.Request.Repository;
        if (isFromBase && connections.Endpoint(baseRepository.Host).Identity == here && baseRepository.Name != destination.Repository.Name)
        {
            return new(blob, BlobAction.Mount, baseRepository.Name, isFromBase);
        }

        // Another destination in the same registry gets it first; this one takes it over from there.
        var sibling = all.TakeWhile(d => d != destination).FirstOrDefault(d => connections.Endpoint(d.Repository.Host).Identity == here);
        return sibling is null ? new(blob, BlobAction.Send, null, isFromBase) : new(blob, BlobAction.Mount, sibling.Repository.Name, isFromBase);
    }
}
