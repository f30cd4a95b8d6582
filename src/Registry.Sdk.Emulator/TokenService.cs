using System.Collections.Concurrent;
using System.Security.Cryptography;

namespace Registry.Sdk.Emulator;

/// <summary>What a token is for: none of them works where another is due.</summary>
internal enum TokenUse
{
    /// <summary>The distribution API.</summary>
    Registry,

    /// <summary>The service's own API.</summary>
    Api,

    /// <summary>Getting other tokens.</summary>
    Refresh,
}

/// <summary>A token given out.</summary>
/// <param name="Use">What it is for.</param>
/// <param name="Account">The account it was given to; <see langword="null"/>: anonymous.</param>
/// <param name="Scopes">The repositories it was asked for; a request for any other is refused.</param>
/// <param name="Expires">When it ends.</param>
internal sealed record IssuedToken(TokenUse Use, string? Account, IReadOnlyList<TokenScope> Scopes, DateTimeOffset Expires)
{
    public bool IsExpired => DateTimeOffset.UtcNow >= Expires;

    public bool Covers(string repository, EmulatorRights needed) =>
        Scopes.Any(scope => scope.Repository == repository && (needed == EmulatorRights.Push ? scope.Push : scope.Pull));
}

/// <summary>One <c>repository:NAME:pull,push</c>.</summary>
internal sealed record TokenScope(string Repository, bool Pull, bool Push)
{
    /// <summary>All scopes of a request, which may repeat the parameter and put several into one.</summary>
    public static IReadOnlyList<TokenScope> Parse(IEnumerable<string?> parameters)
    {
        var scopes = new List<TokenScope>();
        foreach (var text in parameters.SelectMany(parameter => (parameter ?? "").Split(' ', StringSplitOptions.RemoveEmptyEntries)))
        {
            // The name may hold a port and so a colon, therefore first and last.
            var first = text.IndexOf(':', StringComparison.Ordinal);
            var last = text.LastIndexOf(':');
            if (first < 0 || first == last || text[..first] != "repository")
            {
                continue;
            }

            var actions = text[(last + 1)..].Split(',');
            scopes.Add(new TokenScope(text[(first + 1)..last], actions.Contains("pull") || actions.Contains("*"), actions.Contains("push") || actions.Contains("*")));
        }

        return scopes;
    }
}

/// <summary>Gives out opaque tokens and remembers them for as long as the process lives. Thread-safe.</summary>
internal sealed class TokenService(TimeSpan lifetime)
{
    private readonly ConcurrentDictionary<string, IssuedToken> _tokens = new(StringComparer.Ordinal);

    public TimeSpan Lifetime => lifetime;

    public string Issue(TokenUse use, string? account, IReadOnlyList<TokenScope> scopes)
    {
        // Not a JWT, on purpose: a client must not look inside.
        var token = "emulated-" + Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(24));
        _tokens[token] = new IssuedToken(use, account, scopes, DateTimeOffset.UtcNow + lifetime);
        return token;
    }

    public IssuedToken? Find(string token, TokenUse use) => _tokens.TryGetValue(token, out var issued) && issued.Use == use ? issued : null;

    /// <summary>The token whatever it is for.</summary>
    public IssuedToken? Find(string token) => _tokens.GetValueOrDefault(token);

    /// <summary>Ends every token that is out.</summary>
    public void ExpireAll()
    {
        foreach (var (token, issued) in _tokens)
        {
            _tokens[token] = issued with { Expires = DateTimeOffset.MinValue };
        }
    }

    /// <summary>All tokens that are good, under the account they were given to. Anonymous ones are no secrets.</summary>
    public IEnumerable<KeyValuePair<string, string>> Secrets() =>
        _tokens.Where(token => token.Value.Account is not null && !token.Value.IsExpired).Select(token => KeyValuePair.Create(token.Value.Account! + " (token)", token.Key));
}
