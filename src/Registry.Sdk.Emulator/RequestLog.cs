using System.Collections.Concurrent;
using System.Globalization;
using System.Text;
using Microsoft.AspNetCore.Http.Features;

namespace Registry.Sdk.Emulator;

/// <summary>Remembers requests and writes the log file. Thread-safe.</summary>
internal sealed class RequestLog : IDisposable
{
    // By allow-list, so that a parameter nobody thought of (a token, a password) is hidden and not shown.
    private static readonly HashSet<string> HarmlessParameters = new(StringComparer.Ordinal)
    {
        "digest", "mount", "from", "n", "last", "artifactType", "_state", "service", "scope", "account", "client_id",
        "package_type", "visibility", "state", "page", "per_page", "page_size", "ordering", "offline_token",
    };

    private readonly ConcurrentQueue<Entry> _entries = new();
    private readonly Lock _fileGate = new();
    private readonly StreamWriter? _file;
    private readonly int _capacity;
    private int _nextIndex = -1;

    public RequestLog(string? logFile, int capacity)
    {
        _capacity = capacity;
        if (logFile is null)
        {
            return;
        }

        Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(logFile))!);
        _file = new StreamWriter(
            new FileStream(logFile, FileMode.Append, FileAccess.Write, FileShare.ReadWrite), new UTF8Encoding(encoderShouldEmitUTF8Identifier: false))
        {
            AutoFlush = true,
        };
    }

    public IReadOnlyList<RequestRecord> Snapshot() => [.. _entries.Select(entry => entry.ToRecord())];

    /// <summary>
    /// Starts recording: the entry is visible from now on and filled as bytes flow. It must not be added at the end of the request, for a
    /// test that has its answer would then race the server for the record of it.
    /// </summary>
    public Entry Begin(HttpContext context)
    {
        var entry = new Entry(
            Interlocked.Increment(ref _nextIndex),
            context.Request.Method,
            context.Request.Path.ToUriComponent() + Redact(context.Request.Query),
            context.Request.Headers.ContainsKey("Authorization"),
            $"{context.Connection.LocalIpAddress}:{context.Connection.LocalPort}");
        context.Response.OnStarting(() =>
        {
            SetStatus(entry, context);
            return Task.CompletedTask;
        });
        context.Features.Set<IHttpRequestLifetimeFeature>(new AbortObserver(context.Features.GetRequiredFeature<IHttpRequestLifetimeFeature>(), context.Response, entry));
        context.Request.Body = new CountingStream(context.Request.Body, entry);
        context.Response.Body = new CountingStream(context.Response.Body, entry);
        _entries.Enqueue(entry);
        while (_entries.Count > _capacity && _entries.TryDequeue(out _))
        {
        }

        return entry;
    }

    public void End(Entry entry, HttpContext context)
    {
        // An answer without a body starts only after us.
        SetStatus(entry, context);
        var record = entry.ToRecord();
        WriteLine(string.Create(
            CultureInfo.InvariantCulture,
            $"{record.Method} {record.PathAndQuery} {record.Status} in={record.RequestBytes} out={record.ResponseBytes}"));
    }

    public void WriteLine(string text)
    {
        if (_file is null)
        {
            return;
        }

        lock (_fileGate)
        {
            _file.WriteLine(string.Create(CultureInfo.InvariantCulture, $"{DateTimeOffset.UtcNow:yyyy-MM-ddTHH:mm:ss.fffZ} {text}"));
        }
    }

    public void Dispose()
    {
        lock (_fileGate)
        {
            _file?.Dispose();
        }
    }

    private static void SetStatus(Entry entry, HttpContext context)
    {
        // An answer whose connection is gone never begins, whatever the server does to finish it.
        if (!entry.Aborted && (context.Response.HasStarted || !context.RequestAborted.IsCancellationRequested))
        {
            entry.Status = context.Response.StatusCode;
        }
    }

    private static string Redact(IQueryCollection query)
    {
        var text = new StringBuilder();
        foreach (var (name, values) in query)
        {
            foreach (var value in values)
            {
                var shown = HarmlessParameters.Contains(name) ? Uri.EscapeDataString(value ?? "").Replace("%3A", ":", StringComparison.Ordinal).Replace("%2F", "/", StringComparison.Ordinal) : "***";
                text.Append(text.Length == 0 ? '?' : '&').Append(Uri.EscapeDataString(name)).Append('=').Append(shown);
            }
        }

        return text.ToString();
    }

    /// <summary>A request under way.</summary>
    internal sealed class Entry(int index, string method, string pathAndQuery, bool hasAuthorization, string origin)
    {
        private long _requestBytes;
        private long _responseBytes;
        private int _status;

        public int Index => index;

        public int Status
        {
            set => Volatile.Write(ref _status, value);
        }

        /// <summary>The server dropped the connection itself.</summary>
        public bool Aborted { get; set; }

        /// <summary>See <see cref="RequestRecord.Account"/>.</summary>
        public string? Account { get; set; }

        /// <summary>See <see cref="RequestRecord.Secrets"/>.</summary>
        public IReadOnlyList<string> Secrets { get; set; } = [];

        public void CountRead(int bytes) => Interlocked.Add(ref _requestBytes, bytes);

        public void CountWritten(int bytes) => Interlocked.Add(ref _responseBytes, bytes);

        public RequestRecord ToRecord() => new(
            index, method, pathAndQuery, Volatile.Read(ref _status), Interlocked.Read(ref _requestBytes), Interlocked.Read(ref _responseBytes), hasAuthorization)
        {
            Origin = origin,
            Account = Account,
            Secrets = Secrets,
        };
    }

    private sealed class AbortObserver(IHttpRequestLifetimeFeature inner, HttpResponse response, Entry entry) : IHttpRequestLifetimeFeature
    {
        public CancellationToken RequestAborted
        {
            get => inner.RequestAborted;
            set => inner.RequestAborted = value;
        }

        public void Abort()
        {
            entry.Aborted = true;
            if (!response.HasStarted)
            {
                // Also where the answer was ready and its loss is the fault.
                entry.Status = 0;
            }

            inner.Abort();
        }
    }

    private sealed class CountingStream(Stream inner, Entry entry) : Stream
    {
        public override bool CanRead => inner.CanRead;

        public override bool CanSeek => false;

        public override bool CanWrite => inner.CanWrite;

        public override long Length => throw new NotSupportedException();

        public override long Position
        {
            get => throw new NotSupportedException();
            set => throw new NotSupportedException();
        }

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            var read = await inner.ReadAsync(buffer, cancellationToken);
            entry.CountRead(read);
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count)
        {
            var read = inner.Read(buffer, offset, count);
            entry.CountRead(read);
            return read;
        }

        // Counted before they leave, so that a client holding the bytes finds them counted.
        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            entry.CountWritten(buffer.Length);
            return inner.WriteAsync(buffer, cancellationToken);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Write(byte[] buffer, int offset, int count)
        {
            entry.CountWritten(count);
            inner.Write(buffer, offset, count);
        }

        public override void Flush() => inner.Flush();

        public override Task FlushAsync(CancellationToken cancellationToken) => inner.FlushAsync(cancellationToken);

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();
    }
}
