using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Tests.Primitives;
using Registry.Sdk.Core.Verification;
using Xunit;

namespace Registry.Sdk.Core.Tests.Visible;

/// <summary>The verdict on a declared visibility before anything is sent, and what it is made of. No network.</summary>
public class VisibilityRulesTests
{
    private static readonly Observation Missing = new(ObservedVisibility.Missing, [], null);

    [Theory]
    // A first push to the real service could be public, wherever an item says that the service is.
    [InlineData("ghcr.io", "", "", GitHubPusher.Unknown, true)]
    [InlineData("ghcr.io", "https://ghcr.io", "", GitHubPusher.Unknown, true)]
    [InlineData("ghcr.io", "https://GHCR.io.", "", GitHubPusher.Unknown, true)]
    [InlineData("registry.example", "https://ghcr.io", "", GitHubPusher.Unknown, true)]
    [InlineData("containers.git.example", "", "", GitHubPusher.Unknown, true)]
    [InlineData("docker.io", "", "", GitHubPusher.Person, true)]
    [InlineData("docker.io", "https://registry-1.docker.io", "", GitHubPusher.Person, true)]
    [InlineData("docker.io", "https://index.docker.io", "", GitHubPusher.Person, true)]
    // What stands in for it is somebody's own, unless it has the service's API.
    [InlineData("ghcr.io", "http://localhost:5000", "", GitHubPusher.Unknown, false)]
    [InlineData("ghcr.io", "http://localhost:5000", "http://localhost:5000/api", GitHubPusher.Unknown, true)]
    [InlineData("docker.io", "https://mirror.example", "", GitHubPusher.Unknown, false)]
    [InlineData("docker.io", "https://mirror.example", "https://mirror.example/api", GitHubPusher.Unknown, true)]
    [InlineData("registry.example", "", "", GitHubPusher.Unknown, false)]
    // A person's token makes it private on GHCR; a workflow's only where its repository is known to be.
    [InlineData("ghcr.io", "", "", GitHubPusher.Person, false)]
    [InlineData("ghcr.io", "https://ghcr.io", "", GitHubPusher.Person, false)]
    [InlineData("ghcr.io", "", "", GitHubPusher.Workflow, true)]
    public void Missing_and_declared_private(string host, string mappedTo, string api, GitHubPusher pusher, bool refused)
    {
        var (destination, endpoint) = Destination(host, Visibility.Private, mappedTo, api);
        var verdict = VisibilityRules.Judge(destination, Missing, endpoint, new(pusher, "team/src", null, "GitHub's API is down"));
        Assert.Equal(refused ? ["RSDK5020"] : [], verdict.Problems.Select(p => p.Code));
    }

    [Theory]
    [InlineData("private", "private", null)]
    [InlineData("private", "public", "RSDK5020")]
    [InlineData("private", "internal", "RSDK5020")]
    [InlineData("private", null, "RSDK5020")]
    [InlineData("internal", "private", null)]
    [InlineData("internal", "internal", null)]
    [InlineData("internal", "public", "RSDK5020")]
    [InlineData("internal", null, "RSDK5020")]
    public void A_workflows_package_is_born_as_its_repository_is(string declared, string? repository, string? code)
    {
        var (destination, endpoint) = Destination("ghcr.io", Enum.Parse<Visibility>(declared, ignoreCase: true));
        var verdict = VisibilityRules.Judge(destination, Missing with { IsOrganization = true }, endpoint, new(GitHubPusher.Workflow, "team/src", repository, "GitHub's API answers 502"));
        Assert.Equal(code is null ? [] : [code], verdict.Problems.Select(p => p.Code));
        Assert.All(verdict.Problems, p => Assert.Contains(repository is null ? "could not be found out: GitHub's API answers 502" : $"whose repository is {repository}", p.Message));
        Assert.Equal(code is null, verdict.Note is not null);
    }

