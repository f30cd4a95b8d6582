using System.Globalization;

namespace Registry.Sdk.TestKit;

/// <summary>
/// A user's repository: a git work tree in a temp directory in which a test writes projects and runs the real <c>dotnet</c>. Binlogs and
/// <c>nuget.config</c> stay outside the work tree, so that it is as clean as the test makes it.
/// </summary>
public sealed class Workspace : IAsyncDisposable
{
    private readonly TempDirectory directory;
    private int runs;

    private Workspace(TempDirectory directory, GitRepo git, CleanEnvironment environment)
    {
        this.directory = directory;
        Git = git;
        Environment = environment;
    }

    /// <summary>The repository.</summary>
    public GitRepo Git { get; }

    /// <summary>The work tree.</summary>
    public string Root => Git.Path;

    /// <summary>The environment of every <c>dotnet</c> run; replace it to play a CI system.</summary>
    public CleanEnvironment Environment { get; set; }

    /// <summary>Creates the repository; with a feed its package can be restored.</summary>
    public static async Task<Workspace> CreateAsync(SdkFeed? feed = null)
    {
        var temp = new TempDirectory("ws");
        feed?.WriteNuGetConfig(temp.Path);
        var workspace = new Workspace(temp, await GitRepo.CreateAsync(temp.Folder("repo")), CleanEnvironment.Create().With(await CompilerServer.SharedAsync()));
        workspace.Write(".gitignore", "bin/\nobj/\n");
        return workspace;
    }

    /// <summary>Writes a file of the work tree; returns its full path.</summary>
    public string Write(string relativePath, string content) => Git.Write(relativePath, content);

    /// <summary>Changes a file of the work tree; what is replaced must be there.</summary>
    public void Replace(string relativePath, string old, string with)
    {
        var content = File.ReadAllText(Path.Combine(Root, relativePath));
        if (!content.Contains(old, StringComparison.Ordinal))
        {
            throw new InvalidOperationException($"{relativePath} does not contain '{old}'.");
        }

        Write(relativePath, content.Replace(old, with, StringComparison.Ordinal));
    }

    /// <summary>Writes a project or any other MSBuild file; returns its full path.</summary>
    public string Write(string relativePath, ProjectBuilder project) => Git.Write(relativePath, project + "\n");

    /// <summary>Writes an ASP.NET application that answers <c>GET /</c> with <paramref name="answer"/>; returns the project's path.</summary>
    public string WriteWebApp(string folder, string name, ProjectBuilder? project = null, string answer = "hello")
    {
        Write(Path.Combine(folder, "Program.cs"), $"""
            var app = WebApplication.CreateSlimBuilder(args).Build();
            app.MapGet("/", () => "{answer}");
            app.Run();

            """);
        return Write(Path.Combine(folder, name + ".csproj"), project ?? ProjectBuilder.Web());
    }

    /// <summary>A path in the temp directory but outside the work tree.</summary>
    public string OutsidePath(params string[] parts) => directory.File(["outside", .. parts]);

    /// <summary><c>dotnet restore</c>.</summary>
    public Task<DotnetResult> RestoreAsync(string project, params string[] arguments) => DotnetAsync("restore", project, arguments);

    /// <summary><c>dotnet build</c>.</summary>
    public Task<DotnetResult> BuildAsync(string project, params string[] arguments) => DotnetAsync("build", project, arguments);

    /// <summary><c>dotnet publish</c>.</summary>
    public Task<DotnetResult> PublishAsync(string project, params string[] arguments) => DotnetAsync("publish", project, arguments);

    /// <summary><c>dotnet msbuild</c>.</summary>
    public Task<DotnetResult> MSBuildAsync(string project, params string[] arguments) => DotnetAsync("msbuild", project, arguments);

    /// <summary>Any <c>dotnet</c> verb that runs MSBuild, from the root of the work tree, with a binlog.</summary>
    public async Task<DotnetResult> DotnetAsync(string verb, string project, params string[] arguments)
    {
        var binlog = directory.File("logs", string.Create(CultureInfo.InvariantCulture, $"{Interlocked.Increment(ref runs):00}-{verb}.binlog"));
        var process = await ProcessRunner.RunAsync(
            "dotnet",
            // One node, because two cores are shared by all tests, unless the test is about several; and none that stays.
            [
                verb, project, .. arguments, $"-bl:LogFile={binlog};ProjectImports=None", "-nodeReuse:false",
                .. arguments.Any(argument => argument.StartsWith("-m:", StringComparison.Ordinal)) ? Array.Empty<string>() : ["-m:1"],
            ],
            Root,
            Environment,
            TimeSpan.FromMinutes(10));
        return new DotnetResult(process, binlog);
    }

    /// <inheritdoc/>
    public ValueTask DisposeAsync() => directory.DisposeAsync();
}
