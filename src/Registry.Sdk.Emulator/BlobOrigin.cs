using System.Globalization;
using System.Security.Cryptography;
using System.Text;

namespace Registry.Sdk.Emulator;

/// <summary>
/// The other origin that GHCR and Docker Hub redirect blob downloads to. Its URLs are signed, and like the storage services behind the
/// real ones it refuses requests that bring an <c>Authorization</c> header as well.
/// </summary>
internal sealed class BlobOrigin(RegistryStore store)
{
    private static readonly TimeSpan UrlLifetime = TimeSpan.FromMinutes(10);
    private readonly byte[] _key = RandomNumberGenerator.GetBytes(32);

    /// <summary>Where it listens; set when the server knows.</summary>
    public Uri? Address { get; set; }

    public string UrlOf(string digest)
    {
        var expires = DateTimeOffset.UtcNow.Add(UrlLifetime).ToUnixTimeSeconds().ToString(CultureInfo.InvariantCulture);
        return new Uri(Address!, $"/blobs/{digest}?se={expires}&sig={Sign(digest, expires)}").AbsoluteUri;
    }

    public async Task AnswerAsync(HttpContext context)
    {
        var digest = (context.Request.Path.Value ?? "").Split('/') is ["", "blobs", var last] && ImageReference.IsDigest(last) ? last : null;
        string? expires = context.Request.Query["se"];
        if (digest is null || expires is null || Sign(digest, expires) != context.Request.Query["sig"]
            || long.Parse(expires, CultureInfo.InvariantCulture) < DateTimeOffset.UtcNow.ToUnixTimeSeconds())
        {
            context.Response.StatusCode = StatusCodes.Status403Forbidden;
            return;
        }

        if (context.Request.Headers.ContainsKey("Authorization"))
        {
            context.Response.StatusCode = StatusCodes.Status400BadRequest;
            return;
        }

        if (store.FindContent(digest) is not { } file)
        {
            context.Response.StatusCode = StatusCodes.Status404NotFound;
            return;
        }

        await Results.File(file, "application/octet-stream", enableRangeProcessing: true).ExecuteAsync(context);
    }

    private string Sign(string digest, string expires) => Convert.ToHexStringLower(HMACSHA256.HashData(_key, Encoding.UTF8.GetBytes(digest + expires)));
}
