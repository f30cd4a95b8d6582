using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>How registries say that they are asked too often. The forms in detail are in Core's WireTests.</summary>
public sealed class ThrottlingTests
{
    [Theory]
    [InlineData("standard", 120, "asks to wait 2 minutes")]
    [InlineData("GHCR", 1, "asks to wait 1 second")]
    [InlineData("GHCR's 403", 60, "secondary rate limit")]
    [InlineData("Docker Hub", null, "You have reached your pull rate limit")]
    [InlineData("Docker Hub's abuse limit", null, "it limits how often it is asked")]
    public async Task A_limit_is_told_with_its_wait_and_asked_once(string service, int? seconds, string says)
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            switch (service)
            {
                case "standard":
                    context.Response.Headers.RetryAfter = "120";
                    return Wire.ErrorAsync(context, 429, "TOOMANYREQUESTS", "slow down");
                case "GHCR":
                    return Wire.ErrorAsync(context, 429, "TOOMANYREQUESTS", "retry-after: 1.5ms, allowed: 44000/minute");
                case "GHCR's 403":
                    context.Response.Headers.RetryAfter = "60";
                    return Wire.ErrorAsync(context, 403, "DENIED", "You have exceeded a secondary rate limit");
                case "Docker Hub":
                    return Wire.ErrorAsync(context, 429, "TOOMANYREQUESTS", "You have reached your pull rate limit.");
                default:
                    return Wire.JsonAsync(context, 429, "Too Many Requests", "text/plain");
            }
        });
        using var wire = new Wire(registry.Address) { Credentials = _ => Wire.Login("u", "p") };

        var throttled = await Wire.FailsAsync(RegistryFailure.Throttled, () => wire.Open().GetManifestAsync("1", CancellationToken.None));

        Assert.Equal(seconds, (int?)throttled.RetryAfter?.TotalSeconds);
        Assert.Contains(says, throttled.Message);
        Assert.Single(registry.Requests);
        var destination = RegistryErrors.AtDestination(throttled, "there");
        Assert.Equal("RSDK6006", destination.Code);
        Assert.Contains("Publish again", destination.Message);
        Assert.Contains("docker login", RegistryErrors.AtBaseImage(throttled, "base").Message);
    }

    [Fact]
    public async Task Docker_Hubs_epoch_seconds_are_a_time_and_no_wait()
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            context.Response.Headers["X-Retry-After"] = $"{DateTimeOffset.UtcNow.AddHours(5).ToUnixTimeSeconds()}";
            return Wire.ErrorAsync(context, 429, "TOOMANYREQUESTS", "slow down");
        });
        using var wire = new Wire(registry.Address);

        var throttled = await Wire.FailsAsync(RegistryFailure.Throttled, () => wire.Open().PingAsync(CancellationToken.None));

        Assert.InRange(throttled.RetryAfter!.Value, TimeSpan.FromHours(4), TimeSpan.FromHours(5));
    }

    [Fact]
    public async Task A_token_server_may_be_the_one_that_limits()
    {
        LoopbackServer? self = null;
        await using var registry = self = await LoopbackServer.StartAsync((context, _) =>
        {
            if (context.Request.Path == "/token")
            {
                context.Response.Headers.RetryAfter = "30";
                return Wire.ErrorAsync(context, 429, "TOOMANYREQUESTS", "no");
            }

            context.Response.Headers.WWWAuthenticate = $"Bearer realm=\"http://{self!.Address}/token\"";
            context.Response.StatusCode = 401;
            return Task.CompletedTask;
        });
        using var wire = new Wire(registry.Address) { Credentials = _ => Wire.Login("u", "p") };

        var throttled = await Wire.FailsAsync(RegistryFailure.Throttled, () => wire.Open().PingAsync(CancellationToken.None));

        Assert.Equal(TimeSpan.FromSeconds(30), throttled.RetryAfter);
        Assert.Contains("token server", throttled.Message);
    }

    /// <summary>A limit is no reason to give up a mount and ask twice as often.</summary>
    [Fact]
    public async Task A_limited_mount_is_no_upload()
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) => Wire.ErrorAsync(context, 429, "TOOMANYREQUESTS", "no"));
        using var wire = new Wire(registry.Address);

        await Wire.FailsAsync(RegistryFailure.Throttled, () => wire.Open().MountAsync(Wire.Blob(1).Descriptor.Digest, "team/other", CancellationToken.None));

        Assert.Single(registry.Requests);
    }
}
