using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.Build.Logging.StructuredLogger;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;
using Task = System.Threading.Tasks.Task;

namespace Registry.Sdk.Package.Tests;

/// <summary>A secret from any source opens the registry, and is found nowhere afterwards.</summary>
[Collection(PackageTests.Name)]
public sealed class SecretTests(PackageFixture fixture, SecretTests.ClosedEmulator closed) : IClassFixture<SecretTests.ClosedEmulator>
{
    [Theory]
    [InlineData("RegistrySdkCredential", "item.example/team/sentinel-item", "item-user")]
    [InlineData("DOCKERHUB_TOKEN", "docker.io/team/sentinel-hub", "hub-user")]
    [InlineData("CR_PAT", "ghcr.io/pat-owner/sentinel", "pat-owner")]
    [InlineData("GITHUB_TOKEN", "ghcr.io/token-owner/sentinel", "token-owner")]
    [InlineData("docker config", "config.example/team/sentinel-config", "config-user")]
    [InlineData("credential helper", "helper.example/team/sentinel-helper", "helper-user")]
    // What is refused is talked about, so it is looked for as well.
    [InlineData("CR_PAT", "ghcr.io/stranger/sentinel", "stranger", false)]
    public async Task A_secret_opens_the_registry_and_is_found_nowhere(string source, string destination, string user, bool known = true)
    {
        var before = closed.Server.Requests.Count;

        var (result, places, secret) = await PublishAsync(source, destination, user, known);

        Assert.Equal(known, result.Succeeded);
        var requests = closed.Server.Requests.Skip(before).ToList();
        Assert.Contains(requests, request => request.HasAuthorization);
        Assert.Equal(known, requests.Exists(request => request is { Method: "PUT", Status: 201 }));
        Assert.Equal(known ? [] : ["RSDK5003"], result.Codes());
        Assert.Empty(Holding(places, secret, user));
    }

