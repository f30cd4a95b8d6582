using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Emulator;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Visible;

/// <summary>
/// Whole publishes in which one of the checks is dead, from the start or once the tags are written. A publish ends well only if the package then is
/// as it was declared, nothing is sent where what is declared closed may be open, and what was not found out is told.
/// </summary>
public sealed class KilledPublishTests
{
    // What is dead: what an outsider asks for (token, manifest), or GitHub's API (owner, package).
    // What: stop (nothing was sent), or sent (with all tags).
    private const string Table = """
        # dead     since      declared package   what codes
        token      start      public   missing   sent RSDK7003
        token      start      public   private   sent RSDK7003
        token      start      public   internal  sent RSDK7003
        token      start      public   public    sent RSDK7003
        token      start      private  missing   stop RSDK7003
        token      start      private  private   stop RSDK7003
        token      start      private  internal  stop RSDK7003
        token      start      private  public    stop RSDK7003
        token      start      internal missing   stop RSDK7003
        token      start      internal private   stop RSDK7003
        token      start      internal internal  stop RSDK7003
        token      start      internal public    stop RSDK7003
        token      tags       public   missing   sent RSDK7003
        token      tags       public   private   sent RSDK7003
        token      tags       public   internal  sent RSDK7003
        token      tags       public   public    sent RSDK7003
        token      tags       private  missing   sent RSDK7003
        token      tags       private  private   sent RSDK7003
        token      tags       internal missing   sent RSDK7003
        token      tags       internal private   sent RSDK7003
        token      tags       internal internal  sent RSDK7003
        manifest   start      public   public    sent RSDK7003
        manifest   start      private  public    stop RSDK7003
        manifest   start      internal public    stop RSDK7003
        manifest   tags       public   public    sent RSDK7003
        owner      start      public   missing   sent RSDK7002
        owner      start      public   private   sent RSDK7002
        owner      start      public   internal  sent RSDK7002
        owner      start      public   public    sent -
        owner      start      private  missing   sent -
        owner      start      private  private   sent -
        owner      start      private  internal  sent -
        owner      start      private  public    stop RSDK7001
        owner      start      internal missing   sent RSDK7003
        owner      start      internal private   sent RSDK7003
        owner      start      internal internal  sent RSDK7003
        owner      start      internal public    stop RSDK7001
        package    start      public   missing   sent RSDK7002
        package    start      public   private   sent RSDK7002
        package    start      public   internal  sent RSDK7002
        package    start      public   public    sent -
        package    start      private  missing   sent -
        package    start      private  private   sent -
        package    start      private  internal  sent -
        package    start      private  public    stop RSDK7001
        package    start      internal missing   sent RSDK7003
        package    start      internal private   sent RSDK7003
        package    start      internal internal  sent RSDK7003
        package    start      internal public    stop RSDK7001
        package    tags       public   missing   sent RSDK7002
        package    tags       public   private   sent RSDK7002
        package    tags       public   internal  sent RSDK7002
        package    tags       public   public    sent -
        package    tags       private  missing   sent -
        package    tags       private  private   sent -
        package    tags       internal missing   sent RSDK7003
        package    tags       internal private   sent RSDK7003
        package    tags       internal internal  sent RSDK7003
        """;

    private sealed record Row(int Index, string Dead, string Since, string Declared, string Package, string What, string Codes)
    {
        public override string ToString() => $"{Dead,-8} {Since,-10} {Declared,-8} {Package,-9}";
    }

    [Theory]
    [InlineData("500")]
    [InlineData("html")]
    [InlineData("empty")]
    [InlineData("cut")]
    public async Task A_publish_with_a_dead_check_is_no_success_that_was_not_seen(string how)
    {
        var rows = Rows();
        var world = new GitHubWorld
        {
            Owners = { ["acme"] = GitHubOwner.Organization("alice") },
            Secrets = { ["pat"] = GitHubSecret.Classic("secret-pat", "alice", "write:packages") },
        };
        foreach (var row in rows.Where(r => r.Package != "missing"))
        {
            world.Packages[$"acme/row-{row.Index}"] = new() { Visibility = Enum.Parse<GitHubVisibility>(row.Package, ignoreCase: true) };
        }

        await using var bench = await VisibilityBench.GhcrAsync(world);
        bench.Set(("CR_PAT", "secret-pat"));
        var wrong = new List<string>();
        foreach (var row in rows)
        {
            var name = $"acme/row-{row.Index}";
            var (from, killed) = (bench.Emulator.Requests.Count, 0);
            bench.Lie = async context =>
            {
                var isLate = row.Since == "tags" && !bench.Emulator.Requests.Skip(from).Any(r => r.Method == "PUT" && r.PathAndQuery.EndsWith("/manifests/latest", StringComparison.Ordinal));
                if (isLate || !IsDead(row.Dead, context, bench.Emulator.Requests[^1].Account == "anonymous"))
                {
                    return false;
                }

                Interlocked.Increment(ref killed);
                return await Faults.AnswerAsync(context, how);
            };
            var published = await bench.PublishAsync($"ghcr.io/{name}", row.Declared);
            bench.Lie = null;

            var writes = bench.Emulator.Requests.Skip(from).Where(r => r.Method is "POST" or "PUT" or "PATCH" or "DELETE").ToList();
            var isTagged = published.Report.Transfer?.Destinations is [{ HoldsImage: true } one] && one.Tags.All(t => t.State == TagState.Created);
            var what = isTagged ? "sent" : writes.Count == 0 ? "stop" : $"half ({string.Join(", ", writes)})";
            var codes = published.Errors.Select(e => e.Code).Order(StringComparer.Ordinal).ToList();
            var actual = $"{what} {(codes.Count == 0 ? "-" : string.Join(',', codes))}";
            if (killed == 0 || actual != $"{row.What} {row.Codes}")
            {
                wrong.Add($"{row} {actual,-20} expected {row.What} {row.Codes}; killed {killed}: {string.Join(" | ", published.Errors)}");
            }

            // Whatever the table says. Of a package that outsiders are refused only the API knows whether it is private or internal: what it did not say is told.
            var afterwards = bench.Emulator.Visibility(name)?.ToString().ToLowerInvariant() ?? "missing";
            var isToldApart = published.Reporting.ConsoleLines.Any(l => l.Contains("outsiders are refused; the service's own API did not say more: GitHub's API ", StringComparison.Ordinal));
            if (codes.Count == 0 && (isToldApart == (row.Declared == "public") || (afterwards != row.Declared && (row.Declared, afterwards) != ("private", "internal"))))
            {
                wrong.Add($"{row} ended well, is {afterwards}, and the console says {string.Join('\n', published.Reporting.ConsoleLines)}");
            }
        }

        Assert.True(wrong.Count == 0, string.Join('\n', wrong));
    }

    private static bool IsDead(string dead, HttpContext context, bool isAnonymous)
    {
        var path = context.Request.Path.Value!;
        return dead switch
        {
            "token" => path == "/token" && context.Request.Headers.Authorization.Count == 0,
            "manifest" => isAnonymous && path.Contains("/manifests/", StringComparison.Ordinal),
            "owner" => path.StartsWith("/api/users/", StringComparison.Ordinal),
            "package" => path.Contains("/packages/container/", StringComparison.Ordinal),
            _ => throw new ArgumentOutOfRangeException(nameof(dead), dead, null),
        };
    }

    private static IReadOnlyList<Row> Rows()
        => [.. TextTable.Rows(Table, 6).Select((cells, index) => new Row(index, cells[0], cells[1], cells[2], cells[3], cells[4], cells[5]))];
}
