using System.Text.Encodings.Web;
using System.Text.Json;

namespace Registry.Sdk.Emulator;

/// <summary>Error codes of OCI distribution-spec 1.1.1, section "Error Codes".</summary>
internal static class ErrorCode
{
    public const string BlobUnknown = "BLOB_UNKNOWN";
    public const string BlobUploadInvalid = "BLOB_UPLOAD_INVALID";
    public const string BlobUploadUnknown = "BLOB_UPLOAD_UNKNOWN";
    public const string DigestInvalid = "DIGEST_INVALID";
    public const string ManifestBlobUnknown = "MANIFEST_BLOB_UNKNOWN";
    public const string ManifestInvalid = "MANIFEST_INVALID";
    public const string ManifestUnknown = "MANIFEST_UNKNOWN";
    public const string NameInvalid = "NAME_INVALID";
    public const string NameUnknown = "NAME_UNKNOWN";
    public const string SizeInvalid = "SIZE_INVALID";
    public const string Unauthorized = "UNAUTHORIZED";
    public const string Denied = "DENIED";
    public const string Unsupported = "UNSUPPORTED";
    public const string TooManyRequests = "TOOMANYREQUESTS";
}

/// <summary>JSON as people write it: <c>+</c> and quotes unescaped, for nothing of ours is put into HTML.</summary>
internal static class ReadableJson
{
    public static JsonSerializerOptions Options { get; } = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };
}

/// <summary>A refusal: becomes the status and the error JSON of the specification.</summary>
/// <remarks>An exception because it ends a request from any depth; it never leaves the emulator.</remarks>
#pragma warning disable CA1032, CA1064 // Made in one way only, and caught in one place of this assembly.
internal sealed class RegistryException(int status, string code, string message) : Exception(message)
#pragma warning restore CA1032, CA1064
{
    public int Status => status;

    public string Code => code;

    public static Task WriteAsync(HttpContext context, int status, string code, string message)
    {
        context.Response.StatusCode = status;
        if (HttpMethods.IsHead(context.Request.Method))
        {
            return Task.CompletedTask;
        }

        var body = JsonSerializer.SerializeToUtf8Bytes(new { errors = new[] { new { code, message } } }, ReadableJson.Options);
        context.Response.ContentType = "application/json";
        context.Response.ContentLength = body.Length;
        return context.Response.Body.WriteAsync(body, context.RequestAborted).AsTask();
    }
}