    /// <summary>The advice is one that is followed: CR_PAT counts by itself for ghcr.io alone.</summary>
    [Theory]
    [InlineData("ghcr.io", "in CR_PAT (https://github.com/settings/tokens/new?scopes=write:packages): then")]
    [InlineData("containers.git.example", "in CR_PAT (https://git.example/settings/tokens/new?scopes=write:packages), named by <RegistrySdkCredential Include=\"containers.git.example\" PasswordVariable=\"CR_PAT\" />: then")]
    public async Task What_is_advised_to_be_born_private_works(string host, string says)
    {
        var (destination, endpoint) = Destination(host, Visibility.Private);
        Assert.Contains(says, Assert.Single(VisibilityRules.Judge(destination, Missing, endpoint, new(GitHubPusher.Unknown, null, null, "")).Problems).Message);
        var (store, _) = CredentialTests.Store(host == "ghcr.io" ? [] : [new(host, "", "CR_PAT")], [host], ("CR_PAT", "x"));
        Assert.Equal(GitHubPusher.Person, GitHubToken.PusherOf((await store.FindAsync(endpoint, destination.Repository!, CancellationToken.None))!));
    }

    [Theory]
    [InlineData(ApiVerdict.NotFound, true, null)]
    [InlineData(ApiVerdict.NoAnswer, null, "RSDK5020")]
    [InlineData(ApiVerdict.Refused, null, "RSDK5020")]
    [InlineData(ApiVerdict.NotAsked, null, "RSDK5020")]
    public void At_Docker_Hub_what_must_be_private_is_created_so_or_not_at_all(ApiVerdict api, bool? createPrivate, string? code)
    {
        var (destination, endpoint) = Destination("docker.io", Visibility.Private);
        var verdict = VisibilityRules.Judge(destination, Missing with { Api = api, ApiWhy = "the reason" }, endpoint, null);
        Assert.Equal(createPrivate, verdict.CreatePrivate);
        Assert.Equal(code is null ? [] : [code], verdict.Problems.Select(p => p.Code));
        Assert.All(verdict.Problems, p => Assert.Contains("because the reason. Nothing was sent.", p.Message));

        var open = VisibilityRules.Judge(destination with { Visibility = Visibility.Public }, Missing with { Api = api }, endpoint, null);
        Assert.Empty(open.Problems);
        Assert.Equal(api == ApiVerdict.NotFound ? false : null, open.CreatePrivate);
    }

    [Theory]
    [InlineData("private", ObservedVisibility.Refused, "public", "RSDK7001")]
    [InlineData("internal", ObservedVisibility.Refused, "public", "RSDK7001")]
    [InlineData("private", ObservedVisibility.Public, "private", "RSDK7001")]
    [InlineData("private", ObservedVisibility.Refused, "internal", "RSDK7010")]
    [InlineData("internal", ObservedVisibility.Refused, "private", null)]
    [InlineData("private", ObservedVisibility.Refused, null, null)]
    [InlineData("private", ObservedVisibility.Unknown, "private", "RSDK7003")]
    [InlineData("internal", ObservedVisibility.Unknown, "internal", "RSDK7003")]
    [InlineData("public", ObservedVisibility.Unknown, "private", null)]
    [InlineData("undeclared", ObservedVisibility.Unknown, null, null)]
    public void Of_two_views_the_more_open_one_counts_for_what_must_be_closed(string declared, ObservedVisibility seen, string? api, string? code)
    {
        var (destination, endpoint) = Destination("ghcr.io", Enum.Parse<Visibility>(declared, ignoreCase: true));
        var verdict = VisibilityRules.Judge(destination, new(seen, [], api is null ? null : new(api, true, null)) { IsOrganization = true, Why = "No answer." }, endpoint, null);
        Assert.Equal(code is null ? [] : [code], verdict.Problems.Select(p => p.Code));
        Assert.All(verdict.Problems, p => Assert.Contains("Nothing was sent.", p.Message));
        Assert.All(
            verdict.Problems.Where(p => p.Code == "RSDK7001"),
            p => Assert.EndsWith("/settings (GitHub makes no public package private again: delete it there), or correct its Visibility.", p.Message));
    }

