using System.Buffers.Binary;
using System.Text;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Imaging;
using Registry.Sdk.Core.Primitives;
using Xunit;

namespace Registry.Sdk.Core.Tests.Files;

public sealed class StageChecksTests : IDisposable
{
    private const string Loader = "/lib64/ld-linux-x86-64.so.2";

    private readonly string _folder = Directory.CreateTempSubdirectory("rsdk-core-").FullName;

    public void Dispose() => Directory.Delete(_folder, recursive: true);

    /// <summary>Publish folder: <c>Api</c> (app host), <c>Api.dll</c>, <c>tools/run</c>, <c>start.sh</c>, <c>notes.txt</c>.</summary>
    [Theory]
    // entrypoint, cmd, working directory, on scratch, what is said
    [InlineData("/app/Api", "", "/app/", false, "")]
    [InlineData("/app/Api", "", "/app", false, "")]
    [InlineData("./Api", "--x", "/app/", false, "")]
    [InlineData("/app//./x/../Api", "", "/app/", false, "")]
    [InlineData("tools/run", "", "/app/", false, "")]
    [InlineData("", "/app/Api", "/app/", false, "")]
    [InlineData("/app/Apl", "", "/app/", false, "RSDK4012 '/app/Apl', but /app/Apl is not in it.")]
    [InlineData("./Apl", "", "/app/", false, "RSDK4012 './Apl', but /app/Apl is not in it")]
    [InlineData("/app/api", "", "/app/", false, "RSDK4012 /app/api is not in it (but /app/Api is: upper and lower case differ)")]
    [InlineData("/app/tools", "", "/app/", false, "RSDK4012 /app/tools is not in it as a file: it is a folder")]
    [InlineData("/app/notes.txt", "", "/app/", false, "RSDK4012 notes.txt is not executable")]
    [InlineData("/app/Api.dll", "", "/app/", false, "RSDK4012 Api.dll is not executable")]
    [InlineData("/app/Api", "", "/srv/", false, "")] // elsewhere: may be the base image's
    [InlineData("/srv/Apl", "", "/srv/", false, "RSDK4012 /srv/Apl is not in it")]
    [InlineData("/Apl", "", "/", false, "")] // all is below /
    [InlineData("/application/x", "", "/app", false, "")]
    [InlineData("tini", "--,/app/Apl", "/app/", false, "")]
    [InlineData("", "", "/app/", false, "RSDK4012 neither entrypoint nor command")]
    // through dotnet
    [InlineData("dotnet,/app/Api.dll", "", "/app/", false, "")]
    [InlineData("dotnet", "Api.dll", "/app/", false, "")]
    [InlineData("/usr/bin/dotnet,Apl.dll", "", "/app/", false, "RSDK4012 '/usr/bin/dotnet Apl.dll', but /app/Apl.dll is not in it")]
    [InlineData("dotnet", "api.dll", "/app/", false, "RSDK4012 (but /app/Api.dll is: upper and lower case differ)")]
    [InlineData("dotnet,exec,--depsfile,other.dll,--roll-forward,Major,Apl.dll", "", "/app/", false, "RSDK4012 /app/Apl.dll is not in it")]
    [InlineData("dotnet,--depsfile,other.dll,Api.dll,Apl.dll", "", "/app/", false, "")]
    [InlineData("dotnet,watch", "", "/app/", false, "")]
    [InlineData("dotnet,Api.dl", "", "/app/", false, "RSDK4012 /app/Api.dl is not in it")] // no command of the SDK's has a dot
    [InlineData("dotnet,bin/Api", "", "/app/", false, "RSDK4012 /app/bin/Api is not in it")]
    [InlineData("Api", "", "/app/", false, "RSDK4012 Write ./Api or /app/Api")] // PATH is searched, and not the working directory
    [InlineData("nope", "", "/app/", false, "")] // may be the base image's
    [InlineData("dotnet,--fx-version", "", "/app/", false, "")]
    [InlineData("dotnet,/opt/Other.dll", "", "/app/", false, "")]
    // on an image without files
    [InlineData("/app/static", "", "/app/", true, "")]
    [InlineData("/bin/sh,-c,x", "", "/app/", true, "RSDK4012 /bin/sh is not in it")]
    [InlineData("sh", "", "/app/", true, "RSDK4012 no folder of PATH has it")]
    [InlineData("static", "", "/usr/bin/", true, "")]
    [InlineData("Apl", "", "/", true, "RSDK4012 no folder of PATH has it")]
    [InlineData("/Apl", "", "/", true, "RSDK4012 /Apl is not in it")]
    [InlineData("dotnet,/app/Api.dll", "", "/app/", true, "RSDK4012 'dotnet'")]
    public void The_file_that_is_started(string entrypoint, string cmd, string directory, bool scratch, string expected)
        => Says(expected, Input(Publish("Api", "Api.dll", "tools/run", "start.sh", "notes.txt", "static"), entrypoint, cmd, directory, scratch: scratch));

