using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Kit;

/// <summary>With a throw-away SDK package: what is true for it here is true for the real one.</summary>
public sealed class WorkspaceTests(WorkspaceTests.DummySdk dummy) : IClassFixture<WorkspaceTests.DummySdk>
{
    public static TheoryData<string> Forms => ["Sdk", "global.json", "Import", "PackageReference", "GlobalPackageReference"];

    [Theory]
    [MemberData(nameof(Forms))]
    public async Task Every_reference_form_resolves_from_the_feed_and_stays_out_of_the_users_cache(string form)
    {
        await using var workspace = await Workspace.CreateAsync(dummy.Feed);
        var project = ProjectBuilder.Library();
        switch (form)
        {
            case "Sdk":
                project.Sdk("Dummy.Sdk", dummy.Feed.Version);
                break;
            case "global.json":
                project.Sdk("Dummy.Sdk");
                workspace.Write("global.json", $$"""{ "msbuild-sdks": { "Dummy.Sdk": "{{dummy.Feed.Version}}" } }""");
                break;
            case "Import":
                workspace.Write("Directory.Build.props", ProjectBuilder.Create().Import("Sdk.props", "Dummy.Sdk", dummy.Feed.Version));
                workspace.Write("Directory.Build.targets", ProjectBuilder.Create().Import("Sdk.targets", "Dummy.Sdk", dummy.Feed.Version));
                break;
            case "PackageReference":
                project.PackageReference("Dummy.Sdk", dummy.Feed.Version);
                break;
            default:
                workspace.Write("Directory.Packages.props", ProjectBuilder.Create()
                    .Property("ManagePackageVersionsCentrally", "true").Item("GlobalPackageReference", "Dummy.Sdk", ("Version", dummy.Feed.Version)));
                break;
        }

        var result = await workspace.MSBuildAsync(workspace.Write("lib/Lib.csproj", project), "-restore", "-t:SayHello");

        Assert.True(result.Succeeded, result.ToString());
        Assert.Contains("hello from the dummy: props-seen", result.Messages);
        Assert.Contains("SayHello", result.Targets);
        Assert.Empty(result.Errors);
        Assert.True(Directory.Exists(Path.Combine(TestRun.PackagesFolder, "dummy.sdk", dummy.Feed.Version)));
        Assert.False(Directory.Exists(Path.Combine(TestRun.UserPackagesFolder, "dummy.sdk")));
    }

    [Fact]
    public async Task The_package_is_packed_once_per_state_of_the_sources()
    {
        var packed = File.GetLastWriteTimeUtc(dummy.Feed.PackagePath);

        var again = await Task.WhenAll(dummy.PackAsync(), dummy.PackAsync());

        Assert.All(again, feed => Assert.Equal(dummy.Feed.PackagePath, feed.PackagePath));
        Assert.Equal(packed, File.GetLastWriteTimeUtc(dummy.Feed.PackagePath));
        var file = dummy.Directory.File("repo", "src", "Dummy", "new.txt");
        await File.WriteAllTextAsync(file, "state 1");
        var first = await dummy.PackAsync();
        await File.WriteAllTextAsync(file, "state 2");
        var second = await dummy.PackAsync();
        File.Delete(file);
        Assert.Equal(3, new[] { dummy.Feed.Version, first.Version, second.Version }.Distinct().Count());
        Assert.Equal(dummy.Feed.Version, (await dummy.PackAsync()).Version);
    }

    [Fact]
    public async Task Errors_and_warnings_come_from_the_binlog_with_code_and_place()
    {
        await using var workspace = await Workspace.CreateAsync();
        workspace.Write("lib/Broken.cs", "class Broken\n{\n    int x = \"text\";\n#warning attention\n}\n");
        var project = workspace.Write("lib/Lib.csproj", ProjectBuilder.Library());

        var result = await workspace.BuildAsync(project);

        Assert.False(result.Succeeded);
        var error = Assert.Single(result.Errors);
        Assert.Equal(("CS0029", 3, project), (error.Code, error.Line, error.Project));
        Assert.EndsWith("Broken.cs", error.File);
        Assert.Equal("CS1030", Assert.Single(result.Warnings).Code);
        Assert.Throws<ProcessFailedException>(result.EnsureSuccess);
    }

