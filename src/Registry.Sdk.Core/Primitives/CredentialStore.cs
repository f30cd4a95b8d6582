using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// The credential sources in the design's order: RegistrySdkCredential items, the host's usual variables, the .NET SDK's DOTNET_CONTAINER_* pair,
/// docker and podman configuration with helpers, ambient GitHub tokens.
/// </summary>
/// <remarks>
/// Every secret is read here, in C#, at the moment of use: it is never an MSBuild property. Source of the file formats: docker CLI
/// documentation («config.json»), docker-credential-helpers, containers-auth.json(5).
/// </remarks>
public sealed class CredentialStore : ICredentialSource
{
    private const string DockerHubKey = "https://index.docker.io/v1/";
    private static readonly TimeSpan HelperTimeout = TimeSpan.FromSeconds(30);

    // Which pair was meant for what: pushing first, then both, then the legacy name. PULL_* names the base image's registry, which is not ours to guess.
    private static readonly (string User, string Password)[] SharedPairs =
    [
        ("DOTNET_CONTAINER_PUSH_REGISTRY_UNAME", "DOTNET_CONTAINER_PUSH_REGISTRY_PWORD"),
        ("DOTNET_CONTAINER_REGISTRY_UNAME", "DOTNET_CONTAINER_REGISTRY_PWORD"),
        ("SDK_CONTAINER_REGISTRY_UNAME", "SDK_CONTAINER_REGISTRY_PWORD"),
    ];

    private readonly Dictionary<string, CredentialItem> _items = new(StringComparer.Ordinal);
    private readonly IReadOnlyDictionary<string, string> _environment;
    private readonly string? _onlyDestinationHost;

    private CredentialStore(IReadOnlyDictionary<string, string> environment, string? onlyDestinationHost)
    {
        _environment = environment;
        _onlyDestinationHost = onlyDestinationHost;
    }

    /// <summary>Reads the items and looks at which shared variables apply.</summary>
    /// <param name="items">The <c>RegistrySdkCredential</c> items.</param>
    /// <param name="environment">The process's environment.</param>
    /// <param name="destinationHosts">The hosts of all destinations of this publish: the shared pair is used only if there is one.</param>
    /// <param name="diagnostics">Receives errors of items, and what is ignored.</param>
    public static CredentialStore Create(
        IEnumerable<CredentialItem> items,
        IReadOnlyDictionary<string, string> environment,
        IReadOnlyCollection<RegistryHost> destinationHosts,
        ICollection<Diagnostic> diagnostics)
    {
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(environment);
        ArgumentNullException.ThrowIfNull(diagnostics);
        var hosts = destinationHosts.Select(h => h.Name).Distinct(StringComparer.Ordinal).ToList();
        var store = new CredentialStore(environment, hosts.Count == 1 ? hosts[0] : null);
        foreach (var item in items)
        {
            if (!RegistryHost.TryParse(item.Include, out var host))
            {
                diagnostics.Add(DiagnosticCodes.BadCredentialItem.Report($"RegistrySdkCredential '{item.Include}' is no registry host. Write Include=\"host[:port]\"."));
            }
            else if (item.PasswordVariable.Length == 0 && item.RealmHost.Length == 0)
            {
                diagnostics.Add(DiagnosticCodes.BadCredentialItem.Report(
                    $"RegistrySdkCredential '{item.Include}' has no PasswordVariable. Set it to the name of the environment variable that holds the secret."));
            }
            else if (!store._items.TryAdd(host.Name, item))
            {
                diagnostics.Add(DiagnosticCodes.BadCredentialItem.Report($"RegistrySdkCredential '{item.Include}' is there twice. Remove one."));
            }
        }

        if (hosts.Count > 1 && SharedPairs.Any(p => store.Variable(p.Password) is not null))
        {
            diagnostics.Add(DiagnosticCodes.SharedPairIgnored.Report(
                $"The variables DOTNET_CONTAINER_*REGISTRY_UNAME/_PWORD name no host and are ignored, because the destinations have {hosts.Count} ({string.Join(", ", hosts)}). Name them per host: <RegistrySdkCredential Include=\"{hosts[0]}\" UsernameVariable=\"…\" PasswordVariable=\"…\" />."));
        }

        if (store.Variable("DOTNET_CONTAINER_INSECURE_REGISTRIES") is not null)
        {
            diagnostics.Add(DiagnosticCodes.InsecureRegistriesIgnored.Report(
                "DOTNET_CONTAINER_INSECURE_REGISTRIES is set but not honoured: it would send credentials over plain http. Add <RegistrySdkEndpoint Include=\"host\" Registry=\"http://host\" Insecure=\"true\" /> to speak http anonymously."));
        }

        return store;
    }

