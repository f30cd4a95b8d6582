using System.Buffers;
using System.ComponentModel;
using System.Diagnostics;
using System.Text;
using System.Text.Json;

namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// Asks <c>docker-credential-*</c> programs. Source: docker-credential-helpers (verb <c>get</c>, the server on standard input, JSON or an error on
/// standard output). Nothing that a helper prints is ever repeated: it could be the secret.
/// </summary>
/// <param name="environment">What helpers are searched in (<c>PATH</c>) and started with, and no other.</param>
/// <param name="timeout">How long one may take.</param>
/// <param name="lifetime">Kills the helpers that still run.</param>
internal sealed class CredentialHelper(IReadOnlyDictionary<string, string> environment, TimeSpan timeout, CancellationToken lifetime)
{
    /// <summary>Long enough to fetch a token from a cloud or to confirm a prompt, short enough that a publish does not look dead.</summary>
    internal static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(15);

    // An answer is a few kilobytes at most.
    private const int LargestAnswer = 1 << 20;

    // What a helper leaves behind (an agent) may hold its output open long after it has ended.
    private static readonly TimeSpan AfterExit = TimeSpan.FromSeconds(1);

    private readonly Remembered<(string Helper, string Server), Credential?> _answers = new(lifetime);

    /// <summary>The credential that a helper has for a server; null if it says that it has none. A helper is run once per server.</summary>
    /// <param name="helper">The name behind <c>docker-credential-</c>.</param>
    /// <param name="server">What to ask for, spelled as the configuration has it: helpers compare text.</param>
    /// <param name="host">The host, for messages.</param>
    /// <param name="file">The file that names the helper, for messages.</param>
    /// <param name="cancellationToken">Ends the wait; the helper goes on for whoever asks next.</param>
    /// <exception cref="CredentialException">It can't be run, failed, hung, or answered something else than a credential.</exception>
    public Task<Credential?> GetAsync(string helper, string server, string host, string file, CancellationToken cancellationToken)
        => _answers.GetAsync((helper, server), token => AskAsync(helper, server, host, file, token), cancellationToken);

    private async Task<Credential?> AskAsync(string helper, string server, string host, string file, CancellationToken cancellationToken)
    {
        var program = "docker-credential-" + helper;
        if (helper.AsSpan().ContainsAnyExcept("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_."))
        {
            throw new CredentialException($"{file} names the credential helper '{PlainText.Of(helper)}', which is no program name. Correct credHelpers or credsStore there.", file);
        }

        var mend = $"or remove it from {file} and log in again (docker login {host})";
        var searchPath = environment.GetValueOrDefault("PATH");
        if (ProgramPath.Find(program, searchPath) is not { } path)
        {
            throw ProgramPath.FindNotExecutable(program, searchPath) is { } there
                ? new CredentialException($"{there}, named in {file}, is not executable. Make it executable (chmod +x), {mend}.", file)
                : new CredentialException($"{program}, named in {file}, is not on PATH. Install it, {mend}.", file);
        }

        cancellationToken.ThrowIfCancellationRequested();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(timeout);
        using var process = Start(path, file, mend);

        // At once, not when this method next runs: who ends the lifetime may end the process right after.
        using var killing = cancellationToken.Register(() => Kill(process));
        try
        {
            var errors = ReadAsync(process.StandardError.BaseStream, limit.Token);
            var output = ReadAsync(process.StandardOutput.BaseStream, limit.Token);
            await TellAsync(process, server, limit.Token).ConfigureAwait(false);

            // A helper that never ends of its own can still say too much.
            await Task.WhenAny(process.WaitForExitAsync(limit.Token), output.TooMuch, errors.TooMuch).WaitAsync(limit.Token).ConfigureAwait(false);
            if (!output.TooMuch.IsCompleted && !errors.TooMuch.IsCompleted)
            {
                await Task.WhenAny(Task.WhenAll(output.Ended, errors.Ended), Task.Delay(AfterExit, limit.Token)).ConfigureAwait(false);
            }

            // The token itself, not only its child: killing the process comes before the child hears of it, and the killed one is no failed one.
            cancellationToken.ThrowIfCancellationRequested();
            limit.Token.ThrowIfCancellationRequested();
            if (!process.HasExited)
            {
                throw new CredentialException($"{program} (named in {file}) printed more than {LargestAnswer >> 20} MiB and was stopped. Mend it, {mend}.", file);
            }

            var answer = output.Text();
            return process.ExitCode == 0
                ? Read(answer, program, host, file, mend)
                : OfFailure(answer.Length > 0 ? answer : errors.Text(), process.ExitCode, program, host, file, mend);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new CredentialException($"{program} (named in {file}) did not answer within {timeout.TotalSeconds:0.#} seconds and was stopped; it may wait for a prompt. Run it by hand (echo {server} | {program} get), {mend}.", file);
        }
        finally
        {
            Kill(process);
        }
    }

