using System.Text.Json.Nodes;
using Registry.Sdk.TestKit;

namespace Registry.Sdk.Package.Tests;

/// <summary>The projects that cases publish; each is compiled once.</summary>
public enum App
{
    Web,
    Worker,
    Console,
    FSharp,

    /// <summary>Self-contained console application.</summary>
    Contained,

    /// <summary>Web application for linux-x64 and linux-arm64.</summary>
    Platforms,
}

/// <summary>One row of the table: a project, what it says about its image, and what is expected of both.</summary>
public sealed record DifferentialCase(string Name, App App, ProjectBuilder Project)
{
    /// <summary>Whether the .NET SDK refuses this project; then we have to as well.</summary>
    public bool Refused { get; init; }

    /// <summary>What differs in this case, and nothing but that: path and reason.</summary>
    public IReadOnlyList<(string Path, string Reason)> Expected { get; init; } = [];

    /// <summary>Why we take what stock refuses.</summary>
    public string? TakenByUs { get; init; }

    /// <summary>Why ours is an image where stock makes an index of one.</summary>
    public string? NoIndex { get; init; }

    /// <summary>Why we refuse what stock takes.</summary>
    public string? RefusedByUs { get; init; }

    /// <summary>Whether the project names its base image, so that none is inferred.</summary>
    public bool NamesBase => Project.ToString().Contains("<ContainerBaseImage>", StringComparison.Ordinal);

    /// <summary>Whether the tags must be the same, because the project names them.</summary>
    public bool SameTags { get; init; }

    public override string ToString() => Name;
}

/// <summary>A base image of the table.</summary>
/// <param name="Name">Repository below <c>dotnet/</c>, and tag.</param>
/// <param name="Config">The <c>config</c> of its image config.</param>
public sealed record DifferentialBase(string Name, JsonObject Config)
{
    public bool Docker { get; init; }

    public bool Index { get; init; }

    public IReadOnlyDictionary<string, string> Labels { get; init; } = new Dictionary<string, string>(StringComparer.Ordinal);
}

/// <summary>The table of the differential test: what projects say, and the base images they stand on.</summary>
public static class DifferentialCases
{
    /// <summary>Where a project's own text names the registry.</summary>
    public const string Registry = "$(DifferentialRegistry)";

    private const string Aspnet = "PATH=/usr/bin|APP_UID=1654|ASPNETCORE_HTTP_PORTS=8080|DOTNET_RUNNING_IN_CONTAINER=true";

