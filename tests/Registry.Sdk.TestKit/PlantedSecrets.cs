using System.IO.Compression;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;

namespace Registry.Sdk.TestKit;

/// <summary>A file with one secret in it.</summary>
/// <param name="Rule">Id of the rule that has to find it.</param>
/// <param name="Path">Where it lies in the image; the name's end says what it is.</param>
/// <param name="Content">Its bytes.</param>
/// <param name="Value">The secret, which nothing may print; empty where the file as a whole is the secret.</param>
/// <param name="Line">The line the secret is on; null: the file is binary, or is the secret.</param>
public sealed record PlantedSecret(string Rule, string Path, byte[] Content, string Value, int? Line)
{
    /// <inheritdoc/>
    public override string ToString() => $"{Rule} in {Path}";
}

/// <summary>
/// Secrets of all kinds, as their issuers make them: drawn by lot, with right checksums. Made here and from parts, so that no source file holds what looks
/// like one. What computes checksums is not the product's.
/// </summary>
public static class PlantedSecrets
{
    /// <summary>Beginnings of secrets that, over and over, once made a rule look at the whole text again at each of them.</summary>
    public static readonly IReadOnlyList<string> Repeated =
    [
        "password=k3Jd9;",
        "password=k3Jd9q;user=x;",
        "a:6379,password=guest;",
        "-----BEGIN " + "PRIVATE KEY-----\n",
        "PuTTY-User-Key-File-1: a Encryption: none ",
        "PuTTY-User-Key-File-1: a\nEncryption: none\nComment: x\nPublic-Lines: 1\nabcdabcdabcdabcd\n",
        "<RSAKeyValue>",
        "<RSAKeyValue><P>a</P>",
        "<masterKey><!-- ",
        "http://a1:bcdeQ@b ",
        "\\u00",
    ];

    private const string Digits = "0123456789";
    private const string Lower = "abcdefghijklmnopqrstuvwxyz";
    private const string Upper = "ABCDEFGHIJKLMNOPQRSTUVWXYZ";
    private const string Base62 = Digits + Upper + Lower;
    private const string Url64 = Base62 + "-_";
    private static readonly Random Lot = new(20261122);

    /// <summary>One of each, in files of their own folders.</summary>
    public static IReadOnlyList<PlantedSecret> All { get; } = [.. Plant().Select((p, i) => p with { Path = $"planted/{i + 1:00}/{p.Path}" })];

    /// <summary>Random characters out of an alphabet.</summary>
    public static string Draw(string alphabet, int length)
    {
        lock (Lot)
        {
            return new([.. Enumerable.Range(0, length).Select(_ => alphabet[Lot.Next(alphabet.Length)])]);
        }
    }

    /// <summary>A GitHub token.</summary>
    public static string GitHub(string prefix = "ghp") => Checked(prefix + "_");

    /// <summary>A password as a careful person chooses one.</summary>
    public static string Password() => "Tr" + Draw(Base62, 14) + "9!q";

    /// <summary>Bytes as base 64.</summary>
    public static string Base64(int bytes) => Convert.ToBase64String(Bytes(bytes));

    private static byte[] Bytes(int count)
    {
        lock (Lot)
        {
            var bytes = new byte[count];
            Lot.NextBytes(bytes);
            return bytes;
        }
    }

