using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Editions;

/// <summary>What is known about the licence of one first-party file, seen from one edition.</summary>
/// <param name="Expression">An SPDX expression; empty: nothing says any.</param>
/// <param name="Source">What says so: <c>LicensedPath</c>, <c>SPDX header</c>, <c>project</c>, <c>edition</c>, …</param>
/// <param name="Because">The same as a phrase for a message.</param>
/// <param name="IsDeclared">Whether somebody said it, of the file or of its project.</param>
/// <param name="IsOfFile">Whether somebody said it of this file.</param>
/// <param name="IsRefused">Whether the edition refuses it.</param>
internal sealed record FileLicense(string Expression, string Source, string Because, bool IsDeclared, bool IsOfFile, bool IsRefused);

/// <summary>All first-party files of all editions, and what is declared of them. What one edition says of a file holds in every edition.</summary>
internal sealed class LicenseMap
{
    private readonly Dictionary<string, List<(string License, string Source, string Because)>> _declared = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, List<Use>> _uses = new(StringComparer.OrdinalIgnoreCase);
    private readonly Dictionary<string, List<string>> _projectLicenses = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _homes = new(StringComparer.OrdinalIgnoreCase);
    private readonly HashSet<string> _mistaken = new(StringComparer.Ordinal);
    private readonly List<string> _intermediate;
    private readonly List<string> _packageFolders;
    private readonly SourceFiles _files;
    private readonly EditionsInput _input;
    private readonly List<Diagnostic> _diagnostics;

    /// <summary>Collects.</summary>
    /// <param name="input">All editions.</param>
    /// <param name="packageFolders">Below these nothing is first-party.</param>
    /// <param name="files">Reads files.</param>
    /// <param name="diagnostics">Takes what is wrong with the declarations themselves.</param>
    public LicenseMap(EditionsInput input, IEnumerable<string> packageFolders, SourceFiles files, List<Diagnostic> diagnostics)
    {
        (_input, _files, _diagnostics) = (input, files, diagnostics);
        _packageFolders = [.. packageFolders.Select(files.Real).Distinct(StringComparer.Ordinal)];
        _intermediate =
        [
            .. input.Editions.SelectMany(e => e.Projects.Select(p => p.IntermediateDirectory).Concat(e.Platforms.Select(p => p.IntermediateDirectory)))
                .Where(d => d.Length > 0).Select(d => Path.TrimEndingDirectorySeparator(files.Real(Path.TrimEndingDirectorySeparator(d)))).Distinct(StringComparer.OrdinalIgnoreCase),
        ];
        foreach (var edition in input.Editions)
        {
            Collect(edition);
        }

        CollectPatterns();
        CollectHeaders();
    }

    /// <summary>Every first-party file that any edition names.</summary>
    public IEnumerable<string> Files => _uses.Keys.Concat(_declared.Keys).Distinct(StringComparer.OrdinalIgnoreCase).Order(StringComparer.Ordinal);

    /// <summary>The deepest folder of build output that holds the path; null if none does.</summary>
    public string? IntermediateFolder(string path)
        => _intermediate.Where(d => IsBelow(path, d)).OrderByDescending(d => d.Length).FirstOrDefault();

    /// <summary>Whether the file is built or restored, and not somebody's source.</summary>
    public bool IsMade(string path) => IntermediateFolder(path) is not null || _packageFolders.Exists(f => IsBelow(path, f));

    /// <summary>The licences of a project in an edition.</summary>
    public IReadOnlyList<(string License, string Because, bool IsDeclared)> OfProject(string file, EditionInput edition)
    {
        var project = edition.Projects.FirstOrDefault(p => Same(p.File, file));
        var name = Path.GetFileName(file);
        IReadOnlyList<string> referenced = project is { ReferenceLicenses.Count: > 0 } ? project.ReferenceLicenses : _projectLicenses.GetValueOrDefault(_files.Real(file)) ?? [];
        return referenced.Count > 0 ? [.. referenced.Select(l => (l, $"License stands on a ProjectReference to {name}", true))]
            : project is null ? []
            : project.License.Length > 0 && !Same(project.License, edition.License) ? [(project.License, $"PackageLicenseExpression of {name}", true)]
            : [(edition.License, $"the licence of edition {edition.Name}", false)];
    }

