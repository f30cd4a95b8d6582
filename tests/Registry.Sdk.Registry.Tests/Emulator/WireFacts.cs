using System.Reflection;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Emulator;

/// <summary>Names the facts of the wire-facts sheet that a test holds the emulator against: section number, then the fact in short.</summary>
[AttributeUsage(AttributeTargets.Method)]
public sealed class WireFactAttribute(params string[] facts) : Attribute
{
    public IReadOnlyList<string> Facts { get; } = facts;
}

/// <summary>The wire-facts sheet's sections that concern the emulator, and what of them is shown by tests: so that a missing one is seen.</summary>
public sealed class WireFactTests
{
    /// <summary>All sections of the sheet's parts 1 to 4 and 8; those without tests say why.</summary>
    private static readonly Dictionary<string, string?> Sections = new(StringComparer.Ordinal)
    {
        ["1.1"] = null,
        ["1.2"] = null,
        ["1.3"] = null,
        ["1.4"] = null,
        ["1.5"] = null,
        ["1.6"] = null,
        ["1.7"] = null,
        ["1.8"] = null,
        ["1.9"] = null,
        ["1.10"] = null,
        ["1.11"] = null,
        ["1.12"] = null,
        ["2.1"] = null,
        ["2.2"] = null,
        ["2.3"] = null,
        ["2.4"] = null,
        ["2.5"] = null,
        ["2.6"] = null,
        ["2.7"] = null,
        ["2.8"] = null,
        ["3.1"] = null,
        ["3.2"] = null,
        ["3.3"] = null,
        ["3.4"] = null,
        ["3.5"] = null,
        ["3.6"] = null,
        ["3.7"] = null,
        ["3.8"] = null,
        ["3.9"] = "GitHub Enterprise is the same behind other host names; the emulator has none",
        ["4.1"] = null,
        ["4.2"] = null,
        ["4.3"] = null,
        ["4.4"] = null,
        ["8"] = "rules for the client; its rule 9 lists traps, which Traps below names by the facts that set them",
    };

