using System.Globalization;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Reporting;
using Registry.Sdk.Core.Versioning;

namespace Registry.Sdk.Core;

/// <summary>From what was built to images: the stages Editions, once over all editions, and Imaging, for each.</summary>
internal sealed class ImageComposer(PublishRequest request, PublishRun run, ImageCache cache, RegistryConnections connections, IPublishLog log)
{
    /// <summary>The recorded bases that images were composed on, instead of what the base image's tag names now.</summary>
    public IReadOnlyList<RecordedBase> Followed { get; private set; } = [];

    /// <summary>The time of all images of a publish.</summary>
    public static DateTimeOffset Created(BuildFacts facts) => facts.SourceDateEpoch ?? facts.Git.CommitTime ?? DateTimeOffset.UnixEpoch;

    /// <summary>Takes the image that an earlier publish of this release made; null if it can't be written.</summary>
    public async Task<IReadOnlyList<EditionImage>?> AdoptAsync(ComposedImage released, CancellationToken cancellationToken)
    {
        log.Stage($"Imaging: nothing is composed: {released.ReleasedAt} has {released.Manifest.Descriptor.Digest}, and its bytes are copied");
        try
        {
            await ReleasedImageSource.WriteAsync(released, cancellationToken).ConfigureAwait(false);
            return [new(string.Empty, EditionChecks.Declared(request, string.Empty).License, released)];
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            run.Diagnostics.Add(ImagingStage.LayoutProblem(released.LayoutDirectory, e));
            return null;
        }
    }

    /// <summary>Makes the bill of every edition that was built and, only if all of them pass the wall, its image; null if anything failed.</summary>
    /// <param name="builds">What was built.</param>
    /// <param name="input">All editions.</param>
    /// <param name="taking">The destinations that take this build: they may have this release already.</param>
    /// <param name="overwriteTags"><c>RegistrySdkOverwriteTag</c>.</param>
    /// <param name="cancellationToken">Stops it.</param>
    public async Task<IReadOnlyList<EditionImage>?> ComposeAsync(
        IReadOnlyList<PlatformBuild> builds, EditionsInput input, IReadOnlyList<Destination> taking, IReadOnlySet<string> overwriteTags, CancellationToken cancellationToken)
    {
        if (await JudgeAsync(input, cancellationToken).ConfigureAwait(false) is not { } editions)
        {
            return null;
        }

        var (facts, version) = request.Derived.Value;
        var images = new List<EditionImage>();
        // One for all editions: a base tag that moves meanwhile must not give them two bases.
        var bases = new BaseImageSource(connections, cache);
        var recorded = await RecordedBases.FindAsync(version, facts.Git.Commit, taking, overwriteTags, connections, cancellationToken).ConfigureAwait(false);
        if (recorded.Count > 0)
        {
            builds = await OnRecordedBasesAsync(builds, recorded, version, bases, cancellationToken).ConfigureAwait(false);
        }

        foreach (var edition in editions.Editions)
        {
            var own = builds.Where(b => b.Request.Edition == edition.Name).ToList();
            CheckSource(input.Editions.Single(e => e.Name == edition.Name), own, facts);
            if (await ComposeAsync(edition, own, facts, bases, cancellationToken).ConfigureAwait(false) is { } image)
            {
                images.Add(new(edition.Name, edition.License, image));
            }
        }

        cache.Trim();
        return images.Count == editions.Editions.Count ? images : null;
    }

    /// <summary>A release that was begun on a base image whose tag has moved since is composed on that base again.</summary>
    private async Task<IReadOnlyList<PlatformBuild>> OnRecordedBasesAsync(
        IReadOnlyList<PlatformBuild> builds, IReadOnlyList<RecordedBase> recorded, VersionFacts version, BaseImageSource bases, CancellationToken cancellationToken)
    {
        var named = builds.Select(b => (b.Request.Edition, b.Base)).ToList();
        var result = new List<PlatformBuild>();
        foreach (var build in builds)
        {
            result.Add(build);
            if (RecordedBases.For(recorded, build.Request.Edition, build.Base, named) is not { } first)
            {
                continue;
            }

            try
            {
                if (await bases.FindAsync(build.Base, cancellationToken).ConfigureAwait(false) is { } now && now != first.BaseDigest)
                {
                    result[^1] = build with { Base = build.Base with { Digest = first.BaseDigest } };
                    Followed = [.. Followed, first];
                    var text = $"{version.Version} was begun on the base image {result[^1].Base} ({first.At}); {build.Base} names {now} by now. It is composed on the first one again; a newer base needs a new version";
                    if (!run.Report.Notes.Contains(text, StringComparer.Ordinal))
                    {
                        run.Tell(log, text);
                    }
                }
            }
            catch (Exception e) when (RegistryErrors.Know(e))
            {
                // Imaging meets the same failure, and says whose it is.
            }
        }

        return result;
    }

