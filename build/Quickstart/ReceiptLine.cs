using System.Globalization;
using System.Text.Json;

namespace Registry.Sdk.Quickstart;

/// <summary>What a receipt says of one destination.</summary>
internal sealed record ReceiptLine(string Destination, string? Digest, IReadOnlyList<string> Tags, long Sent, long Mounted, long Skipped, double Seconds)
{
    /// <summary>As the tour prints it.</summary>
    public string Numbers => string.Create(CultureInfo.InvariantCulture, $"{Bytes(Sent)} sent, {Bytes(Mounted)} mounted, {Bytes(Skipped)} skipped (there already), {Seconds:0.0} s");

    /// <summary>Reads <c>receipt.json</c>.</summary>
    public static async Task<IReadOnlyList<ReceiptLine>> ReadAsync(string path, CancellationToken cancellationToken)
    {
        if (!File.Exists(path))
        {
            throw new QuickstartException($"The publish left no receipt at {path}.");
        }

        using var receipt = JsonDocument.Parse(await File.ReadAllTextAsync(path, cancellationToken));
        return [.. receipt.RootElement.GetProperty("images").EnumerateArray()
            .SelectMany(image => image.GetProperty("destinations").EnumerateArray())
            .Where(destination => !destination.TryGetProperty("leftOut", out _))
            .Select(destination => new ReceiptLine(
                destination.GetProperty("name").GetString()!,
                destination.GetProperty("digest").GetString(),
                [.. destination.GetProperty("tags").EnumerateArray().Select(tag => tag.GetProperty("name").GetString()!)],
                destination.GetProperty("bytesSent").GetInt64(),
                destination.GetProperty("bytesMounted").GetInt64(),
                destination.GetProperty("bytesSkipped").GetInt64(),
                destination.GetProperty("seconds").GetDouble()))];
    }

    private static string Bytes(long bytes) => bytes switch
    {
        < 1000 => string.Create(CultureInfo.InvariantCulture, $"{bytes} B"),
        < 1_000_000 => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e3:0.0} kB"),
        _ => string.Create(CultureInfo.InvariantCulture, $"{bytes / 1e6:0.0} MB"),
    };
}
