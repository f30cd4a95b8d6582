using System.Diagnostics;
using Registry.Sdk.Core;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Core.Transfer;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>Journal and notes lie where others write too: a folder that CI restored, a cache that several users share. What is there instead of them is no reason to hang, to fail, or to write elsewhere.</summary>
public sealed class ForeignFileTests
{
    // Whoever hangs here hangs for ever, or for minutes.
    private static readonly TimeSpan Guard = TimeSpan.FromMinutes(2);

    [Theory]
    [InlineData("pipe")]
    [InlineData("link to a device")]
    [InlineData("link to a large file")]
    [InlineData("link to nothing")]
    public async Task What_is_no_journal_is_not_opened_and_is_replaced(string what)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        await using var bench = await CommitBench.StartAsync();
        await using var elsewhere = new TempDirectory("elsewhere");
        var request = bench.Request("1.2.3");
        var journal = CommitBench.Journal(request);
        var target = elsewhere.File("target");
        switch (what)
        {
            case "pipe":
                await PipeAsync(journal);
                break;
            case "link to a device":
                File.CreateSymbolicLink(journal, "/dev/zero");
                break;
            case "link to a large file":
                await using (var large = File.Create(target))
                {
                    large.SetLength(64 << 20);
                }

                File.CreateSymbolicLink(journal, target);
                break;
            default:
                File.CreateSymbolicLink(journal, target);
                break;
        }

        var published = (await Task.Run(() => CommitBench.PublishAsync(request)).WaitAsync(Guard)).EnsureSucceeded();

        Assert.Contains(what == "link to a large file" ? "it has 67108864 bytes" : "it is no regular file", Assert.Single(published.Log, l => l.Contains("is ignored", StringComparison.Ordinal)));
        Assert.Null(new FileInfo(journal).LinkTarget);
        Assert.Contains("\"created\"", await File.ReadAllTextAsync(journal));
        Assert.Equal(what == "link to a large file" ? 64 << 20 : -1, File.Exists(target) ? new FileInfo(target).Length : -1);
    }

    [Theory]
    [InlineData("link to a file")]
    [InlineData("link to nothing")]
    [InlineData("pipe")]
    [InlineData("folder")]
    [InlineData("linked folder")]
    public async Task What_is_no_note_is_neither_read_nor_written(string what)
    {
        if (OperatingSystem.IsWindows())
        {
            return;
        }

        await using var bench = await CommitBench.StartAsync(3);
        await using var elsewhere = new TempDirectory("elsewhere");
        await Seed.PushAsync(bench.Clients[2], "base", "10.0", new SeedImage());
        (await CommitBench.PublishAsync(Service(bench, 0))).EnsureSucceeded();
        var notes = Directory.GetFiles(Path.Combine(bench.Cache, "notes"), "*", SearchOption.AllDirectories);
        Assert.NotEmpty(notes);
        var precious = elsewhere.File("precious");
        await File.WriteAllTextAsync(precious, "precious");
        foreach (var note in what == "linked folder" ? [] : notes)
        {
            File.Delete(note);
            switch (what)
            {
                case "link to a file":
                    File.CreateSymbolicLink(note, precious);
                    break;
                case "link to nothing":
                    File.CreateSymbolicLink(note, elsewhere.File("new"));
                    break;
                case "pipe":
                    await PipeAsync(note);
                    break;
                default:
                    Directory.CreateDirectory(note);
                    break;
            }
        }

        if (what == "linked folder")
        {
            foreach (var folder in notes.Select(n => Path.GetDirectoryName(n)!).Distinct(StringComparer.Ordinal))
            {
                Directory.Delete(folder, recursive: true);
                Directory.CreateSymbolicLink(folder, elsewhere.Folder("notes"));
            }
        }

        var published = await Task.Run(() => CommitBench.PublishAsync(Service(bench, 1))).WaitAsync(Guard);

        published.EnsureSucceeded();
        Assert.Equal("precious", await File.ReadAllTextAsync(precious));
        Assert.False(File.Exists(elsewhere.File("new")));
        Assert.Empty(Directory.GetFiles(elsewhere.Folder("notes")));
    }

    /// <summary>Who holds a note writes it: there is nothing to wait for where nothing is to be sent.</summary>
    [Fact]
    public async Task A_note_that_a_stopped_process_holds_keeps_nobody_who_has_nothing_to_send()
    {
        await using var bench = await CommitBench.StartAsync(3);
        await Seed.PushAsync(bench.Clients[2], "base", "10.0", new SeedImage());
        (await CommitBench.PublishAsync(Service(bench, 0))).EnsureSucceeded();
        var held = Directory.GetFiles(Path.Combine(bench.Cache, "notes"), "*", SearchOption.AllDirectories)
            .Select(n => new FileStream(n, FileMode.Open, FileAccess.ReadWrite, FileShare.None)).ToList();
        using var guard = new CancellationTokenSource(Guard);

        var published = await CommitBench.PublishAsync(Service(bench, 0), guard.Token);

        held.ForEach(h => h.Dispose());
        Assert.NotEmpty(held);
        published.EnsureSucceeded();
    }

    /// <summary>A process that was stopped holds several notes: it is waited for once, and not once for each.</summary>
    [Fact]
    public async Task Who_has_waited_in_vain_for_one_note_waits_for_no_other()
    {
        await using var directory = new TempDirectory("notes");
        var cache = new ImageCache(directory.Folder("cache"), 1 << 20);
        var (first, second) = (Digest.Of("1"u8.ToArray()), Digest.Of("2"u8.ToArray()));
        var stopped = new BlobNotes(cache, directory.Folder("clone"));
        var time = new InstantTime();
        var notes = new BlobNotes(cache, directory.Folder("clone")) { Time = time };
        using var held = await stopped.TakeAsync("registry", first, CancellationToken.None);
        var alsoHeld = await stopped.TakeAsync("registry", second, CancellationToken.None);
        Assert.NotNull(held);
        Assert.NotNull(alsoHeld);

        Assert.Null(await notes.TakeAsync("registry", first, CancellationToken.None));

        Assert.InRange(time.Waits.Sum(w => w.TotalSeconds), 300, 301);
        var waits = time.Waits.Count;
        Assert.Null(await notes.TakeAsync("registry", second, CancellationToken.None));
        Assert.Equal(waits, time.Waits.Count);
        alsoHeld.Dispose();
        using var free = await notes.TakeAsync("registry", second, CancellationToken.None);
        Assert.NotNull(free);
    }

    private static async Task PipeAsync(string path)
    {
        using var mkfifo = Process.Start("mkfifo", path);
        await mkfifo.WaitForExitAsync();
        Assert.Equal(0, mkfifo.ExitCode);
    }

    private static PublishRequest Service(CommitBench bench, int number)
    {
        var request = bench.Request("1.2.3", content: $"service {number}", repository: $"team/service{number}");
        return request with
        {
            Platforms = [request.Platforms[0] with { BaseReference = "", BaseRegistry = bench.Servers[2].Host, BaseRepository = "base", BaseTag = "10.0" }],
            Destinations = [.. request.Destinations.Take(2)],
            CacheDirectory = bench.Cache,
            CacheSize = "100",
        };
    }
}
