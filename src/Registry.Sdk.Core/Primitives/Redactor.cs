using System.Collections.Concurrent;
using System.Text;

namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// Knows all secrets that were used in one publish, and keeps them out of texts. One for all registries: what one was shown another may hold
/// (in a label, in a token), and what is cut, split, re-written in small letters or escaped is still recognised by its pieces.
/// </summary>
public sealed class Redactor
{
    /// <summary>Of a secret, this many characters in a row are recognised. It is also as many as fit into one number.</summary>
    private const int Piece = sizeof(ulong);

    // Our own words may have eight letters in common with a weak password («registry»); more is no coincidence.
    private const int TellTale = 12;

    private const string Hidden = "(its words repeat the secret, and are not shown)";

    private readonly ConcurrentDictionary<string, bool> _forms = new(StringComparer.OrdinalIgnoreCase);
    private readonly ConcurrentDictionary<ulong, bool> _pieces = new();

    // What is on the command line or in the project anyway: hosts, repositories, user names.
    private readonly ConcurrentDictionary<string, bool> _known = new(StringComparer.OrdinalIgnoreCase);

    /// <summary>Takes a credential's secret into account, in all the forms in which it is sent.</summary>
    /// <param name="credential">What is shown.</param>
    /// <param name="repository">What for; its name is no secret, whatever the secret is made of.</param>
    public void Learn(Credential credential, RepositoryReference repository)
    {
        ArgumentNullException.ThrowIfNull(credential);
        ArgumentNullException.ThrowIfNull(repository);
        foreach (var word in new[] { repository.ToString(), credential.Username, credential.Source }.Where(w => w.Length > 0))
        {
            _known.TryAdd(word, true);
        }

        var secret = credential.Password.Reveal();
        if (secret.Length > 0)
        {
            Learn(secret);
            Learn(Uri.EscapeDataString(secret));
            Learn(Convert.ToBase64String(Encoding.UTF8.GetBytes($"{credential.Username}:{secret}")));
            Learn(Convert.ToBase64String(Encoding.UTF8.GetBytes(secret)));
        }
    }

    /// <summary>Takes a token into account that was issued for a credential.</summary>
    public void LearnToken(string token)
    {
        ArgumentNullException.ThrowIfNull(token);
        // A shorter one guards nothing.
        if (token.Length >= Piece)
        {
            Learn(token);
        }
    }

    /// <summary>Words from outside for a message: plain, bounded, and not at all where they hold a secret or a piece of one.</summary>
    public string Words(string foreign)
    {
        ArgumentNullException.ThrowIfNull(foreign);
        // Looked at whole: what is cut off may be what gives the rest away.
        return Repeats(foreign) ? Hidden : RegistryClient.Clean(foreign);
    }

    /// <summary>Whether words from outside hold a secret or a piece of one.</summary>
    public bool Repeats(string foreign)
    {
        ArgumentNullException.ThrowIfNull(foreign);
        return !_forms.IsEmpty && (Holds(foreign) || Holds(PlainText.Visible(foreign)) || (foreign.Contains('%', StringComparison.Ordinal) && Holds(Uri.UnescapeDataString(foreign))));

        bool Holds(string text) => _forms.Keys.Any(f => f.Length < Piece && StandsIn(text, f)) || Runs(text).Any();
    }

    /// <summary>A failure whose message repeats no secret, nor does the exception behind it.</summary>
    internal RegistryException Fail(RegistryFailure failure, RegistryHost host, string message, Exception? inner = null, bool isTransient = false, TimeSpan? retryAfter = null)
        => new(failure, host, Finish(message), inner is null || Repeats(inner.ToString()) || QuotesHexadecimal(inner) || NamesProxy(inner) ? null : inner) { IsTransient = isTransient, RetryAfter = retryAfter };

    /// <summary>.NET names a proxy that refuses as the environment does, with its password.</summary>
    private static bool NamesProxy(Exception exception)
        => AnyOf(exception, e => e is HttpRequestException { HttpRequestError: HttpRequestError.ProxyTunnelError });

    /// <summary>.NET quotes a chunk's header that it can't read in hexadecimal digits: nobody reads them, and they may be anything.</summary>
    internal static bool QuotesHexadecimal(Exception exception)
        => AnyOf(exception, e => e is HttpRequestException { HttpRequestError: HttpRequestError.InvalidResponse } or HttpIOException { HttpRequestError: HttpRequestError.InvalidResponse }
            && e.Message.Contains("chunk", StringComparison.OrdinalIgnoreCase));

    private static bool AnyOf(Exception exception, Func<Exception, bool> isSo)
    {
        for (var e = exception; e is not null; e = e.InnerException)
        {
            if (isSo(e))
            {
                return true;
            }
        }

        return false;
    }

    /// <summary>A finished text, ours and others' together: a secret in it is replaced by <c>***</c>, also the greater part of one.</summary>
    public string Finish(string text)
    {
        ArgumentNullException.ThrowIfNull(text);
        var result = new StringBuilder(text.Length);
        var copied = 0;
        foreach (var (start, end) in _forms.IsEmpty ? [] : Runs(text))
        {
            var run = text[start..end];
            if ((run.Length >= TellTale || _forms.ContainsKey(run)) && !_known.Keys.Any(k => k.Contains(run, StringComparison.OrdinalIgnoreCase)))
            {
                result.Append(text, copied, start - copied).Append("***");
                copied = end;
            }
        }

        return copied == 0 ? text : result.Append(text, copied, text.Length - copied).ToString();
    }

    // A weak secret («token», «p») is part of many words, and is meant only where it is one.
    private static bool StandsIn(string text, string word)
    {
        for (var at = text.IndexOf(word, StringComparison.OrdinalIgnoreCase); at >= 0; at = text.IndexOf(word, at + 1, StringComparison.OrdinalIgnoreCase))
        {
            var end = at + word.Length;
            if ((at == 0 || !char.IsLetterOrDigit(text[at - 1])) && (end == text.Length || !char.IsLetterOrDigit(text[end])))
            {
                return true;
            }
        }

        return false;
    }

    private void Learn(string form)
    {
        // Another request has learnt it: its pieces are there, or about to be.
        if (_forms.TryAdd(form, true))
        {
            foreach (var (_, piece) in Pieces(form))
            {
                _pieces.TryAdd(piece, true);
            }
        }
    }

    /// <summary>Where a text goes along a secret for <see cref="Piece"/> characters or more.</summary>
    private IEnumerable<(int Start, int End)> Runs(string text)
    {
        var start = -1;
        var end = 0;
        foreach (var (at, piece) in Pieces(text))
        {
            if (!_pieces.ContainsKey(piece))
            {
                continue;
            }

            if (start >= 0 && at > end)
            {
                yield return (start, end);
                start = at;
            }

            start = start < 0 ? at : start;
            end = at + Piece;
        }

        if (start >= 0)
        {
            yield return (start, end);
        }
    }

    // Each as a number: small letters, one byte a character.
    private static IEnumerable<(int Start, ulong Piece)> Pieces(string text)
    {
        ulong piece = 0;
        for (var i = 0; i < text.Length; i++)
        {
            piece = (piece << 8) | (byte)char.ToLowerInvariant(text[i]);
            if (i >= Piece - 1)
            {
                yield return (i - Piece + 1, piece);
            }
        }
    }
}
