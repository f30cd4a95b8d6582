using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;

namespace Registry.Sdk.Core.Verification;

/// <summary>Input of the Verification stage.</summary>
/// <param name="Transfer">Output of the Transfer stage.</param>
/// <param name="MismatchIsWarning"><c>RegistrySdkVisibilityMismatch=warn</c>: a public image that is not public yet is only a warning.</param>
public sealed record VerificationInput(TransferResult Transfer, bool MismatchIsWarning);

/// <summary>What an outsider sees of one destination after the push.</summary>
/// <param name="Destination">The destination.</param>
/// <param name="Observed">Who can read it.</param>
public sealed record SeenFromOutside(Destination Destination, ObservedVisibility Observed);

/// <summary>Output of the Verification stage.</summary>
/// <param name="Destinations">Those that hold the image.</param>
/// <param name="Diagnostics">Where what is seen is not what was declared.</param>
public sealed record VerificationResult(IReadOnlyList<SeenFromOutside> Destinations, IReadOnlyList<Diagnostic> Diagnostics);
