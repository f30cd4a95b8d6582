using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Registry.Sdk.Quickstart;

using var stop = new CancellationTokenSource();
using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
using var hangup = PosixSignalRegistration.Create(PosixSignal.SIGHUP, Stop);
var clock = Stopwatch.StartNew();
try
{
    await Tour.RunAsync(stop.Token);
    Console.WriteLine(string.Create(
        CultureInfo.InvariantCulture,
        $"\nDone in {clock.Elapsed.TotalSeconds:0} s: every tag names the same digest in every registry of its image. Nothing is left behind, no process and no file."));
    return 0;
}
catch (OperationCanceledException) when (stop.IsCancellationRequested)
{
    await Console.Error.WriteLineAsync("\nInterrupted. Everything is cleaned up.");
    return 130;
}
catch (QuickstartException exception)
{
    await Console.Error.WriteLineAsync("\nFAILED: " + exception.Message);
    return 1;
}

// The process goes on, to end what it started and to remove its folder.
void Stop(PosixSignalContext context)
{
    context.Cancel = true;
    stop.Cancel();
}
