using System.Text;
using System.Text.Json;

namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// What <c>docker login</c> and <c>podman login</c> left: DOCKER_AUTH_CONFIG, docker's config.json, podman's auth.json, .dockercfg, and the helpers they
/// name. Source: docker CLI «config.json», containers-auth.json(5).
/// </summary>
/// <param name="environment">Says where the files are.</param>
/// <param name="helper">Runs helpers.</param>
/// <param name="lifetime">Ends reading.</param>
internal sealed class CredentialFiles(IReadOnlyDictionary<string, string> environment, CredentialHelper helper, CancellationToken lifetime)
{
    private const string DockerHubKey = "https://index.docker.io/v1/";
    private const string AuthVariable = "DOCKER_AUTH_CONFIG";
    private const string FolderVariable = "DOCKER_CONFIG";
    private const string FileVariable = "REGISTRY_AUTH_FILE";

    // Logins are a few hundred bytes each.
    private const int LargestFile = 1 << 20;

    // A file is read once, so that all of one publish sees the same.
    private readonly Remembered<string, JsonElement?> _files = new(lifetime, StringComparer.Ordinal);

    /// <summary>The first that knows the host.</summary>
    /// <exception cref="CredentialException">A file or helper on the way there can't be used.</exception>
    public async Task<Credential?> FindAsync(string host, RepositoryReference repository, CancellationToken cancellationToken)
    {
        if (FromVariable(host, repository) is { } credential)
        {
            return credential;
        }

        foreach (var (file, isLegacy, variable) in Places())
        {
            var root = await _files.GetAsync(file, token => ReadAsync(file, variable, token), cancellationToken).ConfigureAwait(false);
            if (root is { } config && await FromFileAsync(config, isLegacy, file, host, repository, cancellationToken).ConfigureAwait(false) is { } found)
            {
                return found;
            }
        }

        return null;
    }

    /// <summary>
    /// Of DOCKER_AUTH_CONFIG only <c>auths</c> is read, as docker does. GitLab's runner knows the variable too, with helpers in it: those are meant for the
    /// runner's machine, so they and everything else are passed over instead of refused.
    /// </summary>
    private Credential? FromVariable(string host, RepositoryReference repository)
    {
        const string Source = "environment variable " + AuthVariable;
        return Variable(AuthVariable) is { } text && Parse(Encoding.UTF8.GetBytes(text), Source, null, "Correct or unset it") is { } root && Property(root, "auths") is { } auths
            ? FromAuths(auths, Source, null, host, repository)
            : null;
    }

    /// <summary>Where logins may be; with the variable that says so, if one of docker's or podman's own does.</summary>
    private IEnumerable<(string File, bool IsLegacy, string? Variable)> Places()
    {
        var home = Variable("HOME") ?? Variable("USERPROFILE");
        if (Variable(FolderVariable) is { } dockerConfig)
        {
            yield return (Path.Combine(dockerConfig, "config.json"), false, FolderVariable);
        }
        else if (home is not null)
        {
            yield return (Path.Combine(home, ".docker", "config.json"), false, null);
        }

        if (Variable(FileVariable) is { } authFile)
        {
            yield return (authFile, false, FileVariable);
            yield break;
        }

        if (Variable("XDG_RUNTIME_DIR") is { } runtime)
        {
            yield return (Path.Combine(runtime, "containers", "auth.json"), false, null);
        }

        var config = Variable("XDG_CONFIG_HOME");
        if (config is not null)
        {
            yield return (Path.Combine(config, "containers", "auth.json"), false, null);
        }

        // On macOS and Windows podman keeps to it whatever XDG says.
        if (home is not null && (config is null || !OperatingSystem.IsLinux()))
        {
            yield return (Path.Combine(home, ".config", "containers", "auth.json"), false, null);
        }

        if (home is not null)
        {
            yield return (Path.Combine(home, ".dockercfg"), true, null);
        }
    }

    private static async Task<JsonElement?> ReadAsync(string file, string? variable, CancellationToken cancellationToken)
    {
        try
        {
            if (Directory.Exists(file))
            {
                throw new CredentialException($"{Named(file, variable)} is a folder where a file is expected. Remove it{(variable is null ? "" : " or correct the variable")}, and log in again (docker login).", file);
            }

            if (!File.Exists(file))
            {
                return WhyAbsent(file, variable) is { } error ? throw error : null;
            }

            if (!SpecialFile.IsRegular(file))
            {
                throw new CredentialException($"{Named(file, variable)} is no regular file but a pipe, a device or the like, which is not read. Put the logins into a file.", file);
            }

            return Parse(await BytesAsync(file, variable, cancellationToken).ConfigureAwait(false), file, file, "Correct or remove it");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CredentialException($"{file} can't be read: {e.Message}", file);
        }
    }

