namespace Registry.Sdk.Emulator;

/// <summary>How an <see cref="EmulatorServer"/> is to behave. Only <see cref="StateDirectory"/> is required.</summary>
public sealed class EmulatorOptions
{
    /// <summary>
    /// Directory that holds everything the registry stores; made when absent. A server started again on the same directory serves the
    /// same content. One running server per directory: a second one fails with <see cref="IOException"/>.
    /// </summary>
    public required string StateDirectory { get; init; }

    /// <summary>TCP port on 127.0.0.1; 0 (the default) takes a free one, see <see cref="EmulatorServer.BaseAddress"/>.</summary>
    public int Port { get; init; }

    /// <summary>Whose ways the registry has. <see cref="Users"/>, <see cref="AnonymousPull"/> and <see cref="AllowDelete"/> are for <see cref="EmulatorPersonality.Plain"/> only.</summary>
    public EmulatorPersonality Personality { get; init; }

    /// <summary>Who and what exists at GitHub; for <see cref="EmulatorPersonality.Ghcr"/>.</summary>
    public GitHubWorld GitHub { get; init; } = new();

    /// <summary>Who and what exists at Docker Hub; for <see cref="EmulatorPersonality.DockerHub"/>.</summary>
    public DockerHubWorld DockerHub { get; init; } = new();

    /// <summary>
    /// Secrets of other hosts by a name of the test's choice, so that <see cref="RequestRecord.Secrets"/> can name one that strays here.
    /// </summary>
    public IDictionary<string, string> ForeignSecrets { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);

    /// <summary>How long a registry token of a token service is good. GHCR does not tell it; Docker Hub tells its seconds.</summary>
    public TimeSpan TokenLifetime { get; init; } = TimeSpan.FromMinutes(5);

    /// <summary>
    /// User name to password and rights. Empty (the default): the registry is open, nobody is asked for credentials. A plain string is a
    /// password with push rights: <c>Users = { ["ci"] = "secret", ["reader"] = new("secret", EmulatorRights.Pull) }</c>.
    /// </summary>
    public IDictionary<string, EmulatorUser> Users { get; init; } = new Dictionary<string, EmulatorUser>(StringComparer.Ordinal);

    /// <summary>
    /// Lets requests without credentials read repositories although there are <see cref="Users"/>. <c>GET /v2/</c> still challenges then,
    /// because clients that see 200 there never send the credentials they have.
    /// </summary>
    public bool AnonymousPull { get; init; }

    /// <summary>Answers every request that would change something with 405 <c>UNSUPPORTED</c>.</summary>
    public bool ReadOnly { get; init; }

    /// <summary>Whether manifests and blobs can be deleted; <see langword="false"/> answers 405 <c>UNSUPPORTED</c>, as GHCR does.</summary>
    public bool AllowDelete { get; init; } = true;

    /// <summary>Whether <c>Location</c> headers are absolute URLs. The default is relative ones, which more clients get wrong.</summary>
    public bool AbsoluteLocations { get; init; }

    /// <summary>
    /// Whether an upload session is lost when a PATCH is cut off in its body, as Distribution 2.8 loses it; its client gets 404 then. The default keeps
    /// what arrived, and tells it (<c>GET</c>: 204 with <c>Range</c>).
    /// </summary>
    public bool LosesCutUploads { get; init; }

    /// <summary>
    /// File to append one line per finished request to: UTC time, method, path and redacted query, status, body bytes in, body bytes out.
    /// Never holds header values. <see langword="null"/>: none.
    /// </summary>
    public string? LogFile { get; init; }

    /// <summary>How many requests <see cref="EmulatorServer.Requests"/> remembers; the oldest are forgotten first.</summary>
    public int MaxRecordedRequests { get; init; } = 100_000;

    /// <summary>
    /// The seam for faults: runs for each request after it was recorded and before anything else (credentials included). Returning
    /// <see langword="true"/> says that it answered the request itself (a wrong digest, HTML, an empty body, or
    /// <c>context.Abort()</c>); <see langword="false"/> lets the registry answer, perhaps a request it has changed: clearing
    /// <c>context.Request.QueryString</c> turns a mount into a plain upload, and <c>context.Response.OnStarting</c> can take a header away.
    /// </summary>
    public Func<HttpContext, Task<bool>>? Intercept { get; init; }

    /// <summary>Faults by number or by pattern, asked after <see cref="Intercept"/>. One script serves one server. <see langword="null"/>: none.</summary>
    public FaultScript? Faults { get; init; }

    /// <summary>
    /// Told one line for what a person should know: something that looks like a real secret was presented (its value is not in the
    /// text), or a request failed by a bug of the emulator. The same lines go to <see cref="LogFile"/>.
    /// </summary>
    public Action<string>? OnWarning { get; init; }
}

/// <summary>Whose ways an emulator has.</summary>
public enum EmulatorPersonality
{
    /// <summary>The distribution specification as written, with Basic credentials.</summary>
    Plain,

    /// <summary>GitHub's registry (ghcr.io), and GitHub's package reads under <c>/api</c>.</summary>
    Ghcr,

    /// <summary>Docker Hub's registry (docker.io), and Docker Hub's own API under <c>/api</c>.</summary>
    DockerHub,
}

/// <summary>What a user may do in all repositories.</summary>
public enum EmulatorRights
{
    /// <summary>Credentials are accepted, every repository answers 403 <c>DENIED</c>.</summary>
    None,

    /// <summary>May read; writing answers 403 <c>DENIED</c>.</summary>
    Pull,

    /// <summary>May read, write and delete.</summary>
    Push,
}

/// <summary>One user of the emulator.</summary>
/// <param name="Password">The Basic password, in the clear: it is a test's own, never a real one.</param>
/// <param name="Rights">What the user may do.</param>
public sealed record EmulatorUser(string Password, EmulatorRights Rights = EmulatorRights.Push)
{
    /// <summary>A user with this password and push rights.</summary>
    public static implicit operator EmulatorUser(string password) => new(password);

    /// <summary>Leaves the password out.</summary>
    public override string ToString() => $"{nameof(EmulatorUser)} {{ {Rights} }}";
}
