using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Editions;

/// <summary>Input of the Editions stage: every edition of the project, those that are not published too. What they hold must not be in the others.</summary>
/// <param name="Editions">At least one; without <c>ContainerEditions</c> one without a name.</param>
public sealed record EditionsInput(IReadOnlyList<EditionInput> Editions);

/// <summary>One edition: what is declared of it, and what its build says it is made of.</summary>
public sealed record EditionInput
{
    /// <summary>The edition's name; empty: the project has no <c>ContainerEditions</c>.</summary>
    public string Name { get; init; } = string.Empty;

    /// <summary>The edition's own licence: <c>PackageLicenseExpression</c> as this edition evaluates it, an SPDX expression; empty: none is declared, and the wall is off.</summary>
    public string License { get; init; } = string.Empty;

    /// <summary><c>ContainerEditionAllowedLicenses</c>: SPDX ids that replace the default list; empty: the default list. The edition's own licence is allowed besides.</summary>
    public IReadOnlyList<string> AllowedLicenses { get; init; } = [];

    /// <summary>Names of the destinations of this edition that anyone can read, as far as that is declared (or Docker Hub without a declaration). Empty: none; then the wall is less strict.</summary>
    public IReadOnlyList<string> PublicDestinations { get; init; } = [];

    /// <summary>The projects of this edition as they evaluate: the service first. Empty: not known (only where the wall is off).</summary>
    public IReadOnlyList<ProjectFacts> Projects { get; init; } = [];

    /// <summary>The <c>PackageLicense</c> items of the service.</summary>
    public IReadOnlyList<PackageLicense> PackageLicenses { get; init; } = [];

    /// <summary>What was built, by platform, in the order of the RIDs. Empty: this publish does not build this edition (<c>-p:ContainerEdition</c> names another).</summary>
    public IReadOnlyList<PlatformEvidence> Platforms { get; init; } = [];

    /// <summary>Whether anyone can get this edition.</summary>
    public bool IsPublic => PublicDestinations.Count > 0;
}

/// <summary>One project in the graph of a service, as it evaluates under one edition; not built.</summary>
/// <remarks>From the target <c>_RegistrySdkDescribeProject</c>, which every project of the graph is asked for, whether or not it references us.</remarks>
public sealed record ProjectFacts
{
    /// <summary>Absolute path of the project file.</summary>
    public required string File { get; init; }

    /// <summary><c>PackageLicenseExpression</c> as the project evaluates it under this edition; empty: the project declares none and has the edition's.</summary>
    public string License { get; init; } = string.Empty;

    /// <summary><c>License</c> metadata of the <c>ProjectReference</c> items that name it; all that occur. They win over <see cref="License"/>.</summary>
    public IReadOnlyList<string> ReferenceLicenses { get; init; } = [];

    /// <summary><c>AssemblyName</c>.</summary>
    public string AssemblyName { get; init; } = string.Empty;

    /// <summary>Absolute path of <c>BaseIntermediateOutputPath</c>: generated files lie below.</summary>
    public string IntermediateDirectory { get; init; } = string.Empty;

    /// <summary>Files of the project by item type as evaluated: <c>Compile</c>, <c>Content</c>, <c>None</c>, <c>EmbeddedResource</c>, <c>AdditionalFiles</c>.</summary>
    public IReadOnlyList<SourceItem> Items { get; init; } = [];

    /// <summary>The <c>LicensedPath</c> items after MSBuild expanded their globs; those of every project count for all.</summary>
    public IReadOnlyList<LicensedPath> LicensedPaths { get; init; } = [];

    /// <summary>What evaluation took out of this project for its licence.</summary>
    public IReadOnlyList<RemovedItem> Removed { get; init; } = [];

    /// <summary>Ids of its <c>PackageReference</c> items under this edition.</summary>
    public IReadOnlyList<string> Packages { get; init; } = [];

    /// <summary>Absolute paths of the files that can declare a <c>LicensedPath</c>: the project, its <c>Directory.Build.props</c> and <c>.targets</c>. A glob that matches nothing leaves no item, so it can be found in the text alone.</summary>
    public IReadOnlyList<string> DeclaringFiles { get; init; } = [];

    /// <summary>Absolute paths of the projects it references directly, under this edition.</summary>
    public IReadOnlyList<string> References { get; init; } = [];
}

/// <summary>One item that names a source file.</summary>
/// <param name="Type">The item type: <c>Compile</c>, <c>Content</c>, …</param>
/// <param name="Path">Absolute path.</param>
/// <param name="License"><c>License</c> metadata, an SPDX expression, or empty.</param>
/// <param name="LogicalName">Of an embedded resource its name in the assembly; else empty.</param>
public sealed record SourceItem(string Type, string Path, string License = "", string LogicalName = "");

