using System.IO.Compression;
using System.Text;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Tests.Editions;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Core.Tests.Imaging;

public sealed class SecretScannerTests
{
    public static TheoryData<int> Planted => [.. Enumerable.Range(0, PlantedSecrets.All.Count)];

    [Fact]
    public void There_are_more_than_forty_and_one_for_every_rule_about_files()
    {
        Assert.True(PlantedSecrets.All.Count >= 60, $"{PlantedSecrets.All.Count}");
        // What is in the configuration of an image has tests of its own.
        Assert.Equal(SecretRules.All.Select(r => r.Id).Where(r => r != "variable").Order(StringComparer.Ordinal), PlantedSecrets.All.Select(p => p.Rule).Distinct(StringComparer.Ordinal).Order(StringComparer.Ordinal));
    }

    [Theory]
    [MemberData(nameof(Planted))]
    public void Each_planted_secret_is_found_once_by_its_rule_where_it_is(int number)
    {
        var planted = PlantedSecrets.All[number];

        var hit = Assert.Single(Scan(planted.Path, planted.Content).Hits);

        Assert.Equal((planted.Rule, planted.Line), (hit.Rule.Id, hit.Line));
        if (planted.Value.Length > 0)
        {
            Assert.Contains(Plain(planted.Value), Plain(hit.Value), StringComparison.Ordinal);
            Assert.Equal(planted.Line is null, hit.Offset is not null);
        }

        static string Plain(string text) => new([.. text.Where(char.IsAsciiLetterOrDigit)]);
    }

    /// <summary>A file is read in pieces: what lies across two of them is found once, with its place, and what decides about it is seen.</summary>
    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void A_secret_is_found_wherever_in_a_long_file_it_lies(bool isText)
    {
        const int Window = SecretPatterns.Before + (1 << 20) + SecretPatterns.Behind;
        const int First = Window - SecretPatterns.Behind; // where the second piece takes over
        var token = PlantedSecrets.GitHub();
        var connection = $"Server=sql.acme.io;User Id=app;Password={PlantedSecrets.Password()}";
        foreach (var secret in new[] { token, connection })
        {
            var bytes = (isText ? Encoding.UTF8 : Encoding.Unicode).GetBytes(secret);
            foreach (var at in new[] { 0, 1, First - bytes.Length - 1, First - bytes.Length, First - 41, First - 40, First - 3, First - 1, First, First + 1, Window - 20, Window - 1, Window, (3 * First) - 7, (4 << 20) - bytes.Length })
            {
                var content = new byte[4 << 20];
                content.AsSpan().Fill(isText ? (byte)'\n' : (byte)0);
                bytes.CopyTo(content, at);

                var hit = Assert.Single(Scan("big.bin", content).Hits);

                Assert.Equal(secret == token ? "github-token" : "connection-string", hit.Rule.Id);
                if (isText)
                {
                    Assert.Equal(at + 1, hit.Line);
                }
                else
                {
                    Assert.Equal(at + (2 * (secret == token ? 0 : connection.IndexOf("Password=", StringComparison.Ordinal) + 9)), hit.Offset);
                }
            }
        }
    }

