using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;
using Xunit;

namespace Registry.Sdk.Core.Tests.Transfer;

public sealed class UploadWatchTests
{
    private static readonly Descriptor Blob = new(MediaTypes.OciLayerGzip, Digest.Of([1]), 10_000_000);

    [Theory]
    // Milliseconds at which bytes are reported, and what is said: nothing for two seconds, then at most once a second, with bytes per second.
    [InlineData(new[] { 0, 500, 1999 }, new string[0])]
    [InlineData(new[] { 1000, 2000 }, new[] { "2000000 at 1000000" })]
    [InlineData(new[] { 2000, 2100, 2999, 3000, 3500, 4000 }, new[] { "2000000 at 1000000", "3000000 at 1000000", "4000000 at 1000000" })]
    [InlineData(new[] { 9000 }, new[] { "9000000 at 1000000" })]
    public void Only_long_uploads_are_spoken_of(int[] milliseconds, string[] said)
    {
        var clock = new HandClock();
        var heard = new Heard();
        var watch = new UploadWatch(Destination(), Blob, heard, clock);
        foreach (var moment in milliseconds)
        {
            clock.Now = TimeSpan.FromMilliseconds(moment);
            watch.Report(moment * 1000L);
        }

        Assert.Equal(said, heard.Lines);
    }

    private static Destination Destination()
    {
        Assert.True(RegistryHost.TryParse("ghcr.io", out var host));
        return new(new RepositoryReference(host, "a/b"), Visibility.Undeclared, BuildKinds.Release, []);
    }

    private sealed class HandClock : TimeProvider
    {
        public TimeSpan Now { get; set; }

        public override long TimestampFrequency => TimeSpan.TicksPerSecond;

        public override long GetTimestamp() => Now.Ticks;
    }

    private sealed class Heard : ITransferProgress
    {
        public List<string> Lines { get; } = [];

        public void Uploading(Destination destination, Descriptor blob, long sent, double bytesPerSecond) => Lines.Add($"{sent} at {bytesPerSecond:0}");

        public void Note(string message) => throw new InvalidOperationException(message);
    }
}
