using System.Net;
using System.Text.Json;
using System.Text.Json.Nodes;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Emulator;

/// <summary>distribution-spec 1.1.1 end-3, end-7, end-8, end-9, end-12.</summary>
public sealed class ManifestTests : EmulatorTest
{
    [Fact]
    [WireFact("1.4 HEAD and GET give type, length and digest")]
    public async Task A_manifest_is_served_by_tag_and_digest_byte_for_byte()
    {
        var manifest = await PushPartsAsync("team/app");
        var digest = DigestOf(manifest);
        var put = await PutManifestAsync("team/app", "v1.0", manifest);
        Assert.Equal(HttpStatusCode.Created, put.StatusCode);
        Assert.Equal($"/v2/team/app/manifests/{digest}", Location(put));
        Assert.Equal(digest, Header(put, "Docker-Content-Digest"));
        Assert.Equal("", Header(put, "OCI-Subject"));

        foreach (var reference in new[] { "v1.0", digest })
        {
            var head = await SendAsync("HEAD", $"/v2/team/app/manifests/{reference}");
            Assert.Equal(HttpStatusCode.OK, head.StatusCode);
            Assert.Equal(manifest.Length, head.Content.Headers.ContentLength);
            Assert.Equal(OciManifest, head.Content.Headers.ContentType?.ToString());
            Assert.Equal(digest, Header(head, "Docker-Content-Digest"));
            var get = await SendAsync("GET", $"/v2/team/app/manifests/{reference}");
            Assert.Equal(manifest, await get.Content.ReadAsByteArrayAsync());
            Assert.Equal(OciManifest, get.Content.Headers.ContentType?.ToString());
        }
    }

    [Fact]
    public async Task A_tag_moves_and_the_former_manifest_stays()
    {
        var first = await PushImageAsync("a", "latest", "one");
        var second = await PushImageAsync("a", "latest", "two");
        Assert.Equal(second, await Client.GetByteArrayAsync(new Uri("/v2/a/manifests/latest", UriKind.Relative)));
        Assert.Equal(first, await Client.GetByteArrayAsync(new Uri("/v2/a/manifests/" + DigestOf(first), UriKind.Relative)));
        Assert.Equal(HttpStatusCode.Created, (await PutManifestAsync("a", "latest", first)).StatusCode);
        Assert.Equal(first, await Client.GetByteArrayAsync(new Uri("/v2/a/manifests/latest", UriKind.Relative)));
    }

    [Fact]
    public async Task Tags_that_differ_in_case_are_two()
    {
        var lower = await PushImageAsync("a", "v1", "one");
        var upper = await PushImageAsync("a", "V1", "two");
        Assert.Equal(lower, await Client.GetByteArrayAsync(new Uri("/v2/a/manifests/v1", UriKind.Relative)));
        Assert.Equal(upper, await Client.GetByteArrayAsync(new Uri("/v2/a/manifests/V1", UriKind.Relative)));
    }

