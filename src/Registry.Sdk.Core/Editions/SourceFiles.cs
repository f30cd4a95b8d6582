using System.Security.Cryptography;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Editions;

/// <summary>A file on disk that the wall has looked at.</summary>
/// <param name="Path">Absolute path without links.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Digest">SHA-256 of its content.</param>
/// <param name="Headers">Expressions behind <c>SPDX-License-Identifier:</c> in its first lines.</param>
/// <param name="SideLicenses">The same of its REUSE side file, <c>&lt;file>.license</c>.</param>
internal sealed record SourceFile(string Path, long Size, Digest Digest, IReadOnlyList<string> Headers, IReadOnlyList<string> SideLicenses);

/// <summary>Looks at each file once, however many editions, platforms and checks ask for it.</summary>
internal sealed class SourceFiles(CancellationToken cancellationToken)
{
    private readonly Dictionary<string, SourceFile?> _files = new(StringComparer.Ordinal);
    private readonly Dictionary<string, SourceText?> _texts = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _folders = new(StringComparer.Ordinal);
    private readonly Dictionary<string, string> _reals = new(StringComparer.Ordinal);

    /// <summary>The path without links; where it leads nowhere, the full path.</summary>
    public string Real(string path)
    {
        if (_reals.TryGetValue(path, out var known))
        {
            return known;
        }

        var full = Path.GetFullPath(path);
        var folder = Path.GetDirectoryName(full);
        if (folder is null)
        {
            return full;
        }

        if (!_folders.TryGetValue(folder, out var realFolder))
        {
            _folders[folder] = realFolder = RealPath.Resolve(folder) ?? folder;
        }

        var candidate = Path.Combine(realFolder, Path.GetFileName(full));
        return _reals[path] = new FileInfo(candidate).LinkTarget is null ? candidate : RealPath.Resolve(candidate) ?? candidate;
    }

    /// <summary>The file; null if there is none, or it can't be read.</summary>
    public SourceFile? Get(string path)
    {
        var real = Real(path);
        if (!_files.TryGetValue(real, out var file))
        {
            cancellationToken.ThrowIfCancellationRequested();
            _files[real] = file = Read(real);
        }

        return file;
    }

    /// <summary>The file's text; null if it is none, or can't be read.</summary>
    public SourceText? Text(string path)
    {
        var real = Real(path);
        if (!_texts.TryGetValue(real, out var text))
        {
            _texts[real] = text = Bytes(real) is { } bytes ? SourceText.Of(bytes) : null;
        }

        return text;
    }

    /// <summary>All bytes of a file of at most so many (<see cref="SourceText.MaxBytes"/>); null for others, and for what can't be read.</summary>
    public byte[]? Bytes(string path, int max = SourceText.MaxBytes)
    {
        cancellationToken.ThrowIfCancellationRequested();
        try
        {
            // A named pipe has no length, and opens only once somebody writes to it.
            return new FileInfo(path) is { Exists: true, Length: > 0 } file && file.Length <= max ? File.ReadAllBytes(path) : null;
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private SourceFile? Read(string real)
    {
        try
        {
            var info = new FileInfo(real);
            if (!info.Exists)
            {
                return null;
            }

            if (info.Length == 0)
            {
                return new(real, 0, Digest.Of([]), [], Side(real));
            }

            if (Bytes(real) is { } bytes)
            {
                return new(real, bytes.Length, Digest.Of(bytes), SourceText.Headers(bytes), Side(real));
            }

            using var stream = new FileStream(real, FileMode.Open, FileAccess.Read, FileShare.Read, bufferSize: 0);
            using var hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);
            var buffer = new byte[128 * 1024];
            int read;
            while ((read = stream.Read(buffer)) > 0)
            {
                cancellationToken.ThrowIfCancellationRequested();
                hash.AppendData(buffer, 0, read);
            }

            return new(real, stream.Length, Digest.FromHash(hash.GetHashAndReset()), [], Side(real));
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            return null;
        }
    }

    private IReadOnlyList<string> Side(string path) => Bytes(path + ".license") is { } bytes ? SourceText.Headers(bytes) : [];
}