/// <summary>One <c>LicensedPath</c> item.</summary>
/// <param name="Path">Absolute path: a file, or what was written where it matches none.</param>
/// <param name="License">Its <c>License</c>, an SPDX expression.</param>
/// <param name="Project">Absolute path of the project that declares it.</param>
public sealed record LicensedPath(string Path, string License, string Project);

/// <summary>One item that evaluation took out because its licence does not allow it in this edition.</summary>
/// <param name="Type">The item type: <c>Compile</c>, <c>PackageReference</c>, …</param>
/// <param name="Name">Absolute path of a file or project; id of a package.</param>
/// <param name="License">The licence that was judged.</param>
public sealed record RemovedItem(string Type, string Name, string License);

/// <summary>One <c>PackageLicense</c> item: what a person says the licence of a package is. It is recorded in the bill.</summary>
/// <param name="Id">Package id.</param>
/// <param name="Version">Exact version; empty: every version.</param>
/// <param name="License">An SPDX expression.</param>
/// <param name="Reason">Why, for whoever reads the bill; may be empty.</param>
public sealed record PackageLicense(string Id, string Version, string License, string Reason);

/// <summary>What the publish of one edition for one platform says it is made of.</summary>
public sealed record PlatformEvidence
{
    /// <summary>The RID.</summary>
    public string RuntimeIdentifier { get; init; } = string.Empty;

    /// <summary>Absolute path of the folder that <c>dotnet publish</c> filled.</summary>
    public required string PublishDirectory { get; init; }

    /// <summary><c>ResolvedFileToPublish</c>, and <c>FilesToBundle</c> of a single file. Empty together with everything below: nothing is known (the wall is off).</summary>
    public IReadOnlyList<PublishItem> Items { get; init; } = [];

    /// <summary>The files that the .NET SDK makes for the project itself.</summary>
    public IReadOnlyList<OwnFile> OwnFiles { get; init; } = [];

    /// <summary><c>Compile</c>, <c>AdditionalFiles</c> and <c>EmbeddedResource</c> of the service as they were when it was compiled, those added by targets too.</summary>
    public IReadOnlyList<SourceItem> Compiled { get; init; } = [];

    /// <summary><c>ProjectAssetsFile</c>, absolute.</summary>
    public string AssetsFile { get; init; } = string.Empty;

    /// <summary><c>NuGetTargetMoniker</c> or <c>TargetFramework</c>: which target of the assets file.</summary>
    public string TargetFramework { get; init; } = string.Empty;

    /// <summary><c>StaticWebAssetPublishManifestPath</c>, absolute, or empty.</summary>
    public string StaticWebAssetsManifest { get; init; } = string.Empty;

    /// <summary><c>IntermediateOutputPath</c>, absolute.</summary>
    public string IntermediateDirectory { get; init; } = string.Empty;

    /// <summary><c>SourceRoot</c> items: absolute folder and what it is called in PDBs (<c>MappedPath</c>, or empty).</summary>
    public IReadOnlyList<KeyValuePair<string, string>> SourceRoots { get; init; } = [];
}

/// <summary>One file as the .NET SDK decided to publish it.</summary>
public sealed record PublishItem
{
    /// <summary>Absolute path it is copied from.</summary>
    public required string SourcePath { get; init; }

    /// <summary>Path below the publish folder, <c>/</c>-separated.</summary>
    public required string RelativePath { get; init; }

    /// <summary><c>NuGetPackageId</c>, or empty.</summary>
    public string PackageId { get; init; } = string.Empty;

    /// <summary><c>NuGetPackageVersion</c>, or empty.</summary>
    public string PackageVersion { get; init; } = string.Empty;

    /// <summary><c>PathInPackage</c>, or empty.</summary>
    public string PathInPackage { get; init; } = string.Empty;

    /// <summary><c>ReferenceSourceTarget</c>: <c>ProjectReference</c>, <c>ResolveAssemblyReference</c>, or empty.</summary>
    public string ReferenceSourceTarget { get; init; } = string.Empty;

    /// <summary><c>MSBuildSourceProjectFile</c>: the project it was built by, absolute; or empty.</summary>
    public string SourceProject { get; init; } = string.Empty;

    /// <summary><c>ResolvedFrom</c>: how an assembly reference was found (<c>{HintPathFromItem}</c>), or empty.</summary>
    public string ResolvedFrom { get; init; } = string.Empty;

    /// <summary><c>License</c> metadata, which flows from <c>ProjectReference</c> and <c>Reference</c>; or empty.</summary>
    public string License { get; init; } = string.Empty;

    /// <summary><c>DefiningProjectFullPath</c>: the MSBuild file whose line or target added it.</summary>
    public string DefinedIn { get; init; } = string.Empty;

    /// <summary>Whether it is inside the single file and not beside it.</summary>
    public bool IsBundled { get; init; }
}