    /// <summary>Forms that an attacker of this scanner found to pass it. ~P stands for the password, ~A for 32 and ~K for 64 bytes in base 64.</summary>
    [Theory]
    [InlineData("connection-string", "appsettings.json", "{\"ConnectionStrings\":{\"Redis\":\"cache.acme.io:6380,password=~P,ssl=True,abortConnect=False\"}}")]
    [InlineData("connection-string", "x.txt", "redis=c1:6379,c2:6379,ssl=true, password=~P")]
    [InlineData("connection-string", "x.txt", "Server=sql.acme.io;User Id=app;Password=A&~P;Encrypt=true")]
    [InlineData("connection-string", "x.json", "{\"c\":\"Server=sql.acme.io;User Id=app;Password=Ab\\u002B~P;Encrypt=true\"}")]
    [InlineData("azure-storage-key", "x.json", "{\"c\":\"AccountName=acme;AccountKey=\\u002B~K\"}")]
    [InlineData("azure-shared-access-key", "x.json", "{\"c\":\"Endpoint=https://a.service.signalr.net;AccessKey=~A;Version=1.0;\"}")]
    [InlineData("azure-shared-access-key", "x.json", "{\"c\":\"Endpoint=https://a.azconfig.io;Id=abcd;Secret=~A\"}")]
    [InlineData("url-password", "x.json", "{\"u\":\"postgres:\\/\\/app:~P@pg.acme.io\\/x\"}")]
    [InlineData("url-password", "x.txt", "mongodb://app:p@~P@db.acme.io/x")]
    [InlineData("npmrc", ".yarnrc.yml", "npmAuthToken: ~P")]
    [InlineData("env-file", ".env", "PGPASSWORD=~P")]
    [InlineData("env-file", ".env", "DB_PASSWORD=Tr#~P # mine")]
    [InlineData("env-file", ".env", "DB_PASSWORD=\"a\\\"~P\" # mine")]
    [InlineData("env-file", ".env", "\ufeffDB_PASSWORD=~P")]
    [InlineData("env-file", ".envrc", "export DB_PASSWORD=~P")]
    [InlineData("env-file", ".env", "DB_PASSWORD=a9183746582")]
    [InlineData("settings", "appsettings.json", "{\"Smtp\":{\"dbpassword\":\"~P\"}}")]
    [InlineData("settings", "sharedsettings.json", "{\"Smtp\":{\"Password\":\"~P\"}}")]
    [InlineData("settings", "application_default_credentials.json", "{\"client_id\":\"x\",\"refresh_token\":\"1//0g~P\",\"type\":\"authorized_user\"}")]
    [InlineData("settings", "log4net.config", "<log4net><appender><smtpHost value='x'/><password value='~P'/></appender></log4net>")]
    [InlineData("settings", "web.config", "<?xml version=\"1.0\" encoding=\"utf-16\"?><configuration><appSettings><add key=\"ApiKey\" value=\"~P\" /></appSettings></configuration>")]
    [InlineData("settings", "acme.PublishSettings", "<publishData><publishProfile userName=\"$acme\" userPWD=\"~P\" /></publishData>")]
    [InlineData("settings", "web.pubxml.user", "<Project><PropertyGroup><Password>~P</Password></PropertyGroup></Project>")]
    [InlineData("kubeconfig", "kubeconfig.yaml", "users:\n- user:\n    token: ~P")]
    public void A_form_that_once_passed_is_found(string rule, string path, string form)
    {
        var content = form.Replace("~P", PlantedSecrets.Password(), StringComparison.Ordinal)
            .Replace("~A", PlantedSecrets.Base64(32), StringComparison.Ordinal).Replace("~K", PlantedSecrets.Base64(64)[1..], StringComparison.Ordinal);

        Assert.Equal(rule, Assert.Single(Scan(path, Encoding.UTF8.GetBytes(content)).Hits).Rule.Id);
        // And as Windows tools save it.
        Assert.Equal(rule, Assert.Single(Scan(path, [.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes(content)]).Hits).Rule.Id);
    }

    [Fact]
    public void A_key_store_is_known_by_its_content_whatever_it_is_called()
        => Assert.All(
            PlantedSecrets.All.Where(p => p.Rule is "pfx" or "protected-pfx"),
            p => Assert.Equal(p.Rule, Assert.Single(Scan("certificate.bin", p.Content).Hits).Rule.Id));

    /// <summary>Each secret is held against all others of its file: a table of them must not take for ever, nor the others be passed over in silence.</summary>
    [Fact]
    public void A_file_that_is_a_list_of_secrets_is_told_and_not_read_to_its_end()
    {
        var rows = string.Concat(Enumerable.Range(0, 30_000).Select(_ => $"redis://u:{PlantedSecrets.Draw("abcdefghijklmnopqrstuvwxyz0123456789", 14)}@cache.acme.io/1\n"));

        var scanner = Scan("rows.csv", Encoding.UTF8.GetBytes(rows));

        Assert.Equal((1000, 1000), (scanner.Hits.Count, scanner.Hits[^1].Line));
        Assert.Equal(("rows.csv", "it holds more than 1000 secrets: the others"), Assert.Single(scanner.NotRead));
    }

    public static TheoryData<string> Repeated => [.. PlantedSecrets.Repeated];

