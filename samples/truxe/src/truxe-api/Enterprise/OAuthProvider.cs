// SPDX-License-Identifier: BUSL-1.1
using System.IdentityModel.Tokens.Jwt;
using System.Security.Cryptography;
using Microsoft.IdentityModel.Tokens;

namespace Truxe.Api.Enterprise;

/// <summary>Truxe as the OAuth provider of other applications.</summary>
public static class OAuthProvider
{
    private static readonly SymmetricSecurityKey Key = new(RandomNumberGenerator.GetBytes(32));

    public static void Map(WebApplication app)
    {
        app.MapGet("/.well-known/openid-configuration", (HttpRequest request) => new { issuer = $"https://{request.Host}", token_endpoint = $"https://{request.Host}/oauth/token" });
        app.MapPost("/oauth/token", (string client) => new { id_token = new JwtSecurityTokenHandler().WriteToken(new JwtSecurityToken("truxe", client, signingCredentials: new(Key, SecurityAlgorithms.HmacSha256))) });
    }
}
