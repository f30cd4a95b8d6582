using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Facts;

/// <summary><see cref="ICommitHistory"/> answered by git in one folder.</summary>
/// <param name="git">The command line.</param>
/// <param name="directory">Absolute folder inside the work tree: the project's.</param>
/// <param name="isShallow">Whether the clone is shallow (<see cref="GitFacts.IsShallow"/>): then "not an ancestor" proves nothing.</param>
public sealed class GitCommitHistory(IGit git, string directory, bool isShallow) : ICommitHistory
{
    /// <inheritdoc/>
    public async Task<bool?> IsAncestorAsync(string ancestor, string descendant, CancellationToken cancellationToken)
    {
        // Both may be text from a registry: nothing but a full id reaches the command line.
        if (!IsFullId(ancestor) || !IsFullId(descendant))
        {
            return null;
        }

        GitResult? result;
        try
        {
            result = await git.RunAsync(directory, ["merge-base", "--is-ancestor", ancestor, descendant], cancellationToken).ConfigureAwait(false);
        }
        catch (GitException)
        {
            return null; // no answer, as where it exits with 128
        }

        return result?.ExitCode switch
        {
            0 => true,
            1 when !isShallow => false,
            _ => null,
        };
    }

    private static bool IsFullId(string? id) => id is { Length: 40 or 64 } && id.All(char.IsAsciiHexDigit);
}
