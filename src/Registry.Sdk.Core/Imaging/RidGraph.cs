using System.Text.Json;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>
/// Which runtime identifiers (RIDs) stand in for which: the .NET SDK's <c>PortableRuntimeIdentifierGraph.json</c>
/// (<c>$(RuntimeIdentifierGraphPath)</c>).
/// </summary>
internal sealed class RidGraph
{
    /// <summary>The SDK's files have 9 and 81 KB.</summary>
    private const int MaxBytes = 4 * 1024 * 1024;

    private readonly Dictionary<string, IReadOnlyList<string>> _imports;

    private RidGraph(Dictionary<string, IReadOnlyList<string>> imports) => _imports = imports;

    /// <summary>Reads the graph; null for anything else.</summary>
    public static RidGraph? Parse(byte[] json)
    {
        if (json.Length > MaxBytes)
        {
            return null;
        }

        try
        {
            using var document = StrictJson.Document(json);
            var imports = new Dictionary<string, IReadOnlyList<string>>(StringComparer.Ordinal);
            foreach (var rid in document.RootElement.GetProperty("runtimes").EnumerateObject())
            {
                imports[rid.Name] = rid.Value.TryGetProperty("#import", out var names) ? [.. names.EnumerateArray().Select(n => n.GetString() ?? throw new JsonException("null"))] : [];
            }

            return imports.Count > 0 ? new(imports) : null;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException or KeyNotFoundException)
        {
            return null;
        }
    }

    /// <summary>
    /// What the runtime in an image may look for; null where that is not known, and then nothing may be left out.
    /// </summary>
    /// <param name="rid">The RID the user gave, or empty: then glibc and musl.</param>
    /// <param name="platform">The image's platform.</param>
    /// <param name="environment">The image's.</param>
    /// <param name="runtimeConfig">The application's, or null if there is none.</param>
    /// <remarks>
    /// Since .NET 8 the host looks for a fixed list: the RID it was built for, the same without architecture, <c>linux</c>, <c>unix</c>, <c>any</c>
    /// (dotnet/runtime, corehost/hostpolicy/deps_format.cpp), which is what the portable graph says. Two switches change that: <c>DOTNET_RUNTIME_ID</c>
    /// comes first, and the property <c>System.Runtime.Loader.UseRidGraph</c> makes it ask the distribution.
    /// </remarks>
    public ReachableRids? ForImage(string rid, Platform platform, IReadOnlyDictionary<string, string> environment, RuntimeConfig? runtimeConfig)
    {
        if (runtimeConfig is { UsesRidGraph: true })
        {
            return null;
        }

        List<string> rids = rid.Length > 0 ? [rid] :
        [
            .. _imports.Keys.Where(r => r.StartsWith("linux-", StringComparison.Ordinal) && r.Split('-') is [_, _] or [_, "musl", _]
                && Platform.FromRuntimeIdentifier(r) is { } p && p.Os == platform.Os && p.Architecture == platform.Architecture && (platform.Variant is null || p.Variant is null || p.Variant == platform.Variant)),
        ];
        if (environment.GetValueOrDefault("DOTNET_RUNTIME_ID") is { Length: > 0 } own)
        {
            rids.Add(own);
        }

        return From(rids);
    }

    /// <summary>Everything reachable from the given RIDs; null if there are none or the graph does not know one.</summary>
    public ReachableRids? From(IReadOnlyCollection<string> rids)
    {
        var reached = new HashSet<string>(StringComparer.Ordinal);
        var open = new Stack<string>(rids);
        while (open.TryPop(out var rid))
        {
            if (!_imports.TryGetValue(rid, out var imports))
            {
                return null;
            }

            if (reached.Add(rid))
            {
                foreach (var import in imports)
                {
                    open.Push(import);
                }
            }
        }

        return rids.Count == 0 ? null : new(reached, _imports.Keys);
    }
}

/// <summary>The RIDs whose files an image keeps.</summary>
internal sealed class ReachableRids(IReadOnlySet<string> reached, IEnumerable<string> known)
{
    private readonly HashSet<string> _known = new(known, StringComparer.Ordinal);

    /// <summary>Those that the portable graph leads to.</summary>
    public IReadOnlySet<string> Rids => reached;

    /// <summary>Whether files of this RID stay.</summary>
    /// <remarks>
    /// The RIDs of distributions (<c>debian.9-x64</c>, <c>rhel.8-x64</c>) are not in the portable graph, but a .NET that a distribution built itself looks for
    /// its own first. They stay, unless their architecture is another, or their system is one the graph knows as another (<c>osx.10.12</c>, <c>win7</c>).
    /// </remarks>
    public bool Keeps(string rid)
    {
        if (rid.Length == 0 || reached.Contains(rid))
        {
            return true;
        }

        if (_known.Contains(rid))
        {
            return false;
        }

        var parts = rid.Split('-');
        if (parts.Length > 1 && _known.Contains("unix-" + parts[^1]) && !reached.Contains("unix-" + parts[^1]))
        {
            return false;
        }

        var system = parts[0].Split('.')[0].TrimEnd('0', '1', '2', '3', '4', '5', '6', '7', '8', '9');
        return !_known.Contains(system) || reached.Contains(system);
    }
}
