namespace Registry.Sdk.Core.Primitives;

/// <summary>The services whose packages have a visibility and an API of their own.</summary>
public enum PackageService
{
    /// <summary>Any other registry: only the outsider's view says who can read what.</summary>
    Other,

    /// <summary>GitHub: ghcr.io, GitHub Enterprise Server and ghe.com.</summary>
    GitHub,

    /// <summary>Docker Hub.</summary>
    DockerHub,
}

/// <summary>Which service a registry belongs to, where its API answers, and where a person changes a package's visibility. Source: wire-facts 3.7, 3.9, 4.3.</summary>
public static class PackageServices
{
    private const string Containers = "containers.";
    private const string DataResidency = ".ghe.com";

    /// <summary>
    /// The service behind an address. A mapped endpoint without <c>Api</c> is a plain registry, unless its address is the service's own: what is
    /// pushed there first can become public as ever.
    /// </summary>
    public static PackageService Of(RegistryEndpoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        var name = endpoint.Service;
        return name == "docker.io" ? PackageService.DockerHub
            : name is not null && IsGitHub(name) ? PackageService.GitHub
            : endpoint is { IsMapped: true, Api: null } ? PackageService.Other
            : ByName(endpoint.Host);
    }

    /// <summary>The service that a registry's name stands for, wherever it answers.</summary>
    public static PackageService ByName(RegistryHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        return host.Name == "docker.io" ? PackageService.DockerHub : IsGitHub(host.Name) ? PackageService.GitHub : PackageService.Other;
    }

    /// <summary>The GitHub server whose packages a registry holds, as it stands in links: <c>github.com</c>, <c>git.example</c>; null where it is none.</summary>
    public static string? WebServer(RegistryEndpoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        return Of(endpoint) != PackageService.GitHub ? null
            : endpoint.Host.Name == "ghcr.io" || endpoint.Service == "ghcr.io" ? "github.com"
            : (IsGitHub(endpoint.Host.Name) ? endpoint.Host.Name : endpoint.Service!)[Containers.Length..];
    }

    /// <summary>Where the service's API answers; null where there is none to ask.</summary>
    /// <param name="endpoint">The registry.</param>
    /// <param name="environment">The environment: GITHUB_API_URL counts for the server that GITHUB_SERVER_URL names, and for no other.</param>
    public static Uri? Api(RegistryEndpoint endpoint, IReadOnlyDictionary<string, string> environment)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        ArgumentNullException.ThrowIfNull(environment);
        if (endpoint.IsMapped)
        {
            return Of(endpoint) == PackageService.Other ? null : endpoint.Api;
        }