    [Fact]
    [WireFact("1.1 tags")]
    public async Task The_longest_tag_is_a_tag_and_a_longer_one_is_not()
    {
        var tag = new string('T', 128);
        await PushImageAsync("a", tag);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("HEAD", "/v2/a/manifests/" + tag)).StatusCode);
        await AssertErrorAsync(await SendAsync("GET", "/v2/a/manifests/" + tag + "T"), HttpStatusCode.BadRequest, "MANIFEST_INVALID");
    }

    [Theory]
    [InlineData(".hidden", "MANIFEST_INVALID")]
    [InlineData("a+b", "MANIFEST_INVALID")]
    [InlineData("sha256:short", "DIGEST_INVALID")]
    public async Task Invalid_references_are_400(string reference, string code)
    {
        var manifest = await PushPartsAsync("a");
        await AssertErrorAsync(await PutManifestAsync("a", reference, manifest), HttpStatusCode.BadRequest, code);
        await AssertErrorAsync(await SendAsync("GET", "/v2/a/manifests/" + reference), HttpStatusCode.BadRequest, code);
    }

    [Fact]
    public async Task What_is_absent_is_404()
    {
        await AssertErrorAsync(await SendAsync("GET", "/v2/a/manifests/latest"), HttpStatusCode.NotFound, "NAME_UNKNOWN");
        await PushImageAsync("a", "v1");
        await AssertErrorAsync(await SendAsync("GET", "/v2/a/manifests/latest"), HttpStatusCode.NotFound, "MANIFEST_UNKNOWN");
        await AssertErrorAsync(await SendAsync("GET", "/v2/a/manifests/" + DigestOf(Bytes("x"))), HttpStatusCode.NotFound, "MANIFEST_UNKNOWN");
        Assert.Equal(HttpStatusCode.NotFound, (await SendAsync("HEAD", "/v2/a/manifests/latest")).StatusCode);
    }

    [Fact]
    public async Task A_folder_above_a_repository_is_no_repository()
    {
        await PushImageAsync("team/app", "v1");
        await AssertErrorAsync(await SendAsync("GET", "/v2/team/tags/list"), HttpStatusCode.NotFound, "NAME_UNKNOWN");
    }

    [Fact]
    [WireFact("1.7 blobs first")]
    public async Task A_manifest_whose_blobs_are_missing_is_refused()
    {
        var manifest = await PushPartsAsync("a");
        await PushBlobAsync("b", Bytes("{}"));
        await AssertErrorAsync(await PutManifestAsync("b", "v1", manifest), HttpStatusCode.BadRequest, "MANIFEST_BLOB_UNKNOWN");
        await AssertErrorAsync(await SendAsync("GET", "/v2/b/manifests/v1"), HttpStatusCode.NotFound, "MANIFEST_UNKNOWN");
        await AssertErrorAsync(await SendAsync("GET", "/v2/b/manifests/" + DigestOf(manifest)), HttpStatusCode.NotFound, "MANIFEST_UNKNOWN");
    }

    [Fact]
    [WireFact("1.7 children first")]
    public async Task An_index_needs_its_children_first()
    {
        var child = await PushPartsAsync("a");
        var index = Index(child);
        await AssertErrorAsync(await PutManifestAsync("a", "v1", index, OciIndex), HttpStatusCode.BadRequest, "MANIFEST_BLOB_UNKNOWN");
        Assert.Equal(HttpStatusCode.Created, (await PutManifestAsync("a", DigestOf(child), child)).StatusCode);
        Assert.Equal(HttpStatusCode.Created, (await PutManifestAsync("a", "v1", index, OciIndex)).StatusCode);
        var get = await SendAsync("GET", "/v2/a/manifests/v1");
        Assert.Equal(OciIndex, get.Content.Headers.ContentType?.ToString());
        Assert.Equal("""{"name":"a","tags":["v1"]}""", await Client.GetStringAsync(new Uri("/v2/a/tags/list", UriKind.Relative)));
    }

    [Fact]
    public async Task A_descriptor_with_the_wrong_size_is_refused()
    {
        var manifest = await PushPartsAsync("a", change: root => root["layers"]![0]!["size"] = 1);
        await AssertErrorAsync(await PutManifestAsync("a", "v1", manifest), HttpStatusCode.BadRequest, "SIZE_INVALID");
    }

    [Fact]
    public async Task A_foreign_layer_need_not_be_here()
    {
        var manifest = await PushPartsAsync("a", change: root => root["layers"]!.AsArray().Add(
            Descriptor("application/vnd.docker.image.rootfs.foreign.diff.tar.gzip", Bytes("elsewhere"))));
        Assert.Equal(HttpStatusCode.Created, (await PutManifestAsync("a", "v1", manifest)).StatusCode);
    }

    [Theory]
    [InlineData("not json")]
    [InlineData("[]")]
    [InlineData("{}")]
    [InlineData("""{"schemaVersion":1}""")]
    [InlineData("""{"schemaVersion":2}""")]
    [InlineData("""{"schemaVersion":2,"config":{"mediaType":"a/b","digest":"sha256:x","size":2},"layers":[]}""")]
    [InlineData("""{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}""")]
    public async Task A_malformed_manifest_is_refused(string manifest) => await AssertErrorAsync(
        await PutManifestAsync("a", "v1", Bytes(manifest)), HttpStatusCode.BadRequest, "MANIFEST_INVALID");

    [Fact]
    [WireFact("1.7 Content-Type equals mediaType")]
    public async Task The_content_type_must_be_a_manifests()
    {
        var manifest = await PushPartsAsync("a", change: root => root.Remove("mediaType"));
        await AssertErrorAsync(await PutManifestAsync("a", "v1", manifest, "application/json"), HttpStatusCode.BadRequest, "MANIFEST_INVALID");
        Assert.Equal(HttpStatusCode.Created, (await PutManifestAsync("a", "v1", manifest)).StatusCode);
    }

    [Fact]
    [WireFact("1.11 error codes")]
    public async Task A_manifest_put_under_another_digest_is_refused()
    {
        var manifest = await PushPartsAsync("a");
        await AssertErrorAsync(await PutManifestAsync("a", DigestOf(Bytes("x")), manifest), HttpStatusCode.BadRequest, "DIGEST_INVALID");
    }

    [Fact]
    [WireFact("1.4 413 above 4 MB")]
    public async Task Manifests_end_at_4_MiB()
    {
        const int Limit = 4 * 1024 * 1024;
        var overhead = (await PushPartsAsync("a", change: root => root["pad"] = "")).Length;
        var fits = await PushPartsAsync("a", change: root => root["pad"] = new string('x', Limit - overhead));
        Assert.Equal(Limit, fits.Length);
        Assert.Equal(HttpStatusCode.Created, (await PutManifestAsync("a", "fits", fits)).StatusCode);
        await AssertErrorAsync(await PutManifestAsync("a", "big", [.. fits, (byte)' ']), HttpStatusCode.RequestEntityTooLarge, "SIZE_INVALID");
    }

    [Fact]
    [WireFact("1.8 ASCII order, n, last, Link")]
    public async Task Tags_are_listed_in_ascii_order_by_pages()
    {
        var manifest = await PushImageAsync("team/app", "b");
        foreach (var tag in new[] { "a", "C", "v10", "v9" })
        {
            await PutManifestAsync("team/app", tag, manifest);
        }

        Assert.Equal("""{"name":"team/app","tags":["C","a","b","v10","v9"]}""", await Client.GetStringAsync(new Uri("/v2/team/app/tags/list", UriKind.Relative)));
        var pages = new List<string>();
        var url = "/v2/team/app/tags/list?n=2";
        while (url.Length > 0)
        {
            var page = await SendAsync("GET", url);
            pages.Add(string.Join(',', JsonDocument.Parse(await page.Content.ReadAsStringAsync()).RootElement.GetProperty("tags").EnumerateArray().Select(tag => tag.GetString())));
            var link = Header(page, "Link");
            Assert.True(link.Length == 0 || link.EndsWith(">; rel=\"next\"", StringComparison.Ordinal), link);
            url = link.Length == 0 ? "" : link[1..link.IndexOf('>', StringComparison.Ordinal)];
        }

        Assert.Equal(["C,a", "b,v10", "v9"], pages);
    }

    [Theory]
    [InlineData("?n=0", """{"name":"a","tags":[]}""")]
    [InlineData("?last=v1", """{"name":"a","tags":["v2"]}""")]
    [InlineData("?n=5&last=v2", """{"name":"a","tags":[]}""")]
    [WireFact("1.8 n=0 is an empty list")]
    public async Task Tag_pages_have_edges(string query, string expected)
    {
        await PushImageAsync("a", "v1");
        await PushImageAsync("a", "v2");
        var answer = await SendAsync("GET", "/v2/a/tags/list" + query);
        Assert.Equal(expected, await answer.Content.ReadAsStringAsync());
        Assert.Equal("", Header(answer, "Link"));
        await AssertErrorAsync(await SendAsync("GET", "/v2/a/tags/list?n=-1"), HttpStatusCode.BadRequest, "UNSUPPORTED");
    }

    [Fact]
    [WireFact("1.9 deleting a tag")]
    public async Task Deleting_a_tag_leaves_the_manifest_and_its_other_tags()
    {
        var manifest = await PushImageAsync("a", "v1");
        await PutManifestAsync("a", "v2", manifest);
        Assert.Equal(HttpStatusCode.Accepted, (await SendAsync("DELETE", "/v2/a/manifests/v1")).StatusCode);
        await AssertErrorAsync(await SendAsync("DELETE", "/v2/a/manifests/v1"), HttpStatusCode.NotFound, "MANIFEST_UNKNOWN");
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("HEAD", "/v2/a/manifests/v2")).StatusCode);
        Assert.Equal(HttpStatusCode.OK, (await SendAsync("HEAD", "/v2/a/manifests/" + DigestOf(manifest))).StatusCode);
    }

    [Fact]
    [WireFact("1.9 deleting a digest")]
    public async Task Deleting_a_digest_takes_its_tags_along()
    {
        var manifest = await PushImageAsync("a", "v1", "one");
        await PutManifestAsync("a", "v2", manifest);
        await PushImageAsync("a", "other", "two");
        Assert.Equal(HttpStatusCode.Accepted, (await SendAsync("DELETE", "/v2/a/manifests/" + DigestOf(manifest))).StatusCode);
        await AssertErrorAsync(await SendAsync("DELETE", "/v2/a/manifests/" + DigestOf(manifest)), HttpStatusCode.NotFound, "MANIFEST_UNKNOWN");
        await AssertErrorAsync(await SendAsync("GET", "/v2/a/manifests/v1"), HttpStatusCode.NotFound, "MANIFEST_UNKNOWN");
        Assert.Equal("""{"name":"a","tags":["other"]}""", await Client.GetStringAsync(new Uri("/v2/a/tags/list", UriKind.Relative)));
    }

    [Fact]
    [WireFact("1.10 referrers, filtered", "1.10 OCI-Subject")]
    public async Task Referrers_list_the_manifests_with_that_subject()
    {
        var image = await PushImageAsync("a", "v1");
        var subject = new JsonObject { ["mediaType"] = OciManifest, ["digest"] = DigestOf(image), ["size"] = image.Length };
        var sbom = await PushPartsAsync("a", change: root =>
        {
            root["artifactType"] = "application/sbom";
            root["subject"] = subject.DeepClone();
            root["annotations"] = new JsonObject { ["k"] = "v" };
        });
        var signature = await PushPartsAsync("a", change: root => root["subject"] = subject.DeepClone());
        Assert.Equal("""{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}""", await (await ReferrersAsync("")).Content.ReadAsStringAsync());
        Assert.Equal(DigestOf(image), Header(await PutManifestAsync("a", DigestOf(sbom), sbom), "OCI-Subject"));
        await PutManifestAsync("a", DigestOf(signature), signature);

        var all = await ReferrersAsync("");
        Assert.Equal(OciIndex, all.Content.Headers.ContentType?.ToString());
        Assert.Equal("", Header(all, "OCI-Filters-Applied"));
        var descriptors = JsonNode.Parse(await all.Content.ReadAsStringAsync())!["manifests"]!.AsArray();
        Assert.Equal(
            string.Join(',', new[] { DigestOf(sbom), DigestOf(signature) }.Order(StringComparer.Ordinal)),
            string.Join(',', descriptors.Select(descriptor => (string)descriptor!["digest"]!)));
        var ofSbom = descriptors.Single(descriptor => (string)descriptor!["digest"]! == DigestOf(sbom))!;
        Assert.Equal($$$"""{"mediaType":"{{{OciManifest}}}","digest":"{{{DigestOf(sbom)}}}","size":{{{sbom.Length}}},"artifactType":"application/sbom","annotations":{"k":"v"}}""", ofSbom.ToJsonString(new JsonSerializerOptions { Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));
        Assert.Equal(OciConfig, (string)descriptors.Single(descriptor => (string)descriptor!["digest"]! == DigestOf(signature))!["artifactType"]!);

        var filtered = await ReferrersAsync("?artifactType=application/sbom");
        Assert.Equal("artifactType", Header(filtered, "OCI-Filters-Applied"));
        Assert.Single(JsonNode.Parse(await filtered.Content.ReadAsStringAsync())!["manifests"]!.AsArray());

        await SendAsync("DELETE", "/v2/a/manifests/" + DigestOf(sbom));
        Assert.Single(JsonNode.Parse(await (await ReferrersAsync("")).Content.ReadAsStringAsync())!["manifests"]!.AsArray());
        await AssertErrorAsync(await SendAsync("GET", "/v2/a/referrers/latest"), HttpStatusCode.BadRequest, "DIGEST_INVALID");

        Task<HttpResponseMessage> ReferrersAsync(string query) => SendAsync("GET", $"/v2/a/referrers/{DigestOf(image)}{query}");
    }

    [Fact]
    [WireFact("1.7 a missing subject is allowed")]
    public async Task A_missing_subject_is_allowed()
    {
        var manifest = await PushPartsAsync("a", change: root => root["subject"] = Descriptor(OciManifest, Bytes("not pushed")));
        Assert.Equal(HttpStatusCode.Created, (await PutManifestAsync("a", DigestOf(manifest), manifest)).StatusCode);
    }

    /// <summary>Half a surrogate pair is JSON by its grammar, and text in no encoding; wherever it is, also where nobody reads it.</summary>
    [Theory]
    [InlineData("""{"schemaVersion":2,"mediaType":"\ud800"}""")]
    [InlineData("""{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{"a":"\udc00"}}""")]
    [InlineData("""{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[],"annotations":{"\ud800":"a"}}""")]
    [InlineData("""{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[{"mediaType":"\ud800"}]}""")]
    public async Task Text_that_is_no_Unicode_is_no_manifest(string manifest)
        => await AssertErrorAsync(await PutManifestAsync("a", "v1", Bytes(manifest), OciIndex), HttpStatusCode.BadRequest, "MANIFEST_INVALID");
}
