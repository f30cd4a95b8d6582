using Truxe.Core;

namespace Truxe.Api.Auth;

/// <summary>Login by a link that is sent by mail.</summary>
public static class MagicLink
{
    public static void Map(WebApplication app) => app.MapPost("/magic-link", (string mail) => new { sent = Accounts.IsMail(mail), token = Accounts.NewToken() });
}