    /// <inheritdoc/>
    public IReadOnlyList<string> TrustedRealmHosts(RegistryEndpoint endpoint)
    {
        ArgumentNullException.ThrowIfNull(endpoint);

        // The party that answers says whom it works with; the original host's item speaks for another party only where its credential goes there.
        var items = new List<CredentialItem>();
        if (_items.TryGetValue(endpoint.CredentialHost, out var own))
        {
            items.Add(own);
        }

        if (endpoint.CredentialHost != endpoint.Host.Name && _items.TryGetValue(endpoint.Host.Name, out var original) && original.PasswordVariable.Length > 0)
        {
            items.Add(original);
        }

        return [.. items.SelectMany(i => i.RealmHost.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))];
    }

    /// <inheritdoc/>
    public async Task<Credential?> FindAsync(RegistryEndpoint endpoint, RepositoryReference repository, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(endpoint);
        ArgumentNullException.ThrowIfNull(repository);
        if (endpoint.IsInsecure)
        {
            return null;
        }

        var host = endpoint.Host.Name;
        if (FromItem(host, repository) is { } fromItem)
        {
            return fromItem;
        }

        // A re-mapped host that is not loopback is another party: it gets what is configured for itself, never the original host's secrets.
        // (An item that maps a host to itself only names its package API.)
        if (endpoint.IsMapped && !endpoint.IsLoopback && !(RegistryHost.TryParse(endpoint.BaseAddress.Authority, out var own) && own.Name == host))
        {
            return own is null ? null : FromItem(own.Name, repository) ?? await FromFilesAsync(own.Name, repository, cancellationToken).ConfigureAwait(false);
        }

        return FromUsualVariables(host, repository)
            ?? FromSharedPair(host)
            ?? await FromFilesAsync(host, repository, cancellationToken).ConfigureAwait(false)
            ?? FromAmbientToken(host, repository);
    }

    private Credential? FromItem(string host, RepositoryReference repository)
    {
        if (!_items.TryGetValue(host, out var item) || item.PasswordVariable.Length == 0)
        {
            return null;
        }

        if (Variable(item.PasswordVariable) is not { } password)
        {
            throw new CredentialException($"RegistrySdkCredential '{item.Include}' names the environment variable {item.PasswordVariable}, which is not set.");
        }

        var user = item.UsernameVariable.Length > 0
            ? Variable(item.UsernameVariable) ?? throw new CredentialException($"RegistrySdkCredential '{item.Include}' names the environment variable {item.UsernameVariable}, which is not set.")
            : GitHubUser(repository);
        return new(user, new(password), $"RegistrySdkCredential '{item.Include}' (environment variable {item.PasswordVariable})");
    }

    private Credential? FromUsualVariables(string host, RepositoryReference repository) => host switch
    {
        "ghcr.io" when Variable("CR_PAT") is { } pat => new(GitHubUser(repository), new(pat), "environment variable CR_PAT"),
        "docker.io" when Variable("DOCKERHUB_USERNAME") is { } user && Variable("DOCKERHUB_TOKEN") is { } token
            => new(user, new(token), "environment variables DOCKERHUB_USERNAME and DOCKERHUB_TOKEN"),
        _ => null,
    };

    private Credential? FromSharedPair(string host)
    {
        if (host != _onlyDestinationHost)
        {
            return null;
        }

        foreach (var (userVariable, passwordVariable) in SharedPairs)
        {
            if (Variable(userVariable) is { } user && Variable(passwordVariable) is { } password)
            {
                return new(user, new(password), $"environment variables {userVariable} and {passwordVariable}");
            }
        }

        return null;
    }

    private Credential? FromAmbientToken(string host, RepositoryReference repository)
    {
        if (host != "ghcr.io")
        {
            return null;
        }

        foreach (var name in new[] { "GITHUB_TOKEN", "GH_TOKEN" })
        {
            if (Variable(name) is { } token)
            {
                return new(GitHubUser(repository), new(token), $"environment variable {name}");
            }
        }

        return null;
    }

    private async Task<Credential?> FromFilesAsync(string host, RepositoryReference repository, CancellationToken cancellationToken)
    {
        foreach (var file in ConfigFiles())
        {
            if (File.Exists(file) && await FromFileAsync(file, host, repository, cancellationToken).ConfigureAwait(false) is { } credential)
            {
                return credential;
            }
        }

        return null;
    }

    private IEnumerable<string> ConfigFiles()
    {
        var home = Variable("HOME") ?? Variable("USERPROFILE");
        if (Variable("DOCKER_CONFIG") is { } dockerConfig)
        {
            yield return Path.Combine(dockerConfig, "config.json");
        }
        else if (home is not null)
        {
            yield return Path.Combine(home, ".docker", "config.json");
        }

        if (Variable("REGISTRY_AUTH_FILE") is { } authFile)
        {
            yield return authFile;
            yield break;
        }

        if (Variable("XDG_RUNTIME_DIR") is { } runtime)
        {
            yield return Path.Combine(runtime, "containers", "auth.json");
        }

        if (Variable("XDG_CONFIG_HOME") is { } config)
        {
            yield return Path.Combine(config, "containers", "auth.json");
        }
        else if (home is not null)
        {
            yield return Path.Combine(home, ".config", "containers", "auth.json");
        }
    }

    private async Task<Credential?> FromFileAsync(string file, string host, RepositoryReference repository, CancellationToken cancellationToken)
    {
        JsonElement root;
        try
        {
            using var document = StrictJson.Document(await File.ReadAllBytesAsync(file, cancellationToken).ConfigureAwait(false));
            root = document.RootElement.Clone();
        }
        catch (JsonException e)
        {
            // With a line it is the parser's, whose words may repeat the text; without one StrictJson's, which do not.
            throw new CredentialException(e.LineNumber is { } line ? $"{file} is not JSON (line {line + 1}). Correct or remove it." : $"{file} is not usable JSON: {e.Message}. Correct or remove it.", file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CredentialException($"{file} can't be read: {e.Message}", file);
        }

        if (root.ValueKind != JsonValueKind.Object)
        {
            throw new CredentialException($"{file} is not a JSON object. Correct or remove it.", file);
        }

        // Docker's precedence: a helper for this host, the store for all hosts, then what the file itself holds.
        if (Property(root, "credHelpers") is { ValueKind: JsonValueKind.Object } helpers)
        {
            foreach (var helper in helpers.EnumerateObject())
            {
                if (KeyHost(helper.Name) == host && helper.Value.ValueKind == JsonValueKind.String)
                {
                    return await FromHelperAsync(helper.Value.GetString()!, host, file, cancellationToken).ConfigureAwait(false);
                }
            }
        }

        if (Property(root, "credsStore") is { ValueKind: JsonValueKind.String } store && store.GetString() is { Length: > 0 } storeName
            && await FromHelperAsync(storeName, host, file, cancellationToken).ConfigureAwait(false) is { } stored)
        {
            return stored;
        }

        if (Property(root, "auths") is { ValueKind: JsonValueKind.Object } auths)
        {
            // podman's keys may name a namespace or repository of the host; the narrowest that fits is meant (containers-auth.json(5)).
            foreach (var auth in auths.EnumerateObject().Where(a => KeyHost(a.Name) == host).OrderByDescending(a => KeyPath(a.Name).Length))
            {
                var path = KeyPath(auth.Name);
                if ((path.Length == 0 || (repository.Name + "/").StartsWith(path + "/", StringComparison.Ordinal)) && FromAuth(auth.Value, file) is { } credential)
                {
                    return credential;
                }
            }
        }

        return null;
    }

    private static Credential? FromAuth(JsonElement auth, string file)
    {
        if (auth.ValueKind != JsonValueKind.Object)
        {
            return null;
        }

        var user = Text(auth, "username") ?? string.Empty;
        var password = Text(auth, "password");
        if (Text(auth, "auth") is { Length: > 0 } encoded)
        {
            string decoded;
            try
            {
                decoded = Encoding.UTF8.GetString(Convert.FromBase64String(encoded)).TrimEnd('\0');
            }
            catch (FormatException)
            {
                throw new CredentialException($"{file} has an 'auth' value that is not base64. Log in again (docker login).", file);
            }

            // The first colon ends the user name; the secret may hold more of them.
            var colon = decoded.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0)
            {
                user = decoded[..colon];
                password = decoded[(colon + 1)..];
            }
        }

        if (Text(auth, "identitytoken") is { Length: > 0 } identityToken)
        {
            return new(user, new(identityToken), file, CredentialKind.IdentityToken);
        }

        return user.Length > 0 && !string.IsNullOrEmpty(password) ? new(user, new(password), file) : null;
    }

    private async Task<Credential?> FromHelperAsync(string helper, string host, string file, CancellationToken cancellationToken)
    {
        var program = "docker-credential-" + helper;
        if (helper.AsSpan().ContainsAnyExcept("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."))
        {
            throw new CredentialException($"{file} names the credential helper '{helper}', which is no program name.", file);
        }

        var path = ProgramPath.Find(program, Variable("PATH")) ?? throw new CredentialException($"{program}, named in {file}, is not on PATH. Install it, or log in again (docker login {host}).", file);
        var start = new ProcessStartInfo(path, ["get"])
        {
            UseShellExecute = false,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };

        // The environment that all other sources are read from, and no other.
        start.Environment.Clear();
        foreach (var (name, value) in _environment)
        {
            start.Environment[name] = value;
        }

        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(HelperTimeout);
        Process? process = null;
        try
        {
            process = Process.Start(start) ?? throw new CredentialException($"{program} (named in {file}) could not be started.", file);
            try
            {
                await process.StandardInput.WriteAsync((host == "docker.io" ? DockerHubKey : host).AsMemory(), timeout.Token).ConfigureAwait(false);
                process.StandardInput.Close();
            }
            catch (IOException)
            {
                // It ended without reading; its exit code says why.
            }

            var stderr = process.StandardError.ReadToEndAsync(timeout.Token);
            var stdout = await process.StandardOutput.ReadToEndAsync(timeout.Token).ConfigureAwait(false);
            await stderr.ConfigureAwait(false);
            await process.WaitForExitAsync(timeout.Token).ConfigureAwait(false);
            if (process.ExitCode != 0)
            {
                // Helpers print errors on stdout; «not found» is no error. Nothing of the output is repeated: it could be the secret.
                return stdout.Contains("credentials not found", StringComparison.OrdinalIgnoreCase)
                    ? null
                    : throw new CredentialException($"{program} (named in {file}) failed with exit code {process.ExitCode}. Run it by hand, or log in again (docker login {host}).", file);
            }

            using var answer = StrictJson.Document(Encoding.UTF8.GetBytes(stdout));
            var user = Text(answer.RootElement, "Username") ?? string.Empty;
            var secret = Text(answer.RootElement, "Secret");
            return string.IsNullOrEmpty(secret) ? null : new(user, new(secret), $"{program} (named in {file})", user == "<token>" ? CredentialKind.IdentityToken : CredentialKind.Password);
        }
        catch (System.ComponentModel.Win32Exception)
        {
            throw new CredentialException($"{path}, named in {file}, can't be run. Install it again, or log in again (docker login {host}).", file);
        }
        catch (JsonException)
        {
            throw new CredentialException($"{program} (named in {file}) did not answer with usable JSON.", file);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CredentialException($"{program} (named in {file}) did not answer within {HelperTimeout.TotalSeconds:0} seconds.", file);
        }
        finally
        {
            if (process is { HasExited: false })
            {
                process.Kill(entireProcessTree: true);
            }

            process?.Dispose();
        }
    }

    /// <summary>The host a config file's key stands for: scheme and path removed, Docker Hub's historic keys folded.</summary>
    private static string KeyHost(string key)
    {
        var text = key;
        var scheme = text.IndexOf("://", StringComparison.Ordinal);
        if (scheme >= 0)
        {
            text = text[(scheme + 3)..];
        }

        var slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash >= 0)
        {
            text = text[..slash];
        }

        return RegistryHost.TryParse(text, out var host) ? host.Name : key;
    }

    /// <summary>The namespace a config file's key stands for; empty for the whole host. Docker's keys are addresses: their path says nothing.</summary>
    private static string KeyPath(string key)
    {
        var slash = key.IndexOf('/', StringComparison.Ordinal);
        var path = slash < 0 || key.Contains("://", StringComparison.Ordinal) ? string.Empty : key[(slash + 1)..].TrimEnd('/');
        return path is "v1" or "v2" ? string.Empty : path;
    }

    private string GitHubUser(RepositoryReference repository) => Variable("GITHUB_ACTOR") ?? repository.Owner;

    private string? Variable(string name) => _environment.TryGetValue(name, out var value) && value.Length > 0 ? value : null;

    private static JsonElement? Property(JsonElement element, string name) => element.TryGetProperty(name, out var value) ? value : null;

    private static string? Text(JsonElement element, string name)
        => element.ValueKind == JsonValueKind.Object && element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;
}
