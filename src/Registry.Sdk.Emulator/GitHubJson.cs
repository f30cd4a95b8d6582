using System.Globalization;

namespace Registry.Sdk.Emulator;

/// <summary>
/// GitHub's accounts and repositories as its API shows them, with every member that its published description requires (schemas simple-user,
/// public-user, minimal-repository, full-repository): a client that is generated from it reads them too.
/// </summary>
internal static class GitHubJson
{
    // Nothing of it changes, and nobody asks when.
    private const string Since = "2020-01-01T00:00:00Z";

    // Below the repository's own address; what is in braces is a template (RFC 6570) for the client.
    private static readonly string[] RepositoryLinks =
    [
        "archive_url {archive_format}{/ref}", "assignees_url assignees{/user}", "blobs_url git/blobs{/sha}", "branches_url branches{/branch}", "collaborators_url collaborators{/collaborator}",
        "comments_url comments{/number}", "commits_url commits{/sha}", "compare_url compare/{base}...{head}", "contents_url contents/{+path}", "contributors_url contributors",
        "deployments_url deployments", "downloads_url downloads", "events_url events", "forks_url forks", "git_commits_url git/commits{/sha}", "git_refs_url git/refs{/sha}",
        "git_tags_url git/tags{/sha}", "hooks_url hooks", "issue_comment_url issues/comments{/number}", "issue_events_url issues/events{/number}", "issues_url issues{/number}",
        "keys_url keys{/key_id}", "labels_url labels{/name}", "languages_url languages", "merges_url merges", "milestones_url milestones{/number}",
        "notifications_url notifications{?since,all,participating}", "pulls_url pulls{/number}", "releases_url releases{/id}", "stargazers_url stargazers", "statuses_url statuses/{sha}",
        "subscribers_url subscribers", "subscription_url subscription", "tags_url tags", "teams_url teams", "trees_url git/trees{/sha}",
    ];

    private static readonly string[] AccountLinks =
    [
        "events_url events{/privacy}", "followers_url followers", "following_url following{/other_user}", "gists_url gists{/gist_id}", "organizations_url orgs",
        "received_events_url received_events", "repos_url repos", "starred_url starred{/owner}{/repo}", "subscriptions_url subscriptions",
    ];

    /// <summary>An account where it is named beside something else.</summary>
    /// <param name="api">Address of the API, without a slash at its end.</param>
    /// <param name="login">Its name.</param>
    /// <param name="kind">User or organisation.</param>
    public static Dictionary<string, object?> Account(string api, string login, GitHubOwnerKind kind)
    {
        var self = $"{api}/users/{login}";
        var json = new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["login"] = login,
            ["id"] = Id(login),
            ["node_id"] = "node-" + login,
            ["avatar_url"] = "https://avatars.githubusercontent.com/" + login,
            ["gravatar_id"] = "",
            ["url"] = self,
            ["html_url"] = "https://github.com/" + login,
            ["type"] = kind.ToString(),
            ["site_admin"] = false,
        };
        AddLinks(json, self, AccountLinks);
        return json;
    }

    /// <summary>An account by itself.</summary>
    public static Dictionary<string, object?> WholeAccount(string api, string login, GitHubOwnerKind kind)
    {
        var json = Account(api, login, kind);
        foreach (var name in new[] { "name", "company", "location", "email", "hireable", "bio", "blog" })
        {
            json[name] = null;
        }

        foreach (var name in new[] { "public_repos", "public_gists", "followers", "following" })
        {
            json[name] = 0;
        }

        json["created_at"] = Since;
        json["updated_at"] = Since;
        return json;
    }

    /// <summary>A git repository where it is named beside something else.</summary>
    public static Dictionary<string, object?> Repository(string api, string fullName, GitHubVisibility visibility, bool isFork, Dictionary<string, object?> owner)
    {
        var self = $"{api}/repos/{fullName}";
        var json = new Dictionary<string, object?>(StringComparer.Ordinal)
        {
            ["id"] = Id(fullName),
            ["node_id"] = "node-" + fullName,
            ["name"] = fullName[(fullName.IndexOf('/', StringComparison.Ordinal) + 1)..],
            ["full_name"] = fullName,
            ["owner"] = owner,
            ["private"] = visibility != GitHubVisibility.Public,
            ["html_url"] = "https://github.com/" + fullName,
            ["description"] = null,
            ["fork"] = isFork,
            ["url"] = self,
        };
        AddLinks(json, self, RepositoryLinks);
        return json;
    }

    /// <summary>A git repository by itself.</summary>
    public static Dictionary<string, object?> WholeRepository(string api, string fullName, GitHubRepository repository, Dictionary<string, object?> owner)
    {
        var json = Repository(api, fullName, repository.Visibility, repository.Fork, owner);
        json["visibility"] = repository.Visibility.ToString().ToLowerInvariant();
        json["default_branch"] = repository.DefaultBranch;
        json["clone_url"] = $"https://github.com/{fullName}.git";
        json["git_url"] = $"git://github.com/{fullName}.git";
        json["ssh_url"] = $"git@github.com:{fullName}.git";
        json["svn_url"] = "https://github.com/" + fullName;
        foreach (var name in new[] { "homepage", "language", "mirror_url", "license" })
        {
            json[name] = null;
        }

        foreach (var name in new[] { "forks", "forks_count", "open_issues", "open_issues_count", "size", "stargazers_count", "watchers", "watchers_count", "network_count", "subscribers_count" })
        {
            json[name] = 0;
        }

        foreach (var name in new[] { "has_issues", "has_projects", "has_wiki", "has_pages", "has_discussions", "archived", "disabled" })
        {
            json[name] = false;
        }

        foreach (var name in new[] { "pushed_at", "created_at", "updated_at" })
        {
            json[name] = Since;
        }

        return json;
    }

    /// <summary>The calls that are left, of every kind the description requires.</summary>
    public static Dictionary<string, object?> RateLimit(int limit)
    {
        var rate = new { limit, used = 0, remaining = limit, reset = DateTimeOffset.UtcNow.AddHours(1).ToUnixTimeSeconds() };
        return new(StringComparer.Ordinal) { ["resources"] = new { core = rate, search = rate }, ["rate"] = rate };
    }

    private static void AddLinks(Dictionary<string, object?> json, string self, string[] links)
    {
        foreach (var link in links)
        {
            var space = link.IndexOf(' ', StringComparison.Ordinal);
            json[link[..space]] = string.Create(CultureInfo.InvariantCulture, $"{self}/{link[(space + 1)..]}");
        }
    }

    // Any number, the same in every run.
    private static long Id(string name) => name.Aggregate(17L, static (id, c) => ((id * 31) + char.ToLowerInvariant(c)) % 1_000_000_007);
}
