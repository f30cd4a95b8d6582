using System.Globalization;
using Registry.Sdk.Core.Primitives;
using YamlDotNet.Core;
using YamlDotNet.RepresentationModel;

namespace Registry.Sdk.Core.Verification;

/// <summary>One <c>image:</c> of a compose file.</summary>
/// <param name="Service">The service.</param>
/// <param name="Name">The image that is meant.</param>
/// <param name="Platform">The service's <c>platform:</c>, or null.</param>
/// <param name="File">Absolute path of the file that says so.</param>
/// <param name="Line">The line of the <c>image:</c>, from 1.</param>
/// <param name="IsBuilt">Whether the service has a <c>build:</c> too.</param>
public sealed record ComposeImage(string Service, ImageName Name, Platform? Platform, string File, int Line, bool IsBuilt = false);

/// <summary>What a compose file asks to be pulled.</summary>
/// <param name="Images">One for each service that has an <c>image:</c>, in order, those of all profiles.</param>
/// <param name="Notes">What is worth knowing and no mistake, one sentence each.</param>
public sealed record ComposeProject(IReadOnlyList<ComposeImage> Images, IReadOnlyList<string> Notes);

/// <summary>
/// Reads the images out of compose files. Nothing else of them is looked at: what compose itself would refuse is not told, and no value of a variable
/// is repeated but as part of an image's name. Source: Compose specification (services, extends, include, interpolation, fragments).
/// </summary>
public static class ComposeFile
{
    /// <summary>A compose file that people wrote is smaller by far.</summary>
    private const int MaxBytes = 4 << 20;

    /// <summary>How many files, services and merges may be gone through for one file: anchors can make a small file endless.</summary>
    private const int MaxSteps = 10_000;

    private const int MaxDepth = 16;

    private const int MaxShown = 400;

    /// <summary>Reads a file and what it includes.</summary>
    /// <param name="path">Absolute path.</param>
    /// <param name="environment">The process's environment; wins over the <c>.env</c> beside the file.</param>
    /// <returns>The images; or RSDK9026 to RSDK9029.</returns>
    public static Outcome<ComposeProject> Read(string path, IReadOnlyDictionary<string, string> environment)
    {
        ArgumentNullException.ThrowIfNull(path);
        ArgumentNullException.ThrowIfNull(environment);
        var reader = new Reader();
        var services = reader.ReadProject([path], new ComposeVariables(environment), null, 0, path);
        var images = services is null ? [] : reader.Images(services);
        if (reader.Problems.Count == 0 && images.Count == 0)
        {
            reader.Problems.Add(DiagnosticCodes.ComposeFileInvalid.Report($"{PlainText.Of(path)} names no image, so there is nothing in it to verify. Remove the ContainerComposeFile, or give its services an image:.", path));
        }

        return reader.Problems.Count > 0 ? Outcome<ComposeProject>.Failure(reader.Problems) : Outcome<ComposeProject>.Success(new(images, reader.Notes));
    }

    /// <summary>A service as far as it is looked at; what a later file, or the extending service, says wins.</summary>
    private sealed record Service(string Name, Text? Image, Text? Platform, Text? PullPolicy, bool IsBuilt, string File, int Line)
    {
        public Service Over(Service below) => this with { Image = Image ?? below.Image, Platform = Platform ?? below.Platform, PullPolicy = PullPolicy ?? below.PullPolicy, IsBuilt = IsBuilt || below.IsBuilt };
    }

    /// <summary>An interpolated text and where it stands.</summary>
    private sealed record Text(string Value, string File, int Line);

    /// <summary>A file's mapping with the variables that hold in it.</summary>
    private sealed record Source(string File, YamlMappingNode Root, ComposeVariables Variables);

    private sealed class Reader
    {
        private int _steps;
        private string _current = string.Empty;

        public List<Diagnostic> Problems { get; } = [];

        public List<string> Notes { get; } = [];

