using System.Collections.Immutable;
using System.Diagnostics;

namespace Registry.Sdk.TestKit;

/// <summary>
/// The environment a test gives to what it starts: an allow-list and never the test run's own. A block-list would be one CI system,
/// credential variable or MSBuild property short one day, and a test would then pass or publish because of where it runs.
/// </summary>
public sealed class CleanEnvironment
{
    // What the way out needs and no product code reads: certificates, proxies, NuGet's own switches.
    private static readonly string[] PassedThrough =
    [
        "SSL_CERT_FILE", "SSL_CERT_DIR", "HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY", "http_proxy", "https_proxy", "no_proxy", "DOTNET_ROOT", "TMPDIR",
    ];

    /// <summary>Where system programs are even if the caller's PATH leaves them out (dockerd is in /usr/sbin).</summary>
    internal static readonly string[] SystemPath = ["/usr/local/sbin", "/usr/local/bin", "/usr/sbin", "/usr/bin", "/sbin", "/bin"];

    private readonly ImmutableSortedDictionary<string, string> variables;

    private CleanEnvironment(ImmutableSortedDictionary<string, string> variables) => this.variables = variables;

    /// <summary>Every variable there is.</summary>
    public IReadOnlyDictionary<string, string> Variables => variables;

    /// <summary>The minimal environment. <paramref name="home"/> is a private home directory; without one, the test run's.</summary>
    public static CleanEnvironment Create(string? home = null)
    {
        home ??= TestRun.Home;
        var result = ImmutableSortedDictionary.CreateBuilder<string, string>(StringComparer.Ordinal);
        foreach (System.Collections.DictionaryEntry entry in Environment.GetEnvironmentVariables())
        {
            var name = (string)entry.Key;
            if (PassedThrough.Contains(name, StringComparer.Ordinal) || name.StartsWith("NUGET_", StringComparison.Ordinal))
            {
                result[name] = (string)entry.Value!;
            }
        }

        var path = (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator, StringSplitOptions.RemoveEmptyEntries);
        result["PATH"] = string.Join(Path.PathSeparator, path.Concat(SystemPath).Distinct(StringComparer.Ordinal));
        result["HOME"] = home;
        result["LANG"] = "C.UTF-8";

        result["DOTNET_CLI_HOME"] = home;
        result["DOTNET_CLI_TELEMETRY_OPTOUT"] = "1";
        result["DOTNET_CLI_UI_LANGUAGE"] = "en";
        result["DOTNET_CLI_WORKLOAD_UPDATE_NOTIFY_DISABLE"] = "true";
        result["DOTNET_GENERATE_ASPNET_CERTIFICATE"] = "false";
        result["DOTNET_NOLOGO"] = "1";
        // No server may outlive the test: it would keep the package's task assembly loaded, and a temp directory in use.
        result["DOTNET_CLI_USE_MSBUILD_SERVER"] = "0";
        result["MSBUILDDISABLENODEREUSE"] = "1";
        result["UseSharedCompilation"] = "false";

        // The package under test goes into a folder of this test run and never into the user's own, which is only read from, as a
        // fallback, so that nothing is downloaded twice.
        result["NUGET_PACKAGES"] = TestRun.PackagesFolder;
        result["NUGET_HTTP_CACHE_PATH"] = TestRun.UserHttpCache;
        if (Directory.Exists(TestRun.UserPackagesFolder))
        {
            result["NUGET_FALLBACK_PACKAGES"] = TestRun.UserPackagesFolder;
        }

        result["GIT_CONFIG_NOSYSTEM"] = "1";
        result["GIT_CONFIG_GLOBAL"] = "/dev/null";
        result["GIT_TERMINAL_PROMPT"] = "0";
        return new CleanEnvironment(result.ToImmutable());
    }

    /// <summary>The same environment with one variable set.</summary>
    public CleanEnvironment With(string name, string value) => new(variables.SetItem(name, value));

    /// <summary>The same environment with several variables set.</summary>
    public CleanEnvironment With(IEnumerable<KeyValuePair<string, string>> values) => new(variables.SetItems(values));

    /// <summary>The same environment without the named variables.</summary>
    public CleanEnvironment Without(params string[] names) => new(variables.RemoveRange(names));

    /// <summary>Makes this the whole environment of a process about to start.</summary>
    public void ApplyTo(ProcessStartInfo start)
    {
        start.Environment.Clear();
        foreach (var (name, value) in variables)
        {
            start.Environment[name] = value;
        }
    }
}