    /// <summary>
    /// MSBuild itself writes every variable that begins with DOTNET_ into each binlog, and at -v:diag onto the console, whoever reads it: no task
    /// can keep it out. So here it is proved that its two lists, which are there without us too, are the only places.
    /// </summary>
    [Fact]
    public async Task The_SDKs_own_variable_is_found_in_MSBuilds_list_of_variables_only()
    {
        const string Name = "DOTNET_CONTAINER_REGISTRY_PWORD";
        const string Destination = "shared.example/team/sentinel-shared";
        var (result, places, secret) = await PublishAsync(Name, Destination, "shared-user", known: true);

        Assert.True(result.Succeeded, result.ToString());
        Assert.Equal(["binlog", "console"], Holding(places, secret, "shared-user").Order(StringComparer.Ordinal));
        Assert.Equal([$"{Name} = {secret}"], result.Output.Split('\n').Where(line => line.Contains(secret, StringComparison.Ordinal)).Select(line => line.Trim()).Distinct(StringComparer.Ordinal));
        var found = new List<string>();
        result.Binlog.VisitAllChildren<BaseNode>(node =>
        {
            if (node.ToString()?.Contains(secret, StringComparison.Ordinal) == true)
            {
                found.Add($"{(node as TreeNode)?.Parent?.ToString() ?? node.Parent?.ToString()}: {node}");
            }
        });
        Assert.Equal([$"Environment: {Name} = {secret}", $"Properties: {Name} = {secret}"], found.Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
    }

    private async Task<(DotnetResult Result, IReadOnlyList<Place> Places, string Secret)> PublishAsync(string source, string destination, string user, bool known)
    {
        var service = await fixture.BuiltAsync();
        var secret = "sentinel" + Guid.NewGuid().ToString("N");
        if (known)
        {
            closed.Users[user] = secret;
        }

        var environment = Provide(source, destination, user, secret, service.Workspace.OutsidePath("secrets", Guid.NewGuid().ToString("N")));
        closed.WriteEndpoints(service);
        try
        {
            // Everything that can be said is said.
            var result = await service.PublishAsync(destination, environment, arguments: "-v:diag");
            return (result, Places(service, result), secret);
        }
        finally
        {
            fixture.WriteEndpoint(Path.GetDirectoryName(service.Workspace.Root)!);
        }
    }

    /// <summary>The places that hold the secret, as it is or encoded.</summary>
    private static IReadOnlyList<string> Holding(IReadOnlyList<Place> places, string secret, string user)
    {
        // Each of these is one where text of this publish really ends up; looking into an empty one would find nothing either.
        Assert.All(places.Where(place => place.Said), place => Assert.True(place.Contains("sentinel"), place.Name));
        Assert.True(places.Count > 20);
        // Without its last characters, which depend on what follows.
        var forms = new[] { secret, Base64(secret), Base64($"{user}:{secret}"), Base64(":" + secret) }.Select(form => form.TrimEnd('=')[..^2]).ToList();
        return [.. places.Where(place => forms.Exists(place.Contains)).Select(place => place.Name)];
    }

    private static List<KeyValuePair<string, string>> Provide(string source, string destination, string user, string secret, string folder)
    {
        var host = destination[..destination.IndexOf('/', StringComparison.Ordinal)];
        var config = new JsonObject();
        Directory.CreateDirectory(folder);
        List<KeyValuePair<string, string>> environment = [new("DOCKER_CONFIG", folder)];
        switch (source)
        {
            case "RegistrySdkCredential":
                environment.AddRange([new("ITEM_USER", user), new("ITEM_PASSWORD", secret)]);
                break;
            case "DOCKERHUB_TOKEN":
                environment.AddRange([new("DOCKERHUB_USERNAME", user), new("DOCKERHUB_TOKEN", secret)]);
                break;
            case "DOTNET_CONTAINER_REGISTRY_PWORD":
                environment.AddRange([new("DOTNET_CONTAINER_REGISTRY_UNAME", user), new("DOTNET_CONTAINER_REGISTRY_PWORD", secret)]);
                break;
            case "docker config":
                config["auths"] = new JsonObject { [host] = new JsonObject { ["auth"] = Base64($"{user}:{secret}") } };
                break;
            case "credential helper":
                config["credHelpers"] = new JsonObject { [host] = "sentinel" };
                var helper = Path.Combine(folder, "docker-credential-sentinel");
                File.WriteAllText(helper, $$"""
                    #!/bin/sh
                    read -r host
                    printf '{"ServerURL":"%s","Username":"{{user}}","Secret":"{{secret}}"}' "$host"
                    """);
                File.SetUnixFileMode(helper, UnixFileMode.UserRead | UnixFileMode.UserExecute);
                environment.Add(new("PATH", $"{folder}:{CleanEnvironment.Create().Variables["PATH"]}"));
                break;
            default:
                environment.Add(new(source, secret));
                break;
        }

        File.WriteAllText(Path.Combine(folder, "config.json"), config.ToJsonString());
        return environment;
    }

    /// <summary>Everything that this publish has left: decompressed where it is compressed.</summary>
    private List<Place> Places(BuiltService service, DotnetResult result)
    {
        // The receipt and the layout are files of the project; the layers in the layout are gzip.
        var places = Directory.EnumerateFiles(service.Workspace.Root, "*", SearchOption.AllDirectories)
            .Select(file => new Place(Path.GetRelativePath(service.Workspace.Root, file), Decompressed(File.ReadAllBytes(file)), Said: Path.GetFileName(file) == "receipt.json")).ToList();
        Assert.Contains(places, place => place.Name.Contains("container/layout/blobs", StringComparison.Ordinal));
        places.Add(new("console", Encoding.UTF8.GetBytes(result.Output), Said: true));
        places.Add(new("binlog", Decompressed(File.ReadAllBytes(result.BinlogPath)), Said: true));
        places.Add(new("emulator log", closed.ReadLog(), Said: true));
        return places;
    }

    private static byte[] Decompressed(byte[] content)
    {
        if (content is not [0x1f, 0x8b, ..])
        {
            return content;
        }

        using var output = new MemoryStream();
        using var gzip = new GZipStream(new MemoryStream(content), CompressionMode.Decompress);
        gzip.CopyTo(output);
        return output.ToArray();
    }

    private static string Base64(string text) => Convert.ToBase64String(Encoding.UTF8.GetBytes(text));

    /// <summary>Bytes to look into, and whether they are sure to talk about the publish.</summary>
    private sealed record Place(string Name, byte[] Content, bool Said)
    {
        public bool Contains(string text) =>
            Content.AsSpan().IndexOf(Encoding.UTF8.GetBytes(text)) >= 0 || Content.AsSpan().IndexOf(Encoding.Unicode.GetBytes(text)) >= 0;
    }

    /// <summary>An emulator that everybody may read and nobody may write without a password; the base images are in it too.</summary>
    public sealed class ClosedEmulator(PackageFixture fixture) : IAsyncLifetime
    {
        private readonly TempDirectory directory = new("closed");

        public IDictionary<string, EmulatorUser> Users { get; } = new Dictionary<string, EmulatorUser>(StringComparer.Ordinal) { ["somebody"] = "else" };

        public EmulatorServer Server { get; private set; } = null!;

        /// <summary>Maps all hosts that the rows name; a loopback endpoint gets the secrets of the host it stands for.</summary>
        public void WriteEndpoints(BuiltService service) => PackageFixture.WriteEndpoints(
            Path.GetDirectoryName(service.Workspace.Root)!,
            [.. new[] { "mcr.microsoft.com", "item.example", "docker.io", "ghcr.io", "shared.example", "config.example", "helper.example" }.Select(host => (host, $"http://{Server.Host}"))]);

        public byte[] ReadLog()
        {
            using var stream = new FileStream(directory.File("log"), FileMode.Open, FileAccess.Read, FileShare.ReadWrite);
            using var content = new MemoryStream();
            stream.CopyTo(content);
            return content.ToArray();
        }

        public async Task InitializeAsync()
        {
            fixture.CopyBaseImages(directory.Folder("state"));
            Server = await EmulatorServer.StartAsync(new() { StateDirectory = directory.Folder("state"), Users = Users, AnonymousPull = true, LogFile = directory.File("log") });
        }

        public async Task DisposeAsync()
        {
            await Server.DisposeAsync();
            await directory.DisposeAsync();
        }
    }
}