    private Process Start(string path, string file, string mend)
    {
        var start = new ProcessStartInfo(path, ["get"])
        {
            UseShellExecute = false,
            CreateNoWindow = true,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        };
        start.Environment.Clear();
        foreach (var (name, value) in environment)
        {
            start.Environment[name] = value;
        }

        try
        {
            return Process.Start(start)!;
        }
        catch (Win32Exception)
        {
            throw new CredentialException($"{path}, named in {file}, can't be run. Install it again, {mend}.", file);
        }
    }

    private static async Task TellAsync(Process process, string server, CancellationToken cancellationToken)
    {
        try
        {
            var input = process.StandardInput.BaseStream;
            await input.WriteAsync(Encoding.UTF8.GetBytes(server), cancellationToken).ConfigureAwait(false);
            await input.FlushAsync(cancellationToken).ConfigureAwait(false);
            process.StandardInput.Close();
        }
        catch (IOException)
        {
            // It ended, or closed its input, without reading. What it answers says the rest.
        }
    }

    // The two of docker's helper library and its like are the ways to say «nothing here»; podman's and docker's own callers compare the first.
    private static Credential? OfFailure(string said, int exitCode, string program, string host, string file, string mend)
    {
        if (said.Contains("credentials not found", StringComparison.OrdinalIgnoreCase))
        {
            return null;
        }

        var why = said.Contains("no credentials username", StringComparison.OrdinalIgnoreCase) ? $"has an entry without a user name for {host}"
            : said.Contains("no credentials server url", StringComparison.OrdinalIgnoreCase) ? $"did not take {host} for a server"
            : $"failed with exit code {exitCode}";
        throw new CredentialException($"{program} (named in {file}) {why}. Run it by hand to see why, {mend}.", file);
    }

    private static Credential? Read(string answer, string program, string host, string file, string mend)
    {
        string? user, secret;
        try
        {
            using var json = StrictJson.Document(FirstValue(Encoding.UTF8.GetBytes(answer)));
            if (json.RootElement.ValueKind != JsonValueKind.Object)
            {
                throw new JsonException();
            }

            user = Text(json.RootElement, "Username");
            secret = Text(json.RootElement, "Secret");
        }
        catch (JsonException)
        {
            throw new CredentialException($"{program} (named in {file}) {(string.IsNullOrWhiteSpace(answer) ? "answered nothing" : "did not answer with usable JSON")}. Run it by hand, {mend}.", file);
        }

        // «pass» answers an unknown server with empty texts and exit code 0.
        if (string.IsNullOrEmpty(secret))
        {
            return null;
        }

        return string.IsNullOrEmpty(user)
            ? throw new CredentialException($"{program} (named in {file}) has a secret without a user name for {host}. Log in again (docker login {host}).", file)
            : new(user, new(secret), $"{program} (named in {file})", user == "<token>" ? CredentialKind.IdentityToken : CredentialKind.Password);
    }

    /// <summary>The first JSON value of a text, as docker reads it: what follows may be what a child of the helper says, for it has the same output.</summary>
    private static byte[] FirstValue(byte[] text)
    {
        var reader = new Utf8JsonReader(text);
        return reader.Read() && reader.TrySkip() ? text[..(int)reader.BytesConsumed] : text;
    }

    private static string? Text(JsonElement element, string name)
        => StrictJson.Text(element, name) is { } text ? SecretShapes.WithoutLineEnd(text) : null;

    private static Reading ReadAsync(Stream stream, CancellationToken cancellationToken)
    {
        var reading = new Reading();
        reading.Ended = reading.RunAsync(stream, cancellationToken);
        return reading;
    }

    /// <summary>
    /// Kills a helper that still runs, with all that it started. What one that has ended left behind stays: its parent is gone, .NET can't name a process
    /// group without native calls, and the group is our own anyway. It may be an agent that is meant to stay; its output, which nobody reads, breaks.
    /// </summary>
    private static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (Exception e) when (e is InvalidOperationException or Win32Exception)
        {
            // It has ended by itself.
        }
    }

    /// <summary>One output of a helper, kept up to <see cref="LargestAnswer"/>; readable at any time, for its end may never come.</summary>
    private sealed class Reading
    {
        private readonly ArrayBufferWriter<byte> _kept = new();
        private readonly TaskCompletionSource _tooMuch = new(TaskCreationOptions.RunContinuationsAsynchronously);

        public Task Ended { get; set; } = Task.CompletedTask;

        public Task TooMuch => _tooMuch.Task;

        public string Text()
        {
            lock (_kept)
            {
                return Encoding.UTF8.GetString(_kept.WrittenSpan);
            }
        }

        public async Task RunAsync(Stream stream, CancellationToken cancellationToken)
        {
            var buffer = new byte[4096];
            try
            {
                while (await stream.ReadAsync(buffer, cancellationToken).ConfigureAwait(false) is > 0 and var count)
                {
                    lock (_kept)
                    {
                        _kept.Write(buffer.AsSpan(0, count));
                        if (_kept.WrittenCount > LargestAnswer)
                        {
                            _tooMuch.TrySetResult();
                            return;
                        }
                    }
                }
            }
            catch (Exception e) when (e is IOException or OperationCanceledException or ObjectDisposedException)
            {
                // The helper was stopped, or it ended and nobody waits any longer.
            }
        }
    }
}
