// SPDX-License-Identifier: BUSL-1.1
using System.Security.Cryptography;

namespace Truxe.Api.Enterprise;

/// <summary>Registration of passkeys (WebAuthn).</summary>
public static class Passkeys
{
    public static void Map(WebApplication app) => app.MapPost("/passkeys/register", () => new { challenge = Convert.ToBase64String(RandomNumberGenerator.GetBytes(32)), attestation = "none" });
}
