using System.Diagnostics;
using System.Globalization;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests.Transfer;
using Registry.Sdk.TestKit;

namespace Registry.Sdk.Bench;

/// <summary>What it takes to send a large layer over a line that is cut again and again: bytes, time, and memory in a process that does nothing else.</summary>
internal static class Transfer
{
    private const long Megabyte = 1_000_000;

    public static async Task<int> RunAsync()
    {
        var temporary = Directory.CreateTempSubdirectory("rsdk-transfer-").FullName;
        try
        {
            await Shell.DescribeAsync();
            Shell.Print($"| layer | cut every | cuts | MB sent | times its size | of it again MB | requests | s | peak MB |\n| --- | --- | --- | --- | --- | --- | --- | --- | --- |");
            var small = 0d;
            foreach (var (size, every) in new[] { (1000L, long.MaxValue), (200 * Megabyte, long.MaxValue), (2000 * Megabyte, long.MaxValue), (2000 * Megabyte, 50 * Megabyte) })
            {
                var state = Path.Combine(temporary, "state");
                await using (var emulator = await EmulatorServer.StartAsync(new() { StateDirectory = state }))
                await using (var link = CuttingProxy.Start(emulator.BaseAddress.Port, every))
                {
                    var cost = await Shell.TimeAsync($"{Shell.Self} upload '{link.Address}' {size.ToString(CultureInfo.InvariantCulture)}");
                    var words = cost.Output.Split(' ');
                    var peak = long.Parse(words[0], CultureInfo.InvariantCulture) * 1024 / 1e6;
                    small = small == 0 ? peak : small;
                    Shell.Print($"| {size / 1e6:0.###} MB | {(every == long.MaxValue ? "never" : $"{every / Megabyte} MB")} | {link.Cuts} | {link.Sent / 1e6:0.0} | {(double)link.Sent / size:0.000} | {long.Parse(words[1], CultureInfo.InvariantCulture) / 1e6:0.0} | {emulator.Requests.Count} | {cost.Seconds:0.0} | {peak:0} |");
                    if ((size > Megabyte && link.Sent > 1.15 * size) || peak > small + 150)
                    {
                        throw new InvalidOperationException("more than 1.15 times its size was sent, or more than 150 MB of memory used beyond a small layer");
                    }
                }

                Directory.Delete(state, recursive: true);
            }

            return 0;
        }
        finally
        {
            Directory.Delete(temporary, recursive: true);
        }
    }

    /// <summary>Sends one layer; prints the most memory that this process had in use (KB), and the bytes that had to be sent again.</summary>
    public static async Task<int> UploadAsync(string address, long size)
    {
        if (!RegistryHost.TryParse(address, out var host))
        {
            return 2;
        }

        using var resilience = new RegistryResilience(RetryLimits.Publish, TimeProvider.System, Console.Error.WriteLine);
        using var connections = new RegistryConnections(EndpointMap.Empty, new Nobody()) { Resilience = resilience };
        var client = connections.Open(new RepositoryReference(host, "bench/big"));
        Descriptor blob;
        using (var content = new PatternStream(size))
        {
            blob = new("application/octet-stream", await Digest.OfAsync(content, CancellationToken.None), size);
        }

        await client.UploadAsync(await client.StartUploadAsync(CancellationToken.None), blob, () => new PatternStream(size), null, CancellationToken.None);
        if (!await client.HasBlobAsync(blob, CancellationToken.None))
        {
            throw new InvalidOperationException("it did not arrive");
        }

        using var self = Process.GetCurrentProcess();
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{self.PeakWorkingSet64 / 1024} {client.BytesSentAgain}"));
        return 0;
    }

    private sealed class Nobody : ICredentialSource
    {
        public Task<Credential?> FindAsync(RegistryEndpoint endpoint, RepositoryReference repository, CancellationToken cancellationToken) => Task.FromResult<Credential?>(null);

        public IReadOnlyList<string> TrustedRealmHosts(RegistryEndpoint endpoint) => [];
    }
}
