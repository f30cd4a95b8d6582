using System.Diagnostics;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Files;

/// <summary>Publish folders that nobody makes by accident.</summary>
public sealed class PublishFolderTests : IDisposable
{
    private readonly string _folder = Directory.CreateTempSubdirectory("rsdk-core-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Two such names are one text, and no file can be opened by it. Only a shell can make them: .NET writes no such name.</summary>
    [Fact]
    public async Task A_name_that_is_no_Unicode_is_an_error()
    {
        using var shell = Process.Start("/bin/sh", ["-c", "cd \"$1\" && : > \"$(printf 'a\\377')\" && : > \"$(printf 'a\\376')\" && : > \"$(printf 'a\\357\\277\\275')\" && mkdir \"$(printf 'd\\377')\" && : > good", "sh", _folder]);
        await shell.WaitForExitAsync();
        Assert.Equal((0, 5), (shell.ExitCode, Directory.GetFileSystemEntries(_folder).Length));
        var result = await PublishFolder.ReadAsync(_folder, CancellationToken.None);
        using var remover = Process.Start("/bin/rm", ["-r", _folder]);
        await remover.WaitForExitAsync();
        Directory.CreateDirectory(_folder);
        Assert.Equal(["RSDK3004", "RSDK3004", "RSDK3004", "RSDK3004"], result.Diagnostics.Select(d => d.Code));
        Assert.All(result.Diagnostics, d => Assert.Contains("Unicode", d.Message));
    }

    /// <summary>22 folders with two links each to the next: 4 million ways to the last one.</summary>
    [Fact]
    public async Task Links_to_links_to_links_end()
    {
        const int Levels = 22;
        for (var i = 0; i <= Levels; i++)
        {
            var level = Directory.CreateDirectory(Path.Combine(_folder, $"l{i}")).FullName;
            for (var link = 0; link < 2 && i < Levels; link++)
            {
                Directory.CreateSymbolicLink(Path.Combine(level, $"{link}"), Path.Combine(_folder, $"l{i + 1}"));
            }
        }

        await File.WriteAllTextAsync(Path.Combine(_folder, $"l{Levels}", "file"), "");
        using var stop = new CancellationTokenSource(TimeSpan.FromSeconds(20));
        var result = await PublishFolder.ReadAsync(_folder, stop.Token);
        Assert.All(result.Diagnostics, d => Assert.Equal("RSDK3005", d.Code));
        Assert.InRange(result.Diagnostics.Count, 1, Levels);
        Assert.Contains("100", result.Diagnostics[0].Message);
    }

    [Fact]
    public async Task A_folder_that_many_links_name_is_there_under_each_name()
    {
        Directory.CreateDirectory(Path.Combine(_folder, "real"));
        await File.WriteAllTextAsync(Path.Combine(_folder, "real", "file"), "x");
        for (var i = 0; i < 99; i++)
        {
            Directory.CreateSymbolicLink(Path.Combine(_folder, $"{i}"), "real");
        }

        Assert.Equal(100, (await PublishFolder.ReadAsync(_folder, CancellationToken.None)).Value.Files.Count);
    }
}
