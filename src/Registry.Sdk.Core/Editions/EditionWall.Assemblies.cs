using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Editions;

/// <content>What first-party assemblies were compiled from.</content>
internal sealed partial class EditionWall
{
    private enum DocumentVerdict
    {
        /// <summary>A source that this edition may have.</summary>
        Good,

        /// <summary>It may not; that was reported.</summary>
        Restricted,

        /// <summary>Nobody can tell which source it is.</summary>
        Unknown,

        /// <summary>A file that is another by now.</summary>
        Stale,
    }

    private sealed partial class PlatformWall
    {
        private void JudgeAssembly(Shipped file)
        {
            var folders = new[] { Path.GetDirectoryName(file.Source)!, _platform.IntermediateDirectory, Path.GetDirectoryName(file.Disk)! }.Where(f => f.Length > 0);
            if (World.Assembly(file.Disk, folders) is not { } facts)
            {
                return;
            }

            var verdicts = facts.Pdb?.Documents.Select(d => Judge(d.Text is null ? WithText(d, file) : d, file)).ToList() ?? [];
            var isProven = verdicts.Count > 0 && verdicts.TrueForAll(v => v == DocumentVerdict.Good);
            JudgeIdentity(file, facts, verdicts, isProven);
            JudgeResources(file, facts);
            JudgeNames(file, facts);
            JudgeProof(file, facts, verdicts);
        }

        /// <summary>
        /// A generated source with the text that the compiler embedded: trimming writes the PDB anew, without texts. The compiler's own is still in the
        /// project's obj; a document of the same name and checksum in it is the same.
        /// </summary>
        private SourceDocument WithText(SourceDocument document, Shipped file)
        {
            if (file.Origin.Kind != OriginKind.Project || document.Hash.Length == 0 || World.Licenses.IntermediateFolder(World.Files.Real(file.Source)) is null
                || Resolve(document.Name) is not { } path || World.Licenses.IntermediateFolder(World.Files.Real(path)) is null)
            {
                return document;
            }

            var folder = _wall._edition.Projects.FirstOrDefault(p => World.Files.Real(p.File) == World.Files.Real(file.Project))?.IntermediateDirectory;
            return folder is null || !Directory.Exists(folder)
                ? document
                : Directory.EnumerateFiles(folder, Path.GetFileName(file.Source), SearchOption.AllDirectories).Order(StringComparer.Ordinal)
                    .SelectMany(f => World.Assembly(f, [])?.Pdb?.Documents ?? [])
                    .FirstOrDefault(d => d.Text is not null && d.Name == document.Name && d.Algorithm == document.Algorithm && d.Hash == document.Hash) ?? document;
        }

        private void JudgeIdentity(Shipped file, AssemblyFacts facts, List<DocumentVerdict> verdicts, bool isProven)
        {
            var foreign = _wall._foreign;
            var simple = facts.Culture.Length > 0 && facts.Name.EndsWith(".resources", StringComparison.Ordinal) ? facts.Name[..^".resources".Length] : facts.Name;
            if (foreign.Assemblies.TryGetValue(simple, out var edition))
            {
                _wall.Report(DiagnosticCodes.RestrictedAssembly, file.Path, $"{file.Path} would ship: it is the assembly {facts.Name}{(facts.Culture.Length > 0 ? $" ({facts.Culture})" : string.Empty)}, which only edition {edition} has{From(file)}. Take it out of {_wall.Edition}.", file.Source);
                return;
            }

            if (!isProven && foreign.Mvids.TryGetValue(facts.Mvid, out var mvid))
            {
                _wall.Report(DiagnosticCodes.RestrictedAssembly, file.Path, $"{file.Path} would ship: by its module version id it is {mvid.Assembly} as edition {mvid.Edition} compiles it{From(file)}. Take it out of {_wall.Edition}; delete obj and bin if a build left it there.", file.Source);
                return;
            }

            var found = new List<string>();
            (string Type, RestrictedFile Of)? written = null;
            foreach (var (row, type) in facts.Types.Where(t => AssemblyFacts.IsWritten(t.Value)))
            {
                // Two editions may each have a type of one name; then its own sources prove which it is.
                var isTypeProven = facts.Pdb?.TypeDocuments.TryGetValue(row, out var of) == true && of.Count > 0 && of.All(d => d >= 1 && d <= verdicts.Count && verdicts[d - 1] == DocumentVerdict.Good);
                if (isTypeProven)
                {
                    _wall._ownTypes.Add(type.Replace('+', '.'));
                }
                else if (foreign.Types.ContainsKey(type))
                {
                    found.Add(type);
                }
                else if (facts.Pdb is null && foreign.WrittenTypes.TryGetValue(type, out var source) && !_wall._ownWrittenTypes.Value.Contains(type))
                {
                    // The other edition was not built, and no PDB says anything; but no source of this one declares such a type.
                    written ??= (type, source);
                }
            }

            if (written is { } holds)
            {
                _wall.Report(DiagnosticCodes.RestrictedAssembly, file.Path, $"{file.Path} would ship: it holds {holds.Type}, which {World.Relative(holds.Of.Path)} declares, and no source of {_wall.Edition} does{From(file)}. {_wall.Edition[..1].ToUpperInvariant()}{_wall.Edition[1..]} does not allow its licence {holds.Of.License} ({holds.Of.Because}). Take it out; delete obj and bin if a build left it there.", file.Source);
            }

            if (found.Count > 0 && !verdicts.Contains(DocumentVerdict.Restricted))
            {
                var of = foreign.Types[found[0]];
                _wall.Report(DiagnosticCodes.RestrictedAssembly, file.Path, $"{file.Path} would ship: it holds {string.Join(", ", found.Take(3))}{(found.Count > 3 ? $" and {found.Count - 3} more types" : string.Empty)} of {of.Assembly}, which edition {of.Edition} compiles from sources that {_wall.Edition} does not allow, and no PDB shows that here they come from others{From(file)}. Take it out; or set DebugType to portable or embedded.", file.Source);
            }
        }