    [Fact]
    public void What_is_inherited_from_the_base_image_is_there()
    {
        var input = Input(Publish("Api"), "/app/entrypoint.sh", "");
        Says("RSDK4012 /app/entrypoint.sh is not in it", input);
        Says("", input with { BaseEntrypoint = ["/app/entrypoint.sh"] });
    }

    [Fact]
    public void The_images_own_path_is_searched()
        => Says("", Input(Publish("static"), "static", "", scratch: true, environment: "PATH=/bin:/app"));

    [Theory]
    // frameworks, rollForward of the file; entrypoint; the image's environment; on scratch; what is said
    [InlineData("Core 10.0.0", "", "/app/Api", "DOTNET_VERSION=10.0.12", false, "")]
    [InlineData("Core 10.0.0", "", "/app/Api", "DOTNET_VERSION=8.0.20", false, "RSDK4013 Microsoft.NETCore.App 10.0.0 (rollForward Minor), but the-base:1 has .NET 8.0.20. Choose a ContainerBaseImage of that version, or a lower TargetFramework")]
    [InlineData("Core 8.0.0", "", "dotnet,Api.dll", "DOTNET_VERSION=10.0.0", false, "RSDK4013 Microsoft.NETCore.App 8.0.0 (rollForward Minor), but the-base:1 has .NET 10.0.0. Choose a ContainerBaseImage of that version, or set RollForward")]
    [InlineData("Core 8.0.0", "Major", "/app/Api", "DOTNET_VERSION=10.0.0", false, "")]
    [InlineData("Core 8.0.0", "Disable", "/app/Api", "DOTNET_VERSION=10.0.0;DOTNET_ROLL_FORWARD=Major", false, "")] // the variable wins over the file
    [InlineData("Core 8.0.0", "Major", "/app/Api", "DOTNET_VERSION=10.0.0;DOTNET_ROLL_FORWARD=Minor", false, "RSDK4013 (rollForward Minor)")]
    [InlineData("Core 8.0.0", "", "/app/Api", "DOTNET_VERSION=10.0.0;DOTNET_ROLL_FORWARD=", false, "RSDK4013")]
    [InlineData("Core 8.0.0", "", "dotnet,--roll-forward,LatestMajor,Api.dll", "DOTNET_VERSION=10.0.0;DOTNET_ROLL_FORWARD=Minor", false, "")] // and the command line over both
    [InlineData("Core 8.0.0", "", "dotnet,--fx-version,10.0.0,Api.dll", "DOTNET_VERSION=10.0.0", false, "")]
    [InlineData("Core 8.0.0", "", "/app/Api", "", false, "")] // says nothing of itself
    [InlineData("Core 8.0.0", "", "/app/Api", "DOTNET_VERSION=latest", false, "")]
    [InlineData("Core 10.0.0,Asp 10.0.0", "", "/app/Api", "DOTNET_VERSION=10.0.12;ASPNET_VERSION=10.0.12", false, "")]
    [InlineData("Core 10.0.0,Asp 10.0.0", "", "/app/Api", "DOTNET_VERSION=10.0.12", false, "RSDK4013 Microsoft.AspNetCore.App 10.0.0, but the-base:1 has .NET 10.0.12 without ASP.NET Core")]
    [InlineData("Core 10.0.0,Asp 10.0.0", "", "/app/Api", "DOTNET_VERSION=8.0.1;ASPNET_VERSION=8.0.1", false, "RSDK4013 Microsoft.NETCore.App 10.0.0 (rollForward Minor) and Microsoft.AspNetCore.App 10.0.0")]
    [InlineData("Core 10.0.0,Desktop 10.0.0", "", "/app/Api", "DOTNET_VERSION=10.0.12", false, "")]
    [InlineData("Core 10.0.0", "", "/app/start.sh", "DOTNET_VERSION=8.0.0", false, "RSDK4013")] // whatever the script does, it is this application
    [InlineData("Core 10.0.0", "", "tini,/app/Api", "DOTNET_VERSION=8.0.0", false, "RSDK4013")]
    [InlineData("Core 10.0.0", "", "/app/static", "DOTNET_VERSION=8.0.0", false, "")] // a program of its own
    [InlineData("Core 10.0.0", "", "dotnet,/opt/Other.dll", "DOTNET_VERSION=8.0.0", false, "")]
    [InlineData("", "", "/app/Api", "DOTNET_VERSION=8.0.0", false, "")] // self-contained
    [InlineData("Core 10.0.0", "", "/app/Api", "", true, "RSDK4013 the-base:1 holds no .NET")]
    [InlineData("Core 10.0.0", "", "dotnet,Api.dll", "", true, "RSDK4013 the-base:1 holds no .NET")]
    public void The_runtime_version(string frameworks, string rollForward, string entrypoint, string environment, bool scratch, string expected)
    {
        var named = frameworks.Split(',', StringSplitOptions.RemoveEmptyEntries).Select(f => f.Split(' '))
            .Select(f => $$"""{"name":"Microsoft.{{Full(f[0])}}.App","version":"{{f[1]}}"}""").ToList();
        var roll = rollForward.Length > 0 ? $"\"rollForward\":\"{rollForward}\"," : "";
        var config = $$$"""{"runtimeOptions":{ {{{roll}}}"{{{(named.Count > 0 ? "frameworks" : "includedFrameworks")}}}":[{{{string.Join(',', named)}}}]}}""";
        Says(expected, Input([.. Publish("Api", "Api.dll", "start.sh", "static"), File("Api.runtimeconfig.json", Encoding.UTF8.GetBytes(config))], entrypoint, "", environment: environment, scratch: scratch));

        static string Full(string name) => name switch { "Core" => "NETCore", "Asp" => "AspNetCore", _ => name };
    }

