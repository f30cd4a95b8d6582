namespace Registry.Sdk.Core.Primitives;

/// <summary>What a person can't see in a refusal: that this kind of secret never works there, or what it lacks. Source: wire-facts 2.2, 3.6, 4.1.</summary>
internal static class CredentialHints
{
    private const string JobTokenRights = "its job needs 'permissions: packages: write', and a package that is already there must grant this repository the Write role (package settings, Manage Actions access)";

    /// <summary>A sentence or two with a leading space for the end of a message; empty where there is nothing to add. Never holds the secret, only its kind.</summary>
    /// <param name="credential">What was shown.</param>
    /// <param name="endpoint">Who refused it.</param>
    /// <param name="failure">How: <see cref="RegistryFailure.CredentialsRefused"/> or <see cref="RegistryFailure.Denied"/>; for any other nothing is said.</param>
    /// <param name="repository">What it was shown for, where known: on Docker Hub its namespace and the user name are compared.</param>
    public static string Of(Credential credential, RegistryEndpoint endpoint, RegistryFailure failure, RepositoryReference? repository = null)
    {
        ArgumentNullException.ThrowIfNull(credential);
        ArgumentNullException.ThrowIfNull(endpoint);
        if (failure is not (RegistryFailure.CredentialsRefused or RegistryFailure.Denied))
        {
            return string.Empty;
        }

        // The party that the credential belongs to, wherever it answers.
        var host = endpoint.CredentialHost;
        var denied = failure == RegistryFailure.Denied;
        var hint = (denied ? null : Pasted(credential)) ?? OfHost(credential, host, denied, repository);
        return hint is null ? string.Empty : " " + hint;
    }

    private static string? OfHost(Credential credential, string host, bool denied, RepositoryReference? repository)
    {
        if (host == "ghcr.io" || host.StartsWith("containers.", StringComparison.Ordinal))
        {
            return OfGitHub(credential, host == "ghcr.io" ? "github.com" : host["containers.".Length..], denied);
        }

        if (host == "docker.io")
        {
            return OfDockerHub(credential, denied, repository);
        }

        if (host.EndsWith(".azurecr.io", StringComparison.Ordinal))
        {
            return denied
                ? "In Azure the account needs the role AcrPush on the registry."
                : $"A token of 'az acr login' lasts three hours: run az acr login --name {host.Split('.')[0]} again.";
        }

        if (host.Contains(".dkr.ecr.", StringComparison.Ordinal) || host == "public.ecr.aws")
        {
            return denied
                ? "In AWS the identity needs ecr:InitiateLayerUpload, UploadLayerPart, CompleteLayerUpload, PutImage and BatchCheckLayerAvailability on the repository."
                : "A password of 'aws ecr get-login-password' lasts twelve hours: get a new one (user name AWS).";
        }

        return OfGitLab(credential, denied);
    }

    private static string? OfGitHub(Credential credential, string server, bool denied)
    {
        var newToken = $"https://{server}/settings/tokens/new?scopes=write:packages";
        if (Is(credential, "github_pat_"))
        {
            return $"It is a fine-grained personal access token, which GitHub's registry does not take: make a classic one with write:packages ({newToken}).";
        }

        if (Is(credential, "ghs_"))
        {
            return credential.Source.Contains("GITHUB_TOKEN", StringComparison.Ordinal) || credential.Source.Contains("GH_TOKEN", StringComparison.Ordinal)
                ? $"If it is the job's own token, {JobTokenRights}."
                : $"It is an installation token. That of another GitHub App may not use packages; if it is the job's own GITHUB_TOKEN, {JobTokenRights}.";
        }

        if (Is(credential, "gho_"))
        {
            return $"It is the gh command line's token, which lacks the scope until you run gh auth refresh -h {server} -s write:packages.";
        }

        if (Is(credential, "ghu_"))
        {
            return $"It is a GitHub App's token for a user, which may not use packages: make a classic personal access token with write:packages ({newToken}).";
        }

        if (Is(credential, "ghp_"))
        {
            return denied
                ? $"A classic personal access token needs the scope write:packages ({newToken}), authorisation for the organisation if that has single sign-on, and its user needs write access to the package."
                : $"The personal access token may have expired or been revoked: make a new one with write:packages ({newToken}).";
        }

        return denied ? null : $"GitHub takes no account password here, but a classic personal access token with write:packages ({newToken}).";
    }

    private static string? OfDockerHub(Credential credential, bool denied, RepositoryReference? repository)
    {
        var isOrganisation = Is(credential, "dckr_oat_");
        if (!denied)
        {
            return isOrganisation ? "With an organisation access token the user name is the organisation's name."
                : Is(credential, "dckr_pat_") ? "The personal access token may have expired or been revoked, or belongs to another user."
                : "With two-factor authentication Docker Hub takes no account password: use a personal access token (https://app.docker.com/settings/personal-access-tokens).";
        }

        var rights = isOrganisation ? "The organisation access token needs the right Image Push for this repository."
            : Is(credential, "dckr_pat_") ? "The personal access token needs Read & Write, not Read-only (https://app.docker.com/settings/personal-access-tokens)."
            : null;
        var space = repository is not null && !string.Equals(repository.Owner, credential.Username, StringComparison.OrdinalIgnoreCase) && !isOrganisation
            ? $"The namespace '{repository.Owner}' is not the user '{credential.Username}': it must be an organisation where that user may push."
            : null;
        return rights is null ? space : space is null ? rights : $"{rights} {space}";
    }

    private static string? OfGitLab(Credential credential, bool denied)
    {
        if (credential.Source.Contains("CI_REGISTRY_PASSWORD", StringComparison.Ordinal) || credential.Source.Contains("CI_JOB_TOKEN", StringComparison.Ordinal) || Is(credential, "glcbt-"))
        {
            return denied
                ? "GitLab's job token pushes to its own project's registry alone: for another project's, use a deploy token of that project with write_registry."
                : "GitLab's job token is valid while its job runs, and only if the project's container registry is on.";
        }

        if (credential.Source.Contains("CI_DEPLOY_PASSWORD", StringComparison.Ordinal) || Is(credential, "gldt-"))
        {
            return "GitLab's deploy token needs the scopes read_registry and write_registry, and its own user name.";
        }

        return Is(credential, "glpat-") ? "GitLab's access token needs the scopes read_registry and write_registry, and its user the role Developer." : null;
    }

    /// <summary>What copying leaves behind: no registry means a name or secret with blanks or quotes around it.</summary>
    private static string? Pasted(Credential credential)
        => HasWrapping(credential.Username) ? "The user name begins or ends with a blank or a quotation mark."
            : HasWrapping(credential.Password.Reveal()) ? "The secret begins or ends with a blank or a quotation mark."
            : null;

    private static bool HasWrapping(string text) => text.Length > 0 && (IsWrapping(text[0]) || IsWrapping(text[^1]));

    private static bool IsWrapping(char c) => char.IsWhiteSpace(c) || c is '"' or '\'';

    private static bool Is(Credential credential, string prefix) => credential.Password.Reveal().StartsWith(prefix, StringComparison.Ordinal);
}
