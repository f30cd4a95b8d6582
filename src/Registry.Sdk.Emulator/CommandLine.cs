using System.Runtime.InteropServices;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace Registry.Sdk.Emulator;

/// <summary>The commands of the executable. Exit codes: 0 done, 1 failed, 2 wrong usage.</summary>
internal static class CommandLine
{
    private const string Usage = """
        usage:
          serve --state DIR [--port N] [--log FILE] [--user NAME:VARIABLE[:none|pull|push]]... [--anonymous-pull] [--read-only] [--stop-with-stdin]
                [--personality plain|ghcr|dockerhub [--world FILE]]
              Serves the registry in DIR on 127.0.0.1 until SIGTERM or Ctrl+C (or, with --stop-with-stdin, the end of standard input).
              Prints 'listening on http://127.0.0.1:PORT' when ready. VARIABLE names the environment variable that holds the password.
              --personality ghcr or dockerhub answers as ghcr.io or docker.io do, and serves GitHub's or Docker Hub's API under /api.
              FILE says in JSON who and what exists there; its secrets are test values, never real ones (comments are allowed):
              ghcr       { "owners": { "acme": { "kind": "organization", "admins": ["me"] } }, "repositories": { "acme/app": { "visibility": "public" } },
                           "packages": { "acme/app": { "visibility": "private", "repository": "acme/app" } },
                           "secrets": { "laptop": { "value": "test-1", "kind": "classicToken", "user": "me", "scopes": ["write:packages"] },
                                        "job": { "value": "test-2", "kind": "actionsToken", "repository": "acme/app", "packages": "write" } } }
              dockerhub  { "namespaces": { "acme": { "privateByDefault": true } }, "repositories": { "acme/app": { "isPrivate": false } },
                           "secrets": { "ci": { "value": "test-3", "kind": "personalToken", "user": "acme", "permission": "readWrite" } } }
              The names of the members are those of GitHubWorld and DockerHubWorld. What a person does in the web settings is
              POST /_control/click { "repository": "acme/app", "visibility": "public" }, or "delete": true, or "grantTo": "acme/app".
          seed-base --state DIR --repository NAME --tag TAG [--kind aspnet|runtime] [--rid RID]... [--format oci|docker] [--index]
              Composes a base image from this machine's .NET and stores it in DIR, whether a server runs there or not. Without --kind, a
              NAME that ends in /runtime gives the runtime alone. A RID that is not this machine's gives a stub, which cannot run.
        """;

    private static readonly JsonSerializerOptions WorldJson = new(JsonSerializerDefaults.Web)
    {
        ReadCommentHandling = JsonCommentHandling.Skip,
        AllowTrailingCommas = true,
        UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow,

        // Into the dictionaries that are there, which know how names compare.
        PreferredObjectCreationHandling = JsonObjectCreationHandling.Populate,
        Converters = { new JsonStringEnumConverter() },
    };

    public static async Task<int> RunAsync(string[] args)
    {
        try
        {
            return args switch
            {
                ["serve", .. var rest] => await ServeAsync(new Arguments(rest)),
                ["seed-base", .. var rest] => await SeedBaseAsync(new Arguments(rest)),
                _ => throw new UsageException(args.Length == 0 ? "no command" : $"unknown command '{args[0]}'"),
            };
        }
        catch (UsageException exception)
        {
            await Console.Error.WriteLineAsync(exception.Message + Environment.NewLine + Usage);
            return 2;
        }
        catch (Exception exception) when (exception is IOException or UnauthorizedAccessException)
        {
            await Console.Error.WriteLineAsync("error: " + exception.Message);
            return 1;
        }
    }

    private static async Task<int> ServeAsync(Arguments arguments)
    {
        var personality = arguments.Choice("--personality", EmulatorPersonality.Plain);
        var world = arguments.Optional("--world");
        if (world is not null && personality == EmulatorPersonality.Plain)
        {
            throw new UsageException("--world needs --personality ghcr or dockerhub");
        }

        var options = new EmulatorOptions
        {
            Personality = personality,
            GitHub = personality == EmulatorPersonality.Ghcr ? ReadWorld<GitHubWorld>(world) : new(),
            DockerHub = personality == EmulatorPersonality.DockerHub ? ReadWorld<DockerHubWorld>(world) : new(),
            StateDirectory = arguments.Required("--state"),
            Port = arguments.Number("--port", 0),
            LogFile = arguments.Optional("--log"),
            AnonymousPull = arguments.Flag("--anonymous-pull"),
            ReadOnly = arguments.Flag("--read-only"),
            OnWarning = text => Console.Error.WriteLine("warning: " + text),
        };
        foreach (var user in arguments.All("--user"))
        {
            var (name, definition) = ReadUser(user);
            options.Users[name] = definition;
        }

        var stopWithStdin = arguments.Flag("--stop-with-stdin");
        arguments.RequireAllUsed();

        using var stop = new CancellationTokenSource();
        using var terminate = PosixSignalRegistration.Create(PosixSignal.SIGTERM, Stop);
        using var interrupt = PosixSignalRegistration.Create(PosixSignal.SIGINT, Stop);
        await using var server = await EmulatorServer.StartAsync(options);
        Console.WriteLine("listening on " + server.BaseAddress.GetLeftPart(UriPartial.Authority));
        if (stopWithStdin)
        {
            // The pipe closes when the parent dies, however it dies.
            _ = Task.Run(
                async () =>
                {
                    await using var input = Console.OpenStandardInput();
                    await input.CopyToAsync(Stream.Null);
                    await stop.CancelAsync();
                },
                CancellationToken.None);
        }

        var stopped = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        await using var registration = stop.Token.Register(stopped.SetResult);
        await stopped.Task;
        return 0;

        void Stop(PosixSignalContext context)
        {
            context.Cancel = true;
            stop.Cancel();
        }
    }