    /// <summary>The wall, once over all editions; and what it found, for people, below <c>obj/</c>.</summary>
    private async Task<EditionsOutput?> JudgeAsync(EditionsInput input, CancellationToken cancellationToken)
    {
        log.Stage("Editions: making the bill");
        var built = input.Editions.Where(e => e.Platforms.Count > 0).ToList();
        // What an earlier publish found must not be taken for what this one did.
        if (!await WithEvidenceAsync(() => { built.ForEach(e => DiscardEvidence(e.Name)); return Task.CompletedTask; }).ConfigureAwait(false))
        {
            return null;
        }

        var editions = await EditionsStage.RunAsync(input, cancellationToken).ConfigureAwait(false);
        run.Diagnostics.AddRange(editions.Diagnostics);
        // Also of what did not pass: wall.md shows the whole of it.
        if (!await WithEvidenceAsync(() => SaveEvidenceAsync(editions, cancellationToken)).ConfigureAwait(false) || !editions.Succeeded)
        {
            return null;
        }

        foreach (var edition in editions.Editions)
        {
            foreach (var (bill, platform) in edition.Bills.Zip(request.Platforms.Where(p => p.Edition == edition.Name)))
            {
                log.Stage($"Editions: {Of(edition.Name)}{bill.Files.Count} files, {ConsoleReport.Bytes(bill.Files.Sum(f => f.Size))} ({platform.RuntimeIdentifier})");
            }

            if (edition.License.Length == 0)
            {
                run.Note(log, "The licence wall is off: no licence is declared. PackageLicenseExpression switches it on.");
            }
        }

        return editions;
    }

    private async Task<ComposedImage?> ComposeAsync(EditionBills edition, List<PlatformBuild> builds, BuildFacts facts, BaseImageSource bases, CancellationToken cancellationToken)
    {
        log.Stage($"Imaging: {Of(edition.Name)}composing on {string.Join(", ", builds.Select(b => b.Base.ToString()).Distinct(StringComparer.Ordinal))}");
        var created = Created(facts);
        var imaging = new ImagingInput(
            [.. builds.Zip(edition.Bills, (build, bill) => new PlatformInput(
                build.Request.RuntimeIdentifier, build.Request.IsRuntimeIdentifierGiven, build.Request.RuntimeIdentifierGraph, build.Request.DependencyFile,
                bill, build.Base, WithLabels(build.Request, facts, created)))],
            created,
            edition.Name.Length > 0 ? Path.Combine(request.LayoutDirectory, edition.Name) : request.LayoutDirectory,
            cache,
            [.. new[] { facts.Git.RootDirectory, request.ProjectDirectory }.OfType<string>().Distinct(StringComparer.Ordinal)],
            request.Labels.BaseDigest);
        var image = await ImagingStage.RunAsync(imaging, bases, cancellationToken).ConfigureAwait(false);
        // What all editions have in common (a base image that is not there) is said once.
        run.Diagnostics.AddRange(image.Diagnostics.Except(run.Diagnostics));
        if (!image.Succeeded)
        {
            return null;
        }

        log.Stage($"Imaging: {Of(edition.Name)}{image.Value.Manifest.Descriptor.Digest} in {image.Value.LayoutDirectory}");
        foreach (var platform in image.Value.Platforms.Where(p => p.LeftOut > 0))
        {
            log.Stage($"Imaging: {Of(edition.Name)}left out {ConsoleReport.Bytes(platform.LeftOut)} of native files that {platform.Platform} can't use");
        }

        foreach (var layer in image.Value.Platforms.SelectMany(p => p.Layers).Where(l => !l.IsFromBase).DistinctBy(l => l.Descriptor.Digest))
        {
            log.Stage($"Imaging: {Of(edition.Name)}{layer.Content} layer {layer.Descriptor.Digest}, {ConsoleReport.Bytes(layer.Descriptor.Size)}, {(layer.Origin == LayerOrigin.Cached ? "from the cache" : "compressed")}");
        }

        return image.Value;
    }

    private static string Of(string edition) => edition.Length > 0 ? edition + ": " : string.Empty;