        /// <summary>The services of files that are one project, and of what they include; null if a file can't be read.</summary>
        public List<Service>? ReadProject(IReadOnlyList<string> paths, ComposeVariables outer, IReadOnlyList<string>? envFiles, int depth, string askedBy)
        {
            if (WithEnvFiles(outer, envFiles ?? [Path.Combine(Path.GetDirectoryName(paths[0])!, ".env")], mustExist: envFiles is not null, askedBy) is not { } variables)
            {
                return null;
            }

            var services = new List<Service>();
            foreach (var path in paths)
            {
                foreach (var source in Load(path, variables, askedBy) ?? [])
                {
                    Include(source, services, depth);
                    foreach (var (name, node) in Members(Member(source.Root, "services"), source.File, "services"))
                    {
                        if (ReadService(source, name, node, []) is { } service)
                        {
                            var known = services.FindIndex(s => s.Name == name);
                            if (known < 0)
                            {
                                services.Add(service);
                            }
                            else
                            {
                                services[known] = service.Over(services[known]);
                            }
                        }
                    }
                }
            }

            return services;
        }

        /// <summary>What the services come to.</summary>
        public List<ComposeImage> Images(List<Service> services)
        {
            var images = new List<ComposeImage>();
            foreach (var service in services)
            {
                if (service.Image is not { } image)
                {
                    Notes.Add($"{At(service.File, service.Line)}: the service {PlainText.Of(service.Name)} {(service.IsBuilt ? "is built where it is started and has no image: nothing of it is pulled" : "has no image:")}");
                    continue;
                }

                if (service is { IsBuilt: true, PullPolicy.Value: "build" })
                {
                    Notes.Add($"{At(image.File, image.Line)}: the service {PlainText.Of(service.Name)} is always built where it is started (pull_policy: build): its image is not pulled");
                    continue;
                }

                Platform? platform = null;
                if (service.Platform is { } written)
                {
                    var parts = written.Value.Split('/');
                    if (parts.Length is not (2 or 3) || parts.Any(p => p.Length == 0))
                    {
                        Fail(DiagnosticCodes.ComposeFileInvalid, written.File, written.Line, $"the platform '{Shown(written.Value)}' of the service {PlainText.Of(service.Name)} is not os/architecture or os/architecture/variant. Correct platform:");
                        continue;
                    }

                    platform = new(parts[0], parts[1], parts.Length == 3 ? parts[2] : null);
                }

                if (!ImageName.TryParse(image.Value, out var name, out var why))
                {
                    Fail(DiagnosticCodes.ComposeImageName, image.File, image.Line, $"the image '{Shown(image.Value)}' of the service {PlainText.Of(service.Name)} can't be pulled from anywhere: {Shown(why)} Correct image:, as [host/]name[:tag][@digest]");
                    continue;
                }

                if (!name.HasHost)
                {
                    Notes.Add($"{At(image.File, image.Line)}: the image '{PlainText.Of(image.Value)}' names no registry, which means {name}");
                }

                images.Add(new(service.Name, name, platform, image.File, image.Line, service.IsBuilt));
            }

            return images;
        }

        private Service? ReadService(Source source, string name, YamlNode node, HashSet<string> extending)
        {
            _current = source.File;
            if (!Step())
            {
                return null;
            }

            if (!extending.Add($"{source.File}\n{name}"))
            {
                Fail(DiagnosticCodes.ComposeFileInvalid, source.File, Line(node), $"the service {PlainText.Of(name)} extends itself in a circle. Correct extends:");
                return null;
            }

            if (node is not YamlMappingNode mapping)
            {
                Fail(DiagnosticCodes.ComposeFileInvalid, source.File, Line(node), $"the service {PlainText.Of(name)} is no mapping. Correct it");
                return null;
            }

            var service = new Service(
                name,
                Interpolated(source, name, "image", Member(mapping, "image")),
                Interpolated(source, name, "platform", Member(mapping, "platform")),
                Interpolated(source, name, "pull_policy", Member(mapping, "pull_policy")),
                Member(mapping, "build") is not null,
                source.File,
                Line(mapping));
            return Member(mapping, "extends") is { } extends && Extended(source, name, extends, extending) is { } below ? service.Over(below) : service;
        }

