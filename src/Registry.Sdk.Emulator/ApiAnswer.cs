using System.Globalization;
using System.Text.Json;

namespace Registry.Sdk.Emulator;

/// <summary>A refusal of a service's own API: a status and a sentence.</summary>
#pragma warning disable CA1032, CA1064 // Made in a few ways only, and caught in this assembly.
internal sealed class ApiRefusal(int status, string message) : Exception(message)
#pragma warning restore CA1032, CA1064
{
    public int Status => status;
}

/// <summary>What the two APIs have in common.</summary>
internal static class ApiAnswer
{
    public static async Task WriteAsync(HttpContext context, int status, object value)
    {
        context.Response.StatusCode = status;
        var body = JsonSerializer.SerializeToUtf8Bytes(value, ReadableJson.Options);
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        if (!HttpMethods.IsHead(context.Request.Method))
        {
            await context.Response.Body.WriteAsync(body, context.RequestAborted);
        }
    }

    /// <summary>Path segments below <c>/api</c>, unescaped one by one so that <c>%2F</c> stays in its segment; <see langword="null"/>: not there.</summary>
    public static string[]? Segments(HttpContext context)
    {
        const string Root = "/api/";
        var path = context.Request.Path.Value ?? "";
        return path.StartsWith(Root, StringComparison.Ordinal) ? [.. path[Root.Length..].Split('/').Select(Uri.UnescapeDataString)] : null;
    }

    public static int Number(HttpContext context, string name, int fallback) =>
        int.TryParse(context.Request.Query[name], NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : fallback;

    /// <summary>The members of a JSON object in the request's body.</summary>
    public static async Task<JsonElement> ReadObjectAsync(HttpContext context)
    {
        try
        {
            using var document = await JsonDocument.ParseAsync(context.Request.Body, cancellationToken: context.RequestAborted);
            return document.RootElement.ValueKind == JsonValueKind.Object ? document.RootElement.Clone() : throw new ApiRefusal(StatusCodes.Status400BadRequest, "a JSON object is expected");
        }
        catch (JsonException)
        {
            throw new ApiRefusal(StatusCodes.Status400BadRequest, "Problems parsing JSON");
        }
    }

    public static string? Text(this JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    public static bool? Flag(this JsonElement element, string name) =>
        element.TryGetProperty(name, out var value) && value.ValueKind is JsonValueKind.True or JsonValueKind.False ? value.GetBoolean() : null;
}