    /// <summary>Stock's labels with ours in place of those that would be wrong or differ from run to run, and the user's own over all.</summary>
    private ContainerSettings WithLabels(PlatformRequest platform, BuildFacts facts, DateTimeOffset created)
    {
        var time = created.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        var license = EditionChecks.Declared(request, platform.Edition).License;
        var ours = new List<KeyValuePair<string, string>>();
        Add(request.Labels.Created, ImageLabels.Created, time);
        Add(request.Labels.Created, "org.opencontainers.artifact.created", time);
        Add(request.Labels.Version, ImageLabels.Version, request.Derived.Value.Version.Version);
        Add(request.Labels.Source, ImageLabels.Source, Source(platform.Edition, facts));
        Add(request.Labels.Revision, ImageLabels.Revision, facts.Git.Commit);
        Add(request.Labels.Licenses, ImageLabels.Licenses, license);

        // What stock put there instead must not stay where we have nothing better: its source may carry credentials.
        // And it was not told the name of a base image that is in no registry.
        string[] mended =
        [
            ImageLabels.Created, "org.opencontainers.artifact.created", ImageLabels.Version, ImageLabels.Source, ImageLabels.Revision,
            .. platform.BaseReference.Length > 0 ? [ImageLabels.BaseName] : Array.Empty<string>(),
            // Where the licence is not known to us stock's label, from the same property, is right.
            .. license.Length > 0 ? [ImageLabels.Licenses] : Array.Empty<string>(),
        ];
        return platform.Settings with
        {
            Labels = [.. platform.Settings.Labels.Where(l => !mended.Contains(l.Key, StringComparer.Ordinal)), .. ours, .. platform.UserLabels],
        };

        void Add(bool wanted, string name, string? value)
        {
            if (wanted && !string.IsNullOrEmpty(value))
            {
                ours.Add(new(name, value));
            }
        }
    }

    /// <summary>What a person set for this edition, or empty. With editions the outer build's value is that of another one.</summary>
    private string OwnRepositoryUrl(string edition)
        => EditionChecks.Declared(request, edition).RepositoryUrl is { Length: > 0 } own ? own : edition.Length > 0 ? string.Empty : request.RepositoryUrl;

    private string? Source(string edition, BuildFacts facts)
        => RepositoryUrl.ToHttps(OwnRepositoryUrl(edition) is { Length: > 0 } own ? own : facts.Ci?.RepositoryUrl ?? facts.Git.RemoteUrl);

    /// <summary>The repository that git or CI names holds all editions: a public image should not lead there unasked.</summary>
    private void CheckSource(EditionInput edition, List<PlatformBuild> builds, BuildFacts facts)
    {
        if (request.EditionNames.Count > 1 && edition.IsPublic && request.Labels.Source && OwnRepositoryUrl(edition.Name).Length == 0 && Source(edition.Name, facts) is { Length: > 0 } source
            && builds.Exists(b => !b.Request.UserLabels.Any(l => l.Key == ImageLabels.Source)))
        {
            run.Diagnostics.Add(DiagnosticCodes.SourceNamesOtherEdition.Report(
                $"The image of the edition {edition.Name} goes to {string.Join(" and ", edition.PublicDestinations)}, and its label {ImageLabels.Source} names {source}, which holds the other editions too. Set RepositoryUrl under the condition '$(ContainerEdition)' == '{edition.Name}'; or leave the label out with ContainerGenerateLabelsImageSource=false, and Source Link's copy of it out of the PDBs with EnableSourceLink=false."));
        }
    }

    /// <summary>Beside the layout, below <c>obj/</c> and in no image: it names what must stay unknown outside.</summary>
    private string EvidenceDirectory(string edition) => Path.GetFullPath(Path.Combine(request.LayoutDirectory, "..", edition));

    private void DiscardEvidence(string edition)
    {
        foreach (var file in new[] { BillFileName, WallFileName }.Select(n => Path.Combine(EvidenceDirectory(edition), n)).Where(File.Exists))
        {
            File.Delete(file);
        }
    }

    private async Task SaveEvidenceAsync(EditionsOutput editions, CancellationToken cancellationToken)
    {
        foreach (var edition in editions.Editions)
        {
            foreach (var (name, content) in new[] { (BillFileName, edition.BillJson), (WallFileName, edition.WallMarkdown) }.Where(f => f.Item2.Length > 0))
            {
                await Receipt.SaveAsync(Path.Combine(EvidenceDirectory(edition.Name), name), content, cancellationToken).ConfigureAwait(false);
            }
        }
    }

    private async Task<bool> WithEvidenceAsync(Func<Task> write)
    {
        try
        {
            await write().ConfigureAwait(false);
            return true;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            run.Diagnostics.Add(ImagingStage.LayoutProblem(EvidenceDirectory(string.Empty), e));
            return false;
        }
    }

    private const string BillFileName = "bill.json";
    private const string WallFileName = "wall.md";
}
