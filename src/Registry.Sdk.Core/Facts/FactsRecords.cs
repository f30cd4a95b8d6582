namespace Registry.Sdk.Core.Facts;

/// <summary>Input of the Facts stage.</summary>
/// <param name="ProjectDirectory">Absolute path of the folder of the project that is published.</param>
/// <param name="SourceDirectories">Absolute folders whose untracked files make the tree dirty: the project's and its project references'.</param>
/// <param name="OutputDirectories">Absolute folders whose untracked files never make it dirty: build output (<c>bin</c>, <c>obj</c>, artifacts, publish folders).</param>
/// <param name="Environment">The process's environment variables (ordinal keys), or a test's dictionary.</param>
/// <param name="VersionTagPrefix">What precedes the SemVer in a version tag (<c>RegistrySdkVersionTagPrefix</c>): <c>v</c>, or <c>truxe-api/v</c> in a monorepo.</param>
public sealed record FactsInput(
    string ProjectDirectory,
    IReadOnlyList<string> SourceDirectories,
    IReadOnlyList<string> OutputDirectories,
    IReadOnlyDictionary<string, string> Environment,
    string VersionTagPrefix);

/// <summary>Output of the Facts stage: what git and CI say, unjudged.</summary>
/// <param name="Git">What git says about the folder.</param>
/// <param name="Ci">What the CI service says, or null outside CI.</param>
/// <param name="SourceDateEpoch"><c>SOURCE_DATE_EPOCH</c> (decimal seconds, UTC), or null. Source: reproducible-builds.org.</param>
public sealed record BuildFacts(GitFacts Git, CiFacts? Ci, DateTimeOffset? SourceDateEpoch);

/// <summary>How far git could answer.</summary>
public enum GitState
{
    /// <summary>A repository with a commit: all of <see cref="GitFacts"/> is filled.</summary>
    Ok,

    /// <summary>The folder is in no work tree.</summary>
    NotARepository,

    /// <summary>No <c>git</c> on <c>PATH</c>.</summary>
    NoGit,

    /// <summary>A repository without a commit.</summary>
    NoCommit,

    /// <summary>git refuses the folder because another user owns it (<c>safe.directory</c>).</summary>
    DubiousOwnership,

    /// <summary>git failed otherwise; <see cref="GitFacts.Error"/> has its words.</summary>
    Failed,
}

/// <summary>What git says about one folder. Empty beyond <see cref="State"/> unless that is <see cref="GitState.Ok"/>.</summary>
public sealed record GitFacts
{
    /// <summary>How far git could answer.</summary>
    public required GitState State { get; init; }

    /// <summary>git's own words where it failed, on one line; else null.</summary>
    public string? Error { get; init; }

    /// <summary>Absolute path of the work tree's root (also filled for <see cref="GitState.DubiousOwnership"/> where known).</summary>
    public string? RootDirectory { get; init; }

    /// <summary>HEAD's commit id, 40 (SHA-1) or 64 (SHA-256) lower-case hex digits.</summary>
    public string? Commit { get; init; }

    /// <summary>HEAD's committer time, UTC.</summary>
    public DateTimeOffset? CommitTime { get; init; }

    /// <summary>The checked-out branch without <c>refs/heads/</c>; null where HEAD is detached.</summary>
    public string? Branch { get; init; }

    /// <summary>All tag names that point at HEAD (annotated ones peeled), ordinal order.</summary>
    public IReadOnlyList<string> TagsAtHead { get; init; } = [];

    /// <summary>
    /// The version tag (prefix included, strict SemVer) below HEAD, by MinVer's rule: walking back from HEAD's parents, first parents first, and
    /// never past a commit with a version tag, the highest of those met. Null if none, or if a shallow clone may hide a higher one.
    /// </summary>
    public string? NearestVersionTag { get; init; }

    /// <summary>
    /// Steps from <see cref="NearestVersionTag"/> to HEAD (at least 1) on the first path found; without such a tag, steps from the root to HEAD
    /// (the root itself: 0). 0 where history is missing.
    /// </summary>
    public int Height { get; init; }

    /// <summary>Whether the clone is shallow, so that history may be missing.</summary>
    public bool IsShallow { get; init; }

    /// <summary>Work-tree-relative paths that make the tree dirty, at most ten, ordinal order.</summary>
    public IReadOnlyList<string> DirtyFiles { get; init; } = [];

    /// <summary>Local branch names, and remote-tracking ones without their remote's name; distinct, ordinal order.</summary>
    public IReadOnlyList<string> Branches { get; init; } = [];

    /// <summary>URL of the remote <c>origin</c> (else the only remote) as git has it, possibly with credentials in it: never print it. Null without remote.</summary>
    public string? RemoteUrl { get; init; }
}

/// <summary>What a CI run was started for.</summary>
public enum CiRefKind
{
    /// <summary>The service names neither branch, tag nor pull request.</summary>
    Unknown,

    /// <summary>A branch.</summary>
    Branch,

    /// <summary>A tag.</summary>
    Tag,

    /// <summary>A pull or merge request.</summary>
    PullRequest,
}

/// <summary>What a CI service says through environment variables (and GitHub's event file, TeamCity's properties files).</summary>
public sealed record CiFacts
{
    /// <summary>The service's name as people write it: <c>GitHub Actions</c>, <c>GitLab CI</c>, <c>Azure Pipelines</c>, <c>Jenkins</c>.</summary>
    public required string Service { get; init; }

    /// <summary>What the run was started for, pull request judged before branch.</summary>
    public CiRefKind RefKind { get; init; }

    /// <summary>Branch or tag name without <c>refs/…</c>; for a pull request its source branch where known.</summary>
    public string? RefName { get; init; }

    /// <summary>The commit the service says it runs for.</summary>
    public string? Commit { get; init; }

    /// <summary>Number of the pull or merge request (decimal), where known.</summary>
    public string? PullRequestNumber { get; init; }

    /// <summary>Whether the pull request comes from another repository. A service that does not say so leaves it true only where it must be assumed.</summary>
    public bool IsFork { get; init; }

    /// <summary>https URL of the repository, without credentials and without <c>.git</c>; null where unknown.</summary>
    public string? RepositoryUrl { get; init; }

    /// <summary>URL of this run, without credentials; null where unknown.</summary>
    public string? RunUrl { get; init; }

    /// <summary>Codes found while reading (for instance an unreadable event file).</summary>
    public IReadOnlyList<Primitives.Diagnostic> Diagnostics { get; init; } = [];
}
