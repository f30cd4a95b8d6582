using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;

namespace Registry.Sdk.Core.Versioning;

/// <summary>What a tag may be called, by the OCI distribution spec 1.1: <c>[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}</c>.</summary>
public static partial class TagNames
{
    /// <summary>The longest tag, in characters.</summary>
    public const int MaxLength = 128;

    private const int HashLength = 7;

    /// <summary>Whether every registry must accept the name.</summary>
    public static bool IsLegal(string name) => Legal().IsMatch(name);

    /// <summary>
    /// The part of a tag that stands for a branch. Each run of characters that no tag may hold becomes one <c>-</c>; a name legal then, and short enough,
    /// is used as it is. Else it is mended: leading <c>.</c> and <c>-</c> go, it is cut, and ends in <c>-</c> and 7 hex digits of the SHA-256 of the
    /// branch's full name (UTF-8), so that two mended names stay two tags.
    /// </summary>
    /// <param name="branch">The full name, without <c>refs/heads/</c>.</param>
    /// <param name="room">How long it may be, at most <see cref="MaxLength"/>: less where the tag has other parts. At least 16 are assumed.</param>
    /// <param name="mend">Mend it in any case.</param>
    public static string OfBranch(string branch, int room = MaxLength, bool mend = false)
    {
        var name = IllegalRun().Replace(branch, "-");
        if (!mend && name.Length <= room && IsLegal(name))
        {
            return name;
        }

        var hash = Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(branch)))[..HashLength];
        name = name.TrimStart('.', '-');
        name = name[..Math.Min(name.Length, Math.Max(room, 16) - HashLength - 1)];

        // Nothing left: the name was all characters like 日本.
        return $"{(name.Length == 0 ? "branch" : name)}-{hash}";
    }

    [GeneratedRegex(@"\A[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Legal();

    [GeneratedRegex("[^A-Za-z0-9._-]+", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex IllegalRun();
}
