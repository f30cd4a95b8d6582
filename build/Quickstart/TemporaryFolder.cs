namespace Registry.Sdk.Quickstart;

/// <summary>The one folder that everything is made in, removed at the end.</summary>
internal sealed class TemporaryFolder : IAsyncDisposable
{
    private const int Attempts = 20;

    public TemporaryFolder() => FullPath = Directory.CreateTempSubdirectory("rsdk-quick-").FullName;

    public string FullPath { get; }

    public string At(params string[] names) => Path.Combine([FullPath, .. names]);

    public async ValueTask DisposeAsync()
    {
        for (var attempt = 1; Directory.Exists(FullPath); attempt++)
        {
            try
            {
                // Windows does not delete read-only files, and git's objects are.
                foreach (var file in Directory.EnumerateFiles(FullPath, "*", SearchOption.AllDirectories).Where(_ => OperatingSystem.IsWindows()))
                {
                    File.SetAttributes(file, FileAttributes.Normal);
                }

                Directory.Delete(FullPath, recursive: true);
            }
            catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
            {
                // A process that is just ending may hold a file, or write a last one.
                if (attempt == Attempts)
                {
                    throw new QuickstartException($"{FullPath} could not be removed: {exception.Message}");
                }

                await Task.Delay(250);
            }
        }
    }
}
