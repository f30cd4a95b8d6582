using System.Security.Cryptography;
using System.Text;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;

namespace Registry.Sdk.Core.Editions;

/// <summary>What the licence of a package is, and what says so.</summary>
/// <param name="Expression">An SPDX expression; null if it is not known.</param>
/// <param name="Source">What says so, or what there is instead, in a few words.</param>
internal sealed record StatedLicense(string? Expression, string Source);

/// <summary>Reads the licence of a package from the nuspec in its folder. Source: learn.microsoft.com, «.nuspec reference», license and licenseUrl.</summary>
internal static partial class PackageLicenses
{
    private const int MaxNuspec = 1024 * 1024;
    private const int MaxText = 128 * 1024;

    /// <summary>SHA-256 of Apache-2.0 as <see cref="Words"/> reads it, from «Apache License» to «END OF TERMS AND CONDITIONS». The text is too long to stand here.</summary>
    private const string ApacheHash = "e49a4b3d371ed427326adaf78ff8f45ad336797ecbc059a71aa7e854e0e94fc7";

    private const string AsIs =
        "this software is provided by the copyright holders and contributors as is and any express or implied warranties including but not limited to the implied warranties of merchantability and fitness for a particular purpose are disclaimed "
        + "in no event shall the copyright (holder|owner|holders) or contributors be liable for any direct indirect incidental special exemplary or consequential damages including but not limited to procurement of substitute goods or services loss of use data or profits or business interruption "
        + "however caused and on any theory of liability whether in contract strict liability or tort including negligence or otherwise arising in any way out of the use of this software even if advised of the possibility of such damage";

    private const string Redistribution =
        "redistribution and use in source and binary forms with or without modification are permitted provided that the following conditions are met "
        + "(1 )?redistributions of source code must retain the above copyright notice this list of conditions and the following disclaimer "
        + "(2 )?redistributions in binary form must reproduce the above copyright notice this list of conditions and the following disclaimer in the documentation and or other materials provided with the distribution ";

    private static readonly (string Id, Regex Text)[] Texts =
    [
        ("MIT", Whole(
            "permission is hereby granted free of charge to any person obtaining a copy of this software and associated documentation files the software to deal in the software without restriction including without limitation the rights to use copy modify merge publish distribute sublicense and or sell copies of the software and to permit persons to whom the software is furnished to do so subject to the following conditions "
            + "the above copyright notice and this permission notice( including the next paragraph)? shall be included in all copies or substantial portions of the software "
            + "the software is provided as is without warranty of any kind express or implied including but not limited to the warranties of merchantability fitness for a particular purpose and noninfringement "
            + "in no event shall the authors or copyright holders be liable for any claim damages or other liability whether in an action of contract tort or otherwise arising from out of or in connection with the software or the use or other dealings in the software")),
        ("BSD-2-Clause", Whole(Redistribution + AsIs)),
        ("BSD-3-Clause", Whole(Redistribution + "(3 )?neither the name of [a-z0-9 ]{1,80} nor the names of (its|his|their|other) contributors may be used to endorse or promote products derived from this software without specific prior written permission " + AsIs)),
    ];

    /// <summary>Addresses that packages name in <c>licenseUrl</c> and that always mean one licence.</summary>
    private static readonly Dictionary<string, string> Addresses = new(StringComparer.OrdinalIgnoreCase)
    {
        ["www.apache.org/licenses/LICENSE-2.0"] = "Apache-2.0",
        ["www.apache.org/licenses/LICENSE-2.0.txt"] = "Apache-2.0",
        ["www.apache.org/licenses/LICENSE-2.0.html"] = "Apache-2.0",
        ["www.opensource.org/licenses/mit-license.php"] = "MIT",
        ["www.opensource.org/licenses/apache2.0.php"] = "Apache-2.0",
        ["www.opensource.org/licenses/bsd-license.php"] = "BSD-2-Clause",
        ["www.gnu.org/licenses/gpl-3.0.html"] = "GPL-3.0-only",
        ["www.gnu.org/licenses/lgpl-3.0.html"] = "LGPL-3.0-only",
        ["www.gnu.org/licenses/agpl-3.0.html"] = "AGPL-3.0-only",
        ["www.mozilla.org/MPL/2.0"] = "MPL-2.0",
        ["github.com/dotnet/corefx/blob/master/LICENSE.TXT"] = "MIT",
        ["github.com/dotnet/standard/blob/master/LICENSE.TXT"] = "MIT",
        // Microsoft's own terms for the .NET libraries of before 2019: no open source licence, and on no list.
        ["go.microsoft.com/fwlink/?LinkId=329770"] = "LicenseRef-Microsoft-NET-Library",
        ["go.microsoft.com/fwlink/?LinkId=248155"] = "LicenseRef-Microsoft-NET-Library",
        ["www.microsoft.com/web/webpi/eula/net_library_eula_enu.htm"] = "LicenseRef-Microsoft-NET-Library",
    };

