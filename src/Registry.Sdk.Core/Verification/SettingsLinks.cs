using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Verification;

/// <summary>Pages on which a person changes who can see a repository. Source: wire-facts 3.5, 4.3.</summary>
internal static class SettingsLinks
{
    /// <summary>The page; both of GitHub's where nobody said whether the owner is an organisation; none where the registry has no such page that we know.</summary>
    public static IReadOnlyList<string> Of(RepositoryReference repository, bool? isOrganization)
    {
        var host = repository.Host.Name;
        var site = host == "ghcr.io" ? "github.com" : host.StartsWith("containers.", StringComparison.Ordinal) ? host["containers.".Length..] : null;
        if (site is not null && repository.Name.Contains('/', StringComparison.Ordinal))
        {
            var package = Uri.EscapeDataString(repository.Name[(repository.Owner.Length + 1)..]);
            string Link(string kind) => $"https://{site}/{kind}/{repository.Owner}/packages/container/{package}/settings";
            return isOrganization switch { true => [Link("orgs")], false => [Link("users")], null => [Link("orgs"), Link("users")] };
        }

        return host == "docker.io" && repository.Owner != "library" ? [$"https://hub.docker.com/repository/docker/{repository.Name}/settings"] : [];
    }

    /// <summary>The links as part of a sentence: « at …».</summary>
    public static string InWords(IReadOnlyList<string> links) => links.Count switch
    {
        0 => " at the registry",
        1 => $" at {links[0]}",
        _ => $" at {links[0]} (organisation) or {links[1]} (user)",
    };
}