    /// <summary>What is wrong where there is no file; null where that is usual. Who names a file means one; docker itself creates the folder of DOCKER_CONFIG when it logs in.</summary>
    private static CredentialException? WhyAbsent(string file, string? variable) => variable switch
    {
        FileVariable => new($"REGISTRY_AUTH_FILE names {file}, which does not exist. Log in again (podman login), correct or unset REGISTRY_AUTH_FILE.", file),
        FolderVariable when Path.GetDirectoryName(file) is { } folder && File.Exists(folder)
            => new($"DOCKER_CONFIG names the file {folder}; it has to name the folder that holds config.json. Correct or unset DOCKER_CONFIG.", folder),
        _ => null,
    };

    private static string Named(string file, string? variable) => variable is null ? file : $"{file} ({variable})";

    /// <summary>All of a file, whatever length it says it has.</summary>
    private static async Task<byte[]> BytesAsync(string file, string? variable, CancellationToken cancellationToken)
    {
        var stream = new FileStream(file, new FileStreamOptions { Options = FileOptions.Asynchronous, Share = FileShare.ReadWrite | FileShare.Delete });
        await using var closing = stream.ConfigureAwait(false);
        using var kept = new MemoryStream();
        var buffer = new byte[4096];
        while (await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and var count)
        {
            kept.Write(buffer, 0, count);
            if (kept.Length > LargestFile)
            {
                throw new CredentialException($"{Named(file, variable)} is larger than {LargestFile >> 20} MiB, which no file of logins is. Correct or remove it.", file);
            }
        }

        return kept.ToArray();
    }

    /// <summary>The object in a text; null where there is none at all, as in a file that is new.</summary>
    private static JsonElement? Parse(byte[] bytes, string source, string? file, string mend)
    {
        // A byte order mark is what Windows PowerShell writes in front.
        var json = bytes.AsSpan().StartsWith(Encoding.UTF8.Preamble) ? bytes[Encoding.UTF8.Preamble.Length..] : bytes;
        if (json.AsSpan().IndexOfAnyExcept(" \t\r\n"u8) < 0)
        {
            return null;
        }

        try
        {
            using var document = StrictJson.Document(json);
            return document.RootElement.ValueKind == JsonValueKind.Object
                ? document.RootElement.Clone()
                : throw new CredentialException($"{source} is not a JSON object. {mend}.", file);
        }
        catch (JsonException e)
        {
            // With a line it is the parser's, whose words may repeat the text; without one StrictJson's, which do not.
            throw new CredentialException(e.LineNumber is { } line ? $"{source} is not JSON (line {line + 1}). {mend}." : $"{source} is not usable JSON: {e.Message}. {mend}.", file);
        }
    }

    /// <summary>Docker's precedence: a helper for this host, else the store for all hosts, else what the file itself holds; what a helper does not have, the file has not either.</summary>
    private async Task<Credential?> FromFileAsync(JsonElement config, bool isLegacy, string file, string host, RepositoryReference repository, CancellationToken cancellationToken)
    {
        if (isLegacy)
        {
            return FromAuths(config, file, file, host, repository);
        }

        var auths = Property(config, "auths");
        if (Property(config, "credHelpers") is { } helpers
            && Keys(helpers, host).FirstOrDefault(k => k.Path.Length == 0 && k.Value.ValueKind == JsonValueKind.String) is { Name: not null } own)
        {
            // Empty: this host's credentials are in the file, in spite of a store.
            return own.Value.GetString() is { Length: > 0 } name
                ? await helper.GetAsync(name, own.Name, host, file, cancellationToken).ConfigureAwait(false)
                : auths is null ? null : FromAuths(auths.Value, file, file, host, repository);
        }

        if (Text(config, "credsStore") is { Length: > 0 } store)
        {
            return await helper.GetAsync(store, ServerOf(auths, host), host, file, cancellationToken).ConfigureAwait(false);
        }

        return auths is null ? null : FromAuths(auths.Value, file, file, host, repository);
    }

    /// <summary>With a store <c>auths</c> holds empty markers; the spelling there is the one the store was told.</summary>
    private static string ServerOf(JsonElement? auths, string host)
    {
        var usual = UsualKey(host);
        var marked = auths is { } element ? [.. Keys(element, host).Where(k => k.Path.Length == 0).Select(k => k.Name)] : new List<string>();
        return marked.Count == 0 || marked.Contains(usual, StringComparer.Ordinal) ? usual : marked[0];
    }

