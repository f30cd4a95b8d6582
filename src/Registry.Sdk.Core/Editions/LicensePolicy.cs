namespace Registry.Sdk.Core.Editions;

/// <summary>What an edition says to a licence.</summary>
public enum LicenseVerdict
{
    /// <summary>It may be in the edition.</summary>
    Allowed,

    /// <summary>It may not.</summary>
    Refused,

    /// <summary>It is no SPDX expression.</summary>
    Malformed,
}

/// <summary>Which licences an edition takes.</summary>
public sealed class LicensePolicy
{
    /// <summary>Licences approved by the Open Source Initiative, by SPDX id; the deprecated ids of the GNU licences too. Source: spdx.org/licenses, column «OSI approved».</summary>
    private static readonly HashSet<string> OpenSource = new(
        """
        0BSD AAL AFL-1.1 AFL-1.2 AFL-2.0 AFL-2.1 AFL-3.0 AGPL-3.0 AGPL-3.0-only AGPL-3.0-or-later Apache-1.1 Apache-2.0 APL-1.0 APSL-1.0 APSL-1.1
        APSL-1.2 APSL-2.0 Artistic-1.0 Artistic-1.0-cl8 Artistic-1.0-Perl Artistic-2.0 BlueOak-1.0.0 BSD-1-Clause BSD-2-Clause BSD-2-Clause-Patent
        BSD-3-Clause BSD-3-Clause-LBNL BSL-1.0 CAL-1.0 CAL-1.0-Combined-Work-Exception CATOSL-1.1 CDDL-1.0 CECILL-2.1 CERN-OHL-P-2.0 CERN-OHL-S-2.0
        CERN-OHL-W-2.0 CNRI-Python CPAL-1.0 CPL-1.0 CUA-OPL-1.0 ECL-1.0 ECL-2.0 EFL-1.0 EFL-2.0 Entessa EPL-1.0 EPL-2.0 EUDatagrid EUPL-1.1 EUPL-1.2
        Fair Frameworx-1.0 GPL-2.0 GPL-2.0-only GPL-2.0-or-later GPL-3.0 GPL-3.0-only GPL-3.0-or-later HPND ICU Intel IPA IPL-1.0 ISC Jam JPL-image
        LGPL-2.0 LGPL-2.0-only LGPL-2.0-or-later LGPL-2.1 LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0 LGPL-3.0-only LGPL-3.0-or-later LiLiQ-P-1.1
        LiLiQ-R-1.1 LiLiQ-Rplus-1.1 LPL-1.0 LPL-1.02 LPPL-1.3c MirOS MIT MIT-0 MIT-Modern-Variant Motosoto MPL-1.0 MPL-1.1 MPL-2.0
        MPL-2.0-no-copyleft-exception MS-PL MS-RL MulanPSL-2.0 Multics NASA-1.3 Naumen NCSA NGPL Nokia NPOSL-3.0 NTP OFL-1.1 OFL-1.1-no-RFN OFL-1.1-RFN
        OGTSL OLDAP-2.8 OLFL-1.3 OSC-1.0 OSET-PL-2.1 OSL-1.0 OSL-2.0 OSL-2.1 OSL-3.0 PHP-3.0 PHP-3.01 PostgreSQL Python-2.0 QPL-1.0 RPL-1.1 RPL-1.5
        RPSL-1.0 RSCPL SimPL-2.0 SISSL Sleepycat SPL-1.0 UCL-1.0 Unicode-3.0 Unicode-DFS-2015 Unicode-DFS-2016 Unlicense UPL-1.0 VSL-1.0 W3C W3C-20150513
        Watcom-1.0 Xnet Zlib ZPL-2.0 ZPL-2.1
        """.Split((char[])[' ', '\r', '\n'], StringSplitOptions.RemoveEmptyEntries), StringComparer.OrdinalIgnoreCase);

    private readonly HashSet<string> _ids;

    private LicensePolicy(HashSet<string> ids) => _ids = ids;

    /// <summary>What every edition takes unless <c>ContainerEditionAllowedLicenses</c> says otherwise: short permissive licences.</summary>
    public static IReadOnlyList<string> DefaultAllowed { get; } =
        ["MIT", "MIT-0", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "0BSD", "Zlib", "Unlicense", "MS-PL", "Unicode-3.0", "BSL-1.0"];

    /// <summary>The policy of an edition.</summary>
    /// <param name="license">The edition's own licence, an SPDX expression; allowed is each id in it, and so the whole.</param>
    /// <param name="allowedLicenses">SPDX ids in place of <see cref="DefaultAllowed"/>; empty: those.</param>
    public static LicensePolicy Of(string license, IReadOnlyList<string> allowedLicenses)
    {
        ArgumentNullException.ThrowIfNull(license);
        ArgumentNullException.ThrowIfNull(allowedLicenses);
        var ids = new HashSet<string>((allowedLicenses.Count > 0 ? allowedLicenses : DefaultAllowed).Select(l => l.Trim().TrimEnd('+')), StringComparer.OrdinalIgnoreCase);
        if (SpdxExpression.TryParse(license, out var own))
        {
            ids.UnionWith(own.Ids);
        }

        return new(ids);
    }

    /// <summary>Whether all of an expression can be had under open source licences alone. False for what is no expression.</summary>
    public static bool IsOpenSource(string expression) => SpdxExpression.TryParse(expression, out var parsed) && parsed.IsSatisfiedBy(OpenSource.Contains);

    /// <summary>The name in an expression that people take for the Business Source License and SPDX does not know (<c>BSL</c>, <c>BSL-1.1</c>); null if there is none.</summary>
    public static string? MistakenName(string expression)
        => SpdxExpression.TryParse(expression, out var parsed)
            ? parsed.Ids.FirstOrDefault(i => string.Equals(i, "BSL", StringComparison.OrdinalIgnoreCase) || string.Equals(i, "BSL-1.1", StringComparison.OrdinalIgnoreCase))
            : null;

    /// <summary>Judges an expression.</summary>
    public LicenseVerdict Judge(string expression)
    {
        ArgumentNullException.ThrowIfNull(expression);
        return !SpdxExpression.TryParse(expression, out var parsed) ? LicenseVerdict.Malformed
            : parsed.IsSatisfiedBy(_ids.Contains) ? LicenseVerdict.Allowed
            : LicenseVerdict.Refused;
    }
}
