using System.Net.Sockets;
using System.Text;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.Registry.Tests.Transfer;

namespace Registry.Sdk.Registry.Tests.Hostile;

/// <summary>
/// A line without a network, one connection a request: what comes back is bytes that a test writes, cut where it likes. The HTTP client at this end is the
/// real one, so what it makes of them is seen; and thousands of answers cost a second.
/// </summary>
internal sealed class ScriptedLine : ICredentialSource, IDisposable
{
    private readonly HttpMessageInvoker _http;
    private readonly RegistryAuthenticator _authenticator;
    private readonly List<string> _heads = [];

    /// <summary>Opens a client of <c>127.0.0.1:5000/team/app</c>.</summary>
    /// <param name="answer">Gives the answer's bytes to a request's head, and whether the line ends with a reset.</param>
    /// <param name="resilience">How failures are met; null: each is handed on.</param>
    public ScriptedLine(Func<string, (byte[] Bytes, bool Resets)> answer, RegistryResilience? resilience = null)
    {
        _http = new(new SocketsHttpHandler
        {
            AllowAutoRedirect = false,
            UseCookies = false,
            UseProxy = false,
            ConnectCallback = (_, _) => ValueTask.FromResult<Stream>(new Line(head =>
            {
                lock (_heads)
                {
                    _heads.Add(head);
                }

                return answer(head);
            })),
        });
        if (!RegistryHost.TryParse("127.0.0.1:5000", out var host))
        {
            throw new InvalidOperationException();
        }

        var endpoint = EndpointMap.Empty.Resolve(host);
        _authenticator = new(endpoint, this, _http);
        Client = new(endpoint, new(host, "team/app"), _authenticator, _http, static _ => { }) { Resilience = resilience?.Of(endpoint), AnswerTimeout = TimeSpan.FromSeconds(20) };
    }

    /// <summary>The client.</summary>
    public RegistryClient Client { get; }

    /// <summary>The heads of all requests so far.</summary>
    public IReadOnlyList<string> Heads
    {
        get
        {
            lock (_heads)
            {
                return [.. _heads];
            }
        }
    }

    public Task<Credential?> FindAsync(RegistryEndpoint endpoint, RepositoryReference repository, CancellationToken cancellationToken)
        => Task.FromResult<Credential?>(Wire.Login(FakeInternet.User, FakeInternet.Password));

    public IReadOnlyList<string> TrustedRealmHosts(RegistryEndpoint endpoint) => [];

    public void Dispose()
    {
        _http.Dispose();
        _authenticator.Dispose();
    }

    private sealed class Line(Func<string, (byte[] Bytes, bool Resets)> answer) : Stream
    {
        private readonly MemoryStream _sent = new();
        private (byte[] Bytes, bool Resets)? _answer;
        private int _read;

        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            if (buffer.IsEmpty)
            {
                return new(0);
            }

            var (bytes, resets) = _answer ??= answer(Head());
            var count = Math.Min(buffer.Length, bytes.Length - _read);
            if (count == 0 && resets)
            {
                throw new IOException("reset", new SocketException((int)SocketError.ConnectionReset));
            }

            bytes.AsMemory(_read, count).CopyTo(buffer);
            _read += count;
            return new(count);
        }

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException();

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override void Write(byte[] buffer, int offset, int count) => _sent.Write(buffer, offset, count);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            _sent.Write(buffer.Span);
            return default;
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) => _sent.WriteAsync(buffer, offset, count, cancellationToken);

        public override void Flush()
        {
        }

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        protected override void Dispose(bool disposing)
        {
            _sent.Dispose();
            base.Dispose(disposing);
        }

        private string Head()
        {
            var text = Encoding.Latin1.GetString(_sent.ToArray());
            var end = text.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            return end < 0 ? text : text[..end];
        }
    }
}
