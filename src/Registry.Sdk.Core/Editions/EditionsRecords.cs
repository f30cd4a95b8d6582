using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Editions;

/// <summary>Input of the Editions stage.</summary>
/// <param name="PublishDirectory">Absolute path of the folder that <c>dotnet publish</c> filled.</param>
public sealed record EditionsInput(string PublishDirectory);

/// <summary>One file that will ship.</summary>
/// <param name="Path">Path below the publish folder, <c>/</c>-separated.</param>
/// <param name="SourcePath">Absolute path it is read from.</param>
/// <param name="Size">Bytes.</param>
/// <param name="Digest">SHA-256 of the content.</param>
/// <param name="IsExecutable">ELF, <c>#!</c>, or executable by its owner: mode 0755 instead of 0644.</param>
public sealed record BillFile(string Path, string SourcePath, long Size, Digest Digest, bool IsExecutable);

/// <summary>Output of the Editions stage: every file that will ship. Imaging composes from it alone.</summary>
/// <param name="Files">Ordinal order of <see cref="BillFile.Path"/>.</param>
/// <remarks>Origin and licence of each file, and the wall that judges them, come with issue 5.</remarks>
public sealed record Bill(IReadOnlyList<BillFile> Files);
