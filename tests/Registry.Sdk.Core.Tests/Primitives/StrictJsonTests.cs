using System.Text;
using System.Text.Json;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Primitives;

public class StrictJsonTests
{
    public static TheoryData<string, byte[]> Wrong => new()
    {
        { "no JSON", "{"u8.ToArray() },
        { "nothing", [] },
        { "half a surrogate pair as value", """{"a":["\ud800"]}"""u8.ToArray() },
        { "half a surrogate pair as name", """{"a":{"\udc00x":1}}"""u8.ToArray() },
        { "half a pair at the root", "\"\\ud800\""u8.ToArray() },
        { "no UTF-8 in a value", [.. "{\"a\":\""u8, 0xC3, .. "\"}"u8] },
        { "no UTF-8 in a name", [.. "{\""u8, 0xFF, .. "\":1}"u8] },
        { "a member twice", """{"a":{"b":1,"b":2}}"""u8.ToArray() },
        { "a member twice, once escaped", """{"b":1,"\u0062":2}"""u8.ToArray() },
        { "65 deep", Encoding.UTF8.GetBytes(new string('[', 65) + new string(']', 65)) },
        { "a million deep", Encoding.UTF8.GetBytes(new string('[', 1_000_000)) },
    };

    [Theory]
    [MemberData(nameof(Wrong))]
    public void What_could_throw_later_is_a_JsonException_at_once(string what, byte[] json)
    {
        Assert.NotEmpty(what);
        Assert.ThrowsAny<JsonException>(() => StrictJson.Document(json).Dispose());
        Assert.ThrowsAny<JsonException>(() => StrictJson.Node(json));
    }

    [Fact]
    public void Ordinary_JSON_is_read()
    {
        var json = """{"a":"\ud83d\ude00 é","b":[{"a":1},{"a":2}],"A":null}"""u8.ToArray();
        using var document = StrictJson.Document(json);
        Assert.Equal("😀 é", document.RootElement.GetProperty("a").GetString());
        Assert.Equal(2, (int)StrictJson.Node(json)!["b"]![1]!["a"]!);
        Assert.Null(StrictJson.Node("null"u8.ToArray()));
        Assert.NotNull(StrictJson.Node(Encoding.UTF8.GetBytes(new string('[', 64) + new string(']', 64))));
    }
}
