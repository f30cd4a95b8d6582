using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Reporting;

namespace Registry.Sdk.Core;

/// <summary>How far a publish has come.</summary>
internal sealed class PublishRun
{
    private readonly Func<string, bool> _raisesToError;

    /// <summary>A publish that has only derived its version.</summary>
    public PublishRun(PublishRequest request)
    {
        _raisesToError = request.RaisesToError;
        Diagnostics = [.. request.Derived.Diagnostics];
        Report = new() { Project = request.Project, Configuration = request.Configuration, PlanOnly = request.PlanOnly, Diagnostics = Diagnostics };
    }

    /// <summary>What was found so far.</summary>
    public List<Diagnostic> Diagnostics { get; }

    /// <summary>Knows the secrets that were used.</summary>
    public Redactor Redactor { get; } = new();

    /// <summary>Knows for how long registries were waited for; null before the first is asked.</summary>
    public RegistryResilience? Resilience { get; set; }

    /// <summary>What is known so far.</summary>
    public PublishReport Report { get; set; }

    /// <summary>Says something that is no warning: in the log, and in the receipt.</summary>
    public void Note(IPublishLog log, string text)
    {
        log.Stage(text);
        Keep(text);
    }

    /// <summary>Says something that nobody may miss, though it is no warning: on the console of every publish, and in the receipt.</summary>
    public void Tell(IPublishLog log, string text)
    {
        log.Ask(text);
        Keep(text);
    }

    private void Keep(string text) => Report = Report with { Notes = [.. Report.Notes, text] };

    /// <summary>Looked at before anything is sent: what the user raised to an error by then must not be told after the push.</summary>
    public bool HasErrors()
    {
        for (var i = 0; i < Diagnostics.Count; i++)
        {
            if (!Diagnostics[i].IsError && _raisesToError(Diagnostics[i].Code))
            {
                Diagnostics[i] = Diagnostics[i] with { Descriptor = Diagnostics[i].Descriptor with { Severity = Severity.Error } };
            }
        }

        return Diagnostics.Exists(d => d.IsError);
    }
}
