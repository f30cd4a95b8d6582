namespace Registry.Sdk.Core.Imaging;

/// <summary>One kind of secret.</summary>
/// <param name="Id">Its stable name: part of fingerprints, so never changed and never given to another kind.</param>
/// <param name="Name">What it is called in messages, with its article.</param>
/// <param name="Recognition">How it is told from what looks like it, for the docs page.</param>
internal sealed record SecretRule(string Id, string Name, string Recognition);

/// <summary>The one table of rules; <c>docs/secrets.md</c> is made from it (a test compares).</summary>
internal static class SecretRules
{
#pragma warning disable SA1600, CS1591 // each row is its own documentation
    // Tokens that their issuers mark. The prefixes are the issuers' own, from their documentation.
    public static readonly SecretRule GitHubToken = new("github-token", "a GitHub token", "`ghp_`, `gho_`, `ghu_`, `ghs_`, `ghr_` and 36 characters whose checksum (CRC-32) is right");
    public static readonly SecretRule GitHubFineGrainedToken = new("github-fine-grained-token", "a fine-grained GitHub token", "`github_pat_`, 22 and 59 random characters");
    public static readonly SecretRule DockerToken = new("docker-token", "a Docker access token", "`dckr_pat_`, `dckr_oat_` and random characters");
    public static readonly SecretRule NpmToken = new("npm-token", "an npm token", "`npm_` and 36 characters whose checksum (CRC-32) is right");
    public static readonly SecretRule NuGetKey = new("nuget-api-key", "a NuGet API key", "`oy2` and 43 small letters and digits");
    public static readonly SecretRule AwsSecretKey = new("aws-secret-key", "an AWS secret access key", "40 random characters behind `aws_secret_access_key` or `SecretAccessKey`");
    public static readonly SecretRule AwsAccessKey = new("aws-access-key", "an AWS access key id", "`AKIA`, `ASIA` and 16 random characters of base 32");
    public static readonly SecretRule AzureStorageKey = new("azure-storage-key", "a key of an Azure storage or Cosmos DB account", "`AccountKey=` and 64 bytes in base 64; not the emulators' known keys");
    public static readonly SecretRule AzureSharedAccessKey = new("azure-shared-access-key", "an Azure shared access key (Service Bus, Event Hubs, IoT Hub, SignalR, App Configuration)", "`SharedAccessKey=`, `AccessKey=`, `;Secret=` and 32 bytes in base 64");
    public static readonly SecretRule AzureSas = new("azure-sas", "an Azure shared access signature", "`sig=` with 32 bytes in base 64, beside `se=` and `sv=` or `sr=`");
    public static readonly SecretRule AzureClientSecret = new("azure-client-secret", "a client secret of Microsoft Entra ID", "three characters, `7Q~` or `8Q~`, 31 to 34 random characters");
    public static readonly SecretRule AzureKey = new("azure-key", "an Azure key (AI services, API Management, Redis and others)", "76 or 84 characters with Microsoft's mark `JQQJ9` in the middle");
    public static readonly SecretRule AzureDevOpsToken = new("azure-devops-token", "an Azure DevOps token", "84 characters with the mark `AZDO`");
    public static readonly SecretRule GoogleServiceAccount = new("google-service-account", "the private key of a Google service account", "`private_key` in JSON of the type `service_account`");
    public static readonly SecretRule GoogleApiKey = new("google-api-key", "a Google API key", "`AIza` and 35 random characters");
    public static readonly SecretRule GoogleClientSecret = new("google-client-secret", "a Google OAuth client secret", "`GOCSPX-` and 28 random characters");
    public static readonly SecretRule SlackToken = new("slack-token", "a Slack token", "`xoxa-`, `xoxb-`, `xoxe-`, `xoxo-`, `xoxp-`, `xoxr-`, `xoxs-`, `xapp-`, numbers and random characters");
    public static readonly SecretRule SlackWebhook = new("slack-webhook", "a Slack webhook", "`hooks.slack.com/services/`, `workflows/` or `triggers/` and random characters");
    public static readonly SecretRule StripeKey = new("stripe-key", "a live Stripe key", "`sk_live_`, `rk_live_` and random characters; test keys are none");
    public static readonly SecretRule GitLabToken = new("gitlab-token", "a GitLab token", "`glpat-`, `gldt-`, `glrt-`, `glcbt-`, `glptt-`, `glft-`, `gloas-` and random characters");
    public static readonly SecretRule OpenAiKey = new("openai-key", "an OpenAI API key", "`sk-…` with the mark `T3BlbkFJ`");
    public static readonly SecretRule AnthropicKey = new("anthropic-key", "an Anthropic API key", "`sk-ant-` and 80 or more random characters");
    public static readonly SecretRule SendGridKey = new("sendgrid-key", "a SendGrid API key", "`SG.`, 22 and 43 random characters");
    public static readonly SecretRule PyPiToken = new("pypi-token", "a PyPI token", "`pypi-AgEIcHlwaS5vcmc` and random characters");
    public static readonly SecretRule VaultToken = new("vault-token", "a HashiCorp Vault token", "`hvs.` and 90 or more random characters");
    public static readonly SecretRule DigitalOceanToken = new("digitalocean-token", "a DigitalOcean token", "`dop_v1_` and 64 hexadecimal digits");
    public static readonly SecretRule HuggingFaceToken = new("huggingface-token", "a Hugging Face token", "`hf_` and 34 random letters");
    public static readonly SecretRule Jwt = new("jwt", "a JSON web token", "three parts, the first of which is JSON with an `alg` that is not `none`; one that has expired too, jwt.io's sample not");