    /// <summary>The key that <c>docker login</c> writes for a host.</summary>
    private static string UsualKey(string host) => host == "docker.io" ? DockerHubKey : host;

    private static Credential? FromAuths(JsonElement auths, string source, string? file, string host, RepositoryReference repository)
        // podman's keys may name a namespace or repository of the host; the narrowest that fits is meant (containers-auth.json(5)).
        => Keys(auths, host)
            .Where(k => k.Path.Length == 0 || (repository.Name + "/").StartsWith(k.Path + "/", StringComparison.Ordinal))
            .OrderByDescending(k => k.Path.Length)
            .ThenByDescending(k => k.Name == UsualKey(host))
            .Select(k => FromAuth(k.Name, k.Value, source, file))
            .FirstOrDefault(c => c is not null);

    private static Credential? FromAuth(string key, JsonElement auth, string source, string? file)
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
                // Docker once padded with zeros; `echo user:secret | base64` adds a line break, which no secret ends in.
                decoded = Encoding.UTF8.GetString(Convert.FromBase64String(encoded)).TrimEnd('\0', '\r', '\n');
            }
            catch (FormatException)
            {
                throw new CredentialException($"{source} has an 'auth' value that is not base64. Log in again (docker login), or write base64 of user:secret.", file);
            }

            // The first colon ends the user name; the secret may hold more of them.
            var colon = decoded.IndexOf(':', StringComparison.Ordinal);
            if (colon > 0)
            {
                user = decoded[..colon];
                password = decoded[(colon + 1)..];
            }
        }

        if (Text(auth, "registrytoken") is { Length: > 0 } registryToken)
        {
            // It goes into a header as it is; passwords and refresh tokens are encoded.
            return SecretShapes.FitsHeader(registryToken)
                ? new(user, new(registryToken), source, CredentialKind.RegistryToken)
                : throw new CredentialException($"{source} has a 'registrytoken' for '{PlainText.Of(key)}' with control characters or others beyond ASCII in it, which can't be sent. Write the token again, or remove it and log in (docker login).", file);
        }

        if (Text(auth, "identitytoken") is { Length: > 0 } identityToken)
        {
            return new(user, new(identityToken), source, CredentialKind.IdentityToken);
        }

        return user.Length > 0 && !string.IsNullOrEmpty(password) ? new(user, new(password), source) : null;
    }

    /// <summary>The entries that stand for a host or for a part of it.</summary>
    private static IEnumerable<(string Name, string Path, JsonElement Value)> Keys(JsonElement entries, string host)
    {
        if (entries.ValueKind != JsonValueKind.Object)
        {
            yield break;
        }

        foreach (var entry in entries.EnumerateObject())
        {
            if (Split(entry.Name) is { } key && key.Host == host)
            {
                yield return (entry.Name, key.Path, entry.Value);
            }
        }
    }

    /// <summary>
    /// The host a key stands for and podman's namespace, empty for the whole host. Docker's keys may be addresses, whose path says nothing; but beside
    /// Docker Hub's <c>https://index.docker.io/v1/</c> its web login keeps <c>…/v1/access-token</c> and <c>…/v1/refresh-token</c>, which are no credential for it.
    /// </summary>
    private static (string Host, string Path)? Split(string key)
    {
        var scheme = key.IndexOf("://", StringComparison.Ordinal);
        var text = scheme < 0 ? key : key[(scheme + 3)..];
        var slash = text.IndexOf('/', StringComparison.Ordinal);
        var path = slash < 0 ? string.Empty : text[(slash + 1)..].TrimEnd('/');
        if (!RegistryHost.TryParse(slash < 0 ? text : text[..slash], out var host))
        {
            return null;
        }

        var isWhole = path is "" or "v1" or "v2" || (scheme >= 0 && host.Name != "docker.io");
        return isWhole ? (host.Name, string.Empty) : scheme >= 0 ? null : (host.Name, path);
    }

    private string? Variable(string name) => environment.TryGetValue(name, out var value) && value.Length > 0 ? value : null;

    private static JsonElement? Property(JsonElement element, string name)
        => element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.Object ? value : null;

    private static string? Text(JsonElement element, string name)
        => StrictJson.Text(element, name) is { } text ? SecretShapes.WithoutLineEnd(text) : null;
}
