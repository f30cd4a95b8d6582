using Microsoft.AspNetCore.Http;

namespace Registry.Sdk.Registry.Tests.Verification;

/// <summary>Answers that tests give in a registry's place.</summary>
internal static class Answers
{
    public static async Task ErrorAsync(HttpContext context, int status, string code)
    {
        context.Response.StatusCode = status;
        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync($$"""{"errors":[{"code":"{{code}}","message":"no"}]}""");
    }
}
