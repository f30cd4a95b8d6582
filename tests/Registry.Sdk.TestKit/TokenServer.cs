using System.Collections.Concurrent;
using System.IdentityModel.Tokens.Jwt;
using System.Security.Claims;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Microsoft.IdentityModel.Tokens;

namespace Registry.Sdk.TestKit;

/// <summary>A request at a <see cref="TokenServer"/>: what was asked and what was granted. No secret, no token.</summary>
public sealed record TokenRequest(string Method, string? User, IReadOnlyList<string> Asked, IReadOnlyList<string> Granted, int Status);

/// <summary>
/// A real token server for a Distribution with token authentication: users with rights by repository, RS256 tokens. Source: distribution «token.md»,
/// «jwt.md» and «oauth.md».
/// </summary>
public sealed class TokenServer : IAsyncDisposable
{
    /// <summary>Whom tokens are for, and from.</summary>
    public const string Service = "test registry";

    /// <summary>See <see cref="Service"/>.</summary>
    public const string Issuer = "test issuer";

    private readonly ConcurrentDictionary<string, (string Password, Func<string, string> Rights)> users = new(StringComparer.Ordinal);
    private readonly ConcurrentDictionary<string, string> refreshTokens = new(StringComparer.Ordinal);
    private readonly ConcurrentQueue<TokenRequest> requests = new();
    private readonly RSA key = RSA.Create(2048);
    private LoopbackServer server = null!;

    private TokenServer()
    {
        var request = new CertificateRequest("CN=" + Issuer, key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        Certificate = request.CreateSelfSigned(DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1));
    }

    /// <summary>What the registry trusts (<c>rootcertbundle</c>).</summary>
    public X509Certificate2 Certificate { get; }

    /// <summary>The realm.</summary>
    public string Realm => $"http://{server.Address}/token";

    /// <summary>Every request so far.</summary>
    public IReadOnlyList<TokenRequest> Requests => [.. requests];

    /// <summary>What an outsider may do with a repository: <c>pull</c>, <c>pull,push</c> or nothing.</summary>
    public Func<string, string> Anonymous { get; set; } = static _ => "";

    /// <summary>How long tokens live; Distribution adds a minute of grace, so one that is just valid has less than nothing.</summary>
    public TimeSpan Lifetime { get; set; } = TimeSpan.FromMinutes(5);

    /// <summary>What answers say of it; null: nothing.</summary>
    public int? ExpiresIn { get; set; }

    /// <summary>Whether there is the OAuth2 form (POST); without, it answers 405.</summary>
    public bool OAuth { get; set; } = true;

    /// <summary>Starts a token server.</summary>
    public static async Task<TokenServer> StartAsync()
    {
        var tokens = new TokenServer();
        tokens.server = await LoopbackServer.StartAsync(tokens.AnswerAsync);
        return tokens;
    }

    /// <summary>Adds a user; <paramref name="rights"/> gives the actions by repository, <c>pull,push</c>. Gives a password that is new each time.</summary>
    public string AddUser(string name, Func<string, string> rights)
    {
        var password = $"pw: {Guid.NewGuid():N}";
        users[name] = (password, rights);
        return password;
    }

    /// <summary>An identity token of a user.</summary>
    public string IdentityToken(string user)
    {
        var token = Guid.NewGuid().ToString("N");
        refreshTokens[token] = user;
        return token;
    }

    /// <inheritdoc/>
    public async ValueTask DisposeAsync()
    {
        await server.DisposeAsync();
        Certificate.Dispose();
        key.Dispose();
    }

    private async Task AnswerAsync(HttpContext context, byte[] body)
    {
        var isPost = HttpMethods.IsPost(context.Request.Method);
        string? user = null;
        List<string> asked;
        if (isPost)
        {
            var form = Microsoft.AspNetCore.WebUtilities.QueryHelpers.ParseQuery(Encoding.UTF8.GetString(body));
            asked = [.. form["scope"].ToString().Split(' ', StringSplitOptions.RemoveEmptyEntries)];
            if (!OAuth)
            {
                await RefuseAsync(405, "{}");
                return;
            }

            if (form["grant_type"] != "refresh_token" || form["service"] != Service || form["client_id"].Count == 0 || !refreshTokens.TryGetValue(form["refresh_token"].ToString(), out user))
            {
                await RefuseAsync(400, """{"error":"invalid_grant","error_description":"unknown refresh token"}""");
                return;
            }
        }
        else
        {
            asked = [.. context.Request.Query["scope"].Select(s => s!)];
            var authorization = context.Request.Headers.Authorization.ToString();
            if (authorization.StartsWith("Basic ", StringComparison.Ordinal))
            {
                var login = Encoding.UTF8.GetString(Convert.FromBase64String(authorization["Basic ".Length..])).Split(':', 2);
                user = users.TryGetValue(login[0], out var known) && known.Password == login[1] ? login[0] : refreshTokens.TryGetValue(login[1], out var owner) && !OAuth ? owner : null;
                if (user is null)
                {
                    await RefuseAsync(401, """{"errors":[{"code":"UNAUTHORIZED","message":"incorrect username or password"}]}""");
                    return;
                }
            }
        }

        // Less than asked is granted without a word, as the specification has it.
        var access = asked.Select(s => s.Split(':')).Where(s => s.Length == 3).Select(s => (Name: s[1], Actions: s[2].Split(',').Intersect(
            (user is null ? Anonymous(s[1]) : users[user].Rights(s[1])).Split(',', StringSplitOptions.RemoveEmptyEntries)).ToArray())).Where(a => a.Actions.Length > 0).ToList();
        requests.Enqueue(new(context.Request.Method, user, asked, [.. access.Select(a => $"repository:{a.Name}:{string.Join(',', a.Actions)}")], 200));
        var answer = new Dictionary<string, object>(StringComparer.Ordinal) { [isPost ? "access_token" : "token"] = Sign(user ?? "", access) };
        if (ExpiresIn is { } seconds)
        {
            answer["expires_in"] = seconds;
        }

        context.Response.ContentType = "application/json";
        await context.Response.WriteAsync(JsonSerializer.Serialize(answer));

        async Task RefuseAsync(int status, string json)
        {
            requests.Enqueue(new(context.Request.Method, null, asked, [], status));
            context.Response.StatusCode = status;
            context.Response.ContentType = "application/json";
            await context.Response.WriteAsync(json);
        }
    }

    private string Sign(string user, IEnumerable<(string Name, string[] Actions)> access)
    {
        var now = DateTime.UtcNow;
        var payload = new JwtPayload(Issuer, Service, [new Claim("sub", user), new Claim("jti", Guid.NewGuid().ToString("N"))], now.AddMinutes(-10), now + Lifetime, now)
        {
            ["access"] = access.Select(a => new Dictionary<string, object>(StringComparer.Ordinal) { ["type"] = "repository", ["name"] = a.Name, ["actions"] = a.Actions }).ToArray(),
        };
        // Distribution 2 finds the key in the token's own chain (x5c), which it holds against its bundle; a kid it would read in libtrust's form.
        var header = new JwtHeader(new SigningCredentials(new RsaSecurityKey(key), SecurityAlgorithms.RsaSha256)) { ["x5c"] = new[] { Convert.ToBase64String(Certificate.RawData) } };
        header.Remove("kid");
        return new JwtSecurityTokenHandler().WriteToken(new JwtSecurityToken(header, payload));
    }
}
