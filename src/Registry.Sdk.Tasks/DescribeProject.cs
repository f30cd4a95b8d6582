using Microsoft.Build.Framework;
using Registry.Sdk.Core.Editions;

namespace Registry.Sdk.Tasks;

/// <summary>What one project is made of as it evaluates, in one item that goes from build to build. Reads nothing but its parameters.</summary>
public sealed class DescribeProject : RegistrySdkTask
{
    /// <summary>Absolute path of the project.</summary>
    [Required]
    public string ProjectFile { get; set; } = string.Empty;

    /// <summary><c>TargetFramework</c>: a project with several is described for each.</summary>
    public string TargetFramework { get; set; } = string.Empty;

    /// <summary><c>PackageLicenseExpression</c>.</summary>
    public string License { get; set; } = string.Empty;

    /// <summary><c>AssemblyName</c>.</summary>
    public string AssemblyName { get; set; } = string.Empty;

    /// <summary><c>BaseIntermediateOutputPath</c>, relative to the project or absolute.</summary>
    public string IntermediateDirectory { get; set; } = string.Empty;

    /// <summary><c>RepositoryUrl</c>.</summary>
    public string RepositoryUrl { get; set; } = string.Empty;

    /// <summary><c>ContainerEditionAllowedLicenses</c>, <c>;</c>-separated.</summary>
    public string AllowedLicenses { get; set; } = string.Empty;

    /// <summary>Files that can declare a <c>LicensedPath</c>; those that do not exist are left out.</summary>
    public ITaskItem[] DeclaringFiles { get; set; } = [];

    /// <summary>The <c>Compile</c> items.</summary>
    public ITaskItem[] Compile { get; set; } = [];

    /// <summary>The <c>Content</c> items.</summary>
    public ITaskItem[] Content { get; set; } = [];

    /// <summary>The <c>None</c> items.</summary>
    public ITaskItem[] None { get; set; } = [];

    /// <summary>The <c>EmbeddedResource</c> items.</summary>
    public ITaskItem[] EmbeddedResource { get; set; } = [];

    /// <summary>The <c>AdditionalFiles</c> items.</summary>
    public ITaskItem[] AdditionalFiles { get; set; } = [];

    /// <summary>The <c>LicensedPath</c> items.</summary>
    public ITaskItem[] LicensedPaths { get; set; } = [];

    /// <summary>What evaluation took out: metadata <c>Type</c>, and <c>License</c> where the item itself carried it.</summary>
    public ITaskItem[] Removed { get; set; } = [];

    /// <summary>The <c>PackageReference</c> items.</summary>
    public ITaskItem[] PackageReferences { get; set; } = [];

    /// <summary>The <c>PackageLicense</c> items: metadata <c>Version</c>, <c>License</c>, <c>Reason</c>.</summary>
    public ITaskItem[] PackageLicenses { get; set; } = [];

    /// <summary>The <c>ProjectReference</c> items of which something can ship.</summary>
    public ITaskItem[] ProjectReferences { get; set; } = [];

    /// <summary>One item, named by project and framework.</summary>
    [Output]
    public ITaskItem[] Description { get; set; } = [];

    /// <inheritdoc/>
    protected override System.Threading.Tasks.Task RunAsync(CancellationToken cancellationToken)
    {
        var licensed = LicensedPaths.Where(p => p.GetMetadata("License").Length > 0)
            .Select(p => new LicensedPath(ItemFiles.FullPath(p), p.GetMetadata("License"), ProjectFile)).ToList();
        var licences = licensed.ToLookup(p => p.Path, p => p.License, StringComparer.OrdinalIgnoreCase);
        var description = new ProjectDescription
        {
            Facts = new()
            {
                File = ProjectFile,
                License = License,
                AssemblyName = AssemblyName,
                IntermediateDirectory = Path.GetFullPath(IntermediateDirectory.Replace('\\', Path.DirectorySeparatorChar), Path.GetDirectoryName(ProjectFile)!),
                Items = [.. ItemFiles.Of("Compile", Compile), .. ItemFiles.Of("Content", Content), .. ItemFiles.Of("None", None), .. ItemFiles.Of("EmbeddedResource", EmbeddedResource), .. ItemFiles.Of("AdditionalFiles", AdditionalFiles)],
                LicensedPaths = licensed,
                Removed = [.. Removed.Select(RemovedItem)],
                Packages = [.. PackageReferences.Select(p => p.ItemSpec)],
                DeclaringFiles = [.. DeclaringFiles.Select(ItemFiles.FullPath).Where(File.Exists).Distinct(StringComparer.Ordinal)],
                References = [.. ProjectReferences.Select(ItemFiles.FullPath).Distinct(StringComparer.Ordinal)],
            },
            ReferenceLicenses = [.. ProjectReferences.Where(r => r.GetMetadata("License").Length > 0).Select(r => KeyValuePair.Create(ItemFiles.FullPath(r), r.GetMetadata("License")))],
            RepositoryUrl = RepositoryUrl,
            AllowedLicenses = Split(AllowedLicenses),
            PackageLicenses = [.. PackageLicenses.Select(p => new PackageLicense(p.ItemSpec, p.GetMetadata("Version"), p.GetMetadata("License"), p.GetMetadata("Reason")))],
        };
        Description = [ProjectDescription.ToItem($"{ProjectFile}|{TargetFramework}", description)];
        return System.Threading.Tasks.Task.CompletedTask;

        RemovedItem RemovedItem(ITaskItem item)
        {
            // Packages and framework assemblies have names; whatever else was cut is a file. Paths that a glob found are cut whatever their case.
            var type = item.GetMetadata("Type");
            var name = type is "PackageReference" || (type is "Reference" && !File.Exists(ItemFiles.FullPath(item))) ? item.ItemSpec : ItemFiles.FullPath(item);
            var license = item.GetMetadata("License");
            return new(type, name, license.Length > 0 ? license : licences[name].FirstOrDefault() ?? string.Empty);
        }
    }
}
