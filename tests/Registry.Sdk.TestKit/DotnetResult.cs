using Microsoft.Build.Logging.StructuredLogger;

namespace Registry.Sdk.TestKit;

/// <summary>An error or warning as MSBuild logged it.</summary>
public sealed record LoggedDiagnostic(string? Code, string Text, string? File, int Line, int Column, string? Project);

/// <summary>What a run of <c>dotnet</c> did, told by its binlog and not by its console text.</summary>
public sealed class DotnetResult
{
    private readonly Lazy<Build> build;

    internal DotnetResult(ProcessResult process, string binlogPath)
    {
        Process = process;
        BinlogPath = binlogPath;
        // Without a binlog dotnet itself failed, and what it printed is the only reason there is.
        build = new Lazy<Build>(() => System.IO.File.Exists(binlogPath) ? BinaryLog.ReadBuild(binlogPath) : throw new ProcessFailedException(process));
    }

    /// <summary>Exit code and console text.</summary>
    public ProcessResult Process { get; }

    /// <summary>Where the binlog is.</summary>
    public string BinlogPath { get; }

    /// <summary>Whether the command succeeded.</summary>
    public bool Succeeded => Process is { ExitCode: 0, TimedOut: false };

    /// <summary>The console text.</summary>
    public string Output => Process.Output;

    /// <summary>The whole binlog, for what the shortcuts below do not show.</summary>
    public Build Binlog => build.Value;

    /// <summary>Every error, restore included.</summary>
    public IReadOnlyList<LoggedDiagnostic> Errors => Diagnostics<Error>();

    /// <summary>Every warning, restore included.</summary>
    public IReadOnlyList<LoggedDiagnostic> Warnings => Diagnostics<Warning>();

    /// <summary>Every message of any importance.</summary>
    public IReadOnlyList<string> Messages
    {
        get
        {
            var messages = new List<string>();
            Binlog.VisitAllChildren<Message>(message => messages.Add(message.Text));
            return messages;
        }
    }

    /// <summary>The names of all targets that ran, in any project.</summary>
    public IReadOnlySet<string> Targets
    {
        get
        {
            var targets = new HashSet<string>(StringComparer.OrdinalIgnoreCase);
            Binlog.VisitAllChildren<Target>(target =>
            {
                if (!target.Skipped)
                {
                    targets.Add(target.Name);
                }
            });
            return targets;
        }
    }

    /// <summary>The result itself, or an exception with everything that was printed.</summary>
    public DotnetResult EnsureSuccess()
    {
        Process.EnsureSuccess();
        return this;
    }

    /// <inheritdoc/>
    public override string ToString() => Process.ToString();

    private List<LoggedDiagnostic> Diagnostics<T>()
        where T : AbstractDiagnostic
    {
        var found = new List<LoggedDiagnostic>();
        Binlog.VisitAllChildren<T>(entry => found.Add(new LoggedDiagnostic(
            entry.Code, entry.Text, entry.File, entry.LineNumber, entry.ColumnNumber, entry.ProjectFile)));
        return found;
    }
}
