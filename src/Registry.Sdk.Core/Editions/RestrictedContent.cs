using System.Security.Cryptography;

namespace Registry.Sdk.Core.Editions;

/// <summary>A file that may not be in an edition.</summary>
/// <param name="Path">Absolute path without links.</param>
/// <param name="License">The licence that the edition refuses.</param>
/// <param name="Because">What says so, to be read behind «its licence is BUSL-1.1: ».</param>
/// <param name="IsDeclared">Whether somebody declared it for this file; else it is only in editions whose licence is refused.</param>
internal sealed record RestrictedFile(string Path, string License, string Because, bool IsDeclared);

/// <summary>What was recognised.</summary>
/// <param name="File">The restricted file.</param>
/// <param name="How">In what way, to be read behind «x.cs …»: <c>is</c>, <c>has the bytes of</c>, …</param>
/// <param name="IsSame">Whether it is the file itself, and no copy.</param>
internal sealed record Recognition(RestrictedFile File, string How, bool IsSame);

/// <summary>All that may not be in one edition, to be recognised under any name: by path, by bytes, by text without comments and white space, by its lines.</summary>
internal sealed class RestrictedContent
{
    /// <summary>A file that was declared to be restricted is known again by its bytes from so many characters on (comments, white space and imports left out).</summary>
    private const int MinDeclared = 24;

    /// <summary>A file of fewer lines that say something is compared as a whole only.</summary>
    private const int MinLines = 5;

    /// <summary>Of a file pasted into a bigger one this share of its lines is found again; people change a few.</summary>
    private const double Share = 0.8;

    /// <summary>A line that is in so many of the edition's own files is everyone's.</summary>
    private const int Common = 3;

    /// <summary>A file of the edition that holds so many lines of a restricted one, and the share above, is its copy and no witness that they are everyone's.</summary>
    private const int MinCopied = 20;

    /// <summary>A line of more restricted files than this tells none of them apart.</summary>
    private const int MaxHolders = 50;

    /// <summary>What is shorter is inside other files by chance.</summary>
    private const int MinContained = 96;

    /// <summary>The beginning of a body by which it is looked for.</summary>
    private const int Window = 64;

    private const ulong Base = 1_099_511_628_211;

    private readonly SourceFiles _files;
    private readonly Dictionary<string, RestrictedFile> _byPath = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, RestrictedFile> _bySha256 = new(StringComparer.Ordinal);
    private readonly Dictionary<string, RestrictedFile> _byText = new(StringComparer.Ordinal);
    private readonly Dictionary<string, List<int>> _byLine = new(StringComparer.Ordinal);
    private readonly List<(RestrictedFile File, int Lines)> _lined = [];
    private readonly Dictionary<ulong, List<(RestrictedFile File, string Body)>> _byBeginning = [];
    private readonly Lazy<Dictionary<string, RestrictedFile>> _bySha1;

    /// <summary>Files that say too little to be known again under another name; they are looked for by path alone.</summary>
    public HashSet<RestrictedFile> TooSmall { get; } = [];

    /// <summary>Makes the index.</summary>
    /// <param name="files">Reads the files.</param>
    /// <param name="restricted">What may not be in the edition.</param>
    /// <param name="own">Paths of the files that are in it by right: what they share is nobody's secret.</param>
    public RestrictedContent(SourceFiles files, IReadOnlyList<RestrictedFile> restricted, IEnumerable<string> own)
    {
        _files = files;
        All = restricted;
        _bySha1 = new(Sha1);
        foreach (var file in restricted)
        {
            _byPath.TryAdd(file.Path, file);
            if (files.Get(file.Path) is not { } found)
            {
                continue;
            }

            // What was declared is named before what merely lies there.
            var text = files.Text(file.Path);
            var says = text?.Body.Length ?? found.Size;
            if (says >= (file.IsDeclared ? MinDeclared : SourceText.MinCompared))
            {
                Put(_bySha256, found.Digest.Hex, file);
            }
            else
            {
                TooSmall.Add(file);
            }

            if (text is not null && says >= SourceText.MinCompared)
            {
                Put(_byText, text.Normalized, file);
            }

            if (text is { Body.Length: >= MinContained })
            {
                var beginning = Beginning(text.Body);
                if (!_byBeginning.TryGetValue(beginning, out var bodies))
                {
                    _byBeginning[beginning] = bodies = [];
                }

                bodies.Add((file, text.Body));
            }
        }

        var lined = restricted.Select(f => (File: f, files.Text(f.Path)?.Lines)).Where(f => f.Lines is { Count: >= MinLines }).ToList();
        if (lined.Count == 0)
        {
            return;
        }

        var known = new Dictionary<string, List<int>>(StringComparer.Ordinal);
        for (var i = 0; i < lined.Count; i++)
        {
            foreach (var line in lined[i].Lines!)
            {
                if (!known.TryGetValue(line, out var holders))
                {
                    known[line] = holders = [];
                }

                if (holders.Count <= MaxHolders)
                {
                    holders.Add(i);
                }
            }
        }

        var counts = new Dictionary<string, int>(StringComparer.Ordinal);
        foreach (var text in own.Select(files.Text).OfType<SourceText>())
        {
            // Somebody who pasted a file into three others did not make it everyone's.
            var shared = text.Lines.Where(known.ContainsKey).ToList();
            var isCopy = shared.Count >= MinCopied && shared.SelectMany(l => known[l] is { Count: <= MaxHolders } few ? few : [])
                .CountBy(i => i).Any(h => h.Value >= MinCopied && h.Value >= Share * lined[h.Key].Lines!.Count);
            foreach (var line in isCopy ? [] : shared)
            {
                counts[line] = counts.GetValueOrDefault(line) + 1;
            }
        }

        foreach (var (file, lines) in lined)
        {
            var distinctive = lines!.Where(l => counts.GetValueOrDefault(l) < Common).ToList();
            if (distinctive.Count >= MinLines)
            {
                foreach (var line in distinctive)
                {
                    if (!_byLine.TryGetValue(line, out var holders))
                    {
                        _byLine[line] = holders = [];
                    }

                    holders.Add(_lined.Count);
                }

                _lined.Add((file, distinctive.Count));
            }
        }
    }

