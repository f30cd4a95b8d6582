using Registry.Sdk.Cuts;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Cuts;

/// <summary>The judge of the cuts is itself judged: what is mixed is not overlooked.</summary>
public sealed class JudgeTests(MatrixFixture fixture) : IClassFixture<MatrixFixture>
{
    private const string Hub = "docker.io/acme/community";

    [Theory]
    [InlineData("nothing", false, Found.Old, "")]
    [InlineData("nothing", true, Found.Mixed, "is said to be complete")]
    [InlineData("one tag", false, Found.Mixed, "neither receipt nor journal")]
    [InlineData("one tag", null, Found.Mixed, "neither receipt nor journal")]
    [InlineData("one tag, receipt", false, Found.Pending, "")]
    [InlineData("one tag, receipt of less", false, Found.Mixed, "says that v1 is pending")]
    [InlineData("one tag, journal", null, Found.Pending, "")]
    [InlineData("a tag elsewhere", false, Found.Mixed, "neither receipt nor journal")]
    [InlineData("a third image", false, Found.Mixed, "names a third image")]
    [InlineData("a tag gone", false, Found.Mixed, "lost a tag: latest")]
    [InlineData("a tag more", false, Found.Mixed, "names a third image")]
    [InlineData("an old immutable tag moved", false, Found.Mixed, "lost a tag: v1.2.2")]
    [InlineData("all tags", true, Found.New, "")]
    [InlineData("all tags", false, Found.New, "")]
    public async Task What_is_found_is_called_by_its_name(string state, bool? succeeded, Found found, string why)
    {
        await using var directory = new TempDirectory("judge");
        await using var scene = await fixture.Matrix.StartAsync();
        var work = directory.Folder("work");
        await Prepare(scene, state, work);

        var verdict = (await fixture.Matrix.JudgeAsync(scene, succeeded, work)).Single(v => v.Place == Hub);

        Assert.Equal(found, verdict.Found);
        Assert.Contains(why, verdict.Why);
    }

    [Fact]
    public async Task A_tagged_image_with_a_blob_missing_is_mixed()
    {
        await using var directory = new TempDirectory("judge");
        await using var scene = await fixture.Matrix.StartAsync();
        var work = directory.Folder("work");
        await Prepare(scene, "all tags", work);
        var place = scene.Places.Single(p => p.Name == Hub);
        var manifest = System.Text.Json.Nodes.JsonNode.Parse((await Seed.ManifestAsync(place.Registry, place.Repository, fixture.Matrix.Digests["community"]))!)!;
        var layer = manifest["layers"]![0]!["digest"]!.GetValue<string>();
        using var gone = await place.Registry.DeleteAsync(new Uri($"v2/{place.Repository}/blobs/{layer}", UriKind.Relative));
        gone.EnsureSuccessStatusCode();

        var verdict = (await fixture.Matrix.JudgeAsync(scene, true, work)).Single(v => v.Place == Hub);

        Assert.Equal((Found.Mixed, $"is tagged, and {layer} is not there"), (verdict.Found, verdict.Why));
    }

    private async Task Prepare(Scene scene, string state, string work)
    {
        if (state == "nothing")
        {
            return;
        }

        // The new image is there under all tags, by a publish of its own; then tags are put as the case wants them.
        var old = await scene.TagsAsync();
        var told = await fixture.Matrix.Release.PublishAsync(Release.New, scene.Target, fixture.Matrix.NewFolder(), new InstantTime(), CancellationToken.None);
        Assert.True(told.Succeeded, string.Join('\n', told.Errors));
        var hub = scene.Places.Single(p => p.Name == Hub);
        switch (state)
        {
            case "all tags":
                return;
            case "a third image":
                await Seed.PushAsync(hub.Registry, hub.Repository, "latest", new SeedImage());
                return;
            case "a tag gone":
                await DeleteAsync(hub, "latest");
                return;
            case "a tag more":
                await Seed.TagAsync(hub.Registry, hub.Repository, "latest", "surprise");
                return;
            case "an old immutable tag moved":
                await Seed.TagAsync(hub.Registry, hub.Repository, "latest", "v1.2.2");
                return;
        }

        foreach (var place in scene.Places)
        {
            if (state == "a tag elsewhere" && place.Name != Hub)
            {
                continue;
            }

            foreach (var tag in Release.Tags(Release.New).Where(t => state == "a tag elsewhere" || place.Name != Hub || t != "latest"))
            {
                if (old[place.Name].TryGetValue(tag, out var digest))
                {
                    await Seed.TagAsync(place.Registry, place.Repository, digest, tag);
                }
                else
                {
                    await DeleteAsync(place, tag);
                }
            }
        }

        var rest = Release.Tags(Release.New).Where(t => t != "latest" && (state != "one tag, receipt of less" || t != "v1")).ToList();
        // Receipt and journal say it in the same words.
        var tags = string.Join(',', rest.Select(t => $$"""{"name":"{{t}}","state":"pending"}"""));
        var destinations = $$"""[{"name":"{{Hub}}","tags":[{{tags}},{"name":"latest","state":"moved"}]}]""";
        if (state.StartsWith("one tag, receipt", StringComparison.Ordinal))
        {
            Write(Release.Receipt(work), $$"""{"images":[{"destinations":{{destinations}} }]}""");
        }
        else if (state == "one tag, journal")
        {
            Write(Path.Combine(work, "obj", "Release", "registry-sdk", "journal.json"), $$"""{"destinations":{{destinations}} }""");
        }

        static void Write(string file, string text)
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, text);
        }
    }

    private static async Task DeleteAsync(Place place, string tag)
    {
        using var answer = await place.Registry.DeleteAsync(new Uri($"v2/{place.Repository}/manifests/{tag}", UriKind.Relative));
        answer.EnsureSuccessStatusCode();
    }
}
