using System.Text.RegularExpressions;

namespace Registry.Sdk.Core.Primitives;

/// <summary>One repository in one registry.</summary>
/// <param name="Host">The registry.</param>
/// <param name="Name">The repository's name as it goes into URLs: on Docker Hub with <c>library/</c>.</param>
public sealed partial record RepositoryReference(RegistryHost Host, string Name) : ImagePlace
{
    /// <summary>The first path segment: the owner on GHCR and Docker Hub.</summary>
    public string Owner => Name.Split('/')[0];

    /// <summary>A repository by the name that people write: on Docker Hub one without namespace is in <c>library</c>.</summary>
    public static RepositoryReference Of(RegistryHost host, string name)
    {
        ArgumentNullException.ThrowIfNull(host);
        ArgumentNullException.ThrowIfNull(name);
        return new(host, host.Name == "docker.io" && !name.Contains('/', StringComparison.Ordinal) ? "library/" + name : name);
    }

    /// <summary>Whether a repository name is legal. Source: distribution spec, «Pulling manifests».</summary>
    public static bool IsLegalName(string name) => name.Length <= 255 && NamePattern().IsMatch(name);

    /// <summary>Whether a tag is legal. Source: distribution spec, «Pulling manifests».</summary>
    public static bool IsLegalTag(string tag) => TagPattern().IsMatch(tag);

    /// <inheritdoc/>
    public override string ToString() => $"{Host}/{Name}";

    [GeneratedRegex("^[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*(/[a-z0-9]+((\\.|_|__|-+)[a-z0-9]+)*)*\\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex NamePattern();

    [GeneratedRegex("^[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127}\\z", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex TagPattern();
}