    /// <summary>Every fact that is shown. A fact added to the sheet is added here first, and fails until a test names it.</summary>
    private static readonly string[] Facts =
    [
        "1.1 names",
        "1.1 tags",
        "1.2 POST with digest uploads at once",
        "1.2 Range on blobs",
        "1.2 an upload can be cancelled",
        "1.3 403 is DENIED",
        "1.3 Basic challenge",
        "1.3 a token may be good for less than asked",
        "1.3 an expired token is 401 invalid_token",
        "1.3 an open registry answers the ping with 200",
        "1.3 no Authorization to another host",
        "1.3 refresh tokens",
        "1.3 several scopes by repeating the parameter",
        "1.3 the OAuth2 form",
        "1.3 the OAuth2 form may be missing",
        "1.3 the token answer",
        "1.3 tokens are opaque",
        "1.4 413 above 4 MB",
        "1.4 HEAD without Docker-Content-Digest",
        "1.4 HEAD and GET give type, length and digest",
        "1.5 POST then PUT",
        "1.5 Range is 0-0 for nothing yet",
        "1.5 a relative Location, with or without a query",
        "1.5 a streamed PATCH without Content-Range",
        "1.5 an absolute Location",
        "1.5 chunks in order, else 416",
        "1.5 each answer's Location replaces the former",
        "1.5 resume by GET of the Location",
        "1.6 201 when mounted",
        "1.6 202 when not",
        "1.6 mounts need pull on the source",
        "1.7 Content-Type equals mediaType",
        "1.7 a missing subject is allowed",
        "1.7 blobs first",
        "1.7 children first",
        "1.8 ASCII order, n, last, Link",
        "1.8 n=0 is an empty list",
        "1.9 405 when deleting is off",
        "1.9 deleting a blob",
        "1.9 deleting a digest",
        "1.9 deleting a tag",
        "1.10 404 means no referrers API",
        "1.10 OCI-Subject",
        "1.10 no OCI-Subject, so keep the fallback tag",
        "1.10 referrers, filtered",
        "1.11 error codes",
        "1.12 429 with Retry-After",
        "2.1 DENIED has no WWW-Authenticate",
        "2.1 a real path's challenge names only pull",
        "2.1 a wrong secret at a resource is DENIED invalid token",
        "2.1 anonymous push scope is refused",
        "2.1 bad credentials break public pulls",
        "2.1 base64 of a secret is taken for a token",
        "2.1 service may be left out",
        "2.1 the ping's challenge has a placeholder scope",
        "2.1 the token answer is the token alone",
        "2.1 without Authorization all is 401, public too",
        "2.2 a job's token needs packages: write",
        "2.2 an app's token logs in and is denied",
        "2.2 classic tokens pull and push by scope",
        "2.2 fine-grained tokens do not work",
        "2.2 the user name is not looked at but not empty",
        "2.3 never created",
        "2.3 private, in the conflicting variants",
        "2.3 public with tag",
        "2.3 public without tag",
        "2.4 Range is honoured there",
        "2.4 a blob is redirected to another origin",
        "2.4 an index needs its type in Accept",
        "2.5 403 secondary rate limit",
        "2.5 Manage Actions access mends write_package",
        "2.5 a push probe creates no package and cannot be cancelled",
        "2.5 a ranged PATCH above 4 MiB is 416",
        "2.5 denied: denied is a bad or expired secret",
        "2.5 installation not allowed",
        "2.5 mount works across owners",
        "2.5 permission_denied: write_package",
        "2.5 sporadic 403 on near-simultaneous tags",
        "2.5 the upload's Location is relative and says upload",
        "2.6 a large n gives all",
        "2.6 no immutable tags",
        "2.6 pages of 100 with Link",
        "2.6 tags in order of creation",
        "2.6 tags is null past the end",
        "2.7 429 has a Go duration in the message",
        "2.7 DELETE is 405",
        "2.7 names are lower case, and may be nested",
        "2.7 no referrers API and no OCI-Subject",
        "2.8 a job's push links the package",
        "2.8 a link gives access, not visibility",
        "2.8 a source that ends in .git does not",
        "2.8 the source label links a new package",
        "3.1 error body",
        "3.1 without User-Agent 403",
        "3.2 GET a package under orgs, users and user",
        "3.2 GET packages: package_type, visibility, pages",
        "3.2 GET versions and one version",
        "3.2 a list beyond 10,000 is 400",
        "3.2 a slash in a name is %2F",
        "3.2 no operation sets a visibility",
        "3.3 children of an index are versions of their own",
        "3.3 repos and users",
        "3.3 repository may be absent",
        "3.3 the shape of a package",
        "3.3 the shape of a version",
        "3.4 400 for lists with a job's or an app's token",
        "3.4 401",
        "3.4 403",
        "3.4 403 when the rate limit is used up",
        "3.4 404 for the wrong owner kind or an unescaped slash",
        "3.4 404 hides",
        "3.4 a job's token reads what is linked to its repository",
        "3.4 no anonymous read of packages",
        "3.5 a job's token gives the repository's visibility",
        "3.5 deleting and pushing anew resets it",
        "3.5 internal is for the organisation's members",
        "3.5 no public package where the policy forbids it",
        "3.5 private at first publish by a token",
        "3.5 private can be made public",
        "3.5 public cannot be made private again",
        "3.5 unless the organisation does not",
        "3.6 X-OAuth-Scopes for classic tokens only",
        "3.6 fine-grained tokens do not work",
        "3.6 write:packages includes read",
        "3.7 page URLs",
        "3.8 PATCH is 404 though GET is 200",
        "4.1 a token is always issued, and then 401 insufficient_scope",
        "4.1 anonymous: 200 public, 404 public without the tag",
        "4.1 library/ is mandatory",
        "4.1 password, personal token and organisation token",
        "4.1 passwords fail with two factors",
        "4.1 push denial",
        "4.1 the challenge names auth service and scope",
        "4.1 the first push creates the repository with the default visibility",
        "4.1 the token answer has token, access_token, expires_in, issued_at",
        "4.1 wrong credentials",
        "4.2 429 when used up",
        "4.2 HEAD does not count",
        "4.2 headers",
        "4.2 pulls are counted by manifest GET",
        "4.2 ratelimitpreview/test tells at no cost",
        "4.2 the API's X-RateLimit and X-Retry-After",
        "4.2 the abuse limit is plainer",
        "4.3 404 for missing and private",
        "4.3 GET and HEAD a repository",
        "4.3 JWT is another word for Bearer",
        "4.3 PATCH of the description needs read, write and delete",
        "4.3 PATCH of the description needs the slash",
        "4.3 auth/token",
        "4.3 change of privacy, in all variants",
        "4.3 create a repository with the wished privacy",
        "4.3 delete tags and repositories",
        "4.3 description lengths",
        "4.3 immutable tags: settings and verify",
        "4.3 list and show tags",
        "4.3 list repositories in pages",
        "4.3 users/login",
        "4.4 OCI DELETE, in both variants",
        "4.4 a blob is redirected to a CDN",
        "4.4 a push onto an immutable tag is refused",
        "4.4 mount works with the source in the token",
        "4.4 referrers, in all variants",
    ];

