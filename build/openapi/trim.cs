// Trims GitHub's published OpenAPI description to what the tests hold our requests and the emulator's answers against: everything about
// packages, and the few other reads of ours. By hand, when there is a newer description:
//
//     npm pack @octokit/openapi@23.0.2 && tar xzf octokit-openapi-23.0.2.tgz
//     dotnet run build/openapi/trim.cs package > tests/Registry.Sdk.TestKit/github-openapi.json
//
// Paths, methods, parameters and schemas are kept whole, required members too; only prose, examples and GitHub's own extensions go.
#:property PublishAot=false
using System.Text.Json;
using System.Text.Json.Nodes;

string[] otherPaths = ["/rate_limit", "/user", "/users/{username}", "/repos/{owner}/{repo}"];
string[] methods = ["get", "put", "post", "patch", "delete"];
string[] prose = ["description", "summary", "example", "examples", "externalDocs", "tags", "operationId", "title"];

if (args is not [var folder])
{
    Console.Error.WriteLine("usage: dotnet run build/openapi/trim.cs FOLDER   (of the unpacked npm package; see the head of this file)");
    Environment.Exit(2);
    return;
}

var package = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "package.json")))!;
var description = JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "generated", "api.github.com.json")))!;
var components = new SortedDictionary<string, SortedDictionary<string, JsonNode>>(StringComparer.Ordinal);

// An error may say what the description leaves to prose; GitHub's own schema for it is the basic one.
Follow("#/components/schemas/basic-error");
var paths = new JsonObject();
foreach (var (path, item) in description["paths"]!.AsObject().OrderBy(p => p.Key, StringComparer.Ordinal))
{
    // Other paths are kept with their reads alone: nothing of ours writes there.
    var isPackages = path.Contains("/packages", StringComparison.Ordinal);
    if (isPackages || otherPaths.Contains(path))
    {
        paths[path] = new JsonObject(item!.AsObject().Where(m => methods.Contains(m.Key) && (isPackages || m.Key == "get")).Select(m => KeyValuePair.Create(m.Key, Trim(m.Value))));
    }
}

var result = new JsonObject
{
    ["openapi"] = description["openapi"]!.DeepClone(),
    ["info"] = new JsonObject
    {
        ["title"] = "GitHub's REST API, trimmed by build/openapi/trim.cs",
        ["version"] = $"{package["name"]} {package["version"]}",
        ["license"] = new JsonObject { ["name"] = package["license"]!.DeepClone(), ["url"] = "https://github.com/github/rest-api-description" },
    },
    ["paths"] = paths,
    ["components"] = new JsonObject(components.Select(kind => KeyValuePair.Create<string, JsonNode?>(kind.Key, new JsonObject(kind.Value.Select(c => KeyValuePair.Create<string, JsonNode?>(c.Key, c.Value)))))),
};
Console.WriteLine(result.ToJsonString(new JsonSerializerOptions { WriteIndented = true, IndentSize = 1, Encoder = System.Text.Encodings.Web.JavaScriptEncoder.UnsafeRelaxedJsonEscaping }));

// A member that is called «description» is a property and no prose.
JsonNode? Trim(JsonNode? node, bool areNames = false) => node switch
{
    JsonObject json => new JsonObject(json.Where(m => areNames || !(prose.Contains(m.Key) || m.Key.StartsWith("x-", StringComparison.Ordinal)))
        .Select(m => KeyValuePair.Create(m.Key, m.Key == "$ref" && !areNames ? Follow(m.Value!.GetValue<string>()) : Trim(m.Value, areNames: !areNames && m.Key is "properties")))),
    JsonArray list => new JsonArray([.. list.Select(item => Trim(item))]),
    _ => node?.DeepClone(),
};

JsonNode Follow(string reference)
{
    // #/components/<kind>/<name>
    var parts = reference.Split('/');
    if (!components.TryGetValue(parts[2], out var kind))
    {
        components.Add(parts[2], kind = new(StringComparer.Ordinal));
    }

    if (parts[2] != "examples" && kind.TryAdd(parts[3], new JsonObject()))
    {
        kind[parts[3]] = Trim(description["components"]![parts[2]]![parts[3]])!;
    }

    return JsonValue.Create(reference);
}