    /// <summary>All of it.</summary>
    public IReadOnlyList<RestrictedFile> All { get; }

    /// <summary>The file itself, by any spelling of its path.</summary>
    public RestrictedFile? AtPath(string path) => _byPath.GetValueOrDefault(_files.Real(path));

    /// <summary>A file of that SHA-256.</summary>
    public RestrictedFile? WithSha256(string hex) => _bySha256.GetValueOrDefault(hex);

    /// <summary>A file of that hash.</summary>
    public RestrictedFile? WithHash(Guid algorithm, string hex)
        => algorithm == SourceDocument.Sha256 ? WithSha256(hex) : algorithm == SourceDocument.Sha1 ? _bySha1.Value.GetValueOrDefault(hex) : null;

    /// <summary>A file of the same text, or one that was pasted into this.</summary>
    public Recognition? InText(SourceText? text)
    {
        if (text is null || All.Count == 0)
        {
            return null;
        }

        if (_byText.TryGetValue(text.Normalized, out var same))
        {
            return new(same, "has the text (comments and white space left out) of", IsSame: false);
        }

        var hits = new Dictionary<int, int>();
        foreach (var holder in text.Lines.SelectMany(l => _byLine.GetValueOrDefault(l) ?? []))
        {
            hits[holder] = hits.GetValueOrDefault(holder) + 1;
        }

        foreach (var (index, count) in hits.Where(h => h.Value >= MinLines && h.Value >= Share * _lined[h.Key].Lines).OrderByDescending(h => (double)h.Value / _lined[h.Key].Lines).ThenBy(h => h.Key))
        {
            var (file, lines) = _lined[index];
            return new(file, $"holds {count} of the {lines} distinctive lines of", IsSame: false);
        }

        // A minified file has no lines, nor has one that was wrapped anew; inside another they are found as a whole.
        return Contained(text.Body) is { } inside ? new(inside, "holds all of the text of", IsSame: false) : null;
    }

    /// <summary>The file at a path, if it is one of these or holds one.</summary>
    public Recognition? InFile(string path)
        => AtPath(path) is { } itself ? new(itself, "is", IsSame: true)
            : All.Count == 0 || _files.Get(path) is not { } file ? null
            : WithSha256(file.Digest.Hex) is { } same ? new(same, "has the bytes of", IsSame: false)
            : InText(_files.Text(path));

    /// <summary>The restricted file whose body is inside a text. One pass, however many there are (the rolling hash of Rabin and Karp).</summary>
    private RestrictedFile? Contained(string text)
    {
        if (_byBeginning.Count == 0 || text.Length < MinContained)
        {
            return null;
        }

        var leaving = 1UL;
        for (var i = 1; i < Window; i++)
        {
            leaving *= Base;
        }

        var hash = Beginning(text);
        for (var start = 0; ; start++)
        {
            if (_byBeginning.TryGetValue(hash, out var bodies))
            {
                foreach (var (file, body) in bodies)
                {
                    if (text.AsSpan(start).StartsWith(body, StringComparison.Ordinal))
                    {
                        return file;
                    }
                }
            }

            if (start + Window >= text.Length)
            {
                return null;
            }

            hash = ((hash - (text[start] * leaving)) * Base) + text[start + Window];
        }
    }

    private static ulong Beginning(string text)
    {
        var hash = 0UL;
        foreach (var c in text.AsSpan(0, Window))
        {
            hash = (hash * Base) + c;
        }

        return hash;
    }

    private static void Put(Dictionary<string, RestrictedFile> index, string key, RestrictedFile file)
    {
        if (!index.TryGetValue(key, out var other) || (file.IsDeclared && !other.IsDeclared))
        {
            index[key] = file;
        }
    }

#pragma warning disable CA5350 // SHA-1 is what old compilers put into PDBs; it is compared here, and nothing is protected by it
    private Dictionary<string, RestrictedFile> Sha1()
    {
        var found = new Dictionary<string, RestrictedFile>(StringComparer.Ordinal);
        foreach (var file in _bySha256.Values)
        {
            if (_files.Bytes(file.Path) is { } bytes)
            {
                found.TryAdd(Convert.ToHexStringLower(SHA1.HashData(bytes)), file);
            }
        }

        return found;
    }
#pragma warning restore CA5350
}