/// <summary>What the .NET SDK makes for a project besides what it copies.</summary>
public enum OwnFileKind
{
    /// <summary>The project's assembly (<c>IntermediateAssembly</c>; after ReadyToRun or trimming what came of it).</summary>
    Assembly,

    /// <summary>Its portable PDB.</summary>
    Symbols,

    /// <summary>Its XML documentation.</summary>
    Documentation,

    /// <summary>A satellite assembly of its.</summary>
    Satellite,

    /// <summary>The host that starts it; of a single file or native AOT the whole application.</summary>
    AppHost,

    /// <summary><c>&lt;App>.deps.json</c>.</summary>
    DependencyFile,

    /// <summary><c>&lt;App>.runtimeconfig.json</c>.</summary>
    RuntimeConfig,

    /// <summary><c>*.staticwebassets.endpoints.json</c>.</summary>
    EndpointManifest,

    /// <summary><c>web.config</c>.</summary>
    WebConfig,
}

/// <summary>One file that the .NET SDK made for the project itself.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="SourcePath">Absolute path of what is copied to the publish folder.</param>
/// <param name="RelativePath">Path below the publish folder, <c>/</c>-separated.</param>
public sealed record OwnFile(OwnFileKind Kind, string SourcePath, string RelativePath);

/// <summary>Where a file comes from.</summary>
public enum OriginKind
{
    /// <summary>Nothing explains it.</summary>
    Unexplained,

    /// <summary>The wall is off (no licence is declared), so nobody asked.</summary>
    NotJudged,

    /// <summary>Compiled output of a project; the name is the project's.</summary>
    Project,

    /// <summary>A file of a package; the name is <c>id/version</c>.</summary>
    Package,

    /// <summary>A source file of a project, copied as it is; the name is its path below the repository or project.</summary>
    Content,

    /// <summary>An assembly referenced by its path (<c>Reference</c> with <c>HintPath</c>); the name is that path.</summary>
    Reference,

    /// <summary>Made by the .NET SDK; the name says what.</summary>
    Generated,
}

/// <summary>Where a file comes from.</summary>
/// <param name="Kind">The kind.</param>
/// <param name="Name">Project, package, source file or what was generated.</param>
public sealed record FileOrigin(OriginKind Kind, string Name)
{
    /// <summary>The wall is off.</summary>
    public static FileOrigin NotJudged { get; } = new(OriginKind.NotJudged, string.Empty);
}

/// <summary>One file that will ship.</summary>
/// <param name="Path">Path below the publish folder, <c>/</c>-separated.</param>
/// <param name="SourcePath">Absolute path it is read from.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Digest">SHA-256 of the content.</param>
/// <param name="IsExecutable">ELF, <c>#!</c>, or executable by its owner: mode 0755 instead of 0644.</param>
public sealed record BillFile(string Path, string SourcePath, long Size, Digest Digest, bool IsExecutable)
{
    /// <summary>Where it comes from.</summary>
    public FileOrigin Origin { get; init; } = FileOrigin.NotJudged;

    /// <summary>Its licence, an SPDX expression; null: not known.</summary>
    public string? License { get; init; }

    /// <summary>What says so, in a few words: <c>LicensedPath</c>, <c>nuspec</c>, <c>PackageLicense</c>, <c>edition</c>, …; empty if nothing does.</summary>
    public string LicenseSource { get; init; } = string.Empty;
}

/// <summary>Every file that will ship for one platform. Imaging composes from it alone.</summary>
/// <param name="Files">Ordinal order of <see cref="BillFile.Path"/>.</param>
public sealed record Bill(IReadOnlyList<BillFile> Files);

/// <summary>Output of the Editions stage for one edition that was built.</summary>
/// <param name="Name">The edition's name, or empty.</param>
/// <param name="License">Its licence, or empty.</param>
/// <param name="Bills">By platform, in the order of the input.</param>
/// <param name="BillJson">The bill of all platforms as JSON, for a file below <c>obj/</c>. Empty where the wall is off.</param>
/// <param name="WallMarkdown">For people: what ships, what was left out and why, for <c>wall.md</c> below <c>obj/</c>. It names what must stay unknown outside. Empty where the wall is off.</param>
public sealed record EditionBills(string Name, string License, IReadOnlyList<Bill> Bills, string BillJson, string WallMarkdown);

/// <summary>Output of the Editions stage.</summary>
/// <param name="Editions">Those that were built and whose publish folder could be read, in the input's order.</param>
/// <param name="Diagnostics">Errors and warnings, in the order they were found. With an error nothing may be composed of the bills.</param>
public sealed record EditionsOutput(IReadOnlyList<EditionBills> Editions, IReadOnlyList<Diagnostic> Diagnostics)
{
    /// <summary>Whether every edition passed.</summary>
    public bool Succeeded => !Diagnostics.Any(d => d.IsError);
}
