using Registry.Sdk.Core.Planning;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Emulator;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Visible;

/// <summary>
/// The whole table: who owns it, whose token, what is declared, what is there. The expectation is written here and computed nowhere:
/// <c>stop</c>: nothing at all was sent (RSDK5003: GHCR answers 401 to a token that may not read what is there); <c>denied</c>: the registry refused our first write, or to read; <c>sent</c>: everything was sent and tagged. Then the
/// codes, and what an outsider gets afterwards.
/// </summary>
public sealed class MatrixTests
{
    private const string Ghcr = """
        # owner token           declared package   what    codes              afterwards
        org     pat             -        missing   sent    -                  refused
        org     pat             -        private   sent    -                  refused
        org     pat             -        internal  sent    -                  refused
        org     pat             -        public    sent    -                  public
        org     pat             public   missing   sent    RSDK7002           refused
        org     pat             public   private   sent    RSDK7002           refused
        org     pat             public   internal  sent    RSDK7002           refused
        org     pat             public   public    sent    -                  public
        org     pat             private  missing   sent    -                  refused
        org     pat             private  private   sent    -                  refused
        org     pat             private  internal  stop    RSDK7010           refused
        org     pat             private  public    stop    RSDK7001           public
        org     pat             internal missing   sent    RSDK7010           refused
        org     pat             internal private   sent    RSDK7010           refused
        org     pat             internal internal  sent    -                  refused
        org     pat             internal public    stop    RSDK7001           public
        org     workflow-open   -        missing   sent    -                  public
        org     workflow-open   -        private   sent    -                  refused
        org     workflow-open   -        internal  sent    -                  refused
        org     workflow-open   -        public    sent    -                  public
        org     workflow-open   public   missing   sent    -                  public
        org     workflow-open   public   private   sent    RSDK7002           refused
        org     workflow-open   public   internal  sent    RSDK7002           refused
        org     workflow-open   public   public    sent    -                  public
        org     workflow-open   private  missing   stop    RSDK5020           missing
        org     workflow-open   private  private   sent    -                  refused
        org     workflow-open   private  internal  stop    RSDK7010           refused
        org     workflow-open   private  public    stop    RSDK7001           public
        org     workflow-open   internal missing   stop    RSDK5020           missing
        org     workflow-open   internal private   sent    RSDK7010           refused
        org     workflow-open   internal internal  sent    -                  refused
        org     workflow-open   internal public    stop    RSDK7001           public
        org     workflow-shut   -        missing   sent    -                  refused
        org     workflow-shut   public   missing   sent    RSDK7002           refused
        org     workflow-shut   public   private   sent    RSDK7002           refused
        org     workflow-shut   public   public    sent    -                  public
        org     workflow-shut   private  missing   sent    -                  refused
        org     workflow-shut   private  private   sent    -                  refused
        org     workflow-shut   private  public    stop    RSDK7001           public
        org     workflow-shut   internal missing   sent    RSDK7010           refused
        org     workflow-inside private  missing   stop    RSDK5020           missing
        org     workflow-inside internal missing   sent    -                  refused
        org     weak            -        missing   denied  RSDK5004           missing
        org     weak            -        private   stop    RSDK5003           refused
        org     weak            -        public    denied  RSDK5004           public
        org     weak            public   missing   denied  RSDK5004           missing
        org     weak            public   private   stop    RSDK5003           refused
        org     weak            public   public    denied  RSDK5004           public
        org     weak            private  missing   denied  RSDK5004           missing
        org     weak            private  private   stop    RSDK5003           refused
        org     weak            private  internal  stop    RSDK5003           refused
        org     weak            private  public    stop    RSDK7001           public
        org     weak            internal missing   denied  RSDK5004           missing
        org     weak            internal internal  stop    RSDK5003           refused
        org     weak            internal public    stop    RSDK7001           public
        org     weak            -        internal  stop    RSDK5003           refused
        org     weak            public   internal  stop    RSDK5003           refused
        org     weak            internal private   stop    RSDK5003           refused
        org     none            -        missing   stop    RSDK5003           missing
        org     none            public   public    stop    RSDK5003           public
        org     none            public   private   stop    RSDK5003           refused
        org     none            private  missing   stop    RSDK5003           missing
        org     none            private  private   stop    RSDK5003           refused
        org     none            private  public    stop    RSDK5003           public
        org     none            internal internal  stop    RSDK5003           refused
        org     none            -        private   stop    RSDK5003           refused
        org     none            -        internal  stop    RSDK5003           refused
        org     none            -        public    stop    RSDK5003           public
        org     none            public   missing   stop    RSDK5003           missing
        org     none            public   internal  stop    RSDK5003           refused
        org     none            private  internal  stop    RSDK5003           refused
        org     none            internal missing   stop    RSDK5003           missing
        org     none            internal private   stop    RSDK5003           refused
        org     none            internal public    stop    RSDK5003           public
        org     stranger        public   missing   denied  RSDK5004           missing
        org     stranger        private  missing   denied  RSDK5004           missing
        org     stranger        private  private   stop    RSDK5003           refused
        org     stranger        public   public    denied  RSDK5004           public
        org     stranger        private  public    stop    RSDK7001           public
        org     expired         public   private   stop    RSDK5003           refused
        org     expired         private  missing   stop    RSDK5003           missing
        org     nobody-knows    private  missing   stop    RSDK5020           missing
        org     nobody-knows    private  private   sent    -                  refused
        org     nobody-knows    public   missing   sent    RSDK7002           refused
        user    pat             -        missing   sent    -                  refused
        user    pat             -        private   sent    -                  refused
        user    pat             -        public    sent    -                  public
        user    pat             public   missing   sent    RSDK7002           refused
        user    pat             public   private   sent    RSDK7002           refused
        user    pat             public   public    sent    -                  public
        user    pat             private  missing   sent    -                  refused
        user    pat             private  private   sent    -                  refused
        user    pat             private  public    stop    RSDK7001           public
        user    pat             internal missing   stop    RSDK9020           missing
        user    pat             internal private   stop    RSDK9020           refused
        user    pat             internal public    stop    RSDK9020           public
        user    workflow-open   -        missing   sent    -                  public
        user    workflow-open   public   missing   sent    -                  public
        user    workflow-open   public   private   sent    RSDK7002           refused
        user    workflow-open   public   public    sent    -                  public
        user    workflow-open   private  missing   stop    RSDK5020           missing
        user    workflow-open   private  private   sent    -                  refused
        user    workflow-open   private  public    stop    RSDK7001           public
        user    workflow-open   internal missing   stop    RSDK9020           missing
        user    workflow-shut   public   missing   sent    RSDK7002           refused
        user    workflow-shut   private  missing   sent    -                  refused
        user    weak            private  missing   denied  RSDK5004           missing
        user    weak            private  public    stop    RSDK7001           public
        user    weak            public   private   stop    RSDK5003           refused
        user    weak            internal private   stop    RSDK5003,RSDK9020  refused
        user    none            internal private   stop    RSDK5003           refused
        user    none            private  public    stop    RSDK5003           public
        user    weak            -        missing   denied  RSDK5004           missing
        user    weak            -        private   stop    RSDK5003           refused
        user    weak            -        public    denied  RSDK5004           public
        user    weak            public   missing   denied  RSDK5004           missing
        user    weak            public   public    denied  RSDK5004           public
        user    weak            private  private   stop    RSDK5003           refused
        user    weak            internal missing   stop    RSDK5004,RSDK9020  missing
        user    weak            internal public    stop    RSDK9020           public
        user    none            -        missing   stop    RSDK5003           missing
        user    none            -        private   stop    RSDK5003           refused
        user    none            -        public    stop    RSDK5003           public
        user    none            public   missing   stop    RSDK5003           missing
        user    none            public   private   stop    RSDK5003           refused
        user    none            public   public    stop    RSDK5003           public
        user    none            private  missing   stop    RSDK5003           missing
        user    none            private  private   stop    RSDK5003           refused
        user    none            internal missing   stop    RSDK5003           missing
        user    none            internal public    stop    RSDK5003           public
        nobody  pat             public   missing   stop    RSDK5004,RSDK5021  missing
        nobody  pat             private  missing   stop    RSDK5004,RSDK5021  missing
        """;

