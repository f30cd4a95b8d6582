namespace Registry.Sdk.Core.Primitives;

/// <summary>Asks the project's commit history; floating branch tags go forwards only, and this says what forwards is.</summary>
public interface ICommitHistory
{
    /// <summary>Whether one commit can be reached from the other by following parents; a commit is its own ancestor.</summary>
    /// <param name="ancestor">Full commit id, 40 or 64 hex digits. It may come from a registry's label: anything else answers null.</param>
    /// <param name="descendant">Likewise.</param>
    /// <param name="cancellationToken">Stops git.</param>
    /// <returns>Null where it can't be told: no git, an unknown commit, or a shallow clone that may lack the path.</returns>
    Task<bool?> IsAncestorAsync(string ancestor, string descendant, CancellationToken cancellationToken);
}
