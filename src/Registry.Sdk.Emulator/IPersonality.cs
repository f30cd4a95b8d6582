namespace Registry.Sdk.Emulator;

/// <summary>
/// What differs between registries that speak the same protocol: how they ask for credentials, what they refuse, which endpoints they
/// have beside the distribution API. <see cref="PlainPersonality"/> is the specification and Basic auth; GHCR and Docker Hub come here.
/// </summary>
internal interface IPersonality
{
    /// <summary>Answers requests outside <c>/v2/</c> (token endpoints, package APIs). <see langword="false"/>: not mine.</summary>
    Task<bool> TryAnswerAsync(HttpContext context);

    /// <summary>
    /// Decides whether a request may go on; throws <see cref="RegistryException"/> with 401 or 403 when not, having set the challenge
    /// header if there is one.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="repository">The repository asked for; <see langword="null"/> for <c>GET /v2/</c>.</param>
    /// <param name="needed">What the request needs to be allowed.</param>
    void Authorize(HttpContext context, string? repository, EmulatorRights needed);
}