    private static async Task<int> SeedBaseAsync(Arguments arguments)
    {
        var state = arguments.Required("--state");
        var repository = arguments.Required("--repository");
        var tag = arguments.Required("--tag");
        var fallback = repository.EndsWith("/runtime", StringComparison.Ordinal) ? BaseImageKind.Runtime : BaseImageKind.Aspnet;
        var kind = arguments.Choice("--kind", fallback);
        var format = arguments.Choice("--format", BaseImageFormat.Oci);
        var index = arguments.Flag("--index");
        string[] rids = arguments.All("--rid") is { Count: > 0 } given ? [.. given] : [BaseImageComposer.MachineRid];
        arguments.RequireAllUsed();

        SeededImage seeded;
        try
        {
            seeded = await BaseImageComposer.SeedAsync(
                state, repository, tag, [.. rids.Select(rid => new BaseImageOptions { Kind = kind, Format = format, Rid = rid })], index);
        }
        catch (ArgumentException exception)
        {
            throw new UsageException(exception.Message);
        }

        foreach (var image in seeded.Images)
        {
            Console.WriteLine(image.IsRunnable
                ? $"{image.Rid} {image.ManifestDigest} runnable"
                : $"{image.Rid} {image.ManifestDigest} STUB, NOT RUNNABLE: {image.NotRunnableReason}");
        }

        Console.WriteLine($"seeded {repository}:{tag} {seeded.Digest}");
        return 0;
    }

    private static T ReadWorld<T>(string? file)
        where T : new()
    {
        try
        {
            return file is null ? new T() : JsonSerializer.Deserialize<T>(File.ReadAllBytes(file), WorldJson) ?? new T();
        }
        catch (JsonException exception)
        {
            // Its message names the place and not what is there, which may be a secret.
            throw new UsageException($"--world {file}: {exception.Message}");
        }
    }

    private static (string Name, EmulatorUser User) ReadUser(string text)
    {
        var parts = text.Split(':');
        var rights = EmulatorRights.Push;
        if (parts.Length is < 2 or > 3 || (parts.Length == 3 && !Enum.TryParse(parts[2], ignoreCase: true, out rights)))
        {
            throw new UsageException($"--user {text}: expected NAME:VARIABLE[:none|pull|push]");
        }

        var password = Environment.GetEnvironmentVariable(parts[1]);
        return string.IsNullOrEmpty(password)
            ? throw new UsageException($"--user {text}: environment variable '{parts[1]}' is not set")
            : (parts[0], new EmulatorUser(password, rights));
    }

#pragma warning disable CA1032, CA1064 // Made and caught in this file only.
    private sealed class UsageException(string message) : Exception(message);
#pragma warning restore CA1032, CA1064

    /// <summary>Options of the form <c>--name value</c> and flags <c>--name</c>; complains of what nobody asked for.</summary>
    private sealed class Arguments(string[] args)
    {
        private readonly bool[] _used = new bool[args.Length];

        public bool Flag(string name)
        {
            var index = Array.IndexOf(args, name);
            if (index >= 0)
            {
                _used[index] = true;
            }

            return index >= 0;
        }

        public List<string> All(string name)
        {
            var values = new List<string>();
            for (var index = 0; index < args.Length; index++)
            {
                if (!string.Equals(args[index], name, StringComparison.Ordinal))
                {
                    continue;
                }

                if (index + 1 >= args.Length)
                {
                    throw new UsageException(name + " needs a value");
                }

                _used[index] = _used[index + 1] = true;
                values.Add(args[index + 1]);
            }

            return values;
        }

        public string? Optional(string name) => All(name) switch
        {
            [] => null,
            [var value] => value,
            _ => throw new UsageException(name + " is given twice"),
        };

        public string Required(string name) => Optional(name) ?? throw new UsageException(name + " is missing");

        public int Number(string name, int fallback) => Optional(name) is not { } text
            ? fallback
            : int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out var number)
                ? number
                : throw new UsageException($"{name} {text}: not a number");

        public T Choice<T>(string name, T fallback)
            where T : struct, Enum => Optional(name) is not { } text
            ? fallback
            : Enum.TryParse<T>(text, ignoreCase: true, out var value) && Enum.IsDefined(value)
                ? value
                : throw new UsageException($"{name} {text}: expected {string.Join(" or ", Enum.GetNames<T>()).ToLowerInvariant()}");

        public void RequireAllUsed()
        {
            var unused = Array.IndexOf(_used, false);
            if (unused >= 0)
            {
                throw new UsageException($"unknown argument '{args[unused]}'");
            }
        }
    }
}
