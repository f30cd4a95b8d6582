using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;

namespace Registry.Sdk.TestKit;

/// <summary>
/// GitHub's published OpenAPI description (npm <c>@octokit/openapi</c>), trimmed by <c>build/openapi/trim.cs</c> to packages and the few other reads
/// of ours: which requests there are, and what is answered.
/// </summary>
public sealed class GitHubDescription
{
    // OpenAPI 3.0 is not JSON Schema: null is said by «nullable», and a discriminator only repeats what «oneOf» says.
    private const string Validator = """
        import json, sys
        from jsonschema import Draft4Validator, RefResolver

        request = json.load(sys.stdin)
        root = request["root"]
        resolver = RefResolver("", root)
        json.dump([[e.json_path + ": " + e.message for e in Draft4Validator(i["schema"], resolver=resolver).iter_errors(i["value"])] for i in request["items"]], sys.stdout)
        """;

    private readonly JsonObject root;
    private readonly List<(Regex Path, string Template, string Method, JsonObject Operation)> operations = [];

    private GitHubDescription(JsonObject root)
    {
        this.root = root;
        foreach (var (template, item) in root["paths"]!.AsObject())
        {
            // A parameter is one segment: a slash in a package's name has to be escaped.
            var path = new Regex("^" + Regex.Replace(Regex.Escape(template), @"\\\{[^}]*}", "[^/]+", RegexOptions.None, TimeSpan.FromSeconds(1)) + "$", RegexOptions.None, TimeSpan.FromSeconds(1));
            operations.AddRange(item!.AsObject().Select(m => (path, template, m.Key.ToUpperInvariant(), m.Value!.AsObject())));
        }
    }

    /// <summary>The description.</summary>
    public static GitHubDescription Load() =>
        new((JsonObject)JsonNode.Parse(File.ReadAllText(Path.Combine(TestRun.RepositoryRoot, "tests", "Registry.Sdk.TestKit", "github-openapi.json")))!);

    /// <summary>What is wrong with a request: no such operation, or a parameter that it does not have; null if nothing is.</summary>
    /// <param name="method">HTTP method.</param>
    /// <param name="pathAndQuery">Escaped path below the API's base, with query.</param>
    public string? WhyUnknown(string method, string pathAndQuery)
    {
        var parts = pathAndQuery.Split('?', 2);
        if (Find(method, parts[0]) is not { } operation)
        {
            return $"{method} {parts[0]} is no operation of GitHub's";
        }

        var known = (operation["parameters"] as JsonArray ?? []).Select(p => Resolved(p!)).Where(p => p["in"]!.GetValue<string>() == "query").Select(p => p["name"]!.GetValue<string>()).ToHashSet(StringComparer.Ordinal);
        var asked = parts.Length < 2 ? [] : parts[1].Split('&', StringSplitOptions.RemoveEmptyEntries).Select(p => Uri.UnescapeDataString(p.Split('=')[0]));
        return asked.FirstOrDefault(name => !known.Contains(name)) is { } unknown ? $"{method} {parts[0]} has no parameter '{unknown}'" : null;
    }

    /// <summary>What of the description answers break, by answer; with one process for all. A status that is not described has to be GitHub's basic error.</summary>
    public async Task<IReadOnlyList<IReadOnlyList<string>>> ValidateAsync(IReadOnlyList<(string Method, string PathAndQuery, int Status, string Body)> answers)
    {
        var items = new JsonArray([.. answers.Select(a => new JsonObject { ["schema"] = Schema(a.Method, a.PathAndQuery.Split('?')[0], a.Status), ["value"] = JsonNode.Parse(a.Body) })]);
        var input = new JsonObject { ["root"] = WithoutNullable(root.DeepClone()), ["items"] = items };
        var result = (await ProcessRunner.RunAsync("/usr/bin/python3", ["-c", Validator], standardInput: input.ToJsonString())).EnsureSuccess();
        return JsonSerializer.Deserialize<string[][]>(result.StandardOutput)!;
    }

    private JsonNode Schema(string method, string path, int status)
    {
        var response = Find(method, path)?["responses"]?[FormattableString.Invariant($"{status}")] is { } described ? Resolved(described) : null;
        return response?["content"]?["application/json"]?["schema"] is { } schema ? WithoutNullable(schema.DeepClone()) : new JsonObject { ["$ref"] = "#/components/schemas/basic-error" };
    }

    private JsonObject? Find(string method, string path) => operations.Find(o => o.Method == method && o.Path.IsMatch(path)).Operation;

    private JsonObject Resolved(JsonNode node)
    {
        var json = node.AsObject();
        return json["$ref"]?.GetValue<string>().Split('/') is { } reference ? root[reference[1]]![reference[2]]![reference[3]]!.AsObject() : json;
    }

    private static JsonNode WithoutNullable(JsonNode node)
    {
        switch (node)
        {
            case JsonObject json:
                foreach (var member in json.Select(m => m.Value).OfType<JsonNode>().ToList())
                {
                    WithoutNullable(member);
                }

                if (json["nullable"] is JsonValue nullable && nullable.TryGetValue<bool>(out var isNullable))
                {
                    json.Remove("nullable");
                    if (isNullable && json["type"] is JsonValue type)
                    {
                        json["type"] = new JsonArray(type.DeepClone(), "null");
                    }

                    if (isNullable && json["enum"] is JsonArray words && !words.Any(w => w is null))
                    {
                        words.Add(null);
                    }
                }

                break;
            case JsonArray list:
                foreach (var item in list.OfType<JsonNode>().ToList())
                {
                    WithoutNullable(item);
                }

                break;
        }

        return node;
    }
}
