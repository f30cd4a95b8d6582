using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Reporting;

/// <summary>Where reports go.</summary>
/// <param name="ReceiptPath">Absolute path of the receipt.</param>
/// <param name="GitHubOutput">Path of GitHub's output file, or null.</param>
/// <param name="GitHubSummary">Path of GitHub's step summary, or null.</param>
public sealed record ReportTargets(string ReceiptPath, string? GitHubOutput, string? GitHubSummary);

/// <summary>Output of the Reporting stage.</summary>
/// <param name="ConsoleLines">What a person reads.</param>
/// <param name="Diagnostics">Reports that could not be written.</param>
public sealed record ReportingResult(IReadOnlyList<string> ConsoleLines, IReadOnlyList<Diagnostic> Diagnostics);

/// <summary>Writes receipt, GitHub outputs and summary. It also runs after failures.</summary>
public static class ReportingStage
{
    /// <summary>Runs the stage.</summary>
    public static async Task<ReportingResult> RunAsync(PublishReport report, ReportTargets targets, CancellationToken cancellationToken)
    {
        ArgumentNullException.ThrowIfNull(report);
        ArgumentNullException.ThrowIfNull(targets);
        var diagnostics = new List<Diagnostic>();
        try
        {
            await Receipt.SaveAsync(targets.ReceiptPath, Receipt.Write(report), cancellationToken).ConfigureAwait(false);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            diagnostics.Add(DiagnosticCodes.ReceiptNotWritten.Report($"The receipt {PlainText.Of(targets.ReceiptPath)} could not be written: {e.Message} Set RegistrySdkReceiptPath to a writable path.", targets.ReceiptPath));
        }

        foreach (var (path, text) in new[] { (targets.GitHubOutput, GitHubReport.Outputs(report)), (targets.GitHubSummary, GitHubReport.Summary(report)) })
        {
            if (path is null || report.PlanOnly)
            {
                continue;
            }

            try
            {
                await AppendAsync(path, text, cancellationToken).ConfigureAwait(false);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                diagnostics.Add(DiagnosticCodes.CiReportNotWritten.Report($"{path} could not be written: {e.Message}", path));
            }
        }

        return new(ConsoleReport.Lines(report), diagnostics);
    }

    // Services of one -m build append to one file: an exclusive open is the lock.
    internal static async Task AppendAsync(string path, string text, CancellationToken cancellationToken)
    {
        for (var attempt = 0; ; attempt++)
        {
            try
            {
                var file = new FileStream(path, new FileStreamOptions { Mode = FileMode.Append, Access = FileAccess.Write, Share = FileShare.None });
                await using (file.ConfigureAwait(false))
                {
                    await file.WriteAsync(System.Text.Encoding.UTF8.GetBytes(text), cancellationToken).ConfigureAwait(false);
                    return;
                }
            }
            catch (IOException e) when (attempt < 50 && e is not DirectoryNotFoundException)
            {
                await Task.Delay(100, cancellationToken).ConfigureAwait(false);
            }
        }
    }
}
