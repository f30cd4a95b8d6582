using System.Text;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>What the checks look at: one image, as its config will say it.</summary>
/// <param name="Files">The files of our layers, without those left out.</param>
/// <param name="WorkingDirectory">Absolute; <paramref name="Files"/> are there.</param>
/// <param name="Entrypoint">The image's.</param>
/// <param name="Cmd">The image's.</param>
/// <param name="BaseEntrypoint">The base image's: what is inherited from there is there.</param>
/// <param name="Environment">The image's, the base image's variables included.</param>
/// <param name="Platform">The image's.</param>
/// <param name="BaseName">The base image as people write it.</param>
/// <param name="IsScratch">Whether the base image has no file at all.</param>
internal sealed record StageCheckInput(
    IReadOnlyList<BillFile> Files,
    string WorkingDirectory,
    IReadOnlyList<string> Entrypoint,
    IReadOnlyList<string> Cmd,
    IReadOnlyList<string> BaseEntrypoint,
    IReadOnlyDictionary<string, string> Environment,
    Platform Platform,
    string BaseName,
    bool IsScratch);

/// <summary>
/// Tells of an image that could not start. What a base image holds is not known before its layers are fetched, so only what is certain about
/// our own files, and what the base image says of itself, is judged; all of it are warnings.
/// </summary>
internal sealed class StageChecks
{
    /// <summary>Where a runtime looks for a command without <c>/</c> if the image has no <c>PATH</c> (moby, <c>DefaultPathEnv</c>).</summary>
    private const string DefaultPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin";

    private const int MaxNamed = 3;

    private static readonly string[] HostOptionsWithValue = ["--additionalprobingpath", "--depsfile", "--runtimeconfig", "--fx-version", "--roll-forward", "--additional-deps"];

    private readonly StageCheckInput _input;
    private readonly string _directory;
    private readonly Dictionary<string, BillFile> _files;
    private readonly List<Diagnostic> _found = [];

    private StageChecks(StageCheckInput input)
    {
        _input = input;
        _directory = input.WorkingDirectory.TrimEnd('/') + "/";
        _files = input.Files.ToDictionary(f => _directory + f.Path, StringComparer.Ordinal);
    }

    /// <summary>Runs all checks.</summary>
    public static IReadOnlyList<Diagnostic> Run(StageCheckInput input)
    {
        var checks = new StageChecks(input);
        checks.Run();
        return checks._found;
    }

    private void Run()
    {
        IReadOnlyList<string> command = [.. _input.Entrypoint, .. _input.Cmd];
        if (command.Count == 0)
        {
            _found.Add(DiagnosticCodes.StartFileMissing.Report("The image has neither entrypoint nor command, so it can't start by itself. Add a ContainerAppCommand or ContainerEntrypoint item."));
            return;
        }

        var inherited = _input.Entrypoint.Count > 0 && _input.Entrypoint.SequenceEqual(_input.BaseEntrypoint, StringComparer.Ordinal);
        var muxer = command[0] is "dotnet" || command[0].EndsWith("/dotnet", StringComparison.Ordinal) ? MuxerCall.Parse(command) : null;
        var startPath = Find(command[0]);
        var start = startPath is null ? null : _files[startPath];
        var assembly = muxer?.Assembly is { } named ? Absolute(named) : null;
        if (CheckFrameworks(muxer, RuntimeConfigOf(assembly ?? startPath)))
        {
            return; // «there is no .NET» says it all
        }

        if (!inherited)
        {
            CheckCommand(command[0], start);
        }

        if (assembly is not null && IsOurs(assembly) && !_files.ContainsKey(assembly))
        {
            _found.Add(DiagnosticCodes.StartFileMissing.Report($"The image starts '{string.Join(' ', command.Take(2))}', but {assembly} is not in it{Resembling(assembly)}. Correct the ContainerAppCommand or ContainerEntrypoint items, or ContainerWorkingDirectory."));
        }

        CheckArchitecture(start);
        if (_input.IsScratch && start is not null)
        {
            CheckInterpreter(start);
        }
    }

    /// <summary>Path of the command's file, where it is one of ours.</summary>
    private string? Find(string command)
    {
        IEnumerable<string> folders = command.Contains('/', StringComparison.Ordinal) ? [string.Empty]
            : (_input.Environment.GetValueOrDefault("PATH") ?? DefaultPath).Split(':', StringSplitOptions.RemoveEmptyEntries).Select(d => d + "/");
        return folders.Select(f => Absolute(f + command)).FirstOrDefault(_files.ContainsKey);
    }

