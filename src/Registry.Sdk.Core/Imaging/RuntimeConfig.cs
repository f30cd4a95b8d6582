using System.Text.Json;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>One shared framework that an application asks for.</summary>
/// <param name="Name">For instance <c>Microsoft.NETCore.App</c>.</param>
/// <param name="Version">At least this.</param>
/// <param name="RollForward">What the file says about newer ones; null if nothing.</param>
internal sealed record FrameworkReference(string Name, string Version, string? RollForward);

/// <summary>
/// What an application's <c>*.runtimeconfig.json</c> says. Source: dotnet/sdk, documentation/specs/runtime-configuration-file.md; dotnet/runtime,
/// docs/design/features/framework-version-resolution.md.
/// </summary>
/// <param name="Frameworks">The shared frameworks it needs: none if it brings its own.</param>
/// <param name="HasLegacyRollForward">Whether settings from before .NET Core 3.0 (<c>applyPatches</c>, <c>rollForwardOnNoCandidateFx</c>) have a say.</param>
/// <param name="UsesRidGraph">Whether native libraries are looked for by distribution (<c>System.Runtime.Loader.UseRidGraph</c>).</param>
internal sealed record RuntimeConfig(IReadOnlyList<FrameworkReference> Frameworks, bool HasLegacyRollForward, bool UsesRidGraph)
{
    private const int MaxBytes = 1024 * 1024;

    /// <summary>Reads a file of the bill; null if it is no runtime configuration, or is gone.</summary>
    public static RuntimeConfig? Read(BillFile file) => BoundedFile.Read(file, MaxBytes) is { } json ? Parse(json) : null;

    /// <summary>Reads the file's content; null if it is not what the .NET SDK writes.</summary>
    public static RuntimeConfig? Parse(byte[] json)
    {
        try
        {
            using var document = StrictJson.Document(json);
            var options = document.RootElement.GetProperty("runtimeOptions");
            var general = Text(options, "rollForward");
            var frameworks = new List<FrameworkReference>();
            var legacy = IsLegacy(options);
            IEnumerable<JsonElement> named =
            [
                .. options.TryGetProperty("framework", out var one) ? [one] : Array.Empty<JsonElement>(),
                .. options.TryGetProperty("frameworks", out var several) ? several.EnumerateArray() : default,
            ];
            foreach (var framework in named)
            {
                frameworks.Add(new(framework.GetProperty("name").GetString()!, framework.GetProperty("version").GetString()!, Text(framework, "rollForward") ?? general));
                legacy |= IsLegacy(framework);
            }

            var ridGraph = options.TryGetProperty("configProperties", out var properties)
                && properties.TryGetProperty("System.Runtime.Loader.UseRidGraph", out var use)
                && (use.ValueKind == JsonValueKind.True || (use.ValueKind == JsonValueKind.String && string.Equals(use.GetString(), "true", StringComparison.OrdinalIgnoreCase)));
            return frameworks.Exists(f => f.Name is null || f.Version is null) ? null : new(frameworks, legacy, ridGraph);
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }

    private static string? Text(JsonElement element, string name) => element.TryGetProperty(name, out var value) ? value.GetString() : null;

    private static bool IsLegacy(JsonElement element) => element.TryGetProperty("applyPatches", out _) || element.TryGetProperty("rollForwardOnNoCandidateFx", out _);
}
