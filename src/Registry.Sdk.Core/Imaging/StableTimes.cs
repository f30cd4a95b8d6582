using System.Globalization;
using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.Core.Editions;

namespace Registry.Sdk.Core.Imaging;

/// <summary>
/// File times that depend on nothing but content. They do not follow the commit: every layer would change with every commit.
/// </summary>
internal static class StableTimes
{
    /// <summary>What every file has that no browser asks about. One second after the epoch, because some tools take zero for «unknown».</summary>
    public static readonly DateTimeOffset Constant = DateTimeOffset.UnixEpoch.AddSeconds(1);

    // UseStaticFiles makes its ETag of time and length: one constant time for all would answer 304 to a file that changed but kept its length
    // (measured). So what is served has a time made of its content, between 1980 and 2020: always past, always different.
    private static readonly DateTimeOffset ContentEpoch = new(1980, 1, 1, 0, 0, 0, TimeSpan.Zero);
    private const uint ContentSpanSeconds = 40u * 365 * 24 * 3600;

    /// <summary>The time of a file in the image.</summary>
    public static DateTimeOffset For(BillFile file)
        => file.Path.StartsWith("wwwroot/", StringComparison.Ordinal)
            ? ContentEpoch.AddSeconds(uint.Parse(file.Digest.Hex.AsSpan(0, 8), NumberStyles.HexNumber, CultureInfo.InvariantCulture) % ContentSpanSeconds)
            : Constant;

    /// <summary>Whether a file is a static web assets endpoint manifest, which holds file times of the build machine.</summary>
    public static bool IsEndpointManifest(BillFile file)
        => file.Path.EndsWith(".staticwebassets.endpoints.json", StringComparison.Ordinal) && !file.Path.Contains('/', StringComparison.Ordinal);

    /// <summary>The endpoint manifest with each <c>Last-Modified</c> set to the time that the named file has in the image.</summary>
    /// <exception cref="JsonException">The manifest is not what the .NET SDK writes.</exception>
    public static byte[] NormaliseEndpointManifest(byte[] content, IReadOnlyDictionary<string, BillFile> files)
    {
        var manifest = JsonNode.Parse(content, documentOptions: new() { AllowDuplicateProperties = false }) as JsonObject ?? throw new JsonException("not an object");
        if (manifest["Endpoints"] is JsonArray endpoints)
        {
            foreach (var endpoint in endpoints)
            {
                var asset = endpoint?["AssetFile"]?.GetValue<string>();
                var time = asset is not null && files.TryGetValue("wwwroot/" + asset, out var file) ? For(file) : Constant;
                foreach (var header in endpoint?["ResponseHeaders"] as JsonArray ?? [])
                {
                    if (header is JsonObject named && string.Equals(named["Name"]?.GetValue<string>(), "Last-Modified", StringComparison.OrdinalIgnoreCase))
                    {
                        named["Value"] = time.ToString("R", CultureInfo.InvariantCulture);
                    }
                }
            }
        }

        return ImageConfig.Serialise(manifest);
    }
}
