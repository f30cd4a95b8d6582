using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Facts;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Versioning;

namespace Registry.Sdk.Tasks;

/// <summary>Stages Facts and Versioning: the tags and the version of this build, from git and CI. No network.</summary>
public sealed class ComputeContainerTags : RegistrySdkTask
{
    /// <summary>Absolute folder of the project.</summary>
    [Required]
    public string ProjectDirectory { get; set; } = string.Empty;

    /// <summary>What tells this project instance from others in the same build; the publish finds the result under it.</summary>
    [Required]
    public string ProjectKey { get; set; } = string.Empty;

    /// <summary>Folders whose untracked files make the tree dirty.</summary>
    public ITaskItem[] SourceDirectories { get; set; } = [];

    /// <summary>Build output, whose files never do; relative paths are below the project. May be missing on disk.</summary>
    public ITaskItem[] OutputDirectories { get; set; } = [];

    /// <summary>The user's <c>ContainerVersion</c> (strict SemVer 2, a leading <c>v</c> allowed), or empty. RSDK2001 if it is no version.</summary>
    public string ContainerVersion { get; set; } = string.Empty;

    /// <summary>The user's <c>ContainerImageTag</c>, or empty. RSDK2008 together with <see cref="ContainerImageTags"/>.</summary>
    public string ContainerImageTag { get; set; } = string.Empty;

    /// <summary>The user's <c>ContainerImageTags</c>, <c>;</c>-separated, or empty; replaces the computed tags.</summary>
    public string ContainerImageTags { get; set; } = string.Empty;

    /// <summary><c>ContainerTagRule</c> items: pattern, <c>On</c>, <c>Floating</c>.</summary>
    public ITaskItem[] TagRules { get; set; } = [];

    /// <summary><c>RegistrySdkVersionTagPrefix</c>.</summary>
    public string VersionTagPrefix { get; set; } = "v";

    /// <summary>True for a project without destination: then errors are one line, no tags, and no failure.</summary>
    public bool IsOptional { get; set; }

    /// <summary>The tags in the order they are written, with metadata <c>Floating</c>, <c>Kind</c>.</summary>
    [Output]
    public ITaskItem[] Tags { get; set; } = [];

    /// <summary>SemVer without <c>v</c> and without build metadata.</summary>
    [Output]
    public string Version { get; set; } = string.Empty;

    /// <summary>The key that <see cref="PublishContainers"/> finds the result under.</summary>
    internal static object CacheKey(string projectKey) => "Registry.Sdk/Derived/" + projectKey;

    /// <inheritdoc/>
    protected override async System.Threading.Tasks.Task RunAsync(CancellationToken cancellationToken)
    {
        Outcome<Derived> derived;
        if (ContainerImageTag.Length > 0 && ContainerImageTags.Length > 0)
        {
            derived = Outcome<Derived>.Failure(DiagnosticCodes.BothTagProperties.Report(
                $"ContainerImageTag ('{ContainerImageTag}') and ContainerImageTags ('{ContainerImageTags}') are both set. Set only ContainerImageTags."));
        }
        else
        {
            derived = await DeriveAsync(cancellationToken).ConfigureAwait(false);
        }

        BuildEngine4.RegisterTaskObject(CacheKey(ProjectKey), derived, RegisteredTaskObjectLifetime.Build, allowEarlyCollection: false);
        if (IsOptional && !derived.Succeeded)
        {
            Log.LogMessage(MessageImportance.High, "{0}", $"Registry.Sdk adds no tags: {derived.Diagnostics.First(d => d.IsError).Message}");
            return;
        }

        Report(derived.Diagnostics);
        if (!derived.Succeeded)
        {
            return;
        }

        var version = derived.Value.Version;
        Version = version.Version;
        Tags = [.. version.Tags.Select(t => (ITaskItem)new TaskItem(t.Name, new Dictionary<string, string>(StringComparer.Ordinal)
        {
            ["Floating"] = t.Floating ? "true" : "false",
            ["Kind"] = BuildKindNames.ToWord(version.Kind),
        }))];
        Log.LogMessage(MessageImportance.Normal, "{0}", $"Registry.Sdk: version {version.Version}, {version.Reason}; tags {string.Join(" ", version.Tags.Select(t => t.Name))}");
        LogLow(derived.Value.Facts);
    }

    private Task<Outcome<Derived>> DeriveAsync(CancellationToken cancellationToken)
    {
        var environment = ReadEnvironment();
        List<string> sources = [.. SourceDirectories.Select(d => Full(d.ItemSpec)).Distinct(StringComparer.Ordinal)];
        // bin and obj of referenced projects are theirs to name; the default names cover what a project that does not know us uses.
        List<string> outputs = [.. OutputDirectories.Select(d => Full(d.ItemSpec)).Concat(sources.SelectMany(s => new[] { Path.Combine(s, "bin"), Path.Combine(s, "obj") })).Distinct(StringComparer.Ordinal)];
        // An output folder that is the project's own folder, or above it, would hide every change.
        outputs.RemoveAll(o => sources.Exists(s => (s + Path.DirectorySeparatorChar).StartsWith(Path.TrimEndingDirectorySeparator(o) + Path.DirectorySeparatorChar, StringComparison.Ordinal)));
        return PublishPipeline.DeriveAsync(
            new FactsInput(ProjectDirectory, sources, outputs, environment, VersionTagPrefix),
            facts => new VersioningInput(
                facts,
                ContainerVersion,
                Split(ContainerImageTags.Length > 0 ? ContainerImageTags : ContainerImageTag),
                [.. TagRules.Select(r => new TagRule(r.ItemSpec, r.GetMetadata("On"), r.GetMetadata("Floating")))],
                VersionTagPrefix),
            new GitCommandLine(environment),
            cancellationToken);
    }

    private void LogLow(BuildFacts facts)
    {
        var git = facts.Git;
        Log.LogMessage(MessageImportance.Low, "{0}", $"  git: {git.State}, commit {git.Commit}, {git.CommitTime:u}, branch {git.Branch}, tags at HEAD [{string.Join(" ", git.TagsAtHead)}], nearest {git.NearestVersionTag} + {git.Height}, shallow {git.IsShallow}, dirty [{string.Join(" ", git.DirtyFiles)}]");
        if (facts.Ci is { } ci)
        {
            Log.LogMessage(MessageImportance.Low, "{0}", $"  CI: {ci.Service}, {ci.RefKind} {ci.RefName}, commit {ci.Commit}, pull request {ci.PullRequestNumber}, fork {ci.IsFork}, {ci.RepositoryUrl}");
        }
    }

    private string Full(string path) => Path.TrimEndingDirectorySeparator(Path.GetFullPath(path.Replace('\\', Path.DirectorySeparatorChar), ProjectDirectory));
}
