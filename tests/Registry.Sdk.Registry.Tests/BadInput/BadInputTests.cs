using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Text.Json;
using Microsoft.AspNetCore.Http;
using Registry.Sdk.Emulator;
using Registry.Sdk.Registry.Tests.Publishing;
using Registry.Sdk.TestKit;
using Xunit;

namespace Registry.Sdk.Registry.Tests.BadInput;

/// <summary>
/// Every line of "Bad input": it has a code of its own, its message names what to change, nothing is sent to any registry, and what is
/// there stays. Beside each bad thing the publish has a good destination, so that "nothing" means more than the bad one.
/// </summary>
public sealed class BadInputTests(BadInputTests.Filled registries) : IClassFixture<BadInputTests.Filled>
{
    private const string Repository = "bad-input/api";

    /// <summary>Registries that hold something to lose. Nothing is ever written there again, so all cases share it.</summary>
    public sealed class Filled : Registries
    {
        public override async Task InitializeAsync()
        {
            await base.InitializeAsync();
            foreach (var server in new[] { Open, Closed })
            {
                using var client = server.CreateClient();
                await Seed.PushAsync(client, Repository, "v1.0.0", Existing);
                await Seed.TagAsync(client, Repository, "v1.0.0", "v1", "latest", "main");
            }
        }
    }

    /// <summary>One kind of bad input.</summary>
    /// <param name="Code">The code of every error.</param>
    /// <param name="Says">What one of the messages must hold; <c>{open}</c>, <c>{closed}</c>, <c>{base}</c> and <c>{name}</c> are filled in.</param>
    /// <param name="Arrange">Makes a good publish a bad one.</param>
    internal sealed record Case(string Code, string[] Says, Func<Bench, Task> Arrange)
    {
        public Case(string code, string[] says, Action<Bench> arrange)
            : this(code, says, bench =>
            {
                arrange(bench);
                return Task.CompletedTask;
            })
        {
        }
    }

    private const string WrongPassword = "wr0ng: secret";

    /// <summary>What the repositories hold before; not the version that is published.</summary>
    private static readonly SeedImage Existing = new()
    {
        Salt = "existing",
        Labels = new Dictionary<string, string>(StringComparer.Ordinal) { ["org.opencontainers.image.version"] = "1.0.0", ["org.opencontainers.image.revision"] = Bench.Commit },
    };

