using System.Text.RegularExpressions;

namespace Registry.Sdk.Core.Editions;

/// <summary>What licences allow.</summary>
public static partial class LicensePolicy
{
    // Source: opensource.org/licenses, as far as the default list of an edition goes, and the common copyleft ones.
    private static readonly HashSet<string> OpenSource = new(StringComparer.OrdinalIgnoreCase)
    {
        "MIT", "MIT-0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "0BSD", "Zlib", "Unlicense", "MS-PL", "Unicode-3.0", "BSL-1.0",
        "MPL-2.0", "LGPL-2.1-only", "LGPL-2.1-or-later", "LGPL-3.0-only", "LGPL-3.0-or-later", "GPL-2.0-only", "GPL-2.0-or-later", "GPL-3.0-only", "GPL-3.0-or-later", "AGPL-3.0-only", "AGPL-3.0-or-later",
    };

    /// <summary>Whether all that an SPDX expression names is open source.</summary>
    public static bool IsOpenSource(string expression)
    {
        ArgumentNullException.ThrowIfNull(expression);
        return Name().Matches(expression).Select(m => m.Value).Where(n => n is not ("AND" or "OR" or "WITH")).All(OpenSource.Contains);
    }

    [GeneratedRegex("[A-Za-z0-9.+:-]+", RegexOptions.NonBacktracking)]
    private static partial Regex Name();
}
