using NuGet.Versioning;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>
/// Whether an application that asks for one version of a shared framework runs on another. Source: dotnet/runtime,
/// docs/design/features/framework-version-resolution.md, and what the host does: corehost/fx_reference.cpp (<c>is_compatible_with_higher_version</c>).
/// </summary>
internal static class RollForward
{
    /// <summary>
    /// Whether the one version that is there will do; null where a version or the policy can't be read. With a single version to choose from, prereleases
    /// need no rule of their own: a release that finds no release takes a higher prerelease, and a prerelease takes anything higher.
    /// </summary>
    /// <param name="wanted">The version the application names.</param>
    /// <param name="policy">Its roll-forward policy; null: the default.</param>
    /// <param name="available">The version in the image.</param>
    public static bool? Accepts(string wanted, string? policy, string available)
    {
        if (!SemVer.TryParse(wanted, out var asked) || !SemVer.TryParse(available, out var there))
        {
            return null;
        }

        var order = SemVer.Compare(there, asked);
        var rolls = Rolls(policy, asked, there);
        return rolls is null ? null : order == 0 || (order > 0 && rolls.Value);
    }

    private static bool? Rolls(string? policy, SemanticVersion from, SemanticVersion to) => policy?.ToUpperInvariant() switch
    {
        "DISABLE" => false,
        "LATESTPATCH" => from.Major == to.Major && from.Minor == to.Minor,
        null or "MINOR" or "LATESTMINOR" => from.Major == to.Major,
        "MAJOR" or "LATESTMAJOR" => true,
        _ => null,
    };
}
