using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Editions;

/// <summary>What the stage found, errors or not: the bills and the evidence are there for whoever must mend something.</summary>
/// <param name="Editions">Editions that were built and whose publish folder could be read.</param>
/// <param name="Diagnostics">Errors and warnings, in the order they were found.</param>
public sealed record EditionsJudgement(IReadOnlyList<EditionBills> Editions, IReadOnlyList<Diagnostic> Diagnostics);

/// <summary>Makes the bill of every edition and holds it against the wall.</summary>
public static class EditionsStage
{
    /// <summary>Runs the stage over all editions at once: what one holds decides what another must not.</summary>
    public static async Task<Outcome<EditionsOutput>> RunAsync(EditionsInput input, CancellationToken cancellationToken)
    {
        var judgement = await JudgeAsync(input, cancellationToken).ConfigureAwait(false);
        return Outcome<EditionsOutput>.From(new(judgement.Editions), judgement.Diagnostics);
    }

    /// <summary>As <see cref="RunAsync"/>, but gives the bills and what goes to <c>obj/</c> where the wall found something, too.</summary>
    public static async Task<EditionsJudgement> JudgeAsync(EditionsInput input, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(input);
        var diagnostics = new List<Diagnostic>();
        var bills = new Dictionary<PlatformEvidence, Bill>(ReferenceEqualityComparer.Instance);
        foreach (var platform in input.Editions.SelectMany(e => e.Platforms))
        {
            var bill = await PublishFolder.ReadAsync(platform.PublishDirectory, cancellationToken).ConfigureAwait(false);
            diagnostics.AddRange(bill.Diagnostics);
            if (bill.Succeeded)
            {
                bills[platform] = bill.Value;
            }
        }

        // Only where some edition is judged: without a licence nothing is looked at besides the folder.
        var world = input.Editions.Any(IsJudged) ? new EditionsWorld(input, bills, new SourceFiles(cancellationToken), diagnostics) : null;
        var editions = new List<EditionBills>();
        foreach (var edition in input.Editions.Where(e => e.Platforms.Any(bills.ContainsKey)))
        {
            cancellationToken.ThrowIfCancellationRequested();
            editions.Add(world is not null && IsJudged(edition)
                ? new EditionWall(world, edition, diagnostics).Judge(cancellationToken)
                : new(edition.Name, edition.License, [.. edition.Platforms.Where(bills.ContainsKey).Select(p => bills[p])], string.Empty, string.Empty));
        }

        return new(editions, diagnostics);
    }

    /// <summary>Whether the wall stands: a licence is declared, and the build says what it is made of.</summary>
    private static bool IsJudged(EditionInput edition)
        => edition.License.Length > 0 && edition.Projects.Count > 0 && edition.Platforms.Any(p => p.Items.Count > 0 || p.OwnFiles.Count > 0 || p.Compiled.Count > 0);
}