    /// <summary>Section 8, rule 9: what tests with a fake registry should cover, and the fact by which this one sets it.</summary>
    private static readonly Dictionary<string, string> Traps = new(StringComparer.Ordinal)
    {
        ["relative Location"] = "2.5 the upload's Location is relative and says upload",
        ["Location with query"] = "1.5 each answer's Location replaces the former",
        ["placeholder scope"] = "2.1 the ping's challenge has a placeholder scope",
        ["token without expires_in"] = "2.1 the token answer is the token alone",
        ["401 or 403 at the token stage"] = "2.3 private, in the conflicting variants",
        ["mount 202"] = "1.6 202 when not",
        ["tags: null"] = "2.6 tags is null past the end",
        ["Link paging"] = "2.6 pages of 100 with Link",
        ["HEAD without digest header"] = "1.4 HEAD without Docker-Content-Digest",
        ["405 on DELETE"] = "2.7 DELETE is 405",
        ["404 referrers"] = "2.7 no referrers API and no OCI-Subject",
        ["429 with Go duration"] = "2.7 429 has a Go duration in the message",
        ["416 on a big ranged chunk"] = "2.5 a ranged PATCH above 4 MiB is 416",
        ["multi-arch Accept 404"] = "2.4 an index needs its type in Accept",
    };

    private static readonly string[] Shown =
    [
        .. typeof(WireFactTests).Assembly.GetTypes()
            .SelectMany(type => type.GetMethods())
            .SelectMany(method => method.GetCustomAttribute<WireFactAttribute>()?.Facts ?? []),
    ];

    [Fact]
    public void Every_fact_is_shown_by_a_test_and_every_test_names_a_listed_fact()
    {
        Assert.Empty(Facts.Except(Shown, StringComparer.Ordinal));
        Assert.Empty(Shown.Except(Facts, StringComparer.Ordinal));
        Assert.Empty(Traps.Values.Except(Facts, StringComparer.Ordinal));
        Assert.Equal(14, Traps.Count);
    }

    [Fact]
    public void Every_section_has_facts_or_a_reason()
    {
        var covered = Facts.Select(fact => fact[..fact.IndexOf(' ', StringComparison.Ordinal)]).ToHashSet(StringComparer.Ordinal);
        Assert.Empty(covered.Except(Sections.Keys, StringComparer.Ordinal));
        Assert.Equal(Sections.Where(section => section.Value is not null).Select(section => section.Key), Sections.Keys.Where(section => !covered.Contains(section)));
    }
}
