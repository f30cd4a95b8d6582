using System.Security.Cryptography;

namespace Registry.Sdk.Emulator;

/// <summary>
/// A blob upload under way. Bytes go to a file and through the hash as they come, so that a blob is never in memory. Sessions live in
/// the process: after a restart their clients get 404 <c>BLOB_UPLOAD_UNKNOWN</c> and start anew, which the specification allows.
/// </summary>
internal sealed class UploadSession(string repository, string partialFile) : IDisposable
{
    private readonly IncrementalHash _hash = IncrementalHash.CreateHash(HashAlgorithmName.SHA256);

    public string Id { get; } = Guid.NewGuid().ToString("N");

    public string Repository => repository;

    /// <summary>One request at a time may write.</summary>
    public SemaphoreSlim Gate { get; } = new(1, 1);

    /// <summary>Bytes received so far.</summary>
    public long Length { get; private set; }

    /// <summary>Set, under the gate, when the session ended while another request waited for it.</summary>
    public bool Ended { get; private set; }

    public async Task AppendAsync(Stream body, CancellationToken cancellationToken)
    {
        // Unbuffered, so that Length and the file agree whenever the body breaks off.
        await using var file = new FileStream(partialFile, FileMode.OpenOrCreate, FileAccess.Write, FileShare.None, bufferSize: 0, useAsync: true);
        file.SetLength(Length);
        file.Seek(Length, SeekOrigin.Begin);
        var buffer = new byte[128 * 1024];
        int read;
        while ((read = await body.ReadAsync(buffer, cancellationToken)) > 0)
        {
            await file.WriteAsync(buffer.AsMemory(0, read), cancellationToken);
            _hash.AppendData(buffer, 0, read);
            Length += read;
        }
    }

    /// <summary>Digest of the bytes received so far.</summary>
    public string CurrentDigest() => ImageReference.Digest(_hash.GetCurrentHash());

    /// <summary>The complete file, for the store to take. An empty blob gets its file here.</summary>
    public string Complete()
    {
        Ended = true;
        if (!File.Exists(partialFile))
        {
            File.WriteAllBytes(partialFile, []);
        }

        return partialFile;
    }

    /// <summary>Ends the session and removes its bytes.</summary>
    public void Discard()
    {
        Ended = true;
        File.Delete(partialFile);
    }

    public void Dispose()
    {
        _hash.Dispose();
        Gate.Dispose();
    }
}
