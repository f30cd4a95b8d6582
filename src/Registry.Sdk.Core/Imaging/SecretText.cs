using System.Text;
using System.Text.RegularExpressions;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>Tells a secret from what only stands in its place, and a secret's name from other names.</summary>
internal static partial class SecretText
{
    /// <summary>What is shorter guards nothing.</summary>
    private const int ShortestSecret = 4;

    /// <summary>A placeholder may be numbered or dated (<c>password123</c>); with more digits than this they are what counts, and not the word beside them.</summary>
    private const int MostPlaceholderDigits = 6;

    private const StringComparison AnyCase = StringComparison.OrdinalIgnoreCase;

    /// <summary>GitHub's and npm's base 62. Source: GitHub blog, «Behind GitHub's new authentication token formats» (2021).</summary>
    private const string Base62 = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    /// <summary>Parts of texts that were written for somebody to replace them.</summary>
    private static readonly string[] ToBeReplaced =
    [
        "example", "placeholder", "changeme", "change-me", "change_me", "changeit", "change-it", "change_it", "change this", "replaceme", "replace-", "replace_", "replace with",
        "your-", "your_", "your ", "yourpass", "yourstrong", "yoursecret", "yourkey", "yourtoken", "xxxx", "redacted", "dummy", "notasecret", "not-a-secret", "autogenerate", "...", "…", "****",
    ];

    /// <summary>Words of which placeholders consist, and the names and passwords that programs are delivered with: what everybody knows is no secret.</summary>
    private static readonly HashSet<string> PlaceholderWords = new(StringComparer.Ordinal)
    {
        "a", "an", "the", "my", "your", "our", "some", "any", "x", "is", "as", "for", "with", "by", "no", "not", "to", "be", "in", "of", "or", "and", "it", "this", "here", "me", "from",
        "password", "passwords", "passwd", "passphrase", "passcode", "pwd", "pass", "secret", "secrets", "token", "tokens", "key", "keys", "api", "apikey", "client", "access", "private", "public", "shared", "account",
        "user", "username", "name", "login", "credential", "credentials", "value", "values", "string", "text", "none", "null", "nil", "undefined", "default", "empty", "true", "false", "yes", "unset", "unknown", "missing",
        "change", "replace", "set", "insert", "enter", "put", "provide", "provided", "required", "optional", "todo", "tbd", "fixme", "test", "tests", "testing", "fake", "sample", "demo", "mock", "foo", "bar", "baz", "placeholder", "old", "new", "current",
        "env", "environment", "variable", "variables", "hidden", "masked", "removed", "redacted", "encrypted", "bearer", "basic", "auth", "authorization", "header", "db", "database", "server", "host", "system",
        "admin", "administrator", "root", "guest", "postgres", "sa", "mysql", "redis", "rabbitmq", "minio", "minioadmin", "mongo", "elastic", "sentinel", "object", "type",
    };

    /// <summary>Last words of names whose values are secrets.</summary>
    private static readonly HashSet<string> SecretWords = new(StringComparer.Ordinal)
    {
        "password", "passwd", "pwd", "passphrase", "passcode", "pass", "secret", "token", "apikey", "secretkey", "accesskey", "privatekey", "pat",
        "dbpass", "smtppass", "pw",
    };

    /// <summary>What says so at the end of a word too, where words are written together: <c>PGPASSWORD</c>, <c>clientsecret</c>.</summary>
    private static readonly string[] SecretEndings = ["password", "passwd", "passphrase", "pwd", "secret", "token"];

    /// <summary>Names of well-known programs that say so in no such word.</summary>
    private static readonly HashSet<string> SecretNames = new(StringComparer.OrdinalIgnoreCase) { "REDISCLI_AUTH", "SECRET_KEY_BASE" };

    /// <summary>Ends of names whose values people choose.</summary>
    private static readonly string[] ChosenEndings = ["password", "passwd", "passphrase", "pass", "pwd", "pw"];