    /// <summary>Base images, at the names that inference gives and at names of the table's own.</summary>
    public static IReadOnlyList<DifferentialBase> Bases { get; } =
    [
        .. new[] { "10.0", "10.0-alpine", "10.0-noble-chiseled", "10.0-noble-chiseled-extra", "10.0-azurelinux3.0" }.SelectMany(tag => new DifferentialBase[]
        {
            new($"aspnet:{tag}", Config(Aspnet)) { Index = true },
            new($"runtime:{tag}", Config(Aspnet)) { Index = true },
            new($"runtime-deps:{tag}", Config(Aspnet)) { Index = true },
        }),
        new("base:empty", new()),
        new("base:docker", Config(Aspnet)) { Docker = true },
        new("base:docker-index", Config(Aspnet)) { Docker = true, Index = true },
        new("base:user", Config("PATH=/usr/bin", ("User", "1001:1001"))),
        new("base:user-and-uid", Config(Aspnet, ("User", "0"))),
        new("base:uid-empty", Config("PATH=/usr/bin|APP_UID=", ("User", "7"))),
        new("base:uid-name", Config("APP_UID=app")),
        new("base:entrypoint-dotnet", Config(Aspnet, ("Entrypoint", new JsonArray("dotnet")), ("Cmd", new JsonArray("--info")))),
        new("base:entrypoint-path", Config(Aspnet, ("Entrypoint", new JsonArray("/usr/bin/dotnet")))),
        new("base:entrypoint-two", Config(Aspnet, ("Entrypoint", new JsonArray("dotnet", "--roll-forward")))),
        new("base:entrypoint-own", Config(Aspnet, ("Entrypoint", new JsonArray("/entry.sh", "-e")), ("Cmd", new JsonArray("sh")))),
        new("base:cmd", Config(Aspnet, ("Cmd", new JsonArray("/bin/sh", "-c", "a b")))),
        new("base:environment", Config("PATH=/usr/bin|EMPTY=|EQUALS=a=b=c|COLON=a:b|QUOTE=\"x\"|SPACE= a b |PERCENT=100%|UNICODE=Grüße|lower=x|NOVALUE")),
        new("base:ports", Config("PATH=/usr/bin", ("ExposedPorts", new JsonObject { ["80/tcp"] = new JsonObject(), ["53/udp"] = new JsonObject(), ["90"] = new JsonObject() }))),
        new("base:urls", Config("ASPNETCORE_URLS=http://+:5000;https://*:5001")),
        new("base:workdir", Config(Aspnet, ("WorkingDir", "/home/app"))),
        new("base:volumes", Config(Aspnet, ("Volumes", new JsonObject { ["/data"] = new JsonObject() }))),
        new("base:stop-signal", Config(Aspnet, ("StopSignal", "SIGINT"))),
        new("base:healthcheck", Config(Aspnet, ("Healthcheck", new JsonObject { ["Test"] = new JsonArray("CMD", "true"), ["Interval"] = 1_000_000_000 }))),
        new("base:shell", Config(Aspnet, ("Shell", new JsonArray("/bin/bash", "-c")))),
        new("base:onbuild", Config(Aspnet, ("OnBuild", new JsonArray("RUN true")), ("ArgsEscaped", true))),
        new("base:hostname", Config(Aspnet, ("Hostname", "h"), ("Domainname", ""), ("AttachStdin", false), ("Tty", false), ("Image", "sha256:x"), ("MacAddress", "m"), ("NetworkDisabled", true))),
        new("base:labels", Config(Aspnet))
        {
            Labels = new Dictionary<string, string>(StringComparer.Ordinal)
            {
                ["plain"] = "of the base", ["url"] = "https://base.example:8443/a?b=c", ["org.opencontainers.image.vendor"] = "Base Ltd",
                ["org.opencontainers.image.version"] = "22.04", ["org.opencontainers.image.ref.name"] = "ubuntu", ["org.opencontainers.image.base.name"] = "base.example/scratch",
                ["org.opencontainers.image.source"] = "https://base.example/repo", ["org.opencontainers.image.revision"] = "0123", ["org.opencontainers.image.created"] = "2020-01-01T00:00:00Z",
                ["org.opencontainers.image.title"] = "Base", ["org.opencontainers.image.base.digest"] = "sha256:0",
            },
        },
    ];

    /// <summary>The rows.</summary>
    public static IReadOnlyList<DifferentialCase> All { get; } = [.. Make()];

