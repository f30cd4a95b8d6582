using System.Security.Cryptography;
using System.Text;

namespace Registry.Sdk.Emulator;

/// <summary>The specification as written; Basic auth when there are users.</summary>
internal sealed class PlainPersonality(EmulatorOptions options) : Personality
{
    public override bool AllowsDelete => options.AllowDelete;

    public override string? IdentifyAccount(string authorization) =>
        Credentials.FromHeader(authorization) is { UserName: { } name } credentials && options.Users.TryGetValue(name, out var user) && SamePassword(credentials.Secret, user.Password)
            ? name
            : null;

    public override IEnumerable<KeyValuePair<string, string>> KnownSecrets() => options.Users.Select(user => KeyValuePair.Create(user.Key, user.Value.Password));

    public override void Authorize(HttpContext context, string? repository, EmulatorRights needed)
    {
        if (options.Users.Count == 0)
        {
            return;
        }

        var credentials = Credentials.FromHeader(context.Request.Headers.Authorization);
        if (credentials is null && context.Request.Headers.Authorization.Count == 0
            && options.AnonymousPull && repository is not null && needed == EmulatorRights.Pull)
        {
            return;
        }

        // Wrong credentials are refused even where none would do, as real registries refuse them.
        if (credentials?.UserName is not { } name || !options.Users.TryGetValue(name, out var user) || !SamePassword(credentials.Secret, user.Password))
        {
            context.Response.Headers.WWWAuthenticate = "Basic realm=\"emulator\"";
            throw new RegistryException(StatusCodes.Status401Unauthorized, ErrorCode.Unauthorized, "authentication required");
        }

        if (repository is not null && user.Rights < needed)
        {
            throw new RegistryException(
                StatusCodes.Status403Forbidden, ErrorCode.Denied, $"requested access to the resource is denied: {name} has no {(needed == EmulatorRights.Push ? "push" : "pull")} right");
        }
    }

    private static bool SamePassword(string given, string expected) =>
        CryptographicOperations.FixedTimeEquals(Encoding.UTF8.GetBytes(given), Encoding.UTF8.GetBytes(expected));
}
