using System.Text;
using System.Text.Json.Nodes;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>What refers to a manifest: with the referrers API (emulator) and without (Distribution 2, which stores such manifests and knows nothing of them).</summary>
public sealed class ReferrersTests
{
    private const string Sbom = "application/vnd.test.sbom";

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task What_is_added_is_listed(bool api)
    {
        await using var state = new TempDirectory();
        await using var emulator = api ? await EmulatorServer.StartAsync(new() { StateDirectory = state.Path }) : null;
        await using var distribution = api ? null : await DistributionServer.StartAsync();
        using var wire = new Wire(emulator?.Host ?? distribution!.IpAddress);
        var client = wire.Open();
        await SendConfigAsync(client);
        var image = Wire.Manifest("image");
        await client.PutManifestAsync("1", image, CancellationToken.None);
        var referrers = new ReferrersClient(client);
        var subject = image.Descriptor.Digest;
        var sbom = Wire.Manifest("sbom", image.Descriptor, Sbom);
        var signature = Wire.Manifest("signature", image.Descriptor);

        Assert.Empty(await referrers.ListAsync(subject, null, CancellationToken.None));
        Assert.Equal(api, await referrers.AddAsync(sbom, CancellationToken.None));
        Assert.Equal(api, await referrers.AddAsync(signature, CancellationToken.None));
        Assert.Equal(api, await referrers.AddAsync(sbom, CancellationToken.None));

        var all = await referrers.ListAsync(subject, null, CancellationToken.None);
        // An image manifest without artifactType is of its config's type.
        Assert.Equal(
            new[] { (sbom.Descriptor, Sbom, "sbom"), (signature.Descriptor, "application/vnd.test.config", "signature") }.OrderBy(r => r.Item3),
            all.Select(r => (r.Descriptor, r.ArtifactType, r.Annotations["salt"])).OrderBy(r => r.Item3));
        Assert.Equal([sbom.Descriptor], (await referrers.ListAsync(subject, Sbom, CancellationToken.None)).Select(r => r.Descriptor));
        Assert.Empty(await referrers.ListAsync(subject, "application/vnd.other", CancellationToken.None));
        Assert.Equal(api ? ["1"] : ["1", ReferrersClient.FallbackTag(subject)], (await client.ListTagsAsync(CancellationToken.None)).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task What_others_wrote_into_the_fallback_tag_stays()
    {
        await using var registry = await DistributionServer.StartAsync();
        using var http = registry.CreateClient();
        using var wire = new Wire(registry.IpAddress);
        var client = wire.Open();
        await SendConfigAsync(client);
        var image = Wire.Manifest("image");
        await client.PutManifestAsync("1", image, CancellationToken.None);
        var other = Wire.Manifest("theirs", image.Descriptor, Sbom);
        await client.PutManifestAsync(other.Descriptor.Digest.ToString(), other, CancellationToken.None);
        var entry = other.Descriptor.ToJson();
        entry["artifactType"] = Sbom;
        entry["x-theirs"] = "kept";
        await Seed.ManifestAsync(http, "team/app", ReferrersClient.FallbackTag(image.Descriptor.Digest), MediaTypes.OciIndex, Seed.Json(new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = MediaTypes.OciIndex, ["manifests"] = new JsonArray(entry), ["annotations"] = new JsonObject { ["a"] = "b" } }));

        Assert.False(await new ReferrersClient(client).AddAsync(Wire.Manifest("ours", image.Descriptor, Sbom), CancellationToken.None));

        var index = JsonNode.Parse((await Seed.ManifestAsync(http, "team/app", ReferrersClient.FallbackTag(image.Descriptor.Digest)))!)!;
        Assert.Equal(2, index["manifests"]!.AsArray().Count);
        Assert.Equal(("kept", "b"), (index["manifests"]![0]!["x-theirs"]!.GetValue<string>(), index["annotations"]!["a"]!.GetValue<string>()));
    }

    /// <summary>The list comes in pages, is not filtered though asked for, and names something twice.</summary>
    [Fact]
    public async Task Pages_are_followed_and_filtered_here()
    {
        var subject = Digest.Of("subject"u8.ToArray());
        var manifests = Enumerable.Range(0, 4).Select(i => Wire.Manifest($"{i}")).ToList();
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            var page = context.Request.Query["page"].ToString();
            if (page.Length == 0)
            {
                context.Response.Headers.Link = $"</v2/team/app/referrers/{subject}?artifactType=x&page=2>; rel=\"next\"";
            }

            var entries = (page.Length == 0 ? new[] { 0, 1 } : [1, 2, 3]).Select(i => new JsonObject(manifests[i].Descriptor.ToJson().Select(p => KeyValuePair.Create(p.Key, p.Value?.DeepClone()))) { ["artifactType"] = i == 0 ? "other" : Sbom });
            return Wire.JsonAsync(context, 200, Encoding.UTF8.GetString(Seed.Json(new JsonObject { ["schemaVersion"] = 2, ["manifests"] = new JsonArray([.. entries, "rubbish", new JsonObject()]) })), MediaTypes.OciIndex);
        });
        using var wire = new Wire(registry.Address);