    private static IEnumerable<DifferentialCase> Make()
    {
        // Kinds of project, with nothing said about the image.
        foreach (var app in Enum.GetValues<App>().Where(app => app != App.Platforms))
        {
            yield return Case(app.ToString().ToLowerInvariant(), app);
        }

        // Users.
        foreach (var user in new[] { "root", "0", "1000", "1000:2000", "app", "ContainerUser" })
        {
            yield return Web("user-" + user.Replace(':', '-').ToLowerInvariant()).Property("ContainerUser", user);
        }

        yield return Web("user-and-base-user").Property("ContainerUser", "5").Base("user");
        yield return Web("user-of-the-base").Base("user");
        yield return Web("user-of-the-base-and-uid").Base("user-and-uid");
        yield return Web("user-uid-empty").Base("uid-empty")
            .Differs("config.config.User", "an empty APP_UID names nobody, and the base's User stays; stock writes an empty user, which is root");
        yield return Web("user-uid-name").Base("uid-name");
        yield return Web("user-no-uid").Base("empty");
        yield return Web("user-uid-in-project").Base("empty").Variable("APP_UID", "77");
        yield return Web("user-uid-in-project-and-base").Variable("APP_UID", "78");

        // Ports.
        yield return Web("ports").Port("80", "tcp").Port("53", "udp").Port("443");
        yield return Web("ports-case", refused: true).Port("80", "TCP").Port("53", "Udp") with { TakenByUs = "what is meant is clear" };
        yield return Web("ports-twice").Port("80", "tcp").Port("80", "udp").Port("80");
        yield return Web("ports-sctp", refused: true).Port("9", "sctp") with { TakenByUs = "engines know it" };
        yield return Web("ports-word", refused: true).Port("http");
        yield return Web("ports-large").Port("70000") with { RefusedByUs = "there is no such port, and engines refuse the image" };
        yield return Web("ports-zero").Port("0");
        yield return Web("ports-leading-zeros").Port("0080");
        yield return Web("ports-negative").Port("-1") with { RefusedByUs = "there is no such port, and engines refuse the image" };
        yield return Web("ports-http-zero").Variable("ASPNETCORE_HTTP_PORTS", "0;007");
        yield return Web("ports-highest").Port("65535");
        yield return Web("ports-of-the-base").Base("ports").Port("81");
        yield return Web("ports-http").Variable("ASPNETCORE_HTTP_PORTS", "8081;8082");
        yield return Web("ports-https").Variable("ASPNETCORE_HTTPS_PORTS", "8443");
        yield return Web("ports-http-empty").Variable("ASPNETCORE_HTTP_PORTS", "");
        yield return Web("ports-http-odd").Variable("ASPNETCORE_HTTP_PORTS", " 8081 ; x;70000;")
            .Differs("config.config.ExposedPorts['70000/tcp']", "there is no such port, and engines refuse the image");
        yield return Web("ports-urls").Variable("ASPNETCORE_URLS", "http://+:5002;https://*:5003;http://localhost:5004/path;http://[::]:5005");
        yield return Web("ports-urls-no-port").Variable("ASPNETCORE_URLS", "http://+;https://localhost");
        yield return Web("ports-urls-empty").Variable("ASPNETCORE_URLS", "");
        yield return Web("ports-urls-space").Variable("ASPNETCORE_URLS", "http://+:80 ; https://+:443");
        yield return Web("ports-urls-of-the-base").Base("urls");
        yield return Web("ports-urls-of-the-base-and-http").Base("urls").Variable("ASPNETCORE_HTTP_PORTS", "8081");
        yield return Case("ports-console", App.Console).Variable("ASPNETCORE_URLS", "http://+:5002").Port("1");

        // Environment.
        yield return Web("environment")
            .Variable("EQUALS", "a=b=c").Variable("COLON", "http://x:80/a:b").Variable("SEMICOLON", "a;b;;c").Variable("QUOTES", "\"a\" 'b' `c`").Variable("UNICODE", "Grüße 你好 🚀")
            .Variable("PERCENT", "100%").Variable("PERCENT_ENCODED", "%41%3B").Variable("SPACE", "  a  b  ").Variable("BACKSLASH", @"C:\a\b").Variable("DOLLAR", "$HOME ${HOME}").Variable("AT", "@(a)")
            .Variable("EMPTY", "").Variable("JSON", """{"a":["b"]}""").Variable("XML", "<a b='c'>&amp;</a>").Variable("lower_case", "x").Variable("_under", "x").Variable("N1", "x").Variable("STAR", "*?");
        yield return Web("environment-of-the-base").Base("environment");
        yield return Web("environment-over-the-base").Base("environment").Variable("PATH", "/a:/b").Variable("LOWER", "y").Variable("EMPTY", "no").Variable("NEW", "1").Variable("EQUALS", "");
        yield return Web("environment-twice").Variable("A", "1").Variable("B", "2").Variable("A", "3");
        yield return Web("environment-no-value").Item("ContainerEnvironmentVariable", "A");
        yield return Web("environment-odd-names").Variable("A-B", "1").Variable("A.B", "2").Variable("1A", "3").Variable("A B", "4").Variable("Ä", "5").Variable("OK", "6");
        yield return Web("environment-line-breaks").Variable("LINES", "a%0Ab%0D%0Ac%09d");

        // Entrypoint, command, arguments: the SDK's six properties.
        foreach (var start in StartCommands())
        {
            yield return start;
        }

        const string Glued = "stock puts folder and file name together without a slash, and that file is not there";

        // Working directory.
        foreach (var (name, directory) in new[] { ("plain", "/srv"), ("slash", "/srv/"), ("space", "/a b/c"), ("unicode", "/Grüße") })
        {
            var row = Web("workdir-" + name).Property("ContainerWorkingDirectory", directory);
            yield return directory.EndsWith('/') ? row : row.Differs("config.config.Entrypoint[1]", Glued);
        }

        yield return Web("workdir-root", refused: true).Property("ContainerWorkingDirectory", "/") with { TakenByUs = "stock crashes (MSB4018)" };
        yield return Web("workdir-relative").Property("ContainerWorkingDirectory", "srv") with { RefusedByUs = "engines refuse to start an image whose working directory is not absolute" };

        yield return Web("workdir-of-the-base").Base("workdir");
        yield return Case("workdir-contained", App.Contained).Property("ContainerWorkingDirectory", "/srv").Differs("config.config.Entrypoint[0]", Glued);

        // Labels.
        yield return Web("labels")
            .Label("url", "https://user.example:8443/a?b=c&d=e#f").Label("colons", "a:b:c").Label("quotes", "\"a\" 'b'").Label("semicolons", "a;b;c").Label("unicode", "Grüße 你好").Label("percent", "100% %41")
            .Label("empty", "").Label("com.example.x-y_z/1", "x").Label("Case", "A").Label("case", "b").Label("spaces", "  a  ").Label("json", """{"a":"b"}""").Label("escapes", "<>&+`'\u2028");
        yield return Web("labels-twice").Label("a", "1").Label("a", "2");
        yield return Web("labels-no-value").Item("ContainerLabel", "a");
        const string OfTheBase = "says which source and release the base image is, and would say it of ours";
        const string Dropped = "config.config.Labels['org.opencontainers.image.";
        yield return Web("labels-of-the-base").Base("labels").Differs(Dropped + "ref.name']", OfTheBase).Differs(Dropped + "source']", OfTheBase);
        yield return Web("labels-over-the-base").Base("labels").Label("plain", "of the project").Property("ContainerVendor", "Wundam").Property("ContainerTitle", "Ours")
            .Differs(Dropped + "ref.name']", OfTheBase).Differs(Dropped + "source']", OfTheBase);
        yield return Web("labels-described").Property("ContainerDescription", "A: b; c \"d\" 100%").Property("ContainerAuthors", "A <a@x.example>; B").Property("ContainerInformationUrl", "https://x.example:8443/")
            .Property("ContainerDocumentationUrl", "https://docs.example/a?b=c").Property("ContainerVendor", "Grüße GmbH").Property("ContainerLicenseExpression", "MIT").Property("ContainerTitle", "Title: x");
        yield return Web("labels-from-package").Property("Description", "Described").Property("Authors", "One;Two").Property("PackageProjectUrl", "https://p.example").Property("Title", "T").Property("PackageLicenseExpression", "MIT");
        yield return Web("labels-generated-by-hand").Label("org.opencontainers.image.title", "mine").Label("org.opencontainers.image.base.name", "mine").Label("net.dot.sdk.version", "mine").Property("ContainerTitle", "generated")
            .Differs(Dropped + "title']", "the user's own label wins over a generated one").Differs(Dropped + "base.name']", "the user's own label wins over a generated one")
            .Differs("config.config.Labels['net.dot.sdk.version']", "the user's own label wins over a generated one");
        yield return Web("labels-repository-url").Property("PublishRepositoryUrl", "true");

        // Every switch of a generated label.
        yield return Web("switch-all").Property("ContainerGenerateLabels", "false").Label("own", "stays").Described()
            .Differs("config.config.Labels['own']", "ContainerGenerateLabels speaks about generated labels; stock drops the user's too");
        foreach (var name in new[]
        {
            "ImageCreated", "ImageDescription", "ImageAuthors", "ImageUrl", "ImageDocumentation", "ImageSource", "ImageVersion", "ImageRevision", "ImageVendor", "ImageLicenses", "ImageTitle",
            "ImageBaseDigest", "ImageBaseName", "DotnetToolset",
        })
        {
            yield return Web("switch-" + name.ToLowerInvariant()).Property("ContainerGenerateLabels" + name, "false").Property("PublishRepositoryUrl", "true").Described();
        }

        // Which base image.
        foreach (var family in new[] { "alpine", "noble-chiseled", "noble-chiseled-extra", "azurelinux3.0" })
        {
            yield return Web("family-" + family).Property("ContainerFamily", family);
        }

        yield return Case("family-console", App.Console).Property("ContainerFamily", "alpine");
        yield return Case("family-contained", App.Contained).Property("ContainerFamily", "noble-chiseled");
        yield return Web("invariant").Property("InvariantGlobalization", "true");
        yield return Case("invariant-console", App.Console).Property("InvariantGlobalization", "true");
        yield return Case("invariant-contained", App.Contained).Property("InvariantGlobalization", "true");
        yield return Web("invariant-family").Property("InvariantGlobalization", "true").Property("ContainerFamily", "alpine");
        yield return Web("base-tag").Property("ContainerBaseImage", $"{Registry}/dotnet/aspnet:10.0");
        yield return Web("base-digest").Property("ContainerBaseImage", $"{Registry}/dotnet/aspnet@$(DifferentialAspnetDigest)");
        yield return Web("base-tag-and-digest").Property("ContainerBaseImage", $"{Registry}/dotnet/aspnet:10.0@$(DifferentialAspnetDigest)");
        yield return Web("base-and-family").Property("ContainerBaseImage", $"{Registry}/dotnet/aspnet:10.0").Property("ContainerFamily", "alpine");
        yield return Web("base-rid").Property("ContainerRuntimeIdentifier", "linux-x64");

        // Formats and other bases.
        foreach (var format in new[] { "OCI", "Docker" })
        {
            yield return Web("format-" + format.ToLowerInvariant()).Property("ContainerImageFormat", format);
            yield return Web($"format-{format.ToLowerInvariant()}-on-docker").Property("ContainerImageFormat", format).Base("docker");
            yield return Web($"format-{format.ToLowerInvariant()}-lower-case", refused: true).Property("ContainerImageFormat", format.ToLowerInvariant()) with { TakenByUs = "what is meant is clear" };
        }

        yield return Web("format-unknown", refused: true).Property("ContainerImageFormat", "squashfs");
        yield return Web("format-docker-index").Base("docker-index");
        foreach (var name in new[] { "empty", "docker", "volumes", "stop-signal", "healthcheck", "shell", "onbuild", "hostname", "cmd", "entrypoint-dotnet", "entrypoint-path", "entrypoint-two", "entrypoint-own" })
        {
            yield return Web("base-" + name).Base(name);
        }

        // Several platforms: one index. The .NET SDK hands labels and variables to its inner builds as name:value and takes what is between the first
        // two colons (wire-facts 5.4).
        yield return Platforms("platforms");
        yield return Platforms("platforms-container").Property("ContainerRuntimeIdentifiers", "linux-x64;linux-arm64");
        yield return Platforms("platforms-one-of-them").Property("ContainerRuntimeIdentifiers", "linux-arm64") with { NoIndex = "an index of one image adds nothing to the image" };
        yield return Case("platforms-single", App.Platforms).Property("ContainerRuntimeIdentifier", "linux-arm64");
        yield return Platforms("platforms-docker").Property("ContainerImageFormat", "Docker");
        yield return Platforms("platforms-named-base").Property("ContainerBaseImage", $"{Registry}/dotnet/aspnet:10.0");
        yield return Platforms("platforms-tags", tags: true).Property("ContainerImageTags", "a;b");
        yield return Platforms("platforms-settings").Variable("PLAIN", "x=y").Variable("COLON", "http://x:80").Label("plain", "a").Label("url", "https://x.example:8443/").Label("colon", "a:b")
            .Port("80", "tcp").Port("53", "udp").Port("81").Property("ContainerUser", "5").Words("ContainerDefaultArgs", "--x;a:b").Property("ContainerWorkingDirectory", "/srv/");

        yield return Platforms("platforms-semicolon", refused: true).Variable("A", "a;b") with { TakenByUs = "stock's inner build takes the value apart and fails (MSB4184)" };

        // Tags that the project names.
        yield return Web("tag-one", tags: true).Property("ContainerImageTag", "one");
        yield return Web("tag-several", tags: true).Property("ContainerImageTags", "a;b;v1.4.2");
        yield return Web("tag-spaces", tags: true).Property("ContainerImageTags", " a ; b ;");
    }

