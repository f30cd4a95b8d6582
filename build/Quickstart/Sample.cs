using System.Xml.Linq;

namespace Registry.Sdk.Quickstart;

/// <summary>One of <c>samples/</c>, and what a publish of it must lead to.</summary>
/// <param name="Name">Its folder.</param>
/// <param name="Project">The project to publish, as one would type it behind <c>dotnet publish</c>; empty: the only one there is.</param>
/// <param name="Destinations">What its project names.</param>
internal sealed record Sample(string Name, string Project, params string[] Destinations)
{
    private static readonly string[] BuildOutput = ["bin", "obj"];

    public static IReadOnlyList<Sample> All { get; } =
    [
        new("minimal", "", "ghcr.io/acme/minimal"),
        new("two-registries", "src/Orders", "ghcr.io/acme/orders", "docker.io/acme/orders"),
    ];

    /// <summary>The version of Registry.Sdk that the samples ask for.</summary>
    public static string SdkVersion(string samples)
    {
        var versions = Directory.EnumerateFiles(samples, "*.csproj", SearchOption.AllDirectories)
            .SelectMany(project => XDocument.Load(project).Root!.Elements("Sdk"))
            .Where(sdk => (string?)sdk.Attribute("Name") == "Registry.Sdk")
            .Select(sdk => (string?)sdk.Attribute("Version"))
            .Distinct(StringComparer.Ordinal)
            .ToArray();
        return versions is [{ } version] ? version : throw new QuickstartException($"The projects in {samples} ask for several versions of Registry.Sdk: {string.Join(", ", versions)}.");
    }

    /// <summary>Copies the sample, without what a build left there.</summary>
    public static void Copy(string from, string to)
    {
        Directory.CreateDirectory(to);
        foreach (var file in Directory.EnumerateFiles(from))
        {
            File.Copy(file, Path.Combine(to, Path.GetFileName(file)));
        }

        foreach (var folder in Directory.EnumerateDirectories(from).Where(folder => !BuildOutput.Contains(Path.GetFileName(folder), StringComparer.Ordinal)))
        {
            Copy(folder, Path.Combine(to, Path.GetFileName(folder)));
        }
    }
}