        private void JudgeResources(Shipped file, AssemblyFacts facts)
        {
            foreach (var resource in facts.Resources)
            {
                if (_wall._restricted.WithSha256(resource.Digest.Hex) is { } restricted)
                {
                    _wall.ReportFile(DiagnosticCodes.RestrictedResource, new(restricted, "has the bytes of", IsSame: false), $"{file.Path} embeds {resource.Name}", restricted.Path);
                }
                else if (_wall._foreign.Resources.TryGetValue(resource.Digest.Hex, out var foreign))
                {
                    _wall.Report(DiagnosticCodes.RestrictedResource, $"{file.Path}:{resource.Name}", $"{file.Path} embeds {resource.Name}, which has the bytes of {foreign.Resource} of edition {foreign.Edition}. Take the EmbeddedResource out of {_wall.Edition}.", file.Source);
                }
            }
        }

        private void JudgeNames(Shipped file, AssemblyFacts facts)
        {
            foreach (var name in facts.Friends.Concat(facts.References).Distinct(StringComparer.OrdinalIgnoreCase).Where(_wall._foreign.ProjectsAndPackages.ContainsKey))
            {
                var isFriend = facts.Friends.Contains(name, StringComparer.OrdinalIgnoreCase);
                _wall.ReportPublic(DiagnosticCodes.NamesOtherEdition, $"{file.Path}:{name}", $"{file.Path} {(isFriend ? $"has InternalsVisibleTo(\"{name}\")" : $"references {name}")}, and {name} is of another edition. {(isFriend ? "Put a Condition on the InternalsVisibleTo item" : "Build again from clean folders")}.", file.Source);
            }

            foreach (var value in facts.Metadata)
            {
                if (_wall._foreign.ProjectsAndPackages.Keys.FirstOrDefault(n => string.Equals(n, value, StringComparison.OrdinalIgnoreCase)) is { } name)
                {
                    _wall.ReportPublic(DiagnosticCodes.NamesOtherEdition, $"{file.Path}:{name}", $"{file.Path} has AssemblyMetadata that names {name}, which is of another edition. Put a Condition on the AssemblyMetadata item.", file.Source);
                }
                else if (value.Length > 0 && value.AsSpan().ContainsAny('/', '\\') && RestrictedPath(value) is { } path)
                {
                    _wall.ReportPublic(DiagnosticCodes.NamesOtherEdition, $"{file.Path}:{value}", $"{file.Path} has AssemblyMetadata that names {World.Relative(path.Path)}, which is of another edition. Put a Condition on the AssemblyMetadata item.", file.Source);
                }
            }
        }

