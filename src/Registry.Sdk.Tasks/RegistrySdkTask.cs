using System.Collections;
using Microsoft.Build.Framework;
using Microsoft.Build.Utilities;
using Registry.Sdk.Core.Primitives;
using Task = Microsoft.Build.Utilities.Task;

namespace Registry.Sdk.Tasks;

/// <summary>What our tasks share: cancellation, and diagnostics as MSBuild errors and warnings with code and help link.</summary>
public abstract class RegistrySdkTask : Task, ICancelableTask, IDisposable
{
    private readonly CancellationTokenSource _cancellation = new();

    /// <inheritdoc/>
    public void Cancel() => _cancellation.Cancel();

    /// <inheritdoc/>
    public sealed override bool Execute()
    {
        try
        {
            RunAsync(_cancellation.Token).GetAwaiter().GetResult();
        }
        catch (OperationCanceledException) when (_cancellation.IsCancellationRequested)
        {
            // MSBuild reports the cancelled build itself.
            return false;
        }

        return !Log.HasLoggedErrors;
    }

    /// <inheritdoc/>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Frees the cancellation source.</summary>
    /// <param name="disposing">True from <see cref="Dispose()"/>.</param>
    protected virtual void Dispose(bool disposing)
    {
        if (disposing)
        {
            _cancellation.Dispose();
        }
    }

    /// <summary>The task's work.</summary>
    protected abstract System.Threading.Tasks.Task RunAsync(CancellationToken cancellationToken);

    /// <summary>The process's environment as a dictionary.</summary>
    protected static IReadOnlyDictionary<string, string> ReadEnvironment()
        => Environment.GetEnvironmentVariables().Cast<DictionaryEntry>().ToDictionary(e => (string)e.Key, e => (string?)e.Value ?? string.Empty, StringComparer.Ordinal);

    /// <summary>Logs as MSBuild knows it: NoWarn and warnings-as-errors then work by the code.</summary>
    protected void Report(IEnumerable<Diagnostic> diagnostics)
    {
        ArgumentNullException.ThrowIfNull(diagnostics);
        foreach (var diagnostic in diagnostics)
        {
            // The whole message is an argument: braces in it are data.
            if (diagnostic.IsError)
            {
                Log.LogError(null, diagnostic.Code, null, diagnostic.Descriptor.HelpLink, diagnostic.File, diagnostic.Line, 0, 0, 0, "{0}", diagnostic.Message);
            }
            else
            {
                Log.LogWarning(null, diagnostic.Code, null, diagnostic.Descriptor.HelpLink, diagnostic.File, diagnostic.Line, 0, 0, 0, "{0}", diagnostic.Message);
            }
        }
    }

    /// <summary>A <c>;</c>-separated property as a list.</summary>
    protected static IReadOnlyList<string> Split(string? text)
        => text?.Split(';', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries) ?? [];

    /// <summary>MSBuild's booleans; anything else is the default.</summary>
    protected static bool IsTrue(string? text, bool otherwise = false)
        => string.IsNullOrWhiteSpace(text) ? otherwise : bool.TryParse(text, out var value) ? value : otherwise;
}