    [Theory]
    [InlineData("public", true, "born public if the organisation's package creation allows it (https://github.com/organizations/team/settings/packages)")]
    [InlineData("public", false, "it will be born public: the workflow's token of team/src")]
    [InlineData("public", null, "born public if the organisation's package creation allows it")]
    [InlineData("private", true, "it will be born private: the workflow's token of team/src")]
    [InlineData(null, true, "what it will be born as is not known (GitHub's API answers 502)")]
    public void What_is_declared_public_and_missing_goes_on_and_is_told_what_it_will_be(string? repository, bool? isOrganization, string says)
    {
        var (destination, endpoint) = Destination("ghcr.io", Visibility.Public);
        var verdict = VisibilityRules.Judge(destination, Missing with { IsOrganization = isOrganization }, endpoint, new(GitHubPusher.Workflow, "team/src", repository, repository is null ? "GitHub's API answers 502" : ""));
        Assert.Empty(verdict.Problems);
        Assert.StartsWith("ghcr.io/team/api does not exist yet; ", verdict.Note);
        Assert.Contains(says, verdict.Note);
    }

    [Theory]
    [InlineData(null, "is missing")]
    [InlineData("https://github.com/team/src", null)]
    [InlineData("https://github.com/TEAM/src/", null)]
    [InlineData("https://github.com/team/src.git", "ends in .git")]
    [InlineData("http://github.com/team/src", "which is not at https://github.com/")]
    [InlineData("https://gitlab.example/team/src", "which is not at https://github.com/")]
    [InlineData("https://github.com/other/src", "which is not team's")]
    [InlineData("https://github.com/team", "which is no https://github.com/OWNER/NAME")]
    [InlineData("none", "which is not at https://github.com/")]
    public void A_label_that_will_not_link_is_said_where_nothing_else_links(string? source, string? why)
    {
        var (destination, endpoint) = Destination("ghcr.io", Visibility.Undeclared);
        var person = new Birth(GitHubPusher.Person, null, null, "");
        var unlinked = new Observation(ObservedVisibility.Refused, [], new("private", true, null));
        foreach (var seen in new[] { Missing, unlinked })
        {
            var warning = VisibilityRules.JudgeLink(destination, seen, endpoint, person, source);
            Assert.Equal(why is null ? null : "RSDK5022", warning?.Code);
            Assert.Contains(why ?? "", warning?.Message ?? "");
        }

        // Linked already; linked by its workflow; not known; no package of GitHub's.
        Assert.Null(VisibilityRules.JudgeLink(destination, unlinked with { Package = new("private", true, "team/src") }, endpoint, null, source));
        Assert.Null(VisibilityRules.JudgeLink(destination, Missing, endpoint, person with { Pusher = GitHubPusher.Workflow }, source));
        Assert.Null(VisibilityRules.JudgeLink(destination, unlinked with { Package = null }, endpoint, null, source));
        var (other, plain) = Destination("registry.example", Visibility.Undeclared);
        Assert.Null(VisibilityRules.JudgeLink(other, unlinked, plain, null, source));
    }

    /// <summary>The sources are spelt by another class.</summary>
    [Theory]
    [InlineData("CR_PAT", "x", GitHubPusher.Person)]
    [InlineData("CR_PAT", "ghs_x", GitHubPusher.Workflow)]
    [InlineData("GITHUB_TOKEN", "x", GitHubPusher.Workflow)]
    [InlineData("GH_TOKEN", "x", GitHubPusher.Workflow)]
    [InlineData("GH_TOKEN", "gho_x", GitHubPusher.Person)]
    [InlineData("GITHUB_TOKEN", "ghp_x", GitHubPusher.Person)]
    [InlineData("GITHUB_TOKEN", "ghu_x", GitHubPusher.Unknown)]
    [InlineData("item CR_PAT", "x", GitHubPusher.Person)]
    [InlineData("item NOT_A_CR_PAT", "x", GitHubPusher.Unknown)]
    [InlineData("item MY_TOKEN", "ghp_x", GitHubPusher.Person)]
    [InlineData("item MY_TOKEN", "ghs_x", GitHubPusher.Workflow)]
    [InlineData("item GITHUB_TOKEN", "x", GitHubPusher.Workflow)]
    public async Task Whose_token_it_is_shows_in_its_beginning_and_else_in_its_source(string source, string value, GitHubPusher pusher)
    {
        var (destination, endpoint) = Destination("ghcr.io", Visibility.Private);
        var isItem = source.StartsWith("item ", StringComparison.Ordinal);
        var variable = isItem ? source["item ".Length..] : source;
        var (store, _) = CredentialTests.Store(isItem ? [new("ghcr.io", "", variable)] : [], ["ghcr.io"], (variable, value));
        Assert.Equal(pusher, GitHubToken.PusherOf((await store.FindAsync(endpoint, destination.Repository!, CancellationToken.None))!));
    }

