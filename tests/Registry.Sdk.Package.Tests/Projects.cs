using System.IO.Compression;
using Registry.Sdk.TestKit;

namespace Registry.Sdk.Package.Tests;

/// <summary>The ways to reference the package (design section 3).</summary>
public enum Form
{
    /// <summary><c>&lt;Sdk Name="Registry.Sdk" Version="…" /&gt;</c>.</summary>
    Sdk,

    /// <summary><c>&lt;Sdk Name="Registry.Sdk" /&gt;</c> and the version in global.json.</summary>
    GlobalJson,

    /// <summary>One line in Directory.Build.props, which reaches libraries too.</summary>
    Import,

    /// <summary>PackageReference.</summary>
    PackageReference,

    /// <summary>GlobalPackageReference with central package management.</summary>
    GlobalPackageReference,
}

/// <summary>The kinds of project that become an image.</summary>
public enum Kind
{
    /// <summary>ASP.NET Core.</summary>
    Web,

    /// <summary>Microsoft.NET.Sdk.Worker.</summary>
    Worker,

    /// <summary>OutputType Exe.</summary>
    Console,
}

/// <summary>Writes projects as users have them.</summary>
public static class Projects
{
    /// <summary>The tags of release v1.4.2, sorted.</summary>
    public static readonly string[] ReleaseTags = ["latest", "v1", "v1.4", "v1.4.2"];

    /// <summary>A service project; what it says is "hello".</summary>
    public static ProjectBuilder Service(Kind kind, bool fsharp = false)
    {
        var project = kind switch
        {
            Kind.Web => ProjectBuilder.Web(),
            // Hosting comes with the shared framework, so that nothing has to be downloaded.
            Kind.Worker => ProjectBuilder.Create("Microsoft.NET.Sdk.Worker").Property("TargetFramework", "net10.0").Property("ImplicitUsings", "enable")
                .Item("FrameworkReference", "Microsoft.AspNetCore.App"),
            _ => ProjectBuilder.Console(),
        };
        return fsharp ? project.Item("Compile", "Program.fs") : project;
    }

    /// <summary>Writes project and program; returns the project's path.</summary>
    public static string WriteService(this Workspace workspace, string folder, string name, ProjectBuilder project, Kind kind, bool fsharp = false)
    {
        workspace.Write(Path.Combine(folder, fsharp ? "Program.fs" : "Program.cs"), (kind, fsharp) switch
        {
            (Kind.Web, false) => "var app = WebApplication.CreateSlimBuilder(args).Build();\napp.MapGet(\"/\", () => \"hello\");\napp.Run();\n",
            (Kind.Worker, false) => "var host = Host.CreateApplicationBuilder(args).Build();\nhost.Run();\n",
            (_, false) => "Console.WriteLine(\"hello\");\n",
            (Kind.Web, true) => "open Microsoft.AspNetCore.Builder\nlet app = WebApplication.CreateSlimBuilder([||]).Build()\napp.MapGet(\"/\", System.Func<string>(fun () -> \"hello\")) |> ignore\napp.Run()\n",
            _ => "printfn \"hello\"\n",
        });
        return workspace.Write(Path.Combine(folder, name + (fsharp ? ".fsproj" : ".csproj")), project);
    }

    /// <summary>A class library with one class in it.</summary>
    public static string WriteLibrary(this Workspace workspace, string folder, string name, ProjectBuilder? project = null)
    {
        workspace.Write(Path.Combine(folder, name + ".cs"), $"namespace {name};\n\npublic static class Text\n{{\n    public static string Value => \"{name}\";\n}}\n");
        return workspace.Write(Path.Combine(folder, name + ".csproj"), project ?? ProjectBuilder.Library());
    }

    /// <summary>Texts in English and German, which makes a satellite assembly.</summary>
    public static void WriteTexts(this Workspace workspace, string folder, string german)
    {
        foreach (var (name, text) in new[] { ("Texts.resx", "hello"), ("Texts.de.resx", german) })
        {
            workspace.Write(Path.Combine(folder, name), $"""
                <root>
                  <resheader name="resmimetype"><value>text/microsoft-resx</value></resheader>
                  <resheader name="version"><value>2.0</value></resheader>
                  <resheader name="reader"><value>System.Resources.ResXResourceReader, System.Windows.Forms</value></resheader>
                  <resheader name="writer"><value>System.Resources.ResXResourceWriter, System.Windows.Forms</value></resheader>
                  <data name="Hello" xml:space="preserve"><value>{text}</value></data>
                </root>

                """);
        }
    }

    /// <summary>A package with a native library and no assembly, into a feed that is a folder: nothing the compiler sees.</summary>
    /// <param name="feed">The folder.</param>
    /// <param name="id">Package id.</param>
    /// <param name="version">Its version.</param>
    /// <param name="content">The library, for every Linux.</param>
    /// <param name="metadata">More elements of the nuspec's metadata.</param>
    public static void WriteNativePackage(string feed, string id, string version, byte[] content, string metadata = "")
    {
        Directory.CreateDirectory(feed);
        using var package = ZipFile.Open(Path.Combine(feed, $"{id}.{version}.nupkg"), ZipArchiveMode.Create);
        Write($"{id}.nuspec", System.Text.Encoding.UTF8.GetBytes($"""
            <package xmlns="http://schemas.microsoft.com/packaging/2013/05/nuspec.xsd"><metadata>
            <id>{id}</id><version>{version}</version><authors>nobody</authors><description>A driver.</description>
            {metadata}
            </metadata></package>
            """));
        Write("lib/net10.0/_._", []);
        Write($"runtimes/linux-x64/native/{id}.so", content);
        Write($"runtimes/linux-arm64/native/{id}.so", content);

        void Write(string path, byte[] bytes)
        {
            using var stream = package.CreateEntry(path).Open();
            stream.Write(bytes);
        }
    }

    /// <summary>Makes a project reference the package under test in one of the forms; files go to the root of the repository.</summary>
    public static ProjectBuilder Reference(this Workspace workspace, ProjectBuilder project, SdkFeed feed, Form form)
    {
        switch (form)
        {
            case Form.Sdk:
                project.Sdk(feed.PackageId, feed.Version);
                break;
            case Form.GlobalJson:
                project.Sdk(feed.PackageId);
                workspace.Write("global.json", $$"""{ "msbuild-sdks": { "{{feed.PackageId}}": "{{feed.Version}}" } }""");
                break;
            case Form.Import:
                workspace.Write("Directory.Build.props", ProjectBuilder.Create().Import("Sdk.props", feed.PackageId, feed.Version));
                break;
            case Form.PackageReference:
                project.PackageReference(feed.PackageId, feed.Version);
                break;
            default:
                workspace.Write("Directory.Packages.props", ProjectBuilder.Create()
                    .Property("ManagePackageVersionsCentrally", "true").Item("GlobalPackageReference", feed.PackageId, ("Version", feed.Version)));
                break;
        }

        return project;
    }

    /// <summary>Commits everything and puts the release tag on it.</summary>
    public static async Task<string> ReleaseAsync(this Workspace workspace, string version = "v1.4.2")
    {
        var commit = await workspace.Git.CommitAsync();
        await workspace.Git.TagAsync(version);
        return commit;
    }
}