    private void CheckCommand(string command, BillFile? start)
    {
        var isPath = command.Contains('/', StringComparison.Ordinal);
        var path = isPath ? Absolute(command) : command;
        if (start is null && !isPath && _files.ContainsKey(_directory + command))
        {
            _found.Add(DiagnosticCodes.StartFileMissing.Report(
                $"The image starts '{command}', which is looked for in PATH and not in {_directory}, where it is. Write ./{command} or {_directory}{command} in the ContainerAppCommand or ContainerEntrypoint item."));
        }
        else if (start is null && (isPath ? IsOurs(path) : _input.IsScratch))
        {
            _found.Add(DiagnosticCodes.StartFileMissing.Report(
                $"The image starts '{command}', but {(isPath ? path + " is not in it" : "no folder of PATH has it")}{(isPath ? Resembling(path) : string.Empty)}. Correct the ContainerAppCommand or ContainerEntrypoint items, or ContainerWorkingDirectory."));
        }
        else if (start is { IsExecutable: false })
        {
            _found.Add(DiagnosticCodes.StartFileMissing.Report(
                $"The image starts '{command}', but {start.SourcePath} is not executable: neither ELF nor '#!', nor may its owner execute it. Set its executable bit, or start it through dotnet or a shell.", start.SourcePath));
        }
    }

    /// <summary>
    /// Whether a path can only come from us. Below the working directory nobody but us puts files; unless that is <c>/</c>, where all are.
    /// </summary>
    private bool IsOurs(string path) => _input.IsScratch || (_directory != "/" && path.StartsWith(_directory, StringComparison.Ordinal));

    private string Resembling(string path)
        => _files.Keys.Where(f => string.Equals(f, path, StringComparison.OrdinalIgnoreCase)).Order(StringComparer.Ordinal).FirstOrDefault() is { } similar
            ? $" (but {similar} is: upper and lower case differ)"
            : _files.Keys.Any(f => f.StartsWith(path.TrimEnd('/') + "/", StringComparison.Ordinal)) ? " as a file: it is a folder" : string.Empty;

    private RuntimeConfig? RuntimeConfigOf(string? started)
    {
        const string Extension = ".runtimeconfig.json";
        if (started is not null && (_files.GetValueOrDefault(started) is not { } file || ScriptInterpreter(file) is null))
        {
            var stem = IsAssembly(started) ? started[..^4] : started;
            return _files.GetValueOrDefault(stem + Extension) is { } beside ? RuntimeConfig.Read(beside) : null;
        }

        // A script, or a program of the base image, starts the application: whose configuration it is is clear if there is but one.
        var all = _input.Files.Where(f => f.Path.EndsWith(Extension, StringComparison.Ordinal) && !f.Path.Contains('/', StringComparison.Ordinal)).ToList();
        return all.Count == 1 ? RuntimeConfig.Read(all[0]) : null;
    }

    /// <summary>Whether there is certainly no .NET at all.</summary>
    private bool CheckFrameworks(MuxerCall? muxer, RuntimeConfig? config)
    {
        if (config is null || config.Frameworks.Count == 0)
        {
            return false;
        }

        if (_input.IsScratch)
        {
            _found.Add(DiagnosticCodes.FrameworkMissing.Report(
                $"The application needs {config.Frameworks[0].Name} {config.Frameworks[0].Version}, but {_input.BaseName} holds no .NET. Publish with SelfContained=true, or choose a ContainerBaseImage with .NET."));
            return true;
        }

        if (config.HasLegacyRollForward || muxer is { FrameworkVersion: not null } || !_input.Environment.TryGetValue("DOTNET_VERSION", out var runtime))
        {
            return false;
        }

        var missing = new List<string>();
        var isNewer = false;
        foreach (var framework in config.Frameworks)
        {
            if (framework.Name is not ("Microsoft.NETCore.App" or "Microsoft.AspNetCore.App"))
            {
                continue; // no image says which others it has
            }

            var available = framework.Name == "Microsoft.NETCore.App" ? runtime : _input.Environment.GetValueOrDefault("ASPNET_VERSION");
            if (available is null)
            {
                _found.Add(DiagnosticCodes.FrameworkMissing.Report(
                    $"The application needs {framework.Name} {framework.Version}, but {_input.BaseName} has .NET {runtime} without ASP.NET Core. Remove ContainerBaseImage, or set it to an aspnet image of that version."));
                continue;
            }

            var policy = muxer?.RollForward ?? Set(_input.Environment.GetValueOrDefault("DOTNET_ROLL_FORWARD")) ?? framework.RollForward;
            if (RollForward.Accepts(framework.Version, policy, available) == false)
            {
                missing.Add($"{framework.Name} {framework.Version} (rollForward {policy ?? "Minor"})");
                isNewer |= NuGet.Versioning.SemanticVersion.TryParse(available, out var has) && NuGet.Versioning.SemanticVersion.TryParse(framework.Version, out var needs) && has > needs;
            }
        }

        if (missing.Count > 0)
        {
            // Rolling forward never goes down.
            _found.Add(DiagnosticCodes.FrameworkMissing.Report(
                $"The application needs {string.Join(" and ", missing)}, but {_input.BaseName} has .NET {runtime}. Choose a ContainerBaseImage of that version, or {(isNewer ? "set RollForward in the project" : "a lower TargetFramework")}."));
        }

        return false;

        static string? Set(string? value) => string.IsNullOrEmpty(value) ? null : value;
    }

