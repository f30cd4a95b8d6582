namespace Registry.Sdk.Core.Facts;

/// <summary>What one git command answered.</summary>
/// <param name="ExitCode">git's exit code; 128 for a fatal error.</param>
/// <param name="Output">Standard output, UTF-8.</param>
/// <param name="Error">Standard error, UTF-8, in English.</param>
public sealed record GitResult(int ExitCode, string Output, string Error)
{
    /// <summary>Whether the exit code is 0.</summary>
    public bool Ok => ExitCode == 0;
}

/// <summary>A git command failed that should not have.</summary>
public sealed class GitException : IOException
{
    /// <summary>Makes one.</summary>
    /// <param name="message">The command and git's own words, on one line.</param>
    public GitException(string message)
        : base(message)
    {
    }
}

/// <summary>The git command line. Only reads: no network, no prompt, no lock, no change to the repository.</summary>
public interface IGit
{
    /// <summary>Runs one command to its end.</summary>
    /// <param name="workingDirectory">Absolute folder; git finds the repository from there.</param>
    /// <param name="arguments">The command and its arguments, unquoted.</param>
    /// <param name="cancellationToken">Kills git.</param>
    /// <returns>Null where there is no git.</returns>
    /// <exception cref="GitException">It could not be started, or did not end in time and was killed.</exception>
    Task<GitResult?> RunAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken);

    /// <summary>Runs one command and gives its lines as they come; who stops reading early stops git.</summary>
    /// <param name="workingDirectory">Absolute folder.</param>
    /// <param name="arguments">The command and its arguments, unquoted.</param>
    /// <param name="cancellationToken">Kills git.</param>
    /// <exception cref="GitException">There is no git, or it ended with an exit code other than 0, or gave no line for too long and was killed.</exception>
    IAsyncEnumerable<string> ReadLinesAsync(string workingDirectory, IReadOnlyList<string> arguments, CancellationToken cancellationToken);
}
