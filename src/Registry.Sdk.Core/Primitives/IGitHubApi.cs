namespace Registry.Sdk.Core.Primitives;

/// <summary>An account at GitHub.</summary>
/// <param name="Login">Its name as GitHub spells it.</param>
/// <param name="IsOrganization">Whether it is an organisation.</param>
public sealed record GitHubOwner(string Login, bool IsOrganization);

/// <summary>A container package as GitHub's REST API shows it.</summary>
/// <param name="Name">Its name below the owner; may hold slashes.</param>
/// <param name="Visibility"><c>public</c>, <c>private</c> or <c>internal</c>, as it was said: the schema knows two of them, the service three.</param>
/// <param name="Repository"><c>owner/name</c> of the git repository it is linked to, or null.</param>
public sealed record GitHubPackage(string Name, string Visibility, string? Repository);

/// <summary>A git repository at GitHub.</summary>
/// <param name="FullName"><c>owner/name</c> as it is now.</param>
/// <param name="Visibility"><c>public</c>, <c>private</c> or <c>internal</c>.</param>
public sealed record GitHubRepository(string FullName, string Visibility);

/// <summary>
/// What of GitHub's REST API we ask. An interface so that Octokit can take the place of our own client once it can be had. Every failure is a
/// reading; only cancellation throws. Source: github/rest-api-description; wire-facts 3.
/// </summary>
public interface IGitHubApi
{
    /// <summary>Whether an account is a user or an organisation: <c>GET /users/{login}</c>.</summary>
    Task<ApiReading<GitHubOwner>> FindOwnerAsync(string login, CancellationToken cancellationToken);

    /// <summary>A package: <c>GET /orgs|users/{owner}/packages/container/{name}</c>, slashes of the name as <c>%2F</c>.</summary>
    Task<ApiReading<GitHubPackage>> FindPackageAsync(GitHubOwner owner, string name, CancellationToken cancellationToken);

    /// <summary>A git repository: <c>GET /repos/{owner}/{name}</c>; renamed ones are followed.</summary>
    Task<ApiReading<GitHubRepository>> FindRepositoryAsync(string fullName, CancellationToken cancellationToken);

    /// <summary>
    /// The one call that GitHub's description does not know: <c>PATCH …/packages/container/{name}</c> with <c>{"visibility":"public"}</c>. 404 today
    /// (wire-facts 3.8); whatever it answers proves nothing until it is read back.
    /// </summary>
    /// <returns>Always what was answered.</returns>
    Task<Evidence> TryMakePublicAsync(GitHubOwner owner, string name, CancellationToken cancellationToken);
}