    [Theory]
    [InlineData("error", false, 0)]
    [InlineData("warn", true, 0)]
    [InlineData("wait:10m", false, 600)]
    [InlineData("wait:90s", false, 90)]
    [InlineData("wait:1440m", false, 86400)]
    public void What_a_mismatch_does(string text, bool isWarning, int seconds) => Assert.Equal(new MismatchPolicy(isWarning, TimeSpan.FromSeconds(seconds)), MismatchPolicy.Parse(text));

    [Theory]
    [InlineData("")]
    [InlineData("Error")]
    [InlineData("wait")]
    [InlineData("wait:")]
    [InlineData("wait:m")]
    [InlineData("wait:0m")]
    [InlineData("wait:-1m")]
    [InlineData("wait:10")]
    [InlineData("wait:10h")]
    [InlineData("wait:1.5m")]
    [InlineData("wait: 1m")]
    [InlineData("wait:1441m")]
    [InlineData("wait:9999999999m")]
    public void What_a_mismatch_can_not_do(string text) => Assert.Null(MismatchPolicy.Parse(text));

    [Theory]
    [InlineData("ghcr.io/team/api", "", "", true, "https://api.github.com", "https://github.com/orgs/team/packages/container/api/settings")]
    [InlineData("ghcr.io/team/a/b", "", "", false, "https://api.github.com", "https://github.com/users/team/packages/container/a%2Fb/settings")]
    [InlineData("ghcr.io/team/api", "https://git.example", "https://git.example/api/v3", true, "https://api.github.com", "https://github.com/orgs/team/packages/container/api/settings")]
    [InlineData("containers.git.example/team/api", "", "", true, "https://git.example/api/v3", "https://git.example/orgs/team/packages/container/api/settings")]
    [InlineData("containers.git.example/team/api", "https://git.example", "https://git.example/api/own", true, "https://git.example/api/own", "https://git.example/orgs/team/packages/container/api/settings")]
    [InlineData("containers.git.example/team/api", "https://other.example", "https://other.example/api/v3", true, "https://git.example/api/v3", "https://git.example/orgs/team/packages/container/api/settings")]
    [InlineData("containers.git.example/team/api", "https://git.example", "https://evil.example/api/v3", true, "https://git.example/api/v3", "https://git.example/orgs/team/packages/container/api/settings")]
    [InlineData("containers.git.example/team/api", "https://git.example", "http://git.example/api/v3", true, "https://git.example/api/v3", "https://git.example/orgs/team/packages/container/api/settings")]
    [InlineData("containers.git.example/team/api", "https://git.example", "https://user:password@git.example/api/own", true, "https://git.example/api/v3", "https://git.example/orgs/team/packages/container/api/settings")]
    [InlineData("containers.octo.ghe.com/team/api", "", "", true, "https://api.octo.ghe.com", "https://octo.ghe.com/orgs/team/packages/container/api/settings")]
    [InlineData("docker.io/team/api", "", "", null, "https://hub.docker.com", "https://hub.docker.com/repository/docker/team/api/settings")]
    [InlineData("quay.io/team/api", "", "", null, null, null)]
    public void Where_the_API_answers_and_where_a_person_clicks(string name, string server, string given, bool? isOrganization, string? api, string? settings)
    {
        var (destination, endpoint) = Destination(name[..name.IndexOf('/', StringComparison.Ordinal)], Visibility.Public);
        var repository = new RepositoryReference(destination.Repository!.Host, name[(name.IndexOf('/', StringComparison.Ordinal) + 1)..]);
        var environment = new Dictionary<string, string>(StringComparer.Ordinal) { ["GITHUB_SERVER_URL"] = server, ["GITHUB_API_URL"] = given };
        Assert.Equal(api, PackageServices.Api(endpoint, environment)?.ToString().TrimEnd('/'));
        Assert.Equal(settings is null ? [] : [settings], PackageServices.SettingsPages(endpoint, repository, isOrganization));
    }

