using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>A secret in a text.</summary>
/// <param name="Rule">What it is.</param>
/// <param name="Start">Where it begins.</param>
/// <param name="Length">How long it is as it stands there.</param>
/// <param name="Value">It.</param>
internal readonly record struct SecretMatch(SecretRule Rule, int Start, int Length, string Value);

/// <summary>
/// Secrets that are recognised wherever they stand. A few fixed strings (anchors) are looked for first, all at once and with the processor's vector
/// instructions; only where one stands is the text judged.
/// </summary>
internal static partial class SecretPatterns
{
    /// <summary>So far before an anchor a match or what decides about it may begin.</summary>
    public const int Before = 2048;

    /// <summary>So far behind an anchor a match or what decides about it may end.</summary>
    public const int Behind = 16 * 1024;

    private const RegexOptions Options = RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture;
    private const RegexOptions IgnoreCase = Options | RegexOptions.IgnoreCase;
    private const int Timeout = 30_000; // ms; each is bounded and anchored, so that this is a safety net

    /// <summary>Longest connection string or address that is looked at on one side of its password.</summary>
    private const int Around = 1024;

    /// <summary>What is in every name of <see cref="ConnectionPart"/>.</summary>
    private static readonly SearchValues<string> ConnectionNames = SearchValues.Create(["server", "source", "host", "addr", "catalog", "database", "user", "uid"], StringComparison.OrdinalIgnoreCase);

    /// <summary>What is in every name of <see cref="ConnectionHost"/>.</summary>
    private static readonly SearchValues<string> HostNames = SearchValues.Create(["server", "source", "host", "addr"], StringComparison.OrdinalIgnoreCase);

    /// <summary>A private key in PEM is shorter, with all its lines.</summary>
    private const int LongestPem = 12_000;

    /// <summary>What stands in a private key, in a file or in source code.</summary>
    private static readonly SearchValues<char> PemCharacters = SearchValues.Create("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=:,.()@ \t\r\n\"'\\-");

    /// <summary>SHA-256 of keys that everyone has: Azurite's and the Cosmos DB emulator's. Source: learn.microsoft.com, «Connect to Azurite», «Azure Cosmos DB emulator».</summary>
    private static readonly HashSet<string> KnownKeys = new(StringComparer.Ordinal)
    {
        "0011cc25eb4320717494d2703e8cba85743e71b500283c21c8b88147992f9059",
        "aa6547439583c3a275d4542a0df6c1ad6a863971be9f2a2220f027cc02aef615",
    };

