using System.Net;
using System.Net.Http.Headers;
using System.Text.Json;
using System.Text.Json.Nodes;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Emulator;

/// <summary>An emulator with a personality, and the requests of a client that knows token services.</summary>
public abstract class PersonalityTest : EmulatorTest
{
    protected static AuthenticationHeaderValue Bearer(string token) => new("Bearer", token);

    /// <summary>Asks the token service; the user name is any that is not empty unless given as <c>user:secret</c>.</summary>
    protected Task<HttpResponseMessage> AskTokenAsync(string? credentials, params string[] scopes)
    {
        var parts = credentials?.Split(':', 2);
        return SendAsync(
            "GET",
            "/token?service=x" + string.Concat(scopes.Select(scope => "&scope=repository:" + scope)),
            credentials: parts is null ? null : Basic(parts[0], parts[1]));
    }

    /// <summary>A token, which must be given.</summary>
    protected async Task<AuthenticationHeaderValue> TokenAsync(string? credentials, params string[] scopes)
    {
        var answer = await AskTokenAsync(credentials, scopes);
        var json = await JsonAsync(answer);
        Assert.True(answer.StatusCode == HttpStatusCode.OK, json.ToString());
        return Bearer(json.GetProperty("token").GetString()!);
    }

    protected static async Task<JsonElement> JsonAsync(HttpResponseMessage answer)
    {
        using var document = JsonDocument.Parse(await answer.Content.ReadAsStringAsync());
        return document.RootElement.Clone();
    }

    /// <summary>Pushes a tiny image as a client would; the first answer that refuses, or the last.</summary>
    protected async Task<HttpResponseMessage> PushAsync(string? credentials, string repository, string tag = "v1", string layer = "a layer", string? source = null)
    {
        var token = await AskTokenAsync(credentials, repository + ":pull,push");
        if (!token.IsSuccessStatusCode)
        {
            return token;
        }

        var bearer = Bearer((await JsonAsync(token)).GetProperty("token").GetString()!);
        var labels = source is null ? new JsonObject() : new JsonObject { ["org.opencontainers.image.source"] = source };
        var config = Bytes(new JsonObject { ["config"] = new JsonObject { ["Labels"] = labels } }.ToJsonString());
        foreach (var blob in new[] { config, Bytes(layer) })
        {
            var session = await SendAsync("POST", $"/v2/{repository}/blobs/uploads/", credentials: bearer);
            if (session.StatusCode != HttpStatusCode.Accepted)
            {
                return session;
            }

            var location = Location(session);
            var answer = await SendAsync("PUT", location + (location.Contains('?') ? "&" : "?") + "digest=" + DigestOf(blob), blob, credentials: bearer);
            if (answer.StatusCode != HttpStatusCode.Created)
            {
                return answer;
            }
        }

        return await SendAsync("PUT", $"/v2/{repository}/manifests/{tag}", Manifest(config, Bytes(layer)), OciManifest, credentials: bearer);
    }

    protected async Task PushOkAsync(string? credentials, string repository, string tag = "v1", string layer = "a layer", string? source = null)
    {
        var answer = await PushAsync(credentials, repository, tag, layer, source);
        Assert.True(answer.StatusCode == HttpStatusCode.Created, $"{(int)answer.StatusCode} {await answer.Content.ReadAsStringAsync()}");
    }

    protected static async Task AssertRefusedAsync(HttpResponseMessage answer, HttpStatusCode status, string code, string message)
    {
        var body = await answer.Content.ReadAsStringAsync();
        Assert.True(answer.StatusCode == status, $"{(int)answer.StatusCode} {body}");
        using var json = JsonDocument.Parse(body);
        var error = Assert.Single(json.RootElement.GetProperty("errors").EnumerateArray());
        Assert.Equal((code, message), (error.GetProperty("code").GetString(), error.GetProperty("message").GetString()));
    }

    protected virtual Task<HttpResponseMessage> ApiAsync(string method, string path, string? bearer = null, JsonObject? body = null, bool userAgent = true)
    {
        var request = new HttpRequestMessage(new HttpMethod(method), Emulator.Api + path);
        if (userAgent)
        {
            request.Headers.UserAgent.ParseAdd("test");
        }

        if (bearer is not null)
        {
            request.Headers.Authorization = Bearer(bearer);
        }

        if (body is not null)
        {
            request.Content = new ByteArrayContent(Bytes(body.ToJsonString())) { Headers = { ContentType = new("application/json") } };
        }

        return Client.SendAsync(request);
    }
}
