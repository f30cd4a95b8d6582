using System.Buffers.Binary;
using System.Text;
using Registry.Sdk.Core.Editions;
using Registry.Sdk.Core.Primitives;

namespace Registry.Sdk.Core.Imaging;

/// <summary>What the first bytes of an ELF file say. Source: System V ABI, gABI 4.1, «ELF Header» and «Program Header»; machine numbers from its registry.</summary>
/// <param name="Is64Bit"><c>EI_CLASS</c>.</param>
/// <param name="IsBigEndian"><c>EI_DATA</c>.</param>
/// <param name="Machine"><c>e_machine</c>.</param>
/// <param name="Interpreter">The dynamic loader it asks for (<c>PT_INTERP</c>); null if it needs none.</param>
internal sealed record ElfHeader(bool Is64Bit, bool IsBigEndian, ushort Machine, string? Interpreter)
{
    private const int PathMax = 4096;

    private static readonly (string Architecture, bool Is64Bit, bool IsBigEndian, ushort Machine)[] Machines =
    [
        ("amd64", true, false, 62),
        ("arm64", true, false, 183),
        ("arm", false, false, 40),
        ("386", false, false, 3),
        ("ppc64le", true, false, 21),
        ("s390x", true, true, 22),
        ("riscv64", true, false, 243),
        ("loong64", true, false, 258),
        ("mips64le", true, false, 8),
    ];

    /// <summary>What it runs on, in an image's words; null if images have no name for it.</summary>
    public string? Architecture => Machines.FirstOrDefault(m => m.Is64Bit == Is64Bit && m.IsBigEndian == IsBigEndian && m.Machine == Machine).Architecture;

    /// <summary>Whether it can't run on the platform. A platform not known here has no such files.</summary>
    public bool Contradicts(Platform platform) => Array.Exists(Machines, m => m.Architecture == platform.Architecture) && Architecture != platform.Architecture;

    /// <summary>Reads a file of the bill; null if it is no ELF file, is cut off, or is gone.</summary>
    public static ElfHeader? Read(BillFile file)
    {
        if (BoundedFile.ReadAt(file, 0, 20) is not { } ident || !ident.AsSpan().StartsWith("\u007fELF"u8) || ident[4] is not (1 or 2) || ident[5] is not (1 or 2))
        {
            return null;
        }

        var (is64, big) = (ident[4] == 2, ident[5] == 2);
        return new(is64, big, Half(ident.AsSpan(18), big), FindInterpreter(file, is64, big));
    }

    private static string? FindInterpreter(BillFile file, bool is64, bool big)
    {
        if (BoundedFile.ReadAt(file, 0, is64 ? 64 : 52) is not { } header)
        {
            return null;
        }

        var table = is64 ? Long(header.AsSpan(32), big) : Word(header.AsSpan(28), big);
        var entrySize = Half(header.AsSpan(is64 ? 54 : 42), big);
        var count = Half(header.AsSpan(is64 ? 56 : 44), big);
        if (entrySize < (is64 ? 56 : 32) || table > (ulong)file.Size || BoundedFile.ReadAt(file, (long)table, (long)entrySize * count) is not { } entries)
        {
            return null;
        }

        const uint PtInterp = 3;
        for (var i = 0; i < count; i++)
        {
            var entry = entries.AsSpan(i * entrySize, entrySize);
            if (Word(entry, big) == PtInterp)
            {
                var offset = is64 ? Long(entry[8..], big) : Word(entry[4..], big);
                var size = is64 ? Long(entry[32..], big) : Word(entry[16..], big);
                return size is > 1 and <= PathMax && offset <= (ulong)file.Size && BoundedFile.ReadAt(file, (long)offset, (int)size) is { } path
                    ? Encoding.UTF8.GetString(path).TrimEnd('\0') : null;
            }
        }

        return null;
    }

    private static ushort Half(ReadOnlySpan<byte> at, bool big) => big ? BinaryPrimitives.ReadUInt16BigEndian(at) : BinaryPrimitives.ReadUInt16LittleEndian(at);

    private static uint Word(ReadOnlySpan<byte> at, bool big) => big ? BinaryPrimitives.ReadUInt32BigEndian(at) : BinaryPrimitives.ReadUInt32LittleEndian(at);

    private static ulong Long(ReadOnlySpan<byte> at, bool big) => big ? BinaryPrimitives.ReadUInt64BigEndian(at) : BinaryPrimitives.ReadUInt64LittleEndian(at);
}