    private static readonly Pattern[] All =
    [
        new(SecretRules.GitHubToken, ["ghp_", "gho_", "ghu_", "ghs_", "ghr_"], Token(GitHub(), body: SecretText.HasChecksum)),
        new(SecretRules.GitHubFineGrainedToken, ["github_pat_"], Token(GitHubFineGrained())),
        new(SecretRules.DockerToken, ["dckr_pat_", "dckr_oat_"], Token(Docker())),
        new(SecretRules.NpmToken, ["npm_"], Token(Npm(), body: SecretText.HasChecksum)),
        new(SecretRules.NuGetKey, ["oy2"], Token(NuGet())),
        new(SecretRules.AwsSecretKey, ["aws_secret", "awssecret", "secretaccesskey", "secret_access_key"], Token(AwsSecret(), bits: 3.5, mayFollow: true)),
        new(SecretRules.AwsAccessKey, ["AKIA", "ASIA"], Token(AwsId(), bits: 2.5)),
        new(SecretRules.AzureStorageKey, ["AccountKey="], Token(AzureAccount(), bits: 4, mayFollow: true)),
        new(SecretRules.AzureSharedAccessKey, ["SharedAccessKey=", "AccessKey=", ";Secret="], Token(AzureShared(), bits: 3.5, mayFollow: true)),
        new(SecretRules.AzureSas, ["sig="], AzureSignature),
        new(SecretRules.AzureClientSecret, ["7Q~", "8Q~"], Token(AzureSecret(), back: 3)),
        new(SecretRules.AzureKey, ["JQQJ9"], Token(Azure(), back: 52, bits: 3.5)),
        new(SecretRules.AzureDevOpsToken, ["AZDO"], Token(AzureDevOps(), back: 76, bits: 3.5)),
        new(SecretRules.GoogleServiceAccount, ["\"private_key\""], GoogleAccount),
        new(SecretRules.GoogleApiKey, ["AIza"], Token(GoogleKey())),
        new(SecretRules.GoogleClientSecret, ["GOCSPX-"], Token(GoogleSecret())),
        new(SecretRules.SlackToken, ["xoxa-", "xoxb-", "xoxe-", "xoxo-", "xoxp-", "xoxr-", "xoxs-", "xapp-"], Token(Slack(), judge: v => v.Count(char.IsAsciiDigit) >= 8 && SecretText.IsRandom(v))),
        new(SecretRules.SlackWebhook, ["hooks.slack.com/"], Token(SlackHook(), mayFollow: true)),
        new(SecretRules.StripeKey, ["sk_live_", "rk_live_"], Token(Stripe())),
        new(SecretRules.GitLabToken, ["glpat-", "gldt-", "glrt-", "glcbt-", "glptt-", "glft-", "gloas-"], Token(GitLab())),
        new(SecretRules.OpenAiKey, ["T3BlbkFJ"], OpenAi),
        new(SecretRules.AnthropicKey, ["sk-ant-"], Token(Anthropic())),
        new(SecretRules.SendGridKey, ["SG."], Token(SendGrid())),
        new(SecretRules.PyPiToken, ["pypi-AgEI"], Token(PyPi())),
        new(SecretRules.VaultToken, ["hvs."], Token(Vault())),
        new(SecretRules.DigitalOceanToken, ["dop_v1_"], Token(DigitalOcean())),
        new(SecretRules.HuggingFaceToken, ["hf_"], Token(HuggingFace())),
        new(SecretRules.Jwt, ["eyJ"], WebToken),
        new(SecretRules.PrivateKey, ["-----BEGIN "], Pem),
        new(SecretRules.PrivateKey, ["PuTTY-User-Key-File-"], Putty),
        new(SecretRules.PrivateKey, ["AGE-SECRET-KEY-1"], Token(Age())),
        new(SecretRules.JwkPrivateKey, ["\"kty\""], WebKey),
        new(SecretRules.RsaXmlKey, ["<RSAKeyValue>"], Token(RsaXml(), bits: 3.5, mayFollow: true)),
        new(SecretRules.DataProtectionKey, ["<masterKey"], Token(MasterKey(), bits: 3.5, mayFollow: true)),
        new(SecretRules.KubeConfig, ["client-key-data"], Token(KubeKey(), mayFollow: true)),
        new(SecretRules.NuGetConfig, ["ClearTextPassword"], Token(ClearText(), judge: v => !SecretText.IsPlaceholder(v), mayFollow: true)),
        new(SecretRules.Npmrc, ["_authToken", "npmAuthToken"], Token(AuthToken(), judge: v => !SecretText.IsPlaceholder(v), mayFollow: true)),
        new(SecretRules.DockerConfig, ["\"auth\"", "\"identitytoken\""], DockerLogin),
        new(SecretRules.ConnectionString, ["password=", "password =", "pwd=", "pwd ="], Connection),
        new(SecretRules.UrlPassword, ["://"], Address),
    ];

    private static readonly SearchValues<string> Anchors = SearchValues.Create([.. All.SelectMany(p => p.Anchors)], StringComparison.OrdinalIgnoreCase);

    /// <summary>Patterns by the first character of their anchors, in small letters.</summary>
    private static readonly ILookup<char, (string Anchor, Pattern Pattern)> ByFirst
        = All.SelectMany(p => p.Anchors.Select(a => (Anchor: a, Pattern: p))).ToLookup(p => char.ToLowerInvariant(p.Anchor[0]));

    private static readonly int LongestAnchor = All.SelectMany(p => p.Anchors).Max(a => a.Length);

    /// <summary>So many characters a judge is given.</summary>
    private const int Piece = 40 * 1024;