    /// <summary>How long it takes is what <c>bench secrets</c> shows.</summary>
    [Theory]
    [MemberData(nameof(Repeated))]
    public void A_text_that_begins_like_a_secret_over_and_over_is_read_to_its_end(string unit)
    {
        var text = Encoding.UTF8.GetBytes(string.Concat(Enumerable.Repeat(unit, (2 << 20) / unit.Length)));

        var scanner = Scan("x.js", text);

        Assert.Equal(text.Length, scanner.Bytes);
        Assert.DoesNotContain(scanner.NotRead, n => n.Why.Contains("too long", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData("x.txt", "ghp_0123456789abcdefghijklmnopqrstuvwxyz")]
    [InlineData("x.txt", "npm_aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa")]
    [InlineData("x.txt", "aws_access_key_id = AKIAIOSFODNN7EXAMPLE")]
    [InlineData("x.txt", "aws_secret_access_key = wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY")]
    [InlineData("x.txt", "glp" + "at-xxxxxxxxxxxxxxxxxxxx")]
    [InlineData("x.txt", "xoxb-not-a-real-token-but-only-words-of-a-sample")]
    [InlineData("x.txt", "sk_" + "test_4eC39HqLyjWDarjtT1zdp7dc")]
    [InlineData("x.txt", "https://hooks.slack" + ".com/services/T00000000/B00000000/XXXXXXXXXXXXXXXXXXXXXXXX")]
    [InlineData("x.txt", "eyJhbGciOiJIUzI1NiIsInR5cCI6IkpXVCJ9.eyJzdWIiOiIxMjM0NTY3ODkwIiwibmFtZSI6IkpvaG4gRG9lIiwiaWF0IjoxNTE2MjM5MDIyfQ.SflKxwRJSMeKKF2QT4fwpMeJf36POk6yJV_adQssw5c")]
    [InlineData("x.txt", "eyJhbGciOiJub25lIn0.eyJzdWIiOiI5ODc2NTQzMjEifQ.c2lnbmF0dXJlLXRoYXQtaXMtbm9uZQ")]
    [InlineData("x.txt", "UseDevelopmentStorage=true;AccountName=devstoreaccount1;AccountKey=" + "Eby8vdM02xNOcqFlqUwJPLlmEtlCDXJ1OUzFT50uSRZ6IFsuFq2UVErCz4I6tq/K1SZFPTOtr/KBHBeksoGMGw==")]
    [InlineData("x.txt", "AccountEndpoint=https://localhost:8081/;AccountKey=" + "C2y6yDjf5/R+ob0N8A7Cgv30VRDJIWEHLM+4QDU5DE2nQ9nDuVTqobD4b8mGGyPMbIZnqyMsEcaGQy67XIw/Jw==")]
    [InlineData("x.txt", "-----BEGIN PRIVATE KEY-----\n...\n-----END PRIVATE KEY-----")]
    [InlineData("x.cs", "const string Begin = \"-----BEGIN RSA PRIVATE KEY-----\"; const string End = \"-----END RSA PRIVATE KEY-----\";")]
    [InlineData("x.pem", "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEEVs/o5+uQbTjL3chynL4wXgUg2R9q9UU8I5mEovUf86QZ7kOBIjJwqnzD1omageEHWwHdBO6B+dFabmdT9POxg==\n-----END PUBLIC KEY-----")]
    [InlineData("x.txt", "Server=sql.acme.io;User Id=app;Password=<password>")]
    [InlineData("x.txt", "Server=sql.acme.io;User Id=app;Password=${DB_PASSWORD};Encrypt=true")]
    [InlineData("x.txt", "Server=sql.acme.io;User Id=app;Password=yourStrong(!)Password")]
    [InlineData("x.txt", "Server=localhost;User Id=app;Password=Tr0ub4dor&3correct")]
    [InlineData("x.txt", "Data Source=(localdb)\\MSSQLLocalDB;Database=x;Password=Tr0ub4dor&3correct")]
    [InlineData("x.txt", "Host=pg.acme.io;Username=postgres;Password=postgres")]
    [InlineData("x.html", "<input name=password type=password>; password=Tr0ub4dor&3correct")]
    [InlineData("x.txt", "https://user:password@acme.io/")]
    [InlineData("x.txt", "https://{user}:{token}@acme.io/")]
    [InlineData("x.txt", "amqp://guest:guest@rabbit:5672/")]
    [InlineData("x.txt", "http://me:Tr0ub4dor3correct@localhost:3000/ and http://me:Tr0ub4dor3correct@example.com/")]
    [InlineData("x.txt", "see http://acme.io/a:b/c@d and https://acme.io:8080/x")]
    [InlineData(".env", "PASSWORD=\nAPI_KEY=your-api-key\nSMTP_PASSWORD=${SMTP_PASSWORD}\nTOKEN_ENDPOINT=https://login.acme.io/token1\nPWD=/app\nPORT=8080\nPASSWORD_FILE=/run/secrets/db1")]
    [InlineData("appsettings.json", "{ \"Jwt\": { \"Key\": \"\", \"Issuer\": \"x1234567890123456\" }, \"Smtp\": { \"Password\": \"changeme\" }, \"TokenLifetime\": \"1234567890\", \"PasswordHint\": \"Tr0ub4dor\", \"ApiKey\": \"<from key vault>\", \"Secret\": \"@Microsoft.KeyVault(SecretUri=x)\" }")]
    [InlineData("app.config", "<configuration><dependentAssembly><assemblyIdentity name=\"System.Memory\" publicKeyToken=\"cc7b13ffcd2ddd51\" /></dependentAssembly><machineKey validationKey=\"AutoGenerate,IsolateApps\" /></configuration>")]
    [InlineData("nuget.config", "<configuration><packageSourceCredentials><acme><add key=\"ClearTextPassword\" value=\"%ACME_TOKEN%\" /></acme></packageSourceCredentials></configuration>")]
    [InlineData(".npmrc", "//npm.acme.io/:_authToken=${NPM_TOKEN}")]
    [InlineData("config.json", "{ \"auths\": { \"ghcr.io\": {} }, \"credsStore\": \"desktop\", \"auth\": \"basic\" }")]
    [InlineData("x.js", "connect('cache:6379', password=Tr0ub4dor3correct) and f(a,password=Tr0ub4dor3correct)")]
    [InlineData("x.txt", "localhost:6379,password=Tr0ub4dor3correct,ssl=False and cache:6379,password=changeme,ssl=False and cache:6379,password=${REDIS_PASSWORD}")]
    [InlineData("x.json", "{ \"u\": \"https:\\/\\/user:password@acme.io\\/\", \"v\": \"http://[::1]:1@2x\", \"n\": \"\\u0070\\u0061ss\" }")]
    [InlineData("Acme.Secrets.deps.json", "{ \"dotnet-user-secrets/10.0.12\": { \"sha512\": \"k3Jd9qLm2Xw7k3Jd9qLm2Xw7\" }, \"Acme.Secret\": { \"assemblyVersion\": \"10.0.12.42210\" } }")]
    [InlineData("x.csproj.user", "<Project><PropertyGroup><ActiveDebugProfile>https</ActiveDebugProfile><NameOfLastUsedPublishProfile>/app/Folder1.pubxml</NameOfLastUsedPublishProfile></PropertyGroup></Project>")]
    [InlineData("app.config", "<log4net><appender><password value=\"%property{PASS}\" /></appender><publickeytoken value=\"cc7b13ffcd2ddd51\" /></log4net>")]
    [InlineData("swagger.json", "{ \"password\": { \"type\": \"string\" }, \"token\": \"string\" }")]
    [InlineData("de.json", "{ \"password\": \"Passwort\", \"token\": \"Wertmarke\" }")]
    [InlineData(".gitignore", "bin/")]
    [InlineData("not.pfx", "this is text")]
    [InlineData("kubeconfig", "users:\n- user:\n    token: ${TOKEN}\n")]
    public void What_only_looks_like_a_secret_is_none(string path, string content)
        => Assert.Empty(Scan(path, Encoding.UTF8.GetBytes(content)).Hits.Select(h => $"{h.Rule.Id}: {h.Value}"));

    [Fact]
    public void A_pfx_without_a_private_key_and_a_key_store_of_certificates_are_none()
    {
        using var rsa = System.Security.Cryptography.RSA.Create(2048);
        var request = new System.Security.Cryptography.X509Certificates.CertificateRequest("CN=x", rsa, System.Security.Cryptography.HashAlgorithmName.SHA256, System.Security.Cryptography.RSASignaturePadding.Pkcs1);
        using var own = request.CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(100));
        using var open = System.Security.Cryptography.X509Certificates.X509CertificateLoader.LoadCertificate(own.RawData);
        byte[] store = [0xFE, 0xED, 0xFE, 0xED, 0, 0, 0, 2, 0, 0, 0, 1, 0, 0, 0, 2, 0, 1, (byte)'c', .. new byte[8], 0, 5, .. "X.509"u8, 0, 0, 0, 3, 1, 2, 3];

        Assert.Empty(Scan("ca.pfx", open.Export(System.Security.Cryptography.X509Certificates.X509ContentType.Pfx)).Hits);
        Assert.Empty(Scan("ca.jks", store).Hits);
        Assert.Empty(Scan("cut.jks", store[..20]).Hits);
    }

    [Theory]
    [InlineData("DbPassword", true)]
    [InlineData("STRIPE_API_KEY", true)]
    [InlineData("Jwt:SigningKey", true)]
    [InlineData("ApiKeys", true)]
    [InlineData("CR_PAT", true)]
    [InlineData("clientSecret", true)]
    [InlineData("ConnectionString", false)]
    [InlineData("TokenEndpoint", false)]
    [InlineData("PasswordLength", false)]
    [InlineData("publicKeyToken", false)]
    [InlineData("GPG_KEY", false)]
    [InlineData("PAT", false)]
    [InlineData("PGPASSWORD", true)]
    [InlineData("DBPASSWORD", true)]
    [InlineData("SMTPPASSWORD", true)]
    [InlineData("DBPASS", true)]
    [InlineData("CLIENTSECRET", true)]
    [InlineData("JWTSECRET", true)]
    [InlineData("GHTOKEN", true)]
    [InlineData("AdminPw", true)]
    [InlineData("REDISCLI_AUTH", true)]
    [InlineData("SECRET_KEY_BASE", true)]
    [InlineData("mailpwd", true)]
    [InlineData("accesstoken", true)]
    [InlineData("pw", false)]
    [InlineData("PublicKeyToken", false)]
    [InlineData("TokenType", false)]
    [InlineData("clientsecret", true)]
    [InlineData("publickeytoken", false)]
    [InlineData("secretary", false)]
    [InlineData("UserSecretsId", false)]
    [InlineData("PATH", false)]
    [InlineData("", false)]
    public void A_name_says_whether_its_value_is_a_secret(string name, bool expected) => Assert.Equal(expected, SecretText.IsSecretName(name));

    /// <summary>Source: the token in GitHub's blog post about the format.</summary>
    [Theory]
    [InlineData("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17", true)]
    [InlineData("zQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq18", false)]
    [InlineData("aQWBuTSOoRi4A9spHcVY5ncnsDkxkJ0mLq17", false)]
    public void A_tokens_checksum_is_computed_as_GitHub_does(string body, bool expected) => Assert.Equal(expected, SecretText.HasChecksum(body));

    [Fact]
    public void The_same_secret_has_the_same_fingerprint_whatever_it_is_written_in()
    {
        // Not ASCII: one byte a character is not enough.
        var text = "Host=pg.acme.io;Username=app;Password=Gr\u00fc\u00dfe-1234-" + PlantedSecrets.Draw("abcdefgh", 8);
        byte[][] contents = [Encoding.UTF8.GetBytes(text), [0, .. Encoding.Unicode.GetBytes(text), 0, 0], [.. Encoding.Unicode.GetPreamble(), .. Encoding.Unicode.GetBytes(text)]];

        Assert.Single(contents.Select(c => Assert.Single(Scan("x", c).Hits)).Select(h => SecretSearch.FingerprintOf(h.Rule, h.Value)).Distinct());
    }

    [Theory]
    [InlineData(true, "lib.dll")]
    [InlineData(false, "lib.pdb")]
    public void A_source_that_symbols_hold_is_looked_into(bool isInside, string file)
    {
        var folder = Directory.CreateTempSubdirectory("sources").FullName;
        try
        {
            var token = PlantedSecrets.GitHub();
            var assembly = new FakeAssembly { Name = "lib", IsPdbEmbedded = isInside, Documents = [new("/_/src/Client.cs", Encoding.UTF8.GetBytes($"// first\n// {token}\n{string.Concat(Enumerable.Repeat("// more of it\n", 50))}"), IsEmbedded: true)] };
            assembly.Write(Path.Combine(folder, "lib.dll"));

            var hit = Assert.Single(Scan("app/" + file, File.ReadAllBytes(Path.Combine(folder, file))).Hits);

            Assert.Equal(($"app/{file}!/_/src/Client.cs", 2, token), (hit.Path, hit.Line, hit.Value));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void What_is_packed_three_deep_is_found_and_deeper_is_told()
    {
        var token = PlantedSecrets.GitHub();
        var one = Zip(("c.txt", Encoding.UTF8.GetBytes(token)));
        var three = Zip(("a.zip", Zip(("b.zip", one))));
        Assert.Equal("x.zip!/a.zip/b.zip/c.txt", Assert.Single(Scan("x.zip", three).Hits).Path);
        var four = Scan("x.zip", Zip(("o.zip", three)));
        Assert.Empty(four.Hits);
        Assert.Equal("x.zip!/o.zip/a.zip/b.zip", Assert.Single(four.NotRead).Path);
    }

    [Fact]
    public void What_is_packed_is_found_where_the_archive_is_too_large_for_memory()
    {
        var token = PlantedSecrets.GitHub();
        var filling = new byte[20 << 20];
        var zip = Zip(("filling", filling), ("c.txt", Encoding.UTF8.GetBytes(token)));

        Assert.InRange(zip.Length, filling.Length, int.MaxValue); // stored, not deflated
        Assert.Equal(("x.zip!/c.txt", token), Assert.Single(Scan("x.zip", zip).Hits.Select(h => (h.Path, h.Value))));
    }

    [Fact]
    public void What_an_assembly_holds_is_found_where_it_is_too_large_for_memory()
    {
        var (token, inside) = (PlantedSecrets.GitHub(), PlantedSecrets.GitHub());
        var folder = Directory.CreateTempSubdirectory("rsdk-core-").FullName;
        try
        {
            // Nothing is said of what a file has behind its sections; the last window of it is looked at like the first.
            var assembly = new FakeAssembly { Name = "lib", IsPdbEmbedded = true, Documents = [new("/_/src/Client.cs", Encoding.UTF8.GetBytes($"// {inside}\n{string.Concat(Enumerable.Repeat("// more of it\n", 50))}"), IsEmbedded: true)] };
            assembly.Write(Path.Combine(folder, "lib.dll"));
            byte[] content = [.. File.ReadAllBytes(Path.Combine(folder, "lib.dll")), .. new byte[20 << 20], .. Encoding.UTF8.GetBytes(token), 0];

            Assert.Equal([("lib.dll", token), ("lib.dll!/_/src/Client.cs", inside)], Scan("lib.dll", content).Hits.Select(h => (h.Path, h.Value)));
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    [Fact]
    public void Each_of_many_secrets_in_a_row_is_found_where_it_stands()
    {
        // More than judges are given at once, in steps that meet the ends of what they are given at every place.
        var text = new StringBuilder();
        var expected = new List<(int? Line, string Value)>();
        for (var line = 1; text.Length < 900_000; line += 2)
        {
            // What decides about a password stands before it.
            var secret = line % 4 == 1 ? PlantedSecrets.GitHub() : PlantedSecrets.Password();
            expected.Add((line, secret));
            text.Append(line % 4 == 1 ? "key " : "Server=sql.acme.io;User Id=app;Password=").Append(secret).Append('\n').Append('.', (line * 37) % 4096).Append('\n');
        }

        Assert.Equal(expected, Scan("keys.txt", Encoding.UTF8.GetBytes(text.ToString())).Hits.Select(h => (h.Line, h.Value)));
    }

    [Theory]
    [InlineData("cut.zip")]
    [InlineData("cut.gz")]
    [InlineData("cut.br")]
    public void A_damaged_archive_is_told(string path)
    {
        byte[] content = path switch
        {
            "cut.zip" => [.. "PK\u0003\u0004"u8, .. new byte[100]],
            "cut.gz" => [0x1F, 0x8B, 8, 0, 0, 0, 0, 0, 0, 3, 1, 2, 3, 4, 5],
            _ => [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF],
        };

        Assert.Equal((path, "it can't be unpacked"), Assert.Single(Scan(path, content).NotRead));
    }

    [Fact]
    public void The_page_of_rules_is_the_table()
    {
        var page = RepositoryFiles.At("docs", "secrets.md");
        if (Environment.GetEnvironmentVariable("REGISTRY_SDK_WRITE_DOCS") == "1")
        {
            File.WriteAllText(page, SecretsPage.Markdown());
        }

        Assert.Equal(File.ReadAllText(page), SecretsPage.Markdown());
        Assert.Equal(SecretRules.All.Count, SecretRules.All.DistinctBy(r => r.Id).Count());
    }

    private static byte[] Zip(params (string Name, byte[] Content)[] entries)
    {
        var memory = new MemoryStream();
        using (var zip = new ZipArchive(memory, ZipArchiveMode.Create))
        {
            foreach (var (name, content) in entries)
            {
                using var stream = zip.CreateEntry(name, CompressionLevel.NoCompression).Open();
                stream.Write(content);
            }
        }

        return memory.ToArray();
    }

    private static SecretScanner Scan(string path, byte[] content)
    {
        var scanner = new SecretScanner(CancellationToken.None);
        using var stream = new MemoryStream(content);
        scanner.ScanFile(path, stream);
        return scanner;
    }
}
