using System.Collections;
using System.ComponentModel;
using System.Diagnostics;
using System.Runtime.CompilerServices;
using System.Text;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Facts;

/// <summary>Runs the <c>git</c> found on <c>PATH</c>.</summary>
public sealed class GitCommandLine : IGit
{
    // Set by git for its hooks and aliases, or by habit; each would point us at another repository than the one the project lies in.
    // (`git rev-parse --local-env-vars`, without GIT_CONFIG_PARAMETERS and GIT_CONFIG_COUNT: with those CI images set safe.directory.)
    private static readonly string[] Removed =
    [
        "GIT_DIR", "GIT_WORK_TREE", "GIT_IMPLICIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_COMMON_DIR", "GIT_NAMESPACE", "GIT_CONFIG",
        "GIT_OBJECT_DIRECTORY", "GIT_ALTERNATE_OBJECT_DIRECTORIES", "GIT_QUARANTINE_PATH", "GIT_GRAFT_FILE", "GIT_SHALLOW_FILE",
        "GIT_REPLACE_REF_BASE", "GIT_INTERNAL_SUPER_PREFIX", "GIT_ATTR_SOURCE",
        "GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS",
    ];

    private static readonly (string Name, string Value)[] Set =
    [
        ("LC_ALL", "C"), // we read git's messages
        ("GIT_OPTIONAL_LOCKS", "0"), // `git status` must not disturb the user's own git, nor write into a read-only checkout
        ("GIT_TERMINAL_PROMPT", "0"),
        ("GIT_ALLOW_PROTOCOL", "none"), // a partial clone would fetch a commit it lacks: facts open no socket
        ("GIT_NO_REPLACE_OBJECTS", "1"), // the version is a function of the commit, not of local replacements
    ];

