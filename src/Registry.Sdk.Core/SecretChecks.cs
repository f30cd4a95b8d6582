using System.Diagnostics;
using System.Globalization;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Reporting;

namespace Registry.Sdk.Core;

/// <summary>Secrets stop a public publish before anything is sent: what the user lifts, the search over all editions, and what its findings mean for whom.</summary>
internal static class SecretChecks
{
    /// <summary>More errors nobody reads one by one.</summary>
    private const int MostErrors = 50;

    /// <summary>More warnings push everything else out of sight.</summary>
    private const int MostWarnings = 5;

    /// <summary>The items that lift findings: RSDK4032.</summary>
    public static void CheckAllowed(PublishRequest request, ICollection<Diagnostic> diagnostics)
    {
        foreach (var item in request.SecretAllowed)
        {
            var include = PlainText.Of(item.Include);
            if (string.IsNullOrWhiteSpace(item.Reason))
            {
                diagnostics.Add(DiagnosticCodes.BadSecretAllow.Report(
                    $"ContainerSecretAllow '{include}' gives no reason, and the receipt records why a secret was let through. Write <ContainerSecretAllow Include=\"{include}\" Reason=\"…\" />."));
            }

            if (item.Fingerprint is { } fingerprint && (fingerprint.Length != 16 || !fingerprint.All(char.IsAsciiHexDigitLower)))
            {
                diagnostics.Add(DiagnosticCodes.BadSecretAllow.Report(
                    $"ContainerSecretAllow '{include}' is no fingerprint. Write fingerprint: and the 16 hexadecimal digits of the message, or the file's path in the image."));
            }
        }
    }