    // Keys.
    public static readonly SecretRule PrivateKey = new("private-key", "a private key", "PEM (RSA, EC, PKCS#8, OpenSSH, PGP), PuTTY and age keys, with their content");
    public static readonly SecretRule EncryptedPrivateKey = new("encrypted-private-key", "a private key under a passphrase", "the same, encrypted: whoever has it may guess as long as they like");
    public static readonly SecretRule JwkPrivateKey = new("jwk-private-key", "a private JSON web key", "JSON with `kty` and the private part `d` (or `k`)");
    public static readonly SecretRule RsaXmlKey = new("rsa-xml-key", "a private RSA key in XML", "`<RSAKeyValue>` with the private part `<D>`");
    public static readonly SecretRule DataProtectionKey = new("data-protection-key", "an unprotected ASP.NET Core data protection key", "`<masterKey>` with its `<value>`");
    public static readonly SecretRule Pfx = new("pfx", "a PKCS#12 file with a private key", "`.pfx`, `.p12`, and what begins as one: opens without a password and holds a private key");
    public static readonly SecretRule ProtectedPfx = new("protected-pfx", "a PKCS#12 file under a password", "the same, but opens only with a password, and as such files do holds a private key");
    public static readonly SecretRule JavaKeyStore = new("java-keystore", "a Java key store with a private key", "JKS and JCEKS, whatever the file is called");
    public static readonly SecretRule KubeConfig = new("kubeconfig", "a credential in a kubeconfig", "`client-key-data`; in `kubeconfig`, `kubeconfig.*`, `*.kubeconfig` and `.kube/config` also `token` and `password`");

    // Credentials in the files that tools keep them in.
    public static readonly SecretRule NuGetConfig = new("nuget-config", "a password or API key in a nuget.config", "`ClearTextPassword` anywhere; in `nuget.config` also `Password` and `apikeys`");
    public static readonly SecretRule Npmrc = new("npmrc", "a credential for an npm registry", "`_authToken=` and `npmAuthToken:` anywhere; in `.npmrc` also `_auth` and `_password`");
    public static readonly SecretRule DockerConfig = new("docker-config", "a login in a docker configuration", "`\"auth\"` that is `user:password` in base 64, or `\"identitytoken\"`");
    public static readonly SecretRule Netrc = new("netrc", "a password in a .netrc or .pgpass", "`.netrc`, `_netrc`: what follows `password`; `.pgpass`: the fifth field");
    public static readonly SecretRule GitFolder = new("git-folder", "a git repository", "a file in a folder `.git`: the history holds whatever was ever committed. Said once of a folder");

    // Passwords that people chose.
    public static readonly SecretRule ConnectionString = new("connection-string", "a password in a connection string", "`Password=` or `Pwd=` beside a server, database or user, or behind `host:port,`; not for this machine, no placeholder");
    public static readonly SecretRule UrlPassword = new("url-password", "a password in a URL", "`scheme://user:password@host`; not for this machine or example.com, no placeholder");
    public static readonly SecretRule EnvFile = new("env-file", "a secret in an .env file", "`.env`, `.env.*`, `*.env`, `.envrc`: a variable with a secret's name and a real value");
    public static readonly SecretRule Settings = new("settings", "a secret in a settings file", "`*settings*.json`, `*secrets*.json`, `*credentials*.json`, `*.config`, `*.publishsettings`, `*.pubxml`, `*.user`: a setting with a secret's name and a real value");
    public static readonly SecretRule Variable = new("variable", "a secret in the image's configuration", "an environment variable, label or `--option` with a secret's name and a real value");
#pragma warning restore SA1600, CS1591

    /// <summary>All rules; where two find the same, the first counts.</summary>
    public static IReadOnlyList<SecretRule> All { get; } =
    [
        GitHubToken, GitHubFineGrainedToken, DockerToken, NpmToken, NuGetKey, AwsSecretKey, AwsAccessKey, AzureStorageKey, AzureSharedAccessKey, AzureSas, AzureClientSecret, AzureKey, AzureDevOpsToken,
        GoogleServiceAccount, GoogleApiKey, GoogleClientSecret, SlackToken, SlackWebhook, StripeKey, GitLabToken, OpenAiKey, AnthropicKey, SendGridKey, PyPiToken, VaultToken, DigitalOceanToken, HuggingFaceToken, Jwt,
        PrivateKey, EncryptedPrivateKey, JwkPrivateKey, RsaXmlKey, DataProtectionKey, Pfx, ProtectedPfx, JavaKeyStore, KubeConfig,
        NuGetConfig, Npmrc, DockerConfig, Netrc, GitFolder,
        ConnectionString, UrlPassword, EnvFile, Settings, Variable,
    ];

    /// <summary>Where a rule stands in <see cref="All"/>.</summary>
    public static int RankOf(SecretRule rule) => Ranks[rule.Id];

    private static readonly Dictionary<string, int> Ranks = All.Select((rule, i) => (rule.Id, i)).ToDictionary(r => r.Id, r => r.i, StringComparer.Ordinal);
}
