using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using System.Text.RegularExpressions;
using System.Xml;
using System.Xml.Linq;

namespace Registry.Sdk.Core.Imaging;

/// <summary>A secret in a file whose format is known by its name.</summary>
/// <param name="Rule">What it is.</param>
/// <param name="Line">The line it stands on, from 1; 0: the file as a whole.</param>
/// <param name="Value">It.</param>
internal readonly record struct FileSecret(SecretRule Rule, int Line, string Value);

/// <summary>Secrets in files that keep them, read as what those files are: settings, variables, credentials, key stores.</summary>
internal static partial class SecretFiles
{
    private const RegexOptions Options = RegexOptions.CultureInvariant | RegexOptions.ExplicitCapture;
    private const int Timeout = 30_000; // ms; a safety net

    /// <summary>Names under which passwords are in nuget.config.</summary>
    private static readonly string[] NuGetPasswords = ["Password", "ClearTextPassword"];

    /// <summary>What is in the names of JSON files that hold settings: <c>appsettings.Production.json</c>, <c>sharedsettings.json</c>, <c>secrets.json</c>, <c>application_default_credentials.json</c>.</summary>
    private static readonly string[] SettingsNames = ["settings", "secrets", "credentials"];

    /// <summary>What the .NET SDK writes beside an assembly of such a name: it lists packages and their hashes.</summary>
    private static readonly string[] BuiltEndings = [".deps.json", ".runtimeconfig.json", ".endpoints.json"];

    /// <summary>Ends of the names of files that hold settings in XML: of applications, and of Visual Studio's publishing.</summary>
    private static readonly string[] XmlEndings = [".config", ".publishsettings", ".pubxml", ".user"];

    /// <summary>All secrets of a whole file that its format tells; of no known format none.</summary>
    /// <param name="path">Path with <c>/</c>; its last parts say what it is.</param>
    /// <param name="content">The bytes; text as UTF-8.</param>
    public static IEnumerable<FileSecret> Find(string path, ReadOnlyMemory<byte> content)
    {
        var name = path[(path.LastIndexOf('/') + 1)..].ToLowerInvariant();
        if (name.EndsWith(".pfx", StringComparison.Ordinal) || name.EndsWith(".p12", StringComparison.Ordinal) || IsPkcs12OfData(content.Span))
        {
            return Pfx(content);
        }

        if (content.Length > 12 && BinaryPrimitives.ReadUInt32BigEndian(content.Span) is 0xFEEDFEED or 0xCECECECE)
        {
            return HasJavaKey(content.Span) ? [new(SecretRules.JavaKeyStore, 0, Hash(content.Span))] : [];
        }

        if (name.EndsWith(".json", StringComparison.Ordinal) && SettingsNames.Any(n => name.Contains(n, StringComparison.Ordinal)) && !BuiltEndings.Any(e => name.EndsWith(e, StringComparison.Ordinal)))
        {
            return Settings(content.Span);
        }

        return name switch
        {
            "nuget.config" => NuGet(content),
            ".npmrc" => Lines(content, Npmrc(), SecretRules.Npmrc, static (_, value) => !SecretText.IsPlaceholder(value)),
            ".netrc" or "_netrc" => Lines(content, Netrc(), SecretRules.Netrc, static (_, value) => !SecretText.IsPlaceholder(value)),
            ".pgpass" => Lines(content, PgPass(), SecretRules.Netrc, static (_, value) => !SecretText.IsPlaceholder(value)),
            "kubeconfig" => Lines(content, KubeConfig(), SecretRules.KubeConfig, static (_, value) => !SecretText.IsPlaceholder(value)),
            "config" when path.EndsWith(".kube/config", StringComparison.Ordinal) => Lines(content, KubeConfig(), SecretRules.KubeConfig, static (_, value) => !SecretText.IsPlaceholder(value)),
            _ when name.EndsWith(".kubeconfig", StringComparison.Ordinal) || name.StartsWith("kubeconfig.", StringComparison.Ordinal) => Lines(content, KubeConfig(), SecretRules.KubeConfig, static (_, value) => !SecretText.IsPlaceholder(value)),
            _ when name is ".env" or ".envrc" || name.StartsWith(".env.", StringComparison.Ordinal) || name.EndsWith(".env", StringComparison.Ordinal)
                => Lines(content, EnvLine(), SecretRules.EnvFile, static (variable, value) => SecretText.IsSecretName(variable) && SecretText.IsSecretValue(variable, value)),
            _ when XmlEndings.Any(e => name.EndsWith(e, StringComparison.Ordinal)) => XmlSettings(content),
            _ => [],
        };
    }

