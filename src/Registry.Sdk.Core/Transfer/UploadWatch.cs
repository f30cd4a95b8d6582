using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Transfer;

/// <summary>Speaks up about an upload only once it takes long, and then about once a second.</summary>
internal sealed class UploadWatch(Destination destination, Descriptor blob, ITransferProgress progress, TimeProvider time) : IProgress<long>
{
    private static readonly TimeSpan After = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan Every = TimeSpan.FromSeconds(1);

    private readonly long _start = time.GetTimestamp();
    private TimeSpan _next = After;

    /// <summary>Hears how many bytes of the blob have been sent.</summary>
    public void Report(long value)
    {
        var elapsed = time.GetElapsedTime(_start);
        if (elapsed >= _next)
        {
            _next = elapsed + Every;
            progress.Uploading(destination, blob, value, value / elapsed.TotalSeconds);
        }
    }
}
