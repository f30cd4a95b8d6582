using System.Xml.Linq;

namespace Registry.Sdk.TestKit;

/// <summary>
/// Writes an MSBuild project. XML is escaped; MSBuild's own special characters are not, because tests want <c>;</c> and <c>$()</c> to mean
/// something: use <see cref="Escape"/> where they should not.
/// </summary>
public sealed class ProjectBuilder
{
    private readonly XElement project;

    private ProjectBuilder(string? sdk) => project = new XElement("Project", sdk is null ? null : new XAttribute("Sdk", sdk));

    /// <summary>An empty project; without an SDK it can be a <c>Directory.Build.props</c> too.</summary>
    public static ProjectBuilder Create(string? sdk = null) => new(sdk);

    /// <summary>An ASP.NET application.</summary>
    public static ProjectBuilder Web(string targetFramework = "net10.0") => Create("Microsoft.NET.Sdk.Web").Common(targetFramework);

    /// <summary>A console application.</summary>
    public static ProjectBuilder Console(string targetFramework = "net10.0") =>
        Create("Microsoft.NET.Sdk").Common(targetFramework).Property("OutputType", "Exe");

    /// <summary>A class library.</summary>
    public static ProjectBuilder Library(string targetFramework = "net10.0") => Create("Microsoft.NET.Sdk").Common(targetFramework);

    /// <summary>Escapes what MSBuild would otherwise read as a list, a wildcard or an expression.</summary>
    public static string Escape(string text) =>
        string.Concat(text.Select(letter => "%*?@$();'".Contains(letter, StringComparison.Ordinal) ? FormattableString.Invariant($"%{(int)letter:X2}") : letter.ToString()));

    /// <summary><c>&lt;Sdk Name="…" Version="…" /&gt;</c>; without a version it comes from <c>global.json</c>.</summary>
    public ProjectBuilder Sdk(string name, string? version = null) => Add(Element("Sdk", ("Name", name), ("Version", version)));

    /// <summary>One import; with <paramref name="sdk"/> out of an SDK package.</summary>
    public ProjectBuilder Import(string path, string? sdk = null, string? version = null, string? condition = null) =>
        Add(Element("Import", ("Project", path), ("Sdk", sdk), ("Version", version), ("Condition", condition)));

    /// <summary>One property, in a group of its own so that order is the order of calls.</summary>
    public ProjectBuilder Property(string name, string value, string? condition = null) =>
        Add(new XElement("PropertyGroup", Element(name, ("Condition", condition)).WithText(value)));

    /// <summary>One item, in a group of its own.</summary>
    public ProjectBuilder Item(string type, string include, params (string Name, string? Value)[] metadata) =>
        Add(new XElement("ItemGroup", Element(type, [("Include", include), .. metadata])));

    /// <summary>Changes the metadata of an item.</summary>
    public ProjectBuilder ItemUpdate(string type, string update, params (string Name, string? Value)[] metadata) =>
        Add(new XElement("ItemGroup", Element(type, [("Update", update), .. metadata])));

    /// <summary>Removes an item.</summary>
    public ProjectBuilder ItemRemove(string type, string remove) => Add(new XElement("ItemGroup", Element(type, ("Remove", remove))));

    /// <summary>A package reference; without a version it comes from <c>Directory.Packages.props</c>.</summary>
    public ProjectBuilder PackageReference(string id, string? version = null, params (string Name, string? Value)[] metadata) =>
        Item("PackageReference", id, [("Version", version), .. metadata]);

    /// <summary>A project reference.</summary>
    public ProjectBuilder ProjectReference(string path, params (string Name, string? Value)[] metadata) => Item("ProjectReference", path, metadata);

    /// <summary>A target that prints one line, as the smallest thing that can be hooked somewhere.</summary>
    public ProjectBuilder MessageTarget(string name, string text, params (string Name, string? Value)[] attributes)
    {
        var target = Element("Target", [("Name", name), .. attributes]);
        target.Add(Element("Message", ("Importance", "high"), ("Text", text)));
        return Add(target);
    }

    /// <summary>Anything else.</summary>
    public ProjectBuilder Add(XElement element)
    {
        project.Add(element);
        return this;
    }

    /// <inheritdoc/>
    public override string ToString() => project.ToString();

    private static XElement Element(string name, params (string Name, string? Value)[] attributes) =>
        new(name, attributes.Where(attribute => attribute.Value is not null).Select(attribute => new XAttribute(attribute.Name, attribute.Value!)));

    private ProjectBuilder Common(string targetFramework) =>
        Property("TargetFramework", targetFramework).Property("Nullable", "enable").Property("ImplicitUsings", "enable");
}

file static class XElementExtensions
{
    public static XElement WithText(this XElement element, string text)
    {
        element.Value = text;
        return element;
    }
}
