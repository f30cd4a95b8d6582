using System.Net;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>What a registry could go on with for ever, and a ping that nobody answers.</summary>
public class EndlessTests
{
    /// <summary>Each chunk is taken, and then none of it is there.</summary>
    [Fact]
    public async Task An_upload_that_begins_again_and_again_ends()
    {
        var patches = 0;
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            switch (context.Request.Method)
            {
                case "POST":
                    return Wire.AcceptAsync(context, "/v2/team/app/blobs/uploads/1");
                case "PUT":
                    context.Response.StatusCode = 413;
                    return Task.CompletedTask;
                case "GET":
                    context.Response.StatusCode = 204;
                    context.Response.Headers["Range"] = "0-0";
                    return Task.CompletedTask;
                case "PATCH" when context.Request.Headers.ContentRange.ToString().StartsWith("0-", StringComparison.Ordinal) && Interlocked.Increment(ref patches) < 30:
                    return Wire.AcceptAsync(context, "/v2/team/app/blobs/uploads/1");
                case "PATCH":
                    context.Response.StatusCode = 416;
                    return Task.CompletedTask;
                default:
                    context.Response.StatusCode = 202;
                    return Task.CompletedTask;
            }
        });
        using var wire = new Wire(registry.Address);

        var told = await Wire.FailsAsync(RegistryFailure.Rejected, () => Wire.SendAsync(wire.Open(), Wire.Blob(5 << 20)));

        Assert.Contains("416", told.Message);
        Assert.InRange(patches, 2, 10);
    }

    /// <summary>No byte more is fetched than the image says there are.</summary>
    [Theory]
    [InlineData(long.MaxValue)]
    [InlineData(1001)]
    public async Task A_blob_that_claims_to_be_larger_is_not_fetched(long claimed)
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            context.Response.ContentLength = claimed;
            if (!HttpMethods.IsHead(context.Request.Method))
            {
                context.Abort();
            }

            return Task.CompletedTask;
        });
        using var wire = new Wire(registry.Address);

        var told = await Wire.FailsAsync(RegistryFailure.WrongContent, () => wire.Open().HasBlobAsync(Wire.Blob(1000).Descriptor, CancellationToken.None));

        Assert.Contains($"{claimed} bytes instead of 1000", told.Message);
        Assert.All(registry.Requests, r => Assert.Equal("HEAD", r.Method));
    }

    /// <summary>Some registries serve repositories and not the ping.</summary>
    [Theory]
    [InlineData("tags", true)]
    [InlineData("no such repository", true)]
    [InlineData("no right to list", true)]
    [InlineData("nothing", false)]
    [InlineData("web page", false)]
    [InlineData("web pages", false)]
    [InlineData("not tags", false)]
    public async Task A_ping_that_is_not_found_is_judged_by_the_repository(string what, bool isRegistry)
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            if (context.Request.Path == "/v2/")
            {
                return Wire.JsonAsync(context, 404, what == "web page" ? "<html>" : string.Empty, what == "web page" ? "text/html" : "text/plain");
            }

            Assert.Equal("/v2/team/app/tags/list?n=1", context.Request.Path + context.Request.QueryString);
            return what switch
            {
                "tags" => Wire.JsonAsync(context, 200, """{"name":"team/app","tags":[]}"""),
                "no such repository" => Wire.ErrorAsync(context, 404, "NAME_UNKNOWN", "no"),
                "no right to list" when context.Request.Headers.Authorization.Count == 0 => ChallengeAsync(context),
                "no right to list" => Wire.ErrorAsync(context, 403, "DENIED", "no"),
                "web pages" => Wire.JsonAsync(context, 200, "<html>", "text/html"),
                "not tags" => Wire.JsonAsync(context, 200, "[]"),
                _ => Wire.JsonAsync(context, 404, string.Empty, "text/plain"),
            };
        });
        using var wire = new Wire(registry.Address) { Credentials = _ => Wire.Login("me", "password") };

        if (isRegistry)
        {
            await wire.Open().PingAsync(CancellationToken.None);
            Assert.Equal("the test", what == "no right to list" ? wire.Open().CredentialSource : "the test");
        }
        else
        {
            var told = await Wire.FailsAsync(RegistryFailure.NotARegistry, () => wire.Open().PingAsync(CancellationToken.None));
            Assert.StartsWith("GET /v2/ at ", told.Message, StringComparison.Ordinal);
        }

        static Task ChallengeAsync(HttpContext context)
        {
            context.Response.Headers.WWWAuthenticate = "Basic realm=x";
            context.Response.StatusCode = (int)HttpStatusCode.Unauthorized;
            return Task.CompletedTask;
        }
    }
}
