namespace Registry.Sdk.Emulator;

/// <summary>One request the emulator received, for tests to assert on. Holds no header values, so no secret either.</summary>
/// <param name="Index">Order of arrival, from 0.</param>
/// <param name="Method">HTTP method, upper case.</param>
/// <param name="PathAndQuery">Path, and the query with the values of unknown parameters replaced by <c>***</c>.</param>
/// <param name="Status">HTTP status; 0 while no answer has begun (also for a connection dropped before one).</param>
/// <param name="RequestBytes">Bytes of the request body that were read. Framing is not counted; an ignored body counts 0.</param>
/// <param name="ResponseBytes">Bytes of the response body that were written.</param>
/// <param name="HasAuthorization">Whether an <c>Authorization</c> header came along. Its value is kept nowhere.</param>
public sealed record RequestRecord(
    int Index, string Method, string PathAndQuery, int Status, long RequestBytes, long ResponseBytes, bool HasAuthorization);