        /// <summary>The service that another extends; in its own file, or in the one that is named.</summary>
        private Service? Extended(Source source, string name, YamlNode extends, HashSet<string> extending)
        {
            var of = extends is YamlMappingNode mapping ? mapping : null;
            var other = Interpolated(source, name, "extends", of is null ? extends : Member(of, "service"));
            var file = of is null ? null : Interpolated(source, name, "extends", Member(of, "file"));
            if (other is null)
            {
                Fail(DiagnosticCodes.ComposeFileInvalid, source.File, Line(extends), $"the service {PlainText.Of(name)} extends no service. Write extends: with service:");
                return null;
            }

            if (extending.Count > MaxDepth)
            {
                Fail(DiagnosticCodes.ComposeFileInvalid, source.File, Line(extends), $"services extend each other more than {MaxDepth} times. Correct extends:");
                return null;
            }

            IReadOnlyList<Source>? sources = file is null ? [source] : Load(Full(source.File, file.Value), source.Variables, $"{At(source.File, file.Line)}, extends:");
            if (sources is null)
            {
                return null;
            }

            foreach (var document in sources)
            {
                if (Members(Member(document.Root, "services"), document.File, "services").FirstOrDefault(m => m.Name == other.Value) is { Node: { } node })
                {
                    return ReadService(document, other.Value, node, extending);
                }
            }

            Fail(DiagnosticCodes.ComposeFileInvalid, source.File, Line(extends), $"the service {PlainText.Of(name)} extends {PlainText.Of(other.Value)}, which {(file is null ? "the file" : PlainText.Of(file.Value))} does not have. Correct extends:");
            return null;
        }

        private void Include(Source source, List<Service> services, int depth)
        {
            if (Member(source.Root, "include") is not { } include)
            {
                return;
            }

            if (depth == MaxDepth)
            {
                Fail(DiagnosticCodes.ComposeFileInvalid, source.File, Line(include), $"files include each other more than {MaxDepth} deep. Correct include:");
                return;
            }

            foreach (var entry in include as YamlSequenceNode ?? [include])
            {
                var of = entry as YamlMappingNode;
                var paths = Texts(source, of is null ? entry : Member(of, "path"));
                if (!Step() || paths.Count == 0)
                {
                    Fail(DiagnosticCodes.ComposeFileInvalid, source.File, Line(entry), "an entry of include: names no path. Correct include:");
                    continue;
                }

                if (paths.FirstOrDefault(IsRemote) is { } remote)
                {
                    Fail(DiagnosticCodes.ComposeFileInvalid, source.File, Line(entry), $"include: '{PlainText.Of(remote)}' is not on this machine, and is not fetched. Include a file");
                    continue;
                }

                var envFiles = of is not null && Member(of, "env_file") is { } env ? Texts(source, env).Select(e => Full(source.File, e)).ToList() : null;
                var included = ReadProject([.. paths.Select(p => Full(source.File, p))], source.Variables, envFiles is { Count: > 0 } ? envFiles : null, depth + 1, $"{At(source.File, Line(entry))}, include:");

                // A name that both have is compose's to refuse; here each counts.
                services.AddRange(included ?? []);
            }
        }

        private static bool IsRemote(string path) => path.Contains("://", StringComparison.Ordinal) || path.StartsWith("git@", StringComparison.Ordinal) || path.StartsWith("oci:", StringComparison.Ordinal);

        private IReadOnlyList<string> Texts(Source source, YamlNode? node)
            => node is null ? [] : [.. (node as YamlSequenceNode ?? [node]).Select(n => Interpolated(source, "include", "path", n)?.Value).OfType<string>()];

        private ComposeVariables? WithEnvFiles(ComposeVariables outer, IReadOnlyList<string> files, bool mustExist, string askedBy)
        {
            var variables = outer;

            // Of several files the last wins, and what is known already wins over all of them.
            foreach (var file in files.Reverse())
            {
                if (!File.Exists(file) && !mustExist)
                {
                    continue;
                }

                if (Content(file, askedBy) is not { } text)
                {
                    return null;
                }

                variables = variables.With(text, out var problem);
                if (problem.Length > 0)
                {
                    Problems.Add(DiagnosticCodes.ComposeFileInvalid.Report($"{PlainText.Of(file)}: {problem} Correct the file.", file));
                    return null;
                }
            }

            return variables;
        }