        private void JudgeProof(Shipped file, AssemblyFacts facts, List<DocumentVerdict> verdicts)
        {
            if (facts.Types.Values.All(t => t == "<Module>"))
            {
                return; // a satellite: no code
            }

            // What a person put a licence on need not be compiled here.
            var hasSaid = file is { Origin.Kind: OriginKind.Reference or OriginKind.Content, LicenseSource: "Reference" or "License" or "LicensedPath" or "SPDX header" or "REUSE side file" };
            if (hasSaid || verdicts.Contains(DocumentVerdict.Restricted))
            {
                return;
            }

            var key = file.Path;
            if (facts.Pdb is { } pdb)
            {
                var stale = verdicts.IndexOf(DocumentVerdict.Stale);
                var unknown = verdicts.IndexOf(DocumentVerdict.Unknown);
                if (stale >= 0)
                {
                    _wall.ReportPublic(DiagnosticCodes.StaleAssembly, key, $"{file.Path} was compiled from another {pdb.Documents[stale].Name} than the one on disk, so what is in it can't be told. Build again: dotnet build --no-incremental.", Resolve(pdb.Documents[stale].Name) ?? file.Source);
                }
                else if (unknown >= 0)
                {
                    _wall.ReportPublic(DiagnosticCodes.UnprovenAssembly, key, $"{file.Path} was compiled from {pdb.Documents[unknown].Name}, and no project of {_wall.Edition} has such a file{From(file)}. Build it from the sources that are here; of an assembly that is built elsewhere put License on the Reference.", file.Source);
                }
                else if (pdb.SourceFileCount > pdb.Documents.Count && !IsListed(file))
                {
                    _wall.ReportPublic(DiagnosticCodes.UnprovenAssembly, key, $"{file.Path} was compiled from {pdb.SourceFileCount} sources, but its PDB names {pdb.Documents.Count}{From(file)}. Build it again; of an assembly that is built elsewhere put License on the Reference.", file.Source);
                }

                return;
            }

            if (facts.HasForeignPdb)
            {
                _wall.ReportPublic(DiagnosticCodes.UnprovenAssembly, key, $"The PDB beside {file.Path} belongs to another build of it, so what it was compiled from can't be told. Delete obj and bin and build again.", file.Source);
            }
            else if (!IsListed(file))
            {
                _wall.ReportPublic(DiagnosticCodes.UnprovenAssembly, key, $"What {file.Path} was compiled from can't be told: it has no PDB, and it is not built by a project of {_wall.Edition}{From(file)}. Set DebugType to portable or embedded; of an assembly that is built elsewhere put License on the Reference (or LicensedPath on the file).", file.Source);
            }
        }

        /// <summary>Whether the sources are known without a PDB: the service's from its compilation, a library's from its project. They are judged as such.</summary>
        private bool IsListed(Shipped file)
            => file.Origin.Kind == OriginKind.Project
                && (file.Own is not null ? _platform.Compiled.Any(i => i.Type == "Compile")
                    : _wall._edition.Projects.Any(p => World.Files.Real(p.File) == file.Project && p.Items.Any(i => i.Type == "Compile")));

        private static string From(Shipped file) => file.Origin.Kind is OriginKind.Reference or OriginKind.Content && file.Origin.Name != file.Path ? $" (it is copied from {file.Origin.Name})" : string.Empty;

        private DocumentVerdict Judge(SourceDocument document, Shipped assembly)
        {
            var restricted = _wall._restricted;
            var path = Resolve(document.Name);
            var what = $"{assembly.Path} is compiled from {(path is null ? document.Name : World.Relative(path))}";

            // By checksum first: paths can be mapped, renamed and linked.
            var found = document.Hash.Length > 0 && restricted.WithHash(document.Algorithm, document.Hash) is { } same ? new Recognition(same, "has the bytes of", path is not null && string.Equals(World.Files.Real(path), same.Path, StringComparison.OrdinalIgnoreCase))
                : path is not null && restricted.AtPath(path) is { } there ? new Recognition(there, "is", IsSame: true)
                : null;
            found = path is null ? found : _wall.Accept(found, path);
            if (found is null && document.Text is { } embedded)
            {
                // Without a path there is no declaration that could lift it.
                found = restricted.WithSha256(Digest.Of(embedded).Hex) is { } copy ? new(copy, "has the bytes of", IsSame: false) : restricted.InText(SourceText.Of(embedded));
                if (found is null && SourceText.Headers(embedded).FirstOrDefault(h => _wall._policy.Judge(h) == LicenseVerdict.Refused) is { } header)
                {
                    found = new(new(path ?? document.Name, header, "its SPDX-License-Identifier", IsDeclared: true), "is", IsSame: true);
                }
            }

            var file = path is null ? null : World.Files.Get(path);
            var isSame = file is not null && IsHashOf(document, path!, file);
            if (found is null && isSame)
            {
                found = _wall.Recognize(path!);
                if (found is null && World.Licenses.Judge(path!, _wall._edition, _wall._policy) is { IsRefused: true } license)
                {
                    found = new(new(World.Files.Real(path!), license.Expression, license.Because, license.IsDeclared), "is", IsSame: true);
                }
            }

            if (found is not null)
            {
                _wall.ReportFile(DiagnosticCodes.RestrictedSource, found, what, path);
                return DocumentVerdict.Restricted;
            }

            if (document.Hash.Length == 0)
            {
                return DocumentVerdict.Good; // #line names it: the compiler read another file, which is a document too
            }

            if (path is null)
            {
                // A source generator's, or mapped from a folder nobody knows; its text was judged if it is there.
                return document.Text is not null ? DocumentVerdict.Good : DocumentVerdict.Unknown;
            }

            var real = World.Files.Real(path);
            if (World.Licenses.IntermediateFolder(real) is { } made)
            {
                // Generated. Below obj lie the folders of other editions, too.
                return IsOwnFolder(made) && (document.Text is not null || isSame) ? DocumentVerdict.Good : DocumentVerdict.Unknown;
            }

            if ((_graph?.Locate(real) ?? _graph?.Locate(path)) is { } package)
            {
                if (!isSame || _graph!.Find(package.Id) is null)
                {
                    return DocumentVerdict.Unknown;
                }

                _packagesInUse.Add(package.Id); // its source is in the image, whatever the assets file lists
                return DocumentVerdict.Good;
            }

            return file is null ? document.Text is not null && _known.Contains(real) ? DocumentVerdict.Good : DocumentVerdict.Unknown
                : !isSame ? DocumentVerdict.Stale
                : _known.Contains(real) || _wall._edition.Projects.Any(p => RealPath.IsInside(real, Path.GetDirectoryName(World.Files.Real(p.File))!)) ? DocumentVerdict.Good
                : DocumentVerdict.Unknown;
        }