    // That every property arrives; what all their combinations mean is the table of StartCommandTests.
    private static IEnumerable<DifferentialCase> StartCommands()
    {
        yield return Web("start-entrypoint").Words("ContainerEntrypoint", "/bin/tool;a b;c=d;\"quoted\";100%;ü");
        yield return Web("start-entrypoint-and-arguments").Words("ContainerEntrypoint", "/bin/tool").Words("ContainerEntrypointArgs", "--x;$HOME;");
        yield return Web("start-arguments-alone").Words("ContainerEntrypointArgs", "--x;1");
        yield return Web("start-app-command").Words("ContainerAppCommand", "dotnet;x.dll").Words("ContainerAppCommandArgs", "--always");
        yield return Web("start-app-arguments").Words("ContainerAppCommandArgs", "--always;--always");
        yield return Web("start-default-arguments").Words("ContainerDefaultArgs", "--maybe;a:b;c,d");
        yield return Web("start-none").Property("ContainerAppCommandInstruction", "None").Words("ContainerEntrypoint", "/x");
        yield return Web("start-none-of-the-base").Property("ContainerAppCommandInstruction", "None").Base("entrypoint-own");
        yield return Web("start-as-default").Property("ContainerAppCommandInstruction", "DefaultArgs").Words("ContainerEntrypoint", "/x").Words("ContainerDefaultArgs", "y");
        yield return Web("start-as-default-of-the-base").Property("ContainerAppCommandInstruction", "DefaultArgs").Base("entrypoint-own");
        yield return Web("start-default-arguments-on-base-command").Words("ContainerDefaultArgs", "z").Base("cmd");
        yield return Web("start-both", refused: true).Property("ContainerAppCommandInstruction", "Entrypoint").Words("ContainerEntrypoint", "/x");
        yield return Web("start-unknown", refused: true).Property("ContainerAppCommandInstruction", "Shell");
    }

