using System.Text.Json;
using System.Text.Json.Nodes;

namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// Reads JSON that somebody else wrote. System.Text.Json looks at a text only when it is asked for, and then throws InvalidOperationException
/// for <c>\ud800</c> or bytes that are no UTF-8, and ArgumentException for a member that is there twice; here all of it is looked at once, and
/// whatever is wrong is a <see cref="JsonException"/>. Its message never repeats the text: a credential file is read with it too.
/// </summary>
internal static class StrictJson
{
    private const int MaxDepth = 64;

    /// <summary>Parses; the caller disposes.</summary>
    /// <exception cref="JsonException">No JSON, text that is not Unicode, a member twice in one object, or nested deeper than 64.</exception>
    internal static JsonDocument Document(byte[] json)
    {
        var document = JsonDocument.Parse(json, new JsonDocumentOptions { MaxDepth = MaxDepth });
        try
        {
            Check(document.RootElement);
            return document;
        }
        catch
        {
            document.Dispose();
            throw;
        }
    }

    /// <summary>Parses into nodes that can be changed; null for JSON's null.</summary>
    /// <exception cref="JsonException">As with <see cref="Document"/>.</exception>
    internal static JsonNode? Node(byte[] json)
    {
        using (Document(json))
        {
            return JsonNode.Parse(json, documentOptions: new JsonDocumentOptions { MaxDepth = MaxDepth });
        }
    }

    /// <summary>The text of an object's member; null if it is missing or no text.</summary>
    internal static string? Text(JsonElement element, string name)
        => element.TryGetProperty(name, out var value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    private static void Check(JsonElement element)
    {
        switch (element.ValueKind)
        {
            case JsonValueKind.Object:
                var names = new HashSet<string>(StringComparer.Ordinal);
                foreach (var member in element.EnumerateObject())
                {
                    if (!names.Add(Unicode(() => member.Name)))
                    {
                        throw new JsonException("an object has the same member twice");
                    }

                    Check(member.Value);
                }

                break;
            case JsonValueKind.Array:
                foreach (var item in element.EnumerateArray())
                {
                    Check(item);
                }

                break;
            case JsonValueKind.String:
                Unicode(() => element.GetString()!);
                break;
        }
    }

    private static string Unicode(Func<string> read)
    {
        try
        {
            return read();
        }
        catch (InvalidOperationException e)
        {
            throw new JsonException("a text is not valid Unicode", e);
        }
    }
}