    /// <summary>All secrets whose anchors begin between two places of a text; the rest of it is looked at only to judge them.</summary>
    /// <param name="text">At least <see cref="Before"/> characters before and <see cref="Behind"/> behind, unless the content begins or ends there.</param>
    /// <param name="from">Where anchors are looked for.</param>
    /// <param name="to">Where no more.</param>
    /// <param name="found">Receives them, ascending by anchor.</param>
    public static void Find(ReadOnlySpan<char> text, int from, int to, List<SecretMatch> found)
    {
        // Judges take strings: of the neighbourhood of an anchor, and not longer than the garbage collector moves (85,000 bytes). A window of a megabyte
        // as one string made a full collection every other window.
        string? piece = null;
        var (start, end) = (0, 0);
        for (var at = from; at < to; at++)
        {
            var next = text[at..Math.Min(text.Length, to + LongestAnchor)].IndexOfAny(Anchors);
            if (next < 0 || at + next >= to)
            {
                return;
            }

            at += next;
            foreach (var (anchor, pattern) in ByFirst[char.ToLowerInvariant(text[at])])
            {
                if (!text[at..].StartsWith(anchor, StringComparison.OrdinalIgnoreCase))
                {
                    continue;
                }

                if (piece is null || end < Math.Min(at + LongestAnchor + Behind, text.Length))
                {
                    start = Math.Max(0, at - Before);
                    end = Math.Min(text.Length, start + Piece);
                    piece = text[start..end].ToString();
                }

                if (pattern.Judge(piece, at - start) is { } hit)
                {
                    found.Add(new(hit.Rule ?? pattern.Rule, start + hit.Start, hit.Length, piece.Substring(hit.Start, hit.Length)));
                }
            }
        }
    }

    /// <summary>All secrets of a short text.</summary>
    public static List<SecretMatch> Find(string text)
    {
        var found = new List<SecretMatch>();
        Find(text, 0, text.Length, found);
        return found;
    }

    /// <summary>One way to recognise a rule's secrets.</summary>
    /// <param name="Rule">The rule.</param>
    /// <param name="Anchors">Strings, in any case, at least three characters, one of which is in every match.</param>
    /// <param name="Judge">Looks at the text where an anchor begins.</param>
    private sealed record Pattern(SecretRule Rule, string[] Anchors, Func<string, int, Hit?> Judge);

    /// <summary>What was found at an anchor.</summary>
    /// <param name="Start">Where the secret begins.</param>
    /// <param name="Length">How long it is.</param>
    /// <param name="Rule">Another rule than the pattern's; null: that one.</param>
    private readonly record struct Hit(int Start, int Length, SecretRule? Rule = null);

    /// <summary>Judges by a regular expression: the group <c>v</c> is the secret (or the whole match), <c>r</c> what of it is random.</summary>
    private static Func<string, int, Hit?> Token(Regex regex, int back = 0, double bits = 3, Func<string, bool>? body = null, Func<string, bool>? judge = null, bool mayFollow = false)
        => (text, at) =>
        {
            if (at < back || regex.Match(text, at - back) is not { Success: true } match)
            {
                return null;
            }

            var value = match.Groups["v"] is { Success: true } v ? v : (Capture)match;
            var random = match.Groups["r"] is { Success: true } r ? r.Value : value.Value;
            // A checksum proves it; all others must not be the middle of something longer, and look drawn by lot.
            var isReal = body is not null ? body(random) : judge is not null ? judge(value.Value)
                : (mayFollow || IsFree(text, match.Index, match.Length)) && SecretText.IsRandom(random, bits) && !KnownKeys.Contains(Hash(value.Value));
            return isReal ? new(value.Index, value.Length) : null;
        };

    /// <summary>Whether a token begins where it seems to: not within base 64 or a longer word. In an assembly a string's length can stand before it, and look like a letter.</summary>
    private static bool IsFree(string text, int start, int length)
        => start == 0 || !(char.IsAsciiLetterOrDigit(text[start - 1]) || text[start - 1] is '_' or '+') || text[start - 1] == (char)(byte)length;

