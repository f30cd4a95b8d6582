using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Package.Tests;

/// <summary>What a person, GitHub Actions and the receipt's reader get to see, of a publish that works, one that fails, and one that only plans.</summary>
[Collection(PackageTests.Name)]
public sealed partial class ReportTests(PackageFixture fixture)
{
    [Fact]
    public async Task A_publish_in_GitHub_Actions_reports_to_console_outputs_summary_and_receipt()
    {
        var service = await fixture.BuiltAsync();
        var github = GitHub(service, out var outputs, out var summary);

        var result = await service.PublishAsync($"{fixture.Emulator.Host}/report/one;{fixture.Emulator.Host}/report/two", github);

        Assert.True(result.Succeeded, result.ToString());
        var digest = (await fixture.View.TagsAsync("report/one"))["latest"];
        var lines = result.Process.StandardOutput.Split('\n').Select(line => line.TrimEnd()).ToList();
        Assert.Contains(lines, line => line.Contains("Service -> 1.4.2 (Release)", StringComparison.Ordinal));
        Assert.Contains(lines, line => line.Contains($"image {digest} on ", StringComparison.Ordinal));
        Assert.Matches(@"^ *destination +tags +sent +mounted +skipped +time$", lines.Single(line => line.Contains("destination ", StringComparison.Ordinal)));
        foreach (var repository in new[] { "report/one", "report/two" })
        {
            Assert.Matches($@"^ *{Regex.Escape($"{fixture.Emulator.Host}/{repository}")} +v1\.4\.2 v1\.4 v1 latest +[\d.]+ k?B +[\d.]+ MB +[\d.]+ k?B +[\d.]+ s$", lines.Single(line => line.Contains(repository + " ", StringComparison.Ordinal)));
            Assert.Single(lines, line => line.Trim() == $"{fixture.Emulator.Host}/{repository}: anyone can read it");
        }

        var values = Outputs(outputs);
        Assert.Equal("1.4.2", values["version"]);
        Assert.Equal("v1.4.2 v1.4 v1 latest", values["tags"]);
        Assert.Equal(digest, values["digest"]);
        var images = JsonNode.Parse(values["images"])!.AsArray();
        Assert.Equal([$"{fixture.Emulator.Host}/report/one", $"{fixture.Emulator.Host}/report/two"], images.Select(image => image!["name"]!.GetValue<string>()));
        Assert.All(images, image => Assert.Equal(digest, image!["digest"]!.GetValue<string>()));
        Assert.All(images, image => Assert.Equal(["v1.4.2", "v1.4", "v1", "latest"], image!["tags"]!.AsArray().Select(tag => tag!.GetValue<string>())));
        var text = await File.ReadAllTextAsync(summary);
        Assert.Contains(digest, text, StringComparison.Ordinal);
        Assert.Contains("report/two", text, StringComparison.Ordinal);

        var receipt = service.Receipt;
        Assert.True(receipt["succeeded"]!.GetValue<bool>());
        Assert.Equal(("GitHub Actions", service.Commit, "release"), (receipt["ci"]!["service"]!.GetValue<string>(), receipt["commit"]!.GetValue<string>(), receipt["kind"]!.GetValue<string>()));
        Assert.Equal(digest, receipt["images"]![0]!["digest"]!.GetValue<string>());
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public async Task A_failing_publish_is_one_line_and_still_writes_receipt_and_outputs(bool preflight)
    {
        var service = await fixture.BuiltAsync();
        var github = GitHub(service, out var outputs, out var summary);

        // One registry that would take it, one where nobody listens.
        var result = await service.PublishAsync($"{fixture.Emulator.Host}/report/failing;127.0.0.1:1/report/failing", github, arguments: $"-p:RegistrySdkPreflight={preflight}");

        Assert.False(result.Succeeded);
        var error = Assert.Single(result.Errors);
        Assert.Equal("RSDK5001", error.Code);
        Assert.Single(result.Process.StandardOutput.Split('\n'), line => line.Contains("error RSDK5001:", StringComparison.Ordinal));
        Assert.DoesNotContain('\n', error.Text);
        Assert.Empty(await fixture.View.TagsAsync("report/failing"));
        Assert.DoesNotContain(fixture.Requests("report/failing"), IsWrite);

        var receipt = service.Receipt;
        Assert.False(receipt["succeeded"]!.GetValue<bool>());
        Assert.Equal("RSDK5001", Assert.Single(receipt["diagnostics"]!.AsArray())!["code"]!.GetValue<string>());
        // Checked before building there is no image yet.
        Assert.Equal(preflight ? 0 : 1, receipt["images"]!.AsArray().Count);
        var values = Outputs(outputs);
        Assert.Equal(("1.4.2", "", "[]"), (values["version"], values["digest"], values["images"]));
        Assert.Contains("RSDK5001", await File.ReadAllTextAsync(summary), StringComparison.Ordinal);
    }

    [Fact]
    public async Task PlanContainers_prints_the_plan_and_sends_nothing()
    {
        var service = await fixture.BuiltAsync();
        var before = fixture.Emulator.Requests.Count;

        var result = await service.PublishAsync($"{fixture.Emulator.Host}/report/plan", target: "PlanContainers");

        Assert.True(result.Succeeded, result.ToString());
        Assert.NotEmpty(fixture.Requests("report/plan"));
        Assert.DoesNotContain(fixture.Emulator.Requests.Skip(before), IsWrite);
        foreach (var tag in Projects.ReleaseTags)
        {
            Assert.Contains($"{fixture.Emulator.Host}/report/plan: {tag} create", result.Process.StandardOutput, StringComparison.Ordinal);
        }

        Assert.Contains("to send ", result.Process.StandardOutput, StringComparison.Ordinal);
        Assert.Contains("nothing was sent", result.Process.StandardOutput, StringComparison.Ordinal);
        Assert.True(service.Receipt["planOnly"]!.GetValue<bool>());
    }

    [Fact]
    public async Task The_terminal_logger_shows_the_result_too()
    {
        var service = await fixture.BuiltAsync();
        service.Workspace.Environment = service.Workspace.Environment.With("TERM", "xterm-256color").With("COLUMNS", "200");

        // script gives dotnet a terminal; only there the terminal logger is what it is.
        var command = $"dotnet publish {service.Project} --no-build -t:PublishContainer -p:Destinations={fixture.Emulator.Host}/report/terminal -nodeReuse:false -tl:on";
        var run = await ProcessRunner.RunAsync("script", ["-qec", command, "/dev/null"], service.Workspace.Root, service.Workspace.Environment);

        Assert.True(run.ExitCode == 0, run.ToString());
        var text = Escapes().Replace(run.StandardOutput, "");
        var digest = (await fixture.View.TagsAsync("report/terminal"))["latest"];
        Assert.Contains(digest, text, StringComparison.Ordinal);
        Assert.Contains("1.4.2 (Release)", text, StringComparison.Ordinal);
        Assert.Matches($@"{Regex.Escape($"{fixture.Emulator.Host}/report/terminal")} +v1\.4\.2 v1\.4 v1 latest", text);
    }

    [Fact]
    public async Task Tags_and_version_are_printed_without_network()
    {
        var service = await fixture.BuiltAsync();
        var before = fixture.Emulator.Requests.Count;
        service.Workspace.Environment = CleanEnvironment.Create();

        var result = await service.Workspace.MSBuildAsync(
            service.Project, "-t:ComputeContainerTags", "-getItem:ContainerImageTags", "-getProperty:ContainerVersion", $"-p:Destinations={fixture.Emulator.Host}/report/tags");

        Assert.True(result.Succeeded, result.ToString());
        var printed = JsonNode.Parse(result.Process.StandardOutput)!;
        Assert.Equal("1.4.2", printed["Properties"]!["ContainerVersion"]!.GetValue<string>());
        Assert.Equal(
            ["v1.4.2 false", "v1.4 true", "v1 true", "latest true"],
            printed["Items"]!["ContainerImageTags"]!.AsArray().Select(tag => $"{tag!["Identity"]} {tag["Floating"]}"));
        Assert.Equal(before, fixture.Emulator.Requests.Count);
    }

    private static bool IsWrite(Registry.Sdk.Emulator.RequestRecord request) => request.Method is "POST" or "PUT" or "PATCH" or "DELETE";

    private static Dictionary<string, string> GitHub(BuiltService service, out string outputs, out string summary)
    {
        outputs = service.Workspace.OutsidePath("github", Guid.NewGuid().ToString("N"));
        summary = outputs + ".md";
        File.WriteAllText(outputs, "earlier=1\n");
        File.WriteAllText(summary, "");
        return new(StringComparer.Ordinal)
        {
            ["GITHUB_ACTIONS"] = "true",
            ["CI"] = "true",
            ["GITHUB_EVENT_NAME"] = "push",
            ["GITHUB_REF"] = "refs/tags/v1.4.2",
            ["GITHUB_REF_NAME"] = "v1.4.2",
            ["GITHUB_REF_TYPE"] = "tag",
            ["GITHUB_SHA"] = service.Commit,
            ["GITHUB_REPOSITORY"] = "acme/service",
            ["GITHUB_SERVER_URL"] = "https://github.com",
            ["GITHUB_OUTPUT"] = outputs,
            ["GITHUB_STEP_SUMMARY"] = summary,
        };
    }

    /// <summary>Reads the file as the runner does: <c>name=value</c>, or <c>name&lt;&lt;delimiter</c> and lines up to it.</summary>
    private static Dictionary<string, string> Outputs(string file)
    {
        var values = new Dictionary<string, string>(StringComparer.Ordinal);
        var lines = new Queue<string>(File.ReadAllLines(file));
        while (lines.TryDequeue(out var line))
        {
            if (line.Split("<<", 2) is [var name, var delimiter])
            {
                var value = new List<string>();
                while (lines.Dequeue() is var next && next != delimiter)
                {
                    value.Add(next);
                }

                values.Add(name, string.Join('\n', value));
            }
            else
            {
                var pair = line.Split('=', 2);
                values.Add(pair[0], pair[1]);
            }
        }

        Assert.Equal("1", values["earlier"]);
        return values;
    }

    [GeneratedRegex(@"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07\x1b]*(\x07|\x1b\\))", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, matchTimeoutMilliseconds: 5000)]
    private static partial Regex Escapes();
}
