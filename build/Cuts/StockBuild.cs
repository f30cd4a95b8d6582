using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Text;
using Registry.Sdk.TestKit;

namespace Registry.Sdk.Cuts;

/// <summary>
/// The .NET SDK's own container publish of a small service, as shipped: target <c>PublishContainer</c> of what was published before. One MSBuild process
/// serves all of it, because a process of its own for each costs more than the publish; each is a build of its own, with global properties of its own.
/// </summary>
internal sealed class StockBuild : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(10);

    private readonly string _folder;
    private readonly Process _msbuild;
    private readonly ConcurrentQueue<string> _said = new();
    private int _orders;

    private StockBuild(string folder, Process msbuild)
    {
        (_folder, _msbuild) = (folder, msbuild);
        msbuild.OutputDataReceived += (_, line) => _said.Enqueue(line.Data ?? "");
        msbuild.ErrorDataReceived += (_, line) => _said.Enqueue(line.Data ?? "");
        msbuild.BeginOutputReadLine();
        msbuild.BeginErrorReadLine();
    }

    /// <summary>The errors that it told since it was last asked.</summary>
    public string Said()
    {
        var lines = _said.Where(l => l.Contains(": error ", StringComparison.Ordinal) && !l.Contains(":    at ", StringComparison.Ordinal)).Select(l => l[(l.IndexOf(": error ", StringComparison.Ordinal) + 2)..]).ToList();
        _said.Clear();
        return string.Join(" | ", lines);
    }

    /// <summary>Builds the service, publishes it into a folder for each version, and starts MSBuild.</summary>
    /// <param name="folder">Where.</param>
    /// <param name="baseImage"><c>localhost:5000/base:1</c>.</param>
    /// <param name="user">Who pushes.</param>
    /// <param name="password">Their password.</param>
    public static async Task<StockBuild> StartAsync(string folder, string baseImage, string user, string password)
    {
        Directory.CreateDirectory(folder);
        var project = ProjectBuilder.Console().Property("UseAppHost", "false").Property("RollForward", "Major")
            .Property("Release", Release.New, "'$(Release)' == ''").Property("PublishDir", Path.Combine(folder, "publish", "$(Release)") + "/")
            .Property("ContainerRuntimeIdentifier", "linux-x64").Property("ContainerBaseImage", baseImage).Property("ContainerVersion", "$(Release)")
            // The tags of Release.Tags.
            .Property("ContainerImageTags", "v$(Release);release-$(Release);v1.2;v1;r1;r1.2;stable;latest")
            .Item("Content", "content/$(Release).html", ("Link", "wwwroot/version.html"), ("CopyToPublishDirectory", "Always"));
        Write("Service.csproj", project.ToString());
        Write("Program.cs", "System.Console.WriteLine(1);\n");
        Write("Directory.Build.props", "<Project />");
        Write("Directory.Build.targets", "<Project />");
        Write("Directory.Packages.props", "<Project />");
        foreach (var version in new[] { Release.Old, Release.New })
        {
            Write($"content/{version}.html", $"<p>{version}</p>");
        }

        // Orders and answers are files; who waits for one looks whether the other is still there.
        Write("serve.proj", $$"""
            <Project>
              <ItemGroup><Order Include="{{string.Join(';', Enumerable.Range(1, 2000).Select(n => n.ToString("0000", CultureInfo.InvariantCulture)))}}" /></ItemGroup>
              <Target Name="Serve" Outputs="%(Order.Identity)">
                <Exec Command="while [ ! -f '$(MSBuildThisFileDirectory)order-%(Order.Identity)' ] &amp;&amp; [ -d /proc/{{Environment.ProcessId}} ]; do sleep 0.05; done; cat '$(MSBuildThisFileDirectory)order-%(Order.Identity)' 2>/dev/null || echo stop" ConsoleToMSBuild="true" StandardOutputImportance="low">
                  <Output TaskParameter="ConsoleOutput" PropertyName="Properties" />
                </Exec>
                <Error Condition="'$(Properties)' == 'stop'" Text="stopped" />
                <MSBuild Projects="Service.csproj" Targets="PublishContainer" Properties="Configuration=Release;NoBuild=true;Order=%(Order.Identity);$(Properties)" ContinueOnError="WarnAndContinue" />
                <WriteLinesToFile File="$(MSBuildThisFileDirectory)answer-%(Order.Identity).new" Lines="$(MSBuildLastTaskResult)" />
                <Exec Command="mv '$(MSBuildThisFileDirectory)answer-%(Order.Identity).new' '$(MSBuildThisFileDirectory)answer-%(Order.Identity)'" />
              </Target>
            </Project>
            """);
        var environment = CleanEnvironment.Create(Path.Combine(folder, "home")).With("TMPDIR", Directory.CreateDirectory(Path.Combine(folder, "tmp")).FullName)
            .With("DOTNET_CONTAINER_REGISTRY_UNAME", user).With("DOTNET_CONTAINER_REGISTRY_PWORD", password);
        foreach (var version in new[] { Release.Old, Release.New })
        {
            (await ProcessRunner.RunAsync("dotnet", ["publish", "-c", "Release", $"-p:Release={version}", "-nodeReuse:false", "Service.csproj"], folder, environment)).EnsureSuccess();
        }

        var start = new ProcessStartInfo("dotnet", ["msbuild", "serve.proj", "-t:Serve", "-nodeReuse:false", "-m:1", "-nologo", "-v:minimal", "-noAutoResponse"])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            UseShellExecute = false,
            WorkingDirectory = folder,
        };
        environment.ApplyTo(start);
        return new(folder, Process.Start(start)!);

        void Write(string path, string text)
        {
            var file = Path.Combine(folder, path);
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, text, new UTF8Encoding(false));
        }
    }

    /// <summary>What <c>dotnet publish</c> of a version left, from which every image of it is made.</summary>
    public string PublishFolder(string version) => Path.Combine(_folder, "publish", version);

    /// <summary>Publishes to one registry; whether it says that it succeeded.</summary>
    public async Task<bool> PublishAsync(string version, int port, string repository)
    {
        var order = (++_orders).ToString("0000", CultureInfo.InvariantCulture);
        Order(order, string.Create(CultureInfo.InvariantCulture, $"Release={version}\nContainerRegistry=localhost:{port}\nContainerRepository={repository}\n"));
        var answer = Path.Combine(_folder, "answer-" + order);
        using var patience = new CancellationTokenSource(Patience);
        while (!File.Exists(answer))
        {
            if (_msbuild.HasExited)
            {
                throw new InvalidOperationException($"MSBuild ended: {Said()}");
            }

            await Task.Delay(50, patience.Token);
        }

        return bool.Parse((await File.ReadAllTextAsync(answer, patience.Token)).Trim());
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        Order((++_orders).ToString("0000", CultureInfo.InvariantCulture), "stop");
        using var patience = new CancellationTokenSource(TimeSpan.FromSeconds(30));
        try
        {
            await _msbuild.WaitForExitAsync(patience.Token);
        }
        catch (OperationCanceledException)
        {
            _msbuild.Kill(entireProcessTree: true);
        }

        _msbuild.Dispose();
    }

    private void Order(string number, string text)
    {
        // Whole when it is seen.
        var file = Path.Combine(_folder, "order-" + number);
        File.WriteAllText(file + ".new", text);
        File.Move(file + ".new", file);
    }
}