    private static IEnumerable<PlantedSecret> Plant()
    {
        // Tokens, in text and in what is no text.
        yield return Text("github-token", "notes.txt", "first line\nsecond line\nuse {0} for now\n", GitHub());
        yield return Text("github-token", "app.js", "const t='{0}';", GitHub("gho"));
        yield return Text("github-token", "a.map", "x{0}", GitHub("ghu"));
        yield return Assembly("github-token", "Utf16.dll", Encoding.Unicode, GitHub("ghs"));
        yield return Assembly("github-token", "Utf8.dll", Encoding.UTF8, GitHub("ghr"));
        yield return Text("github-fine-grained-token", "ci.yml", "env:\n  GH: {0}\n", "github_" + "pat_" + Draw(Base62, 22) + "_" + Draw(Base62, 59));
        yield return Text("docker-token", "login.sh", "echo {0} | docker login -u me --password-stdin\n", "dckr_" + "pat_" + Draw(Url64, 27));
        yield return Text("docker-token", "org.sh", "T=\"{0}\"\n", "dckr_" + "oat_" + Draw(Url64, 32));
        yield return Text("npm-token", "build.log", "token={0}\n", Checked("npm_"));
        yield return Text("nuget-api-key", "push.cmd", "dotnet nuget push x -k {0}\r\n", "oy" + "2" + Draw(Lower + Digits, 43));
        yield return Text("aws-secret-key", "credentials", "[default]\naws_secret_access_key = {0}\n", Draw(Base62 + "+/", 40));
        yield return Text("aws-access-key", "settings.ini", "[aws]\nid={0}\n", "AK" + "IA" + Draw(Upper + "234567", 16));
        yield return Text("azure-storage-key", "blobs.json", "{{\n  \"Blobs\": \"DefaultEndpointsProtocol=https;AccountName=acme;AccountKey={0};EndpointSuffix=core.windows.net\"\n}}\n", Base64(64));
        yield return Text("azure-shared-access-key", "bus.json", "{{ \"Bus\": \"Endpoint=sb://acme.servicebus.windows.net/;SharedAccessKeyName=Root;SharedAccessKey={0}\" }}", Base64(32));
        yield return Text("azure-sas", "urls.txt", "https://acme.blob.core.windows.net/c?sv=2024-11-04&se=2027-01-01&sr=c&sp=r&sig={0}\n", Uri.EscapeDataString(Base64(32)));
        yield return Text("azure-client-secret", "auth.json", "{{ \"cs\": \"{0}\" }}", Draw(Base62, 3) + "8" + "Q~" + Draw(Url64, 34));
        yield return Text("azure-key", "ai.json", "{{ \"k\": \"{0}\" }}", Draw(Base62, 52) + "JQQ" + "J99B" + Draw("ABCDEFGHIJKL", 1) + Draw(Base62, 16) + "A" + Draw(Base62, 7));
        yield return Text("azure-devops-token", "feeds.txt", "{0}\n", Draw(Base62, 76) + "AZ" + "DO" + Draw(Base62, 4));
        yield return Text("google-service-account", "gcp.json", "{{\n  \"type\": \"service_account\",\n  \"private_key\": \"-----BEGIN " + "PRIVATE KEY-----\\n{0}\\n-----END PRIVATE KEY-----\\n\"\n}}\n", Base64(900), line: 3);
        yield return Text("google-api-key", "map.js", "load('{0}')", "AI" + "za" + Draw(Url64, 34) + "Q");
        yield return Text("google-client-secret", "oauth.json", "{{\"s\":\"{0}\"}}", "GOC" + "SPX-" + Draw(Url64, 27) + "Q");
        yield return Text("slack-token", "bot.yml", "bot: {0}\n", "xo" + "xb-" + Draw(Digits, 12) + "-" + Draw(Digits, 13) + "-" + Draw(Base62, 24));
        yield return Text("slack-webhook", "hook.yml", "url: https://hooks.slack" + ".com/services/T" + Draw(Upper + Digits, 9) + "/B" + Draw(Upper + Digits, 10) + "/{0}\n", Draw(Base62, 24));
        yield return Text("stripe-key", "pay.rb", "Stripe.api_key = '{0}'\n", "sk_" + "live_" + Draw(Base62, 40));
        yield return Assembly("stripe-key", "Pay.dll", Encoding.Unicode, "rk_" + "live_" + Draw(Base62, 24));
        yield return Text("gitlab-token", "glab.txt", "{0}", "glp" + "at-" + Draw(Url64, 20));
        yield return Text("openai-key", "ai.py", "key = \"{0}\"\n", "sk-" + "proj-" + Draw(Url64, 74) + "T3Blbk" + "FJ" + Draw(Url64, 74));
        yield return Text("anthropic-key", "ai2.py", "key = \"{0}\"\n", "sk-" + "ant-api03-" + Draw(Url64, 93) + "AA");
        yield return Text("sendgrid-key", "mail.ini", "k={0}\n", "S" + "G." + Draw(Url64, 22) + "." + Draw(Url64, 42) + "Q");
        yield return Text("pypi-token", "pypirc", "password = {0}\n", "py" + "pi-AgEIcHlwaS5vcmc" + Draw(Url64, 120));
        yield return Text("vault-token", "vault.txt", "{0}", "hv" + "s." + Draw(Url64, 95));
        yield return Text("digitalocean-token", "do.txt", "{0}", "dop_" + "v1_" + Draw("0123456789abcdef", 64));
        yield return Text("huggingface-token", "hf.txt", "{0}", "h" + "f_" + Draw(Upper + Lower, 34));
        yield return Text("jwt", "session.txt", "Bearer {0}\n", Jwt());

        // Keys.
        using var rsa = RSA.Create(2048);
        using var ec = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        yield return Pem("private-key", "pkcs8.pem", rsa.ExportPkcs8PrivateKeyPem());
        yield return Pem("private-key", "rsa.pem", rsa.ExportRSAPrivateKeyPem());
        yield return Pem("private-key", "ec.pem", ec.ExportECPrivateKeyPem());
        yield return Pem("private-key", "id_ed25519", PemOf("OPENSSH " + "PRIVATE KEY", OpenSsh("none")));
        yield return Pem("private-key", "pgp.asc", PemOf("PGP " + "PRIVATE KEY BLOCK", Bytes(600)));
        yield return Text("private-key", "key.ppk", "PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none\r\nComment: me\r\nPublic-Lines: 2\r\n" + Base64(48) + "\r\n" + Base64(20) + "\r\nPrivate-" + "Lines: 1\r\n{0}\r\nPrivate-MAC: 00\r\n", Base64(48), line: 8);
        yield return Text("private-key", "age.txt", "# created\n{0}\n", "AGE-SECRET-" + "KEY-1" + Draw("QPZRY9X8GF2TVDW0S3JN54KHCE6MUA7L", 58));
        yield return Pem("encrypted-private-key", "encrypted.pem", rsa.ExportEncryptedPkcs8PrivateKeyPem("passphrase", new PbeParameters(PbeEncryptionAlgorithm.Aes256Cbc, HashAlgorithmName.SHA256, 1000)));
        yield return Pem("encrypted-private-key", "id_rsa", PemOf("OPENSSH " + "PRIVATE KEY", OpenSsh("aes256-ctr")));
        yield return Text("jwk-private-key", "tempkey.jwk", "{{\"kty\":\"RSA\",\"kid\":\"1\",\"d\":\"{0}\",\"e\":\"AQAB\"}}", Draw(Url64, 342));
        yield return Text("rsa-xml-key", "key.xml", "<RSAKeyValue><Modulus>" + Base64(256) + "</Modulus><Exponent>AQAB</Exponent><D>{0}</D></RSAKeyValue>", Base64(256));
        yield return Text("data-protection-key", "key-1.xml", "<key>\n<masterKey p4:requiresEncryption=\"true\">\n<!-- unencrypted -->\n<value>{0}</value></masterKey></key>", Base64(64), line: 4);
        var request = new CertificateRequest("CN=planted", rsa, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        using var certificate = request.CreateSelfSigned(new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero), new(2036, 1, 1, 0, 0, 0, TimeSpan.Zero));
        yield return new("pfx", "open.pfx", certificate.Export(X509ContentType.Pfx), string.Empty, null);
        yield return new("protected-pfx", "closed.p12", certificate.Export(X509ContentType.Pfx, "a password"), string.Empty, null);
        yield return new("java-keystore", "trust.jks", KeyStore(), string.Empty, null);
        yield return Text("kubeconfig", "cluster.yaml", "users:\n- user:\n    client-key-data: {0}\n", Base64(300));
        yield return Text("kubeconfig", "dev.kubeconfig", "users:\n- user:\n    token: {0}\n", Draw(Base62, 40));

        // What tools keep.
        yield return Text("nuget-config", "nuget.config", "<configuration>\n<packageSourceCredentials><acme><add key=\"Username\" value=\"me\" />\n<add key=\"ClearTextPassword\" value=\"{0}\" /></acme></packageSourceCredentials></configuration>", Password());
        yield return Text("nuget-config", "NuGet.Config", "<configuration><apikeys><add key=\"https://acme/\" value=\"{0}\" /></apikeys></configuration>", Draw(Base62, 32));
        yield return Text("npmrc", ".npmrc", "registry=https://npm.acme.io/\n//npm.acme.io/:_authToken={0}\n", Draw(Base62, 36));
        yield return Text("npmrc", "old/.npmrc", "_auth={0}\n", Base64(24));
        yield return Text("docker-config", "config.json", "{{ \"auths\": {{ \"ghcr.io\": {{ \"auth\": \"{0}\" }} }} }}", Convert.ToBase64String(Encoding.UTF8.GetBytes("me:" + Password())));
        yield return Text("netrc", ".netrc", "machine github.com\nlogin me password {0}\n", Password());
        yield return Text("netrc", ".pgpass", "db.acme.io:5432:orders:app:{0}\n", Password());
        yield return new("git-folder", "src/.git/HEAD", "ref: refs/heads/main\n"u8.ToArray(), string.Empty, null);

        // What people chose.
        yield return Text("connection-string", "old.json", "{{\n\n \"C\": \"Server=tcp:sql.acme.io,1433;Database=o;User Id=app;Password={0};Encrypt=true\" }}", Password());
        yield return Assembly("connection-string", "Data.dll", Encoding.Unicode, Password(), "Host=pg.acme.io;Username=app;Password={0};Pooling=true");
        yield return Text("connection-string", "my.conf", "cs = server=mysql;uid=app;pwd={0};database=o\n", Password());
        yield return Text("url-password", "db.txt", "postgres://app:{0}@pg.acme.io:5432/orders\n", Draw(Base62, 18));
        yield return Text("url-password", "mongo.ini", "uri=mongodb+srv://app:{0}@cluster0.acme.mongodb.net/?w=majority\n", Draw(Base62, 18));
        yield return Text("url-password", "redis.ini", "uri=redis://:{0}@cache:6379\n", Draw(Base62, 18));
        yield return Assembly("url-password", "Queue.dll", Encoding.Unicode, Draw(Base62, 18), "amqps://app:{0}@mq.acme.io/v");
        yield return Text("env-file", ".env", "# local\nexport SMTP_PASSWORD=\"{0}\" # mine\n", Password());
        yield return Text("env-file", "prod.env", "STRIPE_WEBHOOK_SECRET={0}\n", Draw(Base62, 30));
        yield return Text("settings", "appsettings.json", "{{\n  // mine\n  \"Smtp\": {{ \"Host\": \"mail\", \"Password\": \"{0}\", }}\n}}", Password());
        yield return Text("settings", "appsettings.Development.json", "{{ \"Jwt\": {{ \"Issuer\": \"me\", \"Key\": \"{0}\" }} }}", Draw(Base62, 32));
        yield return Text("settings", "secrets.json", "{{ \"Payment:ClientSecret\": \"{0}\" }}", Draw(Base62, 32));
        yield return Text("settings", "web.config", "<configuration>\n<appSettings>\n<add key=\"ApiKey\" value=\"{0}\" /></appSettings></configuration>", Draw(Base62, 32));

        // Packed and written otherwise.
        yield return Packed("github-token", "lone.js.gz", s => new GZipStream(s, CompressionLevel.Optimal), GitHub());
        yield return Packed("github-token", "lone.css.br", s => new BrotliStream(s, CompressionLevel.Optimal), GitHub());
        yield return Zipped("env-file", "bundle.zip", "conf/.env", "API_TOKEN={0}\n", Draw(Base62, 32));
        var wide = GitHub();
        yield return new("github-token", "utf16.txt", [.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes($"one\r\ntwo {wide}\r\n")], wide, 2);
    }

