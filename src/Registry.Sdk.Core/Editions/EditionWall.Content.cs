using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Xml;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Editions;

/// <content>Files that are copied as they are.</content>
internal sealed partial class EditionWall
{
    private sealed partial class PlatformWall
    {
        private void JudgeContent(Shipped file)
        {
            if (file.Origin.Kind == OriginKind.Project && _wall._reported.Contains((DiagnosticCodes.RestrictedProject.Code, file.Project)))
            {
                return; // the project was named; of each of its files nothing more needs to be said
            }

            var found = _wall.Recognize(file.Source) ?? (file.Disk == file.Source ? null : _wall.Accept(_wall._restricted.InFile(file.Disk), file.Source));
            if (found is null)
            {
                // A file that no item names may still say itself what it is.
                var license = World.Licenses.Judge(file.Source, _wall._edition, _wall._policy);
                var byItself = license.IsRefused ? license : World.Licenses.Judge(file.Disk, _wall._edition, _wall._policy);
                if (byItself.IsRefused && (byItself.IsOfFile || license.IsRefused))
                {
                    found = new(new(World.Files.Real(license.IsRefused ? file.Source : file.Disk), byItself.Expression, byItself.Because, byItself.IsDeclared), "is", IsSame: true);
                }
            }

            if (found is null && _wall._restricted.All.Count > 0)
            {
                found = (Unpack(file.Disk) is { } unpacked ? [unpacked] : Unzip(file.Disk)).Select(c => Hidden(c, "holds, compressed,", file.Path)).FirstOrDefault(f => f is not null);
            }

            if (found is not null)
            {
                var source = World.Relative(file.Source);
                var restricted = World.Relative(found.File.Path);
                var what = found.IsSame ? $"{file.Path} would ship{(source == file.Path || source == restricted && file.Path.EndsWith(restricted, StringComparison.Ordinal) ? string.Empty : $", a copy of {restricted}")}"
                    : $"{file.Path} would ship{(file.Disk == file.Source ? string.Empty : $", a copy of {source}")}";
                _wall.ReportFile(DiagnosticCodes.RestrictedFile, found, what, found.File.Path);
                return;
            }

            var extension = Path.GetExtension(file.Path);
            if (extension.Equals(".map", StringComparison.OrdinalIgnoreCase))
            {
                JudgeSourceMap(file, World.Files.Bytes(file.Disk, MaxMap));
            }
            else if (extension.ToUpperInvariant() is ".JS" or ".MJS" or ".CJS" or ".CSS")
            {
                JudgeSourceMap(file, InlineMap(World.Files.Bytes(file.Disk, MaxMap)));
            }
            else if (extension.Equals(".xml", StringComparison.OrdinalIgnoreCase))
            {
                JudgeDocumentation(file);
            }
            else if (extension.Equals(".pdb", StringComparison.OrdinalIgnoreCase))
            {
                JudgeSymbols(file);
            }
            else if (file.Own == OwnFileKind.DependencyFile || file.Path.EndsWith(".deps.json", StringComparison.OrdinalIgnoreCase))
            {
                JudgeDependencyFile(file);
            }
        }

        /// <summary>The restricted file that some bytes are which are no file of their own, or that they hold; also what they say of themselves.</summary>
        private Recognition? Hidden(byte[] content, string how, string name)
            => _wall._restricted.WithSha256(Digest.Of(content).Hex) is { } same ? new(same, how, IsSame: false)
                : _wall._restricted.InText(SourceText.Of(content)) is { } text ? text
                : SourceText.Headers(content).FirstOrDefault(h => _wall._policy.Judge(h) == LicenseVerdict.Refused) is { } header ? new(new(name, header, "its SPDX-License-Identifier", IsDeclared: true), "is", IsSame: true)
                : null;