    /// <summary>What makes a secret of a <c>key</c>.</summary>
    private static readonly HashSet<string> SecretKeys = new(StringComparer.Ordinal)
    {
        "api", "access", "private", "secret", "account", "client", "signing", "encryption", "jwt", "shared", "master", "storage", "subscription", "auth", "security", "symmetric", "machine",
        "validation", "decryption", "app", "service", "admin", "session", "hmac", "token",
    };

    /// <summary>Whether a text is no secret but says where one belongs, or is what everybody knows.</summary>
    /// <param name="value">The text, without the quotes around it.</param>
    public static bool IsPlaceholder(string value)
    {
        var text = value.Trim().Trim('"', '\'', '`').Trim();
        return text.Length < ShortestSecret
            || text.Distinct().Take(4).Count() < 4
            || ToBeReplaced.Any(p => text.Contains(p, AnyCase))
            || Substituted().IsMatch(text)
            || (text.Count(char.IsAsciiDigit) <= MostPlaceholderDigits && Words(text) is { Count: > 0 } words && words.TrueForAll(PlaceholderWords.Contains));
    }

    /// <summary>Whether a text looks drawn by lot: enough different characters for its length, none many times in a row, no alphabet, no placeholder.</summary>
    /// <param name="text">The part of a token that is drawn by lot.</param>
    /// <param name="bits">How many bits each character must bear on average (Shannon), at least.</param>
    public static bool IsRandom(string text, double bits = 3)
    {
        if (ToBeReplaced.Any(p => text.Contains(p, AnyCase)))
        {
            return false;
        }

        var (same, up) = (1, 1);
        for (var i = 1; i < text.Length; i++)
        {
            same = text[i] == text[i - 1] ? same + 1 : 1;
            up = text[i] == text[i - 1] + 1 ? up + 1 : 1;
            if (same > 5 || up > 5)
            {
                return false;
            }
        }

        return Entropy(text) >= bits;
    }

    /// <summary>Whether the last six characters are the CRC-32 of those before them, as GitHub and npm make their tokens.</summary>
    /// <param name="body">The token without its prefix.</param>
    public static bool HasChecksum(string body)
    {
        var crc = Crc32.Append(0, Encoding.ASCII.GetBytes(body[..^6]));
        for (var i = 1; i <= 6; i++)
        {
            if (body[^i] != Base62[(int)(crc % 62)])
            {
                return false;
            }

            crc /= 62;
        }

        return true;
    }

    /// <summary>Which names those are, for people.</summary>
    public static string NamesOfSecrets
        => $"the last word is `{string.Join("`, `", SecretWords.Where(w => !Array.Exists(SecretEndings, e => e == w)).Order(StringComparer.Ordinal))}`, or ends in `{string.Join("`, `", SecretEndings)}`; or is `key` behind `{string.Join("`, `", SecretKeys.Order(StringComparer.Ordinal))}`; or the name is `{string.Join("` or `", SecretNames.Order(StringComparer.Ordinal))}`";

    /// <summary>Whether a setting or variable of this name holds a secret: <c>DbPassword</c>, <c>STRIPE_API_KEY</c>, <c>Jwt:SigningKey</c>; and not <c>TokenEndpoint</c>, <c>PasswordLength</c>.</summary>
    public static bool IsSecretName(string name)
    {
        if (SecretNames.Contains(name))
        {
            return true;
        }

        var words = Words(name);
        while (words.Count > 0 && words[^1] is "value" or "string")
        {
            words.RemoveAt(words.Count - 1);
        }

        // publicKeyToken is in every .config.
        if (words.Count == 0 || words.Exists(w => w.StartsWith("public", StringComparison.Ordinal)))
        {
            return false;
        }

        var last = IsSecretWord(words[^1]) ? words[^1] : words[^1].TrimEnd('s');
        return (IsSecretWord(last) && (last is not ("pat" or "pass" or "pw") || words.Count > 1))
            || (last == "key" && words.Count > 1 && SecretKeys.Contains(words[^2]));
    }