    private static PlantedSecret Text(string rule, string path, string format, string value, int line = 0)
    {
        var text = string.Format(System.Globalization.CultureInfo.InvariantCulture, format.Contains("{{", StringComparison.Ordinal) ? format : format.Replace("{0}", "\u0001", StringComparison.Ordinal).Replace("{", "{{", StringComparison.Ordinal).Replace("}", "}}", StringComparison.Ordinal).Replace("\u0001", "{0}", StringComparison.Ordinal), value);
        return new(rule, path, Encoding.UTF8.GetBytes(text), value, line > 0 ? line : text[..text.IndexOf(value, StringComparison.Ordinal)].Count(c => c == '\n') + 1);
    }

    /// <summary>A binary file with a string constant in it, with its length before it as .NET writes it.</summary>
    private static PlantedSecret Assembly(string rule, string path, Encoding encoding, string value, string format = "{0}")
    {
        var text = encoding.GetBytes(format.Replace("{0}", value, StringComparison.Ordinal));
        return new(rule, path, [.. "MZ\0\0"u8, .. Bytes(3001), 0, (byte)(text.Length + (encoding.Equals(Encoding.Unicode) ? 1 : 0)), .. text, 0, .. Bytes(2000)], value, null);
    }

    private static PlantedSecret Pem(string rule, string path, string pem)
    {
        var lines = pem.ReplaceLineEndings("\n").Split('\n');
        return new(rule, path, Encoding.UTF8.GetBytes(pem), string.Join('\n', lines.Where(l => l.Length > 0 && !l.StartsWith('-'))), 1);
    }

