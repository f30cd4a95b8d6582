using System.Globalization;
using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;

namespace Registry.Sdk.Core.Verification;

/// <summary>What is done where a destination is not as visible as it was declared: <c>RegistrySdkVisibilityMismatch</c>.</summary>
/// <param name="IsWarning"><c>warn</c>: a warning, and no error.</param>
/// <param name="Wait"><c>wait:10m</c>: for so long a person's click is waited for before it is an error; zero: not at all.</param>
public sealed record MismatchPolicy(bool IsWarning, TimeSpan Wait)
{
    /// <summary>What the property may hold, for messages.</summary>
    public const string Forms = "error, warn, or wait:10m (minutes) or wait:90s (seconds), a day at most";

    private const string WaitPrefix = "wait:";

    /// <summary><c>error</c>, the default.</summary>
    public static MismatchPolicy Error { get; } = new(IsWarning: false, TimeSpan.Zero);

    /// <summary>Reads the property; null for anything else than its <see cref="Forms"/>.</summary>
    /// <param name="text">As written.</param>
    public static MismatchPolicy? Parse(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        if (text is "error" or "warn")
        {
            return Error with { IsWarning = text == "warn" };
        }

        if (!text.StartsWith(WaitPrefix, StringComparison.Ordinal) || text[^1] is not ('m' or 's')
            || !int.TryParse(text.AsSpan(WaitPrefix.Length, text.Length - WaitPrefix.Length - 1), NumberStyles.None, CultureInfo.InvariantCulture, out var number))
        {
            return null;
        }

        var wait = text[^1] == 'm' ? TimeSpan.FromMinutes(number) : TimeSpan.FromSeconds(number);
        return wait > TimeSpan.Zero && wait <= TimeSpan.FromDays(1) ? Error with { Wait = wait } : null;
    }
}

/// <summary>Input of the Verification stage.</summary>
/// <param name="Transfer">Output of the Transfer stage.</param>
/// <param name="Mismatch"><c>RegistrySdkVisibilityMismatch</c>.</param>
/// <param name="TryApi"><c>RegistrySdkTryVisibilityApi</c>: GitHub is asked to make a package public that is declared so, by a call that it does not document.</param>
public sealed record VerificationInput(TransferResult Transfer, MismatchPolicy Mismatch, bool TryApi = false);

/// <summary>What an outsider sees of one destination after the push.</summary>
/// <param name="Destination">The destination.</param>
/// <param name="Observed">Who can read it.</param>
public sealed record SeenFromOutside(Destination Destination, ObservedVisibility Observed)
{
    /// <summary>The last look: what it rests on, and what the service's API says.</summary>
    public Observation Observation { get; init; } = Observation.None;

    /// <summary>Everything that was asked and answered after the push: the first look, what was tried to change it, the last look.</summary>
    public IReadOnlyList<Evidence> Evidence { get; init; } = [];

    /// <summary>Where a person has to click, links in full; null: nowhere.</summary>
    public string? Click { get; init; }

    /// <summary>The links of <see cref="Click"/> alone.</summary>
    public IReadOnlyList<string> Links { get; init; } = [];
}

/// <summary>Output of the Verification stage.</summary>
/// <param name="Destinations">Those that hold the image.</param>
/// <param name="Diagnostics">Where what is seen is not what was declared.</param>
public sealed record VerificationResult(IReadOnlyList<SeenFromOutside> Destinations, IReadOnlyList<Diagnostic> Diagnostics);