    // Generous: no command here takes seconds. But git opens what lies in the tree, and a named pipe called .gitignore holds it for ever.
    private static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(60);

    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false);

    private readonly Dictionary<string, string> _environment;
    private readonly string? _program;
    private readonly TimeSpan _timeout;

    /// <summary>Makes one.</summary>
    /// <param name="environment">The environment git gets and whose <c>PATH</c> is searched; null: this process's.</param>
    public GitCommandLine(IReadOnlyDictionary<string, string>? environment = null)
        : this(environment, DefaultTimeout)
    {
    }

    /// <summary>Makes one with another time-out, for tests.</summary>
    internal GitCommandLine(IReadOnlyDictionary<string, string>? environment, TimeSpan timeout)
    {
        _timeout = timeout;
        _environment = new Dictionary<string, string>(OperatingSystem.IsWindows() ? StringComparer.OrdinalIgnoreCase : StringComparer.Ordinal);
        foreach (var (name, value) in environment ?? ProcessEnvironment())
        {
            _environment[name] = value;
        }

        foreach (var name in Removed)
        {
            _environment.Remove(name);
        }

        foreach (var (name, value) in Set)
        {
            _environment[name] = value;
        }

        _program = ProgramPath.Find("git", _environment.GetValueOrDefault("PATH"));
    }

    /// <inheritdoc/>
    public async Task<GitResult?> RunAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken)
    {
        if (_program is null)
        {
            return null;
        }

        cancellationToken.ThrowIfCancellationRequested();
        if (!Directory.Exists(workingDirectory))
        {
            return new GitResult(128, "", $"the folder {workingDirectory} does not exist");
        }

        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var process = Start(_program, workingDirectory, arguments);
        limit.CancelAfter(_timeout);
        try
        {
            // WaitAsync, for a read of a pipe that a stray descendant holds open need not heed its token.
            var error = process.StandardError.ReadToEndAsync(limit.Token);
            var output = await process.StandardOutput.ReadToEndAsync(limit.Token).WaitAsync(limit.Token).ConfigureAwait(false);
            await process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
            return new GitResult(process.ExitCode, output, await error.WaitAsync(limit.Token).ConfigureAwait(false));
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw TimedOut(arguments);
        }
        finally
        {
            Kill(process);
        }
    }

    /// <inheritdoc/>
    public async IAsyncEnumerable<string> ReadLinesAsync(
        string workingDirectory, IReadOnlyList<string> arguments, [EnumeratorCancellation] CancellationToken cancellationToken)
    {
        if (_program is null)
        {
            throw new GitException("git was not found");
        }

        cancellationToken.ThrowIfCancellationRequested();
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        using var process = Start(_program, workingDirectory, arguments);
        try
        {
            var error = process.StandardError.ReadToEndAsync(limit.Token);
            while (await NextAsync().ConfigureAwait(false) is { } line)
            {
                yield return line;
            }

            if (await EndAsync().ConfigureAwait(false) != 0)
            {
                throw new GitException($"git {string.Join(' ', arguments)}: {OneLine(await error.ConfigureAwait(false))}");
            }

            async Task<int> EndAsync()
            {
                try
                {
                    await process.WaitForExitAsync(limit.Token).ConfigureAwait(false);
                    await error.WaitAsync(limit.Token).ConfigureAwait(false);
                    return process.ExitCode;
                }
                catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
                {
                    throw TimedOut(arguments);
                }
            }
        }
        finally
        {
            Kill(process);
        }

        // The time-out is between two lines: a long history may take what it takes.
        async Task<string?> NextAsync()
        {
            limit.CancelAfter(_timeout);
            try
            {
                return await process.StandardOutput.ReadLineAsync(limit.Token).AsTask().WaitAsync(limit.Token).ConfigureAwait(false);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw TimedOut(arguments);
            }
        }
    }

    /// <summary>git's words on one line, without its <c>fatal:</c>.</summary>
    internal static string OneLine(string error)
    {
        var lines = error.Split(['\r', '\n'], StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries);
        return string.Join("; ", lines.Select(l => l.StartsWith("fatal: ", StringComparison.Ordinal) ? l["fatal: ".Length..] : l));
    }

    private GitException TimedOut(IReadOnlyList<string> arguments)
        => new($"git {string.Join(' ', arguments)}: no end within {_timeout.TotalSeconds:0} seconds, so it was stopped; a named pipe where git expects a file (.gitignore, .gitattributes) does that");

    private Process Start(string program, string workingDirectory, IReadOnlyList<string> arguments)
    {
        var start = new ProcessStartInfo(program)
        {
            WorkingDirectory = workingDirectory,
            UseShellExecute = false,
            CreateNoWindow = true,
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            StandardOutputEncoding = Utf8,
            StandardErrorEncoding = Utf8,
        };

        // fsmonitor would start a daemon that outlives git and holds our pipe; quotepath would escape every non-ASCII name.
        foreach (var argument in (string[])["--no-pager", "-c", "core.fsmonitor=false", "-c", "core.quotepath=false", .. arguments])
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment.Clear();
        foreach (var (name, value) in _environment)
        {
            start.Environment[name] = value;
        }

        Process process;
        try
        {
            process = Process.Start(start)!;
        }
        catch (Win32Exception e)
        {
            throw new GitException($"{program} can't be started in {workingDirectory}: {e.Message}");
        }

        process.StandardInput.Close();
        return process;
    }

    private static void Kill(Process process)
    {
        try
        {
            process.Kill(entireProcessTree: true);
        }
        catch (InvalidOperationException)
        {
            // It has ended by itself.
        }
        catch (Win32Exception)
        {
            // It is ending.
        }
    }

    // Not left to Process.Start: that looks into the current folder first, which may hold anything, and at our PATH, not at the given one.
    private static IEnumerable<KeyValuePair<string, string>> ProcessEnvironment()
        => Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().Select(e => KeyValuePair.Create((string)e.Key, (string?)e.Value ?? ""));
}
