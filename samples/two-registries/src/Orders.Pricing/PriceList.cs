using System.Globalization;
using System.Resources;

namespace Acme.Orders.Pricing;

/// <summary>What an order costs.</summary>
public static class PriceList
{
    private const decimal Piece = 4.20m;
    private static readonly ResourceManager Notes = new("Acme.Orders.Pricing.Notes", typeof(PriceList).Assembly);

    /// <summary>The price of an order; from a hundred pieces on a tenth less.</summary>
    public static decimal Total(int pieces) => pieces * Piece * (pieces >= 100 ? 0.9m : 1m);

    /// <summary>What the customer reads below the price.</summary>
    public static string Note(int pieces, string? language) =>
        Notes.GetString(pieces >= 100 ? "Discount" : "FullPrice", CultureInfo.GetCultureInfo(language == "de" ? "de" : "en"))!;
}
