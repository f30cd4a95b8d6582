using System.Text;

namespace Registry.Sdk.Emulator;

/// <summary>What happens to every request: recorded, perhaps answered by the test, else by the personality or the registry.</summary>
internal sealed class RequestPipeline(EmulatorOptions options, RequestLog log, IPersonality personality, RegistryEndpoints endpoints)
{
    public async Task AnswerAsync(HttpContext context)
    {
        var entry = log.Begin(context);
        try
        {
            WarnOfRealSecrets(context, entry);
            if (options.Intercept is { } intercept && await intercept(context))
            {
                return;
            }

            if (!await personality.TryAnswerAsync(context))
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

    private void WarnOfRealSecrets(HttpContext context, RequestLog.Entry entry)
    {
        if (Credentials.FromHeader(context.Request.Headers.Authorization) is { } credentials && Credentials.LooksReal(credentials.Secret))
        {
            Warn($"request {entry.Index} presented what looks like a real secret; the emulator needs none, and its value was not recorded");
        }
    }

    private void Warn(string text)
    {
        log.WriteLine("warning: " + text.ReplaceLineEndings(" | "));
        options.OnWarning?.Invoke(text);
    }
}
