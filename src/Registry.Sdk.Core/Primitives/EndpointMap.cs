namespace Registry.Sdk.Core.Primitives;

/// <summary>One <c>RegistrySdkEndpoint</c> item as MSBuild has it.</summary>
/// <param name="Include">The host that is re-mapped.</param>
/// <param name="Registry"><c>Registry</c> metadata: <c>http(s)://host[:port]</c>.</param>
/// <param name="Api"><c>Api</c> metadata: the package API's address, or empty.</param>
/// <param name="Insecure"><c>Insecure</c> metadata: <c>true</c> allows plain http to a host that is not loopback, anonymously.</param>
public sealed record EndpointItem(string Include, string Registry, string Api = "", string Insecure = "");

/// <summary>Where a registry really answers.</summary>
/// <param name="Host">The host as users name it.</param>
/// <param name="BaseAddress">Scheme, host and port; no path.</param>
/// <param name="IsMapped">Whether a <c>RegistrySdkEndpoint</c> item put it there.</param>
/// <param name="Api">The package API's address of a mapped endpoint; null: no package API is asked.</param>
public sealed record RegistryEndpoint(RegistryHost Host, Uri BaseAddress, bool IsMapped, Uri? Api = null)
{
    /// <summary>Whether the address is loopback.</summary>
    public bool IsLoopback => RegistryHost.IsLoopbackName(BaseAddress.Host);

    /// <summary>Plain http to a host that is not loopback: no credential may go there.</summary>
    public bool IsInsecure => BaseAddress.Scheme == Uri.UriSchemeHttp && !IsLoopback;

    /// <summary>
    /// The host whose credentials are sent there: the original one, or, where an item re-mapped it to another party (not loopback), that party.
    /// </summary>
    public string CredentialHost => IsMapped && !IsLoopback && RegistryHost.TryParse(BaseAddress.Authority, out var own) ? own.Name : Host.Name;

    /// <summary>The well-known registry the address leads to (<c>docker.io</c> for all of Docker Hub's names), by address and not by the name users write; null if it is no registry host.</summary>
    /// <remarks>The dot at the end of a full DNS name changes nothing about where it leads.</remarks>
    public string? Service => RegistryHost.TryParse(BaseAddress.Host.TrimEnd('.'), out var host) ? host.Name : null;

    /// <summary>Equal for addresses that are one registry: loopback spellings are one.</summary>
    public string Identity => IsLoopback ? $"loopback:{BaseAddress.Port}" : $"{BaseAddress.Host}:{BaseAddress.Port}";
}

/// <summary>From registry hosts to addresses.</summary>
public sealed class EndpointMap
{
    private readonly Dictionary<string, RegistryEndpoint> _mapped = new(StringComparer.Ordinal);

    /// <summary>A map without items: real registries, http for loopback.</summary>
    public static EndpointMap Empty { get; } = new();

    /// <summary>Reads the items.</summary>
    public static EndpointMap Parse(IEnumerable<EndpointItem> items, ICollection<Diagnostic> diagnostics)
    {
        ArgumentNullException.ThrowIfNull(items);
        ArgumentNullException.ThrowIfNull(diagnostics);
        var map = new EndpointMap();
        foreach (var item in items)
        {
            if (!RegistryHost.TryParse(item.Include, out var host))
            {
                diagnostics.Add(DiagnosticCodes.BadEndpoint.Report($"RegistrySdkEndpoint '{item.Include}' is no registry host. Write Include=\"host[:port]\"."));
                continue;
            }

            if (!IsHttpAddress(item.Registry, out var address))
            {
                diagnostics.Add(DiagnosticCodes.BadEndpoint.Report($"RegistrySdkEndpoint '{item.Include}' has Registry=\"{WithoutUser(item.Registry)}\". Include is the host that images name; Registry is where it answers: https://host[:port] without path, http:// on loopback."));
                continue;
            }

            Uri? api = null;
            if (item.Api.Length > 0 && (!Uri.TryCreate(item.Api, UriKind.Absolute, out api) || (api.Scheme != Uri.UriSchemeHttps && api.Scheme != Uri.UriSchemeHttp) || api.UserInfo.Length > 0))
            {
                diagnostics.Add(DiagnosticCodes.BadEndpoint.Report($"RegistrySdkEndpoint '{item.Include}' has Api=\"{WithoutUser(item.Api)}\", which is no http(s) address. Write https://host[:port][/path], without a user: credentials are looked for elsewhere (RegistrySdkCredential)."));
                continue;
            }

            var endpoint = new RegistryEndpoint(host, address, IsMapped: true, api);
            if (endpoint.IsInsecure && !string.Equals(item.Insecure, "true", StringComparison.OrdinalIgnoreCase))
            {
                diagnostics.Add(DiagnosticCodes.PlainHttp.Report(
                    $"RegistrySdkEndpoint '{item.Include}' has Registry=\"{item.Registry}\": plain http is spoken to loopback only. Use https, or set Insecure=\"true\" (no credential is sent then)."));
                continue;
            }

            if (!map._mapped.TryAdd(host.Name, endpoint))
            {
                diagnostics.Add(DiagnosticCodes.BadEndpoint.Report($"RegistrySdkEndpoint '{item.Include}' is there twice. Remove one."));
            }
        }

        return map;
    }

    /// <summary>What makes two places one: the address that is really spoken to, or the directory.</summary>
    public string Identity(ImagePlace place) => place switch
    {
        RepositoryReference repository => Resolve(repository.Host).Identity,
        LayoutDirectory layout => LayoutDirectory.Prefix + layout.FullPath,
        _ => throw new ArgumentOutOfRangeException(nameof(place)),
    };

    /// <summary>The address of a host: its item's, else https (Docker Hub's API host for <c>docker.io</c>), http for loopback.</summary>
    public RegistryEndpoint Resolve(RegistryHost host)
    {
        ArgumentNullException.ThrowIfNull(host);
        if (_mapped.TryGetValue(host.Name, out var endpoint))
        {
            return endpoint;
        }

        var scheme = host.IsLoopback ? Uri.UriSchemeHttp : Uri.UriSchemeHttps;
        return new(host, new Uri($"{scheme}://{(host.Name == "docker.io" ? "registry-1.docker.io" : host.Name)}"), IsMapped: false);
    }

    // It may hold a password, and addresses are said: in messages, in the log, in evidence.
    private static string WithoutUser(string address) => address.LastIndexOf('@') is var at and >= 0 ? "…" + address[at..] : address;

    private static bool IsHttpAddress(string text, [System.Diagnostics.CodeAnalysis.NotNullWhen(true)] out Uri? address)
        => Uri.TryCreate(text, UriKind.Absolute, out address)
            && (address.Scheme == Uri.UriSchemeHttp || address.Scheme == Uri.UriSchemeHttps)
            && address.PathAndQuery == "/" && address.UserInfo.Length == 0 && address.Fragment.Length == 0;
}
