using System.Text.RegularExpressions;

namespace Registry.Sdk.Core.Primitives;

/// <summary>Makes links out of what git and CI services call a repository's URL. They may hold credentials; what comes out never does.</summary>
public static partial class RepositoryUrl
{
    // Hosts that exist only for ssh, and the host a browser wants instead.
    private static readonly Dictionary<string, string> SshHosts = new(StringComparer.OrdinalIgnoreCase)
    {
        ["ssh.github.com"] = "github.com",
        ["altssh.gitlab.com"] = "gitlab.com",
        ["altssh.bitbucket.org"] = "bitbucket.org",
    };

    // What stands before ':' in a URL, and is no host: in "https:/user:secret@host/path" a slash was lost.
    private static readonly HashSet<string> Schemes = new(StringComparer.OrdinalIgnoreCase)
    {
        "http", "https", "ssh", "git", "git+ssh", "ssh+git", "git+http", "git+https", "ftp", "ftps", "sftp", "file", "svn", "svn+ssh", "rsync", "ws", "wss",
    };

    /// <summary>
    /// <c>https://host[:port]/path</c> without credentials, query, fragment, trailing slash and <c>.git</c>.
    /// Understood are http(s), ssh, git URLs and git's <c>[user@]host:path</c>; an ssh port is dropped, for it says nothing about https.
    /// </summary>
    /// <returns>
    /// Null for what is no web address: local paths, <c>file:</c>, other schemes, malformed text. Null too where an <c>@</c> stands anywhere but behind
    /// the user's name: <c>oauth2:token@host/path</c>, its <c>https://</c> forgotten, is git's host <c>oauth2</c>, and the token would be a public label.
    /// </returns>
    public static string? ToHttps(string? url)
    {
        url = url?.Trim();
        if (string.IsNullOrEmpty(url) || url.Any(char.IsControl) || url.Count(c => c == '@') > 1)
        {
            return null;
        }

        if (!url.Contains("://", StringComparison.Ordinal))
        {
            // git's short ssh form. One letter before the colon is a Windows drive, as git reads it there.
            var scp = ScpForm().Match(url);
            return scp.Success && scp.Groups["host"].Length > 1 && !Schemes.Contains(scp.Groups["host"].Value)
                ? FromSsh(scp.Groups["host"].Value, "/" + scp.Groups["path"].Value.TrimStart('/'))
                : null;
        }

        if (!Uri.TryCreate(url, UriKind.Absolute, out var uri) || uri.Host.Length == 0 || HoldsStrayAt(url, uri))
        {
            return null;
        }

        return uri.Scheme switch
        {
            "https" or "http" => Compose(uri.IsDefaultPort ? uri.Host : $"{uri.Host}:{uri.Port}", uri.AbsolutePath),
            "ssh" or "git+ssh" or "ssh+git" or "git" => FromSsh(uri.Host, uri.AbsolutePath),
            _ => null,
        };
    }

    /// <summary>An http or https link with its query but without credentials and fragment, for links to runs; null for anything else, and where an <c>@</c> is out of place.</summary>
    public static string? WithoutCredentials(string? url)
        => Uri.TryCreate(url?.Trim(), UriKind.Absolute, out var uri) && uri.Scheme is "https" or "http" && uri.Host.Length > 0 && !HoldsStrayAt(url!, uri)
            ? uri.GetComponents(UriComponents.SchemeAndServer | UriComponents.PathAndQuery, UriFormat.UriEscaped)
            : null;

    /// <summary>Whether an <c>@</c> does more than end the user information: then nobody knows where the credentials end.</summary>
    private static bool HoldsStrayAt(string url, Uri uri) => url.Count(c => c == '@') > (uri.UserInfo.Length > 0 ? 1 : 0);

    private static string? FromSsh(string host, string path)
    {
        // Azure Repos: git@ssh.dev.azure.com:v3/organisation/project/repository
        if (string.Equals(host, "ssh.dev.azure.com", StringComparison.OrdinalIgnoreCase))
        {
            return path.Trim('/').Split('/') is ["v3", var organisation, var project, var repository]
                ? Compose("dev.azure.com", $"/{organisation}/{project}/_git/{repository}")
                : null;
        }

        return Compose(SshHosts.GetValueOrDefault(host, host), path);
    }

    private static string? Compose(string authority, string path)
    {
        path = path.TrimEnd('/');
        if (path.EndsWith(".git", StringComparison.OrdinalIgnoreCase))
        {
            path = path[..^4].TrimEnd('/');
        }

        // Through Uri once more: it escapes what a browser could not take, and refuses an authority that is none.
        // No '@', also escaped, whatever came in.
        var link = $"{authority}{path}";
        return path.Length > 1 && !link.Contains('@', StringComparison.Ordinal) && !link.Contains("%40", StringComparison.Ordinal)
            && Uri.TryCreate("https://" + link, UriKind.Absolute, out var uri)
            ? uri.GetComponents(UriComponents.SchemeAndServer | UriComponents.Path, UriFormat.UriEscaped)
            : null;
    }

    [GeneratedRegex(@"\A([^@/\\:\s]+@)?(?<host>\[[0-9A-Fa-f:.]+\]|[^@/\\:\s\[\]]+):(?<path>[^:\\?#][^\\?#]*)\z", RegexOptions.ExplicitCapture | RegexOptions.CultureInvariant, 1000)]
    private static partial Regex ScpForm();
}