    private const string DockerHub = """
        # owner token  declared repository what    codes     afterwards
        team    all    -        missing    sent    -         public
        team    all    -        private    sent    -         refused
        team    all    -        public     sent    -         public
        team    all    public   missing    sent    -         public
        team    all    public   private    sent    -         public
        team    all    public   public     sent    -         public
        team    all    private  missing    sent    -         refused
        team    all    private  private    sent    -         refused
        team    all    private  public     stop    RSDK7001  public
        team    all    internal missing    stop    RSDK9020  missing
        team    all    internal private    stop    RSDK9020  refused
        team    write  public   missing    sent    -         public
        team    write  public   private    sent    RSDK7002  refused
        team    write  public   public     sent    -         public
        team    write  private  missing    sent    -         refused
        team    write  private  private    sent    -         refused
        team    write  private  public     stop    RSDK7001  public
        team    weak   -        missing    denied  RSDK5004  missing
        team    weak   public   missing    denied  RSDK5004  missing
        team    weak   public   private    denied  RSDK5004  refused
        team    weak   public   public     denied  RSDK5004  public
        team    weak   private  missing    denied  RSDK5004  missing
        team    weak   private  private    denied  RSDK5004  refused
        team    weak   private  public     stop    RSDK7001  public
        team    none   -        missing    stop    RSDK5003  missing
        team    none   public   public     stop    RSDK5003  public
        team    none   public   private    stop    RSDK5003  refused
        team    none   private  missing    stop    RSDK5003  missing
        team    none   private  public     stop    RSDK5003  public
        team    all    internal public     stop    RSDK9020  public
        team    write  -        missing    sent    -         public
        team    write  -        private    sent    -         refused
        team    write  -        public     sent    -         public
        team    write  internal missing    stop    RSDK9020  missing
        team    write  internal private    stop    RSDK9020  refused
        team    write  internal public     stop    RSDK9020  public
        team    weak   -        private    denied  RSDK5004  refused
        team    weak   -        public     denied  RSDK5004  public
        team    weak   internal missing    stop    RSDK9020  missing
        team    weak   internal private    stop    RSDK9020  refused
        team    weak   internal public     stop    RSDK9020  public
        team    none   -        private    stop    RSDK5003  refused
        team    none   -        public     stop    RSDK5003  public
        team    none   public   missing    stop    RSDK5003  missing
        team    none   private  private    stop    RSDK5003  refused
        team    none   internal missing    stop    RSDK9020  missing
        team    none   internal private    stop    RSDK9020  refused
        team    none   internal public     stop    RSDK9020  public
        shy     all    -        missing    sent    -         refused
        shy     all    public   missing    sent    -         public
        shy     all    private  missing    sent    -         refused
        full    all    private  missing    stop    RSDK5023  missing
        """;

