using System.Text.Json;
using System.Text.Json.Serialization;

namespace Registry.Sdk.Emulator;

/// <summary>A small JSON file of the state directory, written whole.</summary>
internal sealed class StateFile(string path)
{
    private static readonly JsonSerializerOptions Options = new() { WriteIndented = true, Converters = { new JsonStringEnumConverter() }, Encoder = ReadableJson.Options.Encoder };

    public T Load<T>()
        where T : new() => File.Exists(path) ? JsonSerializer.Deserialize<T>(File.ReadAllBytes(path), Options) ?? new T() : new T();

    public void Save<T>(T state)
    {
        var partial = path + ".partial";
        File.WriteAllBytes(partial, JsonSerializer.SerializeToUtf8Bytes(state, Options));
        File.Move(partial, path, overwrite: true);
    }
}
