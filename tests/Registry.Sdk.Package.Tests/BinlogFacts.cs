using Microsoft.Build.Logging.StructuredLogger;
using Registry.Sdk.TestKit;
using Task = Microsoft.Build.Logging.StructuredLogger.Task;

namespace Registry.Sdk.Package.Tests;

/// <summary>What package tests read out of a binlog.</summary>
public static class BinlogFacts
{
    /// <summary>How often each project ran a task, by the project's file name without extension.</summary>
    public static IReadOnlyDictionary<string, int> TaskRuns(this DotnetResult result, params string[] tasks)
    {
        var runs = new SortedDictionary<string, int>(StringComparer.Ordinal);
        result.Binlog.VisitAllChildren<Task>(task =>
        {
            if (tasks.Contains(task.Name, StringComparer.Ordinal))
            {
                var project = Path.GetFileNameWithoutExtension(task.GetNearestParent<Project>()!.ProjectFile);
                runs[project] = runs.GetValueOrDefault(project) + 1;
            }
        });
        return runs;
    }

    /// <summary>How often the compiler ran for each project.</summary>
    public static IReadOnlyDictionary<string, int> Compilations(this DotnetResult result) => result.TaskRuns("Csc", "Fsc");

    /// <summary>Our targets that ran, over all projects.</summary>
    public static IReadOnlyList<string> OurTargets(this DotnetResult result) =>
        [.. result.Targets.Where(target => target.StartsWith("_RegistrySdk", StringComparison.Ordinal) || target is "ComputeContainerTags" or "PlanContainers" or "VerifyContainers").Order(StringComparer.Ordinal)];

    /// <summary>The codes of all errors and warnings.</summary>
    public static IReadOnlyList<string> Codes(this DotnetResult result) =>
        [.. result.Errors.Concat(result.Warnings).Select(diagnostic => diagnostic.Code ?? diagnostic.Text).Distinct(StringComparer.Ordinal)];
}
