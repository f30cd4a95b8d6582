using System.Globalization;
using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>Makes the image config out of the base image's and the project's. Source: OCI image spec, config.md.</summary>
internal static partial class ImageConfig
{
    private static readonly JsonSerializerOptions Json = new() { Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping };

    /// <summary>What history says of the layers we add; by it they are told from the base image's.</summary>
    public const string CreatedBy = "Registry.Sdk";

    /// <summary>The members of a base image's <c>config</c> that no container property speaks about; they stay.</summary>
    private static readonly string[] Kept = ["Volumes", "StopSignal", "Healthcheck", "Shell", "OnBuild", "ArgsEscaped"];

    /// <summary>Labels that say what the base image is. Inherited they would claim its version, commit and repository for ours.</summary>
    private static readonly string[] OfTheBaseAlone =
    [
        ImageLabels.Version, ImageLabels.Revision, ImageLabels.Source, ImageLabels.Created, ImageLabels.RefName, ImageLabels.BaseName, ImageLabels.BaseDigest,
    ];

    /// <summary>Writes JSON as every manifest and config of ours is written: no white space, no needless escapes.</summary>
    public static byte[] Serialise(JsonNode node) => JsonSerializer.SerializeToUtf8Bytes(node, Json);

    /// <summary>Composes the config.</summary>
    /// <param name="baseConfig">The base image's config, parsed.</param>
    /// <param name="settings">What stock evaluated.</param>
    /// <param name="newLayers"><c>diff_ids</c> of our layers, bottom first.</param>
    /// <param name="created">The image's time.</param>
    /// <param name="labels">Receives all labels as written.</param>
    /// <param name="diagnostics">Receives what is wrong with the settings.</param>
    public static byte[] Compose(
        JsonObject baseConfig, ContainerSettings settings, IReadOnlyList<Digest> newLayers, DateTimeOffset created, IDictionary<string, string> labels, ICollection<Diagnostic> diagnostics)
    {
        var inner = baseConfig["config"] as JsonObject ?? [];
        var config = new JsonObject();

        var environment = Environment(inner, settings);
        var user = settings.User.Length > 0 ? settings.User
            : environment.Find(v => v.Key == "APP_UID").Value is { Length: > 0 } appUid ? appUid
            : Text(inner, "User");
        if (!string.IsNullOrEmpty(user))
        {
            config["User"] = user;
        }

        var ports = Ports(inner, settings, environment, diagnostics);
        if (ports.Count > 0)
        {
            config["ExposedPorts"] = new JsonObject(ports.Select(p => KeyValuePair.Create(p, (JsonNode?)new JsonObject())));
        }

        if (environment.Count > 0)
        {
            config["Env"] = Array(environment.Select(v => $"{v.Key}={v.Value}"));
        }

        var (entrypoint, cmd) = StartCommand.Decide(settings, Strings(inner, "Entrypoint"), diagnostics);
        if (entrypoint.Count > 0)
        {
            config["Entrypoint"] = Array(entrypoint);
        }

        if (cmd.Count > 0)
        {
            config["Cmd"] = Array(cmd);
        }

        config["WorkingDir"] = settings.WorkingDirectory;
        foreach (var (name, value) in (inner["Labels"] as JsonObject ?? []).Where(l => !OfTheBaseAlone.Contains(l.Key, StringComparer.Ordinal)).Select(l => (l.Key, l.Value is JsonValue v ? v.ToString() : string.Empty)).Concat(settings.Labels.Select(l => (l.Key, l.Value))))
        {
            labels[name] = value;
        }

        if (labels.Count > 0)
        {
            config["Labels"] = new JsonObject(labels.OrderBy(l => l.Key, StringComparer.Ordinal).Select(l => KeyValuePair.Create(l.Key, (JsonNode?)l.Value)));
        }

        foreach (var name in Kept)
        {
            if (inner[name] is { } value)
            {
                config[name] = value.DeepClone();
            }
        }

        return Serialise(Outer(baseConfig, config, newLayers, created));
    }

    private static JsonObject Outer(JsonObject baseConfig, JsonObject config, IReadOnlyList<Digest> newLayers, DateTimeOffset created)
    {
        var time = created.ToUniversalTime().ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture);
        var diffIds = ((baseConfig["rootfs"] as JsonObject)?["diff_ids"] as JsonArray ?? []).Select(d => d!.GetValue<string>()).Concat(newLayers.Select(d => d.ToString())).ToList();
        var result = new JsonObject
        {
            ["created"] = time,
            ["architecture"] = baseConfig["architecture"]!.DeepClone(),
            ["os"] = baseConfig["os"]!.DeepClone(),
        };
        foreach (var name in new[] { "variant", "os.version", "os.features" })
        {
            if (baseConfig[name] is { } value)
            {
                result[name] = value.DeepClone();
            }
        }

        result["config"] = config;
        result["rootfs"] = new JsonObject { ["type"] = "layers", ["diff_ids"] = Array(diffIds) };

