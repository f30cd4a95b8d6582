using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Facts;

/// <summary>
/// TeamCity: jetbrains.com/help/teamcity "Predefined Build Parameters" and "Pull Requests". What it says is no environment variable but in two
/// files in the format of <c>java.util.Properties</c>: one that the environment names, and one that the first names.
/// </summary>
internal static class TeamCity
{
    private const string BuildFile = "TEAMCITY_BUILD_PROPERTIES_FILE";
    private const string ConfigurationFile = "teamcity.configuration.properties.file";

    internal static CiFacts? Detect(IReadOnlyDictionary<string, string> environment, Func<string, string?> readFile)
    {
        if (environment.Variable("TEAMCITY_VERSION") is null)
        {
            return null;
        }

        var (properties, diagnostics) = Read(environment, readFile);
        var server = properties.Variable("teamcity.serverUrl");
        var build = properties.Variable("teamcity.build.id");
        var facts = new CiFacts
        {
            Service = "TeamCity",
            Commit = environment.Variable("BUILD_VCS_NUMBER") ?? properties.Variable("build.vcs.number"),
            RepositoryUrl = RepositoryUrl.ToHttps(properties.Variable("vcsroot.url")),
            RunUrl = server is null || build is null ? null : RepositoryUrl.WithoutCredentials($"{server.TrimEnd('/')}/viewLog.html?buildId={Uri.EscapeDataString(build)}"),
            Diagnostics = diagnostics,
        };

        // The logical name is what a branch specification makes of the ref, and <default> for one of them; the root's own name for it is whole.
        // With several roots nobody knows which one is meant; a pull request of any of them is one.
        var refs = properties.Where(p => p.Key.StartsWith("teamcity.build.vcs.branch.", StringComparison.Ordinal)).Select(p => p.Value.Trim()).Distinct(StringComparer.Ordinal).ToList();
        var logical = properties.Variable("teamcity.build.branch");
        var name = refs is [{ Length: > 0 } only] ? only : logical is "<default>" ? null : logical;

        var numbers = refs.Append(logical).Select(r => CiDetection.IsPullRef(r, out var number) ? number : null).OfType<string>().Distinct(StringComparer.Ordinal).ToList();
        var pull = properties.Variable("teamcity.pullRequest.number");
        if (pull is not null || numbers.Count > 0 || properties.Variable("teamcity.pullRequest.target.branch") is not null)
        {
            // "provided only if the source repository is the same as the target one"; of another pull request, in another root, it says nothing.
            var source = properties.Variable("teamcity.pullRequest.source.branch");
            return facts with
            {
                RefKind = CiRefKind.PullRequest,
                RefName = CiDetection.RefName(CiDetection.SplitRef(source).Name ?? source),
                PullRequestNumber = CiDetection.Number(pull) ?? numbers.FirstOrDefault(),
                IsFork = source is null || numbers.Exists(n => n != (pull ?? n)),
            };
        }

        var (kind, shortName) = CiDetection.SplitRef(name);
        return CiDetection.WithRef(facts, kind == CiRefKind.Tag ? shortName : null, shortName ?? name);
    }

    private static (IReadOnlyDictionary<string, string> Properties, IReadOnlyList<Diagnostic> Diagnostics) Read(
        IReadOnlyDictionary<string, string> environment, Func<string, string?> readFile)
    {
        var path = environment.Variable(BuildFile);
        if (path is null || readFile(path) is not { } text)
        {
            return Unread(path is null ? $"{BuildFile} is not set" : $"{path} ({BuildFile}) can't be read", path);
        }

        var build = JavaProperties.Parse(text);
        var configuration = build.Variable(ConfigurationFile);
        if (configuration is null || readFile(configuration) is not { } parameters)
        {
            return Unread(configuration is null ? $"{path} ({BuildFile}) does not name {ConfigurationFile}" : $"{configuration} ({ConfigurationFile}) can't be read", configuration ?? path);
        }

        var all = new Dictionary<string, string>(build, StringComparer.Ordinal);
        foreach (var (key, value) in JavaProperties.Parse(parameters))
        {
            all[key] = value;
        }

        return (all, []);
    }

    private static (IReadOnlyDictionary<string, string>, IReadOnlyList<Diagnostic>) Unread(string why, string? file)
        => (new Dictionary<string, string>(StringComparer.Ordinal),
            [DiagnosticCodes.EventFileUnreadable.Report($"TeamCity's build parameters were not understood: {why}, so branch and pull request are not known from it and git alone decides. Let the step keep {BuildFile} and the files it names, as the agent sets them.", file)]);
}
