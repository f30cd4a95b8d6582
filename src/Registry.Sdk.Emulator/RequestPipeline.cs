using System.Text.Json;
using System.Text.Json.Serialization;

namespace Registry.Sdk.Emulator;

/// <summary>What happens to every request: recorded, perhaps answered by the test, else by the personality or the registry.</summary>
internal sealed class RequestPipeline(
    EmulatorOptions options, RequestLog log, Personality personality, RegistryEndpoints endpoints, RegistryEndpoints administration, BlobOrigin blobs)
{
    /// <summary>Header whose value opens every door, for <see cref="EmulatorServer.CreateAdministrator"/>.</summary>
    public const string AdministratorHeader = "X-Emulator-Administrator";

    private static readonly JsonSerializerOptions ClickJson = new(JsonSerializerDefaults.Web) { Converters = { new JsonStringEnumConverter() }, UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow };

    private readonly SecretFinder _secrets = new(options, personality);

    /// <summary>Known to this process alone.</summary>
    public string AdministratorKey { get; } = Guid.NewGuid().ToString("N");

    public async Task AnswerAsync(HttpContext context)
    {
        if (context.Request.Headers[AdministratorHeader] == AdministratorKey)
        {
            await AdministrateAsync(context);
            return;
        }

        var entry = log.Begin(context);
        try
        {
            (entry.Secrets, var looksReal) = await _secrets.FindAsync(context);
            if (looksReal)
            {
                Warn($"request {entry.Index} presented what looks like a real secret; the emulator needs none, and its value was not recorded");
            }

            if (context.Request.Headers.Authorization is { Count: > 0 } authorization)
            {
                entry.Account = personality.IdentifyAccount(authorization.ToString()) ?? "unknown";
            }

            if (options.Intercept is { } intercept && await intercept(context))
            {
                return;
            }

            if (options.Faults is { } faults && await faults.InterceptAsync(context))
            {
                return;
            }

            if (context.Connection.LocalPort == blobs.Address?.Port)
            {
                await blobs.AnswerAsync(context);
            }
            else if (context.Request.Path == "/_control/click")
            {
                await ClickAsync(context);
            }
            else if (!await personality.TryAnswerAsync(context))
            {
                await endpoints.AnswerAsync(context);
            }
        }
        catch (RegistryException refused)
        {
            await RegistryException.WriteAsync(context, refused.Status, refused.Code, refused.Message);
        }
        catch (Exception) when (context.RequestAborted.IsCancellationRequested)
        {
            // The client went away; nobody is left to tell.
        }
        catch (BadHttpRequestException exception)
        {
            // A body that breaks off or is not HTTP. Kestrel closes the connection behind the answer.
            if (!context.Response.HasStarted)
            {
                await RegistryException.WriteAsync(context, exception.StatusCode, ErrorCode.BlobUploadInvalid, exception.Message);
            }
        }
        catch (Exception exception)
        {
            // A bug of ours, or of the test's Intercept: it must not look like a registry's answer.
            Warn($"request {entry.Index} failed inside the emulator: {exception}");
            if (context.Response.HasStarted)
            {
                context.Abort();
                return;
            }

            context.Response.Clear();
            await RegistryException.WriteAsync(context, StatusCodes.Status500InternalServerError, "UNKNOWN", "the emulator failed: " + exception.Message);
        }
        finally
        {
            log.End(entry, context);
        }
    }

    // The test's own hand in the store: no rights, no quirks, no record.
    private async Task AdministrateAsync(HttpContext context)
    {
        try
        {
            await administration.AnswerAsync(context);
        }
        catch (RegistryException refused)
        {
            await RegistryException.WriteAsync(context, refused.Status, refused.Code, refused.Message);
        }
    }

    private async Task ClickAsync(HttpContext context)
    {
        try
        {
            personality.Click((await JsonSerializer.DeserializeAsync<SettingsClick>(context.Request.Body, ClickJson, context.RequestAborted))!);
            context.Response.StatusCode = StatusCodes.Status204NoContent;
        }
        catch (Exception exception) when (exception is InvalidOperationException or JsonException)
        {
            await ApiAnswer.WriteAsync(context, StatusCodes.Status409Conflict, new { message = exception.Message });
        }
    }

    private void Warn(string text)
    {
        log.WriteLine("warning: " + text.ReplaceLineEndings(" | "));
        options.OnWarning?.Invoke(text);
    }
}
