namespace Registry.Sdk.Core.Primitives;

/// <summary>A repository as Docker Hub's API shows it.</summary>
/// <param name="Name"><c>namespace/name</c>.</param>
/// <param name="IsPrivate"><c>is_private</c>.</param>
public sealed record DockerHubRepository(string Name, bool IsPrivate);

/// <summary>
/// What of Docker Hub's API (hub.docker.com) we use. Every failure is a reading; only cancellation throws. Source: docs.docker.com «Docker Hub API»;
/// wire-facts 4.3.
/// </summary>
public interface IDockerHubApi
{
    /// <summary>A repository: <c>GET /v2/namespaces/{namespace}/repositories/{name}</c>.</summary>
    Task<ApiReading<DockerHubRepository>> FindAsync(string name, CancellationToken cancellationToken);

    /// <summary>Makes a repository before the first push, with the visibility that is wished: <c>POST /v2/namespaces/{namespace}/repositories</c>.</summary>
    Task<ApiReading<DockerHubRepository>> CreateAsync(string name, bool isPrivate, CancellationToken cancellationToken);

    /// <summary>The undocumented call that changes visibility. Whatever it answers proves nothing until it is read back.</summary>
    /// <returns>Always what was answered.</returns>
    Task<Evidence> TryChangeAsync(string name, bool isPrivate, CancellationToken cancellationToken);
}