    [Fact]
    public async Task Projects_say_exactly_what_the_test_said()
    {
        const string Awkward = "a <b> & \"c\"; 100% $(Not) @(x) 'q' *?";
        await using var workspace = await Workspace.CreateAsync();
        var project = workspace.Write("p.proj", ProjectBuilder.Create()
            .Property("Text", ProjectBuilder.Escape(Awkward))
            .Property("Skipped", "yes", "'1' == '2'")
            .Item("Thing", "one;two", ("Note", ProjectBuilder.Escape(Awkward)))
            .Item("Single", ProjectBuilder.Escape(Awkward))
            .ItemRemove("Thing", "one")
            .ItemUpdate("Thing", "two", ("More", "more"))
            .MessageTarget("Show", "$(Text)|$(Skipped)|@(Thing)|%(Thing.Note)|%(Thing.More)|@(Single->Count())|@(Single)"));

        var result = await workspace.MSBuildAsync(project, "-t:Show");

        Assert.True(result.Succeeded, result.ToString());
        Assert.Contains($"{Awkward}||two|{Awkward}|more|1|{Awkward}", result.Messages);
    }

    [Fact]
    public async Task A_published_web_app_runs_in_the_engine_on_a_base_image_made_here()
    {
        await using var workspace = await Workspace.CreateAsync();
        await using var server = await DistributionServer.StartAsync();
        var project = workspace.WriteWebApp("app", "App", answer: "from the container");
        await workspace.Git.CommitAsync();
        (await workspace.PublishAsync(project, "-o", workspace.OutsidePath("publish"))).EnsureSuccess();
        Assert.Equal("", await workspace.Git.GitAsync("status", "--porcelain"));

        var image = await TestImage.CreateAspNetAsync();
        image.AddFolder(workspace.OutsidePath("publish"), "/app");
        image.Entrypoint.Add("/usr/share/dotnet/dotnet");
        image.Entrypoint.Add("/app/App.dll");
        await image.PushAsync($"{server.Address}/kit/app:v1");
        var engine = await DockerEngine.SharedAsync();
        await engine.PullAsync($"{server.Address}/kit/app:v1");
        await using var container = await engine.RunAspNetAsync($"{server.Address}/kit/app:v1");

        Assert.Equal("from the container", await container.Client.GetStringAsync(new Uri("/", UriKind.Relative)));
    }

    public sealed class DummySdk : IAsyncLifetime
    {
        public TempDirectory Directory { get; } = new("dummy");

        public SdkFeed Feed { get; private set; } = null!;

        public Task<SdkFeed> PackAsync() => SdkFeed.PackAsync(Directory.Folder("repo"), "src/Dummy", "Dummy.Sdk", Directory.Folder("feeds"));

        public async Task InitializeAsync()
        {
            // The shape of the real package: Sdk/ for the SDK forms, build/ for the package forms.
            var props = ProjectBuilder.Create().Property("DummySaw", "props-seen").ToString();
            var targets = ProjectBuilder.Create().MessageTarget("SayHello", "hello from the dummy: $(DummySaw)").ToString();
            foreach (var (file, content) in new[] { ("Sdk/Sdk.props", props), ("Sdk/Sdk.targets", targets), ("build/Dummy.Sdk.props", props), ("build/Dummy.Sdk.targets", targets) })
            {
                await File.WriteAllTextAsync(Directory.File(["repo", "src", "Dummy", .. file.Split('/')]), content);
            }

            await File.WriteAllTextAsync(Directory.File("repo", "src", "Dummy", "Dummy.csproj"), ProjectBuilder.Library()
                .Property("PackageId", "Dummy.Sdk").Property("IncludeBuildOutput", "false").Property("NoWarn", "$(NoWarn);NU5128")
                .Item("None", "Sdk/**", ("Pack", "true"), ("PackagePath", "Sdk/"))
                .Item("None", "build/**", ("Pack", "true"), ("PackagePath", "build/"))
                .ToString());
            Feed = await PackAsync();
        }

        public async Task DisposeAsync() => await Directory.DisposeAsync();
    }
}
