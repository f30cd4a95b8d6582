using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Planning;

/// <summary>How visibilities are written, in items, messages and receipts.</summary>
public static class VisibilityNames
{
    /// <summary>The word for one: <c>public</c>, <c>private</c>, <c>internal</c>, <c>undeclared</c>.</summary>
    public static string ToWord(Visibility visibility) => visibility.ToString().ToLowerInvariant();

    /// <summary>The word for what was seen: <c>public</c>, <c>refused</c>, <c>missing</c>, <c>unknown</c>; null: nobody looked.</summary>
    public static string? ToWord(ObservedVisibility observed) => observed == ObservedVisibility.NotObserved ? null : observed.ToString().ToLowerInvariant();

    /// <summary>What was declared, as receipts have it: null if nothing was.</summary>
    public static string? DeclaredWord(Visibility visibility) => visibility == Visibility.Undeclared ? null : ToWord(visibility);
}