        /// <summary>The content of a <c>.gz</c> or <c>.br</c> file; null for others, and for what is too large or damaged.</summary>
        private byte[]? Unpack(string path)
        {
            var isGzip = path.EndsWith(".gz", StringComparison.OrdinalIgnoreCase);
            if ((!isGzip && !path.EndsWith(".br", StringComparison.OrdinalIgnoreCase)) || World.Files.Bytes(path) is not { } packed)
            {
                return null;
            }

            try
            {
                using var input = new MemoryStream(packed);
                using Stream stream = isGzip ? new GZipStream(input, CompressionMode.Decompress) : new BrotliStream(input, CompressionMode.Decompress);
                return ReadAll(stream);
            }
            catch (Exception e) when (e is InvalidDataException or InvalidOperationException or IOException)
            {
                return null;
            }
        }

        /// <summary>What is in a zip archive, whatever its name; nothing of what is too large, encrypted or damaged.</summary>
        private static IEnumerable<byte[]> Unzip(string path)
        {
            const int MaxEntries = 10_000;
            using var archive = Open();
            foreach (var entry in archive?.Entries.Take(MaxEntries).Where(e => e.Length is > 0 and < MaxUnpacked) ?? [])
            {
                if (Content(entry) is { } content)
                {
                    yield return content;
                }
            }

            ZipArchive? Open()
            {
                FileStream? stream = null;
                try
                {
                    stream = new(path, FileMode.Open, FileAccess.Read, FileShare.Read);
                    if (stream.ReadByte() == 'P' && stream.ReadByte() == 'K')
                    {
                        stream.Position = 0;
                        var opened = new ZipArchive(stream, ZipArchiveMode.Read);
                        _ = opened.Entries.Count; // reads the directory: a damaged one throws here
                        stream = null;
                        return opened;
                    }
                }
                catch (Exception e) when (e is InvalidDataException or IOException or UnauthorizedAccessException)
                {
                    // No archive, whatever its beginning.
                }
                finally
                {
                    stream?.Dispose();
                }

                return null;
            }

            static byte[]? Content(ZipArchiveEntry entry)
            {
                try
                {
                    using var stream = entry.Open();
                    return ReadAll(stream);
                }
                catch (Exception e) when (e is InvalidDataException or IOException or NotSupportedException)
                {
                    return null;
                }
            }
        }

        /// <summary>All of a stream; null if that is too much. What it says of its size may be a lie.</summary>
        private static byte[]? ReadAll(Stream stream)
        {
            using var content = new MemoryStream();
            var buffer = new byte[16 * 1024];
            int read;
            while ((read = stream.Read(buffer)) > 0)
            {
                content.Write(buffer, 0, read);
                if (content.Length >= MaxUnpacked)
                {
                    return null;
                }
            }

            return content.ToArray();
        }

        /// <summary>The source map that stands in a script or style sheet itself (<c>sourceMappingURL=data:…</c>); null if none does.</summary>
        private static byte[]? InlineMap(byte[]? script)
        {
            var begin = script.AsSpan().LastIndexOf("sourceMappingURL=data:"u8);
            if (begin < 0)
            {
                return null;
            }

            var url = Encoding.UTF8.GetString(script.AsSpan(begin));
            var comma = url.IndexOf(',', StringComparison.Ordinal);
            var end = url.AsSpan().IndexOfAny(" \t\r\n*");
            var data = comma < 0 || (end >= 0 && end < comma) ? string.Empty : url[(comma + 1)..(end < 0 ? url.Length : end)];
            if (!url.AsSpan(0, Math.Max(0, comma)).EndsWith(";base64", StringComparison.OrdinalIgnoreCase))
            {
                return Encoding.UTF8.GetBytes(Uri.UnescapeDataString(data));
            }

            var decoded = new byte[data.Length];
            return Convert.TryFromBase64String(data, decoded, out var size) ? decoded[..size] : null;
        }

        private void JudgeSourceMap(Shipped file, byte[]? json)
        {
            if (json is null)
            {
                return;
            }

            try
            {
                using var document = StrictJson.Document(json);
                JudgeSourceMap(file, document.RootElement);
            }
            catch (JsonException)
            {
                // No source map, whatever its name.
            }
        }

