using Truxe.Core;

namespace Truxe.Api.Auth;

/// <summary>Login by password.</summary>
public static class Password
{
    public static void Map(WebApplication app) => app.MapPost("/password", (string mail, string password) => Accounts.IsMail(mail) && password.Length >= 12 ? Results.Ok(new { token = Accounts.NewToken() }) : Results.Unauthorized());
}
