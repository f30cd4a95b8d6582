namespace Registry.Sdk.Emulator;

/// <summary>
/// Who and what exists at Docker Hub when the emulator starts. What pushes and calls change later is kept in the state directory and wins
/// over what is declared here.
/// </summary>
public sealed class DockerHubWorld
{
    /// <summary>Users and organisations by name. A user that a secret names, and nobody declared, has a namespace with the defaults.</summary>
    public IDictionary<string, DockerHubNamespace> Namespaces { get; init; } = new Dictionary<string, DockerHubNamespace>(StringComparer.Ordinal);

    /// <summary>Repositories that exist before the first push, by <c>namespace/name</c>. They are empty.</summary>
    public IDictionary<string, DockerHubRepository> Repositories { get; init; } = new Dictionary<string, DockerHubRepository>(StringComparer.Ordinal);

    /// <summary>Secrets by the name that <see cref="RequestRecord.Account"/> gives them.</summary>
    public IDictionary<string, DockerHubSecret> Secrets { get; init; } = new Dictionary<string, DockerHubSecret>(StringComparer.Ordinal);

    /// <summary>Pulls per six hours of an address without credentials; <see langword="null"/>: unlimited, and no headers.</summary>
    public int? AnonymousPulls { get; init; } = 100;

    /// <summary>Pulls per six hours of a signed-in user on the Personal plan; <see langword="null"/>: unlimited, and no headers.</summary>
    public int? PersonalPulls { get; init; } = 200;

    /// <summary>Calls of the API per minute and address.</summary>
    public int ApiCallsPerMinute { get; init; } = 600;

    /// <summary>What the undocumented calls that change a repository's privacy do; observations disagree.</summary>
    public DockerHubPrivacyChange PrivacyChange { get; init; }

    /// <summary>What is to be had of the referrers API; observations disagree.</summary>
    public DockerHubReferrers Referrers { get; init; }

    /// <summary>Whether manifests can be deleted at the registry; 405 in 2023, said to work since 2025.</summary>
    public bool AllowRegistryDelete { get; init; }
}

/// <summary>What happens to a repository's privacy when a client asks to change it.</summary>
public enum DockerHubPrivacyChange
{
    /// <summary>It changes.</summary>
    Works,

    /// <summary>200, and nothing changes.</summary>
    Ignored,

    /// <summary>404 from <c>/privacy/</c>; in a PATCH the field is ignored.</summary>
    Missing,
}

/// <summary>What is to be had of the referrers API.</summary>
public enum DockerHubReferrers
{
    /// <summary>All of it.</summary>
    Served,

    /// <summary>The push is answered with <c>OCI-Subject</c>, the API is 404 (seen in 2024).</summary>
    OnlyClaimed,

    /// <summary>None.</summary>
    Missing,
}

/// <summary>What a member may do in a namespace of others.</summary>
public enum DockerHubRole
{
    /// <summary>Pull private repositories.</summary>
    Read,

    /// <summary>Push to repositories that exist.</summary>
    Write,

    /// <summary>Create repositories too.</summary>
    Create,
}

/// <summary>A user or an organisation.</summary>
public sealed record DockerHubNamespace
{
    /// <summary>Whether it is an organisation.</summary>
    public bool IsOrganization { get; init; }

    /// <summary>Roles of other users, by name. A user may do everything in the namespace of their own name.</summary>
    public IDictionary<string, DockerHubRole> Members { get; init; } = new Dictionary<string, DockerHubRole>(StringComparer.Ordinal);

    /// <summary>The account's default visibility: whether a repository made by its first push is private.</summary>
    public bool PrivateByDefault { get; init; }

    /// <summary>How many private repositories the plan allows; <see langword="null"/>: any number.</summary>
    public int? PrivateRepositoryLimit { get; init; }

    /// <summary>Two-factor authentication: the password no longer logs in.</summary>
    public bool TwoFactor { get; init; }

    /// <summary>Pro, Team or Business: no pull limit for this user.</summary>
    public bool UnlimitedPulls { get; init; }
}

/// <summary>A repository that exists from the start.</summary>
public sealed record DockerHubRepository
{
    /// <summary>Whether only members see it.</summary>
    public bool IsPrivate { get; init; }

    /// <summary>Regular expressions; a tag that one of them matches cannot be moved. Empty: off.</summary>
    public IList<string> ImmutableTags { get; init; } = [];
}

/// <summary>The kinds of secret Docker Hub knows.</summary>
public enum DockerHubSecretKind
{
    /// <summary>An account's password.</summary>
    Password,

    /// <summary>A personal access token.</summary>
    PersonalToken,

    /// <summary>An organisation's access token; the user name is the organisation's.</summary>
    OrganizationToken,

    /// <summary>A refresh token, which docker's config stores as <c>identitytoken</c>.</summary>
    IdentityToken,
}

/// <summary>The permissions a Docker Hub token can have, rising.</summary>
public enum DockerHubRight
{
    /// <summary>Pull of public repositories only.</summary>
    PublicRead,

    /// <summary>Pull.</summary>
    Read,

    /// <summary>Pull and push.</summary>
    ReadWrite,

    /// <summary>Pull, push, delete, and edit descriptions.</summary>
    ReadWriteDelete,
}

/// <summary>A secret and what it is good for.</summary>
public sealed record DockerHubSecret
{
    /// <summary>The secret itself: a test's own, never a real one.</summary>
    public required string Value { get; init; }

    /// <summary>What kind it is.</summary>
    public DockerHubSecretKind Kind { get; init; }

    /// <summary>The user, or for an organisation's token the organisation. Docker Hub checks it.</summary>
    public required string User { get; init; }

    /// <summary>What it may do of what its user may.</summary>
    public DockerHubRight Permission { get; init; } = DockerHubRight.ReadWriteDelete;

    /// <summary>Expired or revoked.</summary>
    public bool Expired { get; init; }

    /// <summary>An account's password.</summary>
    public static DockerHubSecret Password(string value, string user) => new() { Value = value, User = user };

    /// <summary>A personal access token.</summary>
    public static DockerHubSecret PersonalToken(string value, string user, DockerHubRight permission) =>
        new() { Value = value, User = user, Kind = DockerHubSecretKind.PersonalToken, Permission = permission };

    /// <summary>An organisation's access token.</summary>
    public static DockerHubSecret OrganizationToken(string value, string organization, DockerHubRight permission) =>
        new() { Value = value, User = organization, Kind = DockerHubSecretKind.OrganizationToken, Permission = permission };

    /// <summary>A refresh token.</summary>
    public static DockerHubSecret IdentityToken(string value, string user) => new() { Value = value, User = user, Kind = DockerHubSecretKind.IdentityToken };

    /// <summary>Leaves the value out.</summary>
    public override string ToString() => $"{nameof(DockerHubSecret)} {{ {Kind} }}";
}