    /// <summary>What is known of a file, seen from an edition.</summary>
    public FileLicense Judge(string path, EditionInput edition, LicensePolicy policy)
    {
        var real = _files.Real(path);
        if (!_declared.ContainsKey(real) && !_uses.ContainsKey(real))
        {
            DeclareHeaders(real); // a file that no project names: a target brought it in
        }

        if (_declared.TryGetValue(real, out var declared))
        {
            // All that was said must hold: a header that says MIT does not lift a LicensedPath that says BUSL-1.1.
            var (license, source, because) = declared.OrderBy(d => policy.Judge(d.License) switch { LicenseVerdict.Refused => 0, LicenseVerdict.Allowed => 1, _ => 2 }).First();
            return new(license, source, because, IsDeclared: true, IsOfFile: true, policy.Judge(license) == LicenseVerdict.Refused);
        }

        if (IsMade(real))
        {
            return new(string.Empty, string.Empty, string.Empty, IsDeclared: false, IsOfFile: false, IsRefused: false);
        }

        // The project whose folder it lies in decides; one that compiles it by link does so only where there is no such project.
        var uses = _uses.GetValueOrDefault(real) ?? [];
        var home = Home(real);
        var atHome = uses.Where(u => home is not null && Same(Path.GetDirectoryName(u.Project), home)).ToList();
        if (atHome.Count == 0 && home is not null)
        {
            // The folder's project does not take it (any more), or nobody names it at all. What was said of that project is said of its files.
            var said = HomeProjects(home).SelectMany(p => OfProject(p.File, p.Edition)).Where(l => l.IsDeclared && policy.Judge(l.License) == LicenseVerdict.Refused).ToList();
            if (said.Count > 0)
            {
                return new(said[0].License, "project", said[0].Because, IsDeclared: true, IsOfFile: false, IsRefused: true);
            }

            if (uses.Count == 0)
            {
                atHome = [.. HomeProjects(home).Select(p => new Use(p.Edition, p.File, string.Empty))];
            }
        }

        return OfUses(atHome.Count > 0 ? atHome : uses, edition, policy);
    }

    /// <summary>Whether an edition takes the file by itself: names it in an item that is used, whoever's folder it is in.</summary>
    public bool IsNamedBy(string path, EditionInput edition)
        => _uses.GetValueOrDefault(_files.Real(path)) is { } uses && uses.Exists(u => ReferenceEquals(u.Edition, edition));

    private static bool IsBelow(string path, string folder) => path.StartsWith(folder + Path.DirectorySeparatorChar, StringComparison.OrdinalIgnoreCase);

    private static bool Same(string? a, string? b) => string.Equals(a, b, StringComparison.OrdinalIgnoreCase);

    private FileLicense OfUses(IReadOnlyList<Use> uses, EditionInput edition, LicensePolicy policy)
    {
        // A file that is Compile or Content in one edition and merely listed (None) in this one is not in this one: default globs list what is left over.
        var isUsedSomewhere = uses.Any(u => u.Type != "None");
        var here = uses.Where(u => ReferenceEquals(u.Edition, edition) && (u.Type != "None" || !isUsedSomewhere)).ToList();
        var judged = (here.Count > 0 ? here : uses).SelectMany(u => OfProject(u.Project, u.Edition)).Where(l => l.License.Length > 0).Distinct()
            .Select(l => (l.License, l.Because, l.IsDeclared, IsRefused: policy.Judge(l.License) == LicenseVerdict.Refused)).ToList();
        if (judged.Count == 0)
        {
            return new(string.Empty, string.Empty, string.Empty, IsDeclared: false, IsOfFile: false, IsRefused: false);
        }

        // Here, every project that takes it must be allowed. Elsewhere one edition that is enough: what is in an MIT edition is MIT.
        var isRefused = here.Count > 0 ? judged.Exists(j => j.IsRefused) : judged.TrueForAll(j => j.IsRefused) || judged.Exists(j => j is { IsRefused: true, IsDeclared: true });
        var (license, because, isDeclared, _) = judged.OrderByDescending(j => j.IsRefused == isRefused).ThenByDescending(j => j.IsDeclared).First();
        return new(license, isDeclared ? "project" : "edition", here.Count > 0 || isDeclared ? because : $"it is in {because["the licence of ".Length..]} only", isDeclared, IsOfFile: false, isRefused);
    }

