using System.Text;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;

namespace Registry.Sdk.Core.Editions;

/// <summary>One <c>LicensedPath</c> as it is written.</summary>
/// <param name="File">Absolute path of the MSBuild file.</param>
/// <param name="Pattern">One of its patterns, as written.</param>
/// <param name="License">Its licence as written.</param>
internal sealed record WrittenPattern(string File, string Pattern, string License);

/// <summary>
/// What <c>LicensedPath</c> items say in the text of MSBuild files. Their globs are case-sensitive and expanded by evaluation, and one that
/// matches nothing leaves no item: its licence is lost. Here each is matched again, without regard to case.
/// </summary>
internal static class LicensedPatterns
{
    private const int MaxFileSize = 4 * 1024 * 1024;
    private const int MaxFiles = 200_000;
    private static readonly TimeSpan MatchTimeout = TimeSpan.FromSeconds(1);

    /// <summary>The patterns of a file; none if it is no XML.</summary>
    public static IReadOnlyList<(WrittenPattern Written, string Exclude)> Read(string file)
    {
        try
        {
            if (new FileInfo(file) is not { Exists: true, Length: < MaxFileSize })
            {
                return [];
            }

            using var reader = XmlReader.Create(file, new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null });
            return
            [
                .. from element in XDocument.Load(reader).Descendants().Where(e => e.Name.LocalName == "LicensedPath")
                   let license = (string?)element.Attribute("License") ?? (string?)element.Elements().FirstOrDefault(e => e.Name.LocalName == "License") ?? string.Empty
                   from pattern in ((string?)element.Attribute("Include") ?? string.Empty).Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
                   select (new WrittenPattern(file, pattern, license.Trim()), (string?)element.Attribute("Exclude") ?? string.Empty),
            ];
        }
        catch (Exception e) when (e is XmlException or IOException or UnauthorizedAccessException)
        {
            return []; // MSBuild has read it; if it is unreadable now, evaluation's items still count
        }
    }

    /// <summary>The pattern as an absolute one with <c>/</c>; null if it holds what only evaluation knows.</summary>
    public static string? Absolute(string pattern, string file, string project)
    {
        var projectFolder = Path.GetDirectoryName(project)!;
        var text = pattern
            .Replace("$(MSBuildThisFileDirectory)", Path.GetDirectoryName(file) + "/", StringComparison.OrdinalIgnoreCase)
            .Replace("$(MSBuildProjectDirectory)", projectFolder, StringComparison.OrdinalIgnoreCase)
            .Replace('\\', '/');
        return text.Contains("$(", StringComparison.Ordinal) || text.Contains("@(", StringComparison.Ordinal) || text.Contains("%(", StringComparison.Ordinal) || text.Contains('%', StringComparison.Ordinal)
            ? null : Path.GetFullPath(text, projectFolder).Replace('\\', '/');
    }

    /// <summary>Files that an absolute pattern names if case is not regarded.</summary>
    public static IReadOnlyList<string> Match(string pattern, string exclude, string file, string project)
    {
        var first = pattern.IndexOfAny(['*', '?']);
        if (first < 0)
        {
            return Actual(pattern) is { } found && File.Exists(found) ? [found] : [];
        }

        var folder = Actual(pattern[..Math.Max(1, pattern.LastIndexOf('/', first))]);
        if (folder is null || !Directory.Exists(folder))
        {
            return [];
        }

        var matcher = Matcher(pattern);
        var excluded = exclude.Split(';', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries)
            .Select(e => Absolute(e, file, project)).OfType<string>().Select(Matcher).ToList();
        return
        [
            .. Directory.EnumerateFiles(folder, "*", new EnumerationOptions { RecurseSubdirectories = pattern.AsSpan(first).ContainsAny('/', '*'), IgnoreInaccessible = true, AttributesToSkip = FileAttributes.None, MaxRecursionDepth = 40 })
                .Take(MaxFiles).Select(f => f.Replace('\\', '/')).Where(f => matcher.IsMatch(f) && !excluded.Exists(e => e.IsMatch(f))),
        ];
    }

    /// <summary>Whether an absolute pattern is the path of a folder, which matches no file.</summary>
    public static bool IsFolder(string pattern) => pattern.IndexOfAny(['*', '?']) < 0 && Actual(pattern.TrimEnd('/')) is { } found && Directory.Exists(found);

    /// <summary>Tells of files whether the pattern matches them with regard to case, so that evaluation has them.</summary>
    public static Predicate<string> Exact(string pattern) => Matcher(pattern, RegexOptions.None).IsMatch;

    private static Regex Matcher(string pattern) => Matcher(pattern, RegexOptions.IgnoreCase);

    private static Regex Matcher(string pattern, RegexOptions options)
    {
        // MSBuild's globs: ** any folders, * and ? within a name.
        var regex = new StringBuilder("^");
        for (var i = 0; i < pattern.Length; i++)
        {
            if (pattern.AsSpan(i).StartsWith("**/"))
            {
                regex.Append("(.*/)?");
                i += 2;
            }
            else if (pattern.AsSpan(i).StartsWith("**"))
            {
                regex.Append(".*");
                i++;
            }
            else
            {
                regex.Append(pattern[i] switch { '*' => "[^/]*", '?' => "[^/]", var c => Regex.Escape(c.ToString()) });
            }
        }

        return new(regex.Append('$').ToString(), options | RegexOptions.CultureInvariant | RegexOptions.NonBacktracking, MatchTimeout);
    }

    /// <summary>The path as the disk spells it; null if there is nothing.</summary>
    private static string? Actual(string path)
    {
        if (File.Exists(path) || Directory.Exists(path))
        {
            return path;
        }

        var parent = Path.GetDirectoryName(path);
        return parent is null || Actual(parent) is not { } folder || !Directory.Exists(folder) ? null
            : Directory.EnumerateFileSystemEntries(folder, "*", new EnumerationOptions { IgnoreInaccessible = true, AttributesToSkip = FileAttributes.None })
                .Where(e => string.Equals(Path.GetFileName(e), Path.GetFileName(path), StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal).FirstOrDefault();
    }
}
