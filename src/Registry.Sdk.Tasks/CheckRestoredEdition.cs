using System.Text.Json;
using Microsoft.Build.Framework;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Tasks;

/// <summary>
/// Whether what was restored is of the edition that is built: the assets file must name no direct package or project that this edition does not have. RSDK3025
/// if it does. It happens after <c>--no-restore</c> with another <c>ContainerEdition</c>, and where restore did not see what was taken out.
/// </summary>
public sealed class CheckRestoredEdition : RegistrySdkTask
{
    /// <summary><c>ContainerEdition</c>.</summary>
    [Required]
    public string Edition { get; set; } = string.Empty;

    /// <summary>Absolute path of the project.</summary>
    [Required]
    public string ProjectFile { get; set; } = string.Empty;

    /// <summary><c>ProjectAssetsFile</c>; exists.</summary>
    [Required]
    public string AssetsFile { get; set; } = string.Empty;

    /// <summary><c>TargetFramework</c>: which of the frameworks that were restored.</summary>
    public string TargetFramework { get; set; } = string.Empty;

    /// <summary>The <c>PackageReference</c> items of this edition.</summary>
    public ITaskItem[] PackageReferences { get; set; } = [];

    /// <summary>The <c>ProjectReference</c> items of this edition.</summary>
    public ITaskItem[] ProjectReferences { get; set; } = [];

    /// <inheritdoc/>
    protected override async System.Threading.Tasks.Task RunAsync(CancellationToken cancellationToken)
    {
        var foreign = new List<string>();
        using (var file = File.OpenRead(Path.GetFullPath(AssetsFile.Replace('\\', Path.DirectorySeparatorChar), Path.GetDirectoryName(ProjectFile)!)))
        {
            using var assets = await JsonDocument.ParseAsync(file, cancellationToken: cancellationToken).ConfigureAwait(false);
            if (assets.RootElement.TryGetProperty("project", out var project))
            {
                var packages = PackageReferences.Select(p => p.ItemSpec).ToHashSet(StringComparer.OrdinalIgnoreCase);
                // What the .NET SDK adds by itself has no item until targets run.
                foreign.AddRange(In(project, "dependencies")
                    .Where(d => !(d.Value.TryGetProperty("autoReferenced", out var automatic) && automatic.GetBoolean()) && !packages.Contains(d.Name))
                    .Select(d => "the package " + d.Name));
                var projects = ProjectReferences.Select(ItemFiles.FullPath).ToHashSet(StringComparer.OrdinalIgnoreCase);
                foreign.AddRange((project.TryGetProperty("restore", out var restore) ? In(restore, "projectReferences") : [])
                    .Where(r => !projects.Contains(Path.GetFullPath(r.Name)))
                    .Select(r => "the project " + r.Name));
            }
        }

        if (foreign.Count > 0)
        {
            Report([DiagnosticCodes.EditionNotRestored.Report(
                $"{Path.GetFileNameWithoutExtension(ProjectFile)} is built as edition '{Edition}', but {AssetsFile} was restored for another: it has {string.Join(" and ", foreign)}. Restore first, with dotnet restore -p:ContainerEdition={Edition}. Where Registry.Sdk is a PackageReference, restore sees a Condition=\"'$(ContainerEdition)' == '…'\" on the item, but no License.",
                ProjectFile)]);
        }
    }

    /// <summary>A section of this framework; with an alias or a framework in another spelling, that of all.</summary>
    private IEnumerable<JsonProperty> In(JsonElement parent, string section)
    {
        if (!parent.TryGetProperty("frameworks", out var frameworks))
        {
            return [];
        }

        var all = frameworks.EnumerateObject().ToList();
        var mine = all.Where(f => string.Equals(f.Name, TargetFramework, StringComparison.OrdinalIgnoreCase)
            || (f.Value.TryGetProperty("targetAlias", out var alias) && string.Equals(alias.GetString(), TargetFramework, StringComparison.OrdinalIgnoreCase))).ToList();
        // Of several, none of which is known to be this one, nothing can be said.
        return (mine.Count > 0 ? mine : all.Count == 1 ? all : []).SelectMany(f => f.Value.TryGetProperty(section, out var found) ? found.EnumerateObject() : Enumerable.Empty<JsonProperty>());
    }
}
