using Registry.Sdk.Core;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Cuts;

/// <summary>Hears nothing: what a publish did is read from its receipt and from the registries.</summary>
internal sealed class QuietLog : IPublishLog
{
    public void Stage(string message)
    {
    }

    public void Note(string message)
    {
    }

    public void Request(string message)
    {
    }

    public void Uploading(Destination destination, Descriptor blob, long sent, double bytesPerSecond)
    {
    }
}
