using Microsoft.Build.Framework;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Tasks;

/// <summary>Items that several tasks are given, as records.</summary>
internal static class ItemReading
{
    /// <summary>A <c>ContainerDestination</c> item.</summary>
    public static DestinationItem Destination(ITaskItem item)
        => new(item.ItemSpec, item.GetMetadata("Edition"), item.GetMetadata("Visibility"), item.GetMetadata("On"), item.GetMetadata("Tags"), item.GetMetadata("Optional"), item.GetMetadata("Image"));

    /// <summary>A <c>RegistrySdkEndpoint</c> item.</summary>
    public static EndpointItem Endpoint(ITaskItem item) => new(item.ItemSpec, item.GetMetadata("Registry"), item.GetMetadata("Api"), item.GetMetadata("Insecure"));

    /// <summary>A <c>RegistrySdkCredential</c> item.</summary>
    public static CredentialItem Credential(ITaskItem item)
        => new(item.ItemSpec, item.GetMetadata("UsernameVariable"), item.GetMetadata("PasswordVariable"), item.GetMetadata("RealmHost"));

    /// <summary>The names of what is written on items.</summary>
    public static IEnumerable<WrittenMetadata> Written(string itemType, IEnumerable<ITaskItem> items)
        => items.Select(i => new WrittenMetadata(itemType, i.ItemSpec, [.. i.CloneCustomMetadata().Keys.Cast<string>()]));

    /// <summary>A file of GitHub Actions that an environment variable names; null elsewhere.</summary>
    public static string? GitHubFile(IReadOnlyDictionary<string, string> environment, string name)
        => environment.TryGetValue("GITHUB_ACTIONS", out var actions) && actions == "true" && environment.TryGetValue(name, out var value) && value.Length > 0 ? value : null;
}