    /// <summary>What a file says about itself may be more than any memory.</summary>
    [Theory]
    [InlineData(0xffff, 0xffff)]
    [InlineData(0x7fff, 0xffff)]
    public void A_header_that_lies_is_no_header(int entrySize, int count)
    {
        var bytes = Elf(62);
        (bytes[54], bytes[55], bytes[56], bytes[57]) = ((byte)entrySize, (byte)(entrySize >> 8), (byte)count, (byte)(count >> 8));
        var before = GC.GetAllocatedBytesForCurrentThread();
        Says("", Input([File("Api", bytes, executable: true)], "/app/Api", ""));
        Assert.InRange(GC.GetAllocatedBytesForCurrentThread() - before, 0, 10_000_000);
    }

    [Fact]
    public void Of_two_applications_none_is_guessed()
    {
        var config = """{"runtimeOptions":{"framework":{"name":"Microsoft.NETCore.App","version":"10.0.0"}}}"""u8.ToArray();
        Says("", Input([.. Publish("start.sh"), File("A.runtimeconfig.json", config), File("B.runtimeconfig.json", config)], "/app/start.sh", "", environment: "DOTNET_VERSION=8.0.0"));
    }

    public static TheoryData<string, int, bool, bool> Machines => new()
    {
        { "amd64", 62, true, false }, { "arm64", 183, true, false }, { "arm", 40, false, false }, { "386", 3, false, false }, { "ppc64le", 21, true, false },
        { "s390x", 22, true, true }, { "riscv64", 243, true, false }, { "loong64", 258, true, false }, { "mips64le", 8, true, false },
    };

