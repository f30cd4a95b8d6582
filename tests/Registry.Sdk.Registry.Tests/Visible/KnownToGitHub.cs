using System.Text.RegularExpressions;
using Registry.Sdk.Emulator;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Visible;

/// <summary>Whatever a test here makes us ask GitHub's API has to be in GitHub's own description of it.</summary>
internal static partial class KnownToGitHub
{
    private static readonly GitHubDescription Description = GitHubDescription.Load();

    /// <summary>Holds all requests of a test to the API against the description. <c>RegistrySdkTryVisibilityApi</c>'s PATCH is the one exception.</summary>
    public static void Check(EmulatorServer emulator) => Assert.Empty(
        emulator.Requests.Where(r => r.PathAndQuery.StartsWith("/api/", StringComparison.Ordinal) && !(r.Method == "PATCH" && Package().IsMatch(r.PathAndQuery)))
            .Select(r => Description.WhyUnknown(r.Method, r.PathAndQuery["/api".Length..])).OfType<string>().Distinct(StringComparer.Ordinal));

    [GeneratedRegex("^/api/(?:orgs|users)/[^/?]+/packages/container/[^/?]+$", RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Package();
}
