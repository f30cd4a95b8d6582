using System.Text.RegularExpressions;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core;

/// <summary>What the user says of editions: whether it holds together, and what the stages are told of it.</summary>
internal static partial class EditionChecks
{
    /// <summary>Folders are named after editions, and constants (<c>EDITION_COMMUNITY</c>).</summary>
    private const int MaxNameLength = 64;

    /// <summary>The one edition that is published although there are more (<c>-p:ContainerEdition</c>); null: all are.</summary>
    public static string? Only(PublishRequest request) => request.EditionNames.Count > 0 && request.IsEditionGiven ? request.Edition : null;

    /// <summary>What is declared of an edition.</summary>
    public static EditionRequest Declared(PublishRequest request, string name) => request.Editions.FirstOrDefault(e => e.Name == name) ?? new() { Name = name };

    /// <summary>The names: RSDK3012, RSDK3013, RSDK3024.</summary>
    public static void CheckNames(PublishRequest request, ICollection<Diagnostic> diagnostics)
    {
        var names = request.EditionNames;
        if (names.Count == 0)
        {
            return;
        }

        foreach (var name in names.Where(n => n.Length > MaxNameLength || !Name().IsMatch(n)))
        {
            diagnostics.Add(DiagnosticCodes.BadEditionName.Report(
                $"ContainerEditions names '{PlainText.Of(name)}', but folders and constants are named after editions. Use a letter, then letters, digits, '-' and '_', {MaxNameLength} characters at most."));
        }

        // Not every file system tells upper case from lower, nor do conditions in MSBuild.
        foreach (var same in names.GroupBy(n => n, StringComparer.OrdinalIgnoreCase).Where(g => g.Count() > 1))
        {
            diagnostics.Add(DiagnosticCodes.EditionTwice.Report(
                $"ContainerEditions is '{PlainText.Of(string.Join(';', names))}', and {string.Join(" and ", same.Select(n => $"'{PlainText.Of(n)}'"))} are one edition. Remove one of the two."));
        }

        if (names.Contains(request.Edition, StringComparer.Ordinal))
        {
            return;
        }

        var list = PlainText.Of(string.Join(';', names));
        var meant = request.Edition.Length == 0 ? null : Misspelling.Nearest(request.Edition, names);
        diagnostics.Add(DiagnosticCodes.UnknownDefaultEdition.Report(
            request.Edition.Length == 0
                ? $"ContainerEditions is '{list}', but ContainerEdition is empty{(request.IsEditionGiven ? " (-p:ContainerEdition=)" : string.Empty)}, so it is not known what a plain build gives. Set the default where every project sees it, in Directory.Build.props: <ContainerEdition Condition=\"'$(ContainerEdition)' == ''\">{PlainText.Of(names[^1])}</ContainerEdition>."
                : $"ContainerEdition is '{PlainText.Of(request.Edition)}'{(request.IsEditionGiven ? " (-p:ContainerEdition)" : string.Empty)}, but ContainerEditions is '{list}'. {(meant is null ? "Set ContainerEdition to one of them, or add the name to ContainerEditions." : $"Write {PlainText.Of(meant)}.")}"));
    }

    /// <summary>The licences, as far as they are known: all of them once something was built. RSDK3014, RSDK3021.</summary>
    public static void CheckLicenses(PublishRequest request, IReadOnlyList<Destination> destinations, EndpointMap endpoints, ICollection<Diagnostic> diagnostics)
    {
        // Before building, of this build's edition alone; what the others declare their own evaluations say.
        var known = request.CheckOnly ? request.Editions : Names(request).Distinct(StringComparer.Ordinal).Select(n => Declared(request, n));
        foreach (var edition in known)
        {
            if (edition.License.Length == 0)
            {
                if (edition.Name.Length > 0)
                {
                    diagnostics.Add(DiagnosticCodes.EditionWithoutLicense.Report(
                        $"The edition '{PlainText.Of(edition.Name)}' has no licence, so what may be in it is not known. Set PackageLicenseExpression to an SPDX expression under the condition '$(ContainerEdition)' == '{PlainText.Of(edition.Name)}'."));
                }

                continue;
            }

            if (LicensePolicy.IsOpenSource(edition.License))
            {
                continue;
            }

            foreach (var destination in destinations.Where(d => d.Edition == edition.Name && d.CountsAsPublic(endpoints)))
            {
                diagnostics.Add(DiagnosticCodes.RestrictedEditionIsPublic.Report(
                    $"{destination} gets {(edition.Name.Length > 0 ? $"the edition {PlainText.Of(edition.Name)}" : "this project")}, whose licence {PlainText.Of(edition.License)} is not open source, and it is public: {(destination.Visibility == Visibility.Public ? "Visibility=\"public\"" : "Docker Hub is, unless the destination says Visibility=\"private\"")}. Correct its {(edition.Name.Length > 0 ? "Edition or " : string.Empty)}Visibility, or the PackageLicenseExpression."));
            }
        }
    }

    /// <summary>
    /// Why a release that a destination has is not copied to the others, but built and held against the wall: the copy would be what an earlier publish
    /// let through. Null: it may be copied.
    /// </summary>
    /// <remarks>Before building licences may not be known; then there may be one.</remarks>
    public static string? WhyNotCopied(PublishRequest request, IReadOnlyList<Destination> destinations, EndpointMap endpoints)
    {
        if (request.EditionNames.Count > 0)
        {
            return "with ContainerEditions every edition is built and held against the licence wall";
        }

        return (request.Editions.Count == 0 || Declared(request, string.Empty).License.Length > 0) && destinations.FirstOrDefault(d => d.CountsAsPublic(endpoints)) is { } destination
            ? $"{destination} is public, and what goes there is built and held against the licence wall"
            : null;
    }

    /// <summary>What the Editions stage is told: all editions, those too that are not published.</summary>
    public static EditionsInput Input(PublishRequest request, IReadOnlyList<Destination> destinations, EndpointMap endpoints)
    {
        var only = Only(request);
        return new([.. Names(request).Select(name =>
        {
            var declared = Declared(request, name);
            return new EditionInput
            {
                Name = name,
                License = declared.License,
                AllowedLicenses = declared.AllowedLicenses,
                PublicDestinations = [.. destinations.Where(d => d.Edition == name && d.CountsAsPublic(endpoints)).Select(d => d.ToString())],
                Projects = declared.Projects,
                PackageLicenses = declared.PackageLicenses,
                Platforms = only is not null && only != name ? [] : [.. request.Platforms.Where(p => p.Edition == name).Select(p => p.Evidence)],
            };
        })]);
    }

    private static IReadOnlyList<string> Names(PublishRequest request) => request.EditionNames.Count > 0 ? request.EditionNames : [string.Empty];

    [GeneratedRegex(@"\A[A-Za-z][A-Za-z0-9_-]*\z", RegexOptions.NonBacktracking)]
    private static partial Regex Name();
}