    [Theory]
    [MemberData(nameof(Machines))]
    public void The_architecture_of_the_entrypoint(string architecture, int machine, bool is64, bool big)
    {
        var input = Input([File("Api", Elf((ushort)machine, is64, big), executable: true)], "/app/Api", "");
        Says("", input with { Platform = new("linux", architecture) });
        foreach (var other in Machines.Select(m => (string)m[0]).Where(a => a != architecture))
        {
            Says($"RSDK4014 The image is for linux/{other}, but Api ({architecture}) is not.", input with { Platform = new("linux", other) });
        }

        Says("", input with { Platform = new("linux", "sparc") });
        // The same number in the other byte order or word size is another machine.
        Says("RSDK4014 ELF machine", Input([File("Api", Elf((ushort)machine, is64, !big), executable: true)], "/app/Api", "") with { Platform = new("linux", architecture) });
        Says("RSDK4014 ELF machine", Input([File("Api", Elf((ushort)machine, !is64, big), executable: true)], "/app/Api", "") with { Platform = new("linux", architecture) });
    }

    [Fact]
    public void Native_libraries_beside_the_application()
    {
        var arm = Elf(183);
        BillFile[] files =
        [
            .. Publish("Api", "libok.so"), File("libb.so.1", arm, executable: true), File("liba.so", arm, executable: true),
            File("tool-arm64", arm, executable: true), File("runtimes/linux-arm64/native/libn.so", arm, executable: true), File("libtext.so", "#!/bin/sh"u8.ToArray(), executable: true),
        ];
        Says("RSDK4014 but liba.so (arm64), libb.so.1 (arm64) are not.", Input(files, "/app/Api", ""));
        Says("RSDK4014 but zApi (arm64), liba.so (arm64), libb.so.1 (arm64) and 1 more are not.", Input([.. files, File("zApi", arm, executable: true), File("libc.so", arm, executable: true)], "/app/zApi", ""));
    }

    [Theory]
    [InlineData("Api", Loader, "", "RSDK4015 needs " + Loader)]
    [InlineData("Api", Loader, "lib64/ld-linux-x86-64.so.2", "")]
    [InlineData("Api", "/lib/../" + "lib64/ld-linux-x86-64.so.2", "lib64/ld-linux-x86-64.so.2", "")]
    [InlineData("Api", "", "", "")]
    [InlineData("start.sh", "", "", "RSDK4015 needs /bin/sh")]
    [InlineData("start.sh", "", "bin/sh", "")]
    public void The_loader_on_an_image_without_files(string start, string interpreter, string also, string expected)
    {
        foreach (var (machine, is64, big, architecture) in ((ushort, bool, bool, string)[])[(62, true, false, "amd64"), (40, false, false, "arm"), (22, true, true, "s390x")])
        {
            var files = new List<BillFile> { File("start.sh", "#! /bin/sh -e\necho"u8.ToArray(), executable: true), File("Api", Elf(machine, is64, big, interpreter), executable: true) };
            if (also.Length > 0)
            {
                files.Add(File(also, "x"u8.ToArray(), executable: true));
            }

            var input = Input(files, "/" + start, "", "/", scratch: true) with { Platform = new("linux", architecture) };
            Says(expected, input);
            Says("", input with { IsScratch = false });
        }
    }

    [Fact]
    public void Damaged_and_vanished_files_are_judged_by_nobody()
    {
        var whole = Elf(62, interpreter: Loader);
        for (var length = 0; length < whole.Length; length++)
        {
            Says("", Input([File("Api", whole[..length], executable: true)], "/app/Api", "", scratch: true));
        }

        foreach (var at in (int[])[32, 39, 54, 56, 64 + 8, 64 + 15, 64 + 32, 64 + 39])
        {
            var broken = (byte[])whole.Clone();
            broken[at] = 0xFF;
            broken[at + 1] = 0xFF;
            Assert.DoesNotContain(StageChecks.Run(Input([File("Api", broken, executable: true)], "/app/Api", "", scratch: true)), d => d.Code != "RSDK4015");
        }

        Says("", Input([new("Api", Path.Combine(_folder, "gone"), 100, Digest.Of([]), IsExecutable: true), new("Api.runtimeconfig.json", Path.Combine(_folder, "gone too"), 100, Digest.Of([]), IsExecutable: false)], "/app/Api", "", scratch: true));
    }

