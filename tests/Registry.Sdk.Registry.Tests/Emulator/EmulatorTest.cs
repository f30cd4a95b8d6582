using System.Net;
using System.Net.Http.Headers;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using Registry.Sdk.Emulator;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Emulator;

/// <summary>A server on a fresh state directory, and the few requests most tests are made of.</summary>
public abstract class EmulatorTest : IAsyncLifetime
{
    protected const string OciManifest = "application/vnd.oci.image.manifest.v1+json";
    protected const string OciIndex = "application/vnd.oci.image.index.v1+json";
    protected const string OciConfig = "application/vnd.oci.image.config.v1+json";

    protected string Scratch { get; } = Directory.CreateTempSubdirectory("emu-test-").FullName;

    protected string State => Path.Combine(Scratch, "state");

    protected EmulatorServer Emulator { get; private set; } = null!;

    protected HttpClient Client { get; private set; } = null!;

    /// <summary>How the server of a test starts.</summary>
    protected virtual EmulatorOptions Options => new() { StateDirectory = State };

    public Task InitializeAsync() => StartAsync(Options);

    public virtual async Task DisposeAsync()
    {
        await StopAsync();
        Directory.Delete(Scratch, recursive: true);
    }

    protected async Task RestartAsync(EmulatorOptions options)
    {
        await StopAsync();
        await StartAsync(options);
    }

    protected async Task StopAsync()
    {
        Client.Dispose();
        await Emulator.DisposeAsync();
    }

    protected static string DigestOf(byte[] content) => "sha256:" + Convert.ToHexStringLower(SHA256.HashData(content));

    protected static byte[] Bytes(string text) => Encoding.UTF8.GetBytes(text);

    protected static AuthenticationHeaderValue Basic(string user, string password) => new("Basic", Convert.ToBase64String(Bytes($"{user}:{password}")));

    protected Task<HttpResponseMessage> SendAsync(
        string method, string url, byte[]? body = null, string? contentType = null, string? contentRange = null, AuthenticationHeaderValue? credentials = null)
    {
        var request = new HttpRequestMessage(new HttpMethod(method), new Uri(url, UriKind.RelativeOrAbsolute));
        request.Headers.Authorization = credentials;
        if (body is not null || method is "POST" or "PUT" or "PATCH")
        {
            request.Content = new ByteArrayContent(body ?? []);
            if (contentType is not null)
            {
                request.Content.Headers.TryAddWithoutValidation("Content-Type", contentType);
            }

            if (contentRange is not null)
            {
                request.Content.Headers.TryAddWithoutValidation("Content-Range", contentRange);
            }
        }

        return Client.SendAsync(request);
    }

    protected async Task<string> PushBlobAsync(string repository, byte[] content)
    {
        var answer = await SendAsync("POST", $"/v2/{repository}/blobs/uploads/?digest={DigestOf(content)}", content);
        Assert.Equal(HttpStatusCode.Created, answer.StatusCode);
        return DigestOf(content);
    }

    protected async Task<string> StartUploadAsync(string repository)
    {
        var answer = await SendAsync("POST", $"/v2/{repository}/blobs/uploads/");
        Assert.Equal(HttpStatusCode.Accepted, answer.StatusCode);
        return Location(answer);
    }

    /// <summary>Pushes config and layer, and gives the manifest that names them.</summary>
    protected async Task<byte[]> PushPartsAsync(string repository, string layer = "a layer", Action<JsonObject>? change = null)
    {
        var config = Bytes("{}");
        await PushBlobAsync(repository, config);
        await PushBlobAsync(repository, Bytes(layer));
        return Manifest(config, Bytes(layer), change);
    }

    protected static byte[] Manifest(byte[] config, byte[] layer, Action<JsonObject>? change = null)
    {
        var manifest = new JsonObject
        {
            ["schemaVersion"] = 2,
            ["mediaType"] = OciManifest,
            ["config"] = Descriptor(OciConfig, config),
            ["layers"] = new JsonArray(Descriptor("application/vnd.oci.image.layer.v1.tar+gzip", layer)),
        };
        change?.Invoke(manifest);
        return Bytes(manifest.ToJsonString());
    }

    protected static JsonObject Descriptor(string mediaType, byte[] content) =>
        new() { ["mediaType"] = mediaType, ["digest"] = DigestOf(content), ["size"] = content.Length };

    protected static byte[] Index(params byte[][] children) => Bytes(new JsonObject
    {
        ["schemaVersion"] = 2,
        ["mediaType"] = OciIndex,
        ["manifests"] = new JsonArray([.. children.Select(child => (JsonNode)Descriptor(OciManifest, child))]),
    }.ToJsonString());

    protected Task<HttpResponseMessage> PutManifestAsync(string repository, string reference, byte[] manifest, string contentType = OciManifest) =>
        SendAsync("PUT", $"/v2/{repository}/manifests/{reference}", manifest, contentType);

    protected async Task<byte[]> PushImageAsync(string repository, string tag, string layer = "a layer")
    {
        var manifest = await PushPartsAsync(repository, layer);
        Assert.Equal(HttpStatusCode.Created, (await PutManifestAsync(repository, tag, manifest)).StatusCode);
        return manifest;
    }

    protected static string Header(HttpResponseMessage answer, string name) =>
        answer.Headers.NonValidated.TryGetValues(name, out var values) || answer.Content.Headers.NonValidated.TryGetValues(name, out values)
            ? values.ToString()
            : "";

    protected static string Location(HttpResponseMessage answer) => Header(answer, "Location");

    protected static async Task AssertErrorAsync(HttpResponseMessage answer, HttpStatusCode status, string code)
    {
        var body = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == status, $"{(int)answer.StatusCode} {body}");
        Assert.Equal("application/json", answer.Content.Headers.ContentType?.MediaType);
        using var json = JsonDocument.Parse(body);
        var error = Assert.Single(json.RootElement.GetProperty("errors").EnumerateArray());
        Assert.Equal(code, error.GetProperty("code").GetString());
        Assert.False(string.IsNullOrEmpty(error.GetProperty("message").GetString()));
    }

    private async Task StartAsync(EmulatorOptions options)
    {
        Emulator = await EmulatorServer.StartAsync(options);
        Client = new HttpClient(new SocketsHttpHandler { AllowAutoRedirect = false }) { BaseAddress = Emulator.BaseAddress };
    }
}
