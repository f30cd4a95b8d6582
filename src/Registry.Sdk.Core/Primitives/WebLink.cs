namespace Registry.Sdk.Core.Primitives;

/// <summary>The <c>Link</c> header. Source: RFC 8288, 3; distribution spec, «Listing tags».</summary>
internal static class WebLink
{
    /// <summary>The address of the next page, relative or absolute; null if there is none.</summary>
    public static Uri? Next(IEnumerable<string> values)
    {
        foreach (var text in values)
        {
            // An address may hold commas and semicolons, so it is read between its brackets and not split.
            for (var start = text.IndexOf('<', StringComparison.Ordinal); start >= 0; start = text.IndexOf('<', start + 1))
            {
                var end = text.IndexOf('>', start);
                if (end < 0)
                {
                    break;
                }

                var following = text.IndexOf('<', end);
                var parameters = text[(end + 1)..(following < 0 ? text.Length : following)];
                if (IsNext(parameters) && Uri.TryCreate(text[(start + 1)..end], UriKind.RelativeOrAbsolute, out var address))
                {
                    return address;
                }

                start = end;
            }
        }

        return null;
    }

    // rel may name several relations, with or without quotes.
    private static bool IsNext(string parameters)
        => parameters.Split(';', ',').Select(p => p.Split('=', 2)).Any(p => p.Length == 2
            && p[0].Trim().Equals("rel", StringComparison.OrdinalIgnoreCase)
            && p[1].Trim().Trim('"').Split(' ').Contains("next", StringComparer.OrdinalIgnoreCase));
}
