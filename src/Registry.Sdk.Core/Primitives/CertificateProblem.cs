using System.Globalization;
using System.Net.Security;
using System.Security.Authentication;
using System.Security.Cryptography.X509Certificates;

namespace Registry.Sdk.Core.Primitives;

/// <summary>A server's certificate is not accepted; the message says which of its faults it is. It is never offered to ignore one.</summary>
internal sealed class CertificateProblem(string message) : AuthenticationException(message)
{
    private const string Trust =
        "If that authority is yours, make this machine trust it: copy its certificate as /usr/local/share/ca-certificates/NAME.crt and run update-ca-certificates (Debian, Ubuntu, Alpine), as /etc/pki/ca-trust/source/anchors/NAME.crt and run update-ca-trust (Fedora, RHEL), or name its file in the environment variable SSL_CERT_FILE";

    /// <summary>Validates as the platform does.</summary>
    /// <exception cref="CertificateProblem">The platform does not accept it.</exception>
    public static bool Validate(object sender, X509Certificate? certificate, X509Chain? chain, SslPolicyErrors errors)
    {
        if (errors == SslPolicyErrors.None)
        {
            return true;
        }

        var host = (sender as SslStream)?.TargetHostName ?? string.Empty;
        using var leaf = certificate is null ? null : new X509Certificate2(certificate);
        throw new CertificateProblem(Describe(host, leaf, [.. chain?.ChainElements.Select(e => (e.Certificate, e.ChainElementStatus.Aggregate(X509ChainStatusFlags.NoError, (all, s) => all | s.Status))) ?? []], errors, DateTimeOffset.UtcNow));
    }

    /// <summary>One line: what is wrong, of whose certificate, and how it is mended.</summary>
    internal static string Describe(
        string host, X509Certificate2? leaf, IReadOnlyList<(X509Certificate2 Certificate, X509ChainStatusFlags Status)> chain, SslPolicyErrors errors, DateTimeOffset now)
    {
        if (leaf is null || errors.HasFlag(SslPolicyErrors.RemoteCertificateNotAvailable))
        {
            return "the server shows no certificate";
        }

        var faults = new List<string>();
        if (errors.HasFlag(SslPolicyErrors.RemoteCertificateNameMismatch))
        {
            faults.Add($"it is made for {Names(leaf)} and not for {RegistryClient.Clean(host)}; use a name it is made for, or have the registry's operator renew it with this one");
        }

        foreach (var (certificate, status) in chain)
        {
            var whose = certificate.Thumbprint == leaf.Thumbprint ? "it" : $"the certificate of its authority ({Name(certificate.Subject)})";
            if (status.HasFlag(X509ChainStatusFlags.NotTimeValid))
            {
                faults.Add(certificate.NotAfter.ToUniversalTime() < now.UtcDateTime
                    ? $"{whose} expired on {Day(certificate.NotAfter)}; the registry's operator has to renew it"
                    : $"{whose} is valid from {Day(certificate.NotBefore)} only; check this machine's clock");
            }

            if (status.HasFlag(X509ChainStatusFlags.Revoked))
            {
                faults.Add($"{whose} is revoked; the registry's operator has to replace it");
            }
        }

        var all = chain.Aggregate(X509ChainStatusFlags.NoError, (flags, e) => flags | e.Status);
        if ((all & (X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain)) != X509ChainStatusFlags.NoError)
        {
            faults.Add($"{(leaf.Subject == leaf.Issuer ? "it is self-signed" : $"it is issued by {Name(chain.Count > 1 ? chain[^1].Certificate.Subject : leaf.Issuer)}")}, which this machine does not trust. {Trust}");
        }

        const X509ChainStatusFlags Told = X509ChainStatusFlags.NotTimeValid | X509ChainStatusFlags.Revoked | X509ChainStatusFlags.UntrustedRoot | X509ChainStatusFlags.PartialChain;
        if (faults.Count == 0 || (all & ~Told) != X509ChainStatusFlags.NoError)
        {
            faults.Add($"this machine does not accept it ({all & ~Told})");
        }

        return $"its certificate is not accepted: {string.Join("; ", faults)} (subject {Name(leaf.Subject)}, issuer {Name(leaf.Issuer)}, valid from {Day(leaf.NotBefore)} to {Day(leaf.NotAfter)})";
    }

    private static string Names(X509Certificate2 leaf)
    {
        var names = leaf.Extensions.OfType<X509SubjectAlternativeNameExtension>().SelectMany(e => e.EnumerateDnsNames().Concat(e.EnumerateIPAddresses().Select(a => a.ToString()))).ToList();
        return names.Count == 0 ? "no host at all" : RegistryClient.Clean(string.Join(", ", names.Take(5)) + (names.Count > 5 ? ", …" : string.Empty));
    }

    private static string Name(string distinguishedName) => RegistryClient.Clean(distinguishedName.Length == 0 ? "unnamed" : distinguishedName);

    private static string Day(DateTime time) => time.ToUniversalTime().ToString("yyyy-MM-dd", CultureInfo.InvariantCulture);
}