    private sealed record Row(int Index, string Owner, string Token, string Declared, string Package, string What, IReadOnlyList<string> Codes, string Afterwards)
    {
        public string Name => $"{Owner switch { "org" => "acme", "user" => "alice", _ => Owner }}/row-{Index}";

        public override string ToString() => $"row {Index}: {Owner} {Token} {Declared} {Package}";
    }

    [Fact]
    public async Task Declared_by_seen_by_token_at_GHCR()
    {
        var rows = Rows(Ghcr);
        var world = new GitHubWorld
        {
            Owners = { ["acme"] = GitHubOwner.Organization("alice"), ["alice"] = GitHubOwner.User(), ["bob"] = GitHubOwner.User() },
            Secrets =
            {
                ["pat"] = GitHubSecret.Classic("secret-pat", "alice", "write:packages"),
                ["weak"] = GitHubSecret.Classic("secret-weak", "alice", "repo"),
                ["stranger"] = GitHubSecret.Classic("secret-stranger", "bob", "write:packages"),
                ["expired"] = GitHubSecret.Classic("secret-expired", "alice", "write:packages") with { Expired = true },
            },
        };
        foreach (var owner in new[] { "acme", "alice" })
        {
            foreach (var (name, visibility) in new[] { ("open", GitHubVisibility.Public), ("shut", GitHubVisibility.Private), ("inside", GitHubVisibility.Internal) })
            {
                world.Repositories[$"{owner}/{name}"] = new() { Visibility = visibility };
                world.Secrets[$"{owner}-workflow-{name}"] = GitHubSecret.Actions($"secret-{owner}-workflow-{name}", $"{owner}/{name}", GitHubPackageRight.Write);
            }
        }

        foreach (var row in rows.Where(r => r.Package != "missing"))
        {
            var package = new GitHubPackage { Visibility = Enum.Parse<GitHubVisibility>(row.Package, ignoreCase: true), Repository = row.Name.Split('/')[0] + "/open" };
            foreach (var repository in world.Repositories.Keys)
            {
                package.RepositoryRights[repository] = GitHubPackageRight.Write;
            }

            world.Packages[row.Name] = package;
        }

        await using var bench = await VisibilityBench.GhcrAsync(world);
        await AllAsync(bench, "ghcr.io", rows, row =>
        {
            var owner = row.Name.Split('/')[0];
            return row.Token switch
            {
                "none" => [],
                "pat" or "weak" or "stranger" or "expired" => [("CR_PAT", "secret-" + row.Token)],
                // Of docker's configuration nobody knows whose token it is.
                "nobody-knows" => [("SDK_CONTAINER_REGISTRY_UNAME", "alice"), ("SDK_CONTAINER_REGISTRY_PWORD", "secret-pat")],
                _ => [("GITHUB_ACTIONS", "true"), ("GITHUB_TOKEN", $"secret-{owner}-{row.Token}"), ("GITHUB_REPOSITORY", $"{owner}/{row.Token["workflow-".Length..]}")],
            };
        });
    }