        private string? Content(string path, string askedBy)
        {
            var asked = askedBy == path ? "ContainerComposeFile" : askedBy;
            try
            {
                if (File.Exists(path) && !SpecialFile.IsRegular(path))
                {
                    Problems.Add(DiagnosticCodes.ComposeFileInvalid.Report($"{PlainText.Of(path)} is no regular file. Correct {PlainText.Of(asked)}.", path));
                    return null;
                }

                if (new FileInfo(path) is { Exists: true, Length: > MaxBytes })
                {
                    Problems.Add(DiagnosticCodes.ComposeFileInvalid.Report($"{PlainText.Of(path)} is larger than {MaxBytes >> 20} MB: that is no compose file. Correct {PlainText.Of(asked)}.", path));
                    return null;
                }

                return File.ReadAllText(path);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException or NotSupportedException)
            {
                Problems.Add(DiagnosticCodes.ComposeFileMissing.Report($"{PlainText.Of(path)} can't be read: {(e is FileNotFoundException or DirectoryNotFoundException ? "it is not there." : PlainText.Of(e.Message))} Correct {PlainText.Of(asked)}, or create the file.", path));
                return null;
            }
        }

        /// <summary>The documents of a file; null if there are none.</summary>
        private List<Source>? Load(string path, ComposeVariables variables, string askedBy)
        {
            _current = path;
            if (!Step() || Content(path, askedBy) is not { } text)
            {
                return null;
            }

            var stream = new YamlStream();
            try
            {
                if (IsNestedTooDeep(text))
                {
                    Fail(DiagnosticCodes.ComposeFileInvalid, path, 1, "the file is nested too deep for a compose file. Correct it");
                    return null;
                }

                stream.Load(new StringReader(text));
            }
            catch (Exception e) when (e is YamlException or InvalidOperationException or ArgumentException)
            {
                // Its own message can quote the file, and the file can hold secrets.
                var (line, why) = WhyNotYaml(text, e);
                Fail(DiagnosticCodes.ComposeFileInvalid, path, line, $"the file is not YAML: {why}. Correct it");
                return null;
            }

            var sources = new List<Source>();
            foreach (var document in stream.Documents)
            {
                if (document.RootNode is not YamlMappingNode root)
                {
                    Fail(DiagnosticCodes.ComposeFileInvalid, path, Line(document.RootNode), "the file is YAML, but no compose file: it is no mapping with services:. Correct it");
                    return null;
                }

                sources.Add(new(path, root, variables));
            }

            if (!sources.Exists(s => Member(s.Root, "services") is not null || Member(s.Root, "include") is not null))
            {
                Fail(DiagnosticCodes.ComposeFileInvalid, path, 1, "the file is YAML, but no compose file: it has neither services: nor include:. Correct it");
                return null;
            }

            return sources;
        }

        /// <summary>The usual slips by name; of others the place where the parser gave up, which can be behind the mistake.</summary>
        private static (int Line, string Why) WhyNotYaml(string text, Exception exception)
        {
            var mark = exception is YamlException yaml ? yaml.Start : Mark.Empty;
            var tab = text.Split('\n').Select((line, index) => (Line: index + 1, Inner: line.TrimStart(' '))).FirstOrDefault(l => l.Inner.StartsWith('\t') && l.Inner.Trim().Length > 0).Line;
            return tab > 0 ? (tab, "the line is indented by a tab, and YAML wants blanks")
                : exception.Message.Contains("Duplicate key", StringComparison.OrdinalIgnoreCase) ? ((int)Math.Max(1, mark.Line), "the line has a key that is there twice")
                : ((int)Math.Max(1, mark.Line), "it can't be read further than here, and the mistake may be some lines above");
        }

        // Nodes are read recursively, and a stack that overflows can't be caught; the parser itself needs none.
        private static bool IsNestedTooDeep(string text)
        {
            var parser = new Parser(new StringReader(text));
            for (var depth = 0; parser.MoveNext();)
            {
                depth += parser.Current!.NestingIncrease;
                if (depth > 200)
                {
                    return true;
                }
            }

            return false;
        }

