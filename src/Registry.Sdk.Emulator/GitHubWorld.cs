namespace Registry.Sdk.Emulator;

/// <summary>
/// Who and what exists at GitHub when the emulator starts. Keys are compared without case. What pushes and clicks change later is kept
/// in the state directory and wins over what is declared here. An owner nobody declared is a user if a secret has that
/// <see cref="GitHubSecret.User"/>.
/// </summary>
public sealed class GitHubWorld
{
    /// <summary>Users and organisations by login.</summary>
    public IDictionary<string, GitHubOwner> Owners { get; init; } = new Dictionary<string, GitHubOwner>(StringComparer.OrdinalIgnoreCase);

    /// <summary>Git repositories by <c>owner/name</c>.</summary>
    public IDictionary<string, GitHubRepository> Repositories { get; init; } = new Dictionary<string, GitHubRepository>(StringComparer.OrdinalIgnoreCase);

    /// <summary>Packages that exist before the first push, by <c>owner/name</c> (the name may hold slashes). They are empty.</summary>
    public IDictionary<string, GitHubPackage> Packages { get; init; } = new Dictionary<string, GitHubPackage>(StringComparer.OrdinalIgnoreCase);

    /// <summary>Secrets by the name that <see cref="RequestRecord.Account"/> gives them.</summary>
    public IDictionary<string, GitHubSecret> Secrets { get; init; } = new Dictionary<string, GitHubSecret>(StringComparer.Ordinal);

    /// <summary>How a package that exists is refused to who may not read it; observations disagree.</summary>
    public GhcrPrivateAnswer PrivateAnswer { get; init; }
}

/// <summary>The conflicting observations of how GHCR refuses a package that exists.</summary>
public enum GhcrPrivateAnswer
{
    /// <summary>401 <c>UNAUTHORIZED</c> at the token service; a missing package is 403 there.</summary>
    UnauthorizedAtToken,

    /// <summary>403 <c>DENIED</c> at the token service, as a missing package.</summary>
    DeniedAtToken,

    /// <summary>A token, then 401 at the resource.</summary>
    UnauthorizedAtResource,

    /// <summary>A token, then 403 <c>DENIED</c> at the resource.</summary>
    DeniedAtResource,
}

/// <summary>The kinds of account that own packages.</summary>
public enum GitHubOwnerKind
{
    /// <summary>A person.</summary>
    User,

    /// <summary>An organisation.</summary>
    Organization,
}

/// <summary>Who can see a package or a git repository.</summary>
public enum GitHubVisibility
{
    /// <summary>Those with a right to it.</summary>
    Private,

    /// <summary>Everybody.</summary>
    Public,

    /// <summary>The members of the organisation.</summary>
    Internal,
}

/// <summary>A right to packages, rising.</summary>
public enum GitHubPackageRight
{
    /// <summary>None.</summary>
    None,

    /// <summary>To pull.</summary>
    Read,

    /// <summary>To pull and push.</summary>
    Write,
}

/// <summary>A user or an organisation.</summary>
public sealed record GitHubOwner
{
    /// <summary>Which of the two.</summary>
    public GitHubOwnerKind Kind { get; init; }

    /// <summary>Logins of an organisation's owners: they may do everything with its packages.</summary>
    public IList<string> Admins { get; init; } = [];

    /// <summary>Logins of an organisation's members: they may create packages, read internal ones, and what they created is theirs.</summary>
    public IList<string> Members { get; init; } = [];

    /// <summary>
    /// The organisation's "Package creation" policy: whether packages may be public. If not, none is born public and members cannot make
    /// one so.
    /// </summary>
    public bool AllowPublicPackages { get; init; } = true;

    /// <summary>
    /// Whether a package that a workflow's token publishes first takes the visibility of the workflow's repository (observed for users
    /// always, for organisations sometimes), or is private.
    /// </summary>
    public bool ActionsPackagesInheritVisibility { get; init; } = true;

    /// <summary>Whether a package linked at its first publish takes the repository's access rights; organisations can switch it off.</summary>
    public bool InheritAccess { get; init; } = true;

