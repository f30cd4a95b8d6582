using System.Text;
using System.Text.Json;
using FsCheck;
using FsCheck.Fluent;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Imaging;

public class StableTimesTests
{
    [Fact]
    public void What_is_served_has_a_time_of_its_content_and_all_else_the_same()
        => Prop.ForAll<byte[], byte[]>((a, b) =>
        {
            var (one, other) = (File("wwwroot/x", a), File("wwwroot/deep/y", b));
            return StableTimes.For(File("x", a)) == StableTimes.For(File("y/z", b))
                && StableTimes.For(File("wwwroot", a)) == StableTimes.Constant
                && StableTimes.For(one) == StableTimes.For(File("wwwroot/z", a))
                && (StableTimes.For(one) == StableTimes.For(other)) == a.SequenceEqual(b)
                && StableTimes.For(one) is { Year: >= 1980 and < 2020, Millisecond: 0, Offset.Ticks: 0 };
        }).Check(Config.QuickThrowOnFailure.WithMaxTest(500));

    [Theory]
    [InlineData("Api.staticwebassets.endpoints.json", true)]
    [InlineData("wwwroot/Api.staticwebassets.endpoints.json", false)]
    [InlineData("Api.staticwebassets.runtime.json", false)]
    public void Which_file_is_an_endpoint_manifest(string path, bool expected) => Assert.Equal(expected, StableTimes.IsEndpointManifest(File(path, [])));

    [Fact]
    public void An_endpoint_manifest_gets_the_times_of_the_files_it_names_and_nothing_else_changes()
    {
        var css = File("wwwroot/site.css", [1]);
        static string Manifest(string time, string unknown) => $$"""
            {"Version":1,"Endpoints":[
              {"Route":"site.é.css","AssetFile":"site.css","Selectors":[],"ResponseHeaders":[{"Name":"ETag","Value":"\"x\""},{"Name":"Last-Modified","Value":"{{time}}"},{"Name":"last-modified","Value":"{{time}}"}]},
              {"Route":"gone.js","AssetFile":"gone.js","ResponseHeaders":[{"Name":"Last-Modified","Value":"{{unknown}}"}]},
              {"Route":"no headers"}]}
            """;
        var files = new Dictionary<string, BillFile>(StringComparer.Ordinal) { [css.Path] = css };
        byte[] Normalise(string text) => StableTimes.NormaliseEndpointManifest(Encoding.UTF8.GetBytes(text), files);

        var one = Normalise(Manifest("Sat, 21 Nov 2026 10:00:00 GMT", "Sat, 21 Nov 2026 10:00:01 GMT"));

        Assert.Equal(one, Normalise(Manifest("Sun, 22 Nov 2026 11:11:11 GMT", "Sun, 22 Nov 2026 11:11:12 GMT")));
        var expected = Manifest(StableTimes.For(css).ToString("R"), "Thu, 01 Jan 1970 00:00:01 GMT");
        Assert.Equal(JsonSerializer.Serialize(JsonDocument.Parse(expected)), JsonSerializer.Serialize(JsonDocument.Parse(one)));
    }

    [Theory]
    [InlineData("[]")]
    [InlineData("""{"Endpoints":[],"Endpoints":[]}""")]
    [InlineData("""{"Endpoints":[{"AssetFile":"a","AssetFile":"b"}]}""")]
    [InlineData("""{"Endpoints":[{"AssetFile":"\ud800"}]}""")]
    [InlineData("not json")]
    [InlineData("""{"Endpoints":[7]}""")]
    [InlineData("""{"Endpoints":[{"AssetFile":7}]}""")]
    public void What_is_no_endpoint_manifest_is_said_by_an_exception_the_stage_knows(string text)
    {
        var exception = Record.Exception(() => StableTimes.NormaliseEndpointManifest(Encoding.UTF8.GetBytes(text), new Dictionary<string, BillFile>(StringComparer.Ordinal)));
        Assert.True(exception is JsonException or InvalidOperationException, exception?.ToString());
    }

    private static BillFile File(string path, byte[] content) => new(path, "/publish/" + path, content.Length, Digest.Of(content), IsExecutable: false);
}
