namespace Registry.Sdk.Quickstart;

/// <summary>
/// What every process we start sees: the user's environment, because that is how this machine reaches NuGet, without anything that would
/// change what a publish does. The result must be the same on a laptop and inside a CI job.
/// </summary>
internal static class ProcessEnvironment
{
    private static readonly string[] RemovedPrefixes =
    [
        // CI systems that Registry.Sdk knows: with these it would publish for their commit, into their step summary.
        "GITHUB_", "RUNNER_", "ACTIONS_", "GITLAB_", "CI_", "BUILD_", "SYSTEM_", "AGENT_",
        "BITBUCKET_", "CIRCLE", "TEAMCITY_", "JENKINS_", "HUDSON_", "BRANCH_", "CHANGE_", "TAG_", "ghprb", "gitlab",
        // Container settings and credentials; MSBuild takes every variable for a property.
        "Container", "RegistrySdk", "DOCKER", "DOTNET_CONTAINER_", "SDK_CONTAINER_",
        // Set for git's hooks, and by `dotnet run` for the SDK it belongs to.
        "GIT_", "MSBUILD",
    ];

    private static readonly string[] Removed =
    [
        "CI", "TF_BUILD", "JOB_NAME", "GH_TOKEN", "CR_PAT", "REGISTRY_AUTH_FILE", "SOURCE_DATE_EPOCH", "Configuration", "Platform", "Version",
    ];

    private static readonly (string Name, string Value)[] Set =
    [
        // Nothing may stay when we have ended, and nothing is to be sent but what NuGet needs.
        ("MSBUILDDISABLENODEREUSE", "1"),
        ("UseSharedCompilation", "false"),
        ("DOTNET_CLI_USE_MSBUILD_SERVER", "0"),
        ("DOTNET_CLI_TELEMETRY_OPTOUT", "1"),
        ("DOTNET_CLI_WORKLOAD_UPDATE_NOTIFY_DISABLE", "true"),
        ("DOTNET_GENERATE_ASPNET_CERTIFICATE", "false"),
        ("DOTNET_NOLOGO", "1"),
        // The user's git settings (hooks, signing, line ends) would change the commit, and so the image.
        ("GIT_CONFIG_NOSYSTEM", "1"),
        ("GIT_CONFIG_GLOBAL", "/dev/null"),
        ("GIT_TERMINAL_PROMPT", "0"),
    ];

    /// <summary>Changes our own environment, which everything we start inherits.</summary>
    /// <param name="temporary">Where temporary files go from now on: the .NET SDK does not remove all of its own.</param>
    public static void Prepare(string temporary)
    {
        // Kept, because processes that use one packages folder meet there to take turns.
        var scratch = Path.Combine(Path.GetTempPath(), "NuGetScratch" + (OperatingSystem.IsLinux() ? Environment.UserName : ""));
        if (string.IsNullOrEmpty(Environment.GetEnvironmentVariable("NUGET_SCRATCH")))
        {
            Environment.SetEnvironmentVariable("NUGET_SCRATCH", scratch);
        }

        foreach (var name in Environment.GetEnvironmentVariables().Keys.Cast<string>().Where(IsRemoved))
        {
            Environment.SetEnvironmentVariable(name, null);
        }

        foreach (var (name, value) in Set)
        {
            Environment.SetEnvironmentVariable(name, value);
        }

        // MSBuild takes it for the property: what is kept of our images is of no use to anybody.
        Environment.SetEnvironmentVariable("RegistrySdkCacheDirectory", Path.Combine(temporary, "cache"));

        foreach (var name in new[] { "TMPDIR", "TEMP", "TMP" })
        {
            Environment.SetEnvironmentVariable(name, temporary);
        }
    }

    // In any case: so does MSBuild read them.
    private static bool IsRemoved(string name) =>
        Removed.Contains(name, StringComparer.OrdinalIgnoreCase) || RemovedPrefixes.Any(prefix => name.StartsWith(prefix, StringComparison.OrdinalIgnoreCase));
}