    [Theory]
    [InlineData("containers.git.example", "", "x", false)]
    [InlineData("containers.git.example", "https://git.example", "x", true)]
    [InlineData("containers.git.example", "https://other.example", "x", false)]
    [InlineData("containers.git.example", "", "ghp_x", true)]
    [InlineData("containers.octo.ghe.com", "", "x", true)]
    [InlineData("ghcr.io", "", "x", true)]
    [InlineData("docker.io", "", "x", true)]
    public void The_registrys_secret_goes_to_an_API_that_is_certainly_its_own(string host, string server, string secret, bool isOwn)
    {
        var (_, endpoint) = Destination(host, Visibility.Public);
        Assert.Equal(isOwn, PackageServices.IsOwnApi(endpoint, new Dictionary<string, string>(StringComparer.Ordinal) { ["GITHUB_SERVER_URL"] = server }, new("u", new(secret), "the test")));
    }

    [Fact]
    public async Task An_API_that_is_not_certainly_the_registrys_own_is_told_as_that_and_the_item_that_makes_it_certain_helps()
    {
        var diagnostics = new List<Diagnostic>();
        var (destination, _) = Destination("containers.git.example", Visibility.Internal);
        var (store, _) = CredentialTests.Store([new("containers.git.example", "", "MY_TOKEN")], ["containers.git.example"], ("MY_TOKEN", "x"));
        using var connections = new RegistryConnections(EndpointMap.Empty, store);
        var reading = await connections.GitHub(destination.Repository!)!.FindPackageAsync(new("team", IsOrganization: true), "api", CancellationToken.None);
        Assert.Equal(ApiVerdict.NotAsked, reading.Verdict);
        const string Item = "<RegistrySdkEndpoint Include=\"containers.git.example\" Registry=\"https://containers.git.example\" Api=\"https://git.example/api/v3\" />";
        Assert.Equal($"that https://git.example/api/v3 is the API of containers.git.example is not certain, and what RegistrySdkCredential 'containers.git.example' (environment variable MY_TOKEN) holds is not shown to it; if it is, add {Item}", reading.Why);

        var mapped = EndpointMap.Parse([new("containers.git.example", "https://containers.git.example", "https://git.example/api/v3")], diagnostics).Resolve(destination.Repository!.Host);
        Assert.Empty(diagnostics);
        Assert.True(PackageServices.IsOwnApi(mapped, new Dictionary<string, string>(StringComparer.Ordinal), new("u", new("x"), "the test")));
    }

    [Theory]
    [InlineData("ghcr.io/a/b", "internal", null)]
    [InlineData("containers.git.example/a/b", "internal", null)]
    [InlineData("docker.io/a/b", "internal", "RSDK9020")]
    [InlineData("quay.io/a/b", "internal", "RSDK9020")]
    [InlineData("localhost:5000/a/b", "internal", "RSDK9020")]
    [InlineData("quay.io/a/b", "privat", "RSDK9008")]
    [InlineData("oci:images", "public", "RSDK9021")]
    [InlineData("oci:images", "private", "RSDK9021")]
    [InlineData("oci:images", "", null)]
    public void A_visibility_that_can_not_be_there(string include, string visibility, string? code)
    {
        var diagnostics = new List<Diagnostic>();
        DestinationParser.Parse([new(include, Visibility: visibility)], EndpointMap.Empty, "/", "ContainerDestination", [], diagnostics);
        Assert.Equal(code is null ? [] : [code], diagnostics.Select(d => d.Code));
        Assert.All(diagnostics, d => Assert.Contains($"'{include}' has Visibility=\"{visibility}\"", d.Message));
    }

    private static (Destination Destination, RegistryEndpoint Endpoint) Destination(string host, Visibility declared, string mappedTo = "", string api = "")
    {
        Assert.True(RegistryHost.TryParse(host, out var name));
        var endpoints = mappedTo.Length == 0 ? EndpointMap.Empty : EndpointMap.Parse([new(host, mappedTo, api)], []);
        return (new(new RepositoryReference(name, "team/api"), declared, DestinationParser.DefaultOn, []), endpoints.Resolve(name));
    }
}
