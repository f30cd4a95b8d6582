using System.IO.Compression;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Editions;

/// <summary>One file as the wall sees it.</summary>
/// <param name="Path">Path below the publish folder.</param>
/// <param name="Disk">Absolute path it is read from.</param>
/// <param name="Source">Absolute path of what it is a copy of.</param>
/// <param name="Origin">Where it comes from.</param>
/// <param name="License">Its licence, or null.</param>
/// <param name="LicenseSource">What says so.</param>
internal sealed record Shipped(string Path, string Disk, string Source, FileOrigin Origin, string? License, string LicenseSource)
{
    /// <summary>The project it was built of, absolute; or empty.</summary>
    public string Project { get; init; } = string.Empty;

    /// <summary>Whether it is, byte for byte, what a package of this edition holds: then nobody looks into it.</summary>
    public bool IsPackageFile { get; init; }

    /// <summary>What the .NET SDK made it as; null for everything else.</summary>
    public OwnFileKind? Own { get; init; }
}

/// <summary>Holds one edition against the wall.</summary>
internal sealed partial class EditionWall
{
    private const int MaxUnpacked = 32 * 1024 * 1024;

    /// <summary>Bundlers put the sources of a whole application into one map.</summary>
    private const int MaxMap = 256 * 1024 * 1024;

    private readonly EditionsWorld _world;
    private readonly EditionInput _edition;
    private readonly List<Diagnostic> _diagnostics;
    private readonly LicensePolicy _policy;
    private readonly RestrictedContent _restricted;
    private readonly HashSet<(string Code, string Key)> _reported = [];
    private readonly ForeignFacts _foreign;
    private readonly WallRecord _record;
    private readonly HashSet<string> _ownTypes = new(StringComparer.Ordinal);
    private readonly Lazy<HashSet<string>> _ownWrittenTypes;
    private readonly Lazy<ILookup<string, RestrictedFile>> _restrictedByName;

    /// <summary>Prepares what must not be in the edition.</summary>
    public EditionWall(EditionsWorld world, EditionInput edition, List<Diagnostic> diagnostics)
    {
        (_world, _edition, _diagnostics) = (world, edition, diagnostics);
        _policy = LicensePolicy.Of(edition.License, edition.AllowedLicenses);
        var restricted = new List<RestrictedFile>();
        var own = new List<string>();
        foreach (var path in world.Licenses.Files)
        {
            var license = world.Licenses.Judge(path, edition, _policy);
            if (license.IsRefused)
            {
                restricted.Add(new(path, license.Expression, license.Because, license.IsDeclared));
            }
            else if (world.Licenses.IsNamedBy(path, edition))
            {
                own.Add(path);
            }
        }

        _restricted = new(world.Files, restricted, own);
        _ownWrittenTypes = new(() => own.Where(p => p.EndsWith(".cs", StringComparison.OrdinalIgnoreCase)).SelectMany(p => DeclaredTypes.In(world.Files.Bytes(p))).ToHashSet(StringComparer.Ordinal));
        _restrictedByName = new(() => restricted.ToLookup(f => Path.GetFileName(f.Path), StringComparer.OrdinalIgnoreCase));
        _foreign = new(world, edition, _policy, _restricted);
        _record = new(world, edition, _restricted, _foreign);
    }

    private string Edition => _edition.Name.Length > 0 ? $"edition {_edition.Name}" : "this image";

    private string Condition => _edition.Name.Length > 0 ? $"a Condition on '$(ContainerEdition)' != '{_edition.Name}'" : "a Remove of the item";

    /// <summary>Judges all platforms.</summary>
    public EditionBills Judge(CancellationToken cancellationToken)
    {
        var bills = new List<Bill>();
        foreach (var platform in _edition.Platforms.Where(_world.Bills.ContainsKey))
        {
            bills.Add(new PlatformWall(this, platform, _world.Bills[platform]).Judge(cancellationToken));
        }

        // After the assemblies: of a file that is in one, that is the better message.
        JudgeProjects();
        return new(_edition.Name, _edition.License, bills, _record.Json(bills), _record.Markdown(bills));
    }