    private static string PemOf(string label, byte[] content)
        => $"-----BEGIN {label}-----\n{string.Join('\n', Convert.ToBase64String(content).Chunk(64).Select(c => new string(c)))}\n-----END {label}-----\n";

    private static byte[] OpenSsh(string cipher) => [.. "openssh-key-v1\0"u8, 0, 0, 0, (byte)cipher.Length, .. Encoding.ASCII.GetBytes(cipher), .. Bytes(300)];

    private static PlantedSecret Packed(string rule, string path, Func<Stream, Stream> pack, string value)
    {
        var memory = new MemoryStream();
        using (var stream = pack(memory))
        {
            stream.Write(Encoding.UTF8.GetBytes($"// one\nvar t = '{value}';\n"));
        }

        return new(rule, path, memory.ToArray(), value, 2);
    }

    private static PlantedSecret Zipped(string rule, string path, string member, string format, string value)
    {
        var memory = new MemoryStream();
        using (var zip = new ZipArchive(memory, ZipArchiveMode.Create))
        {
            using var stream = zip.CreateEntry(member).Open();
            stream.Write(Encoding.UTF8.GetBytes(format.Replace("{0}", value, StringComparison.Ordinal)));
        }

        return new(rule, path, memory.ToArray(), value, 1);
    }