    private static readonly Dictionary<string, Case> Cases = new(StringComparer.Ordinal)
    {
        ["malformed destination: no host"] = Destination("RSDK9001", "team/api", "docker.io/team/api", "Correct ContainerDestination"),
        ["malformed destination: no name"] = Destination("RSDK9001", "ghcr.io/", "host/namespace/name", "Correct ContainerDestination"),
        ["malformed destination: a tag"] = Destination("RSDK9001", "ghcr.io/team/api:v1", "':v1'", "Correct ContainerDestination"),
        ["malformed destination: https"] = Destination("RSDK9001", "https://ghcr.io/team/api", "begins with a scheme", "Correct ContainerDestination"),
        ["malformed destination: look-alike host"] = Destination("RSDK9001", "ghcr.iо/team/api", "host name", "Correct ContainerDestination"),
        ["upper-case repository"] = Destination("RSDK9002", "ghcr.io/Team/Api", "Write 'ghcr.io/team/api'", "Correct ContainerDestination"),
        ["two destinations are one: twice"] = Destination("RSDK9003", "{open}/{name}", "Remove one of the two ContainerDestination items"),
        ["two destinations are one: localhost and 127.0.0.1"] = new("RSDK9003", ["'{open}/{name}' and '127.0.0.1:", "Remove one of the two ContainerDestination items"], b => Add(b, $"{b.Open.IpHost}/{b.Name}")),
        ["two destinations are one: re-mapped"] = new("RSDK9003", ["'ghcr.io/{name}' are one repository", "ContainerDestination"], b =>
        {
            Add(b, $"ghcr.io/{b.Name}");
            b.Request = b.Request with { Endpoints = [new("ghcr.io", $"http://{b.Open.Host}")] };
        }),
        ["plain http outside loopback: destination"] = Destination("RSDK9005", "http://registry.example/team/api", "Write 'registry.example/team/api' in ContainerDestination", "RegistrySdkEndpoint"),
        ["plain http outside loopback: endpoint"] = new("RSDK9005", ["RegistrySdkEndpoint 'ghcr.io'", "Insecure=\"true\""], b => b.Request = b.Request with { Endpoints = [new("ghcr.io", "http://192.0.2.1:5000")] }),
        ["illegal tag from a rule"] = new("RSDK2003", ["ContainerTagRule 'v{version}+x'", "'v1.2.3+x'"], b => b.Request = b.Request with { Derived = Bench.Facts("1.2.3", rules: [new("v{version}+x", "release", "false")]) }),
        ["illegal tag from the user"] = new("RSDK2003", ["Correct ContainerImageTags", "'a b'"], b => b.Request = b.Request with { Derived = Bench.Facts("1.2.3", userTags: ["a b"]) }),
        ["two branches with one tag"] = new("RSDK2004", ["'feature/a' and 'feature-a'", "'feature-a'", "ContainerTagRule"], async b =>
        {
            var repo = await RepositoryAsync(b);
            await repo.BranchAsync("feature-a");
            await repo.CheckoutAsync("feature/a", create: true);
            await b.DeriveAsync(repo.Path);
        }),
        ["not a git repository and no ContainerVersion"] = new("RSDK1001", ["set ContainerVersion"], b => b.DeriveAsync(b.Request.ProjectDirectory)),
        ["dirty release"] = new("RSDK2005", ["Commit, stash or ignore", "Program.cs"], async b =>
        {
            var repo = await RepositoryAsync(b);
            await repo.TagAsync("v2.0.0");
            repo.Write("Program.cs", "changed");
            await b.DeriveAsync(repo.Path);
        }),
        ["dirty branch to a registry that is not here"] = new("RSDK2006", ["RegistrySdkAllowDirty=true", "Program.cs"], b =>
        {
            b.Request = b.Request with { Derived = Bench.Facts(dirty: ["Program.cs"]) };
            Add(b, "registry.invalid/team/api");
        }),
        ["base image missing"] = new("RSDK4002", ["{base}/dotnet/aspnet:nope does not exist", "ContainerBaseImage"], b => b.Platform = b.Platform with { BaseTag = "nope" }),
        ["base image missing: repository"] = new("RSDK4002", ["ContainerBaseImage"], b => b.Platform = b.Platform with { BaseRepository = "dotnet/nope" }),
        ["base image of the wrong platform"] = new("RSDK4003", ["not made for linux/arm64; it has linux/amd64", "ContainerRuntimeIdentifier or ContainerBaseImage"], b => b.Platform = b.Platform with { RuntimeIdentifier = "linux-arm64" }),
        ["base image of the wrong platform: index"] = new("RSDK4003", ["not made for linux/arm64; it has linux/amd64", "ContainerRuntimeIdentifier or ContainerBaseImage"], async b =>
        {
            await Seed.PushAsync(b.Base.Direct, b.Name, "index", new SeedImage { Index = true });
            b.Platform = b.Platform with { BaseRepository = b.Name, BaseTag = "index", RuntimeIdentifier = "linux-arm64" };
        }),
        ["base image unreachable"] = new("RSDK4004", ["can't be reached", "ContainerBaseImage"], b => b.Platform = b.Platform with { BaseRegistry = Nobody() }),
        ["base image's registry answers HTML"] = new("RSDK4004", ["HTML", "ContainerBaseImage"], b => b.Base.Lie = Answers.Html),
        ["base image's registry answers nothing"] = new("RSDK4004", ["an empty body", "ContainerBaseImage"], b => b.Base.Lie = Answers.Nothing),
        ["base image's registry answers a wrong digest"] = new("RSDK4010", ["should have been sha256:", "ContainerBaseImage"], b => b.Base.Lie = WrongManifest),
        ["base image's config has a wrong digest"] = new("RSDK4010", ["GET blob sha256:", "ContainerBaseImage"], b => b.Base.Lie = Answers.When(r => r.Path.Value!.Contains("/blobs/", StringComparison.Ordinal), c => Answers.WithAsync(c, 200, "application/octet-stream", "{}"))),
        ["base image with a member twice"] = new("RSDK4010", ["not a valid image", "ContainerBaseImage"], b => b.Base.Lie = c => Answers.WithAsync(c, 200, "application/vnd.oci.image.manifest.v1+json", """{"config":{},"config":{},"layers":[]}""")),
        ["base image refuses credentials"] = new("RSDK4002", ["ContainerBaseImage", "docker login"], b => b.Platform = b.Platform with { BaseRegistry = b.Closed.IpHost }),
        ["credentials missing"] = new("RSDK5003", ["none were found", "docker login {closed}", "RegistrySdkCredential Include=\"{closed}\""], b => b.Request = b.Request with { Credentials = [] }),
        ["credentials refused: item"] = new("RSDK5003", ["RegistrySdkCredential '{closed}' (environment variable CLOSED_PASSWORD)", "docker login {closed}"], b => b.Set(("CLOSED_PASSWORD", WrongPassword))),
        ["credentials refused: docker config"] = new("RSDK5003", ["docker/config.json", "docker login {closed}"], b =>
        {
            b.DockerConfig(b.Closed.Host, "tester", WrongPassword);
            b.Request = b.Request with { Credentials = [] };
        }),
        ["credentials refused: shared pair"] = new("RSDK5003", ["DOTNET_CONTAINER_REGISTRY_UNAME and DOTNET_CONTAINER_REGISTRY_PWORD", "docker login {closed}"], b =>
        {
            b.Set(("DOTNET_CONTAINER_REGISTRY_UNAME", "tester"), ("DOTNET_CONTAINER_REGISTRY_PWORD", WrongPassword));
            b.Request = b.Request with { Credentials = [], Destinations = [new($"{b.Closed.Host}/{b.Name}")] };
        }),
        ["credential variable not set"] = new("RSDK5009", ["NOT_SET"], b => b.Request = b.Request with { Credentials = [new(b.Closed.Host, "CLOSED_USER", "NOT_SET")] }),
        ["registry unreachable"] = new("RSDK5001", ["can't be reached", "ContainerDestination"], b => Add(b, $"{Nobody()}/team/api")),
        ["registry answers HTML"] = new("RSDK5002", ["HTML", "ContainerDestination"], b => b.Open.Lie = Answers.Html),
        ["registry answers HTML with 404"] = new("RSDK5002", ["HTML", "ContainerDestination"], b => b.Open.Lie = c => Answers.WithAsync(c, 404, "text/html", "<p>no</p>")),
        ["registry answers HTML below /v2/"] = new("RSDK5002", ["HTML", "ContainerDestination"], b => b.Open.Lie = Answers.When(r => r.Path != "/v2/", Answers.Html)),
        ["registry answers nothing"] = new("RSDK5006", ["0 bytes instead of", "ContainerDestination"], b => b.Open.Lie = Answers.Nothing),
        ["registry answers nothing to manifests"] = new("RSDK5002", ["an empty body", "ContainerDestination"], b => b.Open.Lie = Answers.When(r => r.Path.Value!.Contains("/manifests/", StringComparison.Ordinal), Answers.Nothing)),
        ["registry answers a wrong digest"] = new("RSDK5006", ["should have been sha256:", "ContainerDestination"], b => b.Open.Lie = WrongManifest),
        ["registry has a blob of another size"] = new("RSDK5006", ["bytes instead of", "ContainerDestination"], b => b.Open.Lie = Answers.When(r => r.Method == "HEAD" && r.Path.Value!.Contains("/blobs/", StringComparison.Ordinal), c => Answers.WithAsync(c, 200, "application/octet-stream", "x"))),
        ["registry fails"] = new("RSDK6001", ["500", "TOOMANY 'try :: later'"], b => b.Open.Lie = c => Answers.WithAsync(c, 500, "application/json", """{"errors":[{"code":"TOOMANY","message":"try\n:: later"}]}""")),
        ["immutable tag names another image"] = new("RSDK5005", ["v1.2.3 names sha256:", "they differ in version (1.0.0 there, 1.2.3 here)", "RegistrySdkOverwriteTag"], async b =>
        {
            await Seed.PushAsync(b.Open.Direct, "bad-input/taken", "v1.2.3", Existing);
            Add(b, $"{b.Open.Host}/bad-input/taken");
        }),
        ["empty publish folder"] = new("RSDK3003", ["is empty", "PublishDir"], b => Directory.GetFileSystemEntries(b.PublishDirectory).ToList().ForEach(Remove)),
        ["no publish folder"] = new("RSDK3003", ["does not exist", "PublishDir"], b => b.Platform = b.Platform with { Evidence = new() { PublishDirectory = b.Outside("nowhere") } }),
        ["unreadable file: a link that leads nowhere"] = new("RSDK3004", ["publish/link", "CopyToPublishDirectory"], b => Link(b, "gone.txt")),
        ["unreadable file: links in a circle"] = new("RSDK3004", ["publish/link", "CopyToPublishDirectory"], b => Link(b, "link")),
        ["unreadable file: locked"] = new("RSDK3004", ["publish/locked", "CopyToPublishDirectory"], b => b.Own(new FileStream(b.Write("locked", "x"), FileMode.Open, FileAccess.ReadWrite, FileShare.None))),
        ["symlink out of the publish folder: file"] = new("RSDK3005", ["publish/link is a symbolic link to /", "CopyToPublishDirectory"], b =>
        {
            File.WriteAllText(b.Outside("secret.txt"), "secret");
            Link(b, b.Outside("secret.txt"));
        }),
        ["symlink out of the publish folder: relative"] = new("RSDK3005", ["publish/link is a symbolic link to /", "CopyToPublishDirectory"], b =>
        {
            File.WriteAllText(b.Outside("secret.txt"), "secret");
            Link(b, "wwwroot/../../outside/secret.txt");
        }),
        ["symlink out of the publish folder: folder"] = new("RSDK3005", ["publish/link is a symbolic link to /", "CopyToPublishDirectory"], b => Link(b, "..")),
        ["symlink without end"] = new("RSDK3005", ["it has no end", "CopyToPublishDirectory"], b => Link(b, ".")),
        ["unreadable file: a named pipe"] = new("RSDK3004", ["publish/pipe", "CopyToPublishDirectory"], b =>
        {
            var pipe = Path.Combine(b.PublishDirectory, "pipe");
            Assert.True(Make("mkfifo", pipe));
            b.Own(new Writer(pipe)); // whoever still waits for the pipe to open is let go
        }),
        ["unreadable file: a device without end"] = new("RSDK3004", ["publish/endless", "CopyToPublishDirectory"], b =>
        {
            if (!Make("mknod", Path.Combine(b.PublishDirectory, "endless"), "c", "1", "5"))
            {
                b.Own(new Growing(b.Write("endless", "x")));
            }
        }),
        ["unreadable file: it grows"] = new("RSDK3004", ["publish/growing", "it grows while it is read", "CopyToPublishDirectory"], b => b.Own(new Growing(b.Write("growing", "x")))),
        ["file changes meanwhile: longer"] = Meanwhile(f => File.AppendAllText(f, "more"), "it has 16 bytes instead of 12"),
        ["file changes meanwhile: other bytes"] = Meanwhile(f => File.WriteAllText(f, "an apartment"), "publish/changing"),
        ["file changes meanwhile: gone"] = Meanwhile(File.Delete, "publish/changing"),
        ["a name that deletes in an image"] = new("RSDK3006", ["publish/wwwroot/.wh.x", "Rename it", "CopyToPublishDirectory"], b => b.Write("wwwroot/.wh.x", "x")),
        ["layout can't be written"] = new("RSDK4011", ["outside/file/layout", "IntermediateOutputPath"], b =>
        {
            File.WriteAllText(b.Outside("file"), "no folder");
            b.Request = b.Request with { LayoutDirectory = Path.Combine(b.Outside("file"), "layout") };
        }),
        ["Windows RID"] = new("RSDK4005", ["ContainerRuntimeIdentifier is 'win-x64'", "linux-x64"], b => b.Platform = b.Platform with { RuntimeIdentifier = "win-x64" }),
        ["two RIDs of one platform"] = new("RSDK4007", ["ContainerRuntimeIdentifiers names linux-x64 and linux-musl-x64", "Remove one"], b => b.Request = b.Request with { Platforms = [b.Platform, b.Platform with { RuntimeIdentifier = "linux-musl-x64", Evidence = new() { PublishDirectory = b.Outside("other") } }] }),
        ["layout in the publish folder"] = new("RSDK9014", ["lies in the publish folder", "ContainerDestination"], b => b.Request = b.Request with { Destinations = [new($"oci:{b.PublishDirectory}/image"), .. b.Request.Destinations] }),
        ["cache in the publish folder"] = new("RSDK9016", ["RegistrySdkCacheDirectory is", "in the publish folder"], b => b.Request = b.Request with { CacheDirectory = Path.Combine(b.PublishDirectory, "cache"), CacheSize = "10" }),
        ["malformed base image"] = new("RSDK4001", ["ContainerBaseImage is"], b => b.Platform = b.Platform with { BaseRepository = "Dotnet" }),
        ["declared private and readable by anyone"] = new("RSDK7001", ["declared private", "Visibility"], b => b.Request = b.Request with { Destinations = [new($"{b.Open.Host}/{b.Name}", Visibility: "private"), new($"{b.Closed.Host}/{b.Name}")] }),
    };