    /// <summary>A person.</summary>
    public static GitHubOwner User() => new();

    /// <summary>An organisation and the logins of its owners.</summary>
    public static GitHubOwner Organization(params string[] admins) => new() { Kind = GitHubOwnerKind.Organization, Admins = admins };
}

/// <summary>A git repository.</summary>
public sealed record GitHubRepository
{
    /// <summary>Who can see it.</summary>
    public GitHubVisibility Visibility { get; init; }

    /// <summary>Whether it is a fork.</summary>
    public bool Fork { get; init; }

    /// <summary>Its default branch.</summary>
    public string DefaultBranch { get; init; } = "main";

    /// <summary>The <c>owner/name</c> it has now; requests for the old name are redirected.</summary>
    public string? RenamedTo { get; init; }
}

/// <summary>A package that exists from the start.</summary>
public sealed record GitHubPackage
{
    /// <summary>Who can see it.</summary>
    public GitHubVisibility Visibility { get; init; }

    /// <summary>The git repository it is linked to, <c>owner/name</c>.</summary>
    public string? Repository { get; init; }

    /// <summary>"Manage Actions access": rights of git repositories' workflows, by <c>owner/name</c>.</summary>
    public IDictionary<string, GitHubPackageRight> RepositoryRights { get; init; } = new Dictionary<string, GitHubPackageRight>(StringComparer.OrdinalIgnoreCase);

    /// <summary>Rights of people beside the owner, by login.</summary>
    public IDictionary<string, GitHubPackageRight> UserRights { get; init; } = new Dictionary<string, GitHubPackageRight>(StringComparer.OrdinalIgnoreCase);
}

/// <summary>The kinds of secret GitHub gives out.</summary>
public enum GitHubSecretKind
{
    /// <summary>A classic personal access token: has scopes.</summary>
    ClassicToken,

    /// <summary>A fine-grained personal access token: of no use for packages.</summary>
    FineGrainedToken,

    /// <summary>An installation token of somebody's GitHub App: logs in, and is then denied everything.</summary>
    AppToken,

    /// <summary>The <c>GITHUB_TOKEN</c> of a workflow run.</summary>
    ActionsToken,
}

/// <summary>A secret and what it is good for.</summary>
public sealed record GitHubSecret
{
    /// <summary>The secret itself: a test's own, never a real one.</summary>
    public required string Value { get; init; }

    /// <summary>What kind it is.</summary>
    public GitHubSecretKind Kind { get; init; }

    /// <summary>Login it belongs to; not for <see cref="GitHubSecretKind.ActionsToken"/>.</summary>
    public string? User { get; init; }

    /// <summary>Scopes of a classic token: <c>read:packages</c>, <c>write:packages</c>, <c>delete:packages</c>, <c>repo</c>.</summary>
    public IList<string> Scopes { get; init; } = [];

    /// <summary>Git repository of a workflow's token, <c>owner/name</c>.</summary>
    public string? Repository { get; init; }

    /// <summary>The job's <c>packages:</c> permission of a workflow's token.</summary>
    public GitHubPackageRight Packages { get; init; }

    /// <summary>Expired or revoked.</summary>
    public bool Expired { get; init; }

    /// <summary>A classic token.</summary>
    public static GitHubSecret Classic(string value, string user, params string[] scopes) => new() { Value = value, User = user, Scopes = scopes };

    /// <summary>A fine-grained token.</summary>
    public static GitHubSecret FineGrained(string value, string user) => new() { Value = value, User = user, Kind = GitHubSecretKind.FineGrainedToken };

    /// <summary>An installation token of a third party's app.</summary>
    public static GitHubSecret App(string value) => new() { Value = value, Kind = GitHubSecretKind.AppToken };

    /// <summary>A workflow's token.</summary>
    public static GitHubSecret Actions(string value, string repository, GitHubPackageRight packages) =>
        new() { Value = value, Repository = repository, Packages = packages, Kind = GitHubSecretKind.ActionsToken };

    /// <summary>Leaves the value out.</summary>
    public override string ToString() => $"{nameof(GitHubSecret)} {{ {Kind} }}";
}
