namespace Registry.Sdk.Emulator;

/// <summary>
/// What a person does in a service's web settings, for which there is no API: <see cref="EmulatorServer.Click"/>, or the same as JSON to
/// <c>POST /_control/click</c>, e.g. <c>{"repository":"acme/app","visibility":"public"}</c>. One thing per click.
/// </summary>
public sealed record SettingsClick
{
    /// <summary>The package or repository, <c>owner/name</c>.</summary>
    public required string Repository { get; init; }

    /// <summary>"Change visibility". GitHub refuses to make a public package anything else, and to make one public where the organisation's policy forbids it.</summary>
    public GitHubVisibility? Visibility { get; init; }

    /// <summary>GitHub, "Manage Actions access": the git repository, <c>owner/name</c>, that gets <see cref="Right"/>.</summary>
    public string? GrantTo { get; init; }

    /// <summary>The right that <see cref="GrantTo"/> gets.</summary>
    public GitHubPackageRight Right { get; init; } = GitHubPackageRight.Write;

    /// <summary>"Delete": the package and all its versions.</summary>
    public bool Delete { get; init; }

    /// <summary>Changes who can see a package or repository.</summary>
    public static SettingsClick Change(string repository, GitHubVisibility visibility) => new() { Repository = repository, Visibility = visibility };

    /// <summary>Gives a git repository's workflows a right to a package.</summary>
    public static SettingsClick Grant(string repository, string to, GitHubPackageRight right = GitHubPackageRight.Write) => new() { Repository = repository, GrantTo = to, Right = right };

    /// <summary>Deletes a package or repository.</summary>
    public static SettingsClick Remove(string repository) => new() { Repository = repository, Delete = true };
}
