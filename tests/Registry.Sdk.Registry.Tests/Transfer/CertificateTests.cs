using System.Net;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using Registry.Sdk.Core.Primitives;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.Transfer;

/// <summary>Certificates that are not accepted: which fault it is, and how it is mended. Never how it is ignored.</summary>
public sealed class CertificateTests
{
    [Theory]
    [InlineData("self-signed", "it is self-signed, which this machine does not trust", "update-ca-certificates")]
    [InlineData("unknown authority", "it is issued by CN=Test Authority, which this machine does not trust", "SSL_CERT_FILE")]
    [InlineData("expired", "it expired on 2025-02-01", "has to renew it")]
    [InlineData("not yet valid", "it is valid from 2099-01-01 only", "check this machine's clock")]
    [InlineData("wrong host", "it is made for registry.example, 192.0.2.1 and not for 127.0.0.1", "use a name it is made for")]
    [InlineData("no name", "it is made for no host at all and not for 127.0.0.1", "use a name it is made for")]
    public async Task A_certificate_is_explained(string fault, string says, string mends)
    {
        using var certificate = Create(fault);
        await using var registry = await LoopbackServer.StartAsync((context, _) => Wire.JsonAsync(context, 200, "{}"), certificate);
        using var wire = new Wire(registry.Address, "https");

        var refused = await Wire.FailsAsync(RegistryFailure.CertificateInvalid, () => wire.Open().PingAsync(CancellationToken.None));

        Assert.Contains(says, refused.Message);
        Assert.Contains(mends, refused.Message);
        Assert.Contains("(subject CN=registry.test, issuer CN=", refused.Message);
        Assert.Empty(registry.Requests);
        var destination = RegistryErrors.AtDestination(refused, "there");
        Assert.Equal("RSDK5001", destination.Code);
        // Nothing that isn't so, and no way around it.
        Assert.DoesNotContain("Check the host", destination.Message);
        Assert.DoesNotContain("nsecure", destination.Message + RegistryErrors.AtBaseImage(refused, "base").Message);
    }

    [Fact]
    public async Task Plain_http_where_https_is_spoken_is_no_certificate()
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) => Wire.JsonAsync(context, 200, "{}"));
        using var wire = new Wire(registry.Address, "https");

        Assert.EndsWith(
            "can't be reached (GET /v2/): what answers does not speak TLS. If it speaks plain http, correct Registry in the RegistrySdkEndpoint item.",
            (await Wire.FailsAsync(RegistryFailure.Unreachable, () => wire.Open().PingAsync(CancellationToken.None))).Message);
    }

    [Fact]
    public async Task Https_where_plain_http_is_spoken_is_told_with_the_line_to_add()
    {
        await using var registry = await LoopbackServer.StartAsync((context, _) => Wire.JsonAsync(context, 400, "Client sent an HTTP request to an HTTPS server.\n", "text/plain"));
        using var wire = new Wire(registry.Address);

        var told = await Wire.FailsAsync(RegistryFailure.NotARegistry, () => wire.Open().PingAsync(CancellationToken.None));

        Assert.Contains($"add <RegistrySdkEndpoint Include=\"{registry.Address}\" Registry=\"https://{registry.Address}\" />", told.Message);
    }

    [Fact]
    public async Task A_token_servers_certificate_is_explained_too()
    {
        using var certificate = Create("self-signed");
        await using var tokens = await LoopbackServer.StartAsync((context, _) => Wire.JsonAsync(context, 200, "{}"), certificate);
        await using var registry = await LoopbackServer.StartAsync((context, _) =>
        {
            context.Response.Headers.WWWAuthenticate = $"Bearer realm=\"https://{tokens.Address}/token\"";
            context.Response.StatusCode = 401;
            return Task.CompletedTask;
        });
        using var wire = new Wire(registry.Address) { Credentials = _ => Wire.Login("u", "p") };

        var refused = await Wire.FailsAsync(RegistryFailure.CertificateInvalid, () => wire.Open().PingAsync(CancellationToken.None));

        Assert.Contains($"The token server {tokens.Address} of {registry.Address}", refused.Message);
        Assert.Contains("self-signed", refused.Message);
        Assert.Empty(tokens.Requests);
    }

    private static X509Certificate2 Create(string fault)
    {
        using var key = RSA.Create(2048);
        var request = new CertificateRequest("CN=registry.test", key, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        var names = new SubjectAlternativeNameBuilder();
        if (fault == "wrong host")
        {
            names.AddDnsName("registry.example");
            names.AddIpAddress(IPAddress.Parse("192.0.2.1"));
        }
        else
        {
            names.AddIpAddress(IPAddress.Loopback);
        }

        if (fault != "no name")
        {
            request.CertificateExtensions.Add(names.Build());
        }

        var (from, to) = fault switch
        {
            "expired" => (new DateTimeOffset(2025, 1, 1, 0, 0, 0, TimeSpan.Zero), new DateTimeOffset(2025, 2, 1, 0, 0, 0, TimeSpan.Zero)),
            "not yet valid" => (new DateTimeOffset(2099, 1, 1, 0, 0, 0, TimeSpan.Zero), new DateTimeOffset(2099, 2, 1, 0, 0, 0, TimeSpan.Zero)),
            _ => (DateTimeOffset.UtcNow.AddDays(-1), DateTimeOffset.UtcNow.AddDays(1)),
        };
        if (fault != "unknown authority")
        {
            return Usable(request.CreateSelfSigned(from, to));
        }

        using var authorityKey = RSA.Create(2048);
        var authority = new CertificateRequest("CN=Test Authority", authorityKey, HashAlgorithmName.SHA256, RSASignaturePadding.Pkcs1);
        authority.CertificateExtensions.Add(new X509BasicConstraintsExtension(certificateAuthority: true, hasPathLengthConstraint: false, pathLengthConstraint: 0, critical: true));
        using var root = authority.CreateSelfSigned(from.AddHours(-1), to.AddHours(1));
        using var signed = request.Create(root, from, to, [1, 2, 3, 4]);
        return Usable(signed.CopyWithPrivateKey(key));
    }

    private static X509Certificate2 Usable(X509Certificate2 certificate)
    {
        using (certificate)
        {
            return X509CertificateLoader.LoadPkcs12(certificate.Export(X509ContentType.Pkcs12), null);
        }
    }
}
