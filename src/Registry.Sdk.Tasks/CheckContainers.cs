using Microsoft.Build.Framework;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Reporting;

namespace Registry.Sdk.Tasks;

/// <summary>
/// The checks before building: what is wrong with the usage, a registry or a credential is said within seconds, before compiling takes minutes.
/// Reads registries, sends nothing. Errors are those of <see cref="PublishContainers"/>; warnings are left to it.
/// </summary>
public sealed class CheckContainers : ContainersTask
{
    /// <summary>Whether one output folder was given for all that is built (<c>dotnet publish -o</c>): RSDK3007 with several RIDs.</summary>
    public string HasOneOutputFolder { get; set; } = string.Empty;

    /// <summary>Whether a destination has this very release already and another lacks it: then its bytes are copied, and there is nothing to build.</summary>
    [Output]
    public bool IsReleased { get; set; }

    /// <inheritdoc/>
    protected override PublishRequest Complete(PublishRequest request)
    {
        ArgumentNullException.ThrowIfNull(request);
        return request with
        {
            CheckOnly = true,
            HasOneOutputFolder = IsTrue(HasOneOutputFolder),
        };
    }

    /// <inheritdoc/>
    protected override void SetOutputs(PublishReport report)
    {
        ArgumentNullException.ThrowIfNull(report);
        IsReleased = report.Succeeded && report.Images.Count > 0;
    }
}