    /// <summary>Each of <c>CODE words</c>, separated by <c>|</c>, and nothing else.</summary>
    private static void Says(string expected, StageCheckInput input)
    {
        var found = StageChecks.Run(input);
        var wanted = expected.Split('|', StringSplitOptions.RemoveEmptyEntries);
        Assert.True(wanted.Length == found.Count, $"'{expected}', but was: {string.Join('\n', found)}");
        foreach (var (want, diagnostic) in wanted.Zip(found))
        {
            Assert.Equal(want[..8], diagnostic.Code);
            Assert.False(diagnostic.IsError);
            Assert.Contains(want.Length > 9 ? want[9..].Trim() : string.Empty, diagnostic.Message);
            Assert.DoesNotContain('\n', diagnostic.Message);
        }
    }

    private static StageCheckInput Input(IReadOnlyList<BillFile> files, string entrypoint, string cmd, string directory = "/app/", bool scratch = false, string environment = "")
        => new(
            files, directory, entrypoint.Split(',', StringSplitOptions.RemoveEmptyEntries), cmd.Split(',', StringSplitOptions.RemoveEmptyEntries), [],
            environment.Split(';', StringSplitOptions.RemoveEmptyEntries).Select(v => v.Split('=')).ToDictionary(v => v[0], v => v[1], StringComparer.Ordinal),
            new("linux", "amd64"), "the-base:1", scratch);

    private BillFile[] Publish(params string[] paths) => [.. paths.Select(p => File(
        p,
        p.EndsWith(".sh", StringComparison.Ordinal) ? "#!/bin/sh\n"u8.ToArray() : p.Contains('.', StringComparison.Ordinal) && !p.EndsWith(".so", StringComparison.Ordinal) ? "MZ"u8.ToArray() : Elf(62),
        executable: !p.EndsWith(".dll", StringComparison.Ordinal) && !p.EndsWith(".txt", StringComparison.Ordinal)))];

    private BillFile File(string path, byte[] content, bool executable = false)
    {
        var source = Path.Combine(_folder, path.Replace('/', '_'));
        System.IO.File.WriteAllBytes(source, content);
        return new(path, source, content.Length, Digest.Of(content), executable);
    }

    /// <summary>An ELF header with one program header, or none.</summary>
    private static byte[] Elf(ushort machine, bool is64 = true, bool big = false, string interpreter = "")
    {
        var header = is64 ? 64 : 52;
        var entry = is64 ? 56 : 32;
        var bytes = new byte[interpreter.Length == 0 ? header : header + (2 * entry) + interpreter.Length + 1];
        "\u007fELF"u8.CopyTo(bytes);
        (bytes[4], bytes[5], bytes[6]) = ((byte)(is64 ? 2 : 1), (byte)(big ? 2 : 1), 1);
        Half(18, machine);
        if (interpreter.Length > 0)
        {
            // PT_LOAD, PT_INTERP
            Number(is64 ? 32 : 28, header);
            Half(is64 ? 54 : 42, (ushort)entry);
            Half(is64 ? 56 : 44, 2);
            bytes[header + (big ? 3 : 0)] = 1;
            var at = header + entry;
            bytes[at + (big ? 3 : 0)] = 3;
            Number(at + (is64 ? 8 : 4), header + (2 * entry));
            Number(at + (is64 ? 32 : 16), interpreter.Length + 1);
            Encoding.ASCII.GetBytes(interpreter).CopyTo(bytes, header + (2 * entry));
        }

        return bytes;

        void Half(int offset, ushort value)
        {
            if (big)
            {
                BinaryPrimitives.WriteUInt16BigEndian(bytes.AsSpan(offset), value);
            }
            else
            {
                BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(offset), value);
            }
        }

        void Number(int offset, int value)
        {
            var size = is64 ? 8 : 4;
            for (var i = 0; i < size; i++)
            {
                bytes[offset + (big ? size - 1 - i : i)] = i < 4 ? (byte)(value >> (8 * i)) : (byte)0;
            }
        }
    }
}