    [Fact]
    public async Task Declared_by_seen_by_token_at_Docker_Hub()
    {
        var rows = Rows(DockerHub);
        var world = new DockerHubWorld
        {
            AnonymousPulls = null,
            ApiCallsPerMinute = 100_000,
            Namespaces =
            {
                ["team"] = new() { IsOrganization = true, Members = { ["bot"] = DockerHubRole.Create } },
                ["shy"] = new() { IsOrganization = true, PrivateByDefault = true, Members = { ["bot"] = DockerHubRole.Create } },
                ["full"] = new() { IsOrganization = true, PrivateRepositoryLimit = 0, Members = { ["bot"] = DockerHubRole.Create } },
            },
            Secrets =
            {
                ["all"] = DockerHubSecret.PersonalToken("secret-all", "bot", DockerHubRight.ReadWriteDelete),
                ["write"] = DockerHubSecret.PersonalToken("secret-write", "bot", DockerHubRight.ReadWrite),
                ["weak"] = DockerHubSecret.PersonalToken("secret-weak", "bot", DockerHubRight.PublicRead),
            },
        };
        foreach (var row in rows.Where(r => r.Package != "missing"))
        {
            world.Repositories[row.Name] = new() { IsPrivate = row.Package == "private" };
        }

        await using var bench = await VisibilityBench.DockerHubAsync(world);
        await AllAsync(bench, "docker.io", rows, row => row.Token == "none" ? [] : [("DOCKERHUB_USERNAME", "bot"), ("DOCKERHUB_TOKEN", "secret-" + row.Token)]);
    }

    private static async Task AllAsync(VisibilityBench bench, string host, IReadOnlyList<Row> rows, Func<Row, (string, string)[]> environment)
    {
        // All differences at once: a table is read as a whole.
        var wrong = new List<string>();
        foreach (var row in rows)
        {
            var from = bench.Emulator.Requests.Count;
            bench.Set(environment(row));
            var published = await bench.PublishAsync($"{host}/{row.Name}", row.Declared == "-" ? "" : row.Declared);

            var codes = published.Report.Diagnostics.Where(d => d.IsError || d.Code is "RSDK7004" or "RSDK7011").Select(d => d.Code).Order(StringComparer.Ordinal).ToList();
            // Creating a repository names it in the body alone: so by time.
            var writes = bench.Emulator.Requests.Skip(from).Where(r => r.Method is "POST" or "PUT" or "PATCH" or "DELETE" && r.PathAndQuery != "/api/v2/auth/token").ToList();
            var tagged = published.Report.Transfer?.Destinations is [{ HoldsImage: true } one] && one.Tags.All(t => t.State == TagState.Created);
            var what = tagged ? "sent"
                : writes.All(w => w.Status is 401 or 403) && codes.Contains("RSDK5004") && !(codes.Count > 1) ? "denied"
                : writes.Count == 0 || (codes is ["RSDK5023"] && writes is [{ Status: 403, PathAndQuery: "/api/v2/namespaces/full/repositories" }]) ? "stop"
                : $"half ({string.Join(", ", writes)})";
            var afterwards = bench.Emulator.Visibility(row.Name) switch { null => "missing", GitHubVisibility.Public => "public", _ => "refused" };
            var expected = $"{row.What} {string.Join(',', row.Codes)} {afterwards}";
            var actual = $"{what} {string.Join(',', codes)} {afterwards}";
            if (expected != actual || afterwards != row.Afterwards)
            {
                wrong.Add($"{row}: expected {row.What} {string.Join(',', row.Codes)} {row.Afterwards}, but {actual}\n    {string.Join("\n    ", published.Report.Diagnostics)}");
            }

            // The registry's own refusals (500x, 9020 of the usage checks) say what it answered instead.
            wrong.AddRange(published.Errors.Where(e => row.What == "stop" && (e.Code is "RSDK7001" or "RSDK7010" or "RSDK5020" or "RSDK5021") && !e.Message.Contains("Nothing was sent.", StringComparison.Ordinal)).Select(e => $"{row}: {e}"));

            // What was seen is in the receipt, with what it rests on.
            if (VisibilityBench.Receipt(published) is { } receipt)
            {
                var evidence = receipt["evidence"]!.AsArray();
                Assert.Contains(evidence, e => e!["request"]!.GetValue<string>().EndsWith("(anonymous)", StringComparison.Ordinal));
                Assert.Equal(row.Declared == "-" ? null : row.Declared, receipt["declared"]?.GetValue<string>());
                Assert.DoesNotContain("secret-", published.Receipt, StringComparison.Ordinal);
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    private static IReadOnlyList<Row> Rows(string table)
        => [.. TextTable.Rows(table, 7).Select((cells, index) => new Row(index, cells[0], cells[1], cells[2], cells[3], cells[4], cells[5] == "-" ? [] : cells[5].Split(','), cells[6]))];
}
