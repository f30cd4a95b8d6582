using System.Text;

namespace Registry.Sdk.Emulator;

/// <summary>
/// Says whose secrets a request carries, wherever in it: in the URL, in any header (base64 undone), in a form or JSON body. It gives
/// names; the secrets themselves are kept by nobody but who knew them before.
/// </summary>
internal sealed class SecretFinder(EmulatorOptions options, Personality personality)
{
    private const int MaxBody = 256 * 1024;

    /// <summary>Shorter ones are in too many texts by chance.</summary>
    private const int ShortestSecret = 4;

    /// <summary>Names of the known secrets, and whether anything looks like a real service's. Reads a body that may hold credentials, and puts it back.</summary>
    public async Task<(IReadOnlyList<string> Names, bool LooksReal)> FindAsync(HttpContext context)
    {
        var request = context.Request;
        var text = new StringBuilder(Uri.UnescapeDataString(request.Path.Value + request.QueryString.Value?.Replace('+', ' ')));
        text.Append('\n').Append(request.QueryString.Value);
        foreach (var (_, values) in request.Headers)
        {
            foreach (var value in values)
            {
                text.Append('\n').Append(value);
                foreach (var word in (value ?? "").Split(' ', ',', ';', '='))
                {
                    text.Append('\n').Append(Decode(word));
                }
            }
        }

        if (request.ContentLength is null or <= MaxBody
            && (request.HasFormContentType || (request.ContentType?.StartsWith("application/json", StringComparison.OrdinalIgnoreCase) ?? false)))
        {
            await AppendBodyAsync(context, text);
        }

        var all = text.ToString();
        var names = personality.KnownSecrets().Concat(options.ForeignSecrets)
            .Where(secret => secret.Value.Length >= ShortestSecret && all.Contains(secret.Value, StringComparison.Ordinal))
            .Select(secret => secret.Key)
            .Distinct(StringComparer.Ordinal)
            .Order(StringComparer.Ordinal)
            .ToArray();
        return (names.Length == 0 ? [] : names, Credentials.LooksReal(all));
    }

    private static async Task AppendBodyAsync(HttpContext context, StringBuilder text)
    {
        var content = new MemoryStream();
        var buffer = new byte[16 * 1024];
        int read;
        while ((read = await context.Request.Body.ReadAsync(buffer, context.RequestAborted)) > 0)
        {
            content.Write(buffer, 0, read);
            if (content.Length > MaxBody)
            {
                throw new BadHttpRequestException("no form and no JSON here is that long", StatusCodes.Status413PayloadTooLarge);
            }
        }

        var body = Encoding.UTF8.GetString(content.GetBuffer(), 0, (int)content.Length);
        text.Append('\n').Append(body).Append('\n').Append(Uri.UnescapeDataString(body.Replace('+', ' ')));
        content.Position = 0;
        context.Request.Body = content;
    }

    private static string Decode(string word)
    {
        var padded = word.Length % 4 == 0 ? word : word + new string('=', 4 - (word.Length % 4));
        var bytes = new byte[padded.Length];
        return word.Length >= ShortestSecret && Convert.TryFromBase64String(padded, bytes, out var count) ? Encoding.UTF8.GetString(bytes, 0, count) : "";
    }
}