        var found = await new ReferrersClient(wire.Open()).ListAsync(subject, Sbom, CancellationToken.None);

        Assert.Equal(manifests.Skip(1).Select(m => m.Descriptor), found.Select(r => r.Descriptor));
        Assert.Equal(["?artifactType=application%2Fvnd.test.sbom", "?artifactType=x&page=2"], registry.Requests.Select(r => r.Query));
    }

    /// <summary>Docker Hub has said OCI-Subject and had no API (wire-facts 4.4): the tag is kept then too.</summary>
    [Fact]
    public async Task OCI_Subject_alone_is_not_believed()
    {
        var image = Wire.Manifest("image");
        var ours = Wire.Manifest("ours", image.Descriptor, Sbom);
        byte[]? tag = null;
        await using var registry = await LoopbackServer.StartAsync((context, body) =>
        {
            var path = context.Request.Path.Value!;
            if (context.Request.Method == "PUT")
            {
                context.Response.Headers["OCI-Subject"] = image.Descriptor.Digest.ToString();
                context.Response.StatusCode = 201;
                tag = path.EndsWith(ReferrersClient.FallbackTag(image.Descriptor.Digest), StringComparison.Ordinal) ? body : tag;
                return Task.CompletedTask;
            }

            return tag is not null && path.Contains("/manifests/sha256-", StringComparison.Ordinal) ? Wire.JsonAsync(context, 200, Encoding.UTF8.GetString(tag), MediaTypes.OciIndex) : Wire.ErrorAsync(context, 404, "NOT_FOUND", "no");
        });
        using var wire = new Wire(registry.Address);

        Assert.False(await new ReferrersClient(wire.Open()).AddAsync(ours, CancellationToken.None));

        Assert.Equal([ours.Descriptor], (await new ReferrersClient(wire.Open()).ListAsync(image.Descriptor.Digest, null, CancellationToken.None)).Select(r => r.Descriptor));
    }

    /// <summary>Another writer takes the tag between our look and our write: we look again. One that always does is an error.</summary>
    [Theory]
    [InlineData(1, true)]
    [InlineData(100, false)]
    public async Task A_fallback_tag_that_others_write_too(int thefts, bool succeeds)
    {
        var image = Wire.Manifest("image");
        byte[]? tag = null;
        await using var registry = await LoopbackServer.StartAsync((context, body) =>
        {
            var isTag = context.Request.Path.Value!.Contains("/manifests/sha256-", StringComparison.Ordinal);
            if (context.Request.Method == "PUT")
            {
                tag = !isTag ? tag : thefts-- > 0 ? Seed.Json(new JsonObject { ["schemaVersion"] = 2, ["mediaType"] = MediaTypes.OciIndex, ["manifests"] = new JsonArray() }) : body;
                context.Response.StatusCode = 201;
                return Task.CompletedTask;
            }

            return isTag && tag is not null ? Wire.JsonAsync(context, 200, Encoding.UTF8.GetString(tag), MediaTypes.OciIndex) : Wire.ErrorAsync(context, 404, "NOT_FOUND", "no");
        });
        using var wire = new Wire(registry.Address);
        var adding = () => new ReferrersClient(wire.Open()).AddAsync(Wire.Manifest("ours", image.Descriptor, Sbom), CancellationToken.None);

        if (succeeds)
        {
            Assert.False(await adding());
        }
        else
        {
            Assert.Contains("taken by other writers", (await Wire.FailsAsync(RegistryFailure.Rejected, adding)).Message);
        }
    }

    private static async Task SendConfigAsync(RegistryClient client)
    {
        var config = "{}"u8.ToArray();
        await Wire.SendAsync(client, (new Descriptor("application/vnd.test.config", Digest.Of(config), config.Length), config));
    }
}
