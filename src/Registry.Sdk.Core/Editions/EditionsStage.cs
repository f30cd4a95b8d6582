using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Editions;

/// <summary>Makes the bill of every edition and holds it against the wall.</summary>
public static class EditionsStage
{
    /// <summary>Runs the stage over all editions at once: what one holds decides what another must not.</summary>
    public static async Task<Outcome<EditionsOutput>> RunAsync(EditionsInput input, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(input);
        var diagnostics = new List<Diagnostic>();
        var editions = new List<EditionBills>();
        foreach (var edition in input.Editions.Where(e => e.Platforms.Count > 0))
        {
            var bills = new List<Bill>();
            foreach (var platform in edition.Platforms)
            {
                var bill = await PublishFolder.ReadAsync(platform.PublishDirectory, cancellationToken).ConfigureAwait(false);
                diagnostics.AddRange(bill.Diagnostics);
                if (bill.Succeeded)
                {
                    bills.Add(bill.Value);
                }
            }

            editions.Add(new(edition.Name, edition.License, bills, string.Empty, string.Empty));
        }

        return Outcome<EditionsOutput>.From(new(editions), diagnostics);
    }
}