    private string? Home(string path)
    {
        for (var folder = Path.GetDirectoryName(path); folder is not null; folder = Path.GetDirectoryName(folder))
        {
            if (_homes.Contains(folder))
            {
                return folder;
            }
        }

        return null;
    }

    private IEnumerable<(string File, EditionInput Edition)> HomeProjects(string home)
        => _input.Editions.SelectMany(e => e.Projects.Select(p => (File: _files.Real(p.File), Edition: e))).Where(p => Same(Path.GetDirectoryName(p.File), home));

    private void Collect(EditionInput edition)
    {
        Check(edition.License, $"PackageLicenseExpression of {(edition.Name.Length > 0 ? $"edition {edition.Name}" : "the project")}", edition.Projects.Count > 0 ? edition.Projects[0].File : null);
        foreach (var allowed in edition.AllowedLicenses)
        {
            Check(allowed, "ContainerEditionAllowedLicenses", null);
        }

        foreach (var package in edition.PackageLicenses)
        {
            Check(package.License, $"License of PackageLicense {package.Id}", null);
        }

        foreach (var project in edition.Projects)
        {
            var file = _files.Real(project.File);
            var name = Path.GetFileName(file);
            _homes.Add(Path.GetDirectoryName(file)!);
            Check(project.License, $"PackageLicenseExpression of {name}", project.File);
            foreach (var license in project.ReferenceLicenses)
            {
                Check(license, $"License of a ProjectReference to {name}", project.File);
                AddTo(_projectLicenses, file, license);
            }

            foreach (var path in project.LicensedPaths)
            {
                Check(path.License, $"License of LicensedPath {path.Path}", path.Project);
                Declare(path.Path, path.License, "LicensedPath", $"LicensedPath of {Path.GetFileName(path.Project)}");
            }

            foreach (var removed in project.Removed)
            {
                Check(removed.License, $"License of {removed.Type} {removed.Name}", project.File);
                if (removed.Type == "ProjectReference")
                {
                    AddTo(_projectLicenses, _files.Real(removed.Name), removed.License);
                }
                else if (removed.Type is not ("PackageReference" or "Reference"))
                {
                    Declare(removed.Name, removed.License, "License", $"License on a {removed.Type} of {name}");
                }
            }

            foreach (var item in project.Items)
            {
                Take(item, edition, file);
            }
        }

        if (edition.Projects.Count > 0)
        {
            foreach (var item in edition.Platforms.SelectMany(p => p.Compiled))
            {
                Take(item, edition, _files.Real(edition.Projects[0].File));
            }
        }

        foreach (var item in edition.Platforms.SelectMany(p => p.Items).Where(i => i.License.Length > 0))
        {
            Check(item.License, $"License of {item.RelativePath}", item.SourcePath);
            if (item.ReferenceSourceTarget != "ProjectReference" && item.PackageId.Length == 0)
            {
                Declare(item.SourcePath, item.License, "License", "License on the item that publishes it");
            }
        }
    }

    private void Take(SourceItem item, EditionInput edition, string project)
    {
        var real = _files.Real(item.Path);
        if (item.License.Length > 0)
        {
            Check(item.License, $"License of {item.Type} {item.Path}", item.Path);
            Declare(item.Path, item.License, "License", $"License on a {item.Type} of {Path.GetFileName(project)}");
        }

        if (!IsMade(real))
        {
            AddTo(_uses, real, new Use(edition, project, item.Type));
        }
    }

