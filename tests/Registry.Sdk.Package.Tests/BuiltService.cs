using System.Text.Json.Nodes;
using Registry.Sdk.TestKit;

namespace Registry.Sdk.Package.Tests;

/// <summary>
/// A web service of release v1.4.2, built once in Release. Each test publishes it with <c>--no-build</c>, to destinations of its own. A test that
/// changes something in the repository puts it back.
/// </summary>
public sealed class BuiltService : IAsyncDisposable
{
    private readonly CleanEnvironment clean;

    private BuiltService(Workspace workspace, string project, string commit)
    {
        Workspace = workspace;
        Project = project;
        Commit = commit;
        clean = workspace.Environment;
    }

    public Workspace Workspace { get; }

    public string Project { get; }

    public string Commit { get; }

    /// <summary>The folder of the project.</summary>
    public string Folder => Path.GetDirectoryName(Project)!;

    /// <summary>What the last publish wrote; earlier ones are removed by <see cref="PublishAsync"/>.</summary>
    public JsonNode Receipt => JsonNode.Parse(File.ReadAllText(ReceiptPath))!;

    public string ReceiptPath => Path.Combine(Folder, "bin", "container", "receipt.json");

    public static async Task<BuiltService> CreateAsync(PackageFixture fixture)
    {
        var workspace = await fixture.CreateWorkspaceAsync();
        var project = workspace.Reference(Projects.Service(Kind.Web), fixture.Feed, Form.Sdk)
            .Item("ContainerDestination", "$(Destinations)")
            .Item("RegistrySdkCredential", "item.example", ("UsernameVariable", "ITEM_USER"), ("PasswordVariable", "ITEM_PASSWORD"))
            // So that a test can publish an empty folder: stock fills it on every publish, and looks into it until all of Publish is done.
            .Add(new("Target", new System.Xml.Linq.XAttribute("Name", "Lose"), new System.Xml.Linq.XAttribute("BeforeTargets", "ComputeContainerConfig"), new System.Xml.Linq.XAttribute("Condition", "'$(LosePublishDir)' == 'true'"),
                new System.Xml.Linq.XElement("RemoveDir", new System.Xml.Linq.XAttribute("Directories", "$(PublishDir)"))));
        var path = workspace.WriteService("src/service", "Service", project, Kind.Web);
        var commit = await workspace.ReleaseAsync();
        (await workspace.BuildAsync(path, "-c", "Release", "-p:Destinations=registry.example/any")).EnsureSuccess();
        return new(workspace, path, commit);
    }

    /// <summary><c>dotnet publish --no-build -t:PublishContainer</c>, or another target.</summary>
    public Task<DotnetResult> PublishAsync(string destinations, IEnumerable<KeyValuePair<string, string>>? environment = null, string target = "PublishContainer", params string[] arguments)
    {
        if (File.Exists(ReceiptPath))
        {
            File.Delete(ReceiptPath);
        }

        // As an environment variable, because on the command line a semicolon ends the property.
        Workspace.Environment = clean.With(environment ?? []).With("Destinations", destinations);
        return Workspace.PublishAsync(Project, [$"-t:{target}", "--no-build", .. arguments]);
    }

    public ValueTask DisposeAsync() => Workspace.DisposeAsync();
}