    private static string Hash(string value) => Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(value)));

    private static string Window(string text, int at, int before, int behind, out int start)
    {
        start = Math.Max(0, at - before);
        return text[start..Math.Min(text.Length, at + behind)];
    }

    private static Hit? AzureSignature(string text, int at)
    {
        if (Signature().Match(text, at) is not { Success: true } match || Uri.UnescapeDataString(match.Groups["v"].Value) is not { Length: 44 } signature || !SecretText.IsRandom(signature, 3.5))
        {
            return null;
        }

        // The same address: what has no white space or quotes in between.
        var (start, end) = Run(text, at, static c => c is > ' ' and not '"' and not '\'' and not '<' and not '>' and not '`' and < '\u007f');
        var address = text[start..end];
        return address.Contains("se=", StringComparison.Ordinal) && (address.Contains("sv=", StringComparison.Ordinal) || address.Contains("sr=", StringComparison.Ordinal))
            ? new(match.Groups["v"].Index, match.Groups["v"].Length) : null;
    }

    private static Hit? GoogleAccount(string text, int at)
        => GoogleKeyMember().Match(text, at) is { Success: true } match && Window(text, at, Before, Behind, out _).Contains("service_account", StringComparison.Ordinal)
            && KeyBody(match.Groups["v"].Value) is { Length: >= 64 } ? new(match.Groups["v"].Index, match.Groups["v"].Length) : null;

    private static Hit? OpenAi(string text, int at)
    {
        var start = text.LastIndexOf("sk-", at, Math.Min(at, 200), StringComparison.Ordinal);
        return start >= 0 && OpenAiKey().Match(text, start) is { Success: true } match && match.Index + match.Length > at && IsFree(text, start, match.Length) && SecretText.IsRandom(match.Value)
            ? new(start, match.Length) : null;
    }

    /// <summary>A signed token: its header says how. What is no JSON only looks like one.</summary>
    private static Hit? WebToken(string text, int at)
    {
        // Base 64 can be long, and begin so again and again: without a dot it is not gone through each time.
        if (!text.AsSpan(at, Math.Min(text.Length - at, 2100)).Contains('.') || JsonWebToken().Match(text, at) is not { Success: true } match || !IsFree(text, at, match.Length)
            || Json(match.Groups["header"].Value) is not { } header || header["alg"]?.ToString() is not { Length: > 0 } algorithm || string.Equals(algorithm, "none", StringComparison.OrdinalIgnoreCase)
            || Json(match.Groups["payload"].Value) is not { } payload)
        {
            return null;
        }

        // jwt.io's, which is in half of all documentation.
        return payload["sub"]?.ToString() == "1234567890" && payload["name"]?.ToString() is "John Doe" ? null : new(at, match.Length);

        static JsonObject? Json(string part)
        {
            try
            {
                return RegistryJson.Parse(Base64Url.DecodeFromChars(part));
            }
            catch (Exception e) when (e is FormatException or JsonException)
            {
                return null;
            }
        }
    }

    private static Hit? Pem(string text, int at)
    {
        if (PemBegin().Match(text, at) is not { Success: true } match)
        {
            return null;
        }

        // To the next row of dashes, which ends it, or to what no key has in it.
        var start = match.Index + match.Length;
        var rest = text.AsSpan(start, Math.Min(text.Length - start, LongestPem));
        rest = rest.IndexOf("-----", StringComparison.Ordinal) is >= 0 and var dashes ? rest[..dashes] : rest;
        rest = rest.IndexOfAnyExcept(PemCharacters) is >= 0 and var other ? rest[..other] : rest;
        if (rest.Length < 64 || rest.ToString() is not { } content || KeyBody(content) is not { Length: >= 64 } body || !SecretText.IsRandom(body[..Math.Min(body.Length, 512)], 3.5) && !IsOpenSsh(body))
        {
            return null;
        }

        var isEncrypted = match.Groups["kind"].Value.Contains("ENCRYPTED", StringComparison.Ordinal) || content.Contains("4,ENCRYPTED", StringComparison.Ordinal) || IsEncryptedOpenSsh(body);
        return new(start, content.Length, isEncrypted ? SecretRules.EncryptedPrivateKey : null);
    }

    /// <summary>The base 64 of a key, out of PEM as it stands in files, JSON and source code: without line ends, escapes, quotes and header lines. Null: something else is in between.</summary>
    private static string? KeyBody(string text)
    {
        var plain = PemHeaders().Replace(text.Replace("\\r", "\n", StringComparison.Ordinal).Replace("\\n", "\n", StringComparison.Ordinal), string.Empty);
        plain = plain.Replace("-----BEGIN PRIVATE KEY-----", string.Empty, StringComparison.Ordinal);
        var body = new StringBuilder(plain.Length);
        foreach (var c in plain)
        {
            if (char.IsAsciiLetterOrDigit(c) || c is '+' or '/' or '=')
            {
                body.Append(c);
            }
            else if (c == '-')
            {
                break; // -----END
            }
            else if (c == '.')
            {
                return null;
            }
        }

        return body.ToString();
    }

    // openssh-key-v1, then a length and the name of the cipher. Source: openssh-portable, PROTOCOL.key.
    private static bool IsOpenSsh(string body) => body.StartsWith("b3BlbnNzaC1rZXktdjEA", StringComparison.Ordinal);

    private static bool IsEncryptedOpenSsh(string body)
    {
        const int MagicLength = 15;
        Span<byte> start = stackalloc byte[24];
        return IsOpenSsh(body) && Convert.TryFromBase64String(body[..32], start, out var count) && count == 24
            && !(BinaryPrimitives.ReadInt32BigEndian(start[MagicLength..]) == 4 && start.Slice(MagicLength + 4, 4).SequenceEqual("none"u8));
    }

    private static Hit? Putty(string text, int at)
        => PuttyKey().Match(text, at) is { Success: true } match
            ? new(match.Groups["v"].Index, match.Groups["v"].Length, match.Groups["encryption"].Value == "none" ? null : SecretRules.EncryptedPrivateKey) : null;

    private static Hit? WebKey(string text, int at)
    {
        // Keys have no objects in them.
        var start = text.LastIndexOf('{', at, Math.Min(at + 1, Before));
        var end = text.IndexOf('}', at, Math.Min(text.Length - at, Behind));
        return start >= 0 && end > 0 && WebKeyPart().Match(text[start..end]) is { Success: true } match && SecretText.IsRandom(match.Groups["v"].Value, 3.5)
            ? new(start + match.Groups["v"].Index, match.Groups["v"].Length) : null;
    }

    private static Hit? DockerLogin(string text, int at)
    {
        if (DockerAuth().Match(text, at) is not { Success: true } match)
        {
            return null;
        }

        var value = match.Groups["v"];
        if (match.Groups["token"].Success)
        {
            return value.Length >= 16 && SecretText.IsRandom(value.Value) ? new(value.Index, value.Length) : null;
        }

        var decoded = new byte[value.Length];
        if (!Convert.TryFromBase64String(value.Value, decoded, out var count))
        {
            return null;
        }

        var login = Encoding.UTF8.GetString(decoded, 0, count);
        var colon = login.IndexOf(':', StringComparison.Ordinal);
        return colon > 0 && !login.Any(char.IsControl) && !login.Contains('\ufffd', StringComparison.Ordinal) && !SecretText.IsPlaceholder(login[(colon + 1)..]) ? new(value.Index, value.Length) : null;
    }

    /// <summary>A password is one of a connection string if it stands beside a server, a database or a user.</summary>
    private static Hit? Connection(string text, int at)
    {
        if (ConnectionPassword().Match(text, at) is not { Success: true } match || match.Groups["v"] is not { } value || SecretText.IsPlaceholder(value.Value)
            || (at > 0 && (char.IsAsciiLetterOrDigit(text[at - 1]) || text[at - 1] is '_' or '-' or '$' or '?' or '&')))
        {
            return null;
        }

        // The string it is in: to its quotes, the line's end, or what is no text.
        var (start, end) = Run(text, at, static c => c is >= ' ' and not '"' and not '<' and not '>' and < '\u0300' and not '\u007f');
        // The regular expressions are asked where there is a chance, or much text of this kind takes long.
        if (text.AsSpan(start, at - start).TrimEnd(' ') is [.., ','] && RedisServer().Match(text, start, at - start) is { Success: true } redis)
        {
            var length = value.Value.IndexOf(',', StringComparison.Ordinal) is >= 0 and var comma ? comma : value.Length;
            return SecretText.IsPlaceholder(value.Value[..length]) || SecretText.IsNoOnesHost(redis.Groups["v"].Value) ? null : new(value.Index, length);
        }

        if (!text.AsSpan(start, end - start).ContainsAny(ConnectionNames) || text[start..end] is not { } whole || !ConnectionPart().IsMatch(whole))
        {
            return null;
        }

        return whole.AsSpan().ContainsAny(HostNames) && ConnectionHost().Match(whole) is { Success: true } host && SecretText.IsNoOnesHost(host.Groups["v"].Value) ? null : new(value.Index, value.Length);
    }

    private static Hit? Address(string text, int at)
    {
        var scheme = at;
        while (scheme > 0 && at - scheme < 30 && (char.IsAsciiLetterOrDigit(text[scheme - 1]) || text[scheme - 1] is '+' or '-' or '.'))
        {
            scheme--;
        }

        if (at - scheme < 2 || UserInfo().Match(text, at) is not { Success: true } match)
        {
            return null;
        }

        var value = match.Groups["v"];
        var password = Uri.UnescapeDataString(value.Value);
        return SecretText.IsPlaceholder(password) || SecretText.IsPlaceholder(value.Value) || SecretText.IsNoOnesHost(match.Groups["host"].Value)
            || string.Equals(match.Groups["user"].Value, value.Value, StringComparison.OrdinalIgnoreCase) ? null : new(value.Index, value.Length);
    }

    /// <summary>As far as characters of one kind go to both sides.</summary>
    private static (int Start, int End) Run(string text, int at, Func<char, bool> belongs)
    {
        var (start, end) = (at, at);
        while (start > 0 && at - start < Around && belongs(text[start - 1]))
        {
            start--;
        }

        while (end < text.Length && end - at < Around && belongs(text[end]))
        {
            end++;
        }

        return (start, end);
    }

    [GeneratedRegex(@"\Ggh[pousr]_(?<r>[A-Za-z0-9]{36})", Options, Timeout)]
    private static partial Regex GitHub();

    [GeneratedRegex(@"\Ggithub_pat_(?<r>[A-Za-z0-9]{22}_[A-Za-z0-9]{59})", Options, Timeout)]
    private static partial Regex GitHubFineGrained();

    [GeneratedRegex(@"\Gdckr_[po]at_(?<r>[A-Za-z0-9_-]{27,64})", Options, Timeout)]
    private static partial Regex Docker();

    [GeneratedRegex(@"\Gnpm_(?<r>[A-Za-z0-9]{36})", Options, Timeout)]
    private static partial Regex Npm();

    [GeneratedRegex(@"\Goy2(?<r>[a-z0-9]{43})(?![A-Za-z0-9])", Options, Timeout)]
    private static partial Regex NuGet();

    [GeneratedRegex(@"\G[a-z_]{0,12}secret_?(?:access_?)?key[""']?\s{0,4}[:=]\s{0,4}[""']?(?<v>[A-Za-z0-9/+]{40})(?![A-Za-z0-9/+=])", IgnoreCase, Timeout)]
    private static partial Regex AwsSecret();

    [GeneratedRegex(@"\GA[KS]IA(?<r>[A-Z2-7]{16})(?![A-Za-z0-9])", Options, Timeout)]
    private static partial Regex AwsId();

    [GeneratedRegex(@"\GAccountKey=(?<v>[A-Za-z0-9+/]{86}==)", IgnoreCase, Timeout)]
    private static partial Regex AzureAccount();

    [GeneratedRegex(@"\G(?:(?:Shared)?AccessKey|;Secret)=(?<v>[A-Za-z0-9+/]{43}=)", IgnoreCase, Timeout)]
    private static partial Regex AzureShared();

    [GeneratedRegex(@"\Gsig=(?<v>[A-Za-z0-9%+/]{43,130}=?)", Options, Timeout)]
    private static partial Regex Signature();

    [GeneratedRegex(@"\G(?<r>[A-Za-z0-9_~.]{3}[78]Q~[A-Za-z0-9_~.-]{31,34})(?![A-Za-z0-9_~-])", Options, Timeout)]
    private static partial Regex AzureSecret();

    [GeneratedRegex(@"\G(?<r>[A-Za-z0-9]{52}JQQJ9[9DH][A-Za-z0-9][A-L][A-Za-z0-9]{16}(?:[A-Za-z][A-Za-z0-9]{7})?)", Options, Timeout)]
    private static partial Regex Azure();

    [GeneratedRegex(@"\G(?<r>[A-Za-z0-9]{76}AZDO[A-Za-z0-9]{4})(?![A-Za-z0-9])", Options, Timeout)]
    private static partial Regex AzureDevOps();

    [GeneratedRegex(@"\G""private_key""\s{0,8}:\s{0,8}""(?<v>-----BEGIN PRIVATE KEY-----[^""]{200,8000})""", Options, Timeout)]
    private static partial Regex GoogleKeyMember();

    [GeneratedRegex(@"\GAIza(?<r>[A-Za-z0-9_-]{35})(?![A-Za-z0-9_-])", Options, Timeout)]
    private static partial Regex GoogleKey();

    [GeneratedRegex(@"\GGOCSPX-(?<r>[A-Za-z0-9_-]{28})(?![A-Za-z0-9_-])", Options, Timeout)]
    private static partial Regex GoogleSecret();

    [GeneratedRegex(@"\G(?:xox[abeoprs]-[A-Za-z0-9-]{24,250}|xapp-[0-9]-[A-Z0-9]{8,20}-[0-9]{8,20}-[a-f0-9]{40,100})", Options, Timeout)]
    private static partial Regex Slack();

    [GeneratedRegex(@"\Ghooks\.slack\.com/(?:services|workflows|triggers)/[A-Z0-9]{8,20}/[A-Z0-9]{8,20}/(?<v>(?<r>[A-Za-z0-9/]{20,64}))", Options, Timeout)]
    private static partial Regex SlackHook();

    [GeneratedRegex(@"\G[sr]k_live_(?<r>[A-Za-z0-9]{24,247})", Options, Timeout)]
    private static partial Regex Stripe();

    [GeneratedRegex(@"\Ggl(?:pat|dt|rt|cbt|ptt|ft|oas)-(?<r>[A-Za-z0-9_-]{20,300})", Options, Timeout)]
    private static partial Regex GitLab();

    [GeneratedRegex(@"\Gsk-[A-Za-z0-9_-]{16,160}T3BlbkFJ[A-Za-z0-9_-]{16,160}", Options, Timeout)]
    private static partial Regex OpenAiKey();

    [GeneratedRegex(@"\Gsk-ant-[a-z]{3,10}[0-9]{2}-(?<r>[A-Za-z0-9_-]{80,200})", Options, Timeout)]
    private static partial Regex Anthropic();

    [GeneratedRegex(@"\GSG\.(?<r>[A-Za-z0-9_-]{22}\.[A-Za-z0-9_-]{43})(?![A-Za-z0-9_-])", Options, Timeout)]
    private static partial Regex SendGrid();

    [GeneratedRegex(@"\Gpypi-AgEIcHlwaS5vcmc(?<r>[A-Za-z0-9_-]{50,400})", Options, Timeout)]
    private static partial Regex PyPi();

    [GeneratedRegex(@"\Ghvs\.(?<r>[A-Za-z0-9_-]{90,200})", Options, Timeout)]
    private static partial Regex Vault();

    [GeneratedRegex(@"\Gdop_v1_(?<r>[a-f0-9]{64})(?![A-Za-z0-9])", Options, Timeout)]
    private static partial Regex DigitalOcean();

    [GeneratedRegex(@"\Ghf_(?<r>[A-Za-z]{34})(?![A-Za-z0-9_])", Options, Timeout)]
    private static partial Regex HuggingFace();

    [GeneratedRegex(@"\G(?<header>eyJ[A-Za-z0-9_-]{10,2000})\.(?<payload>e[yw][A-Za-z0-9_-]{2,8000})\.[A-Za-z0-9_-]{16,2000}(?![A-Za-z0-9_.-])", Options, Timeout)]
    private static partial Regex JsonWebToken();

    [GeneratedRegex(@"\G-----BEGIN (?<kind>(?:[A-Z0-9]{2,10} ){0,3})PRIVATE KEY(?: BLOCK)?-----", Options, Timeout)]
    private static partial Regex PemBegin();

    // RFC 1421 and OpenPGP: lines with a name, before an empty one.
    [GeneratedRegex(@"(?m)^[ \t""']*[A-Z][A-Za-z-]{2,20}: .*$", Options, Timeout)]
    private static partial Regex PemHeaders();

    [GeneratedRegex(@"\GPuTTY-User-Key-File-[0-9]: [\x20-\x7e]{1,100}\s{1,8}Encryption: (?<encryption>[a-z0-9-]{1,20})\s{1,8}Comment: [\x20-\x7e]{0,400}\s{1,8}Public-Lines: [0-9]{1,4}\s{1,8}[A-Za-z0-9+/=\s]{16,4000}(?:[A-Za-z0-9-]{5,30}: [\x20-\x7e]{1,200}\s{1,8}){0,8}Private-Lines: [0-9]{1,4}\s{1,8}(?<v>[A-Za-z0-9+/=\s]{32,8000})", Options, Timeout)]
    private static partial Regex PuttyKey();

    [GeneratedRegex(@"\GAGE-SECRET-KEY-1(?<r>[QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L]{58})", Options, Timeout)]
    private static partial Regex Age();

    [GeneratedRegex(@"""[dk]""\s{0,8}:\s{0,8}""(?<v>[A-Za-z0-9_-]{40,4000})""", Options, Timeout)]
    private static partial Regex WebKeyPart();

    [GeneratedRegex(@"\G<RSAKeyValue>(?:\s{0,100}<(?<name>[A-CE-Z][A-Za-z]{0,9}|D[PQ])>[^<]{0,2000}</\k<name>>){0,8}\s{0,100}<D>(?<v>[A-Za-z0-9+/=\s]{64,2000})</D>", Options, Timeout)]
    private static partial Regex RsaXml();

    [GeneratedRegex(@"\G<masterKey[^<>]{0,400}>\s{0,100}(?:<!--[^<>]{0,400}-->\s{0,100})?<value>(?<v>[A-Za-z0-9+/=]{40,400})</value>", Options, Timeout)]
    private static partial Regex MasterKey();

    [GeneratedRegex(@"\Gclient-key-data""?\s{0,4}:\s{0,4}""?(?<v>[A-Za-z0-9+/]{100,8000}={0,2})", Options, Timeout)]
    private static partial Regex KubeKey();

    [GeneratedRegex(@"\GClearTextPassword[""']\s{1,20}value\s{0,4}=\s{0,4}[""'](?<v>[^""'<>]{1,400})[""']", IgnoreCase, Timeout)]
    private static partial Regex ClearText();

    [GeneratedRegex(@"\G(?:_authToken\s{0,4}=|npmAuthToken[""']?\s{0,4}:)\s{0,4}[""']?(?<v>[^\s""'#]{8,400})", Options, Timeout)]
    private static partial Regex AuthToken();

    [GeneratedRegex(@"\G""(?:auth|(?<token>identitytoken))""\s{0,8}:\s{0,8}""(?<v>[A-Za-z0-9+/=_.-]{8,8000})""", Options, Timeout)]
    private static partial Regex DockerAuth();

    // Only the name in any case: in any case a k is a Kelvin sign too, and that is excluded.
    [GeneratedRegex(@"\G(?i:password|pwd)\s{0,2}=\s{0,2}(?:\\?""(?<v>[^""\\;]{1,200})|&quot;(?<v>[^&;]{1,200})|'(?<v>[^';]{1,200})|(?<v>(?:[^;""'&<>\\\r\n\x00-\x1f\u0300-\uffff]|&(?!quot;|apos;|\#|[A-Za-z_.-]{1,30}=)){1,200}))", Options, Timeout)]
    private static partial Regex ConnectionPassword();

    [GeneratedRegex(@"(?<![A-Za-z0-9_-])(?:server|data source|host|hostname|addr|address|network address|initial catalog|database|user id|userid|uid|username|user name|user)\s{0,2}=\s{0,2}[^;=\s][^;=]{0,200}(?:;|\z)", IgnoreCase, Timeout)]
    private static partial Regex ConnectionPart();

    [GeneratedRegex(@"(?<![A-Za-z0-9_-])(?:server|data source|host|hostname|addr|address|network address)\s{0,2}=\s{0,2}(?<v>[^;=\s][^;=]{0,200})(?:;|\z)", IgnoreCase, Timeout)]
    private static partial Regex ConnectionHost();

    // StackExchange.Redis: cache.acme.io:6380,ssl=True,password=…
    [GeneratedRegex(@"(?<![A-Za-z0-9_.-])(?<v>[A-Za-z0-9_-][A-Za-z0-9_.-]{0,200}):[0-9]{2,5}(?:,[^,;=]{1,80}(?:=[^,;]{0,80})?){0,12},\s?\z", Options, Timeout)]
    private static partial Regex RedisServer();

    [GeneratedRegex(@"\G://(?<user>[^\s:/?#@""'<>\\|`{}\[\]()\x00-\x1f\u0100-\uffff]{0,100}):(?<v>[^\s/?#""'<>\\|`\x00-\x1f\u0100-\uffff]{3,200})@(?<host>[A-Za-z0-9_.{}$<%\[-][A-Za-z0-9_.:{}$%\]-]{0,200})", Options, Timeout)]
    private static partial Regex UserInfo();
}