    private void CollectPatterns()
    {
        // A glob of Directory.Build.props is relative to each project and matches in few of them: it is at fault only if it matches in none.
        var seen = new Dictionary<WrittenPattern, (bool Exact, string? Folder, string? Other)>();
        foreach (var (project, file) in _input.Editions.SelectMany(e => e.Projects).SelectMany(p => p.DeclaringFiles.Select(f => (p.File, f))).Distinct())
        {
            foreach (var (written, exclude) in LicensedPatterns.Read(file))
            {
                if (written.License.Length == 0 || written.License.Contains('$', StringComparison.Ordinal) || LicensedPatterns.Absolute(written.Pattern, file, project) is not { } pattern)
                {
                    continue;
                }

                var state = seen.GetValueOrDefault(written);
                var isExact = false;
                if (LicensedPatterns.IsFolder(pattern))
                {
                    // Evaluation takes nothing out for it; what was meant is plain.
                    state.Folder ??= pattern;
                    foreach (var match in LicensedPatterns.Match(pattern.TrimEnd('/') + "/**", exclude, file, project).Where(m => !IsMade(_files.Real(m))))
                    {
                        Declare(match, written.License, "LicensedPath", $"LicensedPath {written.Pattern} of {Path.GetFileName(file)}, a folder");
                    }
                }

                var exact = LicensedPatterns.Exact(pattern);
                foreach (var match in LicensedPatterns.Match(pattern, exclude, file, project))
                {
                    if (exact(match))
                    {
                        isExact = true;
                    }
                    else if (!IsMade(_files.Real(match)))
                    {
                        state.Other ??= match;
                        Check(written.License, $"License of LicensedPath {written.Pattern}", file);
                        Declare(match, written.License, "LicensedPath", $"LicensedPath {written.Pattern} of {Path.GetFileName(file)}, but for case");
                    }
                }

                state.Exact |= isExact;
                seen[written] = state;
            }
        }

        foreach (var (written, state) in seen.Where(s => !s.Value.Exact).OrderBy(s => s.Key.File, StringComparer.Ordinal).ThenBy(s => s.Key.Pattern, StringComparer.Ordinal))
        {
            var why = state.Folder is not null ? $"names a folder, and a folder is no file: evaluation took nothing out (the wall looks for all of it). Write {written.Pattern.TrimEnd('/', '\\')}/**"
                : state.Other is not null ? $"matches {Path.GetFileName(state.Other)} only if case is not regarded, so evaluation did not see it (the wall does). Spell it as the disk does: {state.Other}"
                : "matches no file. Correct it (globs are relative to the project and case-sensitive), or remove it";
            _diagnostics.Add(DiagnosticCodes.LicensedPathMatchesNothing.Report($"LicensedPath Include=\"{written.Pattern}\" in {Path.GetFileName(written.File)} {why}.", written.File));
        }
    }

    private void CollectHeaders()
    {
        foreach (var path in Files.ToList())
        {
            DeclareHeaders(path);
        }
    }

    private void DeclareHeaders(string path)
    {
        if (_files.Get(path) is not { } file)
        {
            return;
        }

        foreach (var license in file.Headers)
        {
            Check(license, $"The SPDX-License-Identifier of {Path.GetFileName(path)}", path);
            Declare(path, license, "SPDX header", "its SPDX-License-Identifier");
        }

        foreach (var license in file.SideLicenses)
        {
            Check(license, $"The SPDX-License-Identifier of {Path.GetFileName(path)}.license", path);
            Declare(path, license, "REUSE side file", $"{Path.GetFileName(path)}.license");
        }
    }

    private void Declare(string path, string license, string source, string because)
    {
        var real = _files.Real(path);
        if (license.Length > 0 && !(_declared.TryGetValue(real, out var known) && known.Exists(d => d.License == license && d.Source == source)))
        {
            AddTo(_declared, real, (license, source, because));
        }
    }

    /// <summary>Says once of each expression what is wrong with it.</summary>
    private void Check(string expression, string where, string? file)
    {
        if (expression.Length == 0)
        {
            return;
        }

        // A name that is none stands in many places; once is enough.
        var diagnostic = !SpdxExpression.TryParse(expression, out _)
            ? DiagnosticCodes.BadLicenseExpression.Report($"{where} is '{PlainText.Of(expression)}', which is no SPDX expression. Use ids of spdx.org/licenses, AND, OR, WITH (upper case), parentheses, or LicenseRef-<name>.", file)
            : LicensePolicy.MistakenName(expression) is { } name && _mistaken.Add(expression)
                ? DiagnosticCodes.NotAnSpdxName.Report($"{where} is '{PlainText.Of(expression)}', and {name} is no SPDX name, so what stands under it is allowed in no edition. Write BUSL-1.1 for the Business Source License; the Boost Software License is BSL-1.0.", file)
                : null;
        if (diagnostic is not null && !_diagnostics.Contains(diagnostic))
        {
            _diagnostics.Add(diagnostic);
        }
    }

    private static void AddTo<T>(Dictionary<string, List<T>> index, string key, T value)
    {
        if (!index.TryGetValue(key, out var list))
        {
            index[key] = list = [];
        }

        if (!list.Contains(value))
        {
            list.Add(value);
        }
    }

    private sealed record Use(EditionInput Edition, string Project, string Type);
}