        private Text? Interpolated(Source source, string service, string member, YamlNode? node)
        {
            // !reset takes away what another file says.
            if (node is null || (!node.Tag.IsEmpty && !node.Tag.IsNonSpecific && node.Tag.Value == "!reset") || node is YamlScalarNode { Style: ScalarStyle.Plain, Value: "" or "~" or "null" })
            {
                return null;
            }

            var line = Line(node);
            if (node is not YamlScalarNode { Value: { } written })
            {
                Fail(DiagnosticCodes.ComposeFileInvalid, source.File, line, $"{member}: of {PlainText.Of(service)} is no text. Correct it");
                return null;
            }

            if (source.Variables.Interpolate(written, out var why) is { } value)
            {
                if (value.Contains('\0', StringComparison.Ordinal))
                {
                    // Paths too come this way, and the system refuses such a one with an exception of its own.
                    Fail(DiagnosticCodes.ComposeFileInvalid, source.File, line, $"{member}: of {PlainText.Of(service)} has a NUL in it. Correct it");
                    return null;
                }

                return new(value, source.File, line);
            }

            Fail(DiagnosticCodes.ComposeVariable, source.File, line, $"{member}: of {PlainText.Of(service)} is '{Shown(written)}', and {why} Set the variable in the environment or in .env beside the file, or give it a default (${{NAME:-value}})");
            return null;
        }

        /// <summary>A member of a mapping, also one that <c>&lt;&lt;</c> merges in; null if there is none.</summary>
        private YamlNode? Member(YamlMappingNode mapping, string name, int depth = 0)
        {
            if (mapping.Children.FirstOrDefault(c => c.Key is YamlScalarNode key && key.Value == name).Value is { } own)
            {
                return own;
            }

            var merged = mapping.Children.FirstOrDefault(c => c.Key is YamlScalarNode { Value: "<<", Style: ScalarStyle.Plain }).Value;
            if (merged is null || depth == MaxDepth || !Step())
            {
                return null;
            }

            // The first that has it wins (YAML, «merge key»).
            return (merged as YamlSequenceNode ?? [merged]).OfType<YamlMappingNode>().Select(m => Member(m, name, depth + 1)).FirstOrDefault(n => n is not null);
        }

        private IEnumerable<(string Name, YamlNode Node)> Members(YamlNode? node, string file, string what)
        {
            if (node is null or YamlScalarNode { Value: null or "" })
            {
                return [];
            }

            if (node is not YamlMappingNode mapping)
            {
                Fail(DiagnosticCodes.ComposeFileInvalid, file, Line(node), $"{what}: is no mapping. Correct it");
                return [];
            }

            var names = Names(mapping, 0).Distinct(StringComparer.Ordinal).Take(MaxSteps + 1).ToList();
            if (names.Count > MaxSteps)
            {
                // Each would be searched for among all others.
                Fail(DiagnosticCodes.ComposeFileInvalid, file, Line(node), $"{what}: has more than {MaxSteps} members. Write it simpler");
                return [];
            }

            return [.. names.Select(n => (n, Member(mapping, n)!))];
        }

        private IEnumerable<string> Names(YamlMappingNode mapping, int depth)
        {
            foreach (var (key, value) in mapping.Children)
            {
                if (key is not YamlScalarNode { Value: { } name } scalar)
                {
                    continue;
                }

                if (name != "<<" || scalar.Style != ScalarStyle.Plain)
                {
                    yield return name;
                    continue;
                }

                foreach (var merged in depth < MaxDepth && Step() ? (value as YamlSequenceNode ?? [value]).OfType<YamlMappingNode>().SelectMany(m => Names(m, depth + 1)) : [])
                {
                    yield return merged;
                }
            }
        }

        /// <summary>Counts; false, and told once, when it is too much.</summary>
        private bool Step()
        {
            if (++_steps == MaxSteps)
            {
                Problems.Add(DiagnosticCodes.ComposeFileInvalid.Report($"{PlainText.Of(_current)} merges, includes or extends more than {MaxSteps} times. Write it simpler.", _current));
            }

            return _steps < MaxSteps;
        }

        private void Fail(DiagnosticDescriptor code, string file, int line, string what) => Problems.Add(code.Report($"{At(file, line)}: {what}.", file) with { Line = line });

        private static string At(string file, int line) => string.Create(CultureInfo.InvariantCulture, $"{PlainText.Of(file)}, line {line}");

        /// <summary>A text for a message: not a whole file of it.</summary>
        private static string Shown(string text) => PlainText.Of(text.Length > MaxShown ? text[..MaxShown] + "…" : text);

        private static int Line(YamlNode node) => (int)Math.Max(1, node.Start.Line);

        private static string Full(string from, string path) => Path.GetFullPath(path, Path.GetDirectoryName(from)!);
    }
}
