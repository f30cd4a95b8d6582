namespace Truxe.Api;

/// <summary>What an edition adds to the endpoints that all have.</summary>
/// <remarks>
/// The call of a partial method that nobody implements is left out by the compiler: this file need not know what an edition brings, or that
/// there are others.
/// </remarks>
public static partial class Edition
{
    public static void Map(WebApplication app) => MapMore(app);

    static partial void MapMore(WebApplication app);
}