    /// <summary>JKS with a certificate and a key.</summary>
    private static byte[] KeyStore()
    {
        byte[] certificate = [0, 0, 0, 2, 0, 2, (byte)'c', (byte)'a', .. new byte[8], 0, 5, .. "X.509"u8, 0, 0, 0, 9, .. Bytes(9)];
        return [0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2, 0, 0, 0, 2, .. certificate, 0, 0, 0, 1, 0, 1, (byte)'k', .. Bytes(200)];
    }

    private static string Jwt()
    {
        var header = Url("{\"alg\":\"HS256\",\"typ\":\"JWT\"}");
        return $"{header}.{Url("{\"sub\":\"" + Draw(Digits, 9) + "\",\"exp\":1700000000}")}.{Draw(Url64, 43)}";

        static string Url(string json) => Convert.ToBase64String(Encoding.UTF8.GetBytes(json)).TrimEnd('=').Replace('+', '-').Replace('/', '_');
    }

    /// <summary>30 random characters and their CRC-32 in base 62, six digits.</summary>
    private static string Checked(string prefix)
    {
        var random = Draw(Base62, 30);
        var crc = uint.MaxValue;
        foreach (var c in random)
        {
            crc ^= c;
            for (var bit = 0; bit < 8; bit++)
            {
                crc = (crc & 1) != 0 ? (crc >> 1) ^ 0xEDB88320 : crc >> 1;
            }
        }

        crc = ~crc;
        var digits = new char[6];
        for (var i = 5; i >= 0; i--)
        {
            digits[i] = Base62[(int)(crc % 62)];
            crc /= 62;
        }

        return prefix + random + new string(digits);
    }
}