    private static IEnumerable<FileSecret> Lines(ReadOnlyMemory<byte> content, Regex regex, SecretRule rule, Func<string, string, bool> isSecret)
    {
        var number = 0;
        foreach (var line in Encoding.UTF8.GetString(content.Span).TrimStart('\uFEFF').Split('\n'))
        {
            number++;
            foreach (Match match in regex.Matches(line.TrimEnd('\r')))
            {
                var value = match.Groups["v"].Value;
                if (isSecret(match.Groups["name"].Value, value))
                {
                    yield return new(rule, number, value);
                }
            }
        }
    }

    /// <summary>Settings as the .NET configuration reads them: comments and trailing commas too.</summary>
    private static List<FileSecret> Settings(ReadOnlySpan<byte> content)
    {
        var found = new List<FileSecret>();
        var reader = new Utf8JsonReader(content.StartsWith("\ufeff"u8) ? content[3..] : content, new JsonReaderOptions { CommentHandling = JsonCommentHandling.Skip, AllowTrailingCommas = true });
        var parents = new Stack<string>();
        var name = string.Empty;
        var (line, counted) = (1, 0L);
        try
        {
            while (reader.Read())
            {
                switch (reader.TokenType)
                {
                    case JsonTokenType.PropertyName:
                        name = reader.GetString()!;
                        break;
                    case JsonTokenType.StartObject or JsonTokenType.StartArray:
                        parents.Push(name);
                        break;
                    case JsonTokenType.EndObject or JsonTokenType.EndArray:
                        name = parents.Pop();
                        break;
                    case JsonTokenType.String:
                        var value = reader.GetString()!;
                        var parent = parents.Peek();
                        // Jwt: { Key: … } is a jwt key; ApiKeys: { Stripe: … } is one too.
                        if ((SecretText.IsSecretName($"{parent}:{name}") && SecretText.IsSecretValue(name, value)) || (SecretText.IsSecretName(parent) && SecretText.IsSecretValue("Key", value)))
                        {
                            line += content[(int)counted..(int)reader.TokenStartIndex].Count((byte)'\n');
                            counted = reader.TokenStartIndex;
                            found.Add(new(SecretRules.Settings, line, value));
                        }

                        break;
                }
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // Not JSON from here on: nobody reads it as settings.
        }

        return found;
    }

    private static IEnumerable<FileSecret> XmlSettings(ReadOnlyMemory<byte> content)
    {
        foreach (var element in Elements(content))
        {
            var line = ((IXmlLineInfo)element).LineNumber;
            // log4net's <password value="…" /> is named by the element itself.
            var key = (string?)element.Attribute("key") ?? (string?)element.Attribute("name") ?? element.Name.LocalName;
            if (((string?)element.Attribute("value") ?? (string?)element.Element("value")) is { } setting && SecretText.IsSecretName(key) && SecretText.IsSecretValue(key, setting))
            {
                yield return new(SecretRules.Settings, line, setting);
            }

            foreach (var attribute in element.Attributes().Where(a => SecretText.IsSecretName(a.Name.LocalName) && SecretText.IsSecretValue(a.Name.LocalName, a.Value)))
            {
                yield return new(SecretRules.Settings, ((IXmlLineInfo)attribute).LineNumber, attribute.Value);
            }

            if (!element.HasElements && SecretText.IsSecretName(element.Name.LocalName) && SecretText.IsSecretValue(element.Name.LocalName, element.Value))
            {
                yield return new(SecretRules.Settings, line, element.Value.Trim());
            }
        }
    }

    private static IEnumerable<FileSecret> NuGet(ReadOnlyMemory<byte> content)
        => from element in Elements(content)
           where string.Equals(element.Name.LocalName, "add", StringComparison.OrdinalIgnoreCase)
           let value = (string?)element.Attribute("value") ?? string.Empty
           let isPassword = NuGetPasswords.Contains((string?)element.Attribute("key"), StringComparer.OrdinalIgnoreCase)
           let isKey = string.Equals(element.Parent?.Name.LocalName, "apikeys", StringComparison.OrdinalIgnoreCase)
           where (isPassword || isKey) && !SecretText.IsPlaceholder(value)
           select new FileSecret(SecretRules.NuGetConfig, ((IXmlLineInfo)element).LineNumber, value);

    private static IReadOnlyList<XElement> Elements(ReadOnlyMemory<byte> content)
    {
        try
        {
            // As text: the declaration may name an encoding that this machine does not know, or that the bytes had before they came here (UTF-16).
            using var reader = XmlReader.Create(new StringReader(Encoding.UTF8.GetString(content.Span).TrimStart('\uFEFF')), new XmlReaderSettings { DtdProcessing = DtdProcessing.Prohibit, XmlResolver = null });
            return [.. XDocument.Load(reader, LoadOptions.SetLineInfo).Descendants()];
        }
        catch (XmlException)
        {
            return []; // nobody reads it as XML either
        }
    }

    private static List<FileSecret> Pfx(ReadOnlyMemory<byte> content)
    {
        try
        {
            // Not into the user's store of keys; macOS knows no other.
            var flags = OperatingSystem.IsMacOS() ? X509KeyStorageFlags.DefaultKeySet : X509KeyStorageFlags.EphemeralKeySet;
            var certificates = X509CertificateLoader.LoadPkcs12Collection(content.Span, password: null, flags);
            var hasKey = certificates.Any(c => c.HasPrivateKey);
            foreach (var certificate in certificates)
            {
                certificate.Dispose();
            }

            return hasKey ? [new(SecretRules.Pfx, 0, Hash(content.Span))] : [];
        }
        catch (CryptographicException)
        {
            // Under a password, or no such file at all. The latter does not begin as one: a sequence, version 3.
            return IsPkcs12(content.Span) ? [new(SecretRules.ProtectedPfx, 0, Hash(content.Span))] : [];
        }
    }

    /// <summary>An ASN.1 sequence whose first member is the number 3. Source: RFC 7292, section 4.</summary>
    private static bool IsPkcs12(ReadOnlySpan<byte> content)
    {
        if (content.Length < 8 || content[0] != 0x30)
        {
            return false;
        }

        // Length in one byte, or in as many as its low bits say (0: until an end mark).
        var header = content[1] < 0x80 ? 2 : 2 + (content[1] & 0x7F);
        return content.Length >= header + 3 && content.Slice(header, 3).SequenceEqual((ReadOnlySpan<byte>)[0x02, 0x01, 0x03]);
    }

    /// <summary>Such a sequence of PKCS#7 content, whatever the file is called: 1.2.840.113549.1.7 stands right behind the number. Source: RFC 7292, section 4.</summary>
    private static bool IsPkcs12OfData(ReadOnlySpan<byte> content)
        => IsPkcs12(content) && content[..Math.Min(content.Length, 40)].IndexOf((ReadOnlySpan<byte>)[0x2A, 0x86, 0x48, 0x86, 0xF7, 0x0D, 0x01, 0x07]) > 0;

    /// <summary>Whether one of the entries is a private key. Source: OpenJDK, sun.security.provider.JavaKeyStore: tag 1 is a key, 2 a certificate; JCEKS adds 3, a secret key.</summary>
    private static bool HasJavaKey(ReadOnlySpan<byte> content)
    {
        try
        {
            var count = BinaryPrimitives.ReadInt32BigEndian(content[8..]);
            var at = 12;
            for (var i = 0; i < count; i++)
            {
                if (BinaryPrimitives.ReadInt32BigEndian(content[at..]) != 2)
                {
                    return true;
                }

                // A trusted certificate: alias, time, type, content.
                at += 4;
                at += 2 + BinaryPrimitives.ReadUInt16BigEndian(content[at..]);
                at += 8;
                at += 2 + BinaryPrimitives.ReadUInt16BigEndian(content[at..]);
                at = checked(at + 4 + BinaryPrimitives.ReadInt32BigEndian(content[at..]));
            }

            return false;
        }
        catch (Exception e) when (e is ArgumentException or OverflowException)
        {
            return false; // cut off, so no key store
        }
    }

    private static string Hash(ReadOnlySpan<byte> content) => Convert.ToHexStringLower(SHA256.HashData(content));

    // A '#' begins a comment behind white space only.
    [GeneratedRegex(@"\A\s*(?:export\s+)?(?<name>[A-Za-z_][A-Za-z0-9_.]*)\s*=\s*(?:""(?<v>(?:[^""\\]|\\.)*)""\s*(?:#.*)?|'(?<v>[^']*)'\s*(?:#.*)?|(?<v>[^""'#\s](?:[^#]|(?<!\s)#)*?)\s*(?:(?<=\s)#.*)?)\z", Options, Timeout)]
    private static partial Regex EnvLine();

    [GeneratedRegex(@"\A\s*(?:[^#;\s][^\s]*:)?_(?<name>auth|password)\s*=\s*[""']?(?<v>[^\s""']{4,})", Options, Timeout)]
    private static partial Regex Npmrc();

    [GeneratedRegex(@"(?:\A|\s)password\s+(?<v>[^\s#]\S*)", Options, Timeout)]
    private static partial Regex Netrc();

    [GeneratedRegex(@"\A[^#:][^:]*:[^:]*:[^:]*:[^:]*:(?<v>.+)\z", Options, Timeout)]
    private static partial Regex PgPass();

    [GeneratedRegex(@"\A\s*(?:-\s+)?(?<name>token|password)\s*:\s*[""']?(?<v>[^\s""'#]{4,})", Options, Timeout)]
    private static partial Regex KubeConfig();
}