        // Source: tc39.es/ecma426, «Source map format»; an index map has maps in sections. JSON that nests deep was refused before.
        private void JudgeSourceMap(Shipped file, JsonElement map)
        {
            if (map.ValueKind != JsonValueKind.Object)
            {
                return;
            }

            if (map.TryGetProperty("sections", out var sections) && sections.ValueKind == JsonValueKind.Array)
            {
                foreach (var section in sections.EnumerateArray())
                {
                    if (section.ValueKind == JsonValueKind.Object && section.TryGetProperty("map", out var part))
                    {
                        JudgeSourceMap(file, part);
                    }
                }
            }

            var (names, texts) = (Texts(map, "sources"), Texts(map, "sourcesContent"));
            var root = StrictJson.Text(map, "sourceRoot") ?? string.Empty;
            for (var i = 0; i < Math.Max(names.Count, texts.Count); i++)
            {
                var name = i < names.Count ? names[i] ?? string.Empty : string.Empty;
                var content = i < texts.Count && texts[i] is { } text ? Encoding.UTF8.GetBytes(text) : null;
                var isPath = name.Length > 0 && !name.Contains("://", StringComparison.Ordinal) && !(root + name).Contains('\0', StringComparison.Ordinal);
                var path = isPath ? Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file.Source)!, root, name)) : null;
                var found = path is not null && _wall._restricted.AtPath(path) is { } there ? new Recognition(there, "is", IsSame: true)
                    : content is null ? null
                    : Hidden(content, "has the bytes of", path ?? name);
                if (found is not null)
                {
                    _wall.ReportFile(DiagnosticCodes.RestrictedFile, found, $"{file.Path} would ship: the source map holds {name}", file.Source);
                }
                else if (RestrictedPath(name.Replace("webpack:///", "/", StringComparison.Ordinal)) is { } named)
                {
                    _wall.ReportPublic(DiagnosticCodes.NamesOtherEdition, $"{file.Path}:{name}", $"{file.Path} would ship: the source map names {World.Relative(named.Path)}, which is of another edition. Take that script out, or build without source maps.", file.Source);
                }
            }

            static List<string?> Texts(JsonElement root, string name)
                => root.ValueKind == JsonValueKind.Object && root.TryGetProperty(name, out var list) && list.ValueKind == JsonValueKind.Array ? [.. list.EnumerateArray().Select(e => e.ValueKind == JsonValueKind.String ? e.GetString() : null)] : [];
        }

        private void JudgeDocumentation(Shipped file)
        {
            if (World.Files.Bytes(file.Disk) is not { } xml)
            {
                return;
            }

            try
            {
                using var reader = XmlReader.Create(new MemoryStream(xml), new XmlReaderSettings { DtdProcessing = DtdProcessing.Ignore, XmlResolver = null, MaxCharactersFromEntities = 1024 });
                var isDocumentation = false;
                while (reader.Read())
                {
                    if (reader.NodeType != XmlNodeType.Element)
                    {
                        continue;
                    }

                    if (reader.Depth == 0 && reader.Name != "doc")
                    {
                        return;
                    }

                    isDocumentation |= reader.Name == "members";
                    if (isDocumentation && reader.Name == "member" && Documented(reader.GetAttribute("name") ?? string.Empty) is { } type)
                    {
                        var (name, owner) = type;
                        _wall.Report(DiagnosticCodes.RestrictedFile, $"{file.Path}:{name}", $"{file.Path} would ship: it documents {name}, {owner}. {_wall.Edition[..1].ToUpperInvariant()}{_wall.Edition[1..]} does not allow that. Delete obj and bin and build again, or keep the file out with CopyToPublishDirectory=\"Never\".", file.Source);
                    }
                }
            }
            catch (XmlException)
            {
                // No documentation, whatever its name.
            }
        }

        /// <summary>The restricted type that a documented member is of (<c>T:A.B</c>, <c>M:A.B.C(System.Int32)</c>).</summary>
        private (string Name, string Owner)? Documented(string id)
        {
            if (id.Length < 3 || id[1] != ':')
            {
                return null;
            }

            var end = id.IndexOf('(', StringComparison.Ordinal);
            var name = id[2..(end < 0 ? id.Length : end)];
            for (var dot = name.Length; dot > 0; dot = name.LastIndexOf('.', dot - 1))
            {
                var type = name[..dot];
                if (_wall._ownTypes.Contains(type))
                {
                    return null;
                }

                if (_wall._foreign.Types.TryGetValue(type, out var of))
                {
                    return (type, $"a type that edition {of.Edition} compiles from sources that may not be here");
                }

                if (_wall._foreign.WrittenTypes.TryGetValue(type, out var written))
                {
                    return (type, $"a type of {World.Relative(written.Path)}, whose licence is {written.License}");
                }
            }

            return null;
        }

        private void JudgeSymbols(Shipped file)
        {
            try
            {
                foreach (var document in AssemblyFacts.ReadPdb(file.Disk)?.Documents ?? [])
                {
                    if (Judge(document, file) != DocumentVerdict.Restricted && Resolve(document.Name) is null && RestrictedPath(document.Name) is { } named)
                    {
                        _wall.ReportPublic(DiagnosticCodes.NamesOtherEdition, $"{file.Path}:{document.Name}", $"{file.Path} would ship: it names {World.Relative(named.Path)}, which is of another edition. Delete obj and bin and build again.", file.Source);
                    }
                }
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                _wall._diagnostics.Add(DiagnosticCodes.UnreadableFile.Report($"{file.Disk} can't be read: {e.Message.TrimEnd('.')}. Make it readable, or keep it out with CopyToPublishDirectory=\"Never\".", file.Disk));
            }
        }

        private void JudgeDependencyFile(Shipped file)
        {
            if (World.Files.Bytes(file.Disk) is not { } json)
            {
                return;
            }

            try
            {
                using var document = StrictJson.Document(json);
                var names = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
                var libraries = document.RootElement.GetProperty("libraries");
                foreach (var library in libraries.EnumerateObject())
                {
                    var name = library.Name.Split('/')[0];
                    names.Add(name);
                    var type = library.Value.TryGetProperty("type", out var value) ? value.GetString() : null;
                    if (_graph is not null && !_wall._foreign.ProjectsAndPackages.ContainsKey(name)
                        && ((type == "project" && !IsOwnProject(name)) || (type == "package" && _graph.Find(name) is null)))
                    {
                        _wall.ReportPublic(DiagnosticCodes.NamesOtherEdition, $"{file.Path}:{name}", $"{file.Path} names the {type} {library.Name}, which {_wall.Edition} does not have. Delete obj and the publish folder, restore and publish again.", file.Disk);
                    }
                }

                foreach (var target in document.RootElement.GetProperty("targets").EnumerateObject().SelectMany(t => t.Value.EnumerateObject()))
                {
                    names.Add(target.Name.Split('/')[0]);
                    if (target.Value.TryGetProperty("dependencies", out var dependencies))
                    {
                        names.UnionWith(dependencies.EnumerateObject().Select(d => d.Name));
                    }
                }

                foreach (var name in names.Where(_wall._foreign.ProjectsAndPackages.ContainsKey).Order(StringComparer.OrdinalIgnoreCase))
                {
                    _wall.ReportPublic(DiagnosticCodes.NamesOtherEdition, $"{file.Path}:{name}", $"{file.Path} names {name}, which is of another edition. Delete obj and the publish folder, restore and publish again.", file.Disk);
                }
            }
            catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
            {
                // Nothing the .NET SDK wrote; Imaging says more where it needs it.
            }
        }

        private bool IsOwnProject(string name)
            => _graph!.Projects.Contains(name)
                || _wall._edition.Projects.Any(p => string.Equals(p.AssemblyName, name, StringComparison.OrdinalIgnoreCase) || string.Equals(Path.GetFileNameWithoutExtension(p.File), name, StringComparison.OrdinalIgnoreCase));
    }
}
