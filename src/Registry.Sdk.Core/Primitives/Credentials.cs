namespace Registry.Sdk.Core.Primitives;

/// <summary>A secret that does not print itself: every text form is <c>***</c>.</summary>
/// <param name="value">The secret.</param>
public sealed class Secret(string value)
{
    private readonly string _value = value;

    /// <summary>The secret itself. Call it only where it goes into a request.</summary>
    public string Reveal() => _value;

    /// <inheritdoc/>
    public override string ToString() => "***";
}

/// <summary>What a registry is shown.</summary>
/// <param name="Username">User name; never empty for Basic.</param>
/// <param name="Password">Password or token.</param>
/// <param name="Source">Where it was found, for messages: «environment variables DOCKERHUB_USERNAME and DOCKERHUB_TOKEN», «/root/.docker/config.json». Never the secret.</param>
/// <param name="Kind">What <paramref name="Password"/> is.</param>
public sealed record Credential(string Username, Secret Password, string Source, CredentialKind Kind = CredentialKind.Password);

/// <summary>What the secret of a credential is, and so how it is shown. Source: docker CLI, «config.json».</summary>
public enum CredentialKind
{
    /// <summary>A password or token that goes with a user name: Basic, or to the token server.</summary>
    Password,

    /// <summary>An OAuth2 refresh token (<c>identitytoken</c>, or a helper's user <c>&lt;token></c>): for the token server alone.</summary>
    IdentityToken,

    /// <summary>A finished Bearer token (<c>registrytoken</c>): sent to the registry as it is, without a token server.</summary>
    RegistryToken,
}

/// <summary>One <c>RegistrySdkCredential</c> item: names of environment variables, never values.</summary>
/// <param name="Include">The host.</param>
/// <param name="UsernameVariable">Name of the variable with the user name.</param>
/// <param name="PasswordVariable">Name of the variable with the password or token.</param>
/// <param name="RealmHost">A further host that may be the token server of this registry, or empty.</param>
public sealed record CredentialItem(string Include, string UsernameVariable, string PasswordVariable, string RealmHost = "");

/// <summary>Finds the credential of a host. Asked only after a registry has challenged.</summary>
public interface ICredentialSource
{
    /// <summary>The credential for this repository's host, or null for none.</summary>
    /// <param name="endpoint">Where the registry really answers; decides what may be sent there.</param>
    /// <param name="repository">The repository that is asked for; its owner stands in for a missing user name on ghcr.io.</param>
    /// <param name="cancellationToken">Cancels a credential helper.</param>
    /// <exception cref="CredentialException">A source exists but can't be read.</exception>
    Task<Credential?> FindAsync(RegistryEndpoint endpoint, RepositoryReference repository, CancellationToken cancellationToken);

    /// <summary>Further hosts that the user trusts as token servers of this registry.</summary>
    IReadOnlyList<string> TrustedRealmHosts(RegistryEndpoint endpoint);

    /// <summary>Where none was found: what is half there, or usually there. One sentence with a leading space, or empty.</summary>
    string WhyNone(RegistryEndpoint endpoint) => string.Empty;
}

/// <summary>No credentials: what an outsider has.</summary>
/// <param name="trust">Names the token servers that the user trusts: an outsider has to ask them too. Null: none.</param>
public sealed class AnonymousCredentials(ICredentialSource? trust = null) : ICredentialSource
{
    /// <summary>One that trusts no further token servers.</summary>
    public static AnonymousCredentials Instance { get; } = new();

    /// <inheritdoc/>
    public Task<Credential?> FindAsync(RegistryEndpoint endpoint, RepositoryReference repository, CancellationToken cancellationToken) => Task.FromResult<Credential?>(null);

    /// <inheritdoc/>
    public IReadOnlyList<string> TrustedRealmHosts(RegistryEndpoint endpoint) => trust?.TrustedRealmHosts(endpoint) ?? [];
}

/// <summary>A credential source exists but can't be read.</summary>
/// <param name="message">Which source and why; never a secret.</param>
/// <param name="file">The file at fault, or null.</param>
public sealed class CredentialException(string message, string? file = null) : Exception(message)
{
    /// <summary>The file at fault, or null.</summary>
    public string? File { get; } = file;
}