    private void JudgeProjects()
    {
        foreach (var project in _edition.Projects)
        {
            var licenses = _world.Licenses.OfProject(project.File, _edition);
            _record.Projects.Add((_world.Relative(project.File), licenses.Count > 0 ? licenses[0].License : string.Empty));
            if (licenses.FirstOrDefault(l => _policy.Judge(l.License) == LicenseVerdict.Refused) is { License: { } refused, Because: var because })
            {
                Report(DiagnosticCodes.RestrictedProject, project.File, $"{_world.Relative(project.File)} is built into {Edition}, which does not allow its licence {refused} ({because}). {Way(project.File)}Put License=\"{refused}\" or {Condition} on the ProjectReference that brings it in.", project.File);
                continue; // of its files nothing more needs to be said
            }

            foreach (var item in project.Items)
            {
                JudgeInput(item, project.File);
            }
        }

        foreach (var item in _edition.Platforms.SelectMany(p => p.Compiled))
        {
            JudgeInput(item, _edition.Projects.Count > 0 ? _edition.Projects[0].File : item.Path);
        }

        foreach (var removed in _edition.Projects.SelectMany(p => p.Removed))
        {
            _record.Removed.Add(removed);
        }
    }

    /// <summary>How the service comes to a project it does not reference itself.</summary>
    private string Way(string file) => Chain(file) is { Count: > 2 } chain ? $"It is reached by {string.Join(" -> ", chain.Select(Path.GetFileName))}. " : string.Empty;

    /// <summary>The shortest way from the service to a project.</summary>
    private List<string> Chain(string target)
    {
        if (_edition.Projects.Count == 0)
        {
            return [];
        }

        var from = new Dictionary<string, string?>(StringComparer.OrdinalIgnoreCase) { [_edition.Projects[0].File] = null };
        var queue = new Queue<string>([_edition.Projects[0].File]);
        while (queue.TryDequeue(out var file))
        {
            if (string.Equals(file, target, StringComparison.OrdinalIgnoreCase))
            {
                var chain = new List<string>();
                for (string? step = file; step is not null; step = from[step])
                {
                    chain.Insert(0, step);
                }

                return chain;
            }

            foreach (var next in _edition.Projects.FirstOrDefault(p => string.Equals(p.File, file, StringComparison.OrdinalIgnoreCase))?.References ?? [])
            {
                if (from.TryAdd(next, file))
                {
                    queue.Enqueue(next);
                }
            }
        }

        return [];
    }

    /// <summary>What the compiler reads, whether or not the result is a file of its own: single-file, trimmed and native AOT images are covered by this.</summary>
    private void JudgeInput(SourceItem item, string project)
    {
        if (item.Type is not ("Compile" or "EmbeddedResource" or "AdditionalFiles") || Recognize(item.Path) is not { } found)
        {
            return;
        }

        var (code, verb) = item.Type switch
        {
            "Compile" => (DiagnosticCodes.RestrictedSource, "compiles"),
            "AdditionalFiles" => (DiagnosticCodes.RestrictedSource, "gives to its source generators"),
            _ => (DiagnosticCodes.RestrictedResource, "embeds"),
        };
        ReportFile(code, found, $"{Path.GetFileName(project)} {verb} {_world.Relative(item.Path)}", item.Path);
    }

    /// <summary>The restricted file that a file is, or that it holds.</summary>
    private Recognition? Recognize(string path) => Accept(_restricted.InFile(path), path);

    /// <summary>
    /// A file that is restricted only because it lies in another edition is not, where somebody has put an allowed licence on the copy: then it
    /// is that person's statement. Where a licence was declared for the original, a copy has it too, whatever a glob says of the copy's folder.
    /// </summary>
    private Recognition? Accept(Recognition? found, string path)
        => found is { IsSame: false, File.IsDeclared: false } && _world.Licenses.Judge(path, _edition, _policy) is { IsOfFile: true, IsRefused: false } ? null : found;

