using System.Text.Json;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Editions;

/// <summary>One static web asset as the .NET SDK publishes it.</summary>
/// <param name="Source">Absolute path of the file that somebody wrote (or of what was computed): of a compressed one the original.</param>
/// <param name="Identity">Absolute path of the file itself.</param>
/// <param name="SourceId">The project or package it is of.</param>
/// <param name="IsPackage">Whether that is a package.</param>
internal sealed record StaticWebAsset(string Source, string Identity, string SourceId, bool IsPackage);

/// <summary>The publish manifest of static web assets, by content: its relative paths hold fingerprint tokens, so names are nothing to join on.</summary>
internal static class StaticWebAssets
{
    private const int MaxSize = 256 * 1024 * 1024;

    /// <summary>Assets by SHA-256 (hex) of the published file; empty if there is no manifest.</summary>
    public static IReadOnlyDictionary<string, StaticWebAsset> Read(string path)
    {
        var found = new Dictionary<string, StaticWebAsset>(StringComparer.Ordinal);
        try
        {
            if (path.Length == 0 || new FileInfo(path) is not { Exists: true, Length: < MaxSize })
            {
                return found;
            }

            using var document = StrictJson.Document(File.ReadAllBytes(path));
            foreach (var asset in document.RootElement.GetProperty("Assets").EnumerateArray())
            {
                var digest = Convert.FromBase64String(Text(asset, "Integrity"));
                var (identity, related) = (Text(asset, "Identity"), Text(asset, "RelatedAsset"));
                if (identity.Length == 0 || (identity + related).Contains('\0', StringComparison.Ordinal))
                {
                    continue; // no path at all: it explains nothing
                }

                found.TryAdd(Convert.ToHexStringLower(digest), new(related.Length > 0 ? related : identity, identity, Text(asset, "SourceId"), Text(asset, "SourceType") == "Package"));
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException or IOException or UnauthorizedAccessException or FormatException)
        {
            // What it does not explain is unexplained.
        }

        return found;
    }

    private static string Text(JsonElement element, string name) => StrictJson.Text(element, name) ?? string.Empty;
}