    /// <summary>Whether what a setting of a secret's name holds is one: no placeholder, no prose, path, address or name.</summary>
    public static bool IsSecretValue(string name, string value)
    {
        var text = value.Trim();
        if (IsPlaceholder(text) || string.Equals(text, name, AnyCase) || Elsewhere().IsMatch(text) || text.Count(c => c == ' ') > 2)
        {
            return false;
        }

        // People choose passwords; keys and tokens are made, and what is short or a word is the name of one.
        return (Words(name) is [.., var last] && Array.Exists(ChosenEndings, e => last.EndsWith(e, StringComparison.Ordinal))) || (text.Length >= 8 && !text.Contains(' ', StringComparison.Ordinal) && (text.Length >= 16 || text.Any(char.IsAsciiDigit)));
    }

    /// <summary>Whether a host is the machine itself, or one that cannot be: a password for it opens nothing that others reach.</summary>
    public static bool IsNoOnesHost(string host)
    {
        var name = host.Trim().Trim('"', '\'').ToLowerInvariant();
        name = name.StartsWith("tcp:", StringComparison.Ordinal) ? name[4..] : name;
        name = name.Split(',', '\\', ';')[0];
        name = name.StartsWith('[') ? name : name.Split(':')[0];
        return name is "." or "(local)" or "(localdb)" or "[::1]" or "" or "host" or "hostname" or "server" or "servername" or "myserver" or "myserveraddress" or "localhost"
            || RegistryHost.IsLoopbackName(name)
            || name.Split('.') is [.., "example" or "test" or "invalid" or "localhost"] or [.., "example", "com" or "org" or "net"]
            || Substituted().IsMatch(name) || ToBeReplaced.Any(p => name.Contains(p, AnyCase));
    }

    private static bool IsSecretWord(string word) => SecretWords.Contains(word) || Array.Exists(SecretEndings, e => word.EndsWith(e, StringComparison.Ordinal));

    /// <summary>The words of a name, in small letters, without numbers: at humps and at everything that is no letter.</summary>
    private static List<string> Words(string text) => [.. Word().Matches(text).Select(m => m.Value.ToLowerInvariant())];

    private static double Entropy(string text)
    {
        var sum = 0.0;
        foreach (var (_, count) in text.CountBy(c => c))
        {
            var share = (double)count / text.Length;
            sum -= share * Math.Log2(share);
        }

        return sum;
    }

    // ${X}, $(X), {{X}}, {0}, {name}, <name>, [name], %NAME%, $NAME, %s, #{X}#, __X__, @Microsoft.KeyVault(…), env:X, op://…
    [GeneratedRegex(@"\$[({]|\{\{|\{[A-Za-z0-9_.:\- ]*\}|<[A-Za-z][^<>]*>|\A\[[^\]]*\]\z|\A%[A-Za-z0-9_]+%\z|\A%[sdv@]|\A\$(?:env:)?[A-Za-z_][A-Za-z0-9_]*\z|\A#\{|\A__.*__\z|\A@\w+[.\w]*\(|\A(?:env|vault|op|ref\+\w+|arn|keyvault|secretref):", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture | RegexOptions.Singleline, 1000)]
    private static partial Regex Substituted();

    // An address without credentials, or a path: where the secret is.
    [GeneratedRegex(@"\A(?:https?://[^@\s]*|(?:~|\.{1,2})?(?:/[a-z0-9._-]+)+/?|[A-Za-z]:\\.*)\z", RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture, 1000)]
    private static partial Regex Elsewhere();

    [GeneratedRegex("[A-Z]+(?![a-z])|[A-Z]?[a-z]+", RegexOptions.CultureInvariant, 1000)]
    private static partial Regex Word();
}