    private void ReportFile(DiagnosticDescriptor code, Recognition found, string what, string? file)
    {
        var source = _world.Relative(found.File.Path);
        var copy = !found.IsSame ? $", which {found.How} {source}" : what.Contains(source, StringComparison.Ordinal) ? string.Empty : $" ({source})";
        Report(code, found.File.Path, $"{what}{copy}. {Edition[..1].ToUpperInvariant()}{Edition[1..]} does not allow its licence {found.File.License} ({found.File.Because}). Take it out: LicensedPath, License metadata, or {Condition}{(found.File.IsDeclared ? string.Empty : $"; or, if it may be there, say so with LicensedPath Include=\"{source}\" License=\"…\"")}.", file ?? found.File.Path);
    }

    private void Report(DiagnosticDescriptor code, string key, string message, string? file)
    {
        if (_reported.Add((code.Code, key)))
        {
            _diagnostics.Add(code.Report(PlainText.Visible(message), file));
        }
    }

    private void ReportPublic(DiagnosticDescriptor code, string key, string message, string? file)
    {
        if (_edition.IsPublic)
        {
            Report(code, key, $"{message} (Edition {_edition.Name} goes to {string.Join(", ", _edition.PublicDestinations)}.)".Replace("Edition  goes", "It goes", StringComparison.Ordinal), file);
        }
    }

    private sealed partial class PlatformWall
    {
        private readonly EditionWall _wall;
        private readonly PlatformEvidence _platform;
        private readonly Bill _bill;
        private readonly PackageGraph? _graph;
        private readonly ILookup<string, PublishItem> _items;
        private readonly ILookup<string, OwnFile> _own;
        private readonly IReadOnlyDictionary<string, StaticWebAsset> _assets;
        private readonly HashSet<string> _known;
        private readonly HashSet<string> _packs = new(StringComparer.OrdinalIgnoreCase);
        private readonly HashSet<string> _packagesInUse = new(StringComparer.OrdinalIgnoreCase);

        public PlatformWall(EditionWall wall, PlatformEvidence platform, Bill bill)
        {
            (_wall, _platform, _bill, _graph) = (wall, platform, bill, wall._world.Graph(platform));
            _items = platform.Items.ToLookup(i => Normal(i.RelativePath), StringComparer.Ordinal);
            _own = platform.OwnFiles.ToLookup(f => Normal(f.RelativePath), StringComparer.Ordinal);
            _assets = StaticWebAssets.Read(platform.StaticWebAssetsManifest);
            _known = wall._edition.Projects.SelectMany(p => p.Items).Concat(platform.Compiled).Select(i => World.Files.Real(i.Path)).ToHashSet(StringComparer.OrdinalIgnoreCase);
        }

        private EditionsWorld World => _wall._world;

        public Bill Judge(CancellationToken cancellationToken)
        {
            if (_graph is null && _platform.AssetsFile.Length > 0)
            {
                _wall.ReportPublic(DiagnosticCodes.PackageWithoutLicense, _platform.AssetsFile, $"Which packages are in {_wall.Edition} can't be told: {_platform.AssetsFile} can't be read. Restore and publish again.", _platform.AssetsFile);
            }

            var shipped = new List<Shipped>();
            foreach (var file in _bill.Files)
            {
                cancellationToken.ThrowIfCancellationRequested();
                shipped.Add(Explain(file));
            }

            var inside = Inside().ToList();
            foreach (var file in shipped.Concat(inside).Where(f => !f.IsPackageFile))
            {
                // Assemblies first: what proves their types is needed for the documentation.
                cancellationToken.ThrowIfCancellationRequested();
                JudgeAssembly(file);
            }

            foreach (var file in shipped.Concat(inside).Where(f => !f.IsPackageFile))
            {
                cancellationToken.ThrowIfCancellationRequested();
                JudgeContent(file);
            }

            JudgePackages();
            foreach (var file in inside)
            {
                _wall._record.Inside.Add(file);
            }

            return new([.. _bill.Files.Zip(shipped, (f, s) => f with { Origin = s.Origin, License = s.License, LicenseSource = s.LicenseSource })]);
        }

        private static string Normal(string path) => path.Replace('\\', '/').TrimStart('/');

        /// <summary>What goes into the image as part of another file: bundled into a single file, or compiled to native code.</summary>
        private IEnumerable<Shipped> Inside()
        {
            var files = _bill.Files.Select(f => f.Path).ToHashSet(StringComparer.Ordinal);
            foreach (var item in _platform.Items.Where(i => i.IsBundled && !files.Contains(Normal(i.RelativePath))))
            {
                yield return ExplainItem(Normal(item.RelativePath), item.SourcePath, World.Files.Get(item.SourcePath)?.Digest.Hex ?? string.Empty, item);
            }

            foreach (var own in _platform.OwnFiles.Where(f => f.Kind is OwnFileKind.Assembly or OwnFileKind.Satellite && !files.Contains(Normal(f.RelativePath)) && File.Exists(f.SourcePath)))
            {
                yield return ExplainOwn(Normal(own.RelativePath), own.SourcePath, own);
            }
        }

        private Shipped Explain(BillFile file)
        {
            foreach (var own in _own[file.Path])
            {
                // What is made right in the publish folder has no other source.
                var isMadeThere = own.Kind is OwnFileKind.WebConfig or OwnFileKind.DependencyFile or OwnFileKind.RuntimeConfig or OwnFileKind.EndpointManifest
                    && (World.Files.Real(own.SourcePath) == World.Files.Real(file.SourcePath) || !File.Exists(own.SourcePath));
                if (isMadeThere || HasBytes(own.SourcePath, file.Digest.Hex))
                {
                    return ExplainOwn(file.Path, file.SourcePath, own);
                }
            }

            var items = _items[file.Path].ToList();
            if ((items.LastOrDefault(i => HasBytes(i.SourcePath, file.Digest.Hex)) ?? items.LastOrDefault()) is { } item)
            {
                return ExplainItem(file.Path, file.SourcePath, file.Digest.Hex, item);
            }

            if (_assets.TryGetValue(file.Digest.Hex, out var asset))
            {
                return ExplainAsset(file, asset);
            }

            var stale = _own[file.Path].Select(o => o.SourcePath).FirstOrDefault();
            return Unexplained(file.Path, file.SourcePath, stale is null ? "no item, package or static web asset of the build names it" : $"it is not what the build made: {World.Relative(stale)} has other bytes");
        }

        private Shipped ExplainOwn(string path, string disk, OwnFile own)
        {
            if (_wall._edition.Projects.Count == 0)
            {
                return Unexplained(path, disk, "the build did not say which projects it is made of");
            }

            var service = _wall._edition.Projects[0].File;
            var kind = own.Kind is OwnFileKind.Assembly or OwnFileKind.Symbols or OwnFileKind.Documentation or OwnFileKind.Satellite ? OriginKind.Project : OriginKind.Generated;
            return new(path, disk, own.SourcePath, new(kind, kind == OriginKind.Project ? World.Relative(service) : own.Kind.ToString()), _wall._edition.License, "edition") { Own = own.Kind, Project = service };
        }

        private Shipped ExplainItem(string path, string disk, string hash, PublishItem item)
        {
            var source = World.Files.Real(item.SourcePath);
            var located = _graph?.Locate(source) ?? _graph?.Locate(Path.GetFullPath(item.SourcePath));
            if (item.PackageId.Length > 0 || located is not null)
            {
                return ExplainPackage(path, disk, hash, item, located);
            }

            if (source == World.Files.Real(disk) && !item.IsBundled)
            {
                return Unexplained(path, disk, $"the item that names it (of {Path.GetFileName(item.DefinedIn)}) has the publish folder itself as its source");
            }

            if (!HasBytes(source, hash))
            {
                return Unexplained(path, disk, File.Exists(source) ? $"it is not what is published: {World.Relative(source)} has other bytes" : $"{World.Relative(source)}, which it was copied from, is gone") with { Source = source };
            }

            if (item.SourceProject.Length > 0 || item.ReferenceSourceTarget == "ProjectReference")
            {
                var project = World.Files.Real(item.SourceProject.Length > 0 ? item.SourceProject : source);
                var licenses = OfProject(project);
                var license = item.License.Length > 0 ? (item.License, Because: "License stands on its ProjectReference")
                    : licenses.Count > 0 ? (licenses.OrderBy(l => _wall._policy.Judge(l.License) == LicenseVerdict.Refused ? 0 : 1).First() is var first ? (first.License, first.Because) : default)
                    : (License: _wall._edition.License, Because: "the edition's");
                if (_wall._policy.Judge(license.License) == LicenseVerdict.Refused)
                {
                    _wall.Report(DiagnosticCodes.RestrictedProject, project, $"{path} would ship: it is built from {World.Relative(project)}, and {_wall.Edition} does not allow its licence {license.License} ({license.Because}). {_wall.Way(project)}Put License=\"{license.License}\" or {_wall.Condition} on the ProjectReference that brings it in.", project);
                }

                return new(path, disk, source, new(OriginKind.Project, World.Relative(project)), license.License, item.License.Length > 0 ? "ProjectReference" : "project") { Project = project };
            }

            if (item.ReferenceSourceTarget.Length > 0 || item.ResolvedFrom.Length > 0)
            {
                if (item.License.Length > 0 && _wall._policy.Judge(item.License) == LicenseVerdict.Refused)
                {
                    _wall.Report(DiagnosticCodes.RestrictedFile, source, $"{path} would ship, a copy of {World.Relative(source)}, and {_wall.Edition} does not allow its licence {item.License} (License stands on its Reference). Put {_wall.Condition} on the Reference.", source);
                }

                return new(path, disk, source, new(OriginKind.Reference, World.Relative(source)), item.License.Length > 0 ? item.License : null, item.License.Length > 0 ? "Reference" : string.Empty);
            }

            var made = World.Licenses.IntermediateFolder(source);
            if (made is not null && !IsOwnFolder(made))
            {
                return Unexplained(path, disk, $"{World.Relative(source)}, which it was copied from, was made by the build of another edition") with { Source = source };
            }

            var judged = World.Licenses.Judge(source, _wall._edition, _wall._policy);
            return made is not null
                ? new(path, disk, source, new(OriginKind.Generated, World.Relative(source)), _wall._edition.License, "edition")
                : new(path, disk, source, new(OriginKind.Content, World.Relative(source)), judged.Expression.Length > 0 ? judged.Expression : _wall._edition.License, judged.Expression.Length > 0 ? judged.Source : "edition");
        }

        private IReadOnlyList<(string License, string Because, bool IsDeclared)> OfProject(string project)
        {
            // One that only other editions' graphs have is judged as they have it.
            var own = World.Licenses.OfProject(project, _wall._edition);
            return own.Count > 0 ? own : [.. World.Input.Editions.SelectMany(e => World.Licenses.OfProject(project, e))];
        }

        private Shipped ExplainAsset(BillFile file, StaticWebAsset asset)
        {
            if (asset.IsPackage || _graph?.Locate(World.Files.Real(asset.Source)) is not null)
            {
                var located = _graph?.Locate(World.Files.Real(asset.Source));
                var package = _graph?.Find(asset.SourceId) ?? (located is { } l ? _graph?.Find(l.Id) : null);
                if (package is null)
                {
                    _wall.ReportPublic(DiagnosticCodes.PackageFileDiffers, file.Path, $"{file.Path} would ship as a file of package {asset.SourceId}, which is not in the assets file of {_wall.Edition}. Delete obj and the publish folder, restore and publish again.", file.SourcePath);
                    return Unknown(file.Path, file.SourcePath);
                }

                if (!IsAssetOfPackage(file, asset, package))
                {
                    _wall.ReportPublic(DiagnosticCodes.PackageFileDiffers, file.Path, $"{file.Path} would ship as a static web asset of package {package.Id} {package.Version}, but the package's folder {package.Folder} does not hold it. Delete obj and the publish folder, restore and publish again.", file.SourcePath);
                    return Unknown(file.Path, file.SourcePath);
                }

                _packagesInUse.Add(package.Id);
                var stated = License(package.Id, package.Version, package.Folder);
                return new(file.Path, file.SourcePath, asset.Source, new(OriginKind.Package, $"{package.Id}/{package.Version}"), stated.Expression, stated.Source) { IsPackageFile = true };
            }

            var judged = World.Licenses.Judge(asset.Source, _wall._edition, _wall._policy);
            var made = World.Licenses.IntermediateFolder(World.Files.Real(asset.Source));
            if (made is not null && !IsOwnFolder(made))
            {
                return Unexplained(file.Path, file.SourcePath, $"{World.Relative(asset.Source)}, which is its static web asset, was made by the build of another edition");
            }

            var isMade = made is not null;
            return new(file.Path, file.SourcePath, asset.Source, new(isMade ? OriginKind.Generated : OriginKind.Content, World.Relative(asset.Source)),
                judged.Expression.Length > 0 ? judged.Expression : _wall._edition.License, judged.Expression.Length > 0 ? judged.Source : "edition");
        }

        /// <summary>The manifest only says so: the bytes must be in the package's folder, as they are or before they were compressed.</summary>
        private bool IsAssetOfPackage(BillFile file, StaticWebAsset asset, GraphPackage package)
        {
            return (IsIn(asset.Identity) && HasBytes(asset.Identity, file.Digest.Hex))
                || (IsIn(asset.Source) && Unpack(file.SourcePath) is { } unpacked && HasBytes(asset.Source, Digest.Of(unpacked).Hex));

            bool IsIn(string path) => (_graph!.Locate(World.Files.Real(path)) ?? _graph.Locate(Path.GetFullPath(path))) is { } located
                && string.Equals(located.Id, package.Id, StringComparison.OrdinalIgnoreCase) && string.Equals(located.Version, package.Version, StringComparison.OrdinalIgnoreCase);
        }

        private Shipped ExplainPackage(string path, string disk, string hash, PublishItem item, (string Id, string Version, string Root)? located)
        {
            var (id, version) = item.PackageId.Length > 0 ? (item.PackageId, item.PackageVersion) : (located!.Value.Id, located.Value.Version);
            var package = _graph?.Find(id);
            var root = package is { Folder.Length: > 0 } ? package.Folder : located?.Root ?? _graph?.PackFolder(id) ?? string.Empty;
            var why = _graph is null ? "its assets file can't be read"
                : package is null && !_graph.Packs.ContainsKey(id) ? $"the assets file of {_wall.Edition} has no such package"
                : package is not null && version.Length > 0 && !string.Equals(package.Version, version, StringComparison.OrdinalIgnoreCase) ? $"the assets file of {_wall.Edition} has version {package.Version}"
                : IsOfPackage(hash, item, root) ? null
                : $"the package's folder {root} holds other bytes";
            if (why is not null)
            {
                _wall.ReportPublic(DiagnosticCodes.PackageFileDiffers, path, $"{path} would ship as a file of package {id} {version}, but {why}. Delete obj and the publish folder, restore and publish again.", disk);
            }

            if (package is null && _graph?.Packs.ContainsKey(id) == true)
            {
                _packs.Add(id);
            }

            _packagesInUse.Add(id); // a file that its targets copied is in no list of the assets file

            var stated = License(id, version, root);
            return new(path, disk, World.Files.Real(item.SourcePath), new(OriginKind.Package, $"{id}/{version}"), stated.Expression, stated.Source) { IsPackageFile = why is null };
        }

        private bool IsOfPackage(string hash, PublishItem item, string root)
        {
            var source = World.Files.Real(item.SourcePath);
            var original = item.PathInPackage.Length > 0 && root.Length > 0 ? Path.Combine(root, item.PathInPackage.Replace('\\', '/')) : source;
            // A source outside of the package folders with the very same bytes would do no harm, but a source that *is* elsewhere, and of which nothing says where it was, proves nothing.
            if (HasBytes(original, hash) && (original != source || _graph?.Locate(source) is not null))
            {
                return true;
            }

            // ReadyToRun and trimming write an assembly anew, under obj; it keeps its name.
            if (root.Length == 0 || World.Licenses.IntermediateFolder(source) is null || !HasBytes(source, hash) || World.Assembly(source, []) is not { } made)
            {
                return false;
            }

            // Of a runtime pack's no metadata says where in the pack it was.
            IEnumerable<string> originals = original != source ? [original] : Directory.EnumerateFiles(root, Path.GetFileName(source), SearchOption.AllDirectories);
            return originals.Any(o => World.Assembly(o, []) is { } of && made.Name == of.Name && made.Types.Values.All(of.Types.Values.ToHashSet(StringComparer.Ordinal).Contains));
        }

        private Shipped Unexplained(string path, string disk, string why)
        {
            _wall.ReportPublic(DiagnosticCodes.UnexplainedFile, path, $"{path} would ship and nothing explains where it comes from: {why}. Delete the publish folder if it is left over; else add the file as Content with a License, or keep it out with CopyToPublishDirectory=\"Never\".", disk);
            return Unknown(path, disk);
        }

        private static Shipped Unknown(string path, string disk) => new(path, disk, disk, new(OriginKind.Unexplained, string.Empty), null, string.Empty);

        private bool HasBytes(string path, string hash) => World.Files.Get(path)?.Digest.Hex == hash;

        private StatedLicense License(string id, string version, string folder)
        {
            var said = _wall._edition.PackageLicenses.FirstOrDefault(p => string.Equals(p.Id, id, StringComparison.OrdinalIgnoreCase) && (p.Version.Length == 0 || string.Equals(p.Version, version, StringComparison.OrdinalIgnoreCase)));
            if (said is not null)
            {
                _wall._record.Overrides.Add(said);
                return new(said.License, "PackageLicense");
            }

            return World.PackageLicense(folder);
        }

        /// <summary>Says of a package for which there is a statement that it is about another version.</summary>
        private string OtherVersion(GraphPackage package)
            => _wall._edition.PackageLicenses.FirstOrDefault(p => string.Equals(p.Id, package.Id, StringComparison.OrdinalIgnoreCase) && p.Version.Length > 0 && !string.Equals(p.Version, package.Version, StringComparison.OrdinalIgnoreCase)) is { } other
                ? $", and the PackageLicense item is for version {other.Version}" : string.Empty;

        private void JudgePackages()
        {
            if (_graph is null)
            {
                return;
            }

            foreach (var removed in _wall._edition.Projects.SelectMany(p => p.Removed).Where(r => r.Type == "PackageReference" && _wall._policy.Judge(r.License) == LicenseVerdict.Refused))
            {
                if (_graph.Find(removed.Name) is { Ships: true } package)
                {
                    _wall.Report(DiagnosticCodes.RestrictedPackage, package.Id, $"Package {package.Id} {package.Version} would ship in {_wall.Edition}, which does not allow its licence {removed.License} (License stands on a PackageReference that was removed); another package or project brings it in. Put a Condition or ExcludeAssets=\"runtime\" there.", _platform.AssetsFile);
                }
            }

            var packs = _graph.Packs.Where(p => _packs.Contains(p.Key) || p.Key.Contains("ILCompiler", StringComparison.OrdinalIgnoreCase))
                .Select(p => new GraphPackage(p.Key, p.Value, _graph.PackFolder(p.Key), Ships: true));
            foreach (var package in _graph.Packages.Where(p => p.Ships || _packagesInUse.Contains(p.Id)).Concat(packs).OrderBy(p => p.Id, StringComparer.OrdinalIgnoreCase))
            {
                var stated = License(package.Id, package.Version, package.Folder);
                _wall._record.Packages.Add((package.Id, package.Version, stated.Expression, stated.Source));
                var name = $"{package.Id} {package.Version}";
                if (stated.Expression is null || _wall._policy.Judge(stated.Expression) == LicenseVerdict.Malformed)
                {
                    _wall.ReportPublic(DiagnosticCodes.PackageWithoutLicense, package.Id, $"The licence of package {name} is not known: {(stated.Expression is null ? stated.Source : $"'{stated.Expression}' is no SPDX expression")}{OtherVersion(package)}. Read it, then add <PackageLicense Include=\"{package.Id}\" Version=\"{package.Version}\" License=\"SPDX expression\" Reason=\"…\" /> to the project.", _platform.AssetsFile);
                }
                else if (_wall._policy.Judge(stated.Expression) == LicenseVerdict.Refused)
                {
                    _wall.ReportPublic(DiagnosticCodes.RestrictedPackage, package.Id, $"Package {name} would ship in {_wall.Edition}, which does not allow its licence {stated.Expression} ({stated.Source}). Put License=\"{stated.Expression}\" or a Condition on the PackageReference that brings it in, or add the licence to ContainerEditionAllowedLicenses.", _platform.AssetsFile);
                }
            }
        }
    }
}
