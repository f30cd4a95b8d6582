namespace Truxe.Api.Auth;

/// <summary>Login with the account of somebody else's OAuth provider.</summary>
public static class OAuthLogin
{
    public static void Map(WebApplication app) => app.MapGet("/oauth/login", (string provider) => provider is "github" or "google" ? Results.Ok(new { redirect = $"https://{provider}.com/login/oauth/authorize" }) : Results.NotFound());
}
