using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Editions;

/// <summary>Makes the bill of every edition and holds it against the wall.</summary>
public static class EditionsStage
{
    /// <summary>Runs the stage over all editions at once: what one holds decides what another must not.</summary>
    /// <returns>Errors or not: bills and evidence are there for whoever must mend something.</returns>
    public static async Task<EditionsOutput> RunAsync(EditionsInput input, CancellationToken cancellationToken)
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

    // A declared licence is enough: where the build did not say what it is made of nothing is explained, and that does not get out.
    private static bool IsJudged(EditionInput edition) => edition.License.Length > 0;
}
