namespace Registry.Sdk.Quickstart;

#pragma warning disable CA1032, CA1064 // Made and caught in this program only.
/// <summary>The quickstart cannot go on, or found something wrong; the message is for the reader.</summary>
internal sealed class QuickstartException(string message) : Exception(message);
#pragma warning restore CA1032, CA1064
