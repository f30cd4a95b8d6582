using System.Text.Json;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;
using Registry.Sdk.Core.Editions;

namespace Registry.Sdk.Tasks;

/// <summary>What <see cref="DescribeProject"/> says of one project under one edition, and for one framework of it.</summary>
internal sealed record ProjectDescription
{
    /// <summary>Name of the metadata that holds a description, or a publish's evidence, as JSON: text that is no MSBuild's.</summary>
    public const string Json = "Json";

    /// <summary>The project; what other projects say of it is not in it yet.</summary>
    public required ProjectFacts Facts { get; init; }

    /// <summary><c>License</c> of its <c>ProjectReference</c> items, by the absolute path of the other project; those without one are left out.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> ReferenceLicenses { get; init; } = [];

    /// <summary><c>RepositoryUrl</c>, or empty.</summary>
    public string RepositoryUrl { get; init; } = string.Empty;

    /// <summary><c>ContainerEditionAllowedLicenses</c>.</summary>
    public IReadOnlyList<string> AllowedLicenses { get; init; } = [];

    /// <summary>The <c>PackageLicense</c> items.</summary>
    public IReadOnlyList<PackageLicense> PackageLicenses { get; init; } = [];

    /// <summary>An item that carries a value from one build to another.</summary>
    public static ITaskItem ToItem<T>(string name, T value)
    {
        var item = new TaskItem(name);
        ((ITaskItem2)item).SetMetadataValueLiteral(Json, JsonSerializer.Serialize(value));
        return item;
    }

    /// <summary>The value of an item that <see cref="ToItem"/> made.</summary>
    public static T FromItem<T>(ITaskItem item)
        => JsonSerializer.Deserialize<T>(item.GetMetadata(Json)) ?? throw new InvalidOperationException($"{item.ItemSpec} has no description.");

    /// <summary>The descriptions of one edition as the pipeline wants them: the frameworks of a project in one, and with what others say of it.</summary>
    /// <param name="edition">Its name.</param>
    /// <param name="descriptions">The service's first.</param>
    public static Core.EditionRequest ToEdition(string edition, IReadOnlyList<ProjectDescription> descriptions)
    {
        var said = descriptions.SelectMany(d => d.ReferenceLicenses).ToLookup(l => l.Key, l => l.Value, StringComparer.Ordinal);
        var service = descriptions[0];
        return new()
        {
            Name = edition,
            License = service.Facts.License,
            AllowedLicenses = service.AllowedLicenses,
            RepositoryUrl = service.RepositoryUrl,
            PackageLicenses = service.PackageLicenses,
            Projects = [.. descriptions.Select(d => d.Facts).GroupBy(f => f.File, StringComparer.Ordinal).Select(frameworks => Merge([.. frameworks]) with { ReferenceLicenses = [.. said[frameworks.Key].Distinct(StringComparer.Ordinal)] })],
        };
    }

    private static ProjectFacts Merge(IReadOnlyList<ProjectFacts> frameworks)
    {
        return frameworks is [var only] ? only : frameworks[0] with
        {
            // What one framework says is said.
            License = frameworks.Select(f => f.License).FirstOrDefault(l => l.Length > 0) ?? string.Empty,
            Items = Union(f => f.Items),
            LicensedPaths = Union(f => f.LicensedPaths),
            Removed = Union(f => f.Removed),
            Packages = Union(f => f.Packages),
            DeclaringFiles = Union(f => f.DeclaringFiles),
            References = Union(f => f.References),
        };

        IReadOnlyList<T> Union<T>(Func<ProjectFacts, IReadOnlyList<T>> list) => [.. frameworks.SelectMany(list).Distinct()];
    }
}
