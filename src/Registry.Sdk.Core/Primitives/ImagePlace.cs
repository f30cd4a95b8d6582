namespace Registry.Sdk.Core.Primitives;

/// <summary>Where images are: one repository in a registry (<see cref="RepositoryReference"/>) or one OCI layout directory (<see cref="LayoutDirectory"/>).</summary>
public abstract record ImagePlace
{
    private protected ImagePlace()
    {
    }
}

/// <summary>An OCI image layout directory, written <c>oci:path</c>. Source: OCI image spec, image-layout.md.</summary>
/// <param name="FullPath">Absolute path.</param>
/// <param name="Written">The path as the user wrote it, for messages: reports are shared, and folders name people.</param>
public sealed record LayoutDirectory(string FullPath, string Written) : ImagePlace
{
    /// <summary>What the reference begins with.</summary>
    public const string Prefix = "oci:";

    /// <summary>Reads <c>oci:path</c>; null and the reason if it is none.</summary>
    /// <param name="text">As written, with the prefix.</param>
    /// <param name="baseDirectory">Absolute; what a relative path is relative to.</param>
    /// <param name="why">What is wrong with it: a sentence.</param>
    public static LayoutDirectory? Parse(string text, string baseDirectory, out string why)
    {
        ArgumentNullException.ThrowIfNull(text);
        var written = text[Prefix.Length..].Replace('\\', '/');
        why = written.Length == 0 || written.Any(char.IsControl) ? "it has no path, or one with control characters."
            : written.StartsWith('~') ? "no shell replaces its '~'. Write the path out."
            // What reads layouts (skopeo, umoci, docker) ends the path at the first colon; after a drive letter alone it is part of one.
            : written[(OperatingSystem.IsWindows() && written is [_, ':', ..] ? 2 : 0)..].Contains(':', StringComparison.Ordinal) ? "its path holds a ':'. Tags are computed, or come from its Tags metadata."
            : string.Empty;
        return why.Length == 0 ? new(Path.TrimEndingDirectorySeparator(Path.GetFullPath(written, baseDirectory)), written) : null;
    }

    /// <inheritdoc/>
    public override string ToString() => Prefix + Written;
}
