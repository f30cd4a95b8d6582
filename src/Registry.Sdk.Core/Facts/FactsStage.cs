using System.Globalization;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Facts;

/// <summary>The first stage: what git and the CI service say, read once and not judged.</summary>
public static class FactsStage
{
    private const string SourceDateEpochName = "SOURCE_DATE_EPOCH";

    /// <summary>Reads the facts. No git, no repository and the like are states of <see cref="GitFacts"/>, not errors: with ContainerVersion set they are fine.</summary>
    /// <param name="input">Where to look.</param>
    /// <param name="git">The git command line.</param>
    /// <param name="ct">Stops git.</param>
    /// <returns>The facts with the warnings of CI detection; or RSDK1009.</returns>
    public static async Task<Outcome<BuildFacts>> RunAsync(FactsInput input, IGit git, CancellationToken ct)
    {
        ArgumentNullException.ThrowIfNull(input);
        ArgumentNullException.ThrowIfNull(git);

        DateTimeOffset? epoch = null;
        if (input.Environment.GetValueOrDefault(SourceDateEpochName) is { Length: > 0 } text)
        {
            epoch = ParseEpoch(text);
            if (epoch is null)
            {
                return Outcome<BuildFacts>.Failure(DiagnosticCodes.BadSourceDateEpoch.Report(
                    $"The environment variable {SourceDateEpochName} is '{text}', which is not a number of seconds since 1970. Set it to decimal digits, or unset it."));
            }
        }

        var ci = CiDetection.Detect(input.Environment, ReadText);
        var facts = await GitFactsReader.ReadAsync(input, git, ct).ConfigureAwait(false);
        return Outcome<BuildFacts>.Success(new BuildFacts(facts, ci, epoch), ci?.Diagnostics);
    }

    private static DateTimeOffset? ParseEpoch(string text)
        => long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds) && seconds <= DateTimeOffset.MaxValue.ToUnixTimeSeconds()
            ? DateTimeOffset.FromUnixTimeSeconds(seconds)
            : null;

    private static string? ReadText(string path)
    {
        try
        {
            return File.ReadAllText(path);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException or ArgumentException or NotSupportedException)
        {
            return null; // CI detection reports it, for it knows what the file was for
        }
    }
}
