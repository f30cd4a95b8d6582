namespace Registry.Sdk.Core.Primitives;

/// <summary>What a person can't see in a refusal: that this kind of secret never works there. Source: wire-facts 2.2, 3.6, 4.1.</summary>
internal static class CredentialHints
{
    /// <summary>One sentence with a leading space for the end of a message; empty where there is nothing to add. Never holds the secret.</summary>
    /// <param name="credential">What was shown.</param>
    /// <param name="endpoint">Who refused it.</param>
    /// <param name="failure">How: <see cref="RegistryFailure.CredentialsRefused"/> or <see cref="RegistryFailure.Denied"/>.</param>
    public static string Of(Credential credential, RegistryEndpoint endpoint, RegistryFailure failure) => string.Empty;
}
