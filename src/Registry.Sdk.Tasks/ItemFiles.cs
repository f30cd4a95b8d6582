using Microsoft.Build.Framework;
using Registry.Sdk.Core.Editions;

namespace Registry.Sdk.Tasks;

/// <summary>Items that name files.</summary>
internal static class ItemFiles
{
    /// <summary>The absolute path, without <c>.</c> and <c>..</c>.</summary>
    public static string FullPath(ITaskItem item) => Path.GetFullPath(item.GetMetadata("FullPath"));

    /// <summary>The items of one type.</summary>
    public static IEnumerable<SourceItem> Of(string type, IEnumerable<ITaskItem> items) => items.Select(item => new SourceItem(
        type,
        FullPath(item),
        item.GetMetadata("License"),
        // The second is what the .NET SDK came to where nobody named it; known once it has compiled.
        type != "EmbeddedResource" ? string.Empty : item.GetMetadata("LogicalName") is { Length: > 0 } name ? name : item.GetMetadata("ManifestResourceName")));
}
