using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Primitives;

/// <summary>What is said of a secret of the wrong kind, or with too few rights.</summary>
public class CredentialHintTests
{
    private const string Rest = "0123456789abcdefghijSECRET";

    /// <summary>Refused is the token server's or Basic's 401; denied is what comes after a token.</summary>
    [Theory]
    [InlineData("ghcr.io", "github_pat_", "refused", "fine-grained personal access token, which GitHub's registry does not take")]
    [InlineData("ghcr.io", "github_pat_", "denied", "make a classic one with write:packages (https://github.com/settings/tokens/new?scopes=write:packages)")]
    [InlineData("containers.git.acme.com", "github_pat_", "denied", "https://git.acme.com/settings/tokens/new?scopes=write:packages")]
    [InlineData("ghcr.io", "ghp_", "denied", "needs the scope write:packages (https://github.com/settings/tokens/new?scopes=write:packages)")]
    [InlineData("ghcr.io", "ghp_", "refused", "may have expired or been revoked")]
    [InlineData("ghcr.io", "gho_", "denied", "gh auth refresh -h github.com -s write:packages")]
    [InlineData("containers.acme.ghe.com", "gho_", "refused", "gh auth refresh -h acme.ghe.com -s write:packages")]
    [InlineData("ghcr.io", "ghs_", "denied", "another GitHub App may not use packages")]
    [InlineData("ghcr.io", "ghs_", "denied", "'permissions: packages: write'")]
    [InlineData("ghcr.io", "ghu_", "denied", "GitHub App's token for a user")]
    [InlineData("ghcr.io", "hunter", "refused", "GitHub takes no account password")]
    [InlineData("ghcr.io", "hunter", "denied", "")]
    [InlineData("docker.io", "dckr_pat_", "denied", "needs Read & Write, not Read-only")]
    [InlineData("docker.io", "dckr_pat_", "denied", "The namespace 'owner' is not the user 'user'")]
    [InlineData("docker.io", "dckr_pat_", "refused", "may have expired or been revoked, or belongs to another user")]
    [InlineData("docker.io", "dckr_oat_", "refused", "the user name is the organisation's name")]
    [InlineData("docker.io", "dckr_oat_", "denied", "needs the right Image Push")]
    [InlineData("docker.io", "hunter", "refused", "With two-factor authentication")]
    [InlineData("docker.io", "hunter", "denied", "The namespace 'owner' is not the user 'user'")]
    [InlineData("acme.azurecr.io", "eyJ", "refused", "az acr login --name acme")]
    [InlineData("acme.azurecr.io", "eyJ", "denied", "AcrPush")]
    [InlineData("1.dkr.ecr.eu-west-1.amazonaws.com", "eyJ", "refused", "aws ecr get-login-password")]
    [InlineData("1.dkr.ecr.eu-west-1.amazonaws.com", "eyJ", "denied", "ecr:InitiateLayerUpload")]
    [InlineData("public.ecr.aws", "eyJ", "refused", "aws ecr get-login-password")]
    [InlineData("registry.gitlab.com", "glpat-", "denied", "write_registry")]
    [InlineData("images.acme.com", "gldt-", "refused", "deploy token")]
    [InlineData("images.acme.com", "glcbt-", "denied", "its own project's registry alone")]
    [InlineData("registry.example", "hunter", "refused", "")]
    [InlineData("registry.example", "ghp_", "refused", "")]
    [InlineData("registry.example", " hunter", "refused", "The secret begins or ends with a blank or a quotation mark")]
    [InlineData("ghcr.io", "\"ghp_", "refused", "The secret begins or ends with a blank or a quotation mark")]
    [InlineData("registry.example", " hunter", "denied", "")]
    public void Of_a_secret_s_kind(string host, string prefix, string failure, string says)
    {
        var endpoint = CredentialTests.Endpoint(host);
        var secret = prefix + Rest;
        var hint = CredentialHints.Of(new("user", new(secret), "a file"), endpoint, Failure(failure), new(endpoint.Host, "owner/name"));
        if (says.Length == 0)
        {
            Assert.Equal("", hint);
            return;
        }

        Assert.Contains(says, hint);
        Assert.StartsWith(" ", hint);
        Assert.EndsWith(".", hint);
        Assert.DoesNotContain(Rest, hint);
        Assert.DoesNotContain('\n', hint);
    }

    [Theory]
    [InlineData("ghcr.io", "environment variable GITHUB_TOKEN", "ghs_", "If it is the job's own token, its job needs 'permissions: packages: write'")]
    [InlineData("ghcr.io", "RegistrySdkCredential 'ghcr.io' (environment variable GITHUB_TOKEN)", "ghs_", "Manage Actions access")]
    [InlineData("registry.gitlab.com", "environment variables CI_REGISTRY_USER and CI_REGISTRY_PASSWORD (GitLab job)", "", "its own project's registry alone")]
    [InlineData("registry.gitlab.com", "environment variable CI_JOB_TOKEN (GitLab job)", "", "its own project's registry alone")]
    [InlineData("registry.gitlab.com", "environment variables CI_DEPLOY_USER and CI_DEPLOY_PASSWORD (GitLab job)", "", "deploy token")]
    public void Of_its_source(string host, string source, string prefix, string says)
        => Assert.Contains(says, CredentialHints.Of(new("user", new(prefix + Rest), source), CredentialTests.Endpoint(host), RegistryFailure.Denied));

    [Theory]
    [InlineData(" user")]
    [InlineData("user ")]
    [InlineData("'user'")]
    [InlineData("\"user")]
    public void Of_a_user_name_that_was_copied_with_more(string user)
        => Assert.Contains("user name begins or ends with a blank", CredentialHints.Of(new(user, new(Rest), "a file"), CredentialTests.Endpoint("ghcr.io"), RegistryFailure.CredentialsRefused));

    [Fact]
    public void Of_one_s_own_namespace_nothing_is_said()
    {
        var hub = CredentialTests.Endpoint("docker.io");
        Assert.Equal("", CredentialHints.Of(new("Owner", new(Rest), "a file"), hub, RegistryFailure.Denied, new(hub.Host, "owner/name")));
        Assert.DoesNotContain("namespace", CredentialHints.Of(new("user", new("dckr_pat_" + Rest), "a file"), hub, RegistryFailure.Denied));
    }

    [Fact]
    public void Only_refusals_have_hints()
        => Assert.All(
            Enum.GetValues<RegistryFailure>().Where(f => f is not (RegistryFailure.CredentialsRefused or RegistryFailure.Denied)),
            f => Assert.Equal("", CredentialHints.Of(new("user", new("github_pat_" + Rest), "a file"), CredentialTests.Endpoint("ghcr.io"), f)));

    /// <summary>The credential is the original host's on loopback, and the mirror's own elsewhere.</summary>
    [Fact]
    public void A_mapped_endpoint_is_judged_by_whose_credential_goes_there()
    {
        var credential = new Credential("user", new("github_pat_" + Rest), "a file");
        Assert.Contains("fine-grained", CredentialHints.Of(credential, CredentialTests.Endpoint("ghcr.io", "http://127.0.0.1:5010"), RegistryFailure.Denied));
        Assert.Equal("", CredentialHints.Of(credential, CredentialTests.Endpoint("ghcr.io", "https://mirror.example"), RegistryFailure.Denied));
    }

    private static RegistryFailure Failure(string name) => name == "denied" ? RegistryFailure.Denied : RegistryFailure.CredentialsRefused;
}