        // Entries that made a layer must be as many as layers. A base that tells less gets the rest from us; one that tells more is not believed.
        var history = (baseConfig["history"] as JsonArray ?? []).OfType<JsonObject>().ToList();
        var told = history.Count(h => h["empty_layer"] is not JsonValue empty || !empty.TryGetValue<bool>(out var isEmpty) || !isEmpty);
        if (told > diffIds.Count - newLayers.Count)
        {
            history.Clear();
            told = 0;
        }

        var entries = history.Select(h => h.DeepClone())
            .Concat(Enumerable.Range(0, diffIds.Count - told).Select(_ => (JsonNode)new JsonObject { ["created"] = time, ["created_by"] = CreatedBy }));
        result["history"] = new JsonArray([.. entries]);
        return result;
    }

    /// <summary>The image's environment by name: the base image's with the project's over it.</summary>
    public static IReadOnlyDictionary<string, string> EnvironmentOf(JsonObject baseConfig, ContainerSettings settings)
        => Environment(baseConfig["config"] as JsonObject ?? [], settings).ToDictionary(StringComparer.Ordinal);

    /// <summary>What a config starts: entrypoint and command.</summary>
    public static (IReadOnlyList<string> Entrypoint, IReadOnlyList<string> Cmd) StartOf(JsonObject config)
        => config["config"] is JsonObject inner ? (Strings(inner, "Entrypoint"), Strings(inner, "Cmd")) : ([], []);

    private static List<KeyValuePair<string, string>> Environment(JsonObject inner, ContainerSettings settings)
    {
        var result = new List<KeyValuePair<string, string>>();
        foreach (var entry in Strings(inner, "Env"))
        {
            var equals = entry.IndexOf('=', StringComparison.Ordinal);
            if (equals > 0)
            {
                Set(entry[..equals], entry[(equals + 1)..]);
            }
        }

        foreach (var (name, value) in settings.Environment)
        {
            Set(name, value);
        }

        return result;

        void Set(string name, string value)
        {
            var at = result.FindIndex(v => v.Key == name);
            if (at < 0)
            {
                result.Add(new(name, value));
            }
            else
            {
                result[at] = new(name, value);
            }
        }
    }

    private static SortedSet<string> Ports(JsonObject inner, ContainerSettings settings, List<KeyValuePair<string, string>> environment, ICollection<Diagnostic> diagnostics)
    {
        var ports = new SortedSet<string>(StringComparer.Ordinal);
        foreach (var (name, _) in inner["ExposedPorts"] as JsonObject ?? [])
        {
            ports.Add(name.Contains('/', StringComparison.Ordinal) ? name : name + "/tcp");
        }

        foreach (var (number, type) in settings.Ports)
        {
            var protocol = type.Length == 0 ? "tcp" : type.ToLowerInvariant();
            if (Port(number) is not { } port || protocol is not ("tcp" or "udp" or "sctp"))
            {
                diagnostics.Add(DiagnosticCodes.BadConfig.Report($"ContainerPort '{number}' (Type '{type}') is no port. Write Include=\"1…65535\" Type=\"tcp\" or \"udp\"."));
                continue;
            }

            ports.Add($"{port}/{protocol}");
        }

        // ASP.NET's own variables say where it listens; ASPNETCORE_URLS wins over the other two, there as here.
        if (Value("ASPNETCORE_URLS") is { } urls)
        {
            foreach (var url in Split(urls))
            {
                if (UrlPort().Match(url) is { Success: true } match && Port(match.Groups["port"].Value) is { } port)
                {
                    ports.Add(port + "/tcp");
                }
            }
        }
        else
        {
            foreach (var port in Split(Value("ASPNETCORE_HTTP_PORTS")).Concat(Split(Value("ASPNETCORE_HTTPS_PORTS"))).Select(Port).OfType<string>())
            {
                ports.Add(port + "/tcp");
            }
        }

        return ports;

        string? Value(string name) => environment.Find(v => v.Key == name) is { Key: not null } found ? found.Value : null;

        static string[] Split(string? text) => text?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

        // As a number is written without leading zeros; 0 («any») passes, as with stock.
        static string? Port(string text) => ushort.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number.ToString(CultureInfo.InvariantCulture) : null;
    }

    private static JsonArray Array(IEnumerable<string> items) => new([.. items.Select(i => (JsonNode?)JsonValue.Create(i))]);

    private static string? Text(JsonObject json, string name) => json[name] is JsonValue value && value.TryGetValue<string>(out var text) ? text : null;

    private static List<string> Strings(JsonObject json, string name)
        => [.. (json[name] as JsonArray ?? []).OfType<JsonValue>().Select(v => v.TryGetValue<string>(out var text) ? text : null).OfType<string>()];

    [GeneratedRegex(@"^\w+://.+:(?<port>\d+)", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex UrlPort();
}