    private static DifferentialCase Web(string name, bool refused = false, bool tags = false) => Case(name, App.Web, refused, tags);

    private static DifferentialCase Platforms(string name, bool refused = false, bool tags = false) => Case(name, App.Platforms, refused, tags);

    private static DifferentialCase Case(string name, App app, bool refused = false, bool tags = false) => new(name, app, ProjectBuilder.Create()) { Refused = refused, SameTags = tags };

    private static DifferentialCase Property(this DifferentialCase row, string name, string value) => row with { Project = row.Project.Property(name, value) };

    private static DifferentialCase Item(this DifferentialCase row, string type, string include, params (string Name, string? Value)[] metadata) => row with { Project = row.Project.Item(type, include, metadata) };

    private static DifferentialCase Variable(this DifferentialCase row, string name, string value) => row.Item("ContainerEnvironmentVariable", name, ("Value", value));

    private static DifferentialCase Label(this DifferentialCase row, string name, string value) => row.Item("ContainerLabel", name, ("Value", value));

    private static DifferentialCase Port(this DifferentialCase row, string port, string? type = null) => row.Item("ContainerPort", port, ("Type", type));

    private static DifferentialCase Words(this DifferentialCase row, string type, string words) => row.Item(type, words);

    private static DifferentialCase Differs(this DifferentialCase row, string path, string reason) => row with { Expected = [.. row.Expected, (path, reason)] };

    private static DifferentialCase Base(this DifferentialCase row, string tag) => row.Property("ContainerBaseImage", $"{Registry}/dotnet/base:{tag}");

    private static DifferentialCase Described(this DifferentialCase row) => row
        .Property("ContainerDescription", "d").Property("ContainerAuthors", "a").Property("ContainerInformationUrl", "https://i.example").Property("ContainerDocumentationUrl", "https://d.example")
        .Property("ContainerVendor", "v").Property("ContainerLicenseExpression", "MIT").Property("ContainerTitle", "t");

    private static JsonObject Config(string environment, params (string Name, JsonNode Value)[] members)
    {
        var config = new JsonObject { ["Env"] = new JsonArray([.. environment.Split('|').Select(variable => JsonValue.Create(variable))]) };
        foreach (var (name, value) in members)
        {
            config[name] = value;
        }

        return config;
    }
}
