using System.Text;

namespace Registry.Sdk.Core.Primitives;

/// <summary>
/// Watches a tar that somebody else wrote while it is read: a long name or extended header is read into memory as a whole by <c>TarReader</c>, and a few
/// packed bytes can say that it has gigabytes. Format: POSIX.1-2017, pax, «ustar Interchange Format»; GNU tar, «Basic Tar Format».
/// </summary>
/// <param name="tar">The unpacked tar; owned by this.</param>
internal sealed class TarGuard(Stream tar) : ReadThroughStream(tar)
{
    /// <summary>Paths have 4096 bytes at most; labels of SELinux and the like are not much longer.</summary>
    private const int MostOfOne = 1 << 20;

    /// <summary>Of all together: a layer of 200,000 files whose names are all too long for a plain header stays below.</summary>
    private const long MostOfAll = 128 << 20;

    private const int BlockSize = 512;

    private readonly byte[] _header = new byte[BlockSize];
    private readonly StringBuilder _extended = new();
    private int _have;
    private long _data;
    private bool _isExtended;
    private long _all;

    /// <summary>Whether <c>TarReader</c> or a decompressor says by this that what it reads is none: it has seven ways to (fuzzed).</summary>
    public static bool IsNoTar(Exception e)
        => e is InvalidDataException or EndOfStreamException or FormatException or InvalidOperationException or NotSupportedException or OverflowException or ArgumentException;

    /// <exception cref="InvalidDataException">A header asks for more than a name needs, or says that a file is of another size than it says elsewhere.</exception>
    protected override void Saw(ReadOnlySpan<byte> bytes)
    {
        while (bytes.Length > 0)
        {
            if (_data > 0)
            {
                var part = bytes[..(int)Math.Min(_data, bytes.Length)];
                bytes = bytes[part.Length..];
                _data -= part.Length;
                if (_isExtended)
                {
                    _extended.Append(Encoding.Latin1.GetString(part));
                    if (_data == 0 && _extended.ToString().Contains(" size=", StringComparison.Ordinal))
                    {
                        // For files of 8 GB and more. Elsewhere it would hide what follows from this guard, and from others that read tars.
                        throw new InvalidDataException("a tar header says a size twice");
                    }
                }

                continue;
            }

            var missing = bytes[..Math.Min(BlockSize - _have, bytes.Length)];
            missing.CopyTo(_header.AsSpan(_have));
            _have += missing.Length;
            bytes = bytes[missing.Length..];
            if (_have == BlockSize)
            {
                _have = 0;
                Header();
            }
        }
    }

    private void Header()
    {
        var size = Size();
        var isName = _header[156] is (byte)'L' or (byte)'K';
        _isExtended = _header[156] is (byte)'x' or (byte)'g';
        _extended.Clear();
        if (isName || _isExtended)
        {
            _all += size;
            if (size > MostOfOne || _all > MostOfAll)
            {
                throw new InvalidDataException("a tar header asks for more than names need");
            }
        }

        _data = (size + BlockSize - 1) / BlockSize * BlockSize;
    }

    // Octal digits, or from the first bit on a number of its own (GNU).
    private long Size()
    {
        var field = _header.AsSpan(124, 12);
        var size = 0L;
        if ((field[0] & 0x80) != 0)
        {
            foreach (var b in field[4..])
            {
                size = (size << 8) | b;
            }

            return size is >= 0 and < long.MaxValue - BlockSize ? size : throw new InvalidDataException("a tar header has a size that is none");
        }

        foreach (var digit in field)
        {
            size = digit is >= (byte)'0' and <= (byte)'7' ? (size * 8) + digit - '0' : size;
        }

        return size;
    }
}
