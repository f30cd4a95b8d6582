namespace Registry.Sdk.Emulator;

/// <summary>
/// What differs between registries that speak the same protocol: how they ask for credentials, what they refuse, which endpoints they
/// have beside the distribution API. What is not overridden is the specification.
/// </summary>
internal abstract class Personality
{
    /// <summary>The segment upload sessions are under: <c>/v2/NAME/blobs/uploads/ID</c>.</summary>
    public virtual string UploadFolder => "uploads";

    /// <summary>Whether a session's Location carries a state in its query that changes with every answer.</summary>
    public virtual bool UploadsCarryState => true;

    /// <summary>The most bytes a PATCH with Content-Range may bring; <see langword="null"/>: any number.</summary>
    public virtual long? MaxRangedChunk => null;

    public virtual bool AllowsDelete => true;

    public virtual bool AllowsUploadCancel => true;

    public virtual bool ServesReferrers => true;

    /// <summary>Whether a push of a manifest with a subject is answered with <c>OCI-Subject</c>.</summary>
    public virtual bool ClaimsReferrers => true;

    /// <summary>Tags per page when the client does not say; <see langword="null"/>: all.</summary>
    public virtual int? TagPageSize => null;

    /// <summary>Whether a page without tags has <c>"tags": null</c>.</summary>
    public virtual bool NullForNoTags => false;

    /// <summary>Answers requests outside <c>/v2/</c> (token endpoints, package APIs). <see langword="false"/>: not mine.</summary>
    public virtual Task<bool> TryAnswerAsync(HttpContext context) => Task.FromResult(false);

    /// <summary>
    /// Decides whether a request may go on; throws <see cref="RegistryException"/> with 401 or 403 when not, having set the challenge
    /// header if there is one.
    /// </summary>
    /// <param name="context">The request.</param>
    /// <param name="repository">The repository asked for; <see langword="null"/> for <c>GET /v2/</c>.</param>
    /// <param name="needed">What the request needs to be allowed.</param>
    public abstract void Authorize(HttpContext context, string? repository, EmulatorRights needed);

    /// <summary>Whether the caller, who may write to <paramref name="target"/>, may take a blob from <paramref name="source"/>; may throw as <see cref="Authorize"/> does.</summary>
    public virtual bool MayMount(HttpContext context, string target, string source) => true;

    /// <summary>Whether there is a repository to speak of; called after <see cref="Authorize"/>.</summary>
    /// <param name="name">The repository.</param>
    /// <param name="stored">Whether the store has it.</param>
    public virtual bool Knows(string name, bool stored) => stored;

    /// <summary>Last look at a manifest before it is served; throws to refuse.</summary>
    public virtual void BeforeServing(HttpContext context, string name, StoredManifest manifest)
    {
    }

    /// <summary>Last look at a manifest before it is stored; throws to refuse.</summary>
    public virtual void BeforeStoring(HttpContext context, string name, string? tag, string digest)
    {
    }

    /// <summary>A manifest has been stored.</summary>
    public virtual void Stored(HttpContext context, string name, string? tag, StoredManifest manifest)
    {
    }

    /// <summary>The tags in the order of this registry.</summary>
    /// <param name="name">The repository.</param>
    /// <param name="tags">All tags, in ASCII order.</param>
    public virtual IReadOnlyList<string> Order(string name, IReadOnlyList<string> tags) => tags;

    /// <summary>Where a blob is to be fetched from instead, on another origin; <see langword="null"/>: it is served here.</summary>
    public virtual string? RedirectBlob(HttpContext context, string digest) => null;

    /// <summary>What a person does in the web settings.</summary>
    /// <exception cref="InvalidOperationException">The service does not let them.</exception>
    public virtual void Click(SettingsClick click) => throw new InvalidOperationException("a plain registry has no settings to click in");

    /// <summary>Who can see a repository; <see langword="null"/>: there is none of this name.</summary>
    public virtual GitHubVisibility? VisibilityOf(string name) => null;

    /// <summary>The account behind a request's credentials, for the record; <see langword="null"/>: not known here.</summary>
    public virtual string? IdentifyAccount(string authorization) => null;

    /// <summary>All secrets this registry knows, by name, those given out included.</summary>
    public virtual IEnumerable<KeyValuePair<string, string>> KnownSecrets() => [];
}