    /// <summary>The entrypoint and the native libraries beside it: what else lies there need not be for this image.</summary>
    private void CheckArchitecture(BillFile? start)
    {
        var wrong = _input.Files
            .Where(f => f.IsExecutable && (ReferenceEquals(f, start) || IsLibraryInRoot(f.Path)))
            .Select(f => (File: f, Elf: ElfHeader.Read(f))).Where(f => f.Elf?.Contradicts(_input.Platform) == true)
            .OrderByDescending(f => ReferenceEquals(f.File, start)).ThenBy(f => f.File.Path, StringComparer.Ordinal).ToList();
        if (wrong.Count > 0)
        {
            var named = string.Join(", ", wrong.Take(MaxNamed).Select(f => $"{f.File.Path} ({f.Elf!.Architecture ?? $"ELF machine {f.Elf.Machine}"})"));
            _found.Add(DiagnosticCodes.ArchitectureMismatch.Report(
                $"The image is for {_input.Platform}, but {named}{(wrong.Count > MaxNamed ? $" and {wrong.Count - MaxNamed} more" : string.Empty)} {(wrong.Count == 1 ? "is" : "are")} not. Publish with the RuntimeIdentifier of the image, or set ContainerRuntimeIdentifier to the one published for.", wrong[0].File.SourcePath));
        }
    }

    private static bool IsLibraryInRoot(string path)
        => !path.Contains('/', StringComparison.Ordinal) && (path.EndsWith(".so", StringComparison.Ordinal) || path.Contains(".so.", StringComparison.Ordinal));

    private void CheckInterpreter(BillFile start)
    {
        if ((ElfHeader.Read(start)?.Interpreter ?? ScriptInterpreter(start)) is { Length: > 0 } interpreter && !_files.ContainsKey(Absolute(interpreter)))
        {
            _found.Add(DiagnosticCodes.InterpreterMissing.Report(
                $"{start.SourcePath} needs {interpreter}, which neither the image nor {_input.BaseName} has. Choose a ContainerBaseImage with it (runtime-deps), or publish with PublishAot=true and StaticExecutable=true.", start.SourcePath));
        }
    }

    private static bool IsAssembly(string path) => path.EndsWith(".dll", StringComparison.OrdinalIgnoreCase) || path.EndsWith(".exe", StringComparison.OrdinalIgnoreCase);

    private static string? ScriptInterpreter(BillFile file)
    {
        const int Line = 256; // what Linux reads (binfmt_script)
        return BoundedFile.ReadAt(file, 0, (int)Math.Min(file.Size, Line)) is { } bytes && bytes.AsSpan().StartsWith("#!"u8)
            ? Encoding.UTF8.GetString(bytes)[2..].Split('\n')[0].Split([' ', '\t'], StringSplitOptions.RemoveEmptyEntries).FirstOrDefault() : null;
    }

    /// <summary>The path as the kernel takes it: relative to the working directory, without <c>.</c>, <c>..</c> and <c>//</c>.</summary>
    private string Absolute(string path)
    {
        var parts = new List<string>();
        foreach (var part in (path.StartsWith('/') ? path : _directory + path).Split('/'))
        {
            if (part == ".." && parts.Count > 0)
            {
                parts.RemoveAt(parts.Count - 1);
            }
            else if (part is not ("" or "." or ".."))
            {
                parts.Add(part);
            }
        }

        return "/" + string.Join('/', parts);
    }

    /// <summary>What a call of <c>dotnet</c> starts. Source: <c>dotnet --help</c>; dotnet/runtime, corehost/fxr/command_line.cpp.</summary>
    private sealed record MuxerCall(string? Assembly, string? FrameworkVersion, string? RollForward)
    {
        public static MuxerCall Parse(IReadOnlyList<string> command)
        {
            string? version = null, rollForward = null;
            var i = command.Count > 1 && command[1] == "exec" ? 2 : 1;
            while (i < command.Count && command[i].StartsWith('-'))
            {
                var value = HostOptionsWithValue.Contains(command[i], StringComparer.OrdinalIgnoreCase) ? i + 1 < command.Count ? command[i + 1] : string.Empty : null;
                (version, rollForward) = command[i].ToUpperInvariant() switch
                {
                    "--FX-VERSION" => (value, rollForward),
                    "--ROLL-FORWARD" => (version, value),
                    _ => (version, rollForward),
                };
                i += value is null ? 1 : 2;
            }

            // Anything else is a command of the SDK, or of nobody. None of the SDK's has a dot or a slash: that is a misspelt file.
            var assembly = i < command.Count && (IsAssembly(command[i]) || command[i].AsSpan().ContainsAny('.', '/')) ? command[i] : null;
            return new(assembly, version, rollForward);
        }
    }
}
