using System.Text;

namespace Registry.Sdk.Core.Imaging;

/// <summary>Makes <c>docs/secrets.md</c> out of <see cref="SecretRules"/>.</summary>
internal static class SecretsPage
{
    /// <summary>The page.</summary>
    public static string Markdown()
    {
        var text = new StringBuilder("""
            # Secrets

            Before anything is sent, what is ours in each image is searched for secrets: every file of our layers (from the cache too, and of a release that is
            copied to a public destination), and the image's configuration: environment, labels, entrypoint, command, health check and history. One that would go to
            a public destination (declared public; Docker Hub without a declaration; seen to be public without one) is an error, and nothing is sent: RSDK4030. With
            other destinations only it is a warning: RSDK4031. As with licences a destination counts whichever builds it takes: what would stop the release stops the
            pull request. Without a destination nothing is searched.

            A finding names the file with its line (of a binary file the byte), or the part of the configuration; the rule; and a fingerprint: the first 16
            digits of SHA-256 over the rule's id, a line feed and the secret. It never says any part of the secret. A password that people chose can be guessed
            from its fingerprint by trying; so, if the project file is public, lift such a one by its path.

            ```xml
            <ContainerSecretAllow Include="/app/appsettings.Demo.json" Reason="the demo database, reset every night" />
            <ContainerSecretAllow Include="fingerprint:0123456789abcdef" Reason="the public key of the widget, see ADR 12" />
            ```

            The path is as in the image or below its working directory, with `*`, `?` and `**`, and case-sensitive. MSBuild expands these characters itself
            against the project's folder; write `%2A` for a `*` that is meant for the image. `Reason` is required; what was lifted stands in the receipt with it. An item that
            lifts nothing is a warning (RSDK4033).

            ## Rules

            In this order: where two find the same, the first is said. «Random» is judged by the characters themselves: enough different ones, no alphabet, no row of
            one, none of the words of samples.

            | id | finds | told by |
            | --- | --- | --- |

            """.ReplaceLineEndings("\n"));
        foreach (var rule in SecretRules.All)
        {
            text.Append("| `").Append(rule.Id).Append("` | ").Append(rule.Name).Append(" | ").Append(rule.Recognition.Replace("*.", "\\*.", StringComparison.Ordinal)).Append(" |\n");
        }

        return text.Append("\nA setting or variable has a secret's name if ").Append(SecretText.NamesOfSecrets).Append(". Words end at humps and at what is no letter: `DbPassword`, `DB_PASSWORD`.\n").Append("""

            ## What is none

            * Placeholders: `<password>`, `${DB_PASSWORD}`, `%VAR%`, `{{ secret }}`, `{0}`, `your-key-here`, `changeme`, `xxxx`, `***`, `…EXAMPLE`, and values that consist of such words.
            * What everybody knows: `guest`, `postgres`, `minioadmin`, `admin` as passwords; the keys of Azurite and the Cosmos DB emulator; jwt.io's token; Stripe's test keys.
            * Passwords for this machine (`localhost`, `127.0.0.1`, `(localdb)`, `.`) and for `example.com`: they open nothing that others reach. One for `db` or another name of a network is told.
            * A setting with a secret's name and a value that is prose, a path, an address without a password, or too short.

            ## What is looked into

            Files of any size, as a stream. Text, with UTF-16 if it has a byte order mark, and as it is without JSON's escapes; binary files as UTF-8 and as UTF-16, which is what string constants of .NET assemblies are.
            Sources that portable PDBs hold, also those inside assemblies. gzip, Brotli, zip (NuGet packages, jars, office files) and tar are opened, three deep; a secret that `app.js` and `app.js.gz` both hold is said once.

            ## What is not

            * The base image's layers. Its environment, labels and history are sent as ours, and searched.
            * What is encrypted or packed otherwise: zip with a password, 7z, a single file with `EnableCompressionInSingleFile`, base 64 of a secret (but for the forms of the table).
            * A password in a file that the table does not name (YAML, INI, `config.json`), unless it is part of a connection string or a URL.
            * A password without a name beside it, or with one that says nothing; a token of a service that the table does not know.
            * An archive that is damaged, nested deeper, or unpacks to more than 4 GiB; and what comes after the first thousand secrets of one file: a warning says so (RSDK4034).

            How often the rules are wrong was counted: [secrets-corpus.md](secrets-corpus.md).

            """.ReplaceLineEndings("\n")).ToString();
    }
}
