namespace Registry.Sdk.TestKit;

/// <summary>The skopeo program: an independent opinion on what a registry or a layout holds.</summary>
public static class Skopeo
{
    /// <summary>
    /// Inspects an image (<c>docker://…</c>, <c>oci:…</c>). <paramref name="raw"/> gives the manifest's bytes as they are,
    /// <paramref name="config"/> the image configuration.
    /// </summary>
    public static async Task<string> InspectAsync(string reference, bool raw = false, bool config = false, string? authFile = null)
    {
        List<string> arguments = ["inspect", "--tls-verify=false"];
        if (raw)
        {
            arguments.Add("--raw");
        }

        if (config)
        {
            arguments.Add("--config");
        }

        AddAuthFile(arguments, authFile);
        arguments.Add(reference);
        return (await RunAsync(arguments)).EnsureSuccess().StandardOutput;
    }

    /// <summary>Copies an image; with <paramref name="all"/> every platform of an index. Digests are kept or the copy fails.</summary>
    public static async Task CopyAsync(string source, string destination, bool all = false, string? authFile = null)
    {
        List<string> arguments = ["copy", "--quiet", "--preserve-digests", "--src-tls-verify=false", "--dest-tls-verify=false"];
        if (all)
        {
            arguments.Add("--all");
        }

        AddAuthFile(arguments, authFile);
        arguments.AddRange([source, destination]);
        (await RunAsync(arguments)).EnsureSuccess();
    }

    /// <summary>Any skopeo command. No signature policy of this machine is asked.</summary>
    public static Task<ProcessResult> RunAsync(IEnumerable<string> arguments) =>
        ProcessRunner.RunAsync("skopeo", ["--insecure-policy", .. arguments], timeout: TimeSpan.FromMinutes(3));

    private static void AddAuthFile(List<string> arguments, string? authFile)
    {
        if (authFile is not null)
        {
            arguments.AddRange(["--authfile", authFile]);
        }
    }
}