    public static TheoryData<string> Names => [.. Cases.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Bad_input_is_named_and_nothing_is_sent(string name)
    {
        var (code, says, arrange) = Cases[name];
        await using var bench = await Bench.CreateAsync(registries, Repository);
        await arrange(bench);
        var before = await TagsAsync(bench);
        Assert.Equal(8, before.Count(t => !t.StartsWith("base ", StringComparison.Ordinal)));

        // On a thread of its own: what waits in open() or reads without end must fail the test, not hang it.
        var published = await Task.Run(() => bench.PublishAsync()).WaitAsync(TimeSpan.FromSeconds(60));

        Assert.NotEmpty(published.Errors);
        Assert.All(published.Errors, e => Assert.True(e.Code == code, e.ToString()));
        foreach (var words in says)
        {
            var text = words.Replace("{open}", bench.Open.Host).Replace("{closed}", bench.Closed.Host).Replace("{base}", bench.Base.Host).Replace("{name}", bench.Name);
            Assert.True(published.Errors.Any(e => e.Message.Contains(text, StringComparison.Ordinal)), $"'{text}' is not in: {string.Join('\n', published.Errors)}");
        }

        Assert.All(published.Errors, e => Assert.DoesNotContain('\n', e.Message));
        Assert.Empty(bench.Targets.SelectMany(t => t.Writes));
        Assert.Null(published.Report.Transfer);
        Assert.Equal(before, await TagsAsync(bench));
        AssertReceipt(published, code);
        foreach (var secret in new[] { WrongPassword, bench.Login.Password })
        {
            Assert.DoesNotContain(secret, string.Join('\n', [published.Receipt, .. published.Log, .. published.Reporting.ConsoleLines, .. published.Errors.Select(e => e.Message)]));
        }
    }

    /// <summary>Whether a registry lets somebody push shows by trying only: one POST, nothing else of the image.</summary>
    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public async Task Without_push_right_no_byte_and_no_tag_leaves(bool anonymous)
    {
        await using var bench = await Bench.CreateAsync(registries, Repository);
        await using var state = new TempDirectory();
        await using var emulator = await EmulatorServer.StartAsync(new()
        {
            StateDirectory = state.Path,
            Users = { ["reader"] = new("read only", EmulatorRights.Pull), ["owner"] = "owner" },
            AnonymousPull = anonymous,
        });
        bench.Set(("READER", "reader"), ("READER_PASSWORD", "read only"));
        bench.Request = bench.Request with
        {
            Destinations = [.. bench.Request.Destinations, new($"{emulator.Host}/team/api")],
            Credentials = [.. bench.Request.Credentials, new(emulator.Host, "READER", "READER_PASSWORD")],
        };
        var before = await TagsAsync(bench);

        var published = await bench.PublishAsync();

        var error = Assert.Single(published.Errors);
        Assert.Equal("RSDK5004", error.Code);
        Assert.Contains($"RegistrySdkCredential '{emulator.Host}' (environment variable READER_PASSWORD)", error.Message);
        Assert.Contains("Give that account the push right", error.Message);
        Assert.DoesNotContain("read only", error.Message);
        Assert.Equal(["POST"], emulator.Requests.Where(r => r.Method is not ("GET" or "HEAD")).Select(r => r.Method));
        Assert.All(new[] { bench.Open, bench.Closed }, t => Assert.Equal(["POST", "DELETE"], t.Writes.Select(w => w.Method)));
        Assert.Equal(0, bench.Targets.Sum(t => t.Writes.Sum(w => w.RequestBytes)));
        Assert.Equal(before, await TagsAsync(bench));
        Assert.All(published.Report.Transfer!.Destinations, d => Assert.All(d.Tags, t => Assert.Equal(Core.Transfer.TagState.Pending, t.State)));
        AssertReceipt(published, "RSDK5004");
        Assert.Contains(published.Reporting.ConsoleLines, l => l.Contains("(pending)", StringComparison.Ordinal));
    }

    /// <summary>What stops a publish stops its plan too: PlanContainers shows it without sending anything.</summary>
    [Theory]
    [InlineData("credentials missing")]
    [InlineData("immutable tag names another image")]
    [InlineData("registry answers HTML")]
    public async Task A_plan_finds_it_too(string name)
    {
        await using var bench = await Bench.CreateAsync(registries);
        await Cases[name].Arrange(bench);
        bench.Request = bench.Request with { PlanOnly = true };

        var published = await bench.PublishAsync();

        Assert.Equal(Cases[name].Code, Assert.Single(published.Errors).Code);
        Assert.Empty(bench.Targets.SelectMany(t => t.Writes));
    }

    private static Case Destination(string code, string destination, params string[] says)
        => new(code, says, b => Add(b, destination.Replace("{open}", b.Open.Host).Replace("{name}", b.Name)));

    /// <summary>A file that changes when its hash is known already: while the base image is looked up.</summary>
    private static Case Meanwhile(Action<string> change, string says) => new("RSDK4006", ["changed while the image was composed", says], b =>
    {
        var file = b.Write("changing", "twelve bytes");
        var changed = 0;
        b.Base.Lie = _ =>
        {
            if (Interlocked.Exchange(ref changed, 1) == 0)
            {
                change(file);
            }

            return Task.FromResult(false);
        };
    });

    private static void Add(Bench bench, string destination) => bench.Request = bench.Request with { Destinations = [.. bench.Request.Destinations, new(destination)] };

    private static async Task<GitRepo> RepositoryAsync(Bench bench)
    {
        var repo = await GitRepo.CreateAsync(Path.Combine(bench.Request.ProjectDirectory, "repo"));
        repo.Write("Program.cs", "first");
        await repo.CommitAsync();
        return repo;
    }

    private static void Link(Bench bench, string target) => File.CreateSymbolicLink(Path.Combine(bench.PublishDirectory, "link"), target);

    private static bool Make(string program, params string[] arguments)
    {
        using var process = Process.Start(new ProcessStartInfo(program, arguments) { UseShellExecute = false, RedirectStandardError = true })!;
        process.StandardError.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0;
    }

    private static void Remove(string path)
    {
        if (Directory.Exists(path))
        {
            Directory.Delete(path, recursive: true);
        }
        else
        {
            File.Delete(path);
        }
    }

    /// <summary>An address where nobody listens.</summary>
    private static string Nobody()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return listener.LocalEndpoint.ToString()!;
    }

