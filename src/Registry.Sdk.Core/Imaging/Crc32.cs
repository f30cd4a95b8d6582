using System.Buffers.Binary;

namespace Registry.Sdk.Core.Imaging;

/// <summary>gzip's checksum, eight bytes a step. Source: RFC 1952, section 8 (reflected polynomial 0xEDB88320).</summary>
internal static class Crc32
{
    // Row 0: what one byte does; row n: what it does n bytes before the end of a step.
    private static readonly uint[][] Tables = MakeTables();

    /// <summary>The checksum of what gave <paramref name="crc"/> (0 for nothing) followed by these bytes.</summary>
    public static uint Append(uint crc, ReadOnlySpan<byte> bytes)
    {
        uint[] t0 = Tables[0], t1 = Tables[1], t2 = Tables[2], t3 = Tables[3], t4 = Tables[4], t5 = Tables[5], t6 = Tables[6], t7 = Tables[7];
        crc = ~crc;
        for (; bytes.Length >= 8; bytes = bytes[8..])
        {
            var low = crc ^ BinaryPrimitives.ReadUInt32LittleEndian(bytes);
            var high = BinaryPrimitives.ReadUInt32LittleEndian(bytes[4..]);
            crc = t7[low & 0xFF] ^ t6[(low >> 8) & 0xFF] ^ t5[(low >> 16) & 0xFF] ^ t4[low >> 24]
                ^ t3[high & 0xFF] ^ t2[(high >> 8) & 0xFF] ^ t1[(high >> 16) & 0xFF] ^ t0[high >> 24];
        }

        foreach (var b in bytes)
        {
            crc = (crc >> 8) ^ t0[(crc ^ b) & 0xFF];
        }

        return ~crc;
    }

    private static uint[][] MakeTables()
    {
        var tables = new uint[8][];
        tables[0] = new uint[256];
        for (uint n = 0; n < 256; n++)
        {
            var c = n;
            for (var bit = 0; bit < 8; bit++)
            {
                c = (c & 1) == 0 ? c >> 1 : (c >> 1) ^ 0xEDB88320;
            }

            tables[0][n] = c;
        }

        for (var row = 1; row < 8; row++)
        {
            tables[row] = Array.ConvertAll(tables[row - 1], c => (c >> 8) ^ tables[0][c & 0xFF]);
        }

        return tables;
    }
}