    /// <summary>Searches the images and says what was found. False: it could not be searched, and nothing may be sent.</summary>
    /// <remarks>
    /// As with the licence wall a destination counts whichever builds it takes: what would stop the release is told by the pull request. A project without
    /// any destination sends nothing.
    /// </remarks>
    public static async Task<bool> SearchAsync(
        PublishRequest request, PublishRun run, IReadOnlyList<EditionImage> images, IReadOnlyList<Destination> destinations, EndpointMap endpoints, RegistryConnections connections, IPublishLog log, CancellationToken cancellationToken)
    {
        if (!destinations.Any(d => images.Any(i => i.Edition == d.Edition)))
        {
            return true;
        }

        var clock = Stopwatch.StartNew();
        // What is copied to private places was searched when it was made, and cost a warning.
        var searchReleased = destinations.Any(d => d.CountsAsPublic(endpoints));
        SecretReport secrets;
        try
        {
            foreach (var released in searchReleased ? images.Select(i => i.Image).Where(i => i.ReleasedAt is not null) : [])
            {
                log.Stage($"Secrets: fetching the layers of ours from {released.ReleasedAt}, to look into them before they become public");
                await new ReleasedImageSource(connections).FetchOwnLayersAsync(released, cancellationToken).ConfigureAwait(false);
            }

            secrets = await SecretSearch.RunAsync(new(images, request.SecretAllowed, searchReleased), run.Redactor, cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (RegistryErrors.Know(e))
        {
            run.Diagnostics.Add(RegistryErrors.AtDestination(e, images[0].Image.ReleasedAt ?? destinations[0].ToString()));
            return false;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            run.Diagnostics.Add(ImagingStage.LayoutProblem(images[0].Image.LayoutDirectory, e));
            return false;
        }

        run.Report = run.Report with { Secrets = secrets };
        log.Stage(string.Create(
            CultureInfo.InvariantCulture,
            $"Secrets: looked at {secrets.Files} files, {ConsoleReport.Bytes(secrets.Bytes)}, in {clock.Elapsed.TotalSeconds:0.0} s: {(secrets.Findings.Count == 0 ? "nothing found" : $"{secrets.Findings.Count} found")}{(secrets.Lifted.Count == 0 ? string.Empty : $", {secrets.Lifted.Count} lifted by ContainerSecretAllow")}"));
        if (secrets.Lifted.Count > 0)
        {
            run.Tell(log, $"ContainerSecretAllow lets through: {Places(secrets.Lifted.Select(l => l.Finding))}");
        }

        var errors = secrets.Findings.Select(f => (Finding: f, Public: PublicFor(f, destinations, endpoints))).Where(f => f.Public.Count > 0).ToList();
        var warnings = secrets.Findings.Except(errors.Select(e => e.Finding)).ToList();
        run.Diagnostics.AddRange(errors.Take(MostErrors).Select(e => Stop(e.Finding, e.Public)));
        if (errors.Count > MostErrors)
        {
            run.Diagnostics.Add(DiagnosticCodes.SecretGoesPublic.Report($"And {errors.Count - MostErrors} more secrets in {Places(errors.Skip(MostErrors).Select(e => e.Finding))}."));
        }

        run.Diagnostics.AddRange(warnings.Take(MostWarnings).Select(f => DiagnosticCodes.SecretInImage.Report($"{Describe(f)}. Whoever can pull the image has it. {Advice(f)}")));
        if (warnings.Count > MostWarnings)
        {
            run.Diagnostics.Add(DiagnosticCodes.SecretInImage.Report($"And {warnings.Count - MostWarnings} more secrets in {Places(warnings.Skip(MostWarnings))}."));
        }

        foreach (var file in secrets.NotRead)
        {
            run.Diagnostics.Add(DiagnosticCodes.NotSearched.Report($"{file} was not searched for secrets. Look into it yourself, or keep it out of the publish output (CopyToPublishDirectory=Never)."));
        }

        // What was not searched, and the editions that are not published, could hold what an item is meant for.
        if (EditionChecks.Only(request) is null && (searchReleased || images.All(i => i.Image.ReleasedAt is null)))
        {
            run.Diagnostics.AddRange(secrets.Unused.Select(a => DiagnosticCodes.SecretAllowMatchesNothing.Report(
                $"ContainerSecretAllow '{PlainText.Of(a.Include)}' lifts nothing: there is no such finding (any more). Correct it (the path as in the image or below its working directory, case-sensitive; MSBuild expands * itself, so write %2A), or remove it.")));
        }

        return true;
    }

    /// <summary>
    /// A destination without a declaration can be public all the same; whether it is has been seen by now, and nothing has been sent. A registry on
    /// loopback is nobody's outside.
    /// </summary>
    public static void JudgeObserved(PublishRun run, Plan plan)
    {
        foreach (var finding in run.Report.Secrets?.Findings ?? [])
        {
            var open = plan.Destinations.Where(d => d is { Observed: ObservedVisibility.Public, Destination: { Visibility: Visibility.Undeclared, Repository.Host.IsLoopback: false } } && finding.Editions.Contains(d.Destination.Edition, StringComparer.Ordinal))
                .Select(d => d.Destination.ToString()).ToList();
            if (open.Count > 0 && !run.Diagnostics.Exists(d => d.Code == DiagnosticCodes.SecretGoesPublic.Code && d.Message.StartsWith(Describe(finding), StringComparison.Ordinal)))
            {
                run.Diagnostics.Add(Stop(finding, open));
            }
        }
    }

    private static List<string> PublicFor(SecretFinding finding, IReadOnlyList<Destination> destinations, EndpointMap endpoints)
        => [.. destinations.Where(d => d.CountsAsPublic(endpoints) && finding.Editions.Contains(d.Edition, StringComparer.Ordinal)).Select(d => d.ToString())];

    private static Diagnostic Stop(SecretFinding finding, IReadOnlyList<string> destinations)
        => DiagnosticCodes.SecretGoesPublic.Report($"{Describe(finding)}. Anyone could read it at {string.Join(" and ", destinations)}; nothing was sent. {Advice(finding)}");

    private static string Describe(SecretFinding finding)
        => $"{finding.Place}: {finding.What} (rule {finding.Rule}, fingerprint {finding.Fingerprint}{(finding.Editions is [{ Length: > 0 }, ..] ? $", edition {string.Join(", ", finding.Editions)}" : string.Empty)})";

    private static string Advice(SecretFinding finding)
    {
        var fingerprint = SecretAllowItem.FingerprintPrefix + finding.Fingerprint;
        // What MSBuild would not take as it is.
        var path = finding.Path is { } file && file.IndexOfAny([';', '%', '*', '?', '$', '@', '"', '&', '<', '\'']) < 0 ? "/" + file : null;
        return $"Take it out, and replace it by another where it is in use; if it is none or may be known, add <ContainerSecretAllow Include=\"{path ?? fingerprint}\" Reason=\"…\" />{(path is null ? string.Empty : $" (or Include=\"{fingerprint}\", for this one alone)")}.";
    }

    private static string Places(IEnumerable<SecretFinding> findings)
    {
        var places = findings.Select(f => f.Path is { } path ? "/" + path : f.Place).Distinct(StringComparer.Ordinal).ToList();
        return string.Join(", ", places.Take(10)) + (places.Count > 10 ? ", …" : string.Empty);
    }
}