        return Of(endpoint) switch
        {
            PackageService.DockerHub => new("https://hub.docker.com"),
            PackageService.GitHub => OfServer(WebServer(endpoint)!, environment),
            _ => null,
        };
    }

    /// <summary>
    /// Whether it is certain that <c>containers.HOST</c> belongs to the GitHub server HOST, so that the registry's secret may go to that server's API: github.com,
    /// ghe.com, what an item says, the server of the job that runs, or a secret that only a GitHub server can have issued.
    /// </summary>
    internal static bool IsOwnApi(RegistryEndpoint endpoint, IReadOnlyDictionary<string, string> environment, Credential credential)
        => endpoint.IsMapped || Of(endpoint) == PackageService.DockerHub
            || WebServer(endpoint) is not { } server || server == "github.com" || server.EndsWith(DataResidency, StringComparison.Ordinal)
            || IsJobsServer(server, environment) || GitHubToken.IsAny(credential.Password);

    /// <summary>
    /// The pages on which a person changes a package's visibility: one, or at GitHub two where nobody knows whether a user or an organisation owns it;
    /// none where it is no known service.
    /// </summary>
    /// <param name="endpoint">The registry.</param>
    /// <param name="repository">The package.</param>
    /// <param name="isOrganization">Whether an organisation owns it; null: not known.</param>
    public static IReadOnlyList<string> SettingsPages(RegistryEndpoint endpoint, RepositoryReference repository, bool? isOrganization)
    {
        ArgumentNullException.ThrowIfNull(repository);
        var service = Of(endpoint);
        if (service == PackageService.DockerHub)
        {
            return [$"https://hub.docker.com/repository/docker/{repository.Name}/settings"];
        }

        if (service != PackageService.GitHub || !repository.Name.Contains('/', StringComparison.Ordinal))
        {
            return [];
        }

        string Page(string kind) => $"https://{WebServer(endpoint)}/{kind}/{repository.Owner}/packages/container/{Uri.EscapeDataString(repository.Name[(repository.Owner.Length + 1)..])}/settings";
        return isOrganization switch { true => [Page("orgs")], false => [Page("users")], null => [Page("orgs"), Page("users")] };
    }

    /// <summary><see cref="SettingsPages"/> for the middle of a sentence: <c>at https://…</c>; <c>at the registry</c> where no page is known.</summary>
    public static string SettingsPlace(RegistryEndpoint endpoint, RepositoryReference repository, bool? isOrganization) => SettingsPages(endpoint, repository, isOrganization) switch
    {
        [var page] => $"at {page}",
        [var organization, var user] => $"at {organization} (organisation) or {user} (user)",
        _ => "at the registry",
    };

    private static bool IsGitHub(string name) => name == "ghcr.io" || (name.StartsWith(Containers, StringComparison.Ordinal) && name.Length > Containers.Length);

    private static Uri OfServer(string server, IReadOnlyDictionary<string, string> environment)
        => server == "github.com" ? new("https://api.github.com")
            : IsJobsServer(server, environment) && environment.TryGetValue("GITHUB_API_URL", out var text) && Uri.TryCreate(text, UriKind.Absolute, out var given)
                && given.Scheme == Uri.UriSchemeHttps && given.UserInfo.Length == 0 && (given.Authority == server || given.Authority == "api." + server) ? given
            : server.EndsWith(DataResidency, StringComparison.Ordinal) ? new($"https://api.{server}")
            : new($"https://{server}/api/v3");

    private static bool IsJobsServer(string server, IReadOnlyDictionary<string, string> environment)
        => environment.TryGetValue("GITHUB_SERVER_URL", out var text) && Uri.TryCreate(text, UriKind.Absolute, out var job) && string.Equals(job.Authority, server, StringComparison.OrdinalIgnoreCase);
}

/// <summary>Whose token a GitHub secret is: decides what a package is born as. Source: wire-facts 3.5, 3.6.</summary>
public enum GitHubPusher
{
    /// <summary>It can't be told.</summary>
    Unknown,

    /// <summary>A person's: packages are born private.</summary>
    Person,

    /// <summary>A workflow's own (GITHUB_TOKEN): packages take the visibility of the workflow's repository, where the owner allows it.</summary>
    Workflow,
}

/// <summary>What GitHub's secrets look like. Source: wire-facts 3.6.</summary>
internal static class GitHubToken
{
    /// <summary>A fine-grained token: of no use for packages.</summary>
    public const string FineGrained = "github_pat_";

    private static readonly string[] Prefixes = [FineGrained, "ghp_", "gho_", "ghu_", "ghs_", "ghr_"];

    /// <summary>Whether a GitHub server issued it, as its beginning says.</summary>
    public static bool IsAny(Secret secret) => Prefixes.Any(p => Is(secret, p));

    /// <summary>Whether it begins so.</summary>
    public static bool Is(Secret secret, string prefix) => secret.Reveal().StartsWith(prefix, StringComparison.Ordinal);

    /// <summary>Whose it is: by its beginning, else by the variable it came from.</summary>
    public static GitHubPusher PusherOf(Credential credential)
    {
        ArgumentNullException.ThrowIfNull(credential);
        return Is(credential.Password, "ghp_") || Is(credential.Password, "gho_") ? GitHubPusher.Person
            : Is(credential.Password, "ghs_") ? GitHubPusher.Workflow
            : IsAny(credential.Password) ? GitHubPusher.Unknown
            : IsFrom("CR_PAT") ? GitHubPusher.Person
            : IsFrom("GITHUB_TOKEN") || IsFrom("GH_TOKEN") ? GitHubPusher.Workflow
            : GitHubPusher.Unknown;

        // As CredentialStore writes its sources; the tests hold the two together.
        bool IsFrom(string variable) => credential.Source == $"environment variable {variable}" || credential.Source.EndsWith($"(environment variable {variable})", StringComparison.Ordinal);
    }
}
