namespace Registry.Sdk.Emulator;

/// <summary>One request the emulator received, for tests to assert on. Holds no header values and no bodies, so no secret either.</summary>
/// <param name="Index">Order of arrival, from 0.</param>
/// <param name="Method">HTTP method, upper case.</param>
/// <param name="PathAndQuery">Path, and the query with the values of unknown parameters replaced by <c>***</c>.</param>
/// <param name="Status">HTTP status; 0 while no answer has begun (also for a connection dropped before one).</param>
/// <param name="RequestBytes">Bytes of the request body that were read. Framing is not counted; an ignored body counts 0.</param>
/// <param name="ResponseBytes">Bytes of the response body that were written.</param>
/// <param name="HasAuthorization">Whether an <c>Authorization</c> header came along. Its value is kept nowhere.</param>
public sealed record RequestRecord(
    int Index, string Method, string PathAndQuery, int Status, long RequestBytes, long ResponseBytes, bool HasAuthorization)
{
    /// <summary>Where it came to, <c>127.0.0.1:PORT</c>: the registry, or the other origin that blobs are redirected to (<see cref="EmulatorServer.BlobAddress"/>).</summary>
    public string Origin { get; init; } = "";

    /// <summary>
    /// Whose credentials the <c>Authorization</c> header holds: the name of an account (a secret's key in the world, or a user of a plain
    /// registry), also when it is a token issued to that account; <c>anonymous</c> for a token given to nobody; <c>unknown</c> for what no
    /// account here has. <see langword="null"/> without the header.
    /// </summary>
    public string? Account { get; init; }

    /// <summary>
    /// Names of all known secrets found anywhere in the request (URL, headers, form or JSON body): accounts' own, tokens issued to them as
    /// <c>NAME (token)</c>, and <see cref="EmulatorOptions.ForeignSecrets"/>. For tests that no secret reaches a wrong host.
    /// </summary>
    public IReadOnlyList<string> Secrets { get; init; } = [];
}
