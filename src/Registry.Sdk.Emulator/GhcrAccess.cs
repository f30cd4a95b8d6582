namespace Registry.Sdk.Emulator;

/// <summary>Who may do what with which package (wire-facts 2.2, 2.5, 3.5, 3.6).</summary>
internal sealed class GhcrAccess(GitHubWorld world, GitHubPackages packages)
{
    /// <summary>The secret of this value, under its name.</summary>
    public (string Name, GitHubSecret Secret)? Find(string value)
    {
        foreach (var (name, secret) in world.Secrets)
        {
            if (secret.Value == value)
            {
                return (name, secret);
            }
        }

        return null;
    }

    /// <summary>Whether the registry takes the secret at login. It takes an app's, and then denies everything.</summary>
    public static bool LogsIn(GitHubSecret secret) => !secret.Expired && secret.Kind != GitHubSecretKind.FineGrainedToken;

    /// <summary>Whether the package exists and the caller may read it.</summary>
    /// <param name="secret">The caller's; <see langword="null"/>: anonymous.</param>
    /// <param name="name">The package.</param>
    public bool CanRead(GitHubSecret? secret, string name)
    {
        if (packages.Find(name) is not { } package || secret?.Kind == GitHubSecretKind.AppToken)
        {
            return false;
        }

        return package.Visibility == GitHubVisibility.Public || secret switch
        {
            null => false,
            { Kind: GitHubSecretKind.ClassicToken } => HasScope(secret, "read:packages") && RightOfUser(secret.User!, package) >= GitHubPackageRight.Read,
            { Kind: GitHubSecretKind.ActionsToken } => secret.Packages >= GitHubPackageRight.Read && RightOfRepository(secret.Repository!, package) >= GitHubPackageRight.Read,
            _ => false,
        };
    }

    /// <summary>Why the caller may not push, in the registry's words; <see langword="null"/>: may.</summary>
    /// <param name="secret">The caller's; <see langword="null"/>: anonymous.</param>
    /// <param name="name">The package, which need not exist.</param>
    public string? RefusePush(GitHubSecret? secret, string name)
    {
        var package = packages.Find(name);
        var owner = name.Split('/')[0];
        switch (secret)
        {
            case { Kind: GitHubSecretKind.ClassicToken }:
                return !HasScope(secret, "write:packages")
                    ? "permission_denied: The token provided does not match expected scopes."
                    : package is null
                        ? MayCreate(secret.User!, owner) ? null : "permission_denied: create_package"
                        : RightOfUser(secret.User!, package) >= GitHubPackageRight.Write ? null : "permission_denied: write_package";
            case { Kind: GitHubSecretKind.ActionsToken }:
                var installation = $"installation not allowed to {(package is null ? "Create" : "Write")} organization package";
                return secret.Packages < GitHubPackageRight.Write
                    ? installation
                    : package is null
                        ? GitHubPackages.Same(OwnerOf(secret.Repository!), owner) ? null : installation
                        : RightOfRepository(secret.Repository!, package) >= GitHubPackageRight.Write ? null : "permission_denied: write_package";
            case { Kind: GitHubSecretKind.AppToken }:
                return $"installation not allowed to {(package is null ? "Create" : "Write")} organization package";
            default:
                return "requested access to the resource is denied";
        }
    }

    /// <summary>Fills in a package at its first push.</summary>
    /// <param name="package">The package, private and unlinked.</param>
    /// <param name="secret">The pusher's; <see langword="null"/>: the emulator's administrator.</param>
    /// <param name="source">Label <c>org.opencontainers.image.source</c> of the image.</param>
    public void Create(PackageState package, GitHubSecret? secret, string? source)
    {
        var owner = packages.FindOwner(package.Owner) ?? GitHubOwner.User();
        package.InheritsAccess = owner.InheritAccess;
        if (secret?.Kind == GitHubSecretKind.ActionsToken)
        {
            package.Repository = secret.Repository;
            package.InheritsAccess = true;
            var visibility = world.Repositories.TryGetValue(secret.Repository!, out var repository) ? repository.Visibility : GitHubVisibility.Private;
            package.Visibility = !owner.ActionsPackagesInheritVisibility || (visibility == GitHubVisibility.Public && !owner.AllowPublicPackages)
                ? GitHubVisibility.Private
                : visibility;
            return;
        }

        const string Site = "https://github.com/";
        if (source is not null && source.StartsWith(Site, StringComparison.OrdinalIgnoreCase) && world.Repositories.ContainsKey(source[Site.Length..].TrimEnd('/')))
        {
            package.Repository = source[Site.Length..].TrimEnd('/');
        }

        if (secret?.User is { } user)
        {
            package.UserRights[user] = GitHubPackageRight.Write;
        }
    }

    public static bool HasScope(GitHubSecret secret, string scope) =>
        secret.Scopes.Contains(scope, StringComparer.Ordinal) || (scope == "read:packages" && secret.Scopes.Contains("write:packages", StringComparer.Ordinal));

    public bool IsMember(string user, string owner) =>
        GitHubPackages.Same(user, owner)
        || (packages.FindOwner(owner) is { } found && found.Admins.Concat(found.Members).Contains(user, StringComparer.OrdinalIgnoreCase));

    public static string OwnerOf(string fullName) => fullName[..fullName.IndexOf('/', StringComparison.Ordinal)];

    public static GitHubPackageRight RightOfRepository(string repository, PackageState package) =>
        package.InheritsAccess && GitHubPackages.Same(package.Repository, repository)
            ? GitHubPackageRight.Write
            : package.RepositoryRights.FirstOrDefault(right => GitHubPackages.Same(right.Key, repository)).Value;

    private GitHubPackageRight RightOfUser(string user, PackageState package)
    {
        if (GitHubPackages.Same(user, package.Owner) || (packages.FindOwner(package.Owner)?.Admins.Contains(user, StringComparer.OrdinalIgnoreCase) ?? false))
        {
            return GitHubPackageRight.Write;
        }

        var own = package.UserRights.FirstOrDefault(right => GitHubPackages.Same(right.Key, user)).Value;
        return own == GitHubPackageRight.None && package.Visibility == GitHubVisibility.Internal && IsMember(user, package.Owner) ? GitHubPackageRight.Read : own;
    }

    private bool MayCreate(string user, string owner) => IsMember(user, owner);
}