    /// <summary>Reads it.</summary>
    /// <param name="folder">Absolute path of the package's folder.</param>
    public static StatedLicense Read(string folder)
    {
        try
        {
            if (!Directory.Exists(folder) || Directory.EnumerateFiles(folder, "*.nuspec").Order(StringComparer.Ordinal).FirstOrDefault() is not { } nuspec || new FileInfo(nuspec).Length > MaxNuspec)
            {
                return new(null, "its folder has no nuspec");
            }

            using var reader = XmlReader.Create(nuspec, new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null });
            var metadata = XDocument.Load(reader).Root?.Elements().FirstOrDefault(e => e.Name.LocalName == "metadata");
            var license = Child(metadata, "license");
            return ((string?)license?.Attribute("type"))?.Trim() switch
            {
                "expression" => new(license!.Value.Trim(), "nuspec"),
                "file" => FromFile(folder, license!.Value.Trim()),
                _ => FromAddress(Child(metadata, "licenseUrl")?.Value.Trim() ?? string.Empty),
            };
        }
        catch (Exception e) when (e is XmlException or IOException or UnauthorizedAccessException)
        {
            return new(null, "its nuspec can't be read");
        }
    }

    /// <summary>The id of a text if it is, word for word, a licence; null otherwise. Titles and copyright lines before it do not count.</summary>
    internal static string? Recognize(string text)
    {
        var body = string.Join('\n', text.Split('\n').Where(l => !Title().IsMatch(l.Trim())));
        var words = Words(body);
        if (Texts.FirstOrDefault(t => t.Text.IsMatch(words)) is { Id: { } id })
        {
            return id;
        }

        var all = Words(text);
        const string Begin = "apache license version 2 0 january 2004";
        const string End = "end of terms and conditions";
        var (begin, end) = (all.IndexOf(Begin, StringComparison.Ordinal), all.IndexOf(End, StringComparison.Ordinal));

        // Behind the end stands the appendix; before the beginning nothing may stand that could change it.
        return begin == 0 && end > 0 && Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(all[..end]))) == ApacheHash
            && (all.Length == end + End.Length || all[(end + End.Length)..].TrimStart().StartsWith("appendix how to apply the apache license to your work", StringComparison.Ordinal))
            && all.Length - end < 2_500 ? "Apache-2.0" : null;
    }

    private static StatedLicense FromFile(string folder, string name)
    {
        var path = Path.GetFullPath(Path.Combine(folder, name.Replace('\\', '/')));
        return path.StartsWith(folder, StringComparison.Ordinal) && new FileInfo(path) is { Exists: true, Length: < MaxText } && Recognize(File.ReadAllText(path)) is { } id
            ? new(id, "licence file") : new(null, $"its licence file {name} is not word for word one that is known");
    }

    private static StatedLicense FromAddress(string address)
    {
        const string NuGet = "licenses.nuget.org/";
        const string OpenSource = "opensource.org/licenses/";
        if (address.Length == 0)
        {
            return new(null, "its nuspec states none");
        }

        var place = Scheme().Replace(address, string.Empty).TrimEnd('/');
        var name = Uri.UnescapeDataString(place[(place.LastIndexOf('/') + 1)..]);
        var known = place.StartsWith(NuGet, StringComparison.OrdinalIgnoreCase) ? Uri.UnescapeDataString(place[NuGet.Length..])
            : Addresses.GetValueOrDefault(place) ?? Addresses.GetValueOrDefault("www." + place)
            ?? (place.Replace("www.", string.Empty, StringComparison.OrdinalIgnoreCase).StartsWith(OpenSource, StringComparison.OrdinalIgnoreCase) && LicensePolicy.IsOpenSource(name) ? name : null);
        return known is not null && SpdxExpression.TryParse(known, out _) ? new(known, "licenseUrl") : new(null, $"its nuspec has only the address {address}");
    }

    private static XElement? Child(XElement? parent, string name) => parent?.Elements().FirstOrDefault(e => e.Name.LocalName == name);

    private static Regex Whole(string text) => new($"^{text}$", RegexOptions.CultureInvariant | RegexOptions.NonBacktracking | RegexOptions.ExplicitCapture, TimeSpan.FromSeconds(1));

    /// <summary>Lower-case words with single blanks; marks of any kind are none.</summary>
    private static string Words(string text)
    {
        var result = new StringBuilder(text.Length);
        foreach (var c in text)
        {
            if (char.IsAsciiLetterOrDigit(c))
            {
                result.Append(char.ToLowerInvariant(c));
            }
            else if (result.Length > 0 && result[^1] != ' ')
            {
                result.Append(' ');
            }
        }

        return result.ToString().TrimEnd();
    }

    [GeneratedRegex(@"^\W*((the )?mit license( \(mit\))?|(the )?(new |modified |simplified )?bsd( \d-clause)?( [""\w ]+)? license|bsd \d-clause license|(portions )?copyright\b.*|\(c\).*|©.*|all rights reserved\.?)\W*$", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Title();

    [GeneratedRegex("^https?://", RegexOptions.IgnoreCase | RegexOptions.CultureInvariant, matchTimeoutMilliseconds: 1000)]
    private static partial Regex Scheme();
}