        private bool IsOwnFolder(string folder)
            => _wall._edition.Projects.Select(p => p.IntermediateDirectory).Concat(_wall._edition.Platforms.Select(p => p.IntermediateDirectory)).Where(d => d.Length > 0)
                .Any(d => string.Equals(Path.TrimEndingDirectorySeparator(World.Files.Real(Path.TrimEndingDirectorySeparator(d))), folder, StringComparison.OrdinalIgnoreCase));

#pragma warning disable CA5350 // what old compilers wrote; nothing is protected by it
        private bool IsHashOf(SourceDocument document, string path, SourceFile file)
            => document.Algorithm == SourceDocument.Sha256 ? file.Digest.Hex == document.Hash
                : document.Algorithm == SourceDocument.Sha1 && World.Files.Bytes(World.Files.Real(path)) is { } bytes && Convert.ToHexStringLower(System.Security.Cryptography.SHA1.HashData(bytes)) == document.Hash;
#pragma warning restore CA5350

        /// <summary>The absolute path of a document; null if its name does not tell.</summary>
        private string? Resolve(string name)
        {
            if (name.Contains('\0', StringComparison.Ordinal))
            {
                return null; // no path on any system
            }

            foreach (var (folder, mapped) in _platform.SourceRoots.Where(r => r.Value.Length > 0).OrderByDescending(r => r.Value.Length))
            {
                if (name.StartsWith(mapped, StringComparison.Ordinal))
                {
                    return Separate(Path.GetFullPath(Path.Combine(folder, name[mapped.Length..].Replace('\\', '/').TrimStart('/'))));
                }
            }

            return Path.IsPathRooted(name) && !name.StartsWith("/_", StringComparison.Ordinal) ? Path.GetFullPath(name) : null;
        }

        /// <summary>
        /// An edition with folders of its own calls its generated sources in PDBs what they are called without: obj/x.cs and not obj/editions/community/x.cs
        /// (Registry.Sdk.Hook.targets), so that it comes out the same in both. This is the way back.
        /// </summary>
        private string Separate(string path)
        {
            var own = $"/editions/{_wall._edition.Name}/";
            foreach (var directory in _wall._edition.Projects.Select(p => p.IntermediateDirectory.Replace('\\', '/').TrimEnd('/') + "/").Where(d => d.EndsWith(own, StringComparison.Ordinal)))
            {
                var shared = directory[..^(own.Length - 1)];
                if (path.StartsWith(shared, StringComparison.Ordinal) && !path.StartsWith(shared + "editions/", StringComparison.Ordinal))
                {
                    return directory + path[shared.Length..];
                }
            }

            return path;
        }

        /// <summary>The restricted file that a piece of text names by its path, or by the end of it.</summary>
        private RestrictedFile? RestrictedPath(string text)
        {
            var path = text.Replace('\\', '/');
            return _wall._restrictedByName.Value[path[(path.LastIndexOf('/') + 1)..]].FirstOrDefault(f => World.Relative(f.Path) is { } relative && relative.Contains('/', StringComparison.Ordinal)
                && (string.Equals(path, relative, StringComparison.OrdinalIgnoreCase) || path.EndsWith("/" + relative, StringComparison.OrdinalIgnoreCase)));
        }
    }
}
