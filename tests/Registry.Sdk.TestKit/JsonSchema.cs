using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Registry.Sdk.TestKit;

/// <summary>As much of JSON Schema 2020-12 as the schemas in docs use; a keyword it does not know is an error, so that none is passed over.</summary>
public sealed class JsonSchema(JsonObject root)
{
    /// <summary>What is wrong, each with the path to it; empty if nothing is.</summary>
    public IReadOnlyList<string> Validate(JsonNode? value) => [.. Check(root, value, "$")];

    private IEnumerable<string> Check(JsonObject schema, JsonNode? value, string path)
        => schema.SelectMany(keyword => keyword.Key switch
        {
            "$schema" or "$id" or "$defs" or "title" or "description" => [],
            "$ref" => Check((JsonObject)root["$defs"]![keyword.Value!.GetValue<string>()["#/$defs/".Length..]]!, value, path),
            "anyOf" => ((JsonArray)keyword.Value!).Select(s => Check((JsonObject)s!, value, path).ToList()).ToList() is var all && all.Exists(e => e.Count == 0) ? [] : all.SelectMany(e => e),
            "enum" => ((JsonArray)keyword.Value!).Any(v => JsonNode.DeepEquals(v, value)) ? [] : [$"{path}: {value?.ToJsonString() ?? "null"} is none of {keyword.Value!.ToJsonString()}"],
            "type" => Types(keyword.Value!).Any(t => Is(value, t)) ? [] : [$"{path}: is no {keyword.Value!.ToJsonString()}"],
            "pattern" => value is JsonValue text && text.TryGetValue<string>(out var s) && !Regex.IsMatch(s, keyword.Value!.GetValue<string>()) ? [$"{path}: '{s}' does not match"] : [],
            "minimum" => value is JsonValue number && number.GetValue<decimal>() < keyword.Value!.GetValue<decimal>() ? [$"{path}: is below the minimum"] : [],
            "required" => value is JsonObject o ? ((JsonArray)keyword.Value!).Select(n => n!.GetValue<string>()).Where(n => !o.ContainsKey(n)).Select(n => $"{path}: lacks {n}") : [],
            "properties" => value is JsonObject o ? ((JsonObject)keyword.Value!).Where(p => o.ContainsKey(p.Key)).SelectMany(p => Check((JsonObject)p.Value!, o[p.Key], $"{path}.{p.Key}")) : [],
            "additionalProperties" => value is JsonObject o ? o.Where(m => (schema["properties"] as JsonObject)?.ContainsKey(m.Key) != true)
                .SelectMany(m => keyword.Value is JsonObject further ? Check(further, m.Value, $"{path}.{m.Key}") : [$"{path}: {m.Key} is not known"]) : [],
            "items" => value is JsonArray a ? a.SelectMany((item, i) => Check((JsonObject)keyword.Value!, item, $"{path}[{i}]")) : [],
            _ => [$"{path}: the schema has the keyword {keyword.Key}, which is not understood here"],
        });

    private static IEnumerable<string> Types(JsonNode type) => type is JsonArray several ? several.Select(t => t!.GetValue<string>()) : [type.GetValue<string>()];

    private static bool Is(JsonNode? value, string type) => type switch
    {
        "null" => value is null,
        "object" => value is JsonObject,
        "array" => value is JsonArray,
        "string" => value?.GetValueKind() == System.Text.Json.JsonValueKind.String,
        "boolean" => value?.GetValueKind() is System.Text.Json.JsonValueKind.True or System.Text.Json.JsonValueKind.False,
        "number" => value?.GetValueKind() == System.Text.Json.JsonValueKind.Number,
        "integer" => value?.GetValueKind() == System.Text.Json.JsonValueKind.Number && value.GetValue<decimal>() % 1 == 0,
        _ => false,
    };
}