    // HEAD tells the truth, GET by that digest brings something else.
    private static async Task<bool> WrongManifest(HttpContext context)
        => context.Request.Path.Value!.Contains("/manifests/", StringComparison.Ordinal) && HttpMethods.IsGet(context.Request.Method)
            && await AnswerWrongAsync(context);

    private static Task<bool> AnswerWrongAsync(HttpContext context)
    {
        context.Response.Headers["Docker-Content-Digest"] = "sha256:" + new string('0', 64);
        return Answers.WithAsync(context, 200, "application/vnd.oci.image.manifest.v1+json", """{"schemaVersion":2}""");
    }

    private static async Task<IReadOnlyList<string>> TagsAsync(Bench bench)
    {
        var result = new List<string>();
        foreach (var target in bench.Targets)
        {
            result.AddRange((await Seed.TagsAsync(target.Direct, bench.Name)).Select(t => $"{target.Name} {t.Key} {t.Value}"));
        }

        return result;
    }

    /// <summary>Opens a pipe for writing, without waiting for a reader, when it is disposed.</summary>
    private sealed class Writer(string pipe) : IDisposable
    {
        public void Dispose() => new FileStream(pipe, FileMode.Open, FileAccess.ReadWrite).Dispose();
    }

    /// <summary>A big file that somebody goes on writing to.</summary>
    private sealed class Growing : IDisposable
    {
        private readonly CancellationTokenSource _stop = new();
        private readonly Thread _writer;

        public Growing(string path)
        {
            var file = new FileStream(path, FileMode.Append, FileAccess.Write, FileShare.ReadWrite, bufferSize: 0);
            var chunk = new byte[1 << 20];
            for (var i = 0; i < 32; i++)
            {
                file.Write(chunk);
            }

            _writer = new Thread(() =>
            {
                using (file)
                {
                    for (var i = 0; i < 20_000 && !_stop.IsCancellationRequested; i++)
                    {
                        file.Write(chunk, 0, 1000);
                        Thread.Sleep(1);
                    }
                }
            });
            _writer.Start();
        }

        public void Dispose()
        {
            _stop.Cancel();
            _writer.Join();
            _stop.Dispose();
        }
    }

    private static void AssertReceipt(Published published, string code)
    {
        using var receipt = JsonDocument.Parse(published.Receipt);
        Assert.False(receipt.RootElement.GetProperty("succeeded").GetBoolean());
        Assert.Contains(code, receipt.RootElement.GetProperty("diagnostics").EnumerateArray().Select(d => d.GetProperty("code").GetString()));
    }
}
