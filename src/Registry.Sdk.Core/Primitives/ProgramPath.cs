namespace Registry.Sdk.Core.Primitives;

/// <summary>Finds programs by a <c>PATH</c> that need not be this process's own.</summary>
internal static class ProgramPath
{
    /// <summary>The first executable of that name, or null. Relative folders are passed over: what runs must not depend on where one stands.</summary>
    public static string? Find(string name, string? path)
        => Candidates(name, path).FirstOrDefault(IsProgram);

    /// <summary>The first file of that name that is there but not executable, or null: where <see cref="Find"/> finds nothing it says why.</summary>
    public static string? FindNotExecutable(string name, string? path)
        => Candidates(name, path).FirstOrDefault(f => File.Exists(f) && !IsProgram(f));

    private static IEnumerable<string> Candidates(string name, string? path)
        => (path ?? string.Empty).Split(Path.PathSeparator)
            .Where(Path.IsPathFullyQualified)
            .Select(folder => Path.Combine(folder, OperatingSystem.IsWindows() ? name + ".exe" : name));

    private static bool IsProgram(string file)
    {
        const UnixFileMode Execute = UnixFileMode.UserExecute | UnixFileMode.GroupExecute | UnixFileMode.OtherExecute;
        return File.Exists(file) && (OperatingSystem.IsWindows() || (File.GetUnixFileMode(file) & Execute) != UnixFileMode.None);
    }
}
